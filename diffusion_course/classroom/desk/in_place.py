"""What code changes in place, and which names nothing else can have: read off its syntax.

`x.add_(y)` changes whatever x is, and that may have other names: of the network's weights, or of an argument.
"""

import ast
from collections.abc import Iterator

GROWS = {"append", "extend", "insert", "update"}
# Calls whose result shares its memory with nothing else.
NEW = {"zeros", "ones", "full", "empty", "tensor", "arange", "linspace", "clone", "stack", "cat"}
NEW |= {"zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like"}
NEW |= {"list", "dict", "set", "float", "int", "range"}
DISPLAYS = ast.Constant | ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp
COMPUTED = ast.BinOp | ast.UnaryOp


def made(definition: ast.FunctionDef) -> set[str]:
    """The names that the function gives to nothing but what it makes itself."""
    own: set[str] = set()
    taken = {a.arg for a in ast.walk(definition.args) if isinstance(a, ast.arg)}
    for node in ast.walk(definition):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                for name, value in _pairs(target, node.value):
                    (own if _is_new(value) else taken).add(name)
        elif isinstance(node, ast.For | ast.comprehension | ast.NamedExpr):
            taken |= stored(node.target)
        elif isinstance(node, ast.withitem) and node.optional_vars:
            taken |= stored(node.optional_vars)
    return own - taken


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Each name and what it is given: `a, b = [], x` gives a list and x."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for one, its in zip(target.elts, value.elts, strict=True):
            yield from _pairs(one, its)
    else:  # a part of something: what each name is given cannot be told
        given = value if isinstance(target, ast.Name) else target
        yield from ((name, given) for name in stored(target))


def _is_new(value: ast.AST) -> bool:
    made_by_call = isinstance(value, ast.Call) and called(value) in NEW
    return made_by_call or isinstance(value, DISPLAYS | COMPUTED)


def stored(target: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def changed_by(value: ast.AST) -> set[str]:
    """Names of what a call may change in place: x.add_(y), found.append(y); "" for what has none."""
    calls = (n for n in ast.walk(value) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute))
    return {base(call.func) for call in calls if _changes(call) and not _of_new(call.func)}


def _changes(call: ast.Call) -> bool:
    name = called(call)
    in_place = name.endswith("_") and not name.endswith("__") and name != "requires_grad_"
    return in_place or name in GROWS


def _of_new(function: ast.expr) -> bool:
    """Is it a method of what was just made, as in x.clone().mul_(2)?"""
    return isinstance(function, ast.Attribute) and _is_new(function.value)


def called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else base(call.func)


def base(node: ast.AST) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
