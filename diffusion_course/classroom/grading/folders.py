"""Folders that a run wrote to, handled without trust: read, measured and removed, whatever lies in them.

Nothing here follows a link, waits for a pipe, calls itself, or looks at more than it says.
"""

import contextlib
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

MOST_FILES = 1000
DEEPEST = 50
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def scratch(place: str | None = None) -> Iterator[Path]:
    """A new folder, in `place` or where the system wants it; gone at the end with all that lies in it, or left if that fails."""
    folder = Path(tempfile.mkdtemp(prefix="dc-", dir=place))
    try:
        folder.chmod(0o711)  # to pass through, not to look into: the run may be another user's
        yield folder
    finally:
        remove(folder)


def open_result(path: Path, largest: int) -> bytes:
    """The bytes of a file that a run left in its folder; `path` must lie directly in that folder.

    Raises FileNotFoundError where there is nothing, and another OSError where there is a link, a pipe, a folder, a socket, or more
    than `largest` bytes.
    """
    # Without O_NONBLOCK, to open a pipe is to wait for its other end.
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with _closing(file):
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{path.name} is not a regular file")
        if found.st_size > largest:
            raise OSError(f"{path.name} has more than {largest} bytes")
        with open(file, "rb", closefd=False) as stream:
            return stream.read(largest)


def size(folder: Path) -> float:
    """Bytes on the disk below a folder; 0 if it is not there.

    Infinitely many for more than MOST_FILES files and folders, for a folder more than DEEPEST deep, or one that cannot be looked into.
    """
    total, seen = 0, 0
    levels: list[tuple[int, Iterator[os.DirEntry]]] = []  # from `folder` down to where we are
    try:
        levels.append(_enter(folder))
        while levels:
            here, entries = levels[-1]
            entry = next(entries, None)
            if entry is None:
                os.close(levels.pop()[0])
                continue
            seen += 1
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # removed or replaced meanwhile
                total += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    levels.append(_enter(entry.name, here))
            if seen > MOST_FILES or len(levels) > DEEPEST:
                return float("inf")
    except FileNotFoundError:
        return 0
    except OSError:
        return float("inf")
    finally:
        for descriptor, _ in levels:
            os.close(descriptor)
    return total


def remove(folder: Path) -> None:
    """Remove a folder and all below it, of any depth. What cannot be removed stays, and nothing is raised for it.

    No process that may write to the folder is alive any more.
    """
    with contextlib.suppress(OSError):
        top = os.open(folder, FOLDER)
        with _closing(top):
            # A folder's own folders are moved up beside it before it goes: no level is deeper than two.
            names = (f"{secrets.token_hex(8)}-{number}" for number in count())
            while sum(_gone(entry, top, names) for entry in _some(top)):
                pass
        os.rmdir(folder)


def _gone(entry: os.DirEntry, top: int, names: Iterator[str]) -> bool:
    """Remove an entry of `top`; whether that could be done."""
    try:
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.name, dir_fd=top)
            return True
        os.chmod(entry.name, 0o700, dir_fd=top)
        here = os.open(entry.name, FOLDER, dir_fd=top)
        with _closing(here):
            while inside := _some(here):
                for one in inside:
                    if one.is_dir(follow_symlinks=False):
                        os.chmod(one.name, 0o700, dir_fd=here)  # else only root may move it
                        os.rename(one.name, next(names), src_dir_fd=here, dst_dir_fd=top)
                    else:
                        os.unlink(one.name, dir_fd=here)
        os.rmdir(entry.name, dir_fd=top)
    except OSError:
        return False
    return True


def _enter(name: str | Path, above: int | None = None) -> tuple[int, Iterator[os.DirEntry]]:
    """A folder's descriptor, and what is in it, not read ahead."""
    here = os.open(name, FOLDER, dir_fd=above)
    try:
        return here, os.scandir(here)
    except OSError:
        os.close(here)
        raise


def _some(folder: int) -> list[os.DirEntry]:
    """At most a thousand of a folder's entries."""
    with os.scandir(folder) as entries:
        return list(islice(entries, 1000))


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)
