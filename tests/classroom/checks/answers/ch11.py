"""Answers of (imagined) students to the exercises of chapter 11. The name tells exercise and verdict."""

import itertools
import math
from functools import lru_cache

import torch
import torch.nn.functional as F

from diffusion_course import markov_chain


# ---------- 1
def right__11_masked_loss__mine(model, x0, t, u, K):
    """first try"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)


def right__11_masked_loss__loops(model, x0, t, u, K):
    """loops over samples and tokens"""
    x_t = x0.clone()
    B = x0.shape[0]
    for b in range(B):
        x_t[b][u[b] >= 1 - t[b]] = K
    logits = model(x_t)
    out = []
    for b in range(B):
        lp = torch.log_softmax(logits[b].reshape(-1, K), 1)
        xs, xt = x0[b].reshape(-1), x_t[b].reshape(-1)
        s = torch.zeros((), dtype=logits.dtype, device=logits.device)
        for i in range(len(xs)):
            if xt[i] == K:
                s = s - lp[i, xs[i]]
        out.append(s / t[b].to(s.dtype))
    return torch.stack(out)


def right__11_masked_loss__crossent(model, x0, t, u, K):
    """F.cross_entropy, masked_fill"""
    import torch.nn.functional as F

    tt = t.view(len(t), *([1] * (x0.dim() - 1)))
    x_t = x0.masked_fill(~(u < 1 - tt), K)
    logits = model(x_t)
    ce = F.cross_entropy(logits.reshape(-1, K), x0.reshape(-1), reduction="none").view(x0.shape)
    ce = ce * (x_t == K)
    return (ce.reshape(len(x0), -1).sum(-1) / t).to(logits.dtype)


def right__11_masked_loss__logsumexp_onehot(model, x0, t, u, K):
    """own softmax, one-hot and einsum-like sum"""
    x_t = x0.clone()
    tt = t[(...,) + (None,) * (x0.ndim - 1)]
    vis = u < 1 - tt
    x_t[~vis] = K
    l = model(x_t)
    lp = torch.take_along_dim(l, x0.unsqueeze(-1), -1).squeeze(-1) - torch.logsumexp(l, -1)
    w = (1 / t).to(l.dtype)
    return w * (-lp).masked_fill(vis, 0).sum(tuple(range(1, x0.ndim)))


# ---------- 2
def right__11_unmask_step__mine(model, x_t, t, s, g, K):
    """first try"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)


def right__11_unmask_step__logs(model, x_t, t, s, g, K):
    """in logarithms throughout, without cat"""
    lp = model(x_t).log_softmax(-1)
    out = g.clone()
    t, s = torch.as_tensor(t, dtype=g.dtype), torch.as_tensor(s, dtype=g.dtype)
    out[..., :K] += lp + torch.log((t - s) / t)
    out[..., K] += torch.log(s / t)
    new = out.argmax(-1)
    return torch.where(x_t == K, new, x_t)


def right__11_unmask_step__unnormalised(model, x_t, t, s, g, K):
    """chances times t (argmax does not care), hidden tokens by index"""
    p = torch.softmax(model(x_t), -1)
    chances = torch.cat((p * (t - s), torch.ones_like(p[..., 0:1]) * s), dim=-1)
    x_s = x_t.clone()
    hidden = x_t == K
    x_s[hidden] = (torch.log(chances) + g)[hidden].argmax(-1)
    return x_s


def right__11_unmask_step__race(model, x_t, t, s, g, K):
    """exponential race: argmin of exp(-g)/p, flattened"""
    p = model(x_t).double().softmax(-1).reshape(-1, K)
    full = torch.empty(len(p), K + 1, dtype=torch.float64)
    full[:, :K] = p * (1 - s / t)
    full[:, K] = s / t
    race = torch.exp(-g.double().reshape(-1, K + 1)) / full
    new = race.argmin(1).reshape(x_t.shape)
    return torch.where(x_t < K, x_t, new)


# ---------- 3
def _step(model, x_t, t, s, g, K):
    t, s = float(t), float(s)
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    new = (torch.cat([p, mask], -1).log() + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)


