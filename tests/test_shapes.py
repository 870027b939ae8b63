"""Numbers and labels for the samples of a batch: which shapes fit, and where the values end up."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from shared import F64, draws

from diffusion_course import CourseError
from diffusion_course.shapes import (
    append_dims,
    check_answer,
    check_batch,
    check_rows,
    expand,
    number,
    per_row,
    per_sample,
    same,
)

events = st.lists(st.integers(1, 3), min_size=0, max_size=3)


@given(st.integers(1, 4), events)
def test_a_number_for_each_sample_multiplies_that_sample(B, event):
    x, values = draws(B, *event), draws(B, seed=1)
    for i, row in enumerate(expand(values, x) * x):
        assert torch.equal(row, values[i] * x[i])
    assert torch.equal(append_dims(values, x) * x, expand(values, x) * x)
    assert torch.equal(expand(values[0], x) * x, values[0] * x)
    assert torch.equal(per_sample(x), torch.stack([row.sum() for row in x]))


def test_a_python_number_is_exact_and_leaves_the_dtype_alone():
    x = torch.ones(2, 3)
    assert number(0.1).dtype == F64
    assert (expand(0.1, x) * x).dtype == torch.float32
    assert expand(torch.full((2,), 0.1, dtype=F64), x).dtype == torch.float32


def test_labels_become_one_for_each_row():
    x = torch.zeros(3, 2)
    assert per_row("labels", 4, x).tolist() == [4, 4, 4]
    assert per_row("labels", torch.tensor([1, 2, 3]), x).tolist() == [1, 2, 3]
    with pytest.raises(CourseError, match=r"^labels: got 'dogs', want a number for all samples, or \(B,\)$"):
        per_row("labels", "dogs", x)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3).filter(lambda shape: shape != [4]))
def test_what_does_not_fit_is_named(shape):
    x, value = torch.zeros(4, 2), torch.ones(shape)
    message = rf"^w: got shape \({', '.join(map(str, shape))},?\), want \(\) or \(4,\) to match x \(4, 2\)$"
    for refuse in (
        lambda: expand(value, x, "w"),
        lambda: per_row("w", value, x),
        lambda: check_rows("w", value, x),
    ):
        with pytest.raises(CourseError, match=message):
            refuse()


def test_one_value_passes_where_it_may():
    check_rows("t", torch.ones(1), torch.zeros(4, 2), one=True)


def test_two_tensors_and_an_answer_must_agree():
    x = torch.zeros(4, 2)
    same("a", x, "b", x)
    check_answer("D", x, x)
    check_batch("x", x, 2)
    with pytest.raises(CourseError, match=r"^b: got shape \(4,\), want \(4, 2\), the shape of a$"):
        same("a", x, "b", x[:, 0])
    with pytest.raises(CourseError, match=r"^b: is on meta and a on cpu"):
        same("a", x, "b", x.to("meta"))
    for answer, got in ((x[:1], r"\(1, 2\)"), (None, "NoneType")):
        with pytest.raises(CourseError, match=rf"^D: returned {got}, want a tensor of x's shape \(4, 2\)$"):
            check_answer("D", answer, x)
    for event in ((3,), (2, 1), ()):
        with pytest.raises(CourseError, match=r"^x: got shape \(4, 2\), want \(B, "):
            check_batch("x", x, *event)
