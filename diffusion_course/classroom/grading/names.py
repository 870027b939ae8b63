"""Names: what the name of a file or a folder says of its owner, by the forms that Moodle, Canvas and others
give; names as folders."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ...errors import printable
from .. import handout

# "Ann Lee_4711_assignsubmission_file_" is a folder of Moodle's export; without folders its files' names begin
# like this.
MOODLE = re.compile(r"(.+?)_(\d+)_assignsubmission_[a-z]+_?", re.DOTALL)
# "leeann_4711_815_03_epsilon_loss-1": Canvas puts the user and the attachment before the name that a student
# chose.
CANVAS = re.compile(r"(\w+?)_(?:late_)?([1-9]\d*)_([1-9]\d{2,})_", re.IGNORECASE)
# "1001-42 - Ann Lee - Nov 3, 2026 1159 PM": Brightspace puts the user's number first.
BRIGHTSPACE = re.compile(r"(\d+)(?:-\d+)? - (.+?) ?- [^-]*(?<!\d)(?:19|20)\d\d(?!\d)", re.DOTALL)
# "Homework 3_alee_attempt_2026-11-03-23-59-00_x": Blackboard's assignment and user; either may hold an
# underscore.
BLACKBOARD = re.compile(r"(.+?)_attempt_\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d(_|$)", re.DOTALL)
# "alee+03_epsilon_loss+2026-11-03 23:59:00 UTC+q8x": nbgrader's exchange puts the user first, who holds no "+".
NBGRADER = re.compile(r"([^+]+)\+[^+]+\+\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[^+]*(\+|$)")
# "Ann Lee - 03_epsilon_loss": Google Classroom's name of a student's file; by hand it is written in many ways.
FIELD = re.compile(r"(.+) - (.+)", re.DOTALL)
# "drive-download-20261103T235900Z-001": a part of one download from Google Drive.
DOWNLOAD = re.compile(r"(?:.*-)?\d{8}T\d{6}Z(?:-\d+)*", re.DOTALL)
EMAIL = re.compile(
    r"(?:^|(?<=[\s(<\[]))([^\s@/\\<>()\[\],;:\"]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+)(?=$|[\s_)>\]])", re.IGNORECASE
)
# "chapter-03-ann": what GitHub Classroom puts before the user's name, where it says which chapter it is.
ASSIGNMENT = re.compile(
    r"(?:[a-z0-9]+-){0,6}?(?:chapter|ch|week|unit|lab|hw|homework|assignment|exercise)s?-?\d+-(?=.)",
    re.IGNORECASE,
)
USER = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9-]{0,38}"
)  # a GitHub user; longer than that, the prefix was guessed too short
RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)")
DIGEST = re.compile(r"-[0-9a-f]{8}$")
NOTEBOOK = re.compile(
    r"\.ipynb(?:[ _-]{0,3}(?:\(\d+\)|copy|\d{1,3}))?(?:\.(?:txt|json|download))*\s*$", re.IGNORECASE
)
SUFFIX = re.compile(r"(?:\.tar)?\.(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]{1,5}$")
AFTER_MAIL = re.compile(
    r"\.(?:zip|pdf|docx?|py|txt|html?|json|rar|7z|tgz|tar|gz|md|odt|png|jpe?g)$", re.IGNORECASE
)
COPY = re.compile(
    r"(?:[ _-]{0,3}\(\d+\)|[ _-]{0,3}copy\d*|-\d)+$", re.IGNORECASE
)  # what a browser or Jupyter adds
# Words of a file's or folder's name that name the work and not a person.
WORDS = """
a an and answer answers assignment attempt backup ch chapter code colab copia copie copy course data day
ddim ddpm de desktop diffusion docs document documents done download downloads draft edited edm elbo epsilon
exam exercise exercises feedback figures file files final fixed forward grade gradebook grades guidance hand
homework hw images img in index info instructions ipynb kopia kopie lab labs last late lecture license list
loss makefile marks model models module my new noise notebook notebooks of old or output part pictures plots
process project quiz re readme ready requirements resubmission result results roster round rubric sampler
sampling schedule schedules sect section session sheet solution solutions solved solver solvers source src
student students submission submissions submit submitted task test tests the tmp training try tutorial
tutorials unet unit untitled update updated v ver version von vs week work
"""
WORK = frozenset(WORDS.split())
GROUPS = frozenset(("anon", "anonymous", "group", "participant", "pair", "student", "team", "user"))


@dataclass(frozen=True)
class Claim:
    """What a name says of its owner. key: two names that have the same one are surely of one person. lms_id:
    e.g. "moodle:4711".

    name: as the LMS gives it; for Blackboard with the assignment before it, for either may hold an
    underscore.
    """

    key: tuple[str, ...]
    name: str
    lms_id: str = ""


def claim(name: str, canvas: bool = False) -> Claim | None:
    """The owner that the LMS's form of a name tells; None where it has none. canvas: is that form to be
    trusted? See `of_canvas`."""
    bare = stem(name)
    if found := MOODLE.match(bare):
        return Claim(("moodle", normal(found[1]), found[2]), found[1], f"moodle:{found[2]}")
    if found := BRIGHTSPACE.match(bare):
        return Claim(("brightspace", normal(found[2]), found[1]), found[2], f"brightspace:{found[1]}")
    if found := BLACKBOARD.match(bare):
        return Claim(("blackboard", found[1]), found[1])
    if found := NBGRADER.match(bare):
        return Claim(("nbgrader", found[1]), found[1])
    if canvas and (found := CANVAS.match(bare)):
        return Claim(("canvas", normal(found[1]), found[2]), found[1], f"canvas:{found[2]}")
    if mail := email(bare):
        return Claim(("e-mail", mail), mail)
    return None


def of_canvas(names: Collection[str]) -> set[str]:
    """Which names are Canvas's. "lab_1_2026_ann" has its form too, and is not: there an attachment's number
    is never used twice."""
    found = {name: match for name in names if (match := CANVAS.match(stem(name)))}
    times = Counter(match[3] for match in found.values())
    return {
        name
        for name, match in found.items()
        if times[match[3]] == 1 and match[1].lower() not in GROUPS and somebody(match[1])
    }


def email(name: str) -> str:
    """The one e-mail address in a name, without a chapter's name before or after it; "" where there is none,
    or more than one."""
    for chapter in handout.names():
        if name.startswith(chapter) and name[len(chapter) : len(chapter) + 1] in tuple("_- "):
            name = name[len(chapter) + 1 :]
        name = re.split(rf"[_\- ]{chapter}", name)[0]
    found = EMAIL.findall(name)
    return found[0] if len(found) == 1 and name.count("@") == 1 else ""


def field(name: str) -> str:
    """The student's name before that of a chapter as it was handed out; "" where it may be more than that: a
    copy's number may be another student's of the same name."""
    found = FIELD.fullmatch(name.removesuffix(".ipynb")) if name.endswith(".ipynb") else None
    return found[1] if found and found[2] in handout.names() and somebody(found[1]) else ""


def receipt(name: str) -> bool:
    """Is it the text that Blackboard adds to each attempt?"""
    found = BLACKBOARD.fullmatch(name[:-4]) if name.lower().endswith(".txt") else None
    return bool(found)


def is_notebook(name: str) -> bool:
    """By its name; browsers add ".txt" or ".json"."""
    return NOTEBOOK.search(name) is not None


def stem(name: str) -> str:
    """A file's name without its suffixes."""
    if NOTEBOOK.search(name):
        return NOTEBOOK.sub("", name)
    return (AFTER_MAIL if "@" in name else SUFFIX).sub("", name)


