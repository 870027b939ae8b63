"""The training loss of a network with labels: the labels are dropped in the loss itself."""

from collections.abc import Iterator

import torch
from torch import Tensor

from .ch06_built import conditional_loss, expected, image_slip, kept_labels, masked_slip, mixed, slip
from .ch06_labels import drop_labels, dropout_inputs
from .data import Check, Mutant
from .inputs import Draw
from .slips import result_slip


def edges(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Both ends of p, numbers equal to p, every sigma of a sampler, class 0, other numbers of classes, one sample."""
    y = torch.tensor([0, 1, 2, 0, 9, 3], device=d.device)
    u = torch.tensor([0.0, 0.1, 0.25, 0.5, 0.999, 0.123], dtype=d.dtype, device=d.device)

    def case(p: float, none: int = 10, labels: Tensor = y, n: int = 6) -> tuple:
        x0, eps = d.normal(n, 2, 3), d.normal(n, 2, 3)
        return d.labelled(), x0, labels[:n], d.uniform(0.3, 2.0, n), eps, u[-n:], p, none

    for p in (0, 0.0, 0.1, 0.125, 0.25, 0.5, 1, 1.0):
        yield f"p = {p}", case(p)
    yield "1000 classes", case(0.25, 1000, y + 990)
    yield "one sample, kept", case(0.1, n=1)
    yield "one sample, dropped", case(0.5, n=1)
    levels = torch.tensor([0.002, 0.1, 0.5, 1.0, 10.0, 80.0], dtype=d.dtype, device=d.device)
    yield (
        "sigma from 0.002 to 80",
        (d.labelled(), d.wide(6, 1, 4, 4), y, levels, d.wide(6, 1, 4, 4), u, 0.2, 10),
    )
    # There x is nearly all noise, and the loss, (x_0 - D)^2 / sigma^2, is small.
    yield (
        "every sigma 80",
        (d.labelled(), d.normal(6, 2, 3), y, levels[-1:].expand(6), d.normal(6, 2, 3), u, 0.2, 10),
    )


def one_sigma(sigma: Tensor) -> Tensor:
    return sigma[:1].expand_as(sigma)


def inputs(d: Draw) -> tuple:
    labels, u, p, no_label = dropout_inputs(d)
    return d.labelled(), d.x(), labels, d.uniform(0.3, 2.0, d.B), d.x(), u, p, no_label


CONDITIONAL_LOSS = Check(
    id="06-conditional_loss",
    points=4,
    minutes=20,
    level=2,
    reference=conditional_loss,
    inputs=inputs,
    fixed=edges,
    grad=("model",),
    evaluations={"model": lambda model, x0, *rest: len(x0)},
    calls={"model": lambda *args: 1},
    where='section 4 of this notebook ("Without a classifier: label dropout"): the mean of ||eps - (x - D) / sigma||^2, with '
    "x = x_0 + sigma eps and D = model(x, sigma, the labels that are left) (Ho & Salimans 2021, algorithm 1).",
    outputs=("loss",),
    mutants=[
        # which labels are dropped
        slip(
            "one decision for the whole batch, by the first number: each sample has its own u.",
            drop=lambda y, u, p, none: torch.full_like(y, none) if u[0] < p else y,
        ),
        slip(
            "one decision for the whole batch, by the mean of u: each sample has its own.",
            drop=lambda y, u, p, none: torch.full_like(y, none) if u.mean() < p else y,
        ),
        slip(
            "labels kept where u < p: there they are dropped.",
            drop=lambda y, u, p, none: torch.where(u < p, y, none),
        ),
        slip(
            "u > 1 - p, which has the right probability, but selects other samples: drop where u < p.",
            drop=lambda y, u, p, none: torch.where(u > 1 - p, none, y),
        ),
        slip(
            "u <= p: a number equal to p is not below it, and p = 0 drops no label.",
            drop=lambda y, u, p, none: torch.where(u <= p, none, y),
        ),
        slip("u < 0.1 whatever p is: compare with p.", drop=lambda y, u, p, none: drop_labels(y, u, 0.1, none)),
        slip(
            "no label dropped, or dropped after the model was called: the model must see the labels that are left.",
            drop=kept_labels,
        ),
        slip("every label dropped: only where u < p.", drop=lambda y, u, p, none: torch.full_like(y, none)),
        slip(
            "a mask moved by one sample: label i is dropped where u[i] < p.",
            drop=lambda y, u, p, none: torch.where((u < p).roll(1), none, y),
        ),
        # by what they are replaced
        slip(
            "class 0 as the empty label: 0 is a class, no_label is the extra one.",
            drop=lambda y, u, p, none: drop_labels(y, u, p, 0),
        ),
        slip("-1 as the empty label: use no_label.", drop=lambda y, u, p, none: drop_labels(y, u, p, -1)),
        slip(
            "10 as the empty label: that is right for ten classes only, use no_label.",
            drop=lambda y, u, p, none: drop_labels(y, u, p, 10),
        ),
        slip(
            "the largest label + 1 as the empty label: the batch need not hold the last class, use no_label.",
            drop=lambda y, u, p, none: torch.where(u < p, y.max() + 1, y),
        ),
        slip(
            "no_label - 1 as the empty label, the last class: use no_label.",
            drop=lambda y, u, p, none: drop_labels(y, u, p, none - 1),
        ),
        # the images
        image_slip(
            "images dropped with the labels: where u < p the label goes, x_0 stays.",
            lambda x0, eps, gone: (torch.where(gone, 0, x0), eps),
        ),
        image_slip(
            "images dropped in the place of labels: where u < p the label becomes no_label, and x_0 stays.",
            lambda x0, eps, gone: (torch.where(gone, 0, x0), eps),
            kept_labels,
        ),
        image_slip(
            "no noise on the samples without a label: they are noised as the others are.",
            lambda x0, eps, gone: (x0, torch.where(gone, 0, eps)),
        ),
        masked_slip(
            "samples without a label left out of the loss: the network learns from them to answer without one.",
            lambda e, gone: e.square()[~gone.expand_as(e)].mean(),
        ),
        masked_slip(
            "samples without a label alone in the loss: the mean is over all samples.",
            lambda e, gone: e.square()[gone.expand_as(e)].mean(),
        ),
        masked_slip(
            "samples without a label at loss 0, in a mean over all: the network learns from them to answer without one.",
            lambda e, gone: torch.where(gone, 0, e.square()).mean(),
        ),
        Mutant(
            "both losses, weighted by 1 - p and p: that is the mean of what u decides, at twice the cost; here each sample is "
            "asked once, with the label that u leaves it.",
            expected,
        ),
        Mutant(
            "two answers mixed with the weights 1 - p and p, as guidance mixes them: each sample is asked once, with the label that u leaves it.",
            mixed,
        ),
        # what the model is shown
        slip(
            "sqrt(sigma) in the noise and in the division, as of a variance: sigma is the standard deviation.",
            see=lambda x0, s, eps: x0 + s.sqrt() * eps,
            error=lambda D, x, x0, s, eps: (x - D) / s.sqrt() - eps,
        ),
        slip("a clean image: the model sees x_0 + sigma eps.", see=lambda x0, s, eps: x0),
        slip("sigma left out of the noise: x = x_0 + sigma eps.", see=lambda x0, s, eps: x0 + eps),
        slip("sigma^2 before the noise: x = x_0 + sigma eps.", see=lambda x0, s, eps: x0 + s**2 * eps),
        slip("sqrt(sigma) before the noise: x = x_0 + sigma eps.", see=lambda x0, s, eps: x0 + s.sqrt() * eps),
        slip("a minus before the noise: x = x_0 + sigma eps.", see=lambda x0, s, eps: x0 - s * eps),
        slip("the noise alone: x = x_0 + sigma eps.", see=lambda x0, s, eps: s * eps),
        slip(
            "x shrunk by sqrt(1 + sigma^2), the coordinates of x_t: here x = x_0 + sigma eps.",
            see=lambda x0, s, eps: (x0 + s * eps) / (1 + s**2).sqrt(),
        ),
        slip(
            "x divided by sqrt(1 + sigma^2) on its way into the model: this one takes x as it is.",
            scaled=lambda x, s: x / (1 + s**2).sqrt(),
        ),
        slip(
            "x = sqrt(1 - sigma^2) x_0 + sigma eps, in which the image shrinks, as in x_t: here x = x_0 + sigma eps.",
            see=lambda x0, s, eps: (1 - s**2).clamp(min=0).sqrt() * x0 + s * eps,
        ),
        slip(
            "the mean sigma of the batch for all samples: each has its own.",
            see=lambda x0, s, eps: x0 + s.mean() * eps,
            error=lambda D, x, x0, s, eps: (x - D) / s.mean() - eps,
        ),
        slip("one sigma for the whole batch: each sample has its own.", see=lambda x0, s, eps: x0 + s[:1] * eps),
        slip("the first sigma told to the model for all samples: each has its own.", told=one_sigma),
        slip("sigma^2 told to the model: it takes sigma.", told=torch.square),
        slip("ln sigma told to the model: it takes sigma.", told=torch.log),
        slip("ln(sigma) / 4 told to the model: it takes sigma.", told=lambda sigma: sigma.log() / 4),
        # the error
        slip(
            "the error of x_0, D - x_0: the target is eps, which is the same error divided by sigma.",
            error=lambda D, x, x0, s, eps: D - x0,
        ),
        slip(
            "the model's answer taken for eps: it is a denoiser D, and the noise that it implies is (x - D) / sigma.",
            error=lambda D, x, x0, s, eps: D - eps,
        ),
        slip(
            "sigma eps, all the noise in x, as the target: (x - D) / sigma is eps alone.",
            error=lambda D, x, x0, s, eps: (x - D) / s - s * eps,
        ),
        slip(
            "a division by sigma where it is above 1 alone: divide by each sigma, the small ones too.",
            error=lambda D, x, x0, s, eps: (x - D) / s.clamp(min=1) - eps,
        ),
        slip(
            "the EDM weight, (sigma^2 + 1/4) / (sigma / 2)^2, on the squared error of x_0: here it is divided by sigma^2.",
            error=lambda D, x, x0, s, eps: (D - x0) * (s**2 + 0.25).sqrt() / (s / 2),
        ),
        slip("x as the target: it is eps.", error=lambda D, x, x0, s, eps: (x - D) / s - x),
        slip("x_0 as the target of the implied noise: it is eps.", error=lambda D, x, x0, s, eps: (x - D) / s - x0),
        slip(
            "(D - x) / sigma, the noise with its sign turned: it is (x - D) / sigma.",
            error=lambda D, x, x0, s, eps: (D - x) / s - eps,
        ),
        slip(
            "x - D without the division by sigma: the implied noise is (x - D) / sigma.",
            error=lambda D, x, x0, s, eps: x - D - eps,
        ),
        slip(
            "a division by sigma^2, which makes a score: the implied noise is (x - D) / sigma.",
            error=lambda D, x, x0, s, eps: (x - D) / s**2 - eps,
        ),
        slip(
            "a multiplication by sigma: the implied noise is (x - D) / sigma.",
            error=lambda D, x, x0, s, eps: (x - D) * s - eps,
        ),
        slip(
            "the squared error of x_0 divided by sigma: divide it by sigma^2, or the error by sigma before the square.",
            error=lambda D, x, x0, s, eps: (D - x0) / s.sqrt(),
        ),
        slip(
            "the clean image in the implied noise: it is (x - D) / sigma, with the noisy x.",
            error=lambda D, x, x0, s, eps: (x0 - D) / s - eps,
        ),
        # the mean
        slip("a sum over everything: the loss is a mean.", reduce=lambda e: e.square().sum()),
        slip(
            "a sum over the coordinates of each sample: the mean is over these, too.",
            reduce=lambda e: e.square().flatten(1).sum(1).mean(),
        ),
        slip(
            "a sum over the batch: the mean is over the samples, too.",
            reduce=lambda e: e.square().flatten(1).mean(1).sum(),
        ),
        slip("a loss for each sample: return one number, the mean.", reduce=lambda e: e.square().flatten(1).mean(1)),
        slip("a loss for each entry: return one number, the mean.", reduce=lambda e: e.square()),
        slip("half of the mean: there is no 1/2 in this loss.", reduce=lambda e: e.square().mean() / 2),
        slip("a root of the mean: the loss is the mean square.", reduce=lambda e: e.square().mean().sqrt()),
        slip("absolute values: the loss is the mean of squares.", reduce=lambda e: e.abs().mean()),
        slip("the square of the mean error: square first.", reduce=lambda e: e.mean() ** 2),
        slip("a mean without the square.", reduce=lambda e: e.mean()),
        result_slip("a loss with an axis: return one number, ().", conditional_loss, lambda loss: loss[None]),
    ],
)  # fmt: skip
