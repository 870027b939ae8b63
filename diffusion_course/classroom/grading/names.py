"""Names: whose file it is, by the names that Moodle, Canvas and GitHub Classroom give; and a student's name as a folder."""

import hashlib
import re
import unicodedata
from collections.abc import Collection
from pathlib import PurePosixPath

from .. import handout

# "Ann Lee_4711_assignsubmission_file_" is a folder of Moodle's export; without folders its files' names begin like this.
MOODLE = re.compile(r"(.+?)_(\d+)_assignsubmission_[a-z]+_?")
# "leeann_4711_815_03_epsilon_loss-1": Canvas puts the user and the attachment before the name that a student chose.
CANVAS = re.compile(r"(.+?)_(?:late_)?(\d+)_\d{3,}_", re.IGNORECASE)
# "chapter-03-ann": what GitHub Classroom puts before the user's name, where it says which chapter it is.
ASSIGNMENT = re.compile(
    r"(?:[a-z0-9]+-)*?(?:chapter|ch|week|unit|lab|hw|homework|assignment|exercise)s?-?\d+-(?=.)",
    re.IGNORECASE,
)
RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)")
DIGEST = re.compile(r"-[0-9a-f]{8}$")


def owner(parts: tuple[str, ...], prefix: str = "") -> tuple[str, str]:
    """(student, id) of a file at `parts` below the folder of submissions.

    Only the first part counts: what lies deeper was named by the student. prefix: of the repositories, see `common_prefix`. The id
    is "moodle:4711", a participant, or "canvas:4711", a user; "" where the name holds none.
    """
    first = parts[0]
    if len(parts) == 1 or first.lower().endswith(".zip"):
        first = PurePosixPath(first).stem
        found = CANVAS.match(first)
        if found:
            return clean(found[1]), f"canvas:{found[2]}"
    found = MOODLE.match(first)
    if found:
        return clean(found[1]), f"moodle:{found[2]}"
    if len(parts) > 1:
        return clean(first.removeprefix(prefix)), ""
    return clean(re.sub(r"(^|[_\- ])\d\d(_(?!\d)[a-z]+)*(?=[_\- ]|$)", " ", _without_chapter(first))), ""


def clean(name: str) -> str:
    """A name in one line of visible characters, at most 100; "unnamed" where nothing is left."""
    name = unicodedata.normalize("NFC", printable(name, " ").replace("\ufffd", " "))
    return re.sub(r"\s+", " ", name)[:100].strip(" ._-/\\") or "unnamed"


def printable(text: str, instead: str = "\ufffd") -> str:
    """Text without control characters, invisible formatting and halves of surrogate pairs."""
    return "".join(instead if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in text)


def common_prefix(repositories: Collection[str]) -> list[str]:
    """What GitHub Classroom put before the users' names, longest first: "diffusion-" of "diffusion-ann" and "diffusion-bob".

    A prefix that ends with a chapter's number is known by itself, another one by what all repositories share.
    """
    numbered = {name: match[0] for name in repositories if (match := ASSIGNMENT.match(name))}
    others = [name.split("-") for name in repositories if name not in numbered]
    shared = 0
    while len(others) > 1 and all(len(w) > shared + 1 and w[shared] == others[0][shared] for w in others):
        shared += 1
    found = {*numbered.values(), *(["-".join(others[0][:shared]) + "-"] if shared else [])}
    return sorted(found, key=lambda prefix: (-len(prefix), prefix))


def safe(name: str) -> str:
    """A student's name as a folder's, on every system; two names never share one, not even where capitals do not count.

    A name that had to change gets a digest of the original, and so does one that looks as if it had one.
    """
    plain = re.sub(r"[^\w.@+-]+", "_", name.casefold())[:40].strip("._-") or "unnamed"
    kept = plain == unicodedata.normalize("NFC", name) == name
    if kept and not RESERVED.match(plain) and not DIGEST.search(plain):
        return plain
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{'_' if RESERVED.match(plain) else ''}{plain}-{digest}"


def chapter_of(name: str) -> str:
    """The chapter that a file's name tells: "03" for "03_epsilon_loss (1).ipynb"; "" where it names none of the course."""
    numbers = re.findall(r"(?<!\d)(\d\d)(?=_[a-z])", name.lower())
    known = {chapter[:2] for chapter in handout.names()}
    return next((n for n in reversed(numbers) if n in known), "")


def _without_chapter(stem: str) -> str:
    """A file's name without any chapter's, e.g. "03_epsilon_loss", and without what a browser adds, e.g. " (1)"."""
    for chapter in handout.names():
        stem = stem.replace(chapter, " ")
    return re.sub(r"[ (\[-]+\d*[)\]]*$", "", stem)
