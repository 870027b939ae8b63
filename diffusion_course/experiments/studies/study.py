"""What a study is, and the one way to run it: row by row, resumable, written whole at the end with its provenance."""

import datetime
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ... import devices
from ...errors import CourseError
from ...files import check_writable, write_json
from .. import resume

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

    An interrupted study leaves its finished rows in NAME.part.json, and goes on from there, if it is still the same study:
    settings, code, weights, device and torch. device: default CUDA if present. progress: wraps the list of settings, e.g. tqdm.
    Raises CourseError, before any row is measured, for a device that cannot be had, a folder that cannot be written, and rows
    of another study.
    """
    where = devices.choose(device)
    key: dict[str, Any] = {
        "settings": _by_name(study.settings),
        "device": devices.device_name(where),
        "torch": torch.__version__,
        **resume.code(),
        **resume.weights(),
    }
    part = out / f"{name}.part.json"
    check_writable(part)
    rows, seconds = _finished(part, key, study.settings)
    todo = study.settings[len(rows) :]
    for setting in todo if progress is None else progress(todo):
        started = time.perf_counter()
        rows.append({**setting, **study.measure(setting, where)})
        seconds += time.perf_counter() - started
        write_json(part, {"key": key, "rows": rows, "seconds": seconds})
    results = Results(
        name=name,
        what=study.what,
        command=f"diffusion-course study {name}",
        device=key["device"],
        torch=torch.__version__,
        date=datetime.date.today().isoformat(),
        seconds=round(seconds, 1),
        rows=rows,
    )
    write_json(out / f"{name}.json", asdict(results))
    part.unlink(missing_ok=True)
    return results


def load(name: str, folder: Path = RESULTS) -> Results:
    """The results of a study, as shipped. Raises CourseError when it was not run yet, or the file is damaged."""
    path = folder / f"{name}.json"
    try:
        return Results(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise CourseError(f"results {name!r}: none yet; run `diffusion-course study {name}`") from None
    except (ValueError, TypeError) as error:
        raise CourseError(f"results {path}: damaged ({error}); run `diffusion-course study {name}`") from None


def _by_name(settings: list[Row]) -> dict[str, list[Any]]:
    """The columns of a table of settings, so that a difference has a name."""
    names = sorted({name for setting in settings for name in setting})
    return {name: [setting.get(name) for setting in settings] for name in names}


def _finished(part: Path, key: dict[str, Any], settings: list[Row]) -> tuple[list[Row], float]:
    """The rows that are measured, in the order of the settings, and the seconds they took."""
    if not part.exists():
        return [], 0.0
    try:
        state = json.loads(part.read_text(encoding="utf-8"))
        rows, seconds = state["rows"], float(state["seconds"])
        changed = resume.differences(json.loads(json.dumps(key)), state["key"])
        pairs = zip(rows, settings[: len(rows)], strict=True)
        sound = changed or all(
            row[name] == value for row, setting in pairs for name, value in setting.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise CourseError(f"results {part}: damaged; delete it to start afresh")
    if changed:
        raise CourseError(
            f"results {part}: its rows were measured with another {resume.told(changed)}; delete it to start afresh"
        )
    return rows, seconds
