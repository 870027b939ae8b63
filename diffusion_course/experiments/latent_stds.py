"""How far a short sampler ends from the exact answer where latents have the standard deviation k: chapter 12 looks for the best k.

The exact denoiser of 300 digits in the latents of `mnist-autoencoder`, blurred a little, takes the place of a network.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from ..denoisers import DatasetDenoiser, Denoiser, blurred
from ..errors import check_number
from ..noise import Noise
from ..samplers import dpmpp_2m, sample
from ..schedules import NoiseSchedule, cosine, linear, uniform_timesteps
from . import data, zoo
from .latents import LatentSpace, latent_scale

BLUR = 0.1  # of latents of unit variance
EVALUATIONS = 20
FINE = 400  # steps of the solution that stands for the exact one


def stable_diffusion(T: int) -> Tensor:
    """beta_t of the `scaled_linear` schedule of Stable Diffusion's files, 0.00085 to 0.012, (T,): even in sqrt(beta)."""
    return torch.linspace(0.00085**0.5, 0.012**0.5, T, dtype=torch.float64).square()


SCHEDULES: dict[str, Callable[[int], Tensor]] = {
    "Stable Diffusion": stable_diffusion,
    "linear": linear,
    "cosine": cosine,
}


def grid(schedule: str, n: int = EVALUATIONS) -> Tensor:
    """n noise levels of a schedule of 1000 steps at even times, and a 0: (n + 1,)."""
    return NoiseSchedule.from_betas(SCHEDULES[schedule](1000)).grid(uniform_timesteps(1000, n))


def distance(k: float, schedule: str, n: int = EVALUATIONS) -> float:
    """How far n evaluations of DPM-Solver++(2M) from pure noise end from the exact answer, in latents of standard deviation k.

    Root mean square over the entries, in units of k; geometric mean over 40 samples. Latents k z under noise sigma are k times
    (z under noise sigma / k), so that the grid is divided, and not the latents multiplied. Raises CourseError for k <= 0.
    """
    check_number("k", k, lambda v: 0 < v < float("inf"), "a standard deviation > 0")
    return _distance(float(k), schedule, n)


@cache
def _distance(k: float, schedule: str, n: int) -> float:
    return distance_of(grid(schedule, n) / k)


def distance_of(sigmas: Tensor) -> float:
    """`distance` of any grid (N + 1,) of noise levels in units of k, which ends in 0."""
    found = sample(exact(), sigmas[0] * _unit(), sigmas, dpmpp_2m())
    return (found - _limit()).square().mean((1, 2, 3)).sqrt().log().mean().exp().item()


@cache
def exact() -> Denoiser:
    """The denoiser of 300 digits' latents, of unit variance, blurred with N(0, 0.1^2 I)."""
    space = LatentSpace(zoo.autoencoder("mnist-autoencoder"))
    z = space.encode(data.load("mnist-5k", limit=4000).images[:300]).double()
    return blurred(DatasetDenoiser(latent_scale(z) * z), BLUR)


def _unit() -> Tensor:
    return Noise(5).randn(40, 4, 7, 7, dtype=torch.float64)


@cache
def _limit() -> Tensor:
    """Where the same noise ends that begins at sigma = 10,000, in many steps: there nothing of a latent is left."""
    sigmas = torch.cat([torch.logspace(4, -3.3, FINE, dtype=torch.float64), torch.zeros(1)])
    return sample(exact(), sigmas[0] * _unit(), sigmas, dpmpp_2m())
