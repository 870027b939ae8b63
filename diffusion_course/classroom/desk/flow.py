"""Which lines of a function would compute something else if one of its arguments held other values: read off its syntax, nothing is run."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from .in_place import base, called, changed_by, made, stored

# What of a tensor does not depend on its values.
FORM = {"shape", "ndim", "dtype", "device", "size", "dim", "numel", "is_cuda"}
LIKE = {"len", "isinstance", "type", "zeros_like", "ones_like", "empty_like", "rand_like", "randn_like"}
AS = {"type_as", "expand_as", "view_as", "reshape_as"}


class Unclear(Exception):
    """What would happen cannot be read off: another branch might be taken, or what changes has another name, too."""


@dataclass(frozen=True)
class _Found:
    """lines: those that would compute something else. changed: names of what would become something else in place."""

    lines: set[int] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)


def function(source: str, name: str) -> ast.FunctionDef | None:
    """The last definition of a plain function of this name; None where there is none to be read."""
    try:
        found = [
            node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == name
        ]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return found[-1] if found else None


def lines(definition: ast.FunctionDef) -> frozenset[int]:
    """The lines on which its statements begin, the docstring aside; the one with `def` is line 1."""
    body = definition.body[1:] if ast.get_docstring(definition) is not None else definition.body
    inner = (node for one in body for node in ast.walk(one) if isinstance(node, ast.stmt))
    return frozenset(node.lineno - definition.lineno + 1 for node in inner)


def reached(definition: ast.FunctionDef, argument: str) -> frozenset[int]:
    """The lines that would compute something else. Raises Unclear."""
    found = _Found()
    _follow(definition.body, {argument}, found, straight=True)
    if not found.changed <= made(definition):
        raise Unclear  # a network's weights, or a part of an argument: other names may lead to it
    return frozenset(line - definition.lineno + 1 for line in found.lines)


def _follow(body: Sequence[ast.stmt], held: set[str], found: _Found, straight: bool) -> None:
    """held: names whose values would be other ones; it changes. straight: does each line here run exactly once?"""
    for one in body:
        if isinstance(one, ast.For):
            _assign(one, [one.target], one.iter, held, found, straight=False)
            for _ in range(2):  # what a round leaves reaches the next
                _follow(one.body, held, found, straight=False)
            _follow(one.orelse, held, found, straight=False)
        elif isinstance(one, ast.If | ast.While):
            if _read(one.test) & held:
                raise Unclear
            for part in (one.body, one.body, one.orelse):
                _follow(part, held, found, straight=False)
        elif isinstance(one, ast.With):
            for item in one.items:
                targets = [item.optional_vars] if item.optional_vars else []
                _assign(one, targets, item.context_expr, held, found, straight)
            _follow(one.body, held, found, straight)
        elif isinstance(one, ast.Assign):
            _assign(one, one.targets, one.value, held, found, straight)
        elif isinstance(one, ast.AnnAssign) and one.value:
            _assign(one, [one.target], one.value, held, found, straight)
        elif isinstance(one, ast.AugAssign):
            _assign(one, [one.target], one, held, found, straight=False)
        elif isinstance(one, ast.Return | ast.Expr):
            if one.value and _read(one.value) & held:
                found.lines.add(one.lineno)
                changed = changed_by(one.value)
                if isinstance(one, ast.Expr) and not changed and not _prints(one.value):
                    raise Unclear  # it is called for something else than its result: loss.backward()
                held |= changed
                found.changed.update(changed)
        elif not isinstance(
            one, ast.Pass | ast.Import | ast.ImportFrom | ast.Assert | ast.Break | ast.Continue
        ):
            raise Unclear  # try, match, a function within: rare, and not worth a rule


def _assign(
    one: ast.stmt,
    targets: Iterable[ast.expr],
    value: ast.AST,
    held: set[str],
    found: _Found,
    straight: bool,
) -> None:
    whole = {name for t in targets for name in stored(t)}
    parts = {name for t in targets for part in _parts(t) if (name := base(part))}
    inner = {name for t in targets for part in _parts(t) for name in _read(part)} - parts
    extra = {one.target.id} if isinstance(one, ast.AugAssign) and isinstance(one.target, ast.Name) else set()
    if (_read(value) | inner | extra) & held:
        changed = parts | extra | changed_by(value)
        found.lines.add(one.lineno)
        found.changed.update(changed)
        held |= whole | changed
    elif straight:
        held -= whole


def _parts(target: ast.expr) -> Iterator[ast.expr]:
    """The targets that change a part of something: x[0], x.data."""
    return (n for n in ast.walk(target) if isinstance(n, ast.Subscript | ast.Attribute))


def _prints(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) or (isinstance(value, ast.Call) and called(value) == "print")


def _read(node: ast.AST) -> set[str]:
    """The names whose values are read; of those of which only the form is asked, not."""
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Load) else set()
    if isinstance(node, ast.Attribute) and node.attr in FORM:
        return set()
    if isinstance(node, ast.Call):
        name = called(node)
        if name in LIKE:
            return set().union(*map(_read, [*node.args[1:], *node.keywords]))
        if name in AS:
            return _read(node.func)
    return set().union(*map(_read, ast.iter_child_nodes(node)))
