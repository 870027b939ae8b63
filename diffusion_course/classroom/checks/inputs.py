"""The inputs of a check: random cases in which no two sizes are equal, but for one, and the tables of the chapters for the fixed ones."""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from ... import schedules
from .toys import (
    ToyDecoder,
    ToyDenoiser,
    ToyDraw,
    ToyEps,
    ToyGuess,
    ToyImage,
    ToyLabelled,
    ToyLayer,
    ToyLogProb,
    ToyMet,
    ToyMixingDenoiser,
    ToyScore,
    ToyTerm,
    ToyTokens,
    ToyVelocity,
)


@dataclass(frozen=True)
class Plan:
    """What one case looks like: its dtype, its number of event axes, its batch, and which end t meets.

    square: the last axis is as long as the batch. There (B,) multiplies (B, *S) along the wrong axis without a word, where elsewhere
    it stops: an answer that reshapes only when it is stopped is wrong here alone.
    """

    dtype: torch.dtype
    event_rank: int
    one_sample: bool = False
    edge: str = ""  # "first": one t is 1. "last": one t is T. "": every t is in 2..T-1.
    square: bool = False


PLANS = (
    Plan(torch.float64, event_rank=1),
    Plan(torch.float32, event_rank=3),
    Plan(torch.float64, event_rank=3, edge="first", square=True),
    Plan(torch.float32, event_rank=1, edge="last"),
    Plan(torch.float64, event_rank=2, one_sample=True, edge="last"),
    Plan(torch.float32, event_rank=3, one_sample=True, edge="first"),
)
LARGE_BETA = "a beta of 0.9999"
# Fixed cases begin with these; their seed is not the student's.
FIXED = Plan(torch.float64, event_rank=2)


