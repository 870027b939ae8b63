"""Noising in continuous time: the VP, sub-VP and VE SDEs and their exact kernels (Song et al. 2021).

Time t is in [0, 1]: data at 0, the prior at 1. It is a number, or a tensor of shape () or (B,); x is (B, *S).
All three SDEs are linear, dx = f(t) x dt + g(t) dw, so that

    x_t = scale(t) x_0 + std(t) eps,    eps ~ N(0, I),

and x_t / scale(t) is the house's VE state with sigma(t) = std(t) / scale(t).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import CourseError
from .shapes import check_rows, expand, number


@dataclass(frozen=True)
class SDE:
    """dx = f(t) x dt + g(t) dw and its kernel. Each callable maps float64 times to numbers of the same shape.

    f, g: drift rate and diffusion coefficient. scale, std: x_t | x_0 is N(scale x_0, std^2 I).
    prior_std: the prior at t = 1 is N(0, prior_std^2 I). Make one with `vp`, `sub_vp` or `ve`, or your own.
    """

    f: Callable[[Tensor], Tensor]
    g: Callable[[Tensor], Tensor]
    scale: Callable[[Tensor], Tensor]
    std: Callable[[Tensor], Tensor]
    prior_std: float

    def drift(self, x: Tensor, t: float | Tensor) -> Tensor:
        """f(t) x, of x's shape (Song et al. 2021, eq. 5). Raises CourseError for t outside [0, 1]."""
        return expand(self.f(check_time(t, x)), x) * x

    def diffusion(self, x: Tensor, t: float | Tensor) -> Tensor:
        """g(t), of a shape that broadcasts against x. Raises CourseError for t outside [0, 1]."""
        return expand(self.g(check_time(t, x)), x)

    def kernel(self, x0: Tensor, t: float | Tensor) -> tuple[Tensor, Tensor]:
        """Mean (B, *S) and standard deviation (it broadcasts) of x_t | x_0 (Song et al. 2021, eq. 29).

        Raises CourseError for t outside [0, 1].
        """
        t = check_time(t, x0)
        return expand(self.scale(t), x0) * x0, expand(self.std(t), x0)

    def sigma(self, t: float | Tensor) -> Tensor:
        """std / scale, the noise level in VE coordinates: float64, of t's shape. CourseError for t outside [0, 1]."""
        t = check_time(t)
        return self.std(t) / self.scale(t)

    def prior_log_density(self, x: Tensor) -> Tensor:
        """log N(x; 0, prior_std^2 I), in nats: (B,), float64."""
        z = x.flatten(1).double() / self.prior_std
        return -0.5 * z.square().sum(1) - z.shape[1] * math.log(math.sqrt(2 * math.pi) * self.prior_std)


def vp(beta_min: float = 0.1, beta_max: float = 20.0) -> SDE:
    """The variance-preserving SDE, the limit of DDPM's chain with beta_i = beta(i/N)/N (Song et al. 2021, eqs. 11 and 32-33).

    f = -beta/2, g = sqrt(beta), with beta(t) = beta_min + t (beta_max - beta_min). The kernel's variance is
    1 - scale^2. Raises CourseError unless 0 <= beta_min <= beta_max and beta_max > 0.
    """
    beta, integral = _linear_beta(beta_min, beta_max)
    return SDE(
        f=lambda t: -beta(t) / 2,
        g=lambda t: beta(t).sqrt(),
        scale=lambda t: (-integral(t) / 2).exp(),
        std=lambda t: (-torch.expm1(-integral(t))).sqrt(),
        prior_std=1.0,
    )


def sub_vp(beta_min: float = 0.1, beta_max: float = 20.0) -> SDE:
    """The sub-VP SDE: VP's drift with less noise; std is the square of VP's (Song et al. 2021, eqs. 12 and 29).

    Raises CourseError unless 0 <= beta_min <= beta_max and beta_max > 0.
    """
    beta, integral = _linear_beta(beta_min, beta_max)
    return SDE(
        f=lambda t: -beta(t) / 2,
        g=lambda t: (-beta(t) * torch.expm1(-2 * integral(t))).sqrt(),
        scale=lambda t: (-integral(t) / 2).exp(),
        std=lambda t: -torch.expm1(-integral(t)),
        prior_std=1.0,
    )


def ve(sigma_min: float = 0.01, sigma_max: float = 50.0, exact: bool = True) -> SDE:
    """The variance-exploding SDE (Song et al. 2021, eqs. 9 and 30-31): f = 0, g^2 = d sigma(t)^2 / dt.

    sigma(t) = sigma_min (sigma_max / sigma_min)^t. Started from clean data the SDE gives
    std(t) = sqrt(sigma(t)^2 - sigma_min^2), 0 at t = 0 (eq. 29). That is the default. exact=False takes
    std(t) = sigma(t) (eq. 31, and the reference code): data blurred by sigma_min already at t = 0. The SDE is
    the same; the two laws differ by the blur sigma_min. Raises CourseError unless 0 < sigma_min < sigma_max.
    """
    if not 0 < sigma_min < sigma_max < math.inf:
        raise CourseError(
            f"sigma_min, sigma_max: got {sigma_min}, {sigma_max}, want 0 < sigma_min < sigma_max"
        )
    log_ratio = math.log(sigma_max / sigma_min)
    return SDE(
        f=torch.zeros_like,
        g=lambda t: sigma_min * (log_ratio * t).exp() * math.sqrt(2 * log_ratio),
        scale=torch.ones_like,
        # expm1, because the difference of two nearly equal squares loses digits at small t.
        std=lambda t: sigma_min * (torch.expm1(2 * log_ratio * t).sqrt() if exact else (log_ratio * t).exp()),
        prior_std=sigma_max,
    )


def _linear_beta(
    beta_min: float, beta_max: float
) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """beta(t) and its integral from 0 to t."""
    if not (0 <= beta_min <= beta_max < math.inf and beta_max > 0):
        raise CourseError(
            f"beta_min, beta_max: got {beta_min}, {beta_max}, want 0 <= beta_min <= beta_max, beta_max > 0"
        )
    rise = beta_max - beta_min
    return lambda t: beta_min + t * rise, lambda t: beta_min * t + rise * t**2 / 2


def check_time(t: float | Tensor, x: Tensor | None = None) -> Tensor:
    """t as float64 on the CPU. Raises CourseError outside [0, 1], or for a shape that does not match x, where given."""
    t = number(t).double().cpu()
    inside = (t >= 0) & (t <= 1)
    if not bool(inside.all()):
        raise CourseError(f"t: got {t[~inside].flatten()[0].item():g}, want times in [0, 1]")
    if x is not None:
        check_rows("t", t, x)
    return t
