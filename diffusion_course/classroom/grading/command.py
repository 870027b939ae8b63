"""`diffusion-course grade`, from its options to the files it leaves."""

import os
import secrets
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from tqdm import tqdm

from ...errors import CourseError, printable, unknown
from ...files import write_text
from .. import handout, points_file
from ..desk import defence, merging, similar
from ..ids import chapter_of
from ..wording import counted
from . import batch, gradebook, lock, pages, returning, roster, sandbox, submissions
from .results import Graded
from .rules import Rules
from .trouble import Line, Trouble, Why

LOUD = """\
WARNING: the submissions run WITHOUT a sandbox: {why}.
They can read your files and use the network; only time and memory are limited. Use the container recipe in the README,
or pass --require-sandbox to refuse."""
LIBRARY = ("flag", "zero", "allow")
PATIENCE = 10  # seconds that a scheduler has to answer


@dataclass(frozen=True)
class Options:
    """The options of the command."""

    release: Path | None = None
    points: Path | None = None
    roster: Path | None = None
    jobs: int = 1
    form: str = "plain"
    secret: str = ""
    library: str = "flag"
    cell_seconds: int = 60
    require_sandbox: bool = False
    dry_run: bool = False
    similar: bool = False
    defence: bool = False
    backend: str = "loky"
    scheduler: str = ""


def run(where: Path, out: Path, options: Options, say: Callable[[str], Any]) -> None:
    """Grade a folder or a zip into `out`. Raises CourseError for a bad option, nothing to grade, or a missing
    sandbox."""
    _check(options)
    pristine = handout.edition(options.release or handout.folder())
    register = roster.read(options.roster) if options.roster else None
    found = submissions.find(where, register, (out, *([options.roster] if options.roster else [])), pristine)
    desk = _desk(out, pristine, points_file.read(options.points), found, register)
    isolation = sandbox.available()
    if options.dry_run:
        _tell(found, register, say)
        say(f"isolation: {isolation}. Nothing was run.")
        return
    if not isolation.safe and options.require_sandbox:
        raise CourseError(f"--require-sandbox: {isolation.why}")
    if not isolation.safe:
        say(LOUD.format(why=isolation.why))
    with lock.held(out):
        rules = Rules(options.secret or _secret(out), options.library, isolation, shares=desk.shares)
        rules = replace(rules, limits=replace(rules.limits, cell=options.cell_seconds))
        worth = _worth(desk, found.submissions)

        def page(one: Graded) -> None:
            pages.write_feedback(out, desk.settled(one), worth)

        with _cluster(options):
            graded = batch.run(
                found.submissions,
                out / "graded",
                pristine,
                rules,
                page,
                options.jobs,
                options.backend,
                partial(tqdm, unit="file"),
            )
        if options.similar:
            _compare(out, graded, pristine, say)  # of what the machine found, whatever a person gave for it
        graded = [desk.settled(one) for one in [*graded, *desk.without_file(graded)]]
        lines = [*found.lines, *_missing_pages(out, graded, worth)]
        returning.write(out, graded)
        write_text(out / merging.TO_MARK, merging.to_mark(graded))
        if options.defence:
            asked, none = defence.write(out, graded, rules.secret)
            told = f"{counted(asked, 'question')} about students' own code, none for {counted(none, 'file')}"
            say(f"{told}: {out / defence.FOLDER}")
        rows = gradebook.write(
            out, graded, worth, options.form, lines, register.students if register else None
        )
        _summarise(out, graded, rows, worth, isolation, lines, found.count(), say)
    flagged = sum(bool(one.flags) for one in graded)
    say(found.count())
    files = f"{out / 'gradebook.csv'}, {out / 'summary.html'}"
    if waiting := sum(len(one.pending) for one in graded):
        say(f"waiting for a person's marks: {counted(waiting, 'answer')}, {out / merging.TO_MARK}")
    say(f"{len(graded)} files of {len(rows)} students, {flagged} to look at: {files}")


def _check(options: Options) -> None:
    """Raises CourseError."""
    if options.form not in gradebook.FORMS:
        raise unknown("format", options.form, gradebook.FORMS)
    if options.library not in LIBRARY:
        raise unknown("library policy", options.library, LIBRARY)
    if options.backend not in ("loky", "dask"):
        raise unknown("backend", options.backend, ("loky", "dask"))
    if os.name == "nt" and not options.dry_run:
        raise CourseError(
            "grade: runs on Linux and macOS; on Windows use WSL or the container of docs/grading/Dockerfile"
        )


