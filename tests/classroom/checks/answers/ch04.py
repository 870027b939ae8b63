"""Answers of (imagined) students to the exercises of chapter 4. The name tells exercise and verdict."""

import math

import numpy as np
import torch
from torch.nn import functional as F

# ---------------------------------------------------------------- 04-cosine_alpha_bar(u, s)


def wrong__04_cosine_alpha_bar__slip_no_square(u, s):
    """The square is missing: this is sqrt(alpha_bar), the factor of x_0."""
    half_pi = math.pi / 2
    return torch.cos((u + s) / (1 + s) * half_pi) / math.cos(s / (1 + s) * half_pi)


def wrong__04_cosine_alpha_bar__slip_no_f0(u, s):
    """Not divided by f(0), so alpha_bar_0 is a little below 1."""
    return torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2


def wrong__04_cosine_alpha_bar__slip_first_entry(u, s):
    """f(0) is taken from the first entry of u, which need not be 0."""
    f = torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2
    return f / f[0]


def wrong__04_cosine_alpha_bar__slip_largest_entry(u, s):
    """Divided by the largest entry, which is f(0) only if u contains 0."""
    f = torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2
    return f / f.max()


def wrong__04_cosine_alpha_bar__slip_hard_s(u, s):
    """The argument s is ignored: 0.008 is written into the formula."""
    f = lambda v: torch.cos((v + 0.008) / 1.008 * math.pi / 2) ** 2
    return f(u) / f(torch.zeros_like(u[:1]))


def wrong__04_cosine_alpha_bar__slip_pi(u, s):
    """The angle ends at pi instead of pi / 2, so alpha_bar falls to 0 halfway and rises again."""

    def f(v):
        return math.cos((v + s) / (1 + s) * math.pi) ** 2

    return torch.tensor([f(float(v)) / f(0) for v in u], dtype=u.dtype)


def wrong__04_cosine_alpha_bar__slip_precedence_numerator(u, s):
    """Brackets are missing: u + s / (1 + s) instead of (u + s) / (1 + s)."""
    f0 = math.cos(s / (1 + s) * math.pi / 2) ** 2
    return torch.cos((u + s / (1 + s)) * math.pi / 2) ** 2 / f0


def wrong__04_cosine_alpha_bar__slip_precedence_denominator(u, s):
    """Brackets are missing: (u + s) / 1 + s instead of (u + s) / (1 + s)."""
    f = lambda v: torch.cos(((v + s) / 1 + s) * math.pi / 2) ** 2
    return f(u) / f(torch.tensor(0.0, dtype=u.dtype))


def wrong__04_cosine_alpha_bar__slip_f0_not_squared(u, s):
    """f(u) is squared, f(0) is not."""
    return torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2 / math.cos(s / (1 + s) * math.pi / 2)


def wrong__04_cosine_alpha_bar__slip_f0_without_s(u, s):
    """f(0) is taken as cos^2(0) = 1: the offset was forgotten in the denominator."""
    return torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2 / math.cos(0 / (1 + s)) ** 2


def wrong__04_cosine_alpha_bar__slip_power(u, s):
    """The offset s is used as a power of the cosine."""
    return torch.cos(u * math.pi / 2) ** s


def wrong__04_cosine_alpha_bar__slip_sine(u, s):
    """Sine instead of cosine: this rises from 0 to 1."""
    f = lambda v: torch.sin((v + s) / (1 + s) * math.pi / 2) ** 2
    return f(u) / f(torch.ones_like(u))


def wrong__04_cosine_alpha_bar__slip_times_f0(u, s):
    """Multiplied by f(0) instead of divided."""
    return torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2 * math.cos(s / (1 + s) * math.pi / 2) ** 2


def wrong__04_cosine_alpha_bar__slip_divided_by_T(u, s):
    """u is t / T already, and is divided by 1000 once more."""
    f = lambda t: torch.cos((t / 1000 + s) / (1 + s) * math.pi / 2) ** 2
    return f(u) / f(torch.zeros_like(u))


def wrong__04_cosine_alpha_bar__slip_betas(u, s):
    """Returns the betas 1 - f(t) / f(t-1), one entry less, instead of alpha_bar."""
    f = torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2
    return 1 - f[1:] / f[:-1]


def wrong__04_cosine_alpha_bar__slip_cumprod(u, s):
    """A cumulative product over f / f(0), which is alpha_bar already."""
    f0 = math.cos(s / (1 + s) * math.pi / 2) ** 2
    return (torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2 / f0).cumprod(0)


def wrong__04_cosine_alpha_bar__slip_numpy(u, s):
    """Returns a numpy array and no tensor."""
    f = lambda v: np.cos((v + s) / (1 + s) * np.pi / 2) ** 2
    return f(u.numpy()) / f(0.0)


def wrong__04_cosine_alpha_bar__slip_none(u, s):
    """Computes the answer and forgets to return it."""
    f = lambda v: torch.cos((v + s) / (1 + s) * math.pi / 2) ** 2
    alpha_bar = f(u) / f(torch.zeros_like(u))


