"""A repair: a chain that keeps some of its states, with a planted slip. The hints say what is seen of a slip, not where it is."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .ch01_chain import draws, forward_chain, kept, right_step
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


def own_state(hint: str, state: Callable) -> Mutant:
    """A mutant that has no chain: for each t it returns state(x0, t, betas, noise)."""
    return Mutant(hint, lambda x, b, z, times: torch.stack([state(x, t, b, z) for t in times]))


def other_times(hint: str, time: Callable) -> Mutant:
    """A mutant that walks rightly and returns the state of time(t, T) for t."""
    return Mutant(hint, lambda x, b, z, times: forward_chain(x, b, z)[[time(t, len(b)) for t in times]])


class Wrong(NamedTuple):
    """Wrong factors. alone: what is said of them where all else is right; both: where the other factors are wrong, too."""

    factors: Factors
    alone: str
    both: str


KEEPS = (
    Wrong(
        lambda betas: kept(betas).sqrt(),
        "an x_0 that fades too fast, though x_1 is right: from t = 2 on, data of variance 1 lose variance.",
        "x_0 fades too fast from t = 2 on",
    ),
    Wrong(
        lambda betas: 1 - betas,
        "an x_0 that fades too fast from the first step on: without noise and for beta_1 = 0.19, x_1 is 0.81 x_0, want 0.9 x_0.",
        "x_0 fades too fast from the first step on",
    ),
    Wrong(
        torch.ones_like,
        "an x_0 that does not fade: data of variance 1 gain variance in every step.",
        "x_0 does not fade",
    ),
)
ADDS = (
    Wrong(
        lambda betas: betas,
        "too little noise from the first step on: at x_0 = 0 and for beta_1 = 0.19, x_1 has the mean square 0.036, want 0.19; "
        "data of variance 1 do not keep it.",
        "there is too little noise from the first step on",
    ),
    Wrong(
        lambda betas: (1 - kept(betas)).sqrt(),
        "noise that grows as alpha_bar falls: x_1 is right, and from t = 2 on data of variance 1 gain variance.",
        "there is too much noise from t = 2 on",
    ),
)


def two_slips(keep: Wrong, add: Wrong) -> Mutant:
    """Of both together the variance may tell nothing: the first pair of factors keeps it."""
    seen = "look at x_1 and x_2 without noise, and then at x_0 = 0."
    return slip(
        f"two things at once: {keep.both}, and {add.both}; {seen}", keep=keep.factors, add=add.factors
    )


# What comes out of the whole chain at once, where it should be walked.
JUMPS = [
    own_state(
        "states that are not one path: each has the right law, but x_t does not follow from x_{t-1}; it is a jump from x_0 "
        "with the noise z_t alone.",
        lambda x, t, b, z: right_step(x, 1 - kept(b)[t - 1], z[t - 1]),
    ),
    own_state(
        "states that are not one path: each has the right law, and all have the noise z_1.",
        lambda x, t, b, z: right_step(x, 1 - kept(b)[t - 1], z[0]),
    ),
    own_state(
        "jumps from x_0 with the alpha_bar of the step after (of T at the end): already x_1 has too much noise, "
        "and no state follows from another.",
        lambda x, t, b, z: right_step(x, 1 - kept(b)[min(t, len(b) - 1)], z[t - 1]),
    ),
    own_state(
        "jumps from x_0 with the alpha_bar of the step before (of T for t = 1): no state follows from another.",
        lambda x, t, b, z: right_step(x, 1 - kept(b)[t - 2], z[t - 1]),
    ),
    own_state(
        "states that are all one step away from x_0: x_1 is right, and the signal does not fade any further.",
        lambda x, t, b, z: right_step(x, b[t - 1], z[t - 1]),
    ),
]
TIMES = [
    other_times(
        "the states of t - 1: what is returned for t has gone through t - 1 steps, and for t = 1 it is x_0 itself.",
        lambda t, T: t - 1,
    ),
    other_times(
        "the states of t + 1 (of T at the end): what is returned for t has gone through t + 1 steps, all of them right.",
        lambda t, T: min(t + 1, T),
    ),
    Mutant(
        "a chain without its first step: x_1 is x_0, and each later step is right.",
        lambda x, b, z, times: forward_chain(x, b[1:], z[1:])[[t - 1 for t in times]],
    ),
]
# Right states, but not those that are asked for.
OTHERS = [
    after(
        "all states from x_0 to x_T: return those of `times` alone.",
        lambda x, b, z, times: forward_chain(x, b, z),
        lambda v: v,
    ),
    after(
        "all states from x_1 to x_T: return those of `times` alone.",
        lambda x, b, z, times: forward_chain(x, b, z),
        lambda v: v[1:],
    ),
    after("the last state alone: return those of all times.", snapshots, lambda v: v[-1]),
    after("the first state alone: return those of all times, behind the loop.", snapshots, lambda v: v[:1]),
    after("states without the last of them: that of T is missing.", snapshots, lambda v: v[:-1]),
    Mutant(
        "a count that begins at 0: what is returned for t has gone through t + 1 steps, and the state of T is missing.",
        lambda x, b, z, times: forward_chain(x, b, z)[[t + 1 for t in times if t < len(b)]],
    ),
    after(
        "the states in the reverse order: they come in the order of times.", snapshots, lambda v: v.flip(0)
    ),
]
TRIED = (0.19, 0.36, 0.51)  # beta_1 to beta_3; the roots of 1 - beta are 0.9, 0.8, 0.7


def measured(answer: Callable) -> str:
    """What x_0 and each z_t contribute to three states, told of the first state where that is not right."""
    parts = torch.eye(4, dtype=torch.float64).unsqueeze(
        -1
    )  # column 0 is a sample of x_0 = 1 without noise, column s has z_s = 1 alone
    case = parts[0], torch.tensor(TRIED, dtype=torch.float64), parts[1:], [1, 2, 3]
    got, want = (function(*case)[..., 0] for function in (answer, snapshots))
    off = ~torch.isclose(got, want, rtol=1e-6)
    if not bool(off.any()):
        x_1, right = (function(10 * parts[0], *case[1:])[0, 0].item() for function in (answer, snapshots))
        return (
            ""
            if abs(x_1 - right) < 1e-6
            else f"At x_0 = 10 and without noise x_1 is {x_1:.4g}, want {right:.4g}."
        )
    t = int(off.any(1).nonzero()[0]) + 1
    so_far = (
        f"With the betas {TRIED} and T = 3, x_{t - 1} is right, x_{t} is not: "
        if t > 1
        else "For beta_1 = 0.19, "
    )
    s = next(s for s in (t, 0, *range(1, 4)) if off[t - 1, s])
    share, right = got[t - 1, s].item(), want[t - 1, s].item()
    if s == 0:
        return f"{so_far}without noise x_{t} is {share:.4g} x_0, want {right:.4g} x_0."
    if s == t and share == 0:
        return f"{so_far}x_{t} has no noise of its own."
    return f"{so_far}what z_{s} adds to x_{t} has the mean square {share**2:.4g}, want {right**2:.4g}."


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
    minutes=10,
    level=2,
    reference=snapshots,
    inputs=lambda d: (d.x(), d.betas(), d.normal(d.T, d.B, *d.event), [1, 2, d.integer(3, d.T - 1), d.T]),
    fixed=moments,
    where="section 4 of this notebook: there one step is written (Ho et al. 2020, eq. 2). "
    "Compare the states with those of your forward_chain, from the same draws.",
    measured=measured,
    outputs=("states",),
    path="x_{}",
    path_at="times",
    variants=[
        Variant({"signal = (1 - betas).sqrt()": "signal = torch.cumprod(1 - betas, dim=0).sqrt()"}),
        Variant({"spread = betas.sqrt()": "spread = betas"}),
        Variant({"spread[t - 1] * z": "spread[t - 1] * noise[0]"}),
        Variant({"enumerate(noise, start=1)": "enumerate(noise)"}),
        Variant({"signal = (1 - betas).sqrt()": "signal = 1 - betas"}),
    ],
    mutants=[
        *(slip(keep.alone, keep=keep.factors) for keep in KEEPS),
        *(slip(add.alone, add=add.factors) for add in ADDS),
        *(two_slips(keep, add) for keep, add in product(KEEPS, ADDS)),
        slip(
            "noise that is the same in every step, though x_1 is right: the increments of two steps are no longer independent.",
            draw=lambda noise, t: noise[0],
        ),
        slip(
            "a count that is late: what is returned for t has gone through t + 1 steps, and its first step had the largest noise.",
            late=1,
        ),
        *TIMES,
        *JUMPS,
        slip("draws in the reverse order: step 1 takes z_T.", draw=lambda noise, t: noise[-t]),
        slip(
            "draws that come one step late: step 1 takes z_T, step 2 takes z_1.",
            draw=lambda noise, t: noise[t - 2],
        ),
        slip(
            "draws that come one step early: step 1 takes z_2, and step T takes z_1.",
            draw=lambda noise, t: noise[t % len(noise)],
        ),
        Mutant(
            "x_0 in every place: the state is not updated.",
            lambda x, b, z, times: torch.stack([x] * len(times)),
        ),
        *OTHERS,
        in_float32(snapshots),
    ],
)
