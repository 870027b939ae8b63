"""Rows of a study as tables: each with its intervals, and two and two with the interval of their difference."""

from collections.abc import Mapping, Sequence

from ...notebook.tables import show_table
from .. import intervals
from .study import Row

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
    p = intervals.holm({name: difference.p for name, difference in found.items()})
    lines = [
        (name, f"{d.value:+.2f}", f"{d.low:+.2f} to {d.high:+.2f}", f"{p[name]:.2g}")
        for name, d in found.items()
    ]
    show_table(["rows", "difference of the distances", "95 % interval", "p"], lines, caption)
    return found, p
