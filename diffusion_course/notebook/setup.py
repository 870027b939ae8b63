"""The first cell of every notebook: device, preset, seeds, figure style. Safe to run again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import matplotlib
import numpy as np
import torch
from cycler import cycler
from matplotlib.figure import Figure

from .. import devices
from ..errors import unknown
from ..figures.describe import describe
from ..figures.frames import SIZE
from ..figures.grids import DPI
from ..figures.pictures import as_html, plain_png, png
from ..figures.plots import COLOURS

Preset = Literal["small", "large"]
T = TypeVar("T")

# rcParams; the stubs want literal keys.
STYLE: Any = {
    "figure.dpi": DPI,
    "savefig.dpi": "figure",
    "figure.figsize": SIZE,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.axisbelow": True,
    "legend.framealpha": 1.0,
    "axes.prop_cycle": cycler(color=COLOURS),
    "image.cmap": "gray",
    "image.interpolation": "nearest",
}

_warned = False  # whether this kernel has already said that it has no GPU


@dataclass(frozen=True)
class Setup:
    """What a notebook needs to know about its machine."""

    device: torch.device
    preset: Preset
    seed: int

    def pick(self, *, small: T, large: T) -> T:
        """The value for this machine: `small` where a CPU must finish in a minute, `large` where there is a GPU."""
        return small if self.preset == "small" else large


def setup(device: str | None = None, preset: Preset | None = None, seed: int = 0) -> Setup:
    """Choose the device and the preset, seed Python, NumPy and torch, set the figure style, print one line.

    device: "cpu", "cuda" or "cuda:N"; default: cuda when there is one. Apple's MPS is never used, since it has no float64.
    preset: "small" or "large"; default: large with a GPU. Raises CourseError for a device or preset that cannot be had.
    """
    chosen = devices.choose(device)
    if preset is not None and preset not in ("small", "large"):
        raise unknown("preset", preset, ("small", "large"))
    course = Setup(chosen, preset or ("large" if chosen.type == "cuda" else "small"), seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  what other libraries still draw from
    torch.manual_seed(seed)  # seeds every GPU as well
    _style()
    print(_line(course, asked=device is not None))
    return course


def _line(course: Setup, asked: bool) -> str:
    """The one line. On a CPU it never names the machine, so that nbval finds the same words everywhere."""
    global _warned
    if course.device.type == "cuda":
        return f"Device: {torch.cuda.get_device_name(course.device)}, {course.preset} preset."
    line = f"Device: CPU, {course.preset} preset."
    if asked or _warned:
        return line
    _warned = True
    if torch.backends.mps.is_available():
        return f"{line} Apple's GPU is not used: it has no float64."
    return f"{line} No GPU was found, and none is needed; Colab lends one: Runtime > Change runtime type > T4 GPU."


def _style() -> None:
    """Inline figures in a notebook, as HTML with their words and as PNG; elsewhere the backend stays as it is."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None and hasattr(shell, "kernel"):
        # Also tells IPython how to show a Figure that was made without pyplot.
        shell.run_line_magic("matplotlib", "inline")
        formatters = shell.display_formatter.formatters
        formatters["text/html"].for_type(Figure, lambda figure: as_html(png(figure), describe(figure)))
        formatters["image/png"].for_type(Figure, lambda figure: plain_png(png(figure)))
    matplotlib.rcParams.update(STYLE)
