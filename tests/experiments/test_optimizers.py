"""Muon: a step has singular values near 1 at AdamW's size, weights that are no matrix are AdamW's, and runs resume exactly."""

import math

import pytest
import torch
from experiments.training_runs import STEPS, assert_same, run, trainer
from torch import nn

from diffusion_course import CourseError
from diffusion_course.experiments import optimizers
from diffusion_course.experiments.training import Recipe
from diffusion_course.nets.dit import DiT
from diffusion_course.nets.unet import UNet

CPU = torch.device("cpu")
pytestmark = pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch is older than its Muon")


def wide(seed=0):
    """As `training_runs.network`, with matrices for Muon: a kernel and a linear layer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(2, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.SiLU(),
            nn.Conv2d(16, 24, 3, padding=1),
            nn.Dropout(0.3),
            nn.Flatten(),
            nn.Linear(16 * 24, 16),
            nn.SiLU(),
            nn.Linear(16, 3),
        )


def gradients(net, seed):
    generator = torch.Generator().manual_seed(seed)
    for weight in net.parameters():  # they lie in memory as the weights do, as those of backward() do
        weight.grad = torch.empty_like(weight).copy_(torch.randn(weight.shape, generator=generator))


def trained_by(name, net, steps=1, **knobs):
    optimizer = optimizers.optimizer_of(Recipe(steps=9, optimizer=name, **knobs), net, CPU)
    for step in range(steps):
        gradients(net, step)
        optimizer.step()
    return optimizer


def test_a_step_moves_a_kernel_about_as_far_in_every_direction():
    """Its singular values are those of the Newton-Schulz steps, 0.5 to 1.5, times lr 0.2 sqrt(the longer side)."""
    net = wide()
    before = net[3].weight.detach().flatten(1).clone()
    trained_by("muon", net, lr=0.01)
    moved = torch.linalg.svdvals(net[3].weight.detach().flatten(1) - before)
    size = moved / (0.01 * 0.2 * math.sqrt(16 * 9))
    assert len(size) == 24
    assert size.min() > 0.5
    assert size.max() < 1.5


def test_a_step_has_about_the_size_of_adamws():
    moved = {}
    for name in ("adamw", "muon"):
        net = wide()
        before = net[3].weight.detach().clone()
        trained_by(name, net, lr=0.01)
        moved[name] = float((net[3].weight.detach() - before).square().mean().sqrt())
    # 0.2 lr is what AdamW's steps have in long runs; its first has lr.
    assert 0.1 < moved["muon"] / moved["adamw"] < 0.4


def test_momentum_is_nesterovs():
    """By the singular vectors: after two steps Muon's is near the polar factor of g2 + 0.95 (mean of g1, g2), written anew."""
    net = wide()
    trained_by("muon", net, steps=1, lr=1e-3)
    before = net[3].weight.detach().clone()
    net = wide()
    trained_by("muon", net, steps=2, lr=1e-3)
    moved = (net[3].weight.detach() - before).flatten(1)
    first, second = (grad_of(seed) for seed in (0, 1))
    momentum = 0.05 * (0.95 * first + second)
    left, _, right = torch.linalg.svd(0.05 * second + 0.95 * momentum, full_matrices=False)
    along = torch.nn.functional.cosine_similarity(-(left @ right).flatten(), moved.flatten(), dim=0)
    assert along > 0.95


def grad_of(seed):
    net = wide()
    gradients(net, seed)
    return net[3].weight.grad.flatten(1)


def test_what_is_no_matrix_moves_as_with_adamw_alone():
    muon, adamw = wide(), wide()
    trained_by("muon", muon, steps=3, weight_decay=0.1)
    trained_by("adamw", adamw, steps=3, weight_decay=0.1)
    for (name, ours), theirs in zip(muon.named_parameters(), adamw.parameters(), strict=True):
        assert torch.equal(ours, theirs) == (name not in ("3.weight", "6.weight")), name


