"""A control block: a frozen layer, its trainable copy, and two layers of zeros. What it answers before the first step, and after each."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .ch06_classifier import number
from .ch13_control_built import (
    answer,
    built,
    by_hand,
    layer,
    mean_square,
    one_by_one,
    slip,
    start,
    stepping,
    still,
    with_bias,
)
from .ch13_steps import OTHER_STEPS, downhill
from .data import Check, Mutant
from .inputs import Draw
from .slips import argument_slip, kept_wrongly, result_slip


def control_block(x: Tensor, hint: Tensor, y: Tensor, theta: Tensor, lr: float, num_steps: int) -> Tensor:
    return built(x, hint, y, theta, lr, num_steps)


def blocks(d: Draw) -> tuple:
    """Rows of data, a hint of another width, a layer that is far from the identity."""
    width, h = (d.event[0], d.size()) if len(d.event) == 1 else d.event[:2]
    n, scale = d.B, width**-0.5
    data = d.normal(n, width), d.normal(n, h), d.normal(n, width), 2 * scale * d.normal(width, width)
    return *data, number(d, 0.3, 0.6), d.integer(3, 4)


def edges(d: Draw) -> Iterator[tuple[str, tuple]]:
    """A hint as wide as the data, one step and none, more steps, small and large lr."""

    def case(n: int, width: int, h: int, lr: float, steps: int) -> tuple:
        data = d.normal(n, width), d.normal(n, h), d.normal(n, width), d.normal(width, width)
        return *data, lr, steps

    yield "a hint as wide as the data", case(5, 3, 3, 0.4, 3)
    yield "as many rows as coordinates", case(4, 4, 4, 0.4, 3)
    # Values that a normal draw seldom has, in a layer that they do not saturate.
    x, hint, y, theta, *rest = case(5, 3, 2, 0.3, 3)
    yield "weights of about 20", (x / 20, hint / 20, y, 20 * theta, *rest)
    yield "inputs of about 20", (20 * x, 20 * hint, 20 * y, theta / 20, 0.01, 3)
    yield "one step", case(5, 3, 2, 0.5, 1)
    yield "no step", case(5, 3, 2, 0.5, 0)
    yield "eight steps", case(5, 3, 2, 0.3, 8)
    yield "a small lr", case(5, 3, 2, 0.004, 3)
    yield "lr = 1.5", case(5, 3, 2, 1.5, 2)
    yield "one row", case(1, 3, 2, 0.4, 3)
    yield "one coordinate", case(5, 1, 1, 0.4, 3)
    x, hint, y, theta, *rest = case(5, 3, 2, 0.01, 3)
    yield "data far outside [-1, 1]", (3 * x, 12 * hint, 20 * y, 2 * theta, *rest)


def begun(answer: Callable) -> str:
    """Does the block answer as the frozen layer does, before any step?"""
    theta = torch.tensor([[0.5, -1.0], [0.25, 0.75]], dtype=torch.float64)
    x, hint = torch.tensor([[1.0, 0.5], [-0.5, 2.0]]).double(), torch.ones(2, 3).double()
    path = answer(x, hint, 0 * x, theta.clone(), 0.1, 0)
    if path.shape == (1, 2, 2) and not torch.allclose(path[0].double(), layer(x, theta)):
        return "Before the first step the block does not answer as the frozen layer: the last layer does not begin with zeros, or that layer is another one."
    return ""


CONTROL_BLOCK = Check(
    id="13-control_block",
    points=5,
    minutes=25,
    level=3,
    reference=control_block,
    inputs=blocks,
    fixed=edges,
    where='section 7 of this notebook ("Control"): F(x; theta) + F(x + c Z_1^T; theta_c) Z_2^T with F(x; theta) = tanh(x theta^T); '
    "Z_1 and Z_2 begin as zeros and theta_c as theta, and these three learn (Zhang et al. 2023, eq. 2).",
    outputs=("answers",),
    path="a_{}",
    inference=False,  # autograd is asked for the gradients
    recording=False,
    measured=begun,
    mutants=[
        # the start
        slip(
            "a block that never changes. Two layers of zeros in series do so (a copy that begins with zeros, or does not see x, is one, too): each "
            "one's gradient is multiplied by the other. So does a step that is not taken.",
            first=lambda hint, theta: [a * 0 for a in start(hint, theta)],
        ),
        slip(
            "a last layer that does not begin with zeros: before the first step the block must answer as the frozen layer does.",
            first=lambda hint, theta: [*start(hint, theta)[:2], torch.ones_like(theta)],
        ),
        slip(
            "no last layer of zeros: at first the copy adds its whole answer.",
            first=lambda hint, theta: [*start(hint, theta)[:2], torch.eye(len(theta)).to(theta)],
            move=still(2),
        ),
        slip(
            "an identity in the place of the last layer of zeros.",
            first=lambda hint, theta: [*start(hint, theta)[:2], torch.eye(len(theta)).to(theta)],
        ),
        slip(
            "a first layer of ones: it begins with zeros, too.",
            first=lambda hint, theta: [torch.ones_like(start(hint, theta)[0]), *start(hint, theta)[1:]],
        ),
        slip(
            "a first layer that begins as the identity: it begins with zeros.",
            first=lambda hint, theta: [torch.eye(len(theta), hint.shape[1]).to(theta), *start(hint, theta)[1:]],
        ),
        # the parts
        slip(
            "a copy that does not see the hint: it gets x + c Z_1^T, and Z_1 learns, too.",
            out=lambda x, c, theta, w: layer(x, theta) + layer(x, w[1]) @ w[2].T,
        ),
        slip(
            "the hint given to the frozen layer as well: that one gets x alone.",
            out=lambda x, c, theta, w: layer(x + c @ w[0].T, theta) + layer(x + c @ w[0].T, w[1]) @ w[2].T,
        ),
        slip(
            "the hint given to the frozen layer, and not to the copy.",
            out=lambda x, c, theta, w: layer(x + c @ w[0].T, theta) + layer(x, w[1]) @ w[2].T,
        ),
        slip(
            "the copy shown what the frozen layer answered: it gets x + c Z_1^T.",
            out=lambda x, c, theta, w: layer(x, theta) + layer(layer(x, theta) + c @ w[0].T, w[1]) @ w[2].T,
        ),
        slip(
            "the branch alone: the frozen layer's answer is added to it.",
            out=lambda x, c, theta, w: layer(x + c @ w[0].T, w[1]) @ w[2].T,
        ),
        slip(
            "tanh of the sum: it belongs to each layer, not to their sum.",
            out=lambda x, c, theta, w: torch.tanh(x @ theta.T + layer(x + c @ w[0].T, w[1]) @ w[2].T),
        ),
        slip(
            "a tanh after the last layer of zeros: what that adds is not bounded.",
            out=lambda x, c, theta, w: layer(x, theta) + torch.tanh(layer(x + c @ w[0].T, w[1]) @ w[2].T),
        ),
        slip(
            "a tanh after the first layer of zeros: it is linear.",
            out=lambda x, c, theta, w: layer(x, theta) + layer(x + torch.tanh(c @ w[0].T), w[1]) @ w[2].T,
        ),
        slip(
            "a copy without its tanh.",
            out=lambda x, c, theta, w: layer(x, theta) + (x + c @ w[0].T) @ w[1].T @ w[2].T,
        ),
        slip(
            "no tanh at all: F(x; theta) = tanh(x theta^T).",
            out=lambda x, c, theta, w: x @ theta.T + (x + c @ w[0].T) @ w[1].T @ w[2].T,
        ),
        slip(
            "a relu in the place of tanh.",
            out=lambda x, c, theta, w: (x @ theta.T).relu() + ((x + c @ w[0].T) @ w[1].T).relu() @ w[2].T,
        ),
        slip(
            "theta for its transpose: a layer computes x theta^T.",
            out=lambda x, c, theta, w: torch.tanh(x @ theta)
            + torch.tanh((x + c @ w[0].T) @ w[1]) @ w[2].T,
        ),
        slip(
            "theta_c for its transpose: the copy computes (x + c Z_1^T) theta_c^T.",
            out=lambda x, c, theta, w: layer(x, theta) + torch.tanh((x + c @ w[0].T) @ w[1]) @ w[2].T,
        ),
        slip(
            "a tanh after the last layer of zeros, in the place of that before it.",
            out=lambda x, c, theta, w: layer(x, theta) + torch.tanh((x + c @ w[0].T) @ w[1].T @ w[2].T),
        ),
        slip(
            "a relu in the copy: it has a tanh, as the frozen layer has.",
            out=lambda x, c, theta, w: layer(x, theta) + ((x + c @ w[0].T) @ w[1].T).relu() @ w[2].T,
        ),
        slip(
            "the hint added to what the copy answers: it is added to what the copy gets.",
            out=lambda x, c, theta, w: layer(x, theta) + (layer(x, w[1]) + c @ w[0].T) @ w[2].T,
        ),
        slip(
            "the hint added inside of the copy's tanh, after theta_c: it is added to x, before theta_c.",
            out=lambda x, c, theta, w: layer(x, theta) + torch.tanh(x @ w[1].T + c @ w[0].T) @ w[2].T,
        ),
        slip(
            "the frozen layer's answer sent through Z_2 as well: only the copy's is.",
            out=lambda x, c, theta, w: layer(x, theta) + (layer(x, theta) + layer(x + c @ w[0].T, w[1])) @ w[2].T,
        ),
        slip(
            "a bias in the last layer: here the layers have none.",
            first=with_bias,
            out=lambda x, c, theta, w: answer(x, c, theta, w) + w[3],
        ),
        argument_slip(
            "a bias in the first layer: here the layers have none.",
            control_block,
            "hint",
            lambda hint: torch.cat([hint, torch.ones_like(hint[:, :1])], 1),
        ),
        argument_slip(
            "another row's hint: row i of the hint belongs to row i of x.", control_block, "hint", lambda hint: hint.roll(1, 0)
        ),
        Mutant(
            "Z_1 of shape (d, d): it is (d, h), and takes the h numbers of a hint.",
            lambda x, hint, y, theta, *rest: hint @ torch.zeros_like(theta).T,
        ),
        Mutant(
            "the hint added as it is: it enters through Z_1, (d, h), as c Z_1^T.",
            lambda x, hint, *rest: x + hint,
        ),
        Mutant(
            "c Z_1 in the place of c Z_1^T: Z_1 is (d, h), and a row of c has h numbers.",
            lambda x, hint, y, theta, *rest: hint @ start(hint, theta)[0],
        ),
        # what learns
        slip("the frozen layer trained as well: only Z_1, theta_c and Z_2 move.", base="trained"),
        slip(
            "one weight for both layers: the copy has its own, and the frozen layer stays as it is.", base="shared"
        ),
        slip("a copy that is not trained.", move=still(1)),
        slip("a first layer of zeros and a copy that are not trained.", move=still(0, 1)),
        slip("a step uphill: subtract lr times the gradient.", move=lambda w, g, lr: downhill(w, g, -lr)),
        slip("steps by the gradient without lr.", move=lambda w, g, lr: downhill(w, g, 1.0)),
        *(Mutant(hint, stepping(begin)) for hint, begin in OTHER_STEPS.items()),
        Mutant("weights that move one after the other, Z_2 first: all three gradients are taken at the old weights.", one_by_one(2, 1, 0)),
        Mutant("weights that move one after the other, Z_1 first: all three gradients are taken at the old weights.", one_by_one(0, 1, 2)),
        # the chain rule by hand
        Mutant("gradients without the slope of tanh, 1 - tanh^2.", by_hand(slope=lambda h, at: torch.ones_like(h))),
        Mutant("1 minus the square of tanh's argument as its slope: it is 1 - tanh^2.", by_hand(slope=lambda h, at: 1 - at**2)),
        Mutant("1 - tanh as the slope of tanh: it is 1 - tanh^2.", by_hand(slope=lambda h, at: 1 - h)),
        Mutant(
            "the gradient of theta_c made with x: the copy sees x + c Z_1^T.", by_hand(copy_sees=lambda x, seen: x)
        ),
        Mutant(
            "the gradient of Z_1 taken through theta: it passes theta_c.", by_hand(back_through=lambda theta, copied: theta)
        ),
        # the loss
        slip(
            "a sum of squares as the loss: it is the mean over all entries of y.",
            loss=lambda out, y: (out - y).square().sum(),
        ),
        slip(
            "a sum over the coordinates, and a mean over the rows alone: the loss is the mean over all entries of y.",
            loss=lambda out, y: (out - y).square().sum(1).mean(),
        ),
        slip(
            "a mean over the coordinates, and a sum over the rows: the loss is the mean over all entries of y.",
            loss=lambda out, y: (out - y).square().mean(1).sum(),
        ),
        Mutant(
            "the branch alone fitted to y: the loss is of the whole answer, that of the frozen layer included.",
            lambda x, hint, y, theta, *rest: control_block(x, hint, y + layer(x, theta), theta, *rest),
        ),
        slip("the loss of the first row alone: it is the mean over all.", loss=lambda out, y: mean_square(out[:1], y[:1])),
        slip("half of the squared error: the loss has no 1/2.", loss=lambda out, y: mean_square(out, y) / 2),
        slip("the absolute error: the loss is the mean of squares.", loss=lambda out, y: (out - y).abs().mean()),
        slip(
            "the root of the mean squared error: the loss is the mean itself.",
            loss=lambda out, y: mean_square(out, y).sqrt(),
        ),
        # the states
        result_slip(
            "the first answer left out: a_0, before any step, is one of them.", control_block, lambda path: path[1:]
        ),
        result_slip(
            "the last answer left out: there are num_steps + 1 of them.", control_block, lambda path: path[:-1]
        ),
        *kept_wrongly("a", control_block),
        result_slip("the last answer alone: return all of them.", control_block, lambda path: path[-1]),
        result_slip("the answers in reverse: a_0 comes first.", control_block, lambda path: path.flip(0)),
        argument_slip("a step too many.", control_block, "num_steps", lambda n: n + 1),
        Mutant(
            "the losses: return what the block answers.",
            lambda x, hint, y, *rest: (control_block(x, hint, y, *rest) - y).square().mean((1, 2)),
        ),
    ],
)  # fmt: skip
