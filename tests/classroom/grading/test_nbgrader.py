"""nbgrader takes our notebooks: its own validator, and its own `generate_assignment`, read what `release` writes."""

import re
import sqlite3
import sys

import nbformat
import pytest

from diffusion_course.classroom import handout
from diffusion_course.classroom.release import release
from diffusion_course.errors import CourseError

nbgraderformat = pytest.importorskip("nbgrader.nbgraderformat")

POINTS = {e: x.points for e, x in handout.exercises(handout.read("01")).items() if e != "01-snr"} | {
    "01-diffuse": 5
}
EVERY = ["grade", "grade_id", "locked", "schema_version", "solution", "task"]


def repairs(notebook):
    """The exercises whose code is handed out: nbgrader must not empty their cells."""
    return {c.id for c in notebook.cells if c.metadata.get("course", {}).get("repair")}


SOLVED = POINTS.keys() - repairs(handout.read("01"))


def marks(notebook):
    return {
        c.metadata.nbgrader.grade_id: c.metadata.nbgrader for c in notebook.cells if "nbgrader" in c.metadata
    }


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course folder with the source of chapters 00 and 01; one exercise has other points, one is given."""
    folder = tmp_path_factory.mktemp("nbgrader")
    (folder / "points.yaml").write_text("01-diffuse: 5\n")
    release(["0", "1"], folder / "points.yaml", ["01-snr"], folder / "course", nbgrader=True)
    return folder / "course"


def test_every_released_notebook_is_valid_by_nbgraders_validator(tmp_path):
    release(None, None, ["03-ddpm_step"], tmp_path)
    for path in tmp_path.glob("*.ipynb"):
        notebook = nbgraderformat.reads(
            path.read_text(encoding="utf-8"), as_version=4
        )  # raises where it is not
        found, exercises = marks(notebook), handout.exercises(notebook)
        assert found["setup"].locked
        assert {e for e, mark in found.items() if mark.solution} == set(exercises) - repairs(notebook)
        points = {e: mark.points for e, mark in found.items() if mark.grade}
        by_hand = {e.id for e in exercises.values() if e.rubric}  # the answer itself is marked
        assert points == {e.id + "-check" * (e.id not in by_hand): e.points for e in exercises.values()}
        assert all(mark.locked for e, mark in found.items() if e.endswith(("-check", "-given")))
        assert all(
            mark.schema_version == nbgraderformat.SCHEMA_VERSION and set(mark) >= set(EVERY)
            for mark in found.values()
        )
    assert found  # there was a notebook


def test_the_validator_would_have_said_no(tmp_path):
    release(["3"], None, [], tmp_path)
    notebook = nbformat.read(tmp_path / "03_epsilon_loss.ipynb", 4)
    del marks(notebook)["03-eps_loss-check"]["points"]
    with pytest.raises(nbgraderformat.ValidationError, match="does not have points"):
        nbgraderformat.reads(nbformat.writes(notebook), as_version=4)


def test_the_source_is_the_edition_with_the_solutions_in_it(course, tmp_path):
    assert sorted(p.relative_to(course).as_posix() for p in course.rglob("*.ipynb")) == [
        "source/00_start_here/00_start_here.ipynb",
        "source/01_forward_process/01_forward_process.ipynb",
    ]
    release(["0", "1"], course.parent / "points.yaml", ["01-snr"], tmp_path / "students")
    source = nbgraderformat.reads(
        (course / "source/01_forward_process/01_forward_process.ipynb").read_text(encoding="utf-8"),
        as_version=4,
    )
    students = nbformat.read(tmp_path / "students" / "01_forward_process.ipynb", 4)
    assert [cell.id for cell in source.cells] == [cell.id for cell in students.cells]
    for cell, other in zip(source.cells, students.cells, strict=True):
        if cell.id in SOLVED:
            lines = cell.source.split("\n")
            assert [line.strip() for line in lines if "SOLUTION" in line] == [
                "### BEGIN SOLUTION",
                "### END SOLUTION",
            ]
            assert lines[0] == other.source.split("\n")[0]
            cell.source = other.source
        assert cell == other


def test_generate_assignment_takes_it(course, tmp_path, run_python):
    # nbgrader calls a program `alembic`, which need not be on the PATH of the Python that runs this.
    alembic = tmp_path / "alembic"
    alembic.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m alembic.config "$@"\n')
    alembic.chmod(0o755)
    done = run_python(
        *("-m", "nbgrader", "generate_assignment", "01_forward_process", "--course-dir", course),
        cwd=course,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "JUPYTER_CONFIG_DIR": str(tmp_path), "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr

    path = course / "release" / "01_forward_process" / "01_forward_process.ipynb"
    notebook = nbgraderformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    source = nbformat.read(course / "source" / "01_forward_process" / "01_forward_process.ipynb", 4)
    answers = {cell.id: cell.source for cell in source.cells if cell.id in SOLVED}
    for cell in notebook.cells:
        assert "SOLUTION" not in cell.source
        if (answer := answers.get(cell.metadata.get("nbgrader", {}).get("grade_id"))) is not None:
            solution = re.search(r"### BEGIN SOLUTION\n(.*?)\n +### END", answer, re.S)[1]
            assert all(line.strip() not in cell.source for line in solution.split("\n"))
            assert cell.source.endswith("    # YOUR CODE HERE\n    raise NotImplementedError()")
            assert handout.MARK.match(cell.source)
    with sqlite3.connect(course / "gradebook.db") as book:
        query = "select name, max_score from grade_cells join base_cell on grade_cells.id = base_cell.id"
        assert dict(book.execute(query)) == {
            f"{exercise}-check": points for exercise, points in POINTS.items()
        }

    # The folder is nbgrader's now: it holds a gradebook, and no release may take its place.
    with pytest.raises(CourseError, match=r"holds gradebook.db, which is not of an earlier release"):
        release(["1"], None, [], course, nbgrader=True)


def test_the_stub_that_nbgrader_writes_is_not_done():
    from diffusion_course.classroom import NotDone, check

    def diffuse(x0, t, eps, alpha_bar):
        # YOUR CODE HERE
        raise NotImplementedError()

    with pytest.raises(NotDone):
        check("01-diffuse", diffuse)


def test_without_the_solutions_there_is_no_source_assignment(tmp_path, monkeypatch):
    monkeypatch.setattr(handout, "PACKAGE", tmp_path / "site-packages" / "diffusion_course")
    with pytest.raises(CourseError, match="it needs the solutions, so run it from a checkout"):
        release(["1"], None, [], tmp_path / "out", nbgrader=True)
    assert not (tmp_path / "out").exists()