def wrong__04_cosine_alpha_bar__slip_in_place(u, s):
    """u += s changes the caller's tensor."""
    u += s
    return torch.cos(u / (1 + s) * math.pi / 2) ** 2 / math.cos(s / (1 + s) * math.pi / 2) ** 2


def wrong__04_cosine_alpha_bar__slip_degrees(u, s):
    """The angle is given to cos in degrees (90), and cos wants radians."""
    f = lambda v: torch.cos((v + s) / (1 + s) * 90) ** 2
    return f(u) / f(torch.zeros_like(u))


def wrong__04_cosine_alpha_bar__slip_two(u, s):
    """Two slips: 1 - s in the denominator of the angle, and no square."""
    f = lambda v: torch.cos((v + s) / (1 - s) * math.pi / 2)
    return f(u) / f(torch.zeros_like(u))


def wrong__04_cosine_alpha_bar__subtle_clamp_small(u, s):
    """Keeps alpha_bar above 1e-5, so the last steps of the schedule are not the cosine's."""
    f = lambda v: torch.cos((v + s) / (1 + s) * math.pi / 2) ** 2
    return (f(u) / f(torch.zeros_like(u))).clamp(min=1e-5)


def wrong__04_cosine_alpha_bar__subtle_clip_betas(u, s):
    """Clips the betas at 0.999 here already: at u = 1 alpha_bar is not 0 any more."""
    f = lambda v: torch.cos((v + s) / (1 + s) * math.pi / 2) ** 2
    a = f(u) / f(torch.zeros_like(u))
    ratio = (a[1:] / a[:-1]).clamp(min=0.001)
    return torch.cat([a[:1], a[:-1] * ratio])


def wrong__04_cosine_alpha_bar__subtle_float32(u, s):
    """A detour through float32: for float64 u the answer has 7 digits only, and none near u = 1."""
    f = lambda v: torch.cos((v + s) / (1 + s) * math.pi / 2) ** 2
    return (f(u.float()) / f(torch.zeros(1))).to(u.dtype)


def wrong__04_cosine_alpha_bar__subtle_s_zero(u, s):
    """`s or 0.008` turns the legitimate offset s = 0 into 0.008."""
    s = s or 0.008
    return torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2 / math.cos(s / (1 + s) * math.pi / 2) ** 2


def wrong__04_cosine_alpha_bar__subtle_small_angle(u, s):
    """f(0) by the small-angle formula 1 - x^2, which is off by x^4 / 3 and visible at s = 0.1."""
    f0 = 1 - (s / (1 + s) * math.pi / 2) ** 2
    return torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2 / f0


def wrong__04_cosine_alpha_bar__subtle_eps(u, s):
    """1e-8 in the denominator, which cannot be 0 here: alpha_bar_0 is not 1."""
    f = lambda v: torch.cos((v + s) / (1 + s) * math.pi / 2) ** 2
    return f(u) / (f(torch.zeros_like(u)) + 1e-8)


def wrong__04_cosine_alpha_bar__subtle_pi_3_1416(u, s):
    """pi is typed as 3.1416: near u = 1, where alpha_bar is tiny, no digit is right."""
    f = lambda v: torch.cos((v + s) / (1 + s) * 3.1416 / 2) ** 2
    return f(u) / f(torch.zeros_like(u))


def wrong__04_cosine_alpha_bar__subtle_cached_f0(u, s, _f0=[]):
    """f(0) is computed at the first call and kept, so another s gets the f(0) of the first."""
    if not _f0:
        _f0.append(math.cos(s / (1 + s) * math.pi / 2) ** 2)
    return torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2 / _f0[0]


def wrong__04_cosine_alpha_bar__subtle_ignores_u(u, s):
    """Makes its own u = 0 ... 1 from the length, which is right only if u happens to be that grid."""
    v = torch.linspace(0, 1, len(u), dtype=u.dtype)
    return torch.cos((v + s) / (1 + s) * math.pi / 2) ** 2 / math.cos(s / (1 + s) * math.pi / 2) ** 2


def wrong__04_cosine_alpha_bar__subtle_u_clamped(u, s):
    """u is clamped to 0.999, so alpha_bar does not reach 0 at u = 1."""
    f = lambda v: torch.cos((v + s) / (1 + s) * math.pi / 2) ** 2
    return f(u.clamp(max=0.999)) / f(torch.zeros_like(u))


def wrong__04_cosine_alpha_bar__subtle_rounded(u, s):
    """Rounded to six decimals: the last alpha_bar, near 2e-6, keep one digit."""
    f = lambda v: torch.cos((v + s) / (1 + s) * math.pi / 2) ** 2
    return (f(u) / f(torch.zeros_like(u))).round(decimals=6)


def right__04_cosine_alpha_bar__sine_of_complement(u, s):
    """The cosine as the sine of the complement, pi/2 (1 - u) / (1 + s): exact at u = 1."""
    scale = math.pi / 2 / (1 + s)
    return (torch.sin((1 - u) * scale) / math.sin(scale)) ** 2


