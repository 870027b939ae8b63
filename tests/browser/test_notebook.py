"""Sliders, film and quiz as a student has them: a real JupyterLab in Chromium, by keyboard and by mouse."""

import re

import pytest
from driving import Output, quick, run_all
from nbformat.v4 import new_code_cell, new_notebook

pytestmark = pytest.mark.browser

SETUP = """
import time, torch
from diffusion_course.notebook import setup, plots, widgets, quiz
course = setup()
def line(t):
    return plots.curves([0, 1], {"a": [0, t]}, title=f"t = {t}", xlabel="x", ylabel="y", ylim=(0, 100))
"""
LIGHT = """
widgets.slide(lambda t=20: line(t), description="A line of slope t", static=[{"t": 1}, {"t": 90}], t=(1, 100))
"""
# Slow once it is live, but quick at first, so that the slider goes on sending while it is dragged. How often it was
# drawn cannot be read from a picture, so its last value says it in an error, which must be visible too.
SLOW = """
drawn, widgets.SLOW = 0, 60
def slow(s=1):
    global drawn
    drawn += 1
    time.sleep(0.3 * (s > 1))
    if s == 100:
        raise RuntimeError(f"{drawn} drawings")
    return line(s)
widgets.slide(slow, description="A slow line", s=(1, 100))
"""
FRAMES = """
shades = {(w, digit): torch.full((10, 1, 28, 28), w / 8 - digit / 20) for w in (0.0, 1.0, 2.0, 4.0) for digit in (3, 5)}
widgets.slide_frames(shades, ["w", "digit"], description="Shades of grey", labels={"w": "guidance scale w"})
"""
FILM = """
widgets.player([torch.full((1, 28, 28), k / 4) for k in range(4)], ["one", "two", "three", "four"], description="A film")
"""
QUIZ = 'quiz.ask("01-q1")'
FORMULAS = 'quiz.ask("01-q2")'
STUB = """
from diffusion_course.classroom import check
def snr(alpha_bar):
    raise NotImplementedError
check("01-snr", snr)
"""


@pytest.fixture(scope="module")
def opened(browser, lab):
    """The notebook below, opened once and run, and the errors its page reports."""
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    page.set_default_timeout(lab.patience)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    cells = [new_code_cell(cell) for cell in (SETUP, LIGHT, SLOW, FRAMES, FILM, QUIZ, FORMULAS, STUB)]
    run_all(page, lab, new_notebook(cells=cells), "widgets.ipynb")
    yield page, errors
    page.close()


@pytest.fixture
def page(opened, request, lab):
    page, _ = opened
    yield page
    page.screenshot(path=lab.screenshots / f"{request.node.name}.png")


def test_every_widget_appears(page, opened):
    page.locator(".widget-radio-box").first.wait_for()
    assert page.locator("img.widget-image").count() == 4
    assert page.get_by_text("javascript error").count() == 0
    assert opened[1] == []


def test_where_widgets_live_no_picture_stands_beside_them(page):
    assert page.locator("img[src^='data:image/webp']").count() == 0


def test_what_is_not_written_is_told_in_a_box(page):
    assert page.get_by_role("note").inner_text().startswith("To do: 01-snr (0 of 2 points so far)")


def test_a_slider_answers_to_keys(page):
    light = Output(page, "A line of slope t")
    seconds = [light.press(key) for key in ("ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft", "ArrowRight")]
    light.says("A line of slope t: t = 23")
    quick(seconds)


def test_a_slider_answers_to_the_mouse(page):
    light = Output(page, "A line of slope t")
    handle = light.slider()
    handle.scroll_into_view_if_needed()
    before = light.picture.get_attribute("src")
    box = handle.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 2000, box["y"], steps=4)
    page.mouse.up()
    light.changed(before)
    light.says("A line of slope t: t = 100")


def test_a_slow_drawing_is_not_queued_and_a_broken_one_is_seen(page):
    slow = Output(page, "A slow line")
    handle = slow.slider()
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 2000, box["y"], steps=100)
    page.mouse.up()
    alert = slow.box.get_by_role("alert")
    alert.wait_for()
    found = re.search(r"RuntimeError: (\d+) drawings \(line \d+\)", alert.inner_text())
    assert found, alert.inner_text()
    print(f"{found[1]} drawings for 100 moves of the mouse")
    assert int(found[1]) < 50
    slow.press("ArrowLeft")
    slow.says("A slow line: s = 99")


def test_ready_frames_answer_at_once(page):
    frames = Output(page, "Shades of grey")
    seconds = [frames.press(key) for key in ("ArrowRight", "ArrowRight", "ArrowLeft")]
    seconds.append(frames.press("ArrowRight", nth=1))
    frames.says("Shades of grey: guidance scale w = 1, digit = 5")
    quick(seconds)


def test_a_film_plays_to_its_end(page):
    film = Output(page, "A film")
    film.box.locator(".widget-play button").first.click()
    film.says("A film: frame = four")


def test_a_quiz_is_answered_by_arrow_keys(page):
    quiz = page.locator(".jp-OutputArea-output .widget-vbox", has_text="01-q1").last
    quiz.get_by_label("a) √0.20", exact=True).check()
    quiz.get_by_role("button", name="Check").click()
    quiz.get_by_text("a) is not right.").wait_for()
    quiz.get_by_label("a) √0.20", exact=True).focus()
    page.keyboard.press("ArrowDown")  # JupyterLab would go to the next cell
    assert quiz.locator("input:checked").evaluate("input => input.parentElement.textContent").startswith("b)")
    quiz.get_by_role("button", name="Check").focus()
    page.keyboard.press("Enter")
    quiz.get_by_text("b) is right.").wait_for()
    assert "✓" in quiz.inner_text()


def test_the_formulas_of_a_quiz_are_formulas(page):
    quiz = page.locator(".jp-OutputArea-output .widget-vbox", has_text="01-q2").last
    assert quiz.locator("label sub").count() > 0
    assert quiz.locator("div[role=status] sub").count() > 3


def test_sliders_have_names_and_say_their_values(page):
    light, frames = Output(page, "A line of slope t"), Output(page, "Shades of grey")
    assert light.slider().get_attribute("aria-label") == "t"
    assert [frames.slider(k).get_attribute("aria-label") for k in (0, 1)] == ["guidance scale w", "digit"]
    frames.press("End")
    page.wait_for_function(
        "handle => handle.getAttribute('aria-valuetext') == '4'", arg=frames.slider().element_handle()
    )


def test_on_a_phone_a_long_label_stands_above_its_slider(page):
    page.set_viewport_size({"width": 390, "height": 800})
    page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    try:
        frames = Output(page, "Shades of grey")
        track = frames.box.locator(".slider-container").first.bounding_box()
        label = frames.box.locator(".widget-label").first.bounding_box()
        assert track["width"] >= 150
        assert track["y"] > label["y"] + label["height"] / 2
    finally:
        page.set_viewport_size({"width": 1200, "height": 1000})
