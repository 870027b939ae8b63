"""The first wall alone, without the filter of system calls: nothing inside can be made writable, and the course can be hidden."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from diffusion_course import CourseError
from diffusion_course.classroom.grading import bubblewrap

pytestmark = pytest.mark.skipif(bool(bubblewrap.walls()[1]), reason=f"{bubblewrap.walls()[1]}")
ATTACKS = """
import ctypes, json, os, stat, sys
libc = ctypes.CDLL(None, use_errno=True)
REMOUNT, BIND, PRIVATE, RECURSIVE = 32, 4096, 1 << 18, 16384
worked = []

def attack(name, call, *arguments):
    words = [a.encode() if isinstance(a, str) else a for a in arguments]
    if getattr(libc, call)(*words) == 0:
        worked.append(name)

def write(path, mode="w"):
    try:
        with open(path, mode) as file:
            file.write("x")
        worked.append("write " + path)
    except OSError:
        pass

places = sys.argv[1:]
for place in [*places, "/", "/usr", "/proc", "/dev"]:
    attack("remount " + place, "mount", None, place, None, REMOUNT | BIND, None)
    attack("remount all of " + place, "mount", None, place, None, REMOUNT, None)
    attack("umount " + place, "umount2", place, 2)
    if place != "/proc":
        write(place + "/dc-marker")
attack("tmpfs", "mount", "none", "/tmp", "tmpfs", 0, None)
attack("proc", "mount", "none", "/tmp", "proc", 0, None)
attack("private", "mount", None, "/", None, PRIVATE | RECURSIVE, None)
attack("chroot", "chroot", "/tmp")
attack("device", "mknod", "/tmp/disk", stat.S_IFBLK | 0o600, os.makedev(254, 0))
attack("root", "setuid", 0)
for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/self/oom_score_adj"):
    write(path)
for pid in filter(str.isdigit, os.listdir("/proc")):
    write("/proc/" + pid + "/exe", "a")
    if os.path.basename(os.readlink("/proc/" + pid + "/exe")) == "bwrap":
        worked.append("bubblewrap's program, which no bind keeps from being written")
for name, flags in {"user": 0x10000000, "mount": 0x20000, "both": 0x10020000}.items():
    attack("a namespace: " + name, "unshare", flags)
told = dict(row.split(":") for row in open("/proc/self/status").read().splitlines())
sizes = {os.stat(p).st_dev: os.statvfs(p).f_blocks * os.statvfs(p).f_frsize for p in ("/tmp", "/dev/shm", os.environ["HOME"])}
print(json.dumps({
    "worked": worked,
    "capabilities": {k: int(v, 16) for k, v in told.items() if k.startswith("Cap")},
    "users": sorted({os.getuid(), os.geteuid(), os.getgid()}),
    "memory": sum(sizes.values()),
    "writable memory": [row.split()[1] for row in open("/proc/mounts") if row.split()[2] == "tmpfs" and "rw" in row.split()[3].split(",")],
}))
"""


def run(inner, writable, package=bubblewrap.PACKAGE, env=None, prefix=()):
    home = {"HOME": bubblewrap.HOME, "PATH": "/usr/bin:/bin", **(env or {})}
    line = bubblewrap.line(inner, home, writable, package, disk=4)
    done = subprocess.run([*prefix, *line], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_inside_can_be_made_writable_and_no_marker_arrives(tmp_path):
    places = [sys.prefix, sys.base_prefix, str(bubblewrap.PACKAGE)]
    seen = json.loads(run([sys.executable, "-c", ATTACKS, *places], tmp_path))
    arrived = [place for place in [*places, "/", "/usr", "/dev"] if os.path.exists(f"{place}/dc-marker")]
    for place in arrived:
        os.unlink(f"{place}/dc-marker")
    assert arrived == []
    assert seen["worked"] == []
    assert set(seen["capabilities"].values()) == {0}
    assert seen["users"] == [65534]


def test_what_may_be_written_has_a_size(tmp_path):
    seen = json.loads(run([sys.executable, "-c", ATTACKS], tmp_path))
    assert 0 < seen["memory"] <= 4_100_000
    assert sorted(seen["writable memory"]) == sorted(bubblewrap.MEMORY)


def test_the_folder_can_be_written_to_and_what_arrives_belongs_to_the_grader(tmp_path):
    run(["/bin/sh", "-c", f"echo told > {tmp_path}/result"], tmp_path)
    assert (tmp_path / "result").read_text() == "told\n"
    assert (tmp_path / "result").stat().st_uid == os.geteuid()


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A Python below a home that only its owner may enter, with the course in its site-packages; and a copy of the course."""
    home = tmp_path / "home"
    packages = home / "venv" / "lib" / "site-packages"
    for name in ("checks", "weights", "nets"):
        (packages / "diffusion_course" / name).mkdir(parents=True)
        (packages / "diffusion_course" / name / "file").write_text(name)
    (packages / "torch.py").write_text("torch")
    home.chmod(0o700)
    copy = tmp_path / "copy" / "diffusion_course"
    copy.mkdir(parents=True)
    (copy / "file").write_text("copy")
    (copy / "weights").symlink_to(packages / "diffusion_course" / "weights")
    monkeypatch.setattr(sys, "prefix", str(home / "venv"))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setattr(sys, "path", [str(packages)])
    monkeypatch.setattr(bubblewrap, "PACKAGE", packages / "diffusion_course")
    return packages, copy


