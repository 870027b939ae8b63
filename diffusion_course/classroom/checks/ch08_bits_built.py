"""The bits of a flow, made of parts any of which can be replaced: the bins, the divergence, the steps, the noise, the units."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .data import Mutant

Slope = tuple[Tensor, Tensor]  # velocity (B, *S) and divergence (B,)


def flow_bits(
    model: Callable, k: Tensor, dither: Tensor, probes: Tensor, num_steps: int, levels: int
) -> Tensor:
    return built(model, k, dither, probes, num_steps, levels)


def filled(k: Tensor, dither: Tensor, levels: int) -> Tensor:
    return 2 * (k + dither) / levels - 1


def product(pulled: Tensor, probes: Tensor) -> Tensor:
    """Hutchinson's estimate of the trace, of pulled = J^T probes."""
    return (pulled * probes).flatten(1).sum(1)


def ask(model: Callable, z: Tensor, t: float, probes: Tensor, trace: Callable = product) -> Slope:
    """Velocity and estimated divergence."""
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        v = model(z, torch.full((len(z),), t, dtype=z.dtype, device=z.device))
        (pulled,) = torch.autograd.grad(v, z, probes)
    return v.detach(), trace(pulled, probes)


def midpoint(asked: Callable[[Tensor, float], Slope], z: Tensor, t: float, h: float) -> Slope:
    """The velocity and divergence with which a step of length h is taken from z at t."""
    v, _ = asked(z, t)
    return asked(z + h / 2 * v, t + h / 2)


def in_bits(log_p: Tensor, d: int, levels: int) -> Tensor:
    return -log_p / (d * math.log(2)) + math.log2(levels / 2)


def standard_normal(z: Tensor) -> Tensor:
    flat = z.flatten(1)
    return -0.5 * flat.square().sum(1) - flat.shape[1] / 2 * math.log(2 * math.pi)


def built(
    model: Callable,
    k: Tensor,
    dither: Tensor,
    probes: Tensor,
    num_steps: int,
    levels: int,
    fill: Callable = filled,
    ask: Callable = ask,
    step: Callable = midpoint,
    sign: float = 1.0,
    prior: Callable = standard_normal,
    units: Callable = in_bits,
    gather: Callable = torch.add,
) -> Tensor:
    """The bits of seven parts. sign: of the divergence's integral, which gather(so far, of this step) makes."""
    z, h = fill(k, dither, levels), 1 / num_steps
    log_det = torch.zeros(len(z), dtype=z.dtype, device=z.device)
    for i in range(num_steps):
        v, divergence = step(lambda x, t: ask(model, x, t, probes), z, i * h, h)
        z, log_det = z + h * v, gather(log_det, h * divergence)
    return units(prior(z) + sign * log_det, z[0].numel(), levels)


def slip(hint: str, **parts: Any) -> Mutant:
    return Mutant(hint, partial(built, **parts))


def divergence_slip(hint: str, trace: Callable) -> Mutant:
    """A mutant whose divergence is trace(pulled, probes), pulled = J^T probes."""
    return slip(hint, ask=partial(ask, trace=trace))


