"""Machines: the toys refuse what a real network refuses, and the optimiser notes what its steps meet."""

import pytest
import torch

from diffusion_course.classroom.checks import CHECKS
from diffusion_course.classroom.checks.engine import cases
from diffusion_course.classroom.checks.machines import (
    SEEN,
    TARGETS,
    ToyOptimizer,
    ToyPair,
    ToyTrained,
    gradients,
    training,
)
from diffusion_course.parametrisations import v_param
from diffusion_course.schedules import NoiseSchedule, cosine

CHECK = CHECKS["03-training_step"]


def network():
    return ToyTrained(torch.tensor([1.0, 0.5, 2.0]), torch.tensor([0.1, 0.2, 0.3]))


def told(step):
    """What the first step did, by name."""
    case = next(iter(cases(CHECK, 0)))
    return dict(zip(SEEN, training(step, *case), strict=False))


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((torch.zeros(3), torch.zeros(3)), r"x_t = a tensor of shape \(3,\)"),
        ((torch.zeros(3, 2), 5), "t = 5; it takes shape"),
        (
            (torch.zeros(3, 2), torch.zeros(3), torch.zeros(3)),
            "labels = a tensor .* float32; it takes integers",
        ),
        ((torch.zeros(3, 2), torch.zeros(3), torch.tensor([0, 1, 3])), "takes 0..2, where 2 means no label"),
    ],
)
def test_a_toy_network_says_what_it_takes(args, said):
    with pytest.raises(TypeError, match=said):
        network()(*args)


def test_no_labels_are_the_label_that_says_so():
    net, x, t = network(), torch.randn(3, 2), torch.arange(3)
    assert torch.equal(net(x, t), net(x, t, torch.full((3,), net.no_label)))
    assert not torch.equal(net(x, t), net(x, t, torch.tensor([0, 1, 0])))


def test_the_optimiser_notes_what_it_meets_and_who_else_moves_the_weights():
    net = network()
    optimizer = ToyOptimizer(net)
    net.weights.grad = torch.tensor([1.0, 2.0, 3.0])
    for group, lr in zip(optimizer.param_groups, (0.5, 0.25), strict=True):
        group["lr"] = lr
    optimizer.step()
    assert (optimizer.steps, optimizer.met_lr, optimizer.moved_by_others) == (1, [0.5, 0.25], False)
    assert optimizer.met.tolist() == [1, 2, 3, 0, 0, 0]
    net.classes.data += 1
    optimizer.step()
    assert optimizer.moved_by_others


def test_a_step_that_does_nothing_leaves_everything():
    seen = told(lambda *args: 0.0)
    assert seen[SEEN[0]] == 0
    assert [int(seen[name]) for name in (SEEN[1], SEEN[2], SEEN[6])] == [0, 0, 0]
    net, ema = seen[SEEN[5]], seen[SEEN[7]]
    torch.testing.assert_close(ema, 0.8 * net)


def test_gradients_are_taken_whatever_the_callers_mode_is():
    case = next(iter(cases(CHECK, 0)))
    with torch.no_grad():
        assert CHECK.right(*case)[5].isfinite().all()


def test_the_targets_are_the_librarys():
    schedule, sigma = NoiseSchedule.from_betas(cosine(10)), torch.tensor(1.5, dtype=torch.float64)
    a = 1 / (1 + sigma**2)
    x0, eps = torch.randn(2, 5, dtype=torch.float64)
    v = TARGETS["v"](x0, eps, a)
    param = v_param(schedule)
    torch.testing.assert_close(param.c_skip(sigma) * (x0 + sigma * eps) + param.c_out(sigma) * v, x0)


# ---- losses whose gradients are judged

PAIR = (
    torch.arange(1.0, 7),
    torch.ones(3, 2),
    torch.tensor([1, 2, 3]),
    torch.zeros(3, 2),
    torch.ones(4) / 9,
    0.5,
)


def test_what_reaches_the_two_halves_is_told_apart_and_calls_add_up():
    def once(model, x0, t, eps, betas, weight):
        return model(x0, t)[:, :2].sum() + weight * model(x0, t)[:, 2:].sum()

    calls, loss, at_eps, at_v = gradients(once, *PAIR)
    assert calls == 2
    assert not loss.requires_grad
    assert torch.equal(at_eps, torch.ones(3, 2))
    assert torch.equal(at_v, torch.full((3, 2), 0.5))


def test_half_of_a_loss_may_reach_nothing_but_not_all_of_it():
    _, _, at_eps, at_v = gradients(lambda model, x0, t, *rest: model(x0, t)[:, :2].sum(), *PAIR)
    assert bool(at_eps.any())
    assert not bool(at_v.any())
    with pytest.raises(TypeError, match="without a graph"):
        gradients(lambda model, x0, t, *rest: model(x0, t).detach().sum(), *PAIR)
    with pytest.raises(TypeError, match=r"returned \d+\.\d+, want a tensor"):
        gradients(lambda model, x0, t, *rest: model(x0, t).square().sum().item(), *PAIR)


@pytest.mark.parametrize(
    "args", [(torch.zeros(3), torch.ones(3)), (torch.zeros(3, 2), torch.ones(3)), (torch.zeros(3, 2), 5)]
)
def test_a_toy_of_two_halves_says_what_it_takes(args):
    with pytest.raises(TypeError, match="it takes"):
        ToyPair(torch.arange(1.0, 7))(*args)
