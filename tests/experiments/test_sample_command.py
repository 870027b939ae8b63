"""`diffusion-course sample`, with networks that were never trained: it draws what it is asked for, by the sampler that it is told."""

import io

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from diffusion_course import samplers
from diffusion_course.cli import app
from diffusion_course.errors import CourseError
from diffusion_course.experiments import drawing, sample_command, zoo
from diffusion_course.experiments.asked import asked, class_names
from diffusion_course.experiments.config import Config
from diffusion_course.experiments.models import network
from diffusion_course.experiments.precision import DTYPES
from diffusion_course.figures import grids, pictures
from diffusion_course.schedules import NoiseSchedule, cosine, karras, loglinear, trailing_timesteps

NETS = {
    "digits": {
        "model": "flow",
        "data": "digits",
        "net": {"image_size": 8, "widths": [8], "attention": [], "num_classes": 10},
        "label_dropout": 0.1,
    },
    "plain": {
        "model": "flow",
        "data": "digits",
        "net": {"image_size": 8, "widths": [8], "attention": [], "num_classes": 0},
    },
    "always": {
        "model": "flow",
        "data": "digits",
        "net": {"image_size": 8, "widths": [8], "attention": [], "num_classes": 10},
    },
    "clothes": {
        "model": "edm",
        "data": "fashion-mnist",
        "net": {"image_size": 8, "widths": [8], "attention": [], "num_classes": 10},
        "label_dropout": 0.1,
    },
    "gone": {
        "model": "flow",
        "data": "no/such/pictures",
        "net": {"image_size": 8, "widths": [8], "attention": [], "num_classes": 2},
        "label_dropout": 0.1,
    },
    "tokens": {
        "model": "masked",
        "data": "digits",
        "net": {"states": 4, "shape": [8, 8], "width": 8, "depth": 1, "heads": 2, "num_classes": 10},
    },
    "prose": {
        "model": "masked",
        "data": "course-prose",
        "net": {"states": 38, "shape": [16], "width": 8, "depth": 1, "heads": 2},
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Each network in a file; its output layer, which begins at zero, is drawn, so that what is asked for shows."""
    made = tmp_path_factory.mktemp("nets")
    for name, mapping in NETS.items():
        torch.manual_seed(0)
        config = Config.of(mapping | {"recipe": {"steps": 1}})
        net = network(config)
        for p in net.parameters():
            if not p.any():
                torch.nn.init.normal_(p, std=0.3)
        zoo.write(made / f"{name}.safetensors", net, config)
    return made


@pytest.fixture
def sample(folder, tmp_path, monkeypatch):
    """Run the command on a network; the result, and the figure or film that was to be written."""
    monkeypatch.chdir(tmp_path)
    held = {}

    def run(name, *options):
        result = CliRunner().invoke(
            app, ["sample", str(folder / f"{name}.safetensors"), "--device", "cpu", *options]
        )
        return result, held

    for module, function in ((grids, "images"), (grids, "filmstrip")):
        real = getattr(module, function)

        def noted(x, *rest, real=real, function=function, **named):
            held.update(named, what=function, x=x, rest=rest)
            return real(x, *rest, **named)

        monkeypatch.setattr(module, function, noted)
    monkeypatch.setattr(pictures, "to_png", lambda figure: b"\x89PNG")
    return run


GRID = {
    "karras": karras(4),
    "loglinear": loglinear(4),
    "cosine": NoiseSchedule.from_betas(cosine(1000)).grid(trailing_timesteps(1000, 4)),
}


@pytest.mark.parametrize(
    ("sampler", "grid", "step"),
    [
        ("euler", "karras", samplers.euler),
        ("heun", "loglinear", samplers.heun),
        ("dpmpp-2m", "karras", samplers.dpmpp_2m()),
        ("ddpm", "cosine", samplers.ddpm),
        ("ddpm-large", "karras", samplers.ddpm_large),
        ("edm", "karras", samplers.edm(30, 0.01, 1, 1.007, num_steps=4)),
    ],
)
def test_the_samples_are_those_that_draw_gives(sample, folder, sampler, grid, step):
    """Of the same seed, so that a picture from the shell can be had again in a notebook."""
    words = ["--sampler", sampler, "--grid", grid, "--steps", "4", "--count", "12", "--seed", "3"]
    result, held = sample("digits", *words, "--guidance", "1.5", "--columns", "4")
    assert result.exit_code == 0, result.output
    assert result.stdout == "12 samples: samples.png\n"
    model = zoo.load(folder / "digits.safetensors")
    right = drawing.draw(model, 12, 1.5, GRID[grid], step, seed=3).images
    torch.testing.assert_close(held["x"].clamp(-1, 1), right, atol=1e-5, rtol=0)
    assert held["columns"] == 4


@pytest.mark.parametrize(
    ("name", "words", "labels", "titles"),
    [
        ("digits", [], [0, 1, 2, 3, 4], None),
        ("digits", ["--class", "7"], [7] * 5, ["7"] * 5),
        ("digits", ["--class", "7,0", "--class", " 3 ,"], [7, 0, 3, 7, 0], ["7", "0", "3", "7", "0"]),
        (
            "clothes",
            ["--class", "dress,2"],
            [3, 2, 3, 2, 3],
            ["dress", "pullover", "dress", "pullover", "dress"],
        ),
        ("gone", ["--class", "1"], [1] * 5, ["1"] * 5),
    ],
)
def test_classes_take_turns_by_number_or_name(sample, folder, name, words, labels, titles):
    result, held = sample(name, "--steps", "2", "--count", "5", *words)
    assert result.exit_code == 0, result.output
    model, start = zoo.load(folder / f"{name}.safetensors"), None
    start = drawing.noise_for(model, 5, 0, "cpu")
    y = torch.tensor(labels)
    by = drawing.draw_by(lambda y: (drawing._guided(model, y, 2.0), samplers.euler), start, y, karras(2), 0)
    torch.testing.assert_close(held["x"].clamp(-1, 1), by, atol=1e-5, rtol=0)
    assert held["titles"] == titles


def test_a_network_without_classes_draws_without_guidance(sample):
    result, held = sample("plain", "--steps", "2", "--count", "3")
    assert result.exit_code == 0, result.output
    assert held["x"].shape == (3, 1, 8, 8)
    assert "guidance 1, " in held["title"]


def test_texts_take_turns():
    """Of a network that reads, what it is given are hidden states."""
    model = zoo.load("mnist-text")
    hidden, heads = asked(model, 3, texts=["a thin seven", "a thick three"])
    assert heads == ["a thin seven", "a thick three", "a thin seven"]
    torch.testing.assert_close(hidden, model.embed(heads))
    hidden, heads = asked(model, 2)
    assert heads == []
    torch.testing.assert_close(hidden, model.embed(["", ""]))
    with pytest.raises(CourseError, match=r"^--class: this network reads"):
        asked(model, 2, ["3"])


@pytest.mark.parametrize("name", ["digits", "tokens"])
def test_a_film_has_every_state_and_a_strip_nine(sample, name):
    result, held = sample(name, "--steps", "6", "--count", "2", "--film", "--out", "x.gif")
    assert result.exit_code == 0, result.output
    assert Image.open("x.gif").n_frames == 7
    result, held = sample(name, "--steps", "30", "--count", "2", "--film")
    assert result.exit_code == 0, result.output
    assert held["what"] == "filmstrip"
    assert held["x"].shape == (9, 2, 1, 8, 8)
    assert len(held["rest"][0]) == 9


def test_few_steps_make_a_short_strip(sample):
    _, held = sample("digits", "--steps", "2", "--count", "2", "--film")
    assert 2 <= len(held["x"]) <= 3


def test_tokens_are_drawn_as_pictures_and_classes_are_asked_of_them(sample, folder):
    result, held = sample("tokens", "--steps", "5", "--count", "3", "--class", "4,7")
    assert result.exit_code == 0, result.output
    assert held["titles"] == ["4", "7", "4"]
    assert held["x"].shape == (3, 1, 8, 8)
    levels = torch.linspace(-1, 1, 4)
    assert (held["x"].flatten()[:, None] - levels).abs().amin(1).max() < 1e-6


def test_a_model_of_text_prints(sample):
    result, _ = sample("prose", "--steps", "4", "--count", "2")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [len(line) for line in lines] == [16, 16]
    assert not any("_" in line for line in lines)
    result, _ = sample("prose", "--steps", "4", "--count", "1", "--film")
    lines = result.stdout.splitlines()
    assert len(lines) == 5
    assert lines[0] == "_" * 16


@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        ("digits", ["--class", "11"], "error: --class: unknown class '11'"),
        ("digits", ["--class", "dress"], "error: --class: unknown class 'dress'"),
        ("clothes", ["--class", "dres"], "did you mean 'dress'?"),
        ("digits", ["--text", "a"], "error: --text: this network does not read, it has --class"),
        ("plain", ["--text", "a"], "error: --text: this network does not read\n"),
        ("plain", ["--class", "1"], "error: --class: this network has no classes"),
        ("plain", ["--guidance", "2"], "error: --guidance: got 2; this network has no classes, want 1"),
        ("prose", ["--class", "1"], "error: --class: this network has no classes"),
        ("prose", ["--text", "a"], "error: --text: a model of tokens takes none"),
        ("tokens", ["--guidance", "1"], "error: --guidance: a model of tokens takes none"),
        ("tokens", ["--class", "-1"], "error: --class: unknown class '-1'"),
    ],
)
def test_what_cannot_be_asked_is_one_line(sample, name, words, told):
    result, held = sample(name, "--count", "2", "--steps", "2", *words)
    assert result.exit_code == 2
    assert told in result.stderr
    assert held == {}


def test_every_sampler_and_grid_that_the_help_names_is_known():
    """And the shell completes them all."""
    import typer

    command = typer.main.get_command(app).commands["sample"]
    options = {one.name: one for one in command.params}
    for name, known in (("sampler", sample_command.SAMPLERS), ("grid", sample_command.GRIDS)):
        assert all(one in options[name].help for one in known)
        context = command.make_context("sample", ["mnist-flow"], resilient_parsing=True)
        offered = [item.value for item in options[name].shell_complete(context, "")]
        assert offered == sorted(known)


def test_every_precision_is_completed():
    import typer

    command = typer.main.get_command(app).commands["train"]
    (option,) = (one for one in command.params if one.name == "precision")
    context = command.make_context("train", ["mnist-flow"], resilient_parsing=True)
    assert {item.value for item in option.shell_complete(context, "")} == set(DTYPES)
    assert all(one in option.help for one in DTYPES)


def test_a_film_of_bytes_can_be_read_where_it_is_written(sample):
    result, _ = sample("digits", "--steps", "3", "--count", "2", "--film", "--out", "deep/x.webp")
    assert result.exit_code == 0, result.output
    with open("deep/x.webp", "rb") as file:
        assert Image.open(io.BytesIO(file.read())).n_frames == 4


def test_a_network_that_was_always_told_its_class_is_not_guided(sample):
    result, held = sample("always", "--steps", "2", "--count", "2")
    assert result.exit_code == 0, result.output
    assert "guidance 1, seed 0" in held["title"]
    result, _ = sample("always", "--steps", "2", "--count", "2", "--guidance", "3")
    assert result.exit_code == 2
    assert "--guidance: got 3; this network was trained with label_dropout 0" in result.output


@pytest.mark.parametrize(("names", "known"), [(["x"] * 9, False), ([f"class {i}" for i in range(10)], True)])
def test_the_names_of_classes_are_those_that_came_with_the_weights(folder, tmp_path, names, known):
    config = Config.of(NETS["digits"] | {"data": "no/such/pictures", "recipe": {"steps": 1}})
    path = tmp_path / "own.safetensors"
    zoo.write(path, network(config), config, names)
    assert class_names(str(path)) == (tuple(names) if known else ())


def test_pictures_that_have_other_classes_now_give_no_names(folder, tmp_path):
    config = Config.of(NETS["gone"] | {"data": "digits", "recipe": {"steps": 1}})
    path = tmp_path / "own.safetensors"
    zoo.write(path, network(config), config)
    assert class_names(str(path)) == ()
