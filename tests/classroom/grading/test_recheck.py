"""The second look believes data alone: whatever else a run leaves behind is refused, and a wrong number is a fault."""

import json
from pathlib import Path

import pytest
import torch

from diffusion_course.classroom import chapters, handout
from diffusion_course.classroom.checks import CHECKS
from diffusion_course.classroom.checks.call import call
from diffusion_course.classroom.checks.design import score_of, summary
from diffusion_course.classroom.checks.engine import cases
from diffusion_course.classroom.grading import assembly, finding, recheck, sandbox, wire, without
from diffusion_course.classroom.grading.assembly import Plan, Step
from diffusion_course.classroom.grading.reading import Cell
from diffusion_course.classroom.grading.recheck import Verdict
from diffusion_course.classroom.grading.sandbox import Isolation, Limits

ROOT = Path(__file__).parents[3]
SEEDS = ["a", "b"]
SNR = CHECKS["01-snr"]
DESIGN = CHECKS["04-even_betas"]
POSTERIOR = CHECKS["02-posterior_mean_variance"]
GARBAGE = "wrote something else than its results"


def inputs(check):
    return [case for seed in SEEDS for case in cases(check, seed)]


def leave(path, check, answer, **changes):
    """Write what an answer returned on the cases, as the worker does."""
    tensors = {}
    outcomes = [call(check.driven(answer), args) for args in inputs(check)]
    calls = [
        {
            "value": wire.pack(o.value, tensors),
            "evaluated": {str(i): [n, len(o.shown[i])] for i, n in o.evaluated.items()},
        }
        for o in outcomes
    ]
    told = {"defined": True, "errors": {}, "calls": calls, "asked": []} | changes
    (path / check.id).write_bytes(wire.join(told, tensors))


def verdict(check, path, printed=""):
    run = recheck._Run(Plan(), {}, Limits(), Isolation("limits"), None)
    return run._verdict(check, inputs(check), path / check.id, printed)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_right_numbers_are_right(check, tmp_path):
    leave(tmp_path, check, check.reference)
    found = verdict(check, tmp_path)
    assert (found.fault, found.points) == ("", check.points if check.score else None)


def test_a_wrong_number_is_a_fault(tmp_path):
    leave(tmp_path, SNR, lambda a: SNR.reference(a) + 1)
    assert "want" in verdict(SNR, tmp_path).fault


def test_a_wrong_number_of_outputs_is_a_fault(tmp_path):
    leave(tmp_path, POSTERIOR, lambda *args: POSTERIOR.reference(*args)[0])
    assert "want a tuple" in verdict(POSTERIOR, tmp_path).fault


def test_what_is_no_tensor_is_a_fault_and_told_for_what_it_is(tmp_path):
    leave(tmp_path, SNR, lambda a: None)
    assert "None" in verdict(SNR, tmp_path).fault
    leave(tmp_path, SNR, lambda a: SNR.reference(a).numpy())
    assert "NumPy" in verdict(SNR, tmp_path).fault


def test_the_error_of_a_call_is_told_with_its_line(tmp_path):
    leave(tmp_path, SNR, SNR.reference)
    words, tensors = wire.part((tmp_path / SNR.id).read_bytes())
    words["calls"][0] = {
        "error": ["NameError", "name 'x' is not defined", "line 2: `return x`"],
        "evaluated": {},
    }
    (tmp_path / SNR.id).write_bytes(wire.join(words, tensors))
    said = "your function stopped with NameError: name 'x' is not defined\nin line 2: `return x`"
    assert verdict(SNR, tmp_path).fault == said


def test_what_was_asked_for_is_known(tmp_path):
    leave(tmp_path, SNR, SNR.reference, asked=["gaussian.diffuse"])
    assert verdict(SNR, tmp_path).asked == {"gaussian.diffuse"}


