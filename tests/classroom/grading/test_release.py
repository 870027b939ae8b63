"""Editions of the course: what changes, that nothing else does, that no stale count is left, and that nothing of others is lost."""

import ast
import re
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from diffusion_course import cli
from diffusion_course.classroom import handout
from diffusion_course.classroom.adapt import adapt, worth
from diffusion_course.classroom.checks import CHECKS
from diffusion_course.classroom.ids import chapter_of, function_of
from diffusion_course.classroom.release import release
from diffusion_course.classroom.wording import NUMBERS
from diffusion_course.errors import CourseError

NAMES = handout.names()
WITH_EXERCISES = [name for name in NAMES if handout.exercises(handout.read(chapter_of(name)))]


def points_file(folder, text):
    path = folder / "points.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def made(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def text_of(notebook, kind):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == kind)


def edited(name, points=None, hide=()):
    notebook = handout.read(chapter_of(name))
    return adapt(notebook, worth(notebook, points or {}, hide))


@pytest.fixture
def edition(tmp_path):
    """Release with one number changed and one exercise given; returns the notebooks by name."""
    points = points_file(tmp_path, "01-diffuse: 1\n03-eps_loss: 12\n")
    release(["1", "03_epsilon_loss", "0"], points, ["03-ddpm_step", "01-snr"], tmp_path / "out")
    return {path.stem: nbformat.read(path, 4) for path in (tmp_path / "out").glob("*.ipynb")}


# ---- what is not changed stays


def test_without_changes_the_notebooks_are_the_installed_ones_to_the_byte(tmp_path, capsys):
    release(None, None, [], tmp_path / "out")
    assert sorted(path.stem for path in (tmp_path / "out").glob("*.ipynb")) == list(NAMES)
    for name in NAMES:
        notebook = nbformat.read(tmp_path / "out" / f"{name}.ipynb", 4)
        for cell in notebook.cells:
            cell.metadata.pop("nbgrader", None)
        assert nbformat.writes(notebook) + "\n" == (handout.folder() / f"{name}.ipynb").read_text(
            encoding="utf-8"
        )
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == list(NAMES)
    third = [check for name, check in CHECKS.items() if name.startswith("03")]
    assert f"03_epsilon_loss: {len(third)} exercises, {sum(c.points for c in third)} points" in lines


def test_a_chapter_that_is_not_touched_stays_as_it_is(tmp_path):
    release(["2", "3"], None, ["03-ddpm_step"], tmp_path / "out")
    found = nbformat.read(tmp_path / "out" / "02_elbo.ipynb", 4)
    for cell in found.cells:
        cell.metadata.pop("nbgrader", None)
    assert found == handout.read("02")


def test_cells_that_do_not_change_keep_their_ids_and_their_text(edition):
    for name, notebook in edition.items():
        nbformat.validate(notebook)
        assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
        before = {cell.id: cell for cell in handout.read(chapter_of(name)).cells}
        changed = [
            cell.id
            for cell in notebook.cells
            if cell.id not in before or cell.source != before[cell.id].source
        ]
        # title, introduction, headings (those below what is hidden have other numbers), check cell, given cell, total
        assert len(changed) <= {"00": 0, "01": 7, "03": 8}[chapter_of(name)]


def test_two_runs_give_the_same_bytes_and_the_second_replaces_the_first(tmp_path):
    points = points_file(tmp_path, "03-eps_loss: 12")
    for out in ("a", "b", "b"):
        release(None, points, ["01-snr"], tmp_path / out)
    assert made(tmp_path / "a") == made(tmp_path / "b")


# ---- points


