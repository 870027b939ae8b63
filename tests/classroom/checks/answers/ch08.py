"""Answers of (imagined) students to the exercises of chapter 8. The name tells exercise and verdict."""

import itertools
import math

import numpy as np
import torch
from torch.nn import functional as F

# ---------------------------------------------------------------- 08-score_from_denoiser(D, x, scale, std)


def right__08_score_from_denoiser__two_steps(D, x, scale, std):
    """x0 first, then the score."""
    dims = [1] * (x.dim() - 1)
    a = scale.view(-1, *dims)
    b = std.view(-1, *dims)
    x0 = D(x / a, std / scale)
    return a * x0 / b**2 - x / b**2


def right__08_score_from_denoiser__ve_then_chain_rule(D, x, scale, std):
    """The score at x / a, divided by a."""
    a = scale[(...,) + (None,) * (x.ndim - 1)]
    sigma = std / scale
    s = sigma[(...,) + (None,) * (x.ndim - 1)]
    y = x / a
    return (D(y, sigma) - y) / s**2 / a


def right__08_score_from_denoiser__transposed(D, x, scale, std):
    """The batch axis moved to the end, so that (B,) broadcasts."""
    x0 = D((x.movedim(0, -1) / scale).movedim(-1, 0), std / scale)
    return ((x0.movedim(0, -1) * scale - x.movedim(0, -1)) / std.square()).movedim(-1, 0)


def wrong__08_score_from_denoiser__no_division_of_x(D, x, scale, std):
    """x_t given to D as it is."""
    a, b = scale.view(-1, *[1] * (x.dim() - 1)), std.view(-1, *[1] * (x.dim() - 1))
    return (a * D(x, std / scale) - x) / b**2


def wrong__08_score_from_denoiser__std_for_sigma(D, x, scale, std):
    """std told to D."""
    a, b = scale.view(-1, *[1] * (x.dim() - 1)), std.view(-1, *[1] * (x.dim() - 1))
    return (a * D(x / a, std) - x) / b**2


def wrong__08_score_from_denoiser__no_scale(D, x, scale, std):
    """D - x."""
    a, b = scale.view(-1, *[1] * (x.dim() - 1)), std.view(-1, *[1] * (x.dim() - 1))
    return (D(x / a, std / scale) - x) / b**2


def wrong__08_score_from_denoiser__no_square(D, x, scale, std):
    """Divided by b."""
    a, b = scale.view(-1, *[1] * (x.dim() - 1)), std.view(-1, *[1] * (x.dim() - 1))
    return (a * D(x / a, std / scale) - x) / b


def wrong__08_score_from_denoiser__sign(D, x, scale, std):
    """x - a D."""
    a, b = scale.view(-1, *[1] * (x.dim() - 1)), std.view(-1, *[1] * (x.dim() - 1))
    return (x - a * D(x / a, std / scale)) / b**2


def wrong__08_score_from_denoiser__ve_score(D, x, scale, std):
    """The score of x / a."""
    a, b = scale.view(-1, *[1] * (x.dim() - 1)), std.view(-1, *[1] * (x.dim() - 1))
    y = x / a
    return (D(y, std / scale) - y) / (b / a) ** 2


def wrong__08_score_from_denoiser__not_reshaped(D, x, scale, std):
    """(B,) against the last axis."""
    return (scale * D(x / scale, std / scale) - x) / std**2


def wrong__08_score_from_denoiser__images_only(D, x, scale, std):
    """Reshaped for images alone."""
    a, b = scale.view(-1, 1, 1, 1), std.view(-1, 1, 1, 1)
    return (a * D(x / a, std / scale) - x) / b**2


def wrong__08_score_from_denoiser__first_time_only(D, x, scale, std):
    """One time for all samples."""
    a, b = scale[0], std[0]
    return (a * D(x / a, b / a) - x) / b**2


def wrong__08_score_from_denoiser__mean_of_times(D, x, scale, std):
    """The mean scale and std."""
    a, b = scale.mean(), std.mean()
    return (a * D(x / a, b / a) - x) / b**2


def wrong__08_score_from_denoiser__eps(D, x, scale, std):
    """The predicted noise."""
    a, b = scale.view(-1, *[1] * (x.dim() - 1)), std.view(-1, *[1] * (x.dim() - 1))
    return (x - a * D(x / a, std / scale)) / b


def wrong__08_score_from_denoiser__sigma_upside_down(D, x, scale, std):
    """scale / std."""
    a, b = scale.view(-1, *[1] * (x.dim() - 1)), std.view(-1, *[1] * (x.dim() - 1))
    return (a * D(x / a, scale / std) - x) / b**2


def wrong__08_score_from_denoiser__precedence(D, x, scale, std):
    """Brackets missing."""
    a, b = scale.view(-1, *[1] * (x.dim() - 1)), std.view(-1, *[1] * (x.dim() - 1))
    return a * D(x / a, std / scale) - x / b**2


def wrong__08_score_from_denoiser__variance_for_std(D, x, scale, std):
    """std taken for a variance."""
    a, b = scale.view(-1, *[1] * (x.dim() - 1)), std.view(-1, *[1] * (x.dim() - 1))
    return (a * D(x / a, std.sqrt() / scale) - x) / b


def wrong__08_score_from_denoiser__clamped_std(D, x, scale, std):
    """std held above 0.05 for stability."""
    a, b = scale.view(-1, *[1] * (x.dim() - 1)), std.view(-1, *[1] * (x.dim() - 1))
    return (a * D(x / a, std / scale) - x) / b.clamp(min=0.05) ** 2


def wrong__08_score_from_denoiser__clipped_x0(D, x, scale, std):
    """D's answer clipped to [-1, 1]."""
    a, b = scale.view(-1, *[1] * (x.dim() - 1)), std.view(-1, *[1] * (x.dim() - 1))
    return (a * D(x / a, std / scale).clamp(-1, 1) - x) / b**2


def wrong__08_score_from_denoiser__asked_twice(D, x, scale, std):
    """D asked twice for one number."""
    a, b = scale.view(-1, *[1] * (x.dim() - 1)), std.view(-1, *[1] * (x.dim() - 1))
    D(x / a, std / scale)
    return (a * D(x / a, std / scale) - x) / b**2


def wrong__08_score_from_denoiser__in_place(D, x, scale, std):
    """x is changed."""
    a, b = scale.view(-1, *[1] * (x.dim() - 1)), std.view(-1, *[1] * (x.dim() - 1))
    x0 = D(x / a, std / scale)
    x -= a * x0
    return -x / b**2


def wrong__08_score_from_denoiser__detached(D, x, scale, std):
    """numpy on the way: gradients are lost, and it fails where they are recorded."""
    a, b = scale.view(-1, *[1] * (x.dim() - 1)), std.view(-1, *[1] * (x.dim() - 1))
    x0 = D(x / a, std / scale)
    return torch.from_numpy((a * x0 - x).numpy()) / b**2


def wrong__08_score_from_denoiser__weighted(D, x, scale, std):
    """a^2 instead of a."""
    a, b = scale.view(-1, *[1] * (x.dim() - 1)), std.view(-1, *[1] * (x.dim() - 1))
    return (a**2 * D(x / a, std / scale) - x) / b**2


# ---------------------------------------------------------------- 08-reverse_sde_step(score, x, t, t_next, f, g, lam, z)


def right__08_reverse_sde_step__dt_negative(score, x, t, t_next, f, g, lam, z):
    """dt below 0, as in the paper."""
    dt = t_next - t
    drift = f * x - g**2 * (1 + lam**2) / 2 * score(x, t)
    std = lam * g * torch.sqrt(-dt)
    return x + drift * dt + (std * z if t_next > 0 else 0)


def right__08_reverse_sde_step__ode_plus_langevin(score, x, t, t_next, f, g, lam, z):
    """The ODE's step and a Langevin step with one score."""
    h, s = t - t_next, score(x, t)
    ode = x - h * (f * x - g * g * s / 2)
    e = h * lam**2 * g * g / 2
    noisy = ode + e * s
    return noisy if not t_next else noisy + (2 * e) ** 0.5 * z


def right__08_reverse_sde_step__mask(score, x, t, t_next, f, g, lam, z):
    """A mask in the place of the if."""
    h = t - t_next
    mean = (1 - h * f) * x + h * (0.5 + 0.5 * lam * lam) * g.square() * score(x, t)
    return mean + lam * g * h.sqrt() * z * (t_next != 0)


def wrong__08_reverse_sde_step__forward_drift(score, x, t, t_next, f, g, lam, z):
    """+ f x."""
    h = t - t_next
    mean = x + h * (f * x + (1 + lam**2) / 2 * g**2 * score(x, t))
    return mean if t_next == 0 else mean + lam * g * h.sqrt() * z


def wrong__08_reverse_sde_step__dt_positive(score, x, t, t_next, f, g, lam, z):
    """The paper's drift with a dt above 0."""
    dt = t - t_next
    mean = x + dt * (f * x - (1 + lam**2) / 2 * g**2 * score(x, t))
    return mean if t_next == 0 else mean + lam * g * dt.sqrt() * z


