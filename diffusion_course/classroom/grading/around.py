"""The folder around all: exports and zips often come in a folder of their own, which is no student."""

from collections.abc import Sequence
from dataclasses import replace

from . import names, sections
from .sections import Listing, below, grouped, is_folder, live
from .walk import Item, Parts

LEVELS = 10


def unwrapped(
    items: Sequence[Item], listed: Listing, zipped: Listing, stem: str = ""
) -> tuple[list[Item], Parts]:
    """The items without the folders, or the zip, around all of them; and what those are.

    listed: what is in a zip, to look at. zipped: the same, to be read later. stem: of the zip that `items` are in. One folder at the top is a student's, or
    one around all. It is taken as around all where what lies in it seems to be of several people: a class
    that becomes one student is the worse mistake.
    """
    inside: Parts = ()
    for _ in range(LEVELS):
        head, within, others = _only(items, zipped)
        if (
            not head
            or sections.of_lms(head)
            or not (_people(within, listed) or (head == stem and _nested(within)))
        ):
            break
        inside = (*inside, head)
        items = [*within, *others]
        stem = ""
    return list(items), inside


def _only(items: Sequence[Item], zipped: Listing) -> tuple[str, list[Item], list[Item]]:
    """The one folder or zip at the top that can hold submissions, what is in it, and the other items. ""
    where it is not one."""
    groups = grouped(live(items))
    able = [h for h, group in groups.items() if is_folder(group) or any(map(sections.candidate, group))]
    if len(able) != 1:
        return "", [], []
    head = able[0]
    others = [item for item in items if item.parts[0] != head]
    if is_folder(groups[head]):
        return head, [below(item) for item in items if item.parts[0] == head and len(item.parts) > 1], others
    if head.lower().endswith(".zip"):
        (archive, *more) = groups[head]
        return (
            (head, [replace(i, inside=(*archive.inside, head)) for i in zipped(archive)], others)
            if not more
            else ("", [], [])
        )
    return "", [], []


def _people(items: Sequence[Item], listed: Listing) -> bool:
    """Does what lies here seem to be of several people?"""
    groups = grouped(live(items))
    if "notebooks" in groups:
        return False
    able = {head: group for head, group in groups.items() if any(map(sections.candidate, group))}
    able = able or {head: group for head, group in groups.items() if is_folder(group)}
    if sum(map(sections.of_lms, able)) > 1 or len(names.of_canvas(able)) > 1:
        return True
    if len(groups) == 1 and able:
        (group,) = able.values()
        return is_folder(group) and _people([below(item) for item in group if len(item.parts) > 1], listed)
    named = {names.somebody(head) for head in able} - {()}
    return len(named) > 1 or sections.same_file(able) or sections.surely(items, listed)


def _nested(items: Sequence[Item]) -> bool:
    return any(len(item.parts) > 1 for item in items)
