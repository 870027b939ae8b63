"""Pictures by a name or path, whatever holds them: a folder, a zip, an `.npz`, a data set, a network that draws them.

What comes out has 8 bits a channel, as a file would have, so that saved samples and fresh ones give the same numbers.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import CourseError, printable, unknown
from ...files import user_path
from ...samplers import edm as edm_step
from ...schedules import karras
from .. import data, picture_files, zoo
from ..asked import check_guidance
from ..drawing import draw_pictures
from ..latents import LatentDenoiser
from ..metrics.checks import check_finite
from ..metrics.gaussians import Gaussian, gaussian_of, read_npz
from ..pixels import squared
from ..released import edm

BATCH = 50  # pictures at once, as pytorch-fid takes them
DRAWN = 2000  # samples of a network, where nobody says how many


@dataclass(frozen=True)
class Images:
    """told: what they are, for a message. count: how many; fewer, where some are damaged.

    batches: a function that begins to read them: (B, C, H, W), uint8, C = 1 or 3; the sizes of two batches may differ.
    labels: the class of each (count,), where it is known.
    shape: of a data set, and of what a network draws: size in pixels, and channels; None of other pictures.
    rescaled: a function of (size, channels) that reads the same pictures cropped and scaled; only of a folder or zip.
    """

    told: str
    count: int
    batches: Callable[[], Iterator[Tensor]]
    labels: Tensor | None = None
    shape: tuple[int, int] | None = None
    rescaled: Callable[[int, int], Iterator[Tensor]] | None = None

    def scaled(self, size: int, channels: int) -> "Images":
        """The pictures of a folder or zip, cropped and scaled as they would be to train a network; others as they are."""
        if self.rescaled is None:
            return self
        told = f"{self.told}, cropped and scaled to {size} x {size} as the others"
        return replace(self, told=told, batches=partial(self.rescaled, size, channels), rescaled=None)


@dataclass(frozen=True)
class Drawing:
    """How a network draws: guidance scale (1: none), seed of the noise, device, what wraps its batches, e.g. tqdm, how many."""

    guidance: float = 1.0
    seed: int = 0
    device: torch.device | str = "cpu"
    progress: Callable[[Iterable], Iterable] = iter
    count: int = DRAWN


def find(
    text: str,
    count: int | None = None,
    drawing: Drawing | None = None,
    say: Callable[[str], Any] = lambda line: None,
) -> Images | Gaussian:
    """The pictures called `text`; of an `.npz` with statistics, which holds no pictures, their moments.

    text: a data set ("mnist-5k" is its training split, "mnist-5k:test" the other), a network (all that `zoo.load` reads:
    "mnist-flow", a .safetensors or .pkl file, a folder of diffusers, "owner/name" of the hub), an .npz (statistics of
    pytorch-fid; or pictures (N, H, W, C), uint8), a folder or a zip. A folder
    that is called like a data set is "./mnist". count: so many at most, chosen at random; of a network, how many are drawn in
    place of the drawing's own count, in turn of its classes. say: takes a line for each file that is skipped.
    Raises CourseError for a name that is none of these, and for what cannot be read.
    """
    name, _, split = text.partition(":")
    if name in data.SOURCES and split in ("", "train", "test"):
        return _of_set(name, split or "train", count)
    path = user_path(text)
    drawing = drawing or Drawing()
    if _is_network(text, path):
        return _drawn(text, count or drawing.count, drawing)
    if text.endswith(".npz"):
        return _of_arrays(path, count)
    if os.path.exists(path):
        names = picture_files.names(path)
        told = f"{printable(text)}, {'folder' if path.is_dir() else 'zip'}"
        size = min(count or len(names), len(names))
        read = partial(picture_files.pictures, path, say, count)
        return Images(
            told,
            size,
            lambda: _same_sizes(pixels for _, pixels in read()),
            rescaled=lambda *shape: _same_sizes(squared(pixels, *shape) for _, pixels in read()),
        )
    if zoo.of_hub(text):
        return _drawn(text, count or drawing.count, drawing)
    if "/" in text or "." in text:
        raise CourseError(f"{printable(text)}: no such folder, zip, .npz, .safetensors or .pkl file")
    raise unknown("pictures (no file either)", text, [*data.SOURCES, *zoo.names(), *edm.RELEASED])


def to_bytes(images: Tensor) -> Tensor:
    """Images in [-1, 1] to 0..255, uint8; what lies outside is cut. Raises CourseError for NaN and infinity."""
    check_finite("images", images)
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def _of_set(name: str, split: str, count: int | None) -> Images:
    whole = data.stream(name, split)
    rows = _rows(len(whole), count)
    images = whole.images[rows]
    pixels = images if images.dtype == torch.uint8 else to_bytes(images)
    shape = pixels.shape[3], pixels.shape[1]
    return Images(
        f"{name} ({split}), data set", len(pixels), partial(_in_batches, pixels), whole.labels[rows], shape
    )


def _is_network(text: str, path: Path) -> bool:
    """A network by name, or by path: a file of weights, or the folder of a run, or one that diffusers wrote."""
    if text in zoo.names() or text in edm.RELEASED or path.suffix in (".safetensors", ".pkl"):
        return True
    return any(
        os.path.isfile(path / name)
        for name in ("model_index.json", "config.json", "unet/config.json", "config.yaml")
    )


def _drawn(text: str, count: int, how: Drawing) -> Images:
    model = zoo.load(text, how.device)
    if getattr(model.net, "attends", False):
        raise CourseError(
            f"{printable(text)}: draws what a text says; save its pictures into a folder, and name that"
        )
    classes: Any = getattr(model.net, "num_classes", 0)
    if not classes and how.guidance != 1:
        raise CourseError(f"--guidance: got {how.guidance:g}; {printable(text)} has no classes, want 1")
    check_guidance(how.guidance, zoo.config(text))

    def batches() -> Iterator[Tensor]:
        grid, step = karras(20), edm_step()
        made = draw_pictures(
            model, count, how.guidance, grid, step, how.seed, how.device, BATCH, how.progress
        )
        yield from _in_batches(to_bytes(made))

    labels = torch.arange(count) % classes if classes else None
    # A network of latents says their size; that of the pictures, the autoencoder.
    drawn_by = model.space.autoencoder if isinstance(model, LatentDenoiser) else model.net
    size, channels = (getattr(drawn_by, name, None) for name in ("image_size", "channels"))
    shape = (size, channels) if isinstance(size, int) and channels in (1, 3) else None
    return Images(f"{printable(text)}, samples at guidance {how.guidance:g}", count, batches, labels, shape)


def _of_arrays(path: Path, count: int | None) -> Images | Gaussian:
    arrays, told = read_npz(path), printable(str(path))
    if {"mu", "sigma"} <= arrays.keys():
        return gaussian_of(told, arrays["mu"], arrays["sigma"])
    pictures = [array for array in arrays.values() if array.ndim == 4 and array.dtype.name == "uint8"]
    if len(pictures) != 1 or pictures[0].shape[3] not in (1, 3) or 0 in pictures[0].shape:
        held = ", ".join(f"{name} {array.dtype}{array.shape}" for name, array in arrays.items()) or "nothing"
        raise CourseError(
            f"{told}: holds {printable(held)}; want mu and sigma, or pictures uint8(N, H, W, 1 or 3)"
        )
    chosen = torch.from_numpy(pictures[0]).permute(0, 3, 1, 2)[_rows(len(pictures[0]), count)]
    return Images(f"{told}, pictures", len(chosen), partial(_in_batches, chosen))


def _rows(n: int, count: int | None) -> slice | Tensor:
    """Which of n to take: all, or so many at random."""
    if count is None or count >= n:
        return slice(None)
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))[:count]


def _in_batches(images: Tensor) -> Iterator[Tensor]:
    yield from images.split(BATCH)


def _same_sizes(pictures: Iterator[Tensor]) -> Iterator[Tensor]:
    """Batches of pictures that follow one another and have one size."""
    batch: list[Tensor] = []
    for pixels in pictures:
        if batch and (len(batch) == BATCH or pixels.shape != batch[0].shape):
            yield torch.stack(batch)
            batch = []
        batch.append(pixels)
    if batch:
        yield torch.stack(batch)
