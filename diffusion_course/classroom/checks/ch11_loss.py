"""The loss of masked diffusion: the cross-entropy of the hidden tokens, with the weight 1 / t."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from .data import Check, Mutant
from .inputs import Draw, column
from .slips import argument_slip, result_slip


def masked_loss(model: Callable, x0: Tensor, t: Tensor, u: Tensor, K: int) -> Tensor:
    return built(model, x0, t, u, K)


def visible(u: Tensor, t: Tensor) -> Tensor:
    return u < 1 - t


def nats(logits: Tensor, x0: Tensor, x_t: Tensor, K: int) -> Tensor:
    """-log p(x_0 | x_t) of each token."""
    return -logits.log_softmax(-1).gather(-1, x0.unsqueeze(-1)).squeeze(-1)


def built(
    model: Callable,
    x0: Tensor,
    t: Tensor,
    u: Tensor,
    K: int,
    kept: Callable = visible,
    mask: Callable = lambda K: K,
    see: Callable = lambda x_t, x0: x_t,
    each: Callable = nats,
    counted: Callable = lambda hidden: hidden,
    weight: Callable = lambda t, hidden: 1 / t,
    reduce: Callable = lambda each, w: each.flatten(1).sum(1) * w,
) -> Tensor:
    """The loss in parts. kept: which tokens stay visible; mask: what the others become; see: what the model is shown; each: the loss of a
    token; counted: the tokens whose loss counts; weight: of a sample; reduce: to one number a sample."""
    hidden = ~kept(u, column(t, x0))
    x_t = torch.where(hidden, mask(K), x0)
    loss = each(model(see(x_t, x0)), x0, x_t, K)
    return reduce(torch.where(counted(hidden), loss, 0), weight(t, hidden.flatten(1).to(t)))


def slip(hint: str, **parts: Any) -> Mutant:
    return Mutant(hint, partial(built, **parts))


def inputs(d: Draw) -> tuple:
    """A time for each sample, all different; at "last" one is 1, where all is hidden."""
    K = d.size()
    t = d.uniform(0.3, 0.9, d.B)
    if d.edge == "last":
        t[d.integer(0, d.B - 1)] = 1
    return d.token_model(K), d.tokens(K, d.B, *d.event), t, d.uniform(0, 1, d.B, *d.event), K


def edges(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Early and late times, coins at the edge of being hidden, few values and many, pictures, one sample."""

    def case(t: list[float], K: int, u: Tensor | None = None, *shape: int) -> tuple:
        times = torch.tensor(t, dtype=d.dtype, device=d.device)
        coins = d.uniform(0, 1, len(t), *(shape or (12,))) if u is None else u
        return d.token_model(K), d.tokens(K, *coins.shape), times, coins, K

    yield "times from 0.01 to 1", case([0.01, 0.1, 0.25, 0.5, 0.9, 1.0], 3)
    yield "every t is 1", case([1.0, 1.0, 1.0], 3)
    yield "38 letters", case([0.3, 0.7, 0.9], 38, None, 20)
    yield "digits of 4 x 4", case([0.3, 0.7, 0.9, 0.5], 8, None, 4, 4)
    yield "two values", case([0.2, 0.8], 2)
    yield "one sample", case([0.6], 4)
    gaps = [g * sign for g in (1e-3, 5e-4, 3e-5, 1e-8, 2e-9) for sign in (-1, 1)]
    close = torch.tensor([0.7 + gap for gap in gaps], dtype=d.dtype, device=d.device)
    yield "coins close to 1 - t", case([0.3, 0.3], 3, torch.stack([close, close.flip(0)]))
    ties = torch.tensor([[0.75, 0.5, 0.0, 0.25], [0.25, 0.5, 0.75, 0.125]], dtype=d.dtype, device=d.device)
    yield "coins equal to 1 - t", case([0.25, 0.5], 3, ties)
    early = torch.tensor([[0.9995, 0.5, 0.9, 0.99], [0.2, 0.4, 0.6, 0.8]], dtype=d.dtype, device=d.device)
    late = torch.tensor(
        [[0.0005, 0.004, 0.006, 0.5], [1e-5, 2e-4, 3e-3, 0.0]], dtype=d.dtype, device=d.device
    )
    yield "t near 1, few tokens visible", case([0.995, 0.9999], 3, late)
    yield "t = 0.001, one token hidden and none", case([1e-3, 1e-3], 3, early)


