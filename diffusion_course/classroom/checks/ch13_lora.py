"""LoRA of one linear layer, from its first moment on: its merged weight before the first step of training, and after each."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .ch06_classifier import number
from .ch13_lora_built import (
    built,
    of_the_whole,
    one_after_the_other,
    running,
    slip,
    slope,
    start,
    stepping,
    with_the_old_A,
)
from .ch13_steps import OTHER_STEPS
from .data import Check, Mutant
from .inputs import Draw
from .slips import argument_slip, kept_wrongly, result_slip


def lora(x: Tensor, y: Tensor, weight: Tensor, z: Tensor, alpha: float, lr: float, num_steps: int) -> Tensor:
    return built(x, y, weight, z, alpha, lr, num_steps)


def sizes(d: Draw) -> tuple[int, int, int]:
    """d_in, d_out and r, all different."""
    free = list(d.event)[:3]
    while len(free) < 3:
        free.append(d.size())
    return free[0], free[1], free[2]


def layers(d: Draw) -> tuple:
    d_in, d_out, r = sizes(d)
    data = d.normal(d.B, d_in), d.normal(d.B, d_out), d.normal(d_out, d_in), d.normal(r, d_in) / d_in**0.5
    return *data, number(d, 0.5, 0.9) * (r + 1), number(d, 0.05, 0.2), d.integer(3, 4)


def edges(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Factors that are square, alpha = r, one step and none, many steps, data far outside [-1, 1]."""

    def case(n: int, d_in: int, d_out: int, r: int, alpha: float, lr: float, steps: int) -> tuple:
        data = d.normal(n, d_in), d.normal(n, d_out), d.normal(d_out, d_in), d.normal(r, d_in) / d_in**0.5
        return *data, alpha, lr, steps

    yield "as many inputs as outputs and rank", case(5, 4, 4, 4, 3.0, 0.1, 3)
    yield "as many inputs as outputs", case(6, 3, 3, 2, 1.0, 0.1, 3)
    yield "alpha = r", case(5, 3, 4, 2, 2, 0.1, 3)
    yield "alpha = 16, r = 4", case(5, 6, 7, 4, 16, 0.01, 4)
    yield "alpha = 0.25, a small lr", case(5, 3, 4, 2, 0.25, 0.004, 3)
    yield "lr = 1.5", case(5, 3, 4, 2, 0.5, 1.5, 2)
    yield "rank 1", case(5, 3, 4, 1, 0.5, 0.1, 3)
    yield "one step", case(5, 3, 4, 2, 1.5, 0.1, 1)
    yield "no step", case(5, 3, 4, 2, 1.5, 0.1, 0)
    yield "one row of data", case(1, 3, 4, 2, 1.5, 0.1, 3)
    yield "12 steps", case(6, 3, 2, 2, 2.0, 0.05, 12)
    x, y, weight, z, *rest = case(5, 3, 4, 2, 1.0, 1e-3, 3)
    yield "data far outside [-1, 1]", (8 * x, 20 * y, 12 * weight, 3 * z, *rest)


def begun(answer: Callable) -> str:
    """Is the weight as it was, before any step?"""
    weight = torch.arange(6.0, dtype=torch.float64).reshape(2, 3) - 2
    x, y, z = torch.ones(4, 3).double(), torch.ones(4, 2).double(), torch.ones(2, 3).double() / 2
    path = answer(x, y, weight.clone(), z, 3.0, 0.1, 0)
    if path.shape == (1, 2, 3) and not torch.allclose(path[0].double(), weight):
        return "Before the first step the weight is not W: what B begins with is not zero."
    return ""


