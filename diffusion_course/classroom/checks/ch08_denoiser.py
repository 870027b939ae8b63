"""The score of x_t from a denoiser."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ...denoisers import Denoiser
from ...processes import sub_vp, ve, vp
from .ch01_slips import in_float32
from .data import Check, Mutant
from .inputs import Draw, column

SDES = {"VP": vp(), "sub-VP": sub_vp(), "VE": ve()}


def score_from_denoiser(D: Denoiser, x: Tensor, scale: Tensor, std: Tensor) -> Tensor:
    return (column(scale, x) * denoised(D, x, scale, std) - x) / column(std, x) ** 2


def denoised(D: Denoiser, x: Tensor, scale: Tensor, std: Tensor) -> Tensor:
    return D(x / column(scale, x), std / scale)


def last_line(hint: str, line: Callable) -> Mutant:
    """A mutant that asks D rightly and makes of its answer line(x, x0_hat, a, b)."""

    def score(D: Denoiser, x: Tensor, scale: Tensor, std: Tensor) -> Tensor:
        return line(x, denoised(D, x, scale, std), column(scale, x), column(std, x))

    return Mutant(hint, score)


def asking(hint: str, asked: Callable) -> Mutant:
    """A mutant that gets another x0_hat = asked(D, x, scale, std), and takes the right score of it."""

    def score(D: Denoiser, x: Tensor, scale: Tensor, std: Tensor) -> Tensor:
        return (column(scale, x) * asked(D, x, scale, std) - x) / column(std, x) ** 2

    return Mutant(hint, score)


def with_scale(D: Denoiser, x: Tensor, other: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The score with another scale in all but sigma."""
    return (column(other, x) * D(x / column(other, x), b / a) - x) / column(b, x) ** 2


def levels(d: Draw) -> Iterator[tuple[str, tuple]]:
    """The three processes at times from 0.001 to 1, noise of the size of the data, one sample, an image."""
    times = torch.tensor([0.3, 1.0, 0.001, 0.1, 0.6, 0.02], dtype=torch.float64)
    for name, sde in SDES.items():
        scale, std = (v.to(d.device, d.dtype) for v in (sde.scale(times), sde.std(times)))
        yield f"{name}, times from 0.001 to 1", (d.denoiser(), d.normal(6, 2, 3), scale, std)
    yield "a = b", (d.denoiser(), d.wide(3, 4), *[d.uniform(0.5, 0.5, 3)] * 2)
    yield "one image", (d.denoiser(), d.wide(1, 1, 4, 4), d.uniform(0.8, 0.8, 1), d.uniform(0.6, 0.6, 1))


