"""Which classic mistake is it? A mutant that does on every case what the answer does, or leaves a right path with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .call import Outcome, call, fresh
from .compare import Fault, alike, dense, is_tensor, leaves_at, plain
from .data import Case, Check, Mutant, NoValue
from .design import as_design
from .faults import said, wanted
from .toy_steps import asked


@dataclass(frozen=True)
class Trial:
    """The answer on one case: the inputs, the outcome of the call, and what is wrong (None if nothing).

    label: what is special about the case, "" for a random one.
    """

    args: tuple
    label: str
    outcome: Outcome
    fault: Fault | None


@dataclass(frozen=True)
class Diagnosis:
    """The hint of the mutant that does what the answer does; '' if there is none.

    early: up to what it does so, the first wrong "state" of a path or "result" of several; "" where it does so in all.
    other: the hint of a mutant that does so just as far.
    """

    hint: str = ""
    early: str = ""
    other: str = ""

    @property
    def words(self) -> str:
        """A sentence on the answer; '' if there is none."""
        start = f"At the first wrong {self.early} this looks like" if self.early else "This looks like"
        also = f" Or like {self.other}" if self.other else ""
        return f"{start} {self.hint}{also}" if self.hint else ""


def diagnosis(check: Check, trials: Sequence[Trial], more: Callable[[], Sequence[Trial]]) -> Diagnosis:
    """Which mutant does what the answer did? more: the trials with those on the fixed cases, which decide between several."""
    if not check.score and _right_in_itself(check, trials):  # a list, say: its numbers are no mistake
        return Diagnosis()
    mutants = [Mutant(m.hint, function) for m in check.mutants for function in (m.function, *m.others)]
    does = [(mutant, _matches(check, mutant, trials)) for mutant in mutants]
    found = [mutant for mutant, told in does if told]
    if not found and any(told is None for _, told in does):
        fixed = more()
        found = [mutant for mutant, told in does if told is None and _matches(check, mutant, fixed)]
    if _blank(
        check, trials
    ):  # every slip that ends in NaN gives the same, but its models may be asked differently
        found = [mutant for mutant in found if _asks_alike(check, mutant, trials)]
        return Diagnosis(found[0].hint) if found else Diagnosis()
    if len(found) > 1:
        found = [mutant for mutant in found if _matches(check, mutant, more())] or found
    several = "result" if len(check.outputs) > 1 else ""
    early = "" if found else "state" if check.path else several
    if not early:
        return Diagnosis(found[0].hint) if found else Diagnosis()
    far: dict[str, int] = {}
    for mutant in mutants:
        far[mutant.hint] = max(far.get(mutant.hint, 0), _as_far(check, mutant, trials))
    hints = [hint for hint, steps in far.items() if steps and steps == max(far.values())]
    return Diagnosis(hints[0], early, hints[1] if len(hints) == 2 else "") if hints else Diagnosis()


def _matches(check: Check, mutant: Mutant, trials: Sequence[Trial]) -> bool | None:
    """Does the answer do what the mutant does on every random case, and on every fixed one where it is wrong?

    None: it may, but the mutant has no value on any of them.

    Equal values, or the same type of error. On the others it may differ: there two slips of one kind part by rounding. A narrow
    mutant must therefore stand before a wide one.
    """
    seen, empty = False, False
    for trial in (t for t in trials if t.fault or not t.label):
        theirs = trial.outcome
        ours, error = _done(check, mutant, trial.args)
        if isinstance(error, NoValue):
            if not theirs.error and not _nothing(theirs.value):
                return False
            empty = True
            continue
        if theirs.error and error and type(theirs.error) is type(error):
            seen = seen or said(theirs.error) == said(error)
        elif theirs.error or error or not alike(as_design(theirs.value), as_design(ours)):
            return False
        else:
            seen = True
    return None if empty and not seen else seen


def _done(check: Check, mutant: Mutant, args: tuple) -> tuple[Any, Exception | None]:
    """What a mutant gives for a case, or the exception that it raises; see `_Known`."""
    known = _known.of(check) if isinstance(args, Case) else {}
    key = (id(args), mutant.function)
    if key not in known:
        try:
            found: tuple[Any, Exception | None] = (
                _detached(asked(check.driven(mutant.function), fresh(args))),
                None,
            )
        except Exception as error:  # of a mutant, which we wrote
            found = None, error.with_traceback(None)  # its frames hold what it was asked
        known[key] = (*found, args)
    return known[key][:2]


class _Known:
    """What the mutants of one exercise did in the cases that are kept. All answers that are refused are held against all mutants, and
    half of a check's time went into asking these again. Of the exercise that was refused last: those of all would fill gigabytes.

    done: (id of a case, mutant) -> its result, its exception, and the case, whose id nobody else has as long as it is here.
    """

    def __init__(self) -> None:
        self.id, self.done = "", dict[tuple[int, Callable], tuple[Any, Exception | None, tuple]]()

    def of(self, check: Check) -> dict[tuple[int, Callable], tuple[Any, Exception | None, tuple]]:
        if self.id != check.id:
            self.id, self.done = check.id, {}
        return self.done


_known = _Known()


def _detached(value: Any) -> Any:
    """Without the graph that a tensor would keep."""
    if isinstance(value, tuple | list):
        return tuple(map(_detached, value)) if isinstance(value, tuple) else [*map(_detached, value)]
    return value.detach() if isinstance(value, Tensor) else value


def _nothing(value: object) -> bool:
    """What a search gives that has found nothing: None, 0, or what it began with."""
    parts = value if isinstance(value, tuple | list) else (value,)
    return any(
        not is_tensor(part) or not bool(torch.isfinite(plain(part)).all() and plain(part).any())
        for part in parts
    )


def _right_in_itself(check: Check, trials: Sequence[Trial]) -> bool:
    """Is every result right but for its form?"""
    return all(
        not t.outcome.error and alike(as_design(t.outcome.value), as_design(wanted(check, t.args)))
        for t in trials
        if t.fault or not t.label
    )


def _blank(check: Check, trials: Sequence[Trial]) -> bool:
    """Is the first wrong state of a path, in every case that is wrong, nothing but NaN?"""
    wrong = [trial for trial in trials if trial.fault]
    return bool(check.path and wrong) and all(_blank_state(check, trial) for trial in wrong)


def _blank_state(check: Check, trial: Trial) -> bool:
    want, got = wanted(check, trial.args), trial.outcome.value
    if not is_tensor(got) or not isinstance(want, Tensor) or not dense(got := plain(got)):
        return False
    first = leaves_at(got, want) if got.shape == want.shape else None
    return first is not None and bool(got[first].isnan().all())


def _asks_alike(check: Check, mutant: Mutant, trials: Sequence[Trial]) -> bool:
    """Are the models shown the same by the mutant, in every case that is wrong?"""
    for trial in (t for t in trials if t.fault):
        theirs = call(check.driven(mutant.function), fresh(trial.args)).shown
        if not all(alike(calls, theirs[slot]) for slot, calls in trial.outcome.shown.items()):
            return False
    return True


def _as_far(check: Check, mutant: Mutant, trials: Sequence[Trial]) -> int:
    """In how many states do the answer and the mutant agree, in all cases, where both leave the right path at once and with the same
    state? Later on the answer may have other faults, too. 0 where one of them leaves it in another way.

    Several results that follow from one another are such a path. One case of these is soon explained by chance.
    """
    wrong = [trial for trial in trials if trial.fault]
    if len(wrong) <= (0 if check.path else 1):
        return 0
    far = [0]
    for trial in wrong:
        far.append(_one_as_far(check, mutant, trial))
        if not far[-1]:
            return 0
    # Where the answer is right, what is wrong with the mutant is not what is wrong with the answer.
    return sum(far) if all(_right(check, mutant, t) for t in trials if not t.fault and not t.label) else 0


def _right(check: Check, mutant: Mutant, trial: Trial) -> bool:
    ours, error = _done(check, mutant, trial.args)
    return error is None and alike(ours, wanted(check, trial.args))


def _one_as_far(check: Check, mutant: Mutant, trial: Trial) -> int:
    want, got = wanted(check, trial.args), trial.outcome.value
    theirs, error = _done(check, mutant, trial.args)
    if error:
        return 0
    if isinstance(want, tuple):
        return _leave_alike(got, theirs, want, last=bool(check.path))
    if not is_tensor(got) or not is_tensor(theirs) or not dense(got := plain(got)):
        return 0
    if not got.shape == theirs.shape == want.shape:
        return 0
    first, parted = leaves_at(got, want), leaves_at(got, plain(theirs))
    together = len(got) if parted is None else parted
    return together if first is not None and together > first else 0


def _leave_alike(got: object, theirs: object, want: tuple, last: bool) -> int:
    """Of several results, those of a function or the states of a path: how many agree, if both are equal up to the first wrong one,
    and there? Else 0.

    last: may that be the last?
    """
    if (
        not isinstance(got, tuple | list)
        or not isinstance(theirs, tuple)
        or not len(got) == len(theirs) == len(want)
    ):
        return 0
    first = next((i for i, state in enumerate(want) if not alike(got[i], state)), None)
    if first is None or (first == len(want) - 1 and not last):
        return 0
    together = next((i for i, state in enumerate(theirs) if not alike(got[i], state)), len(want))
    return together if together > first else 0
