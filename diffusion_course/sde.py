"""Diffusion in continuous time, backwards: reverse SDE, probability-flow ODE, samplers, and the ODE's exact likelihood.

    sde = vp()
    score = as_score(D, sde)
    x = sample(score, sde, sde.prior_std * noise.randn(B, *S), times(500), noise=noise)
    log_p = log_likelihood(score, sde, x)

Equation numbers are those of Song et al. 2021 ("Score-based generative modeling through stochastic differential
equations"). The forward processes `vp`, `sub_vp` and `ve` come from `processes`, which says what t and x are.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from .denoisers import Denoiser
from .errors import CourseError, check_integer
from .noise import NoiseSource, source
from .processes import SDE, check_time, sub_vp, ve, vp
from .samplers import Watch, check_step
from .shapes import at_least_single, check_answer, check_state, expand, per_sample

__all__ = [
    "SDE",
    "as_score",
    "euler_maruyama",
    "exact_trace",
    "hutchinson",
    "langevin",
    "log_likelihood",
    "ode_euler",
    "ode_rk4",
    "ode_velocity",
    "predictor_corrector",
    "rademacher",
    "reverse_drift",
    "sample",
    "states",
    "sub_vp",
    "times",
    "ve",
    "vp",
]

Score = Callable[[Tensor, Tensor], Tensor]
"""score(x, t) = grad_x log p_t(x): x (B, *S), t () or (B,) in (0, 1] -> (B, *S)."""

Divergence = Callable[[Tensor, Tensor], Tensor]
"""divergence(v, x): v (B, *S), computed by autograd from x (B, *S), each row from its own -> (B,)."""


def as_score(D: Denoiser, sde: SDE) -> Score:
    """The score of p_t from a denoiser, by Tweedie's formula: (scale D(x / scale, sigma) - x) / std^2.

    The returned score(x, t) raises CourseError for t outside [0, 1], or where std(t) = 0.
    """

    def score(x: Tensor, t: Tensor) -> Tensor:
        t = check_time(t, x)
        if not bool((sde.std(t) > 0).all()):
            raise CourseError(f"t: got {t.min().item():g}, where the kernel's std is 0; want t > 0")
        scale, std = expand(sde.scale(t), x), expand(sde.std(t), x)
        sigma = sde.sigma(t) if t.ndim == 0 else sde.sigma(t).to(x)
        return (scale * D(x / scale, sigma) - x) / std**2

    return score


def reverse_drift(score: Score, sde: SDE, x: Tensor, t: Tensor) -> Tensor:
    """f x - g^2 score, the drift of the reverse-time SDE, whose diffusion is g again (Song et al. 2021, eq. 6)."""
    return sde.drift(x, t) - sde.diffusion(x, t) ** 2 * score(x, t)


def ode_velocity(score: Score, sde: SDE, x: Tensor, t: Tensor) -> Tensor:
    """f x - g^2 score / 2, the velocity of the probability-flow ODE, forward in t (Song et al. 2021, eq. 13)."""
    return sde.drift(x, t) - sde.diffusion(x, t) ** 2 * score(x, t) / 2


# ---- steps: step(score, sde, x, t, t_next, noise) -> x_next, t_next < t, both 0-d float64 on the CPU

Step = Callable[[Score, SDE, Tensor, Tensor, Tensor, Any], Tensor]


def euler_maruyama(
    score: Score, sde: SDE, x: Tensor, t: Tensor, t_next: Tensor, noise: NoiseSource
) -> Tensor:
    """One Euler-Maruyama step of the reverse-time SDE. Weak order 1.

    On the last step (t_next = 0) the noise is drawn but not added, which leaves the denoised mean.
    """
    h = t - t_next
    fresh = sde.diffusion(x, t) * h.sqrt() * noise.like(x)
    mean = x - h * reverse_drift(score, sde, x, t)
    return mean + fresh if t_next > 0 else mean


def ode_euler(
    score: Score, sde: SDE, x: Tensor, t: Tensor, t_next: Tensor, noise: NoiseSource | None = None
) -> Tensor:
    """One Euler step of the probability-flow ODE, in t and x_t: order 1."""
    return x + (t_next - t) * ode_velocity(score, sde, x, t)


def ode_rk4(
    score: Score, sde: SDE, x: Tensor, t: Tensor, t_next: Tensor, noise: NoiseSource | None = None
) -> Tensor:
    """One classical Runge-Kutta step of the probability-flow ODE: order 4, four evaluations.

    The last step (t_next = 0), where the score need not exist at the end, is Euler: one evaluation.
    """
    if t_next == 0:
        return ode_euler(score, sde, x, t, t_next)
    (dx,) = _rk4(lambda x, t: (ode_velocity(score, sde, x, t),), x, t, t_next - t)
    return x + dx


def langevin(score: Score, x: Tensor, t: Tensor, noise: NoiseSource, snr: float, alpha: Tensor) -> Tensor:
    """One Langevin correction at fixed t: x + e score + sqrt(2 e) z (Song et al. 2021, algorithms 4 and 5).

    The step is e = 2 alpha (snr ||z|| / ||score||)^2. As in the reference code, both norms are means over the
    batch: the rows of a batch are not independent, and a batch of one point in few dimensions is fragile.
    """
    z, slope = noise.like(x), score(x, t)
    ratio = z.flatten(1).norm(dim=1).mean() / slope.flatten(1).norm(dim=1).mean()
    step_size = 2 * alpha * (snr * ratio) ** 2
    return x + step_size * slope + (2 * step_size).sqrt() * z


def predictor_corrector(snr: float = 0.16, corrections: int = 1, predictor: Step = euler_maruyama) -> Step:
    """At each t first `corrections` Langevin steps, then the predictor, the reference code's order (Song et al. 2021, app. G).

    snr: the corrector's signal-to-noise ratio, > 0; 0.16 is the paper's for images. alpha is 1 for VE and
    (scale(t) / scale(t_next))^2 for VP: the alpha_i of the discrete chain, here for any number of steps.
    Raises CourseError for another snr, or corrections that are no integer >= 0.
    """
    if not 0 < snr < math.inf:
        raise CourseError(f"snr: got {snr}, want a number > 0")
    check_integer("corrections", corrections, 0)

    def step(score: Score, sde: SDE, x: Tensor, t: Tensor, t_next: Tensor, noise: NoiseSource) -> Tensor:
        alpha = (sde.scale(t) / sde.scale(t_next)) ** 2
        for _ in range(corrections):
            x = langevin(score, x, t, noise, snr, alpha)
        return predictor(score, sde, x, t, t_next, noise)

    return step


# ---- the loop


def times(n: int, t_min: float = 1e-3) -> Tensor:
    """Grid of n + 1 times, evenly spaced from 1 to t_min, then 0. float64.

    The paper takes t_min = 1e-3 for VP and 1e-5 for VE. Raises CourseError unless n >= 1 and 0 < t_min < 1.
    """
    check_integer("n", n, 1)
    _check_t_min(t_min)
    return torch.cat([torch.linspace(1, t_min, n, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)])


def sample(
    score: Score,
    sde: SDE,
    x: Tensor,
    times: Tensor,
    step: Step = euler_maruyama,
    noise: NoiseSource | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Tensor:
    """Samples (B, *S): the last state of the loop. See `states` for the arguments."""
    for state in states(score, sde, x, times, step, noise, progress):
        last = state[0]
    return last


@torch.no_grad()
def states(
    score: Score,
    sde: SDE,
    x: Tensor,
    times: Tensor,
    step: Step = euler_maruyama,
    noise: NoiseSource | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Iterator[tuple[Tensor, Tensor]]:
    """The loop: yield (x, t), x (B, *S) and t (), at the start and after each step.

    x: (B, *S), the state at times[0]; at t = 1 that is sde.prior_std times noise. times: (N+1,), strictly
    decreasing within [0, 1]. noise: needed by stochastic steps. progress: wraps the iterable of steps.
    An x of half precision is sampled in float32, as in `samplers.states`.
    Raises CourseError for a bad grid, x or step, a missing noise, a score or step of another shape, or NaN (the step and t
    are named).
    """
    times = _check_times(times)
    check_state(x, least=2)
    dtype, x = x.dtype, at_least_single(x)
    score, noise = _checked(score, dtype), source(noise)
    check_step(step, "score, sde, x, t, t_next, noise")
    watch = Watch("sampling", "t", times, "look at the score there, or take more steps")
    yield x.to(dtype), times[0]
    for i in progress(range(len(times) - 1)):
        x_next = step(score, sde, x, times[i], times[i + 1], noise)
        check_answer("step", x_next, x)
        watch.see(x_next)
        x = x_next
        yield x.to(dtype), times[i + 1]


# ---- likelihood


def exact_trace(v: Tensor, x: Tensor) -> Tensor:
    """The divergence sum_i dv_i / dx_i of each row, (B,), by one backward pass per dimension."""
    components = v.flatten(1).unbind(1)
    last = len(components) - 1
    rows = [
        torch.autograd.grad(c.sum(), x, retain_graph=i < last)[0].flatten(1)[:, i]
        for i, c in enumerate(components)
    ]
    return torch.stack(rows, 1).sum(1)


def hutchinson(probes: Tensor) -> Divergence:
    """An unbiased estimate of the divergence, the mean of e^T (dv/dx) e over the probes (Song et al. 2021, eq. 40).

    probes: (K, B, *S), independent entries of mean 0 and variance 1: `rademacher` (less variance), or
    torch.stack([noise.like(x), ...]) for Gaussian ones. K backward passes. The divergence it returns raises
    CourseError when the probes do not match x.
    """

    def divergence(v: Tensor, x: Tensor) -> Tensor:
        if probes.shape[1:] != x.shape or len(probes) == 0:
            raise CourseError(
                f"probes: got shape {tuple(probes.shape)}, want (K, *x.shape) = (K, {_axes(x)})"
            )
        total = torch.zeros(len(x), dtype=x.dtype, device=x.device)
        for i, e in enumerate(probes.to(x)):
            (pulled,) = torch.autograd.grad(v, x, e, retain_graph=i + 1 < len(probes))
            total = total + per_sample(pulled * e)
        return total / len(probes)

    return divergence


def rademacher(x: Tensor, noise: NoiseSource, k: int = 1) -> Tensor:
    """k probes of random signs for `hutchinson`: (k, *x.shape). Raises CourseError unless k is an integer >= 1."""
    check_integer("k", k, 1)
    return torch.stack([torch.where(noise.like(x) < 0, -1.0, 1.0).to(x) for _ in range(k)])


@torch.no_grad()
def log_likelihood(
    score: Score,
    sde: SDE,
    x: Tensor,
    num_steps: int = 100,
    divergence: Divergence = exact_trace,
    t_min: float = 1e-5,
    log_prior: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """log p(x) of the probability-flow ODE, by the instantaneous change of variables (Song et al. 2021, eq. 39).

    The ODE runs from x (B, *S) at t_min to 1 in num_steps equal Runge-Kutta steps of order 4, and
    log p(x) = log p_1(x_1) + integral of div v dt: (B,), float64, in nats. It is the density at t_min.
    divergence: `exact_trace`, or `hutchinson(probes)` with the same probes at every step.
    log_prior: the log-density at t = 1, (B, *S) -> (B,); default sde.prior_log_density, an approximation, since
    p_1 is not quite the prior (VP keeps 0.7 % of the data's mean).
    Raises CourseError for a bad num_steps or t_min, x or score of another kind, a score that cannot be differentiated
    (one that runs under no_grad inside), or NaN (the step is named).
    """
    check_integer("num_steps", num_steps, 1)
    _check_t_min(t_min)
    check_state(x, least=2)
    dtype, x = x.dtype, at_least_single(x)
    checked = _checked(score, dtype)

    def differentiable(x: Tensor, t: Tensor) -> Tensor:
        s = checked(x, t)
        if not s.requires_grad:
            raise CourseError("score: its answer does not depend on x; is it detached, or under no_grad?")
        return s

    def slope(x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            v = ode_velocity(differentiable, sde, x, t)
            return v.detach(), divergence(v, x).detach().double()

    log_det = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    grid = torch.linspace(t_min, 1, num_steps + 1, dtype=torch.float64)
    watch = Watch("log_likelihood", "t", grid, "look at the score there, or take more steps")
    for i in range(num_steps):
        dx, change = _rk4(slope, x, grid[i], grid[i + 1] - grid[i])
        x, log_det = x + dx, log_det + change
        watch.see(torch.cat([x.flatten().double(), log_det]))
    return (sde.prior_log_density if log_prior is None else log_prior)(x).double() + log_det


def _rk4(
    slope: Callable[[Tensor, Tensor], tuple[Tensor, ...]], x: Tensor, t: Tensor, h: Tensor
) -> list[Tensor]:
    """The increments over [t, t + h] of x and of whatever else `slope` returns beside dx/dt."""
    k1 = slope(x, t)
    k2 = slope(x + h / 2 * k1[0], t + h / 2)
    k3 = slope(x + h / 2 * k2[0], t + h / 2)
    # Rounding must not carry the last time past 1.
    k4 = slope(x + h * k3[0], (t + h).clamp(0, 1))
    return [h / 6 * (a + 2 * b + 2 * c + d) for a, b, c, d in zip(k1, k2, k3, k4, strict=True)]


def _check_t_min(t_min: float) -> None:
    if not 0 < t_min < 1:
        raise CourseError(f"t_min: got {t_min}, want a number inside (0, 1)")


def _check_times(times: Tensor) -> Tensor:
    times = check_time(torch.as_tensor(times, dtype=torch.float64))
    if times.ndim != 1 or len(times) < 2:
        raise CourseError(f"times: got shape {tuple(times.shape)}, want (N+1,) with N >= 1")
    rises = (times.diff() >= 0).nonzero()
    if len(rises):
        before, after = times[rises[0, 0] :][:2].tolist()
        raise CourseError(f"times: want strictly decreasing, got {after:g} after {before:g}")
    return times


def _checked(score: Score, dtype: torch.dtype) -> Score:
    """A score that is asked in one dtype and answers in its state's."""

    def checked(x: Tensor, t: Tensor) -> Tensor:
        s = score(x.to(dtype), t)
        check_answer("score", s, x)
        return s.to(x.dtype)

    return checked


def _axes(x: Tensor) -> str:
    return ", ".join(map(str, x.shape))
