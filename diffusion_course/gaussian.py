"""The textbook diffusion in x_t coordinates: every Gaussian that chapters 1-3 derive.

x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps, with t = 1..T. Everywhere here x is (B, *S), and t is
an integer or a tensor of shape (B,). A wrong t, or shapes or devices that do not match, raise CourseError.
"""

import torch
from torch import Tensor

from .errors import CourseError
from .schedules import NoiseSchedule
from .shapes import expand, number, same


def marginal(x0: Tensor, t: int | Tensor, schedule: NoiseSchedule) -> tuple[Tensor, Tensor]:
    """Mean and variance of q(x_t | x_0) (Ho et al. 2020, eq. 4). The variance broadcasts against x0."""
    mean = schedule.take(schedule.alpha_bar.sqrt(), t, x0) * x0
    return mean, schedule.take(schedule.one_minus_alpha_bar, t, x0)


def diffuse(x0: Tensor, t: int | Tensor, eps: Tensor, schedule: NoiseSchedule) -> Tensor:
    """x_t from x_0 in one jump, with the noise eps ~ N(0, I) given (Ho et al. 2020, eq. 4)."""
    same("x0", x0, "eps", eps)
    mean, variance = marginal(x0, t, schedule)
    return mean + variance.sqrt() * eps


def forward_step(x_prev: Tensor, t: int | Tensor, eps: Tensor, schedule: NoiseSchedule) -> Tensor:
    """One step x_{t-1} -> x_t of the Markov chain (Ho et al. 2020, eq. 2)."""
    same("x_prev", x_prev, "eps", eps)
    keep = schedule.take(schedule.alphas.sqrt(), t, x_prev)
    return keep * x_prev + schedule.take(schedule.betas.sqrt(), t, x_prev) * eps


def posterior_mean_variance(
    x0: Tensor, x_t: Tensor, t: int | Tensor, schedule: NoiseSchedule
) -> tuple[Tensor, Tensor]:
    """Mean and variance of q(x_{t-1} | x_t, x_0) (Ho et al. 2020, eqs. 6-7). The variance broadcasts, and is 0 at t = 1."""
    same("x0", x0, "x_t", x_t)
    s = schedule
    weight_0 = s.alpha_bar_prev.sqrt() * s.betas / s.one_minus_alpha_bar
    weight_t = s.alphas.sqrt() * s.one_minus_alpha_bar_prev / s.one_minus_alpha_bar
    mean = s.take(weight_0, t, x0) * x0 + s.take(weight_t, t, x0) * x_t
    return mean, s.take(s.posterior_variance, t, x0)


def x0_from_eps(x_t: Tensor, t: int | Tensor, eps: Tensor, schedule: NoiseSchedule) -> Tensor:
    """The x_0 that the noise eps implies: eq. 4 of Ho et al. 2020, solved for x_0."""
    same("x_t", x_t, "eps", eps)
    std = schedule.take(schedule.one_minus_alpha_bar.sqrt(), t, x_t)
    return (x_t - std * eps) / schedule.take(schedule.alpha_bar.sqrt(), t, x_t)


def eps_from_x0(x_t: Tensor, t: int | Tensor, x0: Tensor, schedule: NoiseSchedule) -> Tensor:
    """The noise that x_0 implies: eq. 4 of Ho et al. 2020, solved for eps."""
    same("x_t", x_t, "x0", x0)
    scale = schedule.take(schedule.alpha_bar.sqrt(), t, x_t)
    return (x_t - scale * x0) / schedule.take(schedule.one_minus_alpha_bar.sqrt(), t, x_t)


def mean_from_eps(x_t: Tensor, t: int | Tensor, eps: Tensor, schedule: NoiseSchedule) -> Tensor:
    """The mean of p(x_{t-1} | x_t) that a predicted eps gives (Ho et al. 2020, eq. 11)."""
    same("x_t", x_t, "eps", eps)
    weight = schedule.take(schedule.betas / schedule.one_minus_alpha_bar.sqrt(), t, x_t)
    return (x_t - weight * eps) / schedule.take(schedule.alphas.sqrt(), t, x_t)


def sampled_variance(variance: float, sigmas: Tensor, fresh: Tensor) -> Tensor:
    """Variance of a DDIM sampler's x_t at each noise level of its grid: exact, for data N(m, variance) and their denoiser.

    sigmas: (n + 1,), falling, the last may be 0. fresh: (n,), the variance s^2 of the fresh noise in each step of Song et
    al. 2021, eq. 12, in 0..1 - alpha_bar of the step's end. The start is N(0, 1). Returns (n + 1,), float64, in textbook
    coordinates; the last is the samples' variance. A perfect sampler would keep alpha_bar variance + 1 - alpha_bar.
    The denoiser is linear, so one step multiplies the distance from the mean by a number k and adds s^2:
    k = (sqrt(alpha_bar alpha_bar') variance + sqrt((1 - alpha_bar' - s^2) (1 - alpha_bar))) / (alpha_bar variance + 1 - alpha_bar).
    Raises CourseError for shapes that do not fit, or an s^2 out of range.
    """
    sigmas, fresh = sigmas.double().cpu(), fresh.double().cpu()
    if sigmas.ndim != 1 or fresh.shape != (len(sigmas) - 1,):
        raise CourseError(
            f"fresh: got shape {tuple(fresh.shape)} for sigmas {tuple(sigmas.shape)}, want one number a step"
        )
    keep, noise = 1 / (1 + sigmas**2), sigmas**2 / (1 + sigmas**2)  # alpha_bar, 1 - alpha_bar
    old = noise[1:] - fresh  # the variance of the noise that is used again
    if bool((fresh < 0).any()) or bool((old < -1e-12).any()):
        raise CourseError("fresh: want variances in 0..1 - alpha_bar of each step's end")
    k = (keep[1:] * keep[:-1]).sqrt() * variance + (old.clamp(min=0) * noise[:-1]).sqrt()
    k = k / (keep[:-1] * variance + noise[:-1])
    states = [torch.ones((), dtype=torch.float64)]
    for factor, s2 in zip(k, fresh, strict=True):
        states.append(factor**2 * states[-1] + s2)
    return torch.stack(states)


def to_ve(x_t: Tensor, sigma: float | Tensor) -> Tensor:
    """x_t / sqrt(alpha_bar) = x_t sqrt(1 + sigma^2): textbook state to x_0 + sigma eps. sigma: () or (B,)."""
    return x_t * _root(sigma, x_t)


def to_vp(x: Tensor, sigma: float | Tensor) -> Tensor:
    """x / sqrt(1 + sigma^2): the inverse of `to_ve`. sigma: () or (B,)."""
    return x / _root(sigma, x)


def _root(sigma: float | Tensor, x: Tensor) -> Tensor:
    # Before it takes x's dtype: in float16 the square of sigma = 256 is infinite.
    return expand((1 + number(sigma).double() ** 2).sqrt(), x)
