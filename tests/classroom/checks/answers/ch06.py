"""Answers of (imagined) students to the exercises of chapter 6. The name tells exercise and verdict."""

import numpy as np
import torch

# ---------------------------------------------------------------- 06-classifier_guidance(D, log_prob, x, sigma, scale)


def wrong__06_classifier_guidance__slip_sigma_not_squared(D, log_prob, x, sigma, scale):
    """sigma instead of sigma^2 before the gradient."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return D(x, sigma) + scale * sigma * grad


def wrong__06_classifier_guidance__slip_no_sigma(D, log_prob, x, sigma, scale):
    """The factor sigma^2 is missing: a score is added to a denoiser."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return D(x, sigma) + scale * grad


def wrong__06_classifier_guidance__slip_divided(D, log_prob, x, sigma, scale):
    """Divides by sigma^2 instead of multiplying."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return D(x, sigma) + scale * grad / sigma**2


def wrong__06_classifier_guidance__slip_no_scale(D, log_prob, x, sigma, scale):
    """The scale is not used."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return D(x, sigma) + sigma**2 * grad


def wrong__06_classifier_guidance__slip_scale_on_all(D, log_prob, x, sigma, scale):
    """Brackets: the scale multiplies the denoiser as well."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return scale * (D(x, sigma) + sigma**2 * grad)


def wrong__06_classifier_guidance__slip_scale_squared(D, log_prob, x, sigma, scale):
    """(scale sigma)^2: the square meets the scale too."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return D(x, sigma) + (scale * sigma) ** 2 * grad


def wrong__06_classifier_guidance__slip_minus(D, log_prob, x, sigma, scale):
    """Minus instead of plus: guides away from the class (the sign belongs to eps)."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return D(x, sigma) - scale * sigma**2 * grad


def wrong__06_classifier_guidance__slip_mean(D, log_prob, x, sigma, scale):
    """The mean over the batch makes every row's gradient B times too small."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).mean(), x_in)[0]
    return D(x, sigma) + scale * sigma**2 * grad


def wrong__06_classifier_guidance__slip_first_row(D, log_prob, x, sigma, scale):
    """Differentiates row 0 only, so all other rows get no guidance."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma)[0], x_in)[0]
    return D(x, sigma) + scale * sigma**2 * grad


def wrong__06_classifier_guidance__slip_max(D, log_prob, x, sigma, scale):
    """Differentiates the largest log probability of the batch, one row."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).max(), x_in)[0]
    return D(x, sigma) + scale * sigma**2 * grad


def wrong__06_classifier_guidance__slip_prob(D, log_prob, x, sigma, scale):
    """The gradient of p instead of log p."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).exp().sum(), x_in)[0]
    return D(x, sigma) + scale * sigma**2 * grad


def wrong__06_classifier_guidance__slip_log_again(D, log_prob, x, sigma, scale):
    """Takes the logarithm of -log p once more."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad((-log_prob(x_in, sigma)).log().sum(), x_in)[0]
    return D(x, sigma) + scale * sigma**2 * grad


def wrong__06_classifier_guidance__slip_gradient_at_guess(D, log_prob, x, sigma, scale):
    """The gradient is taken at the clean guess D(x) instead of the noisy x."""
    x0 = D(x, sigma)
    with torch.enable_grad():
        x_in = x0.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return x0 + scale * sigma**2 * grad


def wrong__06_classifier_guidance__slip_x_instead_of_D(D, log_prob, x, sigma, scale):
    """Adds the gradient to x instead of D(x)."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return x + scale * sigma**2 * grad


def wrong__06_classifier_guidance__slip_detached(D, log_prob, x, sigma, scale):
    """x does not record gradients, so autograd has nothing to differentiate."""
    with torch.enable_grad():
        x_in = x.detach()
        grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return D(x, sigma) + scale * sigma**2 * grad


def wrong__06_classifier_guidance__slip_no_sum(D, log_prob, x, sigma, scale):
    """autograd.grad gets B numbers where it wants one (and fails unless B = 1)."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma), x_in)[0]
    return D(x, sigma) + scale * sigma**2 * grad


def wrong__06_classifier_guidance__slip_tuple(D, log_prob, x, sigma, scale):
    """autograd.grad returns a tuple, and its [0] is taken after stacking: a leading axis is left."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.stack(torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in))
    return D(x, sigma) + scale * sigma**2 * grad


def wrong__06_classifier_guidance__slip_unit_gradient(D, log_prob, x, sigma, scale):
    """The gradient is brought to length 1 for each sample."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    length = grad.flatten(1).norm(dim=1).reshape(-1, *[1] * (x.ndim - 1))
    return D(x, sigma) + scale * sigma**2 * grad / length


