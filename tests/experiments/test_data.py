"""Data sets: the two offline ones whole, the two of torchvision from files made here, and every way a file can fail."""

import errno
import os
import shutil
import socket
import struct
import time
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from diffusion_course import CourseError
from diffusion_course.experiments import data, torchvision_sets

DOWNLOAD = "torchvision.datasets.mnist.download_and_extract_archive"


def idx(array: torch.Tensor, kind: int = 8) -> bytes:
    """The IDX format: 0, 0, type, number of axes, the axes' lengths big-endian, then the values."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape) + array.numpy().tobytes()


PIXELS = torch.randint(
    0, 256, (10_000, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
)
LABELS = (torch.arange(10_000) % 10).to(torch.uint8)
FILES = {"t10k-images-idx3-ubyte": idx(PIXELS), "t10k-labels-idx1-ubyte": idx(LABELS)}
FILES |= {"train-images-idx3-ubyte": idx(PIXELS[:1]), "train-labels-idx1-ubyte": idx(LABELS[:1])}


@pytest.fixture
def root(tmp_path):
    """A data folder in torchvision's layout; the test split has the right size, the training split one image."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in FILES.items():
        (raw / name).write_bytes(content)
    return tmp_path


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """No test here may reach out; those about downloads put their own function in place."""

    def refuse(*args, **kwargs):
        pytest.fail("a test tried to download")

    monkeypatch.setattr(DOWNLOAD, refuse)


def message(call, *args, **kwargs):
    with pytest.raises(CourseError) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- the offline sets


@pytest.mark.parametrize(("name", "size", "total"), [("digits", 8, 1797), ("mnist-5k", 28, 5000)])
class TestOffline:
    def test_shape_range_and_balance(self, name, size, total):
        train, test = data.load(name), data.load(name, "test")
        assert len(train) + len(test) == total
        assert abs(len(test) / total - 0.2) < 0.003
        for part in (train, test):
            assert part.name == name
            assert part.images.shape == (len(part), 1, size, size)
            assert part.images.dtype == torch.float32
            assert part.images.min() == -1
            assert part.images.max() == 1
            assert part.labels.shape == (len(part),)
            assert part.labels.dtype == torch.int64
            assert part.classes == tuple("0123456789")
            counts = part.labels.bincount(minlength=10)
            assert counts.max() - counts.min() <= 0.06 * total / 10

    def test_train_and_test_are_disjoint(self, name, size, total):
        train, test = (
            {image.numpy().tobytes() for image in data.load(name, split).images}
            for split in ("train", "test")
        )
        assert not train & test
        assert len(train) + len(test) == total

    def test_a_limit_keeps_the_same_random_ones(self, name, size, total):
        all_, few, more = (data.load(name, limit=n) for n in (None, 60, 200))
        assert few.images.shape == (60, 1, size, size)
        assert torch.equal(few.images, more.images[:60])
        assert torch.equal(few.labels, more.labels[:60])
        assert len(few.labels.unique()) == 10  # not the first ones of a set sorted by class
        label_of = {
            image.numpy().tobytes(): label for image, label in zip(all_.images, all_.labels, strict=True)
        }
        assert [label_of[image.numpy().tobytes()] for image in few.images] == few.labels.tolist()

    def test_what_a_caller_changes_stays_with_the_caller(self, name, size, total):
        mine = data.load(name)
        images, labels = mine.images.clone(), mine.labels.clone()
        mine.images.zero_()
        mine.labels.zero_()
        again = data.load(name)
        assert torch.equal(again.images, images)
        assert torch.equal(again.labels, labels)

    def test_needs_no_network_or_folder(self, name, size, total, monkeypatch):
        monkeypatch.setattr("socket.socket", None)
        for loader in (data._digits, data._mnist_5k):
            loader.cache_clear()
        assert len(data.load(name, root="/proc/no/such/folder")) > 1000


def test_the_table_says_what_the_sets_are():
    for name in ("digits", "mnist-5k"):
        found, source = data.load(name, limit=3), data.SOURCES[name]
        assert found.images.shape[1:] == (source.channels, source.size, source.size)
        assert found.classes == source.classes


def test_shrinking_averages_pixels():
    full, half = data.load("mnist-5k", limit=5).images, data.load("mnist-5k", limit=5, size=14).images
    expected = full.reshape(5, 1, 14, 2, 14, 2).mean((3, 5))
    torch.testing.assert_close(half, expected, rtol=1e-5, atol=1e-6)
    assert data.load("mnist-5k", limit=5, size=10).images.shape == (5, 1, 10, 10)


def test_every_class_of_the_digits_looks_like_itself():
    """Labels belong to their images: the nearest training image has the same label 95 times in 100."""
    for name in ("digits", "mnist-5k"):
        train, test = data.load(name), data.load(name, "test", limit=300)
        nearest = torch.cdist(test.images.flatten(1), train.images.flatten(1)).argmin(1)
        assert (train.labels[nearest] == test.labels).double().mean() > 0.9


# ---- torchvision's sets


