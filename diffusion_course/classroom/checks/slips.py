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


def squeezed(reference: Callable) -> Mutant:
    """A mutant that removes every axis of length 1 from its result."""
    return result_slip(
        "a .squeeze(): it removes every axis of length 1, the batch axis of a single sample too.",
        reference,
        lambda result: result.squeeze(),
    )
