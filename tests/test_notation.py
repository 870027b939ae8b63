"""One notation: every symbol stands once in the table, every chapter's table is a part of it, and retired symbols stay away."""

import re
from pathlib import Path

import pytest

from diffusion_course.notation import NOTATION

CHAPTERS = sorted((Path(__file__).parents[1] / "solutions").glob("*.py"))

# What the chapters once wrote beside the table, or against it.
RETIRED = {
    r"D_\\text\{KL\}": r"\mathrm{KL}: D is the denoiser",
    r"\\mathbb R\^D": "d is the number of coordinates, D the denoiser",
    r"\\sigma_0\b": "the grid of a sampler falls from sigma_max; a numeral indexes a step, not a level",
    r"\\lambda\(\\sigma\)": "omega(sigma) is the weight of a loss; lambda is ln SNR",
    r"\\lambda = -\\ln ?\\sigma": "lambda is ln SNR = -2 ln sigma",
    r"\\sigma_t\^2 = \\(?:tilde)?\\?beta": "s_t is the model's standard deviation, sigma_t the noise level",
}

each_chapter = pytest.mark.parametrize("source", CHAPTERS, ids=lambda path: path.stem)


def test_a_symbol_stands_once():
    symbols = [part for row in NOTATION.values() for part in row.math.split(" & ")]
    heads = [re.split(r" = |,\\;| > ", part)[0] for part in symbols]
    assert len(set(heads)) == len(heads), sorted(h for h in heads if heads.count(h) > 1)


@each_chapter
def test_a_chapter_shows_its_part_of_the_table(source):
    text = source.read_text(encoding="utf-8")
    found = re.search(r"^# \{\{notation( \w+)*\}\}$", text, re.MULTILINE)
    assert found, f"{source.name} wants a line '# {{{{notation x0 t ...}}}}' with its symbols"
    assert "| symbol |" not in text, "a table of its own"


@each_chapter
@pytest.mark.parametrize("symbol", RETIRED, ids=list(RETIRED.values()))
def test_a_retired_symbol_stays_away(source, symbol):
    text = source.read_text(encoding="utf-8")
    found = [line for line in text.split("\n") if line.startswith("#") and re.search(symbol, line)]
    assert not found, f"{RETIRED[symbol]}: {found[:3]}"
