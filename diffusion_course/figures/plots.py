"""The figures of the course. Every function returns one matplotlib Figure and shows nothing.

The convention: a figure on the last line of a cell is shown once; in the middle of a cell write `display(figure)`.
The figures are made without pyplot, so none stays open and the inline backend cannot show one a second time.

Numbers may be tensors on any device, arrays or lists. NaN, a wrong shape or nothing at all raises CourseError.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import cycle, islice
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ..errors import CourseError
from .arrays import Array, numbers
from .grids import DPI, filmstrip, images
from .pictures import png

# Okabe & Ito's palette, which stays distinct for colour-blind readers. Its yellow is too faint on white and left out.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":")  # a second cue beside the colour
MARKERS = ("o", "^", "s", "D", "v", "P", "X")
FEW = 10  # points of a cloud that are so few that each of them matters
SIZE = (6.4, 3.6)  # inches


def curves(
    x: Any,
    lines: Mapping[str, Any],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    logx: bool = False,
    logy: bool = False,
    ylim: tuple[float, float] | None = None,
    marks: Mapping[str, float] | None = None,
    intervals: Mapping[str, Any] | None = None,
) -> Figure:
    """Lines over a common x. x and every line: (n,). `marks` draws a labelled vertical line at each given x.

    intervals: label -> (n, 2), the ends (low, high) of a line's error bars; its points are then marked.
    """
    if not lines:
        raise CourseError("lines: got none, want at least one label -> values")
    if extra := set(intervals or {}) - set(lines):
        raise CourseError(f"intervals: {min(extra)!r} is not among the lines {', '.join(lines)}")
    xs = numbers("x", x, (None,))
    figure, axes = _axes(title, xlabel, ylabel)
    for (label, y), colour, dash in zip(lines.items(), cycle(COLOURS), cycle(DASHES), strict=False):
        ys = numbers(f"lines[{label!r}]", y, (None,))
        if len(ys) != len(xs):
            raise CourseError(f"lines[{label!r}]: got {len(ys)} values for the {len(xs)} points of x")
        _check_log(f"lines[{label!r}]", ys, logy)
        axes.plot(xs, ys, dash, color=colour, label=label)
        if label in (intervals or {}):
            ends = numbers(f"intervals[{label!r}]", (intervals or {})[label], (len(xs), 2))
            if not ((ends[:, 0] <= ys) & (ys <= ends[:, 1])).all():
                raise CourseError(f"intervals[{label!r}]: some do not hold their line's value")
            reach = np.abs(ends - ys[:, None]).T
            axes.errorbar(xs, ys, reach, fmt="o", color=colour, markersize=4, capsize=4)
    for (label, at), dash in zip((marks or {}).items(), cycle(DASHES[::-1]), strict=False):
        axes.axvline(at, linestyle=dash, color="0.4", label=label)
    _check_log("x", xs, logx)
    axes.set(xscale="log" if logx else "linear", yscale="log" if logy else "linear")
    axes.minorticks_off()
    if ylim is not None:
        axes.set_ylim(*ylim)
    if len(lines) > 1 or marks:
        _legend(figure)
    return figure


def histogram(
    samples: Mapping[str, Any],
    *,
    title: str,
    xlabel: str,
    densities: Mapping[str, Callable[[Tensor], Any]] | None = None,
    bins: int = 50,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Histograms of area one, with densities drawn over them.

    samples: label -> (n,). densities: label -> function of a float64 tensor (m,) that returns (m,).
    limits: ends of the x axis; the default covers all samples.
    """
    if not samples:
        raise CourseError("samples: got none, want at least one label -> values")
    values = {label: numbers(f"samples[{label!r}]", v, (None,)) for label, v in samples.items()}
    low, high = limits or (min(v.min() for v in values.values()), max(v.max() for v in values.values()))
    if not low < high:
        raise CourseError(
            f"samples: all values equal {low:g}; a histogram needs a spread, or limits=(low, high)"
        )
    figure, axes = _axes(title, xlabel, "density")
    for (label, v), colour in zip(values.items(), cycle(COLOURS), strict=False):
        # Weights keep the area honest when limits cut some samples off.
        weights = np.full(len(v), bins / (high - low) / len(v))
        axes.hist(v, bins=bins, range=(low, high), weights=weights, color=colour, alpha=0.45, label=label)
    grid = torch.linspace(float(low), float(high), 400, dtype=torch.float64)
    tones = islice(cycle(COLOURS), len(values), None)
    for (label, density), colour, dash in zip((densities or {}).items(), tones, cycle(DASHES), strict=False):
        axes.plot(
            grid, numbers(f"densities[{label!r}]", density(grid), (400,)), dash, color=colour, label=label
        )
    if len(values) > 1 or densities:
        _legend(figure)
    return figure


def bars(
    values: Mapping[str, float],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    intervals: Mapping[str, tuple[float, float]] | None = None,
) -> Figure:
    """One bar per label. `intervals`: label -> (low, high), the ends of its error bar (not distances from the bar)."""
    heights = numbers("values", list(values.values()), (None,))
    figure, axes = _axes(title, xlabel, ylabel)
    axes.bar(range(len(heights)), heights, color=COLOURS[5], width=0.6)
    axes.set_xticks(range(len(heights)), list(values))
    for label, ends in (intervals or {}).items():
        if label not in values:
            raise CourseError(f"intervals: {label!r} is not among the bars {', '.join(values)}")
        low, high = numbers(f"intervals[{label!r}]", ends, (2,))
        if not low <= values[label] <= high:
            raise CourseError(
                f"intervals[{label!r}]: ({low:g}, {high:g}) does not hold the bar's {values[label]:g}"
            )
        at = list(values).index(label)
        axes.errorbar(
            at, values[label], [[values[label] - low], [high - values[label]]], color="black", capsize=5
        )
    axes.grid(False, axis="x")
    return figure


