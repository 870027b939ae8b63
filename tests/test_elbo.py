"""The bound: each density against an independent one, each term against its closed form."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import bound_terms_on_gaussian_data
from scipy import stats
from shared import F64, close, draws

from diffusion_course import CourseError, Noise, NoiseSchedule, elbo, gaussian, schedules
from diffusion_course.denoisers import GaussianMixture

LEVELS = torch.linspace(-1, 1, 256, dtype=F64)
HALF = 1 / 255


def of(name, T):
    return NoiseSchedule.from_betas(schedules.by_name(name, T))


# ---- KL


@settings(max_examples=50, deadline=None)
@given(st.floats(-2, 2), st.floats(-3, 2), st.floats(-2, 2), st.floats(-3, 2))
def test_normal_kl_is_its_integral(m1, lv1, m2, lv2):
    z = np.linspace(-12, 12, 4001)  # the trapezoidal rule is exact here to rounding
    x = m1 + math.exp(lv1 / 2) * z
    p, q = stats.norm(m1, math.exp(lv1 / 2)), stats.norm(m2, math.exp(lv2 / 2))
    integral = (stats.norm.pdf(z) * (p.logpdf(x) - q.logpdf(x))).sum() * (z[1] - z[0])
    close(elbo.normal_kl(m1, lv1, m2, lv2).item(), integral)


def test_normal_kl_broadcasts_and_is_zero_only_for_equals():
    kl = elbo.normal_kl(draws(3, 1), draws(3, 1, seed=1), draws(2, seed=2), draws(2, seed=3))
    assert kl.shape == (3, 2)
    assert (kl > 0).all()
    assert elbo.normal_kl(1.5, -0.5, 1.5, -0.5) == 0


def test_normal_kl_keeps_its_digits_near_equal_variances_in_float32():
    """L_T has variances 4e-5 apart: exp(r) - 1 - r would round to nothing."""
    logvar = torch.tensor([math.log1p(-4e-5)])
    exact = elbo.normal_kl(0.0, logvar.double(), 0.0, 0.0)
    torch.testing.assert_close(elbo.normal_kl(0.0, logvar, 0.0, 0.0).double(), exact, rtol=0.01, atol=0)


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_the_kl_term_is_the_kl_of_the_two_posteriors(name):
    s, x0, x0_hat, x_t = of(name, 100), draws(5, 2, 3), draws(5, 2, 3, seed=1), draws(5, 2, 3, seed=2)
    for t in (2, 3, 50, 99, 100):
        true_mean, variance = gaussian.posterior_mean_variance(x0, x_t, t, s)
        model_mean, _ = gaussian.posterior_mean_variance(x0_hat, x_t, t, s)
        kl = elbo.normal_kl(true_mean, variance.log(), model_mean, variance.log()).flatten(1).sum(1)
        got = elbo.kl_term(x0, x0_hat, t, s)
        assert got.shape == (5,)
        close(got, kl)
        weight = 0.5 * (1 / s.sigma(t - 1) ** 2 - 1 / s.sigma(t) ** 2)
        close(got, weight * (x0 - x0_hat).square().flatten(1).sum(1))


def test_the_kl_term_takes_a_t_for_each_sample():
    s, x0, x0_hat, t = of("linear", 10), draws(3, 4), draws(3, 4, seed=1), torch.tensor([2, 9, 10])
    one_by_one = [elbo.kl_term(x0[i : i + 1], x0_hat[i : i + 1], int(t[i]), s) for i in range(3)]
    assert torch.equal(elbo.kl_term(x0, x0_hat, t, s), torch.cat(one_by_one))


@pytest.mark.parametrize("t", [1, torch.tensor([2, 1])])
def test_the_kl_term_has_no_t_1(t):
    with pytest.raises(CourseError, match=r"^t: got 1, want 2\.\.T: .*decoder"):
        elbo.kl_term(draws(2, 3), draws(2, 3), t, of("linear", 10))


def test_the_prior_is_the_kl_to_the_standard_normal():
    s, x0 = of("linear", 30), draws(4, 2, 3)
    mean, variance = gaussian.marginal(x0, 30, s)
    kl = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, variance.sqrt()), torch.distributions.Normal(0.0, 1.0)
    )
    close(elbo.prior_kl(x0, s), kl.flatten(1).sum(1))


# ---- densities


@pytest.mark.parametrize("variance", [0.1, torch.tensor(0.1, dtype=F64), torch.full((4, 3), 0.1, dtype=F64)])
def test_gaussian_nll(variance):
    x, mean = draws(4, 3), draws(4, 3, seed=1)
    exact = -stats.norm(mean.numpy(), math.sqrt(0.1)).logpdf(x.numpy()).sum(1)
    close(elbo.gaussian_nll(x, mean, variance), exact, 1e-13)


@settings(max_examples=200, deadline=None)
@given(st.floats(-3, 3), st.floats(-9, 5))
def test_the_256_bins_sum_to_one(mean, log_scale):
    total = elbo.discretized_gaussian_log_likelihood(LEVELS, mean, log_scale).exp().sum()
    assert abs(total - 1) < 1e-10


@settings(max_examples=100, deadline=None)
@given(st.floats(-1.5, 1.5), st.floats(-4, 2))
def test_each_bin_is_the_difference_of_the_exact_cdf(mean, log_scale):
    got = elbo.discretized_gaussian_log_likelihood(LEVELS, mean, log_scale).exp().numpy()
    p = stats.norm(mean, math.exp(log_scale))
    upper, lower = LEVELS.numpy() + HALF, LEVELS.numpy() - HALF
    # On the right of the mean the difference of survival functions keeps the digits.
    bins = np.where(LEVELS.numpy() > mean, p.sf(lower) - p.sf(upper), p.cdf(upper) - p.cdf(lower))
    bins[0], bins[-1] = p.cdf(upper[0]), p.sf(lower[-1])
    np.testing.assert_allclose(got, bins, rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("mean", [-50.0, -1.0, 0.3, 50.0])
@pytest.mark.parametrize("log_scale", [-9.0, -5.0, 0.0, 5.0])
def test_far_tails_are_finite_fall_with_distance_and_have_gradients(dtype, mean, log_scale):
    m = torch.full((256,), mean, dtype=dtype, requires_grad=True)
    s = torch.full((256,), log_scale, dtype=dtype, requires_grad=True)
    log_p = elbo.discretized_gaussian_log_likelihood(LEVELS.to(dtype), m, s)
    assert log_p.dtype == dtype
    assert torch.isfinite(log_p).all()
    inner = (LEVELS[1:-1] - mean).abs().argsort()
    assert (log_p[1:-1][inner].diff() <= 1e-3 * log_p.abs().max()).all()
    log_p.sum().backward()
    assert torch.isfinite(m.grad).all()
    assert torch.isfinite(s.grad).all()


def test_a_far_tail_is_not_clipped():
    """Bins 100 scales away: the density there times the bin's width, to leading order of the Mills ratio."""
    scale, mean, x = 1e-3, -0.5, LEVELS[100]
    z = (float(x) - HALF - mean) / scale
    exact = -0.5 * z**2 - math.log(z * math.sqrt(2 * math.pi)) + math.log1p(-1 / z**2)
    close(elbo.discretized_gaussian_log_likelihood(x, mean, math.log(scale)).item(), exact, 1e-6)
    assert exact < -1000


