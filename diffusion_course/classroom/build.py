"""`diffusion-course build`: from solutions/NN_name.py to the executed solution and the student edition.

A chapter's two notebooks are replaced only after it has run to its end, each in one step, so a failure leaves the old
ones and never half a file. `check` runs nothing: it tells whether the notebooks on disk belong to the sources.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ..errors import CourseError
from ..files import write_text
from ..notebook.claims import broken
from . import handout
from .chapters import Chapter, place, read
from .desk import overview
from .editions import edition
from .execution import Run, execute
from .ids import chapter_of, chosen

OVERVIEW = "docs/chapters.md"
LIMIT = 1.5e6  # bytes of one notebook: what GitHub still shows, and what a slow line still loads


def build(
    wanted: Sequence[str] | None = None, root: Path | None = None, timeout: int = 600, text_only: bool = False
) -> None:
    """Run the chapters (default: all) and write both editions, printing a line for each, and below it the claims that do not hold.

    wanted: numbers or names of chapters. root: the checkout with solutions/ in it. timeout: seconds per cell.
    text_only: a chapter whose code cells are those of its executed notebook is not run, and keeps its outputs; what the package
    does otherwise than before is not seen then, but by nbval.
    Raises CourseError for a source that is malformed or fails, or a notebook above the size limit.
    """
    root = root or home()
    chapters = chosen_chapters(root, wanted)
    has_overview = (root / OVERVIEW).parent.is_dir()
    if has_overview:  # what it could not say of a chapter is told before the chapter runs
        overview.outlines(
            {chapter_of(c.name): edition(c, "notebooks") for c in chapters}, [c.name for c in chapters]
        )
    for chapter in chapters:
        solution = edition(chapter, "solutions")
        path = root / "solutions" / f"{chapter.name}.ipynb"
        kept = text_only and _keep_outputs(path, solution)
        run = None if kept else execute(solution, chapter.name, root / "solutions", timeout)
        text = _text(solution)
        _limit(chapter, solution, text)
        write_text(path, text)
        write_student_edition(chapter, root)
        print(_summary(chapter, run, len(text.encode())), *broken_claims(solution), sep="\n  ", flush=True)
    if has_overview:
        write_text(root / OVERVIEW, _overview(root))
    print(_total(chapters))


def _keep_outputs(path: Path, solution: NotebookNode) -> bool:
    """Give a solution the outputs of the executed notebook at `path`, if it is there and has the same code cells."""
    try:
        ran = nbformat.v4.reads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    new, old = ([cell for cell in n.cells if cell.cell_type == "code"] for n in (solution, ran))
    same = [cell.source for cell in new] == [cell.source for cell in old]
    if not same or not all(cell.execution_count for cell in old if cell.source.strip()):
        return False
    for cell, before in zip(new, old, strict=True):
        cell.outputs, cell.execution_count = before.outputs, before.execution_count
    return True


def broken_claims(notebook: NotebookNode) -> list[str]:
    """What an executed chapter says of its outputs and they do not bear out."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [line for output in outputs for line in broken(output.get("text", ""))]


def write_student_edition(chapter: Chapter, root: Path) -> None:
    """Write notebooks/NN_name.ipynb: it holds no outputs, so nothing is run."""
    write_text(root / "notebooks" / f"{chapter.name}.ipynb", _text(edition(chapter, "notebooks")))


def check(wanted: Sequence[str] | None = None, root: Path | None = None) -> bool:
    """Whether the notebooks on disk are those of the sources; prints every difference.

    The student edition must be the same to the byte; of the executed solution everything but its outputs is compared.
    """
    root = root or home()
    chapters = chosen_chapters(root, wanted)
    differences = [] if wanted else _strays(root, {chapter.name for chapter in chapters})
    for chapter in chapters:
        for folder in ("notebooks", "solutions"):
            differences += _compare(root, chapter, folder)
    if not wanted and not differences and (root / OVERVIEW).parent.is_dir():
        path = root / OVERVIEW
        if not path.is_file() or path.read_text(encoding="utf-8") != _overview(root):
            differences.append(f"{OVERVIEW}: is not that of the notebooks and the checks")
    for difference in differences:
        print(difference)
    print(_total(chapters) if not differences else "Out of step: run `diffusion-course build`.")
    return not differences


def _overview(root: Path) -> str:
    """What docs/ says of the chapters, made of the student notebooks."""
    edition = handout.edition(root / "notebooks")
    names = [path.stem for path in (root / "notebooks").glob("[0-9][0-9]_*.ipynb")]
    return overview.document(overview.outlines(edition, names))


