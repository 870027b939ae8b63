"""NVIDIA's SongUNet: the networks DDPM++ and NCSN++ of Song et al. 2021, in the form Karras et al. 2022 released.

Parameters and buffers have the names and shapes of the released checkpoints, so those weights load as they are.
NCSN++ differs from DDPM++ in four things (Karras et al. 2022, appendix F): random Fourier features of the noise
level, twice as many of them, an image pyramid fed into the way down, and a wider smoothing filter (1, 3, 3, 1).
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import CourseError, check_integer
from ..shapes import check_batch, check_rows
from .embedding import Labelled, check_integers
from .songblocks import Block, Conv, ConvHalved, DoubledConv, HalvedConv, Linear, norm


class SongUNet(Labelled):
    """DDPM++ (the default) or NCSN++; the defaults are those of the released CIFAR-10 networks (56 M parameters).

    image_size: height and width in pixels, a multiple of 2^(levels - 1). channels: 1 or 3 (any number works).
    label_dim: number of classes, 0 for none. augment_dim: length of the augmentation vectors, 0 for none.
    ncsnpp: False for DDPM++, True for NCSN++. model_channels: channels at the input, and the unit of the widths.
    channel_mult: width of each level, in units of model_channels; a level halves the size.
    num_blocks: residual blocks per level on the way down; the way up has one more.
    attention: resolutions with self-attention: in every block on the way down, in the last block on the way up.
    The first block after the way down always has it.
    dropout: in each residual block, while training.

    Released networks have augment_dim=9, and label_dim=10 or 0 on CIFAR-10; those of FFHQ and AFHQv2 have
    image_size=64, channel_mult=(1, 2, 2, 2) and label_dim=0.
    `load_state_dict` takes the released names with or without the "model." of NVIDIA's preconditioner around them.
    Raises CourseError for sizes that do not divide.
    """

    def __init__(
        self,
        image_size: int = 32,
        channels: int = 3,
        label_dim: int = 0,
        augment_dim: int = 0,
        ncsnpp: bool = False,
        model_channels: int = 128,
        channel_mult: Sequence[int] = (2, 2, 2),
        num_blocks: int = 4,
        attention: Sequence[int] = (16,),
        dropout: float = 0.13,
    ):
        super().__init__()
        sizes = {"image_size": image_size, "channels": channels, "num_blocks": num_blocks}
        for name, value in {**sizes, "len(channel_mult)": len(channel_mult)}.items():
            check_integer(name, value, 1)
        for mult in channel_mult:
            check_integer("channel_mult", mult, 1)
        check_integer("label_dim", label_dim, 0)
        check_integer("augment_dim", augment_dim, 0)
        check_integer("model_channels", model_channels, 4)
        unit = 2 ** (len(channel_mult) - 1)
        if image_size % unit:
            raise CourseError(f"image_size: got {image_size}, want a multiple of {unit} (2^(levels - 1))")
        if not 0 <= dropout < 1:
            raise CourseError(f"dropout: got {dropout!r}, want a number in [0, 1)")
        self.image_size, self.channels = image_size, channels
        self.num_classes, self.augment_dim = label_dim, augment_dim

        emb, noise = 4 * model_channels, (2 if ncsnpp else 1) * model_channels
        self.map_noise = FourierEmbedding(noise) if ncsnpp else PositionalEmbedding(noise)
        self.map_label = Linear(label_dim, noise) if label_dim else None
        self.map_augment = Linear(augment_dim, noise, bias=False) if augment_dim else None
        self.map_layer0 = Linear(noise, emb)
        self.map_layer1 = Linear(emb, emb)

        taps = (1, 3, 3, 1) if ncsnpp else (1, 1)
        halved, doubled = partial(HalvedConv, taps=taps), partial(DoubledConv, taps=taps)
        names = [f"{image_size >> level}x{image_size >> level}" for level in range(len(channel_mult))]
        width, shortcuts, pyramid = model_channels, [model_channels], channels
        self.enc = nn.ModuleDict({f"{names[0]}_conv": Conv(channels, width)})
        for level, (at, mult) in enumerate(zip(names, channel_mult, strict=True)):
            attend = image_size >> level in attention
            if level > 0:
                self.enc[f"{at}_down"] = Block(width, width, emb, dropout, resize=halved)
                if ncsnpp:
                    self.enc[f"{at}_aux_residual"] = ConvHalved(pyramid, width, 3, taps)
                    pyramid = width
                shortcuts.append(width)
            for i in range(num_blocks):
                self.enc[f"{at}_block{i}"] = Block(width, mult * model_channels, emb, dropout, attend)
                width = mult * model_channels
                shortcuts.append(width)

        self.dec = nn.ModuleDict()
        for level, (at, mult) in reversed(list(enumerate(zip(names, channel_mult, strict=True)))):
            attend = image_size >> level in attention
            if level == len(names) - 1:
                self.dec[f"{at}_in0"] = Block(width, width, emb, dropout, attend=True)
                self.dec[f"{at}_in1"] = Block(width, width, emb, dropout)
            else:
                self.dec[f"{at}_up"] = Block(width, width, emb, dropout, resize=doubled)
            for i in range(num_blocks + 1):
                c_in, last = width + shortcuts.pop(), i == num_blocks
                width = mult * model_channels
                self.dec[f"{at}_block{i}"] = Block(c_in, width, emb, dropout, attend and last)
        self.dec[f"{names[0]}_aux_norm"] = norm(width)
        self.dec[f"{names[0]}_aux_conv"] = Conv(width, channels, gain=1e-5)
        self.register_load_state_dict_pre_hook(drop_model_prefix)

    def forward(
        self, x: Tensor, c_noise: Tensor, labels: Tensor | None = None, augment_labels: Tensor | None = None
    ) -> Tensor:
        """x: (B, C, H, W); c_noise: () or (B,); labels: (B,) integers in 0..label_dim, where label_dim means no label,
        or None for no labels; augment_labels: (B, augment_dim) or None for no augmentation. Returns (B, C, H, W).

        Raises CourseError for shapes or labels that do not fit the network.
        """
        check_batch("x", x, self.channels, self.image_size, self.image_size)
        emb = self.embed(x, torch.as_tensor(c_noise, device=x.device), labels, augment_labels)

        shortcuts: list[Tensor] = []
        h = pyramid = x
        for layer in self.enc.values():
            if isinstance(layer, ConvHalved):
                # "Residual" input: the shrunken image is added to the features, and the sum is shrunk further on.
                h = pyramid = shortcuts[-1] = (h + layer(pyramid)) / math.sqrt(2)
            else:
                h = layer(h, emb) if isinstance(layer, Block) else layer(h)
                shortcuts.append(h)
        *layers, (_, last_norm), (_, last_conv) = self.dec.items()
        for name, layer in layers:
            if "block" in name:
                h = torch.cat([h, shortcuts.pop()], dim=1)
            h = layer(h, emb)
        return last_conv(F.silu(last_norm(h)))

    def embed(
        self, x: Tensor, c_noise: Tensor, labels: Tensor | None, augment_labels: Tensor | None
    ) -> Tensor:
        """One vector per sample from the noise level, class and augmentation: (B, 4 * model_channels)."""
        B = len(x)
        check_rows("c_noise", c_noise, x, one=True)
        # Angles reach 1000: half precision would lose them, so they stay float32 until after sine and cosine.
        angles = c_noise.to(torch.promote_types(x.dtype, torch.float32)).expand(B)
        emb = self.map_noise(angles).to(x.dtype)
        if self.map_label is not None:
            # A one-hot row has mean square 1 / classes; the root brings it to 1. No label is a row of zeros.
            one_hot = one_hot_rows(labels, self.num_classes, x)
            emb = emb + self.map_label(one_hot * math.sqrt(self.num_classes))
        elif labels is not None:
            raise CourseError("labels: this network was made without classes (label_dim=0)")
        if augment_labels is not None:
            if self.map_augment is None or augment_labels.shape != (B, self.augment_dim):
                got, takes = tuple(augment_labels.shape), f"({B}, {self.augment_dim})"
                raise CourseError(
                    f"augment_labels: got shape {got}, want {takes if self.augment_dim else 'None (augment_dim=0)'}"
                )
            emb = emb + self.map_augment(augment_labels.to(x))
        return F.silu(self.map_layer1(F.silu(self.map_layer0(emb))))


class PositionalEmbedding(nn.Module):
    """DDPM++: sines, then cosines, at frequencies from 1 down to exactly 1 / 10,000: (B,) -> (B, width)."""

    def __init__(self, width: int):
        super().__init__()
        self.frequencies = width // 2

    def forward(self, t: Tensor) -> Tensor:
        # Always float32: t reaches 1000, where another rounding of the frequencies would show in the output.
        place = torch.arange(self.frequencies, dtype=torch.float32, device=t.device) / (self.frequencies - 1)
        return sines_cosines(t, 1e-4**place)


class FourierEmbedding(nn.Module):
    """NCSN++: sines, then cosines, at random frequencies fixed at the start: (B,) -> (B, width).

    Tancik et al. 2020; scale 16 as in Song et al. 2021, appendix H.
    """

    def __init__(self, width: int, scale: float = 16.0):
        super().__init__()
        self.freqs: Tensor
        self.register_buffer("freqs", torch.randn(width // 2) * scale)

    def forward(self, t: Tensor) -> Tensor:
        return sines_cosines(t, 2 * math.pi * self.freqs)


def sines_cosines(t: Tensor, frequencies: Tensor) -> Tensor:
    """(B,), (F,) -> (B, 2F), in t's dtype. Sines come first, the other way round than in `embedding.sinusoid`."""
    angle = t[:, None] * frequencies.to(t.dtype)
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def one_hot_rows(labels: Tensor | None, classes: int, x: Tensor) -> Tensor:
    """(B,) integers in 0..classes -> (B, classes) like x; zeros where the label is `classes`, and for labels=None."""
    B = len(x)
    if labels is None:
        return x.new_zeros(B, classes)
    check_integers(labels, B)
    if bool(((labels < 0) | (labels > classes)).any()):
        got = sorted(set(labels.tolist()))
        raise CourseError(f"labels: got {got}, want 0..{classes} ({classes} means no label)")
    return F.one_hot(labels.long(), classes + 1)[:, :-1].to(x)


def drop_model_prefix(module: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    """Released checkpoints hold the network inside its preconditioner, as `model`: take that name off."""
    for name in [name for name in state if name.startswith(prefix + "model.")]:
        state[prefix + name.removeprefix(prefix + "model.")] = state.pop(name)
