"""Pictures of one's own as a data set: a folder or zip with a subfolder for each class, of any size and mode.

holiday/                      holiday.zip
    beach/1.jpg, 2.png            train/beach/1.jpg, ...
    mountains/a.webp              test/beach/7.jpg, ...
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..errors import CourseError, check_integer, printable
from . import picture_cache, picture_files
from .picture_cache import Say

HELD_OUT = (
    "test",
    "val",
    "valid",
    "validation",
)  # what people call the folder beside `train`; the first that is there counts

TOLD = 10  # classes that are told by name


@dataclass(frozen=True)
class Found:
    """The names of the pictures, a label for each, and the classes, by name: those of the folders; the set's own where there are none."""

    names: list[str]
    labels: list[int]
    classes: tuple[str, ...]


def find(source: Path, train: bool, say: Say = lambda line: None) -> Found:
    """The pictures of one split; they are not read.

    A folder around all is looked through, and so are `train` and `test` (or `val`) below it; without them every picture is for training.
    Pictures outside of the class folders are left out and told to `say`, as is what `picture_files.names` tells. Raises CourseError as `picture_files.names` does, for a
    split that is not there, and for a class that only one of the splits has.
    """
    told = printable(str(source))
    paths = {name: tuple(name.split("/")) for name in picture_files.names(source, say)}
    around = _around(list(paths.values()))
    below = {name: parts[around:] for name, parts in paths.items()}
    folders = {parts[0] for parts in below.values() if len(parts) > 1}
    called = {name.lower(): name for name in folders}
    held_out = next((called[name] for name in HELD_OUT if name in called), "")
    split = (called["train"] if train else held_out) if "train" in called and held_out else ""
    if split:
        both = (called["train"], held_out)
        first, second = ({p[1] for p in below.values() if p[0] == one and len(p) > 2} for one in both)
        if odd := sorted(first ^ second):
            few = printable(", ".join(odd[:3]))
            raise CourseError(f"{told}: {' and '.join(both)} have other class folders ({few})")
        chosen = {name: parts[1:] for name, parts in below.items() if parts[0] == split}
        for other in sorted(folders - set(both)):
            say(f"skipped the folder {printable(other)}, which stands beside {' and '.join(both)}")
    elif train:
        chosen = below
    else:
        raise CourseError(
            f"{told}: holds no test pictures; want folders train and test, with one a class in each"
        )
    named = tuple(sorted({parts[0] for parts in chosen.values() if len(parts) > 1}))
    inside = [name for name, parts in chosen.items() if len(parts) > 1 or not named]
    if lost := sorted(chosen.keys() - set(inside)):
        say(f"skipped {len(lost)} outside of the class folders, e.g. {printable(lost[0])}")
    prefix = (*next(iter(paths.values()))[:around], *([split] if split else []))
    for empty in sorted(_folders_in(source, prefix) - set(named)) if named else []:
        say(f"class folder {printable(empty)}: holds no picture, and is no class")
    labels = [named.index(chosen[name][0]) if named else 0 for name in inside]
    return Found(inside, labels, named or (source.resolve().stem,))


def read(
    source: Path, train: bool, size: int | None, channels: int, cache: Path, say: Say
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Pixels (N, channels, size, size), uint8, labels (N,), and the classes of one split.

    The centre of each picture is cropped and shrunk, once: `cache` is the folder where all such sets are kept. Raises CourseError
    as `find` does, and for a class of which no picture can be read.
    """
    if size is None:
        raise CourseError(
            f"size: {printable(str(source))} holds pictures of any size; say to how many pixels they shrink"
        )
    check_integer("size", size, 1, 4096)
    check_integer("channels", channels, 1)
    if channels not in (1, 3):
        raise CourseError(f"channels: got {channels}, want 1 (grey) or 3 (colour)")
    found = find(source, train, say)
    shape = (channels, size, size)
    key = f"{picture_files.state(source, found.names)}-{channels}x{size}"
    pixels, rows = picture_cache.cached(cache / key, key, source, found.names, shape, say)
    labels = torch.tensor([found.labels[i] for i in rows])
    counts = Counter(labels.tolist())
    for label, name in enumerate(found.classes):
        if not counts[label]:
            raise CourseError(
                f"{printable(str(source))}: no picture of the class {printable(name)} could be read"
            )
    return pixels, labels, found.classes


def summary(images: Tensor, labels: Tensor, classes: tuple[str, ...]) -> str:
    """A line on a set that was read: how many pictures (N, C, size, size), their size, and each class with its number and its count."""
    channels, size = images.shape[1:3]
    counts = Counter(labels.tolist())
    told = [f"{i} {name} ({counts[i]:,})" for i, name in enumerate(classes[:TOLD])]
    more = f" and {len(classes) - TOLD} more" if len(classes) > TOLD else ""
    kind = "grey" if channels == 1 else "in colour"
    return f"{len(images):,} pictures, {size} x {size}, {kind}; classes: {printable(', '.join(told))}{more}"


def _around(paths: list[tuple[str, ...]]) -> int:
    """How many folders stand around all pictures, and around their class folders."""
    n = 0
    while len({parts[n] for parts in paths}) == 1 and all(len(parts) > n + 2 for parts in paths):
        n += 1
    return n


def _folders_in(source: Path, prefix: tuple[str, ...]) -> set[str]:
    """The folders directly in the one called `prefix`, with pictures or without."""
    n = len(prefix)
    paths = (tuple(name.split("/")) for name in picture_files.folders(source))
    return {parts[n] for parts in paths if len(parts) > n and parts[:n] == prefix}
