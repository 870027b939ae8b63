"""Checks of chapter 06: guidance by a classifier, label dropout, guidance without a classifier."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw, column
from .slips import argument_slip, result_slip, squeezed
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


def slope_slip(hint: str, gradient: Callable) -> Mutant:
    """A mutant with its own gradient(log_prob, x, sigma, D)."""
    return Mutant(hint, lambda D, lp, x, s, scale: D(x, s) + scale * s**2 * gradient(lp, x, s, D))


def recording(x: Tensor) -> Tensor:
    return x.detach().requires_grad_()


def gradients(value: Tensor, x: Tensor) -> tuple[Tensor, ...]:
    """What autograd.grad returns: a tuple, here of one gradient."""
    return torch.autograd.grad(value, x)


def summed_slope(log_prob: Callable, x: Tensor, sigma: Tensor, reduce: Callable) -> Tensor:
    """The gradient of reduce(log_prob's answer)."""
    leaf = recording(x)
    return gradients(reduce(log_prob(leaf, sigma)), leaf)[0]


def unit(g: Tensor) -> Tensor:
    """Each sample's gradient, brought to length 1."""
    return g / column(g.flatten(1).norm(dim=1), g)


SCALES = (-1, 0, 0.5, 1, 1.0, 3, 7.5)
# What a knob may be taken for, narrower mistakes first: an answer that is wrong at few scales matches the wider ones too.
ODD_SCALES: dict[str, Callable] = {
    "{0} = 0 taken for 1, as `{0} or 1` does: take it as it is.": lambda k: k or 1,
    "{0} cut off to an integer: take it as it is.": int,
    "{0} without its sign: take it as it is.": abs,
    "a negative {0} taken for 0: take it as it is.": lambda k: max(k, 0),
    "a {0} near 1 taken for 1: take it as it is.": lambda k: 1 if abs(k - 1) <= 0.5 else k,
    "a {0} below 1 taken for 1: take it as it is.": lambda k: max(k, 1),
    "a {0} above 1 taken for 1: take it as it is.": lambda k: min(k, 1),
}
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
    where='the formula in section 2 of this notebook ("Classifier guidance"): D + scale sigma^2 grad_x log p(y | x; sigma), '
    "the gradient by torch.autograd.grad (Dhariwal & Nichol 2021, algorithm 2, as a denoiser).",
    outputs=("x0",),
    inference=False,  # there nothing records gradients
    library=("guidance.classifier",),
    mutants=[
        # the sum
        guide_slip(
            "a minus before the gradient: D moves uphill in log p(y | x).",
            lambda x0, g, s, w, x: x0 - w * s**2 * g,
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
        guide_slip(
            "eps in the place of the denoiser: return D(x, sigma) + the shift, not (x - that) / sigma.",
            lambda x0, g, s, w, x: (x - x0 - w * s**2 * g) / s,
        ),
        guide_slip(
            "a score in the place of the denoiser: return D(x, sigma) + the shift, not (that - x) / sigma^2.",
            lambda x0, g, s, w, x: (x0 + w * s**2 * g - x) / s**2,
        ),
        Mutant(
            "a shift of x before the denoiser: add the shift to D(x, sigma).",
            lambda D, lp, x, s, w: D(x + w * s**2 * slope(lp, x, s), s),
        ),
        # sigma
        guide_slip(
            "no guidance at small or large sigma: the shift is added at every sigma.",
            lambda x0, g, s, w, x: x0 + w * s**2 * g * (0.3 < s < 0.9),
        ),
        guide_slip(
            "a missing factor sigma^2: Tweedie's formula turns a score into a denoiser with it.",
            lambda x0, g, s, w, x: x0 + w * g,
        ),
        guide_slip(
            "sigma for sigma^2: sigma is the factor of eps, sigma^2 that of a denoiser.",
            lambda x0, g, s, w, x: x0 + w * s * g,
        ),
        guide_slip(
            "2 sigma for sigma^2: in Python the square is sigma**2.",
            lambda x0, g, s, w, x: x0 + w * 2 * s * g,
        ),
        guide_slip(
            "a division by sigma^2: the gradient is multiplied by it.",
            lambda x0, g, s, w, x: x0 + w * g / s**2,
        ),
        guide_slip(
            "a division by sigma: the gradient is multiplied by sigma^2.",
            lambda x0, g, s, w, x: x0 + w * g / s,
        ),
        # scale
        *(
            argument_slip(hint.format("scale"), classifier_guidance, "scale", change)
            for hint, change in ODD_SCALES.items()
        ),
        guide_slip("a forgotten scale.", lambda x0, g, s, w, x: x0 + s**2 * g),
        guide_slip(
            "scale before the whole sum, a pair of brackets too many: it multiplies the gradient alone.",
            lambda x0, g, s, w, x: w * (x0 + s**2 * g),
        ),
        guide_slip(
            "scale before D(x, sigma): it multiplies the gradient.",
            lambda x0, g, s, w, x: w * x0 + s**2 * g,
        ),
        guide_slip(
            "scale - 1 in the place of scale: for a classifier, scale = 0 means no guidance.",
            lambda x0, g, s, w, x: x0 + (w - 1) * s**2 * g,
        ),
        guide_slip(
            "scale + 1 in the place of scale: here scale = 1 is the denoiser of the class.",
            lambda x0, g, s, w, x: x0 + (w + 1) * s**2 * g,
        ),
        guide_slip(
            "scale squared: only sigma has a square, (scale sigma)^2 is scale^2 sigma^2.",
            lambda x0, g, s, w, x: x0 + (w * s) ** 2 * g,
        ),
        # the gradient
        slope_slip(
            "a mean over the batch before the gradient: it divides each gradient by B, take the sum.",
            lambda lp, x, s, D: slope(lp, x, s) / len(x),
        ),
        slope_slip(
            "the gradient of the first sample's number: take the sum over the batch.",
            lambda lp, x, s, D: summed_slope(lp, x, s, lambda value: value[0]),
        ),
        slope_slip(
            "the gradient of B numbers at once: torch.autograd.grad wants a single number, take .sum() of them.",
            lambda lp, x, s, D: summed_slope(lp, x, s, lambda value: value),
        ),
        slope_slip(
            "the gradient with respect to an x that records none: take x.detach().requires_grad_(), and give that to log_prob.",
            lambda lp, x, s, D: gradients(lp(x, s).sum(), x)[0],
        ),
        slope_slip(
            "the gradient with respect to another tensor than log_prob was given: make the recording x first, and use it in both.",
            lambda lp, x, s, D: gradients(lp(recording(x), s).sum(), recording(x))[0],
        ),
        slope_slip(
            "the whole tuple that torch.autograd.grad returns: its [0] is the gradient.",
            lambda lp, x, s, D: gradients(lp(leaf := recording(x), s).sum(), leaf),
        ),
        slope_slip(
            "a gradient with an axis of length 1 in front: torch.autograd.grad returns a tuple, take its [0].",
            lambda lp, x, s, D: slope(lp, x, s)[None],
        ),
        slope_slip(
            "a gradient brought to length 1 for each sample: its length says how sure the classifier is, leave it.",
            lambda lp, x, s, D: unit(slope(lp, x, s)),
        ),
        slope_slip(
            "the sign of the gradient: take the gradient itself.",
            lambda lp, x, s, D: slope(lp, x, s).sign(),
        ),
        slope_slip(
            "the gradient of the probability p: take that of log p, which log_prob returns already.",
            lambda lp, x, s, D: summed_slope(lp, x, s, lambda value: value.exp().sum()),
        ),
        slope_slip(
            "a logarithm of log_prob (or of -log_prob): it returns log p already.",
            lambda lp, x, s, D: summed_slope(lp, x, s, lambda value: (-value).log().sum()),
        ),
        slope_slip(
            "the number log p itself: take its gradient with respect to x.",
            lambda lp, x, s, D: column(lp(x, s), x),
        ),
        slope_slip(
            "the gradient at D(x, sigma): a noisy classifier is asked about the noisy x.",
            lambda lp, x, s, D: slope(lp, D(x, s), s),
        ),
        slope_slip(
            "the gradient of log p(y | D(x, sigma)) through the denoiser: ask about the noisy x itself.",
            lambda lp, x, s, D: slope(lambda x, s: lp(D(x, s), s), x, s),
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
    where='section 4 of this notebook ("Without a classifier: label dropout"): the label becomes no_label where u < p '
    "(Ho & Salimans 2021, algorithm 1).",
    outputs=("labels",),
    mutants=[
        # which labels
        Mutant(
            "labels dropped with probability 1 - p: u < p happens with probability p.",
            lambda y, u, p, none: torch.where(u > p, none, y),
        ),
        Mutant(
            "labels kept where u < p: there they are dropped (are the two branches of torch.where swapped?).",
            lambda y, u, p, none: torch.where(u < p, y, none),
        ),
        Mutant(
            "u < 1 - p: that happens with probability 1 - p.",
            lambda y, u, p, none: torch.where(u < 1 - p, none, y),
        ),
        Mutant(
            "u > 1 - p, which has the right probability, but selects other samples: drop where u < p.",
            lambda y, u, p, none: torch.where(u > 1 - p, none, y),
        ),
        Mutant(
            "u <= p: a number equal to p is not below it, and p = 0 drops no label.",
            lambda y, u, p, none: torch.where(u <= p, none, y),
        ),
        Mutant(
            "u < 0.1 whatever p is: compare with p.",
            lambda y, u, p, none: torch.where(u < 0.1, none, y),
        ),
        Mutant(
            "class 0 never dropped, since a label 0 counts as false: it is a class like the others.",
            lambda y, u, p, none: torch.where((u < p) & (y != 0), none, y),
        ),
        Mutant(
            "one decision for the whole batch, by the first number: each sample has its own u.",
            lambda y, u, p, none: torch.full_like(y, none) if u[0] < p else y,
        ),
        Mutant(
            "one decision for the whole batch, by the mean of u: each sample has its own.",
            lambda y, u, p, none: torch.full_like(y, none) if u.mean() < p else y,
        ),
        Mutant("every label dropped: only where u < p.", lambda y, u, p, none: torch.full_like(y, none)),
        Mutant("no label dropped.", lambda y, u, p, none: y.clone()),
        # by what they are replaced
        Mutant(
            "class 0 as the empty label: 0 is a class, no_label is the extra one.",
            lambda y, u, p, none: torch.where(u < p, 0, y),
        ),
        Mutant(
            "-1 as the empty label: use no_label.",
            lambda y, u, p, none: torch.where(u < p, -1, y),
        ),
        Mutant(
            "10 as the empty label: that is right for ten classes only, use no_label.",
            lambda y, u, p, none: torch.where(u < p, 10, y),
        ),
        Mutant(
            "the largest label + 1 as the empty label: the batch need not hold the last class, use no_label.",
            lambda y, u, p, none: torch.where(u < p, y.max() + 1, y),
        ),
        Mutant(
            "no_label added to the label: put it in the label's place.",
            lambda y, u, p, none: y + none * (u < p),
        ),
        # another result
        Mutant(
            "the dropped samples removed: keep all B labels, and replace those.",
            lambda y, u, p, none: y[u >= p],
        ),
        Mutant(
            "the dropped labels alone: return all B labels, the kept ones too.",
            lambda y, u, p, none: torch.where(u < p, none, y)[u < p],
        ),
        Mutant("the condition itself: return the labels.", lambda y, u, p, none: u < p),
        result_slip(
            "labels as floating-point numbers: an embedding is indexed by integers.",
            drop_labels,
            lambda y: y.float(),
        ),
        squeezed(drop_labels),
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


def label_slip(hint: str, label: Callable) -> Mutant:
    """A mutant with another empty label: label(y, no_label)."""
    return Mutant(hint, lambda m, x, s, y, w, none: cfg(m, x, s, y, w, label(y, none)))


def cfg_result(hint: str, change: Callable) -> Mutant:
    """A mutant that returns change(the right result, x, sigma)."""
    return Mutant(hint, lambda m, x, s, y, w, none: change(cfg(m, x, s, y, w, none), x, s))


def interleaved(m: Callable, x: Tensor, s: Tensor, y: Tensor, w: float, none: int) -> Tensor:
    """One call on twice the batch, whose rows and labels are not in the same order."""
    labels = torch.cat([y, torch.full_like(y, none)])
    cond, uncond = m(x.repeat_interleave(2, 0), s, labels).chunk(2)
    return uncond + w * (cond - uncond)


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
    where='the formula in section 5 of this notebook ("Classifier-free guidance"): D_u + w (D_c - D_u), which is D_c at w = 1 '
    "(Ho & Salimans 2021, eq. 6, with our w one larger).",
    outputs=("guided",),
    library=("guidance.cfg",),
    mutants=[
        # w
        *(argument_slip(hint.format("w"), cfg, "w", change) for hint, change in ODD_SCALES.items()),
        Mutant(
            "no guidance at small or large sigma: w counts at every sigma.",
            lambda m, x, s, y, w, none: cfg(m, x, s, y, w if 0.2 < s < 2.1 else 1, none),
        ),
        # the combination
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
        cfg_slip(
            "the conditional answer times w: w multiplies the difference D_c - D_u (are its brackets missing?).",
            lambda c, u, w: w * c,
        ),
        cfg_slip(
            "w D_c - D_u: w multiplies the whole difference, and D_u is added.", lambda c, u, w: w * c - u
        ),
        cfg_slip(
            "w D_c + (1 + w) D_u: the factors of the two add up to 1, w and 1 - w.",
            lambda c, u, w: w * c + (1 + w) * u,
        ),
        cfg_slip(
            "w D_c + (w - 1) D_u: the factors of the two add up to 1, w and 1 - w.",
            lambda c, u, w: w * c + (w - 1) * u,
        ),
        cfg_slip(
            "(1 + w) D_c + w D_u: the factors of the two add up to 1, w and 1 - w.",
            lambda c, u, w: (1 + w) * c + w * u,
        ),
        cfg_slip(
            "w - 1 before the difference: from D_u the way to D_c has length w.",
            lambda c, u, w: u + (w - 1) * (c - u),
        ),
        cfg_slip(
            "the conditional answer alone: w is left out, or both calls have the same labels.",
            lambda c, u, w: c.clone(),
        ),
        cfg_slip("the unconditional answer alone.", lambda c, u, w: u.clone()),
        cfg_slip("the mean of the two answers: w says how far to go.", lambda c, u, w: (c + u) / 2),
        Mutant(
            "a factor sigma^2: D_c - D_u is sigma^2 times the classifier's gradient already.",
            lambda m, x, s, y, w, none: cfg(m, x, s, y, w * s**2, none),
        ),
        Mutant(
            "a division by sigma^2: the difference of two denoisers is multiplied by w alone.",
            lambda m, x, s, y, w, none: cfg(m, x, s, y, w / s**2, none),
        ),
        # the empty label
        label_slip("class 0 as the empty label: 0 is a class, no_label is the extra one.", lambda y, none: 0),
        label_slip("-1 as the empty label: use no_label.", lambda y, none: -1),
        label_slip(
            "10 as the empty label: that is right for ten classes only, use no_label.", lambda y, none: 10
        ),
        label_slip(
            "the largest wanted class + 1 as the empty label: the last class need not be wanted, use no_label.",
            lambda y, none: int(y.max()) + 1,
        ),
        # the calls and the result
        Mutant(
            "one call on twice the batch whose rows and labels do not fit together: torch.cat([x, x]) goes with "
            "torch.cat([y, empty labels]).",
            interleaved,
        ),
        cfg_result(
            "eps in the place of the denoiser: return D_w, not (x - D_w) / sigma.",
            lambda guided, x, s: (x - guided) / s,
        ),
        cfg_result(
            "a score in the place of the denoiser: return D_w, not (D_w - x) / sigma^2.",
            lambda guided, x, s: (guided - x) / s**2,
        ),
        Mutant(
            "both answers side by side: return one tensor, D_u + w (D_c - D_u).",
            lambda m, x, s, y, w, none: both(m, x, s, y, none),
        ),
        squeezed(cfg),
    ],
)

CHECKS = [CLASSIFIER_GUIDANCE, DROP_LABELS, CFG]
