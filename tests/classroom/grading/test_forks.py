"""A run that is forked sees and may do what one that is started does, no run meets another, and without a server runs are started."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest
from test_bubblewrap import ATTACKS

from diffusion_course.classroom.grading import bubblewrap, cgroup, folders, forks, processes, sandbox
from diffusion_course.classroom.grading.sandbox import Limits

pytestmark = pytest.mark.skipif(bool(bubblewrap.walls()[1]), reason=f"{bubblewrap.walls()[1]}")
LIMITS = Limits(processes=16)
MARK = "dc-left-by-a-fork"  # in the command line of what a run starts


@pytest.fixture(scope="module")
def scratch():
    """The folder of a batch, with its fork server."""
    # A shell that starts the tests with & has them ignore Ctrl-C, and a run that is started inherits that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with folders.scratch() as folder:
        yield str(folder)
        forks.stop()
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def run(scratch):
    """Run code by a fork, or started: a function of the code, which may print JSON and write to the folder SHARED."""

    def run(code, *arguments, forked=True, package=sandbox.PACKAGE, wall=60.0):
        with sandbox.workplace(scratch) as folder:
            lead = f"import sys; sys.argv[1:] = {list(arguments)!r}; SHARED = {str(folder / 's')!r}\n"
            program = ["timeit", "-n", "1", "-r", "1", f"exec({lead + code!r}, {{}})"]
            place = scratch if forked else None
            isolation = sandbox.Isolation("bubblewrap")
            line = sandbox.command(program, folder / "s", LIMITS, isolation, package, place)
            assert (sys.executable == line[0]) == forked
            return processes.run(line, wall, LIMITS, folder)

    return run


def told(done):
    assert done.code == 0, done.printed
    return json.loads(done.printed.splitlines()[0])


SEES = """
import json, os, resource, signal, socket, sys
status = dict(row.split(":\\t") for row in open("/proc/self/status").read().splitlines() if ":\\t" in row)
mounts = [row.split() for row in open("/proc/self/mounts")]
link = os.readlink
print(json.dumps({
    "environment": dict(os.environ),
    "root": sorted(os.listdir("/")),
    "mounts": sorted([place, kind, options] for _, place, kind, options, *_ in mounts if place != SHARED),
    "processes": sorted(filter(str.isdigit, os.listdir("/proc"))),
    "status": {k: status[k] for k in status if k.startswith(("Cap", "Uid", "Gid", "Seccomp", "NoNewPrivs", "NStgid", "Sig", "Shd"))},
    "limits": [resource.getrlimit(n) for n in range(16)],
    "files": sorted(link(f"/proc/self/fd/{n}").replace(SHARED[:-2], "") for n in "012") + sorted(os.listdir("/proc/self/fd"))[:4],
    "interfaces": socket.if_nameindex(),
    "host": socket.gethostname(),
    "here": [os.getcwd(), os.listdir("."), sys.flags.safe_path, sys.flags.no_user_site, sys.path, sys.executable],
    "signals": [str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE)],
    "modules": [name for name in sys.modules if name.startswith(("diffusion_course", "ipykernel", "matplotlib"))],
    "owners": [os.stat(f"/proc/self/{name}").st_uid for name in ("environ", "fd", "mem")],
}))
"""


def test_a_fork_sees_what_a_run_that_is_started_sees(run):
    forked, started = told(run(SEES)), told(run(SEES, forked=False))
    assert forked.pop("files")[3:] == started.pop("files")[3:]
    assert forked == started


def test_the_course_itself_is_hidden_from_a_fork_beside_a_copy(run, scratch, tmp_path):
    package = tmp_path / "copy" / "diffusion_course"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    course = str(sandbox.PACKAGE / "gaussian.py")
    code = (
        f"import json, os, diffusion_course as d; print(json.dumps([d.__file__, os.path.exists({course!r})]))"
    )
    assert told(run(code, package=package)) == [str(package / "__init__.py"), False]


def test_no_attack_on_the_walls_works_and_no_marker_arrives(run):
    places = [sys.prefix, sys.base_prefix, str(bubblewrap.PACKAGE)]
    seen = told(run(ATTACKS, *places))
    assert [place for place in [*places, "/", "/usr", "/dev"] if os.path.exists(f"{place}/dc-marker")] == []
    assert seen["worked"] == []
    assert set(seen["capabilities"].values()) == {0}


INHERITED = """
import json, os
# A program that runs can never be written to. So another one tries, which has it open.
held = os.open("/proc/self/exe", os.O_PATH)
os.set_inheritable(held, True)
if os.fork() == 0:
    os.execv("/bin/sh", ["sh", "-c", f"(: >> /proc/self/fd/{held}) 2>/dev/null && exit 1; exit 0"])
