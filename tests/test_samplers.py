"""Samplers: the textbook loops, exact solutions, orders of convergence, and the loop that runs any step."""

import itertools
import math
from contextlib import suppress
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import (
    ancestral_sampling,
    ddim_sampling,
    ddpm_moments_on_gaussian_data,
    dpmpp_2m_sampling,
    edm_sampling,
    eps_of_gaussian_data,
)
from shared import F64, close, draws

from diffusion_course import (
    CourseError,
    Noise,
    NoiseSchedule,
    gaussian,
    sample,
    samplers,
    schedules,
    trajectory,
)
from diffusion_course.denoisers import DatasetDenoiser, GaussianMixture, as_eps, from_eps, split_variance

STEPS = {
    "euler": samplers.euler,
    "ddpm": samplers.ddpm,
    "ddpm_large": samplers.ddpm_large,
    "ddim(0)": samplers.ddim(),
    "ddim(0.5)": samplers.ddim(0.5),
    "ddim(1)": samplers.ddim(1.0),
    "heun": samplers.heun,
    "edm": samplers.edm(num_steps=6),
    "edm(churn)": samplers.edm(20.0, 0.05, 50.0, 1.003, num_steps=6),
    "dpmpp_2m": samplers.dpmpp_2m(),
    "ddpm_learned": samplers.ddpm_learned(lambda x, sigma: x.sin()),
}
# The steps that draw nothing solve the ODE, each with this order.
ORDERS = {"euler": 1, "ddim(0)": 1, "heun": 2, "dpmpp_2m": 2}
REMEMBERS = [name for name, step in STEPS.items() if isinstance(step, samplers.DPMpp2M)]
MIXTURE = GaussianMixture(
    Noise(7).randn(3, 2, dtype=F64), torch.tensor([0.1, 0.5, 0.3]), torch.tensor([1.0, 2.0, 1.0])
)


class Recorded:
    """Noise that was drawn before: anything with `.like` will do."""

    def __init__(self, noises):
        self.noises = iter(noises)

    def like(self, x):
        return next(self.noises)


# ---- identities and textbook loops


def test_learned_variance_lies_between_the_two_fixed_ones():
    sigma, lower, x = torch.tensor(3.0, dtype=F64), torch.tensor(1.7, dtype=F64), draws(4, 2)
    at = {
        v: samplers.learned_variance(lambda x, s, v=v: torch.full_like(x, v))(x, sigma, lower)
        for v in (-1, 0, 1)
    }
    close(at[-1], samplers.posterior_variance(x, sigma, lower).expand(4, 2))
    close(at[1], samplers.forward_variance(x, sigma, lower).expand(4, 2))
    close(at[0] ** 2, at[-1] * at[1])  # halfway in the logarithm
    assert (samplers.learned_variance(lambda x, s: x)(x, sigma, 0 * lower) == 0).all()


def test_the_ends_of_the_learned_range_are_ddpm_and_ddpm_large():
    grid = NoiseSchedule.from_betas(schedules.linear(50)).grid()
    for v, step in ((-1.0, samplers.ddpm), (1.0, samplers.ddpm_large)):
        learned = samplers.ddpm_learned(lambda x, s, v=v: torch.full_like(x, v))
        close(*(sample(MIXTURE, grid[0] * draws(5, 2), grid, f, Noise(1)) for f in (learned, step)))


def test_split_variance_runs_the_network_once_a_step():
    s, calls = NoiseSchedule.from_betas(schedules.linear(20)), []

    def model(x_t, t):
        calls.append(int(t[0]))
        return torch.cat([0.1 * x_t, x_t.sin()], 1)

    D, v = split_variance(model, s)
    x, sigma = draws(3, 2), s.sigma(7)
    alone = v(x, sigma)  # also without a call of the denoiser before
    close(alone, gaussian.to_vp(x, sigma).sin())
    assert calls == [7]
    x.mul_(2)  # in place: the same tensor is another x
    close(v(x, sigma), gaussian.to_vp(x, sigma).sin())
    assert calls == [7, 7]
    calls.clear()
    sample(D, s.sigma(20) * x, s.grid(), samplers.ddpm_learned(v), Noise(0))
    assert calls == list(range(20, 0, -1))


