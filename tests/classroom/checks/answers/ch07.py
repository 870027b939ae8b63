"""Answers of (imagined) students to the exercises of chapter 7. The name tells exercise and verdict."""

import math
from fractions import Fraction

import numpy as np
import torch
from torch.nn import functional as F

# ---------------------------------------------------------------- 07-ddim_step(eps_model, x_t, t, t_prev, eta, z, alpha_bar)


def wrong__07_ddim_step__slip_index_t(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """Reads alpha_bar[t], which is alpha_bar_{t+1}, and fails at t = T."""
    ab = alpha_bar[t]
    ab_prev = alpha_bar[t_prev] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_index_t_prev(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """Reads alpha_bar[t_prev], one entry too far; only alpha_bar[t - 1] is right."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).clamp(min=0).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_wrap_around(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """At t_prev = 0 the index -1 reads alpha_bar_T, the last entry."""
    ab, ab_prev = alpha_bar[t - 1], alpha_bar[t_prev - 1]
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).clamp(min=0).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_zero_for_alpha_bar_0(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """Takes alpha_bar_0 = 0 (all noise) where it is 1 (clean data)."""
    table = torch.cat([alpha_bar.new_zeros(1), alpha_bar])
    ab, ab_prev = table[t], table[t_prev]
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt() if t_prev else 0.0
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_swapped_levels(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """The two levels are swapped: adds noise instead of removing it."""
    ab_prev = alpha_bar[t - 1]
    ab = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab_prev)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab) / (1 - ab_prev) * (1 - ab_prev / ab)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).clamp(min=0).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_no_shortening(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """The old noise is not shortened: -s^2 is missing under the root, so the variance is too large."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_s_not_squared(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """s instead of s^2 under the root."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s).clamp(min=0).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_s_is_variance(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """The roots of s are missing: s is the variance."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * (1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_no_eta(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """eta is not used: always DDPM's noise."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_no_noise(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """The fresh noise s z is not added: right for eta = 0 only."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps


def wrong__07_ddim_step__slip_eps_and_z_swapped(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """The predicted and the fresh noise are swapped in the last two terms."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * z + s * eps


def wrong__07_ddim_step__slip_fraction_upside_down(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """(1 - alpha_bar_t) / (1 - alpha_bar_t') in s is upside down."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab) / (1 - ab_prev) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).clamp(min=0).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_x0_not_divided(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """x_0 is not divided by sqrt(alpha_bar_t)."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = x_t - (1 - ab).sqrt() * eps
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_brackets_x0(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """Brackets: only the noise is divided by sqrt(alpha_bar_t), not x_t."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = x_t - (1 - ab).sqrt() * eps / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_no_root_of_ab(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """x_0 is multiplied by alpha_bar_t' without the root."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_int_time(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """The model gets the integer t and not one time per sample."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, t)
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_scalar_time(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """The model gets a time of shape () and not (B,)."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.tensor(t))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_float_time(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """The times are floats (full_like of x's entries), and a table cannot be indexed with them."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.ones(len(x_t)) * t)
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_time_minus_one(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """The model is told t - 1, the index of the table, instead of t."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t - 1, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_time_t_prev(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """The model is told t_prev, where the step goes, instead of t, where x_t is."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t_prev, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_own_noise(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """Draws fresh noise itself instead of using z."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * torch.randn_like(x_t)


def wrong__07_ddim_step__slip_in_place(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """-= and /= change the caller's x_t."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t.clone(), torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x_t -= (1 - ab).sqrt() * eps
    x_t /= ab.sqrt()
    return ab_prev.sqrt() * x_t + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_guess_only(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """Returns the clean guess x_0 instead of x_{t_prev}: right at t_prev = 0 only."""
    ab = alpha_bar[t - 1]
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    return (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()


def wrong__07_ddim_step__slip_tuple(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """Returns the pair (x_{t_prev}, x_0), as some libraries do."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z, x0


def wrong__07_ddim_step__slip_cuda(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """The times are put on "cuda", whatever device x_t is on."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device="cuda"))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_two(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """Two slips: index -1 at t_prev = 0, and s^2 missing under the root."""
    ab, ab_prev = alpha_bar[t - 1], alpha_bar[t_prev - 1]
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).clamp(min=0).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev).sqrt() * eps + s * z


def wrong__07_ddim_step__subtle_first_entry_for_zero(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """At t_prev = 0 it takes alpha_bar_1 instead of 1, so the last step does not end at clean data."""
    ab, ab_prev = alpha_bar[t - 1], alpha_bar[max(t_prev, 1) - 1]
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__subtle_one_is_clean_too(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """t_prev = 1 is treated like 0: `t_prev > 1` where `t_prev > 0` is right."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 1 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__subtle_no_noise_into_one(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """No fresh noise into t_prev = 1 ("the last step has none"): the last step is the one into 0."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    if t_prev <= 1:
        z = torch.zeros_like(z)
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__subtle_neighbour_beta(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """s takes beta_t of the neighbours, 1 - alpha_bar_t / alpha_bar_{t-1}: right for t_prev = t - 1 only."""
    table = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar])
    ab, ab_prev = table[t], table[t_prev]
    beta = 1 - ab / table[t - 1]
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * beta).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).clamp(min=0).sqrt() * eps + s * z


def wrong__07_ddim_step__subtle_neighbour_step(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """Always goes to t - 1, wherever t_prev is."""
    table = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar])
    ab, ab_prev = table[t], table[t - 1]
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__subtle_guess_clipped(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """x_0 is clipped to [-1, 1]; the chapter clips in the model, and the step must not."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = ((x_t - (1 - ab).sqrt() * eps) / ab.sqrt()).clamp(-1, 1)
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__subtle_root_clamped(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """The root of the direction is kept above 1e-4, so noise is left at t_prev = 0."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).clamp(min=1e-8).sqrt() * eps + s * z


def wrong__07_ddim_step__subtle_ab_clamped(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """alpha_bar is kept above 1e-5, where that of the cosine schedule ends at 2e-9."""
    alpha_bar = alpha_bar.clamp(min=1e-5)
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__subtle_eps_in_denominator(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """1e-8 beside sqrt(alpha_bar_t), which is 5e-5 at the end of the cosine schedule."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab + 1e-8) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / (ab.sqrt() + 1e-8)
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__subtle_eta_as_switch(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """eta is a switch: any eta above 0 gives the full noise of DDPM."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt() if eta else torch.zeros_like(ab)
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__subtle_eta_scales_variance(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """eta multiplies the variance instead of the standard deviation: the same at 0 and 1, not between."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = (eta * (1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__subtle_eta_squared(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """eta^2 where eta is right: the same at 0 and 1, not between."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta**2 * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__subtle_large_variance_at_one(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """At eta = 1 the fresh noise has DDPM's other variance, beta_t instead of beta-tilde_t."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    fresh = (1 - ab / ab_prev).sqrt() if eta == 1 else s
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + fresh * z


def wrong__07_ddim_step__subtle_float32_table(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """The table takes a detour through float32, where 1 - alpha_bar_1 = 4e-5 keeps three digits."""
    table = alpha_bar.float()
    ab = table[t - 1]
    ab_prev = table[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).clamp(min=0).sqrt() * eps + s * z


def wrong__07_ddim_step__subtle_two_calls(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """Calls the model twice, once for x_0 and once for the direction: the sampler costs the double."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    times = torch.full((len(x_t),), t, device=x_t.device)
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps_model(x_t, times)) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps_model(x_t, times) + s * z


def wrong__07_ddim_step__subtle_in_place_answer(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """mul_ changes the model's answer, and a model that keeps its eps (as the notebook's check does) is damaged."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return eps.mul_((1 - ab_prev - s**2).sqrt()).add_(ab_prev.sqrt() * x0).add_(s * z)


def wrong__07_ddim_step__subtle_cached_levels(eps_model, x_t, t, t_prev, eta, z, alpha_bar, _memo={}):
    """Keeps the coefficients by (t, t_prev), so a second schedule gets those of the first."""
    if (t, t_prev) not in _memo:
        ab = alpha_bar[t - 1]
        ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
        _memo[t, t_prev] = ab, ab_prev, ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    ab, ab_prev, full = _memo[t, t_prev]
    s = eta * full
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__slip_one_time(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """One time of shape (1,) for the whole batch: right for a batch of one only."""
    ab = alpha_bar[t - 1]
    ab_prev = alpha_bar[t_prev - 1] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.tensor([t], device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def wrong__07_ddim_step__subtle_T_1000(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """Counts from the end, alpha_bar[t - 1001], which is right for T = 1000 only."""
    ab = alpha_bar[t - 1001]
    ab_prev = alpha_bar[t_prev - 1001] if t_prev > 0 else torch.ones_like(ab)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s**2).sqrt() * eps + s * z


def right__07_ddim_step__one_in_front(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """alpha_bar_0 = 1 put in front of the table, so that index and time are the same."""
    table = F.pad(alpha_bar, (1, 0), value=1.0)
    ab, ab_prev = table[t], table[t_prev]
    eps = eps_model(x_t, torch.full((x_t.shape[0],), t, dtype=torch.int64, device=x_t.device))
    s = eta * torch.sqrt((1 - ab_prev) / (1 - ab)) * torch.sqrt(1 - ab / ab_prev)
    x0 = (x_t - torch.sqrt(1 - ab) * eps) / torch.sqrt(ab)
    return torch.sqrt(ab_prev) * x0 + torch.sqrt(1 - ab_prev - s**2) * eps + s * z


def right__07_ddim_step__python_numbers(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """All coefficients are Python numbers, from math.sqrt."""
    ab = float(alpha_bar[t - 1])
    ab_prev = float(alpha_bar[t_prev - 1]) if t_prev else 1.0
    s = eta * math.sqrt((1 - ab_prev) / (1 - ab)) * math.sqrt(1 - ab / ab_prev)
    eps = eps_model(x_t, torch.tensor([t] * len(x_t), device=x_t.device))
    x0 = (x_t - math.sqrt(1 - ab) * eps) / math.sqrt(ab)
    return math.sqrt(ab_prev) * x0 + math.sqrt(max(1 - ab_prev - s * s, 0.0)) * eps + s * z


def right__07_ddim_step__a_and_b(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """The form a x_0 + b x_t + s z of section 2."""
    ab = alpha_bar[t - 1]
    ab_prev = torch.ones_like(ab) if t_prev == 0 else alpha_bar[t_prev - 1]
    s2 = eta**2 * (1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)
    b = ((1 - ab_prev - s2) / (1 - ab)).sqrt()
    a = ab_prev.sqrt() - b * ab.sqrt()
    x0 = (x_t - (1 - ab).sqrt() * eps_model(x_t, x_t.new_full((len(x_t),), t, dtype=torch.long))) / ab.sqrt()
    return a * x0 + b * x_t + s2.sqrt() * z


def right__07_ddim_step__gather(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """One level per sample with gather, reshaped against x_t and cast to its dtype after the roots."""
    table = torch.cat([alpha_bar.new_ones(1), alpha_bar]).double()
    times = torch.full((len(x_t),), t, device=x_t.device)
    ab = table.gather(0, times.cpu())
    ab_prev = table.gather(0, torch.full_like(times.cpu(), t_prev))
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    roots = (ab.sqrt(), (1 - ab).sqrt(), ab_prev.sqrt(), (1 - ab_prev - s**2).sqrt(), s)
    root_ab, root_noise, root_prev, direction, s = (
        r.to(x_t).reshape(-1, *[1] * (x_t.ndim - 1)) for r in roots
    )
    eps = eps_model(x_t, times)
    return root_prev * (x_t - root_noise * eps) / root_ab + direction * eps + s * z


def right__07_ddim_step__ve_coordinates(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """In the coordinates x / sqrt(alpha_bar), where the step is x_0 + a part of sigma', and back."""
    table = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar])
    scale, scale_prev = table[t].sqrt(), table[t_prev].sqrt()
    sigma, sigma_prev = (1 - table[t]).sqrt() / scale, (1 - table[t_prev]).sqrt() / scale_prev
    fresh = eta * sigma_prev * (1 - (sigma_prev / sigma) ** 2).sqrt()
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    x_bar = x_t / scale - sigma * eps + (sigma_prev**2 - fresh**2).sqrt() * eps + fresh * z
    return scale_prev * x_bar


def right__07_ddim_step__einsum(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """Everything multiplied out: three numbers before x_t, eps and z, summed by an einsum."""
    ab = alpha_bar[t - 1].item()
    ab_prev = 1.0 if t_prev == 0 else alpha_bar[t_prev - 1].item()
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)) ** 0.5
    ratio = (ab_prev / ab) ** 0.5
    of_eps = (1 - ab_prev - s**2) ** 0.5 - ratio * (1 - ab) ** 0.5
    eps = eps_model(x_t, torch.zeros(len(x_t), dtype=torch.long, device=x_t.device) + t)
    return torch.einsum("k,k...->...", x_t.new_tensor([ratio, of_eps, s]), torch.stack([x_t, eps, z]))


@torch.no_grad()
def right__07_ddim_step__float64_inside(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """float64 inside, cast back at the end, under no_grad, with where for t_prev = 0 and a clamped root."""
    ab = alpha_bar.double().index_select(0, torch.tensor([t - 1, max(t_prev - 1, 0)]))
    now, then = ab[0], torch.where(torch.tensor(t_prev > 0), ab[1], torch.ones_like(ab[1]))
    s = eta * ((1 - then) / (1 - now) * (1 - now / then)).sqrt()
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device)).double()
    x0 = (x_t.double() - (1 - now).sqrt() * eps) / now.sqrt()
    x_prev = then.sqrt() * x0 + (1 - then - s**2).clamp(min=0).sqrt() * eps + s * z.double()
    return x_prev.to(x_t.dtype)


def right__07_ddim_step__clean_shortcut(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    """Returns x_0 itself at t_prev = 0, where both noises vanish; and skips z at eta = 0."""
    ab = alpha_bar[t - 1]
    eps = eps_model(x_t, torch.full(x_t.shape[:1], t, device=x_t.device))
    x0 = (x_t - (1 - ab).sqrt() * eps) / ab.sqrt()
    if t_prev == 0:
        return x0
    ab_prev = alpha_bar[t_prev - 1]
    if eta == 0:
        return ab_prev.sqrt() * x0 + (1 - ab_prev).sqrt() * eps
    s = eta * ((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev)).sqrt()
    return ab_prev.sqrt() * x0 + (1 - ab_prev - s.square()).sqrt() * eps + s * z


# ---------------------------------------------------------------- 07-timestep_subsequence(T, n, power)


def wrong__07_timestep_subsequence__slip_rising(T, n, power):
    """The times rise from 1 to T; sampling goes down."""
    u = torch.linspace(0, 1, n, dtype=torch.float64)
    return 1 + ((T - 1) * u**power).round().long()


def wrong__07_timestep_subsequence__slip_from_zero(T, n, power):
    """The 1 in front is missing: the times run from T - 1 to 0."""
    u = torch.linspace(1, 0, n, dtype=torch.float64)
    return ((T - 1) * u**power).round().long()


def wrong__07_timestep_subsequence__slip_T_plus_one(T, n, power):
    """T instead of T - 1: the first time is T + 1."""
    u = torch.linspace(1, 0, n, dtype=torch.float64)
    return 1 + (T * u**power).round().long()


def wrong__07_timestep_subsequence__slip_T_to_zero(T, n, power):
    """round(T u^p) without the 1: the last time is 0, clean data, and no network call is needed there."""
    u = torch.linspace(1, 0, n, dtype=torch.float64)
    return (T * u**power).round().long()


def wrong__07_timestep_subsequence__slip_floor(T, n, power):
    """long() cuts off instead of rounding."""
    u = torch.linspace(1, 0, n, dtype=torch.float64)
    return 1 + ((T - 1) * u**power).long()


def wrong__07_timestep_subsequence__slip_ceil(T, n, power):
    """Rounds up instead of to the nearest integer."""
    u = torch.linspace(1, 0, n, dtype=torch.float64)
    return 1 + ((T - 1) * u**power).ceil().long()


def wrong__07_timestep_subsequence__slip_float(T, n, power):
    """Rounded, but still floats: they cannot index a table."""
    u = torch.linspace(1, 0, n, dtype=torch.float64)
    return 1 + ((T - 1) * u**power).round()


def wrong__07_timestep_subsequence__slip_int32(T, n, power):
    """int32 instead of int64."""
    u = torch.linspace(1, 0, n, dtype=torch.float64)
    return 1 + ((T - 1) * u**power).round().int()


def wrong__07_timestep_subsequence__slip_root(T, n, power):
    """The power is inverted: u^(1/p) crowds the times near T."""
    u = torch.linspace(1, 0, n, dtype=torch.float64)
    return 1 + ((T - 1) * u ** (1 / power)).round().long()


def wrong__07_timestep_subsequence__slip_power_of_all(T, n, power):
    """Brackets: the power meets T - 1 as well."""
    u = torch.linspace(1, 0, n, dtype=torch.float64)
    return 1 + (((T - 1) * u) ** power).round().long()


def wrong__07_timestep_subsequence__slip_power_ignored(T, n, power):
    """The power is not used: always uniform."""
    return 1 + ((T - 1) * torch.linspace(1, 0, n, dtype=torch.float64)).round().long()


def wrong__07_timestep_subsequence__slip_n_plus_one(T, n, power):
    """n + 1 times."""
    u = torch.linspace(1, 0, n + 1, dtype=torch.float64)
    return 1 + ((T - 1) * u**power).round().long()


def wrong__07_timestep_subsequence__slip_u_over_n(T, n, power):
    """u falls in steps of 1/n and does not reach 0: the last time is not 1."""
    u = torch.arange(n, 0, -1, dtype=torch.float64) / n
    return 1 + ((T - 1) * u**power).round().long()


def wrong__07_timestep_subsequence__slip_leading(T, n, power):
    """The "leading" times, 1 and up in steps of T // n: T is missing."""
    return 1 + (T // n) * torch.arange(n - 1, -1, -1)


def wrong__07_timestep_subsequence__slip_trailing(T, n, power):
    """The "trailing" times, T and down in steps of T / n: 1 is missing."""
    return (torch.arange(n, 0, -1, dtype=torch.float64) ** power * T / n**power).round().long()


def wrong__07_timestep_subsequence__slip_list(T, n, power):
    """Returns a Python list and no tensor."""
    u = torch.linspace(1, 0, n, dtype=torch.float64)
    return (1 + ((T - 1) * u**power).round().long()).tolist()


def wrong__07_timestep_subsequence__slip_numpy(T, n, power):
    """Returns a numpy array and no tensor."""
    return 1 + np.round((T - 1) * np.linspace(1, 0, n) ** power).astype(np.int64)


def wrong__07_timestep_subsequence__slip_none(T, n, power):
    """Computes the times and forgets to return them."""
    u = torch.linspace(1, 0, n, dtype=torch.float64)
    times = 1 + ((T - 1) * u**power).round().long()


def wrong__07_timestep_subsequence__slip_two(T, n, power):
    """Two slips: rising, and from 0 to T - 1."""
    return ((T - 1) * torch.linspace(0, 1, n, dtype=torch.float64) ** power).round().long()


def wrong__07_timestep_subsequence__subtle_flip_n_one(T, n, power):
    """Rises and is flipped at the end: right except for n = 1, where linspace(0, 1, 1) is 0 and the time 1."""
    u = torch.linspace(0, 1, n, dtype=torch.float64)
    return (1 + ((T - 1) * u**power).round().long()).flip(0)


def wrong__07_timestep_subsequence__subtle_division_n_one(T, n, power):
    """Divides by n - 1: for n = 1 that is 0/0, and NaN becomes a huge negative integer."""
    u = torch.arange(n - 1, -1, -1, dtype=torch.float64) / (n - 1)
    return 1 + ((T - 1) * u**power).round().long()


def wrong__07_timestep_subsequence__subtle_python_division(T, n, power):
    """Divides Python numbers by n - 1: ZeroDivisionError for n = 1."""
    return torch.tensor([1 + round((T - 1) * ((n - 1 - i) / (n - 1)) ** power) for i in range(n)])


def wrong__07_timestep_subsequence__subtle_unique(T, n, power):
    """Equal neighbours are removed, so many quadratic steps give fewer than n times."""
    u = torch.linspace(1, 0, n, dtype=torch.float64)
    return (1 + ((T - 1) * u**power).round().long()).unique().flip(0)


def wrong__07_timestep_subsequence__subtle_moved_apart(T, n, power):
    """Equal neighbours are moved apart, as the library does: not the formula of the exercise."""
    rank = torch.arange(n)
    u = torch.linspace(0, 1, n, dtype=torch.float64) if n > 1 else torch.ones(1, dtype=torch.float64)
    t = 1 + ((T - 1) * u**power).round().long()
    return ((t - rank).cummax(0).values + rank).flip(0)


def wrong__07_timestep_subsequence__subtle_float32(T, n, power):
    """u in float32, whose errors decide some roundings."""
    u = torch.linspace(1, 0, n)
    return 1 + ((T - 1) * u**power).round().long()


def wrong__07_timestep_subsequence__subtle_T_1000(T, n, power):
    """999 is written into the formula: right for T = 1000 only."""
    u = torch.linspace(1, 0, n, dtype=torch.float64)
    return 1 + (999 * u**power).round().long().clamp(max=T - 1)


def wrong__07_timestep_subsequence__slip_roots_of_t(T, n, power):
    """Evenly spaces the roots of t between sqrt(T) and 1, where the roots of t - 1 are meant."""
    return torch.linspace(T ** (1 / power), 1, n, dtype=torch.float64).pow(power).round().long()


def wrong__07_timestep_subsequence__slip_u_rounded(T, n, power):
    """u is rounded to three decimals first."""
    u = torch.linspace(1, 0, n, dtype=torch.float64).round(decimals=3)
    return 1 + ((T - 1) * u**power).round().long()


def wrong__07_timestep_subsequence__subtle_int16(T, n, power):
    """A detour through int16, which ends at 32767."""
    u = torch.linspace(1, 0, n, dtype=torch.float64)
    return 1 + ((T - 1) * u**power).round().to(torch.int16).long()


def wrong__07_timestep_subsequence__subtle_cached(T, n, power, _memo={}):
    """Keeps the times by (T, n), so the second power gets the times of the first."""
    if (T, n) not in _memo:
        u = torch.linspace(1, 0, n, dtype=torch.float64)
        _memo[T, n] = 1 + ((T - 1) * u**power).round().long()
    return _memo[T, n].clone()


def wrong__07_timestep_subsequence__subtle_rounded_step(T, n, power):
    """Walks down in one rounded step, round((T-1)/(n-1)), and mends the end: wrong between."""
    step = round((T - 1) / max(n - 1, 1))
    steps = (T - 1 - step * torch.arange(n)).clamp(min=0)
    if n > 1:
        steps[-1] = 0
    return 1 + (steps.double() ** power / max(T - 1, 1) ** (power - 1)).round().long()


def wrong__07_timestep_subsequence__subtle_all_when_n_is_T(T, n, power):
    """For n = T it returns T, ..., 1, which is right for power 1 only."""
    if n == T:
        return torch.arange(T, 0, -1)
    u = torch.linspace(1, 0, n, dtype=torch.float64)
    return 1 + ((T - 1) * u**power).round().long()


def right__07_timestep_subsequence__arange(T, n, power):
    """arange and a division, with n = 1 apart."""
    if n == 1:
        return torch.tensor([T])
    u = torch.arange(n - 1, -1, -1, dtype=torch.float64) / (n - 1)
    return 1 + torch.round((T - 1) * u.pow(power)).to(torch.int64)


def right__07_timestep_subsequence__python_loop(T, n, power):
    """A loop with Python's round, which rounds halves to even like torch.round."""
    times = [1 + round((T - 1) * ((n - 1 - i) / max(n - 1, 1)) ** power) for i in range(n)]
    times[0] = T
    return torch.tensor(times, dtype=torch.int64)


def right__07_timestep_subsequence__fractions(T, n, power):
    """Exact fractions, so no rounding error can decide."""
    if n == 1:
        return torch.full((1,), T)
    return torch.tensor([1 + round((T - 1) * Fraction(i, n - 1) ** power) for i in reversed(range(n))])


def right__07_timestep_subsequence__numpy_inside(T, n, power):
    """numpy inside, a tensor at the end."""
    u = np.linspace(1.0, 0.0, n)
    return torch.from_numpy(np.rint((T - 1) * u**power).astype(np.int64) + 1)


def right__07_timestep_subsequence__roots(T, n, power):
    """Evenly spaces the roots of t - 1 and takes their power."""
    roots = torch.linspace((T - 1) ** (1 / power), 0, n, dtype=torch.float64)
    return roots.pow(power).round().long().add(1)


def right__07_timestep_subsequence__rising_and_flipped(T, n, power):
    """Rises from 1, is flipped, and n = 1 is mended by hand."""
    rising = torch.linspace(0, 1, n, dtype=torch.float64)
    times = (1 + (rising**power).mul(T - 1).round()).to(torch.long).flip((0,))
    times[0] = T
    return times


@torch.no_grad()
def right__07_timestep_subsequence__lerp(T, n, power, dtype=torch.float64):
    """torch.lerp from 0 to T - 1 with u^p as weight, under no_grad, and an extra argument with a default."""
    u = torch.linspace(1, 0, n, dtype=dtype)
    end = torch.tensor(T - 1, dtype=dtype)
    return torch.lerp(torch.zeros_like(end), end, u**power).round().type(torch.LongTensor) + 1


def right__07_timestep_subsequence__product(T, n, power):
    """The power as a repeated product."""
    u = torch.linspace(1, 0, n, dtype=torch.float64)
    times = torch.full_like(u, T - 1)
    for _ in range(power):
        times = times * u
    return times.round().long() + 1


# ---------------------------------------------------------------- 07-slerp(a, b, s)


def wrong__07_slerp__slip_lerp(a, b, s):
    """The straight line: its middle is too short."""
    return (1 - s) * a + s * b


def wrong__07_slerp__slip_swapped(a, b, s):
    """a and b are swapped: s = 0 gives b."""
    u, v = a.flatten(1), b.flatten(1)
    theta = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).acos().reshape(-1, *[1] * (a.ndim - 1))
    return ((s * theta).sin() * a + ((1 - s) * theta).sin() * b) / theta.sin()


def wrong__07_slerp__slip_not_divided(a, b, s):
    """Not divided by sin(theta)."""
    u, v = a.flatten(1), b.flatten(1)
    theta = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).acos().reshape(-1, *[1] * (a.ndim - 1))
    return ((1 - s) * theta).sin() * a + (s * theta).sin() * b


def wrong__07_slerp__slip_divided_once(a, b, s):
    """Brackets: only the second term is divided by sin(theta)."""
    u, v = a.flatten(1), b.flatten(1)
    theta = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).acos().reshape(-1, *[1] * (a.ndim - 1))
    return ((1 - s) * theta).sin() * a + (s * theta).sin() * b / theta.sin()


def wrong__07_slerp__slip_divided_by_theta(a, b, s):
    """Divided by theta instead of sin(theta)."""
    u, v = a.flatten(1), b.flatten(1)
    theta = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).acos().reshape(-1, *[1] * (a.ndim - 1))
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta


def wrong__07_slerp__slip_no_acos(a, b, s):
    """Takes the cosine for the angle: acos is missing."""
    u, v = a.flatten(1), b.flatten(1)
    theta = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).reshape(-1, *[1] * (a.ndim - 1))
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def wrong__07_slerp__slip_asin(a, b, s):
    """asin instead of acos."""
    u, v = a.flatten(1), b.flatten(1)
    theta = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).asin().reshape(-1, *[1] * (a.ndim - 1))
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def wrong__07_slerp__slip_not_normalised(a, b, s):
    """The scalar product is not divided by the two norms, and acos of it is NaN."""
    theta = (a * b).flatten(1).sum(1).acos().reshape(-1, *[1] * (a.ndim - 1))
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def wrong__07_slerp__slip_norm_squared(a, b, s):
    """Divided by the squares of the norms: the roots are missing."""
    u, v = a.flatten(1), b.flatten(1)
    theta = ((u * v).sum(1) / (u.square().sum(1) * v.square().sum(1))).acos()
    theta = theta.reshape(-1, *[1] * (a.ndim - 1))
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def wrong__07_slerp__slip_precedence(a, b, s):
    """Brackets: sin(1 - s) theta instead of sin((1 - s) theta)."""
    u, v = a.flatten(1), b.flatten(1)
    theta = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).acos().reshape(-1, *[1] * (a.ndim - 1))
    return (math.sin(1 - s) * theta * a + math.sin(s) * theta * b) / theta.sin()


def wrong__07_slerp__slip_degrees(a, b, s):
    """The angle is turned into degrees before sin."""
    u, v = a.flatten(1), b.flatten(1)
    cos = (u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))
    theta = torch.rad2deg(cos.acos()).reshape(-1, *[1] * (a.ndim - 1))
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def wrong__07_slerp__slip_batch_axis(a, b, s):
    """Sums over dim 0, the batch, instead of the sample's own axes."""
    theta = ((a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0))).acos()
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def wrong__07_slerp__slip_last_axis(a, b, s):
    """Every row of pixels gets an angle of its own: the sum runs over the last axis only."""
    cos = (a * b).sum(-1, keepdim=True) / (a.norm(dim=-1, keepdim=True) * b.norm(dim=-1, keepdim=True))
    theta = cos[..., :1].acos() if a.ndim > 2 else cos[:1].acos()
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def wrong__07_slerp__slip_no_reshape(a, b, s):
    """The angle (B,) meets a (B, *S) without a reshape: it fails or meets the wrong axis."""
    u, v = a.flatten(1), b.flatten(1)
    theta = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).acos()
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def wrong__07_slerp__slip_left_flat(a, b, s):
    """Interpolates the flattened samples and does not bring them back to their shape."""
    u, v = a.flatten(1), b.flatten(1)
    theta = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).acos()[:, None]
    return (((1 - s) * theta).sin() * u + (s * theta).sin() * v) / theta.sin()


def wrong__07_slerp__slip_mean(a, b, s):
    """The mean of the products instead of their sum: the cosine is d times too small."""
    u, v = a.flatten(1), b.flatten(1)
    theta = ((u * v).mean(1) / (u.norm(dim=1) * v.norm(dim=1))).acos().reshape(-1, *[1] * (a.ndim - 1))
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def wrong__07_slerp__slip_root_weights(a, b, s):
    """sqrt(1-s) and sqrt(s) as weights: keeps the length on average, but is another path."""
    return (1 - s) ** 0.5 * a + s**0.5 * b


def wrong__07_slerp__slip_in_place(a, b, s):
    """/= brings the caller's a and b to length 1."""
    shape = (-1, *[1] * (a.ndim - 1))
    length_a, length_b = (x.flatten(1).norm(dim=1).reshape(shape) for x in (a, b))
    a /= length_a
    b /= length_b
    theta = (a * b).flatten(1).sum(1).acos().reshape(shape)
    return (((1 - s) * theta).sin() * a * length_a + (s * theta).sin() * b * length_b) / theta.sin()


def wrong__07_slerp__slip_numpy(a, b, s):
    """Returns a numpy array and no tensor."""
    u, v = a.flatten(1).numpy(), b.flatten(1).numpy()
    cos = (u * v).sum(1) / (np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1))
    theta = np.arccos(cos).reshape(-1, *[1] * (a.ndim - 1))
    return (np.sin((1 - s) * theta) * a.numpy() + np.sin(s * theta) * b.numpy()) / np.sin(theta)


def wrong__07_slerp__slip_two(a, b, s):
    """Two slips: a and b swapped, and not divided by sin(theta)."""
    u, v = a.flatten(1), b.flatten(1)
    theta = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).acos().reshape(-1, *[1] * (a.ndim - 1))
    return (s * theta).sin() * a + ((1 - s) * theta).sin() * b


def wrong__07_slerp__slip_unit_result(a, b, s):
    """Interpolates the normalised a and b, so the length of the latents is lost."""
    shape = (-1, *[1] * (a.ndim - 1))
    u = a / a.flatten(1).norm(dim=1).reshape(shape)
    v = b / b.flatten(1).norm(dim=1).reshape(shape)
    theta = (u * v).flatten(1).sum(1).acos().reshape(shape)
    return (((1 - s) * theta).sin() * u + (s * theta).sin() * v) / theta.sin()


def wrong__07_slerp__subtle_batch_angle(a, b, s):
    """One angle for the whole batch: right for a batch of one, and nearly right in many dimensions."""
    theta = ((a * b).sum() / (a.norm() * b.norm())).acos()
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def wrong__07_slerp__subtle_right_angle(a, b, s):
    """Takes every angle for 90 degrees, which noise in many dimensions has only about."""
    return math.cos(s * math.pi / 2) * a + math.sin(s * math.pi / 2) * b


def wrong__07_slerp__subtle_norm_is_root_d(a, b, s):
    """Takes every norm for sqrt(d), which noise has only about."""
    cos = (a * b).flatten(1).mean(1).clamp(-1, 1)
    theta = cos.acos().reshape(-1, *[1] * (a.ndim - 1))
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def wrong__07_slerp__subtle_acute_only(a, b, s):
    """The cosine is clamped to 0..1, so angles above 90 degrees, half of all, become 90."""
    u, v = a.flatten(1), b.flatten(1)
    cos = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).clamp(0, 1)
    theta = cos.acos().reshape(-1, *[1] * (a.ndim - 1))
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def wrong__07_slerp__subtle_cos_clamped(a, b, s):
    """The cosine is clamped to -0.5..0.5 "for safety"; latents of similar images are closer than 60 degrees."""
    u, v = a.flatten(1), b.flatten(1)
    cos = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).clamp(-0.5, 0.5)
    theta = cos.acos().reshape(-1, *[1] * (a.ndim - 1))
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def wrong__07_slerp__subtle_lerp_when_close(a, b, s):
    """Below 60 degrees it takes the straight line, far too early."""
    u, v = a.flatten(1), b.flatten(1)
    cos = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).reshape(-1, *[1] * (a.ndim - 1))
    theta = cos.acos()
    circle = (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()
    return torch.where(cos > 0.5, (1 - s) * a + s * b, circle)


def wrong__07_slerp__subtle_short_way(a, b, s):
    """Flips b where the angle exceeds 90 degrees, as for rotations: the end is -b then."""
    u, v = a.flatten(1), b.flatten(1)
    cos = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).reshape(-1, *[1] * (a.ndim - 1))
    b = torch.where(cos < 0, -b, b)
    theta = cos.abs().acos()
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def wrong__07_slerp__subtle_equal_norms(a, b, s):
    """Rotates a by s theta: right only if b is as long as a."""
    shape = (-1, *[1] * (a.ndim - 1))
    length = a.flatten(1).norm(dim=1).reshape(shape)
    u, v = a / length, b / b.flatten(1).norm(dim=1).reshape(shape)
    cos = (u * v).flatten(1).sum(1).reshape(shape)
    across = (v - cos * u) / (1 - cos**2).sqrt()
    return length * (torch.cos(s * cos.acos()) * u + torch.sin(s * cos.acos()) * across)


