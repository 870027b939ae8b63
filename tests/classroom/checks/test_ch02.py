"""Chapter 02: other right answers, and the same quantities from the library."""

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


ALTERNATIVES = {
    "02-normal_kl": [kl_by_distributions],
    "02-posterior_mean_variance": [posterior_by_precisions],
    "02-vlb_terms": [lambda mse, a: 0.5 * (a / (1 - a)).diff().neg() * mse[1:], terms_one_by_one],
}

LIBRARY = {
    "02-normal_kl": elbo.normal_kl,
    "02-posterior_mean_variance": posterior_by_the_library,
    "02-vlb_terms": terms_by_the_library,
}
