"""A multilayer perceptron for points in the plane, or any other vectors."""

import torch
from torch import Tensor, nn

from ..errors import check_integer
from ..shapes import check_batch, check_float
from .embedding import Conditioning, Labelled


class MLP(Labelled):
    """dims -> dims, told the noise level (and class) at every hidden layer.

    width: hidden units, an even number. depth: hidden layers, 0 or more. num_classes, noise_scale: see `Conditioning`.
    """

    def __init__(
        self, dims: int = 2, width: int = 128, depth: int = 3, num_classes: int = 0, noise_scale: float = 1.0
    ):
        super().__init__()
        check_integer("dims", dims, 1)
        check_integer("depth", depth, 0)
        self.dims, self.num_classes = dims, num_classes
        self.condition = Conditioning(width, num_classes, noise_scale)
        self.first = nn.Linear(dims, width)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.last = nn.Linear(width, dims)

    def forward(self, x: Tensor, c_noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """x: (B, dims); c_noise: () or (B,); labels: (B,) or None. Returns (B, dims). Raises CourseError for another x."""
        check_float("x", x)
        check_batch("x", x, self.dims)
        emb = self.condition(torch.as_tensor(c_noise).to(x).expand(len(x)), labels)
        h = self.first(x)
        for layer in self.hidden:
            h = h + layer(nn.functional.silu(h + emb))
        return self.last(nn.functional.silu(h))
