"""Textbook loops to test against: plain Python and NumPy, written from the papers and not from the library.

Here betas is a list with betas[0] = beta_1, and t runs from 1 to T, as in Ho et al. 2020.
"""

import itertools
import math

import numpy as np


def alpha_bars(betas):
    """[alpha_bar_0 = 1, alpha_bar_1, ..., alpha_bar_T], by repeated multiplication."""
    products = [1.0]
    for beta in betas:
        products.append(products[-1] * (1.0 - float(beta)))
    return products


def markov_chain(x0, betas, noises):
    """x_1, ..., x_T of the forward chain (Ho et al. 2020, eq. 2), with the given noises."""
    states, x = [], x0
    for beta, noise in zip(betas, noises, strict=True):
        x = math.sqrt(1.0 - beta) * x + math.sqrt(beta) * noise
        states.append(x)
    return states


def combined_noise(betas, noises, t):
    """The one standard normal noise that takes x_0 to the chain's x_t in a single jump."""
    total = 0.0
    for i in range(t):
        kept = 1.0
        for beta in betas[i + 1 : t]:
            kept *= 1.0 - beta
        total = total + math.sqrt(betas[i] * kept) * noises[i]
    return total / math.sqrt(1.0 - alpha_bars(betas)[t])


def posterior_by_completing_the_square(x0, x_t, t, betas):
    """Mean and variance of q(x_{t-1} | x_t, x_0): collect the terms of x_{t-1} in the exponent of the product."""
    alpha = 1.0 - betas[t - 1]
    before = alpha_bars(betas)[t - 1]
    # -1/2 [ (x_t - sqrt(alpha) y)^2 / beta + (y - sqrt(before) x_0)^2 / (1 - before) ] = -1/2 [ a y^2 - 2 b y + ... ]
    a = alpha / betas[t - 1] + 1.0 / (1.0 - before)
    b = math.sqrt(alpha) * x_t / betas[t - 1] + math.sqrt(before) * x0 / (1.0 - before)
    return b / a, 1.0 / a


def posterior_on_a_grid(x0, x_t, t, betas, points=200_001):
    """The same for scalars, by Bayes' rule with sums over a fine grid of x_{t-1}."""
    before = alpha_bars(betas)[t - 1]
    width = 12.0 * math.sqrt(1.0 - before)
    y = math.sqrt(before) * x0 + np.linspace(-width, width, points)
    prior = -((y - math.sqrt(before) * x0) ** 2) / (2.0 * (1.0 - before))
    likelihood = -((x_t - math.sqrt(1.0 - betas[t - 1]) * y) ** 2) / (2.0 * betas[t - 1])
    weights = np.exp(prior + likelihood - (prior + likelihood).max())
    weights /= weights.sum()
    mean = (weights * y).sum()
    return mean, (weights * (y - mean) ** 2).sum()


def ancestral_sampling(x, timesteps, betas, eps_model, noises, variance):
    """Ho et al. 2020, algorithm 2, in x_t coordinates, on any decreasing sub-sequence of timesteps.

    variance: "small" for beta-tilde (eq. 7) or "large" for beta (section 3.2). One noise for each step but the last.
    """
    bars = alpha_bars(betas)
    for i, t in enumerate(timesteps):
        s = timesteps[i + 1] if i + 1 < len(timesteps) else 0
        alpha = bars[t] / bars[s]
        beta = 1.0 - alpha
        mean = (x - beta / math.sqrt(1.0 - bars[t]) * eps_model(x, t)) / math.sqrt(alpha)
        if s == 0:
            return mean
        tilde = beta * (1.0 - bars[s]) / (1.0 - bars[t])
        x = mean + math.sqrt({"small": tilde, "large": beta}[variance]) * noises[i]


def ddim_sampling(x, timesteps, betas, eps_model, noises, eta):
    """Song et al. 2021 (DDIM), eqs. 12 and 16, in x_t coordinates."""
    bars = alpha_bars(betas)
    for i, t in enumerate(timesteps):
        s = timesteps[i + 1] if i + 1 < len(timesteps) else 0
        eps = eps_model(x, t)
        x0 = (x - math.sqrt(1.0 - bars[t]) * eps) / math.sqrt(bars[t])
        std = eta * math.sqrt((1.0 - bars[s]) / (1.0 - bars[t])) * math.sqrt(1.0 - bars[t] / bars[s])
        x = math.sqrt(bars[s]) * x0 + math.sqrt(max(1.0 - bars[s] - std**2, 0.0)) * eps + std * noises[i]
    return x


def eps_of_gaussian_data(betas, mean, std):
    """eps_theta(x_t, t) of the perfect network when the data are N(mean, std^2): minus the score times sqrt(1 - bar)."""
    bars = alpha_bars(betas)

    def eps(x, t):
        score = -(x - math.sqrt(bars[t]) * mean) / (bars[t] * std**2 + 1.0 - bars[t])
        return -math.sqrt(1.0 - bars[t]) * score

    return eps


