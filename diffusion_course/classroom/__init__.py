"""What a classroom needs. In a notebook: `check("01-diffuse", diffuse)`, and `check_all()` at the end."""

from .checks import CheckFailed, NotDone, check, check_all

__all__ = ["CheckFailed", "NotDone", "check", "check_all"]
