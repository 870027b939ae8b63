"""What becomes of every kind of file that may be handed in: whose it is, which chapter, and which answers are in it."""

import copy
import io
import json
import os
import subprocess
import sys
import unicodedata
import zipfile
from pathlib import Path

import pytest

from diffusion_course.classroom import handout
from diffusion_course.classroom.grading import intake, submissions
from diffusion_course.classroom.grading.submissions import find, safe
from diffusion_course.errors import CourseError

FIRST, SECOND, THIRD = "03-x0_from_eps", "03-eps_loss", "03-ddpm_step"
NAMES = {name[:2]: f"{name}.ipynb" for name in handout.names()}


def written(exercise, body="    return 1\n"):
    return f"# EXERCISE {exercise} (keep this line)\ndef {exercise[3:]}(*args):\n{body}"


def notebook(chapter="03", solved=(FIRST, SECOND, THIRD)):
    """A chapter as a student saves it, with some exercises written."""
    raw = json.loads(json.dumps(copy.deepcopy(handout.read(chapter))))
    for cell in raw["cells"]:
        exercise = exercise_of(cell)
        if exercise in solved:
            cell["source"] = written(exercise)
    return raw


def exercise_of(cell):
    return cell["metadata"].get("course", {}).get("id")


def dumped(raw):
    return json.dumps(raw).encode()


GOOD = dumped(notebook())
ONE = dumped(notebook("01", ("01-snr",)))


def put(folder: Path, files: dict) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else dumped(content))
    return folder


def alone(folder: Path, content, name="ann/03_epsilon_loss.ipynb"):
    """The one submission that a folder with this one file gives."""
    (only,) = find(put(folder, {name: content}))
    return only


