"""The command line: what it says, how fast it says it, and how it ends when something is wrong."""

import errno
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import types

import pytest
import torch
import typer
from typer.testing import CliRunner

from diffusion_course import cli
from diffusion_course.classroom import handout
from diffusion_course.commands import networks, program
from diffusion_course.errors import CourseError
from diffusion_course.experiments.config import read_config

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


COMMANDS = typer.main.get_command(cli.app).commands


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_help_has_groups_and_examples_and_cuts_nothing(columns):
    result = run(cli.app, ["--help"], env={"COLUMNS": columns})
    assert "…" not in result.output
    assert "..." not in result.output.split("Options:")[1]
    words = " ".join(result.output.split())
    for name, command in COMMANDS.items():
        assert f"{name} {command.help.split('. ')[0].split(chr(10))[0].rstrip('.')}" in words
    for group in program.GROUPS:
        assert f"\n{group}:\n" in result.output
    assert "Examples:" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_of_the_help_is_one_the_program_takes(name):
    shown = run(cli.app, [name, "--help"], env={"COLUMNS": "200"}).output
    examples = re.findall(r"^ +diffusion-course (.*)$", shown, re.MULTILINE)
    assert examples
    for example in examples:
        assert example.startswith(name)
        COMMANDS[name].make_context(name, shlex.split(example)[1:])


def test_the_help_says_what_other_data_replace():
    words = " ".join(run(cli.app, ["train", "--help"], env={"COLUMNS": "200"}).output.split())
    told = words.partition("--data SET ")[2].partition("--seed")[0]
    assert "replace those that the config says; num_classes: 0 stays, " in told
    base = read_config("cifar10-edm", data="digits").net
    assert (base.image_size, base.channels, base.num_classes) == (8, 1, 10)


def test_no_option_is_shown_by_its_own_name():
    """typer 0.27 takes such an option for an argument, and then knows no option of that name."""
    options = [
        one for command in COMMANDS.values() for one in command.params if one.param_type_name == "option"
    ]
    assert not [one.name for one in options if one.name.upper() == one.metavar]


def test_version_is_that_of_the_package():
    import diffusion_course

    result = run(cli.app, ["--version"])
    assert (result.exit_code, result.output.strip()) == (0, diffusion_course.__version__)


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (CourseError("betas: wrong"), 2, "error: betas: wrong\n"),
        (KeyboardInterrupt(), 130, "\nstopped\n"),
        (KeyboardInterrupt("at step 3 of 9"), 130, "\nstopped at step 3 of 9\n"),
        (PermissionError(13, "Permission denied", "a\nb"), 2, "error: Permission denied: a b\n"),
        (MemoryError(), 2, "error: out of memory\n"),
    ],
)
def test_a_mistake_and_ctrl_c_end_in_one_line(monkeypatch, error, code, told):
    from diffusion_course.classroom import doctor

    def fail():
        raise error

    monkeypatch.setattr(doctor, "facts", fail)
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
    assert len(lines) < 32
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


def test_doctor_says_what_to_do_about_each_lack(monkeypatch, tmp_path):
    """A small disk, an NVIDIA driver that torch cannot use, no browser, no sandbox, no notebooks, an extra that is not installed."""
    from importlib import metadata

    from diffusion_course.classroom import doctor
    from diffusion_course.classroom.grading import sandbox

    def nothing():
        raise CourseError("no notebooks")

    def version(name):
        if name == "pytorch-fid":
            raise metadata.PackageNotFoundError
        return "1.0"

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/x" if name == "nvidia-smi" else None)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: types.SimpleNamespace(free=1e9))
    monkeypatch.setattr(doctor.metadata, "version", version)
    monkeypatch.setattr(sandbox, "available", lambda: sandbox.Isolation("limits", "no bwrap"))
    monkeypatch.setattr(handout, "names", nothing)
    told = {fact.name: fact.do for fact in doctor.facts()}
    for name, do in {
        "device": "torch",
        "disk": "make room",
        "browser": "install chromium",
        "sandbox": "install bubblewrap",
        "notebooks": "run diffusion-course build",
        "[eval]": "pip install 'diffusion-course[eval]' brings pytorch-fid, for the FID",
    }.items():
        assert do in told[name], name
    assert not told["python"]
    assert (
        doctor.page(doctor.facts())[-1].strip()
        == f"what to do: {sum(map(bool, told.values()))} lines with ->"
    )


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


