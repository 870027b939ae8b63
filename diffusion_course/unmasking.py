"""Sampling from a masked diffusion model: steps that show hidden tokens, and the loop that takes them (conventions: `masked`).

    x = hidden(4, 128, K=model.states)
    text = sample(parallel_step(), model, x, even_grid(32), Noise(0))

A step only ever looks at hidden tokens. So infilling needs no code of its own: start from an x whose other tokens are given.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from .errors import CourseError, check_integer
from .masked import LINEAR, MaskSchedule, Model, logits_of, reverse
from .noise import NoiseSource, source
from .transitions import draw

Step = Callable[[Model, Tensor, float, float, NoiseSource], Tensor]
"""(model, x_t, t, s, noise) -> x_s: one call of the model, from t to an earlier s. At s = 0 nothing is hidden any more."""

Order = Callable[[Tensor, Tensor, NoiseSource], Tensor]
"""(probabilities (B, L, K), tokens drawn from them (B, L), noise) -> (B, L): of the hidden tokens, the largest are shown first."""


def hidden(*shape: int, K: int, device: torch.device | str | None = None) -> Tensor:
    """The start of every sample: the mask K everywhere, int64."""
    return torch.full(shape, K, device=device)


def even_grid(num_steps: int) -> list[float]:
    """num_steps + 1 times from 1 to 0."""
    check_integer("num_steps", num_steps, 1)
    return [1 - i / num_steps for i in range(num_steps + 1)]


def parallel_step(schedule: MaskSchedule = LINEAR) -> Step:
    """Each hidden token is shown or not by a coin of its own, all at once (Sahoo et al. 2024, section 3).

    Tokens shown in one step do not know of each other: that is the price of fewer steps. Draws from the noise once.
    """

    def step(model: Model, x: Tensor, t: float, s: float, noise: NoiseSource) -> Tensor:
        return draw(reverse(x, _checked(model, x), t, s, schedule), noise)

    return step


def ordered_step(order: Order) -> Step:
    """Draw a token for every hidden place, and show those that come first in `order`, so many that a share s/t stays hidden.

    With `even_grid(n)` for n hidden tokens that is one a step. Draws from the noise once, and then what `order` draws.
    """

    def step(model: Model, x: Tensor, t: float, s: float, noise: NoiseSource) -> Tensor:
        logits, L = _checked(model, x), math.prod(x.shape[1:])
        p = logits.reshape(len(x), L, logits.shape[-1]).double().softmax(-1)
        tokens = draw(p, noise)
        return show(x.reshape(len(x), L), tokens, order(p, tokens, noise), p.shape[-1], s / t).reshape(
            x.shape
        )

    return step


def show(x: Tensor, tokens: Tensor, priority: Tensor, K: int, share_left: float) -> Tensor:
    """x with the hidden tokens of the highest priority shown; all (B, L). share_left: of the hidden ones, how many stay so."""
    masked = x == K
    count = masked.sum(1, keepdim=True)
    shown = count - (count * share_left).round()
    rank = (
        torch.where(masked, priority.double(), -torch.inf)
        .argsort(dim=1, descending=True, stable=True)
        .argsort(1)
    )
    return torch.where(masked & (rank < shown), tokens, x)


def random_order(p: Tensor, tokens: Tensor, noise: NoiseSource) -> Tensor:
    """Any hidden token as likely as the others: what the model was trained on."""
    return noise.like(p[..., 0])


def left_to_right(p: Tensor, tokens: Tensor, noise: NoiseSource) -> Tensor:
    """As an autoregressive model writes; of pictures, row by row."""
    return -torch.arange(p.shape[1], device=p.device).expand(tokens.shape)


def most_certain(p: Tensor, tokens: Tensor, noise: NoiseSource) -> Tensor:
    """The place whose likeliest token is most probable. It does not look at what was drawn, so one token a step loses nothing."""
    return p.amax(-1)


def most_confident(p: Tensor, tokens: Tensor, noise: NoiseSource) -> Tensor:
    """The place whose drawn token is most probable (Chang et al. 2022). It keeps likely draws and rejects
    unlikely ones, so even one token a step loses variety."""
    return p.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


@torch.no_grad()
def states(
    step: Step,
    model: Model,
    x: Tensor,
    times: Iterable[float],
    noise: NoiseSource,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Iterator[Tensor]:
    """Yield x, and then what each step makes of it, (B, *S). One call of the model a step.

    x: int64; K where a token is to be drawn, `hidden` for all of them. times: falling from at most 1 to 0, see `even_grid`.
    progress: wraps the list of steps, e.g. tqdm.
    """
    grid = [float(t) for t in times]
    falls = len(grid) > 1 and all(0 <= s < t <= 1 for t, s in pairwise(grid)) and grid[-1] == 0
    if not falls:
        raise CourseError(f"times: got {grid[:5]}, want at least two, falling from at most 1 to 0")
    if x.dtype != torch.int64:
        raise CourseError(f"x: got dtype {x.dtype}, want int64 tokens, the mask where one is to be drawn")
    noise = source(noise)
    yield x
    for t, s in progress(list(pairwise(grid))):
        x = step(model, x, t, s, noise)
        yield x


def sample(
    step: Step,
    model: Model,
    x: Tensor,
    times: Iterable[float],
    noise: NoiseSource,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Tensor:
    """The last of `states`, which see for the arguments: (B, *S), with no token hidden."""
    for state in states(step, model, x, times, noise, progress):
        last = state
    return last


def _checked(model: Model, x: Tensor) -> Tensor:
    logits = logits_of(model, x)
    if bool(logits.isnan().any()):
        raise CourseError("sampling: NaN in the model's logits")
    return logits
