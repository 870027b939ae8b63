"""nbval runs an assembled notebook with its kernel in the sandbox; what each cell did is told.

A run can end early: an answer may loop forever, kill its kernel, or print without end. The exercise at fault is then left out, and the
rest runs again, so that one such answer does not cost a student the others.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from . import folders, processes, sandbox
from .assembly import Cell, notebook
from .nbval_plugin import FATAL, OUTPUT, RESULTS, TOO_MUCH
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

LARGEST = 50_000_000  # bytes of reports
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # colours in a traceback


class NotRun(RuntimeError):
    """The run failed before any answer began: the fault of this machine, and nobody's points."""


@dataclass
class Trial:
    """passed: (exercise, part) -> did that cell pass? text: what nbval said. ended: exercise -> how it ended a run."""

    passed: dict[tuple[str, str], bool] = field(default_factory=dict)
    text: dict[tuple[str, str], str] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    peak: int = 0

    def right(self, exercise: str) -> bool:
        """Did all four cells of an exercise pass?"""
        return all(
            self.passed.get((exercise, part), False) for part in ("answer", "public", "hidden", "canary")
        )


def run(
    assemble: Callable[[Collection[str]], list[Cell]],
    exercises: Collection[str],
    limits: Limits,
    isolation: Isolation,
    scratch: str | None = None,
) -> Trial:
    """Run what `assemble` makes of the exercises, without those at fault, until a run comes to its end.

    Raises NotRun when the chapter's own cells do not run here.
    """
    trial = Trial()
    for _ in range(len(exercises)):
        cells = assemble([e for e in exercises if e not in trial.ended])
        reports, why, peak = _once(cells, limits, isolation, scratch)
        trial.peak = max(trial.peak, peak)
        for cell, report in zip(cells, reports, strict=False):
            trial.passed[cell.exercise, cell.part] = report["passed"]
            trial.text[cell.exercise, cell.part] = report["text"]
        early = next(
            (r for c, r in zip(cells, reports, strict=False) if c.part == "prelude" and not r["passed"]), None
        )
        if early or len(reports) < sum(c.part == "prelude" for c in cells):
            raise NotRun(why or _last_line(early["text"] if early else "no kernel"))
        broken = next((i for i, r in enumerate(reports) if FATAL.search(r["text"])), len(reports))
        if broken == len(cells):
            return trial
        said = reports[broken]["text"] if broken < len(reports) else ""
        # A kernel that is found dead when a cell begins was ended by the cell before.
        guilty = cells[max(broken - ("Kernel dead" in said), 0)].exercise
        trial.ended[guilty] = why or _reason(said, limits)
    return trial


def _once(
    cells: list[Cell], limits: Limits, isolation: Isolation, scratch: str | None
) -> tuple[list[dict], str, int]:
    """One run: a report for each cell that was reached, why it was stopped, and the peak of memory in bytes."""
    with sandbox.workplace(scratch) as folder:
        shared, specs = folder / "s", folder / "j" / "kernels" / "graded"
        specs.mkdir(parents=True)
        inner = sandbox.command(["ipykernel_launcher", "-f", f"{shared}/k.json"], shared, limits, isolation)
        spec = {"argv": inner, "display_name": "graded", "language": "python", "interrupt_mode": "message"}
        (specs / "kernel.json").write_text(json.dumps(spec))
        graded, results = folder / "graded.ipynb", folder / "results.jsonl"
        graded.touch(0o600)
        graded.write_text(nbformat.writes(notebook(cells)), encoding="utf-8")
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
        reports = _reports(results)
        return reports, done.why or ("" if reports else _last_line(done.printed)), done.peak


def _reports(results: Path) -> list[dict]:
    """What the plugin wrote; without a sandbox, the run could have put something else in its place."""
    try:
        return [json.loads(row) for row in folders.open_result(results, LARGEST).splitlines()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError):
        raise NotRun("the results were replaced") from None


def _last_line(text: str) -> str:
    return next((line for line in reversed(ANSI.sub("", text).splitlines()) if line.strip()), "")[:300]


def _reason(text: str, limits: Limits) -> str:
    if TOO_MUCH in text:
        return f"printed more than {limits.output:g} MB"
    if "Timeout of" in text:
        return f"took longer than {limits.cell} s"
    return "ended Python (exit, a crash, or out of memory)"
