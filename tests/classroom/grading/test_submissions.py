"""What becomes of every kind of file that may be handed in: whose it is, which chapter."""

import os
import subprocess
import sys
import unicodedata

import pytest
from handed import FIRST, GOOD, NAMES, ONE, SECOND, THIRD, alone, lines, notebook, put, rows

from diffusion_course.classroom.grading.submissions import find
from diffusion_course.errors import CourseError


def who(found):
    return [(s.student, s.chapter, s.lms_id) for s in found]


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
    (one,) = find(put(tmp_path, {name: GOOD})).submissions
    assert who([one]) == [(student, "03", lms_id)]
    assert one.problem == ""
    assert set(one.answers) == {FIRST, SECOND, THIRD}


def test_a_name_that_is_no_text_is_cleaned_everywhere(tmp_path):
    folder = os.fsencode(tmp_path) + b"/ann\xff"
    os.mkdir(folder)
    with open(folder + b"/03\xfe.ipynb", "wb") as file:
        file.write(GOOD)
    (one,) = find(tmp_path).submissions
    assert one.student == "ann"
    assert f"{one.student} {one.path} {one.page}".encode()


def test_github_classroom_puts_the_assignment_before_the_user(tmp_path):
    files = {f"{repo}/notebooks/{NAMES['03']}": GOOD for repo in ("diffusion-ann", "diffusion-bob-smith")}
    files |= {f"chapter-03-{user}/notebooks/{NAMES['03']}": GOOD for user in ("eve", "fay-1")}
    put(tmp_path, files)
    (tmp_path / "diffusion-gus").mkdir()
    found = find(tmp_path)
    assert sorted(rows(found).values()) == ["ann", "bob-smith", "eve", "fay-1"]
    assert [(line.student, str(line.trouble)) for line in found.lines] == [
        ("gus", "holds no notebook (.ipynb): it is empty")
    ]


def test_names_with_a_hyphen_stay_whole_where_they_are_no_repositories(tmp_path):
    found = find(put(tmp_path, {"mary-ann/03.ipynb": GOOD, "mary-beth/03.ipynb": GOOD})).submissions
    assert [s.student for s in found] == ["mary-ann", "mary-beth"]


def test_a_repository_counts_with_the_chapters_that_were_touched(tmp_path):
    repo = {f"chapter-03-ann/notebooks/{name}": notebook(number, ()) for number, name in NAMES.items()}
    repo[f"chapter-03-ann/notebooks/{NAMES['03']}"] = notebook("03", (FIRST,))
    repo[f"chapter-03-ann/solutions/{NAMES['01']}"] = ONE
    found = find(put(tmp_path, repo))
    (one,) = found.submissions
    assert who([one]) == [("ann", "03", "")]
    assert one.notes == ()
    assert lines(found) == {
        **{
            f"chapter-03-ann/notebooks/{name}": "is as it was handed out"
            for number, name in NAMES.items()
            if number not in ("00", "03")
        },
        f"chapter-03-ann/notebooks/{NAMES['00']}": "is a chapter without exercises",
        f"chapter-03-ann/solutions/{NAMES['01']}": "lies in solutions/; what was done in notebooks/ beside it counts",
    }


def test_what_a_student_wrote_into_solutions_is_found_and_told(tmp_path):
    repo = {f"chapter-03-ann/notebooks/{name}": notebook(number, ()) for number, name in NAMES.items()}
    repo[f"chapter-03-ann/solutions/{NAMES['03']}"] = GOOD
    (one,) = find(put(tmp_path, repo)).submissions
    assert one.path == f"chapter-03-ann/solutions/{NAMES['03']}"
    assert "taken from solutions/" in one.notes[0]


def test_the_courses_own_solutions_are_nobodys(tmp_path):
    course = notebook("01", ())
    course["cells"][-1]["source"] = "### BEGIN SOLUTION"
    repo = {"ann/notebooks/x.ipynb": notebook("03", ()), "ann/solutions/y.ipynb": course, "bob/x.ipynb": ONE}
    found = find(put(tmp_path, repo))
    assert sorted(rows(found)) == ["ann/notebooks/x.ipynb", "bob/x.ipynb"]
    assert lines(found) == {"ann/solutions/y.ipynb": "is the course's own solution"}


