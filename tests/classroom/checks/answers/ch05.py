"""Answers to the exercises of chapter 05, as students write them."""

import math

import numpy as np
import torch

import diffusion_course as dc
from diffusion_course import NoiseSchedule, elbo, gaussian

# ---- 05-learned_variance


def tilde_table(betas):
    ab = torch.cumprod(1 - betas, dim=0)
    prev = torch.cat([torch.ones_like(ab[:1]), ab[:-1]])
    small = betas * (1 - prev) / (1 - ab)
    small = small.clone()
    small[0] = small[1]
    return small


def col(values, x):
    return values.reshape(-1, *[1] * (x.ndim - 1))


def right__05_learned_variance__where(v, t, betas):
    """t = 1 by torch.where on the times."""
    at = torch.where(t == 1, 2, t) - 1
    ab = torch.cumprod(1 - betas, 0)
    prev = torch.cat([ab.new_ones(1), ab[:-1]])
    low = (betas * (1 - prev) / (1 - ab))[at]
    high = betas[t - 1]
    f = (v + 1) / 2
    return torch.exp(f * col(high.log(), v) + (1 - f) * col(low.log(), v))


def right__05_learned_variance__clamped_times(v, t, betas):
    """t = 1 by a clamp of the times of the small table."""
    small = tilde_table(betas)
    low, high = small[t.clamp(min=2) - 1], betas[t - 1]
    return col(high, v) ** ((v + 1) / 2) * col(low, v) ** ((1 - v) / 2)


def right__05_learned_variance__float64(v, t, betas):
    """float64 inside, cast back."""
    small, big = tilde_table(betas.double()).log(), betas.double().log()
    f = v.double() * 0.5 + 0.5
    return (f * col(big[t - 1], v) + (1 - f) * col(small[t - 1], v)).exp().to(v.dtype)


def right__05_learned_variance__middle_and_half(v, t, betas):
    """The middle of the two logarithms, and v times half of their distance."""
    small, big = tilde_table(betas).log(), betas.log()
    middle, reach = (small + big) / 2, (big - small) / 2
    return torch.exp(col(middle[t - 1], v) + v * col(reach[t - 1], v))


def right__05_learned_variance__expm1(v, t, betas):
    """1 - alpha_bar by expm1 of sums of logarithms."""
    logs = torch.log1p(-betas).cumsum(0)
    noise = -torch.expm1(logs)
    small = torch.cat([noise[:1] * betas[1] / noise[1], noise[:-1] * betas[1:] / noise[1:]])
    weight = (1 + v) / 2
    return (weight * col(betas.log()[t - 1], v)).exp() * ((1 - weight) * col(small.log()[t - 1], v)).exp()


def right__05_learned_variance__schedule(v, t, betas):
    """With the schedule's own tables."""
    s = NoiseSchedule.from_betas(betas)
    low = s.posterior_variance[1:]
    low = torch.cat([low[:1], low]).log()
    high = s.betas.log()
    f = (v + 1) / 2
    return (f * s.take(high, t, v) + (1 - f) * s.take(low, t, v)).exp()


def right__05_learned_variance__loop(v, t, betas):
    """Sample by sample, with Python numbers."""
    small, out = tilde_table(betas), torch.empty_like(v)
    for i in range(len(v)):
        s = int(t[i]) - 1
        f = (v[i] + 1) / 2
        out[i] = torch.exp(f * math.log(betas[s]) + (1 - f) * math.log(small[s]))
    return out


def wrong__05_learned_variance__v_for_f(v, t, betas):
    """v is taken for the share."""
    return col(betas[t - 1], v) ** v * col(tilde_table(betas)[t - 1], v) ** (1 - v)


def wrong__05_learned_variance__linear(v, t, betas):
    """A mean of variances."""
    f = (v + 1) / 2
    return f * col(betas[t - 1], v) + (1 - f) * col(tilde_table(betas)[t - 1], v)


def wrong__05_learned_variance__no_mending(v, t, betas):
    """beta-tilde_1 = 0."""
    ab = torch.cumprod(1 - betas, 0)
    prev = torch.cat([ab.new_ones(1), ab[:-1]])
    small = betas * (1 - prev) / (1 - ab)
    f = (v + 1) / 2
    return torch.exp(f * col(betas.log()[t - 1], v) + (1 - f) * col(small.log()[t - 1], v))


