"""Repairs and other versions: what is planted is refused in words that do not name the line, and an edition draws and grades them."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
import torch
from typer.testing import CliRunner

from diffusion_course import cli
from diffusion_course.classroom import blanks, build, chapters, handout, variants
from diffusion_course.classroom.checks import CHECKS, CheckFailed, examine
from diffusion_course.classroom.grading import assembly, finding, submissions
from diffusion_course.classroom.grading.reading import Cell
from diffusion_course.classroom.ids import chapter_of
from diffusion_course.errors import CourseError

SOLUTIONS = Path(__file__).parents[2] / "solutions"
REPAIRS = [id for id, check in CHECKS.items() if check.repair]
SEVERAL = [id for id, check in CHECKS.items() if check.variants]
VERSIONS = [(id, n) for id in SEVERAL for n in range(len(CHECKS[id].variants))]


@pytest.fixture(scope="module")
def sources():
    """Chapter's number -> the chapter, of those with versions."""
    numbers = {chapter_of(id) for id in SEVERAL}
    return {n: chapters.read(next(SOLUTIONS.glob(f"{n}_*.py"))) for n in numbers}


@pytest.fixture(scope="module")
def installed(sources, tmp_path_factory):
    """These chapters as an installed student edition."""
    root = tmp_path_factory.mktemp("course")
    (root / "notebooks").mkdir()
    for chapter in sources.values():
        build.write_student_edition(chapter, root)
    return root / "notebooks"


@pytest.fixture
def course(installed, monkeypatch):
    monkeypatch.setattr(handout, "folder", lambda: installed)
    cached = (handout.names, handout.read, handout.known)
    for function in cached:
        function.cache_clear()
    yield installed
    for function in cached:
        function.cache_clear()


def solved(sources, exercise):
    chapter = sources[chapter_of(exercise)]
    return next(cell.source for cell in chapter.cells if cell.id == exercise)


def defined(source, exercise):
    names = {"torch": torch}
    exec(source, names)
    return names[CHECKS[exercise].function]


# ---- a repair


@pytest.mark.parametrize(("exercise", "number"), [v for v in VERSIONS if v[0] in REPAIRS])
def test_what_is_handed_out_runs_is_wrong_and_is_told_by_what_is_seen(sources, exercise, number):
    check = CHECKS[exercise]
    source = blanks.planted(solved(sources, exercise), check, check.variants[number].edits)
    assert "SOLUTION" not in source
    assert "ended" not in source  # the comment that names the line
    ast.parse(source)
    for seed in (0, 1, "another"):
        with pytest.raises(CheckFailed) as caught:
            examine(check, defined(source, exercise), seed)
        assert caught.value.diagnosis in [mutant.hint for mutant in check.mutants]
    for right, wrong in check.variants[number].edits.items():
        assert right not in str(caught.value)
        assert wrong not in str(caught.value)
    examine(check, defined(variants.mend(source, check.variants[number].edits), exercise))


@pytest.mark.parametrize("exercise", REPAIRS)
def test_the_slips_of_a_repair_are_told_apart(sources, exercise):
    check, hints = CHECKS[exercise], set()
    for variant in check.variants:
        with pytest.raises(CheckFailed) as caught:
            examine(check, defined(blanks.planted(solved(sources, exercise), check, variant.edits), exercise))
        hints.add(caught.value.diagnosis)
    assert len(hints) == len(check.variants)


def test_a_slip_must_fit_once_and_come_back():
    assert variants.plant("a = b", {"b": "c"}) == "a = c"
    assert variants.mend("a = c", {"b": "c"}) == "a = b"
    for code in ("a = d", "b = b"):
        with pytest.raises(CourseError, match="must stand in the code once"):
            variants.plant(code, {"b": "c"})
    cell = "# EXERCISE\ndef f(x):\n    ### BEGIN SOLUTION\n    # the line\n    ### END SOLUTION\n    c = b"
    with pytest.raises(CourseError, match=r"must stand in the code once"):
        blanks.planted(cell, CHECKS[REPAIRS[0]], {"b": "c"})


