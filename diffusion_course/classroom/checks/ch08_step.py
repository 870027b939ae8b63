"""One step of the family between the probability-flow ODE and the reverse SDE, and beyond."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from ...sde import times
from .ch01_slips import in_float32
from .ch08_denoiser import SDES
from .data import Check, Mutant
from .inputs import Draw
from .slips import result_slip

Score = Callable[[Tensor, Tensor], Tensor]


def reverse_sde_step(
    score: Score, x: Tensor, t: Tensor, t_next: Tensor, f: Tensor, g: Tensor, lam: float, z: Tensor
) -> Tensor:
    return x + (t - t_next) * drift(score(x, t), x, f, g, lam) + noise(t, t_next, g, lam, z)


def drift(s: Tensor, x: Tensor, f: Tensor, g: Tensor, lam: float) -> Tensor:
    return -f * x + (1 + lam**2) / 2 * g**2 * s


def noise(t: Tensor, r: Tensor, g: Tensor, lam: float, z: Tensor) -> Tensor:
    return lam * g * (t - r).sqrt() * z if r > 0 else torch.zeros_like(z)


def drift_slip(hint: str, other: Callable) -> Mutant:
    """A mutant with another drift, other(s, x, f, g, lam)."""

    def step(
        score: Score, x: Tensor, t: Tensor, r: Tensor, f: Tensor, g: Tensor, lam: float, z: Tensor
    ) -> Tensor:
        return x + (t - r) * other(score(x, t), x, f, g, lam) + noise(t, r, g, lam, z)

    return Mutant(hint, step)  # fmt: skip


def noise_slip(hint: str, other: Callable) -> Mutant:
    """A mutant with other noise, other(h, g, lam, z), in all steps but the last."""

    def step(
        score: Score, x: Tensor, t: Tensor, r: Tensor, f: Tensor, g: Tensor, lam: float, z: Tensor
    ) -> Tensor:
        h = t - r
        moved = x + h * drift(score(x, t), x, f, g, lam)
        return moved + other(h, g, lam, z) if r > 0 else moved

    return Mutant(hint, step)  # fmt: skip


def noise_slip_at(hint: str, root: Callable) -> Mutant:
    """A mutant whose noise has root(t, t_next) in the place of sqrt(h), in all steps but the last."""
    return Mutant(
        hint,
        lambda s, x, t, r, f, g, k, z: (
            x + (t - r) * drift(s(x, t), x, f, g, k) + (k * g * root(t, r) * z if r > 0 else 0)
        ),
    )


def step_slip(hint: str, other: Callable) -> Mutant:
    """A mutant other(score, x, t, r, f, g, lam, z), in all steps."""
    return Mutant(hint, other)


def last_slip(hint: str, other: Callable) -> Mutant:
    """A mutant that errs where t_next is 0, where it returns other(score, x, t, f, g, lam, z)."""

    def step(
        score: Score, x: Tensor, t: Tensor, r: Tensor, f: Tensor, g: Tensor, lam: float, z: Tensor
    ) -> Tensor:
        return other(score, x, t, f, g, lam, z) if r == 0 else reverse_sde_step(score, x, t, r, f, g, lam, z)

    return Mutant(hint, step)  # fmt: skip


def a_step(d: Draw) -> tuple:
    """f below 0, and t_next = 0 in the cases whose edge is "first"; every lam from below 1 to above."""
    t = d.uniform(0.4, 0.9)
    r = t * (0 if d.edge == "first" else d.uniform(0.3, 0.7))
    return d.score(), d.x(), t, r, -d.uniform(0.5, 2), d.uniform(0.6, 1.8), (0.4, 1.7)[d.size() % 2], d.x()


def steps(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Every step of a grid of 8 in the three processes, the ODE, the SDE and twice its noise; short steps; an image."""
    grid = times(8).to(d.device, d.dtype)
    for (name, sde), lam in zip(SDES.items(), (1.0, 0.0, 2.0), strict=True):
        for t, r in pairwise(grid):
            f, g = (v.to(t) for v in (sde.f(t.cpu().double()), sde.g(t.cpu().double())))
            yield f"{name}, lam = {lam:g}", (d.score(), d.normal(2, 3), t, r, f, g, lam, d.normal(2, 3))
    for lam in (0, 1, 0.5):
        rest = (d.uniform(0.501, 0.501), d.uniform(0.5, 0.5), -d.uniform(3, 3), d.uniform(2, 2), lam)
        yield f"a short step, lam = {lam}", (d.score(), d.wide(2, 3), *rest, d.wide(2, 3))
    f = d.uniform(0.5, 0.5)
    yield "nearly the last step", (
        *(d.score(), d.wide(2, 3), d.uniform(0.1, 0.1), d.uniform(1e-6, 1e-6), f, d.uniform(2, 2), 1.0),
        d.wide(2, 3),
    )  # fmt: skip
    yield "one image, f above 0", (
        *(d.score(), d.wide(1, 1, 4, 4), d.uniform(1, 1), d.uniform(0.9, 0.9), f, f, 1.5),
        d.wide(1, 1, 4, 4),
    )  # fmt: skip