def wrong__08_reverse_sde_step__noise_dt(score, x, t, t_next, f, g, lam, z):
    """h before the noise."""
    h = t - t_next
    mean = x + h * (-f * x + (1 + lam**2) / 2 * g**2 * score(x, t))
    return mean if t_next == 0 else mean + lam * g * h * z


def wrong__08_reverse_sde_step__noise_without_h(score, x, t, t_next, f, g, lam, z):
    """No h before the noise."""
    h = t - t_next
    mean = x + h * (-f * x + (1 + lam**2) / 2 * g**2 * score(x, t))
    return mean if t_next == 0 else mean + lam * g * z


def wrong__08_reverse_sde_step__no_half(score, x, t, t_next, f, g, lam, z):
    """1 + lam^2 without its half."""
    h = t - t_next
    mean = x + h * (-f * x + (1 + lam**2) * g**2 * score(x, t))
    return mean if t_next == 0 else mean + lam * g * h.sqrt() * z


def wrong__08_reverse_sde_step__g_not_squared(score, x, t, t_next, f, g, lam, z):
    """g in the drift."""
    h = t - t_next
    mean = x + h * (-f * x + (1 + lam**2) / 2 * g * score(x, t))
    return mean if t_next == 0 else mean + lam * g * h.sqrt() * z


def wrong__08_reverse_sde_step__own_randn(score, x, t, t_next, f, g, lam, z):
    """Noise of its own."""
    h = t - t_next
    mean = x + h * (-f * x + (1 + lam**2) / 2 * g**2 * score(x, t))
    return mean if t_next == 0 else mean + lam * g * h.sqrt() * torch.randn_like(x)


def wrong__08_reverse_sde_step__randn_for_g(score, x, t, t_next, f, g, lam, z):
    """A fresh random number in the place of g."""
    h, g = t - t_next, torch.randn((), dtype=x.dtype)
    mean = x + h * (-f * x + (1 + lam**2) / 2 * g**2 * score(x, t))
    return mean if t_next == 0 else mean + lam * g * h.sqrt() * z


def wrong__08_reverse_sde_step__noise_at_the_end(score, x, t, t_next, f, g, lam, z):
    """Noise in the last step."""
    h = t - t_next
    return x + h * (-f * x + (1 + lam**2) / 2 * g**2 * score(x, t)) + lam * g * h.sqrt() * z


def wrong__08_reverse_sde_step__sde_only(score, x, t, t_next, f, g, lam, z):
    """lam is left out."""
    h = t - t_next
    mean = x + h * (-f * x + g**2 * score(x, t))
    return mean if t_next == 0 else mean + g * h.sqrt() * z


def wrong__08_reverse_sde_step__ode_only(score, x, t, t_next, f, g, lam, z):
    """The ODE."""
    h = t - t_next
    return x + h * (-f * x + g**2 / 2 * score(x, t))


def wrong__08_reverse_sde_step__lam_in_noise_only(score, x, t, t_next, f, g, lam, z):
    """The drift of lam = 1 with the noise of lam."""
    h = t - t_next
    mean = x + h * (-f * x + g**2 * score(x, t))
    return mean if t_next == 0 else mean + lam * g * h.sqrt() * z


def wrong__08_reverse_sde_step__score_at_the_end(score, x, t, t_next, f, g, lam, z):
    """score(x, t_next)."""
    h = t - t_next
    mean = x + h * (-f * x + (1 + lam**2) / 2 * g**2 * score(x, t_next))
    return mean if t_next == 0 else mean + lam * g * h.sqrt() * z


def wrong__08_reverse_sde_step__nan(score, x, t, t_next, f, g, lam, z):
    """The root of a negative dt."""
    dt = t_next - t
    mean = x + dt * (f * x - (1 + lam**2) / 2 * g**2 * score(x, t))
    return mean if t_next == 0 else mean + lam * g * dt.sqrt() * z


def wrong__08_reverse_sde_step__sigma_for_half_its_square(score, x, t, t_next, f, g, lam, z):
    """g where g^2 / 2 belongs, for the ODE's part alone."""
    h, s = t - t_next, score(x, t)
    mean = x + h * (-f * x + g * s + lam**2 * g**2 / 2 * s)
    return mean if t_next == 0 else mean + lam * g * h.sqrt() * z


def wrong__08_reverse_sde_step__last_step_by_index(score, x, t, t_next, f, g, lam, z):
    """No noise where t_next is below 1e-2, meant as "is 0"."""
    h = t - t_next
    mean = x + h * (-f * x + (1 + lam**2) / 2 * g**2 * score(x, t))
    return mean if t_next < 1e-2 else mean + lam * g * h.sqrt() * z


def wrong__08_reverse_sde_step__t_for_h(score, x, t, t_next, f, g, lam, z):
    """sqrt(t) before the noise."""
    h = t - t_next
    mean = x + h * (-f * x + (1 + lam**2) / 2 * g**2 * score(x, t))
    return mean if t_next == 0 else mean + lam * g * t.sqrt() * z


def wrong__08_reverse_sde_step__noise_with_half(score, x, t, t_next, f, g, lam, z):
    """The drift's factor under the noise's root."""
    h = t - t_next
    mean = x + h * (-f * x + (1 + lam**2) / 2 * g**2 * score(x, t))
    return mean if t_next == 0 else mean + lam * g * (h / 2).sqrt() * z


def wrong__08_reverse_sde_step__python_float(score, x, t, t_next, f, g, lam, z):
    """The result goes through numpy, in float32."""
    h = float(t - t_next)
    mean = x + h * (-f * x + (1 + lam**2) / 2 * g**2 * score(x, t))
    noise = 0 if t_next == 0 else lam * g * h**0.5 * z
    return (mean + noise).float().to(x.dtype)


# ---------------------------------------------------------------- 08-predictor_corrector(score, x, times, f, g, r, noise)


def _norm(v):
    return v.flatten(1).norm(dim=1).mean()


def _correct(score, x, t, r, z):
    s = score(x, t)
    e = 2 * (r * _norm(z) / _norm(s)) ** 2
    return x + e * s + (2 * e).sqrt() * z


def _predict(score, x, t, t_next, f, g, z):
    h = t - t_next
    mean = x + h * (-f * x + g**2 * score(x, t))
    return mean if t_next == 0 else mean + g * h.sqrt() * z


def right__08_predictor_corrector__two_helpers(score, x, times, f, g, r, noise):
    """In two functions."""
    out = [x]
    for i in range(len(f)):
        y = _correct(score, out[-1], times[i], r, noise[i, 0])
        out.append(_predict(score, y, times[i], times[i + 1], f[i], g[i], noise[i, 1]))
    return torch.stack(out)


def right__08_predictor_corrector__zipped(score, x, times, f, g, r, noise):
    """Over zip, with numpy's root."""
    path = [x]
    for t, u, a, b, (z1, z2) in zip(times[:-1], times[1:], f, g, noise):
        s = score(x, t)
        sizes = torch.linalg.vector_norm(z1.reshape(len(z1), -1), dim=1).mean(), torch.linalg.vector_norm(s.reshape(len(s), -1), dim=1).mean()
        step = (r * sizes[0] / sizes[1]) ** 2 * 2
        x = x + step * s + torch.sqrt(step * 2) * z1
        x = _predict(score, x, t, u, a, b, z2)
        path.append(x)
    return torch.stack(path)


def wrong__08_predictor_corrector__predictor_first(score, x, times, f, g, r, noise):
    """The paper's algorithm 2 as it is printed: the corrector after the predictor, at the new time."""
    out = [x]
    for i in range(len(f)):
        y = _predict(score, out[-1], times[i], times[i + 1], f[i], g[i], noise[i, 1])
        out.append(_correct(score, y, times[i + 1], r, noise[i, 0]))
    return torch.stack(out)


def wrong__08_predictor_corrector__noise_swapped(score, x, times, f, g, r, noise):
    """noise[i, 1] to the corrector."""
    out = [x]
    for i in range(len(f)):
        y = _correct(score, out[-1], times[i], r, noise[i, 1])
        out.append(_predict(score, y, times[i], times[i + 1], f[i], g[i], noise[i, 0]))
    return torch.stack(out)


def wrong__08_predictor_corrector__own_noise(score, x, times, f, g, r, noise):
    """Noise of its own in the corrector."""
    out = [x]
    for i in range(len(f)):
        y = _correct(score, out[-1], times[i], r, torch.randn_like(x))
        out.append(_predict(score, y, times[i], times[i + 1], f[i], g[i], noise[i, 1]))
    return torch.stack(out)


def wrong__08_predictor_corrector__no_corrector(score, x, times, f, g, r, noise):
    """The predictor alone."""
    out = [x]
    for i in range(len(f)):
        out.append(_predict(score, out[-1], times[i], times[i + 1], f[i], g[i], noise[i, 1]))
    return torch.stack(out)


