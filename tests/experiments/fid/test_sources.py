"""The same pictures come out of a folder, a zip, an array and a data set; names and paths are told apart."""

import zipfile

import numpy as np
import pytest
import torch
from clouds import gaussian
from experiments.tiny import TINY
from PIL import Image

from diffusion_course import CourseError
from diffusion_course.denoisers import Preconditioned, edm_param
from diffusion_course.experiments import data, metrics, zoo
from diffusion_course.experiments.config import Config
from diffusion_course.experiments.fid import sources
from diffusion_course.experiments.fid.sources import BATCH, Drawing, Images, find, to_bytes
from diffusion_course.experiments.metrics.gaussians import Gaussian, fitted
from diffusion_course.experiments.models import network


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def all_of(source):
    return torch.cat([batch.expand(-1, 3, -1, -1) for batch in source.batches()])


def saved(pixels, folder):
    folder.mkdir()
    for i, picture in enumerate(pixels):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / f"{i:03}.png")


def test_a_folder_a_zip_and_an_array_hold_the_same_pictures(here):
    g = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (BATCH + 7, 3, 4, 6), generator=g, dtype=torch.uint8)
    saved(pixels, here / "p")
    with zipfile.ZipFile("p.zip", "w") as archive:
        for path in sorted((here / "p").iterdir()):
            archive.write(path, path.name)
    np.savez("p.npz", arr_0=pixels.permute(0, 2, 3, 1).numpy(), arr_1=np.arange(len(pixels)))
    for text in ("p", "p.zip", "p.npz", str(here / "p")):
        source = find(text)
        assert isinstance(source, Images)
        assert source.count == len(pixels)
        assert torch.equal(all_of(source), pixels)
        assert torch.equal(all_of(source), pixels)  # it can be read again
        few = find(text, 9)
        assert few.count == len(all_of(few)) == 9


def test_samples_written_and_read_again_are_the_same(here):
    digits = data.load("digits", "test", limit=20)
    saved(to_bytes(digits.images).expand(-1, 3, -1, -1), here / "digits-20")
    assert torch.equal(all_of(find("digits-20")), to_bytes(digits.images).expand(-1, 3, -1, -1))


def test_a_folder_is_cropped_and_scaled_as_what_it_is_compared_with(here):
    (here / "p").mkdir()
    for i, size in enumerate([(9, 5), (4, 6), (12, 12)]):
        Image.new("RGB", size, "red").save(here / "p" / f"{i}.png")
    source = find("p").scaled(4, 3)
    assert source.told == "p, folder, cropped and scaled to 4 x 4 as the others"
    assert [tuple(batch.shape) for batch in source.batches()] == [(3, 3, 4, 4)]
    assert [tuple(batch.shape) for batch in find("p").scaled(4, 1).batches()] == [(3, 1, 4, 4)]


def test_a_network_says_the_shape_of_its_samples_and_refuses_a_scale_it_cannot_use(here):
    config = Config.of(TINY)
    zoo.write(here / "tiny.safetensors", network(config), config)
    assert find("tiny.safetensors", 2).shape == find("digits").shape == (8, 1)
    assert find("mnist-latent-dit", 2).shape == (28, 1)  # the latents are 7 x 7
    with pytest.raises(
        CourseError, match=r"^--guidance: got 2; this network was trained with label_dropout 0"
    ):
        find("tiny.safetensors", 2, Drawing(2.0))


def test_bytes_are_the_nearest_of_256():
    x = torch.tensor([-1.0, -1 + 1.1 / 255, 0.999, 1.0, -3.0, 3.0])
    assert to_bytes(x).tolist() == [0, 1, 255, 255, 0, 255]
    with pytest.raises(CourseError, match="images: hold NaN"):
        to_bytes(torch.tensor([0.0, torch.nan]))


def test_a_data_set_goes_before_a_folder_of_its_name(here):
    saved(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), here / "digits")
    assert find("digits").count == 1442
    assert find("digits:test").count == 355
    assert find("digits:train").told == "digits (train), data set"
    assert find("digits", 30).count == 30
    assert find("./digits").count == 2


