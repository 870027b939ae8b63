"""How fast, how large and how right grading is: python benchmarks/grading.py [MIXED] [LIGHT]

LIGHT correct submissions of chapter 01 are graded by two jobs, for submissions per minute. MIXED submissions follow, with every kind
of tests/classroom/grading/planted.py three times and ordinary ones for the rest: how many got the points their kind must get, how
much memory a job held at most (proportional share, of the worker and all it started), and how long a second run takes.
"""

import json
import re
import sys
import tempfile
import threading
import time
from itertools import cycle, islice
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "classroom" / "grading"))
from planted import kinds, plant

from diffusion_course.classroom.grading import sandbox

ORDINARY = ["correct"] * 4 + ["partly-right"] * 3 + ["another-formula", "by-colab", "nothing-done"]


def main(mixed: int, light: int) -> None:
    print(f"isolation: {sandbox.available()}; {psutil.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        place, out = Path(name) / "light", Path(name) / "light-grades"
        plan = {f"correct-{n}": "correct" for n in range(light)}
        seconds, peak = graded(place, out, plan)
        told(place, out, plan)
        print(
            f"light: {light} in {seconds:.0f} s, {60 * light / seconds:.1f} a minute; at most {peak / 1e9:.2f} GB a job"
        )
        if not mixed:
            return
        place, out = Path(name) / "mixed", Path(name) / "mixed-grades"
        every = [kind for kind in kinds(place) for _ in range(3)]
        chosen = [*every, *islice(cycle(ORDINARY), max(0, mixed - len(every)))]
        plan = {f"{kind}-{n}": kind for n, kind in enumerate(chosen)}
        seconds, peak = graded(place, out, plan)
        told(place, out, plan)
        print(
            f"mixed: {len(plan)} in {seconds:.0f} s, {60 * len(plan) / seconds:.1f} a minute; at most {peak / 1e9:.2f} GB a job"
        )
        first = (out / "gradebook.json").read_bytes()
        seconds, _ = graded(place, out, {})
        same = first == (out / "gradebook.json").read_bytes()
        print(
            f"second run: {seconds:.1f} s, {100 * seconds / len(plan):.2f} s per 100; the same gradebook: {same}"
        )


def graded(place: Path, out: Path, plan: dict[str, str]) -> tuple[float, int]:
    """Plant and grade, in a process of its own as a user would; seconds, and the most memory that one job held."""
    every = kinds(place)
    for student, kind in plan.items():
        plant(place, student, every[kind])
    options = ["--jobs", "2", "--cell-seconds", "10", "--secret", "s", "--require-sandbox"]
    line = [sys.executable, "-c", "from diffusion_course.cli import main; main()", "grade", str(place)]
    started = time.perf_counter()
    process = psutil.Popen([*line, "--out", str(out), *options])
    peaks = [0]
    watch = threading.Thread(target=_watch, args=(process, peaks))
    watch.start()
    code = process.wait()
    watch.join()
    assert code == 0
    return time.perf_counter() - started, max(peaks)


def _watch(process: psutil.Popen, peaks: list[int]) -> None:
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(2)
        try:
            jobs = process.children()
        except psutil.Error:
            return
        for job in jobs:
            total = 0
            try:
                for member in [job, *job.children(recursive=True)]:
                    total += member.memory_full_info().pss
            except psutil.Error:
                continue
            peaks.append(total)


def told(place: Path, out: Path, plan: dict[str, str]) -> None:
    """Compare with what each kind must get, and name those that did not get it."""
    rows = {row["student"]: row for row in json.loads((out / "gradebook.json").read_text())["students"]}
    every, wrong = kinds(place), []
    for student, name in plan.items():
        kind, row = every[name], rows.get(student)
        flags = "\n".join(flag for one in row["files"] for flag in one["look at"]) if row else ""
        if (
            not row
            or row["total"] != kind.points
            or not (re.search(kind.flag, flags) if kind.flag else not flags)
        ):
            wrong.append((student, row and row["total"], flags))
    print(f"{len(rows)} of {len(plan)} students in the gradebook, {len(plan) - len(wrong)} as planned")
    for student, points, flags in wrong:
        print(f"  not as planned: {student}: {points} points, {flags!r}")


if __name__ == "__main__":
    main(*(int(word) for word in [*sys.argv[1:], *["500", "24"][len(sys.argv) - 1 :]]))
