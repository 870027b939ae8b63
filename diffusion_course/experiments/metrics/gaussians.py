"""The Fréchet distance of two Gaussians, and the two moments of features that it needs, in float64."""

import struct
import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import CourseError, printable
from ...files import write_atomically
from .checks import LARGEST, check_features, check_size

# What NumPy and zipfile raise for a file that is damaged, encrypted, of another kind, or claims to be huge.
BROKEN = (
    *(OSError, ValueError, KeyError, EOFError, TypeError, RuntimeError, SyntaxError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)


@dataclass(frozen=True)
class Gaussian:
    """mean (d,) and covariance (d, d), float64. n: how many features they are of, None where that is not known."""

    mean: Tensor
    covariance: Tensor
    n: int | None = None

    @cached_property
    def factor(self) -> Tensor:
        """A matrix F with F F^T = covariance, kept, since a reference is compared with many."""
        lower, failed = torch.linalg.cholesky_ex(self.covariance)
        if not failed:
            return lower
        values, vectors = torch.linalg.eigh(self.covariance)  # of no full rank: more dimensions than features
        return vectors * values.clamp(min=0).sqrt()


class Moments:
    """Mean and covariance of features that come in batches. Nothing of the features is kept.

    Sums of squares about the mean so far (Chan et al. 1983), so that features far from 0 lose no digits.
    """

    def __init__(self, dims: int):
        self.n = 0
        self.mean = torch.zeros(dims, dtype=torch.float64)
        self.squares = torch.zeros(dims, dims, dtype=torch.float64)

    def add(self, features: Tensor) -> None:
        """Count in features (B, d), of any precision, on any device; B = 0 adds nothing."""
        if len(features):
            features = features.detach().cpu().double()
            mean = features.mean(0)
            self._join(len(features), mean, (features - mean).T @ (features - mean))

    def merge(self, other: "Moments") -> None:
        """Count in what another one has seen."""
        if other.n:
            self._join(other.n, other.mean, other.squares)

    def _join(self, n: int, mean: Tensor, squares: Tensor) -> None:
        shift, total = mean - self.mean, self.n + n
        self.squares += squares + torch.outer(shift, shift) * (self.n * n / total)
        self.mean += shift * (n / total)
        self.n = total

    def gaussian(self) -> Gaussian:
        """The Gaussian with these moments; the covariance is the unbiased one. Raises CourseError for fewer than 2 features."""
        if self.n < 2:
            raise CourseError(f"features: got {self.n}, want at least 2, since one has no covariance")
        return Gaussian(self.mean.clone(), self.squares / (self.n - 1), self.n)


def merged(parts: list[Moments]) -> Moments:
    """The moments of all that the parts have seen, which stay as they are. Raises IndexError where there is no part."""
    total = Moments(len(parts[0].mean))
    for part in parts:
        total.merge(part)
    return total


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """||mean_a - mean_b||^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)), >= 0 (Dowson & Landau 1982, eq. 4; Heusel et al. 2017, eq. 6).

    With Inception's 2048 features this number is called FID. Raises CourseError for Gaussians of other dimensions, and for features.
    """
    for name, value in (("a", a), ("b", b)):
        if not isinstance(value, Gaussian):
            got = f"a {type(value).__name__}"
            raise CourseError(
                f"{name}: got {got}, want a Gaussian; of features (N, d) take frechet(a, b), or Gaussian(mean, covariance)"
            )
    if a.mean.shape != b.mean.shape:
        raise CourseError(f"a, b: got Gaussians of {len(a.mean)} and {len(b.mean)} dimensions, want as many")
    # S_a S_b = S_a F F^T has the eigenvalues of the symmetric F^T S_a F: no root of a non-symmetric matrix.
    cross = torch.linalg.eigvalsh(b.factor.T @ a.covariance @ b.factor).clamp(min=0).sqrt().sum()
    distance = (a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace() - 2 * cross
    return max(0.0, distance.item())


def frechet(a: Tensor, b: Tensor) -> float:
    """Fréchet distance of two Gaussians fitted to features (N, d) and (M, d), >= 0. See `frechet_distance`.

    It is biased: it falls as N grows, so compare at equal N. In other features it is on another scale.
    Raises CourseError unless both are floating point, finite, within ±1e20, (N, d) with one d, and N, M >= 2.
    """
    check_features(("a", "b"), a, b, least=2)
    return frechet_distance(fitted(a), fitted(b))


def fitted(features: Tensor) -> Gaussian:
    """The Gaussian with the moments of features (N, d), N >= 2."""
    moments = Moments(features.shape[1])
    moments.add(features)
    return moments.gaussian()


def write_statistics(path: Path, gaussian: Gaussian) -> None:
    """Write an `.npz` that pytorch-fid reads: `mu` (d,) and `sigma` (d, d). Raises CourseError where it cannot be written."""
    moments: Any = {"mu": gaussian.mean.numpy(), "sigma": gaussian.covariance.numpy()}
    write_atomically(path, lambda file: np.savez_compressed(file, **moments))


def read_statistics(path: Path) -> Gaussian:
    """The Gaussian in an `.npz` as pytorch-fid writes it. How many pictures it is of, such a file does not say.

    Raises CourseError for a file of another kind, and for moments that no features have.
    """
    arrays, told = read_npz(path), printable(str(path))
    if not {"mu", "sigma"} <= arrays.keys():
        raise CourseError(f"{told}: holds {printable(', '.join(arrays)) or 'nothing'}; want mu and sigma")
    return gaussian_of(told, arrays["mu"], arrays["sigma"])


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an `.npz`; objects, which carry code, are refused. Raises CourseError for a file that is none or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("one array, no .npz")
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise CourseError(f"{printable(str(path))}: no such file") from None
    except BROKEN as error:
        reason = (str(error).splitlines() or ["unreadable"])[0]
        raise CourseError(f"{printable(str(path))}: not an .npz of arrays, or damaged ({reason})") from None


def gaussian_of(name: str, mu: np.ndarray, sigma: np.ndarray) -> Gaussian:
    """The Gaussian of mu (d,) and sigma (d, d). Raises CourseError, beginning with name, where they are no such thing."""
    if mu.ndim != 1 or mu.size == 0 or sigma.shape != (mu.size, mu.size) or mu.dtype.kind not in "fiu":
        raise CourseError(f"{name}: got mu {mu.shape} and sigma {sigma.shape}, want numbers (d,) and (d, d)")
    if sigma.dtype.kind not in "fiu":
        raise CourseError(f"{name}: sigma holds {sigma.dtype}, want numbers")
    mean, covariance = torch.from_numpy(mu.astype(np.float64)), torch.from_numpy(sigma.astype(np.float64))
    check_size(f"{name}: mu", mean)
    check_size(f"{name}: sigma", covariance, LARGEST**2)
    largest = covariance.abs().max().item()
    symmetric = (covariance + covariance.T) / 2
    # Rounded to float32, a covariance moves its eigenvalues by at most 6e-8 of its Frobenius norm, which is below its trace.
    negative = torch.linalg.eigvalsh(symmetric)[0] < -1e-6 * symmetric.trace()
    if (covariance - covariance.T).abs().max().item() > 1e-6 * largest or bool(negative):
        raise CourseError(f"{name}: sigma is no covariance: want it symmetric, with eigenvalues >= 0")
    return Gaussian(mean, symmetric)
