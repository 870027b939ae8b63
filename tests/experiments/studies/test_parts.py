"""A part of a study: rows by their settings, fewer samples, and nothing that could pass for the whole."""

import pytest

from diffusion_course import CourseError
from diffusion_course.experiments import studies
from diffusion_course.experiments.studies.parts import part
from diffusion_course.experiments.studies.study import Study

SETTINGS = [
    {"grid": grid, "steps": steps, "n": n, "training seed": 0, "seed": 0}
    for grid in ("karras", "cosine uniform")
    for steps, n in ((5, 300), (10, 300), (1000, 100))
]


def measure(setting, lab):
    return {"product": setting["steps"] * setting["n"]}


WHOLE = Study("products", SETTINGS, measure)


def test_rows_are_chosen_by_the_values_of_their_settings_and_keep_their_order():
    assert part(WHOLE) == WHOLE
    few = part(WHOLE, ["steps=1000,5", "grid=cosine uniform", "training seed=0"]).settings
    assert few == [SETTINGS[3], SETTINGS[5]]
    assert [row["n"] for row in part(WHOLE, ["steps=5"], 20).settings] == [20, 20]


@pytest.mark.parametrize(
    ("only", "count", "words"),
    [
        (["step=5"], None, "unknown setting 'step'"),
        (["steps"], None, "want NAME=VALUE"),
        (["steps=5,7"], None, "no row has steps=7; there are 10, 1000, 5"),
        (["steps=5", "steps=10"], None, "no row of the study has all of"),
        ([], 1, "count: got 1"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(only, count, words):
    with pytest.raises(CourseError, match=words) as told:
        part(WHOLE, only, count)
    assert "\n" not in str(told.value)


def test_a_part_is_written_with_its_command_and_never_over_what_ships(tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "get", lambda name, preset: WHOLE)
    for more in ({"only": ["steps=5"]}, {"count": 20}):
        with pytest.raises(CourseError, match="--out FOLDER"):
            studies.run("products", **more)
    made = studies.run("products", tmp_path, only=["grid=cosine uniform", "steps=5"], count=20)
    assert [row["product"] for row in made.rows] == [100]
    assert (
        made.command
        == "diffusion-course study products --only 'grid=cosine uniform' --only steps=5 --count 20"
    )
    assert studies.load("products", tmp_path) == made
