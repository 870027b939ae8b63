"""The gradient of CLIP guidance: of the similarity between a text and the picture that is guessed, with respect to the noisy image."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from .ch06_classifier import unit
from .ch13_clip_built import (
    built,
    centred,
    cosine,
    forwards,
    normalised,
    of_the_text,
    pairs,
    scaled_slip,
    slip,
    through,
)
from .data import Check, Mutant
from .inputs import Draw, column
from .slips import argument_slip, result_slip, squeezed
from .toys import ToyImage


def clip_guidance_gradient(D: Callable, image: Callable, text: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
    return built(D, image, text, x, sigma)


def pictures(d: Draw) -> tuple:
    """Texts of any length, features of any length, and a denoiser whose Jacobian is full."""
    E = d.size()
    return d.mixing_denoiser(), d.image(E), 3 * d.normal(d.B, E), d.x(), d.uniform(0.4, 0.8)


def levels(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Every sigma of a sampler, long texts and short ones, one sample, one text for all."""
    for sigma in (0.002, 0.1, 0.5, 1.0, 10.0, 80.0):
        x = (1 + sigma) * d.normal(5, 1, 2, 3)
        yield (
            f"sigma = {sigma}",
            (d.mixing_denoiser(), d.image(4), d.normal(5, 4), x, d.uniform(sigma, sigma)),
        )
    for words, length in (("short texts", 0.01), ("long texts", 100.0)):
        yield (
            words,
            (d.mixing_denoiser(), d.image(4), length * d.normal(5, 4), d.normal(5, 3), d.uniform(0.4, 0.8)),
        )
    one = d.normal(1, 6).expand(5, 6).clone()
    yield "one text for all", (d.mixing_denoiser(), d.image(6), one, d.normal(5, 3), d.uniform(0.4, 0.8))
    yield "one sample", (d.mixing_denoiser(), d.image(3), d.normal(1, 3), d.normal(1, 4), d.uniform(0.4, 0.8))
    yield (
        "as many samples as features",
        (d.mixing_denoiser(), d.image(4), d.normal(4, 4), d.normal(4, 3), d.uniform(0.4, 0.8)),
    )
    steep = ToyImage(d.uniform(0.5, 1.5, 4, 3) * d.normal(1).new_tensor([1, 30, 1]))
    yield (
        "an encoder of steep features",
        (d.mixing_denoiser(), steep, d.normal(9, 4), d.normal(9, 3), d.uniform(0.4, 0.8)),
    )


