"""Everything that can be sampled is a denoiser: D(x, sigma) = E[x_0 | x_0 + sigma eps = x].

x is (B, *S) in VE coordinates (x = x_0 + sigma eps); sigma is () or (B,). A network becomes a denoiser through
a parametrisation, four coefficients (Karras et al. 2022, eq. 7 and table 1):

    D(x, sigma) = c_skip(sigma) x + c_out(sigma) F(c_in(sigma) x, c_noise(sigma))
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from .errors import CourseError, check_integer
from .gaussian import expand, number, to_ve, to_vp
from .noise import Noise
from .schedules import NoiseSchedule


class Denoiser(Protocol):
    """D(x, sigma) -> estimate of x_0, of x's shape. x: (B, *S) in VE coordinates; sigma: () or (B,)."""

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor: ...


EpsModel = Callable[[Tensor, Tensor], Tensor]
"""eps_theta(x_t, t) in textbook coordinates: x_t (B, *S), t (B,) in 1..T -> predicted noise (B, *S)."""


@dataclass(frozen=True)
class Param:
    """A parametrisation: what the network sees, and what its output means. Each entry maps sigma to a number."""

    c_skip: Callable[[Tensor], Tensor]
    c_out: Callable[[Tensor], Tensor]
    c_in: Callable[[Tensor], Tensor]
    c_noise: Callable[[Tensor], Tensor]


def eps_param(schedule: NoiseSchedule) -> Param:
    """The network sees (x_t, t) and predicts eps (Ho et al. 2020)."""
    return Param(torch.ones_like, lambda s: -s, _vp_scale, schedule.t)


def x0_param(schedule: NoiseSchedule) -> Param:
    """The network sees (x_t, t) and predicts x_0."""
    return Param(torch.zeros_like, torch.ones_like, _vp_scale, schedule.t)


def v_param(schedule: NoiseSchedule) -> Param:
    """The network sees (x_t, t) and predicts v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x_0 (Salimans & Ho 2022)."""
    return Param(lambda s: 1 / (1 + s**2), lambda s: -s / (1 + s**2).sqrt(), _vp_scale, schedule.t)


def flow_param() -> Param:
    """Straight path: the network sees ((1-t) x_0 + t eps, t) and predicts eps - x_0 (Lipman et al. 2023; Liu et al. 2023).

    t = sigma / (1 + sigma) in (0, 1).
    """
    return Param(lambda s: 1 / (1 + s), lambda s: -s / (1 + s), lambda s: 1 / (1 + s), lambda s: s / (1 + s))


def _vp_scale(sigma: Tensor) -> Tensor:
    return 1 / (1 + sigma**2).sqrt()


class Preconditioned(nn.Module):
    """A network and a parametrisation, together a denoiser.

    net: called as net(x, c_noise) or, with labels, net(x, c_noise, labels); c_noise and labels are (B,).
    `given(labels)` is the class-conditional denoiser.
    """

    def __init__(self, net: nn.Module, param: Param):
        super().__init__()
        self.net = net
        self.param = param

    def forward(self, x: Tensor, sigma: Tensor | float, labels: Tensor | None = None) -> Tensor:
        """x: (B, *S); sigma: () or (B,), > 0; labels: (B,) or None. Returns x_0's estimate in x's shape and dtype."""
        sigma = number(sigma)
        p = self.param
        # The sampler's state may be float64; the network keeps the dtype it was trained in.
        net_dtype = next((w.dtype for w in self.net.parameters()), x.dtype)
        net_input = (expand(p.c_in(sigma), x) * x).to(net_dtype)
        c_noise = p.c_noise(sigma).to(x.device, net_dtype).expand(len(x))
        F = self.net(net_input, c_noise) if labels is None else self.net(net_input, c_noise, labels)
        return expand(p.c_skip(sigma), x) * x + expand(p.c_out(sigma), x) * F.to(x.dtype)

    def given(self, labels: int | Tensor) -> Denoiser:
        """The denoiser of p(x | y): labels is one class for all samples, or a tensor of shape (B,)."""

        def conditional(x: Tensor, sigma: Tensor) -> Tensor:
            return self(x, sigma, _per_row("labels", labels, x))

        return conditional


def as_eps(D: Denoiser, schedule: NoiseSchedule) -> EpsModel:
    """eps_theta(x_t, t) from a denoiser: (x - D(x, sigma)) / sigma at x = x_t / sqrt(alpha_bar_t)."""

    def eps(x_t: Tensor, t: Tensor) -> Tensor:
        sigma = schedule.sigma(t)
        x = to_ve(x_t, sigma)
        return (x - D(x, sigma)) / expand(sigma, x)

    return eps


