"""The build on a small chapter of its own: editions, ids, errors, and what is left on disk after a failure."""

import dataclasses
import json
import shutil
from pathlib import Path

import nbformat
import pytest
from shared import add_exercise

from diffusion_course.classroom import build as building
from diffusion_course.classroom import chapters, editions, handout
from diffusion_course.classroom.checks import Check
from diffusion_course.errors import CourseError

SOURCE = '''\
# ---
# jupyter:
#   kernelspec:
#     display_name: Somebody's own
#     name: somebody
# ---

# %% [markdown]
# # 1. A small chapter
#
# Some prose with $x^2$, {{exercises}}.

# %% [markdown]
# ### Exercise {{01-twice}}
#
# Not a placeholder: $x_{{t}}$.

# %%
import sys


# %%
# EXERCISE 01-twice (keep this line)
def twice(x):
    """Twice x."""
    if x is None:
        ### BEGIN SOLUTION
        return None
        ### END SOLUTION
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check = lambda name, function: print(name, "correct" if function(2) == 4 else "wrong")
check("01-twice", twice)

# %% tags=["solution-only"]
print("seen by instructors", end="")
print(" only")

# %%
x = 1

# %%
x = 1
'''


TWICE = Check(
    "01-twice", 3, 10, 1, reference=lambda x: 2 * x, inputs=lambda d: (), where="Twice.", mutants=[]
)


@pytest.fixture(scope="module", autouse=True)
def twice():
    """The exercise of the small chapter."""
    with pytest.MonkeyPatch.context() as patch:
        add_exercise(patch, TWICE)
        yield


