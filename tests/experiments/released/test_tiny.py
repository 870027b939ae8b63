"""A pipeline of random weights: it is told texts, it samples, and its latents become images; without diffusers that is said."""

import builtins

import pytest
import torch

from diffusion_course import CourseError, Noise, sample, schedules
from diffusion_course.experiments.released import tiny
from diffusion_course.guidance import cfg


def test_what_is_told_changes_the_image():
    pytest.importorskip("diffusers", reason="diffusers is not installed")
    D = tiny.pipeline()
    sigmas = schedules.karras(3, 0.03, 14.6)
    start = sigmas[0] * Noise(0).randn(*D.shape(1))
    cat, dog = (sample(cfg(D.given(text), D.given(""), 7.5), start, sigmas) for text in ("кошка", "dog"))
    assert not torch.allclose(cat, dog, atol=1e-4)
    assert D.decode(cat).shape == (1, 3, 64, 64)
    assert torch.equal(tiny.pipeline().embed(["cat"]), D.embed(["cat"]))
    assert tiny.tokens(["", "a text that is longer than the tokens"]).shape == (2, tiny.LENGTH)


def test_without_diffusers_one_line_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def importing(name, *rest):
        if name == "diffusers":
            raise ImportError
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", importing)
    with pytest.raises(CourseError, match=r'pip install "diffusion-course\[hub\]"'):
        tiny.pipeline()