@pytest.mark.parametrize(
    "told",
    [
        {"calls": []},
        {"calls": [1]},
        {"calls": None},
        {"asked": 3},
        {"defined": False, "errors": {"x": 1}},
        {"defined": False, "errors": []},
    ],
)
def test_other_words_are_refused(told, tmp_path):
    leave(tmp_path, SNR, SNR.reference, **told)
    assert verdict(SNR, tmp_path).fault == GARBAGE


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"[]\n", b"{}\n", json.dumps({"asked": []}).encode() + b"\n"]
)
def test_another_file_is_refused(content, tmp_path):
    (tmp_path / SNR.id).write_bytes(content)
    assert verdict(SNR, tmp_path).fault == GARBAGE


def test_a_link_and_a_folder_are_refused_and_not_followed(tmp_path):
    leave(tmp_path, SNR, SNR.reference)
    (tmp_path / SNR.id).rename(tmp_path / "right")
    (tmp_path / SNR.id).symlink_to(tmp_path / "right")
    assert verdict(SNR, tmp_path).fault == GARBAGE
    (tmp_path / SNR.id).unlink()
    (tmp_path / SNR.id).mkdir()
    assert verdict(SNR, tmp_path).fault == GARBAGE


def test_nothing_tells_the_last_line_that_was_printed(tmp_path):
    got = verdict(SNR, tmp_path, "Traceback\nNameError: x\n")
    assert (got.fault, got.absent) == ("does not run by itself: NameError: x", True)


def test_the_score_of_a_design_is_computed_here_under_the_terms_of_the_edition(tmp_path):
    ramp = torch.linspace(0.002**0.5, 0.495**0.5, 50, dtype=torch.float64) ** 2
    leave(tmp_path, DESIGN, lambda T: ramp)
    told = verdict(DESIGN, tmp_path)
    assert (told.points, told.told) == (2, summary(DESIGN, score_of(DESIGN, (50,), ramp)))
    assert verdict(DESIGN.under(points=3), tmp_path).points == 1
    assert verdict(DESIGN.under(marks=((1, 2.0), (9, 1.0))), tmp_path).points == 9
    assert "the marks are 3 points from 0.5 down" in verdict(DESIGN.under(marks=((3, 0.5),)), tmp_path).fault
    assert "want (60,)" in verdict(DESIGN.under(variant=2), tmp_path).fault


@pytest.mark.parametrize(
    "value", [None, 3, "x", [1.0], torch.ones(50), torch.zeros(3), torch.tensor(float("nan"))]
)
def test_a_design_that_is_none_is_a_fault(value, tmp_path):
    leave(tmp_path, DESIGN, lambda T: value)
    found = verdict(DESIGN, tmp_path)
    assert found.fault
    assert found.points is None


# ---- what runs when: the runs themselves are made up


def looked(monkeypatch, answers, library="flag"):
    """What `look` makes of an answer, and the packages it was run with. answers: its verdict with each kind of package in turn."""
    ran = []

    def on(self, exercises, package):
        ran.append("whole" if package == sandbox.PACKAGE else package)
        return {e: answers[len(ran) - 1] for e in exercises}

    monkeypatch.setattr(recheck._Run, "on", on)
    monkeypatch.setattr(recheck._Run, "machine_fault", lambda _: "")
    monkeypatch.setattr(without, "package", lambda names, _: len(names))
    found = recheck.look(Plan(), ["01-snr"], {"01-snr": SEEDS}, library, Limits(), Isolation("limits"))
    return found["01-snr"], ran


RIGHT, WRONG = Verdict(), Verdict("wrong")
MISSES, MISSES_OWN, MISSES_CHECKS = (
    Verdict("x", asked=frozenset([name]))
    for name in ("gaussian.diffuse", "schedules.NoiseSchedule.snr.func", "checks")
)
CHAPTER, OWN, NOTHING = (
    len(without.library(own)) for own in ([e for e in CHECKS if e[:2] == "01"], ["01-snr"], [])
)


