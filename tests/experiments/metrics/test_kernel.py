"""KID: the definition, unbiasedness by counting every sample, and its error bar."""

import itertools

import pytest
import torch
from clouds import gaussian, turn
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion_course import CourseError
from diffusion_course.experiments import metrics


def k(x, y):
    return (x @ y / len(x) + 1) ** 3


def definition(a, b):
    """Gretton et al. 2012, eq. 3, pair by pair."""
    n, m = len(a), len(b)
    aa = sum(k(a[i], a[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    bb = sum(k(b[i], b[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return (aa + bb - 2 * sum(k(x, y) for x in a for y in b) / (n * m)).item()


@pytest.mark.parametrize(("n", "m", "dims"), [(2, 2, 1), (5, 3, 4), (4, 9, 2)])
def test_kid_is_its_definition(n, m, dims):
    a, b = gaussian(n, 0, dims=dims), gaussian(m, 1, dims=dims, shift=0.5)
    assert metrics.kid(a, b) == pytest.approx(definition(a, b), rel=1e-12)


def test_kid_is_unbiased():
    """Over all pairs of samples from two finite populations, each drawn with replacement, its mean is the populations' MMD^2."""
    p, q = gaussian(3, 0, dims=2), gaussian(3, 1, dims=2, shift=1.0)
    truth = 0.0
    for x, y, sign in ((p, p, 1), (q, q, 1), (p, q, -2)):
        truth += sign * sum(k(u, v) for u in x for v in y).item() / 9
    values = [
        metrics.kid(p[list(rows)], q[list(columns)])
        for rows in itertools.product(range(3), repeat=3)
        for columns in itertools.product(range(3), repeat=2)
    ]
    assert sum(values) / len(values) == pytest.approx(truth, rel=1e-12)


def test_the_mean_over_all_subsets_is_the_value_of_the_whole():
    """What makes numbers of different N compare: every pair of subsets of 3 and of 2, without replacement."""
    a, b = gaussian(6, 2, dims=3), gaussian(5, 3, dims=3)
    values = [
        metrics.kid(a[list(rows)], b[list(columns)])
        for rows in itertools.combinations(range(6), 3)
        for columns in itertools.combinations(range(5), 2)
    ]
    assert sum(values) / len(values) == pytest.approx(metrics.kid(a, b), rel=1e-12)
    assert min(values) < 0  # what no biased estimate is, and no squared distance


@given(seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_kid_is_symmetric_and_turns_with_the_features(seed):
    a, b = gaussian(12, seed), gaussian(9, seed + 1, shift=0.3)
    value = metrics.kid(a, b)
    assert metrics.kid(b, a) == pytest.approx(value, rel=1e-9, abs=1e-12)
    assert metrics.kid(a @ turn(5, seed), b @ turn(5, seed)) == pytest.approx(value, rel=1e-9, abs=1e-12)
    assert metrics.kid(a.flip(0), b) == pytest.approx(value, rel=1e-9, abs=1e-12)


def test_the_rows_in_memory_do_not_change_it(monkeypatch):
    a, b = gaussian(30, 0), gaussian(20, 1)
    whole = metrics.kid_with_error(a, b)
    monkeypatch.setattr("diffusion_course.experiments.metrics.kernel.ROWS", 7)
    assert metrics.kid_with_error(a, b) == pytest.approx(whole, rel=1e-12)


def test_the_error_is_the_jackknifes():
    """With a group for each point: every point left out by hand."""
    a, b = gaussian(6, 0), gaussian(6, 1, shift=0.4)
    value, error = metrics.kid_with_error(a, b, groups=5)
    assert value == pytest.approx(metrics.kid(a, b), rel=1e-12)
    generator = torch.Generator().manual_seed(0)
    groups = [torch.randperm(6, generator=generator) % 5 for _ in range(2)]
    left_a = torch.tensor([metrics.kid(a[groups[0] != g], b) for g in range(5)], dtype=torch.float64)
    left_b = torch.tensor([metrics.kid(a, b[groups[1] != g]) for g in range(5)], dtype=torch.float64)
    assert error**2 == pytest.approx(metrics.scatter(left_a) ** 2 + metrics.scatter(left_b) ** 2, rel=1e-9)


def test_the_error_bar_is_as_wide_as_the_scatter_of_repeated_draws():
    draws = [
        metrics.kid_with_error(gaussian(60, 2 * i, dims=3), gaussian(60, 2 * i + 1, dims=3, shift=0.5))
        for i in range(150)
    ]
    values, errors = torch.tensor(draws, dtype=torch.float64).T
    assert errors.square().mean().sqrt() == pytest.approx(values.std().item(), rel=0.2)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: metrics.kid(gaussian(1, 0), gaussian(5, 0)), "a, b: got shapes (1, 5), (5, 5), want (N, d)"),
        (lambda: metrics.kid(gaussian(5, 0), gaussian(5, 0, dims=2)), "a, b: got shapes (5, 5), (5, 2)"),
        (lambda: metrics.kid(gaussian(5, 0), gaussian(5, 0) * torch.nan), "b: hold NaN"),
        (
            lambda: metrics.kid_with_error(gaussian(9, 0), gaussian(30, 0)),
            "groups: got 10, want an integer in 2..8",
        ),
    ],
)
def test_bad_input_is_told(call, told):
    with pytest.raises(CourseError) as caught:
        call()
    assert str(caught.value).startswith(told)
