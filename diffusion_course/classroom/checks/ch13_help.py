"""How much the text helps: an experiment in pairs, told and untold samples from the same noise, and a number with its interval."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from .call import fresh
from .ch13_help_built import (
    Interval,
    alone,
    built,
    discordant,
    in_halves,
    of_a_share,
    of_all_numbers,
    of_differences,
    of_shares,
    quantiles,
    ratio,
    slip,
    told_alone_drawn,
)
from .data import Check, Mutant
from .inputs import Draw
from .slips import result_slip


def text_help(draw: Callable, met: Callable, labels: Tensor, noise: Tensor, no_text: int) -> Interval:
    return built(draw, met, labels, noise, no_text)


def end_slip(hint: str, ends: Callable[[Tensor, Tensor, Tensor], Any]) -> Mutant:
    """A mutant that returns ends(help, low, high)."""
    return result_slip(hint, text_help, lambda result: ends(*result))


def numbers(d: Draw, n: int) -> Tensor:
    return (90 * d.uniform(0, 1, n).double()).long().clamp(max=89)


def experiments(d: Draw) -> tuple:
    """Some dozens of pairs, so that some differ and others do not; the number that means no text stands for no caption."""
    n = d.B + 30
    return *d.drawn(), numbers(d, n), d.normal(n, *d.event), d.integer(91, 120)


def edges(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Many samples, one caption for all, two samples, another number for no text."""
    for words, n, shape, none in (
        ("600 samples", 600, (2, 3), 90),
        ("no text is number 0", 300, (3,), 0),
        ("no text is number 1000", 300, (1, 2, 2), 1000),
        ("no text is number 7", 300, (2,), 7),
    ):
        yield words, (*d.drawn(), numbers(d, n), d.normal(n, *shape), none)
    for n in (2, 2, 2, 2, 3, 3, 3, 4, 4):
        yield f"{n} samples", (*d.drawn(), numbers(d, n), d.normal(n, 3), 90)
    yield (
        "the first caption for all",
        (
            *d.drawn(),
            torch.zeros(200, dtype=torch.long, device=d.device),
            d.normal(200, 3),
            90,
        ),
    )
    yield "one caption for all", (*d.drawn(), torch.full((200,), 17, device=d.device), d.normal(200, 3), 90)
    yield "labels from 0 on", (*d.drawn(), torch.arange(180, device=d.device) % 90, d.normal(180, 3), 90)
    # Images of any range: values that a sampler seldom has are values all the same.
    yield "noise six times as wide", (*d.drawn(), numbers(d, 300), 6 * d.normal(300, 3), 90)
    yield "20,000 samples", (*d.drawn(), numbers(d, 20_000), d.normal(20_000, 1), 90)


def half_width(answer: Callable) -> str:
    """Where the help is right: how many standard errors its interval has to each side, if that is one number."""
    found = []
    for seed, n in ((0, 40), (1, 90), (2, 300)):
        d = Draw("13-text_help", f"half width {seed}", 0)
        args = (*d.drawn(), numbers(d, n), d.normal(n, 3), 95)
        help, low, high = (float(v) for v in answer(*fresh(args)))
        mean, low_end, high_end = (float(v) for v in text_help(*fresh(args)))
        if abs(help - mean) > 1e-9:
            return ""
        error = (high_end - low_end) / 3.92
        found += [(help - low) / error, (high - help) / error]
    if max(found) - min(found) < 1e-6:
        return f"The help is right; its interval has {found[0]:.4g} standard errors to each side, want 1.96."
    return (
        "The help is right, the interval's half width is not. It is that of the differences: sample by sample, what is met with the "
        "caption minus what is met without."
    )


def twice(draw: Callable, met: Callable, labels: Tensor, *rest: object) -> int:
    return 2 * len(labels)