def wrong__07_slerp__subtle_length_mended(a, b, s):
    """Brings the result to the length (1-s)|a| + s|b|, which the formula does not have for unequal norms."""
    shape = (-1, *[1] * (a.ndim - 1))
    u, v = a.flatten(1), b.flatten(1)
    theta = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).acos().reshape(shape)
    x = (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()
    wanted = (1 - s) * u.norm(dim=1) + s * v.norm(dim=1)
    return x * (wanted / x.flatten(1).norm(dim=1)).reshape(shape)


def wrong__07_slerp__subtle_four_axes(a, b, s):
    """The angle is reshaped to (B, 1, 1, 1), whatever shape the samples have."""
    u, v = a.flatten(1), b.flatten(1)
    theta = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).acos()[:, None, None, None]
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def wrong__07_slerp__subtle_view(a, b, s):
    """view fails for latents that do not lie in memory in order, such as permuted axes."""
    u, v = a.view(len(a), -1), b.view(len(b), -1)
    theta = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).acos().view(-1, *[1] * (a.ndim - 1))
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def wrong__07_slerp__subtle_eps_in_norms(a, b, s):
    """1e-6 beside the norms: for unit vectors the length is off in the sixth digit."""
    u, v = a.flatten(1), b.flatten(1)
    cos = (u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1) + 1e-6)
    theta = cos.acos().reshape(-1, *[1] * (a.ndim - 1))
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def wrong__07_slerp__subtle_float32(a, b, s):
    """A detour through float32: float64 latents lose half of their digits."""
    u, v = a.float().flatten(1), b.float().flatten(1)
    theta = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).acos().reshape(-1, *[1] * (a.ndim - 1))
    return ((((1 - s) * theta).sin() * a.float() + (s * theta).sin() * b.float()) / theta.sin()).to(a.dtype)


