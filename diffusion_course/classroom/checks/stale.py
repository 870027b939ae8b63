"""Does a check judge an older function than the one on the screen? An edit counts only when its cell has run to its end."""

import ast
import re
from collections.abc import Callable
from typing import Any

from .data import Check

_refused: dict[str, Callable] = {}  # exercise -> the function that its last check refused


def slip(check: Check, shell: Any) -> str:
    """What kept the last cell that was run for an exercise from defining its function, "" if nothing is to be seen.

    shell: the IPython of the notebook, or None. Of a cell that was edited and not run, a kernel knows nothing.
    """
    if shell is None:
        return ""
    defines = re.compile(rf"^[ \t]*(async[ \t]+)?def[ \t]+{check.function}\b", re.MULTILINE)
    cell = next((source for source in reversed(shell.user_ns.get("In", [])) if defines.search(source)), "")
    try:
        ast.parse(shell.transform_cell(cell))
    except SyntaxError as error:
        return f"The cell of {check.function} was run last with a {type(error).__name__} in its line {error.lineno}, so it changed nothing."
    return ""


def unchanged(check: Check, answer: Callable) -> str:
    """A word of advice where the last check has refused this very function, "" at its first refusal."""
    again = _refused.get(check.id) is answer
    _refused[check.id] = answer
    return f"This is the {check.function} of the last check. Edited? Run its cell first." if again else ""
