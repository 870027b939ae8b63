"""The check engine: hold a student's function against a check, and explain the first thing that is wrong."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import chain, product

import torch
from torch import Tensor

from ..terms import reached
from .call import Outcome, call, fresh, isolated, other_data, scattered
from .compare import Fault, Kind, describe
from .data import Case, Check, CheckFailed
from .design import judged
from .diagnose import Diagnosis, Trial, diagnosis
from .faults import call_fault, gradient_fault, not_done, repeat_fault, signature_fault, wanted
from .faults import result_fault as _result_fault
from .inputs import PLANS, Draw
from .observe import Tried, kept, observation
from .shown import misled, mistold, shown_numbers
from .traces import beginning, by_differences, trace
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
    Manner("under torch.no_grad()", torch.no_grad),
    Manner("under torch.inference_mode()", torch.inference_mode),
    RECORDING,
    Manner(
        "with inputs that are not contiguous in memory (.view wants that; .reshape does not)",
        prepare=lambda check, args: scattered(args),
    ),
)
MADE_SINGLE = (
    "This looks like float32 on the way: torch.arange, torch.linspace, torch.tensor and torch.ones make it without dtype=; give them the dtype of the "
    "inputs, as in dtype=x.dtype."
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
        designs = [(args, call(answer, fresh(args)).value) for _, args in _cases(check, seed)]
        number, words = judged(check, designs)
        if reached(check.marks, number, check.lower) == check.points:
            return number, words
        seen = _closer(check, answer, designs[0][0])
    return number, "\n".join(filter(None, (words, seen, f"Look at {check.where}")))


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
    """The arguments of every case, made anew, to be spoiled: random ones of this seed, then the fixed ones."""
    made = chain(_random.__wrapped__(check, seed, device), _fixed.__wrapped__(check, device))
    return (fresh(args) for _, args in made)  # a model may stand in several, and counts what it is asked


def result_fault(check: Check, args: tuple, value: object, evaluated: dict[str, tuple[int, int]]) -> str:
    """What is wrong with a value that was returned elsewhere, in words; '' if nothing is.

    evaluated: model argument -> how many samples it was shown, and in how many calls.
    """
    with isolated():
        fault = _result_fault(check, args, value, evaluated)
        return fault.text + fault.look() if fault else ""


def _cases(check: Check, seed: int | str, device: str = "cpu") -> Iterator[tuple[str, Case]]:
    return chain(_random(check, seed, device), _fixed(check, device))


# Cases are kept: many answers are asked the same ones, and are given copies of them.
@lru_cache(maxsize=128)
def _random(check: Check, seed: int | str, device: str = "cpu") -> Sequence[tuple[str, Case]]:
    plans = range(1 if check.score else len(PLANS))  # of a design nothing is drawn
    drawn = [check.inputs(Draw(check.id, seed, index, device)) for index in plans]
    if not check.score:
        # The shapes and numbers of the first case, with other data: an answer may keep nothing between calls.
        drawn.append(other_data(drawn[0]))
    return [("", Case(args)) for args in drawn]


@lru_cache(maxsize=2)
def _fixed(check: Check, device: str = "cpu") -> Sequence[tuple[str, Case]]:
    return [(label, Case(args)) for label, args in check.fixed(Draw(check.id, 0, None, device))]


def _trial(check: Check, answer: Callable, label: str, args: Case) -> Trial:
    outcome = call(check.driven(answer), fresh(args))
    fault = _fault(check, answer, args, outcome)
    # A design that changes from call to call has no score.
    if (not fault or fault.kind is Kind.SCORE) and not label:
        fault = repeat_fault(check, answer, args, outcome) or fault
    return Trial(args, label, outcome, fault)


def _fault(check: Check, answer: Callable, args: tuple, outcome: Outcome) -> Fault | None:
    evaluated = {check.arguments[i]: (seen, len(outcome.shown[i])) for i, seen in outcome.evaluated.items()}
    return call_fault(check, answer, args, outcome) or _result_fault(check, args, outcome.value, evaluated)


def _mannered(
    check: Check, answer: Callable, seed: int | str, device: str, fixed: bool = True
) -> Iterator[Trial]:
    """The manners in which the answer fails."""
    if check.score:  # the course calls it once
        return
    chosen = [_random(check, seed, device)[index][1] for index in MANNERED]
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
            asks = " as a sampler calls it," if manner.context is torch.no_grad and check.evaluations else ""
            yield Trial(args, "", outcome, Fault(Kind.CHANGED, f"{manner.words},{asks} {fault.words}"))
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
    fault = replace(failed.fault, text=failed.fault.text + failed.fault.look())
    sys.stdout.write(failed.outcome.printed)
    where = f" ({failed.label})" if failed.label else ""
    inputs = f"{describe(check.arguments, failed.args)}{where}"
    told = fault.kind in (Kind.STOPPED, Kind.ORDER, Kind.SHAPE, Kind.NUMBERS, Kind.FORM, Kind.SCORE)
    found = (
        diagnosis(check, trials, partial(_with_fixed, check, answer, trials))
        if told and device == "cpu"
        else Diagnosis()
    )
    if fault.kind is Kind.ORDER and found.early:  # all is said: no result is wrong in itself
        found = Diagnosis()
    advice = found.words
    closer = _closer(check, answer, failed.args) if fault.kind is Kind.SCORE and device == "cpu" else ""
    if not advice and fault.kind is Kind.FORM and (stale := kept(check, _tried(check, trials))):
        fault = Fault(Kind.FORM, stale[0].lower() + stale[1:])  # of another call's dtype nothing need be said
    # A wrong type, an argument changed in place, an exception: there the formula would only distract.
    if not advice and fault.kind in (Kind.SHAPE, Kind.NUMBERS, Kind.SCORE):
        seen = _observed(check, answer, failed, trials) if device == "cpu" and not check.score else ""
        advice = f"{seen}\nLook at {check.where}" if seen else f"Look at {check.where}"
    advice = f"{closer}\n{advice}" if closer else advice
    said = fault.text if found.hint else fault.words
    message = f"{check.id}: {said}" + (f"\nInputs: {inputs}." if inputs else "")
    return CheckFailed(f"{message}\n{advice}" if advice else message, said, inputs, advice, found.hint)


def _closer(check: Check, answer: Callable, args: tuple) -> str:
    """What a closer look at the maker of a design shows, in words."""
    return check.closer(answer, *args) if check.closer else ""


def _in_single(check: Check, answer: Callable, failed: Trial) -> str:
    """Is the fault gone where a tensor that is made without dtype= is float64?"""
    if not any(isinstance(a, Tensor) and a.dtype == torch.float64 for a in failed.args):
        return ""
    torch.set_default_dtype(torch.float64)
    try:
        again = _fault(check, answer, failed.args, call(check.driven(answer), fresh(failed.args)))
    finally:
        torch.set_default_dtype(torch.float32)
    return MADE_SINGLE if again is None else ""


def _observed(check: Check, answer: Callable, failed: Trial, trials: Sequence[Trial]) -> str:
    """What the case that is told shows by itself, or what the wrong cases have in common."""
    return (
        _in_single(check, answer, failed)
        or by_differences(check, failed)
        or misled(check, failed.args, failed.outcome)
        or beginning(check, failed)
        or mistold(check, failed.args, failed.outcome)
        or _observation(check, answer, trials)
        or "\n".join(filter(None, (trace(check, answer, failed), _measured(check, answer))))
        or shown_numbers(check, failed.args, failed.outcome)
    )


def _observation(check: Check, answer: Callable, trials: Sequence[Trial]) -> str:
    """What the wrong numbers have in common, on the random cases and on the fixed ones."""
    return observation(check, _tried(check, _with_fixed(check, answer, trials)))


def _measured(check: Check, answer: Callable) -> str:
    """What the check measures of an answer that nothing else explains."""
    with suppress(Exception):  # an answer may fail on any input
        return check.measured(answer) if check.measured else ""
    return ""


def _tried(check: Check, trials: Sequence[Trial]) -> list[Tried]:
    done = [t for t in trials if not t.outcome.error]
    return [Tried(t.args, t.outcome.value, wanted(check, t.args), t.fault is None, t.label) for t in done]


def _with_fixed(check: Check, answer: Callable, trials: Sequence[Trial]) -> Sequence[Trial]:
    if any(trial.label for trial in trials):
        return trials
    return [*trials, *(_trial(check, answer, *case) for case in _fixed(check))]
