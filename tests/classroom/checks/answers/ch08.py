"""Answers of (imagined) students to the exercises of chapter 8. The name tells exercise and verdict."""

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
