"""The Fréchet distance against closed forms and pytorch-fid; moments against NumPy; files of statistics."""

import contextlib
import inspect
import io
import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from clouds import gaussian, turn
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion_course import CourseError
from diffusion_course.experiments import metrics
from diffusion_course.experiments.metrics.gaussians import fitted, merged


def exact_sample(mean, covariance, n=400):
    """Points whose sample mean and sample covariance are exactly these."""
    x = gaussian(n, 0)[:, : len(mean)]
    x = x - x.mean(0)
    white = x @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.T))).T
    return white @ torch.linalg.cholesky(covariance).T + mean


def test_the_frechet_distance_of_gaussians_that_commute_is_the_textbook_number():
    mean_a, mean_b = torch.tensor([1.0, -2.0, 0.5]).double(), torch.tensor([0.0, 1.0, 0.5]).double()
    std_a, std_b = torch.tensor([1.0, 0.3, 2.0]).double(), torch.tensor([0.5, 0.4, 2.0]).double()
    a, b = exact_sample(mean_a, (std_a**2).diag()), exact_sample(mean_b, (std_b**2).diag())
    want = (mean_a - mean_b).square().sum() + (std_a - std_b).square().sum()
    assert metrics.frechet(a, b) == pytest.approx(want.item(), abs=1e-9)


