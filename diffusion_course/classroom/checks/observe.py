"""The shape of an error, in words: what wrong numbers have in common, where no known mistake explains them.

An observation is true of all cases looked at, and says no more: "every entry is 2 times what is wanted".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .boundaries import boundary, places
from .compare import alike, dense, is_tensor, leaves_at, plain
from .data import Check
from .looks import LOOKS
from .made_of import WHOLE, Seen, equal
from .suppose import LEAST_EVIDENCE, supposition

LATER = "The first step is right, a later one is not: is something left over from the step before, as gradients are, or kept between calls?"
MOST_CASES = 4  # that a supposition must explain
STATE = "the first wrong state"  # of a path: what an observation is about


@dataclass(frozen=True)
class Tried:
    """A case on which the answer returned something. label: what is special about it, "" for a random one."""

    args: tuple
    got: object
    want: object
    right: bool
    label: str


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
    return f"{said}\n{beside}".strip() or _special(check, double)


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
            if not isinstance(old, Tensor) or not isinstance(new, Tensor) or equal(old, new):
                continue
            try:
                value = check.right(*late.args[:slot], old, *late.args[slot + 1 :])
            except Exception:  # shapes that do not fit
                continue
            if alike(late.got, value) and (_many_numbers(value) or _all_kept(check, tried, slot)):
                return f"This is what the right function gives with {name} of an earlier call: is something kept between calls?"
        if alike(late.got, early.want) and (
            _many_numbers(early.want) or _entries(early.want) >= LEAST_EVIDENCE
        ):
            return "This is the result of an earlier call, with other arguments: is something kept between calls?"
    if len(tried) > 2 and tried[0].right and not any(case.right for case in tried[1:]):
        return "The first call is right, and no later one: is something kept from it?"
    return ""


def _many_numbers(value: object) -> bool:
    """Labels and counts are few, and soon the same by chance."""
    parts = value if isinstance(value, tuple) else (value,)
    return any(not isinstance(part, Tensor) or part.is_floating_point() for part in parts)


def _entries(value: object) -> int:
    parts = value if isinstance(value, tuple) else (value,)
    return sum(part.numel() for part in parts if isinstance(part, Tensor))


def _all_kept(check: Check, tried: Sequence[Tried], slot: int) -> bool:
    """Is every wrong result made with this argument of an earlier call?"""
    return all(
        any(_made_with(check, case, slot, early.args[slot]) for early in tried[:number])
        for number, case in enumerate(tried)
        if not case.right
    )


def _made_with(check: Check, case: Tried, slot: int, old: object) -> bool:
    try:
        value = check.right(*case.args[:slot], old, *case.args[slot + 1 :])
    except Exception:  # shapes that do not fit
        return False
    return alike(case.got, value)


def _special(check: Check, cases: Sequence[Tried]) -> str:
    """The few cases that are wrong, where all random ones are right: by what an argument is in them alone, or by their labels."""
    wrong = list(dict.fromkeys(case.label for case in cases if not case.right))
    if "" in wrong or not wrong:
        return ""
    begun = f"It is right on {sum(case.right for case in cases)} other cases, and wrong only"
    for slot, name in enumerate(check.arguments):
        in_wrong, in_right = (
            {_what(c.args[slot]) for c in cases if c.right is right} for right in (False, True)
        )
        if len(in_wrong) == 1 and not in_wrong & {*in_right, ""}:
            return f"{begun} where {name} {in_wrong.pop()}."
    if len(wrong) > 3 or any(case.right and case.label in wrong for case in cases):
        return ""
    return f"{begun} on: {'; '.join(wrong)}."


def _what(argument: object) -> str:
    """What a case is told apart by: a tensor's shape, a number."""
    if isinstance(argument, Tensor):
        return f"has the shape {tuple(argument.shape)}"
    return f"is {argument:g}" if isinstance(argument, int | float) else ""


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