def guess(name: str) -> str:
    """A student's name out of that of a file that has no LMS's form: without the chapter's, and what a
    browser adds."""
    return clean(_without_chapter(stem(name)))


def clean(name: str) -> str:
    """A name in one line of visible characters, at most 100; "unnamed" where nothing is left."""
    name = unicodedata.normalize("NFC", printable(name, " ").replace("\ufffd", " "))
    return re.sub(r"\s+", " ", name)[:100].strip(" ._-/\\") or "unnamed"


def normal(name: str) -> str:
    """One form for a name that a disk or a zip may hold in two (NFC and NFD)."""
    return unicodedata.normalize("NFC", name)


def alike(name: str) -> tuple[str, ...]:
    """The same for names that a person may write in several ways: capitals, accents, signs, the order of
    words."""
    bare = "".join(
        c for c in unicodedata.normalize("NFKD", COPY.sub("", name)) if not unicodedata.combining(c)
    )
    return tuple(sorted(re.findall(r"[^\W_]+", bare.casefold())))


def somebody(name: str) -> tuple[str, ...]:
    """The words of a name if they seem to name a person or a group, and not a chapter or a version of the
    work; else ()."""
    bare = stem(name)
    words = () if DOWNLOAD.fullmatch(bare) else alike(_without_chapter(bare))
    parts = _parts(words)
    for part in parts:
        number = part.isdigit() and len(part) > 2 and not re.fullmatch(r"20\d\d", part)
        if number or (not part.isdigit() and part not in WORK and (len(part) > 1 or not part.isascii())):
            return words
    return words if "student" in parts and any(map(str.isdigit, parts)) else ()


