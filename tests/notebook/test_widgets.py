"""Sliders without a browser: what is drawn when, what a reader sees, and that no error is lost."""

import pytest
import torch

from diffusion_course.errors import CourseError
from diffusion_course.notebook import plots, widgets
from diffusion_course.notebook.widgets import Live, player, slide, slide_frames


def line(t=3, power=1.0, name="a"):
    return plots.curves([0, 1], {name: [0, t**power]}, title="A title", xlabel="x", ylabel="y")


@pytest.fixture
def live(monkeypatch):
    """The Live object behind the last slider that was made."""
    made = []

    class Recorded(Live):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(widgets, "Live", Recorded)
    return lambda: made[-1]


def test_moving_a_control_redraws_and_says_so(live):
    slide(line, description="A line", t=(1, 10))
    before = live().image.value
    live().controls["t"].value = 7
    assert live().image.value != before
    assert live().message.value == "A line: t = 7"


def test_controls_follow_their_specification_and_the_defaults_of_draw(live):
    slide(
        line,
        description="A line",
        t=(1, 10),
        power=(0.0, 2.0, 0.25),
        name=["a", "b"],
        labels={"power": "power p"},
    )
    controls = live().controls
    assert [type(c).__name__ for c in controls.values()] == ["IntSlider", "FloatSlider", "Dropdown"]
    assert live().values() == {"t": 3, "power": 1.0, "name": "a"}
    assert controls["power"].description == "power p"
    assert controls["power"].readout_format == ".2f"


def test_numbers_in_a_list_make_a_slider_over_them(live):
    slide(lambda steps: line(steps), description="A line", steps=[5, 10, 50])
    assert type(live().controls["steps"]).__name__ == "SelectionSlider"
    assert live().values() == {"steps": 5}


def test_a_broken_callback_is_seen_in_one_line_and_the_next_setting_works(live):
    def draw(t=1):
        if t == 3:
            raise RuntimeError("three\nis <not> drawn")
        return line(t)

    slide(draw, description="A line", t=(1, 10))
    live().controls["t"].value = 3
    assert 'role="alert"' in live().message.value
    assert live().message.value.startswith("A line: t = 3. ")
    assert "RuntimeError: three is &lt;not&gt; drawn (line " in live().message.value
    live().controls["t"].value = 4
    assert live().message.value == "A line: t = 4"


def test_a_control_that_changes_nothing_is_disabled(live):
    slide(
        line,
        description="A line",
        matters={"power": {"name": "b"}},
        power=(0.0, 2.0),
        name=["a", "b"],
    )
    assert live().controls["power"].disabled
    assert live().message.value == "A line: name = a"
    live().controls["name"].value = "b"
    assert not live().controls["power"].disabled


def test_a_slow_drawing_says_that_it_computes(live, monkeypatch):
    monkeypatch.setattr(widgets, "SLOW", 0.0)
    said = []

    def draw(t=3):
        said.append(live().message.value)
        return line(t)

    slide(line, description="A line", t=(1, 10))
    live().draw = draw
    live().controls["t"].value = 5
    assert said[-1] == "A line: t = 5. Drawing ..."
    assert live().message.value == "A line: t = 5"


def test_names_are_plain_words(live, capsys):
    slide(lambda s_churn=1: line(s_churn), description="A line", s_churn=(1, 10))
    assert live().controls["s_churn"].description == "s churn"
    assert live().message.value == "A line: s churn = 1"


def test_an_error_at_the_first_or_a_static_setting_is_raised():
    with pytest.raises(ZeroDivisionError):
        slide(lambda t=2: line(1 / (t - 2)), description="A line", t=(1, 10))
    with pytest.raises(ZeroDivisionError):
        slide(lambda t=1: line(1 / (t - 2)), description="A line", t=(1, 10), static=[{"t": 2}])


def test_a_draw_that_returns_nothing_is_told_so():
    with pytest.raises(CourseError, match="got NoneType"):
        slide(lambda t=1: None, description="A line", t=(1, 10))


def test_a_slow_drawing_waits_until_the_slider_is_let_go(live, monkeypatch):
    monkeypatch.setattr(widgets, "SLOW", float("inf"))
    slide(line, description="A line", t=(1, 10))
    assert live().controls["t"].continuous_update
    monkeypatch.setattr(widgets, "SLOW", 0.0)
    slide(line, description="A line", t=(1, 10))
    assert not live().controls["t"].continuous_update