def right__04_cosine_alpha_bar__python_loop(u, s):
    """A loop over Python numbers with math.cos."""

    def f(v):
        return math.cos((v + s) / (1 + s) * math.pi / 2) ** 2

    return torch.tensor([f(v) / f(0) for v in u.tolist()], dtype=u.dtype, device=u.device)


def right__04_cosine_alpha_bar__float64_inside(u, s):
    """Computes in float64 and casts back to u's dtype."""
    v = torch.cat([torch.zeros(1, dtype=torch.float64, device=u.device), u.double()])
    f = ((v + s) / (1 + s) * (math.pi / 2)).cos().square()
    return (f[1:] / f[0]).to(u.dtype)


def right__04_cosine_alpha_bar__ratio_then_square(u, s):
    """Divides the cosines first and squares the ratio."""
    cosine = torch.cos((u + s) / (1 + s) * math.pi / 2)
    return cosine.div(math.cos(s / (1 + s) * math.pi / 2)).pow(2)


def right__04_cosine_alpha_bar__log_space(u, s):
    """In logarithms, with the absolute value, since rounding can make the last cosine negative."""
    half_pi = math.pi / 2
    log_f = 2 * torch.cos((u + s) / (1 + s) * half_pi).abs().log()
    return (log_f - 2 * math.log(math.cos(s / (1 + s) * half_pi))).exp()


def right__04_cosine_alpha_bar__complex(u, s):
    """The cosine as the real part of exp(i angle)."""
    angle = (u + s) / (1 + s) * (math.pi / 2)
    cosine = torch.polar(torch.ones_like(angle), angle).real
    return cosine**2 / math.cos(s / (1 + s) * math.pi / 2) ** 2


def right__04_cosine_alpha_bar__lerp(u, s):
    """The angle by torch.lerp between its two ends."""
    first = u.new_tensor(s / (1 + s) * math.pi / 2)
    angle = torch.lerp(first, u.new_tensor(math.pi / 2), u)
    return (angle.cos() / first.cos()).square()


def right__04_cosine_alpha_bar__tangent(u, s, half_pi=math.pi / 2):
    """cos^2 = 1 / (1 + tan^2); and an extra argument with a default."""
    tan0 = math.tan(s / (1 + s) * half_pi)
    return (1 + tan0**2) / (1 + torch.tan((u + s) / (1 + s) * half_pi) ** 2)


@torch.no_grad()
def right__04_cosine_alpha_bar__no_grad(u, s):
    """Under no_grad, with f(0) from a tensor of zeros, written with out-of-place methods."""
    f = lambda v: v.add(s).div(1 + s).mul(math.pi / 2).cos().square()
    return f(u) / f(u.new_zeros(()))


# ---------------------------------------------------------------- 04-sigmoid_betas(u, beta_min, beta_max, steepness)


def wrong__04_sigmoid_betas__slip_no_shift(u, beta_min, beta_max, steepness):
    """z runs from 0 to k: the shift by -k is missing."""
    return beta_min + (beta_max - beta_min) * (steepness * u).sigmoid()


def wrong__04_sigmoid_betas__slip_half_line(u, beta_min, beta_max, steepness):
    """z runs from -k to 0: the slope must be 2k."""
    return beta_min + (beta_max - beta_min) * (-steepness + steepness * u).sigmoid()


def wrong__04_sigmoid_betas__slip_half_width(u, beta_min, beta_max, steepness):
    """z = k (u - 1/2) runs from -k/2 to k/2, half as wide as asked for."""
    return beta_min + (beta_max - beta_min) * (steepness * (u - 0.5)).sigmoid()


def wrong__04_sigmoid_betas__slip_falling(u, beta_min, beta_max, steepness):
    """z falls from k to -k, so the betas fall."""
    return beta_min + (beta_max - beta_min) * (steepness - 2 * steepness * u).sigmoid()


def wrong__04_sigmoid_betas__slip_sign_in_exp(u, beta_min, beta_max, steepness):
    """1 / (1 + e^z) instead of 1 / (1 + e^-z)."""
    z = steepness * (2 * u - 1)
    return beta_min + (beta_max - beta_min) / (1 + z.exp())


def wrong__04_sigmoid_betas__slip_precedence(u, beta_min, beta_max, steepness):
    """Brackets are missing: 1 / 1 + e^-z is 1 + e^-z."""
    z = steepness * (2 * u - 1)
    return beta_min + (beta_max - beta_min) * (1 / 1 + torch.exp(-z))


def wrong__04_sigmoid_betas__slip_no_beta_min(u, beta_min, beta_max, steepness):
    """beta_min is not added, so the betas start near 0."""
    return (beta_max - beta_min) * (steepness * (2 * u - 1)).sigmoid()


def wrong__04_sigmoid_betas__slip_no_difference(u, beta_min, beta_max, steepness):
    """beta_max is not reduced by beta_min: the end is beta_min + beta_max."""
    return beta_min + beta_max * (steepness * (2 * u - 1)).sigmoid()


