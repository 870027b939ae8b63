"""What a study is, and the one way to run it: row by row, resumable, written whole at the end with its provenance."""

import datetime
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ...errors import CourseError
from ...files import write_atomically
from ..training import device_name

RESULTS = Path(__file__).parent.parent / "results"

Row = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """A table. what: one line on it. settings: one entry a row, of JSON values. measure: (setting, device) -> the row's results."""

    what: str
    settings: list[Row]
    measure: Callable[[Row, torch.device], Row]


@dataclass(frozen=True)
class Results:
    """A table as measured. rows: each a setting and its results in one dictionary; the rest says where it is from."""

    name: str
    what: str
    command: str
    device: str
    torch: str
    date: str
    seconds: float
    rows: list[Row]

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


def run_study(
    name: str, study: Study, out: Path, device: str | None = None, progress: Callable | None = None
) -> Results:
    """Measure every row that is not measured yet, and write `out`/NAME.json.

    An interrupted study leaves its finished rows in NAME.part.json, and goes on from there. device: default CUDA if
    present. progress: wraps the list of settings, e.g. tqdm. Raises CourseError when the folder cannot be written.
    """
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    part = out / f"{name}.part.json"
    rows, seconds = _finished(part)
    done = [{k: v for k, v in row.items() if k in study.settings[0]} for row in rows]
    todo = [setting for setting in study.settings if setting not in done]
    for setting in todo if progress is None else progress(todo):
        started = time.perf_counter()
        rows.append({**setting, **study.measure(setting, where)})
        seconds += time.perf_counter() - started
        _write(part, {"rows": rows, "seconds": seconds})
    results = Results(
        name=name,
        what=study.what,
        command=f"diffusion-course study {name}",
        device=device_name(where),
        torch=torch.__version__,
        date=datetime.date.today().isoformat(),
        seconds=round(seconds, 1),
        rows=sorted(rows, key=lambda row: study.settings.index({k: row[k] for k in study.settings[0]})),
    )
    _write(out / f"{name}.json", asdict(results))
    part.unlink(missing_ok=True)
    return results


def load(name: str, folder: Path = RESULTS) -> Results:
    """The results of a study, as shipped. Raises CourseError when it was not run yet, or the file is damaged."""
    path = folder / f"{name}.json"
    try:
        return Results(**json.loads(path.read_text()))
    except FileNotFoundError:
        raise CourseError(f"results {name!r}: none yet; run `diffusion-course study {name}`") from None
    except (ValueError, TypeError) as error:
        raise CourseError(f"results {path}: damaged ({error}); run `diffusion-course study {name}`") from None


def _finished(part: Path) -> tuple[list[Row], float]:
    if not part.exists():
        return [], 0.0
    try:
        state = json.loads(part.read_text())
        return state["rows"], state["seconds"]
    except (ValueError, KeyError, TypeError):
        raise CourseError(f"results {part}: damaged; delete it to start afresh") from None


def _write(path: Path, content: dict[str, Any]) -> None:
    write_atomically(path, lambda file: file.write(json.dumps(content, indent=1).encode() + b"\n"))
