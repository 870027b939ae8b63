"""Files that are whole or not there: what everything in the course writes through. And paths as people write them."""

import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from .errors import CourseError, printable, shown


def user_path(text: str | Path) -> Path:
    """A path as somebody typed it: `~` is the home folder, also where no shell has said so (`--out='~/x'`).

    Raises CourseError for an empty path, one that no file can have, and a home folder that nobody knows.
    """
    if not str(text) or "\0" in str(text):
        raise CourseError(f"path: got {shown(str(text))}, want the name of a file or folder")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise CourseError(f"path {printable(str(text))}: there is no such home folder") from None


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8, "\\n" at the end of lines) whole, or leave `path` as it was. Raises CourseError as below."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: Any, indent: int = 1) -> None:
    """Write JSON as a text file."""
    write_text(path, json.dumps(content, indent=indent) + "\n")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole, or leave `path` as it was."""
    write_atomically(path, lambda file: file.write(content))


def write_atomically(path: Path, write: Callable) -> None:
    """Call write(file) on a temporary file beside `path`, flush it to the disk, then rename it to `path`.

    Of several that write at the same time, one wins. Raises CourseError when the folder cannot be written or the disk is full; `path` is
    then as it was.
    """
    with _beside(path) as (part, file):
        write(file)
        file.flush()
        os.fsync(file.fileno())
        file.close()
        os.replace(part, path)


def check_writable(path: Path) -> None:
    """Raise now the CourseError that writing `path` would raise later, after hours of work. Its folder is made."""
    with _beside(path):
        pass


@contextmanager
def alone(path: Path, taken: str | None = None) -> Iterator[None]:
    """Of several processes that come here with the same lock file, one at a time; the others wait until it is done or dead.

    taken: do not wait, but raise this as a CourseError.
    The file, whose folder is made, stays: only a hold on it counts, which ends with its process. Raises OSError where it cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        try:
            import fcntl
        except ImportError:  # Windows: there two that write at once disturb each other
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if taken else 0))
        except BlockingIOError:
            raise CourseError(taken or "") from None
        except OSError:  # a file system without locks, as some that come over a network: as on Windows
            yield
            return
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # a process that was forked meanwhile has the file open, too


@contextmanager
def _beside(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """An open temporary file, of this call alone, in the folder of `path`, which is made; gone afterwards unless renamed."""
    try:
        if path.is_dir():
            raise CourseError(f"cannot write {path}: it is a folder; want the name of a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        try:
            with open(part, "xb") as file:
                yield part, file
        finally:
            part.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as RuntimeError
        if isinstance(error.__context__, OSError):
            error = error.__context__  # what torch.save met, in place of what it says of it
        raise CourseError(f"cannot write {path}: {(str(error).splitlines() or ['disk error'])[0]}") from None
