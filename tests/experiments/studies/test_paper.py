"""The preset "paper": one line for what is not at hand, and the distance of the metrics where all is."""

import pytest
import torch
from clouds import gaussian

from diffusion_course.denoisers import Preconditioned, edm_param
from diffusion_course.experiments import metrics, zoo
from diffusion_course.experiments.fid.networks import FeatureNet
from diffusion_course.experiments.fid.seen import Seen
from diffusion_course.experiments.metrics.gaussians import Moments, fitted
from diffusion_course.experiments.studies import Lab, get, paper, run


@pytest.fixture
def inception(monkeypatch):
    """The mean colour and the four corners in place of Inception's features."""

    def of(pixels):
        x = pixels.float() / 255
        return torch.cat([x.mean((2, 3)), x[:, 0, ::31, ::31].flatten(1)], 1)

    monkeypatch.setattr(paper, "inception_net", lambda dims, device: FeatureNet("FID", 7, of))


def test_a_line_for_what_is_not_at_hand(tmp_path, monkeypatch, inception):
    monkeypatch.setenv("DIFFUSION_COURSE_DATA", str(tmp_path))
    told = []
    made = run("solvers", tmp_path, Lab(), say=told.append, preset="paper")
    assert made.rows == []
    assert len(told) == 1
    assert told[0].startswith("weights edm-cifar10-32x32-uncond-ve: fetch https://")
    assert not (tmp_path / "solvers-paper.json").exists()


def test_a_row_is_a_distance_to_the_training_pictures(tmp_path, monkeypatch, inception):
    class Grey(torch.nn.Module):
        channels, image_size, num_classes = 3, 32, 0

        def forward(self, x, c_noise):
            return x

    monkeypatch.setattr(zoo, "load", lambda name, device: Preconditioned(Grey(), edm_param()))
    pictures = torch.rand(60, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1

    class Set:
        images = pictures

    lab = Lab(cifar10="somewhere")
    monkeypatch.setattr(Lab, "pictures", lambda self, name, split: Set)
    row = get("solvers", "paper").settings[0] | {"n": 40, "evaluations": 3}
    result = paper.measure(row, lab)
    assert result["floor"] == 0
    assert result["frechet"] > 0
    assert len(result["frechet without each tenth"]) == 10
    assert (result["steps"], result["nfe"]) == (3, 3)


def test_the_distance_is_that_of_the_metrics():
    made, real = gaussian(100, 0), gaussian(200, 1)
    groups = []
    for part in made.split(10):
        moments = Moments(made.shape[1])
        moments.add(part)
        groups.append(moments)
    found = paper.fid(Seen(groups, []), fitted(real))
    assert found["frechet"] == pytest.approx(metrics.frechet(made, real), abs=1e-3)
    assert found["frechet without each tenth"][0] == pytest.approx(metrics.frechet(made[10:], real), abs=1e-3)