def wrong__05_learned_variance__tiny(v, t, betas):
    """beta-tilde_1 is made 1e-20."""
    ab = torch.cumprod(1 - betas, 0)
    prev = torch.cat([ab.new_ones(1), ab[:-1]])
    small = (betas * (1 - prev) / (1 - ab)).clamp(min=1e-20)
    f = (v + 1) / 2
    return torch.exp(f * col(betas.log()[t - 1], v) + (1 - f) * col(small.log()[t - 1], v))


def wrong__05_learned_variance__first_beta(v, t, betas):
    """beta_1 stands for beta-tilde_1."""
    small = tilde_table(betas)
    small[0] = betas[0]
    f = (v + 1) / 2
    return torch.exp(f * col(betas.log()[t - 1], v) + (1 - f) * col(small.log()[t - 1], v))


def wrong__05_learned_variance__log(v, t, betas):
    """The exp is forgotten."""
    f = (v + 1) / 2
    return f * col(betas.log()[t - 1], v) + (1 - f) * col(tilde_table(betas).log()[t - 1], v)


def wrong__05_learned_variance__deviation(v, t, betas):
    """A standard deviation."""
    return right__05_learned_variance__where(v, t, betas).sqrt()


def wrong__05_learned_variance__ends_swapped(v, t, betas):
    """v = 1 gives beta-tilde."""
    return right__05_learned_variance__where(-v, t, betas)


def wrong__05_learned_variance__clipped(v, t, betas):
    """v is clipped."""
    return right__05_learned_variance__where(v.clamp(-1, 1), t, betas)


def wrong__05_learned_variance__late(v, t, betas):
    """Tables read at t."""
    at = t.clamp(max=len(betas) - 1)
    f = (v + 1) / 2
    return torch.exp(f * col(betas.log()[at], v) + (1 - f) * col(tilde_table(betas).log()[at], v))


def wrong__05_learned_variance__first_time(v, t, betas):
    """One t for all."""
    return right__05_learned_variance__where(v, t[:1].expand_as(t), betas)


def wrong__05_learned_variance__ratio_upside_down(v, t, betas):
    """The ratio of beta-tilde is upside down."""
    small = betas**2 / tilde_table(betas)
    f = (v + 1) / 2
    return torch.exp(f * col(betas.log()[t - 1], v) + (1 - f) * col(small.log()[t - 1], v))


def wrong__05_learned_variance__only_ratio(v, t, betas):
    """beta-tilde lacks its beta."""
    small = tilde_table(betas) / betas
    f = (v + 1) / 2
    return torch.exp(f * col(betas.log()[t - 1], v) + (1 - f) * col(small.log()[t - 1], v))


def wrong__05_learned_variance__broadcast(v, t, betas):
    """(B,) meets (B, *S) without axes."""
    f = (v + 1) / 2
    return torch.exp(f * betas.log()[t - 1] + (1 - f) * tilde_table(betas).log()[t - 1])


def wrong__05_learned_variance__four_axes(v, t, betas):
    """Works for images alone."""
    f = (v + 1) / 2
    low, high = tilde_table(betas)[t - 1].view(-1, 1, 1, 1), betas[t - 1].view(-1, 1, 1, 1)
    return torch.exp(f * high.log() + (1 - f) * low.log())


def wrong__05_learned_variance__eps_in_log(v, t, betas):
    """1e-6 added in the logarithms."""
    f = (v + 1) / 2
    return torch.exp(f * col((betas + 1e-6).log()[t - 1], v) + (1 - f) * col((tilde_table(betas) + 1e-6).log()[t - 1], v))


# ---- 05-hybrid_loss


def nats_of(x0, x_t, t, mean, log_variance, schedule):
    true_mean, _ = gaussian.posterior_mean_variance(x0, x_t, t, schedule)
    true_log = schedule.take(elbo.posterior_log_variance(schedule), t, x0)
    kl = elbo.normal_kl(true_mean, true_log, mean, log_variance)
    first = -elbo.discretized_gaussian_log_likelihood(x0, mean, log_variance / 2)
    return torch.where(col(t, x0) == 1, first, kl)


