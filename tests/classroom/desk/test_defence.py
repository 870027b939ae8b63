"""A question about one's own code: drawn by the secret, sealed, with one right option, and the same in every run."""

import re
from pathlib import Path

import pytest
import yaml
from planted import CHAPTERS, solutions

from diffusion_course.classroom.desk import defence
from diffusion_course.classroom.grading.results import Graded, Mark, State
from diffusion_course.quizzes.sealing import unsealed

LONG = "# EXERCISE 01-diffuse\ndef diffuse(x0, t, eps, alpha_bar):\n    a = alpha_bar[t - 1]\n    left = x0 * a\n    right = eps * (1 - a)\n    return left + right"
SHORT = "def diffuse(x0, t, eps, alpha_bar):\n    return x0"


def graded(*cells, student="ann", state=State.RIGHT):
    marks = tuple(Mark(e, 1, 1, state) for e, _ in cells)
    return Graded(student, "01", "a.ipynb", f"{student}/01", marks, cells=(("code", "x"), *cells))


def written(folder: Path, *several, secret="s"):
    counts = defence.write(folder, several, secret)
    files = {
        p.relative_to(folder).as_posix(): p.read_text(encoding="utf-8") for p in sorted(folder.rglob("*.*"))
    }
    return counts, files


def test_the_question_is_about_the_answer_and_its_answer_is_sealed(tmp_path):
    counts, files = written(tmp_path, graded(("01-diffuse", LONG)))
    assert counts == (1, 0)
    assert set(files) == {"defence/ann/01.md", "defence/ann/01.yaml"}
    text = files["defence/ann/01.md"]
    assert "     2      a = alpha_bar[t - 1]" in text
    argument = re.search(r"argument `(\w+)`", text)[1]
    ((name, entry),) = yaml.safe_load(files["defence/ann/01.yaml"]).items()
    options = unsealed(name, entry)["options"]
    (right,) = [option["right"] for option in options if "right" in option]
    reached = {"x0": "3 and 5", "t": "2, 3, 4 and 5", "eps": "4 and 5", "alpha_bar": "2, 3, 4 and 5"}
    assert right == f"lines {reached[argument]}"
    assert len({option.get("right", option.get("wrong")) for option in options}) == 4
    assert "right" not in re.findall(r"\w+", files["defence/ann/01.yaml"].split("options:")[1])


def test_the_same_secret_asks_the_same_and_another_may_ask_something_else(tmp_path):
    one = graded(("01-diffuse", LONG))
    first = written(tmp_path / "a", one)[1]
    assert written(tmp_path / "b", one)[1] == first
    others = [written(tmp_path / str(n), one, secret=str(n))[1] for n in range(6)]
    assert any(other["defence/ann/01.md"] != first["defence/ann/01.md"] for other in others)


@pytest.mark.parametrize(
    "source", [SHORT, "def diffuse(", "", "diffuse = 3", "def diffuse(*a):\n    b = a\n    return b"]
)
def test_what_is_too_short_or_no_function_asks_nothing(tmp_path, source):
    assert written(tmp_path, graded(("01-diffuse", source))) == ((0, 1), {})


def test_two_lines_can_be_asked_about(tmp_path):
    short = "def diffuse(x0, t, eps, alpha_bar):\n    a = alpha_bar[t - 1]\n    return a * x0 + eps"
    assert written(tmp_path, graded(("01-diffuse", short)))[0] == (1, 0)


def test_right_answers_are_asked_about_first(tmp_path):
    marks = (Mark("01-diffuse", 0, 1, State.WRONG), Mark("01-snr", 1, 1, State.RIGHT))
    cells = (("01-diffuse", LONG), ("01-snr", LONG.replace("def diffuse", "def snr")))
    one = Graded("ann", "01", "a", "ann/01", marks, cells=cells)
    assert {defence.question(one, str(n)).exercise for n in range(5)} == {"01-snr"}
    assert defence.question(graded(("01-diffuse", LONG), state=State.NOT_DONE), "s") is None


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_chapter_has_an_answer_that_can_be_asked_about(chapter):
    cells = tuple(solutions(chapter).items())
    found = defence.question(graded(*cells), "s")
    assert found, (
        f"chapter {chapter}: no answer has lines that an argument reaches and others that it does not"
    )


def test_the_command_writes_them(tmp_path, graded_into):
    code, said = graded_into("--defence", "--secret", "s")
    assert code == 0, said
    assert "about students' own code, none for" in said
