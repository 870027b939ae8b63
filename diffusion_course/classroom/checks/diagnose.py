"""Which classic mistake is it? A mutant that does on every case what the answer does, or leaves a right path with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from .call import Outcome, fresh
from .compare import Fault, alike, dense, is_tensor, leaves_at, plain
from .data import Check, Mutant
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
    """

    hint: str = ""
    early: str = ""

    @property
    def words(self) -> str:
        """A sentence on the answer; '' if there is none."""
        start = f"At the first wrong {self.early} this looks like" if self.early else "This looks like"
        return f"{start} {self.hint}" if self.hint else ""


def diagnosis(check: Check, trials: Sequence[Trial], more: Callable[[], Sequence[Trial]]) -> Diagnosis:
    """Which mutant does what the answer did? more: the trials with those on the fixed cases, which decide between several."""
    found = [mutant for mutant in check.mutants if _matches(check, mutant, trials)]
    if len(found) > 1:
        found = [mutant for mutant in found if _matches(check, mutant, more())] or found
    several = "result" if len(check.outputs) > 1 else ""
    early = "" if found else "state" if check.path else several
    if early:
        found = [mutant for mutant in check.mutants if _leaves_alike(check, mutant, trials)]
    return Diagnosis(found[0].hint, early) if found else Diagnosis()


def _matches(check: Check, mutant: Mutant, trials: Sequence[Trial]) -> bool:
    """Does the answer do what the mutant does on every random case, and on every fixed one where it is wrong?

    Equal values, or the same type of error. On the others it may differ: there two slips of one kind part by rounding. A narrow
    mutant must therefore stand before a wide one.
    """
    seen = False
    for trial in (t for t in trials if t.fault or not t.label):
        theirs = trial.outcome
        try:
            ours, error = asked(check.driven(mutant.function), fresh(trial.args)), None
        except Exception as caught:  # of a mutant, which we wrote
            ours, error = None, caught
        if theirs.error and error and type(theirs.error) is type(error):
            seen = seen or said(theirs.error) == said(error)
        elif theirs.error or error or not alike(as_design(theirs.value), as_design(ours)):
            return False
        else:
            seen = True
    return seen


def _leaves_alike(check: Check, mutant: Mutant, trials: Sequence[Trial]) -> bool:
    """Does the answer leave the right path where the mutant does, with the same state? Later on it may have other faults, too.

    Several results that follow from one another are such a path. One case of these is soon explained by chance.
    """
    wrong = [trial for trial in trials if trial.fault]
    return len(wrong) > (0 if check.path else 1) and all(
        map(partial(_leaves_one_alike, check, mutant), wrong)
    )


def _leaves_one_alike(check: Check, mutant: Mutant, trial: Trial) -> bool:
    want, got = wanted(check, trial.args), trial.outcome.value
    try:
        theirs = check.driven(mutant.function)(*fresh(trial.args))
    except Exception:  # of a mutant, which we wrote
        return False
    if isinstance(want, tuple):
        return _leave_alike(got, theirs, want, last=bool(check.path))
    if not is_tensor(got) or not is_tensor(theirs) or not dense(got := plain(got)):
        return False
    if not got.shape == theirs.shape == want.shape:
        return False
    first = leaves_at(got, want)
    return first is not None and alike(got[: first + 1], theirs[: first + 1])


def _leave_alike(got: object, theirs: object, want: tuple, last: bool) -> bool:
    """Of several results, those of a function or the states of a path: are both equal up to the first wrong one, and there?

    last: may that be the last?
    """
    if (
        not isinstance(got, tuple | list)
        or not isinstance(theirs, tuple)
        or not len(got) == len(theirs) == len(want)
    ):
        return False
    first = next((i for i, state in enumerate(want) if not alike(got[i], state)), None)
    if first == len(want) - 1 and not last:
        return False
    return first is not None and alike(got[: first + 1], theirs[: first + 1])
