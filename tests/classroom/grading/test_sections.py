"""Two people are never in one row because of the folder or zip that both lie in; one student's folder stays one."""

import pytest
from handed import ONE, TINY, put, remarks, rows, zipped

from diffusion_course.classroom.grading.submissions import find

C1, C3 = "01_forward_process.ipynb", "03_epsilon_loss.ipynb"
MOODLE = "{}_{}_assignsubmission_file_/" + C3


def students(found):
    return sorted(rows(found).values())


def some(text, found):
    return [(student, why) for student, why in remarks(found) if text in why]


def as_folders(tmp_path, tree):
    return find(
        put(tmp_path / "folders", {f"{s}/{n}": c for s, files in tree.items() for n, c in files.items()})
    )


def as_zips(tmp_path, tree):
    return find(put(tmp_path / "zips", {f"{s}.zip": zipped(files) for s, files in tree.items()}))


def as_zips_in_a_zip(tmp_path, tree):
    whole = zipped({f"{s}.zip": zipped(files) for s, files in tree.items()})
    return find(put(tmp_path / "whole", {"all.zip": whole}))


@pytest.mark.parametrize("given", [as_folders, as_zips, as_zips_in_a_zip])
@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"Tutorial 1": ["Ann Lee.ipynb", "Bob Fox.ipynb"], "Tutorial 2": ["Eve Ray.ipynb"]}, ["Ann Lee", "Bob Fox", "Eve Ray"]),
        ({"week1": ["ann.zip", "bob.zip"], "week2": ["eve.zip"]}, ["ann", "bob", "eve"]),
        ({"late": ["ann.ipynb", "bob.ipynb"], "01": ["eve.ipynb", "fay.ipynb"]}, ["ann", "bob", "eve", "fay"]),
        ({"DL26-Homework-4711": [MOODLE.format("Ann", 7), MOODLE.format("Bob", 8)], "hw": [MOODLE.format("Eve", 9)]}, ["Ann", "Bob", "Eve"]),
        ({"Lab 1": ["101.ipynb", "102.ipynb"], "Lab 2": ["103.ipynb"]}, ["101", "102", "103"]),
    ],
)  # fmt: skip
def test_sections_are_no_students(tmp_path, given, tree, expected):
    made = {
        s: {n: zipped({C3: TINY}) if n.endswith(".zip") else TINY for n in files} for s, files in tree.items()
    }
    found = given(tmp_path, made)
    assert students(found) == expected
    assert len(some("taken as folders around the students' own", found)) == 1


@pytest.mark.parametrize("given", [as_folders, as_zips])
def test_one_name_in_two_sections_stays_two_and_is_told(tmp_path, given):
    parts = {f"drive-download-20261103T120000Z-00{n}": {f"Ann/{c}": TINY} for n, c in ((1, C1), (2, C3))}
    for number, tree in enumerate((parts, {f"Tutorial {n}": {f"Ann/{C3}": TINY} for n in (1, 2)})):
        found = given(tmp_path / str(number), tree)
        assert len(set(students(found))) == 2
        assert len(some("may be one person", found)) == 1


def test_moodles_numbers_tell_apart_in_one_export_only(tmp_path):
    one = {"A1": {MOODLE.format("Ann", 1): TINY, MOODLE.format("Ann", 2): TINY}}
    two = {"A1": {MOODLE.format("Ann", 1): TINY}, "A2": {MOODLE.format("Ann", 2): TINY}}
    for tree, told in ((one, 0), (two, 1)):
        found = as_folders(tmp_path / str(told), tree)
        assert students(found) == ["Ann 1", "Ann 2"]
        assert len(some("may be one person", found)) == told


@pytest.mark.parametrize("given", [as_folders, as_zips])
def test_a_group_stays_one_and_its_members_are_told(tmp_path, given):
    group = {"01_forward_process_ann.ipynb": ONE, "03_epsilon_loss_bob.ipynb": TINY}
    found = given(tmp_path, {"Group 7": group, "Group 8": {C3: TINY}})
    assert students(found) == ["Group 7", "Group 7", "Group 8"]
    assert some("may be several", found) == [
        ("Group 7", f"may be several people, but counts as one: {', '.join(group)}")
    ]


@pytest.mark.parametrize(
    "files",
    [
        ["homework.ipynb", "diffusion.ipynb", C3],
        ["Ann Lee 1.ipynb", "lee final.ipynb"],
        ["ann_01.ipynb", "draft of ann.ipynb", "copy 101.ipynb", "copy 102.ipynb"],
        ["week1/" + C1, "week2/" + C3],
    ],
)
def test_one_students_own_names_are_not_told(tmp_path, files):
    found = as_folders(tmp_path, {"Ann Lee": dict.fromkeys(files, TINY), "Bob": {C3: TINY}})
    assert set(students(found)) == {"Ann Lee", "Bob"}
    assert remarks(found) == []


def test_numbered_folders_are_students(tmp_path):
    found = as_folders(
        tmp_path, {number: {"my work.ipynb": TINY, "plan.ipynb": ONE} for number in ("01", "02", "A")}
    )
    assert set(students(found)) == {"01", "02", "A"}