@pytest.mark.parametrize(
    ("library", "answers", "fault", "uses", "ran"),
    [
        ("flag", [RIGHT], "", "", [CHAPTER]),
        ("flag", [WRONG], "wrong", "", [CHAPTER]),
        ("flag", [MISSES, RIGHT], "", "", [CHAPTER, OWN]),
        ("flag", [MISSES, MISSES, RIGHT], "", "library", [CHAPTER, OWN, NOTHING]),
        ("flag", [MISSES, MISSES, WRONG], "wrong", "", [CHAPTER, OWN, NOTHING]),
        ("allow", [MISSES, MISSES, RIGHT], "", "library", [CHAPTER, OWN, NOTHING]),
        ("zero", [MISSES, MISSES], "x", "library", [CHAPTER, OWN]),
        ("flag", [MISSES_OWN, RIGHT], "", "library", [CHAPTER, NOTHING]),
        ("flag", [MISSES_CHECKS, RIGHT], "", "checks", [CHAPTER, "whole"]),
        ("zero", [MISSES_CHECKS], "x", "checks", [CHAPTER]),
        ("flag", [Verdict("x", absent=True), RIGHT], "", "", [CHAPTER, OWN]),
    ],
)
def test_what_is_taken_out_in_turn(monkeypatch, library, answers, fault, uses, ran):
    verdict, seen = looked(monkeypatch, answers, library)
    assert (verdict.fault, verdict.uses, seen) == (fault, uses, ran)


def test_a_machine_that_runs_nothing_is_known(monkeypatch):
    monkeypatch.setattr(
        recheck._Run, "on", lambda self, exercises, _: {e: Verdict("x", absent=True) for e in exercises}
    )
    monkeypatch.setattr(recheck._Run, "machine_fault", lambda _: "no room")
    monkeypatch.setattr(without, "package", lambda names, _: len(names))
    found = recheck.look(Plan(), ["01-snr"], {"01-snr": SEEDS}, "flag", Limits(), Isolation("limits"))
    assert found["01-snr"].machine == "no room"


# ---- a run


def test_answers_are_kept_apart_and_the_calls_are_told(monkeypatch):
    """Three answers in one run: one ends its process, one has an error, and the third is right all the same."""
    sources = {
        "01-diffuse": "import os\ndef diffuse(*a):\n    os._exit(0)",
        "01-snr": "def snr(a):\n    return unknown",
        "01-alpha_bar_from_betas": "import torch\ndef alpha_bar_from_betas(b):\n    display(b)\n    return torch.cumprod(1 - b, dim=0)",
    }
    cells = [Cell("code", source) for source in sources.values()]
    pristine = handout.read("01")
    plan = assembly.plan(pristine, cells, finding.find(cells, pristine))
    run = recheck._Run(plan, dict.fromkeys(sources, SEEDS), Limits(cell=20), Isolation("limits"), None)
    found = run.on(list(sources), without.package([], None))
    assert found["01-diffuse"].absent
    said = "your function stopped with NameError: name 'unknown' is not defined\nin line 2: `return unknown`"
    assert found["01-snr"] == Verdict(said)
    assert found["01-alpha_bar_from_betas"] == Verdict()


def test_a_machine_calls_the_answer_where_no_check_is():
    """Its networks, optimiser and draws are made there; of a wrong one the path comes out, and is told here."""
    solved = chapters.read(next((ROOT / "solutions").glob("03_*.py")))
    source = next(cell.source for cell in solved.cells if cell.id == "03-training_step")
    late = source.replace("    optimizer.zero_grad()\n", "")
    assert late != source
    for text, fault in (
        (source, ""),
        (late, "right up to step 2, learning rates of the two groups that optimizer.step() meets; then"),
    ):
        plan = Plan((Step("own", f"import torch\n{text}"), Step("verdict", exercise="03-training_step")))
        run = recheck._Run(plan, {"03-training_step": SEEDS}, Limits(cell=20), Isolation("limits"), None)
        found = run.on(["03-training_step"], without.package(without.library(CHECKS), None))
        assert found["03-training_step"].fault.startswith(fault)
        assert bool(fault) == bool(found["03-training_step"].fault)


def test_nothing_to_look_at_starts_nothing():
    assert recheck.look(Plan(), [], {}, "flag", Limits(), Isolation("bubblewrap")) == {}
