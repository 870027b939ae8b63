"""Error bars and comparisons, one convention for the whole course: every bar and every ± is a 95 % interval.

A share has Wilson's interval (`metrics.wilson`), a number with a jackknife standard error has `around`. Samplers that
start from the same noise are compared in pairs, which leaves out what their samples have in common: `mcnemar` compares
shares, `difference` rows of tables, and `paired` any number of features. Who makes many comparisons corrects them by `holm`. All of it counts the chance of the
samples, and none that of training: a second training run of the same network may differ by more.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..errors import CourseError, check_number, shown
from .metrics import leave_out, scatter

Key = TypeVar("Key")


def reach(standard_error: float, groups: int = 10) -> float:
    """Half the width of the 95 % interval of a number with a jackknife standard error: what stands behind ±.

    groups: of the jackknife. Few groups know the standard error badly, so the factor is Student's with groups - 1
    degrees of freedom: 2.26 for 10 groups, where the normal one is 1.96.
    """
    from scipy import stats  # comes with mlxtend; half a second to import

    return float(stats.t.ppf(0.975, groups - 1)) * standard_error


def around(value: float, standard_error: float, groups: int = 10) -> tuple[float, float]:
    """The 95 % interval (low, high) of a number >= 0 with a jackknife standard error, cut at 0. See `reach`."""
    half = reach(standard_error, groups)
    return max(0.0, value - half), value + half


@dataclass(frozen=True)
class Difference:
    """value: a - b. low, high: its 95 % interval. p: of no difference, two-sided."""

    value: float
    low: float
    high: float
    p: float

    def __str__(self) -> str:
        return f"{self.value:+.2f} ({self.low:+.2f} to {self.high:+.2f}), p = {self.p:.2g}"


def difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> Difference:
    """Fréchet distance of row a minus that of row b, as `quality` measures them from the same noise: a paired t test.

    Both distances lose the same tenth of the samples in turn, and the jackknife sees the scatter of their difference.
    Raises CourseError for rows of different numbers of samples.
    """
    if a["n"] != b["n"]:
        raise CourseError(
            f"a, b: got rows of {a['n']} and {b['n']} samples; distances compare at equal n only"
        )
    tenths = [torch.tensor(row["frechet without each tenth"], dtype=torch.float64) for row in (a, b)]
    return _tested(a["frechet"] - b["frechet"], tenths[0] - tenths[1])


def paired(
    statistic: Callable[[Tensor], float], a: Tensor, b: Tensor, groups: int = 10, seed: int = 0
) -> Difference:
    """statistic(a) - statistic(b) of samples (N, ...) that two samplers made from the same noise: a paired t test.

    The same samples are left out of both at a time. statistic: e.g. lambda x: metrics.frechet(x, real), of features.
    Raises CourseError for other numbers of a than of b, and as `metrics.leave_out` does.
    """
    if len(a) != len(b):
        raise CourseError(f"a, b: got {len(a)} and {len(b)} samples, want pairs from the same noise")
    left_out = leave_out(lambda rows: statistic(a[rows]) - statistic(b[rows]), len(a), groups, seed)
    return _tested(statistic(a) - statistic(b), left_out)


def _tested(value: float, left_out: Tensor) -> Difference:
    """A difference with its interval and p, from its values without each group in turn."""
    from scipy import stats

    error, groups = scatter(left_out), len(left_out)
    half = reach(error, groups)
    p = 2 * float(stats.t.sf(abs(value) / error, groups - 1)) if error > 0 else float(value == 0)
    return Difference(value, value - half, value + half, p)


def mcnemar(a: str, b: str) -> float:
    """p of two samplers being recognised equally often, from their marks "0" and "1" for the same noise: McNemar's exact test.

    Only the samples that one sampler got right and the other wrong tell: are they split as a fair coin would?
    Raises CourseError for what is no string of marks, and unless there are as many of a as of b.
    """
    from scipy import stats

    for name, marks in (("a", a), ("b", b)):
        if not isinstance(marks, str) or not set(marks) <= {"0", "1"}:
            raise CourseError(f'{name}: got {shown(marks)}, want a string of marks "0" and "1"')
    if len(a) != len(b):
        raise CourseError(f"a, b: got {len(a)} and {len(b)} marks, want as many")
    split = [(x, y) for x, y in zip(a, b, strict=True) if x != y]
    if not split:
        return 1.0
    return float(stats.binomtest(split.count(("1", "0")), len(split)).pvalue)


def holm(p: Mapping[Key, float]) -> dict[Key, float]:
    """The p values of several tests, corrected for their number (Holm 1979): below 0.05 means 5 % for all together.

    Each may be what `float` takes. Raises CourseError for what is no number in 0..1 (but for rounding): NaN has no place in their
    order, and would change the others.
    """
    values = {key: _probability(f"p of {shown(key)}", value) for key, value in p.items()}
    corrected: dict[Key, float] = {}
    least = 0.0
    for rank, key in enumerate(sorted(values, key=lambda key: values[key])):
        least = max(least, min(1.0, (len(values) - rank) * values[key]))
        corrected[key] = least
    return {key: corrected[key] for key in p}


def _probability(name: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, str | bytes | bool) else float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        number = math.nan
    if math.isnan(number):
        raise CourseError(f"{name}: got {shown(value)}, want a number in 0..1")
    check_number(name, number, lambda v: -1e-9 <= v <= 1 + 1e-9, "in 0..1")
    return min(max(number, 0.0), 1.0)
