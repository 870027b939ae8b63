"""Chapter 03: other right answers, the same quantities from the library, and what only a model can notice."""

import pytest
import torch
import torch.nn.functional as F
from formulas import diffuse_row_by_row, posterior_by_precisions, schedule_of, schedule_of_alpha_bar

from diffusion_course import gaussian, losses
from diffusion_course.classroom.checks import CHECKS, CheckFailed, examine
from diffusion_course.classroom.checks.inputs import column


def x0_by_coefficients(x_t, t, eps, a):
    return column((1 / a).sqrt()[t - 1], x_t) * x_t - column((1 / a - 1).sqrt()[t - 1], x_t) * eps


def step_through_x0(eps_model, x_t, t, z, betas):
    times = torch.full((len(x_t),), t, device=x_t.device)
    guess = x0_by_coefficients(x_t, times, eps_model(x_t, times), (1 - betas).cumprod(0))
    mean, variance = posterior_by_precisions(guess, x_t, times, betas)
    return mean if t == 1 else mean + variance**0.5 * z


def step_by_the_library(eps_model, x_t, t, z, betas):
    schedule = schedule_of(betas)
    mean = gaussian.mean_from_eps(x_t, t, eps_model(x_t, torch.full((len(x_t),), t)), schedule)
    return mean + schedule.posterior_variance[t - 1].sqrt() * z


def x0_sample_by_sample(x_t, t, eps, a):
    signal, noise = a.sqrt(), (1 - a).sqrt()
    return torch.stack([(x - noise[s] * e) / signal[s] for x, e, s in zip(x_t, eps, t - 1, strict=True)])


def x0_through_the_noise_level(x_t, t, eps, a):
    kept = a.index_select(0, t - 1)
    sigma = ((1 - kept) / kept).sqrt()
    return torch.einsum("b...,b->b...", x_t, kept.rsqrt()) - torch.einsum("b...,b->b...", eps, sigma)


def loss_by_a_dot_product(eps_model, x0, t, eps, a):
    error = (eps_model(x_t=diffuse_row_by_row(x0, t, eps, a), t=t) - eps).flatten()
    return torch.dot(error, error) / len(error)


def loss_of_mean_losses(eps_model, x0, t, eps, a):
    """All samples have as many entries: the mean of the samples' means is the mean."""
    error = eps - eps_model(diffuse_row_by_row(x0, t, eps, a), t)
    return torch.stack([each.pow(2).mean() for each in error]).mean()


def step_by_coefficients(eps_model, x_t, t, z, betas):
    alphas = 1 - betas
    kept, before = alphas[:t].prod(), alphas[: t - 1].prod()  # an empty product is 1
    eps = eps_model(x_t, torch.ones(len(x_t), dtype=torch.long, device=x_t.device) * t)
    sigma = (betas[t - 1] * (1 - before) / (1 - kept)).sqrt()
    return alphas[t - 1].rsqrt() * x_t - betas[t - 1] * (alphas[t - 1] * (1 - kept)).rsqrt() * eps + sigma * z


def step_with_a_padded_table(eps_model, x_t, t, z, betas):
    padded = torch.cat([betas.new_ones(1), torch.cumprod(1 - betas, 0)])  # padded[t] is alpha_bar_t
    share = padded[t] / padded[t - 1]
    eps = eps_model(x_t, x_t.new_full((len(x_t),), t, dtype=torch.int64))
    noise = z * ((1 - share) * (1 - padded[t - 1]) / (1 - padded[t])).sqrt() if t > 1 else 0
    return (x_t - (1 - share) * eps / (1 - padded[t]).sqrt()) / share.sqrt() + noise


ALTERNATIVES = {
    "03-eps_loss": [
        lambda m, x, t, e, a: F.mse_loss(m(diffuse_row_by_row(x, t, e, a), t), e),
        loss_by_a_dot_product,
        loss_of_mean_losses,
    ],
    "03-x0_from_eps": [x0_by_coefficients, x0_sample_by_sample, x0_through_the_noise_level],
    "03-ddpm_step": [step_through_x0, step_by_coefficients, step_with_a_padded_table],
}

LIBRARY = {
    "03-eps_loss": lambda m, x0, t, eps, a: losses.eps_loss(m, x0, t, eps, schedule_of_alpha_bar(a)),
    "03-x0_from_eps": lambda x_t, t, eps, a: gaussian.x0_from_eps(x_t, t, eps, schedule_of_alpha_bar(a)),
    "03-ddpm_step": step_by_the_library,
}


def test_the_model_must_see_a_time_for_each_sample():
    def plain_time(eps_model, x_t, t, z, betas):
        return eps_model(x_t, t)

    with pytest.raises(CheckFailed, match=r"(?s)eps_model got t = .*in line .*return eps_model"):
        examine(CHECKS["03-ddpm_step"], plain_time)


def test_a_loss_that_cannot_train_is_refused():
    with pytest.raises(CheckFailed, match="no gradient flows back to eps_model"):
        examine(CHECKS["03-eps_loss"], torch.no_grad()(CHECKS["03-eps_loss"].reference))


def test_fresh_noise_inside_the_loss_is_refused():
    def own_noise(eps_model, x0, t, eps, alpha_bar):
        return CHECKS["03-eps_loss"].reference(eps_model, x0, t, torch.randn_like(x0), alpha_bar)

    with pytest.raises(CheckFailed, match="changed torch's global random state"):
        examine(CHECKS["03-eps_loss"], own_noise)
