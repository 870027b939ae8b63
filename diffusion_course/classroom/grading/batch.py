"""All submissions of a folder: graded in parallel, stored one by one, and not run again while nothing has
changed."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from ... import __version__
from ...errors import printable
from ...files import write_text
from . import folders, sandbox
from .results import Graded
from .rules import Rules
from .submissions import Submission

FAILED = "could not be graded here"
TWICE = f"{FAILED}: the process that graded it was ended twice; is there enough memory?"


@dataclass(frozen=True)
class Done:
    """A result by its key."""

    key: str
    graded: Graded


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

    store: the folder that keeps results, so an interrupted run goes on from there. finished: called with each
    new result before it is stored; where it fails, the batch goes on. backend: one of joblib's, e.g. "dask"
    within a client of yours. progress: wraps the results as they come, e.g. tqdm. Raises CourseError when
    `store` cannot be written.
    """
    state = release_state(pristine, rules)
    keys = [key(s, state) for s in found]
    known = {k: stored for k in keys if (stored := _stored(store / f"{k}.json")) is not None}
    todo = {k: s for k, s in zip(keys, found, strict=True) if k not in known}
    if todo:
        results = _graded(todo, pristine, rules, jobs, backend)
        for done in results if progress is None else progress(results, total=len(todo)):
            with suppress(Exception):  # the page of one file; who called looks for it in the end
                finished(done.graded)
            known[done.key] = done.graded
            if not done.graded.failed:  # else to be tried again at the next run
                write_text(store / f"{done.key}.json", json.dumps(done.graded.as_json()))
    return [known[k] for k in keys]


def _graded(
    todo: dict[str, Submission], pristine: dict[str, NotebookNode], rules: Rules, jobs: int, backend: str
) -> Iterator[Done]:
    """Results as they come, in any order. What runs nothing is done here.

    A process that is killed takes those beside it along. Each of them is then tried by itself, twice if need
    be; the others go on.
    """
    left = {k: s for k, s in todo.items() if not s.trouble and s.chapter in pristine}
    yield from (one(k, s, pristine.get(s.chapter), rules) for k, s in todo.items() if k not in left)
    with folders.scratch() as scratch:
        pool = _Pool(pristine, rules, str(scratch), jobs, backend)
        while left:
            for done in pool.results(left):
                left.pop(done.key)
                yield done
            for k in [k for k in left if k in pool.begun] or list(left):
                s = left.pop(k)
                # Two jobs with one task: with one job it would run in this process, and take it along.
                pool.jobs = max(jobs, 2)
                again = list(pool.results({k: s})) or list(pool.results({k: s}))
                yield from again or [Done(k, _result(s, problem=f"{TWICE} ({pool.error})", failed=True))]
            pool.jobs = jobs


@dataclass
class _Pool:
    """Processes that grade. begun: the keys of what was handed to them. error: what ended them, "" if nothing
    did."""

    pristine: dict[str, NotebookNode]
    rules: Rules
    scratch: str
    jobs: int
    backend: str
    begun: frozenset[str] = frozenset()
    error: str = ""

    def results(self, todo: dict[str, Submission]) -> Iterator[Done]:
        """Results as they come, until all are there or a process was killed."""
        from joblib import Parallel, parallel_config

        with parallel_config(backend=self.backend):
            pool = Parallel(n_jobs=self.jobs, return_as="generator_unordered", batch_size=1)
            try:
                yield from pool(self._tasks(list(todo.items())))
            except (
                Exception
            ) as error:  # `one` raises none; what a lost process is called differs from backend to backend
                self.error = f"{type(error).__name__}: {printable(str(error), ' ').split('.')[0][:200]}"

    def _tasks(self, todo: list[tuple[str, Submission]]) -> Iterator:
        from joblib import delayed

        self.begun, self.error = frozenset(), ""
        for k, s in todo:
            self.begun |= {k}
            yield delayed(one)(k, s, self.pristine[s.chapter], self.rules, self.scratch)


def one(
    name: str, submission: Submission, pristine: NotebookNode | None, rules: Rules, scratch: str | None = None
) -> Done:
    """Grade one submission. Whatever goes wrong is told in its result: it must not stop the others."""
    started = time.perf_counter()
    if submission.trouble:
        return Done(name, _result(submission, problem=submission.problem))
    if pristine is None:
        problem = f"chapter {submission.chapter} is not part of this edition"
        return Done(name, _result(submission, problem=problem))
    try:
        from .marks import grade

        found = vars(grade(submission, pristine, rules, scratch))
    except (Exception, SystemExit) as error:
        problem = f"{FAILED}: {type(error).__name__}: {printable(str(error), ' ')[:300]}"
        return Done(name, _result(submission, problem=problem, failed=True))
    seconds = round(time.perf_counter() - started, 2)
    return Done(name, _result(submission, **found, seconds=seconds))


def _result(submission: Submission, **more: Any) -> Graded:
    shared = {k: getattr(submission, k) for k in ("student", "chapter", "path", "page", "lms_id", "notes")}
    return Graded(**shared, cells=tuple(submission.cells), **more)


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
    """What a result depends on besides the submission: the course's code, the notebooks handed out, and the
    rules."""
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
