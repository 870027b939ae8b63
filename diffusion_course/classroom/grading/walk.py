"""Everything in a folder or a .zip, listed by raw names: links, pipes and what cannot be read are told and
never opened."""

import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ...errors import CourseError, printable
from . import names, zips
from .trouble import Refused, Trouble, Why, too_large

Parts = tuple[str, ...]
DEEPEST = 40  # folders within folders
LISTED = 5_000  # folders below those, in which names are looked for
# What systems and tools leave behind: nobody hands it in.
LEFT = """
.DS_Store .fseventsd .git .gitattributes .github .gitignore .gitkeep .idea .ipynb_checkpoints .localized
.mypy_cache .pytest_cache .ruff_cache .Spotlight-V100 .TemporaryItems .Trashes .venv .vscode __MACOSX
__pycache__ .progress.json.lock desktop.ini ehthumbs.db node_modules progress.json Thumbs.db $RECYCLE.BIN
"""
NOISE = frozenset(LEFT.casefold().split()) | {"system volume information", "icon\r"}
# The files of an output folder; the two that it is recognised by, and all that lie in it.
OURS = frozenset({"gradebook.json", "graded"})
OUTPUT = OURS | {"gradebook.csv", "summary.html", "secret.txt", "feedback", "grading.lock"}
OUTPUT |= {"marks.yaml", "to_mark.yaml", "deadlines.yaml", "similar.html", "defence"}


@dataclass(frozen=True)
class Item:
    """One thing at `parts` below the folder of submissions. open(most bytes) raises Refused; None: an empty
    folder, or `trouble` says.

    check() raises Refused for what must not be opened. packed: opening unpacks it into memory. noise: it is
    known to be nobody's. inside: the folders around all, which are not in `parts`. written: the file's own time.
    """

    parts: Parts
    open: Callable[[int], BinaryIO] | None = None
    check: Callable[[], None] | None = None
    packed: bool = False
    trouble: Trouble | None = None
    noise: bool = False
    inside: Parts = ()
    written: datetime | None = None


def folder(where: Path, leave_out: tuple[Path, ...] = ()) -> Iterator[Item]:
    """Everything below a folder. leave_out: files and folders that are not looked at. Raises CourseError when
    it cannot be read."""
    out = {place for path in leave_out if (place := _place(path))}
    failed: list[OSError] = []
    for here, folders, files in os.walk(where, onerror=failed.append):
        below = Path(here).relative_to(where).parts
        while failed:
            yield _unread(where, failed.pop())
        ours = {*folders, *files} >= OURS or (not below and _place(Path(here)) in out)
        if ours and below:
            yield Item(below, trouble=Trouble(Why.OUTPUT))
            folders.clear()
            continue
        if below and not folders and not files:
            yield Item(below)
        kept = []
        for name in sorted(folders):
            path, parts = Path(here, name), (*below, name)
            if _is_noise(name) or (ours and name in OUTPUT) or _place(path) in out:
                yield Item(parts, noise=True)
            elif path.is_symlink():
                yield Item(parts, trouble=Trouble(Why.LINK))
            elif len(parts) > DEEPEST:
                yield Item(parts, trouble=_deep(_notebooks_below(path)))
            else:
                kept.append(name)
        folders[:] = kept
        for name in files:
            path, parts = Path(here, name), (*below, name)
            noise = _is_noise(name) or (ours and name in OUTPUT) or _place(path) in out
            yield (
                Item(parts, noise=True)
                if noise
                else Item(parts, partial(_from_disk, path), partial(_plain, path), written=_changed(path))
            )
    while failed:
        yield _unread(where, failed.pop())


