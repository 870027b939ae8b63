"""Classifiers: the judge, which asks whether a generated image can be read, and one of noisy images, which guides."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..shapes import per_row
from .embedding import Conditioning, check_integers
from .unet import Block, Downsample, Fold, conv, norm


class Classifier(nn.Module):
    """Images to class logits. `features` gives the vector before the last layer.

    image_size: height and width of the images it is trained on; it takes others, from 4 on. channels: of the images.
    """

    def __init__(
        self,
        image_size: int = 28,
        channels: int = 1,
        num_classes: int = 10,
        width: int = 32,
        dropout: float = 0.3,
    ):
        super().__init__()
        self.image_size, self.channels = image_size, channels

        def stage(c_in: int, c_out: int) -> list[nn.Module]:
            layers: list[nn.Module] = []
            for c in (c_in, c_out):
                layers += [nn.Conv2d(c, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
            return layers

        self.body = nn.Sequential(
            *stage(channels, width),
            nn.MaxPool2d(2),
            *stage(width, 2 * width),
            nn.MaxPool2d(2),
            *stage(2 * width, 4 * width),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(4 * width, num_classes))

    def features(self, x: Tensor) -> Tensor:
        """(B, C, H, W) in [-1, 1] -> (B, 4 * width)."""
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) in [-1, 1] -> logits (B, num_classes)."""
        return self.head(self.features(x))


class NoisyClassifier(nn.Module):
    """p(y | x; sigma): the way down of a U-Net, told the noise level, then the mean over the pixels.

    image_size: height and width, a multiple of 4. channels, width: of the image, and of the first level.
    """

    def __init__(self, image_size: int = 28, channels: int = 1, num_classes: int = 10, width: int = 32):
        super().__init__()
        self.image_size, self.channels = image_size, channels
        emb = 4 * width
        self.condition = Conditioning(emb, noise_scale=250.0)
        self.fold = Fold(2)
        self.first = conv(4 * channels, width)
        half = image_size // 4
        self.down = nn.ModuleList(
            [
                Block(width, width, emb, attend=False, dropout=0.0),
                Downsample(width),
                Block(width, 2 * width, emb, attend=half <= 8, dropout=0.1),
                Block(2 * width, 2 * width, emb, attend=False, dropout=0.1),
            ]
        )
        self.last = nn.Sequential(norm(2 * width), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(2 * width, num_classes)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """x: (B, C, H, W) in VE coordinates; sigma: () or (B,). Returns logits (B, num_classes)."""
        sigma = torch.as_tensor(sigma).to(x).expand(len(x))
        emb = F.silu(self.condition(sigma.log() / 4))
        # Scaled as the textbook's x_t, so that what the network sees has about unit variance at every noise level.
        h = self.first(self.fold(x / (1 + sigma**2).sqrt()[:, None, None, None]))
        for layer in self.down:
            h = layer(h, emb)
        return self.head(self.last(h))

    def given(self, labels: int | Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """log p(y | x; sigma) of the given labels, () or (B,), as `guidance.classifier` takes it: (x, sigma) -> (B,).

        Raises CourseError, when called, for labels that are no integers.
        """

        def log_prob(x: Tensor, sigma: Tensor) -> Tensor:
            wanted = per_row("labels", labels, x)
            check_integers(wanted, len(x))
            return self(x, sigma).log_softmax(1).gather(1, wanted[:, None])[:, 0]

        return log_prob
