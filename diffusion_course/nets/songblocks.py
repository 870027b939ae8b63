"""The layers of SongUNet: residual block with attention, and convolutions that change the size through a filter.

Linear and Conv add their biases apart from the product, so that they round as NVIDIA's layers do: on the same
weights the outputs are then equal to the last bit (on a CPU), and not just to about 1e-5.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import CourseError

HALF = math.sqrt(0.5)  # the sum of two signals of equal variance, times this, has that variance again


class Linear(nn.Linear):
    """Weights start uniform (Glorot & Bengio 2010), biases at zero."""

    def __init__(self, n_in: int, n_out: int, bias: bool = True):
        super().__init__(n_in, n_out, bias)
        nn.init.xavier_uniform_(self.weight)
        if bias:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        product = x @ self.weight.T
        return product if self.bias is None else product + self.bias


class Conv(nn.Conv2d):
    """A convolution that keeps the size. It starts like Linear; a small gain starts a residual branch near zero."""

    def __init__(self, c_in: int, c_out: int, kernel: int = 3, gain: float = 1.0):
        super().__init__(c_in, c_out, kernel, padding=kernel // 2)
        self.bias: nn.Parameter
        nn.init.xavier_uniform_(self.weight, gain)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, padding=self.padding) + self.bias[:, None, None]


class FilteredConv(Conv):
    """A convolution beside a smoothing filter, the outer product of `taps` with itself, of sum 1; see the subclasses.

    taps: an even number of them. The filter acts on each channel alone; (1, 1) is the plain 2 x 2 mean.
    """

    def __init__(self, c_in: int, c_out: int, kernel: int, taps: Sequence[int]):
        super().__init__(c_in, c_out, kernel)
        line = torch.tensor(taps, dtype=torch.float32)
        self.resample_filter: Tensor
        self.register_buffer("resample_filter", torch.outer(line, line)[None, None] / line.sum() ** 2)
        self.edge = (len(taps) - 1) // 2

    def filters(self, x: Tensor) -> Tensor:
        return self.resample_filter.to(x.dtype).repeat(x.shape[1], 1, 1, 1)  # (C, 1, taps, taps)

    def shrink(self, x: Tensor, padding: int) -> Tensor:
        return F.conv2d(x, self.filters(x), stride=2, padding=padding, groups=x.shape[1])

    def enlarge(self, x: Tensor) -> Tensor:
        # Three of four pixels are zeros before the filter; the factor 4 keeps the brightness.
        return F.conv_transpose2d(x, 4 * self.filters(x), stride=2, padding=self.edge, groups=x.shape[1])


class HalvedConv(FilteredConv):
    """Smooth and keep every second pixel, then convolve: (B, c_in, H, W) -> (B, c_out, H/2, W/2)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.shrink(x, self.edge))


class DoubledConv(FilteredConv):
    """Zeros between the pixels, smooth, then convolve: (B, c_in, H, W) -> (B, c_out, 2H, 2W)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.enlarge(x))


class ConvHalved(FilteredConv):
    """Convolve, then smooth and keep every second pixel: (B, c_in, H, W) -> (B, c_out, H/2, W/2).

    Both paddings come before the convolution, so that just outside the image the filter sees what the convolution
    gives there, and not zeros.
    """

    def forward(self, x: Tensor) -> Tensor:
        h = F.conv2d(x, self.weight, padding=self.kernel_size[0] // 2 + self.edge)
        return self.shrink(h, padding=0) + self.bias[:, None, None]


class Block(nn.Module):
    """BigGAN residual block, then optional self-attention of one head; each sum is scaled by sqrt(1/2).

    resize: makes a convolution (c_in, c_out, kernel) that halves or doubles the size; None keeps the size.
    Song et al. 2021, appendix H. The embedding is added between the convolutions; it does not scale.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        emb: int,
        dropout: float,
        attend: bool = False,
        resize: Callable[[int, int, int], Conv] | None = None,
    ):
        super().__init__()
        self.attend, self.dropout = attend, nn.Dropout(dropout)
        first = resize or Conv
        self.norm0, self.conv0 = norm(c_in), first(c_in, c_out, 3)
        self.affine = Linear(emb, c_out)
        self.norm1, self.conv1 = norm(c_out), Conv(c_out, c_out, gain=1e-5)
        self.skip = first(c_in, c_out, 1) if resize or c_in != c_out else nn.Identity()
        if attend:
            self.norm2, self.qkv = norm(c_out), Conv(c_out, 3 * c_out, 1, gain=math.sqrt(0.2))
            self.proj = Conv(c_out, c_out, 1, gain=1e-5)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """x: (B, c_in, H, W); emb: (B, emb). Returns (B, c_out, H', W')."""
        h = self.conv0(F.silu(self.norm0(x))) + self.affine(emb)[..., None, None]
        h = self.conv1(self.dropout(F.silu(self.norm1(h))))
        h = (self.skip(x) + h) * HALF
        return (h + self.self_attention(h)) * HALF if self.attend else h

    def self_attention(self, x: Tensor) -> Tensor:
        # Channels of qkv are interleaved: q0 k0 v0 q1 k1 v1 ...
        qkv = self.qkv(self.norm2(x)).unflatten(1, (-1, 3)).flatten(3)  # (B, C, 3, H*W)
        q, k, v = qkv.unbind(2)  # (B, C, H*W) each
        fine = torch.promote_types(x.dtype, torch.float32)  # half precision is too coarse for the products
        products = torch.einsum("bcq,bck->bqk", q.to(fine), (k / math.sqrt(k.shape[1])).to(fine))
        return self.proj(torch.einsum("bqk,bck->bcq", products.softmax(-1).to(x.dtype), v).reshape(x.shape))


def norm(width: int) -> nn.GroupNorm:
    """32 groups, fewer where that leaves less than four channels in each. Raises CourseError if they do not divide."""
    groups = min(32, width // 4)
    if width % groups:
        got = f"{width} channels in a block do not split into {groups} groups"
        raise CourseError(f"model_channels: {got}; take a multiple of 32")
    return nn.GroupNorm(groups, width, eps=1e-6)
