"""Checks of chapter 07: the DDIM step, sub-sequences of times, and interpolation on the sphere."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ...denoisers import EpsModel
from .ch03 import predict
from .data import Check, Mutant
from .inputs import Draw, column


def ddim_step(
    eps_model: EpsModel, x_t: Tensor, t: int, t_prev: int, eta: float, z: Tensor, alpha_bar: Tensor
) -> Tensor:
    a, a_prev = kept(t, t_prev, alpha_bar)
    return eq_12(x_t, predict(eps_model, x_t, t), a, a_prev, fresh_std(a, a_prev, eta), z)


def kept(t: int, t_prev: int, alpha_bar: Tensor) -> tuple[Tensor, Tensor]:
    """alpha_bar at t and at t_prev, each ()."""
    return alpha_bar[t - 1], alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(alpha_bar[0])


def fresh_std(a: Tensor, a_prev: Tensor, eta: float) -> Tensor:
    return eta * ((1 - a_prev) / (1 - a) * (1 - a / a_prev)).sqrt()


def eq_12(x: Tensor, eps: Tensor, a: Tensor, a_prev: Tensor, s: Tensor, z: Tensor) -> Tensor:
    x0 = (x - (1 - a).sqrt() * eps) / a.sqrt()
    return a_prev.sqrt() * x0 + (1 - a_prev - s**2).sqrt() * eps + s * z


def step_slip(hint: str, formula: Callable, shift: int = 0) -> Mutant:
    """A mutant written as formula(x_t, eps, a, a_prev, eta, z); its model sees t + shift."""
    return Mutant(
        hint,
        lambda m, x, t, p, eta, z, ab: formula(x, predict(m, x, t + shift), *kept(t, p, ab), eta, z),
    )


def right_step(x: Tensor, eps: Tensor, a: Tensor, b: Tensor, eta: float, z: Tensor) -> Tensor:
    return eq_12(x, eps, a, b, fresh_std(a, b, eta), z)


def unreduced(x: Tensor, eps: Tensor, a: Tensor, b: Tensor, s: Tensor, z: Tensor) -> Tensor:
    """A step whose direction keeps its full length although fresh noise of std s is added."""
    return eq_12(x, eps, a, b, torch.zeros_like(s), z) + s * z


def other_std(hint: str, std: Callable) -> Mutant:
    """A mutant with its own std(a, a_prev, eta) in place of s."""
    return step_slip(hint, lambda x, eps, a, b, eta, z: eq_12(x, eps, a, b, std(a, b, eta), z))


def neighbours(m: EpsModel, x: Tensor, t: int, p: int, eta: float, z: Tensor, ab: Tensor) -> Tensor:
    """A step whose s is that of t -> t - 1, whatever t_prev is."""
    a, b = kept(t, p, ab)
    return eq_12(x, predict(m, x, t), a, b, fresh_std(a, kept(t, t - 1, ab)[1], eta), z)


def wrapped(m: EpsModel, x: Tensor, t: int, p: int, eta: float, z: Tensor, ab: Tensor) -> Tensor:
    """A step that reads alpha_bar[-1] where t_prev = 0: there its variances are negative."""
    return right_step(x, predict(m, x, t), ab[t - 1], ab[p - 1], eta, z)


def times_of(d: Draw) -> tuple[int, int]:
    """t, and an earlier t_prev: 0 where t = 1, else not its neighbour, so that t - 1 in place of t_prev shows."""
    t = d.step()
    return t, d.integer(0, max(t - 2, 0))


LEAPS = (
    (1, 0),
    (2, 0),
    (2, 1),
    (3, 1),
    (3, 2),
    (4, 0),
    (500, 499),
    (500, 2),
    (999, 1),
    (1000, 0),
    (1000, 500),
    (1000, 980),
    (1000, 999),
)


def leaps(d: Draw) -> Iterator[tuple[str, tuple]]:
    """The first steps of the chapters' chains, the last ones, neighbours and long leaps, with every eta."""
    for name, betas in d.schedules().items():
        alpha_bar = torch.cumprod(1 - betas, 0)
        for number, (t, t_prev) in enumerate(LEAPS):
            eta = (0, 0.3, 1, 0.0, 1.0)[number % 5]
            for e in {eta, 1} if t < 4 else {eta}:
                yield name, (d.eps_model(), d.normal(2, 3), t, t_prev, e, d.wide(2, 3), alpha_bar)
    yield (
        "images",
        (
            d.eps_model(),
            d.wide(2, 1, 28, 28),
            60,
            40,
            0.3,
            d.wide(2, 1, 28, 28),
            torch.cumprod(1 - d.linear(), 0),
        ),
    )