def wrong__06_classifier_guidance__slip_swapped_arguments(D, log_prob, x, sigma, scale):
    """D and log_prob are called with (sigma, x) instead of (x, sigma)."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(sigma, x_in).sum(), x_in)[0]
    return D(sigma, x) + scale * sigma**2 * grad


def wrong__06_classifier_guidance__slip_gradient_only(D, log_prob, x, sigma, scale):
    """Returns the shift alone and forgets the denoiser."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        return scale * sigma**2 * torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]


def wrong__06_classifier_guidance__slip_numpy(D, log_prob, x, sigma, scale):
    """Returns a numpy array and no tensor."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return (D(x, sigma) + scale * sigma**2 * grad).detach().numpy()


def wrong__06_classifier_guidance__slip_two(D, log_prob, x, sigma, scale):
    """Two slips: the mean over the batch, and sigma not squared."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).mean(), x_in)[0]
    return D(x, sigma) + scale * sigma * grad


def wrong__06_classifier_guidance__subtle_no_enable_grad(D, log_prob, x, sigma, scale):
    """Without enable_grad it works in a cell and fails in a sampler, which runs under no_grad."""
    x_in = x.detach().requires_grad_()
    grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return (D(x, sigma) + scale * sigma**2 * grad).detach()


def wrong__06_classifier_guidance__subtle_zero_without_grad(D, log_prob, x, sigma, scale):
    """Under no_grad it quietly leaves the guidance out."""
    x_in = x.detach().requires_grad_()
    value = log_prob(x_in, sigma).sum()
    if not value.requires_grad:
        return D(x, sigma)
    return D(x, sigma) + scale * sigma**2 * torch.autograd.grad(value, x_in)[0]


def wrong__06_classifier_guidance__subtle_marks_argument(D, log_prob, x, sigma, scale):
    """requires_grad_() on x itself, without detach: the caller's tensor records gradients from now on."""
    with torch.enable_grad():
        x.requires_grad_()
        grad = torch.autograd.grad(log_prob(x, sigma).sum(), x)[0]
    with torch.no_grad():
        return D(x, sigma) + scale * sigma**2 * grad


def wrong__06_classifier_guidance__subtle_accumulated(D, log_prob, x, sigma, scale):
    """backward() adds to x.grad of the caller's tensor: the second call at the same x has twice the gradient."""
    with torch.enable_grad():
        x.requires_grad_()
        log_prob(x, sigma).sum().backward()
    with torch.no_grad():
        return D(x, sigma) + scale * sigma**2 * x.grad


def wrong__06_classifier_guidance__subtle_grad_mode_left_on(D, log_prob, x, sigma, scale):
    """set_grad_enabled(True) as a statement switches the caller's no_grad off."""
    x0 = D(x, sigma)
    torch.set_grad_enabled(True)
    x_in = x.detach().requires_grad_()
    grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return x0 + scale * sigma**2 * grad


def wrong__06_classifier_guidance__slip_logsumexp(D, log_prob, x, sigma, scale):
    """logsumexp over the batch is one number too, but weighs the rows: right for a batch of one only."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).logsumexp(0), x_in)[0]
    return D(x, sigma) + scale * sigma**2 * grad


def wrong__06_classifier_guidance__subtle_row_by_row(D, log_prob, x, sigma, scale):
    """Calls log_prob with one row at a time, and a classifier that holds one label per row then fails."""
    rows = []
    with torch.enable_grad():
        for i in range(len(x)):
            row = x[i : i + 1].detach().requires_grad_()
            rows.append(torch.autograd.grad(log_prob(row, sigma).sum(), row)[0])
    return D(x, sigma) + scale * sigma**2 * torch.cat(rows)


def wrong__06_classifier_guidance__subtle_gradient_clipped(D, log_prob, x, sigma, scale):
    """The gradient is clipped to [-5, 5], which changes it at small sigma."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return D(x, sigma) + scale * sigma**2 * grad.clamp(-5, 5)


def wrong__06_classifier_guidance__subtle_off_at_large_sigma(D, log_prob, x, sigma, scale):
    """No guidance above sigma = 20, where the gradient is small but sigma^2 is large."""
    x0 = D(x, sigma)
    if sigma > 20:
        return x0
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return x0 + scale * sigma**2 * grad


def wrong__06_classifier_guidance__subtle_finite_difference(D, log_prob, x, sigma, scale, h=1e-4):
    """A finite difference in place of the gradient: inexact, and one call of the classifier per entry."""
    flat, base = x.flatten(1), log_prob(x, sigma)
    grad = torch.zeros_like(flat)
    for j in range(flat.shape[1]):
        moved = flat.clone()
        moved[:, j] += h
        grad[:, j] = (log_prob(moved.reshape(x.shape), sigma) - base) / h
    return D(x, sigma) + scale * sigma**2 * grad.reshape(x.shape)


