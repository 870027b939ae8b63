"""What a cell defines and reads, whatever IPython lets stand in it."""

import pytest

from diffusion_course.classroom.grading import scope


@pytest.mark.parametrize(
    ("source", "defined", "wanted"),
    [
        ("a = b\nb = 1", {"a", "b"}, {"b"}),
        ("b = 1\na = b", {"a", "b"}, set()),
        ("x = x + 1", {"x"}, {"x"}),
        ("def f(x):\n    return g(x)\ng = 2", {"f", "g"}, set()),
        ("for i in r:\n    s.append(i)", {"i"}, {"r", "s"}),
        ("import a.b as c\nfrom d import e", {"c", "e"}, set()),
        ("%time f(x)", set(), {"get_ipython"}),
        ("%%time\na = b", {"a"}, {"b"}),
        ("# EXERCISE 01-snr (keep this line)\n%%time\na = b", {"a"}, {"b"}),
        ("%%bash\na = b", set(), set()),
        ("await f()", set(), {"f"}),
        ("  a = b\n  c = a", {"a", "c"}, {"b"}),
        ("def snr(a:\n    return a\nb = 1", {"snr", "b"}, set()),
        ("this is no python\n\x00", set(), set()),
        ("torch.isclose = f", set(), {"torch", "f"}),
    ],
)
def test_a_scope(source, defined, wanted):
    found = scope.scope(source)
    assert (set(found.defined), set(found.wanted)) == (defined, wanted)


def test_what_is_changed_in_place_is_provided():
    assert scope.scope("x[0] = 1\ny.mul_(2)\nz.a.b = 1").provided == {"x", "y", "z"}


def test_statements_are_taken_one_by_one_and_keep_their_decorators():
    source = "import math, os\n%matplotlib inline\n@f\ndef g():\n    return 1"
    assert [s.split("\n")[0] for s in scope.statements(source)] == [
        "import math",
        "import os",
        "get_ipython().run_line_magic('matplotlib', 'inline')",
        "@f",
    ]


@pytest.mark.parametrize(
    ("source", "goes_on"),
    [
        ("f = jit(f)", True),
        ("f = lambda x: f(x)", True),
        ("f = g", False),
        ("def f():\n    return f()", False),
        ("def f(): ...\nf = jit(f)", False),
        ("g = f", False),
    ],
)
def test_what_goes_on_with_a_function(source, goes_on):
    assert scope.continues(source, "f") is goes_on
