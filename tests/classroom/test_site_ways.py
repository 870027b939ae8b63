"""What a page says of other chapters leads there; what is another text's chapter, or no text, is left alone."""

from pathlib import Path

import pytest

from diffusion_course.classroom import chapters
from diffusion_course.classroom.site.ways import _place, linked


@pytest.fixture
def others(tmp_path):
    path = tmp_path / "02_bound.py"
    path.write_text("# %% [markdown]\n# # 2. The bound\n#\n# ## 4. The posterior of $x$, in one step\n")
    return {"02": chapters.read(path), "03": None}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("See chapter 2.", "See [chapter 2](02_bound.ipynb)."),
        (
            'As chapter 2, section\n4 ("The posterior"), says',
            'As [chapter 2, section\n4 ("The posterior")](02_bound.ipynb#4-the-posterior-of--in-one-step), says',
        ),
        ("Chapter 2's rule", "[Chapter 2](02_bound.ipynb)'s rule"),
    ],
)
def test_a_chapter_that_is_named_is_linked(text, wanted, others):
    assert linked(text, "03", others) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "chapter 3 is this one, chapter 7 has no page",
        "(Fleiss et al. 2003, chapter 2)",
        "*Statistical methods*,\nchapter 2",
        "handbook, chapter 2.5",
        "- Wolter (2007). [*Introduction.*](https://doi.org/10.1007/978)\n  Chapter 2.",
        "`chapter 2`, $chapter 2$",
        "## After chapter 2",
        "[chapter 2](x.ipynb)",
    ],
)
def test_other_words_stay_as_they_are(text, others):
    assert linked(text, "03", others) == text


HEADINGS = [  # the sections of all chapters
    line.removeprefix("## ")
    for path in sorted((Path(__file__).parents[2] / "solutions").glob("[0-9]*.py"))
    for line in path.read_text(encoding="utf-8").replace("\n# ", "\n").splitlines()
    if line.startswith("## ")
]


@pytest.mark.parametrize("heading", HEADINGS)
def test_the_place_of_a_section_is_what_myst_calls_it(heading):
    parser = pytest.importorskip("myst_parser.parsers.mdit")
    base = pytest.importorskip("myst_parser.mdit_to_docutils.base")
    config = pytest.importorskip("myst_parser.config.main").MdParserConfig(enable_extensions={"dollarmath"})
    tree = pytest.importorskip("markdown_it.tree").SyntaxTreeNode(
        parser.create_md_parser(config, base.DocutilsRenderer).parse(f"## {heading}")
    )
    assert _place(heading) == base.compute_unique_slug(tree.children[0], set())