def members(archive: zipfile.ZipFile) -> Iterator[Item]:
    """Everything in a zip, in the order of its parts."""
    found: dict[Parts, list[Item]] = {}
    deep: dict[Parts, list[str]] = {}
    seen = set()  # a zip may list one and the same member a thousand times
    for entry in archive.infolist():
        written = zips.name(entry)
        parts = zips.steps(written)
        if not parts or (parts, entry.header_offset) in seen:
            continue
        seen.add((parts, entry.header_offset))
        noise = next((i for i, step in enumerate(parts) if _is_noise(step)), None)
        if noise is not None:
            found[parts[: noise + 1]] = [Item(parts[: noise + 1], noise=True)]
        elif len(parts) > DEEPEST:
            deep.setdefault(parts[:DEEPEST], []).extend(parts[-1:] if names.is_notebook(parts[-1]) else [])
        elif written.endswith(("/", "\\")):
            found.setdefault(parts, [Item(parts)])
        else:
            there = [item for item in found.get(parts, []) if item.open]
            opened, check = partial(zips.content, archive, entry), partial(zips.check, entry)
            written_at = zips.changed(entry)
            found[parts] = [*there, Item(parts, opened, check, packed=True, written=written_at)]
    for parts, below in deep.items():
        found[parts] = [Item(parts, trouble=_deep(below))]
    filled = {parts[:i] for parts in found for i in range(1, len(parts))}
    for parts in sorted(found):
        if parts not in filled or any(item.open or item.noise for item in found[parts]):
            yield from found[parts]


def _deep(notebooks: list[str]) -> Trouble:
    more = f" and {len(notebooks) - 5} more" if len(notebooks) > 5 else ""
    named = f": {', '.join(map(printable, notebooks[:5]))}{more}" if notebooks else ""
    return Trouble(Why.DEEP, f"{DEEPEST} levels; what lies below is not read{named}")


def _notebooks_below(path: Path) -> list[str]:
    """Names of notebooks that lie too deep to be read: they may tell whose they are."""
    found, left = [], [str(path)]
    for _ in range(LISTED):
        if not left:
            break
        with suppress(OSError), os.scandir(left.pop()) as inside:
            for one in inside:
                if one.is_dir(follow_symlinks=False):
                    left.append(one.path)
                elif names.is_notebook(one.name):
                    found.append(one.name)
    return found


def _from_disk(path: Path, most: int) -> BinaryIO:
    """A plain file, opened. A pipe would wait for ever, a link may lead anywhere: what it is, is asked before
    and after opening."""
    try:
        _check(path.lstat(), most)
        flags = (
            os.O_RDONLY
            | getattr(os, "O_NOFOLLOW", 0)
            | getattr(os, "O_NONBLOCK", 0)
            | getattr(os, "O_BINARY", 0)
        )
        file = os.fdopen(os.open(path, flags), "rb")
    except OSError as error:
        raise Refused(Why.UNREADABLE, error.strerror or type(error).__name__) from None
    try:
        _check(os.fstat(file.fileno()), most)
    except Refused:
        file.close()
        raise
    return file


def _plain(path: Path) -> None:
    try:
        _check(path.lstat())
    except OSError as error:
        raise Refused(Why.UNREADABLE, error.strerror or type(error).__name__) from None


def _check(facts: os.stat_result, most: int | None = None) -> None:
    mode = facts.st_mode
    if stat.S_ISLNK(mode):
        raise Refused(Why.LINK)
    if stat.S_ISDIR(mode):
        raise Refused(Why.FOLDER)
    if not stat.S_ISREG(mode):
        kind = "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
        raise Refused(Why.SPECIAL, kind)
    if most is not None and facts.st_size > most:
        raise too_large(facts.st_size, most)


def _unread(where: Path, error: OSError) -> Item:
    """A folder that os.walk could not list."""
    reason = error.strerror or type(error).__name__
    below = Path(error.filename).relative_to(where).parts
    if not below:
        raise CourseError(f"submissions: {where} cannot be read ({reason})")
    return Item(below, trouble=Trouble(Why.UNREADABLE, reason))


def _changed(path: Path) -> datetime | None:
    with suppress(OSError, ValueError, OverflowError):
        return datetime.fromtimestamp(path.lstat().st_mtime, UTC)
    return None


def _place(path: Path) -> tuple[int, int] | None:
    """What a file or folder is, under whatever name."""
    try:
        facts = path.lstat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _is_noise(name: str) -> bool:
    return name.casefold() in NOISE or name.startswith(("._", ".~lock.", "~$"))
