"""`diffusion-course site`: both editions of the chapters as pages, in a folder that any web server serves, or that is opened from a disk."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from ...errors import CourseError
from ...files import write_text
from ..build import chosen_chapters, home
from ..editions import edition
from ..ids import chapter_of
from . import course_map, pages, typesetting
from .pictures import Pictures
from .runs import executed

LIMIT = 40e6  # bytes of a whole site
SIGN = ".nojekyll"  # every site has it: without, GitHub Pages would leave out what begins with an underscore


def build(
    out: Path,
    say: Callable[[str], Any],
    wanted: Sequence[str] | None = None,
    root: Path | None = None,
    timeout: int = 600,
) -> None:
    """Write the site of the chapters (default: all) into `out`, a folder of its own.

    wanted: numbers or names of chapters. root: the checkout with solutions/ in it. timeout: seconds per cell. say: takes a line on each step.
    Raises CourseError for a chapter that fails, a page that cannot be made, and a site above the size limit.
    """
    root = root or home()
    chapters = chosen_chapters(root, wanted)
    _take(out)
    with tempfile.TemporaryDirectory() as folder:
        source, extra, made = Path(folder) / "source", Path(folder) / "extra", Path(folder) / "site"
        typesetting.install_parts(source)
        pictures = Pictures(source)
        numbered = {chapter_of(chapter.name): chapter for chapter in chapters}
        for chapter in chapters:
            run, ran = executed(chapter, root, root / "build" / "site-runs", timeout)
            for name in pages.EDITIONS:
                page = pages.page(chapter, name, run, pictures, numbered)
                write_text(source / name / f"{chapter.name}.ipynb", _text(page))
                write_text(extra / name / f"{chapter.name}.ipynb", _text(edition(chapter, name)))
            say(f"{chapter.name}: {'run' if ran else 'as it was run before'}")
        write_text(source / "index.md", course_map.page(chapters))
        typesetting.typeset(source, made, extra)
        write_text(made / SIGN, "")
        size = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
        if size > LIMIT:
            raise CourseError(f"the site: {size / 1e6:.1f} MB is above the limit of {LIMIT / 1e6:g} MB")
        shutil.rmtree(out)
        shutil.move(made, out)
    say(f"{out}: {len(chapters)} chapters, {size / 1e6:.1f} MB; open {out / 'index.html'}")


def _take(out: Path) -> None:
    """Make the folder. A site takes the place of what is there, so that must be a site, or nothing."""
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()) and not (out / SIGN).exists():
        raise CourseError(f"--out: {out} holds something else than a site; want a new folder")


def _text(notebook: NotebookNode) -> str:
    return nbformat.writes(notebook) + "\n"