class Draw:
    """A source of inputs that all fit together: of random case number `index`, or (index None) of the fixed cases.

    T: number of steps, 9..14. B: batch size, 1..7. event: the event shape, of 1 to 3 axes, sizes 2..7.
    The sizes B, T, *event and those from `size()` are all different, but in a square case, where event ends in B. The same
    arguments give the same numbers on every device.
    """

    def __init__(self, exercise: str, seed: int | str, index: int | None, device: str = "cpu"):
        plan = FIXED if index is None else PLANS[index]
        self.dtype, self.edge, self.device = plan.dtype, plan.edge, device
        digest = hashlib.sha256(f"{exercise}/{'fixed' if index is None else seed}/{index}".encode()).digest()
        # 4 bytes: PyTorch's CPU generator uses 32 bits of a seed.
        self._generator = torch.Generator("cpu").manual_seed(int.from_bytes(digest[:4], "big"))
        self._free = (2 + torch.randperm(6, generator=self._generator, device="cpu")).tolist()
        self.T = self.integer(9, 14)
        self.B = 1 if plan.one_sample else self.size()
        self.event = (
            tuple(self.size() for _ in range(plan.event_rank - plan.square)) + (self.B,) * plan.square
        )

    def size(self) -> int:
        """One more size, 2..7, not equal to any other size of this case."""
        return self._free.pop()

    def integer(self, low: int, high: int) -> int:
        """A Python integer in low..high, both ends included."""
        return int(torch.randint(low, high + 1, (), generator=self._generator, device="cpu"))

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return self._place(torch.randn(shape, generator=self._generator, dtype=torch.float64, device="cpu"))

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Uniform numbers between low and high."""
        numbers = torch.rand(shape, generator=self._generator, dtype=torch.float64, device="cpu")
        return self._place(low + (high - low) * numbers)

    def x(self) -> Tensor:
        """Data or noise: standard normal, (B, *event)."""
        return self.normal(self.B, *self.event)

    def t(self) -> Tensor:
        """A time for each sample: (B,), int64, in 1..T."""
        t = torch.randint(2, self.T, (self.B,), generator=self._generator, device="cpu")
        if self.edge:
            t[self.integer(0, self.B - 1)] = 1 if self.edge == "first" else self.T
        return t.to(self.device)

    def step(self) -> int:
        """One time for the whole batch, a Python integer in 1..T."""
        interior = self.integer(2, self.T - 1)
        return {"": interior, "first": 1, "last": self.T}[self.edge]

    def betas(self) -> Tensor:
        """beta_1..beta_T in no order, (T,). Large enough that float32 keeps the digits of 1 - alpha_bar."""
        return self.uniform(0.02, 0.3, self.T)

    def alpha_bar(self) -> Tensor:
        """alpha_bar_1..alpha_bar_T, decreasing, (T,)."""
        return torch.cumprod(1 - self.betas(), dim=0)

    def eps_model(self) -> ToyEps:
        """A small noise-prediction model."""
        return ToyEps(self.uniform(0.5, 1.5, 3))

    def guess(self) -> ToyGuess:
        """A small denoiser guess(x_t, t)."""
        return ToyGuess(self.uniform(0.5, 1.5, 3))

    def denoiser(self) -> ToyDenoiser:
        """A small denoiser D(x, sigma)."""
        return ToyDenoiser(self.uniform(0.5, 1.5, 3))

    def mixing_denoiser(self) -> ToyMixingDenoiser:
        """A small denoiser D(x, sigma) whose pixels see their neighbours."""
        return ToyMixingDenoiser(self.uniform(0.5, 1.5, 3))

    def labelled(self) -> ToyLabelled:
        """A small denoiser with labels, model(x, sigma, y)."""
        return ToyLabelled(self.uniform(0.5, 1.5, 4))

    def log_prob(self) -> ToyLogProb:
        """A small noisy classifier, log_prob(x, sigma)."""
        return ToyLogProb(self.uniform(0.5, 1.5, 3))

    def token_model(self, K: int) -> ToyTokens:
        """A small model of tokens with K values, model(x)."""
        return ToyTokens(self.uniform(0.5, 1.5, K + 2, K))

    def tokens(self, K: int, *shape: int) -> Tensor:
        """Values of tokens, 0..K-1, int64."""
        return torch.randint(0, K, shape, generator=self._generator, device="cpu").to(self.device)

    def layer(self, n: int, m: int) -> ToyLayer:
        """A small layer, (B, *S, n) -> (B, *S, m)."""
        return ToyLayer(torch.cat([self.normal(n, m) / n**0.5, self.uniform(-1, 1, 1, m)]))

    def decoder(self) -> ToyDecoder:
        """A small decoder of latents."""
        return ToyDecoder(self.uniform(0.5, 1.5, 3))

    def term(self, n: int) -> ToyTerm:
        """A small term of a bound for n images, term(x0, t, eps)."""
        return ToyTerm(self.uniform(0.5, 1.5, 3 + n))

    def score(self) -> ToyScore:
        """A small score(x, t)."""
        return ToyScore(self.uniform(0.5, 1.5, 3))

    def velocity(self) -> ToyVelocity:
        """A small velocity model(z, t)."""
        return ToyVelocity(self.uniform(0.5, 1.5, 3))

    def image(self, features: int) -> ToyImage:
        """A small image encoder, image(x0) -> (B, features)."""
        return ToyImage(self.uniform(0.5, 1.5, features, 3))

    def drawn(self) -> tuple[ToyDraw, ToyMet]:
        """A sampler that is told captions by number, and what measures its images."""
        return ToyDraw(self.uniform(0.5, 1.5, 3)), ToyMet(self.uniform(0.5, 1.5, 3))

    # ---- for the fixed cases: what the chapters use

    def schedules(self) -> dict[str, Tensor]:
        """The two schedules of the chapters by name: beta_1..beta_1000."""
        return {"linear schedule, 1000 steps": self.linear(), "cosine schedule, 1000 steps": self.cosine()}

    def linear(self, T: int = 1000) -> Tensor:
        """beta_1..beta_T of the linear schedule."""
        return self._place(schedules.linear(T))

    def cosine(self, T: int = 1000) -> Tensor:
        """beta_1..beta_T of the cosine schedule: alpha_bar ends at 2.4e-9."""
        return self._place(schedules.cosine(T))

    def betas_with_a_large_one(self) -> Tensor:
        """Five betas, the third 0.9999: a table that holds it is as good as another."""
        return self._place(torch.tensor([0.1, 0.02, 0.9999, 0.2, 0.3], dtype=torch.float64))

    def times(self, T: int = 1000) -> Tensor:
        """The times at which slips show, 1, 2, 3, T/2, T - 1, T, in no order."""
        return torch.tensor([T // 2, T, 2, 1, T - 1, 3], device=self.device)

    def ladder(self, low: float, high: float, n: int) -> Tensor:
        """n numbers from low to high, evenly spaced, both included."""
        return self._place(torch.linspace(low, high, n, dtype=torch.float64))

    def shuffled(self, numbers: Tensor) -> Tensor:
        """The entries in no order."""
        order = torch.randperm(len(numbers), generator=self._generator, device="cpu")
        return numbers[order.to(numbers.device)]

    def wide(self, *shape: int) -> Tensor:
        """Data far outside [-1, 1]: normal numbers times 10."""
        return 10 * self.normal(*shape)

    def _place(self, numbers: Tensor) -> Tensor:
        return numbers.to(self.device, self.dtype)


def column(values: Tensor, x: Tensor) -> Tensor:
    """(B,) to (B, 1, ..., 1), to multiply x of shape (B, *S)."""
    return values.reshape(-1, *[1] * (x.ndim - 1))
