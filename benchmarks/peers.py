"""Other libraries, where they are installed and can be imported: `pip install -e '.[bench]'`."""

from functools import cache
from importlib import import_module
from types import ModuleType


@cache
def peer(name: str) -> ModuleType | None:
    """A module of another library, or None."""
    try:
        return import_module(name)
    except ImportError:
        return None


def missing(*names: str) -> list[str]:
    """A note for the table on the peers that are not there."""
    gone = [name.partition(".")[0] for name in names if peer(name) is None]
    return [f"Cannot be imported here, so not in the table: {', '.join(gone)}."] if gone else []
