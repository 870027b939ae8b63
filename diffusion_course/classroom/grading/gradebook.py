"""The gradebook: one row for each student, as CSV (plain, Moodle's or Canvas's) and as JSON; and a line for
what has no row.

`worth` is what counts: exercise -> points. It makes the columns.
"""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import unknown
from ...files import write_text
from .results import Graded, Mark, State
from .trouble import Line

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # what a terminal may obey
Details = Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Student:
    """One row. marks: exercise -> the mark that counts. graded: everything handed in. lms_id: see Graded.

    lines: what else is to be said of what this student handed in. full: the whole name, where a roster tells
    it. late: chapter -> points that lateness took.
    """

    name: str
    marks: dict[str, Mark]
    graded: tuple[Graded, ...]
    lines: tuple[Line, ...] = ()
    full: str = ""
    late: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(mark.points for mark in self.marks.values()) - sum(self.late.values())

    @property
    def pending(self) -> list[str]:
        """The exercises that wait for a person."""
        return [e for e, mark in self.marks.items() if mark.state == State.WAITS]

    @property
    def lms_id(self) -> str:
        told = [*(one.lms_id for one in self.graded), *(line.lms_id for line in self.lines)]
        return next(filter(None, told), "")

    def number(self, system: str) -> str:
        """The LMS's number for this student; "" where it is not known, or another system's. A roster may give
        it bare."""
        known, colon, number = self.lms_id.partition(":")
        return known if not colon else number if known == system else ""


def students(graded: Sequence[Graded]) -> list[Student]:
    """The rows, by name. Of two files of one chapter the better one counts, whole; of equal ones the
    first."""
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
        late = {chapter: one.penalty for chapter, one in sorted(best.items()) if one.penalty}
        rows.append(Student(name, marks, tuple(own), late=late))
    return rows


def write(
    folder: Path,
    graded: Sequence[Graded],
    worth: dict[str, int],
    form: str = "plain",
    lines: Sequence[Line] = (),
    details: Details | None = None,
) -> list[Student]:
    """Write gradebook.csv and gradebook.json. form: "plain", "moodle" or "canvas". Returns the rows. Raises
    CourseError.

    lines: what was handed in and has no row. details: student -> (name, id) of a roster.
    """
    if form not in FORMS:
        raise unknown("format", form, FORMS)
    rows = [_counting(row, worth) for row in students(graded)]
    text = io.StringIO(newline="")
    table = csv.writer(text)
    for line in FORMS[form](_with_lines(rows, lines, details or {}), worth):
        table.writerow([_harmless(word) for word in line])
    # Excel takes a CSV without this mark for one in the system's old encoding. The imports of Moodle and
    # Canvas do not want it.
    write_text(folder / "gradebook.csv", ("\ufeff" if form == "plain" else "") + text.getvalue())
    book = {"exercises": worth, "total": sum(worth.values()), "students": [_whole(row) for row in rows]}
    book["lines"] = [line.as_json() for line in lines]
    book["entries"] = len(graded) + sum(bool(line.entry) for line in lines)
    write_text(folder / "gradebook.json", json.dumps(book, indent=1, ensure_ascii=False) + "\n")
    return rows


def _with_lines(rows: Sequence[Student], lines: Sequence[Line], details: Details) -> list[Student]:
    """The rows with the lines of the same student, and below them rows without marks for who has lines
    alone."""
    own: dict[str, list[Line]] = {}
    for line in lines:
        if line.loud:
            own.setdefault(line.student, []).append(line)
    full = [
        replace(row, lines=tuple(own.pop(row.name, ())), full=details.get(row.name, ("", ""))[0])
        for row in rows
    ]
    nobody = [Student("", {}, (), (line,)) for line in own.pop("", ())]
    others = [
        Student(name, {}, (), tuple(told), details.get(name, ("", ""))[0])
        for name, told in sorted(own.items())
    ]
    return [*full, *others, *nobody]


def _counting(row: Student, worth: dict[str, int]) -> Student:
    return replace(row, marks={e: row.marks[e] for e in worth if e in row.marks})


def _whole(row: Student) -> dict:
    """Everything about a student but what differs from run to run: times and memory."""
    files = [
        {"path": g.path, "chapter": g.chapter, "points": g.points, "page": f"feedback/{g.page}.html"}
        | {"problem": g.problem, "notes": g.notes, "look at": g.flags}
        | ({"late": g.late, "penalty": g.penalty} if g.late else {})
        for g in row.graded
    ]
    marks = {exercise: mark.told() for exercise, mark in row.marks.items()}
    told = {"student": row.name, "id": row.lms_id, "total": row.total, "marks": marks, "files": files}
    return told | ({"pending": row.pending} if row.pending else {})


