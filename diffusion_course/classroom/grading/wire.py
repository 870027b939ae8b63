"""Values as data, for the way into the sandbox and out of it: numbers and words as JSON, tensors in safetensors, no code.

It imports nothing of the checks but their toys: it is used on both sides.
"""

import json
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor

from ..checks.toy_steps import Each, ToyStep
from ..checks.toys import TOYS, Toy

DEEPEST = 4  # tuples in tuples


class NotData(ValueError):
    """What is there is no value that this format holds."""


def pack(value: Any, tensors: dict[str, Tensor], depth: int = 0) -> Any:
    """A value as JSON, with its tensors put into `tensors`. What is no number, word, tensor or toy is told by its type alone."""
    if isinstance(value, Tensor):
        return {"tensor": _put(value, tensors), "grad": value.requires_grad}
    if isinstance(value, Toy) and type(value).__name__ in TOYS:
        return {"toy": type(value).__name__, "weights": _put(value.weights, tensors)}
    if isinstance(value, ToyStep):
        return {"step": value.words}
    if isinstance(value, Each) and depth < DEEPEST:
        return {"each": [pack(v, tensors, depth + 1) for v in value]}
    if isinstance(value, tuple | list) and depth < DEEPEST:
        return {"items": [pack(v, tensors, depth + 1) for v in value], "tuple": isinstance(value, tuple)}
    if type(value) in (bool, int, float, str) or value is None:
        return {"plain": value}
    if type(value) is np.ndarray or isinstance(value, np.generic):
        with suppress(TypeError):  # of words and objects, and of numbers that torch has not
            array = torch.from_numpy(np.array(value))
            return {"array": _put(array, tensors), "alone": isinstance(value, np.generic)}
    return {"other": f"{type(value).__module__}.{type(value).__qualname__}"[:200]}


def unpack(packed: Any, tensors: dict[str, Tensor], depth: int = 0) -> Any:
    """The value of what `pack` made. Raises NotData for anything else."""
    match packed:
        case {"tensor": str(name), "grad": bool(grad)} if name in tensors:
            tensor = tensors[name].clone()
            return tensor.requires_grad_(grad) if grad and tensor.is_floating_point() else tensor
        case {"toy": str(kind), "weights": str(name)} if kind in TOYS and name in tensors:
            return TOYS[kind](tensors[name].clone())
        case {"array": str(name), "alone": bool(alone)} if name in tensors:
            array = tensors[name].numpy().copy()
            return array[()] if alone else array
        case {"step": str(words)}:
            return ToyStep(words)
        case {"each": list(items)} if depth < DEEPEST:
            return Each([unpack(item, tensors, depth + 1) for item in items])
        case {"items": list(items), "tuple": bool(several)} if depth < DEEPEST:
            values = [unpack(item, tensors, depth + 1) for item in items]
            return tuple(values) if several else values
        case {"plain": bool() | int() | float() | str() | None as plain}:
            return plain
        case {"other": str(kind)}:
            return Other(kind)
    raise NotData(f"{packed!r:.100}")


class Other:
    """Stands for a value of another type, of which only the name came out. The checks say that it is no tensor."""

    def __new__(cls, kind: str) -> "Other":
        module, _, name = kind.rpartition(".")
        return object.__new__(type(name, (Other,), {"__module__": module}))


def join(words: Any, tensors: dict[str, Tensor]) -> bytes:
    """JSON and tensors as one piece of data."""
    return json.dumps(words).encode() + b"\n" + save(tensors)


def part(data: bytes) -> tuple[Any, dict[str, Tensor]]:
    """What `join` joined. Raises NotData for anything else, whatever it is."""
    head, _, tail = data.partition(b"\n")
    try:
        return json.loads(head), load(tail)
    except Exception as error:  # whatever a hostile file makes of its reader
        raise NotData(type(error).__name__) from None


def _put(tensor: Tensor, tensors: dict[str, Tensor]) -> str:
    name = str(len(tensors))
    plain = torch.Tensor.detach(tensor)
    if plain.layout != torch.strided or plain.is_quantized:
        plain = plain.to_dense() if plain.layout != torch.strided else plain.dequantize()
    plain = plain.resolve_conj().resolve_neg().cpu().clone(memory_format=torch.contiguous_format)
    tensors[name] = plain.as_subclass(Tensor)
    return name
