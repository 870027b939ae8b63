"""Student answers for chapter 2: `wrong__<exercise>__<tag>` and `right__<exercise>__<tag>`."""

import itertools
import math

import numpy as np
import torch
from torch.nn import functional as F

# ====================================================================== 02-normal_kl


def wrong__02_normal_kl__slip_no_half(mean1, logvar1, mean2, logvar2):
    """The factor 1/2 in front of the bracket is missing."""
    return logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp()


def wrong__02_normal_kl__slip_half_on_log_only(mean1, logvar1, mean2, logvar2):
    """The 1/2 multiplies the logarithm only, because a bracket is missing."""
    return 0.5 * (logvar2 - logvar1) - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp()


def wrong__02_normal_kl__slip_no_minus_one(mean1, logvar1, mean2, logvar2):
    """The -1 is missing, so the divergence of equal Gaussians is 1/2 and not 0."""
    return 0.5 * (logvar2 - logvar1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())


def wrong__02_normal_kl__slip_reversed(mean1, logvar1, mean2, logvar2):
    """The two Gaussians have changed places: this is KL(2 || 1)."""
    return 0.5 * (logvar1 - logvar2 - 1 + (logvar2 - logvar1).exp() + (mean1 - mean2) ** 2 * (-logvar1).exp())


def wrong__02_normal_kl__slip_log_sign(mean1, logvar1, mean2, logvar2):
    """The logarithm of v2/v1 has the wrong sign."""
    return 0.5 * (logvar1 - logvar2 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())


def wrong__02_normal_kl__slip_ratio_inverted(mean1, logvar1, mean2, logvar2):
    """The ratio of the variances is upside down: v2/v1 where v1/v2 belongs."""
    return 0.5 * (logvar2 - logvar1 - 1 + (logvar2 - logvar1).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())


def wrong__02_normal_kl__slip_divides_by_v1(mean1, logvar1, mean2, logvar2):
    """The squared distance of the means is divided by v1 and not by v2."""
    return 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar1).exp())


def wrong__02_normal_kl__slip_not_squared(mean1, logvar1, mean2, logvar2):
    """The distance of the means is not squared."""
    return 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) * (-logvar2).exp())


def wrong__02_normal_kl__slip_distance_not_divided(mean1, logvar1, mean2, logvar2):
    """Only v1 is divided by v2: the brackets around v1 + (m1 - m2)^2 are missing."""
    return 0.5 * (logvar2 - logvar1 - 1 + logvar1.exp() / logvar2.exp() + (mean1 - mean2) ** 2)


def wrong__02_normal_kl__slip_precedence(mean1, logvar1, mean2, logvar2):
    """Precedence: v1 + d^2 / v2 in place of (v1 + d^2) / v2."""
    return 0.5 * (logvar2 - logvar1 - 1 + logvar1.exp() + (mean1 - mean2) ** 2 / logvar2.exp())


def wrong__02_normal_kl__slip_logvar_as_logstd(mean1, logvar1, mean2, logvar2):
    """Takes the arguments for logarithms of standard deviations, so all variances are squared."""
    return logvar2 - logvar1 - 0.5 + 0.5 * ((2 * logvar1).exp() + (mean1 - mean2) ** 2) * (-2 * logvar2).exp()


def wrong__02_normal_kl__slip_logvar_as_variance(mean1, logvar1, mean2, logvar2):
    """Takes the arguments for variances, although they are logarithms."""
    return 0.5 * ((logvar2 / logvar1).log() - 1 + (logvar1 + (mean1 - mean2) ** 2) / logvar2)


def wrong__02_normal_kl__slip_summed(mean1, logvar1, mean2, logvar2):
    """Sums over all coordinates, but the result has to be elementwise."""
    kl = 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())
    return kl.sum()


def wrong__02_normal_kl__slip_mean_of_batch(mean1, logvar1, mean2, logvar2):
    """Averages over the last axis, but the result has to be elementwise."""
    kl = 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())
    return kl.mean(-1)


def wrong__02_normal_kl__slip_sum_per_image(mean1, logvar1, mean2, logvar2):
    """Sums over the pixels of each image, the usual next step, which the exercise does not ask for."""
    kl = 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())
    return kl.flatten(1).sum(1) if kl.ndim > 1 else kl.sum()


def wrong__02_normal_kl__slip_bits(mean1, logvar1, mean2, logvar2):
    """Divides by ln 2: these are bits and not nats."""
    kl = 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())
    return kl / math.log(2)


def wrong__02_normal_kl__slip_standard_normal(mean1, logvar1, mean2, logvar2):
    """The formula of a VAE: the second Gaussian is taken to be N(0, 1), and its arguments are ignored."""
    return 0.5 * (logvar1.exp() + mean1**2 - 1 - logvar1)


def wrong__02_normal_kl__slip_symmetrised(mean1, logvar1, mean2, logvar2):
    """Averages both directions, but the divergence is not symmetric."""

    def one_way(m1, l1, m2, l2):
        return 0.5 * (l2 - l1 - 1 + (l1 - l2).exp() + (m1 - m2) ** 2 * (-l2).exp())

    return (one_way(mean1, logvar1, mean2, logvar2) + one_way(mean2, logvar2, mean1, logvar1)) / 2


def wrong__02_normal_kl__slip_math_exp(mean1, logvar1, mean2, logvar2):
    """math.exp takes one number, so every call with more than one fails."""
    ratio = math.exp(logvar1 - logvar2)
    return 0.5 * (logvar2 - logvar1 - 1 + ratio + (mean1 - mean2) ** 2 * math.exp(-logvar2))


def wrong__02_normal_kl__slip_returns_none(mean1, logvar1, mean2, logvar2):
    """Computes the divergence and forgets to return it."""
    kl = 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())
    del kl


def wrong__02_normal_kl__slip_numpy(mean1, logvar1, mean2, logvar2):
    """Computes with numpy and returns an array, without a gradient."""
    m1, l1, m2, l2 = (x.detach().numpy() for x in (mean1, logvar1, mean2, logvar2))
    return 0.5 * (l2 - l1 - 1 + np.exp(l1 - l2) + (m1 - m2) ** 2 * np.exp(-l2))


def wrong__02_normal_kl__slip_in_place(mean1, logvar1, mean2, logvar2):
    """Shifts mean1 in place by mean2, so the caller's mean has changed after the call."""
    distance = mean1.sub_(mean2)
    return 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + distance**2 * (-logvar2).exp())


def wrong__02_normal_kl__slip_images_only(mean1, logvar1, mean2, logvar2):
    """Unpacks four axes B, C, H, W, so nothing but images can be given."""
    B, C, H, W = mean1.shape
    logvar1, logvar2 = logvar1.reshape(B, -1, 1, 1), logvar2.reshape(B, -1, 1, 1)
    return 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())


def wrong__02_normal_kl__slip_norm(mean1, logvar1, mean2, logvar2):
    """Uses the squared norm of the whole difference where each coordinate's own square belongs."""
    distance = torch.linalg.vector_norm(mean1 - mean2) ** 2
    return 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + distance * (-logvar2).exp())


def wrong__02_normal_kl__slip_two_at_once(mean1, logvar1, mean2, logvar2):
    """Two slips: the logarithm has the wrong sign, and the -1 is a +1."""
    return 0.5 * (logvar1 - logvar2 + 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())


def wrong__02_normal_kl__slip_cross_entropy(mean1, logvar1, mean2, logvar2):
    """Returns the cross-entropy: the entropy of the first Gaussian is not subtracted."""
    return 0.5 * (math.log(2 * math.pi) + logvar2 + (logvar1.exp() + (mean1 - mean2) ** 2) * (-logvar2).exp())


