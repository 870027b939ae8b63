"""Live sliders with a static picture for readers who have no kernel. Core ipywidgets only, versions 7.7 and 8.

Each function shows one output, of which a front end takes what it can: the live part where widgets live, elsewhere an ordinary
picture of the settings in `static`, and its words. The words are fixed: nbval compares them, and a widget's own repr holds pixels
and changing ids. No Output widget is used: it needs a front end to catch what it captures, so outputs would differ from one runner to another.
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
from ..figures.pictures import Picture, as_html, join, plain_png, shown_width, to_png
from . import access, kernelless
from .controls import LAYOUT, Spec, make, shown, summary, words

SLOW = 0.25  # seconds; a drawing slower than this is redrawn when the slider is let go, not while it moves
LARGE = 250_000  # bytes of a page of static pictures, beyond which it is stored at the resolution of an ordinary screen


class Live:
    """Controls, the picture they steer, and a line of text below it: what the picture shows, at which setting, or the error.

    The line is the picture's text alternative: ipywidgets' Image has no alt text, and a tooltip breaks it in version 8.
    labels: control -> what it is called in that line. matters: control -> the setting of others in which it changes anything;
    elsewhere it is disabled.
    """

    def __init__(
        self,
        draw: Callable[..., Picture],
        controls: Mapping[str, Any],
        description: str,
        fresh: Callable[..., Picture] | None = None,
        labels: Mapping[str, str] | None = None,
        matters: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.draw, self.controls, self.description = draw, dict(controls), description
        self.labels, self.matters, self.fresh = dict(labels or {}), dict(matters or {}), fresh
        started = time.perf_counter()
        first = to_png(draw(**self.values()), quick=True)  # an error here fails the cell, as it should
        self.slow = time.perf_counter() - started > SLOW
        self.image = ipywidgets.Image(
            value=first,
            format="png",
            width=shown_width(first),
            layout={"max_width": "100%", "height": "auto", "align_self": "flex-start"},
        )
        self.message = ipywidgets.HTML(self._state())
        for control in self.controls.values():
            if self.slow and control.has_trait("continuous_update"):
                control.continuous_update = False
            control.observe(self._redraw, "value")
        self._enable()
        self.box = ipywidgets.VBox([*self.controls.values(), self.image, self.message, access.helper()])
        self.box.add_class(access.BOX)
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
        self._enable()
        if self.slow:
            self.message.value = f"{self._state()}. Drawing ..."
        self._show(self.draw)

    def told(self, setting: Mapping[str, Any]) -> str:
        """A setting in words, without what changes nothing in it."""
        return _setting({k: v for k, v in setting.items() if self.acts(k, setting)}, self.labels)

    def acts(self, name: str, setting: Mapping[str, Any]) -> bool:
        """Whether a control changes anything in a setting."""
        return all(
            setting[other] in (wanted if isinstance(wanted, list) else [wanted])
            for other, wanted in self.matters.get(name, {}).items()
        )

    def _enable(self) -> None:
        for name in self.matters:
            self.controls[name].disabled = not self.acts(name, self.values())

    def _show(self, draw: Callable[..., Picture], note: str = "", **more: Any) -> None:
        try:
            data = to_png(draw(**more, **self.values()), quick=True)
            self.image.width = shown_width(data)
            self.image.value = data
            self.message.value = self._state() + note
        except Exception as error:
            # Nothing else would show it: an exception in a widget callback goes to the server's log, or nowhere.
            alert = html.escape(f"{_one_line(error, draw)}. The picture is an older one.")
            self.message.value = f'{self._state()}. <span role="alert" style="color: #b00020">{alert}</span>'

    def _state(self) -> str:
        return html.escape(f"{self.description}: {self.told(self.values())}")


def slide(
    draw: Callable[..., Picture],
    *,
    description: str,
    static: Sequence[Mapping[str, Any]] = (),
    labels: Mapping[str, str] | None = None,
    fresh: Callable[..., Picture] | None = None,
    matters: Mapping[str, Mapping[str, Any]] | None = None,
    **controls: Spec,
) -> None:
    """Sliders that redraw a figure, and for readers without a kernel one static picture of the settings in `static`.

    draw: called with one keyword per control; returns a Figure (or an image tensor, or PNG bytes). Its default arguments
    are the sliders' first positions. Aim at 100 ms or less.
    description: what the picture shows, in words, for readers who cannot see it.
    static: settings shown to readers without a kernel, e.g. [{"t": 1}, {"t": 500}]; what is left out keeps its first
    position; the default is the first position alone.
    controls: t=(1, 1000) an integer slider, w=(0.0, 8.0, 0.5) a real one with its step, schedule=["linear", "cosine"] a
    menu, steps=[5, 10, 50] a slider over these numbers. labels: control name -> the label to show (default: the name, _ as a blank).
    matters: control name -> the value of another, or a list of values, without which it changes nothing, e.g. {"s": {"schedule": "cosine"}}:
    it is disabled then.
    fresh: draws the same from other noise, called with seed=1, 2, ... and one keyword per control; adds a button for it.

    Raises CourseError for a control that cannot be, and what `draw` raises at the settings drawn at once. A later error
    appears in one line under the picture.
    """
    parameters = _parameters(draw, controls)
    names = {name: (labels or {}).get(name, words(name)) for name in controls}
    made = {name: make(name, spec, parameters[name].default, names[name]) for name, spec in controls.items()}
    for name in {*(matters or {}), *itertools.chain(*(matters or {}).values())} - set(made):
        raise CourseError(f"matters: {name!r} is not among the controls {', '.join(made)}")
    live = Live(draw, made, description, fresh, names, matters)
    settings = [live.values() | _known(setting, made) for setting in static or [{}]]
    pictures = [live.image.value if s == live.values() else to_png(draw(**s)) for s in settings]
    button = ", a button for fresh noise" if fresh else ""
    text = f"Live in a running notebook: {', '.join(map(summary, made.values()))}{button}."
    _show(live, settings, pictures, text)


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
    options: dict[str, Any] = {
        name: list(dict.fromkeys(key[k] for key in table)) for k, name in enumerate(names)
    }
    missing = next((key for key in itertools.product(*options.values()) if key not in table), None)
    if missing is not None:
        raise CourseError(f"frames: no picture for {_setting(dict(zip(names, missing, strict=True)), {})}")
    ready = {key: to_png(picture, quick=True) for key, picture in table.items()}

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
    ready = {c: to_png(frame, quick=True) for c, frame in zip(captions, frames, strict=True)}
    slider = ipywidgets.SelectionSlider(
        options=[(caption, caption) for caption in captions], description="frame", layout=LAYOUT
    )
    live = Live(lambda frame: ready[frame], {"frame": slider}, description)
    play = ipywidgets.Play(min=0, max=len(ready) - 1, interval=interval)
    ipywidgets.jslink((play, "value"), (slider, "index"))
    live.box.children = (play, *live.box.children)
    kept = [captions[k] for k in sorted({0, len(ready) // 2, len(ready) - 1})]
    text = f"Live in a running notebook: a film of {len(ready)} frames."
    _show(
        live, [{"frame": caption} for caption in kept], [ready[caption] for caption in kept], text, interval
    )


def show(widget: ipywidgets.DOMWidget, text: str, instead: Mapping[str, Any] | None = None) -> None:
    """Show a widget, and in its place a fixed text where no widgets live. Without IPython, print the text.

    instead: MIME type -> what stands for it where more than text can be shown.
    """
    if get_ipython() is None:
        print(text)
        return
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    data = {"text/plain": text, **(instead or {}), "application/vnd.jupyter.widget-view+json": view}
    display(data, raw=True)


def _show(
    live: Live,
    settings: Sequence[Mapping[str, Any]],
    pictures: Sequence[bytes],
    text: str,
    interval: int | None = None,
) -> None:
    """The live part, and the settings side by side in its place. interval: milliseconds a frame, of a film."""
    captions = [live.told(setting) for setting in settings]
    alt = f"{live.description}: {'; '.join(captions)}."
    page = join(captions, pictures)
    plain = plain_png(page)
    note = f'<div style="font-size: 0.9em; opacity: 0.75">{html.escape(text)}</div>'
    instead: dict[str, Any] = {
        "text/html": as_html(page if len(page) <= LARGE else plain, alt) + note,
        "image/png": plain,
    }
    if kernelless.asked():
        instead[kernelless.SLIDER] = kernelless.slider(live, settings, interval)
    show(live.box, f"{alt}\n{text}", instead)


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


def _setting(values: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    return ", ".join(f"{labels.get(name, name)} = {shown(value)}" for name, value in values.items())


def _one_line(error: Exception, draw: Callable[..., Picture]) -> str:
    """Type, message and the line of `draw` at which it happened."""
    message = " ".join(str(error).split())
    text = f"{type(error).__name__}: {message}"
    file = getattr(getattr(draw, "__code__", None), "co_filename", None)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f"{text} (line {lines[-1]})" if lines else text
