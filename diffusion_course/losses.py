"""What a network is trained on. Every loss is a mean over batch and dimensions, so its scale does not depend on them."""

from collections.abc import Callable

import torch
from torch import Tensor

from .denoisers import Denoiser, EpsModel, Param, edm_param
from .elbo import kl_term
from .gaussian import diffuse, expand, same
from .schedules import NoiseSchedule


def eps_loss(eps_model: EpsModel, x0: Tensor, t: Tensor, eps: Tensor, schedule: NoiseSchedule) -> Tensor:
    """L_simple = mean ||eps - eps_theta(x_t, t)||^2 (Ho et al. 2020, eq. 14), a scalar.

    x0, eps: (B, *S); t: (B,) in 1..T. Raises CourseError when the model's answer has another shape.
    """
    predicted = eps_model(diffuse(x0, t, eps, schedule), t)
    same("eps", eps, "eps_model(x_t, t)", predicted)
    return (eps - predicted).square().mean()


def denoising_loss(
    D: Denoiser, x0: Tensor, sigma: Tensor, eps: Tensor, weight: Callable[[Tensor], Tensor] = torch.ones_like
) -> Tensor:
    """mean weight(sigma) ||D(x_0 + sigma eps, sigma) - x_0||^2 (Karras et al. 2022, eq. 2), a scalar.

    x0, eps: (B, *S); sigma: () or (B,). Common weights: 1 / sigma^2 is L_simple; `unit_weight(param)` is the plain
    squared error of the network's own output. Raises CourseError when D's answer has another shape.
    """
    same("x0", x0, "eps", eps)
    x0_hat = D(x0 + expand(sigma, x0) * eps, sigma)
    same("x0", x0, "D(x, sigma)", x0_hat)
    error = x0_hat - x0
    return (expand(weight(sigma), x0) * error.square()).mean()


def unit_weight(param: Param) -> Callable[[Tensor], Tensor]:
    """1 / c_out(sigma)^2: with it, `denoising_loss` is the squared error of F in D = c_skip x + c_out F."""
    return lambda sigma: 1 / param.c_out(sigma) ** 2


def edm_loss(
    D: Denoiser,
    x0: Tensor,
    z: Tensor,
    eps: Tensor,
    p_mean: float = -1.2,
    p_std: float = 1.2,
    sigma_data: float = 0.5,
) -> Tensor:
    """The training loss of Karras et al. 2022 (table 1, section 5), a scalar: `denoising_loss` at log-normal sigma.

    x0, eps: (B, *S); z: (B,) standard normal, sigma = exp(p_mean + p_std z). The weight
    (sigma^2 + sigma_data^2) / (sigma sigma_data)^2 is the `unit_weight` of `edm_param(sigma_data)`.
    """
    return denoising_loss(D, x0, (p_mean + p_std * z).exp(), eps, unit_weight(edm_param(sigma_data)))


def vlb_loss(D: Denoiser, x0: Tensor, t: Tensor, eps: Tensor, schedule: NoiseSchedule) -> Tensor:
    """(T - 1) L_{t-1} in nats per sample, a scalar: for t uniform in 2..T an unbiased estimate of sum_t L_{t-1}.

    x0, eps: (B, *S); t: (B,) in 2..T.
    """
    sigma = schedule.sigma(t)
    x0_hat = D(x0 + expand(sigma, x0) * eps, sigma)
    return (schedule.T - 1) * kl_term(x0, x0_hat, t, schedule).mean()
