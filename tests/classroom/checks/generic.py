"""Mutants made from a reference by a tool: every input and output clamped, rounded, shifted, sent through float32, and so on.

No person chose them for a check, so no check was written against them. Some change nothing where the chapters use the function
(alpha_bar is never above 0.9999): `changes` finds that out on inputs that no check uses.
"""

import copy
import math
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from typing import Any

import torch
from torch import Tensor

from diffusion_course import Noise, discrete, schedules
from diffusion_course.classroom.checks import Check
from diffusion_course.classroom.checks.toys import (
    Toy,
    ToyDecoder,
    ToyDenoiser,
    ToyDraw,
    ToyEps,
    ToyGuess,
    ToyImage,
    ToyLabelled,
    ToyLayer,
    ToyLogProb,
    ToyMet,
    ToyScore,
    ToyTerm,
    ToyTokens,
    ToyVelocity,
)
from diffusion_course.processes import sub_vp, ve, vp
from diffusion_course.sde import times

FLOATS: dict[str, Callable[[Tensor], Tensor]] = {
    **{
        f"clamp(min={v:g})": lambda a, v=v: a.clamp(min=v)
        for v in (-10, -5, -1, 0, 1e-8, 1e-6, 1e-4, 1e-3, 1e-2, 0.1)
    },
    **{
        f"clamp(max={v:g})": lambda a, v=v: a.clamp(max=v)
        for v in (0.5, 0.9, 0.99, 0.999, 1, 3, 5, 10, 50, 100, 1000)
    },
    "floor": torch.floor,
    "round": torch.round,
    "round to 4 decimals": lambda a: a.round(decimals=4),
    "abs": torch.abs,
    "through float32": lambda a: a.float().to(a.dtype),
    "through float16": lambda a: a.half().to(a.dtype),
    "+ 1e-8": lambda a: a + 1e-8,
    "+ 1e-3": lambda a: a + 1e-3,
    "* (1 + 1e-6)": lambda a: a * (1 + 1e-6),
}
INTEGERS: dict[str, Callable[[Tensor | int], Tensor | int]] = {
    "% 1000": lambda t: t % 1000,
    "% 10": lambda t: t % 10,
    "at least 2": lambda t: t.clamp(min=2) if isinstance(t, Tensor) else max(t, 2),
    "at least 1": lambda t: t.clamp(min=1) if isinstance(t, Tensor) else max(t, 1),
    "at most 999": lambda t: t.clamp(max=999) if isinstance(t, Tensor) else min(t, 999),
    "at most 9": lambda t: t.clamp(max=9) if isinstance(t, Tensor) else min(t, 9),
    "+ 1 beyond 10": lambda t: torch.where(t > 10, t - 1, t) if isinstance(t, Tensor) else t - (t > 10),
}
KNOBS: dict[str, Callable[[float], float]] = {
    "cut off below 0": lambda k: max(k, 0),
    "cut off below 1": lambda k: max(k, 1),
    "cut off above 1": lambda k: min(k, 1),
    "cut off above 5": lambda k: min(k, 5),
    "cut off below 0.01": lambda k: max(k, 0.01),
    "truncated": lambda k: int(k) if math.isfinite(k) else k,
    "0 taken for 1": lambda k: k or 1,
    "1 taken for 0": lambda k: 0 if k == 1 else k,
    "0.5 taken for 1": lambda k: 1 if k == 0.5 else k,
    "a sign lost": abs,
    "rounded to 2 decimals": lambda k: round(k, 2) if math.isfinite(k) else k,
}


class Asked(torch.nn.Module):
    """A model that is asked for another number of answers."""

    def __init__(self, model: Toy, times: int):
        super().__init__()
        self.model, self.times = model, times

    def forward(self, *args: Any) -> Tensor:
        answers = [self.model(*args) for _ in range(self.times)]
        return answers[-1] if answers else torch.zeros_like(args[0])


