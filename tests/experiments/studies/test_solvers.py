"""The solver studies: equal cost is equal, grids and samplers are those named, errors are distances to the limit."""

import pytest
import torch

from diffusion_course import NoiseSchedule, samplers, schedules
from diffusion_course.denoisers import DatasetDenoiser, GaussianMixture
from diffusion_course.experiments import data, studies
from diffusion_course.experiments.drawing import draw
from diffusion_course.experiments.studies import solvers
from diffusion_course.noise import Noise

CPU = torch.device("cpu")


def row(**changes):
    setting = {
        "model": "mnist-edm",
        "sampler": "heun",
        "grid": "karras",
        "evaluations": 10,
        "n": 4,
        "seed": 0,
    }
    return setting | changes


def test_each_sampler_is_measured_at_each_budget():
    settings = studies.get("solvers").settings
    assert len(settings) == len({tuple(s.items()) for s in settings}) == 4 * len(solvers.ROWS)
    assert {s["evaluations"] for s in settings} == {10, 20, 40, 80}


@pytest.mark.parametrize("sampler", solvers.STEPS)
@pytest.mark.parametrize("evaluations", [1, 10, 11])
def test_a_budget_is_used_up_and_not_exceeded(sampler, evaluations):
    D = GaussianMixture(torch.zeros(1, 3), 1.0)
    spent = {}
    steps, nfe = solvers.affordable(sampler, evaluations)
    for n in (steps, steps + 1):
        grid, step = schedules.karras(n), solvers.STEPS[sampler](n)
        spent[n] = samplers.trajectory(D, torch.ones(2, 3), grid, step, Noise(0)).nfe
    assert spent[steps] == nfe <= evaluations < spent[steps + 1]


@pytest.mark.parametrize("name", solvers.GRIDS)
def test_a_grid_has_its_steps(name):
    grid = solvers.GRIDS[name](10)
    assert grid.shape == (11,)
    assert bool((grid.diff() < 0).all())
    assert grid[-1] == 0


def test_the_straight_grid_has_equal_steps_of_time():
    sigma = solvers.straight(8, 3.0)
    assert sigma[0] == pytest.approx(3.0)
    time = sigma / (1 + sigma)
    torch.testing.assert_close(time.diff(), torch.full((8,), -0.75 / 8, dtype=torch.float64))


def test_the_images_are_those_of_the_rows_sampler_and_grid(tiny):
    got = solvers.samples(row())
    want = draw(tiny("mnist-edm"), 4, sigmas=schedules.karras(5), step=samplers.heun)
    torch.testing.assert_close(got.images, want.images)
    uniform = solvers.samples(row(sampler="euler", grid="uniform"))
    linear = NoiseSchedule.from_betas(schedules.linear(1000))
    ddim_grid = linear.grid(schedules.uniform_timesteps(1000, 10))
    want = draw(tiny("mnist-edm"), 4, sigmas=ddim_grid, step=samplers.ddim(0.0))
    torch.testing.assert_close(uniform.images, want.images)


@pytest.mark.parametrize("sampler", solvers.STEPS)
def test_a_few_images_of_a_row_are_its_first(tiny, sampler):
    wanted = row(sampler=sampler, evaluations=5)
    torch.testing.assert_close(solvers.samples(wanted, 2).images, solvers.samples(wanted).images[:2])


def test_a_row_is_measured_on_all_its_images(tiny, monkeypatch):
    seen = {}

    def quality(images, labels, data_name, device):
        seen.update(n=len(images), data=data_name)
        return {"recognised": {"share": 1.0}}

    monkeypatch.setattr(solvers, "quality", quality)
    result = solvers.measure_quality(row(evaluations=6, n=70), CPU)
    assert seen == {"n": 70, "data": "mnist"}
    assert (result["steps"], result["nfe"]) == (3, 5)
    assert 0 <= result["recognised of the first 60"] <= 60


def test_ddims_grids_share_their_ends():
    ends = {tuple(solvers.ddim_grid(name, 9)[[0, -2, -1]].tolist()) for name in ("uniform", "quadratic")}
    assert len(ends) == 1
    karras = solvers.ddim_grid("karras", 9)[[0, -2, -1]].tolist()
    assert karras == pytest.approx(ends.pop())


def test_a_schedule_of_few_unscaled_betas_never_reaches_noise():
    first = {n: solvers.ddim_grid("own betas", n)[0].item() for n in (50, 1000)}
    assert len(solvers.ddim_grid("own betas", 50)) == 51
    assert first[50] < 1 < 30 < first[1000]


def test_blurred_images_have_the_denoiser_of_their_mixture():
    noise = Noise(0)
    images = noise.randn(6, 1, 3, 3, dtype=torch.float64)
    mixture = GaussianMixture(images, 0.4)
    D = solvers.blurred(images, 0.4)
    for sigma in (0.05, 1.0, 20.0):
        x = images + sigma * noise.like(images)
        torch.testing.assert_close(D(x, sigma), mixture(x, sigma))
    bare = solvers.blurred(images, 1e-9)
    torch.testing.assert_close(bare(x, 2.0), DatasetDenoiser(images)(x, 2.0))


@pytest.fixture
def few_images(monkeypatch):
    """Ten images in place of 1,000."""
    real = data.load
    monkeypatch.setattr(data, "load", lambda name, limit: real(name, limit=10))
    solvers.converged.cache_clear()
    yield
    solvers.converged.cache_clear()


def test_errors_are_distances_to_the_limit_and_shrink_with_the_steps(few_images):
    setting = {"denoiser": "exact", "grid": "quadratic", "n": 3, "seed": 0}
    errors = {
        n: torch.tensor(solvers.measure_error(setting | {"steps": n}, CPU)["errors"]) for n in (100, 200)
    }
    assert torch.allclose(errors[100] / errors[200], torch.tensor(2.0), rtol=0.1)  # Euler is of first order
    images = solvers.solve(setting, solvers.ddim_grid("quadratic", 100), CPU)
    limit = solvers.solve(setting, solvers.ddim_grid("quadratic", 300), CPU, samplers.heun)
    rms = (images - limit).square().mean((1, 2, 3)).sqrt()
    torch.testing.assert_close(errors[100], rms.float(), rtol=0.02, atol=0)
    assert solvers.measure_error(setting | {"steps": 100}, CPU, n=2)["errors"] == pytest.approx(
        errors[100][:2].tolist(), rel=1e-3
    )


def test_a_networks_errors_come_with_the_judges_count(tiny):
    solvers.converged.cache_clear()
    setting = {"denoiser": "mnist-edm", "grid": "own betas", "steps": 2, "n": 2, "seed": 0}
    result = solvers.measure_error(setting, CPU)
    solvers.converged.cache_clear()
    assert len(result["errors"]) == 2
    assert result["recognised"]["n"] == 2
