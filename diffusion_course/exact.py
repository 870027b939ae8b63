"""Denoisers known exactly: of a finite data set, and of a mixture of Gaussians. What a trained network is measured against."""

import math
from collections.abc import Callable
from functools import cached_property
from typing import overload

import torch
from torch import Tensor

from .errors import CourseError, check_integer
from .noise import Noise
from .shapes import at_least_single, check_batch, check_float, expand, number, per_row, positive

KEPT = (
    2**29
)  # bytes that a `DatasetDenoiser` may keep beside its data: 60,000 digits of 28 x 28 in float64 take 376 MB


class DatasetDenoiser:
    """The exact denoiser of a finite data set: E[x_0 | x] when x_0 is one of N data points, each equally likely.

    D(x, sigma) = sum_i w_i data_i with w = softmax_i(-||x - data_i||^2 / (2 sigma^2)) (Karras et al. 2022, eq. 57).
    Weights are computed in float64, over `chunk` data points at a time.

    data: (N, *S). labels: (N,) integers or None. chunk: an integer >= 1.
    Raises CourseError for no data, NaN, another chunk, or labels of another length.
    """

    def __init__(self, data: Tensor, labels: Tensor | None = None, chunk: int = 4096):
        check_float("data", data)
        if data.ndim < 2 or len(data) == 0:
            raise CourseError(f"data: got shape {tuple(data.shape)}, want (N, *S) with N >= 1")
        if not bool(torch.isfinite(data).all()):
            raise CourseError("data: holds NaN or infinity; remove those samples")
        if labels is not None and labels.shape != (len(data),):
            raise CourseError(f"labels: got shape {tuple(labels.shape)}, want ({len(data)},)")
        check_integer("chunk", chunk, 1)
        self.data, self.labels, self.chunk = data, labels, chunk

    def __call__(self, x: Tensor, sigma: Tensor | float) -> Tensor:
        """x: (B, *S); sigma: () or (B,), > 0. Returns (B, *S) in x's dtype."""
        return self._moments(x, sigma)[0].reshape(x.shape).to(x)

    def log_density(self, x: Tensor, sigma: Tensor | float) -> Tensor:
        """log p(x; sigma) of the data blurred with N(0, sigma^2 I): (B,), float64, in nats."""
        log_sum, flat, s = self._moments(x, sigma)[1:]
        norm = 0.5 * flat.shape[1] * (2 * torch.pi * s**2).log()
        return log_sum - 0.5 * (flat / s[:, None]).square().sum(1) - norm - math.log(len(self.data))

    def given(self, y: int | Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """The exact denoiser of one class (y an integer), or of one class per row (y of shape (B,)).

        Raises CourseError without labels, for a class with no data, or for a y that does not match x.
        """
        if self.labels is None:
            raise CourseError("given(y): this data set has no labels; pass labels= when you make it")
        y = torch.as_tensor(y)
        if y.ndim == 0:
            return self._alone(y.item())
        classes = {c: self._alone(c) for c in y.unique().tolist()}

        def mixed(x: Tensor, sigma: Tensor) -> Tensor:
            sigmas, row_classes = per_row("sigma", number(sigma), x), per_row("y", y, x)
            out = torch.empty_like(x)
            for c, D in classes.items():
                rows = row_classes == c
                out[rows] = D(x[rows], sigmas[rows])
            return out

        return mixed

    @property
    def classes(self) -> list[int]:
        """The labels that occur, in rising order: the columns of `classify`. Raises CourseError without labels."""
        if self.labels is None:
            raise CourseError("classes: this data set has no labels; pass labels= when you make it")
        return self.labels.unique().tolist()

    def classify(self, x: Tensor, sigma: Tensor | float) -> Tensor:
        """The exact classifier of noisy inputs, log p(y | x; sigma): (B, number of classes), float64, in nats.

        Column i is `classes[i]`; a class's prior is its share of the data. Raises CourseError without labels.
        """
        classes = [self._alone(y) for y in self.classes]
        log_joint = [D.log_density(x, sigma) + math.log(len(D.data)) for D in classes]
        return torch.stack(log_joint, 1).log_softmax(1)

    def _alone(self, y: float) -> "DatasetDenoiser":
        assert self.labels is not None
        mask = self.labels == y
        if not bool(mask.any()):
            raise CourseError(f"y: got {y}, want one of {self.classes}")
        return DatasetDenoiser(self.data[mask], self.labels[mask], self.chunk)

    @cached_property
    def _points(self) -> Tensor:
        """The data (N, D) in float64, unless that takes too much memory: then as they are, to be converted at each call, a chunk at a time."""
        points = self.data.flatten(1)
        return points.double() if 8 * points.numel() <= KEPT else points

    @cached_property
    def _half_norms(self) -> Tensor:
        """||data_i||^2 / 2: (N,), float64."""
        return torch.cat([0.5 * points.double().square().sum(1) for points in self._points.split(self.chunk)])

    def _moments(self, x: Tensor, sigma: Tensor | float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Weighted mean (B, D), log-sum of the unnormalised weights (B,), x as (B, D), sigma as (B,); all float64.

        The factor exp(-||x||^2 / 2 sigma^2) is common to all weights and left out. One pass over the data with a
        running maximum, so that no (B, N) table is held for a large data set.
        """
        check_batch("x", x, *self.data.shape[1:])
        flat = x.flatten(1).double()
        s = expand(positive("sigma", sigma), flat).to(flat).reshape(-1).expand(len(x))
        top = torch.full((len(x),), -torch.inf, dtype=torch.float64, device=x.device)
        total, mean = torch.zeros_like(top), torch.zeros_like(flat)
        for points, half_norms in zip(
            self._points.split(self.chunk), self._half_norms.split(self.chunk), strict=True
        ):
            points = points.to(flat)
            logits = (flat @ points.T - half_norms.to(flat)) / s[:, None] ** 2
            new_top = torch.maximum(top, logits.max(1).values)
            weights = (logits - new_top[:, None]).exp()
            shrink = (top - new_top).exp()
            total = total * shrink + weights.sum(1)
            mean = mean * shrink[:, None] + weights @ points
            top = new_top
        return mean / total[:, None], top + total.log(), flat, s


def blurred(D: Callable[[Tensor, Tensor], Tensor], h: float) -> Callable[[Tensor, Tensor | float], Tensor]:
    """The exact denoiser of data that are blurred with N(0, h^2 I), from the exact denoiser of the data themselves.

    Of the noise in x, of variance sigma^2 + h^2, the share h^2 / (sigma^2 + h^2) belongs to the blurred data. D: x (B, *S), sigma (),
    or (B,) -> (B, *S). h: a number > 0. Raises CourseError for another h, and for a sigma that does not fit.
    """
    if not h > 0:
        raise CourseError(f"h: got {h}, want a number > 0")

    def of_the_blurred(x: Tensor, sigma: Tensor | float) -> Tensor:
        variance = number(sigma).double() ** 2 + h**2
        mean = D(x, variance.sqrt())
        return mean + expand(h**2 / variance, x).to(x) * (x - mean)

    return of_the_blurred


class GaussianMixture:
    """A mixture of isotropic Gaussians, with its exact denoiser, score and density.

    p(x_0) = sum_k weights_k N(means_k, stds_k^2 I); adding noise adds sigma^2 to each variance.
    means: (K, *S); stds: () or (K,), >= 0; weights: (K,), > 0, normalised here (default equal).
    Raises CourseError for shapes that do not match, NaN, or weights that are not positive.
    """

    def __init__(self, means: Tensor, stds: Tensor | float, weights: Tensor | None = None):
        means = torch.as_tensor(means)
        self.means = means if means.is_floating_point() else means.float()
        if self.means.ndim < 2 or len(self.means) == 0:
            raise CourseError(f"means: got shape {tuple(self.means.shape)}, want (K, *S) with K >= 1")
        if not bool(torch.isfinite(self.means).all()):
            raise CourseError("means: hold NaN or infinity")
        K = len(self.means)
        stds = number(stds).to(self.means)
        weights = number(torch.ones(K) if weights is None else weights).to(self.means)
        if tuple(stds.shape) not in ((), (K,)) or not bool(((stds >= 0) & stds.isfinite()).all()):
            raise CourseError(f"stds: got {stds.tolist()}, want a number >= 0, or {K} of them")
        if weights.shape != (K,) or not bool(((weights > 0) & weights.isfinite()).all()):
            raise CourseError(f"weights: got {weights.tolist()}, want {K} numbers > 0")
        self.stds = stds.expand(K)
        self.weights = weights / weights.sum()

    def __call__(self, x: Tensor, sigma: Tensor | float) -> Tensor:
        """E[x_0 | x]: x (B, *S), sigma () or (B,) -> (B, *S) in x's dtype."""
        log_joint = self._parts(x, sigma)[2]
        return (log_joint.softmax(1)[..., None] * self._components(x, sigma)).sum(1).reshape(x.shape).to(x)

    def score(self, x: Tensor, sigma: Tensor | float = 0.0) -> Tensor:
        """grad_x log p(x; sigma): (B, *S). Equals (D(x, sigma) - x) / sigma^2 (Tweedie)."""
        centred, variance, log_joint = self._parts(x, sigma)
        pull = -centred / variance[..., None]
        return (log_joint.softmax(1)[..., None] * pull).sum(1).reshape(x.shape).to(x)

    def log_density(self, x: Tensor, sigma: Tensor | float = 0.0) -> Tensor:
        """log p(x; sigma) of the mixture blurred with N(0, sigma^2 I): (B,), in nats."""
        return self._parts(x, sigma)[2].logsumexp(1)

    def classify(self, x: Tensor, sigma: Tensor | float = 0.0) -> Tensor:
        """The exact classifier of noisy inputs, log p(k | x; sigma): (B, K), in nats."""
        return self._parts(x, sigma)[2].log_softmax(1)

    @overload
    def given(self, k: int) -> "GaussianMixture": ...
    @overload
    def given(self, k: Tensor) -> Callable[[Tensor, Tensor], Tensor]: ...
    def given(self, k: int | Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """The exact conditional denoiser when the label is the component: component k alone.

        An integer gives a mixture of one. A tensor of shape (B,) gives the denoiser of one component per row.
        Raises CourseError unless every k is an integer in 0..K-1.
        """
        K = len(self.means)
        if not isinstance(k, Tensor):
            check_integer("k", k, 0, K - 1)
            return GaussianMixture(self.means[k : k + 1], self.stds[k : k + 1])
        if k.is_floating_point() or not bool(((k >= 0) & (k < K)).all()):
            raise CourseError(f"k: got {k.tolist()}, want integers in 0..{K - 1}")

        def per_component(x: Tensor, sigma: Tensor | float) -> Tensor:
            rows = torch.arange(len(x), device=x.device)
            return self._components(x, sigma)[rows, per_row("k", k, x).long()].reshape(x.shape).to(x)

        return per_component

    def sample(self, n: int, noise: Noise) -> tuple[Tensor, Tensor]:
        """n draws: (n, *S), and the component of each: (n,). n: an integer >= 0. noise: a `Noise`."""
        check_integer("n", n, 0)
        draws = noise.randn(n, self.means[0].numel() + 1, device=self.means.device, dtype=self.means.dtype)
        uniform = torch.special.ndtr(draws[:, -1].double()).to(self.means)
        k = torch.searchsorted(self.weights.cumsum(0), uniform).clamp(max=len(self.means) - 1)
        x = self.means[k] + (self.stds[k, None] * draws[:, :-1]).reshape(n, *self.means.shape[1:])
        return x, k

    def _components(self, x: Tensor, sigma: Tensor | float) -> Tensor:
        """E[x_0 | x, k] for every component k: (B, K, D)."""
        centred, variance, _ = self._parts(x, sigma)
        shrink = self.stds.to(centred) ** 2 / variance
        return self.means.to(centred).flatten(1) + shrink[..., None] * centred

    def _parts(self, x: Tensor, sigma: Tensor | float) -> tuple[Tensor, Tensor, Tensor]:
        """x - means (B, K, D); variances (B, K) or (1, K); log of weight times density (B, K). Never in half precision.

        Raises CourseError for an x or sigma that does not fit, or where a component's variance is 0.
        """
        check_batch("x", x, *self.means.shape[1:])
        x = at_least_single(x)
        centred = (x[:, None] - self.means.to(x)).flatten(2)
        sigma = expand(sigma, x).to(x).reshape(-1, 1)
        variance = self.stds.to(x) ** 2 + sigma**2
        bad = ~((sigma >= 0) & sigma.isfinite() & (variance > 0).all(1, keepdim=True))
        if bool(bad.any()):
            raise CourseError(f"sigma: got {sigma[bad][0]:g}, want numbers >= 0, and > 0 where a std is 0")
        D = centred.shape[2]
        log_density = -0.5 * (centred.square().sum(2) / variance + D * (2 * torch.pi * variance).log())
        return centred, variance, self.weights.to(x).log() + log_density
