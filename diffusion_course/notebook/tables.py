"""Tables of results: an HTML table where that can be shown, and the same in columns of text elsewhere."""

import html
import re
from collections.abc import Sequence

from IPython import get_ipython
from IPython.display import display

from ..errors import CourseError

# 1e-3, 0.5 ± 0.1, 0.4 (0.3 to 0.5); an empty cell may stand among them
NUMBER = re.compile(r"([<+\-−]?\d([^A-Za-z]|e|to)*)?")


def show_table(head: Sequence[object], rows: Sequence[Sequence[object]], caption: str = "") -> None:
    """Show rows under the names of their columns, and a caption above. Without IPython, print the text.

    head: one name per column. rows: one cell per column, each a str or what str() makes one of. Columns of numbers are aligned to
    the right. Raises CourseError for a row of another length.
    """
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    for row in cells[1:]:
        if len(row) != len(cells[0]):
            raise CourseError(f"rows: got one of {len(row)} cells, want {len(cells[0])}, as the head has")
    right = [all(NUMBER.fullmatch(cell) for cell in column[1:]) for column in zip(*cells, strict=True)]
    text = _text(cells, right, caption)
    if get_ipython() is None:
        print(text)
    else:
        display({"text/plain": text, "text/html": _html(cells, right, caption)}, raw=True)


def _text(cells: list[list[str]], right: list[bool], caption: str) -> str:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]
    return "\n".join([caption, *lines] if caption else lines)


def _html(cells: list[list[str]], right: list[bool], caption: str) -> str:
    def line(row: list[str], tag: str) -> str:
        sides = ("right" if to_right else "left" for to_right in right)
        parts = (
            f'<{tag} style="text-align: {side}">{html.escape(c)}</{tag}>'
            for c, side in zip(row, sides, strict=True)
        )
        return f"<tr>{''.join(parts)}</tr>"

    above = f'<caption style="text-align: left">{html.escape(caption)}</caption>' if caption else ""
    body = "\n".join(line(row, "td") for row in cells[1:])
    return f"<table>{above}\n<thead>{line(cells[0], 'th')}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"
