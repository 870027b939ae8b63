"""A design: where twelve evaluations should go, measured with the exact denoiser of 300 digits."""

import math
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ... import samplers
from ...denoisers import DatasetDenoiser, Denoiser, blurred
from ...errors import CourseError
from ...experiments import data
from ...noise import Noise
from .ch09_karras import ended, even_logarithms, karras_sigmas, powers, ramp
from .data import Check, Mutant, Variant

START = 80.0
MARKS = ((2, 0.022), (4, 0.0075), (6, 0.004))
SAMPLES = 40
PIECES = 8  # into which a step is divided to see what it costs
NODES = 2000  # of the integral of a density


def best_grid(n: int) -> Tensor:
    return dense_where_decided(n, START)


def dense_where_decided(n: int, start: float) -> Tensor:
    """n sigmas from start to 0.015, in ln sigma twice as dense near sigma = 2.5, where the image is decided, as far from there."""
    logs = even_logarithms(ramp(NODES + 1), 0.015, start).log()
    density = 1 + torch.exp(-(((logs - math.log(2.5)) / 1.5) ** 2) / 2)
    share = torch.cat([torch.zeros_like(density[:1]), (density[1:] + density[:-1]).cumsum(0)])
    return ended(logs[torch.searchsorted(share / share[-1], ramp(n))].exp())


@cache
def digits() -> Denoiser:
    """The denoiser of 300 digits, blurred with N(0, 0.1^2 I)."""
    return blurred(DatasetDenoiser(data.load("mnist-5k", limit=4000).images[:300].double()), 0.1)


def sampled(sigmas: Tensor) -> Tensor:
    """What comes out of the chapter's noise by DPM-Solver++(2M)."""
    noise = Noise(5).randn(SAMPLES, 1, 28, 28, dtype=torch.float64)
    return samplers.sample(digits(), sigmas[0] * noise, sigmas, samplers.dpmpp_2m())


@cache
def converged(start: float) -> Tensor:
    """The solution that 300 steps reach: its own distance to that of 600 steps of Heun is below 1e-4."""
    return sampled(ended(even_logarithms(ramp(300), 0.0005, start)))


def distance(sigmas: Tensor, n: int, start: float = START) -> float:
    """The distance to the converged solution: root mean square over the pixels, geometric mean over the samples.

    Raises CourseError, in words, for what is no grid from `start` to 0.
    """
    refuse_others(sigmas, start)
    error = (sampled(sigmas) - converged(start)).square().mean((1, 2, 3)).sqrt()
    return error.log().mean().exp().item()


# What a formula may hand out for sigma, in words.
FORMS: dict[str, Callable[[float], float]] = {
    "ln({})": math.log,
    "{}^2": lambda s: s**2,
    "{0} / sqrt(1 + {0}^2)": lambda s: s / math.sqrt(1 + s**2),
    "1 / (1 + {}^2)": lambda s: 1 / (1 + s**2),
    "{0} / (1 + {0})": lambda s: s / (1 + s),
}


def refuse_others(sigmas: Tensor, start: float) -> None:
    """Raises CourseError for what is no grid from `start` to 0."""
    first = sigmas[0].item()
    if not math.isclose(first, start, rel_tol=1e-6):
        form = next((f for f, of in FORMS.items() if math.isclose(first, of(start), rel_tol=1e-4)), "")
        what = f", which is {form.format(f'{start:g}')}: return the sigmas themselves" if form else ""
        if not what and bool((sigmas == sigmas.round()).all()) and first > 2 * start:
            what = f", and all its numbers are whole: are these times? A grid holds sigmas, from {start:g} down to 0"
        what = what or f", want {start:g}, where nothing of the image is left; it falls to 0 from there"
        raise CourseError(f"the grid begins at {first:.6g}{what}")
    negative = (sigmas[:-1] < 0).nonzero()
    if len(negative):
        i = int(negative[0])
        raise CourseError(f"sigma_{i} = {sigmas[i]:.6g} is negative; all but the 0 at the end are above 0")
    rising = (sigmas.diff() >= 0).nonzero()
    if len(rising):
        i = int(rising[0])
        raise CourseError(
            f"the grid is not strictly decreasing: sigma_{i + 1} = {sigmas[i + 1]:.6g} follows sigma_{i} = {sigmas[i]:.6g}"
        )
    if sigmas[-1] != 0:
        raise CourseError(f"the grid ends at {sigmas[-1]:.4g}, want 0, where no noise is left")


def lost(sigmas: Tensor, n: int, start: float = START, enough: float = MARKS[-1][1]) -> str:
    """Which step costs most, and which evaluation gains least, found by trying each; "" for a distance of at most `enough`."""
    return _lost(tuple(sigmas.tolist()), n, start, enough)


