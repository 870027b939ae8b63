"""One file as a notebook: its cells in every format that is in use, and which of them are answers. Never runs anything."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from ...errors import CourseError
from .. import handout

LONGEST = 20_000  # characters of a cell that a page shows
WHOLE = 400_000  # characters of a notebook that a page shows; the course's own have up to 100,000
ANSWER = 100_000  # characters of an answer that is graded
HALF = re.compile("[\ud800-\udfff]")  # half of a surrogate pair, as JSON may hold it; no file can


@dataclass(frozen=True)
class Cell:
    """kind: "code" or "markdown". exercise: the id in its metadata, or ""."""

    kind: str
    source: str
    exercise: str

    @property
    def marked(self) -> str:
        """The exercise that its first line names, or ""."""
        found = handout.MARK.match(self.source)
        return found[1] if found else ""


def cells(content: bytes) -> tuple[list[Cell], list[str]]:
    """The cells of a notebook in nbformat 4 or 3, and notes. Raises CourseError, with what is wrong in words, and nothing else."""
    if not content.strip():
        raise CourseError("is empty")
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise CourseError("is not UTF-8 text") from None
    except (ValueError, RecursionError):
        raise CourseError("is not JSON; was the download cut short?") from None
    if not isinstance(notebook, dict):
        raise CourseError("is JSON, but no notebook")
    version, found, notes = notebook.get("nbformat"), notebook.get("cells"), []
    if version == 3 and isinstance(notebook.get("worksheets"), list):
        notes.append("saved in the old notebook format 3")
        sheets = [sheet.get("cells") for sheet in notebook["worksheets"] if isinstance(sheet, dict)]
        found = [cell for sheet in sheets if isinstance(sheet, list) for cell in sheet]
    if version not in (3, 4) or not isinstance(found, list):
        raise CourseError(
            f"is no notebook of format 3 or 4 (nbformat is {HALF.sub('?', str(version)[:20])!r})"
        )
    read = [cell for cell in map(_cell, found) if cell]
    if len(read) < len(found):
        notes.append(f"{len(found) - len(read)} cells are damaged and not read")
    return read, notes


def _cell(raw: object) -> Cell | None:
    if not isinstance(raw, dict):
        return None
    source = raw.get("source", raw.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        return None
    metadata = raw.get("metadata")
    course = metadata.get("course") if isinstance(metadata, dict) else None
    exercise = course.get("id") if isinstance(course, dict) else None
    return Cell(
        "code" if raw.get("cell_type") == "code" else "markdown",
        HALF.sub("\ufffd", source).replace("\r\n", "\n").replace("\r", "\n"),
        exercise if isinstance(exercise, str) and exercise in handout.known() else "",
    )


def answers(cells: Sequence[Cell]) -> tuple[dict[str, int], list[str]]:
    """Exercise -> the number of the cell that counts as its answer, and notes.

    The first line of a cell names its exercise. Where no cell has that line, the metadata do; a cell that was split in two keeps
    them in both halves. An exercise that is there twice counts as the last that is written.
    """
    found: dict[str, list[int]] = {}
    notes = []
    for number, cell in enumerate(cells):
        if cell.marked and cell.marked not in handout.known():
            notes.append(f"the course has no exercise {cell.marked[:60]}")
        elif cell.marked and cell.kind != "code":
            notes.append(f"exercise {cell.marked} is in a cell of text, so it does not count")
        elif cell.marked:
            found.setdefault(cell.marked, []).append(number)
    marked = set(found)
    for number, cell in enumerate(cells):
        if cell.kind == "code" and not cell.marked and cell.exercise and cell.exercise not in marked:
            found.setdefault(cell.exercise, []).append(number)
    counts = {}
    for exercise, numbers in sorted(found.items(), key=lambda one: one[1][0]):
        if len(numbers) > 1:
            notes.append(f"exercise {exercise} is there more than once; the last one that is written counts")
        done = [n for n in numbers if written(exercise, cells[n].source)]
        chosen = (done or numbers)[-1]
        if len(cells[chosen].source) > ANSWER:
            notes.append(f"exercise {exercise} has more than {ANSWER:,} characters, so it is not graded")
        else:
            counts[exercise] = chosen
    return counts, list(dict.fromkeys(notes))


def written(exercise: str, source: str) -> bool:
    """Is an answer anything else than what was handed out?"""
    return _bare(source) != _blank(exercise)


@cache
def _blank(exercise: str) -> tuple[str, ...]:
    return _bare(handout.exercises(handout.read(exercise[:2]))[exercise].blank)


def _bare(source: str) -> tuple[str, ...]:
    lines = (line.rstrip() for line in source.split("\n") if not handout.MARK.match(line))
    return tuple(line for line in lines if line)


def shown(cells: Sequence[Cell], answers: dict[str, int]) -> list[tuple[str, str]]:
    """What the feedback page shows: (kind, source), where the kind of an answer is its exercise; cut where a notebook is huge."""
    names = {number: exercise for exercise, number in answers.items()}
    kept, room = [], WHOLE
    for number, cell in enumerate(cells):
        if room < 0 and number not in names:
            continue
        source = cell.source if len(cell.source) <= LONGEST else cell.source[:LONGEST] + "\n[cut here]"
        room -= len(source) + 100
        kept.append((names.get(number, cell.kind), source))
    return kept
