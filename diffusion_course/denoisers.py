"""Everything that can be sampled is a denoiser: D(x, sigma) = E[x_0 | x_0 + sigma eps = x].

x is (B, *S) in VE coordinates (x = x_0 + sigma eps); sigma is () or (B,). A network becomes a denoiser through
a parametrisation, four coefficients (Karras et al. 2022, eq. 7 and table 1):

    D(x, sigma) = c_skip(sigma) x + c_out(sigma) F(c_in(sigma) x, c_noise(sigma))
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, overload

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


def edm_param(sigma_data: float = 0.5) -> Param:
    """Karras et al. 2022: the network sees and predicts tensors of unit variance, whatever sigma is.

    sigma_data: standard deviation of the data, > 0. Raises CourseError for another.
    """
    if not 0 < sigma_data < math.inf:
        raise CourseError(f"sigma_data: got {sigma_data}, want a number > 0")
    variance = sigma_data**2
    return Param(
        lambda s: variance / (s**2 + variance),
        lambda s: s * sigma_data / (s**2 + variance).sqrt(),
        lambda s: 1 / (s**2 + variance).sqrt(),
        lambda s: s.log() / 4,
    )


def vp_param(beta_d: float = 19.9, beta_min: float = 0.1, M: int = 1000) -> Param:
    """VP of Song et al. 2021 in continuous time: the network predicts eps and sees (M - 1) t, t in [0, 1].

    sigma(t)^2 = exp(beta_d t^2 / 2 + beta_min t) - 1, here solved for t (Karras et al. 2022, table 1).
    """

    def c_noise(sigma: Tensor) -> Tensor:
        t = ((beta_min**2 + 2 * beta_d * (sigma**2).log1p()).sqrt() - beta_min) / beta_d
        return (M - 1) * t

    return Param(torch.ones_like, lambda s: -s, _vp_scale, c_noise)


def ve_param() -> Param:
    """VE of Song et al. 2021: the network sees (x, log(sigma / 2)) and predicts -eps, sigma times the score."""
    return Param(torch.ones_like, lambda s: s, torch.ones_like, lambda s: (s / 2).log())


def iddpm_param(C_1: float = 0.001, C_2: float = 0.008, M: int = 1000) -> Param:
    """Improved DDPM: the network predicts eps and sees M - 1 - j, with u_j the nearest noise level of `iddpm_sigmas`.

    j counts from the largest noise (j = 0), so the network sees its own time 0..M-1, and -1 for sigma nearest to 0.
    """
    u = iddpm_sigmas(C_1, C_2, M)

    def c_noise(sigma: Tensor) -> Tensor:
        j = (sigma.to(u)[..., None] - u).abs().argmin(-1)
        return (M - 1 - j).to(sigma)

    return Param(torch.ones_like, lambda s: -s, _vp_scale, c_noise)


def iddpm_sigmas(C_1: float = 0.001, C_2: float = 0.008, M: int = 1000) -> Tensor:
    """u_0 > ... > u_M = 0, shape (M+1,), float64: the noise levels of the cosine schedule (Karras et al. 2022, table 1).

    u_{j-1}^2 = (u_j^2 + 1) / max(alpha_bar_{j-1} / alpha_bar_j, C_1) - 1, alpha_bar_j = sin^2(pi/2 j / (M (C_2 + 1))).
    Here alpha_bar_j grows with j: time runs from noise to data. C_1 is the clip of beta at 1 - C_1.
    """
    check_integer("M", M, 1)
    alpha_bar = (0.5 * math.pi * torch.arange(M + 1, dtype=torch.float64) / M / (C_2 + 1)).sin() ** 2
    u = torch.zeros(M + 1, dtype=torch.float64)
    for j in range(M, 0, -1):
        ratio = (alpha_bar[j - 1] / alpha_bar[j]).clamp(min=C_1)
        u[j - 1] = ((u[j] ** 2 + 1) / ratio - 1).sqrt()
    return u


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
        F = F[:, : x.shape[1]]  # a network that also answers variances has 2C channels, these last
        return expand(p.c_skip(sigma), x) * x + expand(p.c_out(sigma), x) * F.to(x.dtype)

    def given(self, labels: int | Tensor) -> "Conditional":
        """The denoiser of p(x | y): labels is one class for all samples, or a tensor of shape (B,)."""
        return Conditional(self, labels)


@dataclass(frozen=True, eq=False)
class Conditional:
    """A network's denoiser with its labels fixed. Guidance reads both fields, to run two conditions in one batch."""

    model: Preconditioned
    labels: int | Tensor

    def __call__(self, x: Tensor, sigma: Tensor | float) -> Tensor:
        """x: (B, *S); sigma: () or (B,), > 0."""
        return self.model(x, sigma, per_row("labels", self.labels, x))


def as_eps(D: Denoiser, schedule: NoiseSchedule) -> EpsModel:
    """eps_theta(x_t, t) from a denoiser: (x - D(x, sigma)) / sigma at x = x_t / sqrt(alpha_bar_t)."""

    def eps(x_t: Tensor, t: Tensor) -> Tensor:
        sigma = schedule.sigma(t)
        x = to_ve(x_t, sigma)
        return (x - D(x, sigma)) / expand(sigma, x)

    return eps


