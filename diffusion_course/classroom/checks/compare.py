"""What is wrong with a returned value, in words."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import permutations
from typing import TypeGuard

import torch
from torch import Tensor

from .toy_steps import Each

MOST_WRITTEN = 24  # integers of an input that are written out
MOST_TIMES = 4
LARGEST = 10**6  # entries of a result that is compared with another one of the same answer


class Kind(Enum):
    """What a fault is about. Only after wrong numbers or shapes does it help to be shown the formula."""

    STOPPED = "an exception"
    CHANGED = "an argument or global state was changed"
    FORM = "type, dtype or device"
    ORDER = "the right results in another order"
    SHAPE = "shape"
    NUMBERS = "numbers"
    SCORE = "a bound, or a score below the first mark"
    GRADIENT = "gradients"
    COUNT = "too many evaluations"


@dataclass(frozen=True)
class Fault:
    """The first thing that is wrong, in words."""

    kind: Kind
    text: str
    cause: str = ""  # a likely one, where no known mistake explains it
    look: Callable[[], str] = str  # what a longer look adds to the text: asked only where the fault is told

    @property
    def words(self) -> str:
        return "\n".join(filter(None, (self.text, self.cause)))


# Relative, and absolute: wide enough for another order of operations (float32 loses digits in 1 - alpha_bar), far below any mistake.
# In float64 a mistake of 1e-8 shows beside the chapters' smallest numbers.
TOLERANCE = {torch.float64: (1e-9, 1e-11), torch.float32: (1e-3, 1e-3)}


def value_fault(
    outputs: Sequence[str],
    got: object,
    want: object,
    t: object = None,
    same_dtype: bool = True,
    states: Sequence[str] = (),
) -> Fault | None:
    """Compare a returned value with the reference's. `outputs` names the results: one tensor, or a tuple.

    want: in the dtype of the inputs and on the device that the answer must have. t: the (B,) times of the case, if any.
    same_dtype: is a float64 result refused where the inputs are float32? states: of a path, what its states are called.
    """
    if len(outputs) == 1:
        return tensor_fault(outputs[0], got, want, t, same_dtype, states)
    names = ", ".join(outputs)
    if not isinstance(got, tuple | list):
        return Fault(Kind.FORM, f"the function returned {kind(got)}, want a tuple ({names})")
    if len(got) != len(outputs):
        return Fault(Kind.FORM, f"the function returned {len(got)} values, want {len(outputs)}: ({names})")
    assert isinstance(want, tuple)
    found = [tensor_fault(n, g, w, t, same_dtype) for n, g, w in zip(outputs, got, want, strict=True)]
    fault = next(filter(None, found), None)
    if fault and states:
        return replace(fault, text=f"{right_up_to(outputs, found.index(fault))}{fault.text}")
    if fault and any(alike(order, want) for order in permutations(got)):
        return Fault(Kind.ORDER, f"the results are in the wrong order, want ({names})")
    return fault


def right_up_to(states: Sequence[str], wrong: int) -> str:
    """How far a path is right, to begin a sentence with."""
    return f"right up to {states[wrong - 1]}; then " if wrong else ""


def tensor_fault(
    name: str,
    got: object,
    want: object,
    t: object = None,
    same_dtype: bool = True,
    states: Sequence[str] = (),
) -> Fault | None:
    """Compare one tensor: its form, NaN, and last the numbers; of a path those of its first wrong state."""
    assert isinstance(want, Tensor)
    fault = form_fault(name, got, want, same_dtype)
    if fault:
        return fault
    assert isinstance(got, Tensor)
    got = plain(got)
    return state_fault(states, got, want) if states else entries_fault(name, got, want, t)


def form_fault(name: str, got: object, want: Tensor, same_dtype: bool = True) -> Fault | None:
    """Compare all but the numbers: type, shape, device, dtype."""
    if not is_tensor(got):
        return Fault(Kind.FORM, f"{name} is {kind(got)}, want a tensor of shape {tuple(want.shape)}")
    got = plain(got)
    if not dense(got) and got.device.type != "meta":
        return Fault(
            Kind.FORM, f"{name} is a tensor of a special kind (sparse, nested, quantized), want a plain one"
        )
    if got.shape != want.shape:
        text = f"{name} has shape {tuple(got.shape)}, want {tuple(want.shape)}{shape_hint(got, want)}"
        return Fault(Kind.SHAPE, text)
    if got.device.type != want.device.type:
        return Fault(
            Kind.FORM,
            f"{name} is on {got.device.type}, want {want.device.type}, the device of the inputs; "
            "give device= to every tensor you make",
        )
    wider = not same_dtype and (got.dtype, want.dtype) == (torch.float64, torch.float32)
    if got.dtype != want.dtype and not wider:
        return Fault(
            Kind.FORM, f"{name} has dtype {short(got.dtype)}, want {short(want.dtype)}{dtype_hint(got, want)}"
        )
    return None


def state_fault(states: Sequence[str], got: Tensor, want: Tensor) -> Fault | None:
    """Where a path leaves the right one, and what is wrong with the state there."""
    first = leaves_at(got, want)
    if first is None:
        return None
    fault = entries_fault(states[first], got[first], want[first])
    assert fault
    return replace(fault, text=f"{right_up_to(states, first)}{fault.text}")


def leaves_at(got: Tensor, want: Tensor) -> int | None:
    """The first state, along the first axis, in which a path is not the right one; None where all are right."""
    off = ~close(got, want).flatten(1).all(1) if got.ndim > 1 else ~close(got, want)
    return int(off.nonzero()[0]) if bool(off.any()) else None


def entries_fault(name: str, got: Tensor, want: Tensor, t: object = None) -> Fault | None:
    """NaN and infinity, and wrong numbers."""
    if not bool(torch.isfinite(got).all()):
        bad = ~torch.isfinite(got)
        what, cause = (
            ("NaN", "0/0, log(0) or the root of a negative number")
            if bool(got.isnan().any())
            else ("infinity", "a division by 0, log(0) or a number that is too large for its dtype")
        )
        return Fault(
            Kind.NUMBERS,
            f"{name} holds {what} in {int(bad.sum())} of {got.numel()} entries{times(bad, t)}, "
            f"first at {place(name, bad)}; look for {cause}",
        )
    text = numbers_fault(name, got, want, t)
    return Fault(Kind.NUMBERS, text) if text else None


def numbers_fault(name: str, got: Tensor, want: Tensor, t: object = None) -> str:
    """The largest error, where it is, and how many entries are off; '' if none is."""
    off = ~close(got, want)
    if not bool(off.any()):
        return ""
    # Only the entries that are off compete for the largest error.
    error = torch.where(off, (got.double() - want.double()).abs(), 0)
    worst = error == error.max() if not bool(error.isnan().any()) else error.isnan()
    left, right = pair(got[worst][0].item(), want[worst][0].item())
    where = f"{place(name, worst)} is {left}, want {right}"
    if got.numel() == 1:
        return where
    share = f"{int(off.sum())} of {off.numel()} entries are off"
    return f"{where} (max error {error.max():.2g}; {share}{times(off, t)})"


def close(got: Tensor, want: Tensor) -> Tensor:
    """Which entries agree within the tolerance of the wanted dtype; integers must be equal."""
    relative, absolute = TOLERANCE.get(want.dtype, (0.0, 0.0))
    return torch.isclose(got.to(want.dtype), want, rtol=relative, atol=absolute, equal_nan=True)


def alike(got: object, want: object) -> bool:
    """Do two returned values agree: equal structure and shapes, numbers within tolerance, NaN at NaN?"""
    if isinstance(got, tuple | list) and isinstance(want, tuple | list):
        return len(got) == len(want) and all(map(alike, got, want))
    if not is_tensor(got) or not is_tensor(want):
        return type(got) is type(want) and not isinstance(got, tuple | list | Tensor)
    got, want = plain(got), plain(want)
    if not all(map(dense, (got, want))):
        return False
    same_kind = (got.shape, got.dtype, got.device) == (want.shape, want.dtype, want.device)
    return same_kind and bool(close(got, want).all())


def plain(value: Tensor) -> Tensor:
    """A tensor without the tricks of a subclass."""
    with torch._C.DisableTorchFunctionSubclass():
        return value.as_subclass(Tensor) if type(value) is not Tensor else value


def dense(value: Tensor) -> bool:
    """Does it hold numbers that can be compared one by one?"""
    special = value.is_nested or value.layout != torch.strided or value.is_quantized
    return not special and value.device.type != "meta"


def is_tensor(value: object) -> TypeGuard[Tensor]:
    """isinstance would believe an object that only says that it is a tensor."""
    return issubclass(type(value), Tensor)


def dtype_hint(got: Tensor, want: Tensor) -> str:
    """Where a dtype that is not that of the inputs comes from."""
    if got.is_floating_point() and want.is_floating_point():
        return ", the dtype of the inputs; give dtype= to every tensor you make, and convert none with .float() or .double()"
    return ""


def shape_hint(got: Tensor, want: Tensor) -> str:
    """What kind of slip makes this shape from that one."""
    if want.ndim == 0 and got.numel() == 1:
        return ": one number without an axis"
    if want.ndim == 0:
        return ": reduce over all entries, the batch too"
    if got.ndim == 0 and want.numel() == 1:
        return ": one number without its axes; is there a .squeeze()?"
    if got.ndim == 0:
        return ": one reduction too many"
    if sorted(got.shape) == sorted(want.shape):
        moved = sum(a != b for a, b in zip(got.shape, want.shape, strict=True))
        return ": two axes are swapped" if moved == 2 else ": the axes are in another order"
    if got.ndim < want.ndim and [n for n in got.shape if n > 1] == [n for n in want.shape if n > 1]:
        return ": an axis of size 1 is lost; is there a .squeeze()?"
    if got.numel() == want.numel():
        return ": the same entries, reshape them"
    if got.ndim == want.ndim and got.shape[1:] == want.shape[1:] and abs(len(got) - len(want)) == 1:
        return ": one entry too many" if len(got) > len(want) else ": one entry too few"
    return _larger_hint(list(got.shape), list(want.shape)) if got.ndim > want.ndim else ""


def _larger_hint(got: list[int], want: list[int]) -> str:
    """Axes too many. A number for each sample that meets data in the wrong form makes one more axis of the batch's length."""
    more = list((Counter(got) - Counter(want)).elements())
    if len(more) != len(got) - len(want):
        return ""
    if set(more) <= {want[0], 1}:
        return (
            ": broadcasting made it larger; reshape a (B,) tensor to (B, 1, ..., 1) before it meets (B, *S)"
        )
    return (
        f": an axis of {more[0]} too many; is a sum over it left out, or an entry of it to be picked?"
        if len(more) == 1
        else ""
    )


