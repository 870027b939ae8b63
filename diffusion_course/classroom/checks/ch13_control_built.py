"""The parts of a control block that learns, which its check and its classic mistakes are made of."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .ch13_steps import Step, Weights, downhill
from .data import Mutant

# Weights: of the first layer of zeros, the copy, the second layer of zeros.


def layer(x: Tensor, theta: Tensor) -> Tensor:
    return torch.tanh(x @ theta.T)


def answer(x: Tensor, hint: Tensor, theta: Tensor, w: Weights) -> Tensor:
    return layer(x, theta) + layer(x + hint @ w[0].T, w[1]) @ w[2].T


def start(hint: Tensor, theta: Tensor) -> Weights:
    """Zeros, a copy, and zeros."""
    return [theta.new_zeros(len(theta), hint.shape[1]), theta.clone(), torch.zeros_like(theta)]


def mean_square(out: Tensor, y: Tensor) -> Tensor:
    return (out - y).square().mean()


def built(
    x: Tensor,
    hint: Tensor,
    y: Tensor,
    theta: Tensor,
    lr: float,
    num_steps: int,
    first: Callable[[Tensor, Tensor], Weights] = start,
    out: Callable[[Tensor, Tensor, Tensor, Weights], Tensor] = answer,
    loss: Callable[[Tensor, Tensor], Tensor] = mean_square,
    move: Callable[[Weights, Weights, float], Weights] = downhill,
    base: str = "",
) -> Tensor:
    """All answers. first: the weights; out: the block; loss: of its answers; move: a step; base: "trained", or "shared" with the copy."""
    w, answers = first(hint, theta), []
    for step in range(num_steps + 1):
        with torch.enable_grad():
            leaves = [a.detach().requires_grad_() for a in w]
            frozen = theta.detach().requires_grad_()
            got = out(x, hint, leaves[1] if base == "shared" else frozen, leaves)
            slopes = torch.autograd.grad(loss(got, y), [*leaves, frozen], allow_unused=True)
        answers.append(got.detach())
        if step == num_steps:
            break
        known = [
            torch.zeros_like(a) if g is None else g for a, g in zip([*leaves, frozen], slopes, strict=True)
        ]
        w = move([a.detach() for a in leaves], known[:-1], lr)
        if base == "trained":
            theta = theta - lr * known[-1]
    return torch.stack(answers)


def with_bias(hint: Tensor, theta: Tensor) -> Weights:
    """The weights, and a bias of the last layer, zero at first."""
    return [*start(hint, theta), theta.new_zeros(len(theta))]


def slip(hint: str, **parts: Any) -> Mutant:
    return Mutant(hint, partial(built, **parts))


def stepping(begin: Callable[[], Step]) -> Callable:
    """A mutant whose steps are those that begin() begins."""

    def run(x: Tensor, hint: Tensor, y: Tensor, theta: Tensor, lr: float, num_steps: int) -> Tensor:
        return built(x, hint, y, theta, lr, num_steps, move=begin())

    return run


def one_by_one(*order: int) -> Callable:
    """A mutant that moves one weight after the other, each by the gradient at the new values of those before."""

    def run(x: Tensor, hint: Tensor, y: Tensor, theta: Tensor, lr: float, num_steps: int) -> Tensor:
        w, answers = start(hint, theta), [answer(x, hint, theta, start(hint, theta))]
        for _ in range(num_steps):
            for i in order:
                with torch.enable_grad():
                    leaves = [a.detach().requires_grad_() for a in w]
                    loss = mean_square(answer(x, hint, theta, leaves), y)
                    w[i] = (leaves[i] - lr * torch.autograd.grad(loss, leaves[i])[0]).detach()
            answers.append(answer(x, hint, theta, w))
        return torch.stack(answers).detach()

    return run


def by_hand(
    slope: Callable[[Tensor, Tensor], Tensor] = lambda h, at: 1 - h * h,
    copy_sees: Callable[[Tensor, Tensor], Tensor] = lambda x, seen: seen,
    back_through: Callable[[Tensor, Tensor], Tensor] = lambda theta, copied: copied,
) -> Callable:
    """A mutant that takes the gradients by the chain rule. slope: of tanh, from its value and its argument; copy_sees: what theta_c's gradient
    is a product with, of x and x + c Z_1^T; back_through: the weight that the gradient of Z_1 passes, of theta and theta_c."""

    def run(x: Tensor, hint: Tensor, y: Tensor, theta: Tensor, lr: float, num_steps: int) -> Tensor:
        (Z1, copied, Z2), answers = start(hint, theta), []
        for _ in range(num_steps + 1):
            seen = x + hint @ Z1.T
            at = seen @ copied.T
            h = torch.tanh(at)
            answers.append(layer(x, theta) + h @ Z2.T)
            out = 2 / y.numel() * (answers[-1] - y)
            back = (out @ Z2) * slope(h, at)
            to_Z1 = (back @ back_through(theta, copied)).T @ hint
            Z1, copied, Z2 = (
                Z1 - lr * to_Z1,
                copied - lr * back.T @ copy_sees(x, seen),
                Z2 - lr * out.T @ h,
            )
        return torch.stack(answers)

    return run


def still(*kept: int) -> Callable[[Weights, Weights, float], Weights]:
    """A step that leaves some of the weights as they are."""
    return lambda w, slopes, lr: [
        a if i in kept else a - lr * g for i, (a, g) in enumerate(zip(w, slopes, strict=True))
    ]