def from_eps(eps_model: EpsModel, schedule: NoiseSchedule, rounded: bool = True) -> Denoiser:
    """A denoiser from eps_theta(x_t, t) trained on the integers t = 1..T.

    rounded: True sends sigma to the nearest t (nearest in log sigma), an int64 the model has seen in training.
    False passes the interpolated real t, for a model whose embedding of t is smooth.
    Only the t it is shown is rounded: x_t is scaled with the sigma that was asked for.
    """

    def D(x: Tensor, sigma: Tensor) -> Tensor:
        t = schedule.t(sigma)
        t = t.round().long() if rounded else t.to(x.dtype)
        return x - expand(sigma, x) * eps_model(to_vp(x, sigma), t.to(x.device).expand(len(x)))

    return D


def split_variance(
    model: EpsModel, schedule: NoiseSchedule
) -> tuple[Denoiser, Callable[[Tensor, Tensor], Tensor]]:
    """A model that answers eps and v, as a denoiser and the function (x, sigma) -> v; for `samplers.ddpm_learned`.

    model: (x_t, t) -> (B, 2C, ...), eps in the first half of axis 1 and v in the second (Nichol & Dhariwal 2021).
    The network runs once for both: v remembers the denoiser's last call, and asks again only for another x or sigma.
    """
    last: dict[str, Tensor] = {}

    def eps(x_t: Tensor, t: Tensor) -> Tensor:
        first, v = halves(model(x_t, t), x_t)
        last["v"] = v.detach()
        return first

    inner = from_eps(eps, schedule)

    def D(x: Tensor, sigma: Tensor) -> Tensor:
        x0 = inner(x, sigma)
        last.update(x=x.detach().clone(), sigma=number(sigma))
        return x0

    def v(x: Tensor, sigma: Tensor) -> Tensor:
        if not last or not torch.equal(last["x"], x) or not torch.equal(last["sigma"], number(sigma)):
            D(x, sigma)
        return last["v"]

    return D, v


def halves(answer: Tensor, x_t: Tensor) -> tuple[Tensor, Tensor]:
    """eps and v, each of x_t's shape (B, C, ...), from an answer (B, 2C, ...). Raises CourseError for another shape."""
    C = x_t.shape[1]
    want = (len(x_t), 2 * C, *x_t.shape[2:])
    if answer.shape != want:
        raise CourseError(f"model(x_t, t): got shape {tuple(answer.shape)}, want {want}: eps and v")
    return answer[:, :C], answer[:, C:]


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

            def mixed(x: Tensor, sigma: Tensor) -> Tensor:
                sigmas = number(sigma).expand(len(x))
                row_classes = per_row("y", y, x)
                out = torch.empty_like(x)
                for c, D in classes.items():
                    rows = row_classes == c
                    out[rows] = D(x[rows], sigmas[rows.to(sigmas.device)])
                return out

            return mixed
        return self._alone(int(y))

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

    def _alone(self, y: int) -> "DatasetDenoiser":
        assert self.labels is not None
        mask = self.labels == y
        if not bool(mask.any()):
            raise CourseError(f"y: got {y}, want one of {self.classes}")
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


def per_row(name: str, labels: int | Tensor, x: Tensor) -> Tensor:
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
        log_joint = self._parts(x, sigma)[2]
        return (log_joint.softmax(1)[..., None] * self._components(x, sigma)).sum(1).reshape(x.shape)

    def score(self, x: Tensor, sigma: Tensor | float = 0.0) -> Tensor:
        """grad_x log p(x; sigma): (B, *S). Equals (D(x, sigma) - x) / sigma^2 (Tweedie)."""
        centred, variance, log_joint = self._parts(x, sigma)
        pull = -centred / variance[..., None]
        return (log_joint.softmax(1)[..., None] * pull).sum(1).reshape(x.shape)

    def log_density(self, x: Tensor, sigma: Tensor | float = 0.0) -> Tensor:
        """log p(x; sigma) of the mixture blurred with N(0, sigma^2 I): (B,), in nats."""
        return self._parts(x, sigma)[2].logsumexp(1)

    def classify(self, x: Tensor, sigma: Tensor | float = 0.0) -> Tensor:
        """The exact classifier of noisy inputs, log p(k | x; sigma): (B, K), in nats."""
        return self._parts(x, sigma)[2].log_softmax(1)

    @overload
    def given(self, k: int) -> "GaussianMixture": ...
    @overload
    def given(self, k: Tensor) -> Denoiser: ...
    def given(self, k: int | Tensor) -> Denoiser:
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
            return self._components(x, sigma)[rows, per_row("k", k, x).long()].reshape(x.shape)

        return per_component

    def sample(self, n: int, noise: Noise) -> tuple[Tensor, Tensor]:
        """n draws: (n, *S), and the component of each: (n,). noise: a `Noise`."""
        draws = noise.randn(n, self.means[0].numel() + 1, device=self.means.device, dtype=self.means.dtype)
        uniform = torch.special.ndtr(draws[:, -1].double()).to(self.means)
        k = torch.searchsorted(self.weights.cumsum(0), uniform).clamp(max=len(self.means) - 1)
        x = self.means[k] + (self.stds[k, None] * draws[:, :-1]).reshape(n, *self.means.shape[1:])
        return x, k

    def _components(self, x: Tensor, sigma: Tensor | float) -> Tensor:
        """E[x_0 | x, k] for every component k: (B, K, D)."""
        centred, variance, _ = self._parts(x, sigma)
        shrink = self.stds.to(x) ** 2 / variance
        return self.means.to(x).flatten(1) + shrink[..., None] * centred

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