def wrong__06_classifier_guidance__subtle_scale_or_one(D, log_prob, x, sigma, scale):
    """`scale or 1.0` turns the legitimate scale 0 into 1."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return D(x, sigma) + (scale or 1.0) * sigma**2 * grad


def wrong__06_classifier_guidance__subtle_int_scale(D, log_prob, x, sigma, scale):
    """int(scale) cuts 0.5 down to 0 and 7.5 to 7."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return D(x, sigma) + int(scale) * sigma**2 * grad


def wrong__06_classifier_guidance__slip_result_clipped(D, log_prob, x, sigma, scale):
    """The answer is clipped to [-1, 1], the range of images; the notebook's sampler does that where it wants it."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return (D(x, sigma) + scale * sigma**2 * grad).clamp(-1, 1)


def wrong__06_classifier_guidance__subtle_float32(D, log_prob, x, sigma, scale):
    """The gradient takes a detour through float32."""
    with torch.enable_grad():
        x_in = x.detach().float().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma.float()).sum(), x_in)[0]
    return D(x, sigma) + scale * sigma**2 * grad.to(x.dtype)


def wrong__06_classifier_guidance__subtle_cached_gradient(D, log_prob, x, sigma, scale, _memo={}):
    """Keeps the gradient by sigma and shape, so other x or another classifier at this sigma get the old one."""
    key = (float(sigma), tuple(x.shape))
    if key not in _memo:
        with torch.enable_grad():
            x_in = x.detach().requires_grad_()
            _memo[key] = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return D(x, sigma) + scale * sigma**2 * _memo[key].to(x.dtype)


def right__06_classifier_guidance__grad_outputs(D, log_prob, x, sigma, scale):
    """autograd.grad of the (B,) numbers with grad_outputs of ones instead of a sum."""
    with torch.enable_grad():
        x_in = x.clone().detach().requires_grad_(True)
        value = log_prob(x_in, sigma)
        (grad,) = torch.autograd.grad(value, x_in, grad_outputs=torch.ones_like(value))
    return D(x, sigma) + scale * sigma**2 * grad


def right__06_classifier_guidance__backward_inputs(D, log_prob, x, sigma, scale):
    """backward restricted to x by inputs=, so no parameter's gradient is touched."""
    with torch.enable_grad():
        x_in = x.detach().clone().requires_grad_()
        log_prob(x_in, sigma).sum().backward(inputs=[x_in])
    return D(x, sigma) + sigma.square() * scale * x_in.grad


def right__06_classifier_guidance__mean_times_B(D, log_prob, x, sigma, scale):
    """The mean over the batch, times the batch size."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).mean() * len(x), x_in)[0]
    return D(x, sigma) + grad * (scale * sigma**2)


def right__06_classifier_guidance__factors_inside(D, log_prob, x, sigma, scale):
    """scale sigma^2 is multiplied before differentiating."""
    with torch.set_grad_enabled(True):
        x_in = x.detach().requires_grad_()
        shift = torch.autograd.grad((scale * sigma**2 * log_prob(x_in, sigma)).sum(), x_in)[0]
    return D(x, sigma).add(shift)


@torch.enable_grad()
def right__06_classifier_guidance__decorator(D, log_prob, x, sigma, scale):
    """enable_grad as a decorator, with the denoiser and the sum under no_grad."""
    x_in = x.detach().requires_grad_()
    grad = torch.autograd.grad(outputs=torch.sum(log_prob(x_in, sigma)), inputs=x_in)[0]
    with torch.no_grad():
        return torch.addcmul(D(x, sigma), grad, (scale * sigma**2).to(grad).expand_as(grad))


def right__06_classifier_guidance__func_grad(D, log_prob, x, sigma, scale):
    """torch.func.grad, which needs no enable_grad."""
    grad = torch.func.grad(lambda v: log_prob(v, sigma).sum())(x.detach())
    return D(x, sigma) + scale * sigma**2 * grad


def right__06_classifier_guidance__vjp(D, log_prob, x, sigma, scale):
    """autograd.functional.vjp of the summed log probabilities, which switches gradients on by itself."""
    _, grad = torch.autograd.functional.vjp(lambda v: log_prob(v, sigma).sum(), x.detach())
    return D(x, sigma) + scale * sigma**2 * grad


def right__06_classifier_guidance__jacobian(D, log_prob, x, sigma, scale):
    """The whole Jacobian (B, B, *S), summed over its first axis: rows do not depend on each other."""
    jacobian = torch.autograd.functional.jacobian(lambda v: log_prob(v, sigma), x.detach())
    return D(x, sigma) + scale * sigma**2 * jacobian.sum(0)


def right__06_classifier_guidance__score(D, log_prob, x, sigma, scale):
    """Through the scores: the score of everything plus scale times the gradient, back to a denoiser."""
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    score = (D(x, sigma) - x) / sigma**2 + scale * grad
    return x + sigma**2 * score


def right__06_classifier_guidance__zero_shortcut(D, log_prob, x, sigma, scale):
    """Without a call of the classifier where the scale is 0."""
    x0 = D(x, sigma)
    if scale == 0:
        return x0
    with torch.enable_grad():
        x_in = x.detach().requires_grad_()
        grad = torch.autograd.grad(log_prob(x_in, sigma).sum(), x_in)[0]
    return x0 + scale * sigma**2 * grad


# ---------------------------------------------------------------- 06-drop_labels(labels, u, p, no_label)


def wrong__06_drop_labels__slip_greater(labels, u, p, no_label):
    """Drops where u is above p, so a share 1 - p is dropped."""
    return torch.where(u > p, no_label, labels)


def wrong__06_drop_labels__slip_swapped_where(labels, u, p, no_label):
    """The two branches of where are swapped."""
    return torch.where(u < p, labels, no_label)


def wrong__06_drop_labels__slip_one_minus_p(labels, u, p, no_label):
    """Compares with 1 - p."""
    return torch.where(u < 1 - p, no_label, labels)


def wrong__06_drop_labels__slip_own_random(labels, u, p, no_label):
    """Draws its own random numbers instead of using u."""
    return torch.where(torch.rand(len(labels)) < p, no_label, labels)


def wrong__06_drop_labels__slip_in_place(labels, u, p, no_label):
    """Overwrites the caller's labels."""
    labels[u < p] = no_label
    return labels


