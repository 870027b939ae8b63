"""The training loss of a network with labels in parts, of which a mutant has another."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .ch06_labels import drop_labels
from .data import Mutant
from .inputs import column

Reduce = Callable[[Tensor], Tensor]


def conditional_loss(
    model: Callable,
    x0: Tensor,
    labels: Tensor,
    sigma: Tensor,
    eps: Tensor,
    u: Tensor,
    p: float,
    no_label: int,
) -> Tensor:
    return built(model, x0, labels, sigma, eps, u, p, no_label)


def noisy(x0: Tensor, s: Tensor, eps: Tensor) -> Tensor:
    return x0 + s * eps


def eps_error(D: Tensor, x: Tensor, x0: Tensor, s: Tensor, eps: Tensor) -> Tensor:
    return (x - D) / s - eps


def built(
    model: Callable,
    x0: Tensor,
    labels: Tensor,
    sigma: Tensor,
    eps: Tensor,
    u: Tensor,
    p: float,
    no_label: int,
    drop: Callable = drop_labels,
    see: Callable = noisy,
    told: Callable = lambda sigma: sigma,
    scaled: Callable = lambda x, s: x,
    error: Callable = eps_error,
    reduce: Reduce = lambda error: error.square().mean(),
) -> Tensor:
    """The loss in parts. drop: the labels that the model sees; see: the x; told: the sigma, scaled: the x that the model gets; error: of one entry; reduce: to a number."""
    s = column(sigma, x0)
    x = see(x0, s, eps)
    return reduce(error(model(scaled(x, s), told(sigma), drop(labels, u, p, no_label)), x, x0, s, eps))


def slip(hint: str, **parts: Any) -> Mutant:
    return Mutant(hint, partial(built, **parts))


def masked_slip(hint: str, change: Callable) -> Mutant:
    """A mutant in which the mask of dropped samples does more: change(error, mask) -> the loss."""

    def loss(
        m: Callable, x0: Tensor, y: Tensor, s: Tensor, eps: Tensor, u: Tensor, p: float, none: int
    ) -> Tensor:
        return built(m, x0, y, s, eps, u, p, none, reduce=lambda e: change(e, column(u < p, e)))

    return Mutant(hint, loss)


def image_slip(hint: str, x0s: Callable, drop: Callable = drop_labels) -> Mutant:
    """A mutant whose images or noise are dropped: x0s(x0, eps, mask) -> (x0, eps)."""

    def loss(
        m: Callable, x0: Tensor, y: Tensor, s: Tensor, eps: Tensor, u: Tensor, p: float, none: int
    ) -> Tensor:
        return built(m, *_split(x0s(x0, eps, column(u < p, x0)), y, s), u, p, none, drop=drop)

    return Mutant(hint, loss)


def _split(pair: tuple[Tensor, Tensor], y: Tensor, s: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return pair[0], y, s, pair[1]


def expected(
    m: Callable, x0: Tensor, y: Tensor, s: Tensor, eps: Tensor, u: Tensor, p: float, none: int
) -> Tensor:
    """Both losses, weighted by how often each would be met."""
    kept, dropped = (built(m, x0, y, s, eps, u, q, none) for q in (0.0, 2.0))
    return (1 - p) * kept + p * dropped


def mixed(
    m: Callable, x0: Tensor, y: Tensor, s: Tensor, eps: Tensor, u: Tensor, p: float, none: int
) -> Tensor:
    """The loss of a mixture of the answers with the label and without."""

    def both(x: Tensor, sigma: Tensor, labels: Tensor) -> Tensor:
        return (1 - p) * m(x, sigma, labels) + p * m(x, sigma, torch.full_like(labels, none))

    return built(both, x0, y, s, eps, u, p, none, drop=lambda y, *rest: y)


def kept_labels(y: Tensor, u: Tensor, p: float, none: int) -> Tensor:
    return y
