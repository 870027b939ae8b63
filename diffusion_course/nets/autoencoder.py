"""A convolutional autoencoder: images to a few numbers on a coarse grid, and back (Rombach et al. 2022, section 3.1)."""

from collections.abc import Sequence

from torch import Tensor, nn

from ..errors import CourseError, check_integer
from ..shapes import check_batch
from .unet import Fold, Unfold, conv, norm, zero

LOG_VARIANCE = (-30.0, 20.0)  # the range it is kept in, so that its exponential is neither 0 nor infinite


class Autoencoder(nn.Module):
    """q(z | x) = N(mean, diag(variance)) of images x, and the image that a latent z decodes to.

    image_size: height and width in pixels, a multiple of 2^levels. channels: 1 or 3 (any number works).
    latent_channels: C_z; z has the shape (C_z, h, w) with h = w = image_size / 2^levels.
    widths: channels of each level, e.g. (32, 64); every level halves the size. blocks: residual blocks per level.
    Raises CourseError for sizes that do not divide.
    """

    def __init__(
        self,
        image_size: int = 28,
        channels: int = 1,
        latent_channels: int = 4,
        widths: Sequence[int] = (32, 64),
        blocks: int = 1,
    ):
        super().__init__()
        sizes = {"image_size": image_size, "channels": channels, "latent_channels": latent_channels}
        counts = {"blocks": blocks, "len(widths)": len(widths), "widths": min(widths, default=1)}
        for name, value in {**sizes, **counts}.items():
            check_integer(name, value, 1)
        unit = 2 ** len(widths)
        if image_size % unit:
            raise CourseError(f"image_size: got {image_size}, want a multiple of {unit} (2^levels)")
        self.image_size, self.channels = image_size, channels
        self.latent_size, self.latent_channels = image_size // unit, latent_channels
        self.encoder = nn.Sequential(*_down(channels, widths, blocks), _head(widths[-1], 2 * latent_channels))
        self.decoder = nn.Sequential(conv(latent_channels, widths[-1]), *_up(channels, widths, blocks))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x), (B, C_z, h, w) each. x: (B, C, H, W) in [-1, 1]."""
        check_batch("x", x, self.channels, self.image_size, self.image_size)
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCE)

    def decode(self, z: Tensor) -> Tensor:
        """The image (B, C, H, W) of z (B, C_z, h, w): the mean of p(x | z). It may leave [-1, 1] a little."""
        check_batch("z", z, self.latent_channels, self.latent_size, self.latent_size)
        return self.decoder(z)

    def forward(self, x: Tensor, eps: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """The image of z = mean + std * eps, and mean and log-variance (Kingma & Welling 2014, section 2.4).

        x: (B, C, H, W) in [-1, 1]. eps: (B, C_z, h, w), standard normal; None is zero, so that z is the mean.
        """
        mean, log_variance = self.encode(x)
        z = mean if eps is None else mean + (0.5 * log_variance).exp() * eps
        return self.decode(z), mean, log_variance


def _down(channels: int, widths: Sequence[int], blocks: int) -> list[nn.Module]:
    """(B, channels, H, W) -> (B, widths[-1], H / 2^levels, W / 2^levels)."""
    layers: list[nn.Module] = [Fold(2), conv(4 * channels, widths[0])]
    for level, width in enumerate(widths):
        if level > 0:
            layers.append(nn.Conv2d(widths[level - 1], width, 3, stride=2, padding=1))
        layers += [Block(width) for _ in range(blocks)]
    return layers


def _up(channels: int, widths: Sequence[int], blocks: int) -> list[nn.Module]:
    """The way back from widths[-1] channels."""
    layers: list[nn.Module] = []
    for level, width in reversed(list(enumerate(widths))):
        layers += [Block(width) for _ in range(blocks)]
        if level > 0:
            layers += [nn.Upsample(scale_factor=2.0), conv(width, widths[level - 1])]
    return [*layers, _head(widths[0], 4 * channels), Unfold(2)]


def _head(width: int, out: int) -> nn.Module:
    return nn.Sequential(norm(width), nn.SiLU(), conv(width, out))


class Block(nn.Module):
    """Residual block of two convolutions, the identity at first."""

    def __init__(self, width: int):
        super().__init__()
        self.before = nn.Sequential(norm(width), nn.SiLU(), conv(width, width))
        self.after = nn.Sequential(norm(width), nn.SiLU(), zero(conv(width, width)))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.after(self.before(x))
