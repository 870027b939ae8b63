"""A design has no right answer but bounds and a score, and the score has marks: points are given from each of them on."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import CourseError
from ..terms import reached, told
from ..wording import in_points
from .call import in_float64
from .compare import Fault, Kind, entries_fault, form_fault, is_tensor, kind, plain
from .data import Check


def design_fault(check: Check, args: tuple, value: object, like: Tensor) -> Fault | None:
    """What is wrong with a design: its form, a broken bound, or a score below the first mark. like: one of the right form."""
    (name,) = check.outputs
    value = as_design(value)
    fault = list_fault(name, value, like, check.entry)
    if fault:
        return fault
    if is_tensor(value) and value.dtype == torch.bool != like.dtype:
        return Fault(
            Kind.FORM,
            f"{name} is a mask, True and False, want numbers; torch.where(mask, a, b) makes numbers of one",
        )
    # Any precision will do, and whole numbers.
    if is_tensor(value) and _numbers(value) and like.is_floating_point():
        value = plain(value).to(like.dtype)
    fault = form_fault(name, value, like, check.same_dtype)
    if fault and fault.kind is Kind.SHAPE and check.entry:
        return replace(fault, text=f"{fault.text}\nEach number is {check.entry}.")
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
    kept = "" if check.missed else "all bounds are kept, and "
    text = f"{kept}{check.scored} is {_told(check, score)}; {marks_of(check)}"
    return Fault(Kind.SCORE, text, look=partial(missed, check, args, value))


def _numbers(value: Tensor) -> bool:
    return value.dtype != torch.bool and not value.is_complex()


def score_of(check: Check, args: tuple, value: Tensor) -> float:
    """The score of a design. Raises CourseError, in words, where it breaks a bound."""
    assert check.score
    with torch.no_grad():
        return float(check.score(plain(value).detach().double(), *in_float64(args)))


def as_design(value: object) -> object:
    """What was returned; numbers in a row, of Python, NumPy or torch, as a tensor, which it may be as well."""
    if type(value) is np.ndarray and value.dtype.kind in "fiu" and value.ndim:
        value = value.tolist()
    if not isinstance(value, tuple | list) or not value:
        return value
    numbers = [_number(v) for v in value]
    if not all(type(v) in (int, float) for v in numbers):
        return value
    try:
        return torch.tensor(numbers, dtype=torch.float64 if float in map(type, numbers) else None)
    except (ValueError, OverflowError, RuntimeError):  # an integer of more than 64 bits
        return torch.tensor([_as_float(v) for v in numbers], dtype=torch.float64)


def _number(value: Any) -> Any:
    """A number of NumPy, or in a tensor of its own, as one of Python; anything else as it is."""
    alone = isinstance(value, np.generic) or (is_tensor(value) and value.ndim == 0)
    return value.item() if alone else value


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def list_fault(name: str, value: object, like: Tensor, entry: str = "") -> Fault | None:
    """What keeps a value from being read as numbers in a row, where these are wanted. entry: what each is, in words."""
    if like.ndim != 1 or is_tensor(value):
        return None
    each = f", {entry}" if entry else ""
    want = f"want a list of {len(like)} numbers{each}, or a tensor of shape ({len(like)},)"
    if type(value) in (int, float):
        return Fault(Kind.FORM, f"{name} is one number, {want}")
    if not isinstance(value, tuple | list) or not value:
        return Fault(Kind.FORM, f"{name} is {kind(value)}, {want}")
    number, odd = next((n, v) for n, v in enumerate(value, 1) if type(_number(v)) not in (int, float))
    said = repr(odd)[:60] if odd is None or type(odd) in (str, bool) else kind(odd).partition(";")[0]
    return Fault(Kind.FORM, f"entry {number} of {name} is {said}, {want}")


def missed(check: Check, args: tuple, value: Tensor) -> str:
    """What keeps a design from more points, as words to go on with."""
    words = check.missed(plain(value).detach(), *args) if check.missed else ""
    return f".\n{words}" if words else ""


def judged(check: Check, designs: Sequence[tuple[tuple, object]]) -> tuple[float, str]:
    """The score that counts, of (arguments, what came back) of all cases, each accepted; and what is said of it."""
    tensors = [(args, value) for args, got in designs if isinstance(value := as_design(got), Tensor)]
    scores = [score_of(check, args, value) for args, value in tensors]
    score = max(scores) if check.lower else min(scores)
    return score, summary(check, score) + missed(check, *tensors[scores.index(score)])


def marks_of(check: Check) -> str:
    """The bars, in words and numbers: "points are given for 1.5 or less (2), ..."."""
    return f"the marks are {told(check.marks, check.lower)}"


def _told(check: Check, score: float) -> str:
    """A score in words: itself, or between which marks it lies."""
    points, first, last = reached(check.marks, score, check.lower), check.marks[0][1], check.marks[-1][1]
    if not check.coarse or points == check.points:
        return f"{score:.{check.digits}g}"
    return f"{first:g} at least, and short of {last:g}" if points else f"short of {first:g}"


def summary(check: Check, score: float) -> str:
    """What a design has reached, in one line."""
    points = reached(check.marks, score, check.lower)
    some = f"{check.least} or more" if check.coarse else f"{points}"
    share = (
        f"correct, {in_points(points)}" if points == check.points else f"{some} of {in_points(check.points)}"
    )
    more = "" if points == check.points else f"; {marks_of(check)}"
    return f"{share}: {check.scored} is {_told(check, score)}{more}"