def test_new_points_are_everywhere(edition):
    notebook = edition["03_epsilon_loss"]
    left = handout.exercises(notebook).values()
    wanted = worth(handout.read("03"), {}, ["03-ddpm_step"]) | {"03-eps_loss": 12}
    assert {e.id: e.points for e in left} == wanted
    markdown, code = text_of(notebook, "markdown"), text_of(notebook, "code")
    assert "### Exercise 2: `eps_loss` (12 points, about 10 minutes, medium)" in markdown
    assert "### Exercise 1: `x0_from_eps` (2 points, about 5 minutes, easy)" in markdown
    assert re.search(
        rf"{sum(e.minutes for e in left)} minutes for \w+ exercises \({sum(wanted.values())} points\)",
        markdown,
    )
    assert 'check("03-eps_loss", eps_loss, points=12)' in code
    assert 'check("03-x0_from_eps", x0_from_eps)' in code
    total = next(cell.source for cell in notebook.cells if "check_all({" in cell.source)
    call = ast.parse(total).body[0].value
    assert ast.literal_eval(call.args[0]) == wanted
    assert re.search(r"check_all\(\)", code) is None


def test_one_point_is_singular_and_exercises_are_counted(edition):
    markdown = text_of(edition["01_forward_process"], "markdown")
    left = handout.exercises(edition["01_forward_process"])
    assert re.search(r"### Exercise \d: `diffuse` \(1 point, about 10 minutes, medium\)", markdown)
    count = f"{NUMBERS[len(left)]} exercises ({sum(e.points for e in left.values())} points)"
    assert count in markdown


def test_a_chapter_with_changes_has_no_link_to_the_notebook_without_them(edition):
    linked = {
        name for name, notebook in edition.items() if "[Open in Colab]" in text_of(notebook, "markdown")
    }
    assert linked == {"00_start_here"}


@pytest.mark.parametrize("name", WITH_EXERCISES)
def test_no_chapter_keeps_a_stale_count(name):
    """Every number of points in the text of a chapter about its exercises is a new one."""
    old = worth(handout.read(chapter_of(name)), {}, ())
    points = {exercise: 50 + number for number, exercise in enumerate(old)}
    markdown = text_of(edited(name, points), "markdown")
    told = [
        int(number)
        for paragraph in markdown.split("\n\n")
        if "exercise" in paragraph.lower()
        for number in re.findall(r"\b(\d+) points?\b", paragraph)
    ]
    assert set(told) - {sum(points.values())} == set(points.values())
    assert re.findall(r"^### Exercise \d: `(\w+)` \(", markdown, re.M) == [function_of(e) for e in old]
    assert "{{" not in re.sub(r"\$.*?\$", "", markdown, flags=re.S)


def test_what_is_hidden_keeps_its_number_and_the_others_theirs():
    """A text may speak of "exercise 2"."""
    markdown = text_of(edited("01_forward_process", hide=["01-alpha_bar_from_betas"]), "markdown")
    numbered = enumerate(map(function_of, handout.exercises(handout.read("01"))), 1)
    left = [(str(n), name) for n, name in numbered if name != "alpha_bar_from_betas"]
    assert re.findall(r"^### Exercise (\d+): `(\w+)`", markdown, re.M) == left


def test_a_notebook_that_lost_what_an_exercise_is_worth_is_refused_in_one_line():
    for course in ({"id": "03-eps_loss"}, {"id": "03-eps_loss", "points": "3", "minutes": 1, "level": 1}):
        notebook = deepcopy(handout.read("03"))
        next(cell for cell in notebook.cells if cell.id == "03-eps_loss").metadata.course = course
        with pytest.raises(CourseError, match="03-eps_loss: its cell's metadata must say points"):
            worth(notebook, {}, ())


# ---- what is given


def test_a_hidden_exercise_is_given(edition):
    notebook = edition["03_epsilon_loss"]
    given = next(cell for cell in notebook.cells if cell.id == "03-ddpm_step-given")
    assert not handout.MARK.match(given.source)
    assert "course" not in given.metadata
    assert "exercise" not in given.metadata.get("tags", [])
    assert 'check("03-ddpm_step"' not in text_of(notebook, "code")
    markdown = text_of(notebook, "markdown")
    assert re.search(r"^### Given here: `ddpm_step`$", markdown, re.M)
    assert "Write one step of Algorithm 2" in markdown
    assert not re.search(r"`ddpm_step` \(.*minutes", markdown)


