"""A file is whole or as it was: half a file is never seen, whatever happens."""

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from diffusion_course import CourseError
from diffusion_course.files import alone, check_writable, user_path, write_atomically, write_text


def message(call, *args):
    with pytest.raises(CourseError) as caught:
        call(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_file_is_the_old_one_until_it_is_the_new_one(tmp_path):
    path = tmp_path / "new" / "file"
    write_atomically(path, lambda file: file.write(b"old"))
    seen = []

    def write(file):
        file.write(b"new")
        file.flush()
        seen.append(path.read_bytes())

    write_atomically(path, write)
    assert seen == [b"old"]
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize(
    "failure",
    [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("unexpected pos 64 vs 0\nmore")],
)
def test_a_full_disk_leaves_the_old_file(tmp_path, failure):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write(file):
        file.write(b"half of the new")
        raise failure

    text = message(write_atomically, path, write)
    assert text.startswith(f"cannot write {path}: ")
    assert str(failure).splitlines()[0] in text
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_full_disk_is_told_as_the_system_tells_it_and_not_as_torch_does(tmp_path):
    def write(file):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise RuntimeError("unexpected pos 64 vs 0")  # noqa: B904 - as torch.save does

    assert message(write_atomically, tmp_path / "file", write).endswith("No space left on device")


def test_the_new_file_arrives_by_a_rename(tmp_path, monkeypatch):
    """Written in full and on the disk beside the old one first: there is no moment with half a file."""
    path, calls = tmp_path / "file", []
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", lambda descriptor: calls.append("fsync"))

    def replace(source, target):
        calls.append((Path(source).read_bytes(), Path(target)))
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "replace", replace)
    assert message(write_atomically, path, lambda file: file.write(b"new")).endswith("Input/output error")
    assert calls == ["fsync", (b"new", path)]
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_an_interrupt_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write(file):
        file.write(b"half of the new")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, write)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "checkpoint.pt"
    text = message(write_atomically, path, lambda file: file.write(b"x"))
    assert (
        text == f"cannot write {path}: [Errno 20] Not a directory: '{path.parent}'" or "File exists" in text
    )


def test_text_is_utf8_and_keeps_its_ends_of_lines(tmp_path):
    write_text(tmp_path / "a" / "b.txt", "ä\nб\r\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "ä\nб\r\n".encode()


def test_of_several_that_write_at_the_same_time_one_wins_and_none_fails(tmp_path):
    """Two graders of one folder. All have opened their files before one of them goes on."""
    path, together = tmp_path / "file", threading.Barrier(8)
    texts = [str(number) * 10_000 for number in range(8)]

    def write(text):
        def slowly(file):
            together.wait(10)
            file.write(text.encode())

        write_atomically(path, slowly)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, texts))
    assert path.read_text() in texts
    assert os.listdir(tmp_path) == ["file"]


def places(tmp_path):
    """Names that no file can have here, and the word that tells why."""
    (tmp_path / "file").write_text("")
    return {
        tmp_path: "folder",
        tmp_path / "file" / "x": "",
        tmp_path / ("a" * 300): "too long",
        tmp_path / ("a" * 300) / "x": "too long",
        Path("."): "folder",
        Path("/proc/x/y"): "",
    }


def test_what_cannot_be_written_is_told_before_the_work(tmp_path):
    """The same refusal as that of the writing itself."""
    for path, why in places(tmp_path).items():
        early = message(check_writable, path)
        assert early.startswith(f"cannot write {path}: ")
        assert why in early
        message(write_atomically, path, lambda file: file.write(b"x"))


def test_asking_leaves_the_file_as_it_is(tmp_path):
    path = tmp_path / "new" / "file"
    check_writable(path)
    assert os.listdir(path.parent) == []
    path.write_text("old")
    check_writable(path)
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == ["file"]


def test_a_tilde_is_the_home_folder_though_no_shell_said_so(monkeypatch):
    monkeypatch.setenv("HOME", "/somebody")
    assert user_path("~/x/y") == Path("/somebody/x/y")
    assert user_path(Path("~")) == Path("/somebody")
    assert user_path("a~/x") == Path("a~/x")
    for odd in ("", "a\0b", "~nobody-of-this-name/x"):
        assert message(user_path, odd).startswith("path")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_hold_ends_with_its_block_though_a_child_lives_on(tmp_path):
    reads, writes = os.pipe()
    with alone(tmp_path / "lock", taken="taken"):
        child = os.fork()
        if not child:
            os.close(writes)
            os.read(reads, 1)  # until the parent closes its end
            os._exit(0)
    with alone(tmp_path / "lock", taken="taken"):
        pass
    os.close(writes)
    os.waitpid(child, 0)


def test_a_hold_that_is_taken_is_told(tmp_path):
    with (
        alone(tmp_path / "lock"),
        pytest.raises(CourseError, match="taken"),
        alone(tmp_path / "lock", taken="taken"),
    ):
        pass
