"""feedback.zip: the pages under the names that Moodle or Canvas gave the students' files, by which they hand feedback back."""

import io
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from ...files import write_bytes
from . import names
from .results import Graded

NAME = "feedback.zip"


def write(folder: Path, graded: Sequence[Graded]) -> None:
    """Write `folder`/feedback.zip of the pages that are there. Without a file of Moodle's or Canvas's there is none. Raises CourseError."""
    pages = {place: page for one in graded if (place := place_of(one)) and (page := _page(folder, one))}
    if not pages:
        return
    content = io.BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED) as packed:
        for place, page in sorted(pages.items()):
            packed.write(page, place)
    write_bytes(folder / NAME, content.getvalue())


def place_of(one: Graded) -> str:
    """Where the LMS looks for feedback on this file; "" where its name is not the LMS's.

    Moodle wants the folder of its export, or what it put before a file's name. Canvas reads the user and the attachment in a file's name.
    """
    page = f"{one.page.rpartition('/')[2]}.html"
    *folders, last = one.path.split("/")
    for part in (*folders, last):
        if found := names.MOODLE.match(part):
            return f"{part}/{page}" if part in folders else f"{found[0]}{page}"
        if (found := names.CANVAS.match(part)) and found[2] == one.lms_id.removeprefix("canvas:"):
            return f"{found[0]}{page}"
    return ""


def _page(folder: Path, one: Graded) -> Path | None:
    path = folder / "feedback" / f"{one.page}.html"
    return path if path.is_file() else None
