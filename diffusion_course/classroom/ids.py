"""The names of exercises, "03-eps_loss", and of chapters, "03_epsilon_loss". Needs nothing, so everything may use it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import unknown


def chapter_of(name: str) -> str:
    """The number of the chapter, "03", of an exercise's id and of a chapter's name."""
    return name[:2]


def function_of(exercise: str) -> str:
    """The name of the function that an exercise asks for, "eps_loss"."""
    return exercise[3:]


def chosen(words: Iterable[str] | None, names: Sequence[str]) -> list[str]:
    """The chapters that words like "3", "03", "03_epsilon_loss" or a path of its file name, in the order of `names`; all without words.

    Raises CourseError for a word that names none.
    """
    found = set()
    for word in words or names:
        stem = Path(word).stem
        named = {
            n
            for n in names
            if stem == n or (stem.isdecimal() and stem.lstrip("0") == chapter_of(n).lstrip("0"))
        }
        if not named:
            raise unknown("chapter", word, names)
        found |= named
    return [name for name in names if name in found]
