"""The Makefile and the script that makes .venv, with stand-ins for Python and pip: which environment is kept, what is said."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(
    os.name == "nt" or not shutil.which("make"), reason="needs make and a POSIX shell"
)

# Answers as a new enough Python would, and makes an environment that holds a copy of itself.
PYTHON = """#!/bin/sh
case "$*" in
    *"-m venv"*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    *--version) echo "Python 3.12.0" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    """A folder with the build files, and a PATH on which the only Python is the stand-in."""
    (tmp_path / "bin").mkdir()
    for tool in ("cat", "cp", "make", "mkdir", "rm", "sed", "sh", "touch"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    script(tmp_path / "bin" / "python3", PYTHON)
    folder = tmp_path / "course"
    (folder / "tools").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "tools/bubblewrap.sh", "tools/venv.sh"):
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def run(checkout: Path, *command: str) -> subprocess.CompletedProcess:
    environment = {"PATH": str(checkout.parent / "bin"), "HOME": str(checkout.parent)}
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=60)


def venv(checkout: Path, python: str = "") -> subprocess.CompletedProcess:
    return run(checkout, "sh", "tools/venv.sh", ".venv", python)


def test_a_sound_environment_is_kept(checkout):
    first = venv(checkout)
    assert first.stdout == "Making .venv with Python 3.12.0 (none yet).\n"
    (checkout / ".venv" / "kept").touch()
    again = venv(checkout)
    assert (again.returncode, again.stdout) == (0, "")
    assert (checkout / ".venv" / "kept").exists()


def test_a_package_that_was_cut_short_makes_it_anew(checkout):
    venv(checkout)
    package = checkout / ".venv/lib/python3.12/site-packages/torch-2.6.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").touch()
    assert "(half installed: torch-2.6.0.dist-info)" in venv(checkout).stdout
    assert not package.exists()


def test_an_environment_without_pip_or_from_elsewhere_is_made_anew(checkout):
    venv(checkout)
    (checkout / ".venv" / "bin" / "python").unlink()
    assert "(no working pip)" in venv(checkout).stdout
    shutil.copytree(checkout, checkout.parent / "moved")
    assert "(made for another folder)" in venv(checkout.parent / "moved").stdout


def test_without_a_new_enough_python_one_line_says_what_to_do(checkout):
    script(checkout.parent / "bin" / "python3", "#!/bin/sh\nexit 1\n")
    done = venv(checkout)
    assert done.returncode == 1
    assert done.stderr == (
        "error: no Python 3.11 or newer was found: install one, or name it: make lab PYTHON=/path/to/python3.12\n"
    )
    done = venv(checkout, "python3")
    assert (done.returncode, done.stderr) == (1, "error: PYTHON=python3 is not Python 3.11 or newer\n")
    assert not (checkout / ".venv").exists()


def test_a_python_found_under_another_name_is_taken(checkout):
    bin = checkout.parent / "bin"
    (bin / "python3").rename(bin / "python3.12")
    script(bin / "python3", "#!/bin/sh\nexit 1\n")
    assert venv(checkout).returncode == 0


def test_without_the_venv_module_one_line_says_what_to_install(checkout):
    script(checkout.parent / "bin" / "python3", '#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; esac\n')
    done = venv(checkout)
    assert done.returncode == 1
    assert done.stderr.startswith("error: python3 cannot make environments: install its venv module")
    assert done.stderr.count("\n") == 1


def test_a_second_start_does_no_pip_work(checkout):
    assert "pip install -e '.[lab]'" in run(checkout, "make", "-n", "lab").stdout
    venv(checkout)
    (checkout / ".venv" / ".lab").touch()
    line = "exec .venv/bin/diffusion-course lab --no-browser --port 8899\n"
    assert run(checkout, "make", "-n", "lab", "ARGS=--no-browser --port 8899").stdout == line
    os.utime(checkout / ".venv" / ".lab", (0, 0))  # pyproject.toml is newer
    assert "pip install" in run(checkout, "make", "-n", "lab").stdout


def test_a_failed_install_leaves_no_stamp(checkout):
    script(checkout.parent / "bin" / "python3", PYTHON.replace("esac", "    *install*) exit 1 ;;\nesac"))
    assert run(checkout, "make", "lab").returncode != 0
    assert (checkout / ".venv" / "bin" / "python").exists()
    assert not (checkout / ".venv" / ".lab").exists()


def test_a_moved_environment_loses_its_stamps(checkout):
    venv(checkout)
    (checkout / ".venv" / ".lab").touch()
    shutil.copytree(checkout, checkout.parent / "moved")
    assert "pip install" in run(checkout.parent / "moved", "make", "-n", "lab").stdout


def test_help_lists_the_commands(checkout):
    done = run(checkout, "make")
    for command in ("lab", "test", "build", "clean", "help"):
        assert f"  make {command}\t" in done.stdout
