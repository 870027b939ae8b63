"""The conditional flow-matching loss."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .data import Check, Mutant
from .inputs import Draw, column
from .slips import result_slip


def flow_loss(model: Callable, x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    return built(model, x0, eps, t)


def built(
    model: Callable,
    x0: Tensor,
    eps: Tensor,
    t: Tensor,
    see: Callable = lambda x0, eps, t: (1 - t) * x0 + t * eps,
    told: Callable = lambda t: t,
    taken: Callable = lambda answer, z, t: answer,
    target: Callable = lambda x0, eps, z, t: eps - x0,
    reduce: Callable = lambda error: error.square().mean(),
) -> Tensor:
    """The loss of five parts. see: the state z; told: the time; taken: the model's answer as a velocity; target: of it; reduce: to a number."""
    s = column(t, x0)
    z = see(x0, eps, s)
    return reduce(taken(model(z, told(t)), z, s) - target(x0, eps, z, s))


def slip(hint: str, **parts: Any) -> Mutant:
    return Mutant(hint, partial(built, **parts))


def weighted(hint: str, weight: Callable) -> Mutant:
    """A mutant whose squared errors have the weight(t)."""

    def loss(model: Callable, x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        return built(model, x0, eps, t, reduce=lambda e: (weight(column(t, e)) * e.square()).mean())

    return Mutant(hint, loss)


def inputs(d: Draw) -> tuple:
    return d.velocity(), d.x(), d.x(), d.uniform(0.1, 0.9, d.B)


def times(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Both ends of t and near them, data and noise that are equal, one sample, an image."""
    t = torch.tensor([0.0, 1.0, 0.5, 0.001, 0.999, 0.25], dtype=d.dtype, device=d.device)
    yield "t from 0 to 1", (d.velocity(), d.normal(6, 2, 3), d.normal(6, 2, 3), t)
    for k, words in enumerate(("t = 0", "t = 1", "t = 0.5", "t = 0.001")):
        yield words, (d.velocity(), d.normal(6, 2), d.normal(6, 2), t[k : k + 1].expand(6))
    yield "large data", (d.velocity(), 10 * d.wide(6, 4), d.normal(6, 4), t)
    x = d.normal(6, 3)
    yield "noise equal to the data", (d.velocity(), x, x.clone(), t)
    yield "one image", (d.velocity(), d.wide(1, 1, 4, 4), d.wide(1, 1, 4, 4), t[5:])


FLOW_LOSS = Check(
    id="08-flow_loss",
    points=4,
    minutes=15,
    level=2,
    reference=flow_loss,
    inputs=inputs,
    fixed=times,
    grad=("model",),
    evaluations={"model": lambda model, x0, *rest: len(x0)},
    calls={"model": lambda *args: 1},
    where='(20) in section 7 of this notebook ("Flow matching from zero"): the mean of ||model(z, t) - (eps - x_0)||^2, with '
    "z = (1 - t) x_0 + t eps (Lipman et al. 2023, theorem 2, with time the other way round).",
    outputs=("loss",),
    mutants=[
        # the target
        slip("x_0 - eps as the target: noise is at t = 1, so the velocity is eps - x_0.", target=lambda x0, eps, z, t: x0 - eps),
        slip("eps as the target: the velocity is eps - x_0.", target=lambda x0, eps, z, t: eps),
        slip("x_0 as the target: the velocity is eps - x_0.", target=lambda x0, eps, z, t: x0),
        slip("eps - z as the target: the line goes from x_0, eps - x_0.", target=lambda x0, eps, z, t: eps - z),
        slip("z - x_0 as the target, t times the velocity: it is eps - x_0.", target=lambda x0, eps, z, t: z - x0),
        slip("z as the target: it is eps - x_0.", target=lambda x0, eps, z, t: z),
        slip("eps + x_0 as the target: it is the difference.", target=lambda x0, eps, z, t: eps + x0),
        slip("t eps - (1 - t) x_0 as the target: the slope of the line has no t in it.", target=lambda x0, eps, z, t: t * eps - (1 - t) * x0),
        slip("(1 - t) eps - t x_0 as the target: the slope of the line has no t in it.", target=lambda x0, eps, z, t: (1 - t) * eps - t * x0),
        slip("the v of a VP process as the target: on the straight line the velocity is eps - x_0.", target=lambda x0, eps, z, t: (1 - t).sqrt() * eps - t.sqrt() * x0),
        slip("(z - x_0) / t as the target, 0 / 0 at t = 0: write eps - x_0.", target=lambda x0, eps, z, t: (z - x0) / t),
        slip("(eps - z) / (1 - t) as the target, 0 / 0 at t = 1: write eps - x_0.", target=lambda x0, eps, z, t: (eps - z) / (1 - t)),
        slip("half the velocity as the target.", target=lambda x0, eps, z, t: (eps - x0) / 2),
        slip("0 as the target: the model's answer is compared with eps - x_0.", target=lambda x0, eps, z, t: torch.zeros_like(z)),
        slip("the model's answer taken for x_0: it is the velocity itself.", taken=lambda m, z, t: (z - m) / t.clamp(min=1e-6)),
        slip("the model's answer taken for eps: it is the velocity itself.", taken=lambda m, z, t: (m - z) / (1 - t).clamp(min=1e-6)),
        slip("the model's answer taken for a score: it is the velocity itself.", taken=lambda m, z, t: -(z + t * m) / (1 - t).clamp(min=1e-6)),
        # the state
        slip("data at t = 1: here noise is at 1, z = (1 - t) x_0 + t eps.", see=lambda x0, eps, t: t * x0 + (1 - t) * eps),
        slip(
            "the convention of Lipman et al., data at t = 1 and the velocity x_0 - eps: here noise is at 1.",
            see=lambda x0, eps, t: t * x0 + (1 - t) * eps,
            target=lambda x0, eps, z, t: x0 - eps,
        ),
        slip("x_0 without its factor 1 - t: z = (1 - t) x_0 + t eps.", see=lambda x0, eps, t: x0 + t * eps),
        slip("eps without its factor t: z = (1 - t) x_0 + t eps.", see=lambda x0, eps, t: (1 - t) * x0 + eps),
        slip("x_0 + eps: z = (1 - t) x_0 + t eps.", see=lambda x0, eps, t: x0 + eps),
        slip("a minus before the noise.", see=lambda x0, eps, t: (1 - t) * x0 - t * eps),
        slip("roots of the factors, as a VP process has them: the line is straight.", see=lambda x0, eps, t: (1 - t).sqrt() * x0 + t.sqrt() * eps),
        slip("cosine and sine as factors: the line is straight.", see=lambda x0, eps, t: (torch.pi / 2 * t).cos() * x0 + (torch.pi / 2 * t).sin() * eps),
        slip("a root of 1 - t^2 before x_0, which keeps the variance: the line is straight.", see=lambda x0, eps, t: (1 - t**2).sqrt() * x0 + t * eps),
        slip("clean data shown to the model: it sees z.", see=lambda x0, eps, t: x0),
        slip("noise alone shown to the model: it sees z.", see=lambda x0, eps, t: eps),
        slip("t eps alone shown to the model: it sees z.", see=lambda x0, eps, t: t * eps),
        slip("z / (1 - t), VE coordinates, shown to the model: it sees z.", see=lambda x0, eps, t: x0 + t / (1 - t).clamp(min=1e-6) * eps),
        slip("one time for the whole batch in z, the first: each sample has its own.", see=lambda x0, eps, t: (1 - t[:1]) * x0 + t[:1] * eps),
        # the time
        slip("1 - t told to the model: here noise is at 1.", told=lambda t: 1 - t),
        slip("1000 t told to the model: it takes t in [0, 1].", told=lambda t: 1000 * t),
        slip("t^2 told to the model: it takes t.", told=torch.square),
        slip("0 told to the model: it takes t.", told=torch.zeros_like),
        slip("one time told for the whole batch, the first: each sample has its own.", told=lambda t: t[:1].expand_as(t)),
        slip("the mean time told for the whole batch: each sample has its own.", told=lambda t: t.mean().expand_as(t)),
        Mutant(
            "one time for the whole batch, the first: each sample has its own.",
            lambda model, x0, eps, t: flow_loss(model, x0, eps, t[:1].expand_as(t)),
        ),
        *(
            Mutant(
                f"t cut off at {c:g} and {1 - c:g}: take it as it is.",
                lambda model, x0, eps, t, c=c: flow_loss(model, x0, eps, t.clamp(c, 1 - c)),
            )
            for c in (1e-2, 1e-3, 1e-4, 1e-5)
        ),
        # the mean
        weighted("errors weighted with t: there is no weight in this loss.", lambda t: t),
        weighted("errors weighted with 1 - t: there is no weight in this loss.", lambda t: 1 - t),
        weighted("errors divided by t: there is no weight in this loss.", lambda t: 1 / t.clamp(min=1e-3)),
        weighted("errors weighted with t^2, those of the guess of x_0: there is no weight in this loss.", lambda t: t**2),
        slip("a sum over everything: the loss is a mean.", reduce=lambda e: e.square().sum()),
        slip("a sum over the coordinates of each sample: the mean is over these, too.", reduce=lambda e: e.square().flatten(1).sum(1).mean()),
        slip("a sum over the batch: the mean is over the samples, too.", reduce=lambda e: e.square().flatten(1).mean(1).sum()),
        slip("a loss for each sample: return one number, the mean.", reduce=lambda e: e.square().flatten(1).mean(1)),
        slip("a loss for each entry: return one number, the mean.", reduce=lambda e: e.square()),
        slip("half of the mean: there is no 1/2 in this loss.", reduce=lambda e: e.square().mean() / 2),
        slip("a root of the mean: the loss is the mean square.", reduce=lambda e: e.square().mean().sqrt()),
        slip("absolute values: the loss is the mean of squares.", reduce=lambda e: e.abs().mean()),
        slip("a smooth L1 (Huber) loss: the loss is the mean of squares.", reduce=lambda e: F.smooth_l1_loss(e, torch.zeros_like(e))),
        slip("the mean of norms: the loss is the mean of squares.", reduce=lambda e: e.flatten(1).norm(dim=1).mean()),
        slip("the square of the mean error: square first.", reduce=lambda e: e.mean() ** 2),
        slip("the variance of the errors: their mean counts, too.", reduce=lambda e: (e - e.mean()).square().mean()),
        slip("a division by n - 1: a mean of n errors divides by n.", reduce=lambda e: e.square().sum() / (e.numel() - 1)),
        slip("a mean without the square.", reduce=lambda e: e.mean()),
        result_slip("a loss with an axis: return one number, ().", flow_loss, lambda loss: loss[None]),
    ],
)  # fmt: skip
