"""The schedule studies measure what they say: losses of models whose loss is known, samples that can be drawn again."""

import pytest
import torch

from diffusion_course import CourseError, Noise, NoiseSchedule, schedules
from diffusion_course.denoisers import as_eps
from diffusion_course.experiments import studies, zoo
from diffusion_course.experiments.drawing import draw
from diffusion_course.experiments.studies import Lab
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
    """The shipped flow network in the place of all eps networks, and no full data set."""
    flow = zoo.load("mnist-flow")
    monkeypatch.setattr(zoo, "load", lambda name, device="cpu": flow)
    return flow


def test_the_judge_is_shown_the_samples_of_the_row_s_own_grid_and_noise(small, monkeypatch):
    seen = []
    monkeypatch.setattr(study, "quality", lambda *given: seen.append(given) or {"frechet": 1.0})
    row = study.measure_samples(
        {"data": "mnist", "schedule": "linear", "steps": 2, "n": 24, "seed": 3}, Lab()
    )
    want = draw(small, 24, sigmas=study.strided_grid("linear", 2), step=ddpm, seed=3)
    ((images, labels, *_),) = seen
    torch.testing.assert_close(images, want.images)
    assert torch.equal(labels, want.labels)
    assert row == {"frechet": 1.0}


def test_a_row_of_losses_uses_each_image_s_own_label(small, few_digits, monkeypatch):
    monkeypatch.setattr(study, "TIMES", (300, 700))
    row = study.measure_loss({"data": "mnist", "schedule": "linear", "n": 12, "seed": 1}, Lab())
    images, labels = study.test_images("mnist", 12, 1, torch.device("cpu"))
    model = as_eps(small.given(labels), LINEAR)
    t = torch.full((12,), 700)
    eps = Noise(1).like(images)
    ab = LINEAR.alpha_bar[699]
    x_t = (ab.sqrt() * images + (1 - ab).sqrt() * eps).float()
    assert row["loss"][1] == pytest.approx(((model(x_t, t) - eps) ** 2).mean().item(), rel=1e-3)


def test_no_two_seeds_share_a_test_image(few_digits):
    parts = [study.test_images("mnist", 50, seed, torch.device("cpu")) for seed in (0, 1, 2)]
    everything = torch.cat([images for images, _ in parts]).flatten(1)
    assert len(everything.unique(dim=0)) == 150
    again = study.test_images("mnist", 50, 1, torch.device("cpu"))
    assert torch.equal(again[0], parts[1][0])


@pytest.mark.parametrize("name", ["loss-per-t", "schedules"])
def test_the_settings_are_within_their_budget(name):
    settings = studies.get(name).settings
    evaluations = sum(s["n"] * s.get("steps", len(study.TIMES)) for s in settings)
    assert evaluations <= {"loss-per-t": 400_000, "schedules": 3_300_000}[name]


def test_an_unknown_schedule_is_named():
    setting = {"data": "mnist", "schedule": "cosin", "steps": 1, "n": 1, "seed": 0}
    with pytest.raises(CourseError, match="unknown schedule 'cosin'"):
        study.measure_samples(setting, Lab())
