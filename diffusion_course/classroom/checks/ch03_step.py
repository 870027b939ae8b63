"""The training step in parts, of which a mutant has another: what is drawn, the loss, and what is done to networks and optimiser."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .ch01_slips import mix, right_read
from .data import Mutant
from .inputs import column


@dataclass(frozen=True)
class Given:
    """What a step is given, and on its way the loss."""

    net: Any
    ema: Any
    optimizer: Any
    lr: float
    decay: float
    max_norm: float
    loss: Tensor | None = None

    @property
    def weights(self) -> list[Tensor]:
        return list(self.net.parameters())


# ---- what a step does to the networks and the optimiser: name -> what it does


def set_lr(g: Given) -> None:
    for group in g.optimizer.param_groups:
        group["lr"] = g.lr


def zero(g: Given) -> None:
    g.optimizer.zero_grad()


def backward(g: Given) -> None:
    assert g.loss is not None
    g.loss.backward()


def clip(g: Given) -> None:
    nn.utils.clip_grad_norm_(g.weights, g.max_norm)


def update(g: Given) -> None:
    g.optimizer.step()


def average(g: Given, decay: float | None = None) -> None:
    with torch.no_grad():
        for mean, weight in zip(g.ema.parameters(), g.weights, strict=True):
            mean.lerp_(weight, 1 - (g.decay if decay is None else decay))


RIGHT = (set_lr, zero, backward, clip, update, average)


# ---- the step, in parts that a mutant has another of


def times(draws: Any, T: int, B: int) -> Tensor:
    return draws.randint(1, T + 1, (B,))


def dropped(draws: Any, labels: Tensor, drop: float, no_label: int) -> Tensor | None:
    return torch.where(draws.rand(len(labels)) < drop, no_label, labels)


def squared(net: Callable, x_t: Tensor, t: Tensor, labels: Tensor | None, want: Tensor) -> Tensor:
    return (want - net(x_t, t, labels)).square().mean()


@dataclass(frozen=True)
class Parts:
    """times(draws, T, B), noise(draws, x0), read(alpha_bar, t), mixing(x0, eps, a), labels(draws, labels, drop, no_label),
    want(target, x0, eps, a, draws) and loss(net, x_t, t, labels, want), then the operations. shape(alpha_bar_t, x0) makes a, told(t, T)
    is the time that net is told, and asked(net, ema) the network."""

    times: Callable = times
    noise: Callable = lambda draws, x0: draws.randn(x0.shape)
    read: Callable = right_read
    mixing: Callable = mix
    labels: Callable = dropped
    want: Callable = lambda target, x0, eps, a, draws: target(x0, eps, a)
    loss: Callable = squared
    shape: Callable = column
    told: Callable = lambda t, T: t
    asked: Callable = lambda net, ema: net
    operations: Sequence[Callable] = RIGHT
    result: Callable = lambda loss: loss.item()

    def step(
        self, net: Any, ema: Any, optimizer: Any, x0: Tensor, labels: Tensor, draws: Any, alpha_bar: Tensor,
        target: Callable, lr: float, decay: float, drop: float = 0.1, max_norm: float = 1.0,
    ) -> Any:  # fmt: skip
        t, eps = self.times(draws, len(alpha_bar), len(x0)), self.noise(draws, x0)
        a = self.shape(self.read(alpha_bar, t), x0)
        seen = self.labels(draws, labels, drop, net.no_label)
        want = self.want(target, x0, eps, a, draws)
        x_t, told = self.mixing(x0, eps, a), self.told(t, len(alpha_bar))
        loss = self.loss(self.asked(net, ema), x_t, told, seen, want)
        for operation in self.operations:
            operation(Given(net, ema, optimizer, lr, decay, max_norm, loss))
        return self.result(loss)


def training_step(
    net: Any, ema: Any, optimizer: Any, x0: Tensor, labels: Tensor, draws: Any, alpha_bar: Tensor,
    target: Callable, lr: float, decay: float, drop: float = 0.1, max_norm: float = 1.0,
) -> Any:  # fmt: skip
    return Parts().step(net, ema, optimizer, x0, labels, draws, alpha_bar, target, lr, decay, drop, max_norm)


def slip(hint: str, **parts: Any) -> Mutant:
    return Mutant(hint, Parts(**parts).step)


def instead(hint: str, right: Callable, *others: Callable) -> Mutant:
    """A mutant that does something else in the place of one operation, or nothing."""
    where = RIGHT.index(right)
    return slip(hint, operations=[*RIGHT[:where], *others, *RIGHT[where + 1 :]])
