"""Short sequences of which everything is known: a Markov chain of K states, with p(x_i | any visible tokens) exact (chapter 11).

    chain = EXAMPLE
    masked.bound(chain.logits, chain.draw(1000, noise), chain.K, noise)     # the exact model of masked diffusion

Sequences are (B, L), int64, in 0..K-1; K is the mask, as in `masked`. Numbers are nats, float64.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from .errors import CourseError
from .noise import NoiseSource
from .transitions import draw


@dataclass(frozen=True)
class MarkovChain:
    """x_1 ~ start (K,), and x_{i+1} ~ transition[x_i], (K, K) with rows that sum to 1, up to x_length."""

    start: Tensor
    transition: Tensor
    length: int

    @property
    def K(self) -> int:
        """The number of states."""
        return len(self.start)

    @cached_property
    def places(self) -> Tensor:
        """p(x_i = k), of every place: (length, K)."""
        rows = [self.start]
        for _ in range(self.length - 1):
            rows.append(rows[-1] @ self.transition)
        return torch.stack(rows)

    @property
    def entropy(self) -> float:
        """Of whole sequences: that of x_1, and of each step, by the chain rule."""
        steps = (self.places[:-1] @ -torch.xlogy(self.transition, self.transition).sum(1)).sum()
        return float(steps - torch.xlogy(self.start, self.start).sum())

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x), (B,)."""
        return self.start.log()[x[:, 0]] + self.transition.log()[x[:, :-1], x[:, 1:]].sum(1)

    def draw(self, n: int, noise: NoiseSource) -> Tensor:
        """n sequences, (n, length). Draws from the noise once for each place."""
        x = [draw(self.start.expand(n, self.K), noise)]
        for _ in range(self.length - 1):
            x.append(draw(self.transition[x[-1]], noise))
        return torch.stack(x, 1)

    def logits(self, x: Tensor) -> Tensor:
        """log p(x_i = k | the visible tokens of x), (B, length, K), by forward-backward (Rabiner 1989).

        x: (B, length) in 0..K. A visible token is sure of itself. Raises CourseError for visible tokens of probability 0.
        """
        device, x = x.device, x.cpu()
        seen = torch.where((x == self.K).unsqueeze(-1), 1.0, one_hot(x, self.K + 1)[..., : self.K].double())
        before, after = [self.start.expand(len(x), -1)], [torch.ones(len(x), self.K, dtype=torch.float64)]
        for i in range(self.length - 1):
            before.append(before[-1] * seen[:, i] @ self.transition)  # p(visible left of i + 1, x_{i+1})
            after.append(
                after[-1] * seen[:, -1 - i] @ self.transition.T
            )  # p(visible right of the place | it)
        joint = torch.stack(before, 1) * seen * torch.stack(after[::-1], 1)
        total = joint.sum(-1, keepdim=True)
        if bool((total == 0).any()):
            raise CourseError("x: its visible tokens have probability 0 in this chain")
        return (joint / total).log().to(device)

    @cached_property
    def joint(self) -> Tensor:
        """p(x) of all K^length sequences, in the order of `sequences(K, length)`."""
        return self.log_prob(sequences(self.K, self.length)).exp()

    @cached_property
    def hidden_entropy(self) -> Tensor:
        """h_n for n = 0..length: the mean of sum_i H(x_i | visible tokens) over the hidden places i, and over all ways to hide n places.

        It is the least that `masked.cross_entropy` can be. Of it consist, exactly: the bound, sum h_n / n = entropy; the unweighted
        loss, sum h_n / (length + 1); and the mean over a sample's hidden tokens times length, length / (length + 1) of the entropy.
        """
        L, p = self.length, self.joint.reshape((self.K,) * self.length)
        H = torch.stack([_entropy(p, visible) for visible in range(2**L)])
        g, ways = torch.zeros(L + 1, dtype=torch.float64), [math.comb(L, n) for n in range(L + 1)]
        for visible in range(2**L):
            free = [i for i in range(L) if not visible >> i & 1]
            g[len(free)] += sum(H[visible | 1 << i] - H[visible] for i in free) / ways[len(free)]
        return g

    def parallel_bound(self, T: int) -> float:
        """The bound of T parallel steps at the times i/T, for the exact model: sum_i 1/i sum_n Binomial(n; length, i/T) h_n.

        It is above the entropy by what tokens of one step do not know of each other, and falls to it as 1/T.
        """
        n = torch.arange(self.length + 1)
        total = 0.0
        for i in range(1, T + 1):
            hidden = torch.distributions.Binomial(self.length, torch.tensor(i / T, dtype=torch.float64))
            total += float((hidden.log_prob(n.double()).exp() * self.hidden_entropy).sum()) / i
        return total


def sequences(K: int, length: int) -> Tensor:
    """All K^length sequences, (K^length, length), in the order of numbers written in base K."""
    return torch.arange(K**length)[:, None] // K ** torch.arange(length - 1, -1, -1) % K


def _entropy(p: Tensor, visible: int) -> Tensor:
    """The entropy of the places whose bits are set in `visible`, of p with an axis for each place."""
    others = [i for i in range(p.ndim) if not visible >> i & 1]
    q = p.sum(others) if others else p
    return -torch.xlogy(q, q).sum()


EXAMPLE = MarkovChain(
    start=torch.tensor([0.4, 0.4, 0.2], dtype=torch.float64),
    transition=torch.tensor(
        [[0.80, 0.15, 0.05], [0.10, 0.80, 0.10], [0.20, 0.10, 0.70]], dtype=torch.float64
    ),
    length=8,
)
"""The chain of chapter 11: 3 states, 8 places, 6,561 sequences, an entropy of 5.6828 nats. It starts from its stationary law."""
