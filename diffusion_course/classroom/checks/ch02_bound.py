"""Checks of chapter 02, the third: the bound of a chain so small that its paths can be counted."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .ch01_slips import after, altered, in_float32
from .ch02_paths import (
    Both,
    all_turned,
    bound,
    each_for_itself,
    first,
    kl,
    last,
    law,
    marginals,
    middle,
    of_steps,
    of_terms,
    of_whole,
    one_read_wrong,
    posterior,
    whole,
)
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


def of_last(one: Both, change: Callable[[Tensor], Tensor]) -> Both:
    return one[0], change(one[1])


def line_4(q: Tensor, p: Tensor, prior: Tensor, x0: int) -> Both:
    """The three summands of line 4, whose sum is the same."""
    laws = marginals(q, x0)
    steps = sum((laws[t - 1] @ (q[t] * (q[t] / p[t].T).log()).sum(1) for t in (1, 2)), 0 * q[0, 0, 0])
    ends = -(laws[2] @ prior.log()), steps, q[0, x0] @ (q[0, x0] / p[0, :, x0]).log()
    return whole(q, p, prior, x0), torch.stack(ends)


def swapped(table: Tensor) -> Tensor:
    return table.mT


WHOLES = [
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
TERMS = [
    Mutant(
        "the summands of line 4, with q(x_t | x_{t-1}): they have the same sum, but a term of line 9 has q(x_{t-1} | x_t, x_0) and is a KL.",
        line_4,
    ),
    of_terms("an L_T without the prior: it is a KL to p(x_3).", 0, lambda q, p, prior, x0: last(q, p, torch.ones_like(prior), x0)),
    of_terms(
        "L_T the other way round: it is KL(q(x_3 | x_0) || p(x_3)).", 0, lambda q, p, prior, x0: kl(prior, marginals(q, x0)[2])
    ),
    of_terms(
        "an L_T with the cross-entropy -E log p(x_3) alone: it is a KL, so log q(x_3 | x_0) belongs to it.",
        0,
        lambda q, p, prior, x0: -(marginals(q, x0)[2] @ prior.log()),
    ),
    of_terms(
        "an L_T with one step from x_0, q[2, x0]: q(x_3 | x_0) goes through all three.", 0, lambda q, p, prior, x0: kl(q[2, x0], prior)
    ),
    of_terms("L_T with q(x_2 | x_0): it has q(x_3 | x_0).", 0, lambda q, p, prior, x0: kl(marginals(q, x0)[1], prior)),
    of_terms("L_T with q(x_1 | x_0): it has q(x_3 | x_0).", 0, lambda q, p, prior, x0: kl(q[0, x0], prior)),
    of_steps(
        "KLs the other way round: L_{t-1} is KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)).",
        lambda before, step, after, p: after @ kl(p, posterior(before, step)),
    ),
    Mutant("all KLs the other way round: a KL here is of q to p, and averages over q.", all_turned),
    of_steps(
        "q(x_{t-1} | x_0) in the place of the posterior q(x_{t-1} | x_t, x_0): it must know x_t, too.",
        lambda before, step, after, p: after @ kl(before, p),
    ),
    of_steps(
        "q(x_t | x_{t-1}) in the place of the posterior q(x_{t-1} | x_t, x_0): both parts of a KL are laws of x_{t-1}.",
        lambda before, step, after, p: after @ kl(step, p),
    ),
    of_steps(
        "KLs of q(x_t | x_{t-1}), weighted with q(x_{t-1} | x_0): a term has the posterior q(x_{t-1} | x_t, x_0), averaged over x_t.",
        lambda before, step, after, p: before @ kl(step, p),
    ),
    of_steps(
        "Bayes' rule without q(x_{t-1} | x_0): the posterior that knows x_0 is q(x_t | x_{t-1}) q(x_{t-1} | x_0) / q(x_t | x_0).",
        lambda before, step, after, p: after @ kl(law(step.T), p),
    ),
    of_steps(
        "a posterior that is not divided by q(x_t | x_0).",
        lambda before, step, after, p: after @ kl((before[:, None] * step).T, p),
    ),
    of_steps(
        "KLs averaged over all x_t alike: x_t has the probability q(x_t | x_0).",
        lambda before, step, after, p: kl(posterior(before, step), p).mean(),
    ),
    of_steps(
        "KLs added over all x_t without weights: x_t has the probability q(x_t | x_0).",
        lambda before, step, after, p: kl(posterior(before, step), p).sum(),
    ),
    of_steps(
        "KLs weighted with q(x_{t-1} | x_0): they are averaged over x_t.",
        lambda before, step, after, p: before @ kl(posterior(before, step), p),
    ),
    of_terms("a sum of L_{t-1} without that of t = 3: t is 2 and 3.", 1, lambda q, p, prior, x0: (
        marginals(q, x0)[1] @ kl(posterior(q[0, x0], q[1]), p[1])
    )),
    of_terms("a sum of L_{t-1} without that of t = 2: t is 2 and 3.", 1, lambda q, p, prior, x0: (
        marginals(q, x0)[2] @ kl(posterior(marginals(q, x0)[1], q[2]), p[2])
    )),
    of_terms("the mean of the two L_{t-1}: they are added.", 1, lambda *args: middle(*args) / 2),
    of_terms(
        "a sum of L_{t-1} that has L_0 in it, too: t = 1 is the decoder's, a term of its own.", 1, lambda *args: middle(*args) + first(*args)
    ),
    of_terms(
        "an L_0 that is the logarithm of a mean: it is the mean over x_1 of -log p(x_0 | x_1).",
        2,
        lambda q, p, prior, x0: -(q[0, x0] @ p[0, :, x0]).log(),
    ),
    of_terms("an L_0 without its minus.", 2, lambda *args: -first(*args)),
    of_terms(
        "an L_0 averaged over all x_1 alike: x_1 has the probability q(x_1 | x_0).", 2, lambda q, p, prior, x0: -p[0, :, x0].log().mean()
    ),
    of_terms("an L_0 added over all x_1 without weights: x_1 has the probability q(x_1 | x_0).", 2, lambda q, p, prior, x0: -p[0, :, x0].log().sum()),
    of_terms(
        "an L_0 that is a KL with q(x_1 | x_0): it is -log p(x_0 | x_1), averaged.",
        2,
        lambda q, p, prior, x0: kl(q[0, x0], p[0, :, x0]),
    ),
    of_terms(
        "an L_0 that reads p[0, x0]: the row is the state that is given, so p(x_0 | x_1) is p[0, x_1, x0].",
        2,
        lambda q, p, prior, x0: -(q[0, x0] @ p[0, x0].log()),
    ),
    after("the terms from L_0 to L_T: return L_T, the sum of the L_{t-1}, L_0.", bound, lambda v: of_last(v, lambda terms: terms.flip(0))),
    after("the sum of the terms: return the three of them.", bound, lambda v: of_last(v, torch.sum)),
    *(
        Mutant(f"each L_{{t-1}} for itself, {words}: return three numbers, L_T, the sum of the L_{{t-1}}, L_0.", each_for_itself(times))
        for words, times in (("downwards", (2, 1)), ("upwards", (1, 2)))
    ),
]  # fmt: skip
READINGS = [
    altered("p read as p[t-1, x_{t-1}, x_t]: the row is the state that is given, here x_t.", bound, p=swapped),
    altered("q read as q[t-1, x_t, x_{t-1}]: the row is the state that is given, here x_{t-1}.", bound, q=swapped),
    *(
        Mutant(f"{name} with its rows and columns swapped in {words} alone: the row is the state that is given.", one_read_wrong(place, **{name: swapped}))
        for place, words in enumerate(("the expectation", "the terms"))
        for name in ("p", "q")
    ),
    altered("p read from the back: p[t - 1] is the step from x_t to x_{t-1}.", bound, p=lambda p: p.flip(0)),
    altered("q read from the back: q[t - 1] is the step from x_{t-1} to x_t.", bound, q=lambda q: q.flip(0)),
    altered("q[0] in all steps: step t has q[t - 1].", bound, q=lambda q: q[:1].expand(3, 3, 3)),
    altered("p[0] in all steps: step t has p[t - 1].", bound, p=lambda p: p[:1].expand(3, 3, 3)),
    altered("q and p one step off, q[t] and p[t] in step t: it has q[t - 1] and p[t - 1].", bound, q=lambda q: q.roll(-1, 0), p=lambda p: p.roll(-1, 0)),
    altered("q one step off, q[t] in step t: it has q[t - 1].", bound, q=lambda q: q.roll(-1, 0)),
    altered("p one step off, p[t] in step t: it has p[t - 1].", bound, p=lambda p: p.roll(-1, 0)),
    altered("no prior, or a uniform one: p(x_3) is given.", bound, prior=lambda v: torch.full_like(v, 1 / 3)),
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
    minutes=25,
    level=3,
    reference=bound,
    inputs=lambda d: (*chain(d), d.integer(0, 2)),
    fixed=chains,
    where="equation (12) in section 5 of this notebook: line 1 is the expectation over the paths, line 9 has the terms "
    "L_T = KL(q(x_3 | x_0) || p(x_3)), L_{t-1} = E KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) for t = 2 and 3, and "
    "L_0 = -E log p(x_0 | x_1) (Ho et al. 2020, eq. 5).",
    outputs=("whole", "terms"),
    mutants=[*WHOLES, *TERMS, *READINGS],
)