def zipped(files: dict, compression=zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def who(found):
    return [(s.student, s.chapter, s.lms_id) for s in found]


# Whose file it is.


@pytest.mark.parametrize(
    ("name", "student", "lms_id"),
    [
        ("ann/03_epsilon_loss.ipynb", "ann", ""),
        ("ann/deep/er/anything.ipynb", "ann", ""),
        ("03_epsilon_loss_ann.ipynb", "ann", ""),
        ("ann_03_epsilon_loss.ipynb", "ann", ""),
        ("ann lee - 03_epsilon_loss (1).ipynb", "ann lee", ""),
        ("03_epsilon_loss.ipynb", "unnamed", ""),
        ("ann.lee@uni.edu/03.ipynb", "ann.lee@uni.edu", ""),
        ("Ann Lee_4711_assignsubmission_file_/03.ipynb", "Ann Lee", "moodle:4711"),
        ("Ann Lee_4711_assignsubmission_file_03_epsilon_loss.ipynb", "Ann Lee", "moodle:4711"),
        ("Participant_4711_assignsubmission_file_/x.ipynb", "Participant", "moodle:4711"),
        ("leeann_4711_815_03_epsilon_loss-1.ipynb", "leeann", "canvas:4711"),
        ("leeann_LATE_4711_815_03_epsilon_loss.ipynb", "leeann", "canvas:4711"),
        ("mallory_9_816_victim_4711_815_x.ipynb", "mallory", "canvas:9"),
        ("mallory/victim_4711_815_x.ipynb", "mallory", ""),
        ("ann_2024_03_epsilon_loss.ipynb", "ann_2024", ""),
        ("O'Brien, Sean/03.ipynb", "O'Brien, Sean", ""),
        ("李 小龙/03.ipynb", "李 小龙", ""),
        (unicodedata.normalize("NFD", "Chloé") + "/03.ipynb", "Chloé", ""),
        ("a\nb\x1b[31m/03.ipynb", "a b [31m", ""),
        ("=1+2/03.ipynb", "=1+2", ""),
        ("<b>x/03.ipynb", "<b>x", ""),
        ("..%2f..ann/03.ipynb", "%2f..ann", ""),
        ("\u202eann/03.ipynb", "ann", ""),
        ("x" * 150 + "/03.ipynb", "x" * 100, ""),
    ],
)
def test_the_name_says_whose_file_it_is(tmp_path, name, student, lms_id):
    (one,) = find(put(tmp_path, {name: GOOD}))
    assert who([one]) == [(student, "03", lms_id)]
    assert one.problem == ""
    assert set(one.answers) == {FIRST, SECOND, THIRD}


def test_a_name_that_is_no_text_is_cleaned_everywhere(tmp_path):
    folder = os.fsencode(tmp_path) + b"/ann\xff"
    os.mkdir(folder)
    with open(folder + b"/03\xfe.ipynb", "wb") as file:
        file.write(GOOD)
    (one,) = find(tmp_path)
    assert one.student == "ann"
    assert f"{one.student} {one.path} {one.page}".encode()


def test_github_classroom_puts_the_assignment_before_the_user(tmp_path):
    files = {f"{repo}/notebooks/{NAMES['03']}": GOOD for repo in ("diffusion-ann", "diffusion-bob-smith")}
    files |= {f"chapter-03-{user}/notebooks/{NAMES['03']}": GOOD for user in ("eve", "fay-1")}
    put(tmp_path, files)
    (tmp_path / "diffusion-gus").mkdir()
    found = find(tmp_path)
    assert [s.student for s in found] == ["ann", "bob-smith", "eve", "fay-1", "gus"]
    assert found[-1].problem == "no notebook (.ipynb) found: the folder is empty or a link"


def test_names_with_a_hyphen_stay_whole_where_they_are_no_repositories(tmp_path):
    found = find(put(tmp_path, {"mary-ann/03.ipynb": GOOD, "mary-beth/03.ipynb": GOOD}))
    assert [s.student for s in found] == ["mary-ann", "mary-beth"]


def test_a_repository_counts_with_the_chapters_that_were_touched(tmp_path):
    repo = {f"chapter-03-ann/notebooks/{name}": notebook(number, ()) for number, name in NAMES.items()}
    repo[f"chapter-03-ann/notebooks/{NAMES['03']}"] = notebook("03", (FIRST,))
    repo[f"chapter-03-ann/solutions/{NAMES['01']}"] = ONE
    (one,) = find(put(tmp_path, repo))
    assert who([one]) == [("ann", "03", "")]
    assert one.notes == ()


def test_a_repository_without_any_work_counts_with_the_chapter_it_was_made_for(tmp_path):
    repo = {f"chapter-03-ann/notebooks/{name}": notebook(number, ()) for number, name in NAMES.items()}
    (one,) = find(put(tmp_path, repo))
    assert who([one]) == [("ann", "03", "")]
    assert set(one.answers) == {FIRST, SECOND, THIRD}


def test_an_untouched_notebook_counts_where_nothing_else_was_handed_in(tmp_path):
    one = alone(tmp_path, notebook(solved=()))
    assert set(one.answers) == {FIRST, SECOND, THIRD}
    assert not one.touched


def test_two_students_of_one_name_are_told_apart(tmp_path):
    names = [f"Ann Lee_{number}_assignsubmission_file_/03.ipynb" for number in (4711, 4712)]
    found = find(put(tmp_path, dict.fromkeys(names, GOOD)))
    assert who(found) == [("Ann Lee 4711", "03", "moodle:4711"), ("Ann Lee 4712", "03", "moodle:4712")]


def test_two_files_of_one_chapter_are_both_there_with_a_note(tmp_path):
    found = find(put(tmp_path, {"ann/a.ipynb": GOOD, "ann/b.ipynb": notebook(solved=(FIRST,))}))
    assert [s.page for s in found] == ["ann/03", "ann/03-2"]
    assert all("more than one file" in s.notes[0] for s in found)


def test_files_of_two_chapters_carry_no_note(tmp_path):
    found = find(put(tmp_path, {"ann/a.ipynb": GOOD, "ann/b.ipynb": ONE}))
    assert [(s.chapter, s.notes) for s in found] == [("01", ()), ("03", ())]


def test_no_student_is_lost(tmp_path):
    put(tmp_path, {"ann/essay.pdf": b"x", "bob/a.txt": b"", "bob/b.txt": b"", "gus/03.ipynb": GOOD})
    (tmp_path / "eve").mkdir()
    (tmp_path / "fay").symlink_to(tmp_path / "gus")
    found = find(tmp_path)
    assert {s.student: s.problem for s in found} == {
        "ann": "no notebook (.ipynb) found: essay.pdf",
        "bob": "no notebook (.ipynb) found: a.txt, b.txt",
        "eve": "no notebook (.ipynb) found: the folder is empty or a link",
        "fay": "no notebook (.ipynb) found: the folder is empty or a link",
        "gus": "",
    }


def test_moodles_folder_of_online_text_is_no_second_submission(tmp_path):
    put(tmp_path, {"Ann_7_assignsubmission_file_/03.ipynb": GOOD})
    put(tmp_path, {"Ann_7_assignsubmission_onlinetext_/onlinetext.html": b"<p>done</p>"})
    assert [s.problem for s in find(tmp_path)] == [""]


def test_stray_and_hidden_files_are_passed_over(tmp_path):
    put(
        tmp_path, {"ann_03.ipynb": GOOD, "readme.txt": b"", ".hidden.ipynb": GOOD, "__MACOSX/._x.ipynb": b"x"}
    )
    put(tmp_path, {".ipynb_checkpoints/ann_03-checkpoint.ipynb": GOOD})
    assert [s.path for s in find(tmp_path)] == ["ann_03.ipynb"]


def test_where_nothing_is(tmp_path):
    with pytest.raises(CourseError, match=r"no \.ipynb file"):
        find(tmp_path)
    with pytest.raises(CourseError, match="neither a folder nor"):
        find(tmp_path / "missing")
    with pytest.raises(CourseError, match="broken zip"):
        find(put(tmp_path, {"cut.zip": GOOD}) / "cut.zip")


def test_the_order_and_the_pages_do_not_depend_on_the_disk(tmp_path):
    files = {
        f"{name}/{n}.ipynb": content for name in "cab" for n, content in ((1, GOOD), (2, ONE), (3, GOOD))
    }
    first = find(put(tmp_path / "x", files))
    second = find(put(tmp_path / "y", dict(reversed(files.items()))))
    assert first == second
    assert [s.page for s in first][:3] == ["a/01", "a/03", "a/03-2"]


# A name as a folder.

NASTY = [
    *(
        "ann",
        "Ann",
        "ANN",
        "ann lee",
        "ann_lee",
        "ann  lee",
        "..",
        ".",
        "...",
        "",
        " ",
        "con",
        "CON",
        "con.txt",
        "nul",
        "com1",
    ),
    *(
        "a/b",
        "a\\b",
        "a:b",
        "a*b",
        "a?b",
        "ann.",
        "ann-",
        "straße",
        "strasse",
        "é",
        "e\u0301",
        "x" * 300,
        "x" * 301,
        "unnamed",
    ),
    *("../ann", "\udcff", "ann\n", "-rf", "李", "~", "$HOME", "%2e%2e", "a" * 39 + ".b"),
]


def test_no_two_names_share_a_folder_even_where_capitals_do_not_count():
    names = [*NASTY, *(safe(name) for name in NASTY if safe(name) != name)]
    folders = {unicodedata.normalize("NFD", safe(name)).casefold() for name in names}
    assert len(folders) == len(set(names))


@pytest.mark.parametrize("name", NASTY)
def test_a_folder_is_good_on_every_system(name):
    folder = safe(name)
    assert 0 < len(folder.encode()) <= 200
    assert not set(folder) & set('/\\:*?"<>|\n\0 $%~')
    assert folder.strip("._-") != ""
    assert folder[0] not in ".-"
    assert folder[-1] != "."
    assert folder.split(".")[0].lower() not in {"con", "prn", "aux", "nul", "com1", "lpt1"}


def test_a_plain_name_is_kept():
    assert [safe(name) for name in ("ann", "ann.lee@uni.edu", "bob-smith", "李")] == [
        *("ann", "ann.lee@uni.edu", "bob-smith", "李")
    ]


# What is in a notebook.


def test_metadata_stripped_by_colab(tmp_path):
    raw = notebook()
    for cell in raw["cells"]:
        cell["metadata"] = {"id": "aB3"}
    assert alone(tmp_path, raw).answers == {e: written(e) for e in (FIRST, SECOND, THIRD)}


def test_the_first_line_deleted_but_metadata_there(tmp_path):
    raw = notebook()
    for cell in raw["cells"]:
        if exercise_of(cell):
            cell["source"] = cell["source"].split("\n", 1)[1]
    one = alone(tmp_path, raw)
    assert one.answers == {e: written(e).split("\n", 1)[1] for e in (FIRST, SECOND, THIRD)}
    assert [kind for kind, _ in one.cells if kind in one.answers] == [FIRST, SECOND, THIRD]


def test_a_cell_that_was_split_counts_with_the_half_that_has_the_line(tmp_path):
    raw = notebook()
    place = next(i for i, cell in enumerate(raw["cells"]) if exercise_of(cell) == FIRST)
    half = copy.deepcopy(raw["cells"][place])
    half["source"] = "print(x0_from_eps)"
    raw["cells"].insert(place + 1, half)
    one = alone(tmp_path, raw)
    assert one.answers[FIRST] == written(FIRST)
    assert one.notes == ()


def test_reordered_cells(tmp_path):
    raw = notebook()
    raw["cells"].reverse()
    assert alone(tmp_path, raw).answers == {e: written(e) for e in (FIRST, SECOND, THIRD)}


def test_deleted_cells(tmp_path):
    raw = notebook()
    raw["cells"] = [cell for cell in raw["cells"] if exercise_of(cell) != SECOND]
    assert set(alone(tmp_path, raw).answers) == {FIRST, THIRD}


@pytest.mark.parametrize("blank_last", [False, True])
def test_a_duplicated_exercise_counts_as_the_last_that_is_written(tmp_path, blank_last):
    raw = notebook(solved=(SECOND, THIRD))
    blank = handout.exercises(handout.read("03"))[FIRST].blank
    extra = [
        {"cell_type": "code", "metadata": {}, "source": written(FIRST, f"    return {n}\n")} for n in (2, 3)
    ]
    raw["cells"] = [*extra, *raw["cells"]] if blank_last else [*raw["cells"], *extra]
    one = alone(tmp_path, raw)
    assert one.answers[FIRST] == written(FIRST, "    return 3\n")
    assert any("more than once" in note for note in one.notes)
    assert (FIRST, one.answers[FIRST]) in one.cells
    assert ("code", blank) in one.cells


def test_a_blank_in_windows_line_ends_is_a_blank(tmp_path):
    raw = notebook(solved=())
    for cell in raw["cells"]:
        cell["source"] = cell["source"].replace("\n", "\r\n")
    assert not alone(tmp_path, raw).touched


def test_unknown_exercises_are_told(tmp_path):
    raw = notebook()
    raw["cells"].append({"cell_type": "code", "metadata": {}, "source": "# EXERCISE 03-free_points\n1"})
    raw["cells"].append({"cell_type": "code", "metadata": {"course": {"id": "99-x"}}, "source": "1"})
    one = alone(tmp_path, raw)
    assert set(one.answers) == {FIRST, SECOND, THIRD}
    assert one.notes == ("the course has no exercise 03-free_points",)


def test_an_answer_in_a_cell_of_text_does_not_count(tmp_path):
    raw = notebook()
    next(cell for cell in raw["cells"] if exercise_of(cell) == FIRST)["cell_type"] = "markdown"
    one = alone(tmp_path, raw)
    assert set(one.answers) == {SECOND, THIRD}
    assert one.notes == (f"exercise {FIRST} is in a cell of text, so it does not count",)


def test_the_wrong_chapter_is_graded_as_what_it_holds(tmp_path):
    one = alone(tmp_path, ONE, "ann/03_epsilon_loss.ipynb")
    assert one.chapter == "01"
    assert one.notes == ("the file's name says chapter 03, but it holds exercises of chapter 01",)
    assert one.page == "ann/01"


def test_answers_of_two_chapters_in_one_file(tmp_path):
    raw = notebook("03", (FIRST, SECOND))
    raw["cells"].append({"cell_type": "code", "metadata": {}, "source": written("01-snr")})
    one = alone(tmp_path, raw, "ann/x.ipynb")
    assert (one.chapter, set(one.answers)) == ("03", {FIRST, SECOND, THIRD})
    assert one.notes == ("holds exercises of another chapter, which are not graded: 01-snr",)


def test_what_is_written_decides_the_chapter(tmp_path):
    raw = notebook("03", ())
    raw["cells"].append({"cell_type": "code", "metadata": {}, "source": written("01-snr")})
    assert alone(tmp_path, raw).chapter == "01"


def test_old_and_new_formats(tmp_path):
    new, plain, old = notebook(), notebook(), notebook()
    new |= {"nbformat": 4, "nbformat_minor": 5}
    plain |= {"nbformat": 4, "nbformat_minor": 0}
    for cell in plain["cells"]:
        cell.pop("id", None)
        cell["source"] = cell["source"].splitlines(keepends=True)
    sheet = [
        {
            "cell_type": c["cell_type"],
            "metadata": {},
            "input" if c["cell_type"] == "code" else "source": c["source"],
        }
        for c in old["cells"]
    ]
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {},
        "worksheets": [{"cells": sheet}, 7, {"cells": 7}],
    }
    files = {"a/03.ipynb": new, "b/03.ipynb": plain, "c/03.ipynb": old}
    found = find(put(tmp_path, files))
    assert [s.problem for s in found] == ["", "", ""]
    assert found[0].answers == found[1].answers == found[2].answers
    assert [s.notes for s in found] == [(), (), ("saved in the old notebook format 3",)]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b" \n\t ", "the file is empty"),
        (GOOD.replace(b"noise", b"no\xffse"), "the file is not UTF-8 text"),
        (GOOD.decode().encode("utf-16"), "the file is not UTF-8 text"),
        (GOOD[:-100], "the file is not JSON; was the download cut short?"),
        (b"[" * 100_000, "the file is not JSON; was the download cut short?"),
        (b"[" * 100_000 + b"]" * 100_000, "the file is not JSON; was the download cut short?"),
        (b'{"nbformat": ' + b"9" * 5000 + b"}", "the file is not JSON; was the download cut short?"),
        (b"[1, 2]", "the file is JSON, but no notebook"),
        (b"7", "the file is JSON, but no notebook"),
        (b"{}", "the file is no notebook of format 3 or 4 (nbformat is 'None')"),
        (b'{"nbformat": 5, "cells": []}', "the file is no notebook of format 3 or 4 (nbformat is '5')"),
        (
            b'{"nbformat": "\\ud800", "cells": []}',
            "the file is no notebook of format 3 or 4 (nbformat is '?')",
        ),
        (b'{"nbformat": 4, "cells": {}}', "the file is no notebook of format 3 or 4 (nbformat is '4')"),
        (
            b'{"nbformat": 4, "cells": []}',
            "no cell begins with '# EXERCISE ...'; is it a notebook of this course?",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_a_submission_with_a_problem(tmp_path, content, problem):
    found = find(put(tmp_path, {"ann/03_epsilon_loss.ipynb": content, "bob/03.ipynb": GOOD}))
    assert [(s.student, s.chapter, s.problem) for s in found] == [("ann", "03", problem), ("bob", "03", "")]
    assert found[0].answers == {}


def test_a_byte_order_mark_and_nan_do_no_harm(tmp_path):
    raw = notebook()
    raw["metadata"]["x"] = float("nan")
    one = alone(tmp_path, b"\xef\xbb\xbf" + dumped(raw))
    assert (one.problem, len(one.answers)) == ("", 3)


def test_damaged_cells_are_left_out(tmp_path):
    raw = notebook()
    raw["cells"] += [
        7,
        None,
        {},
        {"cell_type": "code", "source": 7},
        {"cell_type": "code", "source": [1, "x"]},
    ]
    raw["cells"] += [
        {"cell_type": "code", "source": "1", "metadata": m}
        for m in (7, {"course": 7}, {"course": {"id": []}})
    ]
    one = alone(tmp_path, raw)
    assert len(one.answers) == 3
    assert one.notes == ("3 cells are damaged and not read",)


def test_halves_of_surrogate_pairs_are_replaced(tmp_path):
    raw = notebook(solved=())
    for cell in raw["cells"]:
        cell["source"] += "\ud800 \U0001f600"
    one = alone(tmp_path, raw)
    assert one.answers[FIRST].endswith("\ufffd \U0001f600")
    assert json.dumps([one.answers, one.cells], ensure_ascii=False).encode()


def test_a_huge_answer_is_told_and_not_graded(tmp_path):
    raw = notebook()
    next(c for c in raw["cells"] if exercise_of(c) == FIRST)["source"] = written(FIRST) + "#" * 200_000
    one = alone(tmp_path, raw)
    assert set(one.answers) == {SECOND, THIRD}
    assert one.notes == (f"exercise {FIRST} has more than 100,000 characters, so it is not graded",)


def test_a_page_is_not_larger_than_a_person_reads(tmp_path):
    raw = notebook()
    raw["cells"] = [{"cell_type": "markdown", "source": "x" * 500_000, "metadata": {}}] * 30 + raw["cells"]
    one = alone(tmp_path, raw)
    assert sum(len(source) for _, source in one.cells) < 500_000
    assert {FIRST, SECOND, THIRD} <= {kind for kind, _ in one.cells}


# What is no plain file.


def test_a_huge_file_is_not_read(tmp_path, monkeypatch):
    put(tmp_path, {"ann/03.ipynb": b""})
    os.truncate(tmp_path / "ann/03.ipynb", 200_000_000)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("it was read"))
    (one,) = find(tmp_path)
    assert one.problem == "the file has 200 MB; 20 MB is the most"


