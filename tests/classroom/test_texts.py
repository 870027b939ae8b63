"""What the build fills into a chapter's text: notation, numbers of sections, time to read."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from diffusion_course import notation
from diffusion_course.classroom.texts import expand, in_hours, reading_minutes, sections
from diffusion_course.errors import CourseError

CELLS = [
    new_markdown_cell("# 1. A chapter\n\n## 1. Noise\n\n## 2. Noise again\n\n### 3. No section"),
    new_markdown_cell("## 3. The $x^2$ of it"),
    new_code_cell("## 4. A comment"),
]


def test_sections_are_the_numbered_headings():
    assert sections(CELLS) == {1: "Noise", 2: "Noise again", 3: "The $x^2$ of it"}


def test_a_section_is_found_by_the_beginning_of_its_title():
    assert expand("See {{section Noise again}}. {{Section The}} says more.", CELLS) == (
        "See section 2. Section 3 says more."
    )


@pytest.mark.parametrize(("title", "found"), [("Noise", 2), ("Silence", 0)])
def test_a_section_must_be_one(title, found):
    with pytest.raises(CourseError, match=f"section '{title}': want one heading .*, got {found}"):
        expand("{{section " + title + "}}", CELLS)


def test_notation_is_a_table_of_the_wanted_rows():
    lines = expand("{{notation beta x0}}", CELLS).split("\n")
    assert lines[0] == "| symbol | meaning | in code |"
    assert [line.split(" | ")[0] for line in lines[2:]] == [r"| $\beta_t$", "| $x_0$"]
    assert len(expand("{{notation}}", CELLS).split("\n")) == 2 + len(notation.NOTATION)


def test_an_unknown_symbol_is_named():
    with pytest.raises(CourseError, match="unknown symbol 'bet': did you mean 'beta'"):
        expand("{{notation x0 bet}}", CELLS)


def test_other_braces_stay():
    for text in (
        "$x_{{t}}$",
        "{{exercises}}",
        "### Exercise {{01-f}}",
        "{{ section }}",
        "{{sections Noise}}",
    ):
        assert expand(text, CELLS) == text


@pytest.mark.parametrize(
    ("cell", "minutes"),
    [
        (new_markdown_cell("word " * 400), 2),
        (new_markdown_cell("$a = b + c$ " * 200), 1),
        (new_markdown_cell("$$\\begin{aligned}\na &= b \\\\\n&= c \\\\[4pt]\n&= d\n\\end{aligned}$$"), 3),
        (new_markdown_cell("## References\n\n" + "word " * 400), 0.005),
        (new_code_cell("# a comment\nx = 1\n\n" * 15), 1),
        (new_code_cell("# quiz\n#\n# ", metadata={}), 0),
    ],
)
def test_reading_takes_time(cell, minutes):
    assert reading_minutes([cell]) == pytest.approx(minutes, abs=0.01)


def test_questions_take_time():
    asked = new_markdown_cell("**Predict, then run.**"), new_code_cell("quiz.ask('01-q1')")
    assert sum(reading_minutes([cell]) for cell in asked) == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (1, "5 minutes"),
        (31, "30 minutes"),
        (58, "an hour"),
        (74, "1¼ hours"),
        (119, "2 hours"),
        (170, "2¾ hours"),
    ],
)
def test_a_time_is_said_in_round_numbers(minutes, words):
    assert in_hours(minutes) == f"about {words}"
