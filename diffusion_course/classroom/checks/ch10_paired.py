"""The machine of chapter 10: the difference of two distances, with an interval from samples that share their noise."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .ch10_frechet import covariance, root
from .data import Check, Mutant
from .inputs import Draw
from .slips import argument_slip, result_slip

Result = tuple[Tensor, Tensor, Tensor]


def paired_difference(a: Tensor, b: Tensor, mean: Tensor, cov: Tensor, group: Tensor, reach: float) -> Result:
    return machine(a, b, mean, cov, group, reach)


def without_each(group: Tensor, G: int) -> Tensor:
    """Which samples are left without group 0, 1, ...: (G, N)."""
    return group != torch.arange(G, device=group.device)[:, None]


def moments(x: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """Of the kept samples of x (2, N, d), for each row of kept (2, K, N): means (2, K, d), covariances (2, K, d, d)."""
    n = kept.sum(-1, keepdim=True)
    mean = kept @ x / n
    centred = (x[:, None] - mean[:, :, None]) * kept[..., None]
    return mean, centred.mT @ centred / (n - 1)[..., None]


def apart(mean_a: Tensor, mean_b: Tensor) -> Tensor:
    return (mean_a - mean_b).square().sum(-1)


def trace(cov: Tensor) -> Tensor:
    return cov.diagonal(dim1=-2, dim2=-1).sum(-1)


def cross(cov_a: Tensor, cov_b: Tensor) -> Tensor:
    factor = root(cov_b)
    return torch.linalg.eigvalsh(factor @ cov_a @ factor).clamp(min=0).sqrt().sum(-1)


def distance(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> Tensor:
    """`frechet_distance` of each row: (2, K)."""
    return apart(mean_a, mean_b) + trace(cov_a) + trace(cov_b) - 2 * cross(cov_a, cov_b)


def jackknife(left_out: Tensor) -> Tensor:
    """The standard error, from the values without each group (G,)."""
    return ((len(left_out) - 1) / len(left_out) * spread(left_out)).sqrt()


def spread(v: Tensor) -> Tensor:
    """The sum of the squared deviations."""
    return (v - v.mean()).square().sum()


def of_difference(without_a: Tensor, without_b: Tensor, whole: Tensor) -> Tensor:
    return jackknife(without_a - without_b)


def interval(value: Tensor, half: Tensor) -> Result:
    return value, value - half, value + half


def same_groups(kept: Tensor) -> Tensor:
    return kept


def machine(
    a: Tensor,
    b: Tensor,
    mean: Tensor,
    cov: Tensor,
    group: Tensor,
    reach: float,
    left: Callable[[Tensor, int], Tensor] = without_each,
    left_of_b: Callable[[Tensor], Tensor] = same_groups,
    moments: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = moments,
    distance: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] = distance,
    error: Callable[[Tensor, Tensor, Tensor], Tensor] = of_difference,
    value: Callable[[Tensor, Tensor], Tensor] = lambda whole, left_out: whole,
    end: Callable[[Tensor, Tensor], Result] = interval,
) -> Result:
    """The comparison in parts that a mutant has another of. All distances are computed at once: row 0 is of all samples."""
    kept = left(group, int(group.max()) + 1)
    rows = torch.stack([kept, left_of_b(kept)])
    every = torch.cat([torch.ones_like(rows[:, :1]), rows], dim=1).to(a)
    found = distance(*moments(torch.stack([a, b]), every), mean, cov)
    without_a, without_b = found[:, 1:]
    whole = found[0, 0] - found[1, 0]
    return end(value(whole, without_a - without_b), reach * error(without_a, without_b, whole))


def slip(hint: str, **parts: Callable) -> Mutant:
    def function(a: Tensor, b: Tensor, mean: Tensor, cov: Tensor, group: Tensor, reach: float) -> Result:
        return machine(a, b, mean, cov, group, reach, **parts)

    return Mutant(hint, function)


def wrong_error(hint: str, error: Callable[[Tensor, int], Tensor]) -> Mutant:
    """A mutant with another standard error, error(values without each group, their number)."""
    return slip(hint, error=lambda a, b, whole: error(a - b, len(a)))


def unpaired(hint: str, combine: Callable[[Tensor, Tensor], Tensor]) -> Mutant:
    """A mutant whose standard error is combined of those of each sampler alone."""
    return slip(hint, error=lambda a, b, whole: combine(jackknife(a), jackknife(b)))


def second_moments(x: Tensor, kept: Tensor, less: int) -> tuple[Tensor, Tensor]:
    n = kept.sum(-1, keepdim=True)
    return kept @ x / n, (x.mT[:, None] * kept[..., None, :]) @ x[:, None] / (n - less)[..., None]


def divided_by_n(x: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    n, (mean, cov) = kept.sum(-1)[..., None, None], moments(x, kept)
    return mean, cov * (n - 1) / n


def not_divided(x: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    mean, cov = moments(x, kept)
    return mean, cov * (kept.sum(-1)[..., None, None] - 1)


def variances_alone(x: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    mean, cov = moments(x, kept)
    return mean, cov.diagonal(dim1=-2, dim2=-1).diag_embed()


def own(change: Callable[..., Result], hint: str) -> Mutant:
    """A mutant that returns change(the right result, N, G) for N samples in G groups."""

    def function(a: Tensor, b: Tensor, mean: Tensor, cov: Tensor, group: Tensor, reach: float) -> Result:
        return change(paired_difference(a, b, mean, cov, group, reach), len(a), int(group.max()) + 1)

    return Mutant(hint, function)


def rescaled(hint: str, factor: Callable[[int, int], float]) -> Mutant:
    """A mutant whose squared standard error is factor(N, G) sum_g (theta_g - mean theta)^2."""

    def change(right: Result, n: int, G: int) -> Result:
        return interval(right[0], (right[2] - right[0]) * (factor(n, G) * G / (G - 1)) ** 0.5)

    return own(change, hint)


def about_the_mean(a: Tensor, b: Tensor, mean: Tensor, cov: Tensor, group: Tensor, reach: float) -> Result:
    """An interval about the mean of the theta_g."""
    value = paired_difference(a, b, mean, cov, group, reach)[0]
    ends = machine(a, b, mean, cov, group, reach, value=lambda whole, left_out: left_out.mean())
    return value, ends[1], ends[2]


def weighted(a: Tensor, b: Tensor, mean: Tensor, cov: Tensor, group: Tensor, reach: float) -> Result:
    """Deviations from a mean of the theta_g that is weighted by the sizes of the groups."""
    share = torch.bincount(group).to(a) / len(group)

    def error(of_a: Tensor, of_b: Tensor, whole: Tensor) -> Tensor:
        v = of_a - of_b
        return ((len(v) - 1) / len(v) * (v - (share * v).sum()).square().sum()).sqrt()

    return machine(a, b, mean, cov, group, reach, error=error)


def even(group: Tensor) -> Tensor:
    """Pieces of one size, in the order of the samples."""
    return torch.arange(len(group), device=group.device) * (int(group.max()) + 1) // len(group)


def evened(group: Tensor) -> Tensor:
    """Pieces of one size, in the order of the groups."""
    return torch.empty_like(group).scatter_(0, group.argsort(stable=True), even(group))


def always(value: float) -> Callable[[float], float]:
    return lambda reach: value


def between(a: Tensor, b: Tensor, group: Tensor, reach: float) -> Result:
    kept = torch.cat([group[None] >= 0, without_each(group, int(group.max()) + 1)]).to(a)
    means, covs = moments(torch.stack([a, b]), kept.expand(2, *kept.shape))
    found = distance(means[0], covs[0], means[1], covs[1])
    return interval(found[0], reach * jackknife(found[1:]))


def drawn(d: Draw, n: int, size: int, groups: int) -> tuple:
    """Two samplers' features of the same noise, real moments, and the group of each sample: no two groups need be of one size."""
    shared = d.normal(n, size)
    a = 0.8 * shared + 0.4 * d.normal(n, size) + 0.3
    b = 1.1 * shared + 0.5 * d.normal(n, size) - 0.2
    group = d.shuffled(torch.arange(n, device=d.device) % groups)
    return a, b, d.normal(size) / 3, covariance(d, size), group, d.integer(180, 280) / 100.7


