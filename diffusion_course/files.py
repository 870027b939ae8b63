"""Files that are whole or not there: what everything in the course writes through."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from .errors import CourseError


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8, "\\n" at the end of lines) whole, or leave `path` as it was. Raises CourseError as below."""
    write_atomically(path, lambda file: file.write(text.encode()))


def write_atomically(path: Path, write: Callable) -> None:
    """Call write(file) on a temporary file beside `path`, flush it to the disk, then rename it to `path`.

    Of several that write at the same time, one wins. Raises CourseError when the folder cannot be written or the disk is full; `path` is
    then as it was.
    """
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")  # of this call alone
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(part, "xb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as RuntimeError
        raise CourseError(f"cannot write {path}: {(str(error).splitlines() or ['disk error'])[0]}") from None
