"""The setup cell: one line, longer once, the same numbers every time."""

import importlib
import random

import numpy as np
import pytest
import torch

from diffusion_course.errors import CourseError
from diffusion_course.notebook import setup
from diffusion_course.notebook.setup import Setup

module = importlib.import_module("diffusion_course.notebook.setup")  # the name in the package is the function
no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="speaks of a machine without GPU")


@pytest.fixture(autouse=True)
def fresh_kernel(monkeypatch):
    monkeypatch.setattr(module, "_warned", False)


@no_gpu
def test_without_a_gpu_it_says_so_once(capsys):
    setup()
    (first,) = capsys.readouterr().out.splitlines()
    setup()
    (second,) = capsys.readouterr().out.splitlines()
    assert first.startswith(
        (
            "Device: CPU, small preset. No GPU was found, and none is needed",
            "Device: CPU, small preset. Apple",
        )
    )
    assert second == "Device: CPU, small preset."


@no_gpu
def test_colab_users_are_told_how_to_get_a_gpu(capsys):
    setup()
    assert "Runtime > Change runtime type" in capsys.readouterr().out or torch.backends.mps.is_available()


def test_the_large_preset_comes_with_a_gpu(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a test GPU")
    course = setup()
    assert (course.device.type, course.preset) == ("cuda", "large")
    assert capsys.readouterr().out == "Device: a test GPU, large preset.\n"


def test_seeds_make_every_global_generator_repeat():
    draws = []
    for _ in range(2):
        setup(device="cpu", seed=3)
        draws.append((random.random(), np.random.rand(), torch.rand(1).item()))  # noqa: NPY002  the global state is what is tested
    assert draws[0] == draws[1]


def test_pick_follows_the_preset():
    assert Setup(torch.device("cpu"), "small", 0).pick(small=1, large=2) == 1
    assert Setup(torch.device("cpu"), "large", 0).pick(small=1, large=2) == 2


def test_threads_and_backend_stay_as_they_are():
    import matplotlib

    before = torch.get_num_threads(), matplotlib.get_backend()
    setup()
    assert (torch.get_num_threads(), matplotlib.get_backend()) == before


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"device": "mps"}, "no float64"),
        ({"device": "cuda:99"}, "GPUs; take 'cpu'"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
        ({"preset": "smal"}, "did you mean 'small'"),
    ],
)
def test_what_cannot_be_had_is_one_clear_line(asked, message):
    with pytest.raises(CourseError, match=message):
        setup(**asked)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_is_found():
    assert setup().device.type == "cuda"
