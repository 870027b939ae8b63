"""What stands in the second look where a function of the course was: a plain error, and a note of who asked.

Part of the sandbox's copy of the package; see `without`.
"""

asked: list[str] = []


class Missing(RuntimeError):
    """The function is not here: it does an exercise, or belongs to its check."""


def refuse(name: str) -> None:
    """Note that `name` was asked for, and raise Missing."""
    asked.append(name)
    raise Missing(f"{name} is not here: it does what the exercise asks for")
