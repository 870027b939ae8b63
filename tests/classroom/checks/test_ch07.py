"""Chapter 07: other right answers, and the same quantities from the library."""

import math
from types import SimpleNamespace

import numpy as np
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


def ddim_by_coefficients(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """One factor for x_t, one for eps, one for z."""
    a = alpha_bar[t - 1]
    b = a.new_tensor(1.0) if t_prev == 0 else alpha_bar[t_prev - 1]
    variance = eta**2 * (1 - b) * (b - a) / ((1 - a) * b)
    eps = eps_model(t=torch.empty(len(x_t), dtype=torch.long).fill_(t), x_t=x_t)
    return (
        (b / a).sqrt() * x_t
        + ((1 - b - variance).sqrt() - (b * (1 - a) / a).sqrt()) * eps
        + variance**0.5 * z
    )


def ddim_by_the_family(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """a x0 + b x_t + s z, with the a and b of section 2."""
    table = [1.0, *alpha_bar.tolist()]
    now, then = table[t], table[t_prev]
    eps = eps_model(x_t, torch.as_tensor([t] * x_t.shape[0]))
    x0 = (x_t - math.sqrt(1 - now) * eps) / math.sqrt(now)
    s = eta * math.sqrt((1 - then) / (1 - now)) * math.sqrt(1 - now / then)
    b = math.sqrt((1 - then - s**2) / (1 - now))
    return (math.sqrt(then) - b * math.sqrt(now)) * x0 + b * x_t + s * z


def times_with_numpy(T, n, power):
    u = np.linspace(1.0, 0.0, n)
    return torch.tensor(1 + np.rint((T - 1) * u**power).astype(int), dtype=torch.int64)


def times_by_a_list(T, n, power):
    if n == 1:
        return torch.LongTensor([T])
    return torch.tensor([1 + round((T - 1) * ((n - 1 - i) / (n - 1)) ** power) for i in range(n)])


def slerp_by_unit_vectors(a, b, s):
    """The angle from the distance of the unit vectors: 2 arctan(|u - v| / |u + v|)."""
    shape = (len(a), *[1] * (a.ndim - 1))
    u, v = (torch.nn.functional.normalize(x.flatten(1)) for x in (a, b))
    theta = 2 * torch.atan2((u - v).norm(dim=1), (u + v).norm(dim=1)).view(shape)
    return torch.sin(theta - s * theta) / theta.sin() * a + torch.sin(s * theta) / theta.sin() * b


def slerp_one_by_one(a, b, s):
    rows = []
    for x, y in zip(a, b, strict=True):
        cosine = (x * y).sum() / torch.sqrt((x * x).sum() * (y * y).sum())
        theta = math.acos(cosine.detach())
        rows.append((math.sin((1 - s) * theta) * x + math.sin(s * theta) * y) / math.sin(theta))
    return torch.stack(rows)


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
    "07-ddim_step": [ddim_through_the_posterior, ddim_by_coefficients, ddim_by_the_family],
    "07-timestep_subsequence": [times_by_integers, times_with_numpy, times_by_a_list],
    "07-slerp": [slerp_by_rotation, slerp_by_unit_vectors, slerp_one_by_one],
}

LIBRARY = {
    "07-ddim_step": ddim_by_the_library,
    "07-timestep_subsequence": times_by_the_library,
    "07-slerp": noise.slerp,
}
