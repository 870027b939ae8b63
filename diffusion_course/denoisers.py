"""Everything that can be sampled is a denoiser: D(x, sigma) = E[x_0 | x_0 + sigma eps = x].

x is (B, *S) in VE coordinates (x = x_0 + sigma eps); sigma is () or (B,). A network becomes a denoiser through one of the
`parametrisations`; those of `exact` have a formula. The names of both modules can be had from here as well.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from .errors import CourseError, shown
from .exact import DatasetDenoiser, GaussianMixture, blurred
from .gaussian import to_ve, to_vp
from .parametrisations import (
    Param,
    edm_param,
    eps_param,
    flow_param,
    iddpm_param,
    iddpm_sigmas,
    v_param,
    ve_param,
    vp_param,
    x0_param,
)
from .schedules import NoiseSchedule
from .shapes import at_least_single, check_answer, expand, moved, number, per_row, positive

__all__ = [
    "Conditional",
    "DatasetDenoiser",
    "Denoiser",
    "EpsModel",
    "GaussianMixture",
    "Param",
    "Preconditioned",
    "as_eps",
    "blurred",
    "edm_param",
    "eps_param",
    "flow_param",
    "from_eps",
    "halves",
    "iddpm_param",
    "iddpm_sigmas",
    "split_variance",
    "v_param",
    "ve_param",
    "vp_param",
    "x0_param",
]


class Denoiser(Protocol):
    """D(x, sigma) -> estimate of x_0, of x's shape. x: (B, *S) in VE coordinates; sigma: () or (B,).

    The loops of `samplers` pass sigma as a 0-d float64 tensor on the CPU, which multiplies a tensor of any dtype on any
    device. A network that wants it for each sample takes `sigma.expand(len(x)).to(x)`.
    """

    def __call__(self, x: Tensor, sigma: Tensor, /) -> Tensor: ...


EpsModel = Callable[[Tensor, Tensor], Tensor]
"""eps_theta(x_t, t) in textbook coordinates: x_t (B, *S), t (B,) in 1..T -> predicted noise (B, *S)."""


class Preconditioned(nn.Module):
    """A network and a parametrisation, together a denoiser.

    net: called as net(x, c_noise) or, with labels, net(x, c_noise, labels); c_noise and labels are (B,).
    `given(labels)` is the class-conditional denoiser.
    """

    def __init__(self, net: nn.Module, param: Param):
        """Raises CourseError for a net that is no module, or a param that is none."""
        super().__init__()
        if not isinstance(net, nn.Module):
            raise CourseError(f"net: got {type(net).__name__}, want a torch.nn.Module")
        if not isinstance(param, Param):
            raise CourseError(f"param: got {shown(param)}, want a Param, such as edm_param()")
        self.net = net
        self.param = param

    def forward(self, x: Tensor, sigma: Tensor | float, labels: Tensor | None = None) -> Tensor:
        """x: (B, *S); sigma: () or (B,), > 0; labels: (B,) or None. Returns x_0's estimate in x's shape and dtype.

        Raises CourseError for another x or sigma, or when the network answers in another shape. One that also learned
        variances answers 2C channels for x's C, these last; they are left out here.
        """
        sigma = at_least_single(positive("sigma", sigma))
        p = self.param
        # The sampler's state may be float64; the network keeps the dtype it was trained in.
        net_dtype = next((w.dtype for w in self.net.parameters()), x.dtype)
        net_input = (expand(p.c_in(sigma), x) * x).to(net_dtype)
        c_noise = moved(number(p.c_noise(sigma)), x.device).to(net_dtype).expand(len(x))
        F = self.net(net_input, c_noise) if labels is None else self.net(net_input, c_noise, labels)
        if isinstance(F, Tensor) and F.ndim == x.ndim > 1 and F.shape[1] == 2 * x.shape[1]:
            F = F[:, : x.shape[1]]
        check_answer("net(x, c_noise)", F, x)
        return expand(p.c_skip(sigma), x) * x + expand(p.c_out(sigma), x) * F.to(x.dtype)

    def given(self, labels: int | Tensor) -> "Conditional":
        """The denoiser of p(x | y): labels is one class for all samples, or (B,); for a network that takes such, (1 or B, L, E)."""
        return Conditional(self, labels)


@dataclass(frozen=True, eq=False)
class Conditional:
    """A network's denoiser with its labels fixed. Guidance reads both fields, to run two conditions in one batch."""

    model: Preconditioned
    labels: int | Tensor

    def __call__(self, x: Tensor, sigma: Tensor | float) -> Tensor:
        """x: (B, *S); sigma: () or (B,), > 0."""
        return self.model(x, sigma, self.rows(x))

    def rows(self, x: Tensor) -> Tensor:
        """One condition for each sample: labels (B,), or (B, L, E). Raises CourseError for another shape."""
        y = self.labels
        if isinstance(y, Tensor) and y.ndim == 3 and y.is_floating_point() and len(y) in (1, len(x)):
            return y.to(x.device).expand(len(x), -1, -1)
        return per_row("labels", y, x)


def as_eps(D: Denoiser, schedule: NoiseSchedule) -> EpsModel:
    """eps_theta(x_t, t) from a denoiser: (x - D(x, sigma)) / sigma at x = x_t / sqrt(alpha_bar_t)."""

    def eps(x_t: Tensor, t: Tensor) -> Tensor:
        sigma = schedule.sigma(t)
        x = to_ve(x_t, sigma)
        x0 = D(x, sigma)
        check_answer("D(x, sigma)", x0, x)
        return (x - x0) / expand(sigma, x)

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
        eps = eps_model(to_vp(x, sigma), t.to(x.device).expand(len(x)))
        check_answer("eps_model(x_t, t)", eps, x)
        return x - expand(sigma, x) * eps

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
