"""Checks of chapter 06: guidance by a classifier, label dropout, guidance without a classifier."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw
from .toys import ToyLogProb


def classifier_guidance(D: Callable, log_prob: Callable, x: Tensor, sigma: Tensor, scale: float) -> Tensor:
    return D(x, sigma) + scale * sigma**2 * slope(log_prob, x, sigma)


def slope(log_prob: Callable, x: Tensor, sigma: Tensor) -> Tensor:
    """grad_x of the sum over the batch, so that each sample gets its own gradient."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return torch.autograd.grad(log_prob(x, sigma).sum(), x)[0]


def guide_slip(hint: str, formula: Callable) -> Mutant:
    """A mutant written as formula(D's answer, the gradient, sigma, scale, x)."""
    return Mutant(hint, lambda D, lp, x, s, scale: formula(D(x, s), slope(lp, x, s), s, scale, x))


SCALES = (-1, 0, 0.5, 1, 1.0, 3, 7.5)
SIGMAS = (0.002, 0.1, 0.5, 1.0, 10.0, 80.0)


def guided_levels(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Every scale, and every sigma of a sampler."""
    for scale in SCALES:
        yield f"scale = {scale}", (d.denoiser(), d.log_prob(), d.normal(4, 3), d.uniform(0.4, 0.8), scale)
    for sigma in SIGMAS:
        x = sigma * d.normal(20, 1, 2, 2)
        yield f"sigma = {sigma}", (d.denoiser(), d.log_prob(), x, d.uniform(sigma, sigma), 2.5)
    steep = ToyLogProb(d.uniform(8, 9, 3))
    yield "a steep classifier", (d.denoiser(), steep, d.normal(4, 3), d.uniform(0.1, 0.1), 1.0)
    yield "much guidance", (d.denoiser(), d.log_prob(), d.normal(80, 3), d.uniform(1.5, 1.5), 7.5)
    yield "one sample", (d.denoiser(), d.log_prob(), d.normal(1, 3), d.uniform(0.4, 0.8), 2.5)


CLASSIFIER_GUIDANCE = Check(
    id="06-classifier_guidance",
    points=4,
    minutes=15,
    level=3,
    reference=classifier_guidance,
    inputs=lambda d: (
        d.denoiser(),
        d.log_prob(),
        d.x(),
        d.uniform(0.4, 0.8),
        number(d, 1.5, 4.0),
    ),
    fixed=guided_levels,
    evaluations={"D": lambda D, log_prob, x, *rest: len(x), "log_prob": lambda D, log_prob, x, *rest: len(x)},
    where="D + scale sigma^2 grad_x log p(y | x; sigma), the gradient by torch.autograd.grad (section 2).",
    outputs=("x0",),
    inference=False,  # there nothing records gradients
    library=("guidance.classifier",),
    mutants=[
        guide_slip(
            "a minus before the gradient: D moves uphill in log p(y | x).",
            lambda x0, g, s, w, x: x0 - w * s**2 * g,
        ),
        guide_slip(
            "a missing factor sigma^2: Tweedie's formula turns a score into a denoiser with it.",
            lambda x0, g, s, w, x: x0 + w * g,
        ),
        guide_slip(
            "sigma for sigma^2: sigma is the factor of eps, sigma^2 that of a denoiser.",
            lambda x0, g, s, w, x: x0 + w * s * g,
        ),
        guide_slip("a forgotten scale.", lambda x0, g, s, w, x: x0 + s**2 * g),
        guide_slip(
            "scale - 1 in the place of scale: for a classifier, scale = 0 means no guidance.",
            lambda x0, g, s, w, x: x0 + (w - 1) * s**2 * g,
        ),
        guide_slip(
            "the shift alone: add it to D(x, sigma).",
            lambda x0, g, s, w, x: w * s**2 * g,
        ),
        guide_slip(
            "x in the place of D(x, sigma): the shift is added to the denoiser's answer.",
            lambda x0, g, s, w, x: x + w * s**2 * g,
        ),
        guide_slip("the denoiser alone: add the gradient.", lambda x0, g, s, w, x: x0),
        Mutant(
            "a mean over the batch before the gradient: it divides each gradient by B, take the sum.",
            lambda D, lp, x, s, w: D(x, s) + w * s**2 * slope(lp, x, s) / len(x),
        ),
        Mutant(
            "the gradient of the probability p: take that of log p, which log_prob returns already.",
            lambda D, lp, x, s, w: D(x, s) + w * s**2 * slope(lambda *a: lp(*a).exp(), x, s),
        ),
        Mutant(
            "a logarithm of log_prob: it returns log p already.",
            lambda D, lp, x, s, w: D(x, s) + w * s**2 * slope(lambda *a: (-lp(*a)).log(), x, s),
        ),
        Mutant(
            "the gradient at D(x, sigma): a noisy classifier is asked about the noisy x.",
            lambda D, lp, x, s, w: D(x, s) + w * s**2 * slope(lp, D(x, s), s),
        ),
        Mutant(
            "the gradient of log p(y | D(x, sigma)) through the denoiser: ask about the noisy x itself.",
            lambda D, lp, x, s, w: D(x, s) + w * s**2 * slope(lambda x, s: lp(D(x, s), s), x, s),
        ),
    ],
)


def number(d: Draw, low: float, high: float) -> float:
    """A Python number between low and high."""
    return d.uniform(low, high).item()


def some_labels(d: Draw, classes: int) -> Tensor:
    """A class for each sample: (B,), int64, in 1..classes - 1, so that a 0 stands out."""
    return torch.tensor([d.integer(1, classes - 1) for _ in range(d.B)], device=d.device)


def drop_labels(labels: Tensor, u: Tensor, p: float, no_label: int) -> Tensor:
    return torch.where(u < p, no_label, labels)


def dropout_inputs(d: Draw) -> tuple:
    """Labels, uniform numbers and p. The first number lies below p and the last one above (a single one above)."""
    labels, p = some_labels(d, 8), number(d, 0.3, 0.45)
    u = d.uniform(0, 1, d.B)
    u[0] = p * u[0]
    u[-1] = p + (1 - p) * u[-1]
    return labels, u, p, 8


def edges(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Both ends of p, numbers equal to p, class 0, and another number of classes than 10."""
    labels = torch.tensor([0, 1, 2, 0, 9], device=d.device)
    u = torch.tensor([0.0, 0.1, 0.25, 0.5, 0.999], dtype=d.dtype, device=d.device)
    for p in (0, 0.0, 0.1, 0.25, 0.5, 1, 1.0):
        yield f"p = {p}", (labels, u, p, 10)
    yield "one sample, u = p", (labels[:1], u[2:3], 0.25, 10)
    yield "the same p, other numbers", (labels, u.flip(0), 0.25, 10)
    yield "20,000 classes", (labels + 19_990, u, 0.25, 20_001)


DROP_LABELS = Check(
    id="06-drop_labels",
    points=2,
    minutes=5,
    level=1,
    reference=drop_labels,
    inputs=dropout_inputs,
    fixed=edges,
    where="the label becomes no_label where u < p (Ho & Salimans 2021, algorithm 1).",
    outputs=("labels",),
    mutants=[
        Mutant(
            "labels dropped with probability 1 - p: u < p happens with probability p.",
            lambda y, u, p, none: torch.where(u > p, none, y),
        ),
        Mutant(
            "class 0 as the empty label: 0 is a class, no_label is the extra one.",
            lambda y, u, p, none: torch.where(u < p, 0, y),
        ),
        Mutant(
            "-1 as the empty label: use no_label.",
            lambda y, u, p, none: torch.where(u < p, -1, y),
        ),
        Mutant(
            "one decision for the whole batch: each sample has its own u.",
            lambda y, u, p, none: torch.full_like(y, none) if u[0] < p else y,
        ),
        Mutant("every label dropped: only where u < p.", lambda y, u, p, none: torch.full_like(y, none)),
        Mutant("no label dropped.", lambda y, u, p, none: y.clone()),
        Mutant(
            "no_label added to the label: put it in the label's place.",
            lambda y, u, p, none: y + none * (u < p),
        ),
        Mutant(
            "the dropped samples removed: keep all B labels, and replace those.",
            lambda y, u, p, none: y[u >= p],
        ),
    ],
)


def cfg(model: Callable, x: Tensor, sigma: Tensor, y: Tensor, w: float, no_label: int) -> Tensor:
    cond, uncond = both(model, x, sigma, y, no_label)
    return uncond + w * (cond - uncond)


def both(model: Callable, x: Tensor, sigma: Tensor, y: Tensor, no_label: int) -> tuple[Tensor, Tensor]:
    return model(x, sigma, y), model(x, sigma, torch.full_like(y, no_label))


def cfg_slip(hint: str, formula: Callable) -> Mutant:
    """A mutant written as formula(conditional, unconditional, w)."""
    return Mutant(hint, lambda m, x, s, y, w, none: formula(*both(m, x, s, y, none), w))


def guided_scales(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Every scale, every sigma of a sampler, class 0, and one sample."""
    y = torch.tensor([0, 1, 9, 9], device=d.device)
    for w in SCALES:
        yield f"w = {w}", (d.labelled(), d.normal(40, 3), d.uniform(0.3, 2.0), y.repeat(10), w, 10)
    for sigma in SIGMAS:
        yield (
            f"sigma = {sigma}",
            (d.labelled(), sigma * d.normal(4, 1, 2, 2), d.uniform(sigma, sigma), y, 2.5, 10),
        )
    yield "1000 classes", (d.labelled(), d.normal(4, 3), d.uniform(0.3, 2.0), 111 * y, 2.5, 1000)
    yield "one sample", (d.labelled(), d.normal(1, 3), d.uniform(0.3, 2.0), y[:1], 3, 10)


CFG = Check(
    id="06-cfg",
    points=3,
    minutes=10,
    level=2,
    reference=cfg,
    inputs=lambda d: (
        d.labelled(),
        d.x(),
        d.uniform(0.3, 2.0),
        some_labels(d, 8),
        number(d, 1.5, 4.0),
        8,
    ),
    fixed=guided_scales,
    evaluations={"model": lambda model, x, *rest: 2 * len(x)},
    where="D_u + w (D_c - D_u), which is D_c at w = 1 (Ho & Salimans 2021, eq. 6, with our w one larger).",
    outputs=("guided",),
    library=("guidance.cfg",),
    mutants=[
        cfg_slip(
            "the other convention, (1 + w) D_c - w D_u: here w = 1 means no guidance.",
            lambda c, u, w: c + w * (c - u),
        ),
        cfg_slip(
            "the two answers swapped: the guided one is D_c at w = 1, and moves away from D_u beyond.",
            lambda c, u, w: c + w * (u - c),
        ),
        cfg_slip(
            "a minus before the difference: D_u + w (D_c - D_u).",
            lambda c, u, w: u - w * (c - u),
        ),
        cfg_slip("a missing difference: w multiplies D_c - D_u.", lambda c, u, w: u + w * c),
        cfg_slip("the difference alone: add it to D_u.", lambda c, u, w: w * (c - u)),
        cfg_slip("the conditional answer times w: w multiplies D_c - D_u.", lambda c, u, w: w * c),
        cfg_slip(
            "the conditional answer alone, or the same labels in both calls.", lambda c, u, w: c.clone()
        ),
        cfg_slip("the unconditional answer alone.", lambda c, u, w: u.clone()),
        cfg_slip(
            "w - 1 before the difference: from D_u the way to D_c has length w.",
            lambda c, u, w: u + (w - 1) * (c - u),
        ),
        Mutant(
            "class 0 as the empty label: 0 is a class, no_label is the extra one.",
            lambda m, x, s, y, w, none: cfg(m, x, s, y, w, 0),
        ),
        Mutant(
            "-1 as the empty label: use no_label.",
            lambda m, x, s, y, w, none: cfg(m, x, s, y, w, -1),
        ),
    ],
)

CHECKS = [CLASSIFIER_GUIDANCE, DROP_LABELS, CFG]
