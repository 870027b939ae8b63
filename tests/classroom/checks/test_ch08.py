"""Chapter 08: other right answers, and the same quantities from the library."""

import itertools
import math
from types import SimpleNamespace

import torch

from diffusion_course import Noise, sde
from diffusion_course.classroom.checks import CHECKS
from diffusion_course.classroom.checks.ch08_bits_built import flow_bits
from diffusion_course.classroom.checks.ch08_walk import walk
from diffusion_course.denoisers import GaussianMixture, flow_param
from diffusion_course.losses import denoising_loss, unit_weight


def score_through_eps(D, x, scale, std):
    """The predicted noise, divided by -b."""
    shape = (len(x),) + (1,) * (x.dim() - 1)
    a, b = scale.view(shape), std.view(shape)
    sigma = std / scale
    eps = (x / a - D(x / a, sigma)) / sigma.view(shape)
    return -eps / b


def score_row_by_row(D, x, scale, std):
    """All rows in one question, and each divided by its own number."""
    answers = D(torch.stack([row / a for row, a in zip(x, scale, strict=True)]), std / scale)
    rows = zip(answers, x, scale, std, strict=True)
    return torch.stack([(a * x0 - row) * b**-2 for x0, row, a, b in rows])


def score_by_einsum(D, x, scale, std):
    x0 = D(torch.einsum("b...,b->b...", x, scale.reciprocal()), std.div(scale))
    mean = torch.einsum("b...,b->b...", x0, scale)
    return torch.einsum("b...,b->b...", mean - x, std.pow(-2))


def step_by_the_velocity(score, x, t, t_next, f, g, lam, z):
    """The ODE's velocity, and what noise adds to it."""
    s, h = score(x, t), t - t_next
    velocity = f * x - 0.5 * g * g * s
    x_next = x - h * velocity + h * 0.5 * lam * lam * g * g * s
    return x_next + torch.sqrt(h) * lam * g * z * (1.0 if t_next > 0 else 0.0)


def step_with_negative_dt(score, x, t, t_next, f, g, lam, z):
    dt = t_next - t
    x_next = x + dt * (f * x - (1 + lam**2) / 2 * g**2 * score(x, t))
    if float(t_next) != 0:
        x_next = x_next + lam * g * dt.abs() ** 0.5 * z
    return x_next


def step_by_where(score, x, t, t_next, f, g, lam, z):
    variance = torch.where(t_next > 0, (lam * g) ** 2 * (t - t_next), torch.zeros_like(t))
    return (
        torch.addcmul(x - (t - t_next) * f * x, (t - t_next) * g**2 * (1 + lam**2) / 2, score(x, t))
        + variance.sqrt() * z
    )


def sampler_in_one_piece(score, x, times, f, g, r, noise):
    """Into a table, with no step of its own."""
    out = x.new_empty(len(times), *x.shape)
    out[0] = x
    for i, (t, t_next) in enumerate(itertools.pairwise(times)):
        z, last = noise[i], t_next == 0
        s = score(out[i], t)
        ratio = z[0].reshape(len(x), -1).norm(dim=-1).mean() / s.reshape(len(x), -1).norm(dim=-1).mean()
        root = r * ratio  # sqrt(e / 2)
        y = out[i] + 2 * root**2 * s + 2 * root * z[0]
        h = t - t_next
        out[i + 1] = y - h * (f[i] * y - g[i] ** 2 * score(y, t)) + (0 if last else g[i] * h.sqrt() * z[1])
    return out


def sampler_with_lists(score, x, times, f, g, r, noise):
    def langevin(x, t, z):
        s = score(x, t)
        mean = [torch.stack([row.pow(2).sum().sqrt() for row in v]).mean() for v in (z, s)]
        e = 2 * (r * mean[0] / mean[1]) ** 2
        return x + e * s + torch.sqrt(2 * e) * z

    states = [x]
    for k in range(len(f)):
        x = langevin(x, times[k], noise[k][0])
        x = step_by_the_velocity(score, x, times[k], times[k + 1], f[k], g[k], 1.0, noise[k][1])
        states += [x]
    return torch.stack(states, dim=0)


def score_by_x0(u, z, t):
    """Tweedie's formula of the guess z - t u."""
    t = t[(...,) + (None,) * (z.ndim - 1)]
    return ((1 - t) * (z - t * u) - z) / t**2


def score_in_two_parts(u, z, t):
    t = t.view(-1, *(1 for _ in z.shape[1:]))
    return -z / t + u - u / t


