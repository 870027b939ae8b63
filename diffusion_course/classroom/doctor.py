"""`diffusion-course doctor`: what the course finds on this machine, on one page, with advice where something is amiss."""

import os
import platform
import re
import shutil
import sys
from importlib import metadata
from pathlib import Path

import torch

from .. import __version__
from ..errors import CourseError
from ..experiments.data import data_root
from ..experiments.torchvision_sets import held
from . import handout
from .grading import sandbox

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def report() -> str:
    """The page: one `name  value` line per fact."""
    facts = [
        ("course", f"{__version__} in {Path(__file__).parents[1]}"),
        ("python", f"{platform.python_version()} in {sys.prefix}"),
        ("system", f"{platform.platform()}, {os.cpu_count()} CPUs"),
        ("torch", f"{torch.__version__}, {torch.get_num_threads()} threads"),
        *_device(),
        *_packages(),
        ("data", _data()),
        ("weights", _files(Path(__file__).parents[1] / "weights", "*.safetensors")),
        ("notebooks", _notebooks()),
        ("sandbox", f"{sandbox.available()} (for grading)"),
        (
            "browser",
            next((found for name in BROWSERS if (found := shutil.which(name))), "none (only tests need one)"),
        ),
    ]
    return "\n".join(f"{name:<12}{value}" for name, value in facts)


def _device() -> list[tuple[str, str]]:
    if torch.cuda.is_available():
        lines = []
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            name = torch.cuda.get_device_name(index)
            lines.append((f"cuda:{index}", f"{name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"))
        return lines
    if not shutil.which("nvidia-smi"):
        return [("device", "cpu (no NVIDIA GPU found; the notebooks pick their small presets)")]
    if torch.version.cuda is None:
        return [
            (
                "device",
                "cpu! There is an NVIDIA driver, but this torch was built without CUDA: reinstall torch",
            )
        ]
    needs = f"this torch needs a driver for CUDA {torch.version.cuda}"
    return [("device", f"cpu! There is an NVIDIA driver, but torch cannot use it; {needs}: see nvidia-smi")]


def _packages() -> list[tuple[str, str]]:
    """The packages that pyproject.toml names, by extra; those missing are named with the command that brings them."""
    try:
        requirements = metadata.requires("diffusion-course") or []
    except metadata.PackageNotFoundError:
        return [("packages", "the course is not installed here: pip install -e '.[lab]'")]
    groups: dict[str, dict[str, str | None]] = {}
    for requirement in requirements:
        name = re.split(r"[^\w.-]", requirement)[0]
        extra = re.search(r"extra == ['\"](\w+)", requirement)
        try:
            version: str | None = metadata.version(name)
        except metadata.PackageNotFoundError:
            version = None
        groups.setdefault(extra[1] if extra else "packages", {})[name] = version
    lines = []
    for group, versions in groups.items():
        found = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
        missing = ", ".join(name for name, version in versions.items() if not version)
        package = "diffusion-course" if group == "packages" else f"diffusion-course[{group}]"
        advice = f"missing: {missing} (pip install '{package}')" if missing else ""
        lines.append(
            (group if group == "packages" else f"[{group}]", "; ".join(filter(None, [found, advice])))
        )
    return lines


def _data() -> str:
    try:
        root = data_root()
    except CourseError as error:
        return f"no folder! {error}; digits and mnist-5k need none"
    origin = "DIFFUSION_COURSE_DATA" if os.environ.get("DIFFUSION_COURSE_DATA") else "the default"
    found = held(root)
    names = f"holds {', '.join(found)}" if found else "holds no data set yet; digits and mnist-5k need none"
    return f"{root} ({origin}) {names}"


def _files(folder: Path, pattern: str) -> str:
    found = sorted(folder.glob(pattern))
    if not found:
        return f"none in {folder}! Install the course again"
    return ", ".join(f"{path.stem} ({path.stat().st_size / 1e6:.1f} MB)" for path in found)


def _notebooks() -> str:
    try:
        return f"{len(handout.names())} in {handout.folder()}"
    except CourseError:
        return "none! Run diffusion-course build, or install the course again"
