"""The predictor-corrector sampler: all of its states, from given draws."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ...sde import times as grid_of
from .ch01_slips import after, in_float32
from .ch08_denoiser import SDES
from .ch08_step import Score, drift, noise, reverse_sde_step
from .ch08_walk import (
    Place,
    all_states,
    corrected,
    corrected_at,
    corrections,
    drift_slip,
    even_step,
    first_length,
    length,
    length_slip,
    move_slip,
    moved,
    noisy_to_the_end,
    norm,
    old_score,
    predicted,
    predictor_slip,
    quiet_at_end,
    same,
    slip,
    step_with,
    swapped,
    walk,
    with_knobs,
)
from .data import Check, Mutant
from .inputs import Draw
from .toys import ToyScore


def predictor_corrector(
    score: Score, x: Tensor, times: Tensor, f: Tensor, g: Tensor, r: float, noise: Tensor
) -> Tensor:
    return walk(score, x, times, f, g, r, noise)


def calm(d: Draw) -> ToyScore:
    """A score of small slope: along a path, rounding must not grow to what looks like a mistake."""
    return ToyScore(d.uniform(0.4, 0.8, 3))


def a_run(d: Draw) -> tuple:
    """A grid of a few steps that ends in 0, or above it in the cases whose edge is "last"."""
    n = d.size()
    times = 0.9 * torch.cat([d.uniform(1, 1, 1), d.uniform(0.5, 0.8, n).cumprod(0)])
    if d.edge != "last":
        times[-1] = 0
    f, g = -d.uniform(0.3, 1, n), d.uniform(0.6, 1.4, n)
    return calm(d), d.x(), times, f, g, d.uniform(0.1, 0.3).item(), d.normal(n, 2, d.B, *d.event)


def runs(d: Draw) -> Iterator[tuple[str, tuple]]:
    """The library's grid in three processes, the paper's r and others, one step, one sample, an image."""
    for (name, sde), r in zip(SDES.items(), (0.16, 0.05, 0.3), strict=True):
        times = grid_of(6, 0.05)
        f, g = ((v(times[:-1]) / (10 if name == "VE" else 1)).to(d.device, d.dtype) for v in (sde.f, sde.g))
        x, draws = d.wide(3, 2), d.normal(6, 2, 3, 2)
        yield f"{name}, r = {r}", (calm(d), x, times.to(d.device, d.dtype), f, g, r, draws)
    one = torch.tensor([0.5, 0.0], dtype=d.dtype, device=d.device)
    yield (
        "one step to 0",
        (calm(d), d.normal(4, 3), one, -d.uniform(1, 1, 1), d.uniform(2, 2, 1), 0.16, d.normal(1, 2, 4, 3)),
    )
    many = torch.tensor([1.0, 0.9, 0.81], dtype=d.dtype, device=d.device)
    yield (
        "one image, a grid that ends above 0",
        (calm(d), d.wide(1, 1, 4, 4), many, d.uniform(0.2, 0.4, 2), d.uniform(1, 2, 2), 1.0, d.wide(2, 2, 1, 1, 4, 4)),
    )  # fmt: skip


def calls(score: Score, x: Tensor, times: Tensor, *rest: object) -> int:
    return 2 * len(x) * (len(times) - 1)


def one_by_one(p: Place, s: Tensor, z: Tensor) -> Tensor:
    """A step length for each sample."""
    ratio = z.flatten(1).norm(dim=1) / s.flatten(1).norm(dim=1)
    return (2 * (p.r * ratio) ** 2).reshape(-1, *[1] * (z.ndim - 1))


LENGTHS = [
    length_slip("no square: e = 2 (r ||z|| / ||s||)^2.", lambda p, s, z: 2 * p.r * norm(z) / norm(s)),
    length_slip("no 2 in the step length, or e / 2 and sqrt(e) in (10): e = 2 (r ||z|| / ||s||)^2.", lambda p, s, z: (p.r * norm(z) / norm(s)) ** 2),
    length_slip("the 2 inside the square: e = 2 (r ||z|| / ||s||)^2.", lambda p, s, z: (2 * p.r * norm(z) / norm(s)) ** 2),
    length_slip("r outside the square: e = 2 (r ||z|| / ||s||)^2.", lambda p, s, z: 2 * p.r * (norm(z) / norm(s)) ** 2),
    length_slip("a step length without r.", lambda p, s, z: 2 * (norm(z) / norm(s)) ** 2),
    length_slip("the two norms swapped: the noise's is above.", lambda p, s, z: 2 * (p.r * norm(s) / norm(z)) ** 2),
    length_slip("no norm of the score: e = 2 (r ||z|| / ||s||)^2.", lambda p, s, z: 2 * (p.r * norm(z)) ** 2),
    length_slip("no norm of the noise: e = 2 (r ||z|| / ||s||)^2.", lambda p, s, z: 2 * (p.r / norm(s)) ** 2),
    length_slip("a fixed step length, 2 r^2: it follows the norms of noise and score.", lambda p, s, z: z.new_tensor(2 * p.r**2)),
    length_slip("a step length for each sample: the norms are averaged over the batch first.", one_by_one),
    length_slip("the norm of the whole batch as one vector: take each sample's, then the mean.", lambda p, s, z: 2 * (p.r * z.norm() / s.norm()) ** 2),
    length_slip(
        "norms along the last axis alone: each sample is one long vector.",
        lambda p, s, z: 2 * (p.r * z.norm(dim=-1).mean() / s.norm(dim=-1).mean()) ** 2,
    ),
    length_slip("norms along one axis alone: each sample is one long vector, so flatten it first.", lambda p, s, z: 2 * (p.r * z.norm(dim=1).mean() / s.norm(dim=1).mean()) ** 2),
    length_slip("norms over the batch axis: each sample is one long vector.", lambda p, s, z: 2 * (p.r * z.flatten(1).norm(dim=0).mean() / s.flatten(1).norm(dim=0).mean()) ** 2),
    length_slip("sqrt(d) for the norm of the noise: take the norm of the noise that is given.", lambda p, s, z: 2 * (p.r * p.x[0].numel() ** 0.5 / norm(s)) ** 2),
    length_slip("the mean of the samples' step lengths: average the norms, then take one e.", lambda p, s, z: one_by_one(p, s, z).mean()),
    length_slip("a root of the step length: e = 2 (r ||z|| / ||s||)^2.", lambda p, s, z: length(p, s, z).sqrt()),
    *(
        length_slip(f"a step length cut off at {most:g}: take it as (12) gives it.", lambda p, s, z, most=most: length(p, s, z).clamp(max=most))
        for most in (0.01, 0.1, 1.0)
    ),
    length_slip("squared norms in the place of norms.", lambda p, s, z: 2 * (p.r * z.flatten(1).square().sum(1).mean() / s.flatten(1).square().sum(1).mean()) ** 2),
    length_slip("the mean of the ratios: take the ratio of the means.", lambda p, s, z: 2 * (p.r * (z.flatten(1).norm(dim=1) / s.flatten(1).norm(dim=1)).mean()) ** 2),
    length_slip("the norm of the state in the place of the score's.", lambda p, s, z: 2 * (p.r * norm(z) / norm(p.x)) ** 2),
    length_slip("norms of absolute values: the norm is the root of the sum of squares.", lambda p, s, z: 2 * (p.r * z.flatten(1).abs().sum(1).mean() / s.flatten(1).abs().sum(1).mean()) ** 2),
    length_slip("a factor h in the step length: e does not depend on the next time.", lambda p, s, z: (p.t - p.t_next) * length(p, s, z)),
    length_slip("a factor g^2 in the step length: (10) has the score and the noise without g.", lambda p, s, z: p.g[p.i] ** 2 * length(p, s, z)),
    length_slip("the predictor's noise in the step length: the corrector's is noise[i, 0].", lambda p, s, z: length(p, s, p.noise[p.i, 1])),
]  # fmt: skip
MOVES = [
    move_slip("sqrt(e) before the noise: Langevin's has sqrt(2 e).", lambda x, s, e, z: x + e * s + e.sqrt() * z),
    move_slip("2 e before the noise: it is its root.", lambda x, s, e, z: x + e * s + 2 * e * z),
    move_slip("e before the noise: it is sqrt(2 e).", lambda x, s, e, z: x + e * s + e * z),
    move_slip("2 sqrt(e) before the noise: the 2 is under the root.", lambda x, s, e, z: x + e * s + 2 * e.sqrt() * z),
    move_slip("a correction without noise.", lambda x, s, e, z: x + e * s),
    move_slip("a correction without the score.", lambda x, s, e, z: x + (2 * e).sqrt() * z),
    move_slip("a step against the score: + e score.", lambda x, s, e, z: x - e * s + (2 * e).sqrt() * z),
    move_slip("noise subtracted: add it.", lambda x, s, e, z: x + e * s - (2 * e).sqrt() * z),
    move_slip("e / 2 before the score: it is e.", lambda x, s, e, z: x + e / 2 * s + (2 * e).sqrt() * z),
    move_slip("the change alone: add it to x.", lambda x, s, e, z: e * s + (2 * e).sqrt() * z),
    slip("no correction at all.", lambda p: predicted(p, p.x)),
    slip("no predictor: after the correction comes a step of the reverse SDE.", lambda p: corrected(p)),
    slip("a score at t_{i+1} in the correction: it is at t_i, where x is.", lambda p: predicted(p, corrected_at(p, p.t_next))),
    slip("no correction in the step to time 0: every step begins with one.", lambda p: predicted(p, p.x if p.t_next == 0 else corrected(p))),
    slip("a correction without noise in the step to time 0: there the predictor alone adds none.", lambda p: predicted(p, quiet_at_end(p))),
    slip(
        "the two noises treated the wrong way round in the step to time 0: the predictor adds none, the corrector as ever.",
        lambda p: noisy_to_the_end(p, quiet_at_end(p)),
    ),
    slip("two corrections before the predictor: one.", lambda p: predicted(p, corrected(moved(p, corrected(p))))),
    slip(
        "the predictor first, then the corrector at t_i: the correction comes first.",
        lambda p: corrected(moved(p, predicted(p, p.x))),
    ),
    slip(
        "the predictor first, then the corrector at t_{i+1}: here the correction comes first, at t_i.",
        lambda p: corrected_at(moved(p, predicted(p, p.x)), p.t_next),
    ),
    slip(
        "a predictor with the score of the state before the correction: ask again at the corrected one.",
        lambda p: old_score(p, corrected(p)),
    ),
    slip("the two noises swapped: noise[i, 0] is the corrector's.", lambda p: predicted(swapped(p), corrected(swapped(p)))),
    slip("the corrector's noise in the predictor, too: that has noise[i, 1].", lambda p: predicted(p, corrected(p), z=p.noise[p.i, 0])),
    slip("the predictor's noise in the corrector, too: that has noise[i, 0].", lambda p: predicted(p, corrected(same(p, 1)))),
    slip("noise[0] in every step: step i has noise[i].", lambda p: step_with(p, noise=p.noise[:1].expand_as(p.noise))),
    slip("the noise from the last to the first: step i has noise[i].", lambda p: step_with(p, noise=p.noise.flip(0))),
    predictor_slip("the ODE as predictor: it is the reverse SDE, lam = 1.", lambda p, x: predicted(p, x, lam=0.0)),
    predictor_slip("a predictor without noise: it is the reverse SDE, lam = 1.", lambda p, x: predicted(p, x, z=0 * x)),
    predictor_slip("a predictor that adds noise in the step to time 0, too.", lambda p, x: noisy_to_the_end(p, x)),
    predictor_slip("no noise in the last step of all: only in a step to time 0.", lambda p, x: (
        predicted(p, x, z=0 * x if p.i == len(p.f) - 1 else None)
    )),
    predictor_slip("f[0] and g[0] in every step: step i has f[i] and g[i].", lambda p, x: predicted(with_knobs(p, 0), x)),
    predictor_slip("f and g of the step after: step i has f[i] and g[i].", lambda p, x: predicted(with_knobs(p, min(p.i + 1, len(p.f) - 1)), x)),
    predictor_slip("steps of the length t_i: it is t_i - t_{i+1}.", lambda p, x: (
        x + p.t * drift(p.score(x, p.t), x, p.f[p.i], p.g[p.i], 1.0) + noise(p.t, p.t_next, p.g[p.i], 1.0, p.noise[p.i, 1])
    )),
    predictor_slip("steps of one length, as on an even grid: it is t_i - t_{i+1}.", lambda p, x: even_step(p, x)),
    predictor_slip("a step from the state before the correction, with the score after it: both are the corrected state's.", lambda p, x: (
        predicted(replace(p, score=lambda *_: p.score(x, p.t)), p.x)
    )),
    predictor_slip("h before the predictor's noise: it is sqrt(h).", lambda p, x: (
        predicted(p, x, z=p.noise[p.i, 1] * (p.t - p.t_next).sqrt())
    )),
    predictor_slip("the ratio r as lam of the predictor: it is the reverse SDE, lam = 1.", lambda p, x: predicted(p, x, lam=p.r)),
    predictor_slip("the predictor's score at t_{i+1}: it is taken where the step begins, at t_i.", lambda p, x: (
        predicted(replace(p, score=lambda y, _: p.score(y, p.t_next)), x)
    )),
    predictor_slip("the predictor's noise in the place of g: g[i] is the diffusion coefficient.", lambda p, x: (
        reverse_sde_step(p.score, x, p.t, p.t_next, p.f[p.i], p.noise[p.i, 1], 1.0, p.noise[p.i, 1])
    )),
    drift_slip("f x with the sign of the forward process: backwards in time it is -f x.", lambda s, x, f, g: f * x + g**2 * s),
    drift_slip("a predictor's score with a minus: backwards it pulls to the data, + g^2 score.", lambda s, x, f, g: -f * x - g**2 * s),
    drift_slip("a predictor forwards in time: with h > 0 its drift is -f x + g^2 score.", lambda s, x, f, g: f * x - g**2 * s),
    drift_slip("g for g^2 in the predictor's drift.", lambda s, x, f, g: -f * x + g * s),
    drift_slip("g^2 / 2 in the predictor's drift, which is the ODE's: with lam = 1 it is g^2.", lambda s, x, f, g: -f * x + g**2 / 2 * s),
    drift_slip("no g in the predictor's drift: the score has the factor g^2.", lambda s, x, f, g: -f * x + s),
    drift_slip("no f x in the predictor's drift, which is right for VE alone.", lambda s, x, f, g: g**2 * s),
    drift_slip("no score in the predictor's drift.", lambda s, x, f, g: -f * x),
]  # fmt: skip
STATES = [
    Mutant(
        "every step taken from the first state: step i begins where step i - 1 ended.",
        lambda s, x, times, f, g, r, noise: walk(
            s, x, times, f, g, r, noise, step=lambda p: predicted(p, corrected(moved(p, x)))
        ),
    ),
    Mutant("the corrected states: return what each predictor leaves.", corrections),
    Mutant("corrected states among the others: return x, and what each predictor leaves.", all_states),
    Mutant("one step length for the whole path, the first: e follows the norms of each step.", first_length),
    after("states without the first: return x, too.", predictor_corrector, lambda v: v[1:]),
    after("states without the last: N steps lead to N + 1 states.", predictor_corrector, lambda v: v[:-1]),
    after(
        "the state before the last in the last place, too: N steps lead to N + 1 states.",
        predictor_corrector,
        lambda v: torch.cat([v[:-1], v[-2:-1]]),
    ),
    after("the samples alone: return all N + 1 states.", predictor_corrector, lambda v: v[-1]),
    after("the states from the last to the first.", predictor_corrector, lambda v: v.flip(0)),
    after(
        "states stacked behind the batch: the first axis is the step.",
        predictor_corrector,
        lambda v: v.movedim(0, 1),
    ),
    after(
        "the states one behind the other in one axis, as torch.cat does it: torch.stack gives them an axis of their own.",
        predictor_corrector,
        lambda v: v.flatten(0, 1),
    ),
    after(
        "one tensor in every place, overwritten by each step: make a new one, and append that.",
        predictor_corrector,
        lambda v: v[-1:].expand_as(v),
    ),
]


PREDICTOR_CORRECTOR = Check(
    id="08-predictor_corrector",
    points=5,
    minutes=25,
    level=3,
    reference=predictor_corrector,
    inputs=a_run,
    fixed=runs,
    evaluations={"score": calls},
    where='(12) in section 5 of this notebook ("A corrector"): in step i first (10), x + e score + sqrt(2 e) noise[i, 0], with e = 2 (r ||z|| / ||s||)^2, '
    "then a step of the reverse SDE from there, with noise[i, 1] (Song et al. 2021, algorithms 2 to 5).",
    outputs=("states",),
    path="states[{}]",
    library=("sde.predictor_corrector",),
    mutants=[*LENGTHS, *MOVES, *STATES, in_float32(predictor_corrector)],
)
