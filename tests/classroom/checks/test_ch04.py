"""Chapter 04: other right answers, and the same quantities from the library."""

import math

import numpy as np
import pytest
import torch
from formulas import schedule_of_alpha_bar

from diffusion_course import NoiseSchedule, elbo, schedules
from diffusion_course.classroom.checks import CHECKS, CheckFailed, examine
from diffusion_course.classroom.checks.ch04_even import even_betas, largest_step, line_in_log_snr
from diffusion_course.classroom.checks.ch04_rescale import rescale
from diffusion_course.classroom.checks.engine import score
from diffusion_course.errors import CourseError


def cosine_by_half_angle(u, s):
    def doubled(v):  # 2 cos^2(a) = 1 + cos(2 a)
        return 1 + torch.cos((v + s) / (1 + s) * torch.pi)

    return doubled(u) / doubled(torch.zeros_like(u))


def cosine_in_degrees(u, s):
    def f(v):
        return torch.deg2rad(90 * (v + s) / (1 + s)).cos().pow(2)

    return f(u).div(f(u.new_zeros(())))


def cosine_by_sine(u, s):
    """1 - sin^2 loses digits near u = 1, so the sine of what is left of the right angle."""
    rest = (1 - u) / (1 + s) * torch.pi / 2
    return (rest.sin() / math.sin(math.pi / 2 / (1 + s))).square()


def cosine_with_numpy(u, s):
    angle = (np.append(u.numpy(), 0.0) + s) / (1 + s) * np.pi / 2
    f = np.cos(angle) ** 2
    return torch.from_numpy(f[:-1] / f[-1]).to(u)


def sigmoid_by_tanh(u, low, high, k):
    return (high + low) / 2 + (high - low) / 2 * torch.tanh(k * (u - 0.5))


def sigmoid_by_the_library(u, low, high, k):
    """The library's ramp on a grid that holds all u, which are i / n or (i / n)^2."""
    n = len(u) - 1
    return schedules.sigmoid(n * n + 1, low, high, k)[(u * n * n).round().long()]


def sigmoid_between(u, low, high, k):
    ramp = torch.special.expit(-k + 2 * k * u)
    return torch.lerp(torch.full_like(u, low), torch.full_like(u, high), ramp)


def kl_by_row(x0, alpha_bar):
    a = alpha_bar[len(alpha_bar) - 1].item()
    return torch.stack([((a * (x.pow(2) - 1) - math.log1p(-a)) / 2).sum() for x in x0])


def kl_with_einsum(x0, alpha_bar):
    flat, a = x0.reshape(len(x0), -1), alpha_bar[-1:]
    power = torch.einsum("bi,bi->b", flat, flat)
    return (a * power - flat.shape[1] * (a + torch.log1p(-a))) / 2


def prior_kl_by_distributions(x0, alpha_bar):
    Normal, kl = torch.distributions.Normal, torch.distributions.kl_divergence
    a = alpha_bar[-1]
    return kl(Normal(a.sqrt() * x0, (1 - a).sqrt()), Normal(0.0, 1.0)).sum(tuple(range(1, x0.ndim)))


def cosine_by_the_library(u, s):
    # Any T whose steps t / T hold every u gives the same answer.
    T = next((T for T in (*range(1, 15), 1000) if torch.allclose(u * T, (u * T).round(), atol=1e-9)), None)
    if T is None or (u == 0).any():
        return None
    return (1 - schedules.cosine(T, s, max_beta=1.0)).cumprod(0)[(u * T).round().long() - 1]


def even_by_odds(T):
    """The odds of noise to signal grow by the same factor in every step."""
    first, last = 0.002 / 0.998, 1 / -math.expm1(-0.02 / 784) - 1
    odds = torch.tensor([first * (last / first) ** (k / (T - 1)) for k in range(T)], dtype=torch.float64)
    alpha_bar = 1 / (1 + odds)
    return 1 - alpha_bar / alpha_bar.roll(1).index_fill(0, torch.tensor(0), 1.0)


def even_by_search(T):
    """Multiply the odds, one step at a time, and halve the interval of factors until the end is met."""
    low, high = 1.0, 3.0
    for _ in range(60):
        factor = (low + high) / 2
        odds = torch.tensor([0.002 / 0.998 * factor**k for k in range(T)], dtype=torch.float64)
        enough = 392 * math.log1p(1 / odds[-1].item()) <= 0.01
        low, high = (low, factor) if enough else (factor, high)
    odds = 0.002 / 0.998 * high ** torch.arange(T, dtype=torch.float64)
    kept = torch.cat([torch.ones(1, dtype=torch.float64), 1 / (1 + odds)])
    return (kept[:-1] - kept[1:]) / kept[:-1]


def rescale_with_numpy(betas, T):
    kept = np.append(0.0, np.cumsum(np.log1p(-betas.numpy().astype(np.float64))))
    fall = np.interp(np.arange(T + 1) * len(betas) / T, np.arange(len(betas) + 1), kept)
    return torch.from_numpy(-np.expm1(np.diff(fall))).to(betas)


