"""When something was handed in, as far as an export tells: by the names of an LMS, which are its own word, or by a file's own time.

A file's time is no proof: whoever has a file can set it, and unpacking or copying may change it.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from . import names

# The systems whose names tell a time, each in the form that `names.claim` knows it by.
FORMS = {
    # "Homework 3_alee_attempt_2026-11-03-23-59-00_x", in the time of its server.
    "blackboard": re.compile(r"_attempt_(\d{4})-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)"),
    # "alee+03_epsilon_loss+2026-11-03 23:59:00 UTC+q8x", as nbgrader's exchange names it.
    "nbgrader": re.compile(r"\+(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.\d+)? (UTC|GMT|[+-]\d{4})"),
    # "1001-42 - Ann Lee - Nov 3, 2026 1159 PM", in the time of its server.
    "brightspace": re.compile(r" - ([A-Z][a-z]{2})[a-z]* (\d{1,2}), (\d{4}) (\d{1,2}):?(\d\d) ?([AP]M)"),
}
# "leeann_LATE_4711_815_…" of Canvas, which does not say by how much.
CANVAS = re.compile(r"\w+?_(late_)?[1-9]\d*_[1-9]\d{2,}_", re.IGNORECASE)


@dataclass(frozen=True)
class HandedIn:
    """told: what the LMS says, by a name. written: the file's own time. Without a zone, either is the server's. late: does the LMS say that?"""

    told: datetime | None = None
    written: datetime | None = None
    late: bool = False


UNKNOWN = HandedIn()


def of(name: str, written: datetime | None) -> HandedIn:
    """name: the one that says whose it is. What lies below it a student may have named."""
    canvas = CANVAS.match(name)
    return HandedIn(_told(name), written, bool(canvas and canvas[1]))


def _told(name: str) -> datetime | None:
    claim = names.claim(name)
    system = claim.key[0] if claim else ""
    found = FORMS[system].search(name) if system in FORMS else None
    if found is None:
        return None
    try:
        if system == "brightspace":
            return datetime.strptime(" ".join(found.groups()), "%b %d %Y %I %M %p")
        zone = found[7].replace("UTC", "+0000").replace("GMT", "+0000") if system == "nbgrader" else ""
        return datetime.strptime(
            " ".join(found.groups()[:6]) + zone, "%Y %m %d %H %M %S" + ("%z" if zone else "")
        )
    except ValueError:  # a day that there is not
        return None
