"""The study of noise levels: images are noised to the level that the row says, and sampled from there by the levels below it alone."""

import pytest
import torch

from diffusion_course.errors import CourseError
from diffusion_course.experiments.studies import noise_levels
from diffusion_course.experiments.studies.lab import Lab
from diffusion_course.schedules import karras


class Knowing(torch.nn.Module):
    """A denoiser that knows the images, and remembers what it saw at which level."""

    def __init__(self, images):
        super().__init__()
        self.images, self.levels, self.seen = images, [], []

    def given(self, labels):
        self.labels = labels

        def D(x, sigma):
            self.levels.append(float(sigma))
            self.seen.append(x)
            return self.images.to(x)

        return D


@pytest.fixture
def knowing(monkeypatch, few_digits):
    real = Lab().pictures("mnist")
    rows = noise_levels.in_turn(real)[20:40]
    model = Knowing(real.images[rows])
    monkeypatch.setattr(Lab, "network", lambda self, name, seed=0: model)
    return model


def row(sigma, sampler="eta 1"):
    named = {"model": "mnist-edm", "data": "mnist", "sampler": sampler, "sigma": sigma}
    return named | {"n": 20, "seed": 3, "training seed": 0}


@pytest.mark.parametrize("sigma", [0.03, 1.0, 80.0])
def test_only_the_levels_below_are_walked(knowing, sigma):
    made = noise_levels.samples(row(sigma), Lab())
    grid = karras(40)
    assert knowing.levels == pytest.approx([float(s) for s in grid if 0 < s <= knowing.levels[0]])
    away = (grid[:-1] / sigma).log().abs()
    assert knowing.levels[0] == pytest.approx(float(grid[away.argmin()]))  # the level nearest to the row's
    torch.testing.assert_close(made.images, knowing.images)  # what the denoiser said last
    assert made.labels.tolist() == knowing.labels.tolist() == 2 * list(range(10))


def test_the_start_is_the_image_with_noise_of_that_level(knowing):
    noise_levels.samples(row(0.3), Lab())
    eps = (knowing.seen[0] - knowing.images) / knowing.levels[0]
    assert abs(float(eps.mean())) < 0.03
    assert float(eps.std()) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(
    ("sampler", "sigma", "begun", "nfe"),
    [
        ("eta 1", 80.0, 80.0, 40),
        ("eta 1", 0.3, 0.3489, 13),
        ("heun", 80.0, 80.0, 39),
        ("heun", 0.3, 0.3839, 13),
    ],
)
def test_a_row_says_where_it_began(knowing, monkeypatch, sampler, sigma, begun, nfe):
    monkeypatch.setattr(noise_levels, "quality", lambda images, labels, data, device: {"judged": data})
    found = noise_levels.measure(row(sigma, sampler), Lab())
    assert found == {"from": begun, "nfe": nfe, "judged": "mnist"}
    assert len(knowing.levels) == nfe
    assert knowing.levels[0] == pytest.approx(begun, rel=1e-3)


def test_without_a_model_the_images_are_left_as_they_are(knowing, monkeypatch):
    none = {**row(0.0), "model": noise_levels.NONE}
    assert torch.equal(noise_levels.samples(none, Lab()).images, knowing.images)
    monkeypatch.setattr(noise_levels, "quality", lambda images, labels, data, device: {"judged": data})
    assert noise_levels.measure(none, Lab()) == {"from": 0.0, "nfe": 0, "judged": "mnist"}
    assert knowing.levels == []


def test_more_images_than_lie_ready_are_told(knowing):
    with pytest.raises(CourseError, match="n: got 201, want at most 200"):
        noise_levels.samples({**row(1.0), "n": 201}, Lab())
