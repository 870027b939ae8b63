"""Lines that a change of an argument reaches, as one counts them by hand."""

import pytest

from diffusion_course.classroom.desk import flow

CASES = {
    "straight": (
        "def f(a, b):\n    c = a + 1\n    d = b * 2\n    c = c + d\n    return c",
        {"a": {2, 4, 5}, "b": {3, 4, 5}},
    ),
    "taken over": ("def f(a, b):\n    c = a\n    c = b\n    return c", {"a": {2}, "b": {3, 4}}),
    "form alone": (
        "def f(a, b):\n    n = a.shape[0]\n    m = len(a)\n    z = torch.zeros_like(a)\n    return z + b * n * m",
        {"a": set(), "b": {5}},
    ),
    "in place": (
        "def f(a, b):\n    x = b.clone()\n    x.add_(a)\n    y = []\n    y.append(a)\n    return x, y",
        {"a": {3, 5, 6}, "b": {2, 3, 6}},
    ),
    "a part": (
        "def f(a, b):\n    x = [0, 0]\n    x[0] = a\n    x[b] = 1\n    return x",
        {"a": {3, 5}, "b": {4, 5}},
    ),
    "a loop": (
        "def f(a, b):\n    s = 0\n    for x in b:\n        t = s\n        s = t + a * x\n    return s",
        {"a": {4, 5, 6}, "b": {3, 4, 5, 6}},
    ),
    "more": (
        "def f(a, b):\n    s = 1\n    s += a\n    with g(b) as h:\n        u = h\n    return s * u",
        {"a": {3, 6}, "b": {4, 5, 6}},
    ),
    "a docstring": ('def f(a, b):\n    """a and b."""\n    c = b\n    return a', {"a": {4}, "b": {3}}),
    "as another": (
        "def f(a, b):\n    c = b.expand_as(a)\n    d: int = a\n    return c",
        {"a": {3}, "b": {2, 4}},
    ),
    "a branch": (
        "def f(a, b):\n    if b.ndim > 1:\n        a = a + 1\n    return a",
        {"a": {3, 4}, "b": set()},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_an_argument_reaches(name):
    source, wanted = CASES[name]
    definition = flow.function(source, "f")
    assert {argument: set(flow.reached(definition, argument)) for argument in wanted} == wanted


@pytest.mark.parametrize(
    "body",
    [
        "if a > 0:\n        return b",
        "while a:\n        a = a - 1",
        "try:\n        b = a\n    except E:\n        pass",
        "def g():\n        return a",
        "loss = a * b\n    loss.backward()\n    b.step()",
        "for g in b.groups:\n        g['lr'] = a\n    b.step()",
        "torch.nn.utils.clip_grad_norm_(b.parameters(), a)\n    b.step()",
        "x = b\n    x.add_(a)",
        "x, y = b, 0\n    x += a",
        "b[0] = a",
        "b.view(-1).mul_(a)",
        "g(a)",
    ],
)
def test_what_cannot_be_read_off_is_unclear(body):
    """Another branch, or a change of something to which other names lead: the weights, the optimiser, an argument."""
    with pytest.raises(flow.Unclear):
        flow.reached(flow.function(f"def f(a, b):\n    {body}\n    return b", "f"), "a")


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("x = b.clone().mul_(a)\n    return x", {2, 3}),
        ("x = a.detach().requires_grad_()\n    return x", {2, 3}),
        ("x = []\n    x += [a]\n    print(a)\n    return x", {3, 4, 5}),
    ],
)
def test_what_a_function_made_itself_may_change(body, lines):
    assert flow.reached(flow.function(f"def f(a, b):\n    {body}", "f"), "a") == lines


def test_the_last_definition_counts_and_what_is_no_python_has_none():
    source = "x = 1\ndef f(a):\n    return a\ndef f(b):\n    return b"
    assert flow.function(source, "f").args.args[0].arg == "b"
    for broken in ("def f(a:\n", "f = 3", "", "\x00", "%timeit\ndef f(a):\n    return a"):
        assert flow.function(broken, "f") is None


def test_lines_leave_the_docstring_out():
    assert flow.lines(flow.function(CASES["a docstring"][0], "f")) == {3, 4}