def wrong__04_sigmoid_betas__slip_swapped_ends(u, beta_min, beta_max, steepness):
    """The two ends are swapped: the betas fall from beta_max to beta_min."""
    return beta_max + (beta_min - beta_max) * (steepness * (2 * u - 1)).sigmoid()


def wrong__04_sigmoid_betas__slip_hard_six(u, beta_min, beta_max, steepness):
    """The steepness is ignored: 6 is written into the formula."""
    return beta_min + (beta_max - beta_min) * (12 * u - 6).sigmoid()


def wrong__04_sigmoid_betas__slip_hard_ends(u, beta_min, beta_max, steepness):
    """The ends are ignored: 1e-4 and 0.02 are written into the formula."""
    return 1e-4 + (0.02 - 1e-4) * (steepness * (2 * u - 1)).sigmoid()


def wrong__04_sigmoid_betas__slip_softmax(u, beta_min, beta_max, steepness):
    """Softmax over the steps instead of a sigmoid of each."""
    return beta_min + (beta_max - beta_min) * (steepness * (2 * u - 1)).softmax(0)


def wrong__04_sigmoid_betas__slip_tanh(u, beta_min, beta_max, steepness):
    """tanh instead of the sigmoid: negative betas in the first half."""
    return beta_min + (beta_max - beta_min) * (steepness * (2 * u - 1)).tanh()


def wrong__04_sigmoid_betas__slip_tanh_no_half(u, beta_min, beta_max, steepness):
    """(1 + tanh(z)) / 2 is the sigmoid of 2z: the argument must be z / 2."""
    z = steepness * (2 * u - 1)
    return beta_min + (beta_max - beta_min) * (1 + z.tanh()) / 2


def wrong__04_sigmoid_betas__slip_divided_again(u, beta_min, beta_max, steepness):
    """u is (t-1)/(T-1) already and is divided by T - 1 again."""
    v = u / (len(u) - 1)
    return beta_min + (beta_max - beta_min) * (steepness * (2 * v - 1)).sigmoid()


def wrong__04_sigmoid_betas__slip_cumprod(u, beta_min, beta_max, steepness):
    """Returns alpha_bar, the product of 1 - beta, instead of the betas."""
    betas = beta_min + (beta_max - beta_min) * (steepness * (2 * u - 1)).sigmoid()
    return (1 - betas).cumprod(0)


def wrong__04_sigmoid_betas__slip_in_place(u, beta_min, beta_max, steepness):
    """mul_ and sub_ change the caller's u."""
    z = u.mul_(2 * steepness).sub_(steepness)
    return beta_min + (beta_max - beta_min) * z.sigmoid()


def wrong__04_sigmoid_betas__slip_numpy(u, beta_min, beta_max, steepness):
    """Returns a numpy array and no tensor."""
    z = steepness * (2 * u.numpy() - 1)
    return beta_min + (beta_max - beta_min) / (1 + np.exp(-z))


def wrong__04_sigmoid_betas__slip_none(u, beta_min, beta_max, steepness):
    """Prints the answer instead of returning it (here: only computes it)."""
    z = -steepness + 2 * steepness * u
    betas = beta_min + (beta_max - beta_min) * z.sigmoid()


def wrong__04_sigmoid_betas__slip_two(u, beta_min, beta_max, steepness):
    """Two slips: z = 2ku without the shift, and no beta_min."""
    return (beta_max - beta_min) * (2 * steepness * u).sigmoid()


def wrong__04_sigmoid_betas__subtle_exact_ends(u, beta_min, beta_max, steepness):
    """The sigmoid is rescaled to run from 0 to 1 exactly: another schedule than the formula."""
    z = steepness * (2 * u - 1)
    low, high = (1 / (1 + math.exp(-k)) for k in (-steepness, steepness))
    return beta_min + (beta_max - beta_min) * (z.sigmoid() - low) / (high - low)


def wrong__04_sigmoid_betas__subtle_overwritten_ends(u, beta_min, beta_max, steepness):
    """The first and last entries are overwritten with the ends, which the formula reaches only about."""
    betas = beta_min + (beta_max - beta_min) * (steepness * (2 * u - 1)).sigmoid()
    betas[0], betas[-1] = beta_min, beta_max
    return betas


def wrong__04_sigmoid_betas__subtle_z_clamped(u, beta_min, beta_max, steepness):
    """z is clamped to [-6, 6], so a steepness above 6 gets a flat start and end."""
    z = (steepness * (2 * u - 1)).clamp(-6, 6)
    return beta_min + (beta_max - beta_min) * z.sigmoid()


def wrong__04_sigmoid_betas__subtle_int_steepness(u, beta_min, beta_max, steepness):
    """int(steepness) cuts 0.5 down to 0 and 6.5 to 6."""
    k = int(steepness)
    return beta_min + (beta_max - beta_min) * (k * (2 * u - 1)).sigmoid()


def wrong__04_sigmoid_betas__subtle_min_steepness(u, beta_min, beta_max, steepness):
    """A steepness below 1 is taken for a mistake and replaced by 6."""
    k = steepness if steepness >= 1 else 6.0
    return beta_min + (beta_max - beta_min) * (k * (2 * u - 1)).sigmoid()


