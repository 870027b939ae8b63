"""From a short description of a range or a list of choices to an ipywidgets control."""

from __future__ import annotations

import inspect
from typing import Any

import ipywidgets

from ..errors import CourseError

Spec = tuple[int, int] | tuple[int, int, int] | tuple[float, float] | tuple[float, float, float] | list[Any]

STYLE = {"description_width": "initial"}  # the style sheet of `widgets` gives all labels of a box one width
LAYOUT = {"width": "95%", "max_width": "36em", "height": "auto", "flex_flow": "row wrap"}


def make(name: str, spec: Spec, initial: Any, label: str) -> Any:
    """The control for a range (min, max[, step]) or a list of choices, standing at `initial`.

    initial: inspect.Parameter.empty means the middle of a range or the first choice.
    Raises CourseError for an empty range or list, a step that is not positive, or an initial value outside.
    """
    if isinstance(spec, list) and spec:
        return _choice(name, spec, initial, label)
    if not (isinstance(spec, tuple) and len(spec) in (2, 3) and all(_is_number(v) for v in spec)):
        raise CourseError(f"{name}: want (min, max), (min, max, step) or a list of choices, got {spec!r}")
    low, high = spec[0], spec[1]
    whole = all(isinstance(v, int) for v in spec)
    step = spec[2] if len(spec) == 3 else 1 if whole else (high - low) / 100
    if not low < high or not step > 0:
        raise CourseError(f"{name}: want min < max and a step > 0, got {spec!r}")
    if initial is inspect.Parameter.empty:
        middle = (low + high) / 2
        initial = int(middle) if whole else middle
    if not _is_number(initial) or not low <= initial <= high:
        raise CourseError(f"{name}: draw's default {initial!r} is not within {low:g}..{high:g}")
    if whole and isinstance(initial, int):
        return ipywidgets.IntSlider(initial, low, high, step, description=label, style=STYLE, layout=LAYOUT)
    decimals = max(len(f"{v:g}".partition(".")[2]) for v in (step, low))
    return ipywidgets.FloatSlider(
        initial,
        min=low,
        max=high,
        step=step,
        description=label,
        readout_format=f".{decimals}f",
        style=STYLE,
        layout=LAYOUT,
    )


def words(name: str) -> str:
    """What a control is called where no label says it."""
    return name.replace("_", " ")


def shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def summary(control: Any) -> str:
    """Label and range in words, for the text that stands in for the control."""
    if hasattr(control, "options"):
        return f"{control.description} ({', '.join(text for text, _ in control.options)})"
    return f"{control.description} ({control.min:g} to {control.max:g})"


def _choice(name: str, choices: list[Any], initial: Any, label: str) -> Any:
    value = choices[0] if initial is inspect.Parameter.empty else initial
    if value not in choices:
        raise CourseError(f"{name}: draw's default {value!r} is not among {choices}")
    numeric = all(_is_number(c) for c in choices)
    options = [(f"{c:g}" if numeric else str(c), c) for c in choices]
    kind = ipywidgets.SelectionSlider if numeric else ipywidgets.Dropdown
    return kind(options=options, value=value, description=label, style=STYLE, layout=LAYOUT)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
