"""What `import diffusion_course` costs beside `import torch`: CPU seconds of fresh processes.
The package loads its modules at first use, so both are measured: the bare import, and with every core module loaded.
CPU time is what the wall clock shows on an idle machine; unlike it, it does not count other programs' work.
"""

import subprocess
import sys
from functools import partial

import torch

from .sides import Comparison

CASES = {
    "torch": "import torch",
    "torch + diffusion_course": "import torch, diffusion_course",
    "torch + the whole core": "import torch; from diffusion_course import *",
}


def seconds(code: str) -> float:
    """CPU time of one import in a process of its own, without the interpreter's start."""
    timed = f"import time; start = time.process_time(); {code}; print(time.process_time() - start)"
    return float(
        subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True).stdout
    )


def comparisons(device: torch.device) -> list[Comparison]:
    cases = {name: partial(seconds, code) for name, code in CASES.items()}
    return [Comparison("Imports, CPU time", cases, "import")]