def right__11_unmask_sample__mine(model, x, times, g, K):
    """first try"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return torch.stack(states)


def right__11_unmask_sample__prealloc(model, x, times, g, K):
    """preallocated"""
    n = g.shape[0]
    out = torch.empty((n + 1, *x.shape), dtype=x.dtype, device=x.device)
    out[0] = x
    for k, (t, s) in enumerate(zip(times.tolist()[:-1], times.tolist()[1:])):
        out[k + 1] = _step(model, out[k], t, s, g[k], K)
    return out


def right__11_unmask_sample__pairwise(model, x, times, g, K):
    """pairwise, cat at the end"""
    all_states = x[None]
    for (t, s), noise in zip(itertools.pairwise(times), g):
        x = _step(model, x, float(t), float(s), noise, K)
        all_states = torch.cat([all_states, x[None]])
    return all_states


# ---------- 4
def _H(places):
    c = markov_chain.EXAMPLE
    p = c.joint.reshape((c.K,) * c.length)
    others = [i for i in range(c.length) if i + 1 not in set(places)]
    q = p.sum(others) if others else p
    return float(-torch.xlogy(q, q).sum())


def right__11_decoding_plan__mine(places):
    """by the hint: even tokens last; 1.. by hand"""
    return [2, 3, 1, 3, 2, 3, 1, 3][:places]


def right__11_decoding_plan__search(places):
    """all 3^8 plans, with a cache"""
    H = lru_cache(None)(lambda key: _H(key))
    full = H(tuple(range(1, places + 1)))
    best, arg = math.inf, None
    for plan in itertools.product((1, 2, 3), repeat=places):
        shown, total = (), 0.0
        for step in (1, 2, 3):
            tog = [i + 1 for i in range(places) if plan[i] == step]
            base = H(tuple(sorted(shown)))
            total += sum(H(tuple(sorted((*shown, i)))) - base for i in tog)
            shown = (*shown, *tog)
        if total - full < best:
            best, arg = total - full, plan
    print("best", best, arg)
    return list(arg)


def right__11_decoding_plan__tensor(places):
    """a tensor"""
    plan = torch.full((places,), 3)
    plan[0::4] = 1
    plan[2::4] = 2
    return plan


# ---------- 5
def _bar(Q, n):
    out = torch.eye(Q.shape[-1], dtype=Q.dtype, device=Q.device)
    for i in range(n):
        out = out @ Q[i]
    return out


def right__11_d3pm_posterior__mine(x_t, x0, t, Q):
    """first try"""
    before = _bar(Q, t - 1)
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / now[..., None]


def right__11_d3pm_posterior__sum(x_t, x0, t, Q):
    """normalised by its own sum; one-hots and einsum"""
    K = Q.shape[-1]
    before = torch.eye(K, dtype=Q.dtype)
    for q in Q[: t - 1]:
        before = before @ q
    oh_t = torch.nn.functional.one_hot(x_t, K).to(Q.dtype)
    oh_0 = torch.nn.functional.one_hot(x0, K).to(Q.dtype)
    post = torch.einsum("...j,kj->...k", oh_t, Q[t - 1]) * torch.einsum("...i,ik->...k", oh_0, before)
    return post / post.sum(-1, keepdim=True)


def right__11_d3pm_posterior__loops(x_t, x0, t, Q):
    """python loops over tokens"""
    bar = torch.eye(Q.shape[1], dtype=Q.dtype)
    if t > 1:
        bar = torch.linalg.multi_dot([bar, *Q[: t - 1]]) if t > 1 else bar
    out = torch.zeros(*x_t.shape, Q.shape[1], dtype=Q.dtype)
    flat = out.view(-1, Q.shape[1])
    for n, (j, i) in enumerate(zip(x_t.reshape(-1).tolist(), x0.reshape(-1).tolist())):
        row = Q[t - 1][:, j] * bar[i]
        flat[n] = row / row.sum()
    return out


def right__11_d3pm_posterior__table(x_t, x0, t, Q):
    """the table of all (x0, x_t), then indexed"""
    before = _bar(Q, t - 1)
    joint = before[:, :, None] * Q[t - 1][None]  # i, k, j
    table = joint / joint.sum(1, keepdim=True)
    return table.transpose(1, 2)[x0, x_t]


def right__11_masked_loss__rewritten_threshold(model, x0, t, u, K):
    """hidden where u + t >= 1 (same by algebra, other rounding)"""
    tt = t[(...,) + (None,) * (x0.ndim - 1)]
    hidden = u + tt >= 1
    x_t = torch.where(hidden, K, x0)
    lp = model(x_t).log_softmax(-1).gather(-1, x0[..., None])[..., 0]
    return (-(lp * hidden).flatten(1).sum(1) / t).to(lp.dtype)

def right__11_masked_loss__t_in_logits_dtype(model, x0, t, u, K):
    """cross_entropy with ignore_index; t in the logits' dtype for the weight"""
    hidden = ~(u < (1 - t).reshape(-1, *(1,) * (x0.ndim - 1)))
    x_t = x0.masked_fill(hidden, K)
    lo = model(x_t)
    target = torch.where(hidden, x0, -100)
    ce = F.cross_entropy(lo.movedim(-1, 1), target, ignore_index=-100, reduction="none")
    return ce.reshape(len(x0), -1).sum(1) / t.to(lo.dtype)

def right__11_masked_loss__where_dtype(model, x0, t, u, K):
    """x_t made by full_like and where; einsum for the sum"""
    B = x0.shape[0]
    vis = (u.reshape(B, -1) < (1 - t)[:, None]).reshape(x0.shape)
    x_t = torch.where(vis, x0, torch.full_like(x0, K))
    lp = torch.log_softmax(model(x_t), dim=-1)
    mine = torch.einsum("...k,...k->...", F.one_hot(x0, K).to(lp.dtype), lp)
    return -(mine * (~vis).to(lp.dtype)).reshape(B, -1).sum(1) / t.to(lp.dtype)

