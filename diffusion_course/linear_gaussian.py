"""Two chains in one dimension whose joint densities are known: the forward process, and a model with an affine mean.

Both are Gaussian over (x_0, ..., x_T) as a whole. So what no network can give, its density p(x_0) and its posterior of the latents, is
linear algebra here, and every line of the variational bound can be computed exactly (chapter 2). Paths are (B, T + 1), x_0 first.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal

from .errors import CourseError
from .schedules import NoiseSchedule


def exact_points(n: int) -> Tensor:
    """2n points (2n, n), float64, with mean 0 and second moment I: they average any quadratic as N(0, I) does."""
    if n < 1:
        raise CourseError(f"n: got {n}, want at least 1")
    corners = math.sqrt(n) * torch.eye(n, dtype=torch.float64)
    return torch.cat([corners, -corners])


def log_normal(x: Tensor, mean: Tensor | float, variance: Tensor | float) -> Tensor:
    """log N(x; mean, variance), elementwise."""
    return -0.5 * (
        (x - mean) ** 2 / variance + (2 * math.pi * torch.as_tensor(variance, dtype=x.dtype)).log()
    )


def gaussian_of(affine: Callable[[Tensor], Tensor], n: int) -> MultivariateNormal:
    """The distribution of affine(z) for z ~ N(0, I) in n dimensions; affine: (B, n) -> (B, m), with m <= n.

    Its mean is the image of 0, and its covariance R R^T, where column i of R is what unit vector i adds to the mean.
    """
    mean = affine(torch.zeros(1, n, dtype=torch.float64))[0]
    added = affine(torch.eye(n, dtype=torch.float64)) - mean  # (n, m): R transposed
    return MultivariateNormal(mean, added.T @ added)


@dataclass(frozen=True)
class ForwardChain:
    """q(x_{1:T} | x_0), with q(x_t | x_{t-1}) = N(sqrt(alpha_t) x_{t-1}, beta_t) (Ho et al. 2020, eq. 2)."""

    schedule: NoiseSchedule

    def path(self, x0: Tensor, z: Tensor) -> Tensor:
        """x_0, ..., x_T from x0 (B,) and the noise of the steps z (B, T): (B, T + 1)."""
        s, x = self.schedule, [x0]
        for t in range(1, s.T + 1):
            x.append(s.alphas[t - 1].sqrt() * x[-1] + s.betas[t - 1].sqrt() * z[:, t - 1])
        return torch.stack(x, 1)

    def log_steps(self, x: Tensor) -> Tensor:
        """log q(x_t | x_{t-1}) for t = 1..T: (B, T)."""
        return log_normal(x[:, 1:], self.schedule.alphas.sqrt() * x[:, :-1], self.schedule.betas)

    def log_marginals(self, x: Tensor) -> Tensor:
        """log q(x_t | x_0) for t = 1..T: (B, T)."""
        s = self.schedule
        return log_normal(x[:, 1:], s.alpha_bar.sqrt() * x[:, :1], s.one_minus_alpha_bar)

    def joint(self, x0: Tensor) -> MultivariateNormal:
        """q(x_1, ..., x_T | x_0) as one Gaussian in T dimensions; x0: (B,) or a number."""
        s = self.schedule
        around_zero = gaussian_of(lambda z: self.path(z.new_zeros(len(z)), z)[:, 1:], s.T)
        return MultivariateNormal(s.alpha_bar.sqrt() * x0[..., None], around_zero.covariance_matrix)


@dataclass(frozen=True)
class ReverseChain:
    """The model p(x_{t-1} | x_t) = N(theta_1 x_t + theta_2, beta_t), from p(x_T) = N(0, 1). theta: (2,), float64."""

    schedule: NoiseSchedule
    theta: Tensor

    def mean(self, x_t: Tensor) -> Tensor:
        """theta_1 x_t + theta_2, the mean of every step."""
        return self.theta[0] * x_t + self.theta[1]

    def path(self, z: Tensor) -> Tensor:
        """x_0, ..., x_T from x_T = z[:, T] and the noise z[:, t - 1] of the step from t: (B, T + 1) to (B, T + 1)."""
        x = [z[:, self.schedule.T]]
        for t in range(self.schedule.T, 0, -1):
            x.append(self.mean(x[-1]) + self.schedule.betas[t - 1].sqrt() * z[:, t - 1])
        return torch.stack(x[::-1], 1)

    def log_steps(self, x: Tensor) -> Tensor:
        """log p(x_{t-1} | x_t) for t = 1..T: (B, T)."""
        return log_normal(x[:, :-1], self.mean(x[:, 1:]), self.schedule.betas)

    def log_last(self, x: Tensor) -> Tensor:
        """log p(x_T): (B,)."""
        return log_normal(x[:, -1], 0.0, 1.0)

    def joint(self) -> MultivariateNormal:
        """p(x_0, ..., x_T) as one Gaussian in T + 1 dimensions."""
        return gaussian_of(self.path, self.schedule.T + 1)

    def marginal(self) -> Normal:
        """p(x_0), all latents integrated out: what the variational bound is a bound of."""
        joint = self.joint()
        return Normal(joint.mean[0], joint.variance[0].sqrt())

    def posterior(self, x0: Tensor) -> MultivariateNormal:
        """p(x_1, ..., x_T | x_0), by conditioning the joint Gaussian on x0, a number."""
        mean, cov = self.joint().mean, self.joint().covariance_matrix
        gain = cov[1:, 0] / cov[0, 0]
        return MultivariateNormal(
            mean[1:] + gain * (x0 - mean[0]), cov[1:, 1:] - torch.outer(gain, cov[0, 1:])
        )
