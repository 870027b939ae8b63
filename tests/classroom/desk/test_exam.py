"""An exam has other numbers for each seed, its solutions are computed, and no notebook knows of them."""

import pytest
from typer.testing import CliRunner

from diffusion_course.classroom import handout
from diffusion_course.classroom.desk.exam_questions import QUESTIONS
from diffusion_course.cli import app


def exam(folder, *words):
    result = CliRunner().invoke(app, ["exam", *words, "--out", str(folder)])
    return result.exit_code, result.output


def read(folder):
    return [(folder / name).read_text(encoding="utf-8") for name in ("questions.md", "solutions.md")]


def test_a_seed_draws_the_numbers_again(tmp_path):
    for place, seed in (("a", "autumn"), ("b", "autumn"), ("c", "spring")):
        assert exam(tmp_path / place, "--seed", seed)[0] == 0
    assert read(tmp_path / "a") == read(tmp_path / "b")
    first, other = (text.split("## ")[1:] for text in (read(tmp_path / "a")[0], read(tmp_path / "c")[0]))
    installed = {name[:2] for name in handout.names()}
    assert len(first) == len(other) == sum(len(q) for c, q in QUESTIONS.items() if c in installed)
    assert (
        sum(a != b for a, b in zip(first, other, strict=True)) >= len(first) - 2
    )  # few have but a few numbers


def test_questions_hold_no_solution_and_notebooks_no_question(tmp_path):
    exam(tmp_path, "--seed", "autumn")
    questions, solutions = read(tmp_path)
    assert "autumn" not in questions
    notebooks = "".join(p.read_text(encoding="utf-8") for p in handout.folder().glob("*.ipynb"))
    for asked, solved in zip(questions.split("## ")[1:], solutions.split("## ")[1:], strict=True):
        assert solved.split("\n\n")[1] not in questions
        assert asked.split("\n\n")[1][:60] not in notebooks
    assert "nan" not in solutions
    assert "inf" not in solutions.replace("infinit", "")


def test_solutions_by_hand():
    """Numbers that are easy to check, in the place of drawn ones."""

    class Fixed:
        def __init__(self, *numbers):
            self.numbers = list(numbers)

        def uniform(self, *_):
            return self.numbers.pop(0)

        choice = uniform

    by_name = {q.__name__: q for asked in QUESTIONS.values() for q in asked}
    assert "ᾱ₃ = 0.125" in by_name["closed_form"](Fixed(0.5, 0.5, 0.5))[1]
    assert "KL(p ‖ q) = 0.5, KL(q ‖ p) = 0.5" in by_name["two_gaussians"](Fixed(1, 1, 1))[1]
    assert "= 0.333, mean 0." in by_name["posterior"](Fixed(0.5, 0.5, 0, 0))[1]
    assert "x̂₀ = (x_t − √(1 − ᾱ_t) ε̂) / √ᾱ_t = 2." in by_name["back_to_x0"](Fixed(0.25, 1, 0))[1]
    assert "variance 0.333, mean 1.33" in by_name["guided_gaussian"](Fixed(1, 0.5, 2))[1]
    assert "score −ε̂ / t = -3, x̂₀ = z − t u = 0.5." in by_name["velocity"](Fixed(0.5, 1, 1))[1]
    assert "Euler 1.1, Heun 1.17, exact 1.14" in by_name["one_step"](Fixed(1, 2, 3))[1]
    assert "rounded up: 385" in by_name["how_many"](Fixed(1, 0.1))[1]
    solved = by_name["runs"](Fixed(0.03, 0.4, 0.2, 100))[1]  # a variance of 0.0025 / 3
    assert "= ± 0.124: 0.0759 to 0.324. 'Better': held up. 'Alike': did not hold up." in solved
    assert "No narrower than ± 4.30 τ / √3 = ± 0.0745" in solved


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--seed", " "], "error: --seed: want a word that the students do not know"),
        (["--seed", "x", "0"], "error: exam: there is no question on the chapters 00"),
        (["--seed", "x", "99"], "error: unknown chapter '99'"),
    ],
)
def test_what_cannot_be_asked_is_one_line(tmp_path, words, told):
    code, said = exam(tmp_path / "out", *words)
    assert code == 2
    assert said.startswith(told)
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()
