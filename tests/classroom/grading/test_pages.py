"""The pages show a student's work, marks and hints, and nothing in a notebook can make them do or load anything."""

import re
import time
from html.parser import HTMLParser

import pytest

from diffusion_course.classroom import handout
from diffusion_course.classroom.grading import gradebook, pages, show
from diffusion_course.classroom.grading.results import Flag, Graded, Kind, Mark, State
from diffusion_course.classroom.grading.submissions import safe
from diffusion_course.classroom.grading.trouble import Line, Trouble, Why
from diffusion_course.classroom.ids import chapter_of, function_of

FIRST, SECOND, THIRD = EXERCISES = ("03-x0_from_eps", "03-eps_loss", "03-ddpm_step")
WORTH = {"01-snr": 2, FIRST: 2, SECOND: 3, THIRD: 3}
SLIP = "a sum: take the mean over all entries, so that the loss does not grow with the batch."
HINT = (
    "03-eps_loss: loss is 15.07, want 1.004\nInputs: x0 (3, 5), t = [2, 7, 7], eps (3, 5), alpha_bar (9,), float64.\n"
    f"This looks like {SLIP}"
)
MARKS = (
    Mark(FIRST, 2, 2, State.RIGHT),
    Mark(SECOND, 0, 3, State.WRONG, HINT, (Flag(Kind.UNUSUAL, "looked at its own source"),)),
    Mark(THIRD, 0, 3, State.MISSING, "There is no cell that begins with this exercise's first line."),
)
HOSTILE = [
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    "![x](http://127.0.0.1:9/leak.png)",
    "[click](javascript:window.hacked=1)",
    "<svg onload='window.hacked = 1'><script>window.hacked = 1</script></svg>",
    "<iframe src='http://127.0.0.1:9/'></iframe>",
    "<style>body { display: none } @import 'http://127.0.0.1:9/x.css';</style>",
    "<link rel=stylesheet href='http://127.0.0.1:9/x.css'>",
    "<meta http-equiv=refresh content='0; url=http://127.0.0.1:9/'>",
    "<base href='http://127.0.0.1:9/'><form action='/x'><input autofocus onfocus='window.hacked = 1'></form>",
    "</pre></div></details></section></main></body></html><b id=top>gone</b>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.hacked=1>",
    "<p style='position:fixed;inset:0' onclick=window.hacked=1 class='mark right' id='03-eps_loss'>8 of 8 points</p>",
    "```html\n<script>window.hacked = 1</script>\n```",
    "<!-- --!><script>window.hacked = 1</script> -->",
    "<![CDATA[<script>window.hacked = 1</script>]]>",
    "$<script>window.hacked = 1</script>$ and $$</code><script>window.hacked = 1</script>$$",
    "<scr<script>ipt>window.hacked = 1</scr</script>ipt>",
    "&lt;script&gt;window.hacked = 1&lt;/script&gt;",
    "<xmp><script>window.hacked = 1</script></xmp><plaintext>",
    "<a href='data:text/html,<script>window.hacked=1</script>'>x</a>",
    "<textarea></textarea><script>window.hacked = 1</script>",
    "\ue0000\ue001 a place that holds no formula",
    "| a | b |\n|---|---|\n| " + "wide " * 200 + "| <script>window.hacked = 1</script> |",
    "wide" * 300,
    "> " * 300 + "deep",
    "<blockquote>" * 300 + "deep",
    "1. " * 300 + "deep",
]
# What MathML needs: its elements, and their attributes.
FORMULAS = frozenset(
    "math mrow mi mo mn mtext mspace msub msup msubsup munder mover munderover mfrac msqrt mroot mtable mtr mtd".split()  # noqa: SIM905  thirty quotation marks would hide the names
)
MATHML = ("display", "displaystyle", "stretchy", "accent", "linethickness", "width", "lspace", "rspace")
SKELETON = (
    FORMULAS
    | frozenset(
        [
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "main",
            "nav",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "section",
            "div",
            "h1",
            "h2",
            "p",
            "span",
            "a",
            "pre",
        ]
    )
    | {
        *("details", "summary", "ul", "li", "br", "strong"),
        *("em", "code", "h3", "h4", "h5", "h6", "ol", "blockquote", "hr"),
    }
)


