"""What a study is, and the one way to run it: row by row, resumable, written whole at the end with its provenance."""

import datetime
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from ... import __version__, devices
from ...errors import CourseError
from ...files import write_json
from .. import resume
from . import journal
from .lab import RUNS, SEEDS, Lab, Missing
from .seeds import summary

RESULTS = Path(__file__).parent.parent / "results"

Row = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """A table. what: one line on it. settings: one entry a row, of JSON values. measure: (setting, lab) -> the row's results.

    A setting's "training seed" is that of its network, 0 where it has none; "seed" is that of the samples' noise.
    """

    what: str
    settings: list[Row]
    measure: Callable[[Row, Lab], Row]


@dataclass(frozen=True)
class Results:
    """A table as measured. rows: each a setting and its results in one dictionary; the rest says where it is from.

    summary: the rows of all training seeds in one, see `seeds`. missing: a line for each thing that rows were left out for.
    version: of the course, and a digest of all code that measures; "" in files from before there was one.
    """

    name: str
    what: str
    command: str
    device: str
    torch: str
    date: str
    seconds: float
    rows: list[Row]
    version: str = ""
    missing: list[str] = field(default_factory=list)
    summary: list[Row] = field(default_factory=list)

    def where(self, **wanted: Any) -> list[Row]:
        """The rows that hold these values. Raises CourseError if there is none, since a typo would give an empty figure."""
        found = [row for row in self.rows if all(row.get(k) == v for k, v in wanted.items())]
        if not found:
            raise CourseError(f"results {self.name!r}: no row has {wanted}")
        return found

    def one(self, **wanted: Any) -> Row:
        """The only row that holds these values. Raises CourseError if there is none, or more."""
        found = self.where(**wanted)
        if len(found) > 1:
            raise CourseError(f"results {self.name!r}: {len(found)} rows have {wanted}; want one")
        return found[0]

    def shipped(self) -> "Results":
        """The same table with the rows of the networks that ship, training seed 0, alone."""
        return replace(self, rows=[row for row in self.rows if row.get("training seed", 0) == 0])

    def over_seeds(self) -> "Results":
        """The same table with one row for all training seeds: what `seeds.summary` makes of them."""
        return replace(self, rows=self.summary)


def for_seeds(settings: Iterable[Row], seeds: Sequence[int] = SEEDS) -> list[Row]:
    """Each setting once for each training seed, with noise of its own, so that the rows of two seeds are independent."""
    every = list(settings)
    return [{**setting, "training seed": seed, "seed": seed} for seed in seeds for setting in every]


def run_study(
    name: str,
    study: Study,
    out: Path,
    lab: Lab,
    progress: Callable | None = None,
    say: Callable[[str], Any] = lambda line: None,
    command: str | None = None,
) -> Results:
    """Measure every row that is not measured yet, and write `out`/NAME.json, if there is a row.

    A row is on the disk as soon as it is measured, in NAME.part.jsonl. There an interrupted study goes on, and one whose networks
    were not all there, if it is still the same study: settings, code, weights, device and torch. progress: wraps the list of
    settings, e.g. tqdm. say: takes a line for each thing that is missing. command: what made it, for the file.
    Raises CourseError, before any row is measured, for a folder that cannot be written and rows of another study.
    """
    key: dict[str, Any] = {
        "settings": _by_name(study.settings),
        "device": devices.device_name(lab.device),
        "torch": torch.__version__,
        **resume.code(),
        **resume.weights(),
    }
    part = journal.Journal(out / f"{name}.part.jsonl", key, study.settings, lab)
    missing: dict[str, None] = {}  # lines, each once, in order
    todo = [setting for setting in study.settings if not part.holds(setting)]
    for setting in todo if progress is None else progress(todo):
        started = time.perf_counter()
        lab.used.clear()
        try:
            measured = study.measure(setting, lab)
        except Missing as error:
            missing[str(error)] = None
            continue
        row = {**setting, **measured, "weights": dict(lab.used)}
        part.add(setting, row, time.perf_counter() - started)
    for line in missing:
        say(line)
    rows = part.rows(study.settings)
    results = Results(
        name=name,
        what=study.what,
        command=command or f"diffusion-course study {name}",
        device=key["device"],
        torch=torch.__version__,
        date=datetime.date.today().isoformat(),
        seconds=round(part.seconds, 1),
        rows=rows,
        version=f"{__version__}, code {_digest()}",
        missing=[_anywhere(line, lab.runs) for line in missing],
        summary=summary(rows, study.settings),
    )
    if rows:
        write_json(out / f"{name}.json", asdict(results))
    if not missing:
        part.remove()
    return results


def load(name: str, folder: Path = RESULTS) -> Results:
    """The results of a study, as shipped. Raises CourseError when it was not run yet, or the file is damaged."""
    path = folder / f"{name}.json"
    content = journal.read_results(path, name)
    try:
        return Results(**content)
    except TypeError as error:
        raise journal.damaged(path, name, error) from None


def _digest() -> str:
    """All code that measures, as one word."""
    return hashlib.sha256(json.dumps(resume.code(), sort_keys=True).encode()).hexdigest()[:12]


def _anywhere(line: str, runs: Path) -> str:
    """A line for the file: where the folder of runs lies on this machine is nobody's business."""
    return line.replace(str(runs), RUNS.as_posix()) if runs.is_absolute() else line


def _by_name(settings: list[Row]) -> dict[str, list[Any]]:
    """The columns of a table of settings, so that a difference has a name."""
    names = sorted({name for setting in settings for name in setting})
    return {name: [setting.get(name) for setting in settings] for name in names}
