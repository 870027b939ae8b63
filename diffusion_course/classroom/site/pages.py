"""From a chapter and its outputs to the source of a page: a notebook that MyST reads."""

import re
from collections.abc import Sequence
from copy import deepcopy
from html import escape

import nbformat
from nbformat import NotebookNode

from ...notebook.kernelless import QUIZ, SLIDER
from ..chapters import Chapter, tags
from ..editions import edition
from ..execution import WIDGET
from . import live
from .pictures import Pictures

EDITIONS = {"solutions": "Solved", "notebooks": "To be solved"}
OTHER = {
    "solutions": ("notebooks", "The same without solutions"),
    "notebooks": ("solutions", "The same, solved"),
}
ASKS = re.compile(r'(quiz\.ask\("[^"]*"\)\s*)+')
COLAB = re.compile(r"^\[Open in Colab\]\(([^)\s]+)\)$", re.MULTILINE)
LANGUAGE = {"name": "python", "pygments_lexer": "ipython3"}
Outputs = dict[str, list[NotebookNode]]


def title(chapter: Chapter) -> str:
    return chapter.cells[0].source.split("\n")[0].removeprefix("# ")


def page(chapter: Chapter, folder: str, run: NotebookNode, pictures: Pictures) -> NotebookNode:
    """A page of an edition, "solutions" or "notebooks". run: the solved edition with its outputs, which both editions show.

    In the student edition what is printed or drawn is folded, so that one can predict before one looks; sliders and questions are open.
    Raises CourseError for a picture without words.
    """
    notebook = deepcopy(edition(chapter, folder))
    outputs: Outputs = {cell.id: cell.outputs for cell in run.cells if cell.cell_type == "code"}
    student = folder == "notebooks"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            # What a check says of the solution says nothing of a stub.
            shown = [] if student and {"check", "exercise"} & set(tags(cell)) else outputs.get(cell.id, [])
            _fill(cell, shown, pictures, fold=student)
        cell.metadata.pop("course", None)
    first = notebook.cells[0]
    first.source = COLAB.sub(lambda found: _links(chapter, folder, found[1]), first.source)
    if student:  # in the sidebar, the search and the tab
        head, _, rest = first.source.partition("\n")
        first.source = f"{head} (to be solved)\n{rest}"
    notebook.metadata = nbformat.from_dict(
        {"language_info": LANGUAGE, "kernelspec": notebook.metadata.kernelspec}
    )
    return notebook


def _links(chapter: Chapter, folder: str, colab: str) -> str:
    other, words = OTHER[folder]
    file = f"{chapter.name}.ipynb"
    links = (
        f'<a href="{escape(colab)}">Open in Colab</a>',
        f'<a href="{file}" download="{file}">Download the notebook</a>',
        f'<a href="../{other}/{chapter.name}.html">{words}</a>',
    )
    return f'<p class="page-links">{" ".join(links)}</p>'


def _fill(cell: NotebookNode, outputs: Sequence[NotebookNode], pictures: Pictures, fold: bool) -> None:
    """Give a code cell the outputs as a page shows them."""
    alive = any({SLIDER, QUIZ} & set(output.get("data", {})) for output in outputs)
    words = ["hide-input"] if "setup" in tags(cell) else []
    if fold and outputs and not alive:
        words.append("hide-output")
    if alive and ASKS.fullmatch(cell.source):
        words.append("remove-input")  # it says nothing that the question does not say
    cell.metadata = nbformat.from_dict({"tags": words})
    cell.outputs = [_shown(output, f"{cell.id}-{k}", pictures) for k, output in enumerate(outputs)]


def _shown(output: NotebookNode, name: str, pictures: Pictures) -> NotebookNode:
    """An output with one form of what it shows."""
    output = deepcopy(output)
    data = output.get("data", {})
    data.pop(WIDGET, None)
    html = ""
    if SLIDER in data:
        html = live.slider(data[SLIDER], name, pictures)
    elif QUIZ in data:
        html = live.question(data[QUIZ]["id"], name)
    elif "text/html" in data:
        html = pictures.out_of(data["text/html"])
    if html:
        output.data = nbformat.from_dict({"text/html": html, "text/plain": data.get("text/plain", "")})
    return output