def graded(cells=(), marks=MARKS, **more):
    return Graded(
        **{
            "student": "ann",
            "chapter": "03",
            "path": "ann/03.ipynb",
            "page": "ann/03",
            "marks": marks,
            "cells": tuple(cells),
        }
        | more
    )


def course_cells():
    """The notebook of chapter 03 as `submissions` gives it, with an answer in every exercise."""
    cells = []
    for cell in handout.read("03").cells:
        exercise = cell.metadata.get("course", {}).get("id")
        cells.append(
            (exercise or cell.cell_type, f"# EXERCISE {exercise}\nanswer = 1" if exercise else cell.source)
        )
    return cells


def test_a_task_keeps_its_text_whatever_stands_between():
    cells = [
        ("markdown", "Before.\n\n### Exercise 1: `x0_from_eps` (2 points)\n\nWrite it."),
        ("code", "shown = 3"),
        ("markdown", "## Another heading"),
        (FIRST, "answer = 1"),
        ("markdown", "## What follows\n\nThe end."),
    ]
    page = pages.feedback(graded(cells), WORTH)
    section = page[page.index(f'<section id="{FIRST}"') :]
    section = section[: section.index("</section>")]
    assert all(part in section for part in ("Write it.", "shown", "Another heading", "answer"))
    assert "Before." not in section
    assert "The end." not in section


class Tags(HTMLParser):
    """All tags and attributes of a page, and whether every tag is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.seen, self.open, self.ids = set(), [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        for name, value in attrs:
            allowed = "id class href lang name content charset http-equiv tabindex aria-label aria-labelledby role style colspan"
            formula = tag.startswith("m") and name in MATHML
            assert formula or name in allowed.split(), (tag, name)
            assert name != "href" or re.match(r"#[\w-]+$|feedback/[^:]+\.html$", value), value
            assert name != "style" or re.fullmatch(r"width: [\d.]+%", value), value
            self.ids += [value] if name == "id" else []
        if tag not in ("meta", "br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def words(html):
    """What a page says, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", html.split("</style>")[1]))


def test_a_page_says_what_was_reached_and_why():
    page = pages.feedback(graded(course_cells()[:25]), WORTH)
    text = words(page)
    assert "Chapter 03: 2 of 8 points" in text
    assert "x0_from_eps✓ right2 of 2" in text
    assert "eps_loss✗ wrong0 of 3" in text
    assert "This looks like a sum: take the mean over all entries" in text
    assert "ddpm_step? missing0 of 3" in text
    tags = Tags(page)
    assert [i for i in tags.ids if i in EXERCISES] == list(EXERCISES)
    assert len(tags.ids) == len(set(tags.ids))
    assert set(re.findall('href="#([^"]+)"', page)) <= {*tags.ids, "top"}  # browsers know where #top is


def test_flags_are_for_the_instructor():
    page = pages.feedback(graded(course_cells()), WORTH)
    assert "looked at its own source" not in page


def test_what_is_not_graded_is_folded_and_complete():
    cells = course_cells()
    page = pages.feedback(graded(cells), WORTH)
    folded = "".join(re.findall("<details>(.*?)</details>", page, re.DOTALL))
    outside = re.sub("<details>.*?</details>", "", page, flags=re.DOTALL)
    assert "Algorithm 2, as printed by Ho et al." in folded
    assert "Algorithm 2, as printed by Ho et al." not in outside
    assert outside.count("answer = ") == 3
    assert "Exercise 2: <code>eps_loss</code> (3 points" in outside
    for kind, source in cells:
        if kind == "code":
            line = max((line.strip() for line in source.split("\n")), key=len)
            assert line in re.sub(r"<[^>]*>", "", page).replace("&#34;", '"').replace("&#39;", "'").replace(
                "&gt;", ">"
            ).replace("&lt;", "<").replace("&amp;", "&")


def test_nothing_of_the_solutions():
    """The package's references are nowhere: a page is made of the submission and the marks alone."""
    blank = [(e, handout.exercises(handout.read("03"))[e].blank) for e in EXERCISES]
    page = pages.feedback(graded(blank), WORTH)
    assert "sqrt()" not in page


