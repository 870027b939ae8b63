"""A batch in pieces: memory holds the activations of one, and the gradients of all add up to the whole batch's.

All that is random in a step follows from its seed and is drawn for the whole batch, on the CPU. So it does not matter in which
pieces a batch is computed, and in which of several processes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Generator, Tensor, nn

from ..errors import CourseError, check_integer
from ..noise import mix
from .batches import Batches

Loss = Callable[[nn.Module, Tensor, Tensor, Generator], Tensor]
"""(network, images (B, C, H, W), labels (B,), generator) -> scalar to minimise. Draws come from the generator."""


@runtime_checkable
class Split(Protocol):
    """A loss whose draws stand apart, see `objectives.Objective`: in pieces it draws what it draws for the whole batch."""

    draw: Callable[[nn.Module, torch.Size, Tensor, Generator], tuple[Tensor | None, ...]]
    value: Callable[..., Tensor]


def splits(loss: Loss | None) -> bool:
    """Whether a loss may be computed in pieces: any that does not say otherwise, see `objectives.Objective`."""
    return bool(getattr(loss, "splits", loss is not None))


@dataclass(frozen=True)
class Batch:
    """Rows of a data set, (B,) int64, and what a loss has drawn for them, each (B, ...) or None; on the CPU.

    seed: of what layers draw, such as dropout. generator: for a loss that draws by itself.
    """

    rows: Tensor
    drawn: tuple[Tensor | None, ...]
    seed: int
    generator: Generator

    @classmethod
    def of(
        cls, loss: Loss | None, net: nn.Module, data: Batches, rows: Tensor, seed: int, generator: Generator
    ) -> "Batch":
        """The batch of these rows of the data, with what the loss draws for it from the generator."""
        drawn: tuple[Tensor | None, ...] = ()
        if isinstance(loss, Split):
            drawn = loss.draw(net, torch.Size([len(rows), *data.shape]), data.labels[rows], generator)
        return cls(rows, drawn, seed, generator)

    def __len__(self) -> int:
        return len(self.rows)

    def piece(self, low: int, high: int) -> "Batch":
        """Rows low..high - 1: the same rows, and draws of the loss; layers, and a loss that draws by itself, draw others."""
        drawn = tuple(one if one is None else one[low:high] for one in self.drawn)
        if low == 0:
            return Batch(self.rows[:high], drawn, self.seed, self.generator)
        seed = mix(self.seed + low)
        return Batch(self.rows[low:high], drawn, seed, Generator().manual_seed(seed))

    def value(self, loss: Loss, net: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """The loss of the batch, (), whose images and labels these are; the same however often it is asked."""
        if isinstance(loss, Split):
            return loss.value(net, images, labels, *self.drawn)
        return loss(net, images, labels, self.generator.clone_state())


class Pieces:
    """How many pieces a share of a batch is computed in; twice as many each time a GPU's memory is full.

    say: takes a line when that happens. more: whether there may be more pieces.
    Raises CourseError for a count that is not an integer >= 1.
    """

    def __init__(self, count: int, say: Callable[[str], Any], more: bool = True):
        check_integer("accumulate", count, 1)
        self.count, self.say, self.more = count, say, more

    def add_up(
        self, low: int, high: int, one: Callable[[int, int], Tensor], forget: Callable[[], Any]
    ) -> Tensor:
        """The sum of one(a, b), (), over pieces a..b - 1 of the rows low..high - 1.

        Where memory is full, forget() undoes the pieces done, and all are done again in smaller ones.
        Raises CourseError where one row is too much, torch.OutOfMemoryError where there may not be more pieces.
        """
        while True:
            try:
                values = [one(a, b) for a, b in spans(low, high, self.count)]
                return sum(values[1:], values[0])
            except torch.OutOfMemoryError:
                if not self.more:
                    raise
                if self.count >= high - low:
                    raise CourseError(
                        "out of GPU memory, even with one image at a time: use a smaller network, or restart kernels that hold the GPU"
                    ) from None
            # Here, and not above: until an exception is dealt with it keeps the activations alive.
            self.count = min(2 * self.count, high - low)
            forget()
            torch.cuda.empty_cache()
            self.say(
                f"out of GPU memory: {high - low} images are now computed in {self.count} pieces, whose gradients add up"
            )


def spans(low: int, high: int, count: int) -> list[tuple[int, int]]:
    """low..high in `count` spans (a, b) of the same length, or 1 apart; fewer where there are fewer rows."""
    count = max(1, min(count, high - low))
    edges = [low + (high - low) * i // count for i in range(count + 1)]
    return list(pairwise(edges))
