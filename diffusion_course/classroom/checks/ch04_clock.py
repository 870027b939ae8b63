"""A schedule on the clock of another one: its alpha_bar at t N / T."""

import torch
from torch import Tensor


def rescale(betas: Tensor, T: int) -> Tensor:
    return -torch.expm1(log_kept(betas, places(len(betas), T, betas)).diff())


def places(N: int, T: int, like: Tensor) -> Tensor:
    """Where steps 0..T of the new clock lie on the old one: 0, N / T, ..., N."""
    return torch.arange(T + 1).to(like) * N / T


def between(table: Tensor, place: Tensor) -> Tensor:
    """The table, straight between its entries: at place 0 the first one. Beyond its ends it goes on."""
    left = place.long().clamp(0, len(table) - 2)
    return torch.lerp(table[left], table[left + 1], place - left)


def log_kept(betas: Tensor, place: Tensor) -> Tensor:
    """ln alpha_bar at these places, straight between whole steps; ln alpha_bar_0 = 0."""
    return between(torch.cat([torch.zeros_like(betas[:1]), (1 - betas).log().cumsum(0)]), place)


def kept(betas: Tensor) -> Tensor:
    """alpha_bar_0 .. alpha_bar_N, (N + 1,)."""
    return torch.cat([torch.ones_like(betas[:1]), (1 - betas).cumprod(0)])


def ratios(alpha_bar: Tensor) -> Tensor:
    return 1 - alpha_bar[1:] / alpha_bar[:-1]