def test_a_file_that_was_not_graded():
    one = graded(
        marks=(), chapter="", problem="the file is <empty>", notes=("a <note>",), path="x\u202e<b>.ipynb"
    )
    page = pages.feedback(one, WORTH)
    text = words(page)
    assert "Not graded" in text
    assert "the file is &lt;empty&gt;" in text
    assert "a &lt;note&gt;." in text
    assert "x⟦U+202E⟧&lt;b&gt;.ipynb" in text
    Tags(page)


def test_a_page_lies_where_it_is_said_and_identical_runs_give_identical_bytes(tmp_path):
    for place in "ab":
        pages.write_feedback(tmp_path / place, graded(course_cells()), WORTH)
    one, two = (tmp_path / place / "feedback/ann/03.html" for place in "ab")
    assert one.read_bytes() == two.read_bytes()
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == 2


# Cells.


@pytest.mark.parametrize("cell", HOSTILE)
@pytest.mark.parametrize("kind", ["markdown", "code", FIRST])
def test_a_hostile_cell_is_text(cell, kind):
    page = pages.feedback(graded([("markdown", cell), (kind, cell), ("markdown", "*after*")]), WORTH)
    tags = Tags(page)
    assert tags.seen <= SKELETON
    assert "<em>after</em>" in page
    assert "Chapter 03: 2 of 8 points" in page


@pytest.mark.parametrize("word", [*HOSTILE, "\u202eright\u202c"])
def test_a_hostile_name_or_hint_is_text(word):
    one = graded(
        student=word,
        path=word,
        notes=(word,),
        marks=(Mark(FIRST, 0, 2, State.WRONG, word, (Flag(Kind.DIFFERS, word),), word),),
    )
    rows = gradebook.students([one])
    for page in (pages.feedback(one, WORTH), pages.summary([one], rows, WORTH, word)):
        assert Tags(page).seen <= SKELETON
        assert "\u202e" not in page


def test_markdown_is_rendered():
    html = show.markdown("# A\n\n**b** and `x_y_z`\n\n- c\n\n| d | e |\n|---|---|\n| 1 | 2 |\n\n> f")
    for part in (
        "<h3>A</h3>",
        "<strong>b</strong>",
        "<code>x_y_z</code>",
        "<li>c</li>",
        "<th>d</th>",
        "<td>2</td>",
        "<blockquote>",
    ):
        assert part in html


def test_tags_links_pictures_and_alignment_leave_their_words():
    html = show.markdown(
        "![a *cat*](x.png) [here](http://y) <b>bold</b>\n\n| d |\n|:-:|\n| 1 |\n\n```html\ncode\n```\n\n4. four"
    )
    assert "[picture: a <em>cat</em>] here &lt;b&gt;bold&lt;/b&gt;" in html
    assert "<th>d</th>" in html
    assert "<pre><code>code" in html
    assert "<ol>" in html


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("$x_t$ and $x_{t-1}$", "<p>⟨xt⟩ and ⟨xt−1⟩</p>"),
        ("$a*b*c$", "⟨a∗b∗c⟩"),
        (r"$\{a \\ b\}$", "⟨{ab}⟩"),
        ("$a <b> c$", "⟨a&lt;b&gt;c⟩"),
        ("$$\na_1 &= b_1 \\\\\n&= c_1\n$$", "⟨⟨a1=b1=c1⟩⟩"),
        ("| $x_t$ | $y_t$ |\n|---|---|\n| $a_1$ | 2 |", "<td>⟨a1⟩</td>"),
        ("$\\beta_1,\n\\dots$", "⟨β1,…⟩"),
        ("it costs $5 and $6", "it costs $5 and $6"),
        ("`$x_t$` is code", "<code>$x_t$</code>"),
        ("```\n$x_t$ $y$\n```", "$x_t$ $y$"),
        ("\\begin{aligned}\na_1\n\\end{aligned}", "⟨⟨a1⟩⟩"),
        (r"so \begin{cases} a_1 \\ b_1 \end{cases} it is", "<p>so ⟨⟨{a1b1⟩⟩ it is</p>"),
        ("so\n$$\na\n\n- b\n$$", "⟨⟨a−b⟩⟩"),
        ("- so $$a_1$$ and\n- $b_1$", "<li>so ⟨⟨a1⟩⟩ and</li>"),
        ("> $$a_1$$\n> $b_1$", "⟨⟨a1⟩⟩"),
        ("$$a$$ and $$b$$", "⟨⟨a⟩⟩ and ⟨⟨b⟩⟩"),
        (r"\$a$ is $b$", "$a$ is ⟨b⟩"),
        ("$" + "{" * 60 + "a$", "<code>" + "{" * 60 + "a</code>"),
    ],
)
def test_formulas_are_shown_as_formulas(source, shown):
    """In a line between ⟨ and ⟩, on a line of their own between double ones."""
    html = re.sub(
        r'<span class="tex block">(.*?)</span>', r"⟨⟨\1⟩⟩", str(show.markdown(source)), flags=re.DOTALL
    )
    html = re.sub(r'<span class="tex[ long]*">(.*?)</span>', r"⟨\1⟩", html, flags=re.DOTALL)
    assert shown in re.sub(r"</?(math|m[a-z]+)\b[^>]*>", "", html)


