"""A student notebook with points of one's own, with exercises given away, and with nbgrader's metadata. Needs no torch.

Where a changed chapter counts points in words that are not known here it is refused: no edition states a stale number.
"""

import ast
import re
from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass

from nbformat import NotebookNode

from ..errors import CourseError
from . import handout

# "### Exercise 2: `diffuse` (3 points, 10 minutes, medium)" or "### Exercise 03-eps_loss (level 2, 10 minutes, 3 points)"
HEADING = re.compile(r"^### Exercise (?:\d+: `(\w+)`|\d\d-(\w+)) \((.*)\)$", re.MULTILINE)
# "the three exercises (7 points)" or "reading and exercises (8 points)"
COUNTED = re.compile(r"\b(?:(two|three|four|five|six|seven|eight|nine)\s+)?exercises?\s+\((\d+) points?\)")
POINTS = re.compile(r"\b\d+ points?\b")
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# It opens the installed notebook, not the edition's.
BADGE = re.compile(r"\n\n\[!\[Open in Colab\].*$", re.MULTILINE)

GIVEN = """\
# Not an exercise in this edition: the course's own function does the work.
from diffusion_course.classroom.checks import CHECKS


{signature}
    return CHECKS["{exercise}"].reference({arguments})"""
GIVEN_HEADING = """\
### Given here: `{function}`

In this edition it is not an exercise: the next code cell gives the function that this text asks for, and where the chapter calls it yours,
it means this one."""


@dataclass(frozen=True)
class Change:
    """What becomes of a chapter. old, new: exercise -> points; new lacks what is given."""

    name: str
    old: dict[str, int]
    new: dict[str, int]

    @property
    def changed(self) -> bool:
        return self.old != self.new


def worth(notebook: NotebookNode, points: Mapping[str, int], hidden: Collection[str]) -> dict[str, int]:
    """Exercise id -> points of what is left to do in a chapter. points: the new ones. hidden: ids of what is given."""
    exercises = handout.exercises(notebook).values()
    return {e.id: points.get(e.id, e.points) for e in exercises if e.id not in hidden}


def adapt(notebook: NotebookNode, name: str, new: dict[str, int]) -> NotebookNode:
    """A copy of the chapter `name` in which the exercises in `new` have these points, and the others are given.

    Every copy gets nbgrader's metadata; nothing else changes where the points are the old ones. Raises CourseError when the text
    counts points in an unknown way.
    """
    old = {e.id: e.points for e in handout.exercises(notebook).values()}
    change = Change(name, old, new)
    adapted = deepcopy(notebook)
    if change.changed:
        for cell in adapted.cells:
            if cell.cell_type == "markdown":
                cell.source = _text(cell.source, change)
        _headings(notebook, change)
        adapted.cells = [kept for cell in adapted.cells if (kept := _code(cell, change)) is not None]
        _only_one_total(adapted, change)
        adapted.cells[0].source = BADGE.sub("", adapted.cells[0].source)
    for cell in adapted.cells:
        _mark(cell, change)
    return adapted


def _text(source: str, change: Change) -> str:
    """Markdown with the new numbers."""
    for paragraph in source.split("\n\n"):
        rest = COUNTED.sub("", HEADING.sub("", paragraph))
        if "exercise" in paragraph.lower() and (unknown := POINTS.search(rest)):
            raise CourseError(
                f"{change.name}: its text counts points in a way that release does not know: "
                f"{unknown[0]!r} in {' '.join(paragraph.split())[:100]!r}"
            )
    source = HEADING.sub(lambda found: _heading(found, change), source)
    return COUNTED.sub(lambda found: _counted(found, change), source)


def _heading(found: re.Match, change: Change) -> str:
    function = found[1] or found[2]
    exercise = f"{change.name[:2]}-{function}"
    if exercise not in change.new:
        return GIVEN_HEADING.format(function=function)
    return POINTS.sub(_points(change.new[exercise]), found[0])


