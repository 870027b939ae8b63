"""Two classes of points in the plane whose denoisers have a formula: what a guidance scale buys there, and what it costs."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from .. import guidance, samplers
from ..denoisers import Denoiser
from ..errors import CourseError
from ..exact import GaussianMixture
from ..noise import Noise
from ..schedules import karras
from .metrics import precision_recall

STD = 0.3  # of each component
SAMPLES = 500  # and as many points of the wanted class
SIGMAS = karras(20, sigma_min=0.05, sigma_max=40.0)[
    :-1
]  # the noise levels at which a sampler asks for a scale
# Two rows of five components each. Neighbours in a row, and one above the other, are of different classes.
PLACES = torch.cartesian_prod(
    torch.arange(-2.0, 3.0, dtype=torch.float64), torch.tensor([0.5, -0.5]).double()
)
WANTED = torch.tensor([1, 0, 0, 1, 1, 0, 0, 1, 1, 0], dtype=torch.bool)


def denoisers(std: float = STD) -> tuple[GaussianMixture, GaussianMixture]:
    """The exact denoiser of the wanted class, and that of both. std: of each component, > 0."""
    return GaussianMixture(PLACES[WANTED], std), GaussianMixture(PLACES, std)


def guided(scales: Tensor | Sequence[float], std: float = STD) -> Tensor:
    """Samples with the scale scales[i] at the noise level SIGMAS[i], by Euler steps from fixed noise: (SAMPLES, 2), float64.

    scales: (20,), finite; a list will do. Raises CourseError for anything else.
    """
    scales = _checked(scales)
    cond, uncond = denoisers(std)
    table = dict(zip(SIGMAS.tolist(), scales, strict=True))
    D: Denoiser = guidance.cfg(cond, uncond, lambda sigma: table[sigma.item()])
    start = SIGMAS[0] * Noise(20, per_sample=False).randn(SAMPLES, 2, dtype=torch.float64)
    return samplers.sample(D, start, torch.cat([SIGMAS, torch.zeros(1, dtype=torch.float64)]))


def recognised(x: Tensor, std: float = STD) -> Tensor:
    """Which points (B, 2) does the exact classifier of clean points give to the wanted class? (B,), bool."""
    return denoisers(std)[1].classify(x).exp()[:, WANTED].sum(1) > 0.5


def trade_off(scales: Tensor | Sequence[float], std: float = STD) -> tuple[float, float]:
    """The share of samples that the exact classifier recognises, and recall: the share of the wanted class near which there
    are samples (`metrics.precision_recall`). Both from fixed noise, so that equal scales give equal numbers. Arguments as of `guided`.
    """
    return _trade_off(tuple(_checked(scales).tolist()), std)


@lru_cache
def _trade_off(scales: tuple[float, ...], std: float) -> tuple[float, float]:
    """A check asks for the same scales several times."""
    made = guided(torch.tensor(scales, dtype=torch.float64), std)
    real = denoisers(std)[0].sample(SAMPLES, Noise(21, per_sample=False))[0]
    return recognised(made, std).double().mean().item(), precision_recall(real, made)[1]


def _checked(scales: Tensor | Sequence[float]) -> Tensor:
    """In float64; a list of numbers will do."""
    scales = torch.as_tensor(scales, dtype=torch.float64)
    if scales.shape != SIGMAS.shape or not bool(scales.isfinite().all()):
        raise CourseError(f"scales: got shape {tuple(scales.shape)}, want {len(SIGMAS)} finite numbers")
    return scales
