"""Errors that speak to the person at the keyboard: one line, no traceback."""

import math
import unicodedata
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from numbers import Integral, Real

LONGEST = 80  # characters of a wrong value that a message repeats
ALIKE = 0.65  # the least share of letters in common for "did you mean"
LOOSE = 0.4  # the same for several words, of which some may be wrong
ELSEWHERE = {
    "ddim": "euler",  # with eta = 0 one and the same step
    "dpm++-2m": "dpmpp-2m",
    "dpm++2m": "dpmpp-2m",
    "dpm-solver++": "dpmpp-2m",
    "dpm++": "dpmpp-2m",
    "euler-a": "ddpm",  # in k-diffusion's euler_ancestral sigma_down / sigma is the (s / t)^2 of the posterior
    "euler-ancestral": "ddpm",
    "exponential": "loglinear",
    "quad": "quadratic",
    "scaled-linear": "quadratic",
    "squaredcos-cap-v2": "cosine",
    "epsilon": "eps",
    "sample": "x0",
    "v-prediction": "v",
    "mse": "simple",
    "l2": "simple",
    "min-snr-gamma": "min-snr",
}
"""What other libraries call things of this course, in small letters and with hyphens -> their names here. For messages alone."""


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


def shown(value: object) -> str:
    """The repr of a wrong value, for a message: in one line, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # an integer with more digits than Python writes out
        text = f"a {type(value).__name__} of thousands of digits"
    return printable(text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}...")


def check_integer(name: str, value: object, low: int, high: int | None = None, of: str = "") -> None:
    """Raise CourseError unless value is a whole number (Python's or NumPy's, not a bool) in low..high."""
    fits = isinstance(value, Integral) and low <= int(value) and (high is None or int(value) <= high)
    if not fits or isinstance(value, bool):
        limits = f">= {low}" if high is None else f"in {low}..{high}{of}"
        raise CourseError(f"{name}: got {shown(value)}, want an integer {limits}")


def check_number(
    name: str, value: object, fits: Callable[[float], bool] = math.isfinite, want: str = "that is finite"
) -> None:
    """Raise CourseError unless value is a real number (no bool) with fits(value); `want` says which fit, e.g. "> 0".

    A comparison with NaN is false, so fits need not think of it.
    """
    try:
        right = isinstance(value, Real) and not isinstance(value, bool) and fits(float(value))
    except OverflowError:  # an integer beyond every float
        right = False
    if not right:
        raise CourseError(f"{name}: got {shown(value)}, want a number {want}")


def check_known(kind: str, name: object, known: Iterable[str]) -> None:
    """Raise the error of `unknown` unless name is one of the known; it may be anything that a file holds, a list too."""
    names = list(known)
    if not isinstance(name, str) or name not in names:
        raise unknown(kind, name, names)


def unknown(kind: str, name: object, known: Iterable[str]) -> CourseError:
    """The error for a name that is not in a table, with the nearest known name as a suggestion."""
    names = sorted(known)
    return CourseError(f"unknown {kind} {shown(name)}:{_suggestion(name, names)} known: {', '.join(names)}")


def nearest(name: object, known: Iterable[str], most: int = 12) -> str:
    """What follows a wrong name in a message: the nearest known one, and where they are at most `most`, all of them."""
    names = sorted(known)
    told = "" if len(names) > most else f" known: {', '.join(map(printable, names)) or 'none'}"
    hint = _suggestion(name, names)
    return f":{hint}{told}" if hint or told else ""


def _suggestion(name: object, names: list[str]) -> str:
    if not isinstance(name, str):
        return ""
    here = ELSEWHERE.get(name.lower().replace("_", "-").replace(" ", "-"))
    if here in names:
        return f" {printable(name)} is called {here!r} here."
    cutoff = LOOSE if " " in name else 0.5 if len(name) == 2 else ALIKE  # of two letters, one
    close = get_close_matches(name.lower(), names, n=1, cutoff=cutoff)
    return f" did you mean {printable(close[0])!r}?" if close else ""
