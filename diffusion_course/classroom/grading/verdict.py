"""The verdict on one exercise in the notebook: the public check, this student's hidden one, and functions that are known to be wrong.

It runs in the student's kernel and speaks in data: one output of a kind of its own, whatever else is printed or shown meanwhile.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

MIME = "application/vnd.diffusion-course.verdict+json"
CELL = """\
import diffusion_course.classroom.grading.verdict as _dc_verdict
_dc_verdict.show("{exercise}", "{seed}", {terms!r})"""
Terms = Mapping[str, Any]
NONE: Terms = MappingProxyType({})
CANARIES = 20  # at most
LONGEST = 2000  # characters of a text


def right(exercise: str, terms: Terms = NONE) -> str:
    """What a right answer and a sound checker make of the cell."""
    from ..checks import CHECKS

    return _text({"state": "right", "refused": len(_canaries(CHECKS[exercise].under(**terms)))})


def show(exercise: str, seed: str, terms: Terms = NONE) -> None:
    """Judge the function of an exercise in the notebook that runs this, and send the verdict to whoever listens."""
    from IPython import get_ipython

    shell = get_ipython()
    shell.display_pub.publish({MIME: _text(judge(exercise, shell.user_ns, seed, terms))})


def judge(exercise: str, names: Mapping[str, Any], seed: str, terms: Terms = NONE) -> dict[str, Any]:
    """terms: of the edition. state: "right", "wrong", "not done" or "undefined". Of a wrong one, what the check said, in its parts."""
    from ..checks import CHECKS, CheckFailed, NotDone, examine

    check = CHECKS[exercise].under(**terms)
    if check.function not in names:
        return {"state": "undefined"}
    for asked in (0, seed):
        try:
            examine(check, names[check.function], asked)
        except NotDone as stub:
            return {"state": "not done", "message": str(stub)}
        except CheckFailed as failed:
            said = {"message": str(failed), "fault": failed.fault, "diagnosis": failed.diagnosis}
            return {"state": "wrong", "hidden": asked == seed} | said
    return {"state": "right", "refused": _refused(exercise, names.get("check"), seed, terms)}


def _refused(exercise: str, ask: Any, seed: str, terms: Terms) -> int:
    """How many of some wrong functions the notebook's own `check` refuses."""
    from .. import checks

    asked: Callable = ask if callable(ask) else checks.check
    refused = 0
    for mutant in _canaries(checks.CHECKS[exercise].under(**terms)):
        try:
            asked(exercise, mutant.function, seed=seed, **terms)
        except Exception:
            refused += 1
    return refused


def _canaries(check: Any) -> Sequence[Any]:
    """Mutants of every kind: a change to one part of the checker lets some pass, and which ones depends on the change."""
    from ..checks.engine import accepts

    # The marks of an edition may accept a design that the course's own refuse.
    wrong = [m for m in check.mutants if not check.score or not accepts(check, m.function)]
    most = CANARIES // 3 if check.dear else CANARIES  # all of them run within one cell's time
    return wrong[:: -(-len(wrong) // most) or 1]


def _text(verdict: dict[str, Any]) -> str:
    return json.dumps(
        {k: v[:LONGEST] if isinstance(v, str) else v for k, v in verdict.items()}, sort_keys=True
    )
