"""One regression in several costumes: each loss against the plain squared error it claims to be."""

import math

import pytest
import torch
from oracles import hybrid_terms
from shared import F64, close, draws
from torch import nn

from diffusion_course import CourseError, NoiseSchedule, elbo, gaussian, losses, schedules
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

S = NoiseSchedule.from_betas(schedules.linear(1000))


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


# ---- learned variance


SHORT = NoiseSchedule.from_betas(schedules.cosine(20))
PIXELS = ((X0.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1  # 8-bit levels, both ends among them
SHORT_T = torch.tensor([1, 1, 2, 7, 19, 20])


def eps_and_v(x_t, t):
    return torch.cat([eps_model(x_t, t), (2 * x_t).cos()], 1)


def oracle_terms(weight_of_bits):
    x_t, total = gaussian.diffuse(PIXELS, SHORT_T, EPS, SHORT), 0.0
    predicted, v = eps_and_v(x_t, SHORT_T).detach().chunk(2, dim=1)
    for i, t in enumerate(SHORT_T.tolist()):
        row = [a[i].flatten().tolist() for a in (PIXELS, x_t, EPS, predicted, v)]
        mse, bits = hybrid_terms(row[0], row[1], t, row[2], SHORT.betas.tolist(), row[3], row[4])
        total += (mse + weight_of_bits * bits) / 6
    return torch.tensor(total, dtype=F64)


@pytest.mark.parametrize("weight", [0.0, 0.001, 1.0])
def test_hybrid_loss_is_its_definition_number_by_number(weight):
    """T = 20 terms, of which one is drawn: the bits are multiplied by T weight."""
    loss = losses.hybrid_loss(eps_and_v, PIXELS, SHORT_T, EPS, SHORT, weight)
    close(loss, oracle_terms(20 * weight), 1e-8)
    if weight == 0.001:
        close(losses.hybrid_loss(eps_and_v, PIXELS, SHORT_T, EPS, SHORT), loss)


def test_in_the_hybrid_loss_eps_learns_from_l_simple_and_v_from_the_bound():
    x_t = gaussian.diffuse(PIXELS, SHORT_T, EPS, SHORT)
    answer = eps_and_v(x_t, SHORT_T).detach().requires_grad_()
    (grad,) = torch.autograd.grad(
        losses.hybrid_loss(lambda x, t: answer, PIXELS, SHORT_T, EPS, SHORT, 1.0), answer
    )
    eps_half, v_half = grad.chunk(2, dim=1)
    predicted, v = answer.detach().chunk(2, dim=1)
    close(eps_half, 2 * (predicted - EPS) / EPS.numel())

    def bound(v):
        transition = losses.learned_transition(lambda x, t: torch.cat([predicted, v], 1), SHORT)
        nats = elbo.transition_term(transition, PIXELS, x_t, SHORT_T, SHORT)
        return 20 * elbo.bits_per_dim(nats, 6).mean()

    for at in ((0, 0, 0), (2, 1, 2), (5, 1, 0)):
        nudge = torch.zeros_like(v)
        nudge[at] = 1e-5
        slope = (bound(v + nudge) - bound(v - nudge)) / 2e-5
        close(v_half[at], slope, 1e-6)


def test_the_bound_loss_averages_to_the_terms_of_the_bound():
    """All t at once is the sum, in bits per dimension; the same noise at each."""
    D = as_eps_denoiser(SHORT)
    for transition in (losses.learned_transition(eps_and_v, SHORT), losses.fixed_transition(D, SHORT)):
        each = [
            losses.bound_loss(transition, PIXELS, torch.full((6,), t), EPS, SHORT)
            for t in range(1, SHORT.T + 1)
        ]
        terms = elbo.transition_terms(transition, PIXELS, SHORT, Given(EPS))
        nats = (terms.total - terms.prior).mean()
        close(torch.stack(each).mean(), nats / (6 * math.log(2)))


def test_with_fixed_variances_the_bound_is_the_denoisers_error():
    t = SHORT_T.clamp(min=2)
    D, sigma = as_eps_denoiser(SHORT), SHORT.sigma(t)
    x0_hat = D(PIXELS + sigma[:, None, None] * EPS, sigma)
    expected = SHORT.T * elbo.kl_term(PIXELS, x0_hat, t, SHORT).mean() / (6 * math.log(2))
    close(losses.bound_loss(losses.fixed_transition(D, SHORT), PIXELS, t, EPS, SHORT), expected)


def as_eps_denoiser(schedule):
    return from_eps(eps_model, schedule)


class Given:
    """The same noise whenever it is asked for."""

    def __init__(self, eps):
        self.eps = eps

    def like(self, x):
        return self.eps


def test_the_weights_are_those_of_their_papers():
    """Number by number, at SNR 1/10,000, 1/4, 1, 4, 10,000."""
    snr = [1e-4, 0.25, 1.0, 4.0, 1e4]
    sigma = torch.tensor([value**-0.5 for value in snr], dtype=F64)
    for weight, formula in (
        (losses.eps_weight, lambda r: r),
        (losses.v_weight, lambda r: r + 1),
        (losses.truncated_snr_weight, lambda r: max(r, 1)),
        (losses.min_snr_weight(), lambda r: min(r, 5)),
        (losses.min_snr_weight(2.0), lambda r: min(r, 2)),
        (losses.p2_weight(), lambda r: r / (1 + r)),
        (losses.p2_weight(2.0, 0.5), lambda r: r / math.sqrt(2 + r)),
    ):
        close(weight(sigma), torch.tensor([formula(r) for r in snr], dtype=F64))


def test_without_a_limit_min_snr_is_the_error_of_eps_and_at_its_smallest_that_of_x0():
    D = Preconditioned(Wave(), eps_param(S))
    simple = losses.denoising_loss(D, X0, SIGMA, EPS, losses.eps_weight)
    close(losses.denoising_loss(D, X0, SIGMA, EPS, losses.min_snr_weight(1e12)), simple)
    small = 1e-12
    x0_error = losses.denoising_loss(D, X0, SIGMA, EPS)
    close(losses.denoising_loss(D, X0, SIGMA, EPS, losses.min_snr_weight(small)), small * x0_error)


def test_the_gradient_stays_finite_for_a_bad_network():
    for dtype in (torch.float32, F64):
        for size in (1e3, 30.0):
            t = torch.tensor([1, 2, 3, 500, 999, 1000])
            answer = (size * torch.cat([EPS.sign(), EPS.sin()], 1)).to(dtype)
            answer[:, 2:] = answer[:, 2:].clamp(-5, 5)
            answer.requires_grad_()
            loss = losses.hybrid_loss(lambda x, t, a=answer: a, PIXELS.to(dtype), t, EPS.to(dtype), S)
            assert torch.isfinite(torch.autograd.grad(loss, answer)[0]).all()


@pytest.mark.parametrize("t", [1, 2, 20, SHORT_T])
def test_the_learned_range_runs_from_beta_tilde_to_beta(t):
    ends = [losses.learned_log_variance(torch.full((6, 2), v, dtype=F64), t, SHORT) for v in (-1.0, 1.0, 0.0)]
    t = torch.as_tensor(t).expand(6)
    small = SHORT.posterior_variance[t.clamp(min=2) - 1].log()
    close(ends[0], small[:, None].expand(6, 2))
    close(ends[1], SHORT.betas[t - 1].log()[:, None].expand(6, 2))
    close(ends[2], (ends[0] + ends[1]) / 2)


@pytest.mark.parametrize("variance", ["beta", "beta-tilde"])
def test_bound_weights_turn_the_squared_error_of_eps_into_that_of_the_mean(variance):
    table = {"beta": SHORT.betas, "beta-tilde": elbo.posterior_log_variance(SHORT).exp()}[variance]
    weight, t = losses.bound_weights(SHORT, table), SHORT_T.clamp(min=2)
    found = losses.eps_loss(eps_model, X0, t, EPS, SHORT, weight)
    x_t = gaussian.diffuse(X0, t, EPS, SHORT)
    gap = gaussian.mean_from_eps(x_t, t, eps_model(x_t, t), SHORT) - gaussian.mean_from_eps(
        x_t, t, EPS, SHORT
    )
    close(found, (gap**2 / (2 * table[t - 1][:, None, None])).mean())
    if variance == "beta-tilde":
        x0_hat = gaussian.x0_from_eps(x_t, t, eps_model(x_t, t), SHORT)
        close(found, elbo.kl_term(X0, x0_hat, t, SHORT).mean() / 6)
    close(
        losses.eps_loss(eps_model, X0, t, EPS, SHORT, torch.ones(20)),
        losses.eps_loss(eps_model, X0, t, EPS, SHORT),
    )


def test_clipping_belongs_to_the_implied_x0():
    x_t = gaussian.diffuse(PIXELS, SHORT_T, EPS, SHORT)
    mean, log_variance = losses.learned_transition(eps_and_v, SHORT, clip=True)(x_t, SHORT_T)
    predicted, v = eps_and_v(x_t, SHORT_T).chunk(2, dim=1)
    x0_hat = gaussian.x0_from_eps(x_t, SHORT_T, predicted, SHORT)
    assert (x0_hat.abs() > 1).any()
    close(mean, gaussian.posterior_mean_variance(x0_hat.clamp(-1, 1), x_t, SHORT_T, SHORT)[0])
    close(log_variance, losses.learned_log_variance(v, SHORT_T, SHORT))


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
        (
            lambda: losses.hybrid_loss(lambda x, t: x, X0, T, EPS, S),
            r"^model\(x_t, t\): got shape \(6, 2, 3\), want \(6, 4, 3\): eps and v",
        ),
        (lambda: losses.vlb_loss(lambda x, s: x, X0, T, EPS, S), r"^t: got 1, want 2\.\.T"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(CourseError, match=message):
        call()


# ---- autoencoders


@pytest.mark.parametrize("beta", [0.0, 0.003, 2.0])
def test_the_autoencoder_loss_is_a_bound_times_beta(beta):
    """-log N(x; decoded, beta/2) + KL to the standard normal, by torch.distributions, times beta over the dimensions."""
    x, decoded = draws(5, 1, 4, 4), draws(5, 1, 4, 4, seed=1)
    mean, log_variance = draws(5, 3, 2, 2, seed=2), draws(5, 3, 2, 2, seed=3)
    got = losses.autoencoder_loss(x, decoded, mean, log_variance, beta)
    if beta == 0:
        close(got, (x - decoded).square().mean())
        return
    normal = torch.distributions.Normal
    q, prior = normal(mean, (log_variance / 2).exp()), normal(torch.zeros(1).double(), 1.0)
    kl = torch.distributions.kl_divergence(q, prior).sum((1, 2, 3))
    s = (beta / 2) ** 0.5
    constant = 16 * (math.log(s) + 0.5 * math.log(2 * math.pi))
    nll = -normal(decoded, s).log_prob(x).sum((1, 2, 3)) - constant
    close(got, beta / 16 * (nll + kl).mean())


def test_the_autoencoder_loss_in_half_precision_keeps_the_kl():
    """Near the prior, where the KL is a difference of almost equal numbers."""
    x, mean = torch.zeros(2, 1, 4, 4), torch.zeros(2, 3, 2, 2, dtype=torch.bfloat16)
    log_variance = torch.full((2, 3, 2, 2), 0.01, dtype=torch.bfloat16)
    got = losses.autoencoder_loss(x, x, mean, log_variance, 1.0)
    r = log_variance[0, 0, 0, 0].double()
    close(got, 12 / 16 * 0.5 * (r.exp() - 1 - r), 1e-4)


def test_a_reconstruction_of_another_shape_is_told():
    z = torch.zeros(2, 3, 2, 2)
    with pytest.raises(CourseError, match=r"^decoded: got shape \(2, 1, 4, 5\), want \(2, 1, 4, 4\)"):
        losses.autoencoder_loss(torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 4, 5), z, z)
