"""Chapter 01: other right answers, and the same quantities from the library."""

import torch
from formulas import diffuse_row_by_row, schedule_of, schedule_of_alpha_bar

from diffusion_course import gaussian


def loop_product(betas):
    kept, product = [], torch.ones_like(betas[0])
    for beta in betas:
        product = product * (1 - beta)
        kept.append(product)
    return torch.stack(kept)


ALTERNATIVES = {
    "01-alpha_bar_from_betas": [loop_product, lambda b: torch.log1p(-b).cumsum(0).exp()],
    "01-diffuse": [diffuse_row_by_row],
    "01-snr": [lambda a: 1 / (1 / a - 1), lambda a: a.logit().exp()],
}

LIBRARY = {
    "01-alpha_bar_from_betas": lambda betas: schedule_of(betas).alpha_bar,
    "01-diffuse": lambda x0, t, eps, a: gaussian.diffuse(x0, t, eps, schedule_of_alpha_bar(a)),
    "01-snr": lambda a: schedule_of_alpha_bar(a).snr if bool((a.diff() < 0).all()) else None,
}
