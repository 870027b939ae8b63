"""What no metric takes: NaN, infinity, too few, another shape."""

import math

import pytest
import torch
from clouds import gaussian
from torch import nn

from diffusion_course import CourseError
from diffusion_course.experiments import metrics
from diffusion_course.experiments.metrics import count_recognised


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
        (lambda: count_recognised(nn.Identity(), images, labels), "images"),
        (lambda: metrics.features(nn.Identity(), images), "images"),
        (lambda: metrics.frechet(spoilt, points), "a"),
        (lambda: metrics.frechet(points, spoilt), "b"),
        (lambda: metrics.precision_recall(spoilt, points), "real"),
        (lambda: metrics.precision_recall(points, spoilt), "made"),
        (lambda: metrics.jackknife(lambda rows: bad, 20), "statistic"),
        (lambda: metrics.wilson(1, 2, z=bad), "z"),
    ):
        with pytest.raises(CourseError, match=f"^{name}: "):
            call()


PAIRS = (
    (metrics.frechet, "a", "b"),
    (metrics.kid, "a", "b"),
    (metrics.kid_with_error, "a", "b"),
    (metrics.precision_recall, "real", "made"),
    (metrics.density_coverage, "real", "made"),
)


@pytest.mark.parametrize(("measure", "first", "second"), PAIRS)
def test_all_metrics_take_and_refuse_the_same_features(measure, first, second):
    x, y = gaussian(30, 0), gaussian(30, 1)
    single = measure(x.float(), y)
    assert single == measure(x.float().double(), y)
    assert measure(y, x.float()) == measure(y, x.float().double())
    for bad, told in (
        ((100 * x).long(), "got dtype torch.int64, want floating point"),
        (x.numpy(), "got ndarray, want a tensor"),
        (x.tolist(), "got list, want a tensor"),
        (1e200 * x, "holds numbers beyond 1e+20"),
    ):
        for name, pair in ((first, (bad, y)), (second, (y, bad))):
            with pytest.raises(CourseError, match=f"^{name}: ") as caught:
                measure(*pair)
            assert told in str(caught.value)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("measure", "first", "second"), PAIRS)
@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e19])
def test_features_of_any_size_up_to_the_limit_give_numbers(measure, first, second, scale):
    found = measure(scale * gaussian(30, 0), scale * gaussian(30, 1))
    assert all(math.isfinite(value) for value in (found if isinstance(found, tuple) else (found,)))


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
            lambda: count_recognised(nn.Identity(), torch.zeros(3, 1, 8, 8), torch.zeros(2)),
            "labels: got shape (2,)",
        ),
        (lambda: metrics.features(nn.Identity(), torch.zeros(0, 1, 8, 8)), "images: got shape (0, 1, 8, 8)"),
    ],
)
def test_too_few_and_of_another_shape(call, told):
    with pytest.raises(CourseError) as caught:
        call()
    assert str(caught.value).startswith(told)
