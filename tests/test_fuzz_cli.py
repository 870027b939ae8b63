"""Whatever is typed, the command line answers: never a traceback, and a mistake is exit code 2 with a line that says it.

Nothing heavy runs: where training, sampling, building, grading and JupyterLab would begin, they end.
"""

import functools
import os

import numpy as np
import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from diffusion_course import cli
from diffusion_course.classroom import build, doctor, handout, release
from diffusion_course.classroom.grading import sandbox, submissions
from diffusion_course.experiments import data, downloads, picture_files, runs, sample_command, zoo
from diffusion_course.experiments.studies import journal

COMMANDS = typer.main.get_command(cli.app).commands
# What people type, and what they mistype: names, numbers at the edges and beyond, paths of every kind.
WORDS = (
    *(
        "mnist-flow",
        "mnist-flwo",
        "mnist-judge",
        "solvers",
        "ddim",
        "01",
        "99",
        "01-diffuse",
        "plain",
        "zero",
        "dask",
    ),
    *(
        "ok.yaml",
        "bad.yaml",
        "list.yaml",
        "latin1.yaml",
        "none.yaml",
        "bad.npz",
        "stats.npz",
        "digits",
        "digits:test",
        "fashion-mnist",
        "ok.safetensors",
        "x.png",
        "x.jpg",
        "sub/x.png",
    ),
    *("0", "1", "-1", "45", "401", "1.5", "1e400", "nan", "inf", "-inf", "9" * 25, "9" * 5000, "٣", ""),
    *("cpu", "cuda", "cuda:0", "cuda:99", "cuda:x", "gpu", "mps", "meta", "cpu:99999999999999999999"),
    *(
        ".",
        "..",
        "/",
        "~",
        "~/x.png",
        "~nobody-here/x",
        "file/x.png",
        "/proc/x.png",
        "/dev/null",
        "folder",
        "a" * 300,
    ),
    *(
        "\0",
        "a\nb.png",
        "$x$.png",
        "\udcff.png",
        "{}",
        "%s",
        "\\",
        "--",
        "-",
        "--out=",
        "--count=1",
        "zip.zip",
    ),
)

RIGHT = {
    **{
        "config": "ok.yaml",
        "weights": "mnist-flow",
        "names": "ddim",
        "chapters": "01",
        "submissions": "folder",
        "a": "mnist-flow",
        "b": "zip.zip",
    },
    **{
        "out": "x.png",
        "device": "cpu",
        "guidance": "1.5",
        "hide": "01-snr",
        "form": "plain",
        "library": "zero",
    },
    **{
        "steps": "1",
        "count": "1",
        "seed": "1",
        "timeout": "1",
        "jobs": "1",
        "cell_seconds": "1",
        "backend": "loky",
        "dims": "64",
        "judge": "mnist",
        "sampler": "heun",
        "grid": "loglinear",
        "columns": "3",
        "classes": "3",
        "texts": "a thin seven",
    },
}
ODD = st.one_of(st.sampled_from(WORDS), st.text(max_size=8))


@st.composite
def lines(draw):
    """A command with a word for what it wants and some of its options, two words in three right; now and then one too many."""
    name = draw(st.sampled_from(sorted(COMMANDS)))
    words = [name]
    for parameter in COMMANDS[name].params:
        right = st.just(RIGHT.get(parameter.name, "folder"))
        word = draw(st.one_of(right, right, ODD))
        if parameter.param_type_name == "argument":
            words.append(word)
        elif parameter.required or draw(st.integers(0, 3)) == 0:
            words += [parameter.opts[0], *([] if parameter.is_flag else [word])]
    return words[: draw(st.sampled_from([1, *[len(words)] * 9]))] + draw(
        st.sampled_from([[], [], [], [], ["--"], ["x"], ["-x"], ["--help"]])
    )


class Begun(Exception):
    """All that was to be checked was checked."""


def begin(*args, **kwargs):
    raise Begun


@pytest.fixture
def nothing_heavy(monkeypatch, tmp_path):
    from jupyterlab.labapp import LabApp

    (tmp_path / "ok.yaml").write_text(
        "model: flow\ndata: digits\nnet: {image_size: 8, widths: [8]}\nrecipe: {steps: 2}\n"
    )
    (tmp_path / "bad.yaml").write_text("model: flow\ndata: digits\nrecipe: 2026-02-31\n")
    (tmp_path / "list.yaml").write_text("- [flow]\n")
    (tmp_path / "latin1.yaml").write_bytes("# é".encode("latin-1"))
    for name in ("file", "zip.zip", "ok.safetensors", "bad.npz"):
        (tmp_path / name).write_text("x")
    (tmp_path / "folder").mkdir()
    np.savez(tmp_path / "stats.npz", mu=np.zeros(64), sigma=np.eye(64))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    isolation = sandbox.available()
    for module, name in (
        (LabApp, "launch_instance"),
        (data, "load"),
        (data, "stream"),
        (sample_command, "draw_paths"),
        (picture_files, "names"),
        (downloads, "fetch"),
        (zoo, "load"),
        (journal, "Journal"),
        (build, "read"),
        (release, "_file"),
        (release, "_solved"),
        (submissions, "find"),
        (doctor, "facts"),
    ):
        monkeypatch.setattr(module, name, begin)
    monkeypatch.setattr(sandbox, "available", lambda: isolation)
    monkeypatch.setattr(runs, "network", lambda config: None)  # a network of the shipped size takes a while
    monkeypatch.setattr(handout, "edition", functools.cache(handout.edition))
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.mark.usefixtures("nothing_heavy")
@given(lines())
@settings(
    max_examples=500,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_list_of_arguments_ends_in_a_traceback(words):
    result = CliRunner().invoke(cli.app, words)
    assert "Traceback" not in result.output
    if isinstance(result.exception, Begun):
        return
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code in (0, 2)
    if result.exit_code == 2:
        told = [line for line in result.stderr.splitlines() if line.lower().startswith("error: ")]
        assert len(told) == 1, result.output
    assert not [name for name in os.listdir() if name.endswith(".part")]