def half_and_half(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    """The velocity of the midpoint, the divergence of the beginning."""
    v, divergence = asked(z, t)
    return asked(z + h / 2 * v, t + h / 2)[0], divergence


def heun(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    v, divergence = asked(z, t)
    w, other = asked(z + h * v, min(t + h, 1.0))
    return (v + w) / 2, (divergence + other) / 2


def two_divergences(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    """The velocity of the midpoint, the mean of the divergences there and at the beginning."""
    v, divergence = asked(z, t)
    w, other = asked(z + h / 2 * v, t + h / 2)
    return w, (divergence + other) / 2


def end_of_step(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    v, _ = asked(z, t)
    return asked(z + h * v, min(t + h, 1.0))


def end_of_time(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    """The midpoint's state, asked at the end of the step."""
    v, _ = asked(z, t)
    return asked(z + h / 2 * v, min(t + h, 1.0))


def half_from_the_middle(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    """Half a step with the velocity at the middle time."""
    v, _ = asked(z, t + h / 2)
    return asked(z + h / 2 * v, t + h / 2)


def from_midpoint(asked: Callable, z: Tensor, t: float, h: float, share: float = 1.0) -> Slope:
    """The step, or a share of it, begins at the midpoint."""
    v, _ = asked(z, t)
    w, divergence = asked(z + h / 2 * v, t + h / 2)
    return v / 2 + share * w, divergence


def half_moves(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    v, divergence = midpoint(asked, z, t, h)
    return v / 2, divergence


def moves_without_h(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    v, divergence = midpoint(asked, z, t, h)
    return v / h, divergence


def divergence_without_h(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    v, divergence = midpoint(asked, z, t, h)
    return v, divergence / h


def without_first(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    v, divergence = midpoint(asked, z, t, h)
    return (v, divergence) if t > 0 else (0 * v, 0 * divergence)


def cut_off(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    """z is cut off at -1 and 1 after each step."""
    v, divergence = midpoint(asked, z, t, h)
    return ((z + h * v).clamp(-1, 1) - z) / h, divergence


def other_sign(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    """All of -u, forwards in time."""
    v, divergence = midpoint(lambda x, s: tuple(-value for value in asked(x, s)), z, t, h)
    return v, divergence


def against(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    """z moves with -u, half a step and a whole; the divergence is that of u."""
    v, _ = asked(z, t)
    w, divergence = asked(z - h / 2 * v, t + h / 2)
    return -w, divergence


def against_from_one(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    """The same from t = 1 down."""
    return against(lambda x, s: asked(x, 1 - s), z, t, h)


def exact_ask(model: Callable, z: Tensor, t: float, probes: Tensor) -> Slope:
    """Velocity and exact divergence, a backward pass for each coordinate."""
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        v = model(z, torch.full((len(z),), t, dtype=z.dtype, device=z.device))
        entries = v.flatten(1).sum(0)
        rows = [torch.autograd.grad(entry, z, retain_graph=True)[0].flatten(1) for entry in entries]
    return v.detach(), torch.stack([row[:, i] for i, row in enumerate(rows)]).sum(0)


def through_half_step(
    model: Callable, k: Tensor, dither: Tensor, probes: Tensor, n: int, levels: int
) -> Tensor:
    """The midpoint's velocity differentiated with respect to where the step begins."""
    z, h = filled(k, dither, levels), 1 / n
    log_det = torch.zeros(len(z), dtype=z.dtype, device=z.device)
    for i in range(n):

        def at_midpoint(x: Tensor, t: Tensor) -> Tensor:
            return model(x + h / 2 * model(x, t), t + h / 2)

        v, divergence = ask(at_midpoint, z, i * h, probes)
        z, log_det = z + h * v, log_det + h * divergence
    return in_bits(standard_normal(z) + log_det, z[0].numel(), levels)


def old_state(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    asked(z, t)
    return asked(z, t + h / 2)


def old_time(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    v, _ = asked(z, t)
    return asked(z + h / 2 * v, t)


def half_step_back(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    v, _ = asked(z, t)
    return asked(z - h / 2 * v, t + h / 2)


def sampler_step(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    """z - h v with the times and the divergence of the way from data to noise."""
    v, divergence = midpoint(asked, z, t, h)
    return -v, divergence


def whole_step(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    v, _ = asked(z, t)
    return asked(z + h * v, t + h / 2)


def backwards(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    """From t = 1 down, with the sign of a sampler."""
    v, _ = asked(z, 1 - t)
    w, divergence = asked(z - h / 2 * v, 1 - t - h / 2)
    return -w, -divergence


def times_backwards(asked: Callable, z: Tensor, t: float, h: float) -> Slope:
    return midpoint(lambda x, s: asked(x, 1 - s), z, t, h)


def other_count(
    model: Callable,
    k: Tensor,
    dither: Tensor,
    probes: Tensor,
    n: int,
    levels: int,
    more: int,
    last: float = 1.0,
) -> Tensor:
    """As many steps more, of the right length; time ends at `last`."""
    z, h = filled(k, dither, levels), 1 / n
    log_det = torch.zeros(len(z), dtype=z.dtype, device=z.device)
    for i in range(n + more):
        v, divergence = midpoint(lambda x, t: ask(model, x, min(t, last), probes), z, i * h, h)
        z, log_det = z + h * v, log_det + h * divergence
    return in_bits(standard_normal(z) + log_det, z[0].numel(), levels)
