"""All randomness: one stream per sample, the same on every device, and never the global generator."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import close

from diffusion_course import CourseError, Draws, Noise
from diffusion_course.noise import mix, slerp

SEEDS = st.integers(0, 2**32 - 1)
ROW_SHAPES = st.lists(st.integers(1, 9), max_size=3).map(tuple)


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.integers(1, 6), st.integers(1, 6), ROW_SHAPES)
def test_a_sample_does_not_depend_on_the_batch(seed, small, extra, row):
    alone, crowd = Noise(seed), Noise(seed)
    for _ in range(3):  # later draws too, with the streams further along
        assert torch.equal(alone.randn(small, *row), crowd.randn(small + extra, *row)[:small])


@settings(max_examples=50, deadline=None)
@given(SEEDS, ROW_SHAPES)
def test_a_seed_makes_the_same_noise_again_and_draws_differ(seed, row):
    first, again, other = Noise(seed), Noise(seed), Noise((seed + 1) % 2**32)
    a, b = first.randn(4, *row), first.randn(4, *row)
    assert torch.equal(a, again.randn(4, *row))
    assert torch.equal(b, again.randn(4, *row))
    assert not torch.equal(a, b)
    assert not torch.equal(a, other.randn(4, *row))


@pytest.mark.parametrize("per_sample", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_dtype_changes_no_number(dtype, per_sample):
    x = torch.empty(3, 2, 5, dtype=dtype)
    noise = Noise(1, per_sample).like(x)
    assert noise.dtype == dtype
    assert noise.shape == x.shape
    assert torch.equal(noise, Noise(1, per_sample).randn(3, 2, 5).to(dtype))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("per_sample", [True, False])
def test_a_gpu_sees_the_same_noise(per_sample):
    x = torch.empty(3, 4)
    assert torch.equal(Noise(2, per_sample).like(x.cuda()).cpu(), Noise(2, per_sample).like(x))


def test_rows_and_seeds_are_all_distinct():
    rows = torch.cat([Noise(seed).randn(64, 4) for seed in range(64)])
    assert len(torch.unique(rows, dim=0)) == 64 * 64


@pytest.mark.parametrize("per_sample", [True, False])
def test_moments_and_independence_of_rows(per_sample):
    rows, columns = 200, 2000
    x = Noise(3, per_sample).randn(rows, columns, dtype=torch.float64)
    n = x.numel()
    # Five standard errors of the mean of x, x^2, x^3 and x^4, whose variances are 1, 2, 15 and 96.
    for power, (expected, variance) in enumerate([(0, 1), (1, 2), (0, 15), (3, 96)], 1):
        assert abs(x.pow(power).mean() - expected) < 5 * (variance / n) ** 0.5
    correlation = torch.corrcoef(x).fill_diagonal_(0)
    assert correlation.abs().max() < 6 / columns**0.5
    neighbours = (x[:, 1:] * x[:, :-1]).mean()
    assert abs(neighbours) < 5 / n**0.5


@settings(max_examples=200, deadline=None)
@given(SEEDS)
def test_mix_loses_nothing(n):
    """Undo it step by step: a bijection gives every sample of a seed its own stream."""
    m = mix(n)
    m ^= m >> 16
    m = m * pow(0xC2B2AE35, -1, 2**32) % 2**32
    m ^= (m >> 13) ^ (m >> 26)
    m = m * pow(0x85EBCA6B, -1, 2**32) % 2**32
    assert m ^ (m >> 16) == n


@pytest.mark.parametrize("per_sample", [True, False])
def test_the_global_generator_is_left_alone(per_sample):
    torch.manual_seed(5)
    expected = torch.randn(3)
    torch.manual_seed(5)
    Noise(0, per_sample).randn(4, 4)
    assert torch.equal(torch.randn(3), expected)


def test_an_empty_batch_is_no_error():
    assert Noise(0).randn(0, 3).shape == (0, 3)


@pytest.mark.parametrize("seed", [-1, 1.5, "0", None, True])
def test_bad_seed(seed):
    with pytest.raises(CourseError, match=r"^seed: got .*want an integer >= 0$"):
        Noise(seed)


def test_a_numpy_integer_is_an_integer():
    assert torch.equal(Noise(np.int64(7)).randn(2), Noise(7).randn(2))


def test_no_shape():
    with pytest.raises(CourseError, match=r"^shape: got \(\)"):
        Noise(0).randn()


# ---- between two noises

SHARES = st.floats(0, 1)


# ---- what a training step draws


@given(seed=st.integers(0, 2**40), pieces=st.lists(st.integers(0, 30), max_size=6))
@settings(deadline=None)
def test_draws_come_in_any_order_and_in_any_pieces(seed, pieces):
    one, other, n = Draws(seed), Draws(seed), sum(pieces)
    whole = one.rand(n), one.randn(n), one.randint(1, 1001, n)
    parts = [(other.randint(1, 1001, (k,)), other.randn((k, 1)), other.rand(k)) for k in pieces]
    for kind, expected in zip(((2, 0), (1, 1), (0, 2)), whole[::-1], strict=True):
        found = [part[kind[1]].flatten() for part in parts]
        assert torch.equal(torch.cat([expected[:0], *found]), expected)


def test_draws_have_their_laws_and_differ_between_seeds():
    times, normal, chances = (Draws(3).randint(1, 6, 50_000), Draws(3).randn(50_000), Draws(3).rand(50_000))
    assert set(times.tolist()) == {1, 2, 3, 4, 5}
    assert (times.bincount()[1:] / 50_000 - 0.2).abs().max() < 0.01
    for got, mean, variance in ((normal, 0, 1), (chances, 0.5, 1 / 12)):
        assert abs(got.mean() - mean) < 0.02
        assert abs(got.var() - variance) < 0.02
    assert (normal < 1).double().mean().item() == pytest.approx(0.8413, abs=0.01)
    assert abs(torch.corrcoef(torch.stack([normal, chances]))[0, 1]) < 0.02  # no kind tells of another
    assert not torch.equal(Draws(3).randn(4), Draws(4).randn(4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_draws_come_in_the_dtype_that_was_asked_for(dtype):
    draws = Draws(1, dtype=dtype)
    assert (draws.randn(2, 3).dtype, draws.rand(()).dtype, draws.rand(()).shape) == (dtype, dtype, ())
    assert draws.randint(0, 2, [2, 3]).dtype == torch.int64
    assert torch.equal(Draws(1).randn(torch.Size([2, 3])).to(dtype), Draws(1, dtype=dtype).randn(2, 3))


def test_a_shape_is_numbers_or_one_sequence_of_them():
    for make in (lambda: Noise(3), lambda: Draws(3)):
        close(make().randn((2, 3)), make().randn(2, 3), 0)
        close(make().randn([2, 3]), make().randn(2, 3), 0)
        assert make().like(torch.ones(2, 3, dtype=torch.float64)).dtype == torch.float64
        for bad in ((2, -1), (2.5,), ("2",), ((2, None),)):
            with pytest.raises(CourseError, match=r"^shape: got .*want an integer >= 0$"):
                make().randn(*bad)


def test_draws_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    Draws(5).randn(3), Draws(5).rand(3), Draws(5).randint(0, 9, 3)
    assert torch.equal(before, torch.get_rng_state())
    with pytest.raises(CourseError, match="seed"):
        Draws(-1)


def latents(seed, n=3, dtype=torch.float64):
    noise = Noise(seed)
    return noise.randn(n, 2, 5, dtype=dtype), noise.randn(n, 2, 5, dtype=dtype)


@settings(max_examples=50, deadline=None)
@given(SEEDS, SHARES)
def test_slerp_divides_the_angle_and_keeps_the_norm(seed, s):
    a, b = latents(seed)
    unit = [x / x.flatten(1).norm(dim=1)[:, None, None] for x in (a, b)]
    between = slerp(*unit, s)
    assert torch.allclose(between.flatten(1).norm(dim=1), torch.ones(3, dtype=torch.float64), atol=1e-9)

    def angle(x, y):
        return (x * y).flatten(1).sum(1).clamp(-1, 1).arccos()

    assert torch.allclose(angle(unit[0], between), s * angle(*unit), atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(SEEDS, SHARES)
def test_slerp_is_symmetric_homogeneous_and_per_sample(seed, s):
    a, b = latents(seed)
    between = slerp(a, b, s)
    assert torch.allclose(between, slerp(b, a, 1 - s), atol=1e-9)
    assert torch.allclose(slerp(3 * a, 3 * b, s), 3 * between, atol=1e-9)
    assert torch.equal(slerp(a[1:2], b[1:2], s), between[1:2])
    assert torch.allclose(slerp(a, b, 0.0), a, atol=1e-9)
    assert torch.allclose(slerp(a, b, 1.0), b, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(SEEDS, SHARES, st.floats(-9, 2))
def test_slerp_of_nearly_parallel_latents_is_linear(seed, s, exponent):
    a, b = latents(seed)
    size = 10**exponent
    between = slerp(a, a + size * 1e-4 * b, s)
    assert torch.allclose(between, a + s * size * 1e-4 * b, atol=1e-4 * size**2 + 1e-12)
    assert torch.equal(slerp(a, a, s).isfinite(), torch.ones_like(a, dtype=torch.bool))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_slerp_keeps_the_dtype(dtype):
    assert slerp(*latents(0, dtype=dtype), 0.3).dtype == dtype


def test_slerp_between_independent_noises_is_noise_in_law():
    noise = Noise(0, per_sample=False)
    between = slerp(noise.randn(200, 1000), noise.randn(200, 1000), 0.5)
    assert between.var().item() == pytest.approx(1, abs=0.02)
    assert (between.abs() > 1.96).float().mean().item() == pytest.approx(0.05, abs=0.003)


def test_slerp_says_what_is_wrong():
    a, b = latents(0)
    with pytest.raises(CourseError, match=r"b: got shape \(2, 2, 5\), want \(3, 2, 5\)"):
        slerp(a, b[:2], 0.5)
    for s in (-0.1, 1.1, float("nan")):
        with pytest.raises(CourseError, match="s: got"):
            slerp(a, b, s)
