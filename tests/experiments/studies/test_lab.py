"""The networks of a study: those that ship, those of a folder of runs, and one line for each that is not there."""

import pytest
import torch

from diffusion_course import CourseError
from diffusion_course.experiments import zoo
from diffusion_course.experiments.studies import Lab
from diffusion_course.experiments.studies.lab import Missing


def test_the_first_seed_ships(lab):
    network = lab.network("mnist-flow")
    assert network is lab.network("mnist-flow", 0)
    assert list(lab.used) == ["weights/mnist-flow"]
    assert lab.used["weights/mnist-flow"] == lab.digest("weights/mnist-flow")
    assert lab.digest("weights/none") is None


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        ("mnist-x-seed-1/mnist-x-seed-1", 1),
        ("mnist-x-seed1/mnist-x-seed-1", 1),
        ("mnist-x-seed1/mnist-x", 1),
        ("mnist-x-seed-0/mnist-x-seed-0", 0),
        ("mnist-x/mnist-x", 0),
    ],
)
def test_other_seeds_are_found_where_train_writes_them(lab, run, name, seed):
    run(f"{name}.safetensors", seed=seed)
    network = lab.network("mnist-x", seed)
    assert network(torch.zeros(1, 1, 28, 28), 1.0).shape == (1, 1, 28, 28)
    assert list(lab.used) == [f"runs/{name}.safetensors"]
    assert lab.digest(f"runs/{name}.safetensors") == lab.used[f"runs/{name}.safetensors"]


def test_what_is_not_there_is_told_with_its_command(tmp_path):
    lab = Lab(runs=tmp_path)
    with pytest.raises(Missing) as caught:
        lab.network("mnist-edm", 2)
    folder = tmp_path / "mnist-edm-seed-2"
    assert str(caught.value) == (
        f"{folder} has no mnist-edm-seed-2.safetensors; "
        f"make it with: diffusion-course train mnist-edm --seed 2 --out {folder}"
    )
    with pytest.raises(Missing, match=r"snapshots mnist-edm --seed 1 --out .*mnist-edm-epochs-seed-1"):
        lab.snapshot("mnist-edm", 3, 1)
    with pytest.raises(Missing, match="CIFAR-10's pictures: say where, with --cifar10"):
        lab.pictures("cifar10")


def test_another_seed_or_recipe_is_no_training_seed_of_this_network(lab, run):
    run("mnist-x-seed-1/mnist-x-seed-1.safetensors", seed=3)
    with pytest.raises(Missing, match="trained with another seed; make it again with: diffusion-course"):
        lab.network("mnist-x", 1)
    run("mnist-flow-seed-1/mnist-flow-seed-1.safetensors", model="flow", seed=1, steps=7)
    with pytest.raises(Missing, match=r"trained with another .*steps"):
        lab.network("mnist-flow", 1)
    run("mnist-y-seed-1/mnist-y-seed-1.safetensors", seed=1)
    with pytest.raises(Missing, match=r"trained with another .*steps"):
        lab.network("mnist-y", 1, twin="mnist-flow")


def test_damaged_weights_are_told(lab, run):
    path = run("mnist-x-seed-1/mnist-x-seed-1.safetensors")
    whole = path.read_bytes()
    for content in (b"", b"x", whole[:100], b"\xff" * 200):
        path.write_bytes(content)
        with pytest.raises(CourseError, match="not a weights file of this course"):
            lab.network("mnist-x", 1)
    path.write_bytes(whole[:-10])
    with pytest.raises(CourseError, match=path.name):
        lab.network("mnist-x", 1)


def test_snapshots_are_found(lab, run):
    run("mnist-edm-epochs-seed-0/mnist-edm-03-epochs.safetensors", seed=0)
    assert lab.snapshot("mnist-edm", 3).net.num_classes == 10


def test_what_is_kept_is_made_once(lab, monkeypatch):
    made = []
    monkeypatch.setattr(zoo, "judge", lambda name, device: made.append(name))
    for _ in range(2):
        lab.judge("mnist")
        lab.kept(("a", 1), lambda: made.append("a"))
    assert made == ["mnist", "a"]
