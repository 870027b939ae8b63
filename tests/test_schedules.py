"""Schedules and grids: the tables against plain products, and properties for every T."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import alpha_bars, cosine_alpha_bar

from diffusion_course import CourseError, NoiseSchedule, schedules

NAMES = sorted(schedules.BETAS)
STEPS = st.one_of(st.integers(1, 40), st.integers(1, 4000))
BETAS = st.lists(st.floats(1e-6, 0.5), min_size=1, max_size=60)


def of(name, T):
    return NoiseSchedule.from_betas(schedules.by_name(name, T))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(NAMES), STEPS)
def test_every_schedule_at_every_length(name, T):
    s = of(name, T)
    tables = ("betas", "alphas", "alpha_bar", "alpha_bar_prev", "sigmas", "snr", "posterior_variance")
    for table in tables:
        assert getattr(s, table).shape == (T,)
        assert getattr(s, table).dtype == torch.float64
    assert s.T == T
    assert ((s.betas > 0) & (s.betas < 1)).all()
    assert ((s.alpha_bar > 0) & (s.alpha_bar < 1)).all()
    assert (s.alpha_bar.diff() < 0).all()
    assert (s.sigmas.diff() > 0).all()
    assert (s.snr.diff() < 0).all()
    assert (s.posterior_variance >= 0).all()
    assert (s.posterior_variance <= s.betas * (1 + 1e-15)).all()


@settings(max_examples=50, deadline=None)
@given(BETAS)
def test_tables_are_the_textbook_products(betas):
    s = NoiseSchedule.from_betas(torch.tensor(betas, dtype=torch.float64))
    bars = np.array(alpha_bars(betas))
    after, before, beta = bars[1:], bars[:-1], np.array(betas)
    close = {"rtol": 1e-12, "atol": 0.0}
    np.testing.assert_allclose(s.alphas, 1 - beta, **close)
    np.testing.assert_allclose(s.alpha_bar, after, **close)
    np.testing.assert_allclose(s.alpha_bar_prev, before, **close)
    close = {"rtol": 1e-9, "atol": 0.0}  # the plain 1 - alpha_bar of the oracle has lost digits
    np.testing.assert_allclose(s.one_minus_alpha_bar, 1 - after, **close)
    np.testing.assert_allclose(s.sigmas, np.sqrt((1 - after) / after), **close)
    np.testing.assert_allclose(s.snr, after / (1 - after), **close)
    np.testing.assert_allclose(
        s.posterior_variance, beta * (1 - before) / (1 - after), rtol=1e-9, atol=1e-300
    )
    assert s.posterior_variance[0] == 0


def test_small_betas_lose_no_digits():
    """1 - alpha_bar_T of a thousand betas of 1e-12 is 1e-9 (1 - 5e-10), which 1 - prod cannot resolve."""
    s = NoiseSchedule.from_betas(torch.full((1000,), 1e-12, dtype=torch.float64))
    assert math.isclose(s.one_minus_alpha_bar[-1], 1e-9 * (1 - 999 / 2 * 1e-12), rel_tol=1e-13)


@pytest.mark.parametrize("T", [1, 2, 10, 1000])
def test_cosine_follows_its_formula_until_the_clip(T):
    s = of("cosine", T)
    for t in range(1, T + 1):
        unclipped = cosine_alpha_bar(t, T)
        if 1 - unclipped / cosine_alpha_bar(t - 1, T) < 0.999:
            assert math.isclose(s.alpha_bar[t - 1], unclipped, rel_tol=1e-9)
        else:
            assert s.betas[t - 1] == 0.999
    assert s.betas.max() <= 0.999


@pytest.mark.parametrize("name", ["linear", "quadratic", "sigmoid"])
def test_ends_and_middle_of_the_ramps(name):
    betas = schedules.by_name(name, 1001)
    a, b = 1e-4, 0.02
    middle = {"linear": (a + b) / 2, "quadratic": ((a**0.5 + b**0.5) / 2) ** 2, "sigmoid": (a + b) / 2}[name]
    ends = (a, b) if name != "sigmoid" else [a + (b - a) / (1 + math.exp(z)) for z in (6, -6)]
    np.testing.assert_allclose(betas[[0, 500, 1000]], [ends[0], middle, ends[1]], rtol=1e-12)
    assert (betas.diff() > 0).all()


def test_linear_agrees_with_the_published_end():
    """Ho et al. 2020, section 4: with T = 1000 the last state keeps almost nothing, L_T is about 1e-5 bits/dim."""
    assert 3.9e-5 < of("linear", 1000).alpha_bar[-1] < 4.1e-5


# ---- t <-> sigma


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMES), STEPS)
def test_t_of_sigma_of_t_is_t_exactly(name, T):
    s, t = of(name, T), torch.arange(1, T + 1)
    assert torch.equal(s.t(s.sigma(t)), t.double())
    assert torch.equal(s.t(s.sigma(t.flip(0))), t.flip(0).double())
    middle = (T + 1) // 2
    assert s.t(s.sigma(middle)).item() == middle
    assert s.t(s.sigma(middle).item()).item() == middle


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMES), st.integers(2, 2000), st.floats(0, 1))
def test_between_nodes_t_is_log_linear(name, T, share):
    s = of(name, T)
    left = 1 + int(share * (T - 2))
    low, high = s.sigma(left).log(), s.sigma(left + 1).log()
    assert math.isclose(s.t((low + share * (high - low)).exp()), left + share, abs_tol=1e-9 / (high - low))


@pytest.mark.parametrize("T", [1, 2, 1000])
def test_beyond_the_ends_t_is_clamped_and_shapes_are_kept(T):
    s = of("linear", T)
    ends = s.t(torch.tensor([[1e-30, 1e30], [float(s.sigmas[0]) / 2, float(s.sigmas[-1]) * 2]]))
    assert ends.tolist() == [[1, T], [1, T]]
    assert s.t(1.0).shape == ()
    assert s.sigma(1).shape == ()
    assert s.sigma(torch.tensor([[1, 1]])).shape == (1, 2)


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, torch.tensor([1.0, 0.0])])
def test_sigma_must_be_positive(sigma):
    with pytest.raises(CourseError, match=r"^sigma: got .*want numbers > 0$"):
        of("linear", 10).t(sigma)


# ---- grids


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 300), st.floats(1e-4, 1.0), st.floats(1.01, 1e5), st.floats(0.5, 20))
def test_karras_and_loglinear_grids(n, low, ratio, rho):
    high = low * ratio
    for grid in (schedules.karras(n, low, high, rho), schedules.loglinear(n, low, high)):
        assert grid.shape == (n + 1,)
        assert grid.dtype == torch.float64
        assert (grid.diff() < 0).all()
        assert math.isclose(grid[0], high, rel_tol=1e-12)
        if n > 1:
            assert math.isclose(grid[-2], low, rel_tol=1e-9)
        assert grid[-1] == 0


def test_karras_is_the_formula():
    n, low, high, rho = 18, 0.002, 80.0, 7.0
    grid = schedules.karras(n)
    for i in range(n):
        root = high ** (1 / rho) + i / (n - 1) * (low ** (1 / rho) - high ** (1 / rho))
        assert math.isclose(grid[i], root**rho, rel_tol=1e-12)


def test_loglinear_has_one_ratio():
    logs = schedules.loglinear(20, 0.01, 50.0)[:-1].log()
    np.testing.assert_allclose(logs.diff(), math.log(0.01 / 50) / 19, rtol=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 2000), st.floats(0, 1))
def test_uniform_timesteps(T, share):
    n = 1 + int(share * (T - 1))
    t = schedules.uniform_timesteps(T, n)
    assert t.shape == (n,)
    assert t[0] == T
    assert n == 1 or t[-1] == 1
    assert (t.diff() < 0).all()
    gap = (T - 1) / max(n - 1, 1)
    assert ((t.diff() + gap).abs() <= 1).all()


@pytest.mark.parametrize(("T", "n"), [(1000, 7), (1000, 10), (1000, 333), (4000, 50), (11, 5)])
def test_halves_round_as_in_counting_from_zero(T, n):
    expected = [1 + round(i * (T - 1) / (n - 1)) for i in reversed(range(n))]
    assert schedules.uniform_timesteps(T, n).tolist() == expected


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["trailing", "leading", "quadratic"]), st.integers(1, 2000), st.floats(0, 1))
def test_every_sub_sequence_falls_within_1_to_T(name, T, share):
    n = 1 + int(share * (T - 1))
    t = getattr(schedules, f"{name}_timesteps")(T, n)
    assert t.shape == (n,)
    assert t.dtype == torch.int64
    assert t[-1] >= 1
    assert t[0] <= T
    assert (t.diff() < 0).all()
    if name != "leading":
        assert t[0] == T
    if name != "trailing" and n > 1:
        assert t[-1] == 1


@pytest.mark.parametrize(("T", "n"), [(1000, 10), (1000, 50), (1000, 30), (999, 7), (20, 20)])
def test_trailing_and_leading_are_the_usual_formulas(T, n):
    assert schedules.trailing_timesteps(T, n).tolist() == np.round(np.arange(T, 0, -T / n)).tolist()
    assert schedules.leading_timesteps(T, n).tolist() == [1 + i * (T // n) for i in reversed(range(n))]


@pytest.mark.parametrize("n", [537, 888, 906, 950])
def test_quadratic_timesteps_are_rounded_from_float64(n):
    wanted = [1 + round(999 * (i / (n - 1)) ** 2) for i in range(n)]  # before neighbours are moved apart
    moved = []
    for rank, t in enumerate(wanted):
        moved.append(max(t, moved[-1] + 1 if rank else t))
    assert schedules.quadratic_timesteps(1000, n).flip(0).tolist() == moved


def test_quadratic_timesteps_are_squares_moved_apart():
    t = schedules.quadratic_timesteps(1000, 10)
    assert t.tolist() == [1 + round((i / 9) ** 2 * 999) for i in reversed(range(10))]
    assert schedules.quadratic_timesteps(1000, 200)[-4:].tolist() == [4, 3, 2, 1]
    assert schedules.quadratic_timesteps(7, 7).tolist() == [7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("make", ["uniform", "trailing", "leading", "quadratic"])
@pytest.mark.parametrize("n", [0, 11, 2.0])
def test_bad_sub_sequences(make, n):
    with pytest.raises(CourseError, match=r"^n: got .*, want an integer in 1\.\.10$"):
        getattr(schedules, f"{make}_timesteps")(10, n)


@settings(max_examples=80, deadline=None)
@given(BETAS, st.data())
def test_a_strided_schedule_is_the_shorter_chain(betas, data):
    s = NoiseSchedule.from_betas(torch.tensor(betas, dtype=torch.float64))
    taken = sorted(data.draw(st.sets(st.integers(1, s.T), min_size=1)))
    short, bars = s.strided(torch.tensor(taken[::-1])), alpha_bars(betas)
    before = [0, *taken[:-1]]
    expected = [1 - bars[t] / bars[u] for t, u in zip(taken, before, strict=True)]
    np.testing.assert_allclose(short.betas, expected, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(short.sigmas, s.sigma(torch.tensor(taken)), rtol=1e-9)
    np.testing.assert_allclose(s.strided(torch.arange(s.T, 0, -1)).betas, s.betas, rtol=1e-9)
    assert torch.allclose(short.grid(), s.grid(torch.tensor(taken[::-1])), rtol=1e-9)


def test_strides_whose_beta_rounds_to_one():
    """16 betas near 0.999 in one step leave 1e-48 of the signal."""
    s = NoiseSchedule.from_betas(torch.full((16,), 0.999))
    assert 0 < s.strided([16]).alpha_bar[0] < 1e-15


@pytest.mark.parametrize("timesteps", [[1, 2], [5, 5]])
def test_strided_wants_falling_timesteps(timesteps):
    with pytest.raises(CourseError, match=r"^timesteps: want strictly decreasing"):
        of("linear", 10).strided(torch.tensor(timesteps))


def test_the_schedules_own_grid():
    s = of("linear", 100)
    assert torch.equal(s.grid(), torch.cat([s.sigmas.flip(0), torch.zeros(1, dtype=torch.float64)]))
    t = schedules.uniform_timesteps(100, 7)
    assert torch.equal(s.grid(t)[:-1], s.sigma(t))
    assert s.grid(t)[-1] == 0
    assert torch.equal(s.grid([100, 3]), s.grid(torch.tensor([100, 3])))


# ---- bad input: the messages' form is tested in test_errors.py


@pytest.mark.parametrize("bad", [0.0, 1.0, -0.1, 1.5, math.nan, math.inf])
@pytest.mark.parametrize("at", [0, 4])
def test_betas_outside_the_interval_are_named(bad, at):
    betas = torch.full((5,), 0.1)
    betas[at] = bad
    with pytest.raises(CourseError, match=rf"^betas: beta_{at + 1} = {bad:g} is not inside \(0, 1\)$"):
        NoiseSchedule.from_betas(betas)


@pytest.mark.parametrize("shape", [(0,), (), (2, 2)])
def test_betas_of_another_shape(shape):
    with pytest.raises(CourseError, match=r"^betas: got shape"):
        NoiseSchedule.from_betas(torch.full(shape, 0.1))


@pytest.mark.parametrize("t", [0, -1, 11, torch.tensor([1, 11]), torch.tensor([[0]])])
def test_t_outside(t):
    with pytest.raises(CourseError, match=r"^t: got (0|-1|11), want integers in 1\.\.10"):
        of("linear", 10).sigma(t)


@pytest.mark.parametrize("t", [1.0, True, torch.tensor([1.0])])
def test_t_that_is_no_integer(t):
    with pytest.raises(CourseError, match=r"^t: got dtype torch\.(float|bool)"):
        of("linear", 10).sigma(t)


@pytest.mark.parametrize("timesteps", [[1, 2], [5, 5], [9, 3, 4]])
def test_timesteps_that_rise(timesteps):
    with pytest.raises(CourseError, match=rf"^timesteps: .*got {timesteps[-1]} after {timesteps[-2]}$"):
        of("linear", 10).grid(torch.tensor(timesteps))


def test_by_name_suggests_the_nearest():
    with pytest.raises(CourseError, match=r"^unknown schedule 'cosin': did you mean 'cosine'\? known: "):
        schedules.by_name("cosin", 10)


@pytest.mark.parametrize("T", [0, -3, 2.0, "10", None, True])
@pytest.mark.parametrize("name", NAMES)
def test_bad_number_of_steps(name, T):
    with pytest.raises(CourseError, match=r"^T: got .*want an integer >= 1$"):
        schedules.by_name(name, T)


def test_a_numpy_integer_is_an_integer():
    assert torch.equal(schedules.linear(np.int64(10)), schedules.linear(10))
