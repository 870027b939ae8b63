"""The variational bound of a diffusion model: L_T + sum_t L_{t-1} + L_0, term by term, in nats.

All functions return nats. Functions named `*_kl`, `*_nll` and `*_term` sum over the event axes and return
one number per sample, shape (B,); the two densities at the top work elementwise.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .denoisers import Denoiser
from .errors import CourseError
from .gaussian import diffuse, posterior_mean_variance
from .noise import NoiseSource, source
from .schedules import NoiseSchedule
from .shapes import at_least_single, moved, number, per_sample, same, squared_error

Transition = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""p(x_{t-1} | x_t): (x_t, t) -> mean and log-variance in x_t coordinates, each broadcasting to x_t; t is (B,)."""

Decoder = Callable[[Tensor, Tensor], Tensor]
"""(x0, x0_hat) -> -log p(x_0 | x_1) of shape (B,), where x0_hat is the denoiser's answer at t = 1."""


def normal_kl(
    mean1: Tensor | float, logvar1: Tensor | float, mean2: Tensor | float, logvar2: Tensor | float
) -> Tensor:
    """KL(N(mean1, exp(logvar1)) || N(mean2, exp(logvar2))) of scalar Gaussians, elementwise, in nats.

    The arguments broadcast against each other.
    """
    mean1, logvar1, mean2, logvar2 = map(number, (mean1, logvar1, mean2, logvar2))
    log_ratio = logvar1 - logvar2
    # expm1: near equal variances, as in L_T, exp(r) - 1 - r would cancel to nothing in float32.
    return 0.5 * (log_ratio.expm1() - log_ratio + (mean1 - mean2) ** 2 * (-logvar2).exp())


def discretized_gaussian_log_likelihood(x: Tensor, mean: Tensor | float, log_scale: Tensor | float) -> Tensor:
    """log-probability of the pixel bin that holds x, under N(mean, exp(log_scale)^2) (Ho et al. 2020, eq. 13).

    x: values on the 256 levels of [-1, 1], spaced 2/255. The first and last bin reach to -inf and +inf, so the
    256 probabilities sum to 1. Elementwise, in nats; mean and log_scale broadcast. The exact normal CDF is
    used, in log space: far in a tail the result is a large negative number and not a clipped one.
    """
    half = 1 / 255
    mean, log_scale = number(mean), number(log_scale)
    dtype = torch.result_type(x - mean, log_scale)
    # Float64 inside: log_ndtr's gradient cancels z^2 / 2 against itself, which in float32 ends in NaN at z = 10,000.
    x, mean, scale = x.double(), mean.double(), log_scale.double().exp()
    # Mirror the right half onto the left: log Phi keeps its digits in the left tail only.
    right = x > mean
    centre = torch.where(right, mean - x, x - mean)
    upper = torch.special.log_ndtr((centre + half) / scale)
    lower = torch.special.log_ndtr((centre - half) / scale)
    gap = (upper - lower).clamp(min=torch.finfo(upper.dtype).tiny)
    inside = upper + (-torch.expm1(-gap)).log()
    first = torch.special.log_ndtr((x + half - mean) / scale)
    last = torch.special.log_ndtr((mean - x + half) / scale)
    return torch.where(x < -1 + half, first, torch.where(x > 1 - half, last, inside)).to(dtype)


def gaussian_nll(x: Tensor, mean: Tensor | float, variance: Tensor | float) -> Tensor:
    """-log N(x; mean, variance I), summed over the event axes: (B,), in nats."""
    error = squared_error(x, number(mean))
    variance = number(variance).to(error)
    return per_sample(0.5 * (error / variance + (2 * math.pi * variance).log()))


def prior_kl(x0: Tensor, schedule: NoiseSchedule) -> Tensor:
    """L_T = KL(q(x_T | x_0) || N(0, I)) of each sample (Ho et al. 2020, eq. 5): (B,), in nats."""
    T = schedule.T - 1
    variance = schedule.one_minus_alpha_bar[T]
    mean = schedule.alpha_bar[T].sqrt() * at_least_single(x0)
    return per_sample(normal_kl(mean, variance.log(), 0.0, 0.0))


def kl_term(x0: Tensor, x0_hat: Tensor, t: int | Tensor, schedule: NoiseSchedule) -> Tensor:
    """L_{t-1} = KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) of each sample: (B,), in nats.

    Both Gaussians have the posterior variance, so only the means differ, and the term is
    1/2 (SNR(t-1) - SNR(t)) ||x_0 - x0_hat||^2 (Kingma et al. 2021, eq. 13).
    t: 2..T, an integer or (B,). Raises CourseError for t = 1: that term is the decoder's, not a KL.
    """
    same("x0", x0, "x0_hat", x0_hat)
    if bool((schedule.check(t) == 1).any()):
        raise CourseError("t: got 1, want 2..T: the term of t = 1 is the decoder's -log p(x_0 | x_1)")
    previous = torch.cat([torch.full((1,), math.inf, dtype=torch.float64), schedule.snr[:-1]])
    weight = 0.5 * (previous - schedule.snr)
    error = squared_error(x0, x0_hat)
    return per_sample(schedule.take(weight, t, error) * error)


def gaussian_decoder(variance: float | Tensor) -> Decoder:
    """p(x_0 | x_1) = N(x0_hat, variance I) for continuous data."""
    return lambda x0, x0_hat: gaussian_nll(x0, x0_hat, variance)


