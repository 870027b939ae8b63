"""What a classroom needs. In a notebook: `check("01-diffuse", diffuse)`, and `check_all()` at the end.

The checks are loaded at first use: they need torch, and the command line must not wait for it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .checks import CheckFailed, NotDone, check, check_all

__all__ = ["CheckFailed", "NotDone", "check", "check_all"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import checks

    return getattr(checks, name)
