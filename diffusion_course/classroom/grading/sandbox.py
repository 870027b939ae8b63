"""Where a student's code runs: without network, without sight of anything but Python and the course, within limits.

Three ways, the first that this machine allows: bubblewrap; inside a container (see docs/grading), as a user of its own; and, as the
last resort, resource limits alone. Which one is in force is for the caller to say loudly.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[2]
HOME = "/home/student"
CONTAINER = "DIFFUSION_COURSE_CONTAINER"  # set by the container recipe
# What a Python needs of the system. Links (on many systems /lib is one) are made again inside.
SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"),
    *("/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/etc/localtime"),
)


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
    why = _no_bubblewrap()
    if not why:
        return Isolation("bubblewrap")
    if os.environ.get(CONTAINER) and _root():
        hole = _hole()
        if not hole:
            return Isolation("container", why)
        why = f"the container has {hole}"
    return Isolation("limits", why)


def command(
    arguments: list[str], writable: Path, limits: Limits, isolation: Isolation, package: Path = PACKAGE
) -> list[str]:
    """The command line that runs `python -m ARGUMENTS` inside. writable: the one folder of the host it may write to.

    package: a folder diffusion_course, which is what is imported inside; the package itself is hidden then.
    """
    # A limit on processes counts all of a user's: it is set where the user, or its namespace, is the run's own.
    processes = limits.processes if isolation.safe else 0
    words = (limits.cpu, limits.memory, processes, limits.disk, _user(isolation), writable)
    inner = [
        sys.executable,
        "-s",
        "-P",
        str(Path(__file__).with_name("limited.py")),
        *map(str, words),
        *arguments,
    ]
    if isolation.kind != "bubblewrap":
        variables = environment(str(writable)) | {"PYTHONPATH": str(package.parent)}
        return ["env", "-i", *(f"{k}={v}" for k, v in variables.items()), *inner]
    line = [shutil.which("bwrap") or "bwrap", "--die-with-parent", "--new-session", "--unshare-all"]
    line += ["--clearenv", "--hostname", "grader"]
    for key, value in environment(HOME).items():
        line += ["--setenv", key, value]
    for path in SYSTEM:
        if os.path.islink(path):
            line += ["--symlink", os.readlink(path), path]
        elif os.path.exists(path):
            line += ["--ro-bind", path, path]
    line += ["--proc", "/proc", "--dev", "/dev"]
    for path in ("/tmp", "/dev/shm", HOME):  # in memory, so their size counts
        line += ["--size", str(limits.disk * 1_000_000), "--tmpfs", path]
    for path in _python_folders():
        line += ["--ro-bind", str(package) if path == str(PACKAGE) else path, path]
    line += ["--bind", str(writable), str(writable)]
    return [*line, "--remount-ro", "/", "--chdir", HOME, *inner]


@contextmanager
def workplace(scratch: str | None) -> Iterator[Path]:
    """A folder for one run, with a folder "s" in it that the run may write to; gone at the end.

    scratch: where to make it, if that is a folder of this machine. Its name is short: Unix sockets have at most 107 characters.
    """
    place = scratch if scratch and os.path.isdir(scratch) else None
    with tempfile.TemporaryDirectory(prefix="dc-", dir=place, ignore_cleanup_errors=True) as name:
        os.chmod(name, 0o711)  # to pass through, not to look into: the run may be another user's
        (Path(name) / "s").mkdir()
        yield Path(name)


def environment(home: str) -> dict[str, str]:
    """All that a student's code sees of the environment."""
    return {
        "HOME": home,
        "TMPDIR": home,
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",  # several submissions run at a time; threads of one would only slow the others down
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(PACKAGE.parent),
        "MPLCONFIGDIR": f"{home}/.matplotlib",
        "IPYTHONDIR": f"{home}/.ipython",
    }


def _no_bubblewrap() -> str:
    """Why bubblewrap cannot be used here; "" where it can."""
    program = shutil.which("bwrap")
    if program is None:
        return "bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap)"
    trial = [program, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    try:
        done = subprocess.run(trial, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not run here ({error})"
    said = done.stderr.strip().splitlines() or ["no reason given"]
    return f"bubblewrap may not make namespaces here ({said[-1]})" if done.returncode else ""


def _hole() -> str:
    """What in this container leads from one run to the world or to another run; "" if nothing does."""
    for _, name in socket.if_nameindex():
        if name != "lo":
            return f"a network, {name}: start it with --network none"
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        if os.path.isdir(folder) and os.stat(folder).st_mode & 0o002 and os.access(folder, os.W_OK):
            return f"{folder} for all to write to: start it with --tmpfs {folder}:mode=0711"
    return ""


def _root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _user(isolation: Isolation) -> int:
    """The user that a run in a container becomes: one for each living grader. 0: no change."""
    return 10_000 + os.getpid() % 50_000 if isolation.kind == "container" else 0


def _python_folders() -> list[str]:
    """The folders Python and its packages live in, and the course's package: never a checkout's solutions."""
    packages = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    folders = {sys.prefix, sys.base_prefix, *packages, str(PACKAGE)}
    there = sorted(str(Path(folder)) for folder in folders if os.path.isdir(folder))
    inside = [f for f in there if any(f != other and Path(f).is_relative_to(other) for other in there)]
    return [f for f in there if (f not in inside and not Path(f).is_relative_to("/usr")) or f == str(PACKAGE)]
