"""One's own pictures: of every size and mode, in folders and zips, some damaged; shrunk once, and gone on with after any stop."""

import errno
import io
import os
import re
import resource
import shutil
import signal
import threading
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_course import CourseError
from diffusion_course.experiments import data, own_pictures, picture_cache, picture_files
from diffusion_course.experiments.picture_files import decoded

CIFAR_ZIP = Path("CIFAR10") / "cifar10-jpeg.zip"


def content(mode="RGB", size=(20, 14), seed=0, kind="PNG"):
    rng = np.random.default_rng(seed)
    if mode == "I;16":
        picture = Image.fromarray(rng.integers(0, 65536, size[::-1], dtype=np.uint16))
    else:
        picture = Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)).convert(mode)
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


PICTURES = {
    "cats/1.png": content("RGB", (40, 30), 1),
    "cats/2.jpg": content("CMYK", (30, 50), 2, "JPEG"),
    "cats/deep/er/3.png": content("I;16", (9, 9), 3),
    "dogs/a.gif": content("P", (25, 25), 4, "GIF"),
    "dogs/b.png": content("RGBA", (8, 8), 5),
    "dogs/c.png": content("L", (33, 12), 6),
    "dogs/d.png": content("1", (16, 16), 7),
}


@pytest.fixture(params=["folder", "zip"])
def put(request, tmp_path):
    """A function that makes a folder or zip of {name: content}; a name that ends in / is an empty folder."""

    def make(files, name="pictures"):
        if request.param == "zip":
            with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
                for one, inside in files.items():
                    archive.writestr(one, inside)
            return str(tmp_path / f"{name}.zip")
        for one, inside in files.items():
            path = tmp_path / name / one
            path.parent.mkdir(parents=True, exist_ok=True)
            if one.endswith("/"):
                path.mkdir(exist_ok=True)
            else:
                path.write_bytes(inside)
        (tmp_path / name).mkdir(exist_ok=True)
        return str(tmp_path / name)

    return make


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Where the shrunk pictures are."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home" / ".cache" / "diffusion_course" / "pictures"


def read(source, split="train", size=8, channels=3):
    said = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return data.stream(source, split, None, size, channels, said.append), said


def message(call, *args, **kwargs):
    with pytest.raises(CourseError) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_every_size_and_mode_become_one_set(put, channels):
    source = put(PICTURES)
    found, said = read(source, channels=channels)
    assert said == []
    assert found.images.shape == (7, channels, 8, 8)
    assert found.images.dtype == torch.uint8
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert found.classes == ("cats", "dogs") == data.describe(source).classes
    assert torch.equal(data.load(source, size=8).images, read(source)[0].images.float() / 127.5 - 1)


def test_pictures_that_are_too_small_are_counted(put):
    source = put(PICTURES)  # the smaller sides are 30, 30, 9, 25, 8, 12, 16
    for _ in range(2):
        found, said = read(source, size=13)
        assert said == ["3 of 7 pictures are smaller than 13 pixels, and were enlarged"]
        assert found.images.shape == (7, 3, 13, 13)


def test_a_folder_around_all_is_looked_through(put):
    plain, around = (
        read(put(PICTURES))[0],
        read(put({f"my/own/{k}": v for k, v in PICTURES.items()}, "other"))[0],
    )
    assert around.classes == plain.classes
    assert torch.equal(around.images, plain.images)


def test_train_and_test(put):
    source = put({f"x/{split}/{k}": v for split in ("train", "test") for k, v in PICTURES.items()})
    for split in ("train", "test"):
        found, said = read(source, split)
        assert found.classes == ("cats", "dogs")
        assert found.labels.tolist() == [0, 0, 0, 1, 1, 1, 1]
        assert said == []
    assert "holds no test pictures; want folders train and test" in message(read, put(PICTURES, "b"), "test")
    odd = {"train/cats/1.png": content(), "train/dogs/1.png": content(), "test/cats/1.png": content()}
    assert "train and test have other class folders (dogs)" in message(read, put(odd, "c"))


