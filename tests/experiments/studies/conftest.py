"""What the tests of studies share."""

import functools

import pytest
import torch

from diffusion_course.experiments import data, quality, zoo
from diffusion_course.experiments.config import Config
from diffusion_course.experiments.models import finished, network
from diffusion_course.experiments.studies import Lab

TINY = {"image_size": 28, "patch_size": 4, "widths": [8], "num_classes": 10}


@pytest.fixture
def tiny(monkeypatch):
    """A tiny untrained network in place of the shipped ones."""

    def load(name, device="cpu"):
        torch.manual_seed(0)
        model = name.removeprefix("mnist-")
        config = Config.of({"model": model, "data": "mnist", "net": TINY, "recipe": {"steps": 1}})
        return finished(network(config), config).eval().requires_grad_(False).to(device)

    monkeypatch.setattr(zoo, "load", load)
    return load


@pytest.fixture
def lab(tmp_path):
    """A lab on the CPU, whose folder of runs is empty."""
    return Lab(runs=tmp_path / "runs")


@pytest.fixture
def run(tmp_path):
    """A function (name, model, seed) that writes a tiny untrained network as a run of `train` would."""

    def write(name, model="eps-cosine", seed=1, steps=1, **more):
        net = {**TINY, **more.pop("net", {})}
        recipe = {"steps": steps, "seed": seed}
        config = Config.of({"model": model, "data": "mnist", "net": net, "recipe": recipe, **more})
        torch.manual_seed(seed)
        made = network(config)
        for weights in made.parameters():  # its last layers start at 0, and would not see labels
            torch.nn.init.normal_(weights, std=0.05)
        path = tmp_path / "runs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        zoo.write(path, made, config)
        return path

    return write


# What `few_digits` is measured against: made once for all tests, and apart from what the whole data set gives.
SMALL_REFERENCE = functools.cache(quality.reference.__wrapped__)
SMALL_REAL = functools.cache(quality._real.__wrapped__)


@pytest.fixture
def few_digits(monkeypatch):
    """Some of the embedded digits in place of MNIST, so that a reference is made in a second."""
    load = data.load

    def small(name, split="train", size=None, limit=None, root=None, channels=3):
        digits = load("mnist-5k", split)
        rows = torch.cat([(digits.labels == c).nonzero()[:40, 0] for c in range(10)])
        return data.Dataset(name, digits.images[rows], digits.labels[rows], digits.classes)

    monkeypatch.setattr(data, "load", small)
    monkeypatch.setattr(quality, "reference", SMALL_REFERENCE)
    monkeypatch.setattr(quality, "_real", SMALL_REAL)
