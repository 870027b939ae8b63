"""python limited.py CPU MEMORY PROCESSES DISK USER FOLDER MODULE [ARGUMENTS]: run a module within limits.

The last thing that trusted code does in the sandbox. It imports nothing of the course. USER: become this
user, who gets FOLDER for its own; 0: stay. PROCESSES: 0 for no limit.
"""

import gc
import os
import resource
import runpy
import sys


def main() -> None:
    cpu, memory, processes, disk = (float(word) for word in sys.argv[1:5])
    user, folder = int(sys.argv[5]), sys.argv[6]
    for kind, value in (
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_DATA, memory * 1e9),  # memory it can write to; address space says little of torch
        (resource.RLIMIT_FSIZE, disk * 1e6),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (int(value), int(value)))
    if processes:
        threads = int(2 * processes)  # they count as well
        resource.setrlimit(resource.RLIMIT_NPROC, (threads, threads))
    if user:
        for path in (folder, *(os.path.join(folder, name) for name in os.listdir(folder))):
            os.chown(path, user, user)
        os.chdir(folder)
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    # All that runs here needs torch. Its import takes a fifth less without the garbage collector, and leaves it nothing to collect.
    gc.disable()
    import torch  # noqa: F401

    gc.freeze()
    gc.enable()
    sys.argv = sys.argv[7:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


main()