def telling(name: str) -> frozenset[str]:
    """The words of a name that can only be a person's or a group's, and no copy's number."""
    parts = _parts(alike(_without_chapter(stem(name))))
    digits = 2 if len(parts) == 1 else 4
    return frozenset(p for p in parts if len(p) > (digits if p.isdigit() else 1) and p not in WORK)


def core(name: str) -> tuple[str, ...]:
    """The words of a name without those of its version: "Ann Lee v2 final" is Ann Lee's, perhaps."""
    return tuple(w for w in alike(name) if not re.fullmatch(r"v\d+", w) and (len(w) == 1 or w not in WORK))


def says_nothing(name: str) -> bool:
    """Does the name of a file name nobody? "Copy of 03_epsilon_loss" does not; numbers and letters tell files
    apart."""
    words = alike(_without_chapter(stem(name)))
    return not somebody(name) and (not words or any(len(w) > 1 and not w.isdigit() for w in words))


def squeezed(name: str) -> str:
    """A name of letters alone, in one word; of an address what is before "+" and "@"."""
    local = re.split(r"[+@]", name)[0] if "@" in name else name
    word = "".join(re.findall(r"[^\W_]+", local.casefold()))
    return word if "@" in name or word.isalpha() else ""


def _parts(words: Iterable[str]) -> list[str]:
    return [part for word in words for part in re.findall(r"\d+|[^\W\d]+", word)]


def common_prefix(repositories: Collection[str]) -> list[str]:
    """What GitHub Classroom put before the users' names, longest first: "diffusion-" of "diffusion-ann" and
    "diffusion-bob".

    A prefix that ends with a chapter's number is known by itself, another one by what all repositories share.
    What is left must be a GitHub user's name. It changes what is shown, never who is who.
    """
    numbered = {name: match[0] for name in repositories if (match := ASSIGNMENT.match(name))}
    others = [name.split("-") for name in repositories if name not in numbered]
    shared = 0
    while len(others) > 1 and all(len(w) > shared + 1 and w[shared] == others[0][shared] for w in others):
        shared += 1
    found = {*numbered.values(), *(["-".join(others[0][:shared]) + "-"] if shared else [])}
    return sorted(found, key=lambda prefix: (-len(prefix), prefix))


def without_prefix(repository: str, prefixes: Collection[str]) -> str:
    """The user of a repository; the whole name where what is left cannot be one."""
    left = next((repository.removeprefix(p) for p in prefixes if repository.startswith(p)), repository)
    return left if USER.fullmatch(left) else repository


def safe(name: str) -> str:
    """A student's name as a folder's, on every system; two names never share one, not even where capitals do
    not count.

    A name that had to change gets a digest of the original, and so does one that looks as if it had one.
    """
    plain = re.sub(r"[^\w.@+-]+", "_", name.casefold())[:40].strip("._-") or "unnamed"
    kept = plain == unicodedata.normalize("NFC", name) == name
    if kept and not RESERVED.match(plain) and not DIGEST.search(plain):
        return plain
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{'_' if RESERVED.match(plain) else ''}{plain}-{digest}"


def chapter_of(name: str) -> str:
    """The chapter that a file's name tells: "03" for "03_epsilon_loss (1).ipynb"; "" where it names none of
    the course."""
    numbers = re.findall(r"(?<!\d)(\d\d)(?=_[a-z])", name.lower())
    return next((n for n in reversed(numbers) if n in _known()), "")


def _known() -> frozenset[str]:
    return frozenset(chapter[:2] for chapter in handout.names())


def _without_chapter(bare: str) -> str:
    """A file's name without any chapter's, e.g. "03_epsilon_loss", and without what a browser adds, e.g. "
    (1)"."""
    for chapter in handout.names():
        bare = bare.replace(chapter, " ")
    return COPY.sub("", bare)
