"""The law of what an unmasking sampler makes, exactly: P(sample = x) for all K^L sequences, by running it on every state at once.

For a model small enough: (K + 1)^L states, 65,536 for the chain of chapter 11. A state is a sequence (L,) in 0..K, where K is the mask,
and its number is what it reads as in base K + 1. Laws are float64.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from .markov_chain import sequences
from .masked import LINEAR, MaskSchedule, Model, logits_of, reverse
from .noise import Noise
from .unmasking import Order, show


@torch.no_grad()
def parallel_law(
    model: Model, K: int, L: int, times: Iterable[float], schedule: MaskSchedule = LINEAR
) -> Tensor:
    """Of `unmasking.parallel_step(schedule)`: (K^L,), in the order of `sequences(K, L)`."""
    x = sequences(K + 1, L)
    logits, law = logits_of(model, x), _start(K, L)
    for t, s in pairwise(times):
        q, after = reverse(x, logits, t, s, schedule), torch.zeros_like(law)
        for rows, masked in _by_hidden_places(x, law, K):
            weights = law[rows, None]
            for i in masked:
                weights = (weights[:, :, None] * q[rows, i][:, None]).flatten(1)
            moved = (sequences(K + 1, len(masked)) - K) @ _digits(K, L)[masked]
            after.index_add_(0, (rows[:, None] + moved).flatten(), weights.flatten())
        law = after
    return _shown(law, K, L)


@torch.no_grad()
def ordered_law(model: Model, K: int, L: int, order: Order, times: Iterable[float]) -> Tensor:
    """Of `unmasking.ordered_step(order)`, for an order that draws nothing: (K^L,), in the order of `sequences(K, L)`."""
    x = sequences(K + 1, L)
    p, law = logits_of(model, x).double().softmax(-1), _start(K, L)
    for t, s in pairwise(times):
        after = torch.zeros_like(law)
        for rows, masked in _by_hidden_places(x, law, K):
            drawn = sequences(K, len(masked))  # all that can be drawn at the hidden places
            n, m = len(rows), len(drawn)
            tokens = x[rows].repeat_interleave(m, 0)
            tokens[:, masked] = drawn.repeat(n, 1)
            each = p[rows][:, masked].repeat_interleave(m, 0)
            weights = each.gather(-1, tokens[:, masked, None]).squeeze(-1).prod(1)
            q, now = p[rows].repeat_interleave(m, 0), x[rows].repeat_interleave(m, 0)
            priority = order(q, tokens.clamp(max=K - 1), Noise())
            then = show(now, tokens, priority, K, s / t)
            after.index_add_(0, then @ _digits(K, L), law[rows].repeat_interleave(m) * weights)
        law = after
    return _shown(law, K, L)


def entropy(law: Tensor) -> float:
    """-sum p log p, in nats."""
    return float(-torch.xlogy(law, law).sum())


def kl(p: Tensor, q: Tensor) -> float:
    """KL(p || q), in nats; infinite where q has no mass and p has."""
    return float((torch.xlogy(p, p) - torch.xlogy(p, q)).sum())


def _digits(K: int, L: int) -> Tensor:
    """What a 1 at each place is worth in base K + 1: (L,)."""
    return (K + 1) ** torch.arange(L - 1, -1, -1)


def _start(K: int, L: int) -> Tensor:
    """All mass on the state in which every token is hidden, the last."""
    law = torch.zeros((K + 1) ** L, dtype=torch.float64)
    law[-1] = 1
    return law


def _by_hidden_places(x: Tensor, law: Tensor, K: int) -> Iterator[tuple[Tensor, list[int]]]:
    """(numbers of the states (n,), their hidden places), of the states that have any mass: 2^L groups at most."""
    masked = x == K
    group = (masked * 2 ** torch.arange(x.shape[1])).sum(1)
    for one in group[law > 0].unique().tolist():
        rows = ((group == one) & (law > 0)).nonzero()[:, 0]
        yield rows, masked[rows[0]].nonzero()[:, 0].tolist()


def _shown(law: Tensor, K: int, L: int) -> Tensor:
    return law[sequences(K, L) @ _digits(K, L)]
