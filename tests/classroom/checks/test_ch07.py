"""Chapter 07: other right answers, and the same quantities from the library."""

from types import SimpleNamespace

import torch
from formulas import schedule_of_alpha_bar

from diffusion_course import denoisers, gaussian, noise, samplers, schedules


def ddim_through_the_posterior(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    a = torch.cat([alpha_bar.new_ones(1), alpha_bar])
    sigma, sigma_prev = (1 / a[t] - 1).sqrt(), (1 / a[t_prev] - 1).sqrt()
    eps = eps_model(x_t, t * torch.ones(len(x_t), dtype=torch.int64))
    fresh = eta * sigma_prev * (1 - (sigma_prev / sigma) ** 2).sqrt()
    x = x_t * (1 + sigma**2).sqrt() + ((sigma_prev**2 - fresh**2).sqrt() - sigma) * eps + fresh * z
    return x / (1 + sigma_prev**2).sqrt()


def times_by_integers(T, n, power):
    """(T - 1) (k / (n - 1))^power, rounded without any fraction."""
    whole = max(n - 1, 1) ** power
    steps = range(n - 1, -1, -1) if n > 1 else [1]
    return torch.tensor([1 + (2 * (T - 1) * k**power + whole) // (2 * whole) for k in steps])


def slerp_by_rotation(a, b, s):
    """Turn a towards b by s theta: cos(s theta) and sin(s theta) along a and across it."""
    flat = [x.flatten(1) for x in (a, b)]
    u, v = (x / x.norm(dim=1, keepdim=True) for x in flat)
    cosine = (u * v).sum(1, keepdim=True)
    sine = (v - cosine * u).norm(dim=1, keepdim=True)
    turn = s * torch.atan2(sine, cosine)
    across = turn.sin() / sine
    return ((turn.cos() - across * cosine) * flat[0] + across * flat[1]).reshape(a.shape)


def ddim_by_the_library(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    s = schedule_of_alpha_bar(alpha_bar)
    sigma, sigma_prev = (s.sigma(u) if u else torch.zeros((), dtype=torch.float64) for u in (t, t_prev))
    step = samplers.ddim(eta)
    D, x = denoisers.from_eps(eps_model, s), gaussian.to_ve(x_t, sigma)
    return gaussian.to_vp(step(D, x, sigma, sigma_prev, SimpleNamespace(like=lambda _: z)), sigma_prev)


def times_by_the_library(T, n, power):
    times = {1: schedules.uniform_timesteps, 2: schedules.quadratic_timesteps}[power](T, n)
    # The library moves quadratic times apart that round to one integer, at the small end.
    crowded = power == 2 and n > 1 and (T - 1) * (2 / (n - 1)) ** 2 < 4
    return None if crowded else times


ALTERNATIVES = {
    "07-ddim_step": [ddim_through_the_posterior],
    "07-timestep_subsequence": [times_by_integers],
    "07-slerp": [slerp_by_rotation],
}

LIBRARY = {
    "07-ddim_step": ddim_by_the_library,
    "07-timestep_subsequence": times_by_the_library,
    "07-slerp": noise.slerp,
}
