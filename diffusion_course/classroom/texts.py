"""What a chapter's text leaves to be filled in that does not depend on the edition: notation, numbers of sections, time to read.

    {{notation x0 t beta}}    these rows of the course's notation, as a table; {{notation}}: all of it
    {{section The way back}}  "section 12", by the beginning of its heading; {{Section The way back}}: with a capital
    {{reading}}               the time that the chapter takes to read, in words

What depends on the exercises of an edition is filled in by `wording`.
"""

import re
from collections.abc import Callable, Sequence

from nbformat import NotebookNode

from .. import notation
from ..errors import CourseError

PLACEHOLDER = re.compile(r"\{\{(notation|[sS]ection|reading)(?: ([^{}\n]+))?\}\}")
HEADING = re.compile(r"^## (\d+)\. (.+)$", re.MULTILINE)
DISPLAYED = re.compile(r"\$\$(.*?)\$\$", re.DOTALL)

# Speeds of somebody who reads to understand.
WORDS = 200  # a minute
FORMULAS = 1  # lines of a displayed derivation a minute
CODE = 15  # lines a minute
TASK = 2  # minutes for a question, a prediction or a slider; exercises are counted apart
TASKS = re.compile(r"quiz\.ask\(|widgets\.slide(?:_frames)?\(|\*\*Predict, then run")


def sections(cells: Sequence[NotebookNode]) -> dict[int, str]:
    """Number -> title of the chapter's numbered sections, `## 3. Title`."""
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return {int(number): title for number, title in HEADING.findall(text)}


def expand(text: str, cells: Sequence[NotebookNode]) -> str:
    """Markdown with its placeholders filled in. cells: the whole chapter, as it is written.

    Raises CourseError for an unknown symbol, and for a section that no heading, or more than one, begins with.
    """
    fill: dict[str, Callable[[str], str]] = {
        "notation": lambda keys: notation.table(keys.split()),
        "section": lambda title: f"section {_number(title, cells)}",
        "Section": lambda title: f"Section {_number(title, cells)}",
        "reading": lambda _: in_hours(reading_minutes(cells)),
    }
    return PLACEHOLDER.sub(lambda found: fill[found[1]](found[2] or ""), text)


def _number(title: str, cells: Sequence[NotebookNode]) -> int:
    fits = [number for number, full in sections(cells).items() if full.startswith(title)] if title else []
    if len(fits) != 1:
        raise CourseError(f"section {title!r}: want one heading '## N. {title}...', got {len(fits)}")
    return fits[0]


def reading_minutes(cells: Sequence[NotebookNode]) -> float:
    """Minutes to read a chapter and to answer what it asks, its exercises aside; the references are not read."""
    minutes = 0.0
    for cell in cells:
        text, _, _ = cell.source.partition("## References")
        minutes += TASK * len(TASKS.findall(text))
        if cell.cell_type == "code":
            minutes += sum(bool(re.match(r"\s*[^\s#]", line)) for line in text.split("\n")) / CODE
        else:
            minutes += sum(map(_lines, DISPLAYED.findall(text))) / FORMULAS
            minutes += len(re.findall(r"\w+", _prose(text))) / WORDS
    return minutes


def _prose(text: str) -> str:
    """The text with a formula in a line as one word, and without displayed ones."""
    return re.sub(r"\$[^$]*\$", "x", DISPLAYED.sub("", text))


def _lines(formula: str) -> int:
    body = re.sub(r"\\(?:begin|end)\{\w+\}", "", formula)
    return sum(bool(line.strip()) for line in re.split(r"\\\\(?:\[\w+\])?", body))


def in_hours(minutes: float) -> str:
    """A time in words, to five minutes below an hour and to a quarter of an hour above."""
    if minutes < 57.5:
        return f"about {max(5, 5 * round(minutes / 5))} minutes"
    hours, quarters = divmod(round(minutes / 15), 4)
    number = f"{hours}{('', '¼', '½', '¾')[quarters]}"
    return f"about {'an hour' if number == '1' else f'{number} hours'}"
