"""Several training seeds in one number: its mean, with a 95 % interval that holds the chance of training and that of sampling.

y_s = theta_s + e_s is measured of the network of seed s: theta_s differs by the chance of training, e_s by the chance of the
samples, which start from other noise for each seed, so that all are independent. The mean of S such numbers has two intervals:

- of both chances, from the spread of y_1..y_S: mean ± t(S - 1) spread / sqrt(S), with Student's quantile, 4.30 for S = 3;
- of the samples alone, these networks taken as given: mean ± t(9 S) sqrt(mean e^2 / S), with e the jackknife's standard
  errors (of ten groups, nine degrees of freedom each); for a share Wilson's interval of all counts together.

What is shown is the wider of the two (for shares, what holds both). The first alone holds the truth in 95 % of all repetitions, for normal
y. But three numbers may agree by luck, and an interval below what the samples alone allow would claim to know more than was measured. The
wider one holds it more often: simulated, with three seeds, in 98.7 % where training has no chance of its own, in 97.1 % where it is
as large as the samples', and in 95.5 % where it is three times as large. With one seed there is the second alone, and it says nothing of training.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ...errors import CourseError
from .. import intervals
from ..metrics import wilson

Row = dict[str, Any]
SEEDS = ("training seed", "seed")  # keys that tell the rows of one setting apart
GROUPS = 10  # of the jackknife


@dataclass(frozen=True)
class Mean:
    """value: the mean over the seeds. low, high: its 95 % interval, None where nothing tells it. each: the numbers themselves.

    p: two-sided, of a mean of 0, the larger of the two intervals'; None where there is no interval.
    """

    value: float
    low: float | None
    high: float | None
    each: list[float]
    p: float | None = None

    def __str__(self) -> str:
        span = "" if self.low is None or self.high is None else f" ({self.low:.4g} to {self.high:.4g})"
        return f"{self.value:.4g}{span}"

    def as_dict(self) -> Row:
        """For a results file."""
        ends = None if self.low is None or self.high is None else [_short(self.low), _short(self.high)]
        return {"mean": _short(self.value), "95 %": ends, "each": self.each}


def mean(values: Sequence[float], errors: Sequence[float] | None = None) -> Mean:
    """Numbers of several seeds, and the standard error of each by the chance of the samples (a jackknife's; None: unknown).

    Raises CourseError for no number, and for other numbers of errors.
    """
    if not values or (errors is not None and len(errors) != len(values)):
        raise CourseError(
            f"values: got {len(values)}, and {len(errors or [])} errors, want a number for each seed"
        )
    middle, ways = math.fsum(values) / len(values), _ways(values, errors)
    if not ways:
        return Mean(middle, None, None, [*values])
    from scipy import stats

    half = max(float(stats.t.ppf(0.975, df)) * e for e, df in ways)
    tests = [2 * float(stats.t.sf(abs(middle) / e, df)) if e else float(middle == 0) for e, df in ways]
    return Mean(middle, middle - half, middle + half, [*values], max(tests))


def share(rows: Sequence[Mapping[str, Any]]) -> Mean:
    """Shares {"share", "n"} of several seeds, as `quality.share` gives them: within 0..1."""
    n = sum(row["n"] for row in rows)
    low, high = wilson(round(sum(row["share"] * row["n"] for row in rows)), n)
    found = mean([row["share"] for row in rows])
    low, high = min(low, found.low or low), max(high, found.high or high)
    return Mean(found.value, max(0.0, low), min(1.0, high), found.each)


def difference(pairs: Sequence[tuple[Row, Row]]) -> intervals.Difference:
    """Fréchet distance of rows a minus rows b, a pair for each seed, from the same noise each: see above, with e of the difference.

    p: the larger of the two intervals' p values. With one seed it is `intervals.difference`.
    """
    alone = [intervals.difference(a, b) for a, b in pairs]
    if len(alone) == 1:
        return alone[0]
    errors = [(one.high - one.low) / 2 / intervals.reach(1.0, GROUPS) for one in alone]
    found = mean([one.value for one in alone], errors)
    assert found.low is not None
    assert found.high is not None
    assert found.p is not None
    return intervals.Difference(found.value, found.low, found.high, found.p)


def mcnemar(pairs: Sequence[tuple[Row, Row]]) -> float:
    """p of two samplers being recognised equally often, of all seeds' marks together: of these networks (`intervals.mcnemar`)."""
    return intervals.mcnemar("".join(a["each"] for a, _ in pairs), "".join(b["each"] for _, b in pairs))


def pairs(rows_a: Sequence[Row], rows_b: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Rows of the same training seed and noise, two and two. Raises CourseError where there is none."""
    of_b = {tuple(row.get(key) for key in SEEDS): row for row in rows_b}
    found = [(a, of_b[key]) for a in rows_a if (key := tuple(a.get(k) for k in SEEDS)) in of_b]
    if not found:
        raise CourseError("rows: no two of the same training seed and noise")
    return found


def summary(rows: Sequence[Row], settings: Sequence[Row]) -> list[Row]:
    """A row for each setting apart from its seeds: every number that was measured, as `Mean.as_dict`, and of which seeds.

    A number's standard error is the one called NAME standard error; that of a curve, a list at the times t, is "standard error".
    """
    keys = [key for key in settings[0] if key not in SEEDS]
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(json.dumps([row[key] for key in keys]), []).append(row)
    return [_together(keys, group) for group in groups.values()]


def _together(keys: Sequence[str], group: list[Row]) -> Row:
    made: Row = {key: group[0][key] for key in keys}
    made["training seeds"] = [row.get("training seed", 0) for row in group]
    for name, first in group[0].items():
        if name in (*keys, *SEEDS) or name.endswith("standard error"):
            continue
        values: list[Any] = [row.get(name) for row in group]
        if isinstance(first, dict) and "share" in first:
            made[name] = share(values).as_dict()
        elif all(isinstance(value, int | float) for value in values):
            errors = [row[error] for row in group if (error := f"{name} standard error") in row]
            made[name] = mean(values, errors or None).as_dict()
        elif "standard error" in group[0] and isinstance(
            first, list
        ):  # a curve, with the errors of its points
            errors = [row["standard error"] for row in group]
            points = zip(zip(*values, strict=True), zip(*errors, strict=True), strict=True)
            made[name] = first if name == "t" else [mean(v, e).as_dict() for v, e in points]
    return made


def _ways(values: Sequence[float], errors: Sequence[float] | None) -> list[tuple[float, int]]:
    """The standard errors of the mean, and their degrees of freedom: by the spread of the values, and by the samples' chance alone."""
    n, ways = len(values), []
    if n > 1:
        ways.append((_spread(values), n - 1))
    if errors is not None:
        ways.append((_within(errors), (GROUPS - 1) * n))
    return ways


def _spread(values: Sequence[float]) -> float:
    """The standard error of the mean that the spread of the values tells."""
    return torch.tensor(values, dtype=torch.float64).std().item() / math.sqrt(len(values))


def _within(errors: Sequence[float]) -> float:
    """The standard error of the mean that the samples' chance alone gives it."""
    return math.sqrt(math.fsum(error**2 for error in errors)) / len(errors)


def _short(value: float) -> float:
    return float(f"{value:.6g}")
