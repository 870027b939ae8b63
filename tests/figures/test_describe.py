"""A figure in words."""

import torch
from matplotlib.figure import Figure

from diffusion_course.figures import plots
from diffusion_course.figures.describe import describe


def test_a_chart_tells_title_axes_and_lines():
    figure = plots.curves(
        [1, 10],
        {"$x_t$": [1, 2], "b": [2, 1]},
        title=r"Loss at $\bar\alpha_t$",
        xlabel="step",
        ylabel="loss",
        logx=True,
    )
    assert describe(figure) == "Loss at ᾱ_t. Horizontal: step, logarithmic; vertical: loss. Shown: x_t; b."


def test_a_film_tells_its_headings():
    states = torch.zeros(3, 1, 1, 4, 4)
    figure = plots.filmstrip(states, ["t = 0", "t = 1", "t = 2"], title="A film")
    assert describe(figure) == "A film. Shown: t = 0; t = 1; t = 2."


def test_many_names_are_cut_and_several_axes_are_told():
    figure = Figure()
    for axes, title in zip(figure.subplots(1, 2), ("one", "two"), strict=True):
        axes.set_title(title)
    figure.axes[0].plot([[0] * 20, [1] * 20], label=[f"l{k}" for k in range(20)])
    assert describe(figure).startswith("One. Shown: l0; l1;")
    assert describe(figure).endswith("l11 and 8 more. Two.")
    assert describe(Figure()) == "A figure."
