"""What grading finds: a mark for each exercise, and the marks of one file with what a person should look at."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Mark:
    """One exercise. state: "right", "wrong", "not done", "stopped" or "missing". hint: for the student. flags: for the instructor."""

    exercise: str
    points: int
    of: int
    state: str
    hint: str = ""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Graded:
    """One submission with its marks. problem: why it could not be graded, "" if it was. page: its feedback page, without ".html".

    cells: (kind, source) of the student's notebook; kind is "code", "markdown", or, for an answer, its exercise. seconds, peak
    (bytes): what grading took. lms_id: "moodle:4711", a participant, or "canvas:4711", a user; "" where it is not known.
    """

    student: str
    chapter: str
    path: str
    page: str
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""
    cells: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0
    peak: int = 0
    lms_id: str = ""

    @property
    def points(self) -> int:
        return sum(mark.points for mark in self.marks)

    @property
    def flags(self) -> list[str]:
        """What needs a person's eye."""
        told = [f"{mark.exercise}: {flag}" for mark in self.marks for flag in mark.flags]
        return [*([self.problem] if self.problem else []), *self.notes, *told]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(stored: dict[str, Any]) -> "Graded":
        marks = tuple(Mark(**{**m, "flags": tuple(m["flags"])}) for m in stored["marks"])
        cells = tuple((kind, source) for kind, source in stored["cells"])
        return Graded(**{**stored, "marks": marks, "cells": cells, "notes": tuple(stored["notes"])})