@cache
def _lost(sigmas: tuple[float, ...], n: int, start: float, enough: float) -> str:
    def tried(numbers: Sequence[float]) -> float:
        return distance(torch.tensor(numbers, dtype=torch.float64), n, start)

    if tried(sigmas) <= enough:
        return ""
    finer = [
        tried([*sigmas[: i + 1], *inside(a, b), *sigmas[i + 1 :]])
        for i, (a, b) in enumerate(pairwise(sigmas))
    ]
    without = [tried([*sigmas[:i], *sigmas[i + 1 :]]) for i in range(1, n)]
    i, k = finer.index(min(finer)), 1 + without.index(min(without))
    return (
        f"The step from {sigmas[i]:.3g} to {sigmas[i + 1]:.3g} costs most: in {PIECES} small ones instead, the distance is "
        f"{finer[i]:.3g}. The evaluation at {sigmas[k]:.3g} gains least: without it the distance is {without[k - 1]:.3g}."
    )


def inside(a: float, b: float) -> list[float]:
    """What divides the step from a to b into PIECES of equal ratio; of halves, where it leads to 0."""
    ratio = (b / a) ** (1 / PIECES) if b else 0.5
    return [a * ratio**k for k in range(1, PIECES)]


def version(start: float, n: int, marks: tuple[tuple[int, float], ...]) -> Variant:
    """Another first sigma, and another number of evaluations: the public design begins elsewhere."""

    def best_grid(n: int) -> Tensor:
        return dense_where_decided(n, start)

    changes: dict[str, Any] = {
        "score": partial(distance, start=start),
        "reference": best_grid,
        "marks": marks,
        "missed": partial(lost, start=start, enough=marks[-1][1]),
    }
    edits = {"begins at $80$": f"begins at ${start:g}$", "$n = 12$": f"$n = {n}$"}
    return Variant(edits, changes | {"inputs": lambda d: (n,)})


def grid(hint: str, sigmas: Callable[[int], Tensor]) -> Mutant:
    """A mutant whose n sigmas before the 0 are sigmas(n)."""
    return Mutant(hint, lambda n: ended(sigmas(n)))


def rho(n: int, rho: float) -> Tensor:
    return powers(ramp(n), 0.002, START, rho)


def even(n: int, low: float, high: float = START) -> Tensor:
    return even_logarithms(ramp(n), low, high)


BEST_GRID = Check(
    id="09-best_grid",
    points=6,
    minutes=25,
    level=3,
    reference=best_grid,
    inputs=lambda d: (12,),
    where='section 5 of this notebook ("Heun\'s method"): n evaluations are n falling sigmas, and a 0 behind them; '
    "single_steps(sigmas, two_m, sigmas[0] * unit)[0], made there, is the error of each step but the last.",
    outputs=("sigmas",),
    score=distance,
    scored="the distance to the converged solution",
    missed=lost,
    marks=MARKS,
    variants=(
        Variant(),
        version(40.0, 10, ((2, 0.0275), (4, 0.0125), (6, 0.007))),
        version(120.0, 11, ((2, 0.03), (4, 0.011), (6, 0.0055))),
    ),
    mutants=[
        # no grid of n evaluations
        Mutant("n - 1 sigmas before the 0: n evaluations are n sigmas.", lambda n: karras_sigmas(n - 1)),
        Mutant("n + 1 sigmas before the 0: that is one evaluation too many.", lambda n: karras_sigmas(n + 1)),
        Mutant("n sigmas without the 0: the last step leads to 0.", lambda n: rho(n, 7.0)),
        Mutant("n + 1 sigmas without a 0: the last of them must be 0.", lambda n: rho(n + 1, 7.0)),
        Mutant(
            "a 0 that is there twice: the last step has no length.", lambda n: ended(karras_sigmas(n - 1))
        ),
        Mutant("sigmas that rise: sampling goes down to 0.", lambda n: karras_sigmas(n).flip(0)),
        grid(
            "two sigmas that are equal: a step without a length is a wasted evaluation.",
            lambda n: torch.cat([rho(n - 1, 7.0)[:1], rho(n - 1, 7.0)]),
        ),
        grid("logarithms in the place of the sigmas.", lambda n: even(n, 0.002).log()),
        grid("variances in the place of the sigmas.", lambda n: rho(n, 7.0) ** 2),
        # another task
        grid(
            "a grid from 20: the samples begin at the sigma that the text gives.",
            lambda n: even(n, 0.015, 20.0),
        ),
        grid(
            "the linear schedule's own sigmas, from 157: the samples begin at the sigma that the text gives.",
            lambda n: even(n, 0.01, 157.4),
        ),
        # too bad
        grid(
            "equal steps in sigma: nearly all of them lie above 5, where nothing is decided.",
            lambda n: rho(n, 1.0),
        ),
        grid("rho = 2: most steps lie at large sigma.", lambda n: rho(n, 2.0)),
        grid("rho = 3: many steps lie at large sigma.", lambda n: rho(n, 3.0)),
        grid(
            "equal steps of the straight path's t: below 0.08 there is none but the last 0.",
            lambda n: (t := START / (1 + START) * (1 - ramp(n + 1)[:-1])) / (1 - t),
        ),
        grid(
            "equal ratios down to 0.2: the last step, from there to 0, is too long.", lambda n: even(n, 0.2)
        ),
        grid(
            "equal ratios down to 0.00001: there the denoiser's answer changes no more.",
            lambda n: even(n, 1e-5),
        ),
    ],
)