DDIM_STEP = Check(
    id="07-ddim_step",
    points=4,
    minutes=15,
    level=2,
    reference=ddim_step,
    inputs=lambda d: (
        d.eps_model(),
        d.x(),
        *times_of(d),
        round(float(d.uniform(0.3, 0.9)), 2),
        d.x(),
        d.alpha_bar(),
    ),
    fixed=leaps,
    evaluations={"eps_model": lambda m, x, *rest: len(x)},
    where="x_prev = sqrt(ab_prev) x0 + sqrt(1 - ab_prev - s^2) eps + s z (Song et al. 2021, eq. 12), with "
    "s = eta sqrt((1 - ab_prev) / (1 - ab) (1 - ab / ab_prev)) (eq. 16).",
    outputs=("x_prev",),
    library=("samplers.ddim",),
    mutants=[
        step_slip(
            "the full direction sqrt(1 - ab_prev) eps beside fresh noise: it is sqrt(1 - ab_prev - s^2) eps.",
            lambda x, eps, a, b, eta, z: unreduced(x, eps, a, b, fresh_std(a, b, eta), z),
        ),
        step_slip(
            "eta = 0 whatever eta is: s z is missing, and s^2 under the root.",
            lambda x, eps, a, b, eta, z: right_step(x, eps, a, b, 0, z),
        ),
        step_slip(
            "eta = 1 whatever eta is: s is eta times the root.",
            lambda x, eps, a, b, eta, z: right_step(x, eps, a, b, 1, z),
        ),
        step_slip(
            "a step without s z: the direction is shortened by s, and nothing takes its place.",
            lambda x, eps, a, b, eta, z: right_step(x, eps, a, b, eta, 0 * z),
        ),
        step_slip(
            "a minus before s z: z is added. (In law it is the same, but this check gives you z.)",
            lambda x, eps, a, b, eta, z: right_step(x, eps, a, b, eta, -z),
        ),
        other_std(
            "a variance used as a standard deviation: s is eta times the root of "
            "(1 - ab_prev) / (1 - ab) (1 - ab / ab_prev).",
            lambda a, b, eta: eta * (1 - b) / (1 - a) * (1 - a / b),
        ),
        other_std("eta inside the root: it stands before it.", lambda a, b, eta: fresh_std(a, b, eta**0.5)),
        other_std(
            "eta squared: s is eta times the root, and s^2 has the square.",
            lambda a, b, eta: fresh_std(a, b, eta**2),
        ),
        step_slip(
            "s in place of s^2 under the root: the direction is sqrt(1 - ab_prev - s^2) eps.",
            lambda x, eps, a, b, eta, z: (
                unreduced(x, eps, a, b, fresh_std(a, b, eta), z)
                + ((1 - b - fresh_std(a, b, eta)).sqrt() - (1 - b).sqrt()) * eps
            ),
        ),
        Mutant("s of the step t -> t - 1: the step goes to t_prev, so s has ab_prev in it.", neighbours),
        Mutant(
            "t - 1 in place of t_prev: read alpha_bar at t_prev, which may be many steps away.",
            lambda m, x, t, p, eta, z, ab: ddim_step(m, x, t, t - 1, eta, z, ab),
        ),
        Mutant(
            "alpha_bar[t_prev - 1] also at t_prev = 0: that is alpha_bar[-1], the last entry; alpha_bar_0 is 1.",
            wrapped,
        ),
        Mutant(
            "alpha_bar read at index t and t_prev: alpha_bar_t is alpha_bar[t - 1].",
            lambda m, x, t, p, eta, z, ab: right_step(x, predict(m, x, t), ab[t], ab[p], eta, z),
        ),
        step_slip(
            "missing roots: x_t / sqrt(ab_t) and sqrt(ab_prev) x0 have square roots.",
            lambda x, eps, a, b, eta, z: (
                right_step(x, eps, a, b, eta, z) + (b / a - (b / a).sqrt()) * (x - (1 - a).sqrt() * eps)
            ),
        ),
        step_slip(
            "x0 without its division by sqrt(ab_t).",
            lambda x, eps, a, b, eta, z: (
                right_step(x, eps, a, b, eta, z) + (b.sqrt() - (b / a).sqrt()) * (x - (1 - a).sqrt() * eps)
            ),
        ),
        step_slip(
            "a minus before the direction: sqrt(1 - ab_prev - s^2) eps is added.",
            lambda x, eps, a, b, eta, z: (
                right_step(x, eps, a, b, eta, z) - 2 * (1 - b - fresh_std(a, b, eta) ** 2).sqrt() * eps
            ),
        ),
        step_slip(
            "x_t in place of eps in the direction that points to it: use the predicted noise.",
            lambda x, eps, a, b, eta, z: (
                right_step(x, eps, a, b, eta, z) + (1 - b - fresh_std(a, b, eta) ** 2).sqrt() * (x - eps)
            ),
        ),
        Mutant(
            "the model called with t_prev: it takes t, the time of the x_t that it is shown.",
            lambda m, x, t, p, eta, z, ab: right_step(x, predict(m, x, p), *kept(t, p, ab), eta, z),
        ),
        step_slip(
            "the model called with t - 1: the shift by one is for reading tables, the model takes t itself.",
            right_step,
            shift=-1,
        ),
    ],
)


