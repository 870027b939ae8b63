"""Bits per dimension of images under a flow."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from .ch01_slips import after, in_float32
from .ch08_bits_built import (
    backwards,
    built,
    divergence_slip,
    end_of_step,
    filled,
    flow_bits,
    half_and_half,
    half_step_back,
    heun,
    in_bits,
    midpoint,
    old_state,
    old_time,
    other_count,
    sampler_step,
    slip,
    standard_normal,
    times_backwards,
    two_divergences,
    whole_step,
)
from .data import Check, Mutant
from .inputs import Draw
from .toys import ToyVelocity


def calm(d: Draw) -> ToyVelocity:
    return ToyVelocity(d.uniform(0.5, 1.0, 3))


def an_image(d: Draw) -> tuple:
    levels, n = d.integer(5, 20), d.integer(2, 3)
    k = grey(d, levels, d.B, *d.event)
    return calm(d), k, d.uniform(0.05, 0.95, d.B, *d.event), signs(d, d.B, *d.event), n, levels


def grey(d: Draw, levels: int, *shape: int) -> Tensor:
    """Whole numbers from 0 to levels - 1, int64."""
    return d.uniform(0, levels - 1e-3, *shape).long()


def signs(d: Draw, *shape: int) -> Tensor:
    return torch.where(d.normal(*shape) < 0, -1.0, 1.0).to(d.dtype)


def images(d: Draw) -> Iterator[tuple[str, tuple]]:
    """One step and twelve; two levels, 17 and 256; the lowest and the highest grey; both ends of dither; a fast model; one image."""
    for n, levels in ((1, 17), (2, 2), (12, 17), (3, 256)):
        k = grey(d, levels, 3, 4)
        yield f"{n} steps, {levels} levels", (calm(d), k, d.uniform(0, 1, 3, 4), signs(d, 3, 4), n, levels)
    k = torch.tensor([[0, 16, 0], [16, 16, 16]], device=d.device)
    yield "lowest and highest grey", (calm(d), k, d.uniform(0, 1, 2, 3), signs(d, 2, 3), 2, 17)
    for dither in (0.0, 0.99999):
        yield f"dither = {dither:g}", (calm(d), k, d.uniform(dither, dither, 2, 3), signs(d, 2, 3), 2, 17)
    fast = ToyVelocity(d.uniform(0.8, 1.2, 3) * d.normal(1).new_tensor([40, 1, 1]))
    yield "velocities up to 40", (fast, k, d.uniform(0, 1, 2, 3), signs(d, 2, 3), 1, 17)
    one = grey(d, 17, 1, 1, 4, 4)
    yield "one image", (calm(d), one, d.uniform(0, 1, 1, 1, 4, 4), signs(d, 1, 1, 4, 4), 2, 17)


FLOW_BITS = Check(
    id="08-flow_bits",
    points=6,
    minutes=35,
    level=3,
    reference=flow_bits,
    inputs=an_image,
    fixed=images,
    inference=False,  # it takes gradients itself
    recording=False,  # grey levels and signs come out of no network
    evaluations={"model": lambda model, k, dither, probes, num_steps, levels: 2 * num_steps * len(k)},
    where='(25) in section 8 of this notebook ("Find out: bits per dimension of small digits"): fill the bins, go from t = 0 to 1 with the midpoint '
    "rule, add the divergence's integral to log N(z; 0, I), and turn it into bits.",
    outputs=("bits",),
    mutants=[
        # the bins
        slip("no dequantisation: dither is added to the levels.", fill=lambda k, dither, n: 2 * k / n - 1),
        slip("bins of width 2 / (levels - 1): (k + dither) / levels fills [0, 1).", fill=lambda k, dither, n: 2 * (k + dither) / (n - 1) - 1),
        slip("dither - 1/2 added: the bin of level k begins at k.", fill=lambda k, dither, n: 2 * (k + dither - 0.5) / n - 1),
        slip("dither subtracted: the bin of level k begins at k.", fill=lambda k, dither, n: 2 * (k - dither) / n - 1),
        slip("dither added after the scaling: it is part of a level, (k + dither) / levels.", fill=lambda k, dither, n: 2 * k / n - 1 + dither),
        slip("k divided by levels - 1, and dither by levels: both by levels.", fill=lambda k, dither, n: 2 * k / (n - 1) - 1 + 2 * dither / n),
        slip("dither / levels added after the scaling to [-1, 1]: it is doubled with k.", fill=lambda k, dither, n: 2 * k / n - 1 + dither / n),
        slip("data in [0, 1]: they are in [-1, 1], 2 (k + dither) / levels - 1.", fill=lambda k, dither, n: (k + dither) / n),
        slip("data in [-1/2, 1/2]: they are in [-1, 1], 2 (k + dither) / levels - 1.", fill=lambda k, dither, n: (k + dither) / n - 0.5),
        slip("data in [0, 2]: 1 is subtracted.", fill=lambda k, dither, n: 2 * (k + dither) / n),
        slip("17 levels whatever levels is.", fill=lambda k, dither, n: 2 * (k + dither) / 17 - 1, units=lambda p, d, n: in_bits(p, d, 17)),
        slip("256 levels whatever levels is.", fill=lambda k, dither, n: 2 * (k + dither) / 256 - 1, units=lambda p, d, n: in_bits(p, d, 256)),
        # the divergence
        slip("the integral of the divergence subtracted: from data to noise it is added.", sign=-1.0),
        slip("no divergence: the density of the noise alone is not that of the data.", sign=0.0),
        slip("half of the divergence.", sign=0.5),
        divergence_slip("a divergence that is the sum of J^T probes: multiply by the probes again.", lambda a, e: a.flatten(1).sum(1)),
        divergence_slip("a mean over the coordinates: a trace is a sum.", lambda a, e: (a * e).flatten(1).mean(1)),
        divergence_slip("one divergence for the whole batch: each sample has its own.", lambda a, e: (a * e).sum().expand(len(a))),
        divergence_slip("the mean divergence of the batch for all: each sample has its own.", lambda a, e: (a * e).flatten(1).sum(1).mean().expand(len(a))),
        divergence_slip("the squared norm of J^T probes: it is their product with the probes.", lambda a, e: a.square().flatten(1).sum(1)),
        divergence_slip("absolute values: the divergence has a sign.", lambda a, e: (a * e).flatten(1).sum(1).abs()),
        # the steps
        slip("Euler's steps: ask at the middle of the step, where half a step leads.", step=lambda asked, z, t, h: asked(z, t)),
        slip("the velocity of the midpoint with the divergence of the beginning: both are of the midpoint.", step=half_and_half),
        slip("the mean of two divergences: take the midpoint's.", step=two_divergences),
        slip("the end of the step asked, as for an implicit step: ask at its middle.", step=end_of_step),
        slip("Heun's steps: here it is the midpoint rule.", step=heun),
        slip("the old z asked at the middle time: ask where half a step leads.", step=old_state),
        slip("the midpoint asked at the old time: it belongs to t + h / 2.", step=old_time),
        slip("half a step backwards to the midpoint: it is z + h / 2 v.", step=half_step_back),
        slip("z - h v, a sampler's step: from data to noise it is z + h v.", step=sampler_step),
        slip("a midpoint after a whole step: it is z + h / 2 v.", step=whole_step),
        slip("the ODE from t = 1 down: the data are at t = 0.", step=backwards),
        slip("the times from 1 to 0, in steps forward: the data are at t = 0.", step=times_backwards),
        slip("times that begin at h: the first step begins at t = 0.", step=lambda asked, z, t, h: midpoint(lambda x, s: asked(x, min(s + h, 1.0)), z, t, h)),
        slip("time not told, 0 at all steps.", step=lambda asked, z, t, h: midpoint(lambda x, s: asked(x, 0.0), z, t, h)),
        slip("step numbers for times: t = i / num_steps.", step=lambda asked, z, t, h: midpoint(lambda x, s: asked(x, s / h), z, t, h)),
        *(
            Mutant(f"{words} step: it is num_steps of length 1 / num_steps.", lambda m, k, dither, e, n, levels, more=more: other_count(m, k, dither, e, n, levels, more))
            for words, more in (("one more", 1), ("one less", -1))
        ),
        # the noise
        slip("log N without its constant, -d/2 ln(2 pi).", prior=lambda z: -0.5 * z.flatten(1).square().sum(1)),
        slip("log N with -1/2 ln(2 pi): the constant is there for each of the d coordinates.", prior=lambda z: -0.5 * z.flatten(1).square().sum(1) - 0.5 * math.log(2 * math.pi)),
        slip("log N with -d ln(2 pi): it is d / 2.", prior=lambda z: 2 * standard_normal(z) + 0.5 * z.flatten(1).square().sum(1)),
        slip("log N without its 1/2 before the square.", prior=lambda z: standard_normal(z) - 0.5 * z.flatten(1).square().sum(1)),
        slip("log N with the norm: it has the square of it.", prior=lambda z: standard_normal(z) + 0.5 * (z.flatten(1).square().sum(1) - z.flatten(1).norm(dim=1))),
        slip("log N with a mean of the squares: it is a sum.", prior=lambda z: standard_normal(z) + 0.5 * z.flatten(1).square().sum(1) - 0.5 * z.flatten(1).square().mean(1)),
        *(
            Mutant(
                f"d taken as {words}: it is the number of coordinates of one image, z[0].numel().",
                lambda m, k, dither, e, n, levels, count=count: built(
                    m, k, dither, e, n, levels,
                    prior=lambda z: -0.5 * z.flatten(1).square().sum(1) - count(z) / 2 * math.log(2 * math.pi),
                    units=lambda p, _, n: in_bits(p, count(k), n),
                ),
            )
            for words, count in {
                "the number of all entries": lambda v: v.numel(),
                "the size of the second axis": lambda v: v.shape[1],
                "the size of the last axis": lambda v: v.shape[-1],
                "the size of the batch": lambda v: len(v),
            }.items()
        ),
        slip("no log-density of the noise.", prior=lambda z: 0 * standard_normal(z)),
        Mutant(
            "log N of the data: it belongs to where the path ends, at t = 1.",
            lambda m, k, dither, e, n, levels: built(m, k, dither, e, n, levels, prior=lambda z: standard_normal(filled(k, dither, levels))),
        ),
        slip("a density of the whole batch: each sample has its own.", prior=lambda z: standard_normal(z.flatten()[None]).expand(len(z))),
        # the units
        slip("nats: divide by ln 2, too.", units=lambda p, d, n: -p / d + math.log(n / 2)),
        slip("bits of the density alone: the bins' width adds log2(levels / 2).", units=lambda p, d, n: -p / (d * math.log(2))),
        slip("log2(levels) for log2(levels / 2): a bin has the width 2 / levels.", units=lambda p, d, n: -p / (d * math.log(2)) + math.log2(n)),
        slip("ln for log2 of the bins' width.", units=lambda p, d, n: -p / (d * math.log(2)) + math.log(n / 2)),
        slip("log2((levels - 1) / 2): there are as many bins as levels.", units=lambda p, d, n: -p / (d * math.log(2)) + math.log2((n - 1) / 2)),
        slip("the bins' width with its sign turned: narrow bins cost more, + log2(levels / 2).", units=lambda p, d, n: -p / (d * math.log(2)) - math.log2(n / 2)),
        slip("a plus before log p: the number of bits is -log2.", units=lambda p, d, n: p / (d * math.log(2)) + math.log2(n / 2)),
        slip("bits of the whole image: divide by d.", units=lambda p, d, n: d * in_bits(p, d, n)),
        slip("log p not divided by d.", units=lambda p, d, n: -p / math.log(2) + math.log2(n / 2)),
        slip("the bins' width of one coordinate divided by d: each of the d has it.", units=lambda p, d, n: -p / (d * math.log(2)) + math.log2(n / 2) / d),
        slip("a multiplication by ln 2: divide.", units=lambda p, d, n: -p * math.log(2) / d + math.log2(n / 2)),
        slip("8 - log2 p / d, the bins of 8-bit images in [0, 1].", units=lambda p, d, n: -p / (d * math.log(2)) + 8),
        slip("7 - log2 p / d, the bins of 8-bit images in [-1, 1].", units=lambda p, d, n: -p / (d * math.log(2)) + 7),
        after("the mean over the batch: return a number for each image.", flow_bits, lambda v: v.mean()),
        in_float32(flow_bits),
    ],
)  # fmt: skip