def wrong__07_slerp__subtle_squeeze(a, b, s):
    """squeeze() removes the axes of length 1: a batch of one, or the single channel of MNIST."""
    u, v = a.flatten(1), b.flatten(1)
    theta = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).acos().reshape(-1, *[1] * (a.ndim - 1))
    return ((((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()).squeeze()


def right__07_slerp__half_angle(a, b, s):
    """The angle from the sum and the difference of the unit vectors, by atan2."""
    u, v = (x.flatten(1) / x.flatten(1).norm(dim=1, keepdim=True) for x in (a, b))
    theta = 2 * torch.atan2((u - v).norm(dim=1), (u + v).norm(dim=1)).reshape(-1, *[1] * (a.ndim - 1))
    return torch.sin((1 - s) * theta) / torch.sin(theta) * a + torch.sin(s * theta) / torch.sin(theta) * b


def right__07_slerp__einsum(a, b, s):
    """Scalar products by einsum, and sin(theta) from the cosine."""
    u, v = a.flatten(1), b.flatten(1)
    dot, aa, bb = (torch.einsum("bd,bd->b", p, q) for p, q in ((u, v), (u, u), (v, v)))
    cos = (dot / (aa * bb).sqrt()).reshape(-1, *(1 for _ in a.shape[1:]))
    theta, sine = torch.arccos(cos), (1 - cos.square()).sqrt()
    return torch.sin((1 - s) * theta) / sine * a + torch.sin(s * theta) / sine * b


def right__07_slerp__cosine_similarity(a, b, s):
    """F.cosine_similarity, and unsqueeze until the axes match."""
    theta = F.cosine_similarity(a.flatten(1), b.flatten(1), dim=1).acos()
    while theta.ndim < a.ndim:
        theta = theta.unsqueeze(-1)
    return (((1 - s) * theta).sin() * a + (s * theta).sin() * b) / theta.sin()


def right__07_slerp__loop(a, b, s):
    """A loop over the samples with Python numbers."""
    out = []
    for x, y in zip(a, b, strict=True):
        dot, xx, yy = (float((p.double() * q.double()).sum()) for p, q in ((x, y), (x, x), (y, y)))
        theta = math.acos(dot / math.sqrt(xx * yy))
        out.append(math.sin((1 - s) * theta) / math.sin(theta) * x + math.sin(s * theta) / math.sin(theta) * y)
    return torch.stack(out)


def right__07_slerp__addition_theorem(a, b, s):
    """sin((1-s) theta) by the addition theorem: cos(s theta) a + sin(s theta) (b - cos(theta) a) / sin(theta)."""
    u, v = a.reshape(len(a), -1), b.reshape(len(b), -1)
    cos = (u * v).sum(1, keepdim=True) / (u.norm(dim=1, keepdim=True) * v.norm(dim=1, keepdim=True))
    theta = cos.acos()
    mixed = torch.cos(s * theta) * u + torch.sin(s * theta) / torch.sin(theta) * (v - cos * u)
    return mixed.reshape(a.shape)


def right__07_slerp__sinc(a, b, s):
    """sin(s theta) / sin(theta) as s times a ratio of two sinc."""
    axes = tuple(range(1, a.ndim))
    norm = torch.linalg.vector_norm
    cos = (a * b).sum(axes, keepdim=True) / (norm(a, dim=axes, keepdim=True) * norm(b, dim=axes, keepdim=True))
    turns = cos.acos() / math.pi
    weights = [share * torch.sinc(share * turns) / torch.sinc(turns) for share in (1 - s, s)]
    return weights[0] * a + weights[1] * b


@torch.no_grad()
def right__07_slerp__float64_inside(a, b, s, limit=1e-7):
    """float64 inside, cast back, under no_grad; lines within 1e-7 of parallel are interpolated linearly."""
    u, v = a.double().flatten(1), b.double().flatten(1)
    theta = ((u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))).clamp(-1, 1).acos()[:, None]
    far = theta.sin() > limit
    sine = torch.where(far, theta.sin(), 1.0)
    weights = [torch.where(far, (share * theta).sin() / sine, share) for share in (1 - s, s)]
    return (weights[0] * u + weights[1] * v).reshape(a.shape).to(a.dtype)


def right__07_slerp__samples_last(a, b, s):
    """Moves the batch to the last axis, where (B,) broadcasts without a reshape, and back."""
    x, y = a.movedim(0, -1), b.movedim(0, -1)
    axes = tuple(range(x.ndim - 1))
    theta = ((x * y).sum(axes) / (x.square().sum(axes) * y.square().sum(axes)).sqrt()).acos()
    return ((((1 - s) * theta).sin() * x + (s * theta).sin() * y) / theta.sin()).movedim(-1, 0)
