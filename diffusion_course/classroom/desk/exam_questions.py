"""The questions of `exam`, chapter by chapter. One number each, and one sentence that shows whether it was understood."""

import math
from random import Random

import torch

from ... import elbo, schedules
from .exam import QUESTIONS, asks, drawn, number, root

__all__ = ["QUESTIONS"]


@asks("01")
def closed_form(draw: Random) -> tuple[str, str]:
    betas = [drawn(draw, 0.05, 0.4) for _ in range(3)]
    a = math.prod(1 - b for b in betas)
    return (
        f"A chain has β₁, β₂, β₃ = {betas}. Give the mean and the variance of x₃ for x₀ = 2, and the signal-to-noise ratio at t = 3. "
        "Does the order of the three β matter for q(x₃ | x₀)? For q(x₂ | x₀)?",
        f"ᾱ₃ = {number(a)}: mean 2√ᾱ₃ = {number(2 * root(a))}, variance 1 − ᾱ₃ = {number(1 - a)}, SNR ᾱ₃ / (1 − ᾱ₃) = {number(a / (1 - a))}. "
        "Not for x₃, since a product has no order; for x₂ it does, since another β may be the one that is left out.",
    )


@asks("02")
def two_gaussians(draw: Random) -> tuple[str, str]:
    m, v1, v2 = drawn(draw, 0.5, 2), drawn(draw, 0.3, 0.9), drawn(draw, 1.1, 2)
    there, back = (_kl(m, a, b) for a, b in ((v1, v2), (v2, v1)))
    return (
        f"p = N(0, {v1}) and q = N({m}, {v2}), the second number a variance. Give KL(p ‖ q) and KL(q ‖ p) in nats. "
        "Which of the two punishes more, and why?",
        f"KL(p ‖ q) = {number(there)}, KL(q ‖ p) = {number(back)}. The second: its average is over the wide Gaussian, whose samples are "
        "improbable under the narrow one.",
    )


def _kl(m: float, v1: float, v2: float) -> float:
    return float(elbo.normal_kl(0.0, math.log(v1), m, math.log(v2)))


@asks("02")
def posterior(draw: Random) -> tuple[str, str]:
    b1, b2, x0, x2 = drawn(draw, 0.1, 0.3), drawn(draw, 0.2, 0.5), drawn(draw, -2, 2), drawn(draw, -2, 2)
    a1, a2 = 1 - b1, (1 - b1) * (1 - b2)
    mean = (root(a1) * b2 * x0 + root(1 - b2) * (1 - a1) * x2) / (1 - a2)
    return (
        f"β₁ = {b1}, β₂ = {b2}, x₀ = {x0} and x₂ = {x2}. Give the mean and the variance of q(x₁ | x₂, x₀). What becomes of both for β₁ → 0?",
        f"Variance (1 − ᾱ₁) β₂ / (1 − ᾱ₂) = {number((1 - a1) * b2 / (1 - a2))}, mean {number(mean)}. The variance goes to 0 and the mean to x₀: "
        "x₁ then is x₀.",
    )


@asks("03")
def back_to_x0(draw: Random) -> tuple[str, str]:
    a, x, eps = drawn(draw, 0.1, 0.9), drawn(draw, -2, 2), drawn(draw, -1.5, 1.5)
    return (
        f"ᾱ_t = {a}, x_t = {x}, and the network answers ε̂ = {eps}. Give x̂₀. By how much is x̂₀ off where ε̂ is off by 0.1, and what does this "
        "say about large t?",
        f"x̂₀ = (x_t − √(1 − ᾱ_t) ε̂) / √ᾱ_t = {number((x - root(1 - a) * eps) / root(a))}. By 0.1 √(1 − ᾱ_t) / √ᾱ_t = "
        f"{number(0.1 * root((1 - a) / a))}: at large t, where ᾱ_t is small, a small error of ε̂ is a large one of x̂₀.",
    )


