"""What can be wrong with a function besides its numbers, in words. None means nothing is."""

import contextlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .call import Outcome, blamed_line, call, fresh, in_float64, leaves
from .compare import Fault, Kind, alike, numbers_fault, value_fault
from .data import Case, Check, NotDone
from .design import design_fault
from .torch_errors import torch_hint
from .toy_steps import Each


def signature_fault(check: Check, answer: object) -> str:
    """Is it a function of the right arguments? Other names are fine, since calls are positional."""
    wanted = check.parameters
    if not callable(answer) or isinstance(answer, nn.Module | type):
        usage = f'check("{check.id}", {check.function})'
        return f"got {type(answer).__name__}, want the function itself, without calling it: {usage}"
    try:
        signature = inspect.signature(answer)
    except Exception:  # some functions written in C do not tell, and an object may raise anything
        return ""
    got = list(signature.parameters)
    try:
        signature.bind(*wanted)
    except TypeError:
        return f"the function takes ({', '.join(got)}), want the arguments ({', '.join(wanted)})"
    required = [n for n, p in inspect.signature(check.reference).parameters.items() if p.default is p.empty]
    try:
        signature.bind(*required)
    except TypeError:
        left = ", ".join(wanted[len(required) :])
        return f"the function takes ({', '.join(got)}), and the chapter leaves out {left}: keep the defaults of the first line"
    if got != wanted and sorted(got) == sorted(wanted):
        return f"the function takes ({', '.join(got)}), want the order ({', '.join(wanted)})"
    return ""


def not_done(check: Check) -> NotDone:
    todo = "fill in the function above, run its cell, then run this cell again."
    return NotDone(f"{check.id} is not written yet: {todo}")


def call_fault(check: Check, answer: Callable, args: tuple, outcome: Outcome) -> Fault | None:
    """What went wrong while the function ran. Raises NotDone for a stub."""
    if outcome.error:
        line = blamed_line(outcome.error, answer)
        # torch has NotImplementedErrors of its own, for operations a dtype lacks: no `raise` stands there.
        if isinstance(outcome.error, NotImplementedError) and ("raise" in line or not line):
            raise not_done(check)
        what = f"your function stopped with {type(outcome.error).__name__}: {said(outcome.error)}"
        # A machine's arguments are not the answer's.
        hint = "" if check.machine else torch_hint(check.arguments, args, said(outcome.error))
        return Fault(Kind.STOPPED, "\n".join(filter(None, (what, f"in {line}" if line else ""))), hint)
    if outcome.touched:
        own = any(isinstance(arg, Each) for arg in args)  # a test makes its own inputs
        drawn = (
            ": it draws or seeds random numbers of its own, as making an nn.Linear does, too"
            if "random" in outcome.touched
            else ""
        )
        use = "draw from dc.Noise(seed) or a torch.Generator" if own else "use only the arguments"
        return Fault(
            Kind.CHANGED,
            f"the function changed {outcome.touched}{drawn}; {use}, and leave global state alone",
        )
    if outcome.changed:
        name = check.arguments[outcome.changed[0]]
        return Fault(
            Kind.CHANGED,
            f"the function changed its argument {name} in place, as `{name} += ...` and `{name}.requires_grad_()` do; "
            "make a new tensor",
        )
    if outcome.graded:
        name = check.arguments[outcome.graded[0]]
        return Fault(
            Kind.CHANGED,
            f"the function called .backward(), which also fills the .grad of its argument {name}; "
            "torch.autograd.grad(value, leaf) fills none",
        )
    if outcome.spoiled:
        name = check.arguments[outcome.spoiled[0]]
        return Fault(
            Kind.CHANGED,
            f"the function changed in place what {name} returned; a model may keep it, so make a new tensor",
        )
    return None


def result_fault(
    check: Check, args: tuple, value: object, evaluated: dict[str, tuple[int, int]]
) -> Fault | None:
    """What is wrong with what a call returned, and with how often it asked its models.

    args: the case, unspoiled. evaluated: model argument -> how many samples it was shown, and in how many calls.
    """
    t = dict(zip(check.arguments, args, strict=True)).get("t")
    try:
        if check.score:
            return design_fault(check, args, value, wanted(check, args))
        want = wanted(check, args)
        states = check.states(args, len(want)) if check.path else ()
        fault = value_fault(check.outputs, value, want, t, check.same_dtype, states)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a returned object may pretend to be a tensor and raise anything
        return Fault(Kind.FORM, f"the result cannot be read as a tensor ({type(error).__name__})")
    return fault or _count_fault(check, args, evaluated)


