"""Whose each entry is, by its names and by a roster; and what is guessed about the whole, for a person to
know."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from ...errors import printable
from . import names, people
from .choosing import Held
from .entries import Entry
from .intake import Intake
from .people import Key, Person
from .roster import Roster
from .trouble import Line, Trouble, Why
from .walk import Parts


def owned(held: list[Held], intake: Intake, roster: Roster | None) -> list[Held]:
    """The same entries, each with its person."""
    heads = {one.entry.parts[0] for one in held}
    repositories = {one.entry.parts[0] for one in held if one.entry.parts[1:2] == ("notebooks",)}
    owners = people.Owners(heads, repositories)
    found = []
    for one in held:
        entry = one.entry
        section = below(entry, intake)[: -len(entry.parts)]
        copy = (
            entry.copy if len(entry.parts) == 1 else 0
        )  # within one person's, a name that is there twice is theirs
        person = owners.of(entry.parts[0], entry.folder, copy, section)
        found.append(replace(one, person=_by_roster(one, person, _places(one, intake), roster)))
    return found


def _by_roster(one: Held, person: Person, places: list[Parts], roster: Roster | None) -> Person:
    if roster is None:
        return person
    row = roster.match(places)
    if row is None and one.entry.covers:
        rows = {found.student: found for p in one.entry.covers if (found := roster.match([p]))}
        row = next(iter(rows.values())) if len(rows) == 1 else None
    student = row.student if row else roster.of_id(person.lms_id)
    if not student:
        return person
    number = roster.students[student][1] or person.lms_id
    return Person(("roster", student), student, student, number)


def _places(one: Held, intake: Intake) -> list[Parts]:
    """Where an entry lies, as a roster may name it: with the folder around all, without it, without its
    section, or as it is shown."""
    entry = one.entry
    return [entry.place, below(entry, intake), entry.parts, tuple(one.path.rstrip("/").split("/"))]


def below(entry: Entry, intake: Intake) -> Parts:
    """Where an entry lies, below the folder around all."""
    around = len(intake.around)
    return entry.place[around:] if entry.inside[:around] == intake.around else entry.place


def names_somebody(one: Held) -> bool:
    """Can the student of what is no notebook be told? "readme.txt" tells none."""
    return one.person.key[0] != "file" or bool(names.somebody(one.entry.parts[0]))


def remarks(held: list[Held], intake: Intake, known: Iterable[Person], shown: dict[Key, str]) -> list[Line]:
    """What is guessed about the whole, for a person to know."""
    lines = []
    if intake.around:
        lines.append(Line(Trouble(Why.AROUND, printable("/".join(intake.around)))))
    if intake.sections:
        lines.append(Line(Trouble(Why.SECTIONS, _some(intake.sections, ", "))))
    for key, within in _several(held, intake).items():
        lines.append(Line(Trouble(Why.SEVERAL, _some(within, ", ")), student=shown[key]))
    for group in people.maybe_one(known):
        lines.append(Line(Trouble(Why.MAYBE_ONE, _some(sorted(shown[key] for key in group)))))
    return lines


def _several(held: list[Held], intake: Intake) -> dict[Key, list[str]]:
    """Who may be several people -> their names. A roster has settled it for those it names."""
    owners: dict[Parts, set[Key]] = {}
    for one in held:
        if one.submission:
            place = (*one.entry.inside, one.entry.parts[0])
            owners.setdefault(place, set()).add(one.person.key)
    return {
        key: within
        for place, within in intake.several.items()
        for key in owners.get(place, ())
        if len(owners[place]) == 1 and key[0] != "roster"
    }


def _some(names: Collection[str], between: str = "; ") -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return between.join(map(printable, list(names)[:10])) + more


def unmatched(held: list[Held], intake: Intake, roster: Roster, present: set[str]) -> list[Line]:
    """What a roster holds and the submissions do not, and the other way round."""
    places = [place for one in held for place in _places(one, intake)]
    places += [parts for one in held for parts in one.entry.covers]
    lines = [
        Line(Trouble(Why.UNMATCHED, f"{row.line} ({printable('/'.join(row.file))})"), student=row.student)
        for row in roster.unmatched(places)
    ]
    own = [one.path for one in held if one.submission and one.person.key[0] != "roster"]
    if own:
        lines.append(Line(Trouble(Why.UNLISTED, _some(own))))
    return lines + [Line(Trouble(Why.ABSENT), student=s) for s in roster.students if s not in present]
