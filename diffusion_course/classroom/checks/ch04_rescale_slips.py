"""What goes wrong where a schedule is brought to another number of steps."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .ch04_clock import between, kept, log_kept, places, ratios, rescale
from .ch04_cosine import betas_of
from .ch04_rescale_old import FACTORS, OLD_BETAS
from .data import Mutant
from .slips import argument_slip, result_slip


def place_slip(hint: str, place: Callable[[int, int, Tensor], Tensor]) -> Mutant:
    """A mutant with other places: place(N, T, betas) -> (T + 1,)."""
    return Mutant(hint, lambda b, T: on_places(b, place(len(b), T, b)))


def table_slip(hint: str, alpha_bar: Callable[[Tensor, Tensor], Tensor]) -> Mutant:
    """A mutant with another way to read alpha_bar: alpha_bar(betas, places) -> (T + 1,)."""
    return Mutant(hint, lambda b, T: ratios(alpha_bar(b, places(len(b), T, b))))


def step_slip(hint: str, step: Callable[[Tensor], Tensor]) -> Mutant:
    """A mutant whose betas are step(the fall of ln alpha_bar in each new step)."""
    return Mutant(hint, lambda b, T: step(-log_kept(b, places(len(b), T, b)).diff()))


def result(hint: str, change: Callable) -> Mutant:
    return result_slip(hint, rescale, change)


def strided(betas: Tensor, T: int) -> Tensor:
    """Every (N // T)-th alpha_bar, whether or not T divides N."""
    stride = len(betas) // T
    return betas_of((1 - betas).cumprod(0)[stride - 1 :: stride][:T])


def on_places(betas: Tensor, place: Tensor) -> Tensor:
    return from_logs(log_kept(betas, place))


def from_logs(logs: Tensor) -> Tensor:
    """ln alpha_bar of steps 0..T to betas."""
    return -torch.expm1(logs.diff())


def one_old_step(betas: Tensor, place: Tensor) -> Tensor:
    return -torch.expm1(log_kept(betas, place) - log_kept(betas, (place - 1).clamp(min=0)))


def rolled(alpha_bar: Tensor) -> Tensor:
    return 1 - alpha_bar / alpha_bar.roll(1)


def by_log_snr(betas: Tensor, T: int) -> Tensor:
    """ln alpha_bar from log-SNR straight between steps 1, 2, ...; before step 1, where there is none, ln alpha_bar itself."""
    place, snr = places(len(betas), T, betas), torch.logit(kept(betas)[1:])
    late = between(snr.repeat(2)[: max(len(snr), 2)], (place - 1).clamp(min=0))
    return from_logs(torch.where(place < 1, log_kept(betas, place), nn.functional.logsigmoid(late)))


def mixed(betas: Tensor, T: int, share: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """ln alpha_bar at the right places with another share of the entry on the right: share(places, entries on the left)."""
    place = places(len(betas), T, betas)
    left = place.floor().clamp(max=len(betas) - 1)
    return torch.lerp(log_kept(betas, left), log_kept(betas, left + 1), share(place, left))


SWAPPED = "N and T swapped: step t of the new schedule ends where the old one is after t N / T steps."

# the places
PLACES = (
    Mutant(
        "every (N // T)-th alpha_bar: where T does not divide N, the places t N / T lie between whole steps, and the last is N.",
        strided,
    ),
    place_slip(SWAPPED, lambda N, T, b: places(T, N, b)[torch.arange(T + 1).clamp(max=N)]),
    place_slip(
        "places rounded down to whole steps: between them ln alpha_bar is a straight line.",
        lambda N, T, b: places(N, T, b).floor(),
    ),
    place_slip(
        "places rounded to whole steps: between them ln alpha_bar is a straight line.",
        lambda N, T, b: places(N, T, b).round(),
    ),
    place_slip(
        "places rounded up to whole steps: between them ln alpha_bar is a straight line.",
        lambda N, T, b: places(N, T, b).ceil(),
    ),
    place_slip(
        "places that run from 1 to N: the old clock begins at 0 as the new one does, and t lies at t N / T.",
        lambda N, T, b: torch.cat(
            [torch.zeros(1).to(b), 1 + torch.arange(T).to(b) * (N - 1) / max(T - 1, 1)]
        ),
    ),
    place_slip(
        "places that end at N - 1: step T of the new clock is step N of the old one.",
        lambda N, T, b: places(N - 1, T, b),
    ),
    place_slip(
        "places one step late: t lies at t N / T, and entry 0 of the table with alpha_bar_0 is t = 0.",
        lambda N, T, b: (places(N, T, b) + (torch.arange(T + 1) > 0)).clamp(max=N),
    ),
    place_slip(
        "places one step early, as alpha_bar_0 left out moves them: alpha_bar[0] is alpha_bar_1.",
        lambda N, T, b: (places(N, T, b) - 1).clamp(min=0),
    ),
    place_slip(
        "a clock of T + 1 places that ends before N: arange(T + 1) / (T + 1) never comes to 1.",
        lambda N, T, b: torch.arange(T + 1).to(b) * N / (T + 1),
    ),
    place_slip(
        "N = 1000 whatever the table is: N is the number of the betas.",
        lambda N, T, b: torch.where(torch.arange(T + 1) > 0, places(1000, T, b), 0).clamp(max=N),
    ),
    Mutant(
        "whole steps only, N // T apart: where T does not divide N the places t N / T lie between them, and the last is N.",
        lambda b, T: on_places(b, (torch.arange(T + 1).to(b) * max(len(b) // T, 1)).clamp(max=len(b))),
    ),
    Mutant(
        "whole entries only, T of the N, rounded: between them ln alpha_bar is a straight line, and the places are t N / T.",
        lambda b, T: betas_of((1 - b).cumprod(0)[torch.linspace(0, len(b) - 1, T).round().long()]),
    ),
    place_slip(
        "places in the middle of the new steps, as F.interpolate has them without align_corners: step t ends at t N / T.",
        lambda N, T, b: torch.where(
            torch.arange(T + 1) > 0, ((torch.arange(T + 1).to(b) - 0.5) * N / T + 0.5).clamp(1, N), 0
        ),
    ),
    place_slip(
        "places t T / N: step t of the new schedule ends where the old one is after t N / T steps.",
        lambda N, T, b: (torch.arange(T + 1).to(b) * T / N).clamp(max=N),
    ),
    place_slip(
        "places one new step late, so that the first beta is 0: new step t ends at t N / T, and the last at N.",
        lambda N, T, b: places(N, T, b).roll(1) * (torch.arange(T + 1) > 0).to(b),
    ),
)

# what is straight between them
TABLES = (
    table_slip(
        "alpha_bar itself taken as straight between whole steps: here its logarithm is.",
        lambda b, place: between(kept(b), place),
    ),
    table_slip(
        "sqrt(alpha_bar) taken as straight between whole steps: here ln alpha_bar is.",
        lambda b, place: between(kept(b).sqrt(), place) ** 2,
    ),
    table_slip(
        "1 / alpha_bar taken as straight between whole steps: here ln alpha_bar is.",
        lambda b, place: 1 / between(1 / kept(b), place),
    ),
    Mutant(
        "a table without alpha_bar_0, from which the first step is missing: put ln alpha_bar_0 = 0 in front.",
        lambda b, T: ratios(between((1 - b).cumprod(0).log(), places(len(b) - 1, T, b)).exp()),
    ),
    Mutant(
        "a table without the 0 of t = 0, read at places up to N: entry s must belong to step s, so put ln alpha_bar_0 = 0 in front.",
        lambda b, T: from_logs(
            between((1 - b).log().cumsum(0), places(len(b), T, b).clamp(max=max(len(b) - 1, 0)))
        ),
    ),
    Mutant(
        "a table of logarithms with 1 in front: alpha_bar_0 is 1, so its logarithm is 0.",
        lambda b, T: from_logs(
            between(torch.cat([torch.ones(1).to(b), (1 - b).log().cumsum(0)]), places(len(b), T, b))
        ),
    ),
    Mutant("log-SNR taken as straight between whole steps: here ln alpha_bar is.", by_log_snr),
    Mutant(
        "the share with its ends exchanged: at share 0 the value is that of the entry on the left.",
        lambda b, T: from_logs(mixed(b, T, lambda place, left: 1 - (place - left))),
    ),
    Mutant(
        "the place itself as the share: lerp takes how far the place is beyond the entry on its left, from 0 to 1.",
        lambda b, T: from_logs(mixed(b, T, lambda place, left: place)),
    ),
    Mutant(
        "share 0 at the last place, whose entry on the left was moved back to N - 1: there the share is 1.",
        lambda b, T: from_logs(mixed(b, T, lambda place, left: place - place.floor())),
    ),
    Mutant(
        "a sum of -betas for ln alpha_bar, for small betas the same: it is the sum of ln(1 - beta).",
        lambda b, T: from_logs(
            between(torch.cat([torch.zeros(1).to(b), -b.cumsum(0)]), places(len(b), T, b))
        ),
    ),
)

# from alpha_bar to betas
STEPS = (
    Mutant(
        "alpha_bar'_{t-1} read one old step before alpha_bar'_t: it is the new entry before, N / T old steps before.",
        lambda b, T: one_old_step(b, places(len(b), T, b)[1:]),
    ),
    Mutant(
        "torch.roll for alpha_bar'_{t-1}: it puts the last entry in front, where alpha_bar'_0 = 1 belongs.",
        lambda b, T: rolled(log_kept(b, places(len(b), T, b))[1:].exp()),
    ),
    step_slip(
        "the fall of ln alpha_bar taken for beta, which is so for small betas only: beta = 1 - exp(-fall).",
        lambda fall: fall,
    ),
    step_slip("the alphas: beta'_t = 1 - alpha_bar'_t / alpha_bar'_{t-1}.", lambda fall: (-fall).exp()),
    step_slip(
        "the ratio upside down: it is alpha_bar'_t / alpha_bar'_{t-1}, below 1.",
        lambda fall: 1 - fall.exp(),
    ),
    step_slip(
        "alpha_bar, the running product: return the betas, 1 - alpha_bar'_t / alpha_bar'_{t-1}.",
        lambda fall: (-fall.cumsum(0)).exp(),
    ),
    step_slip(
        "1 - alpha_bar: in one step divide alpha_bar'_t by alpha_bar'_{t-1} first.",
        lambda fall: 1 - (-fall.cumsum(0)).exp(),
    ),
    step_slip(
        "a difference alpha_bar'_{t-1} - alpha_bar'_t: divide it by alpha_bar'_{t-1}.",
        lambda fall: torch.cat([torch.ones(1).to(fall), (-fall.cumsum(0)).exp()]).diff().neg(),
    ),
    step_slip(
        "the difference of alpha_bar divided by alpha_bar'_t: divide by alpha_bar'_{t-1}, the larger one.",
        lambda fall: fall.exp() - 1,
    ),
    step_slip(
        "a square root too many: alpha_bar is a product of alphas, so beta = 1 - alpha.",
        lambda fall: 1 - (-fall / 2).exp(),
    ),
    Mutant(
        "a sum of betas, for small betas the same: alpha_bar is the product of 1 - beta.",
        lambda b, T: between(torch.cat([torch.zeros(1).to(b), b.cumsum(0)]), places(len(b), T, b)).diff(),
    ),
    Mutant(
        "1 minus a sum of betas for alpha_bar: it is the product of 1 - beta.",
        lambda b, T: ratios(
            1 - between(torch.cat([torch.zeros(1).to(b), b.cumsum(0)]), places(len(b), T, b))
        ),
    ),
    Mutant(
        "a product of the betas for alpha_bar: it is the product of 1 - beta.",
        lambda b, T: ratios(
            between(torch.cat([torch.zeros(1).to(b), b.log().cumsum(0)]), places(len(b), T, b)).exp()
        ),
    ),
    Mutant(
        "the argument betas taken for alpha_bar: alpha_bar is the running product of 1 - betas.",
        lambda b, T: ratios(between(torch.cat([torch.zeros(1).to(b), b.log()]), places(len(b), T, b)).exp()),
    ),
)

# the result
RESULTS = (
    result("betas cut off at 0.999: with few steps the last is larger.", lambda b: b.clamp(max=0.999)),
    result("betas cut off at 0.02: with few steps they are larger.", lambda b: b.clamp(max=0.02)),
    result("the betas from the last to the first: entry t - 1 is beta_t.", lambda b: b.flip(0)),
    result(
        "T + 1 betas with a 0 in front: return beta_1 to beta_T.",
        lambda b: torch.cat([torch.zeros(1).to(b), b]),
    ),
    result("T - 1 betas: the first is that from t = 0 to 1, where alpha_bar_0 = 1.", lambda b: b[1:]),
    argument_slip(
        "betas cut off at 0.99 before: the cosine's last is 0.999, use them as they are.",
        rescale,
        "betas",
        lambda b: b.clamp(max=0.99),
    ),
)

SLIPS = (*FACTORS, *OLD_BETAS, *PLACES, *TABLES, *STEPS, *RESULTS)
