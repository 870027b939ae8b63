"""The gradebook says what was graded, in the columns that Moodle and Canvas want, and runs nothing in a spreadsheet."""

import csv
import io
import json

import pytest

from diffusion_course.classroom.grading import gradebook
from diffusion_course.classroom.grading.results import Graded, Mark
from diffusion_course.classroom.grading.trouble import Line, Trouble, Why
from diffusion_course.errors import CourseError

WORTH = {"01-snr": 2, "03-x0_from_eps": 2, "03-ddpm_step": 3}


def graded(student, chapter="03", path="", got=(), lms_id="", **more):
    """One file. got: exercise -> points."""
    marks = [
        Mark(e, p, WORTH[e], "right" if p else "wrong", "" if p else "a hint") for e, p in dict(got).items()
    ]
    page = f"{student}/{chapter or 'unknown'}"
    return Graded(
        student, chapter, path or f"{student}/{chapter}.ipynb", page, tuple(marks), lms_id=lms_id, **more
    )


ANN = graded("ann", got={"03-x0_from_eps": 2, "03-ddpm_step": 0})
ANN_1 = graded("ann", "01", got={"01-snr": 2})
BOB = graded("bob", "", problem="the file is empty")


def written(folder, batch, form="plain"):
    """The table and the JSON that are written for a batch."""
    gradebook.write(folder, batch, WORTH, form)
    text = (folder / "gradebook.csv").read_bytes().decode("utf-8-sig")
    book = json.loads((folder / "gradebook.json").read_bytes())
    return list(csv.reader(io.StringIO(text, newline=""))), book


def column(table, name):
    place = table[0].index(name)
    return [row[place] for row in table[1:]]


def test_one_row_for_each_student(tmp_path):
    table, _ = written(tmp_path, [ANN, BOB, ANN_1])
    assert table == [
        ["student", "01-snr", "03-x0_from_eps", "03-ddpm_step", "total", "look at"],
        ["(points possible)", "2", "2", "3", "7", ""],
        ["ann", "2", "2", "0", "4", ""],
        ["bob", "0", "0", "0", "0", "the file is empty"],
    ]


def test_the_better_of_two_files_counts_whole():
    worse = graded("ann", path="a", got={"03-x0_from_eps": 2, "03-ddpm_step": 0})
    better = graded("ann", path="b", got={"03-x0_from_eps": 0, "03-ddpm_step": 3})
    for batch in ([worse, better], [better, worse]):
        (row,) = gradebook.students(batch)
        assert {e: m.points for e, m in row.marks.items()} == {"03-x0_from_eps": 0, "03-ddpm_step": 3}
        assert (row.total, len(row.graded)) == (3, 2)


def test_of_equal_files_the_first_counts_and_a_graded_one_before_an_unreadable_one():
    first = graded("ann", path="a", got={"03-x0_from_eps": 2, "03-ddpm_step": 0})
    equal = graded("ann", path="b", got={"03-x0_from_eps": 0, "03-ddpm_step": 2})
    assert gradebook.students([first, equal])[0].marks["03-x0_from_eps"].points == 2
    broken = graded("ann", path="0", problem="the file is empty")
    nothing = graded("ann", path="a", got={"03-x0_from_eps": 0})
    assert gradebook.students([broken, nothing])[0].marks["03-x0_from_eps"].state == "wrong"


def test_the_json_holds_everything(tmp_path):
    flagged = Mark("03-ddpm_step", 0, 3, "stopped", "a hint\nof two lines", ("a flag",))
    one = graded("ann", lms_id="moodle:4711", notes=("a note",))
    one = Graded(**{**one.__dict__, "marks": (flagged,)})
    _, book = written(tmp_path, [one])
    assert (book["exercises"], book["total"]) == (WORTH, 7)
    assert book["students"] == [
        {
            "student": "ann",
            "id": "moodle:4711",
            "total": 0,
            "marks": {
                "03-ddpm_step": {
                    "exercise": "03-ddpm_step",
                    "points": 0,
                    "of": 3,
                    "state": "stopped",
                    "hint": "a hint\nof two lines",
                    "flags": ["a flag"],
                }
            },
            "files": [
                {
                    "path": "ann/03.ipynb",
                    "chapter": "03",
                    "points": 0,
                    "page": "feedback/ann/03.html",
                    "problem": "",
                    "notes": ["a note"],
                    "look at": ["a note", "03-ddpm_step: a flag"],
                }
            ],
        }
    ]


