"""NVIDIA's checkpoints, written here in their format: the network in them is the one that was written, and damage is one line."""

import pickle
import re

import numpy as np
import pytest
import torch
from experiments.released.nvidia import Persistent, checkpoint
from nets.test_songunet import small

from diffusion_course import CourseError, Noise
from diffusion_course.denoisers import Preconditioned, edm_param, ve_param, vp_param
from diffusion_course.experiments import zoo

KINDS = {
    "EDMPrecond": (edm_param(0.4), {"sigma_data": 0.4}),
    "VPPrecond": (vp_param(18.0, 0.2, 500), {"beta_d": 18.0, "beta_min": 0.2, "M": 500}),
    "VEPrecond": (ve_param(), {}),
}
X = 3 * Noise(0).randn(2, 3, 16, 16)


def written(tmp_path, net, kind="EDMPrecond", **options):
    path = tmp_path / "network.pkl"
    path.write_bytes(checkpoint(net, kind, **{**KINDS[kind][1], **options}))
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ncsnpp", [False, True])
@pytest.mark.parametrize("sizes", [{}, {"label_dim": 4, "augment_dim": 9, "channels": 1}])
def test_a_checkpoint_becomes_the_denoiser_that_was_saved(tmp_path, kind, ncsnpp, sizes):
    net = small(ncsnpp=ncsnpp, **sizes)
    D = zoo.load(written(tmp_path, net, kind))
    want = Preconditioned(net, KINDS[kind][0])
    x, sigma = X[:, : net.channels], torch.tensor([0.3, 20.0])
    assert torch.equal(D(x, sigma), want(x, sigma))
    if net.num_classes:
        assert torch.equal(D.given(3)(x, sigma), want.given(3)(x, sigma))
    assert not D.training
    assert not any(w.requires_grad for w in D.parameters())


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_is_read(tmp_path, protocol):
    net = small(label_dim=2)
    D = zoo.load(written(tmp_path, net, protocol=protocol))
    assert all(torch.equal(w, D.net.state_dict()[name]) for name, w in net.state_dict().items())


@pytest.mark.parametrize(
    "changes", [{"image_size": 8, "channel_mult": (2,), "attention": ()}, {"num_blocks": 3}]
)
def test_the_sizes_of_a_network_are_those_of_its_weights(tmp_path, changes):
    net = small(**changes)
    D = zoo.load(written(tmp_path, net))
    x = X[:, :, : net.image_size, : net.image_size]
    assert torch.equal(D.net(x, torch.tensor(0.5)), net(x, torch.tensor(0.5)))


def test_the_old_name_of_numpys_scalars_is_read_as_the_new_one(tmp_path):
    path = written(tmp_path, small(), protocol=2)
    content = path.read_bytes()
    assert b"numpy._core.multiarray" in content
    path.write_bytes(content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    zoo.load(path)


def test_half_precision_weights_become_single(tmp_path):
    D = zoo.load(written(tmp_path, small().half()))
    assert {w.dtype for w in D.state_dict().values()} == {torch.float32}


def told(path):
    """The error of a file, or "" where it is still a network."""
    try:
        zoo.load(path)
    except CourseError as error:
        return str(error)
    return ""


def test_a_cut_is_damage_and_a_flipped_bit_at_most_one_line(tmp_path):
    """Weights have no checksum, so that a bit of theirs may pass; nothing may end in another error."""
    path = written(tmp_path, small(image_size=8, model_channels=4, channel_mult=(1,), attention=()))
    whole, draws = path.read_bytes(), np.random.default_rng(0)
    for n in draws.integers(0, len(whole), 30):
        path.write_bytes(whole[:n])
        assert "network.pkl: damaged" in told(path)
    for at in draws.integers(0, len(whole), 90):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << int(draws.integers(8))
        path.write_bytes(flipped)
        assert "\n" not in told(path)


def test_other_networks_are_named(tmp_path):
    for options, message in [
        ({"name": "DhariwalUNet"}, "holds a 'DhariwalUNet'; of NVIDIA's networks the course has SongUNet"),
        ({"wrap": lambda f, root: {"G": root["ema"]}}, 'holds no network under the name "ema"'),
        (
            {"wrap": lambda f, root: {"ema": Persistent(f, "iDDPMPrecond", {})}},
            "holds a 'iDDPMPrecond', want one of",
        ),
        ({"wrap": lambda f, root: {"ema": Persistent(f, "VPPrecond", {})}}, "damaged"),
        ({"sigma_data": -1.0}, "sigma_data: got -1.0"),
    ]:
        with pytest.raises(CourseError, match=message):
            zoo.load(written(tmp_path, small(), **options))
    net = small(ncsnpp=True)
    del net.enc["8x8_aux_residual"]
    with pytest.raises(CourseError, match="another form of SongUNet"):
        zoo.load(written(tmp_path, net))


def test_weights_of_nan_are_damage(tmp_path):
    net = small()
    with torch.no_grad():
        net.map_layer0.weight[0, 0] = torch.nan
    with pytest.raises(CourseError, match="NaN"):
        zoo.load(written(tmp_path, net))


def test_a_module_inside_itself_is_damage(tmp_path):
    def knot(function, root):
        modules = root["ema"].state["_modules"]["model"].state["_modules"]
        inner = modules["enc"]
        inner._modules["more"] = inner
        return root

    with pytest.raises(CourseError, match="damaged"):
        zoo.load(written(tmp_path, small(), wrap=knot))


def test_other_files_are_one_line(tmp_path):
    for content in (b"", b"PK\x03\x04 a zip", pickle.dumps([1, 2]), pickle.dumps({"ema": {"a": 1}})):
        path = tmp_path / "other.pkl"
        path.write_bytes(content)
        with pytest.raises(CourseError, match=r"^weights .*other\.pkl: ") as caught:
            zoo.load(path)
        assert "\n" not in str(caught.value)


def test_what_is_not_here_is_told_with_its_place(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFUSION_COURSE_DATA", str(tmp_path))
    name = "edm-cifar10-32x32-cond-vp"
    wants = f"weights {name}: fetch https://nvlabs-fi-cdn.nvidia.com/edm/pretrained/{name}.pkl and put it into {tmp_path}"
    with pytest.raises(CourseError, match=re.escape(wants)):
        zoo.load(name)
    net = small(label_dim=2)
    written(tmp_path, net).rename(tmp_path / f"{name}.pkl")
    assert zoo.load(name).net.num_classes == 2
    with pytest.raises(CourseError, match="no such file"):
        zoo.load(tmp_path / "none.pkl")
    with pytest.raises(CourseError, match="did you mean 'edm-cifar10-32x32-cond-v"):
        zoo.load("edm-cifar10-32x32-cond-vv")
