"""The cross term of the Fréchet distance, tr (S_a S_b)^(1/2): by symmetric eigenvalues, as the course has it, beside SciPy's sqrtm, as pytorch-fid has it.
The covariances are of features with a spectrum that falls as 1 / k, as Inception's do, from twice as many samples as dimensions.
"""

from collections.abc import Callable

import numpy as np
import torch
from scipy import linalg

from diffusion_course.experiments.metrics.gaussians import Gaussian, fitted, frechet_distance

from .sides import Case, Comparison

DIMS = 2048


def by_sqrtm(a: Gaussian, b: Gaussian) -> float:
    """pytorch-fid's formula, without the argument of sqrtm that SciPy 1.18 takes away."""
    S_a, S_b = a.covariance.numpy(), b.covariance.numpy()
    shift = (a.mean - b.mean).numpy()
    return float(shift @ shift + np.trace(S_a) + np.trace(S_b) - 2 * np.trace(linalg.sqrtm(S_a @ S_b)).real)


def ours(a: Gaussian, b: Gaussian) -> float:
    """With a new factor each time: a `Gaussian` keeps its own."""
    return frechet_distance(a, Gaussian(b.mean, b.covariance))


def cloud(seed: int, dims: int) -> Gaussian:
    g = torch.Generator().manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(dims, dims, generator=g, dtype=torch.float64)).Q
    scale = torch.arange(1, dims + 1, dtype=torch.float64).rsqrt()
    return fitted(torch.randn(2 * dims, dims, generator=g, dtype=torch.float64) * scale @ turn)


def comparisons(device: torch.device) -> list[Comparison]:
    a, b = cloud(0, DIMS), cloud(1, DIMS)
    off = abs(ours(a, b) / by_sqrtm(a, b) - 1)

    def timed(distance: Callable[[Gaussian, Gaussian], float]) -> Case:
        def case() -> None:
            distance(a, b)

        return case

    cases = {"SciPy's sqrtm": timed(by_sqrtm), "the course": timed(ours)}
    notes = [f"The distances differ by {off:.1e}, relatively."]
    return [Comparison(f"Fréchet distance at {DIMS} dimensions", cases, "distance", notes=notes)]
