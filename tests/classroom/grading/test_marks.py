"""From what was seen to a mark: every way a run can end, and the policies."""

import pytest

from diffusion_course.classroom import handout
from diffusion_course.classroom.grading import marks, nbval_run, recheck
from diffusion_course.classroom.grading.nbval_run import Trial
from diffusion_course.classroom.grading.recheck import Verdict
from diffusion_course.classroom.grading.rules import Rules
from diffusion_course.classroom.grading.submissions import Submission

SNR = handout.exercises(handout.read("01"))["01-snr"]
PARTS = ("answer", "public", "hidden", "canary")


def seen(failed: str = "", text: str = "", ended: str = "") -> Trial:
    """A run of 01-snr in which everything passed but one part."""
    return Trial(
        passed={(SNR.id, part): part != failed for part in PARTS},
        text={(SNR.id, part): text if part == failed else "" for part in PARTS},
        ended={SNR.id: ended} if ended else {},
    )


def mark(run: Trial, verdict: Verdict | None = Verdict(""), library: str = "flag"):  # noqa: B008
    return marks._mark(SNR, run, verdict, Rules("s", library))


def test_all_four_cells_and_the_second_look_make_full_marks():
    full = mark(seen())
    assert (full.points, full.of, full.state, full.hint, full.flags) == (2, 2, "right", "", ())


@pytest.mark.parametrize("part", PARTS)
def test_one_cell_that_did_not_pass_takes_all_points(part):
    assert mark(seen(part, "x")).points == 0


@pytest.mark.parametrize(
    ("text", "state", "hint"),
    [
        (
            "...\nCheckFailed: 01-snr: snr[0] is 1, want 2\nLook at it",
            "wrong",
            "01-snr: snr[0] is 1, want 2\nLook at it",
        ),
        (
            "NotDone: 01-snr is not written yet: fill it in",
            "not done",
            "01-snr is not written yet: fill it in",
        ),
        (
            "NotImplementedError: Exercise 01-snr is still to be written: ...",
            "not done",
            "NotImplementedError",
        ),
        ("\x1b[31mCheckFailed\x1b[0m: a\x1b[1mb", "wrong", "ab"),
        (
            "Traceback:\n  File x\nZeroDivisionError: division by zero",
            "wrong",
            "ZeroDivisionError: division by zero",
        ),
        (
            "CheckFailed: 01-snr: NameError: name 'f' is not defined",
            "wrong",
            "define inside them what they need",
        ),
    ],
)
def test_the_hint_is_what_the_check_said(text, state, hint):
    got = mark(seen("public", text))
    assert got.state == state
    assert hint in got.hint
    assert "\x1b" not in got.hint


def test_an_answer_that_ended_its_run_is_stopped_and_flagged():
    got = mark(seen(ended="took longer than 60 s"))
    assert (got.points, got.state, got.hint, got.flags) == (
        0,
        "stopped",
        "Your code took longer than 60 s.",
        ("took longer than 60 s",),
    )


def test_a_canary_that_sings_is_tampering():
    got = mark(seen("canary"))
    assert (got.points, got.flags) == (0, ("the check accepts a wrong function: tampering",))


def test_a_second_look_that_differs_takes_the_points_and_tells():
    got = mark(seen(), Verdict("snr[0] is 1, want 2"))
    assert (got.points, got.flags) == (0, ("right in the notebook, but by itself: snr[0] is 1, want 2",))
    assert mark(seen(), None).points == 0


@pytest.mark.parametrize(("library", "points", "told"), [("flag", 2, 1), ("zero", 0, 1), ("allow", 2, 0)])
def test_the_policy_for_the_library(library, points, told):
    got = mark(seen(), Verdict("", library=True), library)
    assert (got.points, len(got.flags)) == (points, told)


def test_a_gpu_that_is_not_there_is_for_a_person():
    got = mark(seen("public", "CheckFailed: AssertionError: Torch not compiled with CUDA enabled"))
    assert got.flags == ("asks for a GPU, and the sandbox has none",)


def test_what_was_not_touched_is_not_run(monkeypatch):
    def never(*_):
        raise AssertionError("something was run")

    monkeypatch.setattr(nbval_run, "run", never)
    monkeypatch.setattr(recheck.processes, "run", never)
    blank = handout.exercises(handout.read("01"))
    answers = {"01-diffuse": blank["01-diffuse"].blank, "01-snr": f"\n{blank['01-snr'].blank}  \n"}
    found, peak = marks.grade(
        Submission("ann", "01", "a.ipynb", "0", answers), handout.read("01"), Rules("s")
    )
    assert [one.state for one in found] == ["missing", "not done", "not done"]
    assert (sum(one.points for one in found), sum(one.of for one in found), peak) == (0, 7, 0)


def test_an_answer_brings_the_earlier_answers_it_calls_to_the_second_look():
    written = {
        "01-alpha_bar_from_betas": "def alpha_bar_from_betas(b): ...",
        "01-diffuse": "def diffuse(*a):\n    return alpha_bar_from_betas(a)",
        "01-snr": "def snr(a):\n    return diffuse(a)",
    }
    source = marks._task("01-snr", written, handout.read("01"), "ann", Rules("s")).source
    places = [source.index(f"def {name}(") for name in ("alpha_bar_from_betas", "diffuse", "snr")]
    assert places == sorted(places)
    alone = marks._task("01-diffuse", written, handout.read("01"), "ann", Rules("s"))
    assert "def snr" not in alone.source
    assert len(set(alone.seeds)) == 2
