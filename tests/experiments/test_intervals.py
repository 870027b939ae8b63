"""Error bars cover what they promise, and pairs see what single rows cannot."""

import pytest
import torch
from clouds import gaussian
from hypothesis import given
from hypothesis import strategies as st

from diffusion_course import CourseError
from diffusion_course.experiments import intervals, metrics
from diffusion_course.experiments.metrics import leave_out, scatter


def test_intervals_of_a_jackknife_cover_the_truth():
    """Over 400 samples of 60 numbers, 95 % of the intervals of their mean hold the true one."""
    draws = 5 + torch.randn(400, 60, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    held = 0
    for x in draws:
        low, high = intervals.around(
            x.mean().item(), scatter(leave_out(lambda rows, x=x: x[rows].mean().item(), 60))
        )
        held += low <= 5 <= high
    assert 0.92 < held / 400 < 0.98


def test_an_interval_is_cut_at_zero_and_widens_with_fewer_groups():
    assert intervals.around(0.1, 1.0) == (0.0, pytest.approx(0.1 + 2.262, abs=1e-3))
    assert intervals.reach(1.0, 5) > intervals.reach(1.0, 10) > intervals.reach(1.0, 1000)


def row(x):
    """A row as `quality` writes it, with a mean in the place of the distance."""
    tenths = leave_out(lambda rows: x[rows].mean().item(), len(x))
    return {"n": len(x), "frechet": x.mean().item(), "frechet without each tenth": tenths.tolist()}


def test_pairs_see_a_difference_that_single_rows_do_not():
    noise = 10 + torch.randn(200, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    little = 0.02 * torch.randn(200, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    a, b = row(noise + 0.05 + little), row(noise)
    found = intervals.difference(a, b)
    assert found.low < 0.05 < found.high
    assert found.p < 0.001
    alone = intervals.around(b["frechet"], scatter(torch.tensor(b["frechet without each tenth"])))
    assert alone[0] < a["frechet"] < alone[1]
    back = intervals.difference(b, a)
    assert (back.value, back.low, back.p) == pytest.approx((-found.value, -found.high, found.p))
    assert intervals.difference(a, a).p == 1.0
    with pytest.raises(CourseError, match="rows of 200 and 100 samples"):
        intervals.difference(a, row(noise[:100]))


def test_pairs_of_features_are_compared_as_rows_of_tables_are():
    x, y, real = gaussian(80, 0), gaussian(80, 0) + 0.1 * gaussian(80, 1), gaussian(300, 2)

    def distance(some):
        return metrics.frechet(some, real)

    found = intervals.paired(distance, x, y)
    rows = [
        {
            "n": 80,
            "frechet": distance(some),
            "frechet without each tenth": leave_out(
                lambda rows, some=some: distance(some[rows]), 80
            ).tolist(),
        }
        for some in (x, y)
    ]
    want = intervals.difference(*rows)
    assert (found.value, found.low, found.high, found.p) == pytest.approx(
        (want.value, want.low, want.high, want.p), rel=1e-9
    )
    assert intervals.paired(distance, x, x).p == 1.0
    # Samples that are not pairs: the interval is wider.
    loose = intervals.paired(distance, x, y[torch.randperm(80, generator=torch.Generator().manual_seed(0))])
    assert loose.high - loose.low > 1.5 * (found.high - found.low)
    with pytest.raises(CourseError, match="got 80 and 79 samples"):
        intervals.paired(distance, x, y[:79])


@pytest.mark.parametrize(("shift", "kept"), [(0.0, (0.9, 1.0)), (0.4, (0.0, 0.3))])
def test_the_test_keeps_its_level_and_sees_what_is_there(shift, kept):
    """Over 200 pairs of samplers: 95 % of no differences are told none, and few true ones are."""
    none = 0
    for seed in range(200):
        noise = gaussian(60, 3 * seed, dims=1)
        a, b = (noise + 0.5 * gaussian(60, 3 * seed + k, dims=1) for k in (1, 2))
        none += intervals.paired(lambda x: x.mean().item(), a + shift, b).p > 0.05
    assert kept[0] <= none / 200 <= kept[1]


@pytest.mark.parametrize(
    ("a", "b", "p"),
    [
        ("1" * 9, "1" * 9, 1.0),
        ("1" * 6 + "01", "0" * 6 + "01", 2 / 64),  # six pairs split, all one way; two agree
        ("10", "01", 1.0),
    ],
)
def test_mcnemar_looks_at_the_pairs_that_split(a, b, p):
    assert intervals.mcnemar(a, b) == pytest.approx(p)
    assert intervals.mcnemar(b, a) == pytest.approx(p)


def test_mcnemar_needs_pairs():
    with pytest.raises(CourseError, match="got 3 and 2 marks"):
        intervals.mcnemar("101", "10")


@pytest.mark.parametrize(
    ("bad", "told"), [("0a", "'0a'"), ([1, 0], "[1, 0]"), ("1 ", "'1 '"), (None, "None")]
)
def test_what_is_no_string_of_marks_is_told(bad, told):
    for name, pair in (("a", (bad, "01")), ("b", ("01", bad))):
        with pytest.raises(CourseError) as caught:
            intervals.mcnemar(*pair)
        assert str(caught.value) == f'{name}: got {told}, want a string of marks "0" and "1"'


@pytest.mark.parametrize("bad", [float("nan"), -1, 2, float("inf"), "0.1", None, True])
def test_what_is_no_p_value_is_told(bad):
    for values in ({"one": bad, "two": 0.03}, {"two": 0.03, "one": bad}):
        with pytest.raises(CourseError, match=r"^p of 'one': got .*, want a number in 0\.\.1$"):
            intervals.holm(values)


def test_holm_by_hand():
    assert intervals.holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06}
    )
    assert intervals.holm({}) == {}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_no_correction_and_bonferronis(values):
    p = dict(enumerate(values))
    corrected = intervals.holm(p)
    assert list(corrected) == list(p)
    for k, value in p.items():
        assert value <= corrected[k] <= min(1.0, len(p) * value) + 1e-15
    by_size = sorted(p, key=p.get)
    assert [corrected[k] for k in by_size] == sorted(corrected.values())


def test_p_values_may_be_any_numbers_and_off_by_rounding():
    p = {"a": torch.tensor(0.01, dtype=torch.float64), ("b", 2): 1 + 3e-16, "c": -1e-17}
    assert intervals.holm(p) == {"a": 0.02, ("b", 2): 1.0, "c": 0.0}
