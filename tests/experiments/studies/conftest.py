"""What the tests of studies share."""

import pytest
import torch

from diffusion_course.experiments import zoo
from diffusion_course.experiments.config import Config
from diffusion_course.experiments.models import finished, network

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
