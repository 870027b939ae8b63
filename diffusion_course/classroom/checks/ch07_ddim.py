"""The DDIM step."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ...denoisers import EpsModel
from .ch03 import predict
from .data import Check, Mutant
from .inputs import Draw


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


def read_slip(hint: str, read: Callable[[int, int, Tensor], tuple[Tensor, Tensor]]) -> Mutant:
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
            eta = (0, 0.3, 1, 0.0, 0.5, 1.0)[number % 6]
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
    calls={"eps_model": lambda *args: 1},
    where='the formula in section 4 of this notebook ("The step"): '
    "x_prev = sqrt(ab_prev) x0 + sqrt(1 - ab_prev - s^2) eps + s z (Song et al. 2021, eq. 12), with "
    "x0 = (x_t - sqrt(1 - ab) eps) / sqrt(ab) and s = eta sqrt((1 - ab_prev) / (1 - ab) (1 - ab / ab_prev)) (eq. 16).",
    outputs=("x_prev",),
    library=("samplers.ddim",),
    mutants=[
        # another quantity
        step_slip(
            "eps in the place of z: the fresh noise of this step is z.",
            lambda x, eps, a, b, eta, z: eq_12(x, eps, a, b, fresh_std(a, b, eta), eps),
        ),
        step_slip(
            "the model's answer taken for x0: it is the predicted noise, and x0 follows from it.",
            lambda x, out, a, b, eta, z: eq_12(
                x, (x - a.sqrt() * out) / (1 - a).sqrt(), a, b, fresh_std(a, b, eta), z
            ),
        ),
        step_slip(
            "two mistakes: an x0 that is not divided by sqrt(alpha_bar_t), and a direction without - s^2.",
            lambda x, eps, a, b, eta, z: (
                b.sqrt() * (x - (1 - a).sqrt() * eps) + (1 - b).sqrt() * eps + fresh_std(a, b, eta) * z
            ),
        ),
        read_slip(
            "tables read at index t, held at T - 1, and 1 not put before them: alpha_bar_t is alpha_bar[t - 1].",
            lambda t, p, ab: (ab[min(t, len(ab) - 1)], ab[p]),
        ),
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
