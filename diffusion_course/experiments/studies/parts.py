"""A part of a study, for a small budget: some of its rows, with fewer samples each."""

import json
from collections.abc import Sequence
from dataclasses import replace

from ...errors import CourseError, check_integer, unknown
from .study import Row, Study


def part(study: Study, only: Sequence[str] = (), count: int | None = None) -> Study:
    """The rows whose settings have these values, with `count` samples each (None: as many as the study has).

    only: words like "steps=5,10", a setting's name and the values that are kept; of several all must hold.
    Raises CourseError for a name that no setting has, a value that none has, and where no row is left.
    """
    rows = study.settings
    for word in only:
        rows = _kept(rows, word, study.settings)
    if not rows:
        raise CourseError(f"--only: no row of the study has all of {', '.join(only)}")
    if count is not None:
        check_integer("count", count, 2)
        rows = [{**row, "n": count} if "n" in row else row for row in rows]
    if len({json.dumps(row, sort_keys=True) for row in rows}) < len(rows):
        raise CourseError(f"count: with {count} samples each two rows of the study are one; leave one out")
    return replace(study, settings=rows)


def _kept(rows: Sequence[Row], word: str, every: Sequence[Row]) -> list[Row]:
    name, sign, listed = word.partition("=")
    names = sorted({key for row in every for key in row})
    if not sign:
        raise CourseError(f"--only: got {word!r}, want NAME=VALUE,VALUE with a name of {', '.join(names)}")
    if name not in names:
        raise unknown("setting", name, names)
    held = {_said(row.get(name)) for row in every}
    wanted = {_said(_number(value)) for value in listed.split(",")}
    if strange := sorted(wanted - held):
        raise CourseError(f"--only: no row has {name}={strange[0]}; there are {', '.join(sorted(held))}")
    return [row for row in rows if _said(row.get(name)) in wanted]


def _number(word: str) -> object:
    """A value as a setting has it: a number, or the word itself."""
    try:
        return float(word)
    except ValueError:
        return word.strip()


def _said(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
