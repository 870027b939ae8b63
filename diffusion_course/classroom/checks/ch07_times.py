"""Sub-sequences of times."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw
from .slips import result_slip


def timestep_subsequence(T: int, n: int, power: int) -> Tensor:
    return 1 + (ramp(n) ** power * (T - 1)).round().long()


def ramp(n: int) -> Tensor:
    """1 to 0 in n numbers; 1 where n = 1."""
    return torch.linspace(1, 0, n, dtype=torch.float64)


def times_slip(hint: str, times: Callable) -> Mutant:
    """A mutant of 1 + round(times(u, T, power)): the 1 after rounding, which decides about halves."""
    return Mutant(hint, lambda T, n, power: 1 + times(ramp(n), T, power).round().long())


def bare_slip(hint: str, times: Callable) -> Mutant:
    """A mutant of round(times(u, T, power))."""
    return Mutant(hint, lambda T, n, power: times(ramp(n), T, power).round().long())


def changed_times(hint: str, change: Callable) -> Mutant:
    """A mutant that returns change(the right times)."""
    return result_slip(hint, timestep_subsequence, change)


def ramp_slip(hint: str, u: Callable) -> Mutant:
    """A mutant with its own u(n)."""
    return Mutant(hint, lambda T, n, power: 1 + ((T - 1) * u(n) ** power).round().long())


def by_python(T: int, n: int, power: int) -> Tensor:
    return torch.tensor([1 + round((T - 1) * ((n - 1 - i) / (n - 1)) ** power) for i in range(n)])


def sizes(d: Draw) -> tuple[int, int, int]:
    """T, n and power: some of the times, all of them, or one. An even n keeps every time off the halves between integers."""
    T = d.integer(500, 1000)
    if d.edge == "first":
        return T, 1, d.integer(1, 2)
    if d.edge == "last" and d.B > 1:
        T = 2 * d.integer(4, 20)
        return T, T, 1
    return T, 2 * d.integer(3, 6), 2 if d.dtype == torch.float64 else 1


def subsequences(d: Draw) -> Iterator[tuple[str, tuple]]:
    """The chapter's own numbers of steps, all steps, two, and one, from long chains and short ones."""
    for power in (1, 2):
        for T, n in (
            (1000, 1),
            (1000, 2),
            (1000, 10),
            (1000, 20),
            (1000, 50),
            (1000, 100),
            (2, 1),
            (2, 2),
            (1, 1),
            (4000, 50),
            (12, 12),
            (1_000_000, 1200),  # so many that float32 rounds dozens of them to a neighbour
        ):
            yield f"T = {T}, n = {n}, power = {power}", (T, n, power)
    yield "every step", (1000, 1000, 1)


