"""The loss of held-out images with noise, noise levels and dropped labels drawn once: two steps are compared on the same draws."""

import torch
from torch import Generator, Tensor, nn

from ..batches import Batches
from ..pieces import Batch, Loss

IMAGES = 1000


class Validation:
    """validation(network) -> the loss of up to 1,000 of the images, a mean over them; in eval mode and float32.

    loss: what the run minimises. images (N, C, H, W), labels (N,): of a test set. size: rows at a time.
    """

    def __init__(self, loss: Loss, images: Tensor, labels: Tensor, device: torch.device, size: int):
        rows = torch.randperm(len(images), generator=Generator().manual_seed(0))[:IMAGES]
        self.loss, self.size = loss, size
        self.batches = Batches(images[rows], labels[rows], device, torch.contiguous_format)

    @torch.no_grad()
    def __call__(self, net: nn.Module) -> float:
        n = len(self.batches)
        whole = Batch.of(self.loss, net, self.batches, torch.arange(n), 0, Generator().manual_seed(0))
        total = 0.0
        for low in range(0, n, self.size):
            piece = whole.piece(low, min(low + self.size, n))
            total += piece.value(self.loss, net, *self.batches(piece.rows)).item() * len(piece) / n
        return total
