"""The web edition without a browser: what a page holds, what is run again, what is refused. The pages themselves: tests/browser/test_site.py."""

import base64
import io
import json
import re
from html import unescape

import nbformat
import pytest
from nbformat.v4 import new_output
from PIL import Image

from diffusion_course.classroom import chapters, editions
from diffusion_course.classroom.site import command, course_map, live, pages, runs, typesetting
from diffusion_course.classroom.site.pictures import Pictures
from diffusion_course.errors import CourseError
from diffusion_course.notebook.kernelless import QUIZ

SOURCE = """\
# %% [markdown]
# # 3. A small chapter: its title goes on
#
# **You need** chapters 1 and 2. The step of chapter 7 comes later.
#
# Not this: chapter 9. {{exercises}}

# %%
print("seen")

# %%
quiz.ask("01-q1")

# %% [markdown]
# ### Exercise {{03-x0_from_eps}}

# %%
# EXERCISE 03-x0_from_eps (keep this line)
def x0_from_eps(x_t, t, eps, alpha_bar):
    \"\"\"The guess.\"\"\"
    ### BEGIN SOLUTION
    secret = 1
    ### END SOLUTION


# %% tags=["check"]
# NBVAL_CHECK_OUTPUT
check("03-x0_from_eps", x0_from_eps)

# %%
check("01-snr", snr)

# %%
check_all()
"""


def webp(colour):
    buffer = io.BytesIO()
    Image.new("RGB", (40, 20), colour).save(buffer, format="webp", lossless=True)
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture
def chapter(tmp_path):
    path = tmp_path / "03_small.py"
    path.write_text(SOURCE)
    return chapters.read(path)


@pytest.fixture
def run(chapter):
    """The solved edition with outputs that nobody had to compute."""
    notebook = editions.edition(chapter, "solutions")
    setup, seen, asked, _, check, _, all_of_them = [c for c in notebook.cells if c.cell_type == "code"]
    setup.outputs = [new_output("stream", name="stdout", text="Device: CPU")]
    picture = f'<img alt="A &amp; b" width="20" src="data:image/webp;base64,{webp("red")}">'
    seen.outputs = [
        new_output("stream", name="stdout", text="seen"),
        new_output("display_data", data={"text/html": picture, "image/png": "x", "text/plain": "A & b"}),
    ]
    asked.outputs = [
        new_output("display_data", data={QUIZ: {"id": "01-q1"}, "text/html": "no", "text/plain": "no"})
    ]
    check.outputs = [new_output("stream", name="stdout", text="correct")]
    all_of_them.outputs = [new_output("stream", name="stdout", text="3 of 3 points")]
    return notebook


@pytest.fixture
def both(chapter, run, tmp_path):
    return {folder: pages.page(chapter, folder, run, Pictures(tmp_path), {}) for folder in pages.EDITIONS}


def cell_of(page, words):
    return next(cell for cell in page.cells if words in cell.source)


def test_both_editions_show_the_outputs_of_one_run_and_each_picture_is_one_file(both, tmp_path):
    for page in both.values():
        nbformat.validate(page)
        html = cell_of(page, 'print("seen")').outputs[1].data["text/html"]
        tag = re.fullmatch(
            r'<img alt="A &amp; b" width="20" height="10" loading="lazy" src="\.\./(\S+)">', html
        )
        assert (tmp_path / tag[1]).exists()
    assert len(list((tmp_path / "_static" / "pictures").iterdir())) == 1
    student = both["notebooks"]
    assert cell_of(student, 'print("seen")').metadata.tags == ["hide-output"]
    assert cell_of(both["solutions"], 'print("seen")').metadata.tags == []
    # What is asked stands open, without the line that asks it.
    assert cell_of(student, "quiz.ask").metadata.tags == ["remove-input"]
    assert "secret" not in nbformat.writes(student)
    assert cell_of(both["solutions"], "check(").outputs[0].text == "correct"
    assert cell_of(both["solutions"], "check_all(").outputs[0].text == "3 of 3 points"


def test_a_page_tells_nobody_elses_device_or_points_and_an_exercise_leads_to_its_solution(both):
    student, solved = both["notebooks"], both["solutions"]
    assert "Device: CPU" not in nbformat.writes(student) + nbformat.writes(solved)
    assert "correct" not in nbformat.writes(student)
    assert cell_of(student, "check_all(").outputs == []
    [output] = cell_of(student, "check(").outputs
    place = re.search(r'href="\.\./solutions/03_small\.html#([^"]+)"', output.data["text/html"])[1]
    assert f'<div id="{place}"></div>\n\n### Exercise 1' in "\n".join(cell.source for cell in solved.cells)
    assert cell_of(student, "01-snr").outputs == []  # its solution is in another chapter


def test_a_number_is_not_broken_and_a_text_is(chapter, run, tmp_path):
    cells = "".join(
        f'<td style="text-align: right">{words}</td>' for words in ("4.0e-05", "0.5 (0.4 to 0.6)")
    )
    cell_of(run, 'print("seen")').outputs = [
        new_output("display_data", data={"text/html": f"<table><tr>{cells}</tr></table>"})
    ]
    page = pages.page(chapter, "solutions", run, Pictures(tmp_path), {})
    html = cell_of(page, 'print("seen")').outputs[0].data["text/html"]
    assert 'nowrap">4.0e-05<' in html
    assert 'right">0.5 (0.4' in html


