"""The gradebook: one row for each student, as CSV (plain, Moodle's or Canvas's) and as JSON.

`worth` is what counts: exercise -> points. It makes the columns.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import unknown
from ...files import write_text
from .results import Graded, Mark


@dataclass(frozen=True)
class Student:
    """One row. marks: exercise -> the mark that counts. graded: everything handed in. lms_id: see Graded."""

    name: str
    marks: dict[str, Mark]
    graded: tuple[Graded, ...]

    @property
    def total(self) -> int:
        return sum(mark.points for mark in self.marks.values())

    @property
    def lms_id(self) -> str:
        return next((one.lms_id for one in self.graded if one.lms_id), "")


def students(graded: Sequence[Graded]) -> list[Student]:
    """The rows, by name. Of two files of one chapter the better one counts, whole; of equal ones the first."""
    files: dict[str, list[Graded]] = {}
    for one in graded:
        files.setdefault(one.student, []).append(one)
    rows = []
    for name, own in sorted(files.items()):
        best: dict[str, Graded] = {}
        for one in own:
            if one.chapter not in best or _rank(one) > _rank(best[one.chapter]):
                best[one.chapter] = one
        marks = {mark.exercise: mark for _, one in sorted(best.items()) for mark in one.marks}
        rows.append(Student(name, marks, tuple(own)))
    return rows


def write(
    folder: Path, graded: Sequence[Graded], worth: dict[str, int], form: str = "plain"
) -> list[Student]:
    """Write gradebook.csv and gradebook.json. form: "plain", "moodle" or "canvas". Returns the rows. Raises CourseError."""
    if form not in FORMS:
        raise unknown("format", form, FORMS)
    rows = [_counting(row, worth) for row in students(graded)]
    text = io.StringIO(newline="")
    table = csv.writer(text)
    for line in FORMS[form](rows, worth):
        table.writerow([_harmless(word) for word in line])
    write_text(folder / "gradebook.csv", text.getvalue())
    book = {"exercises": worth, "total": sum(worth.values()), "students": [_whole(row) for row in rows]}
    write_text(folder / "gradebook.json", json.dumps(book, indent=1, ensure_ascii=False) + "\n")
    return rows


def _counting(row: Student, worth: dict[str, int]) -> Student:
    return replace(row, marks={e: row.marks[e] for e in worth if e in row.marks})


def _whole(row: Student) -> dict:
    """Everything about a student but what differs from run to run: times and memory."""
    files = [
        {"path": g.path, "chapter": g.chapter, "points": g.points, "page": f"feedback/{g.page}.html"}
        | {"problem": g.problem, "notes": g.notes, "look at": g.flags}
        for g in row.graded
    ]
    marks = {exercise: mark.told() for exercise, mark in row.marks.items()}
    return {"student": row.name, "id": row.lms_id, "total": row.total, "marks": marks, "files": files}


def _plain(rows: Sequence[Student], worth: dict[str, int]) -> list[list]:
    head = ["student", *worth, "total", "look at"]
    most = ["(points possible)", *worth.values(), sum(worth.values()), ""]
    return [head, most, *([row.name, *_points(row, worth), row.total, _eye(row)] for row in rows)]


def _moodle(rows: Sequence[Student], worth: dict[str, int]) -> list[list]:
    """Moodle's grading worksheet of an assignment, and enough for the import of its gradebook.

    The worksheet wants the columns "Identifier" (it reads the number behind "Participant "), "Grade" and "Last modified (grade)", by
    these names. The gradebook's import finds users by "Email address" or "Username"; it cannot by "Full name".
    """
    head = ["Identifier", "Full name", "Email address", "Username"]
    head += ["Grade", "Maximum grade", "Last modified (grade)", *worth, "Feedback comments"]
    most = sum(worth.values())
    return [
        head,
        *([*_moodle_user(row), row.total, most, "-", *_points(row, worth), _words(row)] for row in rows),
    ]


def _moodle_user(row: Student) -> list[str]:
    system, _, number = row.lms_id.partition(":")
    known = system == "moodle"
    mail = "@" in row.name
    return [
        f"Participant {number}" if known else "",
        row.name,
        row.name if mail else "",
        "" if known or mail else row.name,
    ]


def _canvas(rows: Sequence[Student], worth: dict[str, int]) -> list[list]:
    """Canvas's gradebook: these five columns, a column for each assignment, and the points possible in the second line.

    An assignment is a chapter here. Canvas finds it by the column's title, and asks about a title it does not know. It finds students
    by ID, else by login, else by name. An empty cell changes nothing: so is a chapter that a student did not hand in.
    """
    fixed = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    chapters = sorted({exercise[:2] for exercise in worth})
    own = {c: {e: points for e, points in worth.items() if e[:2] == c} for c in chapters}
    table: list[list] = [[*fixed, *(f"Chapter {c}" for c in chapters)]]
    table.append(["    Points Possible", "", "", "", "", *(sum(own[c].values()) for c in chapters)])
    for row in rows:
        system, _, number = row.lms_id.partition(":")
        known = system == "canvas"
        handed = {one.chapter for one in row.graded}
        sums = [sum(_points(row, own[c])) if c in handed else "" for c in chapters]
        table.append([row.name, number if known else "", "", "" if known else row.name, "", *sums])
    return table


FORMS = {"plain": _plain, "moodle": _moodle, "canvas": _canvas}


def _rank(one: Graded) -> tuple[bool, int]:
    return bool(one.marks), one.points


def _points(row: Student, worth: dict[str, int]) -> list[int]:
    return [row.marks[exercise].points if exercise in row.marks else 0 for exercise in worth]


def _eye(row: Student) -> str:
    return "; ".join(flag for one in row.graded for flag in one.flags)


def _words(row: Student) -> str:
    return "; ".join(f"{m.exercise}: {m.points} of {m.of}" for m in row.marks.values())


def _harmless(word: object) -> object:
    """A cell that begins like a formula would be run by a spreadsheet; a student may choose a file's name."""
    risky = isinstance(word, str) and word != "-" and word.lstrip()[:1] in tuple("=+-@\t\r\n|%")
    return f"'{word}" if risky and str(word).strip() else word