def by_rank(u: Tensor, t: Tensor) -> Tensor:
    """All visible but a share t, rounded to whole tokens, with the largest coins."""
    rank = u.flatten(1).argsort(1, descending=True).argsort(1)
    return (rank >= (t.reshape(-1, 1) * rank.shape[1]).round()).reshape(u.shape)


COUNTED_WRONG = [
    slip("the loss of the visible tokens: those are known, and cost nothing; sum over the hidden ones.", counted=lambda h: ~h),
    slip("the loss of all tokens: only the hidden ones are guessed; the visible ones are known.", counted=torch.ones_like),
    slip(
        "the loss of all tokens, and a model that is shown x0 itself: it is shown x_t, and only the hidden tokens count.",
        counted=torch.ones_like, see=lambda x_t, x0: x0,
    ),
    slip("a model that is shown x0 itself, with nothing hidden: it is shown x_t.", see=lambda x_t, x0: x0),
    slip("x_t guessed in the place of x0: the loss is -log p of the token that was hidden.", each=lambda l, x0, x, K: nats(l, x.clamp(max=K - 1), x, K)),
]  # fmt: skip
WEIGHTS = [
    slip("no weight: the sum over the hidden tokens is divided by t.", weight=lambda t, h: torch.ones_like(t)),
    slip("the weight t: it is 1 / t.", weight=lambda t, h: t),
    slip("the mean over the hidden tokens: it is their sum, times 1 / t. (A mean hides how many were guessed, and is no bound.)", weight=lambda t, h: 1 / h.sum(1).clamp(min=1)),
    slip("the mean over the hidden tokens where none is hidden too, 0 / 0: it is their sum, times 1 / t.", weight=lambda t, h: 1 / h.sum(1)),
    slip("the mean over the hidden tokens, and the weight 1 / t beside it: it is their sum, times 1 / t.", weight=lambda t, h: 1 / t / h.sum(1).clamp(min=1)),
    slip("the weight L / n of n hidden tokens, one over the share that is hidden, as for a fixed number of them: here it is 1 / t.", weight=lambda t, h: h.shape[1] / h.sum(1).clamp(min=1)),
    slip("the weight 1 / (1 - t): it is -alpha'(t) / (1 - alpha(t)) = 1 / t.", weight=lambda t, h: 1 / (1 - t)),
    slip("the weight 1 / t^2: it is 1 / t.", weight=lambda t, h: t**-2),
    slip("the weight 1 / sqrt(t): it is 1 / t.", weight=lambda t, h: t**-0.5),
    slip("the weight of the batch's mean time: every sample has its own t.", weight=lambda t, h: 1 / t.mean().expand_as(t)),
    slip("the batch's mean weight: every sample has its own t.", weight=lambda t, h: (1 / t).mean().expand_as(t)),
    slip("the first sample's weight for all: every sample has its own t.", weight=lambda t, h: 1 / t[:1].expand_as(t)),
    slip("a loss below 0, by a minus too many or too few: it is -log p, above 0, times 1 / t, above 0, since alpha' is below 0 and has a minus before it.", weight=lambda t, h: -1 / t),
    *(slip(f"{c:g} added to t in the weight: t is above 0, divide by t itself.", weight=lambda t, h, c=c: 1 / (t + c)) for c in (1e-3, 1e-4, 1e-5, 1e-6, 1e-8)),
    *(slip(f"a weight of at most {c}, or t of at least {1 / c:g}: at small t it is larger.", weight=lambda t, h, c=c: (1 / t).clamp(max=c)) for c in (10, 20, 50, 100)),
]  # fmt: skip
COINS = [
    slip("tokens visible where u < t, so that a share 1 - t is hidden, apart from the weight's t: they are visible where u < 1 - t.", kept=lambda u, t: u < t),
    slip("tokens hidden where u < 1 - t: there they are visible, and the others are hidden.", kept=lambda u, t: u >= 1 - t),
    slip("exactly round(t L) tokens hidden, those with the largest coins: each token has its own chance, and is visible where u < 1 - t.", kept=by_rank),
    slip("a coin of its own for which tokens are visible, u > t: the share is right, but these are other tokens; visible is u < 1 - t.", kept=lambda u, t: u > t),
    slip("u <= 1 - t: a coin equal to alpha(t) = 1 - t hides its token.", kept=lambda u, t: u <= 1 - t),
    slip("half of the tokens hidden whatever t is: the share that is hidden and the weight belong to the same t.", kept=lambda u, t: u < 0.5),
    slip("15 % of the tokens hidden whatever t is, as BERT does it: the share that is hidden and the weight belong to the same t.", kept=lambda u, t: u < 0.85),
    slip("tokens hidden by the t of another sample: the share that is hidden and the weight belong to the same t.", kept=lambda u, t: u < 1 - t.roll(1, 0)),
    slip("tokens hidden by the batch's mean time: the share that is hidden and the weight belong to the same t.", kept=lambda u, t: u < 1 - t.mean()),
    slip("tokens hidden by the first sample's t: the share that is hidden and the weight belong to the same t.", kept=lambda u, t: u < 1 - t[:1]),
    slip("one coin for a whole sample, the first: every token has its own.", kept=lambda u, t: u.flatten(1)[:, 0].reshape(t.shape).expand_as(u) < 1 - t),
    slip("one coin for a whole sample, the mean: every token has its own.", kept=lambda u, t: u.flatten(1).mean(1).reshape(t.shape).expand_as(u) < 1 - t),
    slip("the first sample's coins for the whole batch: every token has its own.", kept=lambda u, t: u[:1] < 1 - t + 0 * u),
    slip("tokens visible where u < (1 - t)^2: alpha(t) = 1 - t.", kept=lambda u, t: u < (1 - t) ** 2),
    slip("tokens visible where u < sqrt(1 - t): alpha(t) = 1 - t, a probability and no amplitude.", kept=lambda u, t: u < (1 - t).clamp(min=0).sqrt()),
    slip("tokens visible where u < cos(pi t / 2), another schedule: here alpha(t) = 1 - t.", kept=lambda u, t: u < torch.cos(math.pi / 2 * t)),
    slip("all tokens hidden whatever t is: token i is visible where u < 1 - t.", kept=lambda u, t: torch.zeros_like(u, dtype=torch.bool)),
    slip("the mask K - 1, a value that tokens have: the mask is K.", mask=lambda K: K - 1),
    slip("the mask 0, a value that tokens have: the mask is K.", mask=lambda K: 0),
    slip("the mask -1: the mask is K.", mask=lambda K: -1),
    slip("the mask K + 1: the values are 0..K-1, and the mask is K.", mask=lambda K: K + 1),
]  # fmt: skip
LOGS = [
    slip("the logit itself in the place of log p: log_softmax(-1) makes logarithms of probabilities.", each=lambda l, x0, x, K: -l.gather(-1, x0.unsqueeze(-1)).squeeze(-1)),
    slip("p in the place of -log p.", each=lambda l, x0, x, K: (-nats(l, x0, x, K)).exp()),
    slip("1 - p in the place of -log p.", each=lambda l, x0, x, K: 1 - (-nats(l, x0, x, K)).exp()),
    slip("bits: the logarithm is the natural one, in nats.", each=lambda l, x0, x, K: nats(l, x0, x, K) / math.log(2)),
    slip("a softmax twice: cross_entropy takes logits, and so does log_softmax.", each=lambda l, x0, x, K: nats(l.softmax(-1), x0, x, K)),
    slip("a softmax over the batch: it is over the last axis, the K values.", each=lambda l, x0, x, K: -l.log_softmax(0).gather(-1, x0.unsqueeze(-1)).squeeze(-1)),
    slip("a softmax over the first axis of a sample: it is over the last axis, the K values.", each=lambda l, x0, x, K: -l.log_softmax(1).gather(-1, x0.unsqueeze(-1)).squeeze(-1)),
    *(slip(f"{c:g} added inside the logarithm: log_softmax(-1) needs none.", each=lambda l, x0, x, K, c=c: -(l.softmax(-1) + c).log().gather(-1, x0.unsqueeze(-1)).squeeze(-1)) for c in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)),
    slip("a squared error of the probabilities in the place of -log p(x0).", each=lambda l, x0, x, K: (l.softmax(-1) - one_hot(x0, K)).square().sum(-1)),
    slip("the entropy of p in the place of -log p(x0).", each=lambda l, x0, x, K: -(l.softmax(-1) * l.log_softmax(-1)).sum(-1)),
    slip("the likeliest token's -log p: it is that of x0.", each=lambda l, x0, x, K: -l.log_softmax(-1).amax(-1)),
]  # fmt: skip
REDUCED = [
    slip("the mean over all tokens: it is the sum over the hidden ones, times 1 / t.", reduce=lambda e, w: e.flatten(1).mean(1) * w),
    slip("the mean over the batch: return a loss for each sample, (B,).", reduce=lambda e, w: (e.flatten(1).sum(1) * w).mean()),
    slip("the sum over the batch: return a loss for each sample, (B,).", reduce=lambda e, w: (e.flatten(1).sum(1) * w).sum()),
    slip("a mean over batch and tokens: return a loss for each sample, (B,), the sum over its hidden tokens.", reduce=lambda e, w: (e * column(w, e)).mean()),
    slip("a loss for each token: sum over them, a number for each sample.", reduce=lambda e, w: e * column(w, e)),
    slip("the sum over the batch, too, divided by each sample's t: sum over the tokens of each sample.", reduce=lambda e, w: e.sum() * w),
    slip("the sum over the last axis alone: sum over all axes but the batch.", reduce=lambda e, w: e.sum(-1) * w.reshape(-1, *[1] * (e.ndim - 2))),
    slip("the sum over the last axis, which are all tokens of letters alone: sum over all axes but the batch.", reduce=lambda e, w: e.sum(-1) * w),
    slip("the sum over axis 1, which are all tokens of letters alone: sum over all axes but the batch.", reduce=lambda e, w: e.sum(1) * w),
    slip("the mean over axis 1, which are all tokens of letters alone: it is the sum, over all axes but the batch.", reduce=lambda e, w: e.mean(1) * w),
    slip("a sum over the batch, for each place: sum over the tokens of each sample.", reduce=lambda e, w: (e * column(w, e)).sum(0)),
    slip("a result of shape (B, 1): it is (B,).", reduce=lambda e, w: (e.flatten(1).sum(1) * w)[:, None]),
    argument_slip("the first sample's t for all: every sample has its own.", masked_loss, "t", lambda t: t[:1].expand_as(t)),
    argument_slip("the batch's mean time for all: every sample has its own t.", masked_loss, "t", lambda t: t.mean().expand_as(t)),
    result_slip("a .squeeze(): it removes the batch axis of a single sample too.", masked_loss, lambda loss: loss.squeeze()),
    result_slip("a loss in float32, as .float() makes it: keep the dtype of the inputs.", masked_loss, lambda loss: loss.float().to(loss)),
]  # fmt: skip
TWO = [
    slip("two mistakes: no weight, and the mean over all tokens.", weight=lambda t, h: torch.ones_like(t), reduce=lambda e, w: e.flatten(1).mean(1) * w),
    slip("two mistakes: the visible tokens are counted, and there is no weight.", counted=lambda h: ~h, weight=lambda t, h: torch.ones_like(t)),
    slip("two mistakes: a share 1 - t is hidden, and there is no weight.", kept=lambda u, t: u < t, weight=lambda t, h: torch.ones_like(t)),
    slip("two mistakes: a share 1 - t is hidden, and the weight is 1 / (1 - t); t = 1 hides all.", kept=lambda u, t: u < t, weight=lambda t, h: 1 / (1 - t)),
    slip("two mistakes: all tokens are counted, and there is no weight.", counted=torch.ones_like, weight=lambda t, h: torch.ones_like(t)),
    slip("two mistakes: the visible tokens are counted, and their mean is taken.", counted=lambda h: ~h, weight=lambda t, h: 1 / (1 - h).sum(1).clamp(min=1)),
]  # fmt: skip

MASKED_LOSS = Check(
    id="11-masked_loss",
    points=3,
    minutes=12,
    level=1,
    reference=masked_loss,
    inputs=inputs,
    fixed=edges,
    grad=("model",),
    same_dtype=True,
    evaluations={"model": lambda model, x0, *rest: len(x0)},
    calls={"model": lambda *args: 1},
    where='section 2 of this notebook ("The bound, and its weight"): 1 / t times the sum of -log p(x_0 | x_t) over the hidden tokens, with '
    "alpha(t) = 1 - t (Sahoo et al. 2024, section 3).",
    outputs=("loss",),
    library=("masked.loss",),
    mutants=[*COUNTED_WRONG, *WEIGHTS, *COINS, *LOGS, *REDUCED, *TWO],
)