def test_a_repository_without_any_work_counts_with_the_chapter_it_was_made_for(tmp_path):
    repo = {f"chapter-03-ann/notebooks/{name}": notebook(number, ()) for number, name in NAMES.items()}
    (one,) = find(put(tmp_path, repo)).submissions
    assert who([one]) == [("ann", "03", "")]
    assert set(one.answers) == {FIRST, SECOND, THIRD}


def test_an_untouched_notebook_counts_where_nothing_else_was_handed_in(tmp_path):
    one = alone(tmp_path, notebook(solved=()))
    assert set(one.answers) == {FIRST, SECOND, THIRD}
    assert not one.touched


def test_two_students_of_one_name_are_told_apart(tmp_path):
    names = [f"Ann Lee_{number}_assignsubmission_file_/03.ipynb" for number in (4711, 4712)]
    found = find(put(tmp_path, dict.fromkeys(names, GOOD))).submissions
    assert who(found) == [("Ann Lee 4711", "03", "moodle:4711"), ("Ann Lee 4712", "03", "moodle:4712")]


def test_two_files_of_one_chapter_are_both_there_with_a_note(tmp_path):
    found = find(put(tmp_path, {"ann/a.ipynb": GOOD, "ann/b.ipynb": notebook(solved=(FIRST,))})).submissions
    assert [s.page for s in found] == ["ann/03", "ann/03-2"]
    assert all("more than one file" in s.notes[0] for s in found)


def test_files_of_two_chapters_carry_no_note(tmp_path):
    found = find(put(tmp_path, {"ann/a.ipynb": GOOD, "ann/b.ipynb": ONE})).submissions
    assert [(s.chapter, s.notes) for s in found] == [("01", ()), ("03", ())]


def test_no_student_is_lost(tmp_path):
    put(tmp_path, {"ann/essay.pdf": b"x", "bob/a.txt": b"", "bob/b.txt": b"", "gus/03.ipynb": GOOD})
    (tmp_path / "eve").mkdir()
    (tmp_path / "fay").symlink_to(tmp_path / "gus")
    found = find(tmp_path)
    assert rows(found) == {"gus/03.ipynb": "gus"}
    assert {line.student: str(line.trouble) for line in found.lines} == {
        "ann": "holds no notebook (.ipynb): essay.pdf",
        "bob": "holds no notebook (.ipynb): a.txt, b.txt",
        "eve": "holds no notebook (.ipynb): it is empty",
        "fay": "is a link; links are not followed",
    }
    assert found.count() == "5 entries = 1 rows + 4 lines"


def test_moodles_folder_of_online_text_is_no_second_submission(tmp_path):
    put(tmp_path, {"Ann_7_assignsubmission_file_/03.ipynb": GOOD})
    put(tmp_path, {"Ann_7_assignsubmission_onlinetext_/onlinetext.html": b"<p>done</p>"})
    assert [s.problem for s in find(tmp_path).submissions] == [""]


def test_what_systems_leave_behind_is_ignored_and_counted(tmp_path):
    left = (".DS_Store", "Thumbs.db", "__MACOSX/._x.ipynb", ".ipynb_checkpoints/a.ipynb", "ann/._03.ipynb")
    left += ("ann/desktop.ini", "ann/deep/.ipynb_checkpoints/03-checkpoint.ipynb")
    found = find(put(tmp_path, {"ann/03.ipynb": GOOD, ".hidden.ipynb": GOOD, **dict.fromkeys(left, GOOD)}))
    assert sorted(rows(found)) == [".hidden.ipynb", "ann/03.ipynb"]
    assert lines(found) == {}
    assert found.ignored.total() == len(left)
    assert "7 ignored (" in found.count()


def test_who_handed_in_nothing_else_is_told(tmp_path):
    put(
        tmp_path,
        {"ann/.DS_Store": b"", "bob/.ipynb_checkpoints/03-checkpoint.ipynb": GOOD, "eve/03.ipynb": GOOD},
    )
    assert lines(find(tmp_path)) == dict.fromkeys(
        ("ann/", "bob/"), "holds no notebook (.ipynb): only a system's own files"
    )


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
    first = find(put(tmp_path / "x", files)).submissions
    second = find(put(tmp_path / "y", dict(reversed(files.items())))).submissions
    assert first == second
    assert [s.page for s in first][:3] == ["a/01", "a/03", "a/03-2"]


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
    assert len(find(tmp_path).submissions) == 500