REVERSE_SDE_STEP = Check(
    id="08-reverse_sde_step",
    points=4,
    minutes=15,
    level=2,
    reference=reverse_sde_step,
    inputs=a_step,
    fixed=steps,
    evaluations={"score": lambda score, x, *rest: len(x)},
    calls={"score": lambda *args: 1},
    where='(9) in section 4 of this notebook ("The way back"): with h = t - t_next, x + h (-f x + (1 + lam^2) / 2 g^2 score(x, t)) + lam g sqrt(h) z, '
    "and no noise where t_next = 0 (Song et al. 2021, eq. 6; Karras et al. 2022, eq. 6).",
    outputs=("x_next",),
    library=("sde.euler_maruyama", "sde.ode_euler"),
    mutants=[
        Mutant(
            "t for the step's length: it is h = t - t_next.",
            lambda s, x, t, r, f, g, k, z: x + t * drift(s(x, t), x, f, g, k) + (k * g * t.sqrt() * z if r > 0 else 0),
        ),
        noise_slip("a root of the whole product lam g h: only h is under it.", lambda h, g, k, z: (k * g * h).sqrt() * z),
        noise_slip("the noise of the first sample for all: each has its own.", lambda h, g, k, z: k * g * h.sqrt() * z[:1]),
        noise_slip("noise brought to mean 0 and variance 1: take z as it is given.", lambda h, g, k, z: k * g * h.sqrt() * (z - z.mean()) / z.std()),
        Mutant(
            "no noise in the first step, at t = 1: only the step to time 0 has none.",
            lambda s, x, t, r, f, g, k, z: reverse_sde_step(s, x, t, r, f, g, k, z if t < 1 else 0 * z),
        ),
        # the drift
        drift_slip("f x with the sign of the forward process: backwards in time it is -f x.", lambda s, x, f, g, k: f * x + (1 + k**2) / 2 * g**2 * s),
        drift_slip("the score with a minus: backwards it pulls to the data, + g^2 score.", lambda s, x, f, g, k: -f * x - (1 + k**2) / 2 * g**2 * s),
        drift_slip("a drift forwards in time: with h = t - t_next > 0 both of its terms turn their sign.", lambda s, x, f, g, k: f * x - (1 + k**2) / 2 * g**2 * s),
        drift_slip("f without x: the drift is f x.", lambda s, x, f, g, k: -f + (1 + k**2) / 2 * g**2 * s),
        drift_slip("no f x in the drift, which is right for VE alone.", lambda s, x, f, g, k: (1 + k**2) / 2 * g**2 * s),
        drift_slip("no score in the drift.", lambda s, x, f, g, k: -f * x),
        drift_slip("g for g^2 in the drift.", lambda s, x, f, g, k: -f * x + (1 + k**2) / 2 * g * s),
        drift_slip("sqrt(g) for g^2 in the drift.", lambda s, x, f, g, k: -f * x + (1 + k**2) / 2 * g.sqrt() * s),
        drift_slip("no g in the drift: the score has the factor g^2.", lambda s, x, f, g, k: -f * x + (1 + k**2) / 2 * s),
        drift_slip("g for g^2 / 2, and no half.", lambda s, x, f, g, k: -f * x + (1 + k**2) * g * s),
        drift_slip("the half forgotten: the factor is (1 + lam^2) / 2.", lambda s, x, f, g, k: -f * x + (1 + k**2) * g**2 * s),
        drift_slip("(1 + lam) / 2: lam is squared, as in the variance of its noise.", lambda s, x, f, g, k: -f * x + (1 + k) / 2 * g**2 * s),
        drift_slip("(1 + lam)^2 / 2: it is (1 + lam^2) / 2.", lambda s, x, f, g, k: -f * x + (1 + k) ** 2 / 2 * g**2 * s),
        drift_slip("1 + lam^2 / 2, a missing pair of brackets: it is (1 + lam^2) / 2.", lambda s, x, f, g, k: -f * x + (1 + k**2 / 2) * g**2 * s),
        drift_slip("lam^2 / 2 alone: the ODE's half is there at lam = 0, too.", lambda s, x, f, g, k: -f * x + k**2 / 2 * g**2 * s),
        drift_slip("the reverse SDE's drift whatever lam is: the factor is (1 + lam^2) / 2.", lambda s, x, f, g, k: -f * x + g**2 * s),
        drift_slip("the ODE's drift whatever lam is: noise needs a drift that undoes its spreading, (1 + lam^2) / 2.", lambda s, x, f, g, k: -f * x + g**2 / 2 * s),
        drift_slip("lam^2 g^2 in the drift: the factor is (1 + lam^2) / 2, which is 1/2 for the ODE.", lambda s, x, f, g, k: -f * x + k**2 * g**2 * s),
        drift_slip("(1 - lam^2) / 2: more noise needs a stronger pull, (1 + lam^2) / 2.", lambda s, x, f, g, k: -f * x + (1 - k**2) / 2 * g**2 * s),
        drift_slip("lam g^2 in the drift: the factor is (1 + lam^2) / 2.", lambda s, x, f, g, k: -f * x + k * g**2 * s),
        drift_slip("the factor (1 + lam^2) / 2 at f x, too.", lambda s, x, f, g, k: (1 + k**2) / 2 * (-f * x + g**2 * s)),
        drift_slip("f^2 x: the drift is f x.", lambda s, x, f, g, k: -(f**2) * x + (1 + k**2) / 2 * g**2 * s),
        drift_slip("g for g^2 / 2 in the ODE's part: the factor is (1 + lam^2) / 2 g^2.", lambda s, x, f, g, k: -f * x + (g + k**2 / 2 * g**2) * s),
        drift_slip("g / 2 for g^2 / 2 in the ODE's part: the factor is (1 + lam^2) / 2 g^2.", lambda s, x, f, g, k: -f * x + (g + k**2 * g**2) / 2 * s),
        drift_slip("1/2 + lam^2: the noise's part has a half, too, (1 + lam^2) / 2.", lambda s, x, f, g, k: -f * x + (0.5 + k**2) * g**2 * s),
        drift_slip("f / 2: f holds the half already.", lambda s, x, f, g, k: -f / 2 * x + (1 + k**2) / 2 * g**2 * s),
        step_slip(
            "the random number z in the place of the diffusion coefficient g in the drift.",
            lambda s, x, t, r, f, g, k, z: x + (t - r) * drift(s(x, t), x, f, z, k) + noise(t, r, g, k, z),
        ),
        # where it is taken
        step_slip("the score at t_next: it is taken where the step begins, at t.", lambda s, x, t, r, f, g, k, z: (
            x + (t - r) * drift(s(x, r), x, f, g, k) + noise(t, r, g, k, z)
        )),
        step_slip("noise added before the score is asked: the score is of x at t.", lambda s, x, t, r, f, g, k, z: (
            x + (t - r) * drift(s(x + noise(t, r, g, k, z), t), x, f, g, k) + noise(t, r, g, k, z)
        )),
        # the length
        step_slip("h^2 before the drift: it is h.", lambda s, x, t, r, f, g, k, z: x + (t - r) ** 2 * drift(s(x, t), x, f, g, k) + noise(t, r, g, k, z)),
        step_slip("sqrt(h) before the drift: the noise has the root, the drift h.", lambda s, x, t, r, f, g, k, z: (
            x + (t - r).sqrt() * drift(s(x, t), x, f, g, k) + noise(t, r, g, k, z)
        )),
        step_slip("no h before the drift.", lambda s, x, t, r, f, g, k, z: x + drift(s(x, t), x, f, g, k) + noise(t, r, g, k, z)),
        step_slip("t in the place of h before the drift: h = t - t_next.", lambda s, x, t, r, f, g, k, z: x + t * drift(s(x, t), x, f, g, k) + noise(t, r, g, k, z) if r else reverse_sde_step(s, x, t, r, f, g, k, z)),
        step_slip("t_next - t in the place of h before the drift: the drift of (9) is of backward time, and h is above 0.", lambda s, x, t, r, f, g, k, z: (
            x + (r - t) * drift(s(x, t), x, f, g, k) + noise(t, r, g, k, z)
        ) if r else reverse_sde_step(s, x, t, r, f, g, k, z)),
        step_slip("t and t_next swapped: the step goes from t down to t_next.", lambda s, x, t, r, f, g, k, z: (
            x + (r - t) * drift(s(x, r), x, f, g, k) + k * g * (t - r).sqrt() * z
        )),
        step_slip("the change alone: add it to x.", lambda s, x, t, r, f, g, k, z: (t - r) * drift(s(x, t), x, f, g, k) + noise(t, r, g, k, z)),
        # the noise
        noise_slip("h before the noise: its variance is proportional to h, so it has sqrt(h).", lambda h, g, k, z: k * g * h * z),
        noise_slip("noise without sqrt(h).", lambda h, g, k, z: k * g * z),
        noise_slip("1 / sqrt(h) before the noise.", lambda h, g, k, z: k * g / h.sqrt() * z),
        noise_slip_at("sqrt(t) before the noise: it is sqrt(h), with h = t - t_next.", lambda t, r: t.sqrt()),
        noise_slip_at("sqrt(t_next) before the noise: it is sqrt(h), with h = t - t_next.", lambda t, r: r.sqrt()),
        noise_slip_at("sqrt(t) - sqrt(t_next) before the noise: variances are subtracted, sqrt(t - t_next).", lambda t, r: t.sqrt() - r.sqrt()),
        noise_slip("noise without lam: it is lam g sqrt(h) z.", lambda h, g, k, z: g * h.sqrt() * z),
        noise_slip("noise without g: it is lam g sqrt(h) z.", lambda h, g, k, z: k * h.sqrt() * z),
        noise_slip("g^2 before the noise: that is its variance, and g its standard deviation.", lambda h, g, k, z: k * g**2 * h.sqrt() * z),
        noise_slip("sqrt(g) before the noise: g is its standard deviation already.", lambda h, g, k, z: k * (g * h).sqrt() * z),
        noise_slip("lam^2 before the noise: that is its variance, and lam g its standard deviation.", lambda h, g, k, z: k**2 * g * h.sqrt() * z),
        noise_slip("sqrt(lam) before the noise.", lambda h, g, k, z: k**0.5 * g * h.sqrt() * z),
        noise_slip("sqrt(2) too much noise, as Langevin's has it: it is lam g sqrt(h) z.", lambda h, g, k, z: k * g * (2 * h).sqrt() * z),
        noise_slip("noise of the variance of the drift's factor, (1 + lam^2) / 2: it is lam^2 g^2 h.", lambda h, g, k, z: ((1 + k**2) / 2 * h).sqrt() * g * z),
        noise_slip("noise subtracted: add it.", lambda h, g, k, z: -k * g * h.sqrt() * z),
        noise_slip("no noise at all: where t_next > 0 there is lam g sqrt(h) z.", lambda h, g, k, z: 0 * z),
        noise_slip("z^2 in the noise: it is z.", lambda h, g, k, z: k * g * h.sqrt() * z**2),
        # the last step
        last_slip("noise in the last step, too: where t_next = 0 nothing would remove it.", lambda s, x, t, f, g, k, z: (
            x + t * drift(s(x, t), x, f, g, k) + k * g * t.sqrt() * z
        )),
        last_slip("x itself where t_next = 0: the last step moves it, without noise.", lambda s, x, t, f, g, k, z: x.clone()),
        last_slip("zeros where t_next = 0.", lambda s, x, t, f, g, k, z: torch.zeros_like(x)),
        last_slip("the ODE where t_next = 0: without its noise the last step keeps the drift of (9).", lambda s, x, t, f, g, k, z: (
            x + t * drift(s(x, t), x, f, g, 0)
        )),
        *(
            step_slip(f"no noise for t_next below {c:g}: only where it is exactly 0.", lambda s, x, t, r, f, g, k, z, c=c: (
                reverse_sde_step(s, x, t, r, f, g, k, z if r >= c else 0 * z)
            ))
            for c in (0.01, 0.3)
        ),
        *(
            step_slip(f"{words} before the noise, and noise in the last step, too: it is lam g sqrt(h) z, and none where t_next = 0.", lambda s, x, t, r, f, g, k, z, other=other: (
                x + (t - r) * drift(s(x, t), x, f, g, k) + other(t - r, g, k) * z
            ))
            for words, other in {
                "h": lambda h, g, k: k * g * h,
                "no h": lambda h, g, k: k * g,
                "no lam": lambda h, g, k: g * h.sqrt(),
                "no g": lambda h, g, k: k * h.sqrt(),
                "g^2": lambda h, g, k: k * g**2 * h.sqrt(),
            }.items()
        ),
        *(
            result_slip(f"a result cut off at -{c} and {c}: x has no limits.", reverse_sde_step, partial(torch.clamp, min=-c, max=c))
            for c in (1, 3)
        ),
        in_float32(reverse_sde_step),
    ],
)  # fmt: skip
