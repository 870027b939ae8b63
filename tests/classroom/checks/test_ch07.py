"""Chapter 07: other right answers, and the same quantities from the library."""

import math
import re
from itertools import pairwise, product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from formulas import schedule_of_alpha_bar

from diffusion_course import denoisers, gaussian, noise, samplers, schedules
from diffusion_course.classroom.checks import CHECKS, CheckFailed, ch07_faults, ch07_steps, examine
from diffusion_course.classroom.checks.ch07_ddim import ddim_step
from diffusion_course.classroom.checks.ch07_is_right import remembered, tables, wave
from diffusion_course.classroom.checks.engine import accepts, appraisal, score
from diffusion_course.classroom.checks.inputs import Draw
from diffusion_course.classroom.checks.toy_steps import MOST_CALLS, ToyStep, asked
from diffusion_course.classroom.suspects import line_up


def ddim_through_the_posterior(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    a = torch.cat([alpha_bar.new_ones(1), alpha_bar])
    sigma, sigma_prev = (1 / a[t] - 1).sqrt(), (1 / a[t_prev] - 1).sqrt()
    eps = eps_model(x_t, t * torch.ones(len(x_t), dtype=torch.int64))
    fresh = eta * sigma_prev * (1 - (sigma_prev / sigma) ** 2).sqrt()
    x = x_t * (1 + sigma**2).sqrt() + ((sigma_prev**2 - fresh**2).sqrt() - sigma) * eps + fresh * z
    return x / (1 + sigma_prev**2).sqrt()


def ddim_by_coefficients(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """One factor for x_t, one for eps, one for z."""
    a = alpha_bar[t - 1]
    b = a.new_tensor(1.0) if t_prev == 0 else alpha_bar[t_prev - 1]
    variance = eta**2 * (1 - b) * (b - a) / ((1 - a) * b)
    eps = eps_model(t=torch.empty(len(x_t), dtype=torch.long).fill_(t), x_t=x_t)
    return (
        (b / a).sqrt() * x_t
        + ((1 - b - variance).sqrt() - (b * (1 - a) / a).sqrt()) * eps
        + variance**0.5 * z
    )


def ddim_by_the_family(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """a x0 + b x_t + s z, with the a and b of section 2."""
    table = [1.0, *alpha_bar.tolist()]
    now, then = table[t], table[t_prev]
    eps = eps_model(x_t, torch.as_tensor([t] * x_t.shape[0]))
    x0 = (x_t - math.sqrt(1 - now) * eps) / math.sqrt(now)
    s = eta * math.sqrt((1 - then) / (1 - now)) * math.sqrt(1 - now / then)
    b = math.sqrt((1 - then - s**2) / (1 - now))
    return (math.sqrt(then) - b * math.sqrt(now)) * x0 + b * x_t + s * z


def times_with_numpy(T, n, power):
    u = np.linspace(1.0, 0.0, n)
    return torch.tensor(1 + np.rint((T - 1) * u**power).astype(int), dtype=torch.int64)


def times_by_a_list(T, n, power):
    if n == 1:
        return torch.LongTensor([T])
    return torch.tensor([1 + round((T - 1) * ((n - 1 - i) / (n - 1)) ** power) for i in range(n)])


def slerp_by_unit_vectors(a, b, s):
    """The angle from the distance of the unit vectors: 2 arctan(|u - v| / |u + v|)."""
    shape = (len(a), *[1] * (a.ndim - 1))
    u, v = (torch.nn.functional.normalize(x.flatten(1)) for x in (a, b))
    theta = 2 * torch.atan2((u - v).norm(dim=1), (u + v).norm(dim=1)).view(shape)
    return torch.sin(theta - s * theta) / theta.sin() * a + torch.sin(s * theta) / theta.sin() * b


def slerp_one_by_one(a, b, s):
    rows = []
    for x, y in zip(a, b, strict=True):
        cosine = (x * y).sum() / torch.sqrt((x * x).sum() * (y * y).sum())
        theta = math.acos(cosine.detach())
        rows.append((math.sin((1 - s) * theta) * x + math.sin(s * theta) * y) / math.sin(theta))
    return torch.stack(rows)


def times_by_integers(T, n, power):
    """(T - 1) (k / (n - 1))^power, rounded without any fraction."""
    whole = max(n - 1, 1) ** power
    steps = range(n - 1, -1, -1) if n > 1 else [1]
    return torch.tensor([1 + (2 * (T - 1) * k**power + whole) // (2 * whole) for k in steps])


def slerp_by_rotation(a, b, s):
    """Turn a towards b by s theta: cos(s theta) and sin(s theta) along a and across it."""
    flat = [x.flatten(1) for x in (a, b)]
    u, v = (x / x.norm(dim=1, keepdim=True) for x in flat)
    cosine = (u * v).sum(1, keepdim=True)
    sine = (v - cosine * u).norm(dim=1, keepdim=True)
    turn = s * torch.atan2(sine, cosine)
    across = turn.sin() / sine
    return ((turn.cos() - across * cosine) * flat[0] + across * flat[1]).reshape(a.shape)


def ddim_by_the_library(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    s = schedule_of_alpha_bar(alpha_bar)
    sigma, sigma_prev = (s.sigma(u) if u else torch.zeros((), dtype=torch.float64) for u in (t, t_prev))
    step = samplers.ddim(eta)
    D, x = denoisers.from_eps(eps_model, s), gaussian.to_ve(x_t, sigma)
    return gaussian.to_vp(step(D, x, sigma, sigma_prev, SimpleNamespace(like=lambda _: z)), sigma_prev)


def times_by_the_library(T, n, power):
    times = {1: schedules.uniform_timesteps, 2: schedules.quadratic_timesteps}[power](T, n)
    # The library moves quadratic times apart that round to one integer, at the small end.
    crowded = power == 2 and n > 1 and (T - 1) * (2 / (n - 1)) ** 2 < 4
    return None if crowded else times


def sample_into_a_table(eps_model, x_T, times, eta, noise, alpha_bar):
    states = x_T.new_empty(len(times) + 1, *x_T.shape)
    states[0] = x_T
    table = torch.cat([alpha_bar.new_ones(1), alpha_bar])
    for k in range(len(times)):
        a = table[times[k]]
        b = table[times[k + 1]] if k + 1 < len(times) else table[0]
        eps = eps_model(states[k], times[k].expand(len(x_T)))
        s2 = eta**2 * (1 - b) / (1 - a) * (1 - a / b)
        x0 = (states[k] - (1 - a).sqrt() * eps) / a.sqrt()
        states[k + 1] = b.sqrt() * x0 + (1 - b - s2).sqrt() * eps + s2.sqrt() * noise[k]
    return states


def sample_with_a_while(eps_model, x_T, times, eta, noise, alpha_bar):
    left, draws, path = times.tolist(), list(noise), (x_T,)
    while left:
        t, z = left.pop(0), draws.pop(0)
        path += (ddim_by_coefficients(eps_model, path[-1], t, left[0] if left else 0, eta, z, alpha_bar),)
    return torch.stack(path, dim=0)


def sample_in_ve(eps_model, x_T, times, eta, noise, alpha_bar):
    """The loop of the library, on recorded noise."""
    s = schedule_of_alpha_bar(alpha_bar)
    grid = s.grid(times)
    step, draws = samplers.ddim(eta), iter(noise)
    replay, D = SimpleNamespace(like=lambda x: next(draws)), denoisers.from_eps(eps_model, s)
    states = [gaussian.to_ve(x_T, grid[0])]
    for sigma, sigma_next in pairwise(grid):
        states.append(step(D, states[-1], sigma, sigma_next, replay))
    return torch.stack([gaussian.to_vp(x, sigma) for x, sigma in zip(states, grid, strict=True)])


@remembered
def judged_on_many_draws(step):
    """Sixty inputs at random, and the ends."""
    draw = torch.Generator().manual_seed(5)
    jumps = [(1, 0), (2, 1), (700, 1)]
    for _ in range(60):
        t = int(torch.randint(1, 1001, (), generator=draw))
        jumps.append((t, int(torch.randint(0, t, (), generator=draw))))
    for number, (t, t_prev) in enumerate(jumps):
        x, z = 3 * torch.randn(2, 2, 1, 4, generator=draw, dtype=torch.float64)
        case = wave, x, t, t_prev, (0.3, 0.7, 1)[number % 3], z, tables()[number % 2]
        got, want = step(*case), ddim_step(*case)
        if not np.allclose(got, want, atol=1e-8 * want.abs().max().item()):
            return np.bool_(False)
    return np.bool_(True)


@remembered
def judged_by_coefficients(step):
    """Which times the model is told, and the factors of x, eps and z."""
    for table, (t, p), eta in product(tables(), ((1, 0), (2, 1), (600, 300), (999, 0), (900, 1)), (0.5, 1)):
        told, eps = [], torch.tensor([[1.0], [-2.0]], dtype=torch.float64)
        x, z = torch.tensor([[[5.0], [3.0]], [[7.0], [-11.0]]], dtype=torch.float64)
        got = step(lambda x, times, told=told, eps=eps: (told.append(times), eps)[1], x, t, p, eta, z, table)
        a, b = table[t - 1].item(), table[p - 1].item() if p else 1.0
        s = eta * math.sqrt((1 - b) / (1 - a) * (1 - a / b))
        direction = math.sqrt(max(1 - b - s * s, 0)) - math.sqrt(b * (1 - a) / a)
        want = math.sqrt(b / a) * x + direction * eps + s * z
        if any(bool((times != t).any()) for times in told) or not torch.allclose(got, want, rtol=1e-7):
            return torch.tensor(False)
    return (got == got).all()


def judged_by_the_library(step):
    cases = ((wave, *case) for case in _inputs())
    return all(torch.allclose(step(*case), ddim_by_the_library(*case), rtol=1e-7) for case in cases)


def _inputs():
    x, z = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for table, (t, p), eta in product(tables(), ((1, 0), (2, 1), (500, 0), (900, 400), (999, 1)), (0.5, 1.0)):
        yield x, t, p, eta, z, table


ALTERNATIVES = {
    "07-ddim_sample": [sample_into_a_table, sample_with_a_while],
    "07-is_right": [judged_on_many_draws, judged_by_coefficients],
    "07-name_faults": [
        lambda: ch07_faults.faults_of("amber"),
        lambda: tuple(ch07_faults.faults_of("amber")),
    ],
    "07-ddim_step": [ddim_through_the_posterior, ddim_by_coefficients, ddim_by_the_family],
    "07-timestep_subsequence": [times_by_integers, times_with_numpy, times_by_a_list],
    "07-slerp": [slerp_by_rotation, slerp_by_unit_vectors, slerp_one_by_one],
}

LIBRARY = {
    "07-ddim_sample": sample_in_ve,
    "07-is_right": lambda steps: asked(remembered(judged_by_the_library), (steps,)),
    # No function of the library knows what is planted; what the numbers say is tested below.
    "07-name_faults": ch07_faults.name_faults,
    "07-ddim_step": ddim_by_the_library,
    "07-timestep_subsequence": times_by_the_library,
    "07-slerp": noise.slerp,
}


# ---- steps that are data, and a test of them


def test_a_step_in_words_is_a_step():
    d = Draw("07-is_right", 3, 0)
    steps = ch07_steps.specimens(d)
    assert len(steps) == len(ch07_steps.RIGHT) + len(ch07_steps.WRONG)
    for step, right in zip(steps, steps.right, strict=True):
        errors = []
        for case in _inputs():
            want = ddim_step(wave, *case)
            errors.append(float((step(wave, *case) - want).norm() / want.norm()))
        assert max(errors) < 1e-12 if right else max(errors) > 3e-3, step.words


def test_seeds_draw_other_names_orders_and_numbers():
    first, second = (ch07_steps.specimens(Draw("07-is_right", seed, 0)) for seed in (0, 1))
    assert not {s.words for s in first} & {s.words for s in second}
    assert first.shows != second.shows
    for one in (*first, *second):
        assert str(one) == "<step>"
        assert one.__name__ == "step"


def test_a_test_that_asks_too_often_is_stopped():
    step = ToyStep(ch07_steps.TEXTBOOK)
    for _ in range(MOST_CALLS):
        step(wave, *next(_inputs()))
    with pytest.raises(RuntimeError, match="more than 300 times"):
        step(wave, *next(_inputs()))


def refused(exercise, answer):
    with pytest.raises(CheckFailed) as caught:
        examine(CHECKS[exercise], answer)
    return str(caught.value)


def test_every_way_to_say_yes_or_no_counts():
    right = CHECKS["07-is_right"].reference
    for form in (bool, np.bool_, torch.tensor, lambda yes: torch.tensor([yes])):
        assert score(CHECKS["07-is_right"], lambda step, form=form: form(right(step))) == 1


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "it returned None, want True or False"),
        (1, "it returned a int, want True or False"),
        (0.3, "it returned a float, want True or False"),
        ("yes", "it returned a str, want True or False"),
        (
            torch.zeros(3) == 0,
            "it returned a tensor of shape (3,), want True or False; torch.allclose gives one",
        ),
    ],
)
def test_anything_else_is_told(value, why):
    assert why in refused("07-is_right", lambda step: value)


def test_a_test_that_asserts_or_looks_behind_a_step_is_told():
    def asserts(step):
        assert step is None, "not what I expected"

    assert "of a wrong one return False" in refused("07-is_right", asserts)
    assert refused("07-is_right", asserts).endswith("as assert does: return False.")
    for name in ("__code__", "__qualname__", "formula"):
        said = refused("07-is_right", lambda step, name=name: getattr(step, name) is None)
        assert f"a step has no {name}; call it, and look at what it does" in said


def test_a_test_must_not_change_its_mind():
    seen = iter(range(10**6))
    right = CHECKS["07-is_right"].reference
    assert "two calls with equal inputs" in refused(
        "07-is_right", lambda step: right(step) and next(seen) < 8
    )
    assert "random state" in refused("07-is_right", lambda step: right(step) and bool(torch.randn(1) < 99))


def test_part_of_the_marks_says_what_passes():
    """A test that forgets t_prev = 1 and batches has the first mark."""

    def is_right(step):
        cases = ((wave, x[:1], t, p, eta, z[:1], table) for x, t, p, eta, z, table in _inputs() if p != 1)
        return all(torch.allclose(step(*case), ddim_step(*case), rtol=1e-7) for case in cases)

    share, words = appraisal(CHECKS["07-is_right"], is_right)
    assert share == pytest.approx(1 - 3 / 38)
    assert words.startswith(
        "2 of 6 points: the share of the wrong steps that it refuses is 0.921; the marks are"
    )
    assert "are wrong: 1 at t_prev = 1; 2 in batches of several samples.\n" in words
    assert "in common: t_prev is never 1; the batch has one sample.\nLook at section 4" in words


def test_one_false_refusal_costs_all():
    right = CHECKS["07-is_right"].reference
    said = refused(
        "07-is_right", lambda step: right(step) and "h * h" not in step.words and "**" not in step.words
    )
    assert "False of 1 of the 8 right steps, and one is enough to lose all points" in said


# ---- what the chapter says of them


def chapter():
    (path,) = (Path(__file__).parents[3] / "solutions").glob("07_*.py")
    return re.sub(r"\s*\n# +", " ", path.read_text(encoding="utf-8")).replace("$", "").replace("`", "")


def test_the_text_counts_the_steps():
    assert len(ch07_steps.RIGHT) == 8
    assert "There are eight right ones" in chapter()
    assert f"There are {len(ch07_steps.WRONG)} wrong ones" in chapter()
    assert f"Your test may call each step {MOST_CALLS} times at most" in chapter()


# ---- the line-ups


def test_the_text_lists_the_faults_in_these_words():
    for number, words in enumerate(ch07_faults.FAULTS, 1):
        assert f"{number}. {words.replace('eta', chr(92) + 'eta')}" in chapter()


@pytest.mark.parametrize("variant", range(len(CHECKS["07-name_faults"].variants)))
def test_a_line_up_has_five_faults_and_the_public_answer_names_no_other(variant):
    check = CHECKS["07-name_faults"].under(variant=variant)
    assert len(set(check.reference().tolist())) == 5
    assert accepts(check, check.reference)
    assert accepts(check, ch07_faults.name_faults) == (variant == 0)
    for mutant in check.mutants:
        with pytest.raises(CheckFailed) as caught:
            examine(check, mutant.function)
        assert caught.value.diagnosis == mutant.hint


def test_every_sampler_of_a_line_up_is_wrong_and_no_two_are_alike():
    d = Draw("07-ddim_sample", 0, 0)
    args = d.eps_model(), d.x(), torch.tensor([8, 5, 3]), 0.7, d.normal(3, d.B, *d.event), d.alpha_bar()
    made = [s(*args) for s in line_up("amber").values()] + [CHECKS["07-ddim_sample"].reference(*args)]
    assert not any(torch.allclose(made[i], made[j]) for i in range(6) for j in range(i))
    assert len({repr(s).partition(" at ")[0] for s in line_up("amber").values()}) == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ([3, 3, 1, 2, 5], "want five different faults"),
        ([3, 5, 2, 8, 9], "sampler E is said to have fault 9, want a number of the list, 1 to 8"),
        ([3, 5, 2], "has shape (3,), want (5,)"),
        ([3, 5, 2, 8, None], "entry 5 of the list of faults is None, want a list of 5 numbers, or a tensor"),
        (["3", "5", "2", "8", "1"], "entry 1 of the list of faults is '3', want a list of 5 numbers"),
        ({"A": 3}, "is of type dict, want a list of 5 numbers, or a tensor of shape (5,)"),
        ([6, 7, 1, 5, 4], "An experiment speaks against one of your names: compare states"),
        ([4, 7, 1, 5, 6], "An experiment speaks against one of your names: switch off all but one part"),
        ([3, 5, 1, 2, 8], "named right is short of 3; the marks are 2 points from 3 up"),
    ],
)
def test_what_is_wrong_with_a_list_is_told(answer, why):
    assert why in refused("07-name_faults", lambda: answer)


def test_of_a_list_that_is_right_in_part_neither_the_number_nor_the_names_are_told():
    told = {}
    for names in ([3, 5, 2, 1, 8], [3, 5, 2, 8, 7]):
        number, words = appraisal(CHECKS["07-name_faults"], lambda names=names: names)
        told[number] = words.split("\n")
    assert set(told) == {3, 4}
    assert told[3][0] == told[4][0]
    assert (
        "2 or more of 5 points: the number of samplers whose fault is named right is 3 at least" in told[3][0]
    )
    assert told[3][1].startswith("An experiment speaks against one of your names: watch the model")
    assert told[4][1].startswith("An experiment speaks against one of your names: compare states")
    assert "Look at section 4" in told[3][2]


def test_an_experiment_is_known_for_every_fault():
    assert sorted(n for kind in ch07_faults.EXPERIMENTS.values() for n in kind) == list(range(1, 9))


def test_the_last_of_two_equal_beginnings_is_not_told_where_the_states_after_it_part():
    """At the first wrong state three slips of the draws are one; which it is shows in the next."""
    right = CHECKS["07-ddim_sample"].reference
    said = refused(
        "07-ddim_sample", lambda m, x, times, eta, noise, ab: lean(right(m, x, times, eta, noise.flip(0), ab))
    )
    assert "At the first wrong state this looks like noise read backwards" in said


def lean(states):
    return torch.cat([states[:-1], 1.1 * states[-1:]])
