"""The rows of a study that is under way, a line each: what was measured is kept, whenever the process dies."""

import json
import os
from pathlib import Path
from typing import Any

from ...errors import CourseError
from ...files import check_writable
from .. import resume
from .lab import Lab

Row = dict[str, Any]


class Journal:
    """NAME.part.jsonl: a line with the key of the study, then one for each row.

    A line without its end, which a process left that was killed, counts as not written. Raises CourseError for a folder
    that cannot be written, a file that is damaged, and rows that were measured with something else.
    """

    def __init__(self, path: Path, key: dict[str, Any], settings: list[Row], lab: Lab):
        check_writable(path)
        self.path, self.key, self.seconds = path, json.loads(json.dumps(key)), 0.0
        self.held: dict[str, Row] = {}
        known = {name_of(setting) for setting in settings}
        for line in self._lines():
            self._take(line, known)
        self._check_networks(lab)

    def holds(self, setting: Row) -> bool:
        """Is this row measured?"""
        return name_of(setting) in self.held

    def rows(self, settings: list[Row]) -> list[Row]:
        """The rows that are measured, in the order of the settings."""
        return [self.held[name_of(setting)] for setting in settings if self.holds(setting)]

    def add(self, setting: Row, row: Row, seconds: float) -> None:
        """Write a row. It is on the disk when this returns; a disk that is full is told, and the rows before it stay."""
        first = [] if self.path.exists() else [{"key": self.key}]
        text = "".join(
            json.dumps(line) + "\n" for line in (*first, {"setting": setting, "row": row, "seconds": seconds})
        )
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise CourseError(f"cannot write {self.path}: {error.strerror}") from None
        self.held[name_of(setting)] = json.loads(json.dumps(row))
        self.seconds += seconds

    def remove(self) -> None:
        """The results are written: the journal has done its work."""
        self.path.unlink(missing_ok=True)

    def _lines(self) -> list[Any]:
        """The lines after the key. What the last write left unfinished is cut off the file."""
        if not self.path.exists():
            return []
        try:
            content = self.path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            lines = [json.loads(line) for line in whole.splitlines()]
            if whole != content:
                os.truncate(self.path, len(whole))
            if not lines:
                self.path.unlink()
                return []
            changed = resume.differences(self.key, lines[0]["key"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise self._damaged() from None
        if changed:
            raise self._another(resume.told(changed))
        return lines[1:]

    def _take(self, line: Any, known: set[str]) -> None:
        try:
            row, seconds, setting = line["row"], float(line["seconds"]), line["setting"]
            name = name_of(setting)
            sound = name in known and name not in self.held and all(row[k] == v for k, v in setting.items())
        except (KeyError, TypeError, ValueError, AttributeError):
            sound = False
        if not sound:
            raise self._damaged()
        self.held[name] = row
        self.seconds += seconds

    def _check_networks(self, lab: Lab) -> None:
        """Raise CourseError where the weights that rows were measured with are now others."""
        held = {name: value for row in self.held.values() for name, value in row.get("weights", {}).items()}
        if changed := sorted(name for name, value in held.items() if lab.digest(name) not in (value, None)):
            raise self._another(resume.told(changed))

    def _damaged(self) -> CourseError:
        return CourseError(f"results {self.path}: damaged; delete it to start afresh")

    def _another(self, what: str) -> CourseError:
        return CourseError(
            f"results {self.path}: its rows were measured with another {what}; delete it to start afresh"
        )


def name_of(setting: Row) -> str:
    """A setting as text: what a row is found by."""
    return json.dumps(setting, sort_keys=True)


def read_results(path: Path, name: str) -> Any:
    """What NAME.json holds. Raises CourseError when it is not there, or no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CourseError(f"results {name!r}: none yet; run `diffusion-course study {name}`") from None
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, name, error) from None


def damaged(path: Path, name: str, error: Exception) -> CourseError:
    """What to raise for results that cannot be read."""
    return CourseError(f"results {path}: damaged ({error}); run `diffusion-course study {name}`")
