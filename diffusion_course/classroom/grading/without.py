"""The package as the second look sees it: without the checks, and without the functions of the course that do an exercise.

A copy on disk: what is not there can neither be called nor read, by whatever means. In the place of a function that was taken out stands
a plain error (`missing`).
"""

import ast
import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path

from ..checks import CHECKS
from .sandbox import PACKAGE

# What of the classroom is there: the toys that stand in for networks, how a function is called, by itself or by a machine, and what
# runs cells in the sandbox.
KEPT = (
    *("checks/toys.py", "checks/toy_steps.py", "checks/machines.py", "checks/call.py"),
    *(f"grading/{name}.py" for name in ("missing", "wire", "recheck_worker")),
)
STUBS = {
    "__init__.py": "from .checks import CheckFailed, NotDone, check, check_all\n",
    "checks/__init__.py": '''\
from collections.abc import Mapping

from ...errors import CourseError
from ..grading.missing import refuse


class CheckFailed(CourseError):
    pass


class NotDone(CourseError, NotImplementedError):
    pass


def check(*args, **named):
    """Nothing is checked here."""


check_all = examine = check


class _Checks(Mapping):
    def __getitem__(self, name):
        refuse("checks")

    def __iter__(self):
        refuse("checks")

    def __len__(self):
        refuse("checks")


CHECKS = TASKS = OPEN = _Checks()
''',
    "suspects.py": '''\
from .grading.missing import refuse


def line_up(name):
    """Samplers that nobody may ask: they are mutants of a check."""
    return {letter: lambda *args, **named: refuse("checks") for letter in "ABCDE"}
''',
    "grading/__init__.py": "",
}
LEFT_OUT = ("classroom", "weights", "_notebooks", "__pycache__")
# Functions that do the same work as one that `Check.library` names, under another name.
ALIASES = {
    "gaussian.diffuse": ("gaussian.marginal",),
    "schedules.NoiseSchedule.alpha_bar.func": ("transitions._Resampling.__init__",),
    "schedules.NoiseSchedule.snr.func": ("schedules.NoiseSchedule.sigmas.func",),
    "denoisers.from_eps": ("parametrisations.eps_param", "denoisers.split_variance"),
    "samplers.ddpm": ("gaussian.mean_from_eps",),
}


def library(exercises: Iterable[str]) -> frozenset[str]:
    """The functions that do the work of some exercises, e.g. "gaussian.diffuse"."""
    named = [name for exercise in exercises for name in CHECKS[exercise].library]
    return frozenset([*named, *(alias for name in named for alias in ALIASES.get(name, ()))])


def package(functions: Collection[str], scratch: str | None) -> Path:
    """A copy of the package without the checks and these functions, made once. scratch: the folder of a batch, if it is on this machine."""
    place = Path(scratch) if scratch and os.path.isdir(scratch) else _own_folder()
    name = "p" + hashlib.sha256("\n".join(sorted(functions)).encode()).hexdigest()[:12]
    whole = place / name / "diffusion_course"
    if not whole.exists():
        part = Path(tempfile.mkdtemp(prefix="part-", dir=place))
        _make(part / "diffusion_course", functions)
        part.chmod(0o755)
        try:
            part.rename(place / name)
        except OSError:  # another process was quicker
            shutil.rmtree(part)
    return whole


@cache
def _own_folder() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="dc-without-", ignore_cleanup_errors=True)
    _kept_open.append(folder)
    os.chmod(folder.name, 0o711)
    return Path(folder.name)


_kept_open: list[tempfile.TemporaryDirectory] = []


def _make(copy: Path, functions: Collection[str]) -> None:
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns(*LEFT_OUT), copy_function=_link)
    (copy / "weights").symlink_to(PACKAGE / "weights")
    modules: dict[str, list[str]] = {}
    for function in functions:
        module, name = parted(function)
        modules.setdefault(module, []).append(name)
    for module, names in modules.items():
        file = f"{module.replace('.', '/')}.py"
        _write(copy / file, without((PACKAGE / file).read_text(encoding="utf-8"), module, names))
    for name, text in STUBS.items():
        _write(copy / "classroom" / name, text)
    for name in KEPT:
        _link(PACKAGE / "classroom" / name, copy / "classroom" / name)
    for folder, _, _ in os.walk(copy):
        os.chmod(folder, 0o755)


def parted(function: str) -> tuple[str, str]:
    """A function's module, and its name there: "experiments.metrics.kernel.kid" -> ("experiments.metrics.kernel", "kid")."""
    parts = function.removesuffix(".func").split(".")
    folders = next(n for n in range(len(parts)) if not (PACKAGE / "/".join(parts[: n + 1])).is_dir())
    return ".".join(parts[: folders + 1]), ".".join(parts[folders + 1 :])


def without(source: str, module: str, names: Iterable[str]) -> str:
    """A module's source in which some functions ("diffuse", "NoiseSchedule.snr") only refuse. Raises KeyError for one it does not have."""
    lines = source.split("\n")
    tree = ast.parse(source)
    for name in names:
        body = _find(tree, name).body
        first, last = body[0], body[-1]
        assert last.end_lineno
        stand_in = f"from diffusion_course.classroom.grading.missing import refuse; return refuse({f'{module}.{name}'!r})"
        # A line stays a line, so that the numbers of the others hold.
        lines[first.lineno - 1] = lines[first.lineno - 1].encode()[: first.col_offset].decode() + stand_in
        for number in range(first.lineno, last.end_lineno):
            lines[number] = ""
    return "\n".join(lines)


def _find(tree: ast.Module, name: str) -> ast.FunctionDef:
    node: ast.Module | ast.ClassDef | ast.FunctionDef = tree
    for part in name.split("."):
        inside = [n for n in node.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == part]
        if not inside:
            raise KeyError(name)
        node = inside[0]
    assert isinstance(node, ast.FunctionDef)
    return node


def _link(source: str | Path, target: str | Path) -> None:
    """The same file, where one file system holds both; else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
        os.chmod(target, 0o644)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # it may be a link to the package's own
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
