"""Every chapter, whatever chapters there are: in step with its source, and the same again under strict nbval.

Strict nbval runs the very cells that lax nbval runs and compares more of them, so one strict run proves both.
"""

import os
from pathlib import Path

import nbformat
import pytest

from diffusion_course.classroom import build as building
from diffusion_course.classroom import chapters, editions
from diffusion_course.classroom.execution import execute

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "solutions").glob("*.py"))
WHOLE = ("01",)  # the student editions that are run to their end
CELL_TIMEOUT = 600  # seconds; for a machine that is busy with other tests

pytestmark = pytest.mark.skipif(not SOURCES, reason="there is no chapter yet")
each_chapter = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def test_notebooks_on_disk_are_those_of_the_sources(capsys):
    assert building.check(root=ROOT), capsys.readouterr().out


@pytest.mark.notebook
@each_chapter
def test_solution_gives_the_same_outputs_again(source, run_python):
    notebook = source.with_suffix(".ipynb")
    # An own configuration: this project's options are not meant for a notebook.
    own = ["-c", os.devnull, "--rootdir", str(ROOT), "-p", "no:cacheprovider", "-p", "no:xdist", "--color=no"]
    nbval = ["--nbval", "--nbval-current-env", f"--nbval-cell-timeout={CELL_TIMEOUT}"]
    nbval += ["--nbval-sanitize-with", str(ROOT / "tests/nbval.cfg")]
    done = run_python("-m", "pytest", *own, *nbval, "-q", notebook, timeout=1800)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert " passed" in done.stdout


@pytest.mark.notebook
@each_chapter
def test_run_all_of_an_unwritten_student_edition_strands_nobody(source, monkeypatch):
    """One chapter to its end, the others as far as their first exercise: each further one goes on in the same way."""
    chapter = chapters.read(source)
    if not chapter.exercises:
        pytest.skip("no exercises")
    notebook = editions.edition(chapter, "notebooks")
    first = next(
        n for n, cell in enumerate(notebook.cells) if f'check("{chapter.exercises[0].id}"' in cell.source
    )
    whole = chapter.name[:2] in WHOLE
    if not whole:
        notebook.cells = notebook.cells[: first + 1]
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # as a person's kernel
    execute(notebook, chapter.name, source.parent, CELL_TIMEOUT)  # raises where a cell fails
    (box,) = notebook.cells[first].outputs
    assert "To do: " in box.data["text/html"]
    if whole:
        points = next(cell for cell in reversed(notebook.cells) if "check_all()" in cell.source)
        stubs = [exercise for exercise in chapter.exercises if not exercise.repair]
        assert points.outputs[-1].text.count("not written yet") == len(stubs)
        assert f"total 0 of {chapter.points} " in " ".join(points.outputs[-1].text.split())


@each_chapter
def test_solution_holds_nothing_of_the_machine_it_was_run_on(source):
    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            text = output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))
            for trace in (str(ROOT), str(Path.home()), "site-packages", " at 0x"):
                assert trace not in text, chapters.place(source.stem, number, cell)


@each_chapter
def test_what_a_solution_says_of_its_outputs_holds(source):
    assert not building.broken_claims(nbformat.read(source.with_suffix(".ipynb"), as_version=4))
