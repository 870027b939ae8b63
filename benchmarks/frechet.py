"""The cross term of the Fréchet distance, tr (S_a S_b)^(1/2): by symmetric eigenvalues, as the course has it, beside SciPy's sqrtm, as pytorch-fid has it.

    python benchmarks/frechet.py [dims] [runs]

The covariances are of features with a spectrum that falls as 1 / k, as Inception's do, from twice as many samples as dimensions.
"""

import statistics
import sys
import time

import numpy as np
import torch
from scipy import linalg

from diffusion_course.experiments.metrics.gaussians import Gaussian, fitted, frechet_distance


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


def main(dims: int, runs: int) -> None:
    a, b = cloud(0, dims), cloud(1, dims)
    seconds: dict[str, list[float]] = {"ours": [], "sqrtm": []}
    values = {}
    for _ in range(runs):  # interleaved, so that a busy moment of the machine meets both
        for name, distance in (("ours", ours), ("sqrtm", by_sqrtm)):
            start = time.perf_counter()
            values[name] = distance(a, b)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, median in medians.items():
        print(f"{name:<6} {median:8.2f} s   distance {values[name]:.8g}")
    off = abs(values["ours"] / values["sqrtm"] - 1)
    print(
        f"{dims} dimensions: {medians['sqrtm'] / medians['ours']:.1f} times as fast, relative difference {off:.1e}"
    )


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    main(*words, *(2048, 3)[len(words) :])
