"""`diffusion-course release`: an instructor's edition of the student notebooks, for handing out and for `grade --release`.

Everything is made and checked before anything is written. release.json lists what was written, with its digests: a folder that holds
just that is replaced by the next release, and any other file, a student's answers for instance, is left alone.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from ..errors import CourseError, unknown
from ..files import write_text
from . import handout, points_file, variants
from .adapt import adapt, worth
from .desk import merging, shares
from .ids import chapter_of, chosen
from .wording import counted, in_points

LIST = "release.json"


def release(
    words: Sequence[str] | None,
    points: Path | None,
    hide: Sequence[str],
    out: Path,
    nbgrader: bool = False,
    say: Callable[[str], None] = print,
    variant: str = "",
) -> None:
    """Write the chapters (numbers or names, default: all that are installed) to `out`, and say each one's exercises and points.

    points: a YAML file, exercise id -> points, or the marks of a design; what it does not name keeps its own. hide: exercises that are
    given to the students. nbgrader: write nbgrader's source assignments instead, with the solutions, to out/source/; needs a checkout.
    variant: a seed that draws the slips of repairs and other numbers; "" takes the course's own, to which the solution is public.
    Raises CourseError for what is unknown or contradictory, and when `out` holds anything but an earlier release.
    """
    names = chosen(words, handout.names())
    told = points_file.read(points)
    changed, marks = told.points, told.marks
    for option, named in (("--points", [*changed, *told.shares, *told.rubrics]), ("--hide", hide)):
        for exercise in named:
            _known(option, exercise, names)
    both = next((exercise for exercise in hide if exercise in changed), None)
    if both:
        raise CourseError(
            f"--hide: {both} is also in --points; what is hidden has no points, so drop one of the two"
        )

    new = {name: worth(handout.read(chapter_of(name)), changed, hide) for name in names}
    every = {e: number for exercises in new.values() for e, number in exercises.items()}
    drawn = variants.draw(variant, every)
    said = variants.terms(drawn, marks, every)
    files = {}
    made: dict[str, handout.Exercise] = {}
    for name, exercises in new.items():
        base = variants.vary(_solved(name) if nbgrader else handout.read(chapter_of(name)), drawn)
        terms = {e: said[e] for e in exercises if e in said}
        notebook = adapt(base, exercises, terms)
        made |= handout.exercises(notebook)
        files[f"source/{name}/{name}.ipynb" if nbgrader else f"{name}.ipynb"] = _file(notebook)
    # What `grade` would refuse is refused before students have the notebooks.
    merging.check_points(told, {exercise: its.points for exercise, its in made.items()})
    shares.resolved(told.shares, made)
    _write(out, {LIST: _listing(new, sorted(set(hide)), drawn, files), **files})
    for name, exercises in new.items():
        say(f"{name}: {len(exercises)} exercises, {in_points(sum(exercises.values()))}")
    for task, lines in told.tasks.items():
        if lines and chapter_of(task) in map(chapter_of, names):
            say(f"{task}: {in_points(sum(lines.values()))} by a person, besides those")
    if variant:
        say(
            f"variant {variant}: {', '.join(drawn) or 'no exercise'} with another slip or other numbers; the others have one version"
        )
    say(f"{counted(len(new), 'chapter')}, {in_points(sum(every.values()))}: {out}")


def _known(option: str, exercise: str, names: Sequence[str]) -> None:
    if exercise not in handout.known():
        raise unknown(f"exercise in {option}", exercise, handout.known())
    if chapter_of(exercise) not in map(chapter_of, names):
        raise CourseError(
            f"{option}: {exercise} is in chapter {chapter_of(exercise)}, which is not among the chapters chosen"
        )


def _solved(name: str) -> NotebookNode:
    """The student notebook with the solutions in it, between nbgrader's own markers."""
    source = handout.PACKAGE.parent / "solutions" / f"{name}.py"
    if not source.is_file():
        raise CourseError(
            f"--nbgrader: there is no {source}: it needs the solutions, so run it from a checkout"
        )
    from . import chapters, editions  # they load torch

    chapter = chapters.read(source)
    notebook = editions.edition(chapter, "notebooks")
    repairs = {exercise.id for exercise in chapter.exercises if exercise.repair}
    solved = {
        cell.id: cell.source for cell in chapter.cells if handout.exercise_of(cell) not in {"", *repairs}
    }
    for cell in notebook.cells:
        cell.source = solved.get(cell.id, cell.source)
    return notebook


def _file(notebook: NotebookNode) -> str:
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def _listing(
    new: Mapping[str, dict[str, int]], hidden: list[str], drawn: Mapping[str, int], files: Mapping[str, str]
) -> str:
    digests = {name: _digest(text.encode()) for name, text in files.items()}
    listing = {"chapters": new, "hidden": hidden, "variants": drawn, "files": digests}
    return json.dumps(listing, indent=1) + "\n"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _may_replace(out: Path) -> list[Path]:
    """The files of the earlier release in `out`. Raises CourseError when anything else is there, or one was changed since."""
    if not out.exists() and not out.is_symlink():
        return []
    if not out.is_dir():
        raise CourseError(f"--out: {out} is not a folder; name a new one")
    try:
        found = [path for path in sorted(out.rglob("*")) if path.is_symlink() or not path.is_dir()]
        written = _written(out / LIST)
        for path in found:
            name = path.relative_to(out).as_posix()
            listed = name == LIST and written is not None
            if path.is_symlink() or not (listed or (written or {}).get(name) == _digest(path.read_bytes())):
                raise CourseError(
                    f"--out: {out} holds {name}, which is not of an earlier release, or was changed since; "
                    "name another folder, or empty this one"
                )
    except OSError as error:
        raise CourseError(f"--out: cannot read {out}: {error.strerror}") from None
    return found


def _written(path: Path) -> dict[str, Any] | None:
    """File -> digest by a release.json; None where there is none."""
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return files if isinstance(files, dict) else None


def _write(out: Path, files: Mapping[str, str]) -> None:
    """Put the files into `out` in place of an earlier release. All are written before one is moved: a full disk costs nothing."""
    old, made = _may_replace(out), not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".release-", dir=out) as stage:
            for name, text in files.items():
                write_text(Path(stage, name), text)
            # The list stays to the end: with it, an interrupted run can be run again.
            for path in old:
                if path.name != LIST:
                    path.unlink()
            for folder in sorted(
                {out / f for path in old for f in path.relative_to(out).parents}, reverse=True
            ):
                with contextlib.suppress(OSError):  # not empty
                    folder.rmdir()
            for name in files:  # the new list comes first
                (out / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(Path(stage, name), out / name)
    except OSError as error:
        raise CourseError(f"--out: cannot write to {out}: {error.strerror}") from None
    finally:
        if made:
            with contextlib.suppress(OSError):  # it holds the release, or was never made
                out.rmdir()
