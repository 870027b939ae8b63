"""What was handed in: a folder or a .zip of submissions, from its top names to the entries under each.

Nothing is extracted to the disk, no link is followed.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ...errors import CourseError
from . import around, sections, walk, zips
from .entries import Entry, Place, members
from .trouble import Refused
from .walk import Item, Parts


@dataclass
class Intake:
    """What is read from a folder of submissions. around: the folders around all. sections: those at the top
    that are around several people's. several: those that may be. noise: names that are known to be nobody's.
    """

    where: Path
    leave_out: tuple[Path, ...] = ()
    around: Parts = ()
    sections: list[str] = field(default_factory=list)
    several: dict[Parts, list[str]] = field(default_factory=dict)
    noise: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[Entry]:
        """Raises CourseError when there is no such folder, or the .zip is broken."""
        with ExitStack() as stack:
            items, stem = self._items(stack)
            zipped = partial(_look, stack)
            items, self.around = around.unwrapped(items, _listed, zipped, stem)
            items, self.sections = sections.without(items, _listed, zipped)
            self.several = sections.several(items, _listed)
            for item in items:
                if item.noise:
                    self.noise[item.parts[-1]] += 1
            places: dict[Parts, list[Item]] = {}
            for item in sorted(items, key=lambda one: (one.inside, one.parts)):
                places.setdefault((*item.inside, item.parts[0]), []).append(item)
            for group in places.values():
                yield from Place(group, self.noise)

    def _items(self, stack: ExitStack) -> tuple[list[Item], str]:
        where = self.where
        if where.is_dir():
            return list(walk.folder(where, self.leave_out)), ""
        if not (where.is_file() and where.suffix.lower() == ".zip"):
            raise CourseError(f"submissions: {where} is neither a folder nor a .zip")
        try:
            archive = zips.opened(stack.enter_context(where.open("rb")))
        except OSError as error:
            raise CourseError(f"submissions: {where} cannot be read ({error.strerror})") from None
        except Refused as error:
            raise CourseError(
                f"submissions: {where} {error.trouble}; download it again, or unpack it and give the folder"
            ) from None
        return list(walk.members(archive)), where.stem


def _look(stack: ExitStack, item: Item) -> list[Item]:
    """What is in a zip; nothing where it cannot be opened, which is told later."""
    with suppress(Refused):
        return members(stack, item) if item.open else []
    return []


def _listed(item: Item) -> list[Item]:
    """What is in a zip, without holding it open: there may be thousands."""
    with ExitStack() as stack:
        return _look(stack, item)