@pytest.fixture
def course(tmp_path):
    """A checkout with one chapter; returns a function that rewrites the chapter and gives the checkout."""
    (tmp_path / "solutions").mkdir()

    def write(source: str = SOURCE, name: str = "01_small.py") -> Path:
        (tmp_path / "solutions" / name).write_text(source)
        return tmp_path

    write()
    return write


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The chapter after a real build, and what the build printed."""
    from contextlib import redirect_stdout
    from io import StringIO

    root = tmp_path_factory.mktemp("course")
    (root / "solutions").mkdir()
    (root / "solutions" / "01_small.py").write_text(SOURCE)
    with redirect_stdout(StringIO()) as printed:
        building.build(root=root)
    return root, printed.getvalue()


def student(root: Path) -> nbformat.NotebookNode:
    return editions.edition(chapters.read(root / "solutions" / "01_small.py"), "notebooks")


def test_student_edition_holds_the_exercise_and_not_its_solution(course):
    notebook = student(course())
    text = nbformat.writes(notebook)
    for hidden in ("2 * x", "return None", "SOLUTION", "instructors"):
        assert hidden not in text
    cell = next(cell for cell in notebook.cells if cell.id == "01-twice")
    todo = 'raise NotImplementedError("Exercise 01-twice is still to be written: replace this line with your code.")'
    assert cell.source.split("\n") == [
        "# EXERCISE 01-twice (keep this line)",
        "def twice(x):",
        '    """Twice x."""',
        "    if x is None:",
        "        # Your code here.",
        f"        {todo}",
        "    # Your code here.",
        f"    {todo}",
    ]
    assert cell.metadata == {
        "tags": ["exercise"],
        "course": {"id": "01-twice", "points": 3, "minutes": 10, "level": 1},
    }


def test_student_edition_is_a_clean_notebook_for_any_machine(course):
    notebook = student(course())
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)


def test_the_link_to_colab_follows_the_title_and_the_setup_cell_comes_second(course):
    chapter = chapters.read(course() / "solutions" / "01_small.py")
    for folder in ("notebooks", "solutions"):
        first, setup = editions.edition(chapter, folder).cells[:2]
        lines = first.source.split("\n")
        assert lines[0] == "# 1. A small chapter"
        assert lines[2].startswith("[Open in Colab](")
        assert lines[2].endswith(f"/blob/main/{folder}/01_small.ipynb)")
        assert lines[-1] == "Some prose with $x^2$, one exercise (3 points)."
        assert setup.id == "setup"
        assert f"git+{editions.repository()}" in setup.source
        assert "nbval-ignore-output" in setup.metadata.tags


def test_the_text_says_what_the_check_says(course):
    for folder in ("notebooks", "solutions"):
        notebook = editions.edition(chapters.read(course() / "solutions" / "01_small.py"), folder)
        heading = notebook.cells[2]
        assert heading.source.startswith("### Exercise 1: `twice` (3 points, about 10 minutes, easy)\n")
        assert heading.source.endswith("$x_{{t}}$.")
        assert handout.template(heading).startswith("### Exercise {{01-twice}}\n")
        assert (
            handout.template(notebook.cells[0])
            == "# 1. A small chapter\n\nSome prose with $x^2$, {{exercises}}."
        )


def test_other_points_are_other_text_in_the_same_cells(course, monkeypatch):
    before = student(course()).cells
    add_exercise(monkeypatch, dataclasses.replace(TWICE, points=1, level=3))
    after = student(course()).cells
    assert [cell.id for cell in before] == [cell.id for cell in after]
    assert "one exercise (1 point)." in after[0].source
    assert "(1 point, about 10 minutes, hard)" in after[2].source


def test_ids_depend_on_the_cell_alone(course):
    before = [cell.id for cell in student(course()).cells]
    assert len(set(before)) == len(before)
    after = [
        cell.id
        for cell in student(course(SOURCE.replace("import sys", "import os\n\n# %%\nimport sys"))).cells
    ]
    assert set(before) < set(after)
    assert len(after) == len(before) + 1


def test_build_runs_the_solution_and_writes_both_editions(built):
    root, printed = built
    solution = nbformat.read(root / "solutions" / "01_small.ipynb", as_version=4)
    outputs = [output for cell in solution.cells[2:] for output in cell.get("outputs", [])]
    assert [output.text for output in outputs] == ["01-twice correct\n", "seen by instructors only\n"]
    assert "language_info" not in solution.metadata or "version" not in solution.metadata.language_info
    assert "widgets" not in solution.metadata
    assert all("execution" not in cell.metadata for cell in solution.cells)
    assert (root / "notebooks" / "01_small.ipynb").read_text() == nbformat.writes(student(root)) + "\n"
    assert "01_small: 9 cells, 1 exercises, 3 points" in printed
    assert building.check(root=root)


def test_two_builds_are_the_same_to_the_byte(built):
    root, _ = built
    files = [root / folder / "01_small.ipynb" for folder in ("solutions", "notebooks")]
    before = [path.read_bytes() for path in files]
    building.build(["1"], root)
    assert [path.read_bytes() for path in files] == before
    assert sorted(path.name for path in (root / "solutions").iterdir()) == ["01_small.ipynb", "01_small.py"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s, n: n.unlink(), "notebooks/01_small.ipynb: is missing"),
        (lambda s, n: n.write_text("{"), "notebooks/01_small.ipynb: cannot be read as"),
        (lambda s, n: n.write_text('{"cells": []}'), "notebooks/01_small.ipynb: cannot be read as"),
        (lambda s, n: n.write_text(n.read_text() + "\n"), "notebooks/01_small.ipynb: the bytes differ"),
        (
            lambda s, n: n.write_text(n.read_text().replace("import sys", "import os")),
            "'import sys'): source differs",
        ),
        (
            lambda s, n: (s.parent / "02_gone.ipynb").write_text("{}"),
            "solutions/02_gone.ipynb: has no source",
        ),
        (lambda s, n: s.write_text(s.read_text().replace('"points": 3', '"points": 4')), "metadata differs"),
        (
            lambda s, n: s.write_text(
                s.read_text().replace('"execution_count": 3', '"execution_count": null')
            ),
            "not run",
        ),
        (
            lambda s, n: s.with_suffix(".py").write_text(SOURCE + "\n# %%\nx = 2\n"),
            "has 8 cells, the source makes 9",
        ),
    ],
)
def test_check_names_what_differs(built, tmp_path, capsys, change, told):
    for folder in ("solutions", "notebooks"):
        (tmp_path / folder).mkdir()
        for path in (built[0] / folder).iterdir():
            (tmp_path / folder / path.name).write_text(path.read_text())
    change(tmp_path / "solutions" / "01_small.ipynb", tmp_path / "notebooks" / "01_small.ipynb")
    assert not building.check(root=tmp_path)
    assert told in capsys.readouterr().out


def test_check_ignores_outputs_of_the_solution(built, tmp_path):
    for folder in ("solutions", "notebooks"):
        (tmp_path / folder).mkdir()
        for path in (built[0] / folder).iterdir():
            (tmp_path / folder / path.name).write_text(
                path.read_text().replace("01-twice correct", "01-twice wrong")
            )
    assert building.check(root=tmp_path)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("print('a')\n1 / 0", r"01_small, cell 9 \(\"print\('a'\)\"\): ZeroDivisionError: division by zero"),
        ("import time\ntime.sleep(60)", "cell 9 .*: took more than 1 s"),
        ("import os\nos._exit(1)", "cell 9 .*: its kernel died"),
    ],
)
def test_a_failing_cell_is_named_and_the_old_notebooks_stay(course, code, told, monkeypatch):
    # A setup cell without torch: no cell but the failing one may come near the timeout.
    monkeypatch.setattr(editions, "SETUP", "# {repository}")
    root = course(f"{SOURCE}\n# %%\n{code}\n")
    for folder in ("solutions", "notebooks"):
        (root / folder).mkdir(exist_ok=True)
        (root / folder / "01_small.ipynb").write_text("old")
    with pytest.raises(CourseError, match=told) as caught:
        building.build(root=root, timeout=1)
    assert "\n" not in str(caught.value)
    for folder in ("solutions", "notebooks"):
        assert (root / folder / "01_small.ipynb").read_text() == "old"
    assert sorted(path.name for path in (root / "solutions").iterdir()) == ["01_small.ipynb", "01_small.py"]


def test_a_notebook_above_the_limit_is_refused_with_its_largest_outputs(course, monkeypatch):
    monkeypatch.setattr(editions, "SETUP", "# {repository}")
    root = course(SOURCE + "\n# %%\nfrom IPython.display import HTML\nHTML('a' * 1_600_000)\n")
    with pytest.raises(
        CourseError, match=r"01_small: 1\.6\d MB is above the limit.* largest: cell 9 text/html 1\.60 MB"
    ):
        building.build(root=root)
    assert not (root / "solutions" / "01_small.ipynb").exists()


def test_a_change_of_text_alone_runs_nothing_and_keeps_the_outputs(built, tmp_path, monkeypatch, capsys):
    root = tmp_path / "course"
    shutil.copytree(built[0], root)
    source, solution = root / "solutions" / "01_small.py", root / "solutions" / "01_small.ipynb"
    before = nbformat.read(solution, 4)
    source.write_text(source.read_text().replace("Some prose", "Other prose"))
    with monkeypatch.context() as patch:
        patch.setattr(building, "execute", None)  # calling it would fail
        building.build(root=root, text_only=True)
    assert "not run: its code is as it was" in capsys.readouterr().out
    after = nbformat.read(solution, 4)
    assert "Other prose" in after.cells[0].source
    outputs = [[cell.get("outputs") for cell in one.cells] for one in (before, after)]
    assert outputs[0] == outputs[1]
    assert building.check(root=root)
    source.write_text(source.read_text().replace("x = 1", "x = 2\nprint(x)"))
    building.build(root=root, text_only=True)
    assert "not run" not in capsys.readouterr().out
    assert building.check(root=root)


def test_claims_that_do_not_hold_are_told(course, monkeypatch, capsys):
    monkeypatch.setattr(editions, "SETUP", "# {repository}")
    code = "from diffusion_course.notebook.claims import agree, claim\n"
    code += (
        "claim('2 is less', 2 < 1)\nclaim('1 is less', 1 < 2)\nagree('both', 1, 2)\nagree('the same', 1, 1)"
    )
    building.build(root=course(f"{SOURCE}\n# %%\n{code}\n"))
    told = capsys.readouterr().out.splitlines()[1:-1]
    assert told == ["  Does not hold here: 2 is less.", "  both: agree to 1e-12: False"]


def test_widgets_leave_their_text_and_unfinished_bars_leave_nothing(course, monkeypatch):
    monkeypatch.setattr(editions, "SETUP", "# {repository}")
    cells = """
