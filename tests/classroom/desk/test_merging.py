"""A person's marks are in the gradebook and on the pages of the next run, and no run takes them away again."""

import copy
import csv
import io
import json

import pytest
import yaml

from diffusion_course.classroom import handout
from diffusion_course.classroom.checks import OPEN
from diffusion_course.classroom.desk import merging
from diffusion_course.classroom.grading.results import Flag, Graded, Kind, Mark, State
from diffusion_course.classroom.points_file import Points
from diffusion_course.errors import CourseError

POINTS = "01-essay: {task: {the question: 2, the answer: 3}}\n"
HAND = """
marks:
  - {student: ann, exercise: 01-snr, points: 2, comment: Right <b>for</b> the wrong reason.}
  - {student: bob, exercise: 01-essay, rubric: {the question: 2, the answer: 1}}
  - {student: cleo, exercise: 01-diffuse, comment: See me.}
"""


@pytest.fixture
def desk(tmp_path, graded_into):
    """Runs `grade` with a points file that has an open task, and gives the tables."""
    points = tmp_path / "points.yaml"
    points.write_text(POINTS)
    out = tmp_path / "out"

    def run(marks=None, *words):
        if marks is not None:
            out.mkdir(exist_ok=True)
            (out / "marks.yaml").write_text(marks)
        code, said = graded_into("--points", points, *words)
        assert code == 0, said
        table = csv.DictReader(io.StringIO((out / "gradebook.csv").read_text("utf-8-sig")))
        book = json.loads((out / "gradebook.json").read_text())
        return {row.get("student") or row.get("Full name"): row for row in table}, book, said

    return run


def page(tmp_path, student):
    return (tmp_path / "out" / "feedback" / student / "01.html").read_text()


def test_an_open_task_waits_visibly_and_is_not_zero(desk, tmp_path):
    table, book, said = desk()
    assert table["(points possible)"]["01-essay"] == "5"
    assert table["bob"]["01-essay"] == "pending"
    assert table["bob"]["total"] == "3"  # what `asked` gives
    assert "01-essay: waits for a person's marks" in table["bob"]["look at"]
    assert book["students"][1]["pending"] == ["01-essay"]
    assert "waiting for a person's marks: 4 answers" in said
    assert "01-essay: waits for a person&#39;s marks" in (tmp_path / "out" / "summary.html").read_text()
    assert "waits for a person" in page(tmp_path, "bob")
    assert "0 of 5" not in page(tmp_path, "bob")


def test_an_lms_gets_no_grade_that_is_not_whole_yet(desk):
    table, _, _ = desk(HAND, "--format", "moodle")
    assert (table["ann"]["Grade"], table["bob"]["Grade"]) == ("", "6")
    assert "01-essay: waits for a person" in table["ann"]["Feedback comments"]


def test_what_waits_is_a_file_to_be_filled_in(desk, tmp_path):
    desk()
    text = (tmp_path / "out" / "to_mark.yaml").read_text()
    entries = yaml.safe_load(text)["marks"]
    assert [one["student"] for one in entries] == ["ann", "bob", "cleo", "dan"]
    assert entries[0]["rubric"] == {"the question": None, "the answer": None}
    filled = text.replace("# of 2", "2").replace("# of 3", "3")
    table, _, said = desk(filled)
    assert {table[name]["01-essay"] for name in ("ann", "bob", "cleo", "dan")} == {"5"}
    assert "waiting for" not in said
    assert "marks: []" in (tmp_path / "out" / "to_mark.yaml").read_text()


def test_a_persons_marks_arrive_on_the_next_run_and_nothing_is_graded_again(desk, tmp_path, asked):
    desk()
    asked.seen.clear()
    table, book, _ = desk(HAND)
    assert asked.seen == []
    assert [table[name]["01-snr"] for name in ("ann", "bob")] == ["2", "3"]
    assert table["bob"]["01-essay"] == "3"
    mark = book["students"][0]["marks"]["01-snr"]
    assert (mark["points"], mark["was"], mark["state"]) == (2, 3, "marked by a person")
    assert "Right &lt;b&gt;for&lt;/b&gt; the wrong reason." in page(tmp_path, "ann")
    assert "the checks alone gave 3" in page(tmp_path, "ann")
    assert "1 of 3" in page(tmp_path, "bob")
    assert "See me." in page(tmp_path, "cleo")
    assert table["cleo"]["total"] == "4"  # a comment alone changes no points


def test_grading_again_keeps_them_and_taking_them_out_brings_the_machines_back(desk, tmp_path):
    before, _, _ = desk(HAND)
    text = (tmp_path / "out" / "marks.yaml").read_bytes()
    again, _, _ = desk(None, "--secret", "another")  # other rules: everything is graded anew
    assert again == before
    assert (tmp_path / "out" / "marks.yaml").read_bytes() == text
    table, _, _ = desk("marks: []")
    assert table["ann"]["01-snr"] == "3"
    assert "wrong reason" not in page(tmp_path, "ann")


