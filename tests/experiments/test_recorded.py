"""Recorded evaluations: which calls are replayed, that answers are those of the network, and that a recording that fails is told."""

import pytest
import torch
from torch import nn

from diffusion_course.experiments import recorded
from diffusion_course.experiments.recorded import record
from diffusion_course.nets.unet import UNet


@pytest.fixture(autouse=True)
def pretended(monkeypatch):
    """A CPU's tensors pass for a GPU's, and no recording is left of another test."""
    monkeypatch.setattr(recorded, "_on_gpu", lambda value: value is None or isinstance(value, torch.Tensor))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    recorded._recordings.clear()
    yield
    recorded._recordings.clear()


class Recorder:
    """Notes what is recorded and replayed."""

    def __init__(self):
        self.recorded, self.replayed = [], 0

    def __call__(self, forward, args):
        self.recorded.append(tuple(one if one is None else tuple(one.shape) for one in args))

        def replay(*new):
            self.replayed += 1
            return forward(*new)

        return replay


@torch.no_grad()
def test_each_shape_is_recorded_once_and_replayed_from_then_on():
    net, recorder = nn.Linear(3, 2), Recorder()
    plain = net.forward
    record(net, print, recorder)
    for n in (4, 4, 5, 4, 5):
        x = torch.randn(n, 3)
        assert torch.equal(net(x), plain(x))
    assert recorder.recorded == [((4, 3),), ((5, 3),)]
    assert recorder.replayed == 2 + 3  # a look at each recording, and the calls after


def test_calls_with_gradients_are_the_networks_own():
    net, recorder = nn.Linear(3, 2), Recorder()
    record(net, print, recorder)
    net(torch.randn(4, 3)).sum().backward()
    assert net.weight.grad is not None
    assert not recorder.recorded


@torch.no_grad()
def test_no_more_than_a_few_recordings_are_held():
    recorder = Recorder()
    nets = [record(nn.Linear(3, 2), print, recorder) for _ in range(recorded.HELD + 2)]
    for net in nets:
        net(torch.randn(4, 3))
    assert len(recorded._recordings) == recorded.HELD
    nets[0](torch.randn(4, 3))
    assert len(recorder.recorded) == len(nets) + 1


@torch.no_grad()
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (RuntimeError("operation not permitted when stream is capturing\nmore"), "operation not permitted"),
        (None, "its replay differs"),
    ],
)
def test_a_recording_that_fails_is_told_and_the_network_is_called_itself(fault, told):
    def fails(forward, args):
        if fault:
            raise fault
        return lambda *new: forward(*new) + 1

    net, said = nn.Linear(3, 2), []
    plain = net.forward
    record(net, said.append, fails)
    x = torch.randn(4, 3)
    for _ in range(3):
        assert torch.equal(net(x), plain(x))
    assert len(said) == 1
    assert said[0].startswith(f"sampling goes on without a CUDA graph ({told}")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@torch.no_grad()
def test_a_graph_answers_as_the_network_does_for_new_inputs():
    torch.manual_seed(0)
    net = UNet(8, widths=(16, 16), attention=(4,), num_classes=10).eval().requires_grad_(False).cuda()
    for weights in net.parameters():
        nn.init.normal_(weights, std=0.1)
    plain = net.forward
    said: list[str] = []
    record(net, said.append)
    answers = []
    for seed in range(4):
        torch.manual_seed(seed)
        x, t, y = torch.randn(6, 1, 8, 8).cuda(), torch.rand(6).cuda(), torch.randint(0, 10, (6,)).cuda()
        answers.append((net(x, t, y), plain(x, t, y)))
    assert not said
    assert len(recorded._recordings) == 1
    for got, want in answers:  # after all: no answer was written over by a later replay
        torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-4)