def test_links_pipes_and_folders_are_not_opened(tmp_path):
    secret = put(tmp_path / "outside", {"03.ipynb": GOOD})
    inside = tmp_path / "in"
    for name in ("link", "pipe", "folder", "deep", "dead"):
        (inside / name).mkdir(parents=True)
    (inside / "link/03.ipynb").symlink_to(secret / "03.ipynb")
    (inside / "dead/03.ipynb").symlink_to("nowhere")
    os.mkfifo(inside / "pipe/03.ipynb")
    (inside / "folder/03.ipynb").mkdir()
    (inside / "deep/all").symlink_to(secret)
    problems = {s.student: s.problem for s in find(inside)}
    assert problems == {
        "link": "the file is a link or no plain file",
        "dead": "the file is a link or no plain file",
        "pipe": "the file is a link or no plain file",
        "folder": "the file is a folder, not a file",
        "deep": "no notebook (.ipynb) found: the folder is empty or a link",
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_a_file_without_permission(tmp_path):
    put(tmp_path, {"ann/03.ipynb": GOOD})
    (tmp_path / "ann/03.ipynb").chmod(0)
    (one,) = find(tmp_path)
    assert "cannot be read" in one.problem


# Zips.


def test_a_zip_gives_what_its_folder_gives(tmp_path):
    names = ["Ann Lee_4711_assignsubmission_file_/03.ipynb", "Bob_4712_assignsubmission_file_/x/03.ipynb"]
    files = {**dict.fromkeys(names, GOOD), "Eve_4713_assignsubmission_file_/essay.pdf": b"x"}
    folder = put(tmp_path / "folder", files)
    plain = put(tmp_path, {"export.zip": zipped(files)}) / "export.zip"
    wrapped = put(tmp_path, {"all.zip": zipped({f"all/{n}": c for n, c in files.items()})}) / "all.zip"
    assert find(folder) == find(plain) == find(wrapped)
    assert [p.name for p in tmp_path.iterdir()].count("export") == 0


def test_a_zip_that_a_student_handed_in(tmp_path):
    inner = zipped(
        {"work/03_epsilon_loss.ipynb": GOOD, "work/data.csv": b"", "__MACOSX/work/._03.ipynb": b"x"}
    )
    files = {"Ann_7_assignsubmission_file_/hand-in.zip": inner, "leebob_8_815_hand-in.zip": inner}
    files |= {
        "eve/empty.zip": zipped({"a.txt": b""}),
        "fay.zip": zipped({"a.txt": b""}),
        "gus/cut.zip": inner[:-30],
    }
    found = find(put(tmp_path, files))
    assert [(s.student, s.lms_id, len(s.answers)) for s in found] == [
        *(("Ann", "moodle:7", 3), ("eve", "", 0), ("fay", "", 0), ("gus", "", 0), ("leebob", "canvas:8", 3))
    ]
    assert [s.problem for s in found] == [
        "",
        "no notebook (.ipynb) found: empty.zip",
        "no notebook (.ipynb) found: fay.zip",
        "the file is a broken zip (File is not a zip file)",
        "",
    ]
    assert found[0].path == "Ann_7_assignsubmission_file_/hand-in.zip/work/03_epsilon_loss.ipynb"


def test_a_zip_in_a_zip_is_told(tmp_path):
    export = zipped({"ann/hand-in.zip": zipped({"03.ipynb": GOOD}), "bob/03.ipynb": GOOD})
    found = find(put(tmp_path, {"export.zip": export}) / "export.zip")
    assert [s.problem for s in found] == [
        "no notebook (.ipynb) found: hand-in.zip; a zip in a zip is not opened",
        "",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.ipynb",
        "/etc/evil.ipynb",
        "ann/../../evil.ipynb",
        "C:/evil.ipynb",
        "ann\\evil.ipynb",
        "..\\evil.ipynb",
    ],
)
def test_names_that_lead_out_of_a_zip_are_refused(tmp_path, name):
    found = find(put(tmp_path, {"export.zip": zipped({name: GOOD, "zoe/03.ipynb": GOOD})}) / "export.zip")
    refused = [s for s in found if s.problem]
    assert [s.problem for s in refused] == ["the file has a name in the zip that leads out of its folder"]
    assert [s.student for s in found if not s.problem] == ["zoe"]
    assert all(".." not in s.page and not s.page.startswith("/") for s in found)