def parts(model, x0, t, eps, betas, stop=True):
    """(x_t, eps_hat, v, nats of each coordinate)."""
    s = NoiseSchedule.from_betas(betas)
    x_t = gaussian.diffuse(x0, t, eps, s)
    eps_hat, v = torch.chunk(model(x_t, t), 2, dim=1)
    mean = gaussian.mean_from_eps(x_t, t, eps_hat.detach() if stop else eps_hat, s)
    log = right__05_learned_variance__where(v, t, betas).log()
    return x_t, eps_hat, v, nats_of(x0, x_t, t, mean, log, s)


def right__05_hybrid_loss__plain(model, x0, t, eps, betas, weight):
    """As the text says."""
    _, eps_hat, _, nats = parts(model, x0, t, eps, betas)
    vlb = len(betas) * nats.flatten(1).sum(1).mean() / (x0[0].numel() * math.log(2))
    return ((eps_hat - eps) ** 2).mean() + weight * vlb


def right__05_hybrid_loss__mse_loss(model, x0, t, eps, betas, weight):
    """F.mse_loss, and a mean over everything for the bound."""
    _, eps_hat, _, nats = parts(model, x0, t, eps, betas)
    return torch.nn.functional.mse_loss(eps_hat, eps) + weight * len(betas) * nats.mean() / np.log(2)


def right__05_hybrid_loss__sliced(model, x0, t, eps, betas, weight):
    """Halves by slices, the stop-gradient by no_grad."""
    s = NoiseSchedule.from_betas(betas)
    x_t = gaussian.diffuse(x0, t, eps, s)
    answer = model(x_t, t)
    C = x0.shape[1]
    with torch.no_grad():
        mean = gaussian.mean_from_eps(x_t, t, answer[:, :C], s)
    log = right__05_learned_variance__middle_and_half(answer[:, C:], t, betas).log()
    bits = nats_of(x0, x_t, t, mean, log, s).flatten(1).mean(1) / math.log(2)
    return (eps - answer[:, :C]).square().mean() + weight * (len(betas) * bits).mean()


def right__05_hybrid_loss__frozen_cat(model, x0, t, eps, betas, weight):
    """The answer with a frozen first half put together again."""
    s = NoiseSchedule.from_betas(betas)
    x_t = gaussian.diffuse(x0, t, eps, s)
    eps_hat, v = model(x_t, t).tensor_split(2, dim=1)
    frozen = torch.cat([eps_hat.detach(), v], dim=1)
    a, b = frozen.chunk(2, 1)
    nats = nats_of(x0, x_t, t, gaussian.mean_from_eps(x_t, t, a, s), right__05_learned_variance__where(b, t, betas).log(), s)
    return (eps_hat - eps).pow(2).mean() + nats.mean().mul(weight * len(betas) / math.log(2))


def right__05_hybrid_loss__x0_first(model, x0, t, eps, betas, weight):
    """The mean by x_0's estimate, not clipped."""
    s = NoiseSchedule.from_betas(betas)
    x_t = gaussian.diffuse(x0, t, eps, s)
    eps_hat, v = model(x_t, t).chunk(2, 1)
    guess = gaussian.x0_from_eps(x_t, t, eps_hat.detach(), s)
    mean, _ = gaussian.posterior_mean_variance(guess, x_t, t, s)
    nats = nats_of(x0, x_t, t, mean, right__05_learned_variance__where(v, t, betas).log(), s)
    return (eps_hat - eps).square().mean() + weight * s.T * elbo.bits_per_dim(nats.flatten(1).sum(1), x0[0].numel()).mean()


def wrong__05_hybrid_loss__no_detach(model, x0, t, eps, betas, weight):
    """No stop-gradient."""
    _, eps_hat, _, nats = parts(model, x0, t, eps, betas, stop=False)
    return ((eps_hat - eps) ** 2).mean() + weight * len(betas) * nats.mean() / math.log(2)


def wrong__05_hybrid_loss__no_T(model, x0, t, eps, betas, weight):
    """No factor T."""
    _, eps_hat, _, nats = parts(model, x0, t, eps, betas)
    return ((eps_hat - eps) ** 2).mean() + weight * nats.mean() / math.log(2)


def wrong__05_hybrid_loss__T_by_1000(model, x0, t, eps, betas, weight):
    """T / 1000 and the weight."""
    _, eps_hat, _, nats = parts(model, x0, t, eps, betas)
    return ((eps_hat - eps) ** 2).mean() + weight * len(betas) / 1000 * nats.mean() / math.log(2)