def home() -> Path:
    """The checkout: the working folder if it has solutions/, else the one the package lies in."""
    here = Path.cwd()
    return here if (here / "solutions").is_dir() else Path(__file__).parents[2]


def chosen_chapters(root: Path, wanted: Sequence[str] | None) -> list[Chapter]:
    """The chapters of a checkout (default: all), each read and checked before anything is run. Raises CourseError as `read` does."""
    return [read(path) for path in _sources(root, wanted)]


def _sources(root: Path, wanted: Sequence[str] | None) -> list[Path]:
    folder = root / "solutions"
    if not folder.is_dir():
        raise CourseError(
            f"there is no solutions/ in {root}: run this in a checkout of the course, or give --root"
        )
    paths = {path.stem: path for path in sorted(folder.glob("*.py"))}
    odd = next((name for name in paths if not re.fullmatch(r"\d\d_[a-z0-9_]+", name)), None)
    if odd:
        raise CourseError(f"solutions/{odd}.py: a chapter's file is named NN_name.py, in lower case")
    numbers = [chapter_of(name) for name in paths]
    twice = next((number for number in numbers if numbers.count(number) > 1), None)
    if twice:
        raise CourseError(f"solutions/ holds two chapters {twice}")
    if not paths:
        raise CourseError(f"there is no chapter NN_name.py in {folder}")
    return [paths[name] for name in chosen(wanted, list(paths))]


def _text(notebook: NotebookNode) -> str:
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def _limit(chapter: Chapter, notebook: NotebookNode, text: str) -> None:
    size = len(text.encode())
    if size <= LIMIT:
        return
    outputs = []
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            for kind, content in output.get("data", {"text": output.get("text", "")}).items():
                outputs.append((len(str(content)), f"cell {number} {kind} {len(str(content)) / 1e6:.2f} MB"))
    largest = "; ".join(line for _, line in sorted(outputs, reverse=True)[:3])
    raise CourseError(
        f"{chapter.name}: {size / 1e6:.2f} MB is above the limit of {LIMIT / 1e6} MB; largest: {largest}"
    )


def _summary(chapter: Chapter, run: Run | None, size: int) -> str:
    took = (
        f"{run.seconds:.0f} s, peak memory {run.peak / 2**30:.1f} GiB"
        if run
        else "not run: its code is as it was"
    )
    return (
        f"{chapter.name}: {len(chapter.cells) + 1} cells, {len(chapter.exercises)} exercises, {chapter.points} points, "
        f"{size / 1e6:.2f} MB, {took}"
    )


def _total(chapters: Sequence[Chapter]) -> str:
    points = " + ".join(f"{chapter.points}" for chapter in chapters)
    return f"{len(chapters)} chapters, {points} = {sum(chapter.points for chapter in chapters)} points"


def _strays(root: Path, names: set[str]) -> list[str]:
    found = [
        path for folder in ("notebooks", "solutions") for path in sorted((root / folder).glob("*.ipynb"))
    ]
    return [f"{path.relative_to(root)}: has no source" for path in found if path.stem not in names]


def _compare(root: Path, chapter: Chapter, folder: str) -> list[str]:
    path = root / folder / f"{chapter.name}.ipynb"
    where = f"{folder}/{path.name}"
    wanted = edition(chapter, folder)
    try:
        text = path.read_text(encoding="utf-8")
        found = nbformat.v4.reads(text)
        nbformat.validate(found)
    except FileNotFoundError:
        return [f"{where}: is missing"]
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        return [f"{where}: cannot be read as a notebook: {' '.join(str(error).split())[:100]}"]
    differences = _compare_cells(where, wanted, found)
    if folder == "notebooks" and not differences and text != _text(wanted):
        return [f"{where}: the bytes differ, in outputs or layout"]
    if folder == "solutions" and not differences:
        unrun = [
            c for c in found.cells if c.cell_type == "code" and c.source.strip() and not c.execution_count
        ]
        return [f"{where}: cell {found.cells.index(cell)} was not run" for cell in unrun[:1]]
    return differences


def _compare_cells(where: str, wanted: NotebookNode, found: NotebookNode) -> list[str]:
    """One line for the first cell that differs: after an insertion all later ones would."""
    if found.get("metadata") != wanted.metadata:
        return [f"{where}: the notebook's metadata differ"]
    for number, (want, have) in enumerate(zip(wanted.cells, found.cells, strict=False)):
        for key in ("cell_type", "source", "metadata", "id"):
            if want.get(key) != have.get(key):
                return [f"{place(where, number, want)}: {key} differs"]
    if len(wanted.cells) != len(found.cells):
        return [f"{where}: has {len(found.cells)} cells, the source makes {len(wanted.cells)}"]
    return []
