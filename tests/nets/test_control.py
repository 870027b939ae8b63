"""A control branch: at first the network is what it was, every weight of the branch learns, the base stays."""

import re

import pytest
import torch
from torch import nn

from diffusion_course import CourseError, Noise
from diffusion_course.denoisers import Preconditioned
from diffusion_course.guidance import cfg
from diffusion_course.nets.control import Controlled, Hinted
from diffusion_course.nets.text_unet import TextUNet
from diffusion_course.nets.unet import UNet
from diffusion_course.parametrisations import edm_param
from diffusion_course.texted import Texted

SMALL = {"image_size": 8, "widths": (8, 16), "attention": (4,)}


def network(text=False, patch_size=1, channels=1):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        shape = {**SMALL, "patch_size": patch_size, "channels": channels}
        net = (
            TextUNet(**shape, text_width=32)
            if text
            else UNet(**shape, num_classes=3, learned_variance=channels == 3)
        )
        for w in net.parameters():
            nn.init.normal_(w, std=0.1)
    return net.eval()


def inputs(channels=1, hint_channels=1):
    noise = Noise(0)
    return noise.randn(4, channels, 8, 8), torch.linspace(0.1, 1, 4), noise.randn(4, hint_channels, 8, 8)


@pytest.mark.parametrize("shape", [{}, {"text": True}, {"patch_size": 2}, {"channels": 3}])
def test_at_first_the_network_is_what_it_was(shape):
    net = network(**shape)
    x, c, hint = inputs(net.channels)
    labels = net.embed(["a seven"] * 4) if "text" in shape else torch.tensor([0, 1, 2, 3])
    before = net(x, c, labels)
    controlled = Controlled(net)
    assert torch.equal(controlled(x, c, labels, hint), before)
    assert torch.equal(Hinted(controlled, hint)(x, c, labels), before)
    assert torch.equal(Hinted(controlled, hint)(x, c), net(x, c))


def test_every_weight_of_the_branch_learns_and_the_base_stays():
    net = network()
    base = {name: w.clone() for name, w in net.state_dict().items()}
    controlled = Controlled(net, hint_channels=2)
    x, c, hint = inputs(hint_channels=2)
    trainable = {name: w for name, w in controlled.named_parameters() if w.requires_grad}
    assert trainable.keys() == {
        name for name, _ in controlled.named_parameters() if not name.startswith("base.")
    }
    first = {name: w.detach().clone() for name, w in trainable.items()}
    optimizer, moved = torch.optim.Adam(trainable.values(), lr=0.01), []
    for _ in range(3):
        optimizer.zero_grad()
        (controlled(x, c, torch.arange(4), hint) - hint[:, :1]).square().mean().backward()
        optimizer.step()
        moved.append({name for name, w in trainable.items() if not torch.equal(w, first[name])})
    assert all(name.startswith("out.") for name in moved[0])  # the zeros that the branch leaves by
    assert {name for name in moved[1] if name.startswith("hint.")} == {
        "hint.3.weight",
        "hint.3.bias",
    }  # those it enters by
    assert moved[2] == trainable.keys()
    assert all(torch.equal(w, base[name]) for name, w in net.state_dict().items())


def test_guidance_runs_two_conditions_along_one_hint():
    for text in (False, True):
        net = Controlled(network(text))
        for w in net.parameters():
            if not w.any():
                nn.init.normal_(w, std=0.1)
        x, _, hint = inputs()
        hinted = Hinted(net, hint)
        D = Texted(hinted, edm_param(0.6)) if text else Preconditioned(hinted, edm_param(0.6))
        given = (
            D.given(["a seven", "a one", "a two", "a six"]) if text else D.given(torch.tensor([0, 1, 2, 0]))
        )
        sigma = torch.tensor(0.8)
        guided = cfg(given, D, 2.0)(x, sigma)
        assert torch.allclose(guided, 2 * given(x, sigma) - D(x, sigma), atol=1e-5)
        alone = Hinted(net, hint[1:2])  # one hint for all, and a sample on its own
        assert not torch.allclose(alone(x, sigma.expand(4))[0], hinted(x, sigma.expand(4))[0], atol=1e-4)
        assert torch.allclose(alone(x, sigma.expand(4))[1], hinted(x, sigma.expand(4))[1], atol=1e-5)


def test_strength_is_the_branchs_share():
    net = Controlled(network())
    for w in net.out.parameters():
        nn.init.normal_(w, std=0.1)
    x, c, hint = inputs()
    base, labels = net.base(x, c, torch.arange(4) % 3), torch.arange(4) % 3
    assert torch.equal(Hinted(net, hint, 0.0)(x, c, labels), base)
    assert torch.equal(Hinted(net, hint, 1.0)(x, c, labels), net(x, c, labels, hint))
    assert not torch.allclose(Hinted(net, hint, 0.5)(x, c, labels), net(x, c, labels, hint), atol=1e-4)


@pytest.mark.parametrize(
    ("hint", "says"),
    [
        (torch.zeros(4, 3, 8, 8), "hint: got shape (4, 3, 8, 8), want (B, 1, 8, 8)"),
        (torch.zeros(4, 1, 9, 8), "hint: got shape (4, 1, 9, 8), want (B, 1, 8, 8)"),
        (torch.zeros(3, 1, 8, 8), "hint: got 3 pictures, want one for each of 4 samples"),
        (torch.zeros(0, 1, 8, 8), "hint: got 0 pictures"),
    ],
)
def test_another_hint_is_told(hint, says):
    x, c, _ = inputs()
    with pytest.raises(CourseError, match=re.escape(says)):
        Hinted(Controlled(network()), hint)(x, c)


def test_another_kind_of_network_is_told():
    with pytest.raises(CourseError, match="base: got a Linear, want a UNet"):
        Controlled(nn.Linear(1, 1))
