"""Submissions of chapter 01 of every kind that grading must survive, each with the points and the remark it must get.

Each kind is a student of that name. Three answers of chapter 01 are short, so a kind is the few lines in which it differs; the
other exercises stay as they were handed out.
"""

import io
import json
import os
import zipfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import jupytext

from diffusion_course.classroom import handout

ROOT = Path(__file__).parents[3]
NAME = "01_forward_process.ipynb"
ALPHA_BAR, DIFFUSE, SNR = "01-alpha_bar_from_betas", "01-diffuse", "01-snr"
RIGHT = {
    ALPHA_BAR: "def alpha_bar_from_betas(betas):\n    return torch.cumprod(1 - betas, dim=0)",
    DIFFUSE: (
        "def diffuse(x0, t, eps, alpha_bar):\n    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))\n"
        "    return a.sqrt() * x0 + (1 - a).sqrt() * eps"
    ),
    SNR: "def snr(alpha_bar):\n    return alpha_bar / (1 - alpha_bar)",
}
WRONG = "def snr(alpha_bar):\n    return 1 / alpha_bar"
CHAPTERS = sorted({exercise[:2] for exercise in handout.known()})


def solutions(number: str) -> dict[str, str]:
    """The course's own answers to a chapter: exercise -> source."""
    (path,) = (ROOT / "solutions").glob(f"{number}_*.py")
    return {found[1]: c.source for c in jupytext.read(path).cells if (found := handout.MARK.match(c.source))}


@dataclass(frozen=True)
class Kind:
    """files: name below the student's folder -> content, or what makes the file. points: of 7. flag: a pattern, "" for none.

    hint: a pattern that the hint of `wrong`, the one exercise without points, must match.
    """

    files: dict[str, bytes | Callable[[Path], None]]
    points: int
    flag: str = ""
    hint: str = ""
    wrong: str = SNR


def notebook(**changes: str) -> dict:
    """The student notebook of chapter 01, its exercises of 7 points solved, with other answers: `snr="..."`."""
    made = json.loads((handout.folder() / NAME).read_text(encoding="utf-8"))
    answers = {e: changes.get(e[3:], source) for e, source in RIGHT.items()}
    for cell in made["cells"]:
        exercise = cell["metadata"].get("course", {}).get("id")
        if exercise:
            handed_out = "".join(cell["source"])
            solved = f"# EXERCISE {exercise} (keep this line)\n{answers.get(exercise)}"
            cell["source"] = solved if exercise in answers else handed_out
    return made


def file(made: object) -> dict[str, bytes | Callable[[Path], None]]:
    return {NAME: json.dumps(made).encode()}


def snr(body: str, points: int, flag: str = "", hint: str = "") -> Kind:
    """A kind that differs in the whole cell of `snr`."""
    return Kind(file(notebook(snr=body)), points, flag, hint)


def first(body: str, points: int, flag: str, hint: str = "") -> Kind:
    """A wrong `snr`, and before the first right answer some code that means to make it pass."""
    return Kind(
        file(notebook(alpha_bar_from_betas=f"{body}\n{RIGHT[ALPHA_BAR]}", snr=WRONG)), points, flag, hint
    )


def call(line: str) -> str:
    """A right `snr` that first does something else."""
    return f"def snr(alpha_bar):\n    {line}\n    return alpha_bar / (1 - alpha_bar)"


def edited(change: Callable[[dict], object], **changes: str) -> dict[str, bytes | Callable[[Path], None]]:
    made = notebook(**changes)
    return file(change(made) or made)


def _cells(made: dict, wanted: Callable[[dict], bool]) -> dict:
    return made | {"cells": [cell for cell in made["cells"] if wanted(cell)]}


def _is(exercise: str) -> Callable[[dict], bool]:
    return lambda cell: cell["metadata"].get("course", {}).get("id") == exercise


def _check(cell: dict) -> bool:
    return "check" in cell["metadata"].get("tags", [])


def _outputs(made: dict) -> None:
    for cell in filter(_check, made["cells"]):
        text = "01-snr: correct, 2 points\n"
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": text}]
        cell["execution_count"] = 1


def _checks_print(made: dict) -> None:
    for cell in filter(_check, made["cells"]):
        cell["source"] = "print('01-snr: correct, 2 points')"


