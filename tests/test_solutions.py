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
from diffusion_course.errors import CourseError

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "solutions").glob("*.py"))
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
    done = run_python("-m", "pytest", *own, *nbval, "-q", notebook, timeout=1800)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert " passed" in done.stdout


@pytest.mark.notebook
@each_chapter
def test_student_edition_stops_at_the_first_exercise_with_one_friendly_line(source):
    chapter = chapters.read(source)
    if not chapter.exercises:
        pytest.skip("no exercises")
    notebook = editions.edition(chapter, "notebooks")
    first = chapter.exercises[0].id
    check = next(n for n, cell in enumerate(notebook.cells) if f'check("{first}"' in cell.source)
    notebook.cells = notebook.cells[: check + 1]
    with pytest.raises(CourseError) as caught:
        execute(notebook, chapter.name, source.parent, CELL_TIMEOUT)
    assert str(caught.value).startswith(chapters.place(chapter.name, check, notebook.cells[check]))
    assert "NotDone: " in str(caught.value)
    assert "\n" not in str(caught.value)
    error = next(output for output in notebook.cells[check].outputs if output.output_type == "error")
    assert len(error.traceback) == 1, "a traceback of ours is shown to the student"


@each_chapter
def test_solution_holds_nothing_of_the_machine_it_was_run_on(source):
    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            text = output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))
            for trace in (str(ROOT), str(Path.home()), "site-packages", " at 0x"):
                assert trace not in text, chapters.place(source.stem, number, cell)