def test_every_formula_of_the_course_survives():
    for name in handout.names():
        for cell in handout.read(chapter_of(name)).cells:
            if cell.cell_type == "markdown":
                plain = re.sub(r"```.*?```|`[^`]*`", "", cell.source, flags=re.DOTALL)
                html = show.markdown(cell.source)
                assert len(re.findall('class="tex', html)) == len(
                    re.findall(r"\$\$.+?\$\$|\$[^$]+\$", plain, re.DOTALL)
                ), name


def test_code_is_coloured_and_complete():
    source = '# c\ndef f(x):\n    """d"""\n    return "<&>" + 1.5\n'
    html = show.code(source)
    assert '<span class="c"># c</span>' in html
    assert '<span class="k">def</span>' in html
    assert '<span class="f">f</span>' in html
    assert '<span class="m">1.5</span>' in html
    assert (
        re.sub("<[^>]*>", "", html)
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#34;", '"')
        .replace("&amp;", "&")
        == source
    )


@pytest.mark.parametrize("c", ["\u202e", "\u2066", "\u200b", "\ufeff", "\x1b", "\x00", "\u00ad", "\ue000"])
@pytest.mark.parametrize("show_it", [show.code, show.markdown])
def test_what_is_not_seen_is_named(show_it, c):
    html = re.sub("<[^>]*>", "", show_it(f"a{c}b"))
    assert c not in html
    assert f"⟦U+{ord(c):04X}⟧" in html


def test_the_words_of_every_language_stay():
    for text in ("naïve 李小龙 Привет שלום", "x\u00a0y", "ε ≤ √2 😀"):
        assert text.replace("\u00a0", " ") in re.sub("<[^>]*>", "", show.code(text))


def test_long_cells_are_cut():
    page = pages.feedback(graded([("markdown", "x " * 5_000_000), ("code", "y " * 5_000_000)]), WORTH)
    assert len(page) < 60_000
    assert page.count("[cut here]") == 2


SLOW = [
    "`",
    "> ",
    "- ",
    "[](",
    "$$",
    "\\begin{a}\n\n",
    "~~",
    "[",
    "![",
    "*",
    "**_",
    "$",
    "$a",
    "<",
    "<!--",
    "<a ",
    "&",
    "   \n",
    "\\begin{a}",
    "a|b\n-|-\n",
    "` `` ",
    "(",
    '"\\',
    "f'{",
    "\u202e",
]