def wrong__05_hybrid_loss__nats(model, x0, t, eps, betas, weight):
    """Nats per coordinate."""
    _, eps_hat, _, nats = parts(model, x0, t, eps, betas)
    return ((eps_hat - eps) ** 2).mean() + weight * len(betas) * nats.mean()


def wrong__05_hybrid_loss__summed(model, x0, t, eps, betas, weight):
    """Bits of the whole image."""
    _, eps_hat, _, nats = parts(model, x0, t, eps, betas)
    return ((eps_hat - eps) ** 2).mean() + weight * len(betas) * nats.flatten(1).sum(1).mean() / math.log(2)


def wrong__05_hybrid_loss__item(model, x0, t, eps, betas, weight):
    """A Python number."""
    return right__05_hybrid_loss__plain(model, x0, t, eps, betas, weight).item()


def wrong__05_hybrid_loss__all_detached(model, x0, t, eps, betas, weight):
    """The answer is detached as a whole."""
    return right__05_hybrid_loss__plain(lambda x, s: model(x, s).detach(), x0, t, eps, betas, weight)


def wrong__05_hybrid_loss__per_sample(model, x0, t, eps, betas, weight):
    """A loss for each sample."""
    _, eps_hat, _, nats = parts(model, x0, t, eps, betas)
    return ((eps_hat - eps) ** 2).flatten(1).mean(1) + weight * len(betas) * nats.flatten(1).mean(1) / math.log(2)


def wrong__05_hybrid_loss__halves_swapped(model, x0, t, eps, betas, weight):
    """v first."""
    return right__05_hybrid_loss__plain(lambda x, s: torch.cat(model(x, s).chunk(2, 1)[::-1], 1), x0, t, eps, betas, weight)


def wrong__05_hybrid_loss__last_axis(model, x0, t, eps, betas, weight):
    """Split along the batch."""
    s = NoiseSchedule.from_betas(betas)
    eps_hat, v = model(gaussian.diffuse(x0, t, eps, s), t).chunk(2, dim=0)
    return (eps_hat - eps).square().mean() + weight * v.mean()


def wrong__05_hybrid_loss__two_calls(model, x0, t, eps, betas, weight):
    """The model is asked twice."""
    s = NoiseSchedule.from_betas(betas)
    x_t = gaussian.diffuse(x0, t, eps, s)
    eps_hat, v = model(x_t, t).chunk(2, 1)[0], model(x_t, t).chunk(2, 1)[1]
    mean = gaussian.mean_from_eps(x_t, t, eps_hat.detach(), s)
    nats = nats_of(x0, x_t, t, mean, right__05_learned_variance__where(v, t, betas).log(), s)
    return (eps_hat - eps).square().mean() + weight * len(betas) * nats.mean() / math.log(2)


def wrong__05_hybrid_loss__clipped_x0(model, x0, t, eps, betas, weight):
    """x_0's estimate is clipped."""
    s = NoiseSchedule.from_betas(betas)
    x_t = gaussian.diffuse(x0, t, eps, s)
    eps_hat, v = model(x_t, t).chunk(2, 1)
    guess = gaussian.x0_from_eps(x_t, t, eps_hat.detach(), s).clamp(-1, 1)
    mean, _ = gaussian.posterior_mean_variance(guess, x_t, t, s)
    nats = nats_of(x0, x_t, t, mean, right__05_learned_variance__where(v, t, betas).log(), s)
    return (eps_hat - eps).square().mean() + weight * len(betas) * nats.mean() / math.log(2)


def wrong__05_hybrid_loss__variance_for_log(model, x0, t, eps, betas, weight):
    """The variance where its logarithm belongs."""
    s = NoiseSchedule.from_betas(betas)
    x_t = gaussian.diffuse(x0, t, eps, s)
    eps_hat, v = model(x_t, t).chunk(2, 1)
    mean = gaussian.mean_from_eps(x_t, t, eps_hat.detach(), s)
    nats = nats_of(x0, x_t, t, mean, right__05_learned_variance__where(v, t, betas), s)
    return (eps_hat - eps).square().mean() + weight * len(betas) * nats.mean() / math.log(2)


