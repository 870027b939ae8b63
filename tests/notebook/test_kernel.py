"""A notebook in a real kernel: what it stores, and that strict nbval finds the same again."""

import base64
import html
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

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
    command += ["--nbval-sanitize-with", str(ROOT / "tests/nbval.cfg")]
    # An own configuration: this project's must not apply to a notebook in a temporary folder.
    command += ["-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(path.parent), str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=ENV)


def kinds(cell):
    return [sorted(output.get("data", {output.output_type: None})) for output in cell.outputs]


PICTURE = ["image/png", "text/html", "text/plain"]


def picture(data):
    """The words of the picture in an output's HTML, and its pixels per pixel of an ordinary screen."""
    tag = re.search(
        r'<img alt="([^"]*)" width="(\d+)" .*?src="data:image/webp;base64,([^"]*)">', data["text/html"]
    )
    image = Image.open(io.BytesIO(base64.b64decode(tag[3])))
    return html.unescape(tag[1]), image.width / int(tag[2])


def test_a_figure_is_shown_once_sharp_and_with_its_words(notebook):
    assert kinds(notebook.cells[2]) == [PICTURE]
    (output,) = notebook.cells[2].outputs
    assert picture(output.data) == ("T. Horizontal: x; vertical: y. Shown: a.", 2)
    plain = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
    assert plain.width == 576


def test_a_slider_is_one_output_of_which_a_front_end_takes_what_it_can(notebook):
    for cell in notebook.cells[4:8]:
        assert kinds(cell) == [sorted([*PICTURE, WIDGET])]
    (output,) = notebook.cells[4].outputs
    assert picture(output.data) == ("A line of slope t: t = 1; t = 9.", 2)
    assert output.data["text/plain"].splitlines() == [
        "A line of slope t: t = 1; t = 9.",
        "Live in a running notebook: t (1 to 10).",
    ]


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


def test_nbval_fails_an_exercise_that_is_not_written(tmp_path):
    path = tmp_path / "stub.ipynb"
    cells = [
        "from diffusion_course.classroom import check\ndef snr(alpha_bar):\n    raise NotImplementedError",
        'check("01-snr", snr)',
    ]
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells]), path)
    done = nbval(path)
    assert "NotDone: 01-snr is not written yet" in done.stdout
    assert "1 failed, 1 passed" in done.stdout
