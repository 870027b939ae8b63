"""Errors that speak to the person at the keyboard: one line, no traceback."""

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from numbers import Integral


class CourseError(ValueError):
    """A mistake in what was passed in. The message names the argument, what it got, and what to do."""

    def _render_traceback_(self) -> list[str]:
        # IPython calls this hook in place of its own traceback printer.
        return [f"{type(self).__name__}: {self}"]


def printable(text: str, instead: str = "\ufffd") -> str:
    """Text in one line that a terminal shows and does not obey: without control characters, invisible
    formatting, half surrogates.

    Whatever a stranger named (a file, a folder, a person) passes through here before it is printed.
    """
    if text.isprintable():
        return text
    return "".join(instead if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in text)


def check_integer(name: str, value: object, low: int, high: int | None = None, of: str = "") -> None:
    """Raise CourseError unless value is a whole number (Python's or NumPy's, not a bool) in low..high."""
    fits = isinstance(value, Integral) and low <= int(value) and (high is None or int(value) <= high)
    if not fits or isinstance(value, bool):
        limits = f">= {low}" if high is None else f"in {low}..{high}{of}"
        raise CourseError(f"{name}: got {value!r}, want an integer {limits}")


def unknown(kind: str, name: object, known: Iterable[str]) -> CourseError:
    """The error for a name that is not in a table, with the nearest known name as a suggestion."""
    names = sorted(known)
    close = get_close_matches(name.lower(), names, n=1, cutoff=0.4) if isinstance(name, str) else []
    hint = f" did you mean {close[0]!r}?" if close else ""
    return CourseError(f"unknown {kind} {name!r}:{hint} known: {', '.join(names)}")
