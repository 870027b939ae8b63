"""The stochastic EDM sampler: all of its states, from given draws."""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from ...denoisers import Denoiser
from .ch01_slips import after, in_float32
from .ch09_heun import heun_step, slope
from .ch09_karras import karras_sigmas
from .ch09_sampler_slips import CHURNS, DRAWS, STARTS
from .ch09_walk import (
    Sampler,
    first_slope_slip,
    heun_slip,
    last_too,
    old_length,
    slip,
    walk,
)
from .data import Check, Mutant
from .inputs import Draw, column
from .toys import ToyDenoiser
from .weights import Named, Run, Scripted, first_wrong


def edm_sampler(
    D: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: Tensor,
    s_churn: float,
    s_min: float,
    s_max: float,
    s_noise: float,
) -> Tensor:
    return walk(Sampler(), D, x, sigmas, noise, s_churn, s_min, s_max, s_noise)


def runs(d: Draw) -> tuple:
    """A grid that begins above s_max and ends below s_min; gamma below or above its cap."""
    n = d.size() + 1
    ratios = torch.cat([d.uniform(2, 4, 1), d.uniform(0.45, 0.75, n - 1)])
    levels = ratios.cumprod(0)
    low, high = (math.sqrt(a * b) for a, b in ((levels[-1], levels[-2]), (levels[0], levels[1])))
    s_churn = n * (d.uniform(0.1, 0.3) if d.dtype == torch.float64 else d.uniform(0.6, 0.9)).item()
    sigmas = torch.cat([levels, torch.zeros_like(levels[:1])])
    noise = d.normal(n, d.B, *d.event)
    return calm(d), d.x(), sigmas, noise, s_churn, low, high, d.uniform(1.1, 1.3).item()


def samplings(d: Draw) -> Iterator[tuple[str, tuple]]:
    """The paper's grid and knobs, both ends of the interval met, gamma at its cap, no churn, few steps, other grids."""
    for words, knobs in (
        ("the paper's grid and churn", (40, 0.05, 50, 1.003)),
        ("churn at every sigma", (5.0, 0.0, math.inf, 1.007)),
        ("s_min between the last two sigmas", (80.0, 0.004, 50.0, 1.0)),
        ("s_min below all sigmas", (3.0, 0.001, 60.5, 1.0)),
    ):
        yield words, run_of(d, karras_sigmas(18, 0.002, 80.0, 7.0), knobs, 2, 3)
    halves = torch.tensor([16.4, 8.2, 4.1, 2.05, 1.025, 0.5125, 0.0], dtype=torch.float64)
    for words, knobs in (
        ("no churn", (0.0, 0.0, math.inf, 1.0)),
        ("a little churn", (1e-3, 0.05, 50.0, 1.5)),
        ("an s_noise of 0", (1.0, 0.0, math.inf, 0.0)),
        ("gamma at its cap", (6 * (math.sqrt(2) - 1), 0, 80.0, 1)),
        ("s_min and s_max are sigmas of the grid", (1.0, 1.025, 8.2, 1.1)),
        ("s_min and s_max are one sigma of the grid", (1.0, 4.1, 4.1, 1.1)),
        ("s_min above 1, s_max just above a sigma", (1.0, 3.0, 8.3, 1.1)),
    ):
        yield words, run_of(d, halves, knobs, 3, 2)
    yield "two steps", run_of(d, torch.tensor([3.0, 1.0, 0.0]), (1.0, 0.002, 80, 1.003), 2, 3)
    yield "one step", run_of(d, torch.tensor([2.0, 0.0]), (0.3, 0.0, 5.0, 1.0), 1, 1, 4, 4)
    _, *rest = run_of(d, halves, (1.0, 0.05, 50.0, 1.003), 3, 2)
    yield (
        "a D with answers up to 8",
        (ToyDenoiser(d.uniform(0.06, 0.08, 3) * d.x().new_tensor([100, 1, 1])), *rest),
    )


def run_of(d: Draw, sigmas: Tensor, knobs: tuple, *shape: int) -> tuple:
    sigmas = sigmas.to(d.device, d.dtype)
    return calm(d), d.wide(*shape), sigmas, d.wide(len(sigmas) - 1, *shape), *knobs


