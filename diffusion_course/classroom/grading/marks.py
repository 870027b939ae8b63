"""From what was seen to points: one mark for each exercise, with the hint of the check and what a person should look at."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from nbformat import NotebookNode

from .. import handout
from ..ids import function_of
from ..wording import in_points
from . import audit, finding, nbval_run, recheck
from .assembly import Plan, chapter_names, plan, secret_seed
from .nbval_run import Trial
from .recheck import Verdict
from .results import Flag, Kind, Mark, State
from .rules import Rules
from .submissions import Submission

# What torch says where there is no GPU: such an answer may be right elsewhere.
NO_GPU = re.compile(r"Torch not compiled with CUDA|No CUDA GPUs|Found no NVIDIA driver|CUDA error")
NUMBER = re.compile(r"-?\d+\.?\d*(e[-+]?\d+)?")


@dataclass(frozen=True)
class Marked:
    """The marks of a submission. remarks: for the student, on cells that stopped. peak: bytes."""

    marks: tuple[Mark, ...]
    remarks: tuple[str, ...] = ()
    peak: int = 0


def grade(submission: Submission, pristine: NotebookNode, rules: Rules, scratch: str | None = None) -> Marked:
    """Mark one submission. Runs its code, and never raises for what it does. scratch: a folder for what a run needs meanwhile.

    Raises nbval_run.NotRun when nothing can be run on this machine.
    """
    found = finding.find(submission.notebook, pristine)
    work = plan(pristine, submission.notebook, found)
    run, verdicts = Trial(), dict[str, Verdict]()
    if work.steps:
        seeds = {e: secret_seed(rules.secret, submission.student, e) for e in work.definers}
        run = nbval_run.run(work.steps, seeds, rules.limits, rules.isolation, scratch)
        _refuse_broken_machine(work, run)
        left = replace(work, steps=nbval_run.shortened(work.steps, run))
        right = [e for e, said in run.verdicts.items() if said.passed]
        known = {
            e: said.diagnosis for e, said in run.verdicts.items() if said.diagnosis in rules.shares.get(e, {})
        }
        fresh = {
            e: [secret_seed(rules.secret, f"{submission.student}/{n}", e) for n in range(2)]
            for e in (*right, *known)
        }
        verdicts = recheck.look(
            left, list(fresh), fresh, rules.library, rules.limits, rules.isolation, scratch, known
        )
    marks = [
        _mark(exercise, found.answers.get(e), work, run, verdicts.get(e), rules)
        for e, exercise in handout.exercises(pristine).items()
    ]
    return Marked(tuple(marks), tuple(_remarks(pristine, work, run)), run.peak)


def _refuse_broken_machine(work: Plan, run: Trial) -> None:
    for i, step in enumerate(work.steps):
        if step.pure and i in run.errors and run.errors[i].name == "ModuleNotFoundError":
            raise nbval_run.NotRun(str(run.errors[i]))


def _mark(
    exercise: handout.Exercise,
    answer: finding.Answer | None,
    work: Plan,
    run: Trial,
    verdict: Verdict | None,
    rules: Rules,
) -> Mark:
    name, of, function = exercise.id, exercise.points, function_of(exercise.id)
    if answer is None:
        hint = (
            f"There is no cell that begins with this exercise's first line, and none that defines {function}."
        )
        return Mark(name, 0, of, State.MISSING, hint)
    if not answer.definers:
        return Mark(name, 0, of, State.NOT_DONE)
    if exercise.rubric:
        return Mark(name, 0, of, State.WAITS, _rubric(exercise), (Flag(Kind.OPEN),))
    if name not in work.definers:
        return Mark(name, 0, of, State.WRONG, f"The cell that defines {function} is too long to be run.")
    mark = _judged(exercise, work, run, verdict, rules)
    unusual = audit.remarks(*work.sources(name))
    return mark.flagged(Flag(Kind.UNUSUAL, ", ".join(unusual[:8]))) if unusual else mark


def _rubric(exercise: handout.Exercise) -> str:
    """What a person gives points for, a line each."""
    lines = [f"{part}, {in_points(points)}: {what}" for part, points, what in exercise.rubric]
    return "\n".join(["A person marks this, part by part:", *lines])


def _judged(
    exercise: handout.Exercise, work: Plan, run: Trial, verdict: Verdict | None, rules: Rules
) -> Mark:
    name, of, said = exercise.id, exercise.points, run.verdicts.get(exercise.id)
    needs = {*work.needs[name], *(i for i, step in enumerate(work.steps) if step.exercise == name)}
    if said is None or (said.state != "right" and needs & run.ended.keys()):
        why = next((run.ended[i] for i in sorted(needs) if i in run.ended), "did not come to its end")
        return Mark(name, 0, of, State.STOPPED, f"Your code {why}.", (Flag(Kind.STOPPED, why),), why)
    if said.state == "right" and not said.passed:
        hint = "The check was changed by the code of this notebook."
        return Mark(name, 0, of, State.WRONG, hint, (Flag(Kind.TAMPERED),))
    if said.state == "right":
        return _looked_at_again(name, of, verdict, rules)
    if said.state == "not done":
        return Mark(name, 0, of, State.NOT_DONE, said.message)
    hint = said.message or recheck.undefined(name, work, run.errors)
    fault = said.fault or hint
    unknown = sorted(word for word in work.unknown[name] if f"'{word}'" in hint)
    if unknown:
        hint += f"\nNo cell that you wrote or changed defines {', '.join(unknown)}, nor does the chapter."
    flags = [Flag(Kind.GPU)] if NO_GPU.search(hint) else []
    absent = [
        e
        for i, e in sorted(run.errors.items())
        if i in needs and e.name in ("ModuleNotFoundError", "FileNotFoundError")
    ]
    flags += [Flag(Kind.NEEDS, e.message) for e in absent[:1]]
    broken = [i for i in sorted(work.needs[name]) if work.steps[i].pure and i in run.errors]
    flags += [Flag(Kind.CHAPTER, str(run.errors[i])) for i in broken[:1]]
    share = _share(name, said.diagnosis, verdict, rules)
    state = State.PART if share else State.WRONG
    return Mark(name, share, of, state, hint, tuple(flags), said.diagnosis or _numberless(fault))


def _share(name: str, mistake: str, verdict: Verdict | None, rules: Rules) -> int:
    """The points for a known mistake. The notebook's word is not enough: the second look must have seen the answer make it."""
    seen = verdict is not None and not (verdict.fault or verdict.uses or verdict.machine)
    return rules.shares.get(name, {}).get(mistake, 0) if seen else 0


