"""Mutants made of the right function: one argument or the result changed, the rest as it was."""

import inspect

import torch

from diffusion_course.classroom.checks.slips import argument_slip, result_slip, squeezed


def scaled(x, factor=2.0, shift=0.0):
    return factor * x + shift


def test_one_argument_is_changed_given_or_left_to_its_default():
    slip = argument_slip("no shift.", scaled, "shift", lambda shift: shift + 1).function
    assert slip(5.0, 3.0, 10.0) == 26
    assert slip(5.0) == 11


def test_the_result_is_changed():
    assert result_slip("a minus.", scaled, lambda y: -y).function(5.0, 3.0) == -15


def test_every_axis_of_length_one_is_removed():
    assert squeezed(scaled).function(torch.ones(1, 3, 1)).shape == (3,)


def test_the_signature_and_the_defaults_stay():
    made = (argument_slip("a.", scaled, "factor", abs), result_slip("b.", scaled, abs), squeezed(scaled))
    assert all(inspect.signature(slip.function) == inspect.signature(scaled) for slip in made)