def wrong__08_predictor_corrector__norm_of_batch(score, x, times, f, g, r, noise):
    """The norm of the whole batch."""
    out = [x]
    for i in range(len(f)):
        s, z = score(out[-1], times[i]), noise[i, 0]
        e = 2 * (r * z.norm() / s.norm()) ** 2
        y = out[-1] + e * s + (2 * e).sqrt() * z
        out.append(_predict(score, y, times[i], times[i + 1], f[i], g[i], noise[i, 1]))
    return torch.stack(out)


def wrong__08_predictor_corrector__norm_of_last_axis(score, x, times, f, g, r, noise):
    """.norm(dim=-1).mean(): right for points, wrong for images."""
    out = [x]
    for i in range(len(f)):
        s, z = score(out[-1], times[i]), noise[i, 0]
        e = 2 * (r * z.norm(dim=-1).mean() / s.norm(dim=-1).mean()) ** 2
        y = out[-1] + e * s + (2 * e).sqrt() * z
        out.append(_predict(score, y, times[i], times[i + 1], f[i], g[i], noise[i, 1]))
    return torch.stack(out)


def wrong__08_predictor_corrector__no_square(score, x, times, f, g, r, noise):
    """The square is missing."""
    out = [x]
    for i in range(len(f)):
        s, z = score(out[-1], times[i]), noise[i, 0]
        e = 2 * (r * _norm(z) / _norm(s))
        y = out[-1] + e * s + (2 * e).sqrt() * z
        out.append(_predict(score, y, times[i], times[i + 1], f[i], g[i], noise[i, 1]))
    return torch.stack(out)


def wrong__08_predictor_corrector__sqrt_e(score, x, times, f, g, r, noise):
    """sqrt(e)."""
    out = [x]
    for i in range(len(f)):
        s, z = score(out[-1], times[i]), noise[i, 0]
        e = 2 * (r * _norm(z) / _norm(s)) ** 2
        y = out[-1] + e * s + e.sqrt() * z
        out.append(_predict(score, y, times[i], times[i + 1], f[i], g[i], noise[i, 1]))
    return torch.stack(out)


def wrong__08_predictor_corrector__r_fixed(score, x, times, f, g, r, noise):
    """0.16 whatever r is."""
    out = [x]
    for i in range(len(f)):
        y = _correct(score, out[-1], times[i], 0.16, noise[i, 0])
        out.append(_predict(score, y, times[i], times[i + 1], f[i], g[i], noise[i, 1]))
    return torch.stack(out)


def wrong__08_predictor_corrector__ode(score, x, times, f, g, r, noise):
    """The ODE as predictor."""
    out = [x]
    for i in range(len(f)):
        y, h = _correct(score, out[-1], times[i], r, noise[i, 0]), times[i] - times[i + 1]
        out.append(y - h * (f[i] * y - g[i] ** 2 / 2 * score(y, times[i])))
    return torch.stack(out)


def wrong__08_predictor_corrector__noise_at_the_end(score, x, times, f, g, r, noise):
    """Noise in the step to 0."""
    out = [x]
    for i in range(len(f)):
        y, h = _correct(score, out[-1], times[i], r, noise[i, 0]), times[i] - times[i + 1]
        out.append(y - h * (f[i] * y - g[i] ** 2 * score(y, times[i])) + g[i] * h.sqrt() * noise[i, 1])
    return torch.stack(out)


def wrong__08_predictor_corrector__never_noise_in_the_last(score, x, times, f, g, r, noise):
    """No noise in the last step, whether it ends at 0 or not."""
    out = [x]
    for i in range(len(f)):
        y, z = _correct(score, out[-1], times[i], r, noise[i, 0]), noise[i, 1]
        out.append(_predict(score, y, times[i], times[i + 1], f[i], g[i], 0 * z if i == len(f) - 1 else z))
    return torch.stack(out)


def wrong__08_predictor_corrector__old_score(score, x, times, f, g, r, noise):
    """One score a step, for both."""
    out = [x]
    for i in range(len(f)):
        s, z, h = score(out[-1], times[i]), noise[i, 0], times[i] - times[i + 1]
        e = 2 * (r * _norm(z) / _norm(s)) ** 2
        y = out[-1] + e * s + (2 * e).sqrt() * z
        y = y - h * (f[i] * y - g[i] ** 2 * s)
        out.append(y if times[i + 1] == 0 else y + g[i] * h.sqrt() * noise[i, 1])
    return torch.stack(out)


def wrong__08_predictor_corrector__last_state(score, x, times, f, g, r, noise):
    """The samples alone."""
    return right__08_predictor_corrector__two_helpers(score, x, times, f, g, r, noise)[-1]


def wrong__08_predictor_corrector__no_start(score, x, times, f, g, r, noise):
    """The start is missing."""
    return right__08_predictor_corrector__two_helpers(score, x, times, f, g, r, noise)[1:]


def wrong__08_predictor_corrector__list(score, x, times, f, g, r, noise):
    """A list of states."""
    return list(right__08_predictor_corrector__two_helpers(score, x, times, f, g, r, noise))


def wrong__08_predictor_corrector__both_kept(score, x, times, f, g, r, noise):
    """The corrected states are kept, too."""
    out = [x]
    for i in range(len(f)):
        out.append(_correct(score, out[-1], times[i], r, noise[i, 0]))
        out.append(_predict(score, out[-1], times[i], times[i + 1], f[i], g[i], noise[i, 1]))
    return torch.stack(out)


def wrong__08_predictor_corrector__f_of_the_end(score, x, times, f, g, r, noise):
    """f and g of the step after."""
    out = [x]
    for i in range(len(f)):
        k = min(i + 1, len(f) - 1)
        y = _correct(score, out[-1], times[i], r, noise[i, 0])
        out.append(_predict(score, y, times[i], times[i + 1], f[k], g[k], noise[i, 1]))
    return torch.stack(out)


# ---------------------------------------------------------------- 08-score_from_velocity(u, z, t)


def _t(t, z):
    return t.view(-1, *[1] * (z.ndim - 1))


def right__08_score_from_velocity__via_eps(u, z, t):
    """eps first."""
    s = _t(t, z)
    eps = z + u - s * u
    return -eps / s


def right__08_score_from_velocity__split(u, z, t):
    """In two terms."""
    s = _t(t, z)
    return -z / s - (1 / s - 1) * u


def right__08_score_from_velocity__einsum(u, z, t):
    """Without reshaping."""
    eps = z + torch.einsum("b,b...->b...", 1 - t, u)
    return torch.einsum("b,b...->b...", -1 / t, eps)


def wrong__08_score_from_velocity__no_division(u, z, t):
    """The missing 1 / t."""
    return -(z + (1 - _t(t, z)) * u)


def wrong__08_score_from_velocity__sign_of_u(u, z, t):
    """z - (1 - t) u."""
    s = _t(t, z)
    return -(z - (1 - s) * u) / s


def wrong__08_score_from_velocity__plus(u, z, t):
    """The minus is missing."""
    s = _t(t, z)
    return (z + (1 - s) * u) / s


def wrong__08_score_from_velocity__other_convention(u, z, t):
    """The formula of Lipman et al.: (t u - z) / (1 - t)."""
    s = _t(t, z)
    return (s * u - z) / (1 - s)


def wrong__08_score_from_velocity__other_convention_kept_finite(u, z, t):
    """The same, with a small number below."""
    s = _t(t, z)
    return (s * u - z) / (1 - s + 1e-5)


def wrong__08_score_from_velocity__x0(u, z, t):
    """x_0 in the place of eps."""
    s = _t(t, z)
    return -(z - s * u) / s


def wrong__08_score_from_velocity__t_squared(u, z, t):
    """t^2 below."""
    s = _t(t, z)
    return -(z + (1 - s) * u) / s**2


def wrong__08_score_from_velocity__sigma(u, z, t):
    """Divided by sigma = t / (1 - t)."""
    s = _t(t, z)
    return -(z + (1 - s) * u) / (s / (1 - s).clamp(min=1e-9))


def wrong__08_score_from_velocity__precedence(u, z, t):
    """Brackets missing."""
    s = _t(t, z)
    return -z + (1 - s) * u / s


def wrong__08_score_from_velocity__not_reshaped(u, z, t):
    """(B,) against the last axis."""
    return -(z + (1 - t) * u) / t


def wrong__08_score_from_velocity__images(u, z, t):
    """Reshaped for images alone."""
    s = t.view(-1, 1, 1, 1)
    return -(z + (1 - s) * u) / s


def wrong__08_score_from_velocity__eps(u, z, t):
    """The noise."""
    return z + (1 - _t(t, z)) * u


def wrong__08_score_from_velocity__clamped(u, z, t):
    """t held above 0.02."""
    s = _t(t, z).clamp(min=0.02)
    return -(z + (1 - s) * u) / s


def wrong__08_score_from_velocity__mean_time(u, z, t):
    """One time for all."""
    s = t.mean()
    return -(z + (1 - s) * u) / s


def wrong__08_score_from_velocity__vp(u, z, t):
    """As if u were v and t an angle's share."""
    s = _t(t, z)
    return -(s.sqrt() * z + (1 - s).sqrt() * u) / s.sqrt()