def wrong__06_drop_labels__slip_masked_fill_(labels, u, p, no_label):
    """masked_fill_ with the underscore works in place, on the caller's labels."""
    return labels.masked_fill_(u < p, no_label)


def wrong__06_drop_labels__slip_mask(labels, u, p, no_label):
    """Returns the mask of the dropped labels and not the labels."""
    return u < p


def wrong__06_drop_labels__slip_removed(labels, u, p, no_label):
    """Removes the dropped samples, so the result is shorter than the batch."""
    return labels[u >= p]


def wrong__06_drop_labels__slip_ten(labels, u, p, no_label):
    """The label 10 is written into the formula; with three classes "no label" is 3."""
    return torch.where(u < p, 10, labels)


def wrong__06_drop_labels__slip_minus_one(labels, u, p, no_label):
    """Uses -1 for "no label"."""
    return torch.where(u < p, -1, labels)


def wrong__06_drop_labels__slip_zero(labels, u, p, no_label):
    """Multiplies the dropped labels by 0, which makes them class 0."""
    return labels * (u >= p)


def wrong__06_drop_labels__slip_added(labels, u, p, no_label):
    """Adds no_label to the dropped labels instead of replacing them."""
    return labels + no_label * (u < p)


def wrong__06_drop_labels__slip_float(labels, u, p, no_label):
    """Returns floats, which cannot index an embedding."""
    drop = (u < p).float()
    return drop * no_label + (1 - drop) * labels


def wrong__06_drop_labels__slip_one_for_all(labels, u, p, no_label):
    """One comparison for the whole batch: all labels are dropped or none."""
    return torch.full_like(labels, no_label) if u[0] < p else labels.clone()


def wrong__06_drop_labels__slip_first_share(labels, u, p, no_label):
    """Drops the first share p of the batch, without looking at u."""
    out = labels.clone()
    out[: int(p * len(labels))] = no_label
    return out


def wrong__06_drop_labels__slip_none(labels, u, p, no_label):
    """where returns a new tensor, and it is not returned."""
    torch.where(u < p, no_label, labels)


def wrong__06_drop_labels__slip_unchanged(labels, u, p, no_label):
    """masked_fill without the underscore returns a new tensor, which is thrown away."""
    labels.masked_fill(u < p, no_label)
    return labels


def wrong__06_drop_labels__slip_numpy(labels, u, p, no_label):
    """Returns a numpy array and no tensor."""
    return np.where(u.numpy() < p, no_label, labels.numpy())


def wrong__06_drop_labels__slip_two(labels, u, p, no_label):
    """Two slips: the comparison the wrong way round and the dropped label one too high."""
    return torch.where(u > p, no_label + 1, labels)


def wrong__06_drop_labels__subtle_at_p(labels, u, p, no_label):
    """Drops at u = p as well: with p = 0 a sample with u = 0 loses its label."""
    return torch.where(u <= p, no_label, labels)


def wrong__06_drop_labels__subtle_highest_plus_one(labels, u, p, no_label):
    """Takes the largest label of the batch plus 1 for "no label": right only if the last class is in the batch."""
    return torch.where(u < p, labels.max() + 1, labels)


def wrong__06_drop_labels__subtle_p_or_default(labels, u, p, no_label):
    """`p or 0.1` turns p = 0, never drop, into 0.1."""
    return torch.where(u < (p or 0.1), no_label, labels)


