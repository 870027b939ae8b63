"""Numbers that judge samples, with their error bars."""

import math

import torch
from torch import Tensor, nn

from ..errors import CourseError


@torch.no_grad()
def count_recognised(judge: nn.Module, images: Tensor, labels: Tensor, batch: int = 500) -> int:
    """How many of the images (N, C, H, W) the judge gives their label (N,)."""
    right = 0
    for x, y in zip(images.split(batch), labels.split(batch), strict=True):
        right += int((judge(x.float()).argmax(1) == y).sum())
    return right


def wilson(successes: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson score interval of a share, default 95 % (Wilson 1927). Returns (low, high) in 0..1.

    Raises CourseError unless 0 <= successes <= n and n >= 1.
    """
    if n < 1 or not 0 <= successes <= n:
        raise CourseError(f"successes, n: got {successes}, {n}, want 0 <= successes <= n, n >= 1")
    p = successes / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)
