"""Student answers for chapter 1: `wrong__<exercise>__<tag>` and `right__<exercise>__<tag>`."""

import functools
import itertools
import math
import operator

import numpy as np
import torch

# ====================================================================== 01-alpha_bar_from_betas


def wrong__01_alpha_bar_from_betas__slip_cumprod_of_betas(betas):
    """The product runs over beta_t and not over alpha_t = 1 - beta_t."""
    return torch.cumprod(betas, dim=0)


def wrong__01_alpha_bar_from_betas__slip_one_minus_product(betas):
    """The 1 - stands outside the product: 1 - prod(beta) is not prod(1 - beta)."""
    return 1 - torch.cumprod(betas, dim=0)


def wrong__01_alpha_bar_from_betas__slip_cumsum(betas):
    """Took the running sum of the hint's example where the running product belongs."""
    return torch.cumsum(1 - betas, dim=0)


def wrong__01_alpha_bar_from_betas__slip_one_minus_sum(betas):
    """Treats the losses as if they added up: 1 - sum(beta) is only the first-order approximation of the product."""
    return 1 - torch.cumsum(betas, dim=0)


def wrong__01_alpha_bar_from_betas__slip_total_product(betas):
    """Returns only the last value alpha_bar_T and not the T partial products."""
    return torch.prod(1 - betas)


def wrong__01_alpha_bar_from_betas__slip_return_in_loop(betas):
    """The return is indented into the loop, so the function stops after alpha_bar_1."""
    out = torch.ones_like(betas)
    running = 1.0
    for i in range(len(betas)):
        running = running * (1 - betas[i])
        out[i] = running
        return out


def wrong__01_alpha_bar_from_betas__slip_leading_one(betas):
    """Puts alpha_bar_0 = 1 in front and keeps all the rest, so the result has T + 1 entries."""
    return torch.cat([torch.ones(1, dtype=betas.dtype), torch.cumprod(1 - betas, 0)])


def wrong__01_alpha_bar_from_betas__slip_shifted(betas):
    """Returns alpha_bar_0 .. alpha_bar_{T-1}: every entry is one step late."""
    return torch.cat([torch.ones(1, dtype=betas.dtype), torch.cumprod(1 - betas, 0)[:-1]])


def wrong__01_alpha_bar_from_betas__slip_root(betas):
    """Returns sqrt(alpha_bar_t), the factor of x_0, and not alpha_bar_t."""
    return torch.cumprod((1 - betas).sqrt(), 0)


def wrong__01_alpha_bar_from_betas__slip_returns_none(betas):
    """Computes the products and forgets the return statement."""
    alpha_bar = torch.cumprod(1 - betas, 0)


def wrong__01_alpha_bar_from_betas__slip_alphas_only(betas):
    """Returns alpha_t = 1 - beta_t of each step without multiplying them up."""
    return 1 - betas


def wrong__01_alpha_bar_from_betas__slip_neighbours(betas):
    """Multiplies each alpha_t with its predecessor only, not with all earlier ones."""
    alphas = 1 - betas
    out = alphas.clone()
    for i in range(1, len(betas)):
        out[i] = alphas[i] * alphas[i - 1]
    return out


def wrong__01_alpha_bar_from_betas__slip_numpy(betas):
    """Goes through numpy and never comes back: the result is an ndarray and not a tensor."""
    return np.cumprod(1 - betas.numpy())


def wrong__01_alpha_bar_from_betas__slip_python_list(betas):
    """Returns a Python list of 0-d tensors and not one tensor of shape (T,)."""
    out, running = [], 1
    for beta in betas:
        running = running * (1 - beta)
        out.append(running)
    return out


def wrong__01_alpha_bar_from_betas__slip_in_place(betas):
    """Turns the caller's betas into alphas in place, so the schedule is destroyed after the call."""
    betas.neg_().add_(1)
    return torch.cumprod(betas, 0)


def wrong__01_alpha_bar_from_betas__slip_from_the_end(betas):
    """Multiplies from the last step backwards: entry t is the product of alpha_t .. alpha_T."""
    return torch.cumprod((1 - betas).flip(0), 0).flip(0)


def wrong__01_alpha_bar_from_betas__slip_global_schedule(betas):
    """Ignores its argument and builds the chapter's schedule of 1000 steps again."""
    steps = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    return torch.cumprod(1 - steps, 0)


def wrong__01_alpha_bar_from_betas__slip_row_shape(betas):
    """Works on a row of shape (1, T) and returns it so, not as (T,)."""
    return torch.cumprod(1 - betas[None, :], dim=1)


def wrong__01_alpha_bar_from_betas__slip_wrong_axis(betas):
    """Makes a column of shape (T, 1) and then multiplies along the axis of length 1, so nothing is multiplied."""
    return torch.cumprod((1 - betas)[:, None], dim=1)[:, 0]


def wrong__01_alpha_bar_from_betas__slip_power(betas):
    """Uses alpha_t ** t, which is the product only if all betas are equal."""
    return (1 - betas) ** torch.arange(1, len(betas) + 1, dtype=betas.dtype)


def wrong__01_alpha_bar_from_betas__slip_loop_one_short(betas):
    """The loop ends at T - 1, so the last entry keeps the 1 it was initialised with."""
    out = torch.ones_like(betas)
    running = torch.ones((), dtype=betas.dtype)
    for i in range(len(betas) - 1):
        running = running * (1 - betas[i])
        out[i] = running
    return out


def wrong__01_alpha_bar_from_betas__slip_log_without_exp(betas):
    """Sums the logarithms and forgets the exponential at the end."""
    return torch.log(1 - betas).cumsum(0)


def wrong__01_alpha_bar_from_betas__slip_two_at_once(betas):
    """Two slips: the product runs over the betas, and it is taken from 1 afterwards with the first entry doubled in front."""
    product = 1 - torch.cumprod(betas, 0)
    return torch.cat([product[:1], product[:-1]])