@pytest.mark.parametrize("name", WITH_EXERCISES)
def test_a_given_function_is_right_and_takes_what_the_exercise_takes(name):
    """With its defaults: a chapter may call `karras_sigmas(10)`."""
    from diffusion_course.classroom.checks import OPEN, examine, open_tasks

    exercises = handout.exercises(handout.read(chapter_of(name)))
    notebook = edited(name, hide=exercises)
    assert handout.exercises(notebook) == {}
    for exercise, blank in exercises.items():
        cell = next(cell for cell in notebook.cells if cell.id == f"{exercise}-given")
        names = {}
        exec(cell.source, names)
        given = names[function_of(exercise)]
        if exercise in OPEN:  # what stands there tells what is asked for
            open_tasks.examine(OPEN[exercise], given)
        else:
            examine(CHECKS[exercise], given)
        wanted, found = (
            next(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef))
            for source in (blank.blank, cell.source)
        )
        assert ast.dump(found.args) == ast.dump(wanted.args)
        assert ast.get_docstring(found) == ast.get_docstring(wanted)
    assert "check_all({})" in text_of(notebook, "code")
    assert not re.search(r"exercises? \([1-9]", text_of(notebook, "markdown"))


@pytest.mark.notebook
def test_a_chapter_whose_exercises_are_all_given_runs_and_gives_the_outputs_of_the_solution():
    from diffusion_course.classroom.execution import execute

    name = "01_forward_process"
    solutions = handout.PACKAGE.parent / "solutions"
    solved = {cell.id: cell for cell in nbformat.read(solutions / f"{name}.ipynb", 4).cells}
    notebook = edited(name, hide=handout.exercises(handout.read("01")))
    execute(notebook, name, solutions, 300)

    def printed(cell):
        return "".join(output.text for output in cell.outputs if output.output_type == "stream")

    same = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.id in solved and cell.id != "setup"
    ]
    assert printed(same[-1]) == "In this edition the chapter has no exercise.\n"
    for cell in same[:-1]:
        if "nbval-ignore-output" not in cell.metadata.get("tags", []):
            assert printed(cell) == printed(solved[cell.id])


# ---- what is refused: one line, and nothing is written


