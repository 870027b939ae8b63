"""A repair: a chain that keeps some of its states, with a planted slip. The hints say what is seen of a slip, not where it is."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .ch01_chain import draws
from .ch01_slips import after, in_float32
from .data import Check, Mutant, Variant
from .inputs import Draw

Factors = Callable[[Tensor], Tensor]


def snapshots(x0: Tensor, betas: Tensor, noise: Tensor, times: Sequence[int]) -> Tensor:
    return kept_at(x0, betas, noise, times)


def root(betas: Tensor) -> Tensor:
    return betas.sqrt()


def shrink(betas: Tensor) -> Tensor:
    return (1 - betas).sqrt()


def kept_at(
    x0: Tensor,
    betas: Tensor,
    noise: Tensor,
    times: Sequence[int],
    keep: Factors = shrink,
    add: Factors = root,
    draw: Callable[[Tensor, int], Tensor] = lambda noise, t: noise[t - 1],
    late: int = 0,
) -> Tensor:
    """The states at `times`. keep, add: betas -> factors. draw: the noise of step t. late: the number by which t is miscounted."""
    signal, spread, found, x = keep(betas), add(betas), [], x0
    for t in range(1, len(betas) + 1):
        x = signal[t - 1 - late] * x + spread[t - 1 - late] * draw(noise, t)
        if t - late in times:
            found.append(x)
    return torch.stack(found)


def slip(hint: str, **parts: Any) -> Mutant:
    return Mutant(hint, partial(kept_at, **parts))


def moments(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Whole schedules of few steps, one step, the last state alone, and all states."""
    for name, betas in {"linear": d.linear(100), "cosine": d.cosine(100)}.items():
        x0, noise = draws(d, 100, 2, 3)
        yield f"{name} schedule, 100 steps", (x0, betas, noise, [1, 2, 50, 99, 100])
    for words, T, times in (
        ("one step", 1, [1]),
        ("the last state alone", 5, [5]),
        ("all states", 4, [1, 2, 3, 4]),
    ):
        x0, noise = draws(d, T, 3, 1, 2, 2)
        yield words, (x0, d.uniform(0.1, 0.9, T), noise, times)


SNAPSHOTS = Check(
    id="01-snapshots",
    points=3,
    minutes=15,
    level=2,
    reference=snapshots,
    inputs=lambda d: (d.x(), d.betas(), d.normal(d.T, d.B, *d.event), [1, 2, d.integer(3, d.T - 1), d.T]),
    fixed=moments,
    where="section 4 of this notebook: one step is x_t = sqrt(1 - beta_t) x_{t-1} + sqrt(beta_t) z_t "
    "(Ho et al. 2020, eq. 2). Compare the code with it, line by line.",
    outputs=("states",),
    variants=[
        Variant({"spread = betas.sqrt()": "spread = betas"}),
        Variant({"signal = (1 - betas).sqrt()": "signal = torch.cumprod(1 - betas, dim=0).sqrt()"}),
        Variant({"spread[t - 1] * z": "spread[t - 1] * noise[0]"}),
        Variant({"enumerate(noise, start=1)": "enumerate(noise)"}),
        Variant({"signal = (1 - betas).sqrt()": "signal = 1 - betas"}),
    ],
    mutants=[
        slip(
            "too little noise from the first step on: at x_0 = 0, x_1 has the standard deviation beta_1 and not its root; "
            "data of variance 1 do not keep it.",
            add=lambda betas: betas,
        ),
        slip(
            "a signal that fades too fast, though x_1 is right: from t = 2 on, data of variance 1 lose variance.",
            keep=lambda betas: torch.cumprod(1 - betas, 0).sqrt(),
        ),
        slip(
            "noise that is the same in every step, though x_1 is right: the increments of two steps are no longer independent.",
            draw=lambda noise, t: noise[0],
        ),
        slip(
            "a count that is late: what is returned for t has gone through t + 1 steps, and its first step had the largest noise.",
            late=1,
        ),
        slip(
            "a signal that fades too fast from the first step on: without noise x_1 is (1 - beta_1) x_0, and not its root.",
            keep=lambda betas: 1 - betas,
        ),
        slip(
            "too little noise, and a signal that fades too fast: there were no roots to be taken away.",
            keep=lambda betas: 1 - betas,
            add=lambda betas: betas,
        ),
        slip(
            "noise that grows with alpha_bar: x_1 is right, and from t = 2 on data of variance 1 gain variance.",
            add=lambda betas: (1 - torch.cumprod(1 - betas, 0)).sqrt(),
        ),
        slip(
            "draws in the reverse order: step 1 takes z_T.",
            draw=lambda noise, t: noise[-t],
        ),
        slip(
            "a signal that does not fade: data of variance 1 gain variance in every step.",
            keep=torch.ones_like,
        ),
        Mutant(
            "x_0 in every place: the state is not updated.",
            lambda x, b, z, times: torch.stack([x] * len(times)),
        ),
        after("the last state alone: return those of all times.", snapshots, lambda v: v[-1]),
        after(
            "the states in the reverse order: they come in the order of times.",
            snapshots,
            lambda v: v.flip(0),
        ),
        in_float32(snapshots),
    ],
)
