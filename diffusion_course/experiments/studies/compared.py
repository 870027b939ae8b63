"""Rows of a study minus other rows of it, pair by pair, as one number with its 95 % interval: what a claim about two settings is held against.

rows_a and rows_b hold a row for each training seed that was measured; those of one seed began with the same noise. The interval is that of
`seeds.mean`: with several seeds it holds the chance of training and that of sampling, with one seed that of the samples alone.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from ...errors import CourseError
from .seeds import Row, difference, mean, pairs

Rows = Sequence[Row]


@dataclass(frozen=True)
class Found:
    """value: a minus b. low, high: its 95 % interval, None where nothing tells it. seeds: of training. n: samples a row and seed.

    p: of no difference, two-sided, by the same errors as the interval. paired: is what the noise does to both rows left out of the errors?
    """

    value: float
    low: float | None
    high: float | None
    seeds: int
    n: int
    p: float | None = None
    paired: bool = True

    def __str__(self) -> str:
        span = "" if self.low is None or self.high is None else f" ({self.low:+.3g} to {self.high:+.3g})"
        return f"{self.value:+.3g}{span}"


def shares(rows_a: Sequence[Row], rows_b: Sequence[Row]) -> Found:
    """The difference of the shares that the judge recognises.

    Its standard error is that of a mean of pairs, with half a sample added to each of the four cells of the table of two by two
    (Agresti & Min 2005), so that two rows with the same marks are not told to be equal for certain.
    """
    return _over_seeds(rows_a, rows_b, _of_marks)


def distances(rows_a: Sequence[Row], rows_b: Sequence[Row]) -> Found:
    """The difference of the Fréchet distances, by `seeds.difference`; as `numbers` where a row came without its ten values."""
    both = pairs(rows_a, rows_b)
    if any("frechet without each tenth" not in row for two in both for row in two):
        return numbers("frechet", rows_a, rows_b)
    found = difference(both)
    return Found(found.value, found.low, found.high, len(both), both[0][0]["n"], found.p)


def change_of_distances(after: tuple[Rows, Rows], before: tuple[Rows, Rows]) -> Found:
    """How far the difference of distances, a minus b, moved: that of the rows `after` minus that of the rows `before`.

    All four began with the same noise, in each seed, so the jackknife leaves the same tenth out of all.
    """
    return distances(*([_gap(a, b) for a, b in pairs(*two)] for two in (after, before)))


def run_by_run(pairs_of_rows: Mapping[str, tuple[Rows, Rows]], words: str = "") -> list[float]:
    """Distance of row a minus that of row b, each training run alone, of every name -> (rows a, rows b) whose name holds the words.

    For statements that hold "in every run", or not. Raises CourseError where no name holds the words.
    """
    chosen = [two for name, two in pairs_of_rows.items() if words in name]
    if not chosen:
        raise CourseError(f"words: got {words!r}, which is in none of {', '.join(pairs_of_rows)}")
    return [a["frechet"] - b["frechet"] for two in chosen for a, b in pairs(*two)]


def _gap(a: Row, b: Row) -> Row:
    """The difference of two rows as a row."""
    tenths = "frechet without each tenth"
    apart = [x - y for x, y in zip(a[tenths], b[tenths], strict=True)]
    return {**b, "frechet": a["frechet"] - b["frechet"], tenths: apart}


def numbers(name: str, rows_a: Sequence[Row], rows_b: Sequence[Row]) -> Found:
    """The difference of any number of the rows. Its standard errors, where the rows have some, are added as if the two were independent.

    They began with the same noise, so this is too wide rather than too narrow. Without them, the spread over training seeds is of pairs.
    """

    def of(a: Row, b: Row) -> tuple[float, float | None]:
        errors = [row.get(f"{name} standard error") for row in (a, b)]
        return a[name] - b[name], None if None in errors else math.hypot(*map(float, filter(None, errors)))

    found = _over_seeds(rows_a, rows_b, of)
    added = all(f"{name} standard error" in row for row in (*rows_a, *rows_b))
    return replace(found, paired=found.seeds > 1 and not added)


def log_ratios(rows_a: Sequence[Row], rows_b: Sequence[Row]) -> Found:
    """The mean over samples of ln(error of a / error of b), from rows with a list of errors: ln 2 where a's are twice as large."""
    return _over_seeds(rows_a, rows_b, _of_errors)


def _over_seeds(
    rows_a: Sequence[Row], rows_b: Sequence[Row], of: Callable[[Row, Row], tuple[float, float | None]]
) -> Found:
    both = pairs(rows_a, rows_b)
    told = [of(a, b) for a, b in both]
    errors = [error for _, error in told if error is not None]
    found = mean([value for value, _ in told], errors if len(errors) == len(told) else None)
    return Found(found.value, found.low, found.high, len(both), both[0][0]["n"], found.p)


def _of_marks(a: Row, b: Row) -> tuple[float, float]:
    _same_length("marks", a["each"], b["each"])
    only_a = sum(x > y for x, y in zip(a["each"], b["each"], strict=True))
    only_b = sum(x < y for x, y in zip(a["each"], b["each"], strict=True))
    n = len(a["each"])
    wider, more, less = n + 2, only_a + 0.5, only_b + 0.5
    variance = (more + less - (more - less) ** 2 / wider) / wider**2
    return (only_a - only_b) / n, math.sqrt(variance)


def _of_errors(a: Row, b: Row) -> tuple[float, float]:
    _same_length("errors", a["errors"], b["errors"])
    one, two = (torch.tensor(row["errors"], dtype=torch.float64).log() for row in (a, b))
    return (one - two).mean().item(), (one - two).std().item() / math.sqrt(len(one))


def _same_length(what: str, a: Sequence, b: Sequence) -> None:
    if len(a) != len(b):
        raise CourseError(f"rows: got {len(a)} and {len(b)} {what}, want pairs from the same noise")
