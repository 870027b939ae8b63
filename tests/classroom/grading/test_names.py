"""What a name says of its owner, and names as folders."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion_course.classroom.grading import names
from diffusion_course.classroom.grading.names import safe
from diffusion_course.errors import printable

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


@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=60), unique=True, max_size=20))
def test_names_in_any_script_have_folders_of_their_own(several):
    folders = {unicodedata.normalize("NFD", safe(name)).casefold() for name in several}
    assert len(folders) == len(several)
    assert all(0 < len(folder.encode()) <= 200 and not set(folder) & set("/\\\0") for folder in folders)


# The owner.


@pytest.mark.parametrize(
    ("name", "key", "shown"),
    [
        ("Ann Lee_4711_assignsubmission_file_", ("moodle", "Ann Lee", "4711"), "Ann Lee"),
        ("1001-42 - Ann Lee - Nov 3, 2026 1159 PM", ("brightspace", "Ann Lee", "1001"), "Ann Lee"),
        (
            "1001-42 - Ann Lee- 3 novembre 2026 23h59 - 03.ipynb",
            ("brightspace", "Ann Lee", "1001"),
            "Ann Lee",
        ),
        ("HW_3_alee_attempt_2026-11-03-23-59-00_x.ipynb", ("blackboard", "HW_3_alee"), "HW_3_alee"),
        ("ann@uni.edu_03_epsilon_loss.ipynb", ("e-mail", "ann@uni.edu"), "ann@uni.edu"),
        ("03_epsilon_loss_ann@uni.edu.ipynb", ("e-mail", "ann@uni.edu"), "ann@uni.edu"),
        ("Ann Lee (ann@uni.edu)", ("e-mail", "ann@uni.edu"), "ann@uni.edu"),
        ("o'brien@uni.edu.pdf", ("e-mail", "o'brien@uni.edu"), "o'brien@uni.edu"),
    ],
)
def test_an_lms_says_whose_it_is(name, key, shown):
    told = names.claim(name)
    assert (told.key, told.name) == (key, shown)


@pytest.mark.parametrize(
    "name",
    [
        "Ann Lee",
        "ann@x",
        "a@uni.edu b@uni.edu",
        "@uni.edu",
        "3 - Ann - draft",
        "ann_attempt_2.ipynb",
        "lab_1_2026_ann.ipynb",
    ],
)
def test_another_form_says_nothing(name):
    assert names.claim(name) is None


def test_canvas_is_known_by_numbers_that_are_never_used_twice():
    files = ["leeann_201_8154_x.ipynb", "leeann_201_8155_y.ipynb", "leebob_LATE_202_8156_x.ipynb"]
    assert names.of_canvas(files) == set(files)
    assert {names.claim(name, canvas=True).key for name in files} == {
        ("canvas", "leeann", "201"),
        ("canvas", "leebob", "202"),
    }
    for other in (
        "lab_1_2026_{}.ipynb",
        "student_0{}_2026_x.ipynb",
        "group_7_10{}_x.ipynb",
        "smith_3_2026_{}.ipynb",
    ):
        assert names.of_canvas([other.format(n) for n in (1, 2)]) == set()


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        *(
            (f"03{suffix}", True)
            for suffix in (".ipynb", ".IPYNB", ".ipynb.txt", ".ipynb.json", ".ipynb (1)", ".ipynb.txt.txt")
        ),
        *(
            (f"03{suffix}", False)
            for suffix in (".pdf", ".ipynb.pdf", ".ipynb.zip", "ipynb", ".py", ".ipynb.html")
        ),
        (".ipynb", True),
    ],
)
def test_a_notebook_by_its_name(name, is_one):
    assert names.is_notebook(name) is is_one


def test_a_name_of_work_names_nobody():
    for name in (
        "03.ipynb",
        "03_epsilon_loss (1).ipynb",
        "final version 2",
        "week 3",
        "Untitled1.ipynb",
        "lab2",
        "2026",
        "a",
    ):
        assert names.somebody(name) == ()
    for name in (
        "ann",
        "student 101",
        "student_01",
        "Group 7",
        "101",
        "李",
        "anon-001",
        "ann_03_epsilon_loss.ipynb",
    ):
        assert names.somebody(name), name


@given(st.text(st.characters(exclude_categories=("Cn", "Co")), max_size=80))
def test_no_name_breaks_a_rule(name):
    for rule in (
        names.claim,
        names.stem,
        names.guess,
        names.clean,
        names.alike,
        names.somebody,
        names.chapter_of,
        names.is_notebook,
    ):
        rule(name)
    assert printable(names.clean(name)).isprintable()
    assert 0 < len(names.clean(name)) <= 100


@pytest.mark.parametrize("part", ["_1", "-", " ", "a-", ".ipynb ", "x_attempt_", "@a.b", "1 - a - "])
def test_a_long_name_is_read_quickly(part):
    for rule in (names.claim, names.guess, names.somebody, names.is_notebook, names.email):
        rule(part * 20_000)
    names.common_prefix([part * 2000])
