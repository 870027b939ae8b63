"""A U-Net that reads: wherever it has attention, its pixels also look at the words of a caption (cross-attention)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..captions import WORDS
from ..errors import CourseError, shown
from ..shapes import check_batch
from .attention import attend
from .text_encoder import TextEncoder
from .unet import Attention, Block, UNet, norm, zero


class TextUNet(UNet):
    """`UNet` with a text encoder in place of classes, both trained together.

    words, length, text_width, text_layers: of the encoder, see `TextEncoder`. The other arguments: see `UNet`.
    """

    def __init__(
        self,
        image_size: int = 28,
        channels: int = 1,
        widths: Sequence[int] = (64, 96),
        blocks: int = 1,
        attention: Sequence[int] = (7,),
        patch_size: int = 1,
        noise_scale: float = 1.0,
        dropout: float = 0.0,
        words: str = WORDS,
        length: int = 8,
        text_width: int = 64,
        text_layers: int = 2,
    ):
        shape = (image_size, channels, widths, blocks, attention, patch_size)
        super().__init__(*shape, noise_scale=noise_scale, dropout=dropout)
        self.text = TextEncoder(words, length, text_width, text_layers)
        self.whole = nn.Linear(text_width, self.condition.width)
        for block in self.modules():
            if isinstance(block, Block) and isinstance(block.attention, Attention):
                block.attention = AttentionToWords(block.attention, text_width)

    @property
    def no_label(self) -> Tensor:
        """The empty caption, "no text": (1, L, text_width)."""
        return self.embed([""])

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Texts as the network is told them: (len(texts), L, text_width). Raises CourseError as `Vocabulary.tokens` does."""
        return self.text.embed(texts)

    def told(self, x: Tensor, c_noise: Tensor, labels: Tensor | None) -> tuple[Tensor, ...]:
        """The vector of the noise level, and the words: labels are tokens (B, L), what `embed` made of texts,
        (B, L, text_width), or None for the empty caption. Raises CourseError for another shape.
        """
        check_batch("x", x, self.channels, self.image_size, self.image_size)
        if labels is None:
            labels = self.no_label.expand(len(x), -1, -1)
        if not isinstance(labels, Tensor):
            raise CourseError(
                f"labels: got {shown(labels)}, want a tensor: tokens, or what `embed` makes of texts"
            )
        words = labels if labels.is_floating_point() else self.text(labels)
        want = (len(x), self.text.vocabulary.length, self.text.width)
        if words.shape != want:
            raise CourseError(f"labels: got shape {tuple(labels.shape)}, want {want}, or tokens {want[:2]}")
        words = words.to(x)
        level = self.condition(torch.as_tensor(c_noise).to(x).expand(len(x)))
        return F.silu(level + self.whole(words.mean(1))), words


class AttentionToWords(nn.Module):
    """Self-attention, then cross-attention: queries from the pixels, keys and values from the words (Rombach et al. 2022, section 3.3)."""

    def __init__(self, own: Attention, text_width: int):
        super().__init__()
        width, self.heads = own.out.out_channels, own.heads
        self.own = own
        self.norm = norm(width)
        self.query = nn.Conv2d(width, width, 1)
        self.key_value = nn.Linear(text_width, 2 * width)
        self.out = zero(nn.Conv2d(width, width, 1))

    def forward(self, x: Tensor, words: Tensor) -> Tensor:
        """x: (B, C, H, W); words: (B, L, E)."""
        x = self.own(x)
        B, C, H, W = x.shape
        q = self.query(self.norm(x)).reshape(B, self.heads, C // self.heads, H * W).transpose(-1, -2)
        kv = (
            self.key_value(words)
            .reshape(B, words.shape[1], 2, self.heads, C // self.heads)
            .permute(2, 0, 3, 1, 4)
        )
        h = attend(q, kv[0], kv[1])  # (B, heads, H*W, C/heads)
        return x + self.out(h.transpose(-1, -2).reshape(B, C, H, W))
