"""Figures: titled and labelled, small, never left open, and one clear line for bad input."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from diffusion_course.errors import CourseError
from diffusion_course.notebook import plots
from diffusion_course.notebook.pictures import join, to_png

WORDS = {"title": "A title", "xlabel": "across", "ylabel": "up"}
DIGITS = torch.rand(40, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
CLOUD = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("L"))


def normal(x):
    return torch.exp(-(x**2) / 2) / (2 * torch.pi) ** 0.5


CHARTS = {
    "curves": lambda: plots.curves(
        [1, 2, 3], {"a": [1, 2, 3], "b": torch.ones(3)}, logy=True, marks={"here": 2}, **WORDS
    ),
    "curves with error bars": lambda: plots.curves(
        [1, 2], {"a": [1, 2], "b": [3, 4]}, intervals={"a": [[0.5, 2], [2, 2.5]]}, **WORDS
    ),
    "histogram": lambda: plots.histogram(
        {"x": CLOUD[:, 0]}, densities={"N": normal}, title="A title", xlabel="across"
    ),
    "bars": lambda: plots.bars({"a": 0.5, "b": 0.7}, intervals={"a": (0.4, 0.6)}, **WORDS),
    "scatter2d": lambda: plots.scatter2d({"a": CLOUD, "b": CLOUD + 1}, limits=(-3, 3), **WORDS),
    "vector_field": lambda: plots.vector_field(CLOUD, -CLOUD, clouds={"a": CLOUD}, **WORDS),
}
GRIDS = {
    "images": lambda: plots.images(DIGITS, title="A title"),
    "images with titles": lambda: plots.images(
        DIGITS[:7], title="A title", titles=list("abcdefg"), columns=4
    ),
    "colour": lambda: plots.images(torch.zeros(2, 3, 8, 8), title="A title"),
    "filmstrip": lambda: plots.filmstrip(
        DIGITS.reshape(8, 5, 1, 28, 28), list("12345678"), title="A title", rows=list("abcde")
    ),
}


@pytest.mark.parametrize("make", CHARTS.values(), ids=CHARTS)
def test_charts_have_a_title_and_labelled_axes(make):
    (axes,) = make().axes
    assert axes.get_title() == "A title"
    assert axes.get_xlabel() == "across"
    assert axes.get_ylabel() in ("up", "density")


@pytest.mark.parametrize("make", GRIDS.values(), ids=GRIDS)
def test_grids_have_a_title(make):
    (axes,) = make().axes
    assert axes.get_title(loc="left") == "A title"


@pytest.mark.parametrize("make", (CHARTS | GRIDS).values(), ids=CHARTS | GRIDS)
def test_figures_are_small_and_none_stays_open(make):
    data = plots.png(make())
    assert Image.open(io.BytesIO(data)).width <= 1000
    assert len(data) < 100_000
    assert plt.get_fignums() == []


def test_a_pixel_of_an_image_is_a_whole_block_of_screen_pixels():
    checks = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(4, 4)[None, None]
    assert set(np.unique(pixels(to_png(checks)))) == {0, 255}
    drawn = pixels(plots.png(plots.images(checks, title="A title")))
    inside = drawn[45:85, 20:60]  # a part of the tile, away from the title
    assert set(np.unique(inside)) == {0, 255}


def test_pictures_accept_figures_tensors_and_bytes_and_close_what_pyplot_opened():
    figure, _ = plt.subplots()
    data = to_png(figure)
    assert plt.get_fignums() == []
    assert to_png(data) == data
    assert to_png(DIGITS[0]) == to_png(DIGITS[:1])
    with pytest.raises(CourseError, match="got NoneType"):
        to_png(None)


def test_joined_pictures_stay_narrow_enough_to_read():
    one = to_png(plots.curves([0, 1], {"a": [0, 1]}, **WORDS))
    page = Image.open(io.BytesIO(join(["a", "b", "σ = 3"], [one] * 3)))
    assert page.width <= 1200
    assert page.height == 2 * (324 + 22)


def test_error_bars_end_where_their_interval_does():
    figure = plots.curves([1, 2], {"a": [1.0, 2.0]}, intervals={"a": [[0.5, 1.2], [1.9, 4.0]]}, **WORDS)
    (bars,) = figure.axes[0].collections
    ends = [segment[:, 1].tolist() for segment in bars.get_segments()]
    assert ends == [pytest.approx([0.5, 1.2]), pytest.approx([1.9, 4.0])]


LEGENDS = {name: make for name, make in CHARTS.items() if name != "bars"}


@pytest.mark.parametrize("make", LEGENDS.values(), ids=LEGENDS)
def test_a_legend_hides_nothing(make):
    figure = make()
    if not figure.legends:  # one line names itself
        assert len(figure.axes[0].lines) <= 1
        return
    plots.png(figure)
    (legend,) = figure.legends
    box, inside = legend.get_window_extent(), figure.bbox
    assert box.y1 <= figure.axes[0].get_tightbbox().y0 + 1
    assert inside.x0 <= box.x0
    assert box.x1 <= inside.x1
    assert inside.y0 <= box.y0
    assert figure.axes[0].get_legend() is None


def test_a_legend_of_long_labels_fits_and_leaves_the_axes_their_size():
    short = plots.curves([1, 2], {"a": [1, 2]}, **WORDS)
    long = plots.curves(
        [1, 2], {r"$\rho = 7$ and some fifty letters of words more " + k: [1, 2] for k in "abcdefg"}, **WORDS
    )
    plots.png(long)
    assert long.legends[0].get_window_extent().width < long.bbox.width
    sizes = [figure.axes[0].get_window_extent() for figure in (short, long)]
    assert (sizes[0].width, sizes[0].height) == pytest.approx((sizes[1].width, sizes[1].height))


def test_few_points_stand_out_from_a_cloud():
    axes = plots.scatter2d({"samples": CLOUD, "means": CLOUD[:3]}, **WORDS).axes[0]
    cloud, means = axes.collections
    assert means.get_sizes()[0] > 4 * cloud.get_sizes()[0]
    assert means.get_zorder() > cloud.get_zorder()
    assert means.get_linewidths()[0] > 0


def test_arrows_of_a_given_share_do_not_depend_on_the_other_arrows():
    def drawn(vectors):
        figure = plots.vector_field(CLOUD, vectors, share=0.25, limits=(-3, 3), **WORDS)
        return figure.axes[0].collections[0].scale

    assert drawn(CLOUD) == drawn(100 * CLOUD) == 4


def test_histogram_keeps_its_area_when_limits_cut():
    figure = plots.histogram({"x": [0.0, 0.1, 0.2, 9.0]}, title="A title", xlabel="x", limits=(0, 1), bins=10)
    assert sum(bar.get_height() * bar.get_width() for bar in figure.axes[0].patches) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.images(torch.full((1, 1, 4, 4), torch.nan), title=""), "x: 16 of 16 values are NaN"),
        (lambda: plots.images(torch.zeros(4, 4), title=""), r"x: got shape \(4, 4\), want \(n, n, n, n\)"),
        (lambda: plots.images(torch.zeros(1, 2, 4, 4), title=""), "1 or 3 channels"),
        (lambda: plots.images(torch.zeros(0, 1, 4, 4), title=""), "x: is empty"),
        (lambda: plots.images(torch.zeros(401, 1, 4, 4), title=""), "401 images are too many"),
        (lambda: plots.images(torch.zeros(2, 1, 4, 4), title="", titles=["a"]), "titles: got 1 for 2 images"),
        (lambda: plots.images(torch.zeros(2, 1, 4, 4), title="", columns=0), "columns: got 0"),
        (lambda: plots.filmstrip(DIGITS[None], ["a", "b"], title=""), "labels: got 2 for 1 states"),
        (
            lambda: plots.filmstrip([DIGITS[:2], DIGITS[:3]], ["a", "b"], title=""),
            "numbers of one common shape",
        ),
        (lambda: plots.curves([1, 2], {"a": [1]}, **WORDS), "got 1 values for the 2 points"),
        (
            lambda: plots.curves([1, 2], {"a": [0, 1]}, logy=True, **WORDS),
            "logarithmic axis needs numbers > 0",
        ),
        (lambda: plots.curves([1, 2], {}, **WORDS), "lines: got none"),
        (
            lambda: plots.curves([1, 2], {"a": [0, 1]}, intervals={"a": [[0, 1], [2, 3]]}, **WORDS),
            "do not hold their line's value",
        ),
        (
            lambda: plots.curves([1, 2], {"a": [0, 1]}, intervals={"b": [[0, 1], [0, 3]]}, **WORDS),
            "'b' is not among the lines a",
        ),
        (lambda: plots.curves("ab", {"a": [1]}, **WORDS), "x: want numbers"),
        (lambda: plots.histogram({"a": [1.0, 1.0]}, title="", xlabel=""), "needs a spread"),
        (lambda: plots.bars({"a": 0.5}, intervals={"a": (0.6, 0.7)}, **WORDS), "does not hold the bar's 0.5"),
        (lambda: plots.bars({"a": 0.5}, intervals={"b": (0, 1)}, **WORDS), "'b' is not among the bars"),
        (lambda: plots.scatter2d({"a": torch.zeros(3, 3)}, **WORDS), r"got shape \(3, 3\), want \(n, 2\)"),
        (lambda: plots.vector_field(CLOUD, CLOUD[:5], **WORDS), "got 5 for 200 points"),
    ],
)
def test_bad_input_is_one_clear_line(call, message):
    with pytest.raises(CourseError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_input_may_need_a_gradient_or_be_half_precision():
    y = torch.ones(3, requires_grad=True, dtype=torch.bfloat16)
    assert isinstance(plots.curves(range(3), {"a": y}, **WORDS), Figure)
