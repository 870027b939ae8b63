"""A command and all it started end when one limit is broken, and when it ends."""

import os
import sys
import time

import psutil
import pytest

from diffusion_course.classroom.grading import processes
from diffusion_course.classroom.grading.sandbox import Limits

SMALL = Limits(memory=0.3, processes=8, output=0.01, disk=5)
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")


def run(code, folder, wall=20.0, **options):
    return processes.run([sys.executable, "-c", code], wall, SMALL, folder, **options)


def test_a_command_that_ends_tells_its_code_and_what_it_printed(tmp_path):
    done = run("import sys; print(sys.stdin.read()); sys.exit(3)", tmp_path, given=b"hello")
    assert (done.code, done.printed, done.why) == (3, "hello\n", "")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import time; time.sleep(60)", "took longer than 3 s"),
        (
            "import os, time\nfor _ in range(20): os.fork() or time.sleep(60)\ntime.sleep(60)",
            "started more than 8 processes",
        ),
        ("import time; x = b'1' * 500_000_000; time.sleep(60)", "used more than 0.3 GB of memory"),
        ("while True: print('x' * 10_000)", "printed more than 0.5 MB"),
        (
            "import time\nfor n in range(9): open(f's/{n}', 'wb').write(bytes(10**6))\ntime.sleep(60)",
            "wrote more than 5 MB",
        ),
        (
            "import time\nfor n in range(1001): open(f's/{n}', 'w')\ntime.sleep(60)",
            "wrote more than 5 MB or 1000 files",
        ),
    ],
    ids=["time", "processes", "memory", "output", "disk", "files"],
)
def test_a_limit_ends_it(tmp_path, code, why):
    started = time.monotonic()
    (tmp_path / "s").mkdir()
    assert run(code, tmp_path, wall=3.0).why.startswith(why)
    assert time.monotonic() - started < 20


def test_memory_that_forks_share_is_counted_once(tmp_path):
    code = "import os, time\nx = b'1' * 150_000_000\nfor _ in range(5):\n    if os.fork() == 0: break\ntime.sleep(1.5)"
    done = run(code, tmp_path)
    assert done.why == ""
    assert 150e6 < done.peak < 300e6


DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("pid", "w").write(str(os.getpid()))
        time.sleep(60)
    os._exit(0)
while not os.path.exists("pid") or not open("pid").read():
    time.sleep(0.05)
"""


@pytest.mark.parametrize("after", ["", "time.sleep(60)"], ids=["ends by itself", "is ended"])
def test_no_process_outlives_it_not_even_a_daemon(tmp_path, after):
    run(DAEMON + after, tmp_path, wall=3.0)
    pid = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_other_children_of_this_process_are_left_alone(tmp_path):
    with psutil.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        run("pass", tmp_path)
        assert other.poll() is None
        other.kill()
    assert os.getpid() != other.pid
