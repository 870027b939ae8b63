"""Shares and their error bars."""

import pytest
import torch
from oracles import wilson_by_inversion
from torch import nn

from diffusion_course import CourseError
from diffusion_course.experiments.metrics import count_recognised, wilson


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


class Brightness(nn.Module):
    """Class k for an image of constant value k, and a record of the batch sizes."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def forward(self, x):
        self.batches.append(len(x))
        return -(x.mean((1, 2, 3))[:, None] - torch.arange(10)).abs()


@pytest.mark.parametrize("batch", [3, 10, 500])
def test_count_recognised(batch):
    truth = torch.arange(20) % 10
    labels = truth.clone()
    labels[:4] += 1  # four wrong labels
    judge = Brightness()
    assert (
        count_recognised(judge, truth.double()[:, None, None, None].expand(-1, 1, 4, 4), labels, batch) == 16
    )
    assert sum(judge.batches) == 20
    assert max(judge.batches) <= batch
