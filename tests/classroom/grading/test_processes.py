"""A command and all it started end when one limit is broken, and when it ends."""

import contextlib
import os
import sys
import time

import psutil
import pytest

from diffusion_course.classroom.grading import cgroup, processes, sandbox
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


SECRET_MEMORY = {
    "shared": "import mmap\nm = mmap.mmap(-1, SIZE)\nfor i in range(0, SIZE, 4096): m[i] = 1",
    "shared, filled by a child that has ended": """
import mmap
m = mmap.mmap(-1, SIZE)
if os.fork() == 0:
    for i in range(0, SIZE, 4096): m[i] = 1
    os._exit(0)
os.wait()
""",
    "in a file of memory": "f = os.memfd_create('x')\nfor _ in range(SIZE // 10**6): os.write(f, bytes(10**6))",
    "in a file of memory, mapped in part": """
import mmap
f = os.memfd_create('x')
m = mmap.mmap(f, 4096) if os.ftruncate(f, SIZE) is None else 0
for _ in range(SIZE // 10**6): os.write(f, bytes(10**6))
""",
    "in many files of memory": """
for _ in range(SIZE // 10**7):
    os.write(os.memfd_create('x'), bytes(10**7))
""",
}


@pytest.fixture(params=["control group", "counted"])
def counting(request, monkeypatch):
    """With a control group, where one can be had; and without."""
    if request.param == "counted":
        monkeypatch.setattr(cgroup, "group", lambda *_: contextlib.nullcontext(cgroup.Group()))
        return
    with cgroup.group(10**9, 100) as group:
        if not group.folders:
            pytest.skip("no control group may be made here")


@pytest.mark.parametrize("code", SECRET_MEMORY.values(), ids=SECRET_MEMORY)
def test_memory_that_no_process_maps_is_counted(tmp_path, counting, code):
    done = run(f"import os, time; SIZE = 400_000_000\n{code}\ntime.sleep(60)", tmp_path)
    assert done.why == "used more than 0.3 GB of memory"


@pytest.mark.parametrize("code", SECRET_MEMORY.values(), ids=SECRET_MEMORY)
def test_a_little_of_it_does_no_harm(tmp_path, counting, code):
    done = run(f"import os, time; SIZE = 100_000_000\n{code}\ntime.sleep(0.5)", tmp_path)
    assert done.why == ""


def test_a_file_without_a_name_is_counted(tmp_path):
    (tmp_path / "s").mkdir()
    code = "import os, time\nf = open('s/x', 'wb'); os.unlink('s/x'); f.write(bytes(10**7)); f.flush(); time.sleep(60)"
    assert run(code, tmp_path).why.startswith("wrote more than 5 MB")


def test_folders_deeper_than_python_recurses_end_the_run_and_not_the_grader(tmp_path):
    code = (
        "import os, time\nos.chdir('s')\nfor _ in range(1100): os.mkdir('d'); os.chdir('d')\ntime.sleep(60)"
    )
    with sandbox.workplace(str(tmp_path)) as folder:
        assert run(code, folder).why.startswith("wrote more than 5 MB or 1000 files")
    assert list(tmp_path.iterdir()) == []


def test_a_clock_that_jumps_ends_nothing(tmp_path, monkeypatch):
    """Summer time, a machine that slept, a time server: the wall clock is not asked."""
    now, jumps = time.time, iter(range(0, 10**9, 7200))
    monkeypatch.setattr(time, "time", lambda: now() + next(jumps))
    assert run("import time; time.sleep(0.5)", tmp_path).why == ""


def test_what_was_printed_is_read_from_the_file_that_was_given(tmp_path):
    """Without a sandbox a run sees where its output goes, and can put something else there."""
    code = "import os; print('told', flush=True); os.unlink('printed.txt'); os.mkfifo('printed.txt')"
    assert run(code, tmp_path).printed == "told\n"


def test_a_bomb_of_forks_is_ended_and_no_group_is_left(tmp_path):
    before = cgroups()
    code = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    done = run(code, tmp_path)
    assert done.why
    assert cgroups() == before


def cgroups():
    with cgroup.group(10**9, 100) as group:
        return [sorted(path.name for path in f.parent.glob("dc-*") if path != f) for f in group.folders]
