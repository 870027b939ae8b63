"""What is installed: the wheel's contents, environment.yml, and an install on Colab that moves nothing."""

import ast
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from uv import find_uv_bin

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]

COLAB = {  # the course must live with them, and moves to newer ones with Colab
    pin.name: str(pin.specifier).removeprefix("==")
    for line in (ROOT / "tools/colab.txt").read_text().splitlines()
    if not line.startswith("#")
    for pin in [Requirement(line)]
}


def requirements(*groups: str) -> dict[str, Requirement]:
    lines = [*PROJECT["dependencies"], *(line for group in groups for line in EXTRAS[group])]
    return {requirement.name: requirement for requirement in map(Requirement, lines)}


# ---- environment.yml


def test_environment_names_the_versions_of_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert f"python{PROJECT['requires-python']}" in conda
    assert "pip" in conda
    named = [line for line in pip["pip"] if not line.startswith("-e")]
    ours = requirements("lab", "eval")
    for line in named:
        requirement = Requirement(line)
        assert requirement.specifier == ours[requirement.name].specifier, line
    wanted = {"jupyterlab", "torch", "torchvision", "matplotlib", "ipywidgets", "nbval", "pytorch-fid"}
    assert {Requirement(line).name for line in named} == wanted
    assert "-e .[lab,eval]" in pip["pip"]


# ---- pyproject.toml


@pytest.mark.parametrize("name", COLAB)
def test_specifiers_admit_colab(name):
    ours = requirements("lab", "eval").get(name)
    assert ours is None or ours.specifier.contains(COLAB[name])


def test_one_package_has_one_specifier():
    lines = [*PROJECT["dependencies"], *(line for group in EXTRAS.values() for line in group)]
    specifiers: dict[str, str] = {}
    for requirement in map(Requirement, lines):
        assert specifiers.setdefault(requirement.name, str(requirement.specifier)) == str(
            requirement.specifier
        )


def test_version_is_written_the_same_twice():
    import diffusion_course

    assert diffusion_course.__version__ == PROJECT["version"]


def test_repository_address_is_written_once(tracked):
    address = PROJECT["urls"]["Repository"]
    generated = ("notebooks/", "solutions/")
    holders = [
        n
        for n in tracked
        if n.endswith((".py", ".toml", ".yml", "Makefile")) and address in (ROOT / n).read_text()
    ]
    assert [name for name in holders if not name.startswith(generated)] == ["pyproject.toml"]


# ---- the wheel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """A wheel built from the tree, with the build backend that is installed here."""
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(target.glob("*.whl"))


def test_wheel_holds_all_that_the_notebooks_need(wheel, tracked):
    held = set(zipfile.ZipFile(wheel).namelist())
    package = {name for name in tracked if name.startswith("diffusion_course/")}
    notebooks = {
        name.replace("notebooks/", "diffusion_course/_notebooks/", 1)
        for name in tracked
        if name.startswith("notebooks/")
    }
    assert package
    assert package | notebooks <= held
    metadata = "diffusion_course-" + PROJECT["version"] + ".dist-info/"
    strays = {name for name in held - package - notebooks if not name.startswith(metadata)}
    assert not {name for name in strays if not _untracked_but_wanted(name)}


def _untracked_but_wanted(name: str) -> bool:
    """A file that is new and not yet committed; what git ignores has no place in a wheel."""
    source = name.replace("diffusion_course/_notebooks/", "notebooks/", 1)
    return subprocess.run(["git", "check-ignore", "-q", source], cwd=ROOT).returncode == 1


def test_wheel_works_without_the_checkout(wheel, tmp_path):
    """Unpacked into a folder of its own, the package imports, finds its weights, configs and notebooks."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = """
import sys
from pathlib import Path
import diffusion_course, diffusion_course.cli
from diffusion_course.classroom import editions
from diffusion_course.experiments import zoo
home = Path(diffusion_course.__file__).parent
assert home.parent == Path.cwd(), home
assert editions.repository().startswith("https://"), editions.repository()
assert all((home / "weights" / f"{name}.safetensors").exists() for name in zoo.cards())
print(len(zoo.cards()), diffusion_course.commands.reading.notebooks(Path("copies")))
"""
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (tmp_path / "copies").iterdir()}
    assert names == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}


# ---- Colab


def pip_would_install(*arguments: str | Path, before: tuple[str | Path, ...] = ()) -> dict[str, str]:
    """Name -> version of all that pip would install. before: pip's own options."""
    command = [
        sys.executable,
        "-m",
        "pip",
        *before,
        "install",
        "--dry-run",
        "--quiet",
        "--report",
        "-",
        *arguments,
    ]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return {
        item["metadata"]["name"].lower(): item["metadata"]["version"]
        for item in json.loads(done.stdout)["install"]
    }


