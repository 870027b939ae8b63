"""What a page without a kernel needs for a slider that moves: pictures of its settings, few and small enough for the web.

The build of the web edition asks for them through an environment variable; then a slider's output has one MIME type more. The notebooks
that are kept know nothing of it.
"""

from __future__ import annotations

import base64
import io
import itertools
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets
from PIL import Image

from ..errors import CourseError
from ..figures.pictures import SHARP, sharpness, shown_width, to_png
from .controls import shown

if TYPE_CHECKING:
    from .widgets import Live

ASKED = "DIFFUSION_COURSE_FRAMES"
SLIDER = "application/vnd.diffusion-course.slider+json"
QUIZ = "application/vnd.diffusion-course.quiz+json"

MOST = 100  # pictures of a slider that are drawn for the page
BYTES = 300_000  # of all pictures of a slider
FEWEST = 9  # positions that a range keeps as long as something else can be thinned
# From the best to the smallest: picture pixels for a pixel of an ordinary screen, and colours (0: all). A palette makes plots smaller
# than any loss does, and leaves letters sharp.
FORMS = ((SHARP, 0), (SHARP, 64), (SHARP, 24), (1, 64), (1, 24))
SAMPLE = 5  # pictures from which the size of all is estimated

Setting = dict[str, Any]


def asked() -> bool:
    """Whether this kernel runs for the web edition."""
    return bool(os.environ.get(ASKED))


def slider(live: Live, kept: Sequence[Mapping[str, Any]], interval: int | None = None) -> dict[str, Any]:
    """The controls, their positions and the pictures, as data; pictures are WebP in base64, each once.

    kept: settings that are among the positions whatever else is left out. interval: milliseconds a frame, of a film.
    `frames` has the number of a picture for each combination of positions, the last control's running fastest; -1 where `draw` failed.
    Raises CourseError where even the fewest positions take more than `BYTES`.
    """
    must = {name: [c.value, *(setting[name] for setting in kept)] for name, c in live.controls.items()}
    axes = {name: _values(control, must[name]) for name, control in live.controls.items()}
    most = {name: len(values) for name, values in axes.items()}
    while math.prod(most.values()) > MOST and _thin(live, most):
        pass
    drawn: dict[tuple[Any, ...], bytes | None] = {}
    while True:
        chosen = {name: _spread(values, must[name], most[name]) for name, values in axes.items()}
        frames = [
            _draw(live, dict(zip(chosen, at, strict=True)), drawn)
            for at in itertools.product(*chosen.values())
        ]
        pictures = list(dict.fromkeys(frame for frame in frames if frame is not None))
        small, size = _encoded(pictures)
        few = math.prod(map(len, chosen.values())) * BYTES / size
        if small is not None:
            break
        if not _thin(live, most):
            raise CourseError(
                f"{live.description}: its pictures take {size / 1e3:.0f} kB at the fewest positions; want at most "
                f"{BYTES / 1e3:g}: a smaller figure, or fewer choices in a menu"
            )
        while math.prod(most.values()) > few and _thin(live, most):
            pass
    number: dict[bytes | None, int] = {picture: k for k, picture in enumerate(pictures)} | {None: -1}
    return {
        "description": live.description,
        "controls": [_control(live, name, chosen) for name in chosen],
        "whole": all(len(chosen[name]) == len(values) for name, values in axes.items()),
        "interval": interval,
        "fresh": live.fresh is not None,
        "width": shown_width(pictures[0]),
        "frames": [number[frame] for frame in frames],
        "pictures": [base64.b64encode(data).decode("ascii") for data in small],
    }


def _values(control: Any, must: Sequence[Any]) -> list[Any]:
    """All positions of a control, in order; those of a range with what must be among them."""
    if hasattr(control, "options"):
        return [value for _, value in control.options]
    count = math.floor((control.max - control.min) / control.step + 1e-9) + 1
    # A sum of steps is 0.30000000000000004 where the slider shows 0.3.
    number = int if isinstance(control, ipywidgets.IntSlider) else lambda value: float(f"{value:.10g}")
    return sorted({*(number(control.min + k * control.step) for k in range(count)), *must})