def wrong__06_drop_labels__subtle_uint8(labels, u, p, no_label):
    """A detour through uint8: labels of 256 and more wrap around."""
    fill = torch.tensor(no_label).to(torch.uint8)
    return torch.where(u < p, fill, labels.to(torch.uint8)).to(labels.dtype)


def wrong__06_drop_labels__subtle_half(labels, u, p, no_label):
    """Arithmetic in float16, which cannot hold odd integers above 2048."""
    drop = (u < p).half()
    return (drop * no_label + (1 - drop) * labels.half()).to(labels.dtype)


def wrong__06_drop_labels__subtle_u_rounded(labels, u, p, no_label):
    """u is rounded to two decimals before the comparison."""
    return torch.where(u.round(decimals=2) < p, no_label, labels)


def wrong__06_drop_labels__subtle_keeps_class_zero(labels, u, p, no_label):
    """Class 0 is never dropped, since label 0 counts as false."""
    return torch.where((u < p) & labels.bool(), no_label, labels)


def wrong__06_drop_labels__subtle_keeps_one(labels, u, p, no_label):
    """If all labels were dropped it gives the first one back, so p = 1 does not drop all."""
    out = torch.where(u < p, no_label, labels)
    if bool((out == no_label).all()):
        out[0] = labels[0]
    return out


def wrong__06_drop_labels__subtle_exact_share(labels, u, p, no_label):
    """Drops exactly the round(p B) samples with the smallest u: the right share, but not the ones below p."""
    out = labels.clone()
    out[u.argsort()[: round(p * len(labels))]] = no_label
    return out


def wrong__06_drop_labels__slip_bernoulli(labels, u, p, no_label):
    """bernoulli draws from the global generator: the right law, but not the samples that u selects."""
    drop = torch.bernoulli(torch.full(labels.shape, float(p))).bool()
    return torch.where(drop, no_label, labels)


def wrong__06_drop_labels__subtle_squeeze(labels, u, p, no_label):
    """squeeze() turns the answer for a batch of one into shape ()."""
    return torch.where(u < p, no_label, labels).squeeze()


def wrong__06_drop_labels__subtle_cached_mask(labels, u, p, no_label, _memo={}):
    """Keeps the mask by batch size and p, so the same rows are dropped in every step of training."""
    key = (len(labels), p)
    if key not in _memo:
        _memo[key] = u < p
    return torch.where(_memo[key], no_label, labels)


def wrong__06_drop_labels__subtle_alias_in_place(labels, u, p, no_label):
    """`out = labels` is no copy: the caller's labels change with it."""
    out = labels
    for i in torch.nonzero(u < p).flatten().tolist():
        out[i] = no_label
    return out


def right__06_drop_labels__masked_fill(labels, u, p, no_label):
    """masked_fill, out of place."""
    return labels.masked_fill(u < p, no_label)


def right__06_drop_labels__clone_and_index(labels, u, p, no_label):
    """A copy, and an assignment through the mask."""
    out = labels.clone()
    out[u < p] = no_label
    return out


def right__06_drop_labels__arithmetic(labels, u, p, no_label):
    """Integer arithmetic with the mask as 0 and 1."""
    drop = (u < p).to(labels.dtype)
    return labels + drop * (no_label - labels)


def right__06_drop_labels__gather(labels, u, p, no_label):
    """gather from a table of both choices."""
    both = torch.stack([labels, torch.full_like(labels, no_label)], dim=1)
    return both.gather(1, (u < p).long()[:, None])[:, 0]


def right__06_drop_labels__python_loop(labels, u, p, no_label):
    """A list comprehension over the comparisons."""
    chosen = [no_label if drop else y for y, drop in zip(labels.tolist(), (u < p).tolist())]
    return torch.tensor(chosen, dtype=labels.dtype, device=labels.device)


def right__06_drop_labels__keep(labels, u, p, no_label):
    """The condition the other way round: keep where u >= p."""
    return torch.where(torch.ge(u, p), labels, torch.full_like(labels, no_label))


@torch.no_grad()
def right__06_drop_labels__index_fill(labels, u, p, no_label):
    """index_fill at the positions that nonzero finds, under no_grad."""
    return labels.index_fill(0, (u < p).nonzero().squeeze(1), no_label)


def right__06_drop_labels__scatter(labels, u, p, no_label, dropped=None):
    """index_put, out of place, with an extra argument that has a default."""
    dropped = torch.lt(u, p) if dropped is None else dropped
    return labels.index_put((dropped,), labels.new_tensor(no_label))


# ---------------------------------------------------------------- 06-cfg(model, x, sigma, y, w, no_label)


