"""Bytes to the range of networks and back, and pictures made square without a colour cast or a shift."""

import pytest
import torch

from diffusion_course.experiments.pixels import scaled, squared


def gradient(H, W):
    """Red grows to the right, green downwards."""
    red = torch.linspace(0, 255, W).expand(H, W)
    green = torch.linspace(0, 255, H)[:, None].expand(H, W)
    return torch.stack([red, green, torch.full((H, W), 7.0)]).round().to(torch.uint8)


def test_every_byte_has_its_place():
    x = scaled(torch.arange(256, dtype=torch.uint8))
    assert (x[0], x[-1]) == (-1, 1)
    torch.testing.assert_close(x.diff(), torch.full((255,), 2 / 255))
    assert scaled(x) is x


def test_a_picture_of_the_right_size_stays_as_it_is():
    picture = torch.randint(
        0, 256, (3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    assert torch.equal(squared(picture, 32, 3), picture)


def test_grey_stays_the_same_grey():
    grey = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16)
    assert torch.equal(squared(grey.expand(3, -1, -1), 16, 1), grey)


@pytest.mark.parametrize(("H", "W"), [(60, 60), (60, 101), (101, 60), (61, 60), (7, 5), (1, 1), (1, 500)])
@pytest.mark.parametrize("size", [1, 8, 30])
def test_the_middle_is_kept_and_averages(H, W, size):
    picture = gradient(H, W)
    made = squared(picture, size, 3)
    assert made.shape == (3, size, size)
    assert made.dtype == torch.uint8
    side = min(H, W)
    top, left = (H - side) // 2, (W - side) // 2
    middle = picture[:, top : top + side, left : left + side].float().mean((1, 2))
    torch.testing.assert_close(made.float().mean((1, 2)), middle, atol=2.0, rtol=0)
    if size > 1 and side > 1:
        assert (made[0].float().mean(0).diff() >= 0).all()  # red still grows to the right
        assert (made[1].float().mean(1).diff() >= 0).all()


def test_what_is_shrunk_is_averaged_and_not_picked():
    """A chessboard of single pixels becomes grey; taking every eighth pixel would give black or white."""
    board = 255 * ((torch.arange(64)[:, None] + torch.arange(64)) % 2).to(torch.uint8)
    made = squared(board.expand(3, -1, -1), 8, 3).float()
    assert (made - 127.5).abs().max() < 6
