"""Run a command with its whole tree of processes under watch: time, number of processes, memory. Killed as a whole."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from . import cgroup, folders, memory
from .forks import TOLD
from .sandbox import Limits

LOOK = 0.1  # seconds between two looks at the tree
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
    with (
        cgroup.group(
            int(limits.memory * 1e9), 4 * limits.processes
        ) as group,  # threads count, and nbval's too
        open(log, "w+b") as out,
        open(stdin, "rb") as source,
    ):
        process = subprocess.Popen(
            group.line(line),
            stdin=source,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=env,
            start_new_session=True,
        )
        _running.add(process.pid)
        fork = _Fork(folder / TOLD)
        why, peak, end = "", 0, time.monotonic() + wall
        meter = memory.Meter(folder.stat().st_dev)
        try:
            while process.poll() is None and not why:
                time.sleep(LOOK)
                pids = group.members() or [
                    m.pid for m in (process, *_descendants(process.pid), *fork.members())
                ]
                pids = [pid for pid in pids if pid != fork.pid()]
                held, nameless = meter.look(pids[: limits.processes], limits.memory * 1e9)
                peak = max(peak, held)
                if time.monotonic() > end:
                    why = f"took longer than {wall:.0f} s"
                elif len(pids) > limits.processes:
                    why = f"started more than {limits.processes} processes"
                elif group.full() or held > limits.memory * 1e9:
                    why = _full(limits)
                elif os.fstat(out.fileno()).st_size > 50 * limits.output * 1e6:
                    why = f"printed more than {50 * limits.output:g} MB"
                elif folders.size(folder / "s") + nameless > limits.disk * 1e6:
                    why = f"wrote more than {limits.disk} MB or {folders.MOST_FILES} files"
        finally:
            _kill(process, group, fork)
            _running.discard(process.pid)
        why = why or (_full(limits) if group.full() else "")
        # By its descriptor: what its name leads to by now is for the command to say.
        printed = os.pread(out.fileno(), 100_000, 0).decode("utf-8", "replace")
    code = process.returncode if process.returncode is not None else -signal.SIGKILL
    return Finished(code, printed, why, peak)


def _full(limits: Limits) -> str:
    return f"used more than {limits.memory:g} GB of memory"


def prctl(option: int, value: int) -> None:
    """A setting of this process that Python has no function for. Only Linux has it; elsewhere nothing happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


class _Fork:
    """What of a run is not below its command, but below a process that a fork server forked for it; nothing if there is none.

    That process waits and runs nothing. Its memory is the server's.
    """

    def __init__(self, told: Path):
        self.told = told
        self.process: psutil.Process | None = None

    def pid(self) -> int:
        """Its number; 0 as long as there is none."""
        if self.process is None:
            with contextlib.suppress(OSError, ValueError, psutil.Error):
                found = psutil.Process(int(self.told.read_text()))
                # Without a sandbox, a run could name any process here.
                if os.getpid() in (above.pid for above in found.parents()):
                    self.process = found
        return self.process.pid if self.process else 0

    def members(self) -> list[psutil.Process]:
        if self.pid() and self.process and self.process.is_running():
            return [*_descendants(self.process.pid), self.process]
        return []


def _kill(process: subprocess.Popen, group: cgroup.Group, fork: _Fork) -> None:
    """End the whole tree, and orphans of it that came to this process. Again, until none is left: they may be forking.

    After a minute it is given up: a process that waits for a broken disk cannot be ended.
    """
    end = time.monotonic() + 60
    while time.monotonic() < end:
        members = [*_descendants(process.pid), *fork.members(), *_processes(group.members())]
        if process.poll() is not None:
            members += [m for m in _orphans() for m in [*_descendants(m.pid), m]]
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        for member in members:
            with contextlib.suppress(psutil.Error):
                member.kill()
        if process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=1)
        elif not members:
            return
        psutil.wait_procs(members, timeout=1)


def _processes(pids: list[int]) -> list[psutil.Process]:
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            found.append(psutil.Process(pid))
    return found


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
