"""The list that runs: the student's cells, what of the chapter they stand on, and verdicts where their functions can be called."""

import json

import nbformat
import pytest
from planted import ALPHA_BAR, CHAPTERS, DIFFUSE, RIGHT, SNR, notebook, solutions
from untidy import around

from diffusion_course.classroom import handout
from diffusion_course.classroom.grading import assembly, finding, reading
from diffusion_course.classroom.grading.reading import Cell


def planned(made, number="01"):
    cells, _ = reading.cells(json.dumps(made).encode())
    pristine = handout.read(number)
    return assembly.plan(pristine, cells, finding.find(cells, pristine))


def order(plan):
    """The steps in short: what is the student's as its first word, a verdict as the exercise."""
    return [s.exercise or (s.source if s.part == "chapter" else s.source.split("\n")[-1]) for s in plan.steps]


@pytest.mark.parametrize("number", CHAPTERS)
def test_the_answers_find_every_name_they_use(number):
    """Of the solutions: figures and trainings are left out, and nothing is unknown."""
    answers = solutions(number)
    made = json.loads(nbformat.writes(handout.read(number)))
    for cell in made["cells"]:
        cell["source"] = answers.get(cell["metadata"].get("course", {}).get("id"), cell["source"])
    plan = planned(made, number)
    exercises = handout.exercises(handout.read(number))
    judged = [e for e, exercise in exercises.items() if not exercise.rubric]  # the others a person reads
    assert [s.exercise for s in plan.steps if s.part == "verdict"] == judged
    assert all(not names for names in plan.unknown.values())
    lead = [s.source for s in plan.steps if s.part == "chapter"]
    assert len(lead) < 20
    assert "matplotlib" not in "".join(lead)


def test_a_verdict_stands_where_all_is_defined():
    made = around(
        SNR, ["def above(): ..."], ["def below(): ..."], snr="def snr(a):\n    return below(above(a))"
    )
    steps = order(planned(made))
    assert steps.index("def above(): ...") < steps.index("def below(): ...") < steps.index(SNR)
    assert steps.index(DIFFUSE) < steps.index("def above(): ...")


def test_what_only_comes_later_in_the_chapter_is_waited_for():
    steps = order(planned(notebook(diffuse="def diffuse(x, t, e, a):\n    return kl_to_noise(x, t, a)")))
    assert steps.index(DIFFUSE) > next(i for i, s in enumerate(steps) if s.startswith("def kl_to_noise"))


def test_a_statement_stands_where_the_chapter_has_it():
    steps = order(planned(notebook(diffuse=f"{RIGHT[DIFFUSE]}\nprint(alpha_bar)")))
    own = "    return torch.cumprod(1 - betas, dim=0)"
    assert (
        steps.index(own)
        < steps.index("alpha_bar = alpha_bar_from_betas(betas)")
        < steps.index("print(alpha_bar)")
    )


def test_a_cell_of_the_chapter_that_was_changed_comes_after_its_original():
    made = notebook(snr="def snr(a):\n    return T")
    cell = next(c for c in made["cells"] if "".join(c["source"]).startswith("T = 1000"))
    cell["source"] = "T = 7"
    steps = order(planned(made))
    assert steps.index("T = 1000") < steps.index("T = 7") < steps.index(SNR)


def test_a_loop_that_fills_a_list_comes_with_the_list():
    steps = order(planned(notebook(snr=f"{RIGHT[SNR]}\nprint(factor)")))
    assert any(s.startswith("for alpha_t, beta_t in zip(alphas, betas") for s in steps)
    assert not any("source = dc.Noise(3" in s for s in steps)  # another cell's


def test_scratch_cells_run_and_bring_nothing_of_the_chapter():
    plan = planned(around(SNR, ["print(digits)"]))
    (scratch,) = [s for s in plan.steps if s.source == "print(digits)"]
    assert not scratch.needed
    assert not any(s.source.startswith("digits =") for s in plan.steps)


def test_answers_alone_without_the_chapters_cells_run_too():
    made = notebook()
    made["cells"] = [c for c in made["cells"] if c["metadata"].get("course", {}).get("id")]
    assert order(planned(made))[:2] == ["import torch", "from diffusion_course.classroom import check"]
    for cell in made["cells"]:
        cell["metadata"] = {}
        cell["source"] = cell["source"].split("\n", 1)[1]
    steps = order(planned(made))
    assert steps.index("import torch") < steps.index(ALPHA_BAR)


def test_what_nobody_defines_is_known():
    plan = planned(notebook(snr="def snr(a):\n    return my_ratio(a)"))
    assert plan.unknown == {ALPHA_BAR: frozenset(), DIFFUSE: frozenset(), SNR: frozenset(["my_ratio"])}


def test_only_what_an_exercise_stands_on_is_looked_at():
    plan = planned(
        around(SNR, ["import os\ndef ratio(a): ...", "import sys"], snr="def snr(a):\n    return ratio(a)")
    )
    assert "import os" in "".join(plan.sources(SNR))
    assert "import sys" not in "".join(plan.sources(SNR))
    assert "import os" not in "".join(plan.sources(DIFFUSE))


def test_the_chapters_own_part_is_told_from_what_depends_on_a_student():
    plan = planned(notebook(snr=f"{RIGHT[SNR]}\nprint(alpha_bar)"))
    pure = {s.source: s.pure for s in plan.steps if s.part == "chapter"}
    assert pure["import torch"]
    assert pure["T = 1000"]
    assert not pure["alpha_bar = alpha_bar_from_betas(betas)"]


def test_nothing_runs_where_nothing_was_written():
    cells = [Cell("code", c.source) for c in handout.read("01").cells]
    assert assembly.plan(handout.read("01"), cells, finding.find(cells, handout.read("01"))).steps == ()


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
