"""The outputs of the chapters for the web edition: each chapter is run once, and again only when what it runs has changed."""

import hashlib
import json
from functools import cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ...files import write_json
from ...notebook.kernelless import ASKED
from ..chapters import Chapter
from ..editions import edition
from ..execution import execute

PACKAGE = Path(__file__).parents[2]
# What no output depends on: how the site is made, grading, and the words of quizzes, which a page takes from their files.
APART = (PACKAGE / "classroom" / "site", PACKAGE / "classroom" / "grading", PACKAGE / "quizzes")


def executed(chapter: Chapter, root: Path, kept: Path, timeout: int) -> tuple[NotebookNode, bool]:
    """The solved edition with its outputs, in which sliders have pictures for a page without kernel; and whether it had to be run.

    root: the checkout. kept: the folder that keeps outputs from one time to the next.
    Raises CourseError when a cell fails or takes more than `timeout` seconds.
    """
    notebook = edition(chapter, "solutions")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    path, key = kept / f"{chapter.name}.json", _key(code)
    outputs = _read(path, key)
    if outputs is None:
        execute(notebook, chapter.name, root / "solutions", timeout, {ASKED: "1"})
        write_json(path, {"key": key, "outputs": [cell.outputs for cell in code]}, indent=0)
        return notebook, True
    for cell, stored in zip(code, outputs, strict=True):
        cell.outputs = nbformat.from_dict(stored)
    return notebook, False


def _read(path: Path, key: str) -> list | None:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return stored["outputs"] if stored["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or a file that was cut off: run it
        return None


def _key(code: list[NotebookNode]) -> str:
    """A digest of all that the outputs depend on: the cells and the package."""
    cells = "\0".join(cell.source for cell in code)
    return hashlib.sha256(f"{cells}\0{_package()}".encode()).hexdigest()


@cache
def _package() -> str:
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and not any(map(path.is_relative_to, APART)):
            digest.update(f"{path.relative_to(PACKAGE)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
