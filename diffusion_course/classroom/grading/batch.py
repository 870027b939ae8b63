"""All submissions of a folder: graded in parallel, stored one by one, and not run again while nothing has changed."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from ... import __version__
from ...files import write_text
from . import folders, sandbox
from .results import Graded
from .rules import Rules
from .submissions import Submission

FAILED = "could not be graded here"


def run(
    found: list[Submission],
    store: Path,
    pristine: dict[str, NotebookNode],
    rules: Rules,
    finished: Callable[[Graded], None],
    jobs: int = 1,
    backend: str = "loky",
    progress: Callable | None = None,
) -> list[Graded]:
    """Grade what is not graded yet, `jobs` at a time; one result for each submission, in their order.

    store: the folder that keeps results, so an interrupted run goes on from there. finished: called with each new result before it is
    stored. backend: one of joblib's, e.g. "dask" within a client of yours. progress: wraps the results as they come, e.g. tqdm. Raises
    CourseError when `store` cannot be written.
    """
    state = release_state(pristine, rules)
    keys = [key(s, state) for s in found]
    done = {k: stored for k in keys if (stored := _stored(store / f"{k}.json")) is not None}
    todo = {k: s for k, s in zip(keys, found, strict=True) if k not in done}
    if todo:
        results = _graded(todo, pristine, rules, jobs, backend)
        for k, graded in results if progress is None else progress(results, total=len(todo)):
            finished(graded)
            done[k] = graded
            if not graded.failed:  # else to be tried again at the next run
                write_text(store / f"{k}.json", json.dumps(graded.as_json()))
    return [done[k] for k in keys]


def _graded(
    todo: dict[str, Submission], pristine: dict[str, NotebookNode], rules: Rules, jobs: int, backend: str
) -> Iterable[tuple[str, Graded]]:
    """Results as they come, in any order. What runs nothing is done here."""
    run = {k: s for k, s in todo.items() if not s.problem and s.chapter in pristine}
    yield from (one(k, s, pristine.get(s.chapter), rules) for k, s in todo.items() if k not in run)
    if not run:
        return
    from joblib import Parallel, delayed, parallel_config

    # One folder for what runs need meanwhile, so that nothing of it is left after Ctrl-C.
    with folders.scratch() as scratch, parallel_config(backend=backend):
        yield from Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(
            delayed(one)(k, s, pristine[s.chapter], rules, str(scratch)) for k, s in run.items()
        )


def one(
    name: str, submission: Submission, pristine: NotebookNode | None, rules: Rules, scratch: str | None = None
) -> tuple[str, Graded]:
    """Grade one submission. Whatever goes wrong is told in its result: it must not stop the others."""
    started = time.perf_counter()
    found: dict[str, Any] = {"problem": submission.problem}
    if not found["problem"] and pristine is None:
        found["problem"] = f"chapter {submission.chapter} is not part of this edition"
    if not found["problem"] and pristine is not None:
        try:
            from .marks import grade

            found |= vars(grade(submission, pristine, rules, scratch))
        except Exception as error:
            found["failed"] = True
            found["problem"] = f"{FAILED}: {type(error).__name__}: {str(error)[:300]}"
    shared = {k: getattr(submission, k) for k in ("student", "chapter", "path", "page", "lms_id", "notes")}
    cells = tuple(submission.cells)
    seconds = round(time.perf_counter() - started, 2)
    return name, Graded(**shared, cells=cells, seconds=seconds, **found)


def key(submission: Submission, state: str) -> str:
    """A name for a result: it changes with the file, the student, the rules and the release of the course."""
    told = [
        submission.student,
        submission.chapter,
        submission.path,
        submission.page,
        submission.lms_id,
        submission.digest,
    ]
    words = [*told, submission.problem, *submission.notes, state]
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]


def release_state(pristine: dict[str, NotebookNode], rules: Rules) -> str:
    """What a result depends on besides the submission: the course's code, the notebooks handed out, and the rules."""
    digest = hashlib.sha256(f"{__version__}\n{json.dumps(asdict(rules), sort_keys=True)}".encode())
    for path in sorted([*sandbox.PACKAGE.rglob("*.py"), *sandbox.PACKAGE.rglob("*.html")]):
        digest.update(path.read_bytes())
    digest.update(json.dumps(pristine, sort_keys=True).encode())
    return digest.hexdigest()


def _stored(path: Path) -> Graded | None:
    """An earlier result; None if there is none, or what is there is damaged and has to be made again."""
    try:
        return Graded.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
