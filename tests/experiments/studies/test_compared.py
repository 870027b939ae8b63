"""Rows minus other rows: paired, over training seeds, and with intervals that claim no more than is known."""

import math

import pytest
import torch

from diffusion_course import CourseError
from diffusion_course.experiments import intervals
from diffusion_course.experiments.studies.compared import (
    change_of_distances,
    distances,
    log_ratios,
    numbers,
    run_by_run,
    shares,
)


def row(seed=0, **more):
    return {"training seed": seed, "seed": seed, "n": 100, **more}


def test_shares_are_compared_in_pairs_and_equal_marks_are_no_certainty():
    a, b = row(each="1" * 90 + "0" * 10), row(each="1" * 80 + "0" * 20)
    found = shares([a], [b])
    assert found.value == pytest.approx(0.1)
    assert 0 < found.low < 0.1 < found.high < 0.2
    assert (found.seeds, found.n) == (1, 100)
    same = shares([a], [a])
    assert same.value == 0
    assert -0.03 < same.low < 0 < same.high < 0.03
    with pytest.raises(CourseError, match="want pairs"):
        shares([a], [row(each="1")])


def test_the_interval_of_paired_shares_holds_the_truth_as_often_as_it_says():
    generator = torch.Generator().manual_seed(0)
    hard = torch.rand(400, 60, generator=generator)
    other = torch.rand(400, 60, generator=generator)
    held = 0
    for one, two in zip(hard < 0.9, (0.7 * hard + 0.3 * other) < 0.8, strict=True):
        marks = ["".join("01"[int(m)] for m in half) for half in (one, two)]
        found = shares([row(each=marks[0])], [row(each=marks[1])])
        truth = 0.9 - share_of_mixture(0.8)
        held += found.low < truth < found.high
    assert held >= 0.94 * 400


def share_of_mixture(level):
    """P(0.7 u + 0.3 v < level) of uniform u, v."""
    u = torch.linspace(0, 1, 200001, dtype=torch.float64)
    return ((level - 0.7 * u) / 0.3).clamp(0, 1).mean().item()


def test_distances_are_those_of_the_library():
    tenths = [[5.0 + 0.1 * k for k in range(10)], [4.0 + 0.09 * k for k in range(10)]]
    a, b = (row(frechet=v[0], **{"frechet without each tenth": v}) for v in tenths)
    found, want = distances([a], [b]), intervals.difference(a, b)
    assert (found.value, found.low, found.high, found.p) == (want.value, want.low, want.high, want.p)
    assert found.paired
    assert not distances([row(frechet=5.0)], [row(frechet=4.0)]).paired  # without their ten values


def test_numbers_without_errors_are_compared_run_by_run():
    a, b = ([row(seed, recall=level + 0.1 * seed) for seed in range(3)] for level in (0.7, 0.6))
    found = numbers("recall", a, b)
    assert found.paired
    assert found.high - found.low < 1e-9  # the runs differ, and each pair of rows by as much
    with_errors = [[one | {"recall standard error": 0.01} for one in rows] for rows in (a, b)]
    assert not numbers("recall", *with_errors).paired


def test_a_change_of_distances_leaves_out_what_the_four_rows_have_in_common():
    def rows(*values):
        """Rows of three seeds; the samples' chance moves the four rows of a seed and tenth alike, and that of each row a little."""
        made = []
        for seed in range(3):
            tenths = [
                [v + torch.sin(torch.tensor(7.0 * k + seed)).item() + 0.001 * (k * j % 3) for k in range(10)]
                for j, v in enumerate(values)
            ]
            made.append(
                [
                    row(seed, frechet=v + 0.01 * seed * j, **{"frechet without each tenth": t})
                    for j, (v, t) in enumerate(zip(values, tenths, strict=True))
                ]
            )
        return [list(of_one) for of_one in zip(*made, strict=True)]

    a, b, c, d = rows(5.0, 3.0, 9.0, 4.0)
    one, three = (change_of_distances((a[:n], b[:n]), (c[:n], d[:n])) for n in (1, 3))
    assert one.value == pytest.approx((5 - 3) - (9 - 4))
    assert one.high - one.low < 0.02  # each row alone scatters by about 0.7 times nine tenths
    assert three.value == pytest.approx(-3 + 0.01 * (0 - 1 - 2 + 3), abs=1e-9)
    assert (three.seeds, three.paired) == (3, True)
    assert change_of_distances((a, b), (a, b)).value == 0


def test_p_and_the_interval_agree():
    """p is below 0.05 where 0 lies outside of the interval, of one training seed and of several."""
    for gap, want in ((0.0, 1.0), (0.3, 0.0)):
        a = [
            row(s, errors=[math.exp(gap + 0.1 * ((7 * k + s) % 5 - 2)) for k in range(20)]) for s in range(3)
        ]
        b = [row(s, errors=[1.0] * 20) for s in range(3)]
        for k in (1, 3):
            found = log_ratios(a[:k], b[:k])
            assert (found.p < 0.05) == (found.low > 0)
            assert found.p == pytest.approx(want, abs=1e-3)
    assert numbers("recall", [row(recall=0.8)], [row(recall=0.7)]).p is None


def test_numbers_without_an_error_have_an_interval_from_several_seeds_alone():
    one, three = [row(0, recall=0.8)], [row(s, recall=0.8 + 0.01 * s) for s in range(3)]
    less = [row(s, recall=0.7) for s in range(3)]
    assert numbers("recall", one, less[:1]).low is None
    found = numbers("recall", three, less)
    assert found.value == pytest.approx(0.11)
    assert found.low == pytest.approx(0.11 - 4.303 * 0.01 / math.sqrt(3), abs=1e-4)
    with_errors = numbers(
        "loss",
        [row(loss=3.0, **{"loss standard error": 0.3})],
        [row(loss=2.0, **{"loss standard error": 0.4})],
    )
    assert with_errors.high - with_errors.value == pytest.approx(intervals.reach(0.5))


def test_errors_are_compared_as_ratios():
    a, b = row(errors=[0.2, 0.4, 0.8]), row(errors=[0.1, 0.2, 0.4])
    found = log_ratios([a], [b])
    assert found.value == pytest.approx(math.log(2))
    assert found.high - found.low < 1e-9


def test_run_by_run_pairs_the_seeds_and_picks_by_name():
    a = [row(seed, frechet=1.0 + seed) for seed in (0, 1, 2)]
    b = [row(seed, frechet=3.0) for seed in (2, 0)]  # seed 1 is missing, and the order is another
    pairs = {"a minus b": (a, b), "b minus a": (b, a)}
    assert run_by_run(pairs, "a minus") == [-2.0, 0.0]
    assert run_by_run(pairs) == [-2.0, 0.0, 0.0, 2.0]
    with pytest.raises(CourseError, match="'c minus', which is in none of a minus b, b minus a"):
        run_by_run(pairs, "c minus")
