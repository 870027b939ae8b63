"""Checks of chapter 02, the third: the bound of a chain so small that its paths can be counted."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .ch01_slips import after, altered, in_float32
from .ch02_paths import (
    Both,
    bound,
    first,
    law,
    of_model,
    of_paths,
    of_whole,
    one_read_wrong,
    whole,
    whole_under,
)
from .ch02_terms import TERMS, TWO
from .data import Check, Mutant
from .inputs import Draw


def chain(d: Draw) -> tuple[Tensor, Tensor, Tensor]:
    """q, p and prior."""
    return law(d.uniform(0.1, 1, 3, 3, 3)), law(d.uniform(0.1, 1, 3, 3, 3)), law(d.uniform(0.1, 1, 3))


def chains(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Every x_0; probabilities of all sizes; and laws that are nearly equal, so that a term is nearly 0."""
    for x0 in range(3):
        yield f"x_0 = {x0}", (*chain(d), x0)
    exponents = d.ladder(-4, 0, 27)
    q, p = (law(10 ** d.shuffled(exponents).reshape(3, 3, 3)) for _ in range(2))
    yield "rare states", (q, p, law(10 ** d.shuffled(d.ladder(-3, 0, 3))), 1)
    q, p = (law(1 + d.uniform(-1e-3, 1e-3, 3, 3, 3)) for _ in range(2))
    yield "nearly uniform laws", (q, p, law(1 + d.uniform(-1e-3, 1e-3, 3)), 2)


def uniform(v: Tensor) -> Tensor:
    return torch.full_like(v, 1 / 3)


def swapped(table: Tensor) -> Tensor:
    return table.mT


ALL = torch.cartesian_prod(*[torch.arange(3)] * 3).reshape(3, 3, 3, 3)  # [x_1, x_2, x_3] of every path
DIFFERENT = (ALL[..., 0] != ALL[..., 1]) & (ALL[..., 1] != ALL[..., 2]) & (ALL[..., 0] != ALL[..., 2])
SORTED = (ALL[..., 0] <= ALL[..., 1]) & (ALL[..., 1] <= ALL[..., 2])


