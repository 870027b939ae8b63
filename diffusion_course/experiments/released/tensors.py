"""Tensors and NumPy's scalars in a pickle, made from the bytes in it. PyTorch's `torch.storage._load_from_bytes` is read here as data."""

import io
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .pickles import Built, Calls, Symbol, read

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # how `torch.save` began before it wrote zip files
TYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
STORAGES: Calls = {f"{module}.{name}": None for name in TYPES for module in ("torch", "torch.cuda")}


@dataclass(frozen=True, eq=False)
class Storage:
    """The numbers behind a tensor, still as the bytes of the file."""

    content: memoryview
    dtype: torch.dtype

    @property
    def numel(self) -> int:
        return len(self.content) // self.dtype.itemsize


@dataclass(frozen=True, eq=False)
class TensorRecord:
    """A tensor that is not made yet: a view of a storage that fits it."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def tensor(self) -> Tensor:
        size = self.storage.dtype.itemsize
        mine = self.storage.content[self.offset * size : (self.offset + math.prod(self.shape)) * size]
        # A copy: torch.frombuffer shares memory, and wants it writable.
        flat = torch.frombuffer(bytearray(mine), dtype=self.storage.dtype)
        return flat.as_strided(self.shape, self.stride).contiguous()


def rebuilt_tensor(storage: Storage, offset: int, shape: tuple, stride: tuple, *_: Any) -> TensorRecord:
    """`torch._utils._rebuild_tensor_v2`; what follows (requires_grad, hooks, metadata) does not matter.

    Raises ValueError for what is no dense piece of the storage: an expanded view would need more memory than the file.
    """
    right = (
        isinstance(storage, Storage)
        and type(shape) is type(stride) is tuple
        and len(shape) == len(stride) <= 8
        and all(type(n) is int and n >= 0 for n in (offset, *stride))
        and all(type(n) is int and n >= 1 for n in shape)
    )
    if not right:
        raise ValueError("not a tensor")
    last = sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
    if last + 1 != math.prod(shape) or offset + last >= storage.numel:
        raise ValueError("a tensor that is no piece of its storage")
    return TensorRecord(storage, offset, shape, stride)


def rebuilt_parameter(data: TensorRecord, *_: Any) -> TensorRecord:
    """`torch._utils._rebuild_parameter`."""
    return data


def loaded_from_bytes(blob: bytes) -> Storage:
    """`torch.storage._load_from_bytes` for what it is in a pickle: one storage, in the format before zip files.

    Four pickles (magic number, protocol, machine, the storage's description), its keys, and the numbers.
    Raises ValueError or Refused.
    """
    file = io.BytesIO(blob)
    magic, protocol, machine = (read(file, {}) for _ in range(3))
    if (magic, protocol) != (MAGIC, PROTOCOL) or machine["little_endian"] is not True:
        raise ValueError("not a storage of torch.save")
    dtype, key, numel = read(file, STORAGES, _description)
    if read(file, {}) != [key]:
        raise ValueError("not one storage")
    start = file.tell() + 8
    content = memoryview(blob)[start:]
    if int.from_bytes(blob[start - 8 : start], "little") != numel or len(content) != numel * dtype.itemsize:
        raise ValueError("a storage of another length than it says")
    return Storage(content, dtype)


def _description(identity: Any) -> tuple[torch.dtype, str, int]:
    kind, symbol, key, _, numel, view = identity
    right = kind == "storage" and isinstance(symbol, Symbol) and view is None
    if not right or type(key) is not str or type(numel) is not int or numel < 0:
        raise ValueError("not a storage")
    return TYPES[symbol.name.rpartition(".")[2]], key, numel


class NumberType(Built):
    """`numpy.dtype` of a number, e.g. "f8"; the state says in which order its bytes stand."""

    def __init__(self, code: str, *_: Any):
        if not re.fullmatch("[fiu][1248]|b1", code):
            raise ValueError("a NumPy type that is no number")
        self.dtype = np.dtype(code)

    def build(self, state: Any) -> None:
        order = state[1]
        if order not in ("<", ">", "|", "="):
            raise ValueError("an order of bytes that there is not")
        self.dtype = self.dtype.newbyteorder(order)


def number(kind: NumberType, content: bytes) -> float | int | bool:
    """`numpy.core.multiarray.scalar`, as Python's number. Raises ValueError."""
    if not isinstance(kind, NumberType) or len(content) != kind.dtype.itemsize:
        raise ValueError("not a NumPy scalar")
    return np.frombuffer(content, kind.dtype)[0].item()
