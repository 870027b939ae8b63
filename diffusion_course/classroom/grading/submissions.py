"""What was handed in: which file belongs to which student and chapter, and what in it is an answer.

Nothing here runs a student's code. A file that cannot be used becomes a submission with its `trouble`, never
an error; what is no notebook becomes a line. Nothing else: every entry of the folder is one of the two.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import CourseError, printable
from . import choosing, finding, names, ownership, people, reading, times
from .choosing import Held
from .entries import Entry
from .finding import INSTALLED, Edition
from .intake import Intake
from .names import safe
from .people import Key
from .roster import Roster
from .trouble import Line, Trouble, Why

__all__ = ["Found", "Submission", "find", "safe"]


@dataclass(frozen=True)
class Submission:
    """One file. answers: exercise id -> the cell's source. notes: what an instructor should know. trouble:
    why it has no answers.

    cells: (kind, source) of the whole notebook for the feedback page; kind is "code", "markdown", or, for the
    cell that counts as an answer, its exercise. page: where that page lies, without ".html"; no two
    submissions share one. lms_id: "moodle:4711", a participant, or "canvas:4711", a user, where the file's
    name or a roster tells it. notebook: its cells as they are. touched: is any answer more than what was handed out?
    """

    student: str
    chapter: str  # "03"; "" where it cannot be told
    path: str
    digest: str
    answers: dict[str, str] = field(default_factory=dict)
    cells: list[tuple[str, str]] = field(default_factory=list)
    notebook: tuple[reading.Cell, ...] = ()
    notes: tuple[str, ...] = ()
    trouble: Trouble | None = None
    page: str = ""
    lms_id: str = ""
    touched: bool = False
    handed_in: times.HandedIn = field(
        default=times.UNKNOWN, compare=False
    )  # of the same file in a folder and a zip it differs

    @property
    def problem(self) -> str:
        """Why it has no answers, in words; "" where it has."""
        return self.trouble.of_a_file if self.trouble else ""


@dataclass(frozen=True)
class Found:
    """submissions: in order of student, chapter and path. lines: the other entries, and what is to be said of
    the whole.

    entries: how many things were handed in. ignored: names of what systems leave behind, and how often.
    """

    submissions: list[Submission]
    lines: list[Line]
    entries: int
    ignored: Counter[str]

    @property
    def told(self) -> int:
        """How many entries are told in a line."""
        return sum(bool(line.entry) for line in self.lines)

    def count(self) -> str:
        """Entries in = rows + lines, in words."""
        ignored = ", ".join(sorted(map(printable, self.ignored))[:5])
        noise = f"; {self.ignored.total()} ignored ({ignored})" if self.ignored else ""
        same = "=" if self.entries == len(self.submissions) + self.told else "ARE NOT (please report it)"
        return f"{self.entries} entries {same} {len(self.submissions)} rows + {self.told} lines{noise}"


def find(
    where: Path,
    roster: Roster | None = None,
    leave_out: tuple[Path, ...] = (),
    edition: Edition = INSTALLED,
) -> Found:
    """All that lies in a folder or a .zip. Never raises for what is in a file.

    Notebooks may lie flat or in a folder for each student, as Moodle, Canvas and GitHub Classroom export
    them. The first name below `where`, and below a folder around all, says whose they are; a roster goes
    before. Notebooks whose exercises are all as they were handed out count only for a student who handed in
    nothing else. leave_out: files and folders that are not looked at. edition: what was handed out, where it is not the
    installed course.

    Raises CourseError when there is no such folder, nothing is in it, or the .zip is broken.
    """
    intake = Intake(where, leave_out)
    held = list(_shown_once(intake, edition))
    if not held:
        raise CourseError(f"submissions: there is nothing to grade, no .ipynb file, in {where}")
    held = ownership.owned(held, intake, roster)
    known = {one.person.key: one.person for one in held if one.submission or ownership.names_somebody(one)}
    shown = people.shown(known.values(), {one.person.key for one in held if one.submission})
    chosen, lines = _counted(held, shown)
    chosen.sort(key=lambda s: (s.student, s.chapter, s.path))
    lines = _complete(held, chosen, lines)
    lines += ownership.remarks(held, intake, known.values(), shown)
    if roster:
        lines += ownership.unmatched(
            held, intake, roster, {s.student for s in chosen} | {line.student for line in lines if line.entry}
        )
    return Found(_with_pages(chosen), lines, len(held), intake.noise)


def _shown_once(intake: Intake, edition: Edition) -> Iterable[Held]:
    """Each entry with a path that no other has, also where names had to be cleaned; and what is in it."""
    seen: set[str] = set()
    for entry in intake:
        path = "/".join(map(printable, ownership.below(entry, intake))) + (
            "/" if entry.folder and len(entry.parts) == 1 else ""
        )
        number, only = 1, path
        while only in seen:
            number += 1
            only = f"{path} ({number})"
        seen.add(only)
        submission = _read(entry, only, edition) if entry.notebook else None
        course = b"### BEGIN SOLUTION" in entry.content
        yield Held(replace(entry, content=b""), only, submission, course)


def _read(entry: Entry, path: str, edition: Edition) -> Submission:
    """One file as a submission, without its student."""
    named = names.chapter_of(entry.parts[-1])
    digest = hashlib.sha256(entry.content).hexdigest() if entry.content else ""
    handed_in = times.of(entry.parts[0], entry.written)
    refused = Submission("", named, path, digest, trouble=entry.trouble, handed_in=handed_in)
    if entry.trouble:
        return refused
    try:
        cells, notes = reading.cells(entry.content)
    except CourseError as error:
        return replace(refused, trouble=Trouble(Why.NO_TEXT, str(error)))
    found, more = finding.answers(cells, named, edition)
    if entry.copy:
        more.append("the zip holds several files of this name")
    if not found:
        nothing = Trouble(Why.NO_EXERCISE)
        return replace(refused, cells=reading.shown(cells, {}), notes=(*notes, *more), trouble=nothing)
    answers = {exercise: cells[number].source for exercise, number in found.items()}
    written = [e for e, source in answers.items() if finding.written(e, source, edition)]
    chapter = _chapter(written or list(answers), named)
    strays = sorted(exercise for exercise in answers if exercise[:2] != chapter)
    if strays:
        more.append(f"holds exercises of another chapter, which are not graded: {', '.join(strays)}")
    if named and named != chapter:
        more.append(f"the file's name says chapter {named}, but it holds exercises of chapter {chapter}")
    own = {exercise: number for exercise, number in found.items() if exercise[:2] == chapter}
    return replace(
        refused,
        chapter=chapter,
        answers={exercise: answers[exercise] for exercise in own},
        cells=reading.shown(cells, own),
        notebook=tuple(cells),
        notes=(*notes, *more),
        touched=any(e in own for e in written),
    )


def _chapter(exercises: Iterable[str], named: str) -> str:
    """The chapter of most of them; where they are equal, the one the name says."""
    counts = Counter(e[:2] for e in exercises)
    return max(sorted(counts), key=lambda chapter: (counts[chapter], chapter == named))


def _counted(held: list[Held], shown: dict[Key, str]) -> tuple[list[Submission], list[Line]]:
    """What counts of all that was handed in, with its students, and a line for everything else."""
    chosen, lines = [], []
    groups: dict[Key, list[Held]] = {}
    for one in held:
        if one.submission:
            groups.setdefault(one.person.key, []).append(one)
        elif one.entry.trouble:
            lines.append(Line(one.entry.trouble, one.path, shown.get(one.person.key, ""), one.person.lms_id))
    for key, group in groups.items():
        number = next((one.person.lms_id for one in group if one.person.lms_id), "")
        kept, dropped = choosing.counting(group)
        chosen += [replace(s, student=shown[key], lms_id=number) for s in kept]
        lines += [Line(Trouble(why), one.path, shown[key], number) for one, why in dropped]
    return chosen, sorted(lines, key=lambda line: line.entry)


def _complete(held: list[Held], chosen: list[Submission], lines: list[Line]) -> list[Line]:
    """Nobody is lost, whatever is wrong here: an entry without a row or a line gets one."""
    fates = {s.path for s in chosen} | {line.entry for line in lines}
    return [*lines, *(Line(Trouble(Why.LOST), one.path) for one in held if one.path not in fates)]


def _with_pages(found: list[Submission]) -> list[Submission]:
    places: Counter[str] = Counter()
    paged = []
    for s in found:
        place = f"{safe(s.student)}/{s.chapter or 'unknown'}"
        places[place] += 1
        paged.append(replace(s, page=place if places[place] == 1 else f"{place}-{places[place]}"))
    return paged