# ---- an edition


def released(tmp_path, *options):
    result = CliRunner().invoke(cli.app, ["release", "--out", str(tmp_path / "out"), *options])
    assert result.exit_code == 0, result.output
    return handout.edition(tmp_path / "out")


def exercises(notebooks):
    return {e: x for notebook in notebooks.values() for e, x in handout.exercises(notebook).items()}


def test_a_seed_draws_versions_that_are_not_the_courses_own(course, tmp_path):
    own = exercises(handout.edition(course))
    seen = {e: set() for e in SEVERAL}
    for seed in ("spring", "autumn", *map(str, range(20))):
        drawn = variants.draw(seed, own)
        assert set(drawn) == set(SEVERAL)
        assert drawn == variants.draw(seed, own)
        for e, number in drawn.items():
            assert 0 < number < len(CHECKS[e].variants)
            seen[e].add(number)
    assert all(len(numbers) > 1 or len(CHECKS[e].variants) == 2 for e, numbers in seen.items())
    assert variants.draw("", own) == {}


@pytest.mark.parametrize("seed", ["spring", "autumn"])
def test_a_release_has_the_version_everywhere_and_grading_knows_it(course, tmp_path, seed):
    drawn = variants.draw(seed, exercises(handout.edition(course)))
    notebooks = released(tmp_path, "--variant", seed)
    for e, x in exercises(notebooks).items():
        check = CHECKS[e].under(**x.terms)
        if e not in drawn:
            assert x == exercises(handout.edition(course))[e]
        elif check.repair:
            with pytest.raises(CheckFailed):
                examine(check, defined(x.blank, e))
            assert x.blank != exercises(handout.edition(course))[e].blank
            assert x.variant == 0  # only the code differs
        else:
            assert x.variant == drawn[e]
            notebook = notebooks[chapter_of(e)]
            text = "\n".join(cell.source for cell in notebook.cells)
            before = "\n".join(cell.source for cell in handout.read(chapter_of(e)).cells)
            for old, new in CHECKS[e].variants[drawn[e]].edits.items():
                assert (old in before) == (new in text)  # not what stands in the solution alone
                assert old not in text
            assert not check.marks or f"{check.marks[-1][1]:g}" in text
            call = next(c.source for c in notebook.cells if re.search(rf'^check\("{e}"', c.source, re.M))
            names = {check.function: check.reference}
            exec(f"from diffusion_course.classroom import check\n{call}", names)
            cells = [
                Cell("code", f"# EXERCISE {e} (keep this line)\ndef {check.function}(*args):\n    return 1")
            ]
            plan = assembly.plan(notebook, cells, finding.find(cells, notebook))
            assert CHECKS[e].under(**plan.terms(e)) == check


def test_the_rest_of_a_chapter_gives_a_varied_function_what_its_version_takes(course, tmp_path):
    notebook = variants.vary(handout.read("06"), {"06-cfg": 1})
    before, after = ("\n".join(c.source for c in n.cells) for n in (handout.read("06"), notebook))
    assert "cfg(exact_model, x, sigma, y, w, 3)" in before
    assert "cfg(exact_model, x, sigma, y, w - 1, 3)" in after
    calls = [len(re.findall(r"[^.\w]cfg\(\w+, x, ", text)) for text in (before, after)]
    assert (
        calls[0] == calls[1] == len(re.findall(r"[^.\w]cfg\(\w+, x, .*? - 1, \d+\)", after)) + 1
    )  # and its definition


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("y = f(a, w) + 1", "y = f(a, w - 1) + 1"),
        ("f(f(a, 1), 2.0)", "f(f(a, 1 - 1), 2.0 - 1)"),
        ("f(a, b=u + v)", "f(a, b=(u + v) - 1)"),
        ("ε = f('é', w)", "ε = f('é', w - 1)"),
        ("g(a, w); x.f(a, w); f(a)", "g(a, w); x.f(a, w); f(a)"),
        ("%pip install f(a, w)", "%pip install f(a, w)"),
    ],
)
def test_one_argument_of_every_call_is_changed(before, after):
    assert variants.given(before, "f", 1, "b", "{} - 1") == after


