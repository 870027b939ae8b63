"""What grading finds: a mark for each exercise, and the marks of one file with what a person should look at. Text is made here, last."""

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """What became of an exercise."""

    RIGHT = "right"
    PART = "partly right"
    WRONG = "wrong"
    NOT_DONE = "not done"
    STOPPED = "stopped"
    MISSING = "missing"
    WAITS = "waits for a person"
    MARKED = "marked by a person"


class Kind(StrEnum):
    """What a flag is about."""

    STOPPED = "stopped"
    TAMPERED = "tampered"
    DIFFERS = "differs"
    LIBRARY = "library"
    CHECKS = "checks"
    UNUSUAL = "unusual"
    GPU = "gpu"
    CHAPTER = "chapter"
    MACHINE = "machine"
    NEEDS = "needs"
    OPEN = "open"


WORDS = {
    Kind.STOPPED: "{}",
    Kind.TAMPERED: "the check accepts a wrong function: tampering",
    Kind.DIFFERS: "right in the notebook, but by itself: {}",
    Kind.LIBRARY: "calls the course's own function",
    Kind.CHECKS: "calls the course's own function in the check",
    Kind.UNUSUAL: "unusual code: {}",
    Kind.GPU: "asks for a GPU, and the sandbox has none",
    Kind.CHAPTER: "the chapter's own code failed here: {}",
    Kind.NEEDS: "needs what is not here: {}",
    Kind.OPEN: "waits for a person's marks",
    Kind.MACHINE: "could not be run a second time here: {}",
}


@dataclass(frozen=True)
class Flag:
    """Something that a person should look at."""

    kind: Kind
    detail: str = ""

    def __str__(self) -> str:
        return WORDS[self.kind].format(self.detail)


@dataclass(frozen=True)
class Mark:
    """One exercise. hint: for the student. flags: for the instructor.

    kind: what hints of one kind share, for the summary: the mistake if it was recognised, else what went wrong, without its numbers.
    What a person adds: comment; lines, of the rubric: what it asks for, points (None: to be given), the most; was: the machine's points.
    """

    exercise: str
    points: int
    of: int
    state: State
    hint: str = ""
    flags: tuple[Flag, ...] = ()
    kind: str = ""
    comment: str = ""
    lines: tuple[tuple[str, int | None, int], ...] = ()
    was: int | None = None

    def flagged(self, *flags: Flag) -> "Mark":
        return replace(self, flags=(*self.flags, *flags))

    def told(self) -> dict[str, Any]:
        """What the gradebook says of it."""
        words = {k: v for k, v in asdict(self).items() if k != "kind"} | {
            "flags": [str(f) for f in self.flags]
        }
        by_hand = ("comment", "lines", "was")
        return {k: v for k, v in words.items() if k not in by_hand or v not in ("", (), None)}


@dataclass(frozen=True)
class Graded:
    """One submission with its marks. problem: why it could not be graded, "" if it was. page: its feedback page, without ".html".

    failed: is the problem this machine's, so that it is to be graded again? remarks: for the student alone. cells: (kind, source) of
    the student's notebook; kind is "code", "markdown", or, for an answer, its exercise. seconds, peak (bytes): what grading took.
    lms_id: "moodle:4711", a participant, or "canvas:4711", a user; "" where it is not known. What the desk adds: penalty, the points that
    lateness takes; late: how late, for the student; eye: for the instructor alone.
    """

    student: str
    chapter: str
    path: str
    page: str
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""
    failed: bool = False
    remarks: tuple[str, ...] = ()
    cells: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0
    peak: int = 0
    lms_id: str = ""
    penalty: int = 0
    late: str = ""
    eye: tuple[str, ...] = ()

    @property
    def points(self) -> int:
        return sum(mark.points for mark in self.marks) - self.penalty

    @property
    def pending(self) -> list[str]:
        """The exercises that wait for a person."""
        return [mark.exercise for mark in self.marks if mark.state == State.WAITS]

    @property
    def flags(self) -> list[str]:
        """What needs a person's eye."""
        told = [f"{mark.exercise}: {flag}" for mark in self.marks for flag in mark.flags]
        return [*([self.problem] if self.problem else []), *self.notes, *self.eye, *told]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(stored: dict[str, Any]) -> "Graded":
        cells = tuple((kind, source) for kind, source in stored["cells"])
        lists = {"notes": tuple(stored["notes"]), "remarks": tuple(stored["remarks"]), "eye": ()}
        return Graded(**{**stored, "marks": tuple(map(_mark, stored["marks"])), "cells": cells} | lists)


def _mark(stored: dict[str, Any]) -> Mark:
    flags = tuple(Flag(Kind(f["kind"]), f["detail"]) for f in stored["flags"])
    lines = tuple((line, got, most) for line, got, most in stored["lines"])
    return Mark(**{**stored, "state": State(stored["state"]), "flags": flags, "lines": lines})
