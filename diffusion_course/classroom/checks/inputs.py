"""The random inputs of a check: no two sizes in a case are equal, so that a transposition cannot hide."""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Plan:
    """What one case looks like: its dtype, its number of event axes, its batch, and which end t meets."""

    dtype: torch.dtype
    event_rank: int
    one_sample: bool = False
    edge: str = ""  # "first": one t is 1. "last": one t is T. "": every t is in 2..T-1.


PLANS = (
    Plan(torch.float64, event_rank=1),
    Plan(torch.float32, event_rank=3),
    Plan(torch.float64, event_rank=3, edge="first"),
    Plan(torch.float32, event_rank=1, edge="last"),
    Plan(torch.float64, event_rank=2, one_sample=True, edge="last"),
    Plan(torch.float32, event_rank=3, one_sample=True, edge="first"),
)


class Draw:
    """Case number `index` of a check: a source of random inputs that all fit together.

    T: number of steps, 9..14. B: batch size, 1..7. event: the event shape, of 1 to 3 axes, sizes 2..7.
    The sizes B, T, *event and those from `size()` are all different. The same arguments give the same numbers
    on every device.
    """

    def __init__(self, exercise: str, seed: int | str, index: int, device: str = "cpu"):
        plan = PLANS[index]
        self.dtype, self.edge, self.device = plan.dtype, plan.edge, device
        digest = hashlib.sha256(f"{exercise}/{seed}/{index}".encode()).digest()
        # 4 bytes: PyTorch's CPU generator uses 32 bits of a seed.
        self._generator = torch.Generator("cpu").manual_seed(int.from_bytes(digest[:4], "big"))
        self._free = (2 + torch.randperm(6, generator=self._generator, device="cpu")).tolist()
        self.T = self.integer(9, 14)
        self.B = 1 if plan.one_sample else self.size()
        self.event = tuple(self.size() for _ in range(plan.event_rank))

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

    def eps_model(self) -> nn.Module:
        """A small noise-prediction model with weights; see `ToyEps`."""
        return ToyEps(self.uniform(0.5, 1.5, 3))

    def _place(self, numbers: Tensor) -> Tensor:
        return numbers.to(self.device, self.dtype)


class ToyEps(nn.Module):
    """Stands in for a network: eps(x, t) = a sin(b x + c t), so that a wrong x or t shows in the output."""

    def __init__(self, weights: Tensor):
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """x: (B, *S), t: (B,). Raises TypeError in words for anything else: real networks need both."""
        if not isinstance(t, Tensor):
            raise TypeError(
                f"eps_model got t = {t!r}; it takes a tensor of shape ({len(x)},), one time for each sample"
            )
        if t.shape != (len(x),):
            raise TypeError(
                f"eps_model got t of shape {tuple(t.shape)}; it takes shape ({len(x)},), one for each sample"
            )
        a, b, c = self.weights
        return a * torch.sin(b * x + c * column(t, x))


def column(values: Tensor, x: Tensor) -> Tensor:
    """(B,) to (B, 1, ..., 1), to multiply x of shape (B, *S)."""
    return values.reshape(-1, *[1] * (x.ndim - 1))
