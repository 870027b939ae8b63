"""The training step: draws, loss, optimiser and average, compared step by step on toys."""

from collections.abc import Iterator

import torch
from torch import Tensor

from .ch03_step import training_step
from .ch03_training_moves import AVERAGES, OPERATIONS
from .ch03_training_slips import LABELS, LOSSES, NOISE, TIMES
from .ch03_watched import measured
from .data import Check
from .inputs import Draw
from .machines import SEEN

STEPS = 3


def case(
    d: Draw, alpha_bar: Tensor, shape: tuple[int, ...], target: str, classes: int = 10, drop: float = 0.5,
    max_norm: float = 0.7, decay: float = 0.8, lr: tuple[float, ...] = (0.05, 0.1, 0.07), scale: float = 1.0,
) -> tuple:  # fmt: skip
    labels = (d.uniform(0, classes, STEPS, shape[0])).long()
    return (
        d.uniform(0.5, 1.5, 3), d.uniform(-1, 1, classes + 1), scale * d.normal(STEPS, *shape), labels,
        alpha_bar, target, list(lr), decay, drop, max_norm, d.integer(0, 10**6),
    )  # fmt: skip


def random_case(d: Draw) -> tuple:
    lr = tuple(0.01 * d.integer(2, 9) for _ in range(STEPS))
    target = ("eps", "x0", "v")[d.integer(0, 2)]
    return case(
        d, d.alpha_bar(), (d.B, *d.event), target, d.integer(3, 8), 0.1 * d.integer(4, 6),
        0.1 * d.integer(3, 9), 0.05 * d.integer(10, 19), lr,
    )  # fmt: skip


def tables(d: Draw) -> Iterator[tuple[str, tuple]]:
    """The chapters' tables, and the ends of the knobs."""
    for target, (name, betas) in zip(("eps", "v"), d.schedules().items(), strict=True):
        yield f"{name}, target {target}", case(d, torch.cumprod(1 - betas, 0), (6, 3), target, scale=10.0)
    short = torch.cumprod(1 - d.cosine(10), 0)
    yield (
        "short gradients, which are not clipped",
        case(d, short, (5, 1, 4, 4), "x0", max_norm=1e9, lr=(2e-8, 1e-8, 3e-8)),
    )
    yield "no label is dropped, ema keeps all", case(d, short, (5, 3), "eps", drop=0.0, decay=1.0)
    yield "all labels are dropped, ema keeps nothing", case(d, short, (5, 3), "v", drop=1.0, decay=0.0, max_norm=2.0)  # fmt: skip
    yield (
        "the first steps of the linear schedule",
        case(d, torch.cumprod(1 - d.linear(), 0)[:9], (6, 2), "x0", max_norm=0.5, decay=0.5),
    )
    yield "few labels are dropped", case(d, short, (7, 2), "eps", drop=0.1, decay=0.99, max_norm=1.0)


TRAINING_STEP = Check(
    id="03-training_step",
    points=6,
    minutes=25,
    level=3,
    reference=training_step,
    inputs=random_case,
    fixed=tables,
    where="Algorithm 1 in section 8 of this notebook: draw, make x_t, drop labels, loss; then zero_grad, backward, clip, step, average.",
    outputs=[name.format(step) for step in range(1, STEPS + 1) for name in SEEN],
    only={
        ", loss": "All weights are right, only the number that is returned is not: return the loss that backward() used, of this step alone.",
        ", weights of ema": "net is trained right, only ema is not: in place, each weight becomes decay times itself plus 1 - decay times "
        "the new weight of net, with the decay of this step, and ema itself is the memory.",
    },
    measured=measured,
    machine="training",
    path="in order",
    mutants=[*TIMES, *NOISE, *LABELS, *LOSSES, *OPERATIONS, *AVERAGES],
)
