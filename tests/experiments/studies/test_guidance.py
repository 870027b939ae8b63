"""The studies of guidance: a row's images are those of its scale, and the two studies meet where there is no guidance."""

import pytest
import torch

from diffusion_course import schedules
from diffusion_course.denoisers import Preconditioned, edm_param
from diffusion_course.experiments import zoo
from diffusion_course.experiments.drawing import draw
from diffusion_course.experiments.studies import Lab, get, guidance
from diffusion_course.nets.classifier import NoisyClassifier
from diffusion_course.nets.unet import UNet


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Tiny untrained networks in place of the shipped ones."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = UNet(image_size=8, widths=(8, 8), attention=(4,), num_classes=10)
        for weights in net.parameters():  # its last layers start at 0, and would not see labels
            torch.nn.init.normal_(weights, std=0.1)
        noisy = NoisyClassifier(image_size=8, width=8)
    model = Preconditioned(net.eval(), edm_param()).requires_grad_(False)
    monkeypatch.setattr(zoo, "load", lambda name, device="cpu": {"mnist-edm": model}[name])
    monkeypatch.setattr(zoo, "noisy_classifier", lambda data, device="cpu": {"mnist": noisy.eval()}[data])
    return model, noisy


def free(w, n=4):
    return {"data": "mnist", "w": w, "steps": 3, "n": n, "seed": 0}


def by_classifier(scale, n=4):
    return {"data": "mnist", "scale": scale, "steps": 3, "n": n, "seed": 0}


def test_all_rows_of_both_studies_can_be_compared():
    rows = get("guidance").settings + get("classifier-guidance").settings
    assert {(row["n"], row["steps"]) for row in rows} == {(500, 18)}
    assert all(row["seed"] == row["training seed"] for row in rows)
    first, by_noisy = (
        [row for row in get(name).settings if row["seed"] == 0]
        for name in ("guidance", "classifier-guidance")
    )
    for data in ("mnist", "fashion-mnist"):
        scales = [row["w"] for row in first if row["data"] == data]
        assert scales == sorted(scales)
        assert {0, 1, 10} <= set(scales)
    assert [row["scale"] for row in by_noisy] == [0, 1, 2, 4, 8]


@pytest.mark.parametrize("w", [0, 1, 2.5])
def test_the_images_are_those_of_the_scale_and_grid(tiny, w):
    got = guidance.samples(free(w))
    torch.testing.assert_close(got.images, draw(tiny[0], 4, w, schedules.karras(3)).images)
    assert got.labels.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("row", [free(2.0, 7), by_classifier(2.0, 7)])
def test_a_few_images_of_a_row_are_its_first(row):
    torch.testing.assert_close(guidance.samples(row, 3).images, guidance.samples(row).images[:3])


def test_without_guidance_both_studies_make_the_same_images():
    torch.testing.assert_close(guidance.samples(by_classifier(0)).images, guidance.samples(free(0)).images)


def test_the_classifier_is_more_certain_of_the_images_it_guided(tiny):
    def certainty(scale):
        made = guidance.samples(by_classifier(scale, 20))
        return tiny[1].given(made.labels)(made.images, torch.tensor(0.1)).mean()

    assert certainty(30.0) > certainty(0) + 0.001
    assert certainty(-30.0) < certainty(0) - 0.001


def test_batches_do_not_show(tiny):
    whole, parts = (guidance.by_classifier(by_classifier(2.0, 5), Lab(), batch=b) for b in (5, 2))
    torch.testing.assert_close(whole.images, parts.images)
    assert parts.labels.tolist() == [0, 1, 2, 3, 4]


def test_a_row_is_measured_on_all_its_images(monkeypatch):
    seen = {}

    def quality(images, labels, data_name, device):
        seen.update(images=images, labels=labels, data=data_name)
        return {"recognised": {"share": 1.0}}

    monkeypatch.setattr(guidance, "quality", quality)
    monkeypatch.setattr(guidance, "FIRST", 3)
    # A judge that reads the digit 2 in every image.
    monkeypatch.setattr(zoo, "judge", lambda data, device: lambda x: torch.eye(10)[2].expand(len(x), 10))
    result = guidance.measure(by_classifier(1, 15), Lab())
    assert len(seen["images"]) == len(seen["labels"]) == 15
    assert seen["data"] == "mnist"
    assert result["mean pixel"] == pytest.approx(seen["images"].mean().item(), abs=1e-4)
    assert result["recognised of the first 3"] == 1
