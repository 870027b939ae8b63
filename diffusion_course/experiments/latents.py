"""Diffusion in the latents of an autoencoder (Rombach et al. 2022): images are encoded, denoised there, and decoded.

digits = zoo.load("mnist-latent-dit")               # a `LatentDenoiser`: D(x, sigma) with x (B, 4, 7, 7)
images = digits.space.decode(latents)               # (B, 1, 28, 28)
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..denoisers import Preconditioned
from ..errors import CourseError
from ..nets.autoencoder import Autoencoder
from ..parametrisations import Param
from .data import Source
from .pixels import scaled

BATCH = 500


class LatentSpace(nn.Module):
    """What a diffusion model sees in place of an image: scale * z, where z is the mean of q(z | x)."""

    def __init__(self, autoencoder: Autoencoder, scale: float = 1.0):
        super().__init__()
        self.autoencoder, self.scale = autoencoder, scale

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C_z, h, w) of one latent."""
        a = self.autoencoder
        return a.latent_channels, a.latent_size, a.latent_size

    def encode(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1], or in 0..255 as uint8, to latents (N, C_z, h, w), on the images' device."""
        return self._batched(lambda x: self.scale * self.autoencoder.encode(scaled(x))[0], images)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (N, C_z, h, w) to images (N, C, H, W), which may leave [-1, 1] a little, on the latents' device."""
        return self._batched(lambda z: self.autoencoder.decode((z / self.scale).float()), latents)

    @torch.no_grad()
    def _batched(self, function: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
        device = next(self.autoencoder.parameters()).device
        return torch.cat([function(part.to(device)).to(rows.device) for part in rows.split(BATCH)])


class LatentDenoiser(Preconditioned):
    """A denoiser of latents; `space` turns its samples into images."""

    def __init__(self, net: nn.Module, param: Param, space: LatentSpace):
        super().__init__(net, param)
        self.space = space


def latent_scale(latents: Tensor) -> float:
    """1 / the standard deviation of all entries of z (N, C_z, h, w): times it, latents have the unit variance that noise schedules
    are made for (Rombach et al. 2022, appendix G).

    Raises CourseError where it is 0 or not finite.
    """
    std = latents.double().std(correction=0).item()
    if not 0 < std < float("inf"):
        raise CourseError(f"latents: their standard deviation is {std:g}, want a finite number > 0")
    return 1 / std


def check_fit(space: LatentSpace, net: nn.Module, images: Source) -> None:
    """Raise CourseError unless the autoencoder takes the images, and the network the latents."""
    a = space.autoencoder
    if images.size not in (None, a.image_size) or images.channels not in (None, a.channels):
        shapes = (images.channels, images.size, images.size), (a.channels, a.image_size, a.image_size)
        raise CourseError(f"latents: the data are {shapes[0]}, want {shapes[1]}, which the autoencoder takes")
    got = tuple(getattr(net, name) for name in ("channels", "image_size", "image_size"))
    if got != space.shape:
        want = f"channels: {space.shape[0]} and image_size: {space.shape[1]}, the shape of the latents"
        raise CourseError(f"net: got channels: {got[0]} and image_size: {got[1]}, want {want}")