def wrong__08_score_from_velocity__in_place(u, z, t):
    """u is changed."""
    s = _t(t, z)
    u *= 1 - s
    return -(z + u) / s


# ---------------------------------------------------------------- 08-flow_loss(model, x0, eps, t)


def right__08_flow_loss__mse(model, x0, eps, t):
    """F.mse_loss."""
    s = _t(t, x0)
    return F.mse_loss(model(x0 + s * (eps - x0), t), eps - x0)


def right__08_flow_loss__other_sign_on_both(model, x0, eps, t):
    """Both signs turned."""
    s = _t(t, x0)
    return ((-model((1 - s) * x0 + s * eps, t)) - (x0 - eps)).pow(2).mean()


def right__08_flow_loss__per_sample(model, x0, eps, t):
    """The mean of the samples' means."""
    s = t[(...,) + (None,) * (x0.ndim - 1)]
    error = model(torch.lerp(x0, eps, s), t) - eps + x0
    return error.reshape(len(x0), -1).square().mean(1).mean()


def wrong__08_flow_loss__target_turned(model, x0, eps, t):
    """x_0 - eps."""
    s = _t(t, x0)
    return F.mse_loss(model((1 - s) * x0 + s * eps, t), x0 - eps)


def wrong__08_flow_loss__path_turned(model, x0, eps, t):
    """t x_0."""
    s = _t(t, x0)
    return F.mse_loss(model(s * x0 + (1 - s) * eps, t), eps - x0)


def wrong__08_flow_loss__both_turned(model, x0, eps, t):
    """The convention of Lipman et al."""
    s = _t(t, x0)
    return F.mse_loss(model(s * x0 + (1 - s) * eps, t), x0 - eps)


def wrong__08_flow_loss__eps_target(model, x0, eps, t):
    """eps as the target."""
    s = _t(t, x0)
    return F.mse_loss(model((1 - s) * x0 + s * eps, t), eps)


def wrong__08_flow_loss__vp_path(model, x0, eps, t):
    """A VP path."""
    s = _t(t, x0)
    return F.mse_loss(model((1 - s**2).sqrt() * x0 + s * eps, t), eps - x0)


def wrong__08_flow_loss__sigma_min(model, x0, eps, t):
    """A sigma_min of 1e-2 at the data, as in Lipman et al. 2023, eq. 22."""
    s = _t(t, x0)
    return F.mse_loss(model((1 - s) * x0 + (s + (1 - s) * 1e-2) * eps, t), eps - x0)


def wrong__08_flow_loss__sum(model, x0, eps, t):
    """A sum."""
    s = _t(t, x0)
    return (model((1 - s) * x0 + s * eps, t) - (eps - x0)).square().sum()


def wrong__08_flow_loss__sum_per_sample(model, x0, eps, t):
    """A sum over the coordinates."""
    s = _t(t, x0)
    return (model((1 - s) * x0 + s * eps, t) - (eps - x0)).square().flatten(1).sum(1).mean()


def wrong__08_flow_loss__l1(model, x0, eps, t):
    """Absolute values."""
    s = _t(t, x0)
    return F.l1_loss(model((1 - s) * x0 + s * eps, t), eps - x0)


def wrong__08_flow_loss__huber(model, x0, eps, t):
    """A smooth L1 loss."""
    s = _t(t, x0)
    return F.smooth_l1_loss(model((1 - s) * x0 + s * eps, t), eps - x0)


def wrong__08_flow_loss__detached(model, x0, eps, t):
    """The answer detached: nothing is learned."""
    s = _t(t, x0)
    return F.mse_loss(model((1 - s) * x0 + s * eps, t).detach(), eps - x0)


def wrong__08_flow_loss__item(model, x0, eps, t):
    """A Python number."""
    s = _t(t, x0)
    return F.mse_loss(model((1 - s) * x0 + s * eps, t), eps - x0).item()


def wrong__08_flow_loss__own_noise(model, x0, eps, t):
    """Noise of its own."""
    s, eps = _t(t, x0), torch.randn_like(x0)
    return F.mse_loss(model((1 - s) * x0 + s * eps, t), eps - x0)


def wrong__08_flow_loss__one_minus_t_told(model, x0, eps, t):
    """1 - t told to the model."""
    s = _t(t, x0)
    return F.mse_loss(model((1 - s) * x0 + s * eps, 1 - t), eps - x0)


def wrong__08_flow_loss__t_reshaped_for_the_model(model, x0, eps, t):
    """t of shape (B, 1, ...) given to the model."""
    s = _t(t, x0)
    return F.mse_loss(model((1 - s) * x0 + s * eps, s), eps - x0)


def wrong__08_flow_loss__not_reshaped(model, x0, eps, t):
    """(B,) against the last axis."""
    return F.mse_loss(model((1 - t) * x0 + t * eps, t), eps - x0)


def wrong__08_flow_loss__denoiser(model, x0, eps, t):
    """The model's answer taken for x_0."""
    s = _t(t, x0)
    z = (1 - s) * x0 + s * eps
    return F.mse_loss((z - model(z, t)) / s.clamp(min=1e-6), eps - x0)


# ---------------------------------------------------------------- 08-flow_bits(model, k, dither, probes, num_steps, levels)


def _asked(model, z, t, probes):
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        v = model(z, torch.full((len(z),), t, dtype=z.dtype, device=z.device))
        g = torch.autograd.grad(v, z, probes)[0]
    return v.detach(), (g * probes).flatten(1).sum(1)


def _end(z, log_det, levels):
    d = z[0].numel()
    log_p = -0.5 * z.flatten(1).square().sum(1) - d / 2 * math.log(2 * math.pi) + log_det
    return -log_p / d / math.log(2) + math.log2(levels / 2)


def right__08_flow_bits__plain(model, k, dither, probes, num_steps, levels):
    """With a helper."""
    z, total, h = 2 * (k + dither) / levels - 1, 0, 1 / num_steps
    for i in range(num_steps):
        mid = z + h / 2 * _asked(model, z, i * h, probes)[0]
        v, div = _asked(model, mid, (i + 0.5) * h, probes)
        z, total = z + h * v, total + h * div
    return _end(z, total, levels)


def right__08_flow_bits__first_slope_without_gradients(model, k, dither, probes, num_steps, levels):
    """The first slope under no_grad, and the divergence through a product."""
    x = (k + dither) / levels * 2 - 1
    logdet = torch.zeros(len(x), dtype=x.dtype)
    for i in range(num_steps):
        t = torch.full((len(x),), i / num_steps, dtype=x.dtype)
        with torch.no_grad():
            mid = x + model(x, t) / num_steps / 2
        with torch.enable_grad():
            mid.requires_grad_(True)
            v = model(mid, t + 1 / (2 * num_steps))
            (v * probes).sum().backward(inputs=[mid])
        logdet += (mid.grad * probes).flatten(1).sum(1) / num_steps
        x = x + v.detach() / num_steps
    d = x[0].numel()
    nats = 0.5 * (x**2).flatten(1).sum(1) + d * 0.5 * np.log(2 * np.pi) - logdet
    return nats / (d * np.log(2)) - np.log2(2 / levels)


def wrong__08_flow_bits__minus_divergence(model, k, dither, probes, num_steps, levels):
    """The sign of the divergence."""
    z, total, h = 2 * (k + dither) / levels - 1, 0, 1 / num_steps
    for i in range(num_steps):
        mid = z + h / 2 * _asked(model, z, i * h, probes)[0]
        v, div = _asked(model, mid, (i + 0.5) * h, probes)
        z, total = z + h * v, total - h * div
    return _end(z, total, levels)


def wrong__08_flow_bits__euler(model, k, dither, probes, num_steps, levels):
    """Euler's steps."""
    z, total, h = 2 * (k + dither) / levels - 1, 0, 1 / num_steps
    for i in range(num_steps):
        v, div = _asked(model, z, i * h, probes)
        z, total = z + h * v, total + h * div
    return _end(z, total, levels)


def wrong__08_flow_bits__euler_at_the_middle(model, k, dither, probes, num_steps, levels):
    """The old state at the middle time."""
    z, total, h = 2 * (k + dither) / levels - 1, 0, 1 / num_steps
    for i in range(num_steps):
        v, div = _asked(model, z, (i + 0.5) * h, probes)
        z, total = z + h * v, total + h * div
    return _end(z, total, levels)


def wrong__08_flow_bits__from_noise(model, k, dither, probes, num_steps, levels):
    """From t = 1 down, as a sampler."""
    z, total, h = 2 * (k + dither) / levels - 1, 0, 1 / num_steps
    for i in range(num_steps):
        mid = z - h / 2 * _asked(model, z, 1 - i * h, probes)[0]
        v, div = _asked(model, mid, 1 - (i + 0.5) * h, probes)
        z, total = z - h * v, total - h * div
    return _end(z, total, levels)


