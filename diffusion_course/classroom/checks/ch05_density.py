"""A design: the density of t that serves two sums at once."""

from collections.abc import Callable, Iterator
from functools import cache

import torch
from torch import Tensor

from ...errors import CourseError
from ...experiments import studies
from ...schedules import NoiseSchedule, linear
from .data import Check, Mutant

SLACK = 1e-6  # of the sum
PIXELS = 784
MARKS = ((2, 1.4), (4, 0.9), (6, 0.645))


def times_to_draw(simple: Tensor, bound: Tensor) -> Tensor:
    """The larger of two scatters is smallest where they are equal: halve the interval of the mixtures."""
    low, high = 0.0, 1.0
    for _ in range(50):
        share = (low + high) / 2
        p = best_for(simple, bound, share)
        low, high = (share, high) if scatter(p, simple) > scatter(p, bound) else (low, share)
    return best_for(simple, bound, share)


def best_for(simple: Tensor, bound: Tensor, share: float) -> Tensor:
    """The density with the smallest weighted mean of the two squared scatters."""
    a, b = (row / row.sum() for row in (simple, bound))
    return normed((share * a**2 + (1 - share) * b**2).sqrt())


def normed(weights: Tensor) -> Tensor:
    return weights / weights.sum()


def scatter(p: Tensor, terms: Tensor) -> float:
    """Standard deviation of terms_t / p_t, t drawn from p, relative to the sum of the terms."""
    return ((terms.square() / p).sum() / terms.sum() ** 2 - 1).clamp(min=0).sqrt().item()


def larger(p: Tensor, simple: Tensor, bound: Tensor) -> float:
    """The larger of the two scatters. Raises CourseError for what is no density."""
    outside = p <= 0
    if bool(outside.any()):
        t = int(outside.nonzero()[0]) + 1
        cut = "; is something rounded or cut off?" if bool((p >= 0).all()) else ""
        raise CourseError(
            f"p_{t} is {p[t - 1]:.4g}, want every p_t above 0: what is never drawn is never learned{cut}"
        )
    total = p.sum().item()
    if abs(total - 1) > SLACK:
        raise CourseError(f"the p_t add up to {total:.6g}, want 1{_why(p, total)}")
    return max(scatter(p, simple), scatter(p, bound))


def _why(p: Tensor, total: float) -> str:
    """Where a sum comes from that is not 1, in words."""
    if abs(p[-1].item() - 1) < SLACK and bool((p.diff() > 0).all()):
        return ": they rise to 1, as the sums of a density do; return the density itself, without .cumsum"
    near = abs(total - 1) < 1e-3
    return " to a millionth: is something rounded, or in half precision?" if near else ": divide by their sum"


# What else a density may have been meant to be.
TURNED = (
    ("from the last entry to the first it", "index 0 belongs to t = 1", lambda p: p.flip(0)),
    ("its root, normed,", "the best density for one sum is a root of squares", torch.sqrt),
    ("its square, normed,", "the best p_t for one sum is proportional to l_t", torch.square),
    ("1 / p, normed,", "draw often what is large", torch.reciprocal),
)


def neglected(p: Tensor, simple: Tensor, bound: Tensor) -> str:
    """The two scatters, where the larger of them is above the last mark, and what would lower it."""
    of_simple, of_bound = scatter(p, simple), scatter(p, bound)
    now = max(of_simple, of_bound)
    if now <= MARKS[-1][1]:
        return ""
    words = f"The scatter of L_simple is {of_simple:.3g}, that of the bound {of_bound:.3g}"
    for name, why, turn in TURNED:
        turned = normed(turn(p))
        then = max(scatter(turned, simple), scatter(turned, bound))
        if then <= min(MARKS[0][1], now / 2):
            return f"{words}; {name} would score {then:.2f}: {why}."
    if not 2 / 3 < of_simple / of_bound < 1.5:
        poor, well = ("L_simple", "the bound") if of_simple > of_bound else ("the bound", "L_simple")
        return f"{words}: draw the t of {poor} more often, and those of {well} less."
    return f"{words}."