@pytest.mark.parametrize("piece", SLOW)
def test_no_cell_takes_long(piece):
    for length in (show.RICH, show.LONGEST, 10_000_000):
        text = piece * (length // len(piece))
        started = time.process_time()  # of the processor: another program's work is no fault of the text
        show.markdown(text)
        show.code(text)
        assert time.process_time() - started < 5


def test_a_huge_notebook_keeps_its_exercises_and_is_cut_elsewhere():
    filler = [("markdown", f"{n} " + "word " * 1000) for n in range(400)]
    page = pages.feedback(graded([*filler, (FIRST, "def x0_from_eps(): ..."), ("code", "after")]), WORTH)
    assert len(page) < 2 * pages.LONGEST
    assert "x0_from_eps" in page
    assert "after" not in words(page)


# The summary.


def batch():
    """Twenty students with chapter 03, one of them without, one file that could not be read."""
    made = []
    for n in range(20):
        right = n % 4
        marks = [
            Mark(
                e,
                WORTH[e] if i < right else 0,
                WORTH[e],
                State.RIGHT if i < right else State.WRONG,
                "" if i < right else HINT,
                kind="" if i < right else SLIP,
            )
            for i, e in enumerate(EXERCISES)
        ]
        student = f"student {n}"
        made.append(
            graded(
                (),
                tuple(marks),
                student=student,
                page=f"{safe(student)}/03",
                seconds=float(n),
                peak=n * 10**7,
            )
        )
    made.append(
        graded(
            (), (), student="zoe", chapter="", page="zoe/unknown", problem="the file is empty", seconds=0.1
        )
    )
    return made


def summed(isolation="bubblewrap", made=None):
    made = batch() if made is None else made
    return pages.summary(made, gradebook.students(made), WORTH, isolation)


def test_the_summary_counts():
    text = words(summed())
    assert "Grades of 21 students" in text
    assert (
        "21 files, 190 s of work in all: 9.0 s for the median file, 19.0 s for the slowest (student 19, 03)"
        in text
    )
    assert "Peak memory of a file: 0.19 GB" in text
    assert f"{FIRST} (2 points)15 of 20 (75 %)20" in text
    assert f"{THIRD} (3 points)5 of 20 (25 %)20" in text
    assert "5 × a sum: take the mean over all entries" in text
    assert "01-snr (2 points)0 of 0 (0 %)0" in text
    assert (
        "zoe, unknown ann/03.ipynbthe file is empty" in text.replace("<br>", " ")
        or "the file is empty" in text
    )


def test_what_waits_for_a_person_is_not_counted_as_wrong():
    rows = [gradebook.Student(name, {FIRST: Mark(FIRST, 0, 2, State.WAITS)}, ()) for name in ("ann", "bob")]
    page = pages.summary([], rows, {FIRST: 2}, "bubblewrap")
    assert "2 waiting" in page
    assert "0 of 2 (0 %)" not in page


def test_the_bins_hold_everybody():
    for most in (1, 3, 7, 10, 15, 100):
        totals = list(range(most + 1))
        bins = pages._bins(totals, most)
        assert sum(n for _, n, _ in bins) == len(totals)
        assert len(bins) <= 11
        assert bins[-1][0] == str(most)
        assert max(share for *_, share in bins) == 100
    assert pages._bins([], 0) == [("0", 0, 0.0)]


def test_every_student_and_flag_is_linked(tmp_path):
    made = batch()
    for one in made:
        pages.write_feedback(tmp_path, one, WORTH)
    pages.write_summary(tmp_path, made, gradebook.students(made), WORTH, "bubblewrap")
    page = (tmp_path / "summary.html").read_text(encoding="utf-8")
    Tags(page)
    links = set(re.findall('href="(feedback/[^"]+)"', page))
    assert len(links) == len(made)
    assert all((tmp_path / link).is_file() for link in links)


@pytest.mark.parametrize(
    ("isolation", "loud"),
    [
        ("bubblewrap", False),
        ("a container, and a user of its own for each run", False),
        ("NONE, only limits on time and memory (no bwrap)", True),
        ("no bubblewrap", True),
        ("not a container", True),
        ("", True),
        ("magic", True),
    ],
)
def test_a_missing_sandbox_is_told_loudly(isolation, loud):
    page = summed(isolation)
    assert ('role="alert"' in page) is loud
    assert ("without a sandbox" in page) is loud
    assert isolation in page


def test_a_summary_of_nothing():
    assert "Grades of 0 students" in words(summed(made=[]))


def test_what_was_not_graded_stands_together_and_is_only_text():
    told = [Line(Trouble(Why.UNTOUCHED), f"ann/{n}<script>.ipynb", "<b>ann") for n in range(3)]
    told += [Line(Trouble(Why.OTHER), "\u202ehw.pdf"), Line(Trouble(Why.MAYBE_ONE, "a; b"))]
    page = pages.summary([], [], WORTH, "bubblewrap", told, "4 entries = 0 rows + 4 lines")
    Tags(page)
    assert "Not graded (4)" in words(page)
    assert "4 entries = 0 rows + 4 lines." in words(page)
    assert page.count("is as it was handed out") == 1
    assert "<b>ann" not in page
    assert "<script>" not in page
    assert "⟦U+202E⟧hw.pdf" in page
    assert page.index("may be one person") < page.index("is as it was handed out")  # what matters comes first


# In a browser.


@pytest.fixture(params=["light", "dark"])
def opened(browser, request):
    """A window as narrow as a phone, and all addresses that it asks for."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=request.param)
    page, asked = context.new_page(), []
    page.on("request", lambda sent: asked.append(sent.url))
    yield page, asked
    context.close()


def overflow(page):
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


CONTRAST = """() => {
    const rgb = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
    const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3]) return c; } return [255, 255, 255]; };
    return Math.min(...[...document.querySelectorAll('body *')].filter(e => e.innerText).map(e => {
        const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
        return (a + .05) / (b + .05);
    }));
}"""


@pytest.mark.browser
def test_hostile_cells_do_nothing_in_a_browser(opened, tmp_path):
    page, asked = opened
    cells = [(kind, cell) for cell in HOSTILE for kind in ("markdown", "code")]
    one = graded(
        [*cells, (FIRST, "\n".join(HOSTILE)), *cells, (SECOND, "x = " + "1 + " * 500)], notes=tuple(HOSTILE)
    )
    pages.write_feedback(tmp_path, one, WORTH)
    pages.write_summary(tmp_path, [one], gradebook.students([one]), WORTH, "none")
    for name in ("feedback/ann/03.html", "summary.html"):
        page.goto((tmp_path / name).as_uri())
        assert overflow(page) == 0
        page.wait_for_timeout(200)
        assert page.evaluate("window.hacked") is None
        assert page.locator("h1").is_visible()
    assert (
        page.evaluate("document.querySelectorAll('script, img, iframe, svg, link, base, form').length") == 0
    )
    assert {url.split(":")[0] for url in asked} == {"file"}
    assert len(asked) == 2


@pytest.mark.browser
def test_a_phone_shows_the_course_without_scrolling_sideways(opened, tmp_path):
    page, asked = opened
    pages.write_feedback(tmp_path, graded(course_cells()[:30]), WORTH)
    page.goto((tmp_path / "feedback/ann/03.html").as_uri())
    assert page.evaluate("document.documentElement.lang") == "en"
    for exercise in EXERCISES:
        page.locator("nav table a", has_text=function_of(exercise)).click()
        assert page.url.endswith(f"#{exercise}")
        assert page.locator(f"section[id='{exercise}'] h2").is_visible()
        page.locator(f"section[id='{exercise}'] >> text=All exercises").click()
        assert page.evaluate("window.scrollY") == 0
    page.locator(f"section[id='{FIRST}'] >> text=Next").click()
    assert page.url.endswith(f"#{SECOND}")
    assert page.evaluate(CONTRAST) >= 4.5
    assert overflow(page) == 0
    assert page.evaluate(CONTRAST) >= 4.5
    assert len(asked) == 1


@pytest.mark.browser
def test_the_summary_leads_to_the_pages(opened, tmp_path):
    page, asked = opened
    odd = graded((), MARKS, student="Zoë #1?", page=f"{safe('Zoë #1?')}/03")
    made = [*batch(), odd]
    for one in made:
        pages.write_feedback(tmp_path, one, WORTH)
    pages.write_summary(tmp_path, made, gradebook.students(made), WORTH, "none but limits")
    page.goto((tmp_path / "summary.html").as_uri())
    assert overflow(page) == 0
    assert page.evaluate(CONTRAST) >= 4.5
    page.locator("#eye + table a", has_text="Zoë").click()
    assert page.locator("h1").inner_text() == "Chapter 03: 2 of 8 points"
    assert {url.split(":")[0] for url in asked} == {"file"}


def test_part_of_the_points_is_shown_with_the_score():
    part = Mark(
        SECOND, 1, 3, State.PART, "1 of 3 points: the score is 0.9; the marks are 1 point from 1 down"
    )
    graded = Graded("ann", "03", "a.ipynb", "ann/03", marks=(part,), cells=((SECOND, "x = 1"),))
    page = pages.feedback(graded, WORTH)
    assert "◐ partly right" in page
    assert "1 of 3 points" in page
    assert "the score is 0.9" in page
    (row,) = gradebook.students([Graded.from_json(graded.as_json())])
    assert row.total == 1
