"""Unusual code is named; the course's own solutions hold none."""

import pytest
from planted import CHAPTERS, solutions

from diffusion_course.classroom.grading.audit import remarks


@pytest.mark.parametrize("number", CHAPTERS)
def test_the_solutions_hold_nothing_unusual(number):
    assert {e: remarks(source) for e, source in solutions(number).items() if remarks(source)} == {}


@pytest.mark.parametrize(
    ("source", "remark"),
    [
        ("import os", "imports os"),
        ("import os.path as p, math", "imports os.path"),
        ("from sys import modules", "imports from sys"),
        ("from diffusion_course import classroom", "imports classroom"),
        ("import diffusion_course.classroom.checks as c", "imports diffusion_course.classroom.checks"),
        (
            "from diffusion_course.classroom.checks import CHECKS",
            "imports from diffusion_course.classroom.checks",
        ),
        ("from . import x", "imports from None"),
        ("exec('x')", "uses exec"),
        ("f = open", "uses open"),
        ("torch.isclose = f", "assigns to torch.isclose"),
        ("def f(x):\n    torch.isclose = x", "assigns to torch.isclose"),
        ("check = print", "assigns to check"),
        ("def check(*a): ...", "defines check"),
        ("f.__code__ = g.__code__", "uses .__code__"),
        ("().__class__.__subclasses__()", "uses .__subclasses__"),
        ("torch.load('x')", "uses .load"),
        ("sys.setprofile(None)", "uses .setprofile"),
        ("get_ipython().x", "uses get_ipython"),
        ("ip = get_ipython()", "uses get_ipython"),
        ("  import os\n  x = 1", "imports os"),
        ("%time 1\nimport os", "imports os"),
        ("%%time\nimport os", "imports os"),
        ("import sys\nsys._getframe()", "uses ._getframe"),
    ],
)
def test_unusual_code_is_named(source, remark):
    assert remark in remarks(source)


@pytest.mark.parametrize(
    "source",
    [
        "import math, torch\nimport torch.nn.functional as F\nfrom functools import lru_cache",
        "from diffusion_course.classroom import check, check_all",
        "import diffusion_course as dc\ndc.NoiseSchedule.from_betas(b)",
        "def f(x, input):\n    compile = input\n    return compile",
        "class A:\n    def __init__(self):\n        self.x = 1\na = A()\na.x = 2\nprint(a.__class__.__name__)",
        "x.data.mul_(2)",
        "%matplotlib inline\n!echo x\nx?\ny = !ls",
        "colab = 'google.colab' in str(get_ipython())",
        "torch.stack([x])",
        "this is not Python",
        "\x00",
    ],
)
def test_usual_code_is_not(source):
    assert remarks(source) == ()


def test_each_remark_comes_once():
    assert remarks("import os\nimport os\nos.x = 1", "import os") == ("imports os", "assigns to os.x")
