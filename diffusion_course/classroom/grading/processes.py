"""Run a command with its whole tree of processes under watch: time, number of processes, memory. Killed as a whole."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from .sandbox import Limits

LOOK = 0.1  # seconds between two looks at the tree
MOST_FILES = 1000
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h

_running: set[int] = set()  # the commands this process has started and not ended


@dataclass(frozen=True)
class Finished:
    """How a command ended. why: "" for by itself, else which limit it broke. peak: bytes, the largest sum over its processes."""

    code: int
    printed: str
    why: str
    peak: int


def run(
    line: list[str],
    wall: float,
    limits: Limits,
    folder: Path,
    env: dict[str, str] | None = None,
    given: bytes = b"",
) -> Finished:
    """Run a command in `folder`, feed it `given`, and wait at most `wall` seconds. Its output is kept up to 100 kB.

    The folder's own folder "s" is what the command may write to.
    """
    log, stdin = folder / "printed.txt", folder / "given.bin"
    stdin.write_bytes(given)
    prctl(PR_SET_CHILD_SUBREAPER, 1)  # what outlives its parent becomes a child of this process, and is found
    with open(log, "wb") as out, open(stdin, "rb") as source:
        process = subprocess.Popen(
            line,
            stdin=source,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=env,
            start_new_session=True,
        )
    _running.add(process.pid)
    why, peak, started = "", 0, time.time()
    try:
        while process.poll() is None and not why:
            time.sleep(LOOK)
            count, memory = _measure(process.pid, limits)
            peak = max(peak, memory)
            if time.time() > started + wall:
                why = f"took longer than {wall:.0f} s"
            elif count > limits.processes:
                why = f"started more than {limits.processes} processes"
            elif memory > limits.memory * 1e9:
                why = f"used more than {limits.memory:g} GB of memory"
            elif log.stat().st_size > 50 * limits.output * 1e6:
                why = f"printed more than {50 * limits.output:g} MB"
            elif _size(folder / "s") > limits.disk * 1e6:
                why = f"wrote more than {limits.disk} MB or {MOST_FILES} files"
    finally:
        _kill(process)
        _running.discard(process.pid)
    with open(log, "rb") as file:
        printed = file.read(100_000).decode("utf-8", "replace")
    return Finished(process.returncode, printed, why, peak)


def prctl(option: int, value: int) -> None:
    """A setting of this process that Python has no function for. Only Linux has it; elsewhere nothing happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _measure(pid: int, limits: Limits) -> tuple[int, int]:
    """How many processes a tree has, and how much memory they hold.

    Memory of its own (rss - shared) is quick to ask for, but counts what a fork has in common with its parent twice. Where that
    comes near the limit, the slow question for the proportional share (pss) decides.
    """
    members = [*_descendants(pid), psutil.Process(pid)] if psutil.pid_exists(pid) else []
    if len(members) > limits.processes:
        return len(members), 0
    quick = sum(_memory(m, lambda m: (i := m.memory_info()).rss - getattr(i, "shared", 0)) for m in members)
    if quick < 0.5 * limits.memory * 1e9 or sys.platform != "linux":
        return len(members), quick
    return len(members), sum(_memory(m, lambda m: m.memory_full_info().pss) for m in members)


def _size(folder: Path) -> float:
    """Bytes below the folder that a run may write to; infinitely many for too many files."""
    total = count = 0
    for here, _, files in os.walk(folder):
        count += 1 + len(files)
        if count > MOST_FILES:
            return float("inf")
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(here, name)).st_blocks * 512
    return total


def _memory(member: psutil.Process, ask: Callable[[psutil.Process], int]) -> int:
    try:
        return ask(member)
    except psutil.Error:
        return 0


def _kill(process: subprocess.Popen) -> None:
    """End the whole tree, and orphans of it that came to this process. Again, until none is left: they may be forking."""
    for _ in range(50):
        members = _descendants(process.pid)
        if process.poll() is not None:
            members = [m for m in _orphans() for m in [*_descendants(m.pid), m]]
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        for member in members:
            with contextlib.suppress(psutil.Error):
                member.kill()
        if process.poll() is None:
            process.wait()
        elif not members:
            return
        psutil.wait_procs(members, timeout=1)


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _orphans() -> list[psutil.Process]:
    """Children of this process in a session of their own that it did not start: they lost the parent that did."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if child.pid not in _running and os.getsid(child.pid) != os.getsid(0):
                found.append(child)
    return found
