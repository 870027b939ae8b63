"""To find out which method is better: what a measurement shows of pairs, and what it leaves open."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw
from .slips import argument_slip, result_slip

Spread = Callable[[Tensor, Tensor], Tensor]


def shown_better(marks: Tensor, k: float) -> tuple[Tensor, Tensor, Tensor]:
    return reading(marks, k)


def each_pair(marks: Tensor) -> Tensor:
    """marks[i] - marks[j]: (M, M, N)."""
    return marks[:, None] - marks[None]


def standard_error(d: Tensor, marks: Tensor) -> Tensor:
    """Of the mean of each pair's differences d: (M, M)."""
    return (d.var(-1, correction=0) / d.shape[-1]).sqrt()


def beyond(difference: Tensor, reach: Tensor) -> Tensor:
    return difference > reach


def reading(
    marks: Tensor,
    k: float,
    pairs: Callable[[Tensor], Tensor] = each_pair,
    spread: Spread = standard_error,
    decide: Callable[[Tensor, Tensor], Tensor] = beyond,
    mean: Callable[[Tensor], Tensor] = lambda d: d.mean(-1),
) -> tuple[Tensor, Tensor, Tensor]:
    """difference, reach and decision, in parts that a mutant has another of."""
    d = pairs(marks)
    difference, reach = mean(d), k * spread(d, marks)
    return difference, reach, decide(difference, reach)


def slip(hint: str, **parts: Callable) -> Mutant:
    def function(marks: Tensor, k: float) -> tuple[Tensor, Tensor, Tensor]:
        return reading(marks, k, **parts)

    return Mutant(hint, function)


def whole(hint: str, change: Callable) -> Mutant:
    """A mutant that returns change(difference, reach, shown)."""
    return result_slip(hint, shown_better, lambda result: change(*result))


