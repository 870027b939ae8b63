"""Shares and their error bars."""

import inspect
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import wilson_by_inversion
from torch import nn

from diffusion_course import CourseError
from diffusion_course.experiments import metrics
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


def gaussian(n, seed, shift=0.0, scale=1.0):
    return shift + scale * torch.randn(
        n, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def exact_sample(mean, covariance, n=400):
    """Points whose sample mean and sample covariance are exactly these."""
    x = gaussian(n, 0)[:, : len(mean)]
    x = x - x.mean(0)
    white = x @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.T))).T
    return white @ torch.linalg.cholesky(covariance).T + mean


def test_the_frechet_distance_of_gaussians_that_commute_is_the_textbook_number():
    mean_a, mean_b = torch.tensor([1.0, -2.0, 0.5]).double(), torch.tensor([0.0, 1.0, 0.5]).double()
    std_a, std_b = torch.tensor([1.0, 0.3, 2.0]).double(), torch.tensor([0.5, 0.4, 2.0]).double()
    a, b = exact_sample(mean_a, (std_a**2).diag()), exact_sample(mean_b, (std_b**2).diag())
    want = (mean_a - mean_b).square().sum() + (std_a - std_b).square().sum()
    assert metrics.frechet(a, b) == pytest.approx(want.item(), abs=1e-9)


