"""A diffusion transformer: an image as a row of patches, and blocks that the noise level and the class scale, shift and gate.

Peebles & Xie 2023, "Scalable Diffusion Models with Transformers": the DiT with adaLN-Zero blocks of section 3.2.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import CourseError, check_integer
from ..shapes import check_batch
from .embedding import Conditioning, Labelled, sinusoid
from .unet import zero


class DiT(Labelled):
    """The course's transformer, called like its `UNet`.

    image_size: height and width, a multiple of patch_size. channels: of the image or latent.
    patch_size: p; the transformer sees (image_size / p)^2 tokens of p x p pixels.
    width: of a token, a multiple of heads and of 4. depth: blocks. heads: of the self-attention.
    num_classes: 0 for an unconditional network. noise_scale: see `Conditioning`.
    Raises CourseError for sizes that do not divide.
    """

    def __init__(
        self,
        image_size: int = 28,
        channels: int = 1,
        patch_size: int = 2,
        width: int = 96,
        depth: int = 5,
        heads: int = 3,
        num_classes: int = 0,
        noise_scale: float = 1.0,
    ):
        super().__init__()
        sizes = {"image_size": image_size, "channels": channels, "patch_size": patch_size}
        for name, value in {**sizes, "width": width, "depth": depth, "heads": heads}.items():
            check_integer(name, value, 1)
        _check_multiple("image_size", image_size, patch_size, "patch_size")
        _check_multiple("width", width, heads, "heads")
        _check_multiple("width", width, 4, "a sine and a cosine for each of two axes")
        self.image_size, self.channels, self.num_classes = image_size, channels, num_classes
        self.patch_size, self.width = patch_size, width
        self.condition = Conditioning(width, num_classes, noise_scale)
        self.first = nn.Linear(patch_size**2 * channels, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.last_modulation = zero(nn.Linear(width, 2 * width))
        self.last = zero(nn.Linear(width, patch_size**2 * channels))

    def forward(self, x: Tensor, c_noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """x: (B, C, H, W); c_noise: () or (B,) noise level; labels: (B,) or None. Returns (B, C, H, W)."""
        check_batch("x", x, self.channels, self.image_size, self.image_size)
        emb = F.silu(self.condition(torch.as_tensor(c_noise).to(x).expand(len(x)), labels))  # (B, width)
        at = positions(self.image_size // self.patch_size, self.width, x.device)
        h = self.first(patchify(x, self.patch_size)) + at.to(x)  # (B, N, width)
        for block in self.blocks:
            h = block(h, emb)
        shift, scale = self.last_modulation(emb).chunk(2, dim=1)
        tokens = self.last(modulate(normalised(h), shift, scale))
        return unpatchify(tokens, self.patch_size, *x.shape[2:])


class Block(nn.Module):
    """Attention, then a perceptron, each normalised, scaled and shifted before, and gated after (adaLN-Zero).

    All gates are zero at first, so the block is the identity at first.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.modulation = zero(nn.Linear(width, 6 * width))
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """x: (B, N, width); emb: (B, width). Returns (B, N, width)."""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(emb).chunk(6, dim=1)  # (B, width) each
        x = x + gate1[:, None] * self.attention(modulate(normalised(x), shift1, scale1))
        return x + gate2[:, None] * self.mlp(modulate(normalised(x), shift2, scale2))


class Attention(nn.Module):
    """Multi-head self-attention over tokens (Vaswani et al. 2017, section 3.2): (B, N, width) -> (B, N, width)."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        B, N, width = x.shape
        qkv = self.qkv(x).reshape(B, N, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, N, width / heads) each
        # Written out: in bfloat16 on a CPU the gradient of torch's fused kernel takes longer than all the rest of the network.
        logits = q @ k.transpose(-1, -2) / (width // self.heads) ** 0.5  # (B, heads, N, N)
        return self.out((logits.softmax(-1) @ v).transpose(1, 2).reshape(B, N, width))


def patchify(x: Tensor, p: int) -> Tensor:
    """(B, C, H, W) -> (B, N, C p p): patches of p x p pixels row by row, each with its channels outermost."""
    B, C, H, W = x.shape
    patches = x.reshape(B, C, H // p, p, W // p, p).permute(0, 2, 4, 1, 3, 5)  # (B, H/p, W/p, C, p, p)
    return patches.reshape(B, (H // p) * (W // p), C * p * p)


def unpatchify(tokens: Tensor, p: int, H: int, W: int) -> Tensor:
    """The image (B, C, H, W) of its patches (B, N, C p p): `patchify` undone."""
    B, C = len(tokens), tokens.shape[-1] // p**2
    patches = tokens.reshape(B, H // p, W // p, C, p, p).permute(0, 3, 1, 4, 2, 5)  # (B, C, H/p, p, W/p, p)
    return patches.reshape(B, C, H, W)


def positions(side: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """A fixed vector for each of side x side tokens, (side^2, width): half of it tells the row, half the column."""
    at = sinusoid(torch.arange(side, device=device).float(), width // 2)  # (side, width / 2)
    rows, columns = at[:, None].expand(side, side, -1), at[None].expand(side, side, -1)
    return torch.cat([rows, columns], dim=-1).flatten(0, 1)


def normalised(x: Tensor) -> Tensor:
    """Each token to mean 0 and variance 1; what scales and shifts it comes from the embedding."""
    return F.layer_norm(x, x.shape[-1:], eps=1e-6)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """(1 + scale) x + shift. x: (B, N, width); shift, scale: (B, width), the same for all tokens."""
    return x * (1 + scale[:, None]) + shift[:, None]


def _check_multiple(name: str, value: int, unit: int, why: str) -> None:
    if value % unit:
        raise CourseError(f"{name}: got {value}, want a multiple of {unit} ({why})")
