"""Files of a folder or a .zip, read into memory: nothing is extracted, no link is followed, nothing large is read."""

import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from ...errors import CourseError

LARGEST = 20_000_000  # bytes; the course's own notebooks stay below 1.5 MB
NONE = "no notebook (.ipynb) found"
MOST = 50  # notebooks in one student's zip
Parts = tuple[str, ...]
Listed = tuple[Parts, Callable[[], tuple[bytes, str]] | None]  # where, and how to read it; None for a folder


@dataclass(frozen=True)
class File:
    """A notebook, or a place where one was to be expected. parts: where, below the folder of submissions. problem: why it is not read.

    empty: the place holds no notebook.
    """

    parts: Parts
    content: bytes = b""
    problem: str = ""
    empty: bool = False


def files(where: Path) -> Iterator[File]:
    """The notebooks in a folder or .zip of submissions, in order; also those in a student's .zip, and each folder without any.

    Raises CourseError when there is no such folder, or the .zip is broken.
    """
    with ExitStack() as stack:
        if where.is_dir():
            listed, nested = list(_tree(where)), True
        elif where.is_file() and where.suffix.lower() == ".zip":
            try:
                archive = stack.enter_context(zipfile.ZipFile(where))
            except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
                raise CourseError(
                    f"submissions: {where} is a broken zip ({error}); download it again"
                ) from None
            listed, nested = _without_wrapper(_entries(archive), where.stem), False
        else:
            raise CourseError(f"submissions: {where} is neither a folder nor a .zip")
        for head, group in groupby(_own(listed), key=lambda one: one[0][0]):
            yield from _place(where, head, list(group), nested)


def _place(where: Path, head: str, members: list[Listed], nested: bool) -> Iterator[File]:
    """What lies under one name at the top: a student's folder, or a file."""
    found, others = False, []
    for parts, read in members:
        name = parts[-1].lower()
        if name.endswith(".ipynb"):
            content, problem = read() if read else (b"", "is a folder, not a file")
            yield File(parts, content, problem)
            found = True
        elif name.endswith(".zip") and read and nested:
            for file in _zipped(where.joinpath(*parts), parts):
                yield file
                found = True
            others.append(parts[-1])
        elif read:
            others.append(parts[-1])
    folder = len(members) > 1 or len(members[0][0]) > 1 or members[0][1] is None
    if not found and (folder or head.lower().endswith(".zip")):
        named = ", ".join(others[:5]) or "the folder is empty or a link"
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        unopened = any(name.lower().endswith(".zip") for name in others) and not nested
        hint = "; a zip in a zip is not opened" if unopened else ""
        yield File((head,), problem=f"{NONE}: {named}{more}{hint}", empty=True)


def _tree(where: Path) -> Iterator[Listed]:
    """Everything below a folder. Links to folders are not followed; hidden folders (checkpoints) are passed over."""
    for here, folders, names in os.walk(where, followlinks=False):
        below = Path(here).relative_to(where).parts
        folders[:] = [name for name in folders if not _hidden(name)]
        for name in folders:
            if name.lower().endswith(".ipynb") or not below:
                link = Path(here, name).is_symlink()
                yield (*below, name), partial(_refused, "is a link") if link and below else None
        for name in names:
            if not _hidden(name):
                yield (*below, name), partial(_from_disk, Path(here, name))


def _own(listed: Iterable[Listed]) -> list[Listed]:
    """In order, and without folders "solutions" beside "notebooks": a copy of the whole course brings them; they are nobody's answers."""
    everything = sorted(listed, key=lambda one: one[0])
    copies = {
        parts[:i] for parts, _ in everything for i, step in enumerate(parts[:-1]) if step == "notebooks"
    }
    return [
        (parts, read)
        for parts, read in everything
        if not any(step == "solutions" and parts[:i] in copies for i, step in enumerate(parts[:-1]))
    ]


def _from_disk(path: Path) -> tuple[bytes, str]:
    problem = _unfit(path)
    try:
        return (b"", problem) if problem else (path.read_bytes(), "")
    except OSError as error:
        return b"", f"cannot be read ({error.strerror})"


def _unfit(path: Path) -> str:
    """Why a file must not be opened: a pipe would wait for ever, a link may lead anywhere."""
    try:
        facts = path.lstat()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if not stat.S_ISREG(facts.st_mode):
        return "is a link or no plain file"
    return _too_large(facts.st_size) if facts.st_size > LARGEST else ""


def _zipped(path: Path, parts: Parts) -> Iterator[File]:
    """The notebooks in a zip that a student handed in."""
    problem = _unfit(path)
    if problem:
        yield File(parts, problem=problem)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [(p, read) for p, read in _own(_entries(archive)) if p[-1].lower().endswith(".ipynb")]
            for count, (below, read) in enumerate(inside):
                if count == MOST:
                    yield File(parts, problem=f"holds more than {MOST} notebooks; the others are not read")
                    return
                content, problem = read() if read else (b"", "is a folder, not a file")
                yield File((*parts, *below), content, problem)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        yield File(parts, problem=f"is a broken zip ({str(error)[:100]})")


def _entries(archive: zipfile.ZipFile) -> Iterator[Listed]:
    for entry in archive.infolist():
        steps = re.split(r"[/\\]", entry.orig_filename.replace("\0", "/"))
        parts = tuple(step for step in steps if step not in ("", ".", ".."))
        if not parts or any(map(_hidden, parts)):
            continue
        if not entry.is_dir():
            yield parts, partial(_from_zip, archive, entry)
        elif len(parts) == 1 or parts[-1].lower().endswith(".ipynb"):
            yield parts, None


def _from_zip(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> tuple[bytes, str]:
    name = entry.orig_filename
    if name.startswith("/") or re.search(r"[\\\0]|^[A-Za-z]:|(^|/)\.\.(/|$)", name):
        return b"", "has a name in the zip that leads out of its folder"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return b"", "is a link"
    if entry.flag_bits & 1:
        return b"", "is encrypted in the zip"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return b"", "is compressed in an unusual way; make the zip again"
    if entry.file_size > LARGEST:
        return b"", _too_large(entry.file_size)
    try:
        with archive.open(entry) as file:
            content = file.read(LARGEST + 1)
    except (
        Exception
    ) as error:  # a hostile zip finds many ways to fail in zipfile and zlib; none may stop the batch
        return b"", f"is damaged in the zip ({type(error).__name__})"
    return (content, "") if len(content) <= LARGEST else (b"", _too_large(len(content)))


def _without_wrapper(listed: Iterator[Listed], stem: str) -> list[Listed]:
    """Without the one folder that a zip made of a folder begins with, which has the zip's name."""
    everything = list(listed)
    if {parts[0] for parts, _ in everything} == {stem} and any(len(parts) > 1 for parts, _ in everything):
        return [(parts[1:], read) for parts, read in everything if len(parts) > 1]
    return everything


def _refused(problem: str) -> tuple[bytes, str]:
    return b"", problem


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX")) and not name.startswith("..")


def _too_large(size: int) -> str:
    return f"has {size / 1e6:.0f} MB; {LARGEST / 1e6:.0f} MB is the most"
