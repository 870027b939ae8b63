"""From what was seen to a mark: every way a run can end, and the policies."""

import pytest

from diffusion_course.classroom import handout
from diffusion_course.classroom.grading import finding, marks, nbval_run, recheck
from diffusion_course.classroom.grading.assembly import Plan, Step
from diffusion_course.classroom.grading.finding import Answer
from diffusion_course.classroom.grading.nbval_run import Error, Said, Trial
from diffusion_course.classroom.grading.reading import Cell
from diffusion_course.classroom.grading.recheck import Verdict
from diffusion_course.classroom.grading.results import Flag, Kind, State
from diffusion_course.classroom.grading.rules import Rules
from diffusion_course.classroom.grading.submissions import Submission

SNR = handout.exercises(handout.read("01"))["01-snr"]
STEPS = (
    Step("chapter", "import torch", pure=True),
    Step("own", "helper = 1", cell=1),
    Step("own", "def snr(a): ...", cell=2),
    Step("verdict", exercise=SNR.id),
    Step("own", "1 / 0", cell=3, needed=False),
)
PLAN = Plan(STEPS, {SNR.id: frozenset([2])}, {SNR.id: frozenset([0, 1, 2])}, {SNR.id: frozenset(["ratio"])})
PASSED = Said("right", passed=True)
UNSEEN = Verdict()


def mark(said=PASSED, verdict=UNSEEN, library="flag", errors=(), ended=()):
    run = Trial({SNR.id: said} if said else {}, dict(errors), dict(ended))
    return marks._mark(SNR, Answer(2, (2,)), PLAN, run, verdict, Rules("s", library))


def test_both_runs_make_full_marks():
    full = mark()
    assert (full.points, full.of, full.state, full.hint, full.flags) == (2, 2, State.RIGHT, "", ())


def test_a_design_gets_what_its_score_gives_and_is_told_it():
    part = mark(verdict=Verdict(points=1, told="1 of 2 points: the score is 3"))
    assert (part.points, part.state, part.hint) == (1, State.PART, "1 of 2 points: the score is 3")
    assert mark(verdict=Verdict(points=2, told="correct")).state == State.RIGHT
    used = mark(verdict=Verdict(points=1, told="the score is 3", uses="library"))
    assert (used.points, used.state, [flag.kind for flag in used.flags]) == (1, State.PART, [Kind.LIBRARY])
    assert used.hint.startswith("the score is 3\nYour function calls")
    assert mark(verdict=Verdict(points=1, uses="library"), library="zero").points == 0


@pytest.mark.parametrize(
    ("said", "state", "hint", "kind"),
    [
        (
            Said("wrong", False, "01-snr: it is 1, want 2\nLook", "it is 1, want 2"),
            State.WRONG,
            "want 2\nLook",
            "values off, no known mistake",
        ),
        (Said("wrong", False, "m", "f", "the inverse"), State.WRONG, "m", "the inverse"),
        (Said("not done", False, "is not written yet"), State.NOT_DONE, "is not written yet", ""),
        (Said("undefined"), State.WRONG, "snr is not defined", "snr is not defined"),
        (
            Said("wrong", False, "NameError: name 'ratio' is not"),
            State.WRONG,
            "defines ratio",
            "NameError: name 'ratio' is not",
        ),
    ],
)
def test_what_the_check_said_is_the_hint(said, state, hint, kind):
    got = mark(said)
    assert (got.points, got.state, got.kind) == (0, state, kind)
    assert hint in got.hint


def test_a_function_that_was_never_defined_is_told_with_the_error_of_its_cell():
    got = mark(Said("undefined"), errors={2: Error("SyntaxError", "invalid syntax")}.items())
    assert got.hint == "snr is not defined: its cell stopped with SyntaxError: invalid syntax"


def test_an_answer_that_ended_its_run_is_stopped_and_flagged():
    for where in (1, 2, 3):
        got = mark(None, ended={where: "took longer than 60 s"}.items())
        assert (got.points, got.state, got.hint) == (0, State.STOPPED, "Your code took longer than 60 s.")
        assert got.flags == (Flag(Kind.STOPPED, "took longer than 60 s"),)


