"""A folder around all is no student; one student's folder is not around several."""

import pytest
from handed import ONE, TINY, lines, put, remarks, rows, zipped

from diffusion_course.classroom.grading.submissions import find

C3 = "03_epsilon_loss.ipynb"
AROUND = "taken as a folder around the students' own"


def students(found):
    return sorted(rows(found).values())


@pytest.mark.parametrize("around", ["course-2026/", "a/b/course-2026/", "Submissions (1)/deep/"])
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["Ann Lee/{}", "Bob/{}"], ["Ann Lee", "Bob"]),
        (["Ann Lee/notebooks/{}", "Bob/notebooks/{}"], ["Ann Lee", "Bob"]),
        (["ann_{}", "bob_{}"], ["ann", "bob"]),
        (["student 101.ipynb", "student 102.ipynb"], ["student 101", "student 102"]),
        (["leeann_201_8154_{}", "leebob_202_8155_{}"], ["leeann", "leebob"]),
        (["Ann_1_assignsubmission_file_/{}", "Ann_2_assignsubmission_file_/{}"], ["Ann 1", "Ann 2"]),
        (["01/{}", "02/{}"], ["01", "02"]),
    ],
)
def test_a_folder_around_all_is_no_student(tmp_path, around, files, expected):
    named = {around + name.format(C3): TINY for name in files}
    for found in (
        find(put(tmp_path / "folder", named)),
        find(put(tmp_path, {"renamed (1).zip": zipped(named)}) / "renamed (1).zip"),
        find(put(tmp_path / "one zip", {"export.zip": zipped(named)})),
    ):
        assert students(found) == expected
        assert found.entries == len(files)
        assert any(AROUND in text for _, text in remarks(found))


@pytest.mark.parametrize(
    "files",
    [
        ["ann/" + C3],
        ["ann/deep/er/" + C3],
        ["ann/01_forward_process.ipynb", "ann/" + C3],
        ["ann/a.ipynb", "ann/b.ipynb"],
        ["ann/final/" + C3, "ann/old version/" + C3],
        ["ann/week1/01_forward_process.ipynb", "ann/week2/" + C3],
        ["ann/notebooks/01_forward_process.ipynb", "ann/notebooks/" + C3, "ann/solutions/" + C3],
        ["ann/" + C3, "ann/03_epsilon_loss (1).ipynb", "ann/Untitled1.ipynb"],
        ["Ann Lee_7_assignsubmission_file_/x/bob_1.ipynb", "Ann Lee_7_assignsubmission_file_/y/eve_1.ipynb"],
    ],
)
def test_one_students_folder_alone_is_a_student(tmp_path, files):
    found = find(put(tmp_path, dict.fromkeys(files, TINY)))
    assert len(set(students(found))) == 1
    assert remarks(found) == []


def test_what_lies_beside_the_folder_around_all_is_told(tmp_path):
    files = {f"course/{name}/{C3}": TINY for name in ("ann", "bob")} | {
        "readme.txt": b"",
        "course/list.pdf": b"",
    }
    found = find(put(tmp_path, files | {"course/eve/hw.pdf": b"", ".DS_Store": b""}))
    assert students(found) == ["ann", "bob"]
    assert set(lines(found)) == {"readme.txt", "list.pdf", "eve/"}


def test_sections_are_no_students_and_one_name_in_two_stays_two(tmp_path):
    files = {
        f"section {s}/{name}/{C3}": TINY
        for s, name in (("A", "ann"), ("A", "bob"), ("B", "cleo"), ("B", "ann"))
    }
    found = find(put(tmp_path, files))
    assert students(found) == ["bob", "cleo", "section A/ann", "section B/ann"]
    assert remarks(found) == [
        ("", "taken as folders around the students' own: section A, section B"),
        ("", "may be one person: section A/ann; section B/ann"),
    ]


def test_a_student_whose_folder_holds_other_names_stays_one_and_is_told(tmp_path):
    files = {f"ann/{name}/{C3}": TINY for name in ("paula", "peter")} | {f"bob/{C3}": TINY}
    found = find(put(tmp_path, files))
    assert students(found) == ["ann", "ann", "bob"]
    assert remarks(found) == [("ann", "may be several people, but counts as one: paula, peter")]


def test_a_zip_of_one_student_has_its_name(tmp_path):
    found = find(
        put(tmp_path, {"ann.zip": zipped({f"hand in/{C3}": TINY, "hand in/01_forward_process.ipynb": ONE})})
    )
    assert students(found) == ["ann", "ann"]
