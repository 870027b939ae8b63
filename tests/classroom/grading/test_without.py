"""The copy of the package holds no check, and not what does an exercise; all else is there."""

import subprocess
import sys

import pytest

from diffusion_course.classroom.checks import CHECKS
from diffusion_course.classroom.grading import without
from diffusion_course.classroom.grading.sandbox import PACKAGE

EVERY = without.library(CHECKS)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return without.package(EVERY, str(tmp_path_factory.mktemp("scratch")))


def test_every_function_that_is_named_is_there_to_be_taken_out():
    for name in EVERY:
        module, function = without.parted(name)
        source = (PACKAGE / f"{module.replace('.', '/')}.py").read_text()
        less = without.without(source, module, [function])
        assert less.count("\n") == source.count("\n")
        assert f"refuse('{module}.{function}')" in less
    with pytest.raises(KeyError):
        without.without("def f(): ...", "m", ["g"])


def test_a_function_in_a_folder_of_the_package_is_taken_out_of_its_own_file(copy):
    name = "experiments.metrics.kernel.kid"
    assert without.parted(name) == ("experiments.metrics.kernel", "kid")
    assert without.parted("schedules.NoiseSchedule.snr.func") == ("schedules", "NoiseSchedule.snr")
    assert f"refuse('{name}')" in (copy / "experiments/metrics/kernel.py").read_text()


def test_no_reference_and_no_mutant_is_in_it(copy):
    there = {str(p.relative_to(copy)) for p in copy.rglob("*") if p.is_file()}
    classroom = {name for name in there if name.startswith("classroom/")}
    assert classroom == {f"classroom/{name}" for name in (*without.STUBS, *without.KEPT)}
    assert not any("__pycache__" in name for name in there)
    text = "\n".join(p.read_text() for p in copy.rglob("*.py"))
    assert "Mutant(" not in text
    assert "alpha_bar / self.one_minus_alpha_bar" not in text
    assert {p.name for p in (copy / "weights").iterdir()} == {p.name for p in (PACKAGE / "weights").iterdir()}


def test_the_package_itself_is_as_it_was(copy):
    assert "refuse" not in (PACKAGE / "gaussian.py").read_text()
    assert "CHECKS = Exercises()" in (PACKAGE / "classroom" / "checks" / "__init__.py").read_text()


def test_it_is_made_once(copy):
    assert without.package(EVERY, str(copy.parents[1])) == copy
    assert len(list(copy.parents[1].iterdir())) == 1


ASK = """\
import inspect, operator, sys
from importlib import import_module
from diffusion_course.classroom import check, check_all
from diffusion_course.classroom.checks import CHECKS
from diffusion_course.classroom.grading import recheck_worker
from diffusion_course.classroom.grading.missing import Missing, asked
check("01-snr", None); check_all()
for name in sys.argv[1:]:
    module, _, inside = name.partition(":")
    function = operator.attrgetter(inside)(import_module("diffusion_course." + module))
    try:
        code = inspect.unwrap(function).__code__
        named = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        function(*[None] * code.co_argcount, **dict.fromkeys(named))
        print("answered", name)
    except Missing:
        pass
try:
    CHECKS["01-snr"].reference
except Missing:
    print(len(asked))
"""


def test_whoever_asks_is_refused_and_noted(copy):
    names = [":".join(without.parted(name)) + ".func" * name.endswith(".func") for name in sorted(EVERY)]
    done = subprocess.run(
        [sys.executable, "-P", "-c", ASK, *names],
        env={"PYTHONPATH": str(copy.parent), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.stdout, done.stderr) == (f"{len(names) + 1}\n", "")
