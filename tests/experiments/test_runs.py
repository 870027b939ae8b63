"""A whole run from a config: folder, card, resume, and what a bad config gets told."""

import json
import re
import shutil

import pytest
import torch
import yaml
from experiments.tiny import CARD, TINY
from PIL import Image

from diffusion_course.errors import CourseError
from diffusion_course.experiments import drawing, resume, runs, zoo
from diffusion_course.experiments.asked import class_names
from diffusion_course.experiments.config import Config, read_config
from diffusion_course.experiments.parts import UniformTime
from diffusion_course.files import alone
from diffusion_course.schedules import NoiseSchedule, cosine


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    return path


def test_a_run_leaves_weights_and_a_card(config, tmp_path):
    card = runs.train(str(config), tmp_path / "run", device="cpu")
    assert card == json.loads((tmp_path / "run" / "tiny.json").read_text())
    assert card["config"] == yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert Config.of(card["config"]) == Config.of(TINY)
    assert card.keys() >= CARD
    assert card["steps"] == 2
    model = zoo.load(str(tmp_path / "run" / "tiny.safetensors"))
    drawn = drawing.draw_paths(model, 12, 2.0)
    assert drawn.grey.shape == (31, 12, 1, 8, 8)


def test_another_seed_is_another_run_with_a_name_of_its_own(config, tmp_path):
    card = runs.train(str(config), tmp_path / "one", device="cpu", seed=1)
    assert (card["name"], card["seed"], card["config"]["recipe"]["seed"]) == ("tiny-seed-1", 1, 1)
    assert card["command"] == f"diffusion-course train {config} --seed 1"
    assert yaml.safe_load((tmp_path / "one" / "config.yaml").read_text())["recipe"]["seed"] == 1
    runs.train(str(config), tmp_path / "own", device="cpu")
    runs.train(str(config), tmp_path / "zero", device="cpu", seed=0)  # the config's own, by name
    own, zero, one = (
        zoo.read(tmp_path / run).net.state_dict()
        for run in ("own/tiny.safetensors", "zero/tiny-seed-0.safetensors", "one/tiny-seed-1.safetensors")
    )
    assert all(torch.equal(own[key], zero[key]) for key in own)
    assert not all(torch.equal(own[key], one[key]) for key in own)
    with pytest.raises(CourseError, match=r"its run had seed 0 \(asked: 2\); use a new folder"):
        runs.train(str(config), tmp_path / "own", device="cpu", seed=2)


def test_the_precision_is_told_and_can_be_asked_for(config, tmp_path):
    said = []
    card = runs.train(str(config), tmp_path / "own", device="cpu", say=said.append)
    assert card["precision"] == "float32, channels_last"  # of so small a network
    assert "training in float32, channels_last" in said
    card = runs.train(str(config), tmp_path / "half", device="cpu", precision="bfloat16")
    assert card["precision"] == "bfloat16, channels_last"
    assert card["command"] == f"diffusion-course train {config} --precision bfloat16"
    with pytest.raises(
        CourseError, match=r"^unknown --precision 'half': .*known: bfloat16, float16, float32$"
    ):
        runs.train("no.yaml", tmp_path / "none", precision="half")


