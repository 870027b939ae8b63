"""Which cells of a notebook are the student's own, and which of them define the function of each exercise.

The student's own cells are those that differ from every cell of the chapter as it was handed out, calls of the checks aside. An
exercise is answered by the cells that define its function: where they stand, and what became of the marks in them, does not matter.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nbformat import NotebookNode

from .. import handout
from ..ids import chapter_of, function_of
from . import scope
from .reading import ANSWER, Cell

# The first line of an exercise as people and front ends leave it: lower case, two hashes, below a title or a magic.
MARK = re.compile(r"[ \t]*#+[ \t]*EXERCISE[ \t:]+(\d\d-[a-z0-9_-]+)", re.IGNORECASE)
# nbval obeys these lines in a cell; in an answer they would switch its checks off.
MARKER = re.compile(r"^\s*#+\s*(NBVAL_\w+|PYTEST_VALIDATE_IGNORE_OUTPUT)\s*$")
HEAD = re.compile(r"\s*([#%].*)?$")
CHECKS = ("check", "check_all")
# Chapter -> its notebook as it was handed out. A chapter that is not there was handed out as it is installed.
Edition = Mapping[str, NotebookNode]
INSTALLED: Edition = {}


@dataclass(frozen=True)
class Answer:
    """The answer to one exercise, in numbers of cells.

    counts: the cell that a page shows as the answer. definers: the cells that make its function, in their order; none where nothing
    was written. defined: is there a definition to be seen in them? several: are there definitions that differ?
    """

    counts: int
    definers: tuple[int, ...] = ()
    defined: bool = True
    several: bool = False


@dataclass(frozen=True)
class Found:
    """own: numbers of the student's own code cells. answers: exercise -> its answer; one without any cell is not among them.

    places: number of a cell -> place in the chapter of the cell that it is, or was before the student wrote in it.
    """

    own: tuple[int, ...] = ()
    answers: Mapping[str, Answer] = field(default_factory=dict)
    places: Mapping[int, int] = field(default_factory=dict)


def find(cells: Sequence[Cell], pristine: NotebookNode) -> Found:
    """What of a notebook answers the exercises of a chapter. pristine: the chapter as it was handed out."""
    code = {n: bare(c.source) for n, c in enumerate(cells) if c.kind == "code"}
    handed = _handed_out(pristine)
    places = {n: handed[text] for n, text in code.items() if text in handed}
    changed = [n for n, text in code.items() if text and text not in handed]
    own = tuple(n for n in changed if not scope.calls_only(cells[n].source, CHECKS))
    marked = _marked(cells)
    answers = {}
    for exercise, given in handout.exercises(pristine).items():
        home = places_of(pristine)[exercise]
        here = [n for n in marked.get(exercise, []) if n in code]
        places |= dict.fromkeys([n for n in here if n in own], home)
        definers, several = _definers(cells, own, exercise, given.blank)
        there = here or [n for n, place in places.items() if place == home]
        written = [n for n in there if n in own]
        if definers:
            answers[exercise] = Answer(definers[0], definers, several=several)
        elif there:  # what stands in its own cell may define it in another way
            answers[exercise] = Answer((written or there)[-1], tuple(written), defined=False)
    return Found(own, answers, places)


def places_of(pristine: NotebookNode) -> dict[str, int]:
    """Exercise -> the place of its cell in the chapter."""
    return {e: place for place, c in enumerate(pristine.cells) if (e := handout.exercise_of(c))}


def _definers(
    cells: Sequence[Cell], own: Sequence[int], exercise: str, blank: str
) -> tuple[tuple[int, ...], bool]:
    """The cells that make an exercise's function, and whether others define it in another way.

    Of several definitions the last that the student ran counts; where it is not told what was run, the last in the notebook.
    """
    name = function_of(exercise)
    every = [n for n in own if name in scope.scope(cells[n].source).defined]
    later = [n for n in every if scope.continues(cells[n].source, name)]
    stub = {
        line.strip() for line in blank.split("\n") if line.strip().startswith("raise NotImplementedError(")
    }
    fresh = [n for n in every if n not in later]
    done = [n for n in fresh if not stub & {line.strip() for line in cells[n].source.split("\n")}] or fresh
    if not done:
        return (), False
    chosen = max(done, key=lambda n: (cells[n].ran, n))
    differ = len({scope.definition(cells[n].source, name) for n in done}) > 1
    return (chosen, *(n for n in later if n > chosen)), differ


def _marked(cells: Sequence[Cell]) -> dict[str, list[int]]:
    """Exercise -> the cells that name it: at their top, or, where no cell does, in their metadata."""
    found: dict[str, list[int]] = {}
    for number, cell in enumerate(cells):
        if mark(cell.source):
            found.setdefault(mark(cell.source), []).append(number)
    named = set(found)
    for number, cell in enumerate(cells):  # a cell that was split in two keeps them in both halves
        if cell.kind == "code" and cell.exercise and cell.exercise not in named and not mark(cell.source):
            found.setdefault(cell.exercise, []).append(number)
    return found


def mark(source: str) -> str:
    """The exercise that a cell names above its first line of code, or ""."""
    for line in source.split("\n"):
        found = MARK.match(line)
        if found:
            return found[1].lower()
        if not HEAD.match(line):
            return ""
    return ""


def bare(source: str) -> tuple[str, ...]:
    """A cell's lines without what does not matter: the mark of the exercise, nbval's, blank lines, blanks at the end."""
    lines = (line.rstrip() for line in source.split("\n") if not MARK.match(line) and not MARKER.match(line))
    return tuple(line for line in lines if line)


def _handed_out(pristine: NotebookNode) -> dict[tuple[str, ...], int]:
    """Each code cell of a chapter -> its place."""
    cells = [(place, c.source) for place, c in enumerate(pristine.cells) if c.cell_type == "code"]
    return {bare(source): place for place, source in reversed(cells)}


def answers(
    cells: Sequence[Cell], named: str = "", edition: Edition = INSTALLED
) -> tuple[dict[str, int], list[str]]:
    """Exercise -> the number of the cell that counts as its answer, and notes. named: the chapter that the file's name tells, or "".

    All of one chapter; of others what bears their mark.
    """
    notes, found = [], {}
    for exercise, numbers in _marked(cells).items():
        in_code = [n for n in numbers if cells[n].kind == "code"]
        if exercise not in handout.known():
            notes.append(f"the course has no exercise {exercise[:60]}")
        elif not in_code:
            notes.append(f"exercise {exercise} is in a cell of text, so it does not count")
        else:
            found[exercise] = in_code[-1]
    chapter = _chapter(cells, found, named, edition)
    if chapter:
        own = find(cells, _chapter_of(edition, chapter)).answers
        found = {e: n for e, n in found.items() if chapter_of(e) != chapter} | {
            e: a.counts for e, a in own.items()
        }
        notes += [
            f"exercise {e} is there more than once; the last one that was run counts"
            for e, a in own.items()
            if a.several
        ]
        notes += [
            f"exercise {e} was written in, but no cell defines {function_of(e)}"
            for e, a in own.items()
            if a.definers and not a.defined
        ]
    large = [e for e, n in found.items() if len(cells[n].source) > ANSWER]
    notes += [f"exercise {e} has more than {ANSWER:,} characters, so it is not graded" for e in large]
    return {e: n for e, n in sorted(found.items(), key=lambda one: one[1]) if e not in large}, notes


def written(exercise: str, source: str, edition: Edition = INSTALLED) -> bool:
    """Is an answer anything else than what was handed out, in the edition or with the course? A release may plant another slip."""
    number = chapter_of(exercise)
    given = [handout.exercises(chapter) for chapter in (_chapter_of(edition, number), handout.read(number))]
    return bare(source) not in [bare(known[exercise].blank) for known in given if exercise in known]


def _chapter_of(edition: Edition, number: str) -> NotebookNode:
    return edition[number] if number in edition else handout.read(number)


def _chapter(cells: Sequence[Cell], found: Mapping[str, int], named: str, edition: Edition) -> str:
    """The chapter of most marked exercises that are written, else of most marked ones, else of most of its cells and functions."""
    for counts in (
        Counter(chapter_of(e) for e, n in found.items() if written(e, cells[n].source, edition)),
        Counter(chapter_of(e) for e in found),
        _likeness(cells, edition),
    ):
        if counts:
            return max(sorted(counts), key=lambda chapter: (counts[chapter], chapter == named))
    return ""


def _likeness(cells: Sequence[Cell], edition: Edition) -> Counter[str]:
    """Chapter -> how many of its own cells, and of its functions in other cells, a notebook without any mark holds.

    Only chapters of which it holds a function.
    """
    code = {bare(c.source): c.source for c in cells if c.kind == "code"}
    chapters = {
        chapter_of(name): set(_handed_out(_chapter_of(edition, chapter_of(name)))) for name in handout.names()
    }
    handed_out = set().union(*chapters.values())
    defined = {
        n for text, source in code.items() if text not in handed_out for n in scope.scope(source).defined
    }
    counts = Counter(chapter_of(e) for e in handout.known() if function_of(e) in defined)
    for chapter in list(counts):
        counts[chapter] += len(code.keys() & chapters[chapter])
    return counts
