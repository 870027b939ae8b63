"""The house: imports run downwards only, and what is heavy stays where CONTRIBUTING says. Read from the source; nothing is imported."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "diffusion_course"
# From the roof down; a module directly in the package stands on the last floor.
FLOORS = ("cli", "commands", "classroom", "experiments", "notebook", "figures quizzes", "nets", "core")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


@cache
def imports(module, whole):
    """What a module imports. whole: also inside functions and for types alone, else only what runs as it is loaded."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found, nodes = set(), list(ast.parse(path.read_text(encoding="utf-8")).body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            base = ".".join(filter(None, (above, node.module)))
            found |= {name if (name := f"{base}.{alias.name}") in MODULES else base for alias in node.names}
        elif whole or not (
            isinstance(node, ast.FunctionDef)
            or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        ):
            nodes += ast.iter_child_nodes(node)
    return frozenset(found)


def loaded(module):
    """All that importing a module loads, and the packages around it, as far as this package's own code says."""
    seen, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in MODULES:
            parents = name.split(".")
            waiting += [".".join(parents[:n]) for n in range(1, len(parents))]
            waiting += imports(name, whole=False)
    return {name if name in MODULES else name.partition(".")[0] for name in seen}


def floor(module):
    name = module.split(".")[1] if "." in module else "core"
    return next((i for i, rooms in enumerate(FLOORS) if name in rooms.split()), len(FLOORS) - 1)


def test_imports_run_downwards_only():
    upwards = {
        (module, name)
        for module in MODULES
        for name in imports(module, whole=True)
        if name in MODULES and floor(name) < floor(module)
    }
    assert not upwards


def test_no_module_of_the_core_needs_itself():
    core = [name for name in MODULES if floor(name) == len(FLOORS) - 1 and "." in name]
    for module in core:
        seen, waiting = set(), [name for name in imports(module, whole=True) if name in core]
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += [n for n in imports(name, whole=True) if n in core]
        assert module not in seen, module


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("quizzes.sealing", {"torch", "numpy", "matplotlib", "ipywidgets", "IPython"}),
        ("figures.pictures", {"ipywidgets", "IPython"}),
        ("figures.plots", {"ipywidgets", "IPython"}),
        ("cli", {"torch", "numpy", "matplotlib"}),
        (
            "experiments.zoo",
            {
                f"diffusion_course.{name}"
                for name in ("losses", "elbo", "experiments.objectives", "experiments.training")
            },
        ),
    ],
)
def test_a_picture_needs_no_widgets_a_quiz_draft_no_torch_and_a_checkpoint_no_loss(module, unwanted):
    assert not loaded(f"diffusion_course.{module}") & unwanted


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("matplotlib", {"figures", "notebook"}),
        ("ipywidgets", {"notebook"}),
        ("nbformat", {"classroom"}),
        ("jupytext", {"classroom"}),
        ("nbval", {"classroom"}),
        ("sphinx", {"classroom"}),
    ],
)
def test_what_is_heavy_stays_in_its_room(library, rooms):
    users = {m for m in MODULES if library in {name.partition(".")[0] for name in imports(m, whole=True)}}
    assert {module.split(".")[1] for module in users} <= rooms
