"""The sampler of masked diffusion: all of its states, from given noise."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .ch11_step import DRAWS as STEP_DRAWS
from .ch11_step import (
    MASKS,
    MODELS,
    SHARES,
    VISIBLE,
    apart,
    gumbel,
    partly,
    tied,
    unmask_step,
)
from .data import Check, Mutant
from .inputs import Draw
from .slips import result_slip
from .toys import ToyTokens


def unmask_sample(model: Callable, x: Tensor, times: Tensor, g: Tensor, K: int) -> Tensor:
    return walk(model, x, times, g, K)


@dataclass(frozen=True)
class Part:
    """What step k = 0..n - 1 may use: the state x at time t, the next time s, its noise z, and all that the sampler was given."""

    model: Callable
    x: Tensor
    t: float
    s: float
    z: Tensor
    K: int
    k: int
    first: Tensor
    times: list[float]
    g: Tensor


Step = Callable[[Part], Tensor]


def right(p: Part, **other: Any) -> Tensor:
    """The right step, or one in which other values stand for x, t, s or z."""
    q: dict[str, Any] = {"x": p.x, "t": p.t, "s": p.s, "z": p.z} | other
    return unmask_step(p.model, q["x"], q["t"], q["s"], q["z"], p.K)


def walk(
    model: Callable, x: Tensor, times: Tensor, g: Tensor, K: int, step: Step = right, start: Callable = lambda x, K: x
) -> Tensor:  # fmt: skip
    states, told = [start(x, K)], times.tolist()
    for k in range(len(told) - 1):
        states.append(step(Part(model, states[-1], told[k], told[k + 1], g[k], K, k, states[0], told, g)))
    return torch.stack(states)


def walked(hint: str, step: Step) -> Mutant:
    return Mutant(hint, partial(walk, step=step))


def of_step(mutant: Mutant) -> Mutant:
    """A sampler with a wrong step of its own."""
    return walked(mutant.hint, lambda p: mutant.function(p.model, p.x, p.t, p.s, p.z, p.K))


def settled(model: ToyTokens, x: Tensor, times: Tensor, g: Tensor, K: int, gap: float = 0) -> tuple:
    """The arguments of a run, whose noise decides every draw by more than rounding. gap: if above 0, by just that."""
    state, noise = x, []
    for t, s, z in zip(times[:-1].tolist(), times[1:].tolist(), g, strict=True):
        gaps = torch.full(x.shape, gap).to(g)
        noise.append(tied(model, state, t, s, z, gaps) if gap else apart(model, state, t, s, z))
        state = unmask_step(model, state, t, s, noise[-1], K)
    return model, x, times, torch.stack(noise), K


def falling(d: Draw, n: int) -> Tensor:
    """n + 1 uneven times from 1 to 0."""
    inner = (1 - torch.arange(1, n).to(d.normal(1)) / n + d.uniform(-0.3, 0.3, n - 1) / n).double()
    ends = inner.new_ones(1), inner.new_zeros(1)
    return torch.cat([ends[0], inner, ends[1]]).round(decimals=3).to(d.normal(1))


def inputs(d: Draw) -> tuple:
    """An infilling or, at "last", a sample from masks alone, by a few uneven steps."""
    K, n = d.size(), d.integer(3, 5)
    shape = (d.B, *d.event)
    x = torch.full(shape, K, device=d.device) if d.edge == "last" else partly(d, K, 0.8, *shape)
    return settled(d.token_model(K), x, falling(d, n), gumbel(d, n, *shape, K + 1), K)


def runs(d: Draw) -> Iterator[tuple[str, tuple]]:
    """One step, many steps, more steps than tokens, many values, pictures, a beginning after 1, all tokens given but one."""

    def case(times: list[float], K: int, hidden: float, *shape: int) -> tuple:
        grid = torch.tensor(times, dtype=d.dtype, device=d.device)
        x = torch.full(shape, K, device=d.device) if hidden == 1 else partly(d, K, hidden, *shape)
        return settled(d.token_model(K), x, grid, gumbel(d, len(times) - 1, *shape, K + 1), K)

    yield "one step", case([1.0, 0.0], 3, 1, 3, 8)
    yield "two steps", case([1.0, 0.4, 0.0], 3, 1, 4, 10)
    yield "ten even steps", case([1 - i / 10 for i in range(10)] + [0.0], 3, 1, 3, 8)
    yield "more steps than tokens", case([1 - i / 12 for i in range(12)] + [0.0], 4, 1, 2, 5)
    yield "38 letters", case([1.0, 0.7, 0.3, 0.0], 38, 1, 2, 16)
    yield "digits of 4 x 4", case([1.0, 0.6, 0.3, 0.1, 0.0], 8, 1, 3, 4, 4)
    yield "infilling, from t = 0.7", case([0.7, 0.5, 0.2, 0.0], 3, 0.5, 5, 12)
    yield "one token hidden", case([1.0, 0.5, 0.0], 3, 0.0, 3, 6)
    model, x, times, g, K = case([1.0, 0.6543, 0.3217, 0.1, 0.0], 3, 1, 2, 60)
    yield "draws that are nearly tied", settled(model, x, times, g, K, gap=2e-5)
    g[-1, ..., K] += 40
    yield "a step to 0, whatever the mask's noise is", (model, x, times, g, K)
    yield "one sample, a last step from 0.005", case([1.0, 0.5, 0.005, 0.0], 4, 1, 1, 40)


def until_shown(model: Callable, x: Tensor, times: Tensor, g: Tensor, K: int) -> Tensor:
    """A loop that ends once no mask is left."""
    states = unmask_sample(model, x, times, g, K)
    masks = (states == K).flatten(1).any(1)
    return states[: int(masks.sum()) + 1]


def from_masks(x: Tensor, K: int) -> Tensor:
    return torch.full_like(x, K)


NOISE = [
    walked("g[k] of the step before, and the last in the first step: step k takes g[k].", lambda p: right(p, z=p.g[p.k - 1])),
    walked("g[k + 1] in step k, and the first in the last step: step k takes g[k].", lambda p: right(p, z=p.g[(p.k + 1) % len(p.g)])),
    walked("g[k + 1] in step k, beyond the last entry: step k takes g[k].", lambda p: right(p, z=p.g[p.k + 1])),
    walked("g read backwards: step k takes g[k].", lambda p: right(p, z=p.g[len(p.g) - 1 - p.k])),
    walked("g[0] in all steps: step k takes g[k].", lambda p: right(p, z=p.g[0])),
    walked("the last g in all steps: step k takes g[k].", lambda p: right(p, z=p.g[-1])),
    walked("the first sample's noise for the whole batch: each has its own.", lambda p: right(p, z=p.z[:1].expand_as(p.z))),
]  # fmt: skip
TIMES = [
    walked("an even grid of as many steps: the times are those that are given.", lambda p: right(p, t=1 - p.k / len(p.g), s=1 - (p.k + 1) / len(p.g))),
    walked("steps that go from 1 in all cases: step k goes from times[k].", lambda p: right(p, t=1.0)),
    walked("a first step that begins at 1: it goes from times[0].", lambda p: right(p, t=p.t if p.k else 1.0)),
    walked("times[k + 1] and times[k + 2] in step k, one place late: it goes from times[k] to times[k + 1].", lambda p: right(p, t=p.times[p.k + 1] + 1e-12, s=p.times[min(p.k + 2, len(p.g))])),
    walked("the likeliest tokens in the last step, without its noise: it takes g[-1] as the others take theirs.", lambda p: right(p, z=p.z if p.k < len(p.g) - 1 else torch.zeros_like(p.z))),
    walked("every step to 0, so that all is shown at once: step k goes to times[k + 1].", lambda p: right(p, s=0.0)),
    walked("a last step that is left out: it goes from times[-2] to 0, and leaves no mask.", lambda p: right(p) if p.k < len(p.g) - 1 else p.x.clone()),
    walked("a last step that goes to a small number in the place of 0, and masks are left: at s = 0 none is.", lambda p: right(p, s=p.s or p.t / 2)),
    walked("s = times[k] in step k, one step late: step k goes from times[k] to times[k + 1].", lambda p: right(p, t=p.times[max(p.k - 1, 0)], s=p.times[p.k] if p.k else p.t * (1 - 1e-12))),
    walked("t = times[0] and s = times[k + 1]: step k begins at times[k].", lambda p: right(p, t=p.times[0])),
    walked("the times read backwards, from 0 to 1: they fall.", lambda p: right(p, t=p.times[len(p.g) - p.k] or 1e-300, s=p.times[len(p.g) - p.k - 1])),
]  # fmt: skip
STATES = [
    walked("every step taken from x: step k begins at the state of step k - 1.", lambda p: right(p, x=p.first)),
    walked("a model that is shown x in every step: it is shown the state.", lambda p: unmask_step(lambda _: p.model(p.first), p.x, p.t, p.s, p.z, p.K)),
    Mutant("a start from masks alone: the first state is x, whose visible tokens are given.", partial(walk, start=from_masks)),
    walked("masks in the place of the given tokens, in every step: what is visible stays.", lambda p: right(p, x=torch.where(p.first == p.K, p.x, p.K))),
    result_slip("states without x: return n + 1 of them, the first is x.", unmask_sample, lambda v: v[1:]),
    result_slip("states without the last: n steps lead to n + 1 states.", unmask_sample, lambda v: v[:-1]),
    Mutant("states up to the first without a mask: n steps have n + 1 states, whatever is left to draw.", until_shown),
    Mutant("as many steps as samples: n + 1 times have n steps, range(len(times) - 1).", lambda model, x, times, g, K: unmask_sample(model, x, times, g, K)[: len(x) + 1]),
    result_slip("8 steps at most: n + 1 times have n steps, range(len(times) - 1).", unmask_sample, lambda v: v[:9]),
    result_slip("the last state alone: return all n + 1, x first.", unmask_sample, lambda v: v[-1]),
    result_slip("the states from the last to the first: the first is x.", unmask_sample, lambda v: v.flip(0)),
    result_slip("states kept before the step and not after it: x is there twice, and the last is missing.", unmask_sample, lambda v: torch.cat([v[:1], v[:-1]])),
    result_slip("one tensor in every place, overwritten by each step: make a new one in each.", unmask_sample, lambda v: v[-1:].expand_as(v)),
    result_slip("states that are stacked behind the batch: the first axis counts them, as torch.stack makes it with dim=0.", unmask_sample, lambda v: v.movedim(0, 1)),
    result_slip("the states one behind the other in one axis, as torch.cat does it: torch.stack gives them an axis of their own.", unmask_sample, lambda v: v.flatten(0, 1)),
    result_slip("states as floating-point numbers: tokens are integers.", unmask_sample, lambda v: v.double()),
    Mutant(
        "a step from the last of the times, which has none behind it: n + 1 times have n steps, range(len(times) - 1).",
        lambda model, x, times, g, K: times[len(times)],
    ),
]  # fmt: skip
# Slips of a step that look in a loop as they look alone; what else can be wrong with a step, its own check tells.
OF_STEPS = [*VISIBLE[:5], *MASKS[:2], *MASKS[3:6], *SHARES[:4], *STEP_DRAWS[:9], *MODELS[:3]]

UNMASK_SAMPLE = Check(
    id="11-unmask_sample",
    points=3,
    minutes=12,
    level=2,
    reference=unmask_sample,
    inputs=inputs,
    fixed=runs,
    evaluations={"model": lambda model, x, times, *rest: len(x) * (len(times) - 1)},
    calls={"model": lambda model, x, times, *rest: range(len(times))},
    where='section 4 of this notebook ("The way back"): state k + 1 is made from state k by the step from times[k] to times[k + 1], '
    "with the noise g[k] (Sahoo et al. 2024, section 3).",
    outputs=("states",),
    path="states[{}]",
    library=("unmasking.states",),
    mutants=[*NOISE, *TIMES, *STATES, *map(of_step, OF_STEPS)],
)
