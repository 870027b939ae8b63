"""One grader at a time in an output folder."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...errors import CourseError, printable

NAME = "grading.lock"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder. Raises CourseError, at once, where another process has it, or the folder cannot be
    written.

    The system lets go of the lock when its process ends, however it ends; a file that is left locks nobody
    out.
    """
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _locked(path)
    except BlockingIOError:
        raise CourseError(
            f"--out: {folder} is in use by {_holder(path)}; wait for it, or take another folder"
        ) from None
    except OSError as error:
        raise CourseError(f"cannot write {path}: {error.strerror}") from None
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(file)


def _locked(path: Path) -> int:
    """The open lock file, which says who has it."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            _lock(file)
            # Who held it before may have removed the file meanwhile: then this lock is on a file that nobody
            # else sees.
            if os.path.exists(path) and os.path.samestat(os.fstat(file), os.stat(path)):
                os.ftruncate(file, 0)
                os.write(file, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _lock(file: int) -> None:
    import fcntl  # not on Windows, where a dry run is all there is

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a file system without locks: there it is up to who starts a second one
        pass


def _holder(path: Path) -> str:
    try:
        return printable(path.read_text(encoding="utf-8").strip()[:200]) or "another process"
    except (OSError, ValueError):
        return "another process"
