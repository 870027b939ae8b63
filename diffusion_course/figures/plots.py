"""The figures of the course. Every function returns one matplotlib Figure and shows nothing.

The convention: a figure on the last line of a cell is shown once; in the middle of a cell write `display(figure)`.
The figures are made without pyplot, so none stays open and the inline backend cannot show one a second time.

Numbers may be tensors on any device, arrays or lists. NaN, a wrong shape or nothing at all raises CourseError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import cycle, islice
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from torch import Tensor

from ..errors import CourseError
from .arrays import Array, numbers
from .frames import LINE, chart, grow, legend, plane
from .grids import filmstrip, images
from .pictures import png

# Okabe & Ito's palette, which stays distinct for colour-blind readers. Its yellow is too faint on white and left out.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":")  # a second cue beside the colour
MARKERS = ("o", "^", "s", "D", "v", "P", "X")
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FEW = 12  # points that are drawn as large, edged markers: they are what a picture is about


def curves(
    x: Any,
    lines: Mapping[str, Any],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    logx: bool = False,
    logy: bool = False,
    xlim: tuple[float, float] | None = None,
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
    _check_log("x", xs, logx)
    figure, axes = chart(title, xlabel, ylabel)
    beside = _beside(xs, list(intervals or {}), logx)
    for (label, y), colour, dash in zip(lines.items(), cycle(COLOURS), cycle(DASHES), strict=False):
        ys = numbers(f"lines[{label!r}]", y, (None,))
        if len(ys) != len(xs):
            raise CourseError(f"lines[{label!r}]: got {len(ys)} values for the {len(xs)} points of x")
        _check_log(f"lines[{label!r}]", ys, logy)
        axes.plot(beside.get(label, xs), ys, dash, color=colour, label=label)
        if label in (intervals or {}):
            ends = numbers(f"intervals[{label!r}]", (intervals or {})[label], (len(xs), 2))
            if not ((ends[:, 0] <= ys) & (ys <= ends[:, 1])).all():
                raise CourseError(f"intervals[{label!r}]: some do not hold their line's value")
            reach = np.abs(ends - ys[:, None]).T
            axes.errorbar(beside[label], ys, reach, fmt="o", color=colour, markersize=4, capsize=4)
    for (label, at), dash in zip((marks or {}).items(), cycle(DASHES[::-1]), strict=False):
        axes.axvline(at, linestyle=dash, color="0.4", label=label)
    axes.set(xscale="log" if logx else "linear", yscale="log" if logy else "linear")
    axes.minorticks_off()
    if xlim is not None:
        axes.set_xlim(*xlim)
    if ylim is not None:
        axes.set_ylim(*ylim)
    if logx and _apart(xs, names := [f"{value:g}" for value in xs]):
        axes.set_xticks(xs, names)
    elif logx:
        _name_ticks(axes.xaxis)
    if logy:
        _name_ticks(axes.yaxis)
    if len(lines) > 1 or marks:
        legend(figure)
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
    figure, axes = chart(title, xlabel, "density")
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
        legend(figure)
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
    figure, axes = chart(title, xlabel, ylabel)
    axes.bar(range(len(heights)), heights, color=COLOURS[5], width=0.6)
    axes.set_xticks(range(len(heights)), list(values))
    grow(
        figure, LINE * max(label.count("\n") for label in values)
    )  # labels of two lines push the axis's own down
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
    figure, axes = plane(title, xlabel, ylabel, limits)
    for (label, points), colour, marker in zip(clouds.items(), cycle(COLOURS), cycle(MARKERS), strict=False):
        _scatter(axes, label, numbers(f"clouds[{label!r}]", points, (None, 2)), colour, marker)
    legend(figure)
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
    figure, axes = plane(title, xlabel, ylabel, limits)
    for (label, cloud), colour, marker in zip((clouds or {}).items(), COLOURS, MARKERS, strict=False):
        _scatter(axes, label, numbers(f"clouds[{label!r}]", cloud, (None, 2)), colour, marker)
    scale: dict[str, Any] = {} if share is None else {"angles": "xy", "scale_units": "xy", "scale": 1 / share}
    axes.quiver(at[:, 0], at[:, 1], arrows[:, 0], arrows[:, 1], color="0.45", width=0.004, zorder=1, **scale)
    if clouds:
        legend(figure)
    return figure


def _scatter(axes: Axes, label: str, points: Array, colour: str, marker: str) -> None:
    if len(points) <= FEW:
        look: dict[str, Any] = {"s": 110, "edgecolors": "white", "linewidths": 1.5, "zorder": 4}
    else:
        look = {"s": 14, "alpha": float(np.clip(300 / len(points), 0.25, 0.9)), "linewidths": 0}
    axes.scatter(points[:, 0], points[:, 1], c=colour, marker=marker, label=label, **look)


def _beside(xs: Array, labels: list[str], logx: bool) -> dict[str, Array]:
    """Each line's own x, a little beside the others', so that no error bar hides another."""
    at = np.log(xs) if logx else xs
    apart = min(0.012 * np.ptp(at), 0.1 * np.diff(np.sort(at)).min(initial=np.inf))
    shifts = apart * (np.arange(len(labels)) - (len(labels) - 1) / 2)
    return {label: np.exp(at + s) if logx else at + s for label, s in zip(labels, shifts, strict=True)}


def _apart(xs: Array, names: list[str]) -> bool:
    """Is there room for a name at each of the points of a logarithmic axis?"""
    if len(max(names, key=len)) > 5:
        return False
    gaps = np.diff(np.sort(np.log(xs)))
    return 1 < len(xs) <= 9 and bool(gaps.min() > 0.07 * gaps.sum()) and 0.01 <= xs.min() <= xs.max() < 1e5


def _name_ticks(axis: Axis) -> None:
    """Name a logarithmic axis's powers of ten; where it holds one or none, numbers between them as well."""
    low, high = np.log10(axis.get_view_interval())
    if np.floor(high) <= np.ceil(low):
        axis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axis.set_major_formatter("{x:g}")
    else:
        axis.set_major_formatter(_power)


def _power(x: float, _: float | None = None) -> str:
    """10⁻³ in letters: Matplotlib would read eight formulas, anew for each picture, in a quarter of a slider's time."""
    return "10" + str(round(np.log10(x))).translate(SUPERSCRIPTS)


def _check_log(name: str, values: Array, log: bool) -> None:
    if log and values.min() <= 0:
        raise CourseError(f"{name}: a logarithmic axis needs numbers > 0, got {values.min():g}")


__all__ = ["bars", "curves", "filmstrip", "histogram", "images", "legend", "png", "scatter2d", "vector_field"]