def calm(d: Draw) -> ToyDenoiser:
    """A denoiser of small slope: along a path, rounding must not grow to what looks like a mistake."""
    return ToyDenoiser(d.uniform(0.4, 0.8, 3))


def calls(D: Denoiser, x: Tensor, sigmas: Tensor, *rest: object) -> int:
    return len(x) * (2 * (len(sigmas) - 1) - 1)


MOVES = [
    slip(
        "a second slope in the last step too, or churn at sigma_{i+1}: at sigma = 0 there is no slope; the last step is Euler's, "
        "and churn gets sigma_i.", move=last_too
    ),
    slip(
        "a last step that is not taken: the last state is where Euler's step to 0 ends.",
        move=lambda p, x_hat, hat: x_hat if p.r == 0 else heun_step(p.D, x_hat, hat, p.r),
    ),
    first_slope_slip(
        "D called at sigma: x_hat has the noise sigma_hat.",
        lambda p, x_hat, hat: (x_hat - p.D(x_hat, p.s)) / hat,
    ),
    first_slope_slip(
        "a first slope divided by sigma: it is (x_hat - D) / sigma_hat.",
        lambda p, x_hat, hat: (x_hat - p.D(x_hat, hat)) / p.s,
    ),
    first_slope_slip(
        "D called with x instead of x_hat: its noise is not sigma_hat.",
        lambda p, x_hat, hat: (x_hat - p.D(p.x, hat)) / hat,
    ),
    first_slope_slip(
        "a first slope at x and sigma, before the churn: take it at x_hat and sigma_hat.",
        lambda p, x_hat, hat: slope(p.D, p.x, p.s),
    ),
    slip(
        "steps of the length sigma_{i+1} - sigma_i: the step begins at sigma_hat.", move=old_length
    ),
    heun_slip(
        "Euler's step alone, as it is also with the first slope used twice: ask D again at the end of it, and take the mean.",
        lambda p, x_hat, hat, d, end: end,
    ),
    heun_slip(
        "a second slope at x_hat: take it at the end of Euler's step.",
        lambda p, x_hat, hat, d, end: x_hat + (p.r - hat) * (d + slope(p.D, x_hat, p.r)) / 2,
    ),
    heun_slip(
        "a second slope at sigma_hat: at the end of Euler's step the noise is sigma_{i+1}.",
        lambda p, x_hat, hat, d, end: x_hat + (p.r - hat) * (d + slope(p.D, end, hat)) / 2,
    ),
    heun_slip(
        "a sum of the two slopes: take their mean.",
        lambda p, x_hat, hat, d, end: x_hat + (p.r - hat) * (d + slope(p.D, end, p.r)),
    ),
    heun_slip(
        "the second slope alone: take the mean of both.",
        lambda p, x_hat, hat, d, end: x_hat + (p.r - hat) * slope(p.D, end, p.r),
    ),
    heun_slip(
        "a correction that starts at the end of Euler's step: start again from x_hat.",
        lambda p, x_hat, hat, d, end: end + (p.r - hat) * (d + slope(p.D, end, p.r)) / 2,
    ),
    heun_slip(
        "a correction that starts from x: start again from x_hat.",
        lambda p, x_hat, hat, d, end: p.x + (p.r - hat) * (d + slope(p.D, end, p.r)) / 2,
    ),
]  # fmt: skip
STATES = [
    Mutant(
        "every step taken from the first state: keep the new one, step i begins where step i - 1 ended.",
        lambda D, x, sigmas, noise, *knobs: walk(Sampler(), D, x, sigmas, noise, *knobs, again=True),
    ),
    Mutant(
        "x_hat in the place of the states: return the states between the steps, before the churn.",
        lambda *args: walk(Sampler(), *args, hats=True),
    ),
    Mutant(
        "a grid read backwards: sampling goes from sigmas[0] down to 0.",
        lambda D, x, sigmas, *rest: edm_sampler(D, x, sigmas[:-1].flip(0), *rest),
    ),
    after(
        "one tensor in every place, overwritten by each step: make a new one, and append that.",
        edm_sampler,
        lambda v: v[-1:].expand_as(v),
    ),
    *(
        after(
            f"a last state cut to [{low}, {high}]: it is D's answer as it is.",
            edm_sampler,
            lambda v, low=low, high=high: torch.cat([v[:-1], v[-1:].clamp(low, high)]),
        )
        for low, high in ((-1, 1), (0, 1))
    ),
    after(
        "states that are kept before the step and not after it: the first is there twice, and the last is missing.",
        edm_sampler,
        lambda v: torch.cat([v[:1], v[:-1]]),
    ),
    Mutant(
        "states divided by sqrt(1 + sigma^2), as films show them: return them as they are.",
        lambda D, x, sigmas, *rest: edm_sampler(D, x, sigmas, *rest) / column(1 + sigmas**2, x[None]).sqrt(),
    ),
    Mutant(
        "a D whose answers are cut to [-1, 1]: take them as they are.",
        lambda D, *rest: edm_sampler(lambda x, s: D(x, s).clamp(-1, 1), *rest),
    ),
    Mutant(
        "one step too many, from the last of the sigmas: N + 1 sigmas have N steps, range(len(sigmas) - 1).",
        lambda D, x, sigmas, noise, *rest: noise[len(noise)],
    ),
    Mutant(
        "a step from the last of the sigmas, which has none behind it: N + 1 sigmas have N steps, range(len(sigmas) - 1).",
        lambda D, x, sigmas, *rest: sigmas[len(sigmas)],
    ),
    after("states without the first: return N + 1 of them, the first is sigmas[0] x.", edm_sampler, lambda v: v[1:]),
    after("states without the last: N steps lead to N + 1 states.", edm_sampler, lambda v: v[:-1]),
    after("the samples alone: return all N + 1 states.", edm_sampler, lambda v: v[-1]),
    after("the states from the last to the first: entry i is where step i begins.", edm_sampler, lambda v: v.flip(0)),
    after(
        "states that are stacked behind the batch: the first axis is the step, as torch.stack makes it with dim=0.",
        edm_sampler,
        lambda v: v.movedim(0, 1),
    ),
    after(
        "the states one behind the other in one axis, as torch.cat does it: torch.stack gives them an axis of their own.",
        edm_sampler,
        lambda v: v.flatten(0, 1),
    ),
    *(
        after(f"states cut to [-{c}, {c}]: at large sigma they are far outside.", edm_sampler, lambda v, c=c: v.clamp(-c, c))
        for c in (1, 3)
    ),
]  # fmt: skip

