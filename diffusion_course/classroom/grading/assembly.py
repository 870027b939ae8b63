"""The list of cells that runs: the student's own, and of the chapter the statements that the answers need.

The same list runs in the notebook and in the second look. A verdict on an exercise stands where all is defined that its function needs.
"""

import builtins
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nbformat import NotebookNode

from .. import handout
from ..ids import function_of
from .finding import CHECKS, MARKER, Found, places_of
from .reading import ANSWER, Cell
from .scope import Scope, hoisted, scope, statements


@dataclass(frozen=True)
class Step:
    """One thing to run. part: "chapter", "own" or "verdict". cell: the number of the student's cell. exercise: whose verdict, and under
    which terms of the edition.

    needed: does an answer depend on it? pure: is it the chapter's, and depends on nothing of the student's?
    """

    part: str
    source: str = ""
    exercise: str = ""
    terms: dict[str, Any] = field(default_factory=dict)
    cell: int = -1
    needed: bool = True
    pure: bool = False


@dataclass(frozen=True)
class Plan:
    """What runs, in its order. definers, needs: exercise -> the steps that make its function, and all that it depends on, these too.

    unknown: exercise -> names that its code reads and nothing defines.
    """

    steps: tuple[Step, ...] = ()
    definers: dict[str, frozenset[int]] = field(default_factory=dict)
    needs: dict[str, frozenset[int]] = field(default_factory=dict)
    unknown: dict[str, frozenset[str]] = field(default_factory=dict)

    def terms(self, exercise: str) -> dict[str, Any]:
        """What the edition says of an exercise."""
        return next((step.terms for step in self.steps if step.exercise == exercise), {})

    def sources(self, exercise: str) -> list[str]:
        """The student's own cells that an exercise depends on."""
        steps = (self.steps[i] for i in sorted(self.needs.get(exercise, ())))
        return [step.source for step in steps if step.part == "own"]


def secret_seed(secret: str, student: str, exercise: str) -> str:
    """The seed of one student's hidden checks: the same in every run, and not to be guessed without `secret`."""
    return hmac.new(secret.encode(), f"{student}\n{exercise}".encode(), "sha256").hexdigest()[:16]


def plan(pristine: NotebookNode, cells: Sequence[Cell], found: Found) -> Plan:
    """The list for a notebook in which `found` was found. Nothing to run where no function is defined."""
    handed = handout.exercises(pristine)  # what a person marks is not run
    answered = {e: a.definers for e, a in found.answers.items() if a.definers and not handed[e].rubric}
    if not answered:
        return Plan()
    every = _merged(pristine, cells, found)
    scopes = [scope(step.source) for step in every]
    place = {step.cell: i for i, step in enumerate(every) if step.part == "own"}
    definers = {e: [place[n] for n in own if n in place] for e, own in answered.items()}
    definers = {e: own for e, own in definers.items() if own}
    needs = {e: _closure(e, definers, every, scopes) for e in definers}
    # The import of `check` too: in the student's notebook it was there, and what became of it is asked.
    kept = {i for i, step in enumerate(every) if step.part == "own" or "check" in scopes[i].defined}
    kept = kept.union(*needs.values())
    after: dict[int, list[str]] = {}
    for e in definers:
        after.setdefault(_ready(definers[e], needs[e], scopes), []).append(e)
    steps: list[Step] = []
    moved: dict[int, int] = {}
    needed = set().union(*needs.values())
    pure = set(_pure(every, scopes))
    for i, step in enumerate(every):
        if i in kept:
            moved[i] = len(steps)
            steps.append(replace(step, source=clean(step.source), needed=i in needed, pure=i in pure))
        steps += [Step("verdict", exercise=e, terms=handed[e].terms) for e in after.get(i, [])]
    provided = set().union(*(scopes[i].provided for i in kept), dir(builtins), CHECKS, NOTEBOOK)
    return Plan(
        tuple(steps),
        {e: frozenset(moved[i] for i in own) for e, own in definers.items()},
        {e: frozenset(moved[i] for i in own) for e, own in needs.items()},
        {e: frozenset().union(*(scopes[i].wanted for i in own)) - provided for e, own in needs.items()},
    )


NOTEBOOK = frozenset(
    ["get_ipython", "display", "In", "Out", "_", "__", "___", "__name__", "__doc__", "__file__"]
)


def clean(source: str) -> str:
    """A cell as it runs: without the lines that nbval would obey."""
    return hoisted("\n".join(line for line in source.split("\n") if not MARKER.match(line)))


