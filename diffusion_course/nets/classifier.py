"""The judge: a small convolutional classifier, used to ask whether a generated digit can be read."""

from torch import Tensor, nn


class Classifier(nn.Module):
    """28 x 28 grey images to class logits. `features` gives the vector before the last layer."""

    def __init__(self, num_classes: int = 10, width: int = 32, dropout: float = 0.3):
        super().__init__()

        def stage(c_in: int, c_out: int) -> list[nn.Module]:
            layers: list[nn.Module] = []
            for c in (c_in, c_out):
                layers += [nn.Conv2d(c, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
            return layers

        self.body = nn.Sequential(
            *stage(1, width),
            nn.MaxPool2d(2),
            *stage(width, 2 * width),
            nn.MaxPool2d(2),
            *stage(2 * width, 4 * width),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(4 * width, num_classes))

    def features(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) in [-1, 1] -> (B, 4 * width)."""
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) in [-1, 1] -> logits (B, num_classes)."""
        return self.head(self.features(x))