# %%
import ipywidgets
from tqdm.notebook import tqdm
ipywidgets.IntSlider(3)

# %%
# NBVAL_IGNORE_OUTPUT
for _ in tqdm(range(3)):
    pass
print("done")
"""
    root = course(SOURCE + cells)
    building.build(root=root)
    *_, slider, bar = nbformat.read(root / "solutions" / "01_small.ipynb", as_version=4).cells
    assert [output.data.keys() for output in slider.outputs] == [{"text/plain"}]
    assert [output.get("text") for output in bar.outputs] == ["done\n"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("    ### END SOLUTION\n\n\n#", "\n\n#", "'### BEGIN SOLUTION' without '### END SOLUTION' after it"),
        (
            "    ### BEGIN SOLUTION\n    return 2",
            "    return 2",
            "'### END SOLUTION' without '### BEGIN SOLUTION'",
        ),
        (
            "    return 2 * x\n",
            "    ### BEGIN SOLUTION\n",
            "'### BEGIN SOLUTION' without '### END SOLUTION' before it",
        ),
        ("### END SOLUTION\n    ###", "### END SOLUTION here\n    ###", "must stand alone on its line"),
        ("# NBVAL_CHECK_OUTPUT\n", "", "must open with the line '# NBVAL_CHECK_OUTPUT'"),
        ('tags=["check"]', 'tags=["other"]', "the next code cell must have the tag 'check'"),
        ('check("01-twice"', 'check("01-thrice"', 'and the line check("01-twice", twice)'),
        ('check("01-twice", twice)', 'check("01-twice", twice, 1)', 'and the line check("01-twice", twice)'),
        ("# EXERCISE 01-twice (keep this line)\n", "", "solution markers stand outside an exercise"),
        (" (keep this line)", "", "the first line must be '# EXERCISE 01-name (keep this line)'"),
        ("EXERCISE 01-", "EXERCISE 02-", "an exercise id of this chapter begins with '01-', got '02-twice'"),
        (
            "EXERCISE 01-twice",
            "EXERCISE 01-twise",
            "unknown exercise '01-twise': did you mean '01-twice'? Its Check belongs in classroom/checks/ch01.py",
        ),
        ("# %%\n# EX", '# %% tags=["exercise"]\n# EX', "leave out the tag 'exercise'"),
        ('tags=["check"]', 'tags=["check"] colour="red"', "the cell's metadata may hold tags, got colour"),
        ("def twice(x):", "def double(x):", "the cell must hold one function, twice, with a docstring"),
        ('    """Twice x."""\n', "", "the cell must hold one function, twice, with a docstring"),
        ("def twice(x):", "import sys\ndef twice(x):", "the cell must hold one function, twice"),
        ("{{01-twice}}", "{{01-twise}}", "for each of 01-twice, in this order, got 01-twise"),
        ("{{01-twice}}", "1: `twice` (3 points)", "for each of 01-twice, in this order, got none"),
        ("{{exercises}}", "three exercises", "want '{{exercises}}' in the text"),
        ("import sys", "### BEGIN SOLUTION", "solution markers stand outside an exercise"),
        ("def twice(x):", "def twice(x:", "the student's version is not valid Python"),
        ("# # 1. A small chapter", "# A small chapter", "open with the title"),
    ],
)
def test_a_malformed_source_is_refused_in_one_line(course, old, new, told):
    assert old in SOURCE
    root = course(SOURCE.replace(old, new, 1) if "END SOLUTION\n\n" not in old else SOURCE.replace(old, new))
    with pytest.raises(CourseError) as caught:
        building.build(root=root)
    assert told in str(caught.value)
    assert str(caught.value).startswith("01_small")
    assert "\n" not in str(caught.value)


def test_an_exercise_without_a_solution_is_refused(course):
    source = "\n".join(line for line in SOURCE.split("\n") if "SOLUTION" not in line)
    with pytest.raises(CourseError, match="an exercise needs a solution"):
        chapters.read(course(source) / "solutions" / "01_small.py")


def test_an_exercise_id_is_used_once(course):
    start, end = SOURCE.index("# %%\n# EXERCISE"), SOURCE.index('# %% tags=["solution-only"]')
    with pytest.raises(CourseError, match="01_small: exercise 01-twice is there twice"):
        chapters.read(course(SOURCE[:end] + SOURCE[start:end] + SOURCE[end:]) / "solutions" / "01_small.py")


def test_what_to_build_is_checked_before_anything_runs(course, tmp_path):
    root = course()
    with pytest.raises(CourseError, match="unknown chapter '07': known: 01_small"):
        building.build(["07"], root)
    with pytest.raises(CourseError, match="there is no solutions/ in"):
        building.build(root=root / "solutions")
    course(name="01_other.py")
    with pytest.raises(CourseError, match="solutions/ holds two chapters 01"):
        building.build(root=root)
    course(name="Draft.py")
    with pytest.raises(CourseError, match=r"solutions/Draft.py: a chapter's file is named NN_name.py"):
        building.build(root=root)


def test_what_the_overview_could_not_say_is_told_before_anything_runs(course):
    root = course()
    (root / "docs").mkdir()
    with pytest.raises(CourseError, match=r"01_small: its first cells want a title, '\*\*You learn\*\*'"):
        building.build(root=root)
    assert not (root / "solutions" / "01_small.ipynb").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "notebooks").write_text("a file in the way")
    with pytest.raises(CourseError, match=r"cannot write .*notebooks"):
        building.write_text(tmp_path / "notebooks" / "01_small.ipynb", "{}")


def test_setup_cell_is_valid_in_ipython_and_installs_nothing_here(course):
    from IPython.core.inputtransformer2 import TransformerManager

    source = student(course()).cells[1].source
    python = TransformerManager().transform_cell(source)
    compile(python, "setup", "exec")
    guarded = python.split("importlib.invalidate_caches()")[0]
    exec(guarded, {"get_ipython": lambda: pytest.fail("the package is here, and something was installed")})


def test_notebooks_are_written_as_jupyter_writes_them(built):
    """Keys sorted, one space of indentation, a newline at the end: saving in Jupyter makes no other change."""
    text = (built[0] / "notebooks" / "01_small.ipynb").read_text()
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def test_nbvals_comments_become_tags(course):
    chapter = chapters.read(
        course(SOURCE + "\n# %%\n# NBVAL_IGNORE_OUTPUT\nprint(1)\n") / "solutions/01_small.py"
    )
    made = editions.edition(chapter, "notebooks")
    assert not any("NBVAL_" in cell.source for cell in made.cells)
    check, measured = (
        c
        for c in made.cells
        if {"check", "nbval-ignore-output"} & set(c.metadata.get("tags", [])) - {"setup"} and c.id != "setup"
    )
    assert check.metadata.tags == ["check", "nbval-check-output"]
    assert (measured.source, measured.metadata.tags) == ("print(1)", ["nbval-ignore-output"])
