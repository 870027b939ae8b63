"""How a step changes the weights: AdamW alone, or Muon for what it can take and AdamW for the rest.

Muon (Jordan et al. 2024) steps along the momentum of a weight matrix with all its singular values made about 1, so that
the matrix moves about as far in every direction. A kernel (c_out, c_in, k, k) counts as the matrix (c_out, c_in k k).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Size, Tensor, nn

from ..errors import CourseError
from .recipe import Recipe

LEAST = 16
"""Fewest channels, on both sides, of a layer that Muon trains."""


def optimizer_of(recipe: Recipe, net: nn.Module, device: torch.device) -> "AdamW":
    """The recipe's optimizer for all weights of a network on its device. Raises CourseError where it cannot train that."""
    return Muon(recipe, net, device) if recipe.optimizer == "muon" else AdamW(recipe, net, device)


class AdamW(torch.optim.AdamW):
    """torch's, as a recipe has it."""

    def __init__(self, recipe: Recipe, net: nn.Module, device: torch.device):
        super().__init__(
            net.parameters(),
            lr=recipe.lr,
            betas=(0.9, 0.99),
            weight_decay=recipe.weight_decay,
            # One call for all parameters. On a CPU 4 ms in place of 20, of a step of 360.
            fused=device.type in ("cpu", "cuda"),
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Moments come to lie in memory as their weights do: the fused step goes through both in the order of memory."""
        super().load_state_dict(state_dict)
        for weight, slots in self.state.items():
            for name in ("exp_avg", "exp_avg_sq"):
                slots[name] = torch.empty_like(weight).copy_(slots[name])

    def remembered(self) -> list[dict[str, Size]]:
        """The shapes of what is remembered of each weight after a step that had a gradient for it."""
        weights = self.param_groups[0]["params"]
        return [{"step": Size(), "exp_avg": w.shape, "exp_avg_sq": w.shape} for w in weights]


class Muon(AdamW):
    """Muon for the weights that `matrices` names, and AdamW for all others.

    The rate is one for both. A step of Muon is scaled to about 0.2 lr a weight, which is what AdamW's have in long runs
    (Liu et al. 2025, section 2.2). torch computes it in bfloat16, which a processor without that emulates slowly.
    Raises CourseError where torch is older than its Muon, and where there is no such weight.
    """

    def __init__(self, recipe: Recipe, net: nn.Module, device: torch.device):
        if not hasattr(torch.optim, "Muon"):
            raise CourseError(
                f"optimizer: 'muon' needs torch 2.9 or later, this is {torch.__version__}; update torch, or take 'adamw'"
            )
        super().__init__(recipe, net, device)
        self.matrices = matrices(net)
        if not self.matrices:
            raise CourseError(
                f"optimizer: 'muon' finds no layer to train with at least {LEAST} channels on both sides; take 'adamw'"
            )
        # torch's Muon takes matrices alone: it is given one for each weight, and what it makes of them is copied back.
        self.flat = [nn.Parameter(weight.detach().flatten(1).clone()) for weight in self.matrices]
        self.muon = torch.optim.Muon(
            self.flat, lr=recipe.lr, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw"
        )
        # With float16, no step at all is to be taken where a gradient is infinite: the scaler must see to it itself.
        self._step_supports_amp_scaling = False

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of both. closure: as of torch's optimizers, called first; its value is returned."""
        value = None
        if closure is not None:
            with torch.enable_grad():
                value = closure()
        gradients = [weight.grad for weight in self.matrices]
        for weight, flat, gradient in zip(self.matrices, self.flat, gradients, strict=True):
            flat.copy_(weight.flatten(1))
            flat.grad = None if gradient is None else gradient.flatten(1)
            weight.grad = None  # so that AdamW passes it by
        super().step()
        self.muon.param_groups[0]["lr"] = self.param_groups[0]["lr"]
        self.muon.step()
        self.muon.zero_grad()
        for weight, flat, gradient in zip(self.matrices, self.flat, gradients, strict=True):
            weight.copy_(flat.view_as(weight))
            weight.grad = gradient
        return value

    def state_dict(self) -> dict[str, Any]:
        """As AdamW's: what is remembered of a weight stands under its number among the network's."""
        held = super().state_dict()
        of = {number: self.muon.state[flat] for number, flat in self._numbered() if flat in self.muon.state}
        return {**held, "state": {**held["state"], **of}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        of = dict(state_dict["state"])
        self.muon.state.clear()
        for number, flat in self._numbered():
            if number in of:
                slots = of.pop(number)
                self.muon.state[flat] = {name: value.to(flat, copy=True) for name, value in slots.items()}
        super().load_state_dict({**state_dict, "state": of})

    def remembered(self) -> list[dict[str, Size]]:
        shapes = super().remembered()
        for number, flat in self._numbered():
            shapes[number] = {"momentum_buffer": flat.shape}
        return shapes

    def _numbered(self) -> list[tuple[int, Tensor]]:
        """Each flat weight, after the number of its own among the network's."""
        numbers = {weight: number for number, weight in enumerate(self.param_groups[0]["params"])}
        return [(numbers[weight], flat) for weight, flat in zip(self.matrices, self.flat, strict=True)]


def matrices(net: nn.Module) -> list[nn.Parameter]:
    """The weights that Muon trains: of linear and convolution layers with at least LEAST channels on both sides, unless frozen.

    It is meant for hidden layers. The rule goes by size and not by place: in the course's U-Nets the layers at the pixels have fewer
    channels and are left to AdamW, but a first layer on patches of 4 x 4 pixels is taken. Each weight comes once, in the network's order.
    """
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    weights = {layer.weight for layer in layers if min(layer.weight.shape[:2]) >= LEAST}
    return [weight for weight in net.parameters() if weight in weights and weight.requires_grad]
