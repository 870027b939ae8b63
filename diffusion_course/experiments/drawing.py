"""Class-conditional samples of a trained network, by number: the same noise and the same labels for every sampler."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..denoisers import Denoiser, Preconditioned
from ..errors import CourseError, check_integer
from ..gaussian import to_vp
from ..guidance import Scale, cfg, clip
from ..nets.dit import DiT
from ..nets.songunet import SongUNet
from ..nets.unet import UNet
from ..noise import Noise, mix
from ..samplers import Step, euler, sample, trajectory
from ..schedules import karras
from .latents import LatentDenoiser


@dataclass(frozen=True)
class Samples:
    """images: (N, C, H, W) in [-1, 1]; labels: (N,)."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Paths:
    """Samples on their way: grey (N+1, B, C, H, W) in VP coordinates, so that every state fits [-1, 1] about; sigma; labels.

    Of latents, grey is what the autoencoder decodes them to.
    """

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

    sigmas: the grid, default 30 steps of `karras`. step: a sampler of `samplers`. model's answers are clipped to [-1, 1]; latents
    are not, and are decoded at the end.
    The same seed gives sample i the same initial noise, whatever n, the sampler and the device are.
    progress: wraps the list of batches, e.g. tqdm. Raises CourseError for a model without classes.
    """
    sigmas = karras(30) if sigmas is None else sigmas
    images = []
    start, labels = initial(model, n, seed, device)
    batches = list(zip(start.split(batch), labels.split(batch), strict=True))
    for k, (x, y) in enumerate(progress(batches)):
        noise = Noise(mix(mix(seed) + 1 + k))  # for samplers that draw on the way
        images.append(sample(_guided(model, y, w), sigmas[0] * x, sigmas, step, noise))
    return Samples(_decoded(model, torch.cat(images)).clamp(-1, 1), labels)


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
    grey = _decoded(model, grey.flatten(0, 1)).unflatten(0, grey.shape[:2])
    return Paths(grey.clamp(-3, 3), sigmas, labels)


def initial(model: Preconditioned, n: int, seed: int, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Unit noise (n, C, H, W), of latents in their shape, and the labels 0, 1, ... in turn.

    Raises CourseError for a model without classes.
    """
    net = model.net
    if not isinstance(net, UNet | DiT | SongUNet) or net.num_classes == 0:
        raise CourseError("model: want a class-conditional U-Net or DiT")
    check_integer("n", n, 1)
    labels = torch.arange(n, device=device) % net.num_classes
    return Noise(seed).randn(n, net.channels, net.image_size, net.image_size, device=device), labels


def _guided(model: Preconditioned, labels: Tensor, w: Scale) -> Denoiser:
    # Clipped, since a network that predicts eps multiplies its error by sigma where sigma is large. Latents have no such bounds.
    guided = cfg(model.given(labels), model, w)
    return guided if isinstance(model, LatentDenoiser) else clip(guided)


def _decoded(model: Preconditioned, x: Tensor) -> Tensor:
    return model.space.decode(x) if isinstance(model, LatentDenoiser) else x
