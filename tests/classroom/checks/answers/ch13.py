"""Answers of (imagined) students to the exercises of chapter 13. The name tells exercise and verdict."""

import math

import numpy as np
import torch
from torch.nn import functional as F


def right__13_caption_dropout__mine(tokens, u, p, empty):
    """cold"""
    return torch.where((u < p)[:, None], empty, tokens)


def right__13_text_help__mine(draw, met, labels, noise, no_text):
    """cold"""
    told = met(draw(labels, noise), labels)
    untold = met(draw(torch.full_like(labels, no_text), noise), labels)
    d = told - untold
    help = d.mean()
    half = 1.96 * d.std() / len(d) ** 0.5
    return help, help - half, help + half


def right__13_clip_guidance_gradient__mine(D, image, text, x, sigma):
    """cold"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        f = image(D(x, sigma))
        c = F.cosine_similarity(f, text, dim=1).sum()
        return torch.autograd.grad(c, x)[0]


def right__13_lora__mine(x, y, weight, z, alpha, lr, num_steps):
    """cold"""
    r = len(z)
    A, B = z, torch.zeros(len(weight), r, dtype=z.dtype, device=z.device)
    path = [weight + alpha / r * B @ A]
    for _ in range(num_steps):
        G = 2 / y.numel() * (x @ path[-1].T - y).T @ x
        A, B = A - lr * alpha / r * B.T @ G, B - lr * alpha / r * G @ A.T
        path.append(weight + alpha / r * B @ A)
    return torch.stack(path)


def right__13_control_block__mine(x, hint, y, theta, lr, num_steps):
    """cold"""
    d, h = len(theta), hint.shape[1]
    with torch.enable_grad():
        Z1 = torch.zeros(d, h, dtype=x.dtype, device=x.device, requires_grad=True)
        Z2 = torch.zeros(d, d, dtype=x.dtype, device=x.device, requires_grad=True)
        tc = theta.detach().clone().requires_grad_()

        def answer():
            return torch.tanh(x @ theta.T) + torch.tanh((x + hint @ Z1.T) @ tc.T) @ Z2.T

        out = []
        for k in range(num_steps + 1):
            a = answer()
            out.append(a.detach())
            if k == num_steps:
                break
            grads = torch.autograd.grad((a - y).square().mean(), [Z1, tc, Z2])
            with torch.no_grad():
                for w, g in zip((Z1, tc, Z2), grads):
                    w -= lr * g
    return torch.stack(out)


# untidy but right

def right__13_caption_dropout__loop_clone(tokens, u, p, empty):
    """loop over samples on a clone"""
    out = tokens.clone()
    for i in range(tokens.shape[0]):
        if u[i].item() < p:
            out[i, :] = empty
    return out


def right__13_caption_dropout__arith(tokens, u, p, empty):
    """integer arithmetic with the mask"""
    keep = (u >= p).to(tokens.dtype).reshape(-1, 1)
    return keep * tokens + (1 - keep) * empty.reshape(1, -1)


def right__13_caption_dropout__mask_assign(tokens, u, p, empty):
    """boolean indexing"""
    t = tokens.clone()
    t[u < p] = empty
    return t


def right__13_text_help__loop_std(draw, met, labels, noise, no_text):
    """std by hand with numpy-like sums; torch.tensor out"""
    n = labels.shape[0]
    b = met(draw(labels * 0 + no_text, noise), labels)
    a = met(draw(labels, noise), labels)
    d = (a - b).double()
    m = d.sum() / n
    s2 = sum((di - m) ** 2 for di in d) / (n - 1)
    e = 1.96 * torch.sqrt(s2) / math.sqrt(n)
    return [m, m - e, m + e]


def right__13_text_help__clones(draw, met, labels, noise, no_text):
    """clones of everything, a tuple with numpy in between"""
    nothing = torch.empty_like(labels).fill_(no_text)
    a = met(draw(labels.clone(), noise.clone()), labels.clone())
    b = met(draw(nothing, noise.clone()), labels.clone())
    d = a - b
    d2 = d.cpu().numpy()
    half = 1.96 * np.std(d2, ddof=1) / np.sqrt(d2.size)
    return d.mean(), d.mean() - float(half), d.mean() + float(half)


def wrong__13_clip_guidance_gradient__byhand(D, image, text, x, sigma):
    """the right numbers, by backward, which fills the .grad of the argument text as well"""
    with torch.enable_grad():
        xx = x.detach().clone()
        xx.requires_grad = True
        f = image(D(xx, sigma))
        c = torch.einsum("be,be->b", f, text) / (f.pow(2).sum(1).sqrt() * text.norm(dim=1))
        c.sum().backward()
    return xx.grad


def right__13_clip_guidance_gradient__normalize(D, image, text, x, sigma):
    """F.normalize, matrix of cosines and its trace"""
    with torch.enable_grad():
        x1 = x.detach().requires_grad_()
        f = F.normalize(image(D(x1, sigma)), dim=-1)
        g = F.normalize(text, dim=-1)
        (grad,) = torch.autograd.grad((f @ g.T).diagonal().sum(), x1)
    return grad


def right__13_clip_guidance_gradient__vjp(D, image, text, x, sigma):
    """two factors by the chain rule: the gradient at the guess, then the Jacobian's transpose times it"""
    with torch.enable_grad():
        x1 = x.detach().requires_grad_(True)
        guess = D(x1, sigma)
        g0 = guess.detach().requires_grad_(True)
        c = torch.cosine_similarity(image(g0), text)
        inner = torch.autograd.grad(c, g0, torch.ones_like(c))[0]
        return torch.autograd.grad(guess, x1, inner)[0].clone()


def right__13_lora__autograd(x, y, weight, z, alpha, lr, num_steps):
    """torch.optim.SGD"""
    with torch.enable_grad():
        A = torch.nn.Parameter(z.clone())
        B = torch.nn.Parameter(torch.zeros(weight.shape[0], z.shape[0]).to(z))
        opt = torch.optim.SGD([A, B], lr=lr)
        W = []
        for i in range(num_steps):
            whole = weight + alpha / z.shape[0] * (B @ A)
            W.append(whole.detach().clone())
            loss = F.mse_loss(x @ whole.T, y)
            opt.zero_grad()
            loss.backward()
            opt.step()
        W.append((weight + alpha / z.shape[0] * (B @ A)).detach())
    return torch.stack(W)


def right__13_lora__einsum(x, y, weight, z, alpha, lr, num_steps):
    """preallocated, einsum, LoRA branch kept apart"""
    n, dout = y.shape
    r = z.size(0)
    s = alpha / r
    A = z.clone()
    B = z.new_zeros(dout, r)
    out = weight.new_empty(num_steps + 1, *weight.shape)
    out[0] = weight
    for k in range(1, num_steps + 1):
        pred = x @ weight.T + s * ((x @ A.T) @ B.T)
        G = torch.einsum("no,ni->oi", pred - y, x) * 2 / (n * dout)
        gA = s * torch.einsum("or,oi->ri", B, G)
        gB = s * torch.einsum("oi,ri->or", G, A)
        A -= lr * gA
        B -= lr * gB
        out[k] = weight + s * B.mm(A)
    return out


def right__13_control_block__hand(x, hint, y, theta, lr, num_steps):
    """gradients by hand"""
    n, d = y.shape
    Z1 = x.new_zeros(d, hint.shape[1])
    Z2 = x.new_zeros(d, d)
    tc = theta.clone()
    base = torch.tanh(x @ theta.T)
    ys = []
    for k in range(num_steps + 1):
        inp = x + hint @ Z1.T
        h = torch.tanh(inp @ tc.T)
        a = base + h @ Z2.T
        ys.append(a)
        e = 2 * (a - y) / (n * d)
        gZ2 = e.T @ h
        da = (e @ Z2) * (1 - h**2)
        gtc = da.T @ inp
        gZ1 = (da @ tc).T @ hint
        Z1 = Z1 - lr * gZ1
        Z2 = Z2 - lr * gZ2
        tc = tc - lr * gtc
    return torch.stack(ys)


def wrong__13_control_block__sgd(x, hint, y, theta, lr, num_steps):
    """the right numbers, but new layers draw from torch's global random state"""
    d, h = theta.shape[0], hint.shape[1]
    with torch.enable_grad():
        z1 = torch.nn.Linear(h, d, bias=False).to(x)
        z2 = torch.nn.Linear(d, d, bias=False).to(x)
        f = torch.nn.Linear(d, d, bias=False).to(x)
        with torch.no_grad():
            z1.weight.zero_()
            z2.weight.zero_()
            f.weight.copy_(theta)
        opt = torch.optim.SGD([*z1.parameters(), *z2.parameters(), *f.parameters()], lr=lr)
        outs = []
        for k in range(num_steps + 1):
            a = torch.tanh(F.linear(x, theta)) + z2(torch.tanh(f(x + z1(hint))))
            outs.append(a.detach().clone())
            opt.zero_grad()
            ((a - y) ** 2).mean().backward()
            opt.step()
        return torch.stack(outs)


def right__13_text_help__var_mended(draw, met, labels, noise, no_text):
    """as __var, unbound"""
    a = met(draw(labels, noise), labels)
    b = met(draw(torch.tensor([no_text] * len(labels), device=labels.device), noise), labels)
    n = len(a)
    am, bm = a.mean(), b.mean()
    var = a.var() + b.var() - 2 * ((a - am) * (b - bm)).sum() / (n - 1)
    half = 1.96 * (var.clamp(min=0) / n) ** 0.5
    return torch.stack([am - bm, am - bm - half, am - bm + half]).unbind()


def right__13_clip_guidance_gradient__byhand_mended(D, image, text, x, sigma):
    """as __byhand, text detached"""
    with torch.enable_grad():
        xx = x.detach().clone()
        xx.requires_grad = True
        f = image(D(xx, sigma))
        g = text.detach()
        c = torch.einsum("be,be->b", f, g) / (f.pow(2).sum(1).sqrt() * g.norm(dim=1))
        c.sum().backward()
    return xx.grad


