"""The shape of an error, in words: what wrong numbers have in common, where no known mistake explains them.

An observation is true of all cases looked at, and says no more: "every entry is 2 times what is wanted".
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

import torch
from torch import Tensor

from .compare import alike, close, dense, is_tensor, leaves_at, plain
from .data import Check
from .inputs import column
from .suppose import supposition

CLOSE = 1e-6  # relative; of numbers in float64
LATER = "The first step is right, a later one is not: is something left over from the step before, as gradients are, or kept between calls?"
TINY = 1e-11  # absolute: what is left of a difference that should be 0
MOST_CASES = 4  # that a supposition must explain
STATE = "the first wrong state"  # of a path: what an observation is about
WHOLE = "the result"  # what an observation is about, where a function returns one thing
RIGHT_VALUE = "the right value"
SEED = "seed"  # of a case's draws: an input, but no quantity
SINGLE = 3e-6  # what is left of numbers that went through float32


@dataclass(frozen=True)
class Tried:
    """A case on which the answer returned something. label: what is special about it, "" for a random one."""

    args: tuple
    got: object
    want: object
    right: bool
    label: str


@dataclass(frozen=True)
class Seen:
    """One result of one case in float64: its arguments by name, what came back and what was wanted."""

    args: dict[str, Any]
    got: Tensor
    want: Tensor


def observation(check: Check, tried: Sequence[Tried]) -> str:
    """One sentence about what the wrong cases have in common; "" where nothing is."""
    double = [case for case in tried if _float64(case.args)]
    wrong = [case for case in double if not case.right]
    found = kept(check, tried)
    if not found and len(wrong) > 1:  # one case is soon explained by chance; few keep it quick
        asked = [(case.args, case.got) for case in wrong[:MOST_CASES]]
        others = [(case.args, case.got) for case in double if case.right] + [
            (case.args, case.got) for case in wrong[MOST_CASES:]
        ]
        found = supposition(check, asked, others)
    if found:
        return found
    said, beside = _looked(check, double), _only(check, wrong)
    return f"{said}\n{beside}".strip() or _special(double)


def _looked(check: Check, double: Sequence[Tried]) -> str:
    """What the first wrong result has in common that anything is said of. Of a path only the first one: the later follow from it."""
    wrong = [case for case in double if not case.right]
    for number, name in enumerate(check.outputs):
        seen = [one for case in wrong for one in _seen(check, case, number)]
        # Entries that are right in every case say nothing; another output may be the wrong one.
        if seen and not all(alike(one.got, one.want) for one in seen):
            subject = name if len(check.outputs) > 1 else STATE if check.path else WHOLE
            if check.path and any(_kind(name) == _kind(earlier) for earlier in check.outputs[:number]):
                return LATER
            said = next(filter(None, (look(seen, subject) for look in LOOKS)), "")
            everywhere = [one for case in double for one in _seen(check, case, number)]
            said = said or boundary(everywhere, name if len(check.outputs) > 1 else "") or places(seen, name)
            if said:
                return said[0].upper() + said[1:]
            if check.path:
                break
    return ""


def _kind(name: str) -> str:
    """What a result of a step is, "weights of net" for "step 2, weights of net"."""
    return name.rpartition(", ")[2]


def _part(value: object, number: int) -> object:
    return value[number] if isinstance(value, tuple | list) and number < len(value) else None


def _only(check: Check, wrong: Sequence[Tried]) -> str:
    """What the check has to say where some results are wrong, and the others right in every case."""
    names = [
        name
        for number, name in enumerate(check.outputs)
        if check.only and any(not alike(_part(case.got, number), _part(case.want, number)) for case in wrong)
    ]
    told = (said for ends, said in check.only.items() if all(name.endswith(ends) for name in names))
    return next(told, "") if names else ""


def kept(check: Check, tried: Sequence[Tried]) -> str:
    """Is a wrong result that of an earlier call, or made with one of its arguments? Asked of the first wrong case."""
    number = next((i for i, case in enumerate(tried) if not case.right), 0)
    late = tried[number]
    for early in tried[:number]:
        for slot, (name, old, new) in enumerate(zip(check.arguments, early.args, late.args, strict=True)):
            if not isinstance(old, Tensor) or not isinstance(new, Tensor) or _equal(old, new):
                continue
            try:
                value = check.right(*late.args[:slot], old, *late.args[slot + 1 :])
            except Exception:  # shapes that do not fit
                continue
            if alike(late.got, value):
                return f"This is what the right function gives with {name} of an earlier call: is something kept between calls?"
        if alike(late.got, early.want):
            return "This is the result of an earlier call, with other arguments: is something kept between calls?"
    if len(tried) > 2 and tried[0].right and not any(case.right for case in tried[1:]):
        return "The first call is right, and no later one: is something kept from it?"
    return ""


def boundary(seen: Sequence[Seen], subject: str = "") -> str:
    """Which one quantity divides what is right from what is wrong? "" where none does, or several do. subject: one of several results."""
    values: dict[str, tuple[list[Tensor], list[Tensor]]] = {}
    for one in seen:
        if one.got.shape != one.want.shape:
            return ""
        off = ~close(one.got, one.want)
        for name, value in _dividers(one).items():
            spread = column(value, off) if value.ndim == 1 and off.ndim > 1 else value
            if spread.ndim <= off.ndim:
                spread = spread.expand_as(off)
                right, wrong = values.setdefault(name, ([], []))
                right.append(spread[~off].double().flatten())
                wrong.append(spread[off].double().flatten())
    told = [
        said
        for name, (r, w) in values.items()
        if (said := _divided(name, torch.cat(r), torch.cat(w), subject))
    ]
    return told[0] if len(told) == 1 else ""


def places(seen: Sequence[Seen], name: str) -> str:
    """Which entries along the first axis are right in every case, and which are in none? Of results of a fixed length."""
    if (
        len(seen) < 3
        or len({one.want.shape for one in seen}) > 1
        or not all(_comparable(one) for one in seen)
    ):
        return ""
    if not seen[0].want.ndim or not 1 < len(seen[0].want) <= 4:
        return ""
    right = torch.stack(
        [
            close(one.got, one.want).flatten(1).all(1) if one.want.ndim > 1 else close(one.got, one.want)
            for one in seen
        ]
    )
    always, never = right.all(0), ~right.any(0)
    if not bool((always | never).all()) or bool(never.all()) or bool(always.all()):
        return ""
    return f"{_listed(name, always)} right in every case, and {_listed(name, never)} not."


def _listed(name: str, which: Tensor) -> str:
    """ "q[0] and q[1] are"."""
    entries = [f"{name}[{k}]" for k in which.nonzero().flatten().tolist()]
    return f"{' and '.join(entries)} {'are' if len(entries) > 1 else 'is'}"


def _comparable(one: Seen) -> bool:
    return one.got.shape == one.want.shape and bool(torch.isfinite(one.got).all())


def _divided(name: str, right: Tensor, wrong: Tensor, subject: str) -> str:
    if min(right.numel(), wrong.numel()) < 0.03 * (right.numel() + wrong.numel()):  # that may be chance
        return ""
    it = subject or "it"
    name = f"{name} of {subject}" if subject and name == RIGHT_VALUE else name
    if wrong.min() > right.max():
        return (
            f"{it} is right where {name} is at most {right.max():.4g}, and wrong from {wrong.min():.4g} on."
        )
    if wrong.max() < right.min():
        return f"{it} is right where {name} is at least {right.min():.4g}, and wrong up to {wrong.max():.4g}."
    if wrong.min() == wrong.max() and not bool((right == wrong[0]).any()):
        return f"{it} is wrong only where {name} = {wrong[0]:.4g}."
    return ""


def _dividers(one: Seen) -> dict[str, Tensor]:
    """Quantities that a boundary may run along: numbers of the case, of a sample, or of an entry."""
    found: dict[str, Tensor] = {}
    t = one.args.get("t")
    for name, value in one.args.items():
        if name == SEED:
            continue
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = torch.tensor(float(value))
        elif isinstance(value, Tensor) and value.ndim == 0:
            found[name] = value
        elif name == "t" and isinstance(value, Tensor):
            found["t"] = value
        elif isinstance(value, Tensor) and value.shape == one.want.shape and value.is_floating_point():
            found[name] = value
            found[f"|{name}|"] = value.abs()
        elif (
            name not in ("alpha_bar", "betas")
            and isinstance(value, Tensor)
            and value.ndim == 1
            and value.is_floating_point()
        ):
            # What a table holds may divide the cases as well as a knob does.
            found[f"{name}[0]"], found[f"len({name})"] = value[0], torch.tensor(float(len(value)))
        elif name in ("alpha_bar", "betas") and isinstance(value, Tensor) and isinstance(t, Tensor | int):
            found[{"alpha_bar": "alpha_bar_t", "betas": "beta_t"}[name]] = value[t - 1]
    found[RIGHT_VALUE] = one.want
    return found


def _special(cases: Sequence[Tried]) -> str:
    """The few cases that are wrong, by their labels, where all random ones are right."""
    wrong = list(dict.fromkeys(case.label for case in cases if not case.right))
    if "" in wrong or not wrong or len(wrong) > 3:
        return ""
    return f"It is right on {sum(case.right for case in cases)} other cases, and wrong only on: {'; '.join(wrong)}."


def _float64(args: tuple) -> bool:
    dtypes = {a.dtype for a in args if isinstance(a, Tensor) and a.is_floating_point()}
    return not dtypes or dtypes == {torch.float64}


def _seen(check: Check, case: Tried, number: int) -> Iterator[Seen]:
    args, got, want = case.args, case.got, case.want
    if isinstance(got, tuple | list):
        got = got[number] if number < len(got) else None
    want = want[number] if isinstance(want, tuple) else want
    if not is_tensor(got) or not isinstance(want, Tensor):
        return
    got = plain(got).detach()
    if dense(got) and got.dtype == want.dtype == torch.float64:
        if check.path and len(check.outputs) == 1 and got.shape == want.shape:
            first = leaves_at(got, want)
            number = len(want) - 1 if first is None else first
            got, want = got[number], want[number]
        yield Seen(dict(zip(check.arguments, args, strict=True)), got, want)


# ---- looks: each is true of all cases, or silent


def _argument(seen: Sequence[Seen], subject: str) -> str:
    """Is the result one of the arguments?"""
    names = (n for n, a in seen[0].args.items() if isinstance(a, Tensor))
    for name in names:
        if all(_equal(one.got, one.args[name]) for one in seen):
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
            return told.format(_of(subject), name)
    return ""


def _stand(got: Tensor, table: Tensor, places: Sequence[int]) -> bool:
    """Do these entries stand in a table at the same places?"""
    return max(places) < len(table) and _equal(got[places], table[places])


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
        told = [one for one in seen if one.want.ndim and not _equal(move(one.want), one.want)]
        if told and len(told) == len(seen) and all(_equal(one.got, move(one.want)) for one in told):
            return f"{subject} has the right numbers {words}."
    return ""


def _single_precision(seen: Sequence[Seen], subject: str) -> str:
    same = [one for one in seen if one.got.shape == one.want.shape]
    if (
        len(same) < len(seen)
        or sum(map(_single, seen)) < 0.6 * len(seen)
        or not all(_single(one, 1e-2) for one in seen)
    ):
        return ""
    return (
        f"{subject} agrees to about 7 digits: something on the way was float32, as .float(), torch.tensor(...), "
        "torch.linspace and torch.ones make it without dtype=, or a small number was added."
    )


def _laws(seen: Sequence[Seen], subject: str) -> str:
    """Are the rows of what is wanted laws, and those of what came back not?"""
    for one in seen:
        if one.want.ndim < 2 or not _comparable(one) or not _are_laws(one.want) or _are_laws(one.got):
            return ""
    sums = seen[0].got.sum(-1)
    off = (sums - 1).abs() > CLOSE
    if not bool(off.any()):  # entries below 0
        return ""
    return f"row {off.nonzero()[0].tolist()} of {subject} adds up to {sums[off][0]:.4g}, where every row must add up to 1."


def _are_laws(rows: Tensor) -> bool:
    sums = rows.sum(-1)
    return bool((rows >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), rtol=CLOSE, atol=0)


def _factor(seen: Sequence[Seen], subject: str) -> str:
    """Is every entry the same factor times what is wanted, or one that the arguments tell?"""
    ratios = [_ratio(one) for one in seen]
    if any(r is None for r in ratios):
        return ""
    first = next((r[torch.isfinite(r)][0] for r in ratios if r is not None and r.numel()), None)
    if first is None:
        return ""
    if all(_constant(r, first) for r in ratios if r is not None):
        value = first.item()
        if abs(value - 1) < 1e-4 or any(
            bool(close(one.got, one.want).any()) for one in seen if one.want.numel() < 2
        ):
            return ""
        return (
            f"every entry{_of(subject)} is {_number(value)} times what is wanted."
            if value != -1
            else f"every entry{_of(subject)} has the wrong sign."
        )
    for name in _quantities(seen[0]):
        for words, power in ((name, 1), (f"1 / {name}", -1)):
            if all(_is(r, one, name, power) for r, one in zip(ratios, seen, strict=True)):
                return f"every entry{_of(subject)} is {words} times what is wanted."
    return ""


def _difference(seen: Sequence[Seen], subject: str) -> str:
    """Is the same number added everywhere, or one of the arguments?"""
    if any(one.got.shape != one.want.shape for one in seen):
        return ""
    differences = [one.got - one.want for one in seen]
    first = differences[0].flatten()[0]
    if all(torch.allclose(d, first.expand_as(d), rtol=CLOSE, atol=1e-9) for d in differences):
        return (
            f"every entry{_of(subject)} is {abs(first.item()):.4g} too {'large' if first > 0 else 'small'}."
        )
    for name, argument in seen[0].args.items():
        if not isinstance(argument, Tensor) or not argument.is_floating_point():
            continue
        for sign, words in ((1, "added"), (-1, "taken away")):
            if all(_equal(sign * d, one.args[name]) for d, one in zip(differences, seen, strict=True)):
                return f"{subject} is off by exactly {name}, which is {words} once too often."
    return ""


def _rounded(seen: Sequence[Seen], subject: str) -> str:
    """Has every number the same few decimals? Numbers of an argument may have been rounded before."""
    if all(_given(one) for one in seen):
        return ""
    for decimals in range(9):
        if all(_has_decimals(one.got, decimals) and not _has_decimals(one.want, decimals) for one in seen):
            return f"{subject} has {decimals} decimals at most: is something rounded there?"
    return ""


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
    if len(bounds) < 1 or sum(int((~close(one.got, one.want)).sum()) for one in seen) < 3 * len(bounds):
        return ""
    return f"all wrong entries{_of(subject)} are {' or '.join(sorted(bounds))}: is something cut off there?"


def _factor_of_a_case(seen: Sequence[Seen], subject: str) -> str:
    """Is it in every case one factor, but not the same one?"""
    for one in seen:
        ratio = _ratio(one)
        told = None if ratio is None else ratio[torch.isfinite(ratio)]
        if (
            told is None
            or len(told) < 2
            or bool((told == told[0]).all() and told[0] == 0)
            or not _near(told, told[:1].expand_as(told))
        ):
            return ""
    first = _ratio(seen[0])
    assert first is not None
    return (
        f"in each case all entries{_of(subject)} are one factor times what is wanted, but not the same one in all cases: "
        f"{_number(first[torch.isfinite(first)][0].item())} in one of them."
    )


LOOKS = (
    *(_argument, _entries, _order, _factor, _difference, _laws),
    *(_rounded, _single_precision, _bounded, _factor_of_a_case),
)


# ---- what they are made of


def _of(subject: str) -> str:
    return "" if subject == WHOLE else f" of {subject}"


def _quantities(one: Seen) -> dict[str, Tensor]:
    """What a forgotten or doubled factor may be, by name: of shape (), (B,) or the result's."""
    found: dict[str, Tensor] = {}
    t = one.args.get("t")
    index = t - 1 if isinstance(t, Tensor | int) else slice(None)
    betas, kept = one.args.get("betas"), one.args.get("alpha_bar")
    if isinstance(betas, Tensor):
        kept = torch.cumprod(1 - betas, 0)
        found |= {"beta_t": betas[index], "alpha_t": 1 - betas[index]}
    if isinstance(kept, Tensor):
        found |= {"alpha_bar_t": kept[index], "(1 - alpha_bar_t)": 1 - kept[index]}
    for name, value in one.args.items():
        if (
            isinstance(value, float | int)
            and not isinstance(value, bool)
            and value > 0
            and name not in ("t", SEED)
        ):
            found[name] = torch.tensor(float(value), dtype=torch.float64)
        elif isinstance(value, Tensor) and value.ndim == 0 and value.is_floating_point():
            found[name] = value
    found |= {f"sqrt({name})": value.sqrt() for name, value in found.items()}
    found |= {f"{name}^2": value**2 for name, value in found.items() if not name.startswith("sqrt")}
    sizes = {"T": len(kept) if isinstance(kept, Tensor) else 0}
    named = ((n, a) for n, a in one.args.items() if isinstance(a, Tensor) and a.ndim > 1)
    for name, data in islice(named, 1):
        sizes |= {
            f"len({name})": len(data),
            f"the number of entries of {name}[0]": data[0].numel(),
            f"the number of entries of {name}": data.numel(),
        }
    return found | {n: torch.tensor(float(s), dtype=torch.float64) for n, s in sizes.items() if s > 1}


