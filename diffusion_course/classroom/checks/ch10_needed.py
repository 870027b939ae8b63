"""To find out how many samples a comparison needs: from the marks of a pilot."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw
from .slips import result_slip

FORMULA = "n = (z_{1 - level/2} + z_power)^2 s^2 / delta^2"


def needed_samples(marks_a: Tensor, marks_b: Tensor, level: float, power: float) -> Tensor:
    return needed(marks_a, marks_b, level, power)


def z(p: float) -> float:
    return torch.special.ndtri(torch.tensor(p, dtype=torch.float64)).item()


def ndtr(x: float) -> float:
    return torch.special.ndtr(torch.tensor(x, dtype=torch.float64)).item()


def quantiles(level: float, power: float) -> float:
    return (z(1 - level / 2) + z(power)) ** 2


def variance(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).var(correction=0)


def squared_difference(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).mean().square()


def up(n: Tensor) -> Tensor:
    return n.ceil()


def needed(
    marks_a: Tensor,
    marks_b: Tensor,
    level: float,
    power: float,
    quantiles: Callable[[float, float], float] = quantiles,
    variance: Callable[[Tensor, Tensor], Tensor] = variance,
    divide: Callable[[Tensor, Tensor], Tensor] = squared_difference,
    whole: Callable[[Tensor], Tensor] = up,
) -> Tensor:
    """The number in parts that a mutant has another of."""
    a, b = marks_a.double(), marks_b.double()
    return whole(quantiles(level, power) * variance(a, b) / divide(a, b)).long()


def slip(hint: str, **parts: Callable) -> Mutant:
    def function(marks_a: Tensor, marks_b: Tensor, level: float, power: float) -> Tensor:
        return needed(marks_a, marks_b, level, power, **parts)

    return Mutant(hint, function)


def pilot(d: Draw, n: int, only_a: int, only_b: int, both: int) -> tuple[Tensor, Tensor]:
    """Marks of n samples, of which so many are recognised of a alone, of b alone and of both, in no order."""
    a = torch.zeros(n, dtype=torch.float64)
    b = a.clone()
    a[: only_a + both] = 1
    b[only_a : only_a + both + only_b] = 1
    order = torch.argsort(d.uniform(0, 1, n).cpu())
    return a[order].to(d.device), b[order].to(d.device)


def case(d: Draw) -> tuple:
    """A pilot in which one of the two is ahead by a few samples."""
    n, fewer = d.integer(50, 120), d.integer(1, 6)
    more, both = fewer + d.integer(4, 9), d.integer(8, 30)
    only_a, only_b = (fewer, more) if d.integer(0, 1) else (more, fewer)
    level, power = d.uniform(0.002, 0.12).item(), d.uniform(0.55, 0.97).item()
    return (*pilot(d, n, only_a, only_b, both), level, power)


def pilots(d: Draw) -> Iterator[tuple[str, tuple]]:
    """As the chapter has them, and where a formula by heart shows: a power of a half, a strict level, a difference that is small or whole."""
    yield "two samplers of digits", (*pilot(d, 100, 2, 9, 85), 0.05, 0.8)
    yield "a power of a half", (*pilot(d, 90, 12, 3, 40), 0.05, 0.5)
    yield "a power below a half", (*pilot(d, 90, 12, 3, 40), 0.05, 0.2)
    yield "a strict level", (*pilot(d, 80, 9, 2, 30), 0.0007, 0.9)
    yield "a level for many comparisons", (*pilot(d, 300, 4, 21, 260), 0.05 / 7, 0.8)
    yield "a small difference, of many", (*pilot(d, 5000, 101, 93, 4000), 0.05, 0.8149)
    yield "they never agree", (*pilot(d, 41, 30, 11, 0), 0.1, 0.8)
    yield "b is never recognised", (*pilot(d, 37, 15, 0, 0), 0.05, 0.95)
    yield "a is recognised always", (*pilot(d, 37, 11, 0, 26), 0.05, 0.95)


NEEDED_SAMPLES = Check(
    id="10-needed_samples",
    points=5,
    minutes=25,
    level=2,
    reference=needed_samples,
    inputs=case,
    fixed=pilots,
    where=f'the formula in section 7 of this notebook ("Which of two is better?"): {FORMULA}, rounded up, where delta and s^2 are the mean and the '
    "variance (divided by N) of the differences marks_a - marks_b (Fleiss et al. 2003, chapter 13, for pairs).",
    outputs=("n",),
    recording=False,
    mutants=[
        # whole numbers
        slip("rounding down: with one sample fewer than needed the power is short of what was asked, so round up.", whole=torch.floor),
        slip("rounding to the nearest: round up, fewer are not enough.", whole=torch.round),
        slip("one more than the next whole number.", whole=lambda n: n.ceil() + 1),
        slip("int(n) + 1 of a number that was rounded before.", whole=lambda n: n.round() + 1),
        result_slip("the samples of both together: n is the number of each, and so of pairs.", needed_samples, lambda n: 2 * n),
        Mutant(
            "twice the formula, the samples of both together: n is the number of each, and so of pairs.",
            lambda a, b, level, power: (2 * quantiles(level, power) * variance(a, b) / squared_difference(a, b)).ceil().long(),
        ),
        result_slip("half of them.", needed_samples, lambda n: n // 2),
        result_slip("the pilot's number as a lower bound: the formula may ask for fewer.", lambda *args: (needed_samples(*args), len(args[0])), lambda r: r[0].clamp(min=r[1])),
        Mutant(
            "rounding up before the division by delta^2, and down after it: round up once, at the end.",
            lambda a, b, level, power: ((quantiles(level, power) * variance(a, b)).ceil() / squared_difference(a, b)).long(),
        ),
        Mutant(
            "rounding up before the division by delta^2: round up once, at the end.",
            lambda a, b, level, power: ((quantiles(level, power) * variance(a, b)).ceil() / squared_difference(a, b)).ceil().long(),
        ),
        Mutant(
            "the root of n rounded up, then squared: round up once, at the end.",
            lambda a, b, level, power: (quantiles(level, power) * variance(a, b) / squared_difference(a, b)).sqrt().ceil().square().long(),
        ),
        # quantiles
        slip("z of (1 - level)/2: it is z of 1 - level/2.", quantiles=lambda level, power: (z((1 - level) / 2) + z(power)) ** 2),
        slip("z of (1 + level)/2: it is z of 1 - level/2.", quantiles=lambda level, power: (z((1 + level) / 2) + z(power)) ** 2),
        slip("z of 1 - 2 level: the level is halved, not doubled, z of 1 - level/2.", quantiles=lambda level, power: (z(1 - 2 * level) + z(power)) ** 2),
        slip("level and power swapped: it is z of 1 - level/2, and z of power.", quantiles=lambda level, power: (z(1 - power / 2) + z(level)) ** 2),
        slip("a one-sided test, z_{1 - level}: either of the two may be better, so it is z_{1 - level/2}.", quantiles=lambda level, power: (z(1 - level) + z(power)) ** 2),
        slip("the power left out: then the chance to see a true difference is a half.", quantiles=lambda level, power: z(1 - level / 2) ** 2),
        slip("the power left out, and one side alone.", quantiles=lambda level, power: z(1 - level) ** 2),
        slip("z_power taken away, or z_{1 - power} or z_{level/2}, which are negative: z_{1 - level/2} and z_power are added.", quantiles=lambda level, power: (z(1 - level / 2) + z(1 - power)) ** 2),
        slip("both quantiles squared, then added: the sum is squared.", quantiles=lambda level, power: z(1 - level / 2) ** 2 + z(power) ** 2),
        slip("the sum of the quantiles without its square.", quantiles=lambda level, power: z(1 - level / 2) + z(power)),
        slip("z of (1 + power)/2: a true difference has one direction, so the power is one-sided.", quantiles=lambda level, power: (z(1 - level / 2) + z((1 + power) / 2)) ** 2),
        slip("level and power in the place of their quantiles: use torch.special.ndtri.", quantiles=lambda level, power: (1 - level / 2 + power) ** 2),
        slip("z_{1 - level/2} and z_power multiplied.", quantiles=lambda level, power: (z(1 - level / 2) * z(power)) ** 2),
        slip("1.96 for the level, whatever it is: it is the quantile of 0.05 alone.", quantiles=lambda level, power: (1.96 + z(power)) ** 2),
        slip("0.84 for the power, whatever it is: it is the quantile of 0.8 alone.", quantiles=lambda level, power: (z(1 - level / 2) + 0.84) ** 2),
        slip("the quantile of 0.8, whatever the power is.", quantiles=lambda level, power: (z(1 - level / 2) + z(0.8)) ** 2),
        slip("1.96 and 0.84, whatever level and power are: use the arguments.", quantiles=lambda level, power: 2.8**2),
        slip("the quantiles of 0.05 and 0.8, whatever level and power are: use the arguments.", quantiles=lambda level, power: (z(0.975) + z(0.8)) ** 2),
        slip("quantiles to two digits: take them from torch.special.ndtri.", quantiles=lambda level, power: (round(z(1 - level / 2), 2) + round(z(power), 2)) ** 2),
        slip("the distribution function for its inverse: ndtri(q) is the number below which a share q lies, ndtr the other way.", quantiles=lambda level, power: (ndtr(1 - level / 2) + ndtr(power)) ** 2),
        slip("z_{1 - level/2} twice: the power has a quantile of its own.", quantiles=lambda level, power: (2 * z(1 - level / 2)) ** 2),
        slip("z_power twice: the level has a quantile of its own, z_{1 - level/2}.", quantiles=lambda level, power: (2 * z(power)) ** 2),
        # the variance
        slip("the variance of one sampler's marks, a: it is that of the differences.", variance=lambda a, b: a.var(correction=0)),
        slip("the variance of one sampler's marks, b: it is that of the differences.", variance=lambda a, b: b.var(correction=0)),
        slip(
            "the variances of two independent samples, added: the two share their noise, and what they have in common falls out of the differences.",
            variance=lambda a, b: a.var(correction=0) + b.var(correction=0),
        ),
        slip(
            "2 p (1 - p), with the mean share p: that is for two independent samples. Here take the variance of the differences.",
            variance=lambda a, b: (p := (a.mean() + b.mean()) / 2) * (1 - p) * 2,
        ),
        slip("p (1 - p), with the mean share p, or the variance of all marks together: take the variance of the differences.", variance=lambda a, b: (p := (a.mean() + b.mean()) / 2) * (1 - p)),
        slip("the unbiased variances of two independent samples, added: take that of the differences, divided by N.", variance=lambda a, b: a.var() + b.var()),
        slip("the unbiased variance of one sampler's marks, a: take that of the differences, divided by N.", variance=lambda a, b: a.var()),
        slip("N - 1 in the variance, as torch's var takes it by default (correction=0 does not): here it is divided by N.", variance=lambda a, b: (a - b).var()),
        slip("the mean of (a - b)^2, the share of pairs that differ: take the square of the mean away from it.", variance=lambda a, b: (a - b).square().mean()),
        slip("the standard deviation for the variance.", variance=lambda a, b: (a - b).std(correction=0)),
        slip("the variance of the absolute differences: keep their signs.", variance=lambda a, b: (a - b).abs().var(correction=0)),
        slip("the variance of the mean difference: that of a single difference is asked for, without 1/N.", variance=lambda a, b: (a - b).var(correction=0) / len(a)),
        slip("a sum of squares for the variance: it is divided by N.", variance=lambda a, b: (a - b).var(correction=0) * len(a)),
        slip("marks sorted before they are compared: row i of both has one noise.", variance=lambda a, b: (a.sort().values - b.sort().values).var(correction=0)),
        Mutant(
            "another formula, in which the level's quantile goes with the share of pairs that differ: here both go with s.",
            lambda a, b, level, power: (
                (z(1 - level / 2) * (share := (a - b).square().mean()).sqrt() + z(power) * (share - squared_difference(a, b)).sqrt()) ** 2
                / squared_difference(a, b)
            )
            .ceil()
            .long(),
        ),
        # the difference
        Mutant(
            "the formula upside down: it is s^2 / delta^2.",
            lambda a, b, level, power: (quantiles(level, power) * squared_difference(a, b) / variance(a, b)).ceil().long(),
        ),
        *(
            Mutant(
                f"a root z s / delta that keeps the sign of delta, cut off at {least}: b may be ahead as well, so square delta or take |delta|.",
                lambda a, b, level, power, least=least: (
                    (quantiles(level, power) ** 0.5 * variance(a, b).sqrt() / (a - b).mean()).clamp(min=least).square().ceil().long()
                ),
            )
            for least in (0, 1)
        ),
        Mutant(
            "|a - b| in the place of a - b: delta and s^2 are the mean and the variance of differences with their signs.",
            lambda a, b, level, power: needed((a - b).abs(), 0 * b, level, power),
        ),
        Mutant(
            "mean and variance of those pairs alone that differ: the pairs in which both are right, or both wrong, count with a difference of 0.",
            lambda a, b, level, power: needed(a[a != b], b[a != b], level, power),
        ),
        slip(
            "the variance of those pairs alone that differ: the pairs in which both are right, or both wrong, count with a difference of 0.",
            variance=lambda a, b: (a - b)[a != b].var(correction=0),
        ),
        Mutant(
            "the root of the whole, z s / |delta|: it is squared.",
            lambda a, b, level, power: (quantiles(level, power) * variance(a, b) / squared_difference(a, b)).sqrt().ceil().long(),
        ),
        slip("no square of the difference below.", divide=lambda a, b: (a - b).mean().abs()),
        slip("the mean of (a - b)^2 for the square of the mean.", divide=lambda a, b: (a - b).square().mean()),
        slip("the mean of |a - b|, the share of pairs that differ: delta is the mean with signs.", divide=lambda a, b: (a - b).abs().mean().square()),
        slip("the sum of the differences: delta is their mean.", divide=lambda a, b: (a - b).sum().square()),
        slip("a relative difference, divided by the share of a: delta is the difference of the shares.", divide=lambda a, b: ((a - b).mean() / a.mean()).square()),
        slip("a relative difference, divided by the share of b: delta is the difference of the shares.", divide=lambda a, b: ((a - b).mean() / b.mean()).square()),
        slip("half of the difference.", divide=lambda a, b: ((a - b).mean() / 2).square()),
    ],
)  # fmt: skip
