"""The schedule studies measure what they say: losses of models whose loss is known, samples that can be drawn again."""

import pytest
import torch

from diffusion_course import CourseError, Noise, NoiseSchedule, schedules
from diffusion_course.denoisers import as_eps
from diffusion_course.experiments import data, studies, zoo
from diffusion_course.experiments.drawing import draw
from diffusion_course.experiments.studies import schedules as study
from diffusion_course.samplers import ddpm

LINEAR = NoiseSchedule.from_betas(schedules.linear(1000))


def test_the_loss_of_models_whose_loss_is_known():
    x0 = torch.randn(400, 1, 5, 4, generator=torch.Generator().manual_seed(0))
    blind = study.loss_per_t(lambda x, t: torch.zeros_like(x), x0, LINEAR, (1, 500, 1000))
    for loss, error in zip(blind["loss"], blind["standard error"], strict=True):
        assert abs(loss - 1) < 4 * error  # E eps^2 = 1
        assert error == pytest.approx((2 / 20 / 400) ** 0.5, rel=0.2)  # var eps^2 = 2, 20 pixels, 400 images
    # For x0 ~ N(0, I) the best answer is sqrt(1 - alpha_bar) x_t, and its loss alpha_bar.
    best = study.loss_per_t(
        lambda x, t: LINEAR.take(LINEAR.one_minus_alpha_bar.sqrt(), t, x) * x, x0, LINEAR, (1, 300, 1000)
    )
    for t, loss, error in zip(best["t"], best["loss"], best["standard error"], strict=True):
        assert abs(loss - LINEAR.alpha_bar[t - 1]) < 4 * error + 1e-6


def test_the_grid_visits_the_times_of_the_schedule():
    grid = study.strided_grid("cosine", 100)
    cosine = NoiseSchedule.from_betas(schedules.cosine(1000))
    assert len(grid) == 101
    assert grid[0] == cosine.sigma(1000)
    assert grid[-2] == cosine.sigma(1)
    assert grid[-1] == 0
    assert torch.equal(study.strided_grid("linear", 1000)[:-1], LINEAR.sigmas.flip(0))


@pytest.fixture
def small(monkeypatch):
    """The shipped flow network in the place of all eps networks, two steps, and no full data set."""
    flow = zoo.load("mnist-flow")
    monkeypatch.setattr(study.zoo, "load", lambda name, device="cpu": flow)
    quality = {"frechet standard error": 0.0, "floor": 0.0}
    monkeypatch.setattr(study, "quality", lambda images, *rest: quality | {"frechet": float(len(images))})
    return flow


def test_a_row_of_samples_can_be_drawn_again(small):
    setting = {"data": "mnist", "schedule": "linear", "steps": 20, "n": 24, "seed": 3}
    row = study.measure_samples(setting, torch.device("cpu"))
    assert row["recognised"]["n"] == len(row["each"]) == 24
    assert row["recognised"]["share"] == row["each"].count("1") / 24
    assert row[study.FIRST]["frechet"] == row[study.FIRST]["n"] == 24  # fewer than 100 were drawn
    first = draw(small, 8, sigmas=study.strided_grid("linear", 20), step=ddpm, seed=3)
    judged = zoo.judge("mnist")(first.images.float()).argmax(1) == first.labels
    assert "".join("1" if right else "0" for right in judged) == row["each"][:8]


def test_a_row_of_losses_uses_each_image_s_own_label(small, monkeypatch):
    digits = data.load("mnist-5k", "test", limit=12)
    monkeypatch.setattr(study.data, "load", lambda name, split, limit: digits)
    monkeypatch.setattr(study, "TIMES", (300, 700))
    row = study.measure_loss({"data": "mnist", "schedule": "linear", "n": 12, "seed": 1}, torch.device("cpu"))
    model = as_eps(small.given(digits.labels), LINEAR)
    t = torch.full((12,), 700)
    eps = Noise(1).like(digits.images)
    ab = LINEAR.alpha_bar[699]
    x_t = (ab.sqrt() * digits.images + (1 - ab).sqrt() * eps).float()
    assert row["loss"][1] == pytest.approx(((model(x_t, t) - eps) ** 2).mean().item(), rel=1e-3)


@pytest.mark.parametrize("name", ["loss-per-t", "schedules"])
def test_the_settings_are_distinct_and_within_their_budget(name):
    settings = studies.get(name).settings
    assert len({tuple(setting.items()) for setting in settings}) == len(settings)
    evaluations = sum(s["n"] * s.get("steps", len(study.TIMES)) for s in settings)
    assert evaluations <= {"loss-per-t": 60_000, "schedules": 1_040_000}[name]


def test_an_unknown_schedule_is_named():
    setting = {"data": "mnist", "schedule": "cosin", "steps": 1, "n": 1, "seed": 0}
    with pytest.raises(CourseError, match="unknown schedule 'cosin'"):
        study.measure_samples(setting, torch.device("cpu"))
