"""What the tests of grading and of the instructor's desk share: a folder of submissions, and grading that runs nothing."""

import json
from types import SimpleNamespace

import pytest
from planted import NAME, notebook
from typer.testing import CliRunner

from diffusion_course.classroom.grading import marks, sandbox
from diffusion_course.classroom.grading.results import Mark, State
from diffusion_course.classroom.grading.sandbox import Isolation
from diffusion_course.cli import app

STUDENTS = ("ann", "bob", "cleo", "dan")


@pytest.fixture
def place(tmp_path):
    """Four students' notebooks of chapter 01."""
    for name in STUDENTS:
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / NAME).write_text(json.dumps(notebook(snr=f"# {name}")))
    return tmp_path / "in"


@pytest.fixture
def asked(monkeypatch):
    """Grading that runs nothing and notes who was graded."""
    seen, broken = [], {}

    def grade(submission, pristine, rules, scratch=None):
        seen.append(submission.student)
        if submission.student in broken:
            raise broken[submission.student]
        return marks.Marked((Mark("01-snr", len(submission.student), 9, State.WRONG, rules.secret),), peak=7)

    monkeypatch.setattr(marks, "grade", grade)
    return SimpleNamespace(seen=seen, broken=broken)


@pytest.fixture
def sandboxed(monkeypatch):
    monkeypatch.setattr(sandbox, "available", lambda: Isolation("bubblewrap"))


@pytest.fixture
def graded_into(place, tmp_path, asked, sandboxed):
    """Runs `grade` on the four notebooks, into tmp_path/out: (exit code, what was said)."""

    def run(*words):
        result = CliRunner().invoke(
            app, ["grade", str(place), "--out", str(tmp_path / "out"), *map(str, words)]
        )
        return result.exit_code, result.output

    return run
