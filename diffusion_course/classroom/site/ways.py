"""What a text says of another chapter becomes a way there: `chapter 2`, or `chapter 2, section 4 ("The posterior")`."""

import re
from collections.abc import Mapping

from ..chapters import Chapter
from ..texts import sections

NAMED = re.compile(
    r"`[^`]+`|\$\$.*?\$\$|\$[^$]+\$|^#.*?$|\[[^\]]*\]\([^)]*\)|<[^>]+>"  # code, formulas, headings, links, HTML: left alone
    r"|^- [^\n]+ \(\d{4}\)\.(?:[^\n]|\n(?=  ))*"  # an entry of the references, whose chapters are a book's
    r'|[cC]hapter\s+(?P<chapter>\d+)(?![\d.]*\d)(?:,\s+section\s+(?P<section>\d+)\s+\("[^"]+"\))?',
    re.DOTALL | re.MULTILINE,
)
BOOK = re.compile(r"(?:\d{4}|\*),\s+$")  # Fleiss et al. 2003, chapter 4; a book's *title*, chapter 4


def linked(text: str, here: str, others: Mapping[str, Chapter]) -> str:
    """Markdown with links to the chapters that it names. here: the number of its own. others: number -> chapter, of those that have pages."""

    def way(found: re.Match[str]) -> str:
        number = f"{int(found['chapter'] or -1):02}"
        if number == here or number not in others or BOOK.search(text[: found.start()]):
            return found[0]
        title = sections(others[number].cells).get(int(found["section"] or -1), "")
        place = "#" + _place(f"{found['section']}. {title}") if title else ""
        return f"[{found[0]}]({others[number].name}.ipynb{place})"

    return NAMED.sub(way, text)


def _place(heading: str) -> str:
    """The name that MyST gives to a heading: as GitHub does, but without its formulas."""
    words = re.sub(r"\$[^$]+\$", "", heading)
    return re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