def ddpm_moments_on_gaussian_data(sigmas, mean, std, start_mean, start_variance):
    """Mean and variance after ancestral steps down the grid, x = x_0 + sigma eps, data N(mean, std^2), D exact.

    Each step is x -> D + r (x - D) + noise of variance s^2 (1 - r), r = (s / t)^2, and D is linear in x.
    """
    m, v = start_mean, start_variance
    for t, s in itertools.pairwise(sigmas):
        shrink = std**2 / (std**2 + t**2)
        r = (s / t) ** 2
        slope = shrink + r * (1.0 - shrink)
        m, v = mean + slope * (m - mean), slope**2 * v + s**2 * (1.0 - r)
    return m, v


def bound_terms_on_gaussian_data(betas, mean, std, decoder_variance):
    """E[L_T], [E[L_1], ..., E[L_{T-1}]], E[L_0] for one dimension of data N(mean, std^2) and the exact denoiser.

    The mean squared error of the exact denoiser at noise level sigma is std^2 sigma^2 / (std^2 + sigma^2).
    """
    bars = alpha_bars(betas)
    mse = [None] + [std**2 * (1 - bar) / (bar * std**2 + 1 - bar) for bar in bars[1:]]
    snr = [math.inf] + [bar / (1 - bar) for bar in bars[1:]]
    last = bars[-1]
    prior = 0.5 * ((1 - last) + last * (mean**2 + std**2) - 1 - math.log(1 - last))
    kl = [0.5 * (snr[t - 1] - snr[t]) * mse[t] for t in range(2, len(bars))]
    decoder = 0.5 * (math.log(2 * math.pi * decoder_variance) + mse[1] / decoder_variance)
    return prior, kl, decoder


def denoise_a_dataset(x, data, sigma):
    """E[x_0 | x] and log p(x; sigma) for x (D,) and equally likely data points (N, D), one point at a time."""
    logs = [-float(((x - point) ** 2).sum()) / (2.0 * sigma**2) for point in data]
    top = max(logs)
    weights = [math.exp(value - top) for value in logs]
    total = math.fsum(weights)
    mean = sum(w * point for w, point in zip(weights, data, strict=True)) / total
    log_norm = 0.5 * len(x) * math.log(2.0 * math.pi * sigma**2)
    return mean, top + math.log(total / len(data)) - log_norm


def cosine_alpha_bar(t, T, s=0.008):
    """alpha_bar_t of the cosine schedule, unclipped (Nichol & Dhariwal 2021, eq. 17)."""

    def f(u):
        return math.cos((u / T + s) / (1 + s) * math.pi / 2) ** 2

    return f(t) / f(0)


def exponential_average(start, values, decay):
    """start, then average = decay(step) * average + (1 - decay(step)) * value for steps 1, 2, ..."""
    average = start
    for step, value in enumerate(values, 1):
        average = decay(step) * average + (1.0 - decay(step)) * value
    return average


def wilson_by_inversion(successes, n, z=1.96):
    """The shares p whose score test |successes/n - p| <= z sqrt(p (1 - p) / n) accepts: ends found by bisection."""

    def rejected(p):
        return abs(successes / n - p) > z * math.sqrt(p * (1 - p) / n)

    def edge(inside, outside):
        for _ in range(200):
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if rejected(middle) else (middle, outside)
        return inside

    return edge(successes / n, 0.0), edge(successes / n, 1.0)


def edm_sampling(D, x, t, noises, s_churn, s_min, s_max, s_noise):
    """Karras et al. 2022, algorithm 2, line by line, with sigma(t) = t and s(t) = 1. t: t_0 > ... > t_N = 0."""
    steps = len(t) - 1
    for i in range(steps):
        gamma = min(s_churn / steps, math.sqrt(2) - 1) if s_min <= t[i] <= s_max else 0.0
        t_hat = t[i] + gamma * t[i]
        x_hat = x + math.sqrt(t_hat**2 - t[i] ** 2) * s_noise * noises[i]
        d = (x_hat - D(x_hat, t_hat)) / t_hat
        x = x_hat + (t[i + 1] - t_hat) * d
        if t[i + 1] != 0:
            d_prime = (x - D(x, t[i + 1])) / t[i + 1]
            x = x_hat + (t[i + 1] - t_hat) * (d / 2 + d_prime / 2)
    return x


def dpmpp_2m_sampling(D, x, sigma):
    """Lu et al. 2022 (DPM-Solver++), algorithm 2, in lambda = log(alpha / sigma) with alpha = 1; lower order at both ends."""
    last, last_lam = None, None
    for i in range(len(sigma) - 1):
        x0, lam = D(x, sigma[i]), -math.log(sigma[i])
        if sigma[i + 1] == 0:
            return x0
        lam_next = -math.log(sigma[i + 1])
        h = lam_next - lam
        if last is None:
            guess = x0
        else:
            r = (lam - last_lam) / h
            guess = (1 + 1 / (2 * r)) * x0 - 1 / (2 * r) * last
        x = sigma[i + 1] / sigma[i] * x - math.expm1(-h) * guess
        last, last_lam = x0, lam
    return x


