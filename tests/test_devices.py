"""A device is chosen before any work, and one that cannot be had is told in one line."""

import pytest
import torch

from diffusion_course import CourseError, devices


@pytest.mark.parametrize(
    "name",
    [
        "gpu",
        "",
        "cuda:x",
        "cuda:-1",
        "cpu:" + "9" * 30,
        "meta",
        "mps",
        "xla",
        "cuda:99",
        "0",
        0,
        torch.device("mps"),
    ],
)
def test_a_device_that_cannot_be_had(name):
    with pytest.raises(CourseError, match="device") as caught:
        devices.choose(name)
    assert "\n" not in str(caught.value)


def test_the_cpu_and_the_default():
    assert devices.choose("cpu") == devices.choose(torch.device("cpu")) == torch.device("cpu")
    assert devices.choose().type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert "CPU threads" in devices.device_name(torch.device("cpu"))


def test_a_gpu_is_taken_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices.choose() == torch.device("cuda")
    assert devices.choose("cuda:1") == torch.device("cuda:1")
    with pytest.raises(CourseError, match="torch sees 2 GPUs"):
        devices.choose("cuda:2")