@pytest.mark.parametrize(
    ("points", "hide", "words", "told"),
    [
        ("01-difuse: 5", [], [], "unknown exercise in --points '01-difuse': did you mean '01-diffuse'"),
        ("1: 5", [], [], "unknown exercise in --points '1'"),
        ("", ["03-ddpm-step"], [], "unknown exercise in --hide '03-ddpm-step': did you mean '03-ddpm_step'"),
        ("", [], ["99"], "unknown chapter '99'"),
        ("", [], ["03_epsilon"], "unknown chapter '03_epsilon': did you mean '03_epsilon_loss'"),
        ("", ["03-ddpm_step"], ["1"], "--hide: 03-ddpm_step is in chapter 03, which is not among"),
        ("03-ddpm_step: 4", [], ["1"], "--points: 03-ddpm_step is in chapter 03, which is not among"),
        ("01-snr: 4", ["01-snr"], [], "--hide: 01-snr is also in --points"),
        ("01-snr: 0", [], [], "--points: 01-snr: got 0, want an integer >= 1"),
        ("01-snr: -1", [], [], "--points: 01-snr: got -1"),
        ("01-snr: 2.0", [], [], "--points: 01-snr: got 2.0"),
        ("01-snr: yes", [], [], "--points: 01-snr: got True"),
        ("01-snr: '3'", [], [], "--points: 01-snr: got '3'"),
        ("01-snr:", [], [], "--points: 01-snr: got None"),
        ("01-snr: 2\n01-snr: 3", [], [], "line 2: 01-snr is there twice, before in line 1"),
        ("- 01-snr", [], [], "must hold lines like '01-diffuse: 5'"),
        ("just words", [], [], "must hold lines like '01-diffuse: 5'"),
        ("# nothing", [], [], "must hold lines like '01-diffuse: 5'"),
        ("{01-snr: [", [], [], "is not YAML"),
        ("? [a]\n: 1", [], [], "line 1: want lines like '01-diffuse: 5', got a list"),
        ("a: !!python/object:os.system x", [], [], "is not YAML"),
    ],
)
def test_bad_words_end_in_one_line(tmp_path, points, hide, words, told):
    options = [option for exercise in hide for option in ("--hide", exercise)]
    options += ["--points", str(points_file(tmp_path, points))] if points else []
    result = CliRunner().invoke(cli.app, ["release", *words, *options, "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_points_file_that_cannot_be_read(tmp_path):
    (tmp_path / "latin.yaml").write_bytes(b"01-snr: 2 # \xe9")
    for name, told in (("missing.yaml", "cannot read"), ("latin.yaml", "is not YAML"), (".", "cannot read")):
        with pytest.raises(CourseError, match=told):
            release(None, tmp_path / name, [], tmp_path / "out")


def test_the_command_takes_numbers_and_names_and_repeated_hide(tmp_path):
    words = [
        "release",
        "01",
        "3",
        "--hide",
        "01-snr",
        "--hide",
        "03-eps_loss",
        "--out",
        str(tmp_path / "out"),
    ]
    first, third = (
        worth(handout.read(n), {}, hidden).values()
        for n, hidden in (("01", ["01-snr"]), ("03", ["03-eps_loss"]))
    )
    result = CliRunner().invoke(cli.app, words)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:2] == [
        f"01_forward_process: {len(first)} exercises, {sum(first)} points",
        f"03_epsilon_loss: {len(third)} exercises, {sum(third)} points",
    ]
    assert sorted(made(tmp_path / "out")) == [
        "01_forward_process.ipynb",
        "03_epsilon_loss.ipynb",
        "release.json",
    ]


# ---- the folder


def test_another_kind_of_release_leaves_nothing_of_the_earlier_one(tmp_path):
    release(["1", "3"], None, [], tmp_path, nbgrader=True)
    (tmp_path / "source" / "01_forward_process" / "empty").mkdir()
    release(["3"], None, [], tmp_path, nbgrader=True)
    assert sorted(made(tmp_path)) == ["release.json", "source/03_epsilon_loss/03_epsilon_loss.ipynb"]
    (tmp_path / "source" / "01_forward_process" / "empty").rmdir()
    (tmp_path / "source" / "01_forward_process").rmdir()
    release(["3"], None, [], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["03_epsilon_loss.ipynb", "release.json"]


def test_a_smaller_release_leaves_nothing_of_the_earlier_one(tmp_path):
    release(["1", "3"], None, [], tmp_path)
    release(["3"], None, ["03-eps_loss"], tmp_path)
    assert sorted(made(tmp_path)) == ["03_epsilon_loss.ipynb", "release.json"]


@pytest.mark.parametrize(
    "spoil", ["a file", "an answer", "no list", "another list", "a link", "a folder of theirs"]
)
def test_a_folder_with_anything_else_is_left_as_it_is(tmp_path, spoil):
    out = tmp_path / "out"
    release(["3"], None, [], out)
    notebook = out / "03_epsilon_loss.ipynb"
    if spoil == "a file":
        (out / "marks.csv").write_text("mine")
    elif spoil == "an answer":
        notebook.write_text(notebook.read_text().replace("raise NotImplementedError", "return 3 #"))
    elif spoil == "no list":
        (out / "release.json").unlink()
    elif spoil == "another list":
        (out / "release.json").write_text("[1]")
    elif spoil == "a link":
        notebook.rename(tmp_path / "elsewhere.ipynb")
        notebook.symlink_to(tmp_path / "elsewhere.ipynb")
    else:
        (out / "alice").mkdir()
        (out / "alice" / "03_epsilon_loss.ipynb").write_text("{}")
    before = made(out)
    with pytest.raises(CourseError, match="name another folder, or empty this one"):
        release(["1"], None, [], out)
    assert made(out) == before


def test_out_that_is_a_file_or_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(CourseError, match="--out: "):
            release(["3"], None, [], out)
    assert (tmp_path / "file").read_text() == "x"


def test_a_full_disk_leaves_the_earlier_release(tmp_path, monkeypatch):
    from diffusion_course.classroom import release as module

    out = tmp_path / "out"
    release(["1"], None, [], out)
    before = made(out)
    real, calls = module.write_text, []

    def full(path, text):
        calls.append(path)
        if len(calls) % 3 == 0:
            raise CourseError(f"cannot write {path}: no space left")
        real(path, text)

    monkeypatch.setattr(module, "write_text", full)
    with pytest.raises(CourseError, match="no space left"):
        release(["1", "3"], None, [], out)
    assert made(out) == before
    with pytest.raises(CourseError, match="no space left"):
        release(["1", "3"], None, [], tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_a_run_that_was_interrupted_can_be_run_again(tmp_path, monkeypatch, moved):
    from diffusion_course.classroom import release as module

    release(["1", "3"], None, [], tmp_path / "out")
    replace, calls = module.os.replace, []

    def interrupted(old, new):
        if ".part" not in str(old):  # not write_text's own
            calls.append(new)
            if len(calls) > moved:
                raise KeyboardInterrupt
        replace(old, new)

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            release(["1", "3"], None, ["01-snr"], tmp_path / "out")
    for out in ("out", "new"):
        release(["1", "3"], None, ["01-snr"], tmp_path / out)
    assert made(tmp_path / "out") == made(tmp_path / "new")


def test_a_run_that_was_interrupted_while_it_removed_can_be_run_again(tmp_path, monkeypatch):
    release(["1", "3"], None, [], tmp_path, nbgrader=True)
    unlink, calls = Path.unlink, []

    def interrupted(path, missing_ok=False):
        if path.is_file():
            calls.append(path)
            if len(calls) == 2:
                raise KeyboardInterrupt
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", interrupted)
        with pytest.raises(KeyboardInterrupt):
            release(["1", "3"], None, ["01-snr"], tmp_path, nbgrader=True)
    release(["3"], None, [], tmp_path)
    assert sorted(made(tmp_path)) == ["03_epsilon_loss.ipynb", "release.json"]


def test_release_needs_no_torch(run_python, tmp_path):
    program = (
        "import sys; from pathlib import Path; from diffusion_course.classroom.release import release\n"
        f"release(['1'], None, [], Path({str(tmp_path / 'out')!r}))\n"
        "print('torch' in sys.modules)"
    )
    assert run_python("-c", program).stdout.endswith("False\n")


# ---- what is said, and what grading would refuse


def test_the_variant_and_what_a_person_marks_are_told(tmp_path, capsys):
    points = points_file(tmp_path, "01-snr: 5\n02-oral: {task: {it: 3}}\n01-oral: {task: {it: 1}}\n")
    release(["1"], points, [], tmp_path / "out", variant="autumn")
    told = capsys.readouterr().out
    assert "01-oral: 1 point by a person" in told
    assert "02-oral" not in told
    assert "variant autumn: 01-snapshots with another slip" in told
    assert told.splitlines()[-1].startswith("1 chapter, ")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("01-snr: {rubric: {it: 9}}", "the rubric of 01-snr has 9 points, want 2"),
        ("01-snr: {shares: {zzzz: 1}}", "no mistake has 'zzzz' in its hint"),
    ],
)
def test_what_grading_would_refuse_is_not_handed_out(tmp_path, line, message):
    with pytest.raises(CourseError, match=message):
        release(["1"], points_file(tmp_path, line), [], tmp_path / "out")
    assert not (tmp_path / "out").exists()
