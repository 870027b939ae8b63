"""grades/marks.yaml: marks and comments by a person. Grading reads it and never writes it.

comments:                       # to be used again, by their keys
  seed: One seed ranks files, not methods.
marks:
  - {student: ann, exercise: 01-snr, points: 1, comment: The idea is right.}
  - student: ann
    exercise: 14-study
    rubric: {the question: 2, the reading: 3}     # in the place of points: each line that points.yaml has
    comments: [seed]
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import plain
from ..points_file import Lines

NAME = "marks.yaml"
KEYS = ("student", "exercise", "points", "rubric", "comment", "comments")


@dataclass(frozen=True)
class HandMark:
    """What a person says of one answer. points: None leaves the machine's. lines: of the rubric, (line, points, the most)."""

    points: int | None = None
    comment: str = ""
    lines: tuple[tuple[str, int | None, int], ...] = ()


Hand = Mapping[tuple[str, str], HandMark]  # (student, exercise) -> mark


def read(
    path: Path, students: Collection[str], worth: Mapping[str, int], rubrics: Mapping[str, Lines]
) -> Hand:
    """The marks of a file; none where there is no file. worth: exercise -> points. rubrics: exercise -> lines.

    Raises CourseError, in one line with the place and the nearest name, for what cannot be read, names nobody and nothing that is known,
    gives too many points, or marks one answer twice.
    """
    root = plain.read("marks", path) if path.exists() else None
    if root is None:
        return {}
    parts = root.record(("comments", "marks"), "comments: and marks:")
    comments = parts["comments"].mapping("lines like 'key: a comment'") if "comments" in parts else {}
    texts = {key: node.text("a comment") for key, node in comments.items()}
    found: dict[tuple[str, str], HandMark] = {}
    lines: dict[tuple[str, str], int] = {}
    for node in parts["marks"].entries("a list, '- student: ...'") if "marks" in parts else ():
        entry = node.record(KEYS, f"{', '.join(KEYS)}")
        for key in ("student", "exercise"):
            if key not in entry:
                raise node.error(f"a mark without {key}")
        student = entry["student"].known("student", students)
        exercise = entry["exercise"].known("exercise", worth)
        if (student, exercise) in found:
            before = lines[student, exercise]
            raise node.error(f"{student}, {exercise} is marked twice, before in line {before}")
        lines[student, exercise] = node.line
        found[student, exercise] = _mark(node, entry, exercise, worth[exercise], rubrics, texts)
    return found


def _mark(
    node: plain.Node,
    entry: Mapping[str, plain.Node],
    exercise: str,
    most: int,
    rubrics: Mapping[str, Lines],
    texts: Mapping[str, str],
) -> HandMark:
    said = [entry["comment"].text("a comment")] if "comment" in entry else []
    keys = entry["comments"].entries("keys of comments, [a, b]") if "comments" in entry else ()
    said += [texts[key.known("comment", texts)] for key in keys]
    comment = "\n".join(said)
    if "rubric" in entry and "points" in entry:
        raise entry["points"].error(f"{exercise}: the rubric says the points; leave one of the two out")
    if "rubric" in entry:
        lines = _lines(entry["rubric"], exercise, rubrics)
        return HandMark(sum(got for _, got, _ in lines), comment, lines)
    if "points" in entry:
        return HandMark(entry["points"].whole(f"points of {exercise}", 0, most), comment)
    if not comment:
        raise node.error("a mark without points, rubric or comment")
    return HandMark(None, comment)


def _lines(node: plain.Node, exercise: str, rubrics: Mapping[str, Lines]) -> tuple[tuple[str, int, int], ...]:
    if exercise not in rubrics:
        raise node.error(
            f"{exercise} has no rubric; give points, or write one into points.yaml (grade --points)"
        )
    asked, given = rubrics[exercise], node.record(rubrics[exercise], f"lines of the rubric of {exercise}")
    absent = next((line for line in asked if line not in given), None)
    if absent:
        raise node.error(f"{exercise}: no points for the line {absent!r}; write 0 where there are none")
    return tuple((line, given[line].whole(line, 0, most), most) for line, most in asked.items())
