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


def main() -> None:
    cpu, memory, processes, disk = (float(word) for word in sys.argv[1:5])
    user, group = int(sys.argv[5]), int(sys.argv[6])
    folder = sys.argv[7]
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
    if os.getpid() == 1:
        _go_on_as_child()
    # Before the change of user, who may not be able to read this.
    runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)), "seccomp.py"))["forbid"]()
    if user:
        _become(user, group, folder)
    # All that runs here needs torch. Its import takes a fifth less without the garbage collector, and leaves it nothing to collect.
    gc.disable()
    importlib.import_module("torch")

    gc.freeze()
    gc.enable()
    sys.argv = sys.argv[8:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


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


main()
