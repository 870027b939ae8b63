"""The check engine: hold a student's function against a check, and explain the first thing that is wrong."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain, product

import torch
from torch import Tensor

from .call import Outcome, call, fresh, isolated, other_data, scattered
from .compare import Fault, Kind, describe
from .data import Check, CheckFailed
from .design import judged
from .diagnose import Trial, diagnosis
from .faults import call_fault, gradient_fault, not_done, repeat_fault, signature_fault, wanted
from .faults import result_fault as _result_fault
from .inputs import PLANS, Draw
from .observe import Tried, observation
from .unwritten import is_given


@dataclass(frozen=True)
class Manner:
    """A way in which the course calls such functions besides the plain one."""

    words: str
    context: Callable[[], AbstractContextManager] = nullcontext
    prepare: Callable[[Check, tuple], tuple] = lambda check, args: fresh(args)


def _recording(check: Check, args: tuple) -> tuple:
    """Data (B, *S) that comes out of a network records gradients; tables and scalars do not."""
    named = {check.parameters.index(name) for name in check.grad}
    data = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.ndim > 1 and a.is_floating_point()]
    return fresh(args, sorted({*data, *named}))


RECORDING = Manner("with inputs that record gradients", prepare=_recording)
MANNERS = (
    Manner("under torch.no_grad(), as a sampler calls it", torch.no_grad),
    Manner("under torch.inference_mode()", torch.inference_mode),
    RECORDING,
    Manner(
        "with inputs that are not contiguous in memory (.view wants that; .reshape does not)",
        prepare=lambda check, args: scattered(args),
    ),
)
# The random cases that are called in every manner: float64, several samples, with t = 1 among their times and without.
MANNERED = (2, 0)


def examine(check: Check, answer: Callable, seed: int | str = 0) -> None:
    """Raise CheckFailed or NotDone unless `answer` is right on every case of this seed."""
    if is_given(answer):
        raise not_done(check)
    refused = signature_fault(check, answer)
    if refused:
        raise CheckFailed(f"{check.id}: {refused}", refused)
    with isolated():
        # The CPU first: there a bad index is an exception, on a GPU it ends CUDA for the whole process.
        for device in ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]:
            trials = [_trial(check, answer, *case) for case in _random(check, seed, device)]
            failed = next((trial for trial in trials if trial.fault), None)
            if failed is None:
                trials += [_trial(check, answer, *case) for case in _fixed(check, device)]
                failed = next((trial for trial in trials if trial.fault), None)
            if failed is None:
                failed = next(_mannered(check, answer, seed, device), None)
                trials = [failed] if failed else []
            if failed:
                raise _refusal(check, answer, failed, trials, device)


def score(check: Check, answer: Callable, seed: int | str = 0) -> float:
    """The score of a design that `examine` accepts: the worst of its cases."""
    return appraisal(check, answer, seed)[0]


def appraisal(check: Check, answer: Callable, seed: int | str = 0) -> tuple[float, str]:
    """The score of a design that `examine` accepts, and what is said of it."""
    with isolated():
        return judged(check, [(args, call(answer, fresh(args)).value) for args in cases(check, seed)])


def accepts(check: Check, answer: Callable, seed: int | str = 0, fixed: bool = True) -> bool:
    """Would `examine` accept it on the CPU? Quicker, for nothing is explained. fixed: are the fixed cases asked, too?"""
    if signature_fault(check, answer):
        return False
    with isolated():
        if any(_trial(check, answer, *case).fault for case in (_cases if fixed else _random)(check, seed)):
            return False
        return next(_mannered(check, answer, seed, "cpu", fixed), None) is None


def fixed_refuse(check: Check, answer: Callable) -> bool:
    """Do the fixed cases alone refuse it? Then every seed does."""
    with isolated():
        return any(_trial(check, answer, *case).fault for case in _fixed(check))


def cases(check: Check, seed: int | str, device: str = "cpu") -> Iterator[tuple]:
    """The arguments of every case: random ones of this seed, then the fixed ones."""
    return (args for _, args in _cases(check, seed, device))


def result_fault(check: Check, args: tuple, value: object, evaluated: dict[str, int]) -> str:
    """What is wrong with a value that was returned elsewhere, in words; '' if nothing is.

    evaluated: model argument -> how many samples it was shown.
    """
    with isolated():
        fault = _result_fault(check, args, value, evaluated)
    return fault.text if fault else ""


def _cases(check: Check, seed: int | str, device: str = "cpu") -> Iterator[tuple[str, tuple]]:
    return chain(_random(check, seed, device), _fixed(check, device))


def _random(check: Check, seed: int | str, device: str = "cpu") -> Iterator[tuple[str, tuple]]:
    for index in range(1 if check.score else len(PLANS)):  # of a design nothing is drawn
        yield "", check.inputs(Draw(check.id, seed, index, device))
    if check.score:
        return
    # The shapes and numbers of the first case, with other data: an answer may keep nothing between calls.
    yield "", other_data(check.inputs(Draw(check.id, seed, 0, device)))


def _fixed(check: Check, device: str = "cpu") -> Iterator[tuple[str, tuple]]:
    return iter(check.fixed(Draw(check.id, 0, None, device)))


def _trial(check: Check, answer: Callable, label: str, args: tuple) -> Trial:
    outcome = call(check.driven(answer), fresh(args))
    fault = _fault(check, answer, args, outcome)
    if not fault and not label:
        fault = repeat_fault(check, answer, args, outcome)
    return Trial(args, label, outcome, fault)


def _fault(check: Check, answer: Callable, args: tuple, outcome: Outcome) -> Fault | None:
    evaluated = {check.arguments[i]: seen for i, seen in outcome.evaluated.items()}
    return call_fault(check, answer, args, outcome) or _result_fault(check, args, outcome.value, evaluated)


def _mannered(
    check: Check, answer: Callable, seed: int | str, device: str, fixed: bool = True
) -> Iterator[Trial]:
    """The manners in which the answer fails."""
    if check.score:  # the course calls it once
        return
    chosen = [check.inputs(Draw(check.id, seed, index, device)) for index in MANNERED]
    # A machine takes gradients itself, and makes the network that they go through.
    for manner, args in product(MANNERS[-1:] if check.machine else MANNERS, chosen):
        if manner.context is torch.inference_mode and not check.inference:
            continue
        if manner is RECORDING and not check.recording:
            continue
        used = manner.prepare(check, args)
        with manner.context():
            outcome = call(check.driven(answer), used)
        fault = _fault(check, answer, args, outcome)
        if fault:
            yield Trial(args, "", outcome, Fault(Kind.CHANGED, f"{manner.words}, {fault.text}"))
    if check.grad:
        for args in (*chosen, *(args for _, args in _fixed(check, device) if fixed)):
            used = RECORDING.prepare(check, args)
            outcome = call(answer, used)
            fault = _fault(check, answer, args, outcome) or gradient_fault(check, args, outcome.value, used)
            if fault:
                yield Trial(args, "", outcome, fault)


def _refusal(
    check: Check, answer: Callable, failed: Trial, trials: Sequence[Trial], device: str
) -> CheckFailed:
    assert failed.fault
    sys.stdout.write(failed.outcome.printed)
    where = f" ({failed.label})" if failed.label else ""
    inputs = f"{describe(check.arguments, failed.args)}{where}"
    told = failed.fault.kind in (Kind.STOPPED, Kind.SHAPE, Kind.NUMBERS, Kind.FORM, Kind.SCORE)
    hint = (
        diagnosis(check, trials, partial(_with_fixed, check, answer, trials))
        if told and device == "cpu"
        else ""
    )
    advice = f"This looks like {hint}" if hint else ""
    # A wrong type, an argument changed in place, an exception: there the formula would only distract.
    if not advice and failed.fault.kind in (Kind.SHAPE, Kind.NUMBERS, Kind.SCORE):
        seen = _observation(check, answer, trials) if device == "cpu" and not check.score else ""
        advice = f"{seen}\nLook at {check.where}" if seen else f"Look at {check.where}"
    message = f"{check.id}: {failed.fault.text}" + (f"\nInputs: {inputs}." if inputs else "")
    return CheckFailed(f"{message}\n{advice}" if advice else message, failed.fault.text, inputs, advice, hint)


def _observation(check: Check, answer: Callable, trials: Sequence[Trial]) -> str:
    """What the wrong numbers have in common, on the random cases and on the fixed ones."""
    done = [t for t in _with_fixed(check, answer, trials) if not t.outcome.error]
    return observation(
        check, [Tried(t.args, t.outcome.value, wanted(check, t.args), t.fault is None, t.label) for t in done]
    )


def _with_fixed(check: Check, answer: Callable, trials: Sequence[Trial]) -> Sequence[Trial]:
    if any(trial.label for trial in trials):
        return trials
    return [*trials, *(_trial(check, answer, *case) for case in _fixed(check))]
