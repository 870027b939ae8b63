"""Exact denoisers against plain sums, Tweedie's formula and integrals; parametrisations against their definitions."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import denoise_a_dataset, iddpm_levels, karras_table_1
from torch import nn

from diffusion_course import CourseError, Noise, NoiseSchedule, gaussian, schedules
from diffusion_course.denoisers import (
    DatasetDenoiser,
    GaussianMixture,
    Preconditioned,
    as_eps,
    edm_param,
    eps_param,
    flow_param,
    from_eps,
    iddpm_param,
    iddpm_sigmas,
    v_param,
    ve_param,
    vp_param,
    x0_param,
)

F64 = torch.float64
S = NoiseSchedule.from_betas(schedules.linear(1000))


def draws(*shape, seed=0):
    return Noise(seed).randn(*shape, dtype=F64)


def close(a, b, tolerance=1e-10):
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def mixture(*event, K=3):
    return GaussianMixture(
        draws(K, *event, seed=7), 0.2 + draws(K, seed=8).abs(), 0.1 + draws(K, seed=9).abs()
    )


# ---- the denoiser of a data set


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12), st.integers(1, 5), st.floats(0.05, 50), st.integers(1, 5))
def test_a_dataset_denoiser_is_the_plain_weighted_mean(N, dims, sigma, chunk):
    data, x = draws(N, dims), 2 * draws(3, dims, seed=1)
    D = DatasetDenoiser(data, chunk=chunk)
    for i in range(3):
        mean, log_density = denoise_a_dataset(x[i].numpy(), data.numpy(), sigma)
        close(D(x, sigma)[i], mean)
        close(D.log_density(x, sigma)[i], log_density)


def test_tiny_and_huge_sigma():
    data = draws(20, 2, 3)
    D, x = DatasetDenoiser(data), draws(4, 2, 3, seed=1)
    nearest = torch.cdist(x.flatten(1), data.flatten(1)).argmin(1)
    close(D(x, 1e-4), data[nearest])
    close(D(x, 1e8), data.mean(0).expand_as(x), 1e-7)


def test_sigma_may_differ_by_row_and_dtype_is_the_inputs():
    data, sigma = draws(9, 4), torch.tensor([0.1, 1.0, 10.0], dtype=F64)
    for D in (DatasetDenoiser(data), mixture(4)):
        x = draws(3, 4, seed=1)
        for f in (D, D.log_density):
            close(f(x, sigma), torch.cat([f(x[i : i + 1], float(sigma[i])) for i in range(3)]), 1e-13)
        for dtype in (torch.float32, F64):
            assert D(x.to(dtype), sigma).dtype == dtype
            assert D(x.to(dtype), 0.5).dtype == dtype
    assert DatasetDenoiser(data.float()).log_density(x.float(), 1.0).dtype == F64


@pytest.mark.parametrize("D", [DatasetDenoiser(draws(7, 2, 2)), mixture(2, 2)], ids=["dataset", "mixture"])
@pytest.mark.parametrize("sigma", [0.3, 1.0, 20.0])
def test_tweedie(D, sigma):
    """The gradient of log p(x; sigma), by autograd, is (D(x, sigma) - x) / sigma^2."""
    x = (sigma * draws(5, 2, 2, seed=3)).requires_grad_()
    (score,) = torch.autograd.grad(D.log_density(x, sigma).sum(), x)
    close(score, ((D(x, sigma) - x) / sigma**2).detach())
    if isinstance(D, GaussianMixture):
        close(D.score(x.detach(), sigma), score)


@pytest.mark.parametrize(
    "D",
    [
        DatasetDenoiser(torch.tensor([[-1.0], [0.5], [2.0]], dtype=F64)),
        GaussianMixture(
            torch.tensor([[-1.0], [2.0]], dtype=F64), torch.tensor([0.3, 0.6]), torch.tensor([1.0, 3.0])
        ),
        GaussianMixture([[-1.0], [2.0]], 0.3),
    ],
    ids=["dataset", "mixture", "mixture from lists"],
)
def test_the_density_integrates_to_one(D):
    x = torch.linspace(-12, 12, 20_001, dtype=F64)
    total = D.log_density(x[:, None], 0.4).exp().sum() * (x[1] - x[0])
    assert abs(total - 1) < 1e-10


def test_given_is_the_class_alone_and_classes_add_up_to_all():
    data, labels = draws(30, 3), torch.arange(30) % 3 + 4  # the labels 4, 5, 6
    D, x, sigma = DatasetDenoiser(data, labels), draws(5, 3, seed=1), 0.7
    given_each, posterior = [], []
    for y in (4, 5, 6):
        alone = DatasetDenoiser(data[labels == y])
        assert torch.equal(D.given(y)(x, sigma), alone(x, sigma))
        given_each.append(alone(x, sigma))
        posterior.append(alone.log_density(x, sigma))
    weights = torch.stack(posterior).softmax(0)[..., None]
    close(D(x, sigma), (weights * torch.stack(given_each)).sum(0))


def test_given_takes_one_label_per_row():
    data, labels = draws(30, 3), torch.arange(30) % 3
    D, x, y = DatasetDenoiser(data, labels), draws(5, 3, seed=1), torch.tensor([2, 0, 0, 1, 2])
    sigma = torch.linspace(0.1, 1, 5, dtype=F64)
    rows = [D.given(int(y[i]))(x[i : i + 1], sigma[i]) for i in range(5)]
    close(D.given(y)(x, sigma), torch.cat(rows))
    rows = [D.given(int(y[i]))(x[i : i + 1], 0.5) for i in range(5)]
    close(D.given(y)(x, 0.5), torch.cat(rows))


def test_the_exact_classifier_of_a_dataset_is_bayes_over_single_points():
    data, labels = draws(30, 3), torch.tensor([4] * 20 + [9] * 7 + [5] * 3)
    D, x, sigma = DatasetDenoiser(data, labels, chunk=8), draws(5, 3, seed=1), 0.7
    weights = (-((x[:, None] - data).square().sum(2)) / (2 * sigma**2)).softmax(1)  # p(point | x)
    assert D.classes == [4, 5, 9]
    close(D.classify(x, sigma).exp(), torch.stack([weights[:, labels == y].sum(1) for y in D.classes], 1))
    far = D.classify(1e3 * x, 0.01)  # thousands of nats from every point
    assert torch.isfinite(far).all()
    close(far.logsumexp(1), torch.zeros(5, dtype=F64))
    with pytest.raises(CourseError, match=r"^classes: this data set has no labels"):
        DatasetDenoiser(data).classify(x, sigma)


# ---- the Gaussian mixture


def test_the_mixture_is_the_posterior_mean_by_quadrature():
    means, stds, weights, sigma = [-1.0, 0.5, 2.0], [0.5, 0.2, 1.0], [0.2, 0.5, 0.3], 0.6
    D = GaussianMixture(
        torch.tensor(means, dtype=F64)[:, None], torch.tensor(stds), torch.tensor(weights, dtype=F64)
    )
    x0, x = np.linspace(-15, 15, 60_001), 0.8
    prior = sum(
        w / s * np.exp(-((x0 - m) ** 2) / (2 * s**2))
        for m, s, w in zip(means, D.stds.tolist(), weights, strict=True)
    )
    joint = prior * np.exp(-((x - x0) ** 2) / (2 * sigma**2))
    close(D(torch.tensor([[x]], dtype=F64), sigma).item(), (joint * x0).sum() / joint.sum())


def test_points_are_a_mixture_of_zero_width():
    data, x = draws(6, 2, 2), draws(4, 2, 2, seed=1)
    points, D = GaussianMixture(data, 0.0), DatasetDenoiser(data)
    close(points(x, 0.8), D(x, 0.8))
    close(points.log_density(x, 0.8), D.log_density(x, 0.8))


def test_python_numbers_are_not_rounded_to_float32():
    """The denoiser of N(0, 0.3^2) shrinks by 0.09 / (0.09 + sigma^2) to the last digit, and 1/3 is a third."""
    D, x = GaussianMixture(torch.zeros(3, 1, dtype=F64), 0.3), torch.ones(1, 1, dtype=F64)
    close(D(x, 0.1).item(), 0.09 / 0.1, 1e-14)
    close(D.weights, [1 / 3] * 3, 1e-15)
    one, three = DatasetDenoiser(torch.zeros(1, 1, dtype=F64)), DatasetDenoiser(torch.zeros(3, 1, dtype=F64))
    close(one.log_density(x, 0.1), three.log_density(x, 0.1), 1e-14)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_a_given_component_is_that_gaussian(k):
    m, x = mixture(2), draws(5, 2, seed=1)
    normal = torch.distributions.Normal(m.means[k], (m.stds[k] ** 2 + 0.25) ** 0.5)
    close(m.given(k).log_density(x, 0.5), normal.log_prob(x).sum(1))


def test_a_component_for_each_row():
    m, x, k = mixture(2, 2), draws(5, 2, 2, seed=1), torch.tensor([2, 0, 0, 1, 2])
    sigma = torch.linspace(0.1, 1, 5, dtype=F64)
    for s in (sigma, torch.full((5,), 0.5, dtype=F64)):
        rows = [m.given(int(k[i]))(x[i : i + 1], s[i]) for i in range(5)]
        close(m.given(k)(x, s), torch.cat(rows))
    close(m.given(k)(x, 0.5), torch.cat(rows))


def test_the_exact_classifier_of_a_mixture_is_bayes():
    m, x, sigma = mixture(2), draws(5, 2, seed=1), torch.linspace(0.1, 3, 5, dtype=F64)
    joint = torch.stack([m.weights[k] * m.given(k).log_density(x, sigma).exp() for k in range(3)], 1)
    close(m.classify(x, sigma).exp(), joint / joint.sum(1, keepdim=True))


def test_components_weighted_by_their_posterior_are_the_mixture():
    m, x, sigma = mixture(2), draws(5, 2, seed=1), 0.5
    log_joint = torch.stack([m.given(k).log_density(x, sigma) + m.weights[k].log() for k in range(3)])
    close(log_joint.logsumexp(0), m.log_density(x, sigma))
    D = torch.stack([m.given(k)(x, sigma) for k in range(3)])
    close((log_joint.softmax(0)[..., None] * D).sum(0), m(x, sigma))


def test_samples_have_the_mixtures_law():
    m, n = mixture(2), 40_000
    x, k = m.sample(n, Noise(0, per_sample=False))
    assert x.shape == (n, 2)
    assert x.dtype == F64
    for i in range(3):
        share = (k == i).double().mean()
        assert abs(share - m.weights[i]) < 4.5 * math.sqrt(m.weights[i] * (1 - m.weights[i]) / n)
        rows = (x[k == i] - m.means[i]) / m.stds[i]
        assert (rows.mean(0).abs() < 4.5 / math.sqrt(len(rows))).all()
        assert ((rows.var(0) - 1).abs() < 4.5 * math.sqrt(2 / len(rows))).all()


def test_the_error_of_the_exact_denoiser_is_orthogonal_to_its_answer():
    """E[(x_0 - D(x)) g(x)] = 0 for any g: what makes D the best possible denoiser."""
    m, n = mixture(2), 40_000
    noise = Noise(1, per_sample=False)
    x0, _ = m.sample(n, noise)
    x = x0 + 0.7 * noise.like(x0)
    for g in (torch.ones_like(x), m(x, 0.7), x**3):
        product = ((x0 - m(x, 0.7)) * g).sum(1)
        assert abs(product.mean()) < 4.5 * product.std() / math.sqrt(n)


# ---- parametrisations: x_0 comes back when the network answers what its name says


class Net(nn.Module):
    """Answers what it is told, and remembers what it was asked."""

    def __init__(self, answer=None):
        super().__init__()
        self.answer, self.seen = answer, None

    def forward(self, x, c_noise, labels=None):
        self.seen = (x, c_noise, labels)
        return x if self.answer is None else self.answer


X0, EPS = draws(4, 2, 3), draws(4, 2, 3, seed=1)
TIMES = torch.tensor([1, 20, 500, 1000])
SIGMA = S.sigma(TIMES)
VP = 1 / (1 + SIGMA**2).sqrt()[:, None, None]


@pytest.mark.parametrize(
    ("param", "target"),
    [
        (eps_param(S), EPS),
        (x0_param(S), X0),
        (v_param(S), VP * EPS - SIGMA[:, None, None] * VP * X0),
        (flow_param(), EPS - X0),
    ],
    ids=["eps", "x0", "v", "flow"],
)
class TestParametrisations:
    def test_the_right_answer_gives_x0(self, param, target):
        x = X0 + SIGMA[:, None, None] * EPS
        close(Preconditioned(Net(target), param)(x, SIGMA), X0)
        for i, sigma in enumerate(SIGMA):  # one sigma for the whole batch, as the samplers pass it
            close(Preconditioned(Net(target[i : i + 1]), param)(x[i : i + 1], sigma), X0[i : i + 1])
            close(Preconditioned(Net(target[i : i + 1]), param)(x[i : i + 1], sigma.item()), X0[i : i + 1])

    def test_the_network_sees_what_it_was_trained_on(self, param, target):
        net = Net(target)
        Preconditioned(net, param)(X0 + SIGMA[:, None, None] * EPS, SIGMA)
        x, c_noise, _ = net.seen
        if torch.equal(target, EPS - X0):
            share = SIGMA / (1 + SIGMA)
            close(x, (1 - share)[:, None, None] * X0 + share[:, None, None] * EPS)
            close(c_noise, share)
        else:
            close(x, gaussian.diffuse(X0, TIMES, EPS, S))
            close(c_noise, TIMES)

    def test_shapes_and_dtypes(self, param, target):
        class F32(Net):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.ones(()))

        net = F32()
        for dtype in (torch.float32, F64):
            for sigma in (2.0, torch.tensor(2.0), SIGMA):
                out = Preconditioned(net, param)(X0.to(dtype), sigma)
                assert (out.dtype, out.shape) == (dtype, X0.shape)
                x, c_noise, labels = net.seen
                assert (x.dtype, c_noise.dtype, c_noise.shape) == (torch.float32, torch.float32, (4,))
                assert labels is None

    def test_labels_reach_the_network(self, param, target):
        net = Net(target)
        D = Preconditioned(net, param)
        D.given(3)(X0, SIGMA)
        assert net.seen[2].tolist() == [3, 3, 3, 3]
        D.given(torch.tensor([1, 2, 3, 4]))(X0, SIGMA)
        assert net.seen[2].tolist() == [1, 2, 3, 4]


COEFFICIENTS = {
    "edm": edm_param(0.5),
    "vp": vp_param(),
    "ve": ve_param(),
    "iddpm": iddpm_param(),
}
LEVELS = [0.002, 0.0101, 0.3, 1.0, 7.77, 80.0, 151.3]


@pytest.mark.parametrize("sigma", LEVELS)
@pytest.mark.parametrize("name", COEFFICIENTS)
def test_the_four_coefficients_of_table_1(name, sigma):
    """Computed from (B,) and () sigma alike, and used as D = c_skip x + c_out F(c_in x, c_noise)."""
    p, want = COEFFICIENTS[name], karras_table_1(name, sigma)
    for s in (torch.tensor(sigma, dtype=F64), torch.full((4,), sigma, dtype=F64)):
        got = [c(s) for c in (p.c_skip, p.c_out, p.c_in, p.c_noise)]
        for value, expected in zip(got, want, strict=True):
            close(value, torch.full_like(s, expected), 1e-9)
        net = Net(EPS)
        close(Preconditioned(net, p)(X0, s), want[0] * X0 + want[1] * EPS)
        close(net.seen[0], want[2] * X0)
        close(net.seen[1], torch.full((4,), want[3], dtype=F64), 1e-9)


def test_edm_keeps_input_target_and_output_at_unit_variance():
    """For data of variance sigma_data^2: Karras et al. 2022, appendix B.6."""
    for sigma_data in (0.3, 0.5, 1.0):
        p, s = edm_param(sigma_data), torch.tensor(LEVELS, dtype=F64)
        close(p.c_in(s) ** 2 * (sigma_data**2 + s**2), torch.ones_like(s))
        target = ((1 - p.c_skip(s)) ** 2 * sigma_data**2 + p.c_skip(s) ** 2 * s**2) / p.c_out(s) ** 2
        close(target, torch.ones_like(s))


def test_iddpm_levels_and_the_cosine_schedule_they_come_from():
    u = iddpm_sigmas()
    close(u, iddpm_levels(), 1e-9)
    assert (u.diff() < 0).all()
    assert u[-1] == 0
    # j steps of the cosine schedule, its beta clipped at 0.999, give sigma_t = u_{M - t}.
    close(NoiseSchedule.from_betas(schedules.cosine(1000)).sigmas, u[:-1].flip(0), 1e-8)


def test_iddpm_shows_the_network_its_own_time():
    c_noise = iddpm_param().c_noise
    close(c_noise(iddpm_sigmas()), torch.arange(999, -2, -1.0))
    assert c_noise(torch.tensor(1e6)) == 999


def test_a_network_that_also_answers_variances():
    net = Net(torch.cat([EPS, draws(4, 2, 3, seed=2)], 1))
    close(Preconditioned(net, iddpm_param())(X0, 2.0), X0 - 2.0 * EPS)


@pytest.mark.parametrize("sigma_data", [0.0, -1.0, math.nan, math.inf])
def test_bad_sigma_data(sigma_data):
    with pytest.raises(CourseError, match=r"^sigma_data: got .*, want a number > 0$"):
        edm_param(sigma_data)


def test_from_eps_interpolates_when_asked():
    seen = []

    def model(x_t, t):
        seen.append(t)
        return torch.ones_like(x_t)

    sigma = torch.stack([(S.sigma(5) * S.sigma(6)).sqrt(), S.sigma(700)])
    x = draws(2, 3)
    rounded, smooth = from_eps(model, S)(x, sigma), from_eps(model, S, rounded=False)(x, sigma)
    assert seen[0].dtype == torch.int64
    assert seen[1].dtype == F64
    close(seen[1], [5.5, 700.0])
    close(rounded, smooth)  # x_t itself is scaled with the sigma that was asked for
    from_eps(model, S, rounded=False)(x.float(), 0.1)
    assert seen[2].dtype == torch.float32


@pytest.mark.parametrize("t", [1, 7, 1000, torch.tensor([1, 7, 400, 1000])])
def test_as_eps_and_from_eps_undo_each_other(t):
    D, x_t = mixture(3), draws(4, 3)
    eps = as_eps(D, S)(x_t, t)
    sigma = S.sigma(t)
    close(as_eps(from_eps(as_eps(D, S), S), S)(x_t, t), eps, 1e-9)
    x = gaussian.to_ve(x_t, sigma)
    close(from_eps(as_eps(D, S), S)(x, sigma), D(x, sigma))
    # and the definition: x_t = sqrt(alpha_bar) D + sqrt(1 - alpha_bar) eps
    t = torch.as_tensor(t).expand(4)
    close(gaussian.diffuse(D(x, sigma), t, eps, S), x_t)


def test_from_eps_goes_to_the_nearest_step():
    seen = []

    def model(x_t, t):
        seen.append(t.tolist())
        return torch.zeros_like(x_t)

    sigma = torch.stack([S.sigma(5) * 1.001, S.sigma(700) * 0.9999, S.sigma(1) / 9, S.sigma(1000) * 9])
    from_eps(model, S)(draws(4, 2), sigma)
    assert seen == [[5, 700, 1, 1000]]


def test_as_eps_of_preconditioned_eps_is_the_network():
    net = Net(EPS)
    close(as_eps(Preconditioned(net, eps_param(S)), S)(X0, TIMES), EPS)
    close(net.seen[0], X0)
    close(net.seen[1], TIMES)


# ---- bad input


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DatasetDenoiser(torch.zeros(0, 2)), r"^data: got shape \(0, 2\)"),
        (lambda: DatasetDenoiser(torch.zeros(3)), r"^data: got shape \(3,\)"),
        (lambda: DatasetDenoiser(torch.tensor([[1.0, math.nan]])), r"^data: holds NaN"),
        (
            lambda: DatasetDenoiser(torch.zeros(3, 2), torch.zeros(2)),
            r"^labels: got shape \(2,\), want \(3,\)",
        ),
        (lambda: DatasetDenoiser(torch.zeros(3, 2)).given(1), r"^given\(y\): this data set has no labels"),
        (
            lambda: DatasetDenoiser(torch.zeros(2, 2), torch.tensor([4, 9])).given(5),
            r"^y: got 5, want one of \[4, 9\]",
        ),
        (
            lambda: DatasetDenoiser(torch.zeros(2, 2), torch.tensor([0, 1])).given(torch.tensor([0]))(
                X0[:, 0, :2], 1.0
            ),
            r"^y: got shape \(1,\), want \(\) or \(4,\)",
        ),
        (lambda: GaussianMixture(torch.zeros(3), 1.0), r"^means: got shape \(3,\)"),
        (lambda: GaussianMixture(torch.zeros(0, 2), 1.0), r"^means: got shape \(0, 2\)"),
        (lambda: GaussianMixture(torch.tensor([[math.nan]]), 1.0), r"^means: hold NaN"),
        (lambda: GaussianMixture(torch.zeros(3, 2), -1.0), r"^stds: got -1\.0"),
        (
            lambda: GaussianMixture(torch.zeros(3, 2), torch.ones(2)),
            r"^stds: got \[1\.0, 1\.0\], .* 3 of them",
        ),
        (
            lambda: GaussianMixture(torch.zeros(3, 2), 1.0, torch.tensor([1.0, 0.0, 1.0])),
            r"^weights: got \[1\.0, 0\.0",
        ),
        (
            lambda: GaussianMixture(torch.zeros(3, 2), 1.0, torch.ones(2)),
            r"^weights: got .*want 3 numbers > 0",
        ),
        (lambda: mixture(2).given(3), r"^k: got 3, want an integer in 0\.\.2"),
        (
            lambda: mixture(2).given(torch.tensor([0, 3])),
            r"^k: got \[0, 3\], want integers in 0\.\.2",
        ),
        (
            lambda: mixture(2).given(torch.tensor([0, 1]))(X0[:, 0, :2], 1.0),
            r"^k: got shape \(2,\), want \(\) or \(4,\)",
        ),
        (lambda: mixture(2).given(-1), r"^k: got -1, want an integer in 0\.\.2"),
        (
            lambda: Preconditioned(Net(), flow_param()).given(torch.ones(3))(X0, 1.0),
            r"^labels: got shape \(3,\)",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(CourseError, match=message):
        make()


@pytest.mark.parametrize("D", [DatasetDenoiser(draws(7, 2, 2)), mixture(2, 2)], ids=["dataset", "mixture"])
def test_bad_x_and_sigma(D):
    with pytest.raises(CourseError, match=r"^x: got shape \(3, 4\), want \(B, 2, 2\)"):
        D(torch.zeros(3, 4), 1.0)
    with pytest.raises(CourseError, match=r"^sigma: got shape \(2,\), want \(\) or \(3,\)"):
        D(torch.zeros(3, 2, 2), torch.ones(2))


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan])
def test_a_dataset_needs_a_positive_sigma(sigma):
    with pytest.raises(CourseError, match=r"^sigma: got .*want numbers > 0"):
        DatasetDenoiser(draws(7, 2))(draws(3, 2), sigma)