def wrong__04_sigmoid_betas__subtle_usual_range(u, beta_min, beta_max, steepness):
    """Clamped to the usual range 1e-4 ... 0.02, whatever ends were asked for."""
    betas = beta_min + (beta_max - beta_min) * (steepness * (2 * u - 1)).sigmoid()
    return betas.clamp(min(beta_min, 1e-4), max(0.02, beta_max / 2))


def wrong__04_sigmoid_betas__subtle_float32(u, beta_min, beta_max, steepness):
    """A detour through float32: for float64 u the betas have 7 digits only."""
    z = steepness * (2 * u.float() - 1)
    return (beta_min + (beta_max - beta_min) * z.sigmoid()).to(u.dtype)


def wrong__04_sigmoid_betas__subtle_eps(u, beta_min, beta_max, steepness):
    """1e-6 in a denominator that is never below 1."""
    z = steepness * (2 * u - 1)
    return beta_min + (beta_max - beta_min) / (1 + (-z).exp() + 1e-6)


def wrong__04_sigmoid_betas__subtle_overflow(u, beta_min, beta_max, steepness):
    """e^z / (1 + e^z) is infinity / infinity for a steep switch (float32: steepness above 88)."""
    e = torch.exp(steepness * (2 * u - 1))
    return beta_min + (beta_max - beta_min) * e / (1 + e)


def wrong__04_sigmoid_betas__subtle_cached(u, beta_min, beta_max, steepness, _memo={}):
    """Keeps the curve by length alone, so a second steepness gets the curve of the first."""
    if len(u) not in _memo:
        _memo[len(u)] = (steepness * (2 * u - 1)).sigmoid()
    return beta_min + (beta_max - beta_min) * _memo[len(u)].to(u.dtype)


def wrong__04_sigmoid_betas__subtle_rounded(u, beta_min, beta_max, steepness):
    """Betas rounded to four decimals, though beta_min is 1e-4."""
    betas = beta_min + (beta_max - beta_min) * (steepness * (2 * u - 1)).sigmoid()
    return betas.round(decimals=4)


def wrong__04_sigmoid_betas__subtle_t_over_T(u, beta_min, beta_max, steepness):
    """Makes u anew as t / T, which is off by up to 1/T from the (t-1)/(T-1) that was given."""
    v = torch.arange(1, len(u) + 1, dtype=u.dtype) / len(u)
    return beta_min + (beta_max - beta_min) * (steepness * (2 * v - 1)).sigmoid()


def right__04_sigmoid_betas__tanh(u, beta_min, beta_max, steepness):
    """The sigmoid as (1 + tanh(z/2)) / 2, so the betas swing about the mean of both ends."""
    z = steepness * (2 * u - 1)
    return (beta_max + beta_min) / 2 + (beta_max - beta_min) / 2 * torch.tanh(z / 2)


def right__04_sigmoid_betas__formula(u, beta_min, beta_max, steepness):
    """The sigmoid written out, 1 / (1 + e^-z)."""
    z = -steepness + 2 * steepness * u
    return beta_min + (beta_max - beta_min) / (1 + torch.exp(-z))


def right__04_sigmoid_betas__lerp(u, beta_min, beta_max, steepness):
    """torch.lerp between both ends, with the sigmoid as weight."""
    low, high = u.new_tensor(beta_min), u.new_tensor(beta_max)
    return torch.lerp(low, high, torch.sigmoid(steepness * (u - (1 - u))))


def right__04_sigmoid_betas__weighted_mean(u, beta_min, beta_max, steepness):
    """The mean of both ends with weights sigmoid(-z) and sigmoid(z), which add up to 1."""
    z = torch.lerp(u.new_tensor(-steepness), u.new_tensor(steepness), u)
    return beta_min * torch.sigmoid(-z) + beta_max * torch.sigmoid(z)


def right__04_sigmoid_betas__softmax_of_two(u, beta_min, beta_max, steepness):
    """The sigmoid as a softmax of (0, z), and an einsum with the two ends."""
    z = steepness * (2 * u - 1)
    weights = torch.stack([torch.zeros_like(z), z]).softmax(0)
    return torch.einsum("k,kt->t", u.new_tensor([beta_min, beta_max]), weights)


def right__04_sigmoid_betas__python_loop(u, beta_min, beta_max, steepness):
    """A loop with math.exp, with the sign chosen so that nothing overflows."""
    betas = []
    for v in u.tolist():
        z = steepness * (2 * v - 1)
        e = math.exp(-abs(z))
        betas.append(beta_min + (beta_max - beta_min) * (1 if z >= 0 else e) / (1 + e))
    return torch.tensor(betas, dtype=u.dtype, device=u.device)


def right__04_sigmoid_betas__log_space(u, beta_min, beta_max, steepness):
    """exp of logsigmoid."""
    return beta_min + (beta_max - beta_min) * F.logsigmoid(steepness * (2 * u - 1)).exp()


