"""nbval runs the list of cells with its kernel in the sandbox; what each of them did is told.

A run can end early: a cell may loop forever, kill its kernel, or print without end. It is then left out, and the rest runs again, so
that it costs a student no more than what depends on it.
"""

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from . import folders, nbval_plugin, processes, sandbox, verdict
from .assembly import Step
from .nbval_plugin import OUTPUT, RESULTS
from .sandbox import Isolation, Limits

# The package comes first: it makes the import of nbformat quick.
PYTEST = "import diffusion_course.classroom.grading, pytest, sys; sys.exit(pytest.main())"
OPTIONS = [
    "-p",
    "nbval.plugin",
    "-p",
    "diffusion_course.classroom.grading.nbval_plugin",
    "-p",
    "no:cacheprovider",
    "--noconftest",  # one in a folder above, such as /tmp, would be anybody's code
    "-q",
]

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # colours in a traceback
KERNEL_FILE = re.compile(
    r"\(\d+\.py, line (\d+)\)"
)  # the numbered name that a kernel gives to a cell with a SyntaxError
MOST = 8  # runs of one notebook
PATIENCE = 2  # runs that end early, before cells that no exercise needs are left out
LONGEST = 2000  # characters of a text
LARGEST = 50_000_000  # bytes of rows


class NotRun(RuntimeError):
    """The run failed before any cell began: the fault of this machine, and nobody's points."""


@dataclass(frozen=True)
class Said:
    """A verdict. state: "right", "wrong", "not done" or "undefined"; passed: right, by a checker that refused all that is wrong.

    message: what the check said; fault, diagnosis: parts of it.
    """

    state: str
    passed: bool = False
    message: str = ""
    fault: str = ""
    diagnosis: str = ""


@dataclass(frozen=True)
class Error:
    """An error in a cell."""

    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.name}: {self.message}" if self.message else self.name


@dataclass
class Trial:
    """verdicts: exercise -> what was said of it. errors, ended: number of a step -> its error, or how it ended a run."""

    verdicts: dict[str, Said] = field(default_factory=dict)
    errors: dict[int, Error] = field(default_factory=dict)
    ended: dict[int, str] = field(default_factory=dict)
    peak: int = 0


def run(
    steps: Sequence[Step],
    seeds: dict[str, str],
    limits: Limits,
    isolation: Isolation,
    scratch: str | None = None,
) -> Trial:
    """Run the steps, without those that ended a run, until there is a verdict on every exercise. seeds: exercise -> its hidden seed.

    Raises NotRun when nothing runs here.
    """
    trial = Trial()
    for _ in range(MOST):
        left = list(_left(steps, trial))
        if not any(steps[i].part == "verdict" for i in left):
            break
        cells = [_cell(steps[i], seeds) for i in left]
        rows, why, peak = _once([_compared("pass"), *cells], limits, isolation, scratch)
        trial.peak = max(trial.peak, peak)
        if not rows or (rows[0]["ended"] and rows[0]["ended"] != nbval_plugin.DEAD_BEFORE):
            raise NotRun(why or _last_line(rows[0]["text"] if rows else "") or "no kernel")
        for i, row in zip(left, rows[1:], strict=False):
            _note(trial, i, steps[i], row)
        broken = next((n for n, row in enumerate(rows) if row["ended"]), len(rows))
        if broken > len(left):
            break
        how = rows[broken]["ended"] if broken < len(rows) else nbval_plugin.DIED
        # A kernel that is found dead when a cell begins was ended by the cell before.
        guilty = left[max(broken - 1 - (how == nbval_plugin.DEAD_BEFORE), 0)]
        trial.ended[guilty] = why or _reason(how, limits)
    return trial


def shortened(steps: Sequence[Step], trial: Trial) -> tuple[Step, ...]:
    """The steps without the code of those that were left out in the end."""
    return tuple(replace(s, source="") if _left_out(i, s, trial) else s for i, s in enumerate(steps))


def _left_out(number: int, step: Step, trial: Trial) -> bool:
    """What ended a run is left out; after some such runs, also cells that no exercise needs."""
    spare = step.part == "own" and not step.needed and len(trial.ended) >= PATIENCE
    return number in trial.ended or spare


def _left(steps: Sequence[Step], trial: Trial) -> Iterator[int]:
    """The steps that are still to run."""
    for i, step in enumerate(steps):
        done = step.part == "verdict" and step.exercise in trial.verdicts
        if not done and not _left_out(i, step, trial):
            yield i


