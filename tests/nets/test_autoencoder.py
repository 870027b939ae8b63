"""The autoencoder: shapes, what its latent is made of, where it follows a moved image, and errors at the door."""

import pytest
import torch
from nets.test_unet import fresh
from shared import close, draws

from diffusion_course import CourseError, Noise
from diffusion_course.nets.autoencoder import LOG_VARIANCE, Autoencoder

SMALL = {"image_size": 8, "widths": (8, 8), "latent_channels": 3}


@pytest.mark.parametrize(
    ("arguments", "latent"),
    [
        ({}, (4, 7, 7)),
        ({"latent_channels": 1}, (1, 7, 7)),
        ({"image_size": 16, "channels": 3, "widths": (4, 5, 6)}, (4, 2, 2)),
        ({"image_size": 6, "widths": (4,), "blocks": 2}, (4, 3, 3)),
    ],
)
def test_shapes(arguments, latent):
    net = Autoencoder(**arguments)
    x = Noise(0).randn(2, net.channels, net.image_size, net.image_size)
    mean, log_variance = net.encode(x)
    assert mean.shape == log_variance.shape == (2, *latent)
    assert (net.latent_channels, net.latent_size, net.latent_size) == latent
    assert net.decode(mean).shape == x.shape


def test_the_default_is_small():
    assert not list(Autoencoder().buffers())  # so that a CUDA graph can replay it, see `experiments.graphs`
    assert sum(weight.numel() for weight in Autoencoder().parameters()) < 0.3e6


def test_the_latent_is_mean_plus_std_times_noise():
    net = fresh(Autoencoder(**SMALL)).double()
    x, eps = draws(5, 1, 8, 8), draws(5, 3, 2, 2, seed=1)
    mean, log_variance = net.encode(x)
    decoded, *told = net(x, eps)
    assert torch.equal(decoded, net.decode(mean + (0.5 * log_variance).exp() * eps))
    assert torch.equal(told[0], mean)
    assert torch.equal(told[1], log_variance)
    assert torch.equal(net(x)[0], net.decode(mean))


def test_gradients_reach_every_parameter():
    net = fresh(Autoencoder(**SMALL))
    decoded, _, _ = net(Noise(0).randn(4, 1, 8, 8), Noise(1).randn(4, 3, 2, 2))
    decoded.square().sum().backward()
    for name, weight in net.named_parameters():
        assert weight.grad.isfinite().all(), name
        assert weight.grad.any(), name


def test_a_variance_is_neither_zero_nor_infinite():
    net = Autoencoder(**SMALL)
    for value in (-1e6, 1e6):
        torch.nn.init.constant_(net.encoder[-1][-1].bias, value)
        _, log_variance = net.encode(torch.zeros(1, 1, 8, 8))
        assert log_variance.unique().item() in LOG_VARIANCE
        assert 0 < log_variance.exp().max().item() < float("inf")


def test_an_image_moved_by_a_cell_has_a_moved_latent():
    """Convolutions look the same everywhere: away from the border, four pixels further is one cell of the latent further.

    The norms see the whole image, but not where in it; only the border, which is padded, tells the place.
    """
    net = fresh(Autoencoder(128, widths=(8, 8))).double()
    x = torch.zeros(1, 1, 128, 128, dtype=torch.float64)
    x[..., 60:68, 60:68] = draws(1, 1, 8, 8)
    here, there = (net.encode(image)[0] for image in (x, x.roll((4, 8), (2, 3))))
    close(there[..., 9:25, 10:26], here[..., 8:24, 8:24])
    z = torch.zeros(1, 4, 32, 32, dtype=torch.float64)
    z[..., 16, 16] = draws(1, 4)
    here, there = (net.decode(latent) for latent in (z, z.roll(-1, 3)))
    close(there[..., 32:96, 28:92], here[..., 32:96, 32:96])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 30}, r"^image_size: got 30, want a multiple of 4 \(2\^levels\)"),
        ({"latent_channels": 0}, r"^latent_channels: got 0"),
        ({"channels": 0}, r"^channels: got 0"),
        ({"blocks": 0.5}, r"^blocks: got 0\.5"),
        ({"widths": ()}, r"^len\(widths\): got 0"),
        ({"widths": (8, 0)}, r"^widths: got 0"),
    ],
)
def test_bad_sizes(arguments, message):
    with pytest.raises(CourseError, match=message):
        Autoencoder(**arguments)


def test_images_and_latents_of_another_shape():
    net = Autoencoder(**SMALL)
    with pytest.raises(CourseError, match=r"^x: got shape \(2, 1, 28, 28\), want \(B, 1, 8, 8\)$"):
        net.encode(torch.zeros(2, 1, 28, 28))
    with pytest.raises(CourseError, match=r"^z: got shape \(2, 1, 8, 8\), want \(B, 3, 2, 2\)$"):
        net.decode(torch.zeros(2, 1, 8, 8))
