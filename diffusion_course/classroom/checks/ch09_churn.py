"""Churn."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .ch09_karras import karras_sigmas
from .data import Check, Mutant
from .inputs import Draw


def churn(
    x: Tensor,
    sigma: Tensor,
    eps: Tensor,
    num_steps: int,
    s_churn: float,
    s_min: float,
    s_max: float,
    s_noise: float,
) -> tuple[Tensor, Tensor]:
    return raised(x, sigma, eps, gamma(sigma, num_steps, s_churn, s_min, s_max), s_noise)


def gamma(sigma: Tensor, num_steps: int, s_churn: float, s_min: float, s_max: float) -> float:
    return min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0


def raised(x: Tensor, sigma: Tensor, eps: Tensor, g: float, s_noise: float) -> tuple[Tensor, Tensor]:
    sigma_hat = sigma * (1 + g)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def other_gamma(hint: str, g: Callable) -> Mutant:
    """A mutant with its own gamma = g(sigma, num_steps, s_churn, s_min, s_max)."""
    return Mutant(hint, lambda x, s, eps, n, c, low, high, k: raised(x, s, eps, g(s, n, c, low, high), k))


def other_noise(hint: str, move: Callable) -> Mutant:
    """A mutant that raises sigma rightly, and x to move(x, sigma, sigma_hat, eps, s_noise)."""

    def moved(
        x: Tensor, s: Tensor, eps: Tensor, n: int, c: float, low: float, high: float, k: float
    ) -> tuple[Tensor, Tensor]:
        sigma_hat = s * (1 + gamma(s, n, c, low, high))
        return move(x, s, sigma_hat, eps, k), sigma_hat

    return Mutant(hint, moved)


def other_sigma(hint: str, raise_: Callable) -> Mutant:
    """A mutant with its own sigma_hat = raise_(sigma, gamma)."""

    def moved(
        x: Tensor, s: Tensor, eps: Tensor, n: int, c: float, low: float, high: float, k: float
    ) -> tuple[Tensor, Tensor]:
        hat = raise_(s, gamma(s, n, c, low, high))
        return x + (hat**2 - s**2).sqrt() * k * eps, hat

    return Mutant(hint, moved)


def share(s: Tensor, low: float, high: float, value: float) -> float:
    """A gamma inside the interval, and 0 outside."""
    return value if low <= s <= high else 0.0


def churn_inputs(d: Draw) -> tuple:
    """sigma inside [s_min, s_max] but where d.edge is "first", on either side; gamma below or above its cap."""
    low, high = d.uniform(0.2, 0.4).item(), d.uniform(2, 3).item()
    inside, below, above = d.uniform(0.5, 1.8), d.uniform(0.05, 0.15), d.uniform(4, 6)
    small = d.dtype == torch.float64
    sigma = (below if small else above) if d.edge == "first" else inside
    n = d.size() + 3
    s_churn = n * (d.uniform(0.1, 0.3) if small else d.uniform(0.6, 0.9)).item()
    return d.x(), sigma, d.x(), n, s_churn, low, high, d.uniform(1.1, 1.3).item()


def raises(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Every sigma of the paper's grid, both closed ends of the interval, gamma at its cap, no churn, an open interval."""
    for sigma in karras_sigmas(18, 0.002, 80.0, 7.0)[:-1].tolist():
        yield f"sigma = {sigma:.4g} of the paper's grid", (*level(d, sigma), 18, 40, 0.05, 50, 1.003)
    for sigma in (0.05, 50.0, 0.0499, 50.1):
        yield f"sigma = {sigma} at [0.05, 50]", (*level(d, sigma), 18, 5.0, 0.05, 50.0, 1.003)
    for s_churn in (0, 0.0, 1e-3, 18 * (math.sqrt(2) - 1), 18.0, 80):
        yield f"s_churn = {s_churn:.4g}", (*level(d, 1.0), 18, s_churn, 0.05, 50.0, 1.007)
    for s_min in (0, 0.0, 0.001, 0.004):
        yield f"sigma = 0.002, s_min = {s_min}", (*level(d, 0.002), 18, 5.0, s_min, 50.0, 1.003)
    for sigma, s_min in ((80.0, 0.0), (0.05, 0.05), (157.4, 1.0)):
        yield "no upper end", (*level(d, sigma), 18, 40, s_min, math.inf, 1.0)
    for s_noise in (0.0, 1, 1.0):
        yield f"s_noise = {s_noise}", (*level(d, 1.0), 256, 40, 0, math.inf, s_noise)