def right__13_control_block__sgd_mended(x, hint, y, theta, lr, num_steps):
    """Parameters and SGD"""
    d, h = theta.shape[0], hint.shape[1]
    with torch.enable_grad():
        z1 = torch.nn.Parameter(torch.zeros(d, h).to(x))
        z2 = torch.nn.Parameter(torch.zeros(d, d).to(x))
        tc = torch.nn.Parameter(theta.clone())
        opt = torch.optim.SGD([z1, z2, tc], lr=lr)
        outs = []
        for k in range(num_steps + 1):
            a = torch.tanh(F.linear(x, theta)) + F.linear(torch.tanh(F.linear(x + F.linear(hint, z1), tc)), z2)
            outs.append(a.detach().clone())
            opt.zero_grad()
            ((a - y) ** 2).mean().backward()
            opt.step()
        return torch.stack(outs)
def right__13_caption_dropout__single(tokens, u, p, empty):
    """numpy-like: stack of rows"""
    return torch.stack([empty.clone() if float(u[i]) < float(p) else tokens[i] for i in range(len(tokens))])


def right__13_control_block__no_transposes(x, hint, y, theta, lr, num_steps):
    """all three weights stored transposed: the same answers"""
    with torch.enable_grad():
        P = [x.new_zeros(hint.shape[1], len(theta)), theta.detach().T.clone(), x.new_zeros(theta.shape)]
        P = [p.requires_grad_() for p in P]
        out = []
        for k in range(num_steps + 1):
            a = torch.tanh(x @ theta.mT) + torch.tanh((x + hint @ P[0]) @ P[1]) @ P[2]
            out.append(a)
            g = torch.autograd.grad((a - y).pow(2).mean(), P)
            P = [(p - lr * v).detach().requires_grad_() for p, v in zip(P, g)]
        return torch.stack(out).detach()


def right__13_lora__recursion_cat(x, y, weight, z, alpha, lr, num_steps):
    """functional step, torch.cat"""
    s = alpha / z.shape[0]
    A, B, out = z, torch.zeros_like(weight)[:, :1].repeat(1, len(z)), weight[None]
    for _ in range(num_steps):
        R = x @ (weight + s * B @ A).T - y
        G = 2 * R.T @ x / (R.shape[0] * R.shape[1])
        A, B = A - lr * s * (B.T @ G), B - lr * s * (G @ A.T)
        out = torch.cat([out, (weight + s * B @ A)[None]])
    return out


def right__13_text_help__means(draw, met, labels, noise, no_text):
    """two calls, labels by new_full, std via numpy-like mean of squares"""
    a = met(draw(labels, noise), labels)
    b = met(draw(labels.new_full(labels.shape, no_text), noise), labels)
    n = a.numel()
    h = (a - b).sum() / n
    s = (((a - b - h) ** 2).sum() / (n - 1)) ** 0.5
    e = torch.as_tensor(1.96, dtype=s.dtype) * s / n**0.5
    return (h, h - e, h + e)


# ---------------------------------------------------------------- caption_dropout

def wrong__13_caption_dropout__greater(tokens, u, p, empty):
    """drops where u > p: keeps only a share p"""
    return torch.where((u > p)[:, None], empty, tokens)
def wrong__13_caption_dropout__swapped_where(tokens, u, p, empty):
    """arguments of where swapped"""
    return torch.where((u < p)[:, None], tokens, empty)
def wrong__13_caption_dropout__le(tokens, u, p, empty):
    """<= for <"""
    return torch.where((u <= p)[:, None], empty, tokens)
def wrong__13_caption_dropout__word_by_word(tokens, u, p, empty):
    """word by word, with random numbers of its own"""
    return torch.where(torch.rand(tokens.shape) < p, empty, tokens)
def wrong__13_caption_dropout__own_u(tokens, u, p, empty):
    """ignores u, draws its own"""
    return torch.where(torch.rand(len(tokens))[:, None] < p, empty, tokens)
def wrong__13_caption_dropout__zeros(tokens, u, p, empty):
    """zeros in place of what empty holds"""
    return tokens * (u >= p)[:, None]
def wrong__13_caption_dropout__in_place(tokens, u, p, empty):
    """changes the argument"""
    tokens[u < p] = empty
    return tokens
def wrong__13_caption_dropout__floats(tokens, u, p, empty):
    """float result"""
    k = (u < p).to(u.dtype)[:, None]
    return k * empty + (1 - k) * tokens
def wrong__13_caption_dropout__axis(tokens, u, p, empty):
    """mask along the words' axis"""
    return torch.where((u < p)[None, :], empty, tokens)
def wrong__13_caption_dropout__no_unsqueeze(tokens, u, p, empty):
    """forgot the axis"""
    return torch.where(u < p, empty, tokens)
def wrong__13_caption_dropout__removed(tokens, u, p, empty):
    """rows are removed"""
    return tokens[u >= p]
def wrong__13_caption_dropout__mask(tokens, u, p, empty):
    """returns the mask"""
    return (u < p)[:, None].expand_as(tokens)
def wrong__13_caption_dropout__batch_mean(tokens, u, p, empty):
    """one decision for the whole batch"""
    return empty.expand_as(tokens).clone() if u.mean() < p else tokens.clone()
def wrong__13_caption_dropout__exact_share(tokens, u, p, empty):
    """exactly the share p of the batch is dropped, those of smallest u"""
    out = tokens.clone()
    out[u.argsort()[: round(p * len(u))]] = empty
    return out
def wrong__13_caption_dropout__first_token(tokens, u, p, empty):
    """only the first token is replaced"""
    out = tokens.clone()
    out[u < p, 0] = empty[0]
    return out
def wrong__13_caption_dropout__filled_empty0(tokens, u, p, empty):
    """all tokens become empty[0]"""
    return torch.where((u < p)[:, None], empty[0], tokens)
def wrong__13_caption_dropout__printed(tokens, u, p, empty):
    """printed instead of returned"""
    print(torch.where((u < p)[:, None], empty, tokens).shape)
def wrong__13_caption_dropout__forgot_one_minus(tokens, u, p, empty):
    """dropped captions: tokens + empty"""
    return tokens + (u < p)[:, None] * empty
def wrong__13_caption_dropout__padding_kept(tokens, u, p, empty):
    """tokens that are 0 (padding) stay"""
    return torch.where((u < p)[:, None] & (tokens != 0), empty, tokens)
def wrong__13_caption_dropout__fixed_p(tokens, u, p, empty):
    """p is 0.1 always"""
    return torch.where((u < 0.1)[:, None], empty, tokens)
def wrong__13_caption_dropout__squeeze(tokens, u, p, empty):
    """loses the batch axis for one sample"""
    return torch.where((u < p)[:, None], empty, tokens).squeeze(0)
def wrong__13_caption_dropout__expand_write(tokens, u, p, empty):
    """writes into a copy of empty that is tiled, but rows of kept ones shifted: keeps the first k captions, not those u selects"""
    keep = u >= p
    out = empty.repeat(len(tokens), 1)
    out[keep] = tokens[: int(keep.sum())]
    return out
def wrong__13_caption_dropout__list(tokens, u, p, empty):
    """a list of rows"""
    return [empty if a < p else t for a, t in zip(u, tokens)]
def wrong__13_caption_dropout__min_one_kept(tokens, u, p, empty):
    """never drops all of the batch: if all fall, the first stays"""
    m = u < p
    if m.all():
        m = m.clone(); m[0] = False
    return torch.where(m[:, None], empty, tokens)

# ---------------------------------------------------------------- text_help

def _pair(draw, met, labels, noise, no_text):
    a = met(draw(labels, noise), labels)
    b = met(draw(torch.full_like(labels, no_text), noise), labels)
    return a, b
def _out(d):
    h = 1.96 * d.std() / len(d) ** 0.5
    return d.mean(), d.mean() - h, d.mean() + h

def wrong__13_text_help__biased(draw, met, labels, noise, no_text):
    """s divides by n"""
    a, b = _pair(draw, met, labels, noise, no_text); d = a - b
    h = 1.96 * d.std(unbiased=False) / len(d) ** 0.5
    return d.mean(), d.mean() - h, d.mean() + h
def wrong__13_text_help__independent(draw, met, labels, noise, no_text):
    """interval of two independent groups"""
    a, b = _pair(draw, met, labels, noise, no_text); d = a - b
    h = 1.96 * ((a.var() + b.var()) / len(d)) ** 0.5
    return d.mean(), d.mean() - h, d.mean() + h
def wrong__13_text_help__no_sqrt_n(draw, met, labels, noise, no_text):
    """s not divided by root n"""
    a, b = _pair(draw, met, labels, noise, no_text); d = a - b
    h = 1.96 * d.std()
    return d.mean(), d.mean() - h, d.mean() + h
def wrong__13_text_help__over_n(draw, met, labels, noise, no_text):
    """divided by n, not its root"""
    a, b = _pair(draw, met, labels, noise, no_text); d = a - b
    h = 1.96 * d.std() / len(d)
    return d.mean(), d.mean() - h, d.mean() + h
def wrong__13_text_help__root_n_minus_1(draw, met, labels, noise, no_text):
    """s with n-1 and root of n-1 again"""
    a, b = _pair(draw, met, labels, noise, no_text); d = a - b
    h = 1.96 * d.std() / (len(d) - 1) ** 0.5
    return d.mean(), d.mean() - h, d.mean() + h
def wrong__13_text_help__met_no_text(draw, met, labels, noise, no_text):
    """untold samples are marked by the empty caption"""
    no = torch.full_like(labels, no_text)
    return _out(met(draw(labels, noise), labels) - met(draw(no, noise), no))
def wrong__13_text_help__other_noise(draw, met, labels, noise, no_text):
    """untold samples from new noise"""
    no = torch.full_like(labels, no_text)
    return _out(met(draw(labels, noise), labels) - met(draw(no, torch.randn_like(noise)), labels))
def wrong__13_text_help__flipped_noise(draw, met, labels, noise, no_text):
    """untold samples from the same noises in another order"""
    no = torch.full_like(labels, no_text)
    return _out(met(draw(labels, noise), labels) - met(draw(no, noise.flip(0)), labels))
def wrong__13_text_help__sign(draw, met, labels, noise, no_text):
    """untold minus told"""
    a, b = _pair(draw, met, labels, noise, no_text)
    return _out(b - a)
def wrong__13_text_help__told_only(draw, met, labels, noise, no_text):
    """share of the told, no baseline"""
    return _out(met(draw(labels, noise), labels))
def wrong__13_text_help__order(draw, met, labels, noise, no_text):
    """low, help, high"""
    a, b = _pair(draw, met, labels, noise, no_text)
    h, l, u = _out(a - b)
    return l, h, u