@pytest.fixture(scope="session")
def index():
    """The package index, or a skip where it cannot be reached."""
    probe = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--ignore-installed",
        "--no-deps",
        "packaging",
    ]
    if subprocess.run(probe, capture_output=True, timeout=300).returncode:
        pytest.skip("the package index cannot be reached")


def pip_settings() -> dict[str, str]:
    """Option -> value, from pip's environment, which rules, and its files."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    settings: dict[str, str] = {}
    for key, _, value in (
        line.partition("=") for line in listed.stdout.splitlines()
    ):  # the environment first
        settings.setdefault(key.rpartition(".")[2], ast.literal_eval(value))
    return settings


def uv(*arguments: str | Path) -> str:
    """What uv prints. It reads neither pip's files nor its environment, and is told pip's index."""
    settings = pip_settings()
    # pip takes the best version that any of its indexes has.
    command = [find_uv_bin(), *map(str, arguments), "--index-strategy=unsafe-best-match"]
    for name, option in {
        "index-url": "--default-index",
        "extra-index-url": "--index",
        "find-links": "--find-links",
        "trusted-host": "--allow-insecure-host",
    }.items():
        command += [part for value in settings.get(name, "").split() for part in (option, value)]
    environment = os.environ | {"UV_NO_CONFIG": "1"}
    if "cert" in settings:
        environment["SSL_CERT_FILE"] = settings["cert"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.network
def test_colab_can_keep_its_versions(index, wheel, tmp_path):
    """On Python 3.13 and Linux there is a solution with exactly Colab's torch, numpy and the rest.

    Found by uv, in a second; pip downloads wheels to read what they need, and took two minutes of a processor.
    """
    pins, wanted = tmp_path / "colab.txt", tmp_path / "wanted.txt"
    pins.write_text("".join(f"{name}=={version}\n" for name, version in COLAB.items()))
    wanted.write_text(f"diffusion-course[lab] @ {wheel.as_uri()}\n")
    platform = ["--python-version=3.13", "--python-platform=x86_64-manylinux_2_35", "--only-binary=:all:"]
    told = uv("pip", "compile", wanted, "-c", pins, *platform, "--no-header", "--no-annotate")
    found = dict(line.split("==") for line in told.splitlines() if "==" in line)
    assert {name: found.get(name) for name in COLAB} == COLAB


@pytest.fixture(scope="session")
def colab(tmp_path_factory) -> Path:
    """A Python whose environment holds Colab's versions, as far as pip can tell."""
    environment = tmp_path_factory.mktemp("colab")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, timeout=120)
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    where = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip())
    for name, version in COLAB.items():
        record = site / f"{name}-{version}.dist-info"
        record.mkdir()
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (record / "INSTALLER").write_text("pip\n")
        (record / "RECORD").write_text("")
    return python


@pytest.mark.network
@pytest.mark.parametrize("extra", ["", "[lab]"])
def test_install_on_colab_moves_nothing(index, wheel, colab, extra):
    """pip keeps what is installed only where it may: in an environment that holds Colab's versions, it must choose to.

    Everything else is taken at its newest, which is harder than on Colab, where most of it is installed, too.
    """
    found = pip_would_install(f"{wheel}{extra}", before=("--python", colab))
    assert found["diffusion-course"] == PROJECT["version"]
    assert not set(COLAB) & set(found), {name: found[name] for name in set(COLAB) & set(found)}


# ---- imports


HEAVY = {
    "torchvision",
    "matplotlib",
    "ipywidgets",
    "IPython",
    "scipy",
    "sklearn",
    "pandas",
    "mlxtend",
    "jupytext",
    "nbformat",
}


def test_the_core_imports_torch_and_nothing_else_that_is_heavy(run_python):
    code = "import sys, torch; before = set(sys.modules); from diffusion_course import *; print(*set(sys.modules) - before)"
    done = run_python("-c", code)
    assert done.returncode == 0, done.stderr
    added = {name.split(".")[0] for name in done.stdout.split()}
    assert "diffusion_course" in added
    assert not added & HEAVY


def test_importing_the_package_alone_does_not_import_torch(run_python):
    done = run_python("-c", "import sys, diffusion_course; print('torch' in sys.modules)")
    assert done.stdout == "False\n", done.stderr
