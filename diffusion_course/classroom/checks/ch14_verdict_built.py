"""What an interval says of a claim, in parts: the rule, and mutants of it with other parts."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .data import Mutant
from .slips import result_slip

Rule = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def verdict(low: Tensor, high: Tensor, claim_low: Tensor, claim_high: Tensor) -> Tensor:
    return built(low, high, claim_low, claim_high)


def inside(low: Tensor, high: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return (low > a) & (high < b)


def outside(low: Tensor, high: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return (high <= a) | (low >= b)


def built(
    low: Tensor,
    high: Tensor,
    claim_low: Tensor,
    claim_high: Tensor,
    held: Rule = inside,
    not_held: Rule = outside,
    both: int = 1,
) -> Tensor:
    """The rule in parts. both: what it is where both rules of a mutant are true."""
    args = low, high, claim_low, claim_high
    yes, no = held(*args), not_held(*args)
    return torch.where(yes & no, both, yes.long() - no.long())


def slip(hint: str, **rules: Rule) -> Mutant:
    """A mutant with other rules. Where both are true, the first to be asked decides, or their difference is 0."""

    def function(both: int) -> Rule:
        return lambda low, high, a, b: built(low, high, a, b, **rules, both=both)

    return Mutant(hint, function(1), (function(-1), function(0)))


def coded(hint: str, codes: Sequence[int]) -> Mutant:
    """Three other numbers for held up, not held up, and what cannot be said."""
    return result_slip(
        hint, verdict, lambda v: torch.where(v == 1, codes[0], torch.where(v == -1, codes[1], codes[2]))
    )


def each(change: Callable[[Tensor], Tensor]) -> Rule:
    """The rule of changed numbers."""
    return lambda *four: verdict(*map(change, four))


def rounded(decimals: int) -> Rule:
    return each(lambda v: v.round(decimals=decimals))


def holds_zero(low: Tensor, high: Tensor) -> Tensor:
    return (low <= 0) & (high >= 0)


def two_ends(a: Tensor, b: Tensor) -> Tensor:
    return a.isfinite() & b.isfinite()


def never(low: Tensor, high: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.zeros_like(low, dtype=torch.bool)


def middle_inside(low: Tensor, high: Tensor, a: Tensor, b: Tensor) -> Tensor:
    middle = (low + high) / 2
    return (middle > a) & (middle < b)
