"""What a judge, a classifier that ships with the course, says of images."""

import torch
from torch import Tensor, nn

from ...errors import CourseError
from ...nets.classifier import Classifier
from .checks import check_finite


def count_recognised(judge: nn.Module, images: Tensor, labels: Tensor, batch: int = 500) -> int:
    """How many of the images (N, C, H, W) the judge gives their label (N,). Raises CourseError as `recognised` does."""
    return int(recognised(judge, images, labels, batch).sum())


@torch.no_grad()
def recognised(judge: nn.Module, images: Tensor, labels: Tensor, batch: int = 500) -> Tensor:
    """Which of the images (N, C, H, W) the judge gives their label (N,): (N,), booleans.

    Raises CourseError for NaN or infinity, of which a judge recognises some class too, and for labels of another number.
    """
    if labels.shape != (len(images),):
        raise CourseError(f"labels: got shape {tuple(labels.shape)}, want ({len(images)},), one per image")
    check_finite("images", images)
    parts = zip(images.split(batch), labels.split(batch), strict=True)
    return torch.cat([judge(x.float()).argmax(1) == y for x, y in parts])


@torch.no_grad()
def features(judge: Classifier, images: Tensor, batch: int = 500) -> Tensor:
    """What the judge sees in images (N, C, H, W) before it decides: (N, d), float64, on the CPU.

    Raises CourseError for no image, NaN or infinity.
    """
    if len(images) == 0:
        raise CourseError(f"images: got shape {tuple(images.shape)}, want at least one")
    check_finite("images", images)
    return torch.cat([judge.features(x.float()).double().cpu() for x in images.split(batch)])
