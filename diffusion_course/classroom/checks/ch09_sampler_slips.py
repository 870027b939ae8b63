"""Slips of the stochastic EDM sampler before its Heun step: the start, the draws, and the churn."""

import math
from dataclasses import replace
from functools import partial

from .ch09_walk import churn_slip, churned, churned_late, gamma_slip, noise_slip, slip
from .data import Mutant

STARTS = [
    slip(
        "a start that is not scaled: x is standard normal, and the first state is sigmas[0] x.",
        start=lambda x, sigmas: x,
    ),
    slip(
        "a start of variance 1 + sigmas[0]^2: the first state is sigmas[0] x.",
        start=lambda x, sigmas: (1 + sigmas[0] ** 2).sqrt() * x,
    ),
    slip(
        "a start that is scaled by 80: the grid's own first number is sigmas[0].",
        start=lambda x, sigmas: 80.0 * x,
    ),
]
DRAWS = [
    slip("one draw for all steps: step i takes noise[i].", draw=lambda noise, i: noise[0]),
    slip("noise[i - 1] in step i: it takes noise[i].", draw=lambda noise, i: noise[i - 1]),
    slip(
        "noise[i + 1] in step i, with the last index wrapped to 0: it takes noise[i].",
        draw=lambda noise, i: noise[(i + 1) % len(noise)],
    ),
    slip(
        "noise[i + 1] in step i, with the last index held: it takes noise[i].",
        draw=lambda noise, i: noise[min(i + 1, len(noise) - 1)],
    ),
    slip("noise read backwards: step i takes noise[i].", draw=lambda noise, i: noise[-1 - i]),
]  # fmt: skip
CHURNS = [
    churn_slip(
        "s_churn and s_noise swapped: churn takes (x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise).",
        s_churn=lambda p: p.s_noise,
        s_noise=lambda p: p.s_churn,
    ),
    churn_slip("draws multiplied by sigma: noise[i] is standard normal, as churn takes it.", z=lambda p: p.s * p.z),
    churn_slip(
        "s_churn divided by the number of steps before the call: churn divides it itself.", s_churn=lambda p: p.s_churn / p.n
    ),
    churn_slip(
        "s_min and s_max swapped: no sigma lies between them then, and nothing is churned.",
        s_min=lambda p: p.s_max,
        s_max=lambda p: p.s_min,
    ),
    churn_slip(
        "no churn where sigma equals s_min: both ends belong to the interval.",
        s_min=lambda p: math.inf if p.s == p.s_min else p.s_min,
    ),
    churn_slip(
        "no churn where sigma equals s_max: both ends belong to the interval.",
        s_max=lambda p: -math.inf if p.s == p.s_max else p.s_max,
    ),
    churn_slip(
        "no churn where sigma equals s_min or s_max: both ends belong to the interval.",
        s_max=lambda p: -math.inf if p.s in (p.s_min, p.s_max) else p.s_max,
    ),
    slip(
        "no churn in the first step: algorithm 2 asks the interval alone.",
        raise_=lambda p: (p.x, p.s) if p.i == 0 else churned(p),
    ),
    slip("no churn at all: raise the noise before each Heun step.", raise_=lambda p: (p.x, p.s)),
    slip(
        "a raised sigma without noise, or a step from x and not from x_hat: the step begins at x_hat, which has the new noise.",
        raise_=lambda p: (p.x, p.hat),
    ),
    slip(
        "a Heun step from sigma after the churn: x_hat has the noise sigma_hat, and the step begins there.",
        raise_=lambda p: (churned(p)[0], p.s),
    ),
    churn_slip(
        "churn that is asked of the next sigma: whether sigma_i lies in [s_min, s_max] decides on step i.",
        s_min=lambda p: -math.inf if p.s_min <= p.r <= p.s_max else math.inf,
        s_max=lambda p: math.inf,
    ),
    slip(
        "churn at sigma_{i+1}, and a Heun step from sigma_i: churn gets sigma_i, the noise that x has.",
        raise_=lambda p: (churned(replace(p, s=p.r))[0], p.s),
    ),
    Mutant(
        "churn after the Heun step, at sigma_{i+1}: it comes before, and a state is where a Heun step ends.", churned_late
    ),
    Mutant(
        "churn after the Heun step, at sigma_{i+1}, with noise[i]: step i begins with its churn, at sigma_i.",
        partial(churned_late, kept=False),
    ),
    churn_slip(
        "churn at every sigma: outside [s_min, s_max] gamma is 0.",
        s_min=lambda p: -math.inf,
        s_max=lambda p: math.inf,
    ),
    churn_slip("churn below s_min: the interval has two ends.", s_min=lambda p: -math.inf),
    churn_slip("churn above s_max: the interval has two ends.", s_max=lambda p: math.inf),
    gamma_slip(
        "a gamma without its cap: it is at most sqrt(2) - 1.",
        lambda p: p.s_churn / p.n if p.s_min <= p.s <= p.s_max else 0.0,
    ),
    churn_slip(
        "len(sigmas) for the number of steps: N steps have N + 1 sigmas, the last of them 0.", n=lambda p: p.n + 1
    ),
    churn_slip(
        "the steps that are left in the place of N: the number of steps is the same in each of them.", n=lambda p: p.n - p.i
    ),
    churn_slip(
        "the steps so far in the place of N: the number of steps is the same in each of them.", n=lambda p: p.i + 1
    ),
    churn_slip(
        "N - 1 for the number of steps: the last step, to 0, is one too.", n=lambda p: max(p.n - 1, 1)
    ),
    churn_slip(
        "the whole s_churn in each step: gamma is s_churn / N, N being the number of steps.", n=lambda p: 1
    ),
    churn_slip("s_noise left out: it multiplies the noise.", s_noise=lambda p: 1.0),
    noise_slip(
        "noise of variance sigma_hat^2: x has sigma^2 already, the difference is added.", lambda p: p.hat * p.s_noise
    ),
    noise_slip(
        "a difference of standard deviations: variances add, so take sqrt(sigma_hat^2 - sigma^2).",
        lambda p: (p.hat - p.s) * p.s_noise,
    ),
    noise_slip(
        "a variance used as a standard deviation: take the root of sigma_hat^2 - sigma^2.",
        lambda p: (p.hat**2 - p.s**2) * p.s_noise,
    ),
    slip(
        "no churn in the last step: algorithm 2 asks the interval alone.",
        raise_=lambda p: (p.x, p.s) if p.r == 0 else churned(p),
    ),
]  # fmt: skip
