"""A control group for one run: there the kernel counts all its memory, also what no process maps, and no process can leave it.

Version 2 where this process may make a group, else the controllers "memory" and "pids" of version 1. Where neither can be had (no
permission, no Linux), a group without folders stands for none, and what `memory` counts has to do.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

DOORS = "DIFFUSION_COURSE_GROUPS"  # what a run is told of its group, for a part of it that is not started below it
ENTER = f"""{DOORS}=
while [ "$1" != -- ]; do echo 0 > "$1"; {DOORS}="${DOORS}$1
"; shift; done 2>/dev/null; shift; export {DOORS}; exec "$@"
"""
_numbers = count()


@dataclass(frozen=True)
class Group:
    """folders: one for each hierarchy; none if there is no group."""

    folders: tuple[Path, ...] = ()

    def line(self, line: list[str]) -> list[str]:
        """The command line that runs `line` in this group."""
        doors = [str(folder / "cgroup.procs") for folder in self.folders]
        return ["/bin/sh", "-c", ENTER, "sh", *doors, "--", *line] if doors else line

    def members(self) -> list[int]:
        """The processes in it."""
        found: set[int] = set()
        for folder in self.folders:
            with contextlib.suppress(OSError):
                found.update(map(int, (folder / "cgroup.procs").read_text().split()))
        return sorted(found)

    def full(self) -> bool:
        """Did the kernel end a process of it because its memory was used up?"""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):  # version 2, version 1
                with contextlib.suppress(OSError):
                    told = dict(row.split() for row in (folder / name).read_text().splitlines())
                    if int(told.get("oom_kill", 0)):
                        return True
        return False


@contextlib.contextmanager
def group(memory: int, tasks: int) -> Iterator[Group]:
    """A group of at most `memory` bytes and `tasks` threads; gone at the end, when its processes must be."""
    found = _version2(memory, tasks) or _version1(memory, tasks)
    try:
        yield found
    finally:
        for folder in found.folders:
            _remove(folder)


def _version2(memory: int, tasks: int) -> Group | None:
    """Beside this process's own group: one that has processes cannot give its controllers to groups within. Only the root can."""
    for own in _own("cgroup2", ""):
        for above in (own.parent, own):
            folder = _make(
                above,
                {"memory.max": memory, "pids.max": tasks},
                {"memory.swap.max": 0, "memory.oom.group": 1},
            )
            if folder:
                return Group((folder,))
    return None


def _version1(memory: int, tasks: int) -> Group:
    limits = {"memory.limit_in_bytes": memory}
    made = [_make(own, limits, {"memory.memsw.limit_in_bytes": memory}) for own in _own("cgroup", "memory")]
    made += [_make(own, {"pids.max": tasks}, {}) for own in _own("cgroup", "pids")]
    return Group(tuple(filter(None, made)))


def _own(system: str, kind: str) -> list[Path]:
    """The folder of the group this process is in, of the hierarchy of a kind; none where there is no such hierarchy."""
    try:
        return place(
            Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text(), system, kind
        )
    except OSError:
        return []


def place(groups: str, mounts: str, system: str, kind: str) -> list[Path]:
    """The same, out of the texts of /proc/self/cgroup and /proc/self/mountinfo; see cgroups(7) and proc(5)."""
    for mount in map(str.split, mounts.splitlines()):
        root, point, tail = mount[3], mount[4], mount[mount.index("-") + 1 :]
        if tail[0] != system or (kind and kind not in tail[2].split(",")):
            continue
        for _, kinds, path in (row.split(":", 2) for row in groups.splitlines()):
            if kind in kinds.split(","):
                below = Path(path).is_relative_to(root) and ".." not in path
                return [Path(point, Path(path).relative_to(root)) if below else Path(point)]
    return []


def _make(above: Path, must: dict[str, int], may: dict[str, int]) -> Path | None:
    """A new group with limits; None where it cannot be made, or one of those in `must` cannot be set."""
    _sweep(above)
    folder = above / f"dc-{os.getpid()}-{next(_numbers)}"
    try:
        folder.mkdir()
    except OSError:
        return None
    try:
        for name, value in must.items():
            _set(folder / name, value)
    except OSError:
        _remove(folder)
        return None
    for name, value in may.items():
        with contextlib.suppress(OSError):
            _set(folder / name, value)
    return folder


def _set(file: Path, value: int) -> None:
    with open(os.open(file, os.O_WRONLY | os.O_TRUNC), "w") as setting:  # made is none that this kernel lacks
        setting.write(str(value))


def _sweep(above: Path) -> None:
    """Remove what graders that were killed have left here: empty groups, named after processes that are no more."""
    with contextlib.suppress(OSError):
        for folder in above.glob("dc-*-*"):
            pid = folder.name.split("-")[1]
            if pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
                with contextlib.suppress(OSError):
                    folder.rmdir()


def _remove(folder: Path) -> None:
    """A group can be removed a moment after its last process ended, not at once."""
    for _ in range(100):
        try:
            folder.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)
