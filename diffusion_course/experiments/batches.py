"""Batches: which rows, what is drawn for them, and the images where the network is.

All that is random in a step follows from its seed and is drawn for the whole batch, on the CPU. So a batch may be computed in
pieces, and the pieces in several processes. And on a GPU the loop must wait for nothing that the GPU could be given in advance.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ..noise import mix
from ..shapes import moved
from .pixels import scaled

RESIDENT = 2**30  # bytes: images up to this size lie on the GPU, where rows are taken without the CPU


@dataclass(frozen=True)
class Batch:
    """One step's rows of the data set, (B,) int64, and what its loss has drawn for them, each (B, ...) or None; on the CPU.

    seed: of what layers draw, such as dropout. generator: for a loss that draws by itself; to be cloned before it is used.
    """

    rows: Tensor
    drawn: tuple[Tensor | None, ...]
    seed: int
    generator: Generator

    def __len__(self) -> int:
        return len(self.rows)

    def piece(self, low: int, high: int) -> "Batch":
        """Rows low..high - 1: the same rows, and draws of the loss; layers, and a loss that draws by itself, draw others."""
        drawn = tuple(one if one is None else one[low:high] for one in self.drawn)
        if low == 0:
            return Batch(self.rows[:high], drawn, self.seed, self.generator)
        seed = mix(self.seed + low)
        return Batch(self.rows[low:high], drawn, seed, Generator().manual_seed(seed))


class Batches:
    """Images (N, C, H, W) and labels (N,), row by row, as `device` and `layout` want them.

    images: float, or pixels in 0..255, uint8, which are scaled to [-1, 1] batch by batch. A small set is kept on a GPU;
    of a larger one, or where memory is short, each batch is sent there. Labels stay on the CPU, where losses draw.
    """

    def __init__(self, images: Tensor, labels: Tensor, device: torch.device, layout: torch.memory_format):
        self.images, self.labels, self.device, self.layout = images, labels.cpu(), device, layout
        if images.nbytes <= RESIDENT:
            try:
                self.images = images.to(device)
            except torch.OutOfMemoryError:
                self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __call__(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W), float, and labels (B,), for rows (B,), int64, on the CPU."""
        images = moved(self.images[moved(rows, self.images.device)], self.device)
        return scaled(images.to(memory_format=self.layout)), moved(self.labels[rows], self.device)
