"""Who is who. What is not surely one person stays two: `key` decides, by raw names; what is shown is made
from it and kept unique."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ...errors import printable
from . import names

Key = tuple[str, ...]
# Two of one kind with different keys are two people; Moodle's numbers are those of one export.
SURE = ("moodle", "brightspace", "canvas", "roster")
LONGEST = 100  # characters of a name that is shown


@dataclass(frozen=True)
class Person:
    """key: the same for what is surely one person's. name: shown where no other person has it. raw: the name
    it was made from. section: the folders that it lies in, where not all do."""

    key: Key
    name: str
    raw: str
    lms_id: str = ""
    section: Key = ()


class Owners:
    """The owner of each top name in a folder of submissions.

    heads: the names at the top. repositories: those of them that are copies of the course, as GitHub
    Classroom makes them.
    """

    def __init__(self, heads: Collection[str], repositories: Collection[str]) -> None:
        self._canvas = names.of_canvas(heads)
        self._prefixes = names.common_prefix(repositories)
        claims = [told for head in heads if (told := names.claim(head))]
        self._assignment = _shared({told.name for told in claims if told.key[0] == "blackboard"})

    def of(self, head: str, folder: bool, copy: int = 0, section: Key = ()) -> Person:
        """folder: does `head` hold files, or is it one? copy: which of several files of the same name in a
        zip. section: the folders that `head` lies in, where not all do."""
        zipped = head.lower().endswith(".zip")
        told = names.claim(head, head in self._canvas and (zipped or not folder))
        if told and told.key[0] == "blackboard":
            return Person(
                told.key, names.clean("_".join(told.name.split("_")[self._assignment :])), told.name
            )
        if told:
            return Person(told.key, names.clean(told.name), told.name, told.lms_id, section)
        if folder and not zipped:
            shown = names.without_prefix(head, self._prefixes)
            return Person(("folder", *section, head), names.clean(shown), "/".join((*section, head)))
        if field := names.field(head):
            return Person(
                ("field", str(copy), *section, field), names.clean(field), "/".join((*section, head))
            )
        return Person(("file", str(copy), *section, head), names.guess(head), "/".join((*section, head)))


def _shared(fields: Collection[str]) -> int:
    """How many words of Blackboard's names are the assignment's: what all begin with; of a single one all but
    the last."""
    split = [field.split("_") for field in sorted(fields)]
    if len(split) == 1:
        return len(split[0]) - 1
    most = min((len(words) for words in split), default=1) - 1
    return next((n for n in range(most) if len({words[n] for words in split}) > 1), most)


def shown(people: Iterable[Person], graded: Collection[Key] = ()) -> dict[Key, str]:
    """A name for each person, no two alike: as short as it can be, else with the LMS's number, the whole raw
    name, or a digest.

    graded: those who keep their short name before the others. Who is in a roster keeps the name that it
    gives.
    """
    known = {person.key: person for person in people}
    rank = {key: 2 if key[0] == "roster" else int(key in graded) for key in known}
    level = dict.fromkeys(known, 0)
    while True:
        made = {key: _at(person, level[key]) for key, person in known.items()}
        groups = defaultdict(list)
        for key, name in made.items():
            groups[" ".join(name.split())].append(key)
        alike = [group for group in groups.values() if len(group) > 1]
        if not alike:
            return made
        for group in alike:
            lowest = min(rank[key] for key in group)
            for key in group:
                level[key] += rank[key] == lowest


def _at(person: Person, level: int) -> str:
    number = person.lms_id.rpartition(":")[2]
    if level == 0 or person.key[0] == "roster":
        return person.name
    if level == 1:
        return f"{person.name} {number}" if number else whole(person.raw)
    digest = hashlib.sha256("\0".join(person.key).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{whole(person.raw)} [{digest[: 4 * level]}]"


def whole(name: str) -> str:
    """A raw name in one visible line, shortened in the middle: long titles differ at their ends."""
    line = " ".join(names.normal(printable(name)).split()) or "unnamed"
    return line if len(line) <= LONGEST else f"{line[:60]}…{line[-39:]}"


def maybe_one(people: Iterable[Person]) -> list[list[Key]]:
    """Groups of people who may be one: their names differ only in what a person, a disk or a browser changes,
    or say nothing."""
    groups: dict[tuple[str, ...], list[Person]] = {}
    for person in {p.key: p for p in people}.values():
        hints = _hints(person)
        joined = [person]
        for group in {id(groups[hint]): groups[hint] for hint in hints if hint in groups}.values():
            joined += group
        hints |= {hint for one in joined[1:] for hint in _hints(one)}
        groups |= dict.fromkeys(hints, joined)
    found = [group for group in {id(g): g for g in groups.values()}.values() if len(group) > 1]
    return [[p.key for p in group] for group in found if not _told_apart(group)]


def _hints(person: Person) -> set[tuple[str, ...]]:
    """Who has one of them in common may be one person."""
    hints = {("words", *names.alike(person.name)), ("core", *names.core(person.name))}
    hints.add(("squeezed", names.squeezed(person.name)))
    if person.key[0] == "file" and names.says_nothing(person.key[-1]):
        hints.add(("nothing", ""))
    return {hint for hint in hints if hint not in (("core",), ("squeezed", ""))}


def _told_apart(group: list[Person]) -> bool:
    """One LMS gave all of them, and numbers of their own."""
    kinds = {p.key[0] for p in group}
    one_export = kinds != {"moodle"} or len({p.section for p in group}) == 1
    return len(kinds) == 1 and kinds <= set(SURE) and one_export
