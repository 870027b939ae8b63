"""The second look: what was right in the notebook runs once more where no check and no answer of the course's own is, on other inputs.

In the notebook an answer shares its interpreter with the check, and could have changed it. Here there is nothing to change: inputs go
in as data, results come out as data, and the grader compares.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import Tensor

from ..checks import CHECKS, Check
from ..checks.call import fresh
from ..checks.data import NoValue
from ..checks.design import judged
from ..checks.engine import cases, result_fault
from ..ids import chapter_of, function_of
from ..terms import reached
from . import folders, processes, sandbox, wire, without
from .assembly import Plan
from .nbval_run import Error
from .sandbox import Isolation, Limits

WORKER = "diffusion_course.classroom.grading.recheck_worker"
LARGEST = 100_000_000  # bytes of results; a case has at most some thousand numbers
NO_MISTAKES: Mapping[str, str] = MappingProxyType({})
CHECKS_NAME = "checks"  # what `missing` is asked for where the checks are


@dataclass(frozen=True)
class Verdict:
    """fault: "" where the answer is right. uses: "library" or "checks" where it needs what was taken out, else "".

    absent: was there no result at all? machine: why nothing runs here, whatever the answer. asked: what it asked for of what was taken out.
    points, told: of a right design, what its score gives, and that in words.
    """

    fault: str = ""
    uses: str = ""
    absent: bool = False
    machine: str = ""
    asked: frozenset[str] = frozenset()
    points: int | None = None
    told: str = ""


def look(
    plan: Plan,
    exercises: Collection[str],
    seeds: Mapping[str, list[str]],
    library: str,
    limits: Limits,
    isolation: Isolation,
    scratch: str | None = None,
    mistakes: Mapping[str, str] = NO_MISTAKES,
) -> dict[str, Verdict]:
    """A verdict on each of the exercises. seeds: exercise -> the seeds of its inputs. library: see Rules. mistakes: exercise -> the hint
    of a known mistake that it is held against, in the place of what is right.

    First all at once, without what does the exercises of the chapter. Then one by one what did not work out so: an exercise may need
    what does another. What is still not right and asked for what was taken out runs once more with it, and is named.
    """
    run = _Run(plan, seeds, limits, isolation, scratch, mistakes)
    if not exercises:
        return {}
    chapter = {e for name in set(map(chapter_of, exercises)) for e in CHECKS.of(name)}
    found = run.on(exercises, without.package(without.library(chapter), scratch))
    for e, verdict in found.items():
        others = verdict.asked - without.library([e]) - {CHECKS_NAME}
        if verdict.fault and (others or verdict.absent):
            found[e] = run.on([e], without.package(without.library([e]), scratch))[e]
    for e, verdict in found.items():
        if verdict.fault and verdict.asked:
            found[e] = _with_it(run, e, verdict, library, scratch)
    if any(verdict.absent for verdict in found.values()) and (why := run.machine_fault()):
        found |= {e: replace(verdict, machine=why) for e, verdict in found.items() if verdict.absent}
    return found


def _with_it(run: "_Run", exercise: str, verdict: Verdict, library: str, scratch: str | None) -> Verdict:
    """An answer that asked for what was taken out, with it; the checks are there only for one that asks for them."""
    if library == "zero":
        return replace(verdict, uses=CHECKS_NAME if CHECKS_NAME in verdict.asked else "library")
    again = verdict
    if verdict.asked - {CHECKS_NAME}:
        again = run.on([exercise], without.package([], scratch))[exercise]
        if not again.fault:
            return replace(again, uses="library")
    if CHECKS_NAME in verdict.asked | again.asked:
        again = run.on([exercise], sandbox.PACKAGE)[exercise]
        if not again.fault:
            return replace(again, uses=CHECKS_NAME)
    return again


@dataclass(frozen=True)
class _Run:
    plan: Plan
    seeds: Mapping[str, list[str]]
    limits: Limits
    isolation: Isolation
    scratch: str | None
    mistakes: Mapping[str, str] = field(default_factory=dict)

    def on(self, exercises: Collection[str], package: Path) -> dict[str, Verdict]:
        """One run of the plan with `package` in the place of the course's."""
        checks = {e: _asked(CHECKS[e].under(**self.plan.terms(e)), self.mistakes.get(e)) for e in exercises}
        inputs = {
            e: [case for seed in self.seeds[e] for case in cases(checks[e][0], seed)] for e in exercises
        }
        with sandbox.workplace(self.scratch) as folder:
            out = folder / "s"
            line = sandbox.command(
                [WORKER, str(out)], out, self.limits, self.isolation, package, self.scratch
            )
            wall = 30 + self.limits.cell * (1 + len(exercises))
            given = _given(self.plan, inputs, self.limits.cell)
            done = processes.run(line, wall, self.limits, folder, given=given)
            why = done.why or done.printed
            return {e: self._best(checks[e], inputs[e], out / e, why) for e in exercises}

    def machine_fault(self) -> str:
        """Why not even an empty list of cells runs here; "" where it does."""
        with sandbox.workplace(self.scratch) as folder:
            out = folder / "s"
            line = sandbox.command([WORKER, str(out)], out, self.limits, self.isolation)
            done = processes.run(line, 60, self.limits, folder, given=_given(Plan(), {}, self.limits.cell))
            return done.why or (_last_line(done.printed) if done.code else "")

    def _best(self, checks: Sequence[Check], inputs: list[tuple], path: Path, printed: str) -> Verdict:
        """What one of the checks accepts, or what the first says."""
        verdicts = [self._verdict(check, inputs, path, printed) for check in checks]
        return next((one for one in verdicts if not one.fault), verdicts[0])

    def _verdict(self, check: Check, inputs: list[tuple], path: Path, printed: str) -> Verdict:
        try:
            told, tensors = wire.part(folders.open_result(path, LARGEST))
            asked = frozenset(str(name) for name in told["asked"])
            fault = _fault(check, inputs, told, tensors, self.plan)
            if check.score and not fault:
                return _scored(check, inputs, told, tensors, asked)
        except FileNotFoundError:
            return Verdict(f"does not run by itself: {_last_line(printed)}", absent=True)
        except (OSError, wire.NotData, KeyError, TypeError, ValueError, AttributeError, IndexError):
            return Verdict("wrote something else than its results")
        return Verdict(fault, asked=asked)


