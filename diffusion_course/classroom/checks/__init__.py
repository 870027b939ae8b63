"""The checks of all exercises, and the two functions a notebook calls.

Each chapter has a file chNN.py here with a list CHECKS. A new file is found by its name. A long exercise has a file of its own beside it.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from ...errors import CourseError, check_integer, unknown
from .. import progress
from ..ids import chapter_of
from ..terms import Marks, reached
from ..wording import in_points
from . import open_tasks
from .call import isolated
from .data import Check, CheckFailed, Mutant, NotDone, Variant
from .engine import appraisal, examine
from .stale import slip, unchanged
from .unwritten import go_on, notebook, to_do

__all__ = [
    "CHECKS",
    "OPEN",
    "TASKS",
    "Check",
    "CheckFailed",
    "Mutant",
    "NotDone",
    "Variant",
    "check",
    "check_all",
    "examine",
]


class Exercises(Mapping[str, Check]):
    """Exercise id -> its check, in the order of the chapters. The file of a chapter is read when one of its exercises is asked for."""

    def __init__(self, by_hand: Mapping[str, Check] = MappingProxyType({})):
        self.by_hand = by_hand
        self.chapters = sorted(
            module.name[2:]
            for module in pkgutil.iter_modules(__path__)
            if module.name.startswith("ch") and module.name[2:].isdigit()
        )
        self.read: dict[str, dict[str, Check]] = {}  # chapter -> its exercises

    def of(self, chapter: str) -> dict[str, Check]:
        """Those of chapter "NN"; none where there is no such chapter."""
        if chapter in self.chapters and chapter not in self.read:
            with isolated(), torch.device("cpu"):  # a notebook may have changed torch's defaults by now
                checks = importlib.import_module(f".ch{chapter}", __name__).CHECKS
            by_hand = {id: check for id, check in self.by_hand.items() if chapter_of(id) == chapter}
            self.read[chapter] = {check.id: check for check in checks} | by_hand
        return self.read.get(chapter, {})

    def __getitem__(self, id: str) -> Check:
        if not isinstance(id, str):  # a notebook may ask for anything
            raise KeyError(id)
        return self.of(chapter_of(id))[id]

    def __iter__(self) -> Iterator[str]:
        return (id for chapter in self.chapters for id in self.of(chapter))

    def __len__(self) -> int:
        return sum(1 for _ in self)


CHECKS = Exercises()
# Those that a person marks, and all.
OPEN: dict[str, Check] = open_tasks.read()
TASKS = Exercises(OPEN)

RIGHT = ""
WAITS = "waits for a person"
WRONG = "not right yet"
NOT_WRITTEN = "not written yet"
# What happened in this kernel: exercise id -> what the last check found.
_found: dict[str, str] = {}
# The points that it gave.
_points: dict[str, int] = {}
# Why progress could not be kept, as it was said last.
_unnoted = ""
# And the points that the last check was told.
_worth: dict[str, int] = {}


def check(
    exercise: str,
    answer: Callable,
    seed: int | str = 0,
    points: int | None = None,
    marks: Marks = (),
    variant: int = 0,
) -> None:
    """Test your function for one exercise, e.g. `check("01-diffuse", diffuse)`.

    Prints one line when the answer is right. The random inputs come from `seed`; grading uses other seeds.
    points: what the exercise is worth, >= 1; marks: (points, score) of a design; variant: its number. An edition of the course
    writes them where it changes them.
    In a notebook a function that is still a stub, or a repair that is still wrong, is told in a box, and the course's own takes its place there for no points.
    Of a task that a person marks it says whether all parts are there.
    Raises CheckFailed with a hint; elsewhere NotDone for a stub; CourseError for an unknown id or points that are no whole number.
    """
    if exercise not in TASKS:
        raise unknown("exercise", exercise, TASKS)
    asked, shell = TASKS[exercise].under(points, marks, variant), notebook()
    _worth[exercise], _found[exercise] = asked.points, WRONG
    if exercise in OPEN:
        _hand_in(asked, answer, shell)
        return
    try:
        examine(asked, answer, seed)
    except NotDone:
        _found[exercise] = NOT_WRITTEN
        if shell is None:
            raise
        go_on(asked, answer, asked.points, shell, slip(asked, shell))
    except CheckFailed as failed:
        if advice := slip(asked, shell) or unchanged(asked, answer):
            failed.args = (f"{failed}\n{advice}",)
        if shell is None or not asked.repair or shell.user_ns.get(asked.function) is not answer:
            raise
        go_on(
            asked, answer, asked.points, shell, str(failed)
        )  # it is handed out wrong, and must strand nobody
    else:
        _found[exercise] = RIGHT
        _points[exercise], words = _reached(asked, answer, seed)
        print(f"{exercise}: {words}")
        if shell is not None:
            _note(exercise, asked.points)


def _note(exercise: str, of: int) -> None:
    """Keep it beside the notebook. Where that cannot be done it is said once, and costs nothing."""
    global _unnoted
    try:
        progress.note(Path.cwd(), exercise, _points[exercise], of)
    except CourseError as error:
        if str(error) != _unnoted:
            print(f"(your progress is not kept: {error})")
        _unnoted = str(error)


def _hand_in(asked: Check, answer: Callable, shell: Any) -> None:
    """Say whether the parts of an open task are there."""
    try:
        open_tasks.examine(asked, answer)
    except NotDone as stub:
        _found[asked.id] = NOT_WRITTEN
        if shell is None:
            raise
        to_do(asked, asked.points, shell, str(stub))
    else:
        _found[asked.id] = WAITS
        print(f"{asked.id}: all parts are there; it {open_tasks.waiting(asked.rubric, asked.points)}")


def _reached(asked: Check, answer: Callable, seed: int | str) -> tuple[int, str]:
    """The points of an answer that was accepted, and what is said of it."""
    if not asked.score:
        return asked.points, f"correct, {in_points(asked.points)}"
    number, words = appraisal(asked, answer, seed)
    points = reached(asked.marks, number, asked.lower)
    return (points if points == asked.points or not asked.coarse else asked.least), words


def check_all(points: Mapping[str, int] | None = None) -> None:
    """Print the points so far of every exercise in the chapters checked in this kernel, and the total.

    points: exercise -> points of an edition of the course; then exactly these are listed, checked or not.
    Raises CourseError for an unknown exercise, or points that are no whole number >= 1.
    """
    listed = _of_the_chapters() if points is None else dict(points)
    for exercise in listed:
        if exercise not in TASKS:
            raise unknown("exercise", exercise, TASKS)
        check_integer(f"points of {exercise}", listed[exercise], 1)
    if not listed:
        print(
            "No exercise has been checked yet. Run the cell with check(...) below each exercise first."
            if points is None
            else "In this edition the chapter has no exercise."
        )
        return
    width = max(map(len, listed))
    total = mine = 0
    for exercise, worth in listed.items():
        found = _found.get(exercise, "not checked yet")
        # A part of the points is of what they were when it was checked.
        got = _points[exercise] * worth // _worth[exercise] if found == RIGHT else 0
        total, mine = total + worth, mine + got
        print(f"{exercise:{width}}  {got:2} of {worth:2}  {found}".rstrip())
    print(f"{'total':{width}}  {mine:2} of {total:2}")
    print(
        "Grading runs these checks again in a fresh kernel, on hidden seeds: other random inputs than here."
    )
    if notebook() is not None and (more := progress.of_check_all(list(listed))):
        print(more)


def _of_the_chapters() -> dict[str, int]:
    """Exercise -> points, of every chapter in which one was checked."""
    chapters = sorted({chapter_of(exercise) for exercise in _found})
    return {e: _worth.get(e, task.points) for chapter in chapters for e, task in TASKS.of(chapter).items()}
