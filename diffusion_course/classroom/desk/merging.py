"""What a person adds is put over what the machine found: open tasks that wait, marks and comments by hand."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml
from nbformat import NotebookNode

from ...errors import CourseError, unknown
from .. import handout
from ..grading.names import safe
from ..grading.results import Flag, Graded, Kind, Mark, State
from ..grading.times import UNKNOWN, HandedIn
from ..ids import chapter_of
from ..points_file import Lines, Points
from . import deadlines, hand_marks, shares
from .deadlines import Deadlines
from .hand_marks import Hand, HandMark

TO_MARK = "to_mark.yaml"
HEAD = """\
# What waits for a person, written anew by each run. Copy entries to marks.yaml beside this file, and fill them in: grading never
# writes that one.
"""


@dataclass(frozen=True)
class Desk:
    """What counts besides the notebooks. worth: exercise -> points, of every chapter of the edition, open tasks too.
    tasks: further open task -> lines. rubrics: of all that a person marks by lines. hand: what a person marked. shares: see `Rules`. times: path -> when."""

    worth: Mapping[str, int] = field(default_factory=dict)
    tasks: Mapping[str, Lines] = field(default_factory=dict)
    rubrics: Mapping[str, Lines] = field(default_factory=dict)
    hand: Hand = field(default_factory=dict)
    shares: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    deadlines: Deadlines | None = None
    times: Mapping[str, HandedIn] = field(default_factory=dict)

    def settled(self, graded: Graded) -> Graded:
        """A result with all that is known of it. The stored one stays the machine's."""
        marks = {mark.exercise: mark for mark in graded.marks}
        of_chapter = [e for e in self.worth if chapter_of(e) == graded.chapter]
        for e in of_chapter:
            by_hand = self.hand.get((graded.student, e))
            if e in self.tasks and (not graded.problem or by_hand):
                marks[e] = Mark(e, 0, self.worth[e], State.WAITS, flags=(Flag(Kind.OPEN),))
            if e in marks and marks[e].state == State.WAITS:
                lines = tuple((line, None, most) for line, most in self.rubrics.get(e, {}).items())
                marks[e] = replace(marks[e], lines=lines)
            if by_hand:
                marks[e] = _over(marks.get(e) or Mark(e, 0, self.worth[e], State.MISSING), by_hand)
        return self._on_time(replace(graded, marks=tuple(marks.values())))

    def _on_time(self, graded: Graded) -> Graded:
        """With what lateness takes, rounded down."""
        if self.deadlines is None or not graded.path or not graded.chapter:
            return graded
        judged = self.deadlines.judged(graded.student, graded.chapter, self.times.get(graded.path, UNKNOWN))
        taken = graded.points * judged.percent // 100
        cost = (
            f"{judged.percent} % of {graded.points} points are taken off, {taken}"
            if judged.percent and graded.points
            else ""
        )
        late = ": ".join(filter(None, (judged.told, cost)))
        eye = f"chapter {graded.chapter}: {late or judged.eye}"
        return replace(graded, penalty=taken, late=late, eye=(eye,) if late or judged.eye else ())

    def without_file(self, graded: Collection[Graded]) -> list[Graded]:
        """What a person marked of a chapter of which nothing was handed in: an oral exam, a file that came by mail."""
        there = {(one.student, one.chapter) for one in graded}
        missing = sorted({(student, chapter_of(e)) for student, e in self.hand} - there)
        note = "marked by a person, without a file"
        return [Graded(s, chapter, "", f"{safe(s)}/{chapter}", notes=(note,)) for s, chapter in missing]


def read(
    out: Path,
    pristine: Mapping[str, NotebookNode],
    said: Points,
    students: Collection[str],
    times: Mapping[str, HandedIn],
) -> Desk:
    """The desk of a folder of grades. said: the points file. students: all that are known. times: path -> when it was handed in.

    Raises CourseError in one line.
    """
    exercises = {e: x for n in pristine.values() for e, x in handout.exercises(n).items()}
    worth = {e: x.points for e, x in exercises.items()}
    check_points(said, worth)
    tasks = {t: lines for t, lines in said.tasks.items() if lines and chapter_of(t) in pristine}
    worth |= {task: sum(lines.values()) for task, lines in tasks.items()}
    worth = dict(sorted(worth.items(), key=lambda one: chapter_of(one[0])))
    rubrics = {**_rubrics(exercises.values()), **said.rubrics, **tasks}
    hand = hand_marks.read(out / hand_marks.NAME, students, worth, rubrics)
    limits = deadlines.read(out / deadlines.NAME, students, pristine)
    return Desk(worth, tasks, rubrics, hand, shares.resolved(said.shares, exercises), limits, times)


def _rubrics(exercises: Iterable[handout.Exercise]) -> dict[str, Lines]:
    """Of the exercises that a person marks; not where the edition gives them other points, which the lines do not add up to."""
    lines = {x.id: {part: points for part, points, _ in x.rubric} for x in exercises if x.rubric}
    worth = {x.id: x.points for x in exercises}
    return {e: rubric for e, rubric in lines.items() if sum(rubric.values()) == worth[e]}


def check_points(said: Points, worth: Mapping[str, int]) -> None:
    """A points file and the edition that was handed out say the same. It may name chapters that the edition does not have. Raises CourseError."""
    for e in (*said.points, *said.rubrics, *said.shares):
        if e not in worth and chapter_of(e) in {chapter_of(known) for known in worth}:
            raise unknown("exercise in --points", e, worth)
    for e, points in said.points.items():
        if worth.get(e, points) != points:
            raise CourseError(
                f"--points: {e} has {points} points, and the edition that is graded {worth[e]}; give grade the folder of this "
                "release (--release)"
            )
    for e, lines in said.rubrics.items():
        if sum(lines.values()) != worth.get(e, sum(lines.values())):
            raise CourseError(
                f"--points: the rubric of {e} has {sum(lines.values())} points, want {worth[e]}"
            )
    for task in said.tasks:
        if task in worth:
            raise CourseError(
                f"--points: {task} is an exercise with a check; a rubric: fits it, a task: does not"
            )


def _over(mark: Mark, by_hand: HandMark) -> Mark:
    """A machine's mark with a person's over it."""
    if by_hand.points is None:
        return replace(mark, comment=by_hand.comment)
    waited = mark.state == State.WAITS
    was = None if waited else mark.points
    return replace(
        mark,
        hint="" if waited else mark.hint,
        flags=tuple(flag for flag in mark.flags if flag.kind != Kind.OPEN),
        points=by_hand.points,
        state=State.MARKED,
        comment=by_hand.comment,
        lines=by_hand.lines,
        was=was,
    )


def to_mark(graded: Sequence[Graded]) -> str:
    """The entries of marks.yaml for all that waits, to be filled in; the most of each line beside it."""
    text = HEAD + "marks:\n"
    waiting = [(one, mark) for one in graded for mark in one.marks if mark.state == State.WAITS]
    for one, mark in waiting:
        text += (
            f"  - student: {_quoted(one.student)}\n    exercise: {mark.exercise}  # {one.path}\n    rubric:\n"
        )
        text += "".join(f"      {_quoted(line)}:  # of {most}\n" for line, _, most in mark.lines)
        text += "    # comment: ...\n"
    return text if waiting else HEAD + "marks: []\n"


def _quoted(text: str) -> str:
    return str(yaml.safe_dump(text, allow_unicode=True, width=10**6)).split("\n...")[0].strip()
