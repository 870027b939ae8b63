"""The study of DDIM: its rows are what they say, and a few samples of a row are the row's own."""

from pathlib import Path

import pytest
import torch

from diffusion_course import NoiseSchedule, samplers, schedules
from diffusion_course.experiments import zoo
from diffusion_course.experiments.drawing import draw
from diffusion_course.experiments.studies import Lab, ddim

SETTINGS = ddim.STUDIES["ddim"].settings


def test_each_model_has_every_eta_and_number_of_steps_and_every_grid():
    assert len(SETTINGS) == 3 * (2 * (12 + 6) + 4)
    for model in ("mnist-eps-cosine", "mnist-eps-linear"):
        rows = [row for row in SETTINGS if row["model"] == model]
        assert {(r["eta"], r["steps"]) for r in rows if r["timesteps"] == "uniform"} == {
            (eta, steps) for eta in (0.0, 0.5, 1.0) for steps in (5, 10, 20, 50)
        }
        assert {r["timesteps"] for r in rows if r["steps"] == 5} == set(ddim.TIMESTEPS)
    assert len({row["n"] for row in SETTINGS}) == 1


@pytest.mark.parametrize("model", ["mnist-eps-cosine", "mnist-eps-linear"])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_the_images_are_those_of_the_rows_sampler_and_grid(tiny, model, eta):
    row = ddim.setting(model, eta, 3, "trailing", n=4)
    schedule = NoiseSchedule.from_betas(schedules.by_name(model.removeprefix("mnist-eps-"), 1000))
    grid = schedule.grid(schedules.trailing_timesteps(1000, 3))
    want = draw(tiny(model), 4, sigmas=grid, step=samplers.ddim(eta))
    got = ddim.samples(row)
    torch.testing.assert_close(got.images, want.images)
    assert got.labels.tolist() == [0, 1, 2, 3]
    other = ddim.samples(ddim.setting(model, 1.0 - eta, 3, "trailing", n=4))
    assert not torch.allclose(got.images, other.images)


def test_a_few_images_of_a_row_are_its_first(tiny):
    row = ddim.setting("mnist-eps-cosine", 1.0, 2, n=7)
    torch.testing.assert_close(ddim.samples(row, 3).images, ddim.samples(row).images[:3])


def test_a_row_is_measured_on_all_its_images(tiny, monkeypatch):
    seen = {}

    def quality(images, labels, data_name, device):
        seen.update(images=images, labels=labels, data=data_name)
        return {"recognised": {"share": 1.0}}

    monkeypatch.setattr(ddim, "quality", quality)
    result = ddim.measure(ddim.setting("mnist-eps-linear", 0.5, 2, n=5), Lab())
    assert len(seen["images"]) == len(seen["labels"]) == 5
    assert seen["data"] == "mnist"
    assert result["mean pixel"] == pytest.approx(seen["images"].mean().item(), abs=1e-4)
    assert result["recognised"] == {"share": 1.0}


def test_the_eps_models_are_on_the_schedules_that_the_study_samples_them_with():
    folder = Path(zoo.__file__).parent.parent / "configs"
    for model, schedule in ddim.SCHEDULES.items():
        if model != "mnist-edm":
            assert f"model: eps-{schedule}\n" in (folder / f"{model}.yaml").read_text()