def wrong__06_cfg__slip_paper_scale(model, x, sigma, y, w, no_label):
    """Ho and Salimans's (1 + w) D_c - w D_u: their w is ours minus 1."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, torch.full_like(y, no_label))
    return (1 + w) * D_c - w * D_u


def wrong__06_cfg__slip_sign(model, x, sigma, y, w, no_label):
    """The difference the wrong way round: guides away from the class."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, torch.full_like(y, no_label))
    return D_u + w * (D_u - D_c)


def wrong__06_cfg__slip_swapped(model, x, sigma, y, w, no_label):
    """D_c and D_u are swapped everywhere: w = 1 gives the answer without label."""
    D_u, D_c = model(x, sigma, y), model(x, sigma, torch.full_like(y, no_label))
    return D_u + w * (D_c - D_u)


def wrong__06_cfg__slip_minus_difference(model, x, sigma, y, w, no_label):
    """D_c + w (D_u - D_c): starts at the wrong end."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, torch.full_like(y, no_label))
    return D_c + w * (D_u - D_c)


def wrong__06_cfg__slip_brackets(model, x, sigma, y, w, no_label):
    """Brackets are missing: D_u + w D_c - D_u is w D_c."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, torch.full_like(y, no_label))
    return D_u + w * D_c - D_u


def wrong__06_cfg__slip_no_base(model, x, sigma, y, w, no_label):
    """Returns the weighted difference alone."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, torch.full_like(y, no_label))
    return w * (D_c - D_u)


def wrong__06_cfg__slip_w_minus_one_base_u(model, x, sigma, y, w, no_label):
    """D_u + (w - 1)(D_c - D_u): with w - 1 the base must be D_c."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, torch.full_like(y, no_label))
    return D_u + (w - 1) * (D_c - D_u)


def wrong__06_cfg__slip_both_conditional(model, x, sigma, y, w, no_label):
    """Both calls get y, so nothing is left of the difference."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, y)
    return D_u + w * (D_c - D_u)


def wrong__06_cfg__slip_none_label(model, x, sigma, y, w, no_label):
    """Passes None for "no label"; the model wants labels of shape (B,)."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, None)
    return D_u + w * (D_c - D_u)


def wrong__06_cfg__slip_int_label(model, x, sigma, y, w, no_label):
    """Passes the bare integer no_label, not one label per sample."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, no_label)
    return D_u + w * (D_c - D_u)


def wrong__06_cfg__slip_one_label(model, x, sigma, y, w, no_label):
    """Passes one label of shape (1,) for the whole batch."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, torch.tensor([no_label]))
    return D_u + w * (D_c - D_u)


def wrong__06_cfg__slip_column_labels(model, x, sigma, y, w, no_label):
    """Passes labels of shape (B, 1)."""
    empty = torch.full((len(y), 1), no_label)
    D_c, D_u = model(x, sigma, y[:, None]), model(x, sigma, empty)
    return D_u + w * (D_c - D_u)


def wrong__06_cfg__slip_float_labels(model, x, sigma, y, w, no_label):
    """Makes the labels with x's dtype: floats cannot index an embedding."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, x.new_full((len(x),), float(no_label)))
    return D_u + w * (D_c - D_u)


def wrong__06_cfg__slip_label_zero(model, x, sigma, y, w, no_label):
    """zeros_like: label 0 is a class and not "no label"."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, torch.zeros_like(y))
    return D_u + w * (D_c - D_u)


def wrong__06_cfg__slip_label_ten(model, x, sigma, y, w, no_label):
    """The label 10 is written into the call; the mixture's "no label" is 3."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, torch.full_like(y, 10))
    return D_u + w * (D_c - D_u)


def wrong__06_cfg__slip_argument_order(model, x, sigma, y, w, no_label):
    """The model is called with (x, labels, sigma)."""
    D_c, D_u = model(x, y, sigma), model(x, torch.full_like(y, no_label), sigma)
    return D_u + w * (D_c - D_u)


def wrong__06_cfg__slip_fill_in_place(model, x, sigma, y, w, no_label):
    """fill_ overwrites the caller's y."""
    D_c = model(x, sigma, y)
    D_u = model(x, sigma, y.fill_(no_label))
    return D_u + w * (D_c - D_u)


