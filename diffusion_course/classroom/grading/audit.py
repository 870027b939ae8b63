"""What in an answer's source a person should see: code that none of the exercises needs. It costs no points by itself."""

import ast
import re

from .scope import BROKEN, python

# What a formula is written with.
USUAL = re.compile(
    r"(torch|math|cmath|numpy|scipy|einops|diffusion_course(?!\.classroom)|functools|itertools|operator"
    r"|typing|collections|dataclasses|numbers|warnings|matplotlib|tqdm|__future__|asyncio|inspect|IPython\.display|ipywidgets|datetime|random|logging|copy|contextlib|textwrap|string|pprint|enum|abc"
    r"|statistics|fractions|decimal)(\.|$)"
)
NAMES = re.compile(
    r"exec|eval|compile|open|__import__|globals|locals|vars|setattr|delattr|get_ipython|breakpoint|input|exit|quit"
    r"|CHECKS|TASKS|OPEN|__builtins__|__loader__"
)
ATTRIBUTES = re.compile(
    r"load|hub|ops|utils|classroom|modules|setprofile|settrace|_passed|currentframe|_getframe|f_(back|globals|locals|code|builtins)"
    r"|__(?!(name|class|init|call|len|doc|version)__$).*"
)


# What IPython makes of a magic and of a shell command; and how Colab is told from Jupyter.
MAGICS = frozenset(["run_line_magic", "run_cell_magic", "system", "getoutput"])
WORDS = frozenset(["str", "repr", "type"])


def remarks(*sources: str) -> tuple[str, ...]:
    """Each kind of unusual code in some cells once, in words, e.g. "imports os". A cell that is not Python has none."""
    found: dict[str, None] = {}
    for source in sources:
        try:
            tree = ast.parse(python(source))
        except BROKEN:
            continue
        own = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        own |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
        usual = {id(name) for node in ast.walk(tree) for name in _usual_shell(node)}
        for node in ast.walk(tree):
            if id(node) not in usual:
                found |= dict.fromkeys(_of(node, own))
    return tuple(found)


def _usual_shell(node: ast.AST) -> list[ast.Name]:
    match node:
        case ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython") as name), attr=attr) if (
            attr in MAGICS
        ):
            return [name]
        case ast.Call(func=ast.Name(id=word), args=[ast.Call(func=ast.Name(id="get_ipython") as name)]) if (
            word in WORDS
        ):
            return [name]
    return []


def _of(node: ast.AST, own: set[str]) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [f"imports {alias.name}" for alias in names if not USUAL.match(alias.name)]
        case ast.ImportFrom(module=module, level=level, names=names):
            if level == 0 and module and USUAL.match(module):
                return [f"imports {alias.name}" for alias in names if alias.name in ("classroom", "CHECKS")]
            harmless = {"check", "check_all"}
            return [] if {a.name for a in names} <= harmless else [f"imports from {module}"]
        case ast.Name(id=name, ctx=ast.Load()) if NAMES.fullmatch(name) and name not in own:
            return [f"uses {name}"]
        case ast.Name(id=("check" | "check_all" | "torch") as name, ctx=ast.Store()):
            return [f"assigns to {name}"]
        case ast.FunctionDef(name=("check" | "check_all") as name):
            return [f"defines {name}"]
        case ast.Attribute(value=ast.Attribute(attr="nn") | ast.Name(id="nn"), attr="utils"):
            return []  # torch.nn.utils.clip_grad_norm_
        case ast.Attribute(attr=name) if ATTRIBUTES.fullmatch(name):
            return [f"uses .{name}"]
        case ast.Attribute(value=ast.Name(id=base), attr=name, ctx=ast.Store()) if base not in own:
            return [f"assigns to {base}.{name}"]
    return []
