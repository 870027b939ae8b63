"""Wrappers that turn denoisers into a denoiser. Guidance scale w = 1 means no guidance, everywhere in the course."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from .denoisers import Conditional, Denoiser, Preconditioned
from .errors import CourseError
from .noise import NoiseSource
from .samplers import Step, Variance, ancestral, posterior_variance
from .shapes import append_dims, at_least_single, check_answer, expand, number

Scale = float | Tensor | Callable[[Tensor], Tensor]
"""A guidance scale: a number (or one per row, (B,)), or a function of sigma that returns such a number."""

LogProb = Callable[[Tensor, Tensor], Tensor]
"""A classifier of noisy inputs: (x, sigma) in VE coordinates -> log p(y | x; sigma) of the wanted y, shape (B,)."""


def cfg(cond: Denoiser, uncond: Denoiser, w: Scale) -> Denoiser:
    """Classifier-free guidance (Ho & Salimans 2021): D_u + w (D_c - D_u).

    The same line in eps reads eps_u + w (eps_c - eps_u). Where w = 1 only `cond` is evaluated, and where w = 0 only
    `uncond`. Two conditions of one network run as one batch of 2B: `cfg(net.given(y), net.given(z), w)`, or with
    `net` itself for "no label" when the network has a label for that. Raises CourseError for a scale that is not finite
    or does not match x, and for an answer of another shape than x.
    """
    if isinstance(w, int | float) and w in (0, 1):
        return cond if w else uncond

    def guided(x: Tensor, sigma: Tensor) -> Tensor:
        scale = _scale("w", w, sigma, x)
        if bool((scale == 1).all()):
            return cond(x, sigma)
        if bool((scale == 0).all()):
            return uncond(x, sigma)
        towards, base = _both(cond, uncond, x, sigma)
        check_answer("cond(x, sigma)", towards, x)
        check_answer("uncond(x, sigma)", base, x)
        return base + scale * (towards - base)

    return guided


def from_paper_scale(w: float) -> float:
    """The course's scale from that of Ho & Salimans 2021, whose eps is (1 + w) eps_c - w eps_u: one more."""
    return w + 1


def interval(w: float, low: float, high: float) -> Scale:
    """A scale that is w for low < sigma <= high, and 1 (no guidance) outside (Kynkaanniemi et al. 2024).

    Outside the interval `cfg` costs one evaluation. Raises CourseError unless 0 <= low < high.
    """
    if not 0 <= low < high:
        raise CourseError(f"low, high: got {low}, {high}, want 0 <= low < high")
    return lambda sigma: torch.where((sigma > low) & (sigma <= high), number(w).to(sigma.device), 1.0)


def autoguidance(D: Denoiser, worse: Denoiser, w: Scale) -> Denoiser:
    """Guidance by a worse version of the same model (Karras et al. 2024): worse + w (D - worse).

    `worse` is smaller or less trained, and has D's condition: both err alike, it errs more, and the difference points
    away from the errors. Unlike `cfg`'s, this direction does not trade variety for class.
    """
    return cfg(D, worse, w)


def classifier(D: Denoiser, log_prob: LogProb, scale: Scale) -> Denoiser:
    """Classifier guidance as a change of the score: D + scale sigma^2 grad log p(y | x; sigma).

    By Tweedie's formula, for an unconditional D, its score at each sigma is that of p(x; sigma) p(y | x; sigma)^scale
    (Dhariwal & Nichol 2021, algorithm 2; there in eps). For a scale other than 0 and 1 this is in general not the denoiser of
    p(x) p(y | x)^scale (chapter 6, section 7). scale = 0 is D, and scale = 1 is Bayes' rule: `cfg` with the same number gives the same
    answer when all three are exact. Raises CourseError when log_prob does not depend on x or is not of shape (B,).
    """

    def guided(x: Tensor, sigma: Tensor) -> Tensor:
        x0 = D(x, sigma)
        check_answer("D(x, sigma)", x0, x)
        # In float32: the square of a large sigma is infinite in float16.
        wide = at_least_single(x)
        shift = _scale("scale", scale, sigma, wide) * expand(sigma, wide) ** 2 * _gradient(log_prob, x, sigma)
        return x0 + shift.to(x)

    return guided


def similarity(image: Callable[[Tensor, Tensor], Tensor], text: Tensor) -> LogProb:
    """The cosine of the angle between an image's vector and a text's, in the place of a classifier: f(x, sigma) . g, both of length 1.

    image: (x, sigma) -> (B, E); text: (1 or B, E). For `classifier`, as `clip_guidance` does, and `mean_shift`.
    """

    def cosine(x: Tensor, sigma: Tensor) -> Tensor:
        seen = image(x, sigma)
        if seen.ndim != 2 or len(seen) != len(x):
            raise CourseError(f"image(x, sigma): got shape {tuple(seen.shape)}, want ({len(x)}, E)")
        if text.shape not in ((1, seen.shape[1]), tuple(seen.shape)):
            raise CourseError(
                f"text: got shape {tuple(text.shape)}, want (1 or B, E) for images {tuple(seen.shape)}"
            )
        return (F.normalize(seen, dim=1) * F.normalize(text.to(seen), dim=1)).sum(1)

    return cosine


