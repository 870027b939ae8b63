"""What an instructor reads of the course is made of it, and in step with it."""

import re
import shlex
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from diffusion_course.classroom import handout
from diffusion_course.classroom.build import OVERVIEW, _overview
from diffusion_course.classroom.checks import CHECKS, OPEN
from diffusion_course.classroom.desk import overview
from diffusion_course.cli import app
from diffusion_course.errors import CourseError

EVERY = overview.outlines(handout.edition(handout.folder()), handout.names())


def run(*words):
    result = CliRunner().invoke(app, [*map(str, words)])
    return result.exit_code, result.output


def test_the_document_is_that_of_the_notebooks_and_the_checks(root):
    assert (root / OVERVIEW).read_text(encoding="utf-8") == _overview(root), "run diffusion-course build"


def test_every_chapter_says_what_it_needs_and_gives():
    assert [o.name for o in EVERY] == sorted(handout.names())
    for outline in EVERY:
        assert outline.title
        assert outline.needs
        assert len(outline.gives) >= 2
        assert not [line for line in outline.gives if "\n" in line or not line]


@pytest.mark.parametrize("count", [1, 4, 7, len(EVERY)])
def test_weeks_hold_all_chapters_in_order_and_none_is_needlessly_long(count):
    parts = overview.weeks(EVERY, count)
    assert len(parts) == count
    assert [o for part in parts for o in part] == EVERY
    longest = max(sum(o.work() for o in part) for part in parts)
    for part, after in pairwise(parts):
        moved = sum(o.work() for o in [part[-1], *after])
        assert len(part) == 1 or sum(o.work() for o in part) < longest or moved >= longest


def test_a_day_is_filled_and_not_more():
    chosen = overview.day(EVERY, 7)
    assert sum(o.work(1) for o in chosen) <= 7 * 60 < sum(o.work(1) for o in EVERY[: len(chosen) + 1])


def test_the_command_of_a_day_makes_an_edition_with_the_easy_exercises(tmp_path):
    code, said = run("plan", "--hours", "4")
    assert code == 0
    words = shlex.split(re.search(r"^    diffusion-course (.*) --out edition$", said, re.MULTILINE)[1])
    assert run(*words, "--out", tmp_path / "edition")[0] == 0
    left = [x for n in handout.edition(tmp_path / "edition").values() for x in handout.exercises(n).values()]
    assert left
    assert {x.level for x in left} == {1}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["plan", "--weeks", "99"], f"error: --weeks: got 99, want 1 to {len(EVERY)}"),
        (["plan", "--hours", "0.1"], "error: --hours: 0.1 are too few for the first chapter"),
        (["plan", "99"], "error: unknown chapter '99'"),
        (["mistakes", "01-snt"], "error: unknown exercise '01-snt': did you mean '01-snr'?"),
    ],
)
def test_what_cannot_be_had_is_one_line(words, told):
    code, said = run(*words)
    assert code == 2
    assert said.startswith(told)
    assert said.count("\n") == 1


def test_a_chapter_without_an_outline_is_named():
    notebook = handout.read("01").copy()
    notebook.cells = notebook.cells[5:]
    with pytest.raises(CourseError, match="01_x: its first cells want a title"):
        overview.outlines({"01": notebook}, ["01_x"])


def test_mistakes_are_the_hints_of_the_checks():
    text = overview.mistakes(["1"])
    own = [e for e in CHECKS if e.startswith("01")]
    assert re.findall(r"^### (.*)$", text, re.MULTILINE) == own
    assert text.count("\n- ") == sum(len({m.hint for m in CHECKS[e].mutants}) for e in own)
    assert f"more: `diffusion-course mistakes {own[0]}`" in overview.mistakes([own[0]], 3)


@pytest.mark.parametrize("task", OPEN)
def test_of_what_a_person_marks_the_rubric_is_listed(task):
    assert overview.mistakes([task]).count("marked by a person") == len(OPEN[task].rubric)