def wrong__13_text_help__half_widths(draw, met, labels, noise, no_text):
    """help, and twice the half width"""
    a, b = _pair(draw, met, labels, noise, no_text)
    h, l, u = _out(a - b)
    return h, u - h, u - h
def wrong__13_text_help__two(draw, met, labels, noise, no_text):
    """2 for 1.96"""
    a, b = _pair(draw, met, labels, noise, no_text); d = a - b
    h = 2 * d.std() / len(d) ** 0.5
    return d.mean(), d.mean() - h, d.mean() + h
def wrong__13_text_help__one_sided(draw, met, labels, noise, no_text):
    """1.645, the 90 % interval"""
    a, b = _pair(draw, met, labels, noise, no_text); d = a - b
    h = 1.645 * d.std() / len(d) ** 0.5
    return d.mean(), d.mean() - h, d.mean() + h
def wrong__13_text_help__no_factor(draw, met, labels, noise, no_text):
    """one standard error, no 1.96"""
    a, b = _pair(draw, met, labels, noise, no_text); d = a - b
    h = d.std() / len(d) ** 0.5
    return d.mean(), d.mean() - h, d.mean() + h
def wrong__13_text_help__binomial(draw, met, labels, noise, no_text):
    """root of help (1 - help) / n"""
    a, b = _pair(draw, met, labels, noise, no_text); m = (a - b).mean()
    h = 1.96 * (m * (1 - m)).abs().sqrt() / len(a) ** 0.5
    return m, m - h, m + h
def wrong__13_text_help__clamped(draw, met, labels, noise, no_text):
    """ends clamped to [-1, 1]"""
    a, b = _pair(draw, met, labels, noise, no_text)
    h, l, u = _out(a - b)
    return h, l.clamp(min=-1), u.clamp(max=1)
def wrong__13_text_help__low_at_zero(draw, met, labels, noise, no_text):
    """low end not below zero"""
    a, b = _pair(draw, met, labels, noise, no_text)
    h, l, u = _out(a - b)
    return h, l.clamp(min=0), u
def wrong__13_text_help__floats(draw, met, labels, noise, no_text):
    """Python floats, not tensors"""
    a, b = _pair(draw, met, labels, noise, no_text)
    return tuple(v.item() for v in _out(a - b))
def wrong__13_text_help__labels_in_place(draw, met, labels, noise, no_text):
    """overwrites labels"""
    a = met(draw(labels, noise), labels)
    keep = labels.clone()
    labels[:] = no_text
    return _out(a - met(draw(labels, noise), keep))
def wrong__13_text_help__labels_in_place_aliased(draw, met, labels, noise, no_text):
    """no = labels; no[:] = no_text: marks are against no_text too"""
    a = met(draw(labels, noise), labels)
    no = labels
    no[:] = no_text
    return _out(a - met(draw(no, noise), labels))
def wrong__13_text_help__variance(draw, met, labels, noise, no_text):
    """s squared for s"""
    a, b = _pair(draw, met, labels, noise, no_text); d = a - b
    h = 1.96 * d.var() / len(d) ** 0.5
    return d.mean(), d.mean() - h, d.mean() + h
def wrong__13_text_help__absolute(draw, met, labels, noise, no_text):
    """mean of |d|"""
    a, b = _pair(draw, met, labels, noise, no_text)
    return _out((a - b).abs())
def wrong__13_text_help__std_told(draw, met, labels, noise, no_text):
    """s of the told marks"""
    a, b = _pair(draw, met, labels, noise, no_text); m = (a - b).mean()
    h = 1.96 * a.std() / len(a) ** 0.5
    return m, m - h, m + h
def wrong__13_text_help__changed_only(draw, met, labels, noise, no_text):
    """over the pairs that differ"""
    a, b = _pair(draw, met, labels, noise, no_text); d = a - b
    d = d[d != 0] if (d != 0).sum() > 1 else d
    return _out(d)
def wrong__13_text_help__float32(draw, met, labels, noise, no_text):
    """float32 inside"""
    a, b = _pair(draw, met, labels, noise, no_text)
    return tuple(v.to(a.dtype) for v in _out((a - b).float()))
def wrong__13_text_help__fixed_90(draw, met, labels, noise, no_text):
    """the number 90 for no_text"""
    return _out(torch.sub(*_pair(draw, met, labels, noise, 90)))
def wrong__13_text_help__zero_label(draw, met, labels, noise, no_text):
    """zeros for no_text"""
    return _out(torch.sub(*_pair(draw, met, labels, noise, 0)))
def wrong__13_text_help__negative(draw, met, labels, noise, no_text):
    """only gains counted: d clamped at 0"""
    a, b = _pair(draw, met, labels, noise, no_text)
    return _out((a - b).clamp(min=0))
def wrong__13_text_help__n_numel(draw, met, labels, noise, no_text):
    """n = all numbers of the noise"""
    a, b = _pair(draw, met, labels, noise, no_text); d = a - b
    h = 1.96 * d.std() / noise.numel() ** 0.5
    return d.mean(), d.mean() - h, d.mean() + h
def wrong__13_text_help__list_labels(draw, met, labels, noise, no_text):
    """hands draw a list for the labels"""
    b = met(draw([no_text] * len(labels), noise), labels)
    return _out(met(draw(labels, noise), labels) - b)
def wrong__13_text_help__swapped_args(draw, met, labels, noise, no_text):
    """met(labels, images)"""
    no = torch.full_like(labels, no_text)
    return _out(met(labels, draw(labels, noise)) - met(labels, draw(no, noise)))
def wrong__13_text_help__sorted_pairs(draw, met, labels, noise, no_text):
    """pairs not kept: marks sorted before the difference"""
    a, b = _pair(draw, met, labels, noise, no_text)
    return _out(a.sort().values - b.sort().values)
def wrong__13_text_help__student(draw, met, labels, noise, no_text):
    """Student's quantile 2.26 (ten pairs)"""
    a, b = _pair(draw, met, labels, noise, no_text); d = a - b
    h = 2.26 * d.std() / len(d) ** 0.5
    return d.mean(), d.mean() - h, d.mean() + h

# ---------------------------------------------------------------- clip_guidance_gradient

def _grad(loss, x):
    return torch.autograd.grad(loss, x)[0]

def wrong__13_clip_guidance_gradient__minus(D, image, text, x, sigma):
    """minus the gradient"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(-F.cosine_similarity(image(D(x, sigma)), text).sum(), x)
def wrong__13_clip_guidance_gradient__dot(D, image, text, x, sigma):
    """no division by the lengths"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad((image(D(x, sigma)) * text).sum(), x)
def wrong__13_clip_guidance_gradient__only_f(D, image, text, x, sigma):
    """only |f| divides"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad((F.normalize(image(D(x, sigma)), dim=1) * text).sum(), x)
def wrong__13_clip_guidance_gradient__only_g(D, image, text, x, sigma):
    """only |g| divides"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad((image(D(x, sigma)) * F.normalize(text, dim=1)).sum(), x)
def wrong__13_clip_guidance_gradient__no_jacobian(D, image, text, x, sigma):
    """gradient at the guess"""
    with torch.enable_grad():
        x0 = D(x, sigma).detach().requires_grad_()
        return _grad(F.cosine_similarity(image(x0), text).sum(), x0)
def wrong__13_clip_guidance_gradient__mean(D, image, text, x, sigma):
    """mean over the batch"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(D(x, sigma)), text).mean(), x)
def wrong__13_clip_guidance_gradient__no_enable(D, image, text, x, sigma):
    """no enable_grad"""
    x = x.detach().requires_grad_()
    return _grad(F.cosine_similarity(image(D(x, sigma)), text).sum(), x)
def wrong__13_clip_guidance_gradient__all_pairs(D, image, text, x, sigma):
    """sum over all pairs of images and texts"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad((F.normalize(image(D(x, sigma)), dim=1) @ F.normalize(text, dim=1).T).sum(), x)
def wrong__13_clip_guidance_gradient__sigma2(D, image, text, x, sigma):
    """times sigma squared"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return sigma**2 * _grad(F.cosine_similarity(image(D(x, sigma)), text).sum(), x)
def wrong__13_clip_guidance_gradient__detached(D, image, text, x, sigma):
    """D's answer detached"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(D(x, sigma).detach()), text).sum(), x)
def wrong__13_clip_guidance_gradient__in_place(D, image, text, x, sigma):
    """x.requires_grad_() on the argument"""
    with torch.enable_grad():
        x.requires_grad_()
        return _grad(F.cosine_similarity(image(D(x, sigma)), text).sum(), x)
def wrong__13_clip_guidance_gradient__squared(D, image, text, x, sigma):
    """gradient of the squared cosine"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(D(x, sigma)), text).square().sum(), x)
def wrong__13_clip_guidance_gradient__norm_detached(D, image, text, x, sigma):
    """|f| detached"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        f = image(D(x, sigma))
        f = f / f.norm(dim=1, keepdim=True).detach()
        return _grad((f * F.normalize(text, dim=1)).sum(), x)
def wrong__13_clip_guidance_gradient__whole_norm(D, image, text, x, sigma):
    """lengths over the whole batch"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        f = image(D(x, sigma))
        return _grad((f * text).sum() / (f.norm() * text.norm()), x)
def wrong__13_clip_guidance_gradient__dim0(D, image, text, x, sigma):
    """cosine along the batch axis"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(D(x, sigma)), text, dim=0).sum(), x)
def wrong__13_clip_guidance_gradient__unit(D, image, text, x, sigma):
    """gradient scaled to length 1"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        g = _grad(F.cosine_similarity(image(D(x, sigma)), text).sum(), x)
    return g / g.flatten(1).norm(dim=1).view(-1, *[1] * (g.ndim - 1))
def wrong__13_clip_guidance_gradient__twice(D, image, text, x, sigma):
    """calls D twice (once to look at the shape)"""
    x0 = D(x, sigma)
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(D(x, sigma)), text).sum(), x).view(x0.shape)
def wrong__13_clip_guidance_gradient__swapped(D, image, text, x, sigma):
    """D(sigma, x)"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(D(sigma, x)), text).sum(), x)
