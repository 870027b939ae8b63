"""python -m diffusion_course.classroom.grading.recheck_worker FOLDER: run the list of cells by itself; told by standard input.

No check is here, and nothing is compared: each function gets inputs that came in as data, and what it returns is written to FOLDER for
the grader to compare. A process of its own for each exercise's calls keeps them apart.
"""

import os
import signal
import sys
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from IPython.core.interactiveshell import InteractiveShell
from torch import Tensor
from traitlets.config import Config

from ..checks.call import blamed_line, call, isolated
from ..checks.machines import MACHINES
from . import missing, wire

LONGEST = 2000  # characters of a text


class Shell(InteractiveShell):
    """IPython without a front end: it runs cells as a notebook does, magics and all, and shows nothing."""

    def enable_gui(self, gui: Any = None) -> None:
        """Plots are drawn, and nobody looks."""

    def showtraceback(self, *args: Any, **kwargs: Any) -> None:
        """Errors are told as data."""

    showsyntaxerror = showtraceback


class TooLong(BaseException):
    """A cell takes longer than it may."""


def main() -> None:
    folder = Path(sys.argv[1])
    told, tensors = wire.part(sys.stdin.buffer.read())
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    shell = Shell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    errors: dict[str, list[str]] = {}
    for step in told["steps"]:
        if "source" in step:
            error = _run(shell, step["source"], told["seconds"])
            if error:
                errors[step["number"]] = _words(error)
        else:
            _apart(shell, step, told["seconds"], tensors, errors, folder)
    sys.stdout.flush()
    os._exit(0)  # without the threads that a cell may have started


def _run(shell: Shell, source: str, seconds: int) -> BaseException | None:
    """Run one cell; its error, if it had one."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(seconds)
    try:
        result = shell.run_cell(source, store_history=False)
        return result.error_before_exec or result.error_in_exec
    except BaseException as escaped:
        return escaped
    finally:
        signal.alarm(0)


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TooLong("it took too long")


def _apart(
    shell: Shell,
    step: dict,
    seconds: int,
    tensors: dict[str, Tensor],
    errors: dict[str, list[str]],
    folder: Path,
) -> None:
    """Call the function of one exercise on all its cases, in a process of its own."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)
    outputs: dict[str, Tensor] = {}
    told: dict[str, Any] = {"defined": step["function"] in shell.user_ns, "errors": errors, "calls": []}
    if told["defined"]:
        function = shell.user_ns[step["function"]]
        driven = partial(MACHINES[step["machine"]], function) if step["machine"] else function
        with isolated(), shell.builtin_trap, shell.display_trap:
            told["calls"] = [
                _called(function, driven, wire.unpack(case, tensors), outputs) for case in step["cases"]
            ]
    told["asked"] = list(missing.asked)
    place = folder / step["exercise"]
    place.with_suffix(".part").write_bytes(wire.join(told, outputs))
    os.replace(place.with_suffix(".part"), place)
    os._exit(0)


def _called(function: Any, driven: Any, args: Any, outputs: dict[str, Tensor]) -> dict[str, Any]:
    """One call as data: the value, or the error with the student's line; and how many samples each toy was shown, in how many calls.

    driven: the function, or what calls it.
    """
    outcome = call(driven, args)
    told: dict[str, Any] = {
        "evaluated": {str(i): [n, len(outcome.shown[i])] for i, n in outcome.evaluated.items()}
    }
    if outcome.error is not None:
        return told | {"error": [*_words(outcome.error), blamed_line(outcome.error, function)[:LONGEST]]}
    try:
        return told | {"value": wire.pack(outcome.value, outputs)}
    except Exception as error:  # a returned object may pretend to be a tensor and raise anything
        return told | {"error": [*_words(error), ""]}


def _words(error: BaseException) -> list[str]:
    """An error's name and message; it may be of a class that cannot say any."""
    try:
        message = str(error)
    except Exception:
        message = ""
    return [type(error).__name__[:LONGEST], message[:LONGEST]]


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
