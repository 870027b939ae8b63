"""Our samplers against the DDPM and DDIM schedulers of diffusers, where the conventions agree.

Known differences, and what these tests do about them:

- *Time.* Their t = 0..T-1 is our t = 1..T: their tables start at beta_1 as well, so their t is our t - 1.
- *Spacing.* "leading", their default, takes t = 0, k, 2k, ... of T/n = k, and so never starts at the noisiest step
  (`steps_offset` shifts it by one). "trailing" takes T - 1, T - 1 - k, ...; "linspace" rounds an even spacing of both
  ends, as our `uniform_timesteps` does. Here our grid is always made from the timesteps they chose.
- *The step before.* DDIM takes t - T/n, whatever the timesteps are. That is the next timestep for "leading" and
  "trailing" when n divides T, not for "linspace"; only the first two are compared. DDPM looks it up in the list.
- *The last step.* `set_alpha_to_one=True` (the default) ends at alpha_bar = 1, as our grids end in sigma = 0; with
  False, DDIM ends at alpha_bar_1 and so keeps a little noise. DDPM always ends at 1. With "trailing", t - T/n of the
  last step is -1 and so is final, as here.
- *Clipping.* `clip_sample=True`, the default, clips the predicted x_0 to [-1, 1]; ours is `guidance.clip`, off here.
- *Variance.* "fixed_small" is beta-tilde, clamped from below at 1e-20. "fixed_large" is beta. Noise is left out only
  at their t = 0: with "trailing" spacing, whose last timestep is k - 1, their "fixed_large" adds noise to the finished
  sample. Ours never adds noise on the way to sigma = 0; that combination is not compared.
- *Precision.* Their tables are float32, in which 1 - alpha_bar_1 = 1e-4 has 3 digits. The tests compare the tables,
  then lend the schedulers ours in float64; the formulas stay theirs. One test leaves a scheduler as it is.
- *Cosine.* "squaredcos_cap_v2" is our cosine with s = 0.008 and max_beta = 0.999, computed as alpha_bar ratios.
"""

import numpy as np
import pytest
import torch

from diffusion_course import Noise, NoiseSchedule, gaussian, losses, sample, samplers, schedules
from diffusion_course.denoisers import GaussianMixture, as_eps

diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")

T = 1000
BETAS = {"linear": schedules.linear(T), "squaredcos_cap_v2": schedules.cosine(T)}
D = GaussianMixture(torch.tensor([[-0.5, 0.2], [0.6, -0.1]], dtype=torch.float64), 0.2)
X_T = Noise(0).randn(8, 2, dtype=torch.float64)


def make(kind, betas, **options):
    scheduler = kind(num_train_timesteps=T, beta_schedule=betas, clip_sample=False, **options)
    schedule = NoiseSchedule.from_betas(BETAS[betas])
    torch.testing.assert_close(scheduler.betas.double(), schedule.betas, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(scheduler.alphas_cumprod.double(), schedule.alpha_bar, rtol=1e-3, atol=1e-6)
    scheduler.betas, scheduler.alphas_cumprod = schedule.betas, schedule.alpha_bar
    scheduler.alphas = schedule.alphas
    return scheduler, schedule


class Recorded:
    def __init__(self, noises):
        self.noises = iter(noises)

    def like(self, x):
        return next(self.noises)


def both(scheduler, schedule, step, steps, **arguments):
    """Their loop in x_t coordinates and ours in x_0 + sigma eps, from the same start and with the same noises."""
    eps = as_eps(D, schedule)
    scheduler.set_timesteps(steps)
    timesteps = scheduler.timesteps
    x, draw = X_T, torch.Generator().manual_seed(1)
    for t in timesteps:
        x = scheduler.step(eps(x, int(t) + 1), int(t), x, generator=draw, **arguments).prev_sample

    draw = torch.Generator().manual_seed(1)
    noises = [torch.randn(X_T.shape, generator=draw, dtype=torch.float64) for _ in timesteps]
    start = gaussian.to_ve(X_T, schedule.sigma(int(timesteps[0]) + 1))
    return x, sample(D, start, schedule.grid(timesteps + 1), step, Recorded(noises))


@pytest.mark.parametrize("betas", BETAS)
@pytest.mark.parametrize(
    ("variance", "step", "steps", "spacing"),
    [
        ("fixed_small", samplers.ddpm, 1000, "leading"),
        ("fixed_small", samplers.ddpm, 50, "leading"),
        ("fixed_small", samplers.ddpm, 40, "trailing"),
        ("fixed_large", samplers.ddpm_large, 50, "leading"),
    ],
)
def test_ddpm_samples_agree(betas, variance, step, steps, spacing):
    scheduler, schedule = make(
        diffusers.DDPMScheduler, betas, variance_type=variance, timestep_spacing=spacing
    )
    theirs, ours = both(scheduler, schedule, step, steps)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("betas", BETAS)
@pytest.mark.parametrize(
    ("eta", "steps", "spacing"),
    [
        (0.0, 1000, "leading"),
        (0.0, 40, "trailing"),
        (0.5, 50, "leading"),
        (1.0, 50, "leading"),
        (1.0, 40, "trailing"),
    ],
)
def test_ddim_samples_agree(betas, eta, steps, spacing):
    scheduler, schedule = make(diffusers.DDIMScheduler, betas, timestep_spacing=spacing)
    theirs, ours = both(scheduler, schedule, samplers.ddim(eta), steps, eta=eta)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("betas", BETAS)
def test_the_forward_process_and_velocity_agree(betas):
    scheduler, schedule = make(diffusers.DDPMScheduler, betas)
    x0, eps = D.means[:1].expand(4, 2), Noise(2).randn(4, 2, dtype=torch.float64)
    t = torch.tensor([1, 2, 500, 1000])
    x_t = gaussian.diffuse(x0, t, eps, schedule)
    torch.testing.assert_close(x_t, scheduler.add_noise(x0, eps, t - 1), rtol=1e-10, atol=1e-10)
    alpha_bar = schedule.alpha_bar[t - 1, None]
    v = alpha_bar.sqrt() * eps - (1 - alpha_bar).sqrt() * x0
    torch.testing.assert_close(v, scheduler.get_velocity(x0, eps, t - 1), rtol=1e-9, atol=1e-9)


def test_an_untouched_scheduler_agrees_to_its_own_precision():
    """With its float32 tables as shipped, one full DDIM run on the linear betas."""
    scheduler = diffusers.DDIMScheduler(num_train_timesteps=T, beta_schedule="linear", clip_sample=False)
    theirs, ours = both(scheduler, NoiseSchedule.from_betas(BETAS["linear"]), samplers.ddim(), 1000)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("betas", BETAS)
def test_min_snr_weights_are_those_of_their_training_scripts(betas):
    """Theirs weigh the squared error of what the network predicts: min(SNR, gamma) / SNR for eps, / (SNR + 1) for v."""
    from diffusers.training_utils import compute_snr

    scheduler, schedule = make(diffusers.DDPMScheduler, betas)
    t = torch.tensor([1, 10, 200, 700, 999])
    snr = compute_snr(scheduler, t - 1).double()
    smaller = torch.stack([snr, 5.0 * torch.ones_like(snr)], dim=1).min(dim=1)[0]
    sigma = schedule.sigma(t)
    ours = losses.min_snr_weight(5.0)(sigma)
    torch.testing.assert_close(ours / losses.eps_weight(sigma), smaller / snr, rtol=1e-6, atol=0)
    torch.testing.assert_close(ours / losses.v_weight(sigma), smaller / (snr + 1), rtol=1e-6, atol=0)
