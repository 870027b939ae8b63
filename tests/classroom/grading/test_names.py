"""Names as folders."""

import unicodedata

import pytest

from diffusion_course.classroom.grading.names import safe

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