def test_inversion_undoes_ddim_on_a_fine_grid_with_first_order_error():
    start, gaps = 20.0 * draws(6, 2), []
    for n in (200, 400):
        grid = schedules.loglinear(n, 0.01, 20.0)
        data = trajectory(MIXTURE, start, grid, samplers.ddim()).x[
            -2
        ]  # the state at grid[-2], the smallest sigma
        back = samplers.ddim_invert(MIXTURE, data, grid[:-1].flip(0))
        gaps.append(((back - start).norm() / start.norm()).item())
    assert gaps[1] < 0.05
    assert 1.6 < gaps[0] / gaps[1] < 2.6


def test_inversion_is_the_textbook_recursion_upwards():
    """x_t = sqrt(bar_t) x0_hat + sqrt(1 - bar_t) eps(x_s, s), from x_1 = the clean image, in x_t coordinates."""
    s = NoiseSchedule.from_betas(schedules.cosine(30))
    eps, clean = as_eps(MIXTURE, s), draws(4, 2)
    x, times = clean, [1, 4, 5, 11, 30]
    for low, high in itertools.pairwise(times):
        noise = eps(x, torch.full((4,), low))
        x0 = (x - (1 - s.alpha_bar[low - 1]).sqrt() * noise) / s.alpha_bar[low - 1].sqrt()
        x = s.alpha_bar[high - 1].sqrt() * x0 + (1 - s.alpha_bar[high - 1]).sqrt() * noise
    sigmas = s.sigma(torch.tensor(times))
    found = samplers.ddim_invert(MIXTURE, gaussian.to_ve(clean, sigmas[0]), sigmas)
    close(gaussian.to_vp(found, sigmas[-1]), x, 1e-9)


@pytest.mark.parametrize("sigmas", [[0.0, 1.0], [1.0, 0.5], [1.0], [1.0, 1.0], [[1.0, 2.0]], [-1.0, 1.0]])
def test_inversion_wants_a_rising_grid(sigmas):
    with pytest.raises(CourseError, match=r"^sigmas: want two or more strictly increasing numbers > 0"):
        samplers.ddim_invert(MIXTURE, draws(3, 2), torch.tensor(sigmas))


def test_inversion_stops_at_nan():
    with pytest.raises(CourseError, match=r"^inversion: NaN or infinity after step 1 of 2, sigma 1 -> 2;"):
        samplers.ddim_invert(lambda x, s: x / 0, draws(3, 2), torch.tensor([1.0, 2.0, 3.0]))


@pytest.mark.parametrize(
    "grid", [schedules.karras(30), NoiseSchedule.from_betas(schedules.linear(50)).grid()]
)
def test_ddim_is_euler_at_eta_0_and_ddpm_at_eta_1(grid):
    x = grid[0] * draws(5, 2)
    euler, still = (trajectory(MIXTURE, x, grid, step).x for step in (samplers.euler, samplers.ddim()))
    close(still, euler)
    ddpm, one = (
        trajectory(MIXTURE, x, grid, step, Noise(1)).x for step in (samplers.ddpm, samplers.ddim(1.0))
    )
    close(one, ddpm)


@pytest.mark.parametrize("name", schedules.BETAS)
@pytest.mark.parametrize("stride", [1, 7])
@pytest.mark.parametrize(
    ("step", "textbook"),
    [
        (samplers.ddpm, lambda *a: ancestral_sampling(*a, variance="small")),
        (samplers.ddpm_large, lambda *a: ancestral_sampling(*a, variance="large")),
        (samplers.ddim(), lambda *a: ddim_sampling(*a, eta=0.0)),
        (samplers.ddim(0.4), lambda *a: ddim_sampling(*a, eta=0.4)),
        (samplers.ddim(1.0), lambda *a: ddim_sampling(*a, eta=1.0)),
    ],
    ids=["ddpm", "ddpm_large", "ddim(0)", "ddim(0.4)", "ddim(1)"],
)
def test_the_textbook_loop_in_x_t_coordinates_gives_the_same_samples(name, stride, step, textbook):
    T, mean, std = 60, 0.8, 0.3
    betas = schedules.by_name(name, T)
    s, timesteps = NoiseSchedule.from_betas(betas), torch.arange(T, 0, -stride)
    x_T, noises = draws(4, 3), draws(len(timesteps), 4, 3, seed=1)
    eps = eps_of_gaussian_data(betas.tolist(), mean, std)
    expected = textbook(x_T.numpy(), timesteps.tolist(), betas.tolist(), eps, noises.numpy())

    D = from_eps(lambda x_t, t: torch.as_tensor(eps(x_t.numpy(), int(t[0]))), s)
    start = gaussian.to_ve(x_T, s.sigma(T))
    close(
        sample(D, start, s.grid(timesteps), step, Recorded(noises)),
        expected,
        1e-8 if name == "cosine" else 1e-10,
    )


