"""One regression in several costumes: each loss against the plain squared error it claims to be."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from diffusion_course import CourseError, Noise, NoiseSchedule, elbo, gaussian, losses, schedules
from diffusion_course.denoisers import (
    Preconditioned,
    as_eps,
    edm_param,
    eps_param,
    flow_param,
    from_eps,
    v_param,
    x0_param,
)

F64 = torch.float64
S = NoiseSchedule.from_betas(schedules.linear(1000))


def draws(*shape, seed=0):
    return Noise(seed).randn(*shape, dtype=F64)


def close(a, b, tolerance=1e-10):
    np.testing.assert_allclose(a.detach(), b.detach(), rtol=tolerance, atol=tolerance)


X0, EPS = draws(6, 2, 3), draws(6, 2, 3, seed=1)
T = torch.tensor([1, 2, 40, 300, 800, 1000])
SIGMA = S.sigma(T)
COLUMN = SIGMA[:, None, None]
ALPHA_BAR = S.alpha_bar[T - 1][:, None, None]


class Wave(nn.Module):
    """An arbitrary smooth network with weights, in float64."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(draws(2, 3, seed=5))

    def forward(self, x, c_noise):
        return torch.sin(self.a * x + 0.01 * c_noise[:, None, None]) + x.flip(1)


def eps_model(x_t, t):
    return Wave()(x_t, t.double().expand(len(x_t)))


def test_eps_loss_is_the_plain_formula():
    x_t = ALPHA_BAR.sqrt() * X0 + (1 - ALPHA_BAR).sqrt() * EPS
    close(losses.eps_loss(eps_model, X0, T, EPS, S), ((EPS - eps_model(x_t, T)) ** 2).mean())


TEXTBOOK = (gaussian.diffuse(X0, T, EPS, S), T.double())
STRAIGHT = ((X0 + COLUMN * EPS) / (1 + COLUMN), SIGMA / (1 + SIGMA))


@pytest.mark.parametrize(
    ("param", "target", "inputs"),
    [
        (eps_param(S), EPS, TEXTBOOK),
        (x0_param(S), X0, TEXTBOOK),
        (v_param(S), ALPHA_BAR.sqrt() * EPS - (1 - ALPHA_BAR).sqrt() * X0, TEXTBOOK),
        (flow_param(), EPS - X0, STRAIGHT),
    ],
    ids=["eps", "x0", "v", "flow"],
)
def test_with_unit_weight_the_denoising_loss_is_the_networks_squared_error(param, target, inputs):
    net = Wave()
    loss = losses.denoising_loss(Preconditioned(net, param), X0, SIGMA, EPS, losses.unit_weight(param))
    close(loss, (net(*inputs) - target).square().mean())


@pytest.mark.parametrize(
    ("loss_of", "weight"),
    [
        (lambda D: losses.eps_loss(as_eps(D, S), X0, T, EPS, S), lambda s: 1 / s**2),
        (lambda D: v_loss(D), lambda s: 1 + 1 / s**2),
        (lambda D: flow_loss(D), lambda s: (1 + 1 / s) ** 2),
    ],
    ids=["eps", "v", "flow"],
)
def test_eps_v_and_flow_losses_are_weighted_x0_losses(loss_of, weight):
    """The weights are SNR, SNR + 1 and (1 + sqrt(SNR))^2, with SNR = 1 / sigma^2."""
    D = from_eps(eps_model, S)
    close(loss_of(D), losses.denoising_loss(D, X0, SIGMA, EPS, weight))


def v_loss(D):
    """||v - v_hat||^2 with v_hat from x_t and x0_hat: v = (sqrt(alpha_bar) x_t - x_0) / sqrt(1 - alpha_bar)."""
    x_t = gaussian.diffuse(X0, T, EPS, S)
    v = ALPHA_BAR.sqrt() * EPS - (1 - ALPHA_BAR).sqrt() * X0
    v_hat = (ALPHA_BAR.sqrt() * x_t - D(X0 + COLUMN * EPS, SIGMA)) / (1 - ALPHA_BAR).sqrt()
    return (v - v_hat).square().mean()


def flow_loss(D):
    """||(eps - x_0) - (z - x0_hat) / t||^2 with z = (1 - t) x_0 + t eps: the velocity that x0_hat implies."""
    t = COLUMN / (1 + COLUMN)
    z = (1 - t) * X0 + t * EPS
    return (EPS - X0 - (z - D(X0 + COLUMN * EPS, SIGMA)) / t).square().mean()


