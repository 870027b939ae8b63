"""Grids of images: drawn pixel for pixel, titled, small, and one clear line for bad input."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_course.errors import CourseError
from diffusion_course.figures.grids import filmstrip, images
from diffusion_course.figures.pictures import as_html, plain_png, shown_width, to_png

DIGITS = torch.rand(40, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
GRIDS = {
    "images": lambda: images(DIGITS, title="A title"),
    "images with titles": lambda: images(DIGITS[:7], title="A title", titles=list("abcdefg"), columns=4),
    "colour": lambda: images(torch.zeros(2, 3, 8, 8), title="A title"),
    "filmstrip": lambda: filmstrip(
        DIGITS.reshape(8, 5, 1, 28, 28), list("12345678"), title="A title", rows=list("abcde")
    ),
}


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("L"))


@pytest.mark.parametrize("make", GRIDS.values(), ids=GRIDS)
def test_grids_have_a_title(make):
    (axes,) = make().axes
    assert axes.get_title(loc="left") == "A title"


@pytest.mark.parametrize("make", GRIDS.values(), ids=GRIDS)
def test_figures_are_small_and_none_stays_open(make):
    data = to_png(make())
    assert shown_width(data) <= 1000
    assert len(as_html(data, "")) + len(plain_png(data)) * 4 / 3 < 130_000  # what a notebook stores
    assert plt.get_fignums() == []


def test_a_pixel_of_an_image_is_a_whole_block_of_screen_pixels():
    checks = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(4, 4)[None, None]
    assert set(np.unique(pixels(to_png(checks)))) == {0, 255}
    drawn = pixels(to_png(images(checks, title="A title")))
    inside = drawn[45:85, 20:60]  # a part of the tile, away from the title
    assert set(np.unique(inside)) == {0, 255}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: images(torch.full((1, 1, 4, 4), torch.nan), title=""), "x: 16 of 16 values are NaN"),
        (lambda: images(torch.zeros(4, 4), title=""), r"x: got shape \(4, 4\), want \(n, n, n, n\)"),
        (lambda: images(torch.zeros(1, 2, 4, 4), title=""), "1 or 3 channels"),
        (lambda: images(torch.zeros(0, 1, 4, 4), title=""), "x: is empty"),
        (lambda: images(torch.zeros(401, 1, 4, 4), title=""), "401 images are too many"),
        (lambda: images(torch.zeros(2, 1, 4, 4), title="", titles=["a"]), "titles: got 1 for 2 images"),
        (lambda: images(torch.zeros(2, 1, 4, 4), title="", columns=0), "columns: got 0"),
        (lambda: filmstrip(DIGITS[None], ["a", "b"], title=""), "labels: got 2 for 1 states"),
        (
            lambda: filmstrip([DIGITS[:2], DIGITS[:3]], ["a", "b"], title=""),
            "numbers of one common shape",
        ),
    ],
)
def test_bad_input_is_one_clear_line(call, message):
    with pytest.raises(CourseError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
