"""A film holds the states in their order, plays for as long as it was told, and begins again."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_course.errors import CourseError
from diffusion_course.figures.films import FORMATS, HOLD_FIRST, HOLD_LAST, film


def states(channels=1):
    """Five states of three pictures, each of one colour."""
    return torch.linspace(-1, 1, 5)[:, None, None, None, None].expand(5, 3, channels, 8, 8)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_state_is_a_frame_in_its_place(form, channels):
    shown = Image.open(io.BytesIO(film(states(channels), form, milliseconds=40)))
    assert shown.n_frames == 5
    assert shown.info["loop"] == 0  # for ever
    durations = []
    for i in range(5):
        shown.seek(i)
        shown.load()
        durations.append(shown.info["duration"])
        pixels = np.asarray(shown.convert("RGB"), dtype=float)
        assert abs(pixels[10, 10] - 255 * i / 4).max() <= 1
    if form == ".gif":  # Pillow gives a webp's frame the time at which it ends
        assert durations == [HOLD_FIRST, 40, 40, 40, HOLD_LAST]


def test_one_state_is_a_film_too():
    assert Image.open(io.BytesIO(film(states()[:1], ".gif"))).n_frames == 1


def test_columns_are_those_asked_for():
    wide, high = (Image.open(io.BytesIO(film(states(), ".gif", columns=n))).size for n in (3, 1))
    assert wide[0] > wide[1]
    assert high[0] < high[1]


def test_bad_films_are_one_line():
    with pytest.raises(CourseError, match=r"^form: got '.mp4', want .gif or .webp$"):
        film(states(), ".mp4")
    with pytest.raises(CourseError, match=r"^states: got none"):
        film([], ".gif")
