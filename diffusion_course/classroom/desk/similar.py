"""Wrong answers that are alike, side by side: code, names and comments. It gives no verdict.

Right answers of five lines are alike by nature, so they are left out, and so is what was handed out. Names and comments tell more than
code: those that few have are shown.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from itertools import combinations
from typing import Any

from pygments import lex
from pygments.token import Comment, Name, Text, Whitespace

from .. import handout
from ..grading import show
from ..grading.results import Graded, Kind, Mark, State

NAME = "similar.html"
NOT_TRIED = (State.RIGHT, State.NOT_DONE, State.MISSING, State.WAITS, State.MARKED)
ALIKE = 0.8  # of the signs of two answers
SHORT = 12  # signs, below which everything is alike
FEW = 3  # students
MOST = 60  # pairs of a page
LONGEST = 8_000  # characters of an answer that are compared


@dataclass(frozen=True)
class Answer:
    """What a student wrote for an exercise, and what became of it. source: without what was handed out."""

    student: str
    source: str
    shown: str
    mistake: str

    @cached_property
    def _tokens(self) -> list[tuple[Any, str]]:
        found = lex(self.source[:LONGEST], show.LEXER)
        return [
            (kind, text)
            for kind, text in found
            if kind not in Whitespace and kind not in Text and text.strip()
        ]

    @cached_property
    def code(self) -> list[str]:
        return [text for kind, text in self._tokens if kind not in Comment]

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(text for kind, text in self._tokens if kind in Name)

    @cached_property
    def comments(self) -> frozenset[str]:
        told = (
            " ".join(text.strip("# \t").split()).casefold() for kind, text in self._tokens if kind in Comment
        )
        return frozenset(text for text in told if len(text) > 3)


@dataclass(frozen=True)
class Pair:
    """Two wrong answers. alike: of their code, 0 to 1. names, comments: that both have, and few others."""

    exercise: str
    first: Answer
    second: Answer
    alike: float
    names: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()

    @property
    def rank(self) -> tuple[int, int, float]:
        return len(self.comments), len(self.names), self.alike

    @property
    def mistake(self) -> str:
        """The known mistake that both make, which makes them alike; "" where there is none."""
        return self.first.mistake if self.first.mistake == self.second.mistake else ""


def pairs(graded: Sequence[Graded], exercises: Mapping[str, handout.Exercise]) -> list[Pair]:
    """Pairs of different students' wrong answers to one exercise that are alike, or share what few have; the most telling first."""
    found: list[Pair] = []
    for e, exercise in exercises.items():
        every, wrong = [], {}
        for one, mark, source in _answers(graded, e):
            answer = Answer(one.student, _own(source, exercise.blank), source, mark.kind)
            every.append(answer)
            if mark.state not in NOT_TRIED and not any(flag.kind == Kind.NEEDS for flag in mark.flags):
                wrong[one.student, answer.source] = answer
        names, comments = (_rare(every, word) for word in ("names", "comments"))
        names -= set(re.findall(r"\w+", exercise.blank))
        for a, b in combinations(wrong.values(), 2):
            if a.student != b.student and (pair := _pair(e, a, b, names, comments)):
                found.append(pair)
    return sorted(found, key=lambda pair: (pair.rank, pair.first.student), reverse=True)


def page(found: Sequence[Pair]) -> str:
    """The page of the first of them."""
    from ..grading import pages

    shown = [(pair, show.code(pair.first.shown), show.code(pair.second.shown)) for pair in found[:MOST]]
    return pages.rendered("similar.html", pairs=shown, count=len(found), few=FEW)


def _answers(graded: Iterable[Graded], exercise: str) -> Iterable[tuple[Graded, Mark, str]]:
    for one in graded:
        mark = next((mark for mark in one.marks if mark.exercise == exercise), None)
        source = next((source for kind, source in one.cells if kind == exercise), "")
        if mark and source:
            yield one, mark, source


def _own(source: str, blank: str) -> str:
    """Without the lines that were handed out, blanks aside."""
    given = {line.strip() for line in blank.split("\n")}
    return "\n".join(line for line in source.split("\n") if line.strip() not in given)


def _rare(every: Sequence[Answer], word: str) -> frozenset[str]:
    """Names, or comments, that a few students have, of all who answered, right or wrong."""
    students: dict[str, set[str]] = {}
    for answer in every:
        for text in getattr(answer, word):
            students.setdefault(text, set()).add(answer.student)
    counts = Counter({text: len(who) for text, who in students.items()})
    return frozenset(text for text, count in counts.items() if 2 <= count <= FEW)


def _pair(
    exercise: str, a: Answer, b: Answer, names: frozenset[str], comments: frozenset[str]
) -> Pair | None:
    shared = tuple(sorted(text for text in a.names & b.names & names if len(text) > 2))
    said = tuple(sorted(a.comments & b.comments & comments))
    alike = _alike(a.code, b.code)
    return Pair(exercise, a, b, alike, shared, said) if alike or said else None


def _alike(a: Sequence[str], b: Sequence[str]) -> float:
    """The share of equal signs in order, or 0 where it is small or there are few."""
    if min(len(a), len(b)) < SHORT:
        return 0.0
    match = SequenceMatcher(None, a, b, autojunk=False)
    # Each bound is quicker than the next, and none is below it.
    bounds = (match.real_quick_ratio, match.quick_ratio, match.ratio)
    return match.ratio() if all(bound() >= ALIKE for bound in bounds) else 0.0
