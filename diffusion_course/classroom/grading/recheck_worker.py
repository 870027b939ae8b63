"""python -m diffusion_course.classroom.grading.recheck_worker FOLDER: run answers by themselves, in the sandbox; told by standard input.

No check is run in this process, and nothing is compared here: each answer gets the inputs of fresh seeds, and what it returns is
written to FOLDER for the grader to compare. A process of its own for each exercise keeps them apart.
"""

import ast
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..checks import CHECKS
from ..checks.call import call, fresh, isolated
from ..checks.engine import cases


def main() -> None:
    folder = Path(sys.argv[1])
    for task in json.load(sys.stdin):
        child = os.fork()
        if child == 0:
            signal.alarm(task["seconds"])
            _answer(task, folder)
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(child, 0)


def _answer(task: dict, folder: Path) -> None:
    """Write EXERCISE.safetensors: the tensors of each case as "case.output"; as metadata what else there is to say of the cases."""
    check = CHECKS[task["exercise"]]
    # All inputs are made before the answer's first line runs: it cannot change how.
    inputs = [case for seed in task["seeds"] for case in cases(check, seed)]
    watched = {check.reference.__code__, *map(code, check.library)}
    names: dict = {"__name__": "__main__"}
    for source in [*task["prelude"], task["source"]]:
        exec(compile(_python(source), "answer", "exec"), names)
    function = names[task["exercise"][3:]]
    tensors: dict[str, Tensor] = {}
    told = []
    with isolated():
        for number, args in enumerate(inputs):
            watch = _Watch(watched)
            sys.setprofile(watch)
            try:
                value = call(function, fresh(args)).value
            finally:
                sys.setprofile(None)
            several = isinstance(value, tuple | list)
            parts = list(value) if isinstance(value, tuple | list) else [value]
            plain = [part.detach().clone().contiguous() for part in parts if isinstance(part, Tensor)]
            outputs = len(parts) if len(plain) == len(parts) else -1  # -1: not all are tensors
            tensors |= {f"{number}.{i}": part for i, part in enumerate(plain)}
            told.append({"several": several, "outputs": outputs, "library": watch.hit})
    save_file(tensors, folder / f"{check.id}.safetensors", {"cases": json.dumps(told)})


class _Watch:
    """A profiler that notes whether one of some functions was called."""

    def __init__(self, watched: set[CodeType]):
        self.watched, self.hit = watched, False

    def __call__(self, frame: Any, event: str, arg: Any) -> None:
        self.hit = self.hit or frame.f_code in self.watched


def code(name: str) -> CodeType:
    """The code of a function of the course, e.g. of "gaussian.diffuse"."""
    import diffusion_course

    found: Callable = diffusion_course  # type: ignore[assignment]
    for part in name.split("."):
        found = getattr(found, part)
    return found.__code__


def _python(source: str) -> str:
    """A cell as Python: without IPython's magics, if it has any."""
    try:
        ast.parse(source)
        return source
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager

        return TransformerManager().transform_cell(source)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
