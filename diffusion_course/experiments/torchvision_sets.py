"""torchvision's sets: a folder that already holds them is used as it is, else they are downloaded, checked and tried twice.

Each function reads one split: (train, root) -> pixels 0..255, uint8, (N, H, W) or (N, 3, H, W), and labels (N,).
"""

import errno
import os
import pickle
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CourseError
from ..files import alone
from .downloads import TIMEOUT, UNWRITABLE, impatient_sockets

MNIST_LIKE = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}
Make = Callable[[bool], Any]
"""(download?) -> torchvision's data set."""


def held(root: Path) -> list[str]:
    """The names of the sets whose files are all in `root`."""
    files = {name: _mnist_files(kind, root) for name, kind in MNIST_LIKE.items()}
    files["cifar10"] = _cifar_files(root)
    files["food101-64"] = [root / "food101-64" / split / "pixels.u8" for split in ("train", "test")]
    return [name for name, paths in files.items() if all(map(_is_file, paths))]


def mnist_like(kind: str, train: bool, root: Path) -> tuple[Tensor, Tensor]:
    """MNIST or FashionMNIST: 60,000 or 10,000 of 28 x 28. Raises CourseError as `data.load` does."""
    from torchvision import datasets

    source, folder = getattr(datasets, kind), root / kind / "raw"
    expected = 60_000 if train else 10_000
    found = opened(
        lambda download: source(root, train=train, download=download),
        kind,
        root,
        folder,
        _mnist_files(kind, root),
        'or use the offline set "mnist-5k"',
    )
    if found.data.shape != (expected, 28, 28) or found.targets.shape != (expected,):
        got = f"{tuple(found.data.shape)} images and {tuple(found.targets.shape)} labels"
        raise damaged(kind, folder, f"got {got}, want {expected} of 28 x 28")
    _check_labels(found.targets, kind, folder)
    return found.data, found.targets


def cifar10(train: bool, root: Path) -> tuple[Tensor, Tensor]:
    """CIFAR10: 50,000 or 10,000 of 3 x 32 x 32. Its files are pickles: only those with torchvision's checksums are read."""
    from torchvision.datasets import CIFAR10

    folder = root / CIFAR10.base_folder
    found = opened(
        lambda download: CIFAR10(root, train=train, download=download),
        "CIFAR10",
        root,
        folder,
        _cifar_files(root),
        "or give a folder or zip of pictures",
    )
    pixels, labels = torch.from_numpy(found.data), torch.as_tensor(found.targets)
    if pixels.dtype != torch.uint8 or labels.shape != (len(pixels),):
        got = f"{len(pixels)} images of {pixels.dtype} and {tuple(labels.shape)} labels"
        raise damaged("CIFAR10", folder, f"got {got}, want as many labels as images, uint8")
    _check_labels(labels, "CIFAR10", folder)
    return pixels.permute(0, 3, 1, 2), labels


def _check_labels(labels: Tensor, kind: str, folder: Path) -> None:
    low, high = (int(v) for v in labels.aminmax())
    if low < 0 or high > 9:
        raise damaged(kind, folder, f"got label {high if high > 9 else low}, want 0..9")


def _mnist_files(kind: str, root: Path) -> list[Path]:
    """The files of a set like MNIST, as they are after a download."""
    return [
        root / kind / "raw" / f"{split}-{part}-ubyte"
        for split in ("train", "t10k")
        for part in ("images-idx3", "labels-idx1")
    ]


def _cifar_files(root: Path) -> list[Path]:
    from torchvision.datasets import CIFAR10

    names = [name for name, _ in [*CIFAR10.train_list, *CIFAR10.test_list]] + [CIFAR10.meta["filename"]]
    return [root / CIFAR10.base_folder / name for name in names]


def _is_file(path: Path) -> bool:
    return os.path.isfile(path) and os.path.getsize(path) > 0


def opened(make: Make, kind: str, root: Path, folder: Path, files: list[Path], instead: str) -> Any:
    """torchvision's set, from `files` in `folder`, which are downloaded where one is missing. instead: what else one can do."""
    try:
        return make(False)
    except RuntimeError as error:
        # Either torchvision's "Dataset not found", or content that is not what it should be.
        if all(map(os.path.isfile, files)):
            reason = "a checksum is wrong" if "not found or corrupted" in str(error) else error
            raise damaged(kind, folder, reason) from None
    except PermissionError as error:
        raise CourseError(f"data folder {root}: cannot be read ({error.strerror})") from None
    except (
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
        AssertionError,
        EOFError,
        OSError,
        pickle.UnpicklingError,
    ) as error:
        raise damaged(kind, folder, error) from None
    return _download(make, kind, root, files, instead)


def _download(make: Make, kind: str, root: Path, files: list[Path], instead: str) -> Any:
    """torchvision's own download (progress bar, checksums), tried twice, with its failures put in one line."""
    started = time.monotonic()
    try:
        if root.exists() and not root.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        root.mkdir(parents=True, exist_ok=True)
        with alone(root / f".{kind}.lock"):
            try:
                return _download_once(make, files)
            except (RuntimeError, OSError, HTTPException, EOFError) as error:
                # A RuntimeError comes after all mirrors were asked. To ask silent ones again would only double the wait.
                kinds = (RuntimeError, TimeoutError)
                silent = isinstance(error, kinds) and time.monotonic() - started > 1.5 * TIMEOUT
                if silent or (isinstance(error, OSError) and error.errno in UNWRITABLE):
                    raise
                return _download_once(make, files)
    except CourseError:
        raise
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
            f"DIFFUSION_COURSE_DATA at a folder that holds it, {instead}"
        ) from None


def _download_once(make: Make, files: list[Path]) -> Any:
    missing = [path for path in files if not path.is_file()]
    if not missing:
        return make(False)  # another process has fetched them while this one waited
    try:
        with impatient_sockets(TIMEOUT):
            return make(True)
    except BaseException:
        # What was cut off while it was unpacked would be taken for whole. The archives stay: they have checksums.
        for path in missing:
            if path.is_file():
                path.unlink()
        raise


def damaged(kind: str, folder: Path, reason: object) -> CourseError:
    first = (str(reason).splitlines() or ["unreadable"])[0]
    return CourseError(
        f"{kind}: a file in {folder} is damaged or of another format ({first}); delete that folder, then load again"
    )