def wrong__13_clip_guidance_gradient__cosine(D, image, text, x, sigma):
    """returns the cosine"""
    return F.cosine_similarity(image(D(x, sigma)), text)
def wrong__13_clip_guidance_gradient__angle(D, image, text, x, sigma):
    """gradient of minus the angle"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(-torch.acos(F.cosine_similarity(image(D(x, sigma)), text)).sum(), x)
def wrong__13_clip_guidance_gradient__first_text(D, image, text, x, sigma):
    """the first text for all"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(D(x, sigma)), text[:1]).sum(), x)
def wrong__13_clip_guidance_gradient__eps(D, image, text, x, sigma):
    """a large eps in the lengths, wrong for short vectors"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(D(x, sigma)), text, eps=0.1).sum(), x)
def wrong__13_clip_guidance_gradient__plus_eps(D, image, text, x, sigma):
    """1e-3 added to the product of lengths"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        f = image(D(x, sigma))
        return _grad(((f * text).sum(1) / (f.norm(dim=1) * text.norm(dim=1) + 1e-3)).sum(), x)
def wrong__13_clip_guidance_gradient__float32(D, image, text, x, sigma):
    """float32 inside: the features are cast"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(D(x, sigma)).float(), text.float()).sum(), x)
def wrong__13_clip_guidance_gradient__distance(D, image, text, x, sigma):
    """minus half the squared distance of the raw vectors"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(-(image(D(x, sigma)) - text).square().sum() / 2, x)
def wrong__13_clip_guidance_gradient__moved_x(D, image, text, x, sigma):
    """returns x + gradient"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return (x + _grad(F.cosine_similarity(image(D(x, sigma)), text).sum(), x)).detach()
def wrong__13_clip_guidance_gradient__no_D(D, image, text, x, sigma):
    """image(x), D not used"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(x), text).sum(), x)
def wrong__13_clip_guidance_gradient__global_grad(D, image, text, x, sigma):
    """torch.set_grad_enabled(True) left on"""
    torch.set_grad_enabled(True)
    x = x.detach().requires_grad_()
    return _grad(F.cosine_similarity(image(D(x, sigma)), text).sum(), x)
def wrong__13_clip_guidance_gradient__first_only(D, image, text, x, sigma):
    """gradient of the first sample's cosine only"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(D(x, sigma)), text)[0], x)
def wrong__13_clip_guidance_gradient__contrastive(D, image, text, x, sigma):
    """log softmax over the batch's texts"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        c = F.normalize(image(D(x, sigma)), dim=1) @ F.normalize(text, dim=1).T
        return _grad(torch.log_softmax(c, 1).diagonal().sum(), x)
def wrong__13_clip_guidance_gradient__jvp(D, image, text, x, sigma):
    """Jacobian not transposed"""
    with torch.enable_grad():
        x1 = x.detach().requires_grad_()
        guess = D(x1, sigma)
        g0 = guess.detach().requires_grad_()
        inner = _grad(F.cosine_similarity(image(g0), text).sum(), g0)
        v = torch.zeros_like(guess).requires_grad_()
        back = torch.autograd.grad(guess, x1, v, create_graph=True)[0]
        return torch.autograd.grad(back, v, inner)[0]
def wrong__13_clip_guidance_gradient__squeeze(D, image, text, x, sigma):
    """features squeezed: for one sample of E features the axes are gone"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        f, g = image(D(x, sigma)).squeeze(), text.squeeze()
        c = F.cosine_similarity(f, g, dim=0 if f.ndim == 1 else 1).sum()
        return _grad(c, x).squeeze(0)
def wrong__13_clip_guidance_gradient__tensor_cos(D, image, text, x, sigma):
    """cosines of each feature with the mean text of the batch"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(D(x, sigma)), text.mean(0, keepdim=True)).sum(), x)
def right__13_clip_guidance_gradient__loop(D, image, text, x, sigma):
    """calls D and image for each sample"""
    out = []
    with torch.enable_grad():
        for a, t in zip(x, text):
            a = a[None].detach().requires_grad_()
            out.append(_grad(F.cosine_similarity(image(D(a, sigma)), t[None]).sum(), a))
    return torch.cat(out)

# ---------------------------------------------------------------- lora

def _lora(x, y, weight, z, alpha, lr, num_steps, scale=None, grad_scale=None, gfac=None, seq=None, sign=1, B0=None, A0=None, at_old=False):
    r = z.shape[0]
    s = alpha / r if scale is None else scale
    t = s if grad_scale is None else grad_scale
    A = (z if A0 is None else A0).clone()
    B = z.new_zeros(weight.shape[0], r) if B0 is None else B0.clone()
    k = 2 / y.numel() if gfac is None else gfac
    out = [weight + s * B @ A]
    for _ in range(num_steps):
        W = weight if at_old else out[-1]
        G = k * (x @ W.T - y).T @ x
        if seq == "A":
            A = A - sign * lr * t * B.T @ G
            B = B - sign * lr * t * G @ A.T
        elif seq == "B":
            B = B - sign * lr * t * G @ A.T
            A = A - sign * lr * t * B.T @ G
        else:
            A, B = A - sign * lr * t * B.T @ G, B - sign * lr * t * G @ A.T
        out.append(weight + s * B @ A)
    return torch.stack(out)

def wrong__13_lora__both_zero(x, y, weight, z, alpha, lr, num_steps):
    """A zero too"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, A0=torch.zeros_like(z))
def wrong__13_lora__no_scale(x, y, weight, z, alpha, lr, num_steps):
    """no alpha / r"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, scale=1.0)
def wrong__13_lora__alpha_only(x, y, weight, z, alpha, lr, num_steps):
    """alpha, not divided by r"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, scale=alpha)
def wrong__13_lora__scale_not_in_grad(x, y, weight, z, alpha, lr, num_steps):
    """alpha / r missing in the gradients"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, grad_scale=1.0)
def wrong__13_lora__scale_not_in_weight(x, y, weight, z, alpha, lr, num_steps):
    """alpha / r missing in the returned and used weight"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, scale=1.0, grad_scale=alpha / len(z))
def wrong__13_lora__r_is_d_in(x, y, weight, z, alpha, lr, num_steps):
    """r = z.shape[1]"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, scale=alpha / z.shape[1])
def wrong__13_lora__A_first(x, y, weight, z, alpha, lr, num_steps):
    """gradient of B at the new A"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, seq="A")
def wrong__13_lora__B_first(x, y, weight, z, alpha, lr, num_steps):
    """gradient of A at the new B"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, seq="B")
def wrong__13_lora__mean_over_n(x, y, weight, z, alpha, lr, num_steps):
    """loss divided by n only"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, gfac=2 / len(x))
def wrong__13_lora__no_two(x, y, weight, z, alpha, lr, num_steps):
    """no factor 2"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, gfac=1 / y.numel())
def wrong__13_lora__sum_loss(x, y, weight, z, alpha, lr, num_steps):
    """sum for mean"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, gfac=2.0)
def wrong__13_lora__over_d_in(x, y, weight, z, alpha, lr, num_steps):
    """divided by n d_in"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, gfac=2 / x.numel())
def wrong__13_lora__ascent(x, y, weight, z, alpha, lr, num_steps):
    """plus lr times the gradient"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, sign=-1)
def wrong__13_lora__G_at_start(x, y, weight, z, alpha, lr, num_steps):
    """G at the frozen weight W, not at W'"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, at_old=True)
def wrong__13_lora__only_change(x, y, weight, z, alpha, lr, num_steps):
    """returns the change, without W"""
    return _lora(x, y, weight, z, alpha, lr, num_steps) - weight
def wrong__13_lora__no_first(x, y, weight, z, alpha, lr, num_steps):
    """the weight before the first step is left out"""
    return _lora(x, y, weight, z, alpha, lr, num_steps)[1:]
def wrong__13_lora__no_last(x, y, weight, z, alpha, lr, num_steps):
    """the last weight is left out"""
    return _lora(x, y, weight, z, alpha, lr, num_steps)[:-1]
def wrong__13_lora__last_only(x, y, weight, z, alpha, lr, num_steps):
    """only the last"""
    return _lora(x, y, weight, z, alpha, lr, num_steps)[-1]
def wrong__13_lora__W_trained(x, y, weight, z, alpha, lr, num_steps):
    """W moves too"""
    with torch.enable_grad():
        P = [weight.clone().requires_grad_(), z.clone().requires_grad_(), z.new_zeros(len(weight), len(z)).requires_grad_()]
        out = []
        for k in range(num_steps + 1):
            W = P[0] + alpha / len(z) * P[2] @ P[1]
            out.append(W.detach())
            g = torch.autograd.grad((x @ W.T - y).square().mean(), P)
            P = [(p - lr * v).detach().requires_grad_() for p, v in zip(P, g)]
    return torch.stack(out)
def wrong__13_lora__z_in_place(x, y, weight, z, alpha, lr, num_steps):
    """A = z, changed in place"""
    r = len(z); s = alpha / r
    A, B = z, z.new_zeros(len(weight), r)
    out = [weight + s * B @ A]
    for _ in range(num_steps):
        G = 2 / y.numel() * (x @ out[-1].T - y).T @ x
        gA, gB = s * B.T @ G, s * G @ A.T
        A -= lr * gA
        B -= lr * gB
        out.append(weight + s * B @ A)
    return torch.stack(out)
def wrong__13_lora__same_tensor(x, y, weight, z, alpha, lr, num_steps):
    """the same tensor appended again and again: all are the last"""
    o = _lora(x, y, weight, z, alpha, lr, num_steps)
    return o[-1:].repeat(num_steps + 1, 1, 1)
def wrong__13_lora__float32(x, y, weight, z, alpha, lr, num_steps):
    """float32 inside"""
    return _lora(x.float(), y.float(), weight.float(), z.float(), alpha, lr, num_steps).to(x.dtype)
def wrong__13_lora__root_r(x, y, weight, z, alpha, lr, num_steps):
    """alpha / sqrt(r)"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, scale=alpha / math.sqrt(len(z)))
def wrong__13_lora__floor(x, y, weight, z, alpha, lr, num_steps):
    """alpha // r"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, scale=alpha // len(z))
