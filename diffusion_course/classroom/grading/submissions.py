"""What was handed in: which file belongs to which student and chapter, and what in it is an answer.

Nothing here runs a student's code. A file that cannot be used becomes a submission with a `problem` in words, never an error.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import CourseError
from .. import handout
from . import finding, intake, names, reading
from .names import safe

__all__ = ["Submission", "find", "safe"]


@dataclass(frozen=True)
class Submission:
    """One file. answers: exercise id -> the cell's source. notes: what an instructor should know. problem: why it has no answers.

    cells: (kind, source) of the whole notebook for the feedback page; kind is "code", "markdown", or, for the cell that counts as an
    answer, its exercise. page: where that page lies, without ".html"; no two submissions share one. lms_id: "moodle:4711", a
    participant, or "canvas:4711", a user, where the file's name tells it. notebook: its cells as they are.
    """

    student: str
    chapter: str  # "03"; "" where it cannot be told
    path: str
    digest: str
    answers: dict[str, str] = field(default_factory=dict)
    cells: list[tuple[str, str]] = field(default_factory=list)
    notebook: tuple[reading.Cell, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""
    page: str = ""
    lms_id: str = ""

    @property
    def touched(self) -> bool:
        """Is any answer more than what was handed out?"""
        return any(finding.written(exercise, source) for exercise, source in self.answers.items())


def find(where: Path) -> list[Submission]:
    """All submissions in a folder or a .zip, in order of student, chapter and path. Never raises for what is in a file.

    They may lie flat or in a folder for each student, as Moodle, Canvas and GitHub Classroom export them. The first name below `where`
    says whose they are. A folder without any notebook is a submission with a problem. Notebooks whose exercises are all as they were
    handed out count only for a student who handed in nothing else.

    Raises CourseError when there is no such folder, it holds no notebook, or the .zip is broken.
    """
    files = list(_shown_once(intake.files(where)))
    if not files:
        raise CourseError(f"submissions: no .ipynb file in {where}")
    prefixes = names.common_prefix(
        {s.path.split("/")[0] for s in files if s.path.split("/")[1:2] == ["notebooks"]}
    )
    owned = [replace(s, student=student, lms_id=lms) for s in files for student, lms in [_owner(s, prefixes)]]
    chosen = [one for group in _by_student(_told_apart(owned)) for one in _counting(group)]
    chosen.sort(key=lambda s: (s.student, s.chapter, s.path))
    return _with_pages(chosen)


def _shown_once(files: Iterable[intake.File]) -> Iterable[Submission]:
    """Each file as a submission whose owner is still to be found; no two have the same path, also where names had to be cleaned."""
    seen: Counter[str] = Counter()
    for file in files:
        path = "/".join(names.printable(part) for part in file.parts)
        seen[path] += 1
        yield _read(file, path if seen[path] == 1 else f"{path} ({seen[path]})")


def _read(file: intake.File, path: str) -> Submission:
    """One file as a submission, without its student."""
    named = names.chapter_of(file.parts[-1])
    digest = hashlib.sha256(file.content).hexdigest() if file.content else ""
    refused = Submission("", named, path, digest, problem=file.problem)
    if file.problem:
        return replace(refused, problem=file.problem if file.empty else f"the file {file.problem}")
    try:
        cells, notes = reading.cells(file.content)
    except CourseError as error:
        return replace(refused, problem=f"the file {error}")
    found, more = finding.answers(cells, named)
    if not found:
        nothing = "no cell begins with '# EXERCISE ...'; is it a notebook of this course?"
        return replace(refused, cells=reading.shown(cells, {}), notes=(*notes, *more), problem=nothing)
    answers = {exercise: cells[number].source for exercise, number in found.items()}
    chapter = _chapter(answers, named)
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
    )


def _chapter(answers: dict[str, str], named: str) -> str:
    """The chapter of most written answers; of most answers where none is written; where they are equal, the one the name says."""
    counts = Counter(e[:2] for e, source in answers.items() if finding.written(e, source))
    counts = counts or Counter(e[:2] for e in answers)
    return max(sorted(counts), key=lambda chapter: (counts[chapter], chapter == named))


def _owner(s: Submission, prefixes: list[str]) -> tuple[str, str]:
    parts = tuple(s.path.split("/"))
    prefix = next((p for p in prefixes if parts[0].startswith(p)), "")
    return names.owner((*parts, "") if s.problem.startswith(intake.NONE) else parts, prefix)


def _told_apart(found: list[Submission]) -> list[Submission]:
    """Two students of one name get the numbers by which Moodle or Canvas tells them apart."""
    numbers = defaultdict(set)
    for s in found:
        numbers[s.student].add(s.lms_id)
    return [
        replace(s, student=f"{s.student} {s.lms_id.partition(':')[2]}".strip())
        if len(numbers[s.student]) > 1
        else s
        for s in found
    ]


def _by_student(found: list[Submission]) -> list[list[Submission]]:
    groups = defaultdict(list)
    for s in sorted(found, key=lambda s: (s.student, s.path)):
        groups[s.student].append(s)
    return list(groups.values())


def _counting(group: list[Submission]) -> list[Submission]:
    """What counts of all that one student handed in."""
    several = [s for s in group if not s.problem.startswith(intake.NONE)] or group[:1]
    texts = [s for s in several if s.chapter in _without_exercises() and not s.answers and s.cells]
    several = [s for s in several if s not in texts] or texts[:1]
    if any(s.touched for s in several):
        several = [s for s in several if s.touched or not s.answers]
    elif blank := [s for s in several if s.answers]:
        hinted = names.chapter_of(blank[0].path.split("/")[0].replace("-", "_"))
        keep = next((s for s in blank if s.chapter == hinted), blank[0])
        several = [s for s in several if s is keep or not s.answers]
    chapters = Counter(s.chapter for s in several)
    twice = "handed in more than one file of this chapter; the better one counts"
    return [replace(s, notes=(*s.notes, twice)) if chapters[s.chapter] > 1 else s for s in several]


def _without_exercises() -> set[str]:
    """Chapters that hold no exercise, such as 00: nobody can hand them in."""
    return {name[:2] for name in handout.names()} - {exercise[:2] for exercise in handout.known()}


def _with_pages(found: list[Submission]) -> list[Submission]:
    places: Counter[str] = Counter()
    paged = []
    for s in found:
        place = f"{safe(s.student)}/{s.chapter or 'unknown'}"
        places[place] += 1
        paged.append(replace(s, page=place if places[place] == 1 else f"{place}-{places[place]}"))
    return paged
