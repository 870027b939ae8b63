"""What the documents tell a reader to type exists: commands, options, files."""

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from diffusion_course.cli import app
from diffusion_course.experiments.config_text import MODELS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/instructors.md",
    "docs/chapters.md",
    "docs/library.md",
    "docs/grading/github-classroom.yml",
    "docs/grading/Dockerfile",
]


def commands():
    """Every `diffusion-course ...` of the documents: what stands alone on a line, and what stands in backticks."""
    for name in DOCUMENTS:
        text = (ROOT / name).read_text(encoding="utf-8")
        lines = re.findall(r"^ *(?:run: )?(diffusion-course(?: .*)?)$", text, re.MULTILINE)
        quoted = re.findall(r"`(diffusion-course [^`]+)`", text)
        for line in dict.fromkeys([*lines, *quoted]):
            yield pytest.param(" ".join(line.split()), id=f"{name}: {line[:50]}")


@pytest.mark.parametrize("line", list(commands()))
def test_a_command_is_one_that_the_program_takes(line):
    """With --help nothing is done, but every word before it is read."""
    words = [word for word in shlex.split(line, comments=True)[1:] if word != "..."]
    done = CliRunner().invoke(app, [*words, "--help"])
    assert done.exit_code == 0, done.output


def test_the_container_starts_with_a_command_that_the_program_takes():
    recipe = (ROOT / "docs" / "grading" / "Dockerfile").read_text(encoding="utf-8")
    words = yaml.safe_load(re.search(r"^ENTRYPOINT (.*)$", recipe, re.MULTILINE)[1])
    grade = typer.main.get_command(app).commands["grade"]
    context = grade.make_context("grade", [*words[2:], "--jobs", "2"])
    assert context.params["require_sandbox"]
    assert str(context.params["submissions"]) == "/grading/in"


def test_the_workflow_gives_a_submission_no_token():
    flow = yaml.safe_load((ROOT / "docs" / "grading" / "github-classroom.yml").read_text(encoding="utf-8"))
    (job,) = flow["jobs"].values()
    assert flow["permissions"] == {"contents": "read"}
    (checkout,) = [step for step in job["steps"] if "checkout" in step.get("uses", "")]
    assert checkout["with"]["persist-credentials"] is False
    # Names that a student may choose reach the shell as variables, never as text of the script.
    assert not [step for step in job["steps"] if "${{" in step.get("run", "")]


def test_every_chapter_is_in_the_readmes_table():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "solutions").glob("*.py"):
        row = f"| {path.stem[:2]} | ["
        assert re.search(re.escape(row) + rf".*\]\(notebooks/{path.stem}\.ipynb\)", text), (
            f"want a row '{row}...'"
        )


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_file_that_a_document_links_to_is_there(name):
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / name).read_text(encoding="utf-8")):
        assert ((ROOT / name).parent / target).exists(), target


def test_the_readme_names_every_model_of_a_config():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = re.search(r"One of your own has a model \((.*?)\)", text, re.DOTALL)[1]
    assert set(re.findall(r"`([\w-]+)`", listed)) == set(MODELS)
