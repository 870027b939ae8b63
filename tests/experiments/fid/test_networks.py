"""Inception's features are pytorch-fid's own, the judge's those of the tables; what is no file of weights is told."""

import os
import pickle

import numpy as np
import pytest
import torch
from inception_weights import original, random_weights
from PIL import Image

from diffusion_course import CourseError
from diffusion_course.experiments import downloads, metrics, zoo
from diffusion_course.experiments.fid.networks import inception_net, judge_net


def pixels(n, channels=3, size=20, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, channels, size, size), generator=g, dtype=torch.uint8)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return random_weights(tmp_path_factory.mktemp("inception") / "whole.pth", whole=True)


@pytest.mark.parametrize("dims", [64, 192, 768, 2048])
def test_the_features_are_those_of_pytorch_fid(whole, tmp_path, monkeypatch, dims):
    score = pytest.importorskip("pytorch_fid.fid_score")
    pictures = pixels(3)
    files = [tmp_path / f"{i}.png" for i in range(3)]
    for file, picture in zip(files, pictures, strict=True):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(file)
    net = inception_net(dims, whole)
    found = net.of(pictures)
    want = score.get_activations(
        files, original(monkeypatch, whole, dims), batch_size=3, dims=dims, num_workers=0
    )
    assert found.shape == (3, dims)
    assert found.std(0).mean() > 1e-3  # the pictures are told apart
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)


def test_grey_pictures_have_three_equal_channels(tmp_path):
    net = inception_net(64, random_weights(tmp_path / "w.pth"))
    grey = pixels(2, channels=1)
    assert torch.equal(net.of(grey), net.of(grey.repeat(1, 3, 1, 1)))


def test_pytorch_fid_is_left_as_it_was(tmp_path):
    inception = pytest.importorskip("pytorch_fid.inception")
    before = inception.load_state_dict_from_url
    inception_net(64, random_weights(tmp_path / "w.pth"))
    assert inception.load_state_dict_from_url is before


def test_the_weights_are_downloaded_once_to_where_pytorch_fid_looks(tmp_path, monkeypatch):
    calls = []

    def fetch(url, path, digest, advice):
        calls.append((url, path, digest))
        path.parent.mkdir(parents=True)
        random_weights(path)

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(downloads, "fetch", fetch)
    inception_net(64)
    inception_net(64)
    ((url, path, digest),) = calls
    inception = pytest.importorskip("pytorch_fid.inception")
    assert url == inception.FID_WEIGHTS_URL
    assert path == tmp_path / "hub" / "checkpoints" / url.split("/")[-1]
    assert digest == "6726825d"


class Evil:
    def __reduce__(self):
        return os.system, ("touch harmed",)


@pytest.mark.parametrize("kind", ["text", "pickle", "evil", "list", "another network", "missing"])
def test_a_file_of_another_kind_is_told_and_runs_nothing(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "w.pth"
    if kind == "text":
        path.write_text("x")
    elif kind == "pickle":
        path.write_bytes(pickle.dumps({"x": 1}))
    elif kind != "missing":
        torch.save({"evil": Evil(), "list": [1], "another network": {"x": torch.zeros(1)}}[kind], path)
    with pytest.raises(CourseError, match=r"w\.pth: ") as caught:
        inception_net(64, path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("dims", [0, 63, 100, True])
def test_other_numbers_of_features_are_told(dims):
    with pytest.raises(CourseError, match="want one of 64, 192, 768, 2048"):
        inception_net(dims)


def test_the_features_of_a_judge_are_those_of_the_tables():
    net, grey = judge_net("mnist"), pixels(6, channels=1, size=28)
    want = metrics.features(zoo.judge("mnist"), grey / 127.5 - 1)
    assert net.dims == want.shape[1]
    torch.testing.assert_close(net.of(grey).double(), want, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(net.of(grey.repeat(1, 3, 1, 1)), net.of(grey), rtol=1e-4, atol=1e-5)


def test_a_judge_looks_at_its_own_size_and_ships():
    with pytest.raises(CourseError, match="28 x 28 pixels, got 8 x 8"):
        judge_net("mnist").of(pixels(1, size=8))
    with pytest.raises(CourseError, match="did you mean 'mnist'"):
        judge_net("mnst")