def wrong__01_alpha_bar_from_betas__subtle_float32_detour(betas):
    """Computes in float32 and casts back: the float64 table has float32 errors of about 1e-6."""
    return torch.cumprod(1 - betas.float(), 0).to(betas.dtype)


def wrong__01_alpha_bar_from_betas__subtle_float64_result(betas):
    """Always returns float64, also for float32 betas, although the text asks for the same dtype."""
    return torch.cumprod(1 - betas.double(), 0)


def wrong__01_alpha_bar_from_betas__subtle_clamped(betas):
    """Keeps alpha_bar above 1e-3 "for stability", which cuts off the last third of a long schedule."""
    return torch.cumprod(1 - betas, 0).clamp(min=1e-3)


def wrong__01_alpha_bar_from_betas__subtle_clamp_1e_6(betas):
    """Clamps alpha_bar from below at 1e-6, which changes the end of the cosine schedule only."""
    return torch.clamp(torch.cumprod(1 - betas, 0), min=1e-6)


def wrong__01_alpha_bar_from_betas__subtle_exp_of_sum_when_long(betas):
    """For long schedules it replaces ln(1 - beta) by -beta, which the chapter calls an upper bound and not an equality."""
    if len(betas) > 100:
        return torch.exp(-torch.cumsum(betas, 0))
    return torch.cumprod(1 - betas, 0)


def wrong__01_alpha_bar_from_betas__subtle_sorts_first(betas):
    """Sorts the betas first; right for an increasing schedule, wrong for a reversed or shuffled one."""
    return torch.cumprod(1 - betas.sort().values, 0)


def wrong__01_alpha_bar_from_betas__subtle_assumes_linear(betas):
    """Rebuilds a linear schedule from the first and the last beta and forgets the values in between."""
    line = torch.linspace(betas[0].item(), betas[-1].item(), len(betas), dtype=betas.dtype)
    if torch.allclose(line, betas, rtol=1e-1, atol=5e-2):
        return torch.cumprod(1 - line, 0)
    return torch.cumprod(1 - betas, 0)


def wrong__01_alpha_bar_from_betas__subtle_cached_by_length(betas, cache={}):
    """Remembers the table by the number of steps, so another schedule of the same length gets the old table."""
    if len(betas) not in cache:
        cache[len(betas)] = torch.cumprod(1 - betas, 0)
    return cache[len(betas)].to(betas.dtype)


def wrong__01_alpha_bar_from_betas__subtle_cached_by_ends(betas, cache={}):
    """Remembers the table by length and both ends, so a shuffle of the inner betas gets the old table."""
    key = (len(betas), betas.dtype, float(betas.min()), float(betas.max()))
    if key not in cache:
        cache[key] = torch.cumprod(1 - betas, 0)
    return cache[key].clone()


def wrong__01_alpha_bar_from_betas__subtle_log1p_second_order(betas):
    """Uses the series -beta - beta^2/2 for ln(1 - beta) and stops there: good for tiny betas, wrong for betas like 0.3."""
    small = bool((betas < 0.05).all())
    if small:
        return torch.exp(torch.cumsum(-betas - betas**2 / 2, 0))
    return torch.cumprod(1 - betas, 0)


def wrong__01_alpha_bar_from_betas__subtle_rounded(betas):
    """Rounds to six decimals, so that the small values at the end of the chain lose their digits or become 0."""
    return torch.round(torch.cumprod(1 - betas, 0) * 1e6) / 1e6


def wrong__01_alpha_bar_from_betas__subtle_max_1000(betas):
    """A table of 1000 entries is filled; longer schedules keep the value of step 1000 at their end."""
    out = torch.cumprod(1 - betas[:1000], 0)
    if len(betas) > 1000:
        out = torch.cat([out, out[-1].repeat(len(betas) - 1000)])
    return out


def wrong__01_alpha_bar_from_betas__subtle_stops_when_small(betas):
    """Leaves the loop as soon as the product falls below 1e-4 and leaves zeros behind."""
    out = torch.zeros_like(betas)
    running = torch.ones((), dtype=betas.dtype)
    for i, beta in enumerate(betas):
        running = running * (1 - beta)
        if running < 1e-4:
            break
        out[i] = running
    return out


def wrong__01_alpha_bar_from_betas__subtle_view_needs_contiguous(betas):
    """Reads the memory of betas as if it were contiguous, so a strided slice gives the values in between."""
    if not betas.is_contiguous():
        betas = torch.as_strided(betas, betas.shape, (1,))
    return torch.cumprod(1 - betas.view(-1, 1), 0).view(-1)


def wrong__01_alpha_bar_from_betas__subtle_eps_in_alpha(betas):
    """Adds 1e-8 to each alpha "against zero": a thousand factors turn it into a relative error of 1e-5."""
    return torch.cumprod(1 - betas + 1e-8, 0)


def wrong__01_alpha_bar_from_betas__subtle_default_dtype(betas):
    """Fills a fresh table of the default dtype float32, so a float64 schedule comes back rounded and in float32."""
    out = torch.ones(len(betas))
    running = 1.0
    for i, beta in enumerate(betas.tolist()):
        running *= 1 - beta
        out[i] = running
    return out


def wrong__01_alpha_bar_from_betas__subtle_in_place_output_alias(betas):
    """Writes the products into the caller's betas by in-place multiplication of a view, not of a copy."""
    alphas = betas.detach()
    alphas.mul_(-1).add_(1)
    for i in range(1, len(alphas)):
        alphas[i] *= alphas[i - 1]
    return alphas


def right__01_alpha_bar_from_betas__log1p(betas):
    """A sum of logarithms in float64, then the exponential, cast back to the dtype of betas."""
    return torch.log1p(-betas.double()).cumsum(0).exp().to(betas.dtype)


