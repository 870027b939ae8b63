"""Guidance by a classifier, and the knobs that both kinds of guidance have."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw, column
from .slips import argument_slip
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


def unit(g: Tensor, added: float = 0.0) -> Tensor:
    """Each sample's gradient, brought to length 1; added: to its length, where that could be 0."""
    return g / column(g.flatten(1).norm(dim=1) + added, g)


def number(d: Draw, low: float, high: float) -> float:
    """A Python number between low and high."""
    return d.uniform(low, high).item()


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
        yield f"sigma = {sigma}", (d.denoiser(), d.log_prob(), x, d.uniform(sigma, sigma), 7.5)
    steep = ToyLogProb(d.uniform(8, 9, 3))
    yield "a steep classifier", (d.denoiser(), steep, d.normal(4, 3), d.uniform(0.1, 0.1), 1.0)
    yield "much guidance", (d.denoiser(), d.log_prob(), d.normal(80, 3), d.uniform(1.5, 1.5), 7.5)
    yield "one sample", (d.denoiser(), d.log_prob(), d.normal(1, 3), d.uniform(0.4, 0.8), 2.5)
    loud = 80 * d.normal(20, 1, 2, 2)
    yield "scale = 40", (d.denoiser(), d.log_prob(), loud, d.uniform(80.0, 80.0), 40.0)


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
    calls={
        "D": lambda *args: 1,
        "log_prob": lambda D, log_prob, x, sigma, scale: range(2) if scale == 0 else 1,
    },
    where='the formula in section 2 of this notebook ("Classifier guidance"): D + scale sigma^2 grad_x log p(y | x; sigma), '
    "the gradient by torch.autograd.grad (Dhariwal & Nichol 2021, algorithm 2, as a denoiser).",
    outputs=("x0",),
    inference=False,  # there nothing records gradients
    library=("guidance.classifier",),
    mutants=[
        # recipes
        *(
            slope_slip(
                f"a gradient divided by its length plus {c:g}: its length says how sure the classifier is, leave it.",
                lambda f, x, s, D, c=c: unit(slope(f, x, s), c),
            )
            for c in (1e-5, 1e-6, 1e-8, 1e-12)
        ),
        guide_slip(
            "sigma^2 / (1 + sigma^2), the noise of the other coordinates: here x = x_0 + sigma eps, the factor is sigma^2.",
            lambda x0, g, s, w, x: x0 + w * s**2 / (1 + s**2) * g,
        ),
        guide_slip(
            "x + sigma^2 grad as the end of a line from D: that gradient is of log p(y | x) alone, add it to D.",
            lambda x0, g, s, w, x: (1 - w) * x0 + w * (x + s**2 * g),
        ),
        *(
            slope_slip(
                f"a gradient cut off at -{most} and {most}: it is used as it is.",
                lambda f, x, s, D, most=most: slope(f, x, s).clamp(-most, most),
            )
            for most in (1, 5, 10)
        ),
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
