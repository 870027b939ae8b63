"""Pictures of every mode in folders and zips; what is damaged is told by name, and the rest is read."""

import errno
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_course import CourseError
from diffusion_course.experiments import picture_files
from diffusion_course.experiments.picture_files import decoded, names, pictures


def content(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def png(seed=0, size=(5, 4)):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    return content(Image.fromarray(pixels))


FILES = {"b/2.png": png(1), "a/1.PNG": png(2), "10.jpeg": png(3), "9.png": png(4)}  # a wrong suffix is none
OTHERS = {"notes.txt": b"x", ".hidden.png": png(), "__MACOSX/b/._2.png": b"\0", ".git/x.png": png()}


@pytest.fixture(params=["folder", "zip"])
def put(request, tmp_path):
    """A function that makes a folder or zip of {name: content}."""

    def make(files):
        if request.param == "zip":
            with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
                for name, inside in files.items():
                    archive.writestr(name, inside)
            return tmp_path / "p.zip"
        for name, inside in files.items():
            path = tmp_path / "p" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(inside)
        (tmp_path / "p").mkdir(exist_ok=True)
        return tmp_path / "p"

    return make


def read(source, **options):
    skipped = []
    return dict(pictures(source, skipped.append, **options)), skipped


def test_all_pictures_in_the_order_of_their_names(put):
    source = put(FILES | OTHERS)
    found, skipped = read(source)
    assert [*found] == names(source) == ["10.jpeg", "9.png", "a/1.PNG", "b/2.png"]
    assert not skipped
    want = np.asarray(Image.open(io.BytesIO(FILES["b/2.png"])))
    np.testing.assert_array_equal(found["b/2.png"].permute(1, 2, 0), want)
    assert found["b/2.png"].shape == (3, 4, 5)


def test_damaged_ones_are_told_by_name_and_left_out(put):
    broken = {"cut.png": png()[:60], "text.jpg": b"no picture", "empty.png": b"", "a\nb.png": b"x"}
    found, skipped = read(put(FILES | broken))
    assert sorted(found) == sorted(FILES)
    assert len(skipped) == 4
    assert not [line for line in skipped if "\n" in line]
    for name in ("cut.png", "text.jpg", "empty.png", "a\ufffdb.png"):
        assert [line for line in skipped if line.startswith(f"skipped {name}: ")], skipped


def test_some_at_random_the_same_each_time(put):
    source = put({f"{i:02}.png": png(i) for i in range(30)})
    few, _ = read(source, count=5)
    assert [*few] == [*read(source, count=5)[0]]
    assert [*few] == sorted(few)
    assert len(few) == 5
    assert [*few] != [*read(source, count=5, seed=1)[0]]
    assert len(read(source, count=99)[0]) == 30


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "holds no picture"),
        ({"x.txt": b""}, "holds no picture"),
        ({"x.png": b"x", "y.png": b"y"}, "none of its 2 pictures could be read"),
    ],
)
def test_a_source_without_pictures_is_told(put, files, told):
    source = put(files)
    with pytest.raises(CourseError) as caught:
        read(source)
    assert str(caught.value).startswith(f"{source}: {told}")


def test_what_is_no_folder_and_no_zip_is_told(tmp_path):
    with pytest.raises(CourseError, match="no such folder or zip"):
        names(tmp_path / "none")
    (tmp_path / "text.zip").write_text("x")
    with pytest.raises(CourseError, match="neither a folder nor a zip"):
        names(tmp_path / "text.zip")


def test_a_pipe_is_no_picture(tmp_path):
    """To open it would wait for ever."""
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "x.png").write_bytes(png())
    assert names(tmp_path) == ["x.png"]


def test_a_file_of_a_zip_that_unpacks_to_too_much_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_files, "MOST_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "p.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(10**6))
        archive.writestr("x.png", png())
    found, skipped = read(tmp_path / "p.zip")
    assert [*found] == ["x.png"]
    assert skipped == ["skipped bomb.png: unpacks to 1,000,000 bytes"]


def test_why_a_file_is_skipped_is_told_in_plain_words(tmp_path):
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        for name in ("broken.png", "locked.png", "x.png"):
            archive.writestr(name, png())
        archive.writestr("text.jpg", b"no picture")
    held = bytearray((tmp_path / "p.zip").read_bytes())
    held[held.index(png())] ^= 1  # a byte of the first file
    entry = held.rindex(b"PK\1\2", 0, held.rindex(b"locked.png"))
    held[entry + 8] |= 1  # the flag of an encrypted one
    (tmp_path / "p.zip").write_bytes(held)
    assert read(tmp_path / "p.zip")[1] == [
        "skipped broken.png: is damaged in the zip",
        "skipped locked.png: is encrypted; unpack the zip, or make one without a password",
        "skipped text.jpg: is no picture that can be read",
    ]


def test_what_the_disk_says_is_told_without_its_number_and_path(tmp_path, monkeypatch):
    (tmp_path / "x.png").write_bytes(png())
    (tmp_path / "shut.png").write_bytes(png())
    whole = Path.read_bytes

    def reading(path):
        if path.name == "shut.png":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return whole(path)

    monkeypatch.setattr(Path, "read_bytes", reading)
    assert read(tmp_path)[1] == ["skipped shut.png: Permission denied"]


# ---- names in zips, and links in folders