@asks("04")
def cosine(draw: Random) -> tuple[str, str]:
    steps = draw.choice((50, 100, 200))
    t = draw.randrange(steps // 4, 3 * steps // 4)
    a = torch.cumprod(1 - schedules.BETAS["cosine"](steps), 0)[t - 1]
    return (
        f"The cosine schedule (offset s = 0.008) with T = {steps}. Give ᾱ at t = {t}, and its log signal-to-noise ratio. What is kept, and what "
        "not, when T is doubled?",
        f"ᾱ = {number(float(a))}, log SNR = {number(float((a / (1 - a)).log()))}. ᾱ is a function of t / T: at 2t of 2T it is the same, and "
        "each step takes about half of the noise.",
    )


@asks("05")
def between_two_bounds(draw: Random) -> tuple[str, str]:
    low, high, v = drawn(draw, 0.01, 0.02, 4), drawn(draw, 0.03, 0.05, 4), drawn(draw, -0.8, 0.8)
    f = (v + 1) / 2
    return (
        f"β̃_t = {low} and β_t = {high}; the network answers v = {v}, from −1 to 1. Give its variance. Why is it interpolated in the logarithm?",
        f"f = (v + 1) / 2 = {number(f)}, variance exp(f ln β_t + (1 − f) ln β̃_t) = {number(high**f * low ** (1 - f))}. Variances span orders of "
        "magnitude over t: in the logarithm the same v means the same share of a factor everywhere.",
    )


@asks("06")
def guided_gaussian(draw: Random) -> tuple[str, str]:
    m, v, w = drawn(draw, 0.5, 2), drawn(draw, 0.3, 0.8), draw.choice((2, 3))
    precision = w / v + (1 - w)
    return (
        f"p(x | y) = N({m}, {v}) and p(x) = N(0, 1), the second number a variance. Guidance with w = {w} (w = 1 is none) adds the scores at "
        "noise level 0. Which Gaussian has that score? Do samples with guidance at all noise levels follow it?",
        f"Precision w / {v} + (1 − w) = {number(precision)}: variance {number(1 / precision)}, mean {number(w * m / v / precision)}. No: the noised "
        "tilted density is not the tilted noised density, so the scores at larger noise belong to another one.",
    )


@asks("07")
def ddim(draw: Random) -> tuple[str, str]:
    a, later = drawn(draw, 0.1, 0.4), drawn(draw, 0.6, 0.95)
    x, eps = drawn(draw, -2, 2), drawn(draw, -1.5, 1.5)
    x0 = (x - root(1 - a) * eps) / root(a)
    return (
        f"ᾱ_t = {a}, ᾱ_s = {later} for s < t, x_t = {x}, ε̂ = {eps}. Give x_s by DDIM with η = 0. Why may s be any time before t, and not t − 1 alone?",
        f"x̂₀ = {number(x0)}, x_s = √ᾱ_s x̂₀ + √(1 − ᾱ_s) ε̂ = {number(root(later) * x0 + root(1 - later) * eps)}. The loss fixes only the marginals "
        "q(x_t | x₀); the family of DDIM has these marginals on any sub-sequence of times.",
    )


@asks("08")
def velocity(draw: Random) -> tuple[str, str]:
    t, z, u = drawn(draw, 0.2, 0.8), drawn(draw, -2, 2), drawn(draw, -2, 2)
    eps = z + (1 - t) * u
    return (
        f"On the straight path z = (1 − t) x₀ + t ε a network answers the velocity u = {u} at z = {z}, t = {t}. Give the score at z, and x̂₀. "
        "Why does the score have no value at t = 0?",
        f"ε̂ = z + (1 − t) u = {number(eps)}, score −ε̂ / t = {number(-eps / t)}, x̂₀ = z − t u = {number(z - t * u)}. There is no noise at t = 0: "
        "the density is that of the data, which may have none.",
    )


@asks("09")
def one_step(draw: Random) -> tuple[str, str]:
    s, x = drawn(draw, 0.5, 1.5), drawn(draw, 1, 3)
    high = drawn(draw, 2, 4)
    low = round(high / 2, 2)
    slope = high / (s**2 + high**2) * x
    euler = x + (low - high) * slope
    heun = x + (low - high) / 2 * (slope + low / (s**2 + low**2) * euler)
    exact = x * root((s**2 + low**2) / (s**2 + high**2))
    return (
        f"Data are N(0, {s}²), so D(x, σ) = x {s}² / ({s}² + σ²). Go from x = {x} at σ = {high} to σ = {low} on dx/dσ = (x − D) / σ, by one step of "
        "Euler and one of Heun. Compare with the exact solution. What would be a fair comparison of the two?",
        f"Euler {number(euler)}, Heun {number(heun)}, exact {number(exact)}. At equal evaluations of D: a step of Heun has two, so Euler may take "
        "two steps in its place.",
    )


@asks("10")
def how_many(draw: Random) -> tuple[str, str]:
    spread, width = drawn(draw, 0.5, 3), drawn(draw, 0.05, 0.2)
    n = math.ceil((1.96 * spread / width) ** 2)
    return (
        f"The differences of two samplers from the same noise scatter by a standard deviation of {spread}. How many pairs make a 95 % interval "
        f"of ± {width} for their mean? Why pairs?",
        f"n = (1.96 · {spread} / {width})², rounded up: {n}. What the noise does to both cancels in the difference, whose spread is smaller than that "
        "of two independent sets.",
    )


@asks("11")
def masked(draw: Random) -> tuple[str, str]:
    length, t = draw.choice((64, 128, 256)), drawn(draw, 0.2, 0.8)
    return (
        f"Masked diffusion: each of {length} tokens is masked with probability t = {t}. How many are masked on average, and which weight makes the sum of "
        "their cross-entropies, over t from 0 to 1, the bound? Why is the mean over the masked positions no bound?",
        f"{number(length * t)} on average; 1 / t, here {number(1 / t)}. The mean divides by the number that happens to be masked, which weights each t "
        "otherwise than the bound does: its value may lie below the entropy.",
    )


@asks("12")
def tokens(draw: Random) -> tuple[str, str]:
    side, patch = draw.choice((32, 64)), draw.choice((2, 4))
    n = (side // patch) ** 2
    return (
        f"Latents of {side} × {side} are cut into patches of {patch} × {patch}. How many tokens does the transformer see, by which factor does "
        "attention grow when the patches are halved, and why does it need to be told where a patch was?",
        f"{n} tokens; 4 times the tokens, 16 times the pairs of attention. Without positions attention gives the same for any order of the patches.",
    )


@asks("13")
def lora(draw: Random) -> tuple[str, str]:
    rows, columns, rank = draw.choice((256, 512)), draw.choice((512, 1024)), draw.choice((4, 8, 16))
    few, many = rank * (rows + columns), rows * columns
    return (
        f"A layer of {rows} × {columns} weights gets a LoRA adapter of rank {rank}. How many numbers are trained, and what share of the layer's is that? "
        "Why does one factor begin as zero, and the other not?",
        f"{rank} ({rows} + {columns}) = {few}, of {many}: {number(100 * few / many)} %. So the adapted network begins as the one that was given; with "
        "both at zero each gradient is a product with the other, and nothing ever moves.",
    )


@asks("14")
def runs(draw: Random) -> tuple[str, str]:
    tau, s, measured = drawn(draw, 0.01, 0.05, 3), drawn(draw, 0.3, 0.6), drawn(draw, 0.03, 0.2, 3)
    n, q = draw.choice((100, 250, 500)), 4.30
    half, least = q * root((tau**2 + s**2 / n) / 3), q * tau / root(3)
    low, high = measured - half, measured + half
    better = "held up" if low > 0 else "cannot be said"
    alike = (
        "did not hold up" if low >= 0.05 else "held up" if high < 0.05 and low > -0.05 else "cannot be said"
    )
    return (
        f"Two methods are compared with three training seeds and {n} pairs of samples of each. Between runs their difference scatters by τ = {tau}, and one "
        f"pair by s = {s}. The mean of the three is {measured}. Give its 95 % interval (Student's quantile is 4.30). Judge 'the first is better' and 'they are "
        "alike', with a margin of 0.05. How narrow does the interval become with ever more samples, and what makes it narrower still?",
        f"± 4.30 √((τ² + s² / n) / 3) = ± {number(half)}: {number(low)} to {number(high)}. 'Better': {better}. 'Alike': {alike}. "
        f"No narrower than ± 4.30 τ / √3 = ± {number(least)}: more training runs, since samples of a network say nothing of the next one.",
    )
