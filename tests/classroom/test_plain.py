"""A file that a person wrote keeps what was typed, and each mistake in it is one line with its place."""

import pytest

from diffusion_course.classroom import plain
from diffusion_course.errors import CourseError


def made(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return plain.read("marks", path)


@pytest.mark.parametrize("typed", ["no", "0123", "08", "1e3", "2026-11-03", "null", "~"])
def test_a_name_is_what_was_typed(tmp_path, typed):
    found = made(tmp_path, f"{typed}: {typed}").mapping("x")
    assert {key: node.text("x") for key, node in found.items()} == {typed: typed}


def test_a_file_with_nothing_in_it_holds_nothing(tmp_path):
    assert made(tmp_path, "") is made(tmp_path, "# a comment\n") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: [", "a.yaml, line 2, is not YAML: "),
        ("a: &x 1\nb: *x", "a.yaml, line 2, is not YAML without tags and anchors"),
        ("a: !!python/object:os.system x", "a.yaml, line 1, is not YAML without tags"),
        ("a: 1\nb: 2\na: 3", "a.yaml, line 3: a is there twice, before in line 1"),
        ("- a", "a.yaml, line 1: want lines, got a list"),
        ("words", "a.yaml, line 1: want lines, got 'words'"),
        ("b: 1\nab: 1", "a.yaml, line 1: unknown key 'b': did you mean 'ab'? known: ab, zz"),
        ("[a]: 1", "a.yaml, line 1: want lines, got a list"),
        ("a\x00: 1", "is not YAML"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path, text, told):
    with pytest.raises(CourseError) as caught:
        made(tmp_path, text).record(["ab", "zz"], "lines")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("typed", ["-1", "4", "1.0", "yes", "'2'", "", "[1]", "{a: 1}", "two", "!!int 2"])
def test_a_number_is_a_whole_one_within_its_bounds(tmp_path, typed):
    with pytest.raises(CourseError, match=r"a\.yaml, line 1"):
        made(tmp_path, f"a: {typed}").mapping("x")["a"].whole("points", 0, 3)
    assert made(tmp_path, "a: 3").mapping("x")["a"].whole("points", 0, 3) == 3


def test_what_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    for name, told in (("missing", "cannot read"), (".", "cannot read"), ("latin.yaml", "is not UTF-8")):
        with pytest.raises(CourseError, match=told):
            plain.read("marks", tmp_path / name)


def test_of_many_names_the_nearest_is_told_and_not_all(tmp_path):
    names = [f"student-{n}" for n in range(100)]
    with pytest.raises(CourseError) as caught:
        made(tmp_path, "a: studnet-42").mapping("x")["a"].known("student", names)
    assert str(caught.value).endswith("unknown student 'studnet-42': did you mean 'student-42'?")
