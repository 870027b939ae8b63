"""A run that goes on elsewhere: its card names every place in which steps were done, and no other."""

import json

import pytest
import torch
import yaml
from experiments.tiny import TINY
from experiments.training_runs import run, state_of, trainer

from diffusion_course import devices
from diffusion_course.errors import CourseError
from diffusion_course.experiments import places, runs

GPU = ["NVIDIA T4", "2.9.0+cu128", "float16, channels_last"]


HERE = [devices.device_name(torch.device("cpu")), str(torch.__version__), "float32, channels_last"]


def test_a_place_is_noted_with_its_first_step_and_once(tmp_path):
    path = tmp_path / "checkpoint.pt"
    t = trainer(path, steps=3)
    assert t.places == []
    run(t)
    assert t.places == state_of(path)["places"] == [HERE]


def test_a_run_that_moves_keeps_its_places_in_order(tmp_path):
    path = tmp_path / "checkpoint.pt"
    moving = trainer(path, steps=4)
    next(iter(moving.run(until=2)))
    moving.save()
    torch.save(state_of(path) | {"places": [GPU]}, path)
    resumed = trainer(path, steps=4)
    assert resumed.places == [GPU]  # where it is read is no place of it
    assert run(resumed).places == [GPU, HERE]


@pytest.mark.parametrize("held", [[], [[]], [GPU[:2]], [[*GPU[:2], 3]], ["NVIDIA T4"], {}, None, [GPU, None]])
def test_other_things_there_are_damage(tmp_path, held):
    path = tmp_path / "checkpoint.pt"
    run(trainer(path, steps=2))
    torch.save(state_of(path) | {"places": held}, path)
    with pytest.raises(CourseError, match="damaged"):
        trainer(path, steps=2)


def test_a_card_names_them_all(tmp_path):
    config, out = tmp_path / "tiny.yaml", tmp_path / "run"
    config.write_text(yaml.safe_dump(TINY))
    first = runs.train(str(config), out, 4, "cpu", precision="float32", until=2)
    assert [first[name] for name in places.NAMES] == HERE
    path = out / "checkpoint.pt"
    torch.save(state_of(path) | {"places": [GPU]}, path)
    card = runs.train(str(config), out, 4, "cpu", precision="float32")
    assert card["device"] == f"NVIDIA T4, then {HERE[0]}"
    assert card["torch"] == f"2.9.0+cu128, then {torch.__version__}"
    assert card["precision"] == "float16, channels_last, then float32, channels_last"
    assert json.loads((out / "tiny.json").read_text())["device"] == card["device"]
    # measured again where no step is left: the device of the measuring is no place of the run
    (out / "tiny.json").unlink()
    assert runs.train(str(config), out, 4, "cpu", precision="float32")["device"] == card["device"]
