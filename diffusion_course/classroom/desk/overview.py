"""The course for who teaches it, made of its notebooks and checks: what each chapter needs and gives, plans, and known mistakes.

Nothing here names a chapter: a new one is in the tables as soon as it is installed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from nbformat import NotebookNode

from ...errors import CourseError, unknown
from .. import handout, texts
from ..ids import chapter_of, function_of
from ..wording import LEVELS

GIVES = re.compile(r"\*\*You (?:will|learn)[^*]*\*\*\s*\n(.*?)(?=\n\s*\n\*\*|\Z)", re.DOTALL)
NEEDS = re.compile(r"\*\*You need\*\* (.*?)(?=\n\s*\n|\s*\*\*Time|\Z)", re.DOTALL)
TITLE = re.compile(r"# (?:\d+\. )?(.*)")
SHOWN = 5  # mistakes of an exercise in a table of all
HEAD = "<!-- Made by `diffusion-course build` of the notebooks and the checks: edit those. -->\n"


@dataclass(frozen=True)
class Outline:
    """One chapter. name: of its file. minutes: of reading."""

    name: str
    title: str
    needs: str
    gives: tuple[str, ...]
    minutes: float
    exercises: tuple[handout.Exercise, ...]

    @property
    def number(self) -> str:
        return chapter_of(self.name)

    def work(self, most: int = 3) -> float:
        """Minutes for reading and for the exercises up to a level."""
        return self.minutes + sum(e.minutes for e in self.exercises if e.level <= most)


def outlines(edition: Mapping[str, NotebookNode], names: Iterable[str]) -> list[Outline]:
    """The chapters of an edition. names: of their files. Raises CourseError for one that does not say what it needs and gives."""
    return [_outline(name, edition[chapter_of(name)]) for name in sorted(names)]


def _outline(name: str, notebook: NotebookNode) -> Outline:
    text = "\n\n".join(cell.source for cell in notebook.cells[:4] if cell.cell_type == "markdown")
    title, needs, gives = TITLE.match(text), NEEDS.search(text), GIVES.search(text)
    listed = gives and [
        " ".join(line.split()) for line in re.split(r"^- ", gives[1], flags=re.MULTILINE) if line.strip()
    ]
    if not (title and needs and listed and len(listed) >= 2):
        raise CourseError(
            f"{name}: its first cells want a title, '**You learn**' with a list of two or more, and '**You need**'"
        )
    return Outline(
        name,
        title[1],
        " ".join(needs[1].split()),
        tuple(listed),
        texts.reading_minutes(notebook.cells),
        tuple(handout.exercises(notebook).values()),
    )


def weeks(every: Sequence[Outline], count: int) -> list[list[Outline]]:
    """The chapters in order, in `count` parts whose longest is as short as can be. Raises CourseError for more parts than chapters."""
    if not 1 <= count <= len(every):
        raise CourseError(f"--weeks: got {count}, want 1 to {len(every)}, the number of chapters")
    cuts = min(
        combinations(range(1, len(every)), count - 1),
        key=lambda inner: sorted(
            (sum(o.work() for o in part) for part in _parts(every, inner)), reverse=True
        ),
    )
    return _parts(every, cuts)


def _parts(every: Sequence[Outline], cuts: Sequence[int]) -> list[list[Outline]]:
    return [list(every[a:b]) for a, b in pairwise((0, *cuts, len(every)))]


def day(every: Sequence[Outline], hours: float) -> list[Outline]:
    """The chapters from the first on that fit into so many hours, each with its easy exercises alone."""
    found, left = [], 60 * hours
    for outline in every:
        left -= outline.work(1)
        if left < 0:
            break
        found.append(outline)
    return found


def day_plan(every: Sequence[Outline], hours: float) -> str:
    """A day as Markdown, with the command that makes its edition."""
    chosen = day(every, hours)
    if not chosen:
        raise CourseError(
            f"--hours: {hours:g} are too few for the first chapter, want {every[0].work(1) / 60:.1f}"
        )
    rows = ["| chapter | reading | its easy exercises |", "|---|---|---|"]
    for o in chosen:
        easy = [f"`{function_of(e.id)}`" for e in o.exercises if e.level == 1]
        rows.append(f"| {o.number} {o.title} | {_time(o.minutes)} | {', '.join(easy) or 'none'} |")
    hidden = " ".join(f"--hide {e.id}" for o in chosen for e in o.exercises if e.level > 1)
    numbers = " ".join(o.number for o in chosen)
    total = sum(o.work(1) for o in chosen)
    command = f"diffusion-course release {numbers} {hidden} --out edition".replace("  ", " ")
    return "\n".join(
        [
            *rows,
            "",
            f"{_time(total).capitalize()} in all. The other exercises are given:",
            "",
            f"    {command}",
        ]
    )


def weeks_plan(every: Sequence[Outline], count: int) -> str:
    """Weeks as a Markdown table."""
    rows = ["| week | chapters | reading | exercises | points |", "|---|---|---|---|---|"]
    for number, part in enumerate(weeks(every, count), 1):
        minutes = sum(e.minutes for o in part for e in o.exercises)
        points = sum(e.points for o in part for e in o.exercises)
        named = "; ".join(f"{o.number} {o.title}" for o in part)
        reading = sum(o.minutes for o in part)
        rows.append(
            f"| {number} | {named} | {_time(reading)} | {_time(minutes) if minutes else 'none'} | {points} |"
        )
    return "\n".join(rows)


def _time(minutes: float) -> str:
    return texts.in_hours(minutes).removeprefix("about ")


def chapters_table(every: Sequence[Outline]) -> str:
    """What each chapter needs and gives, as Markdown."""
    parts = []
    for o in every:
        exercises = [f"`{e.id}` ({e.points}, {e.minutes} min, {LEVELS[e.level]})" for e in o.exercises]
        parts += [f"### {o.number} {o.title}", "", f"Needs {o.needs}", "", "Gives", ""]
        parts += [*(f"- {line}" for line in o.gives), ""]
        parts += [
            f"Reading {_time(o.minutes)}. Exercises (points, time, level): {', '.join(exercises) or 'none'}.",
            "",
        ]
    return "\n".join(parts).rstrip()


def mistakes(words: Sequence[str], most: int | None = None) -> str:
    """The known mistakes of exercises, or of whole chapters, by their hints, as Markdown; of what a person marks, the lines of its rubric.

    most: of each exercise. Raises CourseError.
    """
    from ..checks import TASKS  # loads torch

    chosen: dict[str, None] = {}
    for word in words:
        fits = [e for e in TASKS if e == word or (word.isdecimal() and chapter_of(e) == word.zfill(2))]
        if not fits:
            raise unknown("exercise", word, TASKS)
        chosen |= dict.fromkeys(fits)
    parts = []
    for e in chosen or TASKS:
        hints = list(dict.fromkeys(mutant.hint for mutant in TASKS[e].mutants))
        hints = hints or [f"{line.part}, marked by a person: {line.what}" for line in TASKS[e].rubric]
        parts += [f"### {e}", "", *(f"- {' '.join(hint.split())}" for hint in hints[:most])]
        if most is not None and len(hints) > most:
            parts.append(f"- {len(hints) - most} more: `diffusion-course mistakes {e}`")
        parts.append("")
    return "\n".join(parts).rstrip()


def document(every: Sequence[Outline]) -> str:
    """docs/chapters.md."""
    return "\n\n".join(
        [
            HEAD + "# The chapters, for who teaches them",
            "## What each chapter needs and gives",
            chapters_table(every),
            "## One day",
            day_plan(every, 7),
            "## Four weeks",
            weeks_plan(every, min(4, len(every))),
            "## Seven weeks",
            weeks_plan(every, min(7, len(every))),
            "## Known mistakes",
            "What a check recognises, in the words of its hints; the first few of each exercise.",
            mistakes([e.id for o in every for e in o.exercises], SHOWN) + "\n",
        ]
    )