def right__11_unmask_step__mask_prob_as_rest(model, x_t, t, s, g, K):
    """mask's chance as 1 minus the sum of the others"""
    share = (t - s) / t
    p = F.softmax(model(x_t), dim=-1) * share
    out = F.pad(p, (0, 1), value=1 - share)
    new = (out.log() + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def right__11_unmask_step__float64(model, x_t, t, s, g, K):
    """all in float64"""
    lp = model(x_t).double().log_softmax(-1) + torch.log(torch.tensor((t - s) / t, dtype=torch.float64))
    lm = torch.full((*x_t.shape, 1), float(s) / float(t), dtype=torch.float64).log()
    new = torch.argmax(torch.cat([lp, lm], dim=-1) + g.double(), dim=-1)
    x_s = x_t.clone()
    x_s[x_t == K] = new[x_t == K]
    return x_s

def right__11_unmask_step__loops(model, x_t, t, s, g, K):
    """loops over all tokens"""
    p = model(x_t).softmax(-1).reshape(-1, K)
    gg, x = g.reshape(-1, K + 1), x_t.reshape(-1)
    out = []
    for i in range(len(x)):
        if x[i] < K:
            out.append(int(x[i])); continue
        c = torch.cat([p[i] * (t - s) / t, torch.tensor([s / t], dtype=p.dtype)])
        out.append(int((c.log() + gg[i]).argmax()))
    return torch.tensor(out).reshape(x_t.shape)


def wrong__11_masked_loss__flipped(model, x0, t, u, K):
    """hides where the coin is below 1 - t"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u < 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__coin_below_t(model, x0, t, u, K):
    """hides where u < t (the same law, other coins)"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u < tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__visible_below_t(model, x0, t, u, K):
    """visible where u < t"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__no_weight(model, x0, t, u, K):
    """no 1/t"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return total.to(log_p.dtype)

def wrong__11_masked_loss__times_t(model, x0, t, u, K):
    """times t, not divided"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total * t).to(log_p.dtype)

def wrong__11_masked_loss__one_minus_t(model, x0, t, u, K):
    """weight 1/(1-t)"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / (1 - t)).to(log_p.dtype)

def wrong__11_masked_loss__mean_hidden(model, x0, t, u, K):
    """mean over hidden tokens, over t"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / hidden.flatten(1).sum(1).clamp(min=1) / t).to(log_p.dtype)

def wrong__11_masked_loss__mean_hidden_no_weight(model, x0, t, u, K):
    """mean over hidden tokens, no weight"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / hidden.flatten(1).sum(1).clamp(min=1)).to(log_p.dtype)

def wrong__11_masked_loss__mean_tokens(model, x0, t, u, K):
    """mean over all tokens instead of sum"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).mean(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__all_tokens(model, x0, t, u, K):
    """sums over visible tokens, too"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = nll.flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__visible_only(model, x0, t, u, K):
    """sums over the visible tokens"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, 0.0, nll).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__no_minus(model, x0, t, u, K):
    """sign"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__bits(model, x0, t, u, K):
    """in bits"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t / math.log(2)).to(log_p.dtype)

def wrong__11_masked_loss__model_sees_x0(model, x0, t, u, K):
    """the model is given x0"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x0).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__no_log(model, x0, t, u, K):
    """minus probabilities, not logs"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__raw_logits(model, x0, t, u, K):
    """logits are not normalised"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__softmax_axis1(model, x0, t, u, K):
    """log_softmax over axis 1"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__batch_mean(model, x0, t, u, K):
    """mean over the batch returned"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).mean().to(log_p.dtype)

def wrong__11_masked_loss__batch_sum(model, x0, t, u, K):
    """sum over batch and tokens"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).sum()
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__sum_last_axis(model, x0, t, u, K):
    """sums over the last axis only (broken for pictures)"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).sum(-1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__sum_axis1(model, x0, t, u, K):
    """sums over axis 1 only (broken for pictures)"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__per_token(model, x0, t, u, K):
    """one number for each token"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0)
    return (total / tt).to(log_p.dtype)

def wrong__11_masked_loss__mask_minus_one(model, x0, t, u, K):
    """mask is K - 1"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K - 1, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__mask_zero(model, x0, t, u, K):
    """mask is 0"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, 0, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__x0_zeroed(model, x0, t, u, K):
    """hides by multiplying: x0 * visible"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = x0 * ~hidden
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__detached(model, x0, t, u, K):
    """detached"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).detach().log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__item_list(model, x0, t, u, K):
    """built from .item(): no gradient"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return torch.tensor([float(v) for v in total / t], dtype=log_p.dtype)

def wrong__11_masked_loss__inplace(model, x0, t, u, K):
    """writes masks into x0"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    keep = x0.clone()
    x0[hidden] = K
    x_t = x0
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, keep[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__inplace_then_gathers(model, x0, t, u, K):
    """writes masks into x0, then gathers them (clamped)"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = x0
    x_t[hidden] = K
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0.clamp(max=K - 1)[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__gathers_x_t(model, x0, t, u, K):
    """gathers at x_t (clamped)"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x_t.clamp(max=K - 1)[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__argmax_token(model, x0, t, u, K):
    """log p of the likeliest token"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.max(-1).values
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__own_coins(model, x0, t, u, K):
    """draws its own coins"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = torch.rand(x0.shape, dtype=t.dtype) >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__own_times(model, x0, t, u, K):
    """draws its own times for the coins"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    tt = torch.rand(tt.shape, dtype=t.dtype)
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__called_twice(model, x0, t, u, K):
    """model called twice"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    model(x_t)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__eps_log(model, x0, t, u, K):
    """log(p + 1e-4)"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = (model(x_t).softmax(-1) + 1e-4).log()
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__float32(model, x0, t, u, K):
    """float32 inside"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).float().log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).double()

def wrong__11_masked_loss__always_float64(model, x0, t, u, K):
    """always float64 returned"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).double()

def wrong__11_masked_loss__first_time(model, x0, t, u, K):
    """the first time for all"""
    tt = t[0]
    t = t[0]
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__mean_time_weight(model, x0, t, u, K):
    """weight of the batch's mean time"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t.mean()).to(log_p.dtype)

def wrong__11_masked_loss__clamped_weight(model, x0, t, u, K):
    """t clamped at 0.05 in the weight"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t.clamp(min=0.05)).to(log_p.dtype)

def wrong__11_masked_loss__share_weight(model, x0, t, u, K):
    """weight of the share that was hidden, not of t"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / hidden.double().flatten(1).mean(1).clamp(min=1e-9)).to(log_p.dtype)

def wrong__11_masked_loss__root_weight(model, x0, t, u, K):
    """weight 1/sqrt t"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t.sqrt()).to(log_p.dtype)

def wrong__11_masked_loss__square_weight(model, x0, t, u, K):
    """weight 1/t^2"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t**2).to(log_p.dtype)

def wrong__11_masked_loss__t_on_last_axis(model, x0, t, u, K):
    """t meets the last axis"""
    tt = t
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__letters_only(model, x0, t, u, K):
    """t[:, None]: letters only"""
    tt = t[:, None]
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__squeezed(model, x0, t, u, K):
    """squeeze: broken for one sample"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype).squeeze()

def wrong__11_masked_loss__printed(model, x0, t, u, K):
    """printed"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    print((total / t).to(log_p.dtype))

def wrong__11_masked_loss__no_grad(model, x0, t, u, K):
    """no_grad around the model"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    with torch.no_grad():
        log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__divides_by_L(model, x0, t, u, K):
    """per token: divided by L"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t / x0[0].numel()).to(log_p.dtype)

def wrong__11_masked_loss__rounded_hidden(model, x0, t, u, K):
    """hides exactly round(tL) tokens, those of the largest coins"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    r = u.flatten(1).argsort(1, descending=True).argsort(1)
    hidden = (r < (t * r.shape[1]).round()[:, None]).reshape(u.shape)
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__mse(model, x0, t, u, K):
    """squared error of the one-hot"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).log_softmax(-1)
    nll = ((log_p.exp() - F.one_hot(x0, K)) ** 2).sum(-1)
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__double_softmax(model, x0, t, u, K):
    """cross_entropy of probabilities"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t).softmax(-1).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_masked_loss__t_in_model(model, x0, t, u, K):
    """calls model(x_t, t)"""
    tt = t.reshape(-1, *[1] * (x0.ndim - 1))
    hidden = u >= 1 - tt
    x_t = torch.where(hidden, K, x0)
    log_p = model(x_t, t).log_softmax(-1)
    nll = -log_p.gather(-1, x0[..., None])[..., 0]
    total = torch.where(hidden, nll, 0.0).flatten(1).sum(1)
    return (total / t).to(log_p.dtype)

def wrong__11_unmask_step__visible_redrawn(model, x_t, t, s, g, K):
    """visible tokens are drawn again"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return new

def wrong__11_unmask_step__only_visible_redrawn(model, x_t, t, s, g, K):
    """where swapped"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, x_t, new)

def wrong__11_unmask_step__chances_swapped(model, x_t, t, s, g, K):
    """s/t and (t-s)/t swapped"""
    p = model(x_t).softmax(-1) * s / t
    mask = torch.full_like(p[..., :1], (t - s) / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__mask_forgotten(model, x_t, t, s, g, K):
    """argmax over the K values: all shown"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = p.log()
    new = (logs + g[..., :K]).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__no_log(model, x_t, t, s, g, K):
    """p + g"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1)
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__no_softmax(model, x_t, t, s, g, K):
    """logits taken for log-probabilities"""
    p = model(x_t).exp() * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__no_show_factor(model, x_t, t, s, g, K):
    """p without (t-s)/t"""
    p = model(x_t).softmax(-1)
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__argmin(model, x_t, t, s, g, K):
    """argmin"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmin(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__minus_g(model, x_t, t, s, g, K):
    """log p - g"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs - g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__mask_first(model, x_t, t, s, g, K):
    """mask first in cat"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([mask, p], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__mask_first_shifted(model, x_t, t, s, g, K):
    """mask first, index 0 turned into K"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([mask, p], -1).log()
    new = (logs + g).argmax(-1)
    new = torch.where(new == 0, K, new - 1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__over_s(model, x_t, t, s, g, K):
    """divided by s"""
    p = model(x_t).softmax(-1) * (t - s) / max(s, 1e-9)
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__no_division(model, x_t, t, s, g, K):
    """t - s and s, p without normalising right: t - s and 1 - t"""
    p = model(x_t).softmax(-1) * (t - s)
    mask = torch.full_like(p[..., :1], 1 - t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__alpha_ratio(model, x_t, t, s, g, K):
    """mask's chance (1-t)/(1-s)"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], (1 - t) / max(1 - s, 1e-9))
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__mask_t(model, x_t, t, s, g, K):
    """mask's chance t"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__mask_s(model, x_t, t, s, g, K):
    """mask's chance s"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__mask_one_minus_t(model, x_t, t, s, g, K):
    """mask's chance alpha"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], 1 - s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__t_s_swapped(model, x_t, t, s, g, K):
    """t and s swapped"""
    t, s = s + 1e-9, t
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__own_gumbel(model, x_t, t, s, g, K):
    """own Gumbel noise"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs - torch.log(-torch.log(torch.rand_like(g)))).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__multinomial(model, x_t, t, s, g, K):
    """torch.multinomial, g unused"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = torch.multinomial(logs.exp().reshape(-1, K + 1), 1).reshape(x_t.shape)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__called_twice(model, x_t, t, s, g, K):
    """model called twice"""
    model(x_t)
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__mask_is_zero(model, x_t, t, s, g, K):
    """takes 0 for the mask"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == 0, new, x_t)

def wrong__11_unmask_step__mask_is_last_value(model, x_t, t, s, g, K):
    """takes K-1 for the mask"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K - 1, new, x_t)

def wrong__11_unmask_step__inplace(model, x_t, t, s, g, K):
    """writes into x_t"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    h = x_t == K
    x_t[h] = new[h]
    return x_t

def wrong__11_unmask_step__two_draws(model, x_t, t, s, g, K):
    """a coin from the mask's g, then argmax over K"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    r = torch.exp(-torch.exp(-g[..., K]))
    new = torch.where(r < s / t, K, (p.log() + g[..., :K]).argmax(-1))
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__log_eps(model, x_t, t, s, g, K):
    """log(p + 1e-6): masks stay at s = 0"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).add(1e-6).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__log_clamped(model, x_t, t, s, g, K):
    """clamped log at -10"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log().clamp(min=-10)
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__greedy(model, x_t, t, s, g, K):
    """no noise: the likeliest"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = logs.argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__greedy_values(model, x_t, t, s, g, K):
    """mask by noise, values greedily"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = torch.where((logs + g).argmax(-1) == K, K, p.argmax(-1))
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__softmax_axis1(model, x_t, t, s, g, K):
    """softmax over axis 1"""
    p = model(x_t).softmax(1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__probabilities(model, x_t, t, s, g, K):
    """returns chances"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return logs.exp()

def wrong__11_unmask_step__printed(model, x_t, t, s, g, K):
    """printed"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    print(torch.where(x_t == K, new, x_t))

def wrong__11_unmask_step__float_tokens(model, x_t, t, s, g, K):
    """returns float"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t).to(p.dtype)

def wrong__11_unmask_step__int32_tokens(model, x_t, t, s, g, K):
    """returns int32"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t).int()

def wrong__11_unmask_step__log_log(model, x_t, t, s, g, K):
    """log of log-probabilities"""
    p = model(x_t).log_softmax(-1).abs() * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__mask_logit(model, x_t, t, s, g, K):
    """a logit 0 of the mask inside the softmax"""
    l = model(x_t)
    p = torch.cat([l, torch.zeros_like(l[..., :1])], -1).softmax(-1)[..., :K] * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__last_step_greedy(model, x_t, t, s, g, K):
    """at s = 0 without noise"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1) if s > 0 else logs.argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__mask_no_noise(model, x_t, t, s, g, K):
    """the mask gets no noise"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + torch.cat([g[..., :K], torch.zeros_like(g[..., :1])], -1)).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__temperature(model, x_t, t, s, g, K):
    """noise halved"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g / 2).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__scaled_log(model, x_t, t, s, g, K):
    """the log is scaled by (t-s)/t"""
    p = model(x_t).softmax(-1) ** ((t - s) / t)
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__one_per_row(model, x_t, t, s, g, K):
    """shows only one hidden token (the most confident)"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    sure = torch.where((x_t == K) & (new < K), p.max(-1).values, -1.0).flatten(1)
    keep = torch.zeros_like(sure).scatter(1, sure.argmax(1, keepdim=True), 1).bool().reshape(x_t.shape)
    return torch.where(keep & (x_t == K), new, x_t)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__same_noise_batch(model, x_t, t, s, g, K):
    """the first row's noise for all"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g[:1]).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__letters_only(model, x_t, t, s, g, K):
    """loops over two axes: letters only"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    B, L = x_t.shape
    new = (logs + g).argmax(-1).reshape(B, L)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__squeezed(model, x_t, t, s, g, K):
    """squeeze"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t).squeeze()

def wrong__11_unmask_step__model_clamped(model, x_t, t, s, g, K):
    """model is given K - 1 for the mask"""
    p = model(x_t.clamp(max=K - 1)).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__all_or_none(model, x_t, t, s, g, K):
    """the mask's coin is one for the row (mean noise)"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + torch.cat([g[..., :K], g[..., K:].flatten(1)[:, :1].reshape(-1, *[1] * x_t.ndim).expand_as(g[..., K:])], -1)).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__s_clamped(model, x_t, t, s, g, K):
    """s clamped at 0.01: masks stay"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], max(s, 0.01) / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__p_squared(model, x_t, t, s, g, K):
    """p squared"""
    p = model(x_t).softmax(-1).square() * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__from_one(model, x_t, t, s, g, K):
    """assumes t = 1: (1-s)p, s"""
    p = model(x_t).softmax(-1) * (1 - s)
    mask = torch.full_like(p[..., :1], s)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__even_steps_only(model, x_t, t, s, g, K):
    """assumes s = 0: no mask"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], 0.0)
    logs = torch.cat([p, mask], -1).log()
    new = (logs + g).argmax(-1)
    return torch.where(x_t == K, new, x_t)

def wrong__11_unmask_step__gumbel_of_g(model, x_t, t, s, g, K):
    """takes g for uniform numbers"""
    p = model(x_t).softmax(-1) * (t - s) / t
    mask = torch.full_like(p[..., :1], s / t)
    logs = torch.cat([p, mask], -1).log()
    new = (logs - torch.log(-torch.log(g.sigmoid()))).argmax(-1)
    return torch.where(x_t == K, new, x_t)


def wrong__11_unmask_sample__no_start(model, x, times, g, K):
    """x left out"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return torch.stack(states[1:])

def wrong__11_unmask_sample__last_only(model, x, times, g, K):
    """only the last state"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return states[-1]

def wrong__11_unmask_sample__same_noise(model, x, times, g, K):
    """g[0] in each step"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[0], K))
    return torch.stack(states)

def wrong__11_unmask_sample__noise_shifted(model, x, times, g, K):
    """g[k+1], wrapped"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[(k + 1) % len(g)], K))
    return torch.stack(states)

def wrong__11_unmask_sample__noise_reversed(model, x, times, g, K):
    """g from the end"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[-1 - k], K))
    return torch.stack(states)

def wrong__11_unmask_sample__all_masks(model, x, times, g, K):
    """starts from masks alone"""
    states = [torch.full_like(x, K)]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return torch.stack(states)

def wrong__11_unmask_sample__given_lost_later(model, x, times, g, K):
    """x is listed, but the walk starts from masks"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, (states[-1] if k else torch.full_like(x, K)), times[k], times[k + 1], g[k], K))
    return torch.stack(states)

def wrong__11_unmask_sample__step_too_few(model, x, times, g, K):
    """the last step is left out"""
    states = [x]
    for k in range(len(times) - 2):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return torch.stack(states)

def wrong__11_unmask_sample__step_too_few_padded(model, x, times, g, K):
    """the last step is left out, last state doubled"""
    states = [x]
    for k in range(len(times) - 2):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    states.append(states[-1])
    return torch.stack(states)

def wrong__11_unmask_sample__too_many(model, x, times, g, K):
    """range(len(times))"""
    states = [x]
    for k in range(len(times)):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return torch.stack(states)

def wrong__11_unmask_sample__from_x(model, x, times, g, K):
    """each step from x"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, x, times[k], times[k + 1], g[k], K))
    return torch.stack(states)

def wrong__11_unmask_sample__even_times(model, x, times, g, K):
    """even times, times ignored"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], 1 - k / len(g), 1 - (k + 1) / len(g), g[k], K))
    return torch.stack(states)

def wrong__11_unmask_sample__starts_at_one(model, x, times, g, K):
    """times scaled: starts at 1"""
    states = [x]
    times = torch.cat([torch.ones_like(times[:1]), times[1:]])
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return torch.stack(states)

def wrong__11_unmask_sample__to_zero(model, x, times, g, K):
    """each step goes to 0"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[-1], g[k], K))
    return torch.stack(states)

def wrong__11_unmask_sample__from_t0(model, x, times, g, K):
    """each step from times[0]"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[0], times[k + 1], g[k], K))
    return torch.stack(states)

def wrong__11_unmask_sample__swapped(model, x, times, g, K):
    """t and s swapped"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k + 1] + 1e-9, times[k], g[k], K))
    return torch.stack(states)

def wrong__11_unmask_sample__times_shifted(model, x, times, g, K):
    """times k+1 to k+2 (the last one 0)"""
    states = [x]
    times = torch.cat([times[1:], times[-1:]])
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k] + 1e-12, times[k + 1], g[k], K))
    return torch.stack(states)

