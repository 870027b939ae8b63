"""The grader connects to the sockets that the kernel made, whatever lies in their place later."""

import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from diffusion_course.classroom.grading import nbval_plugin

PORTS = 5


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The folder of the run and the grader's own. Short, for the names of sockets are."""
    monkeypatch.chdir(tmp_path)
    for name in ("s", "p"):
        (tmp_path / name).mkdir()
    return Path("s"), Path("p")


def serve(path, answer):
    """A socket that says `answer` to who connects."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def run():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.sendall(answer)

    threading.Thread(target=run, daemon=True).start()
    return server


def ask(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        return client.recv(100)


@pytest.mark.parametrize("replacement", ["socket", "link"])
def test_a_socket_that_is_replaced_is_not_connected_to(places, replacement):
    shared, private = places
    with serve(shared / "k-1", b"kernel"), serve(private / "other", b"other"):
        nbval_plugin.keep_socket(shared / "k-1", private / "k-1")
        (shared / "k-1").unlink()
        (shared / "k-1").symlink_to(Path("..") / private / "other") if replacement == "link" else None
        with serve(shared / ("k-1" if replacement == "socket" else "k-2"), b"other"):
            assert ask(shared / "k-1") == b"other"
            assert ask(private / "k-1") == b"kernel"


def test_what_is_not_a_socket_is_not_kept(places):
    shared, private = places
    with serve(private / "other", b"other"):
        (shared / "link").symlink_to((private / "other").absolute())
        (shared / "file").touch()
        os.mkfifo(shared / "pipe")
        for name in ("link", "file", "pipe"):
            with pytest.raises(OSError, match=f"{name} is not a socket"):
                nbval_plugin.keep_socket(shared / name, private / name)
    assert [path.name for path in private.iterdir()] == ["other"]


@pytest.fixture
def manager(places, monkeypatch):
    shared, private = (place.absolute() for place in places)
    made = nbval_plugin.Manager(shared, transport="ipc", ip="p/k", connection_file=str(private / "k.json"))
    monkeypatch.setattr(made, "is_alive", lambda: True)
    made.write_connection_file()
    return made


def test_the_kernel_is_told_its_folder_and_the_grader_takes_its_own(manager, places):
    shared, private = places
    told, kept = (json.loads((place / "k.json").read_text()) for place in places)
    assert (told["ip"], kept["ip"]) == (str(shared.absolute() / "k"), "p/k")
    assert {k: v for k, v in told.items() if k != "ip"} == {k: v for k, v in kept.items() if k != "ip"}
    servers = []

    def kernel():
        for port in range(1, PORTS + 1):
            time.sleep(0.02)
            servers.append(serve(shared / f"k-{port}", b"kernel"))

    thread = threading.Thread(target=kernel)
    thread.start()
    client = manager.client()
    thread.join()
    assert client.ip == "p/k"
    assert [ask(private / f"k-{port}") for port in range(1, PORTS + 1)] == [b"kernel"] * PORTS
    [server.close() for server in servers]


def test_a_kernel_that_does_not_come_up_is_not_waited_for_without_end(manager, monkeypatch):
    monkeypatch.setattr(nbval_plugin, "START", 0.1)
    manager.client()
    monkeypatch.setattr(nbval_plugin, "START", 60)
    monkeypatch.setattr(manager, "is_alive", lambda: False)
    started = time.monotonic()
    manager.client()
    assert time.monotonic() - started < 10
