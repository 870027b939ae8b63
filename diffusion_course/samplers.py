"""From noise to data: one-step functions, and the one loop that runs any of them.

A step is a function step(D, x, sigma, sigma_next, noise) -> x_next, in VE coordinates. Write your own and pass it
to the same loop. A step that has to know of its run has a method `begin(num_steps)`, which the loop calls: it returns the
step for one run. A function around such a step takes part in one run alone: make a new one for the next.

The loops compute without gradients. Where those are wanted, as for a search over x_T, the loop is two lines:
`for sigma, sigma_next in itertools.pairwise(sigmas): x = step(D, x, sigma, sigma_next, noise)`.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from inspect import Signature, signature
from typing import Any, NamedTuple, get_args, get_origin

import torch
from torch import Tensor

from .denoisers import Denoiser
from .errors import CourseError, check_integer, check_number, shown
from .noise import NoiseSource, source
from .shapes import at_least_single, check_answer, check_state, in_dtype, unwrapped

Step = Callable[[Denoiser, Tensor, Tensor, Tensor, Any], Tensor]


def euler(
    D: Denoiser, x: Tensor, sigma: Tensor, sigma_next: Tensor, noise: NoiseSource | None = None
) -> Tensor:
    """One Euler step of dx/dsigma = (x - D(x, sigma)) / sigma (Karras et al. 2022, eqs. 1 and 3)."""
    slope = (x - D(x, sigma)) / sigma
    return x + (sigma_next - sigma) * slope


def ddpm(D: Denoiser, x: Tensor, sigma: Tensor, sigma_next: Tensor, noise: NoiseSource) -> Tensor:
    """Ancestral step with the posterior variance beta-tilde (Ho et al. 2020, algorithm 2 with eq. 7).

    In VE coordinates q(x_s | x_t, x_0) has mean x_0 + (s^2/t^2)(x_t - x_0) and variance s^2 (1 - s^2/t^2).
    """
    x0 = D(x, sigma)
    ratio = (sigma_next / sigma) ** 2
    return x0 + ratio * (x - x0) + sigma_next * (1 - ratio) ** 0.5 * noise.like(x)


def ddpm_large(D: Denoiser, x: Tensor, sigma: Tensor, sigma_next: Tensor, noise: NoiseSource) -> Tensor:
    """Ancestral step with the variance beta_t, the larger of the two choices of Ho et al. 2020, section 3.2.

    No noise is added on the last step (sigma_next = 0), as in algorithm 2.
    """
    return ancestral(forward_variance)(D, x, sigma, sigma_next, noise)


Variance = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(x, sigma, sigma_next) -> variance of an ancestral step, in VE coordinates, broadcasting against x."""


def posterior_variance(x: Tensor, sigma: Tensor, sigma_next: Tensor) -> Tensor:
    """beta-tilde of the step: the variance of q(x_s | x_t, x_0) ("fixed small")."""
    return sigma_next**2 * (1 - (sigma_next / sigma) ** 2)


def forward_variance(x: Tensor, sigma: Tensor, sigma_next: Tensor) -> Tensor:
    """beta of the step ("fixed large"); 0 on the last."""
    variance = (1 + sigma_next**2) * (sigma**2 - sigma_next**2) / (1 + sigma**2)
    return variance if sigma_next > 0 else 0 * variance


def learned_variance(fraction: Callable[[Tensor, Tensor], Tensor]) -> Variance:
    """Between beta-tilde (fraction -1) and beta (fraction 1), linear in the logarithm (Nichol & Dhariwal 2021, eq. 15).

    fraction: (x, sigma) -> v of x's shape, what the network's second half answers (`denoisers.split_variance`).
    Both ends are those of this step, whatever its length: strided sampling re-derives them. 0 on the last step.
    """

    def variance(x: Tensor, sigma: Tensor, sigma_next: Tensor) -> Tensor:
        large, small = forward_variance(x, sigma, sigma_next), posterior_variance(x, sigma, sigma_next)
        share = (fraction(x, sigma) + 1) / 2
        return large**share * small ** (1 - share) if sigma_next > 0 else torch.zeros_like(x)

    return variance