def wrong__11_unmask_sample__times_flipped(model, x, times, g, K):
    """times rise"""
    states = [x]
    times = times.flip(0) + 1e-9
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return torch.stack(states)

def wrong__11_unmask_sample__a_list(model, x, times, g, K):
    """a list"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return states

def wrong__11_unmask_sample__axis1(model, x, times, g, K):
    """stacked on axis 1"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return torch.stack(states, 1)

def wrong__11_unmask_sample__catted(model, x, times, g, K):
    """cat instead of stack"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return torch.cat(states)

def wrong__11_unmask_sample__reversed_states(model, x, times, g, K):
    """states from last to first"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return torch.stack(states[::-1])

def wrong__11_unmask_sample__called_twice(model, x, times, g, K):
    """model called twice a step"""
    states = [x]
    for k in range(len(times) - 1):
        model(states[-1])
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return torch.stack(states)

def wrong__11_unmask_sample__extra_call(model, x, times, g, K):
    """one more call at the end, likeliest values"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    p = model(states[-1])
    states[-1] = torch.where(states[-1] == K, p.argmax(-1), states[-1])
    return torch.stack(states)

def wrong__11_unmask_sample__own_noise(model, x, times, g, K):
    """own Gumbel noise"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], -torch.log(-torch.log(torch.rand_like(g[k]))), K))
    return torch.stack(states)