@pytest.mark.parametrize("called", ["test", "val", "Valid", "validation"])
def test_what_is_held_out_has_several_names(put, called):
    train = {f"Train/{k}": v for k, v in PICTURES.items()}
    source = put(
        train | {f"{called}/{k}": v for k, v in list(PICTURES.items())[2:4]} | {"more/cats/1.png": content()}
    )
    found, said = read(source)
    assert (len(found), found.classes) == (7, ("cats", "dogs"))
    assert said == [f"skipped the folder more, which stands beside Train and {called}"]
    assert read(source, "test")[0].labels.tolist() == [0, 1]


def test_pictures_without_classes(put):
    source = put({"1.png": content(), "2.png": content(seed=1)}, "holiday")
    found, _ = read(source)
    assert found.classes == ("holiday",)
    assert found.labels.tolist() == [0, 0]
    one, _ = read(put({"cats/1.png": content()}, "one"))
    assert (len(one), one.classes) == (1, ("cats",))


def test_what_is_no_picture_of_a_class_is_told_and_skipped(put):
    odd = {
        "cats/cut.png": PICTURES["cats/1.png"][:200],
        "dogs/text.jpg": b"no picture",
        "dogs/notes.txt": b"x",
        "loose.png": content(),
        "birds/": b"",
        ".git/x.png": content(),
    }
    source = put(PICTURES | odd)
    for _ in range(2):  # when the pictures are read, and when their cache is
        found, said = read(source)
        assert found.images.shape[0] == 7
        assert found.classes == ("cats", "dogs")
        assert len(said) == 4
        assert said[0] == "skipped 1 outside of the class folders, e.g. loose.png"
        assert said[1] == "class folder birds: holds no picture, and is no class"
        assert said[2].startswith("skipped cats/cut.png: ")
        assert said[3].startswith("skipped dogs/text.jpg: ")


@pytest.mark.parametrize(
    ("listed", "left_out"),
    [
        (["./a/0.png", "./a/1.png", "./b/0.png"], []),
        (["a\\0.png", "a\\1.png", "b\\0.png"], []),
        (["train\\a\\0.png", "train\\a\\1.png", "train\\b\\0.png", "test\\a\\0.png", "test\\b\\0.png"], []),
        (["a/0.png", "a/1.png", "b/0.png", "/etc/x.png", "../../evil/x.png"], ["../../evil/x", "/etc/x"]),
    ],
)
def test_how_a_zip_names_its_files_makes_no_class(tmp_path, listed, left_out):
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as archive:
        for name in listed:
            archive.writestr(name, content())
    found, said = read(str(tmp_path / "odd.zip"))
    assert found.classes == ("a", "b")
    assert found.labels.tolist() == [0, 0, 1]
    assert [line.split(".png: ")[0] for line in said] == [f"skipped {name}" for name in left_out]


def test_class_folders_that_are_links_are_told_as_such(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1.png").write_bytes(content())
    (tmp_path / "pictures" / "cats").mkdir(parents=True)
    (tmp_path / "pictures" / "links").symlink_to(tmp_path / "elsewhere")
    told = "links: is a link to a folder, and is not followed; copy that folder to its place"
    assert message(read, str(tmp_path / "pictures")).endswith(f"pictures: holds no picture; {told}")
    (tmp_path / "pictures" / "cats" / "1.png").write_bytes(content())
    found, said = read(str(tmp_path / "pictures"))
    assert found.classes == ("cats",)
    assert said == [f"skipped {told}"]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "holds no picture"),
        ({"cats/": b"", "dogs/": b""}, "holds no picture"),
        ({"notes.txt": b"x"}, "holds no picture"),
        ({"cats/1.png": b"x"}, ": none of its 1 pictures could be read"),
        ({"cats/1.png": b"x", "dogs/1.png": content()}, "no picture of the class cats could be read"),
    ],
)
def test_sets_that_are_none(put, files, told):
    source = put(files)
    assert told in (got := message(read, source))
    assert got.startswith(f"{source}: ")