LORA = Check(
    id="13-lora",
    points=4,
    minutes=20,
    level=2,
    reference=lora,
    inputs=layers,
    fixed=edges,
    where='section 6 of this notebook ("A small change: LoRA"): W + (alpha / r) B A with A = z and B = 0 at first, then gradient steps on A and B, '
    "both from the gradients at the old A and B (Hu et al. 2022, section 4.1).",
    outputs=("weights",),
    path="W_{}",
    inference=False,  # who asks autograd for the gradients needs them recorded
    recording=False,
    measured=begun,
    mutants=[
        # the start
        slip(
            "weights that never change. Both factors zero at first do so: each one's gradient is a product with the other (A must be z). So "
            "does a B that is not trained, and W returned alone.",
            first=lambda W, z: (0 * z, W.new_zeros(len(W), len(z))),
        ),
        slip(
            "both factors random, or not zero, at first: B must be zero, so that the layer begins as it was.",
            first=lambda W, z: (z, W.new_ones(len(W), len(z))),
        ),
        slip(
            "A zero and B not: here A = z, and B is zero.",
            first=lambda W, z: (0 * z, W.new_ones(len(W), len(z))),
        ),
        slip("A divided by sqrt(r) at first: it is z.", first=lambda W, z: (z / len(z) ** 0.5, start(W, z)[1])),
        # the scale
        slip("no alpha / r before the product.", scale=lambda alpha, r: 1.0),
        slip("alpha in the place of alpha / r.", scale=lambda alpha, r: alpha),
        slip("1 / r in the place of alpha / r.", scale=lambda alpha, r: 1 / r),
        slip("r / alpha, upside down: it is alpha / r.", scale=lambda alpha, r: r / alpha),
        slip("alpha / sqrt(r): here it is alpha / r.", scale=lambda alpha, r: alpha / r**0.5),
        slip("alpha / r cut off at 1: it may be larger.", scale=lambda alpha, r: min(alpha / r, 1.0)),
        slip("alpha r in the place of alpha / r.", scale=lambda alpha, r: alpha * r),
        slip("alpha / r cut off to an integer, as // does it: use /.", scale=lambda alpha, r: alpha // r),
        slip(
            "alpha / r in the layer and not in its gradients: the chain rule brings it there.",
            in_slope=lambda s: 1.0,
        ),
        slip("alpha / r twice in the gradients: once is enough.", in_slope=lambda s: s * s),
        slip(
            "training without alpha / r, which multiplies the product only when it is merged: the layer has it from the start.",
            merged=lambda W, change, s: W + change,
            in_slope=lambda s: 1.0,
            told=lambda W, change, s: W + s * change,
        ),
        Mutant(
            "alpha divided by the number of inputs, z.shape[1]: r is the number of rows of z.",
            lambda x, y, W, z, alpha, lr, n: lora(x, y, W, z, alpha * len(z) / z.shape[1], lr, n),
        ),
        # the product
        Mutant(
            "A B in the place of B A: the change of W is (d_out, r) times (r, d_in).",
            lambda x, y, W, z, *rest: W + z @ W.new_zeros(len(W), len(z)),
        ),
        Mutant(
            "the product transposed: B A is (d_out, d_in), as W is.",
            lambda x, y, W, z, *rest: W + (W.new_zeros(len(W), len(z)) @ z).T,
        ),
        Mutant(
            "x W in the place of x W^T: W is (d_out, d_in), and a row of x has d_in numbers.",
            lambda x, y, W, z, *rest: x @ W,
        ),
        slip(
            "the change subtracted, or a step uphill: W + (alpha / r) B A, and minus lr times the gradients.",
            merged=lambda W, change, s: W - s * change,
            in_slope=lambda s: s,
        ),
        slip(
            "the product alone, without W: the layer is W + (alpha / r) B A.", merged=lambda W, change, s: s * change
        ),
        slip(
            "the change alone returned: return W + (alpha / r) B A.", told=lambda W, change, s: s * change
        ),
        # the training
        slip(
            "W trained as well: it is frozen, A and B alone move.", base=1.0
        ),
        slip(
            "A not trained: both factors move.",
            move=lambda A, B, by_A, by_B, lr, G, s: (A, B - lr * by_B),
        ),
        slip(
            "A moved by the gradient at the new B: both gradients are taken first, at the old factors.",
            move=one_after_the_other,
        ),
        slip(
            "B moved by the gradient at the new A: both gradients are taken first, at the old factors.",
            move=lambda A, B, by_A, by_B, lr, G, s: (A - lr * by_A, B - lr * s * G @ (A - lr * by_A).T),
        ),
        *(Mutant(hint, stepping(begin)) for hint, begin in OTHER_STEPS.items()),
        Mutant("W itself trained, without A and B: these move, and W is frozen.", of_the_whole),
        Mutant(
            "the change added to the weight of the step before: it is the whole change, W + (alpha / r) B A.", running
        ),
        Mutant("the new B told with the old A: both have moved.", with_the_old_A),
        slip(
            "steps by the gradient without lr.",
            move=lambda A, B, by_A, by_B, lr, G, s: (A - by_A, B - by_B),
        ),
        # the loss
        slip(
            "a sum of squares as the loss: it is the mean over all entries of y.",
            loss_slope=lambda x, y, W: slope(x, y, W) * y.numel(),
        ),
        slip(
            "a sum over the outputs, and a mean over the rows alone: the loss is the mean over all entries of y.",
            loss_slope=lambda x, y, W: slope(x, y, W) * y.shape[1],
        ),
        slip(
            "a mean over the outputs, and a sum over the rows: the loss is the mean over all entries of y.",
            loss_slope=lambda x, y, W: slope(x, y, W) * len(y),
        ),
        slip(
            "a division by all entries of x: the loss is the mean over those of y.",
            loss_slope=lambda x, y, W: slope(x, y, W) * y.numel() / x.numel(),
        ),
        Mutant(
            "the change alone fitted to y: the layer that should answer y is W + (alpha / r) B A.",
            lambda x, y, W, z, *rest: W + lora(x, y, 0 * W, z, *rest),
        ),
        slip(
            "half of the squared error, or a forgotten 2 in its gradient.",
            loss_slope=lambda x, y, W: slope(x, y, W) / 2,
        ),
        slip(
            "the gradient at W, without what A and B have learned: take it at W + (alpha / r) B A.",
            merged=lambda W, change, s: W,
            told=lambda W, change, s: W + s * change,
        ),
        slip(
            "the absolute error: the loss is the mean of squares.",
            loss_slope=lambda x, y, W: (x @ W.T - y).sign().T @ x / y.numel(),
        ),
        slip(
            "the root of the mean squared error: the loss is the mean itself.",
            loss_slope=lambda x, y, W: slope(x, y, W) / (2 * (x @ W.T - y).square().mean().sqrt()),
        ),
        # the states
        result_slip("the first state left out: W_0, before any step, is one of them.", lora, lambda path: path[1:]),
        result_slip("the last state left out: there are num_steps + 1 of them.", lora, lambda path: path[:-1]),
        *kept_wrongly("W", lora),
        result_slip("the last state alone: return all of them.", lora, lambda path: path[-1]),
        result_slip("the states in reverse: W_0 comes first.", lora, lambda path: path.flip(0)),
        result_slip(
            "transposed weights: as `weight`, each is (d_out, d_in).", lora, lambda path: path.transpose(1, 2)
        ),
        argument_slip("a step too many.", lora, "num_steps", lambda n: n + 1),
        Mutant(
            "the layer's answers: return its weights.",
            lambda x, y, W, z, *rest: torch.stack([x @ w.T for w in lora(x, y, W, z, *rest)]),
        ),
        Mutant(
            "the losses: return the layer's weights.",
            lambda x, y, W, z, *rest: (x @ lora(x, y, W, z, *rest).mT - y).square().mean((1, 2)),
        ),
    ],
)  # fmt: skip
