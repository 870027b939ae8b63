"""The web edition in Chromium: a small site, or with DIFFUSION_COURSE_SITE=FOLDER every page of that one."""

import os
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

CHAPTER = '''\
# %% [markdown]
# # 1. A small chapter: all that a page can hold
#
# It has $\\sqrt{1-\\beta_t}$ in a line, {{exercises}}, and
#
# $$
# \\begin{aligned}
# a &= b + c + d + e + f + g + h + i + j + k + l + m + n + o + p + q + r + s + t + u + v & & \\text{(A & B, a long line)} \\\\
# &= w
# \\end{aligned}
# \\tag{1}
# $$
#
# **You need** nothing.

# %%
import torch
from diffusion_course.classroom import check
from diffusion_course.notebook import plots, quiz, widgets
from diffusion_course.notebook.tables import show_table

# %% [markdown]
# ## 1. What lives
#
# A fact | Its number
# --- | ---
# one | $1$

# %%
def line(t=3, power=1.0, name="a"):
    return plots.curves([0, 1], {name: [0, t**power]}, title=f"t = {t}", xlabel="x", ylabel="y", ylim=(0, 10))

line()

# %%
widgets.slide(
    line, description="A line", labels={"power": "power p"}, matters={"power": {"name": "a"}},
    t=(1, 10), power=(0.5, 1.5, 0.5), name=["a", "b"],
)

# %%
widgets.player([torch.full((1, 8, 8), k / 4) for k in range(4)], ["one", "two", "three", "four"], description="A film")

# %%
quiz.ask("01-q1")

# %%
show_table(["what", "how much"], [["a word that is quite long, so that the table is wide", "0.5 ± 0.1"]] * 2, "A table")
print("printed " * 30)

# %% [markdown]
# ### Exercise {{01-snr}}
#
# Write it.

# %%
# EXERCISE 01-snr (keep this line)
def snr(alpha_bar):
    """Signal-to-noise ratio."""
    ### BEGIN SOLUTION
    return alpha_bar / (1 - alpha_bar)
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("01-snr", snr)

# %% [markdown]
# Next: `02_next`
'''
NEXT = """\
# %% [markdown]
# # 2. The next chapter
#
# **You need** chapter 1.
"""


