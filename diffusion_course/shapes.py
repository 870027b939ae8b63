"""What fits what: numbers and labels for each sample of a batch x of shape (B, *S). Each function says in one line what does not."""

import torch
from torch import Tensor

from .errors import CourseError, shown


def number(value: float | Tensor) -> Tensor:
    """A tensor as it is; a Python number in float64 (`as_tensor` alone rounds it to float32, so that 0.1 is 1e-9 off)."""
    return value if isinstance(value, Tensor) else torch.as_tensor(value, dtype=torch.float64)


def unwrapped(value: float | Tensor) -> float | Tensor:
    """The number in a tensor (), as a loop over a linspace gives it; anything else as it is."""
    return value.item() if isinstance(value, Tensor) and value.ndim == 0 else value


def append_dims(values: Tensor, x: Tensor) -> Tensor:
    """values () or (B,) on x's device, with axes of length 1 behind, to broadcast against x (B, *S)."""
    return moved(values, x.device).reshape(values.shape + (1,) * (x.ndim - values.ndim))


def expand(value: float | Tensor, x: Tensor, name: str = "sigma") -> Tensor:
    """A number for all samples, (), or for each, (B,), shaped to multiply x (B, *S).

    A 0-d value stays float64 (it multiplies any tensor on any device and does not change its dtype);
    a (B,) value takes x's dtype and device. Raises CourseError, naming it, for another shape, and for an x of integers.
    """
    check_float("x", x)
    try:
        value = number(value)
    except (TypeError, ValueError, RuntimeError):
        raise CourseError(f"{name}: got {shown(value)}, want a number, or one for each of {len(x)}") from None
    check_rows(name, value, x)
    return value if value.ndim == 0 else append_dims(value, x).to(x)


def per_row(name: str, labels: int | Tensor, x: Tensor) -> Tensor:
    """Labels () or (B,) as (B,) on x's device. Raises CourseError for another shape, and for what is no number."""
    try:
        labels = torch.as_tensor(labels, device=x.device)
    except (TypeError, ValueError, RuntimeError):
        raise CourseError(f"{name}: got {shown(labels)}, want a number for all samples, or (B,)") from None
    check_rows(name, labels, x)
    return labels.expand(len(x))


def moved(x: Tensor, device: torch.device) -> Tensor:
    """x on the device. What goes from the CPU to a GPU goes from pinned memory, so that nothing waits for it."""
    if x.device.type == "cpu" and device.type == "cuda":
        return x.pin_memory().to(device, non_blocking=True)
    return x.to(device)


def per_sample(x: Tensor) -> Tensor:
    """Sum over every axis but the first: (B, *S) -> (B,)."""
    return x.flatten(1).sum(1) if x.ndim > 1 else x


def in_dtype(x: Tensor, dtype: torch.dtype) -> Tensor:
    """x in this dtype. A `to` that has nothing to do takes 1 µs, four of them an eighth of a sampling step at 16 x 1 x 28 x 28."""
    return x if x.dtype == dtype else x.to(dtype)


def at_least_single(x: Tensor) -> Tensor:
    """x in float32 if it is of half precision, else x itself: what a computation over many steps or terms needs."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def squared_error(a: Tensor, b: Tensor) -> Tensor:
    """(a - b)^2, never in half precision: there the weight of a loss, or a sum over pixels, soon passes the largest number."""
    return (at_least_single(a) - at_least_single(b)).square()


def check_float(name: str, x: Tensor) -> None:
    """Raise CourseError unless x is a tensor of real floating-point numbers: in integers a result would be cut off."""
    if not isinstance(x, Tensor):
        raise CourseError(
            f"{name}: got {type(x).__name__}, want a tensor; convert with torch.as_tensor({name})"
        )
    if not x.is_floating_point():
        raise CourseError(f"{name}: got dtype {x.dtype}, want floating point; convert with {name}.float()")


def positive(name: str, value: float | Tensor) -> Tensor:
    """`number(value)`. Raises CourseError unless every entry is finite and > 0."""
    value = number(value)
    bad = ~((value > 0) & value.isfinite())
    if bool(bad.any()):
        raise CourseError(f"{name}: got {value[bad].flatten()[0].item():g}, want numbers > 0")
    return value


def check_state(x: Tensor, least: int = 1) -> None:
    """Raise CourseError unless x can start a sampling loop: finite floating-point numbers, of at least so many axes."""
    check_float("x", x)
    if x.ndim < least:
        raise CourseError(f"x: got shape {tuple(x.shape)}, want (B, *S)")
    if not bool(torch.isfinite(x).all()):
        raise CourseError("x: holds NaN or infinity before the first step")


def check_rows(name: str, value: Tensor, x: Tensor, one: bool = False) -> None:
    """Raise CourseError unless value has the shape () or (B,). one: (1,) passes as well."""
    if tuple(value.shape) not in ((), (len(x),)) and not (one and value.shape == (1,)):
        raise CourseError(
            f"{name}: got shape {tuple(value.shape)}, want () or ({len(x)},) to match x {tuple(x.shape)}"
        )


def check_batch(name: str, x: Tensor, *event: int) -> None:
    """Raise CourseError unless x holds floating-point numbers in the shape (B, *event)."""
    if x.ndim != len(event) + 1 or x.shape[1:] != event:
        raise CourseError(f"{name}: got shape {tuple(x.shape)}, want (B, {', '.join(map(str, event))})")
    check_float(name, x)


def same(name_a: str, a: Tensor, name_b: str, b: Tensor) -> None:
    """Raise CourseError unless these are two tensors that agree in shape and device."""
    for name, x in ((name_a, a), (name_b, b)):
        if not isinstance(x, Tensor):
            raise CourseError(f"{name}: got {type(x).__name__}, want a tensor")
    if a.shape != b.shape:
        raise CourseError(
            f"{name_b}: got shape {tuple(b.shape)}, want {tuple(a.shape)}, the shape of {name_a}"
        )
    if a.device != b.device:
        raise CourseError(f"{name_b}: is on {b.device} and {name_a} on {a.device}; move one with .to(...)")


def check_answer(name: str, answer: object, x: Tensor) -> None:
    """Raise CourseError unless what a function of x returned is a tensor of x's shape."""
    if not isinstance(answer, Tensor) or answer.shape != x.shape:
        got = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        raise CourseError(f"{name}: returned {got}, want a tensor of x's shape {tuple(x.shape)}")
