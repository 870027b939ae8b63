"""Chapter 09: other right answers, and the same quantities from the library."""

from types import SimpleNamespace

import torch
import torch.nn.functional as F

from diffusion_course import samplers, schedules


def karras_by_weights(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    i = torch.arange(n, dtype=torch.float64)
    root = ((n - 1 - i) * sigma_max ** (1 / rho) + i * sigma_min ** (1 / rho)) / (n - 1)
    return F.pad(root**rho, (0, 1))


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
    "09-karras_sigmas": [karras_by_weights],
    "09-heun_step": [heun_through_x0],
    "09-churn": [churn_by_gamma],
}

LIBRARY = {
    "09-karras_sigmas": schedules.karras,
    "09-heun_step": samplers.heun,
    "09-churn": churned_by_the_library,
}
