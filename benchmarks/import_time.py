"""What `import diffusion_course` costs beside `import torch`: CPU seconds of fresh processes.

    python benchmarks/import_time.py [runs]

The package loads its modules at first use, so both are measured: the bare import, and with every core module loaded.
CPU time is what the wall clock shows on an idle machine; unlike it, it does not count other programs' work.
"""

import statistics
import subprocess
import sys

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


def main(runs: int) -> None:
    for code in CASES.values():
        seconds(code)  # fill the file cache
    # Interleaved, so that a busy moment of the machine meets every case.
    times = [{name: seconds(code) for name, code in CASES.items()} for _ in range(runs)]
    medians = {name: statistics.median(row[name] for row in times) for name in CASES}
    base = medians["torch"]
    for name, median in medians.items():
        print(f"{name:<26}{median:6.2f} s   {median / base:5.2f} x   {median - base:+.3f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