def wrong__13_lora__no_enable(x, y, weight, z, alpha, lr, num_steps):
    """autograd without enable_grad"""
    P = [z.clone().requires_grad_(), z.new_zeros(len(weight), len(z)).requires_grad_()]
    out = []
    for k in range(num_steps + 1):
        W = weight + alpha / len(z) * P[1] @ P[0]
        out.append(W.detach())
        g = torch.autograd.grad((x @ W.T - y).square().mean(), P)
        P = [(p - lr * v).detach().requires_grad_() for p, v in zip(P, g)]
    return torch.stack(out)
def wrong__13_lora__random_A(x, y, weight, z, alpha, lr, num_steps):
    """A drawn by torch.randn"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, A0=torch.randn_like(z))
def wrong__13_lora__accumulated(x, y, weight, z, alpha, lr, num_steps):
    """no zero_grad"""
    with torch.enable_grad():
        A, B = z.clone().requires_grad_(), z.new_zeros(len(weight), len(z)).requires_grad_()
        out = []
        for k in range(num_steps + 1):
            W = weight + alpha / len(z) * B @ A
            out.append(W.detach())
            (x @ W.T - y).square().mean().backward(inputs=[A, B])
            with torch.no_grad():
                A -= lr * A.grad
                B -= lr * B.grad
    return torch.stack(out)
def wrong__13_lora__adam(x, y, weight, z, alpha, lr, num_steps):
    """Adam"""
    with torch.enable_grad():
        A, B = z.clone().requires_grad_(), z.new_zeros(len(weight), len(z)).requires_grad_()
        opt = torch.optim.Adam([A, B], lr=lr)
        out = []
        for k in range(num_steps + 1):
            W = weight + alpha / len(z) * B @ A
            out.append(W.detach())
            opt.zero_grad()
            (x.detach() @ W.T - y.detach()).square().mean().backward(inputs=[A, B])
            opt.step()
    return torch.stack(out)
def wrong__13_lora__merged(x, y, weight, z, alpha, lr, num_steps):
    """the product is added to the running weight at each step"""
    r = len(z); s = alpha / r
    A, B, W = z, z.new_zeros(len(weight), r), weight
    out = [W]
    for _ in range(num_steps):
        G = 2 / y.numel() * (x @ W.T - y).T @ x
        A, B = A - lr * s * B.T @ G, B - lr * s * G @ A.T
        W = W + s * B @ A
        out.append(W)
    return torch.stack(out)
def wrong__13_lora__B_small(x, y, weight, z, alpha, lr, num_steps):
    """B begins at 1e-3"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, B0=torch.full((len(weight), len(z)), 1e-3).to(z))
def wrong__13_lora__zero_steps(x, y, weight, z, alpha, lr, num_steps):
    """at least one step is made"""
    return _lora(x, y, weight, z, alpha, lr, max(num_steps, 1))
def wrong__13_lora__A_frozen(x, y, weight, z, alpha, lr, num_steps):
    """A never moves"""
    r = len(z); s = alpha / r
    B = z.new_zeros(len(weight), r)
    out = [weight + s * B @ z]
    for _ in range(num_steps):
        G = 2 / y.numel() * (x @ out[-1].T - y).T @ x
        B = B - lr * s * G @ z.T
        out.append(weight + s * B @ z)
    return torch.stack(out)
def wrong__13_lora__weight_in_place(x, y, weight, z, alpha, lr, num_steps):
    """weight is overwritten by the last W'"""
    o = _lora(x, y, weight, z, alpha, lr, num_steps)
    weight.copy_(o[-1])
    return o
def wrong__13_lora__x_not_transposed(x, y, weight, z, alpha, lr, num_steps):
    """x W instead of x W^T (fails unless square)"""
    r = len(z); s = alpha / r
    A, B = z, z.new_zeros(len(weight), r)
    out = [weight + s * B @ A]
    for _ in range(num_steps):
        G = 2 / y.numel() * (x @ out[-1] - y).T @ x
        A, B = A - lr * s * B.T @ G, B - lr * s * G @ A.T
        out.append(weight + s * B @ A)
    return torch.stack(out)
def wrong__13_lora__losses(x, y, weight, z, alpha, lr, num_steps):
    """returns the losses"""
    o = _lora(x, y, weight, z, alpha, lr, num_steps)
    return (x @ o.mT - y).square().mean((1, 2))
def wrong__13_lora__factors(x, y, weight, z, alpha, lr, num_steps):
    """a list, not a stacked tensor"""
    return list(_lora(x, y, weight, z, alpha, lr, num_steps))

# ---------------------------------------------------------------- control_block

def _control(x, hint, y, theta, lr, num_steps, Z1=None, Z2=None, tc=None, train=(0, 1, 2), forward=None, loss=None, sign=1, seq=False):
    d = len(theta)
    with torch.enable_grad():
        P = [x.new_zeros(d, hint.shape[1]) if Z1 is None else Z1, theta.detach().clone() if tc is None else tc, x.new_zeros(d, d) if Z2 is None else Z2]
        P = [p.detach().clone().requires_grad_() for p in P]
        fw = forward or (lambda Z1, T, Z2: torch.tanh(x @ theta.T) + torch.tanh((x + hint @ Z1.T) @ T.T) @ Z2.T)
        L = loss or (lambda a: (a - y).square().mean())
        out = []
        for k in range(num_steps + 1):
            a = fw(*P)
            out.append(a.detach())
            if k == num_steps:
                break
            if seq:
                for i in seq:
                    g = torch.autograd.grad(L(fw(*P)), P[i])[0]
                    P[i] = (P[i] - lr * g).detach().requires_grad_()
                continue
            gs = torch.autograd.grad(L(a), P, allow_unused=True)
            P = [(p - sign * lr * g).detach().requires_grad_() if i in train and g is not None else p for i, (p, g) in enumerate(zip(P, gs))]
    return torch.stack(out)

def wrong__13_control_block__Z2_eye(x, hint, y, theta, lr, num_steps):
    """Z2 begins as identity"""
    return _control(x, hint, y, theta, lr, num_steps, Z2=torch.eye(len(theta)).to(x))
def wrong__13_control_block__Z2_random(x, hint, y, theta, lr, num_steps):
    """Z2 begins random"""
    return _control(x, hint, y, theta, lr, num_steps, Z2=0.1 * torch.randn_like(theta))
def wrong__13_control_block__Z1_ones(x, hint, y, theta, lr, num_steps):
    """Z1 begins as ones"""
    return _control(x, hint, y, theta, lr, num_steps, Z1=x.new_ones(len(theta), hint.shape[1]))
def wrong__13_control_block__tc_zero(x, hint, y, theta, lr, num_steps):
    """theta_c begins as zeros"""
    return _control(x, hint, y, theta, lr, num_steps, tc=torch.zeros_like(theta))
def wrong__13_control_block__no_branch_tanh(x, hint, y, theta, lr, num_steps):
    """no tanh in the branch"""
    return _control(x, hint, y, theta, lr, num_steps, forward=lambda A, T, Z: torch.tanh(x @ theta.T) + ((x + hint @ A.T) @ T.T) @ Z.T)
def wrong__13_control_block__tanh_of_sum(x, hint, y, theta, lr, num_steps):
    """tanh around the sum"""
    return _control(x, hint, y, theta, lr, num_steps, forward=lambda A, T, Z: torch.tanh(x @ theta.T + torch.tanh((x + hint @ A.T) @ T.T) @ Z.T))
def wrong__13_control_block__tanh_last(x, hint, y, theta, lr, num_steps):
    """tanh after Z2 in the branch"""
    return _control(x, hint, y, theta, lr, num_steps, forward=lambda A, T, Z: torch.tanh(x @ theta.T) + torch.tanh((x + hint @ A.T) @ T.T @ Z.T))
def wrong__13_control_block__theta_in_place(x, hint, y, theta, lr, num_steps):
    """theta_c = theta, the same tensor, changed in place"""
    with torch.enable_grad():
        A, Z, T = x.new_zeros(len(theta), hint.shape[1]), torch.zeros_like(theta), theta
        out = []
        for k in range(num_steps + 1):
            a_, t_, z_ = (v.detach().clone().requires_grad_() for v in (A, T, Z))
            o = torch.tanh(x @ theta.T) + torch.tanh((x + hint @ a_.T) @ t_.T) @ z_.T
            out.append(o.detach().clone())
            g = torch.autograd.grad((o - y).square().mean(), [a_, t_, z_])
            if k == num_steps:
                break
            with torch.no_grad():
                for v, w in zip((A, T, Z), g):
                    v.sub_(lr * w)
    return torch.stack(out)
def wrong__13_control_block__base_moves(x, hint, y, theta, lr, num_steps):
    """theta_c in the place of theta: the base learns too"""
    return _control(x, hint, y, theta, lr, num_steps, forward=lambda A, T, Z: torch.tanh(x @ T.T) + torch.tanh((x + hint @ A.T) @ T.T) @ Z.T)
def wrong__13_control_block__tc_frozen(x, hint, y, theta, lr, num_steps):
    """theta_c does not learn"""
    return _control(x, hint, y, theta, lr, num_steps, train=(0, 2))
def wrong__13_control_block__Z1_frozen(x, hint, y, theta, lr, num_steps):
    """Z1 does not learn"""
    return _control(x, hint, y, theta, lr, num_steps, train=(1, 2))
def wrong__13_control_block__Z2_only(x, hint, y, theta, lr, num_steps):
    """only Z2 learns"""
    return _control(x, hint, y, theta, lr, num_steps, train=(2,))
def wrong__13_control_block__Z2_frozen(x, hint, y, theta, lr, num_steps):
    """Z2 stays zero: nothing learns"""
    return _control(x, hint, y, theta, lr, num_steps, train=(0, 1))
def wrong__13_control_block__sequential(x, hint, y, theta, lr, num_steps):
    """gradients one after the other, Z2 first"""
    return _control(x, hint, y, theta, lr, num_steps, seq=(2, 1, 0))
def wrong__13_control_block__sequential_Z1(x, hint, y, theta, lr, num_steps):
    """gradients one after the other, Z1 first"""
    return _control(x, hint, y, theta, lr, num_steps, seq=(0, 1, 2))
def wrong__13_control_block__sum_loss(x, hint, y, theta, lr, num_steps):
    """sum for mean"""
    return _control(x, hint, y, theta, lr, num_steps, loss=lambda a: (a - y).square().sum())
def wrong__13_control_block__mean_over_n(x, hint, y, theta, lr, num_steps):
    """divided by n only"""
    return _control(x, hint, y, theta, lr, num_steps, loss=lambda a: (a - y).square().sum(1).mean())
