"""The axes of a chart and its legend, at fixed places in inches: a slider's picture stands still, and nothing hides what is drawn."""

from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from ..tex import plain
from .grids import DPI

SIZE = (6.4, 3.6)  # inches
LETTER, SAMPLE, LINE = 0.085, 0.62, 0.22  # inches: a letter of a legend, the line before it, a row


def chart(title: str, xlabel: str, ylabel: str, size: tuple[float, float] = SIZE) -> tuple[Figure, Axes]:
    """A figure with one titled and labelled pair of axes."""
    # Fixed margins, in inches: drawing takes half the time of a layout engine.
    figure = Figure(figsize=size, dpi=DPI)
    figure.set_layout_engine("none")
    width, height = size
    axes = figure.add_axes((0.8 / width, 0.55 / height, 1 - 0.95 / width, 1 - 0.9 / height))
    axes.set_title(title, y=1.0)  # a fixed height spares matplotlib a first layout pass to find one
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.grid(True, alpha=0.3)
    axes.set_axisbelow(True)
    return figure, axes


def plane(title: str, xlabel: str, ylabel: str, limits: tuple[float, float] | None) -> tuple[Figure, Axes]:
    """Square axes with one scale for both coordinates."""
    figure, axes = chart(title, xlabel, ylabel, size=(4.8, 4.8))
    axes.set_aspect("equal")
    if limits is not None:
        axes.set(xlim=limits, ylim=limits)
    return figure, axes


def grow(figure: Figure, inches: float) -> None:
    """Make room below the axes, which keep their size."""
    (axes,) = figure.axes
    width, height = figure.get_size_inches()
    box, whole = axes.get_position(original=True), height + inches
    figure.set_size_inches(width, whole)
    axes.set_position((box.x0, (box.y0 * height + inches) / whole, box.width, box.height * height / whole))


def legend(figure: Figure) -> None:
    """Put the legend of all that has a label below the axes; the figure grows by its rows. Called again, it makes it anew."""
    axes = figure.axes[0]
    handles, labels = axes.get_legend_handles_labels()
    width = figure.get_size_inches()[0]
    old = axes.get_legend()
    before = float((old and old.get_gid()) or 0)  # inches that the figure has grown already
    widest = SAMPLE + LETTER * max(len(plain(label)) for label in labels)
    columns = max(1, min(len(labels), int((width - 0.1) // widest)))
    rows = -(-len(labels) // columns)
    grown = LINE * rows + 0.1
    grow(figure, grown - before)
    made = axes.legend(
        handles,
        labels,
        loc="lower center",
        bbox_to_anchor=(0.5, 0.06 / figure.get_size_inches()[1]),
        bbox_transform=figure.transFigure,
        ncols=columns,
        framealpha=1.0,
        frameon=False,
        borderaxespad=0.0,
        borderpad=0.0,
        labelspacing=0.35,
        columnspacing=1.4,
    )
    for handle in made.legend_handles:  # many faint points are seen in the picture, one is not
        if isinstance(handle, PathCollection):
            handle.set(alpha=1.0, sizes=[max(25.0, *handle.get_sizes())])
    made.set_gid(str(grown))