def _twice(made: dict) -> dict:
    again = deepcopy(next(filter(_is(SNR), made["cells"])))
    again["source"] = f"# EXERCISE {SNR} (keep this line)\n{RIGHT[SNR]}"
    return made | {"cells": [*made["cells"], again]}


def _by_colab(made: dict) -> dict:
    bare = ("cell_type", "source", "outputs", "execution_count")
    cells = [{k: v for k, v in c.items() if k in bare} | {"metadata": {}} for c in made["cells"]]
    return {"cells": cells, "metadata": {"colab": {}}, "nbformat": 4, "nbformat_minor": 0}


def _format_3(made: dict) -> dict:
    cells = [
        {
            "cell_type": c["cell_type"],
            "metadata": {},
            "input" if c["cell_type"] == "code" else "source": c["source"],
        }
        for c in made["cells"]
    ]
    return {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {},
        "worksheets": [{"cells": cells, "metadata": {}}],
    }


def _tagged(made: dict) -> None:
    for cell in made["cells"]:
        if _is(SNR)(cell) or _check(cell):
            cell["metadata"]["tags"] = ["raises-exception", "nbval-skip", "skip-execution"]


def _zip(name: str, content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(name, content)
    return made.getvalue()


def _sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 200_000_000)


PATCHED_CHECK = """\
POINTS = {"01-alpha_bar_from_betas": 2, "01-diffuse": 3, "01-snr": 2}
def check(exercise, *_, **__):
    print(f"{exercise}: correct, {POINTS[exercise]} points")"""
NEXT = """\
import builtins, sys
_next = next
def _first(values, *default):
    lied_to = sys._getframe(1).f_globals["__name__"].endswith("checks.engine")
    return default[0] if default and lied_to else _next(values, *default)
builtins.next = _first"""
TRANSFORMER = """\
import ast
class Replace(ast.NodeTransformer):
    def visit_Call(self, node):
        self.generic_visit(node)
        if getattr(node.func, "id", "") == "check" and getattr(node.args[1], "id", "") == "snr":
            return ast.parse("print('01-snr: correct, 2 points')", mode="eval").body
        return node
get_ipython().ast_transformers.append(Replace())"""
ONE_PASSES = """\
import sys
_checks = sys.modules["diffusion_course.classroom.checks"]
_examine = _checks.examine
_checks.examine = lambda c, f, *a: None if f.__name__ == "snr" else _examine(c, f, *a)"""
FILL = """\
import glob
for n in range(10_000):
    with open(f"{glob.glob('/tmp/dc-*/**/s', recursive=True)[0]}/{n}", "wb") as file:
        file.write(bytes(10**7))
"""
LEFTOVER = """\
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)  # dc-leftover"])
    os._exit(0)
os.wait()
"""
REMOUNT = """\
import ctypes, sys
for _place in (sys.prefix, sys.base_prefix, "/usr", "/"):
    ctypes.CDLL(None).mount(None, _place.encode(), None, 32 | 4096, None)
    try:
        open(f"{_place}/dc-pwned", "w").write("x")
    except OSError:
        pass"""
SHARED = """\
import mmap
_memory = mmap.mmap(-1, 1_700_000_000)
for _i in range(0, 1_700_000_000, 4096):
    _memory[_i] = 1"""
DEEP = """\
import os, time
os.chdir([row.split()[1] for row in open("/proc/mounts") if row.split()[1].endswith("/s")][0])
for _ in range(985):
    os.mkdir("d")
    os.chdir("d")
time.sleep(5)"""
UNUSUAL = "unusual code: imports "
TAMPERED = "the check accepts a wrong function"