@cache
def measured() -> tuple[Tensor, Tensor]:
    """The terms of L_simple and of the bound at t = 1..1000, of the network `mnist-eps-linear`, between the measured times."""
    row = studies.load("loss-per-t").shipped().one(data="mnist", schedule="linear")
    at, logs = (
        torch.tensor(row["t"], dtype=torch.float64),
        torch.tensor(row["loss"], dtype=torch.float64).log(),
    )
    t = torch.arange(1, 1001, dtype=torch.float64)
    right = torch.searchsorted(at, t).clamp(1, len(at) - 1)
    simple = torch.lerp(logs[right - 1], logs[right], (t - at[right - 1]) / (at[right] - at[right - 1])).exp()
    snr = NoiseSchedule.from_betas(linear(1000)).snr
    before = torch.cat([snr[:1] * snr[0] / snr[1], snr[:-1]])  # t = 1 as if the SNR went on
    return simple, PIXELS / 2 * (before / snr - 1) * simple


def moved(rows: tuple[Tensor, ...]) -> Iterator[tuple[str, tuple[Tensor, ...]]]:
    """The same sums elsewhere on the chain, and on a longer one: the best scatter is the same there."""
    yield "T = 2000: each term halved, and there twice", tuple(row.repeat_interleave(2) / 2 for row in rows)
    yield "both rows moved by half of the chain", tuple(row.roll(len(row) // 2) for row in rows)


def of_t(hint: str, weight: Callable[[Tensor], Tensor]) -> Mutant:
    """A mutant that makes its density of t alone."""
    return Mutant(
        f"{hint}, whatever the rows are: the check asks for other rows, too.",
        lambda s, b: normed(weight(torch.arange(1, len(s) + 1, dtype=s.dtype, device=s.device))),
    )


def even(simple: Tensor) -> Tensor:
    return normed(torch.ones_like(simple))


TIMES_TO_DRAW = Check(
    id="05-times_to_draw",
    points=6,
    minutes=25,
    level=3,
    reference=times_to_draw,
    inputs=lambda d: tuple(row.to(d.device) for row in measured()),
    fixed=lambda d: moved(tuple(row.to(d.device) for row in measured())),
    where='(13) in section 7 of this notebook ("Where the loss should look"): every p_t above 0, their sum 1; for one sum alone '
    "the best p_t is proportional to l_t (Nichol & Dhariwal 2021, eq. 18).",
    outputs=("p",),
    score=larger,
    scored="the larger of the two scatters",
    missed=neglected,
    digits=3,
    marks=MARKS,
    mutants=[
        Mutant("uniform t: it hardly ever draws the few small t in which the bound lies.", lambda s, b: even(s)),
        Mutant("the density for L_simple alone: p_t proportional to its terms.", lambda s, b: normed(s)),
        Mutant("the density for the bound alone: p_t proportional to its terms.", lambda s, b: normed(b)),
        Mutant("the densities of both added before they are normed: the larger sum decides alone.", lambda s, b: normed(s + b)),
        Mutant("the product of both: it is large only where both are.", lambda s, b: normed(s * b)),
        Mutant("the square of the bound's terms: p_t is proportional to the root of l_t^2.", lambda s, b: normed(b**2)),
        Mutant("the square of L_simple's terms: p_t is proportional to the root of l_t^2.", lambda s, b: normed(s**2)),
        Mutant("1 / l_t of L_simple: draw what is large, not what is small.", lambda s, b: normed(1 / s)),
        Mutant("1 / l_t of the bound: draw what is large, not what is small.", lambda s, b: normed(1 / b)),
        Mutant("the root of L_simple's terms: p_t is proportional to l_t.", lambda s, b: normed(s.sqrt())),
        Mutant("the root of the bound's terms: L_simple has no part in it, and one density must serve both sums.", lambda s, b: normed(b.sqrt())),
        Mutant("a density that is not normed: divide by its sum.", lambda s, b: s / s.sum() + b / b.sum()),
        Mutant("a mean over T for a sum: the mean of p_t is 1, and its sum should be.", lambda s, b: s / s.mean()),
        Mutant("the times from the last to the first: index 0 belongs to t = 1.", lambda s, b: times_to_draw(s, b).flip(0)),
        of_t("p_t proportional to t", lambda t: t),
        of_t("p_t proportional to 1 / t", lambda t: 1 / t),
        of_t("p_t proportional to 1 / sqrt(t)", lambda t: t**-0.5),
        Mutant("a density for each sum: one must serve both.", lambda s, b: (normed(s), normed(b))),
        Mutant("the mean of the squares without its root: take the root, then divide by the sum.", lambda s, b: normed(normed(s)**2 + normed(b)**2)),
        Mutant("a softmax of L_simple's terms: these differ too little for it.", lambda s, b: s.softmax(0)),
        Mutant("a softmax of the bound's terms: it puts nearly all on one t.", lambda s, b: b.softmax(0)),
    ],
)  # fmt: skip
