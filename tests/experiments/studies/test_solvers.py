"""The solver studies: equal cost is equal, grids and samplers are those named, errors are distances to the limit."""

import pytest
import torch

from diffusion_course import NoiseSchedule, samplers, schedules
from diffusion_course.denoisers import GaussianMixture
from diffusion_course.experiments import studies
from diffusion_course.experiments.drawing import draw
from diffusion_course.experiments.studies import Lab, equal_cost, exact_solvers, solvers
from diffusion_course.noise import Noise


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
    settings = [s for s in studies.get("solvers").settings if s["model"] not in exact_solvers.DATA]
    assert len(settings) == 3 * 4 * len(solvers.ROWS)
    assert {s["evaluations"] for s in settings} == {10, 20, 40, 80}
    assert {"euler", "eta 1", "heun", "churn", "dpmpp_2m"} <= {s["sampler"] for s in settings}


@pytest.mark.parametrize("sampler", equal_cost.STEPS)
@pytest.mark.parametrize("evaluations", [1, 10, 11])
def test_a_budget_is_used_up_and_not_exceeded(sampler, evaluations):
    D = GaussianMixture(torch.zeros(1, 3), 1.0)
    spent = {}
    steps, nfe = equal_cost.affordable(sampler, evaluations)
    for n in (steps, steps + 1):
        grid, step = schedules.karras(n), equal_cost.STEPS[sampler]
        spent[n] = samplers.trajectory(D, torch.ones(2, 3), grid, step, Noise(0)).nfe
    assert spent[steps] == nfe <= evaluations < spent[steps + 1]


@pytest.mark.parametrize("name", equal_cost.GRIDS)
def test_a_grid_has_its_steps(name):
    grid = equal_cost.GRIDS[name](10)
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


@pytest.mark.parametrize("sampler", equal_cost.STEPS)
def test_a_few_images_of_a_row_are_its_first(tiny, sampler):
    wanted = row(sampler=sampler, evaluations=5)
    torch.testing.assert_close(solvers.samples(wanted, 2).images, solvers.samples(wanted).images[:2])


def test_a_row_is_measured_on_all_its_images(tiny, monkeypatch):
    seen = {}

    def quality(images, labels, data_name, device):
        seen.update(n=len(images), data=data_name)
        return {"recognised": {"share": 1.0}}

    monkeypatch.setattr(solvers, "quality", quality)
    monkeypatch.setattr(equal_cost, "FINE", 3)
    result = solvers.measure(row(evaluations=6, n=70), Lab())
    assert seen == {"n": 70, "data": "mnist"}
    assert (result["steps"], result["nfe"]) == (3, 5)
    assert 0 <= result["recognised of the first 60"] <= 60
    assert len(result["distances"]) == 70
    result = solvers.measure(row(evaluations=6, n=5, sampler="eta 1"), Lab())
    assert "distance" not in result  # fresh noise has no solution to be compared with


def test_distances_shrink_with_the_steps_to_the_solution_from_the_same_noise(tiny, monkeypatch):
    lab = Lab()
    monkeypatch.setattr(equal_cost, "FINE", 50)

    def distance(evaluations, **changes):
        wanted = row(sampler="euler", evaluations=evaluations, n=3, **changes)
        return equal_cost.distances(solvers.images(wanted, lab).images, solvers.solution(wanted, lab, 3))[
            "distance"
        ]

    for grid in ("karras", "uniform"):
        few, more = distance(12, grid=grid), distance(48, grid=grid)
        assert more < few / 2.5  # Euler is of first order
    keys = [key for key in lab._held if key[0] == "solution"]
    assert len(keys) == 2  # one for each first sigma, whatever the sampler
