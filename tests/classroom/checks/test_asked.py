"""What is said of a test of steps: how it lets wrong ones pass, or why it refuses right ones."""

import numpy as np
import pytest
import torch

from diffusion_course.classroom.checks import CHECKS, CheckFailed, examine
from diffusion_course.classroom.checks.ch07_asked import overlooked
from diffusion_course.classroom.checks.ch07_ddim import ddim_step
from diffusion_course.classroom.checks.ch07_is_right import probes, wave
from diffusion_course.classroom.checks.ch07_steps import specimens
from diffusion_course.classroom.checks.inputs import Draw

CHECK = CHECKS["07-is_right"]
STEPS = specimens(Draw(CHECK.id, 0, 0))


def judge(same, right=ddim_step, **inputs):
    """A test that compares step and right by same(got, want)."""

    def is_right(step):
        return all(bool(same(step(*case), right(*case))) for case in probes(**inputs))

    return is_right


def close(got, want):
    return (got - want).norm() <= 1e-8 * want.norm()


@pytest.mark.parametrize(
    "same",
    [
        lambda got, want: (got - want).norm() <= 0.05 * want.norm(),
        lambda got, want: (got.mean() - want.mean()).abs() < 0.1,
        lambda got, want: got.shape == want.shape,
        lambda got, want: torch.equal(got.sign(), want.sign()),
    ],
)
def test_a_comparison_that_lets_pass_is_told_the_error_on_an_input_of_its_own(same):
    said = overlooked(judge(same), STEPS)
    assert said.startswith("On your own input t = ")
    assert "the comparison lets it pass" in said


def test_one_sample_that_is_compared_is_told():
    said = overlooked(judge(lambda got, want: close(got[0], want[0])), STEPS)
    assert said.endswith("its first sample is right, so compare the whole batch.")


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ({"etas": [0.0]}, "eta is 0."),
        ({"etas": [0.0, 1.0]}, "eta is 0 or 1."),
        ({"z_scale": 0}, "z is 0."),
        ({"x_scale": 0, "model": lambda x, t: x}, "x_t is 0"),
        ({"model": lambda x, t: torch.cos(x)}, "the model does not look at t."),
        ({"jumps": [(1, 0), (500, 0), (1000, 0)]}, "t_prev is 0"),
        ({"jumps": [(2, 1), (500, 300), (1000, 500)]}, "t_prev is never 0"),
        ({"jumps": [(1, 0), (2, 1), (500, 499), (1000, 999)]}, "t_prev is t - 1."),
        ({"jumps": [(1, 0), (2, 1), (20, 0), (30, 10)]}, "no entry of the guess x0 is larger than"),
    ],
)
def test_what_all_inputs_have_in_common_is_told(inputs, why):
    said = overlooked(judge(close, **inputs), STEPS)
    assert said.startswith("What your inputs have in common: ")
    assert why in said


def test_one_input_alone_is_told():
    def returns_too_early(step):
        for case in probes():
            return bool(close(step(*case), ddim_step(*case)))

    assert "one input alone, as t = 1, t_prev = 0, eta = 1: does it return too early?" in overlooked(
        returns_too_early, STEPS
    )


def test_a_test_that_calls_no_step_is_told():
    for verdict in (True, False):
        assert overlooked(lambda step, v=verdict: v, STEPS).startswith("Your test calls no step")


def without_s2(m, x, t, p, eta, z, table):
    a, b = table[t - 1], table[p - 1] if p else table.new_ones(())
    s = eta * ((1 - b) / (1 - a) * (1 - a / b)).sqrt()
    eps = m(x, torch.full((len(x),), t))
    return b.sqrt() * (x - (1 - a).sqrt() * eps) / a.sqrt() + (1 - b).sqrt() * eps + s * z


def rounded_in_another_way(*args):
    return ddim_step(*args) * (1 + 1e-15)


@pytest.mark.parametrize(
    ("test", "why"),
    [
        (judge(close, right=without_s2), "says True of a step that is wrong for eta > 0: is that mistake"),
        (judge(close, dtype=torch.float32), "are in float32"),
        (judge(torch.equal), "differ from the others by rounding"),
        (judge(torch.equal, right=rounded_in_another_way), "Does is_right(ddim_step) say True?"),
        (
            judge(lambda got, want: got.shape == want.shape[:1]),
            "Does it say False? Then what it compares with",
        ),
    ],
)
def test_a_refused_right_step_is_told_why(test, why):
    assert why in overlooked(test, STEPS)
    with pytest.raises(CheckFailed) as caught:
        examine(CHECK, test)
    assert why in str(caught.value)
    assert "compare in float64" not in str(caught.value)


def test_the_opposite_and_the_right_test_are_told_nothing():
    right = judge(close)
    assert overlooked(right, STEPS) == ""
    assert overlooked(lambda step: np.logical_not(right(step)), STEPS) == ""


def test_a_model_that_takes_no_second_call_does_no_harm():
    def is_right(step):
        asked = []

        def once(x, t):
            assert not asked
            asked.append(t)
            return wave(x, t)

        x, z = torch.randn(2, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        return step(once, x, 500, 100, 0.5, z, next(probes())[-1]).shape == x.shape

    assert overlooked(is_right, STEPS) == ""


def test_a_test_that_uses_its_inputs_up_is_told_that_it_changes():
    left = list(probes())

    def is_right(step):
        while left:
            case = left.pop()
            if not close(step(*case), ddim_step(*case)):
                return False
        return True

    with pytest.raises(CheckFailed, match="two calls with equal inputs gave different results"):
        examine(CHECK, is_right)
