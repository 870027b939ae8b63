"""The command line: what it says, how fast it says it, and how it ends when something is wrong."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from diffusion_course import cli
from diffusion_course.classroom import handout
from diffusion_course.errors import CourseError

CLI = ("-m", "diffusion_course.cli")
run = CliRunner().invoke


def test_help_names_every_command_without_importing_torch(run_python):
    code = "import sys; from diffusion_course.cli import app; sys.argv = ['x', '--help']\n"
    code += "try: app()\nfinally: print('torch' in sys.modules)"
    done = run_python("-c", code)
    assert done.returncode == 0
    for command in ("lab", "build", "doctor"):
        assert re.search(rf"^  {command} ", done.stdout, re.M)
    assert done.stdout.endswith("False\n")


def test_version_is_that_of_the_package():
    import diffusion_course

    result = run(cli.app, ["--version"])
    assert (result.exit_code, result.output.strip()) == (0, diffusion_course.__version__)


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [(CourseError("betas: wrong"), 2, "error: betas: wrong\n"), (KeyboardInterrupt(), 130, "\nstopped\n")],
)
def test_a_mistake_and_ctrl_c_end_in_one_line(monkeypatch, error, code, told):
    from diffusion_course.classroom import doctor

    def fail():
        raise error

    monkeypatch.setattr(doctor, "report", fail)
    result = run(cli.app, ["doctor"])
    assert result.exit_code == code
    assert result.stderr == told
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["buidl"], "No such command 'buidl'"),
        (["build", "--timeout", "0"], "Invalid value for '--timeout'"),
        (["build", "zz"], "error: unknown chapter 'zz'"),
        (["build", "--root", "/"], "error: there is no solutions/ in /"),
    ],
)
def test_wrong_arguments_exit_with_2_and_no_traceback(arguments, told):
    result = run(cli.app, arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_ctrl_c_stops_a_real_build_in_one_line(tmp_path):
    (tmp_path / "solutions").mkdir()
    started = tmp_path / "started"
    source = (
        f"# %% [markdown]\n# # Title\n\n# %%\nopen({str(started)!r}, 'w')\nimport time\ntime.sleep(100)\n"
    )
    (tmp_path / "solutions" / "00_wait.py").write_text(source)
    command = [sys.executable, *CLI, "build", "--root", str(tmp_path)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A pytest that was started in the background ignores SIGINT, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not started.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    try:
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert told == "\nstopped\n"
    assert not list(tmp_path.glob("**/*.ipynb"))


def test_doctor_fits_on_a_page_and_names_what_matters():
    result = run(cli.app, ["doctor"])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert len(lines) < 25
    for fact in ("python", "torch", "data", "weights", "notebooks", "browser"):
        assert any(line.startswith(fact) for line in lines)


def test_doctor_says_which_data_are_there_by_their_files(monkeypatch, tmp_path):
    """A download that failed leaves empty folders, or files without content."""
    monkeypatch.setenv("DIFFUSION_COURSE_DATA", str(tmp_path))
    line = f"{tmp_path} (DIFFUSION_COURSE_DATA) holds"
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    parts = ("images-idx3-ubyte", "labels-idx1-ubyte")
    files = [raw / f"{split}-{part}" for split in ("train", "t10k") for part in parts]
    for file in files[:-1]:
        file.write_text("x")
    files[-1].touch()
    assert f"{line} no data set yet" in run(cli.app, ["doctor"]).output
    files[-1].write_text("x")
    assert f"{line} mnist\n" in run(cli.app, ["doctor"]).output


@pytest.fixture
def homeless(monkeypatch):
    """A container's user: no HOME, and none in the list of users."""

    def unknown(path):
        return path

    monkeypatch.delenv("DIFFUSION_COURSE_DATA", raising=False)
    monkeypatch.setattr(os.path, "expanduser", unknown)


@pytest.mark.usefixtures("homeless")
def test_without_a_home_the_doctor_and_the_offline_sets_work():
    """The home folder is asked for where a download needs it, and nowhere else."""
    from diffusion_course.experiments import data

    result = run(cli.app, ["doctor"])
    assert result.exit_code == 0
    assert "there is no such home folder; set DIFFUSION_COURSE_DATA to a folder you own" in result.output
    assert len(data.load("digits", limit=3)) == 3
    with pytest.raises(CourseError, match=r"^data folder: .* set DIFFUSION_COURSE_DATA"):
        data.load("mnist")
    result = run(cli.app, ["sample", "mnist-flow", "--out", "~/x.png"])
    assert result.exit_code == 2
    assert "there is no such home folder" in result.stderr


@pytest.fixture
def launched(monkeypatch):
    """The arguments that JupyterLab would have been started with."""
    from jupyterlab.labapp import LabApp

    calls = []
    monkeypatch.setattr(LabApp, "launch_instance", calls.append)
    return calls


def test_lab_opens_the_checkout_and_passes_arguments_on(launched, root):
    result = run(cli.app, ["lab", "--no-browser", "--port", "8899"])
    assert result.exit_code == 0, result.output
    (arguments,) = launched
    assert f"--ServerApp.root_dir={root}" in arguments
    assert arguments[-3:] == ["--no-browser", "--port", "8899"]


def test_lab_asks_the_net_for_nothing(launched):
    from jupyterlab.handlers.announcements import NeverCheckForUpdate
    from jupyterlab.labapp import LabApp

    run(cli.app, ["lab"])
    app = LabApp()
    app.parse_command_line([option for option in launched[0] if option.startswith("--LabApp")])
    assert app.news_url is None
    assert app.check_for_updates_class is NeverCheckForUpdate
    assert app.extension_manager == "readonly"


def test_lab_puts_copies_into_a_folder_and_keeps_a_students_answers(launched, tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "diffusion_course"
    (package / "_notebooks").mkdir(parents=True)
    for name in ("00_start_here.ipynb", "01_forward_process.ipynb"):
        (package / "_notebooks" / name).write_text("new")
    monkeypatch.setattr(handout, "PACKAGE", package)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "diffusion-course").mkdir()
    (tmp_path / "diffusion-course" / "01_forward_process.ipynb").write_text("my answers")
    assert run(cli.app, ["lab"]).exit_code == 0
    assert f"--ServerApp.root_dir={tmp_path / 'diffusion-course'}" in launched[0]
    assert "--LabApp.default_url=/lab/tree/00_start_here.ipynb" in launched[0]
    assert (tmp_path / "diffusion-course" / "00_start_here.ipynb").read_text() == "new"
    assert (tmp_path / "diffusion-course" / "01_forward_process.ipynb").read_text() == "my answers"


def test_lab_without_jupyterlab_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jupyterlab.labapp", None)
    result = run(cli.app, ["lab"])
    assert result.exit_code == 2
    assert result.stderr == "error: JupyterLab is not installed: pip install 'diffusion-course[lab]'\n"
