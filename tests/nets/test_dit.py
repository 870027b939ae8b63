"""The transformer: patches there and back, blocks that start as the identity, and another library's DiT with the same weights."""

import pytest
import torch
from nets.test_unet import fresh, inputs
from shared import close, draws
from torch import nn
from torch.nn import functional as F

from diffusion_course import CourseError
from diffusion_course.nets import dit
from diffusion_course.nets.dit import DiT

SMALL = {"image_size": 6, "channels": 2, "patch_size": 2, "width": 24, "depth": 2, "heads": 3}


# ---- patches and positions


@pytest.mark.parametrize(("p", "H", "W"), [(1, 3, 5), (2, 4, 6), (3, 6, 3), (4, 4, 4)])
def test_patches_go_row_by_row_and_come_back(p, H, W):
    x = draws(2, 3, H, W)
    tokens = dit.patchify(x, p)
    assert torch.equal(tokens, F.unfold(x, p, stride=p).transpose(1, 2))
    assert torch.equal(dit.unpatchify(tokens, p, H, W), x)


@pytest.mark.parametrize("side", [3, 7, 14])
def test_no_two_places_have_the_same_position(side):
    at = dit.positions(side, 24)
    assert at.shape == (side**2, 24)
    distances = torch.cdist(at, at) + torch.eye(side**2)
    assert distances.min() > 0.1
    grid = at.reshape(side, side, 24)
    assert torch.equal(grid[..., :12], grid[:, :1, :12].expand(side, side, 12))  # half tells the row,
    assert torch.equal(grid[..., 12:], grid[:1, :, 12:].expand(side, side, 12))  # and half the column


# ---- the network


@pytest.mark.parametrize(
    ("size", "channels", "patch"), [(7, 4, 1), (8, 1, 1), (8, 3, 2), (12, 1, 4), (28, 1, 2), (5, 2, 5)]
)
@pytest.mark.parametrize("num_classes", [0, 3])
def test_shapes(size, channels, patch, num_classes):
    net = fresh(DiT(size, channels, patch, width=16, depth=1, heads=2, num_classes=num_classes))
    x, c_noise = inputs(net)
    labels = torch.tensor([0, 1, 3]) if num_classes else None
    out = net(x, c_noise, labels)
    assert out.shape == x.shape
    assert out.dtype == torch.float32


def test_the_shipped_sizes_stay_below_a_million():
    for arguments in ({"image_size": 7, "channels": 4, "patch_size": 1}, {}):
        count = sum(weight.numel() for weight in DiT(**arguments, num_classes=10).parameters())
        assert 0.8e6 < count < 1e6


def test_it_starts_as_zero_and_its_blocks_as_the_identity():
    net = DiT(**SMALL)
    assert not net(*inputs(net)).any()
    h, emb = draws(2, 9, 24).float(), draws(2, 24, seed=1).float()
    for block in net.blocks:
        assert torch.equal(block(h, emb), h)
        with torch.no_grad():  # whatever shift and scale are: the gates alone decide
            for k in (0, 1, 3, 4):
                block.modulation.bias[24 * k : 24 * (k + 1)] = k + 1.0
        assert torch.equal(block(h, emb), h)
        with torch.no_grad():
            block.modulation.bias[24 * 2 : 24 * 3] = 1.0
        assert not torch.equal(block(h, emb), h)


def test_nothing_is_kept_but_weights():
    """A CUDA graph replays networks without buffers only, see `experiments.graphs`; and positions would be saved in half precision."""
    assert not list(DiT(**SMALL).buffers())
    assert not [name for name in DiT(**SMALL).state_dict() if "position" in name]


def test_gradients_reach_every_parameter_once_the_gates_open():
    net = fresh(DiT(**SMALL, num_classes=3))
    x, c_noise = inputs(net, batch=4)
    net(x, c_noise, torch.arange(4)).square().sum().backward()
    for name, weight in net.named_parameters():
        assert weight.grad.isfinite().all(), name
        assert weight.grad.any(), name


def test_at_first_only_the_last_layer_learns():
    """Zero gates, and a last layer of zeros: what is behind a zero gets no gradient until the zero has moved."""
    net = DiT(**SMALL)
    net(*inputs(net)).sum().backward()
    assert [name for name, w in net.named_parameters() if w.grad is not None and w.grad.any()] == [
        "last.weight",
        "last.bias",
    ]


def test_without_positions_moved_patches_give_moved_answers(monkeypatch):
    """Attention does not know where a token is: a permutation of the patches permutes the answer, unless positions tell."""
    net = fresh(DiT(**SMALL)).double()
    x, c_noise = draws(2, 2, 6, 6), torch.tensor([0.1, 0.9]).double()
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))

    def moved(image):
        return dit.unpatchify(dit.patchify(image, 2)[:, order], 2, 6, 6)

    assert (net(moved(x), c_noise) - moved(net(x, c_noise))).abs().max() > 1e-3
    monkeypatch.setattr(dit, "positions", lambda side, width, device: torch.zeros(side**2, width))
    close(net(moved(x), c_noise), moved(net(x, c_noise)))


