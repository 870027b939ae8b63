"""An exercise as it is handed out: without its solution, or, of a repair, with a slip in it."""

from collections.abc import Mapping

from ..errors import CourseError
from . import variants
from .checks import Check

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


def handed_out(source: str, check: Check) -> str:
    """The exercise as the student gets it: without the solution; a repair with the course's own slip."""
    return planted(source, check, check.variants[0].edits) if check.repair else blank(source, check.id)


def planted(source: str, check: Check, edits: Mapping[str, str]) -> str:
    """A repair with a slip. What stands between the markers names it, and is left out. Raises CourseError where it does not fit."""
    code = blank(source, check.id, todo=False)
    wrong = variants.plant(code, edits)
    if variants.mend(wrong, edits) != code:
        raise CourseError(f"the slip of {check.id} cannot be mended as it was planted")
    return wrong


def blank(source: str, name: str, todo: bool = True) -> str:
    """The exercise without its solutions. todo: with lines in the place of each that say what to do?"""
    lines, inside, count = [], False, 0
    for line in source.split("\n"):
        marker = line.strip()
        if marker not in (BEGIN, END):
            if marker.startswith((BEGIN, END)):
                raise CourseError(f"a solution marker must stand alone on its line, got {marker!r}")
            if not inside:
                lines.append(line)
            continue
        if inside == (marker == BEGIN):
            raise CourseError(f"{marker!r} without {END if inside else BEGIN!r} before it")
        inside = marker == BEGIN
        count += inside
        if inside and todo:
            indent = line[: len(line) - len(line.lstrip())]
            say = f"Exercise {name} is still to be written: replace this line with your code."
            lines += [f"{indent}# Your code here.", f'{indent}raise NotImplementedError("{say}")']
    if inside:
        raise CourseError(f"{BEGIN!r} without {END!r} after it")
    if not count:
        raise CourseError(f"an exercise needs a solution between {BEGIN!r} and {END!r}")
    return "\n".join(lines)
