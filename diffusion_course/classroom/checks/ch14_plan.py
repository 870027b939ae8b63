"""How many training runs, and how many samples of each: the cheapest plan whose interval is narrow enough."""

import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw
from .slips import argument_slip, result_slip

Plan = tuple[Tensor, Tensor]


def cheapest_plan(tau: float, s: float, train: float, draw: float, half: float, quantiles: Tensor) -> Plan:
    return built(tau, s, train, draw, half, quantiles)


def samples(tau: float, s: float, half: float, q: float, S: int) -> float:
    """The samples a network that make the half width `half`; infinite where no number does."""
    left = S * (half / q) ** 2 - tau**2
    return s**2 / left if left > 0 else math.inf


def cost(S: int, n: float, train: float, draw: float) -> float:
    return S * (train + n * draw)


def built(
    tau: float,
    s: float,
    train: float,
    draw: float,
    half: float,
    quantiles: Tensor,
    quantile: Callable[[Tensor, int], float] = lambda q, S: q[S - 2].item(),
    need: Callable[[float, float, float, float, int], float] = samples,
    whole: Callable[[float], float] = math.ceil,
    price: Callable[[int, float, float, float], float] = cost,
    first: int = 2,
) -> Plan:
    """The search in parts. first: the number of seeds that the first quantile is of."""
    plans = []
    for S in range(first, len(quantiles) + first):
        n = need(tau, s, half, quantile(quantiles, S), S)
        if math.isfinite(n):
            n = max(1, whole(n))
            plans.append((price(S, n, train, draw), S, n))
    if not plans:
        raise ValueError("no number of seeds is enough")
    _, S, n = min(plans)
    return torch.tensor(S, device=quantiles.device), torch.tensor(int(n), device=quantiles.device)


def slip(hint: str, **parts: Any) -> Mutant:
    def function(tau: float, s: float, train: float, draw: float, half: float, quantiles: Tensor) -> Plan:
        return built(tau, s, train, draw, half, quantiles, **parts)

    return Mutant(hint, function)


def needing(left: Callable[[float, float, float, int], float], power: int = 2) -> Callable[..., float]:
    """Samples s^power / left(tau, half, q, S)."""

    def need(tau: float, s: float, half: float, q: float, S: int) -> float:
        rest = left(tau, half, q, S)
        return s**power / rest if rest > 0 else math.inf

    return need


@cache
def student(level: float, seeds: int) -> Tensor:
    """Two-sided quantiles of Student's distribution with 1, ..., seeds - 1 degrees of freedom."""
    from scipy import stats

    return torch.tensor(
        [stats.t.ppf(0.5 + level / 2, S - 1) for S in range(2, seeds + 1)], dtype=torch.float64
    )


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
    level = (0.9, 0.95, 0.99)[d.integer(0, 2)]
    return example(d, d.integer(9, 14), level, (0.05, 0.3), (1.3, 3.0), (50, 4000))


def plans(d: Draw) -> Iterator[tuple[str, tuple]]:
    """As the chapter has them, and where one of the two parts decides alone."""
    q = student(0.95, 12).to(d.device)
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
        slip("seeds counted from 1: the first quantile is that of two seeds.", quantile=lambda q, S: q[S - 1].item(), first=1),
        slip("seeds counted from 0: the first quantile is that of two seeds.", quantile=lambda q, S: q[S].item(), first=0),
        slip("seeds counted from 3: the first quantile is that of two seeds.", quantile=lambda q, S: q[S - 3].item(), first=3),
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
        argument_slip("the whole width for half of it: the interval reaches so far to both sides.", cheapest_plan, "half", lambda half: half / 2),
        argument_slip("half of `half`: it is already half of the width.", cheapest_plan, "half", lambda half: 2 * half),
        Mutant("tau and s swapped: tau is the spread of training, s that of one sample.", lambda tau, s, train, draw, half, q: cheapest_plan(s, tau, train, draw, half, q)),
        # whole numbers
        slip("rounding down: with one sample fewer the interval is too wide, so round up.", whole=math.floor),
        slip("twice the samples: the pairs are counted in draw and s already.", whole=lambda n: 2 * math.ceil(n)),
        slip("at least two samples, or more: one is enough where the formula says so.", whole=lambda n: max(2, math.ceil(n))),
        slip("rounding to the nearest: round up, fewer are not enough.", whole=round),
        slip("one more than the next whole number.", whole=lambda n: math.ceil(n) + 1),
        # the cost
        slip("the cost without training, or with that of one run alone: there are S of them.", price=lambda S, n, train, draw: S * n * draw),
        slip("the cost of one run's samples: each of S networks draws n.", price=lambda S, n, train, draw: S * train + n * draw),
        slip("the fewest seeds that are enough: the least cost is asked for.", price=lambda S, n, train, draw: S),
        slip("the most seeds, or the fewest samples of each: the least cost is asked for.", price=lambda S, n, train, draw: -S),
        slip("the highest cost.", price=lambda S, n, train, draw: -cost(S, n, train, draw)),
        Mutant("the prices swapped: `train` is that of a network, `draw` that of a sample.", lambda tau, s, train, draw, half, q: cheapest_plan(tau, s, draw, train, half, q)),
        # the results
        result_slip("seeds and samples swapped.", cheapest_plan, lambda r: (r[1], r[0])),
        result_slip("the samples of all networks together: n is the number of each.", cheapest_plan, lambda r: (r[0], r[0] * r[1])),
        result_slip("the place in `quantiles` for the number of seeds: the first is that of two seeds.", cheapest_plan, lambda r: (r[0] - 2, r[1])),
        result_slip("seeds counted from 0.", cheapest_plan, lambda r: (r[0] - 1, r[1])),
        result_slip("one seed too many.", cheapest_plan, lambda r: (r[0] + 1, r[1])),
        result_slip("the number of samples alone: return (seeds, samples).", cheapest_plan, lambda r: r[1]),
    ],
)  # fmt: skip
