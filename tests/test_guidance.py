"""Guidance on a mixture whose conditional and marginal scores are known."""

import numpy as np
import pytest
import torch

from diffusion_course import Noise, samplers, schedules
from diffusion_course.denoisers import GaussianMixture
from diffusion_course.guidance import cfg, clip

F64 = torch.float64
M = GaussianMixture(torch.tensor([[-1.0, 0.0], [1.0, 0.5]], dtype=F64), 0.4, torch.tensor([1.0, 2.0]))
X = Noise(0).randn(6, 2, dtype=F64)


def close(a, b, tolerance=1e-10):
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def counted(D):
    def call(x, sigma):
        call.n += 1
        return D(x, sigma)

    call.n = 0
    return call


@pytest.mark.parametrize(("w", "calls"), [(1.0, (1, 0)), (0.0, (0, 1)), (2.0, (1, 1)), (-1.0, (1, 1))])
def test_no_guidance_costs_one_evaluation(w, calls):
    cond, uncond = counted(M.given(0)), counted(M)
    out = cfg(cond, uncond, w)(X, 0.7)
    assert (cond.n, uncond.n) == calls
    close(out, (1 - w) * M(X, 0.7) + w * M.given(0)(X, 0.7))


@pytest.mark.parametrize("w", [0.0, 0.5, 1.0, 2.0, 7.5])
@pytest.mark.parametrize("sigma", [0.1, 1.0, 30.0])
def test_both_scale_conventions_in_eps(w, sigma):
    """eps_u + w (eps_c - eps_u), and the paper's (1 + w') eps_c - w' eps_u with w' = w - 1."""
    eps, eps_c, eps_u = ((X - D(X, sigma)) / sigma for D in (cfg(M.given(1), M, w), M.given(1), M))
    close(eps, eps_u + w * (eps_c - eps_u))
    close(eps, w * eps_c - (w - 1) * eps_u)


@pytest.mark.parametrize("w", [0.5, 2.0, 5.0])
def test_it_follows_the_gradient_of_p_times_the_classifier_to_the_w(w):
    """(D - x) / sigma^2 is the gradient of log p(x) + w log p(y | x), by autograd."""
    sigma, x = 0.8, X.clone().requires_grad_()
    log_classifier = M.given(1).log_density(x, sigma) + M.weights[1].log() - M.log_density(x, sigma)
    (gradient,) = torch.autograd.grad((M.log_density(x, sigma) + w * log_classifier).sum(), x)
    close((cfg(M.given(1), M, w)(X, sigma) - X) / sigma**2, gradient)


def test_guided_samples_move_away_from_the_other_class():
    """Class 1 lies to the right of class 0; guidance 3 pushes its samples further to the right, and closer together."""
    start = 20.0 * Noise(1).randn(500, 2, dtype=F64)
    plain, pushed = (
        samplers.sample(cfg(M.given(1), M, w), start, schedules.karras(40, 0.01, 20.0))[:, 0]
        for w in (1.0, 3.0)
    )
    assert plain.mean() + 0.1 < pushed.mean()
    assert pushed.std() < plain.std()
    assert abs(plain.mean() - 1) < 5 * 0.4 / 500**0.5


def test_clip_bounds_the_answer_and_nothing_else():
    D = clip(M, -0.5, 0.6)
    close(D(X, 0.3), M(X, 0.3).clamp(-0.5, 0.6))
    assert (M(X, 0.3).abs() > 0.6).any()
    wide = clip(lambda x, sigma: 3 * x)(X, 0.3)
    assert wide.min() == -1
    assert wide.max() == 1
