"""Masked diffusion: a coin for each token, hidden or not, and a network that guesses the hidden ones (Sahoo et al. 2024;
Shi et al. 2024). The absorbing chain of `discrete` in continuous time.

x holds tokens (B, *S), int64, in 0..K-1; K itself is the mask, and stands where a token is hidden. t runs over [0, 1]:
nothing is hidden at 0, everything at 1. A model takes no t: the coins do not look at the tokens, so what the visible tokens
say of a hidden one, p(x_0 | x_t), is the same at every t (Ou et al. 2025). Numbers are nats. Bad input raises CourseError.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .errors import CourseError, check_integer
from .noise import NoiseSource
from .shapes import append_dims, at_least_single, check_rows, per_sample, same
from .transitions import Process, absorbing

Model = Callable[[Tensor], Tensor]
"""logits(x) of x_0: x (B, *S) int64 in 0..K -> (B, *S, K). The mask has no logit, so it has no probability."""


@dataclass(frozen=True)
class MaskSchedule:
    """alpha(t): the chance that a token is still visible at t; it falls from 1 at t = 0 to 0 at t = 1.

    weight(t) = -alpha'(t) / (1 - alpha(t)): of those hidden, the share that this very moment hid, per unit of time.
    Both map float64 times to numbers of the same shape. Make your own, or take `LINEAR` or `COSINE`.
    """

    alpha: Callable[[Tensor], Tensor]
    weight: Callable[[Tensor], Tensor]


LINEAR = MaskSchedule(alpha=lambda t: 1 - t, weight=lambda t: 1 / t)
"""A share t is hidden at t, and the weight is 1/t (Austin et al. 2021, section 3; Sahoo et al. 2024)."""

COSINE = MaskSchedule(
    alpha=lambda t: 1 - torch.sin(math.pi / 2 * t), weight=lambda t: math.pi / 2 / torch.tan(math.pi / 2 * t)
)
"""alpha = 1 - cos(pi/2 (1 - t)): few tokens are shown at first, many at the end (Chang et al. 2022; Shi et al. 2024)."""


def hide(x0: Tensor, t: float | Tensor, u: Tensor, K: int, schedule: MaskSchedule = LINEAR) -> Tensor:
    """x_t, (B, *S): a token becomes the mask K where its coin u is at least alpha_t (Sahoo et al. 2024, section 3).

    x0, u: (B, *S), u uniform in [0, 1). t: a number, or (B,), in [0, 1]. One u for all t makes one path: what is hidden stays so.
    """
    x0 = _tokens("x0", x0, K - 1)
    same("x0", x0, "u", u)
    return torch.where(u < append_dims(schedule.alpha(_time(t, x0)), u), x0, K)


def coins(x: Tensor, noise: NoiseSource) -> Tensor:
    """A number uniform in [0, 1) for each token: Phi of the noise, float64, of x's shape. Draws from the noise once."""
    return torch.special.ndtr(noise.like(x.double())).clamp(max=1 - 1e-15)


def even_times(n: int, u: float) -> Tensor:
    """n times in (0, 1], one in each n-th of it, float64: each alone is uniform where u is, in [0, 1) (Kingma et al. 2021).

    A batch then has early and late times alike, and its mean loss scatters less than with n independent ones.
    """
    check_integer("n", n, 1)
    return (torch.arange(1, n + 1, dtype=torch.float64) - u) / n


def cross_entropy(model: Model, x0: Tensor, x_t: Tensor, K: int) -> Tensor:
    """-log p(x_0 | x_t) summed over the hidden tokens of each sample: (B,). Visible tokens cost nothing: they are known."""
    logits = logits_of(model, x_t, K)
    each = F.cross_entropy(at_least_single(logits).flatten(0, -2), x0.flatten(), reduction="none")
    return per_sample(torch.where(x_t == K, each.reshape(x0.shape), 0.0))


def loss(
    model: Model, x0: Tensor, t: float | Tensor, u: Tensor, K: int, schedule: MaskSchedule = LINEAR
) -> Tensor:
    """weight(t) times the cross-entropy of the tokens hidden at t: (B,) (Sahoo et al. 2024; Shi et al. 2024).

    Its mean over t uniform in (0, 1] and coins u is the bound: at least the mean of -log p(x_0), whatever the schedule.
    x0, u: (B, *S). t: a number or (B,), above 0, where the weight is infinite.
    """
    times = _time(t, x0)
    if bool((times == 0).any()):
        raise CourseError(
            "t: got 0, want times in (0, 1]: at 0 nothing is hidden, and the weight is infinite"
        )
    return schedule.weight(times).to(x0.device) * cross_entropy(model, x0, hide(x0, times, u, K, schedule), K)


