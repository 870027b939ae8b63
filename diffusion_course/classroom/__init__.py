"""What a classroom needs. In a notebook: `check("01-diffuse", diffuse)` after an exercise, `check_all()` last."""

from .checks import CheckFailed, NotDone, check, check_all

__all__ = ["CheckFailed", "NotDone", "check", "check_all"]