def test_bad_arguments(put, tmp_path):
    source = put(PICTURES)
    assert "holds pictures of any size; say to how many pixels they shrink" in message(data.load, source)
    assert "size: got 0, want an integer in 1..4096" in message(data.load, source, size=0)
    assert "channels: got 2, want 1 (grey) or 3 (colour)" in message(read, source, channels=2)
    assert "no such folder or zip" in message(data.load, str(tmp_path / "nowhere"), size=8)
    assert "limit: got 8, want an integer in 1..7" in message(data.load, source, size=8, limit=8)
    (tmp_path / "cut.zip").write_bytes(b"PK\3\4 cut")
    assert "neither a folder nor a zip that can be read" in message(data.load, tmp_path / "cut.zip", size=8)


# ---- the cache


def test_pictures_are_decoded_once_and_again_when_they_change(put, monkeypatch):
    count = []
    monkeypatch.setattr(picture_cache, "decoded", lambda content: count.append(1) or decoded(content))
    source = put(PICTURES)
    first, _ = read(source)
    again, _ = read(source)
    assert len(count) == 7
    assert torch.equal(first.images, again.images)
    read(source, size=4)
    read(source, channels=1)
    assert len(count) == 21
    changed, _ = read(put(PICTURES | {"cats/1.png": content(seed=99)}))
    assert len(count) == 28
    assert not torch.equal(changed.images[0], first.images[0])
    assert torch.equal(changed.images[1:], first.images[1:])


def test_pictures_are_decoded_again_when_decoding_has_changed(put, cache, monkeypatch):
    source = put(PICTURES)
    for _ in range(2):
        read(source)
        monkeypatch.setattr(picture_files, "READING", picture_files.READING + 1)
    assert len(list(cache.iterdir())) == 2


def test_what_the_caller_changes_does_not_reach_the_cache(put):
    source = put(PICTURES)
    first, _ = read(source)
    kept = first.images.clone()
    first.images.zero_()
    assert torch.equal(read(source)[0].images, kept)


MANY = {f"cats/{i:03}.png": content("RGB", (12, 10), i) if i % 9 else b"damaged" for i in range(40)}


class Stop(BaseException):
    """Ctrl-C, as far as the cache is concerned."""


def stopped_at(at, stop):
    """The cache's own reader of a picture, up to so many; then `stop` is raised or called."""
    read, asked = picture_cache._read, []

    def reading(*args):
        asked.append(1)
        if len(asked) <= at:
            return read(*args)
        if isinstance(stop, BaseException):
            raise stop
        return stop()

    return reading


def resumed(source, monkeypatch):
    """The set, and how many pictures were decoded for it."""
    count = []
    monkeypatch.setattr(picture_cache, "decoded", lambda inside: count.append(1) or decoded(inside))
    found, said = read(source)
    assert [line for line in said if "skipped" in line]
    return found, len(count)


@pytest.mark.parametrize("stop", [Stop(), OSError(errno.ENOSPC, "No space left on device")])
@pytest.mark.parametrize("at", [0, 1, 7, 10, 39])
def test_a_stop_at_any_picture_is_gone_on_from(put, monkeypatch, cache, stop, at):
    source = put(MANY)
    expected = read(source)[0].images.clone()
    shutil.rmtree(cache)
    with monkeypatch.context() as patch:
        patch.setattr(picture_cache, "_read", stopped_at(at, stop))
        if isinstance(stop, OSError):
            told = message(read, source)
            assert "No space left on device; make room, and the same command goes on from there" in told
        else:
            with pytest.raises(Stop):
                read(source)
    found, count = resumed(source, monkeypatch)
    assert torch.equal(found.images, expected)
    assert found.labels.shape == (35,)
    assert count == 40 - at


def flip(source, names):
    """Break some files by a byte, or mend them by the same: their sizes, times in a folder and checksums in a zip stay."""
    for name in names:
        path, at, times = Path(source), 0, None
        if path.is_dir():
            path /= name
            times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
        else:
            with zipfile.ZipFile(path) as archive:
                at = archive.getinfo(name).header_offset + 30 + len(name)
        held = bytearray(path.read_bytes())
        held[at] ^= 1
        path.write_bytes(held)
        if times:
            os.utime(path, ns=times)


BROKEN = [f"cats/{i:03}.png" for i in (1, 6, 7, 20, 39)]