def test_without_a_notebook_the_words_are_printed(capsys):
    slide(line, description="A line", t=(1, 10), static=[{"t": 1}, {"t": 9}])
    assert capsys.readouterr().out.splitlines() == [
        "A line: t = 1; t = 9.",
        "Live in a running notebook: t (1 to 10).",
    ]


def test_frames_are_ready_before_the_slider_moves(live):
    frames = {
        (w, digit): torch.full((1, 1, 8, 8), w / 4 - digit / 10) for w in (0.0, 1.0, 2.0) for digit in (3, 5)
    }
    slide_frames(frames, ["w", "digit"], description="Samples", labels={"w": "guidance scale w"})
    live().controls["w"].value = 2.0
    live().controls["digit"].value = 5
    assert live().image.value == widgets.to_png(frames[2.0, 5], quick=True)
    assert live().message.value == "Samples: guidance scale w = 2, digit = 5"


def button_of(live):
    return live.box.children[0]


def test_a_button_draws_the_present_setting_from_fresh_noise(live):
    def fresh(seed, t):
        return line(t, power=1 + seed)

    slide_frames({1: line(1), 2: line(2)}, "t", description="A line", fresh=fresh)
    live().controls["t"].value = 2
    ready = live().image.value
    button_of(live()).click()
    assert live().image.value == widgets.to_png(line(2, power=2), quick=True)
    assert live().message.value == "A line: t = 2 (noise 1)"
    button_of(live()).click()
    assert live().message.value == "A line: t = 2 (noise 2)"
    assert not button_of(live()).disabled
    live().controls["t"].value = 1
    live().controls["t"].value = 2
    assert live().image.value == ready
    assert live().message.value == "A line: t = 2"


def test_an_error_behind_the_button_is_seen_and_leaves_it_usable(live):
    def fresh(seed, t):
        raise ValueError(f"no noise {seed}")

    slide(line, description="A line", fresh=fresh, t=(1, 10))
    button_of(live()).click()
    assert "ValueError: no noise 1" in live().message.value
    assert not button_of(live()).disabled


def test_the_button_is_told_to_readers_without_widgets(capsys):
    slide(line, description="A line", fresh=lambda seed, t: line(t), t=(1, 10))
    assert "t (1 to 10), a button for fresh noise." in capsys.readouterr().out


def test_a_player_steps_through_its_frames(live):
    frames = [torch.full((1, 4, 4), k / 5) for k in range(5)]
    player(frames, [f"t = {5 - k}" for k in range(5)], description="Denoising")
    live().controls["frame"].index = 4
    assert live().image.value == widgets.to_png(frames[4], quick=True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: slide(line, description=""), "controls: got none"),
        (lambda: slide(line, description="", t=(10, 1)), "want min < max"),
        (lambda: slide(line, description="", t=(1, 10, 0)), "a step > 0"),
        (lambda: slide(line, description="", t=(5, 10)), "default 3 is not within 5..10"),
        (lambda: slide(line, description="", t="1..10"), r"want \(min, max\)"),
        (lambda: slide(line, description="", t=[]), r"want \(min, max\)"),
        (lambda: slide(line, description="", name=["b"]), "default 'a' is not among"),
        (lambda: slide(line, description="", q=(1, 10)), "do not match the controls q"),
        (
            lambda: slide(line, description="", t=(1, 10), static=[{"s": 1}]),
            "'s' is not among the controls t",
        ),
        (
            lambda: slide(line, description="", t=(1, 10), matters={"t": {"s": 1}}),
            "matters: 's' is not among the controls t",
        ),
        (lambda: slide_frames({}, "w", description=""), "none given for w"),
        (lambda: slide_frames({1: b""}, ["w", "v"], description=""), "does not match w, v"),
        (
            lambda: slide_frames({(1, 1): b"", (2, 2): b""}, ["w", "v"], description=""),
            "no picture for w = 1, v = 2",
        ),
        (lambda: player([b""], [], description=""), "got 0 for 1 frames"),
    ],
)
def test_bad_input_is_one_clear_line(call, message):
    with pytest.raises(CourseError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