def test_an_interrupted_run_goes_on_to_the_same_weights(config, tmp_path):
    runs.train(str(config), tmp_path / "whole", steps=4, device="cpu")

    class Stop(Exception):
        pass

    def two_steps(steps):
        for n, step in enumerate(steps):
            if n == 2:
                raise Stop
            yield step

    with pytest.raises(Stop):
        runs.train(str(config), tmp_path / "parts", steps=4, device="cpu", progress=two_steps)
    runs.train(str(config), tmp_path / "parts", steps=4, device="cpu")
    whole, parts = (zoo.read(tmp_path / run / "tiny.safetensors") for run in ("whole", "parts"))
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            {"model": "eps-cosine"},
            "loss.kind 'flow' (asked: 'simple'), noise.kind 'logit-normal' (asked: 'schedule'), noise.mean 0.0 (asked: none), "
            "noise.std 1.0 (asked: none), parametrisation.kind 'flow' (asked: 'eps'), other schedule",
        ),
        (
            {"noise": "uniform"},
            "noise.kind 'logit-normal' (asked: 'uniform'), noise.mean 0.0 (asked: none), noise.std 1.0 (asked: none), "
            f"noise.t_max none (asked: {UniformTime().t_max}), noise.t_min none (asked: {UniformTime().t_min})",
        ),
        (
            {"loss": {"kind": "min-snr", "gamma": 3}},
            "loss.gamma none (asked: 3), loss.kind 'flow' (asked: 'min-snr')",
        ),
        ({"label_dropout": 0.9}, "label_dropout 0.0 (asked: 0.9)"),
        ({"net": TINY["net"] | {"widths": [8, 16]}}, "net.widths [8, 8] (asked: [8, 16])"),
        ({"net": TINY["net"] | {"dropout": 0.5}}, "net.dropout 0.0 (asked: 0.5)"),
        (
            {"recipe": TINY["recipe"] | {"seed": 1, "batch_size": 8}},
            "batch_size 4 (asked: 8), seed 0 (asked: 1)",
        ),
    ],
)
def test_a_config_that_was_edited_is_another_run(config, tmp_path, change, named):
    """Not the old weights with a card that tells the new config."""
    out = tmp_path / "run"
    runs.train(str(config), out, device="cpu")
    config.write_text(yaml.safe_dump(TINY | change))
    with pytest.raises(CourseError, match=re.escape(f"its run had {named}; use a new folder")):
        runs.train(str(config), out, device="cpu")
    assert Config.of(json.loads((out / "tiny.json").read_text())["config"]) == Config.of(TINY)
    assert read_config(str(out / "config.yaml")) == Config.of(TINY)


def test_code_that_was_edited_makes_another_run(config, tmp_path, monkeypatch):
    """Of the library, the networks and the training; comments and layout do not count, nor does what only measures."""
    runs.train(str(config), tmp_path / "run", device="cpu")
    known = resume.code(*runs.NOT_TRAINING)
    assert {"losses.py", "nets/unet.py", "experiments/training.py"} <= known.keys()
    assert not [name for name in known if "studies" in name or "metrics" in name or name == "cli.py"]
    monkeypatch.setattr(resume, "code", lambda *without: known | {"losses.py": "another"})
    with pytest.raises(CourseError, match=r"its run had other losses\.py; use a new folder"):
        runs.train(str(config), tmp_path / "run", device="cpu")


def test_a_run_says_where_it_stops_where_it_goes_on_and_that_it_is_finished(config, tmp_path):
    out, said = tmp_path / "run", []

    def interrupted(steps):
        for step in steps:
            if step == 1:
                raise KeyboardInterrupt
            yield step

    def go(progress=iter):
        return runs.train(str(config), out, 3, "cpu", progress, said.append)

    with pytest.raises(KeyboardInterrupt, match=r"^at step 1 of 3; the same command goes on from there$"):
        go(interrupted)
    assert said == ["training in float32, channels_last"]
    said.clear()
    seen = []
    card = go(lambda steps: seen.append(steps) or steps)
    assert seen == [range(1, 3)]
    assert said[0] == "resumed at step 1 of 3"
    said.clear()
    before = (out / "tiny.json").stat().st_mtime_ns
    assert go() == card
    assert said == ["finished before: all 3 steps are done"]
    assert (out / "tiny.json").stat().st_mtime_ns == before
    (out / "tiny.json").write_text("{")
    assert go()["metrics"] == card["metrics"]  # measured again


def test_a_run_up_to_a_step_leaves_weights_and_goes_on_as_if_it_had_not_stopped(config, tmp_path):
    def go(out, until=None, said=None):
        say = (said if said is not None else []).append
        return runs.train(str(config), tmp_path / out, 6, "cpu", say=say, until=until)

    said = []
    whole, early = go("whole"), go("parts", 2, said)
    assert said[-1] == "trained to step 2 of 6; measuring what was written"
    assert early["steps"] == 2
    assert whole["steps"] == 6
    assert early["command"] == f"diffusion-course train {config} --steps 6 --until 2"
    assert early["config"] == whole["config"]
    at_two = zoo.read(tmp_path / "parts" / "tiny.safetensors")
    said = []
    assert go("parts", 2, said) == early
    assert said == ["was at step 2 of 6 before; without --until it goes on"]
    with pytest.raises(CourseError, match=r"^until: got 1, and the run is at step 2 already$"):
        go("parts", 1)
    assert go("parts")["command"] == whole["command"]
    ends = [zoo.read(tmp_path / run / "tiny.safetensors") for run in ("whole", "parts")]
    pairs = list(zip(*(net.parameters() for net in [at_two, *ends]), strict=True))
    assert all(torch.equal(a, b) for _, a, b in pairs)
    assert any(not torch.equal(early, a) for early, a, _ in pairs)


