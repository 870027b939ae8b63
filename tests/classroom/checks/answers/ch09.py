"""Answers of (imagined) students to the exercises of chapter 9. The name tells exercise and verdict."""

import math

import numpy as np
import torch
from torch.nn import functional as F

# ---------------------------------------------------------------- 09-karras_sigmas(n, sigma_min, sigma_max, rho)


def wrong__09_karras_sigmas__slip_no_zero(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """The 0 at the end is missing."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return (high + ramp * (low - high)) ** rho


def wrong__09_karras_sigmas__slip_zero_in_front(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """The 0 stands in front."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return torch.cat([torch.zeros(1, dtype=torch.float64), (high + ramp * (low - high)) ** rho])


def wrong__09_karras_sigmas__slip_rising(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """The sigmas rise from sigma_min to sigma_max."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return torch.cat([(low + ramp * (high - low)) ** rho, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__slip_i_over_n(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """i / n instead of i / (n - 1): sigma_min is not reached."""
    ramp = torch.arange(n, dtype=torch.float64) / n
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__slip_one_too_many(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """n + 1 sigmas and the 0 besides: one step too many."""
    ramp = torch.linspace(0, 1, n + 1, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__slip_last_overwritten(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """n sigmas of which the last is overwritten with 0: sigma_min is lost, and there are n - 1 steps."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    sigmas = (high + ramp * (low - high)) ** rho
    sigmas[-1] = 0
    return sigmas


def wrong__09_karras_sigmas__slip_no_root(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """The ends are not brought to the power 1 / rho."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    sigmas = (sigma_max + ramp * (sigma_min - sigma_max)) ** rho
    return torch.cat([sigmas, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__slip_no_power(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """The power rho at the end is missing: the roots of the sigmas are returned."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return torch.cat([high + ramp * (low - high), torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__slip_rho_inverted(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """rho and 1 / rho are swapped, which crowds the steps at large sigma."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min**rho, sigma_max**rho
    return torch.cat([((1 - ramp) * high + ramp * low) ** (1 / rho), torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__slip_precedence(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """sigma ** 1 / rho is sigma / rho: brackets are missing."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min**1 / rho, sigma_max**1 / rho
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__slip_integer_division(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """1 // rho is 0, so both ends become 1."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min ** (1 // rho), sigma_max ** (1 // rho)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__slip_hard_ends(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """0.002 and 80 are written into the formula."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = 0.002 ** (1 / rho), 80 ** (1 / rho)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__slip_hard_rho(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """7 is written into the formula."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min ** (1 / 7), sigma_max ** (1 / 7)
    return torch.cat([(high + ramp * (low - high)) ** 7, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__slip_geometric(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """Even steps in ln sigma, the limit of rho to infinity."""
    sigmas = torch.linspace(math.log(sigma_max), math.log(sigma_min), n, dtype=torch.float64).exp()
    return torch.cat([sigmas, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__slip_linear(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """Even steps in sigma: rho is not used."""
    sigmas = torch.linspace(sigma_max, sigma_min, n, dtype=torch.float64)
    return torch.cat([sigmas, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__slip_float32(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """float32 instead of float64."""
    ramp = torch.linspace(0, 1, n)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1)])


def wrong__09_karras_sigmas__slip_sign(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """high - ramp (low - high) has the wrong sign: the sigmas grow beyond sigma_max."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return torch.cat([(high - ramp * (low - high)) ** rho, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__slip_root_of_difference(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """The root of the difference instead of the difference of the roots."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    sigmas = (sigma_max ** (1 / rho) - ramp * (sigma_max - sigma_min) ** (1 / rho)) ** rho
    return torch.cat([sigmas, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__slip_numpy(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """Returns a numpy array and no tensor."""
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return np.append((high + np.linspace(0, 1, n) * (low - high)) ** rho, 0.0)


def wrong__09_karras_sigmas__slip_no_defaults(n, sigma_min, sigma_max, rho):
    """The default values were deleted, so karras_sigmas(20) fails."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__slip_argument_order(n, sigma_max=80.0, sigma_min=0.002, rho=7.0):
    """sigma_min and sigma_max are swapped in the list of arguments."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__slip_two(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """Two slips: i / n, and no 0 at the end."""
    ramp = torch.arange(n, dtype=torch.float64) / n
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return (high + ramp * (low - high)) ** rho


def wrong__09_karras_sigmas__subtle_float32_ramp(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """The ramp is made in float32 and converted afterwards: float64 in name only."""
    ramp = torch.linspace(0, 1, n).double()
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__subtle_integer_arange(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """arange(n) / (n - 1) of integers is float32, and .double() comes too late."""
    ramp = torch.arange(n) / (n - 1)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return torch.cat([(high + ramp.double() * (low - high)) ** rho, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__subtle_cast_at_end(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """Everything in float32, cast to float64 at the end."""
    ramp = torch.linspace(0, 1, n)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1)]).double()


def wrong__09_karras_sigmas__subtle_large_rho_log(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """For rho above 10 it takes the limit of even steps in ln sigma, which is far off still at 20."""
    if rho > 10:
        sigmas = torch.linspace(math.log(sigma_max), math.log(sigma_min), n, dtype=torch.float64).exp()
    else:
        low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
        sigmas = (high + torch.linspace(0, 1, n, dtype=torch.float64) * (low - high)) ** rho
    return torch.cat([sigmas, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__subtle_int_rho(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """int(rho) cuts 2.5 down to 2."""
    rho = int(rho)
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__subtle_at_least_0_01(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """Sigmas below 0.01 are raised to 0.01, so the last ones are equal."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    sigmas = ((high + ramp * (low - high)) ** rho).clamp(min=0.01)
    return torch.cat([sigmas, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__subtle_rounded(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """Rounded to four decimals, which changes the small sigmas by per cents."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    sigmas = ((high + ramp * (low - high)) ** rho).round(decimals=4)
    return torch.cat([sigmas, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__subtle_tiny_end(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """1e-8 at the end "to avoid a division by 0": samplers test for exactly 0."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.tensor([1e-8], dtype=torch.float64)])


def wrong__09_karras_sigmas__subtle_cached(n, sigma_min=0.002, sigma_max=80.0, rho=7.0, _memo={}):
    """Keeps the grid by n alone, so karras_sigmas(20, rho=1) gets the grid of rho = 7 after a first call."""
    if n not in _memo:
        ramp = torch.linspace(0, 1, n, dtype=torch.float64)
        low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
        _memo[n] = torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1, dtype=torch.float64)])
    return _memo[n].clone()


def wrong__09_karras_sigmas__subtle_eps_in_ramp(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """i / (n - 1 + 1e-6): the last sigma is above sigma_min, by more the larger rho is."""
    ramp = torch.arange(n, dtype=torch.float64) / (n - 1 + 1e-6)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__subtle_sigma_max_80(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """sigma_max above 80 is cut to 80, though the linear schedule begins at 157."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), min(sigma_max, 80.0) ** (1 / rho)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1, dtype=torch.float64)])


def right__09_karras_sigmas__weighted_mean(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """The roots as a weighted mean of both ends, and the 0 by F.pad."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    root = (1 - ramp) * sigma_max ** (1 / rho) + ramp * sigma_min ** (1 / rho)
    return F.pad(root**rho, (0, 1))


def right__09_karras_sigmas__linspace_of_roots(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """linspace between the roots themselves."""
    root = torch.linspace(sigma_max ** (1 / rho), sigma_min ** (1 / rho), n, dtype=torch.float64)
    return torch.cat([root.pow(rho), root.new_zeros(1)])


def right__09_karras_sigmas__python_loop(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """A loop over Python numbers."""
    low, high = math.pow(sigma_min, 1 / rho), math.pow(sigma_max, 1 / rho)
    sigmas = [math.pow(high + i / (n - 1) * (low - high), rho) for i in range(n)]
    return torch.tensor([*sigmas, 0.0], dtype=torch.float64)


def right__09_karras_sigmas__zeros_filled(n, sigma_min=0.002, sigma_max=80.0, rho=7.0, dtype=torch.float64):
    """Fills a tensor of zeros by slice; an extra argument with a default."""
    sigmas = torch.zeros(n + 1, dtype=dtype)
    ramp = torch.arange(n, dtype=dtype) / (n - 1)
    sigmas[:n] = (sigma_max ** (1 / rho) + ramp * (sigma_min ** (1 / rho) - sigma_max ** (1 / rho))) ** rho
    return sigmas


def right__09_karras_sigmas__log_space(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """Roots and power through exp and log, the ramp by torch.lerp."""
    low, high = math.exp(math.log(sigma_min) / rho), math.exp(math.log(sigma_max) / rho)
    first, last = torch.tensor([high, low], dtype=torch.float64)
    root = torch.lerp(first, last, torch.linspace(0, 1, n, dtype=torch.float64))
    return torch.cat([(rho * root.log()).exp(), torch.zeros(1, dtype=torch.float64)])


def right__09_karras_sigmas__rising_and_flipped(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """Rises from 0 and sigma_min to sigma_max and is flipped at the end."""
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    rising = torch.hstack([torch.zeros(1).double(), (low + ramp * (high - low)) ** rho])
    return rising.flip(0)


@torch.no_grad()
def right__09_karras_sigmas__numpy_inside(n, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """numpy inside, a tensor at the end."""
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return torch.from_numpy(np.append((high + np.linspace(0, 1, n) * (low - high)) ** rho, 0.0))


# ---------------------------------------------------------------- 09-heun_step(D, x, sigma, sigma_next, noise)


def wrong__09_heun_step__slip_euler(D, x, sigma, sigma_next, noise=None):
    """Euler's step: the second slope is missing."""
    return x + (sigma_next - sigma) * (x - D(x, sigma)) / sigma


def wrong__09_heun_step__slip_no_zero_case(D, x, sigma, sigma_next, noise=None):
    """No case for sigma_next = 0: a division by 0."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    d_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__slip_second_slope_at_x(D, x, sigma, sigma_next, noise=None):
    """The second slope is taken at x instead of the Euler point."""
    d = (x - D(x, sigma)) / sigma
    if sigma_next == 0:
        return x + (sigma_next - sigma) * d
    d_next = (x - D(x, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__slip_second_slope_mixed(D, x, sigma, sigma_next, noise=None):
    """The second slope is x - D(x_next) instead of x_next - D(x_next)."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next == 0:
        return x_next
    d_next = (x - D(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__slip_old_sigma_in_D(D, x, sigma, sigma_next, noise=None):
    """The second call tells D the old sigma."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next == 0:
        return x_next
    d_next = (x_next - D(x_next, sigma)) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__slip_divided_by_old_sigma(D, x, sigma, sigma_next, noise=None):
    """The second slope is divided by the old sigma."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next == 0:
        return x_next
    d_next = (x_next - D(x_next, sigma_next)) / sigma
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__slip_from_euler_point(D, x, sigma, sigma_next, noise=None):
    """The last line starts from the Euler point instead of x: the step is taken twice."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next == 0:
        return x_next
    d_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return x_next + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__slip_no_half(D, x, sigma, sigma_next, noise=None):
    """The sum of both slopes instead of their mean."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next == 0:
        return x_next
    d_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next)


def wrong__09_heun_step__slip_half_on_second(D, x, sigma, sigma_next, noise=None):
    """Brackets: d + d' / 2, only the second slope is halved."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next == 0:
        return x_next
    d_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next / 2)


def wrong__09_heun_step__slip_second_slope_only(D, x, sigma, sigma_next, noise=None):
    """Takes the second slope alone instead of the mean of both."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next == 0:
        return x_next
    return x + (sigma_next - sigma) * (x_next - D(x_next, sigma_next)) / sigma_next


def wrong__09_heun_step__slip_step_sign(D, x, sigma, sigma_next, noise=None):
    """sigma - sigma_next: the step goes the wrong way."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma - sigma_next) * d
    if sigma_next == 0:
        return x_next
    d_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return x + (sigma - sigma_next) * (d + d_next) / 2


def wrong__09_heun_step__slip_slope_sign(D, x, sigma, sigma_next, noise=None):
    """The slope is D - x instead of x - D."""
    d = (D(x, sigma) - x) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next == 0:
        return x_next
    d_next = (D(x_next, sigma_next) - x_next) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__slip_brackets_slope(D, x, sigma, sigma_next, noise=None):
    """Brackets: x - D / sigma instead of (x - D) / sigma."""
    d = x - D(x, sigma) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next == 0:
        return x_next
    d_next = x_next - D(x_next, sigma_next) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__slip_midpoint(D, x, sigma, sigma_next, noise=None):
    """The midpoint method: of second order too, but not Heun's."""
    d = (x - D(x, sigma)) / sigma
    if sigma_next == 0:
        return x + (sigma_next - sigma) * d
    middle = (sigma + sigma_next) / 2
    x_mid = x + (middle - sigma) * d
    return x + (sigma_next - sigma) * (x_mid - D(x_mid, middle)) / middle


def wrong__09_heun_step__slip_zero_case_on_sigma(D, x, sigma, sigma_next, noise=None):
    """Tests sigma instead of sigma_next for 0."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma == 0:
        return x_next
    d_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__slip_is_zero(D, x, sigma, sigma_next, noise=None):
    """A tensor == 0 never *is* the object 0 or True, so the Euler case is never taken."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if (sigma_next == 0) is True:
        return x_next
    d_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__slip_guess_at_zero(D, x, sigma, sigma_next, noise=None):
    """The zero case returns x unchanged instead of the Euler step."""
    if sigma_next == 0:
        return x
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    d_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__slip_in_place(D, x, sigma, sigma_next, noise=None):
    """x += changes the caller's x; the returned numbers are right."""
    h = sigma_next - sigma
    d = (x - D(x, sigma)) / sigma
    x += h * d
    if sigma_next == 0:
        return x
    d_next = (x - D(x, sigma_next)) / sigma_next
    return x + h * (d_next - d) / 2


def wrong__09_heun_step__slip_adds_noise(D, x, sigma, sigma_next, noise=None):
    """Uses the noise argument, which is None here and was to stay unused."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next == 0:
        return x_next
    d_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2 + sigma_next * noise.like(x)


def wrong__09_heun_step__slip_tuple(D, x, sigma, sigma_next, noise=None):
    """Returns x and the slope as a pair."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next == 0:
        return x_next, d
    d_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2, d_next


def wrong__09_heun_step__slip_swapped_call(D, x, sigma, sigma_next, noise=None):
    """Calls D(sigma, x)."""
    d = (x - D(sigma, x)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next == 0:
        return x_next
    d_next = (x_next - D(sigma_next, x_next)) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__slip_two(D, x, sigma, sigma_next, noise=None):
    """Two slips: from the Euler point, and without the half."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next == 0:
        return x_next
    d_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return x_next + (sigma_next - sigma) * (d + d_next)


def wrong__09_heun_step__slip_numpy(D, x, sigma, sigma_next, noise=None):
    """Returns a numpy array and no tensor."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next > 0:
        x_next = x + (sigma_next - sigma) * (d + (x_next - D(x_next, sigma_next)) / sigma_next) / 2
    return x_next.detach().numpy()


def wrong__09_heun_step__subtle_euler_below_0_01(D, x, sigma, sigma_next, noise=None):
    """Euler already for sigma_next below 0.01: the steps to sigma_min = 0.002 lose their order."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next < 0.01:
        return x_next
    d_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__subtle_euler_at_sigma_min(D, x, sigma, sigma_next, noise=None):
    """Takes sigma_min = 0.002 (with room for rounding) for the end: Euler for that sigma_next as well."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next <= 0.00201:
        return x_next
    d_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__subtle_int_zero(D, x, sigma, sigma_next, noise=None):
    """int(sigma_next) is 0 for every sigma_next below 1: Euler there."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if int(sigma_next) == 0:
        return x_next
    d_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__subtle_eps_in_denominator(D, x, sigma, sigma_next, noise=None):
    """1e-6 beside sigma_next instead of a zero case: wrong at 0, where D is called twice, and off at 0.002."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    d_next = (x_next - D(x_next, sigma_next)) / (sigma_next + 1e-6)
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__subtle_sigma_clamped(D, x, sigma, sigma_next, noise=None):
    """sigma_next is kept above 1e-3, so the last step does not go to 0."""
    sigma_next = sigma_next.clamp(min=1e-3)
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    d_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__subtle_where(D, x, sigma, sigma_next, noise=None):
    """Computes both cases and chooses by where: D is called at sigma = 0, and twice on the last step."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    d_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return torch.where(sigma_next == 0, x_next, x + (sigma_next - sigma) * (d + d_next) / 2)


def wrong__09_heun_step__subtle_nan_to_num(D, x, sigma, sigma_next, noise=None):
    """Replaces the NaN of the last step by 0: half an Euler step at best, and a second call of D."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    d_next = torch.nan_to_num((x_next - D(x_next, sigma_next)) / sigma_next, nan=0.0, posinf=0.0, neginf=0.0)
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__subtle_three_calls(D, x, sigma, sigma_next, noise=None):
    """Calls D a third time, at the same x and sigma: a step costs three evaluations."""

    def slope(at, level):
        return (at - D(at, level)) / level

    x_next = x + (sigma_next - sigma) * slope(x, sigma)
    if sigma_next == 0:
        return x_next
    return x + (sigma_next - sigma) * (slope(x, sigma) + slope(x_next, sigma_next)) / 2


def wrong__09_heun_step__subtle_remembered_slope(D, x, sigma, sigma_next, noise=None, _last={}):
    """Reuses the second slope of the last call for the first of this one: it belongs to another x."""
    shared = _last.get("sigma") == float(sigma) and _last["d"].shape == x.shape
    d = _last["d"].to(x.dtype) if shared else (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next == 0:
        return x_next
    d_next = (x_next - D(x_next, sigma_next)) / sigma_next
    _last.update(sigma=float(sigma_next), d=d_next)
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__subtle_clipped(D, x, sigma, sigma_next, noise=None):
    """D's answers are clipped to [-1, 1]; that is the denoiser's business, and data may lie outside."""
    d = (x - D(x, sigma).clamp(-1, 1)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next == 0:
        return x_next
    d_next = (x_next - D(x_next, sigma_next).clamp(-1, 1)) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__subtle_float32(D, x, sigma, sigma_next, noise=None):
    """A detour through float32: the measured orders end at 1e-7."""
    y, s, s_next = x.float(), sigma.float(), sigma_next.float()
    d = (y - D(x, sigma).float()) / s
    y_next = y + (s_next - s) * d
    if sigma_next == 0:
        return y_next.to(x.dtype)
    d_next = (y_next - D(y_next.to(x.dtype), sigma_next).float()) / s_next
    return (y + (s_next - s) * (d + d_next) / 2).to(x.dtype)


def wrong__09_heun_step__subtle_noise_required(D, x, sigma, sigma_next, noise):
    """The default of noise was deleted, and the notebook calls heun_step with four arguments."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next == 0:
        return x_next
    d_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__subtle_small_step_euler(D, x, sigma, sigma_next, noise=None):
    """Steps shorter than 5 % of sigma are taken by Euler, so halving them does not show the second order."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next == 0 or sigma - sigma_next < 0.05 * sigma:
        return x_next
    d_next = (x_next - D(x_next, sigma_next)) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2


def wrong__09_heun_step__subtle_in_place_answer(D, x, sigma, sigma_next, noise=None):
    """neg_().add_(x) works on D's answer in place: a denoiser that keeps its answer is damaged."""
    d = D(x, sigma).neg_().add_(x) / sigma
    x_next = x + (sigma_next - sigma) * d
    if sigma_next == 0:
        return x_next
    d_next = D(x_next, sigma_next).neg_().add_(x_next) / sigma_next
    return x + (sigma_next - sigma) * (d + d_next) / 2


def right__09_heun_step__ratio(D, x, sigma, sigma_next, noise=None):
    """Euler as a weighted mean of x and D; Heun as the mean of the Euler point and the step with the second slope."""
    ratio = sigma_next / sigma
    x_next = ratio * x + (1 - ratio) * D(x, sigma)
    if float(sigma_next) == 0.0:
        return x_next
    other = x + (sigma_next - sigma) / sigma_next * (x_next - D(x_next, sigma_next))
    return (x_next + other) / 2


def right__09_heun_step__correction(D, x, sigma, sigma_next, noise=None):
    """Euler, and then half the difference of the slopes on top."""
    h = sigma_next - sigma
    first = (x - D(x, sigma)).div(sigma)
    x_next = x + h * first
    if not sigma_next > 0:
        return x_next
    return x_next + h * 0.5 * ((x_next - D(x_next, sigma_next)) / sigma_next - first)


def right__09_heun_step__loop(D, x, sigma, sigma_next, noise=None):
    """A loop over the ends of the step, which gathers the slopes."""
    slopes, at = [], x
    for level in (sigma, sigma_next):
        if level.item() == 0:
            break
        slopes.append((at - D(at, level)) / level)
        at = x + (sigma_next - sigma) * slopes[0]
    return x + (sigma_next - sigma) * torch.stack(slopes).mean(0)


def right__09_heun_step__einsum(D, x, sigma, sigma_next, noise=None):
    """The mean of the slopes by an einsum with weights."""
    d = (x - D(x, sigma)) / sigma
    x_next = x + (sigma_next - sigma) * d
    if bool(sigma_next == 0):
        return x_next
    both = torch.stack([d, (x_next - D(x_next, sigma_next)) / sigma_next])
    return x + (sigma_next - sigma) * torch.einsum("k,k...->...", both.new_tensor([0.5, 0.5]), both)


def right__09_heun_step__lerp(D, x, sigma, sigma_next, noise=None):
    """torch.lerp for both points and for the mean of the slopes."""
    guess = D(x, sigma)
    x_next = torch.lerp(guess, x, (sigma_next / sigma).item())
    if sigma_next == 0:
        return x_next
    d, d_next = (x - guess) / sigma, (x_next - D(x_next, sigma_next)) / sigma_next
    return torch.add(x, torch.lerp(d, d_next, 0.5) * (sigma_next - sigma))


@torch.no_grad()
def right__09_heun_step__no_grad(D, x, sigma, sigma_next, noise=None, half=0.5):
    """Under no_grad, with the slopes as predicted noise, and an extra argument with a default."""
    eps = (x - D(x, sigma)) / sigma
    x_next = x - (sigma - sigma_next) * eps
    if sigma_next:
        eps = half * eps + half * (x_next - D(x_next, sigma_next)) / sigma_next
        x_next = x - (sigma - sigma_next) * eps
    return x_next


def right__09_heun_step__float64_inside(D, x, sigma, sigma_next, noise=None):
    """The arithmetic in float64, D in x's dtype, cast back at the end."""
    h, y = float(sigma_next - sigma), x.double()
    d = (y - D(x, sigma).double()) / float(sigma)
    y_next = y + h * d
    if sigma_next == 0:
        return y_next.to(x.dtype)
    d_next = (y_next - D(y_next.to(x.dtype), sigma_next).double()) / float(sigma_next)
    return (y + h * (d + d_next) / 2).to(x.dtype)


# ---------------------------------------------------------------- 09-churn(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise)


def wrong__09_churn__slip_max(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """max instead of min: the cap becomes the least."""
    gamma = max(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__slip_no_cap(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """The cap sqrt(2) - 1 is missing."""
    gamma = s_churn / num_steps if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__slip_cap_root_two(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """The cap is sqrt(2) instead of sqrt(2) - 1."""
    gamma = min(s_churn / num_steps, math.sqrt(2)) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__slip_cap_precedence(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """sqrt(2 - 1) is 1: the bracket closes too late."""
    gamma = min(s_churn / num_steps, math.sqrt(2 - 1)) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__slip_not_divided(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """s_churn is not divided by the number of steps."""
    gamma = min(s_churn, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__slip_cap_before_division(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """Brackets: the cap comes before the division, min(s_churn, sqrt(2) - 1) / N."""
    gamma = min(s_churn, math.sqrt(2) - 1) / num_steps if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__slip_integer_division(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """s_churn // num_steps is 0 for every s_churn below the number of steps."""
    gamma = min(s_churn // num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__slip_n_minus_one(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """Divides by num_steps - 1."""
    gamma = min(s_churn / max(num_steps - 1, 1), math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__slip_sigma_plus_gamma(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """sigma + gamma instead of sigma (1 + gamma)."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma + gamma
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__slip_difference_of_sigmas(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """Adds noise of size sigma_hat - sigma: variances add, not standard deviations."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat - sigma) * s_noise * eps, sigma_hat


def wrong__09_churn__slip_no_squares(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """The root of sigma_hat - sigma: the squares are missing."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat - sigma).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__slip_no_root(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """The root is missing: the variance is used as a standard deviation."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2) * s_noise * eps, sigma_hat


def wrong__09_churn__slip_full_noise(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """Adds noise of the whole size sigma_hat."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + sigma_hat * s_noise * eps, sigma_hat


def wrong__09_churn__slip_noise_in_root(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """The noise stands inside the root, as report 2 prints it: the root of negative numbers."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + ((sigma_hat**2 - sigma**2) * s_noise * eps).sqrt(), sigma_hat


def wrong__09_churn__slip_no_s_noise(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """s_noise is not used."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * eps, sigma_hat


def wrong__09_churn__slip_s_noise_in_root(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """s_noise stands under the root, so only its root counts."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + ((sigma_hat**2 - sigma**2) * s_noise).sqrt() * eps, sigma_hat


def wrong__09_churn__slip_always(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """s_min and s_max are not used: churns at every sigma."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1)
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__slip_outside(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """The cases are swapped: churns outside the interval."""
    gamma = 0.0 if s_min <= sigma <= s_max else min(s_churn / num_steps, math.sqrt(2) - 1)
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__slip_or(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """`or` instead of `and`: every sigma fulfils one of the two."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma or sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__slip_order(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """Returns (sigma_hat, x_hat), the wrong way round."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return sigma_hat, x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps


def wrong__09_churn__slip_only_x(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """Returns x_hat alone."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps


def wrong__09_churn__slip_old_sigma(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """Returns sigma instead of sigma_hat beside x_hat."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma


def wrong__09_churn__slip_float_sigma(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """sigma_hat is a Python number; a tensor of shape () is asked for."""
    s = sigma.item()
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= s <= s_max else 0.0
    sigma_hat = s * (1 + gamma)
    return x + math.sqrt(sigma_hat**2 - s**2) * s_noise * eps, sigma_hat


def wrong__09_churn__slip_own_noise(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """Draws the noise itself instead of using eps."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * torch.randn_like(x), sigma_hat


def wrong__09_churn__slip_in_place_x(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """x += changes the caller's x."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    x += (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps
    return x, sigma_hat


def wrong__09_churn__slip_in_place_sigma(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """sigma *= changes the caller's sigma, an entry of the grid."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    old = sigma.clone()
    sigma *= 1 + gamma
    return x + (sigma**2 - old**2).sqrt() * s_noise * eps, sigma


def wrong__09_churn__slip_two(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """Two slips: no cap, and the root of sigma_hat - sigma."""
    gamma = s_churn / num_steps if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat - sigma).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__subtle_open_below(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """sigma = s_min is left out: < instead of <=."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min < sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__subtle_open_above(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """sigma = s_max is left out: < instead of <=."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma < s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__subtle_product_test(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """Tests (sigma - s_min)(s_max - sigma) >= 0, which is 0 times infinity at sigma = s_min, s_max = inf."""
    inside = (sigma - s_min) * (s_max - sigma) >= 0
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if inside else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__subtle_sigma_hat_tested(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """Tests the raised sigma_hat against s_max, so the last sigmas below s_max are left out."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1)
    if not s_min <= sigma or sigma * (1 + gamma) > s_max:
        gamma = 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__subtle_sigma_hat_clamped(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """sigma_hat is not let above 80: the first step of the usual grid gets no churn."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = torch.minimum(sigma * (1 + gamma), torch.full_like(sigma, 80.0)).maximum(sigma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__subtle_rounded_cap(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """The cap is typed as 0.414."""
    gamma = min(s_churn / num_steps, 0.414) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__subtle_eps_in_root(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """1e-8 under the root adds noise of 1e-4 where none is asked for."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2 + 1e-8).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__subtle_root_clamped(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """The variance is kept above 1e-6, which is more than sigma = 0.002 may get."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).clamp(min=1e-6).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__slip_first_order(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """sqrt(2 gamma) sigma, the size of the noise for a small gamma only: gamma^2 is left out."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    return x + sigma * math.sqrt(2 * gamma) * s_noise * eps, sigma * (1 + gamma)


def wrong__09_churn__subtle_s_noise_in_sigma(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """sigma_hat is computed from the noise that was added, s_noise included: right for s_noise = 1 only."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    added = sigma * math.sqrt(gamma * (2 + gamma)) * s_noise
    return x + added * eps, (sigma**2 + added**2).sqrt()


def wrong__09_churn__subtle_s_noise_or_default(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """`s_noise or 1.003` turns s_noise = 0 into Karras's value."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * (s_noise or 1.003) * eps, sigma_hat


def wrong__09_churn__subtle_small_churn_off(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """Less than one hundredth of sigma a step is taken for no churn."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    gamma = gamma if gamma > 0.01 else 0.0
    sigma_hat = sigma * (1 + gamma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__slip_one_sigma_shape(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """sigma_hat has shape (1,) instead of ()."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma.reshape(1) * (1 + gamma)
    return x + (sigma_hat[0] ** 2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def wrong__09_churn__subtle_float32(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """sigma takes a detour through float32, and sigma_hat^2 - sigma^2 cancels."""
    s = sigma.float()
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    s_hat = s * (1 + gamma)
    return x + (s_hat**2 - s**2).sqrt() * s_noise * eps, s_hat.to(sigma.dtype)


def wrong__09_churn__subtle_cached_gamma(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise, _memo={}):
    """Keeps gamma by (s_churn, num_steps), with the interval of the first call inside."""
    key = (s_churn, num_steps)
    if key not in _memo:
        _memo[key] = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    sigma_hat = sigma * (1 + _memo[key])
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def right__09_churn__factored(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """sqrt(gamma (2 + gamma)) sigma, which does not cancel for a small gamma."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    return x + sigma * math.sqrt(gamma * (2 + gamma)) * s_noise * eps, sigma * (1 + gamma)


def right__09_churn__difference_times_sum(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """(sigma_hat - sigma)(sigma_hat + sigma) under the root, and the test as two negated comparisons."""
    gamma = 0.0 if sigma < s_min or sigma > s_max else min(s_churn / num_steps, 2**0.5 - 1)
    sigma_hat = sigma + gamma * sigma
    return x + torch.sqrt((sigma_hat - sigma) * (sigma_hat + sigma)) * (s_noise * eps), sigma_hat


def right__09_churn__mask(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """Without `if`: the comparisons as a factor 0 or 1."""
    inside = (sigma >= s_min) & (sigma <= s_max)
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) * inside.to(sigma.dtype)
    sigma_hat = sigma * (1 + gamma)
    return x + s_noise * (sigma_hat.square() - sigma.square()).sqrt() * eps, sigma_hat


def right__09_churn__where_and_clamp(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """torch.where and clamp on tensors of shape ()."""
    capped = torch.full_like(sigma, s_churn / num_steps).clamp(max=math.sqrt(2) - 1)
    gamma = torch.where(torch.logical_and(sigma.ge(s_min), sigma.le(s_max)), capped, torch.zeros_like(sigma))
    sigma_hat = torch.addcmul(sigma, gamma, sigma)
    return x + (sigma_hat**2 - sigma**2).sqrt() * s_noise * eps, sigma_hat


def right__09_churn__early_return(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """Returns copies at once where there is no churn."""
    if not (s_churn > 0 and s_min <= sigma <= s_max):
        return x.clone(), sigma.clone()
    factor = min(1 + s_churn / num_steps, math.sqrt(2))
    return x.add((factor**2 - 1) ** 0.5 * s_noise * sigma * eps), factor * sigma


@torch.no_grad()
def right__09_churn__python_numbers(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise, cap=2**0.5 - 1):
    """Python numbers, made into a tensor of sigma's dtype at the end; under no_grad, with an extra default."""
    s = float(sigma)
    gamma = min(s_churn / num_steps, cap) if bool(s_min <= sigma) and bool(sigma <= s_max) else 0.0
    s_hat = s * (1 + gamma)
    return x + math.sqrt(s_hat * s_hat - s * s) * s_noise * eps, sigma.new_tensor(s_hat)


def right__09_churn__float64_inside(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """float64 inside, cast back at the end, with an einsum over x and eps."""
    gamma = min(s_churn / num_steps, math.sqrt(2) - 1) if s_min <= sigma <= s_max else 0.0
    s = sigma.double()
    s_hat = s * (1 + gamma)
    size = ((s_hat**2 - s**2).sqrt() * s_noise).item()
    weights = torch.tensor([1.0, size], dtype=torch.float64, device=x.device)
    x_hat = torch.einsum("k,k...->...", weights, torch.stack([x, eps]).double())
    return x_hat.to(x.dtype), s_hat.to(sigma.dtype)


def wrong__09_heun_step__noise_where_there_is_some(D, x, sigma, sigma_next, noise=None):
    """The fifth argument is left unused."""
    slope = (x - D(x, sigma)) / sigma
    moved = x + (sigma_next - sigma) * slope
    if sigma_next > 0:
        moved = x + (sigma_next - sigma) * (slope + (moved - D(moved, sigma_next)) / sigma_next) / 2
    return moved if noise is None else moved + 0.1 * noise.like(x)


def wrong__09_karras_sigmas__rho_cut(n, sigma_min, sigma_max, rho):
    """The chapter itself asks for rho = 10,000."""
    ramp, rho = torch.linspace(0, 1, n, dtype=torch.float64), min(rho, 20)
    ends = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return torch.cat([(ends[0] + ramp * (ends[1] - ends[0])) ** rho, torch.zeros(1, dtype=torch.float64)])


def wrong__09_karras_sigmas__sigma_max_cut(n, sigma_min, sigma_max, rho):
    """sigma_max may be 1000."""
    ramp, top = torch.linspace(0, 1, n, dtype=torch.float64), min(sigma_max, 200)
    ends = top ** (1 / rho), sigma_min ** (1 / rho)
    return torch.cat([(ends[0] + ramp * (ends[1] - ends[0])) ** rho, torch.zeros(1, dtype=torch.float64)])