def wrong__08_flow_bits__nats(model, k, dither, probes, num_steps, levels):
    """Nats."""
    return right__08_flow_bits__plain(model, k, dither, probes, num_steps, levels) * math.log(2)


def wrong__08_flow_bits__no_bins(model, k, dither, probes, num_steps, levels):
    """Bits of the density."""
    return right__08_flow_bits__plain(model, k, dither, probes, num_steps, levels) - math.log2(levels / 2)


def wrong__08_flow_bits__log2_levels(model, k, dither, probes, num_steps, levels):
    """log2(levels)."""
    return right__08_flow_bits__plain(model, k, dither, probes, num_steps, levels) + 1


def wrong__08_flow_bits__whole_image(model, k, dither, probes, num_steps, levels):
    """Not divided by d."""
    return right__08_flow_bits__plain(model, k, dither, probes, num_steps, levels) * k[0].numel()


def wrong__08_flow_bits__mean(model, k, dither, probes, num_steps, levels):
    """The mean over the batch."""
    return right__08_flow_bits__plain(model, k, dither, probes, num_steps, levels).mean()


def wrong__08_flow_bits__no_dequantisation(model, k, dither, probes, num_steps, levels):
    """dither left out."""
    return right__08_flow_bits__plain(model, k, 0 * dither, probes, num_steps, levels)


def wrong__08_flow_bits__own_probes(model, k, dither, probes, num_steps, levels):
    """Fresh probes at every step."""
    z, total, h = 2 * (k + dither) / levels - 1, 0, 1 / num_steps
    for i in range(num_steps):
        fresh = torch.randn_like(z)
        mid = z + h / 2 * _asked(model, z, i * h, fresh)[0]
        v, div = _asked(model, mid, (i + 0.5) * h, fresh)
        z, total = z + h * v, total + h * div
    return _end(z, total, levels)


def wrong__08_flow_bits__sum_of_gradients(model, k, dither, probes, num_steps, levels):
    """The sum of J^T 1, which adds the off-diagonal entries."""
    z, total, h = 2 * (k + dither) / levels - 1, 0, 1 / num_steps
    for i in range(num_steps):
        mid = z + h / 2 * _asked(model, z, i * h, probes)[0]
        v, _ = _asked(model, mid, (i + 0.5) * h, probes)
        with torch.enable_grad():
            leaf = mid.detach().requires_grad_()
            g = torch.autograd.grad(model(leaf, torch.full((len(z),), (i + 0.5) * h, dtype=z.dtype)).sum(), leaf)[0]
        z, total = z + h * v, total + h * g.flatten(1).sum(1)
    return _end(z, total, levels)


def wrong__08_flow_bits__d_is_the_first_axis(model, k, dither, probes, num_steps, levels):
    """d taken as k.shape[1]; right for rows of pixels, wrong for images of several axes."""
    z, total, h = 2 * (k + dither) / levels - 1, 0, 1 / num_steps
    for i in range(num_steps):
        mid = z + h / 2 * _asked(model, z, i * h, probes)[0]
        v, div = _asked(model, mid, (i + 0.5) * h, probes)
        z, total = z + h * v, total + h * div
    d = k.shape[1]
    log_p = -0.5 * z.flatten(1).square().sum(1) - d / 2 * math.log(2 * math.pi) + total
    return -log_p / d / math.log(2) + math.log2(levels / 2)


def wrong__08_flow_bits__constant_of_one(model, k, dither, probes, num_steps, levels):
    """log N with the constant of one coordinate."""
    d = k[0].numel()
    extra = (d - 1) / 2 * math.log(2 * math.pi) / d / math.log(2)
    return right__08_flow_bits__plain(model, k, dither, probes, num_steps, levels) - extra


def wrong__08_flow_bits__sixteen_levels(model, k, dither, probes, num_steps, levels):
    """levels - 1 below."""
    z, total, h = 2 * (k + dither) / (levels - 1) - 1, 0, 1 / num_steps
    for i in range(num_steps):
        mid = z + h / 2 * _asked(model, z, i * h, probes)[0]
        v, div = _asked(model, mid, (i + 0.5) * h, probes)
        z, total = z + h * v, total + h * div
    return _end(z, total, levels)


def wrong__08_flow_bits__trapezoid(model, k, dither, probes, num_steps, levels):
    """The divergence by the trapezoid rule."""
    z, total, h = 2 * (k + dither) / levels - 1, 0, 1 / num_steps
    for i in range(num_steps):
        v0, first = _asked(model, z, i * h, probes)
        v, _ = _asked(model, z + h / 2 * v0, (i + 0.5) * h, probes)
        z = z + h * v
        total = total + h / 2 * (first + _asked(model, z, min((i + 1) * h, 1.0), probes)[1])
    return _end(z, total, levels)


def wrong__08_flow_bits__noise_of_the_data(model, k, dither, probes, num_steps, levels):
    """log N at the data, not at the noise."""
    z, total, h = 2 * (k + dither) / levels - 1, 0, 1 / num_steps
    start = z
    for i in range(num_steps):
        mid = z + h / 2 * _asked(model, z, i * h, probes)[0]
        v, div = _asked(model, mid, (i + 0.5) * h, probes)
        z, total = z + h * v, total + h * div
    return _end(start, total, levels)


# ---------------------------------------------------------------- answers of a second author


def _col(v, x):
    return v.reshape(-1, *[1] * (x.ndim - 1))


def right__08_score_from_denoiser__mine(D, x, scale, std):
    shape = (len(x),) + (1,) * (x.ndim - 1)
    a, b = scale.reshape(shape), std.reshape(shape)
    return (a * D(x / a, std / scale) - x) / b**2


def right__08_score_from_denoiser__eps_form(D, x, scale, std):
    a = scale[(...,) + (None,) * (x.ndim - 1)]
    b = std[(...,) + (None,) * (x.ndim - 1)]
    x0_hat = D(x / a, std / scale)
    eps_hat = (x - a * x0_hat) / b
    return -eps_hat / b


def right__08_score_from_denoiser__einsum(D, x, scale, std):
    guess = D(torch.einsum("b...,b->b...", x, 1 / scale), std / scale)
    return torch.einsum("b...,b->b...", guess, scale / std**2) - torch.einsum("b...,b->b...", x, std**-2)


def right__08_score_from_denoiser__loop_stack(D, x, scale, std):
    ve = torch.stack([x[i] / scale[i] for i in range(len(x))])
    guess = D(ve, std / scale)
    return torch.stack([(scale[i] * guess[i] - x[i]) / std[i] / std[i] for i in range(len(x))])


def right__08_reverse_sde_step__mine(score, x, t, t_next, f, g, lam, z):
    h = t - t_next
    x = x + h * (-f * x + (1 + lam**2) / 2 * g**2 * score(x, t))
    if t_next > 0:
        x = x + lam * g * h.sqrt() * z
    return x


def right__08_reverse_sde_step__via_v(score, x, t, t_next, f, g, lam, z):
    s = score(x, t)
    v = f * x - 0.5 * g * g * s
    dt = t_next - t
    new = x + v * dt - 0.5 * lam * lam * g * g * s * dt
    return new + (0.0 if float(t_next) == 0 else lam * g * math.sqrt(-float(dt))) * z


def right__08_reverse_sde_step__where(score, x, t, t_next, f, g, lam, z):
    h = t - t_next
    mean = x * (1 - f * h)
    mean = mean + (g**2 * h) * score(x, t) * (0.5 + 0.5 * lam**2)
    noise = torch.sqrt(lam**2 * g**2 * h) * z
    return mean + torch.where(t_next == 0, torch.zeros_like(noise), noise)


def right__08_reverse_sde_step__mask_2(score, x, t, t_next, f, g, lam, z):
    h = (t - t_next).item()
    s = score(x, t)
    out = x.clone()
    out += h * (-f.item()) * x
    out += h * (1 + lam**2) / 2 * g.item() ** 2 * s
    out += (t_next > 0).to(x.dtype) * lam * g.item() * h**0.5 * z
    return out


def right__08_predictor_corrector__mine(score, x, times, f, g, r, noise):
    def norm(v):
        return v.flatten(1).norm(dim=1).mean()

    states = [x]
    for i in range(len(times) - 1):
        t, t_next = times[i], times[i + 1]
        s, z = score(x, t), noise[i, 0]
        e = 2 * (r * norm(z) / norm(s)) ** 2
        x = x + e * s + (2 * e).sqrt() * z
        h = t - t_next
        x = x + h * (-f[i] * x + g[i] ** 2 * score(x, t))
        if t_next > 0:
            x = x + g[i] * h.sqrt() * noise[i, 1]
        states.append(x)
    return torch.stack(states)