def wrong__06_cfg__slip_returns_eps(model, x, sigma, y, w, no_label):
    """Returns eps_w = (x - D_w) / sigma instead of D_w."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, torch.full_like(y, no_label))
    return (x - (D_u + w * (D_c - D_u))) / sigma


def wrong__06_cfg__slip_interleaved(model, x, sigma, y, w, no_label):
    """One doubled batch, but x is repeated row by row and the labels block by block."""
    labels = torch.cat([y, torch.full_like(y, no_label)])
    D_c, D_u = model(x.repeat_interleave(2, 0), sigma, labels).chunk(2)
    return D_u + w * (D_c - D_u)


def wrong__06_cfg__slip_halves_swapped(model, x, sigma, y, w, no_label):
    """One doubled batch whose halves are unpacked in the wrong order."""
    labels = torch.cat([y, torch.full_like(y, no_label)])
    D_u, D_c = model(torch.cat([x, x]), sigma, labels).chunk(2)
    return D_u + w * (D_c - D_u)


def wrong__06_cfg__slip_tuple(model, x, sigma, y, w, no_label):
    """Returns both answers as a pair and leaves the combination out."""
    return model(x, sigma, y), model(x, sigma, torch.full_like(y, no_label))


def wrong__06_cfg__slip_cuda(model, x, sigma, y, w, no_label):
    """The labels for "no label" are put on "cuda", whatever device y is on."""
    empty = torch.full((len(y),), no_label, device="cuda")
    D_c, D_u = model(x, sigma, y), model(x, sigma, empty)
    return D_u + w * (D_c - D_u)


def wrong__06_cfg__slip_numpy(model, x, sigma, y, w, no_label):
    """Returns a numpy array and no tensor."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, torch.full_like(y, no_label))
    return (D_u + w * (D_c - D_u)).detach().numpy()


def wrong__06_cfg__subtle_int_w(model, x, sigma, y, w, no_label):
    """int(w) cuts 0.5 down to 0, 1.5 to 1 and 7.5 to 7."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, torch.full_like(y, no_label))
    return D_u + int(w) * (D_c - D_u)


def wrong__06_cfg__subtle_at_least_one(model, x, sigma, y, w, no_label):
    """w below 1 is treated as 1, though w = 0 must give the answer without label."""
    D_c = model(x, sigma, y)
    if w <= 1:
        return D_c
    D_u = model(x, sigma, torch.full_like(y, no_label))
    return D_u + w * (D_c - D_u)


def wrong__06_cfg__subtle_not_negative(model, x, sigma, y, w, no_label):
    """A negative w, which guides away from the class, is cut to 0."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, torch.full_like(y, no_label))
    return D_u + max(w, 0) * (D_c - D_u)


def wrong__06_cfg__subtle_w_or_one(model, x, sigma, y, w, no_label):
    """`if not w` takes w = 0 for "no guidance", which is w = 1 here."""
    D_c = model(x, sigma, y)
    if not w:
        return D_c
    D_u = model(x, sigma, torch.full_like(y, no_label))
    return D_u + w * (D_c - D_u)


def wrong__06_cfg__subtle_weak_is_none(model, x, sigma, y, w, no_label):
    """Within 0.5 of w = 1 the guidance is left out, though w = 1.5 is a usual scale."""
    D_c = model(x, sigma, y)
    if abs(w - 1) <= 0.5:
        return D_c
    D_u = model(x, sigma, torch.full_like(y, no_label))
    return D_u + w * (D_c - D_u)


def wrong__06_cfg__subtle_w_capped(model, x, sigma, y, w, no_label):
    """w is capped at 5."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, torch.full_like(y, no_label))
    return D_u + min(w, 5.0) * (D_c - D_u)


def wrong__06_cfg__slip_clipped(model, x, sigma, y, w, no_label):
    """The answer is clipped to the range of images; D_w may lie outside, and the mixture's data do."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, torch.full_like(y, no_label))
    return (D_u + w * (D_c - D_u)).clamp(-1, 1)


def wrong__06_cfg__slip_rescaled(model, x, sigma, y, w, no_label):
    """The answer is scaled back to the spread of D_c ("rescaled guidance"), which is not asked for."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, torch.full_like(y, no_label))
    D_w = D_u + w * (D_c - D_u)
    return D_w * D_c.std() / D_w.std()


def wrong__06_cfg__subtle_limited_interval(model, x, sigma, y, w, no_label):
    """Guides only for 0.05 < sigma <= 50 ("limited interval"), which is not asked for."""
    D_c = model(x, sigma, y)
    if not 0.05 < sigma <= 50:
        return D_c
    D_u = model(x, sigma, torch.full_like(y, no_label))
    return D_u + w * (D_c - D_u)


def wrong__06_cfg__subtle_highest_label(model, x, sigma, y, w, no_label):
    """Takes the largest wanted class plus 1 for "no label": right only if the last class is wanted."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, torch.full_like(y, int(y.max()) + 1))
    return D_u + w * (D_c - D_u)


def wrong__06_cfg__subtle_cached(model, x, sigma, y, w, no_label, _memo={}):
    """Keeps D_u by sigma and shape, so another x or another model at this sigma gets the old one."""
    key = (float(sigma), tuple(x.shape), x.dtype)
    if key not in _memo:
        _memo[key] = model(x, sigma, torch.full_like(y, no_label))
    return _memo[key] + w * (model(x, sigma, y) - _memo[key])