def loss_by_lerp(model, x0, eps, t):
    z = torch.lerp(x0, eps, t.reshape(-1, *[1] * (x0.ndim - 1)))
    return torch.nn.functional.mse_loss(model(z, t), eps - x0)


def loss_along_the_line(model, x0, eps, t):
    """z = x_0 + t u."""
    u = eps - x0
    moved = x0 + torch.einsum("b,b...->b...", t, u)
    return ((model(moved, t) - u) ** 2).flatten(1).mean(1).mean()


def bits_in_nats_first(model, k, dither, probes, num_steps, levels):
    """The gradient of e^T v, and the logarithms gathered before the units."""
    z = (k + dither) * (2 / levels) - 1
    total = z.new_zeros(len(z))
    for i in range(num_steps):
        t = torch.full((len(z),), i / num_steps, dtype=z.dtype, device=z.device)
        with torch.no_grad():
            middle = z + model(z, t) / (2 * num_steps)
        with torch.enable_grad():
            middle = middle.detach().requires_grad_(True)
            v = model(middle, t + 0.5 / num_steps)
            pulled = torch.autograd.grad((v * probes).sum(), middle)[0]
        total = total + (pulled * probes).reshape(len(z), -1).sum(-1) / num_steps
        z = z + v.detach() / num_steps
    flat = z.reshape(len(z), -1)
    d = flat.shape[1]
    nats = 0.5 * (flat**2 + math.log(2 * math.pi)).sum(-1) - total
    return (nats / d - math.log(2 / levels)) / math.log(2)


def bits_by_the_normal(model, k, dither, probes, num_steps, levels):
    def slopes(x, t):
        with torch.enable_grad():
            x = x.detach().clone().requires_grad_()
            v = model(x, x.new_full((x.shape[0],), t))
            g = torch.autograd.grad(v, x, grad_outputs=probes)[0]
        return v.detach(), (g * probes).flatten(1).sum(dim=1)

    h, x, volume = 1.0 / num_steps, (2 * k + 2 * dither) / levels - 1, 0.0
    for n in range(num_steps):
        t = n / num_steps
        v, div = slopes(x + 0.5 * h * slopes(x, t)[0], t + 0.5 * h)
        x, volume = x + h * v, volume + h * div
    normal = torch.distributions.Normal(0.0, 1.0)
    log_p = normal.log_prob(x).flatten(1).sum(1) + volume
    d = math.prod(k.shape[1:])
    return -(log_p + d * math.log(2 / levels)) / d / math.log(2)


# ---- the library


def process(f, g, scale=1.0, std=1.0):
    """An SDE whose coefficients are these numbers at every time."""

    def constant(value):
        return lambda t: torch.as_tensor(value, dtype=torch.float64) + 0 * t

    return sde.SDE(constant(f), constant(g), constant(scale), constant(std), 1.0)


def score_of_the_library(D, x, scale, std):
    """Row by row: there a time has one scale and std for the whole batch."""
    half = torch.tensor(0.5, dtype=torch.float64)
    rows = [
        sde.as_score(D, process(0.0, 0.0, a.item(), b.item()))(row[None], half)
        for row, a, b in zip(x, scale, std, strict=True)
    ]
    return torch.cat(rows)


def step_of_the_library(score, x, t, t_next, f, g, lam, z):
    """Its two steps are lam = 0 and 1."""
    if lam not in (0, 1):
        return None
    step = sde.euler_maruyama if lam else sde.ode_euler
    return step(score, process(f, g), x, t, t_next, SimpleNamespace(like=lambda _: z))


def sampler_of_the_library(score, x, times, f, g, r, noise):
    draws = iter(noise.flatten(0, 1))

    def at(table):
        return lambda t: table[(times[:-1] - t).abs().argmin()]

    one = torch.ones_like
    made = sde.SDE(at(f), at(g), one, one, 1.0)
    source = SimpleNamespace(like=lambda _: next(draws))
    step = sde.predictor_corrector(r)
    return torch.stack([x for x, _ in sde.states(score, made, x, times, step, source)])


def score_of_the_flow(u, z, t):
    """Through the library's denoiser of a velocity."""
    t = t.reshape(-1, *[1] * (z.ndim - 1))
    sigma, param = t / (1 - t), flow_param()
    if bool((t == 1).any()):
        return None  # there sigma is infinite
    x0 = param.c_skip(sigma) * z / (1 - t) + param.c_out(sigma) * u
    return ((1 - t) * x0 - z) / t**2


