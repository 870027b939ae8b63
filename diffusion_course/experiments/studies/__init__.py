"""Studies: tables of measured results that take longer than a notebook should, each made by one command.

`diffusion-course study NAME` measures one and writes `results/NAME.json`; `load(NAME)` reads it in a notebook.
A new study is one module here that holds STUDIES, {name: Study}, and one line in MODULES. A preset is other settings of a study,
from a module of its own; its results are NAME-PRESET.json.
"""

import shlex
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ...errors import CourseError, check_known
from .lab import Lab
from .parts import part
from .study import RESULTS, Results, Study, run_study
from .study import load as load

MODULES: tuple[str, ...] = (
    *("ddim", "ddim_steps", "guidance", "schedules", "solvers"),
    *("steps", "losses", "churn", "guidance_variants", "noise_levels"),
)
PRESETS = {"paper": "paper"}  # name -> module


def names() -> list[str]:
    """The names of all studies."""
    return [name for module in MODULES for name in _studies(module)]


def get(name: str, preset: str | None = None) -> Study:
    """The study called `name`, with a preset's settings. Raises CourseError for an unknown one, and where there is no such preset."""
    check_known("study", name, names())
    if preset is None:
        return next(_studies(module)[name] for module in MODULES if name in _studies(module))
    check_known("preset", preset, PRESETS)
    known = _studies(PRESETS[preset])
    if name not in known:
        raise CourseError(f"study {name!r}: has no preset {preset!r}; those that have: {', '.join(known)}")
    return known[name]


def run(
    name: str,
    out: Path = RESULTS,
    lab: Lab | None = None,
    progress: Callable | None = None,
    say: Callable[[str], Any] = lambda line: None,
    preset: str | None = None,
    only: Sequence[str] = (),
    count: int | None = None,
) -> Results:
    """Measure the study called `name`, in a lab (default: on the CPU); see `study.run_study`.

    only, count: some of its rows, and fewer samples each, see `parts.part`. What ships is whole, so these want another folder.
    """
    study, label = get(name, preset), name if preset is None else f"{name}-{preset}"
    words = ["diffusion-course", "study", name, *(["--preset", preset] if preset else [])]
    if only or count is not None:
        if out.resolve() == RESULTS.resolve():
            raise CourseError(
                "--only and --count measure a part of a study: say where it goes, with --out FOLDER"
            )
        study = part(study, only, count)
        words += [w for one in only for w in ("--only", one)]
        words += ["--count", str(count)] if count is not None else []
    command = shlex.join(words)
    return run_study(label, study, out, lab or Lab(), progress, say, command)


def _studies(module: str) -> dict[str, Study]:
    return import_module(f"{__name__}.{module}").STUDIES
