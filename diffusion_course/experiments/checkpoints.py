"""Checkpoints of training: written whole; read as a stranger's file, and compared with the run that would go on with it."""

import io
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CourseError
from ..files import write_atomically
from . import places
from .precision import Precision
from .resume import changes, told

DOS_FOLDER = 0x10
"""The bit by which torch's reader takes an entry for a folder: it then leaves that tensor as memory happened to be."""

State = dict[str, Any]
"""run: what the run was started with, by name. step, seconds. places: of the steps. net, ema, optimizer, scaler: their state dictionaries. precision: the
type of its device, and the names of the `Precision` that it trained in there."""


def write(path: Path, state: State) -> None:
    """A crash at any moment leaves the old checkpoint or the new one, never half of one."""
    write_atomically(path, lambda file: torch.save(state, file))


def read(path: Path, mine: State, moments: list[dict[str, torch.Size]], steps: int) -> State:
    """The state in a file, fit to be loaded in place of `mine`, that of the fresh run, which trains for `steps` steps.

    moments: the shapes of what its optimizer remembers of each weight.

    Raises CourseError when the file is damaged, or belongs to another run or network.
    """
    theirs = _loaded(path)
    try:
        changed = changes(mine["run"], theirs["run"])
        other = _layout(mine["net"]) != _layout(theirs["net"])
        sound = changed or other or _sound(theirs, mine, moments, steps)
    except Exception:  # whatever a file may hold in place of what belongs there
        sound = False
    if not sound:
        raise _damaged(path)
    if changed:
        raise CourseError(f"checkpoint {path}: its run had {told(changed)}; use a new folder, --out")
    if other:
        raise CourseError(f"checkpoint {path}: belongs to another architecture; use a new folder, --out")
    return theirs


def fingerprint(*tensors: Tensor) -> list[str]:
    """Shape and checksum of tensors (N, ...); the checksum is of about 1,000 rows, so that it costs nothing."""
    rows = [t[:: max(1, len(t) // 1000)].contiguous().cpu().view(torch.uint8) for t in tensors]
    return [
        f"{tuple(t.shape)} {zlib.crc32(row.numpy().tobytes()):08x}"
        for t, row in zip(tensors, rows, strict=True)
    ]


def _loaded(path: Path) -> State:
    try:
        content = path.read_bytes()  # apart, since torch.load raises OSError for some damaged files as well
    except OSError as error:
        raise CourseError(f"checkpoint {path}: cannot be read ({error.strerror})") from None
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:  # torch reads past a flipped bit
            folders = any(info.external_attr & DOS_FOLDER for info in archive.infolist())
            if archive.testzip() or folders:
                raise _damaged(path)
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception:  # torch.load raises many kinds for a damaged file, and its advice is to trust it
        raise _damaged(path) from None


def _damaged(path: Path) -> CourseError:
    return CourseError(
        f"checkpoint {path}: damaged, or no checkpoint of this course; delete it to start afresh"
    )


def _layout(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}


def _sound(theirs: State, mine: State, moments: list[dict[str, torch.Size]], steps: int) -> bool:
    step, seconds = theirs["step"], theirs["seconds"]
    tensors = [*theirs["net"].values(), *theirs["ema"].values()]
    return (
        theirs.keys() == mine.keys()
        and type(step) is int
        and 0 <= step <= steps
        and type(seconds) is float
        and 0 <= seconds < math.inf
        and places.sound(theirs["places"], step)
        and _layout(theirs["ema"]) == _layout(mine["ema"])
        and all(bool(tensor.isfinite().all()) for tensor in tensors)
        and isinstance(theirs["optimizer"], dict)
        and all(_fits(moments, i, slots) for i, slots in theirs["optimizer"]["state"].items())
        and _scaler_fits(theirs["scaler"], mine["scaler"])
        and bool(Precision.of(*theirs["precision"][1:]))
    )


def _fits(moments: list[dict[str, torch.Size]], number: int, slots: dict[str, Tensor]) -> bool:
    """Are these moments of the weight of that number? A weight without a gradient has none, and no entry."""
    return (
        type(number) is int
        and 0 <= number < len(moments)
        and moments[number] == {name: tensor.shape for name, tensor in slots.items()}
        and all(tensor.is_floating_point() and tensor.layout == torch.strided for tensor in slots.values())
        and all(bool(tensor.isfinite().all()) for tensor in slots.values())
    )


def _scaler_fits(theirs: dict[str, float], mine: dict[str, float]) -> bool:
    """A run without float16 has no scale; one that goes on in float16 then begins with a fresh one."""
    numbers = all(type(value) in (int, float) and 0 <= value < math.inf for value in theirs.values())
    return numbers and (not theirs or not mine or theirs.keys() == mine.keys())