def wrong__06_cfg__subtle_eps_detour(model, x, sigma, y, w, no_label):
    """Through eps with 1e-5 in the denominator only, which counts at sigma = 0.002."""
    eps_c = (x - model(x, sigma, y)) / (sigma + 1e-5)
    eps_u = (x - model(x, sigma, torch.full_like(y, no_label))) / (sigma + 1e-5)
    return x - sigma * (eps_u + w * (eps_c - eps_u))


def wrong__06_cfg__subtle_float32(model, x, sigma, y, w, no_label):
    """The combination takes a detour through float32."""
    D_c, D_u = model(x, sigma, y), model(x, sigma, torch.full_like(y, no_label))
    return (D_u.float() + w * (D_c.float() - D_u.float())).to(x.dtype)


def wrong__06_cfg__subtle_in_place_answer(model, x, sigma, y, w, no_label):
    """Works in place on the model's answers: a model that keeps or reuses its answer is damaged."""
    D_u = model(x, sigma, torch.full_like(y, no_label))
    D_c = model(x, sigma, y)
    return D_c.sub_(D_u).mul_(w).add_(D_u)


def right__06_cfg__weights(model, x, sigma, y, w, no_label):
    """The two weights w and 1 - w."""
    empty = torch.full_like(y, no_label)
    return w * model(x, sigma, y) + (1 - w) * model(x, sigma, empty)


def right__06_cfg__lerp(model, x, sigma, y, w, no_label):
    """torch.lerp from D_u to D_c; it extrapolates for w outside 0..1."""
    return torch.lerp(model(x, sigma, y.new_full(y.shape, no_label)), model(x, sigma, y), w)


def right__06_cfg__double_batch(model, x, sigma, y, w, no_label):
    """One call of the model on a doubled batch."""
    labels = torch.cat([y, torch.full_like(y, no_label)])
    D_c, D_u = model(torch.cat([x, x]), sigma, labels).chunk(2)
    return D_u + w * (D_c - D_u)


def right__06_cfg__paper_form(model, x, sigma, y, w, no_label):
    """The paper's formula, with its own w' = w - 1."""
    w_paper = w - 1
    D_c = model(x, sigma, y)
    D_u = model(x, sigma, torch.tensor([no_label] * len(y), dtype=y.dtype, device=y.device))
    return (1 + w_paper) * D_c - w_paper * D_u


def right__06_cfg__from_conditional(model, x, sigma, y, w, no_label):
    """From D_c on: D_c + (w - 1)(D_c - D_u)."""
    D_u = model(x, sigma, y * 0 + no_label)
    D_c = model(x, sigma, y)
    return D_c + (w - 1) * (D_c - D_u)


def right__06_cfg__shortcuts(model, x, sigma, y, w, no_label):
    """Only one call where w is 0 or 1."""
    if w == 1:
        return model(x, sigma, y)
    base = model(x, sigma, torch.full_like(y, no_label))
    return base if w == 0 else base + w * (model(x, sigma, y) - base)


def right__06_cfg__einsum(model, x, sigma, y, w, no_label):
    """An einsum over both answers."""
    answers = torch.stack([model(x, sigma, label) for label in (torch.full_like(y, no_label), y)])
    return torch.einsum("k,k...->...", answers.new_tensor([1 - w, w]), answers)


@torch.no_grad()
def right__06_cfg__eps_form(model, x, sigma, y, w, no_label):
    """The combination in eps, back to D at the end, under no_grad, in float64 inside."""
    x64 = x.double()
    eps_u = (x64 - model(x, sigma, torch.empty_like(y).fill_(no_label)).double()) / sigma
    eps_c = (x64 - model(x, sigma, y).double()) / sigma
    return (x64 - sigma * (eps_u + w * (eps_c - eps_u))).to(x.dtype)


def right__06_cfg__keyword(model, x, sigma, y, w, no_label):
    """Calls the model with labels= by name, as the notebook's own models and networks call that argument."""
    D_u = model(x, sigma, labels=torch.full_like(y, fill_value=no_label))
    D_c = model(x, sigma, labels=y)
    return torch.add(D_u, D_c - D_u, alpha=w)


def wrong__06_cfg__ten_at_most(model, x, sigma, y, w, no_label):
    """w may be 40."""
    cond, uncond = model(x, sigma, y), model(x, sigma, torch.full_like(y, no_label))
    return uncond + min(w, 10) * (cond - uncond)


def wrong__06_conditional_loss__row_by_row(model, x0, labels, sigma, eps, u, p, no_label):
    """The model is called once a sample, where the text says once."""
    errors = []
    for i in range(len(x0)):
        y = labels[i : i + 1] if u[i] >= p else torch.full_like(labels[:1], no_label)
        x = x0[i : i + 1] + sigma[i] * eps[i : i + 1]
        errors.append((((x - model(x, sigma[i : i + 1], y)) / sigma[i] - eps[i]) ** 2).mean())
    return torch.stack(errors).mean()
