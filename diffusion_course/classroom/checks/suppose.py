"""What would the right function give, if one of its arguments were another? Two slips at once are told like that, too.

`supposition` looks for one or two changes of arguments, or of the result, that turn the reference into the answer, and for one that
turns a classic mistake into it.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, product
from typing import Any, TypeGuard

import torch
from torch import Tensor

from .call import fresh
from .compare import LARGEST, alike, dense, is_tensor, plain
from .data import Check

LEAST_EVIDENCE = 8  # wrong entries of whole numbers or labels, which many changes explain by chance
AMBIGUOUS = 3  # so many changes that explain all cases are chance
MOST_PAIRS = 3000  # a second's work at most
CHANGES: dict[str, Callable] = {
    "sqrt({})": lambda a: a**0.5,
    "{}^2": lambda a: a * a,
    "1 - {}": lambda a: 1 - a,
    "-{}": lambda a: -a,
    "1 / {}": lambda a: 1 / a,
    "2 {}": lambda a: 2 * a,
    "{} / 2": lambda a: a / 2,
    "0": lambda a: 0 * a,
    "1": lambda a: 0 * a + 1,
    "2": lambda a: 0 * a + 2,
    "sqrt(1 - {})": lambda a: (1 - a) ** 0.5,
    "log {}": torch.log,
    "exp {}": torch.exp,
    "{} + 1": lambda a: a + 1,
    "{} - 1": lambda a: a - 1,
    "the running product of {}": lambda a: a.cumprod(0),
    "{} backwards": lambda a: a.flip(0),
    "{} one place later": lambda a: torch.cat([a[1:], a[-1:]]),
    "{} one place earlier": lambda a: torch.cat([a[:1], a[:-1]]),
}
AFTERWARDS: dict[str, Callable] = {
    "a square root": torch.sqrt,
    "a square": torch.square,
    "1 minus it": lambda y: 1 - y,
    "a minus": torch.neg,
    "its inverse": torch.reciprocal,
    "a logarithm": torch.log,
    "an exponential": torch.exp,
    "a running product": lambda y: y.cumprod(0),
}
# Of a mistake and a change: of the right result they say less than "every entry is 2 times what is wanted".
SCALED: dict[str, Callable] = {"half of it": lambda y: y / 2, "twice it": lambda y: 2 * y}
OF_TENSORS = ("log {}", "exp {}")
OF_TABLES = ("the running product of {}", "{} backwards", "{} one place later", "{} one place earlier")
TIMES = ("{} + 1", "{} - 1")


@dataclass(frozen=True)
class Change:
    """slots: which arguments it touches; None is the result. words: completes "with ...".
    function: makes other arguments, as a list, or another result.
    """

    slots: frozenset[int | None]
    words: str
    function: Callable[[Any], Any]


def supposition(
    check: Check, seen: Sequence[tuple[tuple, object]], others: Sequence[tuple[tuple, object]] = ()
) -> str:
    """One sentence on (arguments, what the answer gave) of some cases in float64; "" where no change explains all of them.

    others: the other cases, the right ones too. One change need not hold there, for the answer may make it in some cases alone, unless
    the results are whole numbers; two are soon found for a few cases, and are told where they hold in all.
    """
    pairs = [(got, check.right(*fresh(args))) for args, got in seen]
    if not seen or _by_chance(pairs) or all(_zero(got) for got, _ in pairs):
        return ""
    # Whole numbers are few, and soon the same by chance: there a change must hold in all cases.
    asked = seen if any(_floating(want) for _, want in pairs) else (*seen, *others)
    singles = list(_changes(check, seen[0][0]))
    found = [[change] for change in singles if _explains(check, [change], asked)]
    if found or not all(_numbers(got, want) for got, want in pairs):
        return _told(found)
    for mutant in check.mutants:
        if len(seen) > 2 and all(_same(check.driven(mutant.function), [], args, got) for args, got in seen):
            return f"Where it is wrong, this looks like {mutant.hint}"
    if check.path:  # a run of a machine is dear, and two slips part at the first wrong state
        return ""
    besides = [*singles, *_afterwards(check, SCALED)]
    if not any(
        _floating(want) for _, want in pairs
    ):  # of a few labels, one mistake and a change of labels give any other
        besides = [change for change in besides if None not in change.slots]
    for mutant, change in product(check.mutants if len(seen) > 2 else (), besides):
        if all(_same(check.driven(mutant.function), [change], args, got) for args, got in (*seen, *others)):
            return f"These look like two mistakes: {mutant.hint} And {change.words}."
    twos = (two for two in combinations(singles, 2) if not two[0].slots & two[1].slots)
    explain = (two for two in islice(twos, MOST_PAIRS) if _explains(check, two, (*seen, *others)))
    return _told(list(islice(explain, AMBIGUOUS)))


def _zero(got: object) -> bool:
    """Is it 0 everywhere? Many causes have that effect, and that it is 0 is told."""
    return (
        is_tensor(got) and dense(told := plain(got)) and 1 < told.numel() <= LARGEST and not bool(told.any())
    )


def _floating(want: object) -> bool:
    return any(not isinstance(part, Tensor) or part.is_floating_point() for part in _parts(want))


def _explains(check: Check, changes: Sequence[Change], seen: Sequence[tuple[tuple, object]]) -> bool:
    return all(_same(check.right, changes, args, got) for args, got in seen)


def _told(found: Sequence[Sequence[Change]]) -> str:
    """The first of the changes that explain everything; where many do, as where a part is switched off, none is the cause."""
    if not 0 < len(found) < AMBIGUOUS:
        return ""
    words = " and with ".join(change.words for change in found[0])
    return f"This is what the right function gives with {words}."


def _by_chance(pairs: Sequence[tuple[object, object]]) -> bool:
    """Are labels, times or counts off that are too few to tell changes apart? One wrong float64 number is enough."""
    if any(_floating(want) for _, want in pairs):
        return False
    told = [(_parts(got), _parts(want)) for got, want in pairs if _numbers(got, want)]
    off = [int((plain(g) != w).sum()) for got, want in told for g, w in zip(got, want, strict=True)]
    return sum(off) < LEAST_EVIDENCE


def _parts(value: Any) -> Sequence[Tensor]:
    return value if isinstance(value, tuple | list) else (value,)


def _numbers(got: object, want: object) -> TypeGuard[Tensor]:
    """Finite numbers of the wanted shape, or several of them: two changes at once give no others, so that none need be tried."""
    if isinstance(got, tuple | list) and isinstance(want, tuple):
        return len(got) == len(want) and all(map(_numbers, got, want))
    if not is_tensor(got) or not isinstance(want, Tensor):
        return False
    told = plain(got)
    return dense(told) and told.shape == want.shape and bool(torch.isfinite(told).all())


def _changes(check: Check, args: tuple) -> Iterator[Change]:
    for slot, (name, value) in enumerate(zip(check.arguments, args, strict=True)):
        for words in _wanted(value):
            told = f"{words.format(name)} in the place of {name}"
            yield Change(frozenset([slot]), told, _on(slot, CHANGES[words]))
    for (i, a), (j, b) in combinations(enumerate(args), 2):
        if _exchangeable(a, b):
            yield Change(
                frozenset([i, j]), f"{check.arguments[i]} and {check.arguments[j]} swapped", _swap(i, j)
            )
    yield from _afterwards(check, AFTERWARDS)


def _afterwards(check: Check, changes: dict[str, Callable]) -> Iterator[Change]:
    if len(check.outputs) == 1:
        for words, change in changes.items():
            yield Change(frozenset([None]), f"{words} at the end", change)


def _wanted(value: object) -> Iterator[str]:
    """The changes that a value of this kind may have suffered."""
    if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        return
    if isinstance(value, Tensor) and not value.is_floating_point():
        yield from TIMES
    elif isinstance(value, Tensor):
        yield from (words for words in CHANGES if value.ndim == 1 or words not in OF_TABLES)
    elif isinstance(value, int):
        yield from TIMES
    elif isinstance(value, float):
        yield from (words for words in CHANGES if words not in OF_TABLES and words not in OF_TENSORS)


def _exchangeable(a: object, b: object) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and a.dtype == b.dtype
    return isinstance(a, float) and isinstance(b, float)


def _on(slot: int, change: Callable) -> Callable[[list], list]:
    return lambda args: [change(a) if i == slot else a for i, a in enumerate(args)]


def _swap(i: int, j: int) -> Callable[[list], list]:
    return lambda args: [args[{i: j, j: i}.get(k, k)] for k in range(len(args))]


def _same(function: Callable, changes: Sequence[Change], args: tuple, got: object) -> bool:
    """Does a function with these changes give what the answer gave?"""
    try:
        changed = list(fresh(args))
        for change in changes:
            if None not in change.slots:
                changed = change.function(changed)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the root of a negative knob is complex
            value = function(*changed)
            for change in changes:
                if None in change.slots:
                    value = change.function(value)
    except Exception:  # an index beyond a table, the root of what is no number
        return False
    finite = value if isinstance(value, tuple) else (value,)
    told = all(isinstance(v, Tensor) and bool(torch.isfinite(v).all()) for v in finite)
    return told and alike(got, value)
