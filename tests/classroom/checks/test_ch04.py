"""Chapter 04: other right answers, and the same quantities from the library."""

import math

import numpy as np
import torch
from formulas import schedule_of_alpha_bar

from diffusion_course import elbo, schedules


def cosine_by_half_angle(u, s):
    def doubled(v):  # 2 cos^2(a) = 1 + cos(2 a)
        return 1 + torch.cos((v + s) / (1 + s) * torch.pi)

    return doubled(u) / doubled(torch.zeros_like(u))


def cosine_in_degrees(u, s):
    def f(v):
        return torch.deg2rad(90 * (v + s) / (1 + s)).cos().pow(2)

    return f(u).div(f(u.new_zeros(())))


def cosine_by_sine(u, s):
    """1 - sin^2 loses digits near u = 1, so the sine of what is left of the right angle."""
    rest = (1 - u) / (1 + s) * torch.pi / 2
    return (rest.sin() / math.sin(math.pi / 2 / (1 + s))).square()


def cosine_with_numpy(u, s):
    angle = (np.append(u.numpy(), 0.0) + s) / (1 + s) * np.pi / 2
    f = np.cos(angle) ** 2
    return torch.from_numpy(f[:-1] / f[-1]).to(u)


def sigmoid_by_tanh(u, low, high, k):
    return (high + low) / 2 + (high - low) / 2 * torch.tanh(k * (u - 0.5))


def sigmoid_between(u, low, high, k):
    ramp = torch.special.expit(-k + 2 * k * u)
    return torch.lerp(torch.full_like(u, low), torch.full_like(u, high), ramp)


def kl_by_row(x0, alpha_bar):
    a = alpha_bar[len(alpha_bar) - 1].item()
    return torch.stack([((a * (x.pow(2) - 1) - math.log1p(-a)) / 2).sum() for x in x0])


def kl_with_einsum(x0, alpha_bar):
    flat, a = x0.reshape(len(x0), -1), alpha_bar[-1:]
    power = torch.einsum("bi,bi->b", flat, flat)
    return (a * power - flat.shape[1] * (a + torch.log1p(-a))) / 2


def prior_kl_by_distributions(x0, alpha_bar):
    Normal, kl = torch.distributions.Normal, torch.distributions.kl_divergence
    a = alpha_bar[-1]
    return kl(Normal(a.sqrt() * x0, (1 - a).sqrt()), Normal(0.0, 1.0)).sum(tuple(range(1, x0.ndim)))


def cosine_by_the_library(u, s):
    # Any T whose steps t / T hold every u gives the same answer.
    T = next((T for T in (*range(1, 15), 1000) if torch.allclose(u * T, (u * T).round(), atol=1e-9)), None)
    if T is None or (u == 0).any():
        return None
    return (1 - schedules.cosine(T, s, max_beta=1.0)).cumprod(0)[(u * T).round().long() - 1]


ALTERNATIVES = {
    "04-cosine_alpha_bar": [cosine_by_half_angle, cosine_in_degrees, cosine_by_sine, cosine_with_numpy],
    "04-sigmoid_betas": [
        lambda u, low, high, k: low + (high - low) / (1 + (k * (1 - 2 * u)).exp()),
        lambda u, low, high, k: low + (high - low) * torch.linspace(-k, k, len(u), dtype=u.dtype).sigmoid(),
        sigmoid_by_tanh,
        sigmoid_between,
    ],
    "04-prior_kl": [prior_kl_by_distributions, kl_by_row, kl_with_einsum],
}

LIBRARY = {
    "04-cosine_alpha_bar": cosine_by_the_library,
    "04-sigmoid_betas": lambda u, low, high, k: schedules.sigmoid(len(u), low, high, k),
    "04-prior_kl": lambda x0, a: elbo.prior_kl(x0, schedule_of_alpha_bar(a)),
}
