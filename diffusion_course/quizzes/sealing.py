"""Quiz files: from a plain draft to the sealed file that is shipped, and back.

A draft is YAML. In each question the options come in order; the right one is marked `right`, the others `wrong`:

    01-q1:
      question: How much is 1 + 1?
      options:
        - {wrong: "1", why: You counted one of them.}
        - {right: "2", why: One and one.}

The sealed file keeps the question and the options' texts, a random salt, and a hash of salt, id and right option. Each
`why` is enciphered with a key made from salt, id and its own option: it can be read by who tries the option. This hides
answers from a reader of the file, not from a person who writes a loop.

    python -m diffusion_course.quizzes seal draft.yaml 01.yaml
    python -m diffusion_course.quizzes draft 01.yaml         prints the draft again, to edit it
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import yaml

from ..errors import CourseError
from ..files import write_text

Question = dict[str, Any]


def is_right(id: str, entry: Mapping[str, Any], letter: str) -> bool:
    """Whether the option is the right one of the sealed question `entry`."""
    return bool(_digest(entry["salt"], id, letter) == entry["answer"])


def unseal(id: str, entry: Mapping[str, Any], letter: str) -> str:
    """What the author says about an option of the sealed question `entry`."""
    data = base64.b64decode(entry["options"][letter]["sealed"])
    return _cipher(data, entry["salt"], id, letter).decode("utf-8")


def seal(id: str, draft: Mapping[str, Any], salt: str | None = None) -> Question:
    """The sealed form of one question of a draft. Raises CourseError unless it has one right option and no blanks."""
    salt = salt or secrets.token_hex(8)
    marks = [
        next((m for m in ("right", "wrong") if m in option), None) for option in draft.get("options", [])
    ]
    if marks.count("right") != 1 or None in marks or len(marks) < 2:
        raise CourseError(f"{id}: want two or more options marked right or wrong, exactly one of them right")
    if not draft.get("question") or not all(option.get("why") for option in draft["options"]):
        raise CourseError(f"{id}: want a question, and a why for every option")
    letters = ascii_lowercase[: len(marks)]
    options = {}
    for letter, mark, option in zip(letters, marks, draft["options"], strict=True):
        sealed = _cipher(str(option["why"]).strip().encode("utf-8"), salt, id, letter)
        options[letter] = {
            "text": str(option[mark]).strip(),
            "sealed": base64.b64encode(sealed).decode("ascii"),
        }
    right = letters[marks.index("right")]
    question = str(draft["question"]).strip()
    return {"question": question, "salt": salt, "answer": _digest(salt, id, right), "options": options}


def unsealed(id: str, entry: Mapping[str, Any]) -> Question:
    """The draft of a sealed question."""
    options = []
    for letter, option in entry["options"].items():
        mark = "right" if is_right(id, entry, letter) else "wrong"
        options.append({mark: option["text"], "why": unseal(id, entry, letter)})
    return {"question": entry["question"], "options": options}


def command(arguments: list[str]) -> None:
    """`seal DRAFT SEALED` or `draft SEALED`. Questions that did not change keep their salt, so diffs stay small."""
    match arguments:
        case ["seal", source, target]:
            old = _read(target) if Path(target).exists() else {}
            new = {}
            for id, draft in _read(source).items():
                new[id] = seal(id, draft, old.get(id, {}).get("salt"))
            write_text(Path(target), _dump(new))
        case ["draft", source]:
            print(_dump({id: unsealed(id, entry) for id, entry in _read(source).items()}), end="")
        case _:
            raise CourseError("usage: python -m diffusion_course.quizzes seal DRAFT SEALED | draft SEALED")


def _read(path: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise CourseError(f"{path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise CourseError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise CourseError(f"{path}: want question ids with their questions")
    return content


def _dump(content: Mapping[str, Any]) -> str:
    return str(yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=110))


def _digest(salt: str, id: str, letter: str) -> str:
    return hashlib.sha256(f"{salt}|{id}|{letter}".encode()).hexdigest()


def _cipher(data: bytes, salt: str, id: str, letter: str) -> bytes:
    """XOR with a stream of hashes. Its own inverse."""
    key = f"{salt}|{id}|{letter}|why|"
    blocks = -(-len(data) // 32)
    stream = b"".join(hashlib.sha256(f"{key}{k}".encode()).digest() for k in range(blocks))
    return bytes(a ^ b for a, b in zip(data, stream, strict=False))
