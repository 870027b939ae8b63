"""What the course says of its exercises: points, minutes and levels in words. Needs no torch.

A chapter's source leaves three things to be filled in: `### Exercise {{03-eps_loss}}`, the heading of an exercise, `{{exercises}}`,
how many there are for how many points, and `{{minutes}}`, how many minutes they take together. The text of a design also has
`{{marks 04-even_betas}}`, its points and scores, and that of an open task `{{rubric 14-my_study}}`, a table of what a person gives points for.
`build` fills in what each `Check` says, and `release` what an edition changes.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from .ids import function_of
from .terms import Marks

HEADING = re.compile(r"^### Exercise \{\{([^{}\n]*)\}\}$", re.MULTILINE)
TOTAL = "{{exercises}}"
# The next chapter; its file lies beside this one.
NEXT = re.compile(r"^Next: `(\d\d_[a-z0-9_]+)`", re.MULTILINE)
MINUTES = "{{minutes}}"
MARKS = re.compile(r"\{\{marks ([^{}\n]*)\}\}")
RUBRIC = re.compile(r"\{\{rubric ([^{}\n]*)\}\}")
LEVELS = {1: "easy", 2: "medium", 3: "hard"}
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
GIVEN = """\
### Given here: `{function}`

In this edition it is not an exercise: the next code cell gives the function that this text asks for, and where the chapter calls it yours,
it means this one."""


class Described(Protocol):
    """What is said of an exercise; a `Check` has it, and an exercise of a student notebook."""

    @property
    def id(self) -> str: ...
    @property
    def points(self) -> int: ...
    @property
    def minutes(self) -> int: ...
    @property
    def level(self) -> int: ...
    @property
    def marks(self) -> Marks: ...
    @property
    def rubric(self) -> Sequence[tuple[str, int, str]]: ...


def in_points(number: int) -> str:
    return counted(number, "point")


def counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def fill(text: str, exercises: Sequence[Described], points: Mapping[str, int]) -> str:
    """Markdown with headings, totals and the link to the next chapter filled in.

    exercises: all of the chapter, in its order. points: exercise id -> points; what is not among them is given to the students.
    Raises KeyError for a heading, marks or a rubric of no exercise of the chapter.
    """
    headings = {
        exercise.id: _heading(number, exercise, points) for number, exercise in enumerate(exercises, 1)
    }
    text = HEADING.sub(lambda found: headings[found[1]], text)
    marks = {exercise.id: exercise.marks for exercise in exercises}
    text = MARKS.sub(lambda found: _listed(marks[found[1]]), text)
    rubrics = {exercise.id: exercise.rubric for exercise in exercises}
    text = RUBRIC.sub(lambda found: _tabled(rubrics[found[1]]), text)
    text = NEXT.sub(r"Next: [\1](\1.ipynb)", text)
    minutes = sum(exercise.minutes for exercise in exercises if exercise.id in points)
    return text.replace(MINUTES, counted(minutes, "minute")).replace(TOTAL, _total(list(points.values())))


def _listed(marks: Marks) -> str:
    """The marks of a design: "2 points for 1.5, 4 for 0.75"."""
    (first, bar), *others = marks
    return ", ".join([f"{in_points(first)} for {bar:g}", *(f"{p} for {b:g}" for p, b in others)])


def _tabled(rubric: Sequence[tuple[str, int, str]]) -> str:
    """A rubric as a Markdown table."""
    rows = [f"| `{part}` | {points} | {what} |" for part, points, what in rubric]
    return "\n".join(["| part | points | given for |", "|---|---|---|", *rows])


def _heading(number: int, exercise: Described, points: Mapping[str, int]) -> str:
    function = function_of(exercise.id)
    if exercise.id not in points:
        return GIVEN.format(function=function)
    costs = f"{in_points(points[exercise.id])}, about {counted(exercise.minutes, 'minute')}, {LEVELS[exercise.level]}"
    return f"### Exercise {number}: `{function}` ({costs})"


def _total(points: Sequence[int]) -> str:
    if not points:
        return "no exercises (this edition gives them all)"
    number = NUMBERS[len(points)] if len(points) < len(NUMBERS) else len(points)
    return f"{number} {'exercise' if len(points) == 1 else 'exercises'} ({in_points(sum(points))})"
