"""Folders and zips at the top that are around several people's, and are no student: a section, a week, an
export; and those that only may be."""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from . import names
from .walk import Item, Parts

Groups = dict[str, list[Item]]
Listing = Callable[[Item], list[Item]]


def without(items: Sequence[Item], listed: Listing, zipped: Listing) -> tuple[list[Item], list[str]]:
    """The items without the folders and zips at the top that are around several people's; and their names.

    listed: what is in a zip, to look at. zipped: the same, to be read later. Two people in one row is the
    worst mistake: a name that names nobody is no student where those in it name somebody.
    """
    views = {head: inside(group, listed) for head, group in grouped(live(items)).items()}
    heads = _all_are_sections(items) or [head for head, view in views.items() if _is_section(head, view)]
    found = []
    for item in items:
        if item.parts[0] not in heads:
            found.append(item)
        elif len(item.parts) > 1:
            found.append(below(item))
        elif is_zip(item):
            found += [replace(i, inside=(*item.inside, item.parts[0])) for i in zipped(item)]
        else:
            found.append(item)
    return found, sorted(heads)


def several(items: Sequence[Item], listed: Listing) -> dict[Parts, list[str]]:
    """Folders and zips at the top, from the folder of submissions on, that may hold several people's files ->
    names in them."""
    places: dict[Parts, list[Item]] = defaultdict(list)
    for item in items:
        places[(*item.inside, item.parts[0])].append(item)
    found = {}
    for place, group in places.items():
        within = inside(group, listed)
        if within and not of_lms(place[-1]) and (people := _sure(within) or _different(place[-1], within)):
            found[place] = people
    return found


def surely(items: Sequence[Item], listed: Listing) -> bool:
    """Is a folder or zip at the top surely around several people's?"""
    views = {head: inside(group, listed) for head, group in grouped(live(items)).items() if not of_lms(head)}
    return any(
        _sure(view) or (not names.somebody(head) and _different(head, view)) for head, view in views.items()
    )


def _all_are_sections(items: Sequence[Item]) -> list[str]:
    """The folders at the top, where each holds folders only and one of them surely several people's."""
    groups = grouped(live(items))
    able = {head: group for head, group in groups.items() if any(map(candidate, group))}
    flat = any(len(item.parts) == 2 and candidate(item) for group in able.values() for item in group)
    if flat or not all(map(is_folder, able.values())) or any(map(_is_copy, able.values())):
        return []
    sure = any(not of_lms(head) and _sure([*map(below, group)]) for head, group in able.items())
    return list(able) if sure else []


def _is_section(head: str, within: Sequence[Item]) -> bool:
    """Does every name in it have the form of an LMS, and not of one person? Or does its own name nobody, and
    one in it somebody? "01" or "A" may be a student: in it, two must be named."""
    able = _able(within)
    if not able or of_lms(head) or "notebooks" in able:
        return False
    claims = {told.key for name in able if (told := names.claim(name))}
    if len(claims) > 1 and all(map(of_lms, able)):
        return True
    if names.somebody(head):
        return len(able) > 1 and len(names.of_canvas(able)) == len(able)
    worded = any(len(word) > 1 and not word.isdigit() for word in names.alike(names.stem(head)))
    return any(map(names.somebody, able)) if worded else bool(_different(head, within))


def same_file(groups: Groups) -> bool:
    """Is a notebook of one name in several of these folders? One person's folders hold different chapters, or
    versions."""
    found: dict[str, set[str]] = defaultdict(set)
    for head, group in groups.items():
        if is_folder(group) and set(names.alike(head)) - names.WORK:
            for item in filter(candidate, group):
                found[item.parts[-1]].add(head)
    return any(len(heads) > 1 for heads in found.values())


def _sure(within: Sequence[Item]) -> list[str]:
    """Names of people, where several are sure to be meant: by the LMS's forms, or one notebook's name in
    several people's folders."""
    able = _able(within)
    by_lms = [head for head in able if of_lms(head)]
    by_file = [head for head in able if names.somebody(head) and is_folder(able[head])]
    if len(by_lms) > 1:
        return by_lms
    return by_file if len(by_file) > 1 and same_file({head: able[head] for head in by_file}) else []


def _different(head: str, within: Sequence[Item]) -> list[str]:
    """Names of files which share no word with each other nor with their folder: its members', perhaps."""
    own, found = names.telling(head), dict[str, frozenset[str]]()
    for name, group in _able(within).items():
        words = names.telling(name)
        if words and not is_folder(group) and not any(words & others for others in (own, *found.values())):
            found[name] = words
    return sorted(found) if len(found) > 1 else []


def inside(group: Sequence[Item], listed: Listing) -> list[Item]:
    """What is in a folder or in a zip at the top; nothing where it is neither."""
    if len(group) == 1 and is_zip(group[0]):
        return listed(group[0])
    return [below(item) for item in group if len(item.parts) > 1]


def _able(items: Sequence[Item]) -> Groups:
    return {head: group for head, group in grouped(live(items)).items() if any(map(candidate, group))}


def _is_copy(group: Sequence[Item]) -> bool:
    """Is it a copy of the course, with its folder of notebooks?"""
    return any(item.parts[1:2] == ("notebooks",) for item in group)


def of_lms(head: str) -> bool:
    return names.claim(head) is not None


def candidate(item: Item) -> bool:
    return not item.noise and (names.is_notebook(item.parts[-1]) or item.parts[-1].lower().endswith(".zip"))


def is_zip(item: Item) -> bool:
    return len(item.parts) == 1 and item.open is not None and item.parts[0].lower().endswith(".zip")


def is_folder(group: Collection[Item]) -> bool:
    first = next(iter(group))
    return any(len(item.parts) > 1 for item in group) or (first.open is None and first.trouble is None)


def below(item: Item) -> Item:
    return replace(item, parts=item.parts[1:], inside=(*item.inside, item.parts[0]))


def live(items: Sequence[Item]) -> list[Item]:
    return [item for item in items if not item.noise]


def grouped(items: Sequence[Item]) -> Groups:
    groups: Groups = {}
    for item in items:
        groups.setdefault(item.parts[0], []).append(item)
    return groups
