"""What the chapters and the hints of exercises point at exists, and is what they call it.

A section of the same chapter is named by its title in the source, `{{section The way back}}`, and the build puts its number; so a literal
"section 12" is refused. A section of another chapter is named with its title, `chapter 3, section 7 ("Noise, denoising")`.
"""

import ast
import re
from pathlib import Path

import pytest
import yaml

import diffusion_course as dc
from diffusion_course.classroom import chapters, texts
from diffusion_course.classroom.checks import CHECKS, TASKS

ROOT = Path(__file__).parents[1]
SOURCES = {path.stem[:2]: path for path in sorted((ROOT / "solutions").glob("*.py"))}
QUIZZES = ROOT / "diffusion_course" / "quizzes"

each_chapter = pytest.mark.parametrize("number", SOURCES)

YEAR = r"\b(?:19|20)\d\d[a-z]?"
CITATION = re.compile(
    rf"\([^()]*{YEAR}[^()]*\)"  # (Ho et al. 2020, section 4)
    r"|\b[Tt]heir (?:sections?|appendix|appendices) [\d.]+(?:(?:,| and| to) [\d.]+)*"
    rf"|{YEAR},? \(?(?:sections?|chapters?|appendix) [\d.]+(?:(?:,| and| to) [\d.]+)*"  # Karras et al. 2022 (section 4)
)


def read(number):
    """The Markdown of a chapter as its reader sees it, without what it says of other texts."""
    return "\n\n".join(map(own, markdown(chapters.read(SOURCES[number]).cells)))


def markdown(cells):
    return [cell.source for cell in cells if cell.cell_type == "markdown"]


def own(text):
    return CITATION.sub("", text.partition("## References")[0].replace("\n", " "))


def prose(text):
    return re.sub(r"\$[^$]*\$", "x", re.sub(r"\$\$.*?\$\$", "", text))


def numbers(found):
    """ "1", "1 to 4 and 7" or "6, 9" -> the numbers meant."""
    meant = []
    for part in re.split(r",| and | or ", found):
        ends = [int(n) for n in re.findall(r"\d+", part)]
        meant += range(ends[0], ends[-1] + 1)
    return meant


def titles(number):
    return texts.sections(chapters.read(SOURCES[number]).cells)


def test_what_is_cited_is_told_from_what_is_ours():
    text = "As in (Ho et al. 2020, section 4), Song et al. 2021 (section 3 and 4), section 5, chapter 2, section 6."
    assert own(text) == "As in , Song et al. ), section 5, chapter 2, section 6."


@each_chapter
def test_a_chapter_that_is_named_exists(number):
    for found in re.findall(r"\b[Cc]hapters? (\d+(?:(?:,| to| and| or) \d+)*)", read(number)):
        for named in numbers(found):
            assert f"{named:02}" in SOURCES, f"chapter {found}"


@each_chapter
def test_sections_of_the_same_chapter_are_named_by_title(number):
    lines = SOURCES[number].read_text(encoding="utf-8").split("# ## References")[0].split("\n")
    text = own(" ".join(line[2:] for line in lines if line.startswith("# ")))
    for found in re.finditer(r"([Cc]hapter \d+, )?\b[Ss]ections? \d+(?: \(\")?", text):
        here = text[max(0, found.start() - 30) : found.end() + 30]
        assert found[1], f"write {{{{section TITLE}}}}: ...{here}..."
        assert found[0].endswith('("'), f"say the title of the section of another chapter: ...{here}..."


@each_chapter
def test_a_section_of_another_chapter_is_what_it_is_called(number):
    for other, section, title in re.findall(r'[Cc]hapter (\d+), section (\d+) \("([^"]+)"\)', read(number)):
        assert titles(f"{int(other):02}").get(int(section), "").startswith(title), (other, section, title)