GRID, KNOBS = (
    (4.0, 2.0, 1.0, 0.5, 0.0),
    (0.8, 0.9, 3.0, 1.1),
)  # for measured weights: two of the four steps are churned
NAMED = Named(
    state=lambda k: f"states[{k - 1}]",
    answers=lambda k: (
        {2 * k - 2: "D's first answer"} | ({2 * k - 1: "D's second answer"} if k < len(GRID) - 1 else {})
    ),
    draw=lambda k: f"noise[{k - 1}]",
    step=lambda k: f"step i = {k - 1}",
)


def measured(answer: Callable) -> str:
    sigmas = torch.tensor(GRID, dtype=torch.float64)

    def run(sampler: Callable) -> Run:
        def states(start: float, answers: Sequence[float], draws: Sequence[float]) -> Tensor:
            noise = torch.tensor(draws, dtype=torch.float64).reshape(-1, 1, 1)
            x = torch.full((1, 1), start, dtype=torch.float64)
            return sampler(Scripted(answers), x, sigmas, noise, *KNOBS).flatten()

        return states

    return first_wrong(run(answer), run(edm_sampler), NAMED, len(GRID) - 1, 2 * len(GRID) - 3)


EDM_SAMPLER = Check(
    id="09-edm_sampler",
    points=5,
    minutes=20,
    level=3,
    reference=edm_sampler,
    inputs=runs,
    fixed=samplings,
    evaluations={"D": calls},
    where='the three lines in section 7 of this notebook ("Churn: noise that repairs"): states[0] = sigmas[0] x; '
    "in step i raise the noise to sigma_hat, then take a Heun step from there to sigma_{i+1} (Karras et al. 2022, algorithm 2).",
    outputs=("states",),
    path="states[{}]",
    measured=measured,
    library=("samplers.edm",),
    mutants=[*STARTS, *DRAWS, *CHURNS, *MOVES, *STATES, in_float32(edm_sampler)],
)
