"""PNG bytes of whatever a slider can show, and several settings joined into one static picture."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..errors import CourseError
from .grids import montage

Picture = Figure | Tensor | bytes
SIGNATURE = b"\x89PNG\r\n\x1a\n"
WIDEST = 1200  # pixels of a static picture; a wider one would be shrunk until its labels cannot be read


def png(figure: Figure) -> bytes:
    """The figure as PNG bytes, at its own size and resolution."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=figure.dpi)
    return buffer.getvalue()


def to_png(picture: Picture) -> bytes:
    """PNG bytes of a figure, of images (C, H, W) or (N, C, H, W) in [-1, 1], or of PNG bytes themselves.

    A figure that pyplot made is closed, so that it is not shown a second time. Raises CourseError for anything else.
    """
    if isinstance(picture, Figure):
        data = png(picture)
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close(picture)
        return data
    if isinstance(picture, Tensor):
        pixels = montage(picture if picture.ndim == 4 else picture[None])
        return _encode(Image.fromarray((255 * pixels).round().astype(np.uint8)))
    if isinstance(picture, bytes) and picture.startswith(SIGNATURE):
        return picture
    raise CourseError(
        f"picture: want a matplotlib Figure, an image tensor or PNG bytes, got {type(picture).__name__}"
    )


def join(captions: Sequence[str], pictures: Sequence[bytes]) -> bytes:
    """PNG pictures side by side, in as many columns as fit, each under its caption."""
    opened = [Image.open(io.BytesIO(data)).convert("RGB") for data in pictures]
    font = ImageFont.truetype(
        f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf", 12
    )  # has Greek letters
    widest = max(
        max(image.width, round(font.getlength(text)) + 8)
        for image, text in zip(opened, captions, strict=True)
    )
    tallest = max(image.height for image in opened) + 22
    columns = min(len(opened), max(1, WIDEST // widest))
    rows = -(-len(opened) // columns)
    page = Image.new("RGB", (columns * widest, rows * tallest), "white")
    pen = ImageDraw.Draw(page)
    for k, (text, image) in enumerate(zip(captions, opened, strict=True)):
        left, top = k % columns * widest, k // columns * tallest
        pen.text((left + 4, top + 3), text, fill="black", font=font)
        page.paste(image, (left, top + 22))
    return _encode(page)


def _encode(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="png", optimize=False, compress_level=6)
    return buffer.getvalue()