def timestep_subsequence(T: int, n: int, power: int) -> Tensor:
    return 1 + (ramp(n) ** power * (T - 1)).round().long()


def ramp(n: int) -> Tensor:
    """1 to 0 in n numbers; 1 where n = 1."""
    return torch.linspace(1, 0, n, dtype=torch.float64)


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
            (100_000, 400),
        ):
            yield f"T = {T}", (T, n, power)
    yield "every step", (1000, 1000, 1)


SUBSEQUENCE = Check(
    id="07-timestep_subsequence",
    points=2,
    minutes=10,
    level=1,
    reference=timestep_subsequence,
    inputs=sizes,
    fixed=subsequences,
    where="tau = 1 + round((T - 1) u^power) for u = 1, ..., 0 in n equal steps (u = 1 alone for n = 1), as int64.",
    outputs=("times",),
    library=("schedules.uniform_timesteps", "schedules.quadratic_timesteps"),
    mutants=[
        Mutant(
            "rising times: sampling goes from T down to 1.",
            lambda T, n, power: timestep_subsequence(T, n, power).flip(0),
        ),
        Mutant(
            "times counted from 0: here they run from T down to 1.",
            lambda T, n, power: timestep_subsequence(T, n, power) - 1,
        ),
        Mutant(
            "times from T to 0: the last one is 1, and the step from it ends at 0.",
            lambda T, n, power: (ramp(n) ** power * T).round().long(),
        ),
        Mutant(
            "times cut off to integers: round to the nearest one.",
            lambda T, n, power: 1 + (ramp(n) ** power * (T - 1)).long(),
        ),
        Mutant(
            "power = 1 whatever power is.",
            lambda T, n, power: timestep_subsequence(T, n, 1),
        ),
        Mutant(
            "power = 2 whatever power is.",
            lambda T, n, power: timestep_subsequence(T, n, 2),
        ),
        Mutant(
            "u^(1/power): that puts the short steps near T; take u^power.",
            lambda T, n, power: 1 + (ramp(n) ** (1 / power) * (T - 1)).round().long(),
        ),
        Mutant(
            "1 - (1 - u)^power: that puts the short steps near T; take u^power.",
            lambda T, n, power: 1 + ((1 - (1 - ramp(n)) ** power) * (T - 1)).round().long(),
        ),
        Mutant(
            "even steps in the root of t: here the root of t - 1 is even.",
            lambda T, n, power: ((1 + ramp(n) * (T ** (1 / power) - 1)) ** power).round().long(),
        ),
        Mutant(
            "the leading choice, 1 and up in steps of T // n: the first time must be T, where training ended.",
            lambda T, n, power: 1 + T // n * torch.arange(n - 1, -1, -1),
        ),
        Mutant(
            "the trailing choice, T and down in steps of T / n: the last time must be 1.",
            lambda T, n, power: (torch.arange(n, 0, -1) * T / n).round().long(),
        ),
        Mutant(
            "n + 1 times: want n of them, both ends included.",
            lambda T, n, power: timestep_subsequence(T, n + 1, power),
        ),
        Mutant(
            "times as floating-point numbers: they index tables, so end with .long().",
            lambda T, n, power: timestep_subsequence(T, n, power).float(),
        ),
    ],
)


def slerp(a: Tensor, b: Tensor, s: float) -> Tensor:
    return on_circle(a, b, s, angle(a, b))


def angle(a: Tensor, b: Tensor) -> Tensor:
    """The angle between each sample of a and that of b: (B, 1, ..., 1)."""
    cosine = (a * b).flatten(1).sum(1) / (a.flatten(1).norm(dim=1) * b.flatten(1).norm(dim=1))
    return column(cosine.arccos(), a)


