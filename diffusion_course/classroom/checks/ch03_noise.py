"""Checks of chapter 03, the first two: the noise-prediction loss, and x_0 from the noise."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ...denoisers import EpsModel
from .ch01 import diffuse, jumps
from .ch01_slips import (
    BOUNDED,
    MIXES,
    OFTEN_SHIFTED,
    READS,
    SMALL,
    after,
    altered,
    in_float32,
    mix,
    pairs,
    right_read,
    shapes,
    squeezed,
)
from .data import Check, Mutant
from .inputs import Draw, column


def eps_loss(eps_model: EpsModel, x0: Tensor, t: Tensor, eps: Tensor, alpha_bar: Tensor) -> Tensor:
    return (eps_model(diffuse(x0, t, eps, alpha_bar), t) - eps).square().mean()


def loss_slip(
    hint: str, loss: Callable, read: Callable = right_read, mixing: Callable = mix, shape: Callable = column
) -> Mutant:
    """A mutant written as loss(eps_model, x_t, t, x0, eps, a), where x_t is made in the parts of ch01_slips."""

    def function(eps_model: EpsModel, x0: Tensor, t: Tensor, eps: Tensor, alpha_bar: Tensor) -> Tensor:
        a = shape(read(alpha_bar, t), x0)
        return loss(eps_model, mixing(x0, eps, a), t, x0, eps, a)

    return Mutant(hint, function)


def error_slip(hint: str, reduced: Callable) -> Mutant:
    """A mutant written as reduced(eps_theta - eps)."""
    return loss_slip(hint, lambda m, x_t, t, x0, eps, a: reduced(m(x_t, t) - eps))


def right_loss(m: EpsModel, x_t: Tensor, t: Tensor, x0: Tensor, eps: Tensor, a: Tensor) -> Tensor:
    return (m(x_t, t) - eps).square().mean()


def noisy(hint: str, **parts: Callable) -> Mutant:
    """The right loss of an x_t that is not right."""
    return loss_slip(f"x_t made with {hint}", right_loss, **parts)


def kept(error: Tensor, keep: Tensor, all_count: bool) -> Tensor:
    """The mean square of the samples to keep, over all entries or over theirs."""
    weights = column(keep, error).to(error).expand_as(error)
    return (error.square() * weights).sum() / (error.numel() if all_count else weights.sum().clamp(min=1))


def mean_of_means(squares: Tensor, t: Tensor) -> Tensor:
    """The mean over the distinct times of the mean at each."""
    return torch.stack([squares[t == time].mean() for time in t.unique()]).mean()


def rows(e: Tensor) -> Tensor:
    """(B, *S) to (B, entries), also where S is empty."""
    return e.reshape(len(e), -1)


# The model is told something else than t; what it is told comes with other slips too.
TOLD = (
    (
        "the model called with t - 1: the shift by one is for reading tables, the model takes t itself.",
        lambda t: t - 1,
    ),
    (
        "the model called with t - 1, held at 1: the shift by one is for reading tables, the model takes t itself.",
        lambda t: (t - 1).clamp(min=1),
    ),
    ("the model called with t + 1: it takes t itself.", lambda t: t + 1),
)
REDUCED = (
    (
        "a sum: take the mean over all entries, so that the loss does not grow with the batch.",
        lambda e: e.square().sum(),
    ),
    (
        "a sum over the dimensions, averaged over the batch: take the mean over all entries.",
        lambda e: rows(e).square().sum(1).mean(),
    ),
    (
        "a sum over the batch, averaged over the dimensions: take the mean over all entries.",
        lambda e: rows(e).square().mean(1).sum(),
    ),
)


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
    calls={"eps_model": lambda *args: 1},
    where="section 4 of this notebook: L_simple, the mean of (eps - eps_theta(x_t, t))^2 over all entries, "
    "with x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps (Ho et al. 2020, eq. 14).",
    outputs=("loss",),
    grad=("eps_model",),
    library=("losses.eps_loss",),
    mutants=[
        *(error_slip(hint, reduced) for hint, reduced in REDUCED),
        error_slip(
            "one loss for each sample: return a single number, the mean over the batch too.",
            lambda e: rows(e).square().mean(1),
        ),
        error_slip(
            "a sum for each sample: return a single number, the mean over all entries.",
            lambda e: rows(e).square().sum(1),
        ),
        error_slip(
            "a mean over the batch alone: return a single number, the mean over all entries.",
            lambda e: e.square().mean(0),
        ),
        error_slip(
            "a mean over the last axis alone: return a single number, the mean over all entries.",
            lambda e: e.square().mean(-1),
        ),
        error_slip("squares without their mean: return a single number.", lambda e: e.square()),
        error_slip(
            "a mean over the axes (1, 2, 3), which only images have: take the mean over all axes, .mean().",
            lambda e: e.square().mean((1, 2, 3)).mean(),
        ),
        error_slip(
            "a division by one entry less: divide by the number of entries, as .mean() does.",
            lambda e: e.square().sum() / max(e.numel() - 1, 1),
        ),
        error_slip(
            "the variance of the error: take the mean of its square.", lambda e: e.var(unbiased=False)
        ),
        error_slip("absolute values: square the error.", lambda e: e.abs().mean()),
        error_slip("an error without its square.", lambda e: e.mean()),
        error_slip("an error without its square, eps - eps_theta.", lambda e: -e.mean()),
        error_slip(
            "the square of the mean error: first square, then take the mean.", lambda e: e.mean() ** 2
        ),
        error_slip("a root of the mean: leave the mean square.", lambda e: e.square().mean().sqrt()),
        error_slip(
            "the length of the error: take the mean of its square.", lambda e: e.square().sum().sqrt()
        ),
        error_slip(
            "the length of each sample's error: take the mean of the squares.",
            lambda e: rows(e).square().sum(1).sqrt().mean(),
        ),
        error_slip("half the mean square: leave the 1/2 out.", lambda e: e.square().mean() / 2),
        error_slip("a minus before the loss: it is minimised.", lambda e: -e.square().mean()),
        loss_slip(
            "min-SNR weights, with gamma = 5: L_simple weighs all times alike.",
            lambda m, x_t, t, x0, eps, a: (
                ((1 - a) / a * 5).clamp(max=1) * (m(x_t, t) - eps).square()
            ).mean(),
        ),
        error_slip(
            "twice the smooth_l1_loss (a Huber loss), which is not a square for large errors.",
            lambda e: torch.where(e.abs() < 1, e.square(), 2 * e.abs() - 1).mean(),
        ),
        error_slip(
            "smooth_l1_loss, which is not a square for large errors.",
            lambda e: torch.where(e.abs() < 1, e.square() / 2, e.abs() - 0.5).mean(),
        ),
        loss_slip(
            "the model called with the clean x0: it must see the noisy x_t.",
            lambda m, x_t, t, x0, eps, a: (m(x0, t) - eps).square().mean(),
        ),
        loss_slip(
            "the model called with the noise eps: it must see the noisy x_t.",
            lambda m, x_t, t, x0, eps, a: (m(eps, t) - eps).square().mean(),
        ),
        *(
            loss_slip(hint, lambda m, x_t, t, x0, eps, a, told=told: right_loss(m, x_t, told(t), x0, eps, a))
            for hint, told in TOLD
        ),
        loss_slip(
            "the model called with a float, as t / T and t.float() are: it takes the integer t.",
            lambda m, x_t, t, x0, eps, a: (m(x_t, t / 10) - eps).square().mean(),
        ),
        loss_slip(
            "the model called with sorted times: each sample keeps its own t.",
            lambda m, x_t, t, x0, eps, a: (m(x_t, t.sort().values) - eps).square().mean(),
        ),
        loss_slip(
            "the model called with the first sample's t for all: each sample keeps its own t.",
            lambda m, x_t, t, x0, eps, a: (m(x_t, t[:1].expand_as(t)) - eps).square().mean(),
        ),
        loss_slip(
            "the model called without t: it is eps_model(x_t, t).",
            lambda m, x_t, t, x0, eps, a: (m(x_t) - eps).square().mean(),
        ),
        loss_slip(
            "the model called as eps_model(t, x_t): it is eps_model(x_t, t).",
            lambda m, x_t, t, x0, eps, a: (m(t, x_t) - eps).square().mean(),
        ),
        loss_slip(
            "x0 as the target: an eps-model predicts the noise eps.",
            lambda m, x_t, t, x0, eps, a: (m(x_t, t) - x0).square().mean(),
        ),
        loss_slip(
            "x_t as the target: an eps-model predicts the noise eps.",
            lambda m, x_t, t, x0, eps, a: (m(x_t, t) - x_t).square().mean(),
        ),
        loss_slip(
            "x_t - x0 as the target: an eps-model predicts the noise eps.",
            lambda m, x_t, t, x0, eps, a: (m(x_t, t) - (x_t - x0)).square().mean(),
        ),
        loss_slip(
            "eps - x0 as the target: an eps-model predicts the noise eps.",
            lambda m, x_t, t, x0, eps, a: (m(x_t, t) - (eps - x0)).square().mean(),
        ),
        loss_slip(
            "v as the target: an eps-model predicts the noise eps.",
            lambda m, x_t, t, x0, eps, a: (
                (m(x_t, t) - (a.sqrt() * eps - (1 - a).sqrt() * x0)).square().mean()
            ),
        ),
        loss_slip(
            "the scaled noise sqrt(1 - alpha_bar_t) eps as the target: it is eps itself.",
            lambda m, x_t, t, x0, eps, a: (m(x_t, t) - (1 - a).sqrt() * eps).square().mean(),
        ),
        loss_slip(
            "the model's answer taken for x_0: it predicts the noise eps, compare it with eps.",
            lambda m, x_t, t, x0, eps, a: (
                ((x_t - a.sqrt() * m(x_t, t)) / (1 - a).sqrt() - eps).square().mean()
            ),
        ),
        loss_slip(
            "an error in x_0, made from the predicted noise: L_simple is the error in the noise.",
            lambda m, x_t, t, x0, eps, a: ((1 - a) / a * (m(x_t, t) - eps).square()).mean(),
        ),
        loss_slip(
            "the predicted noise alone, squared: subtract eps first.",
            lambda m, x_t, t, x0, eps, a: m(x_t, t).square().mean(),
        ),
        loss_slip(
            "a plus between the prediction and eps: subtract them.",
            lambda m, x_t, t, x0, eps, a: (m(x_t, t) + eps).square().mean(),
        ),
        loss_slip(
            "a product of the prediction and eps: take the mean square of their difference.",
            lambda m, x_t, t, x0, eps, a: (m(x_t, t) * eps).mean(),
        ),
        loss_slip(
            "samples at t = 1 left out of the mean: every t counts.",
            lambda m, x_t, t, x0, eps, a: kept(m(x_t, t) - eps, t > 1, all_count=False),
        ),
        loss_slip(
            "samples at t = 1 counted as 0: every t counts.",
            lambda m, x_t, t, x0, eps, a: kept(m(x_t, t) - eps, t > 1, all_count=True),
        ),
        Mutant(
            "samples at t = T left out of the mean: every t counts.",
            lambda m, x0, t, eps, ab: kept(m(diffuse(x0, t, eps, ab), t) - eps, t < len(ab), all_count=False),
        ),
        Mutant(
            "samples at t = T counted as 0: every t counts.",
            lambda m, x0, t, eps, ab: kept(m(diffuse(x0, t, eps, ab), t) - eps, t < len(ab), all_count=True),
        ),
        loss_slip(
            "a mean over the distinct times of the means of each: every sample counts the same.",
            lambda m, x_t, t, x0, eps, a: mean_of_means((m(x_t, t) - eps).square(), t),
        ),
        *(noisy(hint, read=read) for hint, read in READS),
        *(noisy(hint, mixing=mixing) for hint, mixing in MIXES),
        *(noisy(hint, shape=shape) for hint, shape in shapes("x0")[:-1]),
        *(
            loss_slip(
                f"an x_t cut to [-{c}, {c}]: a noisy pixel may be any number.",
                lambda m, x_t, t, x0, eps, a, c=c: (m(x_t.clamp(-c, c), t) - eps).square().mean(),
            )
            for c in (1, 3)
        ),
        altered("an x0 cut to [-1, 1]: use it as it is.", eps_loss, x0=lambda x: x.clamp(-1, 1)),
        loss_slip(
            "a prediction cut to [-1, 1]: predicted noise may be any number.",
            lambda m, x_t, t, x0, eps, a: (m(x_t, t).clamp(-1, 1) - eps).square().mean(),
        ),
        loss_slip(
            "a prediction after .squeeze(): then it meets eps along the wrong axes, keep its shape.",
            lambda m, x_t, t, x0, eps, a: (m(x_t, t).squeeze() - eps).square().mean(),
        ),
        in_float32(eps_loss),
        *pairs(
            TOLD[:2],
            REDUCED[:2],
            lambda told, reduced: (
                loss_slip("", lambda m, x_t, t, x0, eps, a: reduced(m(x_t, told(t)) - eps)).function
            ),
        ),
        *pairs(
            MIXES[:3],
            REDUCED[:2],
            lambda mixing, reduced: (
                loss_slip("", lambda m, x_t, t, x0, eps, a: reduced(m(x_t, t) - eps), mixing=mixing).function
            ),
        ),
    ],
)


def x0_from_eps(x_t: Tensor, t: Tensor, eps: Tensor, alpha_bar: Tensor) -> Tensor:
    return unmix(x_t, eps, column(alpha_bar[t - 1], x_t))


def unmix(x_t: Tensor, eps: Tensor, a: Tensor) -> Tensor:
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def solved(
    hint: str, read: Callable = right_read, formula: Callable = unmix, shape: Callable = column
) -> Mutant:
    """A mutant of x0_from_eps in three parts, as `jump` of chapter 01."""
    return Mutant(hint, lambda x, t, eps, ab: formula(x, eps, shape(read(ab, t), x)))


PLUS = ("a plus before the noise: it is taken away.", lambda x, eps, a: unmix(x, -eps, a))
UNMIXES = (
    (
        "a variance used as a standard deviation: the noise is multiplied by sqrt(1 - alpha_bar_t).",
        lambda x, eps, a: (x - (1 - a) * eps) / a.sqrt(),
    ),
    (
        "a division by alpha_bar_t: divide by its square root.",
        lambda x, eps, a: (x - (1 - a).sqrt() * eps) / a,
    ),
    ("a missing division by sqrt(alpha_bar_t).", lambda x, eps, a: x - (1 - a).sqrt() * eps),
    (
        "both square roots missing: take away sqrt(1 - alpha_bar_t) eps and divide by sqrt(alpha_bar_t).",
        lambda x, eps, a: (x - (1 - a) * eps) / a,
    ),
    (
        "a multiplication by sqrt(alpha_bar_t): divide by it.",
        lambda x, eps, a: (x - (1 - a).sqrt() * eps) * a.sqrt(),
    ),
    PLUS,
    ("eps - x_t: the noise is taken away from x_t.", lambda x, eps, a: -unmix(x, eps, a)),
    ("the forward formula, x_t from x_0: solve it for x_0.", mix),
    (
        "sqrt(alpha_bar_t) x_t - sqrt(1 - alpha_bar_t) eps, the formula for v: here x_t is divided by sqrt(alpha_bar_t), and eps too.",
        lambda x, eps, a: mix(x, -eps, a),
    ),
    (
        "a division that reaches x_t only: divide the whole difference by sqrt(alpha_bar_t).",
        lambda x, eps, a: x / a.sqrt() - (1 - a).sqrt() * eps,
    ),
    (
        "a division that reaches the noise only: divide the whole difference by sqrt(alpha_bar_t).",
        lambda x, eps, a: x - ((1 - a) / a).sqrt() * eps,
    ),
    (
        "the two roots swapped: take away sqrt(1 - alpha_bar_t) eps and divide by sqrt(alpha_bar_t).",
        lambda x, eps, a: unmix(x, eps, 1 - a),
    ),
    (
        "a division by sqrt(1 - alpha_bar_t): divide by sqrt(alpha_bar_t).",
        lambda x, eps, a: (x - (1 - a).sqrt() * eps) / (1 - a).sqrt(),
    ),
    (
        "sqrt(alpha_bar_t) before eps: it is multiplied by sqrt(1 - alpha_bar_t).",
        lambda x, eps, a: (x - a.sqrt() * eps) / a.sqrt(),
    ),
    ("x_t and eps swapped: the noise is taken away from x_t.", lambda x, eps, a: unmix(eps, x, a)),
    (
        "1 - sqrt(alpha_bar_t): the root goes around the difference, sqrt(1 - alpha_bar_t).",
        lambda x, eps, a: (x - (1 - a.sqrt()) * eps) / a.sqrt(),
    ),
    (
        "sqrt(alpha_bar_t) in the place of alpha_bar_t under the root of the noise: it is sqrt(1 - alpha_bar_t).",
        lambda x, eps, a: (x - (1 - a.sqrt()).sqrt() * eps) / a.sqrt(),
    ),
    (
        "one root too many: the roots are sqrt(alpha_bar_t) and sqrt(1 - alpha_bar_t), and alpha_bar[t - 1] is alpha_bar_t itself.",
        lambda x, eps, a: unmix(x, eps, a.sqrt()),
    ),
    (
        "alpha_bar_t used as if it were sqrt(alpha_bar_t): the roots are sqrt(alpha_bar_t) and sqrt(1 - alpha_bar_t).",
        lambda x, eps, a: unmix(x, eps, a**2),
    ),
    (
        "noise without a weight: it is multiplied by sqrt(1 - alpha_bar_t).",
        lambda x, eps, a: (x - eps) / a.sqrt(),
    ),
    (
        "a root over the whole: take the roots of alpha_bar_t and 1 - alpha_bar_t alone.",
        lambda x, eps, a: ((x - (1 - a) * eps) / a).sqrt(),
    ),
    ("x_t / sqrt(alpha_bar_t) alone: take the noise away first.", lambda x, eps, a: x / a.sqrt()),
    (
        "sigma_t^2 before the noise: in x_t / sqrt(alpha_bar_t) - sigma_t eps it is sigma_t, the root of (1 - alpha_bar_t) / alpha_bar_t.",
        lambda x, eps, a: x / a.sqrt() - (1 - a) / a * eps,
    ),
)


X0_FROM_EPS = Check(
    id="03-x0_from_eps",
    points=2,
    minutes=5,
    level=1,
    reference=x0_from_eps,
    inputs=lambda d: (d.x(), d.t(), d.x(), d.alpha_bar()),
    fixed=jumps,
    where="section 2 of this notebook: x_0 = (x_t - sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_bar_t) (Ho et al. 2020, eq. 15).",
    outputs=("x0",),
    library=("gaussian.x0_from_eps", "denoisers.from_eps"),
    mutants=[
        *(solved(hint, read=read) for hint, read in (*READS, *BOUNDED)),
        *(solved(hint, formula=formula) for hint, formula in UNMIXES),
        *(solved(hint, shape=shape) for hint, shape in shapes("x_t")),
        *(
            solved(
                f"{c:g} added under the root: the chapter's tables need no help.",
                formula=lambda x, eps, a, c=c: (x - (1 - a + c).sqrt() * eps) / a.sqrt(),
            )
            for c in SMALL
        ),
        *(
            solved(
                f"{c:g} added to the denominator: at large t that changes x_0, sqrt(alpha_bar_t) is never 0.",
                formula=lambda x, eps, a, c=c: (x - (1 - a).sqrt() * eps) / (a.sqrt() + c),
            )
            for c in SMALL
        ),
        *(
            solved(
                f"{c:g} added to alpha_bar_t below: at large t that changes x_0, sqrt(alpha_bar_t) is never 0.",
                formula=lambda x, eps, a, c=c: (x - (1 - a).sqrt() * eps) / (a + c).sqrt(),
            )
            for c in SMALL
        ),
        solved(
            "sqrt(1 - alpha_bar_t) taken for 1 where alpha_bar_t is small: the division by sqrt(alpha_bar_t) magnifies the error.",
            formula=lambda x, eps, a: (x - torch.where(a < 1e-3, 1.0, (1 - a).sqrt()) * eps) / a.sqrt(),
        ),
        after("an x_0 cut to [-1, 1]: return what the formula gives.", x0_from_eps, lambda v: v.clamp(-1, 1)),
        after("the first sample only, as a return inside the loop gives it.", x0_from_eps, lambda v: v[:1]),
        Mutant(
            "0 at t = T: a little of x_0 is left there, the formula holds for every t.",
            lambda x, t, eps, ab: torch.where(column(t == len(ab), x), 0.0, x0_from_eps(x, t, eps, ab)),
        ),
        Mutant(
            "x_t itself at t = 1: one step of noise is in it, the formula holds for every t.",
            lambda x, t, eps, ab: torch.where(column(t == 1, x), x, x0_from_eps(x, t, eps, ab)),
        ),
        in_float32(x0_from_eps),
        *squeezed(x0_from_eps, "x_0"),
        *pairs(OFTEN_SHIFTED, UNMIXES[:3], lambda read, formula: solved("", read, formula).function),
        *pairs(
            UNMIXES[:3],
            [PLUS],
            lambda formula, _: solved("", formula=lambda x, e, a: formula(x, -e, a)).function,
        ),
    ],
)