def _count_fault(check: Check, args: tuple, evaluated: dict[str, tuple[int, int]]) -> Fault | None:
    for name, most in check.evaluations.items():
        limit, (seen, calls) = most(*args), evaluated.get(name, (0, 0))
        if seen > limit:
            why = (
                "in this one call, is the first axis of what it is given the batch, and nothing there twice?"
                if calls == 1
                else "call it once for each value that you use, for none that you throw away, and keep the answer in a variable; "
                "evaluations are what sampling costs"
            )
            text = (
                f"the numbers are right, but {name} was shown {seen} samples, where {limit} are enough: {why}"
            )
            return Fault(Kind.COUNT, text)
    for name, often in check.calls.items():
        asked, (_, calls) = often(*args), evaluated.get(name, (0, 0))
        want = asked[-1] if isinstance(asked, range) else asked
        if calls not in (asked if isinstance(asked, range) else (want,)):
            why = "give it all samples at once" if calls > want else "it is called whatever the numbers are"
            text = f"the numbers are right, but {name} was called {_times(calls)}, where the text says {_times(want)}: {why}"
            return Fault(Kind.COUNT, text)
    return None


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def repeat_fault(check: Check, answer: Callable, args: tuple, outcome: Outcome) -> Fault | None:
    """Does a second call on equal inputs give the same?"""
    again = call(check.driven(answer), fresh(args))
    if not again.error and alike(again.value, outcome.value):
        return None
    return Fault(
        Kind.NUMBERS,
        "two calls with equal inputs gave different results; all randomness must come from the arguments, "
        "and nothing may be kept between calls",
    )


def gradient_fault(check: Check, args: tuple, value: Any, used: tuple) -> Fault | None:
    """Compare gradients with the reference's, for the arguments that they must reach.

    args: the case. used: what the answer was called with, recording gradients.
    """
    grad = [check.parameters.index(name) for name in check.grad]
    exact_args = fresh(in_float64(args), grad)
    exact = check.reference(*exact_args)
    for name, i in zip(check.grad, grad, strict=True):
        text = _gradient_fault(name, value, used[i], exact, exact_args[i])
        if text:
            return Fault(Kind.GRADIENT, text)
    return None


def wanted(check: Check, args: tuple) -> Any:
    """The right answer to a case, in the dtype of its inputs."""
    if not isinstance(args, Case):
        return _like_inputs(check.right(*in_float64(args)), args)
    if args.want is None:
        args.want = wanted(check, tuple(args))
    return args.want


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
    if any(leaf.grad is not None for leaf in leaves(got_arg)):
        return "the function called backward(): return the value, and leave backward() to the training step"
    try:
        mine_all = _gradients(got, got_arg)
    except RuntimeError as error:
        return f"the result is right, but its gradient cannot be taken: {said(error)}"
    for mine, right in zip(mine_all, _gradients(want, want_arg), strict=True):
        assert right is not None
        if mine is None:
            return (
                f"the result is right, but no gradient flows back to {name}: .detach(), .item(), .numpy(), "
                "torch.no_grad() and torch.tensor(...) cut it off"
            )
        if not bool(torch.isfinite(mine).all()):
            return f"the result is right, but its gradient with respect to {name} is NaN or infinite"
        size = max(1.0, right.abs().max().item())  # beside a large gradient a small one is rounding
        if numbers_fault("", mine / size, right.to(mine) / size):
            fault = numbers_fault("", mine, right.to(mine))
            return (
                f"the result is right, but its gradient with respect to {name} differs: at {fault}. A part of the way back is cut "
                "off, as .detach(), .item() and torch.no_grad() do it"
            )
    return ""


def _gradients(outputs: Any, argument: Tensor | nn.Module) -> Sequence[Tensor | None]:
    tensors = outputs if isinstance(outputs, tuple | list) else [outputs]
    # Uneven weights: in a plain sum some wrong gradients would cancel.
    weighted = [o * torch.linspace(1, 2, o.numel()).to(o).reshape(o.shape) for o in tensors]
    total = torch.stack([w.sum() for w in weighted]).sum()
    if not total.requires_grad:
        return [None for _ in leaves(argument)]
    return list(torch.autograd.grad(total, leaves(argument), retain_graph=True, allow_unused=True))


def said(error: BaseException) -> str:
    """An error's own words; it may be of a class that cannot say any."""
    with contextlib.suppress(Exception):
        return str(error)
    return "(no message)"
