"""Answers of (imagined) students to the exercises of chapter 12. The name tells exercise and verdict."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.functional import layer_norm


def _adaln(h, shift, scale, gate, branch):
    x = layer_norm(h, h.shape[-1:], eps=1e-6)
    return h + gate[:, None] * branch((1 + scale[:, None]) * x + shift[:, None])


def right__12_latent_scale__mine(z):
    return 1 / z.std(correction=0)


def right__12_latent_scale__formula(z):
    return ((z - z.mean()) ** 2).mean() ** (-0.5)


def right__12_latent_scale__moments_in_double(z):
    """E[z^2] - E[z]^2, in float64, and back"""
    d = z.double()
    return (1 / torch.sqrt((d**2).mean() - d.mean() ** 2)).to(z.dtype)


def right__12_latent_scale__norm_of_flat(z):
    f = z.reshape(-1)
    f = f - f.mean()
    return len(f) ** 0.5 / f.norm()


def right__12_latent_scale__bessel_undone(z):
    n = z.numel()
    return 1 / (z.std() * ((n - 1) / n) ** 0.5)


def right__12_latent_scale__rsqrt_var_mean(z):
    v, m = torch.var_mean(z, correction=0)
    return v.rsqrt()


def right__12_best_stds__mine(n):
    return [1.447, 1.062, 0.5716]


def right__12_best_stds__tensor(n):
    return torch.tensor([1.45, 1.06, 0.57])


def right__12_best_stds__tuple_rounded(n):
    return (1.45, 1.05, 0.58)


def right__12_best_stds__dict_values(n):
    return list({"Stable Diffusion": 1.447, "linear": 1.062, "cosine": 0.5716}.values())


def right__12_best_stds__searched_inside(n):
    """a scan inside the function, in two rounds"""
    from diffusion_course.experiments import latent_stds
    answer = []
    for name in latent_stds.SCHEDULES:
        k = min((math.exp(q) for q in np.linspace(-1.2, 1.2, 7)), key=lambda k: latent_stds.distance(k, name, n))
        k = min((k * math.exp(q) for q in np.linspace(-0.3, 0.3, 7)), key=lambda k: latent_stds.distance(k, name, n))
        k = min((k * math.exp(q) for q in np.linspace(-0.08, 0.08, 5)), key=lambda k: latent_stds.distance(k, name, n))
        answer.append(k)
    return answer


def right__12_latent_sample__mine(D, decode, noise, sigmas, scale):
    x = sigmas[0] * noise
    states = [x]
    for i in range(len(sigmas) - 1):
        x = x + (sigmas[i + 1] - sigmas[i]) * (x - D(x, sigmas[i])) / sigmas[i]
        states.append(x)
    return torch.stack(states), decode(x / scale)


def right__12_latent_sample__preallocated(D, decode, noise, sigmas, scale):
    out = torch.zeros(len(sigmas), *noise.shape, dtype=noise.dtype, device=noise.device)
    out[0] = sigmas[0] * noise
    for i in range(len(sigmas) - 1):
        ratio = sigmas[i + 1] / sigmas[i]
        out[i + 1] = ratio * out[i] + (1 - ratio) * D(out[i], sigmas[i])
    return out, decode(out[-1] * (1 / scale))


def right__12_latent_sample__floats_zip_cat(D, decode, noise, sigmas, scale):
    levels = sigmas.tolist()
    x = noise * levels[0]
    all_x = x.unsqueeze(0)
    for a, b in zip(levels, levels[1:]):
        slope = (x - D(x, a)) / a
        x = x + (b - a) * slope
        all_x = torch.cat([all_x, x[None]], 0)
    return all_x, decode(all_x[-1] / scale)


def right__12_latent_sample__while_levels_per_sample(D, decode, noise, sigmas, scale):
    """the level given to D as (B,)"""
    i, states = 0, [sigmas[0] * noise]
    while sigmas[i] > 0:
        x = states[i]
        eps = (x - D(x, sigmas[i].expand(len(x)))) / sigmas[i]
        states.append(x + (sigmas[i + 1] - sigmas[i]) * eps)
        i += 1
    return torch.stack(states, dim=0), decode(states[-1].div(scale))


def right__12_latent_sample__ddim_in_vp(D, decode, noise, sigmas, scale):
    """DDIM's step in VP coordinates, and back"""
    states = [sigmas[0] * noise]
    for s, r in zip(sigmas[:-1], sigmas[1:]):
        a, b = 1 / (1 + s**2), 1 / (1 + r**2)
        xt = states[-1] * a.sqrt()
        guess = D(states[-1], s)
        eps = (xt - a.sqrt() * guess) / (1 - a).sqrt()
        states.append((b.sqrt() * guess + (1 - b).sqrt() * eps) / b.sqrt())
    return torch.stack(states), decode(states[-1] / scale)