def test_what_an_answer_does_not_need_costs_nothing():
    assert mark(ended={4: "took longer than 60 s"}.items()).points == 2
    assert mark(errors={1: Error("NameError", ""), 4: Error("ZeroDivisionError", "")}.items()).points == 2


def test_an_error_of_the_chapters_own_is_for_a_person():
    got = mark(Said("wrong", False, "m"), errors={0: Error("OSError", "no file")}.items())
    assert [str(flag) for flag in got.flags] == ["the chapter's own code failed here: OSError: no file"]
    with pytest.raises(nbval_run.NotRun):
        marks._refuse_broken_machine(PLAN, Trial(errors={0: Error("ModuleNotFoundError", "torch")}))


def test_a_canary_that_sings_is_tampering():
    got = mark(Said("right", passed=False))
    assert (got.points, [flag.kind for flag in got.flags]) == (0, [Kind.TAMPERED])


def test_a_second_look_that_differs_takes_the_points_and_tells():
    got = mark(verdict=Verdict("snr[0] is 1, want 2\nmore"))
    assert (got.points, got.flags) == (0, (Flag(Kind.DIFFERS, "snr[0] is 1, want 2"),))
    assert mark(verdict=None).points == 0


@pytest.mark.parametrize(
    ("library", "uses", "points", "told"),
    [
        ("flag", "library", 2, Kind.LIBRARY),
        ("zero", "library", 0, Kind.LIBRARY),
        ("allow", "library", 2, None),
        ("flag", "checks", 2, Kind.CHECKS),
        ("zero", "checks", 0, Kind.CHECKS),
        ("allow", "checks", 2, Kind.CHECKS),
    ],
)
def test_the_policy_for_the_library(library, uses, points, told):
    got = mark(verdict=Verdict("x" if library == "zero" else "", uses=uses), library=library)
    assert (got.points, [flag.kind for flag in got.flags]) == (points, [told] if told else [])


def test_a_machine_that_cannot_look_again_keeps_the_points_and_tells():
    got = mark(verdict=Verdict("x", absent=True, machine="no room"))
    assert (got.points, got.flags) == (2, (Flag(Kind.MACHINE, "no room"),))


def test_a_gpu_that_is_not_there_is_for_a_person():
    got = mark(Said("wrong", False, "AssertionError: Torch not compiled with CUDA enabled"))
    assert got.flags == (Flag(Kind.GPU),)


def test_remarks_are_for_what_cost_nothing_and_is_no_fault_of_grading():
    errors = {
        1: Error("NameError", "name 'digits' is not defined"),
        4: Error("ZeroDivisionError", "division by zero"),
    }
    said = list(marks._remarks(handout.read("01"), PLAN, Trial(errors=errors, ended={2: "took too long"})))
    assert said == [
        "The cell that begins with 'def snr(a): ...' took too long, and was left out.",
        "The cell that begins with '1 / 0' stopped with ZeroDivisionError: division by zero",
    ]


def test_what_was_not_touched_is_not_run(monkeypatch):
    def never(*_):
        raise AssertionError("something was run")

    monkeypatch.setattr(nbval_run, "run", never)
    monkeypatch.setattr(recheck.processes, "run", never)
    blank = handout.exercises(handout.read("01"))
    cells = (Cell("code", blank["01-diffuse"].blank), Cell("code", f"\n{blank['01-snr'].blank}  \n"))
    done = marks.grade(
        Submission("ann", "01", "a.ipynb", "0", notebook=cells), handout.read("01"), Rules("s")
    )
    there = {"01-diffuse", "01-snr"}
    assert {one.exercise: one.state for one in done.marks} == {
        e: State.NOT_DONE if e in there else State.MISSING for e in blank
    }
    most = sum(exercise.points for exercise in blank.values())
    assert (sum(one.points for one in done.marks), sum(one.of for one in done.marks), done.peak) == (
        0,
        most,
        0,
    )
    assert finding.find(cells, handout.read("01")).own == ()
