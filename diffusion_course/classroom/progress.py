"""progress.json, beside the notebooks: which exercises a learner has passed, over all chapters. Needs no torch.

`check` notes what it accepts, `check_all` and `diffusion-course progress` show it. It is the learner's own and proves nothing.
What a person marks is not in it.
"""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ..errors import CourseError, printable
from ..files import alone, write_json, write_text
from . import handout
from .ids import chapter_of
from .wording import counted, in_points

NAME = "progress.json"
SWITCH = "DIFFUSION_COURSE_PROGRESS"  # "off": nothing is noted, as where the course's own solutions are run
PLACES = (".", "notebooks", "diffusion-course", "diffusion-course/notebooks")
WIDTH = 20  # signs of a bar
TITLE = re.compile(r"# (?:\d+\. )?([^:\n]*)")


@dataclass(frozen=True)
class Passed:
    """What a check gave: points of so many, on a day ("2026-11-26")."""

    points: int
    of: int
    on: str


@dataclass(frozen=True)
class Chapter:
    """One chapter. exercises: id -> points that it is worth. passed: what of them was passed."""

    number: str
    title: str
    exercises: dict[str, int]
    passed: dict[str, Passed]

    @property
    def worth(self) -> int:
        return sum(self.exercises.values())

    @property
    def points(self) -> int:
        """A part of the points is of what they were when it was checked."""
        return sum(p.points * self.exercises[e] // p.of for e, p in self.passed.items())

    @property
    def left(self) -> list[str]:
        return [e for e in self.exercises if e not in self.passed]


def note(folder: Path, exercise: str, points: int, of: int) -> None:
    """Keep that an exercise was passed, unless it was with more points before. Raises CourseError where the file is damaged, or cannot be
    written."""
    path = folder / NAME
    if os.environ.get(SWITCH) == "off":
        return
    try:
        with alone(path.with_name(f".{NAME}.lock")):  # two notebooks may be checked at once
            found = read(folder)
            before = found.get(exercise)
            if before and before.points * of >= points * before.of:
                return
            found[exercise] = Passed(points, of, date.today().isoformat())
            write_json(path, {"passed": {e: asdict(p) for e, p in sorted(found.items())}})
    except OSError as error:
        raise CourseError(f"cannot write {path}: {error.strerror}") from None


def read(folder: Path) -> dict[str, Passed]:
    """Exercise -> what was passed; nothing where there is no file. Raises CourseError for one that is damaged."""
    path = folder / NAME
    try:
        told = json.loads(path.read_text(encoding="utf-8"))["passed"]
        found = {str(e): Passed(**entry) for e, entry in told.items()}
        whole = all(
            type(p.points) is type(p.of) is int and 0 <= p.points <= p.of != 0 for p in found.values()
        )
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CourseError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole or not all(type(p.on) is str for p in found.values()):
        raise CourseError(f"{path} is damaged: move it away, and run the checks again")
    return found


def chapters(folder: Path) -> list[Chapter]:
    """All chapters with exercises, of the edition in the folder, or of the installed course where it holds none."""
    try:
        edition = handout.edition(folder)
    except CourseError:
        edition = handout.edition(handout.folder())
    passed = read(folder)
    found = []
    for number, notebook in sorted(edition.items()):
        worth = {e: x.points for e, x in handout.exercises(notebook).items() if not x.rubric}
        title = TITLE.match(notebook.cells[0].source)
        if worth:
            own = {e: passed[e] for e in worth if e in passed}
            found.append(Chapter(number, title[1].strip() if title else "", worth, own))
    return found


def total(found: Sequence[Chapter]) -> str:
    """Everything in one line."""
    done, every = sum(len(c.passed) for c in found), sum(len(c.exercises) for c in found)
    points = f"{sum(c.points for c in found)} of {in_points(sum(c.worth for c in found))}"
    return f"{done} of {counted(every, 'exercise')} passed, {points}"


def lines(found: Sequence[Chapter]) -> list[str]:
    """A page of it as text: a line for each chapter, what is left of those begun, and the total."""
    told = []
    width = max((len(_name(c)) for c in found), default=0)
    for c in found:
        done = WIDTH * c.points // c.worth
        bar = "#" * done + "." * (WIDTH - done)
        counts = f"{len(c.passed):2} of {len(c.exercises):2} exercises, {c.points:3} of {c.worth:3} points"
        told.append(f"{_name(c):{width}}  {bar}  {counts}")
        if c.passed and c.left:
            told.append(f"{'':{width}}  left: {', '.join(c.left)}")
    return [*told, f"{'All chapters':{width}}  {total(found)}"]


def report(found: Sequence[Chapter]) -> dict[str, Any]:
    """Everything, for a script: by chapter and exercise, what it is worth and what was passed (None: not yet)."""
    return {
        "points": sum(c.points for c in found),
        "worth": sum(c.worth for c in found),
        "chapters": {
            c.number: {
                "title": c.title,
                "points": c.points,
                "worth": c.worth,
                "exercises": {
                    e: {"worth": worth, "passed": asdict(c.passed[e]) if e in c.passed else None}
                    for e, worth in c.exercises.items()
                },
            }
            for c in found
        },
    }


def _name(chapter: Chapter) -> str:
    return printable(f"{chapter.number} {chapter.title}")[:40]


def place(folder: Path | None) -> Path:
    """The folder whose progress is meant: this one, or the first near by that has some, else the first with notebooks."""
    if folder is not None:
        if not folder.is_dir():
            raise CourseError(f"progress: there is no folder {folder}")
        return folder
    near = [*map(Path, PLACES), handout.folder()]
    with_file = (p for p in near if (p / NAME).is_file())
    return next(with_file, None) or next((p for p in near if any(p.glob("[0-9][0-9]_*.ipynb"))), near[0])


def write_page(path: Path, folder: Path, found: Sequence[Chapter]) -> None:
    """One page to print: HTML that loads nothing. Raises CourseError."""
    from .grading import pages

    told: dict[str, Any] = {"chapters": found, "total": total(found), "folder": str(folder)}
    write_text(path, pages.rendered("progress.html", today=date.today().isoformat(), **told))


def of_check_all(listed: Sequence[str]) -> str:
    """What `check_all` adds in a notebook: all chapters in one line, where others than those listed were passed too. "" for nothing to tell."""
    here = Path.cwd()
    try:
        if set(map(chapter_of, read(here))) <= set(map(chapter_of, listed)):
            return ""
        return f"All chapters: {total(chapters(here))}. `diffusion-course progress` shows them."
    except CourseError as error:
        return str(error)