@torch.no_grad()
def right__04_sigmoid_betas__float64_inside(u, beta_min, beta_max, steepness, dtype=torch.float64):
    """float64 inside, cast back at the end, under no_grad, and an extra argument with a default."""
    z = u.to(dtype).mul(2).sub(1).mul(steepness)
    return z.sigmoid().mul(beta_max - beta_min).add(beta_min).to(u.dtype)


# ---------------------------------------------------------------- 04-prior_kl(x0, alpha_bar)


def wrong__04_prior_kl__slip_mean_pixels(x0, alpha_bar):
    """The mean over the pixels instead of the sum: nats per pixel."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    return 0.5 * (a * (x.square().mean(1) - 1) - torch.log(1 - a))


def wrong__04_prior_kl__slip_sum_batch(x0, alpha_bar):
    """Summed over the batch as well: one number for all images."""
    a = alpha_bar[-1]
    return 0.5 * (a * (x0.square().sum() - x0.numel()) - x0.numel() * torch.log(1 - a))


def wrong__04_prior_kl__slip_no_half(x0, alpha_bar):
    """The factor 1/2 is missing."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    d = x.shape[1]
    return a * (x.square().sum(1) - d) - d * torch.log(1 - a)


def wrong__04_prior_kl__slip_half_on_one_term(x0, alpha_bar):
    """Brackets are missing: the factor 1/2 meets the first term only."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    d = x.shape[1]
    return 0.5 * a * (x.square().sum(1) - d) - d * torch.log(1 - a)


def wrong__04_prior_kl__slip_first_entry(x0, alpha_bar):
    """Takes alpha_bar_1, the first entry, instead of alpha_bar_T."""
    a = alpha_bar[0]
    x = x0.flatten(1)
    d = x.shape[1]
    return 0.5 * (a * (x.square().sum(1) - d) - d * torch.log(1 - a))


def wrong__04_prior_kl__slip_one_before_last(x0, alpha_bar):
    """Takes alpha_bar_{T-1}: index -2 instead of -1."""
    a = alpha_bar[len(alpha_bar) - 2]
    x = x0.flatten(1)
    d = x.shape[1]
    return 0.5 * (a * (x.square().sum(1) - d) - d * torch.log(1 - a))


def wrong__04_prior_kl__slip_product(x0, alpha_bar):
    """Multiplies all entries, as if the table held alpha_t and not alpha_bar_t."""
    a = alpha_bar.prod()
    x = x0.flatten(1)
    d = x.shape[1]
    return 0.5 * (a * (x.square().sum(1) - d) - d * torch.log(1 - a))


def wrong__04_prior_kl__slip_log_sign(x0, alpha_bar):
    """The logarithm has the wrong sign."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    d = x.shape[1]
    return 0.5 * (a * (x.square().sum(1) - d) + d * torch.log(1 - a))


def wrong__04_prior_kl__slip_log_a(x0, alpha_bar):
    """ln(a) instead of ln(1 - a): the variance is 1 - a."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    d = x.shape[1]
    return 0.5 * (a * (x.square().sum(1) - d) - d * torch.log(a))


def wrong__04_prior_kl__slip_log_std(x0, alpha_bar):
    """The logarithm of the standard deviation instead of the variance: half of it is missing."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    d = x.shape[1]
    return 0.5 * (a * (x.square().sum(1) - d) - d * torch.log((1 - a).sqrt()))


def wrong__04_prior_kl__slip_d_is_batch(x0, alpha_bar):
    """d is the number of images instead of the number of pixels."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    d = len(x)
    return 0.5 * (a * (x.square().sum(1) - d) - d * torch.log(1 - a))


def wrong__04_prior_kl__slip_d_is_numel(x0, alpha_bar):
    """d counts the pixels of all images together."""
    a = alpha_bar[-1]
    d = x0.numel()
    return 0.5 * (a * (x0.flatten(1).square().sum(1) - d) - d * torch.log(1 - a))


def wrong__04_prior_kl__slip_d_is_one(x0, alpha_bar):
    """The terms that do not depend on the pixel are counted once instead of d times."""
    a = alpha_bar[-1]
    return 0.5 * (a * x0.flatten(1).square().sum(1) - a - torch.log(1 - a))


def wrong__04_prior_kl__slip_no_minus_d(x0, alpha_bar):
    """The -1 + var of each pixel, -a d in all, is missing."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    return 0.5 * (a * x.square().sum(1) - x.shape[1] * torch.log(1 - a))


def wrong__04_prior_kl__slip_norm_not_squared(x0, alpha_bar):
    """The norm of x0 is not squared."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    d = x.shape[1]
    return 0.5 * (a * (x.norm(dim=1) - d) - d * torch.log(1 - a))


def wrong__04_prior_kl__slip_root_a(x0, alpha_bar):
    """sqrt(a) where the square of the mean needs a."""
    a = alpha_bar[-1].sqrt()
    x = x0.flatten(1)
    d = x.shape[1]
    return 0.5 * (a * (x.square().sum(1) - d) - d * torch.log(1 - a))


def wrong__04_prior_kl__slip_last_axis(x0, alpha_bar):
    """Sums over the last axis only, so images give (B, C, H)."""
    a = alpha_bar[-1]
    d = x0.shape[-1]
    return 0.5 * (a * (x0.square().sum(-1) - d) - d * torch.log(1 - a))


def wrong__04_prior_kl__slip_bits(x0, alpha_bar):
    """log2 instead of the natural logarithm: neither nats nor bits."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    d = x.shape[1]
    return 0.5 * (a * (x.square().sum(1) - d) - d * torch.log2(1 - a))


