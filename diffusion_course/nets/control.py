"""Control: a trained network, frozen, learns to follow a picture by a copy of its way down that begins with no say (Zhang et al. 2023).

net = Controlled(zoo.load("mnist-edm").net)
D = Preconditioned(Hinted(net, strokes.edges(images)), param)     # D.given(3) draws threes along these edges
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CourseError
from ..shapes import check_batch
from .unet import Fold, UNet, conv, zero


class Controlled(nn.Module):
    """A U-Net and its control branch. The branch is what is trained.

    base: the trained network; it is frozen, not copied. hint_channels: of the picture to follow. Raises CourseError for another
    kind of network.

    The branch starts as a copy of the way down. The hint enters it through a convolution of zeros, and it leaves through one to
    each shortcut, so that at first the whole is `base` (Zhang et al. 2023, eq. 2 and 3). The zeros still learn: the last ones' gradient is
    the branch's own answer, which is not zero. Were the branch zero as well, both gradients would stay zero for ever.
    """

    def __init__(self, base: UNet, hint_channels: int = 1):
        super().__init__()
        if not isinstance(base, UNet):
            raise CourseError(f"base: got a {type(base).__name__}, want a UNet")
        self.base, self.hint_channels = base.requires_grad_(False), hint_channels
        self.num_classes = base.num_classes
        self.branch = deepcopy(base).requires_grad_(True)
        for name, _ in list(self.branch.named_children()):
            if name not in ("fold", "first", "down", "middle"):  # the way down
                delattr(self.branch, name)
        patch, width = base.fold.downscale_factor, base.first.out_channels
        self.hint = nn.Sequential(
            Fold(patch),
            conv(hint_channels * patch**2, width),
            nn.SiLU(),
            zero(conv(width, width)),
        )
        self.out = nn.ModuleList(zero(nn.Conv2d(width, width, 1)) for width in _widths(base))

    def forward(
        self, x: Tensor, c_noise: Tensor, labels: Tensor | None, hint: Tensor, strength: float = 1.0
    ) -> Tensor:
        """x: (B, C, H, W); c_noise: () or (B,); labels: as `base` takes them; hint: (B, hint_channels, H, W).

        strength: what the branch's part is multiplied by, 0 for `base` alone, 1 as trained.
        Returns (B, C or 2C, H, W). Raises CourseError for a hint of another shape.
        """
        base, branch = self.base, self.branch
        check_batch("hint", hint, self.hint_channels, base.image_size, base.image_size)
        if len(hint) != len(x):
            raise CourseError(f"hint: got {len(hint)} pictures, want one for each of {len(x)} samples")
        told = base.told(x, c_noise, labels)
        states = base.encoded(base.first(base.fold(x)), told)
        extra = branch.encoded(branch.first(branch.fold(x)) + self.hint(hint.to(x)), told)
        added = [s + strength * out(e) for s, out, e in zip(states, self.out, extra, strict=True)]
        return base.decoded(x, added, told)


class Hinted(nn.Module):
    """A controlled network with its hint fixed, called as net(x, c_noise, labels) like any other.

    hint: (n, hint_channels, H, W), repeated for a batch of so many times n: guidance runs two conditions in one. strength: see
    `Controlled.forward`.
    """

    def __init__(self, net: Controlled, hint: Tensor, strength: float = 1.0):
        super().__init__()
        self.net, self.hint, self.strength, self.num_classes = net, hint, strength, net.num_classes

    def forward(self, x: Tensor, c_noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """x: (B, C, H, W), B a multiple of n; c_noise: () or (B,); labels: as the base network takes them."""
        times = max(1, len(x) // max(1, len(self.hint))) if len(x) else 0
        hint = self.hint.repeat(times, 1, 1, 1).to(x.device)
        return self.net(x, c_noise, labels, hint, self.strength)

    @property
    def no_label(self) -> int | Tensor | None:
        """The base network's label that means "no label"."""
        return self.net.base.no_label

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Texts as a base network that reads is told them."""
        base: Any = self.net.base
        return base.embed(texts)


@torch.no_grad()
def _widths(net: UNet) -> list[int]:
    """The channels of all that the way up is given."""
    x = torch.zeros(1, net.channels, net.image_size, net.image_size).to(net.first.weight)
    return [h.shape[1] for h in net.encoded(net.first(net.fold(x)), net.told(x, x.new_ones(1), None))]
