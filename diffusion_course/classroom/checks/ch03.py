"""Checks of chapter 03: the noise-prediction loss and ancestral sampling."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ...denoisers import EpsModel
from .ch01 import OFF_BY_ONE, REVERSED, diffuse, jumps, mix
from .data import Check, Mutant
from .inputs import Draw, column


def eps_loss(eps_model: EpsModel, x0: Tensor, t: Tensor, eps: Tensor, alpha_bar: Tensor) -> Tensor:
    return (eps_model(diffuse(x0, t, eps, alpha_bar), t) - eps).square().mean()


def rootless(x0: Tensor, eps: Tensor, a: Tensor) -> Tensor:
    return a * x0 + (1 - a) * eps


def training_batches(d: Draw) -> Iterator[tuple[str, tuple]]:
    """`jumps` of chapter 01, before a model."""
    yield from ((name, (d.eps_model(), *args)) for name, args in jumps(d))


EPS_LOSS = Check(
    id="03-eps_loss",
    points=3,
    minutes=10,
    level=2,
    reference=eps_loss,
    inputs=lambda d: (d.eps_model(), d.x(), d.t(), d.x(), d.alpha_bar()),
    fixed=training_batches,
    evaluations={"eps_model": lambda m, x0, *rest: len(x0)},
    where="L_simple, the mean of (eps - eps_theta(x_t, t))^2 (Ho et al. 2020, eq. 14).",
    outputs=("loss",),
    grad=("eps_model",),
    library=("losses.eps_loss",),
    mutants=[
        Mutant(
            "a sum: take the mean over all entries, so that the loss does not grow with the batch.",
            lambda m, x0, t, eps, ab: eps_loss(m, x0, t, eps, ab) * x0.numel(),
        ),
        Mutant(
            "a sum over the dimensions, averaged over the batch: take the mean over all entries.",
            lambda m, x0, t, eps, ab: eps_loss(m, x0, t, eps, ab) * x0[0].numel(),
        ),
        Mutant(
            "the model called with the clean x0: it must see the noisy x_t.",
            lambda m, x0, t, eps, ab: (m(x0, t) - eps).square().mean(),
        ),
        Mutant(
            "the model called with the noise eps: it must see the noisy x_t.",
            lambda m, x0, t, eps, ab: (m(eps, t) - eps).square().mean(),
        ),
        Mutant(
            "the model called with t - 1: the shift by one is for reading tables, the model takes t itself.",
            lambda m, x0, t, eps, ab: (m(diffuse(x0, t, eps, ab), t - 1) - eps).square().mean(),
        ),
        Mutant(
            "the model called with t + 1: it takes t itself.",
            lambda m, x0, t, eps, ab: (m(diffuse(x0, t, eps, ab), t + 1) - eps).square().mean(),
        ),
        Mutant(
            "the model called with t / T: it takes the integer t.",
            lambda m, x0, t, eps, ab: (m(diffuse(x0, t, eps, ab), t / len(ab)) - eps).square().mean(),
        ),
        Mutant(
            "x0 as the target: an eps-model predicts the noise eps.",
            lambda m, x0, t, eps, ab: (m(diffuse(x0, t, eps, ab), t) - x0).square().mean(),
        ),
        Mutant(
            "x_t as the target: an eps-model predicts the noise eps.",
            lambda m, x0, t, eps, ab: (
                (m(diffuse(x0, t, eps, ab), t) - diffuse(x0, t, eps, ab)).square().mean()
            ),
        ),
        Mutant(
            "absolute values: square the error.",
            lambda m, x0, t, eps, ab: (m(diffuse(x0, t, eps, ab), t) - eps).abs().mean(),
        ),
        Mutant("a root of the mean: leave the mean square.", lambda *a: eps_loss(*a).sqrt()),
        Mutant(
            "one loss for each sample: return a single number, the mean over the batch too.",
            lambda m, x0, t, eps, ab: (m(diffuse(x0, t, eps, ab), t) - eps).square().flatten(1).mean(1),
        ),
        Mutant(
            OFF_BY_ONE,
            lambda m, x0, t, eps, ab: (m(mix(x0, eps, column(ab[t], x0)), t) - eps).square().mean(),
        ),
        Mutant(
            "x_t made with missing square roots: x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps.",
            lambda m, x0, t, eps, ab: (m(rootless(x0, eps, column(ab[t - 1], x0)), t) - eps).square().mean(),
        ),
    ],
)


def x0_from_eps(x_t: Tensor, t: Tensor, eps: Tensor, alpha_bar: Tensor) -> Tensor:
    return unmix(x_t, eps, column(alpha_bar[t - 1], x_t))


def unmix(x_t: Tensor, eps: Tensor, a: Tensor) -> Tensor:
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


X0_FROM_EPS = Check(
    id="03-x0_from_eps",
    points=2,
    minutes=5,
    level=1,
    reference=x0_from_eps,
    inputs=lambda d: (d.x(), d.t(), d.x(), d.alpha_bar()),
    fixed=jumps,
    where="x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps (Ho et al. 2020, eq. 4), solved for x_0.",
    outputs=("x0",),
    library=("gaussian.x0_from_eps", "denoisers.from_eps"),
    mutants=[
        Mutant(OFF_BY_ONE, lambda x, t, eps, ab: unmix(x, eps, column(ab[t], x))),
        Mutant(REVERSED, lambda x, t, eps, ab: unmix(x, eps, column(ab[len(ab) - t], x))),
        Mutant(
            "a missing division by sqrt(alpha_bar_t).",
            lambda x, t, eps, ab: x - (1 - column(ab[t - 1], x)).sqrt() * eps,
        ),
        Mutant(
            "a multiplication by sqrt(alpha_bar_t): divide by it.",
            lambda x, t, eps, ab: x0_from_eps(x, t, eps, ab) * column(ab[t - 1], x),
        ),
        Mutant(
            "a division by alpha_bar_t: divide by its square root.",
            lambda x, t, eps, ab: x0_from_eps(x, t, eps, ab) / column(ab[t - 1], x).sqrt(),
        ),
        Mutant(
            "a variance used as a standard deviation: the noise is multiplied by sqrt(1 - alpha_bar_t).",
            lambda x, t, eps, ab: (x - (1 - column(ab[t - 1], x)) * eps) / column(ab[t - 1], x).sqrt(),
        ),
        Mutant(
            "a plus before the noise: it is taken away.", lambda x, t, eps, ab: x0_from_eps(x, t, -eps, ab)
        ),
        Mutant(
            "the forward formula, x_t from x_0: solve it for x_0.",
            lambda x, t, eps, ab: diffuse(x, t, eps, ab),
        ),
        Mutant(
            "a division that reaches x_t only: divide the whole difference by sqrt(alpha_bar_t).",
            lambda x, t, eps, ab: x / column(ab[t - 1], x).sqrt() - (1 - column(ab[t - 1], x)).sqrt() * eps,
        ),
        Mutant(
            "alpha_bar[t - 1] of shape (B,) next to x_t of shape (B, *S): reshape it to (B, 1, ..., 1).",
            lambda x, t, eps, ab: unmix(x, eps, ab[t - 1]),
        ),
    ],
)


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


def step_slip(hint: str, formula: Callable, shift: int = 0) -> Mutant:
    """A mutant written as formula(x_t, eps, beta, a, variance, z, t); its model sees t + shift."""
    return Mutant(
        hint, lambda m, x, t, z, betas: formula(x, predict(m, x, t + shift), *step_tables(t, betas), z, t)
    )


def right_step(x: Tensor, eps: Tensor, b: Tensor, a: Tensor, v: Tensor, z: Tensor, t: int) -> Tensor:
    return mean_from_eps(x, eps, b, a) + v.sqrt() * z


def wrapped_index(m: EpsModel, x: Tensor, t: int, z: Tensor, betas: Tensor) -> Tensor:
    alpha_bar = torch.cumprod(1 - betas, dim=0)
    b, a, previous = betas[t - 1], alpha_bar[t - 1], alpha_bar[t - 2]
    return right_step(x, predict(m, x, t), b, a, b * (1 - previous) / (1 - a), z, t)


def steps(d: Draw) -> Iterator[tuple[str, tuple]]:
    """The first steps of the chapters' chains, the last ones, and the middle."""
    for name, betas in d.schedules().items():
        for t in d.times().tolist():
            yield name, (d.eps_model(), d.normal(2, 3), t, d.wide(2, 3), betas)
    yield "images", (d.eps_model(), d.wide(2, 1, 28, 28), 4, d.wide(2, 1, 28, 28), d.linear())


