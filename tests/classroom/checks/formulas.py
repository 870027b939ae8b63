"""What the chapters' tests share: formulas by other ways, and the course's tables."""

import torch

from diffusion_course import NoiseSchedule
from diffusion_course.classroom.checks.inputs import column


def diffuse_row_by_row(x0, t, eps, alpha_bar):
    return torch.stack(
        [
            alpha_bar[s - 1] ** 0.5 * x + (1 - alpha_bar[s - 1]) ** 0.5 * e
            for s, x, e in zip(t, x0, eps, strict=True)
        ]
    )


def posterior_by_precisions(x0, x_t, t, betas):
    alpha_bar = torch.cat([betas.new_ones(1), (1 - betas).cumprod(0)])
    beta, a, previous = (column(v, x0) for v in (betas[t - 1], alpha_bar[t], alpha_bar[t - 1]))
    variance = beta * (1 - previous) / (1 - a)
    # Completing the square, multiplied by 1 - alpha_bar_{t-1} so that t = 1 needs no 1/0.
    mean = ((1 - beta).sqrt() * x_t * (1 - previous) + previous.sqrt() * x0 * beta) / (
        1 - previous + beta * previous
    )
    return [mean, variance]


def schedule_of(betas):
    return NoiseSchedule.from_betas(betas.double())


def schedule_of_alpha_bar(alpha_bar):
    return schedule_of(1 - alpha_bar / torch.cat([torch.ones(1), alpha_bar[:-1]]))
