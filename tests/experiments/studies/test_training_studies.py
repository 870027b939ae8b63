"""The studies of networks that do not ship (steps, losses, churn-and-quality): the right network, grid and variance in each row."""

import pytest
import torch

from diffusion_course import NoiseSchedule, samplers, schedules
from diffusion_course.experiments import zoo
from diffusion_course.experiments.config import read_config
from diffusion_course.experiments.drawing import draw
from diffusion_course.experiments.studies import churn, losses, steps
from diffusion_course.experiments.studies.lab import Missing


@pytest.fixture(autouse=True)
def untied(monkeypatch):
    """The tiny runs of these tests have another recipe than the networks that ship: no network ships."""
    monkeypatch.setattr(zoo, "names", lambda: ["mnist-judge", "fashion-mnist-judge"])


@pytest.fixture
def judged(monkeypatch):
    """What quality is asked about, in place of its numbers."""
    seen = {}

    def quality(images, labels, data_name, device):
        seen.update(images=images, labels=labels, data=data_name)
        return {"frechet": 1.0}

    for module in (steps, losses, churn):
        monkeypatch.setattr(module, "quality", quality)
    return seen


def test_the_configs_of_the_studies_have_their_chains():
    for setting in steps.STUDIES["steps"].settings:
        config = read_config(steps.network_name(setting["data"], setting["T"]))
        assert (config.data, config.noise_schedule.T) == (setting["data"], setting["T"])
        first = read_config(f"{setting['data']}-eps-cosine")
        assert (config.recipe, config.net) == (first.recipe, first.net)
    simple, hybrid = read_config(losses.SIMPLE), read_config(losses.HYBRID)
    assert simple.recipe == hybrid.recipe
    assert (simple.loss.kind, hybrid.loss.kind) == ("simple", "hybrid")


def test_a_chain_is_sampled_with_all_its_steps(lab, run, judged, few_digits):
    run("mnist-eps-cosine-t100-seed-2/mnist-eps-cosine-t100-seed-2.safetensors", seed=2, schedule={"T": 100})
    row = {"data": "mnist", "T": 100, "n": 3, "images": 2, "training seed": 2, "seed": 2}
    result = steps.measure(row, lab)
    network = lab.network("mnist-eps-cosine-t100", 2)
    grid = NoiseSchedule.from_betas(schedules.cosine(100)).grid()
    assert len(grid) == 101
    want = draw(network, 3, sigmas=grid, step=samplers.ddpm, seed=2)
    torch.testing.assert_close(judged["images"], want.images)
    assert {"loss", "bits per dim, small", "bits per dim, large", "frechet"} <= result.keys()
    with pytest.raises(Missing, match="train fashion-mnist-eps-cosine-t100 --seed 1"):
        steps.measure({**row, "data": "fashion-mnist", "training seed": 1}, lab)


HYBRID = {"loss": "hybrid", "net": {"learned_variance": True}}


def test_samples_have_the_rows_variance(lab, run, judged, few_digits):
    run("mnist-learned-variance/mnist-learned-variance.safetensors", seed=0, **HYBRID)
    made = {}
    for variance in ("small", "large", "learned"):
        row = {
            "model": losses.HYBRID,
            "variance": variance,
            "steps": 5,
            "n": 4,
            "training seed": 0,
            "seed": 0,
        }
        assert losses.measure(row, lab) == {"frechet": 1.0}
        assert judged["labels"].tolist() == [0, 1, 2, 3]
        made[variance] = judged["images"]
    network = lab.network(losses.HYBRID)
    grid = losses.COSINE.grid(schedules.uniform_timesteps(1000, 5))
    torch.testing.assert_close(made["small"], draw(network, 4, sigmas=grid, step=samplers.ddpm).images)
    torch.testing.assert_close(made["large"], draw(network, 4, sigmas=grid, step=samplers.ddpm_large).images)
    assert not torch.allclose(made["learned"], made["small"], atol=1e-3)
    for weights in network.net.last[-1].parameters():  # the half that answers v: -1 is the small variance
        weights[4 * 4 :] = 0.0
    network.net.last[-1].bias[4 * 4 :] = -1.0
    network.net.gain.weight[1:], network.net.gain.bias[1:] = 0.0, 0.0
    torch.testing.assert_close(losses.images(row, lab), made["small"], atol=1e-3, rtol=0)


def test_the_bound_is_measured_under_every_variance_of_the_network(lab, run, monkeypatch, few_digits):
    monkeypatch.setattr(losses, "COSINE", NoiseSchedule.from_betas(schedules.cosine(20)))
    run("mnist-learned-variance-seed-1/mnist-learned-variance-seed-1.safetensors", **HYBRID)
    run("mnist-eps-cosine-seed-1/mnist-eps-cosine-seed-1.safetensors")
    row = {"variance": None, "steps": None, "n": 2, "training seed": 1, "seed": 1}
    assert "bits per dim, learned" in losses.measure({**row, "model": losses.HYBRID}, lab)
    assert "bits per dim, learned" not in losses.measure({**row, "model": losses.SIMPLE}, lab)


def test_a_snapshot_is_sampled_with_the_rows_churn(lab, run, judged):
    run("mnist-edm-epochs-seed-0/mnist-edm-03-epochs.safetensors", model="edm", seed=0)
    row = {"model": "mnist-edm", "epochs": 3, "sampler": "churn 10", "evaluations": 9, "n": 3}
    result = churn.measure({**row, "training seed": 0, "seed": 0}, lab)
    assert (result["steps"], result["nfe"]) == (5, 9)
    step = samplers.edm(10, 0.05, 50, 1.003, num_steps=5)
    want = draw(lab.snapshot("mnist-edm", 3), 3, 1.0, schedules.karras(5), step)
    torch.testing.assert_close(judged["images"], want.images)
    assert {s["epochs"] for s in churn.STUDIES["churn-and-quality"].settings} == {1, 3, 10, 25}
