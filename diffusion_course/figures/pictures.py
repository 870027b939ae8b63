"""PNG bytes of whatever a slider can show, several settings joined into one static picture, and a picture as HTML with its words.

A PNG is drawn at twice the pixels that it covers on an ordinary screen and says so in its resolution: `shown_width` reads it.
"""

from __future__ import annotations

import base64
import html
import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..errors import CourseError
from .canvas import BACKEND
from .grids import DPI, montage

if TYPE_CHECKING:
    from typing_extensions import Buffer

Picture = Figure | Tensor | bytes
SIGNATURE = b"\x89PNG\r\n\x1a\n"
SHARP = 2  # picture pixels for a pixel of an ordinary screen; a dense one shows them all
WIDEST = (
    1200  # screen pixels of a static picture; a wider one would be shrunk until its labels cannot be read
)
COLOURS = 64  # of the picture for readers that know no HTML


def png(figure: Figure) -> bytes:
    """The figure as PNG bytes, sharp on a dense screen."""
    return _encode(_drawn(figure, SHARP), SHARP)


def to_png(picture: Picture, quick: bool = False) -> bytes:
    """PNG bytes of a figure, of images (C, H, W) or (N, C, H, W) in [-1, 1], or of PNG bytes themselves.

    quick: larger bytes in less time, for a slider; pictures made of pixels are then drawn at half the resolution, which they do not need.
    A figure that pyplot made is closed, so that it is not shown a second time. Raises CourseError for anything else.
    """
    if isinstance(picture, Figure):
        scale = 1 if quick and any(axes.images for axes in picture.axes) else SHARP
        data = _encode(_drawn(picture, scale), scale, quick)
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close(picture)
        return data
    if isinstance(picture, Tensor):
        pixels = montage(picture if picture.ndim == 4 else picture[None])
        return _encode(Image.fromarray((255 * pixels).round().astype(np.uint8)), 1, quick)
    if isinstance(picture, bytes) and picture.startswith(SIGNATURE):
        return picture
    raise CourseError(
        f"picture: want a matplotlib Figure, an image tensor or PNG bytes, got {type(picture).__name__}"
    )


def shown_width(data: bytes) -> int:
    """How many pixels of an ordinary screen a PNG is wide."""
    image = Image.open(io.BytesIO(data))
    return round(image.width / sharpness(image))


def plain_png(data: bytes) -> bytes:
    """The picture in few bytes, for readers that know no HTML: the resolution of an ordinary screen, a palette of colours."""
    image = Image.open(io.BytesIO(data))
    size = (shown_width(data), round(image.height / sharpness(image)))
    small = image.convert("RGB").resize(size, Image.Resampling.BOX)
    return _encode(small.quantize(COLOURS, dither=Image.Dither.NONE), 1)


def as_html(data: bytes, alt: str) -> str:
    """The picture as an <img> that screen readers can tell, never wider than its place."""
    buffer = io.BytesIO()
    # Every browser knows WebP; without loss it is half as long as PNG.
    Image.open(io.BytesIO(data)).convert("RGB").save(buffer, format="webp", lossless=True, quality=70)
    source = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f'<img alt="{html.escape(alt)}" width="{shown_width(data)}" style="max-width: 100%; height: auto" '
        f'src="data:image/webp;base64,{source}">'
    )


def join(captions: Sequence[str], pictures: Sequence[bytes]) -> bytes:
    """PNG pictures side by side, in as many columns as fit, each under its caption."""
    opened = [_sharpened(Image.open(io.BytesIO(data))) for data in pictures]
    font = ImageFont.truetype(
        f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf", 12 * SHARP
    )  # has Greek letters
    head = 22 * SHARP
    widest = max(
        max(image.width, round(font.getlength(text)) + 8 * SHARP)
        for image, text in zip(opened, captions, strict=True)
    )
    tallest = max(image.height for image in opened) + head
    columns = min(len(opened), max(1, SHARP * WIDEST // widest))
    rows = -(-len(opened) // columns)
    page = Image.new("RGB", (columns * widest, rows * tallest), "white")
    pen = ImageDraw.Draw(page)
    for k, (text, image) in enumerate(zip(captions, opened, strict=True)):
        left, top = k % columns * widest, k // columns * tallest
        pen.text((left + 4 * SHARP, top + 3 * SHARP), text, fill="black", font=font)
        page.paste(image, (left, top + head))
    return _encode(page, SHARP)


def _drawn(figure: Figure, scale: int) -> Image.Image:
    taken = _Taken()
    # Not as PNG: a fifth of a slider's time went there and back.
    figure.savefig(taken, format="rgba", dpi=scale * DPI, backend=BACKEND)
    return Image.fromarray(taken.pixels).convert("RGB")


class _Taken(io.BytesIO):
    """A file that keeps the pixels (H, W, 4) that are written to it: only Matplotlib knows how it rounds a figure's size."""

    pixels: np.ndarray

    def write(self, pixels: Buffer) -> int:
        self.pixels = np.array(pixels)
        return self.pixels.nbytes


def sharpness(image: Image.Image) -> int:
    """Picture pixels for a pixel of an ordinary screen, from the resolution that the PNG states."""
    return SHARP if image.info.get("dpi", (0, 0))[0] > 1.5 * DPI else 1


def _sharpened(image: Image.Image) -> Image.Image:
    factor = SHARP // sharpness(image)
    size = (image.width * factor, image.height * factor)
    return image.convert("RGB").resize(size, Image.Resampling.NEAREST)


def _encode(image: Image.Image, scale: int, quick: bool = False) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="png", dpi=(scale * DPI, scale * DPI), compress_level=1 if quick else 9)
    return buffer.getvalue()
