"""Points for known mistakes: points.yaml names a mistake by a piece of its hint, and a check knows which one it saw."""

from collections.abc import Mapping

from ...errors import CourseError, nearest
from .. import handout
from ..points_file import Lines


def resolved(
    shares: Mapping[str, Lines], exercises: Mapping[str, handout.Exercise]
) -> dict[str, dict[str, int]]:
    """Exercise -> whole hint of a mistake -> points. exercises: those of the edition.

    Raises CourseError for a piece that is in no hint or in several, and for points that are all of them.
    """
    if not shares:
        return {}
    from ..checks import TASKS  # loads torch

    found: dict[str, dict[str, int]] = {}
    for e, told in shares.items():
        if e not in exercises:
            continue  # of a chapter that this edition does not have
        check = TASKS[e].under(**exercises[e].terms)
        if check.rubric:
            raise CourseError(f"--points: {e} is marked by a person; it takes a rubric, and no shares")
        if check.score:
            raise CourseError(
                f"--points: {e} is a design, whose marks give part of the points; it takes no shares"
            )
        hints = list(dict.fromkeys(mutant.hint for mutant in check.mutants))
        found[e] = {
            _hint(e, piece, hints): _fits(e, piece, points, check.points) for piece, points in told.items()
        }
        if len(found[e]) < len(told):
            raise CourseError(f"--points: {e}: two of its shares are of one mistake")
    return found


def _hint(exercise: str, piece: str, hints: list[str]) -> str:
    """The one hint that is the piece, or begins with it, or has it: hints of two mistakes hold those of each, and come last."""
    word = piece.casefold()
    named = (
        [hint for hint in hints if hint.casefold() == word]
        or [hint for hint in hints if hint.casefold().startswith(word)]
        or [hint for hint in hints if word in hint.casefold()]
    )
    if not named:
        short = {hint[: max(len(piece), 20)]: hint for hint in hints}
        raise CourseError(
            f"--points: {exercise}: no mistake has {piece!r} in its hint{nearest(piece, short)}; "
            f"`diffusion-course mistakes {exercise}` lists them"
        )
    if len(named) > 1:
        raise CourseError(
            f"--points: {exercise}: {piece!r} is in the hints of {len(named)} mistakes, as in {named[0]!r} and {named[1]!r}; "
            "write the beginning of the one that is meant"
        )
    return named[0]


def _fits(exercise: str, piece: str, points: int, of: int) -> int:
    if points >= of:
        raise CourseError(f"--points: {exercise}: {points} points for {piece!r}, want fewer than its {of}")
    return points
