"""The study of three ways to guide: which networks a row asks, at which noise levels, and the error bars of its neighbours."""

import pytest
import torch

from diffusion_course.experiments import metrics
from diffusion_course.experiments.studies import Lab, guidance_variants


class Counted(torch.nn.Module):
    """A denoiser that remembers the noise levels at which it was asked, with and without a label."""

    def __init__(self, shrink):
        super().__init__()
        self.shrink, self.with_label, self.without = shrink, [], []
        self.net = torch.nn.Identity()
        self.net.num_classes, self.net.channels, self.net.image_size = 10, 1, 8

    def forward(self, x, sigma, labels=None):
        self.without.append(float(sigma))
        return self.shrink * x / (1 + sigma)

    def given(self, labels):
        def D(x, sigma):
            self.with_label.append(float(sigma))
            return x / (1 + sigma)

        return D


@pytest.fixture
def networks(monkeypatch):
    found = {guidance_variants.MODEL: Counted(0.5), guidance_variants.WORSE: Counted(0.1)}
    monkeypatch.setattr(Lab, "network", lambda self, name, seed=0: found[name])
    return found.values()


def row(variant, w):
    return {"variant": variant, "w": w, "steps": 6, "n": 3, "seed": 0, "training seed": 0}


def test_each_variant_asks_its_networks_where_it_guides(networks):
    model, worse = networks
    for variant, w in (("none", 1.0), ("cfg", 2.0), ("interval", 2.0), ("autoguidance", 2.0)):
        for net in networks:
            net.with_label.clear(), net.without.clear()
        guidance_variants.samples(row(variant, w), Lab())
        guided = {"none": 0, "cfg": 6, "autoguidance": 0}
        inside = [s for s in model.with_label if guidance_variants.LOW < s <= guidance_variants.HIGH]
        assert len(model.with_label) == 6
        assert len(model.without) == guided.get(variant, len(inside))
        assert len(worse.with_label) == (6 if variant == "autoguidance" else 0)
    assert 0 < len(inside) < 6


def test_a_scale_of_one_is_no_guidance(networks):
    plain = guidance_variants.samples(row("none", 1.0), Lab()).images
    for variant in ("cfg", "interval", "autoguidance"):
        torch.testing.assert_close(guidance_variants.samples(row(variant, 1.0), Lab()).images, plain)


def test_precision_and_recall_without_each_tenth():
    made, test = torch.randn(2, 60, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = guidance_variants.without_each_tenth(made, test)
    for which, name in enumerate(("precision", "recall")):
        values = found[f"{name} without each tenth"]
        assert len(values) == 10
        assert abs(sum(values) / 10 - metrics.precision_recall(test, made)[which]) < 0.1
