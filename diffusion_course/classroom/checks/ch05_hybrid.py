"""The hybrid loss: L_simple, and the bound, which trains the variance alone."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from ...elbo import discretized_gaussian_log_likelihood, normal_kl
from .ch05_built import (
    built,
    diffused,
    hybrid_loss,
    interleaved,
    kl,
    mean_like,
    mean_of,
    nothing_stopped,
    slip,
    term,
    truth,
)
from .ch05_variance import learned_variance as variance_of
from .data import Check, Mutant
from .inputs import Draw, column


def levels(d: Draw, *shape: int) -> Tensor:
    """Pixels: multiples of 2/255 in [-1, 1], both ends among them."""
    x0 = (d.uniform(-20, 275, *shape).clamp(0, 255).round() / 127.5) - 1
    return x0


def case(
    d: Draw, betas: Tensor, t: Tensor, shape: tuple[int, ...], weight: float = 0.001, scale: float = 1.0
) -> tuple:
    return d.uniform(0.5, 1.5, 6), levels(d, *shape), t, scale * d.normal(*shape), betas, weight


def random_case(d: Draw) -> tuple:
    return case(d, d.betas(), d.t(), (d.B, *d.event), 0.01 * d.integer(2, 20))


def edges(d: Draw) -> Iterator[tuple[str, tuple]]:
    """The chapter's chains, every kind of t alone, the knob's ends, other numbers of steps."""
    for name, betas in d.schedules().items():
        yield name, case(d, betas, d.times(), (6, 1, 4, 4))
        yield f"{name}, wide noise", case(d, betas, d.times(), (6, 3), scale=5.0)
    yield "T = 100", case(d, d.cosine(100), d.times(100), (6, 2, 3))
    yield "t = 1 alone", case(d, d.linear(), torch.ones(3, dtype=torch.long, device=d.device), (3, 1, 4, 4))
    yield "no t = 1", case(d, d.linear(), torch.tensor([2, 500, 1000, 3], device=d.device), (4, 2, 3))
    yield "weight 0", case(d, d.linear(100), d.times(100), (6, 3), weight=0.0)
    yield "weight 0.5", case(d, d.cosine(25), d.times(25), (6, 3), weight=0.5)
    yield "weight 1", case(d, d.cosine(25), d.times(25), (6, 3), weight=1.0)
    yield "one sample", case(d, d.cosine(), torch.tensor([40], device=d.device), (1, 1, 4, 4))


HYBRID_LOSS = Check(
    id="05-hybrid_loss",
    points=6,
    minutes=30,
    level=3,
    reference=hybrid_loss,
    inputs=random_case,
    fixed=edges,
    machine="gradients",
    where='(7) in section 4 of this notebook ("The hybrid loss"): the mean of (eps - eps_theta)^2, plus weight times T times the mean of '
    "L_{t-1} / (d ln 2), in which eps_theta is detached (Nichol & Dhariwal 2021, eq. 16).",
    outputs=(
        "number of calls of model",
        "loss",
        "gradient of the loss at the eps that the model answers",
        "gradient of the loss at the v that the model answers",
    ),
    library=("losses.hybrid_loss", "losses.bound_loss", "losses.learned_transition"),
    mutants=[
        # the stop-gradient
        slip("no stop-gradient: inside the bound eps_theta is a constant, so detach it there.", stop=nothing_stopped),
        slip("v detached, and eps_theta not: it is the other way round.", stop=nothing_stopped, stop_v=torch.Tensor.detach),
        slip("v detached as well: then nothing trains it; detach eps_theta alone, and inside the bound alone.", stop_v=torch.Tensor.detach),
        slip(
            "eps_theta detached in L_simple, too: there it learns.",
            simple=lambda error: error.detach().square().mean(),
        ),
        slip(
            "the stop-gradient in the wrong term: L_simple must train eps_theta, and the bound must not.",
            simple=lambda error: error.detach().square().mean(),
            stop=nothing_stopped,
        ),
        # the factor and the units
        slip("no factor T: the mean of L_{t-1} is L_vlb / T.", factor=lambda T: 1),
        slip("T - 1 for T: t is drawn from 1..T.", factor=lambda T: T - 1),
        slip("1000 for T: T is the length of the betas.", factor=lambda T: 1000),
        slip("T / 1000, and the weight as well: 0.001 is the weight already.", factor=lambda T: T / 1000),
        slip("the mean of L_{t-1} divided by T: it is multiplied by it.", factor=lambda T: 1 / T),
        slip("nats for bits: divide by ln 2.", unit=torch.mean),
        slip("log10 of 2 for ln 2: the terms are in nats.", unit=lambda nats: nats.mean() / math.log10(2)),
        slip("times ln 2: divide by it.", unit=lambda nats: nats.mean() * math.log(2)),
        slip(
            "a sum over the coordinates: the bound is in bits per coordinate, so divide by d.",
            unit=lambda nats: nats.flatten(1).sum(1).mean() / math.log(2),
        ),
        slip(
            "nats summed over the coordinates: divide by d ln 2.", unit=lambda nats: nats.flatten(1).sum(1).mean()
        ),
        slip(
            "d as the size of axis 1: it is the number of all coordinates of a sample.",
            unit=lambda nats: nats.flatten(1).sum(1).mean() / (nats.shape[1] * math.log(2)),
        ),
        slip(
            "d as the size of the last axis: it is the number of all coordinates of a sample.",
            unit=lambda nats: nats.flatten(1).sum(1).mean() / (nats.shape[-1] * math.log(2)),
        ),
        slip(
            "d as the number of all entries of the batch: it is that of one sample.",
            unit=lambda nats: nats.flatten(1).sum(1).mean() / (nats.numel() * math.log(2)),
        ),
        slip(
            "d as the number of entries of the model's answer: that is 2 d, for it holds eps and v.",
            unit=lambda nats: nats.mean() / (2 * math.log(2)),
        ),
        slip("a sum over the batch in the bound: it is a mean.", unit=lambda nats: nats.flatten(1).mean(1).sum() / math.log(2)),
        slip("the weight left out.", mix=lambda simple, bound, weight: simple + bound),
        slip("0.001 whatever the weight is.", mix=lambda simple, bound, weight: simple + 0.001 * bound),
        slip("the weight before L_simple: it stands before the bound.", mix=lambda simple, bound, weight: weight * simple + bound),
        slip(
            "(1 - weight) L_simple: L_simple has no weight.",
            mix=lambda simple, bound, weight: (1 - weight) * simple + weight * bound,
        ),
        slip("the bound subtracted: it is a loss, like L_simple.", mix=lambda simple, bound, weight: simple - weight * bound),
        slip("the bound alone: add L_simple.", mix=lambda simple, bound, weight: weight * bound + 0 * simple),
        slip("L_simple alone: v learns from the bound.", mix=lambda simple, bound, weight: simple + 0 * weight * bound),
        # L_simple
        slip("a sum in L_simple: it is a mean over everything.", simple=lambda error: error.square().sum()),
        slip(
            "a sum over the coordinates in L_simple: it is a mean over everything.",
            simple=lambda error: error.square().flatten(1).sum(1).mean(),
        ),
        slip("half of L_simple: it has no 1/2.", simple=lambda error: error.square().mean() / 2),
        slip("absolute values in L_simple: it has squares.", simple=lambda error: error.abs().mean()),
        slip("a root of L_simple: it is the mean of the squares.", simple=lambda error: error.square().mean().sqrt()),
        slip("x_0 as the target of L_simple: it is eps.", target=lambda x0, x_t, eps: x0),
        slip("x_t as the target of L_simple: it is eps.", target=lambda x0, x_t, eps: x_t),
        # the model
        slip("the two halves exchanged: eps_theta comes first, v second.", split=lambda answer: answer.chunk(2, dim=1)[::-1]),
        slip("every second channel for eps_theta: it has the first half of axis 1, v the second.", split=interleaved),
        slip(
            "one channel for eps_theta, and the rest for v: each has half of axis 1.",
            split=lambda answer: (answer[:, :1], answer[:, 1:]),
            mean=mean_like,
        ),
        slip("a split along the last axis: the halves lie along axis 1.", split=lambda answer: answer.chunk(2, dim=-1), mean=mean_like),
        Mutant(
            "a clean image shown to the model: it sees x_t.",
            lambda model, x0, *rest: built(lambda x_t, t: model(x0, t), x0, *rest),
        ),
        slip("x_0 in the place of x_t, everywhere: make x_t first.", see=lambda x0, eps, a: x0),
        slip("the noise alone in the place of x_t.", see=lambda x0, eps, a: eps),
        slip("x_0 and eps exchanged in x_t: diffuse takes (x0, t, eps, schedule).", see=lambda x0, eps, a: diffused(eps, x0, a)),
        slip("x_t without its roots: it is sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) eps.", see=lambda x0, eps, a: a * x0 + (1 - a) * eps),
        slip("t - 1 told to the model: it takes t in 1..T.", ask=lambda model, x_t, t: model(x_t, t - 1)),
        slip("one t told to the model for all samples: each has its own.", ask=lambda model, x_t, t: model(x_t, t[:1].expand_as(t))),
        slip(
            "two calls of the model, one for each half: ask it once, and split the answer.",
            ask=lambda model, x_t, t: torch.cat([model(x_t, t).chunk(2, 1)[0], model(x_t, t).chunk(2, 1)[1]], 1),
        ),
        # the mean and the variance
        slip(
            "eps_theta as the mean: the mean follows from it, (x_t - beta_t / sqrt(1 - alpha_bar_t) eps_theta) / sqrt(alpha_t).",
            mean=lambda x_t, eps, beta, a: eps,
        ),
        slip("a plus before eps_theta in the mean: the noise is taken away.", mean=lambda x_t, eps, beta, a: mean_of(x_t, -eps, beta, a)),
        slip("x_0's estimate as the mean: the step's mean is that of x_{t-1}.", mean=lambda x_t, eps, beta, a: (x_t - (1 - a).sqrt() * eps) / a.sqrt()),
        slip(
            "alpha_bar_t for alpha_t in the mean: it is divided by sqrt(alpha_t).",
            mean=lambda x_t, eps, beta, a: (x_t - beta / (1 - a).sqrt() * eps) / a.sqrt(),
        ),
        slip(
            "a missing 1 / sqrt(alpha_t) in the mean.",
            mean=lambda x_t, eps, beta, a: x_t - beta / (1 - a).sqrt() * eps,
        ),
        slip(
            "x_0's estimate clipped: in the loss it is not.",
            mean=lambda x_t, eps, beta, a: mean_of(
                x_t, (x_t - a.sqrt() * ((x_t - (1 - a).sqrt() * eps) / a.sqrt()).clamp(-1, 1)) / (1 - a).sqrt(), beta, a
            ),
        ),
        slip("the variance given for its logarithm: bound_term takes log_variance.", variance=lambda v, t, betas: variance_of(v, t, betas).exp()),
        slip("the logarithm of the standard deviation: bound_term takes that of the variance.", variance=lambda v, t, betas: variance_of(v, t, betas).sqrt()),
        slip("beta-tilde_t as the variance: the model answers v, and the bound trains it.", variance=lambda v, t, betas: variance_of(0 * v - 1, t, betas)),
        slip("beta_t as the variance: the model answers v, and the bound trains it.", variance=lambda v, t, betas: variance_of(0 * v + 1, t, betas)),
        slip("v clipped to -1..1: it is taken as it is.", variance=lambda v, t, betas: variance_of(v.clamp(-1, 1), t, betas)),
        slip("the two ends of the variance exchanged: v = 1 means beta_t.", variance=lambda v, t, betas: variance_of(-v, t, betas)),
        slip("v taken for the share f: f = (v + 1) / 2.", variance=lambda v, t, betas: variance_of(2 * v - 1, t, betas)),
        # the terms
        Mutant(
            "the true x_0, or the true eps, in the model's mean: the model's mean comes from its own eps_theta.",
            lambda model, x0, t, eps, betas, weight: built(
                model, x0, t, eps, betas, weight, mean=lambda x_t, own, beta, a: mean_of(x_t, eps, beta, a)
            ),
        ),
        slip(
            "the KL the wrong way round: it is KL(q || p), q with the true mean and beta-tilde.",
            nats=lambda x0, x_t, t, mean, log, betas: torch.where(
                column(t, x0) == 1, term(x0, x_t, t, mean, log, betas), normal_kl(mean, log, *truth(x0, x_t, t, betas))
            ),
        ),
        slip(
            "a mean over the samples with t > 1 alone: L_0 belongs to the bound.",
            nats=lambda x0, x_t, t, *rest: torch.where(column(t, x0) == 1, 0, kl(x0, x_t, t, *rest)) * len(t) / (t > 1).sum().clamp(min=1),
        ),
        slip("the KL at t = 1 as well: there the term is the decoder's.", nats=kl),
        slip(
            "no term at t = 1: L_0 belongs to the bound.",
            nats=lambda x0, x_t, t, *rest: torch.where(column(t, x0) == 1, 0, kl(x0, x_t, t, *rest)),
        ),
        slip(
            "a Gaussian density at t = 1: the pixels have 256 values, and the term is the mass of a bin.",
            nats=lambda x0, x_t, t, mean, log, betas: torch.where(
                column(t, x0) == 1, ((x0 - mean) ** 2 / log.exp() + log + math.log(2 * math.pi)) / 2, kl(x0, x_t, t, mean, log, betas)
            ),
        ),
        slip(
            "the log-variance given to the decoder: it takes the logarithm of the deviation, half of it.",
            nats=lambda x0, x_t, t, mean, log, betas: torch.where(
                column(t, x0) == 1, -discretized_gaussian_log_likelihood(x0, mean, log), kl(x0, x_t, t, mean, log, betas)
            ),
        ),
        slip(
            "the noisy image in the decoder: L_0 is of x_0.",
            nats=lambda x0, x_t, t, mean, log, betas: torch.where(
                column(t, x0) == 1, -discretized_gaussian_log_likelihood(x_t, mean, log / 2), kl(x0, x_t, t, mean, log, betas)
            ),
        ),
    ],
)  # fmt: skip
