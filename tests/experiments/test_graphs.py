"""CUDA graphs: when a network's calls are recorded, and that training is the same with them."""

import pytest
import torch
from torch import nn

from diffusion_course.experiments.graphs import Replayed
from diffusion_course.experiments.objectives import eps_objective
from diffusion_course.experiments.training import Recipe, Trainer
from diffusion_course.nets.unet import UNet
from diffusion_course.schedules import NoiseSchedule, linear


@pytest.fixture
def recorded(monkeypatch):
    """What would be recorded: (network, examples)."""
    found = []
    monkeypatch.setattr(
        torch.cuda, "make_graphed_callables", lambda net, examples, **how: found.append((net, examples))
    )
    return found


def steps(net, call, count=4, usable=True, say=print):
    replayed = Replayed(net, usable, say)
    for step in range(count):
        call(net, step)
        replayed.after_step(None)


def test_a_call_a_step_is_recorded_once_with_copies_of_its_tensors(recorded):
    net, x = nn.Linear(3, 2), torch.ones(4, 3)
    steps(net, lambda net, step: net(x))
    ((found, (example,)),) = recorded
    assert found is net
    assert torch.equal(example, x)
    assert example.data_ptr() != x.data_ptr()
    assert not net._forward_pre_hooks


class Options(nn.Linear):
    def forward(self, x, scale=1.0):
        return scale * super().forward(x)


@pytest.mark.parametrize(
    ("net", "call"),
    [
        (nn.Linear(3, 2), lambda net, step: (net(torch.ones(4, 3)), net(torch.ones(4, 3)))),
        (nn.Linear(3, 2), lambda net, step: None),
        (nn.Linear(3, 2), lambda net, step: net(torch.ones(4, 3, requires_grad=True))),
        (Options(3, 2), lambda net, step: net(torch.ones(4, 3), scale=2.0)),
        (Options(3, 2), lambda net, step: net(torch.ones(4, 3), 2.0)),
        (nn.BatchNorm1d(3), lambda net, step: net(torch.randn(4, 3))),
    ],
    ids=["twice", "never", "gradient of the input", "by name", "no tensor", "buffers"],
)
def test_what_a_recording_would_get_wrong_is_not_recorded(recorded, net, call):
    steps(net, call)
    assert not recorded
    assert not net._forward_pre_hooks


def test_where_it_cannot_be_used_nothing_is_watched(recorded):
    steps(nn.Linear(3, 2), lambda net, step: net(torch.ones(4, 3)), usable=False)
    assert not recorded


def test_a_recording_that_fails_is_told_and_the_network_is_called_itself(monkeypatch):
    def fails(net, examples, **how):
        net.forward = None
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", fails)
    net, said = nn.Linear(3, 2), []
    steps(net, lambda net, step: net(torch.ones(4, 3)), say=said.append)
    assert said == [
        "training goes on without a CUDA graph (operation not permitted when stream is capturing)"
    ]
    assert net(torch.ones(4, 3)).shape == (4, 2)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_training_is_the_same_with_a_graph_and_without(monkeypatch):
    schedule = NoiseSchedule.from_betas(linear(100))
    images = torch.randint(0, 256, (50, 1, 8, 8), dtype=torch.uint8)

    def trained():
        torch.manual_seed(0)
        net = UNet(8, widths=(16, 16), attention=(4,), num_classes=10)
        recipe = Recipe(steps=8, batch_size=16, warmup=2)
        trainer = Trainer(
            net, eps_objective(schedule, label_dropout=0.2), images, torch.arange(50) % 10, recipe, "cuda"
        )
        losses = torch.tensor([done.loss for done in trainer.run()])
        return losses, "forward" in vars(trainer.net)

    with_graph, is_graph = trained()
    monkeypatch.setattr("diffusion_course.experiments.graphs.EAGER", 10**9)
    without, is_graph_too = trained()
    assert (is_graph, is_graph_too) == (True, False)
    torch.testing.assert_close(with_graph, without, rtol=1e-3, atol=1e-4)
