"""From what was seen to points: one mark for each exercise, with the hint of the check and what a person should look at."""

import re

from nbformat import NotebookNode

from .. import handout
from . import assembly, audit, nbval_run, reading, recheck
from .results import Mark
from .rules import Rules
from .submissions import Submission

HELPERS = "Grading takes the exercise cells alone: define inside them what they need."


def grade(
    submission: Submission, pristine: NotebookNode, rules: Rules, scratch: str | None = None
) -> tuple[tuple[Mark, ...], int]:
    """The marks of one submission, and the peak of memory in bytes. Runs its code, and never raises for what it does.
    scratch: a folder for what a run needs meanwhile.

    Raises nbval_run.NotRun when nothing can be run on this machine.
    """
    exercises = handout.exercises(pristine)
    written = {e: submission.answers[e] for e in exercises if _written(e, submission)}
    run = nbval_run.Trial()
    if written:
        run = nbval_run.run(
            lambda left: assembly.assemble(
                pristine, {e: written[e] for e in left}, submission.student, rules.secret
            ),
            written,
            rules.limits,
            rules.isolation,
            scratch,
        )
    tasks = [_task(e, written, pristine, submission.student, rules) for e in written if run.right(e)]
    verdicts = recheck.look(tasks, rules.limits, rules.isolation, scratch)
    marks = []
    for e, exercise in exercises.items():
        if e in written:
            mark = _mark(exercise, run, verdicts.get(e), rules)
            marks.append(_with_remarks(mark, audit.remarks(written[e])))
        else:
            there = e in submission.answers
            hint = "" if there else "There is no cell that begins with this exercise's first line."
            marks.append(Mark(e, 0, exercise.points, "not done" if there else "missing", hint))
    return tuple(marks), run.peak


def _written(exercise: str, submission: Submission) -> bool:
    return exercise in submission.answers and reading.written(exercise, submission.answers[exercise])


def _task(
    exercise: str, written: dict[str, str], pristine: NotebookNode, student: str, rules: Rules
) -> recheck.Task:
    """An answer after those of the student's earlier answers that it calls, e.g. exercise 3 after the function of exercise 1."""
    names = list(written)
    before: list[str] = []
    for other in reversed(names[: names.index(exercise)]):
        if other[3:] in assembly.named([written[exercise], *before]):
            before.insert(0, written[other])
    source = "\n\n".join(map(assembly.clean, [*before, written[exercise]]))
    prelude = assembly.prelude(pristine, assembly.named([source]))
    seeds = [assembly.secret_seed(rules.secret, f"{student}/{n}", exercise) for n in range(2)]
    return recheck.Task(exercise, prelude, source, seeds)


def _mark(
    exercise: handout.Exercise, run: nbval_run.Trial, verdict: recheck.Verdict | None, rules: Rules
) -> Mark:
    name, of = exercise.id, exercise.points

    def none(state: str, hint: str, *flags: str) -> Mark:
        return Mark(name, 0, of, state, hint, flags)

    if name in run.ended:
        return none("stopped", f"Your code {run.ended[name]}.", run.ended[name])
    for part in ("answer", "public", "hidden"):
        if not run.passed.get((name, part)):
            text = run.text.get((name, part), "")
            state = "not done" if re.search("is not written yet|is still to be written", text) else "wrong"
            return none(state, _hint(text), *_doubts(text))
    if not run.passed.get((name, "canary")):
        hint = "The check was changed by the code of this notebook."
        return none("wrong", hint, "the check accepts a wrong function: tampering")
    if verdict is None or verdict.fault:
        fault = verdict.fault if verdict else "was not run again"
        return none(
            "wrong",
            f"Run by itself on other inputs: {fault}",
            f"right in the notebook, but by itself: {fault}",
        )
    if verdict.library and rules.library != "allow":
        points = of if rules.library == "flag" else 0
        hint = "Your function calls the course's own function for this, or the check's."
        flag = "calls the course's own function"
        return Mark(name, points, of, "right" if points else "wrong", hint, (flag,))
    return Mark(name, of, of, "right")


def _with_remarks(mark: Mark, remarks: tuple[str, ...]) -> Mark:
    unusual = f"unusual code: {', '.join(remarks[:8])}"
    return Mark(**{**vars(mark), "flags": (*mark.flags, unusual)}) if remarks else mark


def _doubts(text: str) -> list[str]:
    """Why a wrong answer may be right elsewhere."""
    cuda = re.search(r"Torch not compiled with CUDA|No CUDA GPUs|Found no NVIDIA driver|CUDA error", text)
    return ["asks for a GPU, and the sandbox has none"] if cuda else []


def _hint(text: str) -> str:
    """What the check said, out of nbval's report."""
    plain = nbval_run.ANSI.sub("", text)
    said = plain.rpartition("Traceback:")[2].strip() or plain.strip()
    # The engine's errors are one block that begins with their name; Python's own end with the line that matters.
    found = re.search(r"(?:CheckFailed|NotDone|CourseError)\w*:\s*(.*)", said, re.DOTALL)
    hint = found[1].strip()[:2000] if found else said[-600:]
    return f"{hint}\n{HELPERS}" if "NameError" in hint else hint
