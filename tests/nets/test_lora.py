"""LoRA: nothing changes at first, merging changes nothing, the factors alone are trained and kept."""

import re

import pytest
import torch
from torch import nn

from diffusion_course import CourseError, Noise
from diffusion_course.nets import lora
from diffusion_course.nets.text_unet import TextUNet
from diffusion_course.nets.unet import UNet

SMALL = {"image_size": 8, "widths": (8, 16), "attention": (4,)}


def network(seed=0, text=False):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = TextUNet(**SMALL, text_width=32) if text else UNet(**SMALL, num_classes=3)
        for w in net.parameters():
            nn.init.normal_(w, std=0.1)
    return net.double().eval()


def answer(net):
    return net(Noise(0).randn(2, 1, 8, 8).double(), torch.tensor([0.2, 0.8]))


def trained(net, steps=3):
    """A few steps of all that can be trained."""
    optimizer = torch.optim.SGD([w for w in net.parameters() if w.requires_grad], lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        answer(net).square().mean().backward()
        optimizer.step()
    return net


@pytest.mark.parametrize("text", [False, True])
def test_nothing_changes_at_first_and_merging_changes_nothing(text):
    net = network(text=text)
    before, names, weights = answer(net), set(net.state_dict()), sum(w.numel() for w in net.parameters())
    adapted = lora.adapt(net, rank=2, alpha=3.0)
    assert adapted is net
    assert torch.equal(answer(net), before)
    after = answer(trained(net))
    assert not torch.allclose(after, before, atol=1e-4)
    assert torch.allclose(answer(lora.merge(net)), after, atol=1e-12)
    assert set(net.state_dict()) == names
    assert sum(w.numel() for w in net.parameters()) == weights


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(5, 7), (4, 5)),
        (nn.Conv2d(5, 7, 1), (4, 5, 6, 6)),
        (nn.Conv2d(5, 7, 3, padding=1), (4, 5, 6, 6)),
        (nn.Conv2d(5, 7, 3, stride=2, padding=1), (4, 5, 6, 6)),
        (nn.Conv2d(5, 7, 3, dilation=2), (4, 5, 6, 6)),
    ],
)
def test_the_change_is_alpha_over_r_times_b_a(layer, shape):
    layer = layer.double()
    x = Noise(1).randn(*shape).double()
    adapted = lora.LoRA(layer, rank=2, alpha=6.0)
    assert not adapted.B.weight.any()
    assert adapted.A.weight.all()
    nn.init.normal_(adapted.B.weight)
    change = adapted(x) - layer(x)
    weight, A, B = layer.weight.clone(), adapted.A.weight.flatten(1), adapted.B.weight.flatten(1)
    expected = adapted(x)
    merged = adapted.merged()
    assert torch.allclose(merged(x), expected)
    assert torch.allclose(merged.weight - weight, 3 * (B @ A).reshape(weight.shape))
    assert torch.linalg.matrix_rank((merged.weight - weight).flatten(1)) == 2
    assert change.abs().max() > 0.1


def test_only_the_factors_are_trained_and_only_where_it_is_asked():
    net = network()
    frozen = {name: w.clone() for name, w in net.state_dict().items()}
    lora.adapt(net, 2, where=lambda name: "attention" in name)
    found = lora.layers(net)
    assert found
    assert all("attention" in name for name in found)
    trainable = {name for name, w in net.named_parameters() if w.requires_grad}
    assert trainable == {f"{name}.{factor}.weight" for name in found for factor in "AB"}
    lora_state = trained(net).state_dict()
    for name, w in frozen.items():
        held = lora_state.get(name, lora_state.get(re.sub(r"\.(weight|bias)$", r".base.\1", name)))
        assert torch.equal(held, w), name


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda net: lora.adapt(lora.adapt(net)), "net: is adapted already; merge it first"),
        (lambda net: lora.adapt(net, 0), "rank: got 0, want an integer >= 1"),
        (lambda net: lora.adapt(net, 2, alpha=-1.0), "alpha: got -1.0, want a number > 0"),
        (lambda net: lora.adapt(net, where=lambda name: False), "where: leaves no linear layer"),
    ],
)
def test_errors(call, says):
    with pytest.raises(CourseError, match=re.escape(says)):
        call(network())
