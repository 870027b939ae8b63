"""Things that do the same work, timed in turns: a noisy machine then disturbs all of them alike, and ratios are what is reported."""

import gc
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import torch
from tqdm import tqdm

LEAST = 0.1  # seconds that a measurement takes

Case = Callable[[], float | None]
"""Does the work once. What measures itself (a process of its own, say) returns its seconds."""


@dataclass(frozen=True)
class Comparison:
    """cases: by name, the first is what the ratios are of. count, unit: what a call has many of, e.g. 50 steps or 64 images.

    rate: the table shows units a second, and ratios of rates; without it seconds a unit, and ratios of times.
    """

    title: str
    cases: dict[str, Case]
    unit: str
    count: int = 1
    rate: bool = False
    notes: list[str] = field(default_factory=list)


Clock = Callable[[], float]
"""`time.perf_counter`, or on a busy machine, for one thread on the CPU, `time.process_time`: what the wall clock shows on an idle one."""


def measure(comparison: Comparison, rounds: int, clock: Clock = time.perf_counter) -> dict[str, Any]:
    """Medians over the rounds, and of the ratios within each round. The first round warms up and does not count."""
    names = list(comparison.cases)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in tqdm(range(rounds + 1), comparison.title, leave=False):
        for name in names if turn % 2 else reversed(names):
            taken = _timed(comparison.cases[name], clock)
            if turn:
                seconds[name].append(taken)
    base = seconds[names[0]]
    rows = []
    for name in names:
        ratios = [b / a if comparison.rate else a / b for a, b in zip(seconds[name], base, strict=True)]
        middle = statistics.median(seconds[name])
        row = {"case": name, "seconds": middle, "ratio": statistics.median(ratios)}
        rows.append(row | {"ratio from": min(ratios), "ratio to": max(ratios)})
    return {
        "title": comparison.title,
        "unit": comparison.unit,
        "count": comparison.count,
        "rate": comparison.rate,
        "rounds": rounds,
        "rows": rows,
        "notes": comparison.notes,
    }


def _timed(case: Case, clock: Clock) -> float:
    """Seconds of one call. Short ones are repeated, until they take as long together as a clock and a scheduler need to be fair."""
    gc.collect(0)
    _synchronize()
    start, calls, taken = clock(), 0, 0.0
    while taken < LEAST:
        own = case()
        if own is not None:
            return own
        calls += 1
        _synchronize()
        taken = clock() - start
    return taken / calls


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def as_text(found: dict[str, Any]) -> str:
    """The table, as Markdown."""
    per = f"{found['unit']} a second" if found["rate"] else f"µs a {found['unit']}"
    lines = [f"### {found['title']}", "", f"| | {per} | ratio | from | to |", "|---|---:|---:|---:|---:|"]
    for row in found["rows"]:
        each = row["seconds"] / found["count"]
        number = f"{1 / each:,.1f}" if found["rate"] else f"{1e6 * each:,.1f}"
        ratios = " | ".join(f"{row[key]:.2f}" for key in ("ratio", "ratio from", "ratio to"))
        lines.append(f"| {row['case']} | {number} | {ratios} |")
    return "\n".join([*lines, *("", *found["notes"])[: 1 + len(found["notes"])]])


def machine() -> dict[str, Any]:
    """What the numbers are from."""
    names = ("torch", "diffusers", "smalldiffusion", "denoising-diffusion-pytorch", "k-diffusion")
    return {
        "processor": _processor(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in names},
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
