"""Checks of chapter 03: the noise-prediction loss, and ancestral sampling, which is in this file."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ... import schedules
from ...denoisers import EpsModel
from .ch01_slips import SMALL, after, altered, mix, pairs, squeezed
from .ch03_noise import EPS_LOSS, TOLD, X0_FROM_EPS, unmix
from .ch03_reading import SHOWN_BETTER
from .ch03_training import TRAINING_STEP
from .data import Check, Mutant
from .inputs import Draw
from .toys import ToyEps


def ddpm_step(eps_model: EpsModel, x_t: Tensor, t: int, z: Tensor, betas: Tensor) -> Tensor:
    beta, a, variance = step_tables(t, betas)
    return mean_from_eps(x_t, predict(eps_model, x_t, t), beta, a) + variance.sqrt() * z


def step_tables(t: int, betas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """beta_t, alpha_bar_t and the posterior variance of one time, each ()."""
    alpha_bar = torch.cumprod(1 - betas, dim=0)
    previous = alpha_bar[t - 2] if t > 1 else torch.ones_like(betas[0])
    return betas[t - 1], alpha_bar[t - 1], betas[t - 1] * (1 - previous) / (1 - alpha_bar[t - 1])


def predict(eps_model: EpsModel, x: Tensor, t: int) -> Tensor:
    return eps_model(x, torch.full((len(x),), t, device=x.device))


def mean_from_eps(x: Tensor, eps: Tensor, beta: Tensor, a: Tensor) -> Tensor:
    return (x - beta / (1 - a).sqrt() * eps) / (1 - beta).sqrt()


def step_slip(hint: str, formula: Callable, told: Callable = int) -> Mutant:
    """A mutant written as formula(x_t, eps, beta, a, variance, z, t); its model sees told(t)."""
    return Mutant(
        hint, lambda m, x, t, z, betas: formula(x, predict(m, x, told(t)), *step_tables(t, betas), z, t)
    )


def mean_slip(hint: str, mean: Callable) -> Mutant:
    """A mutant with the right noise, and a mean written as mean(x_t, eps, beta, a)."""
    return step_slip(hint, lambda x, eps, b, a, v, z, t: mean(x, eps, b, a) + v.sqrt() * z)


def sigma_slip(hint: str, sigma: Callable) -> Mutant:
    """A mutant with the right mean, and an s_t written as sigma(beta, a, variance, t)."""
    return step_slip(hint, lambda x, eps, b, a, v, z, t: mean_from_eps(x, eps, b, a) + sigma(b, a, v, t) * z)


def both_slips(mean: Callable, sigma: Callable, told: Callable = int) -> Callable:
    """A whole step of a mean and a sigma, written as in `mean_slip` and `sigma_slip`."""
    return step_slip(
        "", lambda x, eps, b, a, v, z, t: mean(x, eps, b, a) + sigma(b, a, v, t) * z, told
    ).function


def read_slip(hint: str, read: Callable) -> Mutant:
    """A mutant written as read(betas, alpha_bar, t): beta_t, alpha_bar_t and alpha_bar_{t-1}."""

    def function(m: EpsModel, x: Tensor, t: int, z: Tensor, betas: Tensor) -> Tensor:
        b, a, previous = read(betas, torch.cumprod(1 - betas, dim=0), t)
        return right_step(x, predict(m, x, t), b, a, b * (1 - previous) / (1 - a), z, t)

    return Mutant(hint, function)


def right_step(x: Tensor, eps: Tensor, b: Tensor, a: Tensor, v: Tensor, z: Tensor, t: int) -> Tensor:
    return mean_from_eps(x, eps, b, a) + v.sqrt() * z


def before(table: Tensor, t: int) -> Tensor:
    """The entry of t - 1, and 1 at t = 1."""
    return table[t - 2] if t > 1 else torch.ones_like(table[0])


def clipped_step(m: EpsModel, x: Tensor, t: int, z: Tensor, betas: Tensor) -> Tensor:
    """The step with its implied x_0 cut to [-1, 1]."""
    b, a, v = step_tables(t, betas)
    guess = unmix(x, predict(m, x, t), a).clamp(-1, 1)
    previous = before(torch.cumprod(1 - betas, 0), t)
    return (previous.sqrt() * b * guess + (1 - b).sqrt() * (1 - previous) * x) / (1 - a) + v.sqrt() * z


def all_steps(m: EpsModel, x: Tensor, t: int, z: Tensor, betas: Tensor) -> Tensor:
    """Every step down to x_0, with the same z."""
    for s in range(t, 0, -1):
        x = ddpm_step(m, x, s, z, betas)
    return x


# What the model is told in the place of t, a Python integer here.
STEP_TOLD = (
    (TOLD[0][0], lambda t: t - 1),
    (TOLD[1][0], lambda t: max(t - 1, 1)),
    (TOLD[2][0], lambda t: t + 1),
)
MEANS = (
    (
        "a missing root: eps is multiplied by beta_t / sqrt(1 - alpha_bar_t).",
        lambda x, eps, b, a: mean_from_eps(x, eps / (1 - a).sqrt(), b, a),
    ),
    ("a missing division by sqrt(alpha_t).", lambda x, eps, b, a: x - b / (1 - a).sqrt() * eps),
    (
        "a division by alpha_t: divide by its square root.",
        lambda x, eps, b, a: mean_from_eps(x, eps, b, a) / (1 - b).sqrt(),
    ),
    (
        "sqrt(alpha_bar_t) for sqrt(alpha_t): one step divides by sqrt(alpha_t) = sqrt(1 - beta_t).",
        lambda x, eps, b, a: (x - b / (1 - a).sqrt() * eps) / a.sqrt(),
    ),
    (
        "a plus before eps: the predicted noise is taken away.",
        lambda x, eps, b, a: mean_from_eps(x, -eps, b, a),
    ),
    (
        "a multiplication by sqrt(alpha_t): divide by it.",
        lambda x, eps, b, a: (x - b / (1 - a).sqrt() * eps) * (1 - b).sqrt(),
    ),
    (
        "a division by sqrt(alpha_t) that reaches x_t only: divide the whole bracket.",
        lambda x, eps, b, a: x / (1 - b).sqrt() - b / (1 - a).sqrt() * eps,
    ),
    (
        "alpha_t and beta_t swapped: beta_t stands before eps, and sqrt(alpha_t) divides.",
        lambda x, eps, b, a: (x - (1 - b) / (1 - a).sqrt() * eps) / b.sqrt(),
    ),
    (
        "alpha_t in the place of beta_t before eps: it is beta_t / sqrt(1 - alpha_bar_t).",
        lambda x, eps, b, a: (x - (1 - b) / (1 - a).sqrt() * eps) / (1 - b).sqrt(),
    ),
    (
        "a division by sqrt(beta_t): divide by sqrt(alpha_t).",
        lambda x, eps, b, a: (x - b / (1 - a).sqrt() * eps) / b.sqrt(),
    ),
    (
        "sqrt(beta_t) before eps: it is beta_t / sqrt(1 - alpha_bar_t).",
        lambda x, eps, b, a: (x - b.sqrt() / (1 - a).sqrt() * eps) / (1 - b).sqrt(),
    ),
    (
        "a missing beta_t: eps is multiplied by beta_t / sqrt(1 - alpha_bar_t).",
        lambda x, eps, b, a: (x - eps / (1 - a).sqrt()) / (1 - b).sqrt(),
    ),
    (
        "beta_t before eps alone: it is divided by sqrt(1 - alpha_bar_t).",
        lambda x, eps, b, a: (x - b * eps) / (1 - b).sqrt(),
    ),
    (
        "a multiplication by sqrt(1 - alpha_bar_t): divide beta_t by it.",
        lambda x, eps, b, a: (x - b * (1 - a).sqrt() * eps) / (1 - b).sqrt(),
    ),
    (
        "sqrt(1 - alpha_bar_t) before eps, all of the noise: one step takes beta_t / sqrt(1 - alpha_bar_t) of it.",
        lambda x, eps, b, a: (x - (1 - a).sqrt() * eps) / (1 - b).sqrt(),
    ),
    (
        "sqrt(1 - alpha_t) below beta_t: it is sqrt(1 - alpha_bar_t).",
        lambda x, eps, b, a: (x - b / b.sqrt() * eps) / (1 - b).sqrt(),
    ),
    (
        "sqrt(alpha_bar_t) below beta_t: it is sqrt(1 - alpha_bar_t).",
        lambda x, eps, b, a: (x - b / a.sqrt() * eps) / (1 - b).sqrt(),
    ),
    (
        "1 - sqrt(alpha_bar_t) below beta_t: the root goes around the difference, sqrt(1 - alpha_bar_t).",
        lambda x, eps, b, a: (x - b / (1 - a.sqrt()) * eps) / (1 - b).sqrt(),
    ),
    (
        "x_t and eps swapped: the noise is taken away from x_t.",
        lambda x, eps, b, a: mean_from_eps(eps, x, b, a),
    ),
    ("x_t without the predicted noise taken away.", lambda x, eps, b, a: x / (1 - b).sqrt()),
)
SIGMAS = (
    (
        "a variance used as a standard deviation: z is multiplied by s_t = sqrt(beta-tilde_t).",
        lambda b, a, v, t: v,
    ),
    (
        "s_t^2 = beta_t, the other choice of Ho et al., or alpha_bar[t - 1] read for alpha_bar_{t-1}: here it is beta-tilde_t.",
        lambda b, a, v, t: b.sqrt() if t > 1 else 0,
    ),
    (
        "noise on the last step, s_t^2 = beta_t, or alpha_bar[t - 1] read for alpha_bar_{t-1}: use beta-tilde_t, which is 0 at t = 1.",
        lambda b, a, v, t: b.sqrt(),
    ),
    ("beta_t before z: it is s_t = sqrt(beta-tilde_t), and 0 at t = 1.", lambda b, a, v, t: b),
    (
        "beta_t before z where t > 1: it is s_t = sqrt(beta-tilde_t).",
        lambda b, a, v, t: b if t > 1 else 0,
    ),
    ("z without s_t: multiply it by sqrt(beta-tilde_t).", lambda b, a, v, t: 1),
    ("z without s_t where t > 1: multiply it by sqrt(beta-tilde_t).", lambda b, a, v, t: int(t > 1)),
    ("noise left out at t = 2 too: only t = 1 has none.", lambda b, a, v, t: v.sqrt() if t > 2 else 0),
    ("a step without noise: add s_t z.", lambda b, a, v, t: 0),
    (
        "a minus before s_t z: z is added. (In law it is the same, but this check gives you z.)",
        lambda b, a, v, t: -v.sqrt(),
    ),
    (
        "s_t^2 = (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t): multiply it by beta_t.",
        lambda b, a, v, t: (v / b).sqrt(),
    ),
    (
        "s_t^2 without its denominator: beta-tilde_t = beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t).",
        lambda b, a, v, t: (v * (1 - a)).sqrt(),
    ),
    (
        "beta-tilde_t turned over: it is beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t), below beta_t.",
        lambda b, a, v, t: (b * b / v).sqrt(),
    ),
    (
        "sqrt(1 - alpha_bar_t) before z: it is s_t = sqrt(beta-tilde_t).",
        lambda b, a, v, t: (1 - a).sqrt(),
    ),
    (
        "sqrt(1 - alpha_bar_t) before z where t > 1: it is s_t = sqrt(beta-tilde_t).",
        lambda b, a, v, t: (1 - a).sqrt() if t > 1 else 0,
    ),
    *(
        (
            f"a variance kept above {c:g}: at t = 1 beta-tilde_t is 0, so that the last step adds no noise.",
            lambda b, a, v, t, c=c: v.clamp(min=c).sqrt(),
        )
        for c in SMALL
    ),
)
TABLES = (
    (
        "noise on the last step: at t = 1 alpha_bar[t - 2] is alpha_bar[-1], the last entry, not 1.",
        lambda b, ab, t: (b[t - 1], ab[t - 1], ab[t - 2]),
    ),
    (
        "alpha_bar_0 = 0: the product of no factor is 1, so that the last step adds no noise.",
        lambda b, ab, t: (b[t - 1], ab[t - 1], ab[t - 2] if t > 1 else 0 * ab[0]),
    ),
    (
        "alpha_bar[0] for alpha_bar_{t-1} at t = 1: that is alpha_bar_1, and alpha_bar_0 = 1.",
        lambda b, ab, t: (b[t - 1], ab[t - 1], ab[max(t - 2, 0)]),
    ),
    (
        "tables read at index t: beta_t is betas[t - 1], alpha_bar_t is alpha_bar[t - 1].",
        lambda b, ab, t: (b[t], ab[t], ab[t - 1]),
    ),
    (
        "tables read at index t, held at T - 1: beta_t is betas[t - 1], alpha_bar_t is alpha_bar[t - 1].",
        lambda b, ab, t: [v[min(t, len(b) - 1) - s] for v, s in ((b, 0), (ab, 0), (ab, 1))],
    ),
    (
        "alpha_bar_t read at index t: it is alpha_bar[t - 1].",
        lambda b, ab, t: (b[t - 1], ab[min(t, len(b) - 1)], ab[t - 1]),
    ),
    (
        "alpha_bar_t read at index t, and alpha_bar_{t-1} right: alpha_bar_t is alpha_bar[t - 1].",
        lambda b, ab, t: (b[t - 1], ab[min(t, len(b) - 1)], before(ab, t)),
    ),
    (
        "tables read at index t where t > 1, and no noise at t = 1: beta_t is betas[t - 1], alpha_bar_t is alpha_bar[t - 1].",
        lambda b, ab, t: (b[t], ab[t], ab[t - 1] if t > 1 else torch.ones_like(ab[0])),
    ),
    ("betas read at index t: beta_t is betas[t - 1].", lambda b, ab, t: (b[t], ab[t - 1], before(ab, t))),
    (
        "betas read at index t - 2: beta_t is betas[t - 1].",
        lambda b, ab, t: (b[t - 2], ab[t - 1], before(ab, t)),
    ),
    (
        "alpha_t in the place of alpha_bar_t, alphas without their running product (cumprod).",
        lambda b, ab, t: (b[t - 1], 1 - b[t - 1], before(1 - b, t)),
    ),
    (
        "a running product of the betas: alpha_bar_t is the product of the alphas 1 - beta_s.",
        lambda b, ab, t: (b[t - 1], b.cumprod(0)[t - 1], before(b.cumprod(0), t)),
    ),
    (
        "1 minus a sum of betas: alpha_bar_t is the product of the alphas 1 - beta_s, use cumprod.",
        lambda b, ab, t: (b[t - 1], 1 - b.cumsum(0)[t - 1], before(1 - b.cumsum(0), t)),
    ),
    (
        "the schedule read backwards: beta_t is betas[t - 1], and steps back use the same tables.",
        lambda b, ab, t: (b[-t], ab[-t], ab[-t - 1] if t < len(b) else torch.ones_like(ab[0])),
    ),
)


def steps(d: Draw) -> Iterator[tuple[str, tuple]]:
    """The first steps of the chapters' chains, the last ones, and the middle."""
    for name, betas in d.schedules().items():
        for t in d.times().tolist():
            yield name, (d.eps_model(), d.normal(2, 3), t, d.wide(2, 3), betas)
    yield "images", (d.eps_model(), d.wide(2, 1, 28, 28), 4, d.wide(2, 1, 28, 28), d.linear())
    yield "large predictions", (ToyEps(d.uniform(8, 9, 3)), d.wide(4, 3), 500, d.wide(4, 3), d.linear())