@pytest.mark.parametrize("form", ["plain", "moodle", "canvas"])
def test_identical_runs_give_identical_bytes_whatever_they_took(tmp_path, form):
    slow = [Graded(**{**g.__dict__, "seconds": 9.0, "peak": 10**9}) for g in (ANN, ANN_1, BOB)]
    for place, batch in (("a", [ANN, ANN_1, BOB]), ("b", slow), ("c", [BOB, ANN_1, ANN])):
        gradebook.write(tmp_path / place, batch, WORTH, form)
    for name in ("gradebook.csv", "gradebook.json"):
        contents = [(tmp_path / place / name).read_bytes() for place in "ab"]
        assert contents[0] == contents[1]
    assert (tmp_path / "a/gradebook.csv").read_bytes() == (tmp_path / "c/gradebook.csv").read_bytes()


NAMES = ["Lee, Ann", 'Ann "the Man" Lee', "O'Brien", "李 小龙", "Chloé\nDupré", "a;b", "a,\r\nb", "(ann)"]


@pytest.mark.parametrize("form", ["plain", "moodle", "canvas"])
def test_names_come_back_as_they_were(tmp_path, form):
    table, book = written(tmp_path, [graded(name) for name in NAMES], form)
    head = {"plain": "student", "moodle": "Full name", "canvas": "Student"}[form]
    assert column(table, head)[-len(NAMES) :] == sorted(NAMES)
    assert [row["student"] for row in book["students"]] == sorted(NAMES)
    assert len({len(row) for row in table}) == 1


@pytest.mark.parametrize("form", ["plain", "moodle", "canvas"])
@pytest.mark.parametrize(
    "name",
    ["=1+2", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "|calc", "%0A=1", '=HYPERLINK("x")'],
)
def test_no_cell_is_a_formula(tmp_path, form, name):
    table, book = written(tmp_path, [graded(name, path=name, notes=(name,), got={"01-snr": 0})], form)
    for cell in (cell for row in table for cell in row if cell.strip() not in ("", "-", "Points Possible")):
        assert cell.lstrip()[0] not in "=+-@|%\t\r\n"
    assert book["students"][0]["student"] == name


def test_an_empty_cell_stays_empty(tmp_path):
    table, _ = written(tmp_path, [ANN])
    assert column(table, "look at") == ["", ""]


def test_moodles_worksheet(tmp_path):
    batch = [graded("Ann Lee", got={"03-x0_from_eps": 2, "03-ddpm_step": 3}, lms_id="moodle:4711")]
    batch += [graded("bob@uni.edu"), graded("eve"), graded("fay", lms_id="canvas:9")]
    table, _ = written(tmp_path, batch, "moodle")
    assert column(table, "Identifier") == ["Participant 4711", "", "", ""]
    assert column(table, "Full name") == ["Ann Lee", "bob@uni.edu", "eve", "fay"]
    assert column(table, "Email address") == ["", "bob@uni.edu", "", ""]
    assert column(table, "Username") == ["", "", "eve", "fay"]
    assert column(table, "Grade") == ["5", "0", "0", "0"]
    assert column(table, "Maximum grade") == ["7"] * 4
    assert column(table, "Last modified (grade)") == ["-"] * 4
    assert column(table, "03-ddpm_step") == ["3", "0", "0", "0"]
    assert column(table, "Feedback comments")[0] == "03-x0_from_eps: 2 of 2; 03-ddpm_step: 3 of 3"


def test_canvass_gradebook(tmp_path):
    batch = [graded("leeann", got={"03-x0_from_eps": 2, "03-ddpm_step": 3}, lms_id="canvas:4711")]
    batch += [graded("bob", "01", got={"01-snr": 0}), graded("eve", lms_id="moodle:9", problem="x")]
    table, _ = written(tmp_path, batch, "canvas")
    assert table == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Chapter 01", "Chapter 03"],
        ["    Points Possible", "", "", "", "", "2", "5"],
        ["bob", "", "", "bob", "", "0", ""],
        ["eve", "", "", "eve", "", "", "0"],
        ["leeann", "4711", "", "", "", "", "5"],
    ]