@pytest.fixture
def wheel(monkeypatch, tmp_path):
    """An installed course with two small notebooks, and the folder where one works."""
    package = tmp_path / "site-packages" / "diffusion_course"
    (package / "_notebooks").mkdir(parents=True)
    for name in ("00_start_here.ipynb", "01_forward_process.ipynb"):
        (package / "_notebooks" / name).write_text('{"cells": []}')
    monkeypatch.setattr(handout, "PACKAGE", package)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def test_lab_with_a_full_disk_leaves_no_half_of_a_notebook(launched, wheel, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = run(cli.app, ["lab", "--folder", "mine"])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: --folder: cannot put the notebooks into {wheel / 'mine'}: ")
    assert list((wheel / "mine").iterdir()) == launched == []


@pytest.mark.parametrize("content", ["", '{"cells": [{"cell_type": "co', "[]", '{"cells": 3}', "\udcff"])
def test_lab_tells_a_notebook_that_was_cut_off_and_keeps_it(launched, wheel, content):
    (wheel / "mine").mkdir()
    old = wheel / "mine" / "01_forward_process.ipynb"
    old.write_text(content, errors="surrogateescape")
    result = run(cli.app, ["lab", "--folder", "mine"])
    assert result.exit_code == 0
    assert result.stderr == f"{old}: damaged or cut off; move it away and start again, to get a new copy\n"
    assert old.read_text(errors="surrogateescape") == content
    assert len(launched) == 1
    old.unlink()
    assert run(cli.app, ["lab", "--folder", "mine"]).stderr == ""


def test_a_tilde_in_a_path_is_the_home_folder(launched, wheel):
    assert run(cli.app, ["lab", "--folder", "~/mine"]).exit_code == 0
    assert (wheel / "home" / "mine" / "00_start_here.ipynb").exists()
    assert not (wheel / "~").exists()


@pytest.fixture
def drawn(monkeypatch):
    """What would have been drawn, (arguments, progress) each; the network is not read."""
    from diffusion_course.experiments import drawing, sample_command, zoo

    calls = []

    def draw_paths(model, count, guidance, device, seed, progress, sigmas, step, asked):
        calls.append((model, count, guidance, seed))
        list(progress(range(2)))
        return drawing.Paths(torch.zeros(31, count, 1, 8, 8), torch.linspace(80, 0, 31))

    monkeypatch.setattr(zoo, "load", lambda name, device: name)
    monkeypatch.setattr(zoo, "config", lambda name: None)
    monkeypatch.setattr(sample_command, "asked", lambda model, n, *rest: (torch.arange(n) % 10, []))
    monkeypatch.setattr(sample_command, "draw_paths", draw_paths)
    return calls


def test_sample_says_at_once_what_it_does_and_writes_a_png(drawn, tmp_path):
    out = tmp_path / "new" / "$x$.PNG"
    result = run(cli.app, ["sample", "$_$.safetensors", "--count", "1", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert result.stdout == f"1 sample: {out}\n"
    assert result.stderr.startswith("reading $_$.safetensors\n")
    assert "2/2" in result.stderr  # the steps, as they go by
    assert out.read_bytes().startswith(b"\x89PNG")
    assert drawn == [("$_$.safetensors", 1, 2.0, 0)]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--out", "x.jpg"], "error: --out: got x.jpg, want a name that ends in .png, .gif or .webp\n"),
        (["--out", "."], "error: --out: got ., want a name that ends in .png, .gif or .webp\n"),
        (["--out", "x.gif"], "error: --out: a .gif is a film; add --film, or "),
        (["--sampler", "huen"], "error: unknown --sampler 'huen': did you mean 'heun'?"),
        (["--grid", "cosin"], "error: unknown --grid 'cosin': did you mean 'cosine'?"),
        (["--grid", "cosine", "--steps", "1001"], "error: --steps: got 1001, want at most 1000"),
        (["--device", "cuda:99"], "error: device: "),
        (
            ["--out", "folder.png"],
            "error: cannot write folder.png: it is a folder; want the name of a file\n",
        ),
        (["--out", "file/x.png"], "error: cannot write file/x.png: "),
        (["--film", "--count", "45"], "error: --count: got 45, want at most 44 with --film"),
        (["--guidance", "inf"], "Error: Invalid value for '--guidance': 'inf' is not a finite number.\n"),
        (["--guidance", "nan"], "Error: Invalid value for '--guidance': 'nan' is not a finite number.\n"),
        (["--seed", str(2**32)], "Error: Invalid value for '--seed'"),
    ],
)
def test_sample_refuses_before_it_draws(drawn, tmp_path, monkeypatch, options, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    result = run(cli.app, ["sample", "mnist-flow", *options])
    assert result.exit_code == 2
    assert told in result.stderr
    assert drawn == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.png"]


def test_the_largest_film_is_drawn(drawn, tmp_path):
    out = tmp_path / "x.png"
    assert run(cli.app, ["sample", "mnist-flow", "--film", "--count", "44", "--out", str(out)]).exit_code == 0
    assert out.exists()


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        ("sample mnist-f", {"mnist-flow", "mnist-flow-long"}),
        ("sample ", {"mnist-flow", "mnist-text", "fashion-mnist-edm"}),
        ("sample mnist-flow --sampler d", {"dpmpp-2m", "ddpm", "ddpm-large"}),
        ("train fashion-mnist-e", {"fashion-mnist-edm"}),
        ("build 0", {"00", "03"}),
        ("release --out x 1", {"10", "12"}),
        ("pro", {"progress"}),
    ],
)
def test_tab_completes_names(words, begins):
    """As bash asks: with the line in the environment. Nothing of torch is read."""
    words = f"diffusion-course {words}"
    env = {
        "_DIFFUSION_COURSE_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - (not words.endswith(" "))),
    }
    shown = run(cli.app, [], prog_name="diffusion-course", env=env).output.split()
    assert begins <= set(shown)
    if not words.endswith(" "):
        assert all(name.startswith(words.split()[-1]) for name in shown)


