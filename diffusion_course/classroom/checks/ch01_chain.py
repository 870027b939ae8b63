"""The chain itself: all of its states from given draws, and one with a planted slip."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from .ch01_slips import after, altered, in_float32
from .data import Check, Mutant
from .inputs import LARGE_BETA, Draw


def forward_chain(x0: Tensor, betas: Tensor, noise: Tensor) -> Tensor:
    return walk(x0, betas, noise)


def right_step(x: Tensor, beta: Tensor, z: Tensor) -> Tensor:
    return (1 - beta).sqrt() * x + beta.sqrt() * z


def walk(x0: Tensor, betas: Tensor, noise: Tensor, step: Callable = right_step) -> Tensor:
    """x_0, ..., x_T, where x_t = step(x_{t-1}, beta_t, z_t)."""
    states = [x0]
    for beta, z in zip(betas, noise, strict=True):
        states.append(step(states[-1], beta, z))
    return torch.stack(states)


def draws(d: Draw, T: int, *shape: int) -> tuple[Tensor, Tensor]:
    """x_0, and z_1, ..., z_T, all far outside [-1, 1]."""
    return d.wide(*shape), d.wide(T, *shape)


def chains(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Whole schedules, of fewer steps than the chapter's to be quick, and the shortest chains."""
    for name, betas in {"linear": d.linear(100), "cosine": d.cosine(100)}.items():
        x0, noise = draws(d, len(betas), 2, 3)
        yield f"{name} schedule, 100 steps", (x0, betas, noise)
    for words, T in {"one step": 1, "two steps": 2}.items():
        x0, noise = draws(d, T, 3, 1, 2, 2)
        yield words, (x0, d.uniform(0.1, 0.9, T), noise)
    yield LARGE_BETA, (d.wide(2, 3), d.betas_with_a_large_one(), d.wide(5, 2, 3))


def slip(hint: str, step: Callable) -> Mutant:
    """A mutant with another step(x, beta_t, z_t)."""
    return Mutant(hint, partial(walk, step=step))


def numbered(hint: str, step: Callable) -> Mutant:
    """A mutant with another step(x, t, x0, betas, noise)."""

    def chain(x0: Tensor, betas: Tensor, noise: Tensor) -> Tensor:
        states = [x0]
        for t in range(1, len(betas) + 1):
            states.append(step(states[-1], t, x0, betas, noise))
        return torch.stack(states)

    return Mutant(hint, chain)


def kept(betas: Tensor) -> Tensor:
    return torch.cumprod(1 - betas, 0)