def mutants(check: Check) -> Iterator[tuple[str, Callable]]:
    """(what was done to the reference, the mutant)."""
    sample = dict(zip(check.arguments, next(iter(domain(check))), strict=True))
    for number, name in enumerate(check.parameters):
        value = sample.get(name)  # None for what a machine makes
        if name == "lr" and isinstance(value, list):  # one for each step
            value = value[0]
        if isinstance(value, Tensor) and value.is_floating_point():
            changes = FLOATS
        elif isinstance(value, Tensor) or (
            isinstance(value, int) and name in ("t", "t_prev", "T", "n", "no_label", "num_steps")
        ):
            changes = INTEGERS
        elif isinstance(value, int | float):
            changes = KNOBS
        elif isinstance(value, Toy):
            changes = {f"asked {n} times": lambda m, n=n: Asked(m, n) for n in (0, 2, 3)}
            if name not in check.evaluations:
                changes.pop("asked 2 times"), changes.pop("asked 3 times")
        else:
            continue
        for words, change in changes.items():
            yield f"{name} {words}", _on_input(check.reference, number, change)
    if check.machine:  # what it tells is no result of the answer
        return
    outputs = len(check.outputs)
    for number in range(outputs):
        for words, change in FLOATS.items():
            yield f"{check.outputs[number]} {words}", _on_output(check.reference, number, outputs, change)


def _on_input(reference: Callable, number: int, change: Callable) -> Callable:
    @wraps(reference)
    def mutant(*args: object) -> object:
        return reference(*args[:number], change(args[number]), *args[number + 1 :])

    # Its answer where that needs no call: an input that the change leaves as it is gives what is right.
    mutant.known = lambda args, want: want if _same(change(args[number]), args[number]) else None
    return mutant


def _on_output(reference: Callable, number: int, outputs: int, change: Callable) -> Callable:
    def changed(value: object) -> object:
        if outputs == 1:
            return _changed(value, change)
        return tuple(_changed(v, change) if i == number else v for i, v in enumerate(value))

    @wraps(reference)
    def mutant(*args: object) -> object:
        return changed(reference(*args))

    mutant.known = lambda args, want: changed(want)
    return mutant


def _same(one: object, other: object) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return type(one) is type(other) and isinstance(one, int | float) and one == other


def _changed(value: Tensor, change: Callable) -> Tensor:
    return change(value) if value.is_floating_point() else (change(value.double())).round().to(value.dtype)


def changes(check: Check, mutant: Callable) -> bool:
    """Does the mutant differ from the reference on inputs as the chapters have them, by more than rounding, or ask a model too often?"""
    known = None if check.machine else getattr(mutant, "known", None)
    for args, want in answered(check):
        got = known(args, want) if known else None
        if got is None:
            used = copy.deepcopy(args)
            try:
                got = check.driven(mutant)(*used)
            except Exception:
                return True
            toys = {n: a for n, a in zip(check.arguments, used, strict=True) if isinstance(a, Toy)}
            if any(toys[n].evaluated > most(*args) for n, most in check.evaluations.items()):
                return True
        if _differ(got, want):
            return True
    return False


def _differ(got: object, want: object) -> bool:
    pairs = zip(got, want, strict=True) if isinstance(want, tuple) else [(got, want)]
    for mine, right in pairs:
        if mine.shape != right.shape or mine.dtype != right.dtype:
            return True
        rtol, atol = (1e-8, 1e-10) if right.is_floating_point() else (0.0, 0.0)
        if not torch.allclose(mine, right, rtol=rtol, atol=atol, equal_nan=True):
            return True
    return False


# ---- inputs as the chapters have them, by the names of the arguments; no check draws from here


# Normal numbers of an image's shape, where nothing else is said.
IMAGES = {"x0", "x", "x_t", "x_T", "eps", "z", "noise", "mean1", "mean2", "v", "a", "b"}