def level(d: Draw, sigma: float) -> tuple[Tensor, Tensor, Tensor]:
    """x, sigma and eps."""
    return sigma * d.wide(2, 3), torch.tensor(sigma, dtype=d.dtype, device=d.device), d.wide(2, 3)


CHURN = Check(
    id="09-churn",
    points=3,
    minutes=15,
    level=2,
    reference=churn,
    inputs=churn_inputs,
    fixed=raises,
    where='the three lines in section 7 of this notebook ("Churn: noise that repairs"): '
    "gamma = min(s_churn / num_steps, sqrt(2) - 1) within [s_min, s_max], else 0; sigma_hat = (1 + gamma) sigma; "
    "x_hat = x + sqrt(sigma_hat^2 - sigma^2) s_noise eps (Karras et al. 2022, algorithm 2).",
    outputs=("x_hat", "sigma_hat"),
    library=("samplers.edm",),
    mutants=[
        # brackets and roots
        other_sigma(
            "1 + gamma sigma without its brackets: sigma_hat = (1 + gamma) sigma.", lambda s, g: 1 + g * s
        ),
        other_noise(
            "eps under the root: it is sqrt(sigma_hat^2 - sigma^2) times eps.",
            lambda x, s, hat, eps, k: x + (hat**2 - s**2 * k * eps).sqrt(),
        ),
        other_noise(
            "eps under the root, s_noise outside: it is sqrt(sigma_hat^2 - sigma^2) times s_noise eps.",
            lambda x, s, hat, eps, k: x + (hat**2 - s**2 * eps).sqrt() * k,
        ),
        # the interval; at one end of it before at both
        other_gamma(
            "s_min < sigma: the interval is closed, sigma = s_min is churned too.",
            lambda s, n, c, low, high: gamma(s, n, c, low, high) if s > low else 0.0,
        ),
        other_gamma(
            "sigma < s_max: the interval is closed, sigma = s_max is churned too.",
            lambda s, n, c, low, high: gamma(s, n, c, low, high) if s < high else 0.0,
        ),
        other_gamma(
            "s_min < sigma < s_max: the interval is closed, both its ends are churned too.",
            lambda s, n, c, low, high: gamma(s, n, c, low, high) if low < s < high else 0.0,
        ),
        other_gamma(
            "churn below s_min: the interval has two ends.",
            lambda s, n, c, low, high: gamma(s, n, c, -math.inf, high),
        ),
        other_gamma(
            "churn above s_max: the interval has two ends.",
            lambda s, n, c, low, high: gamma(s, n, c, low, math.inf),
        ),
        other_gamma(
            "churn at every sigma: outside [s_min, s_max] gamma is 0.",
            lambda s, n, c, low, high: gamma(s, n, c, -math.inf, math.inf),
        ),
        other_gamma(
            "churn outside [s_min, s_max] and none inside: it is the other way round.",
            lambda s, n, c, low, high: 0.0 if low <= s <= high else gamma(s, n, c, -math.inf, math.inf),
        ),
        other_gamma("no churn at all: inside [s_min, s_max] gamma is above 0.", lambda *knobs: 0.0),
        # gamma
        other_gamma(
            "no churn for a small gamma: any gamma above 0 raises the noise.",
            lambda s, n, c, low, high: gamma(s, n, c, low, high) if c / n > 0.09 else 0.0,
        ),
        other_gamma(
            "a gamma without its cap: it is at most sqrt(2) - 1, so that the variance at most doubles.",
            lambda s, n, c, low, high: share(s, low, high, c / n),
        ),
        other_gamma(
            "a gamma of sqrt(2) - 1 whatever s_churn is: that is its cap, gamma is s_churn / num_steps below it.",
            lambda s, n, c, low, high: share(s, low, high, math.sqrt(2) - 1),
        ),
        other_gamma(
            "a cap of sqrt(2): gamma is at most sqrt(2) - 1, so that the variance at most doubles.",
            lambda s, n, c, low, high: share(s, low, high, min(c / n, math.sqrt(2))),
        ),
        other_gamma(
            "a cap of 1, as sqrt(2 - 1) is: the 1 is subtracted after the root.",
            lambda s, n, c, low, high: share(s, low, high, min(c / n, 1)),
        ),
        *(
            other_gamma(
                f"a cap typed as {cap}: take math.sqrt(2) - 1.",
                lambda s, n, c, low, high, cap=cap: share(s, low, high, min(c / n, cap)),
            )
            for cap in (0.41, 0.414, 0.4142)
        ),
        other_gamma(
            "gamma made of the whole s_churn: each of the num_steps steps gets its share, s_churn / num_steps.",
            lambda s, n, c, low, high: gamma(s, 1, c, low, high),
        ),
        other_gamma(
            "s_churn / (num_steps - 1): each of the num_steps steps gets its share, s_churn / num_steps.",
            lambda s, n, c, low, high: gamma(s, n - 1, c, low, high),
        ),
        other_gamma(
            "s_churn / (num_steps + 1): each of the num_steps steps gets its share, s_churn / num_steps.",
            lambda s, n, c, low, high: gamma(s, n + 1, c, low, high),
        ),
        other_gamma(
            "the larger of the two, max: gamma is the smaller one.",
            lambda s, n, c, low, high: share(s, low, high, max(c / n, math.sqrt(2) - 1)),
        ),
        # sigma_hat
        other_sigma("gamma added to sigma: sigma_hat = (1 + gamma) sigma.", lambda s, g: s + g),
        other_sigma("gamma sigma: sigma_hat = (1 + gamma) sigma.", lambda s, g: g * s),
        other_sigma(
            "a sigma_hat below sigma: the noise is raised, (1 + gamma) sigma.", lambda s, g: (1 - g) * s
        ),
        other_sigma(
            "a variance raised by gamma, sqrt(1 + gamma) sigma: sigma_hat = (1 + gamma) sigma.",
            lambda s, g: (1 + g) ** 0.5 * s,
        ),
        Mutant(
            "the old sigma returned: the Heun step that follows must begin at sigma_hat.",
            lambda x, s, eps, n, c, low, high, k: (
                churn(x, s, eps, n, c, low, high, k)[0],
                s.clone(),
            ),
        ),
        # the noise
        other_noise(
            "no noise added: x gets sqrt(sigma_hat^2 - sigma^2) s_noise eps.", lambda x, *rest: x.clone()
        ),
        other_noise(
            "a difference of standard deviations: variances add, so the new noise has the variance sigma_hat^2 - sigma^2.",
            lambda x, s, hat, eps, k: x + (hat - s) * k * eps,
        ),
        other_noise(
            "the root of a difference of standard deviations: under it stand the variances, sigma_hat^2 - sigma^2.",
            lambda x, s, hat, eps, k: x + (hat - s).sqrt() * k * eps,
        ),
        other_noise(
            "a variance used as a standard deviation: take the root of sigma_hat^2 - sigma^2.",
            lambda x, s, hat, eps, k: x + (hat**2 - s**2) * k * eps,
        ),
        other_noise(
            "sigma_hat^2 + sigma^2 under the root: x has sigma already, only the difference is added.",
            lambda x, s, hat, eps, k: x + (hat**2 + s**2).sqrt() * k * eps,
        ),
        other_noise(
            "eps inside the root, and no s_noise: the root is the standard deviation, and s_noise eps is multiplied by it.",
            lambda x, s, hat, eps, k: x + (hat**2 - s**2 * eps).sqrt(),
        ),
        other_noise(
            "eps inside the root: the root is the standard deviation, and s_noise eps is multiplied by it.",
            lambda x, s, hat, eps, k: x + ((hat**2 - s**2) * eps).sqrt() * k,
        ),
        other_noise(
            "s_noise and eps inside the root: it is the standard deviation, and s_noise eps is multiplied by it.",
            lambda x, s, hat, eps, k: x + ((hat**2 - s**2) * k * eps).sqrt(),
        ),
        other_noise(
            "s_noise inside the root: it multiplies eps, outside.",
            lambda x, s, hat, eps, k: x + ((hat**2 - s**2) * k).sqrt() * eps,
        ),
        other_noise(
            "s_noise squared: it multiplies eps once.",
            lambda x, s, hat, eps, k: x + (hat**2 - s**2).sqrt() * k**2 * eps,
        ),
        other_noise(
            "a division by s_noise: it multiplies eps.",
            lambda x, s, hat, eps, k: x + (hat**2 - s**2).sqrt() / k * eps,
        ),
        other_noise(
            "noise of the whole sigma_hat: x has sigma already, only the difference is added.",
            lambda x, s, hat, eps, k: x + hat * k * eps,
        ),
        other_noise(
            "s_noise left out: it multiplies eps.",
            lambda x, s, hat, eps, k: x + (hat**2 - s**2).sqrt() * eps,
        ),
        other_noise(
            "the noise taken away: it is added. (In law it is the same, but this check gives you eps.)",
            lambda x, s, hat, eps, k: x - (hat**2 - s**2).sqrt() * k * eps,
        ),
        other_noise(
            "the noise alone: add it to x.",
            lambda x, s, hat, eps, k: (hat**2 - s**2).sqrt() * k * eps,
        ),
    ],
)
