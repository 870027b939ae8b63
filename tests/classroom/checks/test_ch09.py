"""Chapter 09: other right answers, and the same quantities from the library."""

import math
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F

from diffusion_course import samplers, schedules


def karras_by_weights(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    i = torch.arange(n, dtype=torch.float64)
    root = ((n - 1 - i) * sigma_max ** (1 / rho) + i * sigma_min ** (1 / rho)) / (n - 1)
    return F.pad(root**rho, (0, 1))


def karras_with_numpy(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    roots = np.linspace(sigma_max ** (1 / rho), sigma_min ** (1 / rho), n)
    return torch.from_numpy(np.concatenate([np.power(roots, rho), [0.0]]))


def karras_by_a_list(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    low, high = (sigma ** (1.0 / rho) for sigma in (sigma_min, sigma_max))
    sigmas = [(high + i / (n - 1) * (low - high)) ** rho for i in range(n)]
    return torch.tensor([*sigmas, 0], dtype=torch.double)


def heun_by_halves(D, x, sigma, sigma_next, noise=None):
    """Half the first slope, and half the second one where there is one."""
    step = sigma_next - sigma
    d = x.sub(D(x, sigma)).div(sigma)
    if not sigma_next:
        return torch.add(x, step * d)
    end = x + step * d
    return x + 0.5 * step * d + 0.5 * step * (end / sigma_next - D(end, sigma_next) / sigma_next)


def heun_by_a_mean(D, x, sigma, sigma_next, noise=None):
    def slope(v, s):
        return (v - D(v, s)) / s

    h, slopes = sigma_next - sigma, [slope(x, sigma)]
    if sigma_next.item() > 0:
        slopes.append(slope(x + h * slopes[0], sigma_next))
    return x + h * torch.stack(slopes).mean(0)


def heun_through_x0(D, x, sigma, sigma_next, noise=None):
    x0 = D(x, sigma)
    x_next = x0 + sigma_next / sigma * (x - x0)
    if sigma_next == 0:
        return x_next
    return x_next + (sigma_next - sigma) / 2 * (
        (x_next - D(x_next, sigma_next)) / sigma_next - (x - x0) / sigma
    )


def churn_by_gamma(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    if sigma < s_min or sigma > s_max:
        return x.clone(), sigma.clone()
    gamma = min(s_churn / num_steps, 2**0.5 - 1)
    return x + sigma * (gamma * (gamma + 2)) ** 0.5 * s_noise * eps, sigma + gamma * sigma


def churn_by_ratios(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """The variance as sigma^2 (ratio^2 - 1)."""
    inside = (sigma >= s_min) & (sigma <= s_max)
    ratio = torch.where(inside, sigma.new_tensor(min(1 + s_churn / num_steps, 2**0.5)), sigma.new_tensor(1.0))
    return torch.addcmul(x, (sigma**2 * (ratio**2 - 1)).sqrt() * s_noise, eps), ratio * sigma


def churn_with_numbers(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    level = float(sigma)
    gamma = 0.0
    if not (level < s_min or level > s_max):
        gamma = np.clip(s_churn / num_steps, 0, np.sqrt(2) - 1)
    raised = level * (1 + gamma)
    std = math.sqrt(raised**2 - level**2)
    return x + std * s_noise * eps, torch.as_tensor(raised, dtype=sigma.dtype, device=sigma.device)


def churned_by_the_library(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """What the library's sampler shows its denoiser first."""
    seen = []

    def D(x_hat, sigma_hat):
        seen.append((x_hat, sigma_hat))
        return x_hat

    step = samplers.edm(s_churn, s_min, s_max, s_noise, num_steps=num_steps)
    step(D, x, sigma, torch.zeros_like(sigma), SimpleNamespace(like=lambda _: eps))
    return seen[0]


ALTERNATIVES = {
    "09-karras_sigmas": [karras_by_weights, karras_with_numpy, karras_by_a_list],
    "09-heun_step": [heun_through_x0, heun_by_halves, heun_by_a_mean],
    "09-churn": [churn_by_gamma, churn_by_ratios, churn_with_numbers],
}

LIBRARY = {
    "09-karras_sigmas": schedules.karras,
    "09-heun_step": samplers.heun,
    "09-churn": churned_by_the_library,
}