@given(seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_the_frechet_distance_is_a_distance(seed):
    g = torch.Generator().manual_seed(seed)
    a, b = (torch.randn(40, 5, generator=g) @ torch.randn(5, 5, generator=g) for _ in range(2))
    turn = torch.linalg.qr(torch.randn(5, 5, generator=g, dtype=torch.float64)).Q
    d = metrics.frechet(a, b)
    assert d >= 0
    assert metrics.frechet(a, a) == pytest.approx(0, abs=1e-9)
    assert metrics.frechet(b, a) == pytest.approx(d, rel=1e-9)
    assert metrics.frechet(a.double() @ turn, b.double() @ turn) == pytest.approx(d, rel=1e-8)


def test_the_frechet_distance_agrees_with_pytorch_fid():
    fid = pytest.importorskip("pytorch_fid.fid_score")
    linalg = pytest.importorskip("scipy.linalg")
    if "disp" not in inspect.signature(linalg.sqrtm).parameters:
        pytest.skip("this SciPy no longer runs pytorch-fid's distance")
    a, b = gaussian(300, 1) @ gaussian(5, 3), gaussian(200, 2, shift=0.3)
    stats = [s for x in (a, b) for s in (x.mean(0).numpy(), np.cov(x.numpy(), rowvar=False))]
    assert metrics.frechet(a, b) == pytest.approx(fid.calculate_frechet_distance(*stats), rel=1e-6)


def test_features_of_rank_one_have_a_frechet_distance():
    a, b = torch.ones(10, 3), 3 * torch.ones(10, 3)
    assert metrics.frechet(a, b) == pytest.approx(12)


@pytest.mark.parametrize(("a", "b"), [((4, 3), (4, 2)), ((1, 3), (4, 3)), ((4,), (4,))])
def test_features_that_do_not_fit_are_told(a, b):
    with pytest.raises(CourseError, match="want \\(N, d\\), \\(M, d\\)"):
        metrics.frechet(torch.zeros(a), torch.zeros(b))


def test_precision_falls_with_odd_samples_and_recall_with_missing_modes():
    real = torch.cat([gaussian(100, 1), gaussian(100, 2, shift=50)])
    one_mode = gaussian(200, 3)
    half_odd = torch.cat([gaussian(100, 4), gaussian(100, 5, shift=-50)])
    precision, recall = metrics.precision_recall(real, one_mode)
    assert precision > 0.8
    assert recall == pytest.approx(0.5, abs=0.1)  # the second mode is never sampled
    precision, recall = metrics.precision_recall(real, half_odd)
    assert precision == pytest.approx(0.5, abs=0.1)
    assert metrics.precision_recall(real, real) == (1.0, 1.0)


def test_precision_by_hand():
    real, made = torch.tensor([[0.0], [1.0], [2.0], [10.0]]), torch.tensor([[0.5], [3.5], [17.0], [18.5]])
    # k = 1: the balls around the real points have radii 1, 1, 1, 8; of the samples, 0.5, 3.5 and 17 lie in one;
    # around the samples 3, 3, 1.5, 1.5, and of the real points 10 lies in none.
    assert metrics.precision_recall(real, made, k=1) == (0.75, 0.75)


def test_precision_needs_more_points_than_neighbours():
    with pytest.raises(CourseError, match="k: got 3, want 1 <= k < 3"):
        metrics.precision_recall(torch.zeros(3, 2), torch.zeros(9, 2))


def test_the_jackknife_of_a_mean_is_its_standard_error():
    x = gaussian(2000, 7)[:, 0]
    alone = metrics.jackknife(lambda rows: x[rows].mean().item(), len(x), groups=len(x))
    assert alone == pytest.approx((x.std() / math.sqrt(len(x))).item(), rel=1e-9)
    grouped = metrics.jackknife(lambda rows: x[rows].mean().item(), len(x))
    assert 0.4 * alone < grouped < 2 * alone


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_is_told_and_not_judged(bad):
    """A judge gives NaN some class too, and an eigenvalue solver blames the matrix."""
    images = torch.zeros(20, 1, 8, 8)
    images[3, 0, 2, 2] = bad
    points = gaussian(20, 0)
    spoilt = points.clone()
    spoilt[3, 2] = bad
    labels = torch.zeros(20, dtype=torch.long)
    for call, name in (
        (lambda: count_recognised(Brightness(), images, labels), "images"),
        (lambda: metrics.features(Brightness(), images), "images"),
        (lambda: metrics.frechet(spoilt, points), "a"),
        (lambda: metrics.frechet(points, spoilt), "b"),
        (lambda: metrics.precision_recall(spoilt, points), "real"),
        (lambda: metrics.precision_recall(points, spoilt), "made"),
        (lambda: metrics.jackknife(lambda rows: bad, 20), "statistic"),
        (lambda: metrics.wilson(1, 2, z=bad), "z"),
    ):
        with pytest.raises(CourseError, match=f"^{name}: "):
            call()


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            lambda: metrics.jackknife(lambda rows: 0.0, 9),
            "groups: got 10, want an integer in 2..9, the number of samples",
        ),
        (lambda: metrics.jackknife(lambda rows: 0.0, 9, groups=1), "groups: got 1, want an integer in 2..9"),
        (lambda: metrics.jackknife(lambda rows: 0.0, 1), "n: got 1, want an integer >= 2"),
        (
            lambda: metrics.precision_recall(gaussian(9, 0), gaussian(9, 0), k=1.5),
            "k: got 1.5, want an integer >= 1",
        ),
        (lambda: metrics.precision_recall(gaussian(9, 0), gaussian(9, 0)[:, :2]), "real, made: got shapes"),
        (
            lambda: count_recognised(Brightness(), torch.zeros(3, 1, 8, 8), torch.zeros(2)),
            "labels: got shape (2,)",
        ),
        (lambda: metrics.features(Brightness(), torch.zeros(0, 1, 8, 8)), "images: got shape (0, 1, 8, 8)"),
    ],
)
def test_too_few_and_of_another_shape(call, told):
    with pytest.raises(CourseError) as caught:
        call()
    assert str(caught.value).startswith(told)


def test_the_jackknife_leaves_out_a_sample_in_each_group():
    """At the smallest number of samples each is left out once."""
    left = []
    metrics.jackknife(lambda rows: left.append(sorted({*range(5)} - {*rows.tolist()})) or 0.0, 5, groups=5)
    assert sorted(left) == [[i] for i in range(5)]
