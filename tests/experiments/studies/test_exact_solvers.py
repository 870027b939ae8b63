"""The rows of exact denoisers: of the right data, with the perfect sampler's numbers known."""

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_course import Noise
from diffusion_course.denoisers import DatasetDenoiser, GaussianMixture, blurred
from diffusion_course.experiments import studies
from diffusion_course.experiments.studies import Lab, equal_cost, exact_solvers
from diffusion_course.experiments.studies.lab import Missing


def row(model="exact mnist", sampler="euler", evaluations=20, n=20, grid="karras"):
    held = {"model": model, "sampler": sampler, "grid": grid, "evaluations": evaluations}
    return {**held, "n": n, "training seed": 0, "seed": 0}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(equal_cost, "FINE", 30)


def test_both_sets_have_every_sampler_with_the_ancestral_one_at_every_budget():
    settings = [s for s in studies.get("solvers").settings if s["model"] in exact_solvers.DATA]
    for model in exact_solvers.DATA:
        rows = [s for s in settings if s["model"] == model]
        assert {(s["sampler"], s["evaluations"]) for s in rows if s["grid"] == "karras"} >= {
            (sampler, k) for sampler in ("euler", "eta 1", "heun", "dpmpp_2m") for k in (10, 20, 40, 80)
        }
        assert sum(s["sampler"] == exact_solvers.PERFECT for s in rows) == 1


def test_perfect_samples_are_blurred_pictures_of_the_wanted_classes(few_digits):
    lab = Lab()
    perfect = row(sampler=exact_solvers.PERFECT, evaluations=0, grid="none", n=40)
    result = exact_solvers.measure(perfect, lab)
    assert result["nearest"] == pytest.approx(exact_solvers.BLUR, rel=0.02)
    assert result["recognised"]["share"] >= 0.95
    assert result["nfe"] == 0
    assert "distance" not in result


def test_samples_are_of_their_classes_and_come_nearer_with_more_evaluations(few_digits):
    lab = Lab()
    few, many = (exact_solvers.measure(row(evaluations=k), lab) for k in (10, 80))
    assert many["distance"] < few["distance"] / 4
    assert many["recognised"]["share"] >= 0.9
    assert many["nearest"] == pytest.approx(exact_solvers.BLUR, rel=0.15)
    noisy = exact_solvers.measure(row(sampler="eta 1", evaluations=10), lab)
    assert "distance" not in noisy
    assert noisy["nearest"] < few["nearest"]  # ancestral steps lose variance


def test_cifar10_is_read_from_a_folder_and_sampled_without_classes(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    g = torch.Generator().manual_seed(0)
    for name in ("cat", "dog"):
        (tmp_path / "train" / name).mkdir(parents=True)
        for i in range(3):
            pixels = torch.randint(0, 256, (32, 32, 3), generator=g, dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).save(tmp_path / "train" / name / f"{i}.png")
    lab = Lab(cifar10=str(tmp_path / "train"))
    result = exact_solvers.measure(row("exact cifar10", "dpmpp_2m", 20, 4), lab)
    assert exact_solvers.images(row("exact cifar10", "eta 1", 3, 2), lab).shape == (2, 3, 32, 32)
    assert len(result["distances"]) == 4
    assert "recognised" not in result
    with pytest.raises(Missing, match="--cifar10 PATH"):
        exact_solvers.measure(row("exact cifar10"), Lab())


def test_the_denoiser_is_that_of_the_blurred_pictures(few_digits):
    lab = Lab()
    D, pictures = exact_solvers.denoiser(row(n=20), lab), lab.pictures("mnist")
    x = pictures.images[:20].double() + 0.5 * Noise(0).randn(20, 1, 28, 28, dtype=torch.float64)
    bare = DatasetDenoiser(pictures.images, pictures.labels).given(torch.arange(20) % 10)
    torch.testing.assert_close(D(x, torch.tensor(0.5)), blurred(bare, exact_solvers.BLUR)(x, 0.5))
    threes = pictures.images[pictures.labels == 3].double()
    mixture = GaussianMixture(threes, exact_solvers.BLUR)
    torch.testing.assert_close(D(x, torch.tensor(0.5))[3:4], mixture(x[3:4], 0.5))


def test_nearest_is_the_least_distance(monkeypatch):
    monkeypatch.setattr(exact_solvers, "CHUNK", 2)
    pictures = torch.zeros(5, 1, 2, 2)
    pictures[3] = 1.0
    made = torch.full((1, 1, 2, 2), 0.9)
    assert exact_solvers.nearest(made, pictures).item() == pytest.approx(0.1, rel=1e-5)


def test_the_denoisers_own_error_is_below_what_is_said_of_it():
    """Against the definition, by differences and in the longest floats that the machine has, at the smallest sigma of the table."""
    g = torch.Generator().manual_seed(0)
    pictures = (torch.randint(0, 256, (300, 3, 32, 32), generator=g) / 127.5 - 1).float()
    pictures[1:] = pictures[:1] + 0.01 * pictures[1:]  # near one another, so that many have a weight
    D = blurred(DatasetDenoiser(pictures), exact_solvers.BLUR)
    for sigma in (0.002, 0.5, 80.0):
        x = pictures[:3].double() + sigma * torch.randn(3, 3, 32, 32, generator=g, dtype=torch.float64)
        data, states = (np.asarray(v.flatten(1), dtype=np.longdouble) for v in (pictures, x))
        variance = np.longdouble(sigma) ** 2 + np.longdouble(exact_solvers.BLUR) ** 2
        logs = -((states[:, None] - data) ** 2).sum(2) / (2 * variance)
        weights = np.exp(logs - logs.max(1, keepdims=True))
        mean = (weights / weights.sum(1, keepdims=True)) @ data
        wanted = mean + np.longdouble(exact_solvers.BLUR) ** 2 / variance * (states - mean)
        error = np.abs(D(x, torch.tensor(sigma, dtype=torch.float64)).flatten(1).numpy() - wanted).max()
        assert error < 1e-10