@lru_cache(maxsize=1)
def answered(check: Check) -> list[tuple[tuple, object]]:
    """Those inputs, and what is right."""
    return [(args, check.right(*copy.deepcopy(args))) for args in domain(check)]


def domain(check: Check, cases: int = 60) -> Iterator[tuple]:
    generator = torch.Generator().manual_seed(len(check.id))
    for number in range(cases):
        yield _arguments(check, number, generator)


def _arguments(check: Check, number: int, generator: torch.Generator) -> tuple:
    def normal(*shape: int) -> Tensor:
        return 2 * torch.randn(shape, generator=generator, dtype=torch.float64)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)

    def pick(*choices: object) -> object:
        return choices[int(torch.randint(len(choices), (), generator=generator))]

    # A path is walked step by step, and of one that asks a model every step is dear.
    steps = 12 if "guess" in check.parameters else 40 if "noise" in check.parameters else 1000
    betas = schedules.linear(steps) if number % 2 else schedules.cosine(steps)
    B, shape = 5, ((5, 3), (5, 1, 4, 4))[number % 2]
    whole = (
        int(torch.randint(1, 1001, (), generator=generator)) if number % 3 else (1, 2, 3, 1000)[number % 4]
    )
    labels = torch.randint(0, 10, (B,), generator=generator)
    lengths = {"betas": len(betas), "sigmas": 6, "times": 4}  # what a path has one draw a step for
    draws = next((n for name, n in lengths.items() if name in check.parameters), 0)
    sigma = torch.exp(uniform(math.log(0.002), math.log(80), 1))[0]
    last = number % 4 == 0
    known = {
        "betas": betas,
        "alpha_bar": torch.cumprod(1 - betas, 0),
        "t": torch.randint(1, 1001, (B,), generator=generator) if check.id in BATCHED else whole,
        "t_prev": int(torch.randint(0, whole, (), generator=generator))
        if number % 3
        else (0, whole - 1)[number % 2],
        "mse": uniform(1e-4, 10, 1000),
        "u": uniform(0, 1, B if "labels" in check.parameters else 50),
        "sigma": (sigma.expand(B) * uniform(0.5, 1.5, B)).clamp(max=80.0) if check.id in BATCHED else sigma,
        "sigma_next": torch.zeros((), dtype=torch.float64) if last else sigma * uniform(0.2, 0.9, 1)[0],
        "logvar1": uniform(-14, 2, *shape),
        "logvar2": uniform(-14, 2, *shape),
        "eps_model": ToyEps(uniform(0.5, 1.5, 3)),
        "guess": ToyGuess(uniform(0.5, 1.5, 3)),
        "D": ToyDenoiser(uniform(0.5, 1.5, 3)),
        "model": ToyLabelled(uniform(0.5, 1.5, 4)),
        "log_prob": ToyLogProb(uniform(0.5, 1.5, 3)),
        "y": labels,
        "labels": labels,
        "w": pick(-1.0, 0.0, 0.5, 1.0, 3.0, 7.5),
        "scale": pick(-1.0, 0.0, 0.5, 1.0, 3.0, 7.5),
        "eta": pick(0.0, 0.3, 1.0),
        "p": pick(0.0, 0.1, 0.5, 1.0),
        "s": pick(0.0, 0.008, 0.3) if check.id == "04-cosine_alpha_bar" else pick(0.0, 0.25, 0.5, 1.0),
        "no_label": pick(10, 1000),
        "beta_min": pick(1e-4, 1e-3),
        "beta_max": pick(0.02, 0.3),
        "steepness": pick(0.5, 3.0, 6.0),
        "T": pick(1000, 100, 10),
        "n": pick(2, 10) if number % 5 else pick(18, 1000) if check.id == "09-karras_sigmas" else 2,
        "times": torch.tensor([40, 17, 2, 1]) if check.id == "07-ddim_sample" else [1, 2, 17, 40],
        "power": pick(1, 2),
        "sigma_min": pick(0.002, 0.03),
        "sigma_max": pick(80.0, 14.0),
        "rho": pick(1.0, 3.0, 7.0),
        "num_steps": pick(18, 256),
        "s_churn": pick(0.0, 5.0, 40.0, 100.0),
        "s_min": pick(0.0, 0.05),
        "s_max": pick(50.0, math.inf),
        "s_noise": pick(1.0, 1.003),
        "marks": (normal(1, 30) + normal(3, 30) > 0).double(),
        "k": pick(1.0, 1.96, 2.39),
        "snr": uniform(-18, 12, 50).exp(),
        "gamma": pick(5.0, 1.0, 0.5, 7.25),
        "noise": normal(draws, *shape) if draws else None,
        "sigmas": schedules.karras(6, 0.002, (80.0, 14.0)[number % 2]),
    }
    if check.id == "05-bits_per_dim":  # K draws of each image
        known |= {
            "term": ToyTerm(uniform(0.5, 1.5, 3 + B)),
            "t": torch.randint(1, 1001, (3, B), generator=generator),
            "eps": normal(3, *shape),
            "L_T": uniform(0.1, 3, B),
            "T": 1000,
        }
    if check.machine == "gradients":
        known |= {
            "weights": uniform(0.5, 1.5, 6),
            "x0": (torch.randint(0, 256, (B, *shape[1:]), generator=generator) / 127.5 - 1).double(),
            "weight": pick(0.001, 0.5, 1.0),
        }
    if "prior" in check.parameters:  # the chains that can be counted
        laws = uniform(0.02, 1, 7, 3, 3)
        laws /= laws.sum(-1, keepdim=True)
        known |= {"q": laws[:3], "p": laws[3:6], "prior": laws[6, 0], "x0": number % 3}
    if check.chapter == "11":
        known |= _tokens(check, number, generator)
    if check.id.startswith("10-"):
        known |= _measured(check.id, number, normal, uniform, pick)
    if check.machine == "training":
        known |= {
            "weights": uniform(0.5, 1.5, 3),
            "classes": uniform(-1, 1, 11),
            "x0": normal(2, *shape),
            "labels": torch.randint(0, 10, (2, B), generator=generator),
            "target": pick("eps", "x0", "v"),
            "lr": [pick(0.1, 0.03, 1e-3), pick(0.1, 0.03, 1e-3)],
            "decay": pick(0.5, 0.9, 0.99),
            "drop": pick(0.1, 0.5),
            "max_norm": pick(0.5, 1.0, 3.0),
            "seed": number,
        }
    if check.chapter == "12":
        known |= _of_networks(number, generator, tokens="h" in check.parameters)
    if check.chapter == "08":
        known |= _in_continuous_time(check, number, shape, normal, uniform, pick)
    if check.chapter == "13":
        known |= _of_captions(normal, uniform, pick)
    if check.chapter == "14":
        known |= _of_studies(number, normal, uniform, pick)
    known = {name: normal(*shape) for name in check.arguments if name in IMAGES - known.keys()} | known
    unknown = [name for name in check.arguments if name not in known]
    assert not unknown, (
        f"{check.id}: {unknown} of its arguments have no inputs here: add to `known` in {__file__} what the chapter gives"
    )
    return tuple(known[name] for name in check.arguments)