def test_the_mirror_image_has_the_mirrored_probability():
    a = elbo.discretized_gaussian_log_likelihood(LEVELS, 0.2, -2.0)
    b = elbo.discretized_gaussian_log_likelihood(-LEVELS, -0.2, -2.0)
    close(a, b, 1e-12)


def test_the_pixel_decoder_sums_over_pixels():
    x0 = LEVELS[torch.tensor([[0, 100, 255], [7, 8, 9]])]
    one_by_one = [
        [elbo.discretized_gaussian_log_likelihood(v, 0.1, math.log(0.05)) for v in row] for row in x0
    ]
    nll = elbo.pixel_decoder(0.05)(x0, torch.full_like(x0, 0.1))
    close(nll, -torch.tensor(one_by_one).sum(1), 1e-12)


def test_bits_per_dim_of_uniform_pixels_is_8():
    nats = torch.tensor([784 * math.log(256)], dtype=F64)
    close(elbo.bits_per_dim(nats, 784), [8.0])


# ---- the whole bound


MEAN, STD, DIMS = 0.7, 0.4, 3


SIGMA_1, SIGMA_T = 0.1, 30.0
DECODER = STD**2 * SIGMA_1**2 / (STD**2 + SIGMA_1**2)  # the variance of x_0 given x_1
ENTROPY = 0.5 * math.log(2 * math.pi * math.e * STD**2)  # the mean of the exact -log p(x_0), per dimension


