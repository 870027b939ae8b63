"""Whatever an answer returns, raises or does, a check says no in words: nothing but CheckFailed and NotDone leaves it."""

import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion_course.classroom.checks import CHECKS, CheckFailed, NotDone, examine


class Lying(torch.Tensor):
    """A subclass that raises at every operation."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        raise SystemExit(f"no {function}")


class Pretender:
    """It says that it is a tensor."""

    __class__ = torch.Tensor

    def __getattr__(self, name):
        raise ZeroDivisionError(name)


class Speechless(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def recursion(x):
    return recursion(x)


def like(args):
    """A tensor of the first argument's shape, or a single number."""
    found = [a for a in args if isinstance(a, torch.Tensor)]
    return torch.ones_like(found[0]) if found else torch.ones(3)


def backward(args):
    for a in args:
        if isinstance(a, torch.nn.Module):
            a.weights.sum().backward()
    return like(args)


def exits(args):
    sys.exit(3)


RETURNS = {
    "nothing": lambda args: None,
    "NaN": lambda args: like(args) * float("nan"),
    "infinity": lambda args: like(args) / 0,
    "complex": lambda args: like(args) * 1j,
    "bool": lambda args: like(args) > 0,
    "empty": lambda args: torch.empty(0),
    "sparse": lambda args: like(args).to_sparse(),
    "huge": lambda args: torch.ones(1).expand(10**9),
    "huge product": lambda args: torch.ones(1, 1).expand(10**6, 10**6),
    "meta": lambda args: like(args).to("meta"),
    "half": lambda args: like(args).half(),
    "nested": lambda args: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    "subclass that lies": lambda args: like(args).as_subclass(Lying),
    "parameter": lambda args: torch.nn.Parameter(like(args)),
    "pretender": lambda args: Pretender(),
    "generator": lambda args: (a for a in args),
    "tuple of itself": lambda args: (like(args), (like(args),)),
    "empty tuple": lambda args: (),
    "dictionary": lambda args: {"result": like(args)},
    "string": lambda args: "x" * 10**6,
    "class": lambda args: int,
    "model": lambda args: torch.nn.Linear(2, 2),
    "an argument": lambda args: args[0],
    "the last argument": lambda args: args[-1],
    "gradients": lambda args: like(args).requires_grad_() * 2,
    "unsupported view": lambda args: like(args).as_strided((1,), (0,)),
    "conjugate": lambda args: (like(args) * 1j).conj().imag,
    "backward inside": backward,
    "exit": exits,
    "recursion": lambda args: recursion(args),
}
RAISES = [
    ValueError("x" * 10**5),
    KeyError(),
    StopIteration(),
    GeneratorExit(),
    SystemExit(),
    MemoryError(),
    AssertionError({}),
    Speechless(),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "odd"),
    ExceptionGroup("several", [ValueError(1), TypeError(2)]),
    NotImplementedError(),
]
CHEAP = [
    "01-diffuse",
    "01-forward_chain",
    "02-posterior_mean_variance",
    "02-bound",
    "03-eps_loss",
    "06-drop_labels",
    "07-timestep_subsequence",
    "07-is_right",
    "07-name_faults",
    "09-churn",
]


def refused(exercise, answer):
    with pytest.raises((CheckFailed, NotDone)) as caught:
        examine(CHECKS[exercise], answer)
    assert str(caught.value).startswith(exercise)
    assert len(str(caught.value)) < 200_000


@pytest.mark.parametrize("exercise", CHEAP)
@pytest.mark.parametrize("name", RETURNS)
def test_an_answer_that_returns_anything(exercise, name):
    refused(exercise, _answer(exercise, RETURNS[name]))


@pytest.mark.parametrize("error", RAISES, ids=lambda e: type(e).__name__)
def test_an_answer_that_raises_anything(error):
    def raises(args):
        raise error

    for exercise in ("01-snr", "02-posterior_mean_variance", "03-eps_loss"):
        refused(exercise, _answer(exercise, raises))


shapes = st.lists(st.integers(0, 4), max_size=4)
dtypes = st.sampled_from(
    [torch.float32, torch.float64, torch.int64, torch.bool, torch.complex64, torch.bfloat16]
)
tensors = st.builds(lambda shape, dtype: torch.ones(shape, dtype=dtype), shapes, dtypes)
values = st.recursive(
    tensors | st.none() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(exercise=st.sampled_from(list(CHECKS)), value=values)
def test_an_answer_that_returns_drawn_values(exercise, value):
    refused(exercise, _answer(exercise, lambda args: value))


@pytest.mark.parametrize(
    "exercise", ["01-forward_chain", "04-even_betas", "06-guidance_scales", "12-best_stds"]
)
@pytest.mark.parametrize("value", [(0, 2**63), [2**64, 1.0, 2], [10**400, -(10**400), 1], [1, 2, 2**63]])
def test_an_answer_that_returns_integers_beyond_64_bits(exercise, value):
    refused(exercise, _answer(exercise, lambda args: value))


def test_a_right_value_that_only_sometimes_comes_is_refused():
    calls = iter(range(10**6))
    check = CHECKS["01-snr"]

    def sometimes(alpha_bar):
        if next(calls) == 25:
            raise SystemExit
        return check.reference(alpha_bar)

    refused("01-snr", sometimes)


def test_the_person_at_the_keyboard_is_heard():
    def interrupted(alpha_bar):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        examine(CHECKS["01-snr"], interrupted)


def _answer(exercise, body):
    """A function with the exercise's arguments that does body([...])."""
    names = ", ".join(CHECKS[exercise].parameters)
    return eval(f"lambda {names}: body([{names}])", {"body": body})
