"""Samples by number: the same noise whatever the batch, and no state left outside [-1, 1]."""

import pytest
import torch
from experiments.tiny import TINY
from torch import nn

from diffusion_course import CourseError, samplers, schedules
from diffusion_course.denoisers import Preconditioned, flow_param
from diffusion_course.experiments.config import Config
from diffusion_course.experiments.drawing import draw, draw_paths, draw_pictures
from diffusion_course.experiments.models import finished, network

GRID = schedules.karras(4)


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = Config.of(TINY)
        net = network(config)
        for p in net.parameters():
            nn.init.normal_(p, std=0.1)
        return finished(net, config).eval().requires_grad_(False)


@pytest.mark.parametrize("step", [samplers.euler, samplers.heun, samplers.ddpm, samplers.ddim(0.5)])
def test_a_sample_does_not_depend_on_how_many_are_drawn(model, step):
    few, many = (draw(model, n, 2.0, GRID, step, seed=3) for n in (3, 12))
    assert torch.allclose(few.images, many.images[:3], atol=1e-5)
    assert many.labels.tolist() == [*range(10), 0, 1]
    assert many.images.abs().max() <= 1


def test_batches_do_not_show_and_have_noise_of_their_own(model):
    whole, parts = (draw(model, 8, 1.0, GRID, samplers.ddpm, batch=batch).images for batch in (8, 3))
    assert torch.allclose(whole, parts, atol=1e-5)
    assert len({tuple(image.flatten().tolist()) for image in parts}) == 8


@pytest.mark.parametrize("batch", [0, -1, 2.5, True])
def test_a_batch_of_none(model, batch):
    with pytest.raises(CourseError, match=rf"^batch: got {batch}, want an integer >= 1$"):
        draw(model, 2, 1.0, GRID, batch=batch)


def test_other_seeds_give_other_samples(model):
    a, b = (draw(model, 2, 1.0, GRID, seed=seed).images for seed in (0, 1))
    assert not torch.allclose(a, b)


def test_paths_end_where_draw_does(model):
    paths = draw_paths(model, 3, 2.0, seed=5)
    assert paths.grey.shape == (31, 3, 1, 8, 8)
    assert torch.allclose(paths.grey[-1].clamp(-1, 1), draw(model, 3, 2.0, seed=5).images, atol=1e-5)


def test_a_model_without_classes_is_told():
    with pytest.raises(CourseError, match="model: want a class-conditional network"):
        draw(Preconditioned(nn.Identity(), flow_param()), 3)


class Grey(nn.Module):
    """A network without classes, of pictures of another height than width."""

    channels, image_size = 3, (4, 6)

    def forward(self, x, c_noise):
        return x


def test_a_network_without_classes_draws_without(model):
    plain = Preconditioned(Grey(), flow_param())
    images = draw_pictures(plain, 5, sigmas=GRID, step=samplers.ddpm, seed=2)
    assert images.shape == (5, 3, 4, 6)
    assert torch.allclose(draw_pictures(plain, 5, sigmas=GRID, step=samplers.ddpm, seed=2, batch=2), images)
    with pytest.raises(CourseError, match="guidance: got 2; this network has no classes"):
        draw_pictures(plain, 5, 2.0)
    assert torch.equal(draw_pictures(model, 3, 2.0, GRID), draw(model, 3, 2.0, GRID).images)
    with pytest.raises(CourseError, match="says the size and channels"):
        draw_pictures(Preconditioned(nn.Identity(), flow_param()), 3)
