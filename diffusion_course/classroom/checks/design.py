"""A design has no right answer but bounds and a score, and the score has marks: points are given from each of them on."""

from collections.abc import Iterable

import torch
from torch import Tensor

from ...errors import CourseError
from ..terms import reached, told
from ..wording import in_points
from .call import in_float64
from .compare import Fault, Kind, entries_fault, form_fault, is_tensor, plain
from .data import Check


def design_fault(check: Check, args: tuple, value: object, like: Tensor) -> Fault | None:
    """What is wrong with a design: its form, a broken bound, or a score below the first mark. like: one of the right form."""
    (name,) = check.outputs
    if is_tensor(value) and value.is_floating_point():  # any precision will do
        value = plain(value).to(like.dtype)
    fault = form_fault(name, value, like, check.same_dtype)
    if fault:
        return fault
    assert isinstance(value, Tensor)
    fault = entries_fault(name, plain(value), plain(value))  # NaN and infinity
    if fault:
        return fault
    try:
        score = score_of(check, args, value)
    except CourseError as broken:
        return Fault(Kind.SCORE, str(broken))
    if reached(check.marks, score, check.lower):
        return None
    return Fault(Kind.SCORE, f"all bounds are kept, and {check.scored} is {score:.5g}; {marks_of(check)}")


def score_of(check: Check, args: tuple, value: Tensor) -> float:
    """The score of a design. Raises CourseError, in words, where it breaks a bound."""
    assert check.score
    with torch.no_grad():
        return float(check.score(plain(value).detach().double(), *in_float64(args)))


def worst(check: Check, designs: Iterable[tuple[tuple, Tensor]]) -> float:
    """The score that counts, of (arguments, what came back) of all cases."""
    scores = [score_of(check, args, value) for args, value in designs]
    return max(scores) if check.lower else min(scores)


def marks_of(check: Check) -> str:
    """The bars, in words and numbers: "points are given for 1.5 or less (2), ..."."""
    return f"the marks are {told(check.marks, check.lower)}"


def summary(check: Check, score: float) -> str:
    """What a design has reached, in one line."""
    points = reached(check.marks, score, check.lower)
    share = (
        f"correct, {in_points(points)}"
        if points == check.points
        else f"{points} of {in_points(check.points)}"
    )
    more = "" if points == check.points else f"; {marks_of(check)}"
    return f"{share}: {check.scored} is {score:.5g}{more}"
