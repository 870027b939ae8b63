"""A student notebook with points of one's own, with exercises given away, and with nbgrader's metadata. Needs no torch."""

import ast
import re
from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from nbformat import NotebookNode

from . import handout
from .ids import function_of
from .terms import Marks, scaled
from .wording import fill

NOTHING: Mapping = MappingProxyType({})

GIVEN = """\
# Not an exercise in this edition: the course's own function does the work.
from diffusion_course.classroom.checks import {table}


{signature}
    return {table}["{exercise}"].reference({arguments})"""


def worth(notebook: NotebookNode, points: Mapping[str, int], hidden: Collection[str]) -> dict[str, int]:
    """Exercise id -> points of what is left to do in a chapter. points: the new ones. hidden: ids of what is given."""
    exercises = handout.exercises(notebook).values()
    return {e.id: points.get(e.id, e.points) for e in exercises if e.id not in hidden}


def adapt(
    notebook: NotebookNode, new: Mapping[str, int], said: Mapping[str, Mapping[str, Any]] = NOTHING
) -> NotebookNode:
    """A copy of a chapter in which the exercises in `new` have these points, and the others are given.

    said: exercise -> the other terms that are not the course's own: "marks" and "variant".
    Every copy gets nbgrader's metadata; nothing else changes where the points are the old ones.
    """
    exercises, old = handout.exercises(notebook), worth(notebook, {}, ())
    adapted = deepcopy(notebook)
    if new != old or said:
        told = [_under(e, new.get(e.id, e.points), **said.get(e.id, {})) for e in exercises.values()]
        for cell in adapted.cells:
            if template := handout.template(cell):  # without the link to Colab, to the course's own edition
                cell.source = fill(template, told, new)
            if (e := handout.exercise_of(cell)) in new:
                cell.metadata.course |= _written(next(one for one in told if one.id == e))
        adapted.cells = [kept for cell in adapted.cells if (kept := _code(cell, old, new, said)) is not None]
    by_hand = {e.id for e in exercises.values() if e.rubric}
    for cell in adapted.cells:
        _mark(cell, new, by_hand)
    return adapted


def _under(exercise: handout.Exercise, points: int, marks: Marks = (), variant: int = 0) -> handout.Exercise:
    return replace(exercise, points=points, marks=marks or scaled(exercise.marks, points), variant=variant)


def _written(exercise: handout.Exercise) -> dict[str, Any]:
    """The terms of an exercise as its cell has them: only what there is."""
    return {key: value for key, value in exercise.terms.items() if value}


def _code(
    cell: NotebookNode,
    old: Mapping[str, int],
    new: Mapping[str, int],
    said: Mapping[str, Mapping[str, Any]],
) -> NotebookNode | None:
    """A cell of a changed chapter: as it was, with the new points, given, or (the check of what is given) gone."""
    exercise, checked = handout.exercise_of(cell), _checked(cell)
    if exercise and exercise not in new:
        table = "TASKS" if cell.metadata.course.get("rubric") else "CHECKS"
        cell.source = _given(cell.source, exercise, table)
        cell.id, cell.metadata = f"{exercise}-given", NotebookNode()
    elif checked and checked not in new:
        return None
    elif checked:
        terms = {"points": new[checked]} if new[checked] != old[checked] else {}
        words = "".join(f", {key}={value!r}" for key, value in {**terms, **said.get(checked, {})}.items())
        call = f'check("{checked}", {function_of(checked)}'
        cell.source = cell.source.replace(f"{call})", f"{call}{words})")
    elif not exercise and cell.cell_type == "code":
        lines = "".join(f'    "{exercise}": {points},\n' for exercise, points in new.items())
        mapping = f"{{\n{lines}}}" if lines else "{}"
        cell.source = re.sub(r"^check_all\(\)$", f"check_all({mapping})", cell.source, flags=re.MULTILINE)
    return cell


def _given(source: str, exercise: str, table: str) -> str:
    """The exercise's function with its own signature and docstring, for the chapter may lean on a default; it calls the reference.

    table: of the checks, in which the exercise is.
    """
    (function,) = ast.parse(source).body  # `build` takes no other exercise
    assert isinstance(function, ast.FunctionDef)
    signature = "\n".join(source.split("\n")[function.lineno - 1 : function.body[0].end_lineno])
    arguments = ", ".join(argument.arg for argument in function.args.args)
    return GIVEN.format(signature=signature, exercise=exercise, arguments=arguments, table=table)


def _checked(cell: NotebookNode) -> str:
    """The exercise that a check cell checks, "" for another cell."""
    found = re.search(r'^check\("([^"]+)"', cell.source, re.MULTILINE)
    return found[1] if found and "check" in cell.metadata.get("tags", []) else ""


def _mark(cell: NotebookNode, new: Mapping[str, int], by_hand: Collection[str]) -> None:
    """nbgrader's metadata, schema version 3: answers, checks with points, and cells that students should leave alone.

    by_hand: exercises that a person marks. Their points are those of the answer, and not of its check.
    """
    marks = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
    exercise, checked = handout.exercise_of(cell), _checked(cell)
    if exercise:
        # nbgrader empties a cell of this kind: of a repair it would take the code away that is to be mended.
        repair = cell.metadata.course.get("repair", False)
        worth = {"grade": True, "points": new[exercise], "cell_type": "code"} if exercise in by_hand else {}
        cell.metadata.nbgrader = NotebookNode(marks, grade_id=exercise, solution=not repair, **worth)
    elif checked in by_hand:
        cell.metadata.nbgrader = NotebookNode(marks, grade_id=f"{checked}-check", locked=True)
    elif checked:
        graded = {"grade": True, "locked": True, "points": new[checked], "cell_type": "code"}
        cell.metadata.nbgrader = NotebookNode(marks, grade_id=f"{checked}-check", **graded)
    elif "setup" in cell.metadata.get("tags", []) or cell.id.endswith("-given"):
        cell.metadata.nbgrader = NotebookNode(marks, grade_id=cell.id, locked=True)
