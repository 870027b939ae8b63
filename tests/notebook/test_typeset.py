"""Short texts with formulas."""

import pytest

from diffusion_course.notebook.typeset import as_html, as_label


@pytest.mark.parametrize(
    ("text", "page", "label"),
    [
        ("x_t and x_{t-1}", "<i>x</i><sub>t</sub> and <i>x</i><sub>t−1</sub>", "xₜ and xₜ₋₁"),
        ("β_t² / 2", "<i>β</i><sub>t</sub>²\u00a0/\u00a02", "βₜ²\u00a0/\u00a02"),
        ("ᾱ_T - 1", "<i>ᾱ</i><sub>T</sub>\u00a0−\u00a01", "ᾱ_T − 1"),
        ("p(y)^3 < 1", "p(y)<sup>3</sup>\u00a0&lt;\u00a01", "p(y)³\u00a0<\u00a01"),
        ("`x_t` and s_max_len", "<code>x_t</code> and s_max_len", "xₜ and s_max_len"),
        ("eps_c, well-known", "eps_c, well-known", "eps_c, well-known"),
        ("<b>", "&lt;b&gt;", "<b>"),
    ],
)
def test_formulas_are_typeset(text, page, label):
    assert as_html(text) == page
    assert as_label(text) == label


def test_what_stands_between_dollars_is_a_formula():
    assert as_html("so $x^2$").startswith("so <math")
    assert as_label(r"so $\beta_t$") == "so βₜ"
