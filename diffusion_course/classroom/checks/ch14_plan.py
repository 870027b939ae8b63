"""How many training runs, and how many samples of each: the cheapest plan whose interval is narrow enough."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from .ch14_plan_built import (
    ENOUGH,
    at_95,
    by_optimum,
    cheapest_plan,
    cost,
    needing,
    remains,
    slip,
    student,
    until_it_rises,
    with_cost,
)
from .data import Check, Mutant
from .inputs import Draw
from .slips import argument_slip, result_slip

WHOLE = "the quotient is a whole number"  # made of powers of two, and so without rounding


def example(d: Draw, seeds: int, level: float, tau: tuple, ratio: tuple, dear: tuple) -> tuple:
    """A plan that some number of seeds makes possible. ratio: of half to the least that so many seeds reach; dear: the price of training, in
    samples that the best plan has."""
    q = student(level, seeds)
    tau_, s = d.uniform(*tau).item(), d.uniform(1.5, 6.0).item()
    # In float64 whatever the plan's dtype: a number of samples is whole, and rounding would change it.
    half = d.uniform(*ratio).item() * tau_ * q[-1].item() / seeds**0.5
    draw = d.uniform(0.001, 0.02).item()
    train = d.uniform(*dear).item() * draw
    return tau_, s, train, draw, half, q.to(d.device)


def case(d: Draw) -> tuple:
    """Where few numbers of seeds are enough, where many are, and where two are: wrong formulas find no plan in the first, and in the last they do."""
    levels = (0.9, 0.95) if d.edge == "first" else (0.9, 0.95, 0.99)
    ratio = {"": (1.3, 3.0), "last": (4.0, 8.0), "first": (16.0, 30.0)}[d.edge]
    return example(d, d.integer(9, 14), levels[d.integer(0, len(levels) - 1)], (0.05, 0.3), ratio, (50, 4000))


def plans(d: Draw) -> Iterator[tuple[str, tuple]]:
    """As the chapter has them, and where one of the two parts decides alone."""
    q = student(0.95, 12).to(d.device)

    def exact(*quantiles: float) -> Tensor:
        return torch.tensor(quantiles, dtype=torch.float64, device=d.device)

    yield "the chapter's example", (0.2, 6.0, 20.0, 0.002, 0.5, q)
    yield "training is free", (0.2, 6.0, 0.0, 0.01, 0.5, q)
    yield "training is dear", (0.05, 2.0, 600.0, 0.001, 0.3, q)
    yield "samples are dear", (0.1, 2.0, 1.0, 0.9, 0.3, q)
    yield "samples are free", (0.21, 3.0, 15.0, 0.0, 0.7, q)
    yield "training has no chance", (0.0, 4.0, 10.0, 0.01, 0.2, q)
    yield "only many seeds reach it", (0.3, 1.0, 5.0, 0.01, 0.2, q)
    yield "one sample is enough", (0.01, 0.02, 3.0, 0.5, 0.5, q)
    yield "two seeds, or none", (0.01, 3.1, 3.0, 0.5, 4.1, q[:1])
    yield "millions of samples", (0.1, 600.0, 20.0, 1e-6, 0.3, q)
    yield "training takes half a minute", (0.21, 4.0, 0.6, 0.001, 0.5, q)
    yield "training takes a moment", (0.21, 4.0, 0.002, 2e-5, 0.5, q)
    yield "a level of 0.99", (0.11, 2.7, 33.0, 0.004, 0.41, student(0.99, 10).to(d.device))
    yield "a level of 0.5", (0.11, 2.7, 33.0, 0.004, 0.06, student(0.5, 10).to(d.device))
    yield "two seeds are best", (0.0, 0.3, 40.0, 0.01, 0.9, q)
    yield "the cost rises, and falls again", (0.17, 1.7, 2.1, 2.0, 1.4, q)
    yield "one sample more is dear", (0.27, 1.2, 0.9, 2.0, 1.3, q)
    yield "a wide interval is narrow enough", (1.1, 60.0, 40.0, 0.01, 14.0, q)
    yield "one sample has no chance", (0.1, 0.0, 10.0, 0.01, 0.5, q)
    yield "a sample fewer is nearly enough", (0.0, 4.00001, 10.0, 0.5, 1.0, exact(64.0, 64.0, 2.0))
    yield "a denominator of exactly 0", (1.0, 4.1, 10.0, 0.5, 1.0, exact(64.0, 64.0, 2.0, 2.0))
    yield WHOLE, (0.0, 4.0, 8.0, 0.5, 1.0, exact(64.0, 64.0, 2.0))


CHEAPEST_PLAN = Check(
    id="14-cheapest_plan",
    points=4,
    minutes=25,
    level=2,
    reference=cheapest_plan,
    inputs=case,
    fixed=plans,
    where='section 7 of this notebook ("How to plan a study"): for S = 2, 3, ... seeds n = s^2 / (S half^2 / q_S^2 - tau^2), rounded up, where that '
    "is above 0, with q_S = quantiles[S - 2]; of these plans the one whose cost S (train + n draw) is the least.",
    outputs=("seeds", "samples"),
    only={
        "samples": "The number of seeds is right; look at the number of samples for it.",
        "seeds": "The number of samples is right; look at which number of seeds it belongs to.",
    },
    recording=False,
    mutants=[
        # the quantile
        slip("1.96 for every number of seeds: the spread is estimated from few runs, so Student's quantile q_S belongs there.", quantile=lambda q, S: 1.959963984540054),
        slip("1.96, rounded, for every number of seeds: the spread is estimated from few runs, so Student's quantile q_S belongs there.", quantile=lambda q, S: 1.96),
        slip("the first quantile for every number of seeds: each S has its own.", quantile=lambda q, S: q[0].item()),
        slip("the last quantile for every number of seeds: each S has its own.", quantile=lambda q, S: q[-1].item()),
        slip("the quantile of one seed more: that of S seeds is quantiles[S - 2].", quantile=lambda q, S: q[min(S - 1, len(q) - 1)].item()),
        slip("the quantile of one seed fewer: that of S seeds is quantiles[S - 2].", quantile=lambda q, S: q[S - 3].item() if S > 2 else q[0].item()),
        slip("no quantile: the half width is q_S standard errors.", quantile=lambda q, S: 1.0),
        slip("seeds counted from 1: the first quantile is that of two seeds.", quantile=lambda q, S: q[S - 1].item(), seeds=lambda Q: range(1, Q + 1)),
        slip("seeds counted from 0: the first quantile is that of two seeds.", quantile=lambda q, S: q[S].item(), seeds=range),
        slip("seeds counted from 3: the first quantile is that of two seeds.", quantile=lambda q, S: q[S - 3].item(), seeds=lambda Q: range(3, Q + 3)),
        slip("Student's quantiles computed anew, at 95 %: those that are given may be of another level.", quantile=at_95),
        slip("Student's quantiles computed anew, at 95 % and for 2 to 30 seeds: take those that are given, and no more.", quantile=at_95, seeds=lambda Q: range(2, 31)),
        slip("the last quantile for more seeds than there are quantiles for: they cannot be afforded.", quantile=lambda q, S: q[min(S - 2, len(q) - 1)].item(), seeds=lambda Q: range(2, 101)),
        slip("quantiles that are sorted: they fall, and the first is that of two seeds.", quantile=lambda q, S: q.sort().values[S - 2].item()),
        # the range
        slip("the last quantile left out: there is a number of seeds for each.", seeds=lambda Q: range(2, Q + 1)),
        slip("two seeds left out: the first quantile is theirs.", seeds=lambda Q: range(3, Q + 2)),
        slip("ten seeds at most: there is a number of seeds for each quantile.", seeds=lambda Q: range(2, min(Q + 2, 11))),
        slip("a search that ends at the first number of seeds that is not enough (break): the next ones may be (continue).", stops=True),
        slip("a search that ends where the cost rises for the first time: n is a whole number, so it may fall again. Ask every S.", choose=until_it_rises),
        slip("1,000 samples at most: any number is allowed.", need=lambda *args: n if (n := ENOUGH(*args)) <= 1000 else math.inf),
        slip("10,000 samples at most: any number is allowed.", whole=lambda n: min(10_000, math.ceil(n))),
        # no n is enough
        slip("a negative denominator, and with it a negative number of samples: no n is enough there, so this S is skipped.", need=needing(skip=False), least=-math.inf),
        slip("one sample where the denominator is negative: no n is enough there, so this S is skipped.", need=needing(skip=False)),
        slip("the denominator without its sign: where it is negative no n is enough, so this S is skipped.", need=needing(lambda *args: abs(remains(*args)))),
        # the number of samples
        slip("the chance of training left out: tau^2 stays, however many samples are drawn.", need=needing(lambda tau, half, q, S: S * (half / q) ** 2)),
        slip("the chance of training not divided by S: more runs make it smaller.", need=needing(lambda tau, half, q, S: S * ((half / q) ** 2 - tau**2))),
        slip("the chance of the samples not divided by S: more runs have more samples.", need=needing(lambda tau, half, q, S: (half / q) ** 2 - tau**2 / S)),
        slip("neither part divided by S.", need=needing(lambda tau, half, q, S: (half / q) ** 2 - tau**2)),
        slip("S squared: the variance of a mean of S numbers is divided by S.", need=needing(lambda tau, half, q, S: (S * half / q) ** 2 - tau**2)),
        slip("tau without its square: variances are added, not standard deviations.", need=needing(lambda tau, half, q, S: S * (half / q) ** 2 - tau)),
        slip("s without its square: variances are added, not standard deviations.", need=needing(lambda tau, half, q, S: S * (half / q) ** 2 - tau**2, power=1)),
        slip("half / q without its square.", need=needing(lambda tau, half, q, S: S * half / q - tau**2)),
        slip("half^2 / q, without the square of q.", need=needing(lambda tau, half, q, S: S * half**2 / q - tau**2)),
        slip("tau^2 added where it is taken away: what training leaves is for the samples.", need=needing(lambda tau, half, q, S: S * (half / q) ** 2 + tau**2)),
        slip("standard errors added, not variances: sqrt(tau^2 / S) + sqrt(s^2 / (S n)).", need=needing(lambda tau, half, q, S: max(0.0, half * S**0.5 / q - tau) ** 2)),
        slip("S - 1 for S: the variance of the mean is divided by the number of seeds.", need=needing(lambda tau, half, q, S: (S - 1) * (half / q) ** 2 - tau**2)),
        argument_slip("half of `half`: it is already half of the width.", cheapest_plan, "half", lambda half: half / 2),
        argument_slip("twice `half`: the formula has half of the width, which is what it is.", cheapest_plan, "half", lambda half: 2 * half),
        slip("s / n for the standard error of a mean of n samples: it is s / sqrt(n).", need=lambda *args: math.sqrt(ENOUGH(*args))),
        slip("n divided by S: it is the number of samples of each network, not of all together.", need=lambda *args: ENOUGH(*args) / args[-1]),
        Mutant("the n that is best for any number of runs, s / tau sqrt(train / draw), and then the fewest runs: S and n are whole numbers, and q changes with S. Ask every S.", by_optimum),
        Mutant("tau and s swapped: tau is the spread of training, s that of one sample.", lambda tau, s, train, draw, half, q: cheapest_plan(s, tau, train, draw, half, q)),
        # whole numbers
        slip("rounding down: with one sample fewer the interval is too wide, so round up.", whole=math.floor),
        slip("twice the samples: the pairs are counted in draw and s already.", whole=lambda n: 2 * math.ceil(n)),
        slip("at least two samples, or more: one is enough where the formula says so.", whole=lambda n: max(2, math.ceil(n))),
        slip("rounding to the nearest: round up, fewer are not enough.", whole=round),
        slip("one more than the next whole number.", whole=lambda n: math.ceil(n) + 1),
        slip("one sample too many where the quotient is a whole number: floor + 1 is not ceil there.", whole=lambda n: math.floor(n) + 1),
        slip("one sample too few where the quotient is a little above a whole number: round up, without a tolerance.", whole=lambda n: math.ceil(n - 1e-3)),
        slip("n = 0 where one sample has no chance: it is 1 at least.", least=0),
        slip("powers of two alone for n: any whole number will do.", whole=lambda n: 2 ** max(0, math.ceil(math.log2(max(n, 1e-9))))),
        # the cost
        slip("the cost without training, or with that of one run alone: there are S of them.", price=lambda S, n, train, draw: S * n * draw),
        slip("the cost of one run's samples: each of S networks draws n.", price=lambda S, n, train, draw: S * train + n * draw),
        Mutant(
            "the fewest samples, in all or of each network, as where training is paid for with each sample: the cost is S (train + n draw).",
            slip("", price=lambda S, n, train, draw: S * n * (train + draw)).function,
            tuple(slip("", price=price).function for price in (lambda S, n, train, draw: n, lambda S, n, train, draw: S * n)),
        ),
        slip("the cost with n before it is rounded up: whole samples are paid for.", rounded=False),
        slip("the fewest seeds that are enough, which a cost without its samples has, too: the least S (train + n draw) is asked for.", price=lambda S, n, train, draw: S),
        slip("the most seeds: the least cost is asked for.", price=lambda S, n, train, draw: -S),
        slip("the highest cost.", price=lambda S, n, train, draw: -cost(S, n, train, draw)),
        Mutant("the prices swapped: `train` is that of a network, `draw` that of a sample.", lambda tau, s, train, draw, half, q: cheapest_plan(tau, s, draw, train, half, q)),
        # the results
        result_slip("seeds and samples swapped.", cheapest_plan, lambda r: (r[1], r[0])),
        result_slip("the samples of all networks together: n is the number of each.", cheapest_plan, lambda r: (r[0], r[0] * r[1])),
        result_slip("the place in `quantiles` for the number of seeds: the first is that of two seeds.", cheapest_plan, lambda r: (r[0] - 2, r[1])),
        result_slip("seeds counted from 0.", cheapest_plan, lambda r: (r[0] - 1, r[1])),
        result_slip("one seed too many.", cheapest_plan, lambda r: (r[0] + 1, r[1])),
        result_slip("the number of samples alone: return (seeds, samples).", cheapest_plan, lambda r: r[1]),
        Mutant("the cost among the results: return (seeds, samples).", with_cost(lambda S, n, cost: (cost, S)), (with_cost(lambda S, n, cost: (S, cost)), with_cost(lambda S, n, cost: (cost, n)))),
    ],
)  # fmt: skip