def wrong__05_hybrid_loss__kl_everywhere(model, x0, t, eps, betas, weight):
    """A KL at t = 1."""
    s = NoiseSchedule.from_betas(betas)
    x_t = gaussian.diffuse(x0, t, eps, s)
    eps_hat, v = model(x_t, t).chunk(2, 1)
    mean = gaussian.mean_from_eps(x_t, t, eps_hat.detach(), s)
    true_mean, _ = gaussian.posterior_mean_variance(x0, x_t, t, s)
    log = right__05_learned_variance__where(v, t, betas).log()
    kl = elbo.normal_kl(true_mean, s.take(elbo.posterior_log_variance(s), t, x0), mean, log)
    return (eps_hat - eps).square().mean() + weight * len(betas) * kl.mean() / math.log(2)


def wrong__05_hybrid_loss__fixed_weight(model, x0, t, eps, betas, weight):
    """0.001 is written out."""
    return right__05_hybrid_loss__plain(model, x0, t, eps, betas, 0.001)


def wrong__05_hybrid_loss__clean_input(model, x0, t, eps, betas, weight):
    """The model sees x_0."""
    return right__05_hybrid_loss__plain(lambda x, s: model(x0, s), x0, t, eps, betas, weight)


def wrong__05_hybrid_loss__half(model, x0, t, eps, betas, weight):
    """Half of L_simple."""
    _, eps_hat, _, nats = parts(model, x0, t, eps, betas)
    return 0.5 * ((eps_hat - eps) ** 2).mean() + weight * len(betas) * nats.mean() / math.log(2)


def wrong__05_hybrid_loss__v_detached(model, x0, t, eps, betas, weight):
    """v learns nothing."""
    return right__05_hybrid_loss__plain(lambda x, s: torch.cat([(a := model(x, s)).chunk(2, 1)[0], a.chunk(2, 1)[1].detach()], 1), x0, t, eps, betas, weight)


# ---- 05-bits_per_dim


def right__05_bits_per_dim__list(term, x0, t, eps, L_T, T):
    """A list of the draws, summed."""
    total = sum(term(x0, t[k], eps[k]) for k in range(len(t)))
    b = (L_T + T * total / len(t)) / (math.prod(x0.shape[1:]) * math.log(2))
    return b.mean(), 1.96 * b.std() / math.sqrt(len(x0))


def right__05_bits_per_dim__library_unit(term, x0, t, eps, L_T, T):
    """With the library's unit."""
    nats = L_T + T * torch.stack([term(x0, a, e) for a, e in zip(t, eps)]).mean(dim=0)
    bits = elbo.bits_per_dim(nats, x0[0].numel())
    error = bits.std(unbiased=True) / bits.numel() ** 0.5
    return bits.mean(), 1.96 * error


def wrong__05_bits_per_dim__flat(term, x0, t, eps, L_T, T):
    """All draws in one batch: term takes the n images, whose labels it may know."""
    K, n = t.shape
    out = term(torch.cat([x0] * K), t.reshape(-1), eps.reshape(K * n, *x0.shape[1:])).reshape(K, n)
    b = (L_T + out.mean(0) * T) / x0[0].numel() / math.log(2)
    return b.sum() / n, 1.96 * ((b - b.mean()).square().sum() / (n - 1) / n).sqrt()


def right__05_bits_per_dim__log2(term, x0, t, eps, L_T, T):
    """By log2(e)."""
    means = torch.stack([term(x0, t[k], eps[k]) for k in range(t.shape[0])], dim=1).mean(1)
    b = (L_T + T * means) * math.log2(math.e) / x0.flatten(1).shape[1]
    m, s = b.mean(), b.std()
    return m, 1.96 * s / np.sqrt(len(b))


def right__05_bits_per_dim__running(term, x0, t, eps, L_T, T):
    """A running mean of the draws."""
    mean = torch.zeros_like(L_T)
    for k in range(len(t)):
        mean = mean + (term(x0, t[k], eps[k]) - mean) / (k + 1)
    b = (mean * T + L_T) / (x0[0].numel() * math.log(2))
    return b.mean(), 1.96 * b.var().sqrt() / len(b) ** 0.5


def bits_by(term, x0, t, eps, L_T, T):
    terms = torch.stack([term(x0, t[k], eps[k]) for k in range(len(t))])
    return terms, (L_T + T * terms.mean(0)) / (x0[0].numel() * math.log(2))


