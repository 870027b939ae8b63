"""Figures: titled and labelled, small, never left open, and one clear line for bad input."""

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.figure import Figure

from diffusion_course.errors import CourseError
from diffusion_course.figures import plots
from diffusion_course.figures.pictures import as_html, plain_png, shown_width, to_png

WORDS = {"title": "A title", "xlabel": "across", "ylabel": "up"}
CLOUD = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))


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


@pytest.mark.parametrize("make", CHARTS.values(), ids=CHARTS)
def test_charts_have_a_title_and_labelled_axes(make):
    (axes,) = make().axes
    assert axes.get_title() == "A title"
    assert axes.get_xlabel() == "across"
    assert axes.get_ylabel() in ("up", "density")


@pytest.mark.parametrize("make", CHARTS.values(), ids=CHARTS)
def test_figures_are_small_and_none_stays_open(make):
    data = to_png(make())
    assert shown_width(data) <= 1000
    assert len(as_html(data, "")) + len(plain_png(data)) * 4 / 3 < 130_000  # what a notebook stores
    assert plt.get_fignums() == []


@pytest.mark.parametrize("many", [2, 7])
def test_a_legend_hides_nothing_and_leaves_the_axes_their_size(many):
    lines = {f"line number {k}": [k, k + 1] for k in range(many)}
    alone = plots.curves([0, 1], {"a": [0, 1]}, **WORDS)
    figure = plots.curves([0, 1], lines, **WORDS)
    figure.canvas.draw()
    axes, legend = figure.axes[0], figure.axes[0].get_legend()
    assert not legend.get_window_extent().overlaps(axes.xaxis.get_tightbbox())
    assert figure.bbox.fully_contains(*legend.get_window_extent().p0)
    assert figure.bbox.fully_contains(*legend.get_window_extent().p1)
    assert axes.bbox.size == pytest.approx(alone.axes[0].bbox.size)
    height = figure.get_figheight()
    plots.legend(figure)
    assert figure.get_figheight() == pytest.approx(height)


def test_error_bars_of_two_lines_stand_side_by_side():
    ends = [[0.5, 2], [2, 2.5], [3, 4]]
    figure = plots.curves(
        [1, 10, 100], {"a": [1, 2, 3], "b": [1, 2, 3]}, intervals={"a": ends, "b": ends}, logx=True, **WORDS
    )
    one, two = ([segment[0, 0] for segment in c.get_segments()] for c in figure.axes[0].collections)
    assert all(a < b for a, b in zip(one, two, strict=True))
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["1", "10", "100"]


def test_long_numbers_are_no_labels_of_a_logarithmic_axis():
    axes = plots.curves([0.0307256, 0.290068, 2.73842], {"a": [1, 2, 3]}, logx=True, **WORDS).axes[0]
    assert "0.0307256" not in [label.get_text() for label in axes.get_xticklabels()]


def test_few_points_are_large_and_lie_on_top():
    figure = plots.vector_field(CLOUD, -CLOUD, clouds={"many": CLOUD, "means": CLOUD[:3]}, **WORDS)
    many, means, arrows = figure.axes[0].collections
    assert means.get_sizes()[0] > 5 * many.get_sizes()[0]
    assert means.get_zorder() > arrows.get_zorder()


def test_error_bars_end_where_their_interval_does():
    figure = plots.curves([1, 2], {"a": [1.0, 2.0]}, intervals={"a": [[0.5, 1.2], [1.9, 4.0]]}, **WORDS)
    (bars,) = figure.axes[0].collections
    ends = [segment[:, 1].tolist() for segment in bars.get_segments()]
    assert ends == [pytest.approx([0.5, 1.2]), pytest.approx([1.9, 4.0])]


LEGENDS = {name: make for name, make in CHARTS.items() if name != "bars"}


@pytest.mark.parametrize("make", LEGENDS.values(), ids=LEGENDS)
def test_a_legend_hides_nothing(make):
    figure = make()
    axes, legend = figure.axes[0], figure.axes[0].get_legend()
    if legend is None:  # one line names itself
        assert len(axes.lines) <= 1
        return
    plots.png(figure)
    box, inside = legend.get_window_extent(), figure.bbox
    assert box.y1 <= axes.xaxis.get_tightbbox().y0 + 1
    assert inside.x0 <= box.x0
    assert box.x1 <= inside.x1
    assert inside.y0 <= box.y0


def test_a_legend_of_long_labels_fits_and_leaves_the_axes_their_size():
    short = plots.curves([1, 2], {"a": [1, 2]}, **WORDS)
    long = plots.curves(
        [1, 2], {r"$\rho = 7$ and some fifty letters of words more " + k: [1, 2] for k in "abcdefg"}, **WORDS
    )
    plots.png(long)
    assert long.axes[0].get_legend().get_window_extent().width < long.bbox.width
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


def test_bars_with_names_of_two_lines_keep_their_axis_label_inside():
    figure = plots.bars({"right": 0.8, "noise\non the last step": 0.7}, title="T", xlabel="x", ylabel="y")
    figure.draw_without_rendering()
    assert figure.axes[0].xaxis.label.get_window_extent().y0 >= 0


def test_a_logarithmic_axis_that_is_longer_than_its_line_has_powers_of_ten():
    axes = plots.curves([6.12345, 50.5432], {"a": [1, 2]}, logx=True, xlim=(1e-3, 100), **WORDS).axes[0]
    axes.figure.canvas.draw()
    assert axes.get_xlim() == (1e-3, 100)
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert {"10⁻³", "10⁰", "10²"} <= set(names)
    assert len(names) < 10


def test_a_short_logarithmic_axis_has_numbers_to_read():
    short = plots.curves([1, 2, 3], {"a": [0.9, 1.2, 1.9]}, logy=True, **WORDS).axes[0]
    low, high = short.get_ylim()
    short.figure.canvas.draw()
    shown = [label.get_text() for label in short.get_yticklabels() if low <= label.get_position()[1] <= high]
    assert {"1", "1.5"} <= set(shown)