STEPS = [
    slip(
        "a variance used as a standard deviation: the noise is multiplied by sqrt(beta_t).",
        lambda x, b, z: (1 - b).sqrt() * x + b * z,
    ),
    slip(
        "a missing root on the signal: x_{t-1} is multiplied by sqrt(1 - beta_t).",
        lambda x, b, z: (1 - b) * x + b.sqrt() * z,
    ),
    slip(
        "both roots missing: the factors are sqrt(1 - beta_t) and sqrt(beta_t).",
        lambda x, b, z: (1 - b) * x + b * z,
    ),
    slip(
        "a state that is not shrunk: x_{t-1} is multiplied by sqrt(1 - beta_t).",
        lambda x, b, z: x + b.sqrt() * z,
    ),
    slip(
        "noise without a factor: it is multiplied by sqrt(beta_t).",
        lambda x, b, z: (1 - b).sqrt() * x + z,
    ),
    slip(
        "the two factors swapped: sqrt(1 - beta_t) belongs to x_{t-1}, sqrt(beta_t) to the noise.",
        lambda x, b, z: right_step(z, b, x),
    ),
    slip("a minus in front of the noise: it is added.", lambda x, b, z: right_step(x, b, -z)),
    slip(
        "noise that is shrunk with the state: sqrt(1 - beta_t) multiplies x_{t-1} alone.",
        lambda x, b, z: (1 - b).sqrt() * (x + b.sqrt() * z),
    ),
    slip(
        "1 - sqrt(beta_t): the root goes around the difference, sqrt(1 - beta_t).",
        lambda x, b, z: (1 - b.sqrt()) * x + b.sqrt() * z,
    ),
    slip("a chain without noise: add sqrt(beta_t) z_t in every step.", lambda x, b, z: (1 - b).sqrt() * x),
    *(
        slip(f"a state cut to [-{c}, {c}]: a noisy pixel may be any number.", lambda x, b, z, c=c: (
            right_step(x, b, z).clamp(-c, c)
        ))
        for c in (1, 3)
    ),
]  # fmt: skip
NUMBERED = [
    numbered(
        "alpha_bar_t in the place of alpha_t, in every step: alpha_bar_t leads from x_0, one step has 1 - beta_t and beta_t.",
        lambda x, t, x0, b, z: right_step(x, 1 - kept(b)[t - 1], z[t - 1]),
    ),
    numbered(
        "alpha_bar_t in the place of alpha_t in front of the state: one step keeps sqrt(1 - beta_t).",
        lambda x, t, x0, b, z: kept(b)[t - 1].sqrt() * x + b[t - 1].sqrt() * z[t - 1],
    ),
    numbered(
        "1 - alpha_bar_t in the place of beta_t in front of the noise: one step adds sqrt(beta_t) z_t.",
        lambda x, t, x0, b, z: (1 - b[t - 1]).sqrt() * x + (1 - kept(b)[t - 1]).sqrt() * z[t - 1],
    ),
    numbered(
        "jumps from x_0, each with its own noise: every x_t has the right law, but this is no path; step from x_{t-1}.",
        lambda x, t, x0, b, z: right_step(x0, 1 - kept(b)[t - 1], z[t - 1]),
    ),
    numbered(
        "jumps from x_0 with one noise: a chain steps from x_{t-1} and takes the noise z_t.",
        lambda x, t, x0, b, z: right_step(x0, 1 - kept(b)[t - 1], z[0]),
    ),
    numbered(
        "every step taken from x_0: keep the new state, step t begins at x_{t-1}.",
        lambda x, t, x0, b, z: right_step(x0, b[t - 1], z[t - 1]),
    ),
    numbered(
        "one noise for all steps: step t takes z_t, which is noise[t - 1].",
        lambda x, t, x0, b, z: right_step(x, b[t - 1], z[0]),
    ),
    numbered(
        "the last noise in all steps: step t takes z_t, which is noise[t - 1].",
        lambda x, t, x0, b, z: right_step(x, b[t - 1], z[-1]),
    ),
    numbered(
        "noise[t] in step t, with the last index wrapped to 0: z_t is noise[t - 1].",
        lambda x, t, x0, b, z: right_step(x, b[t - 1], z[t % len(z)]),
    ),
    numbered(
        "noise[t - 2] in step t: z_t is noise[t - 1].",
        lambda x, t, x0, b, z: right_step(x, b[t - 1], z[t - 2]),
    ),
    numbered(
        "noise read backwards: z_t is noise[t - 1].",
        lambda x, t, x0, b, z: right_step(x, b[t - 1], z[len(z) - t]),
    ),
    numbered(
        "betas[t] in step t: beta_t is betas[t - 1].",
        lambda x, t, x0, b, z: right_step(x, b[t], z[t - 1]),
    ),
    numbered(
        "betas[t] in step t, with the last index held at T - 1: beta_t is betas[t - 1].",
        lambda x, t, x0, b, z: right_step(x, b[min(t, len(b) - 1)], z[t - 1]),
    ),
    numbered(
        "betas[t - 2] in step t: beta_t is betas[t - 1].",
        lambda x, t, x0, b, z: right_step(x, b[t - 2], z[t - 1]),
    ),
    numbered(
        "betas and noise both one place off, betas[t - 2] and noise[t - 2]: step t takes betas[t - 1] and noise[t - 1].",
        lambda x, t, x0, b, z: right_step(x, b[t - 2], z[t - 2]),
    ),
    numbered(
        "betas read backwards: beta_t is betas[t - 1].",
        lambda x, t, x0, b, z: right_step(x, b[len(b) - t], z[t - 1]),
    ),
    numbered(
        "beta_1 in every step: step t takes beta_t, which is betas[t - 1].",
        lambda x, t, x0, b, z: right_step(x, b[0], z[t - 1]),
    ),
    numbered(
        "no noise in the first step: every step adds sqrt(beta_t) z_t.",
        lambda x, t, x0, b, z: right_step(x, b[t - 1], z[t - 1] * (t > 1)),
    ),
    numbered(
        "no noise in the last step: that holds on the way back, here every step adds sqrt(beta_t) z_t.",
        lambda x, t, x0, b, z: right_step(x, b[t - 1], z[t - 1] * (t < len(b))),
    ),
]
STATES = [
    after("a chain without x_0: return T + 1 states, the first is x_0.", forward_chain, lambda v: v[1:]),
    after("a chain without x_T: T steps lead to T + 1 states.", forward_chain, lambda v: v[:-1]),
    after("the last state alone: return all states, x_0 to x_T.", forward_chain, lambda v: v[-1]),
    after("the states from x_T to x_0: entry t is x_t.", forward_chain, lambda v: v.flip(0)),
    after(
        "states that are stacked behind the batch: the first axis is t, as torch.stack makes it with dim=0.",
        forward_chain,
        lambda v: v.movedim(0, 1),
    ),
    after(
        "the states one behind the other in one axis, as torch.cat does it: torch.stack gives them an axis of their own.",
        forward_chain,
        lambda v: v.flatten(0, 1),
    ),
    after(
        "one tensor that is stored T + 1 times and changed in place: make a new tensor in every step.",
        forward_chain,
        lambda v: v[-1:].expand_as(v),
    ),
    altered("an x0 cut to [-1, 1]: use it as it is.", forward_chain, x0=lambda x: x.clamp(-1, 1)),
    in_float32(forward_chain),
]

FORWARD_CHAIN = Check(
    id="01-forward_chain",
    points=4,
    minutes=20,
    level=2,
    reference=forward_chain,
    inputs=lambda d: (d.x(), d.betas(), d.normal(d.T, d.B, *d.event)),
    fixed=chains,
    where="section 4 of this notebook: one step is x_t = sqrt(1 - beta_t) x_{t-1} + sqrt(beta_t) z_t "
    "(Ho et al. 2020, eq. 2), and the states are x_0 to x_T.",
    outputs=("states",),
    path="x_{}",
    recording=False,  # nothing is trained through a chain of given noise
    mutants=[*STEPS, *NUMBERED, *STATES],
)
