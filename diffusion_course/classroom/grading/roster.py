"""A roster: whose file is whose, where no rule can know. A CSV with the columns file and student, and
optionally name and id."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import CourseError, printable
from . import names

Parts = tuple[str, ...]
COLUMNS = ("file", "student", "name", "id")


@dataclass(frozen=True)
class Row:
    """One line of the roster. file: a file or a folder below the submissions; () where the student is only
    listed."""

    line: int
    file: Parts
    student: str
    name: str
    id: str


@dataclass(frozen=True)
class Roster:
    """files: a file or a folder -> its row. students: student -> (name, id), either may be ""."""

    files: dict[Parts, Row]
    students: dict[str, tuple[str, str]]

    def match(self, places: Iterable[Parts]) -> Row | None:
        """The row of the nearest file or folder around one of these places, which are one file's by several
        names."""
        around = [normal(place[:length]) for place in places for length in range(len(place), 0, -1)]
        return next((self.files[p] for p in sorted(around, key=len, reverse=True) if p in self.files), None)

    def of_id(self, number: str) -> str:
        """The student who has this number of the LMS, e.g. "canvas:4711", or bare; "" where nobody has, or several have."""
        same = (number, number.partition(":")[2])
        found = [student for student, (_, known) in self.students.items() if known and known in same]
        return found[0] if len(found) == 1 else ""

    def unmatched(self, places: Iterable[Parts]) -> list[Row]:
        """The rows that name nothing which is there."""
        there = {normal(place[:length]) for place in places for length in range(1, len(place) + 1)}
        return [row for file, row in self.files.items() if file not in there]


def read(path: Path) -> Roster:
    """Raises CourseError, in one line, for a file that cannot be read, lacks a column, or contradicts
    itself."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        rows = list(_rows(text))
    except OSError as error:
        raise CourseError(f"--roster: {path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise CourseError(f"--roster: {path} is not UTF-8 text; save it as 'CSV UTF-8'") from None
    except (csv.Error, ValueError) as error:
        raise CourseError(f"--roster: {path}: {error}") from None
    files: dict[Parts, Row] = {}
    students: dict[str, tuple[str, str]] = {}
    for row in rows:
        before = files.setdefault(row.file, row) if row.file else row
        if before.student != row.student:
            where = f"--roster: {path}, line {row.line}: {printable('/'.join(row.file))}"
            raise CourseError(
                f"{where} is {row.student}'s here, and {before.student}'s in line {before.line}"
            )
        name, number = students.get(row.student, ("", ""))
        if (name and row.name not in ("", name)) or (number and row.id not in ("", number)):
            raise CourseError(
                f"--roster: {path}, line {row.line}: {row.student} has another name or id before"
            )
        students[row.student] = (name or row.name, number or row.id)
    return Roster(files, students)


def _rows(text: str) -> Iterator[Row]:
    """Raises ValueError, in words."""
    head = next(iter(text.splitlines()), "")
    table = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    columns = [cell.strip().casefold() for cell in next(table, [])]
    for column in COLUMNS:
        if columns.count(column) > 1:
            raise ValueError(f"the column {column!r} is there twice")
    for column in COLUMNS[:2]:
        if column not in columns:
            raise ValueError(f"no column {column!r}; it wants file and student, and takes name and id")
    for cells in table:
        told = dict(zip(columns, (" ".join(printable(cell, " ").split()) for cell in cells), strict=False))
        if not any(told.values()):
            continue
        if not told.get("student"):
            raise ValueError(f"line {table.line_num} has no student; fill it in, or delete the line")
        file = dict(zip(columns, cells, strict=False)).get("file", "").strip().replace("\\", "/")
        parts = tuple(step for step in file.split("/") if step not in ("", "."))
        yield Row(table.line_num, normal(parts), told["student"], told.get("name", ""), told.get("id", ""))


def normal(place: Parts) -> Parts:
    """A place as a roster names it: a disk may hold the same name in two forms."""
    return tuple(names.normal(part.strip()) for part in place)
