"""Downloads that end: a silent server is given up, what failed is tried once more, what came is checked."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from ..errors import CourseError

TIMEOUT = 8.0  # seconds without a byte after which a download is given up
UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.ENOTDIR, errno.EEXIST}


def fetch(url: str, path: Path, digest: str, advice: str) -> None:
    """Download url to path, whole or not at all, with a progress bar; digest: how its SHA-256 begins.

    Two that fetch the same file do not disturb each other. Raises CourseError, which ends in `advice`, what to do instead.
    """
    from torch.hub import download_url_to_file

    for last in (False, True):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with impatient_sockets(TIMEOUT):
                download_url_to_file(url, str(path), digest)
            return
        except (RuntimeError, OSError, HTTPException, ValueError) as error:
            if isinstance(error, OSError) and error.errno in UNWRITABLE:
                raise CourseError(f"cannot write {path}: {error.strerror}; {advice}") from None
            # To ask a silent server again would only double the wait.
            silent = isinstance(error, TimeoutError) or isinstance(
                getattr(error, "reason", None), TimeoutError
            )
            if last or silent:
                reason = (str(error).strip().splitlines() or ["no reason given"])[0]
                raise CourseError(f"{path.name}: the download failed ({reason}); {advice}") from None


@contextmanager
def impatient_sockets(timeout: float) -> Iterator[None]:
    """Connections that others open without a timeout get this one, which has to be the default."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(timeout)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