def _merged(pristine: NotebookNode, cells: Sequence[Cell], found: Found) -> list[Step]:
    """All statements of the chapter, and the student's cells among them, each in its own order."""
    keyed: list[tuple[float, int, Step]] = []
    for place, cell in enumerate(pristine.cells):
        if cell.cell_type == "code" and _may_lead(cell):
            keyed += [
                (place, 0, Step("chapter", statement)) for statement in statements(handout.installed(cell))
            ]
    reached = -1.0
    own = [n for n in found.own if len(cells[n].source) <= ANSWER]
    for n, key in zip(own, _keys(pristine, own, found), strict=True):
        reached = max(reached, key)
        keyed.append((reached, 1, Step("own", cells[n].source, cell=n)))
    return [step for _, _, step in sorted(keyed, key=lambda one: one[:2])]


def _keys(pristine: NotebookNode, own: Iterable[int], found: Found) -> Iterable[float]:
    """Where in the chapter each of the student's cells stands: between the cells that it stands between in the notebook.

    After those that are missing there, for it may be one of them, changed.
    """
    homes = places_of(pristine)
    home = {n: homes[e] for e, answer in found.answers.items() for n in answer.definers}
    for n in own:
        below = max((m for m in found.places if m < n), default=None)
        above = min((m for m in found.places if m > n), default=None)
        lower = -1 if below is None else found.places[below]
        upper = len(pristine.cells) if above is None else found.places[above]
        if n in found.places:
            yield found.places[n]
        elif lower < home.get(n, -1) < upper:
            yield home[n]
        elif below is None and above is None:
            yield min(homes.values())
        elif lower < upper < len(pristine.cells):
            yield upper - 0.5
        else:
            yield lower + 0.5


def _closure(
    exercise: str, definers: dict[str, list[int]], steps: Sequence[Step], scopes: Sequence[Scope]
) -> set[int]:
    """The steps that an exercise depends on, by the names that they want and provide.

    The rest of a chapter, its figures and trainings, is not run: it does not change what a function returns.
    """
    functions = {function_of(e): own for e, own in definers.items()}
    needed, new = set[int](), list(definers[exercise])
    while new:
        i = new.pop()
        if i not in needed:
            needed.add(i)
            for name in scopes[i].wanted:
                # Of an exercise's function, only what is graded.
                new += functions[name] if name in functions else _providers(name, i, steps, scopes)
    return needed


def _providers(name: str, reader: int, steps: Sequence[Step], scopes: Sequence[Scope]) -> list[int]:
    """What a name stands for at a step: back to the statement that surely defines it; else what defines it first later on."""
    found = []
    for i in range(reader - 1, -1, -1):
        if name in scopes[i].provided:
            found.append(i)
            # A student's own cell may stop before it defines anything.
            if (
                name in scopes[i].defined - scopes[i].wanted
                and scopes[i].certain
                and steps[i].part == "chapter"
            ):
                return found
    if not any(name in scopes[i].defined for i in found):
        found += [i for i in range(reader + 1, len(scopes)) if name in scopes[i].defined][:1]
    return found


def _ready(definers: Sequence[int], needs: Iterable[int], scopes: Sequence[Scope]) -> int:
    """The step after which a function can be called: the last of those that make it, or the first that defines what it still lacks."""
    last = max(definers)
    wanted = set().union(*(scopes[i].wanted for i in needs))
    there = set().union(*(scopes[i].defined for i in needs if i <= last))
    for i in sorted(i for i in needs if i > last):
        if scopes[i].defined & wanted - there:
            there |= scopes[i].defined
            last = i
    return last


def _pure(steps: Sequence[Step], scopes: Sequence[Scope]) -> Iterable[int]:
    """The chapter's steps that read nothing which a student's cell has provided, be it through others."""
    touched = set[str]()
    for i, (step, names) in enumerate(zip(steps, scopes, strict=True)):
        if step.part == "own" or names.wanted & touched:
            touched |= names.provided
        else:
            yield i


def chapter_names(pristine: NotebookNode) -> frozenset[str]:
    """All names that a chapter's own cells define."""
    cells = [c for c in pristine.cells if c.cell_type == "code"]
    return frozenset().union(*(scope(c.source).defined for c in cells))


def _may_lead(cell: NotebookNode) -> bool:
    """May a cell of the chapter help an answer? Not the exercises themselves, nor what checks or measures."""
    tags = set(cell.metadata.get("tags", []))
    measured = ("setup" not in tags and "nbval-ignore-output" in tags) or MARKER.match(
        cell.source.split("\n")[0]
    )
    return not measured and "check" not in tags and not handout.exercise_of(cell)
