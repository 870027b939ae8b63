"""Looks at wrong numbers: each says what is true of all cases, or nothing."""

from collections.abc import Callable, Sequence
from itertools import product

import torch
from torch import Tensor

from .compare import close, pair
from .made_of import (
    CLOSE,
    Seen,
    comparable,
    constant,
    equal,
    in_words,
    is_made_of,
    near,
    of_subject,
    quantities,
    ratio_of,
    went_through_float32,
)


def _argument(seen: Sequence[Seen], subject: str) -> str:
    """Is the result one of the arguments? Not where that is what is wanted, but for its last digits."""
    if all(equal(one.got, one.want) for one in seen):
        return ""
    names = (n for n, a in seen[0].args.items() if isinstance(a, Tensor))
    for name in names:
        if all(equal(one.got, one.args[name]) for one in seen):
            return f"{subject} is the argument {name}, unchanged."
    return ""


def _entries(seen: Sequence[Seen], subject: str) -> str:
    """Are the wrong entries of a table those of an argument, counted from the beginning or from the end?"""
    off = [~close(one.got, one.want) for one in seen if one.got.shape == one.want.shape and one.got.ndim == 1]
    tables = [n for n, a in seen[0].args.items() if isinstance(a, Tensor) and a.ndim == 1]
    if len(off) < len(seen):
        return ""
    for name, (end, alone, all_of_them) in product(tables, ENDS):
        turned = (lambda a: a.flip(0)) if end else (lambda a: a)
        places = [turned(o).nonzero().flatten().tolist() for o in off]
        told = alone if all(p == [0] for p in places) else all_of_them
        if told and all(
            _stand(turned(one.got), turned(one.args[name]), p) for one, p in zip(seen, places, strict=True)
        ):
            return told.format(of_subject(subject), name)
    return ""


def _stand(got: Tensor, table: Tensor, places: Sequence[int]) -> bool:
    """Do these entries stand in a table at the same places?"""
    return max(places) < len(table) and equal(got[places], table[places])


# (counted from the end, what is said where there is one such entry, and where there are more)
ENDS = (
    (False, "entry 0{} is the first of the argument {}.", ""),
    (True, "the last entry{} is the last of the argument {}.", ""),
    (False, "", "every wrong entry{} is that of the argument {} at the same place."),
    (True, "", "every wrong entry{} is that of the argument {}, counted from the end."),
)


def _order(seen: Sequence[Seen], subject: str) -> str:
    """Are the right numbers there, in another order?"""
    moves: dict[str, Callable[[Tensor], Tensor]] = {
        "in the reverse order": lambda w: w.flip(0),
        "moved by one place to the right": lambda w: w.roll(1, 0),
        "moved by one place to the left": lambda w: w.roll(-1, 0),
        "with its last two axes swapped": lambda w: w.mT if w.ndim > 1 else w,
    }
    for words, move in moves.items():
        told = [one for one in seen if one.want.ndim and not equal(move(one.want), one.want)]
        if told and len(told) == len(seen) and all(equal(one.got, move(one.want)) for one in told):
            return f"{subject} has the right numbers {words}."
    return ""


def _single_precision(seen: Sequence[Seen], subject: str) -> str:
    told = [one for one in seen if not _cancelled(one)] or seen
    same = [one for one in told if one.got.shape == one.want.shape]
    if (
        len(same) < len(told)
        or sum(map(went_through_float32, told)) < 0.6 * len(told)
        or not all(went_through_float32(one, 1e-3) for one in told)
    ):
        return ""
    return (
        f"{subject} agrees to about 7 digits: something on the way was float32, as .float(), torch.tensor(...), "
        "torch.linspace and torch.ones make it without dtype=, or a small number was added."
    )


def _cancelled(one: Seen) -> bool:
    """Is 0 wanted, up to rounding beside the arguments, and little there? Of such a result float32 leaves no digit."""
    size = max(
        (a.abs().max().item() for a in one.args.values() if isinstance(a, Tensor) and a.is_floating_point()),
        default=0.0,
    )
    if one.got.shape != one.want.shape or not size:
        return False
    return one.want.abs().max().item() < 1e-12 * size and one.got.abs().max().item() < 1e-4 * size


def _laws(seen: Sequence[Seen], subject: str) -> str:
    """Are the rows of what is wanted laws, and those of what came back not?"""
    for one in seen:
        if one.want.ndim < 2 or not comparable(one) or not _are_laws(one.want) or _are_laws(one.got):
            return ""
    sums = seen[0].got.sum(-1)
    off = (sums - 1).abs() > CLOSE
    if not bool(off.any()):  # entries below 0
        return ""
    row, total = off.nonzero()[0].tolist(), pair(sums[off][0].item(), 1.0)[0]
    return f"row {row} of {subject} adds up to {total}, where every row must add up to 1."


def _are_laws(rows: Tensor) -> bool:
    sums = rows.sum(-1)
    return bool((rows >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), rtol=CLOSE, atol=0)


def _one_number(seen: Sequence[Seen]) -> bool:
    """Is all there is one number? Some factor, and some difference, explains it always."""
    return sum(one.want.numel() for one in seen) < 2


