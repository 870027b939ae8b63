"""The loss of held-out images with noise, noise levels and dropped labels drawn once: two steps are compared on the same draws."""

import torch
from torch import Generator, Tensor, nn

from ..batches import Batches
from ..training import Loss, Split

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
        generator, n = Generator().manual_seed(0), len(self.batches)
        shape, labels = self.batches.images.shape, self.batches.labels
        drawn = self.loss.draw(net, shape, labels, generator) if isinstance(self.loss, Split) else ()
        total = 0.0
        for low in range(0, n, self.size):
            rows = torch.arange(low, min(low + self.size, n))
            batch = self.batches(rows)
            if isinstance(self.loss, Split):
                pieces = [one if one is None else one[low : low + self.size] for one in drawn]
                value = self.loss.value(net, *batch, *pieces)
            else:
                value = self.loss(net, *batch, generator)
            total += value.item() * len(rows) / n
        return total
