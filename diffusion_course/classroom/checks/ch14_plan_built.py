"""The cheapest plan whose interval is narrow enough, in parts: the search, and mutants of it with other parts."""

import math
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from .data import Mutant, NoValue

Plan = tuple[Tensor, Tensor]


def cheapest_plan(tau: float, s: float, train: float, draw: float, half: float, quantiles: Tensor) -> Plan:
    return built(tau, s, train, draw, half, quantiles)


def remains(tau: float, half: float, q: float, S: int) -> float:
    """What training leaves of the variance that the interval may have."""
    return S * (half / q) ** 2 - tau**2


def needing(
    left: Callable[[float, float, float, int], float] = remains, power: int = 2, skip: bool = True
) -> Callable[..., float]:
    """Samples s^power / left(tau, half, q, S). skip: are they infinite where nothing is left?"""

    def need(tau: float, s: float, half: float, q: float, S: int) -> float:
        rest = left(tau, half, q, S)
        return s**power / rest if rest > 0 or (rest and not skip) else math.inf

    return need


ENOUGH = needing()


def cost(S: int, n: float, train: float, draw: float) -> float:
    return S * (train + n * draw)


def until_it_rises(plans: list[tuple]) -> tuple:
    """The plan before the first that costs more."""
    return next((a for a, b in pairwise(plans) if b[0] > a[0]), plans[-1])


def built(
    tau: float,
    s: float,
    train: float,
    draw: float,
    half: float,
    quantiles: Tensor,
    quantile: Callable[[Tensor, int], float] = lambda q, S: q[S - 2].item(),
    need: Callable[[float, float, float, float, int], float] = ENOUGH,
    whole: Callable[[float], float] = math.ceil,
    least: float = 1,
    price: Callable[[int, float, float, float], float] = cost,
    rounded: bool = True,
    seeds: Callable[[int], Sequence[int]] = lambda Q: range(2, Q + 2),
    stops: bool = False,
    choose: Callable[[list[tuple]], tuple] = min,
) -> Plan:
    """The search in parts. rounded: is a whole number of samples paid for? seeds: of Q quantiles, which numbers of seeds are asked.
    stops: at the first that is not possible? Raises NoValue where none is.
    """
    plans = []
    for S in seeds(len(quantiles)):
        n = need(tau, s, half, quantile(quantiles, S), S)
        if math.isfinite(n):
            many = max(least, whole(n))
            plans.append((price(S, many if rounded else n, train, draw), S, many))
        elif stops:
            break
    if not plans:
        raise NoValue("no number of seeds is enough")
    _, S, n = choose(plans)
    return torch.tensor(S, device=quantiles.device), torch.tensor(int(n), device=quantiles.device)


def slip(hint: str, **parts: Any) -> Mutant:
    def function(tau: float, s: float, train: float, draw: float, half: float, quantiles: Tensor) -> Plan:
        return built(tau, s, train, draw, half, quantiles, **parts)

    return Mutant(hint, function)


def with_cost(order: Callable[[Tensor, Tensor, Tensor], Any]) -> Callable:
    """The plan with what it costs, in some order of (seeds, samples, cost)."""

    def function(tau: float, s: float, train: float, draw: float, half: float, quantiles: Tensor) -> Any:
        S, n = cheapest_plan(tau, s, train, draw, half, quantiles)
        return order(S, n, S * (train + n * draw))

    return function


def by_optimum(tau: float, s: float, train: float, draw: float, half: float, quantiles: Tensor) -> Plan:
    """n = s / tau sqrt(train / draw), the best for any number of runs, then the fewest runs that are enough with it."""
    n = max(1, math.ceil(s / max(tau, 1e-9) * math.sqrt(train / max(draw, 1e-12))))
    for S, q in enumerate(quantiles.tolist(), 2):
        if q * math.sqrt((tau**2 + s**2 / n) / S) <= half:
            return torch.tensor(S, device=quantiles.device), torch.tensor(n, device=quantiles.device)
    raise NoValue("no number of seeds is enough")


@cache
def student(level: float, seeds: int) -> Tensor:
    """Two-sided quantiles of Student's distribution with 1, ..., seeds - 1 degrees of freedom."""
    from scipy import stats

    return torch.tensor(
        [stats.t.ppf(0.5 + level / 2, S - 1) for S in range(2, seeds + 1)], dtype=torch.float64
    )


def at_95(q: Tensor, S: int) -> float:
    return student(0.95, 30)[S - 2].item()
