"""The weights of min-SNR-gamma, for the three things that a network may predict."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .data import Check, Mutant
from .inputs import Draw

Weights = tuple[Tensor, Tensor, Tensor]


def min_snr_weight(snr: Tensor, gamma: float) -> Weights:
    weight = snr.clamp(max=gamma)
    return weight, weight / snr, weight / (snr + 1)


def slip(hint: str, formula: Callable[[Tensor, float], tuple]) -> Mutant:
    return Mutant(hint, formula)


def of(snr: Tensor, weight: Tensor) -> Weights:
    """The three weights, from that of x_0."""
    return weight, weight / snr, weight / (snr + 1)


def changed(hint: str, change: Callable[[Tensor, float], Tensor]) -> Mutant:
    """A mutant whose weight of x_0 is change(snr, gamma), and the others follow from it."""
    return Mutant(hint, lambda snr, gamma: of(snr, change(snr, gamma)))


def helped(small: float) -> Mutant:
    """A mutant that is afraid of a division by 0."""

    def answer(snr: Tensor, gamma: float) -> Weights:
        weight = snr.clamp(max=gamma)
        return weight, weight / (snr + small), weight / (snr + 1)

    return Mutant(f"{small:g} added to the SNR below: it is above 0, and needs no help.", answer)


def edges(d: Draw) -> Iterator[tuple[str, tuple]]:
    """The chapters' chains, gammas on both sides of 1, an SNR that is gamma, and SNRs on one side of gamma alone."""
    for name, betas in d.schedules().items():
        alpha_bar = torch.cumprod(1 - betas, 0)
        snr = alpha_bar / (1 - alpha_bar)
        for gamma in (5.0, 1.0, 0.5, 7.25, 0.004, 20):
            yield f"{name}, gamma = {gamma:g}", (snr, gamma)
    around = torch.tensor([5.0, 4.999, 5.001, 1.0, 1e-9, 1e9], dtype=d.dtype, device=d.device)
    yield "SNRs around gamma", (around, 5.0)
    yield "all above gamma", (d.uniform(10, 100, 5), 5.0)
    yield "one SNR", (d.uniform(0.1, 1, 1), 5.0)


def random_case(d: Draw) -> tuple:
    return d.uniform(-4, 4, d.T).exp(), (5.0, 1.5, 0.7, 12.0, 3.0, 5.0)[d.integer(0, 5)]


