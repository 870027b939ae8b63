"""From a chapter and its outputs to the source of a page: a notebook that MyST reads."""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from html import escape

import nbformat
from nbformat import NotebookNode

from ...notebook.kernelless import QUIZ, SLIDER
from ..chapters import Chapter, tags
from ..editions import edition
from ..execution import WIDGET
from ..handout import exercise_of
from ..ids import chapter_of
from . import live
from .pictures import Pictures
from .ways import linked

EDITIONS = {"solutions": "Solved", "notebooks": "To be solved"}
OTHER = {
    "solutions": ("notebooks", "The same without solutions"),
    "notebooks": ("solutions", "The same, solved"),
}
# What a reader without a kernel can do here, and what not.
NOTES = {
    "solutions": "On this page sliders move and questions answer. Its code runs in Jupyter or in Colab.",
    "notebooks": "No code runs on this page. Where the text says <i>run</i>, open the output below the cell; it is the one of the solved "
    "edition. An exercise can be done on paper, with a link to its solution below it. In Jupyter or Colab you write it as code, and are told "
    "what is wrong.",
}
HEADING = re.compile(r"^### Exercise ", re.MULTILINE)
CHECKED = re.compile(r'^check\("([\w-]+)"', re.MULTILINE)
NUMBER = re.compile(
    r'(<td style="text-align: right)(">[^\s<]+</td>)'
)  # 4.0e-05 would be broken at its hyphen
ASKS = re.compile(r'(quiz\.ask\("[^"]*"\)\s*)+')
COLAB = re.compile(r"^\[Open in Colab\]\(([^)\s]+)\)$", re.MULTILINE)
LANGUAGE = {"name": "python", "pygments_lexer": "ipython3"}
Outputs = dict[str, list[NotebookNode]]


def title(chapter: Chapter) -> str:
    return chapter.cells[0].source.split("\n")[0].removeprefix("# ")


def page(
    chapter: Chapter, folder: str, run: NotebookNode, pictures: Pictures, others: Mapping[str, Chapter]
) -> NotebookNode:
    """A page of an edition, "solutions" or "notebooks". run: the solved edition with its outputs, which both editions show.
    others: number -> chapter, of all that have pages.

    In the student edition what is printed or drawn is folded, so that one can predict before one looks; sliders and questions are open.
    Raises CourseError for a picture without words.
    """
    notebook = deepcopy(edition(chapter, folder))
    outputs: Outputs = {cell.id: cell.outputs for cell in run.cells if cell.cell_type == "code"}
    student = folder == "notebooks"
    own = {exercise.id for exercise in chapter.exercises}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = linked(cell.source, chapter_of(chapter.name), others)
    if not student:
        _mark_exercises(notebook.cells)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            _fill(cell, [] if _apart(cell, student) else outputs.get(cell.id, []), pictures, fold=student)
            if student and (checked := CHECKED.search(cell.source)) and checked[1] in own:
                cell.outputs = [_solution(chapter, checked[1])]
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


def _apart(cell: NotebookNode, student: bool) -> bool:
    """Whether an output is of no use on a page: what a check says of the solution says nothing of a stub, and the device is not the reader's."""
    return "setup" in tags(cell) or (
        student and (bool({"check", "exercise"} & set(tags(cell))) or "check_all(" in cell.source)
    )


def _mark_exercises(cells: Sequence[NotebookNode]) -> None:
    """Put a place to jump to above the heading of each exercise."""
    above = cells[0]
    for cell in cells:
        if cell.cell_type == "markdown" and HEADING.search(cell.source):
            above = cell
        elif cell.cell_type == "code" and (exercise := exercise_of(cell)):
            above.source = HEADING.sub(f'<div id="{exercise}"></div>\n\n### Exercise ', above.source)


def _solution(chapter: Chapter, exercise: str) -> NotebookNode:
    link = f'<a href="../solutions/{chapter.name}.html#{exercise}">Solution of <code>{exercise}</code></a>'
    return nbformat.v4.new_output("display_data", data={"text/html": f"<p>{link}</p>", "text/plain": ""})


def _links(chapter: Chapter, folder: str, colab: str) -> str:
    other, words = OTHER[folder]
    file = f"{chapter.name}.ipynb"
    links = (
        f'<a href="{escape(colab)}">Open in Colab</a>',
        f'<a href="{file}" download="{file}">Download the notebook</a>',
        f'<a href="../{other}/{chapter.name}.html">{words}</a>',
    )
    return f'<p class="page-links">{" ".join(links)}</p>\n<p class="page-note">{NOTES[folder]}</p>'


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
        html = pictures.out_of(NUMBER.sub(r"\1; white-space: nowrap\2", data["text/html"]))
    if html:
        output.data = nbformat.from_dict({"text/html": html, "text/plain": data.get("text/plain", "")})
    return output