def ancestral(variance: Variance) -> Step:
    """The ancestral step with a variance of your choice: `posterior_variance` makes it `ddpm`.

    The mean is that of q(x_s | x_t, x_0) at x_0 = D(x, sigma), whatever the variance.
    """

    def step(D: Denoiser, x: Tensor, sigma: Tensor, sigma_next: Tensor, noise: NoiseSource) -> Tensor:
        x0 = D(x, sigma)
        ratio = (sigma_next / sigma) ** 2
        std = variance(x, sigma, sigma_next) ** 0.5
        return x0 + ratio * (x - x0) + std * noise.like(x)

    return step


def ddpm_learned(fraction: Callable[[Tensor, Tensor], Tensor]) -> Step:
    """The ancestral step with learned variance (Nichol & Dhariwal 2021): see `learned_variance`."""
    return ancestral(learned_variance(fraction))


def ddim(eta: float = 0.0) -> Step:
    """The DDIM step (Song et al. 2021, eqs. 12 and 16). eta = 0 is deterministic (and Euler); eta = 1 is `ddpm`.

    eta: 0..1. Raises CourseError outside.
    """
    eta = _knob("eta", eta, lambda eta: 0 <= eta <= 1, "in 0..1")

    def step(D: Denoiser, x: Tensor, sigma: Tensor, sigma_next: Tensor, noise: NoiseSource) -> Tensor:
        x0 = D(x, sigma)
        eps = (x - x0) / sigma
        if eta == 0:
            return x0 + sigma_next * eps
        fresh = eta * sigma_next * (1 - (sigma_next / sigma) ** 2) ** 0.5
        return x0 + (sigma_next**2 - fresh**2) ** 0.5 * eps + fresh * noise.like(x)

    return step


def heun(
    D: Denoiser, x: Tensor, sigma: Tensor, sigma_next: Tensor, noise: NoiseSource | None = None
) -> Tensor:
    """One step of Heun's second-order method: Euler, then the mean of the two slopes (Karras et al. 2022, algorithm 1).

    Two evaluations of D; on the last step (sigma_next = 0), where no slope exists at the end, it is Euler: one.
    """
    slope = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * slope
    if sigma_next == 0:
        return x_next
    slope_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (slope + slope_next) / 2


def edm(
    s_churn: float = 0.0,
    s_min: float = 0.0,
    s_max: float = math.inf,
    s_noise: float = 1.0,
    *,
    num_steps: int | None = None,
) -> "Edm":
    """The stochastic sampler of Karras et al. 2022, algorithm 2: add a little noise ("churn"), then a Heun step.

    Within [s_min, s_max] sigma rises to sigma (1 + gamma), gamma = min(s_churn / num_steps, sqrt(2) - 1), by fresh
    noise of scale s_noise; s_churn = 0 is `heun`. num_steps: the grid's number of steps, which the loop knows and fills in; give
    it where you call the step yourself, or run a part of a grid. Draws once on every step, as the reference code does.
    Raises CourseError for a negative s_churn, s_min or s_noise, s_max < s_min, or num_steps < 1.
    """
    s_churn, s_min, s_noise = (
        _knob(name, value, lambda v: v >= 0, ">= 0")
        for name, value in (("s_churn", s_churn), ("s_min", s_min), ("s_noise", s_noise))
    )
    s_max = _knob("s_max", s_max, lambda v: v >= s_min, f">= s_min = {s_min:g}")
    if num_steps is not None:
        check_integer("num_steps", num_steps, 1)
    return Edm(s_churn, s_min, s_max, s_noise, num_steps)