# ---- exact solutions on Gaussian data


def euler_error(sigmas, mean=0.7, std=0.5):
    """Distance of Euler's last state from the exact one: (x - mean) / sqrt(std^2 + sigma^2) is constant on the ODE."""
    D = GaussianMixture(torch.full((1, 1), mean, dtype=F64), std)
    x = torch.tensor([[-2.0], [0.3], [4.0]], dtype=F64)
    exact = mean + (x - mean) * std / (std**2 + sigmas[0] ** 2).sqrt()
    return float((sample(D, x, sigmas) - exact).abs().max())


@pytest.mark.parametrize(
    "grid",
    [
        lambda n: torch.linspace(3, 0, n + 1, dtype=F64),
        lambda n: torch.linspace(3**0.5, 0, n + 1, dtype=F64) ** 2,
        lambda n: schedules.karras(n, 1e-5, 3.0),
    ],
    ids=["even in sigma", "even in its root", "karras"],
)
def test_eulers_error_halves_with_the_step(grid):
    errors = [euler_error(grid(n)) for n in (100, 200, 400, 800)]
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert all(0.9 < order < 1.1 for order in orders), orders


@pytest.mark.parametrize("n", [5, 40])
def test_ddpm_has_the_moments_of_its_recursion(n):
    mean, std, samples = 0.7, 0.5, 40_000
    sigmas, noise = schedules.karras(n, 0.01, 20.0), Noise(0, per_sample=False)
    D = GaussianMixture(torch.full((1, 1), mean, dtype=F64), std)
    start = sigmas[0] * noise.randn(samples, 1, dtype=F64)
    x = sample(D, start, sigmas, samplers.ddpm, noise)
    m, v = ddpm_moments_on_gaussian_data(sigmas.tolist(), mean, std, 0.0, float(sigmas[0]) ** 2)
    assert abs(x.mean() - m) < 4.5 * math.sqrt(v / samples)
    assert abs(x.var() - v) < 4.5 * v * math.sqrt(2 / samples)


def test_ddpm_converges_to_the_data_in_law():
    """Weak order 1: the error of the final variance halves with the step, and so it is small at 400 steps."""
    errors = []
    for n in (100, 200, 400):
        sigmas = schedules.karras(n, 1e-3, 50.0)
        m, v = ddpm_moments_on_gaussian_data(sigmas.tolist(), 0.7, 0.5, 0.7, 0.5**2 + 50.0**2)
        assert abs(m - 0.7) < 1e-12
        errors.append(abs(v - 0.25))
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert all(0.9 < order < 1.1 for order in orders), orders

    samples, noise = 20_000, Noise(3, per_sample=False)
    D = GaussianMixture(torch.full((1, 1), 0.7, dtype=F64), 0.5)
    start = 0.7 + math.sqrt(0.25 + 2500) * noise.randn(samples, 1, dtype=F64)
    x = sample(D, start, schedules.karras(400, 1e-3, 50.0), samplers.ddpm, noise)
    assert abs(x.mean() - 0.7) < 4.5 * 0.5 / math.sqrt(samples)
    assert abs(x.var() - 0.25) < 4.5 * 0.25 * math.sqrt(2 / samples) + errors[-1]


