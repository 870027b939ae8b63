"""The slips that chapters 01 to 03 share: how alpha_bar_t is read and reshaped, and how x_t is mixed.

A slip is (hint, function). Chapters make mutants of them, alone and in pairs.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor

from ... import schedules
from .data import Mutant

Slip = tuple[str, Callable]

# Bounds and small numbers that public code puts "for stability".
SMALL = (1e-3, 1e-4, 1e-5, 1e-6, 1e-8)


def mix(x0: Tensor, eps: Tensor, a: Tensor) -> Tensor:
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


# ---- how alpha_bar_t is read: (alpha_bar, t) -> (B,)

OFF_BY_ONE = (
    "alpha_bar[t]: betas[0] is beta_1 and alpha_bar[0] is alpha_bar_1, so alpha_bar_t is alpha_bar[t - 1]."
)
REVERSED = "an alpha_bar read backwards: alpha_bar[0] is alpha_bar_1, and alpha_bar[T - 1] is the noisiest."
ONE_BEFORE = "alpha_bar[t - 2], which is alpha_bar_{t-1} (and the last entry at t = 1): alpha_bar_t is alpha_bar[t - 1]."


def right_read(alpha_bar: Tensor, t: Tensor) -> Tensor:
    return alpha_bar[t - 1]


def table_of(betas: Tensor, alpha_bar: Tensor, t: Tensor) -> Tensor:
    """A table of its own in the place of the argument."""
    return torch.cumprod(1 - betas, 0).to(alpha_bar)[t - 1]


# One place beside the right one.
SHIFTED: Sequence[Slip] = (
    (OFF_BY_ONE, lambda ab, t: ab[t]),
    (
        "alpha_bar[t] with the last index held at T - 1: alpha_bar_t is alpha_bar[t - 1].",
        lambda ab, t: ab[t.clamp(max=len(ab) - 1)],
    ),
    (
        "alpha_bar[t] with index T wrapped to 0: alpha_bar_t is alpha_bar[t - 1].",
        lambda ab, t: ab[t % len(ab)],
    ),
    (ONE_BEFORE, lambda ab, t: ab[t - 2]),
    (
        "alpha_bar[t - 2] with the first index held at 0: alpha_bar_t is alpha_bar[t - 1].",
        lambda ab, t: ab[(t - 2).clamp(min=0)],
    ),
)
# These come with a second slip.
OFTEN_SHIFTED = (SHIFTED[0], SHIFTED[2], SHIFTED[3])
READS: Sequence[Slip] = (
    *SHIFTED,
    (REVERSED, lambda ab, t: ab[len(ab) - t]),
    (
        "the first sample's t used for the whole batch: every sample has its own, read alpha_bar[t - 1].",
        lambda ab, t: ab[t[:1].expand_as(t) - 1],
    ),
    (
        "the last sample's t used for the whole batch: every sample has its own, read alpha_bar[t - 1].",
        lambda ab, t: ab[t[-1:].expand_as(t) - 1],
    ),
    (
        "an alpha_bar_t averaged over the batch: every sample has its own.",
        lambda ab, t: ab[t - 1].mean().expand(len(t)),
    ),
    (
        "a t averaged over the batch: every sample has its own.",
        lambda ab, t: ab[t.double().mean().long().expand(len(t)) - 1],
    ),
    (
        "sorted times: alpha_bar[t - 1] must keep the order of the samples.",
        lambda ab, t: ab[t.sort().values - 1],
    ),
    (
        "a running product of alpha_bar, which is one already: read alpha_bar[t - 1] as it is.",
        lambda ab, t: ab.cumprod(0)[t - 1],
    ),
    (
        "alpha_bar taken for betas and multiplied up: it holds alpha_bar_t already.",
        lambda ab, t: (1 - ab).cumprod(0)[t - 1],
    ),
    (
        "alpha_t, one step's share, in the place of alpha_bar_t: read alpha_bar[t - 1] without dividing.",
        lambda ab, t: (ab / torch.cat([torch.ones_like(ab[:1]), ab[:-1]]))[t - 1],
    ),
    (
        "the linear schedule of 1000 steps in the place of the argument alpha_bar: use the table that is given.",
        lambda ab, t: table_of(schedules.linear(1000), ab, t),
    ),
    (
        "the cosine schedule of 1000 steps in the place of the argument alpha_bar: use the table that is given.",
        lambda ab, t: table_of(schedules.cosine(1000), ab, t),
    ),
    (
        "an alpha_bar rounded to float32: keep the dtype of the table, without .float().",
        lambda ab, t: ab.float().to(ab)[t - 1],
    ),
    (
        "times kept in 8 bits, which wrap around above 255: t goes up to T = 1000.",
        lambda ab, t: ab[t % 256 - 1],
    ),
)
BOUNDED: Sequence[Slip] = (
    *(
        (
            f"an alpha_bar kept above {c:g}: at the end of the chapter's tables it is smaller, use it as it is.",
            f,
        )
        for c, f in [(c, lambda ab, t, c=c: ab[t - 1].clamp(min=c)) for c in SMALL]
    ),
    *(
        (f"an alpha_bar kept below {1 - c:g}: at t = 1 it is larger, use it as it is.", f)
        for c, f in [(c, lambda ab, t, c=c: ab[t - 1].clamp(max=1 - c)) for c in (1e-3, 1e-4)]
    ),
    *(
        (f"an alpha_bar kept between {c:g} and {1 - c:g}: it leaves these bounds, use it as it is.", f)
        for c, f in [(c, lambda ab, t, c=c: ab[t - 1].clamp(c, 1 - c)) for c in (1e-3, 1e-4)]
    ),
)


# ---- how (B,) meets (B, *S): (values, x) -> reshaped


def shapes(argument: str) -> Sequence[Slip]:
    """Reshapes that fit some data only; argument: the name of the data (B, *S)."""
    return (
        (
            f"numbers of shape (B,) next to {argument} of shape (B, *S): reshape them to (B, 1, ..., 1) first.",
            lambda v, x: v,
        ),
        (
            f"a reshape made for images only: make as many axes of size 1 as {argument} has event axes, {argument}.ndim - 1.",
            lambda v, x: v[:, None, None, None],
        ),
        (
            f"a reshape to (B, 1), made for points only: make as many axes of size 1 as {argument} has event axes, {argument}.ndim - 1.",
            lambda v, x: v[:, None],
        ),
        (
            f"one axis too many: (B, 1, ..., 1) has as many axes as {argument}, so {argument}.ndim - 1 ones.",
            lambda v, x: v.reshape(-1, *[1] * x.ndim),
        ),
        (
            f"a reshape that knows at most 4 axes: make {argument}.ndim - 1 axes of size 1, however many these are.",
            lambda v, x: v.reshape(-1, *[1] * min(x.ndim - 1, 3)),
        ),
        (
            f"a reshape for points or images only, with 2 axes or 4: make {argument}.ndim - 1 axes of size 1.",
            lambda v, x: v.reshape({1: (-1,), 2: (-1, 1)}.get(x.ndim, (-1, 1, 1, 1))),
        ),
    )


# ---- how x_t is mixed: (x0, eps, a) -> x_t

MIXES: Sequence[Slip] = (
    (
        "a variance used as a standard deviation: the noise is multiplied by sqrt(1 - alpha_bar_t).",
        lambda x0, eps, a: a.sqrt() * x0 + (1 - a) * eps,
    ),
    (
        "a missing square root on the signal: x_0 is multiplied by sqrt(alpha_bar_t).",
        lambda x0, eps, a: a * x0 + (1 - a).sqrt() * eps,
    ),
    (
        "both square roots missing: the weights are sqrt(alpha_bar_t) and sqrt(1 - alpha_bar_t).",
        lambda x0, eps, a: a * x0 + (1 - a) * eps,
    ),
    (
        "1 - sqrt(alpha_bar_t): the root goes around the difference, sqrt(1 - alpha_bar_t).",
        lambda x0, eps, a: a.sqrt() * x0 + (1 - a.sqrt()) * eps,
    ),
    (
        "the two weights swapped: sqrt(alpha_bar_t) belongs to x_0, sqrt(1 - alpha_bar_t) to the noise.",
        lambda x0, eps, a: mix(eps, x0, a),
    ),
    ("a minus in front of the noise: it is added.", lambda x0, eps, a: mix(x0, -eps, a)),
    (
        "noise without a weight: it is multiplied by sqrt(1 - alpha_bar_t).",
        lambda x0, eps, a: a.sqrt() * x0 + eps,
    ),
    (
        "a signal without a weight: x_0 is multiplied by sqrt(alpha_bar_t).",
        lambda x0, eps, a: x0 + (1 - a).sqrt() * eps,
    ),
    (
        "x_0 + sigma_t eps, the variance-exploding coordinates: here x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps.",
        lambda x0, eps, a: x0 + ((1 - a) / a).sqrt() * eps,
    ),
    (
        "sqrt(alpha_bar_t) in the place of alpha_bar_t under the root of the noise: it is sqrt(1 - alpha_bar_t).",
        lambda x0, eps, a: a.sqrt() * x0 + (1 - a.sqrt()).sqrt() * eps,
    ),
    (
        "one root too many: the weights are sqrt(alpha_bar_t) and sqrt(1 - alpha_bar_t), and alpha_bar[t - 1] is alpha_bar_t itself.",
        lambda x0, eps, a: mix(x0, eps, a.sqrt()),
    ),
    (
        "alpha_bar_t used as if it were sqrt(alpha_bar_t): the weights are sqrt(alpha_bar_t) and sqrt(1 - alpha_bar_t).",
        lambda x0, eps, a: mix(x0, eps, a**2),
    ),
    ("the mean sqrt(alpha_bar_t) x_0 alone: add the noise.", lambda x0, eps, a: a.sqrt() * x0),
)
ADDED: Sequence[Slip] = tuple(
    (
        f"{c:g} added under the root of the noise: at t = 1 that changes it, sqrt(1 - alpha_bar_t) needs no help.",
        lambda x0, eps, a, c=c: a.sqrt() * x0 + (1 - a + c).sqrt() * eps,
    )
    for c in SMALL
)


# ---- mutants made of slips


def pairs(
    first: Sequence[Slip], second: Sequence[Slip], make: Callable[[Callable, Callable], Callable]
) -> Iterator[Mutant]:
    """Two slips at once: make(one, other) is the whole function."""
    for (hint, one), (other_hint, other) in product(first, second):
        yield Mutant(f"two mistakes at once: {hint} And {other_hint}", make(one, other))


def altered(hint: str, function: Callable, **changes: Callable) -> Mutant:
    """The function, whose arguments named in `changes` were changed before it saw them."""
    names = list(inspect.signature(function).parameters)
    assert set(changes) <= set(names)
    return Mutant(
        hint,
        lambda *args: function(
            *(changes[n](a) if n in changes else a for n, a in zip(names, args, strict=True))
        ),
    )


def after(hint: str, function: Callable, change: Callable) -> Mutant:
    """The function, whose result was changed."""
    return Mutant(hint, lambda *args: change(function(*args)))


def squeezed(function: Callable, result: str) -> Iterator[Mutant]:
    """The function with a result that lost axes of size 1."""
    yield after(
        f"a batch of one without its batch axis: {result} keeps its shape, for one sample too.",
        function,
        lambda v: v.squeeze(0),
    )
    yield after(
        f"a .squeeze() that takes every axis of size 1 away: {result} keeps its shape, for one sample too.",
        function,
        torch.squeeze,
    )


def in_float32(function: Callable) -> Mutant:
    """The function computed in float32 for float64 arguments."""

    def computed(*args: Any) -> Any:
        dtypes = [a.dtype for a in args if isinstance(a, Tensor) and a.is_floating_point()]
        short = (a.float() if isinstance(a, Tensor) and a.is_floating_point() else a for a in args)
        result = function(*short)
        return tuple(v.to(dtypes[0]) for v in result) if isinstance(result, tuple) else result.to(dtypes[0])

    return Mutant(
        "a result computed in float32: keep the dtype of the arguments, without .float().", computed
    )