def clip_guidance(
    D: Denoiser, image: Callable[[Tensor, Tensor], Tensor], text: Tensor, scale: Scale
) -> Denoiser:
    """D + scale sigma^2 grad_x (f(x, sigma) . g): towards a text, by a model that compares images with texts (Nichol et al. 2022, section 2.4).

    GLIDE's shift of the mean of a step by scale Sigma grad, as a change of the score, see `classifier`. image, text: see
    `similarity`; the image encoder must know x at its noise level, for the gradient is taken there and not at D(x, sigma). With
    scale = the temperature that such a model was trained with, its similarity is a log p(text | x) up to what depends on x alone.
    """
    return classifier(D, similarity(image, text), scale)


def mean_shift(log_prob: LogProb, scale: Scale, variance: Variance = posterior_variance) -> Step:
    """Classifier guidance as a shifted ancestral step: mean + scale Sigma grad log p(y | x_t) (Dhariwal & Nichol 2021, algorithm 1).

    variance: Sigma, elementwise (see `samplers.ancestral`); the step's noise uses it too. Mean, gradient and Sigma are
    the textbook ones (VP), brought to VE coordinates. Against `classifier` the shift is the same to first order in the step.
    No shift on the last step, where Sigma is 0.
    """
    step = ancestral(variance)

    def shifted(D: Denoiser, x: Tensor, sigma: Tensor, sigma_next: Tensor, noise: NoiseSource) -> Tensor:
        x_next = step(D, x, sigma, sigma_next, noise)
        # x_VP = x / sqrt(1 + sigma^2): the gradient grows by that root, and the shift by the next step's.
        bridge = ((1 + sigma**2) / (1 + sigma_next**2)).sqrt()
        Sigma = variance(x, sigma, sigma_next)
        return x_next + _scale("scale", scale, sigma, x) * bridge * Sigma * _gradient(log_prob, x, sigma)

    return shifted


def clip(D: Denoiser, low: float = -1.0, high: float = 1.0) -> Denoiser:
    """D with its answers clipped to the range of the data, as in Ho et al. 2020's code.

    A network that predicts eps needs it at large sigma: there x_0 = x - sigma eps multiplies its error by sigma.
    Raises CourseError unless low < high.
    """
    if not low < high:
        raise CourseError(f"low, high: got {low}, {high}, want low < high")

    def clipped(x: Tensor, sigma: Tensor) -> Tensor:
        x0 = D(x, sigma)
        check_answer("D(x, sigma)", x0, x)
        return x0.clamp(low, high)

    return clipped


def dynamic_threshold(D: Denoiser, percentile: float = 0.995) -> Denoiser:
    """D with each sample clipped to its own [-s, s] and divided by s, s >= 1 (Saharia et al. 2022, section 2.3).

    s: the given quantile of the sample's |x_0|, or 1 if that is more: a sample inside [-1, 1] up to that quantile is
    only clipped. It counters the saturated colours of a large guidance scale. Raises CourseError unless 0 < percentile <= 1.
    """
    if not 0 < percentile <= 1:
        raise CourseError(f"percentile: got {percentile}, want a number in (0, 1]")

    def thresholded(x: Tensor, sigma: Tensor) -> Tensor:
        x0 = D(x, sigma)
        check_answer("D(x, sigma)", x0, x)
        if len(x0) == 0:  # torch has no quantile of nothing, and none of half precision
            return x0
        s = at_least_single(x0).flatten(1).abs().quantile(percentile, dim=1).clamp(min=1)
        s = append_dims(s, x0).to(x0)
        return x0.clamp(-s, s) / s

    return thresholded


def _scale(name: str, w: Scale, sigma: Tensor, x: Tensor) -> Tensor:
    """w at sigma, shaped to multiply x. Raises CourseError, naming it, when it is NaN, infinite or of another shape."""
    if callable(w):
        w, name = w(number(sigma)), f"{name}(sigma)"
    scale = expand(w, x, name)
    if not bool(scale.isfinite().all()):
        raise CourseError(f"{name}: is NaN or infinite, want finite numbers")
    return scale


def _both(first: Denoiser, second: Denoiser, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """Both answers; from one batch when they are one network with two labels."""
    a, b = _condition(first), _condition(second)
    if a is None or b is None or a.model is not b.model:
        return first(x, sigma), second(x, sigma)
    sigma = number(sigma)
    labels = torch.cat([a.rows(x), b.rows(x)])
    twice = a.model(torch.cat([x, x]), sigma if sigma.ndim == 0 else torch.cat([sigma, sigma]), labels)
    return twice[: len(x)], twice[len(x) :]


def _condition(D: Denoiser) -> Conditional | None:
    """D as a network with labels, if it is one. The course's networks have a `no_label`: the label that means none, or None."""
    if isinstance(D, Conditional):
        return D
    if isinstance(D, Preconditioned):
        no_label = getattr(D.net, "no_label", None)
        return None if no_label is None else Conditional(D, no_label)
    return None


def _gradient(log_prob: LogProb, x: Tensor, sigma: Tensor) -> Tensor:
    """grad_x log p(y | x; sigma), also inside the samplers' no_grad."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = log_prob(x, sigma)
        if value.shape != (len(x),):
            raise CourseError(f"log_prob(x, sigma): got shape {tuple(value.shape)}, want ({len(x)},)")
        if not value.requires_grad:
            raise CourseError("log_prob: its answer does not depend on x; is it detached, or under no_grad?")
        return torch.autograd.grad(value.sum(), x)[0]
