"""What an edition says of an exercise besides its text: points, the marks of a design, and which variant it is. Needs no torch.

Terms are plain data. They stand in the metadata of the exercise's cell, and in its call of `check`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import CourseError, check_integer

ROUNDING = 1e-9
Marks = Sequence[tuple[int, float]]  # (points, the score from which they are given), points rising


def scaled(marks: Marks, points: int) -> Marks:
    """The same scores for `points` in all: shares are rounded down, and a mark without a point of its own goes."""
    most = max((p for p, _ in marks), default=0)
    shares: dict[int, float] = {}
    for p, bar in marks:
        shares.setdefault(p * points // most, bar)
    return tuple((p, bar) for p, bar in shares.items() if p)


def reached(marks: Marks, score: float, lower: bool) -> int:
    """The points of a score; who aims at a mark does not miss it by rounding. lower: is a lower score better?"""
    sign = 1 if lower else -1
    return max((p for p, bar in marks if sign * (score - bar) <= ROUNDING * max(1, abs(bar))), default=0)


def told(marks: Marks, lower: bool) -> str:
    """The marks in words: "2 points from 1.5 down, 4 from 0.75 down"."""
    way = "down" if lower else "up"
    parts = [f"{p} from {bar:g} {way}" for p, bar in marks]
    unit = "point" if marks[0][0] == 1 else "points"
    return ", ".join([parts[0].replace(" ", f" {unit} ", 1), *parts[1:]])


def read_marks(what: str, marks: Mapping[Any, Any], lower: bool) -> Marks:
    """Marks as a points file has them: points -> score. Raises CourseError in one line."""
    if not marks:
        raise CourseError(f"{what}: got no marks, want lines like '2: 0.5', points and score")
    for points, bar in marks.items():
        check_integer(f"{what}: points of a mark", points, 1)
        if type(bar) not in (int, float) or bar != bar:
            raise CourseError(f"{what}: got the score {bar!r} for {points}, want a number")
    found = tuple(sorted((points, float(bar)) for points, bar in marks.items()))
    bars = [bar for _, bar in found]
    if sorted(set(bars), reverse=lower) != bars:
        way = "lower" if lower else "higher"
        raise CourseError(f"{what}: more points want a {way} score, got {told(found, lower)}")
    return found
