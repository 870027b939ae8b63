"""LoRA: a trained network is adapted by a product of two small factors beside each of its layers (Hu et al. 2022).

adapt(net, rank=4)                                  # net's own weights are frozen; the factors alone are trained
adapters.write(Path("slanted.safetensors"), net)    # see `experiments.adapters`
merge(net)                                          # the same function, and no layer more than before
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CourseError, check_integer, check_number


class LoRA(nn.Module):
    """A layer W with its change: W x + (alpha / rank) B A x (Hu et al. 2022, section 4.1). A is random and B zero, so that at first
    nothing changes.

    base: a linear layer; or a convolution, whose kernel A has, while B is 1 x 1.
    """

    def __init__(self, base: nn.Linear | nn.Conv2d, rank: int, alpha: float):
        super().__init__()
        self.base, self.alpha, self.scale = base, alpha, alpha / rank
        like: Any = {"bias": False, "device": base.weight.device, "dtype": base.weight.dtype}
        self.A: nn.Linear | nn.Conv2d
        self.B: nn.Linear | nn.Conv2d
        if isinstance(base, nn.Conv2d):
            shape: Any = (base.kernel_size, base.stride, base.padding, base.dilation)
            self.A = nn.Conv2d(base.in_channels, rank, *shape, **like)
            self.B = nn.Conv2d(rank, base.out_channels, 1, **like)
        else:
            self.A = nn.Linear(base.in_features, rank, **like)
            self.B = nn.Linear(rank, base.out_features, **like)
        nn.init.kaiming_uniform_(self.A.weight, a=math.sqrt(5))
        nn.init.zeros_(self.B.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.scale * self.B(self.A(x))

    @torch.no_grad()
    def merged(self) -> nn.Module:
        """The layer with its weight changed: W + (alpha / rank) B A."""
        A, B = self.A.weight, self.B.weight
        self.base.weight += self.scale * (B.flatten(1) @ A.flatten(1)).reshape(self.base.weight.shape)
        return self.base


def adapt(
    net: nn.Module,
    rank: int = 4,
    alpha: float | None = None,
    where: Callable[[str], bool] = lambda name: True,
) -> nn.Module:
    """Freeze `net`, and put a `LoRA` in the place of its linear layers and convolutions, in place. Returns it.

    alpha: default the rank, so that alpha / rank = 1. where: which layers, by name, e.g. `lambda name: "attention" in name`.
    Layers inside torch's own transformer layers stay, for these read the weights themselves; so do grouped convolutions.
    Raises CourseError where no layer is left to adapt, and for a network that is adapted already.
    """
    check_integer("rank", rank, 1)
    alpha = float(rank) if alpha is None else alpha
    check_number("alpha", alpha, lambda v: 0 < v < math.inf, "> 0")
    chosen = {name: LoRA(layer, rank, alpha) for name, layer in adaptable(net).items() if where(name)}
    if not chosen:
        raise CourseError("where: leaves no linear layer and no convolution to adapt")
    return replaced(net.requires_grad_(False), chosen)


def layers(net: nn.Module) -> dict[str, LoRA]:
    """The adapted layers of a network, by name."""
    return {name: layer for name, layer in net.named_modules() if isinstance(layer, LoRA)}


def merge(net: nn.Module) -> nn.Module:
    """Work every change into its layer, in place: the same function as before, with the layers the network had, still frozen. Returns it."""
    return replaced(net, {name: layer.merged() for name, layer in layers(net).items()})


def adaptable(net: nn.Module) -> dict[str, nn.Linear | nn.Conv2d]:
    """The layers that `adapt` can adapt, by name. Raises CourseError for a network that is adapted already."""
    if layers(net):
        raise CourseError("net: is adapted already; merge it first")
    own = tuple(
        f"{name}." for name, one in net.named_modules() if isinstance(one, nn.TransformerEncoderLayer)
    )
    return {
        name: one
        for name, one in net.named_modules()
        if name and not name.startswith(own)
        if isinstance(one, nn.Linear) or (isinstance(one, nn.Conv2d) and one.groups == 1)
    }


def replaced(net: nn.Module, chosen: Mapping[str, nn.Module]) -> nn.Module:
    """`net` with other layers in the place of those of these names, in place."""
    for name, layer in chosen.items():
        above, _, last = name.rpartition(".")
        setattr(net.get_submodule(above), last, layer)
    return net
