"""Food-101 from a tree in its own format: shrunk once, resumed after a stop, and never half unpacked in its place."""

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import Food101

from diffusion_course import CourseError
from diffusion_course.experiments import data, food, picture_cache, torchvision_sets
from diffusion_course.experiments.picture_files import decoded
from diffusion_course.experiments.pixels import squared

DOWNLOAD = "torchvision.datasets.food101.download_and_extract_archive"
LISTS = {
    "train": {
        "pizza": ["pizza/2", "pizza/1"],
        "apple_pie": ["apple_pie/9"],
        "waffles": ["waffles/5", "waffles/4"],
    },
    "test": {"pizza": ["pizza/7"], "apple_pie": ["apple_pie/8"], "waffles": ["waffles/6"]},
}
# In the list's order, with the classes sorted: apple_pie, pizza, waffles.
LABELS = {"train": [1, 1, 0, 2, 2], "test": [1, 0, 2]}


def jpeg(name):
    rng = np.random.default_rng(sum(map(ord, name)))
    size = (int(rng.integers(65, 200)), int(rng.integers(65, 200)))
    coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize(size)
    file = io.BytesIO()
    coarse.save(file, "JPEG")
    return file.getvalue()


def tree(folder):
    """The set as it lies unpacked in folder / food-101."""
    for split, lists in LISTS.items():
        meta = folder / "food-101" / "meta"
        meta.mkdir(parents=True, exist_ok=True)
        (meta / f"{split}.json").write_text(json.dumps(lists))
        (meta / f"{split}.txt").write_text("\n".join(name for names in lists.values() for name in names))
        for names in lists.values():
            for name in names:
                path = folder / "food-101" / "images" / f"{name}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(jpeg(name))
    return folder


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    monkeypatch.setattr(DOWNLOAD, lambda *args, **kwargs: pytest.fail("a test tried to download"))


def names(split):
    return [name for listed in LISTS[split].values() for name in listed]


def read(root, split="train"):
    said = []
    return data.stream("food101-64", split, root, say=said.append), said


def message(call, *args, **kwargs):
    with pytest.raises(CourseError) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_pictures_shrink_to_64_in_torchvisions_order(tmp_path, split):
    found, said = read(tree(tmp_path), split)
    assert said == []
    assert found.images.shape == (len(names(split)), 3, 64, 64)
    for picture, name in zip(found.images, names(split), strict=True):
        assert torch.equal(picture, squared(decoded(jpeg(name)), 64, 3))
    theirs = Food101(tmp_path, split)
    assert found.labels.tolist() == LABELS[split] == theirs._labels
    assert found.classes == ("apple_pie", "pizza", "waffles") == tuple(theirs.classes)
    floats = data.load("food101-64", split, root=tmp_path)
    assert torch.equal(floats.images, found.images.float() / 127.5 - 1)


def test_there_are_101_dishes():
    assert len(food.CLASSES) == len(set(food.CLASSES)) == 101
    assert list(food.CLASSES) == sorted(food.CLASSES)


def test_what_is_shrunk_needs_the_pictures_no_more(tmp_path):
    first, _ = read(tree(tmp_path))
    read(tmp_path, "test")
    shutil.rmtree(tmp_path / "food-101")
    again, _ = read(tmp_path)
    assert torch.equal(again.images, first.images)
    assert torch.equal(again.labels, first.labels)
    assert torchvision_sets.held(tmp_path) == ["food101-64"]


def test_damaged_pictures_are_told_and_skipped(tmp_path):
    path = tree(tmp_path) / "food-101" / "images" / "pizza" / "1.jpg"
    path.write_bytes(path.read_bytes()[:300])
    for _ in range(2):
        found, said = read(tmp_path)
        assert found.labels.tolist() == [1, 0, 2, 2]
        assert len(said) == 1
        assert said[0].startswith("skipped pizza/1.jpg: ")


def test_a_damaged_picture_is_read_once_it_is_whole(tmp_path):
    path = tree(tmp_path) / "food-101" / "images" / "pizza" / "1.jpg"
    path.write_bytes(path.read_bytes()[:300])
    read(tmp_path)
    path.write_bytes(jpeg("pizza/1"))
    found, said = read(tmp_path)
    assert found.labels.tolist() == LABELS["train"]
    assert torch.equal(found.images[1], squared(decoded(jpeg("pizza/1")), 64, 3))
    assert said == []


