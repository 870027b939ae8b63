"""The textbook diffusion in x_t coordinates: every Gaussian that chapters 1-3 derive.

x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps, with t = 1..T. Everywhere here x is (B, *S), and t is
an integer or a tensor of shape (B,). A wrong t, or shapes or devices that do not match, raise CourseError.
"""

from torch import Tensor

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


def to_ve(x_t: Tensor, sigma: float | Tensor) -> Tensor:
    """x_t / sqrt(alpha_bar) = x_t sqrt(1 + sigma^2): textbook state to x_0 + sigma eps. sigma: () or (B,)."""
    return x_t * _root(sigma, x_t)


def to_vp(x: Tensor, sigma: float | Tensor) -> Tensor:
    """x / sqrt(1 + sigma^2): the inverse of `to_ve`. sigma: () or (B,)."""
    return x / _root(sigma, x)


def _root(sigma: float | Tensor, x: Tensor) -> Tensor:
    # Before it takes x's dtype: in float16 the square of sigma = 256 is infinite.
    return expand((1 + number(sigma).double() ** 2).sqrt(), x)