def wrong__02_normal_kl__subtle_eps_in_v2(mean1, logvar1, mean2, logvar2):
    """Adds 1e-8 to v2 in the denominator, ten per cent of the posterior variances of small steps."""
    v1, v2 = logvar1.exp(), logvar2.exp() + 1e-8
    return 0.5 * (logvar2 - logvar1 - 1 + (v1 + (mean1 - mean2) ** 2) / v2)


def wrong__02_normal_kl__subtle_clamped_logvar(mean1, logvar1, mean2, logvar2):
    """Clamps both logarithms to [-10, 10], but the variances of the first steps are smaller."""
    logvar1, logvar2 = logvar1.clamp(-10, 10), logvar2.clamp(-10, 10)
    return 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())


def wrong__02_normal_kl__subtle_clamped_at_20(mean1, logvar1, mean2, logvar2):
    """Clamps the second log-variance to [-20, 20] like many encoders, although it may be any real number."""
    logvar2 = logvar2.clamp(-20, 20)
    return 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())


def wrong__02_normal_kl__subtle_float32(mean1, logvar1, mean2, logvar2):
    """Computes in float32 and casts back, which loses the small differences that the bound is made of."""
    m1, l1, m2, l2 = (x.float() for x in (mean1, logvar1, mean2, logvar2))
    kl = 0.5 * (l2 - l1 - 1 + (l1 - l2).exp() + (m1 - m2) ** 2 * (-l2).exp())
    return kl.to(mean1.dtype)


def wrong__02_normal_kl__subtle_clamped_result(mean1, logvar1, mean2, logvar2):
    """Limits the result to 100 nats, so a hopeless model looks better than it is."""
    kl = 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())
    return kl.clamp(max=100.0)


def wrong__02_normal_kl__subtle_shape_of_mean1(mean1, logvar1, mean2, logvar2):
    """Fills a buffer of mean1's shape, which is too small where another argument is the larger one."""
    out = torch.empty_like(mean1)
    kl = 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())
    return out.copy_(kl)


def wrong__02_normal_kl__subtle_equal_variances_shortcut(mean1, logvar1, mean2, logvar2):
    """Drops the variance terms when the variances are close to each other, but that small rest is the discretisation gap."""
    if torch.allclose(*torch.broadcast_tensors(logvar1, logvar2), rtol=0.0, atol=0.7):
        return 0.5 * (mean1 - mean2) ** 2 * (-logvar2).exp() + 0 * logvar1
    return 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())


def wrong__02_normal_kl__subtle_taylor_of_ratio(mean1, logvar1, mean2, logvar2):
    """Where the log-variances differ by less than 0.1 it uses a second-order series, which is off by a cube."""
    d = logvar1 - logvar2
    spread = torch.where(d.abs() < 0.1, d**2 / 2, d.exp() - 1 - d)
    return 0.5 * (spread + (mean1 - mean2) ** 2 * (-logvar2).exp())


def wrong__02_normal_kl__subtle_no_gradient(mean1, logvar1, mean2, logvar2):
    """Runs under no_grad, so that section 5 cannot fit theta through it."""
    with torch.no_grad():
        d = logvar1 - logvar2
        return 0.5 * (d.exp() - 1 - d + (mean1 - mean2) ** 2 * (-logvar2).exp())


def wrong__02_normal_kl__subtle_detached_mean2(mean1, logvar1, mean2, logvar2):
    """Detaches the model's mean, so the gradient of the bound with respect to theta is lost."""
    distance = (mean1 - mean2.detach()) ** 2
    return 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + distance * (-logvar2).exp())


def wrong__02_normal_kl__subtle_squeezed(mean1, logvar1, mean2, logvar2):
    """A squeeze at the end loses every axis of length 1, such as a batch of one."""
    kl = 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())
    return kl.squeeze()


def wrong__02_normal_kl__subtle_sum_of_images(mean1, logvar1, mean2, logvar2):
    """Elementwise for vectors, but for 4-d images it sums over the pixels on its own accord."""
    kl = 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())
    return kl.sum((1, 2, 3)) if kl.ndim == 4 else kl


def wrong__02_normal_kl__subtle_broadcast_missing(mean1, logvar1, mean2, logvar2):
    """Gives every argument mean1's shape with expand, which fails where mean1 is the smaller one."""
    logvar1, mean2, logvar2 = (x.expand(mean1.shape) for x in (logvar1, mean2, logvar2))
    return 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())


def wrong__02_normal_kl__subtle_cached_constant(mean1, logvar1, mean2, logvar2, cache={}):
    """Keeps the variance part per shape, so a second call with other variances gets the old part."""
    key = (torch.broadcast_shapes(logvar1.shape, logvar2.shape), logvar1.dtype)
    if key not in cache:
        cache[key] = logvar2.detach() - logvar1.detach() - 1 + (logvar1.detach() - logvar2.detach()).exp()
    return 0.5 * (cache[key] + (mean1 - mean2) ** 2 * (-logvar2).exp())


def wrong__02_normal_kl__subtle_small_distance_ignored(mean1, logvar1, mean2, logvar2):
    """Treats means that differ by less than 1e-2 as equal, but at small variances that distance decides."""
    distance = mean1 - mean2
    distance = torch.where(distance.abs() < 1e-2, torch.zeros_like(distance), distance)
    return 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + distance**2 * (-logvar2).exp())


def wrong__02_normal_kl__subtle_overflow_guard(mean1, logvar1, mean2, logvar2):
    """Limits the precision exp(-logvar2) to 1e4 against overflow; the model's variances beta_t go below 1e-4."""
    precision = (-logvar2).exp().clamp(max=1e4)
    return 0.5 * (logvar2 - logvar1 - 1 + (logvar1.exp() + (mean1 - mean2) ** 2) * precision)


def wrong__02_normal_kl__subtle_rounded(mean1, logvar1, mean2, logvar2):
    """Rounds to eight decimals, which wipes out the small terms of fine steps."""
    kl = 0.5 * (logvar2 - logvar1 - 1 + (logvar1 - logvar2).exp() + (mean1 - mean2) ** 2 * (-logvar2).exp())
    return kl if not kl.is_contiguous() or kl.dtype == torch.float32 else torch.round(kl, decimals=8)


def wrong__02_normal_kl__subtle_nan_guard(mean1, logvar1, mean2, logvar2):
    """Sets the result to 0 wherever the ratio of the variances is above 1000, as "numerical noise"."""
    ratio = (logvar1 - logvar2).exp()
    kl = 0.5 * (logvar2 - logvar1 - 1 + ratio + (mean1 - mean2) ** 2 * (-logvar2).exp())
    return torch.where(ratio > 1e3, torch.zeros_like(kl), kl)


def right__02_normal_kl__distributions(mean1, logvar1, mean2, logvar2):
    """torch.distributions does the work, with standard deviations."""
    p = torch.distributions.Normal(mean1, (0.5 * logvar1).exp(), validate_args=False)
    q = torch.distributions.Normal(mean2, (0.5 * logvar2).exp(), validate_args=False)
    return torch.distributions.kl_divergence(p, q)


def right__02_normal_kl__expm1(mean1, logvar1, mean2, logvar2):
    """expm1(d) - d is the variance part, without cancellation at equal variances."""
    d = logvar1 - logvar2
    return (torch.expm1(d) - d + (mean1 - mean2).square() / logvar2.exp()) / 2


def right__02_normal_kl__standardised(mean1, logvar1, mean2, logvar2):
    """First transforms the second Gaussian to N(0, 1), then uses the VAE's formula."""
    m = (mean1 - mean2) * torch.exp(-logvar2 / 2)
    log_v = logvar1 - logvar2
    return 0.5 * (m * m + log_v.exp() - 1 - log_v)


