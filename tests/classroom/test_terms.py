"""The terms of an edition: marks that scale, that are read, and that give points."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion_course.classroom.checks import CHECKS
from diffusion_course.classroom.terms import reached, read_marks, scaled, told
from diffusion_course.errors import CourseError

MARKS = ((2, 1.5), (4, 0.75), (6, 0.36))
some_marks = st.dictionaries(st.integers(1, 20), st.floats(-5, 5), min_size=1).map(
    lambda drawn: tuple(zip(sorted(drawn), sorted(drawn.values(), reverse=True), strict=True))
)


def test_a_score_gives_the_points_of_the_last_mark_that_it_reaches():
    assert [reached(MARKS, score, True) for score in (2, 1.5, 0.8, 0.36, 0.1, math.inf)] == [0, 2, 2, 6, 6, 0]
    rising = ((1, 0.5), (3, 0.9))
    assert [reached(rising, score, False) for score in (0.4, 0.5, 0.95)] == [0, 1, 3]


@given(some_marks, st.integers(1, 30), st.floats(-6, 6))
def test_other_points_give_the_same_share_rounded_down_and_all_where_all_was_given(marks, points, score):
    most = marks[-1][0]
    share = reached(marks, score, True) / most
    assert reached(scaled(marks, points), score, True) == math.floor(share * points + 1e-9)
    assert scaled(marks, most) == tuple(dict(marks).items())


def test_marks_are_told_in_words():
    assert told(MARKS, True) == "2 points from 1.5 down, 4 from 0.75 down, 6 from 0.36 down"
    assert told(((1, 0.5),), False) == "1 point from 0.5 up"


def test_marks_of_a_file_are_sorted():
    assert read_marks("x", {4: 1, 2: 3.5}, True) == ((2, 3.5), (4, 1.0))


@pytest.mark.parametrize(
    ("marks", "lower", "why"),
    [
        ({}, True, "got no marks"),
        ({0: 1}, True, "points of a mark: got 0"),
        ({"2": 1}, True, "points of a mark: got '2'"),
        ({2: "low"}, True, "got the score 'low' for 2, want a number"),
        ({2: True}, True, "got the score True for 2"),
        ({2: math.nan}, True, "got the score nan for 2"),
        ({2: 1, 4: 2}, True, "more points want a lower score, got 2 points from 1 down, 4 from 2 down"),
        ({2: 1, 4: 1}, True, "more points want a lower score"),
        ({2: 2, 4: 1}, False, "more points want a higher score"),
    ],
)
def test_marks_that_are_none_are_refused_in_one_line(marks, lower, why):
    with pytest.raises(CourseError) as caught:
        read_marks("--points: 04-even_betas", marks, lower)
    assert str(caught.value).startswith("--points: 04-even_betas: ")
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_check_is_changed_by_the_terms_alone():
    check = CHECKS["04-even_betas"]
    assert check.under() is check
    assert check.under(points=3).marks == ((1, 1.5), (2, 0.75), (3, 0.36))
    assert check.under(points=3, marks=[[1, 2.0], [5, 1.0]]).points == 5
    assert check.under(variant=1, points=3).marks == ((1, 2.0), (2, 1.0), (3, 0.49))
    with pytest.raises(CourseError, match="variant: got 9"):
        check.under(variant=9)
    with pytest.raises(CourseError, match="variant: got 1"):
        CHECKS["01-snr"].under(variant=1)
