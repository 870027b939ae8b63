"""Walls around nobody, and how a process walks in: bubblewrap makes the sandbox, and a fork enters its namespaces.

So the sandbox of a fork is that of a run which is started, by the same options. Like limited.py it imports nothing of the course.
"""

import ctypes
import json
import os
import signal
import subprocess

# The first process of a sandbox: it tells that the walls stand, and waits until its input ends. Ended children leave it by themselves.
FIRST = ["/bin/sh", "-c", 'trap "" CHLD; echo; exec cat']
# Name in /proc/PID/ns -> CLONE_NEW* of linux/sched.h
NAMESPACES = {
    **{"user": 0x1000_0000, "mnt": 0x0002_0000, "pid": 0x2000_0000, "net": 0x4000_0000},
    **{"ipc": 0x0800_0000, "uts": 0x0400_0000, "cgroup": 0x0200_0000},
}
# linux/prctl.h, linux/capability.h
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, VERSION_3 = 1, 4, 24, 0x2008_0522
LIBC = ctypes.CDLL(None, use_errno=True)


def build(line: list[str], errors: int) -> tuple[subprocess.Popen, int]:
    """A sandbox by the command line of bubblewrap that ends in FIRST: bubblewrap, and its first process as a pidfd.

    errors: where to bubblewrap tells what is wrong. Raises OSError where there is no sandbox.
    """
    told, tell = os.pipe()
    line = [line[0], "--info-fd", str(tell), *line[1:]]
    walls = subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, pass_fds=[tell]
    )
    os.close(tell)
    assert walls.stdout
    if walls.stdout.read(1) != b"\n":
        raise OSError("bubblewrap did not make it")
    with open(told) as information:
        return walls, os.pidfd_open(json.load(information)["child-pid"])


def enter(first: int) -> None:
    """Go into the namespaces of a process, and keep no right in them. What this process forks from now on runs there.

    Raises OSError where that cannot be.
    """
    _done(LIBC.setns(first, sum(NAMESPACES.values())))
    for right in range(64):
        if LIBC.prctl(PR_CAPBSET_DROP, right, 0, 0, 0):
            break  # there are no more
    header = (ctypes.c_uint32 * 2)(VERSION_3, 0)
    _done(LIBC.capset(header, (ctypes.c_uint32 * 6)()))
    # A change of rights takes this back; were the server gone by now, the call would be as well.
    _done(LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))


def settle() -> None:
    """In the fork: a session of its own, where a program may see itself. Raises OSError where there is a right left."""
    os.setsid()
    _done(LIBC.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
    with open("/proc/self/status") as rows:
        if any(int(row.split()[1], 16) for row in rows if row.startswith("Cap")):
            raise PermissionError("a right is left")


def hide() -> None:
    """Let no process without rights look at this one's memory or files, nor at those of its forks."""
    _done(LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))


def _done(failed: int) -> None:
    if failed:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
