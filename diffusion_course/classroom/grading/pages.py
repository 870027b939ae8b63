"""The pages: feedback/STUDENT/NN.html for each file, and summary.html for the instructor. They load nothing and run no script."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...files import write_text
from .gradebook import Student
from .results import Graded, State
from .trouble import Line

if TYPE_CHECKING:
    from jinja2 import Environment

SANDBOX = re.compile(r"(a )?(bubblewrap|container)\b")  # any other isolation is told loudly
LONGEST = (
    200_000  # characters of a notebook that its page shows, besides the exercises; a chapter has about 70,000
)
HEADING = re.compile(r"^#{1,6} ", re.MULTILINE)
TASK = re.compile(r"^#{1,6} Exercise\b", re.MULTILINE)  # as `wording` writes it
STATES = {
    State.RIGHT: "✓",
    State.PART: "◐",
    State.WRONG: "✗",
    State.NOT_DONE: "○",
    State.STOPPED: "■",
    State.MISSING: "?",
    State.WAITS: "…",
    State.MARKED: "✎",
}


def write_feedback(folder: Path, graded: Graded, worth: dict[str, int]) -> None:
    """Write `folder`/feedback/{graded.page}.html. worth: exercise -> points of everything that counts. Raises CourseError."""
    write_text(folder / "feedback" / f"{graded.page}.html", feedback(graded, worth))


def shows(folder: Path, graded: Graded) -> bool:
    """Is the feedback page there, and made of this result? A person's marks may have come since."""
    try:
        with open(folder / "feedback" / f"{graded.page}.html", encoding="utf-8") as page:
            return _made_of(graded) in page.read(1000)
    except (OSError, ValueError):
        return False


