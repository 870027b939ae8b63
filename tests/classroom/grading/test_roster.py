"""A roster settles what no rule can know, and is refused in one line where it contradicts itself."""

import pytest
from handed import GOOD, TINY, lines, put, remarks, rows, zipped

from diffusion_course.classroom.grading import command, roster
from diffusion_course.classroom.grading.submissions import find
from diffusion_course.errors import CourseError


def read(tmp_path, text):
    path = tmp_path / "students.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return roster.read(path)


def found(tmp_path, files, text):
    return find(put(tmp_path / "in", files), read(tmp_path, text))


FILES = {
    "x.ipynb": TINY,
    "y.ipynb": TINY,
    "box/a.ipynb": TINY,
    "box/deep/b.ipynb": TINY,
    "zoe/03.ipynb": TINY,
}


def test_files_and_folders_get_their_students(tmp_path):
    table = "file,student\nx.ipynb,Ann\nbox,Bob\nbox/deep/b.ipynb,Ann\n"
    made = found(tmp_path, FILES, table)
    assert rows(made) == {
        "x.ipynb": "Ann",
        "y.ipynb": "y",
        "box/a.ipynb": "Bob",
        "box/deep/b.ipynb": "Ann",
        "zoe/03.ipynb": "zoe",
    }
    assert remarks(made) == [
        ("", "not in the roster, graded under the names they have: y.ipynb; zoe/03.ipynb")
    ]


@pytest.mark.parametrize(
    "text",
    ["\ufefffile;student;id\r\nx.ipynb;Ann;canvas:7\r\n", "ID\tStudent\tFile\ncanvas:7\tAnn\t./x.ipynb\n"],
)
def test_a_spreadsheets_ways_of_writing_it(tmp_path, text):
    made = found(tmp_path, {"x.ipynb": TINY}, text)
    assert [(s.student, s.lms_id) for s in made.submissions] == [("Ann", "canvas:7")]


def test_the_folder_around_all_may_be_named_or_not(tmp_path):
    files = {"course/ann/03.ipynb": TINY, "course/bob/03.ipynb": TINY}
    made = found(tmp_path, files, "file,student\ncourse/ann,A\nbob\\03.ipynb,B\n")
    assert rows(made) == {"ann/03.ipynb": "A", "bob/03.ipynb": "B"}


def test_what_is_in_a_zip_can_be_named(tmp_path):
    files = {"both.zip": zipped({"one/03.ipynb": TINY, "two/03.ipynb": TINY}), "zoe/03.ipynb": TINY}
    made = found(tmp_path, files, "file,student\nboth.zip/one,A\nboth.zip/two,B\n")
    assert sorted(rows(made).values()) == ["A", "B", "zoe"]


def test_a_name_in_another_form_of_unicode_is_the_same(tmp_path):
    made = found(tmp_path, {"Zoe\u0301.ipynb": TINY}, "file,student\nZo\u00e9.ipynb,Zoe\n")
    assert list(rows(made).values()) == ["Zoe"]


def test_a_number_of_the_lms_says_whose_a_file_is(tmp_path):
    """As a class list has it: who handed in what is not known yet."""
    files = {
        "leeann_4711_98765_01.ipynb": TINY,
        "kimbo_4712_98766_01.ipynb": TINY,
        "roeday_4713_98767_a.pdf": b"",
    }
    table = ",ann,Ann Lee,canvas:4711\n,roe,Roe Day,4713\n,one,,canvas:4712\n,two,,canvas:4712\n"
    made = found(tmp_path, files, "file,student,name,id\n" + table)
    assert rows(made) == {"leeann_4711_98765_01.ipynb": "ann", "kimbo_4712_98766_01.ipynb": "kimbo"}
    assert [line.student for line in made.lines if line.entry] == ["roe"]
    absent = {student for student, text in remarks(made) if text == "handed in nothing"}
    assert absent == {"one", "two"}


def test_what_is_no_notebook_gets_its_student_too(tmp_path):
    made = found(
        tmp_path,
        {"x.ipynb": TINY, "hw.pdf": b"", "box/hw.pdf": b""},
        "file,student\nhw.pdf,Ann\nbox/hw.pdf,Bob\n",
    )
    assert [(line.entry, line.student) for line in made.lines if line.entry] == [
        ("box/", "Bob"),
        ("hw.pdf", "Ann"),
    ]


def test_who_handed_in_nothing_and_what_matches_nothing_is_told(tmp_path):
    table = "file,student,name\nx.ipynb,Ann,Ann Lee\nnowhere.ipynb,Ann,\n,Bob,\nbox/none,Cleo,\n"
    made = found(tmp_path, FILES, table)
    assert remarks(made) == [
        ("Ann", "the roster's line 3 (nowhere.ipynb) matches nothing"),
        ("Cleo", "the roster's line 5 (box/none) matches nothing"),
        (
            "",
            "not in the roster, graded under the names they have: box/a.ipynb; box/deep/b.ipynb; y.ipynb; zoe/03.ipynb",
        ),
        ("Bob", "handed in nothing"),
        ("Cleo", "handed in nothing"),
    ]
    assert lines(made) == {}
    assert made.count() == "5 entries = 5 rows + 0 lines"


def test_a_roster_among_the_submissions_is_left_out(tmp_path):
    put(tmp_path, {"x.ipynb": GOOD, "students.csv": b"file,student\nx.ipynb,Ann\n"})
    made = find(tmp_path, roster.read(tmp_path / "students.csv"), (tmp_path / "students.csv",))
    assert (rows(made), lines(made)) == ({"x.ipynb": "Ann"}, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column 'file'"),
        ("file,name\nx,Ann\n", "no column 'student'"),
        ("file,student,file\nx,Ann,y\n", "the column 'file' is there twice"),
        ("file,student\nx,Ann\n./x/,Bob\n", "line 3: x is Bob's here, and Ann's in line 2"),
        ("file,student\nx,\n", "line 2 has no student"),
        ("file,student,id\nx,Ann,7\ny,Ann,8\n", "line 3: Ann has another name or id before"),
        ("file,student\nM\u00fcller,Ann\n".encode("latin-1"), "is not UTF-8 text; save it as 'CSV UTF-8'"),
        (b'file,student\n"x,Ann\n', "unexpected end of data"),
    ],
)
def test_a_roster_that_cannot_be_used_is_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(CourseError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith("--roster: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_roster_that_is_not_there(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(CourseError, match=r"--roster: .* cannot be read"):
            roster.read(path)


def test_several_rows_of_one_student_and_the_same_row_twice_are_fine(tmp_path):
    made = read(tmp_path, "file,student,name\nx,Ann,\ny,Ann,Ann Lee\nx,Ann,\n\n")
    assert made.students == {"Ann": ("Ann Lee", "")}


def test_the_dry_run_shows_the_name_and_keeps_every_zero(tmp_path):
    table = "file,student,name,id\nx.ipynb,0101,Ann Lee,0101\ny.ipynb,101,Bob,101\n"
    put(tmp_path / "in", {"x.ipynb": TINY, "y.ipynb": TINY})
    read(tmp_path, table)
    told = []
    options = command.Options(dry_run=True, roster=tmp_path / "students.csv")
    command.run(tmp_path / "in", tmp_path / "out", options, told.append)
    assert [line.split(":")[0] for line in told[:2]] == ["0101 (Ann Lee)", "101 (Bob)"]
    made = find(tmp_path / "in", read(tmp_path, table))
    assert [(s.student, s.lms_id) for s in made.submissions] == [("0101", "0101"), ("101", "101")]