def loss_of_the_library(model, x0, eps, t):
    """The squared error of x_0 in its own units, which is that of the velocity times t^2."""
    if bool(((t == 1) | (t == 0)).any()):
        return None  # there sigma is infinite, or 0
    sigma, param = t / (1 - t), flow_param()

    def D(x, sigma):
        s = sigma.reshape(-1, *[1] * (x.ndim - 1))
        return param.c_skip(s) * x + param.c_out(s) * model(param.c_in(s) * x, param.c_noise(sigma))

    return denoising_loss(D, x0, sigma, eps, unit_weight(param))


def bits_of_the_library(model, k, dither, probes, num_steps, levels):
    """No function of the library takes the midpoint rule; its estimate of the divergence is asked here."""
    estimate = sde.hutchinson(probes[None])
    z, total, h = 2 * (k + dither) / levels - 1, 0.0, 1 / num_steps
    for i in range(num_steps):
        middle = (z + h / 2 * model(z, z.new_full((len(z),), i * h)).detach()).requires_grad_()
        v = model(middle, z.new_full((len(z),), (i + 0.5) * h))
        total = total + h * estimate(v, middle)
        z = z + h * v.detach()
    log_p = sde.vp().prior_log_density(z) + total.detach()
    return -log_p / (k[0].numel() * math.log(2)) + math.log2(levels / 2)


def test_the_bits_are_those_of_a_density_that_is_known():
    """The exact velocity of a Gaussian: with many steps and the signs of both kinds the bits are its log-density's."""
    gaussian = GaussianMixture(torch.tensor([[0.1, -0.2]], dtype=torch.float64), stds=0.4)

    def velocity(z, t):
        t = t[:, None].clamp(1e-6, 1 - 1e-6)
        return (z - gaussian(z / (1 - t), (t / (1 - t))[:, 0])) / t

    k, dither = (
        torch.tensor([[8, 3], [5, 10]]),
        torch.full((2, 2), 0.3, dtype=torch.float64),
    )
    found = flow_bits(velocity, k, dither, torch.ones_like(dither), 400, 17)
    log_p = gaussian.log_density(2 * (k + dither) / 17 - 1)
    torch.testing.assert_close(found, -log_p / (2 * math.log(2)) + math.log2(17 / 2), rtol=0, atol=1e-3)


def test_the_family_keeps_the_density():
    """Particles of lam = 0, 1 and 2 arrive with the mean and the spread of a Gaussian whose score is known."""
    vp, reference = sde.vp(), CHECKS["08-reverse_sde_step"].reference
    score = sde.as_score(GaussianMixture(torch.tensor([[0.5]], dtype=torch.float64), stds=0.5), vp)
    for lam in (0.0, 1.0, 2.0):
        noise = Noise(1, per_sample=False)

        def step(score, process, x, t, r, source, lam=lam):
            return reference(score, x, t, r, process.f(t), process.g(t), lam, source.like(x))

        x = sde.sample(score, vp, noise.randn(20_000, 1, dtype=torch.float64), sde.times(200), step, noise)
        assert abs(x.mean() - 0.5) < 0.02
        assert abs(x.std() - 0.5) < 0.03


def test_a_corrector_alone_keeps_the_density():
    """With f = g = 0 the predictor does nothing."""
    x = Noise(2, per_sample=False).randn(20_000, 1, dtype=torch.float64)
    noise = Noise(3, per_sample=False).randn(20, 2, 20_000, 1, dtype=torch.float64)
    zeros = torch.zeros(20, dtype=torch.float64)
    states = walk(
        lambda x, t: -x, x, torch.linspace(1, 0.5, 21, dtype=torch.float64), zeros, zeros, 0.16, noise
    )
    assert abs(states[-1].std() - 1) < 0.03


ALTERNATIVES = {
    "08-score_from_denoiser": [score_through_eps, score_row_by_row, score_by_einsum],
    "08-reverse_sde_step": [step_by_the_velocity, step_with_negative_dt, step_by_where],
    "08-predictor_corrector": [sampler_in_one_piece, sampler_with_lists],
    "08-score_from_velocity": [score_by_x0, score_in_two_parts],
    "08-flow_loss": [loss_by_lerp, loss_along_the_line],
    "08-flow_bits": [bits_in_nats_first, bits_by_the_normal],
}

LIBRARY = {
    "08-score_from_denoiser": score_of_the_library,
    "08-reverse_sde_step": step_of_the_library,
    "08-predictor_corrector": sampler_of_the_library,
    "08-score_from_velocity": score_of_the_flow,
    "08-flow_loss": loss_of_the_library,
    "08-flow_bits": bits_of_the_library,
}
