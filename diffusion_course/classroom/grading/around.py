"""The folder around all: exports and zips often come in a folder of their own, which is no student."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from . import names
from .walk import Item, Parts

LEVELS = 10
Groups = dict[str, list[Item]]


def unwrapped(
    items: Sequence[Item], zipped: Callable[[Item], list[Item]], stem: str = ""
) -> tuple[list[Item], Parts]:
    """The items without the folders, or the zip, around all of them; and what those are.

    zipped: the items in a zip. stem: of the zip that `items` are in. One folder at the top is a student's, or
    one around all. It is taken as around all where what lies in it seems to be of several people: a class
    that becomes one student is the worse mistake.
    """
    inside: Parts = ()
    for _ in range(LEVELS):
        head, within, others = _only(items, zipped)
        if not head or _of_lms(head) or not (_people(within) or (head == stem and _nested(within))):
            break
        inside = (*inside, head)
        items = [*within, *others]
        stem = ""
    return _without_sections(items), inside


def _without_sections(items: Sequence[Item]) -> list[Item]:
    """The items without the folders at the top, where each is around several people's: a section, a week."""
    groups = _groups([item for item in items if not item.noise])
    able = [group for group in groups.values() if any(map(_candidate, group))]
    flat = any(len(item.parts) == 2 and _candidate(item) for group in able for item in group)
    if flat or not all(map(_is_folder, able)) or any(_is_copy(group) for group in able) or not several(items):
        return list(items)
    heads = {group[0].parts[0] for group in able}
    return [_below(i) if i.parts[0] in heads and len(i.parts) > 1 else i for i in items]


def several(items: Sequence[Item]) -> dict[str, list[str]]:
    """Folders at the top that seem to hold several people's files -> names in them."""
    found = {}
    for head, group in _groups(items).items():
        within = [_below(item) for item in group if len(item.parts) > 1]
        if len(within) == len(group) and not _of_lms(head) and (people := _strong(_groups(within))):
            found[head] = people
    return found


def _only(items: Sequence[Item], zipped: Callable[[Item], list[Item]]) -> tuple[str, list[Item], list[Item]]:
    """The one folder or zip at the top that can hold submissions, what is in it, and the other items. ""
    where it is not one."""
    groups = _groups([item for item in items if not item.noise])
    able = [h for h, group in groups.items() if _is_folder(group) or any(map(_candidate, group))]
    if len(able) != 1:
        return "", [], []
    head = able[0]
    others = [item for item in items if item.parts[0] != head]
    if _is_folder(groups[head]):
        return head, [_below(item) for item in items if item.parts[0] == head and len(item.parts) > 1], others
    if head.lower().endswith(".zip"):
        (archive, *more) = groups[head]
        return (
            (head, [replace(i, inside=(*archive.inside, head)) for i in zipped(archive)], others)
            if not more
            else ("", [], [])
        )
    return "", [], []


def _people(items: Sequence[Item]) -> bool:
    """Does what lies here seem to be of several people?"""
    groups = _groups([item for item in items if not item.noise])
    if "notebooks" in groups:
        return False
    able = {head: group for head, group in groups.items() if any(map(_candidate, group))}
    able = able or {head: group for head, group in groups.items() if _is_folder(group)}
    if sum(map(_of_lms, able)) > 1 or len(names.of_canvas(able)) > 1:
        return True
    if len(groups) == 1 and able:
        (group,) = able.values()
        return _is_folder(group) and _people([_below(item) for item in group if len(item.parts) > 1])
    named = {names.somebody(head) for head in able} - {()}
    return len(named) > 1 or _same_file(able) or bool(several(items))


def _same_file(groups: Groups) -> bool:
    """Is a notebook of one name in several of these folders? One person's folders hold different chapters, or
    versions."""
    found: dict[str, set[str]] = defaultdict(set)
    for head, group in groups.items():
        if _is_folder(group) and set(names.alike(head)) - names.WORK:
            for item in filter(_candidate, group):
                found[item.parts[-1]].add(head)
    return any(len(heads) > 1 for heads in found.values())


def _strong(groups: Groups) -> list[str]:
    """Names of people, where several are sure to be meant: by the LMS's forms, or one notebook's name in
    several people's folders."""
    able = {head: group for head, group in groups.items() if any(map(_candidate, group))}
    by_lms = [head for head in able if _of_lms(head)]
    by_file = [head for head in able if names.somebody(head) and _is_folder(able[head])]
    if len(by_lms) > 1:
        return by_lms
    return by_file if len(by_file) > 1 and _same_file({head: able[head] for head in by_file}) else []


def _of_lms(head: str) -> bool:
    return names.claim(head) is not None


def _is_copy(group: Sequence[Item]) -> bool:
    """Is it a copy of the course, with its folder of notebooks?"""
    return any(item.parts[1:2] == ("notebooks",) for item in group)


def _nested(items: Sequence[Item]) -> bool:
    return any(len(item.parts) > 1 for item in items)


def _candidate(item: Item) -> bool:
    return names.is_notebook(item.parts[-1]) or item.parts[-1].lower().endswith(".zip")


def _is_folder(group: Sequence[Item]) -> bool:
    return any(len(item.parts) > 1 for item in group) or (group[0].open is None and group[0].trouble is None)


def _below(item: Item) -> Item:
    return replace(item, parts=item.parts[1:], inside=(*item.inside, item.parts[0]))


def _groups(items: Sequence[Item]) -> Groups:
    groups: Groups = {}
    for item in items:
        groups.setdefault(item.parts[0], []).append(item)
    return groups
