"""Marks by a person: read as they were written, and each mistake is one line with the place and the nearest name."""

import pytest

from diffusion_course.classroom.desk import hand_marks
from diffusion_course.classroom.desk.hand_marks import HandMark
from diffusion_course.errors import CourseError

WORTH = {"01-snr": 2, "14-study": 5}
RUBRICS = {"14-study": {"the question": 2, "the reading": 3}}
STUDENTS = ("ann", "bob", "0123", "no")


def read(tmp_path, text):
    path = tmp_path / "marks.yaml"
    path.write_text(text, encoding="utf-8")
    return hand_marks.read(path, STUDENTS, WORTH, RUBRICS)


def test_points_comments_and_rubrics(tmp_path):
    assert read(
        tmp_path,
        """
comments:
  seed: One seed ranks files.
marks:
  - {student: ann, exercise: 01-snr, points: 1, comment: The idea is right.}
  - student: bob
    exercise: 14-study
    rubric: {the reading: 3, the question: 0}
    comments: [seed]
    comment: Well written.
  - {student: 0123, exercise: 01-snr, comment: Come and see me.}
  - {student: no, exercise: 14-study, points: 0}
""",
    ) == {
        ("ann", "01-snr"): HandMark(1, "The idea is right."),
        ("bob", "14-study"): HandMark(
            3, "Well written.\nOne seed ranks files.", (("the question", 0, 2), ("the reading", 3, 3))
        ),
        ("0123", "01-snr"): HandMark(None, "Come and see me."),
        ("no", "14-study"): HandMark(0),
    }


def test_no_file_and_an_empty_one_are_no_marks(tmp_path):
    assert hand_marks.read(tmp_path / "none.yaml", STUDENTS, WORTH, RUBRICS) == {}
    for text in ("", "# later", "marks: []", "comments: {a: b}"):
        assert read(tmp_path, text) == {}


def entry(words):
    return f"comments: {{seed: x}}\nmarks:\n  - {{{words}}}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            entry("student: an, exercise: 01-snr, points: 1"),
            "line 3: unknown student 'an': did you mean 'ann'?",
        ),
        (
            entry("student: ann, exercise: 01-snt, points: 1"),
            "line 3: unknown exercise '01-snt': did you mean '01-snr'?",
        ),
        (
            entry("student: ann, exercise: 01-snr, points: 3"),
            "line 3: points of 01-snr: want a whole number in 0..2, got '3'",
        ),
        (entry("student: ann, exercise: 01-snr, points: -1"), "in 0..2, got '-1'"),
        (entry("student: ann, exercise: 01-snr, points: 1.5"), "in 0..2, got '1.5'"),
        (entry("student: ann, exercise: 01-snr, points: "), "in 0..2, got nothing"),
        (entry("student: ann, exercise: 01-snr, point: 1"), "unknown key 'point': did you mean 'points'?"),
        (entry("student: ann, exercise: 01-snr"), "line 3: a mark without points, rubric or comment"),
        (entry("student: ann, points: 1"), "line 3: a mark without exercise"),
        (entry("exercise: 01-snr, points: 1"), "line 3: a mark without student"),
        (
            entry("student: ann, exercise: 01-snr, comments: [sed]"),
            "unknown comment 'sed': did you mean 'seed'?",
        ),
        (
            entry("student: ann, exercise: 01-snr, comments: seed"),
            "want keys of comments, [a, b], got 'seed'",
        ),
        (entry("student: ann, exercise: 01-snr, rubric: {a: 1}"), "01-snr has no rubric"),
        (
            entry("student: ann, exercise: 14-study, rubric: {the question: 2}"),
            "no points for the line 'the reading'",
        ),
        (
            entry("student: ann, exercise: 14-study, rubric: {the question: 3, the reading: 1}"),
            "the question: want a whole number in 0..2",
        ),
        (
            entry("student: ann, exercise: 14-study, rubric: {the qestion: 2, the reading: 1}"),
            "did you mean 'the question'?",
        ),
        (entry("student: ann, exercise: 14-study, rubric: {the question: , the reading: 1}"), "got nothing"),
        (
            entry("student: ann, exercise: 14-study, points: 2, rubric: {the question: 2, the reading: 1}"),
            "leave one of the two out",
        ),
        (
            entry("student: ann, exercise: 01-snr, points: 1")
            + "\n"
            + entry("student: ann, exercise: 01-snr, points: 2").split("\n")[2],
            "line 4: ann, 01-snr is marked twice, before in line 3",
        ),
        ("marks: {ann: 3}", "line 1: want a list, '- student: ...'"),
        ("mark: []", "unknown key 'mark': did you mean 'marks'?"),
        ("- student: ann", "want comments: and marks:, got a list"),
        ("marks:\n  - ann", "line 2: want student, exercise"),
        ("marks:\n - {student: ann", "is not YAML"),
        ("comments: {a: }\nmarks: []", "want a comment, got nothing"),
    ],
)
def test_a_mistake_is_one_line_with_the_place(tmp_path, text, told):
    with pytest.raises(CourseError) as caught:
        read(tmp_path, text)
    assert told in str(caught.value)
    assert str(caught.value).startswith(f"marks: {tmp_path / 'marks.yaml'}")
    assert "\n" not in str(caught.value)
