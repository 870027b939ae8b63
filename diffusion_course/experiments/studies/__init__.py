"""Studies: tables of measured results that take longer than a notebook should, each made by one command.

`diffusion-course study NAME` measures one and writes `results/NAME.json`; `load(NAME)` reads it in a notebook.
A new study is one module here that holds STUDIES, {name: Study}, and one line in MODULES.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from ...errors import unknown
from .study import RESULTS, Results, Study, run_study
from .study import load as load

MODULES: tuple[str, ...] = ("ddim", "guidance", "schedules", "solvers")


def names() -> list[str]:
    """The names of all studies."""
    return [name for module in MODULES for name in _studies(module)]


def get(name: str) -> Study:
    """The study called `name`. Raises CourseError for an unknown one."""
    for module in MODULES:
        if name in _studies(module):
            return _studies(module)[name]
    raise unknown("study", name, names())


def run(
    name: str, out: Path = RESULTS, device: str | None = None, progress: Callable | None = None
) -> Results:
    """Measure the study called `name`; see `study.run_study`."""
    return run_study(name, get(name), out, device, progress)


def _studies(module: str) -> dict[str, Study]:
    return import_module(f"{__name__}.{module}").STUDIES