@pytest.mark.parametrize("at", [None, 0, 7, 25])
@pytest.mark.parametrize("mended", [BROKEN, BROKEN[:1], BROKEN[1:4], BROKEN[-1:]])
def test_what_was_skipped_is_read_once_it_is_whole(put, monkeypatch, cache, at, mended):
    source = put(MANY)
    flip(source, BROKEN)
    with monkeypatch.context() as patch:
        if at is None:
            before = read(source)[0].images
        else:  # a cache made half
            patch.setattr(picture_cache, "_read", stopped_at(at, Stop()))
            with pytest.raises(Stop):
                read(source)
    kept = None if at is not None else before.clone()
    flip(source, mended)
    found, said = read(source)
    assert len(found.images) == len(found.labels) == 30 + len(mended)
    assert not [line for line in said for name in mended if name in line]
    assert at is not None or torch.equal(before, kept)  # who has mapped the old ones still trains on them
    with monkeypatch.context() as patch:
        patch.setattr(picture_cache, "decoded", lambda inside: pytest.fail("decoded again"))
        assert torch.equal(read(source)[0].images, found.images)
    shutil.rmtree(cache)
    assert torch.equal(read(source)[0].images, found.images)


def test_what_is_damaged_is_not_read_again_while_nothing_changes(put, monkeypatch):
    source = put(MANY)
    _, told = read(source)
    monkeypatch.setattr(picture_cache, "_read", lambda *args: pytest.fail("read again"))
    assert read(source)[1] == told


def test_what_the_disk_would_not_give_is_asked_for_at_each_run(tmp_path, monkeypatch):
    for name, inside in PICTURES.items():
        (tmp_path / "p" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "p" / name).write_bytes(inside)
    whole = Path.read_bytes

    def failing(path):
        if path.name == "2.jpg":
            raise OSError(errno.EIO, "Input/output error", str(path))
        return whole(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", failing)
        for _ in range(2):
            assert read(str(tmp_path / "p"))[1] == ["skipped cats/2.jpg: Input/output error"]
    found, said = read(str(tmp_path / "p"))
    assert (len(found), said) == (7, [])


def test_a_zip_is_not_judged_by_another_with_the_same_pictures(tmp_path):
    for name in ("locked.zip", "sound.zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for one, inside in PICTURES.items():
                archive.writestr(one, inside)
    held = bytearray((tmp_path / "locked.zip").read_bytes())
    for entry in re.finditer(b"PK\1\2", bytes(held)):
        held[entry.start() + 8] |= 1  # the flag of an encrypted one
    (tmp_path / "locked.zip").write_bytes(held)
    assert message(read, str(tmp_path / "locked.zip")).endswith(
        "locked.zip: none of its 7 pictures could be read"
    )
    found, said = read(str(tmp_path / "sound.zip"))
    assert (len(found), said) == (7, [])


@pytest.mark.parametrize("at", [0, 1])
def test_a_stop_while_reading_again_loses_nothing(put, monkeypatch, at):
    source = put(MANY)
    flip(source, BROKEN)
    before = read(source)[0].images.clone()
    flip(source, BROKEN)
    with monkeypatch.context() as patch:
        patch.setattr(picture_cache, "_read", stopped_at(at, Stop()))
        with pytest.raises(Stop):
            read(source)
    flip(source, BROKEN)
    assert torch.equal(read(source)[0].images, before)
    flip(source, BROKEN)
    assert len(read(source)[0]) == 35


@pytest.mark.parametrize("renamed", [0, 1, 2])
@pytest.mark.parametrize("after", [False, True])
def test_a_stop_while_the_mended_set_takes_its_place_makes_no_wrong_one(
    put, monkeypatch, cache, renamed, after
):
    source, replace, done = put(MANY), os.replace, []
    expected = read(source)[0].images.clone()
    shutil.rmtree(cache)
    flip(source, BROKEN)
    read(source)
    flip(source, BROKEN)

    def stopping(*paths):
        if after or len(done) < renamed:
            replace(*paths)
        done.append(paths)
        if len(done) > renamed:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stopping)
        with pytest.raises(Stop):
            read(source)
    assert torch.equal(read(source)[0].images, expected)


def test_a_disk_that_is_really_full_leaves_what_was_noted(put, monkeypatch, cache):
    source = put(MANY)
    expected = read(source)[0].images.clone()
    shutil.rmtree(cache)
    monkeypatch.setattr(picture_cache, "EVERY", 5)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2500, hard))  # 13 pictures of 192 bytes
    try:
        assert "File too large; make room" in message(read, source)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    found, count = resumed(source, monkeypatch)
    assert torch.equal(found.images, expected)
    assert 20 <= count <= 35


