"""A cell as HTML that can do nothing: code in colours, Markdown with its formulas left as TeX, everything else as plain text."""

import re
import unicodedata
from functools import lru_cache
from html.parser import HTMLParser
from typing import Any

import mistune
from markupsafe import Markup, escape
from pygments import lex
from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, String, _TokenType

LONGEST = 20_000  # characters of a cell
RICH = 8_000  # characters that are coloured or read as Markdown: some texts take time that grows with their square
DEEPEST = 12  # tags within tags: each may take room from a phone's width
TAGS = frozenset(
    "p br b i em strong del sub sup kbd code pre h3 h4 h5 h6 ul ol li table thead tbody tr th td blockquote hr".split()  # noqa: SIM905
)
EMPTY = frozenset(["br", "hr"])
SILENT = frozenset(
    ["script", "style", "svg", "iframe", "object", "template", "noscript", "title", "textarea"]
)
# What may stand around a formula's dollars; code comes first, since a dollar in it is no formula.
CODE_OR_TEX = re.compile(
    r"""(?P<code>^(?P<fence>```+|~~~+).*?^(?P=fence)|(?<!`)(?P<tick>`++).{1,400}?(?<!`)(?P=tick)(?!`))
    |(?P<block>\$\$.{1,4000}?\$\$|\\begin\{(?P<name>[a-z]{1,20}\*?)\}.{1,4000}?\\end\{(?P=name)\})
    |(?<![\\$])\$(?P<inline>(?!\s)[^$]{1,600}?)(?<![\\\s])\$(?!\d)""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
HOLD, HELD = "\ue000", re.compile("\ue000(\\d+)\ue001")  # a place for a formula: characters that no text uses
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
MARKDOWN = mistune.create_markdown(escape=False, plugins=["table"])


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
    """Markdown as harmless HTML: no attribute, no link, no picture is kept."""
    formulas: list[Markup] = []

    def hold(found: re.Match[str]) -> str:
        if found["code"]:
            return found[0]
        kind, text = ("tex block", found["block"]) if found["block"] else ("tex", found["inline"])
        formulas.append(Markup('<code class="{}">{}</code>').format(kind, text.strip("$").strip()))
        return f"{HOLD}{len(formulas) - 1}\ue001"

    text = visible(cut(source))  # names what is for private use, so that no text holds a place
    if len(text) > RICH:
        return Markup("<pre>{}</pre>").format(text)
    try:
        html = _Sieve.through(str(MARKDOWN(CODE_OR_TEX.sub(hold, text))))
    except (RecursionError, AssertionError, ValueError, IndexError):  # of nesting that no person writes
        return Markup("<pre>{}</pre>").format(text)
    return Markup(HELD.sub(lambda place: formulas[int(place[1])], html))


class _Sieve(HTMLParser):
    """Keeps harmless tags, without attributes and closed in order, and all text: Markdown may hold any HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.kept: list[str] = []
        self.open: list[str] = []
        self.silent: list[str] = []

    @classmethod
    def through(cls, html: str) -> str:
        sieve = cls()
        sieve.feed(html)
        sieve.close()
        return "".join(sieve.kept) + "".join(f"</{tag}>" for tag in reversed(sieve.open))

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        tag = _demoted(tag)
        if tag in SILENT:
            self.silent.append(tag)
        elif tag == "img":
            self.handle_data(f"[picture: {dict(attrs).get('alt') or 'without a description'}]")
        elif tag in EMPTY and not self.silent:
            self.kept.append(f"<{tag}>")
        elif tag in TAGS and not self.silent and len(self.open) < DEEPEST:
            self.open.append(tag)
            self.kept.append(f"<{tag}>")

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        if tag not in SILENT:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        tag = _demoted(tag)
        if tag in self.silent:
            del self.silent[self.silent.index(tag) :]
        elif tag in self.open and not self.silent:
            while True:  # what was left open inside closes with it
                last = self.open.pop()
                self.kept.append(f"</{last}>")
                if last == tag:
                    return

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.kept.append(str(escape(data)))


def _demoted(tag: str) -> str:
    """A page's own headings are h1 and h2; a notebook's stand below."""
    return f"h{min(6, int(tag[1]) + 2)}" if re.fullmatch("h[1-6]", tag) else tag