def any_order_loss(model: Model, x0: Tensor, count: Tensor, u: Tensor, K: int) -> Tensor:
    """L times the mean cross-entropy of `count` hidden tokens of L: (B,) (Uria et al. 2014; Ou et al. 2025).

    count: (B,) in 1..L, and hidden are those with the largest u (B, *S). Its mean over count uniform in 1..L is the bound of `loss`:
    the next token of a random order is any of those still hidden. It scatters less, since no weight is above L.
    """
    x0, L = _tokens("x0", x0, K - 1), math.prod(x0.shape[1:])
    same("x0", x0, "u", u)
    check_rows("count", count, x0)
    rank = u.reshape(len(u), L).argsort(1, descending=True).argsort(1).reshape(u.shape)
    x_t = torch.where(rank < append_dims(count, x0), K, x0)
    return L / count.to(x0.device).double() * cross_entropy(model, x0, x_t, K)


@torch.no_grad()
def bound(model: Model, x0: Tensor, K: int, noise: NoiseSource, calls: int = 16) -> Tensor:
    """An unbiased estimate of the bound of each sample, (B,): the mean of `any_order_loss` at `calls` counts that lie evenly in 1..L."""
    check_integer("calls", calls, 1)
    L, each = math.prod(x0.shape[1:]), []
    shift = coins(x0.new_zeros(len(x0)), noise)
    for call in range(calls):
        count = ((call + shift) / calls * L).long().clamp(max=L - 1) + 1
        each.append(any_order_loss(model, x0, count, coins(x0, noise), K))
    return torch.stack(each).mean(0)


def reverse(
    x_t: Tensor, logits: Tensor, t: float | Tensor, s: float | Tensor, schedule: MaskSchedule = LINEAR
) -> Tensor:
    """p(x_s | x_t) for s < t, (B, *S, K + 1), float64 (Sahoo et al. 2024, section 3).

    A hidden token is shown with the chance (alpha_s - alpha_t) / (1 - alpha_t), as the token that `logits` (B, *S, K) make of it; a
    visible one stays what it is. Raises CourseError unless s < t.
    """
    times, earlier = _time(t, x_t), _time(s, x_t)
    if not bool((earlier < times).all()):
        raise CourseError(f"s: got {s}, want times before t = {t}: the way back goes to fewer hidden tokens")
    at_t, at_s = schedule.alpha(times), schedule.alpha(earlier)
    shown = append_dims((at_s - at_t) / (1 - at_t), logits).double()
    p = torch.cat([shown * logits.double().softmax(-1), (1 - shown).expand(*x_t.shape, 1)], -1)
    K = logits.shape[-1]
    return torch.where((x_t == K).unsqueeze(-1), p, F.one_hot(x_t, K + 1).double())


def d3pm(K: int, T: int, schedule: MaskSchedule = LINEAR) -> Process:
    """The chain of `discrete` that this process is at the times i/T, i = 1..T: absorbing, with K + 1 states.

    Its bound is this one as a sum of T steps in place of the integral, and so larger; `d3pm_model` makes its model.
    """
    check_integer("T", T, 1)
    alpha = schedule.alpha(torch.arange(T + 1, dtype=torch.float64) / T)
    return absorbing(K + 1, 1 - alpha[1:] / alpha[:-1], mask=K)


def d3pm_model(model: Model) -> Callable[[Tensor, Tensor], Tensor]:
    """The model as `discrete` calls it, with logits (B, *S, K + 1): the mask has no probability, and a visible token is sure of
    itself (Sahoo et al. 2024, section 3: SUBS)."""

    def subs(x_t: Tensor, t: Tensor) -> Tensor:
        logits = F.pad(logits_of(model, x_t).double(), (0, 1), value=-math.inf)
        K = logits.shape[-1] - 1
        return torch.where((x_t == K).unsqueeze(-1), logits, F.one_hot(x_t, K + 1).double().log())

    return subs


def logits_of(model: Model, x: Tensor, K: int | None = None) -> Tensor:
    """model(x), (B, *S, K). Raises CourseError for another shape; K: None where only the model knows."""
    logits = model(x)
    if logits.shape[:-1] != x.shape or K not in (None, logits.shape[-1]):
        want = f"({', '.join(map(str, x.shape))}, {K or 'K'})"
        raise CourseError(f"model: returned shape {tuple(logits.shape)}, want {want}")
    return logits


def _time(t: float | Tensor, x: Tensor) -> Tensor:
    t = torch.as_tensor(t, dtype=torch.float64).cpu()
    if not bool(((t >= 0) & (t <= 1)).all()):
        raise CourseError(f"t: got {t[~((t >= 0) & (t <= 1))].flatten()[0].item():g}, want times in [0, 1]")
    check_rows("t", t, x)
    return t


def _tokens(name: str, x: Tensor, last: int) -> Tensor:
    if x.is_floating_point() or x.is_complex() or x.dtype == torch.bool:
        raise CourseError(f"{name}: got dtype {x.dtype}, want integer tokens 0..{last}; see {name}.long()")
    outside = (x < 0) | (x > last)
    if x.device.type == "cpu" and bool(outside.any()):  # elsewhere a look would wait for the device
        raise CourseError(f"{name}: got token {int(x[outside][0])}, want integers in 0..{last}")
    return x.long()
