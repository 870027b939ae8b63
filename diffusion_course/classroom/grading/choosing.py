"""Which of one person's notebooks count. Each of the others is told, with the reason."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .. import handout
from . import names
from .entries import Entry
from .people import Person
from .trouble import Why

if TYPE_CHECKING:
    from .submissions import Submission

NOBODY = Person(("",), "", "")
TWICE = "handed in more than one file of this chapter; the better one counts"
TAKEN = (
    "taken from solutions/, since notebooks/ beside it is as it was handed out; "
    "are these the student's own answers?"
)


@dataclass(frozen=True)
class Held:
    """An entry on its way. path: as it is shown. submission: None for what is no notebook. course: does it
    hold the course's solutions?"""

    entry: Entry
    path: str
    submission: "Submission | None" = None
    course: bool = False
    person: Person = NOBODY


Dropped = list[tuple[Held, Why]]


def counting(group: list[Held]) -> "tuple[list[Submission], Dropped]":
    """What counts of all the notebooks that one person handed in, and why each of the others does not."""
    group, dropped = _without_solutions(sorted(group, key=lambda one: one.path))
    texts = [one for one in group if one.submission and _no_exercises(one.submission)]
    texts = texts if len(texts) < len(group) else texts[1:]
    dropped += [(one, Why.NO_CHAPTER) for one in texts]
    group = [one for one in group if one not in texts]
    blank = _blank_to_drop(group)
    dropped += [(one, Why.UNTOUCHED) for one in blank]
    kept = [one.submission for one in group if one not in blank and one.submission]
    chapters = Counter(s.chapter for s in kept)
    return [replace(s, notes=(*s.notes, TWICE)) if chapters[s.chapter] > 1 else s for s in kept], dropped


def _without_solutions(group: list[Held]) -> tuple[list[Held], Dropped]:
    """Without folders "solutions" beside "notebooks", which a copy of the course brings; a student may have
    worked in them, though."""
    places = [one.entry.place for one in group]
    copies = {p[:i] for p in places for i, step in enumerate(p[:-1]) if step == "notebooks"}
    beside = [
        one
        for one, p in zip(group, places, strict=True)
        if any(step == "solutions" and p[:i] in copies for i, step in enumerate(p[:-1]))
    ]
    worked = any(one.submission and one.submission.touched for one in group if one not in beside)
    kept, dropped = [], []
    for one in group:
        if one not in beside or not one.submission or one.submission.trouble:
            kept.append(one)
        elif one.course:
            dropped.append((one, Why.COURSE))
        elif not one.submission.touched:
            dropped.append((one, Why.UNTOUCHED))
        elif worked:
            dropped.append((one, Why.SOLUTIONS))
        else:
            kept.append(
                replace(one, submission=replace(one.submission, notes=(*one.submission.notes, TAKEN)))
            )
    return kept, dropped


def _blank_to_drop(group: list[Held]) -> list[Held]:
    """Notebooks as they were handed out: all where something was done, else all but one."""
    blank = [one for one in group if one.submission and one.submission.answers and not one.submission.touched]
    if any(one.submission and one.submission.touched for one in group) or not blank:
        return blank
    hinted = names.chapter_of(blank[0].entry.parts[0].replace("-", "_"))
    keep = next((one for one in blank if one.submission and one.submission.chapter == hinted), blank[0])
    return [one for one in blank if one is not keep]


def _no_exercises(submission: "Submission") -> bool:
    """Is it a chapter such as 00, which nobody can hand in?"""
    return submission.chapter in _without_exercises() and not submission.answers and bool(submission.cells)


def _without_exercises() -> frozenset[str]:
    return frozenset(name[:2] for name in handout.names()) - {exercise[:2] for exercise in handout.known()}
