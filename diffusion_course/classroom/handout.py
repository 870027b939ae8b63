"""The student edition as it was installed: beside the package in a checkout, inside it in a wheel. Needs no torch."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ..errors import CourseError, unknown

PACKAGE = Path(__file__).parents[1]
# The first line of an exercise cell; students are asked to keep it.
MARK = re.compile(r"^\s*#\s*EXERCISE\s+(\d\d-[a-z0-9_-]+)")


@dataclass(frozen=True)
class Exercise:
    """One exercise of a student notebook. blank: the cell's source as it was handed out."""

    id: str
    points: int
    blank: str


def folder() -> Path:
    """Where the student notebooks lie. Raises CourseError when the package came without them."""
    for place in (PACKAGE / "_notebooks", PACKAGE.parent / "notebooks"):
        if place.is_dir():
            return place
    raise CourseError(
        "notebooks: none came with this package; install it again, from the checkout or the wheel"
    )


@cache
def names() -> tuple[str, ...]:
    """The chapters that were installed, e.g. "03_epsilon_loss"."""
    return tuple(_names(folder()))


@cache
def read(number: str) -> NotebookNode:
    """The installed student notebook of chapter "03". Raises CourseError for an unknown one."""
    if number not in (name[:2] for name in names()):
        raise unknown("chapter", number, [name[:2] for name in names()])
    return edition(folder(), number)[number]


def edition(place: Path, *numbers: str) -> dict[str, NotebookNode]:
    """The student notebooks in a folder, e.g. one that `release` made: chapter number -> notebook. numbers: those alone.

    Raises CourseError when there is none, or one cannot be read.
    """
    found = {}
    for name in _names(place):
        if not numbers or name[:2] in numbers:
            try:
                found[name[:2]] = nbformat.read(place / f"{name}.ipynb", as_version=4)
            except (OSError, ValueError, AttributeError) as error:
                raise CourseError(f"{place / name}.ipynb: cannot be read as a notebook ({error})") from None
    if not found:
        raise CourseError(f"there is no chapter NN_name.ipynb in {place}")
    return found


def exercises(notebook: NotebookNode) -> dict[str, Exercise]:
    """The exercises of a student notebook by id, in its order."""
    found = {}
    for cell in notebook.cells:
        course = cell.metadata.get("course")
        if cell.cell_type == "code" and course and MARK.match(cell.source):
            found[course["id"]] = Exercise(course["id"], course["points"], cell.source)
    return found


@cache
def known() -> frozenset[str]:
    """The ids of all exercises of the installed chapters."""
    return frozenset(e for name in names() for e in exercises(read(name[:2])))


def _names(place: Path) -> list[str]:
    return sorted(path.stem for path in place.glob("[0-9][0-9]_*.ipynb"))
