"""A group holds a run to its limits and is gone after it. Version 2 is tried on a folder that looks like one."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diffusion_course.classroom.grading import cgroup

V1 = """\
9:name=systemd:/
5:pids:/
4:memory,hugetlb:/docker/ab
0::/
"""
V1_MOUNTS = """\
30 25 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory,hugetlb
31 25 0:27 /docker/ab /sys/fs/cgroup/pids rw,relatime shared:3 - cgroup cgroup rw,pids
32 25 0:28 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
V2_MOUNTS = "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


@pytest.mark.parametrize(
    ("groups", "mounts", "system", "kind", "found"),
    [
        (V1, V1_MOUNTS, "cgroup", "memory", ["/sys/fs/cgroup/memory/docker/ab"]),
        (V1.replace("pids:/", "pids:/docker/ab/x"), V1_MOUNTS, "cgroup", "pids", ["/sys/fs/cgroup/pids/x"]),
        (V1, V1_MOUNTS, "cgroup", "pids", ["/sys/fs/cgroup/pids"]),
        (V1, V1_MOUNTS, "cgroup", "cpu", []),
        (V1, V1_MOUNTS, "cgroup2", "", ["/sys/fs/cgroup/unified"]),
        ("0::/user.slice/a.scope\n", V2_MOUNTS, "cgroup2", "", ["/sys/fs/cgroup/user.slice/a.scope"]),
        ("0::/../other\n", V2_MOUNTS, "cgroup2", "", ["/sys/fs/cgroup"]),
        ("0::/x\n", "", "cgroup2", "", []),
    ],
)
def test_where_this_process_own_group_lies(groups, mounts, system, kind, found):
    assert cgroup.place(groups, mounts, system, kind) == list(map(Path, found))


@pytest.fixture
def version2(tmp_path, monkeypatch):
    """A folder like cgroup2's: new folders in it come with settings. It gives the names of those that are there."""
    (tmp_path / "slice" / "own").mkdir(parents=True)
    settings = {
        "memory.max": "max",
        "memory.swap.max": "max",
        "pids.max": "max",
        "memory.events": "oom 0\noom_kill 0\n",
        "cgroup.procs": "",
    }
    mkdir, rmdir = Path.mkdir, Path.rmdir

    def make(folder):
        mkdir(folder)
        if folder.parent.name == "slice":
            [(folder / name).write_text(text) for name, text in settings.items()]

    def remove(folder):
        for file in folder.iterdir():
            file.unlink()
        rmdir(folder)

    monkeypatch.setattr(Path, "mkdir", make)
    monkeypatch.setattr(Path, "rmdir", remove)
    monkeypatch.setattr(
        cgroup, "_own", lambda system, _: [tmp_path / "slice" / "own"] if system == "cgroup2" else []
    )
    return tmp_path / "slice", settings


def test_version_2_has_its_group_beside_ones_own(version2):
    above, _ = version2
    with cgroup.group(1000, 7) as group:
        (folder,) = group.folders
        assert folder.parent == above
        told = {name: (folder / name).read_text() for name in ("memory.max", "memory.swap.max", "pids.max")}
        assert told == {"memory.max": "1000", "memory.swap.max": "0", "pids.max": "7"}
        assert not (folder / "memory.oom.group").exists()  # not of this kernel: not made
        assert not group.full()
        (folder / "memory.events").write_text("oom 1\noom_kill 1\n")
        assert group.full()
    assert [path.name for path in above.iterdir()] == ["own"]


def test_without_the_memory_controller_there_is_none_and_nothing_is_left(version2):
    above, settings = version2
    del settings["memory.max"]
    with cgroup.group(1000, 7) as group:
        assert group == cgroup.Group()
        assert group.line(["true"]) == ["true"]
        assert group.members() == []
    assert [path.name for path in above.iterdir()] == ["own"]


def test_what_a_killed_grader_left_is_removed(version2):
    above, _ = version2
    with subprocess.Popen(["true"]) as gone:
        pass
    for name in (f"dc-{gone.pid}-0", f"dc-{os.getpid()}-x", "dc-other-0", "session-1"):
        (above / name).mkdir()
    with cgroup.group(1000, 7):
        pass
    assert sorted(path.name for path in above.iterdir()) == sorted(
        ["own", f"dc-{os.getpid()}-x", "dc-other-0", "session-1"]
    )


@pytest.fixture
def real():
    """A group of this machine, of 64 MB and 8 tasks; and where it lies."""
    with cgroup.group(64_000_000, 8) as group:
        if not group.folders:
            pytest.skip("no control group may be made here")
        yield group
    assert not any(folder.exists() for folder in group.folders)


def test_the_kernel_ends_what_takes_too_much_and_tells(real):
    code = "import mmap\nm = mmap.mmap(-1, 100_000_000)\nfor i in range(0, 100_000_000, 4096): m[i] = 1"
    done = subprocess.run(real.line([sys.executable, "-c", code]), timeout=60)
    assert done.returncode == -9
    assert real.full()


def test_processes_are_its_members_and_cannot_become_more_than_it_allows(real):
    code = "import os, time\nfor _ in range(3): os.fork()\nprint('all', flush=True); time.sleep(60)"
    with subprocess.Popen(
        real.line([sys.executable, "-c", code]), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as process:
        end = time.monotonic() + 20
        while len(real.members()) < 2 and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.2)
        assert process.pid in real.members()
        assert 2 <= len(real.members()) <= 8
        while members := real.members():
            for pid in members:
                os.kill(pid, 9)
            process.poll()