@pytest.mark.parametrize("name", STEPS)
def test_one_data_point_is_where_every_sampler_ends(name):
    point = draws(1, 2, 3, seed=4)
    x = sample(DatasetDenoiser(point), 80 * draws(5, 2, 3), schedules.karras(12), STEPS[name], Noise(1))
    close(x, point.expand(5, 2, 3), 1e-12)


@pytest.mark.parametrize("name", ["ddpm", "ddpm_large", "ddim(0.5)"])
def test_no_noise_on_the_last_step(name):
    """The last state is the denoiser's answer at the last sigma > 0."""
    path = trajectory(MIXTURE, 80 * draws(4, 2), schedules.karras(6), STEPS[name], Noise(1))
    close(path.x[-1], path.x0[-2])


# ---- properties of every step


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(STEPS)),
    st.integers(1, 3),
    st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple),
    st.sampled_from([torch.float32, F64]),
    st.integers(1, 4),
    st.booleans(),
)
def test_shape_and_dtype_are_kept(name, batch, event, dtype, n, per_sample):
    D = DatasetDenoiser(draws(3, *event).to(dtype))
    x = 80 * draws(batch, *event, seed=1).to(dtype)
    path = trajectory(D, x, schedules.karras(n), STEPS[name], Noise(2, per_sample))
    assert path.x.shape == path.x0.shape == (n + 1, batch, *event)
    assert path.x.dtype == path.x0.dtype == dtype
    assert torch.isfinite(path.x).all()


@pytest.mark.parametrize("name", STEPS)
def test_a_sample_does_not_depend_on_its_batch(name):
    grid = schedules.karras(8)
    alone, crowd = (
        sample(MIXTURE, grid[0] * Noise(0).randn(n, 2, dtype=F64), grid, STEPS[name], Noise(1))
        for n in (2, 9)
    )
    close(alone, crowd[:2], 1e-12)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", STEPS)
def test_a_gpu_makes_the_same_samples(name):
    grid, D = schedules.karras(8), DatasetDenoiser(draws(5, 2))
    cpu, gpu = (sample(D, (80 * draws(3, 2)).to(d), grid, STEPS[name], Noise(1)) for d in ("cpu", "cuda"))
    assert gpu.device.type == "cuda"
    close(gpu.cpu(), cpu)


# ---- the loop


def test_the_trajectory_holds_every_state():
    grid, x = schedules.karras(6), 80 * draws(3, 2)
    path = trajectory(MIXTURE, x, grid)
    assert torch.equal(path.sigma, grid)
    assert torch.equal(path.x[0], x)
    assert torch.equal(path.x[-1], sample(MIXTURE, x, grid))
    assert torch.equal(path.x0[-1], path.x[-1])
    for i in range(6):
        close(path.x0[i], MIXTURE(path.x[i], grid[i]))
        close(path.x[i + 1], samplers.euler(MIXTURE, path.x[i], grid[i], grid[i + 1]))
    assert path.nfe == 6


def heun(D, x, sigma, sigma_next, noise):
    """A step of one's own, with two evaluations but on the last one."""
    slope = (x - D(x, sigma)) / sigma
    guess = x + (sigma_next - sigma) * slope
    if sigma_next == 0:
        return guess
    return x + (sigma_next - sigma) * (slope + (guess - D(guess, sigma_next)) / sigma_next) / 2


def test_a_students_step_plugs_in_and_its_evaluations_are_counted():
    x, grid = 80 * draws(3, 2), schedules.karras(5)
    path = trajectory(MIXTURE, x, grid, heun)
    assert path.nfe == 9
    assert [s.nfe for s in samplers.states(MIXTURE, x, grid, heun)] == [0, 2, 4, 6, 8, 9]
    for i in range(5):  # x0 is the step's first evaluation, at the state itself
        close(path.x0[i], MIXTURE(path.x[i], grid[i]))


def test_states_come_one_at_a_time():
    calls = []

    def D(x, sigma):
        calls.append(float(sigma))
        return torch.zeros_like(x)

    grid = schedules.karras(5)
    states = samplers.states(D, draws(2, 2), grid)
    assert calls == []
    assert next(states).sigma == grid[0]
    next(states)
    assert calls == grid[:2].tolist()