class Site:
    """Pages behind a server of their own, and what goes wrong on those that a test opens."""

    def __init__(self, folder, port, browser):
        self.folder, self.browser, self.trouble = folder, browser, []
        self.home = f"http://127.0.0.1:{port}/"
        self.pages = sorted(
            str(path.relative_to(folder)) for path in folder.rglob("*.html") if path.name != "search.html"
        )

    def open(self, name, width=1280, dark=False):
        page = self.browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        page.set_default_timeout(60_000)
        note = self.trouble.append
        page.on("console", lambda said: note(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: note(str(error)))
        page.on("requestfailed", lambda request: note(f"failed: {request.url}"))
        page.on(
            "request", lambda asked: None if asked.url.startswith((self.home, "data:")) else note(asked.url)
        )
        page.goto(name if "://" in name else self.home + name)
        page.evaluate("() => window.MathJax?.startup?.promise")
        return page


@pytest.fixture(scope="module")
def site(browser, tmp_path_factory):
    whole = os.environ.get("DIFFUSION_COURSE_SITE")
    folder = Path(whole).resolve() if whole else built(tmp_path_factory.mktemp("course"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Site(folder, server.server_port, browser)
    server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def built(root):
    """A small site. Its second chapter has nothing to run, so that one kernel is enough."""
    pytest.importorskip("myst_nb")
    from diffusion_course.classroom.editions import edition
    from diffusion_course.classroom.site import command

    run = command.executed
    (root / "solutions").mkdir()
    (root / "solutions" / "01_small.py").write_text(CHAPTER)
    (root / "solutions" / "02_next.py").write_text(NEXT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            command,
            "executed",
            lambda chapter, *more: (
                run(chapter, *more) if chapter.exercises else (edition(chapter, "solutions"), False)
            ),
        )
        command.build(root / "site", print, root=root)
    return root / "site"


@pytest.fixture(autouse=True)
def no_trouble(site):
    """No page of a test may log an error, fail to load something, or load it from elsewhere."""
    site.trouble.clear()
    yield
    assert site.trouble == []


def serious(page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    return [
        (found["id"], node["html"][:120], node["failureSummary"][:200])
        for found in axe.run(page).response["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]


def test_every_page_works_at_a_desk(site, subtests):
    for name in site.pages:
        with subtests.test(name), site.open(name) as page:
            sound(page, name)
            if "/" in name:
                links(page, name, site.folder)
                sliders(page, name)
                films(page, name)
                questions(page, name)


def test_every_page_is_sound_on_a_phone_in_the_dark(site, subtests):
    for name in site.pages:
        with subtests.test(name), site.open(name, width=390, dark=True) as page:
            sound(page, name)


def sound(page, name):
    """Formulas are typeset, pictures have words, nothing is wider than the screen, and axe has no serious finding."""
    assert page.locator("mjx-container").count() >= page.locator("span.math, div.math").count(), name
    assert page.locator("[data-mjx-error], .problematic, .system-message").count() == 0, name
    assert page.locator("img:not([alt]), img[alt='']").count() == 0, name
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name
    words = page.evaluate(
        "() => [...document.querySelectorAll('article p, article li')].map(part => part.innerText).join('\\n')"
    )
    assert "$" not in words, name
    assert "{{" not in words, name
    assert serious(page) == [], name


def links(page, name, folder):
    """A page leads to Colab, to its notebook, and to the other edition."""
    found = page.locator("p.page-links a")
    colab, file, other = (found.nth(k).get_attribute("href") for k in range(3))
    assert re.fullmatch(r"https://colab\.research\.google\.com/github/.+\.ipynb", colab)
    assert Path(name).with_suffix(".ipynb").name == Path(colab).name == file
    assert (folder / name).with_name(file).exists()
    assert (folder / name).parent.joinpath(other).resolve().exists()
    for way in page.locator("article a[href*='solutions/'][href*='#']").all():
        file, _, place = way.get_attribute("href").partition("#")
        assert f'id="{place}"' in (folder / name).parent.joinpath(file).read_text(), place


def sliders(page, name):
    """Every control moves, by keyboard and by mouse, and what is said follows."""
    for box in page.locator("div.live").all():
        for handle in box.locator("input[type=range]").all():
            if handle.is_enabled():
                moved(page, box, handle, name)
        for menu in box.locator("select").all():
            menu.focus()
            page.keyboard.press("End")
            last = menu.locator("option").last.inner_text()
            assert f"= {last}" in box.locator(".told").inner_text(), name


def moved(page, box, handle, name):
    told, output = box.locator(".told"), box.locator(f"output[for='{handle.get_attribute('id')}']")
    last = handle.get_attribute("max")
    handle.focus()
    page.keyboard.press("Home")
    first = told.inner_text()
    page.keyboard.press("ArrowRight")
    assert handle.input_value() == "1", name
    assert told.inner_text() != first
    assert output.inner_text() == handle.get_attribute("aria-valuetext")
    assert box.locator("img").get_attribute("alt") == told.inner_text()
    track = handle.bounding_box()
    handle.click(position={"x": track["width"] - 3, "y": track["height"] / 2})
    assert handle.input_value() == last, name
    box.locator("img").evaluate("image => image.decode()")  # the picture is there


def films(page, name):
    for box in page.locator("div.live:has(.play)").all():
        box.get_by_role("button", name="Play").click()
        page.wait_for_function(
            "box => box.querySelector('.play').textContent == 'Play'", arg=box.element_handle()
        )
        handle = box.locator("input")
        assert handle.input_value() == handle.get_attribute("max"), name


def questions(page, name):
    """Each option is answered to; the answer is told after two wrong ones."""
    for form in page.locator("form.quiz").all():
        verdict, button = form.locator(".verdict"), form.get_by_role("button", name="Check")
        button.click()
        assert verdict.inner_text() == "Choose an option first."
        told = []
        for option in form.locator("input").all():
            option.focus()
            page.keyboard.press("Space")
            button.click()
            told.append(verdict.inner_text())
        wrong = [words for words in told if words.startswith("✗")]
        assert len(wrong) == len(told) - 1, name
        assert wrong[0].endswith("Try once more."), name
        assert all("The answer is" in words for words in wrong[1:]), name


def test_a_slider_shows_the_picture_of_its_setting(site):
    name = next(name for name in site.pages if 'div class="live"' in (site.folder / name).read_text())
    page = site.open(name)
    box = page.locator("div.live").first
    handle, seen = box.locator("input[type=range]").first, set()
    handle.focus()
    page.keyboard.press("Home")
    steps = int(handle.get_attribute("max"))
    for _ in range(steps):
        seen.add(box.locator("img").get_attribute("src"))
        page.keyboard.press("ArrowRight")
    seen.add(box.locator("img").get_attribute("src"))
    assert len(seen) == steps + 1 > 3
    page.close()


def test_the_student_edition_shows_no_solution_and_folds_what_is_printed(site):
    if "notebooks/01_small.html" not in site.pages:
        pytest.skip("of the small site alone")
    page = site.open("notebooks/01_small.html")
    article = page.locator("article")
    assert "alpha_bar / (1 - alpha_bar)" not in article.inner_text()
    assert "correct" not in article.inner_text()
    assert not page.get_by_text("printed printed").is_visible()
    page.locator("details", has_text="printed").locator("summary").click()
    assert page.get_by_text("printed printed").is_visible()
    page.close()


def test_the_search_finds_a_word_of_a_chapter(site):
    page = site.open("search.html?q=notebook")
    page.locator("#search-results li a").first.wait_for()
    page.close()


def test_the_map_leads_to_every_chapter_and_the_whole_is_small(site):
    page = site.open("index.html")
    chapters = [name for name in site.pages if name.startswith("notebooks/")]
    assert page.locator("figure.map a").count() == len(chapters)
    if any("/01_" in name for name in chapters):  # chapters out of the middle may not need one another
        assert page.locator("figure.map path").count() >= len(chapters) - 1
    page.close()
    assert sum(path.stat().st_size for path in site.folder.rglob("*") if path.is_file()) < 40e6


def test_a_page_that_is_opened_from_a_disk_works_too(site):
    page = site.browser.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.goto((site.folder / site.pages[-1]).as_uri())
    page.evaluate("() => window.MathJax?.startup?.promise")
    page.close()
    assert said == []
