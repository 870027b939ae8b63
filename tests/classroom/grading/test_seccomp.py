"""The filter of system calls, in a process of its own each: what it forbids fails, what Python and torch need does not."""

import ast
import platform
import struct
import sys

import pytest

from diffusion_course.classroom.grading import seccomp

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in seccomp.MACHINES, reason="the filter is for Linux"
)
TRY = """
import ctypes, os, runpy, sys
filter = runpy.run_path(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
column = filter["MACHINES"][os.uname().machine][0]
assert filter["forbid"]()
if os.fork():  # what follows is the child's
    os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
def error(number, *arguments):
    ctypes.set_errno(0)
    return ctypes.get_errno() if libc.syscall(number, *arguments) < 0 else 0
print({name: error(numbers[column], 0, 0, 0, 0, 0) for name, numbers in filter["FORBIDDEN"].items()})
print([error(filter["CLONE"][column], 0x10000000 | 17, 0, 0, 0, 0), error(filter["CLONE3"][column], 0, 0)])
print([error(filter["PRCTL"][column], option, 0, 0, 0, 0) for option in (3, 4)])
"""


@pytest.fixture
def tried(run_python):
    def run(code):
        done = run_python("-c", code, seccomp.__file__)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def test_what_is_forbidden_is_refused_and_inherited(tried):
    told, clones, settings = map(ast.literal_eval, tried(TRY))
    assert set(told) == set(seccomp.FORBIDDEN)
    assert set(told.values()) == {1}  # EPERM
    assert clones == [1, 38]  # EPERM, ENOSYS
    assert settings == [0, 1]  # PR_GET_DUMPABLE, PR_SET_DUMPABLE


def test_threads_processes_and_files_in_memory_go_on(tried):
    code = """
import os, runpy, subprocess, sys, threading, multiprocessing, mmap
runpy.run_path(sys.argv[1])["forbid"]()
thread = threading.Thread(target=print, args=("thread",)); thread.start(); thread.join()
print(subprocess.run(["echo", "process"], capture_output=True, text=True).stdout.strip())
os.memfd_create("x"); mmap.mmap(-1, 4096); multiprocessing.Lock()
"""
    assert tried(code) == ["thread", "process"]


@pytest.mark.parametrize("machine", seccomp.MACHINES)
def test_no_jump_leaves_the_program_and_its_end_allows(machine):
    lines = list(struct.iter_unpack("=HBBI", seccomp.program(machine)))
    jumps = (seccomp.EQUAL, seccomp.AT_LEAST, seccomp.ANY_BIT)
    assert all(
        at + 1 + max(yes, no) < len(lines) for at, (code, yes, no, _) in enumerate(lines) if code in jumps
    )
    assert lines[-1] == (seccomp.RETURN, 0, 0, seccomp.ALLOW)
    asked = [value for code, _, _, value in lines if code == seccomp.EQUAL]
    assert len(asked) == len(set(asked)) == len(seccomp.FORBIDDEN) + 5