def test_progress_wraps_the_steps():
    seen = []

    def progress(steps):
        for i in steps:
            seen.append(i)
            yield i

    sample(MIXTURE, 80 * draws(2, 2), schedules.karras(4), progress=progress)
    assert seen == [0, 1, 2, 3]


def test_sampling_builds_no_graph_and_gives_the_grad_mode_back():
    weight = torch.ones((), dtype=F64, requires_grad=True)
    for state in samplers.states(lambda x, s: weight * x / 2, draws(2, 2), schedules.karras(3)):
        assert not state.x.requires_grad
        assert not state.x0.requires_grad
        assert torch.is_grad_enabled()
    x = draws(2, 2)
    before = x.clone()
    sample(lambda x, s: weight * x / 2, x, schedules.karras(3), samplers.ddpm, Noise(0))
    assert torch.equal(x, before)


# ---- bad input


GRIDS = {
    r"^sigmas: got shape \(1,\), want \(N\+1,\)": [0.0],
    r"^sigmas: got shape \(2, 2\)": [[1.0, 0.0], [1.0, 0.0]],
    r"^sigmas: want strictly decreasing, got sigmas\[1\] = 1, sigmas\[2\] = 1": [2.0, 1.0, 1.0, 0.0],
    r"^sigmas: want strictly decreasing, got sigmas\[0\] = 0, sigmas\[1\] = 1": [0.0, 1.0],
    r"^sigmas: want strictly decreasing, got sigmas\[0\] = 2, sigmas\[1\] = nan": [2.0, math.nan, 0.0],
    r"^sigmas: want a grid that ends in 0, got 0.1; append a 0$": [2.0, 0.1],
}


@pytest.mark.parametrize("message", GRIDS)
def test_a_bad_grid(message):
    with pytest.raises(CourseError, match=message):
        sample(MIXTURE, draws(2, 2), torch.tensor(GRIDS[message]))


@pytest.mark.parametrize("name", ["ddpm", "ddpm_large", "ddim(0.5)", "ddim(1)"])
def test_a_step_that_draws_needs_noise(name):
    with pytest.raises(CourseError, match=r"^noise: got None, .*pass noise=Noise\(seed\)$"):
        sample(MIXTURE, draws(2, 2), schedules.karras(3), STEPS[name])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_not_a_number_is_traced_to_its_step(bad):
    def D(x, sigma):
        return torch.full_like(x, bad) if sigma < 1 else torch.zeros_like(x)

    with pytest.raises(CourseError, match=r"^sampling: NaN or infinity after step 3 of 3, sigma 0\.5 -> 0;"):
        sample(D, draws(2, 2), torch.tensor([4.0, 2.0, 0.5, 0.0]))
    with pytest.raises(CourseError, match=r"^x: holds NaN or infinity before the first step"):
        sample(D, torch.full((2, 2), bad), torch.tensor([4.0, 2.0, 0.5, 0.0]))


def test_numbers_with_a_sum_too_large_for_their_dtype_are_no_error():
    huge = torch.full((2, 4), torch.finfo(torch.float32).max / 2)
    assert torch.equal(samplers.sample(lambda x, sigma: x, huge, schedules.karras(5)), huge)


@pytest.mark.parametrize("name", STEPS)
def test_no_step_waits_for_the_device(monkeypatch, name):
    """A meta tensor has no numbers: whatever asks for one raises. The loop asks twice, before the first step and after the last."""
    monkeypatch.setattr(samplers, "check_state", lambda x: None)
    x = torch.empty(2, 3, device="meta")
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        x.sum().item()
    noise = SimpleNamespace(like=torch.empty_like)
    loop = samplers.states(lambda x, sigma: x / 2, x, schedules.karras(20), STEPS[name], noise)
    assert all(state.x.is_meta for state in itertools.islice(loop, 20))


