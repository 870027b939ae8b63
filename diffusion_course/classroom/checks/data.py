"""A check is data: these are its parts, and the two ways in which it can say no."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

from ...errors import CourseError, check_integer
from ..ids import chapter_of, function_of
from ..terms import Marks, scaled
from .inputs import Draw
from .machines import MACHINES
from .toy_steps import asked


class CheckFailed(CourseError):
    """The answer is wrong. The message says what was expected, what was measured and where to look.

    fault, inputs, advice: its three parts. diagnosis: the hint of the mutant that does what the answer does, or "".
    """

    def __init__(
        self, message: str, fault: str = "", inputs: str = "", advice: str = "", diagnosis: str = ""
    ):
        super().__init__(message)
        self.fault, self.inputs, self.advice, self.diagnosis = fault or message, inputs, advice, diagnosis


class NotDone(CourseError, NotImplementedError):
    """The exercise is still a stub."""


class NoValue(Exception):
    """What a mutant raises where its mistake leads to no value: there an answer with this mistake may stop, or give None or 0."""


@dataclass(frozen=True)
class Mutant:
    """A classic mistake. `hint` completes "This looks like ..." when an answer behaves as the mutant does.

    others: functions that make the same mistake in another way, as where two masks that should not overlap do.
    """

    hint: str
    function: Callable
    others: Sequence[Callable] = ()


class Line(NamedTuple):
    """One line of a rubric: the part of the answer, its points, and what they are given for."""

    part: str
    points: int
    what: str


@dataclass(frozen=True)
class Variant:
    """A version of an exercise. edits: what stands in its source -> what stands there instead. changes: fields of its Check.

    calls: where its function takes another number for an argument, argument -> what the rest of the chapter gives, "{} - 1".
    """

    edits: Mapping[str, str] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    calls: Mapping[str, str] = field(default_factory=dict)


class Case(tuple):
    """The arguments of one case. What is right is computed once, however many answers are asked."""

    want: Any = None


@dataclass(frozen=True)
class Check:
    """One exercise, as data.

    id: "NN-function_name". points: what it is worth. minutes: what it takes. level: 1 easy, 2 medium, 3 hard.
    reference: a right answer, written for float64. Its parameter names are the exercise's.
    inputs: makes the positional arguments of one random case from a `Draw`.
    where: the formula to look at, shown when nothing explains the answer: the notebook's own number and section first, then the paper's.
    mutants: the classic mistakes, at least three.
    fixed: the cases that are the same on every seed, from where the chapter uses the function: label -> arguments, in float64.
    outputs: names of the results, for the messages. Several mean that the answer returns a tuple.
    only: of several results that follow from one another, what to say where others are right: ends of their names -> a sentence. The first counts whose ends are
        those of all wrong results.
    machine: of an answer that changes what it is given, what calls it: a name in machines.MACHINES. Then a case's arguments are the
        machine's, and the results are what it tells.
    path: of a loop, what a state of its path is called, "x_{}": the result's entry k, from 0 on, is x_k; "x_{left}": the last
        is x_0. It is judged at the first state that is wrong, since all later ones follow from that. path_at: the argument that holds the numbers of the states, where
        these are not 0, 1, 2, .... Of several results, each is a state, named in `outputs`; then any words will do.
    grad: names of the arguments (tensors or models) that gradients must reach, where the text asks for them.
    evaluations: model argument -> a function of all arguments: how many samples the model may be shown at most.
    calls: model argument -> a function of all arguments: how often the text has it called, with all samples at once; a range where it may
        be left out.
    inference: does it run under torch.inference_mode()? Not where the exercise itself takes a gradient.
    recording: may its data come out of a network, and record gradients? Not marks that are 0 or 1, nor tables of probabilities.
    same_dtype: does the text ask for the dtype of the inputs? Where it does not, float64 is welcome for float32.
    score: of a design, a number for (result, *arguments). It raises CourseError, in words, for a result that breaks a bound.
        Then the reference is one design of full marks, and no numbers are compared with it.
    measured: what a wrong answer is seen to do on inputs of its own, in a sentence, or "": told where nothing else explains it.
    missed: of a design, what keeps it from more points, in words, for (result, *arguments); "" where nothing does.
    closer: of a design that is a function, what a closer look shows, in words, for (answer, *arguments). Not in grading: there it has run.
    coarse: does the student learn only that the first mark is reached, or the last, lest a guess be mended until it is right?
    entry: of a design that is a row of numbers, what each is, in words: "the step of a token".
    scored: what the score is, in words; digits: how many are told of it. lower: is a lower one better? marks: (points, the score from which they are given), up to `points`.
    variants: the versions of which an edition has one; the first is the course's own. Each version of a repair plants a slip in the
        solution, and a mutant's hint says what is seen of it, not where it is.
    rubric: of a task that a person marks, the lines that make its points; see open_tasks. Then nothing is compared.
    library: functions of the course that do the exercise's whole work, e.g. "gaussian.diffuse": grading takes them away.
        A table of NoiseSchedule is computed by the function behind it, "schedules.NoiseSchedule.snr.func". Helpers are not named.
    """

    id: str
    points: int
    minutes: int
    level: int
    reference: Callable
    inputs: Callable[[Draw], tuple]
    where: str
    mutants: Sequence[Mutant]
    fixed: Callable[[Draw], Iterable[tuple[str, tuple]]] = lambda d: ()
    outputs: Sequence[str] = ("result",)
    only: Mapping[str | tuple[str, ...], str] = field(default_factory=dict)
    machine: str = ""
    path: str = ""
    path_at: str = ""
    grad: Sequence[str] = ()
    evaluations: Mapping[str, Callable[..., int]] = field(default_factory=dict)
    calls: Mapping[str, Callable[..., int | range]] = field(default_factory=dict)
    inference: bool = True
    recording: bool = True
    same_dtype: bool = False
    score: Callable[..., float] | None = None
    entry: str = ""
    scored: str = ""
    measured: Callable[[Callable], str] | None = None
    digits: int = 5
    coarse: bool = False
    missed: Callable[..., str] | None = None
    closer: Callable[..., str] | None = None
    lower: bool = True
    marks: Marks = ()
    variants: Sequence[Variant] = ()
    rubric: tuple[Line, ...] = ()
    library: Sequence[str] = ()

    # Its mappings have no hash. Cases are kept for a check itself, and equal ones may have their own.
    __hash__ = object.__hash__

    def under(self, points: int | None = None, marks: Marks = (), variant: int = 0) -> "Check":
        """The check under the terms of an edition. Raises CourseError for terms that are none."""
        if variant:
            check_integer("variant", variant, 0, len(self.variants) - 1)
            return replace(self, **self.variants[variant].changes).under(points, marks)
        if points is not None:
            check_integer("points", points, 1)
        if marks or points is not None:
            worth = max(p for p, _ in marks) if marks else points or self.points
            others = (
                tuple((p, bar) for p, bar in marks) if marks else self.marks and scaled(self.marks, worth)
            )
            return replace(self, points=worth, marks=others)
        return self

    @property
    def least(self) -> int:
        """The points of the first mark of a design."""
        return min(points for points, _ in self.marks)

    @property
    def repair(self) -> bool:
        """Is code handed out in which a slip is planted?"""
        return bool(self.variants and self.variants[0].edits)

    @property
    def dear(self) -> bool:
        """Is each case many calls: a machine, a loop that asks a model in each step, or a design that is tried in parts to tell what is missed?

        A refusal takes 0.1 to 0.8 s then, not 0.03.
        """
        loop = bool(self.path) or "num_steps" in self.arguments
        return bool(self.machine or self.missed or (loop and self.evaluations))

    @cached_property
    def parameters(self) -> list[str]:
        """The names of the function's arguments."""
        return list(inspect.signature(self.reference).parameters)

    @cached_property
    def arguments(self) -> list[str]:
        """The names of a case's arguments: the function's, or its machine's."""
        if not self.machine:
            return self.parameters
        return list(inspect.signature(MACHINES[self.machine]).parameters)[1:]

    def driven(self, answer: Callable) -> Callable:
        """An answer as a function of a case's arguments."""
        return partial(MACHINES[self.machine], answer) if self.machine else answer

    def right(self, *args: Any) -> Any:
        """What the reference gives for a case's arguments."""
        return asked(self.driven(self.reference), args)

    def states(self, args: Sequence, count: int) -> list[str]:
        """What the `count` states of a path are called, in the case of these arguments; empty where it is no path."""
        numbers = args[self.parameters.index(self.path_at)] if self.path_at else range(count)
        return [self.path.format(k, left=count - 1 - k) for k in numbers] if self.path else []

    @property
    def chapter(self) -> str:
        """The chapter's number, e.g. "03"."""
        return chapter_of(self.id)

    @property
    def function(self) -> str:
        """The name of the function to write."""
        return function_of(self.id)
