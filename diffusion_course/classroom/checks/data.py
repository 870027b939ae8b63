"""A check is data: these are its parts, and the two ways in which it can say no."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...errors import CourseError
from .inputs import Draw


class CheckFailed(CourseError):
    """The answer is wrong. The message says what was expected, what was measured and where to look."""


class NotDone(CourseError, NotImplementedError):
    """The exercise is still a stub."""


@dataclass(frozen=True)
class Mutant:
    """A classic mistake. `hint` completes "This looks like ..." when an answer behaves as the mutant does."""

    hint: str
    function: Callable


@dataclass(frozen=True)
class Check:
    """One exercise, as data.

    id: "NN-function_name". points: what it is worth. minutes: what it takes. level: 1 easy, 2 medium, 3 hard.
    reference: a right answer, written for float64. Its parameter names are the exercise's.
    inputs: makes the positional arguments of one case from a `Draw`.
    where: the formula to look at, shown when no mutant explains the answer.
    mutants: the classic mistakes, at least three.
    outputs: names of the results, for the messages. Several mean that the answer returns a tuple.
    grad: names of the arguments (tensors or models) that gradients must reach.
    library: functions of the course that do the exercise's whole work, e.g. "gaussian.diffuse": grading tells who calls them.
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
    outputs: Sequence[str] = ("result",)
    grad: Sequence[str] = ()
    library: Sequence[str] = ()

    @property
    def parameters(self) -> list[str]:
        """The names of the arguments."""
        return list(inspect.signature(self.reference).parameters)
