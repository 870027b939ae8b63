"""Likeness of wrong answers is shown and judged by nobody; right answers and what was handed out are in no pair."""

import time

import pytest

from diffusion_course.classroom import handout
from diffusion_course.classroom.desk import similar
from diffusion_course.classroom.grading.results import Graded, Mark, State

EXERCISES = {e: x for e, x in handout.exercises(handout.read("01")).items() if e == "01-diffuse"}
BLANK = EXERCISES["01-diffuse"].blank.split("    # Your code here.")[0]
ONE = "    magic = alpha_bar[t - 1]\n    return magic * x0 + (1 - magic) * eps + 0 * magic  # by hand, see page 7\n"
OTHER = "    total = 0\n    for step in range(len(t)):\n        total = total + x0[step] - eps[step] * 3\n    return total\n"


def answer(student, body, state=State.WRONG, kind="values off"):
    mark = Mark("01-diffuse", 0, 3, state, "", (), kind)
    cells = (("markdown", "x"), ("01-diffuse", BLANK + body))
    return Graded(student, "01", f"{student}.ipynb", f"{student}/01", (mark,), cells=cells)


def found(*graded):
    return similar.pairs(graded, EXERCISES)


def test_a_copy_with_other_blanks_is_a_pair_with_what_both_have():
    (pair,) = found(answer("ann", ONE), answer("bob", ONE.replace(" * ", "  *  ")), answer("cleo", OTHER))
    assert {pair.first.student, pair.second.student} == {"ann", "bob"}
    assert pair.alike == 1
    assert pair.names == ("magic",)
    assert pair.comments == ("by hand, see page 7",)


def test_a_comment_that_two_have_is_shown_though_the_code_differs():
    (pair,) = found(answer("ann", ONE), answer("bob", OTHER + "    # By  hand, see page 7\n"))
    assert (pair.alike, pair.comments) == (0, ("by hand, see page 7",))


@pytest.mark.parametrize("state", [State.RIGHT, State.NOT_DONE, State.MISSING, State.WAITS, State.MARKED])
def test_only_wrong_answers_are_held_against_each_other(state):
    assert found(answer("ann", ONE), answer("bob", ONE, state)) == []


def test_nobody_is_like_himself_and_what_was_handed_out_is_nobodys():
    assert found(answer("ann", ONE), answer("ann", ONE)) == []
    assert found(answer("ann", "    return 1\n"), answer("bob", "    return 1\n")) == []


def test_what_many_have_says_nothing():
    crowd = [answer(f"s{n}", OTHER + f"    # by hand, see page 7\n    a{n}x = {n}\n") for n in range(5)]
    assert all(not pair.comments and "total" not in pair.names for pair in found(*crowd))


def test_the_page_shows_both_sides_and_runs_nothing():
    hostile = ONE + "    # <script>alert(1)</script> of both\n"
    pair = found(answer("ann<b>", hostile, kind="a known one"), answer("bob", hostile, kind="a known one"))
    page = similar.page(pair)
    assert "<script>" not in page
    assert "ann<b>" not in page
    assert page.count("<pre") == 2
    assert "This is no verdict" in page
    assert "Both: a known one" in page


def test_code_that_is_no_python_and_long_code_are_compared():
    odd = "    return (((  # half of it\n\x00\ud800"
    assert found(answer("ann", odd * 3), answer("bob", odd * 3))
    long = "".join(f"    x{n} = {n} + x{n - 1}\n" for n in range(3000))
    started = time.perf_counter()
    assert found(answer("ann", long), answer("bob", long + "    y = 1\n"))
    assert time.perf_counter() - started < 20


def test_a_class_is_compared_in_seconds():
    crowd = [answer(f"s{n}", ONE.replace("7", str(n)) + f"    own{n} = {n % 7} - eps\n") for n in range(60)]
    started = time.perf_counter()
    pairs = found(*crowd)
    assert len(pairs) == 60 * 59 // 2
    assert similar.page(pairs).count("<section") == similar.MOST
    assert time.perf_counter() - started < 30


def test_the_command_writes_it(tmp_path, graded_into):
    code, said = graded_into("--similar")
    assert code == 0, said
    assert "of wrong answers that are alike" in said
    assert (tmp_path / "out" / "similar.html").exists()
