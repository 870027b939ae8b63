"""The multilayer perceptron for points in the plane."""

import pytest
import torch

from diffusion_course import CourseError, Noise
from diffusion_course.nets.mlp import MLP

X = Noise(0).randn(5, 3)
C = torch.linspace(0.1, 0.9, 5)


def test_shapes_and_noise_levels():
    net = MLP(dims=3, width=16, depth=2)
    assert net(X, C).shape == X.shape
    assert torch.equal(net(X, 0.3), net(X, torch.full((5,), 0.3)))
    assert torch.equal(net(X, torch.tensor(0.3)), net(X, 0.3))
    assert (net(X, 0.3) - net(X, 0.6)).abs().max() > 1e-4


def test_labels():
    net = MLP(dims=3, width=16, num_classes=2)
    assert torch.equal(net(X, C), net(X, C, torch.full((5,), 2)))
    assert not torch.equal(net(X, C), net(X, C, torch.tensor([0, 1, 0, 1, 0])))
    with pytest.raises(CourseError, match=r"^labels: got \[0, 3\], want 0\.\.2"):
        net(X, C, torch.tensor([0, 3, 0, 0, 0]))
    with pytest.raises(CourseError, match=r"^labels: this network was made without classes"):
        MLP(dims=3, width=16)(X, C, torch.zeros(5, dtype=torch.long))


def test_gradients_reach_every_parameter_at_once():
    net = MLP(dims=3, width=16, num_classes=4)
    net(X, C, torch.arange(5)).square().sum().backward()
    assert all(weight.grad.any() for weight in net.parameters())


def test_rows_do_not_see_each_other():
    net = MLP(dims=3, width=16)
    torch.testing.assert_close(net(X, C)[2:3], net(X[2:3], C[2:3]))


@pytest.mark.parametrize("width", [1, 7, 0])
def test_an_odd_width(width):
    with pytest.raises(CourseError, match=rf"^width: got {width}, want an even number"):
        MLP(width=width)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"dims": 0}, "dims: got 0, want an integer >= 1"),
        ({"depth": -1}, "depth: got -1, want an integer >= 0"),
        ({"dims": 2.5}, "dims: got 2.5"),
    ],
)
def test_sizes_that_are_none(arguments, told):
    with pytest.raises(CourseError, match=f"^{told}"):
        MLP(**arguments)


@pytest.mark.parametrize("x", [X[:, :2], X[0], X[None], X.long()])
def test_another_x(x):
    with pytest.raises(CourseError, match=r"^x: got "):
        MLP(dims=3, width=16)(x, 0.5)