def wrong__13_control_block__half(x, hint, y, theta, lr, num_steps):
    """half the mean square"""
    return _control(x, hint, y, theta, lr, num_steps, loss=lambda a: (a - y).square().mean() / 2)
def wrong__13_control_block__root(x, hint, y, theta, lr, num_steps):
    """root mean square"""
    return _control(x, hint, y, theta, lr, num_steps, loss=lambda a: (a - y).square().mean().sqrt())
def wrong__13_control_block__ascent(x, hint, y, theta, lr, num_steps):
    """plus the gradient"""
    return _control(x, hint, y, theta, lr, num_steps, sign=-1)
def wrong__13_control_block__no_first(x, hint, y, theta, lr, num_steps):
    """y_0 left out"""
    return _control(x, hint, y, theta, lr, num_steps)[1:]
def wrong__13_control_block__no_last(x, hint, y, theta, lr, num_steps):
    """y_n left out"""
    return _control(x, hint, y, theta, lr, num_steps)[:-1]
def wrong__13_control_block__last_only(x, hint, y, theta, lr, num_steps):
    """only the last answer"""
    return _control(x, hint, y, theta, lr, num_steps)[-1]
def wrong__13_control_block__no_transpose(x, hint, y, theta, lr, num_steps):
    """x theta, not x theta^T, in both places"""
    return _control(x, hint, y, theta, lr, num_steps, forward=lambda A, T, Z: torch.tanh(x @ theta) + torch.tanh((x + hint @ A.T) @ T) @ Z.T)
def wrong__13_control_block__tc_no_transpose(x, hint, y, theta, lr, num_steps):
    """theta_c not transposed"""
    return _control(x, hint, y, theta, lr, num_steps, forward=lambda A, T, Z: torch.tanh(x @ theta.T) + torch.tanh((x + hint @ A.T) @ T) @ Z.T)
def wrong__13_control_block__no_enable(x, hint, y, theta, lr, num_steps):
    """no enable_grad"""
    P = [x.new_zeros(len(theta), hint.shape[1]).requires_grad_(), theta.detach().clone().requires_grad_(), torch.zeros_like(theta).requires_grad_()]
    out = []
    for k in range(num_steps + 1):
        a = torch.tanh(x @ theta.T) + torch.tanh((x + hint @ P[0].T) @ P[1].T) @ P[2].T
        out.append(a.detach())
        g = torch.autograd.grad((a - y).square().mean(), P)
        P = [(p - lr * v).detach().requires_grad_() for p, v in zip(P, g)]
    return torch.stack(out)
def wrong__13_control_block__accumulated(x, hint, y, theta, lr, num_steps):
    """no zero_grad"""
    with torch.enable_grad():
        P = [x.new_zeros(len(theta), hint.shape[1]).requires_grad_(), theta.detach().clone().requires_grad_(), x.new_zeros(theta.shape).requires_grad_()]
        out = []
        for k in range(num_steps + 1):
            a = torch.tanh(x @ theta.T) + torch.tanh((x + hint @ P[0].T) @ P[1].T) @ P[2].T
            out.append(a.detach())
            (a - y).square().mean().backward(inputs=P)
            with torch.no_grad():
                for p in P:
                    p -= lr * p.grad
    return torch.stack(out)
def wrong__13_control_block__losses(x, hint, y, theta, lr, num_steps):
    """losses returned"""
    return (_control(x, hint, y, theta, lr, num_steps) - y).square().mean((1, 2))
def wrong__13_control_block__hint_in_base(x, hint, y, theta, lr, num_steps):
    """the frozen layer sees the hint as well"""
    return _control(x, hint, y, theta, lr, num_steps, forward=lambda A, T, Z: torch.tanh((x + hint @ A.T) @ theta.T) + torch.tanh((x + hint @ A.T) @ T.T) @ Z.T)
def wrong__13_control_block__hint_outside(x, hint, y, theta, lr, num_steps):
    """Z1 c added to the answer of the copy, not to its input"""
    return _control(x, hint, y, theta, lr, num_steps, forward=lambda A, T, Z: torch.tanh(x @ theta.T) + (torch.tanh(x @ T.T) + hint @ A.T) @ Z.T)
def wrong__13_control_block__hint_after_theta(x, hint, y, theta, lr, num_steps):
    """Z1 c added after theta_c, inside the tanh"""
    return _control(x, hint, y, theta, lr, num_steps, forward=lambda A, T, Z: torch.tanh(x @ theta.T) + torch.tanh(x @ T.T + hint @ A.T) @ Z.T)
def wrong__13_control_block__only_hint(x, hint, y, theta, lr, num_steps):
    """the copy sees only the hint"""
    return _control(x, hint, y, theta, lr, num_steps, forward=lambda A, T, Z: torch.tanh(x @ theta.T) + torch.tanh((hint @ A.T) @ T.T) @ Z.T)
def wrong__13_control_block__no_hint(x, hint, y, theta, lr, num_steps):
    """the hint is forgotten"""
    return _control(x, hint, y, theta, lr, num_steps, forward=lambda A, T, Z: torch.tanh(x @ theta.T) + torch.tanh(x @ T.T + 0 * (hint @ A.T)) @ Z.T)
def wrong__13_control_block__branch_only(x, hint, y, theta, lr, num_steps):
    """the frozen layer's answer is not added"""
    return _control(x, hint, y, theta, lr, num_steps, forward=lambda A, T, Z: torch.tanh((x + hint @ A.T) @ T.T) @ Z.T)
def wrong__13_control_block__residual_x(x, hint, y, theta, lr, num_steps):
    """x in the place of the frozen layer's answer"""
    return _control(x, hint, y, theta, lr, num_steps, forward=lambda A, T, Z: x + torch.tanh((x + hint @ A.T) @ T.T) @ Z.T)
def wrong__13_control_block__float32(x, hint, y, theta, lr, num_steps):
    """float32 inside"""
    return _control(x.float(), hint.float(), y.float(), theta.float(), lr, num_steps).to(x.dtype)
def wrong__13_control_block__bias(x, hint, y, theta, lr, num_steps):
    """Z2 has a bias that learns, zero at first"""
    d = len(theta)
    with torch.enable_grad():
        P = [x.new_zeros(d, hint.shape[1]), theta.detach().clone(), x.new_zeros(d, d), x.new_zeros(d)]
        P = [p.requires_grad_() for p in P]
        out = []
        for k in range(num_steps + 1):
            a = torch.tanh(x @ theta.T) + torch.tanh((x + hint @ P[0].T) @ P[1].T) @ P[2].T + P[3]
            out.append(a.detach())
            g = torch.autograd.grad((a - y).square().mean(), P)
            P = [(p - lr * v).detach().requires_grad_() for p, v in zip(P, g)]
    return torch.stack(out)
def wrong__13_control_block__Z2_tiny(x, hint, y, theta, lr, num_steps):
    """Z2 begins at 1e-3"""
    return _control(x, hint, y, theta, lr, num_steps, Z2=torch.full_like(theta, 1e-3))
def wrong__13_control_block__adam(x, hint, y, theta, lr, num_steps):
    """Adam"""
    with torch.enable_grad():
        P = [x.new_zeros(len(theta), hint.shape[1]).requires_grad_(), theta.detach().clone().requires_grad_(), x.new_zeros(theta.shape).requires_grad_()]
        opt = torch.optim.Adam(P, lr=lr)
        out = []
        for k in range(num_steps + 1):
            a = torch.tanh(x @ theta.T) + torch.tanh((x + hint @ P[0].T) @ P[1].T) @ P[2].T
            out.append(a.detach())
            opt.zero_grad()
            (a - y).square().mean().backward(inputs=P)
            opt.step()
    return torch.stack(out)
def wrong__13_control_block__at_least_one(x, hint, y, theta, lr, num_steps):
    """at least one step"""
    return _control(x, hint, y, theta, lr, max(1, num_steps))
def wrong__13_control_block__two_zeros(x, hint, y, theta, lr, num_steps):
    """two layers of zeros in series"""
    Z3 = torch.zeros_like(theta)
    return _control(x, hint, y, theta, lr, num_steps, forward=lambda A, T, Z: torch.tanh(x @ theta.T) + torch.tanh((x + hint @ A.T) @ T.T) @ Z.T @ Z3.T)
def wrong__13_control_block__no_copy_step(x, hint, y, theta, lr, num_steps):
    """same answer repeated: outputs computed after training with the last weights"""
    o = _control(x, hint, y, theta, lr, num_steps)
    return o[-1:].repeat(num_steps + 1, 1, 1)
def wrong__13_control_block__y_theta_x(x, hint, y, theta, lr, num_steps):
    """x and hint swapped roles: hint rolled by one row against x (the wrong hint)"""
    return _control(x, hint.roll(1, 0), y, theta, lr, num_steps)


def wrong__13_caption_dropout__break(tokens, u, p, empty):
    """loop stops after the first dropped caption"""
    out = tokens.clone()
    for i in range(len(u)):
        if u[i] < p:
            out[i] = empty
            break
    return out
def wrong__13_caption_dropout__any(tokens, u, p, empty):
    """all captions dropped when any u is below p"""
    return empty.repeat(len(tokens), 1) if (u < p).any() else tokens.clone()
def wrong__13_caption_dropout__off_by_one(tokens, u, p, empty):
    """mask shifted by one row"""
    return torch.where((u < p).roll(1)[:, None], empty, tokens)
def wrong__13_caption_dropout__min(tokens, u, p, empty):
    """multiplied mask the wrong way: empty kept where u >= p added as well"""
    m = (u >= p).long()[:, None]
    return m * tokens + empty
def wrong__13_caption_dropout__last_row_skipped(tokens, u, p, empty):
    """range(B - 1): the last caption is never dropped"""
    out = tokens.clone()
    for i in range(len(u) - 1):
        if u[i] < p:
            out[i] = empty
    return out
def wrong__13_caption_dropout__int_u(tokens, u, p, empty):
    """random.choices like: u compared with a p rounded to one digit"""
    return torch.where((u < round(float(p), 1))[:, None], empty, tokens)
def wrong__13_caption_dropout__clone_alias(tokens, u, p, empty):
    """writes into expanded empty: in-place in the argument empty"""
    for i in range(len(u)):
        if u[i] >= p:
            pass
    empty[:] = empty * 0
    return torch.where((u < p)[:, None], empty, tokens)

