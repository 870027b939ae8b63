"""An exercise that is still to be written: the notebook goes on with the course's own function, and says so.

A reader who runs all cells of a chapter must not be stranded at its first exercise. The course's function takes the place of the
stub in the notebook, in full sight, for no points; `examine` knows it and calls the exercise not written.
"""

import html
import inspect
import os
import sys
from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import Any
from weakref import WeakSet

from ..wording import in_points
from .data import Check

_given: WeakSet = WeakSet()  # the functions that stand in for a stub

# What nbgrader, and pytest with nbval, set in the kernels that they run notebooks in.
TOLD_BY_ERRORS = {"NBGRADER_EXECUTION", "PYTEST_CURRENT_TEST"}
BOX = (
    '<div role="note" style="border-left: 4px solid #0072B2; background: rgba(0, 114, 178, 0.08); padding: 0.5em 0.9em; '
    'max-width: 60em; line-height: 1.5"><b>{head}</b><br>{text}</div>'
)


def is_given(answer: object) -> bool:
    """Is it the course's own function, which stands in for one that is not written?"""
    return isinstance(answer, FunctionType) and answer in _given


def notebook() -> Any:
    """The IPython that a person uses; None in plain Python, and where a program takes a cell without an error for right."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None or TOLD_BY_ERRORS & os.environ.keys() else ipython.get_ipython()


def go_on(check: Check, answer: Callable, worth: int, shell: Any, slip: str = "") -> None:
    """Put the course's function in the place of the stub `answer` in the notebook of `shell`, and show a box that says so.

    slip: what is wrong with the cell that was last run for it, or with a repair; "" for nothing.
    """
    name = check.function
    going = shell.user_ns.get(name) is answer
    if going and not is_given(answer):
        shell.user_ns[name] = _stand_in(check, answer)
    text = slip or f"{name} is not {'mended' if check.repair else 'written'} yet."
    if going:
        text += (
            f" From here on the chapter uses the course's own {name}, so that you can read and run the rest. "
            "That earns no points."
        )
    text += f" When you have {'mended' if check.repair else 'written'} {name} above, run its cell, then this one again."
    to_do(check, worth, shell, text)


def to_do(check: Check, worth: int, shell: Any, text: str) -> None:
    """Show a box: what is still to be done of an exercise."""
    head = f"To do: {check.id} (0 of {in_points(worth)} so far)"
    data = {
        "text/plain": f"{head}\n{text}",
        "text/html": BOX.format(head=html.escape(head), text=html.escape(text)),
    }
    shell.display_pub.publish(data)


def _stand_in(check: Check, stub: Callable) -> Callable:
    """The reference under the stub's signature, for the chapter may lean on a default."""
    signature = inspect.signature(stub)

    @wraps(stub)
    def given(*args: Any, **named: Any) -> Any:
        bound = signature.bind(*args, **named)
        bound.apply_defaults()
        return check.reference(*bound.args)

    _given.add(given)
    return given