def test_matrices_are_those_of_hidden_layers():
    net = UNet(widths=(16, 32), num_classes=10)
    inside = set(optimizers.matrices(net))
    names = {name for name, weight in net.named_parameters() if weight in inside}
    assert {"down.0.before.2.weight", "down.0.scale_shift.weight", "middle.attention.qkv.weight"} <= names
    assert not {"first.weight", "last.2.weight", "gain.weight"} & names
    assert all(weight.ndim in (2, 4) for weight in inside)
    tables = [layer.weight for layer in net.modules() if isinstance(layer, nn.Embedding)]
    assert tables
    assert not inside & set(tables)
    assert len(optimizers.matrices(DiT(width=48))) > 5


def test_a_weight_of_two_layers_is_trained_once():
    net = nn.Sequential(nn.Linear(16, 16), nn.SiLU(), nn.Linear(16, 16))
    net[2].weight = net[0].weight
    assert optimizers.matrices(net) == [net[0].weight]


def test_a_weight_without_a_gradient_stays():
    net = wide()
    optimizer = optimizers.optimizer_of(Recipe(steps=9, optimizer="muon"), net, CPU)
    gradients(net, 0)
    net[3].weight.grad = None
    before = net[3].weight.detach().clone()
    optimizer.step()
    assert torch.equal(net[3].weight, before)
    assert net[3].weight.grad is None
    assert net[6].weight.grad is not None  # it is given back


def test_the_layout_of_a_kernel_changes_nothing():
    plain, last = wide(), wide().to(memory_format=torch.channels_last)
    for net in (plain, last):
        trained_by("muon", net, steps=2)
    assert last[3].weight.is_contiguous(memory_format=torch.channels_last)
    for ours, theirs in zip(plain.parameters(), last.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-7)


def test_the_rate_is_the_loops():
    """A rate of 0 moves nothing, whatever the recipe's."""
    net = wide()
    optimizer = optimizers.optimizer_of(Recipe(steps=9, optimizer="muon"), net, CPU)
    optimizer.param_groups[0]["lr"] = 0.0
    before = [weight.detach().clone() for weight in net.parameters()]
    gradients(net, 0)
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))


def test_what_is_frozen_is_left_alone():
    net = wide()
    net[3].weight.requires_grad_(False)
    assert [weight.shape for weight in optimizers.matrices(net)] == [net[6].weight.shape]
    net[6].weight.requires_grad_(False)
    with pytest.raises(CourseError, match="finds no layer to train"):
        optimizers.optimizer_of(Recipe(steps=1, optimizer="muon"), net, CPU)