DDPM_STEP = Check(
    id="03-ddpm_step",
    points=3,
    minutes=15,
    level=2,
    reference=ddpm_step,
    inputs=lambda d: (d.eps_model(), d.x(), d.step(), d.x(), d.betas()),
    fixed=steps,
    evaluations={"eps_model": lambda m, x, *rest: len(x)},
    calls={"eps_model": lambda *args: 1},
    where="Algorithm 2 in section 9 of this notebook: x_{t-1} = (x_t - beta_t / sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_t) "
    "+ s_t z, with s_t^2 = beta-tilde_t = beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t) "
    "(Ho et al. 2020, algorithm 2 and eq. 7).",
    outputs=("x_prev",),
    library=("samplers.ddpm", "samplers.ancestral", "samplers.ddim"),
    mutants=[
        *(read_slip(hint, read) for hint, read in TABLES),
        *(sigma_slip(hint, sigma) for hint, sigma in SIGMAS),
        *(mean_slip(hint, mean) for hint, mean in MEANS),
        *(step_slip(hint, right_step, told) for hint, told in STEP_TOLD),
        step_slip(
            "a DDIM step, which uses no z: this one is ancestral, its mean plus s_t z.",
            lambda x, eps, b, a, v, z, t: (
                (a / (1 - b)).sqrt() * unmix(x, eps, a) + (1 - a / (1 - b)).clamp(min=0).sqrt() * eps
            ),
        ),
        Mutant(
            "the variance of t = 2 at t = 1, as the clipped log-variance has it: there no noise is added.",
            lambda m, x, t, z, betas: right_step(
                x, predict(m, x, t), *step_tables(t, betas)[:2], step_tables(max(t, 2), betas)[2], z, t
            ),
        ),
        step_slip(
            "s_t z inside the bracket: it is added after the division by sqrt(alpha_t).",
            lambda x, eps, b, a, v, z, t: mean_from_eps(x, eps, b, a) + v.sqrt() * z / (1 - b).sqrt(),
        ),
        step_slip(
            "the predicted noise in the place of z: z is the fresh noise of this step.",
            lambda x, eps, b, a, v, z, t: right_step(x, eps, b, a, v, eps, t),
        ),
        step_slip(
            "z in the place of the predicted noise: take eps_model's answer away from x_t.",
            lambda x, eps, b, a, v, z, t: right_step(x, z, b, a, v, z, t),
        ),
        Mutant(
            "the model called with z: it must see x_t.",
            lambda m, x, t, z, betas: right_step(x, predict(m, z, t), *step_tables(t, betas), z, t),
        ),
        step_slip(
            "the guess of x_0: one step goes to x_{t-1}.", lambda x, eps, b, a, v, z, t: unmix(x, eps, a)
        ),
        step_slip(
            "the model's answer taken for the mean: it is the predicted noise, put it into the formula.",
            lambda x, eps, b, a, v, z, t: eps + v.sqrt() * z,
        ),
        step_slip(
            "a forward step, sqrt(alpha_t) x_t + sqrt(beta_t) z: go back, from x_t to x_{t-1}.",
            lambda x, eps, b, a, v, z, t: mix(x, z, 1 - b),
        ),
        step_slip(
            "x_t itself at t = 1: the last step adds no noise, but it takes the predicted noise away.",
            lambda x, eps, b, a, v, z, t: x if t == 1 else right_step(x, eps, b, a, v, z, t),
        ),
        Mutant("all steps down to x_0: one step from x_t to x_{t-1} is wanted.", all_steps),
        Mutant(
            "an implied x_0 cut to [-1, 1] inside the step: leave that to the model, the formula takes eps as it is.",
            clipped_step,
        ),
        after(
            "an x_{t-1} cut to [-1, 1]: return what the formula gives.", ddpm_step, lambda v: v.clamp(-1, 1)
        ),
        *(
            step_slip(
                f"{c:g} added to 1 - alpha_bar_t: at t = 1 that changes the step, the denominator is never 0.",
                lambda x, eps, b, a, v, z, t, c=c: (
                    mean_from_eps(x, eps, b, a - c) + (v * (1 - a) / (1 - a + c)).sqrt() * z
                ),
            )
            for c in SMALL
        ),
        *(
            altered(
                f"betas kept below {c}: at the end of the cosine schedule they are larger, use them as they are.",
                ddpm_step,
                betas=lambda b, c=c: b.clamp(max=c),
            )
            for c in (0.99, 0.9, 0.5)
        ),
        altered(
            "the linear schedule of 1000 steps in the place of the argument betas: use the table that is given.",
            ddpm_step,
            betas=lambda b: schedules.linear(1000).to(b),
        ),
        altered(
            "betas rounded to float32: keep the dtype of the table, without .float().",
            ddpm_step,
            betas=lambda b: b.float().to(b),
        ),
        *squeezed(ddpm_step, "x_{t-1}"),
        *pairs(MEANS[:5], SIGMAS[:3], both_slips),
        *pairs(STEP_TOLD[:1], SIGMAS[:3], lambda told, sigma: both_slips(mean_from_eps, sigma, told)),
    ],
)

CHECKS = [X0_FROM_EPS, EPS_LOSS, TRAINING_STEP, DDPM_STEP, SHOWN_BETTER]