def pixel_decoder(scale: float) -> Decoder:
    """p(x_0 | x_1) for 8-bit pixels in [-1, 1]: the discretised Gaussian of Ho et al. 2020, eq. 13."""

    def nll(x0: Tensor, x0_hat: Tensor) -> Tensor:
        return per_sample(-discretized_gaussian_log_likelihood(x0, x0_hat, math.log(scale)))

    return nll


@dataclass(frozen=True)
class VLBTerms:
    """The terms of the bound for each sample, in nats: prior L_T (B,), kl L_1..L_{T-1} (B, T-1), decoder L_0 (B,)."""

    prior: Tensor
    kl: Tensor
    decoder: Tensor

    @property
    def total(self) -> Tensor:
        """L_VLB = L_T + sum of L_{t-1} + L_0 of each sample: (B,), in nats."""
        return self.prior + self.kl.sum(1) + self.decoder


@torch.no_grad()
def vlb_terms(
    D: Denoiser, x0: Tensor, schedule: NoiseSchedule, noise: NoiseSource, decoder: Decoder
) -> VLBTerms:
    """Every term of L_VLB (Ho et al. 2020, eq. 5), with one draw of x_t for each t and sample.

    D: denoiser in VE coordinates. x0: (B, *S). decoder: `gaussian_decoder(...)` or `pixel_decoder(...)`.
    Calls D once for each t = 1..T. The expectation over x_t is estimated by the single draw, without bias.
    """
    kl, noise = [], source(noise)
    for t in range(1, schedule.T + 1):
        sigma = schedule.sigma(t)
        x0_hat = D(x0 + sigma * noise.like(x0), sigma)
        if t == 1:
            first = decoder(x0, x0_hat)
        else:
            kl.append(kl_term(x0, x0_hat, t, schedule))
    terms = torch.stack(kl, 1) if kl else x0.new_zeros(len(x0), 0)
    return VLBTerms(prior_kl(x0, schedule), terms, first)


def transition_term(
    transition: Transition, x0: Tensor, x_t: Tensor, t: Tensor, schedule: NoiseSchedule
) -> Tensor:
    """L_{t-1} of each sample for any Gaussian p(x_{t-1} | x_t), its variance included: (B,), in nats.

    KL(q(x_{t-1} | x_t, x_0) || p) for t > 1; -log p(x_0 | x_1) for t = 1, with the discretised Gaussian of 8-bit pixels
    in [-1, 1]. x0, x_t: (B, *S); t: (B,) in 1..T. The two kinds may be mixed in one batch (Nichol & Dhariwal 2021, eqs. 4-7).
    """
    mean, log_variance = (at_least_single(value).expand_as(x0) for value in transition(x_t, t))
    x0, x_t = at_least_single(x0), at_least_single(x_t)
    true_mean, _ = posterior_mean_variance(x0, x_t, t, schedule)
    true_log_variance = schedule.take(posterior_log_variance(schedule), t, x0)
    kl = per_sample(normal_kl(true_mean, true_log_variance, mean, log_variance))
    decoder = per_sample(-discretized_gaussian_log_likelihood(x0, mean, 0.5 * log_variance))
    return torch.where(moved(schedule.check(t), x0.device) == 1, decoder, kl)


def posterior_log_variance(schedule: NoiseSchedule) -> Tensor:
    """log beta-tilde_t, shape (T,), with the entry of t = 2 at t = 1 too, where beta-tilde is 0 (Nichol & Dhariwal 2021's code).

    A schedule of one step has no t = 2: beta_1 stands in.
    """
    later = schedule.posterior_variance[1:] if schedule.T > 1 else schedule.betas
    return torch.cat([later[:1], later])[: schedule.T].log()


@torch.no_grad()
def transition_terms(
    transition: Transition, x0: Tensor, schedule: NoiseSchedule, noise: NoiseSource
) -> VLBTerms:
    """Every term of L_VLB for a model with variances of its own, with one draw of x_t for each t and sample.

    Like `vlb_terms`, with `transition_term` in place of a denoiser and a decoder. x0: (B, *S), 8-bit pixels in [-1, 1].
    """
    terms, noise = [], source(noise)
    for step in range(1, schedule.T + 1):
        t = torch.full((len(x0),), step, device=x0.device)
        x_t = diffuse(x0, t, noise.like(x0), schedule)
        terms.append(transition_term(transition, x0, x_t, t, schedule))
    return VLBTerms(
        prior_kl(x0, schedule), torch.stack(terms[1:], 1) if terms[1:] else x0.new_zeros(len(x0), 0), terms[0]
    )


def over_batches(terms: Callable[[Tensor], VLBTerms], data: Tensor, batch: int = 256) -> VLBTerms:
    """The terms of a whole data set, batch by batch: prior (N,), kl (N, T-1), decoder (N,), in nats.

    terms: what one batch gives, e.g. lambda x0: vlb_terms(D, x0, schedule, noise, decoder). data: (N, *S).
    `bits_per_dim(result.total, dims).mean()` is the figure that papers report.
    """
    parts = [terms(x0) for x0 in data.split(batch)]
    return VLBTerms(
        torch.cat([p.prior for p in parts]),
        torch.cat([p.kl for p in parts]),
        torch.cat([p.decoder for p in parts]),
    )


def bits_per_dim(nats: Tensor, dims: int) -> Tensor:
    """Nats per sample to bits per dimension: nats / (dims ln 2)."""
    return nats / (dims * math.log(2))