def kind(value: object) -> str:
    """A value that should have been a tensor, in words."""
    if value is None:
        return "None (is the `return` missing?)"
    if type(value).__module__ == "numpy":
        return "a NumPy array; stay in torch, without .numpy()"
    if isinstance(value, bool | int | float):
        return "a Python number; keep it a tensor, without .item() or float()"
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    if isinstance(value, list):
        return f"a list of {len(value)}; make one tensor of it, as torch.stack does of tensors"
    if isinstance(value, Tensor):
        return f"one tensor of shape {tuple(value.shape)}"
    return f"of type {type(value).__name__}"


def describe(names: Sequence[str], args: Sequence) -> str:
    """The inputs of a case in one line: shapes of tensors, values of numbers, of lists and of few integers."""
    parts = []
    for name, arg in zip(names, args, strict=True):
        if isinstance(arg, Tensor):
            parts.append(_tensor(name, arg))
        elif isinstance(arg, Each):
            parts.append(arg.told(name))
        elif isinstance(arg, list):
            parts.append(f"{name} = {arg}")
        elif isinstance(arg, bool | int | float):
            parts.append(f"{name} = {arg:g}" if isinstance(arg, float) else f"{name} = {arg}")
    dtypes = {short(a.dtype): None for a in args if isinstance(a, Tensor) and a.is_floating_point()}
    return ", ".join([*parts, *dtypes])