def right__08_predictor_corrector__sums(score, x, times, f, g, r, noise):
    B = x.shape[0]
    out = torch.empty((len(times), *x.shape), dtype=x.dtype)
    out[0] = x
    for i in range(len(f)):
        s = score(out[i], times[i])
        zn = sum(noise[i, 0, k].pow(2).sum().sqrt() for k in range(B)) / B
        sn = sum(s[k].pow(2).sum().sqrt() for k in range(B)) / B
        e = 2 * r**2 * zn**2 / sn**2
        c = out[i] + e * s + torch.sqrt(2 * e) * noise[i, 0]
        h = times[i] - times[i + 1]
        out[i + 1] = c - f[i] * h * c + g[i] ** 2 * h * score(c, times[i])
        if times[i + 1] != 0:
            out[i + 1] += g[i] * torch.sqrt(h) * noise[i, 1]
    return out


def right__08_predictor_corrector__zip_floats(score, x, times, f, g, r, noise):
    states = x[None]
    for (t, u), fi, gi, (zc, zp) in zip(itertools.pairwise(times), f, g, noise):
        s = score(x, t)
        ratio = (zc.reshape(len(x), -1).norm(dim=-1).mean() / s.reshape(len(x), -1).norm(dim=-1).mean()).item()
        e = 2 * (r * ratio) ** 2
        y = x + e * s + math.sqrt(2 * e) * zc
        h = (t - u).item()
        x = y + h * (gi**2 * score(y, t) - fi * y) + float(u > 0) * gi * math.sqrt(h) * zp
        states = torch.cat([states, x[None]])
    return states


def right__08_predictor_corrector__linalg(score, x, times, f, g, r, noise):
    xs = [x.clone()]
    n = len(times) - 1
    for i in range(n):
        y = xs[-1]
        s = score(y, times[i])
        dims = tuple(range(1, x.ndim))
        nz = torch.linalg.vector_norm(noise[i, 0], dim=dims).mean()
        ns = torch.linalg.vector_norm(s, dim=dims).mean()
        root = 2 * r * nz / ns  # sqrt(2 e)
        y = y + root**2 / 2 * s + root * noise[i, 0]
        dt = times[i + 1] - times[i]
        drift = f[i] * y - g[i].square() * score(y, times[i])
        y = y + dt * drift
        if i < n - 1 or times[-1] > 0:
            y = y + g[i] * (-dt) ** 0.5 * noise[i, 1]
        xs.append(y)
    return torch.stack(xs, dim=0)


def right__08_score_from_velocity__mine(u, z, t):
    t = t.reshape(-1, *[1] * (z.ndim - 1))
    return -(z + (1 - t) * u) / t


def right__08_score_from_velocity__tweedie(u, z, t):
    s = t.view(len(t), *(1 for _ in z.shape[1:]))
    return ((1 - s) * (z - s * u) - z) / s**2


def right__08_score_from_velocity__loop(u, z, t):
    return torch.stack([-(z[i] + (1 - t[i]) * u[i]) / t[i] for i in range(len(t))])


def right__08_score_from_velocity__einsum_2(u, z, t):
    eps = z + torch.einsum("b,b...->b...", 1 - t, u)
    return torch.einsum("b,b...->b...", -1 / t, eps)


def right__08_flow_loss__mine(model, x0, eps, t):
    c = t.reshape(-1, *[1] * (x0.ndim - 1))
    z = (1 - c) * x0 + c * eps
    return (model(z, t) - (eps - x0)).square().mean()


def right__08_flow_loss__mse_2(model, x0, eps, t):
    c = t[(slice(None),) + (None,) * (x0.ndim - 1)]
    return torch.nn.functional.mse_loss(model(torch.lerp(x0, eps, c.expand_as(x0)), t), eps - x0)


def right__08_flow_loss__sums(model, x0, eps, t):
    z = torch.stack([(1 - t[i]) * x0[i] + t[i] * eps[i] for i in range(len(t))])
    d = x0 - eps + model(z, t)
    return torch.einsum("...,...->", d, d) / d.numel()


def right__08_flow_bits__mine(model, k, dither, probes, num_steps, levels):
    z = 2 * (k + dither) / levels - 1
    B, d = len(k), k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype, device=z.device)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype, device=z.device)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi) + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def right__08_flow_bits__distributions(model, k, dither, probes, num_steps, levels):
    x = (k + dither) * (2 / levels) - 1
    ts = torch.linspace(0, 1, num_steps + 1).to(x)
    d = math.prod(k.shape[1:])
    total = 0
    for a, b in zip(ts[:-1], ts[1:]):
        h = b - a
        with torch.enable_grad():
            x = x.detach()
            mid = (x + h / 2 * model(x, a.expand(len(x)))).detach().requires_grad_(True)
            vel = model(mid, ((a + b) / 2).expand(len(x)))
            g = torch.autograd.grad((vel * probes).sum(), mid)[0]
        x = (x + h * vel).detach()
        total = total + h * (g * probes).reshape(len(x), -1).sum(-1).detach()
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(x).reshape(len(x), -1).sum(-1)
    return (-(prior + total) / d - math.log(2 / levels)) / math.log(2)


def right__08_flow_bits__functional_vjp(model, k, dither, probes, num_steps, levels):
    z = 2 * (k + dither) / levels - 1
    n = len(z)
    h = 1.0 / num_steps
    ld = 0.0
    for i in range(num_steps):
        with torch.no_grad():
            m = z + 0.5 * h * model(z, z.new_full((n,), i / num_steps))
        tm = z.new_full((n,), (i + 0.5) / num_steps)
        with torch.enable_grad():
            v, jt = torch.autograd.functional.vjp(lambda q: model(q, tm), m, probes)
        z = z + h * v
        ld = ld + h * torch.einsum("bi,bi->b", jt.reshape(n, -1), probes.reshape(n, -1))
    d = z[0].numel()
    lp = (-z**2 / 2 - math.log(math.sqrt(2 * math.pi))).flatten(1).sum(1)
    return -(lp + ld) / d / math.log(2) + math.log2(levels) - 1


def right__08_flow_bits__jvp_forward(model, k, dither, probes, num_steps, levels):
    z = 2 * (k + dither) / levels - 1
    n = len(z)
    h = 1.0 / num_steps
    ld = torch.zeros(n, dtype=z.dtype)
    xi = probes.to(z.dtype)
    for i in range(num_steps):
        m = (z + 0.5 * h * model(z, z.new_full((n,), i / num_steps))).detach()
        tm = z.new_full((n,), (i + 0.5) / num_steps)
        v, jx = torch.func.jvp(lambda q: model(q, tm), (m,), (xi,))
        z = (z + h * v).detach()
        ld += h * (jx * xi).flatten(1).sum(1).detach()
    d = z[0].numel()
    logp = -0.5 * (z**2).flatten(1).sum(1) - 0.5 * d * math.log(2 * math.pi) + ld
    return -(logp / math.log(2) + d * math.log2(2 / levels)) / d


def wrong__08_score_from_denoiser__first_sample(D, x, scale, std):
    """a and b of sample 0 for all"""
    a, b = scale[0], std[0]
    return (a * D(x / a, std / scale) - x) / b**2


def wrong__08_score_from_denoiser__clamped_std_2(D, x, scale, std):
    """b clamped at 0.1 from below"""
    a, b = _col(scale, x), _col(std, x)
    b = b.clamp(min=0.1)
    return (a * D(x / a, std / scale) - x) / b**2


def wrong__08_score_from_denoiser__a_from_b(D, x, scale, std):
    """assumes VP for a: a = sqrt(1 - b^2)"""
    a, b = (1 - _col(std, x)**2).clamp(min=1e-9).sqrt(), _col(std, x)
    return (a * D(x / a, std / scale) - x) / b**2


def wrong__08_score_from_denoiser__detached_2(D, x, scale, std):
    """no gradient through the guess (section 6 differentiates it)"""
    a, b = _col(scale, x), _col(std, x)
    return (a * D(x / a, std / scale).detach() - x) / b**2


def wrong__08_reverse_sde_step__h_is_t(score, x, t, t_next, f, g, lam, z):
    """h = t: jumps to 0"""
    h = t
    s = score(x, t)
    out = x + h * (-f * x + (1 + lam**2) / 2 * g**2 * s)
    return out + lam * g * h.sqrt() * z if t_next > 0 else out


def wrong__08_reverse_sde_step__sqrt_of_product(score, x, t, t_next, f, g, lam, z):
    """noise sqrt(lam g h) z"""
    h = t - t_next
    s = score(x, t)
    out = x + h * (-f * x + (1 + lam**2) / 2 * g**2 * s)
    return out + (lam * g * h).sqrt() * z if t_next > 0 else out


def wrong__08_reverse_sde_step__zero_z_normalised(score, x, t, t_next, f, g, lam, z):
    """z standardised over the batch"""
    z = (z - z.mean()) / z.std()
    h = t - t_next
    s = score(x, t)
    out = x + h * (-f * x + (1 + lam**2) / 2 * g**2 * s)
    return out + lam * g * h.sqrt() * z if t_next > 0 else out


def wrong__08_reverse_sde_step__one_draw(score, x, t, t_next, f, g, lam, z):
    """one noise z[0] for all samples"""
    h = t - t_next
    s = score(x, t)
    out = x + h * (-f * x + (1 + lam**2) / 2 * g**2 * s)
    return out + lam * g * h.sqrt() * z[:1] if t_next > 0 else out


