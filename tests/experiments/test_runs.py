"""A whole run from a config: folder, card, resume, and what a bad config gets told."""

import json

import pytest
import torch
import yaml
from experiments.tiny import CARD, TINY

from diffusion_course.errors import CourseError
from diffusion_course.experiments import drawing, runs, zoo


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    return path


def test_a_run_leaves_weights_and_a_card(config, tmp_path):
    card = runs.train(str(config), tmp_path / "run", device="cpu")
    assert card == json.loads((tmp_path / "run" / "tiny.json").read_text())
    assert card.keys() >= CARD
    assert card["steps"] == 2
    model = runs.read_weights(str(tmp_path / "run" / "tiny.safetensors"))
    drawn = drawing.draw_paths(model, 12, 2.0)
    assert drawn.grey.shape == (31, 12, 1, 8, 8)
    assert drawn.labels.tolist() == [*range(10), 0, 1]


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
