"""The checks of all exercises, and the two functions a notebook calls.

Each chapter has a file chNN.py here with a list CHECKS. A new file is found by its name.
"""

import importlib
import pkgutil
from collections.abc import Callable

from ...errors import unknown
from .data import Check, CheckFailed, Mutant, NotDone
from .engine import examine

__all__ = ["CHECKS", "Check", "CheckFailed", "Mutant", "NotDone", "check", "check_all", "examine"]

CHECKS: dict[str, Check] = {
    exercise.id: exercise
    for module in pkgutil.iter_modules(__path__)
    if module.name.startswith("ch") and module.name[2:].isdigit()
    for exercise in importlib.import_module(f".{module.name}", __name__).CHECKS
}

# What happened in this kernel: exercise id -> did the last check pass?
_passed: dict[str, bool] = {}


def check(exercise: str, answer: Callable, seed: int | str = 0) -> None:
    """Test your function for one exercise, e.g. `check("01-diffuse", diffuse)`.

    Prints one line when the answer is right. The random inputs come from `seed`; grading uses other seeds.
    Raises CheckFailed with a hint, NotDone when the function is still a stub, CourseError for an unknown id.
    """
    if exercise not in CHECKS:
        raise unknown("exercise", exercise, CHECKS)
    _passed[exercise] = False
    examine(CHECKS[exercise], answer, seed)
    _passed[exercise] = True
    print(f"{exercise}: correct, {_points(CHECKS[exercise].points)}")


def check_all() -> None:
    """Print the points so far of every exercise in the chapters checked in this kernel, and the total."""
    chapters = {exercise[:2] for exercise in _passed}
    listed = [exercise for exercise in CHECKS if exercise[:2] in chapters]
    if not listed:
        print("No exercise has been checked yet. Run the cell with check(...) below each exercise first.")
        return
    width = max(map(len, listed))
    total = reached = 0
    for exercise in listed:
        points = CHECKS[exercise].points
        got = points if _passed.get(exercise) else 0
        total, reached = total + points, reached + got
        note = "" if got else "  not right yet" if exercise in _passed else "  not checked yet"
        print(f"{exercise:{width}}  {got:2} of {points:2}{note}")
    print(f"{'total':{width}}  {reached:2} of {total:2}")
    print("Grading runs these checks again in a fresh kernel, on other random inputs (other seeds).")


def _points(points: int) -> str:
    return "1 point" if points == 1 else f"{points} points"