@pytest.mark.parametrize(
    ("returned", "named"), [(None, "NoneType"), (torch.zeros(2, 1), r"\(2, 1\)"), (1.0, "float")]
)
def test_wrong_answers_are_named(returned, named):
    grid = schedules.karras(3)
    with pytest.raises(CourseError, match=rf"^step: returned {named}, want a tensor of x's shape \(2, 2\)$"):
        sample(MIXTURE, draws(2, 2), grid, lambda *args: returned)
    with pytest.raises(CourseError, match=rf"^D: returned {named}, want a tensor of x's shape \(2, 2\)$"):
        sample(lambda x, sigma: returned, draws(2, 2), grid)


@pytest.mark.parametrize("eta", [-0.1, 1.1, math.nan])
def test_eta_outside(eta):
    with pytest.raises(CourseError, match=r"^eta: got .*want a number in 0\.\.1$"):
        samplers.ddim(eta)


def test_ddim_without_its_call_is_named():
    with pytest.raises(
        CourseError, match=r"^step: got ddim\(eta\), want a function of \(D, x, .*: ddim\(\)$"
    ):
        samplers.sample(lambda x, sigma: x, torch.zeros(1, 2), torch.tensor([1.0, 0.0]), samplers.ddim)


# ---- second order, and churn


def test_edm_without_churn_is_heun():
    grid, start = schedules.karras(9), 80 * draws(4, 2)
    churned = trajectory(MIXTURE, start, grid, samplers.edm(num_steps=9), Noise(1))
    plain = trajectory(MIXTURE, start, grid, samplers.heun)
    close(churned.x, plain.x)
    assert churned.nfe == plain.nfe == 2 * 9 - 1


@pytest.mark.parametrize(
    "knobs", [(3.0, 0.0, math.inf, 1.0), (40.0, 0.05, 50.0, 1.003), (1000.0, 0.0, math.inf, 1.0)]
)
def test_edm_is_the_textbook_loop(knobs):
    n = 12
    grid, start = schedules.karras(n), 80 * draws(5, 2)
    noises = [draws(5, 2, seed=i) for i in range(n)]
    x = sample(MIXTURE, start, grid, samplers.edm(*knobs, num_steps=n), Recorded(noises))
    close(x, edm_sampling(MIXTURE, start, grid.tolist(), noises, *knobs))


def test_dpmpp_2m_is_the_textbook_loop_and_begins_anew_on_each_run():
    grid, step = schedules.karras(12), samplers.dpmpp_2m()
    for seed in (0, 1):
        start = 80 * draws(5, 2, seed=seed)
        close(sample(MIXTURE, start, grid, step), dpmpp_2m_sampling(MIXTURE, start, grid.tolist()))


def begun(step):
    """What a loop runs: a step with memory begins anew for each run."""
    return step.begin() if isinstance(step, samplers.DPMpp2M) else step


@pytest.mark.parametrize("name", REMEMBERS)
def test_interleaved_runs_may_share_a_step_that_remembers(name):
    grid, step = schedules.karras(12), STEPS[name]
    starts = [80 * draws(5, 2, seed=seed) for seed in (0, 1)]
    runs = [samplers.states(MIXTURE, start, grid, step) for start in starts]
    stops = list(zip(*runs, strict=True))  # one step of each in turn
    for start, last in zip(starts, stops[-1], strict=True):
        close(last.x, sample(MIXTURE, start, grid, step))


@pytest.mark.parametrize("name", REMEMBERS)
def test_a_step_that_remembers_never_mixes_two_runs_by_hand(name):
    grid, step, x = schedules.karras(5), STEPS[name].begin(), 80 * draws(5, 2)
    for _ in range(2):  # a run that ended at 0 is forgotten
        y = x
        for sigma, sigma_next in itertools.pairwise(grid):
            y = step(MIXTURE, y, sigma, sigma_next)
        close(y, sample(MIXTURE, x, grid, step))
    step(MIXTURE, x, grid[0], grid[1])
    with pytest.raises(
        CourseError, match=rf"^{name}: called at sigma 80 after a step to .*take step\.begin\(\)$"
    ):
        step(MIXTURE, x, grid[0], grid[1])
    first = STEPS[name].begin()(MIXTURE, x, grid[0], grid[1])
    close(step.begin()(MIXTURE, x, grid[0], grid[1]), first)