_, status = os.wait()
areas = [row.split()[1] for row in open("/proc/self/maps")]
print(json.dumps([os.waitstatus_to_exitcode(status), [mode for mode in areas if mode[1] == "w" and mode[3] == "s"]]))
"""


def test_what_a_fork_has_inherited_cannot_be_written_to(run):
    assert told(run(INHERITED)) == [0, []]


LEAVES = """
import builtins, os, random, socket, subprocess, sys, torch
for place in (os.environ["HOME"], "/tmp", "/dev/shm"):
    open(f"{place}/left", "w").write("x")
builtins.left = torch.left = sys.modules["numpy"].left = sys.left = 1
os.environ["LEFT"] = "1"
listener = socket.socket(socket.AF_UNIX)
listener.bind("\\0left")
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(60)  # dc-left-by-a-fork"])
    os._exit(0)
for pid in (1, os.getpid()):
    try:
        with open(f"/proc/{pid}/mem", "r+b"):
            pass
    except OSError:
        pass
print("[]")
"""
FINDS = """
import builtins, json, os, socket, sys, torch
found = [place for place in (os.environ["HOME"], "/tmp", "/dev/shm") if os.path.exists(f"{place}/left")]
found += [str(m) for m in (builtins, torch, sys.modules["numpy"], sys) if hasattr(m, "left")]
found += [name for name in os.environ if name == "LEFT"]
found += [p for p in filter(str.isdigit, os.listdir("/proc")) if "dc-left" in open(f"/proc/{p}/cmdline").read()]
try:
    socket.socket(socket.AF_UNIX).connect("\\0left")
    found.append("socket")
except OSError:
    pass