def rescale_by_overlap(betas, T):
    """Each new step holds a share of each old one, and that power of its alpha."""
    N = len(betas)
    old, new = torch.arange(N + 1, dtype=torch.float64), torch.arange(T + 1, dtype=torch.float64) * N / T
    shared = torch.minimum(old[1:], new[1:, None]) - torch.maximum(old[:-1], new[:-1, None])
    return 1 - torch.prod((1 - betas) ** shared.clamp(min=0), 1).to(betas)


def rescale_one_by_one(betas, T):
    kept, found = [1.0, *torch.cumprod(1 - betas, 0).tolist()], []
    last = kept[0]
    for t in range(1, T + 1):
        whole, rest = divmod(t * len(betas), T)
        now = kept[whole] if not rest else kept[whole] * (kept[whole + 1] / kept[whole]) ** (rest / T)
        found.append(1 - now / last)
        last = now
    return torch.tensor(found, dtype=betas.dtype)


def rescale_by_the_library(betas, T):
    """A sub-sequence of the library's tables; it has none between whole steps."""
    if len(betas) % T:
        return None
    kept = NoiseSchedule.from_betas(betas).alpha_bar[len(betas) // T - 1 :: len(betas) // T]
    return schedule_of_alpha_bar(kept).betas


ALTERNATIVES = {
    "04-rescale": [rescale_with_numpy, rescale_by_overlap, rescale_one_by_one],
    "04-cosine_alpha_bar": [cosine_by_half_angle, cosine_in_degrees, cosine_by_sine, cosine_with_numpy],
    "04-sigmoid_betas": [
        lambda u, low, high, k: low + (high - low) / (1 + (k * (1 - 2 * u)).exp()),
        sigmoid_by_tanh,
        sigmoid_between,
    ],
    "04-prior_kl": [prior_kl_by_distributions, kl_by_row, kl_with_einsum],
    "04-even_betas": [even_by_odds, even_by_search],
}


@pytest.mark.parametrize("name", schedules.BETAS)
def test_another_number_of_steps_keeps_both_ends_and_there_and_back_is_the_same(name):
    betas = schedules.by_name(name, 60)
    for T in (1, 7, 30, 60, 100):
        new = rescale(betas, T)
        assert new.shape == (T,)
        assert bool(((new > 0) & (new < 1)).all())
        torch.testing.assert_close((1 - new).prod(), (1 - betas).prod(), rtol=1e-9, atol=0)
    for finer in (rescale(betas, 180), betas):
        torch.testing.assert_close(rescale(finer, 60), betas, rtol=1e-9, atol=1e-12)


def test_the_score_is_the_librarys_largest_rise_and_the_bound_its_kl():
    d = torch.rand(50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for betas in (schedules.linear(50) * 20, schedules.cosine(50), 1e-3 + 0.5 * d * torch.linspace(0, 1, 50)):
        schedule = NoiseSchedule.from_betas(betas)
        rise = -schedule.snr.log().diff().min()
        assert largest_step(betas, 50, math.inf) == pytest.approx(rise.item(), rel=1e-9)
        kl = elbo.prior_kl(torch.ones(1, 784, dtype=torch.float64), schedule).item()
        assert largest_step(betas, 50, kl * (1 + 1e-9)) > 0
        with pytest.raises(CourseError, match=r"KL.* nats, want at most"):
            largest_step(betas, 50, kl * (1 - 1e-4))


def test_no_schedule_is_better_than_the_straight_line():
    best = largest_step(even_betas(50), 50)
    for seed in range(20):
        noise = torch.randn(50, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        moved = line_in_log_snr(50, 0.01).mul(1 + 0.01 * noise)
        moved[0], moved[-1] = 0.002, 0.999  # which keeps the bounds
        assert largest_step(moved, 50) > best


@pytest.mark.parametrize("variant", [0, 1, 2])
def test_in_every_version_the_line_has_all_marks_and_the_last_is_near_its_score(variant):
    check = CHECKS["04-even_betas"].under(variant=variant)
    best = score(check, check.reference)
    assert check.marks[-1][0] == check.points
    assert 1 < check.marks[-1][1] / best < 1.1
    linear, cosine = (check.mutants[n].function for n in (1, 2))
    for answer in (
        linear,
        cosine,
        *([even_betas] if variant else []),
    ):  # the public design answers no other version
        with pytest.raises(CheckFailed):
            examine(check, answer)


LIBRARY = {
    "04-rescale": rescale_by_the_library,
    # No function of the library designs one; what it must agree with is tested above.
    "04-even_betas": even_betas,
    "04-cosine_alpha_bar": cosine_by_the_library,
    "04-sigmoid_betas": sigmoid_by_the_library,
    "04-prior_kl": lambda x0, a: elbo.prior_kl(x0, schedule_of_alpha_bar(a)),
}