def wrong__08_reverse_sde_step__no_noise_if_t1(score, x, t, t_next, f, g, lam, z):
    """no noise in the first step (t = 1)"""
    h = t - t_next
    s = score(x, t)
    out = x + h * (-f * x + (1 + lam**2) / 2 * g**2 * s)
    return out + lam * g * h.sqrt() * z if 0 < t_next and t < 1 else out


def wrong__08_predictor_corrector__e_root(score, x, times, f, g, r, noise):
    """e = sqrt(...): e from the root of (12)"""
    states = [x]
    for i in range(len(times) - 1):
        s = score(x, times[i])
        nz, ns = _norm(noise[i, 0]), _norm(s)
        e = (2 * (r * nz / ns) ** 2).sqrt()
        x = x + e * s + (2 * e).sqrt() * noise[i, 0]
        h = times[i] - times[i + 1]
        s2 = score(x, times[i])
        x = x + h * (-f[i] * x + g[i] ** 2 * s2)
        if times[i + 1] > 0:
            x = x + g[i] * h.sqrt() * noise[i, 1]
        states.append(x)
    return torch.stack(states)


def wrong__08_predictor_corrector__score_corrected_x_old(score, x, times, f, g, r, noise):
    """score at the corrected state, but added to the old state"""
    states = [x]
    for i in range(len(times) - 1):
        s = score(x, times[i])
        nz, ns = _norm(noise[i, 0]), _norm(s)
        e = 2 * (r * nz / ns) ** 2
        y, x = x, x + e * s + (2 * e).sqrt() * noise[i, 0]
        h = times[i] - times[i + 1]
        s2 = score(x, times[i])
        x = y + h * (-f[i] * y + g[i] ** 2 * s2)
        if times[i + 1] > 0:
            x = x + g[i] * h.sqrt() * noise[i, 1]
        states.append(x)
    return torch.stack(states)


def wrong__08_predictor_corrector__norm_axis1(score, x, times, f, g, r, noise):
    """norm over axis 1 without flattening"""
    states = [x]
    for i in range(len(times) - 1):
        s = score(x, times[i])
        nz, ns = noise[i, 0].norm(dim=1).mean(), s.norm(dim=1).mean()
        e = 2 * (r * nz / ns) ** 2
        x = x + e * s + (2 * e).sqrt() * noise[i, 0]
        h = times[i] - times[i + 1]
        s2 = score(x, times[i])
        x = x + h * (-f[i] * x + g[i] ** 2 * s2)
        if times[i + 1] > 0:
            x = x + g[i] * h.sqrt() * noise[i, 1]
        states.append(x)
    return torch.stack(states)


def wrong__08_predictor_corrector__norm_axis0(score, x, times, f, g, r, noise):
    """norm over the batch axis"""
    states = [x]
    for i in range(len(times) - 1):
        s = score(x, times[i])
        nz, ns = noise[i, 0].flatten(1).norm(dim=0).mean(), s.flatten(1).norm(dim=0).mean()
        e = 2 * (r * nz / ns) ** 2
        x = x + e * s + (2 * e).sqrt() * noise[i, 0]
        h = times[i] - times[i + 1]
        s2 = score(x, times[i])
        x = x + h * (-f[i] * x + g[i] ** 2 * s2)
        if times[i + 1] > 0:
            x = x + g[i] * h.sqrt() * noise[i, 1]
        states.append(x)
    return torch.stack(states)


def wrong__08_predictor_corrector__norm_sqrt_d(score, x, times, f, g, r, noise):
    """sqrt(d) for |z|"""
    states = [x]
    for i in range(len(times) - 1):
        s = score(x, times[i])
        nz, ns = math.sqrt(x[0].numel()), _norm(s)
        e = 2 * (r * nz / ns) ** 2
        x = x + e * s + (2 * e).sqrt() * noise[i, 0]
        h = times[i] - times[i + 1]
        s2 = score(x, times[i])
        x = x + h * (-f[i] * x + g[i] ** 2 * s2)
        if times[i + 1] > 0:
            x = x + g[i] * h.sqrt() * noise[i, 1]
        states.append(x)
    return torch.stack(states)


def wrong__08_predictor_corrector__e_mean_per_sample(score, x, times, f, g, r, noise):
    """mean over the batch of the e of each sample"""
    states = [x]
    for i in range(len(times) - 1):
        s = score(x, times[i])
        nz, ns = noise[i, 0].flatten(1).norm(dim=1), s.flatten(1).norm(dim=1)
        e = (2 * (r * nz / ns) ** 2).mean()
        x = x + e * s + (2 * e).sqrt() * noise[i, 0]
        h = times[i] - times[i + 1]
        s2 = score(x, times[i])
        x = x + h * (-f[i] * x + g[i] ** 2 * s2)
        if times[i + 1] > 0:
            x = x + g[i] * h.sqrt() * noise[i, 1]
        states.append(x)
    return torch.stack(states)


def wrong__08_predictor_corrector__no_corr_noise_at_end(score, x, times, f, g, r, noise):
    """the corrector too is without noise in the step to 0"""
    states = [x]
    for i in range(len(times) - 1):
        s = score(x, times[i])
        nz, ns = _norm(noise[i, 0]), _norm(s)
        e = 2 * (r * nz / ns) ** 2
        x = x + e * s + ((2 * e).sqrt() * noise[i, 0] if times[i + 1] > 0 else 0)
        h = times[i] - times[i + 1]
        s2 = score(x, times[i])
        x = x + h * (-f[i] * x + g[i] ** 2 * s2)
        if times[i + 1] > 0:
            x = x + g[i] * h.sqrt() * noise[i, 1]
        states.append(x)
    return torch.stack(states)


def wrong__08_predictor_corrector__no_corr_at_end(score, x, times, f, g, r, noise):
    """no corrector in the step to 0"""
    states = [x]
    for i in range(len(times) - 1):
        s = score(x, times[i])
        nz, ns = _norm(noise[i, 0]), _norm(s)
        e = 2 * (r * nz / ns) ** 2
        x = x + e * s + (2 * e).sqrt() * noise[i, 0] if times[i + 1] > 0 else x
        h = times[i] - times[i + 1]
        s2 = score(x, times[i])
        x = x + h * (-f[i] * x + g[i] ** 2 * s2)
        if times[i + 1] > 0:
            x = x + g[i] * h.sqrt() * noise[i, 1]
        states.append(x)
    return torch.stack(states)


def wrong__08_predictor_corrector__even_steps(score, x, times, f, g, r, noise):
    """h = 1/N, even steps assumed"""
    states = [x]
    for i in range(len(times) - 1):
        s = score(x, times[i])
        nz, ns = _norm(noise[i, 0]), _norm(s)
        e = 2 * (r * nz / ns) ** 2
        x = x + e * s + (2 * e).sqrt() * noise[i, 0]
        h = (times[0] - times[-1]) / (len(times) - 1)
        s2 = score(x, times[i])
        x = x + h * (-f[i] * x + g[i] ** 2 * s2)
        if times[i + 1] > 0:
            x = x + g[i] * h.sqrt() * noise[i, 1]
        states.append(x)
    return torch.stack(states)


def wrong__08_predictor_corrector__e_clamped(score, x, times, f, g, r, noise):
    """e clamped at 0.01 from above"""
    states = [x]
    for i in range(len(times) - 1):
        s = score(x, times[i])
        nz, ns = _norm(noise[i, 0]), _norm(s)
        e = (2 * (r * nz / ns) ** 2).clamp(max=0.01)
        x = x + e * s + (2 * e).sqrt() * noise[i, 0]
        h = times[i] - times[i + 1]
        s2 = score(x, times[i])
        x = x + h * (-f[i] * x + g[i] ** 2 * s2)
        if times[i + 1] > 0:
            x = x + g[i] * h.sqrt() * noise[i, 1]
        states.append(x)
    return torch.stack(states)


def wrong__08_predictor_corrector__one_step_short(score, x, times, f, g, r, noise):
    """N - 1 steps, the last repeated"""
    states = [x]
    for i in range(len(times) - 1):
        s = score(x, times[i])
        nz, ns = _norm(noise[i, 0]), _norm(s)
        e = 2 * (r * nz / ns) ** 2
        x = x + e * s + (2 * e).sqrt() * noise[i, 0]
        h = times[i] - times[i + 1]
        s2 = score(x, times[i])
        x = x + h * (-f[i] * x + g[i] ** 2 * s2)
        if times[i + 1] > 0:
            x = x + g[i] * h.sqrt() * noise[i, 1]
        states.append(x)
    states[-1] = states[-2]
    return torch.stack(states)


def wrong__08_score_from_velocity__just_minus_u(u, z, t):
    """the score taken as -u"""
    return -u


def wrong__08_score_from_velocity__tweedie_ve(u, z, t):
    """Tweedie with sigma: ((1-t) x0_hat - z)/(t/(1-t))^2"""
    c = _col(t, z)
    return ((1 - c) * (z - c * u) - z) / (c / (1 - c)) ** 2