def wrong__11_unmask_sample__inplace_x(model, x, times, g, K):
    """the walk writes into x; copies are returned"""
    states = [x.clone()]
    for k in range(len(times) - 1):
        x[:] = _step(model, x, times[k], times[k + 1], g[k], K)
        states.append(x.clone())
    return torch.stack(states)

def wrong__11_unmask_sample__same_object(model, x, times, g, K):
    """one tensor listed n + 1 times"""
    y = x.clone()
    states = [y]
    for k in range(len(times) - 1):
        y[:] = _step(model, y, times[k], times[k + 1], g[k], K)
        states.append(y)
    return torch.stack(states)

def wrong__11_unmask_sample__before_step(model, x, times, g, K):
    """appended before the step: x twice, no last"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(x)
        x = _step(model, x, times[k], times[k + 1], g[k], K)
    return torch.stack(states)

def wrong__11_unmask_sample__float_states(model, x, times, g, K):
    """float"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return torch.stack(states).double()

def wrong__11_unmask_sample__stops_early(model, x, times, g, K):
    """stops when no mask is left"""
    states = [x]
    for k in range(len(times) - 1):
        if (states[-1] != K).all():
            break
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return torch.stack(states)

def right__11_unmask_sample__skips_calls(model, x, times, g, K):
    """no call when no mask is left: the state is repeated"""
    states = [x]
    for k in range(len(times) - 1):
        if (states[-1] != K).all():
            states.append(states[-1])
            continue
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return torch.stack(states)

def wrong__11_unmask_sample__redraws(model, x, times, g, K):
    """all but the given tokens are drawn again each step"""
    states = [x]
    for k in range(len(times) - 1):
        new = _step(model, torch.where(x == K, K, states[-1]), times[k], times[k + 1], g[k], K)
        states.append(new)
    return torch.stack(states)

