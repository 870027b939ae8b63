"""What the shell offers after TAB: names that are read from folders, without torch. Turn it on with `--install-completion`."""

from collections.abc import Callable, Iterable
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def weights(incomplete: str) -> list[str]:
    """Shipped weights."""
    return _begun(incomplete, (path.stem for path in (PACKAGE / "weights").glob("*.safetensors")))


def configs(incomplete: str) -> list[str]:
    """Configs that ship."""
    return _begun(incomplete, (path.stem for path in (PACKAGE / "configs").glob("*.yaml")))


def chapters(incomplete: str) -> list[str]:
    """Chapters, by number."""
    from ..classroom import handout

    return _begun(incomplete, (name[:2] for name in handout.names()))


def one_of(*names: str) -> Callable[[str], list[str]]:
    """A completion of names that stand in the code."""
    return lambda incomplete: _begun(incomplete, names)


def _begun(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
