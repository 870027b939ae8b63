"""Notebooks of chapter 01 whose answers are right, and untidy as people and front ends leave them. All keep their points."""

import re
from collections.abc import Callable

from planted import ALPHA_BAR, DIFFUSE, RIGHT, SNR, file, notebook

A, D, S = RIGHT[ALPHA_BAR], RIGHT[DIFFUSE], RIGHT[SNR]
HELPER = "def ratio(a):\n    return a / (1 - a)"
USES_HELPER = "def snr(alpha_bar):\n    return ratio(alpha_bar)"
IN_SNR = "def snr(alpha_bar):\n    {}\n    return alpha_bar / (1 - alpha_bar)"


def code(source: str, **more) -> dict:
    return {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "source": source,
    } | more


def around(exercise: str, before: list[str] = [], after: list[str] = [], **answers: str) -> dict:  # noqa: B006
    """A notebook with cells of the student's own before and after an exercise."""
    made = notebook(**answers)
    place = next(
        i for i, c in enumerate(made["cells"]) if c["metadata"].get("course", {}).get("id") == exercise
    )
    made["cells"][place + 1 : place + 1] = map(code, after)
    made["cells"][place:place] = map(code, before)
    return made


def below_the_stub() -> dict:
    """Every stub as it was handed out, and the answer in a new cell below it."""
    from diffusion_course.classroom import handout

    stubs = {e: x.blank for e, x in handout.exercises(handout.read("01")).items()}
    made = notebook()
    cells = []
    for cell in made["cells"]:
        exercise = cell["metadata"].get("course", {}).get("id")
        cells += [cell | {"source": stubs[exercise]}, code(RIGHT[exercise])] if exercise in RIGHT else [cell]
    return made | {"cells": cells}


def remarked(change: Callable[[str], str], keep: bool = True) -> dict:
    """The exercises' cells with their sources changed; their metadata may go."""
    made = notebook()
    for cell in made["cells"]:
        if cell["metadata"].get("course", {}).get("id") in RIGHT:
            cell["source"] = change(cell["source"])
        if not keep:
            cell["metadata"] = {}
    return made


def imports(line: str, **answers: str) -> dict:
    """A notebook whose imports, a cell of the chapter, got one more line."""
    made = notebook(**answers)
    cell = next(c for c in made["cells"] if "import diffusion_course as dc\n" in "".join(c["source"]))
    cell["source"] = "".join(cell["source"]) + "\n" + line
    return made


def without_mark(source: str) -> str:
    return source.split("\n", 1)[1]


