"""Half precision: what is computed over many steps or terms is computed in float32, and the answer has the caller's dtype."""

import pytest
import torch
from shared import Net, close, draws
from test_samplers import STEPS

from diffusion_course import NoiseSchedule, elbo, gaussian, losses, samplers, schedules, sde
from diffusion_course.denoisers import DatasetDenoiser, GaussianMixture, Preconditioned, edm_param
from diffusion_course.guidance import cfg, classifier, clip, dynamic_threshold
from diffusion_course.noise import Noise, slerp

HALF = pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
MODES = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
TIGHT = GaussianMixture(MODES, 0.02)


def share_near_a_mode(x):
    return (torch.cdist(x.float(), MODES).min(1).values < 0.1).float().mean()


@HALF
@pytest.mark.parametrize("D", [TIGHT, DatasetDenoiser(MODES)], ids=["mixture", "dataset"])
@pytest.mark.parametrize("name", STEPS)
def test_samples_lie_where_those_of_float32_do(name, D, dtype):
    x = (80 * draws(200, 2, per_sample=False)).to(dtype)
    grid = schedules.karras(40)
    path = samplers.trajectory(D, x, grid, STEPS[name], Noise(1, per_sample=False))
    assert path.x.dtype == path.x0.dtype == dtype
    assert share_near_a_mode(path.x[-1]) > 0.995
    full = samplers.sample(D, x.float(), grid, STEPS[name], Noise(1, per_sample=False))
    assert share_near_a_mode(full) > 0.995


@HALF
def test_the_reverse_sde_and_ode_as_well(dtype):
    process = sde.vp()
    score = sde.as_score(TIGHT, process)
    x = draws(100, 2, per_sample=False).to(dtype)
    for step in (sde.euler_maruyama, sde.ode_euler):
        out = sde.sample(score, process, x, sde.times(200), step, Noise(1, per_sample=False))
        assert out.dtype == dtype
        full = sde.sample(score, process, x.float(), sde.times(200), step, Noise(1, per_sample=False))
        assert share_near_a_mode(out) >= share_near_a_mode(full) - 0.01 > 0.97


@HALF
def test_inversion_and_back(dtype):
    D = GaussianMixture(torch.zeros(1, 2), 1.0)
    x = draws(20, 2).to(dtype)
    up = schedules.karras(200)[:-1].flip(0)
    latent = samplers.ddim_invert(D, x, up)
    assert latent.dtype == dtype
    close(latent.double(), samplers.ddim_invert(D, x.double(), up), 2e-2)


@HALF
@pytest.mark.parametrize("sigma", [0.05, 0.7, 60.0])
def test_denoisers_and_wrappers_answer_as_in_float32(sigma, dtype):
    x = (draws(30, 2) * (sigma**2 + 1) ** 0.5).to(dtype)
    D = DatasetDenoiser(MODES, torch.tensor([0, 0, 1, 1]))
    log_prob = lambda x, s: TIGHT.classify(x, s)[:, 0]  # noqa: E731
    wrapped = {
        "mixture": TIGHT,
        "rows": TIGHT.given(torch.arange(30) % 4),
        "dataset": D,
        "cfg": cfg(D.given(1), D, 3.0),
        "clip": clip(D),
        "threshold": dynamic_threshold(cfg(D.given(1), D, 3.0), 0.9),
        "classifier": classifier(GaussianMixture(MODES, 1.0), log_prob, 0.01),
        "network": Preconditioned(Net(), edm_param()),
    }
    for name, E in wrapped.items():
        for s in (sigma, torch.full((30,), sigma)):
            got, want = E(x, s), E(x.float(), s)
            assert got.dtype == dtype, name
            close(got.double(), want.double(), 0.05)


@HALF
@pytest.mark.parametrize("sigma", [0.002, 0.0035, 1.0, 80.0])
@pytest.mark.parametrize("weight", [losses.eps_weight, losses.v_weight, losses.unit_weight(edm_param())])
def test_weights_of_losses_do_not_overflow(weight, sigma, dtype):
    x0, s = draws(8, 2).to(dtype), torch.full((8,), sigma, dtype=dtype)
    model = lambda x, s: x0 + 1  # noqa: E731
    got = losses.denoising_loss(model, x0, s, draws(8, 2).to(dtype), weight)
    wide = lambda x, s: x0.float() + 1  # noqa: E731
    wanted = losses.denoising_loss(wide, x0.float(), s.float(), draws(8, 2), weight)
    assert got.dtype == torch.float32
    close(got / wanted, torch.ones(()), 0.02)


@HALF
def test_sums_of_squares_do_not_overflow(dtype):
    schedule = NoiseSchedule.from_betas(schedules.linear(1000))
    x, far = draws(4, 784).to(dtype), (300 * draws(4, 784, seed=1)).to(dtype)
    t = torch.tensor([2, 10, 500, 1000])
    for of in (
        lambda a, b: elbo.gaussian_nll(a, b, 0.001),
        lambda a, b: elbo.kl_term(a, b, t, schedule),
        lambda a, b: losses.eps_loss(lambda x_t, t: b, a, t, a, schedule),
        lambda a, b: losses.eps_loss(lambda x_t, t: b, a, t, a, schedule, torch.full((1000,), 1e3)),
        lambda a, b: elbo.prior_kl(b, schedule),
    ):
        close(of(x, far) / of(x.float(), far.float()), torch.ones(()), 0.02)


def test_log_densities_of_half_precision_are_those_of_float32():
    x = draws(30, 2).half()
    close(TIGHT.log_density(x, 0.05), TIGHT.log_density(x.float(), 0.05))
    close(TIGHT.classify(x, 0.05), TIGHT.classify(x.float(), 0.05))


def test_coordinates_at_noise_levels_whose_square_is_infinite_in_float16():
    s = NoiseSchedule.from_betas(schedules.cosine(1000))
    t = torch.tensor([1, 500, 999, 1000])
    x = draws(4, 2).half()
    assert s.sigma(1000) > 2**8
    got = gaussian.to_vp(x * 100, s.sigma(t))
    close(got.double(), gaussian.to_vp(x.double() * 100, s.sigma(t)), 1e-2)


@HALF
def test_slerp(dtype):
    a, b = draws(3, 40_000).to(dtype), draws(3, 40_000, seed=1).to(dtype)
    assert slerp(a, b, 0.3).dtype == dtype
    close(slerp(a, b, 0.3).double(), slerp(a.double(), b.double(), 0.3), 2e-2)
