"""Runs by the fork server of this process (`fork_server`), which starts when a batch first needs it, and not where it cannot be."""

import contextlib
import itertools
import json
import os
import select
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import DEVNULL, PIPE

from . import bubblewrap, folders
from .walk_in import FIRST

TOLD = (
    "fork.txt"  # beside the folder that a run may write to: the number of the process below which the run is
)
START = 120  # seconds to import what all need, on a busy machine
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Request:
    """What is to run, and as what: see sandbox.command. limits: CPU, MEMORY, PROCESSES and DISK of limited.py."""

    arguments: list[str]
    environment: dict[str, str]
    limits: tuple[float, ...]
    writable: Path
    package: Path


@dataclass(frozen=True)
class Server:
    """scratch: the folder of the batch that it serves. process: None where no fork can enter a sandbox."""

    scratch: str
    door: Path
    process: subprocess.Popen | None = None

    def ready(self) -> bool:
        return self.process is None or self.process.poll() is None

    def line(self, request: Request) -> list[str]:
        """The command line that runs a request by a fork."""
        env, writable = request.environment, request.writable
        walls = bubblewrap.line(FIRST, env, writable, request.package, int(request.limits[-1]))
        told = {"arguments": request.arguments, "environment": env, "limits": request.limits, "walls": walls}
        program = [sys.executable, "-I", "-S", str(HERE / "fork_call.py")]
        return [*program, str(self.door), str(writable.with_name(TOLD)), json.dumps(told)]

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


_server: Server | None = None
_starting = threading.Lock()
_numbers = itertools.count()


def line(request: Request, scratch: str) -> list[str] | None:
    """The command line that runs a request by a fork; None where it has to be started. scratch: the folder of a batch."""
    global _server
    with _starting:
        if _server is None or _server.scratch != scratch or not _server.ready():
            stop()
            _server = _started(scratch, request)
        return _server.line(request) if _server.process else None


def stop() -> None:
    """End the server."""
    global _server
    if _server is not None:
        _server.end()
    _server = None


def _started(scratch: str, request: Request) -> Server:
    """A server that has shown, by a run of nothing, that it can do what is asked of it."""
    room = Path(scratch, f"f{os.getpid()}-{next(_numbers)}")
    room.mkdir(0o700)
    server = Server(scratch, room / "k", _launched(scratch, room / "k", request.environment))
    with folders.scratch(str(room)) as place:
        (place / "s").mkdir()
        nothing = replace(request, arguments=["timeit", "-n1", "-r1"], writable=place / "s")
        tried = subprocess.Popen(server.line(nothing), stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            if tried.wait(START) == 0:
                return server
        tried.kill()
        server.end()
    return Server(scratch, room)


def _launched(scratch: str, door: Path, environment: dict[str, str]) -> subprocess.Popen:
    """Start a server, and wait until it listens or has ended."""
    program = [sys.executable, "-s", "-P", str(HERE / "fork_server.py"), str(door)]
    env = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        bubblewrap.frozen(program, env, Path(scratch)),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=DEVNULL,
    )
    assert process.stdout
    with process.stdout as told:
        select.select([told], [], [], START)
    return process