def test_an_encrypted_entry_a_link_and_an_odd_compression_are_refused(tmp_path):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in ("locked", "link", "good"):
            entry = zipfile.ZipInfo(f"{name}/03.ipynb")
            entry.external_attr = (0o120777 if name == "link" else 0o644) << 16
            archive.writestr(entry, b"/etc/passwd" if name == "link" else GOOD)
        archive.writestr("odd/03.ipynb", GOOD, zipfile.ZIP_LZMA)
    raw = bytearray(made.getvalue())
    central = raw.index(b"PK\x01\x02")
    raw[6] |= 1
    raw[central + 8] |= 1
    found = find(put(tmp_path, {"x.zip": bytes(raw)}) / "x.zip")
    assert {s.student: s.problem for s in found} == {
        "locked": "the file is encrypted in the zip",
        "link": "the file is a link",
        "good": "",
        "odd": "the file is compressed in an unusual way; make the zip again",
    }


def test_a_bomb_is_never_unpacked(tmp_path, monkeypatch):
    bomb = zipped({"ann/03.ipynb": b"0" * (intake.LARGEST + 1), "bob/03.ipynb": GOOD})
    opened = []
    real = zipfile.ZipFile.open
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda z, e, *a: opened.append(e.filename) or real(z, e, *a))
    found = find(put(tmp_path, {"x.zip": bomb}) / "x.zip")
    assert [s.problem for s in found] == ["the file has 20 MB; 20 MB is the most", ""]
    assert opened == ["bob/03.ipynb"]


