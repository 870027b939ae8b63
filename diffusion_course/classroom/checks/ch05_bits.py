"""Bits per dimension, estimated from a few random times an image, with an interval over the images."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw

Two = tuple[Tensor, Tensor]


def bits_per_dim(term: Callable, x0: Tensor, t: Tensor, eps: Tensor, L_T: Tensor, T: int) -> Two:
    return built(term, x0, t, eps, L_T, T)


def terms_of(term: Callable, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """(K, n)"""
    return torch.stack([term(x0, t_k, eps_k) for t_k, eps_k in zip(t, eps, strict=True)])


def estimate(terms: Tensor, L_T: Tensor, T: int) -> Tensor:
    return L_T + T * terms.mean(0)


def in_bits(nats: Tensor, x0: Tensor) -> Tensor:
    return nats / (x0[0].numel() * math.log(2))


def half(bits: Tensor, K: int) -> Tensor:
    return 1.96 * bits.std() / len(bits) ** 0.5


def student(n: int) -> float:
    """The quantile for 95 % with n - 1 degrees of freedom."""
    from scipy import stats  # slow to import, and needed by a wrong answer alone

    return float(stats.t.ppf(0.975, n - 1))


def built(
    term: Callable,
    x0: Tensor,
    t: Tensor,
    eps: Tensor,
    L_T: Tensor,
    T: int,
    ask: Callable[..., Tensor] = terms_of,
    sums: Callable[[Tensor, Tensor, int], Tensor] = estimate,
    unit: Callable[[Tensor, Tensor], Tensor] = in_bits,
    centre: Callable[[Tensor], Tensor] = torch.mean,
    width: Callable[[Tensor, int], Tensor] = half,
) -> Two:
    """The answer from its parts, each of which a slip may replace."""
    bits = unit(sums(ask(term, x0, t, eps), L_T, T), x0)
    return centre(bits), width(bits, len(t))


def slip(hint: str, **parts: Any) -> Mutant:
    return Mutant(hint, lambda *args: built(*args, **parts))


def of_terms(hint: str, width: Callable[[Tensor, int], Tensor]) -> Mutant:
    """A mutant whose interval is made of all K n terms: width(bits of each term, (K, n); K)."""

    def answer(term: Callable, x0: Tensor, t: Tensor, eps: Tensor, L_T: Tensor, T: int) -> Two:
        each = in_bits(L_T + T * terms_of(term, x0, t, eps), x0)
        return each.mean(), width(each, len(t))

    return Mutant(hint, answer)


def one_by_one(hint: str, order: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Mutant:
    """A mutant that asks with the draws order(t, eps) of each image."""
    return slip(hint, ask=lambda term, x0, t, eps: terms_of(term, x0, *order(t, eps)))


def both_ends(term: Callable, x0: Tensor, t: Tensor, eps: Tensor, L_T: Tensor, T: int) -> Two:
    middle, reach = built(term, x0, t, eps, L_T, T)
    return middle - reach, middle + reach


def prior_in_nats(term: Callable, x0: Tensor, t: Tensor, eps: Tensor, L_T: Tensor, T: int) -> Two:
    bits = L_T + in_bits(T * terms_of(term, x0, t, eps).mean(0), x0)
    return bits.mean(), half(bits, len(t))


def case(d: Draw, n: int, K: int, event: tuple[int, ...], T: int) -> tuple:
    t = (d.uniform(0, 1, K, n) * T).long().clamp(max=T - 1) + 1
    t[0, 0], t[-1, -1] = T, 1
    return d.term(n), d.normal(n, *event), t, d.normal(K, n, *event), d.uniform(0.1, 3, n), T


def random_case(d: Draw) -> tuple:
    return case(d, d.size(), d.size(), d.event[:2], d.T)


def edges(d: Draw) -> Iterator[tuple[str, tuple]]:
    yield "as in the chapter, T = 1000", case(d, 6, 4, (1, 3, 3), 1000)
    yield "one draw an image", case(d, 5, 1, (3,), 100)
    yield "two images", case(d, 2, 3, (4,), 1000)
    yield "one coordinate", case(d, 5, 3, (1,), 10)
    yield "many draws", case(d, 3, 20, (2, 2), 25)
    for name, of_data, of_noise, of_prior in (("a large prior", 1, 1, 1e4), ("wide data", 10, 5, 1)):
        term, x0, t, eps, L_T, T = case(d, 4, 3, (2, 3), 1000)
        yield name, (term, of_data * x0, t, of_noise * eps, of_prior * L_T, T)
    for name, signs in (("a difference of two terms", (1, -1, -1, 1)), ("negative terms", (-1, -1, -1, -1))):
        term, x0, t, eps, L_T, T = case(d, 4, 3, (2, 3), 100)
        scales = term.weights.detach() * torch.tensor((1, 1, 1, *signs), dtype=d.dtype, device=d.device)
        yield name, (type(term)(scales), x0, t, eps, L_T, T)


BITS_PER_DIM = Check(
    id="05-bits_per_dim",
    points=4,
    minutes=20,
    level=2,
    reference=bits_per_dim,
    inputs=random_case,
    fixed=edges,
    evaluations={"term": lambda term, x0, t, *rest: t.numel()},
    recording=False,  # it is evaluated, not trained through
    where='(8) in section 5 of this notebook ("Bits per dimension, from a few draws"): b_i = (L_T + T times the mean of its terms) / (d ln 2), '
    "their mean, and 1.96 times their standard deviation over sqrt(n).",
    outputs=("bits per dimension", "half of the interval"),
    mutants=[
        # from terms to a sum
        slip("no factor T: the mean over random t is L_vlb / T.", sums=lambda terms, L_T, T: L_T + terms.mean(0)),
        slip("T - 1 for T: t is drawn from 1..T.", sums=lambda terms, L_T, T: L_T + (T - 1) * terms.mean(0)),
        slip("a sum over the draws, times T: it is their mean.", sums=lambda terms, L_T, T: L_T + T * terms.sum(0)),
        slip("a sum over the draws without T: it is T times their mean.", sums=lambda terms, L_T, T: L_T + terms.sum(0)),
        slip("the sum over the draws divided by T: it is divided by K, and multiplied by T.", sums=lambda terms, L_T, T: L_T + terms.sum(0) / T),
        slip("K - 1 for K in the mean over the draws.", sums=lambda terms, L_T, T: L_T + T * terms.sum(0) / max(1, len(terms) - 1)),
        slip("T + 1 for T: t is drawn from 1..T.", sums=lambda terms, L_T, T: L_T + (T + 1) * terms.mean(0)),
        slip("the largest of the draws: take their mean.", sums=lambda terms, L_T, T: L_T + T * terms.max(0).values),
        slip("no L_T: the prior is a term of the bound, too.", sums=lambda terms, L_T, T: T * terms.mean(0)),
        slip("L_T times T: only the terms that are drawn are.", sums=lambda terms, L_T, T: T * (L_T + terms.mean(0))),
        slip("L_T subtracted: it is a term of the bound.", sums=lambda terms, L_T, T: T * terms.mean(0) - L_T),
        slip("L_T divided by K: it is there once for each image.", sums=lambda terms, L_T, T: L_T / len(terms) + T * terms.mean(0)),
        slip("L_T once for each draw: it is there once for each image.", sums=lambda terms, L_T, T: len(terms) * L_T + T * terms.mean(0)),
        slip("the mean of L_T for all images: each has its own.", sums=lambda terms, L_T, T: L_T.mean() + T * terms.mean(0)),
        slip("the first draw alone: take the mean over all K.", sums=lambda terms, L_T, T: L_T + T * terms[0]),
        slip("the last draw alone: take the mean over all K.", sums=lambda terms, L_T, T: L_T + T * terms[-1]),
        slip("the last draw alone, and T / K: add up all K draws.", sums=lambda terms, L_T, T: L_T + T * terms[-1] / len(terms)),
        slip("the first draw alone, and T / K: add up all K draws.", sums=lambda terms, L_T, T: L_T + T * terms[0] / len(terms)),
        slip(
            "(K, n) terms reshaped to (n, K), which mixes the images: transpose them, or average over the first axis.",
            sums=lambda terms, L_T, T: L_T + T * terms.reshape(terms.shape[1], -1).mean(1),
        ),
        slip(
            "a .squeeze() of the terms: with one draw an image it removes the axis of the draws, and the images are added up.",
            sums=lambda terms, L_T, T: L_T + T / len(terms) * terms.squeeze().sum(0),
        ),
        slip(
            "a .squeeze() of the terms: with one draw an image it removes the axis of the draws, and the images are averaged.",
            sums=lambda terms, L_T, T: L_T + T * terms.squeeze().mean(0),
        ),
        slip("the size of the mean: of a difference it may be negative.", centre=lambda bits: bits.mean().abs()),
        slip("the mean raised to 0: of a difference it may be negative.", centre=lambda bits: bits.mean().clamp(min=0)),
        slip("the bits of an image raised to 0: those of a difference may be negative.", unit=lambda nats, x0: in_bits(nats, x0).clamp(min=0)),
        slip("the size of each term: it counts with its sign.", sums=lambda terms, L_T, T: L_T + T * terms.abs().mean(0)),
        slip(
            "terms below 0 raised to 0: a term may be negative, as that of a difference is.",
            sums=lambda terms, L_T, T: L_T + T * terms.clamp(min=0).mean(0),
        ),
        slip("the median of the draws: only the mean is unbiased.", sums=lambda terms, L_T, T: L_T + T * terms.median(0).values),
        slip("a sign: bits are counted from nats as they are, not from -nats.", sums=lambda terms, L_T, T: -estimate(terms, L_T, T)),
        slip(
            "a mean over the images in the terms, too: each image keeps its own.",
            sums=lambda terms, L_T, T: L_T + T * terms.mean(),
        ),
        # the draws
        slip(
            "the terms of t = 1 left out: L_0 belongs to the bound.",
            ask=lambda term, x0, t, eps: terms_of(term, x0, t, eps) * (t != 1),
        ),
        one_by_one("the same t for all images: t[k] holds one for each.", lambda t, eps: (t[:, :1].expand_as(t), eps)),
        one_by_one("the first row of t for every draw: row k belongs to draw k.", lambda t, eps: (t[:1].expand_as(t), eps)),
        one_by_one("the first row of eps for every draw: row k belongs to draw k.", lambda t, eps: (t, eps[:1].expand_as(eps))),
        one_by_one("t - 1 given to term: it takes t in 1..T.", lambda t, eps: (t - 1, eps)),
        one_by_one("no noise given to term: it takes eps of the draw.", lambda t, eps: (t, 0 * eps)),
        # the unit
        slip("nats: divide by ln 2.", unit=lambda nats, x0: nats / x0[0].numel()),
        slip("bits of the whole image: divide by the number of its coordinates.", unit=lambda nats, x0: nats / math.log(2)),
        slip("times ln 2: divide by it.", unit=lambda nats, x0: nats * math.log(2) / x0[0].numel()),
        slip("log10 of 2 for ln 2: the terms are in nats.", unit=lambda nats, x0: nats / (x0[0].numel() * math.log10(2))),
        slip("d as the number of all entries of the batch: it is that of one image.", unit=lambda nats, x0: nats / (x0.numel() * math.log(2))),
        slip("d as the size of the last axis: it is the number of all coordinates of an image.", unit=lambda nats, x0: nats / (x0.shape[-1] * math.log(2))),
        slip("d as the size of axis 1: it is the number of all coordinates of an image.", unit=lambda nats, x0: nats / (x0.shape[1] * math.log(2))),
        slip("d = 784 whatever the images are: it is the number of coordinates of one.", unit=lambda nats, x0: nats / (784 * math.log(2))),
        Mutant("L_T in nats beside bits: divide it by d ln 2 as well.", prior_in_nats),
        slip("d as the number of images.", unit=lambda nats, x0: nats / (len(x0) * math.log(2))),
        # the mean
        slip("a sum over the images: the result is their mean.", centre=torch.sum),
        slip("the median of the images: it is their mean.", centre=torch.median),
        slip("a number for each image: return their mean.", centre=lambda bits: bits),
        # the interval
        Mutant("both ends of the interval: return its middle and half of its width.", both_ends),
        of_terms(
            "all K n terms taken for independent observations: the draws of one image share it; average them first.",
            lambda each, K: 1.96 * each.std() / each.numel() ** 0.5,
        ),
        of_terms(
            "the deviation of all K n terms, over sqrt(n): average the draws of each image first.",
            lambda each, K: 1.96 * each.std() / each.shape[1] ** 0.5,
        ),
        slip("sqrt(K n) below the images' deviation: there are n observations.", width=lambda bits, K: 1.96 * bits.std() / (K * len(bits)) ** 0.5),
        slip("sqrt(K) for sqrt(n): the observations are the images.", width=lambda bits, K: 1.96 * bits.std() / K**0.5),
        of_terms(
            "the scatter over the draws: it is over the images, after their draws are averaged.",
            lambda each, K: 1.96 * each.mean(1).std(correction=min(1, K - 1)) / K**0.5,
        ),
        slip("no sqrt(n): that is the scatter of an image, not of the mean.", width=lambda bits, K: 1.96 * bits.std()),
        slip("n for sqrt(n).", width=lambda bits, K: 1.96 * bits.std() / len(bits)),
        slip("sqrt(n - 1) for sqrt(n), beside a deviation that has n - 1 already.", width=lambda bits, K: 1.96 * bits.std() / (len(bits) - 1) ** 0.5),
        slip("a deviation with n in the place of n - 1.", width=lambda bits, K: 1.96 * bits.std(correction=0) / len(bits) ** 0.5),
        slip("the standard error: times 1.96 it is half of a 95 % interval.", width=lambda bits, K: bits.std() / len(bits) ** 0.5),
        slip("2 for 1.96.", width=lambda bits, K: 2 * bits.std() / len(bits) ** 0.5),
        slip(
            "the quantile of Student's distribution: the exercise asks for 1.96.",
            width=lambda bits, K: half(bits, K) / 1.96 * student(len(bits)),
        ),
        slip("1.645 for 1.96: that is a 90 % interval.", width=lambda bits, K: 1.645 * bits.std() / len(bits) ** 0.5),
        slip("2.58 for 1.96: that is a 99 % interval.", width=lambda bits, K: half(bits, K) / 1.96 * 2.58),
        slip("a mean of |b_i - mean|: the deviation is the root of a mean of squares.", width=lambda bits, K: 1.96 * (bits - bits.mean()).abs().mean() / len(bits) ** 0.5),
        slip("half of the range of the images: it is 1.96 s / sqrt(n).", width=lambda bits, K: (bits.max() - bits.min()) / 2),
        slip("a minus before half of the interval.", width=lambda bits, K: -half(bits, K)),
        slip("the whole width: half of it is asked for.", width=lambda bits, K: 2 * half(bits, K)),
        slip("a variance for the deviation.", width=lambda bits, K: 1.96 * bits.var() / len(bits) ** 0.5),
        slip("the variance over n, without a root.", width=lambda bits, K: 1.96 * bits.var() / len(bits)),
        slip("the interval in nats: it is of the bits per dimension.", width=lambda bits, K: half(bits, K) * math.log(2)),
    ],
)  # fmt: skip
