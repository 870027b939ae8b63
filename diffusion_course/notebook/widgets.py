"""Live sliders with a static picture for readers who have no kernel. Core ipywidgets only, versions 7.7 and 8.

Each function shows two outputs: an ordinary PNG of the settings in `static`, and below it the live part. The live part
carries a fixed text, because nbval compares an output's text/plain, and a widget's own repr holds pixels and changing ids.
No Output widget is used: it needs a front end to catch what it captures, so outputs would differ from one runner to another.
"""

from __future__ import annotations

import html
import inspect
import itertools
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets
from IPython import get_ipython
from IPython.display import display

from ..errors import CourseError
from ..figures.pictures import Picture, join, to_png
from .controls import LAYOUT, Spec, make, summary

SLOW = 0.25  # seconds; a drawing slower than this is redrawn when the slider is let go, not while it moves


class Live:
    """Controls, the picture they steer, and a line of text below it: what the picture shows, at which setting, or the error.

    The line is the picture's text alternative: ipywidgets' Image has no alt text, and a tooltip breaks it in version 8.
    """

    def __init__(
        self,
        draw: Callable[..., Picture],
        controls: Mapping[str, Any],
        description: str,
        fresh: Callable[..., Picture] | None = None,
    ) -> None:
        self.draw, self.controls, self.description = draw, dict(controls), description
        started = time.perf_counter()
        first = to_png(draw(**self.values()))  # an error here fails the cell, as it should
        slow = time.perf_counter() - started > SLOW
        self.image = ipywidgets.Image(
            value=first, format="png", layout={"max_width": "100%", "align_self": "flex-start"}
        )
        self.message = ipywidgets.HTML(self._state())
        for control in self.controls.values():
            if slow and control.has_trait("continuous_update"):
                control.continuous_update = False
            control.observe(self._redraw, "value")
        self.box = ipywidgets.VBox([*self.controls.values(), self.image, self.message])
        if fresh is not None:
            self.box.children = (self._button(fresh), *self.box.children)

    def values(self) -> dict[str, Any]:
        """The present setting."""
        return {name: control.value for name, control in self.controls.items()}

    def _button(self, fresh: Callable[..., Picture]) -> ipywidgets.Button:
        """A button that draws the present setting with the next seed: 1, 2, ... (the controls show seed 0)."""
        button = ipywidgets.Button(
            description="Fresh noise", tooltip="Draw the present setting again, from other noise"
        )
        seeds = itertools.count(1)

        def press(_button: object) -> None:
            seed = next(seeds)
            button.disabled = True
            self.message.value = f"{self._state()}. Drawing from noise {seed} ..."
            self._show(fresh, f" (noise {seed})", seed=seed)
            button.disabled = False

        button.on_click(press)
        return button

    def _redraw(self, _change: object) -> None:
        # No queue is needed here: a front end holds back a control's next value until the kernel has finished with
        # the last one, and then sends only the newest.
        self._show(self.draw)

    def _show(self, draw: Callable[..., Picture], note: str = "", **more: Any) -> None:
        try:
            self.image.value = to_png(draw(**more, **self.values()))
            self.message.value = self._state() + note
        except Exception as error:
            # Nothing else would show it: an exception in a widget callback goes to the server's log, or nowhere.
            alert = html.escape(f"{_one_line(error, draw)}. The picture is an older one.")
            self.message.value = f'{self._state()}. <span role="alert" style="color: #b00020">{alert}</span>'

    def _state(self) -> str:
        return html.escape(f"{self.description}: {_setting(self.values())}")


def slide(
    draw: Callable[..., Picture],
    *,
    description: str,
    static: Sequence[Mapping[str, Any]] = (),
    labels: Mapping[str, str] | None = None,
    fresh: Callable[..., Picture] | None = None,
    **controls: Spec,
) -> None:
    """Sliders that redraw a figure, and before them one static picture of the settings in `static`.

    draw: called with one keyword per control; returns a Figure (or an image tensor, or PNG bytes). Its default arguments
    are the sliders' first positions. Aim at 100 ms or less.
    description: what the picture shows, in words, for readers who cannot see it.
    static: settings shown to readers without a kernel, e.g. [{"t": 1}, {"t": 500}]; what is left out keeps its first
    position; the default is the first position alone.
    controls: t=(1, 1000) an integer slider, w=(0.0, 8.0, 0.5) a real one with its step, schedule=["linear", "cosine"] a
    menu, steps=[5, 10, 50] a slider over these numbers. labels: control name -> the label to show (default: the name).
    fresh: draws the same from other noise, called with seed=1, 2, ... and one keyword per control; adds a button for it.

    Raises CourseError for a control that cannot be, and what `draw` raises at the settings drawn at once. A later error
    appears in one line under the picture.
    """
    parameters = _parameters(draw, controls)
    made = {}
    for name, spec in controls.items():
        made[name] = make(name, spec, parameters[name].default, (labels or {}).get(name, name))
    live = Live(draw, made, description, fresh)
    settings = [live.values() | _known(setting, made) for setting in static or [{}]]
    pictures = [live.image.value if s == live.values() else to_png(draw(**s)) for s in settings]
    _show_static(description, settings, pictures)
    button = ", a button for fresh noise" if fresh else ""
    show(live.box, f"Live in a running notebook: {', '.join(map(summary, made.values()))}{button}.")


