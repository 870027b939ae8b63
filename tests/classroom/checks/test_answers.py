"""Answers of students' kind, with the verdict each deserves, by authors who had read the chapters and not the checks.

answers/chNN.py: `right__03_eps_loss__einsum` must be accepted, `wrong__01_snr__clamped` must be refused; the docstring says what is
unusual, or wrong. These files are as a student would write, so no linter reads them.
"""

import runpy
from pathlib import Path

import pytest

from diffusion_course.classroom.checks import CHECKS
from diffusion_course.classroom.checks.engine import accepts

FOLDER = Path(__file__).parent / "answers"
# What the texts leave open, or what no machine without a GPU can see: accepted, with the reason.
LEFT_OPEN = {
    "wrong__01_snr__subtle_cached_by_end": "differs on tables in no order, which no schedule has",
    "wrong__03_ddpm_step__subtle_keyword_call": "the text calls the arguments by these names",
    "wrong__03_ddpm_step__subtle_times_on_cpu": "seen on a GPU alone",
    "wrong__14_paired_table__sum_of_floats": "p of 1e-30 is told as -4e-16, which no tolerance for rounding sees",
}


def load(path):
    """name -> (exercise, kind, function)."""
    found = {}
    for name, function in runpy.run_path(str(path)).items():
        kind, _, rest = name.partition("__")
        if kind in ("right", "wrong"):
            number, _, exercise = rest.partition("__")[0].partition("_")
            found[name] = (CHECKS[f"{number}-{exercise}"], kind, function)
    return found


@pytest.mark.parametrize("path", sorted(FOLDER.glob("ch*.py")), ids=lambda path: path.stem)
def test_every_answer_gets_its_verdict(path):
    answers = load(path)
    assert len(answers) >= 100
    wrongly = []
    for name, (check, kind, function) in answers.items():
        seeds = (0, "another") if kind == "right" else (0,)
        if any(accepts(check, function, seed) != (kind == "right" or name in LEFT_OPEN) for seed in seeds):
            wrongly.append(f"{name}: {function.__doc__}")
    assert not wrongly, "\n".join(wrongly)
