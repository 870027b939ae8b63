"""A pytest plugin for grading: nbval's kernel runs in the sandbox, and results are written down cell by cell.

nbval and its comparison stay outside the sandbox, where a student's code cannot reach them: the two speak through Unix sockets in one
shared folder, since the sandbox has no network. Results are written at once, for a run that is killed would leave no junit file.
"""

import json
import os
import signal
import stat
import time
from collections import deque
from collections.abc import Generator
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty
from typing import Any

import nbval.kernel
import pytest
from jupyter_client.connect import port_names
from jupyter_client.manager import KernelManager
from nbval.plugin import IPyNbCell

from .processes import PR_SET_PDEATHSIG, prctl
from .verdict import MIME

# Environment: a file; a number of bytes.
RESULTS, OUTPUT = "DIFFUSION_COURSE_RESULTS", "DIFFUSION_COURSE_OUTPUT"
# How a run ended within a cell: the kernel did not start, or was found dead, or died, or took too long, or printed too much.
NO_KERNEL, DEAD_BEFORE, DIED, TOO_LONG, TOO_MUCH = "no kernel", "dead before", "died", "too long", "too much"
START = 60  # seconds for a kernel to come up
LONGEST = 8000  # characters of a text that is written down

_ended = ""


class Ended(RuntimeError):
    """The kernel can do nothing more."""

    def __init__(self, how: str):
        global _ended
        super().__init__(how)
        _ended = how


def pytest_configure(config: pytest.Config) -> None:
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # no run outlives its grader
    # nbval has no option for the transport, nor for where the sockets lie.
    shared = Path(os.environ["JUPYTER_RUNTIME_DIR"])
    private = shared.with_name("p")
    private.mkdir(mode=0o700)
    nbval.kernel.KernelManager = partial(
        Manager, shared=shared, transport="ipc", ip=f"{private}/k", connection_file=f"{private}/k.json"
    )
    nbval.kernel.RunningKernel.get_message = _watched(nbval.kernel.RunningKernel.get_message)
    IPyNbCell.compare_outputs = _only_the_verdict(IPyNbCell.compare_outputs)


class Manager(KernelManager):
    """Starts a kernel that makes its sockets in a folder that it may write to, and connects to them by names that it may not.

    A socket that a run puts there later in the place of one of them, or a link to one of the grader's machine, is never connected to.
    """

    def __init__(self, shared: Path, **options: Any):
        super().__init__(**options)
        self.shared = shared

    def write_connection_file(self, **options: Any) -> None:
        super().write_connection_file(**options)
        told = json.loads(Path(self.connection_file).read_text()) | {"ip": f"{self.shared}/k"}
        (self.shared / "k.json").write_text(json.dumps(told))

    def client(self, **options: Any) -> Any:
        """Waits for the sockets first: that the kernel made them all is before the first line of any cell runs."""
        names = [f"k-{getattr(self, port)}" for port in port_names]
        end = time.monotonic() + START
        while not all((self.shared / name).exists() for name in names):
            if not self.is_alive() or time.monotonic() > end:
                return super().client(**options)  # nothing to connect to: nbval tells
            time.sleep(0.02)
        for name in names:
            keep_socket(self.shared / name, Path(self.ip).parent / name)
        return super().client(**options)


def keep_socket(made: Path, kept: Path) -> None:
    """A second name for a socket, which stays where it leads to whatever becomes of the first. Raises OSError for all but a socket."""
    os.link(made, kept, follow_symlinks=False)
    if not stat.S_ISSOCK(kept.lstat().st_mode):
        kept.unlink()
        raise OSError(f"{made.name} is not a socket")


def _watched(get_message: Any) -> Any:
    """Messages from the kernel, until it is dead, which nbval would notice at the end of a timeout, or has printed too much.

    nbval reads what a cell prints only when the cell is done. Here it is read meanwhile, so that it does not pile up in the kernel.
    """
    waiting: deque = deque()
    cell, left = "", 0

    def printed(self: Any, timeout: float) -> Any:
        nonlocal cell, left
        message = get_message(self, "iopub", timeout)
        if message["parent_header"].get("msg_id") != cell:
            cell, left = message["parent_header"].get("msg_id"), int(os.environ[OUTPUT])
        left -= len(json.dumps(message["content"], default=str))
        if left < 0:
            self.km.shutdown_kernel(now=True)
            raise Ended(TOO_MUCH)
        return message

    def get(self: Any, stream: str, timeout: float | None = None) -> Any:
        if stream == "iopub" and waiting:
            return waiting.popleft()
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        while True:
            step = min(0.5, max(0.0, end - time.monotonic()))
            try:
                return printed(self, step) if stream == "iopub" else get_message(self, stream, step)
            except Empty:
                if not self.is_alive():
                    raise Ended(DIED) from None
                if time.monotonic() >= end:
                    raise
            with suppress(Empty):
                while stream != "iopub":
                    waiting.append(printed(self, 0))

    return get


def _only_the_verdict(compare: Any) -> Any:
    """nbval's comparison, of verdicts alone: an answer may print, plot and show progress as it likes."""

    def compared(self: Any, test: Any, ref: Any, skip: Any = None) -> Any:
        return compare(self, [output for output in test if MIME in output.get("data", {})], ref, skip)

    return compared


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Generator[None, Any, Any]:
    report = yield
    if report.when == "call" or report.failed:
        row = _row(item, report)
        with open(os.environ[RESULTS], "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        if row["ended"]:
            item.session.shouldstop = "what follows would not be judged"
    return report


def _row(item: Any, report: Any) -> dict[str, Any]:
    """What a cell did. passed: it ran, and gave the verdict that was expected, if one was. error: name and message."""
    outputs = item.test_outputs or []
    errors = [
        [str(o["ename"]), str(o["evalue"])[:LONGEST]] for o in outputs if o.get("output_type") == "error"
    ]
    verdicts = [o["data"][MIME] for o in outputs if MIME in o.get("data", {})]
    return {
        "cell": item.cell_num,
        # xfail marks what follows a timeout, and "xfailed" counts as skipped: only a plain pass is a pass.
        "passed": report.passed and not hasattr(report, "wasxfail"),
        "verdict": verdicts[-1] if verdicts and isinstance(verdicts[-1], str) else "",
        "error": errors[-1] if errors else None,
        "ended": _end(item, report),
        "text": "" if report.passed else report.longreprtext[-LONGEST:],
    }


def _end(item: Any, report: Any) -> str:
    if report.when == "setup":
        return NO_KERNEL
    if _ended:
        return _ended
    if item.parent.timed_out:
        return TOO_LONG
    return DEAD_BEFORE if item.test_outputs is None else ""
