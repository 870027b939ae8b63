"""Numbers that a text quotes from experiments/results/ are those of the files, to the digits that it gives.

Best is a text without them: a cell prints the number, or a claim about it. Where a section reads a results file, every decimal in its text
must be a value of that file, or of a card of the weights, rounded; or stand in GIVEN with what it is. Values that a sentence would have to
compute (differences, intervals) are for cells.
"""

import json
import re
from pathlib import Path

import pytest

from diffusion_course.classroom import chapters
from diffusion_course.experiments import studies, zoo

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "solutions").glob("*.py"))
# Decimals that no measurement made: chapter -> number -> what it is.
GIVEN = {
    "04": {
        "0.05": "the level of a test",
        "0.999": "where the cosine schedule clips beta",
        "0.001": "the last alpha that the clip leaves",
        "0.38": "9 of 24 and 18 of 48, printed beside",
        "0.50": "12 of 24, printed beside",
        "0.40": "19 of 48, printed beside",
        "1.96": "a quantile of the normal distribution",
        "0.84": "a quantile of the normal distribution",
    },
    "05": {
        "0.5": "min-SNR's weights of an example",
        "0.4545": "min-SNR's weights of an example",
        "1.5": "the width of a density that is trained with",
        "2.4": "the middle and the width of EDM's density in ln SNR",
        "4.30": "a quantile of Student's distribution with 2 degrees of freedom",
    },
    "06": {"2.26": "a quantile of Student's distribution with 9 degrees of freedom"},
    "07": {"13.4": "of table 1 of Song et al. 2021", "41.1": "of table 1 of Song et al. 2021"},
    "09": {"0.04": "half the interval of a share of 300, and medians that the cell prints"},
    "10": {
        "2.26": "a quantile of Student's distribution with 9 degrees of freedom",
        "0.05": "the level of a test",
        "0.8": "a power",
        "0.5": "a power",
    },
    "14": {
        "0.05": "a margin, and the level of a test",
        "4.3": "a quantile of Student's distribution with 2 degrees of freedom",
        "2.26": "a quantile of Student's distribution with 9 degrees of freedom",
        "1.96": "a quantile of the normal distribution",
        "0.86": "43 of 50, of report 1",
        "0.004": "a learning rate of report 3",
        "0.87": "an FID of report 3",
        "0.35": "an FID of report 3, and a level of the Karras grid",
        "3.4445": "a coefficient of Muon's polynomial",
        "4.7750": "a coefficient of Muon's polynomial",
        "2.0315": "a coefficient of Muon's polynomial",
    },
}


def sections(source):
    """The cells of a chapter, parted at its headings '## ...'."""
    found = [[]]
    for cell in chapters.read(source).cells:
        if cell.cell_type == "markdown" and re.search(r"^## ", cell.source, re.MULTILINE):
            found.append([])
        found[-1].append(cell)
    return found


def quoted(cells):
    """The decimals of the text, as they are written; formulas count, years and equations have no point."""
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown").partition(
        "## References"
    )[0]
    text = re.sub(r"\bsections? [\d.]+", "", text)  # of papers
    return re.findall(r"(?<![\d.])\d+\.\d+(?![\d.])", text)


def values(content):
    """Every number anywhere in a results file."""
    if isinstance(content, dict):
        return [value for part in content.values() for value in values(part)]
    if isinstance(content, list):
        return [value for part in content for value in values(part)]
    return [float(content)] if isinstance(content, int | float) else []


def loaded(cells):
    """The numbers of the files that these cells read."""
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    numbers = [v for name in re.findall(r'studies\.load\("([\w-]+)"\)', code) for v in values(_file(name))]
    return numbers + (values(list(zoo.cards().values())) if numbers else [])


def _file(name):
    """Its rows; none of a study that is not measured yet."""
    path = studies.RESULTS / f"{name}.json"
    content = json.loads(path.read_text()) if path.exists() else {"rows": []}
    return content["rows"] + content.get("summary", [])


def is_value(number, known):
    digits = len(number.partition(".")[2])
    return any(f"{abs(value):.{digits}f}" == number for value in known)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_quoted_number_is_that_of_the_file(source):
    given = GIVEN.get(source.stem[:2], {})
    for cells in sections(source):
        if known := loaded(cells):
            for number in quoted(cells):
                assert number in given or is_value(number, known), number


def test_a_chapter_that_reads_results_is_looked_at():
    reading = [p.stem[:2] for p in SOURCES if "studies.load(" in p.read_text(encoding="utf-8")]
    assert reading == [p.stem[:2] for p in SOURCES if any(map(loaded, sections(p)))]


def test_a_number_is_compared_to_the_digits_that_are_given():
    assert is_value("0.85", [0.8471])
    assert is_value("4.1", [-4.09])
    assert not is_value("0.845", [0.8471])