def test_samples_do_not_see_each_other_and_everything_matters():
    net = fresh(DiT(**SMALL, num_classes=3))
    x, c_noise = inputs(net, batch=4)
    labels = torch.tensor([0, 1, 2, 3])
    together = net(x, c_noise, labels)
    for i in range(4):
        row = slice(i, i + 1)
        torch.testing.assert_close(
            together[row], net(x[row], c_noise[row], labels[row]), rtol=1e-4, atol=1e-5
        )
    for other in (
        net(x.flip(3), c_noise, labels),
        net(x, c_noise + 0.3, labels),
        net(x, c_noise, labels.flip(0)),
    ):
        assert (together - other).abs().max() > 1e-4


def test_no_label_is_a_class_of_its_own():
    net = fresh(DiT(**SMALL, num_classes=3))
    x, _ = inputs(net)
    assert net.no_label == 3
    assert torch.equal(net(x, 0.4), net(x, torch.full((3,), 0.4), torch.full((3,), 3)))
    with pytest.raises(CourseError, match=r"^labels: got \[0, 1, 4\], want 0\.\.3"):
        net(x, 0.4, torch.tensor([0, 1, 4]))
    with pytest.raises(CourseError, match="made without classes"):
        DiT(**SMALL)(x, 0.4, torch.tensor([0, 1, 2]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 7}, r"^image_size: got 7, want a multiple of 2 \(patch_size\)"),
        ({"width": 25}, r"^width: got 25, want a multiple of 3 \(heads\)"),
        ({"width": 18}, r"^width: got 18, want a multiple of 4 "),
        ({"depth": 0}, r"^depth: got 0"),
        ({"heads": 0}, r"^heads: got 0"),
        ({"patch_size": 1.5}, r"^patch_size: got 1\.5"),
        ({"num_classes": -1}, r"^num_classes: got -1"),
    ],
)
def test_bad_sizes(arguments, message):
    with pytest.raises(CourseError, match=message):
        DiT(**{**SMALL, **arguments})


def test_images_of_another_shape():
    with pytest.raises(CourseError, match=r"^x: got shape \(2, 2, 6, 8\), want \(B, 2, 6, 6\)$"):
        DiT(**SMALL)(torch.zeros(2, 2, 6, 8), 0.5)


# ---- the oracle


class Given(nn.Module):
    """In place of another library's embedding of time and class: ours."""

    def __init__(self, vector):
        super().__init__()
        self.vector = vector

    def forward(self, *args, **kwargs):
        return self.vector


def test_another_librarys_dit_with_the_same_weights_says_the_same():
    """diffusers' DiTTransformer2DModel in float64. Its embedding is replaced by ours, and it puts a patch's channels last."""
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
    net = fresh(DiT(**SMALL, num_classes=3), scale=0.3).double()
    theirs = diffusers.DiTTransformer2DModel(
        3, 8, 2, 2, num_layers=2, sample_size=6, patch_size=2, norm_eps=1e-6
    )
    theirs = theirs.double().eval()
    x, c_noise, labels = draws(4, 2, 6, 6), torch.linspace(0.1, 0.9, 4).double(), torch.arange(4)
    emb = net.condition(c_noise, labels)

    def copy(there, here):
        there.load_state_dict(here.state_dict())

    with torch.no_grad():
        theirs.pos_embed.proj.weight.copy_(net.first.weight.reshape(24, 2, 2, 2))
        theirs.pos_embed.proj.bias.copy_(net.first.bias)
        theirs.pos_embed.pos_embed.copy_(dit.positions(3, 24))
        for there, here in zip(theirs.transformer_blocks, net.blocks, strict=True):
            there.norm1.emb = Given(emb)
            copy(there.norm1.linear, here.modulation)
            for name, weight, bias in zip(
                ("to_q", "to_k", "to_v"),
                here.attention.qkv.weight.chunk(3),
                here.attention.qkv.bias.chunk(3),
                strict=True,
            ):
                getattr(there.attn1, name).weight.copy_(weight)
                getattr(there.attn1, name).bias.copy_(bias)
            copy(there.attn1.to_out[0], here.attention.out)
            copy(there.ff.net[0].proj, here.mlp[0])
            copy(there.ff.net[2], here.mlp[2])
        copy(theirs.proj_out_1, net.last_modulation)
        channels_last = net.last.weight.reshape(2, 2, 2, 24).permute(1, 2, 0, 3)
        theirs.proj_out_2.weight.copy_(channels_last.reshape(8, 24))
        theirs.proj_out_2.bias.copy_(net.last.bias.reshape(2, 2, 2).permute(1, 2, 0).flatten())
        answer = theirs(x, timestep=torch.zeros(4, dtype=torch.long), class_labels=labels).sample
    close(net(x, c_noise, labels), answer, 1e-9)


def test_another_library_has_the_same_positions():
    """In another order: sines before cosines, columns before rows."""
    embeddings = pytest.importorskip("diffusers.models.embeddings", reason="diffusers is not installed")
    theirs = embeddings.get_2d_sincos_pos_embed(24, 7, base_size=7, output_type="pt").float()
    theirs = theirs.reshape(-1, 2, 2, 6).flip(1, 2).reshape(-1, 24)
    close(dit.positions(7, 24), theirs, 1e-5)
