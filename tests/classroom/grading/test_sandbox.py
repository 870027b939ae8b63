"""What a run sees and can do: in bubblewrap, and in a container as a user of its own."""

import json
import os
import platform
import socket
import stat
import subprocess
import sys

import pytest

from diffusion_course.classroom.grading import bubblewrap, nbval_run, sandbox, seccomp
from diffusion_course.classroom.grading.assembly import Step
from diffusion_course.classroom.grading.sandbox import Isolation, Limits

BUBBLEWRAP = pytest.mark.skipif(sandbox.available().kind != "bubblewrap", reason=f"{sandbox.available().why}")
LOOK = """
import json, os, socket
def fails(f, *a):
    try:
        f(*a)
    except OSError:
        return True
    return False
json.dump({
    "environment": dict(os.environ),
    "root": sorted(os.listdir("/")),
    "writes": [p for p in PLACES if not fails(lambda: open(p + "/dc-x", "w").write("x"))],
    "reads": [p for p in FILES if not fails(lambda: open(p).read())],
    "processes": [p for p in os.listdir("/proc") if p.isdigit()],
    "network": not fails(lambda: socket.create_connection(("127.0.0.1", PORT), 2)),
    "interfaces": [name for _, name in socket.if_nameindex()],
    "user": os.getuid(),
    "host": socket.gethostname(),
    "filter": [row.split()[1] for row in open("/proc/self/status") if row.startswith(("Seccomp:", "NoNewPrivs:"))],
    "open files": __import__("resource").getrlimit(7)[1],
    "package": __import__("diffusion_course").__file__,
    "course": [p for p in COURSE if os.access(p, os.R_OK)],
}, open(SHARED + "/seen.json", "w"))
"""


@pytest.fixture
def look(tmp_path, monkeypatch):
    """Run LOOK under an isolation and return what it saw."""
    monkeypatch.setenv("GRADER_SECRET", "hidden")
    secret = tmp_path / "secret.txt"
    secret.write_text("hidden")

    def run(kind, package=sandbox.PACKAGE):
        shared = tmp_path / "s"
        shared.mkdir()
        places = [str(tmp_path), "/tmp", "/", "/usr", "/etc", str(sandbox.PACKAGE), sys.prefix, str(shared)]
        files = [
            str(secret),
            str(sandbox.PACKAGE.parent / "solutions" / "01_forward_process.py"),
            "/etc/shadow",
        ]
        with socket.create_server(("127.0.0.1", 0)) as server:
            names = {"PLACES": places, "FILES": files, "PORT": server.getsockname()[1], "SHARED": str(shared)}
            names["COURSE"] = [
                f"{sandbox.PACKAGE}/{name}"
                for name in ("gaussian.py", "classroom", "classroom/checks/ch01.py")
            ]
            lead = "".join(f"{name} = {value!r}\n" for name, value in names.items())
            code = f"exec({lead + LOOK!r}, {{}})"
            line = sandbox.command(
                ["timeit", "-n", "1", "-r", "1", code], shared, Limits(), Isolation(kind), package
            )
            done = subprocess.run(line, capture_output=True, text=True, timeout=60)
        assert (shared / "seen.json").exists(), done.stderr
        return json.loads((shared / "seen.json").read_text()) | {"shared": str(shared)}

    return run


@BUBBLEWRAP
def test_bubblewrap_shows_python_and_the_course_and_nothing_else(look, tmp_path):
    seen = look("bubblewrap")
    assert "hidden" not in json.dumps(seen["environment"])
    assert set(seen["environment"]) >= {"HOME", "PATH"}
    assert seen["reads"] == []
    # /tmp and what lies in it is the run's own: nothing arrives but in the shared folder.
    assert set(seen["writes"]) <= {str(tmp_path), "/tmp", seen["shared"]}
    assert [os.path.exists(f"{place}/dc-x") for place in ("/tmp", tmp_path, seen["shared"])] == [
        False,
        False,
        True,
    ]
    assert len(seen["processes"]) <= 3
    assert not seen["network"]
    assert seen["interfaces"] == ["lo"]
    assert seen["host"] == "grader"
    assert seen["user"] == 65534
    assert seen["filter"] == (["1", "2"] if platform.machine() in seccomp.MACHINES else ["1", "0"])
    assert seen["open files"] <= 1024
    assert len(seen["course"]) == 3


@pytest.fixture
def copy(tmp_path):
    """A copy of the course without most of it."""
    package = tmp_path / "copy" / "diffusion_course"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("")
    return package


@BUBBLEWRAP
def test_beside_a_copy_the_course_is_not_there(look, copy):
    seen = look("bubblewrap", copy)
    assert seen["package"] == str(copy / "__init__.py")
    assert seen["course"] == []