def wrong__08_score_from_velocity__clamped_top(u, z, t):
    """t clamped to at most 0.99"""
    t = t.clamp(max=0.99)
    c = _col(t, z)
    return -(z + (1 - c) * u) / c


def wrong__08_score_from_velocity__clamped_low(u, z, t):
    """t clamped to at least 0.05"""
    t = t.clamp(min=0.05)
    c = _col(t, z)
    return -(z + (1 - c) * u) / c


def wrong__08_score_from_velocity__vp_ab(u, z, t):
    """a = sqrt(1 - t^2)"""
    c = _col(t, z)
    return -(z + (1 - c**2).sqrt() * u) / c


def wrong__08_flow_loss__target_div_t(model, x0, eps, t):
    """target (z - x0)/t: right but nan at t = 0"""
    c = _col(t, x0)
    z = (1 - c) * x0 + c * eps
    return (model(z, t) - (z - x0) / c).square().mean()


def wrong__08_flow_loss__target_div_1mt(model, x0, eps, t):
    """target (eps - z)/(1 - t): right but nan at t = 1"""
    c = _col(t, x0)
    z = (1 - c) * x0 + c * eps
    return (model(z, t) - (eps - z) / (1 - c)).square().mean()


def wrong__08_flow_loss__one_t(model, x0, eps, t):
    """one time for all, in z and model"""
    t = t[:1].expand(len(x0))
    c = _col(t, x0)
    z = (1 - c) * x0 + c * eps
    return (model(z, t) - (eps - x0)).square().mean()


def wrong__08_flow_loss__variance(model, x0, eps, t):
    """mean error is taken off: the variance"""
    c = _col(t, x0)
    z = (1 - c) * x0 + c * eps
    d = model(z, t) - (eps - x0)
    return (d - d.mean()).square().mean()


def wrong__08_flow_loss__n_minus_1(model, x0, eps, t):
    """over n - 1"""
    c = _col(t, x0)
    z = (1 - c) * x0 + c * eps
    d = model(z, t) - (eps - x0)
    return d.square().sum() / (d.numel() - 1)


def wrong__08_flow_loss__clamp_t(model, x0, eps, t):
    """t clamped to [0.01, 0.99]"""
    t = t.clamp(0.01, 0.99)
    c = _col(t, x0)
    z = (1 - c) * x0 + c * eps
    return (model(z, t) - (eps - x0)).square().mean()


def wrong__08_flow_bits__bin_over_ln2(model, k, dither, probes, num_steps, levels):
    """log2(levels/2) over ln 2 once more"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return (-logp / d + math.log2(levels / 2)) / math.log(2)


def wrong__08_flow_bits__hard_17_bin(model, k, dither, probes, num_steps, levels):
    """log2(17/2), whatever levels is"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(17 / 2)


def wrong__08_flow_bits__half_dither(model, k, dither, probes, num_steps, levels):
    """bin centres: dither 0.5"""
    z = 2 * (k + 0 * dither + 0.5) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__zero_one_bits(model, k, dither, probes, num_steps, levels):
    """x in [0, 1] with log2(levels)"""
    z = (k + dither) / levels
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels)


def wrong__08_flow_bits__end_time(model, k, dither, probes, num_steps, levels):
    """velocity at m at t + h"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__half_from_mid_time(model, k, dither, probes, num_steps, levels):
    """half step with the velocity of t + h/2"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t + h / 2)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__moves_from_m(model, k, dither, probes, num_steps, levels):
    """the step starts at m: z = m + h u"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = m.detach() + h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__moves_half_from_m(model, k, dither, probes, num_steps, levels):
    """z = m + h/2 u(m)"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = m.detach() + h / 2 * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__grad_to_z(model, k, dither, probes, num_steps, levels):
    """differentiated with respect to z, through the half step"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            m = z + h / 2 * model(z, t)
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, z, probes)
        z = (z + h * v).detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__minus_u(model, k, dither, probes, num_steps, levels):
    """velocity -u (the other convention)"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z - h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z - h * v.detach()
        logdet = logdet - h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__move_minus(model, k, dither, probes, num_steps, levels):
    """z moves with -u, log det with +"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z - h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z - h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__prior_plus(model, k, dither, probes, num_steps, levels):
    """+|z|^2/2"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = 0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__nats_2(model, k, dither, probes, num_steps, levels):
    """nats: no division by ln 2"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / d + math.log2(levels / 2)


def wrong__08_flow_bits__exact_trace(model, k, dither, probes, num_steps, levels):
    """exact trace, probes not used"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            fl = v.flatten(1)
            div = sum(torch.autograd.grad(fl[:, j].sum(), m, retain_graph=True)[0].flatten(1)[:, j] for j in range(d))
        z = z + h * v.detach()
        logdet = logdet + h * div
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__grad_sum_sum(model, k, dither, probes, num_steps, levels):
    """differentiates the sum of v and sums it: sum of all J"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v.sum(), m)
        z = z + h * v.detach()
        logdet = logdet + h * jt.flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__trace_axis(model, k, dither, probes, num_steps, levels):
    """summed over axis 1 without flattening (right for vectors)"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + h * (jt * probes).sum(1).reshape(B, -1)[:, 0]
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__no_h(model, k, dither, probes, num_steps, levels):
    """log det without h"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__last_trace(model, k, dither, probes, num_steps, levels):
    """only the last step's trace"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__first_missing(model, k, dither, probes, num_steps, levels):
    """starts with step 1"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(1, num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__one_more(model, k, dither, probes, num_steps, levels):
    """num_steps + 1 steps"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps + 1):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__steps_20(model, k, dither, probes, num_steps, levels):
    """always 20 steps"""
    num_steps = 20
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__starts_at_eps(model, k, dither, probes, num_steps, levels):
    """from t = 1e-3 on"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), 1e-3 + i * h * (1 - 1e-3), dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__probe_normalised(model, k, dither, probes, num_steps, levels):
    """probes divided by their norm, times nothing"""
    probes = probes / probes.flatten(1).norm(dim=1).reshape(-1, *[1] * (k.ndim - 1))
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__bits_clamped(model, k, dither, probes, num_steps, levels):
    """clamped to [0, log2 levels]"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return (-logp / (d * math.log(2)) + math.log2(levels / 2)).clamp(0, math.log2(levels))


def wrong__08_flow_bits__clip_z(model, k, dither, probes, num_steps, levels):
    """z clamped to [-1, 1] at each step"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = (z + h * v.detach()).clamp(-1, 1)
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__gaussian_noise_dither(model, k, dither, probes, num_steps, levels):
    """k rounded: integer division"""
    z = 2 * torch.div(k, levels, rounding_mode='floor') + 2 * dither / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__jacobian_of_batch0(model, k, dither, probes, num_steps, levels):
    """trace of sample 0 for all"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + h * (jt * probes)[0].sum()
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__minus_all(model, k, dither, probes, num_steps, levels):
    """velocity -u everywhere, t from 1 down to 0 (a sampler copied)"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z - h / 2 * model(z, 1 - t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, 1 - t - h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z - h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__mean_prior_and_ld(model, k, dither, probes, num_steps, levels):
    """log N and log det as means over coordinates and divided by d again"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).mean(1)
    logp = (-0.5 * z.square() - 0.5 * math.log(2 * math.pi)).flatten(1).mean(1)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_flow_bits__z_half(model, k, dither, probes, num_steps, levels):
    """z moves h/2 only"""
    z = 2 * (k + dither) / levels - 1
    B = len(k)
    d = k[0].numel()
    h = 1 / num_steps
    logdet = torch.zeros(B, dtype=z.dtype)
    for i in range(num_steps):
        t = torch.full((B,), i * h, dtype=z.dtype)
        with torch.no_grad():
            m = z + h / 2 * model(z, t)
        with torch.enable_grad():
            m = m.detach().requires_grad_()
            v = model(m, t + h / 2)
            (jt,) = torch.autograd.grad(v, m, probes)
        z = z + h / 2 * v.detach()
        logdet = logdet + h * (jt * probes).flatten(1).sum(1)
    logp = -0.5 * z.square().flatten(1).sum(1) - d / 2 * math.log(2 * math.pi)
    logp = logp + logdet
    return -logp / (d * math.log(2)) + math.log2(levels / 2)


def wrong__08_predictor_corrector__corr_noise_with_lam_h(score, x, times, f, g, r, noise):
    """corrector's noise dropped in step to 0 and predictor's kept"""
    states = [x]
    for i in range(len(times) - 1):
        s = score(x, times[i])
        nz, ns = _norm(noise[i, 0]), _norm(s)
        e = 2 * (r * nz / ns) ** 2
        x = x + e * s + ((2 * e).sqrt() * noise[i, 0] if times[i + 1] > 0 else 0)
        h = times[i] - times[i + 1]
        s2 = score(x, times[i])
        x = x + h * (-f[i] * x + g[i] ** 2 * s2)
        x = x + g[i] * h.sqrt() * noise[i, 1]
        states.append(x)
    return torch.stack(states)
