"""The notebook that is run holds the answers, what they stand on, and four cells an exercise; nothing of a student's is obeyed."""

import nbformat
import pytest
from planted import CHAPTERS, solutions

from diffusion_course.classroom import handout
from diffusion_course.classroom.checks import CHECKS
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
        expected = {"answer": "", "canary": "refused\n"}.get(
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


def test_the_canary_differs_between_students():
    """Whoever learns one canary does not know the next student's."""
    canaries = {
        assembly.assemble(handout.read("01"), {"01-snr": "def snr(a): ..."}, f"student {n}", "s")[
            -1
        ].source.split("seed")[0]
        for n in range(60)
    }
    assert len(canaries) == len(CHECKS["01-snr"].mutants)


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
