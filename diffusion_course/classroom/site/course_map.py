"""The first page: a map of the chapters, which needs which, made from what the chapters say of themselves."""

import re
from collections.abc import Sequence
from html import escape

from ..chapters import Chapter
from ..desk.overview import NEEDS
from ..editions import repository
from ..ids import chapter_of
from ..texts import in_hours, reading_minutes, sections
from ..wording import counted, in_points
from .pages import EDITIONS, title

CHAPTERS = re.compile(r"[cC]hapters? (\d+(?:(?:, | and |, and )\d+)*)")
ROW, LEFT, WIDTH = 44, 96, 440  # of the drawing, in pixels

PAGE = """\
# Diffusion models, from the first noise to the last pixel

A course of notebooks. On these pages sliders move and questions answer without a kernel; in Jupyter or Colab, where each page links to,
you also write the exercises and are told at once what is wrong with them. Each chapter is here twice: to be solved, and solved.
The notebooks and their library are at [{repository}]({repository}).

## Map

A line leads from a chapter to a later one that needs it.

<figure class="map">
{drawing}
</figure>

## Chapters

{rows}

```{{toctree}}
:hidden:
:caption: {to_solve}

{students}
```

```{{toctree}}
:hidden:
:caption: {solved}

{solutions}
```
"""


def page(chapters: Sequence[Chapter]) -> str:
    """The Markdown of the page."""
    return PAGE.format(
        repository=repository(),
        drawing=_drawing(chapters),
        rows="\n\n".join(_entry(chapter, chapters) for chapter in chapters),
        to_solve=EDITIONS["notebooks"],
        solved=EDITIONS["solutions"],
        students=_listed(chapters, "notebooks"),
        solutions=_listed(chapters, "solutions"),
    )


def _listed(chapters: Sequence[Chapter], folder: str) -> str:
    """The lines of a list in the sidebar."""
    return "\n".join(f"{_short(chapter)} <{folder}/{chapter.name}>" for chapter in chapters)


def needs(chapter: Chapter) -> set[str]:
    """The numbers of the earlier chapters that this one says it needs."""
    text = "\n\n".join(cell.source for cell in chapter.cells if cell.cell_type == "markdown")
    found = NEEDS.search(text)
    listed = CHAPTERS.findall(found[1]) if found else []
    named = {f"{int(number):02}" for numbers in listed for number in re.findall(r"\d+", numbers)}
    return {number for number in named if number < chapter_of(chapter.name)}


def _drawing(chapters: Sequence[Chapter]) -> str:
    """One chapter below the other, and arcs at their left."""
    places = {chapter_of(chapter.name): ROW * k + ROW / 2 for k, chapter in enumerate(chapters)}
    arcs, names = [], []
    for chapter in chapters:
        end = places[chapter_of(chapter.name)]
        for number in sorted(needs(chapter) & places.keys()):
            start = places[number]
            bend = LEFT - 10 - (LEFT - 20) * min(1, abs(end - start) / (ROW * 9))
            arcs.append(
                f'<path d="M{LEFT} {start:g} C{bend:.0f} {start:g} {bend:.0f} {end:g} {LEFT} {end:g}"/>'
            )
        names.append(
            f'<a href="notebooks/{chapter.name}.html"><circle cx="{LEFT}" cy="{end:g}" r="6"/>'
            f'<text x="{LEFT + 16}" y="{end + 5:g}">{escape(_short(chapter))}</text></a>'
        )
    height = ROW * len(chapters)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="group" aria-label="The chapters, and which needs which">'
        f'<g class="arcs" aria-hidden="true">{"".join(arcs)}</g>{"".join(names)}</svg>'
    )


def _short(chapter: Chapter) -> str:
    return title(chapter).partition(":")[0]


def _entry(chapter: Chapter, chapters: Sequence[Chapter]) -> str:
    wanted = needs(chapter)
    before = [other for other in chapters if chapter_of(other.name) in wanted]
    source = "\n".join(cell.source for cell in chapter.cells)
    minutes = sum(exercise.minutes for exercise in chapter.exercises)
    costs = f"{in_hours(reading_minutes(chapter.cells))} of reading".capitalize()
    if chapter.exercises:
        costs += f"; {counted(len(chapter.exercises), 'exercise')} for {in_points(chapter.points)}, {in_hours(minutes)}"
    sliders = len(re.findall(r"^widgets\.(?:slide|slide_frames|player)\(", source, re.MULTILINE))
    asked = len(re.findall(r"^quiz\.ask\(", source, re.MULTILINE))
    parts = [
        f"### {title(chapter)}",
        f"[To be solved](notebooks/{chapter.name}.ipynb) · [Solved](solutions/{chapter.name}.ipynb)",
        f"{costs}; {counted(sliders, 'slider')}, {counted(asked, 'question')}.",
    ]
    if before:
        links = ", ".join(f"[{_short(other)}](notebooks/{other.name}.ipynb)" for other in before)
        parts.append(f"Needs {links}.")
    listed = " · ".join(sections(chapter.cells).values())
    return "\n\n".join([*parts, listed] if listed else parts)
