"""The U-Net and its conditioning: sizes, gradients, independence of samples, and errors at the door."""

import math

import pytest
import torch
from torch import nn

from diffusion_course import CourseError, Noise
from diffusion_course.nets.classifier import Classifier
from diffusion_course.nets.embedding import Conditioning, sinusoid
from diffusion_course.nets.unet import UNet

SMALL = {"image_size": 8, "widths": (8, 16), "attention": (4,)}


def fresh(net, scale=0.05):
    """The network with its zero-initialised layers filled, so that its output depends on everything."""
    noise = Noise(3)
    with torch.no_grad():
        for weight in net.parameters():
            if not weight.any():
                weight.copy_(scale * noise.like(weight[None])[0])
    return net.eval()


def inputs(net, batch=3, seed=0):
    x = Noise(seed).randn(batch, net.channels, net.image_size, net.image_size)
    return x, torch.linspace(0.1, 0.9, batch)


@pytest.mark.parametrize(
    ("size", "patch", "widths"),
    [
        (8, 1, (8, 16)),
        (16, 2, (8, 16)),
        (28, 2, (8, 16)),
        (28, 1, (8, 8, 8)),
        (14, 1, (5, 33)),
        (32, 4, (8,)),
        (64, 4, (8, 8, 8)),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("learned_variance", [False, True])
def test_shapes(size, patch, widths, channels, learned_variance):
    net = UNet(size, channels, widths, patch_size=patch, attention=(7,), learned_variance=learned_variance)
    out = net(*inputs(net, batch=2))
    assert out.shape == (2, channels * (2 if learned_variance else 1), size, size)
    assert out.dtype == torch.float32


@pytest.mark.parametrize(
    ("arguments", "millions"),
    [
        ({"widths": (24, 48)}, 0.35),
        ({"widths": (32, 64)}, 0.63),
        ({"widths": (64, 96), "patch_size": 2, "num_classes": 10}, 1.8),
        ({"image_size": 64, "channels": 3, "widths": (64, 128, 192), "blocks": 2, "attention": (16,)}, 10.3),
    ],
)
def test_sizes_from_a_third_of_a_million_to_ten_million(arguments, millions):
    count = sum(weight.numel() for weight in UNet(**arguments).parameters())
    assert abs(count / 1e6 / millions - 1) < 0.05


def test_it_starts_as_zero_and_its_blocks_as_the_identity():
    net = UNet(**SMALL)
    assert not net(*inputs(net)).any()
    block = net.down[0]
    h = torch.randn(2, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(block(h, torch.ones(2, 32)), h)


@pytest.mark.parametrize("options", [{}, {"num_classes": 3}, {"learned_variance": True}, {"patch_size": 2}])
def test_gradients_reach_every_parameter(options):
    """Zero-initialised layers wake up one behind the other: the last one first, then the ends of the branches."""
    net = UNet(**{**SMALL, **options})
    x, c_noise = inputs(net, batch=4)
    labels = torch.arange(4) if "num_classes" in options else None
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        out = net(x, c_noise, labels)
        (out - Noise(1).like(out)).square().mean().backward()
        optimizer.step()
    for name, weight in net.named_parameters():
        assert weight.grad is not None, name
        assert torch.isfinite(weight.grad).all(), name
        assert weight.grad.any(), name
    if labels is not None:
        assert net.condition.label.weight.grad.any(1).all()  # every class, and "no label"


@pytest.mark.parametrize("num_classes", [0, 3])
def test_samples_do_not_see_each_other(num_classes):
    net = fresh(UNet(**SMALL, num_classes=num_classes, dropout=0.5))
    x, c_noise = inputs(net, batch=5)
    labels = torch.tensor([0, 1, 2, 3, 1]) if num_classes else None
    together = net(x, c_noise, labels)
    for i in range(5):
        row = slice(i, i + 1)
        alone = net(x[row], c_noise[row], labels[row] if num_classes else None)
        torch.testing.assert_close(together[row], alone, rtol=1e-4, atol=1e-5)


def test_the_output_depends_on_pixels_noise_level_and_class():
    net = fresh(UNet(**SMALL, num_classes=3))
    x, c_noise = inputs(net)
    y = torch.tensor([0, 1, 2])
    out = net(x, c_noise, y)
    for other in (net(x.flip(3), c_noise, y), net(x, c_noise + 0.3, y), net(x, c_noise, y.flip(0))):
        assert (out - other).abs().max() > 1e-4


def test_one_noise_level_for_all_and_no_label_by_its_number():
    net = fresh(UNet(**SMALL, num_classes=3))
    x, _ = inputs(net)
    expected = net(x, torch.full((3,), 0.4))
    assert torch.equal(net(x, torch.tensor(0.4)), expected)
    assert torch.equal(net(x, 0.4), expected)
    assert torch.equal(net(x, 0.4, torch.full((3,), 3)), expected)
    assert not torch.equal(net(x, 0.4, torch.tensor([0, 1, 2])), expected)


def test_dropout_acts_in_training_only():
    net = fresh(UNet(**SMALL, dropout=0.5))
    x, c_noise = inputs(net)
    assert torch.equal(net(x, c_noise), net(x, c_noise))
    net.train()
    with torch.random.fork_rng(devices=[]):
        assert not torch.equal(net(x, c_noise), net(x, c_noise))


def test_the_memory_layout_and_mixed_precision_change_little():
    net = fresh(UNet(**SMALL))
    x, c_noise = inputs(net)
    expected = net(x, c_noise).detach()
    with torch.autocast("cpu", torch.bfloat16):
        half = net(x, c_noise)
    torch.testing.assert_close(half.float(), expected, rtol=0.1, atol=0.05 * float(expected.abs().max()))
    net = net.to(memory_format=torch.channels_last)
    got = net(x.to(memory_format=torch.channels_last), c_noise)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_the_same_answer():
    net = fresh(UNet(**SMALL, num_classes=3))
    x, c_noise = inputs(net)
    expected = net(x, c_noise, torch.tensor([0, 1, 2]))
    got = net.cuda()(x.cuda(), c_noise.cuda(), torch.tensor([0, 1, 2]).cuda())
    torch.testing.assert_close(got.cpu(), expected, rtol=1e-2, atol=1e-3)


# ---- conditioning


def test_the_sinusoid_is_its_formula():
    t = torch.tensor([0.0, 0.37, 12.5, 1000.0], dtype=torch.float64)
    got = sinusoid(t, 6)
    for row, value in zip(got, t.tolist(), strict=True):
        angles = [value * 10_000 ** (-i / 3) for i in range(3)]
        expected = [math.cos(a) for a in angles] + [math.sin(a) for a in angles]
        torch.testing.assert_close(row, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-12)


def test_the_noise_scale_multiplies_the_noise_level():
    plain, scaled = Conditioning(8), Conditioning(8, noise_scale=1000.0)
    scaled.load_state_dict(plain.state_dict())
    assert torch.equal(scaled(torch.tensor([0.25])), plain(torch.tensor([250.0])))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([0, 4, 1]), r"^labels: got \[0, 1, 4\], want 0\.\.3 \(3 means no label\)"),
        (torch.tensor([0, -1, 1]), r"^labels: got \[-1, 0, 1\], want 0\.\.3"),
        (torch.tensor([0, 1]), r"^labels: got torch\.int64 of shape \(2,\), want integers of shape \(3,\)"),
        (torch.tensor([0.0, 1.0, 2.0]), r"^labels: got torch\.float32"),
    ],
)
def test_bad_labels(labels, message):
    net = UNet(**SMALL, num_classes=3)
    x, c_noise = inputs(net)
    with pytest.raises(CourseError, match=message):
        net(x, c_noise, labels)


