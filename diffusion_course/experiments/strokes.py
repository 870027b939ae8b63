"""What is measured on a drawing: how wide its stroke is, how far it leans, how bright it is; and what changes that.

The ink of an image in [-1, 1] is m(x, y) = (value + 1) / 2, clipped to 0..1; y points down. All measures are the same for an image
that is moved, inside its frame, and width and slant for one with all its ink scaled.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import CourseError, check_integer, check_number
from ..shapes import check_float


def ink(images: Tensor) -> Tensor:
    """Images (N, C, H, W) in [-1, 1] -> (N, H, W) in 0..1, the mean of the channels. Raises CourseError for another shape."""
    _check(images)
    return ((images.to(torch.promote_types(images.dtype, torch.float32)) + 1) / 2).clamp(0, 1).mean(1)


def slant(images: Tensor) -> Tensor:
    """How far the ink leans to the right, in degrees: (N, C, H, W) -> (N,); NaN where there is no ink.

    tan(slant) = -mu_xy / mu_yy with the central moments mu_xy = sum m (x - x_c)(y - y_c), mu_yy = sum m (y - y_c)^2: the slope of
    the line that predicts x from y. Moving row y sideways by k (y_c - y) adds k to the tangent.
    """
    m = ink(images)
    H, W = m.shape[1:]
    x = torch.arange(W).to(m) - (W - 1) / 2
    y = torch.arange(H).to(m) - (H - 1) / 2
    rows, mass = m.sum(2), m.sum((1, 2))
    x_c, y_c = (m.sum(1) @ x) / mass, (rows @ y) / mass
    mu_xy = (m @ x) @ y / mass - x_c * y_c
    mu_yy = rows @ y**2 / mass - y_c**2
    return torch.rad2deg(torch.atan(-mu_xy / mu_yy))


def stroke_width(images: Tensor) -> Tensor:
    """The width of the stroke in pixels, 2 A / P: (N, C, H, W) -> (N,); NaN where there is no ink.

    A = sum m is the ink's area, and P = sum |grad m| the length of its edge, which a stroke has on both sides (for grey ink the
    mean over all its contours: the co-area formula). Exact for a closed line; a line of length L and width w has two ends
    more, and gives w / (1 + w / L). The gradient is taken between pixels, from the four around each corner, so that no
    direction is preferred.
    """
    m = F.pad(ink(images), (1, 1, 1, 1))
    right, down = m[:, :, 1:] - m[:, :, :-1], m[:, 1:] - m[:, :-1]
    across = (right[:, 1:] + right[:, :-1]) / 2
    along = (down[:, :, 1:] + down[:, :, :-1]) / 2
    return 2 * m.sum((1, 2)) / torch.hypot(across, along).sum((1, 2))


def brightness(images: Tensor, least: float = 0.1) -> Tensor:
    """The mean of the ink where it is more than `least`: (N, C, H, W) -> (N,) in 0..1; NaN where it nowhere is."""
    m = ink(images)
    inked = m > least
    return (m * inked).sum((1, 2)) / inked.sum((1, 2))


def sheared(images: Tensor, degrees: float) -> Tensor:
    """Images (N, C, H, W) leant to the right, about the middle row, by so many degrees of a vertical line.

    What leaves the frame is lost, and what comes in is the lowest value, -1. Raises CourseError unless -90 < degrees < 90.
    """
    _check(images)
    check_number("degrees", degrees, lambda v: -90 < v < 90, "inside (-90, 90)")
    N, _, H, W = images.shape
    k = torch.tan(torch.deg2rad(torch.tensor(float(degrees)))).item()
    # Where each pixel of the result is read, in units of half a height or width; its x is shifted by k y.
    matrix = torch.tensor([[1.0, k * H / W, 0.0], [0.0, 1.0, 0.0]], dtype=images.dtype, device=images.device)
    grid = F.affine_grid(matrix.expand(N, 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images + 1, grid, align_corners=False) - 1


def thickened(images: Tensor, pixels: int = 1) -> Tensor:
    """Images (N, C, H, W) whose stroke is wider by `pixels` on each side: each pixel takes the largest value around it."""
    _check(images)
    check_integer("pixels", pixels, 0, min(images.shape[2:]))
    return F.max_pool2d(images, 2 * pixels + 1, stride=1, padding=pixels)


def edges(images: Tensor) -> Tensor:
    """A sketch of an image: where its ink begins and ends. (N, C, H, W) in [-1, 1] -> (N, 1, H, W) in 0..1.

    The length of the gradient of the ink by Sobel's masks, as a share of that of a straight edge from 0 to 1, at most 1.
    """
    m = F.pad(ink(images)[:, None], (1, 1, 1, 1))
    side = torch.tensor(
        [[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]], dtype=m.dtype, device=m.device
    )
    masks = torch.stack([side, side.T])[:, None] / 4
    return F.conv2d(m, masks).norm(dim=1, keepdim=True).clamp(max=1)


def _check(images: Tensor) -> None:
    if not isinstance(images, Tensor) or images.ndim != 4:
        got = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise CourseError(f"images: got {got}, want (N, C, H, W)")
    check_float("images", images)
