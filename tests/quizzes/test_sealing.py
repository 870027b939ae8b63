"""Sealed quiz files: what they hide, and the command that seals and opens them."""

import subprocess
import sys

import pytest
import yaml

from diffusion_course.errors import CourseError
from diffusion_course.quizzes.sealing import command, is_right, seal, unsealed

DRAFT = {
    "question": "How much is 1 + 1?",
    "options": [
        {"wrong": "1", "why": "Only one."},
        {"right": "2", "why": "One and one."},
        {"wrong": "3", "why": "Too many."},
    ],
}


def test_the_hash_depends_on_salt_id_and_option():
    one, two = seal("77-q1", DRAFT), seal("77-q1", DRAFT)
    assert one["salt"] != two["salt"]
    assert one["answer"] != two["answer"]
    assert seal("77-q2", DRAFT, one["salt"])["answer"] != one["answer"]
    assert not is_right("77-q1", one, "a")


def test_sealing_and_opening_a_draft_are_inverse():
    assert unsealed("77-q1", seal("77-q1", DRAFT)) == DRAFT


def run(*arguments):
    command = [
        sys.executable,
        "-W",
        "error::RuntimeWarning",
        "-m",
        "diffusion_course.quizzes",
        *map(str, arguments),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_an_author_seals_a_draft_from_the_command_line(tmp_path):
    draft, sealed = tmp_path / "draft.yaml", tmp_path / "77.yaml"
    draft.write_text(yaml.safe_dump({"77-q1": DRAFT}))
    assert run("seal", draft, sealed).returncode == 0
    first = sealed.read_text()
    assert run("seal", draft, sealed).returncode == 0
    assert sealed.read_text() == first, "an unchanged draft gives an unchanged file"
    assert yaml.safe_load(run("draft", sealed).stdout) == {"77-q1": DRAFT}


@pytest.mark.parametrize(
    ("draft", "message"),
    [
        (
            "77-q1: {question: Q, options: [{right: a, why: b}, {right: c, why: d}]}",
            "exactly one of them right",
        ),
        ("77-q1: {question: Q, options: [{right: a, why: b}, {wrong: c}]}", "a why for every option"),
        ("[1, 2]", "want question ids"),
        ("{", "not YAML"),
    ],
)
def test_a_bad_draft_is_one_clear_line(tmp_path, capsys, draft, message):
    path = tmp_path / "draft.yaml"
    path.write_text(draft)
    with pytest.raises(CourseError, match=message) as caught:
        command(["seal", str(path), str(tmp_path / "out.yaml")])
    assert "\n" not in str(caught.value)


def test_the_command_line_says_what_is_wrong():
    done = run("seal", "absent.yaml", "out.yaml")
    assert (done.returncode, done.stderr) == (2, "error: absent.yaml: No such file or directory\n")
