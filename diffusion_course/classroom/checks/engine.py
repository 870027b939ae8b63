"""The check engine: hold a student's function against a check, and explain the first thing that is wrong."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from .call import Outcome, call, fresh, isolated
from .compare import alike, describe
from .data import Check, CheckFailed, Mutant
from .faults import answer_fault, call_fault, signature_fault
from .inputs import PLANS, Draw


@dataclass(frozen=True)
class Trial:
    """The answer on one case: the inputs, the outcome of the call, and what is wrong ('' if nothing)."""

    args: tuple
    outcome: Outcome
    fault: str


def examine(check: Check, answer: Callable, seed: int | str = 0) -> None:
    """Raise CheckFailed or NotDone unless `answer` is right on every case of this seed."""
    refused = signature_fault(check, answer)
    if refused:
        raise CheckFailed(f"{check.id}: {refused}")
    with isolated():
        # The CPU first: there a bad index is an exception, on a GPU it ends CUDA for the whole process.
        for device in ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]:
            trials = [_trial(check, answer, args) for args in cases(check, seed, device)]
            failed = next((trial for trial in trials if trial.fault), None)
            if failed:
                sys.stdout.write(failed.outcome.printed)
                advice = (device == "cpu" and _diagnosis(check, trials)) or f"Look at {check.where}"
                inputs = describe(check.parameters, failed.args)
                raise CheckFailed(f"{check.id}: {failed.fault}\nInputs: {inputs}.\n{advice}")


def cases(check: Check, seed: int | str, device: str = "cpu") -> Iterator[tuple]:
    """The arguments of every case."""
    for index in range(len(PLANS)):
        yield check.inputs(Draw(check.id, seed, index, device))


def _trial(check: Check, answer: Callable, args: tuple) -> Trial:
    outcome = call(answer, fresh(args))
    fault = call_fault(check, answer, outcome) or answer_fault(check, answer, args, outcome.value)
    return Trial(args, outcome, fault)


def _diagnosis(check: Check, trials: Sequence[Trial]) -> str:
    """The hint of the first mutant that does what the answer did; '' if there is none."""
    return next((f"This looks like {m.hint}" for m in check.mutants if _matches(m, trials)), "")


def _matches(mutant: Mutant, trials: Sequence[Trial]) -> bool:
    """Does the answer do what the mutant does on every case: equal values, or the same type of error?"""
    seen_value = False
    for trial in trials:
        theirs, ours = trial.outcome, call(mutant.function, fresh(trial.args))
        if theirs.error or ours.error:
            if type(theirs.error) is not type(ours.error):
                return False
        elif not alike(theirs.value, ours.value):
            return False
        else:
            seen_value = True
    return seen_value
