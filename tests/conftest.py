"""What all tests share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


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
