"""The course's own prose as a text to learn: its plain sentences, in lower case, as tokens.

`course-prose.txt` beside this file is a snapshot of what `collect` found, so that what a network learned stays known while chapters change:
`python -m diffusion_course.experiments.prose CHECKOUT` writes it anew, and then the weights must be trained again.
"""

import ast
import hashlib
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from ..errors import CourseError, check_integer
from ..files import write_text

SNAPSHOT = Path(__file__).with_name("course-prose.txt")
VOCABULARY = " abcdefghijklmnopqrstuvwxyz.,:;?!'()-\n"
"""Character i is state i. A paragraph ends in a newline."""


def encode(text: str) -> Tensor:
    """(len(text),) int64. Raises CourseError for a character outside of the vocabulary."""
    strange = sorted(set(text) - set(VOCABULARY))
    if strange:
        raise CourseError(f"text: got the character {strange[0]!r}, want only those of {VOCABULARY!r}")
    return torch.tensor([VOCABULARY.index(letter) for letter in text], dtype=torch.int64)


def decode(tokens: Tensor, hidden: str = "_") -> list[str]:
    """(B, L) -> B strings; `hidden` stands where a token is hidden."""
    letters = VOCABULARY + hidden
    return ["".join(letters[i] for i in row) for row in tokens.tolist()]


@cache
def snapshot() -> str:
    """The text that networks are trained on."""
    return SNAPSHOT.read_text(encoding="utf-8")


def digest() -> str:
    """The first 12 hexadecimal digits of the snapshot's SHA-256."""
    return hashlib.sha256(snapshot().encode()).hexdigest()[:12]


def windows(split: str, length: int) -> Tensor:
    """Pieces of the text, (N, length) int64. Of the training text each place begins one; those of the test text do not overlap.

    Every tenth paragraph is test text. Raises CourseError for a length that no text has.
    """
    paragraphs = snapshot().splitlines(keepends=True)
    kept = [p for i, p in enumerate(paragraphs) if (i % 10 == 9) == (split == "test")]
    tokens = encode("".join(kept))
    check_integer("length", length, 1, len(tokens))
    return tokens.unfold(0, length, length if split == "test" else 1)


def collect(root: Path) -> str:
    """The prose of a checkout: texts of the chapters, README and CONTRIBUTING, and what code says in strings; a paragraph a line, each once.

    Of each paragraph the sentences that are plain: words in backticks count as words, formulas, numbers and other code do not.
    """
    found = dict.fromkeys(filter(None, map(_plain, _paragraphs(root))))
    return "".join(f"{paragraph}\n" for paragraph in found)


def _paragraphs(root: Path) -> Iterator[str]:
    for path in sorted((root / "solutions").glob("*.py")):
        for cell in re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
            if cell.startswith(" [markdown]"):
                yield from _split(re.sub(r"^# ?", "", cell.partition("\n")[2], flags=re.M))
    for name in ("README.md", "CONTRIBUTING.md"):
        yield from _split((root / name).read_text(encoding="utf-8"))
    for folder in ("diffusion_course", "tests"):
        for path in sorted((root / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield from _split(node.value)


def _split(text: str) -> list[str]:
    """Paragraphs, items of lists and headings apart; code and displayed formulas left out."""
    text = re.sub(r"```.*?```|\$\$.*?\$\$|^    .*$", "", text, flags=re.S | re.M)
    return re.split(r"\n\s*\n|\n(?=\s*(?:[-*#|]|\d+\.) ?)", text)


def _plain(paragraph: str) -> str:
    text = re.sub(r"^[#*\s-]+|^\d+\.|\*", "", paragraph)
    text = re.sub(r"`([A-Za-z_]+)`", lambda found: found[1].replace("_", " "), text)
    sentences = re.split(r"(?<=[.?!])(?<!al\.|eq\.|\.g\.|\.e\.)\s+", " ".join(text.split()))
    return " ".join(
        s.lower() for s in sentences if re.fullmatch(r"[a-z ,:;'()-]+[.?!]", s.lower()) and " " in s
    )


if __name__ == "__main__":
    write_text(SNAPSHOT, collect(Path(sys.argv[1])))
