"""grades/deadlines.yaml: until when a chapter can be handed in, for whom longer, and what lateness costs.

timezone: Europe/Berlin                  # of times without one; default: this machine's
late: {per_day: 10, most: 50, grace: 15} # percent of the points for each day begun; minutes that cost nothing
file_times: tell                         # or count: a file's own time is no proof, so it only is told
deadlines: {01: 2026-11-03 23:59, 03: 2026-11-10}      # a date alone is the end of that day
extensions: {ann: {01: 2026-11-17}}
submitted: {bob: {01: 2026-11-03 22:10}} # what you know better than the export
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from .. import plain
from ..grading.times import UNKNOWN, HandedIn

NAME = "deadlines.yaml"
KEYS = ("timezone", "late", "file_times", "deadlines", "extensions", "submitted")
WHEN = "a time like 2026-11-03 23:59"
DAY = timedelta(days=1)
Times = Mapping[tuple[str, str], datetime]  # (student, chapter) -> when


@dataclass(frozen=True)
class Judged:
    """percent: of the points that lateness takes. told: to the student. eye: to the instructor."""

    percent: int = 0
    told: str = ""
    eye: str = ""


@dataclass(frozen=True)
class Deadlines:
    """due: chapter -> until when. per_day, most: percent. zone: None is this machine's."""

    due: Mapping[str, datetime]
    extensions: Times = field(default_factory=dict)
    submitted: Times = field(default_factory=dict)
    zone: tzinfo | None = None
    per_day: int = 0
    most: int = 100
    grace: timedelta = timedelta()
    files_count: bool = False

    def judged(self, student: str, chapter: str, handed: HandedIn = UNKNOWN) -> Judged:
        """How late a file is, by the best that is known of it."""
        due = self.extensions.get((student, chapter)) or self.due.get(chapter)
        if due is None:
            return Judged()
        sure = self.submitted.get((student, chapter)) or _in(self.zone, handed.told)
        written = _in(self.zone, handed.written)
        if sure is None and self.files_count:
            sure = written
        if sure is None and handed.late:
            return Judged(
                eye="the LMS says it is late, and not by how much: write the time into deadlines.yaml"
            )
        if sure is None and written is None:
            return Judged(eye="nothing tells when it was handed in")
        if sure is None and written is not None:
            late = written - due
            words = f"by its own time {_length(late)} late, which is no proof: nothing was taken off"
            return Judged(eye=words) if late > self.grace else Judged()
        assert sure is not None
        return self._judged(sure - due, due)

    def _judged(self, late: timedelta, due: datetime) -> Judged:
        if late <= self.grace:
            return Judged()
        percent = min(self.most, self.per_day * -(-late // DAY))
        return Judged(percent, f"handed in {_length(late)} after {due:%Y-%m-%d %H:%M}")


def _in(zone: tzinfo | None, when: datetime | None) -> datetime | None:
    """A time with its zone."""
    if when is None or when.tzinfo:
        return when
    return when.replace(tzinfo=zone) if zone else when.astimezone()


def _length(late: timedelta) -> str:
    """In words, rounded up to minutes: "2 days 3 h", "5 min"."""
    minutes = -(-late // timedelta(minutes=1))
    days, hours = minutes // 1440, minutes % 1440 // 60
    parts = [f"{days} day{'' if days == 1 else 's'}"] if days else []
    parts += [f"{hours} h"] if hours else []
    return " ".join(parts if days else [*parts, *([f"{minutes % 60} min"] if minutes % 60 else [])])


def read(path: Path, students: Collection[str], chapters: Collection[str]) -> Deadlines | None:
    """None where there is no file. Raises CourseError, in one line with the place and the nearest name."""
    root = plain.read("deadlines", path) if path.exists() else None
    if root is None:
        return None
    parts = root.record(KEYS, f"{', '.join(KEYS)}")
    zone = _zone(parts["timezone"]) if "timezone" in parts else None
    late = (
        parts["late"].record(("per_day", "most", "grace"), "per_day, most, grace") if "late" in parts else {}
    )
    every = parts["deadlines"].mapping("lines like '01: 2026-11-03 23:59'") if "deadlines" in parts else {}
    due = {_chapter(node, text, chapters): _time(node, zone) for text, node in every.items()}
    named = {key: _named(parts[key], students, chapters, zone) for key in KEYS[-2:] if key in parts}
    for (student, chapter), (when, node) in named.get("extensions", {}).items():
        if chapter not in due:
            raise node.error(f"an extension for chapter {chapter}, which has no deadline")
        if when < due[chapter]:
            raise node.error(f"the extension of {student} for chapter {chapter} ends before its deadline")
    counts = "file_times" in parts and parts["file_times"].known("choice", ("tell", "count")) == "count"
    return Deadlines(
        due,
        {who: when for who, (when, _) in named.get("extensions", {}).items()},
        {who: when for who, (when, _) in named.get("submitted", {}).items()},
        zone,
        late["per_day"].whole("per_day, in percent", 0, 100) if "per_day" in late else 0,
        late["most"].whole("most, in percent", 0, 100) if "most" in late else 100,
        timedelta(minutes=late["grace"].whole("grace, in minutes", 0, 100_000) if "grace" in late else 0),
        counts,
    )


def _named(
    node: plain.Node, students: Collection[str], chapters: Collection[str], zone: tzinfo | None
) -> dict[tuple[str, str], tuple[datetime, plain.Node]]:
    found = {}
    for student, told in node.mapping("lines like 'ann: {01: 2026-11-17}'").items():
        told.known("student", students, student)
        for text, when in told.mapping("lines like '01: 2026-11-17'").items():
            found[student, _chapter(when, text, chapters)] = (_time(when, zone), when)
    return found


def _chapter(node: plain.Node, text: str, chapters: Collection[str]) -> str:
    return node.known("chapter", chapters, text.zfill(2))


def _time(node: plain.Node, zone: tzinfo | None) -> datetime:
    text = node.text(WHEN)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise node.error(f"want {WHEN}, got {text!r}") from None
    if len(text) == len("2026-11-03"):
        when = datetime.combine(when, time.max)
    made = _in(zone, when)
    assert made is not None
    return made


def _zone(node: plain.Node) -> tzinfo:
    name = node.text("a time zone like Europe/Berlin")
    return ZoneInfo(node.known("time zone", {*available_timezones(), "UTC"}, name))
