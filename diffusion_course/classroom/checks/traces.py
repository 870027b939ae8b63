"""What a wrong answer leaves behind where no mistake and no pattern is recognised: each trace is a fact, found by one more call."""

from collections.abc import Callable, Iterator
from itertools import chain

import torch
from torch import Tensor

from .call import call, fresh
from .compare import LARGEST, alike, is_tensor, plain
from .data import Check
from .diagnose import Trial
from .faults import wanted
from .made_of import SINGLE


def trace(check: Check, answer: Callable, trial: Trial) -> str:
    """One sentence about the answer on a case where it is wrong; "" where it leaves none."""
    found = (_end(check, trial), _models(check, trial), _unused(check, answer, trial))
    try:
        return next(chain.from_iterable(found), "")
    except Exception:  # a returned object may raise anything, and a reference may refuse the changed argument
        return ""


def beginning(check: Check, trial: Trial) -> str:
    """Of a path that begins with an argument as it is: is its first state another? In words; "" where it is not."""
    got, want = trial.outcome.value, wanted(check, trial.args)
    if not check.path or not is_tensor(got) or not isinstance(want, Tensor) or plain(got).shape != want.shape:
        return ""
    got = plain(got)
    first = check.states(trial.args, len(want))
    given = [n for n, a in zip(check.arguments, trial.args, strict=True) if alike(a, want[0])]
    if not given or alike(got[0], want[0]) or _in_single(got[0], want[0]):
        return ""
    later = f"; yours is what {first[1]} should be" if alike(got[0], want[1]) else ""
    return f"{first[0]} must be {given[0]} itself, as it is given{later}."


def by_differences(check: Check, trial: Trial) -> str:
    """Of an exercise that takes a gradient: is the result near the right one, and was a model shown far more than it need be? In words."""
    got, want = trial.outcome.value, wanted(check, trial.args)
    if (
        check.inference
        or not is_tensor(got)
        or not isinstance(want, Tensor)
        or plain(got).shape != want.shape
    ):
        return ""
    if not torch.allclose(plain(got).double(), want.double(), rtol=1e-2, atol=1e-3 * want.abs().max().item()):
        return ""
    for slot, seen in trial.outcome.evaluated.items():
        name = check.arguments[slot]
        enough = check.evaluations[name](*trial.args) if name in check.evaluations else seen
        if seen > enough:
            return (
                f"{name} was shown {seen} samples, where {enough} are enough: a gradient by differences needs many, and is never exact; "
                "take it by torch.autograd.grad."
            )
    return ""


def _in_single(got: Tensor, want: Tensor) -> bool:
    """Do they agree but for the rounding of float32? Of that a look at the numbers says more."""
    return torch.allclose(got.double(), want.double(), rtol=SINGLE, atol=SINGLE)


def _end(check: Check, trial: Trial) -> Iterator[str]:
    """Of a path with a state too few: is it the first?"""
    got, want = trial.outcome.value, wanted(check, trial.args)
    if not check.path or not is_tensor(got) or not isinstance(want, Tensor):
        return
    got = plain(got)
    if got.shape[1:] == want.shape[1:] and len(got) == len(want) - 1:
        first = check.states(trial.args, len(want))[0]
        yield (
            f"{first} is right, so a later state is missing."
            if alike(got[0], want[0])
            else f"{first} is wrong: is the first state missing?"
        )


def _models(check: Check, trial: Trial) -> Iterator[str]:
    """Was a model shown fewer samples than the right function shows it?"""
    if trial.outcome.error:
        return
    right = call(check.driven(check.reference), fresh(trial.args)).evaluated
    for slot, seen in trial.outcome.evaluated.items():
        if seen < right.get(slot, 0):
            yield f"{check.arguments[slot]} was shown {seen} samples; the right function shows it {right[slot]}."


def _unused(check: Check, answer: Callable, trial: Trial) -> Iterator[str]:
    """Does an argument that matters make no difference? Where several make none, the result may be one that needs none of them."""
    value = trial.outcome.value
    if trial.outcome.error:
        return
    if is_tensor(value) and (plain(value).numel() > LARGEST or bool(plain(value).isnan().any())):
        return  # it takes long to compare, or is NaN whatever is changed
    want, names = wanted(check, trial.args), []
    # Of several results: another one may depend on the argument, and this one not.
    first = _first_wrong(value, want)
    for slot, value in enumerate(trial.args):
        others = [(*trial.args[:slot], other, *trial.args[slot + 1 :]) for other in _others(value)]
        if not others or alike(_at(wanted(check, others[0]), first), _at(want, first)):
            continue
        if _may_be_bound(trial.outcome.value, [wanted(check, other) for other in others]):
            continue
        # Several, near and far: a bound that nothing reaches makes no difference where it moves a little, and a result may depend on a
        # sign alone, or on one entry.
        asked = [*others, *((*trial.args[:slot], moved, *trial.args[slot + 1 :]) for moved in _moved(value))]
        again = (call(check.driven(answer), fresh(other)) for other in asked)
        if all(not one.error and alike(one.value, trial.outcome.value) for one in again):
            names.append(check.arguments[slot])
    if len(names) == 1:
        yield f"With another {names[0]} your result is the same: is something else used in the place of {names[0]}?"
    elif names:
        yield f"On this input your result depends on none of: {', '.join(names)}."


def _first_wrong(got: object, want: object) -> int:
    if not isinstance(got, tuple | list) or not isinstance(want, tuple) or len(got) != len(want):
        return 0
    return next((number for number, right in enumerate(want) if not alike(got[number], right)), 0)


def _at(value: object, number: int) -> object:
    return value[number] if isinstance(value, tuple) else value


def _may_be_bound(got: object, wants: list) -> bool:
    """A whole number that is not crossed by what is wanted may be one that all results are rounded up to or cut off at."""
    if not is_tensor(got) or plain(got).numel() != 1 or plain(got).is_floating_point():
        return False
    signs = {torch.sign(want - plain(got)).item() for want in wants if isinstance(want, Tensor)}
    return not {-1, 1} <= signs


def _moved(value: object) -> list[Tensor]:
    """The numbers of a tensor in other places, and with other signs where it has both."""
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return []
    turned = [value.roll(1, 0)] if value.ndim else []
    return [*turned, -value] if bool((value < 0).any()) else turned


def _others(value: object) -> list[Tensor] | list[float]:
    """Values of the same kind that a function takes as well: shares of 1 stay such. [] for what cannot be changed safely."""
    if isinstance(value, float) and value > 0:
        return (
            [value**power for power in (1.1, 0.5, 4)] if value < 1 else [c * value for c in (1.1, 0.5, 1e-3)]
        )
    if isinstance(value, Tensor) and value.is_floating_point():
        share = bool(((value > 0) & (value < 1)).all())
        return [value**power for power in (1.1, 0.5, 4)] if share else [c * value for c in (1.1, 0.5, 1e-3)]
    return []
