"""A cell as HTML that can do nothing: code in colours, Markdown with its formulas as MathML, everything else as plain text."""

import re
import unicodedata
from functools import lru_cache
from typing import Any

import mistune
from markupsafe import Markup, escape
from mistune.plugins.table import table
from pygments import lex
from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, String, _TokenType

from ...tex import mathml

LONGEST = 20_000  # characters of a cell
RICH = 8_000  # characters that are coloured or read as Markdown: some texts take time that grows with their square
LONG = 24  # characters of a formula that may be wider than a phone
DEEPEST = 6  # lists and quotes within each other: each takes room from a phone's width
# Formulas, as Jupyter finds them: they are no Markdown.
DISPLAY = (
    r"\$\$(?:(?!\$\$)[\s\S]){1,4000}\$\$"
    r"|\\begin\{(?P<name>[a-z]{1,20}\*?)\}(?:(?!\\end\{(?P=name)\})[\s\S]){1,4000}\\end\{(?P=name)\}"
)
ALONE = r"^ {0,3}(?P<display>" + DISPLAY + r")[ \t]*(?:\n|$)"
INSIDE = r"(?P<display>" + DISPLAY + r")|(?<!\$)\$(?P<inline>(?!\s)[^$]{1,600}?)(?<![\\\s])\$(?!\d)"
# The classes of the style sheet in page.html; the rest stays in the text's colour.
COLOURS: tuple[tuple[Any, str], ...] = (
    (Comment, "c"),
    (String, "s"),
    (Keyword, "k"),
    (Number, "m"),
    (Name.Function, "f"),
    (Name.Class, "f"),
    (Name.Decorator, "f"),
)
LEXER = PythonLexer(stripnl=False, ensurenl=False)


def visible(text: str) -> str:
    """Text in which characters that are not seen are: a reversed direction could show other code than the one that ran."""
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else _named(c) for c in text)


def _named(c: str) -> str:
    if unicodedata.category(c) == "Zs":
        return " "
    return f"⟦U+{ord(c):04X}⟧"


def cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "\n[cut here]"


@lru_cache(maxsize=1000)  # the course's own cells are the same in every submission
def code(source: str) -> Markup:
    """Python source as the content of a <pre>."""
    # Blanks at the end of a line are not seen, and lines of nothing else are what the lexer is slowest at.
    text = "\n".join(line.rstrip(" \t") for line in visible(cut(source)).split("\n"))
    if len(text) > RICH:
        return escape(text)
    return Markup("").join(_token(kind, part) for kind, part in lex(text, LEXER))


def _token(kind: _TokenType, text: str) -> Markup:
    name = next((name for family, name in COLOURS if kind in family), "")
    return Markup('<span class="{}">{}</span>').format(name, text) if name else escape(text)


@lru_cache(maxsize=1000)
def markdown(source: str) -> Markup:
    """Markdown as harmless HTML: no tag of the source's own, no attribute, no link and no picture is kept."""
    text = visible(cut(source))
    if len(text) <= RICH:
        try:
            return Markup(MARKDOWN(text))
        except Exception:  # whatever a text does to the parser, its page is written
            pass
    return Markup("<pre>{}</pre>").format(text)


class _Harmless(mistune.HTMLRenderer):
    """Few tags, and none with an attribute of the source's; tags in the source are text."""

    def tex(self, text: str, display: bool) -> str:
        try:
            formula = mathml(text, display)
        except ValueError:
            formula = f"<code>{escape(text)}</code>"
        # A browser breaks no formula into lines.
        kind = "tex block" if display else "tex long" if len(text) > LONG else "tex"
        return f'<span class="{kind}">{formula}</span>'

    def heading(self, text: str, level: int, **_: Any) -> str:
        return super().heading(text, min(6, level + 2))  # h1 and h2 are the page's own

    def link(self, text: str, url: str, title: str | None = None) -> str:
        return text

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return f"[picture: {text or 'without a description'}]"

    def block_code(self, code: str, info: str | None = None) -> str:
        return super().block_code(code)

    def list(self, text: str, ordered: bool, **_: Any) -> str:
        return super().list(text, ordered)

    def table_cell(self, text: str, align: str | None = None, head: bool = False) -> str:
        return f"<th>{text}</th>" if head else f"<td>{text}</td>"

    def linebreak(self) -> str:
        return "<br>\n"

    def thematic_break(self) -> str:
        return "<hr>\n"


def _formulas(md: mistune.Markdown) -> None:
    """A plugin of mistune's. Its own for maths knows neither environments nor formulas over several lines of a text."""

    def formula(_: Any, found: re.Match[str], state: Any) -> int:
        text = (found["display"] or found["inline"]).strip("$").strip()
        state.append_token({"type": "tex", "raw": text, "attrs": {"display": bool(found["display"])}})
        return found.end()

    md.block.register("tex", ALONE, formula, before="list")
    for rules in (md.block.block_quote_rules, md.block.list_rules):
        md.block.insert_rule(rules, "tex", before="list")
    md.inline.register("tex", INSIDE, formula, before="escape")


MARKDOWN = mistune.Markdown(
    _Harmless(escape=True), mistune.BlockParser(max_nested_level=DEEPEST), plugins=[table, _formulas]
)