def wrong__04_prior_kl__slip_reversed(x0, alpha_bar):
    """The KL the other way round, of N(0, I) from q(x_T | x_0)."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    return 0.5 * ((1 + a * x.square()) / (1 - a) - 1 + torch.log(1 - a)).sum(1)


def wrong__04_prior_kl__slip_hard_T(x0, alpha_bar):
    """Reads entry 999, so every other T fails."""
    a = alpha_bar[999]
    x = x0.flatten(1)
    d = x.shape[1]
    return 0.5 * (a * (x.square().sum(1) - d) - d * torch.log(1 - a))


def wrong__04_prior_kl__slip_numpy(x0, alpha_bar):
    """Returns a numpy array and no tensor."""
    a = alpha_bar[-1].item()
    x = x0.flatten(1).numpy()
    return 0.5 * (a * ((x**2).sum(1) - x.shape[1]) - x.shape[1] * np.log(1 - a))


def wrong__04_prior_kl__slip_in_place(x0, alpha_bar):
    """square_() overwrites the images."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    d = x.shape[1]
    return 0.5 * (a * (x.square_().sum(1) - d) - d * torch.log(1 - a))


def wrong__04_prior_kl__slip_keepdim(x0, alpha_bar):
    """keepdim leaves an axis: the shape is (B, 1) and not (B,)."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    d = x.shape[1]
    return 0.5 * (a * (x.square().sum(1, keepdim=True) - d) - d * torch.log(1 - a))


def wrong__04_prior_kl__slip_rule_of_thumb(x0, alpha_bar):
    """The rule of thumb a |x0|^2 / 2, which holds for small a only."""
    return 0.5 * alpha_bar[-1] * x0.flatten(1).square().sum(1)


def wrong__04_prior_kl__subtle_series(x0, alpha_bar):
    """-ln(1 - a) cut off after the third term: off by a^4/4 for each pixel, much for the few steps of section 5."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    return 0.5 * (a * x.square().sum(1) + x.shape[1] * (a**2 / 2 + a**3 / 3))


def wrong__04_prior_kl__subtle_d_784(x0, alpha_bar):
    """d = 784 is written into the formula: right for MNIST only."""
    a = alpha_bar[-1]
    return 0.5 * (a * (x0.flatten(1).square().sum(1) - 784) - 784 * torch.log(1 - a))


def wrong__04_prior_kl__subtle_image_axes(x0, alpha_bar):
    """Sums over the axes 1, 2 and 3, so anything that is not (B, C, H, W) fails."""
    a = alpha_bar[-1]
    d = x0[0].numel()
    return 0.5 * (a * (x0.square().sum((1, 2, 3)) - d) - d * torch.log(1 - a))


def wrong__04_prior_kl__slip_unit_power(x0, alpha_bar):
    """Takes |x0|^2 for d, so all images get the same number."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    return (-0.5 * x.shape[1] * torch.log(1 - a)).to(x.dtype).expand(len(x)).clone()


def wrong__04_prior_kl__subtle_clamp_a(x0, alpha_bar):
    """alpha_bar_T is kept above 1e-5, where that of the cosine schedule is 2e-9."""
    a = alpha_bar[-1].clamp(min=1e-5)
    x = x0.flatten(1)
    d = x.shape[1]
    return 0.5 * (a * (x.square().sum(1) - d) - d * torch.log(1 - a))


def wrong__04_prior_kl__subtle_clamp_a_above(x0, alpha_bar):
    """alpha_bar_T is kept below 0.99, though a chain of one step ends at 0.9999."""
    a = alpha_bar[-1].clamp(max=0.99)
    x = x0.flatten(1)
    d = x.shape[1]
    return 0.5 * (a * (x.square().sum(1) - d) - d * torch.log(1 - a))


def wrong__04_prior_kl__subtle_eps_in_log(x0, alpha_bar):
    """ln(1 - a + 1e-8): the 1e-8 is counted d times, and exceeds the KL of the cosine schedule."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    d = x.shape[1]
    return 0.5 * (a * (x.square().sum(1) - d) - d * torch.log(1 - a + 1e-8))


def wrong__04_prior_kl__subtle_float32(x0, alpha_bar):
    """A detour through float32, where 1 - a keeps few digits of a small a."""
    a = alpha_bar[-1].float()
    x = x0.float().flatten(1)
    d = x.shape[1]
    return (0.5 * (a * (x.square().sum(1) - d) - d * torch.log(1 - a))).to(x0.dtype)


