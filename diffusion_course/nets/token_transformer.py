"""A small transformer on tokens that sees all of them at once: the network of masked diffusion."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from ..errors import CourseError, check_integer, shown
from ..shapes import per_row
from .attention import attend
from .embedding import Labelled, whole


class TokenTransformer(Labelled):
    """Tokens, some of them hidden, to logits of each token's state (Vaswani et al. 2017; layer norms first).

    It is told no noise level, unlike the course's denoisers: what the visible tokens say of a hidden one does not depend on how likely
    tokens were to be hidden, and how many are, the network can count.

    states: K, the values of a token; the input has one more, K, the mask. shape: of a sample, (L,) or (H, W), read row by row.
    width: of a token's vector, an even multiple of heads. depth: blocks. num_classes: 0 for none, see `Labelled`.
    Raises CourseError for a width that the heads do not divide.
    """

    def __init__(
        self,
        states: int = 8,
        shape: Sequence[int] = (14, 14),
        width: int = 128,
        depth: int = 4,
        heads: int = 4,
        num_classes: int = 0,
        dropout: float = 0.0,
    ):
        super().__init__()
        sizes = {
            "states": states,
            "shape": min(shape, default=0),
            "width": width,
            "depth": depth,
            "heads": heads,
        }
        for name, value in sizes.items():
            check_integer(name, value, 1)
        if width % heads or width // heads % 2:
            raise CourseError(f"width: got {width}, want a multiple of heads={heads}, an even one")
        self.states, self.shape, self.num_classes = states, tuple(shape), num_classes
        self.pairs = width // heads // 2
        # An embedding, as a product with rows of 0 and 1: on a GPU an embedding's gradient adds thousands of tokens up in few rows.
        self.token = nn.Linear(states + 1, width, bias=False)
        self.place = nn.Parameter(0.02 * torch.randn(math.prod(shape), width))
        self.label = nn.Embedding(num_classes + 1, width) if num_classes else None
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(depth))
        self.last = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, states))
        nn.init.normal_(self.token.weight, std=0.02)
        if self.label:
            nn.init.normal_(self.label.weight, std=0.02)

    def forward(self, x: Tensor, labels: int | Tensor | None = None) -> Tensor:
        """x: (B, *shape) integers in 0..states, where `states` means hidden; labels: () or (B,), or None for no label.

        Returns logits (B, *shape, states), for visible tokens too. Raises CourseError for another shape, or labels out of range.
        """
        want = f"integers of shape (B, {', '.join(map(str, self.shape))})"
        if not isinstance(x, Tensor):
            raise CourseError(f"x: got {shown(x)}, want a tensor of {want}")
        if x.ndim != len(self.shape) + 1 or x.shape[1:] != self.shape or not whole(x):
            raise CourseError(f"x: got {x.dtype} of shape {tuple(x.shape)}, want {want}")
        if x.device.type == "cpu" and bool(((x < 0) | (x > self.states)).any()):  # a GPU would have to wait
            raise CourseError(
                f"x: got {int(x.min())}..{int(x.max())}, want 0..{self.states}, which means hidden"
            )
        every = torch.arange(self.states + 1, device=x.device)
        one_hot = (x.flatten(1).unsqueeze(-1) == every).to(self.place.dtype)
        h = self.token(one_hot) + self.place  # (B, L, width)
        if self.label is not None:
            h = h + self.label(self._labels(labels, x))[:, None]
        elif labels is not None:
            raise CourseError("labels: this network was made without classes (num_classes=0)")
        angle = angles(h.shape[1], self.pairs, h.device)
        for block in self.blocks:
            h = block(h, angle)
        return self.last(h).unflatten(1, self.shape)

    def given(self, labels: int | Tensor) -> Callable[[Tensor], Tensor]:
        """The model of one class, or of a class for each sample, (B,): x -> logits."""
        return partial(self, labels=labels)

    def _labels(self, labels: int | Tensor | None, x: Tensor) -> Tensor:
        rows = per_row("labels", self.num_classes if labels is None else labels, x)
        wrong = not whole(rows)
        if rows.device.type == "cpu":
            wrong = wrong or bool(((rows < 0) | (rows > self.num_classes)).any())
        if wrong:
            raise CourseError(
                f"labels: got {sorted(set(rows.tolist()))[:5]}, want 0..{self.num_classes} ({self.no_label} means no label)"
            )
        return rows


class Block(nn.Module):
    """Attention among all tokens, then two layers for each of them; both are added to what came in. (B, L, width) to the same."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, nn.Dropout(dropout)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        back = nn.Linear(4 * width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), back)
        # Both branches start at zero: the block is the identity at first.
        for layer in (self.out, back):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, h: Tensor, angle: Tensor) -> Tensor:
        qkv = self.qkv(self.norm1(h)).unflatten(-1, (3, self.heads, -1))  # (B, L, 3, heads, width / heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, L, width / heads) each
        among = attend(turned(q, angle), turned(k, angle), v).transpose(1, 2).flatten(2)
        h = h + self.dropout(self.out(among))
        return h + self.dropout(self.mlp(self.norm2(h)))


def angles(L: int, pairs: int, device: torch.device | None = None) -> Tensor:
    """By how much each pair of coordinates turns at each place, (L, pairs): slower from pair to pair, from 1 to nearly 1/10,000."""
    frequencies = 10_000 ** (-torch.arange(pairs, device=device) / pairs)
    return torch.arange(L, device=device)[:, None] * frequencies


def turned(x: Tensor, angle: Tensor) -> Tensor:
    """Pairs of coordinates turned by angles that grow with the place, (B, heads, L, D) to the same (Su et al. 2021).

    The product of a query and a key then depends on the distance of their places, which is learned much faster than where each is.
    """
    cos, sin = angle.cos().to(x), angle.sin().to(x)
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)
