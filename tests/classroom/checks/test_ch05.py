"""Chapter 05: other right answers, and the same quantities from the library."""

import math

import numpy as np
import pytest
import torch
from formulas import schedule_of

from diffusion_course import elbo, losses
from diffusion_course.classroom.checks import CHECKS
from diffusion_course.classroom.checks.ch05_density import measured, scatter, times_to_draw
from diffusion_course.classroom.checks.engine import score
from diffusion_course.classroom.checks.machines import ToyPair
from diffusion_course.classroom.terms import reached


def variance_by_powers(v, t, betas):
    alpha_bar = torch.cumprod(1 - betas, 0)
    small = betas.clone()
    small[1:] = betas[1:] * (1 - alpha_bar[:-1]) / (1 - alpha_bar[1:])
    small[0] = small[1]
    shape = (-1, *[1] * (v.ndim - 1))
    low, high = small[t - 1].reshape(shape), betas[t - 1].reshape(shape)
    return low * (high / low) ** ((1 + v) / 2)


def variance_row_by_row(v, t, betas):
    alpha_bar, rows = [1.0, *torch.cumprod(1 - betas, 0).tolist()], []
    for one, s in zip(v, t.tolist(), strict=True):
        beta, at = float(betas[s - 1]), max(s, 2)
        tilde = float(betas[at - 1]) * (1 - alpha_bar[at - 1]) / (1 - alpha_bar[at])
        rows.append(torch.exp(0.5 * (one * math.log(beta / tilde) + math.log(beta * tilde))))
    return torch.stack(rows)


def variance_by_lerp(v, t, betas):
    alpha_bar = (1 - betas).cumprod(0)
    ratio = (1 - alpha_bar[:-1]) / (1 - alpha_bar[1:])
    logs = torch.log(torch.cat([ratio[:1] * betas[1], ratio * betas[1:]]))
    low = logs[t - 1][(...,) + (None,) * (v.ndim - 1)]
    high = betas.log()[t - 1][(...,) + (None,) * (v.ndim - 1)]
    return torch.lerp(low.expand_as(v), high.expand_as(v), v / 2 + 0.5).exp()


def bits_by_columns(term, x0, t, eps, L_T, T):
    K, n = t.shape
    every = torch.stack([term(x0, t[k], eps[k]) for k in range(K)], dim=1)  # (n, K)
    values = (L_T + every.sum(1) * T / K) / math.log(2) / math.prod(x0.shape[1:])
    return torch.mean(values), 1.96 * torch.sqrt(torch.var(values) / n)


def bits_with_numpy(term, x0, t, eps, L_T, T):
    total = L_T.detach().double().numpy().copy()
    for t_k, eps_k in zip(t, eps, strict=True):
        total += T / len(t) * term(x0, t_k, eps_k).detach().double().numpy()
    b = total / (x0[0].numel() * np.log(2))
    return torch.tensor(b.mean()).to(x0), torch.tensor(1.96 * b.std(ddof=1) / np.sqrt(len(b))).to(x0)


def hybrid_by_the_library(model, x0, t, eps, betas, weight):
    return losses.hybrid_loss(model, x0, t, eps, schedule_of(betas), weight)


def hybrid_in_words(model, x0, t, eps, betas, weight):
    """As the chapter's solution, with a no_grad for the mean and sums for means."""
    schedule = schedule_of(betas)
    x_t = schedule.take(schedule.alpha_bar.sqrt(), t, x0) * x0
    x_t = x_t + schedule.take(schedule.one_minus_alpha_bar.sqrt(), t, x0) * eps
    answer = model(x_t, t)
    half = answer.shape[1] // 2
    eps_hat, v = answer[:, :half], answer[:, half:]
    with torch.no_grad():
        beta = schedule.take(schedule.betas, t, x0)
        mean = (x_t - beta * eps_hat / schedule.take(schedule.one_minus_alpha_bar.sqrt(), t, x0)) / (
            1 - beta
        ).sqrt()
    log = losses.learned_log_variance(v, t, schedule)
    nats = elbo.transition_term(lambda x, time: (mean, log), x0, x_t, t, schedule)
    bound = len(betas) * nats.sum() / (len(x0) * x0[0].numel() * math.log(2))
    return torch.nn.functional.mse_loss(eps_hat, eps) + weight * bound


