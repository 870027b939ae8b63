"""One file as a notebook: its cells in every format that is in use. Never runs anything."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import CourseError
from .. import handout

LONGEST = 20_000  # characters of a cell that a page shows
WHOLE = 400_000  # characters of a notebook that a page shows; the course's own have up to 100,000
ANSWER = 100_000  # characters of an answer that is graded
HALF = re.compile("[\ud800-\udfff]")  # half of a surrogate pair, as JSON may hold it; no file can


@dataclass(frozen=True)
class Cell:
    """kind: "code" or "markdown". exercise: the id in its metadata, or "". ran: as which of its kernel's cells it ran last, 0 for none."""

    kind: str
    source: str
    exercise: str = ""
    ran: int = 0


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
    ran = raw.get("execution_count", raw.get("prompt_number"))
    return Cell(
        "code" if raw.get("cell_type") == "code" else "markdown",
        HALF.sub("\ufffd", source).replace("\r\n", "\n").replace("\r", "\n"),
        exercise if isinstance(exercise, str) and exercise in handout.known() else "",
        ran if isinstance(ran, int) and ran > 0 else 0,
    )


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
