"""python -m benchmarks [NAME ...]: each a module of this folder with `comparisons(device)`."""

import json
import time
from importlib import import_module
from pathlib import Path
from typing import Annotated

import torch
import typer

from diffusion_course.devices import choose

from . import sides

NAMES = ("sampler", "exact", "train_step", "throughput", "frechet", "import_time")


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Which: {', '.join(NAMES)}. Default: all.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each case that count.")] = 7,
    threads: Annotated[int, typer.Option(min=0, help="Of torch; 0 leaves its own choice.")] = 0,
    device: Annotated[str | None, typer.Option(help="cpu or cuda. Default: CUDA if present.")] = None,
    cpu_time: Annotated[bool, typer.Option(help="Count the process's CPU time: for a busy machine.")] = False,
    out: Annotated[Path | None, typer.Option(help="A JSON file for the numbers.")] = None,
) -> None:
    """Time the course beside hand-written loops and other libraries, in turns, and print ratios."""
    unknown = sorted(set(names or []) - set(NAMES))
    if unknown:
        raise typer.BadParameter(f"got {unknown[0]!r}, want one of {', '.join(NAMES)}")
    if threads:
        torch.set_num_threads(threads)
    where = choose(device)
    clock = time.process_time if cpu_time else time.perf_counter
    found = []
    print(json.dumps(sides.machine()))
    for name in names or NAMES:
        for comparison in import_module(f".{name}", __package__).comparisons(where):
            found.append(sides.measure(comparison, rounds, clock))
            print(f"\n{sides.as_text(found[-1])}", flush=True)
    if out is not None:
        out.write_text(json.dumps({"machine": sides.machine(), "found": found}, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