def test_files_that_are_there_are_read_as_they_are(root):
    found = data.load("mnist", "test", root=root)
    assert torch.equal(found.images, PIXELS.float()[:, None] / 127.5 - 1)
    assert torch.equal(found.labels, LABELS.long())


def test_the_folder_comes_from_the_argument_then_the_environment_then_the_home(root, monkeypatch):
    monkeypatch.setenv("DIFFUSION_COURSE_DATA", str(root))
    assert torch.equal(data.load("mnist", "test").labels, LABELS.long())
    assert data.data_root("elsewhere") == Path("elsewhere")
    monkeypatch.delenv("DIFFUSION_COURSE_DATA")
    assert data.data_root() == Path.home() / ".cache" / "diffusion_course"
    assert data.data_root("~/x") == Path.home() / "x"


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
@pytest.mark.parametrize(("split", "total"), [("train", 60_000), ("test", 10_000)])
def test_the_real_sets(name, split, total):
    folder = os.environ.get("DIFFUSION_COURSE_DATA")
    kind = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}[name]
    if not folder or not (Path(folder) / kind / "raw").is_dir():
        pytest.skip(f"DIFFUSION_COURSE_DATA names no folder that holds {kind}")
    found = data.load(name, split)
    assert found.images.shape == (total, 1, 28, 28)
    assert (found.images.min(), found.images.max()) == (-1, 1)
    counts = found.labels.bincount(minlength=10)
    assert len(found.classes) == len(counts) == 10
    assert counts.max() <= 1.3 * counts.min()


# ---- damaged files


BAD_FILES = {
    "empty": b"",
    "shorter than its header": FILES["t10k-images-idx3-ubyte"][:3],
    "cut short": FILES["t10k-images-idx3-ubyte"][:-1000],
    "cut to the header": FILES["t10k-images-idx3-ubyte"][:16],
    "a web page": b"<!DOCTYPE html><html><body>404 Not Found</body></html>" * 20,
    "still compressed": b"\x1f\x8b\x08\x00" + bytes(1000),
    "floats": idx(torch.zeros(10, 28, 28), kind=13),
    "an unknown type": idx(PIXELS[:10], kind=10),
    "one axis short": idx(PIXELS[:10, 0]),
    "labels": FILES["t10k-labels-idx1-ubyte"],
    "too few images": idx(PIXELS[:9_999]),
    "images of another size": idx(PIXELS[:, :27, :27].contiguous()),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_damaged_images_are_named_with_their_folder(root, kind):
    (root / "MNIST" / "raw" / "t10k-images-idx3-ubyte").write_bytes(BAD_FILES[kind])
    text = message(data.load, "mnist", "test", root=root)
    assert text.startswith(f"MNIST: a file in {root}/MNIST/raw is damaged or of another format (")
    assert text.endswith("; delete that folder, then load again")


@pytest.mark.parametrize("kind", ["empty", "cut short", "images", "too few", "labels beyond 9"])
def test_damaged_labels(root, kind):
    whole = FILES["t10k-labels-idx1-ubyte"]
    content = {"empty": b"", "cut short": whole[:-5], "images": FILES["t10k-images-idx3-ubyte"]}
    content |= {"too few": idx(LABELS[:500]), "labels beyond 9": idx(LABELS + 17)}
    (root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").write_bytes(content[kind])
    assert "damaged or of another format (" in message(data.load, "mnist", "test", root=root)


# ---- downloads


def test_a_missing_file_is_downloaded_and_then_kept(tmp_path, monkeypatch):
    asked = []

    def download(url, download_root, filename, md5):
        asked.append(filename)
        name = filename.removesuffix(".gz")
        (Path(download_root) / name).write_bytes(FILES[name])

    monkeypatch.setattr(DOWNLOAD, download)
    root = tmp_path / "new" / "folder"
    assert torch.equal(data.load("mnist", "test", root=root).labels, LABELS.long())
    assert sorted(asked) == sorted(f"{name}.gz" for name in FILES)
    data.load("mnist", "test", root=root)
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (
            URLError("[Errno -2] Name or service not known"),
            "<urlopen error [Errno -2] Name or service not known>",
        ),
        (ConnectionResetError(104, "Connection reset by peer"), "[Errno 104] Connection reset by peer"),
        (TimeoutError("timed out"), "timed out"),
        (IncompleteRead(b"x"), "IncompleteRead(1 bytes read)"),
        (RuntimeError("File not found or corrupted."), "File not found or corrupted."),
        (EOFError("Compressed file ended before the end-of-stream marker"), "Compressed file ended before"),
    ],
)
def test_no_network(tmp_path, monkeypatch, failure, reason):
    def download(*args, **kwargs):
        raise failure

    monkeypatch.setattr(DOWNLOAD, download)
    text = message(data.load, "mnist", root=tmp_path)
    assert text.startswith(f"MNIST: not in {tmp_path} and the download failed (")
    assert reason in text
    assert 'use the offline set "mnist-5k"' in text


