"""Rows of a study as tables: each with its intervals, and two and two with the interval of their difference."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...notebook.tables import show_table
from .. import intervals
from . import seeds
from .study import Results, Row

MEASURED = ("precision", "recall", "mean pixel")  # shown to three digits


def show_quality(rows: Sequence[Row], keys: Sequence[str], caption: str) -> None:
    """Show the keys that tell the rows apart, the share recognised, and the Fréchet distance, with their 95 % intervals."""
    lines = []
    for row in rows:
        low, high = row["recognised"]["wilson 95 %"]
        share = f"{row['recognised']['share']:.3f} ({low:.3f} to {high:.3f})"
        distance = f"{row['frechet']:.2f} ± {intervals.reach(row['frechet standard error']):.2f}"
        setting = (f"{row[key]:.3f}" if key in MEASURED else row[key] for key in keys)
        lines.append((*setting, share, distance))
    show_table([*keys, "recognised (95 % interval)", "Fréchet distance ± 95 %"], lines, caption)


def show_differences(
    pairs: Mapping[str, tuple[Row, Row]], caption: str = ""
) -> tuple[dict[str, intervals.Difference], dict[str, float]]:
    """Show distance of row a minus distance of row b, for name -> (a, b) from the same noise. Returns them, and their p values.

    The p values are corrected for their number (Holm 1979). Raises CourseError for rows of different numbers of samples.
    """
    found = {name: intervals.difference(*rows) for name, rows in pairs.items()}
    return found, _show(found, caption)


def show_over_seeds(
    results: Results, keys: Sequence[str], measured: Sequence[str], caption: str, **wanted: Any
) -> None:
    """Show means over training seeds, with 95 % intervals of training and sampling together (see `seeds`).

    keys: of the settings, which tell the lines apart. measured: e.g. "recognised", "frechet". wanted: as of `Results.where`.
    """
    lines = []
    for row in results.over_seeds().where(**wanted):
        cells = [_mean(row.get(name)) for name in measured]
        lines.append((*(row[key] for key in keys), *cells, len(row["training seeds"])))
    show_table([*keys, *(f"{name} (95 %)" for name in measured), "seeds"], lines, caption)


def show_differences_over_seeds(
    pairs: Mapping[str, tuple[Sequence[Row], Sequence[Row]]],
) -> tuple[dict[str, intervals.Difference], dict[str, float]]:
    """Like `show_differences`, of rows of several training seeds: name -> (rows a, rows b); paired within each seed."""
    found = {name: seeds.difference(seeds.pairs(*rows)) for name, rows in pairs.items()}
    return found, _show(found)


def _show(found: Mapping[str, intervals.Difference], caption: str = "") -> dict[str, float]:
    """A table of differences. Returns their p values, corrected."""
    p = intervals.holm({name: difference.p for name, difference in found.items()})
    lines = [
        (name, f"{d.value:+.2f}", f"{d.low:+.2f} to {d.high:+.2f}", f"{p[name]:.2g}")
        for name, d in found.items()
    ]
    show_table(["rows", "difference of the distances", "95 % interval", "p"], lines, caption)
    return p


def _mean(cell: Any) -> str:
    """A cell of a summary; empty where a row did not measure it."""
    if cell is None:
        return ""
    span = "" if cell["95 %"] is None else " ({:.3g} to {:.3g})".format(*cell["95 %"])
    return f"{cell['mean']:.3g}{span}"