def test_a_page_leads_to_colab_to_its_notebook_and_to_the_other_edition(chapter, run, tmp_path):
    first = pages.page(chapter, "notebooks", run, Pictures(tmp_path), {}).cells[0].source
    assert first.startswith("# 3. A small chapter: its title goes on (to be solved)\n")
    colab, file, other = re.findall(r'href="([^"]+)"', first)
    assert colab.endswith("/notebooks/03_small.ipynb")
    assert (file, other) == ("03_small.ipynb", "../solutions/03_small.html")


def test_a_picture_without_words_is_refused(tmp_path):
    for words in ("", 'alt=""'):
        with pytest.raises(CourseError, match="words for readers who cannot see it"):
            Pictures(tmp_path).out_of(f'<img {words} width="20" src="data:image/webp;base64,{webp("red")}">')


def test_a_slider_begins_at_its_setting_and_its_words_are_escaped(tmp_path):
    control = {"label": "<w>", "menu": False, "values": ["0", "0.5", "1"], "at": 1, "matters": {}}
    menu = {"label": "of", "menu": True, "values": ["a", "</script>"], "at": 1, "matters": {0: [1]}}
    data = {
        "description": 'What "it" shows',
        "controls": [control, menu],
        "whole": False,
        "fresh": True,
        "interval": None,
        "width": 20,
        "frames": [0, 0, 0, 1, 0, -1],
        "pictures": [webp("red"), webp("blue")],
    }
    html = live.slider(data, "s", Pictures(tmp_path))
    facts = json.loads(re.search(r"<script[^>]*>(.*?)</script>", html)[1])
    assert facts["controls"][1]["values"] == ["a", "</script>"]
    shown = re.search(r'<img alt="([^"]*)" width="20" height="10" loading="lazy" src="([^"]*)">', html)
    assert unescape(shown[1]) == 'What "it" shows: <w> = 0.5, of = </script>'
    assert shown[2] == facts["files"][1]
    assert "6 of its settings; in a running notebook there are all, and a button for fresh noise." in html
    assert 'aria-valuetext="0.5"' in html
    assert "<option selected>&lt;/script&gt;</option>" in html


def test_the_answer_of_a_question_does_not_stand_in_clear():
    html = live.question("01-q1", "s")
    assert "is right" not in html
    sealed = json.loads(base64.b64decode(re.search(r'data-sealed="([^"]+)"', html)[1]))
    assert sealed["right"] == "b"
    assert sealed["verdicts"]["b"][0].startswith("✓ b) is right.")
    assert set(sealed["verdicts"]) == set("abcd")


def test_the_map_has_what_a_chapter_says_it_needs(chapter):
    assert course_map.needs(chapter) == {"01", "02"}
    page = course_map.page([chapter])
    assert "3. A small chapter <notebooks/03_small>\n" in page
    assert "3. A small chapter <solutions/03_small>\n" in page
    assert "### 3. A small chapter: its title goes on" in page
    assert "1 exercise for" in page


def test_a_chapter_is_run_again_only_when_its_code_has_changed(chapter, tmp_path, monkeypatch):
    ran = []

    def execute(notebook, name, folder, timeout, told):
        ran.append(told)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = [new_output("stream", name="stdout", text=cell.source)]

    monkeypatch.setattr(runs, "execute", execute)
    monkeypatch.setattr(runs, "_package", lambda: "as it is")
    first, new = runs.executed(chapter, tmp_path, tmp_path / "kept", 1)
    assert (new, ran) == (True, [{"DIFFUSION_COURSE_FRAMES": "1"}])
    again, new = runs.executed(chapter, tmp_path, tmp_path / "kept", 1)
    assert not new
    assert again == first
    chapter.cells[0].source += " More prose."
    assert not runs.executed(chapter, tmp_path, tmp_path / "kept", 1)[1]
    chapter.cells[1].source += "  # more code"
    assert runs.executed(chapter, tmp_path, tmp_path / "kept", 1)[1]
    (tmp_path / "kept" / "03_small.json").write_text('{"key": ')
    assert runs.executed(chapter, tmp_path, tmp_path / "kept", 1)[1]
    monkeypatch.setattr(runs, "_package", lambda: "another one")
    assert runs.executed(chapter, tmp_path, tmp_path / "kept", 1)[1]


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "03_small.py").write_text(SOURCE)
    return tmp_path


def test_a_folder_that_holds_something_else_is_left_alone(checkout):
    with pytest.raises(CourseError, match="something else than a site"):
        command.build(checkout, print, root=checkout)
    assert (checkout / "solutions" / "03_small.py").exists()


def test_without_its_tools_one_line_says_what_to_install_before_anything_is_run(checkout, monkeypatch):
    monkeypatch.setattr(typesetting, "TOOLS", ("json", "no_such_tool"))
    monkeypatch.setattr(command, "executed", None)
    with pytest.raises(CourseError, match=r"pip install 'diffusion-course\[site\]'$"):
        command.build(checkout / "site", print, root=checkout)
