"""The notebook that is run holds the answers, what they stand on, and four cells an exercise; nothing of a student's is obeyed."""

import contextlib
import io

import nbformat
import pytest
import torch
from planted import CHAPTERS, solutions

from diffusion_course.classroom import handout
from diffusion_course.classroom.checks import CHECKS, check
from diffusion_course.classroom.grading import assembly


@pytest.mark.parametrize("number", CHAPTERS)
def test_an_exercise_is_answer_public_hidden_canary_in_the_chapters_order(number):
    answers = dict(reversed(solutions(number).items()))
    cells = [c for c in assembly.assemble(handout.read(number), answers, "ann", "s") if c.part != "prelude"]
    parts = ("answer", "public", "hidden", "canary")
    assert [(c.exercise, c.part) for c in cells] == [
        (e, p) for e in handout.exercises(handout.read(number)) for p in parts
    ]
    for cell in cells:
        points = CHECKS[cell.exercise].points
        expected = {"answer": "", "canary": f"refused {len(CHECKS[cell.exercise].mutants)}\n"}.get(
            cell.part, f"{cell.exercise}: correct, {points} points\n"
        )
        assert cell.expected == expected


@pytest.mark.parametrize("number", CHAPTERS)
def test_the_answers_find_every_name_they_use(number):
    """Run in plain Python: the prelude and the answers define all that they read, and figures and trainings are left out."""
    answers = solutions(number)
    cells = assembly.assemble(handout.read(number), answers, "ann", "s")
    prelude = [c.source for c in cells if c.part == "prelude"]
    names = {}
    for source in [*prelude, *answers.values()]:
        exec(source, names)
    for exercise in answers:
        CHECKS[exercise].parameters  # noqa: B018
        assert callable(names[exercise[3:]])
    assert callable(names["check"])
    assert "matplotlib" not in "".join(prelude)
    assert prelude[0].count("\n") < 20


def test_an_exercise_that_is_left_out_has_no_cells():
    cells = assembly.assemble(handout.read("01"), {"01-snr": "def snr(a): ..."}, "ann", "s")
    assert {c.exercise for c in cells} == {"", "01-snr"}


def test_markers_that_nbval_obeys_are_taken_out_and_nothing_else():
    answer = "# NBVAL_SKIP\n  #NBVAL_IGNORE_OUTPUT\n## PYTEST_VALIDATE_IGNORE_OUTPUT \nx = '# NBVAL_SKIP'  # NBVAL_ too\n"
    assert assembly.clean(answer) == "x = '# NBVAL_SKIP'  # NBVAL_ too\n"


def test_seeds_differ_by_student_exercise_and_secret_and_stay():
    seeds = {
        assembly.secret_seed(secret, student, exercise)
        for secret in ("s", "t")
        for student in ("ann", "bob")
        for exercise in ("01-snr", "01-diffuse")
    }
    assert len(seeds) == 8
    assert assembly.secret_seed("s", "ann", "01-snr") in seeds


def canary(student, exercise):
    """What the canary cell prints, by itself in this process, and what it is expected to print."""
    cells = assembly.assemble(handout.read(exercise[:2]), {exercise: "..."}, student, "s")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(cells[-1].source, {"check": check})
    return said.getvalue(), cells[-1].expected


@pytest.mark.parametrize("exercise", CHECKS)
@pytest.mark.parametrize("student", ["ann", "bob", "carol"])
def test_a_sound_checker_refuses_every_canary(student, exercise):
    said, expected = canary(student, exercise)
    assert said == expected


@pytest.mark.parametrize("student", [f"student {n}" for n in range(10)])
@pytest.mark.parametrize("exercise", ["01-alpha_bar_from_betas", "01-diffuse", "01-snr"])
def test_a_checker_that_compares_no_longer_shows_for_every_student(student, exercise, monkeypatch):
    monkeypatch.setattr(torch, "isclose", lambda a, *_, **__: torch.ones_like(a, dtype=torch.bool))
    said, expected = canary(student, exercise)
    assert said != expected


def chapter(*sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.v4.new_notebook(cells=cells)


def test_lines_are_taken_one_by_one():
    made = chapter(
        "import math, os\nimport torch.nn as nn", "a = 1\nb = math.pi\nprint(b)", "def f():\n    return a"
    )
    assert assembly.prelude(made, {"f"}) == ["a = 1", "def f():\n    return a"]
    assert assembly.prelude(made, {"b"}) == ["import math", "b = math.pi"]
    assert assembly.prelude(made, {"nn"}) == ["import torch.nn as nn"]
    assert assembly.prelude(made, set()) == []


def test_a_name_of_the_students_own_brings_nothing_of_the_chapter():
    made = chapter("n = train_for_an_hour()", "def helper(): ...")
    assert assembly.named(["for n in range(3):\n    x = n + helper()"]) == {"range", "helper"}
    assert assembly.prelude(made, {"range", "helper"}) == ["def helper(): ..."]


def test_the_setup_cell_is_used_where_an_answer_needs_it_and_installs_nothing():
    prelude = assembly.prelude(handout.read("01"), {"course"})
    assert prelude == ["from diffusion_course.notebook import setup", "course = setup()"]
