"""The experiment in pairs in parts, which its check and its classic mistakes are made of."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .data import Mutant

Interval = tuple[Tensor, Tensor, Tensor]


def of_differences(told: Tensor, untold: Tensor) -> Tensor:
    """The standard error of the mean difference of pairs."""
    return (told - untold).std() / len(told) ** 0.5


def built(
    draw: Callable,
    met: Callable,
    labels: Tensor,
    noise: Tensor,
    no_text: int,
    without: Callable[[Tensor, int], Tensor] = torch.full_like,
    asked: Callable[[Tensor, Tensor], Tensor] = lambda labels, without: labels,
    other_noise: Callable[[Tensor], Tensor] = lambda noise: noise,
    change: Callable[[Tensor, Tensor], Tensor] = lambda told, untold: told - untold,
    error: Callable[[Tensor, Tensor], Tensor] = of_differences,
    k: float = 1.96,
) -> Interval:
    """The experiment in parts. without: what the untold are told; asked: by which captions they are measured; other_noise: theirs;
    change: of pairs; error: of its mean; k: how many errors to each side."""
    none = without(labels, no_text)
    told = met(draw(labels, noise), labels)
    untold = met(draw(none, other_noise(noise)), asked(labels, none))
    help, half = change(told, untold).mean(), k * error(told, untold)
    return help, help - half, help + half


def slip(hint: str, **parts: Any) -> Mutant:
    return Mutant(hint, partial(built, **parts))


def of_shares(told: Tensor, untold: Tensor) -> Tensor:
    return (
        sum((m.mean() * (1 - m.mean()) for m in (told, untold)), torch.zeros_like(told[0]))
        .div(len(told))
        .sqrt()
    )


def alone(told: Tensor) -> Tensor:
    return told.std() / len(told) ** 0.5


def of_a_share(share: Tensor, n: int) -> Tensor:
    return ((share * (1 - share)).abs() / n).sqrt()


def ratio(draw: Callable, met: Callable, labels: Tensor, noise: Tensor, no_text: int) -> Interval:
    told = met(draw(labels, noise), labels)
    untold = met(draw(torch.full_like(labels, no_text), noise), labels)
    half = 1.96 * of_differences(told, untold)
    return told.mean() / untold.mean(), told.mean() / untold.mean() - half, told.mean() / untold.mean() + half


def discordant(told: Tensor, untold: Tensor) -> Tensor:
    """The pairs that differ alone, or all where fewer than two do."""
    apart = told != untold
    return (told - untold)[apart] if int(apart.sum()) > 1 else told - untold


def of_all_numbers(draw: Callable, met: Callable, labels: Tensor, noise: Tensor, no_text: int) -> Interval:
    """As if each number of the noise were a pair."""
    error = partial(scattered_over, n=noise.numel())
    return built(draw, met, labels, noise, no_text, error=error)


def scattered_over(told: Tensor, untold: Tensor, n: int) -> Tensor:
    return (told - untold).std() / n**0.5


def quantiles(draw: Callable, met: Callable, labels: Tensor, noise: Tensor, no_text: int) -> Interval:
    told = met(draw(labels, noise), labels)
    d = told - met(draw(torch.full_like(labels, no_text), noise), labels)
    return d.mean(), d.quantile(0.025), d.quantile(0.975)


def told_alone_drawn(draw: Callable, met: Callable, labels: Tensor, noise: Tensor, no_text: int) -> Interval:
    images = draw(labels, noise)
    return interval(met(images, labels) - met(images, torch.full_like(labels, no_text)))


def in_halves(draw: Callable, met: Callable, labels: Tensor, noise: Tensor, no_text: int) -> Interval:
    """Half of the noise for the told, the other half for the untold."""
    n = len(labels) // 2
    told = met(draw(labels[:n], noise[:n]), labels[:n])
    untold = met(draw(torch.full_like(labels[:n], no_text), noise[n : 2 * n]), labels[:n])
    return interval(told - untold)


def interval(d: Tensor) -> Interval:
    half = 1.96 * d.std() / len(d) ** 0.5
    return d.mean(), d.mean() - half, d.mean() + half
