"""python fork_call.py SOCKET TOLD REQUEST: a run by a fork server. It reads and writes what this process does, and ends with it.

TOLD: a file that gets the number of the process outside of the sandbox, below which the run is. Before anything runs, that process is
also put into the control groups that the environment names (`cgroup`).
"""

import ctypes
import os
import signal
import socket
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> int:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    server, told, request = sys.argv[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as call:
        call.connect(server)
        socket.send_fds(call, [request.encode()], [0, 1, 2])
        pid = call.recv(32)
        for door in os.environ.get("DIFFUSION_COURSE_GROUPS", "").splitlines():
            _write(door, pid)
        _write(f"{told}.part", pid)
        os.replace(f"{told}.part", told)
        call.send(b"go")
        return int(call.recv(32) or 1)


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)


sys.exit(main())
