"""`diffusion-course doctor`: what the course finds on this machine, on one page, with what to do where something is amiss."""

import os
import platform
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import torch

from .. import __version__
from ..errors import CourseError
from ..experiments.data import data_root
from ..experiments.torchvision_sets import held
from . import handout
from .grading import sandbox
from .wording import counted

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
ROOM = 2.0  # gigabytes
USES = {
    "lab": ", for the notebooks",
    "site": ", for the web pages",
    "dask": ", to grade on several machines",
    "eval": ", for the FID",
    "hub": ", for others' checkpoints",
    "scale": ", to train on several GPUs",
    "track": ", to watch a training",
    "test": ", for `make test`",
    "bench": ", for the benchmarks' peers",
}


@dataclass(frozen=True)
class Fact:
    """found: what there is. do: what to do about what is missing or wrong, "" where nothing is."""

    name: str
    found: str
    do: str = ""


def facts() -> list[Fact]:
    """All that the course can say of this machine."""
    isolation = sandbox.available()
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), "")
    weak = f"install bubblewrap before you grade others' notebooks: {isolation.why}"
    return [
        Fact("course", f"{__version__} in {Path(__file__).parents[1]}"),
        Fact("python", f"{platform.python_version()} in {sys.prefix}"),
        Fact("system", f"{platform.platform()}, {os.cpu_count()} CPUs"),
        Fact("torch", f"{torch.__version__}, {torch.get_num_threads()} threads"),
        *_devices(),
        *_packages(),
        _data(),
        _room(),
        _weights(),
        _notebooks(),
        Fact("sandbox", f"{isolation} (for grading)", "" if isolation.safe else weak),
        Fact("browser", browser or "none", "" if browser else "install chromium, if you run `make test`"),
    ]


def page(found: Sequence[Fact]) -> list[str]:
    """A line per fact, and under it what to do, where there is something."""
    lines = []
    for fact in found:
        lines.append(f"{fact.name:<12}{fact.found}")
        if fact.do:
            lines.append(f"{'':<12}-> {fact.do}")
    todo = sum(bool(fact.do) for fact in found)
    told = f"what to do: {counted(todo, 'line')} with ->" if todo else "nothing is missing"
    return [*lines, f"{'':<12}{told}"]


def _devices() -> list[Fact]:
    if torch.cuda.is_available():
        lines = []
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            name = torch.cuda.get_device_name(index)
            lines.append(Fact(f"cuda:{index}", f"{name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"))
        return lines
    if not shutil.which("nvidia-smi"):
        return [Fact("device", "cpu (no NVIDIA GPU found; the notebooks pick their small presets)")]
    if torch.version.cuda is None:
        do = "this torch was built without CUDA: install torch again, the build that its web page names for your system"
    else:
        do = f"this torch needs a driver for CUDA {torch.version.cuda}: run nvidia-smi, and bring the driver up to date"
    return [Fact("device", "cpu, though there is an NVIDIA driver", do)]


def _packages() -> list[Fact]:
    """The packages that pyproject.toml names, by extra; those missing are named with the command that brings them."""
    try:
        requirements = metadata.requires("diffusion-course") or []
    except metadata.PackageNotFoundError:
        return [Fact("packages", "the course is not installed here", "pip install -e '.[lab]'")]
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
        core = group == "packages"
        use = USES.get(group, "")
        do = f"pip install '{'diffusion-course' if core else f'diffusion-course[{group}]'}' brings {missing}{use}"
        lines.append(Fact(group if core else f"[{group}]", found or "none", do if missing else ""))
    return lines


def _data() -> Fact:
    own = "digits and mnist-5k need none"
    try:
        root = data_root()
    except CourseError as error:
        return Fact("data", f"no folder; {own}", str(error))
    origin = "DIFFUSION_COURSE_DATA" if os.environ.get("DIFFUSION_COURSE_DATA") else "the default"
    found = held(root)
    names = f"holds {', '.join(found)}" if found else f"holds no data set yet; {own}"
    return Fact("data", f"{root} ({origin}) {names}")


def _room() -> Fact:
    """Of the disk that runs, caches and grades are written to."""
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    do = "make room: a run's checkpoint, a cache of pictures, a folder of grades take up to a gigabyte each"
    return Fact("disk", f"{free:.0f} GB free here", do if free < ROOM else "")


def _weights() -> Fact:
    folder = Path(__file__).parents[1] / "weights"
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        return Fact("weights", f"none in {folder}", "install the course again")
    size = sum(path.stat().st_size for path in found) / 1e6
    return Fact("weights", f"{', '.join(path.stem for path in found)} ({size:.0f} MB)")


def _notebooks() -> Fact:
    try:
        return Fact("notebooks", f"{len(handout.names())} in {handout.folder()}")
    except CourseError:
        return Fact("notebooks", "none", "run diffusion-course build, or install the course again")
