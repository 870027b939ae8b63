"""What goes wrong where a schedule is brought to another number of steps by its old betas, and not by alpha_bar."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from .ch04_clock import between, places, rescale
from .data import Mutant


def stretched(betas: Tensor, T: int) -> Tensor:
    """The betas themselves on T places, from the first to the last."""
    return between(betas, torch.arange(T).to(betas) * (len(betas) - 1) / max(T - 1, 1))


def read(betas: Tensor, T: int, whole: Callable[[Tensor], Tensor]) -> Tensor:
    """The old betas at t N / T, t = 1..T, brought to whole steps."""
    return betas[(whole(places(len(betas), T, betas)[1:]).long() - 1).clamp(0, len(betas) - 1)]


def added(betas: Tensor, T: int) -> Tensor:
    """The old betas of each N / T steps added, with the ends of these rounded down."""
    ends = [t * len(betas) // T for t in range(T + 1)]
    return torch.stack([betas[a:b].sum() for a, b in pairwise(ends)])


def repeated(betas: Tensor, T: int) -> Tensor:
    """Of more steps than there were: each old beta several times, N / T of it; of fewer, the right ones."""
    N = len(betas)
    return betas[torch.arange(T) * N // T] * N / T if T > N else rescale(betas, T)


# the factor
FACTORS = (
    Mutant(
        "the betas of T of the old steps, unchanged: each new step must take the noise of N / T old ones.",
        stretched,
    ),
    Mutant(
        "the betas of T of the old steps times N / T, the factor of this section: it keeps the sum of the betas, nearly; "
        "here alpha_bar is kept, so take ratios of it.",
        lambda b, T: stretched(b, T) * len(b) / T,
    ),
    Mutant(
        "all N betas times N / T: return T betas, from alpha_bar at t N / T.",
        lambda b, T: b * len(b) / T,
    ),
    Mutant(
        "the betas times 1000 / T whatever N is: N is the number of the betas, and alpha_bar is to be kept, not the sum of the betas.",
        lambda b, T: stretched(b, T) * 1000 / T,
    ),
    Mutant(
        "an even ramp between the old ends times N / T, the factor of this section: it keeps the sum of a ramp's betas, nearly; here "
        "alpha_bar is kept, of any betas.",
        lambda b, T: (
            torch.linspace(0, 1, T, dtype=b.dtype, device=b.device).mul(b[-1] - b[0]).add(b[0]) * len(b) / T
        ),
    ),
    Mutant(
        "the old beta_1 as the first: one new step takes the noise of the N / T first ones.",
        lambda b, T: torch.cat([b[:1], rescale(b, T)[1:]]),
    ),
    Mutant(
        "the old beta_N where T = 1: the one step takes the noise of all N.",
        lambda b, T: rescale(b, T) if T > 1 else b[-1:],
    ),
)

# the old betas, read at the new places
WHOLE: dict[str, Callable[[Tensor], Tensor]] = {
    "rounded": torch.round,
    "rounded up": torch.ceil,
    "rounded down": torch.floor,
}
OLD_BETAS = (
    *(
        Mutant(
            f"the old betas read at t N / T, {words}: a new step takes the noise of N / T old ones, so read alpha_bar there, and divide.",
            lambda b, T, whole=whole: read(b, T, whole),
        )
        for words, whole in WHOLE.items()
    ),
    *(
        Mutant(
            f"one old beta for each new step, at t N / T {words}, as if all N / T old steps had it: 1 - (1 - beta)^(N / T). "
            "Each has its own; they are in alpha_bar.",
            lambda b, T, whole=whole: 1 - (1 - read(b, T, whole)) ** (len(b) / T),
        )
        for words, whole in WHOLE.items()
    ),
    Mutant(
        "old betas added: what is left of the image is multiplied, by 1 - beta, so take ratios of alpha_bar.",
        added,
    ),
    Mutant(
        "old betas repeated, N / T of each, where T is larger than N: alpha_bar at t N / T, for any T.",
        repeated,
    ),
)
