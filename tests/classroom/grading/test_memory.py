"""What a run holds is told from what the machine holds, and no process keeps the grader from counting."""

import os
import subprocess
import sys

import pytest

from diffusion_course.classroom.grading import bubblewrap, memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
WAIT = "\nprint('ready', flush=True); import time; time.sleep(60)"


@pytest.fixture
def waiting():
    """Start a command, wait until it says that it is ready, and give its process."""
    started = []

    def start(line):
        started.append(subprocess.Popen(line, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout.readline() == "ready\n"
        return started[-1]

    yield start
    for process in started:
        with process:
            process.kill()


def test_what_other_programs_put_into_shared_memory_is_not_the_runs(waiting, monkeypatch):
    meter = memory.Meter(disk=-1)
    process = waiting([sys.executable, "-c", WAIT])
    monkeypatch.setattr(memory, "_shared_by_all", lambda: meter.least_shared + 10**9)
    assert meter.look([process.pid], limit=3e9)[0] > 1e9  # no more than can be: nothing is asked again
    assert meter.look([process.pid], limit=3e8)[0] < 1e8


def test_a_process_that_is_gone_holds_nothing():
    with subprocess.Popen(["true"]) as gone:
        pass
    assert memory.Meter(disk=-1).look([gone.pid], limit=-1)[0] == 0


def test_a_file_without_a_name_counts_where_it_lies(waiting, tmp_path):
    code = (
        f"import os; f = open('{tmp_path}/x', 'wb'); f.write(bytes(5 * 10**6)); f.flush(); os.unlink(f.name)"
    )
    process = waiting([sys.executable, "-c", code + WAIT])
    disk = tmp_path.stat().st_dev
    assert memory.Meter(disk).look([process.pid], limit=1e9)[1] >= 5 * 10**6
    assert memory.Meter(disk=-1).look([process.pid], limit=1e9)[1] == 0


@pytest.mark.skipif(bool(bubblewrap.walls()[1]), reason=f"{bubblewrap.walls()[1]}")
def test_files_in_the_sandbox_s_own_folders_in_memory_are_counted(waiting, tmp_path):
    code = "open('/tmp/x', 'wb').write(bytes(4 * 10**6)); open('/dev/shm/y', 'wb').write(bytes(4 * 10**6))"
    env = {"HOME": bubblewrap.HOME}
    line = bubblewrap.line([sys.executable, "-c", code + WAIT], env, tmp_path, bubblewrap.PACKAGE, disk=40)
    outer = waiting(line)
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(outer.pid)], capture_output=True, text=True)
    pids = [outer.pid, *map(int, children.stdout.split())]
    meter = memory.Meter(os.stat(tmp_path).st_dev)
    assert 8 * 10**6 <= meter._exact(pids, memory.Counter()) < 60 * 10**6
