"""Pictures shrunk once: a file of bytes that is mapped into memory, so that a set may be larger than it.

`pixels.u8` holds the pictures one after the other; `pictures.json` says how many of the names are done and which of them could not
be read. It is written after the bytes are on the disk: whoever is stopped, by Ctrl-C, a full disk or a power cut, goes on from there.
What could not be read is tried again as soon as its file is another, and at every run where it was the system that failed.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import torch
from torch import Tensor

from ..errors import CourseError, printable
from ..files import alone, write_atomically, write_json
from .picture_files import decoded, none_read, opened, passing, reason, stamp
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
    out, told to `say` by name, and tried again when its file has changed. Raises CourseError where no picture can be read, or the folder cannot be written.
    """
    try:
        with alone(folder / "lock"):
            journal = _journal(folder, key, shape, len(names))
            _mend(folder, journal, source, names)
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
    fresh = {
        "key": key,
        "shape": list(shape),
        "total": total,
        "read": 0,
        "skipped": {},
        "stamps": {},
        "enlarged": [],
    }
    try:
        journal = json.loads((folder / "pictures.json").read_text(encoding="utf-8"))
        journal["enlarged"] = [i for i in journal["enlarged"] if i < journal["read"]]
        journal["skipped"] = {i: why for i, why in journal["skipped"].items() if int(i) < journal["read"]}
        journal.setdefault("stamps", {})  # Food-101 as it was shrunk before there were any
        same = all(journal[name] == fresh[name] for name in ("key", "shape", "total"))
        right = 0 <= journal["read"] <= total
        whole = os.path.getsize(folder / "pixels.u8") >= _rows(journal) * _bytes(journal)
        return journal if same and right and whole else fresh
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return fresh


def _mend(folder: Path, journal: dict[str, Any], source: Path, names: Sequence[str]) -> None:
    """Try again what was skipped and may be whole. What is so goes to its place among the others, as in a fresh cache.

    The others are copied, not decoded, and into another file: some process may have the old one mapped.
    """
    from tqdm import tqdm

    skipped, stamps, mended = journal["skipped"], journal["stamps"], folder / "mended.u8"
    due = [
        i
        for i in sorted(map(int, skipped))
        if stamps.get(str(i)) is None or stamp(source, names[i]) != stamps[str(i)]
    ]
    if not due:
        return
    for left in folder.glob("mended.u8.*.part"):  # of a process that was killed: here is one at a time
        left.unlink()
    with opened(source) as (_, read), TemporaryFile(dir=folder) as fresh:
        bar = tqdm(due, "skipped pictures", unit="", delay=2, mininterval=1)
        whole = {i for i in bar if _take(journal, i, source, names[i], read, fresh)}
        fresh.seek(0)

        def merge(file: Any) -> None:
            with open(folder / "pixels.u8", "rb") as old:
                for i in range(journal["read"]):
                    if str(i) not in skipped:
                        file.write((fresh if i in whole else old).read(_bytes(journal)))

        if whole:
            write_atomically(mended, merge)
            # A stop between these lines costs the cache, and makes no wrong one.
            (folder / "pictures.json").unlink()
            os.replace(mended, folder / "pixels.u8")
    write_json(folder / "pictures.json", journal)


def _fill(folder: Path, journal: dict[str, Any], source: Path, names: Sequence[str], say: Say) -> None:
    from tqdm import tqdm

    done, path = journal["read"], folder / "pixels.u8"
    with opened(source) as (_, read), open(path, "r+b" if path.exists() else "w+b") as file:
        file.truncate(_rows(journal) * _bytes(journal))
        file.seek(0, os.SEEK_END)
        try:
            bar = tqdm(
                names[done:], "pictures", total=len(names), initial=done, unit="", delay=2, mininterval=1
            )
            for i, name in enumerate(bar, start=done):
                if not _take(journal, i, source, name, read, file):
                    say(f"skipped {printable(name)}: {journal['skipped'][str(i)]}")
                journal["read"] = i + 1
                if journal["read"] % EVERY == 0:
                    _note(folder, journal, file)
        finally:
            _note(folder, journal, file)


def _take(
    journal: dict[str, Any], i: int, source: Path, name: str, read: Callable[[str], bytes], file: Any
) -> bool:
    """Read one picture, and write it at the end of `file`; or note why not, and what would have to change. Whether it was whole."""
    channels, size, _ = journal["shape"]
    before = stamp(source, name)  # what changes while it is read counts as a change
    picture, note, again = _read(read, name, size, channels)
    if picture is None:
        journal["skipped"][str(i)] = note
        journal["stamps"][str(i)] = None if again else before
        return False
    file.write(picture.numpy().tobytes())
    if note == ENLARGED:
        journal["enlarged"].append(i)
    journal["skipped"].pop(str(i), None)
    journal["stamps"].pop(str(i), None)
    return True


def _read(
    read: Callable[[str], bytes], name: str, size: int, channels: int
) -> tuple[Tensor | None, str, bool]:
    """A picture, or None; what there is to say of it; and whether the same file may give one another time."""
    try:
        picture = decoded(read(name))
        return squared(picture, size, channels), ENLARGED if min(picture.shape[1:]) < size else "", False
    except Exception as error:  # a decoder may stumble over damaged bytes in any way
        return None, reason(error), passing(error)


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