def _tell(found: submissions.Found, register: roster.Roster | None, say: Callable[[str], Any]) -> None:
    """One line for each row and for each line, and the count."""
    for s in found.submissions:
        told = [*([s.problem] if s.problem else []), *s.notes]
        remarks = f" ({'; '.join(told)})" if told else ""
        say(
            printable(
                f"{_named(s.student, register)}: chapter {s.chapter or '?'}, {len(s.answers)} answers, {s.path}{remarks}"
            )
        )
    for line in found.lines:
        say(printable(f"{'not graded: ' if line.entry else 'note: '}{line}"))
    say(found.count())


def _named(student: str, register: roster.Roster | None) -> str:
    """A student with the name that a roster gives."""
    name = register.students.get(student, ("", ""))[0] if register else ""
    return f"{student} ({name})" if name else student


def _desk(
    out: Path,
    pristine: dict[str, NotebookNode],
    said: points_file.Points,
    found: submissions.Found,
    register: roster.Roster | None,
) -> merging.Desk:
    """What people add. Raises CourseError, before anything is run."""
    known = {s.student for s in found.submissions} | {line.student for line in found.lines if line.student}
    known |= set(register.students) if register else set()
    times = {s.path: s.handed_in for s in found.submissions}
    return merging.read(out, pristine, said, known, times)


def _missing_pages(out: Path, graded: list[Graded], worth: dict[str, int]) -> list[Line]:
    """Write the feedback pages that are not there, or show what was known earlier; a line for each that
    cannot be written."""
    failed = []
    for one in graded:
        if not pages.shows(out, one):
            try:
                pages.write_feedback(out, one, worth)
            except Exception as error:  # a page is worth less than the gradebook
                reason = printable(f"{type(error).__name__}: {error}", " ")[:200]
                failed.append(Line(Trouble(Why.NO_PAGE, reason), student=one.student))
    return failed


def _compare(
    out: Path, graded: list[Graded], pristine: dict[str, NotebookNode], say: Callable[[str], Any]
) -> None:
    """The page of wrong answers that are alike."""
    found = similar.pairs(graded, {e: x for n in pristine.values() for e, x in handout.exercises(n).items()})
    write_text(out / similar.NAME, similar.page(found))
    say(f"{counted(len(found), 'pair')} of wrong answers that are alike: {out / similar.NAME}")


def _summarise(
    out: Path,
    graded: list[Graded],
    rows: list[gradebook.Student],
    worth: dict[str, int],
    isolation: sandbox.Isolation,
    lines: list[Line],
    count: str,
    say: Callable[[str], Any],
) -> None:
    try:
        pages.write_summary(out, graded, rows, worth, str(isolation), lines, count)
    except Exception as error:  # the gradebook is there already
        say(
            printable(
                f"WARNING: {out / 'summary.html'} could not be written ({type(error).__name__}: {error})"
            )
        )


def _worth(desk: merging.Desk, found: list[submissions.Submission]) -> dict[str, int]:
    """The columns of the gradebook: all exercises of the chapters that anybody handed in, or that a person
    marked, with their points."""
    chapters = {s.chapter for s in found if not s.trouble} | {chapter_of(e) for _, e in desk.hand}
    return {e: points for e, points in desk.worth.items() if chapter_of(e) in chapters}


def _secret(out: Path) -> str:
    """The secret of a folder of grades, made at the first run: the same folder always gives the same
    marks."""
    path = out / "secret.txt"
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        write_text(path, secrets.token_hex(16) + "\n")
        path.chmod(0o600)
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise CourseError(f"--out: {path} cannot be read ({error.strerror})") from None


def _cluster(options: Options) -> Any:
    """A client of the dask scheduler, which joblib's backend of that name uses while it is open."""
    if options.backend != "dask":
        return nullcontext()
    if not options.scheduler:
        raise CourseError("--scheduler: the dask backend needs one, e.g. tcp://host:8786")
    try:
        from distributed import Client
    except ImportError:
        raise CourseError("dask is not installed: pip install 'diffusion-course[dask]'") from None
    try:
        return Client(options.scheduler, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise CourseError(f"--scheduler: {options.scheduler} does not answer ({error})") from None
