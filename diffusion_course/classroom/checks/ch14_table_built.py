"""A table of paired comparisons, in parts: the differences, McNemar's p and corrections, and mutants with other parts."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .data import Mutant

Table = tuple[Tensor, Tensor, Tensor]
F64 = torch.float64


def paired_table(marks: Tensor, base: int) -> Table:
    return built(marks, base)


def tail(only_a: int, only_b: int, n: int) -> float:
    """Two-sided p of a fair coin: the mean of n is left out, only who differ toss it."""
    differ = only_a + only_b
    return min(1.0, 2 * below(min(only_a, only_b), differ))


def below(k: int, n: int) -> float:
    """P(at most k heads of n)."""
    return sum(math.comb(n, j) for j in range(k + 1)) / 2**n


def holm(p: Tensor, m: int) -> Tensor:
    order = p.argsort(stable=True)
    corrected = (p[order] * torch.arange(m, m - len(p), -1, device=p.device)).clamp(max=1).cummax(0).values
    return torch.empty_like(p).scatter_(0, order, corrected)


def built(
    marks: Tensor,
    base: int,
    against: Callable[[int, int, int], int] = lambda k, base, K: base,
    p_value: Callable[[int, int, int], float] = tail,
    correct: Callable[[Tensor, int], Tensor] = holm,
    change: Callable[[Tensor, Tensor], Tensor] = lambda a, b: (a - b).mean(),
) -> Table:
    """The table in parts. against: the row that row k is compared with; p_value: of (only_a, only_b, N); correct: of p and its number."""
    marks = marks.double()
    others = [k for k in range(len(marks)) if k != base]
    changes, p = [], []
    for k in others:
        a, b = marks[k], marks[against(k, base, len(marks))]
        only_a, only_b = int(((a == 1) & (b == 0)).sum()), int(((a == 0) & (b == 1)).sum())
        changes.append(change(a, b))
        p.append(p_value(only_a, only_b, marks.shape[1]))
    raw = torch.tensor(p, dtype=F64, device=marks.device)
    return torch.stack(changes), raw, correct(raw, len(others))


def slip(hint: str, **parts: Any) -> Mutant:
    def function(marks: Tensor, base: int) -> Table:
        return built(marks, base, **parts)

    return Mutant(hint, function)


def chi_squared(only_a: int, only_b: int, n: int, less: float = 0.0) -> float:
    """The normal approximation, of |only_a - only_b| less a continuity correction."""
    if only_a + only_b == 0:
        return 1.0
    return math.erfc(max(0.0, abs(only_a - only_b) - less) / math.sqrt(2 * (only_a + only_b)))


def exact_up_to_100(only_a: int, only_b: int, n: int) -> float:
    """The exact p of few that differ, the normal approximation of many."""
    return tail(only_a, only_b, n) if only_a + only_b <= 100 else chi_squared(only_a, only_b, n, 1.0)


def unpaired(a: Tensor, b: Tensor) -> float:
    """p of two independent shares, by their pooled standard error."""
    pooled = ((a.mean() + b.mean()) / 2).item()
    error = math.sqrt(2 * pooled * (1 - pooled) / len(a))
    return math.erfc(abs((a.mean() - b.mean()).item()) / error / math.sqrt(2)) if error else 1.0


def of_rows(p_value: Callable[[Tensor, Tensor], float]) -> Callable[[Tensor, int], Table]:
    """A table whose p is made of two rows, as they are."""

    def function(marks: Tensor, base: int) -> Table:
        change, right, _ = built(marks, base)
        others = [k for k in range(len(marks)) if k != base]
        p = right.new_tensor([p_value(marks[k].double(), marks[base].double()) for k in others])
        return change, p, holm(p, len(p))

    return function


def both_ways(a: Tensor, b: Tensor) -> float:
    """p of the samples that both got right and those that both got wrong."""
    return tail(int(((a == 1) & (b == 1)).sum()), int(((a == 0) & (b == 0)).sum()), len(a))


def halves(a: Tensor, b: Tensor) -> float:
    """p where half of the samples without a difference is given to each side."""
    same = int((a == b).sum()) // 2
    return tail(int((a > b).sum()) + same, int((a < b).sum()) + same, len(a))


def without_first(marks: Tensor, base: int) -> Table:
    """All rows but row 0 against the base."""
    change, p, _ = with_base(marks, base)
    return change[1:], p[1:], holm(p[1:], len(p) - 1)


def base_first(marks: Tensor, base: int) -> Table:
    """The table of marks in which the base and row 0 have changed places."""
    order = [*range(len(marks))]
    order[0], order[base] = base, 0
    return built(marks[order], 0)


def ranks_of_values(p: Tensor, m: int) -> Tensor:
    """Holm's over the distinct values."""
    values, place = p.unique(return_inverse=True)
    return (values * factors(len(values), len(values))).clamp(max=1).cummax(0).values[place]


def below_one(p: Tensor, m: int) -> Tensor:
    """Holm's over those p that are below 1."""
    few = p < 1
    corrected = torch.ones_like(p)
    corrected[few] = holm(p[few], int(few.sum()))
    return corrected


def ends_at_5_percent(p: Tensor, m: int) -> Tensor:
    """Holm's, with 1 after the first that is above 0.05."""
    corrected = holm(p, m)
    above = corrected[corrected > 0.05]
    return torch.where(corrected > above.min(), 1.0, corrected) if len(above) else corrected


def beside_the_last(p: Tensor) -> Tensor:
    """The larger of each and the one before it."""
    return torch.maximum(p, torch.cat([p[:1], p[:-1]]))


def step_up(p: Tensor, m: int) -> Tensor:
    """Hochberg's: from the largest p down."""
    order = p.argsort(stable=True)
    scaled = (p[order] * torch.arange(m, m - len(p), -1)).clamp(max=1)
    return torch.empty_like(p).scatter_(0, order, scaled.flip(0).cummin(0).values.flip(0))


def false_discovery(p: Tensor, m: int) -> Tensor:
    """Benjamini and Hochberg's."""
    order = p.argsort(stable=True)
    scaled = p[order] * m / torch.arange(1, len(p) + 1)
    return torch.empty_like(p).scatter_(0, order, scaled.flip(0).cummin(0).values.flip(0).clamp(max=1))


def in_order(change: Callable[[Tensor, int], Tensor]) -> Callable[[Tensor, int], Tensor]:
    """A correction whose sorted values are change(sorted p, m), put back to their rows."""

    def correct(p: Tensor, m: int) -> Tensor:
        order = p.argsort(stable=True)
        return torch.empty_like(p).scatter_(0, order, change(p[order], m))

    return correct


def factors(m: int, n: int) -> Tensor:
    return torch.arange(m, m - n, -1)


def falling(p: Tensor, m: int) -> Tensor:
    order = p.argsort(descending=True, stable=True)
    corrected = (p[order] * factors(m, len(p))).clamp(max=1).cummax(0).values
    return torch.empty_like(p).scatter_(0, order, corrected)


def with_base(marks: Tensor, base: int) -> Table:
    """The table with a row for the base, of difference 0 and p = 1."""
    change, p, _ = built(marks, base)
    change, p = (torch.cat([v[:base], v.new_tensor([x]), v[base:]]) for v, x in ((change, 0.0), (p, 1.0)))
    return change, p, holm(p, len(p))
