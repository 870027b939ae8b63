"""Batches of a data set, where the network is. On a GPU the loop must wait for nothing that the GPU could be given in advance."""

import torch
from torch import Tensor

from ..shapes import moved
from .pixels import scaled

RESIDENT = 2**30  # bytes: images up to this size lie on the GPU, where rows are taken without the CPU


class Batches:
    """Images (N, C, H, W) and labels (N,), row by row, on `device`, and in memory as `layout` says.

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

    @property
    def ndim(self) -> int:
        """Of the whole set: 4 for images."""
        return self.images.ndim

    @property
    def shape(self) -> torch.Size:
        """Of one image."""
        return self.images.shape[1:]

    def __call__(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W), float, and labels (B,), for rows (B,), int64, on the CPU."""
        images = moved(self.images[moved(rows, self.images.device)], self.device)
        return scaled(images.to(memory_format=self.layout)), moved(self.labels[rows], self.device)
