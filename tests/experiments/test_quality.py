"""The numbers of the tables: on real images they are those of perfect samples, and they fall with what is wrong."""

import pytest
import torch

from diffusion_course.errors import CourseError
from diffusion_course.experiments import data, quality, zoo
from diffusion_course.nets.autoencoder import Autoencoder
from diffusion_course.nets.classifier import NoisyClassifier
from diffusion_course.noise import Noise


@pytest.fixture(scope="module")
def _references():
    """Features of the embedded digits under the name of MNIST, computed once, and gone with this file."""
    for kept in (quality.reference, quality._real):
        kept.cache_clear()
    yield
    for kept in (quality.reference, quality._real):
        kept.cache_clear()


@pytest.fixture
def embedded_mnist(monkeypatch, _references):
    """The embedded 5,000 digits in place of all of MNIST."""
    load = data.load
    monkeypatch.setattr(data, "load", lambda name, split="train", **how: load("mnist-5k", split, **how))


def test_real_digits_score_as_real(embedded_mnist):
    digits = data.load("mnist")
    some = torch.randperm(len(digits), generator=torch.Generator().manual_seed(3))[:300]
    images, labels = digits.images[some], digits.labels[some]
    real = quality.quality(images, labels, "mnist")
    assert real["recognised"]["share"] >= 0.98
    assert real["recognised"]["n"] == len(real["each"]) == 300
    assert real["each"].count("1") / 300 == real["recognised"]["share"]
    assert real["frechet"] < 2 * real["floor"]
    assert 0 < real["frechet standard error"] < real["frechet"]
    assert len(real["frechet without each tenth"]) == 10
    assert min(real["precision"], real["recall"]) > 0.7

    wrong = quality.quality(images, (labels + 1) % 10, "mnist")
    assert wrong["recognised"]["share"] <= 0.02
    assert wrong["frechet"] == real["frechet"]  # it does not look at labels

    noisy = quality.quality((images + 0.5 * Noise(0).like(images)).clamp(-1, 1), labels, "mnist")
    assert noisy["frechet"] > 5 * real["frechet"]
    assert noisy["precision"] < real["precision"] - 0.2

    ones = quality.quality(images[labels == 1], labels[labels == 1], "mnist")
    assert ones["precision"] > 0.7
    assert ones["recall"] < 0.3  # nine digits are missing


def test_a_perfect_autoencoder_loses_nothing_and_a_blank_one_all(embedded_mnist):
    """What the card of an autoencoder tells."""
    digits = data.load("mnist", "test")

    class Perfect(Autoencoder):
        def encode(self, x):
            return torch.nn.functional.pixel_unshuffle(x, 4), torch.zeros(1)

        def decode(self, z):
            return torch.nn.functional.pixel_shuffle(z, 4)

    class Blank(Perfect):
        def decode(self, z):
            return -torch.ones(len(z), 1, 28, 28)

    told = quality.reconstruction(Perfect(latent_channels=16), "mnist", n=200)
    assert told["squared error"] == 0
    assert told["agreement"]["share"] == 1
    assert told["latent std"] == pytest.approx(digits.images.std().item(), abs=1e-3)
    assert told["reconstructions"]["frechet"] == told["reconstructions"]["floor"]
    blank = quality.reconstruction(Blank(latent_channels=16), "mnist", n=200)
    assert blank["squared error"] == pytest.approx((digits.images + 1).square().mean().item(), abs=1e-4)
    assert blank["agreement"]["share"] < 0.3
    assert blank["reconstructions"]["frechet"] > 10 * told["reconstructions"]["frechet"]


def test_too_few_images_are_told_before_the_data_are_read():
    with pytest.raises(CourseError, match="number of images: got 19, want an integer >= 20"):
        quality.quality(torch.zeros(19, 1, 28, 28), torch.zeros(19, dtype=torch.long), "mnist")


def test_a_small_test_set_gives_a_share_of_what_it_has():
    digits = data.load("digits", "test", limit=30)
    got = quality.noisy_accuracy(NoisyClassifier(image_size=8, width=8).eval(), digits, 1.0)
    assert got["n"] == 30


def test_a_classifier_is_measured_under_noise():
    test = data.load("mnist-5k", "test")
    blind = NoisyClassifier(width=8).eval()
    torch.nn.init.zeros_(blind.head.weight)
    torch.nn.init.zeros_(blind.head.bias)
    blind.head.bias.data[4] = 1.0
    got = quality.noisy_accuracy(blind, test, 1.0, n=200)
    assert got["share"] == (test.labels[:200] == 4).double().mean()


def test_the_shipped_noisy_classifier_sees_through_noise():
    test = data.load("mnist-5k", "test")
    classifier = zoo.noisy_classifier("mnist")
    assert quality.noisy_accuracy(classifier, test, 0.5, n=500)["share"] > 0.95
    assert quality.noisy_accuracy(classifier, test, 50.0, n=500)["share"] < 0.3