@dataclass(frozen=True)
class Edm:
    """The step of `edm`, which see."""

    s_churn: float
    s_min: float
    s_max: float
    s_noise: float
    num_steps: int | None

    def begin(self, num_steps: int) -> "Edm":
        """The step for a run of so many, unless another number was asked for."""
        return self if self.num_steps is not None else replace(self, num_steps=num_steps)

    def __call__(
        self, D: Denoiser, x: Tensor, sigma: Tensor, sigma_next: Tensor, noise: NoiseSource
    ) -> Tensor:
        if self.num_steps is None:
            raise CourseError(
                "num_steps: edm() knows it from a loop's grid; outside one pass edm(..., num_steps=N)"
            )
        churn = min(self.s_churn / self.num_steps, math.sqrt(2) - 1)
        gamma = churn if self.s_min <= sigma <= self.s_max else 0.0
        sigma_hat = sigma * (1 + gamma)
        x_hat = x + (sigma_hat**2 - sigma**2) ** 0.5 * self.s_noise * noise.like(x)
        return heun(D, x_hat, sigma_hat, sigma_next)


def _knob(name: str, value: float | Tensor, fits: Callable[[float], bool], want: str) -> float:
    """A number as Python has it. Raises CourseError for one that does not fit."""
    value = unwrapped(value)
    check_number(name, value, fits, want)
    return float(value)


def dpmpp_2m() -> "DPMpp2M":
    """DPM-Solver++(2M): second order from one evaluation a step, by reusing the last answer (Lu et al. 2022, algorithm 2).

    With lambda = -log(sigma) and r the ratio of the last step in lambda to this one, D is replaced by
    D + (D - D_last) / (2 r). The first step, and the last (sigma_next = 0), are first order. The step remembers the
    last answer, for one run: every loop calls its `begin` and goes on with what that returns.
    """
    return DPMpp2M()


class DPMpp2M:
    """The step of `dpmpp_2m`: what it remembers belongs to one run, which the loop begins with `begin`."""

    def __init__(self) -> None:
        self.last: tuple[Tensor, Tensor, Tensor] | None = None  # the last call's x_0, sigma and sigma_next

    def begin(self, num_steps: int | None = None) -> "DPMpp2M":
        """The step for a new run, of any number of steps: one that remembers nothing."""
        return DPMpp2M()

    def __call__(
        self,
        D: Denoiser,
        x: Tensor,
        sigma: Tensor,
        sigma_next: Tensor,
        noise: NoiseSource | None = None,
    ) -> Tensor:
        x0 = D(x, sigma)
        guess = self._guess(x0, sigma, sigma_next)
        self.last = (x0, sigma, sigma_next) if sigma_next > 0 else None  # a run ends at 0
        ratio = sigma_next / sigma
        return ratio * x + (1 - ratio) * guess

    def _guess(self, x0: Tensor, sigma: Tensor, sigma_next: Tensor) -> Tensor:
        """D in the middle of the step, from this answer and the last."""
        if self.last is None:
            return x0
        x0_last, sigma_last, reached = self.last
        if reached != sigma:
            raise CourseError(
                f"dpmpp_2m: called at sigma {sigma:g} after a step to {reached:g}; for another run take step.begin()"
            )
        if sigma_next == 0:
            return x0
        r = (sigma_last / sigma).log() / (sigma / sigma_next).log()
        return x0 + (x0 - x0_last) / (2 * r)


class State(NamedTuple):
    """One stop on the way: x (B, *S), its sigma, the denoiser's x_0 there, and the evaluations spent so far."""

    x: Tensor
    sigma: Tensor
    x0: Tensor
    nfe: int


@dataclass(frozen=True)
class Trajectory:
    """All stops: x and x0 (N+1, B, *S), sigma (N+1,), nfe in total. x[0] is the initial noise, x[-1] the samples."""

    x: Tensor
    sigma: Tensor
    x0: Tensor
    nfe: int


