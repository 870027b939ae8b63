"""Guidance without a classifier."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .ch06_classifier import ODD_SCALES, SCALES, SIGMAS, number
from .ch06_labels import some_labels
from .data import Check, Mutant, Variant
from .inputs import Draw
from .slips import argument_slip, squeezed


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


def interleaved_empty_first(m: Callable, x: Tensor, s: Tensor, y: Tensor, w: float, none: int) -> Tensor:
    labels = torch.cat([torch.full_like(y, none), y])
    uncond, cond = m(x.repeat_interleave(2, 0), s, labels).chunk(2)
    return uncond + w * (cond - uncond)


def rescaled(guided: Tensor, cond: Tensor) -> Tensor:
    """Guidance with the spread of the conditional answer in each sample (Lin et al. 2023, eq. 15)."""
    axes = tuple(range(1, guided.ndim))
    return guided * cond.std(axes, keepdim=True) / guided.std(axes, keepdim=True)


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
    yield "w = 40", (d.labelled(), d.normal(4, 3), d.uniform(0.3, 2.0), y, 40.0, 10)
    yield "1000 classes", (d.labelled(), d.normal(4, 3), d.uniform(0.3, 2.0), 111 * y, 2.5, 1000)
    yield "one sample", (d.labelled(), d.normal(1, 3), d.uniform(0.3, 2.0), y[:1], 3, 10)


# How the two answers are combined with w.
COMBINED = [
    # recipes
    cfg_slip(
        "guidance rescaled to the spread of D_c: here it is D_u + w (D_c - D_u) as it is.",
        lambda c, u, w: rescaled(u + w * (c - u), c),
    ),
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
    cfg_slip("w D_c - D_u: w multiplies the whole difference, and D_u is added.", lambda c, u, w: w * c - u),
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
]
# What has nothing to do with the convention of w.
ASKED = [
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
    Mutant(
        "one call on twice the batch, the empty labels first, whose rows and labels do not fit together: "
        "torch.cat([x, x]) goes with torch.cat([empty labels, y]).",
        interleaved_empty_first,
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
]


# ---- the other convention, for an edition of one's own


def cfg_from_zero(model: Callable, x: Tensor, sigma: Tensor, y: Tensor, w: float, no_label: int) -> Tensor:
    return cfg(model, x, sigma, y, w + 1, no_label)


def shifted(mutant: Mutant) -> Mutant:
    """The same slip where w = 0 means no guidance."""
    return Mutant(mutant.hint, lambda m, x, s, y, w, none: mutant.function(m, x, s, y, w + 1, none))


FROM_ZERO = Variant(
    {
        "Write $D_w$ for a network that is called with labels.": "Write guidance for a network that is called with labels, in the "
        "convention of Ho and Salimans: $(1 + w')\\,D_c - w'\\,D_u$. The argument `w` is their $w'$, so that 0 means no guidance. "
        "The rest of the chapter keeps its own $w$, and gives your function $w - 1$.",
        "Classifier-free guidance, D_u + w (D_c - D_u) (Ho & Salimans 2021, eq. 6, with w = 1 for no guidance).": (
            "Classifier-free guidance, (1 + w) D_c - w D_u (Ho & Salimans 2021, eq. 6: w = 0 is no guidance)."
        ),
        "return uncond + w * (cond - uncond)": "return cond + w * (cond - uncond)",
    },
    {
        "reference": cfg_from_zero,
        "where": 'the formula in section 5 of this notebook ("Classifier-free guidance"): (1 + w) D_c - w D_u, which is D_c at w = 0 '
        "(Ho & Salimans 2021, eq. 6).",
        "mutants": [
            cfg_slip(
                "the course's convention, D_u + w (D_c - D_u): in this edition w = 0 means no guidance.",
                lambda c, u, w: u + w * (c - u),
            ),
            cfg_slip(
                "w one too large, D_c + (1 + w) (D_c - D_u): the factors are 1 + w and -w.",
                lambda c, u, w: c + (1 + w) * (c - u),
            ),
            cfg_slip("the two answers swapped: it is (1 + w) D_c - w D_u.", lambda c, u, w: u + w * (u - c)),
            cfg_slip(
                "the signs of w swapped, (1 - w) D_c + w D_u: it is (1 + w) D_c - w D_u.",
                lambda c, u, w: c - w * (c - u),
            ),
            cfg_slip(
                "a plus, (1 + w) D_c + w D_u: the factors add up to 1.", lambda c, u, w: (1 + w) * c + w * u
            ),
            cfg_slip("(1 + w) D_c - D_u: the factors add up to 1.", lambda c, u, w: (1 + w) * c - u),
            cfg_slip("w D_c - (1 + w) D_u: it is (1 + w) D_c - w D_u.", lambda c, u, w: w * c - (1 + w) * u),
            cfg_slip(
                "1 + w D_c, missing brackets: D_c has the factor (1 + w).", lambda c, u, w: 1 + w * c - w * u
            ),
            cfg_slip("the difference alone: it is added to D_c.", lambda c, u, w: w * (c - u)),
            cfg_slip("(1 + w) D_c alone: w D_u is taken away.", lambda c, u, w: (1 + w) * c),
            cfg_slip(
                "the conditional answer alone: w is left out, or both calls have the same labels.",
                lambda c, u, w: c.clone(),
            ),
            cfg_slip("the unconditional answer alone.", lambda c, u, w: u.clone()),
            *map(shifted, ASKED),
        ],
    },
    {"w": "{} - 1"},
)

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
    variants=(Variant(), FROM_ZERO),
    mutants=[*COMBINED, *ASKED],
)
