"""What samplers are compared by at equal cost: their grids, their steps, what a budget pays for, and the converged solution."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ...denoisers import Denoiser
from ...samplers import Step, ddim, dpmpp_2m, edm, euler, heun, sample
from ...schedules import NoiseSchedule, cosine, karras, linear, quadratic_timesteps, uniform_timesteps
from .study import Row

BUDGETS = (10, 20, 40, 80)  # evaluations of the denoiser
FINE = 200  # Heun steps of the converged solution
LINEAR = NoiseSchedule.from_betas(linear(1000))
COSINE = NoiseSchedule.from_betas(cosine(1000))

GRIDS: dict[str, Callable[[int], Tensor]] = {
    "karras": karras,
    "uniform": lambda n: LINEAR.grid(uniform_timesteps(1000, n)),
    "quadratic": lambda n: LINEAR.grid(quadratic_timesteps(1000, n)),
    "cosine uniform": lambda n: COSINE.grid(uniform_timesteps(1000, n)),
    "straight": lambda n: straight(n),
}

STEPS: dict[str, Step] = {
    "euler": euler,
    "eta 0.5": ddim(0.5),
    "eta 1": ddim(1.0),
    "heun": heun,
    # The settings that Karras et al. 2022, table 5, give for ImageNet, and a quarter of their churn.
    "churn": edm(40, 0.05, 50, 1.003),
    "churn 10": edm(10, 0.05, 50, 1.003),
    "dpmpp_2m": dpmpp_2m(),
}
NOISELESS = ("euler", "heun", "dpmpp_2m")  # they solve the ODE, and so have a solution to be compared with

TWICE = ("heun", "churn", "churn 10")


def straight(n: int, sigma_max: float = 80.0) -> Tensor:
    """n + 1 sigmas from sigma_max to 0, evenly spaced in t = sigma / (1 + sigma), the time of the straight path. float64."""
    t = torch.linspace(sigma_max / (1 + sigma_max), 0, n + 1, dtype=torch.float64)
    return t / (1 - t)


def affordable(sampler: str, evaluations: int) -> tuple[int, int]:
    """The most steps that a number of evaluations pays for, and how many they take: Heun's N steps take 2 N - 1."""
    steps = (evaluations + 1) // 2 if sampler in TWICE else evaluations
    return steps, evaluations_of(sampler, steps)


def evaluations_of(sampler: str, steps: int) -> int:
    """What so many steps take, the last of them to sigma = 0: of those that look twice, that one looks once."""
    return 2 * steps - 1 if sampler in TWICE else steps


def distances(made: Tensor, wanted: Tensor) -> Row:
    """How far samples are from their converged solution: the rms over pixels of each, and the median."""
    each = (made - wanted).square().flatten(1).mean(1).sqrt()
    return {
        "distance": float(f"{each.median().item():.4g}"),
        "distances": [float(f"{e:.3g}") for e in each.tolist()],
    }


def converged(D: Denoiser, start: Tensor, sigma: float) -> Tensor:
    """The solution of the ODE from unit noise start (N, *S) at sigma: Heun on a Karras grid of FINE steps, 2 FINE - 1 evaluations."""
    return sample(D, sigma * start, karras(FINE, sigma_max=sigma), heun)


@contextmanager
def full_precision() -> Iterator[None]:
    """Convolutions in whole float32 on a GPU, too, where TF32, the default, has an error of 1e-3: more than a fine solver's."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