CLIP_GUIDANCE_GRADIENT = Check(
    id="13-clip_guidance_gradient",
    points=4,
    minutes=15,
    level=3,
    reference=clip_guidance_gradient,
    inputs=pictures,
    fixed=levels,
    evaluations={"D": lambda D, image, text, x, sigma: len(x), "image": lambda D, image, text, x, sigma: len(x)},
    where='section 5 of this notebook ("CLIP guidance"): the gradient with respect to x of cos(f, g), with f = image(D(x, sigma)), '
    "by torch.autograd.grad of the sum over the batch (Nichol et al. 2022, section 2.4).",
    outputs=("gradient",),
    inference=False,  # there nothing records gradients
    library=("guidance.similarity",),
    mutants=[
        # the similarity
        slip(
            "the gradient of the length of the features: it is that of their similarity to the text.",
            value=lambda f, g: f.norm(dim=1),
        ),
        slip(
            "a similarity that is not normalised, f . g: divide by both lengths.", value=lambda f, g: (f * g).sum(1)
        ),
        slip(
            "the text alone normalised: divide by the length of f, too.",
            value=lambda f, g: (f * normalised(g)).sum(1),
        ),
        slip(
            "the image alone normalised: divide by the length of g, too.",
            value=lambda f, g: (normalised(f) * g).sum(1),
        ),
        slip(
            "features divided by a length that is detached: the length depends on x as well.",
            value=lambda f, g: (f / f.norm(dim=1, keepdim=True).detach() * normalised(g)).sum(1),
        ),
        slip(
            "features normalised over the batch, dim=0: each sample has its own length, dim=1.",
            value=lambda f, g: (F.normalize(f, dim=0) * F.normalize(g, dim=0)).sum(1),
        ),
        slip(
            "features divided by the length of the whole batch: each sample has its own.",
            value=lambda f, g: (f / f.norm() * g / g.norm()).sum(1),
        ),
        slip(
            "a division by the squares of the lengths: cos = f . g / (|f| |g|).",
            value=lambda f, g: (f * g).sum(1) / (f.square().sum(1) * g.square().sum(1)),
        ),
        slip(
            "every image compared with every text: row i of the images belongs to row i of the texts.",
            value=lambda f, g: pairs(f, g),
        ),
        slip(
            "the log of a softmax over the batch's texts, the loss of training: guidance takes the similarity alone.",
            value=lambda f, g: pairs(f, g).log_softmax(1).diagonal(),
        ),
        slip(
            "the squared distance of the normalised vectors, which is 2 - 2 cos: twice the gradient.",
            value=lambda f, g: -(normalised(f) - normalised(g)).square().sum(1),
        ),
        slip("the squared distance of f and g: take the cosine.", value=lambda f, g: -(f - g).square().sum(1)),
        slip("the distance of f and g: take the cosine.", value=lambda f, g: -(f - g).norm(dim=1)),
        slip(
            "the distance of the normalised vectors: take the cosine.",
            value=lambda f, g: -(normalised(f) - normalised(g)).norm(dim=1),
        ),
        slip("the exponential of the cosine: take the cosine.", value=lambda f, g: cosine(f, g).exp()),
        slip("the absolute cosine: it may be negative.", value=lambda f, g: cosine(f, g).abs()),
        slip("the squared cosine: take the cosine.", value=lambda f, g: cosine(f, g) ** 2),
        slip("the angle itself: take its cosine.", value=lambda f, g: -cosine(f, g).acos()),
        slip("the log of the cosine, or of (1 + cos) / 2: take the cosine.", value=lambda f, g: ((1 + cosine(f, g)) / 2).log()),
        slip("a cosine cut off at 0: it may be negative.", value=lambda f, g: cosine(f, g).clamp(min=0)),
        slip(
            "features from which their mean is subtracted: that is a correlation, take the cosine.",
            value=lambda f, g: cosine(centred(f), centred(g)),
        ),
        slip("the sum of the features, whatever the text is: compare them with it.", value=lambda f, g: f),
        # the Jacobian
        slip(
            "the gradient with respect to x0_hat, without the Jacobian of D: take it with respect to x, through D.",
            jacobian=False,
        ),
        slip(
            "D detached, or asked under no_grad: the gradient has to flow through it.",
            see=lambda D, x, sigma: D(x, sigma).detach(),
        ),
        slip(
            "a gradient that is 0 everywhere, as D detached or asked under no_grad gives it: the gradient has to flow through D.",
            see=lambda D, x, sigma: D(x, sigma).detach() + 0 * x,
        ),
        Mutant(
            "the gradient of D(x, sigma).sum() times the inner one, as if each pixel of the guess depended on one of x: each depends on "
            "several; take the gradient through D.",
            through(lambda guess, leaf, slope: slope * torch.autograd.grad(guess.sum(), leaf)[0]),
        ),
        Mutant(
            "the Jacobian from the wrong side, J v in the place of J^T v: torch.autograd.grad through D gives J^T v.", through(forwards)
        ),
        Mutant("the gradient with respect to the text: take it with respect to x.", of_the_text),
        slip("x shown to the encoder: it is shown D(x, sigma).", see=lambda D, x, sigma: x),
        slip(
            "what D takes away, x - D, shown to the encoder: it is shown D(x, sigma).",
            see=lambda D, x, sigma: x - D(x, sigma),
        ),
        slip(
            "the guessed noise (x - D) / sigma shown to the encoder: it is shown D(x, sigma).",
            see=lambda D, x, sigma: (x - D(x, sigma)) / sigma,
        ),
        slip(
            "the score (D - x) / sigma^2 shown to the encoder: it is shown D(x, sigma).",
            see=lambda D, x, sigma: (D(x, sigma) - x) / sigma**2,
        ),
        slip(
            "D's answer clipped to [-1, 1]: the encoder is shown it as it is.",
            see=lambda D, x, sigma: D(x, sigma).clamp(-1, 1),
        ),
        slip(
            "x divided by sqrt(1 + sigma^2) before D: it takes x as it is.",
            see=lambda D, x, sigma: D(x / (1 + sigma**2).sqrt(), sigma),
        ),
        slip("sigma^2 told to D: it takes sigma.", see=lambda D, x, sigma: D(x, sigma**2)),
        # the batch
        slip("a mean over the batch: it divides each gradient by B, take the sum.", reduce=torch.mean),
        slip(
            "the gradient of the first sample's number: take the sum over the batch.", reduce=lambda v: v[0]
        ),
        argument_slip(
            "the first text for all samples: each has its own.",
            clip_guidance_gradient,
            "text",
            lambda text: text[:1].expand_as(text),
        ),
        argument_slip(
            "the texts in reverse: row i of the images belongs to row i of the texts.",
            clip_guidance_gradient,
            "text",
            lambda text: text.flip(0),
        ),
        argument_slip(
            "the mean of the texts for all samples: each has its own.",
            clip_guidance_gradient,
            "text",
            lambda text: text.mean(0, keepdim=True).expand_as(text),
        ),
        # the result
        squeezed(clip_guidance_gradient),
        result_slip("a minus: guidance goes uphill in the similarity.", clip_guidance_gradient, torch.neg),
        scaled_slip(
            "sigma^2 times the gradient: that factor belongs to the guided denoiser, not here.",
            lambda g, x0, x, s: s**2 * g,
        ),
        scaled_slip("sigma times the gradient: return the gradient itself.", lambda g, x0, x, s: s * g),
        scaled_slip("a gradient divided by sigma: return it itself.", lambda g, x0, x, s: g / s),
        scaled_slip("a gradient divided by sigma^2: return it itself.", lambda g, x0, x, s: g / s**2),
        scaled_slip(
            "the guided denoiser D + sigma^2 times the gradient: return the gradient alone.",
            lambda g, x0, x, s: x0 + s**2 * g,
        ),
        scaled_slip("D(x, sigma) plus the gradient: return the gradient alone.", lambda g, x0, x, s: x0 + g),
        scaled_slip("x plus the gradient: return the gradient alone.", lambda g, x0, x, s: x + g),
        scaled_slip(
            "a gradient brought to length 1: its length tells how much is to be gained, leave it.",
            lambda g, x0, x, s: unit(g),
        ),
        scaled_slip("the signs of the gradient: return the gradient.", lambda g, x0, x, s: g.sign()),
        scaled_slip(
            "a mean over the batch of the gradients: each sample has its own.",
            lambda g, x0, x, s: g.mean(0, keepdim=True).expand_as(g),
        ),
        Mutant(
            "the similarity itself: return its gradient.",
            lambda D, image, text, x, sigma: cosine(image(D(x, sigma)), text),
        ),
        Mutant(
            "the similarity itself, shaped to multiply x: return its gradient.",
            lambda D, image, text, x, sigma: column(cosine(image(D(x, sigma)), text), x),
        ),
        Mutant(
            "the tuple that torch.autograd.grad returns: take its entry [0].",
            lambda *args: (clip_guidance_gradient(*args),),
        ),
    ],
)  # fmt: skip