DDPM_STEP = Check(
    id="03-ddpm_step",
    points=3,
    minutes=15,
    level=2,
    reference=ddpm_step,
    inputs=lambda d: (d.eps_model(), d.x(), d.step(), d.x(), d.betas()),
    fixed=steps,
    evaluations={"eps_model": lambda m, x, *rest: len(x)},
    where="x_{t-1} = (x_t - beta_t / sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_t) + sigma_t z, "
    "with sigma_t^2 = beta-tilde_t (Ho et al. 2020, algorithm 2 and eq. 7).",
    outputs=("x_prev",),
    library=("samplers.ddpm", "samplers.ancestral", "samplers.ddim"),
    mutants=[
        step_slip(
            "noise on the last step, sigma_t^2 = beta_t: use beta-tilde_t, which is 0 at t = 1.",
            lambda x, eps, b, a, v, z, t: mean_from_eps(x, eps, b, a) + b.sqrt() * z,
        ),
        Mutant(
            "noise on the last step: at t = 1 alpha_bar[t - 2] is alpha_bar[-1], the last entry, not 1.",
            wrapped_index,
        ),
        step_slip(
            "sigma_t^2 = beta_t, the other choice of Ho et al.: here it is beta-tilde_t.",
            lambda x, eps, b, a, v, z, t: mean_from_eps(x, eps, b, a) + (b.sqrt() * z if t > 1 else 0),
        ),
        step_slip(
            "a variance used as a standard deviation: z is multiplied by sigma_t = sqrt(beta-tilde_t).",
            lambda x, eps, b, a, v, z, t: mean_from_eps(x, eps, b, a) + v * z,
        ),
        step_slip(
            "a step without noise: add sigma_t z.",
            lambda x, eps, b, a, v, z, t: mean_from_eps(x, eps, b, a),
        ),
        step_slip(
            "a minus before sigma_t z: z is added. (In law it is the same, but this check gives you z.)",
            lambda x, eps, b, a, v, z, t: right_step(x, eps, b, a, v, -z, t),
        ),
        step_slip(
            "a plus before eps: the predicted noise is taken away.",
            lambda x, eps, b, a, v, z, t: right_step(x, -eps, b, a, v, z, t),
        ),
        step_slip(
            "a missing root: eps is multiplied by beta_t / sqrt(1 - alpha_bar_t).",
            lambda x, eps, b, a, v, z, t: right_step(x, eps / (1 - a).sqrt(), b, a, v, z, t),
        ),
        step_slip(
            "a missing division by sqrt(alpha_t).",
            lambda x, eps, b, a, v, z, t: x - b / (1 - a).sqrt() * eps + v.sqrt() * z,
        ),
        step_slip(
            "a division by alpha_t: divide by its square root.",
            lambda x, eps, b, a, v, z, t: mean_from_eps(x, eps, b, a) / (1 - b).sqrt() + v.sqrt() * z,
        ),
        step_slip(
            "sqrt(alpha_bar_t) for sqrt(alpha_t): one step divides by sqrt(alpha_t) = sqrt(1 - beta_t).",
            lambda x, eps, b, a, v, z, t: (x - b / (1 - a).sqrt() * eps) / a.sqrt() + v.sqrt() * z,
        ),
        step_slip(
            "the model called with t - 1: the shift by one is for reading tables, the model takes t itself.",
            right_step,
            shift=-1,
        ),
        step_slip("the model called with t + 1: it takes t itself.", right_step, shift=1),
        Mutant(
            "tables read at index t: beta_t is betas[t - 1], alpha_bar_t is alpha_bar[t - 1].",
            lambda m, x, t, z, betas: right_step(x, predict(m, x, t), *step_tables(t + 1, betas), z, t),
        ),
    ],
)

CHECKS = [X0_FROM_EPS, EPS_LOSS, DDPM_STEP]
