"""Chains over K discrete states: the transition matrices of D3PM (Austin et al. 2021), and what follows from Bayes.

`discrete` holds the conventions, and these names too.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from .errors import CourseError, check_integer
from .noise import NoiseSource, source
from .schedules import checked_times
from .shapes import append_dims, check_rows


class Process(ABC):
    """A forward chain of T steps over K states. Make one with `uniform`, `absorbing` or `gaussian`.

    betas: (T,) float64. stationary: (K,) float64, the distribution that the chain forgets x_0 for.
    """

    def __init__(self, betas: Tensor, stationary: Tensor):
        self.betas, self.stationary = betas, stationary
        self.T, self.K = len(betas), len(stationary)

    @property
    @abstractmethod
    def Q(self) -> Tensor:
        """One-step matrices (T, K, K), float64: 0.5 GB at T = 1000, K = 256. Made at first use; `gaussian` needs them at once."""

    @property
    @abstractmethod
    def Q_bar(self) -> Tensor:
        """Cumulative matrices Q_1 ... Q_t (T, K, K), float64, made at first use."""

    # x0 is int64 states, or float64 probabilities with K at the end; t is a CPU tensor () or (B,).
    @abstractmethod
    def _marginal(self, x0: Tensor, t: Tensor) -> Tensor: ...  # x_0 Q_bar_t, with Q_bar_0 = I

    @abstractmethod
    def _column(self, x_t: Tensor, t: Tensor, one_step: bool) -> Tensor: ...  # Q_t[:, x_t] or Q_bar_t[:, x_t]

    def marginal(self, x0: Tensor, t: int | Tensor) -> Tensor:
        """q(x_t | x_0), (B, *S, K). x0: states (B, *S), or probabilities (B, *S, K) (Austin et al. 2021, eq. 3)."""
        x0 = self._clean(x0)
        return self._marginal(x0, self._time(t, x0))

    def likelihood(self, x_t: Tensor, t: int | Tensor) -> Tensor:
        """q(x_t | x_0 = k) for each k, (B, *S, K): a column of Q_bar_t, so it does not sum to one."""
        x_t = self.check("x_t", x_t)
        return self._column(x_t, self._time(t, x_t), one_step=False)

    def diffuse(self, x0: Tensor, t: int | Tensor, noise: NoiseSource) -> Tensor:
        """A draw of x_t from q(x_t | x_0) in one jump, (B, *S). Draws from the noise once."""
        return draw(self.marginal(x0, t), noise)

    def prior(self, noise: NoiseSource, *shape: int, device: torch.device | str | None = None) -> Tensor:
        """A draw of x_T from the stationary distribution, of the given shape (B, *S)."""
        return draw(self.stationary.to(device).expand(*shape, self.K), noise)

    def posterior(self, x_t: Tensor, x0: Tensor, t: int | Tensor) -> Tensor:
        """q(x_{t-1} | x_t, x_0), (B, *S, K), proportional to Q_t[:, x_t] * (x_0 Q_bar_{t-1}) (Austin et al. 2021, eq. 3).

        x0: states (B, *S), or probabilities (B, *S, K), which give the reverse step of eq. 4,
        proportional to sum_k q(x_{t-1}, x_t | x_0 = k) x0_k. At t = 1 the answer is x0 itself.
        Raises CourseError when x_t cannot come from x0 (t >= 2).
        """
        x_t, x0 = self.check("x_t", x_t), self._clean(x0)
        want = (*x_t.shape, self.K) if x0.is_floating_point() else tuple(x_t.shape)
        if tuple(x0.shape) != want:
            raise CourseError(f"x0: got shape {tuple(x0.shape)}, want {want} to match x_t {tuple(x_t.shape)}")
        times = self._time(t, x_t)
        before = self._marginal(x0, times - 1)
        joint = self._column(x_t, times, one_step=True) * before
        first = append_dims(times == 1, before)
        # 1 in the unused branch of `where` below: a division by 0 there would make its gradient NaN.
        total = torch.where(first, 1.0, joint.sum(-1, keepdim=True))
        if bool((total == 0).any()):
            raise CourseError(
                f"x_t: state {int(x_t[total[..., 0] == 0][0])} has probability 0 given its x0; draw x_t by diffuse"
            )
        return torch.where(first, before, joint / total)

    def reverse(self, x_t: Tensor, logits: Tensor, t: int | Tensor) -> Tensor:
        """p_theta(x_{t-1} | x_t), (B, *S, K), from logits of x_0 (B, *S, K) (Austin et al. 2021, eq. 4).

        The sum of eq. 4 weighs the joint q(x_{t-1}, x_t | x_0). So logits that are the true p(x_0 | x_t) do not
        give the true reverse step, unless the chain is absorbing; `as_mixture` turns them into logits that do.
        """
        # The floor keeps a step from x_t defined when the model rules out every x_0 it can come from.
        return self.posterior(x_t, logits.double().softmax(-1).clamp(min=1e-300), t)

    def check(self, name: str, x: Tensor) -> Tensor:
        """x as int64. Raises CourseError, naming it, unless it holds integers in 0..K-1."""
        x = torch.as_tensor(x)
        if x.is_floating_point() or x.is_complex() or x.dtype == torch.bool:
            raise CourseError(
                f"{name}: got dtype {x.dtype}, want integer states 0..{self.K - 1}; see x.long()"
            )
        outside = (x < 0) | (x >= self.K)
        if bool(outside.any()):
            raise CourseError(f"{name}: got state {int(x[outside][0])}, want integers in 0..{self.K - 1}")
        return x.long()

    def _clean(self, x0: Tensor) -> Tensor:
        x0 = torch.as_tensor(x0)
        if not x0.is_floating_point():
            return self.check("x0", x0)
        if x0.ndim == 0 or x0.shape[-1] != self.K:
            raise CourseError(
                f"x0: got a float {tuple(x0.shape)}, want integers or probabilities (B, *S, {self.K})"
            )
        # The bound leaves room for a softmax in bfloat16.
        if bool((x0 < 0).any()) or bool(((x0.double().sum(-1) - 1).abs() > 0.02).any()):
            raise CourseError("x0: rows are not probabilities that sum to 1; pass logits through softmax(-1)")
        return x0.double()

    def _time(self, t: int | Tensor, x: Tensor) -> Tensor:
        times = checked_times(t, len(self.betas))
        check_rows("t", times, x, one=True)
        return times.reshape(()) if times.numel() == 1 else times


class _Resampling(Process):
    """Keep the state with probability 1 - beta_t, else draw a fresh one from pi: Q_t = (1 - beta_t) I + beta_t 1 pi^T.

    Such matrices multiply in closed form, Q_bar_t = alpha_bar_t I + (1 - alpha_bar_t) 1 pi^T: O(K) for a pixel.
    """

    def __init__(self, betas: Tensor, stationary: Tensor):
        super().__init__(betas, stationary)
        log_kept = torch.cat([torch.zeros(1, dtype=torch.float64), torch.log1p(-betas).cumsum(0)])
        self._kept, self._redrawn = log_kept.exp(), -torch.expm1(log_kept)  # alpha_bar_0 .. alpha_bar_T

    @cached_property
    def Q(self) -> Tensor:
        return self._matrices(1 - self.betas, self.betas)

    @cached_property
    def Q_bar(self) -> Tensor:
        return self._matrices(self._kept[1:], self._redrawn[1:])

    def _matrices(self, kept: Tensor, redrawn: Tensor) -> Tensor:
        return (
            kept[:, None, None] * torch.eye(self.K, dtype=torch.float64)
            + redrawn[:, None, None] * self.stationary
        )

    def _marginal(self, x0: Tensor, t: Tensor) -> Tensor:
        p = x0 if x0.is_floating_point() else one_hot(x0, self.K).double()
        return append_dims(self._kept[t], p) * p + append_dims(self._redrawn[t], p) * self.stationary.to(p)

    def _column(self, x_t: Tensor, t: Tensor, one_step: bool) -> Tensor:
        p = one_hot(x_t, self.K).double()
        kept, redrawn = (
            (1 - self.betas[t - 1], self.betas[t - 1]) if one_step else (self._kept[t], self._redrawn[t])
        )
        return append_dims(kept, p) * p + append_dims(redrawn, p) * self.stationary.to(p)[x_t][..., None]


class _Dense(Process):
    """Any doubly stochastic matrices, kept as tables; a pixel gathers its row or column, one t at a time."""

    def __init__(self, betas: Tensor, Q: Tensor):
        super().__init__(betas, torch.full((Q.shape[-1],), 1 / Q.shape[-1], dtype=torch.float64))
        self._one_step = Q

    @property
    def Q(self) -> Tensor:
        return self._one_step

    @cached_property
    def Q_bar(self) -> Tensor:
        products = self.Q.clone()
        for t in range(1, self.T):
            torch.matmul(products[t - 1], self.Q[t], out=products[t])
        return products

    def _marginal(self, x0: Tensor, t: Tensor) -> Tensor:
        def push(x: Tensor, s: int) -> Tensor:
            if x.is_floating_point():
                return x if s == 0 else x @ self.Q_bar[s - 1].to(x.device)
            return one_hot(x, self.K).double() if s == 0 else self.Q_bar[s - 1].to(x.device)[x]

        return self._each(push, x0, t)

    def _column(self, x_t: Tensor, t: Tensor, one_step: bool) -> Tensor:
        table = self.Q if one_step else self.Q_bar
        return self._each(lambda x, s: table[s - 1].T.to(x.device)[x], x_t, t)

    def _each(self, gather: Callable[[Tensor, int], Tensor], x: Tensor, t: Tensor) -> Tensor:
        """gather(x, t) for the samples of each distinct t: indexing a (B, K, K) copy would cost more memory."""
        if t.ndim == 0:
            return gather(x, int(t))
        shape = x.shape if x.is_floating_point() else (*x.shape, self.K)
        out = torch.empty(shape, dtype=torch.float64, device=x.device)
        for s in t.unique().tolist():
            rows = (t == s).to(x.device)
            out[rows] = gather(x[rows], s)
        return out


def uniform(K: int, betas: Tensor) -> Process:
    """Q_t = (1 - beta_t) I + beta_t / K: with probability beta_t draw any of the K states (Austin et al. 2021, A.2.1).

    K: >= 2. betas: (T,) in (0, 1]; the paper's are `cosine_betas(T)`.
    """
    check_integer("K", K, 2)
    return _Resampling(_check_betas(betas), torch.full((K,), 1 / K, dtype=torch.float64))


def absorbing(K: int, betas: Tensor, mask: int) -> Process:
    """With probability beta_t a state becomes `mask`, and stays so (Austin et al. 2021, A.2.2).

    K: >= 2, the mask included. betas: (T,) in (0, 1]; the paper's are `absorbing_betas(T)`. mask: 0..K-1; it may be
    a value that data takes (a grey pixel, K // 2) or one of its own (a token, K - 1).
    """
    check_integer("K", K, 2)
    check_integer("mask", mask, 0, K - 1)
    return _Resampling(_check_betas(betas), one_hot(torch.tensor(int(mask)), K).double())


def gaussian(K: int, betas: Tensor, width: float = 2.0) -> Process:
    """Ordinal states move to near ones: the discretised Gaussian of Austin et al. 2021, A.2.3.

    Off the diagonal Q_t[i, j] = exp(-d^2 / beta_t) / sum_n exp(-(n width / (K-1))^2 / beta_t), with n = -(K-1)..K-1 and
    d = width |i - j| / (K-1); the diagonal takes what is left of 1. So Q_t is symmetric, and its stationary
    distribution uniform.

    K: >= 2. betas: (T,) in (0, 1]; the paper's are `schedules.linear(T)`. width: > 0, from the first state to the last
    in the units of sqrt(beta). The paper's 2 is the width of [-1, 1], so that beta means the same at every K. The
    authors' code has 510 / (K-1), the same at K = 256; for smaller K it leaves almost no transitions.
    """
    check_integer("K", K, 2)
    if not 0 < width < math.inf:
        raise CourseError(f"width: got {width}, want a number > 0")
    betas = _check_betas(betas)
    states = torch.arange(K, dtype=torch.float64)
    weights = (-((states * width / (K - 1)) ** 2) / betas[:, None]).exp()  # (T, K), by distance 0..K-1
    weights /= weights[:, :1] + 2 * weights[:, 1:].sum(1, keepdim=True)
    Q = weights[:, (states[:, None] - states).abs().long()]
    diagonal = Q.diagonal(dim1=1, dim2=2)
    diagonal.zero_().copy_(1 - Q.sum(2))
    return _Dense(betas, Q)


def draw(probabilities: Tensor, noise: NoiseSource) -> Tensor:
    """One state from each row of (B, *S, K), by inverting the cumulative sum at u = Phi(normal noise): (B, *S) int64.

    Draws from the noise once, a number a pixel. A state of probability 0 is never drawn.
    """
    cumulative = probabilities.cumsum(-1)
    # Below 1, and times the last sum, which rounding keeps from being exactly 1: else the last state could be drawn
    # though its probability is 0.
    u = torch.special.ndtr(source(noise).like(cumulative[..., 0])).clamp(max=1 - 1e-15).unsqueeze(-1)
    return torch.searchsorted(cumulative, u * cumulative[..., -1:], right=True).squeeze(-1)


def _check_betas(betas: Tensor) -> Tensor:
    betas = torch.as_tensor(betas, dtype=torch.float64).detach().cpu()
    if betas.ndim != 1 or len(betas) == 0:
        raise CourseError(f"betas: got shape {tuple(betas.shape)}, want (T,) with T >= 1")
    bad = ~((betas > 0) & (betas <= 1))
    if bool(bad.any()):
        t = int(bad.nonzero()[0]) + 1
        raise CourseError(f"betas: beta_{t} = {betas[t - 1].item():g} is not in (0, 1]")
    return betas