def comparisons(d: Draw) -> Iterator[tuple[str, tuple]]:
    """As the chapter has them: ten groups and the factor 2.26; the same sampler twice; one that is far better."""
    yield "ten groups of three", drawn(d, 30, 2, 10)
    a, b, mean, cov, group, _ = drawn(d, 60, 3, 10)
    yield "ten groups, the factor 2.262", (a, b, mean, cov, group, 2.262)
    yield "the worse sampler second", (mean + a, mean + 3 * b, mean, cov, group, 2.262)
    yield "the same samples twice", (a, a.clone(), mean, cov, group, 2.262)
    yield "two groups", (a, b, mean, cov, group % 2, 12.7)
    yield "groups of other sizes", (a, b, mean, cov, (group - 6).clamp(min=0), 3.182)
    yield "groups in one piece", (a, b, mean, cov, group.sort().values, 1.0)
    yield "one dimension", drawn(d, 25, 1, 5)
    yield "in the thousands", (1500 * a, 2000 * b, 1500 * mean, 4e6 * cov, group, 2.262)
    yield "features far from 0", (50 + 3 * a, 51 + 3 * b, 50 + mean, 9 * cov, group, 2.262)


SE = "sqrt((G - 1)/G sum_g (theta_g - mean theta)^2)"

PAIRED_DIFFERENCE = Check(
    id="10-paired_difference",
    points=6,
    minutes=35,
    level=3,
    reference=paired_difference,
    inputs=lambda d: drawn(d, 12 + 2 * d.T, 2 + (d.integer(0, 1)), d.integer(4, 6)),
    fixed=comparisons,
    where='the four steps in section 7 of this notebook ("Which of two is better?"): the difference of all samples, theta_g without group g of '
    f"both, the standard error {SE}, and the interval of reach times it on both sides.",
    outputs=("difference", "low", "high"),
    recording=False,
    only={
        ("low", "high"): "The difference is right, its ends are not: see steps 2 to 4.",
        "low": "The difference and high are right. low is difference - reach e.",
        "high": "The difference and low are right. high is difference + reach e.",
    },
    mutants=[
        # pairs
        unpaired(
            "two independent samplers, sqrt(e_a^2 + e_b^2): they share their noise, so take the jackknife of the difference.",
            lambda e, f: (e**2 + f**2).sqrt(),
        ),
        unpaired("the standard error of a alone, or a group that is left out of a alone: take the jackknife of the difference.", lambda e, f: e),
        unpaired("the standard error of b alone, or a group that is left out of b alone: take the jackknife of the difference.", lambda e, f: f),
        unpaired("the standard errors of both, added: take the jackknife of the difference.", lambda e, f: e + f),
        unpaired("the difference of the two standard errors: take the jackknife of the difference.", lambda e, f: e - f),
        unpaired("the difference of the two standard errors, without its sign: take the jackknife of the difference.", lambda e, f: (e - f).abs()),
        unpaired("a mean of the two standard errors: take the jackknife of the difference.", lambda e, f: (e + f) / 2),
        unpaired("the larger one of the two standard errors: take the jackknife of the difference.", torch.maximum),
        slip(
            "another group left out of b than of a: the same samples are left out of both.",
            left_of_b=lambda kept: kept.roll(1, 0),
        ),
        slip(
            "the next group left out of b than of a: the same samples are left out of both.",
            left_of_b=lambda kept: kept.roll(-1, 0),
        ),
        argument_slip(
            "samples of b in another order: row i of a and row i of b have one noise, and their group.", paired_difference, "b", lambda b: b.flip(0)
        ),
        # groups
        slip("the group kept, and all others left out: it is left out, group != g.", left=lambda group, G: ~without_each(group, G)),
        slip("the last group forgotten: the groups are 0 ... G - 1.", left=lambda group, G: without_each(group, G - 1)),
        slip("the first group forgotten: the groups begin with 0.", left=lambda group, G: without_each(group, G)[1:]),
        slip("groups counted from 1 to G: they are 0 ... G - 1.", left=lambda group, G: without_each(group - 1, G)),
        slip("ten groups, whatever their number is: it is group.max() + 1.", left=lambda group, G: without_each(group, 10)),
        argument_slip(
            "groups of neighbours, in the order of the samples: use the argument group.", paired_difference, "group", lambda group: group.sort().values
        ),
        argument_slip("groups cut from the samples in their order, in pieces of one size: use the argument group.", paired_difference, "group", even),
        argument_slip(
            "groups cut to one size: those of the argument may be of several sizes, leave out group == g, however many these are.",
            paired_difference,
            "group",
            evened,
        ),
        argument_slip(
            "groups made anew, i % G: use the argument group.",
            paired_difference,
            "group",
            lambda group: torch.arange(len(group), device=group.device) % (group.max() + 1),
        ),
        argument_slip(
            "each sample left out by itself: the groups of the argument are left out.",
            paired_difference,
            "group",
            lambda group: torch.arange(len(group), device=group.device),
        ),
        # the standard error
        wrong_error(f"1/G in the place of (G - 1)/G: the values without a group differ little, since they share most samples. The error is {SE}.", lambda v, G: (spread(v) / G).sqrt()),
        wrong_error(f"the ordinary standard deviation of the theta_g: the jackknife's is {SE}.", lambda v, G: v.std()),
        wrong_error(f"the ordinary standard error of a mean, std/sqrt(G): the theta_g are not independent. The jackknife's is {SE}.", lambda v, G: v.std() / G**0.5),
        wrong_error(f"the standard deviation over G, divided by sqrt(G): the jackknife's error is {SE}.", lambda v, G: (spread(v) / G).sqrt() / G**0.5),
        wrong_error(f"no factor (G - 1)/G: the error is {SE}.", lambda v, G: spread(v).sqrt()),
        wrong_error(f"G - 1 in the place of (G - 1)/G: the error is {SE}.", lambda v, G: ((G - 1) * spread(v)).sqrt()),
        wrong_error(f"the factor upside down, G/(G - 1): the error is {SE}.", lambda v, G: (G / (G - 1) * spread(v)).sqrt()),
        wrong_error("the factor (G - 1)/G outside of the root: it belongs under it.", lambda v, G: (G - 1) / G * spread(v).sqrt()),
        wrong_error("a variance: its root is the standard error.", lambda v, G: (G - 1) / G * spread(v)),
        wrong_error("theta_g without their mean taken away: it is their deviations that are squared.", lambda v, G: ((G - 1) / G * v.square().sum()).sqrt()),
        wrong_error("absolute deviations: they are squared, summed, and then the root is taken.", lambda v, G: (G - 1) / G * (v - v.mean()).abs().sum()),
        slip(
            "deviations from the difference of all samples: the jackknife takes them from the mean of the theta_g.",
            error=lambda a, b, whole: ((len(a) - 1) / len(a) * (a - b - whole).square().sum()).sqrt(),
        ),
        wrong_error(f"a division by sqrt(G): the jackknife's error {SE} is that of the whole difference already.", lambda v, G: jackknife(v) / G**0.5),
        wrong_error("a division by G.", lambda v, G: jackknife(v) / G),
        rescaled("(N - 1)/N in the place of (G - 1)/G: it is the number of groups that counts.", lambda n, G: (n - 1) / n),
        rescaled("9/10 whatever the number of groups is: the factor is (G - 1)/G.", lambda n, G: 0.9),
        Mutant("a mean of the theta_g weighted by the sizes of their groups: it is the plain mean.", weighted),
        # the interval
        Mutant("ends about the mean of the theta_g: they are difference - reach e and difference + reach e.", about_the_mean),
        slip("-reach e and +reach e as the ends: add the difference to both.", end=lambda v, half: (v, -half, half)),
        *(
            argument_slip(f"{value:g} in the place of reach: use the argument.", paired_difference, "reach", always(value))
            for value in (1.96, 2.26, 2.0, 1.0)
        ),
        argument_slip("half of reach: the interval reaches so far to both sides.", paired_difference, "reach", lambda reach: reach / 2),
        argument_slip("twice reach: the interval is 2 reach e wide, reach e to each side.", paired_difference, "reach", lambda reach: 2 * reach),
        result_slip("low and high swapped.", paired_difference, lambda r: (r[0], r[2], r[1])),
        result_slip("ends cut at 0: a difference may be negative, only distances may not.", paired_difference, lambda r: (r[0], r[1].clamp(min=0), r[2].clamp(min=0))),
        result_slip("a low end cut at 0: a difference may be negative, only distances may not.", paired_difference, lambda r: (r[0], r[1].clamp(min=0), r[2])),
        result_slip("half of the width in the place of the ends.", paired_difference, lambda r: (r[0], r[0] - r[1], r[2] - r[0])),
        slip("b minus a: the difference is that of a, minus that of b.", end=lambda v, half: interval(-v, half)),
        slip("the difference without its sign.", end=lambda v, half: interval(v.abs(), half)),
        slip("the mean of the theta_g for the difference: it is that of all samples.", value=lambda whole, left_out: left_out.mean()),
        slip(
            "a difference with its bias taken away, G d - (G - 1) mean theta: d itself is asked for.",
            value=lambda whole, left_out: len(left_out) * whole - (len(left_out) - 1) * left_out.mean(),
        ),
        # distances
        slip("covariances divided by N: the unbiased one is divided by N - 1, as torch.cov does.", moments=divided_by_n),
        slip("second moments in the place of covariances: the mean is taken away first.", moments=lambda x, kept: second_moments(x, kept, 1)),
        slip(
            "second moments, divided by N, in the place of covariances: the mean is taken away first.",
            moments=lambda x, kept: second_moments(x, kept, 0),
        ),
        slip("a sum of squares about the mean, not divided: a covariance is divided by N - 1.", moments=not_divided),
        slip("variances alone: the covariances beside the diagonal count, too.", moments=variances_alone),
        slip(
            "the trace of the product in the place of the trace of its root, in the distance.",
            distance=lambda m, s, n, t: apart(m, n) + trace(s) + trace(t) - 2 * trace(s @ t),
        ),
        slip("distances without the means' part.", distance=lambda m, s, n, t: distance(m, s, m, t)),
        slip("the root of each distance: the course's distance is the square.", distance=lambda *args: distance(*args).clamp(min=0).sqrt()),
        slip("distances without the factor 2 of the root.", distance=lambda m, s, n, t: apart(m, n) + trace(s) + trace(t) - cross(s, t)),
        Mutant(
            "the distance of a from b: each is compared with the real moments, mean and cov.",
            lambda a, b, mean, cov, group, reach: between(a, b, group, reach),
        ),
    ],
)  # fmt: skip