def test_death_by_sigkill_costs_a_few_pictures(put, monkeypatch, cache):
    source = put(MANY)
    expected = read(source)[0].images.clone()
    shutil.rmtree(cache)
    monkeypatch.setattr(picture_cache, "EVERY", 5)
    listen, announce = os.pipe()
    child = os.fork()
    if child == 0:
        with monkeypatch.context() as patch:
            patch.setattr(
                picture_cache, "_read", stopped_at(23, lambda: os.write(announce, b"x") and signal.pause())
            )
            try:
                read(source)
            finally:
                os._exit(1)
    os.close(announce)
    assert os.read(listen, 1) == b"x"
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    os.close(listen)
    found, count = resumed(source, monkeypatch)
    assert torch.equal(found.images, expected)
    assert count == 20


def test_two_that_prepare_the_same_pictures_do_it_once(put, monkeypatch):
    source, count, found = put(MANY), [], []
    monkeypatch.setattr(picture_cache, "decoded", lambda inside: count.append(1) or decoded(inside))
    both = [threading.Thread(target=lambda: found.append(read(source)[0])) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(20)
    assert len(count) == 40
    assert torch.equal(found[0].images, found[1].images)


@pytest.mark.parametrize(
    "damage", ["no pixels", "cut pixels", "no journal", "cut journal", "other journal", "folder"]
)
def test_a_damaged_cache_is_made_afresh(put, cache, damage):
    source = put(PICTURES)
    expected = read(source)[0].images.clone()
    (made,) = cache.iterdir()
    pixels, journal = made / "pixels.u8", made / "pictures.json"
    if damage == "no pixels":
        pixels.unlink()
    if damage == "cut pixels":
        pixels.write_bytes(pixels.read_bytes()[:-1])
    if damage == "no journal":
        journal.unlink()
    if damage == "cut journal":
        journal.write_text(journal.read_text()[:20])
    if damage == "other journal":
        journal.write_text('[{"read": 7}]')
    if damage == "folder":
        shutil.rmtree(made)
    assert torch.equal(read(source)[0].images, expected)


def test_private_pictures_stay_out_of_the_shared_data_folder(put, tmp_path, cache, monkeypatch):
    monkeypatch.setenv("DIFFUSION_COURSE_DATA", str(tmp_path / "shared"))
    source = put(PICTURES)
    read(source)
    assert len(list(cache.iterdir())) == 1
    data.load(source, size=8, root=tmp_path / "mine")
    assert len(list((tmp_path / "mine" / "pictures").iterdir())) == 1
    assert not (tmp_path / "shared").exists()


def test_cifar10_as_jpeg_files(tmp_path):
    """All of them as JPEG files: 10 classes, train and test; they have the right size already."""
    path = Path(os.environ.get("DIFFUSION_COURSE_DATA", ".")) / CIFAR_ZIP
    if not path.exists():
        pytest.skip(f"DIFFUSION_COURSE_DATA names no folder that holds {CIFAR_ZIP}")
    found = own_pictures.find(path, True)
    assert (len(found.names), len(found.classes)) == (50_000, 10)
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "few.zip", "w") as few:
        for name in found.names[::2000] + own_pictures.find(path, False).names[::1000]:
            few.writestr(name, archive.read(name))
    train, said = read(str(tmp_path / "few.zip"), size=32)
    assert said == []
    assert train.labels.tolist() == [found.labels[i] for i in range(0, 50_000, 2000)]
    with zipfile.ZipFile(path) as archive:
        first = picture_cache.decoded(archive.read(found.names[0]))
    assert torch.equal(train.images[0], first)
