"""A batch in pieces: memory holds the activations of one, and the gradients of all add up to the whole batch's."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ..errors import CourseError, check_integer


class Pieces:
    """How many pieces a share of a batch is computed in; twice as many each time a GPU's memory is full.

    say: takes a line when that happens. Raises CourseError for a count that is not an integer >= 1.
    """

    def __init__(self, count: int, say: Callable[[str], Any]):
        check_integer("accumulate", count, 1)
        self.count, self.say = count, say

    def add_up(
        self, low: int, high: int, one: Callable[[int, int], Tensor], forget: Callable[[], Any]
    ) -> Tensor:
        """The sum of one(a, b), (), over pieces a..b - 1 of the rows low..high - 1.

        Where memory is full, forget() undoes the pieces done, and all are done again in smaller ones.
        Raises CourseError where one row is too much.
        """
        while True:
            try:
                values = [one(a, b) for a, b in spans(low, high, self.count)]
                return sum(values[1:], values[0])
            except torch.OutOfMemoryError:
                if self.count >= high - low:
                    raise CourseError(
                        "out of GPU memory, even with one image at a time: use a smaller network, or restart kernels that hold the GPU"
                    ) from None
            # Here, and not above: until an exception is dealt with it keeps the activations alive.
            self.count = min(2 * self.count, high - low)
            forget()
            torch.cuda.empty_cache()
            self.say(
                f"out of GPU memory: {high - low} images are now computed in {self.count} pieces; the gradient is the same"
            )


def spans(low: int, high: int, count: int) -> list[tuple[int, int]]:
    """low..high in `count` spans (a, b) of the same length, or 1 apart; fewer where there are fewer rows."""
    count = max(1, min(count, high - low))
    edges = [low + (high - low) * i // count for i in range(count + 1)]
    return list(pairwise(edges))
