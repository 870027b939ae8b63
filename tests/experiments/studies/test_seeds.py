"""Means over training seeds: intervals that hold the truth as often as they say, whatever part of the chance is training's."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from diffusion_course import CourseError
from diffusion_course.experiments import intervals
from diffusion_course.experiments.metrics import leave_out
from diffusion_course.experiments.quality import share
from diffusion_course.experiments.studies import seeds

TRUTH = 5.0


def simulated(training, samples, n_seeds, repetitions=1500):
    """Numbers (repetitions, seeds) around TRUTH, and the standard errors that a jackknife of ten groups says of each."""
    g = torch.Generator().manual_seed(round(100 * training) + n_seeds)
    theta = training * torch.randn(repetitions, n_seeds, generator=g, dtype=torch.float64)
    e = samples * torch.randn(repetitions, n_seeds, generator=g, dtype=torch.float64)
    chi = torch.randn(repetitions, n_seeds, 9, generator=g, dtype=torch.float64).square().mean(2)
    return TRUTH + theta + e, samples * chi.sqrt()


@pytest.mark.parametrize("training", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_intervals_cover_the_truth(training, n_seeds):
    """In 95 % of the repetitions, or a little more where the samples' chance is all there is."""
    values, errors = simulated(training, 1.0, n_seeds)
    found = [seeds.mean(v, e) for v, e in zip(values.tolist(), errors.tolist(), strict=True)]
    held = sum(one.low <= TRUTH <= one.high for one in found) / len(found)
    assert 0.935 < held < 0.995


def test_the_samples_alone_would_promise_too_much():
    """What the interval is wider for: with training's chance as large as the samples', theirs alone holds the truth too seldom."""
    values, errors = simulated(1.0, 1.0, 3)
    half = stats.t.ppf(0.975, 27) * (errors.square().mean(1) / 3).sqrt()
    assert ((values.mean(1) - TRUTH).abs() <= half).double().mean() < 0.88


def test_one_seed_has_the_interval_of_its_samples():
    alone = seeds.mean([3.0], [0.2])
    assert (alone.low, alone.high) == pytest.approx(intervals.around(3.0, 0.2))
    assert seeds.mean([3.0]).low is None
    with pytest.raises(CourseError, match="values: got 0"):
        seeds.mean([])
    with pytest.raises(CourseError, match="got 2, and 1 errors"):
        seeds.mean([1.0, 2.0], [0.1])


@given(st.lists(st.integers(0, 50), min_size=1, max_size=4))
def test_shares_lie_within_their_interval_and_between_0_and_1(counts):
    found = seeds.share([share(count, 50) for count in counts])
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.value == pytest.approx(sum(counts) / (50 * len(counts)))
    together = share(sum(counts), 50 * len(counts))["wilson 95 %"]
    assert found.low <= together[0] + 1e-4
    assert found.high >= together[1] - 1e-4


def row(x, seed=0):
    """A row as `quality` writes it, with a mean in the place of the distance."""
    tenths = leave_out(lambda rows: x[rows].mean().item(), len(x))
    marks = "".join("01"[v] for v in (x > 10).tolist())
    values = {"n": len(x), "frechet": x.mean().item(), "frechet without each tenth": tenths.tolist()}
    return {**values, "each": marks, "training seed": seed, "seed": seed}


def noises():
    return [
        10 + torch.randn(100, generator=torch.Generator().manual_seed(s), dtype=torch.float64)
        for s in range(3)
    ]


def test_differences_are_paired_within_each_seed():
    """Large chances that both rows of a seed have in common go away; what differs from seed to seed stays."""
    effects = (0.05, 0.06, 0.07)
    b = [row(x, s) for s, x in enumerate(noises())]
    a = [row(x + d, s) for (s, x), d in zip(enumerate(noises()), effects, strict=True)]
    found = seeds.difference(seeds.pairs(a, b))
    assert found.value == pytest.approx(0.06)
    half = 4.303 * 0.01 / math.sqrt(3)
    assert (found.low, found.high) == pytest.approx((0.06 - half, 0.06 + half), rel=1e-3)
    assert found.p == pytest.approx(stats.ttest_1samp(effects, 0).pvalue, rel=1e-3)
    assert seeds.difference(seeds.pairs(a[:1], b)) == intervals.difference(a[0], b[0])


@pytest.mark.parametrize("training", [0.0, 1.0])
def test_an_effect_that_is_none_is_found_in_5_percent(training):
    g = torch.Generator().manual_seed(9)
    ps = []
    for _ in range(300):
        rows = []
        for s in range(3):
            x = torch.randn(50, generator=g, dtype=torch.float64)
            d = 0.15 * training * torch.randn(1, generator=g, dtype=torch.float64)
            y = x + d + torch.randn(50, generator=g, dtype=torch.float64)
            rows.append((row(y, s), row(x, s)))
        ps.append(seeds.difference(rows).p)
    assert sum(p < 0.05 for p in ps) / len(ps) < 0.075


def test_rows_are_paired_by_their_seeds():
    a, b = ([row(x, s) for s, x in enumerate(noises())] for _ in range(2))
    assert [one["seed"] for one, _ in seeds.pairs(a, b[1:])] == [1, 2]
    with pytest.raises(CourseError, match="no two of the same training seed"):
        seeds.pairs(a[:1], b[1:])


def test_marks_of_all_seeds_are_tested_together():
    a = [{"each": "1111111100"}, {"each": "1111111100"}]
    b = [{"each": "0000000011"}, {"each": "0000000011"}]
    assert seeds.mcnemar(list(zip(a, b, strict=True))) == intervals.mcnemar(
        "1111111100" * 2, "0000000011" * 2
    )


def test_a_summary_has_a_row_for_each_setting():
    settings = [{"w": w, "training seed": s, "seed": s} for s in (0, 1, 2) for w in (1, 2)]
    rows = [
        {
            **setting,
            "recognised": share(40 + setting["seed"], 50),
            "frechet": 1.0 + setting["seed"],
            "frechet standard error": 0.1,
            "each": "01",
            "distances": [1.0],
        }
        for setting in settings
    ]
    found = seeds.summary(rows, settings)
    assert [(one["w"], one["training seeds"]) for one in found] == [(1, [0, 1, 2]), (2, [0, 1, 2])]
    assert found[0]["frechet"]["mean"] == 2.0
    assert found[0]["frechet"]["each"] == [1.0, 2.0, 3.0]
    assert found[0]["frechet"]["95 %"] == pytest.approx([2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5], rel=1e-4)
    assert found[0]["recognised"]["mean"] == pytest.approx(41 / 50)
    assert set(found[0]) == {"w", "training seeds", "recognised", "frechet"}
    assert seeds.summary([], settings) == []
