"""A chapter's source, solutions/NN_name.py, read and checked.

The source is in jupytext's percent format. Which cell is an exercise, its first line says; what the exercise is worth, its `Check`.
`read` refuses what would break the course later: an exercise without a check, a solution that is never closed.
"""

import ast
import hashlib
import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import jupytext
from nbformat import NotebookNode

from ..errors import CourseError, nearest
from . import handout, texts, wording
from .blanks import BEGIN, END, handed_out, planted
from .checks import TASKS, Check
from .ids import chapter_of, function_of

FIRST = re.compile(r"# EXERCISE (\S+) \(keep this line\)")


@dataclass(frozen=True)
class Chapter:
    """A chapter that has passed every check. cells: with ids, and with the solutions in them."""

    name: str
    cells: list[NotebookNode]
    exercises: list[Check]  # in order

    @property
    def points(self) -> int:
        return sum(exercise.points for exercise in self.exercises)


def read(path: Path) -> Chapter:
    """Read and check one source. Raises CourseError naming the chapter, the cell and what is wrong with it."""
    chapter = path.stem
    try:
        notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    except (OSError, UnicodeError, ValueError, SyntaxError) as error:
        raise CourseError(f"{chapter}: cannot be read as a jupytext percent file: {error}") from None
    cells = notebook.cells
    if not cells or cells[0].cell_type != "markdown" or not re.match(r"# \S", cells[0].source):
        raise CourseError(f"{chapter}: the first cell must be Markdown and open with the title, '# ...'")
    exercises: list[Check] = []
    for number, cell in enumerate(cells):
        cell.metadata.pop("lines_to_next_cell", None)  # jupytext's note on blank lines
        try:
            _check_cell(cell)
            if _opens(cell):
                following = next((c for c in cells[number + 1 :] if c.cell_type == "code"), None)
                exercises.append(_exercise(cell, following, chapter_of(chapter)))
        except CourseError as error:
            raise CourseError(f"{place(chapter, number, cell)}: {error}") from None
    _check_text(chapter, cells, [exercise.id for exercise in exercises])
    _identify(cells)
    _expand(chapter, cells)
    return Chapter(chapter, cells, exercises)


def place(chapter: str, number: int, cell: NotebookNode) -> str:
    """Where a cell is, for a message: chapter, position (counted from 0), and its first line."""
    first = cell.source.strip().split("\n")[0]
    return f"{chapter}, cell {number} ({first[:60]!r})"


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _opens(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and cell.source.startswith("# EXERCISE")


def _check_cell(cell: NotebookNode) -> None:
    odd = sorted(set(cell.metadata) - {"tags"})
    if odd:
        raise CourseError(f"the cell's metadata may hold tags, got {', '.join(odd)}")
    words = tags(cell)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise CourseError(f"tags must be a list of strings, got {words!r}")
    if "exercise" in words:
        raise CourseError(
            "leave out the tag 'exercise': a code cell is one by its first line, '# EXERCISE NN-name (keep this line)'"
        )
    if not _opens(cell) and (BEGIN in cell.source or END in cell.source):
        raise CourseError("solution markers stand outside an exercise")
    if "check" in words and not cell.source.startswith("# NBVAL_CHECK_OUTPUT\n"):
        raise CourseError("a check cell must open with the line '# NBVAL_CHECK_OUTPUT'")


def _exercise(cell: NotebookNode, following: NotebookNode | None, number: str) -> Check:
    """The check of an exercise's cell. The cell gets the metadata that tell what it is."""
    first = FIRST.fullmatch(cell.source.split("\n")[0])
    if not first:
        raise CourseError(f"the first line must be '# EXERCISE {number}-name (keep this line)'")
    name = first[1]
    if not name.startswith(f"{number}-"):
        raise CourseError(f"an exercise id of this chapter begins with '{number}-', got {name!r}")
    if name not in TASKS:
        raise CourseError(
            f"unknown exercise {name!r}{nearest(name, TASKS)} Its Check belongs in classroom/checks/ch{number}.py"
        )
    check, function = TASKS[name], function_of(name)
    for variant in check.variants if check.repair else ():
        planted(cell.source, check, variant.edits)  # an edition may ask for any of them
    try:
        body = ast.parse(handed_out(cell.source, check)).body
    except SyntaxError as error:
        raise CourseError(f"the student's version is not valid Python: {error}") from None
    match body:
        case [ast.FunctionDef() as found] if found.name == function and ast.get_docstring(found):
            pass
        case _:
            raise CourseError(f"the cell must hold one function, {function}, with a docstring")
    call = f'check("{name}", {function})'
    if following is None or "check" not in tags(following) or following.source.split("\n").count(call) != 1:
        raise CourseError(f"the next code cell must have the tag 'check' and the line {call}")
    cell.metadata.tags = ["exercise", *tags(cell)]
    cell.metadata.course = {
        "id": name,
        "points": check.points,
        "minutes": check.minutes,
        "level": check.level,
    }
    if check.marks:
        cell.metadata.course.marks = [list(mark) for mark in check.marks]
    if check.repair:
        cell.metadata.course.repair = True
    if check.rubric:
        cell.metadata.course.rubric = [[line.part, line.points, line.what] for line in check.rubric]
    return check


def _expand(chapter: str, cells: Sequence[NotebookNode]) -> None:
    """Fill in what is the same in every edition."""
    written = deepcopy(cells)
    for number, cell in enumerate(cells):
        if cell.cell_type == "markdown":
            try:
                cell.source = texts.expand(cell.source, written)
            except CourseError as error:
                raise CourseError(f"{place(chapter, number, cell)}: {error}") from None


def _check_text(chapter: str, cells: Sequence[NotebookNode], exercises: Sequence[str]) -> None:
    seen = [c for c in cells if c.cell_type == "markdown" and "solution-only" not in tags(c)]
    text = "\n\n".join(cell.source for cell in seen)
    twice = next((name for name in exercises if exercises.count(name) > 1), None)
    if twice:
        raise CourseError(f"{chapter}: exercise {twice} is there twice")
    headings = wording.HEADING.findall(text)
    if headings != exercises:
        raise CourseError(
            f"{chapter}: want a heading '### Exercise {{{{ID}}}}' for each of {', '.join(exercises) or 'no exercises'}, "
            f"in this order, got {', '.join(headings) or 'none'}"
        )
    if exercises and wording.TOTAL not in text:
        raise CourseError(f"{chapter}: want {wording.TOTAL!r} in the text: it tells how many, and the points")


def _identify(cells: list[NotebookNode]) -> None:
    """Ids that depend on the cell alone: a change in one cell leaves the ids of all others as they were."""
    seen: dict[str, int] = {}
    for cell in cells:
        if exercise := handout.exercise_of(cell):
            cell.id = exercise
            continue
        key = f"{cell.cell_type}\n{cell.source}"
        seen[key] = seen.get(key, 0) + 1
        cell.id = hashlib.sha256(f"{key}\n{seen[key]}".encode()).hexdigest()[:12]
