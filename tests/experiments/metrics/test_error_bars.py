"""Shares and their intervals; the jackknife."""

import math

import pytest
from clouds import gaussian
from oracles import wilson_by_inversion

from diffusion_course import CourseError
from diffusion_course.experiments import metrics
from diffusion_course.experiments.metrics import wilson


@pytest.mark.parametrize(("successes", "n"), [(1, 2), (86, 100), (980, 1000), (3, 1000), (49, 50)])
def test_wilson_is_the_inverted_score_test(successes, n):
    low, high = wilson(successes, n)
    expected = wilson_by_inversion(successes, n)
    assert abs(low - expected[0]) < 1e-10
    assert abs(high - expected[1]) < 1e-10
    assert low < successes / n < high


@pytest.mark.parametrize("n", [1, 10, 1000])
def test_wilson_at_the_ends(n):
    """At 0 of n the interval is 0 .. z^2 / (n + z^2), and at n of n its mirror image."""
    z2 = 1.96**2
    low, high = wilson(0, n)
    assert low == 0
    assert abs(high - z2 / (n + z2)) < 1e-12
    assert wilson(n, n) == pytest.approx((1 - high, 1.0))


def test_wilson_covers_what_it_promises():
    """95 % of the intervals hold the true share: exact, by adding up binomial probabilities."""
    n, p, covered = 50, 0.9, 0.0
    probability = (1 - p) ** n
    for k in range(n + 1):
        low, high = wilson(k, n)
        covered += probability * (low <= p <= high)
        probability *= (n - k) / (k + 1) * p / (1 - p)
    assert 0.92 < covered < 0.98


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_bad_counts(successes, n):
    with pytest.raises(CourseError, match=rf"^successes, n: got {successes}, {n}, want 0 <= successes <= n"):
        wilson(successes, n)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    x = gaussian(2000, 7)[:, 0]
    alone = metrics.jackknife(lambda rows: x[rows].mean().item(), len(x), groups=len(x))
    assert alone == pytest.approx((x.std() / math.sqrt(len(x))).item(), rel=1e-9)
    grouped = metrics.jackknife(lambda rows: x[rows].mean().item(), len(x))
    assert 0.4 * alone < grouped < 2 * alone


def test_the_jackknife_leaves_out_a_sample_in_each_group():
    """At the smallest number of samples each is left out once."""
    left = []
    metrics.jackknife(lambda rows: left.append(sorted({*range(5)} - {*rows.tolist()})) or 0.0, 5, groups=5)
    assert sorted(left) == [[i] for i in range(5)]