def right__12_patchify__mine(x, p):
    B, C, H, W = x.shape
    x = x.reshape(B, C, H // p, p, W // p, p).permute(0, 2, 4, 1, 3, 5)
    return x.reshape(B, H * W // p**2, C * p * p)


def right__12_patchify__loops(x, p):
    B, C, H, W = x.shape
    rows = []
    for i in range(H // p):
        for j in range(W // p):
            rows.append(x[:, :, i * p:(i + 1) * p, j * p:(j + 1) * p].flatten(1))
    return torch.stack(rows, 1)


def right__12_patchify__F_unfold(x, p):
    return F.unfold(x, p, stride=p).mT


def right__12_patchify__tensor_unfold(x, p):
    return x.unfold(2, p, p).unfold(3, p, p).permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)


def right__12_patchify__pixel_unshuffle(x, p):
    return F.pixel_unshuffle(x, p).flatten(2).transpose(1, 2)


def right__12_patchify__einsum(x, p):
    B, C, H, W = x.shape
    y = torch.einsum("bchpwq->bhwcpq", x.unflatten(3, (W // p, p)).unflatten(2, (H // p, p)))
    return y.contiguous().view(B, -1, C * p * p)


def right__12_adaln_zero__mine(h, shift, scale, gate, branch):
    x = layer_norm(h, h.shape[-1:], eps=1e-6)
    return h + gate[:, None] * branch((1 + scale[:, None]) * x + shift[:, None])


def right__12_adaln_zero__by_hand(h, shift, scale, gate, branch):
    m = h.mean(-1, keepdim=True)
    v = ((h - m) ** 2).mean(-1, keepdim=True)
    ln = (h - m) / torch.sqrt(v + 1e-6)
    return h + gate.unsqueeze(1) * branch(ln + scale.unsqueeze(1) * ln + shift.unsqueeze(1))


def right__12_adaln_zero__module(h, shift, scale, gate, branch):
    """nn.LayerNorm without weights"""
    norm = nn.LayerNorm(h.shape[-1], eps=1e-6, elementwise_affine=False)
    return h + torch.einsum("be,bne->bne", gate, branch(torch.einsum("be,bne->bne", 1 + scale, norm(h)) + shift[:, None, :]))


def right__12_adaln_zero__per_sample_norm(h, shift, scale, gate, branch):
    """weights and biases of layer_norm, one sample at a time"""
    x = torch.stack([layer_norm(h[b], h.shape[-1:], 1 + scale[b], shift[b], 1e-6) for b in range(len(h))])
    return torch.addcmul(h, gate[:, None].expand_as(h), branch(x))


def right__12_adaln_zero__axes_moved(h, shift, scale, gate, branch):
    """tokens first, so that (B, E) broadcasts"""
    x = layer_norm(h, (h.size(2),), eps=1e-6).transpose(0, 1)
    y = branch((x * (scale + 1) + shift).transpose(0, 1))
    return h + (y.transpose(0, 1) * gate).transpose(0, 1)


def right__12_dit_block__mine(h, emb, modulation, qkv, out, mlp, heads):
    B, N, E = h.shape
    shift1, scale1, gate1, shift2, scale2, gate2 = modulation(emb).chunk(6, dim=1)

    def attention(x):
        q, k, v = qkv(x).reshape(B, N, 3, heads, E // heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.mT / math.sqrt(E / heads)).softmax(-1)
        return out((weights @ v).transpose(1, 2).reshape(B, N, E))

    h = _adaln(h, shift1, scale1, gate1, attention)
    return _adaln(h, shift2, scale2, gate2, mlp)


def right__12_dit_block__sdpa(h, emb, modulation, qkv, out, mlp, heads):
    """PyTorch's attention, the six parts by slices"""
    B, N, E = h.shape
    m = modulation(emb)[:, None]
    s1, c1, g1, s2, c2, g2 = (m[..., i * E:(i + 1) * E] for i in range(6))
    x = layer_norm(h, (E,), eps=1e-6) * (1 + c1) + s1
    q, k, v = (t.unflatten(2, (heads, -1)).transpose(1, 2) for t in qkv(x).split(E, -1))
    h = h + g1 * out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
    return h + g2 * mlp(layer_norm(h, (E,), eps=1e-6) * (1 + c2) + s2)


def right__12_dit_block__loop_over_heads(h, emb, modulation, qkv, out, mlp, heads):
    E = h.shape[-1]
    d = E // heads
    mod = modulation(emb).view(len(h), 6, 1, E)

    def attention(x):
        q, k, v = torch.split(qkv(x), E, dim=2)
        results = []
        for n in range(heads):
            part = slice(n * d, n * d + d)
            a = torch.softmax(q[..., part] @ k[..., part].transpose(1, 2) * d**-0.5, dim=2)
            results.append(a @ v[..., part])
        return out(torch.cat(results, 2))

    for i, branch in enumerate((attention, mlp)):
        mean, var = h.mean(2, keepdim=True), h.var(2, keepdim=True, unbiased=False)
        x = (h - mean) * (var + 1e-6).rsqrt()
        h = h + mod[:, 3 * i + 2] * branch(x * (mod[:, 3 * i + 1] + 1) + mod[:, 3 * i])
    return h


def right__12_dit_block__einsum(h, emb, modulation, qkv, out, mlp, heads):
    B, N, E = h.shape
    mod = modulation(emb).reshape(B, 2, 3, E)

    def attention(x):
        t = qkv(x).reshape(B, N, 3, heads, E // heads)
        logits = torch.einsum("bnhd,bmhd->bhnm", t[:, :, 0], t[:, :, 1]) / (E // heads) ** 0.5
        w = torch.exp(logits - logits.amax(-1, keepdim=True))
        w = w / w.sum(-1, keepdim=True)
        return out(torch.einsum("bhnm,bmhd->bnhd", w, t[:, :, 2]).reshape(B, N, E))

    h = _adaln(h, *mod[:, 0].unbind(1), attention)
    return _adaln(h, *mod[:, 1].unbind(1), mlp)


def _steps(D, noise, sigmas):
    x = sigmas[0] * noise
    states = [x]
    for i in range(len(sigmas) - 1):
        x = x + (sigmas[i + 1] - sigmas[i]) * (x - D(x, sigmas[i])) / sigmas[i]
        states.append(x)
    return states


def right__12_latent_sample__no_grad(D, decode, noise, sigmas, scale):
    with torch.no_grad():
        s = _steps(D, noise, sigmas)
        return torch.stack(s), decode(s[-1] / scale)


def right__12_latent_sample__returns_list(D, decode, noise, sigmas, scale):
    """a list of two, not a tuple"""
    s = _steps(D, noise, sigmas)
    return [torch.stack(s), decode(s[-1] / scale)]


def right__12_latent_sample__lerp(D, decode, noise, sigmas, scale):
    x, states = noise.mul(sigmas[0]), []
    states.append(x.clone())
    for a, b in zip(sigmas, sigmas.roll(-1)):
        if a == 0: break
        x = torch.lerp(D(x, a), x, (b / a).to(x.dtype))
        states.append(x.clone())
    return torch.stack(states), decode(states[-1] / scale)


def right__12_adaln_zero__double_inside(h, shift, scale, gate, branch):
    """LN in float64, and back to h's dtype"""
    x = layer_norm(h.double(), h.shape[-1:], eps=1e-6).to(h.dtype)
    return h + gate[:, None] * branch((1 + scale[:, None]) * x + shift[:, None])


def right__12_best_stds__one_schedule_at_a_time(n):
    """kept in a table for n = 20"""
    return {20: torch.tensor([1.447, 1.062, 0.5716], dtype=torch.float64)}[n]


def right__12_best_stds__other_basin(n):
    """good enough by hand"""
    return [1.42, 1.03, 0.6]


def wrong__12_latent_scale__std_not_inverse(z):
    """the standard deviation, not one over it"""
    return z.std(correction=0)


def wrong__12_latent_scale__one_over_variance(z):
    """one over the variance"""
    return 1 / z.var(correction=0)


def wrong__12_latent_scale__bessel(z):
    """divides by n - 1"""
    return 1 / z.std()


def wrong__12_latent_scale__rms(z):
    """the mean is not taken away in the measurement"""
    return 1 / z.square().mean().sqrt()


def wrong__12_latent_scale__per_channel(z):
    """one number per channel"""
    return 1 / z.std(dim=(0, 2, 3), correction=0)


def wrong__12_latent_scale__per_sample(z):
    """one number per sample"""
    return 1 / z.flatten(1).std(1, correction=0)


def wrong__12_latent_scale__over_samples(z):
    """std over the samples only"""
    return 1 / z.std(0, correction=0)


def wrong__12_latent_scale__mean_of_sample_stds(z):
    """mean over samples of each one's std"""
    return 1 / z.flatten(1).std(1, correction=0).mean()


def wrong__12_latent_scale__mean_of_channel_stds(z):
    """mean of the channels' standard deviations"""
    return 1 / z.transpose(0, 1).flatten(1).std(1, correction=0).mean()


def wrong__12_latent_scale__mean_inverse_channels(z):
    """mean of the channels' scales"""
    return (1 / z.transpose(0, 1).flatten(1).std(1, correction=0)).mean()


def wrong__12_latent_scale__mean_per_channel(z):
    """takes away each channel's own mean, not the mean of all"""
    dims = [d for d in range(z.dim()) if d != 1]
    return 1 / (z - z.mean(dims, keepdim=True)).square().mean().sqrt()


def wrong__12_latent_scale__mean_per_entry(z):
    """takes away the mean over samples (per entry)"""
    return 1 / (z - z.mean(0)).square().mean().sqrt()


def wrong__12_latent_scale__python_float(z):
    """.item(): a Python number, not a tensor () of z's dtype"""
    return 1 / z.std(correction=0).item()


def wrong__12_latent_scale__float32(z):
    """float32 whatever z is"""
    return 1 / z.float().std(correction=0)


def wrong__12_latent_scale__always_double(z):
    """float64 whatever z is"""
    return 1 / z.double().std(correction=0)


def wrong__12_latent_scale__float32_inside(z):
    """right dtype, float32 precision inside"""
    return (1 / z.float().std(correction=0)).to(z.dtype)


def wrong__12_latent_scale__shape_1(z):
    """shape (1,)"""
    return (1 / z.std(correction=0)).reshape(1)


def wrong__12_latent_scale__keepdim(z):
    """shape (1, 1, 1, 1)"""
    return 1 / z.std(dim=tuple(range(z.dim())), correction=0, keepdim=True)


def wrong__12_latent_scale__printed(z):
    """printed, not returned"""
    print(1 / z.std(correction=0))


def wrong__12_latent_scale__scaled_latents(z):
    """returns the scaled latents"""
    return z / z.std(correction=0)


def wrong__12_latent_scale__constant_sd(z):
    """Stable Diffusion's 0.18215"""
    return torch.tensor(0.18215, dtype=z.dtype)


def wrong__12_latent_scale__constant_shipped(z):
    """the scale of the shipped autoencoder, from a std of 0.81"""
    return torch.tensor(1 / 0.81, dtype=z.dtype)


def wrong__12_latent_scale__mean_abs_dev(z):
    """one over the mean absolute deviation"""
    return 1 / (z - z.mean()).abs().mean()


def wrong__12_latent_scale__sum_for_mean(z):
    """sum of squares without 1/n"""
    return (z - z.mean()).square().sum() ** -0.5


def wrong__12_latent_scale__root_forgotten_n(z):
    """1/n under the root as 1/n outside of it"""
    return z.numel() / (z - z.mean()).square().sum().sqrt()


def wrong__12_latent_scale__n_is_samples(z):
    """n is the number of samples"""
    return ((z - z.mean()).square().sum() / len(z)) ** -0.5


def wrong__12_latent_scale__sqrt_twice(z):
    """one over the root of the std"""
    return z.std(correction=0) ** -0.5


def wrong__12_latent_scale__in_place(z):
    """right value, but z is centred in place"""
    z -= z.mean()
    return 1 / z.square().mean().sqrt()


def wrong__12_latent_scale__max_abs(z):
    """one over the largest entry"""
    return 1 / z.abs().max()


def wrong__12_latent_scale__epsilon(z):
    """an epsilon of 1e-5 in the denominator"""
    return 1 / (z.std(correction=0) + 1e-5)


def wrong__12_latent_scale__moments_same_dtype(z):
    """E[z^2] - E[z]^2 in z's dtype: cancels for a large mean"""
    return ((z**2).mean() - z.mean() ** 2) ** -0.5


def wrong__12_latent_scale__clamped(z):
    """clamped to at most 10"""
    return (1 / z.std(correction=0)).clamp(max=10)


def wrong__12_latent_scale__first_500(z):
    """of the first 500 latents only"""
    return 1 / z[:500].std(correction=0)


def wrong__12_latent_scale__first_two(z):
    """of the first two samples only"""
    return 1 / z[:2].std(correction=0)


def wrong__12_latent_scale__four_axes(z):
    """dim=(0,1,2,3): only for 4 axes (N, C, h, w)"""
    return 1 / z.std(dim=(0, 1, 2, 3), correction=0)


def wrong__12_latent_scale__numpy(z):
    """a numpy number"""
    return 1 / np.std(z.numpy())


def wrong__12_best_stds__ones(n):
    """unit variance three times"""
    return [1.0, 1.0, 1.0]


def wrong__12_best_stds__inverse(n):
    """1/k: the factor on sigma"""
    return [1 / 1.447, 1 / 1.062, 1 / 0.5716]


def wrong__12_best_stds__logs(n):
    """ln k, from a search in even steps of ln k"""
    return [math.log(1.447), math.log(1.062), math.log(0.5716)]


def wrong__12_best_stds__variances(n):
    """k^2, the variances"""
    return [1.447**2, 1.062**2, 0.5716**2]


def wrong__12_best_stds__order_reversed(n):
    """cosine first"""
    return [0.5716, 1.062, 1.447]


def wrong__12_best_stds__sorted_table(n):
    """linear, cosine, Stable Diffusion"""
    return [1.062, 0.5716, 1.447]


def wrong__12_best_stds__distances(n):
    """returns the distances, not the k"""
    return [0.00803, 0.00104, 0.00164]


def wrong__12_best_stds__one_number(n):
    """one number"""
    return 1.05


def wrong__12_best_stds__one_k_for_all(n):
    """one k that is a compromise for all three"""
    return [0.9, 0.9, 0.9]


def wrong__12_best_stds__two(n):
    """two numbers"""
    return [1.447, 1.062]


def wrong__12_best_stds__four(n):
    """four numbers"""
    return [1.447, 1.062, 0.5716, 1.0]


def wrong__12_best_stds__dictionary(n):
    """a dictionary"""
    return {"Stable Diffusion": 1.447, "linear": 1.062, "cosine": 0.5716}


def wrong__12_best_stds__printed(n):
    """printed"""
    print([1.447, 1.062, 0.5716])


def wrong__12_best_stds__strings(n):
    """strings"""
    return ["1.447", "1.062", "0.5716"]


def wrong__12_best_stds__column(n):
    """a tensor (3, 1)"""
    return torch.tensor([[1.447], [1.062], [0.5716]])


def wrong__12_best_stds__pairs(n):
    """(k, distance) pairs"""
    return [(1.447, 0.008), (1.062, 0.001), (0.5716, 0.0016)]


def wrong__12_best_stds__zero(n):
    """a zero"""
    return [1.447, 0.0, 0.5716]


def wrong__12_best_stds__negative(n):
    """a negative one"""
    return [1.447, -1.062, 0.5716]


def wrong__12_best_stds__nan(n):
    """nan"""
    return [1.447, float("nan"), 0.5716]


def wrong__12_best_stds__inf(n):
    """inf"""
    return [float("inf"), 1.062, 0.5716]


def wrong__12_best_stds__integer_tensor(n):
    """integers: 1.447 cut to 1, and so on"""
    return torch.tensor([1.447, 1.062, 0.5716]).round().int()


def wrong__12_best_stds__fewer_evaluations(n):
    """the best k of n = 10 evaluations"""
    return [1.6, 1.3, 0.45]


def wrong__12_best_stds__scale_of_latents(n):
    """the shipped scale three times"""
    return [1 / 0.81] * 3


def wrong__12_best_stds__worst(n):
    """maximised instead of minimised"""
    return [20.0, 0.082, 20.0]


def wrong__12_best_stds__sd_only(n):
    """only Stable Diffusion's searched"""
    return [1.447, 1.0, 1.0]


def wrong__12_best_stds__bools(n):
    """booleans"""
    return [True, True, True]


def wrong__12_best_stds__global_random(n):
    """a random search that reseeds the global generator"""
    torch.manual_seed(0)
    torch.rand(3)
    return [1.447, 1.062, 0.5716]


def wrong__12_best_stds__complex(n):
    """complex tensor"""
    return torch.tensor([1.447, 1.062, 0.5716], dtype=torch.complex64)


def wrong__12_latent_sample__times_scale(D, decode, noise, sigmas, scale):
    """multiplied by the scale before decoding"""
    s = _steps(D, noise, sigmas)
    return torch.stack(s), decode(s[-1] * scale)


def wrong__12_latent_sample__no_scale(D, decode, noise, sigmas, scale):
    """decoded without the scale"""
    s = _steps(D, noise, sigmas)
    return torch.stack(s), decode(s[-1])


def wrong__12_latent_sample__clipped_end(D, decode, noise, sigmas, scale):
    """last latent clipped to [-1, 1]"""
    s = _steps(D, noise, sigmas)
    return torch.stack(s), decode(s[-1].clamp(-1, 1) / scale)


def wrong__12_latent_sample__clipped_guess(D, decode, noise, sigmas, scale):
    """D's answers clipped to [-1, 1]"""
    s = _steps(lambda x, t: D(x, t).clamp(-1, 1), noise, sigmas)
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__clipped_images(D, decode, noise, sigmas, scale):
    """images clipped to [-1, 1]"""
    s = _steps(D, noise, sigmas)
    return torch.stack(s), decode(s[-1] / scale).clamp(-1, 1)


def wrong__12_latent_sample__noise_unscaled(D, decode, noise, sigmas, scale):
    """starts at noise, not sigmas[0] * noise"""
    x = noise
    s = [x]
    for i in range(len(sigmas) - 1):
        x = x + (sigmas[i + 1] - sigmas[i]) * (x - D(x, sigmas[i])) / sigmas[i]
        s.append(x)
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__noise_times_scale(D, decode, noise, sigmas, scale):
    """starts at scale * sigmas[0] * noise"""
    s = _steps(D, scale * noise, sigmas)
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__sign(D, decode, noise, sigmas, scale):
    """sigma_i - sigma_{i+1}: steps away"""
    x = sigmas[0] * noise
    s = [x]
    for i in range(len(sigmas) - 1):
        x = x + (sigmas[i] - sigmas[i + 1]) * (x - D(x, sigmas[i])) / sigmas[i]
        s.append(x)
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__d_minus_x(D, decode, noise, sigmas, scale):
    """D - x for x - D"""
    x = sigmas[0] * noise
    s = [x]
    for i in range(len(sigmas) - 1):
        x = x + (sigmas[i + 1] - sigmas[i]) * (D(x, sigmas[i]) - x) / sigmas[i]
        s.append(x)
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__not_divided_by_sigma(D, decode, noise, sigmas, scale):
    """the slope is not divided by sigma"""
    x = sigmas[0] * noise
    s = [x]
    for i in range(len(sigmas) - 1):
        x = x + (sigmas[i + 1] - sigmas[i]) * (x - D(x, sigmas[i]))
        s.append(x)
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__sigma_squared(D, decode, noise, sigmas, scale):
    """divided by sigma^2 (the score)"""
    x = sigmas[0] * noise
    s = [x]
    for i in range(len(sigmas) - 1):
        x = x + (sigmas[i + 1] - sigmas[i]) * (x - D(x, sigmas[i])) / sigmas[i] ** 2
        s.append(x)
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__next_sigma_in_D(D, decode, noise, sigmas, scale):
    """D asked at sigma_{i+1}"""
    x = sigmas[0] * noise
    s = [x]
    for i in range(len(sigmas) - 1):
        x = x + (sigmas[i + 1] - sigmas[i]) * (x - D(x, sigmas[i + 1])) / sigmas[i]
        s.append(x)
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__next_sigma_below(D, decode, noise, sigmas, scale):
    """divided by sigma_{i+1}: inf in the last step"""
    x = sigmas[0] * noise
    s = [x]
    for i in range(len(sigmas) - 1):
        x = x + (sigmas[i + 1] - sigmas[i]) * (x - D(x, sigmas[i])) / sigmas[i + 1]
        s.append(x)
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__one_step_short(D, decode, noise, sigmas, scale):
    """range(N - 1): the last step is missing"""
    s = _steps(D, noise, sigmas[:-1])
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__without_start(D, decode, noise, sigmas, scale):
    """N states, the start is missing"""
    s = _steps(D, noise, sigmas)
    return torch.stack(s[1:]), decode(s[-1] / scale)


def wrong__12_latent_sample__without_end(D, decode, noise, sigmas, scale):
    """N states, the end is missing; images right"""
    s = _steps(D, noise, sigmas)
    return torch.stack(s[:-1]), decode(s[-1] / scale)


def wrong__12_latent_sample__one_too_many(D, decode, noise, sigmas, scale):
    """loops over all sigmas: division by 0 in the end"""
    x = sigmas[0] * noise
    s = [x]
    for i in range(len(sigmas)):
        nxt = sigmas[i + 1] if i + 1 < len(sigmas) else 0 * sigmas[0]
        x = x + (nxt - sigmas[i]) * (x - D(x, sigmas[i])) / sigmas[i]
        s.append(x)
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__stack_axis1(D, decode, noise, sigmas, scale):
    """stacked on axis 1"""
    s = _steps(D, noise, sigmas)
    return torch.stack(s, 1), decode(s[-1] / scale)


def wrong__12_latent_sample__cat(D, decode, noise, sigmas, scale):
    """cat instead of stack"""
    s = _steps(D, noise, sigmas)
    return torch.cat(s), decode(s[-1] / scale)


def wrong__12_latent_sample__list(D, decode, noise, sigmas, scale):
    """a list of states, not stacked"""
    s = _steps(D, noise, sigmas)
    return s, decode(s[-1] / scale)


def wrong__12_latent_sample__swapped_returns(D, decode, noise, sigmas, scale):
    """(images, latents)"""
    s = _steps(D, noise, sigmas)
    return decode(s[-1] / scale), torch.stack(s)


def wrong__12_latent_sample__images_only(D, decode, noise, sigmas, scale):
    """images only"""
    return decode(_steps(D, noise, sigmas)[-1] / scale)


def wrong__12_latent_sample__last_latent_only(D, decode, noise, sigmas, scale):
    """the last latent instead of all"""
    s = _steps(D, noise, sigmas)
    return s[-1], decode(s[-1] / scale)


def wrong__12_latent_sample__unscaled_states(D, decode, noise, sigmas, scale):
    """the states returned are divided by the scale"""
    s = _steps(D, noise, sigmas)
    return torch.stack(s) / scale, decode(s[-1] / scale)


def wrong__12_latent_sample__unscaled_inside(D, decode, noise, sigmas, scale):
    """x / scale given to D"""
    s = _steps(lambda x, t: D(x / scale, t), noise, sigmas)
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__decode_every_state(D, decode, noise, sigmas, scale):
    """decode in each step (asked N + 1 times)"""
    s = _steps(D, noise, sigmas)
    images = [decode(x / scale) for x in s]
    return torch.stack(s), images[-1]


def wrong__12_latent_sample__decode_all_states(D, decode, noise, sigmas, scale):
    """all states decoded at once and returned"""
    s = torch.stack(_steps(D, noise, sigmas))
    return s, decode(s.flatten(0, 1) / scale)


def wrong__12_latent_sample__D_twice(D, decode, noise, sigmas, scale):
    """D asked twice in each step"""
    x = sigmas[0] * noise
    s = [x]
    for i in range(len(sigmas) - 1):
        eps = (x - D(x, sigmas[i])) / sigmas[i]
        x = D(x, sigmas[i]) + sigmas[i + 1] * eps
        s.append(x)
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__heun(D, decode, noise, sigmas, scale):
    """Heun's steps"""
    x = sigmas[0] * noise
    s = [x]
    for a, b in zip(sigmas[:-1], sigmas[1:]):
        d = (x - D(x, a)) / a
        y = x + (b - a) * d
        if b > 0:
            y = x + (b - a) * (d + (y - D(y, b)) / b) / 2
        x = y
        s.append(x)
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__in_place_states(D, decode, noise, sigmas, scale):
    """x += ...: all states are the same tensor"""
    x = sigmas[0] * noise
    s = [x]
    for i in range(len(sigmas) - 1):
        x += (sigmas[i + 1] - sigmas[i]) * (x - D(x, sigmas[i])) / sigmas[i]
        s.append(x)
    return torch.stack(s), decode(x / scale)


def wrong__12_latent_sample__noise_in_place(D, decode, noise, sigmas, scale):
    """noise changed in place"""
    noise *= sigmas[0]
    s = _steps(D, noise / sigmas[0], sigmas)
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__ancestral(D, decode, noise, sigmas, scale):
    """D + sigma_{i+1} * fresh noise"""
    x = sigmas[0] * noise
    s = [x]
    for a, b in zip(sigmas[:-1], sigmas[1:]):
        x = D(x, a) + b * torch.randn_like(x)
        s.append(x)
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__fresh_noise(D, decode, noise, sigmas, scale):
    """own noise, the argument ignored"""
    s = _steps(D, torch.randn_like(noise), sigmas)
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__printed(D, decode, noise, sigmas, scale):
    """printed, not returned"""
    s = _steps(D, noise, sigmas)
    print(torch.stack(s).shape, decode(s[-1] / scale).shape)


def wrong__12_latent_sample__decode_penultimate(D, decode, noise, sigmas, scale):
    """decodes the state before the last"""
    s = _steps(D, noise, sigmas)
    return torch.stack(s), decode(s[-2] / scale)


def wrong__12_latent_sample__vp_start(D, decode, noise, sigmas, scale):
    """starts in VP coordinates: sigma/sqrt(1+sigma^2) noise"""
    s = _steps(D, noise / (1 + sigmas[0] ** 2) ** 0.5, sigmas)
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__sigma_max_of_max(D, decode, noise, sigmas, scale):
    """sigmas reversed (flipped) first"""
    s = _steps(D, noise, sigmas.flip(0).clamp(min=1e-3))
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__sigma_sorted_eps(D, decode, noise, sigmas, scale):
    """divides by sigma + 1e-4"""
    x = sigmas[0] * noise
    s = [x]
    for i in range(len(sigmas) - 1):
        x = x + (sigmas[i + 1] - sigmas[i]) * (x - D(x, sigmas[i])) / (sigmas[i] + 1e-4)
        s.append(x)
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__float32(D, decode, noise, sigmas, scale):
    """all in float32"""
    s = _steps(lambda x, t: D(x, t).float(), noise.float(), sigmas.float())
    return torch.stack(s), decode(s[-1] / scale)


def wrong__12_latent_sample__fixed_scale(D, decode, noise, sigmas, scale):
    """divides by 0.18215"""
    s = _steps(D, noise, sigmas)
    return torch.stack(s), decode(s[-1] / 0.18215)


def wrong__12_latent_sample__one_sample(D, decode, noise, sigmas, scale):
    """decodes the first sample only"""
    s = _steps(D, noise, sigmas)
    return torch.stack(s), decode(s[-1][:1] / scale)


def wrong__12_latent_sample__scale_root(D, decode, noise, sigmas, scale):
    """divides by the scale squared"""
    s = _steps(D, noise, sigmas)
    return torch.stack(s), decode(s[-1] / scale**2)


def wrong__12_latent_sample__last_is_guess(D, decode, noise, sigmas, scale):
    """D asked once more at the end, at sigma 0"""
    s = _steps(D, noise, sigmas)
    return torch.stack(s), decode(D(s[-1], sigmas[-1]) / scale)


def wrong__12_latent_sample__hard_18(D, decode, noise, sigmas, scale):
    """18 steps whatever the grid"""
    x = sigmas[0] * noise
    s = [x]
    for i in range(18):
        x = x + (sigmas[i + 1] - sigmas[i]) * (x - D(x, sigmas[i])) / sigmas[i]
        s.append(x)
    return torch.stack(s), decode(s[-1] / scale)


def _six(x, p):
    B, C, H, W = x.shape
    return x.reshape(B, C, H // p, p, W // p, p)


def _end(y, B, C, p):
    return y.reshape(B, -1, C * p * p)


def wrong__12_patchify__no_permute(x, p):
    """reshape only"""
    B, C, H, W = x.shape
    return x.reshape(B, H * W // p**2, C * p * p)


def wrong__12_patchify__columns(x, p):
    """patches in the order of columns"""
    B, C, H, W = x.shape
    return _end(_six(x, p).permute(0, 4, 2, 1, 3, 5), B, C, p)


def wrong__12_patchify__transposed_inside(x, p):
    """columns before rows inside the patch"""
    B, C, H, W = x.shape
    return _end(_six(x, p).permute(0, 2, 4, 1, 5, 3), B, C, p)


def wrong__12_patchify__channels_innermost(x, p):
    """channels innermost (ViT's order in many codes)"""
    B, C, H, W = x.shape
    return _end(_six(x, p).permute(0, 2, 4, 3, 5, 1), B, C, p)


def wrong__12_patchify__channels_middle(x, p):
    """channels between rows and columns"""
    B, C, H, W = x.shape
    return _end(_six(x, p).permute(0, 2, 4, 3, 1, 5), B, C, p)


def wrong__12_patchify__both_swapped(x, p):
    """patches by columns and transposed inside"""
    B, C, H, W = x.shape
    return _end(_six(x, p).permute(0, 4, 2, 1, 5, 3), B, C, p)


def wrong__12_patchify__p_first_in_reshape(x, p):
    """reshape to (p, H/p): a strided grid of pixels, not patches"""
    B, C, H, W = x.shape
    return _end(x.reshape(B, C, p, H // p, p, W // p).permute(0, 3, 5, 1, 2, 4), B, C, p)


def wrong__12_patchify__permute_grid_of_p(x, p):
    """permute (0,3,5,1,2,4): p and H/p mixed up"""
    B, C, H, W = x.shape
    return _six(x, p).permute(0, 3, 5, 1, 2, 4).reshape(B, H * W // p**2, C * p * p)


def wrong__12_patchify__half_permute(x, p):
    """the permute forgets the channels: (0,1,2,4,3,5)"""
    B, C, H, W = x.shape
    return _six(x, p).permute(0, 1, 2, 4, 3, 5).reshape(B, H * W // p**2, C * p * p)


def wrong__12_patchify__tokens_last(x, p):
    """F.unfold without the transpose: (B, C p^2, N)"""
    return F.unfold(x, p, stride=p)


def wrong__12_patchify__overlapping(x, p):
    """unfold with stride 1"""
    return F.unfold(x, p).mT


def wrong__12_patchify__five_axes(x, p):
    """the grid is not flattened: (B, H/p, W/p, C p^2)"""
    return _six(x, p).permute(0, 2, 4, 1, 3, 5).flatten(3)


def wrong__12_patchify__not_flattened(x, p):
    """(B, N, C, p, p)"""
    return _six(x, p).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)


def wrong__12_patchify__batch_flattened(x, p):
    """(B N, C p^2)"""
    B, C, H, W = x.shape
    return _six(x, p).permute(0, 2, 4, 1, 3, 5).reshape(-1, C * p * p)


def wrong__12_patchify__view(x, p):
    """view where reshape is needed: an error"""
    B, C, H, W = x.shape
    return x.view(B, C, H // p, p, W // p, p).permute(0, 2, 4, 1, 3, 5).view(B, -1, C * p * p)


def wrong__12_patchify__true_division(x, p):
    """H / p is a float: an error"""
    B, C, H, W = x.shape
    return x.reshape(B, C, H / p, p, W / p, p).permute(0, 2, 4, 1, 3, 5).reshape(B, -1, C * p * p)


def wrong__12_patchify__square_only(x, p):
    """H for W: square images only"""
    B, C, H, _ = x.shape
    return x.reshape(B, C, H // p, p, H // p, p).permute(0, 2, 4, 1, 3, 5).reshape(B, -1, C * p * p)


def wrong__12_patchify__hw_swapped(x, p):
    """B, C, W, H = x.shape: H and W swapped"""
    B, C, W, H = x.shape
    return x.reshape(B, C, H // p, p, W // p, p).permute(0, 2, 4, 1, 3, 5).reshape(B, -1, C * p * p)


def wrong__12_patchify__H_for_all(x, p):
    """the number of patches H // p squared, rest by -1: wrong for other shapes"""
    B, C, H, W = x.shape
    return _six(x, p).permute(0, 2, 4, 1, 3, 5).reshape(B, (H // p) ** 2, -1)


def wrong__12_patchify__one_channel(x, p):
    """uses the first channel only"""
    x = x[:, :1]
    B, C, H, W = x.shape
    return _end(_six(x, p).permute(0, 2, 4, 1, 3, 5), B, C, p)


def wrong__12_patchify__n_pixels_tokens(x, p):
    """p^2 tokens of HW/p^2 numbers (N and C p^2 mixed up)"""
    B, C, H, W = x.shape
    return _six(x, p).permute(0, 3, 5, 1, 2, 4).reshape(B, p * p, -1)


def wrong__12_patchify__average(x, p):
    """average of each patch"""
    return F.avg_pool2d(x, p).flatten(2).mT


def wrong__12_patchify__crops_one_patch(x, p):
    """only the first patch of each row"""
    B, C, H, W = x.shape
    return torch.stack([x[:, :, i:i + p, :p].flatten(1) for i in range(0, H, p)], 1)


def wrong__12_patchify__loop_columns_first(x, p):
    """loops, outer one over columns"""
    B, C, H, W = x.shape
    return torch.stack([x[:, :, i:i + p, j:j + p].flatten(1) for j in range(0, W, p) for i in range(0, H, p)], 1)


def wrong__12_patchify__loop_off_by_one(x, p):
    """range(0, H - p, p): the last row and column of patches missing"""
    B, C, H, W = x.shape
    t = [x[:, :, i:i + p, j:j + p].flatten(1) for i in range(0, H - p, p) for j in range(0, W - p, p)]
    return torch.stack(t, 1) if t else x.new_zeros(B, 0, C * p * p)


def wrong__12_patchify__loop_stack0(x, p):
    """loops, stacked on axis 0: (N, B, C p^2)"""
    B, C, H, W = x.shape
    return torch.stack([x[:, :, i:i + p, j:j + p].flatten(1) for i in range(0, H, p) for j in range(0, W, p)], 0)


def wrong__12_patchify__loop_cat(x, p):
    """loops, cat on axis 1: (B, N C p^2)"""
    B, C, H, W = x.shape
    return torch.cat([x[:, :, i:i + p, j:j + p].flatten(1) for i in range(0, H, p) for j in range(0, W, p)], 1)


def wrong__12_patchify__unfold_axes(x, p):
    """x.unfold twice, channels left outside the permute"""
    B, C, H, W = x.shape
    return x.unfold(2, p, p).unfold(3, p, p).reshape(B, -1, C * p * p)


def wrong__12_patchify__batch_mixed(x, p):
    """batch and patches mixed: permute (2, 4, 0, ...) and reshape"""
    B, C, H, W = x.shape
    return _six(x, p).permute(2, 4, 0, 1, 3, 5).reshape(B, -1, C * p * p)


def wrong__12_patchify__printed(x, p):
    """prints the shape"""
    B, C, H, W = x.shape
    print(_end(_six(x, p).permute(0, 2, 4, 1, 3, 5), B, C, p).shape)


def wrong__12_patchify__float32(x, p):
    """float32 out"""
    B, C, H, W = x.shape
    return _end(_six(x, p).permute(0, 2, 4, 1, 3, 5), B, C, p).float()


def wrong__12_patchify__half(x, p):
    """through float16, back to the dtype"""
    B, C, H, W = x.shape
    return _end(_six(x.half(), p).permute(0, 2, 4, 1, 3, 5), B, C, p).to(x.dtype)


def wrong__12_patchify__p2_hardcoded(x, p):
    """p = 2 whatever p is"""
    B, C, H, W = x.shape
    q = 2 if H % 2 == 0 and W % 2 == 0 else p
    return _end(_six(x, q).permute(0, 2, 4, 1, 3, 5), B, C, q)


def wrong__12_patchify__p1_special(x, p):
    """p = 1 returns x flattened without moving the channels"""
    B, C, H, W = x.shape
    if p == 1:
        return x.reshape(B, H * W, C)
    return _end(_six(x, p).permute(0, 2, 4, 1, 3, 5), B, C, p)


def wrong__12_patchify__snake(x, p):
    """rows of patches in a snake: every other one backwards"""
    B, C, H, W = x.shape
    y = _six(x, p).permute(0, 2, 4, 1, 3, 5).clone()
    y[:, 1::2] = y[:, 1::2].flip(2)
    return _end(y, B, C, p)


def wrong__12_patchify__normalised(x, p):
    """pixels mapped to [0, 1]"""
    B, C, H, W = x.shape
    return _end(_six((x + 1) / 2, p).permute(0, 2, 4, 1, 3, 5), B, C, p)


def wrong__12_patchify__clamped(x, p):
    """clipped to [-1, 1]"""
    B, C, H, W = x.shape
    return _end(_six(x.clamp(-1, 1), p).permute(0, 2, 4, 1, 3, 5), B, C, p)


def wrong__12_patchify__squeeze(x, p):
    """squeezed: loses the batch axis of one sample, and the token axis of one patch"""
    B, C, H, W = x.shape
    return _end(_six(x, p).permute(0, 2, 4, 1, 3, 5), B, C, p).squeeze()


def _ln(h):
    return layer_norm(h, h.shape[-1:], eps=1e-6)


def wrong__12_adaln_zero__scale_not_1_plus(h, shift, scale, gate, branch):
    """scale for 1 + scale"""
    return h + gate[:, None] * branch(scale[:, None] * _ln(h) + shift[:, None])


def wrong__12_adaln_zero__one_plus_gate(h, shift, scale, gate, branch):
    """1 + gate for gate"""
    return h + (1 + gate[:, None]) * branch((1 + scale[:, None]) * _ln(h) + shift[:, None])


def wrong__12_adaln_zero__no_residual(h, shift, scale, gate, branch):
    """h is not added"""
    return gate[:, None] * branch((1 + scale[:, None]) * _ln(h) + shift[:, None])


def wrong__12_adaln_zero__residual_of_norm(h, shift, scale, gate, branch):
    """LN(h) is added instead of h"""
    x = _ln(h)
    return x + gate[:, None] * branch((1 + scale[:, None]) * x + shift[:, None])


def wrong__12_adaln_zero__residual_of_modulated(h, shift, scale, gate, branch):
    """the modulated tokens are added instead of h (variable overwritten)"""
    h = (1 + scale[:, None]) * _ln(h) + shift[:, None]
    return h + gate[:, None] * branch(h)


def wrong__12_adaln_zero__shift_scale_swapped(h, shift, scale, gate, branch):
    """shift and scale swapped"""
    return h + gate[:, None] * branch((1 + shift[:, None]) * _ln(h) + scale[:, None])


def wrong__12_adaln_zero__gate_shift_swapped(h, shift, scale, gate, branch):
    """gate and shift swapped"""
    return h + shift[:, None] * branch((1 + scale[:, None]) * _ln(h) + gate[:, None])


def wrong__12_adaln_zero__gate_scale_swapped(h, shift, scale, gate, branch):
    """gate and scale swapped"""
    return h + scale[:, None] * branch((1 + gate[:, None]) * _ln(h) + shift[:, None])


def wrong__12_adaln_zero__no_norm(h, shift, scale, gate, branch):
    """h is not normalised"""
    return h + gate[:, None] * branch((1 + scale[:, None]) * h + shift[:, None])


def wrong__12_adaln_zero__norm_after(h, shift, scale, gate, branch):
    """normalised after scale and shift"""
    return h + gate[:, None] * branch(_ln((1 + scale[:, None]) * h + shift[:, None]))


def wrong__12_adaln_zero__norm_of_sum(h, shift, scale, gate, branch):
    """post-norm: LN of the result"""
    return _ln(h + gate[:, None] * branch((1 + scale[:, None]) * h + shift[:, None]))


def wrong__12_adaln_zero__default_eps(h, shift, scale, gate, branch):
    """eps = 1e-5, the default"""
    return h + gate[:, None] * branch((1 + scale[:, None]) * layer_norm(h, h.shape[-1:]) + shift[:, None])


def wrong__12_adaln_zero__no_eps(h, shift, scale, gate, branch):
    """no eps"""
    x = (h - h.mean(-1, keepdim=True)) / h.std(-1, keepdim=True, correction=0)
    return h + gate[:, None] * branch((1 + scale[:, None]) * x + shift[:, None])


def wrong__12_adaln_zero__eps_outside(h, shift, scale, gate, branch):
    """eps added to the std, not to the variance"""
    x = (h - h.mean(-1, keepdim=True)) / (h.std(-1, keepdim=True, correction=0) + 1e-6)
    return h + gate[:, None] * branch((1 + scale[:, None]) * x + shift[:, None])


def wrong__12_adaln_zero__bessel(h, shift, scale, gate, branch):
    """var divides by E - 1"""
    x = (h - h.mean(-1, keepdim=True)) / (h.var(-1, keepdim=True) + 1e-6).sqrt()
    return h + gate[:, None] * branch((1 + scale[:, None]) * x + shift[:, None])


def wrong__12_adaln_zero__variance_no_root(h, shift, scale, gate, branch):
    """divided by the variance, no root"""
    x = (h - h.mean(-1, keepdim=True)) / (h.var(-1, keepdim=True, correction=0) + 1e-6)
    return h + gate[:, None] * branch((1 + scale[:, None]) * x + shift[:, None])


def wrong__12_adaln_zero__rms_norm(h, shift, scale, gate, branch):
    """RMS norm: the mean is not taken away"""
    x = h / (h.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    return h + gate[:, None] * branch((1 + scale[:, None]) * x + shift[:, None])


def wrong__12_adaln_zero__norm_over_tokens(h, shift, scale, gate, branch):
    """normalised over tokens and features"""
    x = layer_norm(h, h.shape[1:], eps=1e-6)
    return h + gate[:, None] * branch((1 + scale[:, None]) * x + shift[:, None])


def wrong__12_adaln_zero__norm_axis_1(h, shift, scale, gate, branch):
    """normalised along the tokens' axis"""
    x = (h - h.mean(1, keepdim=True)) / (h.var(1, keepdim=True, correction=0) + 1e-6).sqrt()
    return h + gate[:, None] * branch((1 + scale[:, None]) * x + shift[:, None])


def wrong__12_adaln_zero__norm_over_batch(h, shift, scale, gate, branch):
    """batch norm"""
    x = (h - h.mean((0, 1), keepdim=True)) / (h.var((0, 1), keepdim=True, correction=0) + 1e-6).sqrt()
    return h + gate[:, None] * branch((1 + scale[:, None]) * x + shift[:, None])


def wrong__12_adaln_zero__no_axis(h, shift, scale, gate, branch):
    """(B, E) against (B, N, E) without the tokens' axis"""
    return h + gate * branch((1 + scale) * _ln(h) + shift)


def wrong__12_adaln_zero__axis_in_front(h, shift, scale, gate, branch):
    """gate[None]: (1, B, E), right only where B = N or B = 1"""
    return h + gate[None] * branch((1 + scale[None]) * _ln(h) + shift[None])


def wrong__12_adaln_zero__axis_behind(h, shift, scale, gate, branch):
    """gate[..., None]: (B, E, 1)"""
    return h + gate[..., None] * branch((1 + scale[..., None]) * _ln(h) + shift[..., None])


def wrong__12_adaln_zero__first_sample_modulation(h, shift, scale, gate, branch):
    """the first sample's modulation for all"""
    return h + gate[0] * branch((1 + scale[0]) * _ln(h) + shift[0])


def wrong__12_adaln_zero__gate_inside(h, shift, scale, gate, branch):
    """the gate inside the branch"""
    return h + branch(gate[:, None] * ((1 + scale[:, None]) * _ln(h) + shift[:, None]))


def wrong__12_adaln_zero__gate_all(h, shift, scale, gate, branch):
    """gate * (h + f)"""
    return gate[:, None] * (h + branch((1 + scale[:, None]) * _ln(h) + shift[:, None]))


def wrong__12_adaln_zero__no_gate(h, shift, scale, gate, branch):
    """no gate"""
    return h + branch((1 + scale[:, None]) * _ln(h) + shift[:, None])


def wrong__12_adaln_zero__sigmoid_gate(h, shift, scale, gate, branch):
    """a sigmoid gate"""
    return h + gate[:, None].sigmoid() * branch((1 + scale[:, None]) * _ln(h) + shift[:, None])


def wrong__12_adaln_zero__shift_before_scale(h, shift, scale, gate, branch):
    """(1 + scale) * (LN(h) + shift)"""
    return h + gate[:, None] * branch((1 + scale[:, None]) * (_ln(h) + shift[:, None]))


def wrong__12_adaln_zero__shift_forgotten(h, shift, scale, gate, branch):
    """no shift"""
    return h + gate[:, None] * branch((1 + scale[:, None]) * _ln(h))


def wrong__12_adaln_zero__shift_outside(h, shift, scale, gate, branch):
    """the shift after the branch"""
    return h + gate[:, None] * (branch((1 + scale[:, None]) * _ln(h)) + shift[:, None])


def wrong__12_adaln_zero__divided_scale(h, shift, scale, gate, branch):
    """(1 - scale)"""
    return h + gate[:, None] * branch((1 - scale[:, None]) * _ln(h) + shift[:, None])


def wrong__12_adaln_zero__minus(h, shift, scale, gate, branch):
    """h - gate f"""
    return h - gate[:, None] * branch((1 + scale[:, None]) * _ln(h) + shift[:, None])


def wrong__12_adaln_zero__branch_twice(h, shift, scale, gate, branch):
    """branch is called twice"""
    x = (1 + scale[:, None]) * _ln(h) + shift[:, None]
    branch(x)
    return h + gate[:, None] * branch(x)


def wrong__12_adaln_zero__branch_not_called_at_zero(h, shift, scale, gate, branch):
    """branch is left out where the gate is 0 everywhere"""
    if (gate == 0).all():
        return h
    return h + gate[:, None] * branch((1 + scale[:, None]) * _ln(h) + shift[:, None])


def wrong__12_adaln_zero__branch_per_sample(h, shift, scale, gate, branch):
    """branch once for each sample"""
    x = (1 + scale[:, None]) * _ln(h) + shift[:, None]
    return h + gate[:, None] * torch.cat([branch(row[None]) for row in x])


def wrong__12_adaln_zero__branch_per_token(h, shift, scale, gate, branch):
    """branch gets (B N, E): flattened tokens"""
    x = (1 + scale[:, None]) * _ln(h) + shift[:, None]
    return h + gate[:, None] * branch(x.flatten(0, 1)).reshape(h.shape)


def wrong__12_adaln_zero__in_place(h, shift, scale, gate, branch):
    """h += : changes the argument"""
    h += gate[:, None] * branch((1 + scale[:, None]) * _ln(h) + shift[:, None])
    return h


def wrong__12_adaln_zero__scale_in_place(h, shift, scale, gate, branch):
    """scale += 1 changes the argument"""
    scale += 1
    return h + gate[:, None] * branch(scale[:, None] * _ln(h) + shift[:, None])


def wrong__12_adaln_zero__detached_norm(h, shift, scale, gate, branch):
    """the norm's input is detached"""
    return h + gate[:, None] * branch((1 + scale[:, None]) * _ln(h.detach()) + shift[:, None])


def wrong__12_adaln_zero__detached_statistics(h, shift, scale, gate, branch):
    """mean and variance without gradient"""
    m, v = h.mean(-1, keepdim=True).detach(), h.var(-1, keepdim=True, correction=0).detach()
    return h + gate[:, None] * branch((1 + scale[:, None]) * (h - m) / (v + 1e-6).sqrt() + shift[:, None])


def wrong__12_adaln_zero__no_grad_branch(h, shift, scale, gate, branch):
    """the branch under no_grad"""
    with torch.no_grad():
        f = branch((1 + scale[:, None]) * _ln(h) + shift[:, None])
    return h + gate[:, None] * f


def wrong__12_adaln_zero__affine_module(h, shift, scale, gate, branch):
    """nn.LayerNorm(E, eps=1e-6): fresh float32 weights"""
    return h + gate[:, None] * branch((1 + scale[:, None]) * nn.LayerNorm(h.shape[-1], eps=1e-6)(h) + shift[:, None])


def wrong__12_adaln_zero__float32_norm(h, shift, scale, gate, branch):
    """normalised in float32"""
    return h + gate[:, None] * branch((1 + scale[:, None]) * _ln(h.float()).to(h.dtype) + shift[:, None])


def wrong__12_adaln_zero__printed(h, shift, scale, gate, branch):
    """printed"""
    print(h + gate[:, None] * branch((1 + scale[:, None]) * _ln(h) + shift[:, None]))


def wrong__12_adaln_zero__tuple(h, shift, scale, gate, branch):
    """returns (h', branch input)"""
    x = (1 + scale[:, None]) * _ln(h) + shift[:, None]
    return h + gate[:, None] * branch(x), x


def _ad(h, shift, scale, gate, branch):
    x = layer_norm(h, h.shape[-1:], eps=1e-6)
    return h + gate[:, None] * branch((1 + scale[:, None]) * x + shift[:, None])


def _parts(modulation, emb):
    return modulation(emb).chunk(6, 1)


def _heads(t, heads):
    B, N, E3 = t.shape
    return t.reshape(B, N, 3, heads, E3 // 3 // heads).permute(2, 0, 3, 1, 4)


def _block(h, emb, modulation, attention, mlp):
    s1, c1, g1, s2, c2, g2 = _parts(modulation, emb)
    return _ad(_ad(h, s1, c1, g1, attention), s2, c2, g2, mlp)


def _att(qkv, out, heads, weights=None, split=None, join=None):
    weights = weights or (lambda q, k: (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1))
    split = split or _heads
    join = join or (lambda y: y.transpose(1, 2).flatten(2))
    def attention(x):
        q, k, v = split(qkv(x), heads)
        return out(join(weights(q, k) @ v))
    return attention


def wrong__12_dit_block__no_scaling(h, emb, modulation, qkv, out, mlp, heads):
    """no division by sqrt(E/H)"""
    return _block(h, emb, modulation, _att(qkv, out, heads, lambda q, k: (q @ k.mT).softmax(-1)), mlp)


def wrong__12_dit_block__scaling_by_E(h, emb, modulation, qkv, out, mlp, heads):
    """divided by sqrt(E)"""
    E = h.shape[-1]
    return _block(h, emb, modulation, _att(qkv, out, heads, lambda q, k: (q @ k.mT / E**0.5).softmax(-1)), mlp)


def wrong__12_dit_block__scaling_without_root(h, emb, modulation, qkv, out, mlp, heads):
    """divided by E/H, no root"""
    return _block(h, emb, modulation, _att(qkv, out, heads, lambda q, k: (q @ k.mT / q.shape[-1]).softmax(-1)), mlp)


def wrong__12_dit_block__times_root(h, emb, modulation, qkv, out, mlp, heads):
    """multiplied by sqrt(E/H)"""
    return _block(h, emb, modulation, _att(qkv, out, heads, lambda q, k: (q @ k.mT * q.shape[-1] ** 0.5).softmax(-1)), mlp)


def wrong__12_dit_block__scaling_by_heads(h, emb, modulation, qkv, out, mlp, heads):
    """divided by sqrt(H)"""
    return _block(h, emb, modulation, _att(qkv, out, heads, lambda q, k: (q @ k.mT / heads**0.5).softmax(-1)), mlp)


def wrong__12_dit_block__scaling_after_softmax(h, emb, modulation, qkv, out, mlp, heads):
    """divided after the softmax"""
    return _block(h, emb, modulation, _att(qkv, out, heads, lambda q, k: (q @ k.mT).softmax(-1) / q.shape[-1] ** 0.5), mlp)


def wrong__12_dit_block__softmax_queries(h, emb, modulation, qkv, out, mlp, heads):
    """softmax over the queries (axis -2)"""
    return _block(h, emb, modulation, _att(qkv, out, heads, lambda q, k: (q @ k.mT / q.shape[-1] ** 0.5).softmax(-2)), mlp)


def wrong__12_dit_block__softmax_heads(h, emb, modulation, qkv, out, mlp, heads):
    """softmax over the heads (axis 1)"""
    return _block(h, emb, modulation, _att(qkv, out, heads, lambda q, k: (q @ k.mT / q.shape[-1] ** 0.5).softmax(1)), mlp)


def wrong__12_dit_block__no_softmax(h, emb, modulation, qkv, out, mlp, heads):
    """no softmax"""
    return _block(h, emb, modulation, _att(qkv, out, heads, lambda q, k: q @ k.mT / q.shape[-1] ** 0.5), mlp)


def wrong__12_dit_block__q_k_swapped(h, emb, modulation, qkv, out, mlp, heads):
    """k, q, v"""
    return _block(h, emb, modulation, _att(qkv, out, heads, lambda q, k: (k @ q.mT / q.shape[-1] ** 0.5).softmax(-1)), mlp)


def wrong__12_dit_block__v_first(h, emb, modulation, qkv, out, mlp, heads):
    """v, q, k order"""
    def split(t, n):
        v, q, k = _heads(t, n)
        return q, k, v
    return _block(h, emb, modulation, _att(qkv, out, heads, split=split), mlp)


def wrong__12_dit_block__k_v_swapped(h, emb, modulation, qkv, out, mlp, heads):
    """q, v, k"""
    def split(t, n):
        q, v, k = _heads(t, n)
        return q, k, v
    return _block(h, emb, modulation, _att(qkv, out, heads, split=split), mlp)


def wrong__12_dit_block__q_kT_of_same(h, emb, modulation, qkv, out, mlp, heads):
    """q q^T"""
    return _block(h, emb, modulation, _att(qkv, out, heads, lambda q, k: (q @ q.mT / q.shape[-1] ** 0.5).softmax(-1)), mlp)


def wrong__12_dit_block__one_head(h, emb, modulation, qkv, out, mlp, heads):
    """one head whatever heads is"""
    return _block(h, emb, modulation, _att(qkv, out, 1), mlp)


def wrong__12_dit_block__heads_outside_qkv(h, emb, modulation, qkv, out, mlp, heads):
    """reshape (heads, 3, E/heads): heads outside of q, k, v"""
    def split(t, n):
        B, N, E3 = t.shape
        return t.reshape(B, N, n, 3, E3 // 3 // n).permute(3, 0, 2, 1, 4)
    return _block(h, emb, modulation, _att(qkv, out, heads, split=split), mlp)


def wrong__12_dit_block__qkv_innermost(h, emb, modulation, qkv, out, mlp, heads):
    """reshape (heads, E/heads, 3): q, k, v interleaved"""
    def split(t, n):
        B, N, E3 = t.shape
        return t.reshape(B, N, n, E3 // 3 // n, 3).permute(4, 0, 2, 1, 3)
    return _block(h, emb, modulation, _att(qkv, out, heads, split=split), mlp)


def wrong__12_dit_block__heads_innermost(h, emb, modulation, qkv, out, mlp, heads):
    """reshape (3, E/heads, heads): the numbers of heads interleaved"""
    def split(t, n):
        B, N, E3 = t.shape
        return t.reshape(B, N, 3, E3 // 3 // n, n).permute(2, 0, 4, 1, 3)
    return _block(h, emb, modulation, _att(qkv, out, heads, split=split), mlp)


def wrong__12_dit_block__heads_not_back(h, emb, modulation, qkv, out, mlp, heads):
    """flattened without the transpose back"""
    return _block(h, emb, modulation, _att(qkv, out, heads, join=lambda y: y.reshape(h.shape)), mlp)


def wrong__12_dit_block__heads_joined_inside(h, emb, modulation, qkv, out, mlp, heads):
    """joined with the heads innermost"""
    return _block(h, emb, modulation, _att(qkv, out, heads, join=lambda y: y.permute(0, 2, 3, 1).flatten(2)), mlp)


def wrong__12_dit_block__tokens_and_heads_mixed(h, emb, modulation, qkv, out, mlp, heads):
    """no permute: reshape of (B, N, E) to (B, heads, N, E/heads)"""
    def split(t, n):
        return [u.reshape(u.shape[0], n, u.shape[1], u.shape[2] // n) for u in t.chunk(3, -1)]
    return _block(h, emb, modulation, _att(qkv, out, heads, split=split), mlp)


def wrong__12_dit_block__attention_across_heads(h, emb, modulation, qkv, out, mlp, heads):
    """attention across the heads at each token (axes not exchanged)"""
    def split(t, n):
        B, N, E3 = t.shape
        return t.reshape(B, N, 3, n, E3 // 3 // n).permute(2, 0, 1, 3, 4)
    return _block(h, emb, modulation, _att(qkv, out, heads, split=split, join=lambda y: y.flatten(2)), mlp)


def wrong__12_dit_block__attention_across_batch(h, emb, modulation, qkv, out, mlp, heads):
    """attention across the samples"""
    def split(t, n):
        B, N, E3 = t.shape
        return t.reshape(B, N, 3, n, E3 // 3 // n).permute(2, 1, 3, 0, 4)
    return _block(h, emb, modulation, _att(qkv, out, heads, split=split, join=lambda y: y.permute(2, 0, 1, 3).flatten(2)), mlp)


def wrong__12_dit_block__no_out(h, emb, modulation, qkv, out, mlp, heads):
    """`out` is forgotten"""
    return _block(h, emb, modulation, _att(qkv, lambda y: y, heads), mlp)


def wrong__12_dit_block__out_before_heads_summed(h, emb, modulation, qkv, out, mlp, heads):
    """`out` on v, before the softmax's sum"""
    def attention(x):
        B, N, E = x.shape
        q, k, v = qkv(x).chunk(3, -1)
        v = out(v).reshape(B, N, heads, -1).transpose(1, 2)
        q, k = (t.reshape(B, N, heads, -1).transpose(1, 2) for t in (q, k))
        return ((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v).transpose(1, 2).flatten(2)
    return _block(h, emb, modulation, attention, mlp)


def wrong__12_dit_block__scale_shift_order(h, emb, modulation, qkv, out, mlp, heads):
    """scale before shift in the six parts"""
    c1, s1, g1, c2, s2, g2 = _parts(modulation, emb)
    return _ad(_ad(h, s1, c1, g1, _att(qkv, out, heads)), s2, c2, g2, mlp)


def wrong__12_dit_block__gate_first(h, emb, modulation, qkv, out, mlp, heads):
    """gate, shift, scale in the parts"""
    g1, s1, c1, g2, s2, c2 = _parts(modulation, emb)
    return _ad(_ad(h, s1, c1, g1, _att(qkv, out, heads)), s2, c2, g2, mlp)


def wrong__12_dit_block__pairs_order(h, emb, modulation, qkv, out, mlp, heads):
    """shift1, shift2, scale1, scale2, gate1, gate2"""
    s1, s2, c1, c2, g1, g2 = _parts(modulation, emb)
    return _ad(_ad(h, s1, c1, g1, _att(qkv, out, heads)), s2, c2, g2, mlp)


def wrong__12_dit_block__halves_swapped(h, emb, modulation, qkv, out, mlp, heads):
    """the second three for attention"""
    s2, c2, g2, s1, c1, g1 = _parts(modulation, emb)
    return _ad(_ad(h, s1, c1, g1, _att(qkv, out, heads)), s2, c2, g2, mlp)


def wrong__12_dit_block__interleaved_six(h, emb, modulation, qkv, out, mlp, heads):
    """reshape (B, E, 6): parts interleaved"""
    s1, c1, g1, s2, c2, g2 = modulation(emb).reshape(len(h), -1, 6).unbind(-1)
    return _ad(_ad(h, s1, c1, g1, _att(qkv, out, heads)), s2, c2, g2, mlp)


def wrong__12_dit_block__first_three_twice(h, emb, modulation, qkv, out, mlp, heads):
    """the first three for both branches"""
    s1, c1, g1, *_ = _parts(modulation, emb)
    return _ad(_ad(h, s1, c1, g1, _att(qkv, out, heads)), s1, c1, g1, mlp)


def wrong__12_dit_block__mlp_first(h, emb, modulation, qkv, out, mlp, heads):
    """perceptron before attention"""
    s1, c1, g1, s2, c2, g2 = _parts(modulation, emb)
    return _ad(_ad(h, s2, c2, g2, mlp), s1, c1, g1, _att(qkv, out, heads))


def wrong__12_dit_block__parallel(h, emb, modulation, qkv, out, mlp, heads):
    """both branches see the first h"""
    s1, c1, g1, s2, c2, g2 = _parts(modulation, emb)
    return _ad(h, s1, c1, g1, _att(qkv, out, heads)) + _ad(h, s2, c2, g2, mlp) - h


def wrong__12_dit_block__second_from_first_h(h, emb, modulation, qkv, out, mlp, heads):
    """the result of the attention is lost: second branch from h"""
    s1, c1, g1, s2, c2, g2 = _parts(modulation, emb)
    a = _ad(h, s1, c1, g1, _att(qkv, out, heads))
    return _ad(h, s2, c2, g2, mlp)


def wrong__12_dit_block__no_mlp(h, emb, modulation, qkv, out, mlp, heads):
    """no second branch"""
    s1, c1, g1, *_ = _parts(modulation, emb)
    return _ad(h, s1, c1, g1, _att(qkv, out, heads))


def wrong__12_dit_block__silu_again(h, emb, modulation, qkv, out, mlp, heads):
    """a second SiLU on emb"""
    return _block(h, F.silu(emb), modulation, _att(qkv, out, heads), mlp)


def wrong__12_dit_block__no_norm_second(h, emb, modulation, qkv, out, mlp, heads):
    """the perceptron's input is not normalised"""
    s1, c1, g1, s2, c2, g2 = (m[:, None] for m in _parts(modulation, emb))
    h = h + g1 * _att(qkv, out, heads)((1 + c1) * layer_norm(h, h.shape[-1:], eps=1e-6) + s1)
    return h + g2 * mlp((1 + c2) * h + s2)


def wrong__12_dit_block__norm_once(h, emb, modulation, qkv, out, mlp, heads):
    """the first LN(h) is used for the second branch"""
    s1, c1, g1, s2, c2, g2 = (m[:, None] for m in _parts(modulation, emb))
    x = layer_norm(h, h.shape[-1:], eps=1e-6)
    h = h + g1 * _att(qkv, out, heads)((1 + c1) * x + s1)
    return h + g2 * mlp((1 + c2) * x + s2)


def wrong__12_dit_block__default_eps(h, emb, modulation, qkv, out, mlp, heads):
    """eps = 1e-5"""
    s1, c1, g1, s2, c2, g2 = (m[:, None] for m in _parts(modulation, emb))
    h = h + g1 * _att(qkv, out, heads)((1 + c1) * layer_norm(h, h.shape[-1:]) + s1)
    return h + g2 * mlp((1 + c2) * layer_norm(h, h.shape[-1:]) + s2)


def wrong__12_dit_block__scale_not_1_plus(h, emb, modulation, qkv, out, mlp, heads):
    """scale for 1 + scale in both"""
    s1, c1, g1, s2, c2, g2 = _parts(modulation, emb)
    return _ad(_ad(h, s1, c1 - 1, g1, _att(qkv, out, heads)), s2, c2 - 1, g2, mlp)


def wrong__12_dit_block__no_gates(h, emb, modulation, qkv, out, mlp, heads):
    """no gates"""
    s1, c1, g1, s2, c2, g2 = _parts(modulation, emb)
    one = torch.ones_like(g1)
    return _ad(_ad(h, s1, c1, one, _att(qkv, out, heads)), s2, c2, one, mlp)


def wrong__12_dit_block__no_residual(h, emb, modulation, qkv, out, mlp, heads):
    """attention's result replaces h"""
    s1, c1, g1, s2, c2, g2 = _parts(modulation, emb)
    h = _ad(h, s1, c1, g1, _att(qkv, out, heads)) - h
    return _ad(h, s2, c2, g2, mlp)


def wrong__12_dit_block__causal(h, emb, modulation, qkv, out, mlp, heads):
    """causal mask"""
    def weights(q, k):
        N = q.shape[-2]
        mask = torch.full((N, N), float("-inf"), dtype=q.dtype).triu(1)
        return (q @ k.mT / q.shape[-1] ** 0.5 + mask).softmax(-1)
    return _block(h, emb, modulation, _att(qkv, out, heads, weights), mlp)


def wrong__12_dit_block__qkv_three_times(h, emb, modulation, qkv, out, mlp, heads):
    """qkv called three times"""
    def attention(x):
        q, k, v = (_heads(qkv(x), heads)[i] for i in range(3))
        return out(((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v).transpose(1, 2).flatten(2))
    return _block(h, emb, modulation, attention, mlp)


def wrong__12_dit_block__modulation_twice(h, emb, modulation, qkv, out, mlp, heads):
    """modulation called twice"""
    s1, c1, g1 = modulation(emb).chunk(6, 1)[:3]
    s2, c2, g2 = modulation(emb).chunk(6, 1)[3:]
    return _ad(_ad(h, s1, c1, g1, _att(qkv, out, heads)), s2, c2, g2, mlp)


def wrong__12_dit_block__out_per_head(h, emb, modulation, qkv, out, mlp, heads):
    """out called for each head, on zero-padded parts (right only without a bias)"""
    def attention(x):
        q, k, v = _heads(qkv(x), heads)
        y = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v
        d, total = q.shape[-1], 0
        for i in range(heads):
            part = x.new_zeros(x.shape)
            part[..., i * d:(i + 1) * d] = y[:, i]
            total = total + out(part)
        return total
    return _block(h, emb, modulation, attention, mlp)


def wrong__12_dit_block__float_heads(h, emb, modulation, qkv, out, mlp, heads):
    """E / heads is a float: an error"""
    def split(t, n):
        B, N, E3 = t.shape
        return t.reshape(B, N, 3, n, E3 / 3 / n).permute(2, 0, 3, 1, 4)
    return _block(h, emb, modulation, _att(qkv, out, heads, split=split), mlp)


def wrong__12_dit_block__view_not_contiguous(h, emb, modulation, qkv, out, mlp, heads):
    """view after transpose: an error"""
    return _block(h, emb, modulation, _att(qkv, out, heads, join=lambda y: y.transpose(1, 2).view(h.shape)), mlp)


def wrong__12_dit_block__in_place(h, emb, modulation, qkv, out, mlp, heads):
    """h changed in place"""
    s1, c1, g1, s2, c2, g2 = _parts(modulation, emb)
    h += _ad(h, s1, c1, g1, _att(qkv, out, heads)) - h
    return _ad(h, s2, c2, g2, mlp)


def wrong__12_dit_block__detached_weights(h, emb, modulation, qkv, out, mlp, heads):
    """attention weights detached"""
    return _block(h, emb, modulation, _att(qkv, out, heads, lambda q, k: (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1).detach()), mlp)


def wrong__12_dit_block__float32_attention(h, emb, modulation, qkv, out, mlp, heads):
    """softmax in float32"""
    return _block(h, emb, modulation, _att(qkv, out, heads, lambda q, k: (q.float() @ k.mT.float() / q.shape[-1] ** 0.5).softmax(-1).to(q.dtype)), mlp)


def wrong__12_dit_block__exp_no_max(h, emb, modulation, qkv, out, mlp, heads):
    """softmax by exp without the maximum: overflows for large logits"""
    def weights(q, k):
        w = (q @ k.mT / q.shape[-1] ** 0.5).exp()
        return w / w.sum(-1, keepdim=True)
    return _block(h, emb, modulation, _att(qkv, out, heads, weights), mlp)


def wrong__12_dit_block__dropout(h, emb, modulation, qkv, out, mlp, heads):
    """dropout of attention weights, which draws from the global generator"""
    return _block(h, emb, modulation, _att(qkv, out, heads, lambda q, k: F.dropout((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1), 0.1)), mlp)


def wrong__12_dit_block__three_heads(h, emb, modulation, qkv, out, mlp, heads):
    """3 heads where E allows it, the course's number"""
    return _block(h, emb, modulation, _att(qkv, out, 3 if h.shape[-1] % 3 == 0 else heads), mlp)


def wrong__12_dit_block__printed(h, emb, modulation, qkv, out, mlp, heads):
    """printed"""
    print(_block(h, emb, modulation, _att(qkv, out, heads), mlp).shape)


def wrong__12_dit_block__first_sample_attention(h, emb, modulation, qkv, out, mlp, heads):
    """attention weights averaged over the batch"""
    return _block(h, emb, modulation, _att(qkv, out, heads, lambda q, k: (q @ k.mT / q.shape[-1] ** 0.5).mean(0, keepdim=True).softmax(-1)), mlp)


def wrong__12_dit_block__tokenwise_modulation(h, emb, modulation, qkv, out, mlp, heads):
    """modulation of the tokens + emb, not of emb"""
    m = modulation(h.mean(1) + emb)
    s1, c1, g1, s2, c2, g2 = m.chunk(6, 1)
    return _ad(_ad(h, s1, c1, g1, _att(qkv, out, heads)), s2, c2, g2, mlp)


def wrong__12_dit_block__out_then_gate_missing_first(h, emb, modulation, qkv, out, mlp, heads):
    """the first gate is applied inside the attention before `out`"""
    s1, c1, g1, s2, c2, g2 = _parts(modulation, emb)
    inner = _att(qkv, lambda y: out(g1[:, None] * y), heads)
    return _ad(_ad(h, s1, c1, torch.ones_like(g1), inner), s2, c2, g2, mlp)


def wrong__12_dit_block__softmax_scaled_twice(h, emb, modulation, qkv, out, mlp, heads):
    """F.scaled_dot_product_attention on a q that is scaled already"""
    def attention(x):
        q, k, v = _heads(qkv(x), heads)
        return out(F.scaled_dot_product_attention(q / q.shape[-1] ** 0.5, k, v).transpose(1, 2).flatten(2))
    return _block(h, emb, modulation, attention, mlp)


def wrong__12_dit_block__sdpa_no_heads_axis(h, emb, modulation, qkv, out, mlp, heads):
    """F.scaled_dot_product_attention on (B, N, heads, d): attends over heads"""
    def attention(x):
        B, N, E = x.shape
        q, k, v = (t.reshape(B, N, heads, -1) for t in qkv(x).chunk(3, -1))
        return out(F.scaled_dot_product_attention(q, k, v).flatten(2))
    return _block(h, emb, modulation, attention, mlp)


def wrong__12_adaln_zero__std_clamped(h, shift, scale, gate, branch):
    """std.clamp(min=1e-3) instead of eps"""
    x = (h - h.mean(-1, keepdim=True)) / h.std(-1, keepdim=True, correction=0).clamp(min=1e-3)
    return h + gate[:, None] * branch((1 + scale[:, None]) * x + shift[:, None])


def wrong__12_adaln_zero__squeeze(h, shift, scale, gate, branch):
    """squeezed: loses axes of size 1"""
    x = layer_norm(h, h.shape[-1:], eps=1e-6)
    return (h + gate[:, None] * branch((1 + scale[:, None]) * x + shift[:, None])).squeeze()


def wrong__12_adaln_zero__gate_clamped(h, shift, scale, gate, branch):
    """gate clamped to [0, 1]"""
    x = layer_norm(h, h.shape[-1:], eps=1e-6)
    return h + gate.clamp(0, 1)[:, None] * branch((1 + scale[:, None]) * x + shift[:, None])


def wrong__12_adaln_zero__gate_tanh(h, shift, scale, gate, branch):
    """tanh of the gate"""
    x = layer_norm(h, h.shape[-1:], eps=1e-6)
    return h + gate.tanh()[:, None] * branch((1 + scale[:, None]) * x + shift[:, None])


def wrong__12_adaln_zero__exp_scale(h, shift, scale, gate, branch):
    """exp(scale) for 1 + scale"""
    x = layer_norm(h, h.shape[-1:], eps=1e-6)
    return h + gate[:, None] * branch(scale.exp()[:, None] * x + shift[:, None])


def wrong__12_adaln_zero__everything_detached(h, shift, scale, gate, branch):
    """a result without any gradient"""
    x = layer_norm(h, h.shape[-1:], eps=1e-6)
    return (h + gate[:, None] * branch((1 + scale[:, None]) * x + shift[:, None])).detach()


def wrong__12_dit_block__everything_detached(h, emb, modulation, qkv, out, mlp, heads):
    """all under no_grad"""
    with torch.no_grad():
        return _block(h, emb, modulation, _att(qkv, out, heads), mlp)


def wrong__12_dit_block__squeeze(h, emb, modulation, qkv, out, mlp, heads):
    """squeezed: loses axes of size 1"""
    return _block(h, emb, modulation, _att(qkv, out, heads), mlp).squeeze()


def wrong__12_dit_block__modulation_detached(h, emb, modulation, qkv, out, mlp, heads):
    """the modulations are detached: they would never learn"""
    return _block(h, emb, lambda e: modulation(e).detach(), _att(qkv, out, heads), mlp)


def wrong__12_dit_block__attention_residual_inside(h, emb, modulation, qkv, out, mlp, heads):
    """attention adds its own input"""
    a = _att(qkv, out, heads)
    return _block(h, emb, modulation, lambda x: x + a(x), mlp)


def wrong__12_dit_block__no_self(h, emb, modulation, qkv, out, mlp, heads):
    """a token does not attend to itself"""
    def weights(q, k):
        N = q.shape[-2]
        logits = q @ k.mT / q.shape[-1] ** 0.5
        return logits if N == 1 else logits.masked_fill(torch.eye(N, dtype=torch.bool), float("-inf")).softmax(-1)
    return _block(h, emb, modulation, _att(qkv, out, heads, weights), mlp)


def wrong__12_dit_block__positions_added(h, emb, modulation, qkv, out, mlp, heads):
    """positions are added in the block"""
    N, E = h.shape[1:]
    return _block(h + torch.linspace(0, 1, N, dtype=h.dtype)[:, None], emb, modulation, _att(qkv, out, heads), mlp)


def wrong__12_dit_block__per_sample(h, emb, modulation, qkv, out, mlp, heads):
    """sample by sample: each layer is called B times, not once"""
    return torch.cat([_block(h[b:b+1], emb[b:b+1], modulation, _att(qkv, out, heads), mlp) for b in range(len(h))])


def wrong__12_dit_block__layers_on_flat(h, emb, modulation, qkv, out, mlp, heads):
    """qkv and mlp get (B N, E): right numbers, not the shape that the text gives"""
    B, N, E = h.shape
    a = _att(lambda x: qkv(x.reshape(-1, E)).reshape(B, N, 3 * E), out, heads)
    return _block(h, emb, modulation, a, lambda x: mlp(x.reshape(-1, E)).reshape(B, N, E))


def wrong__12_dit_block__temperature_clamped(h, emb, modulation, qkv, out, mlp, heads):
    """logits clamped to [-5, 5]"""
    return _block(h, emb, modulation, _att(qkv, out, heads, lambda q, k: (q @ k.mT / q.shape[-1] ** 0.5).clamp(-5, 5).softmax(-1)), mlp)


def wrong__12_latent_sample__decode_per_sample(D, decode, noise, sigmas, scale):
    """decode once for each sample"""
    s = _steps(D, noise, sigmas)
    return torch.stack(s), torch.cat([decode(x[None] / scale) for x in s[-1]])


def wrong__12_latent_sample__squeeze(D, decode, noise, sigmas, scale):
    """squeezed: loses axes of size 1"""
    s = _steps(D, noise, sigmas)
    return torch.stack(s).squeeze(), decode(s[-1] / scale)


def wrong__12_latent_sample__decode_state_0(D, decode, noise, sigmas, scale):
    """decodes states[0]"""
    s = _steps(D, noise, sigmas)
    return torch.stack(s), decode(s[0] / scale)


def wrong__12_latent_sample__normalised_end(D, decode, noise, sigmas, scale):
    """the last latent is brought to variance 1 before decoding"""
    s = _steps(D, noise, sigmas)
    return torch.stack(s), decode(s[-1] / s[-1].std() / scale)


def wrong__12_latent_sample__dict(D, decode, noise, sigmas, scale):
    """a dictionary"""
    s = _steps(D, noise, sigmas)
    return {"latents": torch.stack(s), "images": decode(s[-1] / scale)}


def wrong__12_latent_sample__guesses(D, decode, noise, sigmas, scale):
    """the guesses of D are stacked, not the states"""
    x = sigmas[0] * noise
    s = [x]
    for i in range(len(sigmas) - 1):
        d = D(x, sigmas[i])
        x = x + (sigmas[i + 1] - sigmas[i]) * (x - d) / sigmas[i]
        s.append(d)
    return torch.stack(s), decode(x / scale)


def wrong__12_latent_sample__step_ratio(D, decode, noise, sigmas, scale):
    """sigma_{i+1} / sigma_i (x - D), without D"""
    x = sigmas[0] * noise
    s = [x]
    for i in range(len(sigmas) - 1):
        x = sigmas[i + 1] / sigmas[i] * (x - D(x, sigmas[i]))
        s.append(x)
    return torch.stack(s), decode(x / scale)


def wrong__12_latent_sample__mean_sigma(D, decode, noise, sigmas, scale):
    """D asked halfway, at (sigma_i + sigma_{i+1}) / 2"""
    x = sigmas[0] * noise
    s = [x]
    for i in range(len(sigmas) - 1):
        m = (sigmas[i] + sigmas[i + 1]) / 2
        x = x + (sigmas[i + 1] - sigmas[i]) * (x - D(x, m)) / m
        s.append(x)
    return torch.stack(s), decode(x / scale)


def _sampled(D, decode, noise, sigmas, scale, answer=lambda x0: x0, given=lambda z: z):
    states = [sigmas[0] * noise]
    for s, r in zip(sigmas[:-1], sigmas[1:], strict=True):
        states.append(states[-1] + (r - s) * (states[-1] - answer(D(states[-1], s))) / s)
    return torch.stack(states), decode(given(states[-1] / scale))


def wrong__12_latent_sample__answers_cut(D, decode, noise, sigmas, scale):
    """Nothing is clipped: latents may be any numbers."""
    return _sampled(D, decode, noise, sigmas, scale, answer=lambda x0: x0.clamp(-10, 10))


def wrong__12_latent_sample__latents_cut(D, decode, noise, sigmas, scale):
    """As above, before the decoder."""
    return _sampled(D, decode, noise, sigmas, scale, given=lambda z: z.clamp(-10, 10))
