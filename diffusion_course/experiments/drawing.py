"""Samples of a trained network, by number: the same noise and the same labels for every sampler, whatever the device."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .. import devices
from ..denoisers import Denoiser, Preconditioned
from ..errors import CourseError, check_integer
from ..gaussian import to_vp
from ..guidance import Scale, cfg, clip
from ..noise import Noise, mix
from ..samplers import Step, euler, sample, trajectory
from ..schedules import karras
from ..texted import Texted
from .latents import LatentDenoiser
from .noise_ahead import NoiseAhead

Sampler = Callable[[Tensor], tuple[Denoiser, Step]]
"""Labels (B,) -> the denoiser that draws these classes, and the step that it is sampled with."""

ON_CPU, ON_GPU = 250, 2000  # samples at a time


@dataclass(frozen=True)
class Samples:
    """images: (N, C, H, W) in [-1, 1]; labels: (N,)."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Paths:
    """Samples on their way: grey (N+1, B, C, H, W) in VP coordinates, so that every state fits [-1, 1] about; sigma (N+1,).

    Of latents, grey is what the autoencoder decodes them to.
    """

    grey: Tensor
    sigma: Tensor


def draw(
    model: Preconditioned,
    n: int,
    w: Scale = 1.0,
    sigmas: Tensor | None = None,
    step: Step = euler,
    seed: int = 0,
    device: torch.device | str = "cpu",
    batch: int | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Samples:
    """n class-conditional samples at guidance scale w (w = 1: none), in turn of the classes.

    sigmas: the grid, default 30 steps of `karras`. step: a sampler of `samplers`. model's answers are clipped to [-1, 1];
    latents are not, and are decoded at the end.
    The same seed gives sample i the same noise, whatever n, batch, the sampler and the device are.
    batch: samples at a time; default 250, on a GPU 2,000. progress: wraps the list of batches, e.g. tqdm.
    Raises CourseError for a model without classes, a batch below 1, and a device that cannot be had.
    """
    start, labels = initial(model, n, seed, device)
    grid = karras(30) if sigmas is None else sigmas
    made = _draw_by(lambda y: (_guided(model, y, w), step), start, labels, grid, seed, batch, progress)
    return Samples(_decoded(model, made).clamp(-1, 1), labels)


def draw_texts(
    model: Texted,
    texts: Sequence[str],
    w: Scale = 1.0,
    sigmas: Tensor | None = None,
    step: Step = euler,
    seed: int = 0,
    device: torch.device | str = "cpu",
    batch: int | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Tensor:
    """A sample of each text, (len(texts), C, H, W) in [-1, 1], as `draw` draws of each label. The empty text asks for nothing."""
    start, hidden = noise_for(model, len(texts), seed, device), model.embed(texts)
    grid = karras(30) if sigmas is None else sigmas
    return draw_by(lambda y: (_guided(model, y, w), step), start, hidden, grid, seed, batch, progress)


def draw_pictures(
    model: Preconditioned,
    n: int,
    w: float = 1.0,
    sigmas: Tensor | None = None,
    step: Step = euler,
    seed: int = 0,
    device: torch.device | str = "cpu",
    batch: int | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Tensor:
    """Like `draw`, of any network of pictures, with classes or without: (n, C, H, W) in [-1, 1].

    Raises CourseError for a guidance scale where there are no classes, and for a network that says no size.
    """
    if has_classes(model):
        return draw(model, n, w, sigmas, step, seed, device, batch, progress).images
    if w != 1:
        raise CourseError(f"guidance: got {w:g}; this network has no classes, want 1")
    start = noise_for(model, n, seed, device)
    grid = karras(30) if sigmas is None else sigmas
    none = torch.zeros(n, dtype=torch.long, device=device)
    made = _draw_by(lambda y: (_bounded(model, model), step), start, none, grid, seed, batch, progress)
    return _decoded(model, made).clamp(-1, 1)


def draw_by(
    sampler: Sampler,
    start: Tensor,
    labels: Tensor,
    sigmas: Tensor,
    seed: int = 0,
    batch: int | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Tensor:
    """Samples (N, *S), clipped to [-1, 1], of unit noise start (N, *S) and labels (N,) (or texts, (N, L, E)), in batches: what
    `draw` does.

    sampler: see `Sampler`. seed: of the noise that is drawn on the way, which each sample has a stream of its own of.
    """
    return _draw_by(sampler, start, labels, sigmas, seed, batch, progress).clamp(-1, 1)


def _draw_by(
    sampler: Sampler,
    start: Tensor,
    labels: Tensor,
    sigmas: Tensor,
    seed: int,
    batch: int | None,
    progress: Callable[[Iterable], Iterable],
) -> Tensor:
    """Like `draw_by`, not clipped."""
    if batch is not None:
        check_integer("batch", batch, 1)
    size = batch or (ON_GPU if start.is_cuda else ON_CPU)
    images = []
    for first in progress(range(0, len(start), size)):
        rows = slice(first, first + size)
        D, step = sampler(labels[rows])
        noise = _noise_on_the_way(seed, first, sigmas)
        images.append(sample(D, sigmas[0] * start[rows], sigmas, step, noise))
    return torch.cat(images)


def draw_paths(
    model: Preconditioned,
    n: int,
    w: Scale = 1.0,
    device: torch.device | str = "cpu",
    seed: int = 0,
    progress: Callable[[Iterable], Iterable] = iter,
    sigmas: Tensor | None = None,
    step: Step = euler,
    asked: Tensor | None = None,
) -> Paths:
    """Like `draw`, with every state on the way: for pictures of how an image comes to be. progress: wraps the steps.

    asked: a label (n,) or text (n, L, E) for each sample; default the classes in turn, or nothing of a network that has none.
    """
    grid = karras(30) if sigmas is None else sigmas
    start = noise_for(model, n, seed, device)
    if asked is None and has_classes(model):
        _, asked = initial(model, n, seed, device)
    D = _bounded(model, model) if asked is None else _guided(model, asked.to(device), w)
    noise = _noise_on_the_way(seed, 0, grid)
    states = trajectory(D, grid[0] * start, grid, step, noise, progress).x
    grey = torch.stack([to_vp(x, sigma) for x, sigma in zip(states, grid, strict=True)])
    grey = _decoded(model, grey.flatten(0, 1)).unflatten(0, grey.shape[:2])
    return Paths(grey.clamp(-3, 3), grid)


def _noise_on_the_way(seed: int, first: int, sigmas: Tensor) -> NoiseAhead:
    """What stochastic steps draw from for the rows from `first` on: other numbers than the noise they start from."""
    return NoiseAhead(mix(mix(seed) + 1), first, len(sigmas) - 1)


def initial(model: Preconditioned, n: int, seed: int, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Unit noise (n, C, H, W), of latents in their shape, and the labels 0, 1, ... in turn.

    Raises CourseError for a model without classes.
    """
    if not has_classes(model):
        raise CourseError("model: want a class-conditional network of images")
    classes: Any = model.net.num_classes
    return noise_for(model, n, seed, device), torch.arange(n, device=device) % classes


def has_classes(model: Preconditioned) -> bool:
    """Can this network be asked for a class?"""
    return bool(getattr(model.net, "num_classes", 0))


def noise_for(model: Preconditioned, n: int, seed: int, device: torch.device | str) -> Tensor:
    """Unit noise (n, C, H, W) of the size of the network's pictures. Raises CourseError for a network that does not say it, and for a
    device that cannot be had."""
    check_integer("n", n, 1)
    device = devices.choose(device)
    channels: Any = getattr(model.net, "channels", None)
    size: Any = getattr(model.net, "image_size", None)
    shape = (channels, *size) if isinstance(size, tuple | list) else (channels, size, size)
    if not all(isinstance(one, int) for one in shape):
        raise CourseError("model: want a network that says the size and channels of its images")
    return Noise(seed).randn(n, *shape, device=device)


def _guided(model: Preconditioned, labels: Tensor, w: Scale) -> Denoiser:
    return _bounded(model, cfg(model.given(labels), model, w))


def _bounded(model: Preconditioned, D: Denoiser) -> Denoiser:
    # Clipped, since a network that predicts eps multiplies its error by sigma where sigma is large. Latents have no such bounds.
    return D if isinstance(model, LatentDenoiser) else clip(D)


def _decoded(model: Preconditioned, x: Tensor) -> Tensor:
    return model.space.decode(x) if isinstance(model, LatentDenoiser) else x
