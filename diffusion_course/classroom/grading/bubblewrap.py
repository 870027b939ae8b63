"""A command line of bubblewrap: namespaces of its own, no network, nobody without any capability, and only Python and the course to see.

Where the grader is root, what is bound here belongs to the user inside, whatever it is called there; so all that is bound may only be
read, and nothing inside may mount. Nor does a process of bubblewrap's own stay inside: /proc/1/exe would be its program on the host.
"""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from ...errors import CourseError

PACKAGE = Path(__file__).parents[2]
HOME = "/home/student"
INSIDE = "/grader"  # where LIMITED lies inside
LIMITED = [Path(__file__).with_name(name) for name in ("limited.py", "seccomp.py")]
# What a Python needs of the system. Links (on many systems /lib is one) are made again inside.
SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"),
    *("/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/etc/localtime"),
)
# Files in memory, and their shares of what may be written.
MEMORY = {HOME: 0.5, "/tmp": 0.25, "/dev/shm": 0.25}
NOBODY = ["--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"]
WALLS = [
    *("--die-with-parent", "--new-session", "--unshare-all", "--unshare-user"),
    *(*NOBODY, "--as-pid-1"),
]


@cache
def walls() -> tuple[list[str], str]:
    """The options that this machine's bubblewrap takes, and why it cannot be used, "" where it can."""
    program = shutil.which("bwrap")
    if program is None:
        return [], "bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap)"
    why = ""
    # Older ones cannot forbid namespaces within. The filter of system calls does it there.
    for options in ([program, *WALLS, "--disable-userns"], [program, *WALLS]):
        trial = [*options, "--ro-bind", "/", "/", "--proc", "/proc", "--remount-ro", "/proc", "true"]
        try:
            done = subprocess.run(trial, capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired) as error:
            return [], f"bubblewrap does not run here ({error})"
        if done.returncode == 0:
            return options, ""
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return [], f"bubblewrap may not make namespaces here ({why})"


def line(inner: list[str], env: dict[str, str], writable: Path, package: Path, disk: int) -> list[str]:
    """The command line that runs `inner` inside. disk: MB of all files in memory together.

    Raises CourseError where bubblewrap cannot be used, e.g. on another machine of a cluster.
    """
    options, why = walls()
    if why:
        raise CourseError(why)
    line = [*options, "--clearenv", "--hostname", "grader"]
    for key, value in env.items():
        line += ["--setenv", key, value]
    for path in SYSTEM:
        line += ["--symlink", os.readlink(path), path] if os.path.islink(path) else []
    places = {
        **{path: _read(path) for path in [*_system(), *_python()]},
        **{path: _memory(path, int(share * disk * 1_000_000)) for path, share in MEMORY.items()},
        **{str(package): _read(str(package)), "/proc": ["--proc", "/proc"], "/dev": ["--dev", "/dev"]},
        **{f"{INSIDE}/{path.name}": _read(str(path), f"{INSIDE}/{path.name}") for path in LIMITED},
        **_weights(package),
        str(writable): ["--bind", str(writable), str(writable)],
    }
    hidden = [path for path in _course([*_system(), *_python()]) if path not in places]
    places |= {path: _memory(path, 65_536) for path in hidden}
    for path in sorted(places, key=lambda path: Path(path).parts):  # each lies on those above it
        line += places[path]
    for path in [*hidden, "/dev", "/proc", "/"]:
        line += ["--remount-ro", path]
    return [*line, "--chdir", HOME, *inner]


def frozen(inner: list[str], env: dict[str, str], writable: Path) -> list[str]:
    """The command line that runs `inner` on this machine as it is, but read-only, without a right and without network.

    For what of ours makes sandboxes of its own: /proc is the machine's, since no process may mount one where some of it is covered.
    """
    options, _ = walls()
    line = [options[0], "--die-with-parent", "--unshare-user", "--unshare-net", "--unshare-ipc"]
    line += [*NOBODY, *("--ro-bind", "/", "/"), *("--dev", "/dev"), *("--bind", "/proc", "/proc")]
    line += ["--bind", str(writable), str(writable), "--clearenv"]
    for key, value in env.items():
        line += ["--setenv", key, value]
    return [*line, *inner]


def _read(path: str, inside: str = "") -> list[str]:
    return ["--ro-bind", path, inside or path]


def _memory(path: str, size: int) -> list[str]:
    return ["--size", str(size), "--tmpfs", path]


def _system() -> list[str]:
    return [path for path in SYSTEM if os.path.exists(path) and not os.path.islink(path)]


def _packages() -> list[str]:
    return [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]


def _python() -> list[str]:
    """The folders that Python and its packages live in, but for those that lie in another one or in /usr."""
    there = {os.path.abspath(f) for f in (sys.prefix, sys.base_prefix, *_packages()) if os.path.isdir(f)}
    above = {Path("/usr"), *map(Path, there)}
    return [folder for folder in there if folder != "/usr" and not set(Path(folder).parents) & above]


def _course(bound: list[str]) -> list[str]:
    """Where in the folders that are bound the course is to be seen, and what else of a checkout tells its solutions."""
    found = [PACKAGE, *(Path(folder, PACKAGE.name) for folder in _packages())]
    if (PACKAGE.parent / "pyproject.toml").exists():
        found += [PACKAGE.parent / name for name in ("solutions", "notebooks", "tests", "build", ".git")]
    real = {Path(os.path.realpath(folder)) for folder in found if folder.is_dir()}
    above = [(path, os.path.realpath(path)) for path in bound]
    return sorted(
        {str(Path(path, f.relative_to(top))) for f in real for path, top in above if f.is_relative_to(top)}
    )


def _weights(package: Path) -> dict[str, list[str]]:
    """A copy's folder of weights may be a link to the original's, which is then to be seen, and nothing beside it."""
    link = package / "weights"
    if not link.is_symlink():
        return {}
    place = os.path.normpath(package / os.readlink(link))
    return {place: _read(os.path.realpath(link), place)}
