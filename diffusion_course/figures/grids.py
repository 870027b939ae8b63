"""Pictures in rows and columns: image grids and film strips, drawn pixel for pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..errors import CourseError
from .arrays import Array, numbers

DPI = 90
TILE = 72  # the size in screen pixels that a tile is enlarged to, about
MOST = 400  # tiles in one figure; more would be too small to see and too large to keep in a notebook


def images(x: Any, *, title: str, titles: Sequence[str] | None = None, columns: int = 10) -> Figure:
    """A grid of images x (N, 1 or 3, H, W) in [-1, 1], row by row; what lies outside is clipped.

    titles: one per image. columns: at most this many per row.
    """
    tiles = _tiles("x", x, 4)
    if titles is not None and len(titles) != len(tiles):
        raise CourseError(f"titles: got {len(titles)} for {len(tiles)} images")
    grid = _arrange(tiles, columns)
    per_row = grid.shape[1]
    return _draw(grid, title, [(titles or [])[r * per_row : (r + 1) * per_row] for r in range(len(grid))], [])


def filmstrip(states: Any, labels: Sequence[str], *, title: str, rows: Sequence[str] | None = None) -> Figure:
    """Images over time: states (K, B, 1 or 3, H, W) in [-1, 1], one row per image and one column per state.

    labels: K column headings. rows: B row headings.
    """
    tiles = _tiles("states", states, 5).swapaxes(0, 1)
    if len(labels) != tiles.shape[1]:
        raise CourseError(f"labels: got {len(labels)} for {tiles.shape[1]} states")
    if rows is not None and len(rows) != len(tiles):
        raise CourseError(f"rows: got {len(rows)} headings for {len(tiles)} images")
    return _draw(tiles, title, [labels] + [[]] * (len(tiles) - 1), rows or [])


def montage(x: Any, columns: int = 10) -> Array:
    """Images (N, 1 or 3, H, W) in [-1, 1] as one picture (h, w, 3) in [0, 1], enlarged, on white, without any text."""
    grid = _arrange(_tiles("x", x, 4), columns)
    return _canvas(grid, [0] * len(grid))


def _tiles(name: str, x: Any, ndim: int) -> Array:
    """Check, clip to [-1, 1], and return (..., H, W, 3) in [0, 1]."""
    array = numbers(name, x, (None,) * ndim)
    if array.shape[-3] not in (1, 3):
        shape = "(N, C, H, W)" if ndim == 4 else "(K, B, C, H, W)"
        raise CourseError(f"{name}: got shape {array.shape}, want {shape} with C = 1 or 3 channels")
    if array[..., 0, 0, 0].size > MOST:
        raise CourseError(
            f"{name}: {array[..., 0, 0, 0].size} images are too many for one figure, want at most {MOST}"
        )
    colour = np.moveaxis((np.clip(array, -1, 1) + 1) / 2, -3, -1)
    return np.broadcast_to(colour, (*colour.shape[:-1], 3))


def _arrange(tiles: Array, columns: int) -> Array:
    """(N, H, W, 3) into rows (R, K, H, W, 3), the last one filled up with white."""
    if columns < 1:
        raise CourseError(f"columns: got {columns}, want at least 1")
    columns = min(len(tiles), columns)
    rows = -(-len(tiles) // columns)
    blank = np.ones((rows * columns - len(tiles), *tiles.shape[1:]))
    return np.concatenate([tiles, blank]).reshape(rows, columns, *tiles.shape[1:])


def _canvas(grid: Array, heads: Sequence[int]) -> Array:
    """Tiles (R, K, H, W, 3) on white, each enlarged by a whole factor; row r leaves heads[r] pixels above it."""
    rows, columns, height, width, _ = grid.shape
    factor, gap = _factor(grid), 4
    canvas = np.ones(
        (sum(heads) + rows * (height * factor + gap) - gap, columns * (width * factor + gap) - gap, 3)
    )
    top = 0
    for row, head in zip(grid, heads, strict=True):
        top += head
        for k, tile in enumerate(row):
            left = k * (width * factor + gap)
            large = tile.repeat(factor, axis=0).repeat(factor, axis=1)
            canvas[top : top + height * factor, left : left + width * factor] = large
        top += height * factor + gap
    return canvas


def _factor(grid: Array) -> int:
    return max(1, round(TILE / max(grid.shape[2:4])))


def _draw(grid: Array, title: str, above: Sequence[Sequence[str]], left: Sequence[str]) -> Figure:
    """The canvas at exactly one canvas pixel per figure pixel, with headings above tiles and left of rows."""
    heads = [18 if texts else 0 for texts in above]
    canvas = _canvas(grid, heads)
    factor = _factor(grid)
    step_x, step_y = grid.shape[3] * factor + 4, grid.shape[2] * factor + 4
    margin = 8 + max((7 * len(text) for text in left), default=0)
    height, width = canvas.shape[0] + 34, max(canvas.shape[1] + margin + 8, 9 * len(title))
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    figure.set_layout_engine("none")  # whatever the global style says: the axes stand at exact pixels
    axes = figure.add_axes((margin / width, 4 / height, canvas.shape[1] / width, canvas.shape[0] / height))
    axes.set(xticks=[], yticks=[])  # ticks that are not seen still take time to lay out
    axes.set_axis_off()
    axes.imshow((255 * canvas).round().astype(np.uint8), interpolation="nearest")
    axes.set_title(title, fontsize=11, loc="left", y=1.0)
    top = 0
    for row, (texts, head) in enumerate(zip(above, heads, strict=True)):
        top += head
        for k, text in enumerate(texts):
            axes.text((k + 0.5) * step_x - 2, top - 3, text, ha="center", va="bottom", fontsize=8)
        if left:
            axes.text(-6, top + step_y / 2, left[row], ha="right", va="center", fontsize=8)
        top += step_y
    return figure