def test_the_default_weight_is_one_and_sigma_may_be_one_number():
    D, sigma = from_eps(eps_model, S), S.sigma(40)
    expected = (D(X0 + sigma * EPS, sigma) - X0).square().mean()
    close(losses.denoising_loss(D, X0, sigma, EPS), expected)
    close(losses.denoising_loss(D, X0, sigma.expand(6), EPS), expected)


def test_the_vlb_loss_averages_to_the_sum_of_the_terms():
    """Its mean over t = 2..T is the mean over samples of sum_t L_{t-1}: every t once, no sampling."""
    s = NoiseSchedule.from_betas(schedules.cosine(20))
    D = from_eps(eps_model, s)
    each = [losses.vlb_loss(D, X0, torch.full((6,), t), EPS, s) for t in range(2, 21)]

    class Same:
        def like(self, x):
            return EPS

    terms = elbo.vlb_terms(D, X0, s, Same(), elbo.gaussian_decoder(1.0))
    close(torch.stack(each).mean(), terms.kl.sum(1).mean())


def test_edm_loss_is_the_plain_formula():
    D, z, sigma_data = from_eps(eps_model, S), draws(6, seed=3), 0.4
    total = 0.0
    for i in range(6):
        sigma = math.exp(-1.0 + 0.9 * z[i].item())
        weight = (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2
        x = X0[i : i + 1] + sigma * EPS[i : i + 1]
        total += weight * (D(x, torch.tensor([sigma])) - X0[i : i + 1]).square().mean().item() / 6
    close(losses.edm_loss(D, X0, z, EPS, -1.0, 0.9, sigma_data), torch.tensor(total, dtype=F64), 1e-6)


def test_edm_loss_is_the_networks_squared_error():
    net, z, param = Wave(), draws(6, seed=3), edm_param(0.5)
    sigma = (-1.2 + 1.2 * z).exp()[:, None, None]
    x = X0 + sigma * EPS
    target = (X0 - param.c_skip(sigma) * x) / param.c_out(sigma)
    seen = net(param.c_in(sigma) * x, param.c_noise(sigma)[:, 0, 0])
    close(losses.edm_loss(Preconditioned(net, param), X0, z, EPS), (seen - target).square().mean())


def test_losses_do_not_depend_on_batch_or_size_of_constant_error():
    """A mean over batch and dimensions: an error of 2 everywhere costs 4, however many there are."""
    for shape in ((1, 1), (5, 3, 8, 8)):
        x0 = torch.zeros(shape, dtype=F64)
        t = torch.full(shape[:1], 3)
        assert losses.eps_loss(lambda x, t: torch.full_like(x, 2.0), x0, t, x0, S) == 4
        assert losses.denoising_loss(lambda x, s: torch.full_like(x, 2.0), x0, S.sigma(t), x0) == 4


def test_gradients_reach_the_network():
    net = Wave()
    D = Preconditioned(net, eps_param(S))
    for loss in (
        losses.eps_loss(as_eps(D, S), X0, T, EPS, S),
        losses.denoising_loss(D, X0, SIGMA, EPS),
        losses.vlb_loss(D, X0, T.clamp(min=2), EPS, S),
    ):
        (grad,) = torch.autograd.grad(loss, net.a)
        assert (grad != 0).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: losses.eps_loss(lambda x, t: x[:, :1], X0, T, EPS, S),
            r"^eps_model\(x_t, t\): got shape \(6, 1, 3\)",
        ),
        (
            lambda: losses.eps_loss(eps_model, X0, T, EPS[:1], S),
            r"^eps: got shape \(1, 2, 3\), want \(6, 2, 3\)",
        ),
        (lambda: losses.eps_loss(eps_model, X0, T - 1, EPS, S), r"^t: got 0, want integers in 1\.\.1000"),
        (
            lambda: losses.denoising_loss(lambda x, s: x.mean(), X0, SIGMA, EPS),
            r"^D\(x, sigma\): got shape \(\)",
        ),
        (
            lambda: losses.denoising_loss(lambda x, s: x, X0, SIGMA, EPS[:, :1]),
            r"^eps: got shape \(6, 1, 3\)",
        ),
        (lambda: losses.denoising_loss(lambda x, s: x, X0, SIGMA[:2], EPS), r"^sigma: got shape \(2,\)"),
        (lambda: losses.vlb_loss(lambda x, s: x, X0, T, EPS, S), r"^t: got 1, want 2\.\.T"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(CourseError, match=message):
        call()
