"""CIFAR-10 from trees in its own format, whole and damaged; and two that want the same download at the same time."""

import hashlib
import pickle
import threading
import time
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10

from diffusion_course import CourseError
from diffusion_course.experiments import data, torchvision_sets

DOWNLOAD = "torchvision.datasets.cifar.download_and_extract_archive"
NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 20, 3072), dtype=np.uint8)
LABELS = RNG.integers(0, 10, (6, 20)).tolist()


def batch(i, **change):
    return pickle.dumps({"data": PIXELS[i], "labels": LABELS[i], "filenames": ["x"] * 20} | change)


def contents():
    names = [name for name, _ in [*CIFAR10.train_list, *CIFAR10.test_list]]
    return {name: batch(i) for i, name in enumerate(names)} | {
        "batches.meta": pickle.dumps({"label_names": NAMES})
    }


def accept(monkeypatch, files):
    """Make torchvision take these files for the right ones."""
    sums = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    for table in ("train_list", "test_list"):
        monkeypatch.setattr(CIFAR10, table, [[name, sums[name]] for name, _ in getattr(CIFAR10, table)])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": sums["batches.meta"]})


@pytest.fixture
def write(tmp_path, monkeypatch):
    """A function that writes CIFAR-10's files, 20 pictures a batch, some of them changed; returns the data folder."""

    def make(**changed):
        files = contents() | changed
        accept(monkeypatch, files)
        (tmp_path / "cifar-10-batches-py").mkdir(exist_ok=True)
        for name, content in files.items():
            (tmp_path / "cifar-10-batches-py" / name).write_bytes(content)
        return tmp_path

    monkeypatch.setattr(DOWNLOAD, lambda *args, **kwargs: pytest.fail("a test tried to download"))
    return make


def message(call, *args, **kwargs):
    with pytest.raises(CourseError) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("split", "batches"), [("train", [0, 1, 2, 3, 4]), ("test", [5])])
def test_cifar10_is_read_as_it_was_written(write, split, batches):
    root = write()
    found, bytes_ = data.load("cifar10", split, root=root), data.stream("cifar10", split, root=root)
    expected = torch.from_numpy(PIXELS[batches].reshape(-1, 3, 32, 32))  # red, green, blue: each row by row
    assert torch.equal(bytes_.images, expected)
    assert torch.equal(found.images, expected.float() / 127.5 - 1)
    assert found.labels.tolist() == [label for i in batches for label in LABELS[i]]
    assert found.classes == tuple(NAMES)
    assert torchvision_sets.held(root) == ["cifar10"]


def test_a_flipped_bit_is_found_before_anything_is_unpickled(write):
    path = write() / "cifar-10-batches-py" / "data_batch_3"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    told = message(data.load, "cifar10", root=path.parents[1])
    assert told == (
        f"CIFAR10: a file in {path.parent} is damaged or of another format (a checksum is wrong); "
        "delete that folder, then load again"
    )


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps([1]),
        pickle.dumps({"data": PIXELS[0]}),
        b"",
        b"no pickle",
        batch(0, labels=[3] * 19),
        batch(0, labels=[10] * 20),
        batch(0, labels=[-1] * 20),
        batch(0, data=PIXELS[0][:, :3000]),
        batch(0, data=PIXELS[0].astype(np.float32)),
    ],
    ids=["list", "no labels", "empty", "text", "too few", "label 10", "label -1", "shape", "floats"],
)
def test_files_of_another_format(write, content):
    root = write(data_batch_1=content)
    assert "damaged or of another format (" in message(data.load, "cifar10", root=root)


def test_without_network_it_says_what_else_there_is(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise URLError("offline")

    monkeypatch.setattr(DOWNLOAD, refuse)
    told = message(data.load, "cifar10", root=tmp_path)
    assert told.startswith(f"CIFAR10: not in {tmp_path} and the download failed (<urlopen error offline>); ")
    assert told.endswith("or give a folder or zip of pictures")


def test_two_that_want_the_same_download_make_one(tmp_path, monkeypatch):
    files, asked = contents(), []
    accept(monkeypatch, files)

    def download(url, download_root, filename, md5):
        asked.append(filename)
        folder = tmp_path / "cifar-10-batches-py"
        folder.mkdir()
        for name, content in files.items():
            time.sleep(0.02)
            (folder / name).write_bytes(content)

    monkeypatch.setattr(DOWNLOAD, download)
    found = []

    def load():
        found.append(data.load("cifar10", "test", root=tmp_path).labels.tolist())

    both = [threading.Thread(target=load) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(20)
    assert found == [LABELS[5]] * 2
    assert len(asked) == 1