def test_a_closure_is_called_before_the_step():
    """As torch's optimizers have it: it makes the gradients that the step takes."""
    by_closure, plain = wide(), wide()
    optimizer = optimizers.optimizer_of(Recipe(steps=9, optimizer="muon"), by_closure, CPU)
    assert optimizer.step(lambda: gradients(by_closure, 0) or 3.0) == 3.0
    trained_by("muon", plain)
    for ours, theirs in zip(by_closure.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_moments_follow_weights_that_lie_otherwise_in_memory(name):
    """A run that began with plain kernels goes on with channels last, e.g. on another device, and takes the same steps."""
    plain = wide()
    state = trained_by(name, plain, steps=2).state_dict()
    last = wide().to(memory_format=torch.channels_last)
    last.load_state_dict(plain.state_dict())
    resumed = optimizers.optimizer_of(Recipe(steps=9, optimizer=name), last, CPU)
    resumed.load_state_dict(state)
    gradients(last, 2)
    resumed.step()
    whole = wide()
    trained_by(name, whole, steps=3)
    for ours, theirs in zip(last.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-7)


# ---- in the training loop


def test_a_resumed_run_is_the_uninterrupted_one(tmp_path):
    whole = run(trainer(net=wide(), optimizer="muon"))
    path = tmp_path / "checkpoint.pt"
    for stop in (1, 50, STEPS):
        part = trainer(path, net=wide(seed=1) if path.exists() else wide(), optimizer="muon")
        for progress in part.run():
            if progress.step == stop:
                break
    assert_same(part, whole)


def test_it_learns():
    losses = [one.loss for one in trainer(net=wide(), optimizer="muon", lr=0.003).run()]
    assert sum(losses[-20:]) < 0.7 * sum(losses[:20])


def test_moments_that_do_not_fit_are_damage(tmp_path):
    path = tmp_path / "checkpoint.pt"
    run(trainer(path, net=wide(), optimizer="muon", steps=4))
    good = torch.load(path, weights_only=True)
    index = [name for name, _ in wide().named_parameters()].index("3.weight")
    assert good["optimizer"]["state"][index].keys() == {"momentum_buffer"}
    for slots in ({"momentum_buffer": torch.zeros(24, 16, 3, 3)}, {"exp_avg": torch.zeros(24, 144)}, {}):
        bad = dict(
            good, optimizer={**good["optimizer"], "state": {**good["optimizer"]["state"], index: slots}}
        )
        torch.save(bad, path)
        with pytest.raises(CourseError, match="damaged"):
            trainer(path, net=wide(), optimizer="muon", steps=4)


@pytest.mark.parametrize(
    "moment",
    [
        torch.full((16, 2, 3, 3), math.nan),
        torch.zeros(16, 2, 3, 3, dtype=torch.int64),
        torch.zeros(16, 2, 3, 3).to_sparse(),
        torch.zeros(16, 2, 3, 3, device="meta"),
    ],
)
def test_moments_that_are_no_dense_numbers_are_damage(tmp_path, moment):
    path = tmp_path / "checkpoint.pt"
    run(trainer(path, net=wide(), steps=4))
    state = torch.load(path, weights_only=True)
    state["optimizer"]["state"][0]["exp_avg"] = moment
    torch.save(state, path)
    with pytest.raises(CourseError, match="damaged"):
        trainer(path, net=wide(), steps=4)


def test_a_moment_whose_numbers_share_one_place_in_memory_is_spread_out(tmp_path):
    """Its shape is right. Written to as it comes, it would spoil what lies beside it."""
    path = tmp_path / "checkpoint.pt"
    part = trainer(path, net=wide(), steps=4)
    next(iter(part.run()))
    part.save()
    state = torch.load(path, weights_only=True)
    state["optimizer"]["state"][0]["exp_avg"] = torch.zeros(1).expand(16, 2, 3, 3)
    torch.save(state, path)
    resumed = trainer(path, net=wide(), steps=4)
    assert resumed.optimizer.state[resumed.net[0].weight]["exp_avg"].is_contiguous(
        memory_format=torch.channels_last
    )
    run(resumed)


def test_another_optimizer_is_another_run(tmp_path):
    path = tmp_path / "checkpoint.pt"
    run(trainer(path, net=wide(), steps=4))
    with pytest.raises(CourseError, match=r"its run had optimizer 'adamw' \(asked: 'muon'\)"):
        trainer(path, net=wide(), optimizer="muon", steps=4)


def test_gradients_that_overflow_float16_move_nothing():
    """The scaler skips the whole step, and not AdamW's part alone."""
    one = trainer(net=wide(), optimizer="muon", amp=torch.float16, steps=4, clip=1e9)
    one.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**100)
    before = [weight.detach().clone() for weight in one.net.parameters()]
    next(iter(one.run()))
    assert all(torch.equal(a, b) for a, b in zip(before, one.net.parameters(), strict=True))


# ---- what cannot be


def test_an_unknown_optimizer():
    with pytest.raises(CourseError, match=r"unknown optimizer 'moun': did you mean 'muon'"):
        Recipe(steps=1, optimizer="moun")


def test_a_network_without_matrices():
    with pytest.raises(
        CourseError,
        match="'muon' finds no layer to train with at least 16 channels on both sides; take 'adamw'",
    ):
        optimizers.optimizer_of(Recipe(steps=1, optimizer="muon"), nn.Linear(3, 3), CPU)


def test_a_torch_that_is_older(monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(
        CourseError, match=r"needs torch 2\.9 or later, this is .*; update torch, or take 'adamw'"
    ):
        optimizers.optimizer_of(Recipe(steps=1, optimizer="muon"), wide(), CPU)
