"""Pictures shrunk once: a file of bytes that is mapped into memory, so that a set may be larger than it.

`pixels.u8` holds the pictures one after the other; `pictures.json` says how many of the names are done and which of them could not
be read. It is written after the bytes are on the disk: whoever is stopped, by Ctrl-C, a full disk or a power cut, goes on from there.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CourseError, printable
from ..files import alone, write_json
from .picture_files import decoded, none_read, opened, reason
from .picture_names import tell
from .pixels import squared

Say = Callable[[str], Any]
"""Takes a line, e.g. for each picture that is skipped."""

EVERY = 500  # pictures after which the bytes go to the disk and are noted
ENLARGED = "enlarged"


def cached(
    folder: Path,
    key: str,
    source: Path,
    names: Sequence[str],
    shape: tuple[int, int, int],
    say: Say,
) -> tuple[Tensor, list[int]]:
    """The pictures `names` of a folder or zip, `squared`: (n, C, size, size), uint8, and which of the names they are, (n,).

    folder: of the cache, which is filled once for its `key` and then read. shape: (C, size, size). What cannot be read is left
    out, and told to `say` by name. Raises CourseError where no picture can be read, or the folder cannot be written.
    """
    try:
        with alone(folder / "lock"):
            journal = _journal(folder, key, shape, len(names))
            tell_skipped(journal, names, say)
            if journal["read"] < len(names):
                _fill(folder, journal, source, names, say)
    except OSError as error:
        raise CourseError(
            f"cannot write the cache {folder}: {error.strerror}; make room, and the same command goes on from there"
        ) from None
    if small := len(journal["enlarged"]):
        say(f"{small} of {len(names)} pictures are smaller than {shape[1]} pixels, and were enlarged")
    return kept(folder, journal, source)


def finished(folder: Path, key: str, shape: tuple[int, int, int]) -> dict[str, Any] | None:
    """The journal of a cache that is complete; None where there is none of this key and shape."""
    try:
        journal = json.loads((folder / "pictures.json").read_text(encoding="utf-8"))
        same = journal["key"] == key and journal["shape"] == list(shape)
        whole = os.path.getsize(folder / "pixels.u8") >= _rows(journal) * _bytes(journal)
        return journal if same and whole and journal["read"] == journal["total"] else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def kept(folder: Path, journal: dict[str, Any], source: Path) -> tuple[Tensor, list[int]]:
    """The pictures of a complete cache, and which of the names they are. Raises CourseError where none of `source` could be read."""
    rows = [i for i in range(journal["total"]) if str(i) not in journal["skipped"]]
    if not rows:
        raise none_read(source, journal["total"])
    size = len(rows) * _bytes(journal)
    pixels = torch.from_file(str(folder / "pixels.u8"), shared=False, size=size, dtype=torch.uint8)
    return pixels.view(-1, *journal["shape"]), rows


def _journal(folder: Path, key: str, shape: tuple[int, int, int], total: int) -> dict[str, Any]:
    """What is done of this cache; a fresh one where what lies there belongs to another, or is damaged."""
    fresh = {"key": key, "shape": list(shape), "total": total, "read": 0, "skipped": {}, "enlarged": []}
    try:
        journal = json.loads((folder / "pictures.json").read_text(encoding="utf-8"))
        journal["enlarged"] = [i for i in journal["enlarged"] if i < journal["read"]]
        journal["skipped"] = {i: why for i, why in journal["skipped"].items() if int(i) < journal["read"]}
        same = all(journal[name] == fresh[name] for name in ("key", "shape", "total"))
        right = 0 <= journal["read"] <= total
        whole = os.path.getsize(folder / "pixels.u8") >= _rows(journal) * _bytes(journal)
        return journal if same and right and whole else fresh
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return fresh


def _fill(folder: Path, journal: dict[str, Any], source: Path, names: Sequence[str], say: Say) -> None:
    from tqdm import tqdm

    done, (channels, size, _) = journal["read"], journal["shape"]
    path = folder / "pixels.u8"
    with opened(source) as (_, read), open(path, "r+b" if path.exists() else "w+b") as file:
        file.truncate(_rows(journal) * _bytes(journal))
        file.seek(0, os.SEEK_END)
        try:
            bar = tqdm(
                names[done:], "pictures", total=len(names), initial=done, unit="", delay=2, mininterval=1
            )
            for i, name in enumerate(bar, start=done):
                picture, note = _read(read, name, size, channels)
                if picture is not None:
                    file.write(picture.numpy().tobytes())
                    if note == ENLARGED:
                        journal["enlarged"].append(i)
                else:
                    journal["skipped"][str(i)] = note
                    say(f"skipped {printable(name)}: {note}")
                journal["read"] = i + 1
                if journal["read"] % EVERY == 0:
                    _note(folder, journal, file)
        finally:
            _note(folder, journal, file)


def _read(read: Callable[[str], bytes], name: str, size: int, channels: int) -> tuple[Tensor | None, str]:
    """A picture, or None, and what there is to say of it."""
    try:
        picture = decoded(read(name))
        return squared(picture, size, channels), ENLARGED if min(picture.shape[1:]) < size else ""
    except Exception as error:  # a decoder may stumble over damaged bytes in any way
        return None, reason(error)


def _note(folder: Path, journal: dict[str, Any], file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
    write_json(folder / "pictures.json", journal)


def tell_skipped(journal: dict[str, Any], names: Sequence[str], say: Say) -> None:
    """Tell which pictures could not be read, when the cache was filled."""
    tell([f"{printable(names[int(i)])}: {why}" for i, why in journal["skipped"].items()], say)


def _rows(journal: dict[str, Any]) -> int:
    return journal["read"] - len(journal["skipped"])


def _bytes(journal: dict[str, Any]) -> int:
    channels, height, width = journal["shape"]
    return channels * height * width
