"""What is said of exercises: headings, and totals."""

import pytest

from diffusion_course.classroom.handout import Exercise
from diffusion_course.classroom.wording import fill, in_points

EXERCISES = [Exercise(f"04-f_{n}", n, n, 1 + n % 3, "") for n in range(1, 12)]
WORTH = {exercise.id: exercise.points for exercise in EXERCISES}


def test_points_have_a_singular():
    assert [in_points(n) for n in (0, 1, 2)] == ["0 points", "1 point", "2 points"]


@pytest.mark.parametrize(
    ("worth", "shown"),
    [
        ({}, "no exercises (this edition gives them all)"),
        ({"04-f_1": 1}, "one exercise (1 point)"),
        ({"04-f_1": 1, "04-f_3": 5}, "two exercises (6 points)"),
        (WORTH, "11 exercises (66 points)"),
    ],
)
def test_a_total_counts_what_is_left_to_do(worth, shown):
    assert (
        fill("Two hours of reading and {{exercises}}.", EXERCISES, worth)
        == f"Two hours of reading and {shown}."
    )


def test_minutes_are_those_of_the_exercises_that_are_left_to_do():
    assert fill("{{minutes}} of work", EXERCISES, {"04-f_1": 2, "04-f_5": 1}) == "6 minutes of work"
    assert fill("{{minutes}} of work", EXERCISES, {}) == "0 minutes of work"


def test_a_heading_says_number_points_minutes_and_level():
    text = "## 2. Title\n\n### Exercise {{04-f_3}}\n\nWrite $x_{{t}}$.\n\n### Exercise {{04-f_1}}"
    assert fill(text, EXERCISES, WORTH | {"04-f_3": 7}) == (
        "## 2. Title\n\n### Exercise 3: `f_3` (7 points, about 3 minutes, easy)\n\nWrite $x_{{t}}$.\n\n"
        "### Exercise 1: `f_1` (1 point, about 1 minute, medium)"
    )


def test_a_heading_of_what_is_given_says_so_and_the_text_stays():
    text = fill("### Exercise {{04-f_2}}\n\nWrite it.", EXERCISES, {})
    assert text.startswith("### Given here: `f_2`\n\n")
    assert text.endswith("\n\nWrite it.")


def test_the_marks_of_a_design_are_those_of_the_edition():
    design = Exercise("04-f_1", 4, 1, 1, "", marks=((1, 1.5), (4, 0.36)))
    assert (
        fill("The marks are {{marks 04-f_1}}.", [design], {}) == "The marks are 1 point for 1.5, 4 for 0.36."
    )
    with pytest.raises(KeyError):
        fill("{{marks 04-f_2}}", [design], {})


def test_other_text_stays():
    for text in (
        "### Exercise 3",
        "see ### Exercise {{04-f_3}}",
        "{{ exercises }}",
        "$\\frac{{a}}{{b}}$",
        "",
    ):
        assert fill(text, EXERCISES, WORTH) == text


def test_the_next_chapter_is_a_link():
    assert fill("Next: `02_elbo`, the bound.", [], {}) == "Next: [02_elbo](02_elbo.ipynb), the bound."
