"""Checks of chapter 07: the DDIM step, sub-sequences of times, and interpolation on the sphere."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ...denoisers import EpsModel
from .ch03 import predict
from .data import Check, Mutant
from .inputs import Draw, column
from .slips import result_slip, squeezed


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


def guess_slip(hint: str, guess: Callable) -> Mutant:
    """A mutant with its own guess(x_t, eps, a, a_prev) in the place of x0."""

    def step(x: Tensor, eps: Tensor, a: Tensor, b: Tensor, eta: float, z: Tensor) -> Tensor:
        return assembled(b.sqrt() * guess(x, eps, a, b), eps, a, b, eta, z)

    return step_slip(hint, step)


def signal_slip(hint: str, factor: Callable) -> Mutant:
    """A mutant with its own factor(a, a_prev) before x0."""

    def step(x: Tensor, eps: Tensor, a: Tensor, b: Tensor, eta: float, z: Tensor) -> Tensor:
        return assembled(factor(a, b) * (x - (1 - a).sqrt() * eps) / a.sqrt(), eps, a, b, eta, z)

    return step_slip(hint, step)


def assembled(signal: Tensor, eps: Tensor, a: Tensor, b: Tensor, eta: float, z: Tensor) -> Tensor:
    """The right step, but for its first term."""
    s = fresh_std(a, b, eta)
    return signal + (1 - b - s**2).sqrt() * eps + s * z


def ending_slip(hint: str, ending: Callable) -> Mutant:
    """A mutant with its own ending(eps, a, a_prev, s, z, x_t) in the place of the direction and the fresh noise."""

    def step(x: Tensor, eps: Tensor, a: Tensor, b: Tensor, eta: float, z: Tensor) -> Tensor:
        x0 = (x - (1 - a).sqrt() * eps) / a.sqrt()
        return b.sqrt() * x0 + ending(eps, a, b, fresh_std(a, b, eta), z, x)

    return step_slip(hint, step)


def other_std(hint: str, std: Callable) -> Mutant:
    """A mutant with its own std(a, a_prev, eta) in the place of s."""
    return step_slip(hint, lambda x, eps, a, b, eta, z: eq_12(x, eps, a, b, std(a, b, eta), z))


def large_std(hint: str, std: Callable) -> tuple[Mutant, Mutant]:
    """Two mutants with an s so large that the variance left may be negative: its root is NaN, or cut off at 0."""

    def clamped(x: Tensor, eps: Tensor, a: Tensor, b: Tensor, eta: float, z: Tensor) -> Tensor:
        s = std(a, b, eta)
        x0 = (x - (1 - a).sqrt() * eps) / a.sqrt()
        return b.sqrt() * x0 + (1 - b - s**2).clamp(min=0).sqrt() * eps + s * z

    return other_std(hint, std), step_slip(f"{hint} (With the right s nothing has to be clamped.)", clamped)


def read_slip(hint: str, read: Callable) -> Mutant:
    """A mutant that reads (a, a_prev) = read(t, t_prev, alpha_bar)."""
    return Mutant(
        hint,
        lambda m, x, t, p, eta, z, ab: right_step(x, predict(m, x, t), *read(t, p, ab), eta, z),
    )


def clean(t: int, ab: Tensor, entry: int, until: int = 0) -> Tensor:
    """An entry of alpha_bar, and 1 for the times up to `until`."""
    return ab[entry] if t > until else torch.ones_like(ab[0])


def with_zero(t: int, p: int, ab: Tensor) -> tuple[Tensor, Tensor]:
    table = torch.cat([torch.zeros_like(ab[:1]), ab])
    return table[t], table[p]


def zero_without_noise(m: EpsModel, x: Tensor, t: int, p: int, eta: float, z: Tensor, ab: Tensor) -> Tensor:
    """A step with alpha_bar_0 = 0, that escapes NaN there by s = 0."""
    a, b = with_zero(t, p, ab)
    return eq_12(x, predict(m, x, t), a, b, fresh_std(a, b, eta) if p else 0 * b, z)


def neighbours(m: EpsModel, x: Tensor, t: int, p: int, eta: float, z: Tensor, ab: Tensor) -> Tensor:
    """A step whose s is that of t -> t - 1, whatever t_prev is."""
    a, b = kept(t, p, ab)
    return eq_12(x, predict(m, x, t), a, b, fresh_std(a, kept(t, t - 1, ab)[1], eta), z)


def neighbours_beta(m: EpsModel, x: Tensor, t: int, p: int, eta: float, z: Tensor, ab: Tensor) -> Tensor:
    """A step whose s has beta_t in it, whatever t_prev is."""
    a, b = kept(t, p, ab)
    s = eta * ((1 - b) / (1 - a) * (1 - a / kept(t, t - 1, ab)[1])).sqrt()
    return eq_12(x, predict(m, x, t), a, b, s, z)


def neighbours_alpha(m: EpsModel, x: Tensor, t: int, p: int, eta: float, z: Tensor, ab: Tensor) -> Tensor:
    """A step whose x0 has alpha_t in the place of alpha_bar_t."""
    a, b = kept(t, p, ab)
    alpha, eps = a / kept(t, t - 1, ab)[1], predict(m, x, t)
    return assembled(b.sqrt() * (x - (1 - alpha).sqrt() * eps) / alpha.sqrt(), eps, a, b, eta, z)


def wrapped_and_clamped(m: EpsModel, x: Tensor, t: int, p: int, eta: float, z: Tensor, ab: Tensor) -> Tensor:
    """A step that reads alpha_bar[-1] where t_prev = 0, and cuts off the negative variance."""
    a, b = ab[t - 1], ab[p - 1]
    s = eta * ((1 - b) / (1 - a) * (1 - a / b)).clamp(min=0).sqrt()
    return eq_12(x, predict(m, x, t), a, b, s, z)


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
    where='the formula in section 4 of this notebook ("The step"): '
    "x_prev = sqrt(ab_prev) x0 + sqrt(1 - ab_prev - s^2) eps + s z (Song et al. 2021, eq. 12), with "
    "x0 = (x_t - sqrt(1 - ab) eps) / sqrt(ab) and s = eta sqrt((1 - ab_prev) / (1 - ab) (1 - ab / ab_prev)) (eq. 16).",
    outputs=("x_prev",),
    library=("samplers.ddim",),
    mutants=[
        # the last step: before what is wrong everywhere, for these are wrong there alone
        read_slip(
            "alpha_bar[t_prev - 1] also at t_prev = 0, which is alpha_bar[-1], the last entry, or 0 for alpha_bar_0: "
            "alpha_bar_0 is 1.",
            lambda t, p, ab: (ab[t - 1], ab[p - 1]),
        ),
        Mutant(
            "alpha_bar[t_prev - 1] also at t_prev = 0, with a negative variance cut off: that is alpha_bar[-1], the last entry; "
            "alpha_bar_0 is 1.",
            wrapped_and_clamped,
        ),
        Mutant(
            "alpha_bar_0 = 0, all noise: at t = 0 all is signal, alpha_bar_0 is 1.",
            zero_without_noise,
        ),
        read_slip(
            "alpha_bar_1 for alpha_bar_0 at t_prev = 0: alpha_bar_0 is 1.",
            lambda t, p, ab: (ab[t - 1], ab[max(p, 1) - 1]),
        ),
        read_slip(
            "alpha_bar = 1 at t_prev = 1 too: only alpha_bar_0 is 1.",
            lambda t, p, ab: (ab[t - 1], clean(p, ab, p - 1, until=1)),
        ),
        Mutant(
            "x_t itself at t_prev = 0: the step to 0 is a step too, and ends at x0.",
            lambda m, x, t, p, eta, z, ab: ddim_step(m, x, t, p, eta, z, ab) if p else x.clone(),
        ),
        # where alpha_bar is read
        read_slip(
            "alpha_bar read at index t and t_prev: alpha_bar_t is alpha_bar[t - 1].",
            lambda t, p, ab: (ab[t], ab[p]),
        ),
        read_slip(
            "alpha_bar read at index t and t_prev (and 1 at t_prev = 0, which is right): alpha_bar_t is alpha_bar[t - 1].",
            lambda t, p, ab: (ab[t], clean(p, ab, p)),
        ),
        read_slip(
            "alpha_bar[t] for alpha_bar_t: that is alpha_bar[t - 1].",
            lambda t, p, ab: (ab[t], kept(t, p, ab)[1]),
        ),
        read_slip(
            "alpha_bar[t_prev] for that of t_prev: it is alpha_bar[t_prev - 1], and 1 at t_prev = 0.",
            lambda t, p, ab: (ab[t - 1], ab[p]),
        ),
        read_slip(
            "alpha_bar[t_prev] for that of t_prev > 0: it is alpha_bar[t_prev - 1].",
            lambda t, p, ab: (ab[t - 1], clean(p, ab, p)),
        ),
        read_slip(
            "alpha_bar[t - 2] for that of t_prev: read alpha_bar at t_prev, which may be many steps away.",
            lambda t, p, ab: (ab[t - 1], ab[t - 2]),
        ),
        Mutant(
            "t - 1 in place of t_prev: read alpha_bar at t_prev, which may be many steps away.",
            lambda m, x, t, p, eta, z, ab: ddim_step(m, x, t, t - 1, eta, z, ab),
        ),
        read_slip(
            "alpha_bar[t - 1001], which counts from the end of 1000 steps: alpha_bar_t is alpha_bar[t - 1].",
            lambda t, p, ab: (ab[t - 1001], clean(p, ab, p - 1001)),
        ),
        # the model
        Mutant(
            "the model called with t_prev: it takes t, the time of the x_t that it is shown.",
            lambda m, x, t, p, eta, z, ab: right_step(x, predict(m, x, p), *kept(t, p, ab), eta, z),
        ),
        step_slip(
            "the model called with t - 1: the shift by one is for reading tables, the model takes t itself.",
            right_step,
            shift=-1,
        ),
        step_slip("the model called with t + 1: it takes t itself.", right_step, shift=1),
        # x0
        guess_slip("x0 without its division by sqrt(ab_t).", lambda x, eps, a, b: x - (1 - a).sqrt() * eps),
        guess_slip(
            "a plus in x0: the noise is taken away, x_t - sqrt(1 - ab_t) eps.",
            lambda x, eps, a, b: (x + (1 - a).sqrt() * eps) / a.sqrt(),
        ),
        guess_slip(
            "1 - ab_t without its root in x0: the noise in x_t is sqrt(1 - ab_t) eps.",
            lambda x, eps, a, b: (x - (1 - a) * eps) / a.sqrt(),
        ),
        guess_slip(
            "ab_t without its root in x0: divide by sqrt(ab_t).",
            lambda x, eps, a, b: (x - (1 - a).sqrt() * eps) / a,
        ),
        guess_slip(
            "both roots missing in x0: it is (x_t - sqrt(1 - ab_t) eps) / sqrt(ab_t).",
            lambda x, eps, a, b: (x - (1 - a) * eps) / a,
        ),
        guess_slip(
            "1 - sqrt(ab_t) for sqrt(1 - ab_t) in x0.",
            lambda x, eps, a, b: (x - (1 - a.sqrt()) * eps) / a.sqrt(),
        ),
        guess_slip(
            "the two factors swapped in x0: sqrt(1 - ab_t) belongs to eps, sqrt(ab_t) divides.",
            lambda x, eps, a, b: (x - a.sqrt() * eps) / (1 - a).sqrt(),
        ),
        guess_slip(
            "x0 times sqrt(ab_t): divide by it.",
            lambda x, eps, a, b: (x - (1 - a).sqrt() * eps) * a.sqrt(),
        ),
        guess_slip(
            "a missing pair of brackets in x0: the whole difference x_t - sqrt(1 - ab_t) eps is divided by sqrt(ab_t).",
            lambda x, eps, a, b: x - (1 - a).sqrt() * eps / a.sqrt(),
        ),
        guess_slip(
            "x_t alone divided by sqrt(ab_t): the whole difference x_t - sqrt(1 - ab_t) eps is divided.",
            lambda x, eps, a, b: x / a.sqrt() - (1 - a).sqrt() * eps,
        ),
        guess_slip(
            "ab_prev in x0: x_t has the noise of time t, so x0 has ab_t in it.",
            lambda x, eps, a, b: (x - (1 - b).sqrt() * eps) / b.sqrt(),
        ),
        Mutant("alpha_t in x0: it has alpha_bar_t, the product up to t.", neighbours_alpha),
        guess_slip(
            "x0 with its noise left in: take sqrt(1 - ab_t) eps away from x_t.",
            lambda x, eps, a, b: x / a.sqrt(),
        ),
        guess_slip(
            "x_t in the place of x0: solve x_t = sqrt(ab_t) x0 + sqrt(1 - ab_t) eps for x0.",
            lambda x, eps, a, b: x,
        ),
        guess_slip(
            "the model's answer taken for x0: it is the noise eps, from which x0 follows.",
            lambda x, eps, a, b: eps,
        ),
        guess_slip(
            "an x0 clipped to [-1, 1]: the step takes it as it is.",
            lambda x, eps, a, b: ((x - (1 - a).sqrt() * eps) / a.sqrt()).clamp(-1, 1),
        ),
        # the factor of x0
        signal_slip(
            "missing roots: x_t / sqrt(ab_t) and sqrt(ab_prev) x0 have square roots.",
            lambda a, b: b / a.sqrt(),
        ),
        signal_slip("ab_prev x0: it is sqrt(ab_prev) x0.", lambda a, b: b),
        signal_slip("x0 without its factor sqrt(ab_prev).", lambda a, b: torch.ones_like(b)),
        signal_slip("sqrt(ab_t) x0: the step goes to t_prev, it is sqrt(ab_prev) x0.", lambda a, b: a.sqrt()),
        # the direction
        ending_slip(
            "the full direction sqrt(1 - ab_prev) eps beside fresh noise: it is sqrt(1 - ab_prev - s^2) eps.",
            lambda eps, a, b, s, z, x: (1 - b).sqrt() * eps + s * z,
        ),
        ending_slip(
            "s in place of s^2 under the root: the direction is sqrt(1 - ab_prev - s^2) eps.",
            lambda eps, a, b, s, z, x: (1 - b - s).sqrt() * eps + s * z,
        ),
        ending_slip(
            "s in place of s^2 under the root, with a negative variance cut off: the direction is sqrt(1 - ab_prev - s^2) eps.",
            lambda eps, a, b, s, z, x: (1 - b - s).clamp(min=0).sqrt() * eps + s * z,
        ),
        ending_slip(
            "+ s^2 under the root: the old noise makes room for the fresh one, sqrt(1 - ab_prev - s^2) eps.",
            lambda eps, a, b, s, z, x: (1 - b + s**2).sqrt() * eps + s * z,
        ),
        ending_slip(
            "a direction without its root: it is sqrt(1 - ab_prev - s^2) eps.",
            lambda eps, a, b, s, z, x: (1 - b - s**2) * eps + s * z,
        ),
        ending_slip(
            "sqrt(1 - ab_prev) - s: variances are subtracted under one root, sqrt(1 - ab_prev - s^2).",
            lambda eps, a, b, s, z, x: ((1 - b).sqrt() - s) * eps + s * z,
        ),
        ending_slip(
            "ab_t in the direction: it has the noise of t_prev, sqrt(1 - ab_prev - s^2) eps.",
            lambda eps, a, b, s, z, x: (1 - a - s**2).sqrt() * eps + s * z,
        ),
        ending_slip(
            "a minus before the direction: sqrt(1 - ab_prev - s^2) eps is added.",
            lambda eps, a, b, s, z, x: -(1 - b - s**2).sqrt() * eps + s * z,
        ),
        ending_slip(
            "a step without the direction sqrt(1 - ab_prev - s^2) eps.",
            lambda eps, a, b, s, z, x: s * z,
        ),
        ending_slip(
            "x_t in place of eps in the direction that points to it: use the predicted noise.",
            lambda eps, a, b, s, z, x: (1 - b - s**2).sqrt() * x + s * z,
        ),
        ending_slip(
            "z in the place of eps in the direction: there stands the predicted noise, and z in the last term.",
            lambda eps, a, b, s, z, x: (1 - b - s**2).sqrt() * z + s * z,
        ),
        ending_slip(
            "eps and z swapped: the direction has the predicted noise eps, the last term the fresh noise z.",
            lambda eps, a, b, s, z, x: (1 - b - s**2).sqrt() * z + s * eps,
        ),
        # the fresh noise
        ending_slip(
            "a step without s z: the direction is shortened by s, and nothing takes its place.",
            lambda eps, a, b, s, z, x: (1 - b - s**2).sqrt() * eps,
        ),
        ending_slip(
            "a minus before s z: z is added. (In law it is the same, but this check gives you z.)",
            lambda eps, a, b, s, z, x: (1 - b - s**2).sqrt() * eps - s * z,
        ),
        ending_slip(
            "s^2 z, a variance used as a standard deviation: the fresh noise is s z.",
            lambda eps, a, b, s, z, x: (1 - b - s**2).sqrt() * eps + s**2 * z,
        ),
        ending_slip(
            "sqrt(s) z: s is a standard deviation already, the fresh noise is s z.",
            lambda eps, a, b, s, z, x: (1 - b - s**2).sqrt() * eps + s.sqrt() * z,
        ),
        ending_slip(
            "z without its factor: the fresh noise is s z.",
            lambda eps, a, b, s, z, x: (1 - b - s**2).sqrt() * eps + z,
        ),
        # s
        step_slip(
            "eta = 0 whatever eta is: s z is missing, and s^2 under the root.",
            lambda x, eps, a, b, eta, z: right_step(x, eps, a, b, 0, z),
        ),
        step_slip(
            "eta = 1 for every eta, or for every eta above 0: s is eta times the root.",
            lambda x, eps, a, b, eta, z: right_step(x, eps, a, b, 1, z),
        ),
        other_std("eta inside the root: it stands before it.", lambda a, b, eta: fresh_std(a, b, eta**0.5)),
        other_std(
            "eta squared: s is eta times the root, and s^2 has the square.",
            lambda a, b, eta: fresh_std(a, b, eta**2),
        ),
        other_std(
            "a variance used as a standard deviation: s is eta times the root of "
            "(1 - ab_prev) / (1 - ab) (1 - ab / ab_prev).",
            lambda a, b, eta: eta * (1 - b) / (1 - a) * (1 - a / b),
        ),
        *large_std(
            "(1 - ab) / (1 - ab_prev) in s, upside down: the smaller of the two stands above.",
            lambda a, b, eta: eta * ((1 - a) / (1 - b) * (1 - a / b)).sqrt(),
        ),
        other_std(
            "ab_prev / ab in s, upside down: it is 1 - ab / ab_prev.",
            lambda a, b, eta: eta * ((1 - b) / (1 - a) * (1 - b / a)).sqrt(),
        ),
        *large_std(
            "s without (1 - ab_prev) / (1 - ab): that is beta, and s has both factors under the root.",
            lambda a, b, eta: eta * (1 - a / b).sqrt(),
        ),
        *large_std(
            "s without 1 - ab / ab_prev: it has both factors under the root.",
            lambda a, b, eta: eta * ((1 - b) / (1 - a)).sqrt(),
        ),
        other_std(
            "s with a root over (1 - ab_prev) / (1 - ab) alone: 1 - ab / ab_prev stands under one too.",
            lambda a, b, eta: eta * ((1 - b) / (1 - a)).sqrt() * (1 - a / b),
        ),
        other_std(
            "s with a root over 1 - ab / ab_prev alone: (1 - ab_prev) / (1 - ab) stands under one too.",
            lambda a, b, eta: eta * (1 - b) / (1 - a) * (1 - a / b).sqrt(),
        ),
        Mutant("s of the step t -> t - 1: the step goes to t_prev, so s has ab_prev in it.", neighbours),
        Mutant(
            "beta_t in s, that of the step t -> t - 1: the step goes to t_prev, so it is 1 - ab / ab_prev.",
            neighbours_beta,
        ),
    ],
)


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
            (1_000_000, 400),  # so many that float32 rounds dozens of them to a neighbour
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
    where='the formula in section 6 of this notebook ("Which times?"): tau = 1 + round((T - 1) u^power) '
    "for u = 1, ..., 0 in n equal steps (u = 1 alone for n = 1), as int64.",
    outputs=("times",),
    library=("schedules.uniform_timesteps", "schedules.quadratic_timesteps"),
    mutants=[
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


def slerp(a: Tensor, b: Tensor, s: float) -> Tensor:
    return on_circle(a, b, s, angle(a, b))


def angle(a: Tensor, b: Tensor) -> Tensor:
    """The angle between each sample of a and that of b: (B, 1, ..., 1)."""
    cosine = (a * b).flatten(1).sum(1) / (a.flatten(1).norm(dim=1) * b.flatten(1).norm(dim=1))
    return column(cosine.arccos(), a)


def on_circle(a: Tensor, b: Tensor, s: float, theta: Tensor) -> Tensor:
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def lengths(a: Tensor) -> Tensor:
    """The norm of each sample, (B, 1, ..., 1)."""
    return column(a.flatten(1).norm(dim=1), a)


def product(a: Tensor, b: Tensor) -> Tensor:
    """The scalar product of each sample of a with that of b, (B, 1, ..., 1)."""
    return column((a * b).flatten(1).sum(1), a)


def circle_slip(hint: str, angles: Callable) -> Mutant:
    """A mutant with its own angles(a, b)."""
    return Mutant(hint, lambda a, b, s: on_circle(a, b, s, angles(a, b)))


def cosine_slip(hint: str, cosine: Callable) -> Mutant:
    """A mutant with its own cosine(a, b) of the angle."""
    return circle_slip(hint, lambda a, b: cosine(a, b).arccos())


def weight_slip(hint: str, between: Callable) -> Mutant:
    """A mutant that ends in between(a, b, s, theta)."""
    return Mutant(hint, lambda a, b, s: between(a, b, s, angle(a, b)))


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
    where='the formula in section 8 of this notebook ("The first noise is a latent"): '
    "sin((1 - s) theta) / sin(theta) a + sin(s theta) / sin(theta) b, with theta the angle between a and b: "
    "cos(theta) = <a, b> / (|a| |b|) (Shoemake 1985).",
    outputs=("between",),
    library=("noise.slerp",),
    mutants=[
        # the two weights
        weight_slip(
            "the straight line where a and b are close: sin(theta) is small there, and the formula still right.",
            lambda a, b, s, theta: torch.where(theta.cos() > 0.78, (1 - s) * a + s * b, slerp(a, b, s)),
        ),
        Mutant("linear interpolation: use the two sines.", lambda a, b, s: (1 - s) * a + s * b),
        Mutant("the wrong way round: s = 0 is a and s = 1 is b.", lambda a, b, s: slerp(b, a, s)),
        Mutant(
            "sqrt(1 - s) a + sqrt(s) b: the weights are the two sines, divided by sin(theta).",
            lambda a, b, s: (1 - s) ** 0.5 * a + s**0.5 * b,
        ),
        Mutant(
            "a straight line brought to the length of a: it does not turn evenly, use the two sines.",
            lambda a, b, s: ((1 - s) * a + s * b) * lengths(a) / lengths((1 - s) * a + s * b),
        ),
        weight_slip("a missing division by sin(theta).", lambda a, b, s, theta: slerp(a, b, s) * theta.sin()),
        weight_slip(
            "a division by theta: divide by sin(theta).",
            lambda a, b, s, theta: slerp(a, b, s) * theta.sin() / theta,
        ),
        weight_slip(
            "sin(theta) as a factor: divide by it.",
            lambda a, b, s, theta: slerp(a, b, s) * theta.sin() ** 2,
        ),
        weight_slip(
            "b alone divided by sin(theta), a missing pair of brackets: both terms are.",
            lambda a, b, s, theta: ((1 - s) * theta).sin() * a + (s * theta).sin() * b / theta.sin(),
        ),
        weight_slip(
            "sin(1 - s) theta, a missing pair of brackets: the sine is of (1 - s) theta and of s theta.",
            lambda a, b, s, theta: (math.sin(1 - s) * a + math.sin(s) * b) * theta / theta.sin(),
        ),
        weight_slip(
            "sin(theta) times the share: the sine is of (1 - s) theta and of s theta.",
            lambda a, b, s, theta: ((1 - s) * a + s * b) * theta.sin(),
        ),
        weight_slip(
            "sin(1 - s theta), a missing pair of brackets: the first sine is of (1 - s) theta.",
            lambda a, b, s, theta: ((1 - s * theta).sin() * a + (s * theta).sin() * b) / theta.sin(),
        ),
        weight_slip(
            "cosines in the weights: they are sines.",
            lambda a, b, s, theta: (((1 - s) * theta).cos() * a + (s * theta).cos() * b) / theta.sin(),
        ),
        # the cosine of the angle
        cosine_slip("a scalar product that is not divided by the two norms.", product),
        cosine_slip(
            "the squares of the norms in the cosine: <a, b> is divided by |a| |b|.",
            lambda a, b: product(a, b) / (lengths(a) * lengths(b)) ** 2,
        ),
        cosine_slip(
            "the square of a's norm in the cosine: <a, b> is divided by |a| |b|.",
            lambda a, b: product(a, b) / lengths(a) ** 2,
        ),
        cosine_slip(
            "the norm of a alone in the cosine: <a, b> is divided by |a| |b|.",
            lambda a, b: product(a, b) / lengths(a),
        ),
        cosine_slip(
            "the sum of the norms in the cosine: <a, b> is divided by their product |a| |b|.",
            lambda a, b: product(a, b) / (lengths(a) + lengths(b)),
        ),
        cosine_slip(
            "a mean of a b for the cosine, as if |a| and |b| were sqrt(d): divide the sum by the two norms.",
            lambda a, b: column((a * b).flatten(1).mean(1), a),
        ),
        cosine_slip(
            "a mean of a b, cut off at -1 and 1, for the cosine: divide the sum by the two norms.",
            lambda a, b: column((a * b).flatten(1).mean(1), a).clamp(-1, 1),
        ),
        cosine_slip(
            "a cosine cut off at 0: it is negative where the angle is above 90 degrees.",
            lambda a, b: angle(a, b).cos().clamp(0, 1),
        ),
        cosine_slip(
            "a cosine without its sign: it is negative where the angle is above 90 degrees.",
            lambda a, b: angle(a, b).cos().abs(),
        ),
        # which entries share an angle
        cosine_slip(
            "one angle for the whole batch: each sample has its own.",
            lambda a, b: (a * b).sum() / (a.norm() * b.norm()),
        ),
        cosine_slip(
            "an angle for each row of an image: flatten everything but the batch axis first.",
            lambda a, b: torch.cosine_similarity(a, b, dim=-1)[..., None],
        ),
        cosine_slip(
            "an angle for each pixel, from axis 1 alone: flatten everything but the batch axis first.",
            lambda a, b: torch.cosine_similarity(a, b, dim=1)[:, None],
        ),
        cosine_slip(
            "an angle taken across the batch axis: flatten everything but the batch axis, and sum over dim=1.",
            lambda a, b: ((a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0))).clamp(-1, 1),
        ),
        # the angle
        circle_slip("the cosine used as the angle: take arccos of it.", lambda a, b: angle(a, b).cos()),
        circle_slip("arcsin in place of arccos.", lambda a, b: angle(a, b).cos().arcsin()),
        circle_slip("the cosine of the cosine: take arccos of it.", lambda a, b: angle(a, b).cos().cos()),
        circle_slip(
            "an angle in degrees: torch.sin wants radians, as arccos gives them.",
            lambda a, b: angle(a, b).rad2deg(),
        ),
        circle_slip(
            "a quarter turn whatever the angle: cos(s pi/2) a + sin(s pi/2) b is right only where theta = pi/2.",
            lambda a, b: torch.full_like(angle(a, b), torch.pi / 2),
        ),
        circle_slip(
            "an angle of shape (B,) next to a of shape (B, *S): reshape it to (B, 1, ..., 1).",
            lambda a, b: angle(a, b).flatten(),
        ),
        circle_slip(
            "an angle of shape (B, 1), which fits (B, d) only: reshape it to (B, 1, ..., 1), with a.ndim - 1 ones.",
            lambda a, b: angle(a, b).flatten()[:, None],
        ),
        circle_slip(
            "an angle of shape (B, 1, 1, 1), which fits images only: reshape it to (B, 1, ..., 1), with a.ndim - 1 ones.",
            lambda a, b: angle(a, b).flatten()[:, None, None, None],
        ),
        # a and b, and the result
        Mutant(
            "a and b brought to length 1: only the angle is measured between unit vectors; a and b stay as they are.",
            lambda a, b, s: slerp(a / lengths(a), b / lengths(b), s),
        ),
        Mutant(
            "b brought to the length of a, as a rotation of a is: b stays as it is.",
            lambda a, b, s: slerp(a, b * lengths(a) / lengths(b), s),
        ),
        result_slip(
            "samples left flat, (B, d): bring them back to the shape of a.",
            slerp,
            lambda between: between.flatten(1),
        ),
        squeezed(slerp),
    ],
)

CHECKS = [DDIM_STEP, SUBSEQUENCE, SLERP]
