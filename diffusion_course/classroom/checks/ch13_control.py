"""A control block: a frozen layer, its trainable copy, and two layers of zeros. What it answers before the first step, and after each."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .ch06_classifier import number
from .data import Check, Mutant
from .inputs import Draw
from .slips import argument_slip, result_slip

Weights = list[Tensor]  # of the first layer of zeros, the copy, the second layer of zeros


def control_block(x: Tensor, hint: Tensor, y: Tensor, theta: Tensor, lr: float, num_steps: int) -> Tensor:
    return built(x, hint, y, theta, lr, num_steps)


def layer(x: Tensor, theta: Tensor) -> Tensor:
    return torch.tanh(x @ theta.T)


def answer(x: Tensor, hint: Tensor, theta: Tensor, w: Weights) -> Tensor:
    return layer(x, theta) + layer(x + hint @ w[0].T, w[1]) @ w[2].T


def start(hint: Tensor, theta: Tensor) -> Weights:
    """Zeros, a copy, and zeros."""
    return [theta.new_zeros(len(theta), hint.shape[1]), theta.clone(), torch.zeros_like(theta)]


def mean_square(out: Tensor, y: Tensor) -> Tensor:
    return (out - y).square().mean()


def downhill(w: Weights, slopes: Weights, lr: float) -> Weights:
    return [a - lr * g for a, g in zip(w, slopes, strict=True)]


def built(
    x: Tensor,
    hint: Tensor,
    y: Tensor,
    theta: Tensor,
    lr: float,
    num_steps: int,
    first: Callable[[Tensor, Tensor], Weights] = start,
    out: Callable[[Tensor, Tensor, Tensor, Weights], Tensor] = answer,
    loss: Callable[[Tensor, Tensor], Tensor] = mean_square,
    move: Callable[[Weights, Weights, float], Weights] = downhill,
    base: str = "",
) -> Tensor:
    """All answers. first: the weights; out: the block; loss: of its answers; move: a step; base: "trained", or "shared" with the copy."""
    w, answers = first(hint, theta), []
    for step in range(num_steps + 1):
        with torch.enable_grad():
            leaves = [a.detach().requires_grad_() for a in w]
            frozen = theta.detach().requires_grad_()
            got = out(x, hint, leaves[1] if base == "shared" else frozen, leaves)
            slopes = torch.autograd.grad(loss(got, y), [*leaves, frozen], allow_unused=True)
        answers.append(got.detach())
        if step == num_steps:
            break
        known = [
            torch.zeros_like(a) if g is None else g for a, g in zip([*leaves, frozen], slopes, strict=True)
        ]
        w = move([a.detach() for a in leaves], known[:3], lr)
        if base == "trained":
            theta = theta - lr * known[3]
    return torch.stack(answers)


def slip(hint: str, **parts: Any) -> Mutant:
    return Mutant(hint, partial(built, **parts))


def still(*kept: int) -> Callable[[Weights, Weights, float], Weights]:
    """A step that leaves some of the weights as they are."""
    return lambda w, slopes, lr: [
        a if i in kept else a - lr * g for i, (a, g) in enumerate(zip(w, slopes, strict=True))
    ]


def remembering(make: Callable[[], Callable]) -> Callable:
    """A mutant whose steps remember: make() begins one."""

    def run(x: Tensor, hint: Tensor, y: Tensor, theta: Tensor, lr: float, num_steps: int) -> Tensor:
        return built(x, hint, y, theta, lr, num_steps, move=make())

    return run


def adding_up() -> Callable:
    total: Weights = []

    def move(w: Weights, slopes: Weights, lr: float) -> Weights:
        total[:] = [a + b for a, b in zip(total, slopes, strict=True)] if total else slopes
        return downhill(w, total, lr)

    return move


def adam() -> Callable:
    first: list[Tensor | float] = [0.0] * 3
    second: list[Tensor | float] = [0.0] * 3
    count = [0]

    def move(w: Weights, slopes: Weights, lr: float) -> Weights:
        count[0] += 1
        for i, g in enumerate(slopes):
            first[i], second[i] = 0.9 * first[i] + 0.1 * g, 0.999 * second[i] + 0.001 * g**2
        m = [v / (1 - 0.9 ** count[0]) for v in first]
        n = [v / (1 - 0.999 ** count[0]) for v in second]
        return [a - lr * b / (c**0.5 + 1e-8) for a, b, c in zip(w, m, n, strict=True)]

    return move


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
    path="y_{}",
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
        Mutant("gradients that add up from step to step: set them to zero before each.", remembering(adding_up)),
        Mutant("Adam's steps: here a step is minus lr times the gradient.", remembering(adam)),
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
        slip("half of the squared error: the loss has no 1/2.", loss=lambda out, y: mean_square(out, y) / 2),
        slip("the absolute error: the loss is the mean of squares.", loss=lambda out, y: (out - y).abs().mean()),
        slip(
            "the root of the mean squared error: the loss is the mean itself.",
            loss=lambda out, y: mean_square(out, y).sqrt(),
        ),
        # the states
        result_slip(
            "the first answer left out: y_0, before any step, is one of them.", control_block, lambda path: path[1:]
        ),
        result_slip(
            "the last answer left out: there are num_steps + 1 of them.", control_block, lambda path: path[:-1]
        ),
        result_slip("the last answer alone: return all of them.", control_block, lambda path: path[-1]),
        result_slip("the answers in reverse: y_0 comes first.", control_block, lambda path: path.flip(0)),
        argument_slip("a step too many.", control_block, "num_steps", lambda n: n + 1),
        Mutant(
            "the losses: return what the block answers.",
            lambda x, hint, y, *rest: (control_block(x, hint, y, *rest) - y).square().mean((1, 2)),
        ),
    ],
)  # fmt: skip