def _tokens(check: Check, number: int, generator: torch.Generator) -> dict[str, Any]:
    """Letters or small pictures; a posterior has the chapter's three chains, at a t that each can have."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    B, K, shape = 4, (3, 8, 38)[number % 3], ((20,), (4, 4))[number % 2]
    x0 = torch.randint(0, K, (B, *shape), generator=generator)
    t = float(uniform(1)) if number % 4 else 1.0
    n = 4
    times = torch.tensor([1.0, 0.7, 0.35, 0.1, 0.0], dtype=torch.float64)
    gumbel = -(-uniform(n, B, *shape, K + 1).log()).log()
    hidden = torch.where(uniform(B, *shape) < 0.6, K, x0)
    known: dict[str, Any] = {
        "model": ToyTokens(0.5 + uniform(K + 2, K)),
        "x0": x0,
        "x": hidden,
        "x_t": hidden,
        "K": K,
        "u": uniform(B, *shape),
        "t": 1 - 0.99 * uniform(B) if check.id == "11-masked_loss" else t,
        "s": t * float(uniform(1)) if number % 3 else 0.0,
        "g": gumbel if check.id == "11-unmask_sample" else gumbel[0],
        "times": times,
        "places": 8,
    }
    if check.id == "11-d3pm_posterior":
        chain = (
            discrete.uniform(5, discrete.cosine_betas(12)),
            discrete.absorbing(5, discrete.absorbing_betas(12), mask=4),
            discrete.gaussian(5, schedules.linear(12)),
        )[number % 3]
        t = (1, 12, 2 + number % 10)[number % 3 if number % 2 else 2]
        x0 = torch.randint(0, 4, (B, *shape), generator=generator)
        known |= {"t": t, "x0": x0, "x_t": chain.diffuse(x0, t, Noise(number)), "Q": chain.Q}
    return known


def _measured(id: str, number: int, normal: Callable, uniform: Callable, pick: Callable) -> dict[str, Any]:
    """What chapter 10 measures: features of two sets, their moments, groups, and marks of a pilot."""
    d, n, m = ((3, 60, 60), (8, 60, 60))[number % 2] if id == "10-paired_difference" else (6, 40, 55)

    def covariance() -> Tensor:
        factor = normal(d, 2 * d)
        return factor @ factor.T / (2 * d)

    marks = [(normal(100) + shift > 0).double() for shift in (1.5, 3.0)]
    marks[1][:3], marks[0][:3] = 1.0, 0.0  # b is ahead
    return {
        "a": normal(n, d),
        "b": normal(m, d) + 0.3,
        "mean": normal(d) / 4,
        "cov": covariance(),
        "mean_a": normal(d),
        "mean_b": normal(d),
        "cov_a": covariance(),
        "cov_b": covariance(),
        "group": torch.arange(n) * 7 % 10,
        "reach": pick(2.262, 1.96, 1.0),
        "marks_a": marks[0],
        "marks_b": marks[1],
        "level": pick(0.05, 0.01, 0.1),
        "power": pick(0.8, 0.9, 0.5),
    }


def _in_continuous_time(
    check: Check, number: int, shape: tuple[int, ...], normal: Callable, uniform: Callable, pick: Callable
) -> dict[str, object]:
    """What chapter 08 calls by the names of the others: times in [0, 1], coefficients of an SDE, grey levels."""
    sde, grid = (vp(), sub_vp(), ve(0.01, 10.0))[number % 3], times(6)
    i, B = number % 6, shape[0]
    t = uniform(0.001, 1, B)
    if check.id == "08-flow_loss":
        t[0], t[1] = 0, 1
    known = {
        "t": t,
        "eps": normal(*shape),
        "z": normal(*shape),
        "u": normal(*shape),
        "scale": sde.scale(t),
        "std": sde.std(t),
        "model": ToyVelocity(uniform(0.5, 1.5, 3)),
        "score": ToyScore(uniform(0.3, 0.6, 3)),
        "lam": pick(0.0, 0.5, 1.0, 2.0),
        "r": pick(0.16, 0.05),
        "times": grid,
        "f": sde.f(grid[:-1]),
        "g": sde.g(grid[:-1]),
        "noise": normal(6, 2, *shape),
        "num_steps": 11 if number == 5 else 1 + number % 2,  # each step asks the model twice
        "levels": (17, 2, 256)[number % 3],
        "probes": normal(*shape).sign(),
    }
    if check.id == "08-reverse_sde_step":
        known |= {"t": grid[i], "t_next": grid[i + 1], "f": sde.f(grid[i]), "g": sde.g(grid[i])}
    if check.id == "08-flow_bits":
        known |= {
            "dither": uniform(0, 1, *shape),
            "k": uniform(0, (17, 2, 256)[number % 3] - 1e-3, *shape).long(),
        }
    return known


def _of_networks(number: int, generator: torch.Generator, tokens: bool) -> dict[str, Any]:
    """Images, latents, tokens and layers."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    heads, E = 2 + number % 2, 12
    z = 0.8 * normal(3, 4, 7, 7) + 0.1
    return {
        "z": z,
        "noise": z,
        "D": ToyDenoiser(0.5 + 0.3 * normal(3).abs()),
        "decode": ToyDecoder(0.5 + normal(3).abs()),
        "x": normal(2, 3, 12, 8),
        "p": (1, 2, 4)[number % 3],
        "scale": normal(3, E) if tokens else 1.2386,
        "h": normal(3, 5, E),
        **{name: normal(3, E) for name in ("emb", "shift", "gate")},
        "modulation": ToyLayer(normal(E + 1, 6 * E) / 3),
        "qkv": ToyLayer(normal(E + 1, 3 * E) / 3),
        **{name: ToyLayer(normal(E + 1, E) / 3) for name in ("out", "mlp", "branch")},
        "heads": heads,
    }


