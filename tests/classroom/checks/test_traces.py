"""What a wrong answer leaves behind, where no known mistake explains it."""

import pytest
import torch

from diffusion_course.classroom.checks import CHECKS, CheckFailed, examine

CHECK = CHECKS["07-ddim_sample"]


def told(answer):
    with pytest.raises(CheckFailed) as caught:
        examine(CHECK, answer)
    return str(caught.value)


def test_an_argument_that_makes_no_difference_is_named():
    table = torch.linspace(0.99, 0.01, 1000, dtype=torch.float64)
    said = told(lambda m, x, times, eta, noise, ab: CHECK.reference(m, x, times, eta, noise, table))
    assert "With another alpha_bar your result is the same" in said
    said = told(lambda m, x, times, eta, noise, ab: CHECK.reference(m, x, times, 0.123, noise, ab))
    assert "With another eta your result is the same" in said


def test_a_model_that_is_asked_less_often_is_told():
    def last_step_without_its_own_prediction(m, x, times, eta, noise, ab):
        states = CHECK.reference(m, x, times[:-1], eta, noise[:-1], ab)
        return torch.stack([*states, 0.3 * states[-1]])

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
