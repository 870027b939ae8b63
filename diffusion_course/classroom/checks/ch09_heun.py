"""The Heun step."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from ...denoisers import Denoiser
from .ch09_karras import karras_sigmas
from .data import Check, Mutant
from .inputs import Draw
from .toys import ToyNoise


def heun_step(
    D: Denoiser, x: Tensor, sigma: Tensor, sigma_next: Tensor, noise: object | None = None
) -> Tensor:
    first, moved = euler(D, x, sigma, sigma_next)
    if sigma_next == 0:
        return moved
    return x + (sigma_next - sigma) * (first + slope(D, moved, sigma_next)) / 2


def slope(D: Denoiser, x: Tensor, sigma: Tensor) -> Tensor:
    return (x - D(x, sigma)) / sigma


def euler(D: Denoiser, x: Tensor, sigma: Tensor, sigma_next: Tensor) -> tuple[Tensor, Tensor]:
    """The slope at sigma, and where it leads."""
    first = slope(D, x, sigma)
    return first, x + (sigma_next - sigma) * first


def step_slip(hint: str, correction: Callable) -> Mutant:
    """A mutant that ends right, by Euler, and errs before: correction(D, x, s, r, first, moved), from sigma s to r."""

    def step(D: Denoiser, x: Tensor, s: Tensor, r: Tensor, noise: object = None) -> Tensor:
        first, moved = euler(D, x, s, r)
        return moved if r == 0 else correction(D, x, s, r, first, moved)

    return Mutant(hint, step)


def last_slip(hint: str, last: Callable) -> Mutant:
    """A mutant that errs at sigma_next = 0 only, where it returns last(D, x, sigma, 0)."""

    def step(D: Denoiser, x: Tensor, s: Tensor, r: Tensor, noise: object = None) -> Tensor:
        return last(D, x, s, r) if r == 0 else heun_step(D, x, s, r)

    return Mutant(hint, step)


def euler_slip(hint: str, too_often: Callable) -> Mutant:
    """A mutant that takes Euler's step also where too_often(sigma, sigma_next)."""

    def step(D: Denoiser, x: Tensor, s: Tensor, r: Tensor, noise: object = None) -> Tensor:
        return euler(D, x, s, r)[1] if too_often(s, r) else heun_step(D, x, s, r)

    return Mutant(hint, step)


def slope_slip(hint: str, slope: Callable) -> Mutant:
    """A mutant with its own slope(x, D's answer, sigma) at both ends."""

    def step(D: Denoiser, x: Tensor, s: Tensor, r: Tensor, noise: object = None) -> Tensor:
        first = slope(x, D(x, s), s)
        moved = x + (r - s) * first
        return moved if r == 0 else x + (r - s) * (first + slope(moved, D(moved, r), r)) / 2

    return Mutant(hint, step)


def last_step_too(D: Denoiser, x: Tensor, s: Tensor, r: Tensor, noise: object = None) -> Tensor:
    first, moved = euler(D, x, s, r)
    return x + (r - s) * (first + slope(D, moved, r)) / 2


def two_sigmas(d: Draw) -> tuple[Tensor, Tensor]:
    """sigma and a smaller sigma_next; 0 in some cases."""
    sigma = d.uniform(1, 3)
    return sigma, sigma * (0 if d.edge == "first" else d.uniform(0.3, 0.7))


