"""Samples of a trained network, by class or by text, by number: the same noise and the same labels for every sampler."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..denoisers import Denoiser, Preconditioned
from ..errors import CourseError, check_integer
from ..gaussian import to_vp
from ..guidance import Scale, cfg, clip
from ..nets.songunet import SongUNet
from ..nets.unet import UNet
from ..noise import Noise, mix
from ..samplers import Step, euler, sample, trajectory
from ..schedules import karras
from ..texted import Texted


@dataclass(frozen=True)
class Samples:
    """images: (N, C, H, W) in [-1, 1]; labels: (N,)."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Paths:
    """Samples on their way: grey (N+1, B, C, H, W) in VP coordinates, so that every state fits [-1, 1] about; sigma; labels."""

    grey: Tensor
    sigma: Tensor
    labels: Tensor


def draw(
    model: Preconditioned,
    n: int,
    w: Scale = 1.0,
    sigmas: Tensor | None = None,
    step: Step = euler,
    seed: int = 0,
    device: torch.device | str = "cpu",
    batch: int = 250,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Samples:
    """n class-conditional samples at guidance scale w (w = 1: none), in turn of the classes.

    sigmas: the grid, default 30 steps of `karras`. step: a sampler of `samplers`. model's answers are clipped to [-1, 1].
    The same seed gives sample i the same initial noise, whatever n, the sampler and the device are.
    progress: wraps the list of batches, e.g. tqdm. Raises CourseError for a model without classes.
    """
    start, labels = initial(model, n, seed, device)
    images = _drawn(model, start, labels, w, sigmas, step, seed, batch, progress)
    return Samples(images, labels)


def draw_texts(
    model: Texted,
    texts: Sequence[str],
    w: Scale = 1.0,
    sigmas: Tensor | None = None,
    step: Step = euler,
    seed: int = 0,
    device: torch.device | str = "cpu",
    batch: int = 250,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Tensor:
    """A sample of each text, (len(texts), C, H, W) in [-1, 1], as `draw` draws of each label. An empty text is none."""
    net: Any = model.net
    start = Noise(seed).randn(len(texts), net.channels, net.image_size, net.image_size, device=device)
    return _drawn(model, start, model.embed(texts), w, sigmas, step, seed, batch, progress)


def draw_paths(
    model: Preconditioned,
    n: int,
    w: Scale = 1.0,
    device: torch.device | str = "cpu",
    seed: int = 0,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Paths:
    """Like `draw` by Euler, with every state on the way: for pictures of how an image comes to be. progress: wraps the steps."""
    sigmas = karras(30)
    start, labels = initial(model, n, seed, device)
    states = trajectory(_guided(model, labels, w), sigmas[0] * start, sigmas, euler, progress=progress).x
    grey = torch.stack([to_vp(x, sigma) for x, sigma in zip(states, sigmas, strict=True)])
    return Paths(grey.clamp(-3, 3), sigmas, labels)


def initial(model: Preconditioned, n: int, seed: int, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Unit noise (n, C, H, W), and the labels 0, 1, ... in turn. Raises CourseError for a model without classes."""
    net = model.net
    if not isinstance(net, UNet | SongUNet) or net.num_classes == 0:
        raise CourseError("model: want a class-conditional U-Net")
    check_integer("n", n, 1)
    labels = torch.arange(n, device=device) % net.num_classes
    return Noise(seed).randn(n, net.channels, net.image_size, net.image_size, device=device), labels


def _guided(model: Preconditioned, labels: Tensor, w: Scale) -> Denoiser:
    # Clipped, since a network that predicts eps multiplies its error by sigma where sigma is large.
    return clip(cfg(model.given(labels), model, w))


def _drawn(
    model: Preconditioned,
    start: Tensor,
    told: Tensor,
    w: Scale,
    sigmas: Tensor | None,
    step: Step,
    seed: int,
    batch: int,
    progress: Callable[[Iterable], Iterable],
) -> Tensor:
    """Samples from unit noise (N, C, H, W), given labels (N,) or texts (N, L, E)."""
    sigmas = karras(30) if sigmas is None else sigmas
    images = []
    batches = list(zip(start.split(batch), told.split(batch), strict=True))
    for k, (x, y) in enumerate(progress(batches)):
        noise = Noise(mix(mix(seed) + 1 + k))  # for samplers that draw on the way
        images.append(sample(_guided(model, y, w), sigmas[0] * x, sigmas, step, noise))
    return torch.cat(images).clamp(-1, 1)
