"""The two notebooks of a chapter: solved, and the student's.

They differ only in what stands between `### BEGIN SOLUTION` and `### END SOLUTION`, in the slip of a repair, in cells tagged
`solution-only`, and in outputs.
"""

import tomllib
from copy import deepcopy
from importlib import metadata
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from . import handout, wording
from .blanks import handed_out
from .chapters import Chapter, tags

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

{start}"""


# nbval obeys a tag as it does the comment in a source; a reader need not see it.
NBVAL = {
    "# NBVAL_CHECK_OUTPUT": "nbval-check-output",
    "# NBVAL_IGNORE_OUTPUT": "nbval-ignore-output",
    "# NBVAL_SKIP": "nbval-skip",
}


def edition(chapter: Chapter, folder: str) -> NotebookNode:
    """The notebook of an edition before it is run: folder is "solutions" or "notebooks" (the student's)."""
    cells = deepcopy(chapter.cells)
    if folder == "notebooks":
        cells = [cell for cell in cells if "solution-only" not in tags(cell)]
        checks = {exercise.id: exercise for exercise in chapter.exercises}
        for cell in cells:
            if exercise := handout.exercise_of(cell):
                cell.source = handed_out(cell.source, checks[exercise])
    points = {exercise.id: exercise.points for exercise in chapter.exercises}
    for cell in cells:
        if cell.cell_type == "code":
            _tag(cell)
        if cell.cell_type == "markdown":
            _write(cell, wording.fill(cell.source, chapter.exercises, points))
    title, _, rest = cells[0].source.partition("\n")
    _write(cells[0], f"{title}\n\n{_colab_link(chapter, folder)}\n{rest}".rstrip())
    setup = nbformat.v4.new_code_cell(
        SETUP.format(repository=repository(), start=handout.START),
        id="setup",
        # Its output names the device, so nbval must not compare it.
        metadata={"tags": ["setup", "nbval-ignore-output"]},
    )
    notebook = nbformat.v4.new_notebook(cells=[cells[0], setup, *cells[1:]], metadata=deepcopy(METADATA))
    notebook.nbformat_minor = 5
    nbformat.validate(notebook)
    return notebook


def _write(cell: NotebookNode, text: str) -> None:
    """Give a Markdown cell its text, and keep what it was made of: `release` makes it again."""
    if text != cell.source:
        if "course" not in cell.metadata:
            cell.metadata.course = {"template": cell.source}
        cell.source = text


def _tag(cell: NotebookNode) -> None:
    first, _, rest = cell.source.partition("\n")
    if first.strip() in NBVAL:
        cell.source = rest
        cell.metadata.tags = [*tags(cell), NBVAL[first.strip()]]


def _colab_link(chapter: Chapter, folder: str) -> str:
    # Words, and not Colab's badge: without a network that is a broken picture.
    # github.com/OWNER/REPO -> colab's path github/OWNER/REPO
    target = f"{repository().removeprefix('https://github.com/')}/blob/main/{folder}/{chapter.name}.ipynb"
    return f"[Open in Colab](https://colab.research.google.com/github/{target})"


def repository() -> str:
    """The repository's address, from pyproject.toml in a checkout and from the package's metadata elsewhere."""
    project = Path(__file__).parents[2] / "pyproject.toml"
    if project.exists():
        return tomllib.loads(project.read_text(encoding="utf-8"))["project"]["urls"]["Repository"]
    urls = metadata.metadata("diffusion-course").get_all("Project-URL") or []
    return dict(url.split(", ", 1) for url in urls)["Repository"]