print(json.dumps([found, sys.modules["numpy"].random.rand(), __import__("random").random()]))
"""


def test_no_run_finds_anything_of_another(run):
    told(run(LEAVES))
    first, second = told(run(FINDS)), told(run(FINDS))
    assert first[0] == second[0] == []
    assert first[1] != second[1]
    assert first[2] != second[2]


def left():
    names = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    return [name for name in names if MARK in name]


def test_no_process_outlives_a_fork(run):
    told(run(LEAVES))
    assert left() == []


def soon(happens):
    """Whether something is so within a minute."""
    end = time.monotonic() + 60
    while not happens() and time.monotonic() < end:
        time.sleep(0.2)
    return happens()


@pytest.mark.parametrize("counted", ["by the kernel", "by looking"])
@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import time; time.sleep(60)", "took longer than 5 s"),
        (f"import time; x = b'1' * {2 * 10**9}; time.sleep(60)", "used more than 1.2 GB of memory|^$"),
        (
            "import mmap, time; m = mmap.mmap(-1, 1_700_000_000)\nfor i in range(0, 1_700_000_000, 4096): m[i] = 1\ntime.sleep(60)",
            "used more than 1.2 GB of memory",
        ),
        (
            "import os, time\nfor _ in range(5): os.fork()\ntime.sleep(60)",
            "started more than 16 processes|^$",
        ),
    ],
    ids=["time", "memory", "shared memory", "processes"],
)
def test_a_limit_ends_a_fork_and_all_below_it(run, monkeypatch, code, why, counted):
    if counted == "by looking":
        monkeypatch.setattr(cgroup, "group", lambda *_: contextlib.nullcontext(cgroup.Group()))
    mark = "import os, sys; os.fork() or os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(60)  # dc-left-by-a-fork'])\n"
    started = time.monotonic()
    done = run(mark + code, wall=5.0)
    assert re.search(why, done.why)
    assert done.code != 0
    assert time.monotonic() - started < 30
    assert left() == []


def test_its_memory_is_counted_as_that_of_a_run_that_is_started(run):
    code = "import time, torch; x = torch.ones(50_000_000); time.sleep(1); print('[]')"
    forked, started = run(code), run(code, forked=False)
    assert (forked.why, started.why) == ("", "")
    assert abs(forked.peak - started.peak) < 150e6


def test_when_nobody_waits_for_a_fork_any_more_all_of_it_ends_at_once(scratch):
    with sandbox.workplace(scratch) as folder:
        code = f"import os, sys; os.fork() or os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(600)  # {MARK}'])\nimport time; time.sleep(600)"
        words = ["timeit", "-n1", "-r1", code], folder / "s", LIMITS, sandbox.Isolation("bubblewrap")
        with subprocess.Popen(sandbox.command(*words, scratch=scratch)) as call:
            assert soon(lambda: len(left()) == 2)  # the call names it as well
            fork = psutil.Process(int((folder / forks.TOLD).read_text()))
            call.kill()
        assert soon(lambda: not fork.is_running())
        assert left() == []


def test_how_a_fork_ends_is_told(run):
    assert run("import os; os._exit(7)").code == 7
    assert run("import os; os.kill(os.getpid(), 9)").code == 128 + 9
    assert "ZeroDivisionError" in run("1 / 0").printed


def test_a_server_that_was_ended_is_started_again(run):
    told(run("print('[]')"))
    forks._server.process.kill()
    forks._server.process.wait()
    told(run("print('[]')"))


@pytest.mark.parametrize(
    "line", [["false"], ["sh", "-c", "echo listens; exec sleep 60"]], ids=["ends", "deaf"]
)
def test_where_no_fork_can_enter_a_sandbox_runs_are_started(monkeypatch, tmp_path, line):
    forks.stop()
    monkeypatch.setattr(bubblewrap, "frozen", lambda *_: line)
    (tmp_path / "s").mkdir()
    isolation = sandbox.Isolation("bubblewrap")
    for _ in range(2):
        command = sandbox.command(["this"], tmp_path / "s", LIMITS, isolation, scratch=str(tmp_path))
        assert command[0] == bubblewrap.walls()[0][0]
    assert forks._server.process is None
    forks.stop()


def test_a_server_ends_when_the_folder_of_its_batch_is_gone(monkeypatch):
    forks.stop()
    with folders.scratch() as folder:
        (folder / "s").mkdir()
        sandbox.command(["this"], folder / "s", LIMITS, sandbox.Isolation("bubblewrap"), scratch=str(folder))
        server = forks._server.process
    assert server.wait(timeout=60) == 0


GRADER = """
import os, sys
from diffusion_course.classroom.grading import folders, processes, sandbox
# a grader of forks
with folders.scratch(sys.argv[1]) as scratch, sandbox.workplace(str(scratch)) as folder:
    code = f"import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(600)  # {sys.argv[2]}'])"
    words = ["timeit", "-n1", "-r1", code], folder / "s", sandbox.Limits(), sandbox.Isolation("bubblewrap")
    processes.run(sandbox.command(*words, scratch=str(scratch)), 600, sandbox.Limits(), folder)
"""


def test_a_grader_that_is_killed_takes_server_and_forks_along(tmp_path):
    line = [sys.executable, "-c", GRADER, str(tmp_path), MARK]
    processes.prctl(
        processes.PR_SET_CHILD_SUBREAPER, 1
    )  # its orphans come to this process, which waits for them
    with subprocess.Popen(line, start_new_session=True) as grader:
        assert soon(lambda: [line for line in left() if "fork" not in line.replace(MARK, "")])
        below = psutil.Process(grader.pid).children(recursive=True)
        grader.kill()
    assert len(below) >= 5
    assert psutil.wait_procs(below, timeout=60)[1] == []
    assert left() == []


@pytest.mark.parametrize(
    "number",
    [os.getpid, os.getppid, lambda: 1, lambda: "", lambda: "x"],
    ids=["own", "parent", "first", "none", "word"],
)
def test_a_process_that_is_not_below_the_grader_is_no_fork_of_its(tmp_path, number):
    """Without a sandbox a run can write beside its folder, and what is told there is ended with the run."""
    (tmp_path / "told").write_text(str(number()))
    fork = processes._Fork(tmp_path / "told")
    assert (fork.pid(), fork.members()) == (0, [])