def _plain(rows: Sequence[Student], worth: dict[str, int]) -> list[list]:
    late = any(row.late for row in rows)
    head: list = ["student", *worth, *(["late"] if late else []), "total", "look at"]
    most: list = ["(points possible)", *worth.values(), *([""] if late else []), sum(worth.values()), ""]
    table = [head, most]
    for row in rows:
        *points, total = _cells(row, worth)
        taken = [-sum(row.late.values()) or ""] if late else []
        table.append([row.name, *points, *taken, total, _eye(row)])
    return table


def _cells(row: Student, worth: dict[str, int]) -> list:
    """Points and total; empty for who has no row: nothing was graded."""
    return [*_shown(row, worth), row.total] if row.graded else [""] * (len(worth) + 1)


def _moodle(rows: Sequence[Student], worth: dict[str, int]) -> list[list]:
    """Moodle's grading worksheet of an assignment, and enough for the import of its gradebook.

    The worksheet wants the columns "Identifier" (it reads the number behind "Participant "), "Grade" and
    "Last modified (grade)", by these names. The gradebook's import finds users by "Email address" or
    "Username"; it cannot by "Full name". An empty grade changes nothing: so is that of who waits for a
    person's marks.
    """
    head: list = ["Identifier", "Full name", "Email address", "Username"]
    head += ["Grade", "Maximum grade", "Last modified (grade)", *worth, "Feedback comments"]
    most = sum(worth.values())
    table = [head]
    for row in filter(_known, rows):
        *points, total = _cells(row, worth)
        table.append([*_moodle_user(row), "" if row.pending else total, most, "-", *points, _words(row)])
    return table


def _moodle_user(row: Student) -> list[str]:
    number, mail = row.number("moodle"), "@" in row.name
    return [
        f"Participant {number}" if number else "",
        row.full or row.name,
        row.name if mail else "",
        "" if (number and not row.full) or mail else row.name,
    ]


def _canvas(rows: Sequence[Student], worth: dict[str, int]) -> list[list]:
    """Canvas's gradebook: these five columns, a column for each assignment, and the points possible in the
    second line.

    An assignment is a chapter here. Canvas finds it by the column's title, and asks about a title it does not
    know. It finds students by ID, else by login, else by name. An empty cell changes nothing: so is a chapter
    that a student did not hand in, or that waits for a person's marks.
    """
    fixed = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    chapters = sorted({exercise[:2] for exercise in worth})
    own = {c: {e: points for e, points in worth.items() if e[:2] == c} for c in chapters}
    table: list[list] = [[*fixed, *(f"Chapter {c}" for c in chapters)]]
    table.append(["    Points Possible", "", "", "", "", *(sum(own[c].values()) for c in chapters)])
    for row in filter(_known, rows):
        number = row.number("canvas")
        handed = {one.chapter for one in row.graded} - {exercise[:2] for exercise in row.pending}
        sums = [sum(_points(row, own[c])) - row.late.get(c, 0) if c in handed else "" for c in chapters]
        login = "" if number and not row.full else row.name
        table.append([row.full or row.name, number, "", login, "", *sums])
    return table


def _known(row: Student) -> bool:
    """Does an LMS know this student? Where only lines tell of one, the name may be a guess."""
    return bool(row.graded or row.lms_id)


FORMS = {"plain": _plain, "moodle": _moodle, "canvas": _canvas}


def _rank(one: Graded) -> tuple[bool, int]:
    return bool(one.marks), one.points


def _points(row: Student, worth: dict[str, int]) -> list[int]:
    return [row.marks[exercise].points if exercise in row.marks else 0 for exercise in worth]


def _shown(row: Student, worth: dict[str, int]) -> list:
    """The points, and a word where a person's are still to come."""
    return [
        "pending" if e in row.pending else points
        for e, points in zip(worth, _points(row, worth), strict=True)
    ]


def _eye(row: Student) -> str:
    flags = [flag for one in row.graded for flag in one.flags]
    return "; ".join(
        [
            *flags,
            *(f"{line.entry}: {line.trouble}" if line.entry else str(line.trouble) for line in row.lines),
        ]
    )


def _words(row: Student) -> str:
    return "; ".join(
        f"{m.exercise}: {'waits for a person' if m.state == State.WAITS else f'{m.points} of {m.of}'}"
        for m in row.marks.values()
    ) + "".join(f"; chapter {chapter} late: -{points}" for chapter, points in row.late.items())


def _harmless(word: object) -> object:
    """A cell that begins like a formula would be run by a spreadsheet; a student may choose a file's name."""
    word = CONTROL.sub("\ufffd", word) if isinstance(word, str) else word
    risky = isinstance(word, str) and word != "-" and word.lstrip()[:1] in tuple("=+-@\t\r\n|%")
    return f"'{word}" if risky and str(word).strip() else word
