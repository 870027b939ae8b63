"""What a cell of code defines and reads, told from its source alone: nothing is run."""

import ast
import re
import symtable
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

# Cell magics whose body runs in the notebook itself. What stands under another one, e.g. %%bash, defines nothing.
TRANSPARENT = frozenset(["time", "capture", "prun", "debug"])
MAGIC = re.compile(r"\s*%%(\w+)[^\n]*\n?")
COMMENTS = re.compile(r"(\s*#[^\n]*\n)+(?=\s*%%\w)")
# Where a cell is not Python, e.g. for a typo, it still shows what it meant to define.
MEANT = re.compile(r"^(?:async\s+def|def|class)\s+(\w+)|^(\w+)\s*=(?!=)", re.MULTILINE)
# Methods that change what they are called on; in torch they end in "_".
CHANGING = frozenset(
    ["append", "extend", "insert", "update", "add", "pop", "remove", "clear", "sort", "reverse", "setdefault"]
)
BROKEN = (SyntaxError, ValueError, RecursionError, MemoryError)


@dataclass(frozen=True)
class Scope:
    """defined: names it gives a value to at its top level. changed: names whose objects it changes. wanted: global names it needs.

    certain: does all of it run, whatever is true? Not a loop or a branch.
    """

    defined: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    wanted: frozenset[str] = frozenset()
    certain: bool = True

    @property
    def provided(self) -> frozenset[str]:
        """The names that are other than before when it has run."""
        return self.defined | self.changed


@lru_cache(maxsize=5000)  # a chapter's own statements are the same in every submission
def scope(source: str) -> Scope:
    """The scope of a cell or a statement, in IPython's language."""
    code = python(source)
    try:
        body = ast.parse(code).body
        tables = [symtable.symtable(ast.unparse(statement), "cell", "exec") for statement in body]
    except BROKEN:
        return Scope(frozenset(a or b for a, b in MEANT.findall(code)))
    defined, changed, wanted, later = set[str](), set[str](), set[str](), set[str]()
    for statement, table in zip(body, tables, strict=True):
        in_place = set(_changed(statement))
        read = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
        wanted |= (read | in_place) - defined - _targets(statement)
        later |= _read_inside(table)
        changed |= in_place
        defined |= {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    certain = not any(isinstance(s, ast.For | ast.While | ast.If | ast.Try) for s in body)
    return Scope(frozenset(defined), frozenset(changed), frozenset(wanted | later - defined), certain)


def _read_inside(table: symtable.SymbolTable) -> set[str]:
    """The global names that functions read, when they are called."""
    read, scopes = set[str](), list(table.get_children())
    while scopes:
        inner = scopes.pop()
        read |= {s.get_name() for s in inner.get_symbols() if s.is_global() and s.is_referenced()}
        scopes += inner.get_children()
    return read


def _targets(statement: ast.stmt) -> set[str]:
    """The names that the head of a loop or a `with` binds before its body reads them."""
    match statement:
        case ast.For(target=target) | ast.AsyncFor(target=target):
            heads = [target]
        case ast.With(items=items) | ast.AsyncWith(items=items):
            heads = [item.optional_vars for item in items if item.optional_vars]
        case _:
            heads = []
    return {n.id for head in heads for n in ast.walk(head) if isinstance(n, ast.Name)}


def python(source: str) -> str:
    """A cell as Python: magics become calls, and what does not run in the notebook itself is left out."""
    source = hoisted(source)
    while found := MAGIC.match(source):
        if found[1] not in TRANSPARENT:
            return ""
        source = source[found.end() :]
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return TransformerManager().transform_cell(source)
    except BROKEN:
        return source


def hoisted(source: str) -> str:
    """A cell whose magic stands first, as IPython wants it, also where the mark of an exercise was kept above it."""
    return COMMENTS.sub("", source, count=1) if COMMENTS.match(source) else source


@lru_cache(maxsize=1000)
def statements(source: str) -> tuple[str, ...]:
    """The statements of a cell one by one, and of an import each name for itself. Raises SyntaxError."""
    return tuple(_statements(source))


def _statements(source: str) -> Iterator[str]:
    code = python(source)
    for statement in ast.parse(code).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            for alias in statement.names:
                statement.names = [alias]
                yield ast.unparse(statement)
        elif getattr(statement, "decorator_list", None):  # no part of a definition's segment
            yield ast.unparse(statement)
        else:
            yield ast.get_source_segment(code, statement) or ""


def calls_only(source: str, names: Iterable[str]) -> bool:
    """Is a cell nothing but calls of these functions?"""
    try:
        body = ast.parse(python(source)).body
    except BROKEN:
        return False
    return bool(body) and all(
        isinstance(s, ast.Expr)
        and isinstance(s.value, ast.Call)
        and isinstance(s.value.func, ast.Name)
        and s.value.func.id in names
        for s in body
    )


def _changed(statement: ast.stmt) -> Iterator[str]:
    """Names whose objects a statement changes in place: x[0] = 1, x.a = 1, x.append(1), x.mul_(2), also in a loop."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            yield from _base(node)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            method = node.value.func
            if isinstance(method, ast.Attribute) and (method.attr in CHANGING or method.attr.endswith("_")):
                yield from _base(method)


def _base(node: ast.expr) -> Iterator[str]:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        yield node.id


def definition(source: str, name: str) -> str:
    """The meaning of what defines a name in a cell, whatever else the cell does; "" where nothing does."""
    try:
        tree = ast.parse(python(source))
    except BROKEN:
        return source if name in scope(source).defined else ""
    return "\n".join(ast.dump(node) for node in _defining(tree, name))


def continues(source: str, name: str) -> bool:
    """Does a cell go on with what the name stood for, as `f = torch.jit.script(f)` does, in place of defining it anew?"""
    try:
        nodes = _defining(ast.parse(python(source)), name)
    except BROKEN:
        return False
    return bool(nodes) and all(
        isinstance(node, ast.Assign | ast.AugAssign)
        and any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node.value))
        for node in nodes
    )


def _defining(tree: ast.Module, name: str) -> list[ast.AST]:
    found: list[ast.AST] = []
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() if node.name == name:
                found.append(node)
            case ast.Import() | ast.ImportFrom() if any((a.asname or a.name) == name for a in node.names):
                found.append(node)
            case ast.Assign(targets=targets) if any(_binds(target, name) for target in targets):
                found.append(node)
            case ast.AnnAssign() | ast.AugAssign() if _binds(node.target, name):
                found.append(node)
    return found


def _binds(target: ast.expr, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(target))
