"""Answers to 01-snr that are copied from the course or lie about what they are: each is named, or gets no points.

What is called is somewhere in the package, or in its checks; how it is called is meant to escape whoever watches.
"""

from planted import Kind, file, notebook

CHECKS = "from diffusion_course.classroom.checks import CHECKS\n"
TABLE = "torch.stack([dc.NoiseSchedule.from_betas(1 - a.double().reshape(1)).snr[0] for a in alpha_bar]).to(alpha_bar)"
BY_LIBRARY = f"def snr(alpha_bar):\n    {{}}\n    return {TABLE}"
NAMED = "calls the course's own function"
DIFFERS = "right in the notebook, but by itself"
RIGHT_LINE = "alpha_bar / (1 - alpha_bar)"


def wrong_elsewhere(test: str) -> str:
    """Right where a check may be, wrong where none is."""
    return f"import sys\ndef snr(alpha_bar):\n    if {test}:\n        return {RIGHT_LINE}\n    return 1 / alpha_bar"


# name -> (the cell, points, what is told)
ANSWERS = {
    "library": (BY_LIBRARY.format("pass"), 7, NAMED),
    "library-caught": (
        f"def snr(alpha_bar):\n    try:\n        return {TABLE}\n    except Exception:\n        return alpha_bar",
        7,
        NAMED,
    ),
    "library-by-another-table": (
        BY_LIBRARY.format("pass").replace(".snr[0]", ".sigmas[0] ** -2"),
        7,
        NAMED,
    ),
    "profile-off": (
        BY_LIBRARY.format(
            "import sys, ctypes; sys.setprofile(None); ctypes.pythonapi.PyEval_SetProfile(None, None)"
        ),
        7,
        NAMED,
    ),
    "frames": (
        BY_LIBRARY.format(
            "import sys; [f.f_locals.get('watch') for f in [sys._getframe(i) for i in range(4)]]"
        ),
        7,
        NAMED,
    ),
    "thread": (
        f"import threading\ndef snr(alpha_bar):\n    out = []\n"
        f"    t = threading.Thread(target=lambda: out.append({TABLE}))\n    t.start()\n    t.join()\n    return out[0]",
        7,
        NAMED,
    ),
    "reference": (f"{CHECKS}def snr(alpha_bar):\n    return CHECKS['01-snr'].reference(alpha_bar)", 7, NAMED),
    "reference-traced": (
        f"{CHECKS}snr = torch.jit.trace(CHECKS['01-snr'].reference, torch.rand(5))",
        7,
        NAMED,
    ),
    "reference-by-fx": (
        f"{CHECKS}import torch.fx\nsnr = torch.fx.symbolic_trace(CHECKS['01-snr'].reference).forward",
        7,
        NAMED,
    ),
    "reference's-source": (
        f"{CHECKS}import inspect\nfrom torch import Tensor\nexec(inspect.getsource(CHECKS['01-snr'].reference), globals())\n"
        "def snr(alpha_bar, f=snr):\n    return f(alpha_bar)",
        7,
        NAMED,
    ),
    "mutant-mended": (
        f"{CHECKS}def snr(alpha_bar):\n    return 1 / CHECKS['01-snr'].mutants[0].function(alpha_bar)",
        7,
        NAMED,
    ),
    "modules": (
        "from diffusion_course.classroom.checks.ch01 import snr as theirs\n"
        "def snr(alpha_bar):\n    return theirs(alpha_bar)",
        5,
        DIFFERS,
    ),
    "library's-file": (
        "text = open(dc.schedules.__file__).read()\nhome = {}\nexec(text.replace('from .', 'from diffusion_course.'), home)\n"
        + BY_LIBRARY.format("pass").replace("dc.NoiseSchedule", "home['NoiseSchedule']"),
        7,
        NAMED,
    ),
    "forked": (
        f"import os, pickle\ndef snr(alpha_bar):\n    r, w = os.pipe()\n    if os.fork() == 0:\n"
        f"        try:\n            os.write(w, pickle.dumps({TABLE}.numpy()))\n        finally:\n            os._exit(0)\n"
        "    os.wait()\n    os.close(w)\n"
        "    return torch.from_numpy(pickle.loads(os.read(r, 10**6)))",
        5,
        DIFFERS,
    ),
    "only-where-checks-are": (
        wrong_elsewhere("'diffusion_course.classroom.checks.engine' in sys.modules"),
        5,
        DIFFERS,
    ),
    "only-in-a-kernel": (wrong_elsewhere("'ipykernel' in sys.modules"), 5, DIFFERS),
    "own-results": (
        f"import sys, os\ndef snr(alpha_bar):\n    if 'ipykernel' not in sys.modules:\n"
        f"        open(os.path.join(sys.argv[1], '01-snr'), 'w').write('{{}}')\n        os._exit(0)\n    return {RIGHT_LINE}",
        5,
        DIFFERS,
    ),
    "a-pipe-for-results": (
        f"import sys, os\ndef snr(alpha_bar):\n    if 'ipykernel' not in sys.modules:\n"
        f"        os.mkfifo(os.path.join(sys.argv[1], '01-snr'))\n        os._exit(0)\n    return {RIGHT_LINE}",
        5,
        DIFFERS,
    ),
}
KINDS = {
    f"cheat-{name}": Kind(file(notebook(snr=source)), points, flag)
    for name, (source, points, flag) in ANSWERS.items()
}
