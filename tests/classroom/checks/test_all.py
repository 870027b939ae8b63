"""What holds for every exercise: right answers pass, each classic mistake gets its own hint, notebooks agree.

test_chNN.py beside this file holds what an exercise adds: `ALTERNATIVES`, exercise id -> other right functions, and `LIBRARY`,
exercise id -> a function that takes the arguments of its cases and computes the same with the course's library, or gives None for
arguments that the library has no function for.
"""

import ast
import importlib
import re
from pathlib import Path

import pytest
import torch

from diffusion_course.classroom.checks import CHECKS, TASKS, CheckFailed, check, examine
from diffusion_course.classroom.checks.data import Mutant
from diffusion_course.classroom.checks.engine import cases
from diffusion_course.classroom.checks.inputs import Draw
from diffusion_course.classroom.ids import chapter_of, function_of
from diffusion_course.classroom.wording import LEVELS, in_points

SEEDS = (0, 1, 2, 3, "another")
SOLUTIONS = Path(__file__).parents[3] / "solutions"
CHAPTERS = [
    importlib.import_module(path.stem) for path in sorted(Path(__file__).parent.glob("test_ch[0-9]*.py"))
]
ALTERNATIVES = {id: answers for chapter in CHAPTERS for id, answers in chapter.ALTERNATIVES.items()}
LIBRARY = {id: function for chapter in CHAPTERS for id, function in chapter.LIBRARY.items()}

every_check = pytest.mark.parametrize("exercise", CHECKS.values(), ids=list(CHECKS))


@every_check
def test_the_tests_know_the_exercise(exercise):
    for name, known in {"ALTERNATIVES": ALTERNATIVES, "LIBRARY": LIBRARY}.items():
        file = f"tests/classroom/checks/test_ch{chapter_of(exercise.id)}.py"
        assert known.get(exercise.id), f"{exercise.id} is missing in {name} of {file}"


def test_the_tests_know_no_other_exercise():
    assert set(ALTERNATIVES) | set(LIBRARY) <= set(CHECKS)


@every_check
def test_the_reference_passes_and_prints_one_line(exercise, capsys):
    for seed in SEEDS:
        check(exercise.id, exercise.reference, seed)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(SEEDS)
    assert len(set(lines)) == 1
    line = f"{exercise.id}: correct, {in_points(exercise.points)}"
    assert lines[0] == line or (exercise.score and lines[0].startswith(f"{line}: {exercise.scored} is "))


MUTANTS = [
    pytest.param(
        exercise, Mutant(mutant.hint, function), id=f"{exercise.id}-{i}" + (f"-{way}" if way else "")
    )
    for exercise in CHECKS.values()
    for i, mutant in enumerate(exercise.mutants)
    for way, function in enumerate((mutant.function, *mutant.others))
]


@pytest.mark.parametrize(("exercise", "mutant"), MUTANTS)
def test_a_mutant_is_rejected_with_the_hint_meant_for_it(exercise, mutant):
    with pytest.raises(CheckFailed) as caught:
        examine(exercise, mutant.function)  # test_generic.py asks other seeds
    assert str(caught.value).endswith(f"\nThis looks like {mutant.hint}")


@every_check
def test_a_check_is_well_formed(exercise):
    assert re.fullmatch(r"\d\d-[a-z0-9_]+", exercise.id)
    assert function_of(exercise.id) == exercise.reference.__name__
    assert exercise.points >= 1
    assert exercise.minutes >= 1
    assert exercise.level in LEVELS
    assert len(exercise.mutants) >= 3
    assert len({mutant.hint for mutant in exercise.mutants}) == len(exercise.mutants)
    assert set(exercise.grad) <= set(exercise.parameters)
    assert bool(exercise.score) == bool(exercise.marks) == bool(exercise.scored)
    assert exercise.where.endswith(".")
    assert all(mutant.hint.endswith((".", ".)")) for mutant in exercise.mutants)


@every_check
def test_another_right_formula_passes(exercise):
    for answer in ALTERNATIVES.get(exercise.id, ()):
        for seed in SEEDS:
            examine(exercise, answer, seed)


@every_check
def test_the_reference_agrees_with_the_library(exercise):
    compared = 0
    for args in cases(exercise, 0):
        if torch.float32 in {a.dtype for a in args if isinstance(a, torch.Tensor)}:
            continue
        found = LIBRARY[exercise.id](*args)
        if found is not None:  # the library cannot say it
            torch.testing.assert_close(exercise.right(*args), found, rtol=1e-8, atol=1e-10)
            compared += 1
    assert compared >= (1 if exercise.score else 3)  # of a design there is one case


def test_the_toy_model_tells_neighbouring_times_apart():
    d = Draw("00-any", 0, 0)
    model, x, t = d.eps_model(), d.x(), d.t()
    assert (model(x, t) - model(x, t + 1)).abs().mean() > 0.1


# ---- the notebooks use the checks


def chapters_written():
    return sorted(
        path
        for path in SOLUTIONS.glob("[0-9][0-9]_*.py")
        if any(chapter_of(id) == chapter_of(path.name) for id in CHECKS)
    )


@every_check
def test_the_formula_that_a_check_names_stands_there(exercise):
    (path,) = SOLUTIONS.glob(f"{chapter_of(exercise.id)}_*.py")
    told = re.match(
        r"(?P<what>[^:(]*)?(\((?P<eq>\d+)\) in )?section (?P<section>\d+) of this notebook( \(\"(?P<title>.*?)\"\))?: ",
        exercise.where,
    )
    assert told, exercise.where
    sections = re.split(r"^# ## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    section = next(text for text in sections if text.startswith(f"{told['section']}. "))
    if told["title"]:
        assert section.split("\n")[0] == f"{told['section']}. {told['title']}"
    if told["eq"]:
        assert f"\\tag{{{told['eq']}}}" in section
    else:
        algorithm = re.search(r"Algorithm \d", told["what"])
        assert (
            f"**{algorithm[0]}**" in section
            if algorithm
            else "$$" in section or exercise.id == "06-drop_labels"
        )


@pytest.mark.parametrize("path", chapters_written(), ids=lambda path: path.stem)
def test_a_chapter_and_its_checks_agree(path):
    chapter = pytest.importorskip("diffusion_course.classroom.chapters").read(path)
    wanted = [check for id, check in TASKS.items() if chapter_of(id) == chapter_of(path.name)]
    assert chapter.exercises == wanted
    sources = {cell.id: cell.source for cell in chapter.cells if cell.cell_type == "code"}
    for exercise in chapter.exercises:
        (function,) = ast.parse(sources[exercise.id]).body
        assert [argument.arg for argument in function.args.args] == exercise.parameters
    assert [line for source in sources.values() for line in source.split("\n")].count("check_all()") == 1
