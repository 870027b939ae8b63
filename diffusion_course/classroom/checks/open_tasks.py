"""Tasks that a person marks: the answer is words, part by part, and the check sees only whether every part is there.

The parts, their points and what these are given for, the rubric, stand in classroom/points.yaml.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ..wording import in_points
from .data import Check, CheckFailed, Line
from .faults import not_done, signature_fault
from .unwritten import is_given

RUBRICS = Path(__file__).parents[1] / "points.yaml"
LEAST = 8  # words that a part has at least


def read(path: Path = RUBRICS) -> dict[str, Check]:
    """The open tasks of a file, by their ids: "14-my_study"."""
    told = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {name: _task(name, terms) for name, terms in told.items()}


def examine(check: Check, answer: Callable) -> None:
    """Raise CheckFailed or NotDone unless `answer()` is a dictionary with a text for every part of the rubric."""
    if is_given(answer):
        raise not_done(check)
    if fault := signature_fault(check, answer) or _fault(check, answer):
        raise CheckFailed(f"{check.id}: {fault}", fault)


def told(rubric: tuple[Line, ...]) -> str:
    """The rubric in one line: "question (2 points), plan (2), ..."."""
    first, *others = rubric
    return ", ".join(
        [f"{first.part} ({in_points(first.points)})", *(f"{o.part} ({o.points})" for o in others)]
    )


def waiting(rubric: tuple[Line, ...], points: int) -> str:
    """What is said of a task that was handed in."""
    return f"waits for a person, who gives up to {in_points(points)}: {told(rubric)}"


def _task(name: str, terms: Mapping[str, Any]) -> Check:
    rubric = tuple(Line(part, line["points"], line["for"]) for part, line in terms["rubric"].items())

    def reference() -> dict[str, str]:
        return {line.part: line.what for line in rubric}

    return Check(
        id=name,
        points=sum(line.points for line in rubric),
        minutes=terms["minutes"],
        level=terms["level"],
        reference=reference,
        inputs=lambda d: (),
        where="",
        mutants=(),
        rubric=rubric,
    )


def _fault(check: Check, answer: Callable) -> str:
    try:
        found = answer()
    except NotImplementedError:
        raise not_done(check) from None
    except Exception as error:
        return f"your function stopped with {type(error).__name__}: {error}"
    parts = [line.part for line in check.rubric]
    if not isinstance(found, dict):
        returned = "None (is the `return` missing?)" if found is None else type(found).__name__
        return f"your function returned {returned}, want a dictionary with a text for each of: {', '.join(parts)}"
    for part in parts:
        if part not in found:
            return f"the part {part!r} is missing; the parts are {', '.join(parts)}"
        text = found[part]
        if not isinstance(text, str):
            return f'the part {part!r} is {type(text).__name__}, want a text: "..."'
        if len(text.split()) < LEAST:
            return f"the part {part!r} has {len(text.split())} words; whoever marks it needs {LEAST} at least"
    odd = next((key for key in found if key not in parts), None)
    return f"there is no part {odd!r}; the parts are {', '.join(parts)}" if odd is not None else ""
