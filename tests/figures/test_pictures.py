"""PNG bytes: of whatever a slider can show, and of several settings side by side."""

import base64
import io
import re

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from diffusion_course.errors import CourseError
from diffusion_course.figures import plots
from diffusion_course.figures.grids import DPI, images
from diffusion_course.figures.pictures import SHARP, as_html, join, plain_png, png, shown_width, to_png

DIGITS = torch.rand(40, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_pictures_accept_figures_tensors_and_bytes_and_close_what_pyplot_opened():
    figure, _ = plt.subplots()
    data = to_png(figure)
    assert plt.get_fignums() == []
    assert to_png(data) == data
    assert to_png(DIGITS[0]) == to_png(DIGITS[:1])
    with pytest.raises(CourseError, match="got NoneType"):
        to_png(None)


def test_joined_pictures_stay_narrow_enough_to_read():
    one = to_png(plots.curves([0, 1], {"a": [0, 1]}, title="A title", xlabel="across", ylabel="up"))
    page = join(["a", "b", "σ = 3"], [one] * 3)
    assert shown_width(page) <= 1200
    assert Image.open(io.BytesIO(page)).height == 2 * 2 * (324 + 22)


def opened(data):
    return Image.open(io.BytesIO(data))


def test_a_figure_is_sharp_on_a_dense_screen_and_keeps_its_size():
    figure = plots.curves([0, 1], {"a": [0, 1]}, title="A title", xlabel="across", ylabel="up")
    for data in (png(figure), to_png(figure), to_png(figure, quick=True)):
        assert (opened(data).width, shown_width(data)) == (1152, 576)
    assert (opened(plain_png(png(figure))).width, shown_width(plain_png(png(figure)))) == (576, 576)


def test_pixels_are_not_drawn_twice_for_a_slider():
    figure = images(DIGITS[:4], title="A title")
    assert opened(to_png(figure)).width == 2 * opened(to_png(figure, quick=True)).width
    assert shown_width(to_png(figure)) == shown_width(to_png(figure, quick=True))


def test_in_html_no_pixel_is_lost_and_the_plain_picture_is_small():
    colours = to_png(torch.rand(20, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1)
    found = re.search('base64,([^"]*)"', as_html(colours, "noise"))
    shown = opened(base64.b64decode(found[1])).convert("RGB")
    assert shown.tobytes() == opened(colours).convert("RGB").tobytes()
    assert len(plain_png(colours)) < len(colours)


def test_html_tells_the_picture_in_words():
    told = as_html(to_png(DIGITS[:1]), 'a < b & "c"')
    assert 'alt="a &lt; b &amp; &quot;c&quot;"' in told
    assert f'width="{shown_width(to_png(DIGITS[:1]))}"' in told


@pytest.mark.parametrize("width", [63, 98, 104, 576, 1011])
@pytest.mark.parametrize("quick", [False, True])
def test_a_figure_of_any_width_has_the_pixels_of_matplotlibs_own_png(width, quick):
    """What a width in inches rounds to is Matplotlib's to say: one pixel off, and each row begins a pixel further."""
    figure = Figure(figsize=(width / DPI, 60.4 / DPI), dpi=DPI)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    axes.imshow([[0, 1], [2, 3]])
    axes.set_title(r"$\bar\alpha_t$")
    own = io.BytesIO()
    figure.savefig(own, format="png", dpi=(1 if quick else SHARP) * DPI)
    wanted, got = (Image.open(data).convert("RGB") for data in (own, io.BytesIO(to_png(figure, quick))))
    assert got.size == wanted.size
    assert got.tobytes() == wanted.tobytes()
