"""What a training step does on its way to the loss: what it asks of its draws, and what it shows to its network."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...noise import Draws
from .ch03_step import training_step
from .compare import close
from .machines import TARGETS, ToyOptimizer, ToyTrained

NEEDED = {
    "randint": "one time for each sample",
    "randn": "one number for each entry of x0",
    "rand": "one chance for each sample",
}


class WatchedNet(ToyTrained):
    """A network that keeps what it is shown, (x_t, t, labels) of each call."""

    def __init__(self, weights: Tensor, classes: Tensor):
        super().__init__(weights, classes)
        self.shown: list[tuple[Tensor, Tensor, Tensor | None]] = []

    def forward(self, x_t: Any, t: Any, labels: Any = None) -> Tensor:
        answer = super().forward(x_t, t, labels)
        self.shown.append((x_t.detach().clone(), t.clone(), None if labels is None else labels.clone()))
        return answer


class WatchedDraws(Draws):
    """Draws that count the numbers they give, by kind."""

    def __init__(self, seed: int, dtype: torch.dtype):
        super().__init__(seed, dtype)
        self.given = dict.fromkeys(NEEDED, 0)

    def randint(self, low: int, high: int, size: Any) -> Tensor:
        return self._counted("randint", super().randint(low, high, size))

    def randn(self, *size: Any) -> Tensor:
        return self._counted("randn", super().randn(*size))

    def rand(self, *size: Any) -> Tensor:
        return self._counted("rand", super().rand(*size))

    def _counted(self, kind: str, numbers: Tensor) -> Tensor:
        self.given[kind] += numbers.numel()
        return numbers


@dataclass
class Watched:
    """One step of training on toys: what is seen of it."""

    draws: WatchedDraws = field(default_factory=lambda: WatchedDraws(5, torch.float64))
    shown: list[tuple[Tensor, Tensor, Tensor | None]] = field(default_factory=list)
    loss: float = 0.0


def watched(step: Callable) -> Watched:
    """A step on six samples of two entries, with other numbers in each place."""
    seen, start = Watched(), torch.Generator().manual_seed(4)
    x0 = torch.randn(6, 2, generator=start, dtype=torch.float64)
    weights, classes = torch.tensor([0.8, 1.1, 0.9]).double(), torch.linspace(-1, 1, 5, dtype=torch.float64)
    net, ema = WatchedNet(weights, classes), ToyTrained(0.8 * weights, 0.8 * classes).requires_grad_(False)
    labels, alpha_bar = torch.tensor([0, 1, 2, 3, 1, 0]), torch.linspace(0.95, 0.05, 12, dtype=torch.float64)
    loss = step(
        net, ema, ToyOptimizer(net), x0, labels, seen.draws, alpha_bar, TARGETS["v"], 0.05, 0.8, 0.5, 0.7
    )  # fmt: skip
    seen.shown, seen.loss = net.shown, float(loss)
    return seen


def measured(step: Callable) -> str:
    """Where a step whose loss is wrong goes wrong first, in a sentence; "" where the loss is right."""
    got, want = watched(step), watched(training_step)
    if abs(got.loss - want.loss) <= 1e-6 * abs(want.loss):
        return ""
    for kind, needed in NEEDED.items():
        mine, right = got.draws.given[kind], want.draws.given[kind]
        if mine != right:
            more = ": each call draws anew" if mine > right else ""
            return f"On six samples of two entries your step asks draws.{kind} for {mine} numbers, where it needs {right}, {needed}{more}."
    if len(got.shown) != 1:
        return f"Your step asks net {len(got.shown)} times; once is enough, with x_t, t and the labels that are left."
    for name, one, other in zip(("x_t", "t", "labels"), got.shown[0], want.shown[0], strict=True):
        if one is None or other is None or one.shape != other.shape or not bool(close(one, other).all()):
            told = f": {_said(one)}, want {_said(other)}" if name != "x_t" else ""
            return (
                f"Your step shows net a wrong {name}{told}."
                if name != "labels"
                else f"Your step shows net wrong labels{told}."
            )
    return (
        "Your step draws rightly, and shows net the right x_t, t and labels. What it makes of the answer is wrong: the loss is the "
        "mean over all entries of (target(x0, eps, a) - answer)^2, without a weight."
    )


def _said(numbers: Tensor | None) -> str:
    return "none" if numbers is None else str(numbers.tolist())
