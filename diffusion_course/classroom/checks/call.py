"""One call of a student's function, with everything it did on the way written down."""

import contextlib
import copy
import inspect
import io
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .toy_steps import asked
from .toys import Toy


@dataclass(frozen=True)
class Outcome:
    """What a call gave, which arguments and what global state it changed, what it printed, and what it asked of the toys.

    graded: numbers of the arguments whose .grad was filled, and which are as they were otherwise.

    spoiled: numbers of the toys whose answers were changed in place.

    evaluated: number of an argument that is a toy -> how many samples it was shown. shown: -> the arguments of each call.
    """

    value: object
    error: BaseException | None
    changed: list[int]
    graded: list[int]
    spoiled: list[int]
    touched: str
    printed: str
    evaluated: dict[int, int]
    shown: dict[int, list[tuple]]


def call(function: Callable, args: Sequence) -> Outcome:
    """Call function(*args) and write down what happened. The call may spoil args: pass `fresh` ones."""
    before, state = fresh(args), _global_state()
    recording = [isinstance(a, Tensor) and a.requires_grad for a in args]
    value, error, printed = None, None, io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            value = asked(function, args)
        except KeyboardInterrupt:  # the person at the keyboard
            raise
        except BaseException as caught:  # exit() in an answer must not end the notebook
            error = caught
    now = _global_state()
    touched = next((name for name, old in state.items() if not _same(old, now[name])), "")
    changed = [
        i
        for i, (old, new, recorded) in enumerate(zip(before, args, recording, strict=True))
        if not _same(old, new) or (isinstance(new, Tensor) and new.requires_grad != recorded)
    ]
    leaves = [
        i for i, arg in enumerate(args) if isinstance(arg, Tensor) and arg.is_leaf
    ]  # others have no .grad
    graded = [i for i in leaves if args[i].grad is not None]
    spoiled = [i for i, arg in enumerate(args) if isinstance(arg, Toy) and arg.spoiled]
    evaluated = {i: arg.evaluated for i, arg in enumerate(args) if isinstance(arg, Toy)}
    shown = {i: arg.shown for i, arg in enumerate(args) if isinstance(arg, Toy)}
    return Outcome(value, error, changed, graded, spoiled, touched, printed.getvalue(), evaluated, shown)


@contextlib.contextmanager
def isolated() -> Iterator[None]:
    """Undo what the code inside does to torch's random state, grad mode and default dtype."""
    dtype, devices = torch.get_default_dtype(), range(torch.cuda.device_count())
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices):
        try:
            torch.set_default_dtype(torch.float32)
            yield
        finally:
            torch.set_default_dtype(dtype)


def fresh(args: Sequence, grad: Sequence[int] = ()) -> tuple:
    """Copies of the arguments. The tensors numbered in `grad` become leaves that record gradients."""
    copies = [a.detach().clone() if isinstance(a, Tensor) else copy.deepcopy(a) for a in args]
    for i in grad:
        copies[i].requires_grad_()
    return tuple(copies)


def scattered(args: Sequence) -> tuple:
    """Copies of the arguments whose tensors are not contiguous in memory."""
    return tuple(_scattered(a) if isinstance(a, Tensor) and a.ndim else copy.deepcopy(a) for a in args)


def _scattered(a: Tensor) -> Tensor:
    """The same numbers, stored with the last axis first; a table with gaps."""
    if a.ndim == 1:
        return torch.stack([a, a], -1)[:, 0]
    backwards = list(range(a.ndim))[::-1]
    return a.permute(backwards).contiguous().permute(backwards)


def other_data(args: Sequence) -> tuple:
    """Copies of the arguments with other data (B, *S) and other weights in the models, of the same shapes. Probabilities and covariances stay such."""
    copies = fresh(args)
    for a in copies:
        if isinstance(a, Toy):
            a.weights.data.mul_(1.1)
    return tuple(
        a.roll((1, 1), (0, 1)) * 0.9
        if isinstance(a, Tensor) and _is_symmetric(a)
        else a.roll(1, -1) * (1 if _stays(a) else 0.9)
        if isinstance(a, Tensor) and a.ndim > 1 and a.is_floating_point()
        else a
        for a in copies
    )


def _is_symmetric(a: Tensor) -> bool:
    """Is it a covariance, as far as one sees?"""
    return a.ndim == 2 and a.is_floating_point() and a.shape[0] == a.shape[1] and bool((a == a.T).all())


def _stays(a: Tensor) -> bool:
    """Are they marks, 0 or 1, or do the numbers along the last axis add up to 1, none below 0?"""
    total = a.sum(-1)
    return bool(((a == 0) | (a == 1)).all()) or (
        bool((a >= 0).all()) and torch.allclose(total, torch.ones_like(total))
    )


def in_float64(args: Sequence) -> tuple:
    """Copies of the arguments with every floating-point tensor and model in float64, for the reference."""
    return tuple(
        a.double() if isinstance(a, nn.Module) or (isinstance(a, Tensor) and a.is_floating_point()) else a
        for a in fresh(args)
    )


def leaves(argument: Tensor | nn.Module) -> list[Tensor]:
    """The tensors of an argument that gradients reach: itself, or the weights of a model."""
    return list(argument.parameters()) if isinstance(argument, nn.Module) else [argument]


def blamed_line(error: BaseException, function: Callable) -> str:
    """Where it happened, as "line 3: `x = y`": the deepest line in the function's own file, or ''."""
    with contextlib.suppress(Exception):  # of a function that is wrapped around itself, and the like
        file = getattr(getattr(inspect.unwrap(function), "__code__", None), "co_filename", None)
        lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        return f"line {lines[-1].lineno}: `{lines[-1].line}`" if lines else ""
    return ""


def _global_state() -> dict[str, object]:
    state: dict[str, object] = {
        "torch's global random state": torch.get_rng_state(),
        "torch's grad mode": torch.is_grad_enabled(),
        "torch's default dtype": torch.get_default_dtype(),
    }
    if torch.cuda.is_available():
        state["the GPU's global random state"] = torch.cuda.get_rng_state()
    return state


def _same(old: object, new: object) -> bool:
    if isinstance(old, Tensor) and isinstance(new, Tensor):
        return (old.shape, old.dtype) == (new.shape, new.dtype) and torch.equal(old, new)
    if isinstance(old, nn.Module) and isinstance(new, nn.Module):
        return all(map(_same, old.state_dict().values(), new.state_dict().values()))
    return not isinstance(old, bool | torch.dtype) or old == new
