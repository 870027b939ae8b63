"""What a wrong answer leaves behind, where no known mistake explains it."""

from itertools import pairwise

import pytest
import torch

from diffusion_course.classroom.checks import CHECKS, CheckFailed, examine
from diffusion_course.classroom.checks.ch07_ddim import ddim_step as step

CHECK = CHECKS["07-ddim_sample"]


def told(answer, check=CHECK):
    with pytest.raises(CheckFailed) as caught:
        examine(check, answer)
    return str(caught.value)


def test_an_argument_that_makes_no_difference_is_named():
    table = torch.linspace(0.99, 0.01, 1000, dtype=torch.float64)
    said = told(lambda m, x, times, eta, noise, ab: CHECK.reference(m, x, times, eta, noise, table))
    assert "With another alpha_bar your result is the same" in said
    said = told(lambda m, x, times, eta, noise, ab: CHECK.reference(m, x, times, 0.123, noise, ab))
    assert "With another eta your result is the same" in said


def test_of_several_arguments_that_make_no_difference_none_is_blamed():
    table = torch.linspace(0.99, 0.01, 1000, dtype=torch.float64)
    said = told(lambda m, x, times, eta, noise, ab: CHECK.reference(m, x, times, 0.123, noise, table))
    assert "your result depends on none of: eta, alpha_bar." in said


def test_a_model_that_is_asked_less_often_is_told():
    def last_step_without_its_own_prediction(m, x, times, eta, noise, ab):
        states = CHECK.reference(m, x, times[:-1], eta, noise[:-1], ab)
        return torch.stack([*states[:-1], 0.9 * states[-1], 0.3 * states[-1]])

    assert "eps_model was shown 6 samples; the right function shows it 8." in told(
        last_step_without_its_own_prediction
    )


def test_of_a_path_that_is_one_short_the_end_is_told():
    def louder(m, x, times, eta, noise, ab):
        return CHECK.reference(m, x, times, eta, -2 * noise, ab)

    assert "states[0] is wrong: is the first state missing?" in told(lambda *args: louder(*args)[1:])
    assert "states[0] is right, so a later state is missing." in told(lambda *args: louder(*args)[:-1])


def test_where_all_arguments_are_used_none_is_named():
    said = told(lambda m, x, times, eta, noise, ab: 1.7 * CHECK.reference(m, x, times, eta, noise, ab) + 0.3)
    assert "your result is the same" not in said


def test_of_a_path_the_first_state_is_told_to_be_the_argument_that_it_is():
    right = CHECK.reference
    said = told(lambda m, x, times, eta, noise, ab: right(m, 0.7 * x + 0.1, times, eta, noise, ab))
    assert "states[0] must be x_T itself, as it is given." in said
    said = told(lambda *args: (lambda states: torch.cat([states[1:], states[-1:]]))(right(*args)))
    assert "states[0] must be x_T itself, as it is given; yours is what states[1] should be." in said


def test_of_a_path_the_call_that_tells_a_model_another_time_is_told():
    def one_later_from_the_second_step_on(m, x, times, eta, noise, ab):
        def model(x_t, t):
            return m(x_t, t + 1 if t[0] < times[0] else t)

        return CHECK.reference(model, x, times, eta, noise, ab)

    said = told(one_later_from_the_second_step_on)
    assert "Call 2 of eps_model tells it t = 8 for the first sample, want 7." in said


def test_where_the_result_is_nan_no_argument_is_said_to_make_no_difference():
    said = told(lambda m, x, times, eta, noise, ab: CHECK.reference(m, x, times, eta, noise, ab) * torch.nan)
    assert "your result is the same" not in said


def test_the_weights_of_the_first_wrong_step_are_measured():
    """Two slips at once, which are no classic mistake together: smaller draws, and a state that shrinks in each step."""

    def sample(m, x, times, eta, noise, ab):
        states = [x]
        for (t, p), z in zip(pairwise([*times.tolist(), 0]), noise, strict=True):
            shrunk = 0.1 * states[-1] if p else 0
            states.append(step(m, states[-1], t, p, eta, 0.9 * z, ab) - shrunk)
        return torch.stack(states)

    said = told(sample)
    assert "On a run of 3 steps step 1 of yours multiplies states[0] by " in said
    assert ", noise[0] by 0.2995 (want 0.3328); the prediction by the right number." in said


def test_of_steps_that_are_not_linear_no_weights_are_told():
    right = CHECK.reference
    said = told(
        lambda m, x, times, eta, noise, ab: (lambda s: torch.cat([s[:1], s[1:] + 0.2 * s[1:] ** 2]))(
            right(m, x, times, eta, noise, ab)
        )
    )
    assert "multiplies" not in said


def test_where_a_model_is_shown_what_the_right_function_shows_that_is_told():
    """Two slips at once: the error of x_0, and a sum over the coordinates."""
    loss = CHECKS["06-conditional_loss"]

    def summed(model, x0, labels, sigma, eps, u, p, no_label):
        s = sigma.reshape(-1, *[1] * (x0.ndim - 1))
        answer = model(x0 + s * eps, sigma, torch.where(u < p, no_label, labels))
        return (answer - x0).square().flatten(1).sum(1).mean()

    assert (
        "Your function shows model what the right one does, so look at what it makes of the answer."
        in told(summed, loss)
    )