def between_fixed_ends(T):
    """sigma_1 .. sigma_T evenly spaced in log sigma. With sigma_1 fixed the gap closes as T grows; with the linear or
    cosine schedule it does not: their sigma_2 / sigma_1 stays near sqrt(2) at every T."""
    sigmas = schedules.loglinear(T, SIGMA_1, SIGMA_T)[:-1].flip(0)
    alpha_bar = 1 / (1 + sigmas**2)
    return NoiseSchedule.from_betas(1 - alpha_bar / torch.cat([torch.ones(1, dtype=F64), alpha_bar[:-1]]))


def gaussian_bound(T, samples, seed=0):
    """Terms of the bound on N(MEAN, STD^2 I) with the exact denoiser, and the closed form of each, per dimension."""
    s = between_fixed_ends(T)
    noise = Noise(seed, per_sample=False)
    x0 = MEAN + STD * noise.randn(samples, DIMS, dtype=F64)
    D = GaussianMixture(torch.full((1, DIMS), MEAN, dtype=F64), STD)
    terms = elbo.vlb_terms(D, x0, s, noise, elbo.gaussian_decoder(DECODER))
    return terms, bound_terms_on_gaussian_data(s.betas.tolist(), MEAN, STD, DECODER)


def test_every_term_on_gaussian_data_is_its_closed_form():
    terms, (prior, kl, decoder) = gaussian_bound(T=12, samples=20_000)
    assert terms.kl.shape == (20_000, 11)
    columns = [terms.prior, *terms.kl.T, terms.decoder, terms.total]
    exact = [prior, *kl, decoder, prior + sum(kl) + decoder]
    for column, value in zip(columns, exact, strict=True):
        assert abs(column.mean() - DIMS * value) < 4.5 * column.std() / math.sqrt(len(column))


def test_the_bound_lies_above_the_exact_nll_and_closes_in_as_T_grows():
    gaps, errors = [], []
    for T in (4, 12, 48):
        total = gaussian_bound(T, samples=20_000)[0].total
        gaps.append(float(total.mean()) - DIMS * ENTROPY)
        errors.append(float(total.std()) / math.sqrt(len(total)))
    assert gaps[0] > gaps[1] + 4 * (errors[0] + errors[1])
    assert gaps[1] > gaps[2] + 4 * (errors[1] + errors[2])
    assert gaps[2] > -4 * errors[2]


def test_the_closed_form_of_the_bound_tends_to_the_entropy():
    """The oracle itself: what is left at T = 4000 is the prior's mismatch and a gap of order 1/T."""
    prior, kl, decoder = bound_terms_on_gaussian_data(
        between_fixed_ends(4000).betas.tolist(), MEAN, STD, DECODER
    )
    assert 0 < prior + sum(kl) + decoder - ENTROPY < 2e-3


class Recorded:
    """Noise that was drawn before: anything with `.like` will do."""

    def __init__(self, draws):
        self.draws = iter(draws)

    def like(self, x):
        return next(self.draws)


def test_the_terms_are_those_of_the_noises_they_were_given():
    s, x0, noises = of("linear", 4), draws(2, 3), draws(4, 2, 3, seed=1)
    seen = []

    def D(x, sigma):
        seen.append((x, float(sigma)))
        return 0.5 * x

    terms = elbo.vlb_terms(D, x0, s, Recorded(noises), elbo.gaussian_decoder(0.3))
    for t in range(1, 5):
        x, sigma = seen[t - 1]
        assert sigma == s.sigma(t)
        close(x, x0 + sigma * noises[t - 1])
        if t > 1:
            close(terms.kl[:, t - 2], elbo.kl_term(x0, 0.5 * x, t, s))
        else:
            close(terms.decoder, elbo.gaussian_nll(x0, 0.5 * x, 0.3))
    close(terms.prior, elbo.prior_kl(x0, s))
    close(terms.total, terms.prior + terms.kl.sum(1) + terms.decoder)


