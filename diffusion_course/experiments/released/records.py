"""What NVIDIA's checkpoints may name, and what each name means here: records of modules, tensors, numbers, containers."""

from functools import cache
from typing import Any

from .pickles import Built, Calls, Symbol
from .tensors import STORAGES, NumberType, loaded_from_bytes, number, rebuilt_parameter, rebuilt_tensor


class Record(Built):
    """What the file says of a module: its class's name, and the attributes it had."""

    def __init__(self, kind: str):
        self.kind = kind
        self.state: dict[str, Any] = {}

    def build(self, state: Any) -> None:
        if type(state) is not dict:
            raise ValueError("a module whose state is no dict")
        self.state = state


def calls() -> Calls:
    """All that such a file may name, and what it means here."""

    def ordinary(cls: Symbol, base: Symbol, content: dict | None) -> Any:
        meaning = table[cls.name]
        if meaning is None or (content is None) != base.name.endswith(".object"):
            raise ValueError("an object of a kind that has no meaning")
        return meaning() if content is None else _same(dict)(content)

    # No call costs more memory than the file has: a copy would be made as often as a few bytes ask for it.
    encode, storage = cache(_encoded), cache(loaded_from_bytes)
    table: dict[str, Any] = {
        "torch_utils.persistence._reconstruct_persistent_obj": _persistent,
        "torch.storage._load_from_bytes": lambda blob: storage(_same(bytes)(blob)),
        "torch._utils._rebuild_tensor": rebuilt_tensor,
        "torch._utils._rebuild_tensor_v2": rebuilt_tensor,
        "torch._utils._rebuild_parameter": rebuilt_parameter,
        "torch.Size": _same(tuple),
        "torch.nn.modules.container.ModuleDict": lambda: Record("ModuleDict"),
        "torch.nn.modules.container.ModuleList": lambda: Record("ModuleList"),
        "collections.OrderedDict": lambda: {},
        "dnnlib.util.EasyDict": lambda: {},
        "numpy.dtype": NumberType,
        "_codecs.encode": lambda text, codec: encode(_same(str)(text), _same(str)(codec)),
        "builtins.bytes": lambda: b"",
        "builtins.set": _same(list),
        "builtins.object": None,
        "builtins.dict": None,
        "copyreg._reconstructor": ordinary,  # how protocols 0 and 1 make an object
        **STORAGES,
    }
    for core in ("numpy.core", "numpy._core"):  # before and since NumPy 2
        table[f"{core}.multiarray.scalar"] = number
    return table


def _encoded(text: str, codec: str) -> bytes:
    """How protocols 0 to 2 write bytes."""
    if codec not in ("latin1", "latin-1"):
        raise ValueError("text in another encoding")
    return text.encode("latin1")


def _same(kind: type) -> Any:
    """Lets a value of this kind through: in place of a copy, and before a look-up, which hashes (and deep tuples end that badly)."""

    def same(items: Any) -> Any:
        if type(items) is not kind:
            raise ValueError(f"no {kind.__name__}")
        return items

    return same


def _persistent(meta: dict[str, Any]) -> Record:
    """What NVIDIA's `_reconstruct_persistent_obj` gets of a module; it would run meta["module_src"]."""
    if meta["type"] != "class" or type(meta["class_name"]) is not str:
        raise ValueError("a record of something that is no class")
    record = Record(meta["class_name"])
    record.build(meta["state"])
    return record
