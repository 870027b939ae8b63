"""From a network to a denoiser: parametrisations, four coefficients each (Karras et al. 2022, eq. 7 and table 1).

D(x, sigma) = c_skip(sigma) x + c_out(sigma) F(c_in(sigma) x, c_noise(sigma))
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import CourseError, check_integer
from .schedules import NoiseSchedule

SIGMA_DATA = (
    0.5  # of Karras et al. 2022, table 1, as are the noise levels of training: log sigma ~ N(P_MEAN, P_STD^2)
)
P_MEAN, P_STD = -1.2, 1.2


@dataclass(frozen=True)
class Param:
    """A parametrisation: what the network sees, and what its output means. Each entry maps sigma, () or (B,), to its shape, or to a number."""

    c_skip: Callable[[Tensor], Tensor]
    c_out: Callable[[Tensor], Tensor]
    c_in: Callable[[Tensor], Tensor]
    c_noise: Callable[[Tensor], Tensor]


def eps_param(schedule: NoiseSchedule) -> Param:
    """The network sees (x_t, t) and predicts eps (Ho et al. 2020)."""
    return Param(torch.ones_like, lambda s: -s, _vp_scale, schedule.t)


def x0_param(schedule: NoiseSchedule) -> Param:
    """The network sees (x_t, t) and predicts x_0."""
    return Param(torch.zeros_like, torch.ones_like, _vp_scale, schedule.t)


def v_param(schedule: NoiseSchedule) -> Param:
    """The network sees (x_t, t) and predicts v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x_0 (Salimans & Ho 2022)."""
    return Param(lambda s: 1 / (1 + s**2), lambda s: -s / (1 + s**2).sqrt(), _vp_scale, schedule.t)


def flow_param() -> Param:
    """Straight path: the network sees ((1-t) x_0 + t eps, t) and predicts eps - x_0 (Lipman et al. 2023; Liu et al. 2023).

    t = sigma / (1 + sigma) in (0, 1).
    """
    return Param(lambda s: 1 / (1 + s), lambda s: -s / (1 + s), lambda s: 1 / (1 + s), lambda s: s / (1 + s))


def edm_param(sigma_data: float = SIGMA_DATA) -> Param:
    """Karras et al. 2022: the network sees and predicts tensors of unit variance, whatever sigma is.

    sigma_data: standard deviation of the data, > 0. Raises CourseError for another.
    """
    if not 0 < sigma_data < math.inf:
        raise CourseError(f"sigma_data: got {sigma_data}, want a number > 0")
    variance = sigma_data**2
    return Param(
        lambda s: variance / (s**2 + variance),
        lambda s: s * sigma_data / (s**2 + variance).sqrt(),
        lambda s: 1 / (s**2 + variance).sqrt(),
        lambda s: s.log() / 4,
    )


def vp_param(beta_d: float = 19.9, beta_min: float = 0.1, M: int = 1000) -> Param:
    """VP of Song et al. 2021 in continuous time: the network predicts eps and sees (M - 1) t, t in [0, 1].

    sigma(t)^2 = exp(beta_d t^2 / 2 + beta_min t) - 1, here solved for t (Karras et al. 2022, table 1).
    """

    def c_noise(sigma: Tensor) -> Tensor:
        t = ((beta_min**2 + 2 * beta_d * (sigma**2).log1p()).sqrt() - beta_min) / beta_d
        return (M - 1) * t

    return Param(torch.ones_like, lambda s: -s, _vp_scale, c_noise)


def ve_param() -> Param:
    """VE of Song et al. 2021: the network sees (x, log(sigma / 2)) and predicts -eps, sigma times the score."""
    return Param(torch.ones_like, lambda s: s, torch.ones_like, lambda s: (s / 2).log())


def iddpm_param(C_1: float = 0.001, C_2: float = 0.008, M: int = 1000) -> Param:
    """Improved DDPM: the network predicts eps and sees M - 1 - j, with u_j the nearest noise level of `iddpm_sigmas`.

    j counts from the largest noise (j = 0), so the network sees its own time 0..M-1, and -1 for sigma nearest to 0.
    """
    u = iddpm_sigmas(C_1, C_2, M)

    def c_noise(sigma: Tensor) -> Tensor:
        j = (sigma.to(u)[..., None] - u).abs().argmin(-1)
        return (M - 1 - j).to(sigma)

    return Param(torch.ones_like, lambda s: -s, _vp_scale, c_noise)


def iddpm_sigmas(C_1: float = 0.001, C_2: float = 0.008, M: int = 1000) -> Tensor:
    """u_0 > ... > u_M = 0, shape (M+1,), float64: the noise levels of the cosine schedule (Karras et al. 2022, table 1).

    u_{j-1}^2 = (u_j^2 + 1) / max(alpha_bar_{j-1} / alpha_bar_j, C_1) - 1, alpha_bar_j = sin^2(pi/2 j / (M (C_2 + 1))).
    Here alpha_bar_j grows with j: time runs from noise to data. C_1 is the clip of beta at 1 - C_1.
    """
    check_integer("M", M, 1)
    alpha_bar = (0.5 * math.pi * torch.arange(M + 1, dtype=torch.float64) / M / (C_2 + 1)).sin() ** 2
    u = torch.zeros(M + 1, dtype=torch.float64)
    for j in range(M, 0, -1):
        ratio = (alpha_bar[j - 1] / alpha_bar[j]).clamp(min=C_1)
        u[j - 1] = ((u[j] ** 2 + 1) / ratio - 1).sqrt()
    return u


def _vp_scale(sigma: Tensor) -> Tensor:
    return 1 / (1 + sigma**2).sqrt()