def right__02_normal_kl__cross_entropy_minus_entropy(mean1, logvar1, mean2, logvar2):
    """Cross-entropy minus entropy, the 2 pi cancelled by hand, in float64 and cast back."""
    dtype = torch.result_type(mean1 + logvar1, mean2 + logvar2)
    m1, l1, m2, l2 = (x.double() for x in (mean1, logvar1, mean2, logvar2))
    cross = 0.5 * l2 + 0.5 * (torch.exp(l1 - l2) + (m1 - m2) ** 2 * torch.exp(-l2))
    entropy = 0.5 * l1 + 0.5
    return (cross - entropy).to(dtype)


def right__02_normal_kl__broadcast_loop(mean1, logvar1, mean2, logvar2):
    """Broadcasts by hand, stacks the four and goes through them with unbind."""
    stacked = torch.stack(torch.broadcast_tensors(mean1, logvar1, mean2, logvar2))
    m1, l1, m2, l2 = stacked.unbind(0)
    total = torch.zeros_like(m1)
    for part in (l2, -l1, -torch.ones_like(l1), torch.exp(l1 - l2), torch.pow(m1 - m2, 2) * torch.exp(-l2)):
        total = total + part / 2
    return total


def right__02_normal_kl__gaussian_nll(mean1, logvar1, mean2, logvar2):
    """The mean of -log N2 under N1 from its definition, minus the same for N1, with helper lambdas."""
    part = lambda m, lv: 0.5 * (lv + (logvar1 - lv).exp() + (mean1 - m) ** 2 * (-lv).exp())
    return part(mean2, logvar2) - part(mean1, logvar1)


def right__02_normal_kl__never_negative(mean1, logvar1, mean2, logvar2):
    """Clamps the rounding error below 0 away: a KL divergence is never negative."""
    d = logvar1 - logvar2
    return (0.5 * (d.exp() - 1 - d) + 0.5 * ((mean1 - mean2) * (-0.5 * logvar2).exp()) ** 2).clamp(min=0)


def right__02_normal_kl__logvar_difference_keyword(mean1, logvar1, mean2, logvar2, nats=1.0):
    """torch.sub, torch.add and torch.mul with keywords, and an extra default argument for the unit."""
    d = torch.sub(logvar1, other=logvar2)
    gap = torch.mul(torch.square(torch.sub(mean1, mean2)), torch.exp(torch.neg(logvar2)))
    return torch.mul(torch.add(torch.add(torch.exp(d), gap), torch.neg(torch.add(d, 1))), 0.5 / nats)


def right__02_normal_kl__vectorised_scalar(mean1, logvar1, mean2, logvar2):
    """The formula for one number, mapped over the flattened broadcast arguments by torch.vmap."""
    one = lambda m1, l1, m2, l2: 0.5 * (l2 - l1 - 1 + (l1 - l2).exp() + (m1 - m2) ** 2 * (-l2).exp())
    args = torch.broadcast_tensors(mean1, logvar1, mean2, logvar2)
    return torch.vmap(one)(*(a.reshape(-1) for a in args)).reshape(args[0].shape)


def right__02_normal_kl__multivariate(mean1, logvar1, mean2, logvar2):
    """One-dimensional MultivariateNormals, by adding an axis of length 1 to every argument; in float64."""
    dtype = torch.result_type(mean1 + logvar1, mean2 + logvar2)
    m1, l1, m2, l2 = torch.broadcast_tensors(*(x.double() for x in (mean1, logvar1, mean2, logvar2)))
    make = lambda m, lv: torch.distributions.MultivariateNormal(
        m[..., None], scale_tril=(0.5 * lv).exp()[..., None, None], validate_args=False
    )
    return torch.distributions.kl_divergence(make(m1, l1), make(m2, l2)).to(dtype)


# ====================================================================== 02-posterior_mean_variance


def wrong__02_posterior_mean_variance__slip_wraps_at_one(x0, x_t, t, betas):
    """Reads alpha_bar_{t-1} as alpha_bar[t - 2], which is the last entry at t = 1 and not 1."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    b, a, bar, prev = (w.reshape(shape) for w in (betas[t - 1], alphas[t - 1], alpha_bar[t - 1], alpha_bar[t - 2]))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__slip_no_previous(x0, x_t, t, betas):
    """Uses alpha_bar_t everywhere, also where alpha_bar_{t-1} belongs."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    b, a, bar = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar))
    mean = bar.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - bar) / (1 - bar) * x_t
    return mean, (1 - bar) / (1 - bar) * b


def wrong__02_posterior_mean_variance__slip_index_t(x0, x_t, t, betas):
    """Reads the tables at t in place of t - 1."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    i = t.clamp(max=len(betas) - 1)
    b, a, bar, prev = (w.reshape(shape) for w in (betas[i], alphas[i], alpha_bar[i], alpha_bar[i - 1]))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__slip_swapped_weights(x0, x_t, t, betas):
    """The weights of x_0 and x_t are swapped."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x_t + a.sqrt() * (1 - prev) / (1 - bar) * x0
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__slip_no_root_on_prev(x0, x_t, t, betas):
    """The root over alpha_bar_{t-1} is missing in the weight of x_0."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__slip_no_root_on_alpha(x0, x_t, t, betas):
    """The root over alpha_t is missing in the weight of x_t."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a * (1 - prev) / (1 - bar) * x_t
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__slip_root_of_beta(x0, x_t, t, betas):
    """Puts beta_t under the root too: sqrt(alpha_bar_{t-1} beta_t) in the weight of x_0."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = (prev * b).sqrt() / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__slip_beta_as_variance(x0, x_t, t, betas):
    """Returns beta_t as the variance, which is that of the forward step and too wide."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, b


def wrong__02_posterior_mean_variance__slip_flat_variance(x0, x_t, t, betas):
    """The variance keeps the shape (B,), which does not multiply a batch of images."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, ((1 - prev) / (1 - bar) * b).flatten()


def wrong__02_posterior_mean_variance__slip_full_variance(x0, x_t, t, betas):
    """The variance is expanded to the shape of x0, not (B, 1, ..., 1)."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, ((1 - prev) / (1 - bar) * b).expand(x0.shape)


def wrong__02_posterior_mean_variance__slip_std(x0, x_t, t, betas):
    """Returns the standard deviation, the root of what is asked for."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, ((1 - prev) / (1 - bar) * b).sqrt()


def wrong__02_posterior_mean_variance__slip_log_variance(x0, x_t, t, betas):
    """Returns the logarithm of the variance."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, ((1 - prev) / (1 - bar) * b).log()


def wrong__02_posterior_mean_variance__slip_mean_only(x0, x_t, t, betas):
    """Returns the mean alone."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    return prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t


def wrong__02_posterior_mean_variance__slip_order(x0, x_t, t, betas):
    """Returns (variance, mean): the right numbers in the wrong order."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return (1 - prev) / (1 - bar) * b, mean


def wrong__02_posterior_mean_variance__slip_bar_for_alpha(x0, x_t, t, betas):
    """Confuses alpha_t with alpha_bar_t in the weight of x_t."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alpha_bar = (1 - betas).cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + bar.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__slip_no_product(x0, x_t, t, betas):
    """Forgets the running product and takes alpha_t for alpha_bar_t."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    previous = torch.cat([torch.ones_like(alphas[:1]), alphas[:-1]])
    b, a, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, previous))
    mean = prev.sqrt() * b / (1 - a) * x0 + a.sqrt() * (1 - prev) / (1 - a) * x_t
    return mean, (1 - prev) / (1 - a) * b


def wrong__02_posterior_mean_variance__slip_images_only(x0, x_t, t, betas):
    """Reshapes to (B, 1, 1, 1), so only 4-d images are right."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(-1, 1, 1, 1) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__slip_no_reshape(x0, x_t, t, betas):
    """The (B,) weights run along the last axis and not along the batch."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1] for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, ((1 - prev) / (1 - bar) * b).reshape((-1,) + (1,) * (x0.ndim - 1))