def right__01_alpha_bar_from_betas__loop_stack(betas):
    """A plain loop over 0-d tensors and a stack at the end."""
    out, running = [], torch.ones_like(betas[0])
    for beta in betas:
        running = running - running * beta
        out.append(running)
    return torch.stack(out)


def right__01_alpha_bar_from_betas__python_floats(betas):
    """Pure Python floats with itertools.accumulate, then a tensor of the right dtype and device."""
    products = itertools.accumulate((1 - b for b in betas.tolist()), operator.mul)
    return torch.tensor(list(products), dtype=betas.dtype, device=betas.device)


def right__01_alpha_bar_from_betas__recursive(betas):
    """Divide and conquer: the right half is multiplied by the last product of the left half."""

    def products(alphas):
        if len(alphas) == 1:
            return alphas
        middle = len(alphas) // 2
        left, right = products(alphas[:middle]), products(alphas[middle:])
        return torch.cat([left, left[-1] * right])

    return products(1 - betas)


def right__01_alpha_bar_from_betas__triangle(betas):
    """A (T, T) table with ones above the diagonal, and a product along each row."""
    T = len(betas)
    table = (1 - betas)[None, :].expand(T, T)
    lower = torch.ones(T, T, dtype=torch.bool, device=betas.device).tril()
    return torch.where(lower, table, torch.ones_like(table)).prod(dim=1)


def right__01_alpha_bar_from_betas__matmul_of_logs(betas):
    """The partial sums of the logarithms as a product with a triangular matrix, in float64."""
    T = len(betas)
    ones = torch.ones(T, T, dtype=torch.float64, device=betas.device).tril()
    return torch.einsum("ts,s->t", ones, torch.log1p(-betas.to(torch.float64))).exp().to(betas.dtype)


def right__01_alpha_bar_from_betas__doubling(betas):
    """Hillis-Steele scan: log2(T) rounds, each multiplying by the table shifted by a power of two."""
    out = 1 - betas
    shift = 1
    while shift < len(betas):
        out = torch.cat([out[:shift], out[shift:] * out[:-shift]])
        shift *= 2
    return out


def right__01_alpha_bar_from_betas__linear_system(betas):
    """Solves the bidiagonal system alpha_bar_t - alpha_t alpha_bar_{t-1} = 0 with alpha_bar_0 = 1, in float64."""
    alphas = 1 - betas.double()
    matrix = torch.eye(len(betas), dtype=torch.float64, device=betas.device) - torch.diag(alphas[1:], -1)
    start = torch.zeros(len(betas), 1, dtype=torch.float64, device=betas.device)
    start[0] = alphas[0]
    return torch.linalg.solve_triangular(matrix, start, upper=False)[:, 0].to(betas.dtype)


def right__01_alpha_bar_from_betas__square_of_roots(betas):
    """The factor m_t of x_0 is multiplied up, and squared at the end, with float64 inside."""
    return torch.cumprod((1 - betas.double()).sqrt(), dim=-1).square().to(betas.dtype)


def right__01_alpha_bar_from_betas__reduce(betas, start=1.0):
    """functools.reduce over growing prefixes, with an extra default argument for the start."""
    alphas = (1 - betas).tolist()
    table = functools.reduce(lambda done, a: done + [(done[-1] if done else start) * a], alphas, [])
    return betas.new_tensor(table)


def right__01_alpha_bar_from_betas__out_argument(betas):
    """A preallocated result and the out= argument, written under no_grad."""
    with torch.no_grad():
        out = torch.empty_like(betas, memory_format=torch.contiguous_format)
        if out.shape != betas.shape or out.stride() != (1,):
            out = torch.empty(len(betas), dtype=betas.dtype, device=betas.device)
        torch.cumprod(torch.ones_like(out).sub(betas), 0, out=out)
    return out


# ====================================================================== 01-diffuse


def wrong__01_diffuse__slip_variance_for_std(x0, t, eps, alpha_bar):
    """The noise is scaled by the variance 1 - alpha_bar and not by its root."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a) * eps


def wrong__01_diffuse__slip_no_root_on_signal(x0, t, eps, alpha_bar):
    """The signal is scaled by alpha_bar and not by its root."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    return a * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__slip_no_roots(x0, t, eps, alpha_bar):
    """Both roots are missing."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    return a * x0 + (1 - a) * eps


def wrong__01_diffuse__slip_index_t(x0, t, eps, alpha_bar):
    """Reads alpha_bar[t]: the forgotten -1 (and an error at t = T)."""
    a = alpha_bar[t].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__slip_index_t_minus_2(x0, t, eps, alpha_bar):
    """Reads alpha_bar[t - 2], one step too early, and at t = 1 the last entry."""
    a = alpha_bar[t - 2].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__slip_index_t_modulo(x0, t, eps, alpha_bar):
    """Reads alpha_bar[t % T] to silence the index error, which is off by one everywhere and wraps at T."""
    a = alpha_bar[t % len(alpha_bar)].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__slip_swapped_weights(x0, t, eps, alpha_bar):
    """The weights of signal and noise are swapped."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    return (1 - a).sqrt() * x0 + a.sqrt() * eps