def sampling_steps(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Every step of the paper's grid of 18, the long steps of a grid of 4, and the last step of both; an image."""
    for n in (18, 4):
        grid = karras_sigmas(n, 0.002, 80.0, 7.0).to(d.device, d.dtype)
        for sigma, sigma_next in pairwise(grid):
            yield f"a step of a grid of {n}", (d.denoiser(), sigma * d.normal(2, 3), sigma, sigma_next, None)
    for share in (0.999, 0.97, 0.9):
        yield "a short step", (d.denoiser(), d.wide(2, 3), d.uniform(2, 2), d.uniform(2, 2) * share, None)
    yield "one image", (d.denoiser(), d.wide(1, 1, 4, 4), d.uniform(2, 2), d.uniform(0.25, 0.25), None)
    yield (
        "a loop that has noise to give",
        (
            d.denoiser(),
            d.wide(2, 3),
            d.uniform(2, 2),
            d.uniform(0.25, 0.25),
            ToyNoise(d.uniform(0.5, 1.5, 3)),
        ),
    )


def calls_of_heun(D: Denoiser, x: Tensor, sigma: Tensor, sigma_next: Tensor, noise: object) -> int:
    return len(x) if sigma_next == 0 else 2 * len(x)


HEUN_STEP = Check(
    id="09-heun_step",
    points=4,
    minutes=15,
    level=2,
    reference=heun_step,
    inputs=lambda d: (d.denoiser(), d.x(), *two_sigmas(d), None),
    fixed=sampling_steps,
    evaluations={"D": calls_of_heun},
    calls={"D": lambda D, x, sigma, sigma_next, noise: 1 if sigma_next == 0 else 2},
    where="the four lines in section 5 of this notebook (\"Heun's method\"): x + (sigma_next - sigma) (slope + slope') / 2, "
    "with slope = (x - D(x, sigma)) / sigma and slope' the same at the end of the Euler step; "
    "Euler alone where sigma_next = 0 (Karras et al. 2022, algorithm 1).",
    outputs=("x_next",),
    library=("samplers.heun",),
    mutants=[
        # two at once, and other slopes
        step_slip(
            "two mistakes: a sum of the slopes for their mean, and a second slope divided by the old sigma.",
            lambda D, x, s, r, d, end: x + (r - s) * (d + (end - D(end, r)) / s),
        ),
        step_slip(
            "the mean of the two D in one slope at x and sigma: take the mean of the two slopes.",
            lambda D, x, s, r, d, end: x + (r - s) * (x - (D(x, s) + D(end, r)) / 2) / s,
        ),
        *(
            step_slip(
                f"{c:g} added to sigma_next below the second slope: at the small sigmas it counts.",
                lambda D, x, s, r, d, end, c=c: x + (r - s) * (d + (end - D(end, r)) / (r + c)) / 2,
            )
            for c in (1e-3, 1e-4, 1e-5, 1e-6, 1e-8)
        ),
        # the unused argument
        Mutant(
            "noise that is added where the loop has some to give: Heun's step draws none, leave the argument unused.",
            lambda D, x, s, r, noise=None: (
                heun_step(D, x, s, r) + (0 if noise is None else 0.1 * noise.like(x))
            ),
        ),
        # the last step
        Mutant(
            "a correction on the last step too: where sigma_next = 0 there is no second slope, return the Euler step.",
            last_step_too,
        ),
        last_slip(
            "x itself where sigma_next = 0: the last step is Euler's, which ends at D(x, sigma).",
            lambda D, x, s, r: x.clone(),
        ),
        last_slip(
            "zeros where sigma_next = 0: the last step is Euler's, which ends at D(x, sigma).",
            lambda D, x, s, r: torch.zeros_like(x),
        ),
        last_slip(
            "half a step where sigma_next = 0: without a second slope the first one counts fully.",
            lambda D, x, s, r: x + (r - s) * slope(D, x, s) / 2,
        ),
        last_slip(
            "the slope where sigma_next = 0: return the end of the Euler step, x + (sigma_next - sigma) d.",
            lambda D, x, s, r: slope(D, x, s),
        ),
        euler_slip("Euler for a small sigma_next: only where it is exactly 0.", lambda s, r: r < 0.29),
        euler_slip(
            "Euler for every sigma_next below 1, as int(sigma_next) == 0 has it: only where it is exactly 0.",
            lambda s, r: r < 1,
        ),
        euler_slip("Euler for short steps: only where sigma_next = 0.", lambda s, r: r > 0.75 * s),
        # the mean of the slopes
        step_slip(
            "Euler alone, as it is also with the first D in the second slope: ask D again at the end of the Euler step, "
            "and take the mean of both slopes.",
            lambda D, x, s, r, first, moved: moved,
        ),
        step_slip(
            "a sum of the two slopes, or a second whole step after the first: start from x, with the mean of both.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first + slope(D, moved, r)),
        ),
        step_slip(
            "slope + slope' / 2, a missing pair of brackets: the mean of the slopes is (slope + slope') / 2.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first + slope(D, moved, r) / 2),
        ),
        step_slip(
            "half the difference of the slopes: take half their sum, the mean.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first - slope(D, moved, r)) / 2,
        ),
        step_slip(
            "the second slope alone: take the mean of both.",
            lambda D, x, s, r, first, moved: x + (r - s) * slope(D, moved, r),
        ),
        step_slip(
            "a correction that starts at the end of the Euler step: start again from x.",
            lambda D, x, s, r, first, moved: moved + (r - s) * (first + slope(D, moved, r)) / 2,
        ),
        step_slip(
            "both slopes added at the end of the Euler step: start again from x, with their mean.",
            lambda D, x, s, r, first, moved: moved + (r - s) * (first + slope(D, moved, r)),
        ),
        step_slip(
            "the midpoint method: take the second slope at sigma_next, and the mean of both.",
            lambda D, x, s, r, first, moved: x + (r - s) * slope(D, (x + moved) / 2, (s + r) / 2),
        ),
        # the second slope
        step_slip(
            "a second slope at the old x: take it at the end of the Euler step.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first + slope(D, x, r)) / 2,
        ),
        step_slip(
            "a second slope at the old sigma: its D and its division take sigma_next.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first + slope(D, moved, s)) / 2,
        ),
        step_slip(
            "a second slope divided by the old sigma: divide by sigma_next.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first + (moved - D(moved, r)) / s) / 2,
        ),
        step_slip(
            "a second slope whose D is called with the old sigma: at the end of the Euler step the noise is sigma_next.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first + (moved - D(moved, s)) / r) / 2,
        ),
        step_slip(
            "a second slope with x - D instead of x_next - D: both belong to the end of the Euler step.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first + (x - D(moved, r)) / r) / 2,
        ),
        step_slip(
            "a second slope whose D is called with the old x: both belong to the end of the Euler step.",
            lambda D, x, s, r, first, moved: x + (r - s) * (first + (moved - D(x, r)) / r) / 2,
        ),
        # the direction, and both slopes
        Mutant(
            "a step in the wrong direction: it is (sigma_next - sigma), a negative number, times (x - D) / sigma.",
            lambda D, x, s, r, noise=None: 2 * x - heun_step(D, x, s, r) if r == 0 else uphill(D, x, s, r),
        ),
        step_slip(
            "a last line in the wrong direction: it has (sigma_next - sigma), a negative number, too.",
            lambda D, x, s, r, first, moved: x + (s - r) * (first + slope(D, moved, r)) / 2,
        ),
        slope_slip(
            "x - D / sigma, a missing pair of brackets: the slope is (x - D) / sigma.",
            lambda x, x0, s: x - x0 / s,
        ),
        slope_slip("a slope without its division by sigma.", lambda x, x0, s: x - x0),
        slope_slip(
            "a slope divided by sigma^2, as a score is: divide by sigma.", lambda x, x0, s: (x - x0) / s**2
        ),
        slope_slip("a slope times sigma: divide by it.", lambda x, x0, s: (x - x0) * s),
        slope_slip(
            "D(x, sigma) itself as the slope: it is an estimate of x_0, and the slope (x - D) / sigma.",
            lambda x, x0, s: x0,
        ),
        slope_slip("x / sigma as the slope: it is (x - D) / sigma.", lambda x, x0, s: x / s),
    ],
)


def uphill(D: Denoiser, x: Tensor, s: Tensor, r: Tensor) -> Tensor:
    first = slope(D, x, s)
    return x + (s - r) * (first + slope(D, x + (s - r) * first, r)) / 2
