"""Steps of a sampler that are data: formulas in words, which run where no check is. `Each` holds many of them for a test to judge.

Like the toys this file holds no reference. Which formula is right, and which are not, comes in as data (`ch07_steps`).
"""

import ast
import operator
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

Formula = Callable[[dict[str, Any]], Any]

MOST_CALLS = 300  # of one step, by one call of a test
OPERATORS: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.Gt: operator.gt,
}
FUNCTIONS: dict[str, Callable] = {
    "sqrt": lambda v: v.clamp(min=0).sqrt(),
    "clip": lambda x, most: x.clamp(-most, most),
    "first": lambda x: x[:1].expand_as(x),
    "min": min,
    "max": max,
}


class ToyStep:
    """A step (eps_model, x_t, t, t_prev, eta, z, alpha_bar) -> x_prev that follows `words`, lines of "name = formula"; the last is its result.

    The formulas know x, z, t, p (t_prev), eta, T, model(x, t), and entry(i), the table alpha_bar read at index i, which wraps around.
    Raises RuntimeError after `MOST_CALLS` calls.
    """

    def __init__(self, words: str):
        self.words, self.calls, self.__name__ = words, 0, "step"

    def __deepcopy__(self, memo: dict) -> "ToyStep":
        return ToyStep(self.words)

    def __repr__(self) -> str:
        return "<step>"

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"a step has no {name}; call it, and look at what it does")

    @cached_property
    def _lines(self) -> list[tuple[str, Formula]]:
        body = ast.parse(self.words).body
        lines = []
        for line in body:
            assert isinstance(line, ast.Assign)
            assert isinstance(line.targets[0], ast.Name)
            lines.append((line.targets[0].id, _compiled(line.value)))
        return lines

    def __call__(
        self, eps_model: Callable, x_t: Tensor, t: int, t_prev: int, eta: float, z: Tensor, alpha_bar: Tensor
    ) -> Tensor:
        self.calls += 1
        if self.calls > MOST_CALLS:
            raise RuntimeError(f"one step was called more than {MOST_CALLS} times; choose fewer inputs")
        given = {"x": x_t, "z": z, "t": t, "p": t_prev, "eta": eta, "T": len(alpha_bar)}
        names: dict[str, Any] = FUNCTIONS | given
        names["model"] = lambda x, t: eps_model(x, torch.full((len(x),), t, device=x.device))
        names["entry"] = lambda i: alpha_bar[i % len(alpha_bar)]
        value = x_t
        for name, formula in self._lines:
            value = names[name] = formula(names)
        return value


def _compiled(node: ast.expr) -> Formula:
    """A formula as a function of what its names stand for."""
    match node:
        case ast.Constant(value=number):
            return lambda names: number
        case ast.Name(id=name):
            return lambda names: names[name]
        case ast.UnaryOp(op=op, operand=one):
            return _applied(OPERATORS[type(op)], [one])
        case ast.BinOp(left=left, op=op, right=right):
            return _applied(OPERATORS[type(op)], [left, right])
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _applied(OPERATORS[type(op)], [left, right])
        case ast.IfExp():
            test, body, other = map(_compiled, (node.test, node.body, node.orelse))
            return lambda names: body(names) if test(names) else other(names)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            values = [_compiled(argument) for argument in arguments]
            return lambda names: names[name](*[value(names) for value in values])
    raise ValueError(f"a formula has no {type(node).__name__}")


def _applied(function: Callable, arguments: Sequence[ast.expr]) -> Formula:
    values = [_compiled(argument) for argument in arguments]
    return lambda names: function(*[value(names) for value in values])


class Each:
    """Things that a function of one argument is asked about one by one; its results are verdicts, True or False."""

    def __init__(self, things: Sequence[Any]):
        self.things = tuple(things)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.things)

    def __len__(self) -> int:
        return len(self.things)

    def told(self, name: str) -> str:
        """In words, for a message."""
        return f"{len(self)} {name}s"


def asked(function: Callable, args: Sequence) -> Any:
    """function(*args); for one `Each` the verdicts on all that it holds: (n,), bool."""
    if len(args) == 1 and isinstance(args[0], Each):
        return torch.tensor([verdict(_said(function, thing)) for thing in args[0]])
    return function(*args)


def _said(test: Callable, thing: Any) -> Any:
    try:
        return test(thing)
    except AssertionError as wrong:
        raise TypeError(
            "it raised AssertionError, want True or False; of a wrong one return False"
        ) from wrong


def verdict(value: object) -> bool:
    """A verdict as a bool: Python's own, NumPy's, or a tensor of one. Raises TypeError in words for anything else."""
    if isinstance(value, Tensor) and value.dtype == torch.bool and value.numel() == 1:
        return value.item() is True
    if type(value).__module__ == "numpy" and str(getattr(value, "dtype", "")) == "bool":
        return bool(value)
    if isinstance(value, bool):
        return value
    if value is None:
        raise TypeError("it returned None, want True or False (is the `return` missing?)")
    if isinstance(value, Tensor):
        raise TypeError(
            f"it returned a tensor of shape {tuple(value.shape)}, want True or False; torch.allclose gives one"
        )
    raise TypeError(f"it returned a {type(value).__name__}, want True or False")