@pytest.mark.parametrize("until", [0, 7, -1, True, 2.5])
def test_a_run_stops_at_one_of_its_steps(config, tmp_path, until):
    with pytest.raises(
        CourseError, match=r"^until: got .*, want an integer in 1\.\.6, the steps of the run$"
    ):
        runs.train(str(config), tmp_path / "run", 6, "cpu", until=until)
    assert not (tmp_path / "run").exists()


def test_the_last_point_of_the_curve_is_that_of_the_last_step(config, tmp_path):
    runs.train(str(config), tmp_path / "run", 6, "cpu", until=3)
    curve = (tmp_path / "run" / "curve.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in curve] == [3]


def test_the_meaning_of_code_is_that_of_every_python():
    """As 3.11 and 3.13 told it; the fields that a version adds, empty, are not in it."""
    source = "def f(a=None):  # why\n    return [\n        a, 0\n    ]"
    same = "def f(a = None): return [a, 0]"
    assert resume.meaning(source) == resume.meaning(same) != resume.meaning("def f(a=0): return [a, 0]")
    assert resume.meaning(source) == (
        "('Module', [('body', [('FunctionDef', [('args', ('arguments', [('args', [('arg', [('arg', \"'a'\")])]), "
        "('defaults', [('Constant', [])])])), ('body', [('Return', [('value', ('List', [('ctx', ('Load', [])), "
        "('elts', [('Name', [('ctx', ('Load', [])), ('id', \"'a'\")]), ('Constant', [('value', '0')])])]))])]), "
        "('name', \"'f'\")])])])"
    )


def test_a_network_with_learned_variances_is_trained_and_drawn_from(tmp_path):
    path = tmp_path / "hybrid.yaml"
    net = TINY["net"] | {"learned_variance": True}
    schedule = {"kind": "cosine", "T": 20}
    path.write_text(
        yaml.safe_dump(TINY | {"model": "eps-cosine", "loss": "hybrid", "schedule": schedule, "net": net})
    )
    runs.train(str(path), tmp_path / "run", device="cpu")
    model = zoo.load(str(tmp_path / "run" / "hybrid.safetensors"))
    assert model.net(torch.zeros(2, 1, 8, 8), torch.ones(2)).shape == (2, 2, 8, 8)
    assert drawing.draw(model, 2, sigmas=model_grid(20)).images.shape == (2, 1, 8, 8)


def model_grid(T):
    return NoiseSchedule.from_betas(cosine(T)).grid()


@pytest.fixture
def holiday(tmp_path, monkeypatch):
    """Six colour pictures of two classes, one of them damaged."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for i in range(6):
        path = tmp_path / "holiday" / ("beach" if i % 2 else "mountains") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20 + i, 30), (40 * i, 255, 0)).save(path)
    (tmp_path / "holiday" / "beach" / "x.png").write_bytes(b"x")
    return str(tmp_path / "holiday")


def test_ones_own_pictures_in_place_of_the_configs_data(config, tmp_path, holiday):
    """The network takes its channels and classes from them, and its image size from the config."""
    said = []
    card = runs.train(str(config), tmp_path / "run", device="cpu", say=said.append, data_name=holiday)
    assert card["data"] == f"{holiday}, 6 images"
    assert "6 pictures, 8 x 8, in colour; classes: 0 beach (3), 1 mountains (3)" in said
    assert card["command"].endswith(f" --data {holiday}")
    assert [line for line in said if line.startswith("skipped beach/x.png: ")]
    made = Config.of(card["config"])
    assert (made.data, made.net.image_size, made.net.channels, made.net.num_classes) == (holiday, 8, 3, 2)
    shutil.rmtree(holiday)
    assert class_names(str(tmp_path / "run")) == (
        "beach",
        "mountains",
    )  # a checkpoint is read without its data
    drawn = drawing.draw(zoo.load(str(tmp_path / "run" / "tiny.safetensors")), 4)
    assert drawn.images.shape == (4, 3, 8, 8)
    assert drawn.labels.tolist() == [0, 1, 0, 1]


def test_a_config_for_ones_own_pictures(config, tmp_path, holiday):
    net = {"image_size": 8, "widths": [8], "attention": [], "channels": 3, "num_classes": 3}
    config.write_text(yaml.safe_dump(TINY | {"data": holiday, "net": net}))
    with pytest.raises(
        CourseError, match=r"net: num_classes: got 3, want 2 or 0 \(0: without classes\) for "
    ):
        read_config(str(config))
    config.write_text(
        yaml.safe_dump(TINY | {"data": holiday, "net": net | {"num_classes": 2, "channels": 2}})
    )
    with pytest.raises(CourseError, match="net: channels: got 2, want 3 or 1 for "):
        read_config(str(config))
    config.write_text(yaml.safe_dump(TINY | {"data": holiday + "/nowhere"}))
    with pytest.raises(CourseError, match="nowhere: no such folder or zip"):
        read_config(str(config))


def test_a_classifier_of_ones_own_pictures(tmp_path, holiday):
    """It is measured on the test pictures of the same path."""
    for split in ("train", "test"):
        shutil.copytree(holiday, tmp_path / "sets" / split)
    path = tmp_path / "judge.yaml"
    net = {"image_size": 8, "channels": 1, "num_classes": 2, "width": 2}
    path.write_text(
        yaml.safe_dump(
            {"model": "classifier", "data": str(tmp_path / "sets"), "net": net, "recipe": TINY["recipe"]}
        )
    )
    card = runs.train(str(path), tmp_path / "run", device="cpu")
    assert card["metrics"]["test accuracy"]["n"] == 6
    judge = zoo.read(tmp_path / "run" / "judge.safetensors")
    assert (judge.image_size, judge.channels) == (8, 1)


def test_another_data_set_in_place_of_the_configs(config):
    made = read_config(str(config), data="cifar10")
    assert (made.net.image_size, made.net.channels, made.net.num_classes) == (32, 3, 10)
    with pytest.raises(CourseError, match="unknown data set 'cifar': did you mean 'cifar10'"):
        read_config(str(config), data="cifar")


@pytest.mark.parametrize(
    ("out", "device", "told"), [("file/run", "cpu", "cannot write"), ("run", "gpu", "unknown device 'gpu'")]
)
def test_folder_and_device_are_looked_at_before_the_data(config, tmp_path, monkeypatch, out, device, told):
    (tmp_path / "file").touch()
    monkeypatch.setattr(runs.data, "stream", lambda *args, **kwargs: pytest.fail("the data were read"))
    with pytest.raises(CourseError, match=told):
        runs.train(str(config), tmp_path / out, device=device)


def test_two_runs_do_not_write_into_one_folder(config, tmp_path):
    with (
        alone(tmp_path / "run" / ".lock"),
        pytest.raises(CourseError, match=r"--out .*run: another run is writing there"),
    ):
        runs.train(str(config), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run" / "config.yaml").exists()
    assert runs.train(str(config), tmp_path / "run", device="cpu")


def test_a_network_without_classes_is_trained_and_not_judged(tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "names", lambda: ["digits-judge"])
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY | {"net": TINY["net"] | {"num_classes": 0}}))
    assert runs.train(str(path), tmp_path / "run", device="cpu")["metrics"] == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "flwo"}, "unknown model 'flwo': did you mean 'flow'"),
        ({"data": "digts"}, "unknown data set 'digts': did you mean 'digits'"),
        ({"net": {"image_sise": 8}}, "net: .*image_sise"),
        ({"recipe": {"steps": 2, "batch": 4}}, "recipe: .*batch"),
        ({"recipe": {"steps": 0}}, "steps: got 0"),
        ({"colour": "blue"}, "unknown key 'colour'"),
    ],
)
def test_a_bad_config_is_one_line(tmp_path, change, message):
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(TINY | change))
    with pytest.raises(CourseError, match=message) as caught:
        runs.train(str(path), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_config_that_cannot_be_read(tmp_path):
    with pytest.raises(CourseError, match="did you mean 'mnist-flow'"):
        runs.read_config("mnist-fow")
    with pytest.raises(CourseError, match="No such file"):
        runs.read_config(str(tmp_path / "none.yaml"))
    (tmp_path / "bad.yaml").write_text("a: [1")
    with pytest.raises(CourseError, match="not YAML"):
        runs.read_config(str(tmp_path / "bad.yaml"))
