"""Where a student's code runs: without network, without sight of anything but Python and the course, within limits.

Three ways, the first that this machine allows: bubblewrap; inside a container (see docs/grading), as a user of its own; and, as the
last resort, resource limits alone. Which one is in force is for the caller to say loudly.
"""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from . import bubblewrap, folders, forks
from .bubblewrap import PACKAGE

CONTAINER = "DIFFUSION_COURSE_CONTAINER"  # set by the container recipe


@dataclass(frozen=True)
class Limits:
    """cpu: seconds of one process. cell: seconds of one cell. memory: GB of all processes. output: MB of text. disk: MB of files."""

    cpu: int = 300
    cell: int = 60
    memory: float = 1.2
    processes: int = 32
    output: float = 2.0
    disk: int = 100


@dataclass(frozen=True)
class Isolation:
    """kind: "bubblewrap", "container" or "limits". why: what keeps this machine from a better one, "" for bubblewrap."""

    kind: str
    why: str = ""

    @property
    def safe(self) -> bool:
        return self.kind != "limits"

    def __str__(self) -> str:
        return {
            "bubblewrap": "bubblewrap",
            "container": "a container, and a user of its own for each run",
        }.get(self.kind, f"NONE, only limits on time and memory ({self.why})")


@cache
def available() -> Isolation:
    """The best isolation this machine allows."""
    _, why = bubblewrap.walls()
    if not why:
        return Isolation("bubblewrap")
    if os.environ.get(CONTAINER) and _root():
        hole = _hole()
        if not hole:
            return Isolation("container", why)
        why = f"the container has {hole}"
    return Isolation("limits", why)


def command(
    arguments: list[str],
    writable: Path,
    limits: Limits,
    isolation: Isolation,
    package: Path = PACKAGE,
    scratch: str | None = None,
) -> list[str]:
    """The command line that runs `python -m ARGUMENTS` inside.

    writable: the one folder of the host it may write to. package: what `import diffusion_course` finds inside, a folder of that name
    which all may read: the course, or a copy of it, beside which the course itself cannot be seen. A copy's folder "weights" may be a
    link to the course's. scratch: the folder of a batch, in which `writable` lies: where that can be, its runs are forks of one process
    (`forks`), which see and may do the same.
    """
    # A limit on processes counts all of a user's: it is set where the user, or its namespace, is the run's own.
    processes = limits.processes if isolation.safe else 0
    user, group = _user(isolation), _group(isolation, package)
    most = (limits.cpu, limits.memory, processes, limits.disk)
    inside = isolation.kind == "bubblewrap"
    env = environment(bubblewrap.HOME if inside else str(writable), package)
    if inside and scratch and os.path.isdir(scratch):
        forked = forks.line(forks.Request(arguments, env, most, writable, package), scratch)
        if forked:
            return forked
    program = f"{bubblewrap.INSIDE}/limited.py" if inside else str(Path(__file__).with_name("limited.py"))
    words = map(str, (*most, user, group, writable))
    inner = [sys.executable, "-s", "-P", program, *words, *arguments]
    if inside:
        return bubblewrap.line(inner, env, writable, package, limits.disk)
    return ["env", "-i", *(f"{k}={v}" for k, v in env.items()), *inner]


@contextmanager
def workplace(scratch: str | None) -> Iterator[Path]:
    """A folder for one run, with a folder "s" in it that the run may write to; gone at the end.

    scratch: where to make it, if that is a folder of this machine. Its name is short: Unix sockets have at most 107 characters.
    """
    place = scratch if scratch and os.path.isdir(scratch) else None
    with folders.scratch(place) as folder:
        (folder / "s").mkdir()
        yield folder


def environment(home: str, package: Path = PACKAGE) -> dict[str, str]:
    """All that a student's code sees of the environment."""
    return {
        "HOME": home,
        "TMPDIR": home,
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",  # several submissions run at a time; threads of one would only slow the others down
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(package.parent),
        "MPLCONFIGDIR": f"{home}/.matplotlib",
        "IPYTHONDIR": f"{home}/.ipython",
    }


def _hole() -> str:
    """What in this container leads from one run to the world or to another run; "" if nothing does."""
    for _, name in socket.if_nameindex():
        if name != "lo":
            return f"a network, {name}: start it with --network none"
    if any(path.stat().st_mode & 0o005 for path in PACKAGE.iterdir() if path.name != "weights"):
        return "a course for all to read, with its checks: build it with docs/grading/Dockerfile"
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        if os.path.isdir(folder) and os.stat(folder).st_mode & 0o002 and os.access(folder, os.W_OK):
            return f"{folder} for all to write to: start it with --tmpfs {folder}:mode=0711"
    return ""


def _root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _user(isolation: Isolation) -> int:
    """The user that a run in a container becomes: one for each living grader. 0: no change."""
    return 10_000 + os.getpid() % 50_000 if isolation.kind == "container" else 0


def _group(isolation: Isolation, package: Path) -> int:
    """The group that may read the course in a container, for a run that may see it. 0: none."""
    return PACKAGE.stat().st_gid if isolation.kind == "container" and package == PACKAGE else 0
