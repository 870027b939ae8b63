"""Pixels as files have them, 0..255, and as networks take them, -1..1; and pictures of any size made square."""

import torch
from torch import Tensor


def scaled(pixels: Tensor) -> Tensor:
    """0..255, uint8, to float32 in [-1, 1], of the same shape. Others stay as they are: floating point has that range, int64 are tokens."""
    return pixels.float() / 127.5 - 1 if pixels.dtype == torch.uint8 else pixels


def squared(picture: Tensor, size: int, channels: int) -> Tensor:
    """The centre of a picture (3, H, W), uint8, shrunk to (channels, size, size), antialiased; a smaller one is enlarged.

    channels: 3, or 1 for the luminance (ITU-R 601-2).
    """
    from PIL import Image

    H, W = picture.shape[1:]
    side = min(H, W)
    top, left = (H - side) // 2, (W - side) // 2
    square = picture[:, top : top + side, left : left + side].permute(1, 2, 0).contiguous()
    image = Image.fromarray(square.numpy()).convert("RGB" if channels == 3 else "L")
    if side != size:
        image = image.resize(
            (size, size), Image.Resampling.BICUBIC
        )  # Pillow's filter is wider where it shrinks
    return (
        torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
        .reshape(size, size, channels)
        .permute(2, 0, 1)
    )
