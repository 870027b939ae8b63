"""How much memory a run holds: what its processes map, and what none maps, such as a file in memory that is only open.

Pages of programs and libraries are not counted: the system drops them when it needs room. What only a control group can know: a file in
memory whose descriptor is on its way through a socket, pipes and sockets themselves, shared memory that was swapped out.
"""

import contextlib
import os
import re
import stat
import sys
from collections import Counter

import psutil

from .bubblewrap import MEMORY

AREA = re.compile(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ ([0-9a-f]+):([0-9a-f]+) (\d+)")
File = tuple[int, int]  # device and inode


class Meter:
    """Counts for one run."""

    def __init__(self, disk: int):
        """disk: the device that the run's folder lies on."""
        self.disk = disk
        self.least_shared = _shared_by_all()

    def look(self, pids: list[int], limit: float) -> tuple[int, int]:
        """Bytes of memory, and bytes on the disk in files that are open and have no name any more.

        A quick question gives no fewer than there are: what forks share is counted for each, and what other programs newly put into
        shared memory as well. Where that is more than the limit, the slow one decides.
        """
        files = Counter[File]()
        for pid in pids:
            files |= _nameless(pid)
        nameless = sum(size for (device, _), size in files.items() if device == self.disk)
        shared = _shared_by_all()
        self.least_shared = min(self.least_shared, shared)
        quick = sum(map(_private, pids)) + max(shared - self.least_shared, sum(files.values()) - nameless)
        if quick <= limit or sys.platform != "linux":
            return quick, nameless
        return min(quick, self._exact(pids, files)), nameless

    def _exact(self, pids: list[int], files: Counter[File]) -> int:
        """Bytes, each counted once. A hundredth of a second for each process."""
        folders = Counter[int]()
        for pid in pids:
            folders |= _folders(pid)
        # Files without a name whose descriptor was closed too: no more is known than how much of them is mapped.
        mapped, total = Counter[File](), sum(folders.values())
        for pid in pids:
            own = Counter[File]()
            for file, size, share in _areas(pid):
                if file[0] == MEMORY_FILES and file not in files:
                    own[file] += size
                elif file not in files:
                    total += share
            mapped |= own
        held = (size for (device, _), size in files.items() if device != self.disk and device not in folders)
        return total + sum(mapped.values()) + sum(held)


def _memory_files() -> int:
    """The device of all files in memory that lie in no folder, and of shared memory without a file."""
    if not hasattr(os, "memfd_create"):
        return -1
    descriptor = os.memfd_create("")
    try:
        return os.fstat(descriptor).st_dev
    finally:
        os.close(descriptor)


MEMORY_FILES = _memory_files()


def _private(pid: int) -> int:
    """Bytes in a process's memory that are in no file, swapped or not."""
    if sys.platform != "linux":
        with contextlib.suppress(psutil.Error):
            return psutil.Process(pid).memory_info().rss
        return 0
    return sum(_kilobytes(f"/proc/{pid}/status", ("RssAnon:", "VmSwap:")))


def _shared_by_all() -> int:
    """Bytes of shared memory on this machine: files in memory are all of it."""
    return sum(_kilobytes("/proc/meminfo", ("Shmem:",)))


def _kilobytes(path: str, names: tuple[str, ...]) -> list[int]:
    with contextlib.suppress(OSError), open(path) as rows:
        return [int(row.split()[1]) * 1024 for row in rows if row.startswith(names)]
    return []


def _nameless(pid: int) -> Counter[File]:
    """The files a process has open that no folder lists: how many bytes they take."""
    found = Counter[File]()
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                file = os.stat(f"/proc/{pid}/fd/{name}")  # asks for what is open, and opens nothing
                if file.st_nlink == 0 and stat.S_ISREG(file.st_mode):
                    found[file.st_dev, file.st_ino] = file.st_blocks * 512
    return found


def _folders(pid: int) -> Counter[int]:
    """The folders in memory that a process sees and this one does not: device, and how many bytes are in it."""
    found = Counter[int]()
    with contextlib.suppress(OSError):
        for folder in MEMORY if not os.path.samefile(f"/proc/{pid}/root", "/") else ():
            place = f"/proc/{pid}/root{folder}"
            room = os.statvfs(place)
            found[os.stat(place).st_dev] = (room.f_blocks - room.f_bfree) * room.f_frsize
    return found


def _areas(pid: int) -> list[tuple[File, int, int]]:
    """The areas of a process's memory: of which file, how large, and its share of what is there, in bytes."""
    found: list[tuple[File, int, int]] = []
    with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps", errors="replace") as rows:
        for row in rows:
            if row.startswith(("Pss:", "SwapPss:")):
                file, size, share = found[-1]
                found[-1] = (file, size, share + int(row.split()[1]) * 1024)
            elif area := AREA.match(row):
                start, end, major, minor = (int(word, 16) for word in area.groups()[:4])
                found.append(((os.makedev(major, minor), int(area[5])), end - start, 0))
    return found