def cut(difference: Tensor, reach: Tensor, shown: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    reach = torch.minimum(reach, 1 - difference.abs())
    return difference, reach, difference > reach


def ends_cut(difference: Tensor, reach: Tensor, shown: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    low, high = (difference - reach).clamp(min=-1), (difference + reach).clamp(max=1)
    return difference, (high - low) / 2, shown


def of_those_that_differ(d: Tensor, marks: Tensor) -> Tensor:
    n, mean = differing(d), d.sum(-1) / differing(d)
    return ((d != 0) * (d - mean[..., None]).square()).sum(-1).sqrt() / n


def differing(d: Tensor) -> Tensor:
    """Samples on which two methods differ, at least 1: (M, M)."""
    return (d != 0).sum(-1).clamp(min=1)


def variance(marks: Tensor) -> Tensor:
    """Of each method's marks, and the sum of two of them: (M, M)."""
    each = marks.var(-1, correction=0)
    return each[:, None] + each[None]


def drawn(d: Draw, methods: int, samples: int) -> Tensor:
    """Marks of methods that find the same samples hard: (M, N)."""
    hard, skill = d.normal(1, samples), d.uniform(-1.2, 1.8, methods, 1)
    return (skill + hard + 0.8 * d.normal(methods, samples) > 0).to(d.dtype)


def measurements(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Measurements as the chapter makes them, ties, and few samples."""
    for words, methods, samples, k in (
        ("three methods, 200 samples", 3, 200, 2.394),
        ("four methods, 1000 samples", 4, 1000, 1.96),
    ):
        yield words, (drawn(d, methods, samples), k)
    few = drawn(d, 2, 12)
    yield "twice the same method, and one that fails always", (torch.stack([*few, few[0], 0 * few[0]]), 1.0)
    shared = drawn(d, 1, 400)[0]
    better = shared.clone()
    better[(shared == 0).nonzero()[:9, 0]] = 1.0
    yield "nearly the same marks, where pairs tell more than shares", (torch.stack([shared, better]), 2.0)
    easy = torch.tensor([[1.0, 1, 1, 1], [0, 0, 0, 1]], dtype=d.dtype, device=d.device)
    yield "an interval that reaches beyond 1", (easy, 2.0)
    apart = torch.tensor([[1.0, 0], [0, 1]], dtype=d.dtype, device=d.device)
    yield "a reach above 1", (apart, 2.0)
    yield "five standard errors", (drawn(d, 3, 100), 5.0)
    gain = better - shared
    errors_away = gain.mean() / (gain.std(correction=0) / len(gain) ** 0.5)
    for words, factor in (("just above 0", 0.996), ("just below 0", 1.004)):
        yield f"an interval that ends {words}", (torch.stack([shared, better]), factor * errors_away.item())
    yield "one sample", (torch.tensor([[1.0], [0.0]], dtype=d.dtype, device=d.device), 0.645)


SHOWN_BETTER = Check(
    id="03-shown_better",
    points=4,
    minutes=15,
    level=2,
    reference=shown_better,
    inputs=lambda d: (drawn(d, d.size(), 20 + d.T), d.integer(10, 30) / 9.7),
    fixed=measurements,
    where='section 11 of this notebook ("Find out: noise, clean image or v?"): the differences d_n = marks[i, n] - marks[j, n] have '
    "the mean d and the variance s^2 (divided by N); the reach is k s / sqrt(N).",
    outputs=("difference", "reach", "shown"),
    recording=False,
    same_dtype=True,
    only={
        "shown": "difference and reach are right. shown is difference > reach, entry by entry: the lower end decides, difference - reach. "
        "An end of exactly 0 is not above 0, and a reach of 0 is a reach, too.",
        (
            "reach",
            "shown",
        ): "difference is right. reach[i, j] is half a width, k s / sqrt(N): one s for each pair, over its N samples.",
        (
            "difference",
            "reach",
            "shown",
        ): "difference comes first: entry [i, j] is the mean of marks[i] - marks[j], with its sign.",
    },
    mutants=[
        slip(
            "a reach of two independent samples, from each method's own spread: here sample n of all methods has one noise, "
            "so take the spread of the differences.",
            spread=lambda d, marks: (variance(marks) / d.shape[-1]).sqrt(),
        ),
        slip(
            "the spread of one method alone, marks[i]: take that of the differences marks[i] - marks[j].",
            spread=lambda d, marks: (
                (marks.var(-1, correction=0) / d.shape[-1]).sqrt()[:, None].expand(d.shape[:2])
            ),
        ),
        slip(
            "the two methods' own reaches, added: intervals that overlap can belong to methods that differ; take the spread of the "
            "differences.",
            spread=lambda d, marks: (
                (e := (marks.var(-1, correction=0) / d.shape[-1]).sqrt())[:, None] + e[None]
            ),
        ),
        slip(
            "the spread of all samples in the place of that of their mean: divide by sqrt(N).",
            spread=lambda d, marks: d.std(-1, correction=0),
        ),
        slip(
            "a division by N in the place of sqrt(N): a mean of N differences has the standard error s / sqrt(N).",
            spread=lambda d, marks: d.std(-1, correction=0) / d.shape[-1],
        ),
        slip(
            "s^2 in the place of s: the root of the variance is missing.",
            spread=lambda d, marks: d.var(-1, correction=0) / d.shape[-1] ** 0.5,
        ),
        slip(
            "one s for all pairs: every pair has its own, from the N differences of its samples.",
            spread=lambda d, marks: (d.var(correction=0) / d.shape[-1]).sqrt().expand(d.shape[:2]),
        ),
        slip(
            "the variance of the mean: its root is the standard error.",
            spread=lambda d, marks: d.var(-1, correction=0) / d.shape[-1],
        ),
        slip(
            "N - 1 in the place of N, in the variance, as torch's var and std take it by default (correction=0 does not), or in the root "
            "of N: both have N here.",
            spread=lambda d, marks: (d.var(-1) / d.shape[-1]).sqrt(),
        ),
        slip(
            "the number of methods in the place of the number of samples: N is marks.shape[1].",
            spread=lambda d, marks: (d.var(-1, correction=0) / len(marks)).sqrt(),
        ),
        slip(
            "the mean of d^2 for the variance: take the square of the mean away from it.",
            spread=lambda d, marks: (d.square().mean(-1) / d.shape[-1]).sqrt(),
        ),
        slip(
            "the whole width of the interval: reach is half of it, k standard errors.",
            spread=lambda d, marks: 2 * standard_error(d, marks),
        ),
        slip(
            "the spread of absolute differences: keep their sign.",
            spread=lambda d, marks: standard_error(d.abs(), marks),
        ),
        argument_slip(
            "k = 1.96, whatever k is: use the argument, several pairs take a larger one.",
            shown_better,
            "k",
            lambda k: 1.96,
        ),
        slip(
            "differences the wrong way round: entry [i, j] is method i minus method j.",
            pairs=lambda marks: -each_pair(marks),
        ),
        argument_slip(
            "one standard error: the interval reaches k of them.", shown_better, "k", lambda k: 1.0
        ),
        slip(
            "sums over the samples: take means, and divide by N and sqrt(N).",
            mean=lambda d: d.sum(-1),
            spread=lambda d, marks: d.std(-1, correction=0) * d.shape[-1] ** 0.5,
        ),
        slip(
            "a division by the number of samples on which the two differ: N counts all samples, also those with a difference of 0.",
            mean=lambda d: d.sum(-1) / differing(d),
            spread=of_those_that_differ,
        ),
        slip(
            "differences without their sign: entry [i, j] is the share of i minus that of j.",
            pairs=lambda marks: each_pair(marks).abs(),
        ),
        slip(
            "every larger share taken for shown: it is shown where the interval lies above 0, difference > reach.",
            decide=lambda difference, reach: difference > 0,
        ),
        slip(
            "a pair that is shown by the upper end, difference + reach > 0: the lower end decides, difference - reach > 0.",
            decide=lambda difference, reach: difference + reach > 0,
        ),
        slip(
            "a tie counted as shown, off the diagonal: a lower end of exactly 0 is not above 0, difference > reach.",
            decide=lambda difference, reach: (difference >= reach) & ~torch.eye(len(reach), dtype=torch.bool),
        ),
        slip(
            "pairs with a reach of 0 left out: a method that is better on all samples is shown to be better, 1 > 0.",
            decide=lambda difference, reach: (difference > reach) & (reach > 0),
        ),
        slip(
            "a reach made of the samples on which the two differ alone: s and N are those of all samples.",
            spread=of_those_that_differ,
        ),
        slip(
            "the variance of a yes or no, |d| (1 - |d|): a difference is -1, 0 or 1, so take the variance of the differences.",
            spread=lambda d, marks: ((p := d.mean(-1).abs()) * (1 - p) / d.shape[-1]).clamp(min=0).sqrt(),
        ),
        whole(
            "ends of the interval that are cut to -1 and 1, and a reach taken from them: it is not cut, it is k s / sqrt(N).",
            ends_cut,
        ),
        whole(
            "a reach cut where the interval leaves [-1, 1]: reach is not cut, it is k s / sqrt(N).",
            cut,
        ),
        whole(
            "the two ends of the interval in the place of difference and reach: return its middle, and half its width.",
            lambda difference, reach, shown: (difference - reach, difference + reach, shown),
        ),
        whole(
            "the lower end of the interval in the place of reach: reach is half its width.",
            lambda difference, reach, shown: (difference, difference - reach, shown),
        ),
        whole(
            "the results in the wrong order: return difference, reach, shown.",
            lambda difference, reach, shown: (reach, difference, shown),
        ),
        slip(
            "a difference either way taken for better: i is better where its difference is above 0, difference > reach.",
            decide=lambda difference, reach: difference.abs() > reach,
        ),
        slip(
            "methods that are shown to be worse: entry [i, j] says that i is better.",
            decide=lambda difference, reach: difference < -reach,
        ),
        slip(
            "a tie counted as shown, also of a method with itself: difference > reach, not >=.",
            decide=lambda difference, reach: difference >= reach,
        ),
        slip(
            "the pairs that are not shown: the interval must lie above 0, difference > reach.",
            decide=lambda difference, reach: difference <= reach,
        ),
        slip(
            "pairs that the data leave open, an interval with 0 inside: shown is where it lies above 0.",
            decide=lambda difference, reach: difference.abs() <= reach,
        ),
        slip(
            "shown as numbers 0 and 1: it is a tensor of bool, as a comparison gives it.",
            decide=lambda difference, reach: (difference > reach).to(difference),
        ),
    ],
)
