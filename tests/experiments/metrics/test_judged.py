"""What a judge says of images."""

import pytest
import torch
from torch import nn

from diffusion_course.experiments.metrics import count_recognised


class Brightness(nn.Module):
    """Class k for an image of constant value k, and a record of the batch sizes."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def forward(self, x):
        self.batches.append(len(x))
        return -(x.mean((1, 2, 3))[:, None] - torch.arange(10)).abs()


@pytest.mark.parametrize("batch", [3, 10, 500])
def test_count_recognised(batch):
    truth = torch.arange(20) % 10
    labels = truth.clone()
    labels[:4] += 1  # four wrong labels
    judge = Brightness()
    assert (
        count_recognised(judge, truth.double()[:, None, None, None].expand(-1, 1, 4, 4), labels, batch) == 16
    )
    assert sum(judge.batches) == 20
    assert max(judge.batches) <= batch
