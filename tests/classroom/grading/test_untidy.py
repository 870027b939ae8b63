"""A right answer keeps its points, however untidy the notebook is: the list of cells makes each function, and it is right.

The cells run in this process, in the shell of the second look, as they would in the sandbox.
"""

import json

import pytest
from IPython.core.interactiveshell import InteractiveShell
from planted import RIGHT
from traitlets.config import Config
from untidy import NOTEBOOKS, many

from diffusion_course.classroom import handout
from diffusion_course.classroom.checks import CHECKS, examine
from diffusion_course.classroom.grading import assembly, finding, reading, recheck_worker

EXERCISES = list(RIGHT)


@pytest.fixture
def shell():
    InteractiveShell.clear_instance()
    made = recheck_worker.Shell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    yield made
    recheck_worker.Shell.clear_instance()


def planned(made):
    cells, _ = reading.cells(json.dumps(made).encode())
    return assembly.plan(handout.read("01"), cells, finding.find(cells, handout.read("01")))


@pytest.mark.parametrize("name", [*NOTEBOOKS, "many"])
def test_all_answers_are_found_and_right(name, shell):
    plan = planned(NOTEBOOKS.get(name) or many())
    judged, errors = [], []
    for step in plan.steps:
        if step.part == "verdict":
            check = CHECKS[step.exercise]
            assert check.function in shell.user_ns, errors
            examine(check, shell.user_ns[check.function], "s")
            judged.append(step.exercise)
        else:
            error = recheck_worker._run(shell, step.source, 60)
            errors += [(step.source, error)] if error else []
    assert sorted(judged) == sorted(EXERCISES), errors