def wrong__11_unmask_sample__model_once(model, x, times, g, K):
    """the model is asked once, with x"""
    states = [x]
    first = model(x)
    for k in range(len(times) - 1):
        states.append(_step(lambda y: first, states[-1], times[k], times[k + 1], g[k], K))
    return torch.stack(states)

def wrong__11_unmask_sample__printed(model, x, times, g, K):
    """printed"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    print(torch.stack(states))

def wrong__11_unmask_sample__squeezed(model, x, times, g, K):
    """squeeze"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return torch.stack(states).squeeze()

def wrong__11_unmask_sample__forced_last(model, x, times, g, K):
    """the last step shows the likeliest values"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    states[-1] = torch.where(states[-2] == K, model(states[-2]).argmax(-1), states[-1])
    return torch.stack(states)

def wrong__11_unmask_sample__visible_redrawn(model, x, times, g, K):
    """visible tokens are drawn again, also given ones"""
    states = [x]
    for k in range(len(times) - 1):
        y = states[-1]
        p = model(y).softmax(-1) * (times[k] - times[k + 1]) / times[k]
        states.append((torch.cat([p, torch.full_like(p[..., :1], float(times[k + 1] / times[k]))], -1).log() + g[k]).argmax(-1))
    return torch.stack(states)

def wrong__11_unmask_sample__one_step(model, x, times, g, K):
    """one step from times[0] to 0, repeated"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[0], 0.0, g[0], K))
    return torch.stack(states)

def wrong__11_unmask_sample__float32_times(model, x, times, g, K):
    """times rounded to two decimals"""
    states = [x]
    times = (times * 100).round() / 100
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return torch.stack(states)

def wrong__11_unmask_sample__no_step_for_single(model, x, times, g, K):
    """broken for n = 1: loops from 1"""
    states = [x]
    for k in range(len(times) - 1):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    if len(times) == 2:
        return x[None]
    return torch.stack(states)

def wrong__11_unmask_sample__hard_n(model, x, times, g, K):
    """always 8 steps"""
    states = [x]
    for k in range(min(8, len(times) - 1)):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return torch.stack(states)

def wrong__11_unmask_sample__n_of_batch(model, x, times, g, K):
    """loops over the batch: range(len(x))"""
    states = [x]
    for k in range(min(len(x), len(times) - 1)):
        states.append(_step(model, states[-1], times[k], times[k + 1], g[k], K))
    return torch.stack(states)


def wrong__11_decoding_plan__all_at_once(places):
    """one step"""
    return [1] * places

def wrong__11_decoding_plan__left_to_right(places):
    """three at a time"""
    return [1, 1, 1, 2, 2, 2, 3, 3]