@torch.no_grad()
def ddim_invert(D: Denoiser, x: Tensor, sigmas: Tensor) -> Tensor:
    """From data to the noise that `ddim()` and `euler` would make it from: their step, run upwards (Song et al. 2021, section 4.3).

    x: (B, *S), the state at sigmas[0], in VE coordinates. sigmas: (N,), strictly increasing, all > 0, for instance
    `karras(40)[:-1].flip(0)`. Returns the state at sigmas[-1], of x's shape.

    The start: at sigma = 0 the slope (x - D) / sigma does not exist, so a clean image is passed as if it were at
    sigmas[0], an error of about sigmas[0] (0.002 is a quarter of a grey level). improved-diffusion takes the clean
    image for x_1 in textbook coordinates: pass `to_ve(x0, sigmas[0])` for that.
    Each step uses the slope at its lower end and sampling the one at its upper end: the round trip is exact only in
    the limit of small steps. Raises CourseError for another grid.
    """
    sigmas = torch.as_tensor(sigmas, dtype=torch.float64).cpu()
    check_state(x)
    if sigmas.ndim != 1 or len(sigmas) < 2 or not bool((sigmas.diff() > 0).all()) or not sigmas[0] > 0:
        got = [round(s, 6) for s in sigmas.flatten()[:4].tolist()]
        raise CourseError(f"sigmas: want two or more strictly increasing numbers > 0, got {got}...")
    dtype, x = x.dtype, at_least_single(x)
    counted = _Counted(D, dtype)
    watch = Watch("inversion", "sigma", sigmas, "look at the denoiser's output there")
    for sigma, sigma_next in itertools.pairwise(sigmas):
        x = euler(counted, x, sigma, sigma_next)
        watch.see(x)
    return x.to(dtype)