def order_of(step, D, n=32):
    """Slope of log2(error) at the end of three halvings, against a much finer run of Heun."""
    start = 3 * draws(16, 2)
    # sigma from 3 to 0.3: where every method is in its asymptotic range, and no last step of first order is in it.
    grids = {
        k: torch.linspace(math.log(3), math.log(0.3), k + 1, dtype=F64).exp()
        for k in (n, 2 * n, 4 * n, 64 * n)
    }
    ends = {}
    for k, grid in grids.items():
        x, one = start, samplers.heun if k == 64 * n else begun(step)
        for sigma, sigma_next in itertools.pairwise(grid):
            x = one(D, x, sigma, sigma_next, None)
        ends[k] = x
    errors = [float((ends[k] - ends[64 * n]).norm()) for k in (n, 2 * n, 4 * n)]
    return [math.log2(a / b) for a, b in itertools.pairwise(errors)]


def test_every_step_that_draws_nothing_has_its_order_tested():
    noiseless = set()
    for name, step in STEPS.items():
        with suppress(CourseError):  # noise: got None
            sample(MIXTURE, draws(1, 2), schedules.karras(3), step)
            noiseless.add(name)
    assert set(ORDERS) == noiseless


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize(
    "D", [GaussianMixture(torch.full((1, 2), 0.7, dtype=F64), 0.5), MIXTURE], ids=["Gaussian", "mixture"]
)
def test_orders_by_halving(name, D):
    measured = order_of(STEPS[name], D)
    assert all(abs(m - ORDERS[name]) < 0.15 for m in measured), measured


@pytest.mark.parametrize("knobs", [{"s_churn": -1.0}, {"s_min": -1.0}, {"s_noise": math.nan}])
def test_edm_knobs_outside(knobs):
    with pytest.raises(CourseError, match=rf"^{next(iter(knobs))}: got .*want a number >= 0$"):
        samplers.edm(**knobs, num_steps=4)
    with pytest.raises(CourseError, match=r"^num_steps: got 0"):
        samplers.edm(num_steps=0)


@pytest.mark.parametrize("s_max", [math.nan, 0.5])
def test_an_empty_range_of_churn_is_told(s_max):
    with pytest.raises(CourseError, match=r"^s_max: got .*want a number >= s_min = 1$"):
        samplers.edm(20.0, s_min=1.0, s_max=s_max)


def test_edm_counts_the_steps_of_its_grid_unless_it_is_told_another_number():
    for n in (5, 9):
        grid, start = schedules.karras(n), 80 * draws(4, 2)
        counts = {
            m: sample(MIXTURE, start, grid, samplers.edm(3.0, num_steps=m), Noise(1))
            for m in (None, n, 2 * n)
        }
        close(counts[None], counts[n], 0)
        assert not torch.allclose(counts[None], counts[2 * n])
    with pytest.raises(
        CourseError, match=r"^num_steps: edm\(\) knows it from a loop's grid; outside one pass"
    ):
        samplers.edm()(MIXTURE, start, grid[0], grid[1], Noise(0))


@pytest.mark.parametrize("name", [name for name in STEPS if name not in REMEMBERS])
def test_a_step_by_hand_takes_plain_numbers(name):
    x = 3 * draws(4, 2)
    for sigma, sigma_next in ((3.0, 1.0), (1.0, 0.0)):
        as_tensors = (torch.tensor(s, dtype=torch.float64) for s in (sigma, sigma_next))
        wanted = STEPS[name](MIXTURE, x, *as_tensors, Noise(0))
        close(STEPS[name](MIXTURE, x, sigma, sigma_next, Noise(0)), wanted, 1e-6)


def test_gradients_through_a_loop_of_two_lines():
    x = (3 * draws(4, 2)).requires_grad_()
    y = x
    for sigma, sigma_next in itertools.pairwise(schedules.karras(6, sigma_max=3.0)):
        y = samplers.heun(MIXTURE, y, sigma, sigma_next)
    y.sum().backward()
    assert x.grad.abs().sum() > 0
    assert not sample(MIXTURE, x, schedules.karras(6, sigma_max=3.0)).requires_grad