def test_who_handed_in_nothing_can_be_marked(desk, tmp_path):
    roster = tmp_path / "roster.csv"
    roster.write_text("file,student\nann,ann\n,zoe\n")
    table, _, _ = desk(
        "marks: [{student: zoe, exercise: 03-eps_loss, points: 2, comment: oral}]",
        "--roster",
        roster,
    )
    assert (table["zoe"]["03-eps_loss"], table["zoe"]["total"]) == ("2", "2")
    assert "oral" in (tmp_path / "out" / "feedback" / "zoe" / "03.html").read_text()


@pytest.fixture
def edition():
    """Chapter 01, in which a person marks one exercise by lines."""
    notebook = copy.deepcopy(handout.read("01"))
    for cell in notebook.cells:
        if handout.exercise_of(cell) == "01-snr":
            cell.metadata.course.rubric = [["idea", 1, "that it is a ratio"], ["form", 1, "that it is short"]]
    return {"01": notebook}


def waiting():
    mark = Mark("01-snr", 0, 2, State.WAITS, "A person marks this", (Flag(Kind.OPEN),))
    return Graded("ann", "01", "ann/01.ipynb", "ann/01", (mark,))


def test_an_exercise_of_the_course_that_a_person_marks_has_its_lines(tmp_path, edition):
    desk = merging.read(tmp_path, edition, Points(), {"ann"}, {})
    (mark,) = desk.settled(waiting()).marks
    assert (mark.state, mark.lines) == (State.WAITS, (("idea", None, 1), ("form", None, 1)))
    (tmp_path / "marks.yaml").write_text(
        "marks: [{student: ann, exercise: 01-snr, rubric: {idea: 1, form: 0}, comment: long}]"
    )
    desk = merging.read(tmp_path, edition, Points(), {"ann"}, {})
    (mark,) = desk.settled(waiting()).marks
    assert (mark.points, mark.state, mark.flags, mark.hint) == (1, State.MARKED, (), "")
    assert (mark.lines, mark.comment, mark.was) == ((("idea", 1, 1), ("form", 0, 1)), "long", None)


@pytest.mark.parametrize("task", OPEN)
def test_the_courses_own_open_tasks_wait_with_their_rubrics(tmp_path, task):
    chapter = task[:2]
    desk = merging.read(tmp_path, {chapter: handout.read(chapter)}, Points(), {"ann"}, {})
    lines = {line.part: line.points for line in OPEN[task].rubric}
    assert desk.rubrics[task] == lines
    mark = Mark(task, 0, desk.worth[task], State.WAITS)
    (mark,) = desk.settled(Graded("ann", chapter, "a.ipynb", f"ann/{chapter}", (mark,))).marks
    assert {line: most for line, _, most in mark.lines} == lines


def test_lines_that_do_not_add_up_to_an_editions_points_are_not_used(tmp_path, edition):
    next(c for c in edition["01"].cells if handout.exercise_of(c) == "01-snr").metadata.course.points = 3
    (tmp_path / "marks.yaml").write_text(
        "marks: [{student: ann, exercise: 01-snr, rubric: {idea: 1, form: 0}}]"
    )
    with pytest.raises(CourseError, match="01-snr has no rubric; give points"):
        merging.read(tmp_path, edition, Points(), {"ann"}, {})
    other = Points(rubrics={"01-snr": {"idea": 2, "form": 1}})
    (mark,) = merging.read(tmp_path, edition, other, {"ann"}, {}).settled(waiting()).marks
    assert (mark.points, mark.of) == (1, 2)


@pytest.mark.parametrize(
    ("points", "marks", "told"),
    [
        ("01-snr: 9", "", "--points: 01-snr has 9 points, and the edition that is graded 2"),
        ("01-snr: {rubric: {a: 9}}", "", "--points: the rubric of 01-snr has 9 points, want 2"),
        ("01-snr: {task: {a: 2}}", "", "--points: 01-snr is an exercise with a check"),
        ("01-snt: 2", "", "unknown exercise in --points '01-snt': did you mean '01-snr'?"),
        ("01-snr: 2", "marks: [{student: al, exercise: 01-snr, points: 1}]", "marks: "),
        (
            "01-snr: 2",
            "marks: [{student: ann, exercise: 01-essay, points: 1}]",
            "unknown exercise '01-essay'",
        ),
    ],
)
def test_a_faulty_file_is_one_line_before_anything_runs(tmp_path, graded_into, asked, points, marks, told):
    (tmp_path / "points.yaml").write_text(points)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "marks.yaml").write_text(marks)
    for words in ([], ["--dry-run"]):
        code, said = graded_into("--points", tmp_path / "points.yaml", *words)
        assert code == 2
        assert said.startswith("error: ")
        assert told in said
        assert said.count("\n") == 1
    assert asked.seen == []


def test_part_of_the_points_by_hand_is_no_failure(desk, tmp_path):
    desk(HAND)
    row = next(line for line in page(tmp_path, "bob").splitlines() if "marked by a person" in line)
    assert "state wrong" not in row
    assert "state none" in row