def test_what_is_shrunk_without_a_damaged_picture_needs_the_others_no_more(tmp_path):
    path = tree(tmp_path) / "food-101" / "images" / "pizza" / "1.jpg"
    path.write_bytes(path.read_bytes()[:300])
    first, told = read(tmp_path)
    shutil.rmtree(path.parent)
    assert len(read(tmp_path)[0]) == len(first)
    shutil.rmtree(tmp_path / "food-101")
    found, said = read(tmp_path)
    assert torch.equal(found.images, first.images)
    assert len(said) == len(told) == 1


def test_a_stop_is_gone_on_from(tmp_path, monkeypatch):
    expected = read(tree(tmp_path / "whole"))[0].images
    root, asked = tree(tmp_path / "parts"), []

    def stopping(content):
        asked.append(1)
        if len(asked) == 4:
            raise KeyboardInterrupt
        return decoded(content)

    monkeypatch.setattr(picture_cache, "decoded", stopping)
    with pytest.raises(KeyboardInterrupt):
        read(root)
    assert torch.equal(read(root)[0].images, expected)
    assert len(asked) == 4 + 2


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (
            lambda root: (root / "images" / "pizza" / "1.jpg").unlink(),
            "Food101: 1 of 5 pictures are missing in ",
        ),
        (lambda root: shutil.rmtree(root / "images" / "pizza"), "Food101: 2 of 5 pictures are missing in "),
        (lambda root: shutil.rmtree(root / "images"), "damaged or of another format ("),
        (lambda root: shutil.rmtree(root / "meta"), "damaged or of another format (it lacks the folder meta"),
        (lambda root: (root / "meta" / "train.json").unlink(), "damaged or of another format ("),
        (lambda root: (root / "meta" / "train.json").write_text("{"), "damaged or of another format ("),
        (lambda root: (root / "meta" / "train.json").write_text("[1]"), "damaged or of another format ("),
        (
            lambda root: (root / "meta" / "train.json").write_text('{"a": 1}'),
            "damaged or of another format (",
        ),
        (lambda root: (root / "meta" / "train.json").write_text("{}"), "damaged or of another format ("),
        (lambda root: (root / "meta" / "train.json").write_text('{"a": ["../x"]}'), "another format ("),
    ],
)
def test_a_tree_that_is_not_whole(tmp_path, harm, told):
    harm(tree(tmp_path) / "food-101")
    assert told in message(read, tmp_path)
    assert f"delete {tmp_path / 'food-101'}, then load again" in message(
        read, tmp_path
    ) or "delete that folder" in message(read, tmp_path)


# ---- the download


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """The set as the archive that torchvision takes for its own."""
    path = tmp_path / "there" / "food-101.tar.gz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as tar:
        tar.add(tree(tmp_path / "packed") / "food-101", "food-101")
    monkeypatch.setattr(Food101, "_MD5", hashlib.md5(path.read_bytes()).hexdigest())
    return path


def test_an_archive_that_lies_in_the_folder_is_unpacked_and_kept(tmp_path, monkeypatch, archive):
    from torchvision.datasets import utils

    monkeypatch.setattr(DOWNLOAD, utils.download_and_extract_archive)
    monkeypatch.setattr(
        utils, "_urlretrieve", lambda *args, **kwargs: pytest.fail("a test tried to download")
    )
    assert read(archive.parent)[0].labels.tolist() == LABELS["train"]
    assert archive.exists()
    assert not (archive.parent / ".food-101.part").exists()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError("File not found or corrupted.")])
def test_a_download_that_is_cut_off_leaves_nothing_in_its_place(tmp_path, monkeypatch, archive, stop):
    def cut(url, download_root, md5):
        part = Path(download_root) / "food-101" / "images" / "pizza"
        part.mkdir(parents=True)
        (part / "1.jpg").write_bytes(b"half")
        (Path(download_root) / "food-101" / "meta").mkdir()
        raise stop

    root = tmp_path / "root"
    monkeypatch.setattr(DOWNLOAD, cut)
    if stop is KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt):
            read(root)
    else:
        told = message(read, root)
        assert told.startswith(
            f"Food101: not in {root} and the download failed (File not found or corrupted.); "
        )
    assert not (root / "food-101").exists()

    def whole(url, download_root, md5):
        with tarfile.open(archive) as tar:
            tar.extractall(download_root, filter="data")

    monkeypatch.setattr(DOWNLOAD, whole)
    assert read(root)[0].labels.tolist() == LABELS["train"]
