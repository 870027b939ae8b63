"""Every chapter as a student has it: all cells run in JupyterLab, then each slider is moved, a quiz and an exercise are answered.

The suite opens chapter 00, whose cells take seconds. `make test ARGS="tests/browser --every-chapter -s"` opens all of them, which takes
about a minute each, and prints the latency of every slider.
"""

import re
from pathlib import Path

import nbformat
import pytest
from driving import Output, quick, run_all

pytestmark = [pytest.mark.browser, pytest.mark.notebook]

SOLUTIONS = Path(__file__).parents[2] / "solutions"
# Cell -> its text, and back: what a student does by typing.
SOURCE = "k => window.jupyterapp.shell.currentWidget.content.widgets[k].model.sharedModel.getSource()"
WRITE = "([k, text]) => window.jupyterapp.shell.currentWidget.content.widgets[k].model.sharedModel.setSource(text)"
RUN = """async k => {
    window.jupyterapp.shell.currentWidget.content.activeCellIndex = k;
    await window.jupyterapp.commands.execute('notebook:run-cell');
}"""


def pytest_generate_tests(metafunc):
    if "chapter" in metafunc.fixturenames:
        every = sorted(SOLUTIONS.glob("[0-9][0-9]_*.ipynb"))
        chosen = every if metafunc.config.getoption("--every-chapter") else every[:1]
        metafunc.parametrize("chapter", chosen, ids=lambda path: path.stem)


def test_a_chapter_answers(browser, lab, chapter):
    notebook = nbformat.read(chapter, as_version=4)
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    page.set_default_timeout(lab.patience)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        run_all(page, lab, notebook, chapter.name)
        assert (
            page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']").count()
            == 0
        )
        boxes = page.locator(".jp-OutputArea-output .diffusion-box")
        for k in range(boxes.count()):
            box = boxes.nth(k)
            if box.locator(".widget-radio-box").count():
                the_quiz_answers(box)
            elif box.locator("img.widget-image").count():
                its_sliders_move(
                    page, box, f"{chapter.stem[:2]}, {box.inner_text().strip().splitlines()[-1][:60]}"
                )
        an_exercise_is_checked(page, notebook)
        page.screenshot(path=lab.screenshots / f"{chapter.stem}.png")
        assert page.get_by_text("javascript error").count() == 0
        assert errors == []
    finally:
        page.close()


def its_sliders_move(page, box, name):
    """Each by key and by mouse; after a drag to the end the picture is that of the end, and nothing is left in a queue."""
    output = Output(page, box=box)
    for k in range(output.sliders()):
        slider = output.slider(k)
        if slider.evaluate(
            "handle => !!handle.closest('[disabled], .ui-state-disabled, .noUi-target[disabled]')"
        ):
            continue
        ends = [slider.get_attribute(f"aria-value{end}") for end in ("now", "max")]
        there, back = ("ArrowLeft", "ArrowRight") if ends[0] == ends[1] else ("ArrowRight", "ArrowLeft")
        seconds = [output.press(key, k) for key in (there, back, there, back)]
        print(f"{name}: {slider.get_attribute('aria-label')}: ", end="")
        quick(seconds)
        settled = output.drag(2000 if there == "ArrowRight" else -2000, k)
        print(f"    after a drag the last picture came in {1000 * settled:.0f} ms")
        assert box.get_by_role("alert").count() == 0, box.inner_text()


def the_quiz_answers(box):
    """Options are tried until one is right; a wrong one is told as well."""
    said = []
    for k in range(box.locator("input").count()):
        box.locator("input").nth(k).check()
        box.get_by_role("button", name="Check").click()
        letter = "abcdefgh"[k]
        box.get_by_text(re.compile(rf"{letter}\) is (not )?right\.")).wait_for()
        said.append(box.get_by_text(f"{letter}) is right.").count())
    assert sum(said) == 1, said


def an_exercise_is_checked(page, notebook):
    """The first exercise of the chapter: a function that returns nothing gets a hint, the solution the line that grading wants."""
    cells = notebook.cells
    answer = next((k for k, cell in enumerate(cells) if cell.source.startswith("# EXERCISE")), None)
    if answer is None:
        return
    id = cells[answer].source.split()[2]
    asked = next(k for k, cell in enumerate(cells) if f'check("{id}"' in cell.source)
    right = page.evaluate(SOURCE, answer)
    wrong = re.sub(r"### BEGIN SOLUTION\n.*?### END SOLUTION", "return None", right, flags=re.DOTALL)
    assert wrong != right
    told = page.locator(".jp-Cell").nth(asked)
    for text, words in ((wrong, "None"), (right, f"{id}: correct")):
        page.evaluate(WRITE, [answer, text])
        page.evaluate(RUN, answer)
        page.evaluate(RUN, asked)
        told.get_by_text(words).first.wait_for()
