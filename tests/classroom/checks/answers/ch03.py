"""Student answers for chapter 3: `wrong__<exercise>__<tag>` and `right__<exercise>__<tag>`."""

import contextlib
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


# ====================================================================== 03-x0_from_eps


def wrong__03_x0_from_eps__slip_plus(x_t, t, eps, alpha_bar):
    """The noise is added where it must be subtracted."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return (x_t + (1 - a).sqrt() * eps) / a.sqrt()


def wrong__03_x0_from_eps__slip_variance_for_std(x_t, t, eps, alpha_bar):
    """The noise is scaled by 1 - alpha_bar and not by its root."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return (x_t - (1 - a) * eps) / a.sqrt()


def wrong__03_x0_from_eps__slip_no_root_below(x_t, t, eps, alpha_bar):
    """Divides by alpha_bar and not by its root."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return (x_t - (1 - a).sqrt() * eps) / a


def wrong__03_x0_from_eps__slip_no_roots(x_t, t, eps, alpha_bar):
    """Both roots are missing."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return (x_t - (1 - a) * eps) / a


def wrong__03_x0_from_eps__slip_multiplied(x_t, t, eps, alpha_bar):
    """Multiplies by sqrt(alpha_bar) where the formula divides."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return (x_t - (1 - a).sqrt() * eps) * a.sqrt()


def wrong__03_x0_from_eps__slip_brackets(x_t, t, eps, alpha_bar):
    """Brackets are missing: only the noise is divided by sqrt(alpha_bar)."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return x_t - (1 - a).sqrt() * eps / a.sqrt()


def wrong__03_x0_from_eps__slip_brackets_the_other_way(x_t, t, eps, alpha_bar):
    """Brackets are missing: only x_t is divided by sqrt(alpha_bar)."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return x_t / a.sqrt() - (1 - a).sqrt() * eps


def wrong__03_x0_from_eps__slip_one_minus_root(x_t, t, eps, alpha_bar):
    """The root is taken before the subtraction: 1 - sqrt(alpha_bar)."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return (x_t - (1 - a.sqrt()) * eps) / a.sqrt()


def wrong__03_x0_from_eps__slip_swapped_roots(x_t, t, eps, alpha_bar):
    """The roots of alpha_bar and 1 - alpha_bar are swapped, which solves for the noise and not for x_0."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return (x_t - a.sqrt() * eps) / (1 - a).sqrt()


def wrong__03_x0_from_eps__slip_forward(x_t, t, eps, alpha_bar):
    """Runs the forward formula and adds still more noise."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return a.sqrt() * x_t + (1 - a).sqrt() * eps


def wrong__03_x0_from_eps__slip_v_formula(x_t, t, eps, alpha_bar):
    """Uses the formula for v, sqrt(alpha_bar) x_t - sqrt(1 - alpha_bar) v, with eps in the place of v."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return a.sqrt() * x_t - (1 - a).sqrt() * eps


def wrong__03_x0_from_eps__slip_subtracts_all_noise(x_t, t, eps, alpha_bar):
    """Subtracts eps with weight 1, without its factor sqrt(1 - alpha_bar)."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return (x_t - eps) / a.sqrt()


def wrong__03_x0_from_eps__slip_no_division(x_t, t, eps, alpha_bar):
    """Forgets to divide by sqrt(alpha_bar)."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return x_t - (1 - a).sqrt() * eps


def wrong__03_x0_from_eps__slip_reverse_step(x_t, t, eps, alpha_bar):
    """Uses the factor of eq. 11, beta / sqrt(1 - alpha_bar), with beta taken as 1 - alpha_bar_t / alpha_bar_{t-1}."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    prev = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])[t - 1].reshape(a.shape)
    return (x_t - (1 - a / prev) / (1 - a).sqrt() * eps) / (a / prev).sqrt()


