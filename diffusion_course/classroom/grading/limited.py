"""python limited.py CPU MEMORY PROCESSES DISK USER GROUP FOLDER MODULE [ARGUMENTS]: run a module within limits.

The last thing that trusted code does in the sandbox. It imports nothing of the course. USER: become this user, who gets FOLDER for
its own, with GROUP beside its own group; 0: stay, or no such group. PROCESSES: 0 for no limit.
"""

import gc
import importlib
import os
import resource
import runpy
import sys
from collections.abc import Sequence


def main() -> None:
    user, group, folder = int(sys.argv[5]), int(sys.argv[6]), sys.argv[7]
    limit(*map(float, sys.argv[1:5]))
    if os.getpid() == 1:
        _go_on_as_child()
    beside("seccomp.py")["forbid"]()  # before the change of user, who may not be able to read this
    if user:
        _become(user, group, folder)
    load(["torch"])
    gc.enable()
    go_on(sys.argv[8:])


def limit(cpu: float, memory: float, processes: float, disk: float) -> None:
    """Limits of this process and of all it will start. Units: see sandbox.Limits; processes: 0 for no limit."""
    for kind, value in (
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_DATA, memory * 1e9),  # memory it can write to; address space says little of torch
        (resource.RLIMIT_FSIZE, disk * 1e6),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (int(value), int(value)))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = 1024 if most == resource.RLIM_INFINITY else min(1024, most)  # what is sent to a socket is memory
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    if processes:
        threads = int(2 * processes)  # they count as well
        resource.setrlimit(resource.RLIMIT_NPROC, (threads, threads))


def load(modules: Sequence[str]) -> None:
    """Import what all that runs here needs, and leave the garbage collector off.

    An import of torch takes a fifth less without it, and leaves it nothing to collect.
    """
    gc.disable()
    for module in modules:
        importlib.import_module(module)
    gc.freeze()


def go_on(arguments: list[str]) -> None:
    """Go on as `python -m ARGUMENTS`."""
    sys.argv = arguments
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def beside(name: str) -> dict:
    """The names of a file beside this one, which need not be in a package here."""
    return runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)), name))


def _go_on_as_child() -> None:
    """The first process of a namespace inherits its orphans, and signals do not reach it: it only waits, and a child goes on."""
    child = os.fork()
    if child == 0:
        return
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _become(user: int, group: int, folder: str) -> None:
    for path in (folder, *(os.path.join(folder, name) for name in os.listdir(folder))):
        os.lchown(path, user, user)
    os.chmod(folder, 0o700)
    os.chdir(folder)
    os.setgroups([group] if group else [])
    os.setgid(user)
    os.setuid(user)


if __name__ == "__main__":
    main()
