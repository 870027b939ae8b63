"""Sliders for pages without a kernel: which settings are kept, how large their pictures are, and that nobody else gets them."""

import base64
import io
import itertools
import math

import pytest
import torch
from PIL import Image

from diffusion_course.errors import CourseError
from diffusion_course.notebook import kernelless, plots, quiz, widgets


def line(t=3, power=1.0, name="a"):
    return plots.curves([0, 1], {name: [0, t**power]}, title=f"t = {t}", xlabel="x", ylabel="y")


def shade(t=3, name="a"):
    return torch.full((1, 8, 8), t / 1000 - (name == "b"))


def speckled(t=500, w=1.0, name="a"):
    """A picture that no codec makes small, another one for each setting."""
    seed = torch.Generator().manual_seed(hash((t, w)) % 2**31 + (name == "b"))
    return torch.rand((8, 1, 28, 28), generator=seed) * 2 - 1


@pytest.fixture
def shown(monkeypatch):
    """What the last slider or question has put beside its widget."""
    outputs = []
    monkeypatch.setattr(widgets, "show", lambda box, text, instead: outputs.append(instead))
    monkeypatch.setenv(kernelless.ASKED, "1")
    return lambda kind=kernelless.SLIDER: outputs[-1][kind]


def sizes(data):
    return [len(base64.b64decode(picture)) for picture in data["pictures"]]


def places(data):
    return list(itertools.product(*(control["values"] for control in data["controls"])))


def test_a_small_slider_is_there_in_whole_and_a_picture_once(shown):
    widgets.slide(
        line,
        description="A line",
        matters={"power": {"name": "b"}},
        t=(1, 4),
        power=(0.5, 1.5, 0.5),
        name=["a", "b"],
    )
    data = shown()
    assert data["whole"]
    assert [control["values"] for control in data["controls"]] == [
        list("1234"),
        ["0.5", "1", "1.5"],
        ["a", "b"],
    ]
    assert [control["at"] for control in data["controls"]] == [2, 1, 0]
    assert [control["menu"] for control in data["controls"]] == [False, False, True]
    assert [control["matters"] for control in data["controls"]] == [{}, {2: [1]}, {}]
    assert len(data["frames"]) == len(places(data)) == 24
    by_place = dict(zip(places(data), data["frames"], strict=True))
    # Where the power changes nothing there is one picture for all of them: 4 for "a", 12 for "b" of which t = 1 has three alike.
    assert all(by_place[t, "0.5", "a"] == by_place[t, "1.5", "a"] for t in "1234")
    assert by_place["3", "0.5", "b"] != by_place["3", "1.5", "b"]
    first = Image.open(io.BytesIO(base64.b64decode(data["pictures"][by_place["3", "1", "a"]])))
    assert first.format == "WEBP"
    assert first.width in (data["width"], 2 * data["width"])


def test_a_long_range_is_thinned_and_keeps_its_ends_its_start_and_what_was_static(shown):
    widgets.slide(shade, description="Grey", static=[{"t": 7}], t=(1, 1000), name=["a", "b", "c"])
    data = shown()
    values = data["controls"][0]["values"]
    assert not data["whole"]
    assert {"1", "3", "7", "1000"} <= set(values)
    assert values == sorted(values, key=int)
    assert values[data["controls"][0]["at"]] == "3"
    assert data["controls"][1]["values"] == ["a", "b", "c"]
    assert kernelless.FEWEST <= len(values) <= kernelless.MOST
    assert sum(sizes(data)) <= kernelless.BYTES


def test_pictures_that_no_codec_makes_small_leave_fewer_positions(shown):
    widgets.slide(speckled, description="Noise", t=(1, 1000), w=(0.0, 8.0, 0.5), name=["a", "b"])
    data = shown()
    assert sum(sizes(data)) <= kernelless.BYTES
    assert math.prod(len(control["values"]) for control in data["controls"]) == len(data["frames"])
    assert [len(control["values"]) for control in data["controls"]][2] == 2
    assert min(len(control["values"]) for control in data["controls"]) >= 2


def test_a_menu_that_is_too_large_for_the_web_is_refused(shown, monkeypatch):
    monkeypatch.setattr(kernelless, "BYTES", 10_000)
    with pytest.raises(CourseError, match=r"Noise: its pictures take .* fewer choices in a menu"):
        widgets.slide(speckled, description="Noise", name=["a", "b"])


def test_a_start_between_two_positions_is_one_of_them(shown):
    widgets.slide(lambda w=0.73: shade(w), description="Grey", w=(0.0, 1.0, 0.25))
    assert shown()["controls"][0]["values"] == ["0", "0.25", "0.5", "0.73", "0.75", "1"]


def test_a_setting_that_cannot_be_drawn_has_no_picture(shown):
    def broken(t=1):
        if t == 2:
            raise ValueError("two")
        return shade(300 * t)

    widgets.slide(broken, description="Grey", t=(1, 3))
    assert shown()["frames"] == [0, -1, 1]


def test_a_palette_keeps_the_colour_of_a_thin_line():
    from diffusion_course.figures.pictures import to_png

    thin = plots.curves([0, 1], {str(k): [k, k] for k in range(6)}, title="Six", xlabel="x", ylabel="y")
    picture = to_png(thin, quick=True)
    (small,) = kernelless._encode_all([picture], 2, 24)
    before, after = (Image.open(io.BytesIO(data)).convert("RGB") for data in (picture, small))
    for colour in plots.COLOURS[:6]:
        want = tuple(int(colour[k : k + 2], 16) for k in (1, 3, 5))
        found = set(zip(*[iter(after.tobytes())] * 3, strict=True))
        assert min(sum(abs(a - b) for a, b in zip(want, pixel, strict=True)) for pixel in found) < 40
    assert before.size == after.size


def test_a_film_says_how_fast(shown):
    widgets.player(
        [torch.full((1, 8, 8), k / 4) for k in range(3)], ["a", "b", "c"], description="Grey", interval=50
    )
    data = shown()
    assert (data["interval"], data["frames"], data["controls"][0]["values"]) == (
        50,
        [0, 1, 2],
        ["a", "b", "c"],
    )


def test_a_button_for_fresh_noise_is_told(shown):
    widgets.slide(shade, description="Grey", t=(1, 4), fresh=lambda seed, t: shade(t))
    assert shown()["fresh"]
    widgets.slide(shade, description="Grey", t=(1, 4))
    assert not shown()["fresh"]


def test_a_question_says_which(shown):
    quiz.ask("01-q1")
    assert shown(kernelless.QUIZ) == {"id": "01-q1"}


def test_nobody_else_gets_them(shown, monkeypatch):
    monkeypatch.delenv(kernelless.ASKED)
    widgets.slide(shade, description="Grey", t=(1, 4))
    with pytest.raises(KeyError):
        shown()
    quiz.ask("01-q1")
    with pytest.raises(KeyError):
        shown(kernelless.QUIZ)
