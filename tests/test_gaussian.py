"""Every Gaussian of chapters 1-3, against the chain, Bayes' rule on a grid, and completing the square."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import (
    alpha_bars,
    combined_noise,
    markov_chain,
    posterior_by_completing_the_square,
    posterior_on_a_grid,
)
from shared import F64, close, draws

from diffusion_course import CourseError, Noise, NoiseSchedule, gaussian, samplers, schedules
from diffusion_course.denoisers import GaussianMixture


def of(name, T):
    return NoiseSchedule.from_betas(schedules.by_name(name, T))


# ---- forward


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_the_closed_form_is_the_chain(name):
    """The chain's T noises, combined into one, give the chain's x_t in a single jump."""
    T = 300
    s, betas = of(name, T), schedules.by_name(name, T).tolist()
    x0, noises = draws(2, 3), draws(T, 2, 3, seed=1)
    x, reference = x0, markov_chain(x0.numpy(), betas, noises.numpy())
    for t in range(1, T + 1):
        x = gaussian.forward_step(x, t, noises[t - 1], s)
        close(x, reference[t - 1])
        if t in (1, 2, 77, T):
            eps = torch.as_tensor(combined_noise(betas, noises.numpy(), t))
            close(gaussian.diffuse(x0, t, eps, s), x)


def test_the_chains_variance_is_the_marginals():
    s, variance = of("cosine", 200), 0.0
    for t in range(1, 201):
        variance = (1 - s.betas[t - 1]) * variance + s.betas[t - 1]
        mean, got = gaussian.marginal(torch.full((1, 2), 3.0, dtype=F64), t, s)
        close(got.flatten(), [variance])
        close(mean, np.full((1, 2), 3 * s.alpha_bar[t - 1].sqrt()))


def test_each_sample_has_its_own_t():
    s, t = of("linear", 50), torch.tensor([1, 17, 50])
    x0, x_t, eps = draws(3, 2, 4), draws(3, 2, 4, seed=1), draws(3, 2, 4, seed=2)
    for f in (
        lambda x0, x_t, eps, t: gaussian.diffuse(x0, t, eps, s),
        lambda x0, x_t, eps, t: gaussian.forward_step(x0, t, eps, s),
        lambda x0, x_t, eps, t: gaussian.posterior_mean_variance(x0, x_t, t, s)[0],
        lambda x0, x_t, eps, t: gaussian.posterior_mean_variance(x0, x_t, t, s)[1].expand(len(x0), 2, 4),
        lambda x0, x_t, eps, t: gaussian.marginal(x0, t, s)[1].expand(len(x0), 2, 4),
        lambda x0, x_t, eps, t: gaussian.x0_from_eps(x_t, t, eps, s),
        lambda x0, x_t, eps, t: gaussian.eps_from_x0(x_t, t, x0, s),
        lambda x0, x_t, eps, t: gaussian.mean_from_eps(x_t, t, eps, s),
    ):
        together = f(x0, x_t, eps, t)
        for i in range(3):
            assert torch.equal(together[i], f(x0[i : i + 1], x_t[i : i + 1], eps[i : i + 1], int(t[i]))[0])


# ---- posterior


@pytest.mark.parametrize("name", ["linear", "cosine"])
@pytest.mark.parametrize("t", [2, 3, 20, 40])
def test_the_posterior_is_bayes_rule(name, t):
    s, betas = of(name, 40), schedules.by_name(name, 40).tolist()
    x0 = draws(1, 3)
    x_t = gaussian.diffuse(x0, t, draws(1, 3, seed=1), s)
    mean, variance = gaussian.posterior_mean_variance(x0, x_t, t, s)
    square_mean, square_variance = posterior_by_completing_the_square(x0.numpy(), x_t.numpy(), t, betas)
    close(mean, square_mean)
    close(variance.flatten(), [square_variance])
    for i in range(3):
        grid_mean, grid_variance = posterior_on_a_grid(float(x0[0, i]), float(x_t[0, i]), t, betas)
        close(mean[0, i], grid_mean)
        close(variance.item(), grid_variance)


def test_at_t_1_the_posterior_is_x0_itself():
    x0, x_t = draws(2, 3), draws(2, 3, seed=1)
    mean, variance = gaussian.posterior_mean_variance(x0, x_t, 1, of("linear", 10))
    close(mean, x0, 1e-15)
    assert (variance == 0).all()


@pytest.mark.parametrize("t", [1, 2, 500, 1000])
def test_the_posterior_undoes_one_step_in_law(t):
    """Averaged over q(x_t | x_0) it is q(x_{t-1} | x_0): mean, and variance by the law of total variance."""
    s, x0 = of("linear", 1000), torch.ones(1, 1, dtype=F64)
    marginal_mean, marginal_variance = gaussian.marginal(x0, t, s)
    mean, variance = gaussian.posterior_mean_variance(x0, marginal_mean, t, s)
    slope = gaussian.posterior_mean_variance(x0, marginal_mean + 1, t, s)[0] - mean
    before = alpha_bars(s.betas)[t - 1]
    close(mean.item(), before**0.5)
    close((variance + slope**2 * marginal_variance).item(), 1 - before)


# ---- eps and x_0


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(sorted(schedules.BETAS)), st.integers(1, 200), st.data())
def test_eps_and_x0_imply_each_other(name, T, data):
    s, t = of(name, T), data.draw(st.integers(1, T))
    x0, eps = draws(2, 3), draws(2, 3, seed=1)
    x_t = gaussian.diffuse(x0, t, eps, s)
    scale = float(s.sigmas[t - 1])  # an error in eps is multiplied by sigma, one in x_0 divided by it
    close(gaussian.x0_from_eps(x_t, t, eps, s), x0, 1e-14 * (10 + scale))
    close(gaussian.eps_from_x0(x_t, t, x0, s), eps, 1e-14 * (10 + 1 / scale))


@pytest.mark.parametrize("t", [1, 2, 30, 60])
def test_equation_11_is_the_posterior_mean_at_the_implied_x0(t):
    s, x_t, eps = of("cosine", 60), draws(4, 2), draws(4, 2, seed=1)
    x0 = gaussian.x0_from_eps(x_t, t, eps, s)
    close(gaussian.mean_from_eps(x_t, t, eps, s), gaussian.posterior_mean_variance(x0, x_t, t, s)[0], 1e-9)


# ---- the bridge


@settings(max_examples=100, deadline=None)
@given(st.floats(1e-4, 1e4), st.sampled_from([torch.float32, F64]), st.booleans())
def test_to_ve_undoes_to_vp(sigma, dtype, per_row):
    x = draws(3, 2, 2).to(dtype)
    sigma = torch.full((3,), sigma, dtype=F64) if per_row else sigma
    back = gaussian.to_ve(gaussian.to_vp(x, sigma), sigma)
    assert back.dtype == dtype
    torch.testing.assert_close(back, x, rtol=4 * torch.finfo(dtype).eps, atol=0)


def test_the_bridge_carries_x_t_to_x0_plus_sigma_eps():
    s, t = of("linear", 1000), torch.tensor([1, 10, 1000])
    x0, eps = draws(3, 4), draws(3, 4, seed=1)
    x = x0 + s.sigma(t)[:, None] * eps
    close(gaussian.to_ve(gaussian.diffuse(x0, t, eps, s), s.sigma(t)), x)
    close(gaussian.to_vp(x, s.sigma(t)), gaussian.diffuse(x0, t, eps, s))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, F64])
@pytest.mark.parametrize("t", [3, torch.tensor(3), torch.tensor([3, 9])])
def test_dtype_and_shape_are_kept(t, dtype):
    s, x, e = of("linear", 10), draws(2, 1, 3).to(dtype), draws(2, 1, 3, seed=1).to(dtype)
    outputs = [
        gaussian.diffuse(x, t, e, s),
        gaussian.forward_step(x, t, e, s),
        gaussian.posterior_mean_variance(x, e, t, s)[0],
        gaussian.x0_from_eps(x, t, e, s),
        gaussian.eps_from_x0(x, t, e, s),
        gaussian.mean_from_eps(x, t, e, s),
        gaussian.to_vp(x, s.sigma(t)),
        gaussian.to_ve(x, s.sigma(t)),
    ]
    assert {(y.dtype, y.shape) for y in outputs} == {(dtype, x.shape)}
    assert gaussian.marginal(x, t, s)[1].dtype == dtype


# ---- bad input


CALLS = {
    "diffuse": lambda x, t, e, s: gaussian.diffuse(x, t, e, s),
    "forward_step": lambda x, t, e, s: gaussian.forward_step(x, t, e, s),
    "posterior_mean_variance": lambda x, t, e, s: gaussian.posterior_mean_variance(x, e, t, s),
    "x0_from_eps": lambda x, t, e, s: gaussian.x0_from_eps(x, t, e, s),
    "eps_from_x0": lambda x, t, e, s: gaussian.eps_from_x0(x, t, e, s),
    "mean_from_eps": lambda x, t, e, s: gaussian.mean_from_eps(x, t, e, s),
}


@pytest.mark.parametrize("name", CALLS)
class TestBadInput:
    s, x = of("linear", 10), torch.zeros(2, 3)

    @pytest.mark.parametrize("t", [0, 11, -1, torch.tensor([1, 0]), torch.tensor([11, 10])])
    def test_t_outside(self, name, t):
        with pytest.raises(CourseError, match=r"^t: got (0|-1|11), want integers in 1\.\.10"):
            CALLS[name](self.x, t, self.x, self.s)

    @pytest.mark.parametrize("t", [torch.tensor([1, 2, 3]), torch.ones(2, 1, dtype=torch.long)])
    def test_t_of_another_shape(self, name, t):
        with pytest.raises(CourseError, match=r"^t: got shape .*to match x \(2, 3\)$"):
            CALLS[name](self.x, t, self.x, self.s)

    def test_shapes_that_would_broadcast(self, name):
        with pytest.raises(CourseError, match=r"got shape \(2, 1\), want \(2, 3\)"):
            CALLS[name](self.x, 1, self.x[:, :1], self.s)

    def test_devices_that_differ(self, name):
        with pytest.raises(CourseError, match=r"is on meta and .* on cpu; move one"):
            CALLS[name](self.x, 1, self.x.to("meta"), self.s)

    def test_integer_images(self, name):
        """Cast to whole numbers, sqrt(alpha_bar) would be 0: the answer would be pure noise."""
        with pytest.raises(CourseError, match=r"^x: got dtype torch.uint8, want floating point"):
            CALLS[name](self.x.to(torch.uint8), 1, self.x, self.s)


@pytest.mark.parametrize("sigma", [torch.ones(3), torch.ones(2, 1)])
def test_sigma_of_another_shape(sigma):
    with pytest.raises(CourseError, match=r"^sigma: got shape"):
        gaussian.to_ve(torch.zeros(2, 3), sigma)


# ---- the variance of DDIM's samples


LINEAR = of("linear", 1000)


def eta_fresh(grid, eta):
    """s^2 of eq. 16 of Song et al. 2021 in each step of a grid: eta^2 beta-tilde of the shortened chain."""
    ab = 1 / (1 + grid**2)
    return eta**2 * (1 - ab[1:]) / (1 - ab[:-1]) * (1 - ab[:-1] / ab[1:])


@pytest.mark.parametrize("n", [2, 7, 100])
@pytest.mark.parametrize("variance", [0.04, 1.0, 5.0])
def test_without_fresh_noise_the_variance_is_the_square_of_the_samplers_slope(n, variance):
    """Two starts one apart end as far apart as the sampler's linear map is steep; the library's sampler draws them."""
    grid = LINEAR.grid(schedules.uniform_timesteps(1000, n))
    D = GaussianMixture(torch.tensor([[0.3]], dtype=F64), variance**0.5)
    ends = samplers.sample(D, gaussian.to_ve(torch.tensor([[0.0], [1.0]], dtype=F64), grid[0]), grid)
    got = gaussian.sampled_variance(variance, grid, torch.zeros(n, dtype=F64))
    assert got.shape == (n + 1,)
    close(got[-1], (ends[1] - ends[0]).square().item())


def test_with_fresh_noise_it_is_the_variance_of_many_samples():
    n = 40
    grid = LINEAR.grid(schedules.uniform_timesteps(1000, n))
    D = GaussianMixture(torch.tensor([[0.3]], dtype=F64), 0.5)
    noise = Noise(3, per_sample=False)
    start = noise.randn(100_000, 1, dtype=F64)
    path = samplers.trajectory(D, gaussian.to_ve(start, grid[0]), grid, samplers.ddim(0.8), noise)
    for k in (1, 20, n):
        x = gaussian.to_vp(path.x[k], grid[k])
        got = gaussian.sampled_variance(0.25, grid, eta_fresh(grid, 0.8))[k]
        assert abs(x.var() / got - 1) < 4 * (2 / 100_000) ** 0.5


def test_a_step_loses_the_variance_that_x0_has_given_its_state():
    """Law of total variance: the right step draws x_0 from its posterior, and the sampler puts its mean there."""
    grid, variance = torch.tensor([1.5, 0.7], dtype=F64), 0.6
    before, after = (1 / (1 + grid**2)).tolist()
    start = before * variance + 1 - before  # the right variance, so scale the step's answer to it
    for share in (0.0, 0.3, 1.0):
        s2 = share * (1 - after)
        from_one = gaussian.sampled_variance(variance, grid, torch.tensor([s2], dtype=F64))[1]
        reached = (from_one - s2) * start + s2
        weight = after**0.5 - ((1 - after - s2) / (1 - before)) ** 0.5 * before**0.5
        lost = weight**2 * variance * (1 - before) / start
        close(reached, after * variance + 1 - after - lost)


def test_the_members_up_to_eta_1_become_exact_and_the_others_do_not():
    every = LINEAR.grid()
    room = 1 - 1 / (1 + every[1:] ** 2)
    for fresh, wanted in [
        (eta_fresh(every, 0.0), 0.996),
        (eta_fresh(every, 1.0), 0.991),
        (room / 2, 0.846),
        (room, 0.494),
    ]:
        assert gaussian.sampled_variance(1.0, every, fresh)[-1].item() == pytest.approx(wanted, abs=5e-4)


@pytest.mark.parametrize("fresh", [torch.tensor([-0.1]), torch.tensor([0.6]), torch.zeros(2)])
def test_fresh_noise_must_fit_the_step(fresh):
    with pytest.raises(CourseError, match=r"^fresh: "):
        gaussian.sampled_variance(1.0, torch.tensor([2.0, 1.0]), fresh)
