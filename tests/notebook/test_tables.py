"""A table is HTML where it can be, and text elsewhere; both hold every cell."""

import pytest
from IPython.core.interactiveshell import InteractiveShell

from diffusion_course.errors import CourseError
from diffusion_course.notebook import tables
from diffusion_course.notebook.tables import show_table

HEAD, ROWS = ["sampler", "NFE", "p"], [["Euler", 10, "0.5"], ["Heun & churn", 9, "<0.001"]]


def test_without_a_notebook_it_is_text_in_columns(capsys):
    show_table(HEAD, ROWS, "Two samplers")
    assert capsys.readouterr().out.split("\n") == [
        "Two samplers",
        "sampler       NFE       p",
        "Euler          10     0.5",
        "Heun & churn    9  <0.001",
        "",
    ]


def test_in_a_notebook_it_is_html_with_the_same_text(capsys, monkeypatch):
    shown = []
    monkeypatch.setattr(tables, "get_ipython", InteractiveShell)
    monkeypatch.setattr(tables, "display", lambda data, raw: shown.append(data))
    show_table(HEAD, ROWS)
    (data,) = shown
    assert data["text/plain"].split("\n")[1] == "Euler          10     0.5"
    assert '<td style="text-align: left">Heun &amp; churn</td>' in data["text/html"]
    assert '<td style="text-align: right">9</td>' in data["text/html"]
    assert "&lt;0.001" in data["text/html"]
    assert "<caption" not in data["text/html"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("number", ["-1.5 (-2 to 1)", "+0.2*", "−3", "", "10", "1e-06", "0.8 ± 0.1"])
def test_numbers_stand_on_the_right(number, capsys):
    show_table(["a rather long name"], [[number]])
    assert capsys.readouterr().out.split("\n")[1] == number.rjust(18).rstrip()


def test_words_that_begin_with_a_number_stand_on_the_left(capsys):
    show_table(["a rather long name"], [["10 steps"]])
    assert capsys.readouterr().out.split("\n")[1] == "10 steps"


def test_a_row_of_another_length_is_refused():
    with pytest.raises(CourseError, match="got one of 2 cells, want 3"):
        show_table(HEAD, [["Euler", 10]])