def wrong__03_x0_from_eps__slip_index_t(x_t, t, eps, alpha_bar):
    """Reads alpha_bar[t]: the forgotten -1 (clamped, so that t = T raises no error)."""
    a = alpha_bar[t.clamp(max=len(alpha_bar) - 1)].reshape(-1, *[1] * (x_t.ndim - 1))
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def wrong__03_x0_from_eps__slip_index_t_raises(x_t, t, eps, alpha_bar):
    """Reads alpha_bar[t]: one step too late, and an error at t = T."""
    a = alpha_bar[t].reshape(-1, *[1] * (x_t.ndim - 1))
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def wrong__03_x0_from_eps__slip_index_t_minus_2(x_t, t, eps, alpha_bar):
    """Reads alpha_bar[t - 2], which is alpha_bar_{t-1}, and wraps to the last entry at t = 1."""
    a = alpha_bar[t - 2].reshape(-1, *[1] * (x_t.ndim - 1))
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def wrong__03_x0_from_eps__slip_no_reshape(x_t, t, eps, alpha_bar):
    """The (B,) numbers are not reshaped, so they run along the last axis."""
    a = alpha_bar[t - 1]
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def wrong__03_x0_from_eps__slip_images_only(x_t, t, eps, alpha_bar):
    """Reshapes to (B, 1, 1, 1) whatever the data are."""
    a = alpha_bar[t - 1].reshape(-1, 1, 1, 1)
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def wrong__03_x0_from_eps__slip_one_t_for_all(x_t, t, eps, alpha_bar):
    """Uses the first sample's t for the whole batch."""
    a = alpha_bar[t[0] - 1]
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def wrong__03_x0_from_eps__slip_mean_t(x_t, t, eps, alpha_bar):
    """Averages alpha_bar over the batch."""
    a = alpha_bar[t - 1].mean()
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def wrong__03_x0_from_eps__slip_product_again(x_t, t, eps, alpha_bar):
    """Takes the running product of alpha_bar a second time."""
    a = alpha_bar.cumprod(0)[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def wrong__03_x0_from_eps__slip_changes_x_t(x_t, t, eps, alpha_bar):
    """Subtracts in place, so the caller's x_t is spoilt."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    x_t -= (1 - a).sqrt() * eps
    return x_t / a.sqrt()


def wrong__03_x0_from_eps__slip_changes_eps(x_t, t, eps, alpha_bar):
    """Scales the caller's eps in place."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    eps *= (1 - a).sqrt()
    return (x_t - eps) / a.sqrt()


def wrong__03_x0_from_eps__slip_returns_none(x_t, t, eps, alpha_bar):
    """Has no return statement."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    x0 = (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def wrong__03_x0_from_eps__slip_return_in_loop(x_t, t, eps, alpha_bar):
    """The return is in the loop, so only the first sample comes back."""
    out = []
    for x, e, time in zip(x_t, eps, t, strict=True):
        w = alpha_bar[time - 1]
        out.append((x - (1 - w).sqrt() * e) / w.sqrt())
        return torch.stack(out)


def wrong__03_x0_from_eps__slip_numpy(x_t, t, eps, alpha_bar):
    """Returns a numpy array."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    a = a.numpy()
    return (x_t.detach().numpy() - np.sqrt(1 - a) * eps.detach().numpy()) / np.sqrt(a)


def wrong__03_x0_from_eps__slip_two_at_once(x_t, t, eps, alpha_bar):
    """Two slips: a plus for the minus, and a variance for the root."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return (x_t + (1 - a) * eps) / a.sqrt()


def wrong__03_x0_from_eps__slip_own_schedule(x_t, t, eps, alpha_bar):
    """Ignores alpha_bar and rebuilds the linear schedule of 1000 steps."""
    table = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=x_t.dtype), 0)
    a = table[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def wrong__03_x0_from_eps__subtle_clipped(x_t, t, eps, alpha_bar):
    """Clips the result to [-1, 1]: that is a step of the sampler's own, and not part of eq. 15."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return ((x_t - (1 - a).sqrt() * eps) / a.sqrt()).clamp(-1, 1)


def wrong__03_x0_from_eps__subtle_clipped_at_10(x_t, t, eps, alpha_bar):
    """Clips to [-10, 10] against overflow, but with an imperfect eps the result is far larger at large t."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return ((x_t - (1 - a).sqrt() * eps) / a.sqrt()).clamp(-10, 10)


def wrong__03_x0_from_eps__subtle_eps_below(x_t, t, eps, alpha_bar):
    """Adds 1e-5 to sqrt(alpha_bar), a fifth of it at the end of the cosine schedule."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return (x_t - (1 - a).sqrt() * eps) / (a.sqrt() + 1e-5)


def wrong__03_x0_from_eps__subtle_floor_below(x_t, t, eps, alpha_bar):
    """Keeps the denominator above 0.01, which the cosine schedule goes below."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt().clamp(min=1e-2)


def wrong__03_x0_from_eps__subtle_alpha_bar_clamped(x_t, t, eps, alpha_bar):
    """Clamps alpha_bar to at least 1e-4: fine for most of the table, wrong for its end."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    a = a.clamp(min=1e-4)
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def wrong__03_x0_from_eps__subtle_alpha_bar_clamped_top(x_t, t, eps, alpha_bar):
    """Clamps alpha_bar to at most 0.999, so the first steps subtract too much noise."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    a = a.clamp(max=0.999)
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def wrong__03_x0_from_eps__subtle_float32(x_t, t, eps, alpha_bar):
    """Computes in float32 and casts back; at large t the division magnifies the rounding by thousands."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    low = (x_t.float() - (1 - a).sqrt().float() * eps.float()) / a.sqrt().float()
    return low.to(x_t.dtype)


def wrong__03_x0_from_eps__subtle_float32_table(x_t, t, eps, alpha_bar):
    """Rounds alpha_bar to float32 first."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    a = a.float().to(x_t.dtype)
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def wrong__03_x0_from_eps__subtle_last_step_zero(x_t, t, eps, alpha_bar):
    """Returns 0 at t = T, because "nothing is left" of x_0 there."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    x0 = (x_t - (1 - a).sqrt() * eps) / a.sqrt()
    return torch.where((t == len(alpha_bar)).reshape(a.shape), torch.zeros_like(x0), x0)


def wrong__03_x0_from_eps__subtle_first_step_copied(x_t, t, eps, alpha_bar):
    """Returns x_t at t = 1, as if it were clean."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    x0 = (x_t - (1 - a).sqrt() * eps) / a.sqrt()
    return torch.where((t == 1).reshape(a.shape), x_t, x0)


def wrong__03_x0_from_eps__subtle_noise_factor_one(x_t, t, eps, alpha_bar):
    """Takes sqrt(1 - alpha_bar) for 1 where alpha_bar is below 1e-3; the division magnifies the small error."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    s = torch.where(a < 1e-3, torch.ones_like(a), (1 - a).sqrt())
    return (x_t - s * eps) / a.sqrt()


def wrong__03_x0_from_eps__subtle_cached_roots(x_t, t, eps, alpha_bar, cache={}):
    """Keeps the roots of the first schedule of a given length for every later one."""
    key = (len(alpha_bar), x_t.dtype)
    if key not in cache:
        cache[key] = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    s, n = (w[t - 1].reshape(-1, *[1] * (x_t.ndim - 1)) for w in cache[key])
    return (x_t - n * eps) / s


def wrong__03_x0_from_eps__subtle_squeezed(x_t, t, eps, alpha_bar):
    """A squeeze at the end loses the axes of length 1, those of a batch of one or of grey images."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return ((x_t - (1 - a).sqrt() * eps) / a.sqrt()).squeeze()


def wrong__03_x0_from_eps__subtle_view(x_t, t, eps, alpha_bar):
    """Flattens with view, which fails for a non-contiguous batch."""
    a = alpha_bar[t - 1].view(-1, 1)
    flat = (x_t.view(len(x_t), -1) - (1 - a).sqrt() * eps.view(len(eps), -1)) / a.sqrt()
    return flat.view(x_t.shape)


def wrong__03_x0_from_eps__subtle_up_to_four_axes(x_t, t, eps, alpha_bar):
    """Has shapes for 1, 2 and 4 axes only."""
    shape = {1: (-1,), 2: (-1, 1)}.get(x_t.ndim, (-1, 1, 1, 1))
    a = alpha_bar[t - 1].reshape(shape)
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def wrong__03_x0_from_eps__subtle_same_t_shortcut(x_t, t, eps, alpha_bar):
    """Takes one t for all if the first and the last agree."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    if t[0] == t[-1]:
        a = a[:1]
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def wrong__03_x0_from_eps__subtle_uint8_times(x_t, t, eps, alpha_bar):
    """Keeps the times in 8 bits, which wrap around above 255."""
    a = alpha_bar[t.to(torch.uint8).long() - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def wrong__03_x0_from_eps__subtle_rounded_sigma(x_t, t, eps, alpha_bar):
    """In the coordinates x_0 + sigma eps, with sigma rounded to three decimals."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    sigma = (((1 - a) / a).sqrt() * 1e3).round() / 1e3
    return x_t / a.sqrt() - sigma * eps


def wrong__03_x0_from_eps__subtle_sigma_max_80(x_t, t, eps, alpha_bar):
    """In the coordinates x_0 + sigma eps, with sigma limited to 80; the cosine schedule ends at 20,000."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    sigma = ((1 - a) / a).sqrt().clamp(max=80.0)
    return (x_t - a.sqrt() * sigma * eps) / a.sqrt()


def right__03_x0_from_eps__sigma_coordinates(x_t, t, eps, alpha_bar):
    """x_t / sqrt(alpha_bar) - sigma eps, in float64 and cast back."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    a = a.double()
    return (x_t.double() / a.sqrt() - ((1 - a) / a).sqrt() * eps.double()).to(x_t.dtype)


def right__03_x0_from_eps__einsum(x_t, t, eps, alpha_bar):
    """einsum pairs the batch axis."""
    w = alpha_bar[t - 1]
    clean = x_t - torch.einsum("b,b...->b...", (1 - w).sqrt(), eps)
    return torch.einsum("b...,b->b...", clean, 1 / w.sqrt())


def right__03_x0_from_eps__loop(x_t, t, eps, alpha_bar):
    """A loop over the samples with the math module, then a stack."""
    out = []
    for x, time, e in zip(x_t.unbind(0), t.tolist(), eps.unbind(0), strict=True):
        w = float(alpha_bar[time - 1])
        out.append((x - math.sqrt(1 - w) * e) / math.sqrt(w))
    return torch.stack(out, dim=0)


def right__03_x0_from_eps__gather_addcmul(x_t, t, eps, alpha_bar):
    """gather, addcmul with value=-1, and unsqueeze in a loop."""
    w = torch.gather(alpha_bar, 0, t.long() - 1)
    while w.ndim < x_t.ndim:
        w = w[..., None]
    return torch.addcmul(x_t, (1 - w).sqrt().expand_as(eps), eps, value=-1).div(w.sqrt())


def right__03_x0_from_eps__through_v(x_t, t, eps, alpha_bar):
    """Through v = (eps - b x_t) / a and x_0 = a x_t - b v, in float64."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    s, n = a.double().sqrt(), (1 - a.double()).sqrt()
    v = (eps.double() - n * x_t.double()) / s
    return (s * x_t.double() - n * v).to(x_t.dtype)


def right__03_x0_from_eps__score_route(x_t, t, eps, alpha_bar):
    """Through the score -eps / sqrt(1 - alpha_bar) and Tweedie's formula, under no_grad."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x_t.ndim - 1))
    with torch.no_grad():
        score = -eps / (1 - a).sqrt()
        return (x_t + (1 - a) * score) / a.sqrt()


def right__03_x0_from_eps__padded_table(x_t, t, eps, alpha_bar):
    """A table that begins with alpha_bar_0 = 1 and is read at t."""
    table = F.pad(alpha_bar, (1, 0), value=1.0)
    a = table[t].view([-1] + [1] * (x_t.dim() - 1))
    return (x_t - torch.sqrt(1 - a) * eps) / torch.sqrt(a)


def right__03_x0_from_eps__vmap(x_t, t, eps, alpha_bar):
    """torch.vmap of the formula for one sample."""
    one = lambda x, w, e: (x - (1 - w).sqrt() * e) / w.sqrt()
    return torch.vmap(one)(x_t, alpha_bar.index_select(0, t.long() - 1), eps)


def right__03_x0_from_eps__batch_last(x_t, t, eps, alpha_bar):
    """Moves the batch axis to the end and back."""
    w = alpha_bar[t - 1]
    return ((x_t.movedim(0, -1) - (1 - w) ** 0.5 * eps.movedim(0, -1)) / w**0.5).movedim(-1, 0)


def right__03_x0_from_eps__one_hot_float64(x_t, t, eps, alpha_bar, work=torch.float64):
    """A product with one-hot vectors reads the table, with an extra default argument for the working precision."""
    hot = F.one_hot(t.long() - 1, len(alpha_bar)).to(work)
    a = (hot @ alpha_bar.to(work)).reshape(-1, *[1] * (x_t.ndim - 1))
    return ((x_t.to(work) - (1 - a).sqrt() * eps.to(work)) / a.sqrt()).to(x_t.dtype)


# ====================================================================== 03-eps_loss


def wrong__03_eps_loss__slip_sum(eps_model, x0, t, eps, alpha_bar):
    """Sums over batch and pixels, so the number grows with both."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).sum()


def wrong__03_eps_loss__slip_norm_per_image(eps_model, x0, t, eps, alpha_bar):
    """Sums over the pixels and averages over the batch only, as eq. 14 is printed; the text asks for a mean over pixels too."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).reshape(len(x0), -1).sum(1).mean()


def wrong__03_eps_loss__slip_per_sample(eps_model, x0, t, eps, alpha_bar):
    """Returns one loss per sample and not a single number."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    error = (eps - eps_model(x_t, t)) ** 2
    return error.reshape(len(x0), -1).mean(1)


def wrong__03_eps_loss__slip_not_reduced(eps_model, x0, t, eps, alpha_bar):
    """Returns the squared errors without any mean."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return (eps - eps_model(x_t, t)) ** 2


def wrong__03_eps_loss__slip_batch_mean_only(eps_model, x0, t, eps, alpha_bar):
    """Averages over the batch axis only."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).mean(0)


def wrong__03_eps_loss__slip_absolute(eps_model, x0, t, eps, alpha_bar):
    """Takes the absolute error and not the square."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return (eps - eps_model(x_t, t)).abs().mean()


def wrong__03_eps_loss__slip_not_squared(eps_model, x0, t, eps, alpha_bar):
    """Forgets the square, so errors of both signs cancel."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return (eps - eps_model(x_t, t)).mean()


def wrong__03_eps_loss__slip_square_of_mean(eps_model, x0, t, eps, alpha_bar):
    """Squares the mean in place of averaging the squares."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return (eps - eps_model(x_t, t)).mean() ** 2


def wrong__03_eps_loss__slip_rmse(eps_model, x0, t, eps, alpha_bar):
    """Takes the root of the mean squared error."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).mean().sqrt()


def wrong__03_eps_loss__slip_half(eps_model, x0, t, eps, alpha_bar):
    """A factor 1/2 that is not in eq. 14."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return 0.5 * ((eps - eps_model(x_t, t)) ** 2).mean()


def wrong__03_eps_loss__slip_target_x0(eps_model, x0, t, eps, alpha_bar):
    """Compares the predicted noise with the clean image."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((x0 - eps_model(x_t, t)) ** 2).mean()


def wrong__03_eps_loss__slip_target_x_t(eps_model, x0, t, eps, alpha_bar):
    """Compares the predicted noise with the noisy image."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((x_t - eps_model(x_t, t)) ** 2).mean()


def wrong__03_eps_loss__slip_clean_input(eps_model, x0, t, eps, alpha_bar):
    """Shows the model the clean image x0 and not x_t."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x0, t)) ** 2).mean()


def wrong__03_eps_loss__slip_noise_input(eps_model, x0, t, eps, alpha_bar):
    """Shows the model the noise itself."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(eps, t)) ** 2).mean()


def wrong__03_eps_loss__slip_t_minus_one(eps_model, x0, t, eps, alpha_bar):
    """Tells the model t - 1, so training and sampling are one step apart."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t - 1)) ** 2).mean()


def wrong__03_eps_loss__slip_float_time(eps_model, x0, t, eps, alpha_bar):
    """Tells the model t as a float, although the integers are to be passed as they are."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t.to(x0.dtype))) ** 2).mean()


def wrong__03_eps_loss__slip_t_over_T(eps_model, x0, t, eps, alpha_bar):
    """Tells the model t / T."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t / len(alpha_bar))) ** 2).mean()


def wrong__03_eps_loss__slip_alpha_bar_as_time(eps_model, x0, t, eps, alpha_bar):
    """Tells the model alpha_bar_t in the place of t."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, alpha_bar[t - 1])) ** 2).mean()


def wrong__03_eps_loss__slip_column_of_times(eps_model, x0, t, eps, alpha_bar):
    """Tells the model the times as a column (B, 1)."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t[:, None])) ** 2).mean()


def wrong__03_eps_loss__slip_arguments_swapped(eps_model, x0, t, eps, alpha_bar):
    """Calls the model with t first."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(t, x_t)) ** 2).mean()


def wrong__03_eps_loss__slip_no_time(eps_model, x0, t, eps, alpha_bar):
    """Calls the model without the time."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t)) ** 2).mean()


def wrong__03_eps_loss__slip_index_t(eps_model, x0, t, eps, alpha_bar):
    """Reads alpha_bar[t]: the noise level of the next step, and an error at t = T."""
    a = alpha_bar[t].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).mean()


def wrong__03_eps_loss__slip_variance_for_std(eps_model, x0, t, eps, alpha_bar):
    """x_t is made with the variance 1 - alpha_bar as the factor of the noise."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a) * eps
    return ((eps - eps_model(x_t, t)) ** 2).mean()


def wrong__03_eps_loss__slip_no_root_on_signal(eps_model, x0, t, eps, alpha_bar):
    """x_t is made with alpha_bar and not its root as the factor of the image."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).mean()


def wrong__03_eps_loss__slip_swapped_weights(eps_model, x0, t, eps, alpha_bar):
    """The weights of image and noise are swapped."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = (1 - a).sqrt() * x0 + a.sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).mean()


def wrong__03_eps_loss__slip_no_reshape(eps_model, x0, t, eps, alpha_bar):
    """The (B,) weights are not reshaped and run along the last axis."""
    a = alpha_bar[t - 1]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).mean()


def wrong__03_eps_loss__slip_images_only(eps_model, x0, t, eps, alpha_bar):
    """Averages over the axes (1, 2, 3), which only images have."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).mean((1, 2, 3)).mean()


def wrong__03_eps_loss__slip_fresh_noise(eps_model, x0, t, eps, alpha_bar):
    """Draws new noise for x_t and compares with the eps that was given."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * torch.randn_like(x0)
    return ((eps - eps_model(x_t, t)) ** 2).mean()


def wrong__03_eps_loss__slip_own_times(eps_model, x0, t, eps, alpha_bar):
    """Draws t itself and ignores the argument."""
    t = torch.randint(1, len(alpha_bar) + 1, (len(x0),), device=x0.device)
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).mean()


def wrong__03_eps_loss__slip_item(eps_model, x0, t, eps, alpha_bar):
    """Returns a Python float, through which no gradient flows."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).mean().item()


def wrong__03_eps_loss__slip_detached(eps_model, x0, t, eps, alpha_bar):
    """Detaches the prediction, so the network cannot be trained."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t).detach()) ** 2).mean()


def wrong__03_eps_loss__slip_no_grad(eps_model, x0, t, eps, alpha_bar):
    """Calls the model under no_grad, so the loss has no gradient."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    with torch.no_grad():
        predicted = eps_model(x_t, t)
    return ((eps - predicted) ** 2).mean()


def wrong__03_eps_loss__slip_weighted(eps_model, x0, t, eps, alpha_bar):
    """Multiplies by 1 - alpha_bar: a weight that L_simple has dropped."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((1 - a) * (eps - eps_model(x_t, t)) ** 2).mean()


def wrong__03_eps_loss__slip_returns_pair(eps_model, x0, t, eps, alpha_bar):
    """Returns the prediction as well."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    predicted = eps_model(x_t, t)
    return ((eps - predicted) ** 2).mean(), predicted


def wrong__03_eps_loss__slip_returns_none(eps_model, x0, t, eps, alpha_bar):
    """Calls backward itself and returns nothing."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    loss = ((eps - eps_model(x_t, t)) ** 2).mean()
    if loss.requires_grad:
        loss.backward()


def wrong__03_eps_loss__slip_changes_x0(eps_model, x0, t, eps, alpha_bar):
    """Builds x_t in the memory of x0."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x0 *= a.sqrt()
    x0 += (1 - a).sqrt() * eps
    return ((eps - eps_model(x0, t)) ** 2).mean()


def wrong__03_eps_loss__slip_two_at_once(eps_model, x0, t, eps, alpha_bar):
    """Two slips: t - 1 for the model, and a sum in place of the mean."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, (t - 1).clamp(min=1))) ** 2).sum()


def wrong__03_eps_loss__slip_shape_one(eps_model, x0, t, eps, alpha_bar):
    """Returns a tensor of shape (1,) and not a scalar."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).mean().reshape(1)


def wrong__03_eps_loss__slip_wrong_sign_of_prediction(eps_model, x0, t, eps, alpha_bar):
    """Adds prediction and noise."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps + eps_model(x_t, t)) ** 2).mean()


def wrong__03_eps_loss__subtle_called_twice(eps_model, x0, t, eps, alpha_bar):
    """Calls the model twice, once for each factor of the square, which doubles the cost and is wrong with dropout."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) * (eps - eps_model(x_t, t))).mean()


def wrong__03_eps_loss__subtle_called_per_sample(eps_model, x0, t, eps, alpha_bar):
    """Calls the model once per sample in a loop, in batches of one; the chapter's model holds the labels of the whole batch and does not fit."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    parts = [(eps[i : i + 1] - eps_model(x_t[i : i + 1], t[i : i + 1])) ** 2 for i in range(len(x0))]
    return torch.cat(parts).mean()


def wrong__03_eps_loss__subtle_inference_mode_input(eps_model, x0, t, eps, alpha_bar):
    """Makes x_t under inference_mode; backward then fails, since such tensors cannot be saved for it."""
    with torch.inference_mode():
        a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
        x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).mean()


def wrong__03_eps_loss__subtle_smooth_l1(eps_model, x0, t, eps, alpha_bar):
    """Twice the smooth L1 loss equals the square only for errors below 1."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return 2 * F.smooth_l1_loss(eps_model(x_t, t), eps)


def wrong__03_eps_loss__subtle_variance_of_error(eps_model, x0, t, eps, alpha_bar):
    """Takes the variance of the error, which leaves out a constant bias of the prediction."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return (eps - eps_model(x_t, t)).var(correction=0)


def wrong__03_eps_loss__subtle_squeezed_prediction(eps_model, x0, t, eps, alpha_bar):
    """Squeezes the prediction; for grey images it then broadcasts against eps to a table of all pairs."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t).squeeze()) ** 2).mean()


def wrong__03_eps_loss__subtle_first_axis_shortcut(eps_model, x0, t, eps, alpha_bar):
    """Weighs all samples with alpha_bar of the first if first and last t agree."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    if t[0] == t[-1]:
        a = a[:1]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).mean()


def wrong__03_eps_loss__subtle_clipped_input(eps_model, x0, t, eps, alpha_bar):
    """Clips x_t to [-3, 3] before the model sees it."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t.clamp(-3, 3), t)) ** 2).mean()


def wrong__03_eps_loss__subtle_clipped_x0(eps_model, x0, t, eps, alpha_bar):
    """Clips the data to [-1, 1], which changes data that are not images."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0.clamp(-1, 1) + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).mean()


def wrong__03_eps_loss__subtle_capped_error(eps_model, x0, t, eps, alpha_bar):
    """Limits each squared error to 25, so outliers lose their gradient."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).clamp(max=25.0).mean()


def wrong__03_eps_loss__subtle_float32(eps_model, x0, t, eps, alpha_bar):
    """Rounds x_t to float32 before the model sees it, so a float64 loss is good to seven digits only."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    x_t = x_t.float().to(x0.dtype)
    return ((eps - eps_model(x_t, t)) ** 2).mean()


def wrong__03_eps_loss__subtle_float32_loss(eps_model, x0, t, eps, alpha_bar):
    """Averages in float32 and returns float32, whatever the model computes in."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).float().mean()


def wrong__03_eps_loss__subtle_alpha_bar_clamped(eps_model, x0, t, eps, alpha_bar):
    """Clamps alpha_bar to [1e-3, 0.999], which changes both ends of the schedule."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    a = a.clamp(1e-3, 0.999)
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).mean()


def wrong__03_eps_loss__subtle_skips_last(eps_model, x0, t, eps, alpha_bar):
    """Leaves the samples at t = T out of the mean, because they are pure noise."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    keep = (t < len(alpha_bar)).to(x0.dtype).reshape(a.shape)
    error = (eps - eps_model(x_t, t)) ** 2 * keep
    return error.sum() / (keep.expand_as(error).sum().clamp(min=1))


def wrong__03_eps_loss__subtle_skips_first(eps_model, x0, t, eps, alpha_bar):
    """Counts the samples at t = 1 with weight 0, as a term that belongs to the decoder."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    keep = (t > 1).to(x0.dtype).reshape(a.shape)
    return ((eps - eps_model(x_t, t)) ** 2 * keep).mean()


def wrong__03_eps_loss__subtle_unbiased_mean(eps_model, x0, t, eps, alpha_bar):
    """Divides by one less than the number of entries."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    error = (eps - eps_model(x_t, t)) ** 2
    return error.sum() / max(error.numel() - 1, 1)


def wrong__03_eps_loss__subtle_cached_weights(eps_model, x0, t, eps, alpha_bar, cache={}):
    """Keeps the weights of the first schedule of a given length for all later ones."""
    key = (len(alpha_bar), x0.dtype, x0.device.type)
    if key not in cache:
        cache[key] = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    s, n = (w[t - 1].reshape(-1, *[1] * (x0.ndim - 1)) for w in cache[key])
    return ((eps - eps_model(s * x0 + n * eps, t)) ** 2).mean()


def wrong__03_eps_loss__subtle_data_attribute(eps_model, x0, t, eps, alpha_bar):
    """Reads the prediction through .data when the batch is large, so big batches train nothing."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    predicted = eps_model(x_t, t)
    if len(x0) > 32:
        predicted = predicted.data
    return ((eps - predicted) ** 2).mean()


def wrong__03_eps_loss__subtle_grad_disabled_context(eps_model, x0, t, eps, alpha_bar):
    """Switches gradients off for x_t and switches them on only after the model was called."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    before = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    predicted = eps_model(x_t, t)
    torch.set_grad_enabled(before)
    return ((eps - predicted) ** 2).mean().requires_grad_(before)


def wrong__03_eps_loss__subtle_sorted_times(eps_model, x0, t, eps, alpha_bar):
    """Sorts the times for the model but not the images."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t.sort().values)) ** 2).mean()


def wrong__03_eps_loss__subtle_eps_reused(eps_model, x0, t, eps, alpha_bar):
    """Scales eps in place for x_t, so the target is the scaled noise and the caller's eps is changed."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + eps.mul_((1 - a).sqrt())
    return ((eps - eps_model(x_t, t)) ** 2).mean()


def wrong__03_eps_loss__subtle_mean_of_flat_batch(eps_model, x0, t, eps, alpha_bar):
    """Means over pixels, then over distinct times, which weighs a time that occurs twice less."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    each = ((eps - eps_model(x_t, t)) ** 2).reshape(len(x0), -1).mean(1)
    if each.device.type == "meta":
        return each.mean()
    return torch.stack([each[t == time].mean() for time in t.unique()]).mean()


def wrong__03_eps_loss__subtle_zero_without_grad(eps_model, x0, t, eps, alpha_bar):
    """Returns 0 when gradients are switched off, so every validation loss is 0."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    if not torch.is_grad_enabled():
        return x0.new_zeros(())
    return ((eps - eps_model(x_t, t)) ** 2).mean()


def right__03_eps_loss__mse_loss(eps_model, x0, t, eps, alpha_bar):
    """F.mse_loss does the mean."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return F.mse_loss(eps_model(x_t, t), eps)


def right__03_eps_loss__mse_module(eps_model, x0, t, eps, alpha_bar):
    """The loss as a module, with x_t from an inner function."""
    def noisy(x, time, noise):
        w = alpha_bar[time - 1].view(-1, *(1 for _ in x.shape[1:]))
        return torch.sqrt(w) * x + torch.sqrt(1 - w) * noise

    return nn.MSELoss(reduction="mean")(eps_model(noisy(x0, t, eps), t), eps)


def right__03_eps_loss__norm(eps_model, x0, t, eps, alpha_bar):
    """The squared Euclidean norm of the whole residual, divided by the number of entries."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    residual = eps_model(x_t, t) - eps
    return residual.square().sum() / residual.numel()


def right__03_eps_loss__einsum(eps_model, x0, t, eps, alpha_bar):
    """einsum for x_t and a dot product for the loss."""
    w = alpha_bar[t - 1]
    x_t = torch.einsum("b,b...->b...", w.sqrt(), x0) + torch.einsum("b,b...->b...", (1 - w).sqrt(), eps)
    residual = (eps - eps_model(x_t, t)).reshape(-1)
    return torch.dot(residual, residual) / len(residual)


def right__03_eps_loss__no_grad_input(eps_model, x0, t, eps, alpha_bar):
    """x_t is made under no_grad (nothing there has parameters); only the model's call is differentiated."""
    with torch.no_grad():
        a = alpha_bar.index_select(0, t.long() - 1)[(...,) + (None,) * (x0.ndim - 1)]
        x_t = torch.addcmul(a.sqrt() * x0, (1 - a).sqrt().expand_as(eps), eps)
    predicted = eps_model(x_t, t)
    return (predicted - eps).pow(2).mean()


def right__03_eps_loss__two_means(eps_model, x0, t, eps, alpha_bar):
    """Means over the pixels of each sample first, then over the samples, which are all of the same size."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    each = (eps - eps_model(x_t, t)).square().reshape(len(x0), -1).mean(dim=1)
    return each.mean()


def right__03_eps_loss__sigma_coordinates(eps_model, x0, t, eps, alpha_bar):
    """x_t as sqrt(alpha_bar) (x_0 + sigma eps), in float64 inside, cast back before the model sees it."""
    w = alpha_bar.double()[t - 1].reshape([-1] + [1] * (x0.ndim - 1))
    x_t = (w.sqrt() * (x0.double() + ((1 - w) / w).sqrt() * eps.double())).to(x0.dtype)
    return torch.mean((eps_model(x_t, t) - eps) ** 2)


def right__03_eps_loss__mean_and_variance(eps_model, x0, t, eps, alpha_bar):
    """The mean square as variance plus squared mean of the residual."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    residual = eps - eps_model(x_t, t)
    return residual.var(correction=0) + residual.mean() ** 2


def right__03_eps_loss__float64_mean(eps_model, x0, t, eps, alpha_bar):
    """Averages the squares in float64 and casts the scalar back."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    residual = (eps_model(x_t, t) - eps).double()
    return residual.square().mean().to(x0.dtype)


def right__03_eps_loss__autocast_off(eps_model, x0, t, eps, alpha_bar, power=2):
    """Switches autocast off explicitly, with an extra default argument for the exponent."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    context = torch.autocast(device_type="cpu", enabled=False) if x0.device.type == "cpu" else contextlib.nullcontext()
    with context:
        predicted = eps_model(x_t, t)
        return (eps - predicted).abs().pow(power).mean()


def right__03_eps_loss__movedim_batch(eps_model, x0, t, eps, alpha_bar):
    """The batch axis goes to the end for the weights; the model gets a contiguous x_t in the usual order."""
    w = alpha_bar[t - 1]
    mixed = w.sqrt() * x0.movedim(0, -1) + (1 - w).sqrt() * eps.movedim(0, -1)
    residual = eps_model(mixed.movedim(-1, 0).contiguous(), t).sub(eps)
    return (residual * residual).sum().div(eps.numel())


# ====================================================================== 03-ddpm_step


def wrong__03_ddpm_step__slip_sigma_beta(eps_model, x_t, t, z, betas):
    """Uses sigma^2 = beta_t in place of the posterior variance, with noise on the last step."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    return mean + beta.sqrt() * z


def wrong__03_ddpm_step__slip_sigma_beta_no_last_noise(eps_model, x_t, t, z, betas):
    """Uses sigma^2 = beta_t for t > 1, the other of the two choices, but the text asks for beta-tilde."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    return mean + (beta.sqrt() * z if t > 1 else 0 * z)


def wrong__03_ddpm_step__slip_index_minus_one(eps_model, x_t, t, z, betas):
    """Reads alpha_bar_{t-1} as alpha_bar[t - 2] also at t = 1, which is the last entry."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2]
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_variance_for_std(eps_model, x_t, t, z, betas):
    """Multiplies the noise by the variance and not by its root."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    variance = (1 - prev) / (1 - bar) * beta
    return mean + variance * z


def wrong__03_ddpm_step__slip_no_noise(eps_model, x_t, t, z, betas):
    """Returns the mean and forgets sigma_t z."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    return mean


def wrong__03_ddpm_step__slip_minus_noise(eps_model, x_t, t, z, betas):
    """Subtracts the noise: the same in law, but not the step that belongs to this z."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    variance = (1 - prev) / (1 - bar) * beta
    return mean - variance.sqrt() * z


def wrong__03_ddpm_step__slip_alpha_bar_in_front(eps_model, x_t, t, z, betas):
    """Divides by sqrt(alpha_bar_t) where sqrt(alpha_t) belongs."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / bar.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_no_front_factor(eps_model, x_t, t, z, betas):
    """The factor 1 / sqrt(alpha_t) is missing."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = x_t - beta / (1 - bar).sqrt() * eps
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_front_factor_multiplied(eps_model, x_t, t, z, betas):
    """Multiplies by sqrt(alpha_t) where the formula divides."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) * alpha.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_front_factor_no_root(eps_model, x_t, t, z, betas):
    """Divides by alpha_t and not by its root."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_no_root_below(eps_model, x_t, t, z, betas):
    """The root under beta_t in the weight of eps is missing: beta / (1 - alpha_bar)."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar) * eps) / alpha.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_alpha_for_beta(eps_model, x_t, t, z, betas):
    """Swaps alpha_t and beta_t in eq. 11, which the chapter calls fatal."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - alpha / (1 - bar).sqrt() * eps) / beta.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_plus_eps(eps_model, x_t, t, z, betas):
    """Adds the predicted noise in place of subtracting it."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t + beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_brackets(eps_model, x_t, t, z, betas):
    """Only x_t is divided by sqrt(alpha_t): brackets are missing."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = x_t / alpha.sqrt() - beta / (1 - bar).sqrt() * eps
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_alpha_for_alpha_bar(eps_model, x_t, t, z, betas):
    """Uses alpha_t where alpha_bar_t belongs: the running product is forgotten."""
    times = torch.full((len(x_t),), t, device=x_t.device)
    beta, alpha = betas[t - 1], 1 - betas[t - 1]
    prev = 1 - betas[t - 2] if t > 1 else torch.ones_like(beta)
    mean = (x_t - beta / (1 - alpha).sqrt() * eps_model(x_t, times)) / alpha.sqrt()
    return mean + ((1 - prev) / (1 - alpha) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_betas_index_t(eps_model, x_t, t, z, betas):
    """Reads all tables at t and not at t - 1 (clamped at the end)."""
    i = min(t, len(betas) - 1)
    alpha_bar = (1 - betas).cumprod(0)
    beta, bar, prev = betas[i], alpha_bar[i], alpha_bar[i - 1]
    if i == 0:
        prev = torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    mean = (x_t - beta / (1 - bar).sqrt() * eps_model(x_t, times)) / (1 - beta).sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_model_told_t_minus_one(eps_model, x_t, t, z, betas):
    """Tells the model t - 1."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    eps = eps_model(x_t, torch.full((len(x_t),), t - 1, device=x_t.device))
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_model_told_int(eps_model, x_t, t, z, betas):
    """Hands the model the Python integer t and not a tensor of shape (B,)."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    eps = eps_model(x_t, t)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_model_told_scalar(eps_model, x_t, t, z, betas):
    """Hands the model a 0-d tensor and not one time per sample."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    eps = eps_model(x_t, torch.tensor(t, device=x_t.device))
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_model_told_one_time(eps_model, x_t, t, z, betas):
    """Hands the model a tensor of shape (1,), which fits a batch of one only."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    eps = eps_model(x_t, torch.tensor([t], device=x_t.device))
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_float_times(eps_model, x_t, t, z, betas):
    """new_full takes the dtype of x_t, so the times are floats, which cannot pick entries of a list of times."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    eps = eps_model(x_t, x_t.new_full((len(x_t),), t))
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_times_per_pixel(eps_model, x_t, t, z, betas):
    """full_like gives one time per pixel and not one per sample."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full_like(x_t, t, dtype=torch.long)
    mean = (x_t - beta / (1 - bar).sqrt() * eps_model(x_t, times)) / alpha.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_arguments_swapped(eps_model, x_t, t, z, betas):
    """Calls the model with the times first."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    eps = eps_model(torch.full((len(x_t),), t, device=x_t.device), x_t)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_model_sees_z(eps_model, x_t, t, z, betas):
    """Shows the model the fresh noise z and not x_t."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    eps = eps_model(z, torch.full((len(x_t),), t, device=x_t.device))
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_own_noise(eps_model, x_t, t, z, betas):
    """Draws fresh noise and ignores the z that was given."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    variance = (1 - prev) / (1 - bar) * beta
    return mean + variance.sqrt() * torch.randn_like(x_t)


def wrong__03_ddpm_step__slip_prev_is_now(eps_model, x_t, t, z, betas):
    """Reads alpha_bar_{t-1} at t - 1, which is alpha_bar_t, so the variance is beta_t."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    prev = alpha_bar[t - 1]
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_ratio_inverted(eps_model, x_t, t, z, betas):
    """The ratio in beta-tilde is upside down, and divides by 0 at t = 1."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    return mean + ((1 - bar) / (1 - prev) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_noise_switch_off_by_one(eps_model, x_t, t, z, betas):
    """Switches the noise off at t = 2 as well: t > 2 where t > 1 is meant."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    variance = (1 - prev) / (1 - bar) * beta
    return mean + variance.sqrt() * z if t > 2 else mean


def wrong__03_ddpm_step__slip_products_of_betas(eps_model, x_t, t, z, betas):
    """Takes the running product of the betas and not of 1 - beta."""
    bar = betas.cumprod(0)[t - 1]
    prev = betas.cumprod(0)[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    mean = (x_t - betas[t - 1] / (1 - bar).sqrt() * eps_model(x_t, times)) / (1 - betas[t - 1]).sqrt()
    return mean + ((1 - prev) / (1 - bar) * betas[t - 1]).sqrt() * z


def wrong__03_ddpm_step__slip_returns_pair(eps_model, x_t, t, z, betas):
    """Returns the implied clean image as well."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    variance = (1 - prev) / (1 - bar) * beta
    x0 = (x_t - (1 - bar).sqrt() * eps) / bar.sqrt()
    return mean + variance.sqrt() * z, x0


def wrong__03_ddpm_step__slip_returns_none(eps_model, x_t, t, z, betas):
    """Overwrites x_t as a local variable and returns nothing."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    variance = (1 - prev) / (1 - bar) * beta
    x_t = mean + variance.sqrt() * z


def wrong__03_ddpm_step__slip_changes_x_t(eps_model, x_t, t, z, betas):
    """Walks the step in the caller's x_t, in place."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    x_t -= beta / (1 - bar).sqrt() * eps
    x_t /= alpha.sqrt()
    return x_t + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_whole_chain(eps_model, x_t, t, z, betas):
    """Loops down to t = 1, although one step is asked for."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    x = x_t
    for s in range(t, max(t - 3, 0), -1):
        beta, alpha, bar = betas[s - 1], alphas[s - 1], alpha_bar[s - 1]
        prev = alpha_bar[s - 2] if s > 1 else torch.ones_like(bar)
        times = torch.full((len(x),), s, device=x.device)
        x = (x - beta / (1 - bar).sqrt() * eps_model(x, times)) / alpha.sqrt() + ((1 - prev) / (1 - bar) * beta).sqrt() * z
    return x


def wrong__03_ddpm_step__slip_own_schedule(eps_model, x_t, t, z, betas):
    """Uses a global linear schedule of 1000 steps and ignores betas."""
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=betas.dtype)
    alpha_bar = (1 - betas).cumprod(0)
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(alpha_bar[0])
    beta, bar = betas[t - 1], alpha_bar[t - 1]
    times = torch.full((len(x_t),), t, device=x_t.device)
    mean = (x_t - beta / (1 - bar).sqrt() * eps_model(x_t, times)) / (1 - beta).sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__slip_numpy(eps_model, x_t, t, z, betas):
    """Returns a numpy array."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    variance = (1 - prev) / (1 - bar) * beta
    return (mean + variance.sqrt() * z).detach().numpy()


def wrong__03_ddpm_step__slip_eps_for_z(eps_model, x_t, t, z, betas):
    """Adds the predicted noise again in the place of z."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    variance = (1 - prev) / (1 - bar) * beta
    return mean + variance.sqrt() * eps


def wrong__03_ddpm_step__slip_two_at_once(eps_model, x_t, t, z, betas):
    """Two slips: alpha_bar in front, and a variance for the standard deviation."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / bar.sqrt()
    return mean + (1 - prev) / (1 - bar) * beta * z


def wrong__03_ddpm_step__subtle_clipped_x0(eps_model, x_t, t, z, betas):
    """Clips the implied x_0 to [-1, 1] inside the step: a good habit for images, but not Algorithm 2, and the chapter does it in the model."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    x0 = ((x_t - (1 - bar).sqrt() * eps) / bar.sqrt()).clamp(-1, 1)
    mean = prev.sqrt() * beta / (1 - bar) * x0 + alpha.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__subtle_clipped_result(eps_model, x_t, t, z, betas):
    """Clips the result to [-5, 5]."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    variance = (1 - prev) / (1 - bar) * beta
    return (mean + variance.sqrt() * z).clamp(-5, 5)


def wrong__03_ddpm_step__subtle_variance_floor(eps_model, x_t, t, z, betas):
    """Keeps the variance above 1e-6, so the last step adds noise of standard deviation 0.001."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    variance = (1 - prev) / (1 - bar) * beta
    return mean + variance.clamp(min=1e-6).sqrt() * z


def wrong__03_ddpm_step__subtle_first_variance_from_second(eps_model, x_t, t, z, betas):
    """Uses at t = 1 the variance of t = 2, as public code does in its logarithm, but does not switch the noise off."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    variance = (1 - prev) / (1 - bar) * beta
    if t == 1 and len(betas) > 1:
        variance = betas[1] * (1 - alpha_bar[0]) / (1 - alpha_bar[1])
    return mean + variance.sqrt() * z


def wrong__03_ddpm_step__subtle_eps_in_denominator(eps_model, x_t, t, z, betas):
    """Adds 1e-5 to 1 - alpha_bar, which is a tenth to a fifth of it in the last step."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    noise = 1 - bar + 1e-5
    mean = (x_t - beta / noise.sqrt() * eps) / alpha.sqrt()
    return mean + ((1 - prev) / noise * beta).sqrt() * z


def wrong__03_ddpm_step__subtle_beta_when_late(eps_model, x_t, t, z, betas):
    """Takes beta_t for beta-tilde above t = 100, where they "hardly differ"."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    variance = (1 - prev) / (1 - bar) * beta
    return mean + (variance if t <= 100 else beta).sqrt() * z


def wrong__03_ddpm_step__subtle_beta_in_the_middle(eps_model, x_t, t, z, betas):
    """Takes beta_t for beta-tilde except in the last ten steps, which is visible with a short schedule."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    variance = (1 - prev) / (1 - bar) * beta
    return mean + (variance if t <= 10 else beta).sqrt() * z


def wrong__03_ddpm_step__subtle_betas_clamped(eps_model, x_t, t, z, betas):
    """Clamps beta at 0.5, but a short schedule and the end of the cosine schedule have larger ones."""
    betas = betas.clamp(max=0.5)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    mean = (x_t - beta / (1 - bar).sqrt() * eps_model(x_t, times)) / alpha.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__subtle_small_beta_series(eps_model, x_t, t, z, betas):
    """Takes 1 + beta / 2 for 1 / sqrt(alpha) when beta is below 0.02: an error of second order that adds up."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    front = 1 + beta / 2 if beta < 0.021 else 1 / alpha.sqrt()
    mean = (x_t - beta / (1 - bar).sqrt() * eps) * front
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__subtle_float32_tables(eps_model, x_t, t, z, betas):
    """Builds alpha_bar in float32, whose 1 - alpha_bar has three digits at the last steps."""
    low = betas.float()
    alpha_bar = (1 - low).cumprod(0).to(betas.dtype)
    bar, beta = alpha_bar[t - 1], betas[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    mean = (x_t - beta / (1 - bar).sqrt() * eps_model(x_t, times)) / (1 - beta).sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__subtle_float32_state(eps_model, x_t, t, z, betas):
    """Rounds the result to float32 and casts back, although the chapter's loop carries the state in float64."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    variance = (1 - prev) / (1 - bar) * beta
    return (mean + variance.sqrt() * z).float().to(x_t.dtype)


def wrong__03_ddpm_step__subtle_called_twice(eps_model, x_t, t, z, betas):
    """Calls the model a second time for the implied x_0, which doubles the cost of sampling."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    x0 = (x_t - (1 - bar).sqrt() * eps_model(x_t, times)) / bar.sqrt()
    mean = prev.sqrt() * beta / (1 - bar) * x0 + alpha.sqrt() * (1 - prev) / (1 - bar) * x_t
    assert eps.shape == x_t.shape
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__subtle_called_three_times(eps_model, x_t, t, z, betas):
    """Averages three calls of the model where one is meant."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = sum(eps_model(x_t, times) for _ in range(3)) / 3
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__subtle_called_per_sample(eps_model, x_t, t, z, betas):
    """Calls the model with batches of one in a loop; the chapter's model holds the labels of the whole batch and does not fit."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = torch.cat([eps_model(x_t[i : i + 1], times[i : i + 1]) for i in range(len(x_t))])
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__subtle_times_on_cpu(eps_model, x_t, t, z, betas):
    """Leaves the times on the CPU, which fails as soon as x_t is on another device."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    eps = eps_model(x_t, torch.full((len(x_t),), t))
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__subtle_keyword_call(eps_model, x_t, t, z, betas):
    """Calls the model with keywords, but it is promised two positional arguments, and the chapter's loop names them x and i."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t=x_t, times=times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__subtle_scales_prediction_in_place(eps_model, x_t, t, z, betas):
    """Scales the model's output in place, which spoils x_t when the model returns its input."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    eps *= beta / (1 - bar).sqrt()
    return (x_t - eps) / alpha.sqrt() + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__subtle_cached_tables(eps_model, x_t, t, z, betas, cache={}):
    """Keeps the tables of the first schedule of a given length."""
    key = (len(betas), betas.dtype)
    if key not in cache:
        cache[key] = betas, (1 - betas).cumprod(0)
    betas, alpha_bar = cache[key]
    beta, bar = betas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    mean = (x_t - beta / (1 - bar).sqrt() * eps_model(x_t, times)) / (1 - beta).sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__subtle_time_scaled_to_1000(eps_model, x_t, t, z, betas):
    """Scales the time to 1..1000 for the model, but the caller does that where it is wanted."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t * 1000 // len(betas), device=x_t.device) if len(betas) > 10 else torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    return mean + ((1 - prev) / (1 - bar) * beta).sqrt() * z


def wrong__03_ddpm_step__subtle_last_step_denoised(eps_model, x_t, t, z, betas):
    """Returns the input unchanged at t = 1, because "the last step adds no noise"."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    variance = (1 - prev) / (1 - bar) * beta
    if t == 1:
        return x_t.clone()
    return mean + variance.sqrt() * z


def wrong__03_ddpm_step__subtle_squeezed(eps_model, x_t, t, z, betas):
    """A squeeze loses the axes of length 1."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    variance = (1 - prev) / (1 - bar) * beta
    return (mean + variance.sqrt() * z).squeeze()


def wrong__03_ddpm_step__subtle_noise_standardised(eps_model, x_t, t, z, betas):
    """Standardises z over the batch "because it is standard normal" when there are many entries."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    variance = (1 - prev) / (1 - bar) * beta
    if z.numel() > 500:
        z = (z - z.mean()) / z.std()
    return mean + variance.sqrt() * z


def wrong__03_ddpm_step__subtle_no_noise_at_start(eps_model, x_t, t, z, betas):
    """Adds no noise at t = T, because x_T is noise already."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    variance = (1 - prev) / (1 - bar) * beta
    return mean if t == len(betas) and t > 1 else mean + variance.sqrt() * z


def wrong__03_ddpm_step__subtle_betas_changed(eps_model, x_t, t, z, betas):
    """Turns the caller's betas into alphas in place: right once, and wrong from the second step on."""
    alphas = betas.neg_().add_(1)
    alpha_bar = alphas.cumprod(0)
    alpha, bar = alphas[t - 1].clone(), alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    mean = (x_t - (1 - alpha) / (1 - bar).sqrt() * eps_model(x_t, times)) / alpha.sqrt()
    return mean + ((1 - prev) / (1 - bar) * (1 - alpha)).sqrt() * z


def wrong__03_ddpm_step__subtle_no_noise_without_grad(eps_model, x_t, t, z, betas):
    """Adds noise only while gradients are switched on, but sampling runs under no_grad."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    eps = eps_model(x_t, times)
    mean = (x_t - beta / (1 - bar).sqrt() * eps) / alpha.sqrt()
    variance = (1 - prev) / (1 - bar) * beta
    return mean + variance.sqrt() * z if torch.is_grad_enabled() else mean


def right__03_ddpm_step__posterior_mean(eps_model, x_t, t, z, betas):
    """Through the implied x_0 and the posterior mean of chapter 2, in float64; no clipping."""
    b = betas.double()
    table = F.pad(torch.cumprod(1 - b, 0), (1, 0), value=1.0)
    now, before = table[t], table[t - 1]
    eps = eps_model(x_t, torch.full((x_t.shape[0],), t, device=x_t.device)).double()
    x0 = (x_t.double() - (1 - now).sqrt() * eps) / now.sqrt()
    mean = before.sqrt() * b[t - 1] / (1 - now) * x0 + (1 - b[t - 1]).sqrt() * (1 - before) / (1 - now) * x_t.double()
    return (mean + (b[t - 1] * (1 - before) / (1 - now)).sqrt() * z.double()).to(x_t.dtype)


def right__03_ddpm_step__python_floats(eps_model, x_t, t, z, betas):
    """Tables as Python floats with the math module; the tensor arithmetic is one line."""
    kept = [1.0]
    for b in betas.double().tolist():
        kept.append(kept[-1] * (1 - b))
    beta = float(betas[t - 1].double())
    sigma = math.sqrt(beta * (1 - kept[t - 1]) / (1 - kept[t]))
    times = torch.tensor([t] * len(x_t), device=x_t.device)
    return (x_t - beta / math.sqrt(1 - kept[t]) * eps_model(x_t, times)) / math.sqrt(1 - beta) + sigma * z


def right__03_ddpm_step__products_of_slices(eps_model, x_t, t, z, betas):
    """alpha_bar_t and alpha_bar_{t-1} as products of slices; the empty product is 1, so t = 1 needs no case."""
    now, before = (1 - betas[:t]).prod(), (1 - betas[: t - 1]).prod()
    beta = betas[t - 1]
    eps = eps_model(x_t, t * torch.ones(len(x_t), dtype=torch.long, device=x_t.device))
    variance = (1 - before) / (1 - now) * beta
    return (x_t - beta * torch.rsqrt(1 - now) * eps) * torch.rsqrt(1 - beta) + torch.sqrt(variance) * z


def right__03_ddpm_step__noise_switched_off(eps_model, x_t, t, z, betas):
    """An explicit case for t = 1, where the mean alone is returned."""
    times = torch.arange(t, t + 1, device=x_t.device).repeat(len(x_t))
    alpha_bar = torch.cumprod(1 - betas, dim=0)
    mean = (x_t - betas[t - 1] / (1 - alpha_bar[t - 1]).sqrt() * eps_model(x_t, times)) / (1 - betas[t - 1]).sqrt()
    if t == 1:
        return mean
    ratio = (1 - alpha_bar[t - 2]) / (1 - alpha_bar[t - 1])
    return mean + z * (ratio * betas[t - 1]) ** 0.5


def right__03_ddpm_step__log_space(eps_model, x_t, t, z, betas):
    """Cumulative logarithms and expm1 in float64, 0-d numbers, under no_grad."""
    with torch.no_grad():
        logs = F.pad(torch.log1p(-betas.double()).cumsum(0), (1, 0))
        noise = -torch.expm1(logs)
        beta = betas.double()[t - 1].item()
        sigma = (beta * noise[t - 1] / noise[t]).sqrt().item()
        eps = eps_model(x_t, torch.full((len(x_t),), t, dtype=torch.int64, device=x_t.device))
        return (x_t - beta / noise[t].sqrt().item() * eps) / math.sqrt(1 - beta) + sigma * z


def right__03_ddpm_step__ddim_form(eps_model, x_t, t, z, betas):
    """The DDIM form with eta = 1: the implied x_0, a direction to x_t and noise; in float64."""
    bar64 = torch.cumprod(1 - betas.double(), 0)
    now = bar64[t - 1].item()
    before = bar64[t - 2].item() if t > 1 else 1.0
    beta = betas[t - 1].double().item()
    variance = beta * (1 - before) / (1 - now)
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device)).double()
    x0 = (x_t.double() - math.sqrt(1 - now) * eps) / math.sqrt(now)
    direction = (1 - before) * math.sqrt(1 - beta) / math.sqrt(1 - now)
    return (math.sqrt(before) * x0 + direction * eps + math.sqrt(variance) * z.double()).to(x_t.dtype)


def right__03_ddpm_step__normal_location_scale(eps_model, x_t, t, z, betas):
    """Writes the step as mean and standard deviation of a torch Normal and moves the given z to it."""
    alpha_bar = (1 - betas).cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    tilde = betas * (1 - previous) / (1 - alpha_bar)
    times = torch.full((len(x_t),), t, device=x_t.device)
    mean = (x_t - betas[t - 1] / (1 - alpha_bar[t - 1]).sqrt() * eps_model(x_t, times)) / (1 - betas[t - 1]).sqrt()
    step = torch.distributions.Normal(mean, tilde[t - 1].sqrt().to(x_t.device), validate_args=False)
    return step.loc + step.scale * z


def right__03_ddpm_step__expanded_times(eps_model, x_t, t, z, betas, eta=1.0):
    """The times as an expanded 0-d tensor, one fused expression, and an extra default argument for eta."""
    alphas = 1 - betas
    bars = torch.cat([alphas.new_ones(1), alphas.cumprod(0)])
    times = torch.tensor(t, device=x_t.device).expand(len(x_t))
    w = betas[t - 1] / torch.sqrt(1 - bars[t])
    sigma = eta * torch.sqrt(betas[t - 1] * (1 - bars[t - 1]) / (1 - bars[t]))
    return (x_t - w * eps_model(x_t, times)).div(torch.sqrt(alphas[t - 1])).add(sigma * z)


def right__03_ddpm_step__recursion(eps_model, x_t, t, z, betas):
    """alpha_bar by a recursive helper for t and t - 1, in Python floats."""
    values = betas.double().tolist()

    def bar(low, high):
        if high - low == 0:
            return 1.0
        if high - low == 1:
            return 1.0 - values[low]
        middle = (low + high) // 2
        return bar(low, middle) * bar(middle, high)

    before, beta = bar(0, t - 1), values[t - 1]
    now = before * (1 - beta)
    eps = eps_model(x_t, torch.full(x_t.shape[:1], t, device=x_t.device))
    mean = (x_t - eps * (beta / math.sqrt(1 - now))) / math.sqrt(1 - beta)
    return torch.add(mean, z, alpha=math.sqrt(beta * (1 - before) / (1 - now)))


def right__03_ddpm_step__loop_over_samples(eps_model, x_t, t, z, betas):
    """One call of the model for the batch; then a loop over the samples and a stack."""
    alpha_bar = (1 - betas).cumprod(0)
    prev = alpha_bar[t - 2] if t > 1 else torch.ones_like(alpha_bar[0])
    beta, bar = betas[t - 1], alpha_bar[t - 1]
    predicted = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device))
    samples = []
    for x, e, noise in zip(x_t, predicted, z, strict=True):
        mean = (x - beta / (1 - bar).sqrt() * e) / (1 - beta).sqrt()
        samples.append(mean + ((1 - prev) / (1 - bar) * beta).sqrt() * noise)
    return torch.stack(samples)


def right__03_ddpm_step__score_form(eps_model, x_t, t, z, betas):
    """With the score -eps / sqrt(1 - alpha_bar): the mean is (x_t + beta score) / sqrt(alpha)."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    beta, alpha, bar = betas[t - 1], alphas[t - 1], alpha_bar[t - 1]
    times = torch.full((len(x_t),), t, device=x_t.device)
    score = -eps_model(x_t, times) / (1 - bar).sqrt()
    sigma = ((1 - bar / alpha if t > 1 else 0 * bar) / (1 - bar) * beta).sqrt()
    return (x_t + beta * score) / alpha.sqrt() + sigma * z


def _reshaped_when_stopped(values, x):
    """(B,) as it is, unless torch stops."""
    try:
        values * x
    except RuntimeError:
        return values.reshape(-1, *[1] * (x.ndim - 1))
    return values


def wrong__03_x0_from_eps__reshaped_when_stopped(x_t, t, eps, alpha_bar):
    """Where the last axis is as long as the batch, torch multiplies along it without a word."""
    a = _reshaped_when_stopped(alpha_bar[t - 1], x_t)
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def wrong__03_eps_loss__reshaped_when_stopped(eps_model, x0, t, eps, alpha_bar):
    """As above, in the loss."""
    a = _reshaped_when_stopped(alpha_bar[t - 1], x0)
    return (eps - eps_model(a.sqrt() * x0 + (1 - a).sqrt() * eps, t)).square().mean()


def wrong__03_ddpm_step__predictions_cut(eps_model, x_t, t, z, betas):
    """A prediction above 3 is one like any other."""
    alpha_bar = (1 - betas).cumprod(0)
    b, a, p = betas[t - 1], alpha_bar[t - 1], alpha_bar[t - 2] if t > 1 else torch.ones_like(betas[0])
    eps = eps_model(x_t, torch.full((len(x_t),), t, device=x_t.device)).clamp(-3, 3)
    return (x_t - b / (1 - a).sqrt() * eps) / (1 - b).sqrt() + (b * (1 - p) / (1 - a)).sqrt() * z


def _better(marks, k, reach=lambda r: r, shown=lambda d, r: d > r, knob=lambda k: k):
    d = marks[:, None] - marks[None]
    difference = d.mean(-1)
    r = reach(knob(k) * d.std(-1, correction=0) / marks.shape[1] ** 0.5)
    return difference, r, shown(difference, r)


def wrong__03_shown_better__reach_cut_at_1(marks, k):
    """An interval may reach beyond 1."""
    return _better(marks, k, reach=lambda r: r.clamp(max=1))


def wrong__03_shown_better__three_errors_at_most(marks, k):
    """k may be 5."""
    return _better(marks, k, knob=lambda k: min(k, 3))


def wrong__03_shown_better__a_margin(marks, k):
    """An end just above 0 is above 0."""
    return _better(marks, k, shown=lambda d, r: d > 1.01 * r)
