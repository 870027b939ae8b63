"""The transformer of masked diffusion: it sees all tokens, both ways, in their places, and starts as a function of each alone."""

import pytest
import torch

from diffusion_course import CourseError
from diffusion_course.nets.token_transformer import TokenTransformer, angles, turned


def made(**change):
    torch.manual_seed(0)
    net = TokenTransformer(
        **{"states": 5, "shape": (6,), "width": 16, "depth": 2, "heads": 2} | change
    ).eval()
    for parameter in net.parameters():  # past the start, where the blocks do nothing
        torch.nn.init.normal_(parameter, std=0.3)
    return net


X = torch.tensor([[0, 1, 5, 3, 5, 2], [5, 5, 5, 5, 5, 5]])


def test_shapes_of_texts_and_pictures():
    assert made()(X).shape == (2, 6, 5)
    assert made(shape=(2, 3))(X.reshape(2, 2, 3)).shape == (2, 2, 3, 5)


def test_every_token_sees_every_other():
    net, before = made(), made()(X[:1])
    for place in range(6):
        x = X[:1].clone()
        x[0, place] = (x[0, place] + 1) % 5
        assert bool(((net(x) - before).abs().amax(-1) > 1e-4).all())


def test_places_matter():
    net = made()
    assert not torch.allclose(net(X[:1].flip(1)).flip(1), net(X[:1]), atol=1e-3)
    hidden = net(X[1:])
    assert not torch.allclose(hidden[0, 0], hidden[0, 1], atol=1e-3)


def test_samples_do_not_see_each_other():
    torch.testing.assert_close(made()(X)[:1], made()(X[:1]))


def test_at_the_start_a_token_is_guessed_from_nothing_but_itself_and_its_place():
    torch.manual_seed(0)
    net, x = TokenTransformer(5, (6,), 16, 2, 2).eval(), X[:1].clone()
    before = net(x)
    x[0, 0] = 4
    assert torch.equal(net(x)[0, 1:], before[0, 1:])


def test_turning_makes_products_depend_on_the_distance_alone():
    q, k = (
        torch.randn(1, 1, 1, 8, generator=torch.Generator().manual_seed(i)).expand(1, 1, 6, 8) for i in (0, 1)
    )
    angle = angles(6, 4)
    products = (turned(q, angle) @ turned(k, angle).transpose(-1, -2))[
        0, 0
    ]  # (6, 6), of one query and one key at all places
    for distance in range(-5, 6):
        along = products.diagonal(distance)
        torch.testing.assert_close(along, along[:1].expand_as(along))
    torch.testing.assert_close(turned(q, angle).norm(dim=-1), q.norm(dim=-1))


def test_classes():
    net = made(num_classes=3)
    assert net.no_label == 3
    assert torch.equal(net(X), net(X, 3))
    assert torch.equal(net.given(torch.tensor([0, 2]))(X)[1:], net(X[1:], 2))
    assert not torch.allclose(net(X, 0), net(X, 1), atol=1e-3)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: made(width=15), "width: got 15, want a multiple of heads=2"),
        (lambda: made(width=18, heads=6), "width: got 18, want .* even"),
        (lambda: made(shape=()), "shape: got 0"),
        (lambda: made(states=0), "states: got 0"),
        (lambda: made()(X[:, :5]), r"x: got torch.int64 of shape \(2, 5\), want integers of shape \(B, 6\)"),
        (lambda: made()(X.float()), "x: got torch.float32"),
        (lambda: made()(X + 1), r"x: got 1..6, want 0..5, which means hidden"),
        (lambda: made()(X, 0), "without classes"),
        (lambda: made(num_classes=3)(X, 4), r"labels: got \[4\], want 0..3 \(3 means no label\)"),
        (lambda: made(num_classes=3)(X, torch.tensor([1, 2, 0])), "labels: got shape"),
    ],
)
def test_bad_input_is_told_in_a_line(call, told):
    with pytest.raises(CourseError, match=told):
        call()