def test_labels_for_a_network_without_classes():
    net = UNet(**SMALL)
    with pytest.raises(CourseError, match=r"^labels: this network was made without classes"):
        net(*inputs(net), torch.tensor([0, 1, 2]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 27}, r"^image_size: got 27, want a multiple of 2 "),
        ({"image_size": 28, "widths": (8, 8, 8, 8)}, r"^image_size: got 28, want a multiple of 8 "),
        ({"image_size": 28, "patch_size": 3}, r"^image_size: got 28, want a multiple of 6 "),
        ({"image_size": 0}, r"^image_size: got 0, want an integer >= 1"),
        ({"channels": 0}, r"^channels: got 0"),
        ({"patch_size": 0}, r"^patch_size: got 0"),
        ({"blocks": 1.5}, r"^blocks: got 1\.5"),
        ({"widths": ()}, r"^len\(widths\): got 0"),
        ({"widths": (8, 0)}, r"^widths: got 0"),
        ({"num_classes": -1}, r"^num_classes: got -1"),
    ],
)
def test_bad_sizes(arguments, message):
    with pytest.raises(CourseError, match=message):
        UNet(**{"widths": (8, 8), **arguments})


@pytest.mark.parametrize("shape", [(2, 1, 8), (2, 3, 8, 8), (2, 1, 8, 10), (2, 1, 16, 16)])
def test_images_of_another_shape(shape):
    with pytest.raises(CourseError, match=r"^x: got shape .*want \(B, 1, 8, 8\)$"):
        UNet(**SMALL)(torch.zeros(shape), 0.5)


# ---- the judge


def test_the_classifier_is_its_head_on_its_features():
    net = Classifier(num_classes=7, width=4).eval()
    x = Noise(0).randn(3, 1, 28, 28)
    assert net.features(x).shape == (3, 16)
    assert net(x).shape == (3, 7)
    assert torch.equal(net(x), net.head(net.features(x)))
    assert isinstance(net.head[-1], nn.Linear)
