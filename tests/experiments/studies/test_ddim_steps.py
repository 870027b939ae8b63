"""DDIM's distance to the converged solution: grids are those named, errors are distances to the limit."""

import pytest
import torch

from diffusion_course import samplers
from diffusion_course.experiments import data
from diffusion_course.experiments.studies import Lab, ddim_steps, equal_cost


def test_ddims_grids_share_their_ends():
    ends = {tuple(ddim_steps.ddim_grid(name, 9)[[0, -2, -1]].tolist()) for name in ("uniform", "quadratic")}
    assert len(ends) == 1
    karras = ddim_steps.ddim_grid("karras", 9)[[0, -2, -1]].tolist()
    assert karras == pytest.approx(ends.pop())


def test_a_schedule_of_few_unscaled_betas_never_reaches_noise():
    first = {n: ddim_steps.ddim_grid("own betas", n)[0].item() for n in (50, 1000)}
    assert len(ddim_steps.ddim_grid("own betas", 50)) == 51
    assert first[50] < 1 < 30 < first[1000]


@pytest.fixture
def ten_images(monkeypatch):
    """Ten images in place of all."""
    real = data.load
    monkeypatch.setattr(data, "load", lambda name, split, size: real(name, split, limit=10))


def test_errors_are_distances_to_the_limit_and_shrink_with_the_steps(ten_images):
    lab = Lab()
    setting = {"denoiser": "exact", "grid": "quadratic", "n": 3, "training seed": 0, "seed": 0}
    errors = {
        n: torch.tensor(ddim_steps.measure_error(setting | {"steps": n}, lab)["errors"]) for n in (100, 200)
    }
    assert torch.allclose(errors[100] / errors[200], torch.tensor(2.0), rtol=0.1)  # Euler is of first order
    images = ddim_steps.solve(setting, ddim_steps.ddim_grid("quadratic", 100), lab)
    limit = ddim_steps.solve(setting, ddim_steps.ddim_grid("quadratic", 300), lab, samplers.heun)
    rms = (images - limit).square().mean((1, 2, 3)).sqrt()
    torch.testing.assert_close(errors[100], rms.float(), rtol=0.02, atol=0)
    few = ddim_steps.measure_error(setting | {"steps": 100}, lab, n=2)
    assert few["errors"] == pytest.approx(errors[100][:2].tolist(), rel=1e-3)
    assert few["error"] == pytest.approx(min(few["errors"]), rel=1e-2)  # torch's median of two


def test_a_networks_errors_come_with_the_judges_count(tiny, monkeypatch):
    monkeypatch.setattr(ddim_steps, "FINE", 4)
    setting = {"denoiser": "mnist-edm", "grid": "own betas", "steps": 2, "n": 2, "seed": 0}
    result = ddim_steps.measure_error(setting, Lab())
    assert len(result["errors"]) == 2
    assert result["recognised"]["n"] == 2


def test_full_precision_gives_back_what_was_set():
    before = torch.backends.cudnn.allow_tf32
    with equal_cost.full_precision():
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before
