"""A design: a guidance scale for each noise level, for samples that are recognised and have kept their variety."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ...errors import CourseError
from ...experiments import two_rows
from .data import Check, Mutant, Variant

BAR = 0.98  # the least share of samples that is recognised
TOP = 0.87  # recall from which all points are given
HIGH = 0.85  # recall that leaves room for stronger guidance
OPEN = "at the larger of these levels guidance moves the points whose class is open, nearly all"
PULL = 0.019  # (w - 1) sigma^2: how far a point between the classes is moved beyond w = 1


def guidance_scales(sigmas: Tensor) -> Tensor:
    return even_pull(sigmas, PULL)


def even_pull(sigmas: Tensor, pull: float) -> Tensor:
    """Hardly any guidance but near the end: guidance moves a point by w sigma^2 grad log p, and this undoes the sigma^2."""
    return 1 + pull / sigmas**2


def recall_at(scales: Tensor, sigmas: Tensor, bar: float = BAR, std: float = two_rows.STD) -> float:
    """Recall. Raises CourseError where fewer samples than the bar are recognised."""
    share, recall = two_rows.trade_off(scales, std)
    if share < bar - 1e-9:
        raise CourseError(
            f"{share:.3f} of the samples are recognised, want at least {bar:g}: {_guided(scales, sigmas)}"
            f"{_advice(scales, sigmas, std)}"
        )
    return recall


def _advice(scales: Tensor, sigmas: Tensor, std: float) -> str:
    """What would make more samples recognised."""
    levels, recall = sigmas[scales > 1], two_rows.trade_off(scales, std)[1]
    if not len(levels):
        return ""
    if float(levels.min()) > std:
        return ". There the class of nearly every point is open; those that end between the classes are told apart below"
    if costly(scales, sigmas, std):
        least = float(scales[sigmas <= std].max())
        return (
            f". Recall is {recall:.2f}: {OPEN}. What makes samples recognised is guidance at the levels below {std:g}, "
            f"where your scales are {least:.3g} at most: weaker above, stronger there"
        )
    if recall > HIGH and not bool((scales < 1).any()):
        return f". Recall is high ({recall:.2f}): guide more strongly there"
    return ""


def costly(scales: Tensor, sigmas: Tensor, std: float) -> bool:
    """Do the scales above 1 at the larger levels cost recall, beyond what those at the levels below std cost?"""
    late = torch.where(sigmas > std, scales.clamp(max=1), scales)
    return two_rows.trade_off(late, std)[1] > two_rows.trade_off(scales, std)[1] + 0.02


def low_recall(scales: Tensor, sigmas: Tensor, top: float = TOP, std: float = two_rows.STD) -> str:
    """What costs a design recall; "" where it has full marks."""
    if two_rows.trade_off(scales, std)[1] >= top:
        return ""
    lost = (
        OPEN
        if costly(scales, sigmas, std)
        else "stronger than the bar needs: points are moved on beyond the edge of their class"
    )
    where = _guided(scales, sigmas)
    return f"{where[0].upper()}{where[1:]}. {lost[0].upper()}{lost[1:]}."


def _guided(scales: Tensor, sigmas: Tensor) -> str:
    """Where these scales guide, in words."""
    above = sigmas[scales > (1.01 if bool((scales > 1.01).any()) else 1)]  # 1 + 1e-8 is no guidance
    below = (
        f"; {int((scales < 1).sum())} scales are below 1, where the label counts for less: w = 1 is no guidance"
        * bool((scales < 1).any())
    )
    if not len(above):
        return f"no scale is above 1{below or ', and w = 1 is no guidance'}"
    return f"the scales are above 1 from sigma = {above.max():.2g} to {above.min():.2g}, at most {scales.max():.3g}{below}"


def version(bar: float, std: float, pull: float, marks: tuple[tuple[int, float], ...]) -> Variant:
    """Another bar, and other points: the public design is below the bar."""

    def guidance_scales(sigmas: Tensor) -> Tensor:
        return even_pull(sigmas, pull)

    edits = {"at least $0.98$": f"at least ${bar:g}$"}
    if std != two_rows.STD:
        edits |= {
            "deviation 0.3 around": f"deviation {std:g} around",
            "std=0.3)`, where 0.3 is the default": f"std={std:g})`",
        }
    return Variant(
        edits,
        {
            "score": partial(recall_at, bar=bar, std=std),
            "missed": partial(low_recall, top=marks[-1][1], std=std),
            "reference": guidance_scales,
            "marks": marks,
        },
    )


def design(hint: str, scales: Callable[[Tensor], Tensor]) -> Mutant:
    return Mutant(hint, lambda sigmas: scales(sigmas).to(sigmas))


def constant(hint: str, w: float) -> Mutant:
    return design(hint, lambda sigmas: torch.full_like(sigmas, w))


GUIDANCE_SCALES = Check(
    id="06-guidance_scales",
    points=6,
    minutes=25,
    level=3,
    reference=guidance_scales,
    inputs=lambda d: (two_rows.SIGMAS.to(d.device),),
    where='section 7 of this notebook ("Which distribution do guided samples follow?"): guidance moves a point by '
    "w sigma^2 grad log p(y | x; sigma), and at small sigma that is 0 for every point whose class is decided, so it costs nothing there, and moves only the points between the classes.",
    outputs=("scales",),
    score=recall_at,
    scored="recall",
    missed=low_recall,
    lower=False,
    marks=((2, 0.75), (4, 0.85), (6, TOP)),
    variants=(
        Variant(),
        version(0.99, two_rows.STD, 0.0207, ((2, 0.70), (4, 0.82), (6, 0.85))),
        version(0.96, 0.35, 0.027, ((2, 0.78), (4, 0.865), (6, 0.89))),
    ),
    mutants=[
        constant("no guidance, w = 1: some samples of an overlapping class are always taken for the other one.", 1.0),
        constant("w = 0, which leaves the label out: half of the samples are of the other class.", 0.0),
        constant("a negative scale: it guides to the other class.", -2.0),
        constant("the paper's w' = w - 1: here w = 1 means no guidance.", 1.3),
        constant("a constant scale that is a little too small for the bar.", 2.0),
        constant("a constant scale that is too large: recall pays for it.", 4.0),
        constant("a constant scale that is far too large: next to no variety is left.", 10.0),
        design(
            "guidance at large sigma alone: the pull is the same for all points there, and whom it moves is decided later.",
            lambda s: torch.where(s > 2, 3.0, 1.0),
        ),
        design(
            "guidance at middle sigma alone, 0.5 to 2: the points that end between the classes are told apart below.",
            lambda s: torch.where((s > 0.5) & (s < 2), 3.0, 1.0),
        ),
        design(
            "w = 0 where there is to be no guidance: that leaves the label out, and w = 1 is no guidance.",
            lambda s: torch.where(s < 0.1, 8.0, 0.0),
        ),
        design(
            "a mask of the levels, 0 and 1: w = 1 is no guidance, so the largest scale guides nothing.",
            lambda s: (s < 0.3).double(),
        ),
        design(
            "the scales from the last to the first: scale i belongs to sigmas[i], which falls.",
            lambda s: guidance_scales(s).flip(0),
        ),
        design("the sigmas themselves: return a scale for each.", lambda s: s.clone()),
        design("a scale that grows with sigma, 1 + sigma: at large sigma guidance says nothing of the points that end between the classes.", lambda s: 1 + s),
        design("1 / sigma^2 without a small factor: at the end it throws the points far beyond their class.", lambda s: s**-2),
        design(
            "a scale at the end that is too large: a point is moved far beyond its class.",
            lambda s: torch.where(s < 0.1, 80.0, 1.0),
        ),
        design(
            "guidance in the last step alone, of a scale that would do in several: a point moves by about w sigma^2 / std^2 only.",
            lambda s: torch.where(s < 0.06, 8.0, 1.0),
        ),
    ],
)  # fmt: skip
