"""Exam questions with numbers drawn from a seed, and their solutions in a file of their own. Nothing of them is in the notebooks.

A question is a function of a source of numbers that gives its text and its solution; the solution is computed. Whoever knows the seed
has the solutions: keep it until the exam is over.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from ...errors import CourseError
from ...files import write_text

Question = Callable[[Random], tuple[str, str]]
QUESTIONS: dict[str, list[Question]] = {}  # chapter -> its questions
FILES = ("questions.md", "solutions.md")


def asks(chapter: str) -> Callable[[Question], Question]:
    """A question that needs this chapter."""

    def keep(question: Question) -> Question:
        QUESTIONS.setdefault(chapter, []).append(question)
        return question

    return keep


def write(out: Path, seed: str, chapters: Sequence[str]) -> int:
    """Write questions.md and solutions.md, and give the number of questions. Raises CourseError where there is none for these chapters."""
    from .exam_questions import QUESTIONS as written  # they enter themselves as they are loaded

    if not seed.strip():
        raise CourseError("--seed: want a word that the students do not know")
    chosen = [(c, q) for c in sorted(written) if c in chapters for q in written[c]]
    if not chosen:
        raise CourseError(f"exam: there is no question on the chapters {', '.join(chapters)}")
    made = [(c, *q(Random(f"{seed}\n{q.__name__}"))) for c, q in chosen]
    head = (
        "# Diffusion models: exam\n\nShow how you come to each number; three significant digits are enough.\n"
    )
    asked = [f"## {n}. (chapter {c})\n\n{text}\n" for n, (c, text, _) in enumerate(made, 1)]
    solved = [f"## {n}. (chapter {c})\n\n{text}\n" for n, (c, _, text) in enumerate(made, 1)]
    write_text(out / FILES[0], "\n".join([head, *asked]))
    write_text(out / FILES[1], "\n".join([f"# Solutions, seed {seed!r}\n", *solved]))
    return len(made)


def number(value: float) -> str:
    """A number with three significant digits."""
    return f"{value:.3g}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.2e}"


def drawn(draw: Random, low: float, high: float, digits: int = 2) -> float:
    """A number with so many decimals."""
    return round(draw.uniform(low, high), digits) + 0.0  # no -0.0


def root(value: float) -> float:
    return math.sqrt(value)