def scatter2d(
    clouds: Mapping[str, Any],
    *,
    title: str,
    xlabel: str = "$x_1$",
    ylabel: str = "$x_2$",
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Clouds of points in the plane, label -> (n, 2). `limits` fixes both axes, which keeps a slider's frame still.

    A cloud of at most FEW points is drawn in large edged markers on top of the others: means, targets, starts.
    """
    if not clouds:
        raise CourseError("clouds: got none, want at least one label -> points")
    figure, axes = _plane(title, xlabel, ylabel, limits)
    for (label, points), colour, marker in zip(clouds.items(), cycle(COLOURS), cycle(MARKERS), strict=False):
        _scatter(axes, label, numbers(f"clouds[{label!r}]", points, (None, 2)), colour, marker)
    _legend(figure)
    return figure


def vector_field(
    points: Any,
    vectors: Any,
    *,
    title: str,
    xlabel: str = "$x_1$",
    ylabel: str = "$x_2$",
    clouds: Mapping[str, Any] | None = None,
    limits: tuple[float, float] | None = None,
    share: float | None = None,
) -> Figure:
    """Arrows `vectors` (n, 2) at `points` (n, 2), under optional clouds of points. Arrows share one length scale.

    share: the arrows are drawn at this share of their true length, the same in all frames of a slider. The default
    scales them to each figure, where only their directions and ratios can be read.
    """
    at, arrows = numbers("points", points, (None, 2)), numbers("vectors", vectors, (None, 2))
    if len(at) != len(arrows):
        raise CourseError(f"vectors: got {len(arrows)} for {len(at)} points")
    figure, axes = _plane(title, xlabel, ylabel, limits)
    for (label, cloud), colour, marker in zip((clouds or {}).items(), COLOURS, MARKERS, strict=False):
        _scatter(axes, label, numbers(f"clouds[{label!r}]", cloud, (None, 2)), colour, marker)
    scale: dict[str, Any] = {} if share is None else {"angles": "xy", "scale_units": "xy", "scale": 1 / share}
    axes.quiver(at[:, 0], at[:, 1], arrows[:, 0], arrows[:, 1], color="0.45", width=0.004, zorder=1, **scale)
    if clouds:
        _legend(figure)
    return figure


def _axes(title: str, xlabel: str, ylabel: str, size: tuple[float, float] = SIZE) -> tuple[Figure, Axes]:
    # Fixed margins, in inches: a slider's frame stands still, and drawing takes half the time of a layout engine.
    figure = Figure(figsize=size, dpi=DPI)
    figure.set_layout_engine("none")
    width, height = size
    axes = figure.add_axes((0.8 / width, 0.55 / height, 1 - 0.95 / width, 1 - 0.9 / height))
    axes.set_title(title, y=1.0)  # a fixed height spares matplotlib a first layout pass to find one
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.grid(True, alpha=0.3)
    axes.set_axisbelow(True)
    return figure, axes


def _plane(title: str, xlabel: str, ylabel: str, limits: tuple[float, float] | None) -> tuple[Figure, Axes]:
    figure, axes = _axes(title, xlabel, ylabel, size=(4.8, 4.8))
    axes.set_aspect("equal")
    if limits is not None:
        axes.set(xlim=limits, ylim=limits)
    return figure, axes


def _scatter(axes: Axes, label: str, points: Array, colour: str, marker: str) -> None:
    look: dict[str, Any] = {"s": 14, "alpha": float(np.clip(300 / len(points), 0.25, 0.9)), "linewidths": 0}
    if len(points) <= FEW:
        look = {"s": 110, "edgecolors": "black", "linewidths": 1.4, "zorder": 4}
    axes.scatter(points[:, 0], points[:, 1], c=colour, marker=marker, label=label, **look)


def _legend(figure: Figure) -> None:
    """A legend below the axes, where it can hide nothing: the figure grows by its height, and the axes keep their size."""
    (axes,) = figure.axes
    handles, labels = axes.get_legend_handles_labels()
    width, height = figure.get_size_inches()
    longest = max(len(re.sub(r"\\[a-zA-Z]+|[${}\\]", "", label)) for label in labels)
    columns = int(np.clip((width - 0.2) / (0.55 + 0.085 * longest), 1, len(labels)))
    extra = 0.1 + 0.22 * -(-len(labels) // columns)
    box = axes.get_position()
    figure.set_size_inches(width, height + extra)
    bottom, tall = box.y0 * height + extra, box.height * height
    axes.set_position((box.x0, bottom / (height + extra), box.width, tall / (height + extra)))
    figure.legend(
        handles, labels, loc="lower center", ncols=columns, fontsize=9, framealpha=1.0, borderaxespad=0.3
    )


def _check_log(name: str, values: Array, log: bool) -> None:
    if log and values.min() <= 0:
        raise CourseError(f"{name}: a logarithmic axis needs numbers > 0, got {values.min():g}")


__all__ = ["bars", "curves", "filmstrip", "histogram", "images", "png", "scatter2d", "vector_field"]