def wrong__05_bits_per_dim__all_terms(term, x0, t, eps, L_T, T):
    """Every term is an observation."""
    terms, b = bits_by(term, x0, t, eps, L_T, T)
    every = (L_T + T * terms) / (x0[0].numel() * math.log(2))
    return b.mean(), 1.96 * every.std() / every.numel() ** 0.5


def wrong__05_bits_per_dim__no_T(term, x0, t, eps, L_T, T):
    """No factor T."""
    terms, _ = bits_by(term, x0, t, eps, L_T, T)
    b = (L_T + terms.mean(0)) / (x0[0].numel() * math.log(2))
    return b.mean(), 1.96 * b.std() / len(b) ** 0.5


def wrong__05_bits_per_dim__sum(term, x0, t, eps, L_T, T):
    """T times a sum of the draws."""
    terms, _ = bits_by(term, x0, t, eps, L_T, T)
    b = (L_T + T * terms.sum(0)) / (x0[0].numel() * math.log(2))
    return b.mean(), 1.96 * b.std() / len(b) ** 0.5


def wrong__05_bits_per_dim__no_prior(term, x0, t, eps, L_T, T):
    """L_T is left out."""
    _, b = bits_by(term, x0, t, eps, 0 * L_T, T)
    return b.mean(), 1.96 * b.std() / len(b) ** 0.5


def wrong__05_bits_per_dim__nats(term, x0, t, eps, L_T, T):
    """Nats."""
    _, b = bits_by(term, x0, t, eps, L_T, T)
    b = b * math.log(2)
    return b.mean(), 1.96 * b.std() / len(b) ** 0.5


def wrong__05_bits_per_dim__whole_image(term, x0, t, eps, L_T, T):
    """Not per dimension."""
    _, b = bits_by(term, x0, t, eps, L_T, T)
    b = b * x0[0].numel()
    return b.mean(), 1.96 * b.std() / len(b) ** 0.5


def wrong__05_bits_per_dim__no_root(term, x0, t, eps, L_T, T):
    """The deviation of an image."""
    _, b = bits_by(term, x0, t, eps, L_T, T)
    return b.mean(), 1.96 * b.std()


def wrong__05_bits_per_dim__population(term, x0, t, eps, L_T, T):
    """n for n - 1."""
    _, b = bits_by(term, x0, t, eps, L_T, T)
    return b.mean(), 1.96 * b.std(unbiased=False) / len(b) ** 0.5


def wrong__05_bits_per_dim__one_number(term, x0, t, eps, L_T, T):
    """The mean alone."""
    return bits_by(term, x0, t, eps, L_T, T)[1].mean()


def wrong__05_bits_per_dim__interval(term, x0, t, eps, L_T, T):
    """Both ends of the interval."""
    _, b = bits_by(term, x0, t, eps, L_T, T)
    half = 1.96 * b.std() / len(b) ** 0.5
    return b.mean() - half, b.mean() + half


def wrong__05_bits_per_dim__swapped(term, x0, t, eps, L_T, T):
    """The two results exchanged."""
    _, b = bits_by(term, x0, t, eps, L_T, T)
    return 1.96 * b.std() / len(b) ** 0.5, b.mean()


def wrong__05_bits_per_dim__full_width(term, x0, t, eps, L_T, T):
    """The whole width."""
    _, b = bits_by(term, x0, t, eps, L_T, T)
    return b.mean(), 2 * 1.96 * b.std() / len(b) ** 0.5


def wrong__05_bits_per_dim__two(term, x0, t, eps, L_T, T):
    """2 for 1.96."""
    _, b = bits_by(term, x0, t, eps, L_T, T)
    return b.mean(), 2 * b.std() / len(b) ** 0.5


def wrong__05_bits_per_dim__first_draw(term, x0, t, eps, L_T, T):
    """The first draw alone."""
    _, b = bits_by(term, x0, t[:1], eps[:1], L_T, T)
    return b.mean(), 1.96 * b.std() / len(b) ** 0.5


def wrong__05_bits_per_dim__by_batch(term, x0, t, eps, L_T, T):
    """d is the size of the batch."""
    _, b = bits_by(term, x0, t, eps, L_T, T)
    b = b * x0[0].numel() / x0.numel()
    return b.mean(), 1.96 * b.std() / len(b) ** 0.5