NOTEBOOKS: dict[str, dict] = {
    # what stands beside an answer in its cell
    "print-below": notebook(diffuse=f"{D}\nprint(alpha_bar[:3], few.shape)"),
    "print-above": notebook(diffuse=f"print(few.shape, alpha_bar[0])\n{D}"),
    "plot-below": notebook(
        snr=f"{S}\nplots.curves(times, {{'SNR': snr(alpha_bar)}}, title='t', xlabel='t', ylabel='s')"
    ),
    "a-name-that-nobody-knows": notebook(snr=f"{S}\nprint(what_is_this)"),
    "check-in-the-cell": notebook(snr=f'{S}\ncheck("01-snr", snr)\ncheck_all()'),
    "time-line": notebook(snr=f"{S}\n%time snr(torch.rand(3))\n%timeit -n1 -r1 snr(torch.rand(3))"),
    "inline": notebook(
        alpha_bar_from_betas=f"%matplotlib inline\n{A}", snr=f"%load_ext autoreload\n%autoreload 2\n{S}"
    ),
    "help": notebook(snr=f"{S}\nsnr?"),
    "shell": notebook(snr=f"!echo hello\n{S}"),
    "time-cell": notebook(snr=f"%%time\n{S}", diffuse=f"%%capture\n{D}"),
    "display": notebook(snr=f"{S}\ndisplay(snr(torch.rand(3)))"),
    "display-inside": notebook(snr=IN_SNR.format("display(alpha_bar)")),
    "await": notebook(snr=f"import asyncio\nawait asyncio.sleep(0)\n{S}"),
    "plot-inside": notebook(
        snr=IN_SNR.format("import matplotlib.pyplot as plt; plt.plot(alpha_bar.detach()); plt.show()")
    ),
    "bar-inside": notebook(snr=IN_SNR.format("from tqdm.auto import tqdm; [None for _ in tqdm(range(3))]")),
    "prints-inside": notebook(snr=IN_SNR.format("print(alpha_bar)")),
    "future": notebook(
        alpha_bar_from_betas=f"from __future__ import annotations\n{A}",
        snr=f"from __future__ import annotations\n{S}",
    ),
    "jit": notebook(snr=f"@torch.jit.script\n{S}"),
    "own-source": notebook(snr=f"import inspect\n{S}\nprint(inspect.getsource(snr))"),
    "chapter's-helper": notebook(
        snr=f"{S}\nnear('mine', snr(alpha_bar) - schedule.snr + torch.randn(len(alpha_bar)), 0.0)"
    ),
    # what stands in other cells
    "helper-in-an-earlier-answer": notebook(alpha_bar_from_betas=f"{A}\n{HELPER}", snr=USES_HELPER),
    "helper-in-a-cell-above": around(SNR, [HELPER], snr=USES_HELPER),
    "helper-in-a-cell-below": around(SNR, [], [HELPER], snr=USES_HELPER),
    "constant-in-a-cell": around(
        SNR, ["ONE = 1.0"], snr="def snr(alpha_bar):\n    return alpha_bar / (ONE - alpha_bar)"
    ),
    "import-in-the-chapter's-cell": imports(
        "import numpy as np",
        snr="def snr(alpha_bar):\n    return alpha_bar / (np.float64(1).item() - alpha_bar)",
    ),
    "import-in-an-earlier-answer": notebook(
        alpha_bar_from_betas=f"import torch as T\n{A}", snr="def snr(a):\n    return T.div(a, 1 - a)"
    ),
    "split-imports": around(SNR, [f"# EXERCISE {SNR} (keep this line)\nimport math"], snr=S),
    "split-helper": around(SNR, [], [USES_HELPER], snr=HELPER),
    "wrapped-below": around(SNR, [], ["snr = torch.no_grad()(snr)"]),
    "experiments": around(
        SNR,
        ["print(few.mean())\nfor n in range(3):\n    few = few * n"],
        ["snr(undefined_name)", "1 / 0", "x ="],
    ),
    "calls-an-earlier-answer": notebook(
        snr=f"{S}\n\ndef noisy(t):\n    return diffuse(few, torch.full((4,), t), few, alpha_bar)\nnoisy(3)"
    ),
    # what became of the cell
    "below-the-stub": below_the_stub(),
    "mark-lost": remarked(without_mark),
    "mark-lost-metadata-too": remarked(without_mark, keep=False),
    "mark-in-lower-case": remarked(lambda s: s.replace("# EXERCISE", "# exercise"), keep=False),
    "mark-with-two-hashes": remarked(lambda s: f"#{s}", keep=False),
    "mark-second": remarked(lambda s: f"import torch\n{s}", keep=False),
    "below-a-title": remarked(lambda s: f"#@title My answer\n{s}", keep=False),
    "below-a-magic": remarked(lambda s: f"%%time\n{s}", keep=False),
    "blank-lines": remarked(lambda s: re.sub("\n", "\n\n", s)),
    "all-in-one": notebook(alpha_bar_from_betas=f"{A}\n\n{D}\n\n{S}", diffuse="# above", snr="# above"),
}


def many() -> dict:
    """As much of it as one notebook holds."""
    made = around(
        SNR,
        [HELPER, "print(few.mean())", "1 / 0", "import numpy as np"],
        ["snr = torch.no_grad()(snr)"],
        alpha_bar_from_betas=f"from __future__ import annotations\n%matplotlib inline\n@torch.jit.script\n{A}\nprint(T)",
        diffuse=f"print(few.shape, alpha_bar[0])\n{D}\n%timeit -n1 -r1 torch.rand(1)\ndiffuse?\nplots.curves([1], [2])",
        snr="import asyncio\nawait asyncio.sleep(0)\ndef snr(alpha_bar):\n    display(alpha_bar)\n    print(alpha_bar)\n"
        "    from tqdm.auto import tqdm\n    [None for _ in tqdm(range(3))]\n    return ratio(alpha_bar)\n!echo {T}",
    )
    for cell in made["cells"]:
        cell["metadata"] = {}
    return made


# Few, since each runs in the sandbox; test_untidy runs all of them without.
MANY = {
    "untidy-cells": file(many()),
    "untidy-below-the-stub": file(NOTEBOOKS["below-the-stub"]),
    "untidy-marks-lost": file(NOTEBOOKS["below-a-magic"]),
}
