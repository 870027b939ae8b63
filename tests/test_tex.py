"""Formulas as MathML and in plain words: every formula of the chapters, and whatever a student may write."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion_course.tex import mathml, plain

SOURCES = sorted((Path(__file__).parents[1] / "solutions").glob("*.py"))
FORMULA = re.compile(r"\$\$([^$]+)\$\$|(?<![\\$])\$([^$\n]+)\$")


def words(element):
    return "".join(ElementTree.fromstring(element).itertext())


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_formula_of_the_chapters_is_known(source):
    text = "\n".join(
        line[2:] for line in source.read_text(encoding="utf-8").split("\n") if line.startswith("# ")
    )
    for found in FORMULA.finditer(text):
        shown = words(mathml(found[1] or found[2]))
        assert "\\" not in shown, found[0]
        assert shown.strip(), found[0]


@pytest.mark.parametrize(
    ("tex", "tags"),
    [
        (r"\frac{a}{b}", ["mfrac"]),
        (r"x_{t-1}^2", ["msubsup"]),
        (r"\sqrt{1-\beta_t}", ["msqrt", "msub"]),
        (r"\sum_{t=1}^{T} \alpha_t", ["munderover", "msub"]),
        (
            r"\begin{aligned} a &= b \\ c &= d \end{aligned}",
            ["mtable", "mtr", "mtd", "mtd", "mtr", "mtd", "mtd"],
        ),
        (r"a &= b \\ c", ["mtable", "mtr", "mtd", "mtd", "mtr", "mtd"]),
        (r"\left(\tfrac12\right)", ["mfrac"]),
        (r"\mathbb{E}\big[x\big]", []),
    ],
)
def test_parts_become_their_elements(tex, tags):
    found = [e.tag for e in ElementTree.fromstring(mathml(tex)).iter()]
    assert [tag for tag in found if tag not in ("math", "mrow", "mi", "mo", "mn", "mtext", "mspace")] == tags


def test_letters_and_words_are_those_of_the_field():
    assert (
        words(mathml(r"q(x_t \mid x_0) = \mathcal N(\sqrt{\bar\alpha_t}\, x_0, I)")) == "q(xt∣x0)=𝒩(α¯tx0,I)"
    )
    assert words(mathml(r"a \text{ is some } x")) == "a is some x"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *r"ab1_^{}&$'<>\"[]( ",
                r"\frac",
                r"\sqrt",
                r"\left",
                r"\right",
                r"\begin{cases}",
                r"\\",
                r"\end{cases}",
                r"\text{<b>}",
                r"\bar",
                r"\unknown",
            ]
        ),
        max_size=30,
    )
)
def test_whatever_stands_there_is_well_formed_and_does_nothing(parts):
    tree = ElementTree.fromstring(mathml("".join(parts)))
    assert all(e.tag == "math" or e.tag.startswith("m") for e in tree.iter())


def test_what_is_nested_without_end_is_refused():
    with pytest.raises(ValueError, match="more than 40"):
        mathml("{" * 5000)
    with pytest.raises(ValueError, match="more than 40"):
        mathml(r"\sqrt" * 5000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (r"Variance of $\bar\alpha_t$ at $t = 1$", "Variance of \u1fb1_t at t = 1"),
        (r"$\sqrt{\beta_t}\,z$", "√(β_t) z"),
        (r"$\mathcal{N}(0, I)$ and $\frac{a}{b}$", "N(0, I) and (a)/(b)"),
        ("no formula", "no formula"),
    ],
)
def test_a_formula_in_plain_words(text, said):
    assert plain(text) == said
