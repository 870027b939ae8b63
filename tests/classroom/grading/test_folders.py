"""What a run leaves is read, measured and removed without trust: links, pipes, deep folders, many files, folders closed to all."""

import contextlib
import os
import socket
import sys
import threading

import pytest

from diffusion_course.classroom.grading import folders

DEEP = 300


def deep(folder, depth=DEEP, name="x" * 100):
    """Folders in folders, deeper than Python may recurse and longer than a path may be."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


@pytest.fixture
def descriptors(tmp_path):
    """No descriptor of what lies below the test's own folder stays open."""
    yield
    assert [path for path in open_files() if path.startswith(str(tmp_path))] == []


def open_files():
    """What the descriptors of this process lead to; another thread's may close meanwhile."""
    if sys.platform == "linux":
        for number in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                yield os.readlink(f"/proc/self/fd/{number}")


@pytest.fixture
def kinds(tmp_path):
    """One of each kind of entry, by name."""
    (tmp_path / "file").write_bytes(b"told")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with open(tmp_path / "hole", "wb") as file:
        file.truncate(10**12)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        yield tmp_path


def test_a_regular_file_is_read(kinds, descriptors):
    assert folders.open_result(kinds / "file", 4) == b"told"


@pytest.mark.parametrize("name", ["link", "nowhere", "folder", "pipe", "hole", "socket", "missing"])
def test_nothing_else_is_read_nor_waited_for(kinds, descriptors, name):
    answer = []

    def read():
        try:
            folders.open_result(kinds / name, 1000)
        except OSError as error:
            answer.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(10)
    assert len(answer) == 1
    assert isinstance(answer[0], FileNotFoundError) == (name == "missing")


def test_a_file_that_is_too_large_is_not_read(kinds):
    with pytest.raises(OSError, match="file has more than 3 bytes"):
        folders.open_result(kinds / "file", 3)


def test_size_is_what_the_disk_holds(tmp_path, descriptors):
    (tmp_path / "a" / "b").mkdir(parents=True)
    before = folders.size(tmp_path)
    (tmp_path / "a" / "b" / "file").write_bytes(bytes(1_000_000))
    (tmp_path / "a" / "up").symlink_to("/usr")
    assert 1_000_000 <= folders.size(tmp_path) - before < 1_100_000
    assert folders.size(tmp_path / "missing") == 0


def test_size_is_infinite_for_what_would_take_too_long(tmp_path, descriptors):
    (tmp_path / "deep").mkdir()
    deep(tmp_path / "deep", folders.DEEPEST + 1, "d")
    (tmp_path / "many").mkdir()
    for number in range(folders.MOST_FILES + 1):
        (tmp_path / "many" / str(number)).touch()
    (tmp_path / "link").symlink_to(tmp_path / "many")
    assert folders.size(tmp_path / "deep") == float("inf")
    assert folders.size(tmp_path / "many") == float("inf")
    assert folders.size(tmp_path / "link") == float("inf")
    folders.remove(tmp_path / "deep")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into all")
def test_size_is_infinite_for_what_cannot_be_looked_into(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    assert folders.size(tmp_path) == float("inf")


@pytest.fixture
def shallow():
    """A stack that is fuller than the folders are deep: on some disks, deeper ones take many seconds to remove."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(DEEP - 20)
    yield
    sys.setrecursionlimit(limit)


def test_all_is_removed_and_what_links_lead_to_stays(kinds, descriptors, shallow):
    place = kinds / "place"
    for name in ("a", "b/c/d"):
        (place / name).mkdir(parents=True)
    (place / "b" / "c" / "out").symlink_to(kinds / "folder")
    (place / "out").symlink_to(kinds)
    (place / "b" / "c" / "d" / "file").touch()
    for number in range(2500):
        (place / "a" / str(number)).touch()
    deep(place / "a")
    for name in ("b/c/d", "b/c", "b"):
        (place / name).chmod(0)
    os.mkfifo(place / "pipe")
    folders.remove(place)
    assert not place.exists()
    assert (kinds / "folder").is_dir()
    assert (kinds / "file").read_bytes() == b"told"


def test_what_cannot_be_removed_is_left_and_ends_nothing(tmp_path, monkeypatch, descriptors):
    with folders.scratch(str(tmp_path)) as place:
        (place / "bad").mkdir()
        (place / "bad" / "file").touch()
        (place / "good").mkdir()
        unlink = os.unlink

        def refuse(name, **options):
            if name == "file":
                raise OSError("the disk is broken")
            unlink(name, **options)

        monkeypatch.setattr(os, "unlink", refuse)
    assert [path.name for path in place.iterdir()] == ["bad"]
    folders.remove(tmp_path / "missing")