def wrong__13_text_help__minus_chance(draw, met, labels, noise, no_text):
    """told minus a tenth, the chance level"""
    return _out(met(draw(labels, noise), labels) - 0.1)
def wrong__13_text_help__percent(draw, met, labels, noise, no_text):
    """in per cent"""
    a, b = _pair(draw, met, labels, noise, no_text)
    return tuple(100 * v for v in _out(a - b))
def wrong__13_text_help__swapped_ends(draw, met, labels, noise, no_text):
    """high before low"""
    a, b = _pair(draw, met, labels, noise, no_text)
    h, l, u = _out(a - b)
    return h, u, l
def wrong__13_text_help__around_zero(draw, met, labels, noise, no_text):
    """s about zero, not about the mean"""
    a, b = _pair(draw, met, labels, noise, no_text); d = a - b
    s = (d.square().sum() / (len(d) - 1)).sqrt()
    h = 1.96 * s / len(d) ** 0.5
    return d.mean(), d.mean() - h, d.mean() + h
def wrong__13_text_help__two_proportions(draw, met, labels, noise, no_text):
    """Wald interval of two shares"""
    a, b = _pair(draw, met, labels, noise, no_text)
    p, q = a.mean(), b.mean()
    h = 1.96 * ((p * (1 - p) + q * (1 - q)) / len(a)).sqrt()
    return p - q, p - q - h, p - q + h
def wrong__13_text_help__quantiles(draw, met, labels, noise, no_text):
    """2.5 % and 97.5 % quantiles of the differences"""
    a, b = _pair(draw, met, labels, noise, no_text); d = a - b
    return d.mean(), d.quantile(0.025), d.quantile(0.975)
def wrong__13_text_help__ratio(draw, met, labels, noise, no_text):
    """relative gain"""
    a, b = _pair(draw, met, labels, noise, no_text)
    m = b.mean().clamp(min=0.05)
    return tuple(v / m for v in _out(a - b))
def wrong__13_text_help__summed(draw, met, labels, noise, no_text):
    """sum for mean"""
    a, b = _pair(draw, met, labels, noise, no_text); d = a - b
    h = 1.96 * d.std() * len(d) ** 0.5
    return d.sum(), d.sum() - h, d.sum() + h
def wrong__13_text_help__zero_noise(draw, met, labels, noise, no_text):
    """untold samples from zeros"""
    b = met(draw(torch.full_like(labels, no_text), torch.zeros_like(noise)), labels)
    return _out(met(draw(labels, noise), labels) - b)
def wrong__13_text_help__shape1(draw, met, labels, noise, no_text):
    """keepdim: shape (1,)"""
    a, b = _pair(draw, met, labels, noise, no_text)
    return tuple(v[None] for v in _out(a - b))
def wrong__13_text_help__one_call(draw, met, labels, noise, no_text):
    """the same samples measured twice: the labels of the second measurement are no_text, untold never drawn"""
    im = draw(labels, noise)
    return _out(met(im, labels) - met(im, torch.full_like(labels, no_text)))
def wrong__13_text_help__noise_half(draw, met, labels, noise, no_text):
    """splits the noise: first half told, second half untold"""
    k = len(labels) // 2
    a = met(draw(labels[:k], noise[:k]), labels[:k])
    b = met(draw(torch.full_like(labels[:k], no_text), noise[k:2 * k]), labels[:k])
    return _out(a - b)
def wrong__13_text_help__nan_to_zero_n2(draw, met, labels, noise, no_text):
    """n < 12: no interval, nan"""
    a, b = _pair(draw, met, labels, noise, no_text)
    h, l, u = _out(a - b)
    if len(a) < 12:
        l = u = h * float("nan")
    return h, l, u
def wrong__13_text_help__percentile_995(draw, met, labels, noise, no_text):
    """1.96 squared (root forgotten) """
    a, b = _pair(draw, met, labels, noise, no_text); d = a - b
    h = (1.96 * d.var() / len(d)).sqrt()
    return d.mean(), d.mean() - h, d.mean() + h

def wrong__13_clip_guidance_gradient__jacobian_explicit(D, image, text, x, sigma):
    """explicit Jacobian, multiplied from the wrong side (J v for J^T v)"""
    with torch.enable_grad():
        x1 = x.detach().requires_grad_()
        guess = D(x1, sigma)
        g0 = guess.detach().requires_grad_()
        inner = _grad(F.cosine_similarity(image(g0), text).sum(), g0)
        rows = [torch.autograd.grad(v, x1, retain_graph=True)[0].flatten() for v in guess.flatten()]
        return (torch.stack(rows) @ inner.flatten()).view_as(x)
def wrong__13_clip_guidance_gradient__diagonal(D, image, text, x, sigma):
    """Jacobian as if pixels were independent: inner * d(sum D)/dx"""
    with torch.enable_grad():
        x1 = x.detach().requires_grad_()
        guess = D(x1, sigma)
        g0 = guess.detach().requires_grad_()
        inner = _grad(F.cosine_similarity(image(g0), text).sum(), g0)
        return inner * _grad(guess.sum(), x1)
def wrong__13_clip_guidance_gradient__clamped_guess(D, image, text, x, sigma):
    """the guess is clamped to [-1, 1]"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(D(x, sigma).clamp(-1, 1)), text).sum(), x)
def wrong__13_clip_guidance_gradient__log_cos(D, image, text, x, sigma):
    """gradient of log of the cosine's exponential over its mean: exp(cos)"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(D(x, sigma)), text).exp().sum(), x)
def wrong__13_clip_guidance_gradient__abs(D, image, text, x, sigma):
    """absolute cosine"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(D(x, sigma)), text).abs().sum(), x)
def wrong__13_clip_guidance_gradient__squares(D, image, text, x, sigma):
    """divides by the squared lengths (root forgotten)"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        f = image(D(x, sigma))
        return _grad(((f * text).sum(1) / (f.square().sum(1) * text.square().sum(1))).sum(), x)
def wrong__13_clip_guidance_gradient__tuple(D, image, text, x, sigma):
    """the tuple of autograd.grad"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return torch.autograd.grad(F.cosine_similarity(image(D(x, sigma)), text).sum(), x)
def wrong__13_clip_guidance_gradient__over_sigma(D, image, text, x, sigma):
    """divided by sigma"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(D(x, sigma)), text).sum(), x) / sigma
def wrong__13_clip_guidance_gradient__sigma_squared_arg(D, image, text, x, sigma):
    """D is asked at sigma squared"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(D(x, sigma**2)), text).sum(), x)
def wrong__13_clip_guidance_gradient__noised_again(D, image, text, x, sigma):
    """the encoder gets sigma as well"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(D(x, sigma), sigma), text).sum(), x)
def wrong__13_clip_guidance_gradient__difference(D, image, text, x, sigma):
    """finite differences along each pixel"""
    f = lambda z: F.cosine_similarity(image(D(z, sigma)), text)
    out = torch.zeros_like(x)
    flat = x.flatten(1)
    for j in range(flat.shape[1]):
        e = torch.zeros_like(flat); e[:, j] = 1e-4
        out.view(len(x), -1)[:, j] = (f((flat + e).view_as(x)) - f((flat - e).view_as(x))) / 2e-4
    return out
def wrong__13_clip_guidance_gradient__text_grad(D, image, text, x, sigma):
    """gradient with respect to the text"""
    with torch.enable_grad():
        text = text.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(D(x, sigma)), text).sum(), text)
def wrong__13_clip_guidance_gradient__residual(D, image, text, x, sigma):
    """CLIP sees x - D (the noise) rather than the guess"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(x - D(x, sigma)), text).sum(), x)
def wrong__13_clip_guidance_gradient__text_flip(D, image, text, x, sigma):
    """rows of text in reverse"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return _grad(F.cosine_similarity(image(D(x, sigma)), text.flip(0)).sum(), x)
def wrong__13_clip_guidance_gradient__centred(D, image, text, x, sigma):
    """correlation: features centred first"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        f = image(D(x, sigma)); f = f - f.mean(1, keepdim=True)
        return _grad(F.cosine_similarity(f, text - text.mean(1, keepdim=True)).sum(), x)
def wrong__13_clip_guidance_gradient__set_enabled_scope(D, image, text, x, sigma):
    """no_grad around D only"""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        with torch.no_grad():
            g = D(x, sigma)
        return _grad(F.cosine_similarity(image(g + 0 * x), text).sum(), x)

def wrong__13_lora__inverse_scale(x, y, weight, z, alpha, lr, num_steps):
    """r / alpha"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, scale=len(z) / alpha)
def wrong__13_lora__scale_squared(x, y, weight, z, alpha, lr, num_steps):
    """alpha / r twice in the gradients"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, grad_scale=(alpha / len(z)) ** 2)
def wrong__13_lora__loss_without_W(x, y, weight, z, alpha, lr, num_steps):
    """the branch alone is fitted to y"""
    return weight + _lora(x, y, torch.zeros_like(weight), z, alpha, lr, num_steps)
def wrong__13_lora__mixed(x, y, weight, z, alpha, lr, num_steps):
    """returned weight: new B with the old A"""
    r = len(z); s = alpha / r
    A, B = z, z.new_zeros(len(weight), r)
    out = [weight]
    for _ in range(num_steps):
        G = 2 / y.numel() * (x @ (weight + s * B @ A).T - y).T @ x
        A2, B = A - lr * s * B.T @ G, B - lr * s * G @ A.T
        out.append(weight + s * B @ A)
        A = A2
    return torch.stack(out)
def wrong__13_lora__doubled_first(x, y, weight, z, alpha, lr, num_steps):
    """W_0 twice: recorded before each step, after a first weight"""
    o = _lora(x, y, weight, z, alpha, lr, num_steps)
    return torch.cat([o[:1], o])[: num_steps + 1]
def wrong__13_lora__too_many(x, y, weight, z, alpha, lr, num_steps):
    """one step too many"""
    return _lora(x, y, weight, z, alpha, lr, num_steps + 1)
def wrong__13_lora__A_normalised(x, y, weight, z, alpha, lr, num_steps):
    """A = z / sqrt(r)"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, A0=z / len(z) ** 0.5)