def wrong__11_decoding_plan__two_steps(places):
    """odd places, then even ones: 2 steps"""
    return [1, 2] * (places // 2)

def wrong__11_decoding_plan__two_steps_even_first(places):
    """even places, then odd ones"""
    return [2, 1] * (places // 2)

def wrong__11_decoding_plan__zero_based(places):
    """steps 0, 1, 2"""
    return [1, 2, 0, 2, 1, 2, 0, 2]

def wrong__11_decoding_plan__four_steps(places):
    """four steps"""
    return [1, 4, 3, 4, 2, 4, 3, 4]

def wrong__11_decoding_plan__eight_steps(places):
    """one token a step"""
    return list(range(1, places + 1))

def wrong__11_decoding_plan__order_list(places):
    """the order of the places"""
    return [3, 7, 1, 5, 2, 4, 6, 8]

def wrong__11_decoding_plan__list_of_sets(places):
    """the sets S_1, S_2, S_3"""
    return [[3, 7], [1, 5], [2, 4, 6, 8]]

def wrong__11_decoding_plan__string(places):
    """a string"""
    return '23132313'

def wrong__11_decoding_plan__strings(places):
    """a list of strings"""
    return list('23132313')

def wrong__11_decoding_plan__digits_number(places):
    """one number"""
    return 23132313

def wrong__11_decoding_plan__floats(places):
    """times: thirds"""
    return [2 / 3, 1, 1 / 3, 1, 2 / 3, 1, 1 / 3, 1]

def wrong__11_decoding_plan__seven(places):
    """seven entries"""
    return [2, 3, 1, 3, 2, 3, 1]

def wrong__11_decoding_plan__nine(places):
    """nine entries (0 for token 0)"""
    return [0, 2, 3, 1, 3, 2, 3, 1, 3]

def wrong__11_decoding_plan__random(places):
    """random plan from the global state"""
    return torch.randint(1, 4, (places,)).tolist()

def wrong__11_decoding_plan__random_best(places):
    """best of three random ones, no seed"""
    return torch.randint(1, 4, (3, places))[0]

def wrong__11_decoding_plan__printed(places):
    """printed"""
    print([2, 3, 1, 3, 2, 3, 1, 3])

def wrong__11_decoding_plan__price(places):
    """the price instead of the plan"""
    return 0.0335

def wrong__11_decoding_plan__price_and_plan(places):
    """(price, plan)"""
    return 0.0335, [2, 3, 1, 3, 2, 3, 1, 3]

def wrong__11_decoding_plan__dictionary(places):
    """a dict"""
    return dict(enumerate([2, 3, 1, 3, 2, 3, 1, 3], 1))

def wrong__11_decoding_plan__outside_in(places):
    """outside first, the middle last"""
    return [1, 2, 2, 3, 3, 2, 2, 1]

def wrong__11_decoding_plan__pairs(places):
    """pairs of neighbours together"""
    return [1, 1, 2, 2, 3, 3, 1, 1]

def wrong__11_decoding_plan__steps_reversed(places):
    """the steps' numbers reversed (the last first)"""
    return [2, 1, 3, 1, 2, 1, 3, 1]

def wrong__11_decoding_plan__one_hot(places):
    """a one-hot table (8, 3)"""
    return F.one_hot(torch.tensor([2, 3, 1, 3, 2, 3, 1, 3]) - 1, 3)

def wrong__11_decoding_plan__nested(places):
    """a tensor (1, 8)"""
    return torch.tensor([[2, 3, 1, 3, 2, 3, 1, 3]])

def wrong__11_decoding_plan__booleans(places):
    """shown last or not"""
    return [False, True] * 4

def wrong__11_decoding_plan__maximised(places):
    """the worst plan"""
    return [3, 3, 3, 3, 3, 3, 3, 3]

def wrong__11_decoding_plan__search_unconditional(places):
    """minimises the sum of single entropies"""
    best, arg = math.inf, None
    H = {}
    def h(s):
        s = tuple(sorted(s))
        if s not in H:
            H[s] = _H(s)
        return H[s]
    for plan in itertools.product((1, 2, 3), repeat=places):
        shown, total = [], 0.0
        for step in (1, 2, 3):
            tog = [i + 1 for i in range(places) if plan[i] == step]
            total += sum(h([i]) for i in tog)
            shown += tog
        if total < best:
            best, arg = total, plan
    return list(arg)

def wrong__11_decoding_plan__search_joint(places):
    """joint entropy of the step's tokens instead of the sum of single ones (always the same)"""
    best, arg = math.inf, None
    H = {}
    def h(s):
        s = tuple(sorted(s))
        if s not in H:
            H[s] = _H(s)
        return H[s]
    for plan in itertools.product((1, 2, 3), repeat=places):
        shown, total = [], 0.0
        for step in (1, 2, 3):
            tog = [i + 1 for i in range(places) if plan[i] == step]
            total += h([*shown, *tog]) - h(shown)
            shown += tog
        if total < best:
            best, arg = total, plan
    return list(arg)

def wrong__11_decoding_plan__search_conditional_swapped(places):
    """H(shown | i) instead of H(i | shown)"""
    best, arg = math.inf, None
    H = {}
    def h(s):
        s = tuple(sorted(s))
        if s not in H:
            H[s] = _H(s)
        return H[s]
    for plan in itertools.product((1, 2, 3), repeat=places):
        shown, total = [], 0.0
        for step in (1, 2, 3):
            tog = [i + 1 for i in range(places) if plan[i] == step]
            total += sum(h([*shown, i]) - h([i]) for i in tog)
            shown += tog
        if total < best:
            best, arg = total, plan
    return list(arg)

def wrong__11_decoding_plan__search_zero_based(places):
    """the places counted from 0 in the plan of the best"""
    best, arg = math.inf, None
    H = {}
    def h(s):
        s = tuple(sorted(s))
        if s not in H:
            H[s] = _H(s)
        return H[s]
    for plan in itertools.product((1, 2, 3), repeat=places):
        shown, total = [], 0.0
        for step in (1, 2, 3):
            tog = [i + 1 for i in range(places) if plan[i] == step]
            total += sum(h([*shown, i]) - h(shown) for i in tog)
            shown += tog
        if total < best:
            best, arg = total, plan
    return [arg.index(s) for s in (1, 2, 3)]

def wrong__11_decoding_plan__search_maximum(places):
    """keeps the worst"""
    best, arg = math.inf, None
    H = {}
    def h(s):
        s = tuple(sorted(s))
        if s not in H:
            H[s] = _H(s)
        return H[s]
    for plan in itertools.product((1, 2, 3), repeat=places):
        shown, total = [], 0.0
        for step in (1, 2, 3):
            tog = [i + 1 for i in range(places) if plan[i] == step]
            total += sum(h([*shown, i]) - h(shown) for i in tog)
            shown += tog
        if -total < best:
            best, arg = -total, plan
    return list(arg)

def wrong__11_decoding_plan__none_for_last(places):
    """None for those of the last step"""
    return [2, None, 1, None, 2, None, 1, None]

def wrong__11_decoding_plan__huge(places):
    """step numbers 10, 20, 30"""
    return [20, 30, 10, 30, 20, 30, 10, 30]

def wrong__11_decoding_plan__half(places):
    """1.5 in a list"""
    return [1.5, 3, 1, 3, 2, 3, 1, 3]

def wrong__11_d3pm_posterior__row_of_Q(x_t, x0, t, Q):
    """the row of Q_t instead of the column (not normalised by itself)"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1][x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / now[..., None]

def wrong__11_d3pm_posterior__row_of_Q_normalised(x_t, x0, t, Q):
    """the row of Q_t, normalised"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1][x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / (a * b).sum(-1, keepdim=True)

def wrong__11_d3pm_posterior__bar_t(x_t, x0, t, Q):
    """Q-bar_t for Q-bar_{t-1}, normalised"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = (before @ Q[t - 1])[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / (a * b).sum(-1, keepdim=True)

def wrong__11_d3pm_posterior__Q_shifted(x_t, x0, t, Q):
    """Q[t] for Q_t (Q[t-2] at the end)"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[min(t, len(Q) - 1)].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / (a * b).sum(-1, keepdim=True)

def wrong__11_d3pm_posterior__bar_from_second(x_t, x0, t, Q):
    """product starts at Q[1]"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i + 1]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / (a * b).sum(-1, keepdim=True)

def wrong__11_d3pm_posterior__product_reversed(x_t, x0, t, Q):
    """Q_t-1 ... Q_1"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = Q[i] @ before
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / now[..., None]

def wrong__11_d3pm_posterior__product_reversed_normalised(x_t, x0, t, Q):
    """Q_t-1 ... Q_1, normalised by its own sum"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = Q[i] @ before
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / (a * b).sum(-1, keepdim=True)

def wrong__11_d3pm_posterior__not_normalised(x_t, x0, t, Q):
    """denominator left out"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b

def wrong__11_d3pm_posterior__wrong_denominator(x_t, x0, t, Q):
    """q(x_t | x_0) of the step before"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = before[x0, x_t]
    return a * b / now[..., None]

def wrong__11_d3pm_posterior__denominator_swapped(x_t, x0, t, Q):
    """denominator [x_t, x0]"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x_t, x0]
    return a * b / now[..., None]

def wrong__11_d3pm_posterior__column_of_bar(x_t, x0, t, Q):
    """the column of Q-bar"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before.T[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / now[..., None]

def wrong__11_d3pm_posterior__column_of_bar_normalised(x_t, x0, t, Q):
    """the column of Q-bar, normalised"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before.T[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / (a * b).sum(-1, keepdim=True)

def wrong__11_d3pm_posterior__arguments_swapped(x_t, x0, t, Q):
    """x_t and x_0 swapped"""
    x_t, x0 = x0, x_t
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / now[..., None]

def wrong__11_d3pm_posterior__sum_of_factors(x_t, x0, t, Q):
    """sum instead of product"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return (a + b) / (a + b).sum(-1, keepdim=True)

def wrong__11_d3pm_posterior__power(x_t, x0, t, Q):
    """power of Q_t"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[t - 1]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / now[..., None]

def wrong__11_d3pm_posterior__power_of_first(x_t, x0, t, Q):
    """power of Q_1"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[0]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / now[..., None]

def wrong__11_d3pm_posterior__first_step_not_special(x_t, x0, t, Q):
    """at t = 1 the product is Q_1"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(max(t - 1, 1)):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / (a * b).sum(-1, keepdim=True)

def wrong__11_d3pm_posterior__softmax(x_t, x0, t, Q):
    """softmax to normalise"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return (a * b).softmax(-1)

def wrong__11_d3pm_posterior__normalised_axis0(x_t, x0, t, Q):
    """adds up over the batch"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / (a * b).sum(0, keepdim=True)

def wrong__11_d3pm_posterior__normalised_all(x_t, x0, t, Q):
    """divided by the sum of all"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / (a * b).sum()

def wrong__11_d3pm_posterior__float32(x_t, x0, t, Q):
    """float32 inside"""
    dt, Q = Q.dtype, Q.float()
    before = torch.eye(Q.shape[-1])
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return (a * b / now[..., None]).to(dt)

def wrong__11_d3pm_posterior__float64_always(x_t, x0, t, Q):
    """returns float64 always"""
    Q = Q.double()
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / now[..., None]

def wrong__11_d3pm_posterior__float32_eye(x_t, x0, t, Q):
    """returns float32"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return (a * b / now[..., None]).float()

def wrong__11_d3pm_posterior__eps(x_t, x0, t, Q):
    """denominator + 1e-3"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / (now[..., None] + 1e-3)

def wrong__11_d3pm_posterior__clamped(x_t, x0, t, Q):
    """denominator clamped at 0.05"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / now[..., None].clamp(min=0.05)

def wrong__11_d3pm_posterior__clamped_chances(x_t, x0, t, Q):
    """chances clamped at 1e-4"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return (a * b / now[..., None]).clamp(min=1e-4)

def wrong__11_d3pm_posterior__two_axes_only(x_t, x0, t, Q):
    """unsqueeze(2): letters only"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / now.unsqueeze(2)

def wrong__11_d3pm_posterior__logs(x_t, x0, t, Q):
    """logarithms"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return (a * b / now[..., None]).log()

def wrong__11_d3pm_posterior__argmax(x_t, x0, t, Q):
    """the likeliest state"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return (a * b / now[..., None]).argmax(-1)

def wrong__11_d3pm_posterior__printed(x_t, x0, t, Q):
    """printed"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    print(a * b / now[..., None])

def wrong__11_d3pm_posterior__bar_of_all(x_t, x0, t, Q):
    """product over all T"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(len(Q)):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / (a * b).sum(-1, keepdim=True)

def wrong__11_d3pm_posterior__one_factor_short(x_t, x0, t, Q):
    """product of t - 2"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 2):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / (a * b).sum(-1, keepdim=True)

def wrong__11_d3pm_posterior__elementwise(x_t, x0, t, Q):
    """elementwise product of the matrices"""
    before = torch.ones_like(Q[0])
    for i in range(t - 1):
        before = before * Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / (a * b).sum(-1, keepdim=True)

def wrong__11_d3pm_posterior__changes_Q(x_t, x0, t, Q):
    """the product is written into Q"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        if i:
            Q[i] = Q[i - 1] @ Q[i]
        before = Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / now[..., None]

def wrong__11_d3pm_posterior__squeezed(x_t, x0, t, Q):
    """squeeze"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return (a * b / now[..., None]).squeeze()

def wrong__11_d3pm_posterior__likelihood_only(x_t, x0, t, Q):
    """the second factor forgotten"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a / a.sum(-1, keepdim=True)

def wrong__11_d3pm_posterior__prior_only(x_t, x0, t, Q):
    """the first factor forgotten"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return b

def wrong__11_d3pm_posterior__first_pair(x_t, x0, t, Q):
    """the first sample's pair for all"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0[:1]].expand_as(a)
    now = (a * b).sum(-1)
    return a * b / now[..., None]

def wrong__11_d3pm_posterior__states_first(x_t, x0, t, Q):
    """states on the first axis"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return (a * b / now[..., None]).movedim(-1, 0)

def wrong__11_d3pm_posterior__joint_given_x0(x_t, x0, t, Q):
    """q(x_{t-1} | x_0) times the whole matrix: (..., K, K)"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return b[..., :, None] * Q[t - 1]

def wrong__11_d3pm_posterior__forward_next(x_t, x0, t, Q):
    """q(x_{t+1}): b @ Q"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return b @ Q[t - 1]

def wrong__11_d3pm_posterior__t_from_zero(x_t, x0, t, Q):
    """t counted from 0: Q[t] and product of t"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(min(t, len(Q) - 1)):
        before = before @ Q[i]
    a = Q[min(t, len(Q) - 1)].T[x_t]
    b = before[x0]
    now = (before @ Q[min(t, len(Q) - 1)])[x0, x_t]
    return a * b / now[..., None]

def wrong__11_d3pm_posterior__Q_bar_given(x_t, x0, t, Q):
    """takes Q for Q-bar: Q[t-2][x0]"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = (Q[t - 2] if t > 1 else before)[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / (a * b).sum(-1, keepdim=True)

def wrong__11_d3pm_posterior__visible_special(x_t, x0, t, Q):
    """a visible token stays for sure (as with masks)"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    post = a * b / now[..., None]
    return torch.where((x_t == x0)[..., None], F.one_hot(x0, Q.shape[-1]).to(Q.dtype), post)

def wrong__11_d3pm_posterior__mean_of_factors(x_t, x0, t, Q):
    """geometric mean (root)"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return (a * b).sqrt() / (a * b).sqrt().sum(-1, keepdim=True)

def wrong__11_d3pm_posterior__nan_to_uniform_rounded(x_t, x0, t, Q):
    """rounded to 4 decimals"""
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return (a * b / now[..., None] * 1e4).round() / 1e4

def wrong__11_d3pm_posterior__one_token(x_t, x0, t, Q):
    """only the first token of a row (x[:, 0])"""
    x_t, x0 = x_t[:, :1], x0[:, :1]
    before = torch.eye(Q.shape[-1], dtype=Q.dtype)
    for i in range(t - 1):
        before = before @ Q[i]
    a = Q[t - 1].T[x_t]
    b = before[x0]
    now = (before @ Q[t - 1])[x0, x_t]
    return a * b / now[..., None]


def wrong__11_masked_loss__row_by_row(model, x0, t, u, K):
    """The model is called once a sample, where the text says once."""
    nats = []
    for i in range(len(x0)):
        x = torch.where(u[i : i + 1] < 1 - t[i], x0[i : i + 1], K)
        logs = model(x).log_softmax(-1).gather(-1, x0[i : i + 1].unsqueeze(-1)).squeeze(-1)
        nats.append(-torch.where(x == K, logs, 0).sum() / t[i])
    return torch.stack(nats)