def from_eps(eps_model: EpsModel, schedule: NoiseSchedule) -> Denoiser:
    """A denoiser from eps_theta(x_t, t) that knows only the integers t = 1..T: sigma goes to the nearest t."""

    def D(x: Tensor, sigma: Tensor) -> Tensor:
        t = schedule.t(sigma).round().long().to(x.device).expand(len(x))
        return x - expand(sigma, x) * eps_model(to_vp(x, sigma), t)

    return D


class DatasetDenoiser:
    """The exact denoiser of a finite data set: E[x_0 | x] when x_0 is one of N data points, each equally likely.

    D(x, sigma) = sum_i w_i data_i with w = softmax_i(-||x - data_i||^2 / (2 sigma^2)) (Karras et al. 2022, eq. 57).
    Weights are computed in float64, over `chunk` data points at a time.

    data: (N, *S). labels: (N,) integers or None. Raises CourseError for no data, NaN, or labels of another length.
    """

    def __init__(self, data: Tensor, labels: Tensor | None = None, chunk: int = 4096):
        if data.ndim < 2 or len(data) == 0:
            raise CourseError(f"data: got shape {tuple(data.shape)}, want (N, *S) with N >= 1")
        if not bool(torch.isfinite(data).all()):
            raise CourseError("data: holds NaN or infinity; remove those samples")
        if labels is not None and labels.shape != (len(data),):
            raise CourseError(f"labels: got shape {tuple(labels.shape)}, want ({len(data)},)")
        self.data, self.labels, self.chunk = data, labels, chunk

    def __call__(self, x: Tensor, sigma: Tensor | float) -> Tensor:
        """x: (B, *S); sigma: () or (B,), > 0. Returns (B, *S) in x's dtype."""
        return self._moments(x, sigma)[0].reshape(x.shape).to(x)

    def log_density(self, x: Tensor, sigma: Tensor | float) -> Tensor:
        """log p(x; sigma) of the data blurred with N(0, sigma^2 I): (B,), float64, in nats."""
        log_sum, flat, s = self._moments(x, sigma)[1:]
        norm = 0.5 * flat.shape[1] * (2 * torch.pi * s**2).log()
        return log_sum - 0.5 * (flat / s[:, None]).square().sum(1) - norm - math.log(len(self.data))

    def given(self, y: int | Tensor) -> Denoiser:
        """The exact denoiser of one class (y an integer), or of one class per row (y of shape (B,)).

        Raises CourseError without labels, for a class with no data, or for a y that does not match x.
        """
        if self.labels is None:
            raise CourseError("given(y): this data set has no labels; pass labels= when you make it")
        if isinstance(y, Tensor) and y.ndim == 1:
            classes = {int(c): self.given(int(c)) for c in y.unique()}

            def per_row(x: Tensor, sigma: Tensor) -> Tensor:
                sigmas = number(sigma).expand(len(x))
                row_classes = _per_row("y", y, x)
                out = torch.empty_like(x)
                for c, D in classes.items():
                    rows = row_classes == c
                    out[rows] = D(x[rows], sigmas[rows.to(sigmas.device)])
                return out

            return per_row
        mask = self.labels == int(y)
        if not bool(mask.any()):
            raise CourseError(f"y: got {int(y)}, want one of {self.labels.unique().tolist()}")
        return DatasetDenoiser(self.data[mask], self.labels[mask], self.chunk)

    def _moments(self, x: Tensor, sigma: Tensor | float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Weighted mean (B, D), log-sum of the unnormalised weights (B,), x as (B, D), sigma as (B,); all float64.

        The factor exp(-||x||^2 / 2 sigma^2) is common to all weights and left out. One pass over the data with a
        running maximum, so that no (B, N) table is held for a large data set.
        """
        if x.shape[1:] != self.data.shape[1:]:
            raise CourseError(
                f"x: got shape {tuple(x.shape)}, want (B, {', '.join(map(str, self.data.shape[1:]))})"
            )
        flat = x.flatten(1).double()
        s = expand(sigma, flat).to(flat).reshape(-1).expand(len(x))
        if not bool((s > 0).all()):
            raise CourseError(f"sigma: got {float(s.min()):g}, want numbers > 0")
        top = torch.full((len(x),), -torch.inf, dtype=torch.float64, device=x.device)
        total, mean = torch.zeros_like(top), torch.zeros_like(flat)
        for points in self.data.split(self.chunk):
            points = points.flatten(1).to(flat)
            logits = (flat @ points.T - 0.5 * points.square().sum(1)) / s[:, None] ** 2
            new_top = torch.maximum(top, logits.max(1).values)
            weights = (logits - new_top[:, None]).exp()
            shrink = (top - new_top).exp()
            total = total * shrink + weights.sum(1)
            mean = mean * shrink[:, None] + weights @ points
            top = new_top
        return mean / total[:, None], top + total.log(), flat, s


def _per_row(name: str, labels: int | Tensor, x: Tensor) -> Tensor:
    """Labels () or (B,) as (B,) on x's device. Raises CourseError for another shape."""
    labels = torch.as_tensor(labels, device=x.device)
    if labels.shape not in ((), (len(x),)):
        raise CourseError(
            f"{name}: got shape {tuple(labels.shape)}, want () or ({len(x)},) to match x {tuple(x.shape)}"
        )
    return labels.expand(len(x))


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
        if tuple(stds.shape) not in ((), (K,)) or not bool((stds >= 0).all()):
            raise CourseError(f"stds: got {stds.tolist()}, want a number >= 0, or {K} of them")
        if weights.shape != (K,) or not bool((weights > 0).all()):
            raise CourseError(f"weights: got {weights.tolist()}, want {K} numbers > 0")
        self.stds = stds.expand(K)
        self.weights = weights / weights.sum()

    def __call__(self, x: Tensor, sigma: Tensor | float) -> Tensor:
        """E[x_0 | x]: x (B, *S), sigma () or (B,) -> (B, *S)."""
        centred, variance, log_joint = self._parts(x, sigma)
        shrink = self.stds.to(x) ** 2 / variance
        component = self.means.to(x).flatten(1) + shrink[..., None] * centred
        return (log_joint.softmax(1)[..., None] * component).sum(1).reshape(x.shape)

    def score(self, x: Tensor, sigma: Tensor | float = 0.0) -> Tensor:
        """grad_x log p(x; sigma): (B, *S). Equals (D(x, sigma) - x) / sigma^2 (Tweedie)."""
        centred, variance, log_joint = self._parts(x, sigma)
        pull = -centred / variance[..., None]
        return (log_joint.softmax(1)[..., None] * pull).sum(1).reshape(x.shape)

    def log_density(self, x: Tensor, sigma: Tensor | float = 0.0) -> Tensor:
        """log p(x; sigma) of the mixture blurred with N(0, sigma^2 I): (B,), in nats."""
        return self._parts(x, sigma)[2].logsumexp(1)

    def given(self, k: int) -> "GaussianMixture":
        """Component k alone: the exact conditional denoiser when the label is the component.

        Raises CourseError unless k is an integer in 0..K-1.
        """
        check_integer("k", k, 0, len(self.means) - 1)
        return GaussianMixture(self.means[k : k + 1], self.stds[k : k + 1])

    def sample(self, n: int, noise: Noise) -> tuple[Tensor, Tensor]:
        """n draws: (n, *S), and the component of each: (n,). noise: a `Noise`."""
        draws = noise.randn(n, self.means[0].numel() + 1, device=self.means.device, dtype=self.means.dtype)
        uniform = torch.special.ndtr(draws[:, -1].double()).to(self.means)
        k = torch.searchsorted(self.weights.cumsum(0), uniform).clamp(max=len(self.means) - 1)
        x = self.means[k] + (self.stds[k, None] * draws[:, :-1]).reshape(n, *self.means.shape[1:])
        return x, k

    def _parts(self, x: Tensor, sigma: Tensor | float) -> tuple[Tensor, Tensor, Tensor]:
        """x - means (B, K, D); variances (B, K) or (1, K); log of weight times density (B, K)."""
        if x.shape[1:] != self.means.shape[1:]:
            raise CourseError(
                f"x: got shape {tuple(x.shape)}, want (B, {', '.join(map(str, self.means.shape[1:]))})"
            )
        centred = (x[:, None] - self.means.to(x)).flatten(2)
        sigma = expand(sigma, x).to(x).reshape(-1, 1)
        variance = self.stds.to(x) ** 2 + sigma**2
        D = centred.shape[2]
        log_density = -0.5 * (centred.square().sum(2) / variance + D * (2 * torch.pi * variance).log())
        return centred, variance, self.weights.to(x).log() + log_density
