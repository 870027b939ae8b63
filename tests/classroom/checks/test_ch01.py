"""Chapter 01: other right answers, and the same quantities from the library."""

import pytest
import torch
from formulas import diffuse_row_by_row, schedule_of, schedule_of_alpha_bar

from diffusion_course import gaussian
from diffusion_course.classroom.checks import CHECKS, CheckFailed, examine


def loop_product(betas):
    kept, product = [], torch.ones_like(betas[0])
    for beta in betas:
        product = product * (1 - beta)
        kept.append(product)
    return torch.stack(kept)


def product_of_a_triangle(betas):
    steps = torch.arange(len(betas), device=betas.device)
    return torch.where(steps <= steps[:, None], 1 - betas, torch.ones_like(betas)).prod(1)


def products_of_slices(betas):
    return torch.stack([torch.prod(1 - betas[:t]) for t in range(1, len(betas) + 1)])


def what_is_left(betas):
    """alpha_bar_t = alpha_bar_{t-1} - beta_t alpha_bar_{t-1}."""
    table = [1 - betas[0]]
    for beta in betas[1:]:
        table.append(torch.addcmul(table[-1], beta, table[-1], value=-1))
    return torch.stack(table)


def axes_by_unsqueezing(x0, t, eps, alpha_bar):
    a = alpha_bar[t - 1]
    while a.ndim < x0.ndim:
        a = a.unsqueeze(-1)
    return torch.sqrt(a) * x0 + torch.sqrt(1 - a) * eps


def batch_last(x0, t, eps, alpha_bar):
    signal, noise = (torch.index_select(v, 0, t - 1).sqrt() for v in (alpha_bar, 1 - alpha_bar))
    return (x0.movedim(0, -1) * signal + eps.movedim(0, -1) * noise).movedim(-1, 0)


def by_einsum(x0, t, eps, alpha_bar):
    a = alpha_bar.gather(0, t - 1)
    return torch.einsum("b,b...->b...", a**0.5, x0) + torch.einsum("b,b...->b...", (1 - a) ** 0.5, eps)


def chain_into_a_table(x0, betas, noise):
    states = x0.new_empty(len(betas) + 1, *x0.shape)
    states[0] = x0
    for t in range(1, len(betas) + 1):
        states[t] = torch.sqrt(1 - betas[t - 1]) * states[t - 1] + torch.sqrt(betas[t - 1]) * noise[t - 1]
    return states


def chain_unrolled(x0, betas, noise):
    """x_t = sqrt(alpha_bar_t) (x_0 + sum_s sqrt(beta_s / alpha_bar_s) z_s)."""
    double = betas.double()  # the quotients of a long chain are large
    kept = torch.cumprod(1 - double, 0)
    column = (-1, *[1] * x0.ndim)
    added = torch.cumsum((double / kept).sqrt().reshape(column) * noise, 0)
    return torch.cat([x0[None], kept.sqrt().reshape(column) * (x0 + added)]).to(x0.dtype)


def chain_by_the_library(x0, betas, noise):
    schedule, states = schedule_of(betas), [x0]
    for t, z in enumerate(noise, 1):
        states.append(gaussian.forward_step(states[-1], t, z, schedule))
    return torch.stack(states)


def snapshots_with(step):
    """A chain of x_t = step(x_{t-1}, beta_t, z_t, t, T)."""

    def snapshots(x0, betas, noise, times):
        states, T = [x0], len(betas)
        for t, (beta, z) in enumerate(zip(betas, noise, strict=True), 1):
            states.append(step(states[-1], beta, z, t, T))
        return torch.stack([states[t] for t in times])

    return snapshots


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (lambda x, b, z, t, T: (1 - b) ** 0.5 * x + b**0.75 * z, "what z_1 adds to x_1 has the mean square 0.08282, want 0.19"),
        (lambda x, b, z, t, T: (1 - b / 3) * x + b**0.5 * z, "without noise x_1 is 0.9367 x_0, want 0.9 x_0"),
        (lambda x, b, z, t, T: (1 - b) ** 0.5 * x + b**0.5 * z * (t < T), "x_2 is right, x_3 is not: x_3 has no noise of its own"),
        (lambda x, b, z, t, T: ((1 - b) ** 0.5 * x + b**0.5 * z).clamp(-2, 2), "At x_0 = 10 and without noise x_1 is 2, want 9"),
    ],
)  # fmt: skip
def test_a_wrong_repair_that_is_no_classic_mistake_is_measured(step, words):
    with pytest.raises(CheckFailed) as caught:
        examine(CHECKS["01-snapshots"], snapshots_with(step))
    assert words in caught.value.advice
    assert "sqrt(beta" not in str(caught.value)  # the line is for them to find


ALTERNATIVES = {
    "01-snapshots": [
        lambda x0, betas, noise, times: chain_into_a_table(x0, betas, noise)[list(times)],
        lambda x0, betas, noise, times: chain_unrolled(x0, betas, noise)[list(times)],
    ],
    "01-forward_chain": [chain_into_a_table, chain_unrolled],
    "01-alpha_bar_from_betas": [
        loop_product,
        lambda b: torch.log1p(-b).cumsum(0).exp(),
        product_of_a_triangle,
        products_of_slices,
        what_is_left,
    ],
    "01-diffuse": [diffuse_row_by_row, axes_by_unsqueezing, batch_last, by_einsum],
    "01-snr": [
        lambda a: 1 / (1 / a - 1),
        lambda a: a.logit().exp(),
        lambda a: 1 / (1 - a) - 1,
        lambda a: (a.log() - (-a).log1p()).exp(),
        lambda a: torch.stack([torch.true_divide(one, 1 - one) for one in a]),
    ],
}

LIBRARY = {
    "01-snapshots": lambda x0, betas, noise, times: chain_by_the_library(x0, betas, noise)[list(times)],
    "01-forward_chain": chain_by_the_library,
    "01-alpha_bar_from_betas": lambda betas: schedule_of(betas).alpha_bar,
    "01-diffuse": lambda x0, t, eps, a: gaussian.diffuse(x0, t, eps, schedule_of_alpha_bar(a)),
    "01-snr": lambda a: schedule_of_alpha_bar(a).snr if bool((a.diff() < 0).all()) else None,
}
