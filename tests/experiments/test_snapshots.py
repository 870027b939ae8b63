"""A run that is looked at on its way: its averaged weights after some epochs, which an interruption does not change."""

import itertools

import pytest
import torch
import yaml
from experiments.tiny import TINY

from diffusion_course import CourseError
from diffusion_course.experiments import data, snapshots, zoo
from diffusion_course.experiments.runs import alone_in


@pytest.fixture
def config(tmp_path, monkeypatch):
    """20 digits in batches of 10: two steps an epoch."""
    digits = data.load("digits", limit=20)
    monkeypatch.setattr(data, "stream", lambda name: digits)
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump({**TINY, "recipe": {"steps": 2, "batch_size": 10}}))
    return str(path)


def weights(path):
    return torch.cat([w.flatten() for w in zoo.read(path).parameters()])


def test_an_epoch_is_as_many_steps_as_its_images_take(config, tmp_path):
    paths = snapshots.train(config, tmp_path / "a", [1, 2], device="cpu")
    assert [path.name for path in paths] == ["tiny-01-epochs.safetensors", "tiny-02-epochs.safetensors"]
    assert not torch.equal(weights(paths[0]), weights(paths[1]))
    other = snapshots.train(config, tmp_path / "b", [2], seed=1, device="cpu")
    assert not torch.equal(weights(other[0]), weights(paths[1]))


def test_an_interrupted_run_goes_on_to_the_same_snapshots(config, tmp_path):
    whole = snapshots.train(config, tmp_path / "whole", [1, 2], device="cpu")

    def three(steps):
        yield from itertools.islice(steps, 3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        snapshots.train(config, tmp_path / "cut", [1, 2], device="cpu", progress=three)
    again = snapshots.train(config, tmp_path / "cut", [1, 2], device="cpu")
    for a, b in zip(whole, again, strict=True):
        assert torch.equal(weights(a), weights(b))
    again[0].unlink()
    with pytest.raises(CourseError, match="is not there, and the run is past it; delete"):
        snapshots.train(config, tmp_path / "cut", [1, 2], device="cpu")


@pytest.mark.parametrize("epochs", [[], [2, 1], [1, 1], [0, 1]])
def test_epochs_rise(config, tmp_path, epochs):
    with pytest.raises(CourseError, match="epochs: got"):
        snapshots.train(config, tmp_path, epochs)


def test_the_command_says_what_is_wrong_in_a_line(capsys, tmp_path):
    with pytest.raises(SystemExit, match="error: unknown config 'mnist-emd'"):
        snapshots.main(["mnist-emd", "--out", str(tmp_path)])


def test_two_runs_do_not_write_into_one_folder(config, tmp_path):
    with alone_in(tmp_path), pytest.raises(CourseError, match="another run is writing there"):
        snapshots.train(config, tmp_path, [1], device="cpu")
    assert snapshots.train(config, tmp_path, [1], device="cpu")
