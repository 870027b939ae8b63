"""A figure in words, for readers who cannot see it: title, axes, and the labels of what is drawn."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..tex import plain

MOST = 12  # names that are told


def describe(figure: Figure) -> str:
    """What the figure shows, from its own words, e.g. "Loss. Horizontal: step; vertical: loss, logarithmic. Shown: a, b."."""
    told = [_axes(axes) for axes in figure.axes]
    return " ".join(filter(None, [_sentence(figure.get_suptitle()), *dict.fromkeys(told)])) or "A figure."


def _axes(axes: Axes) -> str:
    title = axes.get_title() or axes.get_title(loc="left")
    sides = [
        f"{name}: {label}{', logarithmic' if scale == 'log' and 'log' not in label else ''}"
        for name, label, scale in (
            ("horizontal", axes.get_xlabel(), axes.get_xscale()),
            ("vertical", axes.get_ylabel(), axes.get_yscale()),
        )
        if label
    ]
    shown = [label for label in axes.get_legend_handles_labels()[1] if label]
    shown = shown or [text.get_text() for text in axes.texts]
    more = f" and {len(shown) - MOST} more" if len(shown) > MOST else ""
    listed = f"Shown: {'; '.join(shown[:MOST])}{more}" if shown else ""
    return " ".join(map(_sentence, filter(None, [title, "; ".join(sides), listed])))


def _sentence(text: str) -> str:
    text = " ".join(plain(text).split())
    return text and text[0].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