def test_an_untouched_repair_is_not_written_and_a_changed_one_is(course):
    notebook = handout.read(chapter_of(REPAIRS[0]))
    cells = [Cell("code", c.source) for c in notebook.cells if c.cell_type == "code"]
    assert not finding.find(cells, notebook).answers[REPAIRS[0]].definers
    place = next(n for n, cell in enumerate(cells) if REPAIRS[0] in cell.source)
    cells[place] = Cell("code", cells[place].source + "  # looked at")
    assert finding.find(cells, notebook).answers[REPAIRS[0]].definers == (place,)


@pytest.mark.parametrize("seed", ["spring", "autumn"])
def test_a_release_that_comes_back_as_it_was_is_not_touched(course, tmp_path, seed):
    number = chapter_of(REPAIRS[0])
    edition = released(tmp_path, "--variant", seed)
    place = tmp_path / "in" / "ann"
    place.mkdir(parents=True)
    name = next(course.glob(f"{number}_*")).name
    nbformat.write(edition[number], place / name)
    for handed in (edition, {}):  # graded with `--release`, and without
        (one,) = submissions.find(tmp_path / "in", edition=handed).submissions
        assert one.touched == (handed == {})
    cell = next(c for c in edition[number].cells if c.id == REPAIRS[0])
    cell.source += "  # looked at"
    nbformat.write(edition[number], place / name)
    (one,) = submissions.find(tmp_path / "in", edition=released(tmp_path, "--variant", seed)).submissions
    assert one.touched


def test_nbgrader_does_not_clear_a_repair(course, tmp_path):
    cell = next(c for c in released(tmp_path)[chapter_of(REPAIRS[0])].cells if c.id == REPAIRS[0])
    assert (cell.metadata.nbgrader.solution, cell.metadata.nbgrader.locked) == (False, False)


# ---- marks of an edition


def test_points_of_a_file_scale_the_marks_or_set_them(course, tmp_path):
    design = "04-even_betas"
    for text, marks, call in (
        ("4", ((1, 1.5), (2, 0.75), (4, 0.36)), ", points=4)"),
        ("{1: 2.0, 5: 0.5}", ((1, 2.0), (5, 0.5)), ", points=5, marks=((1, 2.0), (5, 0.5)))"),
    ):
        (tmp_path / "points.yaml").write_text(f"{design}: {text}\n", encoding="utf-8")
        notebook = released(tmp_path, "--points", str(tmp_path / "points.yaml"))["04"]
        exercise = handout.exercises(notebook)[design]
        assert (exercise.points, exercise.marks) == (marks[-1][0], marks)
        source = "\n".join(cell.source for cell in notebook.cells)
        assert f'check("{design}", even_betas{call}' in source
        assert f"The marks are {marks[0][0]} point for {marks[0][1]:g}, " in source
        nbformat.validate(notebook)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("01-snr: {1: 2}", "--points: 01-snr has no score"),
        ("04-even_betas: {}", "--points: 04-even_betas: got None"),
        ("04-even_betas: {0: 2}", "--points: 04-even_betas: got 0"),
        ("04-even_betas: {1: x}", "--points: 04-even_betas: got the score 'x' for 1"),
        ("04-even_betas: {1: 1, 2: 2}", "more points want a lower score"),
    ],
)
def test_marks_that_are_none_end_in_one_line_and_nothing_is_written(course, tmp_path, text, why):
    (tmp_path / "points.yaml").write_text(text + "\n", encoding="utf-8")
    words = ["release", "--out", str(tmp_path / "out"), "--points", str(tmp_path / "points.yaml")]
    result = CliRunner().invoke(cli.app, words)
    assert result.exit_code == 2
    assert why in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
