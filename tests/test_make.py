"""The Makefile and the script that makes .venv, with stand-ins for Python and pip: which environment is kept, what is said."""

import os
import platform
import shutil
import subprocess
import sys
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
    for name in (
        "Makefile",
        "pyproject.toml",
        "tools/bubblewrap.sh",
        "tools/torch_build.py",
        "tools/venv.sh",
    ):
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


# ---- tools/torch_build.py: CPU builds, where there is no GPU

# Answers as a pip would whose index has these versions, and writes down what it shall install.
PIP = """#!/bin/sh
case "$*" in
    *"index versions torchvision"*) echo "Available versions: {vision}" ;;
    *"index versions torch"*) echo "Available versions: {torch}" ;;
    *install*) echo "$*" >>"$0.installed" ;;
esac
"""


@pytest.fixture
def index(checkout, monkeypatch):
    """index(torch, vision): an environment whose pip knows these versions, on a Linux without a GPU."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("the offer is for Linux on x86_64")
    monkeypatch.setenv("PATH", str(checkout.parent / "bin"))  # no nvidia-smi
    monkeypatch.delenv("TORCH", raising=False)
    (checkout / ".venv" / "bin").mkdir(parents=True)

    def made(torch="2.15.0, 2.14.0, 2.13.0+cpu, 2.13.0", vision="0.30.0, 0.28.1+cpu, 0.28.0+cpu"):
        return script(checkout / ".venv" / "bin" / "python", PIP.format(torch=torch, vision=vision))

    return made


def offer(checkout, keys=None, **environment):
    """What torch_build.py says, and what pip was told to install. keys: typed on a terminal; None: there is no terminal."""
    command = [sys.executable, "tools/torch_build.py", ".venv"]
    typed, terminal = os.openpty()
    os.write(typed, (keys or "").encode())
    done = subprocess.run(
        command,
        cwd=checkout,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL if keys is None else terminal,
        capture_output=True,
        text=True,
        timeout=60,
    )
    os.close(typed), os.close(terminal)
    assert done.returncode == 0, done.stderr
    told = checkout / ".venv/bin/python.installed"
    return done.stdout, told.read_text().split()[3:] if told.exists() else []


CPU = ["torch==2.13.0+cpu", "torchvision==0.28.1+cpu"]


@pytest.mark.parametrize(("keys", "installed"), [("\n", CPU), ("y\n", CPU), ("n\n", []), ("No\n", [])])
def test_the_cpu_builds_are_offered_once(checkout, index, keys, installed):
    index()
    said, told = offer(checkout, keys)
    assert "about 3.3 GB" in said
    assert "[Y/n]" in said
    assert told == installed
    assert "[Y/n]" not in offer(checkout, "")[0]  # cut short, and started again: the answer is known


def test_without_a_terminal_nothing_is_asked(checkout, index):
    index()
    said, told = offer(checkout)
    assert said.endswith("3 GB less.\n")
    assert "TORCH=cpu" in said
    assert not told
    assert offer(checkout, TORCH="cpu")[1] == CPU


def test_torch_without_its_torchvision_is_not_offered(checkout, index):
    index(vision="0.30.0, 0.28.1, 0.27.0+cpu")  # it would not load
    said, told = offer(checkout, "y\n")
    assert "[Y/n]" not in said
    assert "no CPU builds" in said
    assert not told


def test_with_a_gpu_nothing_is_offered(checkout, index):
    index()
    script(checkout.parent / "bin" / "nvidia-smi", "#!/bin/sh\necho 'GPU 0: NVIDIA H100 (UUID: GPU-1)'\n")
    said, told = offer(checkout, "y\n")
    assert said.count("\n") == 1
    assert "3.3 GB" in said
    assert not told


def test_where_torch_is_installed_nothing_is_said(checkout, index):
    index()
    package = checkout / ".venv/lib/python3.12/site-packages/torch"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    assert offer(checkout, "y\n") == ("", [])


def test_help_lists_the_commands(checkout):
    done = run(checkout, "make")
    for command in ("lab", "test", "build", "clean", "help"):
        assert f"  make {command}\t" in done.stdout