def test_a_bomb_that_lies_about_its_size_is_damaged(tmp_path):
    raw = bytearray(zipped({"ann/03.ipynb": b"0" * 30_000_000, "bob/03.ipynb": GOOD}))
    true = (30_000_000).to_bytes(4, "little")
    while true in raw:
        place = raw.index(true)
        raw[place : place + 4] = (1000).to_bytes(4, "little")
    found = find(put(tmp_path, {"x.zip": bytes(raw)}) / "x.zip")
    assert [s.problem for s in found] == ["the file is damaged in the zip (BadZipFile)", ""]


def test_a_zip_with_too_many_notebooks_is_cut_off(tmp_path):
    inner = zipped({f"{n:03}.ipynb": b"{}" for n in range(80)})
    found = find(put(tmp_path, {"ann/x.zip": inner, "bob/03.ipynb": GOOD}))
    assert sum(s.student == "ann" for s in found) == intake.MOST + 1
    assert sum("more than 50 notebooks" in s.problem for s in found) == 1


@pytest.mark.parametrize("cut", range(0, 400, 37))
def test_a_damaged_zip_never_stops_the_others(tmp_path, cut):
    raw = bytearray(zipped({"a/03.ipynb": GOOD[:300]}))
    raw[cut % len(raw)] ^= 0xFF
    found = find(put(tmp_path, {"ann/x.zip": bytes(raw), "bob/03.ipynb": GOOD}))
    assert [s.student for s in found if s.answers] == ["bob"]
    assert "ann" in {s.student for s in found}


def test_nothing_here_imports_torch():
    modules = ", ".join(
        f"diffusion_course.classroom.grading.{m}" for m in ("submissions", "gradebook", "pages", "results")
    )
    heavy = "{'torch', 'jinja2', 'nbconvert', 'mistune', 'pygments'}"
    line = f"import sys, {modules}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_five_hundred_files_are_found_quickly(tmp_path):
    put(tmp_path, {f"student{n}/03.ipynb": GOOD for n in range(500)})
    assert len(submissions.find(tmp_path)) == 500