def test_one_step_has_no_kl_terms():
    terms = elbo.vlb_terms(lambda x, s: x, draws(2, 3), of("linear", 1), Noise(0), elbo.gaussian_decoder(1.0))
    assert terms.kl.shape == (2, 0)
    assert terms.total.shape == (2,)


def test_a_denoiser_of_another_shape_is_named():
    with pytest.raises(CourseError, match=r"^x0_hat: got shape \(2, 1\), want \(2, 3\)"):
        elbo.vlb_terms(lambda x, s: x[:, :1], draws(2, 3), of("linear", 3), Noise(0), elbo.pixel_decoder(0.1))


# ---- models with variances of their own


class Same:
    """The same noise, whenever asked."""

    def like(self, x):
        return draws(*x.shape, seed=9)


def test_with_the_posteriors_variance_the_terms_are_those_of_the_denoiser():
    """And the decoder is the pixels' with beta-tilde_2, around the denoiser's guess."""
    s, D = of("cosine", 12), GaussianMixture(draws(3, 2, 2), 0.3)
    x0, log_variance = draws(5, 2, 2, seed=1).clamp(-1, 1), elbo.posterior_log_variance(s)

    def transition(x_t, t):
        sigma = s.sigma(t)
        mean, _ = gaussian.posterior_mean_variance(D(gaussian.to_ve(x_t, sigma), sigma), x_t, t, s)
        return mean, s.take(log_variance, t, x_t)

    own = elbo.transition_terms(transition, x0, s, Same())
    scale = math.exp(0.5 * log_variance[0])
    fixed = elbo.vlb_terms(D, x0, s, Same(), elbo.pixel_decoder(scale))
    for a, b in ((own.prior, fixed.prior), (own.kl, fixed.kl), (own.decoder, fixed.decoder)):
        close(a, b, 1e-8)
    assert own.total.shape == (5,)
    close(log_variance, torch.cat([s.posterior_variance[1:2], s.posterior_variance[1:]]).log())


def test_a_schedule_of_one_step():
    s = NoiseSchedule.from_betas([0.3])
    close(elbo.posterior_log_variance(s), [math.log(0.3)])
    terms = elbo.transition_terms(lambda x, t: (x, torch.zeros(())), draws(2, 3), s, Same())
    assert terms.kl.shape == (2, 0)


def test_the_true_variance_is_the_best():
    """For one x_0 the posterior is the optimum, with KL 0; a larger or smaller variance costs the known amount."""
    s, x0 = of("linear", 30), draws(4, 3)
    t = torch.tensor([2, 9, 20, 30])
    x_t = gaussian.diffuse(x0, t, draws(4, 3, seed=1), s)
    mean, variance = gaussian.posterior_mean_variance(x0, x_t, t, s)
    for factor in (1.0, 0.5, 3.0):
        kl = elbo.transition_term(lambda x, t, f=factor: (mean, (f * variance).log()), x0, x_t, t, s)
        close(kl, torch.full((4,), 3 * 0.5 * (1 / factor - 1 + math.log(factor)), dtype=F64))


def test_a_data_set_in_batches_is_the_data_set_at_once():
    s, D, data = of("cosine", 6), GaussianMixture(draws(3, 2), 0.3), draws(7, 2, seed=1)

    class Zero:
        def like(self, x):
            return torch.zeros_like(x)

    def terms(x0):
        return elbo.vlb_terms(D, x0, s, Zero(), elbo.pixel_decoder(0.1))

    whole, parts = terms(data), elbo.over_batches(terms, data, 3)
    for name in ("prior", "kl", "decoder", "total"):
        close(getattr(parts, name), getattr(whole, name))