def _counted(found: re.Match, change: Change) -> str:
    count, points = len(change.new), sum(change.new.values())
    if int(found[2]) != sum(change.old.values()):
        raise CourseError(
            f"{change.name}: its text says {found[0]!r}, its exercises have {sum(change.old.values())}"
        )
    if not count:
        return "exercises (0 points: this edition gives them all)"
    number = f"{NUMBERS[count] if count < len(NUMBERS) else count} " if found[1] else ""
    return f"{number}{'exercise' if number and count == 1 else 'exercises'} ({_points(points)})"


def _headings(notebook: NotebookNode, change: Change) -> None:
    """Raise CourseError unless each exercise has the one heading that was changed."""
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    seen = [f"{change.name[:2]}-{found[1] or found[2]}" for found in HEADING.finditer(text)]
    for exercise in change.old:
        if seen.count(exercise) != 1:
            raise CourseError(
                f"{change.name}: want one heading '### Exercise ...' for {exercise} with its points, "
                f"found {seen.count(exercise)}"
            )


def _code(cell: NotebookNode, change: Change) -> NotebookNode | None:
    """A cell of a changed chapter: as it was, with the new points, given, or (the check of what is given) gone."""
    course, checked = cell.metadata.get("course"), _checked(cell)
    if course and course.id not in change.new:
        cell.source = _given(cell.source, course.id, change)
        cell.id, cell.metadata = f"{course.id}-given", NotebookNode()
    elif course:
        course.points = change.new[course.id]
    elif checked and checked not in change.new:
        return None
    elif checked and change.new[checked] != change.old[checked]:
        call = f'check("{checked}", {checked[3:]}'
        if cell.source.count(f"{call})") != 1:
            raise CourseError(
                f"{change.name}: want '{call})' once in the check cell of {checked}, to add its points"
            )
        cell.source = cell.source.replace(f"{call})", f"{call}, points={change.new[checked]})")
    elif cell.cell_type == "code":
        lines = "".join(f'    "{exercise}": {points},\n' for exercise, points in change.new.items())
        mapping = f"{{\n{lines}}}" if lines else "{}"
        cell.source = re.sub(r"^check_all\(\)$", f"check_all({mapping})", cell.source, flags=re.MULTILINE)
    return cell


def _given(source: str, exercise: str, change: Change) -> str:
    """The exercise's function with its own signature and docstring, for the chapter may lean on a default; it calls the reference."""
    match ast.parse(source).body:
        case [ast.FunctionDef() as function] if function.name == exercise[3:] and ast.get_docstring(function):
            signature = "\n".join(source.split("\n")[function.lineno - 1 : function.body[0].end_lineno])
            arguments = ", ".join(argument.arg for argument in function.args.args)
            return GIVEN.format(signature=signature, exercise=exercise, arguments=arguments)
    raise CourseError(
        f"{change.name}: {exercise} cannot be given: want one function with a docstring in its cell"
    )


def _only_one_total(adapted: NotebookNode, change: Change) -> None:
    found = sum(cell.source.count("check_all({") for cell in adapted.cells if cell.cell_type == "code")
    if found != 1:
        raise CourseError(f"{change.name}: want one line check_all() in a code cell, found {found}")


def _checked(cell: NotebookNode) -> str:
    """The exercise that a check cell checks, "" for another cell."""
    found = re.search(r'^check\("([^"]+)"', cell.source, re.MULTILINE)
    return found[1] if found and "check" in cell.metadata.get("tags", []) else ""


def _mark(cell: NotebookNode, change: Change) -> None:
    """nbgrader's metadata, schema version 3: answers, checks with points, and cells that students should leave alone."""
    marks = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
    checked = _checked(cell)
    if "exercise" in cell.metadata.get("tags", []):
        cell.metadata.nbgrader = NotebookNode(marks, grade_id=cell.metadata.course.id, solution=True)
    elif checked:
        graded = {"grade": True, "locked": True, "points": change.new[checked], "cell_type": "code"}
        cell.metadata.nbgrader = NotebookNode(marks, grade_id=f"{checked}-check", **graded)
    elif "setup" in cell.metadata.get("tags", []) or cell.id.endswith("-given"):
        cell.metadata.nbgrader = NotebookNode(marks, grade_id=cell.id, locked=True)


def _points(number: int) -> str:
    return "1 point" if number == 1 else f"{number} points"