def chosen(paths: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """The expectation over some of the paths."""
    return lambda q, p: (q * (q / p).log())[paths.to(q.device)].sum()


def over_x0(q: Tensor, p: Tensor, prior: Tensor, x0: int) -> Both:
    """A first state that runs like the others, in the expectation alone."""
    return sum((whole(q, p, prior, k) for k in range(3)), 0 * prior[0]), bound(q, p, prior, x0)[1]


def first_turned(q: Tensor) -> Tensor:
    return torch.cat([q[:1].mT, q[1:]])


def without_first(q: Tensor) -> Tensor:
    return torch.cat([torch.ones_like(q[:1]), q[1:]])


FIRST = "the row is the state that is given, so it is q[0, x0]"
CHANGES = (
    ("its rows and columns swapped", swapped, "the row is the state that is given"),
    (
        "its steps in the reverse order",
        lambda v: v.flip(0),
        "entry t - 1 is the step between x_{t-1} and x_t",
    ),
    ("entry 0 in all steps", lambda v: v[:1].expand(3, 3, 3), "step t has entry t - 1"),
    ("entry t in step t", lambda v: v.roll(-1, 0), "step t has entry t - 1"),
)
WHOLES = [
    of_whole(
        "6 paths, those of itertools.permutations: there are 27, with repetition, all from x0.", chosen(DIFFERENT)
    ),
    of_whole(
        "10 paths, those of itertools.combinations_with_replacement: there are 27, x_1, x_2, x_3 in any order, all from x0.", chosen(SORTED)
    ),
    Mutant("81 paths, with a free x_0, in the expectation: there are 27, with repetition, all from x0.", over_x0),
    of_whole(
        "the exact -log p(x_0), the logarithm of a sum over the paths: the bound is the mean of a logarithm (Jensen).",
        lambda q, p: -p.sum().log(),
    ),
    of_whole(
        "log p(x_0) itself, the logarithm of a sum over the paths: the bound is the mean of a logarithm (Jensen).",
        lambda q, p: p.sum().log(),
    ),
    of_whole("the wrong sign: the logarithm is that of q / p.", lambda q, p: (q * (p / q).log()).sum()),
    of_whole("bits: the bound is in nats, with the natural logarithm.", lambda q, p: (q * (q / p).log2()).sum()),
    of_whole("decimal logarithms: the bound is in nats, with the natural logarithm.", lambda q, p: (q * (q / p).log10()).sum()),
    of_whole(
        "the mean over all paths alike: a path counts with its probability q(x_{1:3} | x_0).", lambda q, p: (q / p).log().mean()
    ),
    of_whole(
        "a sum over all paths without weights: a path counts with its probability q(x_{1:3} | x_0).",
        lambda q, p: (q / p).log().sum(),
    ),
    of_whole(
        "a weighted mean divided by 27: the weights add up to 1 already.", lambda q, p: (q * (q / p).log()).mean()
    ),
    of_whole(
        "paths weighted with the model's p: the expectation is over q(x_{1:3} | x_0).", lambda q, p: (p * (q / p).log()).sum()
    ),
    of_whole(
        "the KL the other way round, p log(p / q): the expectation is over q.", lambda q, p: (p * (p / q).log()).sum()
    ),
    of_whole(
        "an expectation of -log p(x_{0:3}) alone: log q(x_{1:3} | x_0) belongs to it.", lambda q, p: -(q * p.log()).sum()
    ),
    of_whole("q / p without its logarithm.", lambda q, p: (q * (q / p)).sum()),
    of_whole(
        "the KL to the model's own posterior p(x_{1:3} | x_0): that is the gap; the bound has the joint p(x_{0:3}).",
        lambda q, p: (q * (q / p * p.sum()).log()).sum(),
    ),
    Mutant(
        "an expectation without p(x_0 | x_1), that of a path x_1, x_2, x_3 alone: the joint p(x_{0:3}) has it.",
        lambda q, p, prior, x0: (
            whole(q, p, prior, x0) - first(q, p, prior, x0),
            bound(q, p, prior, x0)[1],
        ),
    ),
    Mutant(
        "an expectation without the prior p(x_3): the joint p(x_{0:3}) begins with it.",
        lambda q, p, prior, x0: (whole(q, p, torch.ones_like(prior), x0), bound(q, p, prior, x0)[1]),
    ),
]  # fmt: skip
READINGS = [
    altered("p read as p[t-1, x_{t-1}, x_t]: the row is the state that is given, here x_t.", bound, p=swapped),
    altered("q read as q[t-1, x_t, x_{t-1}]: the row is the state that is given, here x_{t-1}.", bound, q=swapped),
    *(
        Mutant(f"{name} with {words} in {part} alone: {right}.", one_read_wrong(place, **{name: change}))
        for place, part in enumerate(("the expectation", "the terms"))
        for name in ("p", "q")
        for words, change, right in CHANGES
    ),
    *(
        Mutant(f"{name}[{k}] in steps 2 and 3 of the expectation alone: step t has {name}[t - 1].", one_read_wrong(0, **{name: lambda v, k=k: v[[0, k, k]]}))
        for name in ("p", "q")
        for k in (1, 2)
    ),
    altered(f"q[0, :, x0] for q(x_1 | x_0): {FIRST}.", bound, q=first_turned),
    *(
        Mutant(f"q[0, :, x0] for q(x_1 | x_0), in {part} alone: {FIRST}.", one_read_wrong(place, q=first_turned))
        for place, part in enumerate(("the expectation", "the terms"))
    ),
    Mutant("paths without q(x_1 | x_0): the probability of a path from x_0 has three factors.", one_read_wrong(0, q=without_first)),
    Mutant(
        "the prior read at x_1: it is the law of x_3, prior[x_3].",
        lambda q, p, prior, x0: (
            whole_under(of_paths(q, x0), of_model(p, torch.ones_like(prior), x0) * prior[:, None, None]), bound(q, p, prior, x0)[1]
        ),
    ),
    Mutant("a uniform prior in the expectation alone: p(x_3) is given.", one_read_wrong(0, prior=uniform)),
    *(
        Mutant(f"an x_0 that is always 0 in {part} alone: use the argument.", one_read_wrong(place, x0=lambda x0: 0))
        for place, part in enumerate(("the expectation", "the terms"))
    ),
    altered("p read from the back: p[t - 1] is the step from x_t to x_{t-1}.", bound, p=lambda p: p.flip(0)),
    altered("q read from the back: q[t - 1] is the step from x_{t-1} to x_t.", bound, q=lambda q: q.flip(0)),
    altered("q[0] in all steps: step t has q[t - 1].", bound, q=lambda q: q[:1].expand(3, 3, 3)),
    altered("p[0] in all steps: step t has p[t - 1].", bound, p=lambda p: p[:1].expand(3, 3, 3)),
    altered("q and p one step off, q[t] and p[t] in step t: it has q[t - 1] and p[t - 1].", bound, q=lambda q: q.roll(-1, 0), p=lambda p: p.roll(-1, 0)),
    altered("q one step off, q[t] in step t: it has q[t - 1].", bound, q=lambda q: q.roll(-1, 0)),
    altered("p one step off, p[t] in step t: it has p[t - 1].", bound, p=lambda p: p.roll(-1, 0)),
    altered("no prior, or a uniform one: p(x_3) is given.", bound, prior=uniform),
    altered("a prior of 1 for every x_3, as if it were left out: p(x_{0:3}) begins with p(x_3).", bound, prior=torch.ones_like),
    altered("an x_0 that is always 0: use the argument.", bound, x0=lambda x0: 0),
    altered("an x_0 counted from 1: the states are 0, 1 and 2.", bound, x0=lambda x0: x0 - 1),
    Mutant(
        "the mean over all x_0, of all 81 paths: x_0 is given, and 27 paths begin there.",
        lambda q, p, prior, x0: tuple(
            sum(bound(q, p, prior, k)[i] for k in range(3)) / 3 for i in range(2)
        ),
    ),
    Mutant(
        "the sum over all x_0, of all 81 paths: x_0 is given, and 27 paths begin there.",
        lambda q, p, prior, x0: tuple(sum(bound(q, p, prior, k)[i] for k in range(3)) for i in range(2)),
    ),
    after("bits, a division by ln 2: all are in nats.", bound, lambda v: tuple(one / math.log(2) for one in v)),
    in_float32(bound),
]  # fmt: skip

BOUND = Check(
    id="02-bound",
    points=5,
    minutes=40,
    level=3,
    reference=bound,
    inputs=lambda d: (*chain(d), d.integer(0, 2)),
    fixed=chains,
    where="equation (12) in section 5 of this notebook: line 1 is the expectation over the paths, line 9 has the terms "
    "L_T = KL(q(x_3 | x_0) || p(x_3)), L_{t-1} = E KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) for t = 2 and 3, and "
    "L_0 = -E log p(x_0 | x_1) (Ho et al. 2020, eq. 5).",
    recording=False,
    same_dtype=True,
    outputs=("whole", "terms"),
    mutants=[*WHOLES, *TERMS, *READINGS, *TWO],
)