def _tensor(name: str, arg: Tensor) -> str:
    if arg.is_floating_point():
        return f"{name} = {arg.item():.6g}" if not arg.ndim else f"{name} {tuple(arg.shape)}"
    shape = f"{name} {tuple(arg.shape)}, {short(arg.dtype)}"
    return f"{name} = tensor({arg.tolist()})" if arg.numel() <= MOST_WRITTEN else shape


def place(name: str, mask: Tensor) -> str:
    """The first True of a mask, as an index: 'result[2, 0]'."""
    return f"{name}{mask.nonzero()[0].tolist()}" if mask.ndim else name


def times(off: Tensor, t: object) -> str:
    """', all where t = 1' when only some rows of the batch are off and their times tell why."""
    if not isinstance(t, Tensor) or off.ndim == 0 or t.shape != off.shape[:1]:
        return ""
    rows = off.reshape(len(off), -1).any(1)
    bad, good = set(t[rows].tolist()), set(t[~rows].tolist())
    written = [f"{time:.6g}" for time in sorted(bad)]
    if len(written) > MOST_TIMES:
        written = [*written[:MOST_TIMES], f"and {len(written) - MOST_TIMES} more"]
    return "" if not good or bad & good else f", all where t = {', '.join(written)}"


def pair(got: float, want: float) -> tuple[str, str]:
    """Two numbers with as few digits as tell them apart."""
    digits = next((d for d in (4, 6, 8, 10) if f"{got:.{d}g}" != f"{want:.{d}g}"), 12)
    return f"{got:.{digits}g}", f"{want:.{digits}g}"


def short(dtype: torch.dtype) -> str:
    """'float32' for torch.float32."""
    return str(dtype).removeprefix("torch.")