def _note(trial: Trial, number: int, step: Step, row: dict[str, Any]) -> None:
    if row["ended"]:
        return
    if step.part == "verdict":
        trial.verdicts[step.exercise] = _said(row)
    elif row["error"]:
        trial.errors[number] = Error(*(_plain(word) for word in row["error"]))


def _said(row: dict[str, Any]) -> Said:
    """A verdict as it came out of the sandbox, where anything may have been made of it."""
    try:
        told = json.loads(row["verdict"] or "{}")
    except (ValueError, RecursionError):
        told = {}
    told = told if isinstance(told, dict) else {}
    words = {k: _plain(str(told.get(k, ""))) for k in ("message", "fault", "diagnosis")}
    if told.get("state") in ("right", "wrong", "not done", "undefined"):
        return Said(told["state"], row["passed"], **words)
    error = " ".join(row["error"] or ["no verdict was given"])
    return Said("wrong", False, message=error[:LONGEST], fault=error[:LONGEST])


def _plain(words: str) -> str:
    return KERNEL_FILE.sub(r"(line \1 of the cell)", ANSI.sub("", words))[:LONGEST]


def _cell(step: Step, seeds: dict[str, str]) -> NotebookNode:
    if step.part != "verdict":
        return _compared(step.source)
    source = verdict.CELL.format(exercise=step.exercise, seed=seeds[step.exercise], terms=step.terms)
    return _compared(source, verdict.right(step.exercise, step.terms))


def _compared(source: str, expected: str = "") -> NotebookNode:
    """A cell for nbval: where a verdict is expected, the cell's is compared with it."""
    outputs = [nbformat.v4.new_output("display_data", {verdict.MIME: expected})] if expected else []
    return nbformat.v4.new_code_cell(
        f"# NBVAL_CHECK_OUTPUT\n{source}" if expected else source, execution_count=1, outputs=outputs
    )


def _once(
    cells: list[NotebookNode], limits: Limits, isolation: Isolation, scratch: str | None
) -> tuple[list[dict[str, Any]], str, int]:
    """One run: a row for each cell that was reached, why it was stopped, and the peak of memory in bytes."""
    with sandbox.workplace(scratch) as folder:
        shared, specs = folder / "s", folder / "j" / "kernels" / "graded"
        specs.mkdir(parents=True)
        kernel = ["ipykernel_launcher", "-f", f"{shared}/k.json"]
        inner = sandbox.command(kernel, shared, limits, isolation, sandbox.PACKAGE, scratch)
        spec = {"argv": inner, "display_name": "graded", "language": "python", "interrupt_mode": "message"}
        (specs / "kernel.json").write_text(json.dumps(spec))
        graded, results = folder / "graded.ipynb", folder / "results.jsonl"
        graded.touch(0o600)
        graded.write_text(nbformat.writes(nbformat.v4.new_notebook(cells=cells)), encoding="utf-8")
        env = {
            **os.environ,
            "JUPYTER_PATH": str(folder / "j"),
            "JUPYTER_RUNTIME_DIR": str(shared),
            "JUPYTER_ALLOW_INSECURE_WRITES": "1",
            RESULTS: str(results),
            OUTPUT: str(int(limits.output * 1e6)),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        env.pop("PYTEST_ADDOPTS", None)
        line = [
            sys.executable,
            "-c",
            PYTEST,
            *OPTIONS,
            "-c",
            os.devnull,
            "--rootdir",
            str(folder),
            "--nbval-lax",
        ]
        line += ["--nbval-kernel-name", "graded", "--nbval-cell-timeout", str(limits.cell), str(graded)]
        done = processes.run(line, limits.cpu + 60, limits, folder, env)
        rows = _rows(results)
        return rows, done.why or ("" if rows else _last_line(done.printed)), done.peak


def _rows(results: Path) -> list[dict[str, Any]]:
    """What the plugin wrote; without a sandbox, the run could have put something else in its place."""
    try:
        return [json.loads(row) for row in folders.open_result(results, LARGEST).splitlines()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError):
        raise NotRun("the results were replaced") from None


def _last_line(text: str) -> str:
    return next((line for line in reversed(ANSI.sub("", text).splitlines()) if line.strip()), "")[:300]


def _reason(how: str, limits: Limits) -> str:
    return {
        nbval_plugin.TOO_MUCH: f"printed more than {limits.output:g} MB",
        nbval_plugin.TOO_LONG: f"took longer than {limits.cell} s",
    }.get(how, "ended Python (exit, a crash, or out of memory)")