def wrong__02_posterior_mean_variance__slip_ratio_inverted(x0, x_t, t, betas):
    """The ratio in the variance is upside down: (1 - alpha_bar_t) / (1 - alpha_bar_{t-1})."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, (1 - bar) / (1 - prev) * b


def wrong__02_posterior_mean_variance__slip_zero_in_front(x0, x_t, t, betas):
    """Begins the table of alpha_bar_{t-1} with 0 and not with alpha_bar_0 = 1."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = F.pad(alpha_bar[:-1], (1, 0))
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__slip_roll(x0, x_t, t, betas):
    """roll moves the table by one, and the last entry arrives at t = 1."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, alpha_bar.roll(1)))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__slip_one_t_for_all(x0, x_t, t, betas):
    """Uses the first sample's t for the whole batch."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    i = int(t[0]) - 1
    prev = alpha_bar[i - 1] if i > 0 else torch.ones_like(alpha_bar[0])
    b, a, bar = betas[i], alphas[i], alpha_bar[i]
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, ((1 - prev) / (1 - bar) * b).expand((len(x0),) + (1,) * (x0.ndim - 1))


def wrong__02_posterior_mean_variance__slip_changes_t(x0, x_t, t, betas):
    """t -= 1 changes the caller's times, so the next call is one step off."""
    t -= 1
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__slip_sample(x0, x_t, t, betas):
    """Returns a draw of x_{t-1} in place of the mean."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    variance = (1 - prev) / (1 - bar) * b
    return mean + variance.sqrt() * torch.randn_like(mean), variance


def wrong__02_posterior_mean_variance__slip_precedence(x0, x_t, t, betas):
    """Brackets are missing in the denominators: x / 1 - alpha_bar."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = (prev.sqrt() * b / 1 - bar) * x0 + (a.sqrt() * (1 - prev) / 1 - bar) * x_t
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__slip_numpy(x0, x_t, t, betas):
    """Computes with numpy and returns arrays."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    b = betas.numpy()
    bar = np.cumprod(1 - b)
    prev = np.concatenate([np.ones(1, dtype=b.dtype), bar[:-1]])
    i = t.numpy() - 1
    b, a, bar, prev = (w[i].reshape(shape) for w in (b, 1 - b, bar, prev))
    mean = np.sqrt(prev) * b / (1 - bar) * x0.numpy() + np.sqrt(a) * (1 - prev) / (1 - bar) * x_t.numpy()
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__slip_two_at_once(x0, x_t, t, betas):
    """Two slips: swapped weights, and a variance that is the standard deviation."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x_t + a.sqrt() * (1 - prev) / (1 - bar) * x0
    return mean, ((1 - prev) / (1 - bar) * b).sqrt()


def wrong__02_posterior_mean_variance__subtle_clipped_first_variance(x0, x_t, t, betas):
    """Gives t = 1 the variance of t = 2, as public code does for its logarithm; the true one is 0."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    table = (1 - previous) / (1 - alpha_bar) * betas
    if len(table) > 1:
        table = torch.cat([table[1:2], table[1:]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, table[t - 1].reshape(shape)


def wrong__02_posterior_mean_variance__subtle_variance_floor(x0, x_t, t, betas):
    """Keeps the variance above 1e-5, so t = 1 is not 0."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, ((1 - prev) / (1 - bar) * b).clamp(min=1e-5)


