"""The factors of LoRA in a file of their own."""

import pytest
import torch
from torch import nn

from diffusion_course import CourseError, Noise
from diffusion_course.experiments import adapters
from diffusion_course.nets import lora
from diffusion_course.nets.unet import UNet


def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = UNet(image_size=8, widths=(8, 16), attention=(4,), num_classes=3)
        for w in net.parameters():
            nn.init.normal_(w, std=0.1)
    return net.eval()


def answer(net):
    return net(Noise(0).randn(2, 1, 8, 8), torch.tensor([0.2, 0.8]))


def changed(net):
    for layer in lora.layers(net).values():
        nn.init.normal_(layer.B.weight, std=0.3)
    return net


def test_the_factors_have_a_file_of_their_own(tmp_path):
    path, net = tmp_path / "style.safetensors", changed(lora.adapt(network(), 2, alpha=0.7))
    adapters.write(path, net)
    assert torch.equal(answer(adapters.read(path, network())), answer(net))
    whole = sum(w.numel() for w in network().parameters())
    assert path.stat().st_size < 8 * whole
    other = UNet(8, widths=(8,), attention=())
    names = set(other.state_dict())
    with pytest.raises(CourseError, match="do not belong to this network"):
        adapters.read(path, other)
    assert set(other.state_dict()) == names
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CourseError, match="are damaged"):
        adapters.read(path, network())
    with pytest.raises(CourseError, match="no such file"):
        adapters.read(tmp_path / "none", network())
    with pytest.raises(CourseError, match="net: is not adapted; call adapt first"):
        adapters.write(path, network())
    with pytest.raises(CourseError, match="is adapted already"):
        adapters.read(path, net)