def _made_of(graded: Graded) -> str:
    """What a page says of the result it was made of: all but what the run took."""
    told = json.dumps(replace(graded, seconds=0.0, peak=0).as_json(), sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def write_summary(
    folder: Path,
    graded: Sequence[Graded],
    rows: Sequence[Student],
    worth: dict[str, int],
    isolation: str,
    lines: Sequence[Line] = (),
    count: str = "",
) -> None:
    """Write `folder`/summary.html. isolation: begins with "bubblewrap" or "a container", or it is told loudly. lines: what has no row.
    count: of all that was handed in, in words. Raises CourseError."""
    write_text(folder / "summary.html", summary(graded, rows, worth, isolation, lines, count))


def feedback(graded: Graded, worth: dict[str, int]) -> str:
    """A student's own notebook with marks and hints at the exercises, and the rest of it folded. No outputs, no solutions."""
    most = sum(points for exercise, points in worth.items() if exercise[:2] == graded.chapter)
    parts = _parts(graded)
    order = [part["mark"].exercise for part in parts if part["mark"]]
    told = {"graded": graded, "most": most, "parts": parts, "states": STATES, "order": order}
    return rendered("feedback.html", made_of=_made_of(graded), **told)


def _parts(graded: Graded) -> list[dict[str, Any]]:
    """The page from top to bottom: exercises, each with its task before it, and folds of all cells between them."""
    from . import show

    def bodies(cells: Sequence[tuple[str, str]]) -> list[tuple[str, Any]]:
        return [
            (kind, show.markdown(text) if kind == "markdown" else show.code(text)) for kind, text in cells
        ]

    marks = {mark.exercise: mark for mark in graded.marks}
    parts: list[dict[str, Any]] = []
    rest: list[tuple[str, str]] = []  # since the exercise before
    shown = 0
    for kind, source in graded.cells:
        mark = marks.pop(kind, None)
        shown += len(show.cut(source))
        if mark:
            rest, task = _task(rest)
            if rest:
                parts.append({"mark": None, "cells": bodies(rest)})
            parts.append({"mark": mark, "task": bodies(task), "code": show.code(source)})
            rest = []
        elif shown <= LONGEST:
            rest.append((kind, source))
    if rest:
        parts.append({"mark": None, "cells": bodies(rest)})
    parts += [{"mark": mark, "task": [], "code": ""} for mark in marks.values()]
    return parts


def _task(cells: list[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The cells between two exercises: those before the task of the second, and its task, from the last heading of an exercise on.

    Where there is no such heading, the text right before the exercise is its task, from its last heading on.
    """
    at = next(
        (i for i in reversed(range(len(cells))) if cells[i][0] == "markdown" and TASK.search(cells[i][1])),
        None,
    )
    if at is None:
        if not cells or cells[-1][0] != "markdown":
            return cells, []
        at, heading = len(cells) - 1, HEADING
    else:
        heading = TASK
    text = cells[at][1]
    start = max((found.start() for found in heading.finditer(text)), default=0)
    early = [("markdown", text[:start].strip())] if text[:start].strip() else []
    return [*cells[:at], *early], [("markdown", text[start:]), *cells[at + 1 :]]


def summary(
    graded: Sequence[Graded],
    rows: Sequence[Student],
    worth: dict[str, int],
    isolation: str,
    lines: Sequence[Line] = (),
    count: str = "",
) -> str:
    """What was not graded, score distribution, pass rates, frequent hints, time and memory, and what a person should look at, with links."""
    most = sum(worth.values())
    slowest = max(graded, key=lambda one: one.seconds, default=None)
    return rendered(
        "summary.html",
        rows=rows,
        files=len(graded),
        seconds=sum(one.seconds for one in graded),
        median=median([one.seconds for one in graded] or [0.0]),
        slowest=slowest,
        peak=max((one.peak for one in graded), default=0) / 1e9,
        isolation=isolation,
        sandboxed=SANDBOX.match(isolation) is not None,
        most=most,
        bins=_bins([row.total for row in rows], most),
        middle=median([row.total for row in rows] or [0]),
        exercises=[_exercise(e, points, rows) for e, points in worth.items()],
        eye=[one for one in graded if one.flags],
        lines=_lines(lines),
        told=sum(bool(line.entry) for line in lines),
        handed_in=count,
    )


def _lines(lines: Sequence[Line]) -> list[tuple[str, str, list[str]]]:
    """(student, why, entries): what a person should look at comes first; one student's lines of one kind are together."""
    kinds: dict[tuple[bool, str, str], list[str]] = {}
    for line in lines:
        entries = kinds.setdefault((not line.loud, line.student, str(line.trouble)), [])
        if line.entry:
            entries.append(line.entry)
    return [(student, why, entries) for (_, student, why), entries in sorted(kinds.items())]


def _bins(totals: Sequence[int], most: int) -> list[tuple[str, int, float]]:
    """(points, students, share of the largest) in at most 11 bins of whole points; the last one holds the full score alone."""
    width = max(1, -(-most // 10))
    counts = Counter("most" if total >= most else total // width for total in totals)
    ends = [(k, k * width, min((k + 1) * width, most) - 1) for k in range(-(-most // width))]
    named = [(str(a) if a == b else f"{a} to {b}", counts[k]) for k, a, b in ends]
    named.append((str(most), counts["most"]))
    largest = max(count for _, count in named) or 1
    return [(name, count, 100 * count / largest) for name, count in named]


def _exercise(exercise: str, points: int, rows: Sequence[Student]) -> dict[str, Any]:
    given = [row.marks[exercise] for row in rows if exercise in row.marks]
    marks = [mark for mark in given if mark.state != State.WAITS]
    handed = sum(mark.state not in (State.MISSING, State.NOT_DONE) for mark in marks)
    right = sum(mark.points == mark.of and mark.state in (State.RIGHT, State.MARKED) for mark in marks)
    hints = Counter(mark.kind for mark in marks if mark.kind)
    share = 100 * right / len(marks) if marks else 0.0
    common = sorted(hints.items(), key=lambda one: (-one[1], one[0]))[:3]
    return {"id": exercise, "points": points, "of": len(marks)} | {
        "waiting": len(given) - len(marks),
        "handed": handed,
        "right": right,
        "share": share,
        "hints": common,
    }


def rendered(template: str, **told: Any) -> str:
    """A page by one of the templates here."""
    return _pages().get_template(template).render(**told)


@cache
def _pages() -> "Environment":
    from jinja2 import Environment, PackageLoader

    from .show import visible

    pages = Environment(
        loader=PackageLoader(__package__, "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    pages.filters["visible"] = visible
    pages.filters["link"] = lambda page: quote(f"feedback/{page}.html")
    return pages
