"""Measures of drawings: what is drawn is what is measured, and it does not depend on where, how brightly or which way round."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion_course import CourseError, Noise
from diffusion_course.experiments import strokes

FINE = 8  # a pixel is drawn as the mean of so many squared points


def plane(size=28):
    """x to the right and y down of every fine point, (size * FINE, size * FINE), from the middle."""
    at = (torch.arange(size * FINE, dtype=torch.float64) + 0.5) / FINE - size / 2
    return at[None, :], at[:, None]


def drawn(inside):
    fine = inside.to(torch.float64)[None, None]
    return 2 * torch.nn.functional.avg_pool2d(fine, FINE) - 1


def line(width, degrees, length=18.0, size=28):
    """A straight stroke that leans so many degrees to the right."""
    x, y = plane(size)
    s, c = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return drawn(((x * c + y * s).abs() < width / 2) & ((x * s - y * c).abs() < length / 2))


def ring(width, radius=8.0):
    x, y = plane()
    return drawn((torch.hypot(x, y) - radius).abs() < width / 2)


def drawings(n=4, seed=0):
    """Smooth blots that end before the frame does."""
    images = torch.full((n, 1, 28, 28), -1.0, dtype=torch.float64)
    blots = torch.nn.functional.interpolate(
        Noise(seed).randn(n, 1, 5, 5).double(), size=(12, 12), mode="bilinear"
    )
    images[:, :, 8:20, 8:20] = blots.clamp(-1, 1)
    return images


@pytest.mark.parametrize("degrees", [-40, -20, 0, 10, 35])
@pytest.mark.parametrize("width", [2.0, 3.0, 4.5])
def test_a_line_leans_as_it_was_drawn(width, degrees):
    # A rectangle's moments: its width pulls the slope to 0, by a share of about (w/L)^2.
    s, c = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    tangent = (18**2 - width**2) * s * c / ((18 * c) ** 2 + (width * s) ** 2)
    wanted = math.degrees(math.atan(tangent))
    assert strokes.slant(line(width, degrees)).item() == pytest.approx(wanted, abs=0.2)
    assert wanted == pytest.approx(degrees, abs=1.6 if width <= 3 else 3.5)


@pytest.mark.parametrize("degrees", [-40, -20, 0, 20, 40])
@pytest.mark.parametrize("width", [2.0, 3.0, 4.0, 5.0])
def test_a_line_is_as_wide_as_it_was_drawn_but_for_its_ends(width, degrees):
    wanted = width / (1 + width / 18)
    assert strokes.stroke_width(line(width, degrees)).item() == pytest.approx(wanted, rel=0.09)


@pytest.mark.parametrize("width", [2.0, 3.0, 4.0, 5.0])
def test_a_ring_is_as_wide_as_it_was_drawn(width):
    assert strokes.stroke_width(ring(width)).item() == pytest.approx(width, rel=0.05)
    assert strokes.slant(ring(width)).item() == pytest.approx(0, abs=1e-9)


def test_the_co_area_formula_on_an_edge_that_is_a_ramp():
    # A bar of width 6 whose sides rise over 4 pixels: the mean width of its contours.
    rise = torch.tensor([0, 0.25, 0.5, 0.75, 1, 1, 1, 0.75, 0.5, 0.25, 0], dtype=torch.float64)
    bar = torch.zeros(28, 28, dtype=torch.float64)
    bar[2:26, 8:19] = rise
    length, width = 24, rise.sum().item()
    assert strokes.stroke_width(2 * bar[None, None] - 1).item() == pytest.approx(
        width / (1 + width / length), rel=0.03
    )


MEASURES = (strokes.slant, strokes.stroke_width, strokes.brightness)


@given(dx=st.integers(-6, 6), dy=st.integers(-6, 6), seed=st.integers(0, 9))
@settings(max_examples=10, deadline=None)
def test_moving_a_drawing_changes_no_measure(dx, dy, seed):
    images = drawings(seed=seed)
    for measure in MEASURES:
        moved = measure(images.roll((dy, dx), dims=(2, 3)))
        assert torch.allclose(moved, measure(images), atol=1e-8)


def test_less_ink_everywhere_changes_neither_slant_nor_width():
    images = drawings()
    pale = 0.3 * (images + 1) - 1
    for measure in (strokes.slant, strokes.stroke_width):
        assert torch.allclose(measure(pale), measure(images), atol=1e-9)
    assert torch.allclose(strokes.brightness(pale, 0.03), 0.3 * strokes.brightness(images, 0.1))


def test_a_mirror_turns_the_slant_and_keeps_the_rest():
    images = drawings()
    for mirror, sign in ((3, -1), (2, -1)):
        assert torch.allclose(strokes.slant(images.flip(mirror)), sign * strokes.slant(images), atol=1e-8)
        assert torch.allclose(strokes.stroke_width(images.flip(mirror)), strokes.stroke_width(images))


def test_shear_adds_to_the_tangent():
    images = drawings()
    rows = [images[:, :, y : y + 1].roll(13 - y, dims=3) for y in range(28)]  # row y moves by 13 - y pixels
    before, after = (torch.tan(torch.deg2rad(strokes.slant(one))) for one in (images, torch.cat(rows, dim=2)))
    assert torch.allclose(after, before + 1, atol=1e-8)


@pytest.mark.parametrize("degrees", [-30.0, 0.0, 15.0])
def test_sheared_leans_by_what_it_is_told(degrees):
    upright = line(3.0, 0.0, length=14.0)
    leant = strokes.sheared(upright, degrees)
    assert strokes.slant(leant).item() == pytest.approx(degrees, abs=1.0)
    assert leant.shape == upright.shape
    assert leant.min() >= -1
    if degrees == 0:
        assert torch.allclose(leant, upright)


def test_thickened_is_wider_by_so_many_pixels_on_each_side():
    bar = torch.full((1, 1, 28, 28), -1.0)
    bar[:, :, 5:23, 12:15] = 1
    for pixels in (1, 2, 3):
        wide = torch.full_like(bar, -1.0)
        wide[:, :, 5 - pixels : 23 + pixels, 12 - pixels : 15 + pixels] = 1
        assert torch.equal(strokes.thickened(bar, pixels), wide)


def test_edges_are_where_the_ink_ends():
    square = torch.full((1, 1, 12, 12), -1.0)
    square[:, :, 3:9, 3:9] = 1
    found = strokes.edges(square)
    assert found.shape == square.shape
    assert found[0, 0, 6, 3] == 1  # a straight edge
    assert not found[0, 0, 5:7, 5:7].any()  # inside
    assert not found[0, 0, :2].any()  # and out
    assert torch.equal(found, found.flip(3))
    assert torch.allclose(found, found.transpose(2, 3))
    assert strokes.edges(square.expand(2, 3, 12, 12)).shape == (2, 1, 12, 12)


def test_no_ink_has_no_measure():
    blank = torch.full((2, 1, 8, 8), -1.0)
    for measure in MEASURES:
        assert measure(blank).isnan().all()


def test_what_is_no_batch_of_images_is_told():
    with pytest.raises(CourseError, match=r"images: got \(28, 28\), want \(N, C, H, W\)"):
        strokes.slant(torch.zeros(28, 28))
    with pytest.raises(CourseError, match="floating point"):
        strokes.stroke_width(torch.zeros(1, 1, 8, 8, dtype=torch.uint8))
    with pytest.raises(CourseError, match=r"degrees: got 90, want a number inside \(-90, 90\)"):
        strokes.sheared(torch.zeros(1, 1, 8, 8), 90)
    with pytest.raises(CourseError, match="pixels: got -1"):
        strokes.thickened(torch.zeros(1, 1, 8, 8), -1)
    for change in (strokes.edges, strokes.thickened, lambda x: strokes.sheared(x, 5)):
        with pytest.raises(CourseError, match="images: got list"):
            change([0.0])
