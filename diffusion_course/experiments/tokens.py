"""Data sets as tokens, for masked diffusion: the course's prose, a character a token, and pictures, a grey level a token.

tokens.load("mnist", "test", shape=(14, 14), states=8).images     # (10000, 14, 14) int64 in 0..7
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import CourseError
from . import data, prose
from .data import Dataset, Source

TEXT = "course-prose"


def load(name: str, split: str, shape: Sequence[int], states: int) -> Dataset:
    """A data set whose `images` are tokens (N, *shape), int64, in 0..states - 1.

    name: "course-prose", whose windows have the length shape[0]; or what `data.load` knows, shrunk to shape[0] x shape[0] pixels by averaging,
    each rounded to the nearest of `states` grey levels. The name of a text says which snapshot of it. Raises CourseError as `check` does.
    """
    check(name, shape, states)
    if name == TEXT:
        rows = prose.windows(split, shape[0])
        return Dataset(f"{TEXT} {prose.digest()}", rows, torch.zeros(len(rows), dtype=torch.int64), ())
    pictures = data.load(name, split, size=shape[0], channels=1)
    levels = ((pictures.images[:, 0] + 1) / 2 * (states - 1)).round().long()
    return Dataset(pictures.name, levels, pictures.labels, pictures.classes)


def pictures(levels: Tensor, states: int) -> Tensor:
    """Grey levels (N, H, W) as pictures (N, 1, H, W), float32 in [-1, 1]; the mask, `states`, becomes the middle grey."""
    grey = levels.float() / (states - 1) * 2 - 1
    return torch.where(levels == states, 0.0, grey)[:, None]


def describe(name: str) -> Source:
    """As `data.describe`, of the text too: it has no classes."""
    return Source(None, (), None, None) if name == TEXT else data.describe(name)


def check(name: str, shape: Sequence[int], states: int) -> None:
    """Raise CourseError unless a network of this shape and so many states fits the data set."""
    got = list(shape)
    if name == TEXT:
        if len(shape) != 1:
            raise CourseError(f"net: shape: got {got}, want [length] for the text {name}")
        if states != len(prose.VOCABULARY):
            raise CourseError(
                f"net: states: got {states}, want {len(prose.VOCABULARY)}, the characters of {name}"
            )
        return
    source = data.describe(name)
    if source.channels not in (1, None):
        raise CourseError(f"data: {name} has {source.channels} channels; tokens are grey levels")
    size = source.size or 4096
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] > size:
        raise CourseError(f"net: shape: got {got}, want [size, size], at most {size}, for {name}")
    if states < 2:
        raise CourseError(f"net: states: got {states}, want at least two grey levels for {name}")