def slide_frames(
    frames: Mapping[Any, Picture],
    names: str | Sequence[str],
    *,
    description: str,
    static: Sequence[Mapping[str, Any]] = (),
    labels: Mapping[str, str] | None = None,
    fresh: Callable[..., Picture] | None = None,
) -> None:
    """Sliders over pictures that are ready: the answer is at once, however long a picture took to compute.

    frames: setting -> picture (Figure, images in [-1, 1] of shape (N, C, H, W), or PNG bytes). A setting is one value, or
    a tuple with one value per name; every combination must be there. names: the control's name, or one per tuple entry.
    The rest is as in `slide`.
    """
    names = [names] if isinstance(names, str) else list(names)
    table = {key if isinstance(key, tuple) else (key,): picture for key, picture in frames.items()}
    wrong = next((key for key in table if len(key) != len(names)), None)
    if not table or wrong is not None:
        raise CourseError(
            f"frames: {f'setting {wrong} does not match' if table else 'none given for'} {', '.join(names)}"
        )
    options = {name: list(dict.fromkeys(key[k] for key in table)) for k, name in enumerate(names)}
    missing = next((key for key in itertools.product(*options.values()) if key not in table), None)
    if missing is not None:
        raise CourseError(f"frames: no picture for {_setting(dict(zip(names, missing, strict=True)))}")
    ready = {key: to_png(picture) for key, picture in table.items()}

    def draw(**values: Any) -> bytes:
        return ready[tuple(values[name] for name in names)]

    slide(draw, description=description, static=static, labels=labels, fresh=fresh, **options)


def player(
    frames: Sequence[Picture], captions: Sequence[str], *, description: str, interval: int = 200
) -> None:
    """A film of ready pictures with play, pause and a slider; the static picture shows the first, middle and last.

    captions: one per frame. interval: milliseconds per frame.
    """
    if not frames or len(captions) != len(frames) or len(set(captions)) != len(captions):
        raise CourseError(
            f"captions: want one distinct caption per frame, got {len(captions)} for {len(frames)} frames"
        )
    ready = dict(zip(captions, map(to_png, frames), strict=True))
    slider = ipywidgets.SelectionSlider(options=list(captions), description="frame", layout=LAYOUT)
    live = Live(lambda frame: ready[frame], {"frame": slider}, description)
    play = ipywidgets.Play(min=0, max=len(ready) - 1, interval=interval)
    ipywidgets.jslink((play, "value"), (slider, "index"))
    live.box.children = (play, *live.box.children)
    shown = [captions[k] for k in sorted({0, len(ready) // 2, len(ready) - 1})]
    _show_static(
        description, [{"frame": caption} for caption in shown], [ready[caption] for caption in shown]
    )
    show(live.box, f"Live in a running notebook: a film of {len(ready)} frames.")


def show(widget: ipywidgets.DOMWidget, text: str) -> None:
    """Show a widget with a fixed text for front ends and readers that have no widgets. Without IPython, print the text."""
    if get_ipython() is None:
        print(text)
        return
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    display({"text/plain": text, "application/vnd.jupyter.widget-view+json": view}, raw=True)


def _show_static(description: str, settings: Sequence[Mapping[str, Any]], pictures: Sequence[bytes]) -> None:
    captions = [_setting(setting) for setting in settings]
    text = f"{description}: {'; '.join(captions)}."
    if get_ipython() is None:
        print(text)
        return
    data = {"text/plain": text, "image/png": join(captions, pictures)}
    display(data, metadata={"image/png": {"alt": text}}, raw=True)


def _parameters(
    draw: Callable[..., Picture], controls: Mapping[str, Spec]
) -> Mapping[str, inspect.Parameter]:
    """The parameter of `draw` behind each control. Raises CourseError when they do not match."""
    if not controls:
        raise CourseError("controls: got none, want at least one, such as t=(1, 1000)")
    signature = inspect.signature(draw)
    try:
        signature.bind(**controls)
    except TypeError as error:
        raise CourseError(
            f"draw: its arguments do not match the controls {', '.join(controls)}: {error}"
        ) from None
    anything = inspect.Parameter("values", inspect.Parameter.VAR_KEYWORD)
    return {name: signature.parameters.get(name, anything) for name in controls}


def _known(setting: Mapping[str, Any], controls: Mapping[str, Any]) -> dict[str, Any]:
    extra = [name for name in setting if name not in controls]
    if extra:
        raise CourseError(f"static: {extra[0]!r} is not among the controls {', '.join(controls)}")
    return dict(setting)


def _setting(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}"
        for name, value in values.items()
    )


def _one_line(error: Exception, draw: Callable[..., Picture]) -> str:
    """Type, message and the line of `draw` at which it happened."""
    message = " ".join(str(error).split())
    text = f"{type(error).__name__}: {message}"
    file = getattr(getattr(draw, "__code__", None), "co_filename", None)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f"{text} (line {lines[-1]})" if lines else text
