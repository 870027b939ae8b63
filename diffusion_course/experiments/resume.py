"""What a run was started with: only the same run is gone on with, and what differs is told by name."""

import ast
import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import shown

PACKAGE = Path(__file__).parents[1]
MOST = 6  # names in one message
DIGESTS = re.compile(r"(\.py|\bimages|\blabels|digest)$")  # names of what is known by a digest alone


def differences(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """The names under which two runs differ, e.g. ["label_dropout", "net.widths"]."""
    return [name for name, _, _ in _different(mine, theirs)]


def changes(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """The same with both values, e.g. ["steps 40 (asked: 20)", "other labels"]: theirs, then mine; of what is long or a digest, the
    name alone."""
    return [
        f"{name} {_value(b)} (asked: {_value(a)})"
        if not DIGESTS.search(name) and _short(a) and _short(b)
        else f"other {name}"
        for name, a, b in _different(mine, theirs)
    ]


def _different(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted(mine.keys() | theirs.keys()):
        a, b = mine.get(name), theirs.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            yield from ((f"{name}.{inner}", *values) for inner, *values in _different(a, b))
        elif a != b:
            yield name, a, b


def _short(value: object) -> bool:
    return isinstance(value, bool | int | float | str | list | None) and len(shown(value)) <= 30


def _value(value: object) -> str:
    return "none" if value is None else shown(value)


def told(names: list[str]) -> str:
    """Names, or changes, for a message: the first few of many."""
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more


@cache
def code(*without: str) -> dict[str, str]:
    """A digest of every file that a result depends on, by its name in the package: the library, the networks, the experiments.

    Comments and layout do not count, nor does the version of Python that reads it. without: leading parts of names to leave out, e.g. "experiments/studies/".
    """
    paths = [*PACKAGE.glob("*.py"), *PACKAGE.glob("nets/*.py"), *PACKAGE.glob("experiments/**/*.py")]
    names = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(paths)}
    return {
        name: digest(meaning(path.read_text(encoding="utf-8")).encode())
        for name, path in names.items()
        if not name.startswith(("cli.py", *without))
    }


def meaning(source: str) -> str:
    """What Python makes of a source, with its comments and layout gone. `ast.dump` tells more in every version: fields that are new and
    empty, which would make another run of each that an older Python began."""

    def told(part: object) -> object:
        if isinstance(part, ast.AST):
            fields = {name: told(value) for name, value in ast.iter_fields(part) if value not in (None, [])}
            return type(part).__name__, sorted(fields.items())
        return [told(one) for one in part] if isinstance(part, list) else repr(part)

    return repr(told(ast.parse(source)))


@cache
def weights() -> dict[str, str]:
    """A digest of every trained network that ships, by its name in the package."""
    return {
        f"weights/{path.name}": digest(path.read_bytes())
        for path in sorted(PACKAGE.glob("weights/*.safetensors"))
    }


def digest(content: bytes) -> str:
    """What tells this content from any other."""
    return hashlib.sha256(content).hexdigest()[:16]
