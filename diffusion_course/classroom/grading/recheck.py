"""The second look: an answer that got full marks runs once more by itself, on new seeds, and the grader compares.

In the notebook an answer shares its interpreter with the check, and could have changed it. Here it shares it with nothing.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open

from ..checks import CHECKS
from ..checks.engine import cases, result_fault
from . import folders, processes, sandbox
from .sandbox import Isolation, Limits

LARGEST = 100_000_000  # bytes of results; a case has at most some thousand numbers


@dataclass(frozen=True)
class Verdict:
    """fault: "" where the answer is right. library: did it call the course's own function for this?"""

    fault: str
    library: bool = False


@dataclass(frozen=True)
class Task:
    """An answer to look at again: the cells it stands on, its source, and the seeds of its inputs."""

    exercise: str
    prelude: list[str]
    source: str
    seeds: list[str]


def look(
    tasks: list[Task], limits: Limits, isolation: Isolation, scratch: str | None = None
) -> dict[str, Verdict]:
    """Run the answers, each in a process of its own; one verdict an exercise."""
    if not tasks:
        return {}
    with sandbox.workplace(scratch) as folder:
        out = folder / "s"
        words = [{**vars(task), "seconds": limits.cell} for task in tasks]
        line = sandbox.command(
            ["diffusion_course.classroom.grading.recheck_worker", str(out)], out, limits, isolation
        )
        wall = 30 + limits.cell * len(tasks)
        done = processes.run(line, wall, limits, folder, given=json.dumps(words).encode())
        return {task.exercise: _verdict(task, out, done.why or done.printed) for task in tasks}


def _verdict(task: Task, out: Path, printed: str) -> Verdict:
    check, path = CHECKS[task.exercise], out / f"{task.exercise}.safetensors"
    args = [case for seed in task.seeds for case in cases(check, seed)]
    try:
        kept = out.with_name(path.name)  # where the run cannot change it while it is read
        kept.write_bytes(folders.open_result(path, LARGEST))
        values = list(_values(kept, len(args)))
    except FileNotFoundError:
        last = printed.strip().splitlines()[-1:] or ["it ended early"]
        return Verdict(f"does not run by itself: {last[0][:200]}")
    except Exception:  # whatever a hostile file makes of its reader
        return Verdict("wrote something else than its results")
    faults = (result_fault(check, case, got, {}) for case, (got, _) in zip(args, values, strict=True))
    return Verdict(next(filter(None, faults), ""), any(library for _, library in values))


def _values(path: Path, cases: int) -> Iterator[tuple[object, bool]]:
    """What each case gave, and whether it called the library. The format holds numbers and no code."""
    with safe_open(path, framework="pt") as file:
        told = json.loads(file.metadata()["cases"])
        if len(told) != cases:
            raise ValueError("another number of cases")
        for number, case in enumerate(told):
            parts = tuple(file.get_tensor(f"{number}.{i}") for i in range(min(case["outputs"], 20)))
            several = case["several"] is True or len(parts) != 1
            yield (None if case["outputs"] < 0 else parts if several else parts[0]), case["library"] is True
