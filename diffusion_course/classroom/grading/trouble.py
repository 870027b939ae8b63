"""Why something was not graded, as a kind and a detail; the text is made last, and nothing reads it back."""

from dataclasses import dataclass
from enum import Enum


class Why(Enum):
    """What can be said of an entry, of a file in it, or of the whole folder. The value is the text, after
    "the file"."""

    # A file, or a place, that cannot be read.
    LINK = "is a link; links are not followed"
    SPECIAL = "is {}, not a file"
    FOLDER = "is a folder, not a file"
    UNREADABLE = "cannot be read ({})"
    TOO_LARGE = "has {}"
    DEEP = "holds folders deeper than {}"
    # A zip, or what is in it.
    BROKEN_ZIP = "is a broken zip ({})"
    NESTED = "is a zip in {} other zips; it is not opened"
    TOO_MANY = "holds more than {}; the others are not read"
    ESCAPES = "has a name in the zip that leads out of its folder"
    NO_NAME = "has a name in the zip that no file can have"
    ENCRYPTED = "is encrypted in the zip"
    COMPRESSION = "is compressed in an unusual way; make the zip again"
    DAMAGED = "is damaged in the zip ({})"
    # A notebook without answers.
    NO_TEXT = "{}"
    NO_EXERCISE = "no cell begins with '# EXERCISE ...'; is it a notebook of this course?"
    # What is no notebook.
    ARCHIVE = "is an archive that is not opened; only .zip is"
    OTHER = "is no notebook (.ipynb)"
    NOTHING = "holds no notebook (.ipynb): {}"
    BESIDE = "also holds files that are no notebooks: {}"
    RECEIPT = "is the LMS's own note on an attempt"
    OUTPUT = "is an output folder of grading; it is left out"
    # A notebook that does not count.
    UNTOUCHED = "is as it was handed out"
    NO_CHAPTER = "is a chapter without exercises"
    COURSE = "is the course's own solution"
    SOLUTIONS = "lies in solutions/; what was done in notebooks/ beside it counts"
    LOST = "was lost by the grader itself: please report it"
    # Of no entry alone.
    AROUND = "everything lies in {}: taken as a folder around the students' own"
    SECTIONS = "taken as folders around the students' own: {}"
    SEVERAL = "may be several people, but counts as one: {}"
    MAYBE_ONE = "may be one person: {}"
    UNMATCHED = "the roster's line {} matches nothing"
    UNLISTED = "not in the roster, graded under the names they have: {}"
    ABSENT = "handed in nothing"
    NO_PAGE = "its feedback page could not be written ({})"


# What a full copy of the course brings along, which nobody needs to look at.
QUIET = frozenset({Why.BESIDE, Why.RECEIPT, Why.OUTPUT, Why.UNTOUCHED, Why.NO_CHAPTER, Why.COURSE})


@dataclass(frozen=True)
class Trouble:
    """Why something was not graded. detail: what the kind's text has a place for."""

    why: Why
    detail: str = ""

    def __str__(self) -> str:
        return self.why.value.format(self.detail)

    @property
    def of_a_file(self) -> str:
        """As a sentence about a file."""
        return str(self) if self.why is Why.NO_EXERCISE else f"the file {self}"


class Refused(Exception):
    """Something cannot be read, and why."""

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(why, detail)
        self.trouble = Trouble(why, detail)


def too_large(size: int, most: int) -> Refused:
    """size, most: bytes."""
    return Refused(Why.TOO_LARGE, f"{size / 1e6:.0f} MB; {most / 1e6:.0f} MB is the most")


@dataclass(frozen=True)
class Line:
    """What is told instead of a graded row. entry: where; "" for what is told of no entry alone. student: ""
    where none is known."""

    trouble: Trouble
    entry: str = ""
    student: str = ""
    lms_id: str = ""

    @property
    def loud(self) -> bool:
        """Should a person look at it?"""
        return self.trouble.why not in QUIET

    def as_json(self) -> dict[str, str]:
        return {"entry": self.entry, "student": self.student, "why": str(self.trouble)}

    def __str__(self) -> str:
        about = [self.entry or self.student, f"({self.student})" if self.entry and self.student else ""]
        subject = " ".join(filter(None, about))
        return f"{subject}: {self.trouble}" if subject else str(self.trouble)
