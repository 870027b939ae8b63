"""Noise for hundreds of samples over hundreds of steps: the numbers of `Noise`, drawn blocks of steps ahead by several threads.

A generator for each sample costs a Python call a sample and step: 8 µs, and a GPU that waits. In one call for many steps
it is 4 µs, outside of Python's lock, so that threads share it, while the GPU works on the block before.
"""

from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from ..errors import check_integer
from ..noise import Noise

BLOCK = 16  # steps drawn at once: 1,000 digits of 28 x 28 take 50 MB
SIXTEEN = 16  # torch.randn fills in sixteens: a longer call begins with a shorter one where 16 divides both
ROWS = 64  # rows that a thread takes at a time


class NoiseAhead:
    """The numbers that `Noise(seed).like(x)` gives the rows first..first+n-1 of a larger batch; n is that of the first x.

    draws: how many are expected; more can be had. Each call must be for an x of the same shape, dtype and device.
    Raises CourseError for a seed that is no integer >= 0.
    """

    def __init__(self, seed: int, first: int = 0, draws: int = 1):
        check_integer("first", first, 0)
        self.noise, self.first, self.left = Noise(seed), first, max(1, draws)
        self.pool = ThreadPoolExecutor(max_workers=max(1, torch.get_num_threads()))
        self.block: Tensor | None = None
        self.next: tuple[Tensor, list[Future]] | None = None
        self.at = 0

    def like(self, x: Tensor) -> Tensor:
        """Standard normal noise with x's shape (n, *S), dtype and device."""
        if self.block is None or self.at == len(self.block):
            self._advance(x)
        assert self.block is not None
        self.at += 1
        return self.block[self.at - 1]

    def _advance(self, x: Tensor) -> None:
        drawn, parts = self.next or self._begin(x)
        for part in parts:
            part.result()
        # A row's generator serves one block after the other: the next is begun when this one is done.
        self.next = self._begin(x) if self.left > 0 else None
        self.block, self.at = drawn.to(x.device, x.dtype), 0

    def _begin(self, x: Tensor) -> tuple[Tensor, list[Future]]:
        steps = min(BLOCK, max(1, self.left)) if x[0].numel() % SIXTEEN == 0 else 1
        self.left -= steps
        out = torch.empty(steps, *x.shape)
        streams = [self.noise.stream(self.first + i) for i in range(len(x))]
        parts = [
            self.pool.submit(_fill, out[:, i : i + ROWS], streams[i : i + ROWS])
            for i in range(0, len(x), ROWS)
        ]
        return out, parts


def _fill(out: Tensor, streams: list[torch.Generator]) -> None:
    """out (steps, rows, *S): all steps of each row from its stream."""
    for i, stream in enumerate(streams):
        out[:, i] = torch.randn(len(out), *out.shape[2:], generator=stream)