MIN_SNR_WEIGHT = Check(
    id="05-min_snr_weight",
    points=2,
    minutes=8,
    level=1,
    reference=min_snr_weight,
    inputs=random_case,
    fixed=edges,
    where='(11) in section 7 of this notebook ("Where the loss should look"): min(SNR, gamma) for x_0, the same over SNR for eps, and over '
    "SNR + 1 for v (Hang et al. 2023, section 3.4).",
    outputs=("weight of x_0", "weight of eps", "weight of v"),
    library=("losses.min_snr_weight",),
    mutants=[
        slip(
            "the weight of x_0 in all three places: an error of eps is SNR times as large, squared, so divide by SNR.",
            lambda snr, gamma: (snr.clamp(max=gamma),) * 3,
        ),
        slip(
            "weights multiplied by SNR and SNR + 1: divide, since these errors are larger.",
            lambda snr, gamma: (snr.clamp(max=gamma), snr.clamp(max=gamma) * snr, snr.clamp(max=gamma) * (snr + 1)),
        ),
        slip(
            "the weight of eps for v, too: it is divided by SNR + 1.",
            lambda snr, gamma: (snr.clamp(max=gamma), snr.clamp(max=gamma) / snr, snr.clamp(max=gamma) / snr),
        ),
        slip(
            "SNR^2 below for eps: an error of eps is SNR times that of x_0, squared already, so divide by SNR once.",
            lambda snr, gamma: (snr.clamp(max=gamma), snr.clamp(max=gamma) / snr**2, snr.clamp(max=gamma) / (snr + 1)),
        ),
        slip(
            "the weight of v made from that of eps: it is min(SNR, gamma) / (SNR + 1), from that of x_0.",
            lambda snr, gamma: (snr.clamp(max=gamma), snr.clamp(max=gamma) / snr, snr.clamp(max=gamma) / snr / (snr + 1)),
        ),
        slip(
            "a root of the weight of x_0 alone: it is min(SNR, gamma).",
            lambda snr, gamma: (snr.clamp(max=gamma).sqrt(), *min_snr_weight(snr, gamma)[1:]),
        ),
        slip(
            "the weight of v divided by SNR - 1: it is SNR + 1.",
            lambda snr, gamma: (*min_snr_weight(snr, gamma)[:2], snr.clamp(max=gamma) / (snr - 1)),
        ),
        slip(
            "min(SNR, gamma) + 1 over SNR + 1 for v: the 1 belongs below alone.",
            lambda snr, gamma: (*min_snr_weight(snr, gamma)[:2], (snr.clamp(max=gamma) + 1) / (snr + 1)),
        ),
        slip(
            "the minimum taken of SNR + 1 for v: it is min(SNR, gamma) in all three.",
            lambda snr, gamma: (*min_snr_weight(snr, gamma)[:2], (snr + 1).clamp(max=gamma) / (snr + 1)),
        ),
        slip(
            "the minimum taken after the division, of SNR, 1 / SNR and 1 / (SNR + 1): take min(SNR, gamma) first, and divide that.",
            lambda snr, gamma: tuple(w.clamp(max=gamma) for w in (snr, 1 / snr, 1 / (snr + 1))),
        ),
        slip(
            "min(1, gamma SNR) for eps: it is min(SNR, gamma) / SNR = min(1, gamma / SNR).",
            lambda snr, gamma: (snr.clamp(max=gamma), (gamma * snr).clamp(max=1), snr.clamp(max=gamma) / (snr + 1)),
        ),
        slip(
            "gamma / SNR and gamma / (SNR + 1): above the line stands min(SNR, gamma).",
            lambda snr, gamma: (snr.clamp(max=gamma), gamma / snr, gamma / (snr + 1)),
        ),
        slip(
            "the weight of eps in all three places: an error of x_0 has min(SNR, gamma).",
            lambda snr, gamma: (snr.clamp(max=gamma) / snr,) * 3,
        ),
        slip(
            "min(SNR, gamma) + 1 below for v: it is SNR + 1, which is not cut.",
            lambda snr, gamma: (*min_snr_weight(snr, gamma)[:2], snr.clamp(max=gamma) / (snr.clamp(max=gamma) + 1)),
        ),
        slip(
            "1 added after the division for v: it is added to the SNR.",
            lambda snr, gamma: (*min_snr_weight(snr, gamma)[:2], snr.clamp(max=gamma) / snr + 1),
        ),
        slip(
            "SNR + gamma below for v: it is SNR + 1.",
            lambda snr, gamma: (*min_snr_weight(snr, gamma)[:2], snr.clamp(max=gamma) / (snr + gamma)),
        ),
        slip(
            "SNR^2 + 1 below for v: it is SNR + 1.",
            lambda snr, gamma: (*min_snr_weight(snr, gamma)[:2], snr.clamp(max=gamma) / (snr**2 + 1)),
        ),
        slip(
            "gamma below for eps: divide by SNR.",
            lambda snr, gamma: (snr.clamp(max=gamma), snr.clamp(max=gamma) / gamma, snr.clamp(max=gamma) / (snr + 1)),
        ),
        slip(
            "v and eps from 1 / SNR alone, without the minimum.",
            lambda snr, gamma: (snr.clamp(max=gamma), 1 / snr, 1 / (snr + 1)),
        ),
        *(helped(small) for small in (1e-3, 1e-4, 1e-5, 1e-6, 1e-8)),
        slip(
            "the SNR overwritten by its minimum before the division: divide by the SNR as it is given.",
            lambda snr, gamma: of(snr.clamp(max=gamma), snr.clamp(max=gamma)),
        ),
        slip(
            "roots below the line: divide by SNR and by SNR + 1.",
            lambda snr, gamma: tuple(snr.clamp(max=gamma) / below for below in (torch.ones_like(snr), snr.sqrt(), (snr + 1).sqrt())),
        ),
        slip(
            "1 / (SNR + 1) for v: above the line stands min(SNR, gamma).",
            lambda snr, gamma: (*min_snr_weight(snr, gamma)[:2], 1 / (snr + 1)),
        ),
        slip("the SNRs sorted: entry t belongs to snr[t].", lambda snr, gamma: min_snr_weight(snr.sort().values, gamma)),
        slip("the SNRs from the last to the first: entry t belongs to snr[t].", lambda snr, gamma: min_snr_weight(snr.flip(0), gamma)),
        slip(
            "a .squeeze(): it removes the axis of a single SNR.",
            lambda snr, gamma: tuple(w.squeeze() for w in min_snr_weight(snr, gamma)),
        ),
        changed("gamma made whole: it need not be.", lambda snr, gamma: snr.clamp(max=int(gamma))),
        changed("gamma rounded: it need not be whole.", lambda snr, gamma: snr.clamp(max=round(gamma))),
        changed("SNRs below 1 raised to 1: gamma cuts from above alone.", lambda snr, gamma: snr.clamp(min=1).clamp(max=gamma)),
        changed(
            "one minimum over all SNRs: take the smaller of SNR and gamma entry by entry.",
            lambda snr, gamma: torch.full_like(snr, min(snr.min().item(), gamma)),
        ),
        changed("the logarithm of the SNR, cut at gamma: cut the SNR itself.", lambda snr, gamma: snr.log().clamp(max=gamma)),
        changed("max in the place of min: a large SNR is cut down to gamma.", lambda snr, gamma: snr.clamp(min=gamma)),
        changed("no cut at all: take the smaller of SNR and gamma.", lambda snr, gamma: snr),
        changed("gamma everywhere: where SNR is smaller, it is SNR.", lambda snr, gamma: torch.full_like(snr, gamma)),
        changed("5 whatever gamma is: cut at gamma.", lambda snr, gamma: snr.clamp(max=5.0)),
        changed("the minimum of 1/SNR: the SNR itself is cut.", lambda snr, gamma: (1 / snr).clamp(max=gamma)),
        changed("the square of the SNR: it is SNR, not SNR^2.", lambda snr, gamma: snr.square().clamp(max=gamma)),
        changed("the root of the SNR: it is SNR itself.", lambda snr, gamma: snr.sqrt().clamp(max=gamma)),
        changed("the log-SNR cut at gamma: cut the SNR itself.", lambda snr, gamma: snr.log().clamp(max=gamma).exp()),
        changed("1 / gamma as the cut: cut at gamma.", lambda snr, gamma: snr.clamp(max=1 / gamma)),
        changed("gamma + 1 as the cut: cut at gamma.", lambda snr, gamma: snr.clamp(max=gamma + 1)),
        changed(
            "a soft minimum, SNR gamma / (SNR + gamma): the minimum has a corner.",
            lambda snr, gamma: snr * gamma / (snr + gamma),
        ),
        changed("the minimum divided by gamma: it is not scaled.", lambda snr, gamma: snr.clamp(max=gamma) / gamma),
        changed(
            "weights scaled to a mean of 1: they are not.",
            lambda snr, gamma: snr.clamp(max=gamma) / snr.clamp(max=gamma).mean(),
        ),
        changed(
            "0 where SNR is above gamma: there it is gamma.", lambda snr, gamma: torch.where(snr > gamma, 0, snr)
        ),
    ],
)  # fmt: skip
