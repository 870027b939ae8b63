"""What is wrong with an answer, in words. Every function here returns '' when nothing is."""

from collections.abc import Sequence

import torch
from torch import Tensor

# Wide enough for another order of operations (float32 loses digits in 1 - alpha_bar), far below any mistake.
TOLERANCE = {torch.float64: 1e-7, torch.float32: 1e-3}


def value_fault(outputs: Sequence[str], got: object, want: object, t: object = None) -> str:
    """Compare a returned value with the reference's. `outputs` names the results: one tensor, or a tuple.

    want: in the dtype and on the device that the answer must have. t: the (B,) times of the case, if any.
    """
    if len(outputs) == 1:
        return tensor_fault(outputs[0], got, want, t)
    names = ", ".join(outputs)
    if not isinstance(got, tuple | list):
        return f"the function returned {kind(got)}, want a tuple ({names})"
    if len(got) != len(outputs):
        return f"the function returned {len(got)} values, want {len(outputs)}: ({names})"
    assert isinstance(want, tuple)
    return next(
        filter(None, (tensor_fault(n, g, w, t) for n, g, w in zip(outputs, got, want, strict=True))), ""
    )


def tensor_fault(name: str, got: object, want: object, t: object = None) -> str:
    """Compare one tensor: type, shape, device, dtype, NaN, and last the numbers."""
    assert isinstance(want, Tensor)
    if not isinstance(got, Tensor):
        return f"{name} is {kind(got)}, want a tensor of shape {tuple(want.shape)}"
    if got.shape != want.shape:
        return f"{name} has shape {tuple(got.shape)}, want {tuple(want.shape)}{shape_hint(got, want)}"
    if got.device.type != want.device.type:
        return (
            f"{name} is on {got.device.type}, want {want.device.type}, the device of the inputs; "
            "give device= to every tensor you make"
        )
    if got.dtype != want.dtype:
        return (
            f"{name} has dtype {short(got.dtype)}, want {short(want.dtype)}, the dtype of the inputs; "
            "give dtype= to every tensor you make"
        )
    if not bool(torch.isfinite(got).all()):
        bad = ~torch.isfinite(got)
        return (
            f"{name} holds {'NaN' if bool(got.isnan().any()) else 'infinity'} in {int(bad.sum())} of "
            f"{got.numel()} entries{times(bad, t)}, first at {place(name, bad)}; "
            "look for 0/0, log(0) or the root of a negative number"
        )
    return numbers_fault(name, got, want, t)


def numbers_fault(name: str, got: Tensor, want: Tensor, t: object = None) -> str:
    """The largest error, where it is, and how many entries are off."""
    off = ~close(got, want)
    if not bool(off.any()):
        return ""
    # Only the entries that are off compete for the largest error.
    error = (got.double() - want.double()).abs() * off
    worst = error == error.max()
    left, right = pair(got[worst][0].item(), want[worst][0].item())
    where = f"{place(name, worst)} is {left}, want {right}"
    if got.numel() == 1:
        return where
    share = f"{int(off.sum())} of {off.numel()} entries are off"
    return f"{where} (max error {error.max():.2g}; {share}{times(off, t)})"


def close(got: Tensor, want: Tensor) -> Tensor:
    """Which entries agree within the tolerance of their dtype; integers must be equal."""
    tolerance = TOLERANCE.get(want.dtype, 0.0)
    return torch.isclose(got, want, rtol=tolerance, atol=tolerance, equal_nan=True)


def alike(got: object, want: object) -> bool:
    """Do two returned values agree: equal structure and shapes, numbers within tolerance, NaN at NaN?"""
    if isinstance(got, tuple | list) and isinstance(want, tuple | list):
        return len(got) == len(want) and all(map(alike, got, want))
    if not isinstance(got, Tensor) or not isinstance(want, Tensor):
        return type(got) is type(want) and not isinstance(got, tuple | list)
    same_kind = (got.shape, got.dtype, got.device) == (want.shape, want.dtype, want.device)
    return same_kind and bool(close(got, want).all())


def shape_hint(got: Tensor, want: Tensor) -> str:
    """What kind of slip makes this shape from that one."""
    if want.ndim == 0:
        return ": reduce over all entries, the batch too"
    if got.ndim == 0:
        return ": one reduction too many"
    if sorted(got.shape) == sorted(want.shape):
        return ": two axes are swapped"
    if got.numel() == want.numel():
        return ": the same entries, reshape them"
    if got.ndim > want.ndim:
        return (
            ": broadcasting made it larger; reshape a (B,) tensor to (B, 1, ..., 1) before it meets (B, *S)"
        )
    return ""


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
    if isinstance(value, Tensor):
        return f"one tensor of shape {tuple(value.shape)}"
    return f"of type {type(value).__name__}"


def describe(names: Sequence[str], args: Sequence) -> str:
    """The inputs of a case in one line: shapes of float tensors, values of integers."""
    parts = []
    for name, arg in zip(names, args, strict=True):
        if isinstance(arg, Tensor):
            parts.append(
                f"{name} {tuple(arg.shape)}" if arg.is_floating_point() else f"{name} = {arg.tolist()}"
            )
        elif isinstance(arg, bool | int | float):
            parts.append(f"{name} = {arg}")
    dtypes = {short(a.dtype): None for a in args if isinstance(a, Tensor) and a.is_floating_point()}
    return ", ".join([*parts, *dtypes])


def place(name: str, mask: Tensor) -> str:
    """The first True of a mask, as an index: 'result[2, 0]'."""
    return f"{name}{mask.nonzero()[0].tolist()}" if mask.ndim else name


def times(off: Tensor, t: object) -> str:
    """', all where t = 1' when only some rows of the batch are off and their times tell why."""
    if not isinstance(t, Tensor) or off.ndim == 0 or t.shape != off.shape[:1]:
        return ""
    rows = off.reshape(len(off), -1).any(1)
    bad, good = set(t[rows].tolist()), set(t[~rows].tolist())
    return "" if not good or bad & good else f", all where t = {', '.join(map(str, sorted(bad)))}"


def pair(got: float, want: float) -> tuple[str, str]:
    """Two numbers with as few digits as tell them apart."""
    digits = next((d for d in (4, 6, 8, 10) if f"{got:.{d}g}" != f"{want:.{d}g}"), 12)
    return f"{got:.{digits}g}", f"{want:.{digits}g}"


def short(dtype: torch.dtype) -> str:
    """'float32' for torch.float32."""
    return str(dtype).removeprefix("torch.")