def _asked(check: Check, mistake: str | None) -> list[Check]:
    """A check, or the same check with each form of a known mistake for right. Who does as the mistake does has made it, whoever says so."""
    found = next((mutant for mutant in check.mutants if mutant.hint == mistake), None)
    if found is None:
        return [check]
    return [_with_reference(check, function) for function in (found.function, *found.others)]


def _with_reference(check: Check, function: Callable) -> Check:
    return replace(check, reference=wraps(check.reference)(lambda *args: function(*args)))


def _given(plan: Plan, inputs: Mapping[str, list[tuple]], seconds: int) -> bytes:
    """What the worker is told: the cells in their order, and among them the calls."""
    tensors: dict[str, Tensor] = {}
    steps: list[dict[str, Any]] = []
    for number, step in enumerate(plan.steps):
        if step.part != "verdict":
            steps.append({"source": step.source, "number": str(number)})
        elif step.exercise in inputs:
            packed = [wire.pack(case, tensors) for case in inputs[step.exercise]]
            check = CHECKS[step.exercise]
            steps.append(
                {"exercise": check.id, "function": check.function, "machine": check.machine, "cases": packed}
            )
    return wire.join({"steps": steps, "seconds": seconds}, tensors)


def _scored(
    check: Check, inputs: list[tuple], told: Any, tensors: dict[str, Tensor], asked: frozenset[str]
) -> Verdict:
    """What a right design is worth. Its score is computed here, from the numbers that came out."""
    values = [wire.unpack(called["value"], tensors) for called in told["calls"]]
    score, words = judged(replace(check, coarse=False), list(zip(inputs, values, strict=True)))
    return Verdict(asked=asked, points=reached(check.marks, score, check.lower), told=words)


def _fault(check: Check, inputs: list[tuple], told: Any, tensors: dict[str, Tensor], plan: Plan) -> str:
    """The first thing that is wrong with what came out; "" if nothing is."""
    if not told["defined"]:
        errors = {int(n): Error(str(e[0]), str(e[1])) for n, e in told["errors"].items()}
        return undefined(check.id, plan, errors)
    if len(told["calls"]) != len(inputs):
        raise wire.NotData("another number of cases")
    for case, called in zip(inputs, told["calls"], strict=True):
        fault = _fault_of_call(check, case, called, tensors)
        if fault and not _leads_nowhere(check, case):
            return fault
    return ""


def _fault_of_call(check: Check, case: tuple, called: Any, tensors: dict[str, Tensor]) -> str:
    if "error" in called:
        name, message, line = map(str, called["error"])
        return f"your function stopped with {Error(name, message)}" + (f"\nin {line}" if line else "")
    evaluated = {
        check.arguments[int(i)]: (int(samples), int(calls))
        for i, (samples, calls) in called["evaluated"].items()
    }
    return result_fault(check, case, wire.unpack(called["value"], tensors), evaluated)


def _leads_nowhere(check: Check, case: tuple) -> bool:
    """Is a known mistake for right, and has it no value here? Then an answer with it may do anything."""
    try:
        check.reference(*fresh(case))
    except Exception as error:
        return isinstance(error, NoValue)
    return False


def undefined(exercise: str, plan: Plan, errors: Mapping[int, Error]) -> str:
    """Why there is no function, in words: the error of a cell that should have defined it."""
    why = next((errors[i] for i in sorted(plan.definers.get(exercise, ())) if i in errors), None)
    return (
        f"{function_of(exercise)} is not defined: its cell stopped with {why}"
        if why
        else f"{function_of(exercise)} is not defined"
    )


def _last_line(printed: str) -> str:
    return (printed.strip().splitlines()[-1:] or ["it ended early"])[0][:200]