def zip_of(path, listed):
    """A zip that lists names as they stand here, whatever the system's separator is."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in listed:
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.writestr(info, png(len(name)))
    return path


def test_names_in_a_zip_are_read_as_a_system_would_unpack_them(tmp_path):
    source = zip_of(tmp_path / "p.zip", ["./b/2.png", "train\\a\\1.png", ".\\c//./3.png", "empty\\", "./"])
    found, skipped = read(source)
    assert [*found] == ["b/2.png", "c/3.png", "train/a/1.png"]
    assert torch.equal(found["b/2.png"], decoded(png(len("./b/2.png"))))
    assert skipped == []
    assert picture_files.folders(source) == ["empty"]


def test_names_that_lead_out_of_a_zip_are_told_and_left_out(tmp_path):
    out = ["/etc/x.png", "../../evil/x.png", "a/../x.png", "C:\\x.png", "\\\\server\\x.png"]
    others = ["/etc/passwd", "../.git/x.png"]
    why = "leads out of the zip; name it by folders inside"
    source = zip_of(tmp_path / "p.zip", ["a/0.png", *out, *others])
    found, skipped = read(source)
    assert [*found] == ["a/0.png"]
    assert skipped == sorted(f"skipped {name.replace(chr(92), '/')}: {why}" for name in out)
    with pytest.raises(CourseError) as caught:
        names(zip_of(tmp_path / "out.zip", out))
    assert str(caught.value).endswith(
        f"out.zip: holds no picture; ../../evil/x.png: {why} (and 4 more left out)"
    )


def test_names_that_become_one_are_told(tmp_path):
    source = tmp_path / "p.zip"
    with zipfile.ZipFile(source, "w") as archive:
        for name, shade in (("a/0.png", 1), ("./a/0.png", 2), ("a\\0.png", 3), ("b/1.png", 4)):
            archive.writestr(name, png(shade))
    found, skipped = read(source)
    assert [*found] == ["a/0.png", "b/1.png"]
    assert torch.equal(found["a/0.png"], decoded(png(3)))
    assert skipped == ["skipped a/0.png (an earlier one): stands in the zip again; the last one counts"]


def test_links_are_followed_to_files_and_told_where_that_cannot_be(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "x.png").write_bytes(png())
    folder = tmp_path / "p"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "more").symlink_to(tmp_path / "there")
    (folder / "a" / "lost.png").symlink_to(tmp_path / "nowhere.png")
    (folder / "a" / ".hidden").symlink_to(tmp_path / "there")
    with pytest.raises(CourseError) as caught:
        names(folder)
    lost = "a/lost.png: is a link that leads to no file"
    more = "a/more: is a link to a folder, and is not followed; copy that folder to its place"
    assert str(caught.value) == f"{folder}: holds no picture; {lost} (and 1 more left out)"
    (folder / "a" / "1.png").symlink_to(tmp_path / "there" / "x.png")
    found, skipped = read(folder)
    assert [*found] == ["a/1.png"]
    assert skipped == [f"skipped {lost}", f"skipped {more}"]
    assert picture_files.folders(folder) == ["a"]


def test_of_many_that_are_left_out_the_first_are_told(tmp_path):
    zip_of(tmp_path / "p.zip", ["a/0.png", *(f"../{i:02}.png" for i in range(30))])
    _, skipped = read(tmp_path / "p.zip")
    assert len(skipped) == 11
    assert skipped[9].startswith("skipped ../09.png: ")
    assert skipped[10] == "skipped 20 more"


# ---- modes

GREY = np.arange(0, 240, 12, dtype=np.uint8).reshape(4, 5)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "1", "CMYK", "YCbCr", "I;16", "I"])
def test_every_mode_becomes_eight_bits_of_red_green_and_blue(mode):
    grey = np.where(GREY > 100, 255, 0).astype(np.uint8) if mode == "1" else GREY
    picture = Image.fromarray(grey)
    if mode.startswith("I"):
        picture = Image.fromarray(grey.astype(np.uint16) * 257)
        picture = picture.convert(mode) if mode == "I" else picture
    else:
        picture = picture.convert(mode)
    kind = "TIFF" if mode in ("CMYK", "YCbCr", "I") else "PNG"
    pixels = decoded(content(picture, kind))
    assert pixels.shape == (3, 4, 5)
    assert pixels.dtype == torch.uint8
    assert (pixels.int() - torch.from_numpy(grey).int()).abs().max() <= 2


def test_transparent_pixels_show_white():
    pixels = np.zeros((1, 3, 4), dtype=np.uint8)
    pixels[0, :, 3] = (255, 0, 128)
    assert decoded(content(Image.fromarray(pixels)))[0].tolist() == [[0, 255, 127]]


def test_a_photograph_stands_as_its_note_says():
    photo, note = Image.fromarray(np.zeros((2, 6), dtype=np.uint8)), Image.Exif()
    note[0x0112] = 6  # turn by 90 degrees
    assert decoded(content(photo, "JPEG", exif=note)).shape == (3, 6, 2)


def test_floating_point_pixels_are_refused():
    with pytest.raises(ValueError, match="no known range"):
        decoded(content(Image.fromarray(np.zeros((2, 2), dtype=np.float32)), "TIFF"))


@pytest.mark.parametrize("beyond", [-1, 65536, 10**6])
def test_integers_beyond_16_bits_are_refused(beyond):
    """Cut off at 16 bits, a picture with values up to a million would be white."""
    values = np.array([[0, 30_000], [65535, 0]], dtype=np.int32)
    assert decoded(content(Image.fromarray(values), "TIFF"))[0].tolist() == [[0, 117], [255, 0]]
    values[1, 1] = beyond
    with pytest.raises(ValueError, match="no known range"):
        decoded(content(Image.fromarray(values), "TIFF"))


def test_a_program_is_never_started_for_a_format():
    """EPS would be handed to Ghostscript."""
    with pytest.raises(OSError, match="cannot identify"):
        decoded(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 2 2\n%%EndComments\nshowpage\n%%EOF\n")
