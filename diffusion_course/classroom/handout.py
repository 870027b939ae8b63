"""The student edition as it was installed: beside the package in a checkout, inside it in a wheel. Needs no torch."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CourseError, unknown
from .ids import chapter_of
from .terms import Marks

if TYPE_CHECKING:
    from nbformat import NotebookNode

PACKAGE = Path(__file__).parents[1]
# The first line of an exercise cell; students are asked to keep it.
MARK = re.compile(r"^\s*#\s*EXERCISE\s+(\d\d-[a-z0-9_-]+)")
# What of the setup cell stays where the course is installed.
START = """\
from diffusion_course.notebook import setup

course = setup()"""


@dataclass(frozen=True)
class Exercise:
    """One exercise of a student notebook. level: 1 easy, 2 medium, 3 hard. blank: the cell's source as it was handed out.

    marks: of a design. rubric: of a task that a person marks, (part, points, what they are given for). variant: the number of its version; 0 is the course's own.
    """

    id: str
    points: int
    minutes: int
    level: int
    blank: str
    marks: Marks = ()
    variant: int = 0
    rubric: tuple[tuple[str, int, str], ...] = ()

    @property
    def terms(self) -> dict[str, Any]:
        """What the check is told of this edition, as plain data."""
        return {"points": self.points, "marks": [list(mark) for mark in self.marks], "variant": self.variant}


def folder() -> Path:
    """Where the student notebooks lie. Raises CourseError when the package came without them."""
    # Beside an installed package may lie a `notebooks` that is somebody else's.
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
def read(number: str) -> "NotebookNode":
    """The installed student notebook of chapter "03". Raises CourseError for an unknown one."""
    numbers = [chapter_of(name) for name in names()]
    if number not in numbers:
        raise unknown("chapter", number, numbers)
    return edition(folder(), number)[number]


def edition(place: Path, *numbers: str) -> "dict[str, NotebookNode]":
    """The student notebooks in a folder, e.g. one that `release` made: chapter number -> notebook. numbers: those alone.

    Raises CourseError when there is none, or one cannot be read.
    """
    import nbformat  # an installation without the extra `lab` has none, and asks where the notebooks lie

    found = {}
    for name in _names(place):
        if not numbers or chapter_of(name) in numbers:
            try:
                found[chapter_of(name)] = nbformat.read(place / f"{name}.ipynb", as_version=4)
            except (OSError, ValueError, AttributeError) as error:
                raise CourseError(f"{place / name}.ipynb: cannot be read as a notebook ({error})") from None
    if not found:
        raise CourseError(f"there is no chapter NN_name.ipynb in {place}")
    return found


def exercises(notebook: "NotebookNode") -> dict[str, Exercise]:
    """The exercises of a student notebook by id, in its order. Raises CourseError where one has lost what it is worth."""
    return {e: _exercise(e, cell) for cell in notebook.cells if (e := exercise_of(cell))}


def exercise_of(cell: "NotebookNode") -> str:
    """The id of the exercise whose cell this is, "" for any other cell of a student notebook."""
    is_one = cell.cell_type == "code" and MARK.match(cell.source)
    return cell.metadata.get("course", {}).get("id", "") if is_one else ""


def template(cell: "NotebookNode") -> str:
    """The source of a Markdown cell before `build` filled in what it says of exercises, "" where there was nothing to fill in."""
    return cell.metadata.get("course", {}).get("template", "")


def installed(cell: "NotebookNode") -> str:
    """A code cell's source where the course is installed: of the setup cell what would install it is left out."""
    return START if "setup" in cell.metadata.get("tags", []) else cell.source


@cache
def known() -> frozenset[str]:
    """The ids of all exercises of the installed chapters."""
    return frozenset(e for name in names() for e in exercises(read(chapter_of(name))))


def _exercise(name: str, cell: "NotebookNode") -> Exercise:
    points, minutes, level = numbers = [
        cell.metadata.course.get(key) for key in ("points", "minutes", "level")
    ]
    if not all(type(number) is int and number >= 1 for number in numbers):
        raise CourseError(
            f"{name}: its cell's metadata must say points, minutes and level, as `build` wrote them"
        )
    marks = tuple((p, bar) for p, bar in cell.metadata.course.get("marks", ()))
    rubric = tuple((part, worth, what) for part, worth, what in cell.metadata.course.get("rubric", ()))
    variant = cell.metadata.course.get("variant", 0)
    return Exercise(name, points, minutes, level, cell.source, marks, variant, rubric)


def _names(place: Path) -> list[str]:
    return sorted(path.stem for path in place.glob("[0-9][0-9]_*.ipynb"))