def by_the_machine(weights, x0, t, eps, betas, weight):
    """What the machine tells, from the library's loss by `.backward()`."""
    model = ToyPair(weights.detach().clone())
    with torch.enable_grad():
        answers = []
        loss = hybrid_by_the_library(
            lambda *a: (answers.append(model(*a)), answers[-1].retain_grad(), answers[-1])[-1],
            x0,
            t,
            eps,
            betas,
            weight,
        )
        loss.backward()
    return torch.tensor(1), loss.detach(), *answers[0].grad.chunk(2, 1)


ALTERNATIVES = {
    "05-learned_variance": [variance_by_powers, variance_row_by_row, variance_by_lerp],
    "05-hybrid_loss": [hybrid_by_the_library, hybrid_in_words],
    "05-bits_per_dim": [bits_by_columns, bits_with_numpy],
    "05-min_snr_weight": [
        lambda snr, gamma: (
            torch.where(snr < gamma, snr, gamma),
            (gamma / snr).clamp(max=1),
            torch.minimum(snr, torch.full_like(snr, gamma)) / (1 + snr),
        ),
        lambda snr, gamma: [snr.clip(max=gamma) * scale for scale in (1, 1 / snr, 1 / (snr + 1))],
    ],
    "05-times_to_draw": [lambda s, b: (s / s.sum() + b / b.sum()) / 2, times_to_draw],
}
LIBRARY = {
    "05-learned_variance": lambda v, t, betas: losses.learned_log_variance(v, t, schedule_of(betas)).exp(),
    "05-hybrid_loss": by_the_machine,
    "05-bits_per_dim": bits_by_columns,  # the library has no estimator from random times
    "05-min_snr_weight": lambda snr, gamma: (
        losses.min_snr_weight(gamma)(snr.rsqrt()),
        losses.min_snr_weight(gamma)(snr.rsqrt()) / losses.eps_weight(snr.rsqrt()),
        losses.min_snr_weight(gamma)(snr.rsqrt()) / losses.v_weight(snr.rsqrt()),
    ),
    "05-times_to_draw": times_to_draw,  # no function of the library designs one
}


def test_no_density_is_better_than_the_one_with_equal_scatters():
    simple, bound = measured()
    p = times_to_draw(simple, bound)
    best = score(CHECKS["05-times_to_draw"], times_to_draw)
    assert scatter(p, simple) == pytest.approx(scatter(p, bound), rel=1e-6)
    for seed in range(20):
        noise = torch.randn(len(p), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        moved = p * (0.05 * noise).exp()
        moved /= moved.sum()
        assert max(scatter(moved, simple), scatter(moved, bound)) > best


def test_a_cheap_mixture_does_not_get_all_points():
    check = CHECKS["05-times_to_draw"]
    mean = score(check, lambda s, b: (s / s.sum() + b / b.sum()) / 2)
    assert reached(check.marks, score(check, times_to_draw), lower=True) == check.points
    assert 0 < reached(check.marks, mean, lower=True) < check.points


def test_the_scatter_is_that_of_draws():
    simple, bound = measured()
    p = times_to_draw(simple, bound)
    drawn = torch.multinomial(p, 200_000, replacement=True, generator=torch.Generator().manual_seed(0))
    for terms in (simple, bound):
        sample = terms[drawn] / p[drawn]
        assert (sample.mean() / terms.sum() - 1).abs() < 0.01
        assert (sample.std() / terms.sum()).item() == pytest.approx(scatter(p, terms), rel=0.02)