def sample(
    D: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    step: Step = euler,
    noise: NoiseSource | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Tensor:
    """Samples (B, *S): the last state of the loop. See `states` for the arguments."""
    for state in states(D, x, sigmas, step, noise, progress):
        last = state.x
    return last


def trajectory(
    D: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    step: Step = euler,
    noise: NoiseSource | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Trajectory:
    """Every state of the loop, stacked. See `states` for the arguments."""
    stops = list(states(D, x, sigmas, step, noise, progress))
    sigma = torch.stack([s.sigma for s in stops])
    return Trajectory(
        torch.stack([s.x for s in stops]), sigma, torch.stack([s.x0 for s in stops]), stops[-1].nfe
    )


@torch.no_grad()
def states(
    D: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    step: Step = euler,
    noise: NoiseSource | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Iterator[State]:
    """The loop: yield the initial state, then the state after each step.

    D: denoiser. x: (B, *S), the initial state at sigmas[0], that is sigmas[0] * noise in VE coordinates.
    sigmas: (N+1,), strictly decreasing, ending in 0. step: see the module's top. noise: needed by stochastic
    steps. No gradients are kept. progress: wraps the iterable of steps, e.g. tqdm.
    An x of half precision is sampled in float32 (step after step, rounding would carry the samples away from the data):
    D sees x's dtype, and so does who reads the states.
    Raises CourseError for a bad grid, x or step, a missing noise, an answer of D in another shape, or NaN (the step and
    sigma are named).
    """
    sigmas = _check_grid(sigmas)
    check_state(x)
    dtype, x = x.dtype, at_least_single(x)
    advice = "look at the denoiser's output there, or start from a smaller sigma"
    counted, watch = _Counted(D, dtype), Watch("sampling", "sigma", sigmas, advice)
    noise = source(noise)
    check_step(step, "D, x, sigma, sigma_next, noise")
    if hasattr(step, "begin"):
        step = step.begin(len(sigmas) - 1)
    grid = sigmas.unbind()  # once: picking a number out of a tensor takes as long as a small addition
    for i in progress(range(len(grid) - 1)):
        spent = counted.nfe
        x_next = step(counted, x, grid[i], grid[i + 1], noise)
        # The state before the step is complete only now: its x_0 is the step's first evaluation.
        yield State(in_dtype(x, dtype), grid[i], in_dtype(counted.take_first(x), dtype), spent)
        check_answer("step", x_next, x)
        watch.see(x_next)
        x = x_next
    x = x.to(dtype)
    yield State(x, grid[-1], x, counted.nfe)


def check_step(step: Callable, arguments: str) -> None:
    """Raise CourseError unless `step` takes these arguments, "D, x, ...": a function that makes steps is not a step."""
    if not callable(step) or isinstance(step, type):
        got = f"the class {step.__name__}" if isinstance(step, type) else type(step).__name__
        raise CourseError(f"step: got {got}, want a function such as samplers.heun")
    name = getattr(step, "__name__", type(step).__name__)
    try:
        takes = signature(step)
    except ValueError:  # what is written in C has no signature
        return
    number = len(arguments.split(", "))
    if _fits(takes, number):
        return
    returns = takes.return_annotation
    makes_steps = _fits(takes, 0) or (get_origin(returns) is Callable and len(get_args(returns)[0]) == number)
    made = f", or a step that it makes: {name}({'' if _fits(takes, 0) else '...'})" if makes_steps else ""
    raise CourseError(
        f"step: got {name}({', '.join(takes.parameters)}), want a function of ({arguments}){made}"
    )


def _fits(takes: Signature, arguments: int) -> bool:
    """Can a function with this signature be called with so many?"""
    try:
        takes.bind(*range(arguments))
    except TypeError:
        return False
    return True


class _Counted:
    """A denoiser that is asked in one dtype and answers in its state's, counts its evaluations, and remembers a step's first."""

    def __init__(self, D: Denoiser, dtype: torch.dtype):
        self.D, self.dtype, self.nfe = D, dtype, 0
        self.first: Tensor | None = None

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        self.nfe += 1
        x0 = self.D(in_dtype(x, self.dtype), sigma)
        check_answer("D", x0, x)
        x0 = in_dtype(x0, x.dtype)
        if self.first is None:
            self.first = x0
        return x0

    def take_first(self, x: Tensor) -> Tensor:
        """The first answer since this was last asked, NaN where there is none. It is not kept: memory that is free again is fast."""
        first, self.first = self.first, None
        return torch.full_like(x, torch.nan) if first is None else first


class Watch:
    """Tells the first step of a run after which the state is not finite, without a wait for the device in between.

    A sum with a NaN or an infinity in it is one of both, and takes 3 µs at 16 x 1 x 28 x 28 on a CPU, where `isfinite(x).all()` takes
    40, more than the whole step. There each step is looked at. On a GPU a look waits until all work is done: only
    the last step looks, at all sums.
    """

    def __init__(self, what: str, name: str, grid: Tensor, advice: str):
        """what: runs. name: of the numbers of its grid (N+1,). advice: what to do."""
        self.what, self.name, self.grid, self.advice = what, name, grid, advice
        self.seen = 0
        self.totals: list[Tensor] = []

    def see(self, x: Tensor) -> None:
        """The state (B, *S) after the next step. Raises CourseError where one was not finite."""
        self.seen += 1
        if x.device.type == "cpu":
            self._look(x, self.seen, x.sum().item())
            return
        self.totals.append(x.sum())
        if self.seen == len(self.grid) - 1:
            for step, total in enumerate(torch.stack(self.totals).tolist(), 1):
                self._look(x, step, total)

    def _look(self, x: Tensor, step: int, total: float) -> None:
        # Finite numbers may have a sum that is too large for their dtype.
        if math.isfinite(total) or bool(torch.isfinite(x).all()):
            return
        here, there = self.grid[step - 1 : step + 1].tolist()
        raise CourseError(
            f"{self.what}: NaN or infinity after step {step} of {len(self.grid) - 1}, "
            f"{self.name} {here:g} -> {there:g}; {self.advice}"
        )


def _check_grid(sigmas: Tensor) -> Tensor:
    # On the CPU: 0-d float64 tensors there combine with tensors on any device, without changing their dtype.
    try:
        sigmas = torch.as_tensor(sigmas, dtype=torch.float64).cpu()
    except (TypeError, ValueError, RuntimeError):
        raise CourseError(f"sigmas: got {shown(sigmas)}, want a grid such as karras(18)") from None
    if sigmas.ndim != 1 or len(sigmas) < 2:
        raise CourseError(f"sigmas: got shape {tuple(sigmas.shape)}, want (N+1,) with N >= 1")
    rises = ~(sigmas.diff() < 0)
    if rises.any():
        i = int(rises.nonzero()[0])
        raise CourseError(
            f"sigmas: want strictly decreasing, got sigmas[{i}] = {sigmas[i]:g}, sigmas[{i + 1}] = {sigmas[i + 1]:g}"
        )
    if sigmas[-1] != 0:
        raise CourseError(f"sigmas: want a grid that ends in 0, got {sigmas[-1]:g}; append a 0")
    return sigmas