@given(seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_the_frechet_distance_is_a_distance(seed):
    g = torch.Generator().manual_seed(seed)
    a, b = (torch.randn(40, 5, generator=g) @ torch.randn(5, 5, generator=g) for _ in range(2))
    d = metrics.frechet(a, b)
    assert d >= 0
    assert metrics.frechet(a, a) == pytest.approx(0, abs=1e-9)
    assert metrics.frechet(b, a) == pytest.approx(d, rel=1e-9)
    assert metrics.frechet(a.double() @ turn(5, seed), b.double() @ turn(5, seed)) == pytest.approx(
        d, rel=1e-8
    )


def test_the_frechet_distance_agrees_with_pytorch_fid():
    fid = pytest.importorskip("pytorch_fid.fid_score")
    linalg = pytest.importorskip("scipy.linalg")
    if "disp" not in inspect.signature(linalg.sqrtm).parameters:
        pytest.skip("this SciPy no longer runs pytorch-fid's distance")
    a, b = gaussian(300, 1) @ gaussian(5, 3), gaussian(200, 2, shift=0.3)
    stats = [s for x in (a, b) for s in (x.mean(0).numpy(), np.cov(x.numpy(), rowvar=False))]
    assert metrics.frechet(a, b) == pytest.approx(fid.calculate_frechet_distance(*stats), rel=1e-6)


def test_features_of_rank_one_have_a_frechet_distance():
    a, b = torch.ones(10, 3), 3 * torch.ones(10, 3)
    assert metrics.frechet(a, b) == pytest.approx(12)


@pytest.mark.parametrize(("a", "b"), [((4, 3), (4, 2)), ((1, 3), (4, 3)), ((4,), (4,))])
def test_features_that_do_not_fit_are_told(a, b):
    with pytest.raises(CourseError, match="want \\(N, d\\), \\(M, d\\)"):
        metrics.frechet(torch.zeros(a), torch.zeros(b))


@pytest.mark.parametrize("wrong", [torch.zeros(4, 3), np.zeros(3), None])
def test_a_distance_of_what_are_no_moments_names_the_function_for_features(wrong):
    right = metrics.Gaussian(torch.zeros(3), torch.eye(3))
    for name, (a, b) in {"a": (wrong, right), "b": (right, wrong)}.items():
        with pytest.raises(
            CourseError, match=rf"^{name}: got a .*, want a Gaussian; .* take frechet\(a, b\)"
        ):
            metrics.frechet_distance(a, b)


@given(
    cuts=st.lists(st.integers(0, 60), max_size=5),
    seed=st.integers(0, 99),
    shift=st.sampled_from([0, 1e3, -1e6]),
)
@settings(max_examples=25, deadline=None)
def test_moments_do_not_depend_on_the_batches(cuts, seed, shift):
    x = gaussian(60, seed, shift=shift)
    whole, halves = metrics.Moments(5), [metrics.Moments(5), metrics.Moments(5)]
    for k, (low, high) in enumerate(pairwise([0, *sorted(cuts), 60])):
        whole.add(x[low:high])
        halves[k % 2].add(x[low:high])
    for found in (whole.gaussian(), merged(halves).gaussian()):
        assert found.n == 60
        np.testing.assert_allclose(found.mean, x.numpy().mean(0), rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(found.covariance, np.cov(x.numpy(), rowvar=False), rtol=1e-8, atol=1e-9)


def test_one_feature_has_no_covariance():
    moments = metrics.Moments(3)
    moments.add(torch.zeros(1, 3))
    with pytest.raises(CourseError, match="got 1, want at least 2"):
        moments.gaussian()


@given(seed=st.integers(0, 1000), dims=st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_the_cross_term_is_the_trace_of_the_root_of_the_product(seed, dims):
    """The eigenvalues of S_a S_b itself, which is not symmetric, give the same distance."""
    a, b = gaussian(40, seed, dims=dims), 2 * gaussian(30, seed + 1, dims=dims) @ turn(dims, seed)
    S_a, S_b = (np.cov(x.numpy(), rowvar=False).reshape(dims, dims) for x in (a, b))
    cross = np.sqrt(np.linalg.eigvals(S_a @ S_b).real.clip(0)).sum()
    want = (a.mean(0) - b.mean(0)).square().sum().item() + np.trace(S_a) + np.trace(S_b) - 2 * cross
    assert metrics.frechet(a, b) == pytest.approx(want, rel=1e-9)


@given(seed=st.integers(0, 1000), scale=st.floats(0.1, 10), shift=st.floats(-5, 5))
@settings(max_examples=25, deadline=None)
def test_the_frechet_distance_of_a_cloud_to_itself_scaled_and_moved(seed, scale, shift):
    """(scale - 1)^2 tr S + the squared shift of the mean, for x -> scale x + shift."""
    x = gaussian(50, seed) @ gaussian(5, seed + 1)
    moved = scale * x + shift
    want = (scale - 1) ** 2 * torch.cov(x.T).trace() + (moved.mean(0) - x.mean(0)).square().sum()
    assert metrics.frechet(x, moved) == pytest.approx(want.item(), rel=1e-7, abs=1e-7)


def test_fewer_points_than_dimensions_have_a_distance():
    """Covariances of rank 9 in 200 dimensions; against the singular values of the centred points, which need no root."""
    a, b = gaussian(10, 0, dims=200), gaussian(10, 1, dims=200, shift=0.1)
    A, B = ((x - x.mean(0)) / 3 for x in (a, b))
    want = (a.mean(0) - b.mean(0)).square().sum() + A.square().sum() + B.square().sum()
    want = want - 2 * torch.linalg.svdvals(A @ B.T).sum()
    assert metrics.frechet(a, b) == pytest.approx(want.item(), rel=1e-5)
    assert metrics.frechet(a, a) == pytest.approx(0, abs=1e-4)


def test_gaussians_of_other_dimensions_are_told():
    a, b = fitted(gaussian(9, 0)), fitted(gaussian(9, 0, dims=4))
    with pytest.raises(CourseError, match="5 and 4 dimensions"):
        metrics.frechet_distance(a, b)


# ---- files


def test_statistics_go_to_pytorch_fid_and_back(tmp_path):
    a = fitted(gaussian(30, 1))
    metrics.write_statistics(tmp_path / "a.npz", a)
    with np.load(tmp_path / "a.npz") as file:
        assert sorted(file.files) == ["mu", "sigma"]
        assert (file["mu"].dtype, file["sigma"].shape) == (np.float64, (5, 5))
    back = metrics.read_statistics(tmp_path / "a.npz")
    assert torch.equal(back.mean, a.mean)
    assert back.n is None
    assert metrics.frechet_distance(back, a) == pytest.approx(0, abs=1e-9)
    fid = pytest.importorskip("pytorch_fid.fid_score")
    mu, sigma = fid.compute_statistics_of_path(str(tmp_path / "a.npz"), None, 50, 5, "cpu")
    np.testing.assert_array_equal(mu, a.mean)
    np.testing.assert_array_equal(sigma, a.covariance)


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


EYE = np.eye(3)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not an .npz"),
        (b"PK\x03\x04 and no more", "not an .npz"),
        (pickle.dumps({"mu": 1}), "not an .npz"),
        (npz(mu=np.zeros(3)), "holds mu; want mu and sigma"),
        (npz(), "holds nothing"),
        (npz(mu=np.zeros(3), sigma=EYE[:2]), "mu (3,) and sigma (2, 3)"),
        (npz(mu=np.array(["a"] * 3), sigma=EYE), "want numbers"),
        (npz(mu=np.zeros(3), sigma=EYE.astype(complex)), "want numbers"),
        (npz(mu=np.array([None] * 3), sigma=EYE), "not an .npz"),
        (npz(mu=np.full(3, np.nan), sigma=EYE), "hold NaN"),
        (npz(mu=np.zeros(3), sigma=np.full((3, 3), np.inf)), "hold NaN"),
        (npz(mu=np.zeros(3), sigma=np.triu(np.ones((3, 3)))), "no covariance"),
        (npz(mu=np.zeros(3), sigma=-EYE), "no covariance"),
        (npz(mu=np.zeros(3), sigma=2 * np.ones((3, 3)) - EYE), "no covariance"),
        (npz(mu=np.zeros(3), sigma=1e308 * EYE), "sigma: holds numbers beyond 1e+40"),
        (npz(mu=np.full(3, 1e200), sigma=EYE), "mu: holds numbers beyond 1e+20"),
    ],
)
def test_a_file_of_another_kind_is_told(tmp_path, content, told):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(CourseError) as caught:
        metrics.read_statistics(path)
    assert str(caught.value).startswith(str(path))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(seed=st.integers(0, 100), dims=st.integers(2, 60), n=st.integers(2, 60), power=st.integers(-12, 12))
@settings(max_examples=25, deadline=None)
def test_covariances_of_any_features_are_read(tmp_path_factory, dtype, seed, dims, n, power):
    """Of fewer features than dimensions, rounding makes eigenvalues that are 0 slightly negative."""
    a = fitted(10.0**power * gaussian(n, seed, dims=dims) @ gaussian(dims, seed + 1, dims=dims))
    path = tmp_path_factory.getbasetemp() / "any.npz"
    np.savez(path, mu=a.mean.numpy().astype(dtype), sigma=a.covariance.numpy().astype(dtype))
    found = metrics.read_statistics(path)
    assert metrics.frechet_distance(found, a) <= 1e-2 * a.covariance.trace().item()


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(CourseError, match="no such file"):
        metrics.read_statistics(tmp_path / "a.npz")


@given(where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255), cut=st.booleans())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_damaged_file_is_told_or_read(tmp_path_factory, where, flip, cut):
    content = bytearray(npz(mu=np.zeros(3), sigma=EYE))
    at = int(where * len(content))
    content[at] ^= flip
    path = tmp_path_factory.getbasetemp() / "flipped.npz"
    path.write_bytes(content[:at] if cut else content)
    with contextlib.suppress(CourseError):
        assert metrics.read_statistics(path).mean.shape == (3,)