@pytest.fixture
def container(tmp_path, monkeypatch):
    """The container of docs/grading/Dockerfile, as far as files and users go: a course that only root and a group may read.

    Its torch is a file without a line, so that any Python will do: that of the tests may be root's alone.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("a run becomes another user only for root")
    program = "/usr/bin/python3"
    version = subprocess.run(
        [program, "-c", "import sys; print(sys.version_info >= (3, 11))"], capture_output=True
    )
    if version.stdout != b"True\n":
        pytest.skip("there is no Python for all")
    monkeypatch.setattr(sys, "executable", program)
    modes = {folder: stat.S_IMODE(folder.stat().st_mode) for folder in [tmp_path, *tmp_path.parents][:-1]}
    for folder, mode in modes.items():
        folder.chmod(mode | 0o011)
    course = tmp_path / "course" / "diffusion_course"
    (course / "classroom" / "checks").mkdir(parents=True)
    for name in ("__init__.py", "gaussian.py", "classroom/checks/ch01.py"):
        (course / name).touch()
    for path in [course, *course.rglob("*")]:
        os.chown(path, 0, 54321)
        path.chmod(0o750 if path.is_dir() else 0o640)
    course.chmod(0o751)
    monkeypatch.setattr(sandbox, "PACKAGE", course)
    for parent in (course.parent, tmp_path / "copy"):
        parent.mkdir(exist_ok=True)
        (parent / "torch.py").touch()
    yield course
    for folder, mode in modes.items():
        folder.chmod(mode)


def test_a_container_makes_each_run_a_user_of_its_own(container, look, tmp_path):
    (tmp_path / "secret.txt").chmod(0o600)
    seen = look("container", container)
    os.path.exists("/tmp/dc-x") and os.unlink("/tmp/dc-x")
    assert seen["user"] >= 10_000
    assert "hidden" not in json.dumps(seen["environment"])
    assert str(tmp_path / "secret.txt") not in seen["reads"]
    assert "/etc/shadow" not in seen["reads"]
    assert set(seen["writes"]) <= {"/tmp", seen["shared"]}  # the recipe closes /tmp, and `available` insists
    assert stat.S_IMODE(os.stat(seen["shared"]).st_mode) == 0o700
    assert len(seen["course"]) == 3


def test_in_a_container_the_course_is_closed_to_a_run_with_a_copy(container, look, copy):
    seen = look("container", copy)
    os.path.exists("/tmp/dc-x") and os.unlink("/tmp/dc-x")
    assert seen["package"] == str(copy / "__init__.py")
    assert seen["course"] == []


@pytest.fixture
def nothing_known():
    """`available` asks once per process; ask anew."""
    sandbox.available.cache_clear()
    bubblewrap.walls.cache_clear()
    yield
    sandbox.available.cache_clear()
    bubblewrap.walls.cache_clear()


def test_without_bubblewrap_the_reason_is_told(monkeypatch, nothing_known):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv(sandbox.CONTAINER, raising=False)
    found = sandbox.available()
    assert found.kind == "limits"
    assert not found.safe
    assert "bubblewrap is not installed" in str(found)
    assert str(found).startswith("NONE")


def test_a_bubblewrap_that_may_not_work_is_not_used(monkeypatch, nothing_known, tmp_path):
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'setting up uid map: Permission denied' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert "setting up uid map: Permission denied" in sandbox.available().why


@pytest.mark.parametrize(
    ("interfaces", "mode", "course", "kind", "why"),
    [
        (["lo"], 0o711, 0o750, "container", "bubblewrap is not installed"),
        (["lo", "eth0"], 0o711, 0o750, "limits", "a network, eth0: start it with --network none"),
        (["lo"], 0o1777, 0o750, "limits", "/tmp for all to write to: start it with --tmpfs /tmp:mode=0711"),
        (["lo"], 0o711, 0o755, "limits", "a course for all to read"),
    ],
)
def test_a_container_with_a_hole_is_no_sandbox(
    monkeypatch, nothing_known, tmp_path, interfaces, mode, course, kind, why
):
    for name, allowed in {"classroom": course, "weights": 0o755}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(allowed)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv(sandbox.CONTAINER, "1")
    monkeypatch.setattr(sandbox, "_root", lambda: True)
    monkeypatch.setattr(sandbox, "PACKAGE", tmp_path)
    monkeypatch.setattr(socket, "if_nameindex", lambda: list(enumerate(interfaces, 1)))
    look, there = os.stat, os.path.isdir
    monkeypatch.setattr(
        os, "stat", lambda path, **o: type("S", (), {"st_mode": mode}) if path == "/tmp" else look(path, **o)
    )
    monkeypatch.setattr(
        os.path,
        "isdir",
        lambda path: path == "/tmp" or (path != "/dev/shm" and path != "/var/tmp" and there(path)),
    )
    found = sandbox.available()
    assert found.kind == kind
    assert why in found.why


def test_a_machine_that_cannot_run_the_chapter_costs_nobody_a_point(monkeypatch, tmp_path):
    """A kernel that does not start is the machine's fault: no mark is made of it. What lies in /tmp is not run by the grader."""
    (tmp_path / "conftest.py").write_text(f"open({str(tmp_path / 'pwned')!r}, 'w')")
    monkeypatch.setattr(sandbox, "command", lambda *_: [sys.executable, "-c", "raise SystemExit(1)"])
    steps = [Step("own", "x = 1"), Step("verdict", exercise="01-snr")]
    with pytest.raises(nbval_run.NotRun):
        nbval_run.run(steps, {"01-snr": "s"}, Limits(), Isolation("limits"), str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["conftest.py"]
