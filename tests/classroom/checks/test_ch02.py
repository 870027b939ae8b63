"""Chapter 02: other right answers, and the same quantities from the library."""

from itertools import pairwise

import torch
from formulas import posterior_by_precisions, schedule_of, schedule_of_alpha_bar

from diffusion_course import elbo, gaussian


def kl_by_distributions(mean1, logvar1, mean2, logvar2):
    Normal, kl = torch.distributions.Normal, torch.distributions.kl_divergence
    return kl(Normal(mean1, (logvar1 / 2).exp()), Normal(mean2, (logvar2 / 2).exp()))


def terms_one_by_one(mse, a):
    terms = [
        0.5 * (a[t - 2] / (1 - a[t - 2]) - a[t - 1] / (1 - a[t - 1])) * mse[t - 1]
        for t in range(2, len(a) + 1)
    ]
    return torch.stack(terms)


def terms_by_the_library(mse, a):
    # kl_term wants x0 - x0_hat: take differences with the right square.
    schedule = schedule_of_alpha_bar(a)
    pairs = [(torch.zeros(1, 1, dtype=a.dtype), m.sqrt().reshape(1, 1)) for m in mse]
    return torch.cat([elbo.kl_term(*pairs[t - 1], t, schedule) for t in range(2, len(a) + 1)])


def posterior_by_the_library(x0, x_t, t, betas):
    return gaussian.posterior_mean_variance(x0, x_t, t, schedule_of(betas))


def kl_by_cross_entropy(mean1, logvar1, mean2, logvar2):
    """The cross-entropy less the entropy; both without their log(2 pi)."""
    cross = logvar2 + (logvar1.exp() + (mean1 - mean2).square()) / logvar2.exp()
    return (cross - (logvar1 + 1)) / 2


def kl_by_standard_deviations(mean1, logvar1, mean2, logvar2):
    s1, s2 = (0.5 * logvar1).exp(), (0.5 * logvar2).exp()
    return 0.5 * (logvar2 - logvar1) + 0.5 * (s1 / s2) ** 2 + 0.5 * ((mean1 - mean2) / s2) ** 2 - 0.5


def posterior_sample_by_sample(x0, x_t, t, betas):
    alphas = 1 - betas
    means, variances = [], []
    for x, y, s in zip(x0, x_t, t.tolist(), strict=True):
        a, before = alphas[:s].prod(), alphas[: s - 1].prod()  # an empty product is 1
        means.append((before.sqrt() * betas[s - 1] * x + alphas[s - 1].sqrt() * (1 - before) * y) / (1 - a))
        variances.append((betas[s - 1] * (1 - before) / (1 - a)).reshape([1] * x.ndim))
    return torch.stack(means), torch.stack(variances)


def posterior_around_x_t(x0, x_t, t, betas):
    """With alpha_bar_{t-1} as alpha_bar_t / alpha_t where t > 1."""
    shape = [-1] + [1] * (x0.ndim - 1)
    beta, a = (v[t - 1].reshape(shape) for v in (betas, (1 - betas).cumprod(0)))
    before = torch.where((t == 1).reshape(shape), torch.ones_like(a), a / (1 - beta))
    gain = (1 - before) / (1 - a)
    return before.sqrt() * x0 + gain * (1 - beta).sqrt() * (x_t - a.sqrt() * x0), gain * beta


def terms_by_a_common_denominator(mse, a):
    now, before = a[1:], a[:-1]
    return mse[1:] * (before - now) / (2 * (1 - before) * (1 - now))


def terms_by_noise_levels(mse, a):
    precision = 1 / ((1 - a) / a)
    return torch.stack([before - now for before, now in pairwise(precision)]) * mse[1:] / 2


ALTERNATIVES = {
    "02-normal_kl": [kl_by_distributions, kl_by_cross_entropy, kl_by_standard_deviations],
    "02-posterior_mean_variance": [posterior_by_precisions, posterior_sample_by_sample, posterior_around_x_t],
    "02-vlb_terms": [
        lambda mse, a: 0.5 * (a / (1 - a)).diff().neg() * mse[1:],
        terms_one_by_one,
        terms_by_a_common_denominator,
        terms_by_noise_levels,
    ],
}

LIBRARY = {
    "02-normal_kl": elbo.normal_kl,
    "02-posterior_mean_variance": posterior_by_the_library,
    "02-vlb_terms": terms_by_the_library,
}