def test_json_is_what_the_page_says():
    facts = json.loads(run(cli.app, ["doctor", "--json"]).stdout)
    page = run(cli.app, ["doctor"]).stdout
    assert {"course", "torch", "disk", "weights"} <= set(facts)
    for name, fact in facts.items():
        assert f"{name:<12}{fact['found'][:40]}" in page
        assert fact["do"] in page
    listed = json.loads(run(cli.app, ["study", "--json"]).stdout)
    assert [f"{name}: {what}" for name, what in listed.items()] == run(cli.app, ["study"]).stdout.splitlines()


def test_train_shows_the_steps_that_were_done_before(monkeypatch, tmp_path):
    from diffusion_course.experiments import runs

    def train(config, folder, steps, device, progress, say, *options):
        say("resumed at step 114 of 120")
        list(progress(range(114, 120)))
        return {"metrics": {"accuracy": 0.9}}

    monkeypatch.setattr(runs, "train", train)
    result = run(cli.app, ["train", "mnist-flow", "--out", str(tmp_path)])
    assert result.stdout == f"accuracy: 0.9\nweights and card: {tmp_path}\n"
    assert result.stderr.startswith("resumed at step 114 of 120\n")
    assert "114/120" in result.stderr
    assert "120/120" in result.stderr


def test_lab_without_jupyterlab_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jupyterlab.labapp", None)
    result = run(cli.app, ["lab"])
    assert result.exit_code == 2
    assert result.stderr == "error: JupyterLab is not installed: pip install 'diffusion-course[lab]'\n"


def test_what_train_prints_has_no_mark_of_every_sample():
    measured = {
        "recognised": {"share": 0.9, "n": 3},
        "each": "110",
        "frechet without each tenth": [1.0],
        "frechet": 0.5,
    }
    shown = {"recognised": {"share": 0.9, "n": 3}, "frechet": 0.5}
    assert networks.without_marks({"reconstructions": measured, "how": "so"}) == {
        "reconstructions": shown,
        "how": "so",
    }
