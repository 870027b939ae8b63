"""Bits per dimension of images under a flow."""

import math
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from .ch01_slips import after, in_float32
from .ch08_bits_built import (
    against,
    against_from_one,
    ask,
    backwards,
    built,
    cut_off,
    divergence_slip,
    divergence_without_h,
    end_of_step,
    end_of_time,
    exact_ask,
    filled,
    flow_bits,
    from_midpoint,
    half_and_half,
    half_from_the_middle,
    half_moves,
    half_step_back,
    heun,
    in_bits,
    midpoint,
    moves_without_h,
    old_state,
    old_time,
    other_count,
    other_sign,
    product,
    sampler_step,
    slip,
    standard_normal,
    through_half_step,
    times_backwards,
    two_divergences,
    whole_step,
    without_first,
)
from .data import Check, Mutant
from .inputs import Draw
from .toys import ToyMixing


def calm(d: Draw) -> ToyMixing:
    return ToyMixing(d.uniform(0.5, 1.0, 3))


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
    """One step and twelve; two levels, 17 and 256; the lowest and the highest grey; both ends of dither; a fast model; probes that are no signs; one image."""
    for n, levels in ((1, 17), (2, 2), (12, 17), (3, 256)):
        k = grey(d, levels, 3, 4)
        yield f"{n} steps, {levels} levels", (calm(d), k, d.uniform(0, 1, 3, 4), signs(d, 3, 4), n, levels)
    k = torch.tensor([[0, 16, 0], [16, 16, 16]], device=d.device)
    yield "lowest and highest grey", (calm(d), k, d.uniform(0, 1, 2, 3), signs(d, 2, 3), 2, 17)
    for dither in (0.0, 0.99999):
        yield f"dither = {dither:g}", (calm(d), k, d.uniform(dither, dither, 2, 3), signs(d, 2, 3), 2, 17)
    fast = ToyMixing(d.uniform(0.8, 1.2, 3) * d.normal(1).new_tensor([40, 1, 1]))
    yield "velocities up to 40", (fast, k, d.uniform(0, 1, 2, 3), signs(d, 2, 3), 1, 17)
    yield "probes that are no signs", (calm(d), k, d.uniform(0, 1, 2, 3), d.normal(2, 3), 2, 17)
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
    where='(25) in section 8 of this notebook ("Find out: bits per dimension of small digits"): z = 2 (k + dither) / levels - 1; from t = 0 to 1 '
    "the midpoint rule; log p = log N(z; 0, I) + log det; and -log p / (d ln 2) + log2(levels / 2).",
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
        slip("dither not used, the middle of each bin in its place.", fill=lambda k, dither, n: filled(k, 0 * dither + 0.5, n)),
        slip("k lost, as k // levels loses it: the division is not one of whole numbers.", fill=lambda k, dither, n: 2 * dither / n - 1),
        slip(
            "data in [0, 1], and bins of width 1 / levels: here they are in [-1, 1].",
            fill=lambda k, dither, n: (k + dither) / n,
            units=lambda p, d, n: -p / (d * math.log(2)) + math.log2(n),
        ),
        # the divergence
        slip("the integral of the divergence subtracted: from data to noise it is added.", sign=-1.0),
        slip("no divergence: the density of the noise alone is not that of the data.", sign=0.0),
        slip("half of the divergence.", sign=0.5),
        divergence_slip("a divergence that is the sum of J^T probes: multiply by the probes again.", lambda a, e: a.flatten(1).sum(1)),
        divergence_slip("a mean over the coordinates: a trace is a sum.", lambda a, e: (a * e).flatten(1).mean(1)),
        divergence_slip("one divergence for the whole batch: each sample has its own.", lambda a, e: (a * e).sum().expand(len(a))),
        divergence_slip("the mean divergence of the batch for all: each sample has its own.", lambda a, e: (a * e).flatten(1).sum(1).mean().expand(len(a))),
        divergence_slip("the squared norm of J^T probes: it is their product with the probes.", lambda a, e: a.square().flatten(1).sum(1)),
        divergence_slip("the divergence of the first sample for all: each sample has its own.", lambda a, e: (a * e)[:1].sum().expand(len(a))),
        divergence_slip("a sum along one axis alone: the trace is a sum over all coordinates.", lambda a, e: (a * e).sum(1).reshape(len(a), -1)[:, 0]),
        divergence_slip(
            "probes brought to a mean square of 1, which is right for signs alone: take them as they are given.",
            lambda a, e: (a * e).flatten(1).sum(1) * e[0].numel() / e.square().flatten(1).sum(1),
        ),
        slip("the signs of the probes: take them as they are given.", ask=lambda model, z, t, probes: ask(model, z, t, probes.sign())),
        divergence_slip("probes of length 1: take them as they are given.", lambda a, e: (a * e).flatten(1).sum(1) / e.square().flatten(1).sum(1)),
        slip("a divergence without h: each step adds h times it.", step=divergence_without_h),
        slip("the divergence of the last step alone: add those of all steps.", gather=lambda old, new: new),
        Mutant(
            "the sum of v differentiated, not its product with the probes: probes belong before and after J.",
            lambda m, k, dither, e, n, levels: built(m, k, dither, torch.ones_like(e), n, levels),
        ),
        slip(
            "J^T 1, the derivative of the sum of v, before the product with the probes: it is J^T probes.",
            ask=lambda model, z, t, e: ask(model, z, t, torch.ones_like(e), trace=lambda a, _: product(a, e)),
        ),
        Mutant("a derivative with respect to where the step begins: the divergence is at the midpoint, so m is the leaf.", through_half_step),
        slip("the exact trace, without the probes: (15) estimates it by one product.", ask=exact_ask),
        divergence_slip("absolute values: the divergence has a sign.", lambda a, e: (a * e).flatten(1).sum(1).abs()),
        # the steps
        slip("Euler's steps: ask at the middle of the step, where half a step leads.", step=lambda asked, z, t, h: asked(z, t)),
        slip("the velocity of the midpoint with the divergence of the beginning: both are of the midpoint.", step=half_and_half),
        slip("the mean of two divergences: take the midpoint's.", step=two_divergences),
        slip("the end of the step asked, as for an implicit step: ask at its middle.", step=end_of_step),
        slip("the midpoint asked at the end of the step: it belongs to t + h / 2.", step=end_of_time),
        slip("half a step with the velocity at t + h / 2: it begins at t.", step=half_from_the_middle),
        slip("steps that begin at the midpoint: z + h v begins where half a step began, too.", step=from_midpoint),
        slip("half a step from the midpoint: the whole step begins at the old z.", step=partial(from_midpoint, share=0.5)),
        slip("half steps of z: it moves by h v.", step=half_moves),
        slip("steps of z without h: it moves by h v.", step=moves_without_h),
        slip("the first step left out: i begins at 0.", step=without_first),
        slip("z cut off at -1 and 1: noise lies outside, too.", step=cut_off),
        slip("the velocity -u of the other convention: here noise is at t = 1, and the model's answer is taken as it is.", step=other_sign),
        slip("z moved against the velocity: from data to noise it is z + h v.", step=against),
        slip("a sampler's way, from t = 1 down with z - h v: the data are at t = 0.", step=against_from_one),
        *(
            slip(f"times that begin at {c:g}: the first step begins at t = 0.", step=lambda asked, z, t, h, c=c: midpoint(asked, z, c + (1 - c) * t, h))
            for c in (1e-2, 1e-3, 1e-4, 1e-5)
        ),
        *(
            Mutant(f"{count} steps whatever num_steps is.", lambda m, k, dither, e, n, levels, count=count: built(m, k, dither, e, count, levels))
            for count in (10, 20)
        ),
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
        Mutant(
            "one more step: it is num_steps of length 1 / num_steps, and time ends at 1.",
            lambda m, k, dither, e, n, levels: other_count(m, k, dither, e, n, levels, 1, last=math.inf),
        ),
        *(
            Mutant(f"{words} step: it is num_steps of length 1 / num_steps.", lambda m, k, dither, e, n, levels, more=more: other_count(m, k, dither, e, n, levels, more))
            for words, more in (("one more", 1), ("one less", -1))
        ),
        # the noise
        slip("log N without its constant, -d/2 ln(2 pi).", prior=lambda z: -0.5 * z.flatten(1).square().sum(1)),
        slip("log N with -1/2 ln(2 pi): the constant is there for each of the d coordinates.", prior=lambda z: -0.5 * z.flatten(1).square().sum(1) - 0.5 * math.log(2 * math.pi)),
        slip("log N with -d ln(2 pi): it is d / 2.", prior=lambda z: 2 * standard_normal(z) + 0.5 * z.flatten(1).square().sum(1)),
        slip("log N without its 1/2 before the square.", prior=lambda z: standard_normal(z) - 0.5 * z.flatten(1).square().sum(1)),
        slip("log N with a plus before the square.", prior=lambda z: standard_normal(z) + z.flatten(1).square().sum(1)),
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
        slip("nats for log p: divide it by ln 2, too.", units=lambda p, d, n: -p / d + math.log2(n / 2)),
        slip("log p divided by d twice, or means over the coordinates divided by d.", units=lambda p, d, n: in_bits(p / d, d, n)),
        slip("all of it divided by ln 2: log2(levels / 2) is in bits already.", units=lambda p, d, n: (-p / d + math.log2(n / 2)) / math.log(2)),
        slip("log2(17 / 2) whatever levels is.", units=lambda p, d, n: in_bits(p, d, 17)),
        slip("bits cut off at 0 and log2(levels): return them as they are.", units=lambda p, d, n: in_bits(p, d, n).clamp(0, math.log2(n))),
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
