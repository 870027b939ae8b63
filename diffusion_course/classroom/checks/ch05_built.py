"""The hybrid loss as parts, each of which a slip may replace."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...elbo import discretized_gaussian_log_likelihood, normal_kl
from ...shapes import same
from .ch05_variance import beta_tilde, mended
from .ch05_variance import learned_variance as variance_of
from .data import Mutant
from .inputs import column

Model = Callable[[Tensor, Tensor], Tensor]
Part = Callable[..., Tensor]


def hybrid_loss(model: Model, x0: Tensor, t: Tensor, eps: Tensor, betas: Tensor, weight: float) -> Tensor:
    return built(model, x0, t, eps, betas, weight)


def tables(t: Tensor, betas: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """beta_t, alpha_bar_t and alpha_bar_{t-1}, each to multiply x."""
    alpha_bar = torch.cat([torch.ones_like(betas[:1]), torch.cumprod(1 - betas, 0)])
    return column(betas[t - 1], x), column(alpha_bar[t], x), column(alpha_bar[t - 1], x)


def diffused(x0: Tensor, eps: Tensor, a: Tensor) -> Tensor:
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def mean_of(x_t: Tensor, eps: Tensor, beta: Tensor, a: Tensor) -> Tensor:
    return (x_t - beta / (1 - a).sqrt() * eps) / (1 - beta).sqrt()


def term(x0: Tensor, x_t: Tensor, t: Tensor, mean: Tensor, log_variance: Tensor, betas: Tensor) -> Tensor:
    """L_{t-1} in nats, of each coordinate; at t = 1 the decoder's."""
    decoder = -discretized_gaussian_log_likelihood(x0, mean, log_variance / 2)
    return torch.where(column(t, x0) == 1, decoder, kl(x0, x_t, t, mean, log_variance, betas))


def kl(x0: Tensor, x_t: Tensor, t: Tensor, mean: Tensor, log_variance: Tensor, betas: Tensor) -> Tensor:
    return normal_kl(*truth(x0, x_t, t, betas), mean, log_variance)


def truth(x0: Tensor, x_t: Tensor, t: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log-variance of q(x_{t-1} | x_t, x_0)."""
    beta, a, a_prev = tables(t, betas, x0)
    mean = (a_prev.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - a_prev) * x_t) / (1 - a)
    return mean, column(mended(beta_tilde(betas), betas)[t - 1].log(), x0)


def bits(nats: Tensor) -> Tensor:
    """The mean over everything of nats of each coordinate, in bits."""
    return nats.mean() / math.log(2)


def whole(model: Model, x_t: Tensor, t: Tensor) -> Tensor:
    return model(x_t, t)


def built(
    model: Model,
    x0: Tensor,
    t: Tensor,
    eps: Tensor,
    betas: Tensor,
    weight: float,
    see: Part = diffused,
    ask: Part = whole,
    split: Part = lambda answer: answer.chunk(2, dim=1),
    stop: Part = torch.Tensor.detach,
    stop_v: Part = lambda v: v,
    target: Part = lambda x0, x_t, eps: eps,
    simple: Part = lambda error: error.square().mean(),
    mean: Part = mean_of,
    variance: Part = variance_of,
    nats: Part = term,
    unit: Part = bits,
    factor: Callable[[int], float] = lambda T: T,
    mix: Part = lambda simple, bound, weight: simple + weight * bound,
) -> Tensor:
    """The answer from its parts, each of which a slip may replace."""
    beta, a, _ = tables(t, betas, x0)
    x_t = see(x0, eps, a)
    predicted, v = split(ask(model, x_t, t))
    log_variance = variance(stop_v(v), t, betas).log()
    bound = factor(len(betas)) * unit(
        nats(x0, x_t, t, mean(x_t, stop(predicted), beta, a), log_variance, betas)
    )
    return mix(simple(target(x0, x_t, eps) - predicted), bound, weight)


def slip(hint: str, **parts: Any) -> Mutant:
    return Mutant(hint, lambda *args: built(*args, **parts))


def interleaved(answer: Tensor) -> tuple[Tensor, Tensor]:
    """Every second channel for eps."""
    return answer[:, ::2], answer[:, 1::2]


def mean_like(x_t: Tensor, eps: Tensor, beta: Tensor, a: Tensor) -> Tensor:
    """The mean; an eps of another shape is refused, as in the library's function."""
    same("x_t", x_t, "eps", eps)
    return mean_of(x_t, eps, beta, a)


def nothing_stopped(x: Tensor) -> Tensor:
    return x