def _factor(seen: Sequence[Seen], subject: str) -> str:
    """Is every entry the same factor times what is wanted, or one that the arguments tell?"""
    if _one_number(seen):
        return ""
    ratios = [ratio_of(one) for one in seen]
    if any(r is None for r in ratios):
        return ""
    first = next((r[torch.isfinite(r)][0] for r in ratios if r is not None and r.numel()), None)
    if first is None:
        return ""
    if all(constant(r, first) for r in ratios if r is not None):
        value = first.item()
        if abs(value - 1) < 1e-4 or any(
            bool(close(one.got, one.want).any()) for one in seen if one.want.numel() < 2
        ):
            return ""
        return (
            f"every entry{of_subject(subject)} is 0."
            if value == 0
            else f"every entry{of_subject(subject)} is {in_words(value)} times what is wanted."
            if value != -1
            else f"every entry{of_subject(subject)} has the wrong sign."
        )
    for name in quantities(seen[0]):
        for words, power in ((name, 1), (f"1 / {name}", -1)):
            if all(is_made_of(r, one, name, power) for r, one in zip(ratios, seen, strict=True)):
                return f"every entry{of_subject(subject)} is {words} times what is wanted."
    return ""


def _difference(seen: Sequence[Seen], subject: str) -> str:
    """Is the same number added everywhere, or one of the arguments?"""
    if _one_number(seen) or any(one.got.shape != one.want.shape for one in seen):
        return ""
    differences = [one.got - one.want for one in seen]
    first = differences[0].flatten()[0]
    if all(torch.allclose(d, first.expand_as(d), rtol=CLOSE, atol=1e-9) for d in differences):
        return f"every entry{of_subject(subject)} is {abs(first.item()):.4g} too {'large' if first > 0 else 'small'}."
    for name, argument in seen[0].args.items():
        if not isinstance(argument, Tensor) or not argument.is_floating_point():
            continue
        for sign, words in ((1, "added"), (-1, "taken away")):
            if all(equal(sign * d, one.args[name]) for d, one in zip(differences, seen, strict=True)):
                return f"{subject} is off by exactly {name}, which is {words} once too often."
    return ""


def _rounded(seen: Sequence[Seen], subject: str) -> str:
    """Has every number the same few decimals? Numbers of an argument may have been rounded before."""
    if all(_given(one) for one in seen):
        return ""
    for decimals in range(9):
        if all(_has_decimals(one.got, decimals) and not _has_decimals(one.want, decimals) for one in seen):
            if not _like_rounding(seen, decimals):
                return ""
            if decimals > 2 and all(bool((one.got == one.got.float()).all()) for one in seen):
                return ""  # numbers of float32, which are few
            return f"{subject} has {decimals} decimals at most: is something rounded there?"
    return ""


def _like_rounding(seen: Sequence[Seen], decimals: int) -> bool:
    """Is it what is wanted, rounded, or more than a constant or two? A ratio that is 1 everywhere has no decimals either."""
    if all(
        one.got.shape == one.want.shape and equal(one.got, one.want.round(decimals=decimals)) for one in seen
    ):
        return True
    return len(torch.cat([one.got.flatten() for one in seen]).unique()) > 2


def _given(one: Seen) -> bool:
    """Is each number one of an argument?"""
    tables = [a.flatten() for a in one.args.values() if isinstance(a, Tensor) and a.is_floating_point()]
    return bool(tables) and bool(torch.isin(one.got, torch.cat(tables)).all())


def _has_decimals(numbers: Tensor, decimals: int) -> bool:
    return torch.allclose(numbers, numbers.round(decimals=decimals), rtol=0, atol=1e-12)


def _bounded(seen: Sequence[Seen], subject: str) -> str:
    """Are all wrong entries cut off at one or two numbers?"""
    bounds = set()
    for one in seen:
        if one.got.shape != one.want.shape:
            return ""
        off = ~close(one.got, one.want)
        if not bool(torch.isfinite(one.got).all()):
            return ""
        bounds |= {f"{v:.6g}" for v in one.got[off].unique().tolist()}
        if len(bounds) > 2:
            return ""
    if len(bounds) == 2 and not all(_between(one, *sorted(map(float, bounds))) for one in seen):
        return ""
    if len(bounds) < 1 or sum(int((~close(one.got, one.want)).sum()) for one in seen) < 3 * len(bounds):
        return ""
    if len(bounds) == 1 and (said := _constant(seen, subject)) is not None:
        return said
    return f"all wrong entries{of_subject(subject)} are {' or '.join(sorted(bounds))}: is something cut off there?"


def _constant(seen: Sequence[Seen], subject: str) -> str | None:
    """Of wrong entries that are one number: is that a constant, larger than wanted here and smaller there? None for a bound."""
    got, want = (torch.cat([getattr(one, side).flatten() for one in seen]) for side in ("got", "want"))
    off = ~close(got, want)
    if not bool((got < want)[off].any() and (got > want)[off].any()):
        return None
    if not bool(off.all()):
        return ""
    return f"{subject} is {got[0].item():.6g} in each of these cases, whatever is given."


def _between(one: Seen, low: float, high: float) -> bool:
    """Are the wrong entries at the lower bound too large, and those at the upper one too small?"""
    off = ~close(one.got, one.want)
    got, want = one.got[off], one.want[off]
    return bool((((got - low).abs() < (got - high).abs()) == (want < got)).all())


def _factor_of_a_case(seen: Sequence[Seen], subject: str) -> str:
    """Is it in every case one factor, but not the same one?"""
    for one in seen:
        ratio = ratio_of(one)
        told = None if ratio is None else ratio[torch.isfinite(ratio)]
        if (
            told is None
            or len(told) < 2
            or bool((told == told[0]).all() and told[0] == 0)
            or not near(told, told[:1].expand_as(told))
        ):
            return ""
    first = ratio_of(seen[0])
    assert first is not None
    return (
        f"in each case all entries{of_subject(subject)} are one factor times what is wanted, but not the same one in all cases: "
        f"{in_words(first[torch.isfinite(first)][0].item())} in one of them."
    )


LOOKS = (
    *(_argument, _entries, _order, _factor, _difference, _laws),
    *(_rounded, _single_precision, _bounded, _factor_of_a_case),
)
