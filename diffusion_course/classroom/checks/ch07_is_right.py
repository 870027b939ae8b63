"""A test that the student writes: it says of a step whether it is right, and is judged by the wrong ones that it refuses."""

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import cycle
from typing import Any

import torch
from torch import Tensor

from ... import schedules
from ...errors import CourseError
from .ch07_asked import overlooked
from .ch07_ddim import ddim_step
from .ch07_steps import WRONG, Specimens, specimens, undressed
from .data import Check, Mutant
from .toy_steps import ToyStep

JUMPS = ((1, 0), (2, 1), (2, 0), (500, 499), (600, 100), (500, 1), (1000, 999), (1000, 500), (1000, 0))
ETAS = (1.0, 0.5, 0.0, 0.5)
Same = Callable[[Tensor, Tensor], bool]


@cache
def tables() -> list[Tensor]:
    return [torch.cumprod(1 - betas(1000), 0) for betas in (schedules.linear, schedules.cosine)]


def wave(x: Tensor, t: Tensor) -> Tensor:
    """A model that depends on everything it is shown."""
    return torch.sin(x + t.to(x).reshape(-1, *[1] * (x.ndim - 1)))


def close(got: Tensor, want: Tensor) -> bool:
    return got.shape == want.shape and torch.allclose(got, want, rtol=1e-6, atol=1e-6)


def probes(
    jumps: Sequence[tuple[int, int]] = JUMPS,
    etas: Sequence[float] = ETAS,
    model: Callable = wave,
    dtype: torch.dtype = torch.float64,
    x_scale: float = 1,
    z_scale: float = 1,
) -> Iterator[tuple]:
    """Inputs of a step: the jumps, with eta and the schedules in turn."""
    draw = torch.Generator().manual_seed(0)
    for (t, t_prev), eta, table in zip(jumps, cycle(etas), cycle(tables()), strict=False):
        x, z = torch.randn(2, 3, 5, generator=draw, dtype=torch.float64).to(dtype)
        yield model, x_scale * x, t, t_prev, eta, z_scale * z, table.to(dtype)


def agrees(step: Callable, cases: Callable[[], Iterator[tuple]] = probes, same: Same = close) -> bool:
    return all(same(step(*case), ddim_step(*case)) for case in cases())


def remembered(test: Callable[[Callable], bool]) -> Callable[[Callable], bool]:
    """The same test, which asks about the same formulas once: a refused answer is held against all mutants."""
    of_words = cache(lambda words: test(ToyStep(words)))
    return lambda step: of_words(undressed(step)) if isinstance(step, ToyStep) else test(step)


right_test = remembered(agrees)


def is_right(step: Callable) -> bool:
    return right_test(step)


def share_refused(verdicts: Tensor, steps: Specimens) -> float:
    """The share of the wrong steps of which a test says False. Raises CourseError where it says so of a right one."""
    right = torch.tensor(steps.right)
    lost = int((verdicts[right] == 0).sum())
    if lost:
        raise CourseError(
            f"the test says False of {lost} of the {int(right.sum())} right steps, and one is enough to lose all points: "
            "they compute eq. 12 in other orders"
        )
    return float((verdicts[~right] == 0).double().mean())


def passed(verdicts: Tensor, steps: Specimens) -> str:
    """Where the wrong steps show that a test lets pass."""
    through = Counter(
        where for where, yes in zip(steps.shows, verdicts.tolist(), strict=True) if where and yes
    )
    listed = [
        f"{through[where]} {where}"
        for where in dict.fromkeys(wrong.shows for wrong in WRONG)
        if through[where]
    ]
    return f"Of the wrong steps that pass, this many are wrong: {'; '.join(listed)}." if listed else ""


def raising(step: Callable) -> bool:
    assert right_test(step)
    return True


def reading(step: Callable) -> bool:
    return "sqrt" in inspect.getsource(step)


def weak(hint: str, same: Same = close, **inputs: Any) -> Mutant:
    """A test that looks at fewer inputs, or at less of the result."""
    return Mutant(hint, remembered(partial(agrees, cases=partial(probes, **inputs), same=same)))


def relative(tolerance: float) -> Same:
    return lambda got, want: bool((got - want).norm() <= tolerance * want.norm())


IS_RIGHT = Check(
    id="07-is_right",
    points=6,
    minutes=30,
    level=3,
    reference=is_right,
    inputs=lambda d: (specimens(d),),
    where='section 4 of this notebook ("The step"): a right step is eq. 12 for all t, t_prev, eta, models, and batches that it allows.',
    outputs=("the verdicts",),
    score=share_refused,
    scored="the share of the wrong steps that it refuses",
    missed=passed,
    closer=overlooked,
    digits=3,
    lower=False,
    marks=((2, 0.9), (4, 0.95), (6, 1.0)),
    mutants=[
        Mutant(
            "a test that says True of every step, as one does that compares shapes, or a step with itself: compare numbers with eq. 12.",
            lambda step: True,
        ),
        Mutant(
            "a test that says False of every step, of the right ones as well.",
            lambda step: False,
        ),
        Mutant("the two verdicts exchanged: True is for a right step.", lambda step: not right_test(step)),
        Mutant("a test that raises for a wrong step, as assert does: return False.", raising),
        Mutant("a test that returns nothing, as one does that prints its verdict: return it.", lambda step: None),
        Mutant("a test that reads a step's source: it has none to read; call it, and look at what it does.", reading),
        Mutant(
            "a test that gives a number, an error for instance: return whether it is small enough.",
            lambda step: 0.0,
        ),
        weak(
            "an exact comparison: right steps differ by rounding, so compare with a tolerance, as torch.allclose does.",
            same=lambda got, want: torch.equal(got, want),
        ),
        weak(
            "a tolerance below rounding, or float32, whose rounding is larger: make inputs in float64, and allow 1e-6.",
            same=lambda got, want: torch.allclose(got, want, rtol=1e-15, atol=1e-15),
        ),
        weak(
            "a comparison that is far too coarse, by its tolerance or as it looks at means alone: a wrong step may be off by a per cent.",
            same=relative(0.3),
        ),
        weak(
            "a comparison of signs alone: compare the numbers.",
            same=lambda got, want: torch.equal(got.sign(), want.sign()),
        ),
        weak("a test at eta = 0 alone: fresh noise enters for larger eta.", etas=[0.0]),
        weak(
            "a test of the last step alone, t_prev = 0: there s is 0, and the direction as well.",
            jumps=[(1, 0), (500, 0)],
        ),
        weak("a model that predicts 0: then all terms with eps vanish.", model=lambda x, t: 0 * x),
        weak("an x_t of zeros, and a model that answers them with 0: then fresh noise is all that is left.", x_scale=0, model=lambda x, t: x),
        weak(
            "one step in the middle alone: the last step, and the step to t = 1, have indices of their own.",
            jumps=[(500, 400)],
            etas=[0.5],
        ),
        weak(
            "one step in the middle, with a model that never looks at t: whether it is told the right time does not show.",
            jumps=[(500, 400)],
            etas=[0.5],
            model=lambda x, t: 0.1 * x,
        ),
        weak("a single step from T: other times tell other steps apart.", jumps=[(1000, 999)], etas=[1.0]),
    ],
)  # fmt: skip
