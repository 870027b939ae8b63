"""The entries under one name at the top: each notebook, and each thing that might have been one, with its
content or why not.

What is in a student's zip, and in zips within it, is read as if it lay in a folder. Nothing large is read.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from ...errors import printable
from . import names, walk, zips
from .trouble import Refused, Trouble, Why
from .walk import Item, Parts

LARGEST = 20_000_000  # bytes of a notebook; the course's own stay below 1.5 MB
ZIP = 100_000_000  # bytes of a zip within a zip, which is unpacked into memory
DISK = 10_000_000_000  # bytes of a zip on the disk, which is not
MOST = 50  # notebooks in the zips of one place, and zips in it
MEMBERS = 20_000  # files in a student's zip
NESTED = 3  # zips within one another
PEEKED = 100  # files of one place that are looked into, since their names do not say what they are
ARCHIVES = (
    ".tar",
    ".tgz",
    ".gz",
    ".bz2",
    ".tbz2",
    ".xz",
    ".txz",
    ".zst",
    ".7z",
    ".rar",
    ".zipx",
    ".iso",
    ".dmg",
    ".lz4",
)


@dataclass(frozen=True)
class Entry:
    """parts: where, by raw names. notebook: is it to be graded? trouble: why it cannot be, or, of what is no
    notebook, what it is.

    inside: the folders around all, which are not in `parts`. folder: does parts[0] hold files? copy: which of
    several files of one name in a zip. covers: the files that this entry is about, where it is one for
    several. written: the file's own time.
    """

    parts: Parts
    content: bytes = b""
    notebook: bool = False
    trouble: Trouble | None = None
    inside: Parts = ()
    folder: bool = False
    copy: int = 0
    covers: tuple[Parts, ...] = ()
    written: datetime | None = None

    @property
    def place(self) -> Parts:
        """Where, from the folder of submissions on."""
        return (*self.inside, *self.parts)


class Place:
    """The entries under one name at the top: a student's folder or zip, or a file."""

    def __init__(self, group: list[Item], noise: Counter[str]) -> None:
        self.group, self.noise = group, noise
        self.head, self.inside = group[0].parts[0], group[0].inside
        self.folder = any(len(item.parts) > 1 or (item.open is None and not item.trouble) for item in group)
        self.others: list[Parts] = []
        self.notebooks = self.zips = self.peeked = 0
        self.copies: Counter[Parts] = Counter()

    def __iter__(self) -> Iterator[Entry]:
        told = False
        for item in self.group:
            if item.noise and len(item.parts) == 1:
                return
            for entry in self._of(item, 0):
                self.copies[entry.parts] += 1
                yield replace(
                    entry, inside=self.inside, folder=self.folder, copy=self.copies[entry.parts] - 1
                )
                told = True
        if not told or self.others:
            yield replace(self._rest(told), inside=self.inside, folder=self.folder)

    def _rest(self, told: bool) -> Entry:
        """One entry for all that is no notebook here."""
        if self.others == [(self.head,)] and not self.zips:
            return Entry((self.head,), trouble=Trouble(_kind(self.head)))
        more = f" and {len(self.others) - 5} more" if len(self.others) > 5 else ""
        empty = "only a system's own files" if any(i.noise for i in self.group) else "it is empty"
        shown = ["/".join(parts[1:]) or self.head for parts in self.others[:5]]
        named = ", ".join(map(printable, shown)) + more if shown else empty
        trouble = Trouble(Why.BESIDE if told else Why.NOTHING, named)
        return Entry((self.head,), trouble=trouble, covers=tuple(self.others))

    def _of(self, item: Item, level: int) -> Iterator[Entry]:
        name = item.parts[-1]
        if item.noise:
            self.noise[name] += level > 0
        elif item.trouble:
            yield Entry(item.parts, trouble=item.trouble)
        elif item.open is None:
            if names.is_notebook(name) and len(item.parts) > 1:
                yield Entry(item.parts, trouble=Trouble(Why.FOLDER))
        elif names.is_notebook(name):
            yield self._notebook(item)
        elif name.lower().endswith(".zip"):
            yield from self._zip(item, level)
        else:
            yield from self._other(item)

    def _notebook(self, item: Item) -> Entry:
        try:
            return Entry(item.parts, _read(item), True, written=item.written)
        except Refused as refused:
            return Entry(item.parts, notebook=True, trouble=refused.trouble)

    def _other(self, item: Item) -> Iterator[Entry]:
        """A file by another name: what is no plain file is told, a notebook is found by what is in it."""
        try:
            if item.check:
                item.check()
            content = self._peeked(item)
        except Refused as refused:
            yield Entry(item.parts, trouble=refused.trouble)
            return
        if content is None:
            self.others.append(item.parts)
        else:
            yield Entry(item.parts, content, True, written=item.written)

    def _peeked(self, item: Item) -> bytes | None:
        """The content of a notebook that is named .json or .txt, or without a suffix. None: it is none."""
        if Path(item.parts[-1]).suffix.lower() not in ("", ".json", ".txt") or self.peeked == PEEKED:
            return None
        self.peeked += 1
        assert item.open is not None
        try:
            with item.open(LARGEST) as file:
                content = file.read(4096)
                if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"{":
                    return None
                content += file.read(LARGEST)
            made = json.loads(content.decode("utf-8-sig"))
        except Refused as refused:
            if refused.trouble.why in (Why.TOO_LARGE, Why.COMPRESSION):
                return None
            raise
        except (OSError, ValueError, RecursionError):
            return None
        known = isinstance(made, dict) and "nbformat" in made and ("cells" in made or "worksheets" in made)
        return content if known else None

    def _zip(self, item: Item, level: int) -> Iterator[Entry]:
        if level >= NESTED:
            yield Entry(item.parts, trouble=Trouble(Why.NESTED, str(level)))
            return
        self.zips += 1
        if self.zips > MOST:
            yield Entry(item.parts, trouble=Trouble(Why.TOO_MANY, f"{MOST} zips"))
            return
        try:
            with ExitStack() as stack:
                inner = members(stack, item)
                if len(inner) > MEMBERS:
                    raise Refused(Why.TOO_MANY, f"{MEMBERS:,} files")
                if not any(not one.noise for one in inner):
                    self.others.append(item.parts)
                yield from self._unzipped(item, inner, level)
        except Refused as refused:
            yield Entry(item.parts, trouble=refused.trouble)

    def _unzipped(self, item: Item, inner: list[Item], level: int) -> Iterator[Entry]:
        for one in inner:
            if names.is_notebook(one.parts[-1]) and one.open:
                self.notebooks += 1
                if self.notebooks > MOST:
                    raise Refused(Why.TOO_MANY, f"{MOST} notebooks")
            yield from self._of(replace(one, parts=(*item.parts, *one.parts)), level + 1)


def members(stack: ExitStack, item: Item) -> list[Item]:
    """What is in a zip, readable while the stack is open. Raises Refused."""
    assert item.open is not None
    file = stack.enter_context(item.open(ZIP if item.packed else DISK))
    return list(walk.members(zips.opened(file)))


def _read(item: Item) -> bytes:
    assert item.open is not None
    try:
        with item.open(LARGEST) as file:
            return file.read()
    except OSError as error:
        raise Refused(Why.UNREADABLE, error.strerror or type(error).__name__) from None


def _kind(name: str) -> Why:
    if name.lower().endswith(ARCHIVES):
        return Why.ARCHIVE
    return Why.RECEIPT if names.receipt(name) else Why.OTHER
