"""What can be wrong with a function besides its numbers, in words. '' means nothing is."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .call import Outcome, blamed_line, call, fresh, in_float64, leaves
from .compare import alike, numbers_fault, value_fault
from .data import Check, NotDone


def signature_fault(check: Check, answer: object) -> str:
    """Is it a function of the right arguments? Other names are fine, since calls are positional."""
    wanted = check.parameters
    if not callable(answer) or isinstance(answer, nn.Module | type):
        usage = f'check("{check.id}", {check.id[3:]})'
        return f"got {type(answer).__name__}, want the function itself, without calling it: {usage}"
    try:
        signature = inspect.signature(answer)
    except ValueError:  # some functions written in C do not tell
        return ""
    got = list(signature.parameters)
    try:
        signature.bind(*wanted)
    except TypeError:
        return f"the function takes ({', '.join(got)}), want the arguments ({', '.join(wanted)})"
    if got != wanted and sorted(got) == sorted(wanted):
        return f"the function takes ({', '.join(got)}), want the order ({', '.join(wanted)})"
    return ""


def call_fault(check: Check, answer: Callable, outcome: Outcome) -> str:
    """What went wrong while the function ran. Raises NotDone for a stub."""
    if outcome.error:
        line = blamed_line(outcome.error, answer)
        # torch has NotImplementedErrors of its own, for operations a dtype lacks: no `raise` stands there.
        if isinstance(outcome.error, NotImplementedError) and ("raise" in line or not line):
            todo = "fill in the function above, run its cell, then run this cell again."
            raise NotDone(f"{check.id} is not written yet: {todo}")
        what = f"your function stopped with {type(outcome.error).__name__}: {outcome.error}"
        return f"{what}\nin {line}" if line else what
    if outcome.touched:
        return f"the function changed {outcome.touched}; use only the arguments, and leave global state alone"
    if outcome.changed:
        name = check.parameters[outcome.changed[0]]
        return (
            f"the function changed its argument {name} in place, as `{name} += ...` does; make a new tensor"
        )
    return ""


def answer_fault(check: Check, answer: Callable, args: tuple, got: object) -> str:
    """What is wrong with the value, with a second call on equal inputs, or with the gradients."""
    grad = [check.parameters.index(name) for name in check.grad]
    exact_args = fresh(in_float64(args), grad)
    exact = check.reference(*exact_args)
    t = dict(zip(check.parameters, args, strict=True)).get("t")
    fault = value_fault(check.outputs, got, _like_inputs(exact, args), t)
    if fault:
        return fault
    again_args = fresh(args, grad)
    again = call(answer, again_args)
    if again.error:
        return f"with inputs that record gradients, {call_fault(check, answer, again)}"
    if not alike(again.value, got):
        return (
            "two calls with equal inputs gave different results; all randomness must come from the arguments"
        )
    faults = (
        _gradient_fault(name, again.value, again_args[i], exact, exact_args[i])
        for name, i in zip(check.grad, grad, strict=True)
    )
    return next(filter(None, faults), "")


def wanted(check: Check, args: tuple) -> Any:
    """The right answer to a case, in the dtype of its inputs."""
    return _like_inputs(check.reference(*in_float64(args)), args)


def _like_inputs(exact: object, args: tuple) -> Any:
    """The float64 reference in the dtype of the inputs, if one is a tensor. Integer results stay as they are."""
    if isinstance(exact, tuple):
        return tuple(_like_inputs(e, args) for e in exact)
    assert isinstance(exact, Tensor)
    if not exact.is_floating_point():
        return exact
    dtypes = (a.dtype for a in args if isinstance(a, Tensor) and a.is_floating_point())
    return exact.detach().to(next(dtypes, exact.dtype))


def _gradient_fault(name: str, got: Any, got_arg: Any, want: Any, want_arg: Any) -> str:
    """Compare the gradients of a weighted sum of the outputs with respect to one argument."""
    cut = ": .detach(), .item(), .numpy(), torch.no_grad() and torch.tensor(...) cut it off"
    for mine, right in zip(_gradients(got, got_arg), _gradients(want, want_arg), strict=True):
        if mine is None:
            return f"the result is right, but no gradient flows back to {name}{cut}"
        fault = numbers_fault(f"its gradient with respect to {name} at ", mine, right.to(mine))
        if fault:
            return f"the result is right, but {fault}{cut}"
    return ""


def _gradients(outputs: Any, argument: Tensor | nn.Module) -> list:
    tensors = outputs if isinstance(outputs, tuple | list) else [outputs]
    # Uneven weights: in a plain sum some wrong gradients would cancel.
    weighted = [o * torch.linspace(1, 2, o.numel()).to(o).reshape(o.shape) for o in tensors]
    total = torch.stack([w.sum() for w in weighted]).sum()
    if not total.requires_grad:
        return [None for _ in leaves(argument)]
    return list(torch.autograd.grad(total, leaves(argument), retain_graph=True, allow_unused=True))