@each_chapter
def test_a_section_that_is_named_exists(number):
    """In the text as it is built."""
    for other, section in re.findall(r"([Cc]hapter \d+, )?\bsection (\d+)\b", prose(read(number))):
        where = titles(f"{int(other[8:-2]):02}" if other else number)
        assert int(section) in where, f"{other}section {section}"


@each_chapter
def test_comments_and_docstrings_name_sections_that_exist(number):
    known = titles(number)
    code = [cell.source for cell in chapters.read(SOURCES[number]).cells if cell.cell_type == "code"]
    for found in re.findall(r"\bsection (\d+)\b", CITATION.sub("", "\n".join(code))):
        assert int(found) in known, f"section {found}"


@each_chapter
def test_numbered_lines_and_equations_exist(number):
    text = read(number)
    tags = set(re.findall(r"\\tag\{([^}]+)\}", text)) | set(re.findall(r"\\text\{\(?(\w+)\)", text))
    lines = set(re.findall(r"\\text\{line (\d+)\}", text))
    for found in re.findall(r"(?<![\w`])\((\d{1,2})\)", prose(text)):
        assert found in tags, f"({found})"
    for found in re.findall(r"\b[Ll]ines? (\d+(?:(?:,| to| and) \d+)*)", prose(text)) if lines else []:
        assert lines.issuperset(map(str, numbers(found))), f"line {found}"


@each_chapter
def test_a_number_stands_behind_aligned_rows(number):
    """MathJax takes no tag inside of `aligned`: the reader would see the source of the formula."""
    for rows in re.findall(r"\\begin\{aligned\}.*?\\end\{aligned\}", read(number), re.DOTALL):
        assert r"\tag" not in rows, rows


@each_chapter
def test_quizzes_and_exercises_that_are_named_exist(number):
    text = read(number)
    for quiz in re.findall(r"\b(\d\d-q\d+)\b", text):
        assert quiz in yaml.safe_load((QUIZZES / f"{quiz[:2]}.yaml").read_text(encoding="utf-8")), quiz
    for exercise in re.findall(r"`(\d\d-[a-z]\w*)`", text):
        assert exercise in TASKS, exercise


@each_chapter
def test_names_and_files_of_the_library_exist(number):
    text = read(number)
    for name in re.findall(r"`dc((?:\.\w+)+)[`(]", text):
        found = dc
        for part in name[1:].split("."):
            found = getattr(found, part)
    for path in re.findall(r"`(diffusion_course/[\w/.-]+)`", text):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("exercise", CHECKS)
def test_a_hint_points_at_a_section_that_is_what_it_is_called(exercise):
    number, where = exercise[:2], " ".join(CHECKS[exercise].where.split())
    for section, title in re.findall(r'section (\d+) of this notebook(?: \("([^"]+)"\))?', where):
        assert titles(number).get(int(section), "").startswith(title), (section, title)
    for equation, section in re.findall(r"equation \((\d+)\) in section (\d+)", where):
        parts = re.split(r"(?:^|\s)## \d+\. ", read(number))
        assert f"\\tag{{{equation}}}" in parts[int(section)], f"({equation})"


@each_chapter
def test_no_default_argument_keeps_an_old_answer(number):
    """A default is what it was when its function was defined: a student's second answer would never reach it."""
    written = {cell.id.partition("-")[2] for cell in chapters.read(SOURCES[number]).exercises}
    code = [c.source for c in chapters.read(SOURCES[number]).cells if c.cell_type == "code"]
    for source in code:
        for node in ast.walk(ast.parse(re.sub(r"(?m)^(\s*)[%!].*", r"\1pass", source))):
            if isinstance(node, ast.FunctionDef | ast.Lambda):
                names = [n for d in defaults(node.args) for n in ast.walk(d) if isinstance(n, ast.Name)]
                assert not written & {n.id for n in names}, f"line {node.lineno} of: {source[:80]}"


def defaults(arguments):
    return [d for d in (*arguments.defaults, *arguments.kw_defaults) if d is not None]
