"""What a run was started with: only the same run is gone on with, and what differs is told by name."""

import ast
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]
MOST = 6  # names in one message


def differences(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """The names under which two runs differ, e.g. ["label_dropout", "net.widths"]."""
    names = []
    for name in sorted(mine.keys() | theirs.keys()):
        a, b = mine.get(name), theirs.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            names += [f"{name}.{inner}" for inner in differences(a, b)]
        elif a != b:
            names.append(name)
    return names


def told(names: list[str]) -> str:
    """Names for a message: the first few of many."""
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more


@cache
def code(*without: str) -> dict[str, str]:
    """A digest of every file that a result depends on, by its name in the package: the library, the networks, the experiments.

    Comments and layout do not count. without: leading parts of names to leave out, e.g. "experiments/studies/".
    """
    paths = [*PACKAGE.glob("*.py"), *PACKAGE.glob("nets/*.py"), *PACKAGE.glob("experiments/**/*.py")]
    names = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(paths)}
    return {
        name: digest(ast.dump(ast.parse(path.read_text(encoding="utf-8"))).encode())
        for name, path in names.items()
        if not name.startswith(("cli.py", *without))
    }


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