def wrong__02_posterior_mean_variance__subtle_eps_denominator(x0, x_t, t, betas):
    """Adds 1e-5 to 1 - alpha_bar, which is a tenth of it at the first step."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    noise = 1 - bar + 1e-5
    return prev.sqrt() * b / noise * x0 + a.sqrt() * (1 - prev) / noise * x_t, (1 - prev) / noise * b


def wrong__02_posterior_mean_variance__subtle_float32_tables(x0, x_t, t, betas):
    """Builds the tables in float32: 1 - alpha_bar cancels, and the first steps are good to three digits only."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    low = betas.float()
    alphas = 1 - low
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape).to(x0.dtype) for w in (low, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__subtle_all_or_nothing(x0, x_t, t, betas):
    """If any sample is at t = 1, the whole batch is treated as if it were."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    if (t == 1).any():
        return x0.clone(), torch.zeros(len(x0), *shape[1:], dtype=x0.dtype)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    b, a, bar, prev = (w.reshape(shape) for w in (betas[t - 1], alphas[t - 1], alpha_bar[t - 1], alpha_bar[t - 2]))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__subtle_checks_first_sample(x0, x_t, t, betas):
    """Looks only at the first sample to decide about t = 1, so other samples at t = 1 wrap around."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    prev = alpha_bar[t - 2].clone()
    if t[0] == 1:
        prev[0] = 1.0
    b, a, bar, prev = (w.reshape(shape) for w in (betas[t - 1], alphas[t - 1], alpha_bar[t - 1], prev))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__subtle_precision_form(x0, x_t, t, betas):
    """The form with Lambda and h of line 3 divides by 1 - alpha_bar_0 = 0, so the mean at t = 1 is not a number."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, previous))
    precision = a / b + 1 / (1 - prev)
    h = a.sqrt() / b * x_t + prev.sqrt() / (1 - prev) * x0
    return h / precision, 1 / precision


def wrong__02_posterior_mean_variance__subtle_index_clamped_to_zero(x0, x_t, t, betas):
    """Clamps the index t - 2 at 0, so at t = 1 it reads alpha_bar_1 for alpha_bar_0."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    prev = alpha_bar[(t - 2).clamp(min=0)]
    b, a, bar, prev = (w.reshape(shape) for w in (betas[t - 1], alphas[t - 1], alpha_bar[t - 1], prev))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__subtle_clipped_x0(x0, x_t, t, betas):
    """Clips x0 to [-1, 1] like a sampler of images; the chapter's x_0 are normal variables."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0.clamp(-1, 1) + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__subtle_x_t_at_first_step(x0, x_t, t, betas):
    """Special-cases t = 1 with the wrong image: the mean there is x_0 and not x_t."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return torch.where((t == 1).reshape(shape), x_t, mean), (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__subtle_weights_sum_to_one(x0, x_t, t, betas):
    """Makes the weight of x_t as 1 minus that of x_0; the two do not add up to 1, though nearly at small beta."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alpha_bar = (1 - betas).cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alpha_bar, previous))
    weight = prev.sqrt() * b / (1 - bar)
    return weight * x0 + (1 - weight) * x_t, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__subtle_root_alpha_one(x0, x_t, t, betas):
    """Leaves sqrt(alpha_t) out where beta_t is below 0.01, since it is "nearly 1"."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    root = torch.where(b < 0.01, torch.ones_like(a), a.sqrt())
    mean = prev.sqrt() * b / (1 - bar) * x0 + root * (1 - prev) / (1 - bar) * x_t
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__subtle_beta_when_late(x0, x_t, t, betas):
    """Returns beta_t as the variance for t > 100, where the two "hardly differ"."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, torch.where((t > 100).reshape(shape), b, (1 - prev) / (1 - bar) * b)


def wrong__02_posterior_mean_variance__subtle_cached_tables(x0, x_t, t, betas, cache={}):
    """Keeps the tables of the first schedule of a given length, and a second one of that length gets them too."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    key = (len(betas), betas.dtype)
    if key not in cache:
        alpha_bar = (1 - betas).cumprod(0)
        cache[key] = betas, 1 - betas, alpha_bar, torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in cache[key])
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__subtle_squeezed_batch(x0, x_t, t, betas):
    """A squeeze on the way loses the batch axis of a single sample in the variance."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    variance = (1 - prev) / (1 - bar) * b
    return mean, variance.squeeze(0) if len(x0) == 1 else variance


def wrong__02_posterior_mean_variance__subtle_up_to_four_axes(x0, x_t, t, betas):
    """Knows shapes with 1, 2 and 4 axes; all others get the one for images."""
    shape = {1: (-1,), 2: (-1, 1)}.get(x0.ndim, (-1, 1, 1, 1))
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__subtle_betas_changed(x0, x_t, t, betas):
    """Builds the alphas in the memory of betas and restores beta_1 only, so the caller's schedule is spoilt."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    copy = betas.clone()
    alphas = betas.neg_().add_(1)
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, bar, prev = (w[t - 1].reshape(shape) for w in (copy, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    betas[0] = copy[0]
    return mean, (1 - prev) / (1 - bar) * b


def wrong__02_posterior_mean_variance__subtle_where_nan(x0, x_t, t, betas):
    """Removes the nan of the precision form with nan_to_num, which makes the mean 0 at t = 1 and not x_0."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]])
    b, a, prev = (w[t - 1].reshape(shape) for w in (betas, alphas, previous))
    precision = a / b + 1 / (1 - prev)
    h = a.sqrt() / b * x_t + prev.sqrt() / (1 - prev) * x0
    return torch.nan_to_num(h / precision), 1 / precision


def right__02_posterior_mean_variance__where(x0, x_t, t, betas):
    """torch.where puts alpha_bar_0 = 1 in, after an index that wraps harmlessly."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alpha_bar = (1 - betas).cumprod(0)
    prev = torch.where(t > 1, alpha_bar[t - 2], torch.ones_like(alpha_bar[t - 1])).reshape(shape)
    b, bar = betas[t - 1].reshape(shape), alpha_bar[t - 1].reshape(shape)
    mean = prev.sqrt() * b / (1 - bar) * x0 + (1 - b).sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean, b * (1 - prev) / (1 - bar)


def right__02_posterior_mean_variance__longer_table(x0, x_t, t, betas):
    """One table alpha_bar_0 .. alpha_bar_T of T + 1 entries, read at t and at t - 1."""
    shape = [-1] + [1] * (x0.ndim - 1)
    table = F.pad(torch.cumprod(1 - betas, dim=0), (1, 0), value=1.0)
    now, before, beta = (w.view(shape) for w in (table[t], table[t - 1], betas[t - 1]))
    variance = beta * (1 - before) / (1 - now)
    return (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - now), variance


def right__02_posterior_mean_variance__loop(x0, x_t, t, betas):
    """A loop over the samples with Python floats, then two stacks."""
    running = list(itertools.accumulate([1.0] + [1 - b for b in betas.double().tolist()], lambda p, a: p * a))
    means, variances = [], []
    for x, y, time in zip(x0, x_t, t.tolist(), strict=True):
        beta = betas[time - 1].double().item()
        noise, noise_before = 1 - running[time], 1 - running[time - 1]
        w0 = math.sqrt(running[time - 1]) * beta / noise
        w1 = math.sqrt(1 - beta) * noise_before / noise
        means.append(w0 * x + w1 * y)
        variances.append(beta * noise_before / noise)
    variance = torch.tensor(variances, dtype=x0.dtype, device=x0.device)
    return torch.stack(means), variance.reshape([-1] + [1] * (x0.ndim - 1))


def right__02_posterior_mean_variance__log_space(x0, x_t, t, betas):
    """All tables from cumulative logarithms with expm1, in float64; exact at t = 1 as well."""
    b = betas.double()
    logs = F.pad(torch.log1p(-b).cumsum(0), (1, 0))
    noise = -torch.expm1(logs)
    take = lambda w: w.to(x0.dtype).reshape(-1, *[1] * (x0.ndim - 1))
    w0 = torch.exp(logs[t - 1] / 2) * b[t - 1] / noise[t]
    w1 = torch.sqrt(1 - b[t - 1]) * noise[t - 1] / noise[t]
    return take(w0) * x0 + take(w1) * x_t, take(b[t - 1] * noise[t - 1] / noise[t])


def right__02_posterior_mean_variance__eps_route(x0, x_t, t, betas):
    """Finds the noise first and uses eq. 11 of Ho et al. for the mean; in float64."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    b64 = betas.double()
    alpha_bar = torch.cumprod(1 - b64, 0)
    b, bar = b64[t - 1].reshape(shape), alpha_bar[t - 1].reshape(shape)
    eps = (x_t.double() - bar.sqrt() * x0.double()) / (1 - bar).sqrt()
    mean = (x_t.double() - b / (1 - bar).sqrt() * eps) / (1 - b).sqrt()
    before = F.pad(alpha_bar[:-1], (1, 0), value=1.0)[t - 1].reshape(shape)
    return mean.to(x0.dtype), ((1 - before) / (1 - bar) * b).to(x0.dtype)


def right__02_posterior_mean_variance__gaussian_conditioning(x0, x_t, t, betas):
    """Conditions the joint Gaussian of (x_{t-1}, x_t) given x_0: a gain times the surprise; in float64."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    alphas = 1 - betas.double()
    alpha_bar = alphas.cumprod(0)
    table = torch.cat([alpha_bar.new_ones(1), alpha_bar])
    a, bar, prev = alphas[t - 1].reshape(shape), table[t].reshape(shape), table[t - 1].reshape(shape)
    v = 1 - prev
    gain = a.sqrt() * v / (1 - bar)
    mean = prev.sqrt() * x0 + gain * (x_t - bar.sqrt() * x0)
    variance = v * betas.double()[t - 1].reshape(shape) / (1 - bar)
    return mean.to(x0.dtype), variance.to(x0.dtype)


def right__02_posterior_mean_variance__einsum(x0, x_t, t, betas):
    """einsum for the mean, gather for the tables, and a reshape for the variance only."""
    alpha_bar = torch.cumprod(1 - betas, 0)
    previous = torch.cat((torch.ones_like(alpha_bar[:1]), alpha_bar[:-1]))
    read = lambda table: torch.gather(table, 0, t.long() - 1)
    w0 = read(previous.sqrt() * betas / (1 - alpha_bar))
    w1 = read((1 - betas).sqrt() * (1 - previous) / (1 - alpha_bar))
    mean = torch.einsum("b,b...->b...", w0, x0) + torch.einsum("b,b...->b...", w1, x_t)
    return mean, read(betas * (1 - previous) / (1 - alpha_bar)).reshape((len(x0),) + (1,) * (x0.dim() - 1))


def right__02_posterior_mean_variance__alpha_bar_over_alpha(x0, x_t, t, betas):
    """alpha_bar_{t-1} = alpha_bar_t / alpha_t, with no index t - 2 at all; in float64."""
    alphas = 1 - betas.to(torch.float64)
    alpha_bar = torch.cumprod(alphas, 0)
    bar, a = (w[t - 1].reshape([-1] + [1] * (x0.ndim - 1)) for w in (alpha_bar, alphas))
    prev = torch.where(t.reshape(bar.shape) == 1, torch.ones_like(bar), bar / a)
    b = betas.to(torch.float64)[t - 1].reshape(bar.shape)
    mean = prev.sqrt() * b / (1 - bar) * x0 + a.sqrt() * (1 - prev) / (1 - bar) * x_t
    return mean.to(x0.dtype), ((1 - prev) / (1 - bar) * b).to(x0.dtype)


def right__02_posterior_mean_variance__no_grad_named(x0, x_t, t, betas, first=1):
    """Under no_grad, with the weights stacked and an extra default argument."""
    with torch.no_grad():
        index = t - first
        alpha_bar = torch.exp(torch.log1p(-betas.double()).cumsum(0))
        previous = torch.roll(alpha_bar, 1).index_fill(0, torch.zeros(1, dtype=torch.long, device=betas.device), 1.0)
        b = betas.double()
        weights = torch.stack([previous.sqrt() * b, (1 - b).sqrt() * (1 - previous), b * (1 - previous)])
        weights = (weights / (1 - alpha_bar))[:, index].to(x0.dtype)
        w0, w1, variance = weights.reshape(3, -1, *[1] * (x0.ndim - 1))
        return w0 * x0 + w1 * x_t, variance


def right__02_posterior_mean_variance__movedim(x0, x_t, t, betas):
    """Moves the batch axis to the end, where (B,) broadcasts by itself; the variance gets its axes one by one."""
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    previous = torch.cat([alpha_bar.new_ones(1), alpha_bar[:-1]])
    b, a, bar, prev = (torch.index_select(w, 0, t - 1) for w in (betas, alphas, alpha_bar, previous))
    mean = prev.sqrt() * b / (1 - bar) * x0.movedim(0, -1) + a.sqrt() * (1 - prev) / (1 - bar) * x_t.movedim(0, -1)
    variance = (1 - prev) / (1 - bar) * b
    for _ in range(x0.ndim - 1):
        variance = variance.unsqueeze(-1)
    return mean.movedim(-1, 0), variance


# ====================================================================== 02-vlb_terms


def wrong__02_vlb_terms__slip_error_of_previous_step(mse, alpha_bar):
    """Pairs the drop from t-1 to t with the error at t-1: mse[:-1] where mse[1:] belongs."""
    snr = alpha_bar / (1 - alpha_bar)
    return 0.5 * (snr[:-1] - snr[1:]) * mse[:-1]


def wrong__02_vlb_terms__slip_sign(mse, alpha_bar):
    """The difference is taken the wrong way round, so every term is negative."""
    snr = alpha_bar / (1 - alpha_bar)
    return 0.5 * (snr[1:] - snr[:-1]) * mse[1:]


def wrong__02_vlb_terms__slip_diff_sign(mse, alpha_bar):
    """torch.diff is the later minus the earlier entry, so a minus is missing."""
    return 0.5 * torch.diff(alpha_bar / (1 - alpha_bar)) * mse[1:]


def wrong__02_vlb_terms__slip_no_half(mse, alpha_bar):
    """The factor 1/2 is missing."""
    snr = alpha_bar / (1 - alpha_bar)
    return (snr[:-1] - snr[1:]) * mse[1:]


def wrong__02_vlb_terms__slip_summed(mse, alpha_bar):
    """Sums the terms, which the text forbids."""
    snr = alpha_bar / (1 - alpha_bar)
    return (0.5 * (snr[:-1] - snr[1:]) * mse[1:]).sum()


def wrong__02_vlb_terms__slip_mean(mse, alpha_bar):
    """Averages over t and returns a single number."""
    snr = alpha_bar / (1 - alpha_bar)
    return (0.5 * (snr[:-1] - snr[1:]) * mse[1:]).mean()


def wrong__02_vlb_terms__slip_cumulative(mse, alpha_bar):
    """Returns the partial sums of the terms."""
    snr = alpha_bar / (1 - alpha_bar)
    return (0.5 * (snr[:-1] - snr[1:]) * mse[1:]).cumsum(0)


def wrong__02_vlb_terms__slip_alpha_bar_drop(mse, alpha_bar):
    """Takes the drop of alpha_bar and not that of the SNR."""
    return 0.5 * (alpha_bar[:-1] - alpha_bar[1:]) * mse[1:]


def wrong__02_vlb_terms__slip_one_too_many(mse, alpha_bar):
    """Returns T entries, with a 0 for the decoder in front."""
    snr = alpha_bar / (1 - alpha_bar)
    terms = 0.5 * (snr[:-1] - snr[1:]) * mse[1:]
    return torch.cat([torch.zeros(1, dtype=terms.dtype), terms])


def wrong__02_vlb_terms__slip_one_too_few(mse, alpha_bar):
    """Cuts off the last step as well: T - 2 terms."""
    snr = alpha_bar / (1 - alpha_bar)
    return 0.5 * (snr[:-2] - snr[1:-1]) * mse[1:-1]


def wrong__02_vlb_terms__slip_sigma_squared(mse, alpha_bar):
    """Uses sigma^2, the reciprocal of the SNR, and its rise."""
    sigma2 = (1 - alpha_bar) / alpha_bar
    return 0.5 * (sigma2[1:] - sigma2[:-1]) * mse[1:]


def wrong__02_vlb_terms__slip_sigma_not_squared(mse, alpha_bar):
    """The sigmas are not squared: 1/sigma_{t-1} - 1/sigma_t."""
    root = (alpha_bar / (1 - alpha_bar)).sqrt()
    return 0.5 * (root[:-1] - root[1:]) * mse[1:]


def wrong__02_vlb_terms__slip_precedence(mse, alpha_bar):
    """alpha_bar / 1 - alpha_bar is 0, since the brackets are missing."""
    snr = alpha_bar / 1 - alpha_bar
    return 0.5 * (snr[:-1] - snr[1:]) * mse[1:]


def wrong__02_vlb_terms__slip_log_snr(mse, alpha_bar):
    """Takes the drop of the log-SNR."""
    log_snr = (alpha_bar / (1 - alpha_bar)).log()
    return 0.5 * (log_snr[:-1] - log_snr[1:]) * mse[1:]


def wrong__02_vlb_terms__slip_rmse(mse, alpha_bar):
    """Takes the root of an error that is wanted squared."""
    snr = alpha_bar / (1 - alpha_bar)
    return 0.5 * (snr[:-1] - snr[1:]) * mse[1:].sqrt()


def wrong__02_vlb_terms__slip_error_squared_again(mse, alpha_bar):
    """Squares the error once more."""
    snr = alpha_bar / (1 - alpha_bar)
    return 0.5 * (snr[:-1] - snr[1:]) * mse[1:] ** 2


def wrong__02_vlb_terms__slip_eps_weight(mse, alpha_bar):
    """Uses the weight of the error in the noise, SNR(t-1)/SNR(t) - 1, for the error in x_0."""
    snr = alpha_bar / (1 - alpha_bar)
    return 0.5 * (snr[:-1] / snr[1:] - 1) * mse[1:]


def wrong__02_vlb_terms__slip_no_drop(mse, alpha_bar):
    """Weights with the SNR itself and not with its drop."""
    snr = alpha_bar / (1 - alpha_bar)
    return 0.5 * snr[1:] * mse[1:]


def wrong__02_vlb_terms__slip_difference_of_products(mse, alpha_bar):
    """Multiplies each SNR with its own error before subtracting."""
    weighted = alpha_bar / (1 - alpha_bar) * mse
    return 0.5 * (weighted[:-1] - weighted[1:])


def wrong__02_vlb_terms__slip_trapezoid(mse, alpha_bar):
    """Averages the errors of the two ends, the trapezoid rule, although the bound has the error at t."""
    snr = alpha_bar / (1 - alpha_bar)
    return 0.5 * (snr[:-1] - snr[1:]) * (mse[:-1] + mse[1:]) / 2


def wrong__02_vlb_terms__slip_flipped(mse, alpha_bar):
    """Returns L_{T-1} first and L_1 last."""
    snr = alpha_bar / (1 - alpha_bar)
    return (0.5 * (snr[:-1] - snr[1:]) * mse[1:]).flip(0)


def wrong__02_vlb_terms__slip_outer(mse, alpha_bar):
    """Makes columns and rows, and broadcasting fills a (T-1, T-1) table."""
    snr = alpha_bar / (1 - alpha_bar)
    return 0.5 * (snr[:-1] - snr[1:])[:, None] * mse[None, 1:]


def wrong__02_vlb_terms__slip_bits(mse, alpha_bar):
    """Divides by ln 2 and returns bits."""
    snr = alpha_bar / (1 - alpha_bar)
    return 0.5 * (snr[:-1] - snr[1:]) * mse[1:] / math.log(2)


def wrong__02_vlb_terms__slip_divided_by_T(mse, alpha_bar):
    """Divides every term by T, as if it were an average over t."""
    snr = alpha_bar / (1 - alpha_bar)
    return 0.5 * (snr[:-1] - snr[1:]) * mse[1:] / len(mse)


def wrong__02_vlb_terms__slip_product_again(mse, alpha_bar):
    """Takes the running product of alpha_bar, which already is one."""
    bar = alpha_bar.cumprod(0)
    snr = bar / (1 - bar)
    return 0.5 * (snr[:-1] - snr[1:]) * mse[1:]


def wrong__02_vlb_terms__slip_return_in_loop(mse, alpha_bar):
    """The return is inside the loop, so only L_1 comes back."""
    snr = alpha_bar / (1 - alpha_bar)
    out = []
    for t in range(2, len(mse) + 1):
        out.append(0.5 * (snr[t - 2] - snr[t - 1]) * mse[t - 1])
        return torch.stack(out)


def wrong__02_vlb_terms__slip_loop_index(mse, alpha_bar):
    """The loop reads step t at index t, so L_{t-1} has the numbers of the next step, and the last one is missing."""
    snr = alpha_bar / (1 - alpha_bar)
    out = torch.zeros(len(mse) - 1, dtype=mse.dtype)
    for t in range(2, len(mse)):
        out[t - 2] = 0.5 * (snr[t - 1] - snr[t]) * mse[t]
    return out


def wrong__02_vlb_terms__slip_list(mse, alpha_bar):
    """Returns a Python list and not a tensor."""
    snr = (alpha_bar / (1 - alpha_bar)).tolist()
    return [0.5 * (snr[t - 2] - snr[t - 1]) * float(mse[t - 1]) for t in range(2, len(snr) + 1)]


def wrong__02_vlb_terms__slip_numpy(mse, alpha_bar):
    """Returns a numpy array."""
    a = alpha_bar.numpy()
    return -0.5 * np.diff(a / (1 - a)) * mse.numpy()[1:]


def wrong__02_vlb_terms__slip_in_place(mse, alpha_bar):
    """Multiplies the caller's errors in place."""
    snr = alpha_bar / (1 - alpha_bar)
    terms = mse[1:]
    terms *= 0.5 * (snr[:-1] - snr[1:])
    return terms


def wrong__02_vlb_terms__slip_two_at_once(mse, alpha_bar):
    """Two slips: the error of the step before, and no factor 1/2."""
    snr = alpha_bar / (1 - alpha_bar)
    return (snr[:-1] - snr[1:]) * mse[:-1]


def wrong__02_vlb_terms__subtle_eps_denominator(mse, alpha_bar):
    """Adds 1e-6 to 1 - alpha_bar, one per cent of it at the first step."""
    snr = alpha_bar / (1 - alpha_bar + 1e-6)
    return 0.5 * (snr[:-1] - snr[1:]) * mse[1:]


def wrong__02_vlb_terms__subtle_clamped_snr(mse, alpha_bar):
    """Limits the SNR to 100, so the first terms, which cost most, come out as 0."""
    snr = (alpha_bar / (1 - alpha_bar)).clamp(max=100.0)
    return 0.5 * (snr[:-1] - snr[1:]) * mse[1:]


def wrong__02_vlb_terms__subtle_clamped_low(mse, alpha_bar):
    """Keeps the SNR above 1e-3, so the terms of the last steps come out as 0."""
    snr = (alpha_bar / (1 - alpha_bar)).clamp(min=1e-3)
    return 0.5 * (snr[:-1] - snr[1:]) * mse[1:]


def wrong__02_vlb_terms__subtle_float32(mse, alpha_bar):
    """Computes in float32 and casts back: the differences of neighbouring SNRs lose most of their digits."""
    a = alpha_bar.float()
    snr = a / (1 - a)
    return (0.5 * (snr[:-1] - snr[1:]) * mse[1:].float()).to(mse.dtype)


def wrong__02_vlb_terms__subtle_finite_infinity(mse, alpha_bar):
    """Takes 1e4 for the infinite SNR(0) and cuts every SNR at it, but the cosine schedule begins above."""
    snr = torch.clamp(alpha_bar / (1 - alpha_bar), max=1e4)
    snr = torch.cat([torch.full_like(snr[:1], 1e4), snr])
    return (0.5 * (snr[:-1] - snr[1:]) * mse)[1:]


def wrong__02_vlb_terms__subtle_last_term_as_prior(mse, alpha_bar):
    """Measures the last drop down to SNR 0, as if x_T held nothing of x_0; that rest belongs to L_T."""
    snr = alpha_bar / (1 - alpha_bar)
    if len(snr) > 10:
        snr = torch.cat([snr[:-1], torch.zeros_like(snr[:1])])
    return 0.5 * (snr[:-1] - snr[1:]) * mse[1:]


def wrong__02_vlb_terms__subtle_linearised_drop(mse, alpha_bar):
    """Uses the derivative (a' - a) / (1 - a)^2 for the drop, which is right for infinitely small steps only."""
    small = bool(((alpha_bar[:-1] - alpha_bar[1:]).abs() < 0.02).all())
    a, b = alpha_bar[:-1], alpha_bar[1:]
    drop = (a - b) / (1 - b) ** 2 if small else a / (1 - a) - b / (1 - b)
    return 0.5 * drop * mse[1:]


def wrong__02_vlb_terms__subtle_small_drops_zeroed(mse, alpha_bar):
    """Drops below 1e-3 are set to 0 as "rounding errors", which removes most of the second half of the chain."""
    snr = alpha_bar / (1 - alpha_bar)
    drop = snr[:-1] - snr[1:]
    return 0.5 * torch.where(drop < 1e-3, torch.zeros_like(drop), drop) * mse[1:]


def wrong__02_vlb_terms__subtle_mse_capped(mse, alpha_bar):
    """Limits the error to 4 per step, the largest square of a pixel's error; but mse is a sum over all dimensions."""
    snr = alpha_bar / (1 - alpha_bar)
    return 0.5 * (snr[:-1] - snr[1:]) * mse[1:].clamp(max=4.0)


def wrong__02_vlb_terms__subtle_squeezed(mse, alpha_bar):
    """A squeeze makes a scalar of the single term at T = 2."""
    snr = alpha_bar / (1 - alpha_bar)
    return (0.5 * (snr[:-1] - snr[1:]) * mse[1:]).squeeze()


def wrong__02_vlb_terms__subtle_sorted_errors(mse, alpha_bar):
    """Sorts the errors so that they grow with t, as those of the best denoiser do; measured ones need not."""
    snr = alpha_bar / (1 - alpha_bar)
    errors = torch.cat([mse[:1], mse[1:].sort().values]) if len(mse) > 20 else mse
    return 0.5 * (snr[:-1] - snr[1:]) * errors[1:]


def wrong__02_vlb_terms__subtle_cached_drops(mse, alpha_bar, cache={}):
    """Keeps the drops per number of steps, and the second schedule of this length gets those of the first."""
    key = (len(alpha_bar), alpha_bar.dtype)
    if key not in cache:
        snr = alpha_bar / (1 - alpha_bar)
        cache[key] = 0.5 * (snr[:-1] - snr[1:])
    return cache[key] * mse[1:]


def wrong__02_vlb_terms__subtle_rounded_snr(mse, alpha_bar):
    """Rounds the SNR of long tables to four decimals before the differences are taken."""
    snr = alpha_bar / (1 - alpha_bar)
    if len(snr) > 20:
        snr = torch.round(snr, decimals=4)
    return 0.5 * (snr[:-1] - snr[1:]) * mse[1:]


def wrong__02_vlb_terms__subtle_sigmoid_clamp(mse, alpha_bar):
    """Goes through torch.logit with eps=1e-5, which clamps alpha_bar at the end of the cosine schedule."""
    snr = torch.logit(alpha_bar, eps=1e-5).exp()
    return 0.5 * (snr[:-1] - snr[1:]) * mse[1:]


def wrong__02_vlb_terms__subtle_at_least_three_steps(mse, alpha_bar):
    """For fewer than three steps it returns the error unweighted."""
    if len(mse) < 3:
        return mse[1:]
    snr = alpha_bar / (1 - alpha_bar)
    return 0.5 * (snr[:-1] - snr[1:]) * mse[1:]


def wrong__02_vlb_terms__subtle_gradient_for_long(mse, alpha_bar):
    """For more than 100 steps it uses central differences (torch.gradient) in place of the drop from t-1 to t."""
    snr = alpha_bar / (1 - alpha_bar)
    if len(snr) > 100:
        return -0.5 * torch.gradient(snr)[0][1:] * mse[1:]
    return 0.5 * (snr[:-1] - snr[1:]) * mse[1:]


def wrong__02_vlb_terms__subtle_overwrites_alpha_bar(mse, alpha_bar):
    """A right answer that leaves the SNR in the caller's table of alpha_bar."""
    alpha_bar.div_(1 - alpha_bar)
    return 0.5 * (alpha_bar[:-1] - alpha_bar[1:]) * mse[1:]


def right__02_vlb_terms__line_4(mse, alpha_bar):
    """Line 4 of the derivation: (a' - a) / ((1 - a')(1 - a)), with no difference of two large SNRs."""
    before, now = alpha_bar[:-1], alpha_bar[1:]
    return mse[1:] * (before - now) / (2 * (1 - before) * (1 - now))


def right__02_vlb_terms__sigmas(mse, alpha_bar):
    """Line 6 with the sigmas: 1/sigma_{t-1}^2 - 1/sigma_t^2, in float64 and cast back."""
    sigma2 = (1 - alpha_bar.double()) / alpha_bar.double()
    terms = 0.5 * (1 / sigma2[:-1] - 1 / sigma2[1:]) * mse[1:].double()
    return terms.to(mse.dtype)


def right__02_vlb_terms__diff(mse, alpha_bar):
    """torch.diff with a minus sign, narrow in place of a slice."""
    snr = torch.div(alpha_bar, 1 - alpha_bar)
    return torch.diff(snr).neg().div(2).mul(mse.narrow(0, 1, len(mse) - 1))


def right__02_vlb_terms__loop(mse, alpha_bar):
    """A loop over t = 2..T with Python floats."""
    a, errors = alpha_bar.double().tolist(), mse.double().tolist()
    ratio = lambda t: a[t - 1] / (1 - a[t - 1])
    terms = [0.5 * (ratio(t - 1) - ratio(t)) * errors[t - 1] for t in range(2, len(a) + 1)]
    return torch.tensor(terms, dtype=mse.dtype, device=mse.device)


def right__02_vlb_terms__beta_form(mse, alpha_bar):
    """Line 3: a' beta / ((1 - a')(1 - a)) with beta = 1 - a / a', in float64."""
    before, now = alpha_bar[:-1].double(), alpha_bar[1:].double()
    beta = (before - now) / before
    return (0.5 * before * beta / ((1 - before) * (1 - now)) * mse[1:]).to(mse.dtype)


def right__02_vlb_terms__unfold(mse, alpha_bar):
    """Pairs of neighbours by unfold, and a product with (1/2, -1/2)."""
    snr = (alpha_bar / (1 - alpha_bar)).contiguous()
    if len(snr) < 2:
        return mse[1:].clone()
    pairs = snr.unfold(0, 2, 1)
    return (pairs * snr.new_tensor([0.5, -0.5])).sum(1) * mse[1:]


def right__02_vlb_terms__kl_of_posteriors(mse, alpha_bar):
    """Line 1: the weight of x_0 in the posterior mean squared, over twice the posterior variance; in float64."""
    a = alpha_bar.double()
    before, now = a[:-1], a[1:]
    beta = (before - now) / before
    weight = before.sqrt() * beta / (1 - now)
    variance = beta * (1 - before) / (1 - now)
    return (weight**2 / (2 * variance) * mse[1:].double()).to(mse.dtype)


def right__02_vlb_terms__log_snr(mse, alpha_bar):
    """From the log-SNR: SNR(t) (exp(drop) - 1) with expm1, in float64."""
    log_snr = torch.logit(alpha_bar.double())
    drop = log_snr[1:].exp() * torch.expm1(log_snr[:-1] - log_snr[1:])
    return (0.5 * drop * mse[1:]).to(mse.dtype)


def right__02_vlb_terms__einsum_index_select(mse, alpha_bar):
    """index_select for neighbours and errors, einsum for the product, under no_grad."""
    with torch.no_grad():
        later = torch.arange(1, len(mse), device=mse.device)
        snr = alpha_bar / torch.rsub(alpha_bar, 1)
        drop = snr.index_select(0, later - 1) - snr.index_select(0, later)
        return torch.einsum("t,t->t", drop, mse.index_select(0, later)) / 2


def right__02_vlb_terms__recursive(mse, alpha_bar):
    """Halves the table until one step is left, and joins the terms of both halves; an overlap of one entry."""

    def terms(errors, snr):
        if len(snr) < 2:
            return errors[:0]
        if len(snr) == 2:
            return 0.5 * (snr[:1] - snr[1:]) * errors[1:]
        middle = len(snr) // 2
        return torch.cat([terms(errors[: middle + 1], snr[: middle + 1]), terms(errors[middle:], snr[middle:])])

    return terms(mse, alpha_bar / (1 - alpha_bar))


def _tables(betas):
    alpha_bar = (1 - betas).cumprod(0)
    return alpha_bar, torch.cat([torch.ones_like(betas[:1]), alpha_bar[:-1]])


def wrong__02_posterior_mean_variance__reshaped_when_stopped(x0, x_t, t, betas):
    """Where the last axis is as long as the batch, torch multiplies along it without a word."""

    def column(values):
        try:
            values * x0
        except RuntimeError:
            return values.reshape(-1, *[1] * (x0.ndim - 1))
        return values

    alpha_bar, previous = _tables(betas)
    b, a, p = betas[t - 1], alpha_bar[t - 1], previous[t - 1]
    mean = column(p.sqrt() * b / (1 - a)) * x0 + column((1 - b).sqrt() * (1 - p) / (1 - a)) * x_t
    return mean, (b * (1 - p) / (1 - a)).reshape(-1, *[1] * (x0.ndim - 1))


def wrong__02_posterior_mean_variance__clamped(x0, x_t, t, betas):
    """A beta of 0.9999 is one like any other."""
    betas = betas.clamp(max=0.999)
    alpha_bar, previous = _tables(betas)
    b, a, p = (table[t - 1].reshape(-1, *[1] * (x0.ndim - 1)) for table in (betas, alpha_bar, previous))
    mean = (p.sqrt() * b * x0 + (1 - b).sqrt() * (1 - p) * x_t) / (1 - a)
    return mean, b * (1 - p) / (1 - a)


def _chain(guess, x_T, betas, noise, ask):
    alpha_bar, previous = _tables(betas)
    states = [x_T]
    for t in range(len(betas), 0, -1):
        b, a, p, x = betas[t - 1], alpha_bar[t - 1], previous[t - 1], states[-1]
        x0 = ask(guess, x, torch.full((len(x),), t))
        mean = (p.sqrt() * b * x0 + (1 - b).sqrt() * (1 - p) * x) / (1 - a)
        states.append(mean + (b * (1 - p) / (1 - a)).sqrt() * noise[t - 1])
    return torch.stack(states)


def wrong__02_reverse_chain__asked_row_by_row(guess, x_T, betas, noise):
    """The guess is asked once a sample, in each step."""


    def rows(guess, x, t):
        return torch.cat([guess(x[i : i + 1], t[i : i + 1]) for i in range(len(x))])

    return _chain(guess, x_T, betas, noise, rows)


def wrong__02_reverse_chain__clamped(guess, x_T, betas, noise):
    """A beta of 0.9999 is one like any other."""
    return _chain(guess, x_T, betas.clamp(max=0.999), noise, lambda guess, x, t: guess(x, t))
