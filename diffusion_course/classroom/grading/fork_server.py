"""python fork_server.py SOCKET: a Python that has imported what every run needs, and forks for each run into a sandbox of its own.

Measured with chapter 01: 2.2 s of CPU a submission, and 4.6 where its two runs are started, which import torch twice.

Nothing of one run reaches another. This process runs nothing of any, reads nothing of any, and knows packages alone: of the course,
whose checks and library differ from run to run, not even a name. It lies outside of each sandbox's processes, and no process of its
user may look at its memory. What a fork keeps of it, the program and the libraries that are mapped, lies where all is read-only
(`bubblewrap.frozen`): else /proc/self/exe would be a way to write to the host.
"""

import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress

HERE = os.path.dirname(os.path.abspath(__file__))
LIMITED = runpy.run_path(os.path.join(HERE, "limited.py"))
# All that a fork will need of this folder, which its sandbox may hide.
WALK_IN, SECCOMP = LIMITED["beside"]("walk_in.py"), LIMITED["beside"]("seccomp.py")
# Neither the course nor ipykernel: a run by itself must not look like one in a notebook.
MODULES = ("torch", "numpy", "safetensors.torch", "IPython.core.interactiveshell")
LARGEST = 100_000  # bytes of a request
PATIENCE = 5  # seconds between two looks whether the batch still has its folder


def main() -> None:
    place = sys.argv[1]
    LIMITED["load"](MODULES)
    WALK_IN["hide"]()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the grader, who ends this process
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # a fork that ended leaves nothing
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(place)
        door.listen()
        door.settimeout(PATIENCE)
        print("listens", flush=True)
        request = _serve(door, place)
    if request:
        _go_on(request)


def _serve(door: socket.socket, place: str) -> dict | None:
    """Fork for each that calls, until the folder is gone: None. In a fork that stands in its sandbox: what it is to run."""
    while os.path.exists(place):
        try:
            call, _ = door.accept()
        except TimeoutError:
            continue
        if fault := _fault():
            raise RuntimeError(fault)
        if os.fork() == 0:
            door.close()
            return _attend(call)
        call.close()
    return None


def _fault() -> str:
    """What keeps this process from being forked for strangers, "" if nothing does: a package may have done it when it was imported."""
    if len(os.listdir("/proc/self/task")) > 1:
        return "there is a second thread, which a fork would lack"
    with open("/proc/self/maps") as areas:
        modes = {area.split()[1] for area in areas}
    return "there is memory that all forks would write to" if modes & {"rw-s", "-w-s", "rwxs"} else ""


def _attend(call: socket.socket) -> dict:
    """Build the sandbox that a call asks for, fork into it, and wait for the end of the fork or of the call. Returns in the fork."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    words, streams, _, _ = socket.recv_fds(call, LARGEST, 3)
    request = json.loads(words)
    call.send(str(os.getpid()).encode())
    if not call.recv(1):  # else this process has been put where it is watched, and all that it starts
        os._exit(1)
    try:
        walls, first = WALK_IN["build"](request["walls"], streams[2])
        WALK_IN["enter"](first)
    except OSError as error:
        os.write(streams[2], f"no fork can enter a sandbox: {error}\n".encode())
        os._exit(1)  # and the sandbox with it
    child = os.fork()
    if child == 0:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        return request
    select.select([os.pidfd_open(child), call.fileno()], [], [])  # its end, or nobody waits for it any more
    signal.pidfd_send_signal(first, signal.SIGKILL)  # the first process, and with it all that run in there
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])  # without that, the first one would not end
    walls.wait()
    with suppress(OSError):
        call.send(str(code if code >= 0 else 128 - code).encode())
    os._exit(0)


def _go_on(request: dict) -> None:
    """In a fork: become what `limited` would have become."""
    WALK_IN["settle"]()
    environment, home = request["environment"], request["environment"]["HOME"]
    os.environ.clear()
    os.environ.update(environment, PWD=home)
    os.chdir(home)
    # Where the course is installed as it is edited, its folder stands at the end already.
    package = environment["PYTHONPATH"]
    sys.path[:] = [package, *(path for path in sys.path if path != package)]
    sys.modules["numpy"].random.seed()  # else all would draw the same; random sees to itself
    signal.signal(signal.SIGINT, signal.default_int_handler)
    LIMITED["limit"](*request["limits"])
    SECCOMP["forbid"]()
    gc.enable()
    LIMITED["go_on"](request["arguments"])


if __name__ == "__main__":
    main()