SCORE_FROM_DENOISER = Check(
    id="08-score_from_denoiser",
    points=3,
    minutes=10,
    level=1,
    reference=score_from_denoiser,
    inputs=lambda d: (d.denoiser(), d.x(), d.uniform(0.3, 0.9, d.B), d.uniform(0.4, 1.4, d.B)),
    fixed=levels,
    grad=("x",),
    evaluations={"D": lambda D, x, *rest: len(x)},
    calls={"D": lambda *args: 1},
    where='(1) in section 1 of this notebook ("The score"): (a D(x / a, b / a) - x) / b^2 (Karras et al. 2022, eq. 3, for a = 1).',
    outputs=("score",),
    library=("sde.as_score",),
    mutants=[
        # what D is asked
        asking("D shown x_t itself: it takes x_0 + sigma eps, which is x / a.", lambda D, x, a, b: D(x, b / a)),
        asking("D told b for sigma: x / a has the noise b / a.", lambda D, x, a, b: D(x / column(a, x), b)),
        asking("D shown x_t and told b: it takes x / a, whose noise is b / a.", lambda D, x, a, b: D(x, b)),
        asking("D told a / b: sigma is b / a.", lambda D, x, a, b: D(x / column(a, x), a / b)),
        asking("D told sigma^2: it takes sigma, b / a.", lambda D, x, a, b: D(x / column(a, x), (b / a) ** 2)),
        asking("D told sqrt(b / a): sigma is b / a.", lambda D, x, a, b: D(x / column(a, x), (b / a).sqrt())),
        asking("D told a b: sigma is b / a.", lambda D, x, a, b: D(x / column(a, x), a * b)),
        asking("D shown a x: divide x by a.", lambda D, x, a, b: D(x * column(a, x), b / a)),
        asking("D shown x / b: divide x by a.", lambda D, x, a, b: D(x / column(b, x), b / a)),
        asking("D shown x / a^2: divide x by a.", lambda D, x, a, b: D(x / column(a, x) ** 2, b / a)),
        asking(
            "one sigma for the whole batch, the first: each sample has its own.",
            lambda D, x, a, b: D(x / column(a, x), (b / a)[:1].expand_as(b)),
        ),
        asking(
            "the sigma of VP, sqrt(1 - a^2) / a: std is given, and other processes have another one.",
            lambda D, x, a, b: D(x / column(a, x), (1 - a**2).sqrt().clamp(min=1e-3) / a),
        ),
        Mutant(
            "a and b of the first sample for all: each sample has its own scale and std.",
            lambda D, x, a, b: (a[0] * D(x / a[0], b / a) - x) / b[0] ** 2,
        ),
        Mutant(
            "sqrt(1 - b^2) for a, which holds for VP alone: scale is given.",
            lambda D, x, a, b: with_scale(D, x, (1 - b**2).clamp(min=1e-9).sqrt(), a, b),
        ),
        *(
            asking(
                f"D's answer cut off at {low} and {high}: it is used as it is.",
                lambda D, x, a, b, low=low, high=high: denoised(D, x, a, b).clamp(low, high),
            )
            for low, high in ((-1, 1), (0, 1))
        ),
        *(
            Mutant(
                f"one time for the whole batch, {words}: each sample has its own scale and std.",
                lambda D, x, a, b, one=one: score_from_denoiser(D, x, one(a).expand_as(a), one(b).expand_as(b)),
            )
            for words, one in (("the first", lambda v: v[:1]), ("the mean", torch.mean))
        ),
        # the last line
        last_line("D without its factor a: the mean of x_t given x_0 is a x_0.", lambda x, x0, a, b: (x0 - x) / b**2),
        last_line("a division by b: the score has b^2 below.", lambda x, x0, a, b: (a * x0 - x) / b),
        last_line("a division by sigma^2: the noise in x_t has the variance b^2.", lambda x, x0, a, b: (a * x0 - x) / (b / a) ** 2),
        last_line("a division by a^2: it is b^2.", lambda x, x0, a, b: (a * x0 - x) / a**2),
        last_line("(a b)^2 below: the score has b^2.", lambda x, x0, a, b: (a * x0 - x) / (a * b) ** 2),
        last_line("no division at all: it is (a D - x) / b^2.", lambda x, x0, a, b: a * x0 - x),
        last_line("a multiplication by b^2: divide by it.", lambda x, x0, a, b: (a * x0 - x) * b**2),
        last_line("2 b^2 below, as in the exponent of a Gaussian: the gradient of the square brings a 2.", lambda x, x0, a, b: (a * x0 - x) / (2 * b**2)),
        last_line("the sign turned: the score points from x to the data, a D - x.", lambda x, x0, a, b: (x - a * x0) / b**2),
        last_line(
            "the predicted noise, (x - a D) / b: the score is its negative, divided by b once more.",
            lambda x, x0, a, b: (x - a * x0) / b,
        ),
        last_line(
            "the score of x / a, in VE coordinates: as a function of x_t it is divided by a once more.",
            lambda x, x0, a, b: (x0 - x / a) / (b / a) ** 2,
        ),
        last_line("D - x / a above: with b^2 below it is a D - x.", lambda x, x0, a, b: (x0 - x / a) / b**2),
        last_line("a D - x / b^2, a missing pair of brackets: all of a D - x is divided.", lambda x, x0, a, b: a * x0 - x / b**2),
        last_line("sqrt(a) before D, as of an alpha_bar: scale is a itself.", lambda x, x0, a, b: (a.sqrt() * x0 - x) / b**2),
        last_line("a^2 before D: it is a.", lambda x, x0, a, b: (a**2 * x0 - x) / b**2),
        last_line("-D / b, the score of a network that predicts the noise: D predicts x_0.", lambda x, x0, a, b: -x0 / b),
        last_line("a (D - x) / b^2, misplaced brackets: a belongs to D alone.", lambda x, x0, a, b: a * (x0 - x) / b**2),
        last_line("b^4 below, as where std is taken for a variance and squared: b is a standard deviation.", lambda x, x0, a, b: (a * x0 - x) / b**4),
        last_line("a + b for b^2 below.", lambda x, x0, a, b: (a * x0 - x) / (a + b)),
        last_line("D's answer itself: the score is (a D - x) / b^2.", lambda x, x0, a, b: x0),
        last_line("-x / b^2, the score of pure noise: D is missing.", lambda x, x0, a, b: -x / b**2),
        last_line(
            "1 - a^2 for b^2, which holds for VP alone: std is given.",
            lambda x, x0, a, b: (a * x0 - x) / (1 - a**2).clamp(min=1e-6),
        ),
        *(
            last_line(f"std cut off below {c:g}: at small noise it counts.", lambda x, x0, a, b, c=c: (a * x0 - x) / b.clamp(min=c) ** 2)
            for c in (0.1, 0.05, 0.01, 1e-3)
        ),
        *(
            last_line(f"{c:g} added to b^2: at small noise it counts.", lambda x, x0, a, b, c=c: (a * x0 - x) / (b**2 + c))
            for c in (1e-3, 1e-4, 1e-5, 1e-6, 1e-8)
        ),
        in_float32(score_from_denoiser),
    ],
)  # fmt: skip