def _looked_at_again(name: str, of: int, verdict: Verdict | None, rules: Rules) -> Mark:
    """The mark of an answer that was right in the notebook. The score of a design is known only here."""
    worth = of if verdict is None or verdict.points is None else verdict.points
    state = State.RIGHT if worth == of else State.PART
    if verdict is not None and verdict.machine:
        return Mark(name, of, of, State.RIGHT, "", (Flag(Kind.MACHINE, verdict.machine),))
    if verdict is not None and verdict.uses:
        named = verdict.uses == recheck.CHECKS_NAME
        right = rules.library != "zero"
        hint = f"Your function calls the course's own function for this{' in the check' if named else ''}."
        flags = (Flag(Kind.CHECKS if named else Kind.LIBRARY),) if named or rules.library != "allow" else ()
        words = "\n".join(filter(None, [verdict.told, hint if flags else ""]))
        return Mark(name, worth if right else 0, of, state if right else State.WRONG, words, flags)
    if verdict is None or verdict.fault:
        fault = verdict.fault if verdict else "was not run again"
        flags = (Flag(Kind.DIFFERS, fault.split("\n")[0][:300]),)
        return Mark(
            name, 0, of, State.WRONG, f"Run by itself on other inputs: {fault}", flags, _numberless(fault)
        )
    return Mark(name, worth, of, state, verdict.told)


def _remarks(pristine: NotebookNode, work: Plan, run: Trial) -> Iterable[str]:
    """What happened in the student's cells, as far as it is not the doing of grading, which runs a part of the chapter."""
    chapter = chapter_names(pristine)
    for i, step in enumerate(work.steps):
        if step.part != "own":
            continue
        first = next(iter(step.source.strip().split("\n")))[:60]
        if i in run.ended:
            yield f"The cell that begins with {first!r} {run.ended[i]}, and was left out."
        elif i in run.errors:
            error = run.errors[i]
            expected = error.name in ("CheckFailed", "NotDone", "NotImplementedError")
            if not expected and not (
                error.name == "NameError" and any(f"'{n}'" in error.message for n in chapter)
            ):
                yield f"The cell that begins with {first!r} stopped with {error}"


def _numberless(fault: str) -> str:
    """What faults of one kind share. Which of the values was looked at says nothing."""
    words = NUMBER.sub("#", fault.split("\n")[0])[:200]
    return "values off, no known mistake" if " is #, want #" in words else words