def files(folder, writable, package):
    found = run(["/usr/bin/find", str(folder), "-follow", "-type", "f", "-readable"], writable, package)
    return sorted(str(Path(row).relative_to(folder)) for row in found.splitlines())


def test_beside_a_copy_the_course_cannot_be_seen_wherever_it_lies(installed, tmp_path):
    packages, copy = installed
    (tmp_path / "s").mkdir()
    assert files(packages, tmp_path / "s", copy) == ["diffusion_course/weights/file", "torch.py"]
    assert files(copy, tmp_path / "s", copy) == ["file", "weights/file"]


def test_a_python_that_is_known_by_another_name_hides_it_too(installed, tmp_path, monkeypatch):
    _, copy = installed
    (tmp_path / "alias").symlink_to(tmp_path / "home" / "venv")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "alias"))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "alias" / "lib" / "site-packages")])
    (tmp_path / "s").mkdir()
    assert files(tmp_path / "alias", tmp_path / "s", copy) == ["lib/site-packages/torch.py"]
    assert files(copy, tmp_path / "s", copy) == ["file", "weights/file"]


def test_without_a_copy_the_course_is_seen_and_a_home_of_mode_700_is_no_wall(installed, tmp_path):
    packages, _ = installed
    (tmp_path / "s").mkdir()
    found = files(packages, tmp_path / "s", packages / "diffusion_course")
    assert found == [*(f"diffusion_course/{name}/file" for name in ("checks", "nets", "weights")), "torch.py"]


def test_a_checkout_in_a_folder_of_the_system_keeps_its_solutions(installed, tmp_path, monkeypatch):
    packages, copy = installed
    system = tmp_path / "usr"
    for name in ("diffusion_course", "solutions", "tests"):
        (system / "src" / name).mkdir(parents=True)
        (system / "src" / name / "file").write_text(name)
    (system / "library").write_text("")
    (system / "src" / "pyproject.toml").write_text("")
    monkeypatch.setattr(bubblewrap, "PACKAGE", system / "src" / "diffusion_course")
    monkeypatch.setattr(bubblewrap, "SYSTEM", (*bubblewrap.SYSTEM, str(system)))
    (tmp_path / "s").mkdir()
    assert files(system, tmp_path / "s", copy) == ["library", "src/pyproject.toml"]
    # What is installed beside the checkout that runs is hidden as well.
    assert files(packages, tmp_path / "s", copy) == ["diffusion_course/weights/file", "torch.py"]


@pytest.fixture
def unknowing(tmp_path, monkeypatch):
    """A bubblewrap that does not know --disable-userns, as before version 0.8."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "bwrap"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *--disable-userns*) echo unknown >&2; exit 1;; esac\nexec {bubblewrap.walls()[0][0]} "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    bubblewrap.walls.cache_clear()
    yield str(program)
    bubblewrap.walls.cache_clear()


def test_an_older_bubblewrap_is_used_without_what_it_does_not_know(unknowing):
    options, why = bubblewrap.walls()
    assert (options[0], why) == (unknowing, "")
    assert "--disable-userns" not in options


def test_where_it_cannot_be_used_nothing_is_run(tmp_path, monkeypatch):
    monkeypatch.setattr(bubblewrap, "walls", lambda: ([], "bubblewrap is not installed"))
    with pytest.raises(CourseError, match="bubblewrap is not installed"):
        bubblewrap.line(["true"], {}, tmp_path, bubblewrap.PACKAGE, disk=1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_works_for_a_grader_who_is_not_root(tmp_path):
    code = "import os, sys; open(sys.argv[1] + '/seen', 'w').write(str(os.getuid()))"
    (tmp_path / "s").mkdir()
    os.chown(tmp_path / "s", 1000, 1000)
    for folder in [tmp_path, *tmp_path.parents][:-1]:
        folder.chmod(folder.stat().st_mode | 0o011)
    as_user = ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "prefix", "/usr")
        patch.setattr(sys, "base_prefix", "/usr")
        patch.setattr(sys, "path", [])
        patch.setattr(bubblewrap, "LIMITED", [])
        package = tmp_path / "diffusion_course"
        package.mkdir()
        patch.setattr(bubblewrap, "PACKAGE", package)
        run(["/usr/bin/python3", "-c", code, str(tmp_path / "s")], tmp_path / "s", package, prefix=as_user)
    assert (tmp_path / "s" / "seen").read_text() == "65534"