def on_circle(a: Tensor, b: Tensor, s: float, theta: Tensor) -> Tensor:
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def apart(d: Draw) -> tuple[Tensor, Tensor]:
    """Two batches whose samples are 40 to 140 degrees apart, of unequal norms."""
    a, other = d.x(), d.x()
    u = a / column(a.flatten(1).norm(dim=1), a)
    v = other - column((other * u).flatten(1).sum(1), a) * u
    v = v / column(v.flatten(1).norm(dim=1), a)
    theta = d.uniform(0.7, 2.4, d.B)
    return a, column(d.uniform(0.5, 2, d.B), a) * (column(theta.cos(), a) * u + column(theta.sin(), a) * v)


def arcs(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Both ends, the middle, latents of a real size, nearly parallel and nearly opposite ones, and one sample."""
    for s in (0, 0.0, 0.1, 0.5, 0.9, 1, 1.0):
        yield f"s = {s}", (d.wide(4, 3), d.wide(4, 3), s)
    yield "latents of 784 numbers", (d.normal(2, 1, 28, 28), 3 * d.normal(2, 1, 28, 28), 0.3)
    yield "one sample", (d.normal(1, 5), d.normal(1, 5), 0.7)
    a = d.normal(3, 4)
    yield "a small angle", (a, 2 * a + 0.05 * d.normal(3, 4), 0.3)
    yield "almost opposite", (a, -a + 0.1 * d.normal(3, 4), 0.3)


SLERP = Check(
    id="07-slerp",
    points=3,
    minutes=10,
    level=2,
    reference=slerp,
    inputs=lambda d: (*apart(d), round(float(d.uniform(0.15, 0.4)), 2)),
    fixed=arcs,
    where="sin((1 - s) theta) / sin(theta) a + sin(s theta) / sin(theta) b, theta the angle between a and b.",
    outputs=("between",),
    library=("noise.slerp",),
    mutants=[
        Mutant("linear interpolation: use the two sines.", lambda a, b, s: (1 - s) * a + s * b),
        Mutant("the wrong way round: s = 0 is a and s = 1 is b.", lambda a, b, s: slerp(b, a, s)),
        Mutant(
            "one angle for the whole batch: each sample has its own.",
            lambda a, b, s: on_circle(a, b, s, ((a * b).sum() / (a.norm() * b.norm())).arccos()),
        ),
        Mutant(
            "an angle for each row of an image: flatten everything but the batch axis first.",
            lambda a, b, s: on_circle(a, b, s, torch.cosine_similarity(a, b, dim=-1).arccos()[..., None]),
        ),
        Mutant(
            "an angle taken across the batch axis: flatten everything but the batch axis, and sum over dim=1.",
            lambda a, b, s: on_circle(
                a, b, s, ((a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0))).clamp(-1, 1).arccos()
            ),
        ),
        Mutant(
            "the cosine used as the angle: take arccos of it.",
            lambda a, b, s: on_circle(a, b, s, angle(a, b).cos()),
        ),
        Mutant(
            "arcsin in place of arccos.",
            lambda a, b, s: on_circle(a, b, s, angle(a, b).cos().arcsin()),
        ),
        Mutant(
            "a scalar product that is not divided by the two norms.",
            lambda a, b, s: on_circle(a, b, s, column((a * b).flatten(1).sum(1), a).arccos()),
        ),
        Mutant(
            "a missing division by sin(theta).",
            lambda a, b, s: slerp(a, b, s) * angle(a, b).sin(),
        ),
        Mutant(
            "a quarter turn whatever the angle: cos(s pi/2) a + sin(s pi/2) b is right only where theta = pi/2.",
            lambda a, b, s: on_circle(a, b, s, torch.full_like(angle(a, b), torch.pi / 2)),
        ),
        Mutant(
            "a and b brought to length 1: only the angle is measured between unit vectors; a and b stay as they are.",
            lambda a, b, s: slerp(
                a / column(a.flatten(1).norm(dim=1), a), b / column(b.flatten(1).norm(dim=1), b), s
            ),
        ),
        Mutant(
            "sin(theta) times the share: the sine is of (1 - s) theta and of s theta.",
            lambda a, b, s: ((1 - s) * a + s * b) * angle(a, b).sin(),
        ),
        Mutant(
            "an angle of shape (B,) next to a of shape (B, *S): reshape it to (B, 1, ..., 1).",
            lambda a, b, s: on_circle(a, b, s, angle(a, b).flatten()),
        ),
    ],
)

CHECKS = [DDIM_STEP, SUBSEQUENCE, SLERP]
