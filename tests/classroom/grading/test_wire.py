"""Values go in and come out as they were; whatever else a run leaves behind is refused."""

import numpy as np
import pytest
import torch

from diffusion_course.classroom.checks import CHECKS
from diffusion_course.classroom.checks.call import call
from diffusion_course.classroom.checks.compare import alike
from diffusion_course.classroom.checks.engine import cases, result_fault
from diffusion_course.classroom.grading import wire


def through(value):
    tensors = {}
    words, back = wire.part(wire.join(wire.pack(value, tensors), tensors))
    return wire.unpack(words, back)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_reference_gives_the_same_on_inputs_that_came_as_data(check):
    for args in cases(check, "s"):
        there, here = call(check.reference, through(args)), call(check.reference, args)
        assert alike(there.value, here.value)
        assert there.evaluated == here.evaluated


@pytest.mark.parametrize(
    "value",
    [
        3,
        2.5,
        True,
        None,
        "x",
        float("inf"),
        (1, [2, (3,)]),
        torch.zeros(0, 3),
        torch.tensor(1),
        torch.rand(3, 4).T[::2],
    ],
)
def test_values_come_back(value):
    back = through(value)
    assert type(back) is type(value)
    assert torch.equal(back, value) if isinstance(value, torch.Tensor) else back == value


@pytest.mark.parametrize(
    "value", [np.arange(3), np.zeros((2, 0)), np.float64(1.5), np.int64(3), np.float32(0.1)]
)
def test_numbers_of_numpy_come_back(value):
    back = through([value])[0]
    assert type(back) is type(value)
    assert back.dtype == value.dtype
    assert np.array_equal(back, value)


@pytest.mark.parametrize(
    "make", [list, tuple, torch.Tensor.numpy, lambda x: x, lambda x: list(x.numpy()), torch.Tensor.tolist]
)
@pytest.mark.parametrize("check", [c for c in CHECKS.values() if c.score], ids=lambda c: c.id)
def test_a_design_that_the_notebook_takes_is_taken_from_outside(check, make):
    for args in cases(check, "s"):
        value = check.right(*args)
        if isinstance(value, torch.Tensor) and value.ndim == 1 and value.dtype != torch.bool:
            made = make(value.detach())
            assert result_fault(check, args, made, {}) == result_fault(check, args, through(made), {}) == ""


def test_gradients_are_recorded_where_they_were():
    assert through(torch.rand(2, requires_grad=True)).requires_grad
    assert not through(torch.rand(2)).requires_grad


def test_of_anything_else_the_type_is_told():
    for value in (np.array(["a"]), {1: 2}, through, np.str_("x")):
        assert type(through(value)).__name__ == type(value).__name__
        assert type(through(value)).__module__ == type(value).__module__


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b"\xff" * 64,
        b"{}\n" + (2**62).to_bytes(8, "little") + b"{}",
        b"PK\x03\x04",
        b"[" * 10**6 + b"\n",
    ],
)
def test_another_file_is_refused(content):
    with pytest.raises(wire.NotData):
        wire.part(content)


@pytest.mark.parametrize(
    "packed",
    [
        None,
        [],
        {},
        {"tensor": "9", "grad": False},
        {"toy": "Evil", "weights": "0"},
        {"plain": {}},
        {"items": 3, "tuple": True},
    ],
)
def test_other_words_are_refused(packed):
    with pytest.raises(wire.NotData):
        wire.unpack(packed, {"0": torch.zeros(1)})
