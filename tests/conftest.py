"""What all tests share."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Files that start processes, sample much, or ask a check for every mutant: `make quick` leaves them out.
SLOW = (
    "classroom/checks/test_*",
    "classroom/desk/test_merging",
    "classroom/desk/test_shares",
    "classroom/grading/test_around",
    "classroom/grading/test_assembly",
    "classroom/grading/test_batch",
    "classroom/grading/test_bubblewrap",
    "classroom/grading/test_forks",
    "classroom/grading/test_hostile",
    "classroom/grading/test_intake",
    "classroom/grading/test_library",
    "classroom/grading/test_nbgrader",
    "classroom/grading/test_pages",
    "classroom/grading/test_processes",
    "classroom/grading/test_recheck",
    "classroom/grading/test_release",
    "classroom/grading/test_sandbox",
    "classroom/grading/test_submissions",
    "classroom/grading/test_untidy",
    "classroom/grading/test_verdict",
    "classroom/grading/test_without",
    "classroom/test_build",
    "classroom/test_variants",
    "experiments/fid/test_compare",
    "experiments/fid/test_networks",
    "experiments/released/test_edm",
    "experiments/released/test_hub",
    "experiments/released/test_tiny",
    "experiments/studies/test_all",
    "experiments/studies/test_exact_solvers",
    "experiments/studies/test_schedules",
    "experiments/studies/test_seeds",
    "experiments/studies/test_solvers",
    "experiments/studies/test_training_studies",
    "experiments/test_captioned",
    "experiments/test_distributed",
    "experiments/test_latents",
    "experiments/test_own_pictures",
    "experiments/test_pieces",
    "experiments/test_quality",
    "experiments/test_runs",
    "experiments/test_sample_command",
    "experiments/test_snapshots",
    "experiments/test_tokens",
    "experiments/test_training",
    "experiments/test_watching",
    "experiments/test_zoo",
    "nets/test_dit",
    "notebook/test_kernel",
    "notebook/test_kernelless",
    "notebook/test_widgets",
    "test_cli",
    "test_discrete",
    "test_fuzz_cli",
    "test_make",
    "test_oracle_diffusers",
    "test_packaging",
    "test_references",
    "test_sde",
    "test_solutions",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--every-chapter", action="store_true", help="browser tests: open all chapters, a minute each"
    )


def pytest_configure(config: pytest.Config) -> None:
    os.environ["DIFFUSION_COURSE_PROGRESS"] = "off"  # what tests run is no learner's, here and in kernels
    if hasattr(config, "workerinput"):  # one of several processes: together they have the cores
        torch.set_num_threads(1)
        os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that tests start, such as a chapter's kernel


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Files of which a selection by marks takes no test are not read: to read all takes a quarter of a minute in each process."""
    marks = config.option.markexpr.split()
    if collection_path.suffix != ".py" or not marks:
        return None
    if marks[0] in ("notebook", "browser"):
        return f"mark.{marks[0]}" not in collection_path.read_text(encoding="utf-8") or None
    return ("slow)" in marks and marks[0] == "not" and collection_path in _slow_files()) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow = _slow_files()
    for item in items:
        if item.path in slow:
            item.add_marker("slow")


@cache
def _slow_files() -> set[Path]:
    return {path for name in SLOW for path in (ROOT / "tests").glob(f"{name}.py")}


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


@pytest.fixture(scope="module")
def browser():
    """One Chromium for the tests of a file: two of Playwright's would not share a thread, nor may what runs an event loop of its own."""
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