TEXT_HELP = Check(
    id="13-text_help",
    points=4,
    minutes=20,
    level=2,
    reference=text_help,
    inputs=experiments,
    fixed=edges,
    evaluations={"draw": twice, "met": twice},
    where='section 4 of this notebook ("Does the text help?"): the mean of the differences of n pairs from the same noise, told minus untold, '
    "both measured by the true captions, ± 1.96 s / sqrt(n) with s the standard deviation of the differences.",
    outputs=("help", "low", "high"),
    measured=half_width,
    mutants=[
        # the two groups
        slip(
            "untold samples that are measured against \"no text\": ask of them, too, whether they are as the true captions say.",
            asked=lambda labels, none: none,
        ),
        slip(
            "untold samples that are told after all: they get no_text for every caption.",
            without=lambda labels, none: labels,
        ),
        slip(
            "untold samples that get another sample's caption: they get no_text.",
            without=lambda labels, none: labels.roll(1),
        ),
        slip(
            "untold samples that get the captions backwards: they get no_text.",
            without=lambda labels, none: labels.flip(0),
        ),
        slip("0 for no_text: 0 is a caption.", without=lambda labels, none: torch.zeros_like(labels)),
        slip("-1 for no_text: use no_text.", without=lambda labels, none: torch.full_like(labels, -1)),
        slip("90 for no_text: it is an argument.", without=lambda labels, none: torch.full_like(labels, 90)),
        slip(
            "the largest label + 1 for no_text: the batch need not hold the last caption.",
            without=lambda labels, none: torch.full_like(labels, int(labels.max()) + 1),
        ),
        slip(
            "other noise for the untold samples, the same rows in another order: a pair has the same noise.",
            other_noise=lambda noise: noise.flip(0),
        ),
        slip("other noise for the untold samples: a pair has the same noise.", other_noise=lambda noise: noise.roll(1, 0)),
        slip("other noise for the untold samples, -noise: a pair has the same noise.", other_noise=torch.neg),
        slip("no noise for the untold samples: a pair has the same noise.", other_noise=torch.zeros_like),
        # the change
        slip("untold minus told: the help is what the text adds.", change=lambda told, untold: untold - told),
        slip("the share of the told alone: subtract that of the untold.", change=lambda told, untold: told),
        slip(
            "the share of the told alone, with its interval: subtract that of the untold.",
            change=lambda told, untold: told,
            error=lambda told, untold: alone(told),
        ),
        slip("the share of the untold alone.", change=lambda told, untold: untold),
        Mutant("told divided by untold: the help is a difference.", ratio),
        slip(
            "the pairs in which the two differ alone, as McNemar's test has it: the mean is over all n pairs.",
            change=discordant,
        ),
        slip(
            "the pairs in which the two differ alone, in the mean and in its interval: both are over all n pairs.",
            change=discordant,
            error=lambda told, untold: alone(discordant(told, untold)),
        ),
        slip(
            "a chance level of a tenth subtracted: draw untold samples, and subtract their share.",
            change=lambda told, untold: told - 0.1,
            error=lambda told, untold: alone(told),
        ),
        slip(
            "gains alone, where a loss counts as 0: a pair that the text spoils counts as -1.",
            change=lambda told, untold: (told - untold).clamp(min=0),
            error=lambda told, untold: alone((told - untold).clamp(min=0)),
        ),
        Mutant(
            "the told samples measured twice, by their captions and by no_text: draw untold ones, and measure both by the captions.",
            told_alone_drawn,
        ),
        Mutant("the noise shared out, a half to each group: both start from all of it.", in_halves),
        slip(
            "the share of pairs in which the two differ: told minus untold has a sign.",
            change=lambda told, untold: (told - untold).abs(),
        ),
        slip("the sum of the differences: take their mean.", change=lambda told, untold: len(told) * (told - untold)),
        slip("per cent: the help is a difference of shares.", change=lambda told, untold: 100 * (told - untold)),
        # the interval
        slip(
            "the errors of two groups that are no pairs: the standard deviation is that of the differences.",
            error=lambda told, untold: (alone(told) ** 2 + alone(untold) ** 2).sqrt(),
        ),
        slip(
            "the errors of two independent shares, from p (1 - p): the standard deviation is that of the differences.",
            error=of_shares,
        ),
        slip("the errors of the two groups added.", error=lambda told, untold: alone(told) + alone(untold)),
        slip("the told samples' error alone.", error=lambda told, untold: alone(told)),
        slip(
            "a standard deviation that is not divided by sqrt(n): that is the scatter of one pair, not of the mean.",
            error=lambda told, untold: (told - untold).std(),
        ),
        slip("a division by n in the place of sqrt(n).", error=lambda told, untold: (told - untold).std() / len(told)),
        slip(
            "a division by sqrt(2 n): there are n pairs.",
            error=lambda told, untold: of_differences(told, untold) / 2**0.5,
        ),
        slip(
            "a division by sqrt(n - 1).",
            error=lambda told, untold: (told - untold).std() / (len(told) - 1) ** 0.5,
        ),
        slip(
            "the variance in the place of the standard deviation.",
            error=lambda told, untold: (told - untold).var() / len(told) ** 0.5,
        ),
        slip(
            "variance / n without a root: the standard error is its root.",
            error=lambda told, untold: (told - untold).var() / len(told),
        ),
        slip(
            "a sum of squares divided by n, as correction=0 or numpy's std has it: s divides by n - 1, as .std() does.",
            error=lambda told, untold: (told - untold).std(correction=0) / len(told) ** 0.5,
        ),
        slip(
            "a mean square of the differences, without their mean subtracted: s is their standard deviation.",
            error=lambda told, untold: (told - untold).square().mean().sqrt() / len(told) ** 0.5,
        ),
        slip(
            "a mean square of the differences, divided by n - 1, without their mean subtracted: s is their standard deviation.",
            error=lambda told, untold: ((told - untold).square().sum() / (len(told) - 1) / len(told)).sqrt(),
        ),
        slip(
            "the error of one share, from help (1 - help): s is the standard deviation of the differences.",
            error=lambda told, untold: of_a_share((told - untold).mean(), len(told)),
        ),
        slip(
            "marks that are sorted before they are subtracted: the two of a pair belong together.",
            error=lambda told, untold: of_differences(told.sort().values, untold.sort().values),
        ),
        Mutant("a division by the root of all numbers of the noise: n is the number of pairs.", of_all_numbers),
        Mutant("quantiles of the differences: the interval is of their mean, 1.96 s / sqrt(n) to each side.", quantiles),
        slip("1.96 under the root: it multiplies s / sqrt(n).", k=1.96**0.5),
        slip("one standard error to each side: 95 % takes 1.96 of them.", k=1.0),
        slip("two standard errors to each side: take 1.96.", k=2.0),
        slip("1.645, of a 90 % interval: 95 % takes 1.96.", k=1.645),
        slip("2.58, of a 99 % interval: 95 % takes 1.96.", k=2.58),
        slip("2.576, of a 99 % interval: 95 % takes 1.96.", k=2.576),
        slip("an interval of 1.96 standard errors in all: that much goes to each side.", k=0.98),
        slip("the interval twice as wide: 1.96 standard errors go to each side.", k=3.92),
        # the results
        end_slip("low and high in the wrong order.", lambda help, low, high: (help, high, low)),
        end_slip(
            "the half width in the place of the ends: return low = help - it, and high = help + it.",
            lambda help, low, high: (help, help - low, help - low),
        ),
        end_slip("an interval cut off at 0: leave it.", lambda help, low, high: (help, low.clamp(min=0), high)),
        end_slip(
            "an interval cut off at -1 and 1: leave it.", lambda help, low, high: (help, low.clamp(min=-1), high.clamp(max=1))
        ),
        end_slip("the help without its interval: return (help, low, high).", lambda help, low, high: help),
        end_slip("the help and its half width: return (help, low, high).", lambda help, low, high: (help, help - low)),
        end_slip("the interval without the help: return (help, low, high).", lambda help, low, high: (low, high)),
    ],
)  # fmt: skip
