"""Data sets with captions: what is measured on each image chooses the words.

found = data.load("mnist-captions")
found.classes[found.labels[0]]                # "a medium five leaning right": labels are numbers of compositions
level("slant", found.images[:8])              # 0, 1, 2: leaning left, upright, leaning right
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ..captions import CLOTHES, DIGITS, LEVELS, Grammar
from ..errors import check_known
from .picture_cache import Say
from .pixels import scaled
from .strokes import brightness, slant, stroke_width

Measure = Callable[[Tensor], Tensor]
"""Images (N, C, H, W) in [-1, 1] -> (N,)."""

LIMITS: dict[str, tuple[Measure, tuple[float, float]]] = {
    "width": (stroke_width, (2.2, 2.7)),
    "slant": (slant, (-6.0, 6.0)),
    "brightness": (brightness, (0.55, 0.7)),
}
"""How each attribute is measured, and between which values its levels 0, 1, 2 change: pixels, degrees to the right, a share."""

GRAMMARS: dict[str, tuple[str, Grammar]] = {
    "mnist-captions": ("mnist", DIGITS),
    "mnist-5k-captions": ("mnist-5k", DIGITS),
    "fashion-mnist-captions": ("fashion-mnist", CLOTHES),
}
"""Data set with captions -> the one whose images it has, and the grammar."""


def grammar_of(data: str) -> Grammar:
    """The grammar of a data set with captions. Raises CourseError for another one."""
    check_known("data set with captions", data, GRAMMARS)
    return GRAMMARS[data][1]


def level(attribute: str, images: Tensor) -> Tensor:
    """The level 0..2 of each image (N, C, H, W) in [-1, 1]: (N,) integers; -1 for an image without ink.

    Raises CourseError for an attribute that is not measured.
    """
    check_known("attribute", attribute, LIMITS)
    measure, limits = LIMITS[attribute]
    value = measure(images)
    return torch.bucketize(value, torch.tensor(limits, device=value.device)).where(value.isfinite(), -1)


def compositions(grammar: Grammar, images: Tensor, nouns: Tensor) -> Tensor:
    """The number of each image's composition, (N,): its class (N,) and its measured levels. -1 for an image without ink."""
    number, blank = nouns.clone(), torch.zeros_like(nouns, dtype=torch.bool)
    for attribute in grammar.attributes:
        found = level(attribute, images)
        number, blank = LEVELS * number + found, blank | (found < 0)
    return number.where(~blank, -1)


def read(
    name: str,
    read_base: Callable[[bool, str | Path | None, Say], tuple[Tensor, Tensor, tuple[str, ...]]],
    train: bool,
    root: str | Path | None,
    say: Say,
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Pixels, compositions and captions of a data set, as `data.Read` gives them. Training images are of seen compositions alone."""
    grammar = grammar_of(name)
    pixels, nouns, _ = read_base(train, root, say)
    images = pixels[:, None] if pixels.ndim == 3 else pixels
    parts = zip(images.split(5000), nouns.split(5000), strict=True)
    labels = torch.cat([compositions(grammar, scaled(some), these) for some, these in parts])
    held_out = torch.tensor([grammar.held_out(i) for i in range(len(grammar))])
    keep = (labels >= 0) & ~(held_out[labels] & train)
    return pixels[keep], labels[keep], captions(grammar)


def captions(grammar: Grammar, language: str = "en") -> tuple[str, ...]:
    """The whole caption of every composition, in order."""
    return tuple(grammar.write(grammar.composition(i), language) for i in range(len(grammar)))
