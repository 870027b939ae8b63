"""What a model was shown: where the right function shows it something else, that is where the numbers part."""

import torch
from torch import Tensor

from .call import Outcome, fresh, in_float64
from .compare import close, numbers_fault, shape_hint
from .data import Check
from .toys import Toy

FEW = 8  # labels that are written out


def misled(check: Check, args: tuple, outcome: Outcome) -> str:
    """A model that is shown another argument of the function, a row of wrong labels or times, or data that broadcasting made
    larger; "" where none is."""
    for called, name, got, want in _departures(check, args, outcome):
        taken = [n for n, a in zip(check.arguments, args, strict=True) if _equal(a, got)]
        if got.shape != want.shape:
            shapes = f"{name} of shape {tuple(got.shape)}, want {tuple(want.shape)}{shape_hint(got, want)}"
            return f"Your function shows {called} {shapes}."
        written = not got.is_floating_point() and got.ndim and len(got) <= FEW
        if name in taken:
            which = f", {got.tolist()}, want {want.tolist()}" if written else "; they must be changed before"
            return f"Your function shows {called} the {name} that it was given{which}."
        if taken:
            return f"Your function shows {called} {taken[0]} in the place of {name}."
        if written:
            return f"Your function shows {called} {name} {got.tolist()}, want {want.tolist()}."
    return ""


def mistold(check: Check, args: tuple, outcome: Outcome) -> str:
    """On a path: the first call that shows a model the right data, and tells it another time or noise level; "" where none does."""
    if not check.path or check.machine:
        return ""
    right = fresh(in_float64(args))
    check.right(*right)
    for number, calls in outcome.shown.items():
        model = right[number]
        for call, (mine, theirs) in enumerate(zip(calls, model.shown, strict=False), 1):
            data, *other = [_in_one_form(got, want) for got, want in zip(mine, theirs, strict=True)]
            if not data or not bool(close(*data).all()):
                break
            for names, pair in zip(model.NAMES[1:], other, strict=True):
                if pair and not bool(close(*pair).all()):
                    got, want = (side.flatten()[0].item() for side in pair)
                    return f"Call {call} of {model.called} tells it {names[0]} = {got:.6g} for the first sample, want {want:.6g}."
    return ""


def shown_numbers(check: Check, args: tuple, outcome: Outcome) -> str:
    """The first argument of a model that has wrong numbers, and where; or that all of them are right; "" where neither can be told."""
    for called, name, got, want in _departures(check, args, outcome):
        return f"Your function shows {called} a wrong {name}: {numbers_fault(name, got, want)}."
    right = fresh(in_float64(args))
    check.right(*right)
    asked = [(right[number], calls) for number, calls in outcome.shown.items()]
    if check.path or not asked or any(len(calls) != 1 or len(model.shown) != 1 for model, calls in asked):
        return ""
    for model, (shown,) in asked:
        pairs = [_in_one_form(got, want) for got, want in zip(shown, model.shown[0], strict=True)]
        if not all(pair and pair[0].shape == pair[1].shape for pair in pairs):
            return ""
    models = " and ".join(_called(check, number, right) for number in outcome.shown)
    return f"Your function shows {models} what the right one does, so look at what it makes of the answer."


def _departures(check: Check, args: tuple, outcome: Outcome) -> list[tuple[str, str, Tensor, Tensor]]:
    """(model, its argument's name, what it was shown, what it should be) of models that both functions ask once.

    A model that is asked more often may be asked in another order; then nothing is compared.
    """
    right = fresh(in_float64(args))
    check.right(*right)
    found = []
    for number, calls in outcome.shown.items():
        if len(calls) != 1 or len(right[number].shown) != 1:
            continue
        for names, got, want in zip(right[number].NAMES, calls[0], right[number].shown[0], strict=True):
            told = _in_one_form(got, want)
            if told and not (told[0].shape == told[1].shape and bool(close(*told).all())):
                found.append((_called(check, number, right), names[-1], *told))
    return found


def _called(check: Check, number: int, args: tuple) -> str:
    """What the texts call this model; the argument's name where others are called so, too."""
    names = [a.called for a in args if isinstance(a, Toy)]
    return args[number].called if names.count(args[number].called) == 1 else check.arguments[number]


def _in_one_form(got: object, want: object) -> tuple[Tensor, Tensor] | None:
    """Both as tensors of one dtype; a number stands for a batch of it. None where they have forms that say nothing: data may be
    shown in other shapes, as rows for instance, but not with more entries."""
    if not isinstance(got, Tensor | int | float) or not isinstance(want, Tensor | int | float):
        return None
    mine, theirs = torch.as_tensor(got), torch.as_tensor(want)
    if mine.is_floating_point() != theirs.is_floating_point():
        return None
    if 0 in (mine.ndim, theirs.ndim) and max(mine.ndim, theirs.ndim) < 2:
        mine, theirs = torch.broadcast_tensors(mine, theirs)
    if mine.shape != theirs.shape and mine.numel() <= theirs.numel():
        return None
    return mine, theirs.to(mine)


def _equal(argument: object, got: Tensor) -> bool:
    return (
        isinstance(argument, Tensor)
        and argument.shape == got.shape
        and bool(close(got, argument.to(got)).all())
    )