def test_pictures_of_several_sizes_come_in_batches_of_one_size(here):
    (here / "p").mkdir()
    for i, size in enumerate([(3, 3), (3, 3), (4, 3), (3, 3)]):
        Image.new("L", size).save(here / "p" / f"{i}.png")
    assert [tuple(batch.shape) for batch in find("p").batches()] == [
        (2, 3, 3, 3),
        (1, 3, 3, 4),
        (1, 3, 3, 3),
    ]


def test_skipped_files_are_told(here):
    saved(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), here / "p")
    (here / "p" / "000.png").write_bytes(b"x")
    told = []
    assert len(all_of(find("p", say=told.append))) == 1
    assert [line.split(":")[0] for line in told] == ["skipped 000.png"]


def test_statistics_are_moments(here):
    metrics.write_statistics(here / "s.npz", fitted(gaussian(9, 0)))
    assert isinstance(find("s.npz"), Gaussian)


def test_a_network_draws_as_many_as_are_wanted(monkeypatch):
    made = []
    monkeypatch.setattr(
        sources,
        "draw_pictures",
        lambda model, n, w, sigmas, step, seed, *rest: made.append((n, w, seed)) or torch.zeros(3, 1, 28, 28),
    )
    source = find("mnist-flow", 3, Drawing(guidance=2.0, seed=5))
    assert not made  # nothing is drawn before it is read
    assert all_of(source).unique().tolist() == [128]
    assert made == [(3, 2.0, 5)]
    assert find("mnist-flow").count == sources.DRAWN
    assert find("mnist-flow", drawing=Drawing(count=7)).count == 7


class Elsewhere(torch.nn.Module):
    """Somebody else's network, without classes."""

    channels, image_size = 3, 4

    def forward(self, x, c_noise):
        return x


def test_others_checkpoints_are_read_as_the_zoo_reads_them(here, monkeypatch):
    """By the name they were released under, by path, as diffusers' folder, and of the hub."""
    (here / "unet").mkdir()
    (here / "unet" / "config.json").write_text("{}")
    asked = []

    def load(name, device):
        asked.append(name)
        return Preconditioned(Elsewhere(), edm_param())

    monkeypatch.setattr(sources.zoo, "load", load)
    names = ["edm-cifar10-32x32-uncond-ve", "mine.pkl", "unet", "google/ddpm-cifar10-32"]
    for name in names:
        source = find(name, 3)
        assert all_of(source).shape == (3, 3, 4, 4)
        assert source.labels is None
    assert asked == names
    with pytest.raises(CourseError, match="--guidance: got 2; unet has no classes"):
        find("unet", 3, Drawing(guidance=2.0))
    monkeypatch.setattr(Elsewhere, "attends", True, raising=False)
    with pytest.raises(CourseError, match="unet: draws what a text says"):
        find("unet", 3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("mnist-flwo", "unknown pictures (no file either) 'mnist-flwo': did you mean 'mnist-flow'?"),
        ("digits:tset", "unknown pictures"),
        ("none/at/all", "none/at/all: no such folder, zip"),
        ("runs/nope", "runs/nope: no such folder, zip"),
        ("none.npz", "none.npz: no such file"),
        ("none.pkl", "weights none.pkl: no such file"),
        ("edm-cifar10-32x32-uncond-ve", "weights edm-cifar10-32x32-uncond-ve: fetch https://"),
        ("none.safetensors", "weights none.safetensors: no such file"),
        ("text.zip", "text.zip: neither a folder nor a zip"),
        ("mnist-judge", "'mnist-judge' is a classifier"),
        ("", "path: got ''"),
    ],
)
def test_what_is_nothing_is_told(here, monkeypatch, text, told):
    monkeypatch.setenv("DIFFUSION_COURSE_DATA", str(here))
    (here / "text.zip").write_text("x")
    with pytest.raises(CourseError) as caught:
        find(text)
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"x": np.zeros((2, 4, 4, 3), dtype=np.float32)},
        {"x": np.zeros((2, 3, 4, 4), dtype=np.uint8)},
        {"x": np.zeros((0, 4, 4, 3), dtype=np.uint8)},
        {"x": np.zeros((2, 4, 4, 3), dtype=np.uint8), "y": np.zeros((2, 4, 4, 3), dtype=np.uint8)},
    ],
)
def test_arrays_that_are_no_pictures_are_told(here, arrays):
    np.savez("p.npz", **arrays)
    with pytest.raises(CourseError, match=r"p\.npz: holds .*; want mu and sigma, or pictures"):
        find("p.npz")