def _thin(live: Live, most: dict[str, int]) -> bool:
    """Take positions from one control: the longest range, then the longest list of numbers, never a menu. False when nothing is left to take."""
    lists = {name for name in most if isinstance(live.controls[name], ipywidgets.SelectionSlider)}
    menus = {name for name in most if isinstance(live.controls[name], ipywidgets.Dropdown)}
    for names, least in ((most.keys() - lists - menus, FEWEST), (lists, 3), (most.keys() - menus, 2)):
        longest = max(names, key=lambda name: most[name], default=None)
        if longest is not None and most[longest] > least:
            most[longest] = max(least, min(most[longest] - 1, round(0.9 * most[longest])))
            return True
    return False


def _spread(values: Sequence[Any], must: Sequence[Any], count: int) -> list[Any]:
    """About `count` of the values, evenly spaced, with both ends and what must be among them."""
    if len(values) <= count:
        return list(values)
    wanted = {values.index(value) for value in must if value in values} | {0, len(values) - 1}
    for k in range(count):
        place = round(k * (len(values) - 1) / (count - 1))
        # One that must be there takes the place of its neighbours.
        if len(wanted) < count and all(abs(place - other) > len(values) / count / 2 for other in wanted):
            wanted.add(place)
    return [values[k] for k in sorted(wanted)]


def _draw(live: Live, setting: Setting, drawn: dict[tuple[Any, ...], bytes | None]) -> bytes | None:
    """The picture of a setting. What changes nothing in it stays at the control's position, so that it is drawn once."""
    values = {k: v if live.acts(k, setting) else live.controls[k].value for k, v in setting.items()}
    key = tuple(values.values())
    if key not in drawn:
        try:
            drawn[key] = to_png(live.draw(**values), quick=True)
        except Exception:  # as in a live slider, a setting that cannot be drawn is no end of the chapter
            drawn[key] = None
    return drawn[key]


def _encoded(pictures: Sequence[bytes]) -> tuple[list[bytes] | None, float]:
    """The pictures in the best form in which all of them are small enough, None where there is none; and the bytes of the last form tried."""
    step = max(1, len(pictures) // SAMPLE)
    size = 0.0
    for form in FORMS:
        some = _encode_all(pictures[::step], *form)
        size = sum(map(len, some)) / len(some) * len(pictures)
        if size <= BYTES:
            made = _encode_all(pictures, *form)
            size = sum(map(len, made))
            if size <= BYTES:
                return made, size
    return None, size


def _encode_all(pictures: Sequence[bytes], wanted: int, colours: int) -> list[bytes]:
    made = []
    for data in pictures:
        opened = Image.open(io.BytesIO(data))
        factor = max(1, sharpness(opened) // wanted)
        size = (opened.width // factor, opened.height // factor)
        image = opened.convert("RGB").resize(size, Image.Resampling.BOX)
        if colours:  # by coverage, or a thin line would get the colour of a thick one
            palette = Image.Quantize.MAXCOVERAGE
            image = image.quantize(colours, palette, kmeans=2, dither=Image.Dither.NONE).convert("RGB")
        buffer = io.BytesIO()
        image.save(buffer, format="webp", lossless=True, quality=70)
        made.append(buffer.getvalue())
    return made


def _control(live: Live, name: str, chosen: Mapping[str, list[Any]]) -> dict[str, Any]:
    """A control as data. matters: other control's number -> its positions at which this one changes anything."""
    control, values, names = live.controls[name], chosen[name], list(chosen)
    matters = {
        names.index(other): [
            k
            for k, value in enumerate(chosen[other])
            if value in (wanted if isinstance(wanted, list) else [wanted])
        ]
        for other, wanted in live.matters.get(name, {}).items()
    }
    return {
        "label": live.labels.get(name, control.description),
        "menu": isinstance(control, ipywidgets.Dropdown),
        "values": [shown(value) for value in values],
        "at": values.index(control.value),
        "matters": matters,
    }
