"""A notebook in a real kernel: what it stores, and that strict nbval finds the same again."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parents[2]
WIDGET = "application/vnd.jupyter.widget-view+json"

CELLS = [
    "from diffusion_course.notebook import setup, plots, widgets, quiz\nimport torch\ncourse = setup()",
    "course = setup()",
    'fig = plots.curves([0, 1], {"a": [0, 1]}, title="T", xlabel="x", ylabel="y")\nfig',
    "plots.images(torch.rand(20, 1, 28, 28) * 2 - 1, title='Noise')",
    """
def draw(t=3):
    return plots.curves([0, 1], {"a": [0, t]}, title=f"t = {t}", xlabel="x", ylabel="y", ylim=(0, 10))
widgets.slide(draw, description="A line of slope t", static=[{"t": 1}, {"t": 9}], t=(1, 10))
""",
    """
import matplotlib.pyplot as plt
def with_pyplot(t=3):
    figure, axes = plt.subplots()
    axes.plot([0, t])
    return figure
widgets.slide(with_pyplot, description="The same with pyplot", t=(1, 10))
""",
    "widgets.slide_frames({w: torch.full((1, 1, 8, 8), w / 4) for w in (0.0, 1.0, 2.0)}, 'w', description='Grey')",
    "widgets.player([torch.zeros(1, 8, 8)] * 3, ['a', 'b', 'c'], description='Black')",
    'quiz.ask("01-q1")',
    'quiz.answer("01-q1", "b")',
]


# The package need not be installed, and a test needs no more than one thread.
ENV = os.environ | {
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
}


@pytest.fixture(scope="module")
def notebook():
    cells = new_notebook(cells=[new_code_cell(cell) for cell in CELLS])
    return NotebookClient(cells, timeout=120, store_widget_state=False).execute(env=ENV)


def nbval(path):
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "--nbval-cell-timeout=120"]
    # An own configuration: this project's must not apply to a notebook in a temporary folder.
    command += ["-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(path.parent), str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=ENV)


def kinds(cell):
    return [sorted(output.get("data", {output.output_type: None})) for output in cell.outputs]


def test_a_figure_is_shown_once(notebook):
    assert kinds(notebook.cells[2]) == [["image/png", "text/plain"]]


def test_a_slider_shows_a_picture_with_words_and_a_live_part(notebook):
    for cell in notebook.cells[4:8]:
        assert kinds(cell) == [["image/png", "text/plain"], [WIDGET, "text/plain"]]
    static, live = notebook.cells[4].outputs
    assert static.data["text/plain"] == "A line of slope t: t = 1; t = 9."
    assert static.metadata["image/png"]["alt"] == static.data["text/plain"]
    assert live.data["text/plain"] == "Live in a running notebook: t (1 to 10)."


def test_a_reader_without_kernel_sees_the_question(notebook):
    (output,) = notebook.cells[8].outputs
    assert "  b) √0.28" in output.data["text/plain"]


def test_the_stored_notebook_stays_small(notebook):
    assert len(nbformat.writes(notebook)) < 300_000


@pytest.mark.parametrize("keep_widgets", [True, False], ids=["with widget views", "widget views removed"])
def test_strict_nbval_passes(notebook, tmp_path, keep_widgets):
    copy = nbformat.from_dict(notebook)
    if not keep_widgets:
        for cell in copy.cells:
            for output in cell.outputs:
                output.get("data", {}).pop(WIDGET, None)
    path = tmp_path / "chapter.ipynb"
    nbformat.write(copy, path)
    done = nbval(path)
    assert f"{len(CELLS)} passed" in done.stdout, done.stdout
    assert done.returncode == 0


def test_nbval_fails_a_cell_whose_slider_cannot_draw(tmp_path):
    path = tmp_path / "broken.ipynb"
    cell = "from diffusion_course.notebook import widgets\nwidgets.slide(lambda t=1: 1 / 0, description='', t=(1, 10))"
    nbformat.write(new_notebook(cells=[new_code_cell(cell)]), path)
    done = nbval(path)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stdout
