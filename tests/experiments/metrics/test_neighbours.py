"""Precision and recall, density and coverage: by hand, and on clouds whose answer is known."""

import pytest
import torch
from clouds import gaussian, turn
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion_course import CourseError
from diffusion_course.experiments import metrics


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


def test_density_and_coverage_by_hand():
    real, made = torch.tensor([[0.0], [1.0], [2.0], [10.0]]), torch.tensor([[0.5], [3.5], [17.0], [18.5]])
    # k = 1: balls of radii 1, 1, 1, 8. 0.5 lies in those of 0 and 1; 3.5 and 17 in that of 10; 18.5 in none.
    assert metrics.density_coverage(real, made, k=1) == (4 / 4, 3 / 4)
    # k = 2: radii 2, 1, 2, 9. 0.5 lies in three, 3.5 in those of 2 and 10, 17 and 18.5 in that of 10.
    assert metrics.density_coverage(real, made, k=2) == (7 / (2 * 4), 1.0)


def test_perfect_samples_have_density_1_and_the_coverage_that_naeem_derives():
    """E coverage = 1 - (N - 1)...(N - k) / ((M + N - 1)...(M + N - k)) (Naeem et al. 2020, lemma 2)."""
    n, k = 400, 5
    found = [
        metrics.density_coverage(gaussian(n, 2 * s, dims=3), gaussian(n, 2 * s + 1, dims=3))
        for s in range(20)
    ]
    density, coverage = torch.tensor(found, dtype=torch.float64).mean(0).tolist()
    missed = 1.0
    for i in range(1, k + 1):
        missed *= (n - i) / (2 * n - i)
    assert density == pytest.approx(1, abs=0.03)
    assert coverage == pytest.approx(1 - missed, abs=0.01)


def test_an_odd_real_point_raises_precision_and_hardly_density():
    """The weakness that density was made to mend (figure 2 of Naeem et al.)."""
    real = torch.cat([gaussian(99, 0), gaussian(1, 1, shift=30)])
    odd = gaussian(100, 2, shift=8)
    assert metrics.precision_recall(real, odd)[0] > 0.9
    assert metrics.density_coverage(real, odd)[0] < 0.25


@given(seed=st.integers(0, 500), scale=st.floats(0.1, 10))
@settings(max_examples=20, deadline=None)
def test_neighbours_stay_when_all_is_turned_moved_and_scaled(seed, scale):
    real, made = gaussian(24, seed), gaussian(20, seed + 1, shift=0.5)
    moved = [scale * x @ turn(5, seed) + 3 for x in (real, made)]
    assert metrics.precision_recall(*moved) == metrics.precision_recall(real, made)
    assert metrics.density_coverage(*moved) == metrics.density_coverage(real, made)


@pytest.mark.parametrize(("dtype", "far"), [(torch.float32, 2**20), (torch.float64, 2**40)])
@given(seed=st.integers(0, 500), part=st.sampled_from([0.0, 2**-10, -1.0]), power=st.integers(-40, 20))
@settings(max_examples=20, deadline=None)
def test_features_far_from_0_keep_their_digits(dtype, far, seed, part, power):
    """So many points that distances are computed by products, whose digits cancel; in steps of 1/8, which no shift here rounds."""
    real, made = ((8 * gaussian(n, seed + n, dims=64)).round() / 8 for n in (60, 50))
    moved = [((x + part * far) * 2.0**power).to(dtype) for x in (real, made)]
    for measure in (metrics.precision_recall, metrics.density_coverage):
        assert measure(*moved) == measure(real, made)


@given(seed=st.integers(0, 500), n=st.integers(30, 90))
@settings(max_examples=20, deadline=None)
def test_a_point_as_far_as_the_neighbour_is_inside(seed, n):
    """Each point of a set lies in its own ball and is, for those around it, the neighbour that says how far the ball reaches."""
    points = gaussian(n, seed, dims=64)
    assert metrics.precision_recall(points, points.flip(0)) == (1.0, 1.0)
    assert metrics.density_coverage(points, points.flip(0), k=5) == (6 / 5, 1.0)


def test_rows_in_memory_do_not_change_the_answer(monkeypatch):
    real, made = gaussian(24, 0), gaussian(20, 1, shift=0.5)
    whole = metrics.precision_recall(real, made), metrics.density_coverage(real, made)
    monkeypatch.setattr("diffusion_course.experiments.metrics.neighbours.ROWS", 7)
    assert (metrics.precision_recall(real, made), metrics.density_coverage(real, made)) == whole


def test_density_needs_more_real_points_than_neighbours():
    with pytest.raises(CourseError, match="k: got 5, want 1 <= k < 5, the number of real points"):
        metrics.density_coverage(torch.zeros(5, 2), torch.zeros(1, 2))
