"""A chapter's source, solutions/NN_name.py: read, checked, and turned into the solved or the student edition.

The source is in jupytext's percent format. `read` refuses what would break the course later (an exercise without a
check, a solution that is never closed); the editions differ only in what stands between `### BEGIN SOLUTION` and
`### END SOLUTION`, in cells tagged `solution-only`, and in outputs.
"""

import ast
import hashlib
import re
import tomllib
from copy import deepcopy
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode

from ..errors import CourseError

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
COURSE_KEYS = {"id": str, "points": int, "minutes": int, "level": int}

# Colab opens the notebook with a GPU when the reader's account has one.
METADATA = {
    "accelerator": "GPU",
    "colab": {"gpuType": "T4", "provenance": []},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

SETUP = """\
# Installs the course where it is missing (Colab), and is safe to run again.
import importlib.util

if importlib.util.find_spec("diffusion_course") is None:
    %pip install --quiet "diffusion-course @ git+{repository}"
    importlib.invalidate_caches()

from diffusion_course.notebook import setup

course = setup()"""


@dataclass(frozen=True)
class Chapter:
    """A chapter that has passed every check. cells: with ids, and with the solutions in them."""

    name: str
    cells: list[NotebookNode]
    exercises: list[dict[str, Any]]  # the `course` entries, in order

    @property
    def points(self) -> int:
        return sum(exercise["points"] for exercise in self.exercises)


def read(path: Path) -> Chapter:
    """Read and check one source. Raises CourseError naming the chapter, the cell and what is wrong with it."""
    chapter = path.stem
    try:
        notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    except (OSError, UnicodeError, ValueError, SyntaxError) as error:
        raise CourseError(f"{chapter}: cannot be read as a jupytext percent file: {error}") from None
    cells = notebook.cells
    if not cells or cells[0].cell_type != "markdown" or not re.match(r"# \S", cells[0].source):
        raise CourseError(f"{chapter}: the first cell must be Markdown and open with the title, '# ...'")
    exercises = []
    for number, cell in enumerate(cells):
        cell.metadata.pop("lines_to_next_cell", None)  # jupytext's note on blank lines
        try:
            _check_cell(cell)
            if "exercise" in _tags(cell):
                following = next((c for c in cells[number + 1 :] if c.cell_type == "code"), None)
                exercises.append(_exercise(cell, following, chapter[:2]))
        except CourseError as error:
            raise CourseError(f"{place(chapter, number, cell)}: {error}") from None
    seen = [exercise["id"] for exercise in exercises]
    twice = next((name for name in seen if seen.count(name) > 1), None)
    if twice:
        raise CourseError(f"{chapter}: exercise {twice} is there twice")
    _identify(cells)
    return Chapter(chapter, cells, exercises)


def place(chapter: str, number: int, cell: NotebookNode) -> str:
    """Where a cell is, for a message: chapter, position (counted from 0), and its first line."""
    first = cell.source.strip().split("\n")[0]
    return f"{chapter}, cell {number} ({first[:60]!r})"


def edition(chapter: Chapter, folder: str) -> NotebookNode:
    """The notebook of an edition before it is run: folder is "solutions" or "notebooks" (the student's)."""
    cells = deepcopy(chapter.cells)
    if folder == "notebooks":
        cells = [cell for cell in cells if "solution-only" not in _tags(cell)]
        for cell in cells:
            if "exercise" in _tags(cell):
                cell.source = _blank(cell.source, cell.metadata.course.id)
    address = repository()
    title, _, rest = cells[0].source.partition("\n")
    # github.com/OWNER/REPO -> colab's path github/OWNER/REPO
    target = address.removeprefix("https://github.com/") + f"/blob/main/{folder}/{chapter.name}.ipynb"
    badge = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    cells[
        0
    ].source = f"{title}\n\n{badge}(https://colab.research.google.com/github/{target})\n{rest}".rstrip()
    setup = nbformat.v4.new_code_cell(
        SETUP.format(repository=address),
        id="setup",
        # Its output names the device, so nbval must not compare it.
        metadata={"tags": ["setup", "nbval-ignore-output"]},
    )
    notebook = nbformat.v4.new_notebook(cells=[cells[0], setup, *cells[1:]], metadata=deepcopy(METADATA))
    notebook.nbformat_minor = 5
    nbformat.validate(notebook)
    return notebook


def repository() -> str:
    """The repository's address, from pyproject.toml in a checkout and from the package's metadata elsewhere."""
    project = Path(__file__).parents[2] / "pyproject.toml"
    if project.exists():
        return tomllib.loads(project.read_text(encoding="utf-8"))["project"]["urls"]["Repository"]
    urls = metadata.metadata("diffusion-course").get_all("Project-URL") or []
    return dict(url.split(", ", 1) for url in urls)["Repository"]


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _check_cell(cell: NotebookNode) -> None:
    unknown = sorted(set(cell.metadata) - {"tags", "course"})
    if unknown:
        raise CourseError(f"the cell's metadata may hold tags and course, got {', '.join(unknown)}")
    tags, course = _tags(cell), cell.metadata.get("course")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise CourseError(f"tags must be a list of strings, got {tags!r}")
    if ("exercise" in tags) != (course is not None) or ("exercise" in tags and cell.cell_type != "code"):
        raise CourseError(
            "an exercise is a code cell with the tag 'exercise' and a course={...} entry, always both"
        )
    if cell.source.startswith("# EXERCISE") and "exercise" not in tags:
        raise CourseError("the cell opens as an exercise and lacks the tag 'exercise'")
    if "exercise" not in tags and (BEGIN in cell.source or END in cell.source):
        raise CourseError("solution markers stand outside an exercise")
    if "check" in tags and not cell.source.startswith("# NBVAL_CHECK_OUTPUT\n"):
        raise CourseError("a check cell must open with the line '# NBVAL_CHECK_OUTPUT'")


def _exercise(cell: NotebookNode, following: NotebookNode | None, number: str) -> dict[str, Any]:
    course = dict(cell.metadata.course)
    wrong = {
        key for key, kind in COURSE_KEYS.items() if type(course.get(key)) is not kind
    } | course.keys() - COURSE_KEYS
    if wrong:
        wanted = '{"id": "NN-name", "points": 3, "minutes": 10, "level": 1}'
        raise CourseError(f"course must be like {wanted}; wrong: {', '.join(sorted(wrong))}")
    name = course["id"]
    if not re.fullmatch(number + r"-[a-z0-9]+([-_][a-z0-9]+)*", name):
        raise CourseError(f"an exercise id of this chapter is '{number}-' and lower-case words, got {name!r}")
    if min(course["points"], course["minutes"], course["level"]) < 1:
        raise CourseError("points, minutes and level must be at least 1")
    first = f"# EXERCISE {name} (keep this line)"
    if cell.source.split("\n")[0] != first:
        raise CourseError(f"the first line must be {first!r}")
    blank = _blank(cell.source, name)
    try:
        ast.parse(blank)
    except SyntaxError as error:
        raise CourseError(f"the student's version is not valid Python: {error}") from None
    if following is None or "check" not in _tags(following) or f'check("{name}"' not in following.source:
        raise CourseError(f"the next code cell must have the tag 'check' and call check(\"{name}\", ...)")
    return course


def _blank(source: str, name: str) -> str:
    """The exercise with each solution replaced by a line that says what to do."""
    lines, inside, count = [], False, 0
    for line in source.split("\n"):
        marker = line.strip()
        if marker not in (BEGIN, END):
            if marker.startswith((BEGIN, END)):
                raise CourseError(f"a solution marker must stand alone on its line, got {marker!r}")
            if not inside:
                lines.append(line)
            continue
        if inside == (marker == BEGIN):
            raise CourseError(f"{marker!r} without {END if inside else BEGIN!r} before it")
        inside = marker == BEGIN
        if inside:
            count += 1
            indent = line[: len(line) - len(line.lstrip())]
            todo = f"Exercise {name} is still to be written: replace this line with your code."
            lines += [f"{indent}# Your code here.", f'{indent}raise NotImplementedError("{todo}")']
    if inside:
        raise CourseError(f"{BEGIN!r} without {END!r} after it")
    if not count:
        raise CourseError(f"an exercise needs a solution between {BEGIN!r} and {END!r}")
    return "\n".join(lines)


def _identify(cells: list[NotebookNode]) -> None:
    """Ids that depend on the cell alone: a change in one cell leaves the ids of all others as they were."""
    seen: dict[str, int] = {}
    for cell in cells:
        if "exercise" in _tags(cell):
            cell.id = cell.metadata.course.id
            continue
        key = f"{cell.cell_type}\n{cell.source}"
        seen[key] = seen.get(key, 0) + 1
        cell.id = hashlib.sha256(f"{key}\n{seen[key]}".encode()).hexdigest()[:12]
