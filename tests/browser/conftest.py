"""One JupyterLab on a free port for all browser tests; it is gone when the tests end."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SLOW = 60_000  # milliseconds to wait for anything, on a machine that is busy with other things


# JupyterLab's settings: no question about news, and every cell in the page even when it is out of sight.
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
}

# The server runs in a process that ends its whole group when its standard input closes: that happens at the end of the
# tests, and also when the tests themselves are killed, so nothing is left behind.
SERVER = """
import os, signal, sys, threading
def wait():
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGTERM)
    threading.Event().wait(10)
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=wait, daemon=True).start()
from jupyterlab.labapp import main
main()
"""


class Lab:
    """A running JupyterLab: its folder, the address of a notebook in it, and how patient to be (milliseconds)."""

    def __init__(self, folder: Path, screenshots: Path, port: int, token: str) -> None:
        self.folder, self.screenshots, self.port, self.token = folder, screenshots, port, token
        self.patience = SLOW

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/lab/workspaces/{Path(name).stem}/tree/{name}?token={self.token}&reset"

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/api/status?token={self.token}", timeout=5
            ):
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


@pytest.fixture(scope="session")
def lab(tmp_path_factory) -> Iterator[Lab]:
    pytest.importorskip("jupyterlab")
    home = tmp_path_factory.mktemp("jupyter")
    folder, screenshots = home / "notebooks", home / "screenshots"
    folder.mkdir()
    screenshots.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    settings = {
        name: str(home / name)
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    }
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    env = os.environ | settings | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    env.pop("PYTEST_CURRENT_TEST", None)  # kernels are as a student has them
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": folder,
        "IdentityProvider.token": token,
        "LabApp.expose_app_in_browser": True,
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    }
    for name, content in SETTINGS.items():
        path = home / "JUPYTER_CONFIG_DIR/lab/user-settings/@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    command = [sys.executable, "-c", SERVER, "--no-browser", "--allow-root"]
    command += [f"--{name}={value}" for name, value in options.items()]
    log = home / "log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command,
            env=env,
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        lab = Lab(folder, screenshots, port, token)
        deadline = time.monotonic() + SLOW / 1000
        while not lab.answers():
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"JupyterLab did not start:\n{log.read_text()}")
            time.sleep(0.1)
        yield lab
    finally:
        server.stdin.close()
        server.wait(30)