def wrong__05_bits_per_dim__over_draws(term, x0, t, eps, L_T, T):
    """Means over the images, and their deviation over the draws."""
    terms, b = bits_by(term, x0, t, eps, L_T, T)
    each = (L_T.mean() + T * terms.mean(1)) / (x0[0].numel() * math.log(2))
    return each.mean(), 1.96 * each.std(unbiased=len(each) > 1) / len(each) ** 0.5


def wrong__05_bits_per_dim__floats(term, x0, t, eps, L_T, T):
    """Python numbers, not tensors."""
    _, b = bits_by(term, x0, t, eps, L_T, T)
    return b.mean().item(), (1.96 * b.std() / len(b) ** 0.5).item()


def wrong__05_bits_per_dim__asks_twice(term, x0, t, eps, L_T, T):
    """Every draw is evaluated twice."""
    bits_by(term, x0, t, eps, L_T, T)
    return right__05_bits_per_dim__list(term, x0, t, eps, L_T, T)


# ---- 05-min_snr_weight


def right__05_min_snr_weight__minimum(snr, gamma):
    """torch.minimum."""
    w = torch.minimum(snr, torch.full_like(snr, gamma))
    return w, w / snr, w / (1 + snr)


def right__05_min_snr_weight__where(snr, gamma):
    """torch.where in each place."""
    return torch.where(snr > gamma, gamma, snr), torch.where(snr > gamma, gamma / snr, 1.0), torch.where(snr > gamma, gamma, snr) / (snr + 1)


def right__05_min_snr_weight__clip(snr, gamma):
    """clip, and a list."""
    w = snr.clip(max=gamma)
    return [w, w.div(snr), w.div(snr.add(1))]


def right__05_min_snr_weight__loop(snr, gamma):
    """Number by number."""
    w = torch.tensor([min(s, gamma) for s in snr.tolist()], dtype=snr.dtype, device=snr.device)
    return w, w / snr, w / (snr + 1)


def right__05_min_snr_weight__numpy(snr, gamma):
    """NumPy and back."""
    s = snr.detach().cpu().numpy()
    w = np.minimum(s, gamma)
    return tuple(torch.from_numpy(np.asarray(a)).to(snr) for a in (w, w / s, w / (s + 1)))


def right__05_min_snr_weight__amin(snr, gamma):
    """The smallest of a stack."""
    w = torch.stack([snr, torch.ones_like(snr) * gamma]).amin(0)
    return w, w * snr.reciprocal(), w * (snr + 1).reciprocal()


def wrong__05_min_snr_weight__same(snr, gamma):
    """One weight for all."""
    w = snr.clamp(max=gamma)
    return w, w, w


def wrong__05_min_snr_weight__max(snr, gamma):
    """max for min."""
    w = snr.clamp(min=gamma)
    return w, w / snr, w / (snr + 1)


def wrong__05_min_snr_weight__times(snr, gamma):
    """Multiplied where one divides."""
    w = snr.clamp(max=gamma)
    return w, w * snr, w * (snr + 1)


def wrong__05_min_snr_weight__order(snr, gamma):
    """eps before x_0."""
    w = snr.clamp(max=gamma)
    return w / snr, w, w / (snr + 1)


def wrong__05_min_snr_weight__v_as_eps(snr, gamma):
    """The weight of eps for v."""
    w = snr.clamp(max=gamma)
    return w, w / snr, w / snr


def wrong__05_min_snr_weight__stacked(snr, gamma):
    """One tensor (3, n)."""
    w = snr.clamp(max=gamma)
    return torch.stack([w, w / snr, w / (snr + 1)])


def wrong__05_min_snr_weight__only_eps(snr, gamma):
    """One weight."""
    return snr.clamp(max=gamma) / snr


def wrong__05_min_snr_weight__five(snr, gamma):
    """gamma is 5."""
    w = snr.clamp(max=5)
    return w, w / snr, w / (snr + 1)


def wrong__05_min_snr_weight__changed_in_place(snr, gamma):
    """snr is clamped in place."""
    w = snr.clamp_(max=gamma)
    return w, w / snr, w / (snr + 1)


def wrong__05_min_snr_weight__v_minus(snr, gamma):
    """SNR - 1."""
    w = snr.clamp(max=gamma)
    return w, w / snr, w / (snr - 1)


