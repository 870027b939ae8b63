"""CLIP's gradient in parts, which its check and its classic mistakes are made of."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .data import Mutant


def cosine(f: Tensor, g: Tensor) -> Tensor:
    """Of each row: (B,)."""
    return F.cosine_similarity(f, g, dim=1)


def built(
    D: Callable,
    image: Callable,
    text: Tensor,
    x: Tensor,
    sigma: Tensor,
    value: Callable[[Tensor, Tensor], Tensor] = cosine,
    see: Callable[[Callable, Tensor, Tensor], Tensor] = lambda D, x, sigma: D(x, sigma),
    reduce: Callable[[Tensor], Tensor] = torch.sum,
    jacobian: bool = True,
) -> Tensor:
    """The gradient in parts. value: of features and texts; see: what the encoder is shown; reduce: to one number; jacobian: is the
    gradient with respect to x, or to what is shown?"""
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        shown = see(D, leaf, sigma)
        at = leaf if jacobian else shown
        return torch.autograd.grad(reduce(value(image(shown), text)), at)[0]


def through(
    back: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> Callable[[Callable, Callable, Tensor, Tensor, Tensor], Tensor]:
    """The gradient by back(guess, leaf, gradient at the guess), which should multiply by the transposed Jacobian."""

    def gradient(D: Callable, image: Callable, text: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            guess = D(leaf, sigma)
            at = guess.detach().requires_grad_()
            return back(guess, leaf, torch.autograd.grad(cosine(image(at), text).sum(), at)[0])

    return gradient


def forwards(guess: Tensor, leaf: Tensor, slope: Tensor) -> Tensor:
    """The Jacobian times the slope: the derivative of its transpose's product, which is linear."""
    start = torch.zeros_like(guess).requires_grad_()
    back = torch.autograd.grad(guess, leaf, start, create_graph=True)[0]
    return torch.autograd.grad(back, start, slope)[0]


def of_the_text(D: Callable, image: Callable, text: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
    with torch.enable_grad():
        leaf = text.detach().requires_grad_()
        return torch.autograd.grad(cosine(image(D(x, sigma)), leaf).sum(), leaf)[0]


def slip(hint: str, **parts: Any) -> Mutant:
    return Mutant(hint, partial(built, **parts))


def scaled_slip(hint: str, change: Callable) -> Mutant:
    """A mutant that returns change(gradient, D's answer, x, sigma)."""

    def changed(D: Callable, image: Callable, text: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        return change(built(D, image, text, x, sigma), D(x, sigma), x, sigma)

    return Mutant(hint, changed)


def normalised(f: Tensor) -> Tensor:
    return F.normalize(f, dim=1)


def pairs(f: Tensor, g: Tensor) -> Tensor:
    """The cosines of every image with every text: (B, B)."""
    return normalised(f) @ normalised(g).T


def centred(f: Tensor) -> Tensor:
    return f - f.mean(1, keepdim=True)