def wrong__13_lora__scale_max1(x, y, weight, z, alpha, lr, num_steps):
    """alpha / r at most 1"""
    return _lora(x, y, weight, z, alpha, lr, num_steps, scale=min(alpha / len(z), 1.0))
def wrong__13_lora__residual_sign(x, y, weight, z, alpha, lr, num_steps):
    """W - (alpha / r) B A"""
    return 2 * weight - _lora(x, y, weight, z, alpha, lr, num_steps)
def wrong__13_lora__full_finetune(x, y, weight, z, alpha, lr, num_steps):
    """ordinary gradient descent on W"""
    W, out = weight, [weight]
    for _ in range(num_steps):
        W = W - lr * 2 / y.numel() * (x @ W.T - y).T @ x
        out.append(W)
    return torch.stack(out)
def wrong__13_lora__B_frozen(x, y, weight, z, alpha, lr, num_steps):
    """only A moves"""
    return weight.expand(num_steps + 1, *weight.shape).clone()
def wrong__13_lora__decay(x, y, weight, z, alpha, lr, num_steps):
    """gradient clipped to length 1"""
    r = len(z); s = alpha / r
    A, B = z, z.new_zeros(len(weight), r)
    out = [weight]
    for _ in range(num_steps):
        G = 2 / y.numel() * (x @ out[-1].T - y).T @ x
        gA, gB = s * B.T @ G, s * G @ A.T
        n = (gA.square().sum() + gB.square().sum()).sqrt().clamp(min=1)
        A, B = A - lr * gA / n, B - lr * gB / n
        out.append(weight + s * B @ A)
    return torch.stack(out)
def wrong__13_lora__adam_sgd_momentum(x, y, weight, z, alpha, lr, num_steps):
    """SGD with momentum 0.9"""
    r = len(z); s = alpha / r
    A, B = z, z.new_zeros(len(weight), r)
    mA, mB = 0, 0
    out = [weight]
    for _ in range(num_steps):
        G = 2 / y.numel() * (x @ out[-1].T - y).T @ x
        mA, mB = 0.9 * mA + s * B.T @ G, 0.9 * mB + s * G @ A.T
        A, B = A - lr * mA, B - lr * mB
        out.append(weight + s * B @ A)
    return torch.stack(out)
def wrong__13_lora__one_step_lr_scaled(x, y, weight, z, alpha, lr, num_steps):
    """root of the loss"""
    with torch.enable_grad():
        A, B = z.clone().requires_grad_(), z.new_zeros(len(weight), len(z)).requires_grad_()
        out = []
        for k in range(num_steps + 1):
            W = weight + alpha / len(z) * B @ A
            out.append(W.detach())
            g = torch.autograd.grad((x @ W.T - y).square().mean().sqrt(), [A, B])
            A, B = (A - lr * g[0]).detach().requires_grad_(), (B - lr * g[1]).detach().requires_grad_()
    return torch.stack(out)
def wrong__13_lora__r_min(x, y, weight, z, alpha, lr, num_steps):
    """rank cut to d_out at most: for r > d_out the extra rows of z are thrown away"""
    z2 = z[: weight.shape[0]]
    return _lora(x, y, weight, z2, alpha, lr, num_steps)

def wrong__13_control_block__branch_loss(x, hint, y, theta, lr, num_steps):
    """the branch alone is fitted to y"""
    base = torch.tanh(x @ theta.T)
    return _control(x, hint, y, theta, lr, num_steps, loss=lambda a: (a - base - y).square().mean())
def wrong__13_control_block__minus_branch(x, hint, y, theta, lr, num_steps):
    """x - c Z1 : sign (Z1 learns the other sign) and the branch's loss on y - 2 base"""
    return _control(x, hint, -y, theta, lr, num_steps)
def wrong__13_control_block__theta_trained(x, hint, y, theta, lr, num_steps):
    """theta learns as well, apart from its copy"""
    with torch.enable_grad():
        P = [x.new_zeros(len(theta), hint.shape[1]), theta.detach().clone(), torch.zeros_like(theta), theta.detach().clone()]
        P = [p.detach().requires_grad_() for p in P]
        out = []
        for k in range(num_steps + 1):
            a = torch.tanh(x @ P[3].T) + torch.tanh((x + hint @ P[0].T) @ P[1].T) @ P[2].T
            out.append(a.detach())
            g = torch.autograd.grad((a - y).square().mean(), P)
            P = [(p - lr * v).detach().requires_grad_() for p, v in zip(P, g)]
    return torch.stack(out)
def wrong__13_control_block__Z1_square(x, hint, y, theta, lr, num_steps):
    """Z1 of shape (d, d)"""
    return _control(x, hint, y, theta, lr, num_steps, Z1=torch.zeros_like(theta))
def wrong__13_control_block__doubled_first(x, hint, y, theta, lr, num_steps):
    """y_0 twice, the last answer missing"""
    o = _control(x, hint, y, theta, lr, num_steps)
    return torch.cat([o[:1], o])[: num_steps + 1]
def wrong__13_control_block__sigmoid(x, hint, y, theta, lr, num_steps):
    """relu in the branch"""
    return _control(x, hint, y, theta, lr, num_steps, forward=lambda A, T, Z: torch.tanh(x @ theta.T) + torch.relu((x + hint @ A.T) @ T.T) @ Z.T)
def _hand(x, hint, y, theta, lr, num_steps, slope, order=0, gz1=True, miss=None):
    n, d = y.shape
    A, Z, T = x.new_zeros(d, hint.shape[1]), x.new_zeros(d, d), theta.clone()
    base, ys = torch.tanh(x @ theta.T), []
    for k in range(num_steps + 1):
        inp = x + hint @ A.T
        pre = inp @ T.T
        h = torch.tanh(pre)
        a = base + h @ Z.T
        ys.append(a)
        e = 2 * (a - y) / (n * d)
        da = (e @ Z) * slope(h, pre)
        gT = da.T @ (x if miss == "inp" else inp)
        gA = (da @ (theta if miss == "theta" else T)).T @ hint
        A, Z, T = A - lr * gA, Z - lr * e.T @ h, T - lr * gT
    return torch.stack(ys)
def wrong__13_control_block__no_slope(x, hint, y, theta, lr, num_steps):
    """by hand, tanh' forgotten"""
    return _hand(x, hint, y, theta, lr, num_steps, lambda h, p: 1)
def wrong__13_control_block__slope_of_pre(x, hint, y, theta, lr, num_steps):
    """by hand, 1 - (argument)^2 for 1 - tanh^2"""
    return _hand(x, hint, y, theta, lr, num_steps, lambda h, p: 1 - p**2)
def wrong__13_control_block__slope_minus(x, hint, y, theta, lr, num_steps):
    """by hand, 1 - tanh for 1 - tanh^2"""
    return _hand(x, hint, y, theta, lr, num_steps, lambda h, p: 1 - h)
def wrong__13_control_block__copy_sees_x_in_grad(x, hint, y, theta, lr, num_steps):
    """by hand, gradient of theta_c with x instead of x + c Z1"""
    return _hand(x, hint, y, theta, lr, num_steps, lambda h, p: 1 - h**2, miss="inp")
def wrong__13_control_block__theta_in_grad(x, hint, y, theta, lr, num_steps):
    """by hand, gradient of Z1 through theta instead of theta_c"""
    return _hand(x, hint, y, theta, lr, num_steps, lambda h, p: 1 - h**2, miss="theta")
def wrong__13_control_block__reset_copy(x, hint, y, theta, lr, num_steps):
    """the copy is made anew at each step, from theta"""
    return _control(x, hint, y, theta, lr, num_steps, train=(0, 2))
def wrong__13_control_block__x_in_place(x, hint, y, theta, lr, num_steps):
    """x += c Z1^T: the argument x grows"""
    with torch.no_grad():
        o = _control(x, hint, y, theta, lr, num_steps)
        x += 0.01 * hint.sum(1, keepdim=True)
    return o
def wrong__13_control_block__theta_times_branch(x, hint, y, theta, lr, num_steps):
    """the branch's zero layer sits on both: (F(x) + copy) Z2 ... y = F(x) + Z2(F(x) + copy)"""
    return _control(x, hint, y, theta, lr, num_steps, forward=lambda A, T, Z: torch.tanh(x @ theta.T) + (torch.tanh(x @ theta.T) + torch.tanh((x + hint @ A.T) @ T.T)) @ Z.T)
def wrong__13_control_block__hint_input_bias(x, hint, y, theta, lr, num_steps):
    """Z1 has a bias"""
    d = len(theta)
    h1 = torch.cat([hint, torch.ones_like(hint[:, :1])], 1)
    return _control(x, h1, y, theta, lr, num_steps)
def wrong__13_control_block__abs_loss(x, hint, y, theta, lr, num_steps):
    """mean absolute error"""
    return _control(x, hint, y, theta, lr, num_steps, loss=lambda a: (a - y).abs().mean())
def wrong__13_control_block__halves(x, hint, y, theta, lr, num_steps):
    """one sample at a time (stochastic)"""
    o = [torch.tanh(x @ theta.T)]
    for k in range(num_steps):
        o.append(_control(x, hint, y, theta, lr, k + 1, loss=lambda a: (a[:1] - y[:1]).square().mean())[-1])
    return torch.stack(o)
def wrong__13_control_block__momentum(x, hint, y, theta, lr, num_steps):
    """steps lr / (k + 1), a falling rate"""
    with torch.enable_grad():
        P = [x.new_zeros(len(theta), hint.shape[1]), theta.detach().clone(), torch.zeros_like(theta)]
        P = [p.detach().requires_grad_() for p in P]
        out = []
        for k in range(num_steps + 1):
            a = torch.tanh(x @ theta.T) + torch.tanh((x + hint @ P[0].T) @ P[1].T) @ P[2].T
            out.append(a.detach())
            g = torch.autograd.grad((a - y).square().mean(), P)
            P = [(p - lr / (k + 1) * v).detach().requires_grad_() for p, v in zip(P, g)]
    return torch.stack(out)
def wrong__13_control_block__printed(x, hint, y, theta, lr, num_steps):
    """nothing returned"""
    _control(x, hint, y, theta, lr, num_steps)
def wrong__13_lora__printed(x, y, weight, z, alpha, lr, num_steps):
    """nothing returned"""
    _lora(x, y, weight, z, alpha, lr, num_steps)
