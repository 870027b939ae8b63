"""What the tests of studies share."""

import pytest
import torch

from diffusion_course.experiments import zoo
from diffusion_course.experiments.models import build

TINY = {"image_size": 28, "patch_size": 4, "widths": [8], "num_classes": 10}


@pytest.fixture
def tiny(monkeypatch):
    """A tiny untrained network in place of the shipped ones."""

    def load(name, device="cpu"):
        torch.manual_seed(0)
        model = build({"model": name.removeprefix("mnist-"), "net": TINY})
        return model.finish(model.net).eval().requires_grad_(False).to(device)

    monkeypatch.setattr(zoo, "load", load)
    return load
