"""Chapter 09: other right answers, and the same quantities from the library."""

import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from diffusion_course import Noise, samplers, schedules
from diffusion_course.classroom.checks import CHECKS, CheckFailed, examine
from diffusion_course.classroom.checks.ch09_grid import best_grid, distance
from diffusion_course.classroom.checks.engine import score
from diffusion_course.classroom.terms import reached
from diffusion_course.denoisers import DatasetDenoiser
from diffusion_course.errors import CourseError
from diffusion_course.experiments import data


def karras_by_weights(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    i = torch.arange(n, dtype=torch.float64)
    root = ((n - 1 - i) * sigma_max ** (1 / rho) + i * sigma_min ** (1 / rho)) / (n - 1)
    return F.pad(root**rho, (0, 1))


def karras_with_numpy(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    roots = np.linspace(sigma_max ** (1 / rho), sigma_min ** (1 / rho), n)
    return torch.from_numpy(np.concatenate([np.power(roots, rho), [0.0]]))


def karras_by_a_list(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    low, high = (sigma ** (1.0 / rho) for sigma in (sigma_min, sigma_max))
    sigmas = [(high + i / (n - 1) * (low - high)) ** rho for i in range(n)]
    return torch.tensor([*sigmas, 0], dtype=torch.double)


def heun_by_halves(D, x, sigma, sigma_next, noise=None):
    """Half the first slope, and half the second one where there is one."""
    step = sigma_next - sigma
    d = x.sub(D(x, sigma)).div(sigma)
    if not sigma_next:
        return torch.add(x, step * d)
    end = x + step * d
    return x + 0.5 * step * d + 0.5 * step * (end / sigma_next - D(end, sigma_next) / sigma_next)


def heun_by_a_mean(D, x, sigma, sigma_next, noise=None):
    def slope(v, s):
        return (v - D(v, s)) / s

    h, slopes = sigma_next - sigma, [slope(x, sigma)]
    if sigma_next.item() > 0:
        slopes.append(slope(x + h * slopes[0], sigma_next))
    return x + h * torch.stack(slopes).mean(0)


def heun_through_x0(D, x, sigma, sigma_next, noise=None):
    x0 = D(x, sigma)
    x_next = x0 + sigma_next / sigma * (x - x0)
    if sigma_next == 0:
        return x_next
    return x_next + (sigma_next - sigma) / 2 * (
        (x_next - D(x_next, sigma_next)) / sigma_next - (x - x0) / sigma
    )


def churn_by_gamma(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    if sigma < s_min or sigma > s_max:
        return x.clone(), sigma.clone()
    gamma = min(s_churn / num_steps, 2**0.5 - 1)
    return x + sigma * (gamma * (gamma + 2)) ** 0.5 * s_noise * eps, sigma + gamma * sigma


def churn_by_ratios(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """The variance as sigma^2 (ratio^2 - 1)."""
    inside = (sigma >= s_min) & (sigma <= s_max)
    ratio = torch.where(inside, sigma.new_tensor(min(1 + s_churn / num_steps, 2**0.5)), sigma.new_tensor(1.0))
    return torch.addcmul(x, (sigma**2 * (ratio**2 - 1)).sqrt() * s_noise, eps), ratio * sigma


def churn_with_numbers(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    level = float(sigma)
    gamma = 0.0
    if not (level < s_min or level > s_max):
        gamma = np.clip(s_churn / num_steps, 0, np.sqrt(2) - 1)
    raised = level * (1 + gamma)
    std = math.sqrt(raised**2 - level**2)
    return x + std * s_noise * eps, torch.as_tensor(raised, dtype=sigma.dtype, device=sigma.device)


def churned_by_the_library(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """What the library's sampler shows its denoiser first."""
    seen = []

    def D(x_hat, sigma_hat):
        seen.append((x_hat, sigma_hat))
        return x_hat

    step = samplers.edm(s_churn, s_min, s_max, s_noise, num_steps=num_steps)
    step(D, x, sigma, torch.zeros_like(sigma), SimpleNamespace(like=lambda _: eps))
    return seen[0]


def sampler_from_its_parts(D, x, sigmas, noise, s_churn, s_min, s_max, s_noise):
    """As a student has it, who wrote churn and heun_step."""
    n, states = len(noise), [x * sigmas[0]]
    for sigma, sigma_next, eps in zip(sigmas[:-1], sigmas[1:], noise, strict=True):
        x_hat, hat = churn_by_gamma(states[-1], sigma, eps, n, s_churn, s_min, s_max, s_noise)
        states.append(heun_through_x0(D, x_hat, hat, sigma_next))
    return torch.stack(states)


def sampler_in_one_piece(D, x, sigmas, noise, s_churn, s_min, s_max, s_noise):
    """Into a table, with slopes and no functions of its own."""
    steps = len(sigmas) - 1
    table = x.new_empty(steps + 1, *x.shape)
    table[0] = sigmas[0] * x
    for i in range(steps):
        level, following = sigmas[i].item(), sigmas[i + 1].item()
        gamma = min(s_churn / steps, 2**0.5 - 1) if s_min <= level <= s_max else 0
        hat = level + gamma * level
        raised = table[i] + noise[i] * s_noise * (hat**2 - level**2) ** 0.5
        d = (raised - D(raised, x.new_tensor(hat))) / hat
        table[i + 1] = raised + (following - hat) * d
        if following:
            again = (table[i + 1] - D(table[i + 1], x.new_tensor(following))) / following
            table[i + 1] = raised + (following - hat) * (0.5 * d + 0.5 * again)
    return table


def sampled_by_the_library(D, x, sigmas, noise, *knobs):
    """The library's loop and step; its noise source hands out the recorded draws."""
    draws = iter(noise)
    step = samplers.edm(*knobs, num_steps=len(noise))
    source = SimpleNamespace(like=lambda _: next(draws))
    return samplers.trajectory(D, sigmas[0] * x, sigmas, step, source).x


def grid_by_hand(n):
    """Numbers as someone writes them who has looked at the slider: ratios that are small between 7 and 0.6."""
    ratios = torch.tensor([2.4, 2.25, 2.0, 1.86, 1.83, 1.8, 1.87, 2.0, 2.6, 2.9, 2.9], dtype=torch.float64)
    return torch.cat([torch.tensor([80.0]), 80 / ratios.cumprod(0), torch.zeros(1)])


def test_the_score_is_the_distance_that_the_chapter_measures():
    """With the blurred denoiser of a finite data set in the place of the mixture, and Heun for the converged solution."""
    digits = data.load("mnist-5k", limit=4000).images[:300].double()
    bare = DatasetDenoiser(digits)

    def blurred(x, sigma):
        variance = sigma**2 + 0.01
        m = bare(x, variance.sqrt())
        return m + 0.01 / variance * (x - m)

    start = 80 * Noise(5).randn(40, 1, 28, 28, dtype=torch.float64)
    limit = samplers.sample(blurred, start, schedules.karras(257, rho=10.0), samplers.heun)
    sigmas = schedules.karras(12)
    error = (
        (samplers.sample(blurred, start, sigmas, samplers.dpmpp_2m()) - limit).square().mean((1, 2, 3)).sqrt()
    )
    assert distance(sigmas, 12) == pytest.approx(error.log().mean().exp().item(), rel=0.01)


def test_the_marks_are_not_within_rounding_of_what_people_try():
    marks = [bar for _, bar in CHECKS["09-best_grid"].marks]
    logarithms = torch.cat([torch.logspace(math.log10(80), math.log10(0.002), 12, dtype=torch.float64), ZERO])
    for sigmas in (
        *(schedules.karras(12, rho=float(rho)) for rho in (5, 7, 10, 14, 20, 40)),
        *(schedules.karras(12, low, 80.0, 7.0) for low in (0.005, 0.01, 0.02, 0.03)),
        logarithms,
        best_grid(12),
        grid_by_hand(12),
    ):
        score = distance(sigmas, 12)
        assert all(abs(score / bar - 1) > 0.005 for bar in marks), score


@pytest.mark.parametrize(
    ("sigmas", "words"),
    [
        ([80, 10, 10, 0], "not strictly decreasing: sigma_2 = 10 follows sigma_1 = 10"),
        ([80, 10, 20, 0], "not strictly decreasing: sigma_2 = 20 follows sigma_1 = 10"),
        ([80, 10, 1, 0.1], "ends at 0.1, want 0"),
        ([80, 10, 1, -0.1], "ends at -0.1, want 0"),
        ([50, 10, 1, 0], "begins at 50, want 80"),
        (
            [0, 1, 10, 80],
            "begins at 0, want 80, where nothing of the image is left; it falls to 0 from there",
        ),
        ([80, 10, -1, 0], "sigma_2 = -1 is negative"),
        ([math.log(80), 2, -1, 0], "begins at 4.38203, which is ln(80)"),
        ([6400, 100, 1, 0], "begins at 6400, which is 80^2"),
        ([80 / math.sqrt(6401), 0.9, 0.1, 0], "which is 80 / sqrt(1 + 80^2)"),
    ],
)
def test_what_is_no_grid_is_told_in_words(sigmas, words):
    with pytest.raises(CourseError, match=re.escape(words)):
        distance(torch.tensor(sigmas, dtype=torch.float64), 3)


@pytest.mark.parametrize(
    ("sigmas", "step", "evaluation"),
    [
        (torch.linspace(80, 0, 13).tolist(), "6.67 to 0", "66.7"),
        ([80, 12, 3, 0.8, 0.2, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 0], "12 to 3", "1e-08"),
    ],
)
def test_a_poor_grid_is_told_its_costliest_step_and_an_evaluation_that_gains_nothing(
    sigmas, step, evaluation
):
    with pytest.raises(CheckFailed) as caught:
        examine(CHECKS["09-best_grid"], lambda n: sigmas)
    assert f"The step from {step} costs most: in 8 small ones instead, the distance is " in str(caught.value)
    assert f"The evaluation at {evaluation} gains least" in str(caught.value)


def test_a_grid_of_whole_numbers_is_a_grid():
    with pytest.raises(CheckFailed, match="the grid begins at 12"):
        examine(CHECKS["09-best_grid"], lambda n: torch.arange(n, -1, -1))


def test_of_a_path_with_two_slips_the_hint_speaks_of_the_first_wrong_state_alone():
    def no_start_and_no_churn(D, x, sigmas, noise, *knobs):
        return sampler_from_its_parts(D, x / sigmas[0], sigmas, 0 * noise, *knobs)

    with pytest.raises(
        CheckFailed, match=r"\nAt the first wrong state this looks like a start that is not scaled"
    ):
        examine(CHECKS["09-edm_sampler"], no_start_and_no_churn)


def test_what_goes_with_the_grid_is_not_told_of_a_knob():
    """The cases that begin at 80 happen to be those with the most churn."""

    def longer_where_it_begins_at_80(D, x, sigmas, *rest):
        return sampler_from_its_parts(D, x * (1.1 if sigmas[0] == 80 else 1), sigmas, *rest)

    with pytest.raises(CheckFailed) as caught:
        examine(CHECKS["09-edm_sampler"], longer_where_it_begins_at_80)
    assert "s_churn is" not in str(caught.value)


def test_too_many_evaluations_are_told():
    with pytest.raises(CheckFailed, match=r"one entry too many(.|\n)*one evaluation too many"):
        examine(CHECKS["09-best_grid"], lambda n: schedules.karras(n + 1))
    with pytest.raises(CheckFailed, match=r"want \(13,\)(.|\n)*n evaluations are n falling sigmas"):
        examine(CHECKS["09-best_grid"], lambda n: schedules.karras(20))


@pytest.mark.parametrize("variant", [1, 2])
def test_another_version_has_all_marks_and_does_not_take_the_public_grid(variant):
    check = CHECKS["09-best_grid"].under(variant=variant)
    assert reached(check.marks, score(check, check.reference), lower=True) == check.points
    with pytest.raises(CheckFailed, match="the grid begins at 80"):
        examine(check, best_grid)


ZERO = torch.zeros(1, dtype=torch.float64)
ALTERNATIVES = {
    "09-edm_sampler": [sampler_from_its_parts, sampler_in_one_piece],
    "09-best_grid": [grid_by_hand],
    "09-karras_sigmas": [karras_by_weights, karras_with_numpy, karras_by_a_list],
    "09-heun_step": [heun_through_x0, heun_by_halves, heun_by_a_mean],
    "09-churn": [churn_by_gamma, churn_by_ratios, churn_with_numbers],
}

LIBRARY = {
    "09-edm_sampler": sampled_by_the_library,
    # No function of the library designs one; what its score measures is tested above.
    "09-best_grid": best_grid,
    "09-karras_sigmas": schedules.karras,
    "09-heun_step": samplers.heun,
    "09-churn": churned_by_the_library,
}