def test_a_server_that_never_answers_is_given_up(tmp_path, monkeypatch):
    """A real socket that takes the connection and then says nothing, through torchvision's own download."""
    monkeypatch.undo()  # the refusal to download
    monkeypatch.setattr(torchvision_sets, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, address)
        for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.delenv(name, raising=False)
        started = time.monotonic()
        text = message(data.load, "mnist", root=tmp_path)
    assert "the download failed (" in text
    assert "timed out" in text
    assert time.monotonic() - started < 20
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize(
    "failure",
    [IncompleteRead(b"x"), ConnectionResetError(104, "reset"), EOFError("ended"), TimeoutError("timed out")],
)
def test_what_fails_once_is_tried_once_more(tmp_path, monkeypatch, failure):
    """The first attempt breaks off while a file is unpacked; the second begins that file afresh."""
    calls = []

    def download(url, download_root, filename, md5):
        name = filename.removesuffix(".gz")
        calls.append(name)
        whole = len(calls) != 2
        assert not (Path(download_root) / name).exists()
        (Path(download_root) / name).write_bytes(FILES[name][: None if whole else 100])
        if not whole:
            raise failure

    monkeypatch.setattr(DOWNLOAD, download)
    assert torch.equal(data.load("mnist", "test", root=tmp_path).labels, LABELS.long())
    assert len(calls) == 2 + 4
    monkeypatch.setattr(DOWNLOAD, lambda *args, **kwargs: calls.append("") or (_ for _ in ()).throw(failure))
    calls.clear()
    assert "download failed" in message(data.load, "mnist", root=tmp_path / "other")
    assert len(calls) == 2


def test_ctrl_c_while_unpacking_leaves_no_file_that_looks_whole(root, monkeypatch):
    lost = root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    lost.unlink()

    def download(url, download_root, filename, md5):
        if filename.startswith(lost.name):
            lost.write_bytes(b"half")
            raise KeyboardInterrupt

    monkeypatch.setattr(DOWNLOAD, download)
    with pytest.raises(KeyboardInterrupt):
        data.load("mnist", "test", root=root)
    assert not lost.exists()
    assert len(list(lost.parent.iterdir())) == 3  # what was there before stays
    assert torchvision_sets.held(root) == []


def test_what_is_held_is_told_by_the_files(root):
    assert torchvision_sets.held(root) == ["mnist"]
    assert torchvision_sets.held(root / "nowhere") == []
    (root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").write_bytes(b"")
    assert torchvision_sets.held(root) == []


@pytest.mark.parametrize("instead", ["nothing", "a folder"])
def test_one_missing_file_with_no_network(root, monkeypatch, instead):
    def download(*args, **kwargs):
        raise URLError("offline")

    monkeypatch.setattr(DOWNLOAD, download)
    path = root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    path.unlink()
    if instead == "a folder":
        path.mkdir()
    assert "download failed (<urlopen error offline>)" in message(data.load, "mnist", "test", root=root)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC])
@pytest.mark.parametrize("when", ["making the folder", "writing the file"])
def test_an_unwritable_cache(tmp_path, monkeypatch, number, when):
    """Simulated: the superuser may write everywhere."""

    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(DOWNLOAD, refuse)
    if when == "making the folder":
        monkeypatch.setattr(Path, "mkdir", refuse)
    text = message(data.load, "fashion-mnist", root=tmp_path)
    assert text.startswith(
        f"data folder {tmp_path}: cannot write there ({os.strerror(number)}); set DIFFUSION_COURSE_DATA"
    )


def test_a_file_where_the_folder_should_be(tmp_path):
    root = tmp_path / "file"
    root.write_text("")
    assert message(data.load, "mnist", root=root).startswith(
        f"data folder {root}: cannot write there (Not a directory)"
    )


def test_a_really_unwritable_cache(tmp_path):
    tmp_path.chmod(0o500)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("this user may write everywhere")
        assert "cannot write there (Permission denied)" in message(data.load, "mnist", root=tmp_path)
    finally:
        tmp_path.chmod(0o700)
        shutil.rmtree(tmp_path)


# ---- bad arguments


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ("minst",),
            "unknown data set 'minst': did you mean 'mnist'? known: cifar10, digits, fashion-mnist, "
            "fashion-mnist-captions, food101-64, mnist, mnist-5k, mnist-5k-captions, mnist-captions",
        ),
        ((["mnist"],), "unknown data set ['mnist']"),
        ((None,), "unknown data set None"),
        (("fashion_mnist",), "did you mean 'fashion-mnist'?"),
        (("MNIST",), "did you mean 'mnist'?"),
        (("digits", "tset"), "unknown split 'tset': did you mean 'test'? known: test, train"),
        (("digits", "train", 0), "size: got 0, want an integer in 1..8 pixels"),
        (("digits", "train", 9), "size: got 9, want an integer in 1..8 pixels"),
        (("digits", "train", 4.5), "size: got 4.5, want an integer in 1..8 pixels"),
        (
            ("digits", "train", None, 0),
            "limit: got 0, want an integer in 1..1442, the size of digits (train)",
        ),
        (
            ("digits", "test", None, 360),
            "limit: got 360, want an integer in 1..355, the size of digits (test)",
        ),
        (("digits", "test", None, 2.5), "limit: got 2.5, want an integer in 1..355"),
    ],
)
def test_bad_arguments(arguments, expected):
    assert expected in message(data.load, *arguments)