def _of_captions(normal: Callable, uniform: Callable, pick: Callable) -> dict[str, object]:
    """What chapter 13 calls by the names of the others, and what it adds: tokens, captions by number, layers."""
    n = 40  # samples of an experiment
    return {
        "tokens": uniform(0, 49407, 5, 4).long(),
        "empty": torch.tensor([49406, *[49407] * 3]),
        "u": uniform(0, 1, 5),
        "draw": ToyDraw(uniform(0.5, 1.5, 3)),
        "met": ToyMet(uniform(0.5, 1.5, 3)),
        "labels": uniform(0, 90, n).long(),
        "noise": normal(n, 3),
        "no_text": 90,
        "image": ToyImage(uniform(0.5, 1.5, 4, 3)),
        "text": normal(5, 4),
        "x": normal(5, 3) / 2,
        "y": normal(5, 3),
        "weight": normal(3, 3),
        "z": normal(2, 3) / 4,
        "hint": normal(5, 2),
        "theta": normal(3, 3) / 4,
        "alpha": pick(1.0, 4.0, 0.5),
        "lr": pick(0.1, 0.02),
        "num_steps": pick(1, 2, 3),
    }


def _of_studies(number: int, normal: Callable, uniform: Callable, pick: Callable) -> dict[str, object]:
    """What chapter 14 compares: intervals and claims, marks of several samplers, the prices of a study."""
    n, margin = 30, float(uniform(0.1, 1, 1))
    middle, half = normal(n) / 2, uniform(0.05, 1, n)
    ends = ((0.0, math.inf), (-math.inf, 0.0), (-margin, margin))[number % 3]
    q = torch.tensor([12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262], dtype=torch.float64)
    tau = float(uniform(0.05, 0.3, 1))
    return {
        "low": middle - half,
        "high": middle + half,
        "claim_low": torch.full((n,), ends[0], dtype=torch.float64),
        "claim_high": torch.full((n,), ends[1], dtype=torch.float64),
        "marks": (normal(1, 60) + normal(6, 60) > -1).double(),
        "base": number % 6,
        "tau": tau,
        "s": float(uniform(1, 6, 1)),
        "train": pick(0.0, 20.0, 300.0),
        "draw": pick(0.001, 0.02),
        "half": tau * pick(1.0, 1.5, 3.0),
        "quantiles": q,
    }


# Exercises whose t is a time for each sample, or whose sigma a noise level for each.
BATCHED = {
    "01-diffuse",
    "02-posterior_mean_variance",
    "03-eps_loss",
    "03-x0_from_eps",
    "06-conditional_loss",
    "05-learned_variance",
    "05-hybrid_loss",
}
