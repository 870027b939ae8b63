"""Exact denoisers against plain sums, Tweedie's formula and integrals."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import denoise_a_dataset
from shared import F64, close, draws, mixture

from diffusion_course import CourseError, Noise, exact
from diffusion_course.exact import DatasetDenoiser, GaussianMixture, blurred

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


def test_a_data_set_too_large_for_a_copy_gives_the_same(monkeypatch):
    data, x = draws(40, 3).float(), draws(5, 3, seed=1).float()
    kept, converted = DatasetDenoiser(data, chunk=16), DatasetDenoiser(data, chunk=16)
    answer = kept(x, 0.7)
    monkeypatch.setattr(exact, "KEPT", 8 * data.numel() - 1)
    assert torch.equal(converted(x, 0.7), answer)
    assert (kept._points.dtype, converted._points.dtype) == (F64, torch.float32)


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


@pytest.mark.parametrize("sigma", [0.3, torch.tensor([0.01, 0.5, 20.0, 3.0])])
def test_blurred_points_are_a_mixture_of_that_width(sigma):
    points, x = Noise(1).randn(5, 2, 3, dtype=torch.float64), Noise(2).randn(4, 2, 3, dtype=torch.float64)
    found = blurred(DatasetDenoiser(points), 0.2)(x, sigma)
    torch.testing.assert_close(found, GaussianMixture(points, 0.2)(x, sigma), rtol=1e-9, atol=1e-9)
    assert blurred(DatasetDenoiser(points), 0.2)(x.float(), sigma).dtype == torch.float32
    with pytest.raises(CourseError, match="h: got 0, want a number > 0"):
        blurred(DatasetDenoiser(points), 0)


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
                draws(4, 2), 1.0
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
            lambda: mixture(2).given(torch.tensor([0, 1]))(draws(4, 2), 1.0),
            r"^k: got shape \(2,\), want \(\) or \(4,\)",
        ),
        (lambda: mixture(2).given(-1), r"^k: got -1, want an integer in 0\.\.2"),
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