def wrong__04_prior_kl__subtle_view(x0, alpha_bar):
    """view fails for images that do not lie in memory in order, such as permuted axes."""
    a = alpha_bar[-1]
    x = x0.view(x0.shape[0], -1)
    d = x.shape[1]
    return 0.5 * (a * (x.square().sum(1) - d) - d * torch.log(1 - a))


def wrong__04_prior_kl__subtle_squeeze(x0, alpha_bar):
    """squeeze() turns the answer for a batch of one into shape ()."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    d = x.shape[1]
    return (0.5 * (a * (x.square().sum(1) - d) - d * torch.log(1 - a))).squeeze()


def wrong__04_prior_kl__subtle_pixels_clipped(x0, alpha_bar):
    """Clips x0 to [-1, 1] first, so values outside count too little."""
    a = alpha_bar[-1]
    x = x0.flatten(1).clamp(-1, 1)
    d = x.shape[1]
    return 0.5 * (a * (x.square().sum(1) - d) - d * torch.log(1 - a))


def wrong__04_prior_kl__slip_monte_carlo(x0, alpha_bar):
    """Estimates the KL from one random draw of x_T per image instead of computing it."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    eps = torch.randn_like(x)
    x_T = a.sqrt() * x + (1 - a).sqrt() * eps
    return 0.5 * (x_T.square() - eps.square() - torch.log(1 - a)).sum(1)


def wrong__04_prior_kl__subtle_rounded(x0, alpha_bar):
    """Rounded to two decimals of a nat; for T = 1000 the answer is 0.01 or less."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    d = x.shape[1]
    return (0.5 * (a * (x.square().sum(1) - d) - d * torch.log(1 - a))).round(decimals=2)


def right__04_prior_kl__log1p(x0, alpha_bar):
    """log1p(-a), exact also for a tiny a."""
    a = alpha_bar[-1]
    x = x0.flatten(1)
    d = x.shape[1]
    return 0.5 * (a * (x.pow(2).sum(dim=1) - d) - d * torch.log1p(-a))


def right__04_prior_kl__pixel_by_pixel(x0, alpha_bar):
    """The general KL pixel by pixel, with expm1 of the log variance, then summed."""
    a = alpha_bar[-1]
    logvar = torch.log1p(-a)
    kl = 0.5 * (a * x0**2 + torch.expm1(logvar) - logvar)
    return kl.reshape(x0.shape[0], -1).sum(-1)


def right__04_prior_kl__float64_inside(x0, alpha_bar):
    """float64 inside, cast back at the end, and clamped at 0, below which a KL cannot be."""
    a = alpha_bar[-1].double()
    x = x0.double().flatten(1)
    d = x.shape[1]
    kl = (a * (x.square().sum(1) - d) - d * torch.log1p(-a)) / 2
    return kl.clamp(min=0).to(x0.dtype)


def right__04_prior_kl__einsum(x0, alpha_bar):
    """|x0|^2 by einsum, the last entry by index_select, and math.log1p."""
    a = alpha_bar.index_select(0, torch.tensor([len(alpha_bar) - 1])).item()
    x = x0.reshape(len(x0), -1)
    power = torch.einsum("bd,bd->b", x, x)
    return 0.5 * (a * power - x.shape[1] * (a + math.log1p(-a)))


def right__04_prior_kl__loop(x0, alpha_bar):
    """A loop over the images, stacked at the end."""
    a = float(alpha_bar[-1])
    rows = [0.5 * (a * float(x.double().square().sum()) - x.numel() * (a + math.log1p(-a))) for x in x0]
    return torch.tensor(rows, dtype=x0.dtype, device=x0.device)


def right__04_prior_kl__mean_times_d(x0, alpha_bar):
    """The mean over the pixels, times their number."""
    *_, a = alpha_bar
    x = x0.flatten(1)
    return x.shape[1] * 0.5 * (a * x.square().mean(1) - a - torch.log1p(-a))


def right__04_prior_kl__vector_norm(x0, alpha_bar):
    """The squared norm by linalg.vector_norm over all axes but the first."""
    a, d = alpha_bar[-1], math.prod(x0.shape[1:])
    norm = torch.linalg.vector_norm(x0, dim=tuple(range(1, x0.ndim)))
    return (a * norm**2 - d * (a + (-a).log1p())) / 2


@torch.no_grad()
def right__04_prior_kl__distributions(x0, alpha_bar):
    """torch.distributions in float64, cast back, under no_grad."""
    a = alpha_bar[-1].double()
    q = torch.distributions.Normal(a.sqrt() * x0.double(), (1 - a).sqrt())
    p = torch.distributions.Normal(torch.zeros_like(a), torch.ones_like(a))
    return torch.distributions.kl_divergence(q, p).flatten(1).sum(1).to(x0.dtype)


def wrong__04_sigmoid_betas__u_ignored(u, beta_min, beta_max, steepness):
    """u is taken for even steps."""
    return beta_min + (beta_max - beta_min) * torch.linspace(-steepness, steepness, len(u), dtype=u.dtype).sigmoid()
