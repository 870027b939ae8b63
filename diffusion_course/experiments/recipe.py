"""The knobs of a training run, and the learning rate that they give."""

import math
from dataclasses import dataclass

from ..errors import check_integer, check_known, check_number

OPTIMIZERS = ("adamw", "muon")
LIMITS = {"steps": (1, 10**9), "batch_size": (1, 2**16), "warmup": (0, 10**9), "seed": (0, 2**32 - 1)}


@dataclass(frozen=True)
class Recipe:
    """The knobs of a run. The learning rate warms up linearly, stays, and over the last share `decay` of the steps falls to 0
    along a cosine.

    decay: in 0..1, above 0; 1 falls from the start. With less, runs of several lengths have the same steps until the shortest begins
    to fall. Each is a run of its own, from its start: a checkpoint goes on only with the steps it was begun with.
    optimizer: "adamw" or "muon", see `optimizers`.
    """

    steps: int
    batch_size: int = 128
    lr: float = 2e-3
    warmup: int = 50
    decay: float = 1.0
    weight_decay: float = 0.0
    clip: float = 1.0
    ema: float = 0.999
    seed: int = 0
    optimizer: str = "adamw"

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            check_integer(name, value, low)
            check_integer(name, value, low, high)
        check_number("lr", self.lr, lambda v: 0 < v <= 100, "above 0, up to 100")
        check_number("decay", self.decay, lambda v: 0 < v <= 1, "in 0..1, above 0")
        check_number("clip", self.clip, lambda v: v > 0, "> 0")
        # A step takes lr * weight_decay of a weight away in each step.
        check_number("weight_decay", self.weight_decay, lambda v: 0 <= v <= 1 / self.lr, "in 0..1 / lr")
        check_known("optimizer", self.optimizer, OPTIMIZERS)
        check_number("ema", self.ema, lambda v: 0 <= v < 1, "in 0..1, below 1")

    def lr_at(self, step: int) -> float:
        """Learning rate of step 0..steps-1."""
        warm = min(1.0, (step + 1) / (self.warmup + 1))
        left = min(1.0, (self.steps - step) / (self.steps * self.decay))  # of the fall
        return self.lr * warm * 0.5 * (1 - math.cos(math.pi * left))