def _is(ratio: Tensor | None, one: Seen, name: str, power: int) -> bool:
    quantity = _quantities(one).get(name)
    if ratio is None or quantity is None:
        return False
    if quantity.ndim == 1 and quantity.shape == ratio.shape[:1]:
        quantity = column(quantity, ratio)
    try:
        return _near(ratio, (quantity**power).expand_as(ratio))
    except RuntimeError:  # shapes that do not fit
        return False


def _ratio(one: Seen) -> Tensor | None:
    """got / want, NaN where nothing is wanted; None where got is not a multiple of it."""
    if one.got.shape != one.want.shape or not one.want.numel():
        return None
    zero = one.want.abs() < TINY
    if (
        bool((one.got[zero].abs() > TINY).any())
        or bool(zero.all())
        or not bool(torch.isfinite(one.got).all())
    ):
        return None
    return torch.where(zero, torch.nan, one.got / one.want)


def _constant(ratio: Tensor, value: Tensor) -> bool:
    return _near(ratio, value.expand_as(ratio))


def _near(ratio: Tensor, want: Tensor) -> bool:
    told = torch.isfinite(ratio)
    return bool(told.any()) and torch.allclose(ratio[told], want[told], rtol=CLOSE, atol=0)


def _single(one: Seen, relative: float = SINGLE) -> bool:
    """Agree they but for the rounding of float32, beside the largest number of the case? That rounds most of them."""
    rounded = relative > SINGLE or bool((one.got != one.want).double().mean() > 0.4)
    return rounded and torch.allclose(
        one.got, one.want, rtol=relative, atol=relative * one.want.abs().max().item()
    )


def _equal(got: object, want: object) -> bool:
    if not isinstance(got, Tensor) or not isinstance(want, Tensor) or got.shape != want.shape:
        return False
    return torch.allclose(got.double(), want.double(), rtol=CLOSE, atol=1e-10)


def _number(value: float) -> str:
    """2 for 2.0, 1/3 for 0.3333: a factor as one would say it."""
    for d in (1, 2, 3, 4):
        if abs(value * d - round(value * d)) < 1e-6 and 0 < abs(round(value * d)) < 100:
            return f"{round(value * d)}" if d == 1 else f"{round(value * d)}/{d}"
    return f"{value:.4g}"
