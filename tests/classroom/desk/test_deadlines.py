"""Lateness costs what the file says, counted from a time that somebody vouches for; a file's own time is told and takes nothing."""

import csv
import io
import os
from datetime import UTC, datetime

import pytest
from planted import NAME

from diffusion_course.classroom.desk import deadlines
from diffusion_course.classroom.desk.deadlines import Judged
from diffusion_course.classroom.grading.times import HandedIn
from diffusion_course.errors import CourseError

FILE = """
timezone: Europe/Berlin
late: {per_day: 10, most: 25, grace: 15}
deadlines: {1: 2026-11-03 23:59, 03: 2026-11-10}
extensions: {ann: {01: 2026-11-05}}
submitted: {zoe: {01: 2026-11-04 01:00}}
"""


def read(tmp_path, text=FILE):
    path = tmp_path / "deadlines.yaml"
    path.write_text(text)
    return deadlines.read(path, ("ann", "bob", "zoe"), ("01", "03"))


def told(*when):
    """A time of the server, without a zone."""
    return HandedIn(datetime(2026, 11, *when))


@pytest.mark.parametrize(
    ("student", "chapter", "handed", "judged"),
    [
        ("bob", "01", told(3, 23, 59), Judged()),
        ("bob", "01", told(4, 0, 14), Judged()),  # within the grace
        ("bob", "01", told(4, 0, 15), Judged(10, "handed in 16 min after 2026-11-03 23:59")),
        ("bob", "01", told(4, 23, 59), Judged(10, "handed in 1 day after 2026-11-03 23:59")),
        ("bob", "01", told(5, 2, 59), Judged(20, "handed in 1 day 3 h after 2026-11-03 23:59")),
        ("bob", "01", told(30, 0), Judged(25, "handed in 26 days after 2026-11-03 23:59")),
        ("bob", "03", told(10, 23, 59), Judged()),  # a date is the end of its day
        ("ann", "01", told(5, 23, 0), Judged()),
        ("bob", "01", HandedIn(datetime(2026, 11, 3, 22, 59, tzinfo=UTC)), Judged()),  # 23:59 in Berlin
        ("bob", "02", told(30, 0), Judged()),
        ("zoe", "01", told(30, 0), Judged(10, "handed in 1 h 1 min after 2026-11-03 23:59")),
    ],
)
def test_what_lateness_costs(tmp_path, student, chapter, handed, judged):
    assert read(tmp_path).judged(student, chapter, handed) == judged


def test_a_files_own_time_is_no_proof_unless_it_is_said_to_count(tmp_path):
    late = HandedIn(None, datetime(2026, 11, 5, 2, 59))
    judged = read(tmp_path).judged("bob", "01", late)
    assert (judged.percent, judged.told) == (0, "")
    assert judged.eye == "by its own time 1 day 3 h late, which is no proof: nothing was taken off"
    assert read(tmp_path).judged("bob", "01", HandedIn(None, datetime(2026, 11, 1))) == Judged()
    assert read(tmp_path, FILE + "file_times: count").judged("bob", "01", late).percent == 20


def test_where_nothing_tells_the_instructor_is_told(tmp_path):
    assert read(tmp_path).judged("bob", "01").eye == "nothing tells when it was handed in"
    mark = read(tmp_path).judged("bob", "01", HandedIn(None, datetime(2026, 11, 1), late=True))
    assert mark.eye.startswith("the LMS says it is late, and not by how much")


def test_without_a_penalty_lateness_is_told_and_costs_nothing(tmp_path):
    judged = read(tmp_path, "deadlines: {01: 2026-11-03 23:59}").judged("bob", "01", told(5, 0))
    assert (judged.percent, judged.told) == (0, "handed in 1 day after 2026-11-03 23:59")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("deadline: {}", "unknown key 'deadline': did you mean 'deadlines'?"),
        ("deadlines: {02: 2026-11-03}", "unknown chapter '02': did you mean '03'? known: 01, 03"),
        ("deadlines: {01: soon}", "line 1: want a time like 2026-11-03 23:59, got 'soon'"),
        ("deadlines: {01: 2026-11-33}", "got '2026-11-33'"),
        ("deadlines: {01: 03.11.2026 23:59}", "got '03.11.2026 23:59'"),
        ("deadlines: {01: }", "want a time like 2026-11-03 23:59, got nothing"),
        ("deadlines: [01]", "want lines like '01: 2026-11-03 23:59', got a list"),
        ("timezone: Europe/Berln", "unknown time zone 'Europe/Berln': did you mean 'Europe/Berlin'?"),
        ("late: {per_day: 101}", "per_day, in percent: want a whole number in 0..100, got '101'"),
        ("late: {per_week: 1}", "unknown key 'per_week'"),
        ("late: 10", "want per_day, most, grace, got '10'"),
        ("file_times: yes", "unknown choice 'yes': known: count, tell"),
        (
            "deadlines: {01: 2026-11-03}\nextensions: {an: {01: 2026-11-05}}",
            "line 2: unknown student 'an': did you mean 'ann'?",
        ),
        ("deadlines: {01: 2026-11-03}\nextensions: {ann: {01: 2026-11-02}}", "ends before its deadline"),
        ("extensions: {ann: {01: 2026-11-02}}", "an extension for chapter 01, which has no deadline"),
        ("- x", "want timezone, late"),
    ],
)
def test_a_mistake_is_one_line_with_the_place(tmp_path, text, message):
    with pytest.raises(CourseError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"deadlines: {tmp_path / 'deadlines.yaml'}, line ")
    assert "\n" not in str(caught.value)


def test_no_file_and_an_empty_one_set_no_deadline(tmp_path):
    assert deadlines.read(tmp_path / "none.yaml", (), ()) is read(tmp_path, "# later") is None


@pytest.mark.parametrize("form", ["plain", "moodle", "canvas"])
def test_the_penalty_is_in_the_gradebook_and_on_the_page(tmp_path, place, graded_into, asked, form):
    (place / "ann").rename(place / "Homework_ann_attempt_2026-11-05-02-00-00")
    os.utime(place / "bob" / NAME, (2e9, 2e9))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "deadlines.yaml").write_text(
        FILE.replace("per_day: 10, most: 25", "per_day: 50").split("exten")[0]
    )
    code, said = graded_into("--format", form)
    assert code == 0, said
    table = list(csv.DictReader(io.StringIO((tmp_path / "out" / "gradebook.csv").read_text("utf-8-sig"))))
    by_name = {row.get("student") or row.get("Full name") or row.get("Student"): row for row in table}
    (late,) = [name for name in by_name if "ann" in name]
    column = {"plain": "total", "moodle": "Grade", "canvas": "Chapter 01"}[form]
    full = str(len(late))  # what `asked` gives
    assert by_name[late][column] == "0"
    assert by_name["bob"][column] == "3"
    if form == "plain":
        assert (by_name[late]["01-snr"], by_name[late]["late"], by_name["bob"]["late"]) == (
            full,
            f"-{full}",
            "",
        )
        assert "no proof" in by_name["bob"]["look at"]
        page = next((tmp_path / "out" / "feedback").glob("*ann*/01.html")).read_text()
        assert "handed in 1 day 2 h after 2026-11-03 23:59: 100 % of" in page
        assert "no proof" not in (tmp_path / "out" / "feedback" / "bob" / "01.html").read_text()
        asked.seen.clear()
        (tmp_path / "out" / "deadlines.yaml").unlink()
        assert graded_into()[0] == 0
        assert asked.seen == []
        assert "handed in" not in next((tmp_path / "out" / "feedback").glob("*ann*/01.html")).read_text()