def karras_table_1(name, sigma, sigma_data=0.5):
    """(c_skip, c_out, c_in, c_noise) of one sigma, as Karras et al. 2022, table 1 defines them; inverses by bisection."""
    if name == "edm":
        total = math.hypot(sigma, sigma_data)
        return (sigma_data / total) ** 2, sigma * sigma_data / total, 1 / total, 0.25 * math.log(sigma)
    if name == "ve":
        return 1.0, sigma, 1.0, math.log(0.5 * sigma)
    if name == "vp":
        low, high = 0.0, 3.0
        for _ in range(200):
            t = (low + high) / 2
            below = math.sqrt(math.expm1(0.5 * 19.9 * t**2 + 0.1 * t)) < sigma
            low, high = (t, high) if below else (low, t)
        return 1.0, -sigma, 1 / math.hypot(sigma, 1), 999 * t
    levels = iddpm_levels()
    nearest = min(range(len(levels)), key=lambda j: abs(levels[j] - sigma))
    return 1.0, -sigma, 1 / math.hypot(sigma, 1), 999.0 - nearest


def iddpm_levels(C_1=0.001, C_2=0.008, M=1000):
    """u_0, ..., u_M of Karras et al. 2022, table 1, from u_M = 0 upwards in noise."""
    bar = [math.sin(math.pi / 2 * j / (M * (C_2 + 1))) ** 2 for j in range(M + 1)]
    levels = [0.0]
    for j in range(M, 0, -1):
        levels.append(math.sqrt((levels[-1] ** 2 + 1) / max(bar[j - 1] / bar[j], C_1) - 1))
    return levels[::-1]


def guided_ancestral_sampling(x, timesteps, betas, model, noises, gradient, scale):
    """Ancestral sampling with learned variance and a shifted mean, in x_t coordinates; x is a vector.

    model(x, t) -> (eps, v), v in [-1, 1] (Nichol & Dhariwal 2021, eq. 15); gradient(x, t): of log p(y | x_t) in x_t
    (Dhariwal & Nichol 2021, algorithm 1), for all but the last step. Strided steps use their own beta and beta-tilde.
    """
    bars = alpha_bars(betas)
    for i, t in enumerate(timesteps):
        s = timesteps[i + 1] if i + 1 < len(timesteps) else 0
        alpha = bars[t] / bars[s]
        beta = 1.0 - alpha
        eps, v = model(x, t)
        mean = (x - beta / math.sqrt(1.0 - bars[t]) * eps) / math.sqrt(alpha)
        if s == 0:
            return mean
        tilde = beta * (1.0 - bars[s]) / (1.0 - bars[t])
        share = (v + 1.0) / 2.0
        variance = np.exp(share * math.log(beta) + (1.0 - share) * math.log(tilde))
        x = mean + scale * variance * gradient(x, t) + np.sqrt(variance) * noises[i]


def hybrid_terms(x0, x_t, t, eps, betas, predicted, v):
    """(mean squared error of eps, L_{t-1} in bits per dimension) of one sample, number by number; lists of floats.

    Nichol & Dhariwal 2021, eqs. 15-16, with the variance of t = 2 for beta-tilde_1, and an 8-bit decoder at t = 1.
    """
    bars = alpha_bars(betas)
    tilde = [None] + [betas[i - 1] * (1 - bars[i - 1]) / (1 - bars[i]) for i in range(1, len(bars))]
    tilde[1] = tilde[2]
    mse = bits = 0.0
    for x, noisy, noise, guess, fraction in zip(x0, x_t, eps, predicted, v, strict=True):
        beta, bar, before = betas[t - 1], bars[t], bars[t - 1]
        x0_hat = (noisy - math.sqrt(1 - bar) * guess) / math.sqrt(bar)
        to_x0 = math.sqrt(before) * beta / (1 - bar)
        to_x_t = math.sqrt(1 - beta) * (1 - before) / (1 - bar)
        share = (fraction + 1) / 2
        log_variance = share * math.log(beta) + (1 - share) * math.log(tilde[t])
        mean, variance = to_x0 * x0_hat + to_x_t * noisy, math.exp(log_variance)
        if t == 1:

            def cdf(edge, mean=mean, variance=variance):
                return 0.5 * math.erfc((mean - edge) / math.sqrt(2 * variance))

            upper = 1.0 if x > 0.999 else cdf(x + 1 / 255)
            lower = 0.0 if x < -0.999 else cdf(x - 1 / 255)
            nats = -math.log(upper - lower)
        else:
            gap = to_x0 * (x - x0_hat)
            nats = 0.5 * (log_variance - math.log(tilde[t]) + (tilde[t] + gap**2) / variance - 1)
        mse += (noise - guess) ** 2 / len(x0)
        bits += nats / math.log(2) / len(x0)
    return mse, bits