def kinds(place: Path, port: int = 9) -> dict[str, Kind]:
    """Every kind by name. place: the folder of the submissions. port: where something may listen on this machine."""
    outside = [str(ROOT / "pwned"), str(place / "pwned"), "/tmp/dc-pwned", "/etc/dc-pwned"]
    write = f"for p in {outside}:\n        try:\n            open(p, 'w').write('x')\n        except OSError:\n            pass"
    solution = f"open({str(ROOT / 'solutions' / '01_forward_process.py')!r}).read()"
    others = f"[p.read_text() for p in __import__('pathlib').Path({str(place)!r}).rglob('*.ipynb')][0]"
    reference = "from diffusion_course.classroom.checks import CHECKS\ndef snr(ab):\n    "
    unseen = "sys.setprofile(None)\n    return CHECKS['01-snr'].reference(ab)"
    return more() | {
        # what students do
        "correct": Kind(file(notebook()), 7),
        "partly-right": snr(WRONG, 5, hint="Look at|This looks like"),
        "nothing-done": Kind({NAME: (handout.folder() / NAME).read_bytes()}, 0),
        "another-formula": snr("def snr(ab):\n    return torch.exp(torch.logit(ab))", 7),
        "slow": snr(call("import time; time.sleep(0.05)"), 7, UNUSUAL + "time"),
        "syntax-error": snr(
            "def snr(alpha_bar:\n    return alpha_bar", 5, hint=r"SyntaxError: .* \(line \d+ of the cell\)"
        ),
        "null-byte": snr("def snr(ab):\n    return '\x00'", 5),
        "helper-elsewhere": snr(
            "def snr(ab):\n    return my_ratio(ab)", 5, hint="NameError(.|\n)*No cell .* defines my_ratio"
        ),
        "float64": Kind(
            file(notebook(alpha_bar_from_betas=RIGHT[ALPHA_BAR].replace("1 - betas", "1 - betas.double()"))),
            5,
            hint="dtype float64",
            wrong=ALPHA_BAR,
        ),
        "float64-inside": snr("def snr(ab):\n    d = ab.double()\n    return (d / (1 - d)).to(ab)", 7),
        "on-cuda": snr(
            "def snr(ab):\n    ab = ab.cuda()\n    return ab / (1 - ab)", 5, "asks for a GPU", "CUDA|NVIDIA"
        ),
        "cuda-if-any": snr(
            call("alpha_bar = alpha_bar.to('cuda' if torch.cuda.is_available() else 'cpu')"), 7
        ),
        # what editors and front ends do
        "deleted-cell": Kind(
            edited(lambda n: _cells(n, lambda c: not _is(SNR)(c))), 5, hint="no cell that begins"
        ),
        "duplicated-cell": Kind(edited(_twice, snr=WRONG), 7, "more than once"),
        "reordered": Kind(edited(lambda n: n | {"cells": n["cells"][::-1]}), 7),
        "checks-deleted": Kind(edited(lambda n: _cells(n, lambda c: not _check(c))), 7),
        "by-colab": Kind(edited(_by_colab), 7),
        "format-3": Kind(edited(_format_3), 7, "format 3"),
        "format-4.0": Kind(edited(lambda n: _by_colab(n) | {"metadata": {}}), 7),
        "other-kernel": Kind(edited(lambda n: n["metadata"].update(kernelspec={"name": "evil"})), 7),
        # files that are no submissions
        "empty-file": Kind({NAME: b""}, 0, "empty"),
        "cut-short": Kind({NAME: json.dumps(notebook()).encode()[:5000]}, 0, "not JSON"),
        "not-utf8": Kind({NAME: b"\xff\xfe\x00{"}, 0, "not UTF-8"),
        "not-a-notebook": Kind({NAME: b"[1, 2]"}, 0, "no notebook"),
        "200-MB": Kind({NAME: _sparse}, 0, "200 MB"),
        "a-link": Kind({NAME: lambda path: path.symlink_to("/etc/passwd")}, 0, "link"),
        "zip-slip": Kind(
            {"work.zip": _zip("../../evil.ipynb", json.dumps(notebook()).encode())},
            0,
            "leads out of its folder",
        ),
        "no-exercises": Kind(
            {"00_start_here.ipynb": (handout.folder() / "00_start_here.ipynb").read_bytes()}, 0, "EXERCISE"
        ),
        "wrong-chapter": Kind({"03_epsilon_loss.ipynb": json.dumps(notebook()).encode()}, 7, "01"),
        "two-files": Kind(
            {"01_a.ipynb": file(notebook(snr=WRONG))[NAME], "01_b.ipynb": file(notebook())[NAME]},
            7,
            "better one",
        ),
        # lies about the result
        "stored-outputs": Kind(edited(_outputs, snr=WRONG), 5),
        "checks-changed": Kind(edited(_checks_print, snr=WRONG), 5),
        "nbval-skip": snr(f"# NBVAL_SKIP\n# NBVAL_RAISES_EXCEPTION\n{WRONG}", 5),
        "tags": Kind(edited(_tagged, snr=WRONG), 5),
        "prints-the-line": snr(f"{WRONG}\nprint('01-snr: correct, 2 points')", 5),
        "check-patched": first(PATCHED_CHECK, 0, TAMPERED),
        "torch-patched": first(
            "torch.allclose = lambda *_, **__: True\ntorch.isclose = lambda a, *_, **__: torch.ones_like(a, dtype=torch.bool)",
            0,
            TAMPERED,
        ),
        "builtins-patched": first(NEXT, 0, TAMPERED),
        "modules-patched": first(
            "import sys\nsys.modules['diffusion_course.classroom.checks'].examine = lambda *_: None",
            0,
            TAMPERED,
        ),
        "one-passes": first(ONE_PASSES, 5, "right in the notebook, but by itself"),
        "ast-transformer": first(
            TRANSFORMER,
            5,
            UNUSUAL + "ast",
        ),
        "atexit": snr(
            f"import atexit\natexit.register(print, '01-snr: correct')\n{WRONG}", 5, UNUSUAL + "atexit"
        ),
        "the-reference": snr(
            f"{reference}return CHECKS['01-snr'].reference(ab)", 7, "calls the course's own function"
        ),
        "the-reference-unseen": snr(f"import sys\n{reference}{unseen}", 7, r"\.setprofile"),
        # ends of the interpreter
        "os-exit": snr(call("import os; os._exit(0)"), 5, "ended Python"),
        "sys-exit": snr(call("import sys; sys.exit()"), 5, UNUSUAL + "sys"),
        "kernel-killed": snr(f"import os\nos.kill(os.getpid(), 9)\n{RIGHT[SNR]}", 5, "ended Python"),
        "endless-loop": snr("def snr(ab):\n    while True:\n        pass", 5, "took longer"),
        "endless-output": snr(
            "def snr(ab):\n    return ab / (1 - ab)\nwhile True:\n    print('x' * 1000)", 5, "printed more"
        ),
        "fork-bomb": snr(
            "import os\nwhile True:\n    os.fork()", 5, "processes|ended Python|BlockingIOError|imports os"
        ),
        "100-GB": snr(call("torch.empty(25_000_000_000)"), 5, hint="memory|alloc"),
        "memory-grows": snr(
            call("x = [bytearray(10**7) for _ in range(10**5)]"), 5, hint="MemoryError|ended Python"
        ),
        "disk-grows": snr(
            "import os\nwith open(os.path.expanduser('~/x'), 'wb') as f:\n    while True:\n        f.write(bytes(10**7))",
            5,
            UNUSUAL + "os",
        ),
        "shared-folder-grows": snr(FILL, 5, "wrote more than"),
        "deep-folders": snr(DEEP, 5, "wrote more than"),
        "memory-shared": snr(SHARED, 5, "used more than"),
        "remounts": snr(f"{REMOUNT}\n{RIGHT[SNR]}", 7, UNUSUAL + "ctypes"),
        "thread-lives-on": snr(
            f"import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n{RIGHT[SNR]}",
            7,
            UNUSUAL + "threading",
        ),
        "process-lives-on": snr(LEFTOVER + RIGHT[SNR], 7, UNUSUAL + "os"),
        "asks": snr(call("input()"), 5, "uses input"),
        # out of the sandbox
        "reads-solutions": snr(f"text = {solution}\n{RIGHT[SNR]}", 5, "uses open", "No such file"),
        "reads-others": snr(f"text = {others}\n{RIGHT[SNR]}", 5, "__import__", "IndexError"),
        "network": snr(
            f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)\n{RIGHT[SNR]}",
            5,
            UNUSUAL + "socket",
        ),
        "writes-outside": snr(call(write), 7, "uses open"),
    }


def more() -> dict[str, Kind]:
    """Answers that are copied or lie, and notebooks that are right and untidy in many ways at once."""
    import cheats
    import untidy

    return cheats.KINDS | {name: Kind(files, 7) for name, files in untidy.MANY.items()}


def plant(place: Path, name: str, kind: Kind) -> None:
    """Write a kind's files below place/name."""
    for file_name, content in kind.files.items():
        path = place / name / file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(path)
        else:
            path.write_bytes(content)
