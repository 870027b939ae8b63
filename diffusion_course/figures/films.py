"""Pictures that move: states of samples, one after the other, in a file that browsers and slides play."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image
from torch import Tensor

from ..errors import CourseError
from .grids import montage

FORMATS = (".gif", ".webp")
HOLD_FIRST, HOLD_LAST = 500, 2000  # milliseconds that the noise and the samples stand still


def film(states: Sequence[Tensor], form: str, milliseconds: int = 100, columns: int = 10) -> bytes:
    """An animated picture of states (N, 1 or 3, H, W) in [-1, 1], that begins again when it ends.

    form: one of `FORMATS`. milliseconds: of a state; the first and the last stand longer. Raises CourseError for another form, and
    for no states.
    """
    if form not in FORMATS:
        raise CourseError(f"form: got {form!r}, want {' or '.join(FORMATS)}")
    if not len(states):
        raise CourseError("states: got none, want at least one")
    pixels = [(255 * montage(state, columns)).round().astype(np.uint8) for state in states]
    grey = all((one == one[..., :1]).all() for one in pixels)
    frames = [Image.fromarray(one[..., 0] if grey else one) for one in pixels]
    durations = [HOLD_FIRST, *[milliseconds] * (len(frames) - 2), HOLD_LAST][-len(frames) :]
    # A lossy film of noise would show the codec's patterns; both forms are written without loss, but for a GIF's 256 colours.
    extra = {"lossless": True} if form == ".webp" else {}
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        format=form[1:],
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        loop=0,
        **extra,
    )
    return buffer.getvalue()
