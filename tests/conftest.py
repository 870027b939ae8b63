"""What all tests share."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):  # one of several processes: together they have the cores
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def tracked() -> list[str]:
    """The files git knows, relative to the checkout; the test is skipped where this is no git checkout."""
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [name for name in listing.stdout.splitlines() if (ROOT / name).exists()]


@pytest.fixture(scope="session")
def run_python():
    """Run Python in a process of its own and return the finished process; stdout and stderr are text."""

    def run(*arguments: str | Path, **options) -> subprocess.CompletedProcess:
        environment = os.environ | options.pop("env", {})
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            **({"cwd": ROOT, "capture_output": True, "text": True, "timeout": 600} | options),
            env=environment,
        )

    return run


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests: two of Playwright's would not share a thread."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)), None)
    if executable is None:
        pytest.skip(f"no browser: none of {', '.join(CHROMIUM)} on PATH, and CHROMIUM is not set")
    arguments = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-dev-shm-usage",
    ]
    with api.sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield chrome
        chrome.close()
