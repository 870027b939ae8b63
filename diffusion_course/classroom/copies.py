"""Copies of the student notebooks in a folder of the reader's own, where answers are written into them. Needs no torch."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import CourseError
from ..files import write_bytes
from . import handout


def put(folder: Path, say: Callable[[str], Any]) -> None:
    """Copy the installed notebooks into `folder`, each whole or not at all. What is there is kept: it may hold answers.

    say: takes a line on each notebook there that cannot be read, e.g. since a disk was full when it was written.
    Raises CourseError for a folder that cannot be written.
    """
    for notebook in sorted(handout.folder().glob("*.ipynb")):
        mine = folder / notebook.name
        try:
            if not mine.exists():
                write_bytes(mine, notebook.read_bytes())
            elif not _whole(mine.read_bytes()):
                say(f"{mine}: damaged or cut off; move it away and start again, to get a new copy")
        except OSError as error:
            raise CourseError(f"{mine}: {error.strerror}") from None


def _whole(content: bytes) -> bool:
    try:
        return isinstance(json.loads(content)["cells"], list)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