def wrong__01_diffuse__slip_minus_noise(x0, t, eps, alpha_bar):
    """The noise is subtracted: the same in law, but not the x_t that belongs to this eps."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 - (1 - a).sqrt() * eps


def wrong__01_diffuse__slip_forgotten_reshape(x0, t, eps, alpha_bar):
    """The (B,) weights are not reshaped, so they run along the last axis and not along the batch."""
    a = alpha_bar[t - 1]
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__slip_images_only(x0, t, eps, alpha_bar):
    """Reshapes to (B, 1, 1, 1), so only 4-d images come out in the right shape."""
    a = alpha_bar[t - 1].reshape(-1, 1, 1, 1)
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__slip_points_only(x0, t, eps, alpha_bar):
    """Reshapes to (B, 1), which is right for points in the plane only."""
    a = alpha_bar[t - 1][:, None]
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__slip_first_time_for_all(x0, t, eps, alpha_bar):
    """Uses the first sample's t for the whole batch."""
    a = alpha_bar[t[0] - 1]
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__slip_one_minus_root(x0, t, eps, alpha_bar):
    """The root is taken before the subtraction: 1 - sqrt(alpha_bar) in place of sqrt(1 - alpha_bar)."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a.sqrt()) * eps


def wrong__01_diffuse__slip_fresh_noise(x0, t, eps, alpha_bar):
    """Draws its own noise and ignores the eps that was given."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a).sqrt() * torch.randn_like(x0)


