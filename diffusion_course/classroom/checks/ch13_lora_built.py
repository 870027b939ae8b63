"""The parts of LoRA on one layer, which its check and its classic mistakes are made of."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .ch13_steps import Step
from .data import Mutant

Pair = tuple[Tensor, Tensor]


def slope(x: Tensor, y: Tensor, W: Tensor) -> Tensor:
    """dL/dW of the mean squared error of x W^T: (d_out, d_in)."""
    return 2 / y.numel() * (x @ W.T - y).T @ x


def start(weight: Tensor, z: Tensor) -> Pair:
    """A is random, and B zero."""
    return z, weight.new_zeros(len(weight), len(z))


def built(
    x: Tensor,
    y: Tensor,
    weight: Tensor,
    z: Tensor,
    alpha: float,
    lr: float,
    num_steps: int,
    first: Callable[[Tensor, Tensor], Pair] = start,
    scale: Callable[[float, int], float] = lambda alpha, r: alpha / r,
    merged: Callable[[Tensor, Tensor, float], Tensor] = lambda W, change, s: W + s * change,
    loss_slope: Callable[[Tensor, Tensor, Tensor], Tensor] = slope,
    in_slope: Callable[[float], float] = lambda s: s,
    move: Callable[..., Pair] | None = None,
    base: float = 0.0,
    told: Callable[[Tensor, Tensor, float], Tensor] | None = None,
) -> Tensor:
    """All states. first: the factors; scale: of their product; merged: the weight; loss_slope: dL/dW; in_slope: what stands for the scale
    in the factors' gradients; move: a step; base: the share of dL/dW that moves the frozen weight; told: the state that is returned."""
    (A, B), W0, s = first(weight, z), weight, scale(alpha, len(z))
    show, states = told or merged, []
    for step in range(num_steps + 1):
        states.append(show(W0, B @ A, s))
        if step == num_steps:
            break
        G = loss_slope(x, y, merged(W0, B @ A, s))
        by_A, by_B = in_slope(s) * B.T @ G, in_slope(s) * G @ A.T
        A, B = move(A, B, by_A, by_B, lr, G, s) if move else (A - lr * by_A, B - lr * by_B)
        W0 = W0 - base * lr * G
    return torch.stack(states)


def slip(hint: str, **parts: Any) -> Mutant:
    return Mutant(hint, partial(built, **parts))


def one_after_the_other(
    A: Tensor, B: Tensor, by_A: Tensor, by_B: Tensor, lr: float, G: Tensor, s: float
) -> Pair:
    B = B - lr * by_B
    return A - lr * s * B.T @ G, B


def stepping(begin: Callable[[], Step]) -> Callable:
    """A mutant whose steps are those that begin() begins."""

    def run(
        x: Tensor, y: Tensor, weight: Tensor, z: Tensor, alpha: float, lr: float, num_steps: int
    ) -> Tensor:
        step = begin()

        def move(A: Tensor, B: Tensor, by_A: Tensor, by_B: Tensor, lr: float, G: Tensor, s: float) -> Pair:
            A, B = step([A, B], [by_A, by_B], lr)
            return A, B

        return built(x, y, weight, z, alpha, lr, num_steps, move=move)

    return run


def running(
    x: Tensor, y: Tensor, weight: Tensor, z: Tensor, alpha: float, lr: float, num_steps: int
) -> Tensor:
    """The product added to the weight of the step before."""
    (A, B), s, W = start(weight, z), alpha / len(z), [weight]
    for _ in range(num_steps):
        G = slope(x, y, W[-1])
        A, B = A - lr * s * B.T @ G, B - lr * s * G @ A.T
        W.append(W[-1] + s * B @ A)
    return torch.stack(W)


def with_the_old_A(
    x: Tensor, y: Tensor, weight: Tensor, z: Tensor, alpha: float, lr: float, num_steps: int
) -> Tensor:
    (A, B), s, told = start(weight, z), alpha / len(z), [weight]
    for _ in range(num_steps):
        G, old = slope(x, y, weight + s * B @ A), A
        A, B = A - lr * s * B.T @ G, B - lr * s * G @ A.T
        told.append(weight + s * B @ old)
    return torch.stack(told)


def of_the_whole(
    x: Tensor, y: Tensor, weight: Tensor, z: Tensor, alpha: float, lr: float, num_steps: int
) -> Tensor:
    """Gradient descent on W itself."""
    W = [weight]
    for _ in range(num_steps):
        W.append(W[-1] - lr * slope(x, y, W[-1]))
    return torch.stack(W)
