"""An instructor's points.yaml: what exercises are worth, how their points are given, and further tasks that only a person can mark.

01-diffuse: 5                                 # points
04-even_betas: {2: 1.5, 4: 0.75, 6: 0.36}     # of a design: points, and the score from which they are given
03-eps_loss:
  points: 4
  shares: {a sum: 2}                          # points for a known mistake: a piece of its hint
  rubric: {the mean: 3, no loop: 1}           # lines by which a person marks it
14-study:
  task: {the question: 2, the reading: 4}     # an open task: it has no check, and waits for a person
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..errors import CourseError, check_integer
from . import plain

WORDS = ("points", "marks", "shares", "rubric", "task")
ID = re.compile(r"\d\d-[a-z0-9_-]+")
MOST = 1000  # points of a line
Lines = Mapping[str, int]  # a line of a rubric -> its points


@dataclass(frozen=True)
class Points:
    """What a points file says. points: exercise -> points. marks: of a design, points -> score. shares: exercise -> piece of a mistake's
    hint -> points. rubrics: exercise -> lines. tasks: open task -> lines; without lines it is left out."""

    points: dict[str, int] = field(default_factory=dict)
    marks: dict[str, dict[Any, Any]] = field(default_factory=dict)
    shares: dict[str, Lines] = field(default_factory=dict)
    rubrics: dict[str, Lines] = field(default_factory=dict)
    tasks: dict[str, Lines] = field(default_factory=dict)


def read(path: Path | None) -> Points:
    """Raises CourseError in one line: a file that is no YAML, points that are none, words that it does not know."""
    if path is None:
        return Points()
    found = Points()
    root = plain.read("--points", path)
    if root is None or not root.is_mapping:
        raise CourseError(f"--points: {path} must hold lines like '01-diffuse: 5'")
    for exercise, node in root.mapping("lines like '01-diffuse: 5'").items():
        _entry(found, exercise, node)
    return found


def _entry(found: Points, exercise: str, node: plain.Node) -> None:
    if not node.is_mapping:
        check_integer(f"--points: {exercise}", node.value, 1)
        found.points[exercise] = node.value
        return
    if not (node.mapping("").keys() & {*WORDS}):
        _marks(found, exercise, node)
        return
    parts = node.record(WORDS, f"{', '.join(WORDS)}")
    if "task" in parts:
        if set(parts) != {"task"}:
            raise node.error(f"{exercise}: a task has its lines, and nothing besides")
        if not ID.fullmatch(exercise):
            raise node.error(f"{exercise}: want a name like '03-defence' for a task")
        found.tasks[exercise] = _lines(exercise, parts["task"])
        return
    if "points" in parts:
        check_integer(f"--points: {exercise}", parts["points"].value, 1)
        found.points[exercise] = parts["points"].value
    if "marks" in parts:
        if "points" in parts:
            raise parts["points"].error(f"{exercise}: its marks say what it is worth; leave out points")
        _marks(found, exercise, parts["marks"])
    for word, place in (("shares", found.shares), ("rubric", found.rubrics)):
        if word in parts:
            place[exercise] = _lines(exercise, parts[word])


def _marks(found: Points, exercise: str, node: plain.Node) -> None:
    marks: dict[Any, Any] = {}
    for key, value in node.node.value if isinstance(node.node, yaml.MappingNode) else ():
        points = plain.Node(node.source, key).value
        check_integer(f"--points: {exercise}", points, 1)
        marks[points] = plain.Node(node.source, value).value
    check_integer(f"--points: {exercise}", max(marks, default=None), 1)
    found.points[exercise], found.marks[exercise] = max(marks), marks


def _lines(exercise: str, node: plain.Node) -> Lines:
    lines = node.mapping(f"lines of {exercise} like 'the question: 2'")
    return {line: points.whole(line, 1, MOST) for line, points in lines.items()}
