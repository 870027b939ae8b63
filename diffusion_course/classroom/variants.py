"""Versions of an exercise: a slip planted in a repair, or other numbers. A seed draws them for a class.

They are data of the checks, which load torch: these are asked only where an edition needs them.
"""

import ast
import hashlib
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from nbformat import NotebookNode

from ..errors import CourseError
from . import handout
from .terms import read_marks, scaled
from .wording import HEADING


def plant(code: str, edits: Mapping[str, str]) -> str:
    """The code with a slip. Raises CourseError unless what is changed stands there once."""
    for right, wrong in edits.items():
        if code.count(right) != 1:
            raise CourseError(f"a slip changes {right!r}, which must stand in the code once")
        code = code.replace(right, wrong)
    return code


def mend(code: str, edits: Mapping[str, str]) -> str:
    """The code without the slip that `plant` made."""
    return plant(code, {wrong: right for right, wrong in edits.items()})


def draw(seed: str, exercises: Iterable[str]) -> dict[str, int]:
    """Exercise -> the number of its version, never 0, the course's own; of those alone that have others. None without a seed."""
    if not seed:
        return {}
    from .checks import TASKS

    others = {e: len(TASKS[e].variants) - 1 for e in exercises}
    return {e: 1 + _number(f"{seed}\n{e}") % n for e, n in others.items() if n > 0}


def terms(
    drawn: Mapping[str, int], marks: Mapping[str, Mapping[Any, Any]], points: Mapping[str, int]
) -> dict[str, dict[str, Any]]:
    """Exercise -> what its check must be told: its version, and marks. An exercise with another slip needs no more, and has {}.

    marks: exercise -> points -> score, of a points file. points: of every exercise. Raises CourseError for marks that are none.
    """
    if not drawn and not marks:
        return {}
    from .checks import TASKS

    for exercise in marks:
        if not TASKS[exercise].score:
            raise CourseError(f"--points: {exercise} has no score, so it has points and no marks")
    found: dict[str, dict[str, Any]] = {}
    for e in {**drawn, **marks}:
        number = drawn.get(e, 0)
        changes = TASKS[e].variants[number].changes if number else {}
        found[e] = {"variant": number} if changes else {}
        if e in marks:
            found[e]["marks"] = read_marks(f"--points: {e}", marks[e], TASKS[e].lower)
        elif "marks" in changes:
            found[e]["marks"] = scaled(changes["marks"], points[e])
    return found


def vary(notebook: NotebookNode, drawn: Mapping[str, int]) -> NotebookNode:
    """A copy of a chapter with these versions in its text and its code."""
    varied, current = deepcopy(notebook), ""
    for cell in varied.cells if drawn else ():
        if (exercise := handout.exercise_of(cell)) in drawn:
            cell.source, current = _code(cell.source, exercise, drawn[exercise]), ""
        elif cell.cell_type == "code":
            if current in drawn:  # what the exercise is about, between its heading and its cell
                cell.source = _text(cell.source, current, drawn[current])
            cell.source = _calling(cell.source, drawn)
        for headed in HEADING.findall(handout.template(cell)):
            current = headed
            if headed in drawn:
                cell.metadata.course.template = _text(handout.template(cell), headed, drawn[headed])
    return varied


def _code(source: str, exercise: str, number: int) -> str:
    from .checks import TASKS

    check = TASKS[exercise]
    edits = check.variants[number].edits
    return plant(mend(source, check.variants[0].edits), edits) if check.repair else _edited(source, edits)


def _text(text: str, exercise: str, number: int) -> str:
    from .checks import TASKS

    check = TASKS[exercise]
    return text if check.repair else _edited(text, check.variants[number].edits)


def _calling(source: str, drawn: Mapping[str, int]) -> str:
    """A cell of the chapter whose calls of a varied function give it what its version takes."""
    from .checks import TASKS

    for e, number in drawn.items():
        for argument, form in TASKS[e].variants[number].calls.items():
            source = given(source, TASKS[e].function, TASKS[e].parameters.index(argument), argument, form)
    return source


def given(source: str, function: str, place: int, name: str, form: str) -> str:
    """The code with form.format(what stands there) for one argument in each call of a function. Of what is no Python nothing changes."""
    try:
        calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    except SyntaxError:  # a magic
        return source
    found: list[ast.expr] = []
    for call in calls:
        if isinstance(call.func, ast.Name) and call.func.id == function:
            found += [k.value for k in call.keywords if k.arg == name] or call.args[place : place + 1]
    lines = source.encode().split(b"\n")  # columns are counted in bytes
    for value in sorted(found, key=lambda v: (v.lineno, v.col_offset), reverse=True):
        assert value.end_lineno == value.lineno, "an argument that is varied stands on one line"
        line, start, end = lines[value.lineno - 1], value.col_offset, value.end_col_offset
        old = line[start:end].decode()
        new = form.format(old if isinstance(value, ast.Name | ast.Constant) else f"({old})")
        lines[value.lineno - 1] = line[:start] + new.encode() + line[end:]
    return b"\n".join(lines).decode()


def _edited(text: str, edits: Mapping[str, str]) -> str:
    for old, new in edits.items():
        text = text.replace(old, new)
    return text


def _number(words: str) -> int:
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big")
