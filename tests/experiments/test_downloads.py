"""A download is whole, checked, tried twice and given up; through a real server on this machine."""

import hashlib
import http.server
import socket
import threading
import time
import urllib.request

import pytest

from diffusion_course import CourseError
from diffusion_course.experiments import downloads

CONTENT = b"weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def serve():
    """Begin a server that gives these answers in turn, then the last for ever; returns its address and the paths asked for."""
    servers = []

    def begin(*answers):
        asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                answer = answers[min(len(asked), len(answers) - 1)]
                asked.append(self.path)
                if isinstance(answer, int):
                    self.send_error(answer)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(CONTENT)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/file", asked

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(urllib.request, "_opener", None)  # made once a process, with the proxies of then
    monkeypatch.setattr(downloads, "TIMEOUT", 0.3)


@pytest.mark.parametrize("failures", [(), (500,), (CONTENT[:100],), (b"x" * len(CONTENT),)])
def test_a_file_is_whole_also_when_the_first_try_fails(serve, tmp_path, failures):
    address, asked = serve(*failures, CONTENT)
    downloads.fetch(address, tmp_path / "new" / "file", DIGEST[:8], "advice")
    assert (tmp_path / "new" / "file").read_bytes() == CONTENT
    assert len(asked) == len(failures) + 1
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize(("answer", "reason"), [(404, "404"), (b"x" * len(CONTENT), "hash")])
def test_what_fails_twice_is_told_with_advice(serve, tmp_path, answer, reason):
    address, asked = serve(answer)
    with pytest.raises(CourseError, match=rf"^file: the download failed \(.*{reason}.*\); take another$"):
        downloads.fetch(address, tmp_path / "file", DIGEST[:8], "take another")
    assert len(asked) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_silent_server_is_given_up_and_not_asked_again(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(CourseError, match="timed out"):
            downloads.fetch(
                f"http://127.0.0.1:{silent.getsockname()[1]}/x", tmp_path / "file", DIGEST, "advice"
            )
    assert time.monotonic() - started < 0.59 + 5
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(CourseError, match=r"^cannot write .*; advice$"):
        downloads.fetch("http://127.0.0.1:9/x", tmp_path / "file" / "weights", DIGEST, "advice")