def wrong__05_min_snr_weight__safe_division(snr, gamma):
    """1e-4 added below."""
    w = snr.clamp(max=gamma)
    return w, w / (snr + 1e-4), w / (snr + 1)


def wrong__05_min_snr_weight__normed(snr, gamma):
    """Divided by gamma."""
    w = snr.clamp(max=gamma) / gamma
    return w, w / snr, w / (snr + 1)


# ---- 05-times_to_draw


def right__05_times_to_draw__half_and_half(simple, bound):
    """The mean of the two best densities."""
    return 0.5 * simple / simple.sum() + 0.5 * bound / bound.sum()


def right__05_times_to_draw__root_of_squares(simple, bound):
    """The root of a sum of squares, with equal shares."""
    p = ((simple / simple.sum()) ** 2 + (bound / bound.sum()) ** 2).sqrt()
    return p / p.sum()


def right__05_times_to_draw__scan(simple, bound):
    """The best of many mixtures."""
    a, b = simple / simple.sum(), bound / bound.sum()

    def worst(p):
        return max(((a**2 / p).sum()).item(), ((b**2 / p).sum()).item())

    options = [s * a + (1 - s) * b for s in torch.linspace(0.1, 0.9, 33).tolist()]
    return min(options, key=worst)


def right__05_times_to_draw__numpy_list(simple, bound):
    """A list of numbers."""
    a, b = simple.cpu().numpy(), bound.cpu().numpy()
    p = np.sqrt(0.5 * (a / a.sum()) ** 2 + 0.5 * (b / b.sum()) ** 2)
    return (p / p.sum()).tolist()


def right__05_times_to_draw__descent(simple, bound):
    """Gradient descent on the larger of two, from the mean of both."""
    a, b = simple / simple.sum(), bound / bound.sum()
    with torch.enable_grad():
        logits = ((a + b) / 2).log().clone().requires_grad_()
        optimizer = torch.optim.Adam([logits], lr=1e-3)
        for _ in range(30):
            p = logits.softmax(0)
            loss = torch.maximum((a**2 / p).sum(), (b**2 / p).sum())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return logits.detach().softmax(0)


def right__05_times_to_draw__with_a_little_uniform(simple, bound):
    """A partial answer, which has some of the points."""
    p = 0.45 * simple / simple.sum() + 0.45 * bound / bound.sum() + 0.1 / len(simple)
    return p / p.sum()


def wrong__05_times_to_draw__uniform(simple, bound):
    """Uniform."""
    return torch.full_like(simple, 1 / len(simple))


def wrong__05_times_to_draw__simple(simple, bound):
    """One sum alone."""
    return simple / simple.sum()


def wrong__05_times_to_draw__bound(simple, bound):
    """The other sum alone."""
    return bound / bound.sum()


def wrong__05_times_to_draw__not_normed(simple, bound):
    """No density."""
    return simple / simple.sum() + bound / bound.sum()


def wrong__05_times_to_draw__added_raw(simple, bound):
    """Raw sums added."""
    p = simple + bound
    return p / p.sum()


def wrong__05_times_to_draw__zeros(simple, bound):
    """Some t are never drawn."""
    p = simple / simple.sum() + bound / bound.sum()
    p[500:] = 0
    return p / p.sum()


def wrong__05_times_to_draw__negative(simple, bound):
    """Negative entries."""
    p = 2 * simple / simple.sum() - bound / bound.sum()
    return p / p.sum()


def wrong__05_times_to_draw__cumulative(simple, bound):
    """A cumulative sum."""
    return (simple / simple.sum()).cumsum(0)


def wrong__05_times_to_draw__sampled(simple, bound):
    """Times that were drawn, and no density."""
    return torch.multinomial(simple / simple.sum(), len(simple), replacement=True)


def wrong__05_times_to_draw__inverse(simple, bound):
    """Weights, 1 / l."""
    p = 1 / (simple / simple.sum() + bound / bound.sum())
    return p / p.sum()


def wrong__05_times_to_draw__short(simple, bound):
    """One entry too few."""
    p = (simple + bound)[1:]
    return p / p.sum()


def wrong__05_times_to_draw__softmax(simple, bound):
    """A softmax."""
    return (simple + bound / bound.max()).softmax(0)
