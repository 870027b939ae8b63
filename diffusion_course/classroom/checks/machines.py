"""Machines: how an answer is called that changes what it is given. What it did comes out as numbers, step by step.

A machine takes the answer and a case's arguments, plain data all of them, makes of these what the answer is given, and calls it.
As `toys`, this file holds no reference: grading gives it to an answer that runs where no check is.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ...noise import Draws

AMPLITUDE = 1000.0  # of a toy's answers: gradients of many thousand, beside which the 1e-6 in clip_grad_norm_ is nothing


class ToyTrained(nn.Module):
    """A network to train: net(x_t, t, labels) = 1000 a sin(b x_t + c t / 10 + e[label]). `no_label` is the last row of e."""

    def __init__(self, weights: Tensor, classes: Tensor):
        super().__init__()
        self.weights = nn.Parameter(weights)  # a, b, c
        self.classes = nn.Parameter(classes)  # e

    @property
    def num_classes(self) -> int:
        return len(self.classes) - 1

    @property
    def no_label(self) -> int:
        return self.num_classes

    def forward(self, x_t: Any, t: Any, labels: Any = None) -> Tensor:
        """x_t: (B, *S); t: (B,) numbers; labels: (B,) integers in 0..no_label, or None for "no label". Raises TypeError in words."""
        if not isinstance(x_t, Tensor) or x_t.ndim < 2:
            raise TypeError(f"net got x_t = {_said(x_t)}; it takes a tensor of shape (B, ...)")
        if not isinstance(t, Tensor) or t.shape != (len(x_t),):
            raise TypeError(f"net got t = {_said(t)}; it takes shape ({len(x_t)},), one time for each sample")
        if labels is None:
            labels = torch.full(t.shape, self.no_label, device=x_t.device)
        if not isinstance(labels, Tensor) or labels.shape != t.shape or labels.is_floating_point():
            raise TypeError(
                f"net got labels = {_said(labels)}; it takes integers of shape ({len(x_t)},), one for each sample"
            )
        if bool(((labels < 0) | (labels > self.no_label)).any()):
            raise TypeError(
                f"net got labels = {labels.tolist()}; it takes 0..{self.no_label}, where {self.no_label} means no label"
            )
        a, b, c = self.weights
        shift = (c * t.to(x_t) / 10 + self.classes[labels]).reshape(-1, *[1] * (x_t.ndim - 1))
        return AMPLITUDE * a * torch.sin(b * x_t + shift)

    def flat(self) -> Tensor:
        """All weights in one row."""
        return torch.cat([p.detach().flatten() for p in self.parameters()])


class ToyOptimizer(torch.optim.SGD):
    """Momentum, two groups of weights, and a memory of what its last `step` met. steps: how often it was called since `watch`."""

    def __init__(self, net: ToyTrained):
        super().__init__([{"params": [p]} for p in net.parameters()], lr=1.0, momentum=0.9)
        self.net = net
        self.watch()

    def watch(self) -> None:
        """Forget what was met, not the momentum."""
        self.steps, self.met_lr, self.met = 0, [0.0, 0.0], torch.zeros_like(self.net.flat())
        self.left = self.net.flat()  # the weights as the last `step` left them
        self.moved_by_others = False

    def step(self, closure: Any = None) -> Any:
        self.moved_by_others = self.moved_by_others or not torch.equal(self.left, self.net.flat())
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.net.parameters()]
        self.met, self.met_lr = (
            torch.cat([p.flatten() for p in parts]),
            [float(group["lr"]) for group in self.param_groups],
        )
        loss = super().step(closure)
        self.left, self.steps = self.net.flat(), self.steps + 1
        return loss


# What `training` tells of each step, in this order: what goes wrong first is told first.
SEEN = (
    "step {}, loss",
    "step {}, is net changed outside optimizer.step() (1: yes)",
    "step {}, number of calls of optimizer.step()",
    "step {}, learning rates of the two groups that optimizer.step() meets",
    "step {}, gradient that optimizer.step() meets",
    "step {}, weights of net",
    "step {}, number of tensors of ema that require gradients",
    "step {}, weights of ema",
)


def training(
    step: Callable,
    weights: Tensor,
    classes: Tensor,
    x0: Tensor,
    labels: Tensor,
    alpha_bar: Tensor,
    target: str,
    lr: list[float],
    decay: float,
    drop: float,
    max_norm: float,
    seed: int,
) -> tuple:
    """Steps of training on toys: `SEEN` of each, one after the other.

    step: (net, ema, optimizer, x0, labels, draws, alpha_bar, target, lr, decay, drop, max_norm) -> loss.
    weights, classes: of the network, before. x0: (steps, B, *S), labels: (steps, B), lr: one for each step.
    target: a name in `TARGETS`. seed: of the draws.
    """
    net = ToyTrained(weights.detach().clone(), classes.detach().clone())
    ema = ToyTrained(0.8 * weights.detach(), 0.8 * classes.detach()).requires_grad_(False)
    optimizer, seen = ToyOptimizer(net), list[Any]()
    for number, batch in enumerate(x0.detach()):
        optimizer.watch()
        draws = Draws(seed + number, dtype=x0.dtype, device=x0.device)
        with torch.enable_grad():
            loss = step(
                net, ema, optimizer, batch, labels[number], draws, alpha_bar, TARGETS[target], lr[number], decay,
                drop, max_norm,
            )  # fmt: skip
        others = optimizer.moved_by_others or not torch.equal(optimizer.left, net.flat())
        recording = sum(p.requires_grad for p in ema.parameters())
        seen += [
            _loss(loss, weights),
            torch.tensor(int(others), device=weights.device),
            torch.tensor(optimizer.steps, device=weights.device),
            torch.tensor(optimizer.met_lr, dtype=weights.dtype, device=weights.device),
            optimizer.met,
            net.flat(),
            torch.tensor(recording, device=weights.device),
            ema.flat(),
        ]
    return tuple(seen)


class ToyPair(nn.Module):
    """A model that answers eps and v, (B, 2C, ...): a sin(b x_t + c t) and d sin(e x_t + f t). It keeps its answers."""

    def __init__(self, weights: Tensor):
        super().__init__()
        self.weights = nn.Parameter(weights)
        self.answers: list[Tensor] = []

    def forward(self, x_t: Any, t: Any) -> Tensor:
        """x_t: (B, C, ...), t: (B,) integers. Raises TypeError in words for anything else."""
        if not isinstance(x_t, Tensor) or x_t.ndim < 2:
            raise TypeError(f"model got x_t = {_said(x_t)}; it takes a tensor of shape (B, C, ...)")
        if not isinstance(t, Tensor) or t.shape != (len(x_t),) or t.is_floating_point():
            raise TypeError(
                f"model got t = {_said(t)}; it takes integers of shape ({len(x_t)},), one for each sample"
            )
        a, b, c, d, e, f = self.weights
        time = t.to(x_t).reshape(-1, *[1] * (x_t.ndim - 1))
        halves = a * torch.sin(b * x_t + c * time), d * torch.sin(e * x_t + f * time)
        self.answers.append(torch.cat(halves, dim=1))
        return self.answers[-1]


def gradients(
    loss_of: Callable, weights: Tensor, x0: Tensor, t: Tensor, eps: Tensor, betas: Tensor, weight: float
) -> tuple:
    """A loss of a model that answers eps and v, and what reaches the two: calls of the model, loss, gradients (B, C, ...) at eps and at v.

    loss_of: (model, x0, t, eps, betas, weight) -> loss (). weights: the six of a `ToyPair`.
    Raises TypeError in words for a loss that is no tensor, or has no graph.
    """
    model = ToyPair(weights.detach().clone())
    with torch.enable_grad():
        loss = loss_of(model, x0.detach(), t, eps.detach(), betas.detach(), weight)
    if not isinstance(loss, Tensor):
        raise TypeError(f"it returned {_said(loss)}, want a tensor that .backward() works on")
    if loss.ndim:
        raise TypeError(
            f"it returned a loss of shape {tuple(loss.shape)}, want one number, (): .backward() takes no other"
        )
    if not loss.requires_grad:
        raise TypeError("it returned a loss without a graph: .backward() must reach the model's answers")
    found = torch.autograd.grad(loss.sum(), model.answers, allow_unused=True)
    at = sum(torch.zeros_like(x) if g is None else g for g, x in zip(found, model.answers, strict=True))
    calls = torch.tensor(len(model.answers), device=x0.device)
    return calls, loss.detach(), *torch.as_tensor(at).chunk(2, dim=1)


# What a network may be asked for: (x0, eps, a) -> (B, *S), where a is alpha_bar_t, shaped to multiply them.
TARGETS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "eps": lambda x0, eps, a: eps,
    "x0": lambda x0, eps, a: x0,
    "v": lambda x0, eps, a: a.sqrt() * eps - (1 - a).sqrt() * x0,
}
MACHINES: dict[str, Callable[..., Any]] = {"training": training, "gradients": gradients}


def _loss(value: Any, like: Tensor) -> Tensor:
    """The returned loss as a tensor (). Raises TypeError in words where it is no number, or keeps the graph of a step alive."""
    if isinstance(value, Tensor) and value.requires_grad:
        raise TypeError("it returned a tensor that keeps its graph, want a number: return loss.item()")
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"it returned {_said(value)}, want a number: return loss.item()") from None
    return torch.tensor(number, dtype=like.dtype, device=like.device)


def _said(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)} and dtype {str(value.dtype)[6:]}"
    return repr(value)[:60]
