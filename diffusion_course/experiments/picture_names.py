"""Which files of a folder or zip are pictures, by name; and what looks like one and is left out, with the reason."""

import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CourseError, printable

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
TOLD = 10  # files that are told one by one
OUTWARDS = re.compile(r"/|[A-Za-z]:/|(.*/)?\.\.(/|$)")  # "/etc/x.png", "C:/x.png", "../x.png", "a/../x.png"


@dataclass(frozen=True)
class Listing:
    """What a folder or zip holds, sorted, with "/" between folders; hidden files and folders, and what macOS adds to a zip, are left away.

    pictures: by name, "cats/1.jpg". folders: "cats", ..., of a zip those that it lists. left_out: "cats/2.jpg: why", in one line each.
    """

    pictures: list[str]
    folders: list[str]
    left_out: list[str]


def in_folder(folder: Path) -> Listing:
    """What lies in a folder and in those below. Links to files are followed, those to folders are not, for they may lead around.

    Raises CourseError for a folder that cannot be read.
    """

    def tell(error: OSError) -> None:
        raise CourseError(f"{printable(str(folder))}: cannot be read ({error.strerror})")

    pictures, folders, left_out = [], [], {}
    for place, inner, files in os.walk(folder, onerror=tell):
        inner[:] = [name for name in inner if not _hidden(name)]
        for path in (Path(place) / name for name in inner):
            name = path.relative_to(folder).as_posix()
            if os.path.islink(path):
                left_out[name] = "is a link to a folder, and is not followed; copy that folder to its place"
            else:
                folders.append(name)
        for path in (Path(place) / name for name in files if not _hidden(name)):
            name = path.relative_to(folder).as_posix()
            try:
                if stat.S_ISREG(path.stat().st_mode) and _is_picture(name):  # no pipes, no devices
                    pictures.append(name)
            except OSError as error:
                if os.path.islink(path):
                    left_out[name] = "is a link that leads to no file"
                elif _is_picture(name):
                    left_out[name] = str(error.strerror)
    return _listing(pictures, folders, left_out)


def in_zip(archive: zipfile.ZipFile) -> tuple[Listing, dict[str, zipfile.ZipInfo]]:
    """What a zip lists, and the entry of each name. Names are read as a system would unpack them: old .NET wrote a backslash for "/"."""
    entries, folders, left_out = {}, [], {}
    for info in archive.infolist():
        written = info.filename.replace("\\", "/")
        parts = [part for part in written.split("/") if part not in ("", ".")]
        name = "/".join(parts)
        if any(_hidden(part) for part in parts if part != ".."):
            continue
        if OUTWARDS.match(written):
            if _is_picture(written):
                left_out[written] = "leads out of the zip; name it by folders inside"
        elif not written.endswith("/"):
            if name in entries and _is_picture(name):
                left_out[f"{name} (an earlier one)"] = "stands in the zip again; the last one counts"
            entries[name] = info
        elif name:
            folders.append(name)
    return _listing(filter(_is_picture, entries), folders, left_out), entries


def tell(left_out: Sequence[str], say: Callable[[str], Any]) -> None:
    """Tell what is skipped ("name: why"), the first by name and of the others how many."""
    for line in left_out[:TOLD]:
        say(f"skipped {line}")
    if len(left_out) > TOLD:
        say(f"skipped {len(left_out) - TOLD} more")


def _listing(pictures: Iterable[str], folders: Iterable[str], left_out: dict[str, str]) -> Listing:
    told = [f"{printable(name)}: {why}" for name, why in sorted(left_out.items())]
    return Listing(sorted(pictures), sorted(folders), told)


def _is_picture(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _hidden(part: str) -> bool:
    return part.startswith(".") or part == "__MACOSX"
