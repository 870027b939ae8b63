"""How to grade: everything that changes a mark besides the submission and the release."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .sandbox import Isolation, Limits


@dataclass(frozen=True)
class Rules:
    """A stored mark counts only under the rules that made it.

    secret: hidden seeds are made of it. library: what becomes of an answer that calls the course's own function for the exercise:
    "flag" keeps its points and tells, "zero" takes them, "allow" says nothing. shares: exercise -> hint of a known mistake -> points.
    """

    secret: str
    library: str = "flag"
    isolation: Isolation = field(default_factory=lambda: Isolation("limits"))
    limits: Limits = field(default_factory=Limits)
    shares: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