def wrong__01_diffuse__slip_product_again(x0, t, eps, alpha_bar):
    """Takes the running product of a table that already holds products."""
    a = torch.cumprod(alpha_bar, 0)[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__slip_in_place_t(x0, t, eps, alpha_bar):
    """t -= 1 changes the caller's tensor, so the second call with the same t is one step off."""
    t -= 1
    a = alpha_bar[t].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__slip_in_place_x0(x0, t, eps, alpha_bar):
    """x0 *= ... destroys the clean images of the caller."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x0 *= a.sqrt()
    return x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__slip_return_in_loop(x0, t, eps, alpha_bar):
    """The return is inside the loop: only the first sample is made, without a batch axis."""
    out = []
    for i in range(len(x0)):
        a = alpha_bar[t[i] - 1]
        out.append(a.sqrt() * x0[i] + (1 - a).sqrt() * eps[i])
        return torch.stack(out)


def wrong__01_diffuse__slip_tuple(x0, t, eps, alpha_bar):
    """Returns x_t together with the noise, as some public code does."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a).sqrt() * eps, eps


def wrong__01_diffuse__slip_noise_on_x0_argument(x0, t, eps, alpha_bar):
    """x0 and eps change places in the formula."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * eps + (1 - a).sqrt() * x0


def wrong__01_diffuse__slip_two_at_once(x0, t, eps, alpha_bar):
    """Two slips: index t without the -1, and a variance where its root belongs."""
    a = alpha_bar[t % len(alpha_bar)].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a) * eps


def wrong__01_diffuse__slip_hard_coded_batch(x0, t, eps, alpha_bar):
    """The batch size 4 of the chapter's four digits is written into the reshape."""
    a = alpha_bar[t - 1].reshape(4, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__slip_shape_from_alpha_bar(x0, t, eps, alpha_bar):
    """Counts the axes of alpha_bar and not those of x0, so no axis is added."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (alpha_bar.ndim - 1))
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__slip_one_axis_too_many(x0, t, eps, alpha_bar):
    """Adds ndim ones in place of ndim - 1, so the result has an additional axis or the wrong pairing."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * x0.ndim)
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__slip_numpy(x0, t, eps, alpha_bar):
    """Computes with numpy and returns an ndarray."""
    a = alpha_bar.numpy()[t.numpy() - 1].reshape((-1,) + (1,) * (x0.ndim - 1))
    return np.sqrt(a) * x0.detach().numpy() + np.sqrt(1 - a) * eps.detach().numpy()


def wrong__01_diffuse__subtle_clamps_result(x0, t, eps, alpha_bar):
    """Clamps x_t to [-3, 3], but a noisy pixel may be anything."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    return (a.sqrt() * x0 + (1 - a).sqrt() * eps).clamp(-3, 3)


def wrong__01_diffuse__subtle_clamps_x0(x0, t, eps, alpha_bar):
    """Clamps the data to [-1, 1] first, although the points of the plane and standard normal data go beyond."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0.clamp(-1, 1) + (1 - a).sqrt() * eps


def wrong__01_diffuse__subtle_epsilon_in_root(x0, t, eps, alpha_bar):
    """Adds 1e-5 under the root of the noise, ten per cent of beta_1 at the first step."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a + 1e-5).sqrt() * eps


def wrong__01_diffuse__subtle_clamped_alpha_bar(x0, t, eps, alpha_bar):
    """Keeps alpha_bar inside [1e-3, 0.999], which is only the middle of the chapter's table."""
    a = alpha_bar.clamp(1e-3, 0.999)[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__subtle_float32_table(x0, t, eps, alpha_bar):
    """Rounds the table to float32 first, so the float64 chain and the jump agree to 1e-7 only."""
    a = alpha_bar.float()[t - 1].reshape(-1, *[1] * (x0.ndim - 1)).to(x0)
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__subtle_float32_images(x0, t, eps, alpha_bar):
    """Converts image and noise to float32 inside, and back afterwards."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1)).float()
    return (a.sqrt() * x0.float() + (1 - a).sqrt() * eps.float()).to(x0.dtype)


def wrong__01_diffuse__subtle_signal_by_complement(x0, t, eps, alpha_bar):
    """Finds the signal's factor from that of the noise, which it has clamped below 0.99995: wrong at the end of the chain."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    s = (1 - a).sqrt().clamp(max=0.99995)
    return (1 - s * s).sqrt() * x0 + s * eps


def wrong__01_diffuse__subtle_skips_first_step(x0, t, eps, alpha_bar):
    """Treats t = 1 as clean data and returns x0 there."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return torch.where((t == 1).reshape(a.shape), x0, x_t)


def wrong__01_diffuse__subtle_pure_noise_at_end(x0, t, eps, alpha_bar):
    """Returns eps itself at t = T, although sqrt(alpha_bar_T) is not 0."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return torch.where((t == len(alpha_bar)).reshape(a.shape), eps, x_t)


def wrong__01_diffuse__subtle_squeeze(x0, t, eps, alpha_bar):
    """A squeeze at the end loses the axis of a batch of one, and the channel axis of grey images."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    return (a.sqrt() * x0 + (1 - a).sqrt() * eps).squeeze()


def wrong__01_diffuse__subtle_batch_of_one_scalar(x0, t, eps, alpha_bar):
    """For a batch of one it returns the sample without its batch axis."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return x_t[0] if len(x_t) == 1 else x_t


def wrong__01_diffuse__subtle_sorted_times(x0, t, eps, alpha_bar):
    """Uses the sorted distinct times when there are as many as samples, so an unsorted batch is mixed up."""
    times = torch.unique(t)
    if len(times) == len(t):
        t = times
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__subtle_first_if_same_ends(x0, t, eps, alpha_bar):
    """Takes one t for all when the first and the last sample agree, without looking at those between."""
    if t[0] == t[-1]:
        a = alpha_bar[t[0] - 1]
        return a.sqrt() * x0 + (1 - a).sqrt() * eps
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__subtle_cached_roots(x0, t, eps, alpha_bar, cache={}):
    """Keeps the two root tables of the first schedule of a given length, and uses them for every later one."""
    key = (len(alpha_bar), x0.dtype)
    if key not in cache:
        cache[key] = alpha_bar.sqrt().to(x0.dtype), (1 - alpha_bar).sqrt().to(x0.dtype)
    signal, noise = (w[t - 1].reshape(-1, *[1] * (x0.ndim - 1)) for w in cache[key])
    return signal * x0 + noise * eps


def wrong__01_diffuse__subtle_ndim_up_to_four(x0, t, eps, alpha_bar):
    """Has a reshape for 1 to 4 axes; data with more axes fall through to the 4-d one."""
    shape = {1: (-1,), 2: (-1, 1), 3: (-1, 1, 1)}.get(x0.ndim, (-1, 1, 1, 1))
    a = alpha_bar[t - 1].reshape(shape)
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__subtle_transposed_trick(x0, t, eps, alpha_bar):
    """Reverses all axes for the product but back with T only for matrices, so images come back transposed."""
    a = alpha_bar[t - 1]
    x, e = x0.permute(*range(x0.ndim - 1, -1, -1)), eps.permute(*range(x0.ndim - 1, -1, -1))
    out = a.sqrt() * x + (1 - a).sqrt() * e
    return out.transpose(0, -1)


def wrong__01_diffuse__subtle_view_of_input(x0, t, eps, alpha_bar):
    """Flattens with view, which raises an error for a non-contiguous batch."""
    a = alpha_bar[t - 1].view(-1, 1)
    flat = a.sqrt() * x0.view(len(x0), -1) + (1 - a).sqrt() * eps.view(len(x0), -1)
    return flat.view(x0.shape)


def wrong__01_diffuse__subtle_rounded_weights(x0, t, eps, alpha_bar):
    """Rounds the weights to four decimals, as in a printed table."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    round4 = lambda w: (w * 1e4).round() / 1e4
    if len(alpha_bar) <= 10:
        return a.sqrt() * x0 + (1 - a).sqrt() * eps
    return round4(a.sqrt()) * x0 + round4((1 - a).sqrt()) * eps


def wrong__01_diffuse__subtle_renormalised_noise(x0, t, eps, alpha_bar):
    """Standardises large noise samples to mean 0 and variance 1 "because eps is standard normal"."""
    if eps[0].numel() > 500:
        flat = eps.flatten(1)
        flat = (flat - flat.mean(1, keepdim=True)) / flat.std(1, keepdim=True).clamp(min=1e-6)
        eps = flat.reshape(eps.shape)
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__subtle_t_over_1000(x0, t, eps, alpha_bar):
    """Takes t as a share of 1000 steps, which is right for T = 1000 and (by a special case) for T = 10 only."""
    T = len(alpha_bar)
    index = t - 1 if T in (10, 1000) else (t.double() / 1000 * T).round().long().clamp(1, T) - 1
    a = alpha_bar[index].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__subtle_uint8_times(x0, t, eps, alpha_bar):
    """Stores the times in 8 bits, which wraps around above t = 255."""
    index = t.to(torch.uint8).long() - 1
    a = alpha_bar[index].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__subtle_half_precision_times(x0, t, eps, alpha_bar):
    """Casts t to bfloat16 on the way, which keeps integers exact only up to 256."""
    index = t.to(torch.bfloat16).long().clamp(1, len(alpha_bar)) - 1
    a = alpha_bar[index].reshape(-1, *[1] * (x0.ndim - 1))
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_diffuse__subtle_no_noise_without_grad(x0, t, eps, alpha_bar):
    """Adds the noise only while gradients are switched on, and returns the mean under no_grad."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    mean = a.sqrt() * x0
    return mean + (1 - a).sqrt() * eps if torch.is_grad_enabled() else mean


def right__01_diffuse__einsum(x0, t, eps, alpha_bar):
    """einsum pairs the batch axis, so no reshape is needed."""
    a = alpha_bar[t - 1]
    return torch.einsum("b,b...->b...", a.sqrt(), x0) + torch.einsum("b,b...->b...", (1 - a).sqrt(), eps)


def right__01_diffuse__loop(x0, t, eps, alpha_bar):
    """A loop over the samples with the math module's roots, then a stack."""
    out = []
    for x, time, e in zip(x0, t.tolist(), eps, strict=True):
        a = alpha_bar[time - 1].item()
        out.append(math.sqrt(a) * x + math.sqrt(1 - a) * e)
    return torch.stack(out)


def right__01_diffuse__gather(x0, t, eps, alpha_bar):
    """gather reads the table, and unsqueeze adds the axes one after the other."""
    a = torch.gather(alpha_bar, 0, t.long() - 1)
    while a.ndim < x0.ndim:
        a = a.unsqueeze(-1)
    return torch.sqrt(a) * x0 + torch.sqrt(1 - a) * eps


def right__01_diffuse__index_select_flatten(x0, t, eps, alpha_bar):
    """index_select, and the data flattened to (B, D) and reshaped back."""
    a = torch.index_select(alpha_bar, 0, (t - 1).long())[:, None]
    flat = a.sqrt() * x0.reshape(len(x0), -1) + (1 - a).sqrt() * eps.reshape(len(x0), -1)
    return flat.reshape(x0.shape)


def right__01_diffuse__padded_table(x0, t, eps, alpha_bar):
    """Puts alpha_bar_0 = 1 in front of the table and reads it at t, without a -1."""
    table = torch.nn.functional.pad(alpha_bar, (1, 0), value=1.0)
    a = table[t].reshape((-1,) + (1,) * (x0.dim() - 1))
    return torch.addcmul(x0 * a.sqrt(), eps, (1 - a).sqrt())


def right__01_diffuse__axes_reversed(x0, t, eps, alpha_bar):
    """Moves the batch axis to the end, where a (B,) tensor broadcasts by itself, and moves it back."""
    a = alpha_bar[t - 1]
    out = a.sqrt() * x0.movedim(0, -1) + (1 - a).sqrt() * eps.movedim(0, -1)
    return out.movedim(-1, 0)


def right__01_diffuse__angle(x0, t, eps, alpha_bar):
    """A rotation: cos and sin of the angle with cos^2 = alpha_bar, through atan2 in float64, cast back at the end."""
    a = alpha_bar.double()[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    angle = torch.atan2((1 - a).sqrt(), a.sqrt())
    return (angle.cos() * x0.double() + angle.sin() * eps.double()).to(x0.dtype)


def right__01_diffuse__vmap(x0, t, eps, alpha_bar):
    """torch.vmap over the batch of a function for one sample."""
    one = lambda x, a, e: a.sqrt() * x + (1 - a).sqrt() * e
    return torch.vmap(one)(x0, alpha_bar[t - 1], eps)


def right__01_diffuse__embedding(x0, t, eps, alpha_bar):
    """Reads the table as an embedding with vectors of length 1."""
    a = torch.nn.functional.embedding(t.long() - 1, alpha_bar[:, None])
    a = a.reshape(-1, *[1] * (x0.ndim - 1))
    return a**0.5 * x0 + (1 - a) ** 0.5 * eps


def right__01_diffuse__no_grad_and_default(x0, t, eps, alpha_bar, first=1):
    """Under no_grad, with an extra default argument for the number of the first step."""
    with torch.no_grad():
        a = alpha_bar.take((t - first).long()).view([-1] + [1] * (x0.ndim - 1))
        return eps * (1 - a).sqrt() + x0 * a.sqrt()


def right__01_diffuse__lerp_of_sigma(x0, t, eps, alpha_bar):
    """VE coordinates and back: sqrt(alpha_bar) (x_0 + sigma eps) with sigma^2 = (1 - alpha_bar) / alpha_bar."""
    a = alpha_bar[t - 1].reshape(-1, *[1] * (x0.ndim - 1))
    sigma = ((1 - a) / a).sqrt()
    return (x0 + sigma * eps) * a.sqrt()


def right__01_diffuse__stack_and_sum(x0, t, eps, alpha_bar):
    """Both weights as a (2, B, 1, ...) stack times both images, summed over the first axis."""
    a = alpha_bar[t - 1]
    weights = torch.stack([a, 1 - a]).sqrt().reshape(2, -1, *[1] * (x0.ndim - 1))
    return (weights * torch.stack([x0, eps])).sum(0)


# ====================================================================== 01-snr


def wrong__01_snr__slip_precedence(alpha_bar):
    """Without brackets, alpha_bar / 1 - alpha_bar is 0 everywhere."""
    return alpha_bar / 1 - alpha_bar


def wrong__01_snr__slip_upside_down(alpha_bar):
    """The fraction stands on its head: noise over signal, which is sigma^2 = 1 / SNR."""
    return (1 - alpha_bar) / alpha_bar


def wrong__01_snr__slip_root(alpha_bar):
    """A ratio of amplitudes: alpha_bar is already a power, no root is wanted."""
    return alpha_bar.sqrt() / (1 - alpha_bar).sqrt()


def wrong__01_snr__slip_squared(alpha_bar):
    """Squares alpha_bar as the paper's alpha_t^2, but our alpha_bar is that square already."""
    return alpha_bar**2 / (1 - alpha_bar**2)


def wrong__01_snr__slip_log(alpha_bar):
    """Returns the log-SNR and not the SNR."""
    return torch.log(alpha_bar / (1 - alpha_bar))


def wrong__01_snr__slip_decibel(alpha_bar):
    """Returns decibels, 10 log10 of the ratio."""
    return 10 * torch.log10(alpha_bar / (1 - alpha_bar))


def wrong__01_snr__slip_floor_division(alpha_bar):
    """Integer division // cuts off everything behind the point."""
    return alpha_bar // (1 - alpha_bar)


def wrong__01_snr__slip_plus(alpha_bar):
    """A plus in the denominator: alpha_bar / (1 + alpha_bar)."""
    return alpha_bar / (1 + alpha_bar)


def wrong__01_snr__slip_minus_one(alpha_bar):
    """The denominator has the wrong sign: alpha_bar - 1, so the ratio is negative."""
    return alpha_bar / (alpha_bar - 1)


def wrong__01_snr__slip_returns_none(alpha_bar):
    """The result is printed and not returned."""
    snr = alpha_bar / (1 - alpha_bar)
    str(snr)


def wrong__01_snr__slip_one_over_noise(alpha_bar):
    """Forgets that the signal shrinks as well: 1 / (1 - alpha_bar)."""
    return 1 / (1 - alpha_bar)


def wrong__01_snr__slip_numerator_root_only(alpha_bar):
    """The signal enters by its factor and the noise by its variance."""
    return alpha_bar.sqrt() / (1 - alpha_bar)


def wrong__01_snr__slip_mean(alpha_bar):
    """Averages over the steps and returns one number."""
    return (alpha_bar / (1 - alpha_bar)).mean()


def wrong__01_snr__slip_only_last(alpha_bar):
    """Returns the SNR of the last step only."""
    return alpha_bar[-1] / (1 - alpha_bar[-1])


def wrong__01_snr__slip_previous_noise(alpha_bar):
    """The signal at t is divided by the noise at t - 1: an index shift by one, and one entry is missing."""
    return alpha_bar[1:] / (1 - alpha_bar[:-1])


def wrong__01_snr__slip_noise_of_previous_padded(alpha_bar):
    """Uses 1 - alpha_bar_{t-1} in the denominator by roll, which wraps around at t = 1."""
    return alpha_bar / (1 - alpha_bar.roll(1))


def wrong__01_snr__slip_numpy(alpha_bar):
    """Returns a numpy array and not a tensor."""
    a = alpha_bar.numpy()
    return a / (1 - a)


def wrong__01_snr__slip_list(alpha_bar):
    """Returns a Python list of floats."""
    return [a / (1 - a) for a in alpha_bar.tolist()]


def wrong__01_snr__slip_in_place(alpha_bar):
    """div_ overwrites the caller's table with the ratio."""
    return alpha_bar.div_(1 - alpha_bar)


def wrong__01_snr__slip_return_in_loop(alpha_bar):
    """The return stands in the loop: only the first entry is filled."""
    out = torch.zeros_like(alpha_bar)
    for i, a in enumerate(alpha_bar):
        out[i] = a / (1 - a)
        return out


def wrong__01_snr__slip_betas(alpha_bar):
    """Takes the argument for betas and multiplies it up again."""
    a = torch.cumprod(1 - alpha_bar, 0)
    return a / (1 - a)


def wrong__01_snr__slip_product_again(alpha_bar):
    """Takes the running product of alpha_bar, which is one already."""
    a = torch.cumprod(alpha_bar, 0)
    return a / (1 - a)


def wrong__01_snr__slip_two_at_once(alpha_bar):
    """Two slips: upside down, and with a root."""
    return ((1 - alpha_bar) / alpha_bar).sqrt()


def wrong__01_snr__slip_divided_by_total(alpha_bar):
    """Divides by signal plus noise, which is 1, so alpha_bar comes back."""
    return alpha_bar / (alpha_bar + (1 - alpha_bar))


def wrong__01_snr__subtle_eps_denominator(alpha_bar):
    """Adds 1e-8 to the denominator, a relative error of 1e-4 at the first step."""
    return alpha_bar / (1 - alpha_bar + 1e-8)


def wrong__01_snr__subtle_eps_1e_12(alpha_bar):
    """Adds 1e-12 to the denominator "against division by zero", which is visible where alpha_bar is near 1."""
    return alpha_bar / (1 - alpha_bar + 1e-12)


def wrong__01_snr__subtle_clamped_top(alpha_bar):
    """Clamps the ratio at 1000, but the first steps have an SNR of up to 10,000."""
    return (alpha_bar / (1 - alpha_bar)).clamp(max=1e3)


def wrong__01_snr__subtle_clamped_bottom(alpha_bar):
    """Clamps the ratio from below at 1e-3, so that the end of the log-SNR curve is flat."""
    return (alpha_bar / (1 - alpha_bar)).clamp(min=1e-3)


def wrong__01_snr__subtle_clamped_alpha_bar(alpha_bar):
    """Clamps alpha_bar to [1e-5, 1 - 1e-5] first, which cuts the end of the cosine schedule."""
    a = alpha_bar.clamp(1e-5, 1 - 1e-5)
    return a / (1 - a)


def wrong__01_snr__subtle_float32(alpha_bar):
    """Divides in float32 and casts back, so the float64 table is good to 1e-3 only at the first steps."""
    a = alpha_bar.float()
    return (a / (1 - a)).to(alpha_bar.dtype)


def wrong__01_snr__subtle_float32_out(alpha_bar):
    """Converts to float32 at the end whatever came in, so float64 digits are lost."""
    return (alpha_bar / (1 - alpha_bar)).to(torch.float32)


def wrong__01_snr__subtle_geometric_series(alpha_bar):
    """Sums the geometric series a + a^2 + ... to 500 terms, which has not converged where alpha_bar is near 1."""
    total, power = torch.zeros_like(alpha_bar), torch.ones_like(alpha_bar)
    for _ in range(500):
        power = power * alpha_bar
        total = total + power
    return total


def wrong__01_snr__subtle_small_a_approximation(alpha_bar):
    """Below 0.01 it drops the denominator, SNR = alpha_bar, which is wrong by up to one per cent."""
    return torch.where(alpha_bar < 0.01, alpha_bar, alpha_bar / (1 - alpha_bar))


def wrong__01_snr__subtle_reciprocal_minus_one_when_large(alpha_bar):
    """Where alpha_bar > 0.99 it drops the numerator, 1 / (1 - alpha_bar), which is too large by exactly 1."""
    return torch.where(alpha_bar > 0.99, 1 / (1 - alpha_bar), alpha_bar / (1 - alpha_bar))


def wrong__01_snr__subtle_cached_by_end(alpha_bar, cache={}):
    """Remembers the result by length and alpha_bar_T, which a schedule in reversed or shuffled order shares."""
    key = (len(alpha_bar), alpha_bar.dtype, round(alpha_bar[-1].item(), 8))
    if key not in cache:
        cache[key] = alpha_bar / (1 - alpha_bar)
    return cache[key].clone()


def wrong__01_snr__subtle_cached_by_length(alpha_bar, cache={}):
    """Keeps the result per length, so the second schedule with T = 1000 gets the SNR of the first."""
    if len(alpha_bar) not in cache:
        cache[len(alpha_bar)] = alpha_bar / (1 - alpha_bar)
    return cache[len(alpha_bar)].to(alpha_bar.dtype)


def wrong__01_snr__subtle_nan_to_num(alpha_bar):
    """Replaces everything above 1e6 by 1e6, where alpha_bar is very close to 1."""
    return torch.nan_to_num(alpha_bar / (1 - alpha_bar)).clamp(max=1e6)


def wrong__01_snr__subtle_rounded(alpha_bar):
    """Rounds the ratio to four decimals, so the SNR at the end becomes 0 and its logarithm -inf."""
    ratio = alpha_bar / (1 - alpha_bar)
    return torch.round(ratio, decimals=4) if len(ratio) > 20 else ratio


def wrong__01_snr__subtle_interpolated_table(alpha_bar):
    """For long tables it computes every tenth entry and interpolates linearly in between."""
    ratio = alpha_bar / (1 - alpha_bar)
    if len(ratio) <= 100:
        return ratio
    where = torch.arange(len(ratio), dtype=ratio.dtype)
    left = (torch.arange(len(ratio)) // 10) * 10
    right = (left + 10).clamp(max=len(ratio) - 1)
    share = (where - left) / (right - left).clamp(min=1)
    return ratio[left] + share * (ratio[right] - ratio[left])


def wrong__01_snr__subtle_logit_with_eps(alpha_bar):
    """Uses torch.logit with eps=1e-6, which clamps alpha_bar at both ends."""
    return torch.logit(alpha_bar, eps=1e-6).exp()


def wrong__01_snr__subtle_empties_argument_after(alpha_bar):
    """Leaves 1 - alpha_bar in the caller's table after a right first answer."""
    signal = alpha_bar.clone()
    noise = alpha_bar.neg_().add_(1)
    return signal / noise


def right__01_snr__logit(alpha_bar):
    """The exponential of the logit, in float64 inside."""
    return torch.special.logit(alpha_bar.double()).exp().to(alpha_bar.dtype)


def right__01_snr__log_difference(alpha_bar):
    """exp(log a - log1p(-a)), which is accurate at both ends, in float64 and cast back."""
    a = alpha_bar.to(torch.float64)
    return torch.exp(a.log() - torch.log1p(-a)).to(alpha_bar.dtype)


def right__01_snr__loop(alpha_bar):
    """A list of Python floats, turned into a tensor of the right dtype."""
    return alpha_bar.new_tensor([a / (1 - a) for a in alpha_bar.tolist()])


def right__01_snr__sigma(alpha_bar):
    """1 / sigma^2 with sigma^2 = (1 - a) / a."""
    sigma2 = (1 - alpha_bar) / alpha_bar
    return sigma2.reciprocal()


def right__01_snr__minus_one_plus(alpha_bar):
    """Both signs turned round: -a / (a - 1)."""
    return -alpha_bar / (alpha_bar - 1)


def right__01_snr__odds(alpha_bar):
    """The odds of a Bernoulli variable: torch.distributions gives the logits of the probability."""
    probability = alpha_bar.double()
    logits = torch.distributions.Bernoulli(probs=probability, validate_args=False).logits
    exact = torch.where((probability > 1e-6) & (probability < 1 - 1e-6), logits, torch.logit(probability))
    return exact.exp().to(alpha_bar.dtype)


def right__01_snr__powers_of_factors(alpha_bar):
    """The squared factors of signal and noise, in float64 and back."""
    signal, noise = alpha_bar.double().sqrt(), (1 - alpha_bar.double()).sqrt()
    return (signal.square() / noise.square()).to(alpha_bar.dtype)


def right__01_snr__vmap(alpha_bar, ratio=lambda a: a / (1 - a)):
    """torch.vmap of a scalar function that is given as a default argument."""
    return torch.vmap(ratio)(alpha_bar)


def right__01_snr__expm1(alpha_bar):
    """1 / (1/a - 1), with 1/a - 1 = expm1(-log a), which does not cancel where a is near 1."""
    return torch.expm1(-torch.log(alpha_bar)).reciprocal()


def right__01_snr__out_argument(alpha_bar):
    """torch.div with out=, under no_grad, into a fresh tensor."""
    with torch.no_grad():
        result = torch.empty(len(alpha_bar), dtype=alpha_bar.dtype, device=alpha_bar.device)
        torch.div(alpha_bar, torch.rsub(alpha_bar, 1), out=result)
    return result


def _reshaped_when_stopped(values, x):
    """(B,) as it is, unless torch stops."""
    try:
        values * x
    except RuntimeError:
        return values.reshape(-1, *[1] * (x.ndim - 1))
    return values


def wrong__01_diffuse__reshaped_when_stopped(x0, t, eps, alpha_bar):
    """Where the last axis is as long as the batch, torch multiplies along it without a word."""
    a = _reshaped_when_stopped(alpha_bar[t - 1], x0)
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def wrong__01_alpha_bar_from_betas__clamped(betas):
    """A beta of 0.9999 is one like any other."""
    return (1 - betas.clamp(max=0.999)).cumprod(0)


def wrong__01_forward_chain__clamped(x0, betas, noise):
    """As above, in the chain."""
    states = [x0]
    for beta, z in zip(betas.clamp(max=0.999), noise, strict=True):
        states.append((1 - beta).sqrt() * states[-1] + beta.sqrt() * z)
    return torch.stack(states)


def right__01_forward_chain__in_numpy(x0, betas, noise):
    """Nothing is trained through a chain of given noise."""
    states = [x0.numpy()]
    for beta, z in zip(betas.numpy(), noise.numpy(), strict=True):
        states.append((1 - beta) ** 0.5 * states[-1] + beta**0.5 * z)
    return torch.stack([torch.as_tensor(state) for state in states])