SUBSEQUENCE = Check(
    id="07-timestep_subsequence",
    points=2,
    minutes=10,
    level=1,
    reference=timestep_subsequence,
    inputs=sizes,
    fixed=subsequences,
    where='the formula in section 6 of this notebook ("Which times?"): tau = 1 + round((T - 1) u^power) '
    "for u = 1, ..., 0 in n equal steps (u = 1 alone for n = 1), as int64.",
    outputs=("times",),
    library=("schedules.uniform_timesteps", "schedules.quadratic_timesteps"),
    mutants=[
        # two at once, and no power
        Mutant(
            "times that rise and are cut off: tau falls from T to 1, and is rounded.",
            lambda T, n, power: 1 + ((T - 1) * torch.linspace(0, 1, n, dtype=torch.float64) ** power).long(),
        ),
        Mutant(
            "a ramp that ignores the power: tau = 1 + round((T - 1) u^power).",
            lambda T, n, power: torch.linspace(T, 1, n, dtype=torch.int64),
        ),
        Mutant(
            "(T - 1) u rounded before the power: round once, at the end.",
            lambda T, n, power: 1 + (((T - 1) * ramp(n)).round() ** power / (T - 1) ** (power - 1)).long(),
        ),
        # one time, and all of them: before what is wrong everywhere
        ramp_slip(
            "the time 1 for n = 1: there the only time is T, so begin u at 1, as linspace(1, 0, n) does.",
            lambda n: torch.linspace(0, 1, n, dtype=torch.float64).flip(0),
        ),
        ramp_slip(
            "0 / 0 for n = 1: n - 1 is 0 there, and the only time is T; linspace(1, 0, n) needs no division.",
            lambda n: torch.arange(n - 1, -1, -1, dtype=torch.float64) / (n - 1),
        ),
        Mutant(
            "a division by n - 1 = 0 for n = 1: the only time is T; linspace(1, 0, n) needs no division.",
            by_python,
        ),
        Mutant(
            "T, ..., 1 for n = T whatever power is: that is power = 1.",
            lambda T, n, power: timestep_subsequence(T, n, 1 if n == T else power),
        ),
        changed_times(
            "equal times taken out: keep all n of them.",
            lambda times: times.unique().flip(0),
        ),
        # the ends
        ramp_slip(
            "rising times, from 1 to T: sampling goes from T down to 1, so let u fall, as linspace(1, 0, n) does.",
            lambda n: torch.linspace(0, 1, n, dtype=torch.float64),
        ),
        changed_times(
            "the right times in rising order: sampling goes from T down to 1.",
            lambda times: times.flip(0),
        ),
        changed_times(
            "times counted from 0: here they run from T down to 1.",
            lambda times: times - 1,
        ),
        Mutant(
            "rising times counted from 0: sampling goes from T down to 1.",
            lambda T, n, power: (
                ((T - 1) * (torch.linspace(0, 1, n, dtype=torch.float64)) ** power).round().long()
            ),
        ),
        bare_slip(
            "times from T to 0: the last one is 1, and the step from it ends at 0.",
            lambda u, T, power: T * u**power,
        ),
        bare_slip(
            "times from T to 0 whose 0 is raised to 1: T - 1 is multiplied by u^power, and 1 added.",
            lambda u, T, power: (T * u**power).round().clamp(min=1),
        ),
        times_slip(
            "times from T + 1 to 1: T - 1 is multiplied by u^power, so that the first one is T.",
            lambda u, T, power: T * u**power,
        ),
        times_slip(
            "999 for T - 1, which is right for T = 1000 only.",
            lambda u, T, power: 999 * u**power,
        ),
        Mutant(
            "n + 1 times: want n of them, both ends included.",
            lambda T, n, power: timestep_subsequence(T, n + 1, power),
        ),
        ramp_slip(
            "a u that falls in steps of 1/n from 1, and ends before 0: the last time is 1.",
            lambda n: torch.arange(n, 0, -1, dtype=torch.float64) / n,
        ),
        ramp_slip(
            "a u that falls in steps of 1/n to 0, and begins below 1: the first time is T.",
            lambda n: torch.arange(n - 1, -1, -1, dtype=torch.float64) / n,
        ),
        # the power
        Mutant(
            "power = 1 whatever power is.",
            lambda T, n, power: timestep_subsequence(T, n, 1),
        ),
        Mutant(
            "power = 2 whatever power is.",
            lambda T, n, power: timestep_subsequence(T, n, 2),
        ),
        times_slip(
            "u^(1/power): that puts the short steps near T; take u^power.",
            lambda u, T, power: (T - 1) * u ** (1 / power),
        ),
        times_slip(
            "1 - (1 - u)^power: that puts the short steps near T; take u^power.",
            lambda u, T, power: (T - 1) * (1 - (1 - u) ** power),
        ),
        times_slip(
            "((T - 1) u)^power, a pair of brackets too many: the power belongs to u alone.",
            lambda u, T, power: ((T - 1) * u) ** power,
        ),
        bare_slip(
            "(1 + (T - 1) u)^power, a pair of brackets too many: the power belongs to u alone.",
            lambda u, T, power: (1 + (T - 1) * u) ** power,
        ),
        times_slip(
            "power times u: u is raised to it, u**power.",
            lambda u, T, power: (T - 1) * u * power,
        ),
        bare_slip(
            "even steps in the root of t: here the root of t - 1 is even.",
            lambda u, T, power: (1 + u * (T ** (1 / power) - 1)) ** power,
        ),
        # integers
        times_slip(
            "times cut off to integers: round to the nearest one.",
            lambda u, T, power: ((T - 1) * u**power).floor(),
        ),
        times_slip(
            "times rounded up: round to the nearest integer.",
            lambda u, T, power: ((T - 1) * u**power).ceil(),
        ),
        times_slip(
            "u in float32, as linspace makes it without dtype=: its errors decide some roundings, take float64.",
            lambda u, T, power: (T - 1) * torch.linspace(1, 0, len(u)) ** power,
        ),
        changed_times(
            "times as floating-point numbers: they index tables, so end with .long().",
            lambda times: times.float(),
        ),
        changed_times(
            "times as int32: end with .long(), which is int64.",
            lambda times: times.int(),
        ),
        # another choice
        Mutant(
            "the leading choice, 1 and up in steps of T // n: the first time must be T, where training ended.",
            lambda T, n, power: 1 + T // n * torch.arange(n - 1, -1, -1),
        ),
        Mutant(
            "the trailing choice, T and down in steps of T / n: the last time must be 1.",
            lambda T, n, power: (torch.arange(n, 0, -1) * T / n).round().long(),
        ),
        Mutant(
            "T and down in steps of T // n: the last time must be 1, so the steps are (T - 1) / (n - 1).",
            lambda T, n, power: T - T // n * torch.arange(n),
        ),
    ],
)
