"""torch_build.py FOLDER: before pip installs the course into the environment FOLDER, say how much comes; without an NVIDIA GPU, offer CPU builds.

On Linux, pip's torch brings CUDA's libraries, several gigabytes that nothing uses without a GPU. Some indexes have CPU builds, of the
versions `2.13.0+cpu`. torchvision must be one, too: the usual one does not load beside torch's CPU build. Run by any Python; standard
library only. TORCH=cpu takes them without a question, TORCH=cuda refuses them. Never fails: pip installs the usual ones in their place.
"""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

ASKED = "No NVIDIA GPU was found here. Install the CPU builds torch {} and torchvision {}, 3 GB less? [Y/n] "


def main(folder: Path) -> None:
    if any(folder.glob("lib/python*/site-packages/torch/__init__.py")):
        return
    linux = platform.system() == "Linux"
    if not linux or platform.machine() != "x86_64":
        print(
            "The first install downloads the course's packages, about 0.5 GB. Later starts need no network."
        )
        return
    print(
        "The first install downloads about 3.3 GB, of which torch with its CUDA libraries is 3.0. Later starts need no network.",
        flush=True,
    )
    if has_gpu() or os.environ.get("TORCH") == "cuda":
        return
    pair = newest_pair(versions(folder, "torch"), versions(folder, "torchvision"))
    if not pair:
        print(
            "There is no NVIDIA GPU here; pip's index has no CPU builds of torch and torchvision, which would save 3 GB."
        )
    elif os.environ.get("TORCH") == "cpu" or agreed(folder, pair):
        subprocess.run(pip(folder, "install", f"torch=={pair[0]}", f"torchvision=={pair[1]}"), check=False)


def has_gpu() -> bool:
    """Does the NVIDIA driver name a GPU?"""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return "GPU 0" in listed.stdout


def pip(folder: Path, *arguments: str) -> list[str]:
    return [str(folder / "bin" / "python"), "-m", "pip", *arguments]


def versions(folder: Path, name: str) -> list[str]:
    """The CPU builds that pip's index has, newest first."""
    found = subprocess.run(pip(folder, "index", "versions", name), capture_output=True, text=True)
    return re.findall(r"[\d.]+\+cpu", found.stdout)


def newest_pair(torch: list[str], vision: list[str]) -> tuple[str, str] | None:
    """The newest torch 2.N and its torchvision 0.(N + 15)."""
    for version in torch:
        minor = int(version.split(".")[1])
        for other in vision:
            if other.startswith(f"0.{minor + 15}."):
                return version, other
    return None


def agreed(folder: Path, pair: tuple[str, str]) -> bool:
    """Asked once, and only where somebody can answer; an install that was cut short finds the answer again."""
    kept = folder / ".torch"
    if not kept.exists():
        if not sys.stdin.isatty():
            print("`make lab TORCH=cpu` would take the CPU builds of torch and torchvision: 3 GB less.")
            return False
        try:
            answer = input(ASKED.format(*pair))
        except (EOFError, KeyboardInterrupt):
            sys.exit(1)
        kept.write_text(answer.strip().lower()[:1] or "y")
    return kept.read_text() == "y"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
