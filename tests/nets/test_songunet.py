"""SongUNet against NVIDIA's: names, shapes and sizes; recorded outputs; and a plain float64 oracle of every part."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from diffusion_course import CourseError, Noise
from diffusion_course.denoisers import Preconditioned, flow_param
from diffusion_course.nets.songunet import SongUNet

F64 = torch.float64
SMALL = {
    "image_size": 16,
    "model_channels": 16,
    "channel_mult": (1, 2, 2),
    "num_blocks": 1,
    "attention": (8,),
}


def small(**changes):
    return filled(SongUNet(**{**SMALL, **changes})).eval()


def filled(net):
    """Weights by a rule, of about unit gain, so that every part matters (a fresh network is almost zero)."""
    with torch.no_grad():
        for k, (name, w) in enumerate(net.state_dict().items()):
            if name.endswith("resample_filter"):
                continue
            wave = torch.sin((k + 1) * torch.arange(1.0, w.numel() + 1, dtype=F64)).reshape(w.shape)
            if w.ndim > 1:
                w.copy_(wave * math.sqrt(2 / w[0].numel()))
            elif name == "map_noise.freqs":
                w.copy_(16 * wave)
            else:
                w.copy_(0.3 * wave + (1 if "norm" in name and name.endswith("weight") else 0))
    return net


# ---- names, shapes and sizes


def released(ncsnpp, label_dim, augment_dim, size=32, C=128, mults=(2, 2, 2), blocks=4, attention=(16,)):
    """Names and shapes of the checkpoint, by rule."""
    shapes = {}
    E, N = 4 * C, C * (1 + ncsnpp)
    taps = 4 if ncsnpp else 2

    def layer(name, *shape, bias=True):
        shapes[f"{name}.weight"] = shape
        if bias:
            shapes[f"{name}.bias"] = shape[:1]

    def block(name, c_in, c_out, resized=False, attend=False):
        layer(f"{name}.norm0", c_in)
        layer(f"{name}.conv0", c_out, c_in, 3, 3)
        layer(f"{name}.affine", c_out, E)
        layer(f"{name}.norm1", c_out)
        layer(f"{name}.conv1", c_out, c_out, 3, 3)
        if resized or c_in != c_out:
            layer(f"{name}.skip", c_out, c_in, 1, 1)
        for part in ("conv0", "skip") if resized else ():
            shapes[f"{name}.{part}.resample_filter"] = (1, 1, taps, taps)
        if attend:
            layer(f"{name}.norm2", c_out)
            layer(f"{name}.qkv", 3 * c_out, c_out, 1, 1)
            layer(f"{name}.proj", c_out, c_out, 1, 1)

    if ncsnpp:
        shapes["map_noise.freqs"] = (N // 2,)
    if label_dim:
        layer("map_label", N, label_dim)
    if augment_dim:
        layer("map_augment", N, augment_dim, bias=False)
    layer("map_layer0", E, N)
    layer("map_layer1", E, E)
    layer(f"enc.{size}x{size}_conv", C, 3, 3, 3)
    at = [f"{size >> i}x{size >> i}" for i in range(len(mults))]
    attends = [size >> i in attention for i in range(len(mults))]
    # The width on entering each level, and on the way up: every feature map of the way down is used once, last first.
    entry = [C] + [C * m for m in mults[:-1]]
    kept = [C]
    for i, m in enumerate(mults):
        if i > 0:
            block(f"enc.{at[i]}_down", entry[i], entry[i], resized=True)
            kept.append(entry[i])
            if ncsnpp:
                name = f"enc.{at[i]}_aux_residual"
                layer(name, entry[i], 3 if i == 1 else entry[i - 1], 3, 3)
                shapes[f"{name}.resample_filter"] = (1, 1, taps, taps)
        for b in range(blocks):
            block(f"enc.{at[i]}_block{b}", entry[i] if b == 0 else C * m, C * m, attend=attends[i])
        kept += [C * m] * blocks
    width = C * mults[-1]
    block(f"dec.{at[-1]}_in0", width, width, attend=True)
    block(f"dec.{at[-1]}_in1", width, width)
    for i in reversed(range(len(mults))):
        if i < len(mults) - 1:
            block(f"dec.{at[i]}_up", width, width, resized=True)
        for b in range(blocks + 1):
            out = C * mults[i]
            block(f"dec.{at[i]}_block{b}", width + kept.pop(), out, attend=attends[i] and b == blocks)
            width = out
    layer(f"dec.{at[0]}_aux_norm", width)
    layer(f"dec.{at[0]}_aux_conv", 3, width, 3, 3)
    return shapes


@pytest.mark.parametrize(
    ("ncsnpp", "label_dim", "tensors", "parameters"),
    [
        (False, 0, 425, 55_733_891),
        (False, 10, 427, 55_735_299),
        (True, 0, 432, 56_397_827),
        (True, 10, 434, 56_400_643),
    ],
)
def test_the_cifar10_networks_have_the_released_names_shapes_and_sizes(
    ncsnpp, label_dim, tensors, parameters
):
    with torch.device("meta"):
        net = SongUNet(label_dim=label_dim, augment_dim=9, ncsnpp=ncsnpp)
    ours = {name: tuple(w.shape) for name, w in net.state_dict().items()}
    assert ours == released(ncsnpp, label_dim, 9)
    assert len(ours) == tensors
    assert sum(w.numel() for w in net.parameters()) == parameters


@pytest.mark.parametrize("ncsnpp", [False, True])
def test_the_64_pixel_networks_have_the_released_names_and_shapes(ncsnpp):
    with torch.device("meta"):
        net = SongUNet(64, augment_dim=9, ncsnpp=ncsnpp, channel_mult=(1, 2, 2, 2))
    ours = {name: tuple(w.shape) for name, w in net.state_dict().items()}
    assert ours == released(ncsnpp, 0, 9, 64, mults=(1, 2, 2, 2))


def test_weights_load_strictly_with_and_without_the_preconditioners_prefix():
    net, x, t = small(ncsnpp=True), Noise(0).randn(2, 3, 16, 16), torch.tensor([-1.0, 0.5])
    state = net.state_dict()
    wrapped = {f"model.{name}": w for name, w in state.items()}
    for weights in (state, wrapped):
        fresh = SongUNet(**SMALL, ncsnpp=True).eval()
        fresh.load_state_dict(weights)
        assert torch.equal(fresh(x, t), net(x, t))
    assert set(wrapped) == {f"model.{name}" for name in state}  # the caller's dict is left as it was
    inside = Preconditioned(SongUNet(**SMALL, ncsnpp=True), flow_param()).eval()
    inside.load_state_dict({f"net.{name}": w for name, w in wrapped.items()})
    assert torch.equal(inside.net(x, t), net(x, t))
    with pytest.raises(RuntimeError, match="Unexpected key"):
        net.load_state_dict({**state, "more": torch.zeros(1)})


def test_a_copy_loads_and_computes_like_the_network():
    net, x = small(), Noise(0).randn(1, 3, 16, 16)
    twin = copy.deepcopy(net)
    twin.load_state_dict(net.state_dict())
    assert torch.equal(twin(x, 0.3), net(x, 0.3))


# ---- what NVIDIA's own network gave on the weights of `filled`, float32, on a CPU:
# out[0, 0, 0, 0], out[1, 1, 7, 9], out[2, 2, 15, 15] and the mean square of out

RECORDED = {
    (False, 0): [0.3365358, 0.1557129, -0.9910866, 0.2606462],
    (False, 10): [-0.2933368, 0.7015120, -0.1792987, 0.1302498],
    (True, 0): [-0.0241051, -0.4052634, -0.1487094, 0.1091228],
    (True, 10): [-0.2046428, 0.3680195, -0.0710882, 0.1881376],
}


@pytest.mark.parametrize(("ncsnpp", "label_dim"), RECORDED)
def test_outputs_are_those_recorded_from_nvidias_network(ncsnpp, label_dim):
    net = small(ncsnpp=ncsnpp, label_dim=label_dim, augment_dim=9)
    x, c_noise, labels, augment = recorded_input(ncsnpp, label_dim)
    out = net(x, c_noise, labels, augment).detach()
    got = [out[0, 0, 0, 0], out[1, 1, 7, 9], out[2, 2, 15, 15], out.square().mean()]
    np.testing.assert_allclose(got, RECORDED[ncsnpp, label_dim], atol=1e-5)


def recorded_input(ncsnpp, label_dim):
    x = (
        torch.sin(0.7 * torch.arange(1.0, 3 * 3 * 16 * 16 + 1, dtype=F64) ** 1.5)
        .float()
        .reshape(3, 3, 16, 16)
    )
    c_noise = torch.tensor([-1.5, 0.25, 1.125 if ncsnpp else 437.25])
    augment = torch.sin(torch.arange(1.0, 28.0, dtype=F64)).float().reshape(3, 9)
    return x, c_noise, torch.tensor([7, 0, 10]) if label_dim else None, augment


# ---- the oracle: loops and slices over a table of weights


def group_norm(x, w, b):
    B, C, H, W = x.shape
    groups = min(32, C // 4)
    parts = x.reshape(B, groups, -1)
    centred = parts - parts.mean(-1, keepdim=True)
    normal = (centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()).reshape(B, C, H, W)
    return normal * w[:, None, None] + b[:, None, None]


def swish(x):
    return x / (1 + torch.exp(-x))


def smooth(x, line):
    """Weighted sums of neighbours along rows, then columns; zeros outside. The result is len(line) - 1 longer."""
    for dim in (2, 3):
        longer = list(x.shape)
        longer[dim] += len(line) - 1
        total = torch.zeros(longer, dtype=x.dtype)
        for shift, weight in enumerate(line):
            total.narrow(dim, shift, x.shape[dim]).add_(weight * x)
        x = total
    return x


def halve(x, line):
    """Every second pixel of the smoothed image, aligned so that an output pixel lies between two input pixels."""
    start = len(line) // 2
    return smooth(x, line)[:, :, start::2, start::2][:, :, : x.shape[2] // 2, : x.shape[3] // 2]


def enlarge(x, line):
    B, C, H, W = x.shape
    sparse = torch.zeros(B, C, 2 * H, 2 * W, dtype=x.dtype)
    sparse[:, :, ::2, ::2] = x
    start = len(line) // 2 - 1
    return smooth(sparse, [2 * weight for weight in line])[:, :, start:, start:][:, :, : 2 * H, : 2 * W]


class Oracle:
    """The network as one reading of the papers, computed from a table of weights."""

    def __init__(self, weights, ncsnpp):
        self.w, self.ncsnpp = weights, ncsnpp
        self.line = [1 / 8, 3 / 8, 3 / 8, 1 / 8] if ncsnpp else [1 / 2, 1 / 2]

    def linear(self, name, x):
        out = x @ self.w[f"{name}.weight"].T
        return out + self.w[f"{name}.bias"] if f"{name}.bias" in self.w else out

    def conv(self, name, x):
        w = self.w[f"{name}.weight"]
        return nn.functional.conv2d(x, w, self.w[f"{name}.bias"], padding=w.shape[-1] // 2)

    def norm(self, name, x):
        return group_norm(x, self.w[f"{name}.weight"], self.w[f"{name}.bias"])

    def embedding(self, c_noise, label, augment):
        """One sample: a float, an integer or None, a vector or None."""
        N = self.w["map_layer0.weight"].shape[1]
        if self.ncsnpp:
            frequencies = [2 * math.pi * float(f) for f in self.w["map_noise.freqs"]]
        else:
            frequencies = [10_000 ** (-i / (N // 2 - 1)) for i in range(N // 2)]
        angles = [c_noise * f for f in frequencies]
        v = torch.tensor([math.sin(a) for a in angles] + [math.cos(a) for a in angles], dtype=F64)
        if "map_label.weight" in self.w:
            columns = self.w["map_label.weight"]
            v = v + self.w["map_label.bias"]
            if label is not None and label < columns.shape[1]:
                v = v + math.sqrt(columns.shape[1]) * columns[:, label]
        if augment is not None:
            v = v + self.w["map_augment.weight"] @ augment
        return swish(self.linear("map_layer1", swish(self.linear("map_layer0", v))))

    def attention(self, name, x):
        B, C, H, W = x.shape
        qkv = self.conv(f"{name}.qkv", self.norm(f"{name}.norm2", x)).reshape(B, 3 * C, H * W)
        q, k, v = qkv[:, 0::3], qkv[:, 1::3], qkv[:, 2::3]
        weights = torch.exp(q.transpose(1, 2) @ k / math.sqrt(C))  # (B, from, to)
        weights = weights / weights.sum(2, keepdim=True)
        mixed = (v @ weights.transpose(1, 2)).reshape(x.shape)
        return (x + self.conv(f"{name}.proj", mixed)) / math.sqrt(2)

    def block(self, name, x, emb):
        resize = (
            (lambda a: a)
            if f"{name}.conv0.resample_filter" not in self.w
            else (
                (lambda a: enlarge(a, self.line)) if name.endswith("_up") else (lambda a: halve(a, self.line))
            )
        )
        h = self.conv(f"{name}.conv0", resize(swish(self.norm(f"{name}.norm0", x))))
        h = h + self.linear(f"{name}.affine", emb)[:, :, None, None]
        h = self.conv(f"{name}.conv1", swish(self.norm(f"{name}.norm1", h)))
        shortcut = self.conv(f"{name}.skip", resize(x)) if f"{name}.skip.weight" in self.w else x
        h = (h + shortcut) / math.sqrt(2)
        return self.attention(name, h) if f"{name}.qkv.weight" in self.w else h

    def pyramid(self, name, x):
        """Convolution on a border wide enough for the filter, then every second pixel where the filter fits."""
        border, w = len(self.line) // 2, self.w[f"{name}.weight"]
        h = smooth(nn.functional.conv2d(x, w, padding=border), self.line)
        edge = len(self.line) - 1
        return h[:, :, edge:-edge:2, edge:-edge:2] + self.w[f"{name}.bias"][:, None, None]

    def __call__(self, x, c_noise, labels, augment):
        rows = [
            self.embedding(
                float(c_noise[i]),
                None if labels is None else int(labels[i]),
                None if augment is None else augment[i],
            )
            for i in range(len(x))
        ]
        emb = torch.stack(rows)
        h = self.conv("enc.16x16_conv", x)
        kept, image = [h], x
        h = self.block("enc.16x16_block0", h, emb)
        kept.append(h)
        for at in ("8x8", "4x4"):
            h = self.block(f"enc.{at}_down", h, emb)
            if self.ncsnpp:
                h = image = (h + self.pyramid(f"enc.{at}_aux_residual", image)) / math.sqrt(2)
            kept.append(h)
            h = self.block(f"enc.{at}_block0", h, emb)
            kept.append(h)
        h = self.block("dec.4x4_in1", self.block("dec.4x4_in0", h, emb), emb)
        for at in ("4x4", "8x8", "16x16"):
            if at != "4x4":
                h = self.block(f"dec.{at}_up", h, emb)
            for b in (0, 1):
                h = self.block(f"dec.{at}_block{b}", torch.cat([h, kept.pop()], dim=1), emb)
        return self.conv("dec.16x16_aux_conv", swish(self.norm("dec.16x16_aux_norm", h)))


@pytest.mark.parametrize("ncsnpp", [False, True])
@pytest.mark.parametrize("label_dim", [0, 10])
@pytest.mark.parametrize("augmented", [False, True])
def test_every_part_agrees_with_the_oracle_in_float64(ncsnpp, label_dim, augmented):
    net = small(ncsnpp=ncsnpp, label_dim=label_dim, augment_dim=9).double()
    x, c_noise, labels, augment = recorded_input(ncsnpp, label_dim)
    x, c_noise, augment = x.double(), c_noise.double(), augment.double() if augmented else None
    out = net(x, c_noise, labels, augment).detach()
    want = Oracle(dict(net.state_dict()), ncsnpp)(x, c_noise, labels, augment)
    # DDPM++ keeps its frequencies in float32, so its angles up to 437 are good to about 1e-5.
    np.testing.assert_allclose(out, want, atol=1e-10 if ncsnpp else 1e-5)


# ---- behaviour


def test_dropout_acts_in_training_alone():
    net, x = small(dropout=0.5), Noise(0).randn(1, 3, 16, 16)
    assert torch.equal(net(x, 0.3), net(x, 0.3))
    net.train()
    assert not torch.equal(net(x, 0.3), net(x, 0.3))


def test_no_label_is_the_same_said_in_two_ways():
    net, x, t = small(label_dim=10), Noise(0).randn(2, 3, 16, 16), torch.tensor([-1.0, 0.5])
    none, ten, three = net(x, t), net(x, t, torch.tensor([10, 10])), net(x, t, torch.tensor([3, 3]))
    assert torch.equal(none, ten)
    assert not torch.allclose(none, three, atol=1e-3)


def test_a_scalar_noise_level_serves_the_batch_and_all_inputs_have_gradients():
    net, x = small(ncsnpp=True, label_dim=2), Noise(0).randn(2, 3, 16, 16).requires_grad_()
    out = net(x, torch.tensor(0.5), torch.tensor([0, 1]))
    assert torch.equal(out, net(x, torch.tensor([0.5, 0.5]), torch.tensor([0, 1])))
    out.square().mean().backward()
    assert x.grad is not None
    assert all(bool(w.grad.abs().sum() > 0) for w in net.parameters())


def test_a_fresh_network_starts_near_zero_and_works_as_a_denoiser():
    D = Preconditioned(SongUNet(**SMALL, label_dim=3).eval(), flow_param())
    x = Noise(0).randn(2, 3, 16, 16, dtype=F64)
    with torch.no_grad():
        np.testing.assert_allclose(D(x, 1.0), x / 2, atol=1e-3)
        assert D.given(1)(x, torch.tensor(1.0)).dtype == F64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 30}, "image_size: got 30, want a multiple of 4"),
        ({"image_size": 0}, "image_size: got 0"),
        ({"label_dim": -1}, "label_dim: got -1"),
        ({"augment_dim": 1.5}, "augment_dim: got 1.5"),
        ({"model_channels": 2}, "model_channels: got 2"),
        ({"model_channels": 36}, "model_channels: 144 channels in a block do not split into 32 groups"),
        ({"model_channels": 18}, "model_channels: 18 channels in a block do not split into 4 groups"),
        ({"channel_mult": ()}, r"len\(channel_mult\): got 0"),
        ({"channel_mult": (1, 2.5)}, r"channel_mult: got 2.5"),
        ({"num_blocks": 0}, "num_blocks: got 0"),
        ({"dropout": 1.0}, r"dropout: got 1.0, want a number in \[0, 1\)"),
    ],
)
def test_bad_sizes_are_named(arguments, message):
    with pytest.raises(CourseError, match=message) as caught:
        SongUNet(**arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"x": torch.zeros(2, 1, 16, 16)}, r"x: got shape \(2, 1, 16, 16\), want \(B, 3, 16, 16\)"),
        ({"c_noise": torch.zeros(3)}, r"c_noise: got shape \(3,\), want \(\) or \(2,\)"),
        ({"labels": torch.tensor([0, 5])}, r"labels: got \[0, 5\], want 0..4"),
        ({"labels": torch.tensor([0])}, "labels: got torch.int64 of shape"),
        ({"labels": torch.tensor([0.0, 1.0])}, "labels: got torch.float32"),
        ({"augment_labels": torch.zeros(2, 8)}, r"augment_labels: got shape \(2, 8\), want \(2, 9\)"),
    ],
)
def test_bad_inputs_are_named(call, message):
    inputs = {"x": torch.zeros(2, 3, 16, 16), "c_noise": torch.zeros(2), **call}
    with pytest.raises(CourseError, match=message):
        small(label_dim=4, augment_dim=9)(**inputs)


def test_a_plain_network_takes_no_labels():
    net, x = small(), torch.zeros(2, 3, 16, 16)
    with pytest.raises(CourseError, match="labels: this network was made without classes"):
        net(x, 0.0, torch.tensor([0, 1]))
    with pytest.raises(CourseError, match=r"augment_labels: .* want None"):
        net(x, 0.0, None, torch.zeros(2, 9))
