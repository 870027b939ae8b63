"""SDEs: kernels against their moment equations, Fokker-Planck, exact solutions, and the exact density of a mixture."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
import shared
import torch
from shared import F64, close

from diffusion_course import CourseError, Noise, NoiseSchedule, schedules, sde
from diffusion_course.denoisers import GaussianMixture

draws = partial(shared.draws, per_sample=False)

SDES = {
    "vp": sde.vp(),
    "sub_vp": sde.sub_vp(),
    "ve": sde.ve(),
    "ve_reference": sde.ve(0.02, 20.0, exact=False),
}
# Its mean is 0, so that p_1 is close to the prior.
MIXTURE = GaussianMixture(
    torch.tensor([[-1.0, 0.5], [1.0, 0.3], [0.0, -0.8]], dtype=F64),
    torch.tensor([0.3, 0.5, 0.4], dtype=F64),
    torch.tensor([1.0, 1.0, 1.0], dtype=F64),
)
every_sde = pytest.mark.parametrize("process", SDES.values(), ids=SDES)


def log_marginal(process, t):
    """log p_t of the mixture, by a change of variables from VE coordinates."""
    t = torch.as_tensor(t, dtype=F64)
    scale, sigma = process.scale(t), process.std(t) / process.scale(t)
    return lambda x: MIXTURE.log_density(x / scale, sigma) - x[0].numel() * scale.log()


class Fixed:
    """The same noise at every draw."""

    def __init__(self, value):
        self.value = value

    def like(self, x):
        return torch.as_tensor(self.value, dtype=x.dtype).expand_as(x)


# ---- processes


@every_sde
def test_kernel_solves_the_moment_equations(process):
    # d mean / dt = f mean and d var / dt = 2 f var + g^2, by Runge-Kutta.
    def slope(t, state):
        f, g = process.f(t), process.g(t)
        return torch.stack([f * state[0], 2 * f * state[1] + g**2])

    grid = torch.linspace(0, 1, 301, dtype=F64)
    state = torch.stack([torch.ones((), dtype=F64), process.std(grid[0]) ** 2])
    for t, t_next in itertools.pairwise(grid):
        h = t_next - t
        k1 = slope(t, state)
        k2 = slope(t + h / 2, state + h / 2 * k1)
        k3 = slope(t + h / 2, state + h / 2 * k2)
        k4 = slope(t_next, state + h * k3)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        mean, std = process.kernel(torch.ones(1, 1, dtype=F64), t_next)
        close(torch.stack([mean.squeeze(), std**2]), state, 1e-8)


def test_constants_of_the_paper():
    vp, sub, ve = SDES["vp"], SDES["sub_vp"], SDES["ve"]
    t, x = torch.tensor(0.3, dtype=F64), draws(4, 2)
    beta, integral = 0.1 + 0.3 * 19.9, 0.3 * 0.1 + 0.09 * 19.9 / 2
    for process in (vp, sub):
        close(process.drift(x, 0.3), -beta / 2 * x)
        close(process.kernel(x, 0.3)[0], math.exp(-integral / 2) * x)
    close(vp.diffusion(x, 0.3) ** 2, beta)
    close(sub.diffusion(x, 0.3) ** 2, beta * (1 - math.exp(-2 * integral)))
    close(vp.kernel(x, 0.3)[1] ** 2, 1 - math.exp(-integral))
    close(sub.kernel(x, 0.3)[1], 1 - math.exp(-integral))
    sigma = 0.01 * 5000**0.3
    close(ve.drift(x, 0.3), 0 * x)
    close(ve.diffusion(x, 0.3) ** 2, 2 * sigma**2 * math.log(5000))
    close(ve.std(t), math.sqrt(sigma**2 - 0.01**2))
    close(sde.ve(exact=False).std(t), sigma)
    assert ve.std(torch.zeros((), dtype=F64)) == 0


def test_vp_is_the_limit_of_the_discrete_chain():
    errors = []
    for N in (500, 1000, 2000):
        chain = NoiseSchedule.from_betas(schedules.linear(N, 0.1 / N, 20 / N))
        t = torch.arange(1, N + 1, dtype=F64) / N
        errors.append(float((chain.alpha_bar - SDES["vp"].scale(t) ** 2).abs().max()))
    assert errors[-1] < 2e-3
    np.testing.assert_allclose(np.log2(np.array(errors[:-1]) / errors[1:]), 1, atol=0.1)


@every_sde
def test_kernel_with_a_time_per_row_and_float32(process):
    x, t = draws(3, 2, 2), torch.tensor([0.1, 0.5, 1.0], dtype=F64)
    mean, std = process.kernel(x, t)
    for i in range(3):
        one_mean, one_std = process.kernel(x[i : i + 1], float(t[i]))
        close(mean[i], one_mean[0])
        close(std[i].squeeze(), one_std)
    low = process.kernel(x.float(), t.float())
    assert low[0].dtype == low[1].dtype == torch.float32
    close(process.sigma(t), process.std(t) / process.scale(t))


# ---- scores


@every_sde
def test_score_is_the_gradient_of_the_exact_log_density(process):
    x = draws(5, 2).requires_grad_()
    score = sde.as_score(MIXTURE, process)
    for t in (0.01, 0.3, 1.0):
        (gradient,) = torch.autograd.grad(log_marginal(process, t)(x).sum(), x)
        close(score(x, t).detach(), gradient, 1e-8)
    t = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5], dtype=F64)
    close(score(x.detach(), t)[3], score(x.detach(), t[3])[3], 1e-8)


@every_sde
def test_fokker_planck_and_the_continuity_equation(process):
    # d/dt log p = -div u - u . s with u the velocity of the ODE (continuity), and, with the drift f x of the SDE,
    # d/dt log p = -div(f x) - f x . s + g^2 / 2 (div s + |s|^2) (Fokker-Planck). Both hold for the exact p_t.
    x = draws(6, 2).requires_grad_()
    score = sde.as_score(MIXTURE, process)
    for time in (0.05, 0.4, 0.9):
        t = torch.tensor(time, dtype=F64, requires_grad=True)
        s = score(x, t.detach())
        div_s = sde.exact_trace(s, x)
        rate = torch.stack([torch.autograd.grad(p, t, retain_graph=True)[0] for p in rows(process, x, t)])
        velocity = sde.ode_velocity(score, process, x, t.detach())
        flow = -sde.exact_trace(velocity, x) - (velocity * s).sum(1)
        drift, g = process.drift(x, time), process.diffusion(x, time)
        fokker_planck = -2 * process.f(t) - (drift * s).sum(1) + g**2 / 2 * (div_s + s.square().sum(1))
        close(flow.detach(), rate, 1e-7)
        close(fokker_planck.detach(), rate, 1e-7)
        # The reverse SDE's drift is the velocity of the ODE less g^2 / 2 times the score.
        reverse = sde.reverse_drift(score, process, x, t.detach())
        close((velocity - reverse).detach(), (g**2 / 2 * s).detach())


def rows(process, x, t):
    """log p_t(x) of each row, differentiable in t."""
    scale = process.scale(t)
    return MIXTURE.log_density(x.detach() / scale, process.std(t) / scale) - 2 * scale.log()


# ---- samplers


@every_sde
def test_ode_steps_have_their_order_on_a_gaussian(process):
    # For N(0, v I) the flow is x_t = x_1 sqrt(var_t / var_1).
    D = GaussianMixture(torch.zeros(1, 2, dtype=F64), 0.7)
    score, x = sde.as_score(D, process), draws(4, 2)

    def variance(t):
        t = torch.tensor(t, dtype=F64)
        return 0.49 * process.scale(t) ** 2 + process.std(t) ** 2

    exact = x * (variance(0.3) / variance(1.0)).sqrt()
    for step, order, n in ((sde.ode_euler, 1, 100), (sde.ode_rk4, 4, 40)):
        errors = [
            float((last - exact).abs().max())
            for k in (n, 2 * n)
            for last in [sde.sample(score, process, x, torch.linspace(1, 0.3, k + 1, dtype=F64), step)]
        ]
        assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.3)
    assert errors[1] < 1e-5


@every_sde
def test_euler_maruyama_has_weak_order_one(process):
    # On N(0, v) a step is x -> a x + b z; a and b are read off, and the variance follows exactly, without sampling.
    score = sde.as_score(GaussianMixture(torch.zeros(1, 1, dtype=F64), 0.7), process)
    state, noise = torch.tensor([[1.0], [0.0]], dtype=F64), torch.tensor([[0.0], [1.0]], dtype=F64)

    def variance(t):
        return 0.49 * process.scale(t) ** 2 + process.std(t) ** 2

    errors = []
    for n in (40, 80):
        grid = torch.linspace(1, 0.3, n + 1, dtype=F64)
        v = variance(grid[0])
        for t, t_next in itertools.pairwise(grid):
            a, b = sde.euler_maruyama(score, process, state, t, t_next, Fixed(noise))
            v = a**2 * v + b**2
        errors.append(abs(float(v / variance(grid[-1])) - 1))
    assert errors[1] < 0.05
    # The VE errors are small and still fall faster than the first order here.
    assert math.log2(errors[0] / errors[1]) > 0.95


@pytest.mark.parametrize(
    ("step", "n"),
    [
        (sde.euler_maruyama, 120),
        (sde.predictor_corrector(snr=0.1), 60),
        (sde.predictor_corrector(0.1, corrections=2, predictor=sde.ode_rk4), 20),
        (sde.ode_rk4, 25),
    ],
    ids=["euler_maruyama", "pc", "pc_ode", "ode_rk4"],
)
@every_sde
def test_samplers_reach_the_mixtures_moments(process, step, n):
    x = process.prior_std * draws(2000, 2, seed=1)
    noise = Noise(2, per_sample=False)
    x0 = sde.sample(sde.as_score(MIXTURE, process), process, x, sde.times(n), step, noise)
    means, weights = MIXTURE.means, MIXTURE.weights[:, None]
    second = (weights * (means**2 + MIXTURE.stds[:, None] ** 2)).sum(0)
    for got, want in ((x0, (weights * means).sum(0)), (x0**2, second)):
        error_bar = got.std(0) / math.sqrt(len(got))
        assert bool(((got.mean(0) - want).abs() < 4 * error_bar).all())


def test_corrector_leaves_the_law_and_follows_its_formula():
    process, t = SDES["vp"], torch.tensor(0.3, dtype=F64)
    score = sde.as_score(MIXTURE, process)
    x, z = draws(5, 2), draws(5, 2, seed=3)

    s = score(x, t)
    longer = z.flatten(1).norm(dim=1).mean() / s.flatten(1).norm(dim=1).mean()
    e = 2 * 0.9 * (0.16 * longer) ** 2
    close(sde.langevin(score, x, t, Fixed(z), 0.16, torch.tensor(0.9)), x + e * s + (2 * e).sqrt() * z, 1e-6)
    # Langevin dynamics forgets a wrong start: from N(0, 4) to p_t.
    noise, x = Noise(0, per_sample=False), 2 * draws(3000, 2)
    for _ in range(200):
        x = sde.langevin(score, x, t, noise, 0.15, torch.ones((), dtype=F64))
    scale = process.scale(t)
    means, weights = MIXTURE.means, MIXTURE.weights[:, None]
    variance = scale**2 * (weights * (means**2 + MIXTURE.stds[:, None] ** 2)).sum(0) + process.std(t) ** 2
    error_bar = (x**2).std(0) / math.sqrt(len(x))
    assert bool((((x**2).mean(0) - variance).abs() < 4 * error_bar).all())


def test_pc_with_no_corrections_is_the_predictor_and_the_last_step_adds_no_noise():
    process, x = SDES["vp"], draws(3, 2)
    score = sde.as_score(MIXTURE, process)
    plain = sde.sample(score, process, x, sde.times(10), sde.euler_maruyama, Noise(0))
    close(sde.sample(score, process, x, sde.times(10), sde.predictor_corrector(0.1, 0), Noise(0)), plain)
    t, zero = torch.tensor(1e-3, dtype=F64), torch.zeros((), dtype=F64)
    quiet, loud = (sde.euler_maruyama(score, process, x, t, zero, Fixed(v)) for v in (0.0, 5.0))
    close(quiet, loud)


def test_predictor_corrector_scales_its_step_by_the_chains_alpha():
    x, z, t, t_next = draws(3, 2), draws(3, 2, seed=1), *torch.tensor([0.5, 0.499], dtype=F64)
    for process, alpha in ((SDES["vp"], 1 - (0.1 + 0.4995 * 19.9) * 0.001), (SDES["ve"], 1.0)):
        score = sde.as_score(MIXTURE, process)
        corrected = sde.langevin(score, x, t, Fixed(z), 0.16, torch.tensor(alpha, dtype=F64))
        want = sde.euler_maruyama(score, process, corrected, t, t_next, Fixed(z))
        close(sde.predictor_corrector()(score, process, x, t, t_next, Fixed(z)), want, 1e-4)


@pytest.mark.parametrize("shape", [(1, 3), (2, 1, 4, 4)])
def test_any_event_shape_and_dtype(shape):
    process = SDES["ve"]
    score = sde.as_score(GaussianMixture(torch.zeros(1, *shape[1:]), 0.5), process)
    x = process.prior_std * Noise(0).randn(*shape)
    for step in (sde.euler_maruyama, sde.ode_rk4, sde.predictor_corrector()):
        states = list(sde.states(score, process, x, sde.times(5), step, Noise(1)))
        assert [s[0].shape for s in states] == [shape] * 6
        assert {s[0].dtype for s in states} == {torch.float32}
        assert [float(s[1]) for s in states] == sde.times(5).tolist()
    assert sde.log_likelihood(score, process, x, 10).shape == shape[:1]


# ---- likelihood


@every_sde
def test_log_likelihood_against_the_exact_density(process):
    x, _ = MIXTURE.sample(6, Noise(0))
    score = sde.as_score(MIXTURE, process)
    at_start = log_marginal(process, 1e-5)(x)
    errors = [
        float(
            (sde.log_likelihood(score, process, x, n, log_prior=log_marginal(process, 1.0)) - at_start)
            .abs()
            .max()
        )
        for n in (30, 60)
    ]
    assert errors[1] < 1e-4
    assert math.log2(errors[0] / errors[1]) > 3.5


def test_log_likelihood_of_the_data_with_the_prior():
    # The mixture's mean is 0, and VP's prior misses p_1 by alpha_bar(1) = 4e-5 only.
    x, _ = MIXTURE.sample(6, Noise(0))
    process = SDES["vp"]
    score = sde.as_score(MIXTURE, process)
    close(sde.log_likelihood(score, process, x, 60), MIXTURE.log_density(x), 3e-4)
    stronger = sde.vp(0.1, 40.0)
    close(sde.log_likelihood(sde.as_score(MIXTURE, stronger), stronger, x, 80), MIXTURE.log_density(x), 3e-5)


def test_prior_log_density_is_the_normal_law():
    x = draws(4, 2, 3)
    for process in SDES.values():
        normal = torch.distributions.Normal(0.0, process.prior_std)
        close(process.prior_log_density(x), normal.log_prob(x).sum((1, 2)), 1e-6)


def test_hutchinson_is_unbiased():
    process = SDES["vp"]
    score, (x, _) = sde.as_score(MIXTURE, process), MIXTURE.sample(3, Noise(0))
    exact = sde.log_likelihood(score, process, x, 10)
    # All four sign vectors of the plane, each once: the mean of their estimates is the trace itself.
    signs = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=2)), dtype=F64)
    probes = signs[:, None].expand(4, 3, 2)
    close(sde.log_likelihood(score, process, x, 10, sde.hutchinson(probes)), exact)
    # Random probes, on copies of the same points.
    many = x.repeat_interleave(1000, 0)
    noise = Noise(1, per_sample=False)
    for random in (sde.rademacher(many, noise), noise.like(many)[None]):
        got = sde.log_likelihood(score, process, many, 10, sde.hutchinson(random)).reshape(3, 1000)
        error_bar = got.std(1) / math.sqrt(1000)
        assert bool((error_bar > 0).all())
        assert bool(((got.mean(1) - exact).abs() < 4 * error_bar).all())


def test_divergences_of_a_linear_map():
    A, x = draws(3, 3), draws(4, 3, seed=1).requires_grad_()
    close(sde.exact_trace(x @ A.T, x), A.trace().expand(4))
    probes = sde.rademacher(x, Noise(0), 2)
    assert set(probes.unique().tolist()) == {-1.0, 1.0}
    want = torch.einsum("kbi,ij,kbj->b", probes, A, probes) / 2
    close(sde.hutchinson(probes)(x @ A.T, x), want)


# ---- bad input


X = draws(2, 2)
SCORE = sde.as_score(MIXTURE, SDES["vp"])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sde.vp(2.0, 1.0), "beta_min, beta_max: got 2.0, 1.0"),
        (lambda: sde.sub_vp(0.0, 0.0), "beta_min, beta_max"),
        (lambda: sde.ve(1.0, 0.5), "sigma_min, sigma_max: got 1.0, 0.5"),
        (lambda: SDES["vp"].kernel(X, 1.5), "t: got 1.5, want times in"),
        (lambda: SDES["vp"].drift(X, math.nan), "t: got nan"),
        (lambda: SDES["vp"].drift(X, torch.rand(3)), "t: got shape (3,), want () or (2,)"),
        (lambda: SCORE(X, torch.tensor(0.0)), "t: got 0, where the kernel's std is 0"),
        (lambda: sde.times(0), "n: got 0"),
        (lambda: sde.times(5, 0.0), "t_min: got 0.0"),
        (lambda: sde.predictor_corrector(0.0), "snr: got 0.0"),
        (lambda: sde.predictor_corrector(0.1, -1), "corrections: got -1"),
        (lambda: sde.sample(SCORE, SDES["vp"], X, torch.tensor([0.5, 0.7])), "got 0.7 after 0.5"),
        (lambda: sde.sample(SCORE, SDES["vp"], X, torch.tensor([0.5])), "times: got shape (1,)"),
        (lambda: sde.sample(SCORE, SDES["vp"], X, torch.tensor([2.0, 0.0])), "t: got 2"),
        (lambda: sde.sample(SCORE, SDES["vp"], X, sde.times(3)), "noise: got None"),
        (lambda: sde.sample(SCORE, SDES["vp"], X * math.nan, sde.times(3)), "x: holds NaN"),
        (lambda: sde.sample(SCORE, SDES["vp"], X[0], sde.times(3)), "x: got shape (2,)"),
        (
            lambda: sde.sample(SCORE, SDES["vp"], X, sde.times(3), sde.predictor_corrector),
            "a step that it makes: predictor_corrector()",
        ),
        (
            lambda: sde.sample(lambda x, t: x[:1], SDES["vp"], X, sde.times(3), noise=Noise(0)),
            "score: returned (1, 2), want a tensor of x's shape (2, 2)",
        ),
        (
            lambda: sde.sample(SCORE, SDES["vp"], X, sde.times(3), lambda *a: None),
            "step: returned NoneType",
        ),
        (
            lambda: sde.sample(lambda x, t: x * math.nan, SDES["vp"], X, sde.times(3), sde.ode_euler),
            "NaN or infinity after step 1 of 3, t 1 -> 0.5005",
        ),
        (lambda: sde.log_likelihood(SCORE, SDES["vp"], X, 0), "num_steps: got 0"),
        (
            lambda: sde.log_likelihood(torch.no_grad()(SCORE), SDES["vp"], X, 2),
            "score: its answer does not depend on x",
        ),
        (lambda: sde.log_likelihood(SCORE, SDES["vp"], X, t_min=1.0), "t_min: got 1.0"),
        (
            lambda: sde.log_likelihood(lambda x, t: x * math.nan, SDES["vp"], X, 5),
            "log_likelihood: NaN or infinity after step 1 of 5",
        ),
        (
            lambda: sde.log_likelihood(SCORE, SDES["vp"], X, 5, sde.hutchinson(torch.ones(2, 2))),
            "probes: got shape (2, 2), want (K, *x.shape) = (K, 2, 2)",
        ),
        (lambda: sde.rademacher(X, Noise(0), 0), "k: got 0"),
    ],
)
def test_bad_input_is_named_in_one_line(call, words):
    with pytest.raises(CourseError) as error:
        call()
    assert words in str(error.value)
    assert "\n" not in str(error.value)
