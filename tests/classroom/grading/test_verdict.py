"""The verdict in the notebook: what the checks say, as data, and whether they were made to say it."""

import json

import pytest
import torch

from diffusion_course.classroom.checks import CHECKS, check
from diffusion_course.classroom.grading import verdict

SNR = CHECKS["01-snr"]


def judge(names, exercise="01-snr", seed="s"):
    return verdict.judge(exercise, names, seed)


def test_a_right_answer_and_a_sound_checker_give_what_is_expected():
    for names in ({"snr": SNR.reference}, {"snr": SNR.reference, "check": check}):
        assert verdict._text(judge(names)) == verdict.right("01-snr")


@pytest.mark.parametrize("exercise", CHECKS)
def test_a_sound_checker_refuses_every_canary(exercise):
    check = CHECKS[exercise]
    assert verdict._text(judge({check.function: check.reference}, exercise)) == verdict.right(exercise)


def test_a_wrong_answer_is_told_in_parts():
    said = judge({"snr": SNR.mutants[0].function})
    assert (said["state"], said["hidden"], said["diagnosis"]) == ("wrong", False, SNR.mutants[0].hint)
    assert said["fault"] in said["message"]


def test_a_stub_and_nothing_are_not_wrong():
    def snr(alpha_bar):
        raise NotImplementedError("todo")

    assert judge({"snr": snr})["state"] == "not done"
    assert judge({})["state"] == "undefined"


@pytest.mark.parametrize(
    "mine", [lambda *_, **__: None, lambda exercise, *_, **__: print(f"{exercise}: correct")]
)
def test_a_check_that_accepts_everything_shows(mine):
    assert judge({"snr": SNR.reference, "check": mine})["refused"] == 0


@pytest.mark.parametrize("mine", [True, 3, lambda a, b: a == b])
def test_a_name_that_a_student_uses_for_something_else_is_no_tampering(mine):
    assert verdict._text(judge({"snr": SNR.reference, "check": mine})) == verdict.right("01-snr")


def test_the_terms_of_an_edition_reach_the_verdict_and_the_canaries():
    design = CHECKS["04-even_betas"]
    linear = design.mutants[1].function  # 1.81, which the course's own marks refuse
    assert judge({"even_betas": linear}, design.id)["state"] == "wrong"
    terms = {"points": 4, "marks": [[1, 2.0], [4, 0.5]], "variant": 0}
    for answer in (linear, design.reference):
        said = verdict.judge(design.id, {"even_betas": answer, "check": check}, "s", terms)
        assert verdict._text(said) == verdict.right(design.id, terms)
    assert verdict.judge(design.id, {"even_betas": design.reference}, "s", {"variant": 1})["state"] == "wrong"


@pytest.mark.parametrize("student", [f"student {n}" for n in range(5)])
@pytest.mark.parametrize("exercise", ["01-alpha_bar_from_betas", "01-diffuse", "01-snr"])
def test_a_checker_that_compares_no_longer_shows_for_every_student(student, exercise, monkeypatch):
    monkeypatch.setattr(torch, "isclose", lambda a, *_, **__: torch.ones_like(a, dtype=torch.bool))
    check = CHECKS[exercise]
    said = judge({check.function: check.reference}, exercise, student)
    assert json.dumps(said, sort_keys=True) != verdict.right(exercise)
