"""What a run sees and can do: in bubblewrap, and in a container as a user of its own."""

import json
import os
import socket
import stat
import subprocess
import sys

import pytest

from diffusion_course.classroom.grading import nbval_run, sandbox
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
    "memory": {p: os.statvfs(p).f_blocks * os.statvfs(p).f_frsize for p in ("/tmp", "/dev/shm")},
}, open(SHARED + "/seen.json", "w"))
"""


@pytest.fixture
def look(tmp_path, monkeypatch):
    """Run LOOK under an isolation and return what it saw."""
    monkeypatch.setenv("GRADER_SECRET", "hidden")
    secret = tmp_path / "secret.txt"
    secret.write_text("hidden")

    def run(kind):
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
            lead = "".join(f"{name} = {value!r}\n" for name, value in names.items())
            code = f"exec({lead + LOOK!r}, {{}})"
            line = sandbox.command(["timeit", "-n", "1", "-r", "1", code], shared, Limits(), Isolation(kind))
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
    assert max(seen["memory"].values()) <= 1.01 * Limits().disk * 1e6


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="a run becomes another user only for root"
)
def test_a_container_makes_each_run_a_user_of_its_own(look, tmp_path):
    mode = stat.S_IMODE(tmp_path.stat().st_mode)
    try:
        subprocess.run([sys.executable, "-c", "import torch"], user=12345, group=12345, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this Python can be read by root alone")
    for folder in [tmp_path, *tmp_path.parents]:
        os.chmod(folder, stat.S_IMODE(folder.stat().st_mode) | 0o011)
    (tmp_path / "secret.txt").chmod(0o600)
    seen = look("container")
    assert seen["user"] >= 10_000
    assert "hidden" not in json.dumps(seen["environment"])
    assert str(tmp_path / "secret.txt") not in seen["reads"]
    assert "/etc/shadow" not in seen["reads"]
    assert set(seen["writes"]) <= {"/tmp", seen["shared"]}  # the recipe closes /tmp, and `available` insists
    os.path.exists("/tmp/dc-x") and os.unlink("/tmp/dc-x")
    os.chmod(tmp_path, mode)


@pytest.fixture
def nothing_known():
    """`available` asks once per process; ask anew."""
    sandbox.available.cache_clear()
    yield
    sandbox.available.cache_clear()


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
    ("interfaces", "mode", "kind", "why"),
    [
        ([(1, "lo")], 0o711, "container", "bubblewrap is not installed"),
        ([(1, "lo"), (2, "eth0")], 0o711, "limits", "a network, eth0: start it with --network none"),
        ([(1, "lo")], 0o1777, "limits", "/tmp for all to write to: start it with --tmpfs /tmp:mode=0711"),
    ],
)
def test_a_container_with_a_hole_is_no_sandbox(monkeypatch, nothing_known, interfaces, mode, kind, why):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv(sandbox.CONTAINER, "1")
    monkeypatch.setattr(sandbox, "_root", lambda: True)
    monkeypatch.setattr(socket, "if_nameindex", lambda: interfaces)
    monkeypatch.setattr(os, "stat", lambda path, **_: type("S", (), {"st_mode": mode}))
    monkeypatch.setattr(os.path, "isdir", lambda path: path == "/tmp")
    found = sandbox.available()
    assert found.kind == kind
    assert why in found.why


def test_a_machine_that_cannot_run_the_chapter_costs_nobody_a_point(monkeypatch):
    """A kernel that does not start is the machine's fault: no mark is made of it."""
    monkeypatch.setattr(sandbox, "command", lambda *_: [sys.executable, "-c", "raise SystemExit(1)"])
    steps = [Step("own", "x = 1"), Step("verdict", exercise="01-snr")]
    with pytest.raises(nbval_run.NotRun):
        nbval_run.run(steps, {"01-snr": "s"}, Limits(), Isolation("limits"))