def test_marks_that_do_not_count_are_in_no_column(tmp_path):
    gradebook.write(tmp_path, [ANN, ANN_1], {"03-x0_from_eps": 2})
    table = list(csv.reader(io.StringIO((tmp_path / "gradebook.csv").read_text("utf-8-sig"))))
    assert table == [
        ["student", "03-x0_from_eps", "total", "look at"],
        ["(points possible)", "2", "2", ""],
        ["ann", "2", "2", ""],
    ]


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(CourseError, match="did you mean 'moodle'"):
        gradebook.write(tmp_path, [ANN], WORTH, "moodel")
    assert list(tmp_path.iterdir()) == []


def test_a_result_comes_back_from_its_json():
    one = Graded(**{**ANN.__dict__, "lms_id": "canvas:1", "cells": (("code", "x"),), "notes": ("n",)})
    assert Graded.from_json(json.loads(json.dumps(one.as_json()))) == one


# What has no row.

LINES = [
    Line(Trouble(Why.OTHER), "ann/hw.pdf", "ann"),
    Line(Trouble(Why.BESIDE, "x.csv"), "bob/", "bob"),
    Line(Trouble(Why.ARCHIVE), "cleo_9_815_x.rar", "cleo", "canvas:9"),
    Line(Trouble(Why.OTHER), "readme.txt"),
    Line(Trouble(Why.MAYBE_ONE, "ann; Ann")),
]


def test_lines_stand_in_the_plain_table_and_in_the_json(tmp_path):
    gradebook.write(tmp_path, [ANN, BOB], WORTH, lines=LINES)
    table = list(csv.reader(io.StringIO((tmp_path / "gradebook.csv").read_text("utf-8-sig"))))
    assert table[2:] == [
        ["ann", "0", "2", "0", "2", "ann/hw.pdf: is no notebook (.ipynb)"],
        ["bob", "0", "0", "0", "0", "the file is empty"],
        ["cleo", "", "", "", "", "cleo_9_815_x.rar: is an archive that is not opened; only .zip is"],
        ["", "", "", "", "", "readme.txt: is no notebook (.ipynb)"],
        ["", "", "", "", "", "may be one person: ann; Ann"],
    ]
    book = json.loads((tmp_path / "gradebook.json").read_bytes())
    assert book["lines"] == [line.as_json() for line in LINES]
    assert set(book["lines"][0]) == {"entry", "student", "why"}
    assert book["entries"] == 6


def test_an_lms_gets_an_empty_grade_for_who_has_lines_alone_and_no_guesses(tmp_path):
    for form, head in (("moodle", "Full name"), ("canvas", "Student")):
        gradebook.write(tmp_path, [ANN], WORTH, form, LINES)
        raw = (tmp_path / "gradebook.csv").read_bytes()
        assert not raw.startswith(b"\xef\xbb\xbf")
        table = list(csv.reader(io.StringIO(raw.decode(), newline="")))
        assert column(table, head)[-2:] == ["ann", "cleo"]
        assert not {*table[-1]} - {"cleo", "9", "", "-", "7"}


def test_a_spreadsheet_reads_the_accents_of_the_plain_table(tmp_path):
    gradebook.write(tmp_path, [graded("Zoé")], WORTH)
    assert (tmp_path / "gradebook.csv").read_bytes().startswith("\ufeffstudent".encode())


def test_a_roster_gives_an_lms_names_logins_and_numbers(tmp_path):
    one = graded("alee", got={"01-snr": 2}, lms_id="4711")
    for form, row in (
        ("moodle", ["Participant 4711", "Ann Lee", "", "alee", "2"]),
        ("canvas", ["Ann Lee", "4711", "", "alee", ""]),
    ):
        gradebook.write(tmp_path, [one], WORTH, form, details={"alee": ("Ann Lee", "4711")})
        assert list(csv.reader(io.StringIO((tmp_path / "gradebook.csv").read_text())))[-1][:5] == row


@pytest.mark.parametrize("control", ["\x1b[31m", "\x07", "\x9b31m", "\x00"])
def test_a_cell_holds_nothing_that_a_terminal_obeys(tmp_path, control):
    gradebook.write(
        tmp_path,
        [graded("ann", notes=(f"a{control}b",))],
        WORTH,
        lines=[Line(Trouble(Why.OTHER), f"x{control}")],
    )
    assert control[0] not in (tmp_path / "gradebook.csv").read_text()
