"""How a network is told the noise level and the class."""

import math

import torch
from torch import Tensor, nn

from ..errors import CourseError, check_integer, shown


class Labelled(nn.Module):
    """A network that takes labels 0..num_classes - 1, and `no_label` for none of them. num_classes: 0 for one without classes."""

    num_classes: int

    @property
    def no_label(self) -> int | Tensor | None:
        """The label that means "no label", one more than the last; None for a network without classes."""
        return self.num_classes or None


class Conditioning(Labelled):
    """One vector per sample from the noise level and the class: (B,), (B,) -> (B, width).

    noise_scale: c_noise is multiplied by it, to bring it to a range of about 0..1000.
    num_classes: 0 for none. Label `no_label` means none of them; so does labels=None.
    Raises CourseError for an odd width, and for labels that are not B integers in 0..num_classes.
    """

    def __init__(self, width: int, num_classes: int = 0, noise_scale: float = 1.0):
        super().__init__()
        check_integer("num_classes", num_classes, 0)
        if width < 2 or width % 2:
            raise CourseError(f"width: got {width}, want an even number (half sines, half cosines)")
        self.width, self.num_classes, self.noise_scale = width, num_classes, noise_scale
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.label = nn.Embedding(num_classes + 1, width) if num_classes else None

    def forward(self, c_noise: Tensor, labels: Tensor | None = None) -> Tensor:
        vector = self.mlp(sinusoid(c_noise * self.noise_scale, self.width))
        if self.label is None:
            if labels is not None:
                raise CourseError("labels: this network was made without classes (num_classes=0)")
            return vector
        if labels is None:
            labels = torch.full(c_noise.shape, self.num_classes, device=c_noise.device)
            return vector + self.label(labels)
        check_integers(labels, *c_noise.shape)
        if looks(self, labels) and bool(((labels < 0) | (labels > self.num_classes)).any()):
            got = sorted(set(labels.tolist()))
            raise CourseError(
                f"labels: got {got}, want 0..{self.num_classes} ({self.no_label} means no label)"
            )
        return vector + self.label(labels)


def check_integers(labels: object, *shape: int) -> None:
    """Raise CourseError unless labels is a tensor of integers of this shape. Truth values are none: as indices they mean another thing."""
    if not isinstance(labels, Tensor):
        got = f"{type(labels).__name__} {shown(labels)}"
        raise CourseError(f"labels: got the {got}, want a tensor of integers of shape {shape}")
    if labels.shape != shape or not whole(labels):
        kind = f"{labels.dtype} of shape {tuple(labels.shape)}"
        raise CourseError(f"labels: got {kind}, want integers of shape {shape}")


def whole(labels: Tensor) -> bool:
    """Is its type one of integers?"""
    return not (labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool)


def looks(net: nn.Module, labels: Tensor) -> bool:
    """A compiled or recorded network cannot stop half-way, and one that trains on a GPU would wait there: who draws the labels looks."""
    if torch.compiler.is_compiling():
        return False
    return not (labels.is_cuda and (net.training or torch.cuda.is_current_stream_capturing()))


def sinusoid(t: Tensor, width: int) -> Tensor:
    """Sinusoidal embedding of real numbers (Vaswani et al. 2017, section 3.5): (B,) -> (B, width)."""
    half = width // 2
    frequencies = torch.exp(-math.log(10_000) * torch.arange(half, device=t.device, dtype=t.dtype) / half)
    angle = t[:, None] * frequencies
    return torch.cat([angle.cos(), angle.sin()], dim=1)
