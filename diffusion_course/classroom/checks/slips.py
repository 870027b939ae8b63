"""Mutants that are the right function but for one thing: an argument on its way in, or the result on its way out."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from .data import Mutant


def argument_slip(hint: str, reference: Callable, name: str, change: Callable[[Any], Any]) -> Mutant:
    """A mutant that takes change(value) for the argument `name`."""
    signature = inspect.signature(reference)

    @wraps(reference)
    def slip(*args: Any) -> Any:
        bound = signature.bind(*args)
        bound.apply_defaults()
        bound.arguments[name] = change(bound.arguments[name])
        return reference(*bound.args)

    return Mutant(hint, slip)


def result_slip(hint: str, reference: Callable, change: Callable[[Any], Any]) -> Mutant:
    """A mutant that returns change(the right result)."""

    @wraps(reference)
    def slip(*args: Any) -> Any:
        return change(reference(*args))

    return Mutant(hint, slip)


def kept_wrongly(state: str, reference: Callable) -> list[Mutant]:
    """Mutants that keep the states of a path, called as `state` and a number, at the wrong time, or the same one again and again."""
    return [
        result_slip(
            "the last state in all places: one tensor is kept again and again and then changed in place; keep a copy of each, .clone().",
            reference,
            lambda path: path[-1:].expand_as(path).clone(),
        ),
        result_slip(
            f"{state}_0 twice and the last state left out: each is told once, {state}_1 after the first step.",
            reference,
            lambda path: path[[0, *range(len(path) - 1)]],
        ),
    ]


def squeezed(reference: Callable) -> Mutant:
    """A mutant that removes every axis of length 1 from its result."""
    return result_slip(
        "a .squeeze(): it removes every axis of length 1, the batch axis of a single sample too.",
        reference,
        lambda result: result.squeeze(),
    )
