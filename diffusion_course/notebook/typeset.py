"""Short texts with formulas, as HTML for a page and in plain characters for a label: formulas between dollars, x_t and x_{t-1} by themselves."""

from __future__ import annotations

import html
import re

from ..tex import mathml, plain

PIECES = re.compile(r"\$(?P<tex>[^$]+)\$|`(?P<code>[^`]+)`|(?P<text>[^$`]+|.)", re.DOTALL)
# A single letter, also with a bar or hat or a square on it, and what stands below or above it: x_t, x_{t-1}, ᾱ_t², e^{-t}, but not s_max_len.
INDEX = re.compile(r"(?<![^\W\d_])([^\W\d_][\u0300-\u036f]?)_(?:{([^{}]*)}|([A-Za-z0-9θφ]+)(?![A-Za-z0-9_]))")
POWER = re.compile(r"\^(?:{([^{}]*)}|(-?\w+))")
# A formula is not broken at its signs.
SIGN = re.compile(r" ([=+<>≤≥≈∼/·×|∣-]) ")
LOW = str.maketrans("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
HIGH = str.maketrans("0123456789+-=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ")


def as_html(text: str) -> str:
    """The text as HTML; every character of it is escaped."""
    return "".join(_piece(found) for found in PIECES.finditer(text))


def as_label(text: str) -> str:
    """The text in characters alone, with small ones below and above the line where Unicode has them."""
    text = plain(text).replace("`", "")
    text = INDEX.sub(lambda f: f[1] + (_moved(f[2] or f[3], LOW) or f"_{f[2] or f[3]}"), text)
    text = POWER.sub(lambda f: _moved(f[1] or f[2], HIGH) or f[0], text)
    return SIGN.sub("\u00a0\\1\u00a0", text.replace(" - ", " − "))


def _piece(found: re.Match[str]) -> str:
    if found["tex"]:
        try:
            return mathml(found["tex"])
        except ValueError:
            return f"<code>{html.escape(found['tex'])}</code>"
    if found["code"]:
        return f"<code>{html.escape(found['code'])}</code>"
    text = INDEX.sub(lambda f: f"\x01{f[1]}\x02{_minus(f[2] or f[3])}\x03", found["text"])
    text = POWER.sub(lambda f: f"\x04{_minus(f[1] or f[2])}\x05", text)
    text = html.escape(
        SIGN.sub("\u00a0\\1\u00a0", text).replace("\u00a0-\u00a0", "\u00a0−\u00a0"), quote=False
    )
    for mark, tag in zip(
        "\x01\x02\x03\x04\x05", ("<i>", "</i><sub>", "</sub>", "<sup>", "</sup>"), strict=True
    ):
        text = text.replace(mark, tag)
    return text


def _minus(text: str) -> str:
    return text.replace("-", "−").replace(" ", "")


def _moved(text: str, where: dict[int, int]) -> str:
    """The text below or above the line, "" where a character has no place there."""
    text = text.replace(" ", "")
    return text.translate(where) if all(ord(c) in where for c in text) else ""
